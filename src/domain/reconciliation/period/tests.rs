//! Months, and what stands in the way of their close.

use super::*;
use crate::domain::identity::Principal;
use crate::domain::money::Money;
use crate::domain::reconciliation::balance::{Item, ItemKind};
use time::macros::date;

fn month(text: &str) -> Month {
    Month::parse("month", text).unwrap()
}

fn signed(by: &str) -> Signature {
    Signature {
        by: Principal::parse(by).unwrap(),
        at: 1,
    }
}

fn balance(book: &str, bank: &str) -> Balance {
    let money = |text| Money::parse("", text).unwrap();
    let item = Item {
        kind: ItemKind::Outstanding,
        count: 1,
        amount: money("-10.00"),
    };
    let end = date!(2025 - 06 - 30);
    Balance::new(end, end, money("100.00"), money(book), money(bank), vec![item])
}

/// June 2025, the account's second month, in good order.
fn standing() -> Standing {
    Standing {
        begins: Some(month("2025-05")),
        stated_to: Some(date!(2025 - 07 - 02)),
        closed_to: Some(month("2025-05")),
        reconciled_to: Some(date!(2025 - 07 - 02)),
        unreconciled: false,
        open_breaks: 0,
        open_postings: 0,
        balance: Some(balance("90.00", "100.00")),
        today: date!(2025 - 07 - 03),
    }
}

fn closing() -> Closing {
    Closing {
        balance: balance("90.00", "100.00"),
        resolved: 3,
        carried: 1,
    }
}

fn reasons(month: Month, standing: &Standing) -> Vec<&'static str> {
    obstacles(month, standing)
        .iter()
        .map(|obstacle| obstacle.reason)
        .collect()
}

#[test]
fn months_are_read_written_and_counted() {
    assert_eq!(month("2025-06").to_string(), "2025-06");
    assert_eq!(month("2025-12").next(), month("2026-01"));
    assert_eq!(month("2024-02").last(), date!(2024 - 02 - 29));
    assert_eq!(month("2025-12").last(), date!(2025 - 12 - 31));
    assert_eq!(Month::of(date!(2025 - 06 - 30)), month("2025-06"));
    assert!(month("2025-09") < month("2025-10"));
    for wrong in [
        "",
        "2025",
        "2025-13",
        "2025-00",
        "2025-6",
        "25-06",
        "2025-06-01",
        "2025-+6",
        "1899-12",
    ] {
        assert!(Month::parse("month", wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_month_in_good_order_has_nothing_in_its_way() {
    assert_eq!(reasons(month("2025-06"), &standing()), Vec::<&str>::new());
}

#[test]
fn each_thing_in_the_way_is_named() {
    let june = month("2025-06");
    let with = |change: fn(&mut Standing)| {
        let mut standing = standing();
        change(&mut standing);
        reasons(june, &standing)
    };
    assert_eq!(with(|s| s.begins = None), ["NO_STATEMENT"]);
    assert_eq!(with(|s| s.begins = Some(month("2025-07"))), ["NO_STATEMENT"]);
    assert_eq!(with(|s| s.today = date!(2025 - 06 - 30)), ["MONTH_NOT_OVER"]);
    assert_eq!(with(|s| s.closed_to = None), ["EARLIER_MONTH_OPEN"]);
    assert_eq!(
        with(|s| s.stated_to = Some(date!(2025 - 06 - 29))),
        ["STATEMENTS_INCOMPLETE"]
    );
    assert_eq!(
        with(|s| s.reconciled_to = Some(date!(2025 - 06 - 29))),
        ["NOT_RECONCILED"]
    );
    assert_eq!(with(|s| s.reconciled_to = None), ["NOT_RECONCILED"]);
    assert_eq!(with(|s| s.unreconciled = true), ["NOT_RECONCILED"]);
    assert_eq!(with(|s| s.open_breaks = 1), ["OPEN_BREAKS"]);
    assert_eq!(with(|s| s.open_postings = 1), ["OPEN_POSTINGS"]);
    assert_eq!(
        with(|s| s.balance = Some(balance("90.00", "100.01"))),
        ["BALANCES_DIFFER"]
    );
    let all = with(|s| {
        s.open_breaks = 2;
        s.stated_to = None;
        s.balance = None;
    });
    assert_eq!(all, ["STATEMENTS_INCOMPLETE", "OPEN_BREAKS", "BALANCES_DIFFER"]);
}

#[test]
fn one_prepares_and_another_signs() {
    let account = AccountId::parse("account", "city").unwrap();
    let mut period = Period::open(account, month("2025-06"));
    let unprepared = period
        .sign(&standing(), Some(closing()), signed("b"))
        .unwrap_err();
    assert!(matches!(
        unprepared,
        Error::State {
            reason: "PERIOD_NOT_PREPARED",
            ..
        }
    ));
    period.prepare(&standing(), Some(closing()), signed("a")).unwrap();
    let before = period.clone();
    let alone = period
        .sign(&standing(), Some(closing()), signed("a"))
        .unwrap_err();
    assert!(matches!(
        alone,
        Error::Forbidden {
            reason: "SIGNER_PREPARED_PERIOD",
            ..
        }
    ));
    let changed = Closing {
        resolved: 4,
        ..closing()
    };
    let changed = period.sign(&standing(), Some(changed), signed("b")).unwrap_err();
    assert!(matches!(
        changed,
        Error::State {
            reason: "PERIOD_CHANGED",
            ..
        }
    ));
    assert_eq!(period, before, "what is refused changes nothing");
    period.sign(&standing(), Some(closing()), signed("b")).unwrap();
    assert_eq!(period.state, PeriodState::Closed);
    assert_ne!(period.etag(), before.etag());
    assert_eq!(period.digest(), before.digest());
    let again = period
        .prepare(&standing(), Some(closing()), signed("c"))
        .unwrap_err();
    assert!(matches!(
        again,
        Error::State {
            reason: "PERIOD_CLOSED",
            ..
        }
    ));
}

#[test]
fn what_stands_in_the_way_is_told_whole() {
    let account = AccountId::parse("account", "city").unwrap();
    let mut period = Period::open(account, month("2025-06"));
    let mut bad = standing();
    bad.open_breaks = 2;
    bad.unreconciled = true;
    let refused = period.prepare(&bad, Some(closing()), signed("a")).unwrap_err();
    let Error::State { reason, message, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(reason, "NOT_RECONCILED");
    assert!(message.en.contains("2 break(s)") && message.zh.contains("2 项差异"));
    assert_eq!(period.state, PeriodState::Open);
}
