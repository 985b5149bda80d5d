//! A fund's journal as hledger reads it (<https://hledger.org/hledger.html>), so that a program that is
//! not ours can check the books.
//!
//! One transaction for each entry: its date, its number as the code, and two postings, each with the balance
//! of its account after the entry as an assertion. Accounts and the commodity are declared, so that
//! `hledger check --strict` holds. Dates are those of China (UTC+8, without summer time), which never
//! go back where the entries' times do not.

use crate::domain::allocation::FundId;
use crate::domain::error::Error;
use crate::domain::ledger::{Account, Entry};
use crate::domain::money::Money;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use time::{OffsetDateTime, UtcOffset};

/// Seconds that China's time is ahead of UTC.
const CHINA: i32 = 8 * 3_600;

/// Writes a journal piece by piece.
#[derive(Debug)]
pub struct Journal {
    fund: FundId,
    declared: BTreeSet<String>,
}

impl Journal {
    /// A journal of this fund, without anything written yet.
    pub const fn new(fund: FundId) -> Self {
        Self {
            fund,
            declared: BTreeSet::new(),
        }
    }

    /// What stands at the top.
    pub fn begin(&self) -> String {
        format!(
            "; Journal of funds/{}: one transaction for each entry, with the balances after it.\n\
             decimal-mark .\n\ncommodity 1000.00 CNY\n",
            self.fund
        )
    }

    /// The next entries.
    pub fn entries(&mut self, entries: &[Entry]) -> Result<String, Error> {
        let mut text = String::new();
        for entry in entries {
            self.entry(&mut text, entry)?;
        }
        Ok(text)
    }

    /// The name of an account in the journal: levels that the account lacks are left out.
    pub fn account(&self, account: &Account) -> String {
        let region = account.region.as_ref().map(|region| region.as_str());
        let programme = account.programme.as_ref().map(|programme| programme.as_str());
        [
            Some(self.fund.as_str()),
            Some(account.payer.code()),
            region,
            programme,
        ]
        .into_iter()
        .flatten()
        .chain([account.bucket.code()])
        .collect::<Vec<_>>()
        .join(":")
    }

    fn entry(&mut self, text: &mut String, entry: &Entry) -> Result<(), Error> {
        let posting = &entry.posting;
        let (from, to) = (self.account(&posting.from), self.account(&posting.to));
        for account in [&from, &to] {
            if self.declared.insert(account.clone()) {
                write!(text, "\naccount {account}").map_err(Error::internal)?;
            }
        }
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(entry.signed.at) * 1_000)
            .map_err(Error::internal)?;
        let offset = UtcOffset::from_whole_seconds(CHINA).map_err(Error::internal)?;
        let date = time.to_offset(offset).date();
        let reversed = posting
            .reverses
            .map(|number| format!(" reversing {number}"))
            .unwrap_or_default();
        let negative = Money::ZERO.checked_sub(posting.amount).unwrap_or_default();
        write!(
            text,
            "\n\n{date} ({}) {}{reversed} {}\n    ; by: {}\n    ; subject: {}\n    ; note: {}\n    \
             {from}  {negative} CNY = {} CNY\n    {to}  {} CNY = {} CNY\n",
            entry.number,
            posting.event,
            posting.event.name().zh,
            plain(entry.signed.by.as_str()),
            plain(&posting.subject),
            plain(&posting.note),
            entry.from_balance,
            posting.amount,
            entry.to_balance,
        )
        .map_err(Error::internal)
    }
}

/// Text for a comment: on one line, and without what hledger takes for the end of a tag's value, for a
/// date or for a tag.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_control() => ' ',
            ',' => '，',
            ':' => '：',
            '[' => '［',
            ']' => '］',
            c => c,
        })
        .collect()
}
