//! Posting to the ledger within a transaction: open the books of funds, post in memory, write once.
//!
//! Whatever is posted, a transaction takes the same steps: lock the ends of the journals, read the
//! balances, decide in memory, write arrays. A refusal names the one posting that caused it, and there is
//! nothing to undo in the database.

use super::audit::{changes_of, is_left_out, of_resources};
use super::records::{Change, FundHead};
use crate::domain::allocation::{FundId, Signature};
use crate::domain::audit::{self, ChainName, Chained, Outcome, Record};
use crate::domain::error::Error;
use crate::domain::ledger::{Account, Books, Entry, Head, Posting};
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use crate::store::{Tx, Writes};
use std::collections::{BTreeMap, BTreeSet};

/// The open books of one or more funds.
#[derive(Default)]
pub(super) struct OpenBooks {
    funds: BTreeMap<FundId, OpenFund>,
}

/// One fund at work.
#[derive(Clone)]
pub(super) struct OpenFund {
    /// As it was when its row was locked.
    before: FundHead,
    /// Its counters now; the journal's end is in `books`.
    pub(super) head: FundHead,
    pub(super) books: Books,
    changes: Vec<Change>,
    /// Records that account for the first so many of the changes.
    records: Vec<Record>,
    recorded: usize,
    /// What was handed out to be written: so many entries, changes and records.
    written: Written,
    new: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Written {
    entries: usize,
    changes: usize,
    records: usize,
}

/// What is told about a change, beside its number and signature.
pub(super) struct Told<'a> {
    pub(super) kind: &'a str,
    /// The region that it is about; none where it is about the fund.
    pub(super) region: Option<RegionCode>,
    pub(super) resource: String,
    pub(super) state: &'a str,
    pub(super) amount: Money,
    pub(super) note: &'a str,
}

impl OpenBooks {
    /// Opens the books of these funds; those that do not exist are left out.
    pub(super) async fn open(tx: &Tx, funds: &BTreeSet<FundId>) -> Result<Self, Error> {
        let wanted: Vec<FundId> = funds.iter().cloned().collect();
        Ok(Self::of(tx.fund_heads(&wanted).await?))
    }

    /// The open books of funds whose rows were locked.
    pub(super) fn of(heads: BTreeMap<FundId, FundHead>) -> Self {
        let funds = heads.into_iter().map(|(fund, head)| {
            let books = Books::open(fund.clone(), head.journal.clone());
            let open = OpenFund {
                before: head.clone(),
                head,
                books,
                changes: Vec::new(),
                records: Vec::new(),
                recorded: 0,
                written: Written::default(),
                new: false,
            };
            (fund, open)
        });
        Self {
            funds: funds.collect(),
        }
    }

    /// The open books of a fund; one that does not exist is begun.
    pub(super) async fn begin(tx: &Tx, fund: &FundId) -> Result<Self, Error> {
        let mut opened = Self::open(tx, &BTreeSet::from([fund.clone()])).await?;
        if opened.funds.is_empty() {
            let head = FundHead {
                ordinal: tx.last_fund_ordinal().await? + 1,
                journal: Head::genesis(fund),
                changes: 0,
                claims: 0,
                batches: 0,
                audit: audit::Head::empty(),
            };
            let open = OpenFund {
                before: head.clone(),
                books: Books::open(fund.clone(), head.journal.clone()),
                head,
                changes: Vec::new(),
                records: Vec::new(),
                recorded: 0,
                written: Written::default(),
                new: true,
            };
            opened.funds.insert(fund.clone(), open);
        }
        Ok(opened)
    }

    /// A fund whose books are open.
    pub(super) fn fund(&mut self, fund: &FundId) -> Result<&mut OpenFund, Error> {
        self.funds.get_mut(fund).ok_or_else(|| no_fund(fund))
    }

    /// Reads the balances of accounts that postings will need. An account without a row has nothing.
    pub(super) async fn load(
        &mut self,
        tx: &Tx,
        accounts: impl IntoIterator<Item = (FundId, Account)>,
    ) -> Result<(), Error> {
        let wanted = self.unknown(accounts);
        if wanted.is_empty() {
            return Ok(());
        }
        let named: Vec<(&FundId, &Account)> = wanted.iter().map(|(fund, account)| (fund, account)).collect();
        let known = tx.balances(&named).await?;
        self.fill_in(known, wanted)
    }

    /// Those of the accounts whose balances were not read.
    pub(super) fn unknown(
        &self,
        accounts: impl IntoIterator<Item = (FundId, Account)>,
    ) -> BTreeSet<(FundId, Account)> {
        accounts
            .into_iter()
            .filter(|(fund, account)| {
                let open = self.funds.get(fund);
                open.is_some_and(|open| !open.books.knows(account))
            })
            .collect()
    }

    /// Takes balances that were read; of what was asked for, the rest has nothing.
    pub(super) fn fill_in(
        &mut self,
        known: Vec<(FundId, Account, Money)>,
        wanted: BTreeSet<(FundId, Account)>,
    ) -> Result<(), Error> {
        for (fund, account, balance) in known {
            self.fund(&fund)?.books.load(account, balance);
        }
        for (fund, account) in wanted {
            self.fund(&fund)?.books.load(account, Money::ZERO);
        }
        Ok(())
    }

    /// Writes what was posted and told.
    pub(super) async fn write(mut self, tx: &Tx) -> Result<(), Error> {
        let writes = self.last_writes(tx);
        tx.write(writes).await
    }

    /// What was posted, told and recorded since it was handed out before, to be written while more is decided.
    pub(super) fn writes(&mut self) -> Writes {
        let mut writes = Writes::default();
        let mut records: Vec<(ChainName, Vec<Chained>)> = Vec::new();
        for (fund, open) in &mut self.funds {
            let chain = ChainName::of_fund(fund);
            let head = &mut open.head.audit;
            let drafts = std::mem::take(&mut open.records).into_iter();
            let chained: Vec<Chained> = drafts.map(|record| head.chain(&chain, record)).collect();
            open.written.records += chained.len();
            records.push((chain, chained));
        }
        let entries: Vec<(&FundId, &Entry)> = (self.funds.iter())
            .flat_map(|(fund, open)| {
                let new = open.books.made().iter().skip(open.written.entries);
                new.map(move |entry| (fund, entry))
            })
            .collect();
        writes.insert_entries(&entries);
        let changes: Vec<(&FundId, &Change)> = (self.funds.iter())
            .flat_map(|(fund, open)| {
                let new = open.changes.iter().skip(open.written.changes);
                new.map(move |change| (fund, change))
            })
            .collect();
        writes.insert_changes(&changes);
        let records: Vec<(&ChainName, &[Chained])> = (records.iter())
            .map(|(chain, chained)| (chain, chained.as_slice()))
            .collect();
        writes.insert_audit_records(&records);
        for open in self.funds.values_mut() {
            open.written.entries = open.books.made().len();
            open.written.changes = open.changes.len();
        }
        writes
    }

    /// As [`OpenBooks::writes`], when there will be no more: with the ends of journals and the balances.
    pub(super) fn last_writes(&mut self, tx: &Tx) -> Writes {
        for (fund, open) in &mut self.funds {
            open.head.journal = open.books.head().clone();
            open.record_the_rest(tx, fund);
        }
        let rows = self.writes();
        let mut writes = Writes::default();
        for (fund, open) in self.funds.iter().filter(|(_, open)| open.new) {
            writes.insert_fund(fund, &open.head);
        }
        let moved: Vec<(&FundId, &FundHead)> = (self.funds.iter())
            .filter(|(_, open)| !open.new && open.head != open.before)
            .map(|(fund, open)| (fund, &open.head))
            .collect();
        writes.update_fund_heads(&moved);
        let mut last: BTreeMap<(&FundId, &Account), (Money, u64)> = BTreeMap::new();
        for (fund, open) in &self.funds {
            for entry in open.books.made() {
                let posting = &entry.posting;
                last.insert((fund, &posting.from), (entry.from_balance, entry.number));
                last.insert((fund, &posting.to), (entry.to_balance, entry.number));
            }
        }
        let balances: Vec<(&FundId, &Account, Money, u64)> = last
            .iter()
            .map(|((fund, account), (balance, entry))| (*fund, *account, *balance, *entry))
            .collect();
        writes.store_balances(&balances);
        writes.append(rows);
        writes
    }
}

impl OpenFund {
    /// Posts all or nothing.
    pub(super) fn post(&mut self, postings: Vec<Posting>, signed: &Signature) -> Result<(), Error> {
        self.books.post(postings, signed)
    }

    /// Adds a record to the fund's chain of the audit log; it accounts for what was told since the last one.
    pub(super) fn record(&mut self, record: Record) {
        let told = self.changes.get(self.recorded..).unwrap_or_default();
        let changes = changes_of(told);
        self.recorded = self.changes.len();
        self.records.push(Record { changes, ..record });
    }

    /// Records what no record accounts for yet: what the transaction's call did, or what the program did of
    /// itself, such as closing a batch that is finished.
    fn record_the_rest(&mut self, tx: &Tx, fund: &FundId) {
        let unrecorded = self.changes.get(self.recorded..).unwrap_or_default();
        let moved = self.head.journal != self.before.journal;
        let some = !self.records.is_empty() || self.written.records > 0;
        if is_left_out() || unrecorded.is_empty() && (some || (!moved && !self.new)) {
            return;
        }
        let of_call = tx.trail(|trail| {
            let record = trail.record();
            if record.is_some() {
                trail.recorded();
            }
            record
        });
        let record = match (of_call, unrecorded.first()) {
            (Some(mut record), _) => {
                if record.count == 0 {
                    let (before, after) = (&self.before.journal.digest, &self.head.journal.digest);
                    of_resources(
                        &mut record,
                        &[(
                            &format!("funds/{fund}"),
                            (!self.new).then_some(before),
                            Some(after),
                        )],
                    );
                }
                record
            }
            (None, Some(change)) => Record {
                at: change.signed.at,
                by: change.signed.by.as_str().to_owned(),
                peer: "in-process".to_owned(),
                action: change.kind.clone(),
                request_id: String::new(),
                outcome: Outcome::Done,
                reason: String::new(),
                resource: change.resource.clone(),
                count: unrecorded.len() as u64,
                before: String::new(),
                after: String::new(),
                changes: None,
            },
            (None, None) => return,
        };
        self.record(record);
    }

    /// Adds to the fund's history.
    pub(super) fn tell(&mut self, told: Told<'_>, signed: &Signature) {
        self.head.changes += 1;
        self.changes.push(Change {
            number: self.head.changes,
            signed: signed.clone(),
            kind: told.kind.to_owned(),
            region: told.region,
            resource: told.resource,
            state: told.state.to_owned(),
            amount: told.amount,
            note: told.note.to_owned(),
        });
    }
}

/// There is no such fund: it begins with the first money it receives.
pub(super) fn no_fund(fund: &FundId) -> Error {
    Error::NotFound {
        kind: "fund",
        name: format!("funds/{fund}"),
    }
}
