//! Reconciliation: statements come in, jobs match, people work on what is left, months are closed.

mod breaks;
mod periods;
mod reading;
pub mod records;

pub use breaks::{AgeingCell, BreakDetail};
pub use periods::PeriodDetail;
pub use reading::LineDetail;

use super::App;
use crate::domain::error::Error;
use crate::domain::reconciliation::{AccountId, BankAccount, BankAccounts};

impl App {
    /// The accounts that pay, as they are configured.
    pub fn bank_accounts(&self) -> BankAccounts {
        BankAccounts::of(&self.debtors)
    }

    fn bank_account(&self, id: &AccountId) -> Result<BankAccount, Error> {
        self.bank_accounts().find(id).cloned()
    }
}
