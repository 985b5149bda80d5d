//! The ledger's tables, with entries of every event.

use super::{Fresh, on_both};
use crate::app::App;
use crate::app::ledger::Moment;
use crate::app::records::{AccountFilter, Change, EntryFilter, FundHead};
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::error::Error;
use crate::domain::ledger::tests::{attempts, example, fund, post_all, programme, region, signed};
use crate::domain::ledger::{Account, Books, Bucket, Entry, Event, Head, status, total};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::store::{Store, Writes};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

on_both!(
    keeps_entries_and_balances,
    knows_every_past_balance,
    finds_entries_by_what_they_are,
    sums_up_what_came_back,
    keeps_a_reversal_once,
    keeps_numbers_of_funds_apart,
    hands_on_changes_in_order,
    says_that_something_was_committed,
    counts_what_is_written_together,
);

fn head(ordinal: u64, journal: Head) -> FundHead {
    FundHead {
        ordinal,
        journal,
        changes: 0,
        claims: 0,
        batches: 0,
        audit: crate::domain::audit::Head::empty(),
    }
}

/// Stores a journal in one transaction for each entry or few, as it was posted.
async fn keep(store: &Store, entries: &[Entry], at_once: usize) {
    let fund = fund();
    let tx = store.begin_posting().await.unwrap();
    tx.insert_fund(&fund, &head(1, Head::genesis(&fund)))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for entries in entries.chunks(at_once) {
        let tx = store.begin_posting().await.unwrap();
        let mut known = tx.fund_heads(std::slice::from_ref(&fund)).await.unwrap();
        let mut known = known.remove(&fund).unwrap();
        let last = entries.last().unwrap();
        assert_eq!(known.journal.entries + entries.len() as u64, last.number);
        known.journal = Head {
            entries: last.number,
            digest: last.digest.clone(),
            at: last.signed.at,
        };
        tx.update_fund_heads(&[(&fund, &known)]).await.unwrap();
        let mut balances: BTreeMap<&Account, (Money, u64)> = BTreeMap::new();
        for entry in entries {
            balances.insert(&entry.posting.from, (entry.from_balance, entry.number));
            balances.insert(&entry.posting.to, (entry.to_balance, entry.number));
        }
        tx.store_balances(
            &balances
                .iter()
                .map(|(account, (balance, entry))| (&fund, *account, *balance, *entry))
                .collect::<Vec<_>>(),
        )
        .await
        .unwrap();
        tx.insert_entries(&entries.iter().map(|entry| (&fund, entry)).collect::<Vec<_>>())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

/// A random journal of more than a hundred entries; the same in each run.
fn journal() -> (Books, Vec<Entry>) {
    let mut runner = TestRunner::deterministic();
    let strategy = attempts(1_500);
    loop {
        let mut all = example();
        all.extend(strategy.new_tree(&mut runner).unwrap().current());
        let (books, entries) = post_all(&all);
        if entries.len() > 300 {
            return (books, entries);
        }
    }
}

fn held(balances: impl IntoIterator<Item = (Account, Money)>) -> BTreeMap<Account, Money> {
    balances
        .into_iter()
        .filter(|(_, balance)| *balance != Money::ZERO)
        .collect()
}

async fn keeps_entries_and_balances(database: Fresh) {
    let store = database.store().await;
    let (books, entries) = journal();
    keep(&store, &entries, 60).await;
    let tx = store.begin_read().await.unwrap();
    let all = EntryFilter::default();
    assert_eq!(
        tx.entries(&fund(), &Scope::All, &all, 0, 10_000).await.unwrap(),
        entries
    );
    assert_eq!(
        tx.entries(&fund(), &Scope::All, &all, 7, 3).await.unwrap(),
        entries[7..10]
    );
    let numbered = tx.entries_numbered(&fund(), [3, 1_000_000, 5]).await.unwrap();
    let numbered: Vec<Entry> = numbered.into_values().map(Result::unwrap).collect();
    assert_eq!(numbered, [entries[2].clone(), entries[4].clone()]);
    let everything = AccountFilter::default();
    let now = tx
        .balances_at(&fund(), &Scope::All, &everything, None, "", 10_000)
        .await
        .unwrap();
    assert!(now.is_sorted_by(|a, b| a.0.to_string() < b.0.to_string()));
    assert_eq!(held(now), held(books.balances().clone()));
    assert_eq!(tx.last_entry(&fund()).await.unwrap(), entries.len() as u64);
    drop(tx);
    let mut told = Vec::new();
    let found = App::new(store)
        .verify(&fund(), 10, |read, all| {
            told.push((read, all));
            true
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.count, found.findings), (0, Vec::new()));
    assert_eq!(found.digest, books.head().digest);
    let all = entries.len() as u64;
    assert_eq!(told.last(), Some(&(all, all)));
}

async fn knows_every_past_balance(database: Fresh) {
    let store = database.store().await;
    let (_, entries) = journal();
    keep(&store, &entries, 100).await;
    let app = App::new(store);
    let everything = AccountFilter::default();
    let mut model: BTreeMap<Account, Money> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        model.insert(entry.posting.from.clone(), entry.from_balance);
        model.insert(entry.posting.to.clone(), entry.to_balance);
        if at % 7 != 0 && at + 1 != entries.len() {
            continue;
        }
        let then = app
            .balances(
                &Scope::All,
                &fund(),
                Moment::Entry(entry.number),
                &everything,
                "",
                10_000,
            )
            .await
            .unwrap();
        assert_eq!(held(then.balances), held(model.clone()), "{}", entry.number);
        // Several entries may have the same time: the last of them counts.
        let last = entries
            .iter()
            .rev()
            .find(|other| other.signed.at <= entry.signed.at)
            .unwrap();
        for (time, number) in [(entry.signed.at, last.number), (i64::MIN, 0)] {
            let then = app
                .balances(&Scope::All, &fund(), Moment::Time(time), &everything, "", 10_000)
                .await
                .unwrap();
            assert_eq!(then.entry, number);
        }
    }
    let filter = AccountFilter {
        payer: Some(Payer::County),
        region: Some(region(1)),
        programme: Some(programme(0)),
        bucket: Some(Bucket::Reserved),
    };
    let found = app
        .balances(&Scope::All, &fund(), Moment::Entry(20), &filter, "", 10_000)
        .await
        .unwrap();
    let only = Account::new(Payer::County, region(1), Some(programme(0)), Bucket::Reserved);
    assert_eq!(found.balances.len(), 1);
    assert_eq!(found.balances[0].0, only);
    let beyond = app
        .balances(&Scope::All, &fund(), Moment::Entry(1_000_000), &everything, "", 1)
        .await;
    assert!(matches!(beyond, Err(Error::Invalid(_))));
}

async fn finds_entries_by_what_they_are(database: Fresh) {
    let store = database.store().await;
    let (_, entries) = journal();
    keep(&store, &entries, 1_000).await;
    let tx = store.begin_read().await.unwrap();
    let quota = Account::new(Payer::City, region(1), None, Bucket::Quota);
    let (from, until) = (entries[50].signed.at, entries[200].signed.at);
    let filters = [
        EntryFilter {
            account: Some(quota.clone()),
            ..EntryFilter::default()
        },
        EntryFilter {
            event: Some(Event::Settle),
            ..EntryFilter::default()
        },
        EntryFilter {
            subject: Some("funds/f/entries/9".to_owned()),
            ..EntryFilter::default()
        },
        EntryFilter {
            from: Some(from),
            until: Some(until),
            ..EntryFilter::default()
        },
        EntryFilter {
            account: Some(quota),
            event: Some(Event::Assign),
            from: Some(from),
            ..EntryFilter::default()
        },
    ];
    for filter in filters {
        let fits = |entry: &&Entry| {
            let posting = &entry.posting;
            filter
                .account
                .as_ref()
                .is_none_or(|account| posting.from == *account || posting.to == *account)
                && filter.event.is_none_or(|event| posting.event == event)
                && filter
                    .subject
                    .as_ref()
                    .is_none_or(|subject| posting.subject == *subject)
                && filter.from.is_none_or(|from| entry.signed.at >= from)
                && filter.until.is_none_or(|until| entry.signed.at < until)
        };
        let expected: Vec<Entry> = entries.iter().filter(fits).cloned().collect();
        assert!(!expected.is_empty());
        // Two at a time.
        let mut found: Vec<Entry> = Vec::new();
        loop {
            let after = found.last().map_or(0, |entry| entry.number);
            let page = tx.entries(&fund(), &Scope::All, &filter, after, 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, expected, "{filter:?}");
    }
}

async fn sums_up_what_came_back(database: Fresh) {
    let store = database.store().await;
    let (books, entries) = journal();
    keep(&store, &entries, 1_000).await;
    let tx = store.begin_read().await.unwrap();
    let mut expected: BTreeMap<Account, Money> = BTreeMap::new();
    for entry in entries
        .iter()
        .filter(|entry| entry.posting.event == Event::Return)
    {
        let sum = expected.entry(entry.posting.from.clone()).or_default();
        *sum = sum.checked_add(entry.posting.amount).unwrap();
    }
    let returned = tx.returned(&fund()).await.unwrap();
    assert!(!expected.is_empty());
    assert_eq!(returned, expected);
    assert_eq!(tx.allocated(&fund()).await.unwrap(), BTreeMap::new());
    let lines = status(books.balances().clone(), &BTreeMap::new(), &returned);
    assert_eq!(total(&lines).returned, expected.values().copied().sum());
}

async fn keeps_a_reversal_once(database: Fresh) {
    let store = database.store().await;
    let (mut books, entries) = post_all(&example());
    keep(&store, &entries, 100).await;
    let last = entries.last().unwrap();
    let reversed = last.posting.reverses.unwrap();
    let tx = store.begin_write().await.unwrap();
    assert_eq!(
        tx.reversal_of(&fund(), reversed).await.unwrap(),
        Some(last.number)
    );
    assert_eq!(tx.reversal_of(&fund(), 1).await.unwrap(), None);
    let again = entries[0]
        .posting
        .reversal(reversed, String::new(), String::new());
    let few = crate::domain::ledger::Posting {
        amount: Money::from_fen(1).unwrap(),
        ..again
    };
    books.take_made();
    books.post(vec![few], &signed(0)).unwrap();
    let fund = fund();
    let rows: Vec<_> = books.made().iter().map(|entry| (&fund, entry)).collect();
    let refused = tx.insert_entries(&rows).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
}

async fn keeps_numbers_of_funds_apart(database: Fresh) {
    let store = database.store().await;
    let (_, entries) = post_all(&example());
    keep(&store, &entries, 100).await;
    let other = super::samples::fund("other");
    let tx = store.begin_write().await.unwrap();
    assert_eq!(tx.last_fund_ordinal().await.unwrap(), 1);
    let same = tx.insert_fund(&other, &head(1, Head::genesis(&other))).await;
    assert!(matches!(same, Err(Error::Conflict { .. })), "{same:?}");
    drop(tx);
    let tx = store.begin_write().await.unwrap();
    tx.insert_fund(&other, &head(2, Head::genesis(&other)))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let tx = store.begin_read().await.unwrap();
    let all = AccountFilter::default();
    assert_eq!(
        tx.balances_at(&other, &Scope::All, &all, None, "", 10)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        tx.balances_at(&other, &Scope::All, &all, Some(5), "", 10)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        tx.entries(&other, &Scope::All, &EntryFilter::default(), 0, 10)
            .await
            .unwrap(),
        []
    );
    assert_eq!(tx.last_entry_at(&other, i64::MAX).await.unwrap(), 0);
    let nobody = super::samples::fund("nobody");
    assert_eq!(tx.last_entry_at(&nobody, i64::MAX).await.unwrap(), 0);
    drop(tx);
    // Entries that are not there are no earlier moment.
    let tx = store.begin_write().await.unwrap();
    let torn = Head {
        entries: 5,
        ..Head::genesis(&nobody)
    };
    tx.insert_fund(&nobody, &head(3, torn)).await.unwrap();
    let gap = tx.last_entry_at(&nobody, i64::MAX).await;
    assert!(matches!(gap, Err(Error::Internal { .. })), "{gap:?}");
    drop(tx);
    let tx = store.begin_read().await.unwrap();
    let funds = tx.funds("", 10).await.unwrap();
    let names: Vec<&str> = funds.iter().map(|(fund, _)| fund.as_str()).collect();
    assert_eq!(names, ["citizenization-2025", "other"]);
    assert_eq!(tx.funds("citizenization-2025", 10).await.unwrap(), funds[1..]);
    assert_eq!(tx.funds("", 1).await.unwrap(), funds[..1]);
}

async fn hands_on_changes_in_order(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_write().await.unwrap();
    let change = |number: u64| Change {
        region: None,
        number,
        signed: signed(5),
        kind: "ledger.receive".to_owned(),
        resource: format!("funds/f/entries/{}", number % 2),
        state: "posted".to_owned(),
        amount: Money::from_fen(1).unwrap(),
        note: "说明".to_owned(),
    };
    let all: Vec<Change> = (1..=10).map(change).collect();
    let fund = fund();
    let rows: Vec<_> = all.iter().map(|change| (&fund, change)).collect();
    tx.insert_changes(&rows).await.unwrap();
    tx.commit().await.unwrap();
    let tx = store.begin_read().await.unwrap();
    assert_eq!(tx.changes(&fund, &Scope::All, None, 0, 100).await.unwrap(), all);
    assert_eq!(
        tx.changes(&fund, &Scope::All, None, 4, 3).await.unwrap(),
        all[4..7]
    );
    let of_one = tx
        .changes(&fund, &Scope::All, Some("funds/f/entries/1"), 3, 100)
        .await
        .unwrap();
    assert_eq!(
        of_one.iter().map(|change| change.number).collect::<Vec<_>>(),
        [5, 7, 9]
    );
}

async fn says_that_something_was_committed(database: Fresh) {
    let store = database.store().await;
    let mut commits = store.commits();
    let tx = store.begin_posting().await.unwrap();
    drop(tx);
    let tx = store.begin_read().await.unwrap();
    tx.commit().await.unwrap();
    assert!(!commits.has_changed().unwrap(), "nothing was written");
    let tx = store.clone().begin_posting().await.unwrap();
    tx.commit().await.unwrap();
    assert!(commits.has_changed().unwrap());
    commits.mark_unchanged();
    store.begin_write().await.unwrap().commit().await.unwrap();
    assert!(commits.has_changed().unwrap());
}

/// SQLite carries out several statements as one.
async fn counts_what_is_written_together(database: Fresh) {
    let store = database.store().await;
    let [fund, other] = [fund(), FundId::parse("fund", "other").unwrap()];
    let [first, second] = [1, 2].map(|ordinal| head(ordinal, Head::genesis(&fund)));
    let tx = store.begin_posting().await.unwrap();
    let mut writes = Writes::default();
    writes.insert_fund(&fund, &first);
    writes.insert_fund(&other, &second);
    writes.update_fund_heads(&[(&fund, &first), (&other, &second)]);
    tx.write(writes).await.unwrap();
    tx.write(Writes::default()).await.unwrap();
    tx.commit().await.unwrap();
    let missing = FundId::parse("fund", "missing").unwrap();
    let tx = store.begin_posting().await.unwrap();
    let mut writes = Writes::default();
    writes.update_fund_heads(&[(&fund, &first), (&missing, &second)]);
    writes.insert_fund(&missing, &head(3, Head::genesis(&missing)));
    let refused = tx.write(writes).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    drop(tx);
    let tx = store.begin_read().await.unwrap();
    assert_eq!(tx.funds("", 10).await.unwrap().len(), 2);
}
