//! Payments as files carry them: references, accounts, the content of a batch, and what a bank answers.
//!
//! Names and account numbers are personal data. They are in types whose `Debug` does not show them and
//! that have no `Display`, and no error of this module repeats them: it says which field is wrong, and how.

mod account;
mod batch;
mod debtors;
mod outcome;
mod reference;
mod text;

pub use account::{AccountNumber, BankCode, Creditor, Debtor};
pub use batch::{Batch, BatchId, Block, Header, Instruction, Totals};
pub use debtors::Debtors;
pub use outcome::{BankResults, Outcome, PaymentResult};
pub use reference::{Origin, Reference};
pub use text::MAX_NAME;
