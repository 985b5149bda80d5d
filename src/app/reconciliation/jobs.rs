//! Reconciliations as callers see them: asked for, looked at, given up.

use super::records::{Job, JobReport};
use crate::app::audit::digest_of;
use crate::app::{App, Mutation, clock};
use crate::domain::error::{Bilingual, Error};
use crate::domain::reconciliation::{AccountId, JobAction, JobState, Step};
use crate::domain::subsidy::format_date;
use time::Date;

/// A reconciliation as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateJob {
    /// The account.
    pub account: AccountId,
    /// Up to which day.
    pub as_of: Date,
    /// Whether it keeps nothing but its report.
    pub dry_run: bool,
}

impl App {
    /// Asks for a reconciliation; a worker takes it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the account is not configured; [`Error::State`] where it has no statement, or was
    /// reconciled to a later day.
    pub async fn create_reconciliation(&self, mutation: &Mutation, create: &CreateJob) -> Result<Job, Error> {
        let account = self.bank_account(&create.account)?;
        self.vault()?;
        let as_of = format_date(create.as_of);
        let (account, as_of) = (&account, &as_of);
        self.mutate(mutation, "CreateReconciliation", |tx| async move {
            let last = tx.last_statement(&account.id).await?;
            let last = last.ok_or_else(|| no_statement(&account.id))?;
            let reconciled = tx.reconciled_to(&account.id).await?;
            if !create.dry_run && *as_of < reconciled {
                return Err(Error::State {
                    name: account.id.resource_name(),
                    reason: "RECONCILED_LATER",
                    message: Bilingual::new(
                        format!(
                            "{} is reconciled to {reconciled}: not before that day",
                            account.id
                        ),
                        format!("{} 已对账至 {reconciled},不能再按更早日期对账", account.id),
                    ),
                });
            }
            let mut job = Job {
                number: 0,
                account: account.id.clone(),
                as_of: as_of.clone(),
                dry_run: create.dry_run,
                state: JobState::Waiting,
                version: 1,
                step: Step::Prepare,
                at: String::new(),
                done: 0,
                total: 0,
                through: last.number,
                cancel: false,
                lease: None,
                rules: self.reconciliation.rules.clone(),
                report: JobReport::default(),
                failure: String::new(),
                created: clock::sign(&mutation.caller),
                started_at: 0,
                ended_at: 0,
            };
            job.number = tx.insert_job(&job).await?;
            let digest = digest_of(&job)?;
            tx.trail(|trail| trail.touch(job.resource_name(), None, Some(digest)));
            Ok((tx, job))
        })
        .await
    }

    /// A reconciliation.
    pub async fn reconciliation(&self, number: u64) -> Result<Job, Error> {
        let tx = self.store().begin_read().await?;
        tx.job(number).await?.ok_or_else(|| no_job(number))
    }

    /// At most `limit` reconciliations of some accounts, or of all, before a number (0: from the newest), newest first.
    pub async fn reconciliations(
        &self,
        accounts: Option<&[AccountId]>,
        before: u64,
        limit: u64,
    ) -> Result<Vec<Job>, Error> {
        let tx = self.store().begin_read().await?;
        tx.jobs(accounts, before, limit).await
    }

    /// Gives a reconciliation up: at once where no worker has it, else at its next step. What it has matched and
    /// posted stays.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where it is over.
    pub async fn cancel_reconciliation(&self, mutation: &Mutation, number: u64) -> Result<Job, Error> {
        // A worker changes the job all the time: the row's lock puts both in order, and nothing else is read.
        self.mutate_posting(mutation, "CancelReconciliation", |tx| async move {
            let mut job = tx.lock_job(number).await?.ok_or_else(|| no_job(number))?;
            let before = digest_of(&job)?;
            job.state = after(&job, JobAction::Cancel)?;
            job.cancel = true;
            job.version += 1;
            if job.state.is_over() {
                job.ended_at = clock::now();
            }
            tx.store_job(&job).await?;
            let digest = digest_of(&job)?;
            tx.trail(|trail| trail.touch(job.resource_name(), Some(before), Some(digest)));
            Ok((tx, job))
        })
        .await
    }
}

/// The state after an action.
pub(super) fn after(job: &Job, action: JobAction) -> Result<JobState, Error> {
    job.state.after(action).ok_or_else(|| Error::State {
        name: job.resource_name(),
        reason: "RECONCILIATION_STATE",
        message: Bilingual::new(
            format!("{} is {}", job.resource_name(), job.state),
            format!("{} 当前为“{}”", job.resource_name(), job.state.zh()),
        ),
    })
}

pub(super) fn no_job(number: u64) -> Error {
    Error::NotFound {
        kind: "reconciliation",
        name: format!("reconciliations/{number}"),
    }
}

fn no_statement(account: &AccountId) -> Error {
    Error::State {
        name: account.resource_name(),
        reason: "NO_STATEMENT",
        message: Bilingual::new(
            format!("{account} has no statement: import one first"),
            format!("{account} 尚无对账单,请先导入"),
        ),
    }
}
