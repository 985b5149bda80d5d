//! Allocation runs: from statistics and a formula to issued money, and back to why.

use crate::harness::{
    Client, World, fen, id, import_xuchang, indicator, indicators_of, inner, refused, region, regions_of,
    row, rows_of, share_by, shipped_formula, stories, xuchang_request,
};
use incentive_fund::grpc::pb;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use std::collections::BTreeMap;
use tonic::Code;

stories!(
    xuchang_from_draft_to_issue,
    amounts_are_those_worked_out_independently,
    a_second_issue_is_refused_until_the_first_is_replaced,
    what_a_state_does_not_allow_is_refused_and_changes_nothing,
    an_old_etag_is_refused,
    validating_changes_no_state,
    runs_are_compared_line_by_line,
    every_amount_is_explained_exactly,
    an_explanation_outlives_corrections,
    bounds_are_kept_and_explained,
    an_advance_is_settled_on_final_statistics,
    a_settlement_needs_an_issued_advance_of_its_fund,
    a_settlement_of_a_replaced_advance_is_not_issued,
    an_advance_that_is_settled_stays,
    a_region_that_dropped_out_pays_its_advance_back,
    a_computation_equals_the_stored_run_and_stores_nothing,
    a_computation_names_its_inputs_once,
    next_to_nothing_is_a_component_too,
    cdbg_worked_by_hand,
    runs_are_listed_newest_first,
    an_old_data_set_revision_can_be_used,
);

type State = pb::AllocationState;

async fn xuchang(client: &mut Client, fund: &str) -> pb::Allocation {
    client.create(xuchang_request(fund)).await.unwrap()
}

fn exact(text: &str) -> BigRational {
    if let Some((numerator, denominator)) = text.split_once('/') {
        return BigRational::new(numerator.parse().unwrap(), denominator.parse().unwrap());
    }
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits: BigInt = format!("{whole}{decimals}").parse().unwrap();
    BigRational::new(
        digits,
        BigInt::from(10).pow(u32::try_from(decimals.len()).unwrap()),
    )
}

fn sum(amounts: impl Iterator<Item = String>) -> i128 {
    amounts.map(|amount| fen(&amount)).sum()
}

/// What must hold of every allocation, whatever it is.
#[track_caller]
fn adds_up(run: &pb::Allocation) {
    let lines = || run.lines.iter();
    let total = fen(&run.total);
    assert_eq!(sum(lines().map(|line| line.amount.clone())), total);
    assert_eq!(
        sum(lines().map(|line| line.payable.clone())),
        fen(&run.payable_total)
    );
    assert_eq!(total + fen(&run.kept), fen(&run.distributable));
    let set_asides = sum(run.set_asides.iter().map(|named| named.amount.clone()));
    assert_eq!(
        fen(&run.allocated_now),
        set_asides + fen(&run.tail) + fen(&run.distributable)
    );
    for line in lines() {
        assert_eq!(fen(&line.payable), fen(&line.amount) - fen(&line.advanced));
        assert_eq!(
            sum(line.components.iter().cloned()) + fen(&line.bounds_adjustment),
            fen(&line.amount),
            "{line:?}"
        );
    }
    for (at, component) in run.components.iter().enumerate() {
        let column = sum(lines().map(|line| line.components[at].clone()));
        assert_eq!(column, fen(&component.amount));
    }
    assert!(lines().is_sorted_by(|a, b| a.region < b.region));
}

async fn xuchang_from_draft_to_issue(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人 李").await;
    import_xuchang(&mut maker).await;
    maker.receive("citizenization-2025", "80000000.00").await.unwrap();
    let draft = xuchang(&mut maker, "citizenization-2025").await;
    adds_up(&draft);
    assert_eq!(draft.state(), State::Draft);
    assert_eq!(draft.stage(), pb::AllocationStage::Full);
    assert_eq!(draft.fund, "funds/citizenization-2025");
    assert_eq!(draft.formula, "formulas/xuchang-settled-resident/revisions/1");
    assert_eq!(draft.data_set, "dataSets/xuchang/revisions/1");
    assert_eq!(draft.total, "80000000.00");
    assert_eq!(draft.lines.len(), 9);
    assert!(draft.illustrative.contains("60 %"));
    assert_eq!(draft.created.as_ref().unwrap().principal, "编制人 李");
    assert_eq!(draft.approved, None);
    assert_eq!(maker.get(&draft.name).await, draft);

    let own = refused(maker.approve(&draft.name).await);
    assert_eq!(
        (own.code, own.reason.as_str()),
        (Code::PermissionDenied, "APPROVER_IS_CREATOR")
    );
    assert!(own.en.contains("编制人 李") && own.zh.contains("须由他人批准"));
    assert_eq!(maker.get(&draft.name).await, draft);

    let mut checker = server.client("审核人 王").await;
    let approved = checker.approve(&draft.name).await.unwrap();
    assert_eq!(approved.state(), State::Approved);
    assert_eq!(approved.approved.as_ref().unwrap().principal, "审核人 王");
    assert_ne!(approved.etag, draft.etag);
    assert_eq!(
        (&approved.lines, &approved.created),
        (&draft.lines, &draft.created)
    );
    let issued = maker.issue(&draft.name).await.unwrap();
    assert_eq!(issued.state(), State::Issued);
    assert_eq!(issued.issued.as_ref().unwrap().principal, "编制人 李");
    assert_eq!(issued.approved, approved.approved);
    assert_eq!(issued.input_digest, draft.input_digest);
    assert_eq!(maker.get(&draft.name).await, issued);

    // The run is there for a server that starts later.
    server.stop().await;
    let server = world.serve().await;
    let mut auditor = server.client("审计").await;
    assert_eq!(auditor.get(&draft.name).await, issued);
    let unknown = pb::GetAllocationRequest {
        name: format!("allocations/{}", id()),
    };
    let unknown = refused(auditor.allocations.get_allocation(unknown).await);
    assert_eq!(unknown.code, Code::NotFound);
    server.stop().await;
}

/// Largest remainders, the plain way: whole fen first, then one each to the largest remainders.
fn largest_remainders(quotas: &BTreeMap<String, BigRational>, total: i128) -> BTreeMap<String, i128> {
    let floor = |quota: &BigRational| i128::try_from(quota.floor().to_integer()).unwrap();
    let mut amounts: BTreeMap<String, i128> = quotas
        .iter()
        .map(|(code, quota)| (code.clone(), floor(quota)))
        .collect();
    let mut order: Vec<&String> = quotas.keys().collect();
    order.sort_by_key(|code| {
        let quota = &quotas[*code];
        (quota.floor() - quota, -quota.clone(), (*code).clone())
    });
    let missing = total - amounts.values().sum::<i128>();
    for code in order.into_iter().take(usize::try_from(missing).unwrap()) {
        *amounts.get_mut(code).unwrap() += 1;
    }
    amounts
}

async fn amounts_are_those_worked_out_independently(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let rows = rows_of("examples/xuchang/observations.csv");
    let values = |indicator: &str| -> BTreeMap<String, BigRational> {
        rows.iter()
            .filter(|row| row.indicator == indicator && row.year == "2024")
            .map(|row| (row.region.clone(), exact(&row.value)))
            .collect()
    };
    let (settled, resident) = (values("settled_new"), values("residence_permits"));
    let all = |values: &BTreeMap<String, BigRational>| values.values().sum::<BigRational>();
    for pool in [
        "80000000.00",
        "0.01",
        "0.07",
        "99999999.99",
        "1000000000000000.00",
        "0.00",
    ] {
        let pool_fen = BigRational::from(BigInt::from(fen(pool)));
        let quotas: BTreeMap<String, BigRational> = settled
            .iter()
            .map(|(code, settled_here)| {
                let by_settled = exact("0.6") * settled_here / all(&settled);
                let by_resident = exact("0.4") * &resident[code] / all(&resident);
                (code.clone(), &pool_fen * (by_settled + by_resident))
            })
            .collect();
        let expected = largest_remainders(&quotas, fen(pool));
        let request = pb::CreateAllocationRequest {
            pool: pool.to_owned(),
            ..xuchang_request("f")
        };
        let run = client.create(request).await.unwrap();
        adds_up(&run);
        let amounts: BTreeMap<String, i128> = run
            .lines
            .iter()
            .map(|line| (line.region.replace("regions/", ""), fen(&line.amount)))
            .collect();
        assert_eq!(amounts, expected, "pool {pool}");
    }
    server.stop().await;
}

async fn a_second_issue_is_refused_until_the_first_is_replaced(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;
    maker.receive("f", "90000000.00").await.unwrap();
    maker.receive("g", "80000000.00").await.unwrap();
    let first = xuchang(&mut maker, "f").await;
    let bigger = pb::CreateAllocationRequest {
        pool: "90000000.00".to_owned(),
        ..xuchang_request("f")
    };
    let second = maker.create(bigger).await.unwrap();
    for run in [&first, &second] {
        checker.approve(&run.name).await.unwrap();
    }
    maker.issue(&first.name).await.unwrap();
    let refusal = refused(maker.issue(&second.name).await);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::FailedPrecondition, "ANOTHER_ALLOCATION_ISSUED")
    );
    assert!(
        refusal.en.contains(&first.name) && refusal.en.contains("issued"),
        "{}",
        refusal.en
    );
    assert!(
        refusal.zh.contains(&first.name) && refusal.zh.contains("已下达"),
        "{}",
        refusal.zh
    );
    // Another fund has its own.
    let elsewhere = xuchang(&mut maker, "g").await;
    checker.approve(&elsewhere.name).await.unwrap();
    maker.issue(&elsewhere.name).await.unwrap();

    let replaced = checker.supersede(&first.name, &second.name).await.unwrap();
    assert_eq!(replaced.state(), State::Superseded);
    assert_eq!(replaced.replacement, second.name);
    assert_eq!(replaced.superseded.as_ref().unwrap().principal, "审核人");
    assert_eq!(replaced.lines, first.lines);
    let now = maker.get(&second.name).await;
    assert_eq!(now.state(), State::Issued);
    assert_eq!(now.issued.as_ref().unwrap().principal, "审核人");
    assert_eq!(maker.get(&first.name).await, replaced);
    server.stop().await;
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Approve,
    Issue,
    Supersede,
}

async fn what_a_state_does_not_allow_is_refused_and_changes_nothing(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;
    maker.receive("f", "80000000.00").await.unwrap();
    let draft = xuchang(&mut maker, "f").await.name;
    let approved = xuchang(&mut maker, "f").await.name;
    let issued = xuchang(&mut maker, "f").await.name;
    let superseded = xuchang(&mut maker, "f").await.name;
    checker.approve(&approved).await.unwrap();
    checker.approve(&issued).await.unwrap();
    maker.issue(&issued).await.unwrap();
    maker.supersede(&superseded, "").await.unwrap();
    let mut before = Vec::new();
    for name in [&draft, &approved, &issued, &superseded] {
        before.push(maker.get(name).await);
    }
    for (name, state, state_zh, action) in [
        (&approved, "approved", "已批准", Action::Approve),
        (&issued, "issued", "已下达", Action::Approve),
        (&superseded, "superseded", "已废止", Action::Approve),
        (&draft, "draft", "草案", Action::Issue),
        (&issued, "issued", "已下达", Action::Issue),
        (&superseded, "superseded", "已废止", Action::Issue),
        (&superseded, "superseded", "已废止", Action::Supersede),
    ] {
        let answer = match action {
            Action::Approve => checker.approve(name).await,
            Action::Issue => checker.issue(name).await,
            Action::Supersede => checker.supersede(name, "").await,
        };
        let refusal = refused(answer);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::FailedPrecondition, "ALLOCATION_STATE"),
            "{action:?} {state}"
        );
        assert!(
            refusal.en.contains(&format!("{name} is {state} and cannot be")),
            "{}",
            refusal.en
        );
        assert!(
            refusal.zh.contains(&format!("{name} 当前为“{state_zh}”")),
            "{}",
            refusal.zh
        );
    }
    // Money that is issued is replaced, not withdrawn, and only by an approved run of the same kind.
    refused(checker.supersede(&issued, "").await).names("replacement");
    refused(checker.supersede(&issued, &issued).await).names("replacement");
    let by_draft = refused(checker.supersede(&issued, &draft).await);
    assert_eq!(by_draft.code, Code::FailedPrecondition);
    assert!(
        by_draft
            .en
            .contains(&format!("{draft} is draft and cannot be issued"))
    );
    let other_fund = xuchang(&mut maker, "g").await.name;
    checker.approve(&other_fund).await.unwrap();
    refused(checker.supersede(&issued, &other_fund).await).names("replacement");
    let nobody = format!("allocations/{}", id());
    assert_eq!(
        refused(checker.supersede(&issued, &nobody).await).code,
        Code::NotFound
    );
    for (name, run) in [&draft, &approved, &issued, &superseded].iter().zip(&before) {
        assert_eq!(maker.get(name).await, *run);
    }
    assert_eq!(maker.get(&other_fund).await.state(), State::Approved);
    server.stop().await;
}

async fn an_old_etag_is_refused(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;
    maker.receive("f", "80000000.00").await.unwrap();
    let draft = xuchang(&mut maker, "f").await;
    let approve = |etag: &str| pb::ApproveAllocationRequest {
        name: draft.name.clone(),
        etag: etag.to_owned(),
        request_id: id(),
        validate_only: false,
    };
    let wrong = refused(
        checker
            .allocations
            .approve_allocation(approve("0123456789ab"))
            .await,
    );
    assert_eq!(
        (wrong.code, wrong.reason.as_str()),
        (Code::Aborted, "ETAG_MISMATCH")
    );
    assert_eq!(wrong.metadata["current_etag"], draft.etag);
    let approved = inner(checker.allocations.approve_allocation(approve(&draft.etag)).await);
    let approved = approved.allocation.unwrap();
    let issue = |etag: &str| pb::IssueAllocationRequest {
        name: draft.name.clone(),
        etag: etag.to_owned(),
        request_id: id(),
        validate_only: false,
    };
    assert_eq!(
        refused(checker.allocations.issue_allocation(issue(&draft.etag)).await).reason,
        "ETAG_MISMATCH"
    );
    let supersede = pb::SupersedeAllocationRequest {
        name: draft.name.clone(),
        etag: draft.etag.clone(),
        request_id: id(),
        ..Default::default()
    };
    assert_eq!(
        refused(checker.allocations.supersede_allocation(supersede).await).reason,
        "ETAG_MISMATCH"
    );
    assert_eq!(maker.get(&draft.name).await, approved);
    inner(checker.allocations.issue_allocation(issue(&approved.etag)).await);
    server.stop().await;
}

async fn validating_changes_no_state(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;
    maker.receive("f", "80000000.00").await.unwrap();
    let only = pb::CreateAllocationRequest {
        validate_only: true,
        ..xuchang_request("f")
    };
    let would = maker.create(only).await.unwrap();
    adds_up(&would);
    let all = pb::ListAllocationsRequest::default();
    assert!(
        inner(maker.allocations.list_allocations(all).await)
            .allocations
            .is_empty()
    );
    let draft = xuchang(&mut maker, "f").await;
    assert_eq!(
        (&draft.lines, &draft.input_digest),
        (&would.lines, &would.input_digest)
    );
    let approve = |request_id: String| pb::ApproveAllocationRequest {
        name: draft.name.clone(),
        request_id,
        validate_only: true,
        ..Default::default()
    };
    let would = inner(checker.allocations.approve_allocation(approve(id())).await);
    assert_eq!(would.allocation.unwrap().state(), State::Approved);
    let own = refused(maker.allocations.approve_allocation(approve(id())).await);
    assert_eq!(own.reason, "APPROVER_IS_CREATOR");
    let supersede = pb::SupersedeAllocationRequest {
        name: draft.name.clone(),
        validate_only: true,
        ..Default::default()
    };
    inner(maker.allocations.supersede_allocation(supersede).await);
    assert_eq!(maker.get(&draft.name).await, draft);
    let approved = checker.approve(&draft.name).await.unwrap();
    let issue = pb::IssueAllocationRequest {
        name: draft.name.clone(),
        validate_only: true,
        ..Default::default()
    };
    inner(maker.allocations.issue_allocation(issue).await);
    assert_eq!(maker.get(&draft.name).await, approved);
    server.stop().await;
}

async fn runs_are_compared_line_by_line(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let before = xuchang(&mut client, "f").await;
    let correction = vec![row(2, "411081", "settled_new", "7000")];
    client.import("xuchang", correction).await.unwrap();
    let request = pb::CreateAllocationRequest {
        pool: "90000000.00".to_owned(),
        ..xuchang_request("g")
    };
    let after = client.create(request).await.unwrap();
    let request = pb::CompareAllocationsRequest {
        before: before.name.clone(),
        after: after.name.clone(),
    };
    let compared = inner(client.allocations.compare_allocations(request).await);
    let changed: Vec<&str> = (compared.inputs.iter())
        .map(|input| input.split(": ").next().unwrap())
        .collect();
    assert_eq!(changed, ["fund", "pool", "data_set"]);
    assert_eq!(compared.inputs[1], "pool: 80000000.00 -> 90000000.00");
    assert!(compared.inputs[2].contains("revisions/1 ") && compared.inputs[2].contains("revisions/2 "));
    assert_eq!(compared.differences.len(), 9);
    for ((difference, old), new) in compared.differences.iter().zip(&before.lines).zip(&after.lines) {
        assert_eq!(difference.region, old.region);
        assert_eq!(
            (&difference.before, &difference.after),
            (&old.amount, &new.amount)
        );
        assert_eq!(fen(&difference.change), fen(&new.amount) - fen(&old.amount));
        let percent = exact(&difference.change) * exact("100") / exact(&old.amount);
        let off = (percent - exact(&difference.change_percent)).abs();
        assert!(off <= exact("0.005"), "{difference:?}");
    }
    assert_eq!(
        (
            compared.total_before.as_str(),
            compared.total_after.as_str(),
            compared.total_change.as_str()
        ),
        ("80000000.00", "90000000.00", "10000000.00")
    );
    // A run compared with itself differs in nothing.
    let same = pb::CompareAllocationsRequest {
        before: before.name.clone(),
        after: before.name,
    };
    let same = inner(client.allocations.compare_allocations(same).await);
    assert!(same.inputs.is_empty());
    assert!(
        same.differences
            .iter()
            .all(|d| d.change == "0.00" && d.change_percent == "0.00")
    );
    server.stop().await;
}

/// What must hold of the explanations of all regions of a run whose amounts no bound touched.
#[track_caller]
fn explains(run: &pb::Allocation, explanations: &[pb::Explanation]) {
    assert_eq!(explanations.len(), run.lines.len());
    let quotas: BigRational = explanations.iter().map(|e| exact(&e.quota)).sum();
    assert_eq!(quotas, exact(&run.total));
    for (line, explanation) in run.lines.iter().zip(explanations) {
        assert_eq!(
            (&explanation.region, &explanation.amount),
            (&line.region, &line.amount)
        );
        assert_eq!(explanation.residual_units, line.residual_units);
        let off = exact(&explanation.quota) - exact(&explanation.amount);
        assert!(off.abs() < exact("0.01"), "{explanation:?}");
        let parts: BigRational = explanation.components.iter().map(|c| exact(&c.amount)).sum();
        assert_eq!(parts, exact(&explanation.unbounded));
        for component in &explanation.components {
            assert_eq!(
                exact(&component.share),
                exact(&component.adjusted_score) / exact(&component.score_sum)
            );
            assert_eq!(
                exact(&component.amount),
                exact(&component.share) * exact(&component.pool)
            );
        }
        let sentence = explanation.sentence.as_ref().unwrap();
        for text in [&sentence.zh, &sentence.en] {
            assert!(text.replace(',', "").contains(&explanation.amount), "{text}");
        }
        assert!(sentence.zh.contains(&explanation.region_name), "{}", sentence.zh);
    }
    let components = explanations[0].components.len();
    for at in 0..components {
        let shares: BigRational = explanations.iter().map(|e| exact(&e.components[at].share)).sum();
        assert!(shares.is_one());
    }
}

async fn every_amount_is_explained_exactly(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let run = xuchang(&mut client, "f").await;
    let explanations = client.explain(&run.name).await;
    explains(&run, &explanations);
    let yuzhou = explanations
        .iter()
        .find(|e| e.region == "regions/411081")
        .unwrap();
    assert_eq!(yuzhou.region_name, "禹州市");
    let inputs: Vec<(&str, i32, &str, &str, u32)> = yuzhou
        .inputs
        .iter()
        .map(|i| {
            (
                i.indicator.as_str(),
                i.year,
                i.value.as_str(),
                i.source.as_str(),
                i.revision,
            )
        })
        .collect();
    assert_eq!(
        inputs,
        [
            (
                "indicators/residence_permits",
                2024,
                "21450",
                "示例数据 illustrative",
                1
            ),
            ("indicators/settled_new", 2024, "6120", "示例数据 illustrative", 1),
        ]
    );
    // 6,120 of 27,210 settled migrants is 204/907; 60 % of the pool is 48 million.
    assert_eq!(yuzhou.components[0].share, "204/907");
    assert_eq!(yuzhou.components[0].score_sum, "27210");
    assert_eq!(yuzhou.components[0].pool, "48000000");
    let sentence = yuzhou.sentence.as_ref().unwrap();
    assert!(
        sentence.zh.contains("6120") && sentence.zh.contains("27210"),
        "{}",
        sentence.zh
    );
    assert!(
        sentence.en.contains("6120") && sentence.en.contains("27210"),
        "{}",
        sentence.en
    );

    let one = pb::ExplainAllocationRequest {
        name: run.name.clone(),
        region: "regions/411081".to_owned(),
        ..Default::default()
    };
    let one = inner(client.allocations.explain_allocation(one).await);
    assert_eq!(one.explanations.iter().collect::<Vec<_>>(), [yuzhou]);
    let stranger = pb::ExplainAllocationRequest {
        name: run.name.clone(),
        region: "regions/410000".to_owned(),
        ..Default::default()
    };
    let stranger = refused(client.allocations.explain_allocation(stranger).await);
    assert_eq!(stranger.code, Code::NotFound);
    let mut pages = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ExplainAllocationRequest {
            name: run.name.clone(),
            region: String::new(),
            page_size: 4,
            page_token,
        };
        let page = inner(client.allocations.explain_allocation(request).await);
        pages.push(page.explanations);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 1]);
    assert_eq!(pages.concat(), explanations);
    server.stop().await;
}

async fn an_explanation_outlives_corrections(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let run = xuchang(&mut client, "f").await;
    let explanations = client.explain(&run.name).await;
    // Figures are corrected, a region is new, the formula is changed, an indicator is narrowed.
    client
        .import_regions(vec![crate::harness::part_of("411000", "4110-NEW")])
        .await
        .unwrap();
    let corrections = vec![
        row(2, "411081", "settled_new", "1"),
        row(3, "411082", "residence_permits", "2"),
        row(4, "4110-NEW", "settled_new", "3"),
        row(5, "4110-NEW", "residence_permits", "3"),
    ];
    client.import("xuchang", corrections).await.unwrap();
    let mut changed = shipped_formula("xuchang-settled-resident");
    changed.components[0].percent = "50".to_owned();
    changed.components[1].percent = "50".to_owned();
    client.create_formula(changed).await.unwrap();
    let narrowed = pb::Indicator {
        maximum: "100".to_owned(),
        decimals: 0,
        ..indicator("settled_new", "person")
    };
    client.import_indicators(vec![narrowed]).await.unwrap();

    let later = client.explain(&run.name).await;
    explains(&run, &later);
    let amounts = |explanations: &[pb::Explanation]| -> Vec<(String, String, Vec<pb::ExplanationInput>)> {
        let unnamed = |input: &pb::ExplanationInput| pb::ExplanationInput {
            indicator_name: None,
            ..input.clone()
        };
        explanations
            .iter()
            .map(|e| {
                (
                    e.quota.clone(),
                    e.amount.clone(),
                    e.inputs.iter().map(unnamed).collect(),
                )
            })
            .collect()
    };
    assert_eq!(amounts(&later), amounts(&explanations));
    let now = xuchang(&mut client, "f").await;
    assert_eq!(now.formula, "formulas/xuchang-settled-resident/revisions/2");
    assert_eq!(now.data_set, "dataSets/xuchang/revisions/2");
    assert_eq!(now.lines.len(), 10);
    explains(&now, &client.explain(&now.name).await);
    server.stop().await;
}

async fn bounds_are_kept_and_explained(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let request = pb::CreateAllocationRequest {
        formula: "formulas/settled-taper-bounds".to_owned(),
        ..xuchang_request("f")
    };
    let run = client.create(request).await.unwrap();
    adds_up(&run);
    assert_eq!(run.set_asides[0].amount, "2400000.00");
    let last_year: BTreeMap<String, BigRational> = rows_of("examples/xuchang/observations.csv")
        .into_iter()
        .filter(|row| row.indicator == "allocation")
        .map(|row| (format!("regions/{}", row.region), exact(&row.value)))
        .collect();
    let explanations = client.explain(&run.name).await;
    let mut placements = Vec::new();
    for (line, explanation) in run.lines.iter().zip(&explanations) {
        let amount = exact(&line.amount);
        let before = &last_year[&line.region];
        assert!(amount >= exact("3000000.00"), "{line:?}");
        assert!(amount >= before * exact("0.9"), "{line:?}");
        assert!(amount <= before * exact("1.25"), "{line:?}");
        assert!(line.amount.ends_with(".00"), "{line:?}");
        assert_eq!(line.placement, explanation.placement);
        assert_eq!(line.amount, explanation.amount);
        placements.push(line.placement());
        match line.placement() {
            pb::Placement::Floor => {
                assert_eq!(explanation.quota_decimal, format!("{}0000", explanation.floor))
            }
            pb::Placement::Cap => assert_eq!(explanation.quota_decimal, format!("{}0000", explanation.cap)),
            _ => assert!((exact(&explanation.quota_decimal) - amount).abs() < BigRational::one()),
        }
    }
    assert!(placements.contains(&pb::Placement::Free));
    assert!(
        placements
            .iter()
            .any(|placement| *placement != pb::Placement::Free)
    );
    // A pool that is too small for what regions had last year names the regions and the sums.
    let small = pb::CreateAllocationRequest {
        formula: "formulas/settled-taper-bounds".to_owned(),
        pool: "50000000.00".to_owned(),
        ..xuchang_request("f")
    };
    let infeasible = refused(client.create(small).await);
    infeasible.tells("bounds", &["floors of", "禹州市", "48500000.00 yuan payable"]);
    server.stop().await;
}

fn advance_request(fund: &str) -> pb::CreateAllocationRequest {
    pb::CreateAllocationRequest {
        stage: pb::AllocationStage::Advance.into(),
        advance_percent: "70".to_owned(),
        ..xuchang_request(fund)
    }
}

fn settlement_request(fund: &str, advance: &str) -> pb::CreateAllocationRequest {
    pb::CreateAllocationRequest {
        stage: pb::AllocationStage::Settlement.into(),
        settles: advance.to_owned(),
        ..xuchang_request(fund)
    }
}

async fn issued(
    maker: &mut Client,
    checker: &mut Client,
    request: pb::CreateAllocationRequest,
) -> pb::Allocation {
    let draft = maker.create(request).await.unwrap();
    checker.approve(&draft.name).await.unwrap();
    maker.issue(&draft.name).await.unwrap()
}

async fn an_advance_is_settled_on_final_statistics(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;
    maker.receive("f", "80000000.00").await.unwrap();
    let advance = issued(&mut maker, &mut checker, advance_request("f")).await;
    adds_up(&advance);
    assert_eq!(
        (advance.allocated_now.as_str(), advance.total.as_str()),
        ("56000000.00", "56000000.00")
    );
    assert_eq!(advance.advance_percent, "70");
    explains(&advance, &maker.explain(&advance.name).await);

    // Final figures: the economic zone has hardly anyone.
    let finals = vec![
        row(2, "411071", "settled_new", "10"),
        row(3, "411071", "residence_permits", "90"),
    ];
    maker.import("xuchang", finals).await.unwrap();
    let settlement = issued(&mut maker, &mut checker, settlement_request("f", &advance.name)).await;
    adds_up(&settlement);
    assert_eq!(settlement.settles, advance.name);
    assert_eq!(settlement.total, "80000000.00");
    assert_eq!(settlement.payable_total, "24000000.00");
    for (line, advanced) in settlement.lines.iter().zip(&advance.lines) {
        assert_eq!(
            (&line.region, &line.advanced),
            (&advanced.region, &advanced.amount)
        );
    }
    let negative: Vec<&str> = (settlement.lines.iter())
        .filter(|line| line.payable.starts_with('-'))
        .map(|line| line.region.as_str())
        .collect();
    assert_eq!(negative, ["regions/411071"]);
    explains(&settlement, &maker.explain(&settlement.name).await);
    server.stop().await;
}

async fn a_settlement_needs_an_issued_advance_of_its_fund(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;
    maker.receive("f", "136000000.00").await.unwrap();
    let advance = maker.create(advance_request("f")).await.unwrap();
    let early = refused(maker.create(settlement_request("f", &advance.name)).await);
    assert!(early.names("settles").contains("draft advance of fund f"));
    checker.approve(&advance.name).await.unwrap();
    maker.issue(&advance.name).await.unwrap();
    refused(maker.create(settlement_request("g", &advance.name)).await).names("settles");
    let full = issued(&mut maker, &mut checker, xuchang_request("f")).await;
    refused(maker.create(settlement_request("f", &full.name)).await).names("settles");
    refused(maker.create(settlement_request("f", "")).await).names("settles");
    let unknown = settlement_request("f", &format!("allocations/{}", id()));
    assert_eq!(refused(maker.create(unknown).await).code, Code::NotFound);
    // What belongs to one stage is refused at another.
    let stray = pb::CreateAllocationRequest {
        settles: advance.name.clone(),
        ..advance_request("f")
    };
    refused(maker.create(stray).await).names("settles");
    let stray = pb::CreateAllocationRequest {
        advance_percent: "70".to_owned(),
        ..xuchang_request("f")
    };
    refused(maker.create(stray).await).names("advance_percent");
    for percent in ["", "0", "-1", "100.0000001", "seventy", "7e1"] {
        let request = pb::CreateAllocationRequest {
            advance_percent: percent.to_owned(),
            ..advance_request("f")
        };
        refused(maker.create(request).await).names("advance_percent");
    }
    server.stop().await;
}

async fn a_settlement_of_a_replaced_advance_is_not_issued(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;
    maker.receive("f", "80000000.00").await.unwrap();
    let advance = issued(&mut maker, &mut checker, advance_request("f")).await;
    let settlement = maker
        .create(settlement_request("f", &advance.name))
        .await
        .unwrap();
    checker.approve(&settlement.name).await.unwrap();
    let half = pb::CreateAllocationRequest {
        advance_percent: "50".to_owned(),
        ..advance_request("f")
    };
    let other = maker.create(half).await.unwrap();
    checker.approve(&other.name).await.unwrap();
    maker.supersede(&advance.name, &other.name).await.unwrap();
    // The settlement would pay 24 million, though only 40 million are out.
    let refusal = refused(maker.issue(&settlement.name).await);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::FailedPrecondition, "ADVANCE_NOT_ISSUED")
    );
    assert!(
        refusal.en.contains(&advance.name) && refusal.en.contains("superseded"),
        "{}",
        refusal.en
    );
    assert_eq!(maker.get(&settlement.name).await.state(), State::Approved);
    let right = issued(&mut maker, &mut checker, settlement_request("f", &other.name)).await;
    assert_eq!(right.payable_total, "40000000.00");
    // Nor does it come in by replacing the right one.
    let refusal = refused(maker.supersede(&right.name, &settlement.name).await);
    assert_eq!(refusal.reason, "ADVANCE_NOT_ISSUED");
    assert_eq!(maker.get(&right.name).await.state(), State::Issued);
    server.stop().await;
}

async fn an_advance_that_is_settled_stays(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;
    maker.receive("f", "80000000.00").await.unwrap();
    let advance = issued(&mut maker, &mut checker, advance_request("f")).await;
    let settlement = issued(&mut maker, &mut checker, settlement_request("f", &advance.name)).await;
    let other = maker.create(advance_request("f")).await.unwrap();
    checker.approve(&other.name).await.unwrap();
    let refusal = refused(maker.supersede(&advance.name, &other.name).await);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::FailedPrecondition, "ADVANCE_SETTLED")
    );
    assert!(refusal.en.contains(&settlement.name), "{}", refusal.en);
    assert_eq!(maker.get(&advance.name).await.state(), State::Issued);
    server.stop().await;
}

async fn a_region_that_dropped_out_pays_its_advance_back(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    maker
        .import_indicators(vec![indicator("people", "person")])
        .await
        .unwrap();
    maker
        .import_regions(vec![region("A"), region("B"), region("C"), region("D")])
        .await
        .unwrap();
    maker.create_formula(share_by("f", "people")).await.unwrap();
    maker.receive("f", "300.00").await.unwrap();
    for (data_set, regions) in [("estimate", ["A", "B", "C"]), ("final", ["A", "B", "D"])] {
        maker.create_data_set(data_set).await.unwrap();
        let rows = (2..)
            .zip(regions)
            .map(|(line, code)| row(line, code, "people", "10"));
        maker.import(data_set, rows.collect()).await.unwrap();
    }
    let request = |data_set: &str| pb::CreateAllocationRequest {
        formula: "formulas/f".to_owned(),
        data_set: format!("dataSets/{data_set}"),
        pool: "300.00".to_owned(),
        ..xuchang_request("f")
    };
    let advance = pb::CreateAllocationRequest {
        stage: pb::AllocationStage::Advance.into(),
        advance_percent: "50".to_owned(),
        ..request("estimate")
    };
    let advance = issued(&mut maker, &mut checker, advance).await;
    let settlement = pb::CreateAllocationRequest {
        stage: pb::AllocationStage::Settlement.into(),
        settles: advance.name.clone(),
        ..request("final")
    };
    let settlement = issued(&mut maker, &mut checker, settlement).await;
    adds_up(&settlement);
    let lines: Vec<[&str; 4]> = (settlement.lines.iter())
        .map(|l| [&*l.region, &*l.amount, &*l.advanced, &*l.payable])
        .collect();
    assert_eq!(
        lines,
        [
            ["regions/A", "100.00", "50.00", "50.00"],
            ["regions/B", "100.00", "50.00", "50.00"],
            ["regions/C", "0.00", "50.00", "-50.00"],
            ["regions/D", "100.00", "0.00", "100.00"],
        ]
    );
    assert_eq!(settlement.payable_total, "150.00");
    let explained = maker.explain(&settlement.name).await;
    assert_eq!(explained.len(), 3);
    server.stop().await;
}

async fn a_computation_equals_the_stored_run_and_stores_nothing(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    let inline = pb::ComputeAllocationRequest {
        document: Some(shipped_formula("xuchang-settled-resident")),
        regions: regions_of("examples/xuchang/regions.csv"),
        indicators: indicators_of("config/indicators.csv"),
        observations: rows_of("examples/xuchang/observations.csv"),
        pool: "80000000.00".to_owned(),
        year: 2024,
        explain: vec!["regions/-".to_owned()],
        ..Default::default()
    };
    let computed = inner(client.allocations.compute_allocation(inline.clone()).await);
    let result = computed.allocation.unwrap();
    adds_up(&result);
    explains(&result, &computed.explanations);
    assert_eq!(
        (
            result.name.as_str(),
            result.state(),
            result.formula.as_str(),
            result.data_set.as_str()
        ),
        ("", State::Unspecified, "", "")
    );
    let nothing = pb::ListRegionsRequest::default();
    assert!(
        inner(client.statistics.list_regions(nothing).await)
            .regions
            .is_empty()
    );
    let nothing = pb::ListIndicatorsRequest::default();
    assert!(
        inner(client.statistics.list_indicators(nothing).await)
            .indicators
            .is_empty()
    );
    let nothing = pb::ListFormulasRequest::default();
    assert!(
        inner(client.formulas.list_formulas(nothing).await)
            .formulas
            .is_empty()
    );
    let nothing = pb::ListDataSetsRequest::default();
    assert!(
        inner(client.statistics.list_data_sets(nothing).await)
            .data_sets
            .is_empty()
    );

    import_xuchang(&mut client).await;
    let run = xuchang(&mut client, "f").await;
    assert_eq!(run.lines, result.lines);
    assert_eq!(run.components, result.components);
    assert_eq!(run.total, result.total);
    assert_eq!(
        (&run.formula_digest, &run.data_digest),
        (&result.formula_digest, &result.data_digest)
    );
    assert_eq!(client.explain(&run.name).await, computed.explanations);
    // From what is stored, and with indicators that are stored.
    let stored = pb::ComputeAllocationRequest {
        document: None,
        formula: "formulas/xuchang-settled-resident".to_owned(),
        data_set: "dataSets/xuchang".to_owned(),
        regions: Vec::new(),
        indicators: Vec::new(),
        observations: Vec::new(),
        scope: "regions/411000".to_owned(),
        ..inline.clone()
    };
    let mixed = pb::ComputeAllocationRequest {
        indicators: Vec::new(),
        ..inline
    };
    for request in [stored, mixed] {
        let again = inner(client.allocations.compute_allocation(request).await);
        assert_eq!(again.allocation.unwrap().lines, run.lines);
        assert_eq!(again.explanations, computed.explanations);
    }
    let all = pb::ListAllocationsRequest::default();
    assert_eq!(
        inner(client.allocations.list_allocations(all).await)
            .allocations
            .len(),
        1
    );
    server.stop().await;
}

async fn a_computation_names_its_inputs_once(world: World) {
    let server = world.serve().await;
    let mut client = server.client("").await;
    let base = pb::ComputeAllocationRequest {
        document: Some(share_by("f", "people")),
        regions: vec![region("A"), region("B")],
        indicators: vec![indicator("people", "person")],
        observations: vec![row(7, "A", "people", "1"), row(8, "B", "people", "2")],
        pool: "0.10".to_owned(),
        year: 2024,
        ..Default::default()
    };
    // Reading needs no principal. 0.10 in thirds: 3.33 and 6.67 fen.
    let computed = inner(client.allocations.compute_allocation(base.clone()).await);
    let amounts: Vec<String> = (computed.allocation.unwrap().lines.into_iter())
        .map(|line| line.amount)
        .collect();
    assert_eq!(amounts, ["0.03", "0.07"]);
    let changed = |change: fn(&mut pb::ComputeAllocationRequest)| {
        let mut request = base.clone();
        change(&mut request);
        request
    };
    for (request, field) in [
        (changed(|r| r.formula = "formulas/f".into()), "formula"),
        (changed(|r| r.document = None), "formula"),
        (changed(|r| r.data_set = "dataSets/d".into()), "data_set"),
        (
            changed(|r| r.regions = vec![region("A"), region("A"), region("B")]),
            "regions",
        ),
        (
            changed(|r| r.observations[1].value = "x".into()),
            "line 8, column value",
        ),
        (changed(|r| r.scope = "regions/A".into()), "scope"),
        (changed(|r| r.year = 24), "year"),
        (changed(|r| r.advance_percent = "101".into()), "advance_percent"),
        (changed(|r| r.explain = vec!["everything".into()]), "explain[0]"),
    ] {
        refused(client.allocations.compute_allocation(request).await).names(field);
    }
    // A region without data takes no part.
    let alone = changed(|r| r.observations.truncate(1));
    let alone = inner(client.allocations.compute_allocation(alone).await);
    assert_eq!(alone.allocation.unwrap().lines.len(), 1);
    // The same region asked for twice is explained once, in code order.
    let twice = changed(|r| r.explain = ["regions/B", "regions/A", "regions/B"].map(String::from).to_vec());
    let explained = inner(client.allocations.compute_allocation(twice).await).explanations;
    let explained: Vec<&str> = explained.iter().map(|e| e.region.as_str()).collect();
    assert_eq!(explained, ["regions/A", "regions/B"]);
    server.stop().await;
}

async fn next_to_nothing_is_a_component_too(world: World) {
    let server = world.serve().await;
    let mut client = server.client("").await;
    // Adams gives every region with a score at least a unit, however little it is due.
    let mut document = share_by("f", "weight");
    document.rounding.get_or_insert_default().method = "adams".to_owned();
    let request = pb::ComputeAllocationRequest {
        document: Some(document),
        regions: vec![region("A"), region("B")],
        indicators: vec![indicator("weight", "ratio")],
        observations: vec![
            row(2, "A", "weight", "0.0000000000000000000000000001"),
            row(3, "B", "weight", "1"),
        ],
        pool: "1.00".to_owned(),
        year: 2024,
        ..Default::default()
    };
    let computed = inner(client.allocations.compute_allocation(request).await);
    let run = computed.allocation.unwrap();
    adds_up(&run);
    assert_eq!(run.lines[0].amount, "0.01");
    assert_eq!(run.lines[0].components, ["0.01"]);
    assert_eq!(run.lines[0].bounds_adjustment, "0.00");
    server.stop().await;
}

/// 42 U.S.C. 5306(b) on the three cities of examples/us-cdbg.
///
/// Shares of:    population  poverty  overcrowding  growth lag  old housing
///   City A         0.5        0.4        0.5          0.0         0.1
///   City B         0.3        0.4        0.3          0.6         0.6
///   City C         0.2        0.2        0.2          0.4         0.3
///
/// First average,  (population + 2 poverty + overcrowding) / 4:
///   A (0.5 + 0.8 + 0.5) / 4 = 0.45    B (0.3 + 0.8 + 0.3) / 4 = 0.35    C (0.2 + 0.4 + 0.2) / 4 = 0.20
/// Second average, (growth lag + 1.5 poverty + 2.5 old housing) / 5:
///   A (0 + 0.6 + 0.25) / 5 = 0.17     B (0.6 + 0.6 + 1.5) / 5 = 0.54    C (0.4 + 0.3 + 0.75) / 5 = 0.29
/// The greater:  A 0.45   B 0.54   C 0.29, which sum to 1.28: reduced pro rata.
///
/// Of 1,280,000: 450,000, 540,000 and 290,000.
/// Of 1,000,000: 351,562.5, 421,875 and 226,562.5. One whole unit is left over for two equal remainders
/// of a half; it goes to the larger score, City A.
async fn cdbg_worked_by_hand(world: World) {
    let server = world.serve().await;
    let mut client = server.client("HUD").await;
    client
        .import_indicators(indicators_of("examples/us-cdbg/indicators.csv"))
        .await
        .unwrap();
    client
        .import_regions(regions_of("examples/us-cdbg/regions.csv"))
        .await
        .unwrap();
    client.create_data_set("cdbg").await.unwrap();
    client
        .import("cdbg", rows_of("examples/us-cdbg/observations.csv"))
        .await
        .unwrap();
    client.create_formula(shipped_formula("us-cdbg")).await.unwrap();
    for (pool, expected) in [
        ("1280000.00", ["450000.00", "540000.00", "290000.00"]),
        ("1000000.00", ["351563.00", "421875.00", "226562.00"]),
    ] {
        let request = pb::CreateAllocationRequest {
            fund: "funds/cdbg".to_owned(),
            formula: "formulas/us-cdbg".to_owned(),
            data_set: "dataSets/cdbg".to_owned(),
            pool: pool.to_owned(),
            year: 2024,
            request_id: id(),
            ..Default::default()
        };
        let run = client.create(request).await.unwrap();
        adds_up(&run);
        let amounts: Vec<&str> = run.lines.iter().map(|line| line.amount.as_str()).collect();
        assert_eq!(amounts, expected);
        let explained = client.explain(&run.name).await;
        let scores: Vec<&str> = (explained.iter())
            .map(|e| e.components[0].adjusted_score.as_str())
            .collect();
        assert_eq!(scores, ["0.45", "0.54", "0.29"]);
        assert_eq!(explained[0].components[0].score_sum, "1.28");
    }
    // Whole dollars only: a pool with cents has nowhere to leave them.
    let cents = pb::CreateAllocationRequest {
        fund: "funds/cdbg".to_owned(),
        formula: "formulas/us-cdbg".to_owned(),
        data_set: "dataSets/cdbg".to_owned(),
        pool: "1000000.01".to_owned(),
        year: 2024,
        request_id: id(),
        ..Default::default()
    };
    assert!(
        refused(client.create(cents).await)
            .names("pool")
            .contains("retain")
    );
    server.stop().await;
}

async fn runs_are_listed_newest_first(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    import_xuchang(&mut maker).await;
    let mut names = Vec::new();
    for fund in ["f", "g", "f", "g", "f"] {
        names.push(xuchang(&mut maker, fund).await.name);
    }
    names.reverse();
    let mut checker = server.client("审核人").await;
    checker.approve(&names[0]).await.unwrap();
    let mut list = async |fund: &str, state: State, page_size: i32| {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListAllocationsRequest {
                fund: fund.to_owned(),
                state: state.into(),
                page_size,
                page_token,
            };
            let page = inner(maker.allocations.list_allocations(request).await);
            assert!(page.allocations.len() <= usize::try_from(page_size).unwrap());
            assert!(
                page.allocations
                    .iter()
                    .all(|run| run.lines.is_empty() && run.total == "80000000.00")
            );
            found.extend(page.allocations.into_iter().map(|run| run.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    };
    assert_eq!(list("", State::Unspecified, 2).await, names);
    assert_eq!(list("", State::Unspecified, 5).await, names);
    let of_g = [names[1].clone(), names[3].clone()];
    assert_eq!(list("funds/g", State::Unspecified, 1).await, of_g);
    assert_eq!(list("", State::Approved, 3).await, names[..1]);
    assert_eq!(
        list("funds/f", State::Draft, 1).await,
        [names[2].clone(), names[4].clone()]
    );
    assert!(list("funds/none", State::Unspecified, 3).await.is_empty());
    let unknown = pb::ListAllocationsRequest {
        state: 99,
        ..Default::default()
    };
    refused(maker.allocations.list_allocations(unknown).await).names("state");
    server.stop().await;
}

async fn an_old_data_set_revision_can_be_used(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let before = xuchang(&mut client, "f").await;
    client
        .import("xuchang", vec![row(2, "411081", "settled_new", "0")])
        .await
        .unwrap();
    let request = pb::CreateAllocationRequest {
        data_set: "dataSets/xuchang/revisions/1".to_owned(),
        formula: "formulas/xuchang-settled-resident/revisions/1".to_owned(),
        ..xuchang_request("f")
    };
    let again = client.create(request.clone()).await.unwrap();
    assert_eq!(again.lines, before.lines);
    // The same digest means the same amounts.
    assert_eq!(again.input_digest, before.input_digest);
    let newest = xuchang(&mut client, "f").await;
    assert_ne!(newest.input_digest, before.input_digest);
    assert!(
        !newest
            .lines
            .iter()
            .map(|l| fen(&l.amount))
            .sum::<i128>()
            .is_zero()
    );
    for (data_set, formula) in [
        (
            "dataSets/xuchang/revisions/3",
            "formulas/xuchang-settled-resident",
        ),
        (
            "dataSets/xuchang",
            "formulas/xuchang-settled-resident/revisions/2",
        ),
    ] {
        let request = pb::CreateAllocationRequest {
            data_set: data_set.to_owned(),
            formula: formula.to_owned(),
            request_id: id(),
            ..request.clone()
        };
        assert_eq!(refused(client.create(request).await).code, Code::NotFound);
    }
    server.stop().await;
}
