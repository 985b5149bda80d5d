//! Bank reconciliation: what banks say of an account, which line belongs to which payment, what is left, and what
//! is done about it until a month is signed.
//!
//! What is regular the store matches by sets. What is not (several lines for a payment, other amounts, money
//! that comes back) is decided here, a payment at a time, by [`decide()`].
//!
//! Names, account numbers and texts of a statement are personal data: `Debug` of the types here shows
//! none of them, and no error repeats them.

pub mod account;
pub mod balance;
pub mod breaks;
mod checker;
pub mod class;
pub mod decide;
pub mod evidence;
mod finding;
pub mod job;
pub mod period;
pub mod rules;
mod statement;

pub use account::{AccountId, AccountScope, BankAccount, BankAccounts};
pub use balance::Balance;
pub use breaks::{Break, BreakId, BreakState};
pub use checker::{Checker, Edge, unknown_account};
pub use class::{Class, Reason, Rule};
pub use decide::{Decision, PaymentFacts, SeenLine, decide};
pub use evidence::{Evidence, Subject};
pub use finding::{Found, find_order, find_reference, masked};
pub use job::{JobAction, JobState, Step};
pub use period::{Month, Period, PeriodState};
pub use rules::Rules;
pub use statement::{
    Declared, Direction, HeadSoFar, MAX_BANK_REFERENCE, MAX_IDENTIFICATION, MAX_TEXT, StatementHead,
    StatementKind, StatementLine,
};

/// A line of a statement: the statement's number, and the line's in it, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct LineId {
    /// The statement.
    pub statement: u64,
    /// The line in it, counted from 1.
    pub line: u64,
}

macro_rules! codes {
    ($name:ident { $($variant:ident => $code:literal, $zh:literal),+ $(,)? }) => {
        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code used in the API, in the store and in tables.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The Chinese name.
            pub const fn zh(self) -> &'static str {
                match self { $(Self::$variant => $zh),+ }
            }

            /// Reads a code.
            pub fn parse(field: &str, text: &str) -> Result<Self, $crate::domain::error::Violation> {
                let found = Self::ALL.iter().find(|one| one.code() == text);
                found.copied().ok_or_else(|| {
                    let codes = Self::ALL.iter().map(|one| one.code()).collect::<Vec<_>>().join(", ");
                    $crate::domain::error::Violation::new(
                        field,
                        text,
                        format!("one of {codes}"),
                        format!("下列之一:{codes}"),
                    )
                })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}
use codes;
