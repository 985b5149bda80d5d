//! Reconciliation: statements come in, jobs match, people work on what is left, months are closed.

mod breaks;
mod erasing;
mod import;
mod intake;
mod jobs;
mod matching;
mod periods;
mod posting;
mod reach;
mod reading;
pub mod records;
mod rotation;
mod totals;
mod work;

pub use breaks::{AgeingCell, BreakDetail};
pub use import::{Events, ImportStatement};
pub(super) use intake::ACCOUNT_KIND;
pub use jobs::CreateJob;
pub use periods::PeriodDetail;
pub use reading::ShownLine;
pub use work::Worked;

use super::App;
use crate::domain::error::Error;
use crate::domain::reconciliation::{AccountId, BankAccount, BankAccounts, Rules};
use std::time::Duration;

/// How jobs are worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconciliationOptions {
    /// The rules of jobs that are created here.
    pub rules: Rules,
    /// How long a worker that is not heard of has a job.
    pub lease: Duration,
    /// Lines that are matched in one transaction, at most.
    pub range: u64,
}

impl Default for ReconciliationOptions {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            lease: Duration::from_secs(60),
            range: 1_000_000,
        }
    }
}

impl App {
    /// The same with other rules and ways to work.
    #[must_use]
    pub fn with_reconciliation_options(mut self, options: ReconciliationOptions) -> Self {
        self.reconciliation = std::sync::Arc::new(options);
        self
    }

    /// The accounts that pay, as they are configured.
    pub fn bank_accounts(&self) -> BankAccounts {
        BankAccounts::of(&self.debtors)
    }

    fn bank_account(&self, id: &AccountId) -> Result<BankAccount, Error> {
        self.bank_accounts().find(id).cloned()
    }
}
