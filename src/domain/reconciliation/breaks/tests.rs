//! What can be done to a break, by whom, and what comes of it.

use super::*;
use crate::domain::money::Money;
use crate::domain::reconciliation::{Class, Reason};
use time::macros::date;

fn money(text: &str) -> Money {
    Money::parse("", text).unwrap()
}

fn signed(by: &str) -> Signature {
    Signature {
        by: Principal::parse(by).unwrap(),
        at: 1,
    }
}

const LINE: LineId = LineId {
    statement: 1,
    line: 7,
};

fn found(subject: Subject, class: Class, reason: Reason, expected: &str, found: &str) -> Break {
    Break {
        id: BreakId {
            account: AccountId::parse("account", "city").unwrap(),
            number: 3,
        },
        evidence: Evidence {
            subject,
            class,
            reason,
            other_reference: String::new(),
            other_line: None,
            expected: money(expected),
            found: money(found),
            expected_on: String::new(),
            found_on: String::new(),
            candidates: 0,
            since: "2025-06-20".to_owned(),
        },
        state: BreakState::Open,
        version: 1,
        period: Month::parse("month", "2025-06").unwrap(),
        assignee: None,
        resolution: None,
        carried_to: None,
        corrects: None,
    }
}

fn unknown_line(amount: &str) -> Break {
    found(
        Subject::Line(LINE),
        Class::UnknownAtBank,
        Reason::NothingFits,
        "0.00",
        amount,
    )
}

fn missing_payment() -> Break {
    found(
        Subject::Payment("RF24123C1".to_owned()),
        Class::MissingAtBank,
        Reason::NoLine,
        "-100.00",
        "0.00",
    )
}

fn by_hand() -> How {
    How::Match {
        lines: vec![LINE],
        payments: vec!["RF24123C1".to_owned()],
    }
}

fn state_reason(error: &Error) -> &'static str {
    match error {
        Error::State { reason, .. } | Error::Forbidden { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

fn field(error: &Error) -> String {
    match error {
        Error::Invalid(violations) => violations[0].field.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_moves_money_waits_for_a_second_person() {
    let mut found = unknown_line("-100.00");
    let steps = found
        .resolve(by_hand(), "as the bank says".to_owned(), signed("a"))
        .unwrap();
    assert_eq!(steps[0].kind, StepKind::Proposed);
    assert_eq!(found.state, BreakState::Proposed);
    let before = found.clone();
    let alone = found.approve(signed("a")).unwrap_err();
    assert_eq!(state_reason(&alone), "APPROVER_PROPOSED_RESOLUTION");
    assert_eq!(found, before, "what is refused changes nothing");
    assert!(found.complete(signed("b")).is_err(), "nobody has approved it");
    let step = found.approve(signed("b")).unwrap().unwrap();
    assert_eq!(
        (step.kind, found.state),
        (StepKind::Approved, BreakState::Approved)
    );
    assert_ne!(found.etag(), before.etag());
    // Cut short, and approved again: no second step.
    assert_eq!(found.approve(signed("b")).unwrap(), None);
    assert_eq!(
        found.resolution.as_ref().unwrap().approved,
        Some(signed("b")),
        "the first approval stays"
    );
    assert_eq!(found.complete(signed("b")).unwrap().kind, StepKind::Resolved);
    assert_eq!(found.state, BreakState::Resolved);
    let correction = How::Correct {
        correction: Correction::Fail {
            payment: "RF24123C1".to_owned(),
        },
    };
    let mut missing = missing_payment();
    missing
        .resolve(correction, "rejected".to_owned(), signed("a"))
        .unwrap();
    assert_eq!(missing.state, BreakState::Proposed);
}

#[test]
fn what_was_proposed_can_be_rejected_or_fail() {
    let mut found = unknown_line("-100.00");
    found.resolve(by_hand(), "x".to_owned(), signed("a")).unwrap();
    let step = found.reject("not this one".to_owned(), signed("a")).unwrap();
    assert_eq!(
        (step.kind, step.note.as_str()),
        (StepKind::Rejected, "not this one")
    );
    assert_eq!((found.state, &found.resolution), (BreakState::Open, &None));
    assert!(found.reject("again".to_owned(), signed("a")).is_err());
    found.resolve(by_hand(), "x".to_owned(), signed("a")).unwrap();
    found.approve(signed("b")).unwrap();
    assert!(found.reject("too late".to_owned(), signed("c")).is_err());
    let step = found
        .fall_back("the ledger refused".to_owned(), signed("b"))
        .unwrap();
    assert_eq!((step.kind, found.state), (StepKind::Refused, BreakState::Open));
}

#[test]
fn what_moves_nothing_is_done_at_once() {
    for (how, amount) in [
        (How::BankError, "-100.00"),
        (explain(Category::Fee), "-7.00"),
        (explain(Category::Interest), "1.20"),
        (explain(Category::Receipt), "5000.00"),
    ] {
        let mut found = unknown_line(amount);
        let steps = found.resolve(how, "seen".to_owned(), signed("a")).unwrap();
        assert_eq!(steps[0].kind, StepKind::Resolved);
        assert_eq!(found.state, BreakState::Resolved);
        assert_eq!(
            state_reason(&found.approve(signed("b")).unwrap_err()),
            "BREAK_STATE"
        );
        assert!(
            found
                .resolve(How::BankError, "x".to_owned(), signed("a"))
                .is_err()
        );
    }
}

fn explain(category: Category) -> How {
    How::Explain {
        category,
        entry: String::new(),
    }
}

#[test]
fn carried_over_it_is_open_in_the_next_month_and_older() {
    let mut found = missing_payment();
    let steps = found
        .resolve(How::CarryOver, "bank asked".to_owned(), signed("a"))
        .unwrap();
    assert_eq!(steps[0].kind, StepKind::CarriedOver);
    assert_eq!(steps[0].note, "2025-07: bank asked");
    assert_eq!(
        (found.state, found.period.to_string()),
        (BreakState::Open, "2025-07".to_owned())
    );
    assert_eq!(found.carried_to, Some(found.period));
    assert_eq!(found.age(date!(2025 - 07 - 20)), 30);
    assert_eq!(found.age(date!(2025 - 06 - 01)), 0);
}

#[test]
fn only_what_fits_a_break_resolves_it() {
    let mut payment = missing_payment();
    let mut refuse = |how: How| {
        let refused = payment.resolve(how, "x".to_owned(), signed("a")).unwrap_err();
        assert_eq!(payment.state, BreakState::Open);
        field(&refused)
    };
    assert_eq!(refuse(How::BankError), "bank_error");
    assert_eq!(refuse(explain(Category::Fee)), "explanation");
    assert_eq!(refuse(How::Accept), "accept");
    let other = How::Correct {
        correction: Correction::Fail {
            payment: "RF97124C1".to_owned(),
        },
    };
    assert_eq!(refuse(other), "correction.payment");
    let nothing = How::Correct {
        correction: Correction::Return {
            payment: "RF24123C1".to_owned(),
            amount: Money::ZERO,
        },
    };
    assert_eq!(refuse(nothing), "correction.amount");
    for (lines, payments) in [
        (vec![], vec!["RF24123C1"]),
        (vec![LINE], vec![]),
        (vec![LINE, LINE], vec!["RF24123C1"]),
        (vec![LINE], vec!["RF97124C1"]),
    ] {
        let payments = payments.into_iter().map(str::to_owned).collect();
        assert_eq!(refuse(How::Match { lines, payments }), "match");
    }
    let mut line = unknown_line("1.20");
    let mut refuse = |how: How| field(&line.resolve(how, "x".to_owned(), signed("a")).unwrap_err());
    assert_eq!(refuse(explain(Category::Fee)), "explanation.category");
    let entry = How::Explain {
        category: Category::Interest,
        entry: "funds/f/entries/1".to_owned(),
    };
    assert_eq!(refuse(entry), "explanation.entry");
    assert!(
        unknown_line("-1.20")
            .resolve(explain(Category::Receipt), "x".to_owned(), signed("a"))
            .is_err()
    );
    let refused = |reason| {
        found(
            Subject::Payment("RF24123C1".to_owned()),
            Class::Reversed,
            reason,
            "-1.00",
            "1.00",
        )
    };
    assert!(
        refused(Reason::Returned)
            .resolve(How::Accept, "x".to_owned(), signed("a"))
            .is_ok()
    );
    assert!(
        refused(Reason::PostingRefused)
            .resolve(How::Accept, "x".to_owned(), signed("a"))
            .is_err()
    );
}

#[test]
fn resolved_it_can_be_opened_again() {
    let mut found = unknown_line("-7.00");
    assert_eq!(
        state_reason(&found.reopen("x".to_owned(), signed("a")).unwrap_err()),
        "BREAK_STATE"
    );
    found
        .resolve(explain(Category::Fee), "x".to_owned(), signed("a"))
        .unwrap();
    assert!(
        found.assign(None, signed("a")).is_err(),
        "nobody works on what is done"
    );
    let step = found.reopen("no fee".to_owned(), signed("b")).unwrap();
    assert_eq!((step.kind, found.state), (StepKind::Reopened, BreakState::Open));
    assert_eq!(found.resolution, None);
    let who = Principal::parse("c").unwrap();
    let step = found.assign(Some(who), signed("a")).unwrap();
    assert_eq!((step.kind, step.note.as_str()), (StepKind::Assigned, "c"));
}

#[test]
fn of_a_closed_month_another_takes_its_place_and_says_so() {
    let mut old = unknown_line("-7.00");
    old.resolve(explain(Category::Fee), "x".to_owned(), signed("a"))
        .unwrap();
    let july = Month::parse("month", "2025-07").unwrap();
    let (new, step) = old.correction(9, july, "no fee", signed("b"));
    assert_eq!((new.id.number, new.corrects, new.period), (9, Some(3), july));
    assert_eq!((new.state, &new.resolution), (BreakState::Open, &None));
    assert!(
        step.note.contains("2025-06") && step.note.contains("break 3"),
        "{}",
        step.note
    );
    assert_eq!(old.state, BreakState::Resolved);
}

#[test]
fn sums_are_compared_to_the_fen() {
    let sums = |lines: &[&str], payments: &[&str]| {
        check_sums(
            lines.iter().map(|text| money(text)),
            payments.iter().map(|text| money(text)),
        )
    };
    assert!(sums(&["-100.00"], &["60.00", "40.00"]).is_ok());
    assert!(sums(&["-60.00", "-40.00"], &["100.00"]).is_ok());
    assert!(sums(&["-100.01"], &["100.00"]).is_err());
    assert!(sums(&["100.00"], &["100.00"]).is_err(), "money in pays nothing");
    let refused = sums(&["-1.00"], &["2.00"]).unwrap_err();
    assert_eq!(refused.found, "lines 1.00, payments 2.00");
}

#[test]
fn words_are_short_and_without_numbers_of_accounts() {
    assert_eq!(words("reason", "  RF24123C1 到账 ").unwrap(), "RF24123C1 到账");
    for number in [
        "6222020000000000123",
        "6222 0200 0000 0000 123",
        "６２２２０２０００",
    ] {
        let masked = words("reason", &format!("account {number}")).unwrap();
        assert!(
            !masked.contains("020") && masked.starts_with("account "),
            "{masked}"
        );
    }
    let long = "长".repeat(MAX_WORDS + 1);
    for wrong in ["", "  ", "a\nb", long.as_str()] {
        let refused = words("reason", wrong).unwrap_err();
        assert_eq!(refused.field, "reason");
        assert!(wrong.trim().is_empty() || !refused.found.contains(wrong));
    }
}
