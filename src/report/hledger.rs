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
                writeln!(text, "account {account}").map_err(Error::internal)?;
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
            "\n{date} ({}) {}{reversed} {}\n    ; by: {}\n    ; subject: {}\n    ; note: {}\n    \
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::Books;
    use crate::domain::ledger::tests::{attempts, example, fund, post_all};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::process::Command;

    fn written(entries: &[Entry]) -> String {
        let mut journal = Journal::new(fund());
        let mut text = journal.begin();
        // In pieces, as the export does.
        for piece in entries.chunks(7) {
            text.push_str(&journal.entries(piece).unwrap());
        }
        text
    }

    /// Runs hledger, which scripts/test installs; gives what it says, or its error.
    fn hledger(journal: &str, arguments: &[&str]) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("fund.journal");
        std::fs::write(&file, journal).unwrap();
        let output = Command::new("hledger")
            .arg("-f")
            .arg(&file)
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("hledger in PATH; scripts/test installs it");
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    const CHECK: [&str; 3] = ["check", "--strict", "ordereddates"];

    /// The balances that hledger computes, in yuan, without accounts that have nothing.
    fn balances(journal: &str) -> BTreeMap<String, String> {
        let csv = hledger(journal, &["balance", "--flat", "--no-total", "-O", "csv"]).unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let amount = |text: &str| text.trim_end_matches(" CNY").to_owned();
        reader
            .records()
            .map(Result::unwrap)
            .map(|record| (record[0].to_owned(), amount(&record[1])))
            .collect()
    }

    fn ours(books: &Books) -> BTreeMap<String, String> {
        let journal = Journal::new(fund());
        books
            .balances()
            .iter()
            .filter(|(_, balance)| **balance != Money::ZERO)
            .map(|(account, balance)| (journal.account(account), balance.to_string()))
            .collect()
    }

    #[test]
    fn hledger_agrees_with_the_example() {
        let (books, entries) = post_all(&example());
        let journal = written(&entries);
        assert_eq!(hledger(&journal, &CHECK), Ok(String::new()));
        assert_eq!(balances(&journal), ours(&books));
        let register = hledger(&journal, &["register", "code:^3$", "-O", "csv"]).unwrap();
        assert!(
            register.contains("citizenization-2025:city:411081:quota"),
            "{register}"
        );
        assert!(journal.contains("; by: 张三， 出纳\n"), "{journal}");
    }

    #[test]
    fn hledger_refuses_what_was_changed() {
        let (_, entries) = post_all(&example());
        let mut changed = entries.clone();
        changed[2].posting.amount = Money::from_fen(60_001).unwrap();
        let refused = hledger(&written(&changed), &CHECK).unwrap_err();
        assert!(refused.contains("balance assertion"), "{refused}");
        let mut gone = entries;
        gone.remove(1);
        let refused = hledger(&written(&gone), &CHECK).unwrap_err();
        assert!(refused.contains("balance assertion"), "{refused}");
    }

    #[test]
    fn text_stays_within_its_line() {
        let (books, mut entries) = post_all(&example()[..1]);
        entries[0].posting.note = "a\nb\r2020-01-01 x\u{85}[2020-01-01] date:2020-01-01, ; y".to_owned();
        entries[0].posting.subject = "  (9) = 5 @@ {3} | ".to_owned();
        let journal = written(&entries);
        assert_eq!(hledger(&journal, &CHECK), Ok(String::new()));
        assert_eq!(balances(&journal), ours(&books));
    }

    #[test]
    fn dates_are_those_of_china() {
        let (_, mut entries) = post_all(&example()[..1]);
        // 2025-02-28 15:59:59 and 16:00:00 UTC.
        for (at, date) in [
            (1_740_758_399_999_999, "2025-02-28"),
            (1_740_758_400_000_000, "2025-03-01"),
        ] {
            entries[0].signed.at = at;
            assert!(written(&entries).contains(&format!("\n{date} (1) ")), "{date}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn hledger_agrees_whatever_is_posted(attempts in attempts(120)) {
            let (books, entries) = post_all(&attempts);
            let journal = written(&entries);
            prop_assert_eq!(hledger(&journal, &CHECK), Ok(String::new()));
            prop_assert_eq!(balances(&journal), ours(&books));
        }
    }
}
