//! The books of one fund at work: balances in memory, and the entries made on them.

use super::account::Account;
use super::entry::{Entry, Posting, genesis};
use crate::domain::allocation::{FundId, Signature};
use crate::domain::digest::Digest;
use crate::domain::error::{Bilingual, Error};
use crate::domain::money::Money;
use std::collections::BTreeMap;

/// The end of a fund's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Number of the last entry; 0 where there is none.
    pub entries: u64,
    /// Digest of the last entry.
    pub digest: Digest,
    /// Time of the last entry.
    pub at: i64,
}

impl Head {
    /// The end of an empty journal.
    pub fn genesis(fund: &FundId) -> Self {
        Self {
            entries: 0,
            digest: genesis(fund),
            at: 0,
        }
    }
}

/// An account lacks money for a posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// The account.
    pub account: Account,
    /// What it has.
    pub balance: Money,
    /// What was to be taken.
    pub wanted: Money,
}

impl Shortage {
    /// How much is lacking.
    pub fn short(&self) -> Money {
        self.wanted.checked_sub(self.balance).unwrap_or_default()
    }
}

impl From<Shortage> for Error {
    fn from(shortage: Shortage) -> Self {
        let short = shortage.short();
        let Shortage {
            account,
            balance,
            wanted,
        } = shortage;
        let name = account.name();
        Self::State {
            name: account.to_string(),
            reason: "QUOTA_EXCEEDED",
            message: Bilingual::new(
                format!("{} has {balance}, {wanted} is needed: {short} short", name.en),
                format!("{}余额 {balance},需 {wanted},不足 {short}", name.zh),
            ),
        }
    }
}

/// The books of one fund: balances, and the entries made since they were opened.
#[derive(Debug, Clone)]
pub struct Books {
    fund: FundId,
    head: Head,
    balances: BTreeMap<Account, Money>,
    complete: bool,
    made: Vec<Entry>,
}

impl Books {
    /// Opens the books at the end of the journal, without balances: [`Books::load`] brings those that
    /// postings will need, and a posting to another account is refused as a defect.
    pub const fn open(fund: FundId, head: Head) -> Self {
        Self {
            fund,
            head,
            balances: BTreeMap::new(),
            complete: false,
            made: Vec::new(),
        }
    }

    /// Books before the first entry: every account has nothing.
    pub fn empty(fund: FundId) -> Self {
        Self {
            head: Head::genesis(&fund),
            fund,
            balances: BTreeMap::new(),
            complete: true,
            made: Vec::new(),
        }
    }

    /// Brings the balance of an account, where it is not there yet.
    pub fn load(&mut self, account: Account, balance: Money) {
        self.balances.entry(account).or_insert(balance);
    }

    /// Whether the balance of an account is known.
    pub fn knows(&self, account: &Account) -> bool {
        self.complete || self.balances.contains_key(account)
    }

    /// The fund.
    pub const fn fund(&self) -> &FundId {
        &self.fund
    }

    /// The end of the journal.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The accounts that lack money for all of `postings` together; what they take is not counted as theirs.
    pub fn shortages<'p>(&self, postings: impl IntoIterator<Item = &'p Posting>) -> Vec<Shortage> {
        let mut wanted: BTreeMap<&Account, Money> = BTreeMap::new();
        for posting in postings {
            if !posting.from.bucket.may_be_negative() {
                let sum = wanted.entry(&posting.from).or_default();
                *sum = sum.checked_add(posting.amount).unwrap_or(Money::MAX);
            }
        }
        let short = |(account, wanted): (&Account, Money)| {
            let balance = self.balance(account);
            (wanted > balance).then(|| Shortage {
                account: account.clone(),
                balance,
                wanted,
            })
        };
        wanted.into_iter().filter_map(short).collect()
    }

    /// The balance of an account.
    pub fn balance(&self, account: &Account) -> Money {
        self.balances.get(account).copied().unwrap_or_default()
    }

    /// All balances.
    pub const fn balances(&self) -> &BTreeMap<Account, Money> {
        &self.balances
    }

    /// The entries made since the books were opened, in order.
    pub fn made(&self) -> &[Entry] {
        &self.made
    }

    /// Takes the entries made.
    pub fn take_made(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.made)
    }

    /// Posts all of `postings` in order, or none of them.
    ///
    /// The time of an entry is `signed.at`, or that of the entry before it where a clock went back.
    ///
    /// # Errors
    ///
    /// The first [`Shortage`] as [`Error::State`]; [`Error::TooLarge`] where a balance would leave the
    /// limits of [`Money`]; [`Error::Internal`] where a posting is no move of money at all.
    pub fn post(&mut self, postings: Vec<Posting>, signed: &Signature) -> Result<(), Error> {
        let before = (self.made.len(), self.head.clone());
        let mut undo: Vec<(Account, Option<Money>)> = Vec::with_capacity(2 * postings.len());
        for posting in postings {
            if let Err(refused) = self.post_one(posting, signed, &mut undo) {
                for (account, balance) in undo.into_iter().rev() {
                    match balance {
                        Some(balance) => self.balances.insert(account, balance),
                        None => self.balances.remove(&account),
                    };
                }
                self.made.truncate(before.0);
                self.head = before.1;
                return Err(refused);
            }
        }
        Ok(())
    }

    fn post_one(
        &mut self,
        posting: Posting,
        signed: &Signature,
        undo: &mut Vec<(Account, Option<Money>)>,
    ) -> Result<(), Error> {
        if posting.amount <= Money::ZERO || posting.from == posting.to {
            return Err(Error::internal(format!(
                "{} of {} from {} to {}",
                posting.event, posting.amount, posting.from, posting.to
            )));
        }
        if let Some(unknown) = [&posting.from, &posting.to]
            .into_iter()
            .find(|account| !self.knows(account))
        {
            return Err(Error::internal(format!(
                "the balance of {unknown} was not loaded"
            )));
        }
        let beyond = || {
            let held = self.balance(&posting.from).fen().unsigned_abs();
            let held = held.max(self.balance(&posting.to).fen().unsigned_abs());
            Error::TooLarge {
                what: "a balance in fen",
                found: held.saturating_add(posting.amount.fen().unsigned_abs()),
                limit: Money::MAX.fen().unsigned_abs(),
            }
        };
        let (had, held) = (self.balance(&posting.from), self.balance(&posting.to));
        let from_balance = had.checked_sub(posting.amount).ok_or_else(beyond)?;
        let to_balance = held.checked_add(posting.amount).ok_or_else(beyond)?;
        if from_balance.is_negative() && !posting.from.bucket.may_be_negative() {
            return Err(Shortage {
                account: posting.from,
                balance: had,
                wanted: posting.amount,
            }
            .into());
        }
        let mut entry = Entry {
            number: self.head.entries + 1,
            signed: Signature {
                by: signed.by.clone(),
                at: signed.at.max(self.head.at),
            },
            posting,
            from_balance,
            to_balance,
            digest: self.head.digest.clone(),
        };
        entry.digest = entry.chained(&self.fund, &self.head.digest);
        for (account, balance) in [
            (&entry.posting.from, from_balance),
            (&entry.posting.to, to_balance),
        ] {
            undo.push((account.clone(), self.balances.insert(account.clone(), balance)));
        }
        self.head = Head {
            entries: entry.number,
            digest: entry.digest.clone(),
            at: entry.signed.at,
        };
        self.made.push(entry);
        Ok(())
    }
}
