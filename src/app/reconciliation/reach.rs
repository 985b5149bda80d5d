//! Accounts in reach. Everything in reconciliation is of one account, so what an account does not let in is not there:
//! its statements, jobs, breaks and months are asked for by the account, in the words for one that is not configured.

use super::jobs::no_job;
use super::records::{Job, Statement};
use crate::app::App;
use crate::domain::access::Scope;
use crate::domain::error::{Error, Violation};
use crate::domain::reconciliation::{AccountId, BankAccounts, unknown_account};
use crate::statement::Event;

impl App {
    /// The accounts that pay in the regions of `scope` and in no others.
    pub fn bank_accounts_within(&self, scope: &Scope) -> BankAccounts {
        self.bank_accounts().within(scope)
    }

    /// Refuses an account that is out of reach.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], as for one that is not configured. Who reaches all regions also reaches what is kept of
    /// accounts that are configured no more.
    pub fn reach_account(&self, scope: &Scope, account: &AccountId) -> Result<(), Error> {
        if scope.is_all() {
            return Ok(());
        }
        self.bank_accounts_within(scope).find(account).map(drop)
    }

    /// A reconciliation of an account in reach.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], in the same words whether there is none or it is of an account out of reach.
    pub async fn reach_reconciliation(&self, scope: &Scope, number: u64) -> Result<Job, Error> {
        let job = self.reconciliation(number).await?;
        match self.reach_account(scope, &job.account) {
            Ok(()) => Ok(job),
            Err(_) => Err(no_job(number)),
        }
    }

    /// Whether these are all of accounts in reach.
    pub(super) fn reach_statements(&self, scope: &Scope, statements: &[Statement]) -> bool {
        let mut statements = statements.iter();
        statements.all(|statement| self.reach_account(scope, &statement.account).is_ok())
    }
}

/// Why a file is not taken that has come in before, for an account out of reach: for what it says of its accounts, as
/// if it had not.
pub(super) fn refuse_file(
    accounts: &BankAccounts,
    events: impl Iterator<Item = Result<Event, Error>>,
) -> Error {
    for event in events {
        match event {
            Ok(Event::Begin(head)) => {
                if let Some(number) = head
                    .account
                    .as_ref()
                    .filter(|number| accounts.with_number(number).is_none())
                {
                    return unknown_account(number).into();
                }
            }
            Ok(_) => {}
            Err(fault) => return fault,
        }
    }
    of_another_account()
}

/// A file that does not say whose it is, and was imported as another account's.
pub(super) fn of_another_account() -> Error {
    Violation::new(
        "file",
        "a file of another account",
        "a statement of this account",
        "本账户的对账单",
    )
    .into()
}
