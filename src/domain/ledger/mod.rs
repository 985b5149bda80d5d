//! The ledger: double entry over (fund, payer, region, programme, bucket).
//!
//! [`Event`] is the table of posting rules: which event moves money from which account to which. Every
//! event is one [`Entry`] with one account that gives, one that takes, and one positive amount.
//! Balances are never negative but at the source, outside of the books. Entries never change; a
//! correction is a reversing entry. The entries of a fund form a hash chain.

mod account;
mod books;
mod entry;
mod event;
mod status;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

pub use account::{Account, Bucket};
pub use books::{Books, Head, Shortage};
pub use entry::{Entry, Posting};
pub use event::{Event, Level};
pub use status::{StatusLine, by_region, status, total};
pub use verify::{Finding, StoredBalance, Verification, Verifier};
