//! Months: prepared by one, signed by another, locked; what is found later goes to the next and says so.

use super::office::{CITY, Office, camt, last_month, month, other, today};
use crate::harness::{Client, World, id, inner, refused, stories};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::resolve_break_request::How;
use tonic::Status;

stories!(
    a_month_is_closed_by_two_and_stays,
    what_stands_in_the_way_is_named,
);

impl Client {
    async fn period(&mut self, month: &str) -> pb::GetPeriodResponse {
        let request = pb::GetPeriodRequest {
            name: format!("{CITY}/periods/{month}"),
        };
        inner(self.reconciliations.get_period(request).await)
    }

    async fn prepare(&mut self, month: &str) -> Result<pb::Period, Status> {
        let request = pb::PreparePeriodRequest {
            name: format!("{CITY}/periods/{month}"),
            request_id: id(),
            ..Default::default()
        };
        let response = self.reconciliations.prepare_period(request).await?;
        Ok(response.into_inner().period.unwrap())
    }

    async fn sign(&mut self, month: &str) -> Result<pb::Period, Status> {
        let request = pb::SignPeriodRequest {
            name: format!("{CITY}/periods/{month}"),
            request_id: id(),
            ..Default::default()
        };
        let response = self.reconciliations.sign_period(request).await?;
        Ok(response.into_inner().period.unwrap())
    }
}

fn explanation(category: pb::ExplanationCategory) -> How {
    How::Explanation(pb::LineExplanation {
        category: category.into(),
        entry: String::new(),
    })
}

async fn a_month_is_closed_by_two_and_stays(world: World) {
    let Office {
        server,
        mut maker,
        mut checker,
        ..
    } = Office::open(&world, 0).await;
    let (first, last) = last_month();
    let closed = month(last);
    let lines = [
        other(first, -5_00, "手续费"),
        other(last, 12_34, "利息"),
        other(last, -100_00, "待查"),
    ];
    let (file, closing) = camt("1", (first, last), 1_000_00, &lines);
    maker.import_statement(&file).await.unwrap();
    let found = maker.period(&closed).await;
    let reasons: Vec<&str> = found
        .obstacles
        .iter()
        .map(|found| found.reason.as_str())
        .collect();
    assert_eq!(reasons, ["NOT_RECONCILED"]);
    maker.reconcile(last, false).await;
    assert_eq!(refused(maker.prepare(&closed).await).reason, "OPEN_BREAKS");
    let of = |amount: &'static str| move |found: &pb::Break| found.found == amount;
    let fee = maker.break_of(of("-5.00")).await;
    assert_eq!(fee.period, closed);
    maker
        .resolve_break_as(&fee.name, explanation(pb::ExplanationCategory::Fee), "对账单附言")
        .await
        .unwrap();
    let interest = maker.break_of(of("12.34")).await;
    maker
        .resolve_break_as(
            &interest.name,
            explanation(pb::ExplanationCategory::Interest),
            "对账单附言",
        )
        .await
        .unwrap();
    let unknown = maker.break_of(of("-100.00")).await;
    let carried = maker
        .resolve_break_as(&unknown.name, How::CarryOver(true), "已向银行查询")
        .await
        .unwrap();
    assert_eq!(
        (carried.state(), carried.period.as_str()),
        (pb::BreakState::Open, month(today()).as_str())
    );

    let prepared = maker.prepare(&closed).await.unwrap();
    assert_eq!(prepared.state(), pb::PeriodState::Prepared);
    assert_eq!((prepared.resolved_breaks, prepared.carried_breaks), (2, 1));
    let balance = prepared.balance.clone().unwrap();
    assert_eq!(balance.bank, format!("{}.{:02}", closing / 100, closing % 100));
    assert_eq!(
        (balance.book.as_str(), balance.difference.as_str()),
        ("1000.00", "0.00")
    );
    assert_eq!(
        refused(maker.sign(&closed).await).reason,
        "SIGNER_PREPARED_PERIOD"
    );
    // What changed since it was prepared has to be prepared again.
    maker.reopen_break_again(&fee.name, "再看").await.unwrap();
    maker
        .resolve_break_as(&fee.name, explanation(pb::ExplanationCategory::Other), "改为其他")
        .await
        .unwrap();
    assert_eq!(refused(checker.sign(&closed).await).reason, "PERIOD_CHANGED");
    maker.prepare(&closed).await.unwrap();
    let signed = checker.sign(&closed).await.unwrap();
    assert_eq!(signed.state(), pb::PeriodState::Closed);

    // Nothing in it changes any more.
    assert_eq!(refused(maker.prepare(&closed).await).reason, "PERIOD_CLOSED");
    let request = pb::CommentBreakRequest {
        name: fee.name.clone(),
        comment: "补充".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    assert_eq!(
        refused(maker.reconciliations.comment_break(request).await).reason,
        "PERIOD_CLOSED"
    );
    // A correction is a break of the next month, and says so.
    let correction = maker.reopen_break_again(&fee.name, "确为手续费").await.unwrap();
    assert_ne!(correction.name, fee.name);
    assert_eq!(
        (correction.corrects.as_str(), correction.period.as_str()),
        (fee.name.as_str(), month(today()).as_str())
    );
    let old = maker.break_of(|found| found.name == fee.name).await;
    assert_eq!(old.state(), pb::BreakState::Resolved, "as it was signed");
    assert_eq!(
        refused(maker.reopen_break_again(&fee.name, "again").await).reason,
        "BREAK_REPLACED"
    );
    maker
        .resolve_break_as(
            &correction.name,
            explanation(pb::ExplanationCategory::Fee),
            "对账单附言",
        )
        .await
        .unwrap();
    assert_eq!(
        maker.period(&closed).await.period.unwrap(),
        signed,
        "as it was signed"
    );
    // The next job leaves all of that as it is.
    let (file, _) = camt("2", (last.next_day().unwrap(), today()), closing, &[]);
    maker.import_statement(&file).await.unwrap();
    let job = maker.reconcile(today(), false).await;
    assert_eq!(
        (
            job.new_breaks,
            job.changed_breaks,
            job.closed_breaks,
            job.open_breaks
        ),
        (0, 0, 0, 1)
    );
    maker.ties(today()).await;
    let request = pb::ListPeriodsRequest {
        account: CITY.to_owned(),
        ..Default::default()
    };
    assert_eq!(
        inner(maker.reconciliations.list_periods(request).await).periods,
        [signed]
    );
    server.stop().await;
}

async fn what_stands_in_the_way_is_named(world: World) {
    let Office {
        server, mut maker, ..
    } = Office::open(&world, 0).await;
    let (first, last) = last_month();
    let (before, this) = (month(first), month(today()));
    assert_eq!(refused(maker.prepare(&before).await).reason, "NO_STATEMENT");
    let (file, closing) = camt("1", (first, last.previous_day().unwrap()), 1_000_00, &[]);
    maker.import_statement(&file).await.unwrap();
    maker.reconcile(last, false).await;
    let reasons = |found: pb::GetPeriodResponse| -> Vec<String> {
        found.obstacles.into_iter().map(|found| found.reason).collect()
    };
    assert_eq!(reasons(maker.period(&before).await), ["STATEMENTS_INCOMPLETE"]);
    let (file, _) = camt("2", (last, last), closing, &[]);
    maker.import_statement(&file).await.unwrap();
    assert_eq!(reasons(maker.period(&before).await), ["NOT_RECONCILED"]);
    let found = reasons(maker.period(&this).await);
    for reason in [
        "MONTH_NOT_OVER",
        "EARLIER_MONTH_OPEN",
        "STATEMENTS_INCOMPLETE",
        "NOT_RECONCILED",
    ] {
        assert!(found.contains(&reason.to_owned()), "{found:?}");
    }
    maker.reconcile(last, false).await;
    assert_eq!(reasons(maker.period(&before).await), Vec::<String>::new());
    let bad = pb::GetPeriodRequest {
        name: format!("{CITY}/periods/2025-13"),
    };
    refused(maker.reconciliations.get_period(bad).await).tells("name", &["2025-13"]);
    server.stop().await;
}
