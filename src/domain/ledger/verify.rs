//! Verification: everything that a ledger stores, computed again from its first entry.

use super::account::Account;
use super::books::Head;
use super::entry::Entry;
use crate::domain::allocation::FundId;
use crate::domain::digest::Digest;
use crate::domain::money::Money;
use std::collections::{BTreeMap, BTreeSet};

/// Something stored that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The entry; none where it is about an account or about the fund.
    pub entry: Option<u64>,
    /// The account, where it is about one.
    pub account: String,
    /// What differs: a field of the entry, of the account or of the fund.
    pub field: &'static str,
    /// What is stored.
    pub stored: String,
    /// What it must be.
    pub expected: String,
}

/// A balance as it is stored, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBalance {
    /// The account's text, the key.
    pub account: String,
    /// The account's parts, as they are searched by: payer, region, programme, bucket.
    pub parts: [String; 4],
    /// The balance in fen.
    pub fen: i64,
    /// Number of the entry that last moved it.
    pub entry: u64,
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// How many entries were read.
    pub entries: u64,
    /// How many accounts they move.
    pub accounts: u64,
    /// Digest of the last entry: who keeps it can tell later whether anything up to there was changed.
    pub digest: Digest,
    /// How much was found.
    pub count: u64,
    /// The first findings.
    pub findings: Vec<Finding>,
}

/// Computes a fund's ledger again, entry by entry, and keeps what differs.
///
/// After a difference it goes on from what is stored: every place that was changed is named, and not all
/// that come after it. The balances of accounts are compared with the sums of all amounts.
#[derive(Debug)]
pub struct Verifier {
    fund: FundId,
    most: usize,
    found: Vec<Finding>,
    count: u64,
    entries: u64,
    last: Head,
    /// Balances as entries say they are, in fen.
    said: BTreeMap<Account, i128>,
    /// Sums of amounts in fen, and the number of the entry that last moved the account.
    moved: BTreeMap<Account, (i128, u64)>,
    reversed: BTreeSet<u64>,
}

impl Verifier {
    /// Begins before the first entry; at most `most` findings are kept.
    pub fn new(fund: FundId, most: usize) -> Self {
        Self {
            last: Head::genesis(&fund),
            fund,
            most,
            found: Vec::new(),
            count: 0,
            entries: 0,
            said: BTreeMap::new(),
            moved: BTreeMap::new(),
            reversed: BTreeSet::new(),
        }
    }

    /// How many entries were read.
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// The next entry that is stored, in order of numbers; `target` is the one that it takes back, where
    /// it takes back one and that is there.
    pub fn entry(&mut self, entry: &Entry, target: Option<&Entry>) {
        let number = entry.number;
        self.follows(number);
        let posting = &entry.posting;
        if entry.signed.at < self.last.at {
            let expected = format!("{} or later", self.last.at);
            self.differs(number, "at", entry.signed.at.to_string(), expected);
        }
        if posting.amount <= Money::ZERO {
            self.differs(
                number,
                "amount",
                posting.amount.to_string(),
                "above zero".to_owned(),
            );
        }
        if let Some(expected) = posting.defect() {
            let stored = format!("{} of {} to {}", posting.event, posting.from, posting.to);
            self.differs(number, "accounts", stored, expected);
        }
        if let Some(reverses) = posting.reverses {
            self.takes_back(entry, reverses, target);
        }
        let amount = i128::from(posting.amount.fen());
        for (account, field, change, said) in [
            (&posting.from, "from_balance", -amount, entry.from_balance),
            (&posting.to, "to_balance", amount, entry.to_balance),
        ] {
            let expected = self.said.get(account).copied().unwrap_or_default() + change;
            let said = i128::from(said.fen());
            if said != expected {
                self.differs(number, field, yuan(said), yuan(expected));
            }
            if said < 0 && !account.bucket.may_be_negative() {
                self.differs(number, field, yuan(said), "not below zero".to_owned());
            }
            self.said.insert(account.clone(), said);
            let (sum, last) = self.moved.entry(account.clone()).or_default();
            *sum += change;
            *last = number;
        }
        let expected = entry.chained(&self.fund, &self.last.digest);
        if entry.digest != expected {
            let stored = entry.digest.as_str().to_owned();
            self.differs(number, "digest", stored, expected.as_str().to_owned());
        }
        self.last = Head {
            entries: number,
            digest: entry.digest.clone(),
            at: entry.signed.at,
        };
    }

    /// The next entry that is stored, which is none that was ever posted.
    pub fn unreadable(&mut self, number: u64, defect: &str, digest: Digest) {
        self.follows(number);
        let expected = "an entry as it was posted".to_owned();
        self.differs(number, "entry", defect.to_owned(), expected);
        self.last.entries = number;
        self.last.digest = digest;
    }

    /// Compares what is stored of the fund and its accounts, and ends.
    pub fn finish(mut self, head: &Head, balances: &[StoredBalance]) -> Verification {
        for (field, stored, expected) in [
            ("entries", head.entries.to_string(), self.last.entries.to_string()),
            (
                "digest",
                head.digest.as_str().to_owned(),
                self.last.digest.as_str().to_owned(),
            ),
            ("at", head.at.to_string(), self.last.at.to_string()),
        ] {
            if stored != expected {
                self.add(Finding {
                    entry: None,
                    account: String::new(),
                    field,
                    stored,
                    expected,
                });
            }
        }
        let mut moved = std::mem::take(&mut self.moved);
        let accounts = moved.len() as u64;
        for row in balances {
            let account = Account::from_stored(&row.account).ok();
            let (sum, last) = account
                .as_ref()
                .and_then(|account| moved.remove(account))
                .unwrap_or_default();
            let parts: Option<Vec<&str>> = account.is_some().then(|| {
                let given = |part| if part == "-" { "" } else { part };
                row.account.split('/').map(given).collect()
            });
            if parts.as_deref() != Some(row.parts.each_ref().map(String::as_str).as_slice()) {
                let stored = row.parts.join("/");
                self.account(&row.account, "parts", stored, row.account.clone());
            }
            if i128::from(row.fen) != sum {
                self.account(&row.account, "balance", yuan(row.fen.into()), yuan(sum));
            }
            if row.entry != last {
                self.account(&row.account, "entry", row.entry.to_string(), last.to_string());
            }
        }
        for (account, (sum, _)) in moved {
            self.account(&account.to_string(), "balance", "(none)".to_owned(), yuan(sum));
        }
        Verification {
            entries: self.entries,
            accounts,
            digest: self.last.digest,
            count: self.count,
            findings: self.found,
        }
    }

    fn follows(&mut self, number: u64) {
        self.entries += 1;
        let expected = self.last.entries + 1;
        if number != expected {
            self.differs(number, "number", number.to_string(), expected.to_string());
        }
    }

    fn takes_back(&mut self, entry: &Entry, reverses: u64, target: Option<&Entry>) {
        let posting = &entry.posting;
        let fits = target.is_some_and(|target| {
            let was = &target.posting;
            target.number < entry.number
                && was.event.is_manual()
                && was.reverses.is_none()
                && was.reversal(reverses, posting.subject.clone(), posting.note.clone()) == *posting
        });
        let first = self.reversed.insert(reverses);
        if !fits || !first {
            let expected = if fits {
                format!("entry {reverses} taken back once")
            } else {
                "an earlier entry with the same event and amount that may be taken back".to_owned()
            };
            self.differs(entry.number, "reverses", reverses.to_string(), expected);
        }
    }

    fn differs(&mut self, number: u64, field: &'static str, stored: String, expected: String) {
        self.add(Finding {
            entry: Some(number),
            account: String::new(),
            field,
            stored,
            expected,
        });
    }

    fn account(&mut self, account: &str, field: &'static str, stored: String, expected: String) {
        self.add(Finding {
            entry: None,
            account: account.to_owned(),
            field,
            stored,
            expected,
        });
    }

    fn add(&mut self, finding: Finding) {
        self.count += 1;
        if self.found.len() < self.most {
            self.found.push(finding);
        }
    }
}

/// Fen as yuan; also beyond the limits of money, since what is stored may be anything.
fn yuan(fen: i128) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let fen = fen.unsigned_abs();
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}
