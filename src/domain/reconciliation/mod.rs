//! Reconciliation: what banks say of an account, checked before anything is kept of it.
//!
//! Names, account numbers and texts of a statement are personal data: `Debug` of the types here shows
//! none of them, and no error repeats them.

mod checker;
mod finding;
mod statement;

pub use checker::{Checker, Edge, unknown_account};
pub use finding::{Found, find_order, find_reference, masked};
pub use statement::{
    Declared, Direction, HeadSoFar, MAX_BANK_REFERENCE, MAX_IDENTIFICATION, MAX_TEXT, StatementHead,
    StatementKind, StatementLine,
};
