//! The whole story over a real socket: paid, stated, matched, what is left worked on, and both balances tie.

use super::office::{CITY, OPENING, Office, camt, items, today};
use crate::bureau::{check_books, check_ledger};
use crate::harness::{World, id, inner, refused, stories};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::resolve_break_request::How;
use time::Duration;

stories!(every_line_is_accounted_for);

async fn every_line_is_accounted_for(world: World) {
    let mut office = Office::open(&world, 9).await;
    let first = today();
    let last = first + Duration::days(10);
    let lines = office.irregular(first, 10);
    let (file, closing) = camt("1", (first, last), OPENING, &lines);
    let maker = &mut office.maker;
    let imported = maker.import_statement(&file).await.unwrap();
    assert_eq!(imported.statements[0].lines, 12);
    assert!(maker.import_statement(&file).await.unwrap().known);

    // A dry run shows the same and stores nothing.
    let tried = maker.reconcile(last, true).await;
    assert_eq!(maker.all_breaks().await, []);
    let job = maker.reconcile(last, false).await;
    assert_eq!((&job.classes, &job.postings), (&tried.classes, &tried.postings));
    let classes: Vec<String> = (job.classes.iter())
        .map(|total| {
            let class = total.match_class().as_str_name();
            format!(
                "{} {} {}",
                class.trim_start_matches("MATCH_CLASS_"),
                total.payments,
                total.lines
            )
        })
        .collect();
    println!("{classes:?}");
    let expected = [
        "amount_differs 1400.00",
        "duplicate_at_bank 1400.00",
        "late 1400.00",
        "missing_at_bank 1400.00",
        "missing_at_bank 1400.00",
        "missing_at_bank 1400.00",
        "reversed 1400.00",
        "unknown_at_bank 12.34",
        "unknown_at_bank 1400.00",
        "unknown_at_bank 7.00",
        "unknown_at_bank 100000000.00",
    ];
    let open = maker.open_breaks().await;
    let mut counts: Vec<&str> = open.iter().map(|open| open.split(' ').next().unwrap()).collect();
    counts.dedup();
    println!("{open:?}");
    assert_eq!(open.len(), expected.len(), "{open:?}");
    for (open, expected) in open.iter().zip(expected) {
        assert_eq!(open.split(' ').next(), expected.split(' ').next(), "{open:?}");
    }
    // The same again changes nothing.
    let again = maker.reconcile(last, false).await;
    assert_eq!(
        (again.new_breaks, again.changed_breaks, again.closed_breaks),
        (0, 0, 0)
    );
    assert_eq!(again.classes, job.classes);
    // What the bank confirmed is settled; what came back is quota again.
    assert_eq!(
        maker.payment_state(&office.payments[0]).await,
        pb::PaymentState::Settled
    );
    assert_eq!(
        maker.payment_state(&office.payments[6]).await,
        pb::PaymentState::Instructed
    );
    let before = maker.ties(last).await;
    println!("{:?}", items(&before));
    assert_eq!(before.bank, format!("{}.{:02}", closing / 100, closing % 100));

    work(&mut office, &world).await;

    let balance = office.maker.ties(last).await;
    println!("{:?}", items(&balance));
    let codes: Vec<&str> = balance.items.iter().map(|item| item.code.as_str()).collect();
    for code in ["interest", "fees", "bank_errors"] {
        assert!(codes.contains(&code), "{codes:?}");
    }
    for code in ["unknown_debits", "unknown_credits"] {
        assert!(!codes.contains(&code), "{codes:?}");
    }
    check_ledger(&mut office.maker).await;
    check_books(&crate::bureau::books(&mut office.maker).await);
    // Nothing that a caller gets of it is personal.
    let request = pb::ListStatementLinesRequest {
        statement: format!("{CITY}/statements/1"),
        ..Default::default()
    };
    let lines = inner(office.maker.reconciliations.list_statement_lines(request).await).lines;
    let shown = format!("{lines:?} {:?}", office.maker.all_breaks().await);
    for personal in [
        "王小明",
        "6222021000000000999",
        "6222021000000000888",
        "411000000000012345",
    ] {
        assert!(!shown.contains(personal), "{personal}");
    }
    assert!(shown.contains("王**"), "{shown}");
    office.server.stop().await;
}

/// Works on every break, each in its way.
async fn work(office: &mut Office, _: &World) {
    let (maker, checker) = (&mut office.maker, &mut office.checker);
    let line = maker
        .break_of(|found| found.match_class() == pb::MatchClass::UnknownAtBank && found.found == "-1400.00")
        .await;
    assert!(line.evidence.as_ref().unwrap().zh.contains("1,400.00"));
    let seventh = office.payments[7].clone();
    let hand = How::HandMatch(pb::HandMatch {
        lines: vec![line.line.clone().unwrap()],
        payments: vec![seventh.reference.clone()],
    });
    // What does not add up, what is matched, what is another's: refused, with the field.
    let matched = How::HandMatch(pb::HandMatch {
        lines: vec![line.line.clone().unwrap()],
        payments: vec![office.payments[0].reference.clone()],
    });
    let refusal = refused(maker.resolve_break_as(&line.name, matched, "x").await);
    assert_eq!(refusal.reason, "INVALID_FIELDS");
    refusal.tells("match.payments[0]", &["matched"]);
    let two = How::HandMatch(pb::HandMatch {
        lines: vec![line.line.clone().unwrap()],
        payments: vec![seventh.reference.clone(), office.payments[8].reference.clone()],
    });
    refused(maker.resolve_break_as(&line.name, two, "x").await).tells("match", &["1400.00", "2800.00"]);
    // One proposes, another approves: once, however often.
    let proposed = maker
        .resolve_break_as(&line.name, hand, "银行回单")
        .await
        .unwrap();
    assert_eq!(proposed.state(), pb::BreakState::Proposed);
    let alone = refused(maker.approve_as(&id(), &line.name).await);
    assert_eq!(alone.reason, "APPROVER_PROPOSED_RESOLUTION");
    assert_eq!(maker.payment_state(&seventh).await, pb::PaymentState::Instructed);
    let call = id();
    let approved = checker.approve_as(&call, &line.name).await.unwrap();
    assert_eq!(approved.state(), pb::BreakState::Resolved);
    assert_eq!(checker.approve_as(&call, &line.name).await.unwrap(), approved);
    assert_eq!(
        refused(checker.approve_as(&id(), &line.name).await).reason,
        "BREAK_STATE"
    );
    assert_eq!(maker.payment_state(&seventh).await, pb::PaymentState::Settled);
    assert_eq!(
        maker.steps_of(&line.name).await,
        [
            "经办人 found",
            "经办人 proposed",
            "复核人 approved",
            "复核人 resolved"
        ]
    );
    let other = maker.break_of(|found| found.payment == seventh.reference).await;
    assert_eq!(
        other.state(),
        pb::BreakState::Resolved,
        "the payment's break is done as well"
    );

    // The bank did not make the sixth: it fails, and the claim's part is bound again.
    let sixth = office.payments[6].clone();
    let missing = maker.break_of(|found| found.payment == sixth.reference).await;
    let fail = How::Correction(pb::Correction {
        kind: pb::CorrectionKind::Fail.into(),
        payment: sixth.reference.clone(),
        ..Default::default()
    });
    maker
        .resolve_break_as(&missing.name, fail.clone(), "银行未受理")
        .await
        .unwrap();
    let request = pb::RejectResolutionRequest {
        name: missing.name.clone(),
        reason: "再查".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    inner(checker.reconciliations.reject_resolution(request).await);
    maker
        .resolve_break_as(&missing.name, fail, "银行书面答复未受理")
        .await
        .unwrap();
    checker.approve_as(&id(), &missing.name).await.unwrap();
    assert_eq!(maker.payment_state(&sixth).await, pb::PaymentState::Failed);
    let posted = refused(maker.reopen_break_again(&missing.name, "x").await);
    assert_eq!(posted.reason, "CORRECTION_POSTED");

    // Others need nobody else.
    for (which, how) in [
        ("late", How::Accept(true)),
        ("reversed", How::Accept(true)),
        ("duplicate_at_bank", How::BankError(true)),
        ("amount_differs", How::CarryOver(true)),
    ] {
        for found in of_class(maker, which).await {
            maker
                .resolve_break_as(&found.name, how.clone(), "已核实")
                .await
                .unwrap();
        }
    }
    for (amount, category) in [
        ("-7.00", pb::ExplanationCategory::Fee),
        ("12.34", pb::ExplanationCategory::Interest),
        ("100000000.00", pb::ExplanationCategory::Receipt),
    ] {
        let found = maker.break_of(|found| found.found == amount).await;
        let entry = if category == pb::ExplanationCategory::Receipt {
            "funds/f/entries/1".to_owned()
        } else {
            String::new()
        };
        let how = How::Explanation(pb::LineExplanation {
            category: category.into(),
            entry,
        });
        maker
            .resolve_break_as(&found.name, how, "对账单附言")
            .await
            .unwrap();
    }
    let open = maker.open_breaks().await;
    let classes: Vec<&str> = open.iter().map(|open| open.split(' ').next().unwrap()).collect();
    assert_eq!(classes, ["amount_differs", "missing_at_bank"], "{open:?}");
    // A match by hand is undone as a whole, and done again.
    maker.reopen_break_again(&line.name, "误配").await.unwrap();
    let other = maker.break_of(|found| found.payment == seventh.reference).await;
    assert_eq!(other.state(), pb::BreakState::Open);
    let hand = How::HandMatch(pb::HandMatch {
        lines: vec![line.line.clone().unwrap()],
        payments: vec![seventh.reference.clone()],
    });
    checker
        .resolve_break_as(&line.name, hand, "银行回单")
        .await
        .unwrap();
    maker.approve_as(&id(), &line.name).await.unwrap();
    let ageing = pb::GetAgeingRequest {
        account: CITY.to_owned(),
        date: (today() + Duration::days(40)).to_string(),
        bands: vec![],
    };
    let cells = inner(maker.reconciliations.get_ageing(ageing).await).cells;
    assert_eq!(cells.iter().map(|cell| cell.count).sum::<u64>(), 2, "{cells:?}");
    assert!(
        cells
            .iter()
            .all(|cell| (cell.from_days, cell.to_days) == (31, 90)),
        "{cells:?}"
    );
}

async fn of_class(client: &mut crate::harness::Client, class: &str) -> Vec<pb::Break> {
    let all = client.all_breaks().await.into_iter();
    all.filter(|found| {
        let name = found.match_class().as_str_name().to_lowercase();
        name == format!("match_class_{class}") && found.state() == pb::BreakState::Open
    })
    .collect()
}
