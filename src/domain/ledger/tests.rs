//! Random journals: what holds of them whatever is posted, and what verification makes of changed ones.

use super::*;
use crate::domain::allocation::{FundId, Signature};
use crate::domain::digest::Digest;
use crate::domain::identity::Principal;
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn fund() -> FundId {
    FundId::parse("fund", "citizenization-2025").unwrap()
}

pub(crate) fn region(number: usize) -> RegionCode {
    RegionCode::parse("region", ["411071", "411081", "4110-DC"][number % 3]).unwrap()
}

pub(crate) fn programme(number: usize) -> ProgrammeCode {
    ProgrammeCode::parse("programme", ["housing-purchase", "deed-tax"][number % 2]).unwrap()
}

pub(crate) fn signed(at: i64) -> Signature {
    Signature {
        by: Principal::parse("张三, 出纳").unwrap(),
        at,
    }
}

/// Something that somebody tries to post.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) event: usize,
    pub(crate) payer: usize,
    pub(crate) region: usize,
    pub(crate) programme: usize,
    pub(crate) fen: i64,
    /// Takes back one of the entries before instead.
    pub(crate) reverses: Option<usize>,
    /// How the clock moves, forward or back.
    pub(crate) later: i64,
}

pub(crate) fn attempts(most: usize) -> impl Strategy<Value = Vec<Attempt>> {
    let attempt = (
        0..Event::ALL.len(),
        0_usize..2,
        0_usize..3,
        0_usize..2,
        1_i64..5_000,
        prop::option::weighted(0.1, 0_usize..1_000),
        -5_000_000_i64..3_600_000_000,
    );
    let attempt = attempt.prop_map(
        |(event, payer, region, programme, fen, reverses, later)| Attempt {
            event,
            payer,
            region,
            programme,
            fen,
            reverses,
            later,
        },
    );
    prop::collection::vec(attempt, 0..most)
}

/// Posts what can be posted, as the use cases do, and gives the journal.
pub(crate) fn post_all(attempts: &[Attempt]) -> (Books, Vec<Entry>) {
    let mut books = Books::empty(fund());
    let mut at = 1_740_000_000_000_000;
    let mut reversed = BTreeSet::new();
    for attempt in attempts {
        at += attempt.later;
        let number = books.head().entries + 1;
        let posting = match attempt.reverses {
            Some(back) => {
                let Some(entry) = books.made().get(back) else {
                    continue;
                };
                let manual = entry.posting.event.is_manual() && entry.posting.reverses.is_none();
                if !manual || reversed.contains(&entry.number) {
                    continue;
                }
                entry.posting.reversal(
                    entry.number,
                    format!("funds/f/entries/{number}"),
                    "记错; 了".to_owned(),
                )
            }
            None => {
                let event = Event::ALL[attempt.event];
                let payers = event.payers();
                let payer = payers[attempt.payer % payers.len()];
                let (from, to) = event
                    .accounts(
                        payer,
                        Some(&region(attempt.region)),
                        Some(&programme(attempt.programme)),
                    )
                    .unwrap();
                Posting {
                    event,
                    from,
                    to,
                    amount: Money::from_fen(attempt.fen).unwrap(),
                    subject: format!("funds/f/entries/{number}"),
                    note: "豫财预〔2024〕101号".to_owned(),
                    reverses: None,
                }
            }
        };
        let reverses = posting.reverses;
        if books.post(vec![posting], &signed(at)).is_ok() {
            reversed.extend(reverses);
        }
    }
    let made = books.made().to_vec();
    (books, made)
}

/// The balances as the store keeps them.
pub(crate) fn stored(entries: &[Entry]) -> Vec<StoredBalance> {
    let mut last: BTreeMap<String, StoredBalance> = BTreeMap::new();
    for entry in entries {
        for (account, balance) in [
            (&entry.posting.from, entry.from_balance),
            (&entry.posting.to, entry.to_balance),
        ] {
            let row = StoredBalance {
                account: account.to_string(),
                parts: [
                    account.payer.code().to_owned(),
                    account
                        .region
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    account
                        .programme
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    account.bucket.code().to_owned(),
                ],
                fen: balance.fen(),
                entry: entry.number,
            };
            last.insert(row.account.clone(), row);
        }
    }
    last.into_values().collect()
}

pub(crate) fn verify(entries: &[Entry], head: &Head, balances: &[StoredBalance]) -> Verification {
    let mut verifier = Verifier::new(fund(), 1_000);
    for entry in entries {
        let reverses = entry.posting.reverses;
        let target = reverses.and_then(|number| entries.iter().find(|entry| entry.number == number));
        verifier.entry(entry, target);
    }
    verifier.finish(head, balances)
}

fn fields(verification: &Verification) -> BTreeSet<(Option<u64>, String)> {
    let field = |finding: &Finding| (finding.entry, finding.field.to_owned());
    verification.findings.iter().map(field).collect()
}

/// A journal in which every event occurs, one of them reversed.
pub(crate) fn example() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let mut add = |event: Event, payer: usize, fen: i64| {
        attempts.push(Attempt {
            event: Event::ALL.iter().position(|known| *known == event).unwrap(),
            payer,
            region: 1,
            programme: 0,
            fen,
            reverses: None,
            later: 1_000_000,
        });
    };
    add(Event::Receive, 0, 100_000);
    add(Event::Surrender, 0, 5_000);
    add(Event::Issue, 0, 60_000);
    add(Event::Recover, 0, 10_000);
    add(Event::Contribute, 0, 7_000);
    add(Event::Retract, 0, 1_000);
    for payer in 0..2 {
        add(Event::Assign, payer, 5_000);
        add(Event::Unassign, payer, 500);
        add(Event::Reserve, payer, 4_000);
        add(Event::Release, payer, 1_000);
        add(Event::Instruct, payer, 2_500);
        add(Event::Fail, payer, 500);
        add(Event::Settle, payer, 1_800);
        add(Event::Return, payer, 300);
    }
    add(Event::Receive, 0, 1);
    attempts.push(Attempt {
        reverses: Some(attempts.len() - 1),
        ..attempts[0].clone()
    });
    attempts
}

#[test]
fn the_example_has_every_event_and_verifies() {
    let (books, entries) = post_all(&example());
    assert_eq!(entries.len(), example().len());
    let events: BTreeSet<Event> = entries.iter().map(|entry| entry.posting.event).collect();
    assert_eq!(events.len(), Event::ALL.len());
    let clean = verify(&entries, books.head(), &stored(&entries));
    assert_eq!((clean.count, clean.findings), (0, Vec::new()));
    assert_eq!(
        (clean.entries, clean.digest),
        (entries.len() as u64, books.head().digest.clone())
    );
}

#[test]
fn the_status_of_the_example_adds_up_to_what_happened() {
    let (books, entries) = post_all(&example());
    let yuan = |fen: i64| Money::from_fen(fen).unwrap();
    let returned = entries
        .iter()
        .filter(|entry| entry.posting.event == Event::Return)
        .map(|entry| (entry.posting.from.clone(), entry.posting.amount));
    let allocated = BTreeMap::from([(region(1), yuan(50_000))]);
    let lines = status(books.balances().clone(), &allocated, &returned.collect());
    let shown: Vec<String> = lines
        .iter()
        .map(|line| {
            let amounts = [
                line.received,
                line.surrendered,
                line.unallocated,
                line.allocated,
                line.issued,
                line.assigned,
                line.available,
                line.reserved,
                line.in_payment,
                line.paid,
                line.returned,
            ];
            format!(
                "{} {} {} {}",
                line.region.as_ref().map_or("-", |region| region.as_str()),
                line.programme
                    .as_ref()
                    .map_or("-", |programme| programme.as_str()),
                line.payer.unwrap(),
                amounts.map(|amount| amount.fen().to_string()).join(" ")
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "- - city 100000 5000 45000 0 0 0 0 0 0 0 0",
            "411081 - city 0 0 0 50000 50000 -4500 45500 0 0 0 0",
            "411081 housing-purchase city 0 0 0 0 0 4500 1800 1000 200 1500 300",
            "411081 - county 6000 0 0 0 6000 -4500 1500 0 0 0 0",
            "411081 housing-purchase county 0 0 0 0 0 4500 1800 1000 200 1500 300",
        ]
    );
    let regions = by_region(&lines);
    assert_eq!(regions.len(), 3);
    let total = total(&lines);
    assert_eq!(total, super::total(&regions));
    assert_eq!(total.received, yuan(106_000));
    assert_eq!((total.issued, total.assigned), (yuan(56_000), Money::ZERO));
}

#[test]
fn each_kind_of_change_is_named() {
    let (books, entries) = post_all(&example());
    let head = books.head();
    let balances = stored(&entries);
    let found = |entries: &[Entry]| fields(&verify(entries, head, &balances));
    let named = |numbers: &[(u64, &str)]| -> BTreeSet<(Option<u64>, String)> {
        numbers
            .iter()
            .map(|(number, field)| (Some(*number), (*field).to_owned()))
            .collect()
    };

    // An amount: the entry's digest and both of its balances, and the balances of its two accounts.
    let mut changed = entries.clone();
    changed[2].posting.amount = Money::from_fen(60_001).unwrap();
    let all = verify(&changed, head, &balances);
    let mut expected = named(&[(3, "digest"), (3, "from_balance"), (3, "to_balance")]);
    expected.insert((None, "balance".to_owned()));
    assert_eq!(fields(&all), expected);
    let accounts: Vec<(&str, &str, &str)> = (all.findings.iter())
        .filter(|finding| finding.entry.is_none())
        .map(|finding| (&*finding.account, &*finding.stored, &*finding.expected))
        .collect();
    assert_eq!(
        accounts,
        [
            ("city/-/-/unallocated", "450.00", "449.99"),
            ("city/411081/-/quota", "455.00", "455.01")
        ]
    );

    for (change, expected) in [
        (
            (|entry: &mut Entry| entry.posting.note.push('x')) as fn(&mut Entry),
            named(&[(5, "digest")]),
        ),
        (
            |entry| entry.signed.by = Principal::parse("李四").unwrap(),
            named(&[(5, "digest")]),
        ),
        (|entry| entry.signed.at = 0, named(&[(5, "digest"), (5, "at")])),
        (
            |entry| entry.posting.event = Event::Retract,
            named(&[(5, "digest"), (5, "accounts")]),
        ),
        (
            |entry| entry.digest = Digest::of(b"other"),
            named(&[(5, "digest"), (6, "digest")]),
        ),
        (
            |entry| entry.posting.reverses = Some(1),
            named(&[(5, "digest"), (5, "accounts"), (5, "reverses")]),
        ),
        (
            |entry| entry.to_balance = Money::from_fen(7_100).unwrap(),
            named(&[(5, "to_balance"), (6, "from_balance")]),
        ),
    ] {
        let mut changed = entries.clone();
        change(&mut changed[4]);
        assert_eq!(found(&changed), expected);
    }

    // An entry that is gone is missed by its number; one that never was breaks the chain.
    let mut gone = entries.clone();
    gone.remove(4);
    let missing = found(&gone);
    assert!(missing.contains(&(Some(6), "number".to_owned())), "{missing:?}");
    assert!(missing.contains(&(Some(6), "digest".to_owned())), "{missing:?}");
    let mut cut = entries.clone();
    cut.pop();
    let missing = found(&cut);
    for field in ["entries", "digest", "balance", "entry"] {
        assert!(missing.contains(&(None, field.to_owned())), "{field} {missing:?}");
    }
    let mut swapped = entries.clone();
    swapped.swap(4, 5);
    (swapped[4].number, swapped[5].number) = (5, 6);
    let order = found(&swapped);
    for number in [5, 6] {
        assert!(order.contains(&(Some(number), "digest".to_owned())), "{order:?}");
    }

    // Balances and the fund's row.
    let mut rows = balances.clone();
    rows[0].fen += 1;
    rows[1].entry += 1;
    rows[2].parts[1] = "411071".to_owned();
    let lost = rows.pop().unwrap();
    let verification = verify(&entries, head, &rows);
    let about: Vec<(&str, &str)> = (verification.findings.iter())
        .map(|finding| (&*finding.account, finding.field))
        .collect();
    assert_eq!(
        about,
        [
            (&*rows[0].account, "balance"),
            (&*rows[1].account, "entry"),
            (&*rows[2].account, "parts"),
            (&*lost.account, "balance")
        ]
    );
    let other = Head {
        digest: Digest::of(b"other"),
        ..head.clone()
    };
    assert_eq!(
        fields(&verify(&entries, &other, &balances)),
        BTreeSet::from([(None, "digest".to_owned())])
    );
}

#[test]
fn findings_are_counted_beyond_those_kept() {
    let (_, entries) = post_all(&example());
    let mut verifier = Verifier::new(fund(), 2);
    for entry in &entries {
        verifier.unreadable(entry.number, "no event", entry.digest.clone());
    }
    let found = verifier.finish(&Head::genesis(&fund()), &[]);
    assert_eq!(found.findings.len(), 2);
    assert!(found.count > entries.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_posted_the_books_hold(attempts in attempts(150)) {
        let (books, entries) = post_all(&attempts);
        let sum: i64 = books.balances().values().map(|balance| balance.fen()).sum();
        prop_assert_eq!(sum, 0);
        for (account, balance) in books.balances() {
            prop_assert!(!balance.is_negative() || account.bucket.may_be_negative(), "{} {}", account, balance);
        }
        for pair in entries.windows(2) {
            prop_assert_eq!(pair[0].number + 1, pair[1].number);
            prop_assert!(pair[0].signed.at <= pair[1].signed.at);
        }
        for entry in &entries {
            prop_assert_eq!(entry.posting.defect(), None);
        }
        let clean = verify(&entries, books.head(), &stored(&entries));
        prop_assert_eq!(clean.findings, Vec::new());
        for line in status(books.balances().clone(), &BTreeMap::new(), &BTreeMap::new()) {
            let held: Money = [line.available, line.reserved, line.in_payment, line.paid].into_iter().sum();
            prop_assert_eq!(line.issued.checked_add(line.assigned), Some(held));
            prop_assert!(line.payer == Some(Payer::City) || line.received == line.issued);
        }
        let lines = status(books.balances().clone(), &BTreeMap::new(), &BTreeMap::new());
        let total = total(&lines);
        prop_assert_eq!(total.assigned, Money::ZERO);
        prop_assert_eq!(total.received, [total.surrendered, total.unallocated, total.issued].into_iter().sum());
    }

    #[test]
    fn a_refused_batch_changes_nothing(attempts in attempts(60), fen in 1_i64..100_000) {
        let (mut books, entries) = post_all(&attempts);
        let before = (books.head().clone(), books.balances().clone());
        let (from, to) = Event::Receive.accounts(Payer::City, None, None).unwrap();
        let posting = |from: &Account, to: &Account, amount| Posting {
            event: Event::Receive,
            from: from.clone(),
            to: to.clone(),
            amount,
            subject: String::new(),
            note: String::new(),
            reverses: None,
        };
        let more = books.balance(&to).checked_add(Money::from_fen(fen + 1).unwrap()).unwrap();
        let refused = books.post(
            vec![posting(&from, &to, Money::from_fen(fen).unwrap()), posting(&to, &from, more)],
            &signed(0),
        );
        prop_assert!(refused.is_err());
        prop_assert_eq!(books.made(), &entries[..]);
        prop_assert_eq!(books.head(), &before.0);
        let nothing = |(_, balance): &(Account, Money)| *balance != Money::ZERO;
        let held = |balances: &BTreeMap<Account, Money>| -> Vec<(Account, Money)> {
            balances.clone().into_iter().filter(nothing).collect()
        };
        prop_assert_eq!(held(books.balances()), held(&before.1));
    }

    #[test]
    fn any_change_of_any_entry_is_found(attempts in attempts(60), at in 0_usize..1_000, what in 0_usize..7) {
        let (books, entries) = post_all(&attempts);
        prop_assume!(!entries.is_empty());
        let at = at % entries.len();
        let mut changed = entries.clone();
        let entry = &mut changed[at];
        match what {
            0 => entry.posting.amount = entry.posting.amount.checked_add(Money::from_fen(1).unwrap()).unwrap(),
            1 => entry.posting.note.push('!'),
            2 => entry.signed.at += 1,
            3 => std::mem::swap(&mut entry.posting.from, &mut entry.posting.to),
            4 => entry.from_balance = entry.from_balance.checked_add(Money::from_fen(1).unwrap()).unwrap(),
            5 => entry.posting.subject.clear(),
            _ => entry.number += 1,
        }
        let found = verify(&changed, books.head(), &stored(&entries));
        prop_assert!(found.findings.iter().any(|finding| finding.entry == Some(changed[at].number)), "{:?}", found);
    }
}
