//! A person who is erased from a claim is erased from the bank's lines about its payments; others are not.

use super::office::{CITY, Office, camt, debit, today};
use crate::bureau::{FUND, payments_of};
use crate::harness::{World, id, inner, stories};
use incentive_fund::grpc::pb;

stories!(erased_persons_leave_the_statements);

const PART: i64 = 140_000;

async fn erased_persons_leave_the_statements(world: World) {
    let mut office = Office::open(&world, 2).await;
    let day = today();
    let lines = [0, 1].map(|at| debit(day, PART, office.reference(at)));
    let (file, _) = camt("1", (day, day), 5_000_000_00, &lines);
    office.maker.import_statement(&file).await.unwrap();
    office.maker.reconcile(day, false).await;
    // The county's parts are answered by its own bank, so that both claims have ended.
    for payment in payments_of(&mut office.maker, &office.payments[0].batch).await {
        if payment.payer() != pb::Payer::County {
            continue;
        }
        let request = pb::RecordPaymentResultRequest {
            reference: payment.reference,
            state: pb::PaymentState::Settled.into(),
            date: day.to_string(),
            request_id: id(),
            ..Default::default()
        };
        inner(office.maker.disbursements.record_payment_result(request).await);
    }
    let shown = counterparties(&mut office).await;
    assert_eq!(shown.len(), 2);
    assert!(
        shown
            .iter()
            .all(|(name, account)| name == "王**" && account.ends_with("0999")),
        "{shown:?}"
    );

    let number: u64 = office.payments[0]
        .claim
        .rsplit('/')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let request = pb::RequestErasureRequest {
        parent: format!("funds/{FUND}"),
        claims: vec![office.payments[0].claim.clone()],
        reason: "当事人申请".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    inner(office.maker.privacy.request_erasure(request).await);
    let request = pb::EraseClaimantsRequest {
        parent: format!("funds/{FUND}"),
        claims: vec![format!("funds/{FUND}/claims/{number}")],
        request_id: id(),
        ..Default::default()
    };
    inner(office.checker.privacy.erase_claimants(request).await);

    let after = counterparties(&mut office).await;
    assert_eq!(after[0], (String::new(), String::new()));
    assert_eq!(after[1], shown[1], "the other person's line is as it was");
    // What the line moved is there as before, and the same job again finds the same.
    let again = office.maker.reconcile(day, false).await;
    assert_eq!(
        (again.new_breaks, again.changed_breaks, again.closed_breaks),
        (0, 0, 0)
    );
    office.maker.ties(day).await;
    office.server.stop().await;
}

/// Name and account of the other side, masked, line by line.
async fn counterparties(office: &mut Office) -> Vec<(String, String)> {
    let request = pb::ListStatementLinesRequest {
        statement: format!("{CITY}/statements/1"),
        ..Default::default()
    };
    let lines = inner(office.maker.reconciliations.list_statement_lines(request).await).lines;
    lines
        .into_iter()
        .map(|line| (line.counterparty, line.counterparty_account))
        .collect()
}
