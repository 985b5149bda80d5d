//! What people post, and what is refused.

use super::{line, office, own, shown};
use crate::harness::{World, id, import_xuchang, inner, refused, stories, xuchang_request};
use incentive_fund::grpc::pb;
use tonic::Code;

stories!(
    money_comes_in_and_goes_out,
    a_fund_begins_with_the_first_money,
    an_allocation_is_issued_from_money_that_is_there,
    a_settlement_recovers_and_issues,
    superseding_posts_the_difference,
    what_is_assigned_is_unassigned_before_it_is_recovered,
    quota_is_assigned_line_by_line_or_not_at_all,
    a_county_adds_money_of_its_own,
    movements_are_checked,
    movements_are_idempotent,
    an_allocation_of_nothing_needs_no_money,
    balances_have_limits,
    an_allocation_is_issued_while_others_post,
);

fn route(entry: &pb::LedgerEntry) -> (String, String, String) {
    (
        shown(entry.from.as_ref().unwrap()),
        shown(entry.to.as_ref().unwrap()),
        entry.amount.clone(),
    )
}

async fn money_comes_in_and_goes_out(world: World) {
    let server = world.serve().await;
    let mut client = server.client("出纳").await;
    let first = client.receive("f", "100.00").await.unwrap();
    assert_eq!(first.name, "funds/f/entries/1");
    assert_eq!(first.subject, first.name);
    assert_eq!(first.event(), pb::LedgerEvent::Receive);
    assert_eq!(
        route(&first),
        (
            "city/-/-/source".to_owned(),
            "city/-/-/unallocated".to_owned(),
            "100.00".to_owned()
        )
    );
    assert_eq!(
        (first.from_balance.as_str(), first.to_balance.as_str()),
        ("-100.00", "100.00")
    );
    assert_eq!(first.posted.as_ref().unwrap().principal, "出纳");
    assert_eq!(first.note, "豫财预〔2024〕101号");
    let second = client.receive("f", "0.01").await.unwrap();
    assert_eq!((second.number, second.to_balance.as_str()), (2, "100.01"));
    assert_ne!(second.digest, first.digest);
    let third = client.surrender("f", "40.01").await.unwrap();
    assert_eq!(route(&third).1, "city/-/-/surrendered",);
    let refusal = refused(client.surrender("f", "60.01").await);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::FailedPrecondition, "QUOTA_EXCEEDED")
    );
    assert!(refusal.en.contains("0.01 short"), "{}", refusal.en);
    assert!(
        refusal.zh.contains("待分配余额 60.00,需 60.01,不足 0.01"),
        "{}",
        refusal.zh
    );
    assert_eq!(
        client.balances("f", 0).await,
        [
            ("city/-/-/source", "-100.01"),
            ("city/-/-/surrendered", "40.01"),
            ("city/-/-/unallocated", "60.00"),
        ]
        .map(|(account, amount)| (account.to_owned(), amount.to_owned()))
    );
    client.verifies("f").await;
    server.stop().await;
}

async fn a_fund_begins_with_the_first_money(world: World) {
    let server = world.serve().await;
    let mut client = server.client("出纳").await;
    for answer in [
        client.surrender("f", "1.00").await.map(drop),
        client.contribute("f", "411081", "1.00").await.map(drop),
        client
            .assign("f", vec![line("411081", "p", "1.00")])
            .await
            .map(drop),
        client.reverse("f", 1).await.map(drop),
    ] {
        let refusal = refused(answer);
        assert_eq!(refusal.code, Code::NotFound);
        assert!(refusal.en.contains("funds/f"), "{}", refusal.en);
    }
    let list = async |client: &mut crate::harness::Client| {
        inner(client.ledger.list_funds(pb::ListFundsRequest::default()).await).funds
    };
    assert_eq!(list(&mut client).await, []);
    for fund in ["g", "f", "e"] {
        client.receive(fund, "1.00").await.unwrap();
    }
    let funds = list(&mut client).await;
    let names: Vec<&str> = funds.iter().map(|fund| fund.name.as_str()).collect();
    assert_eq!(names, ["funds/e", "funds/f", "funds/g"]);
    assert!(funds.iter().all(|fund| fund.entries == 1 && fund.changes == 1));
    let first = pb::ListFundsRequest {
        page_size: 2,
        ..Default::default()
    };
    let page = inner(client.ledger.list_funds(first.clone()).await);
    assert_eq!(page.funds, funds[..2]);
    let next = pb::ListFundsRequest {
        page_token: page.next_page_token,
        ..first
    };
    assert_eq!(inner(client.ledger.list_funds(next).await).funds, funds[2..]);
    server.stop().await;
}

async fn an_allocation_is_issued_from_money_that_is_there(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;
    let draft = maker.create(xuchang_request("f")).await.unwrap();
    checker.approve(&draft.name).await.unwrap();
    for there in [None, Some("79999999.99")] {
        if let Some(amount) = there {
            maker.receive("f", amount).await.unwrap();
        }
        let refusal = refused(maker.issue(&draft.name).await);
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::FailedPrecondition, "FUND_SHORT")
        );
        let short = if there.is_some() { "0.01" } else { "80000000.00" };
        assert!(refusal.en.contains(&format!("{short} short")), "{}", refusal.en);
        assert!(refusal.zh.contains(&format!("不足 {short}")), "{}", refusal.zh);
        assert_eq!(
            maker.get(&draft.name).await.state(),
            pb::AllocationState::Approved
        );
    }
    maker.receive("f", "0.02").await.unwrap();
    let issued = maker.issue(&draft.name).await.unwrap();
    let request = pb::ListEntriesRequest {
        fund: "funds/f".to_owned(),
        subject: draft.name.clone(),
        ..Default::default()
    };
    let entries = maker.entries(request).await;
    assert_eq!(entries.len(), 9);
    for (entry, line) in entries.iter().zip(&issued.lines) {
        let region = line.region.replace("regions/", "");
        assert_eq!(entry.event(), pb::LedgerEvent::Issue);
        assert_eq!(
            route(entry),
            (
                "city/-/-/unallocated".to_owned(),
                format!("city/{region}/-/quota"),
                line.amount.clone()
            )
        );
        assert_eq!(entry.posted, issued.issued);
    }
    assert_eq!(maker.balance("f", "city/-/-/unallocated").await, "0.01");
    maker.verifies("f").await;
    server.stop().await;
}

fn small_regions(world: &mut Vec<pb::Region>) {
    world.extend(["A", "B", "C", "D"].map(crate::harness::region));
}

/// Fund `f` with 300 yuan, and data in which regions A, B, C, or A, B, D have the same.
async fn small(client: &mut crate::harness::Client) {
    let mut regions = Vec::new();
    small_regions(&mut regions);
    client.import_regions(regions).await.unwrap();
    client
        .import_indicators(vec![crate::harness::indicator("people", "person")])
        .await
        .unwrap();
    client
        .create_formula(crate::harness::share_by("f", "people"))
        .await
        .unwrap();
    for (data_set, regions) in [("abc", ["A", "B", "C"]), ("abd", ["A", "B", "D"])] {
        client.create_data_set(data_set).await.unwrap();
        let rows = (2..)
            .zip(regions)
            .map(|(line, code)| crate::harness::row(line, code, "people", "10"));
        client.import(data_set, rows.collect()).await.unwrap();
    }
    client.receive("f", "300.00").await.unwrap();
}

fn of(data_set: &str, pool: &str) -> pb::CreateAllocationRequest {
    pb::CreateAllocationRequest {
        formula: "formulas/f".to_owned(),
        data_set: format!("dataSets/{data_set}"),
        pool: pool.to_owned(),
        ..xuchang_request("f")
    }
}

async fn moves(client: &mut crate::harness::Client, subject: &str) -> Vec<(String, String, String)> {
    let request = pb::ListEntriesRequest {
        fund: "funds/f".to_owned(),
        subject: subject.to_owned(),
        ..Default::default()
    };
    client.entries(request).await.iter().map(route).collect()
}

fn out(region: &str, amount: &str) -> (String, String, String) {
    (
        "city/-/-/unallocated".to_owned(),
        format!("city/{region}/-/quota"),
        amount.to_owned(),
    )
}

fn back(region: &str, amount: &str) -> (String, String, String) {
    let (to, from, amount) = out(region, amount);
    (from, to, amount)
}

async fn a_settlement_recovers_and_issues(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    small(&mut maker).await;
    let advance = pb::CreateAllocationRequest {
        stage: pb::AllocationStage::Advance.into(),
        advance_percent: "50".to_owned(),
        ..of("abc", "300.00")
    };
    let advance = maker.create(advance).await.unwrap();
    checker.approve(&advance.name).await.unwrap();
    maker.issue(&advance.name).await.unwrap();
    // 150 yuan are left; the settlement gives 200 and takes 50 back.
    let settlement = pb::CreateAllocationRequest {
        stage: pb::AllocationStage::Settlement.into(),
        settles: advance.name.clone(),
        ..of("abd", "300.00")
    };
    let settlement = maker.create(settlement).await.unwrap();
    checker.approve(&settlement.name).await.unwrap();
    maker.issue(&settlement.name).await.unwrap();
    assert_eq!(
        moves(&mut maker, &settlement.name).await,
        [
            back("C", "50.00"),
            out("A", "50.00"),
            out("B", "50.00"),
            out("D", "100.00")
        ]
    );
    assert_eq!(maker.balance("f", "city/-/-/unallocated").await, "0.00");
    maker.verifies("f").await;
    server.stop().await;
}

async fn superseding_posts_the_difference(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    small(&mut maker).await;
    let mut runs = Vec::new();
    for request in [of("abc", "300.00"), of("abd", "270.00"), of("abc", "300.03")] {
        let run = maker.create(request).await.unwrap();
        checker.approve(&run.name).await.unwrap();
        runs.push(run.name);
    }
    maker.issue(&runs[0]).await.unwrap();
    maker.supersede(&runs[0], &runs[1]).await.unwrap();
    assert_eq!(
        moves(&mut maker, &runs[1]).await,
        [
            back("A", "10.00"),
            back("B", "10.00"),
            back("C", "100.00"),
            out("D", "90.00")
        ]
    );
    assert_eq!(maker.balance("f", "city/-/-/unallocated").await, "30.00");
    // 0.03 more than there is: nothing is recovered either, and the runs stay as they are.
    let refusal = refused(maker.supersede(&runs[1], &runs[2]).await);
    assert_eq!(refusal.reason, "FUND_SHORT");
    assert!(refusal.en.contains("0.03 short"), "{}", refusal.en);
    assert_eq!(maker.get(&runs[1]).await.state(), pb::AllocationState::Issued);
    assert_eq!(maker.get(&runs[2]).await.state(), pb::AllocationState::Approved);
    assert_eq!(maker.balance("f", "city/D/-/quota").await, "90.00");
    maker.receive("f", "0.03").await.unwrap();
    maker.supersede(&runs[1], &runs[2]).await.unwrap();
    let status = maker.fund_status("f").await;
    for line in &status.regions {
        if !line.region.is_empty() {
            assert_eq!(line.allocated, line.issued, "{line:?}");
        }
    }
    assert_eq!(status.total.unwrap().issued, "300.03");
    maker.verifies("f").await;
    server.stop().await;
}

async fn what_is_assigned_is_unassigned_before_it_is_recovered(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    small(&mut maker).await;
    let mut runs = Vec::new();
    for request in [of("abc", "300.00"), of("abd", "270.00")] {
        let run = maker.create(request).await.unwrap();
        checker.approve(&run.name).await.unwrap();
        runs.push(run.name);
    }
    maker.issue(&runs[0]).await.unwrap();
    maker
        .assign(
            "f",
            vec![line("B", "deed-tax", "95.00"), line("C", "deed-tax", "30.00")],
        )
        .await
        .unwrap();
    let refusal = refused(maker.supersede(&runs[0], &runs[1]).await);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::FailedPrecondition, "QUOTA_IN_USE")
    );
    for words in [
        "region B has 5.00 that is not assigned, 10.00 is to be recovered: 5.00 short",
        "region C has 70.00 that is not assigned, 100.00 is to be recovered: 30.00 short",
        "unassign it first",
    ] {
        assert!(refusal.en.contains(words), "{}", refusal.en);
    }
    assert!(
        refusal
            .zh
            .contains("C区(C)未安排指标 70.00,应收回 100.00,不足 30.00"),
        "{}",
        refusal.zh
    );
    assert_eq!(maker.get(&runs[0]).await.state(), pb::AllocationState::Issued);
    maker
        .unassign(
            "f",
            vec![line("B", "deed-tax", "5.00"), line("C", "deed-tax", "30.00")],
        )
        .await
        .unwrap();
    maker.supersede(&runs[0], &runs[1]).await.unwrap();
    maker.verifies("f").await;
    server.stop().await;
}

async fn quota_is_assigned_line_by_line_or_not_at_all(world: World) {
    let (server, mut maker, _, _) = office(&world).await;
    let quota = maker.balance("f", "city/411081/-/quota").await;
    let lines = vec![
        line("411081", "housing-purchase", "1000000.00"),
        line("411081", "deed-tax", "200000.00"),
        line("411082", "housing-purchase", "0.01"),
    ];
    let entries = maker.assign("f", lines.clone()).await.unwrap();
    assert_eq!(entries.len(), 3);
    assert_eq!(
        route(&entries[1]),
        (
            "city/411081/-/quota".to_owned(),
            "city/411081/deed-tax/quota".to_owned(),
            "200000.00".to_owned()
        )
    );
    // Two lines together are more than the region has; the third is not posted either.
    let refusal = refused(
        maker
            .assign(
                "f",
                vec![
                    line("411082", "deed-tax", "0.01"),
                    line("411081", "deed-tax", &quota),
                    line("411081", "housing-purchase", "0.01"),
                ],
            )
            .await,
    );
    assert_eq!(refusal.reason, "QUOTA_EXCEEDED");
    assert!(
        refusal.en.contains("411081") && refusal.en.contains("1200000.01 short"),
        "{}",
        refusal.en
    );
    assert_eq!(maker.balance("f", "city/411082/deed-tax/quota").await, "0.00");
    let refusal = refused(
        maker
            .unassign("f", vec![line("411082", "deed-tax", "0.01")])
            .await,
    );
    assert_eq!(refusal.reason, "QUOTA_EXCEEDED");
    maker.unassign("f", lines).await.unwrap();
    assert_eq!(maker.balance("f", "city/411081/-/quota").await, quota);
    // Ten thousand lines at once, which are more than a statement takes.
    let many = (0..10_000).map(|n| line("411081", &format!("p{n}"), "0.01"));
    let entries = maker.assign("f", many.clone().collect()).await.unwrap();
    assert_eq!(entries.len(), 10_000);
    let refusal = refused(
        maker
            .assign("f", many.chain([line("411081", "q", "0.01")]).collect())
            .await,
    );
    refusal.names("lines");
    maker.verifies("f").await;
    server.stop().await;
}

async fn a_county_adds_money_of_its_own(world: World) {
    let (server, mut maker, _, _) = office(&world).await;
    let entry = maker.contribute("f", "411081", "500.00").await.unwrap();
    assert_eq!(
        route(&entry),
        (
            "county/411081/-/source".to_owned(),
            "county/411081/-/quota".to_owned(),
            "500.00".to_owned()
        )
    );
    maker
        .assign("f", vec![own("411081", "deed-tax", "300.00")])
        .await
        .unwrap();
    let refusal = refused(maker.retract("f", "411081", "200.01").await);
    assert!(refusal.en.contains("0.01 short"), "{}", refusal.en);
    maker.retract("f", "411081", "200.00").await.unwrap();
    assert_eq!(maker.balance("f", "county/411081/deed-tax/quota").await, "300.00");
    assert_eq!(maker.balance("f", "county/411081/-/source").await, "-300.00");
    // The city's money is not the county's.
    let refusal = refused(maker.assign("f", vec![own("411082", "deed-tax", "1.00")]).await);
    assert_eq!(refusal.reason, "QUOTA_EXCEEDED");
    let unknown = refused(maker.contribute("f", "990000", "1.00").await);
    assert_eq!(unknown.code, Code::NotFound);
    assert!(unknown.en.contains("regions/990000"), "{}", unknown.en);
    maker.verifies("f").await;
    server.stop().await;
}

async fn movements_are_checked(world: World) {
    let (server, mut maker, _, _) = office(&world).await;
    let before = maker.balances("f", 0).await;
    for amount in ["0", "0.00", "-1.00", "1.001", "", "1e3", "1,000.00"] {
        refused(maker.receive("f", amount).await).names("amount");
        refused(maker.contribute("f", "411081", amount).await).names("amount");
        refused(maker.assign("f", vec![line("411081", "deed-tax", amount)]).await).names("lines[0].amount");
    }
    for document in ["", "  ", "a\nb", &"长".repeat(501)] {
        let request = pb::ReceiveFundsRequest {
            fund: "funds/f".to_owned(),
            amount: "1.00".to_owned(),
            document: document.to_owned(),
            ..Default::default()
        };
        refused(maker.ledger.receive_funds(request).await).names("document");
        let request = pb::ReverseEntryRequest {
            name: "funds/f/entries/1".to_owned(),
            note: document.to_owned(),
            ..Default::default()
        };
        refused(maker.ledger.reverse_entry(request).await).names("note");
    }
    for name in [
        "",
        "funds/f",
        "funds/f/entries/",
        "funds/f/entries/-1",
        "funds/f/entries/+1",
        "funds/F/entries/1",
    ] {
        let request = pb::ReverseEntryRequest {
            name: name.to_owned(),
            note: "n".to_owned(),
            ..Default::default()
        };
        refused(maker.ledger.reverse_entry(request).await).names("name");
    }
    let twice = vec![
        line("411081", "deed-tax", "1.00"),
        own("411081", "deed-tax", "1.00"),
        line("411081", "deed-tax", "2.00"),
    ];
    refused(maker.assign("f", twice).await).names("lines[2]");
    refused(maker.assign("f", Vec::new()).await).names("lines");
    let faulty = vec![
        line("x", "deed-tax", "1.00"),
        line("411081", "Deed", "1.00"),
        pb::QuotaLine {
            payer: 9,
            ..line("411081", "p", "1.00")
        },
    ];
    let refusal = refused(maker.assign("f", faulty).await);
    for field in ["lines[0].region", "lines[1].programme", "lines[2].payer"] {
        refusal.tells(field, &[]);
    }
    assert_eq!(maker.balances("f", 0).await, before);
    server.stop().await;
}

async fn movements_are_idempotent(world: World) {
    let (server, mut maker, mut checker, _) = office(&world).await;
    let receive = pb::ReceiveFundsRequest {
        fund: "funds/f".to_owned(),
        amount: "5.00".to_owned(),
        document: "d".to_owned(),
        request_id: id(),
        validate_only: false,
    };
    let dry = pb::ReceiveFundsRequest {
        validate_only: true,
        request_id: id(),
        ..receive.clone()
    };
    let would = inner(maker.ledger.receive_funds(dry).await).entry.unwrap();
    let first = inner(maker.ledger.receive_funds(receive.clone()).await);
    let entry = first.entry.clone().unwrap();
    assert_eq!(
        (would.number, would.to_balance),
        (entry.number, entry.to_balance.clone())
    );
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (mut client, receive) = (maker.clone(), receive.clone());
        calls.spawn(async move { client.ledger.receive_funds(receive).await });
    }
    for answer in calls.join_all().await {
        assert_eq!(inner(answer), first);
    }
    let other = pb::ReceiveFundsRequest {
        amount: "6.00".to_owned(),
        ..receive.clone()
    };
    assert_eq!(
        refused(maker.ledger.receive_funds(other).await).reason,
        "REQUEST_ID_REUSED"
    );
    // Another person's id is another id.
    let theirs = inner(checker.ledger.receive_funds(receive).await).entry.unwrap();
    assert_eq!(theirs.number, entry.number + 1);
    let assign = pb::AssignQuotaRequest {
        fund: "funds/f".to_owned(),
        lines: vec![line("411081", "deed-tax", "1.00")],
        request_id: id(),
        ..Default::default()
    };
    let first = inner(maker.ledger.assign_quota(assign.clone()).await);
    assert_eq!(inner(maker.ledger.assign_quota(assign).await), first);
    assert_eq!(maker.balance("f", "city/411081/deed-tax/quota").await, "1.00");
    maker.verifies("f").await;
    server.stop().await;
}

async fn an_allocation_of_nothing_needs_no_money(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    import_xuchang(&mut maker).await;
    let request = pb::CreateAllocationRequest {
        pool: "0.00".to_owned(),
        ..xuchang_request("empty")
    };
    let run = maker.create(request).await.unwrap();
    checker.approve(&run.name).await.unwrap();
    let issued = maker.issue(&run.name).await.unwrap();
    assert_eq!(issued.state(), pb::AllocationState::Issued);
    let status = maker.fund_status("empty").await;
    let fund = status.fund.unwrap();
    assert_eq!((fund.entries, fund.changes, fund.time.as_str()), (0, 1, ""));
    assert_eq!(maker.balances("empty", 0).await, []);
    maker.verifies("empty").await;
    maker.receive("empty", "1.00").await.unwrap();
    maker.verifies("empty").await;
    server.stop().await;
}

async fn balances_have_limits(world: World) {
    let server = world.serve().await;
    let mut client = server.client("出纳").await;
    client.receive("f", "1000000000000000.00").await.unwrap();
    let refusal = refused(client.receive("f", "0.01").await);
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::InvalidArgument, "OVER_LIMIT")
    );
    refused(client.receive("f", "1000000000000000.01").await).names("amount");
    client.verifies("f").await;
    server.stop().await;
}

async fn an_allocation_is_issued_while_others_post(world: World) {
    let (server, mut maker, mut checker, first) = office(&world).await;
    let bigger = pb::CreateAllocationRequest {
        pool: "90000000.00".to_owned(),
        ..xuchang_request("f")
    };
    let second = maker.create(bigger).await.unwrap();
    checker.approve(&second.name).await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut posters = tokio::task::JoinSet::new();
    for poster in 0..8 {
        let mut client = server.client(&format!("出纳{poster}")).await;
        let stopped = stopped.clone();
        posters.spawn(async move {
            let mut posted = 0;
            while !*stopped.borrow() {
                client.receive("f", "0.01").await.unwrap();
                posted += 1;
            }
            posted
        });
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    maker.supersede(&first.name, &second.name).await.unwrap();
    stop.send(true).unwrap();
    let posted: i128 = posters.join_all().await.into_iter().sum();
    let total = maker.fund_status("f").await.total.unwrap();
    assert_eq!(crate::harness::fen(&total.received), 10_000_000_000 + posted);
    assert_eq!(
        (&*total.issued, &*total.allocated),
        ("90000000.00", "90000000.00")
    );
    maker.verifies("f").await;
    server.stop().await;
}
