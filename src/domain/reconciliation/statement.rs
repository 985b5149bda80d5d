//! A bank statement: its head, and its lines.

use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::payment::{AccountNumber, Reference, Totals};
use std::fmt;
use time::Date;

/// Longest identification of a statement, in characters.
pub const MAX_IDENTIFICATION: usize = 64;
/// Longest reference of a bank, in characters.
pub const MAX_BANK_REFERENCE: usize = 64;
/// Longest text of a line that is kept, in characters; references are looked for in all of it.
pub const MAX_TEXT: usize = 1000;

/// Which way money went, seen from the holder of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Out of the account (借).
    Debit,
    /// Into the account (贷).
    Credit,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Debit, Self::Credit];

    /// The code used in the API, in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }

    /// The Chinese name.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Debit => "借(付出)",
            Self::Credit => "贷(收入)",
        }
    }

    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let found = Self::ALL.into_iter().find(|direction| direction.code() == text);
        found.ok_or_else(|| Violation::new(field, text, "one of debit, credit", "下列之一:debit、credit"))
    }

    /// The other one.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Debit => Self::Credit,
            Self::Credit => Self::Debit,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatementKind {
    /// A statement: lines between two balances.
    #[default]
    Statement,
    /// A notification (camt.054): lines without balances. The statement of the day has the same lines again, so
    /// it can be looked at and is not kept.
    Notification,
}

/// Counts and sums that a file declares of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Declared {
    /// How many entries.
    pub entries: Option<u64>,
    /// How many entries are debits.
    pub debit_entries: Option<u64>,
    /// The sum of the debits.
    pub debits: Option<Money>,
    /// How many entries are credits.
    pub credit_entries: Option<u64>,
    /// The sum of the credits.
    pub credits: Option<Money>,
}

/// As much of a statement's head as is known: at the beginning of its lines, or behind the last of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeadSoFar {
    /// Statement or notification.
    pub kind: StatementKind,
    /// The account; always known at the beginning where the file says it at all.
    pub account: Option<AccountNumber>,
    /// The bank's identification of the statement; may be empty.
    pub identification: String,
    /// The statement's number in its series.
    pub sequence: Option<u64>,
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
    /// The balance before the first line; below zero where the account is overdrawn.
    pub opening: Option<Money>,
    /// The balance behind the last line.
    pub closing: Option<Money>,
    /// What the file declares of its lines.
    pub declared: Declared,
}

/// The head of a whole statement that adds up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementHead {
    /// The account.
    pub account: AccountNumber,
    /// The bank's identification, or the days that it covers where the bank gives none: never empty.
    pub identification: String,
    /// The statement's number in its series: some banks begin again at 1 every year.
    pub sequence: Option<u64>,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// The balance before the first line; below zero where the account is overdrawn.
    pub opening: Money,
    /// The balance behind the last line.
    pub closing: Money,
    /// The lines that are debits, and their sum.
    pub debits: Totals,
    /// The lines that are credits, and their sum.
    pub credits: Totals,
}

/// One movement on an account.
#[derive(Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// The line's number in its statement, counted from 1.
    pub line: u64,
    /// Where it stands in the file, for errors: a row of a table, a line of a text.
    pub at: u64,
    /// Which transaction of an entry it is, counted from 1; `None` for a line that is the whole entry.
    pub part: Option<u32>,
    /// The day on which the bank booked it.
    pub booked: Date,
    /// The day from which it bears interest.
    pub valued: Option<Date>,
    /// Which way the money went.
    pub direction: Direction,
    /// How much: above zero.
    pub amount: Money,
    /// Whether it takes back an earlier line; its direction is its own, not that of the line taken back.
    pub reversal: bool,
    /// Our reference, where exactly one stands in the line.
    pub reference: Option<Reference>,
    /// The identification of an order of ours, such as `F1B12C`, where exactly one stands in the line.
    pub order: Option<String>,
    /// The bank's own number of it; may be empty. May hold digits of an account.
    pub bank_reference: String,
    /// The account at the other end, where it is given in digits.
    pub counterparty_account: Option<AccountNumber>,
    /// Who is at the other end. Personal.
    pub counterparty_name: Option<String>,
    /// What else the bank says of it, cut to [`MAX_TEXT`] characters; may be empty. Personal.
    pub text: String,
}

impl StatementLine {
    /// What the line adds to the balance.
    pub fn signed(&self) -> Money {
        match self.direction {
            Direction::Debit => Money::ZERO.checked_sub(self.amount).unwrap_or_default(),
            Direction::Credit => self.amount,
        }
    }
}

impl fmt::Debug for StatementLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatementLine")
            .field("line", &self.line)
            .field("booked", &self.booked)
            .field("direction", &self.direction)
            .field("amount", &self.amount)
            .field("reversal", &self.reversal)
            .field("reference", &self.reference)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}
