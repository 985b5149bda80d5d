use super::*;
use crate::domain::reconciliation::Rules;

fn payment(state: PaymentState) -> PaymentFacts {
    PaymentFacts {
        reference: "RF24123C1".to_owned(),
        amount: 100,
        state,
        execution: "2026-01-05".to_owned(),
        deadline: "2026-01-10".to_owned(),
        returned: 0,
        refused: false,
        paid_by_other: None,
    }
}

fn line(number: u64, amount: i64) -> SeenLine {
    SeenLine {
        id: id(number),
        booked: format!("2026-01-{:02}", 5 + number),
        amount,
        reversal: false,
        had: None,
    }
}

fn id(line: u64) -> LineId {
    LineId { statement: 1, line }
}

/// The class of every line by number, the payment's class and reason, and what is posted.
type Told = (Vec<(u64, Class)>, Option<(Class, Reason)>, Vec<Posting>);

fn told(payment: &PaymentFacts, lines: Vec<SeenLine>) -> Told {
    let decision = decide(payment, lines.clone(), &Rules::default());
    let mut classes = Vec::new();
    for line in &lines {
        let linked = decision.links.iter().filter(|link| link.line == line.id);
        let mut found: Vec<Class> = linked.map(|link| link.class).collect();
        let broken = decision
            .findings
            .iter()
            .find(|finding| finding.subject == Subject::Line(line.id));
        let broken = broken.filter(|finding| finding.class != Class::Matched);
        found.extend(broken.map(|finding| finding.class));
        found.dedup();
        assert_eq!(found.len(), 1, "line {} is in {found:?}", line.id.line);
        classes.push((line.id.line, found[0]));
    }
    let subject = Subject::Payment(payment.reference.clone());
    let about = decision
        .findings
        .iter()
        .find(|finding| finding.subject == subject);
    let about = about.filter(|finding| finding.class != Class::Matched);
    let mut parts: Vec<u64> = decision.links.iter().map(|link| link.part).collect();
    parts.sort_unstable();
    let numbered = parts.len() as u64;
    assert!(parts.iter().copied().eq(0..numbered), "{parts:?}");
    (
        classes,
        about.map(|finding| (finding.class, finding.reason)),
        decision.postings,
    )
}

fn settled() -> PaymentFacts {
    payment(PaymentState::Settled)
}

#[test]
fn one_line_pays_and_the_next_pays_again() {
    let (lines, payment, postings) = told(&settled(), vec![line(2, -100), line(1, -100)]);
    assert_eq!(lines, [(2, Class::DuplicateAtBank), (1, Class::Matched)]);
    assert_eq!((payment, postings), (None, Vec::new()));
}

#[test]
fn a_credit_undoes_the_latest_debit_before_it() {
    let (lines, payment, postings) = told(&settled(), vec![line(1, -100), line(2, -100), line(3, 100)]);
    assert_eq!(
        lines,
        [(1, Class::Matched), (2, Class::Reversed), (3, Class::Reversed)]
    );
    assert_eq!((payment, postings), (None, Vec::new()));
    let (lines, payment, _) = told(&settled(), vec![line(1, -100), line(2, 100), line(3, -100)]);
    assert_eq!(
        lines,
        [(1, Class::Reversed), (2, Class::Reversed), (3, Class::Matched)]
    );
    assert_eq!(payment, None);
}

#[test]
fn what_came_back_is_posted_by_what_the_books_had() {
    let back = || vec![line(1, -100), line(2, 100)];
    for (state, fails) in [(PaymentState::Instructed, true), (PaymentState::Settled, false)] {
        let (_, about, postings) = told(&payment(state), back());
        assert_eq!(about, Some((Class::Reversed, Reason::Returned)));
        assert_eq!(
            postings,
            [Posting {
                line: id(2),
                fails,
                amount: 100
            }]
        );
    }
    let (lines, _, postings) = told(&payment(PaymentState::Failed), back());
    assert_eq!(lines, [(1, Class::Reversed), (2, Class::Reversed)]);
    assert_eq!(postings, []);
    let posted = PaymentFacts {
        returned: 100,
        ..settled()
    };
    assert_eq!(told(&posted, back()).2, [], "not twice");
}

#[test]
fn a_part_of_a_split_may_come_back() {
    let (lines, about, postings) = told(&settled(), vec![line(1, -60), line(2, -40), line(3, 40)]);
    assert_eq!(
        lines,
        [(1, Class::Matched), (2, Class::Reversed), (3, Class::Reversed)]
    );
    assert_eq!(about, Some((Class::Reversed, Reason::ReturnedInPart)));
    assert_eq!(
        postings,
        [Posting {
            line: id(3),
            fails: false,
            amount: 40
        }]
    );
}

#[test]
fn money_paid_after_it_came_back_is_no_payment() {
    let posted = PaymentFacts {
        returned: 100,
        ..settled()
    };
    let decision = decide(
        &posted,
        vec![line(1, -100), line(2, 100), line(3, -100)],
        &Rules::default(),
    );
    let third = decision
        .findings
        .iter()
        .find(|finding| finding.subject == Subject::Line(id(3)));
    assert_eq!(third.unwrap().reason, Reason::PaymentReturned);
    assert_eq!(decision.postings, []);
}

#[test]
fn a_closed_month_keeps_what_it_says() {
    let mut closed = line(1, -100);
    closed.had = Some(Had {
        class: Class::Matched,
        rule: Rule::Reference,
        part: 0,
        locked: true,
    });
    let decision = decide(&settled(), vec![closed, line(2, 100)], &Rules::default());
    let first = decision.links.iter().find(|link| link.line == id(1)).unwrap();
    assert_eq!((first.class, first.part), (Class::Matched, 0));
    let second = decision.links.iter().find(|link| link.line == id(2)).unwrap();
    assert_eq!((second.class, second.part), (Class::Reversed, 1));
    assert_eq!(decision.postings.len(), 1);
}

#[test]
fn a_line_beside_a_total_pays_again_and_a_credit_undoes_the_total_s_part() {
    let by_total = PaymentFacts {
        paid_by_other: Some((
            LineId {
                statement: 1,
                line: 9,
            },
            "2026-01-06".to_owned(),
        )),
        ..settled()
    };
    let again = decide(&by_total, vec![line(1, -100)], &Rules::default());
    assert_eq!(again.links[0].class, Class::DuplicateAtBank);
    assert_eq!(again.links[0].part, 1, "the total is 0");
    let back = decide(&by_total, vec![line(1, 100)], &Rules::default());
    assert_eq!(back.links[0].class, Class::Reversed);
    assert_eq!(back.postings.len(), 1);
}

#[test]
fn no_order_of_lines_changes_what_they_come_to() {
    let lines = [line(1, -60), line(2, -100), line(3, 60), line(4, -40), line(5, 7)];
    let wanted = decide(&settled(), lines.to_vec(), &Rules::default());
    let mut turned = lines.to_vec();
    for _ in 0..lines.len() {
        turned.rotate_left(1);
        assert_eq!(decide(&settled(), turned.clone(), &Rules::default()), wanted);
    }
    // Decided again on what was decided, nothing changes.
    let had: Vec<SeenLine> = lines
        .iter()
        .map(|line| {
            let link = wanted.links.iter().find(|link| link.line == line.id);
            SeenLine {
                had: link.map(|link| Had {
                    class: link.class,
                    rule: link.rule,
                    part: link.part,
                    locked: false,
                }),
                ..line.clone()
            }
        })
        .collect();
    assert_eq!(decide(&settled(), had, &Rules::default()), wanted);
}

/// What a payment comes to where its lines come in one by one, and everything that follows is posted in between.
fn told_one_by_one(state: PaymentState, lines: &[SeenLine]) -> (PaymentFacts, Decision) {
    let mut payment = payment(state);
    let mut seen: Vec<SeenLine> = Vec::new();
    let mut last = Decision::default();
    for line in lines {
        seen.push(line.clone());
        let decision = decide(&payment, seen.clone(), &Rules::default());
        for line in &mut seen {
            let link = decision.links.iter().find(|link| link.line == line.id);
            line.had = link.map(|link| Had {
                class: link.class,
                rule: link.rule,
                part: link.part,
                locked: false,
            });
        }
        let paid = |link: &Link| link.part == 0 && matches!(link.class, Class::Matched | Class::Late);
        if payment.state == PaymentState::Instructed && decision.links.iter().any(paid) {
            payment.state = PaymentState::Settled;
        }
        for posting in &decision.postings {
            if posting.fails {
                payment.state = PaymentState::Failed;
            } else {
                payment.returned += posting.amount;
            }
        }
        let again = decide(&payment, seen.clone(), &Rules::default());
        assert_eq!(
            again.postings,
            [],
            "what was posted is not posted again: {lines:#?}"
        );
        last = again;
    }
    (payment, last)
}

#[test]
fn a_return_that_the_bank_takes_back_is_a_break_where_it_was_posted() {
    let taken = SeenLine {
        reversal: true,
        ..line(3, -100)
    };
    let lines = [line(1, -100), line(2, 100), taken];
    for state in [PaymentState::Instructed, PaymentState::Settled] {
        let (payment, decision) = told_one_by_one(state, &lines);
        let subject = Subject::Payment(payment.reference.clone());
        let about = decision
            .findings
            .iter()
            .find(|finding| finding.subject == subject);
        let about = about.unwrap();
        assert_eq!(
            (about.class, about.reason, about.found_on.as_str()),
            (Class::Reversed, Reason::ReturnTakenBack, "2026-01-07"),
            "{state:?}"
        );
    }
    // Not posted, nothing came of it.
    let (_, about, postings) = told(&settled(), lines.to_vec());
    assert_eq!((about, postings), (None, Vec::new()));
}

#[test]
fn however_lines_come_in_every_line_and_the_payment_have_one_class() {
    let kinds = [
        (-100, false),
        (100, false),
        (-100, true),
        (-60, false),
        (-40, false),
        (40, false),
        (-40, true),
    ];
    let mut all: Vec<Vec<SeenLine>> = vec![Vec::new()];
    for number in 1..=5 {
        let longer = all
            .iter()
            .filter(|lines| lines.len() + 1 == usize::try_from(number).unwrap());
        let longer: Vec<Vec<SeenLine>> = longer
            .flat_map(|lines| {
                kinds.iter().map(move |&(amount, reversal)| {
                    let mut lines = lines.clone();
                    lines.push(SeenLine {
                        reversal,
                        ..line(number, amount)
                    });
                    lines
                })
            })
            .collect();
        all.extend(longer);
    }
    for (lines, state) in all
        .iter()
        .filter(|lines| !lines.is_empty())
        .flat_map(|lines| [PaymentState::Instructed, PaymentState::Settled].map(|state| (lines, state)))
    {
        let (payment, decision) = told_one_by_one(state, lines);
        for line in lines {
            let linked = decision.links.iter().filter(|link| link.line == line.id).count();
            let found = |finding: &&Evidence| {
                finding.subject == Subject::Line(line.id) && finding.class == Class::UnknownAtBank
            };
            let unknown = decision.findings.iter().filter(found).count();
            assert_eq!(linked + unknown, 1, "line {:?} of {lines:#?}", line.id);
        }
        let subject = Subject::Payment(payment.reference.clone());
        let about = decision
            .findings
            .iter()
            .find(|finding| finding.subject == subject);
        let broken = about.is_some_and(|finding| finding.class != Class::Matched);
        let paid = |link: &Link| link.part == 0 && matches!(link.class, Class::Matched | Class::Late);
        let paid = decision.links.iter().any(paid);
        // Where no line ever paid it, it is looked for among those that are missing.
        let undone = |link: &Link| link.class == Class::Reversed;
        let missing = about.is_none() && decision.links.iter().all(undone);
        let failed = payment.state == PaymentState::Failed;
        assert!(
            broken || paid || missing || failed,
            "{state:?} {lines:#?} {decision:#?}"
        );
        assert!(!(broken && missing), "{lines:#?}");
        assert!(
            payment.returned == 0 || broken,
            "what the books have as returned is never simply paid: {lines:#?}"
        );
    }
}
