//! Names of what is of a bank account, read within the reach of who gives them. The service reads names by this and not
//! otherwise, so that no method can be asked for what is out of reach.

use super::convert::reconciliation::{
    account_name, break_name, job_name, optional_account, period_name, statement_name,
};
use crate::app::App;
use crate::app::reconciliation::records::Job;
use crate::domain::access::Scope;
use crate::domain::error::Error;
use crate::domain::reconciliation::{AccountId, BreakId, Month};

/// Reads names for a caller.
pub(super) struct Names<'r> {
    app: &'r App,
    scope: &'r Scope,
}

impl<'r> Names<'r> {
    pub(super) const fn of(app: &'r App, scope: &'r Scope) -> Self {
        Self { app, scope }
    }

    fn reached(&self, account: AccountId) -> Result<AccountId, Error> {
        self.app.reach_account(self.scope, &account)?;
        Ok(account)
    }

    pub(super) fn account(&self, field: &str, name: &str) -> Result<AccountId, Error> {
        self.reached(account_name(field, name)?)
    }

    pub(super) fn optional_account(&self, field: &str, name: &str) -> Result<Option<AccountId>, Error> {
        let account = optional_account(field, name)?;
        account.map(|account| self.reached(account)).transpose()
    }

    /// The accounts that a list is of: one where it is named, else those in reach; none means all that there are.
    pub(super) fn accounts(&self, field: &str, name: &str) -> Result<Option<Vec<AccountId>>, Error> {
        if let Some(account) = self.optional_account(field, name)? {
            return Ok(Some(vec![account]));
        }
        if self.scope.is_all() {
            return Ok(None);
        }
        let within = self.app.bank_accounts_within(self.scope);
        let accounts = within.all().iter().map(|account| account.id.clone());
        Ok(Some(accounts.collect()))
    }

    pub(super) fn statement(&self, field: &str, name: &str) -> Result<(AccountId, u64), Error> {
        let (account, number) = statement_name(field, name)?;
        Ok((self.reached(account)?, number))
    }

    pub(super) fn bank_break(&self, field: &str, name: &str) -> Result<BreakId, Error> {
        let id = break_name(field, name)?;
        self.app.reach_account(self.scope, &id.account)?;
        Ok(id)
    }

    pub(super) fn period(&self, field: &str, name: &str) -> Result<(AccountId, Month), Error> {
        let (account, month) = period_name(field, name)?;
        Ok((self.reached(account)?, month))
    }

    pub(super) async fn reconciliation(&self, field: &str, name: &str) -> Result<Job, Error> {
        let number = job_name(field, name)?;
        self.app.reach_reconciliation(self.scope, number).await
    }
}
