//! What callers get wrong, by mistake or on purpose: never an internal error, never a change.

use crate::harness::{
    Client, World, header, header_message, id, import_xuchang, inner, refusal, refused, region, row,
    rows_message, share_by, stories, xuchang_request,
};
use incentive_fund::grpc::pb;
use tonic::{Code, Request, Status};

stories!(
    mutations_need_a_principal,
    a_principal_is_a_name,
    money_has_limits,
    hostile_strings_never_break_anything,
    long_strings_get_a_short_answer,
    forged_page_tokens_are_refused,
    enums_out_of_range_are_refused,
    a_method_that_is_not_there_is_refused_with_details,
);

/// Everything that changes something, as one person; the answers.
async fn mutate_everything(client: &mut Client) -> Vec<(&'static str, Result<(), Status>)> {
    let run = format!("allocations/{}", id());
    let mut answers = Vec::new();
    let regions = pb::ImportRegionsRequest::default();
    answers.push((
        "ImportRegions",
        client.statistics.import_regions(regions).await.map(drop),
    ));
    let indicators = pb::ImportIndicatorsRequest::default();
    let answer = client.statistics.import_indicators(indicators).await.map(drop);
    answers.push(("ImportIndicators", answer));
    let data_set = pb::CreateDataSetRequest {
        data_set_id: "d".to_owned(),
        title: "D".to_owned(),
        ..Default::default()
    };
    answers.push((
        "CreateDataSet",
        client.statistics.create_data_set(data_set).await.map(drop),
    ));
    let import = client.import("d", Vec::new()).await.map(drop);
    answers.push(("ImportObservations", import));
    let formula = pb::CreateFormulaRequest {
        document: Some(share_by("f", "1")),
        ..Default::default()
    };
    answers.push((
        "CreateFormula",
        client.formulas.create_formula(formula).await.map(drop),
    ));
    let create = client.create(xuchang_request("f")).await.map(drop);
    answers.push(("CreateAllocation", create));
    answers.push(("ApproveAllocation", client.approve(&run).await.map(drop)));
    answers.push(("IssueAllocation", client.issue(&run).await.map(drop)));
    answers.push(("SupersedeAllocation", client.supersede(&run, "").await.map(drop)));
    // The money that it receives is another fund's than that of the others, which then is not there.
    answers.push(("ReceiveFunds", client.receive("received", "1.00").await.map(drop)));
    answers.push(("SurrenderFunds", client.surrender("f", "1.00").await.map(drop)));
    answers.push((
        "ContributeFunds",
        client.contribute("f", "A", "1.00").await.map(drop),
    ));
    answers.push((
        "RetractContribution",
        client.retract("f", "A", "1.00").await.map(drop),
    ));
    let lines = || vec![crate::ledger::line("A", "p", "1.00")];
    answers.push(("AssignQuota", client.assign("f", lines()).await.map(drop)));
    answers.push(("UnassignQuota", client.unassign("f", lines()).await.map(drop)));
    answers.push(("ReverseEntry", client.reverse("f", 1).await.map(drop)));
    answers
}

async fn mutations_need_a_principal(world: World) {
    let server = world.serve().await;
    let mut nobody = server.client("").await;
    for (method, answer) in mutate_everything(&mut nobody).await {
        let refusal = refused(answer);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::Unauthenticated, "NO_PRINCIPAL"),
            "{method}"
        );
    }
    let list = pb::ListDataSetsRequest::default();
    assert!(
        inner(nobody.statistics.list_data_sets(list).await)
            .data_sets
            .is_empty()
    );
    let list = pb::ListFormulasRequest::default();
    assert!(
        inner(nobody.formulas.list_formulas(list).await)
            .formulas
            .is_empty()
    );
    // Somebody gets further in every one of them.
    let mut somebody = server.client("somebody").await;
    for (method, answer) in mutate_everything(&mut somebody).await {
        if let Err(status) = answer {
            assert_eq!(refusal(&status).code, Code::NotFound, "{method}");
        }
    }
    server.stop().await;
}

async fn a_principal_is_a_name(world: World) {
    let server = world.serve().await;
    let client = server.client("").await;
    let create = async |raw: &str| {
        let mut request = Request::new(pb::CreateDataSetRequest {
            data_set_id: "d".to_owned(),
            title: "D".to_owned(),
            request_id: id(),
            validate_only: true,
        });
        let value = raw.parse().unwrap();
        request.metadata_mut().insert("incentive-fund-principal", value);
        let mut statistics = client.statistics.clone();
        statistics.create_data_set(request).await
    };
    for (raw, name) in [
        ("li", "li"),
        ("%E6%9D%8E%20%E5%9B%9B", "李 四"),
        ("a+b", "a+b"),
        ("100%", "100%"),
    ] {
        let data_set = inner(create(raw).await).data_set.unwrap();
        assert_eq!(data_set.created.unwrap().principal, name);
    }
    assert_eq!(refused(create("%FF%FE").await).code, Code::Unauthenticated);
    for raw in ["", "%20li", "li%00", "a%0Ab", &"x".repeat(129)] {
        refused(create(raw).await).names("principal");
    }
    let longest = "%E6%9D%8E".repeat(128);
    inner(create(&longest).await);
    server.stop().await;
}

async fn money_has_limits(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let largest = pb::CreateAllocationRequest {
        pool: "1000000000000000.00".to_owned(),
        ..xuchang_request("f")
    };
    let run = client.create(largest).await.unwrap();
    assert_eq!(
        (run.pool.as_str(), run.total.as_str()),
        ("1000000000000000.00", "1000000000000000.00")
    );
    assert_eq!(client.get(&run.name).await, run);
    for pool in [
        "1000000000000000.01",
        "9223372036854775807.00",
        "99999999999999999999999999",
        "-0.01",
        "-1000000000000000.00",
        "NaN",
        "inf",
        "1e3",
        "",
        " ",
        "1.005",
        "1,000.00",
        "+1",
        "¥1",
        "１００",
        ".5",
        "5.",
        "0x10",
    ] {
        let request = pb::CreateAllocationRequest {
            pool: pool.to_owned(),
            ..xuchang_request("f")
        };
        let refusal = refused(client.create(request).await);
        let told = refusal.names("pool");
        assert!(pool.trim().is_empty() || told.contains(pool), "{told}");
        let compute = pb::ComputeAllocationRequest {
            formula: "formulas/xuchang-settled-resident".to_owned(),
            data_set: "dataSets/xuchang".to_owned(),
            pool: pool.to_owned(),
            year: 2024,
            ..Default::default()
        };
        refused(client.allocations.compute_allocation(compute).await).names("pool");
    }
    // An advance of the largest pool, to the fen.
    let advance = pb::CreateAllocationRequest {
        pool: "1000000000000000.00".to_owned(),
        stage: pb::AllocationStage::Advance.into(),
        advance_percent: "33.3333333333333333333333333".to_owned(),
        ..xuchang_request("f")
    };
    let advance = client.create(advance).await.unwrap();
    assert_eq!(advance.total, "333333333333333.33");
    server.stop().await;
}

const HOSTILE: &[&str] = &[
    "'; DROP TABLE region; --",
    "\" OR 1=1",
    "\0",
    "a\0b",
    "\u{1}\u{7f}\u{9f}\n\r\t",
    "😀👨‍👩‍👧‍👦",
    "\u{202e}txet\u{feff}\u{fffd}",
    "%00%27",
    "../../etc/passwd",
    "${jndi:ldap://x}",
    "\\'\\\\",
    "$1",
    "-1",
    "regions/-",
    "dataSets/\0",
    "formulas/a/revisions/99999999999999999999",
    "allocations/'",
    "NaN",
];

/// Every call with `text` in each of its string fields, one at a time, and in all of them.
async fn everywhere(client: &mut Client, text: &str) -> Vec<(String, Result<(), Status>)> {
    let s = || text.to_owned();
    let mut answers: Vec<(String, Result<(), Status>)> = Vec::new();
    // `$sound` is a request that would pass; each of its fields in turn becomes the hostile text.
    macro_rules! spoil {
        ($service:ident.$method:ident, $sound:expr, $($($field:ident).+),+ $(,)?) => {{
            $(
                let sound = || $sound;
                let mut request = sound();
                request.$($field).+ = s();
                let answer = client.$service.$method(request).await.map(drop);
                answers.push((format!("{} {}", stringify!($method), stringify!($($field).+)), answer));
            )+
        }};
    }
    macro_rules! spoil_in {
        ($service:ident.$method:ident, $sound:expr, $list:ident, $($field:ident),+ $(,)?) => {{
            $(
                let mut request = $sound;
                request.$list[0].$field = s();
                let answer = client.$service.$method(request).await.map(drop);
                answers.push((format!("{} {}.{}", stringify!($method), stringify!($list), stringify!($field)), answer));
            )+
        }};
    }
    macro_rules! spoil_document {
        ($($change:expr),+ $(,)?) => {{
            $(
                let mut document = rich();
                let change: fn(&mut pb::FormulaDocument, String) = $change;
                change(&mut document, s());
                let request = pb::CreateFormulaRequest {
                    document: Some(document.clone()),
                    request_id: id(),
                    validate_only: false,
                };
                let answer = client.formulas.create_formula(request).await.map(drop);
                answers.push((format!("create_formula {}", stringify!($change)), answer));
                let request = pb::ComputeAllocationRequest {
                    document: Some(document),
                    ..compute()
                };
                let answer = client.allocations.compute_allocation(request).await.map(drop);
                answers.push((format!("compute_allocation {}", stringify!($change)), answer));
            )+
        }};
    }
    let run = || format!("allocations/{}", id());
    let import_regions = || pb::ImportRegionsRequest {
        regions: vec![region("HOSTILE")],
        request_id: id(),
        validate_only: false,
    };
    spoil!(statistics.import_regions, import_regions(), request_id);
    spoil_in!(
        statistics.import_regions,
        import_regions(),
        regions,
        name,
        display_name_zh,
        display_name_en,
        parent,
        note
    );
    spoil!(
        statistics.list_regions,
        pb::ListRegionsRequest::default(),
        parent,
        page_token
    );
    let import_indicators = || pb::ImportIndicatorsRequest {
        indicators: vec![crate::harness::indicator("hostile", "person")],
        request_id: id(),
        validate_only: false,
    };
    spoil_in!(
        statistics.import_indicators,
        import_indicators(),
        indicators,
        name,
        display_name_zh,
        display_name_en,
        unit,
        minimum,
        maximum,
        description
    );
    spoil!(
        statistics.list_indicators,
        pb::ListIndicatorsRequest::default(),
        page_token
    );
    spoil!(
        statistics.create_data_set,
        pb::CreateDataSetRequest {
            data_set_id: format!("d{}", uuid::Uuid::now_v7().simple()),
            title: "D".to_owned(),
            ..Default::default()
        },
        data_set_id,
        title,
        request_id
    );
    spoil!(statistics.get_data_set, pb::GetDataSetRequest::default(), name);
    spoil!(
        statistics.list_data_sets,
        pb::ListDataSetsRequest::default(),
        page_token
    );
    spoil!(
        statistics.list_data_set_revisions,
        pb::ListDataSetRevisionsRequest {
            parent: "dataSets/xuchang".to_owned(),
            ..Default::default()
        },
        parent,
        page_token
    );
    spoil!(
        statistics.list_observations,
        pb::ListObservationsRequest {
            parent: "dataSets/xuchang".to_owned(),
            ..Default::default()
        },
        parent,
        as_of,
        region,
        indicator,
        page_token
    );
    let good = || row(2, "411081", "settled_new", "1");
    for (field, hostile_row) in [
        (
            "region",
            pb::ObservationRow {
                region: s(),
                ..good()
            },
        ),
        (
            "indicator",
            pb::ObservationRow {
                indicator: s(),
                ..good()
            },
        ),
        ("year", pb::ObservationRow { year: s(), ..good() }),
        ("value", pb::ObservationRow { value: s(), ..good() }),
        ("unit", pb::ObservationRow { unit: s(), ..good() }),
        (
            "source",
            pb::ObservationRow {
                source: s(),
                ..good()
            },
        ),
    ] {
        let answer = client.import("xuchang", vec![hostile_row]).await.map(drop);
        answers.push((format!("import_observations {field}"), answer));
    }
    for (field, head) in [
        (
            "data_set",
            pb::ImportObservationsHeader {
                data_set: s(),
                ..header("xuchang")
            },
        ),
        (
            "request_id",
            pb::ImportObservationsHeader {
                request_id: s(),
                ..header("xuchang")
            },
        ),
    ] {
        let messages = vec![header_message(head), rows_message(vec![good()])];
        let stream = tokio_stream::iter(messages);
        let answer = client.statistics.import_observations(stream).await.map(drop);
        answers.push((format!("import_observations {field}"), answer));
    }
    let check = || pb::CheckFormulaRequest {
        document: Some(share_by("f", "settled_new")),
        data_set: "dataSets/xuchang".to_owned(),
        year: 2024,
        scope: String::new(),
    };
    spoil!(formulas.check_formula, check(), data_set, scope);
    spoil!(formulas.get_formula, pb::GetFormulaRequest::default(), name);
    spoil!(
        formulas.list_formulas,
        pb::ListFormulasRequest::default(),
        page_token
    );
    spoil!(
        formulas.list_formula_revisions,
        pb::ListFormulaRevisionsRequest {
            parent: "formulas/xuchang-settled-resident".to_owned(),
            ..Default::default()
        },
        parent,
        page_token
    );
    spoil!(
        formulas.create_formula,
        pb::CreateFormulaRequest {
            document: Some(share_by("f", "settled_new")),
            ..Default::default()
        },
        request_id
    );
    spoil_document!(
        |d, s| d.id = s,
        |d, s| d.title_zh = s,
        |d, s| d.title_en = s,
        |d, s| d.legal_basis.as_mut().unwrap().document = s,
        |d, s| d.legal_basis.as_mut().unwrap().clause = s,
        |d, s| d.legal_basis.as_mut().unwrap().illustrative = s,
        |d, s| d.rounding.get_or_insert_default().unit = s,
        |d, s| d.rounding.get_or_insert_default().method = s,
        |d, s| d.rounding.get_or_insert_default().tail = s,
        |d, s| d.parameters[0].name = s,
        |d, s| d.parameters[0].value = s,
        |d, s| d.parameters[0].unit = s,
        |d, s| d.parameters[0].note = s,
        |d, s| d.set_asides[0].id = s,
        |d, s| d.set_asides[0].name_zh = s,
        |d, s| d.set_asides[0].name_en = s,
        |d, s| d.set_asides[0].percent = s,
        |d, s| d.set_asides[0].amount = s,
        |d, s| d.components[0].id = s,
        |d, s| d.components[0].name_zh = s,
        |d, s| d.components[0].name_en = s,
        |d, s| d.components[0].percent = s,
        |d, s| d.components[0].amount = s,
        |d, s| d.components[0].mode = s,
        |d, s| d.components[0].score = s,
        |d, s| d.components[0].rate = s,
        |d, s| d.components[0].remainder = s,
        |d, s| d.adjustments[0].id = s,
        |d, s| d.adjustments[0].name_zh = s,
        |d, s| d.adjustments[0].factor = s,
        |d, s| d.adjustments[0].components = vec![s],
        |d, s| d.bounds[0].kind = s,
        |d, s| d.bounds[0].basis = s,
        |d, s| d.bounds[0].amount = s,
        |d, s| d.bounds[0].percent = s,
        |d, s| d.bounds[0].indicator = s,
        |d, s| d.bounds[0].regions = vec![s],
    );
    let inline = || pb::ComputeAllocationRequest {
        data_set: String::new(),
        regions: vec![region("A")],
        indicators: vec![crate::harness::indicator("settled_new", "person")],
        observations: vec![row(2, "A", "settled_new", "1")],
        document: Some(share_by("f", "settled_new")),
        ..compute()
    };
    spoil!(
        allocations.compute_allocation,
        compute(),
        formula,
        data_set,
        pool,
        scope,
        advance_percent
    );
    spoil_in!(
        allocations.compute_allocation,
        inline(),
        regions,
        name,
        display_name_zh,
        display_name_en,
        parent,
        note
    );
    spoil_in!(
        allocations.compute_allocation,
        inline(),
        observations,
        region,
        indicator,
        year,
        value,
        unit,
        source
    );
    let explained = pb::ComputeAllocationRequest {
        explain: vec![s()],
        ..compute()
    };
    let answer = client.allocations.compute_allocation(explained).await.map(drop);
    answers.push(("compute_allocation explain".to_owned(), answer));
    spoil!(
        allocations.create_allocation,
        xuchang_request("f"),
        fund,
        title,
        formula,
        data_set,
        pool,
        scope,
        advance_percent,
        settles,
        request_id
    );
    let advance = || pb::CreateAllocationRequest {
        stage: pb::AllocationStage::Advance.into(),
        ..xuchang_request("f")
    };
    spoil!(allocations.create_allocation, advance(), advance_percent, settles);
    let settlement = || pb::CreateAllocationRequest {
        stage: pb::AllocationStage::Settlement.into(),
        ..xuchang_request("f")
    };
    spoil!(allocations.create_allocation, settlement(), settles);
    spoil!(
        allocations.get_allocation,
        pb::GetAllocationRequest::default(),
        name
    );
    spoil!(
        allocations.list_allocations,
        pb::ListAllocationsRequest::default(),
        fund,
        page_token
    );
    spoil!(
        allocations.compare_allocations,
        pb::CompareAllocationsRequest {
            before: run(),
            after: run()
        },
        before,
        after
    );
    spoil!(
        allocations.explain_allocation,
        pb::ExplainAllocationRequest {
            name: run(),
            ..Default::default()
        },
        name,
        region,
        page_token
    );
    let draft = client.create(xuchang_request("f")).await.unwrap().name;
    spoil!(
        ledger.receive_funds,
        pb::ReceiveFundsRequest {
            fund: "funds/f".to_owned(),
            amount: "1.00".to_owned(),
            document: "d".to_owned(),
            ..Default::default()
        },
        fund,
        amount,
        document,
        request_id
    );
    spoil!(
        ledger.contribute_funds,
        pb::ContributeFundsRequest {
            fund: "funds/f".to_owned(),
            region: "regions/411081".to_owned(),
            amount: "1.00".to_owned(),
            document: "d".to_owned(),
            ..Default::default()
        },
        fund,
        region,
        amount,
        document,
        request_id
    );
    spoil!(
        ledger.assign_quota,
        pb::AssignQuotaRequest {
            fund: "funds/f".to_owned(),
            lines: vec![crate::ledger::own("411081", "p", "0.01")],
            ..Default::default()
        },
        fund,
        note,
        request_id
    );
    let quota = |line: pb::QuotaLine| pb::UnassignQuotaRequest {
        fund: "funds/f".to_owned(),
        lines: vec![line],
        ..Default::default()
    };
    let line = || crate::ledger::own("411081", "p", "0.01");
    for line in [
        pb::QuotaLine {
            region: text.to_owned(),
            ..line()
        },
        pb::QuotaLine {
            programme: text.to_owned(),
            ..line()
        },
        pb::QuotaLine {
            amount: text.to_owned(),
            ..line()
        },
    ] {
        let place = format!("unassign_quota {line:?}");
        answers.push((place, client.ledger.unassign_quota(quota(line)).await.map(drop)));
    }
    spoil!(
        ledger.reverse_entry,
        pb::ReverseEntryRequest {
            name: "funds/f/entries/1".to_owned(),
            note: "n".to_owned(),
            validate_only: true,
            ..Default::default()
        },
        name,
        note,
        request_id
    );
    spoil!(
        ledger.list_balances,
        pb::ListBalancesRequest {
            fund: "funds/f".to_owned(),
            ..Default::default()
        },
        fund,
        as_of_time,
        region,
        programme,
        page_token
    );
    spoil!(
        ledger.list_entries,
        pb::ListEntriesRequest {
            fund: "funds/f".to_owned(),
            ..Default::default()
        },
        fund,
        subject,
        from_time,
        until_time,
        page_token
    );
    spoil!(ledger.get_fund_status, pb::GetFundStatusRequest::default(), name);
    spoil!(ledger.verify_ledger, pb::VerifyLedgerRequest::default(), fund);
    spoil!(ledger.export_journal, pb::ExportJournalRequest::default(), fund);
    spoil!(ledger.watch_changes, pb::WatchChangesRequest::default(), fund);
    spoil!(
        allocations.approve_allocation,
        pb::ApproveAllocationRequest {
            name: draft.clone(),
            ..Default::default()
        },
        name,
        etag,
        request_id
    );
    spoil!(
        allocations.issue_allocation,
        pb::IssueAllocationRequest {
            name: draft.clone(),
            ..Default::default()
        },
        name,
        etag,
        request_id
    );
    spoil!(
        allocations.supersede_allocation,
        pb::SupersedeAllocationRequest {
            name: draft.clone(),
            ..Default::default()
        },
        name,
        replacement,
        etag,
        request_id
    );
    answers
}

fn compute() -> pb::ComputeAllocationRequest {
    pb::ComputeAllocationRequest {
        formula: "formulas/xuchang-settled-resident".to_owned(),
        data_set: "dataSets/xuchang".to_owned(),
        pool: "100.00".to_owned(),
        year: 2024,
        ..Default::default()
    }
}

fn rich() -> pb::FormulaDocument {
    let mut document = share_by("hostile", "settled_new");
    document.parameters.push(pb::Parameter {
        name: "p".to_owned(),
        value: "1".to_owned(),
        ..Default::default()
    });
    document.set_asides.push(pb::SetAside {
        id: "s".to_owned(),
        percent: "1".to_owned(),
        ..Default::default()
    });
    document.adjustments.push(pb::Adjustment {
        id: "a".to_owned(),
        factor: "1".to_owned(),
        ..Default::default()
    });
    document.bounds.push(pb::Bound {
        kind: "floor".to_owned(),
        basis: "absolute".to_owned(),
        amount: "0".to_owned(),
        ..Default::default()
    });
    document
}

async fn hostile_strings_never_break_anything(world: World) {
    let server = world.serve().await;
    let mut client = server.client("'; DROP TABLE request; -- 😀").await;
    import_xuchang(&mut client).await;
    client.receive("f", "1000.00").await.unwrap();
    client.contribute("f", "411081", "1000.00").await.unwrap();
    client
        .assign("f", vec![crate::ledger::own("411081", "p", "100.00")])
        .await
        .unwrap();
    for text in HOSTILE {
        for (place, answer) in everywhere(&mut client, text).await {
            let Err(status) = answer else { continue };
            let refusal = refusal(&status);
            let expected = [
                Code::InvalidArgument,
                Code::NotFound,
                Code::AlreadyExists,
                Code::Aborted,
                Code::FailedPrecondition,
                Code::PermissionDenied,
            ];
            assert!(expected.contains(&refusal.code), "{place} {text:?}: {status:?}");
            assert_ne!(refusal.reason, "CONFLICT", "{place} {text:?}");
        }
    }
    // What was stored comes back as it was sent.
    let titled = pb::CreateAllocationRequest {
        title: HOSTILE[0].to_owned(),
        ..xuchang_request("f")
    };
    let run = client.create(titled).await.unwrap();
    assert_eq!(client.get(&run.name).await.title, HOSTILE[0]);
    assert_eq!(run.created.unwrap().principal, "'; DROP TABLE request; -- 😀");
    assert_eq!(client.data_set("xuchang").await.name, "dataSets/xuchang");
    server.stop().await;
}

async fn long_strings_get_a_short_answer(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    for text in ["😀".repeat(20_000), "x".repeat(100_000), "很长".repeat(30_000)] {
        for (place, answer) in everywhere(&mut client, &text).await {
            let Err(status) = answer else { continue };
            // What does not fit HTTP/2 headers would not arrive as our error at all.
            let refusal = refusal(&status);
            assert!(refusal.en.len() < 5_000 && refusal.zh.len() < 5_000, "{place}");
        }
        let mut document = rich();
        document.components[0].id = text.clone();
        document.adjustments[0].components = vec!["z".to_owned()];
        refused(client.create_formula(document).await);
        let mut document = rich();
        document.parameters[0].name = text.clone();
        document.components[0].score = "$unknown".to_owned();
        refused(client.create_formula(document).await);
    }
    server.stop().await;
}

async fn forged_page_tokens_are_refused(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    client.create_data_set("zzz").await.unwrap();
    client
        .import("xuchang", vec![row(2, "411081", "settled_new", "1")])
        .await
        .unwrap();
    for _ in 0..2 {
        client.create(xuchang_request("f")).await.unwrap();
    }
    client
        .create_formula(share_by("xuchang-settled-resident", "settled_new"))
        .await
        .unwrap();
    // A real token of each list, with the part after its query exchanged.
    let forge = |token: &str, key: &str| {
        let text = String::from_utf8(hex::decode(token).unwrap()).unwrap();
        let (query, _) = text.split_once(' ').unwrap();
        hex::encode(format!("{query} {key}"))
    };
    macro_rules! forged {
        ($service:ident.$method:ident, $first:expr) => {{
            let first = || $first;
            let mut request = first();
            request.page_size = 1;
            let token = inner(client.$service.$method(request.clone()).await).next_page_token;
            assert!(!token.is_empty(), stringify!($method));
            for key in [
                "",
                "\0",
                "'",
                "1 2 3 4",
                "-1",
                "99999999999999999999",
                "a\0b",
                "1 411081 settled_new x",
            ] {
                request.page_token = forge(&token, key);
                if let Err(status) = client.$service.$method(request.clone()).await {
                    refused(Err::<(), _>(status)).names("page_token");
                }
            }
        }};
    }
    for fund in ["f", "g"] {
        client.receive(fund, "1.00").await.unwrap();
        client.receive(fund, "1.00").await.unwrap();
    }
    forged!(ledger.list_funds, pb::ListFundsRequest::default());
    let fund = || "funds/f".to_owned();
    forged!(
        ledger.list_balances,
        pb::ListBalancesRequest {
            fund: fund(),
            ..Default::default()
        }
    );
    forged!(
        ledger.list_entries,
        pb::ListEntriesRequest {
            fund: fund(),
            ..Default::default()
        }
    );
    forged!(statistics.list_regions, pb::ListRegionsRequest::default());
    forged!(statistics.list_indicators, pb::ListIndicatorsRequest::default());
    forged!(statistics.list_data_sets, pb::ListDataSetsRequest::default());
    let parent = || "dataSets/xuchang".to_owned();
    forged!(
        statistics.list_data_set_revisions,
        pb::ListDataSetRevisionsRequest {
            parent: parent(),
            ..Default::default()
        }
    );
    forged!(
        statistics.list_observations,
        pb::ListObservationsRequest {
            parent: parent(),
            ..Default::default()
        }
    );
    forged!(formulas.list_formulas, pb::ListFormulasRequest::default());
    forged!(
        formulas.list_formula_revisions,
        pb::ListFormulaRevisionsRequest {
            parent: "formulas/xuchang-settled-resident".to_owned(),
            ..Default::default()
        }
    );
    forged!(
        allocations.list_allocations,
        pb::ListAllocationsRequest::default()
    );
    server.stop().await;
}

async fn enums_out_of_range_are_refused(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let kind = pb::Region {
        kind: 99,
        ..region("A")
    };
    refused(client.import_regions(vec![kind]).await).names("regions[0].kind");
    let unspecified = pb::Region {
        kind: 0,
        ..region("A")
    };
    refused(client.import_regions(vec![unspecified]).await).names("regions[0].kind");
    let stage = pb::CreateAllocationRequest {
        stage: 99,
        ..xuchang_request("f")
    };
    refused(client.create(stage).await).names("stage");
    for year in [-2024, 0, 1899, 2201, i32::MAX, i32::MIN] {
        let request = pb::CreateAllocationRequest {
            year,
            ..xuchang_request("f")
        };
        refused(client.create(request).await).names("year");
    }
    let balances = pb::ListBalancesRequest {
        fund: "funds/f".to_owned(),
        payer: 9,
        ..Default::default()
    };
    refused(client.ledger.list_balances(balances.clone()).await).names("payer");
    let balances = pb::ListBalancesRequest {
        payer: 0,
        bucket: -1,
        ..balances
    };
    refused(client.ledger.list_balances(balances).await).names("bucket");
    let entries = pb::ListEntriesRequest {
        fund: "funds/f".to_owned(),
        event: 99,
        ..Default::default()
    };
    refused(client.ledger.list_entries(entries).await).names("event");
    server.stop().await;
}

async fn a_method_that_is_not_there_is_refused_with_details(world: World) {
    let server = world.serve().await;
    let channel = crate::harness::channel(server.address).await;
    for (path, reason) in [
        ("/incentivefund.v1.AllocationService/PayMeTwice", "NO_SUCH_METHOD"),
        (
            "/incentivefund.v2.AllocationService/GetAllocation",
            "NO_SUCH_METHOD",
        ),
    ] {
        let mut client = tonic::client::Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<pb::GetAllocationRequest, pb::GetAllocationResponse>::default();
        let request = Request::new(pb::GetAllocationRequest::default());
        let path = path.parse().unwrap();
        let refusal = refused(client.unary(request, path, codec).await);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::Unimplemented, reason)
        );
    }
    server.stop().await;
}
