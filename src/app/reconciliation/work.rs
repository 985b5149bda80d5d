//! Working on jobs: a worker takes one, does it step by step, and says how far it is.
//!
//! Every piece of a step is one transaction, which begins by locking the job: whoever else has it by now, or asked
//! to give it up, is seen there, and what the piece did is kept together with how far the job is. A worker that is
//! killed leaves a job whose lease ends; another takes it and goes on behind the last piece. A dry run is one
//! transaction, which is never committed.

use super::jobs::{after, no_job};
use super::records::Job;
use crate::app::{App, clock};
use crate::domain::allocation::Signature;
use crate::domain::error::Error;
use crate::domain::reconciliation::{BankAccount, JobAction, Rule, Step};
use crate::domain::subsidy::{format_date, parse_date};
use crate::store::reconciliation::{Due, Span};
use crate::store::{Tx, retrying};
use std::time::Duration;
use time::Duration as Days;

/// What a worker did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worked {
    /// There was nothing to do.
    Nothing,
    /// A job, to its end.
    Ended(Box<Job>),
    /// A job, until another worker had it.
    Lost(u64),
}

/// Whether a step has more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Done,
    /// Back to the step that matches totals: there are fewer open payments now.
    Again,
}

/// What all steps of a job need to know.
pub(super) struct Context {
    pub(super) account: BankAccount,
    pub(super) due: Vec<Due>,
    /// The first day of the account's first statement.
    pub(super) first: String,
    /// The last day that is known of.
    pub(super) covered: String,
}

impl Context {
    pub(super) fn span<'a>(&'a self, job: &'a Job) -> Span<'a> {
        Span {
            job: job.number,
            account: &job.account,
            scope: &self.account.scope,
            through: job.through,
            as_of: &job.as_of,
            due: &self.due,
        }
    }

    /// The last day that the bank has for a payment that it was to make on a day.
    pub(super) fn deadline(&self, execution: &str) -> String {
        let due = self.due.iter().find(|due| due.execution == execution);
        due.map(|due| due.deadline.clone()).unwrap_or_default()
    }
}

/// How long a dry run may take on a database that has one writer: nobody can extend it meanwhile.
const DRY_LEASE: Duration = Duration::from_secs(600);
/// How often a worker looks for jobs unless it is told of a change.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl App {
    /// Works on reconciliations until told to stop. `worker` names who does, uniquely.
    pub async fn work_on_reconciliations(self, worker: String, mut stop: tokio::sync::watch::Receiver<bool>) {
        let mut commits = self.store().commits();
        while !*stop.borrow() {
            let worked = tokio::select! {
                worked = self.work_once(&worker) => worked,
                _ = stop.changed() => break,
            };
            match worked {
                Ok(Worked::Nothing) => {}
                Ok(Worked::Ended(job)) => {
                    tracing::info!(job = job.number, state = job.state.code(), "reconciliation ended");
                    continue;
                }
                Ok(Worked::Lost(job)) => tracing::warn!(job, "another worker has the reconciliation"),
                Err(failed) => tracing::warn!(error = %failed, "working on reconciliations"),
            }
            tokio::select! {
                _ = tokio::time::sleep(LOOK_EVERY) => {}
                _ = commits.changed() => tokio::time::sleep(Duration::from_millis(50)).await,
                _ = stop.changed() => break,
            }
        }
        if let Err(failed) = self.let_go(&worker).await {
            tracing::debug!(error = %failed, "letting go of reconciliations");
        }
    }

    /// Ends the leases of a worker that stops, so that others need not wait for them to end.
    async fn let_go(&self, worker: &str) -> Result<(), Error> {
        let tx = self.store().begin_bulk().await?;
        tx.end_leases(worker).await?;
        tx.commit().await
    }

    /// Takes the oldest job that nobody works on, and does it to its end.
    pub async fn work_once(&self, worker: &str) -> Result<Worked, Error> {
        if self.vault().is_err() {
            return Ok(Worked::Nothing);
        }
        let Some(job) = self.take(worker).await? else {
            return Ok(Worked::Nothing);
        };
        let number = job.number;
        let outcome = if job.dry_run {
            self.try_out(worker, job).await
        } else {
            self.carry_out(worker, job).await
        };
        match outcome {
            // Another attempt may succeed: the job is left to whoever takes it next.
            Err(failed @ (Error::Unavailable { .. } | Error::Conflict { .. })) => Err(failed),
            Err(failed) => {
                if let Error::Internal { detail } = &failed {
                    tracing::error!(job = number, detail, "a reconciliation failed");
                }
                let ended = self.end(worker, number, JobAction::Fail, Some(&failed)).await?;
                Ok(ended.map_or(Worked::Lost(number), |job| Worked::Ended(Box::new(job))))
            }
            Ok(worked) => Ok(worked),
        }
    }

    /// Takes the oldest free job.
    async fn take(&self, worker: &str) -> Result<Option<Job>, Error> {
        {
            let tx = self.store().begin_read().await?;
            if tx.open_jobs().await? == 0 {
                return Ok(None);
            }
        }
        retrying(|| async {
            let tx = self.store().begin_bulk().await?;
            let now = clock::now();
            let Some(mut job) = tx.free_job(now).await? else {
                return Ok(None);
            };
            // A worker that waited for the row sees who got it.
            if job.lease.as_ref().is_some_and(|(_, until)| *until >= now) || job.state.is_over() {
                return Ok(None);
            }
            job.state = after(&job, JobAction::Take)?;
            let lease = if job.dry_run && self.store().has_one_writer() {
                DRY_LEASE
            } else {
                self.reconciliation.lease
            };
            job.lease = Some((worker.to_owned(), now + micros(lease)));
            if job.started_at == 0 {
                job.started_at = now;
            }
            job.version += 1;
            tx.store_job(&job).await?;
            tx.commit().await?;
            Ok(Some(job))
        })
        .await
    }

    async fn context(&self, tx: &Tx, job: &Job) -> Result<Context, Error> {
        let account = self.bank_account(&job.account)?;
        let first = tx.first_statement(&job.account).await?;
        let last = tx.statement(job.through).await?;
        let to = last.map(|statement| statement.to).unwrap_or_default();
        let mut due = Vec::new();
        for execution in tx.execution_dates().await? {
            let Ok(day) = parse_date("execution_date", &execution) else {
                continue;
            };
            let away = |days: u32, back: bool| {
                let days = Days::days(i64::from(days));
                let moved = if back {
                    day.checked_sub(days)
                } else {
                    day.checked_add(days)
                };
                format_date(moved.unwrap_or(day))
            };
            due.push(Due {
                deadline: away(job.rules.late_days, false),
                window: (
                    away(job.rules.date_window_days, true),
                    away(job.rules.date_window_days, false),
                ),
                execution,
            });
        }
        due.sort_by(|one, other| one.execution.cmp(&other.execution));
        Ok(Context {
            account,
            due,
            first: first.map(|statement| statement.from).unwrap_or_default(),
            covered: to.min(job.as_of.clone()),
        })
    }

    /// Does a job piece by piece.
    async fn carry_out(&self, worker: &str, mut job: Job) -> Result<Worked, Error> {
        let number = job.number;
        self.remove_abandoned().await?;
        let context = {
            let tx = self.store().begin_read().await?;
            self.context(&tx, &job).await?
        };
        loop {
            // The ledger has transactions of its own. Whoever takes over a job that was broken off here goes on with what
            // is not posted yet.
            if job.step == Step::Post {
                self.post(&job, &context, worker).await?;
            }
            let advanced = retrying(|| async {
                let tx = self.store().begin_bulk().await?;
                let Some(mut job) = self.held(&tx, worker, number).await? else {
                    return Ok(None);
                };
                if job.cancel {
                    job.state = after(&job, JobAction::GiveUp)?;
                    self.close(&tx, &mut job).await?;
                    tx.keep_outcomes(number).await?;
                    tx.commit().await?;
                    return Ok(Some(job));
                }
                self.advance(&tx, &mut job, &context).await?;
                if job.step == Step::Done {
                    job.state = after(&job, JobAction::Finish)?;
                    tx.note_reconciled(&job).await?;
                    self.close(&tx, &mut job).await?;
                } else {
                    job.state = after(&job, JobAction::Advance)?;
                    job.lease = Some((
                        worker.to_owned(),
                        clock::now() + micros(self.reconciliation.lease),
                    ));
                    job.version += 1;
                    tx.store_job(&job).await?;
                }
                tx.commit().await?;
                Ok(Some(job))
            })
            .await?;
            let Some(advanced) = advanced else {
                return Ok(Worked::Lost(number));
            };
            if advanced.state.is_over() {
                return Ok(Worked::Ended(Box::new(advanced)));
            }
            job = advanced;
        }
    }

    /// Does a job in one transaction that is not kept, and keeps the report.
    async fn try_out(&self, worker: &str, mut job: Job) -> Result<Worked, Error> {
        let number = job.number;
        let report = {
            let tx = self.store().begin_bulk().await?;
            let context = self.context(&tx, &job).await?;
            tx.lock_bank_account(&job.account).await?;
            while job.step != Step::Done {
                self.advance(&tx, &mut job, &context).await?;
                if job.step == Step::Post {
                    job.step = job.step.next();
                }
                if self.given_up(number).await? {
                    drop(tx);
                    let ended = self.end(worker, number, JobAction::GiveUp, None).await?;
                    return Ok(ended.map_or(Worked::Lost(number), |job| Worked::Ended(Box::new(job))));
                }
            }
            job.report
        };
        retrying(|| async {
            let tx = self.store().begin_bulk().await?;
            let Some(mut job) = self.held(&tx, worker, number).await? else {
                return Ok(Worked::Lost(number));
            };
            job.report = report.clone();
            job.step = Step::Done;
            job.state = after(&job, JobAction::Finish)?;
            self.close(&tx, &mut job).await?;
            tx.commit().await?;
            Ok(Worked::Ended(Box::new(job)))
        })
        .await
    }

    async fn given_up(&self, number: u64) -> Result<bool, Error> {
        let tx = self.store().begin_read().await?;
        Ok(tx.job(number).await?.is_none_or(|job| job.cancel))
    }

    /// A job, locked, if the worker has it.
    pub(super) async fn held(&self, tx: &Tx, worker: &str, number: u64) -> Result<Option<Job>, Error> {
        let job = tx.lock_job(number).await?.ok_or_else(|| no_job(number))?;
        let mine = job.lease.as_ref().is_some_and(|(owner, _)| owner == worker);
        Ok((mine && !job.state.is_over()).then_some(job))
    }

    /// Notes that a job is over.
    async fn close(&self, tx: &Tx, job: &mut Job) -> Result<(), Error> {
        job.lease = None;
        job.ended_at = clock::now();
        job.version += 1;
        tx.store_job(job).await
    }

    /// Ends a job that does not go on.
    async fn end(
        &self,
        worker: &str,
        number: u64,
        action: JobAction,
        failed: Option<&Error>,
    ) -> Result<Option<Job>, Error> {
        retrying(|| async {
            let tx = self.store().begin_bulk().await?;
            let Some(mut job) = self.held(&tx, worker, number).await? else {
                return Ok(None);
            };
            job.state = after(&job, action)?;
            if let Some(failed) = failed {
                let said = failed.message();
                job.failure = format!("{} / {}", said.en, said.zh);
            }
            self.close(&tx, &mut job).await?;
            tx.keep_outcomes(number).await?;
            tx.commit().await?;
            Ok(Some(job))
        })
        .await
    }

    /// Does a piece of the step that a job is at.
    async fn advance(&self, tx: &Tx, job: &mut Job, context: &Context) -> Result<(), Error> {
        let progress = match job.step {
            Step::Prepare => self.prepare(tx, job).await?,
            Step::References => self.match_range(tx, job, context).await?,
            Step::BatchTotals if job.rules.uses(Rule::BatchTotal) => {
                self.match_totals(tx, job, context).await?
            }
            Step::AccountDates if job.rules.uses(Rule::AccountDate) => {
                let matched = tx.match_accounts(&context.span(job)).await?;
                if matched > 0 && job.rules.uses(Rule::BatchTotal) {
                    Progress::Again
                } else {
                    Progress::Done
                }
            }
            Step::Groups => self.decide_groups(tx, job, context).await?,
            Step::Classify => {
                let span = context.span(job);
                tx.find_unknown(&span).await?;
                tx.find_missing(&span, &context.first, &context.covered).await?;
                Progress::Done
            }
            Step::Plan => {
                job.report.postings = tx.posting_totals(&context.span(job)).await?;
                Progress::Done
            }
            Step::Compare => {
                tx.lock_bank_account(&job.account).await?;
                let closed = tx.last_closed(&job.account).await?;
                let by = Signature {
                    by: job.created.by.clone(),
                    at: clock::now(),
                };
                let next = month_behind(&closed);
                let compared = tx
                    .compare_findings(job.number, &job.account, &by, &closed, &next)
                    .await?;
                job.report.new_breaks = compared.new;
                job.report.changed_breaks = compared.changed;
                job.report.closed_breaks = compared.closed;
                Progress::Done
            }
            Step::Report => {
                let mut report = job.report.clone();
                tx.count_classes(&context.span(job), &context.first, &mut report)
                    .await?;
                job.report = report;
                Progress::Done
            }
            Step::BatchTotals | Step::AccountDates | Step::Post | Step::Done => Progress::Done,
        };
        match progress {
            Progress::More => {}
            Progress::Again => {
                job.step = Step::BatchTotals;
                job.at.clear();
            }
            Progress::Done => {
                job.step = job.step.next();
                job.at.clear();
            }
        }
        Ok(())
    }
}

/// The month behind one, `YYYY-MM`; empty for none.
fn month_behind(month: &str) -> String {
    let parts = month.split_once('-');
    let parts = parts.and_then(|(year, month)| Some((year.parse::<u32>().ok()?, month.parse::<u32>().ok()?)));
    match parts {
        Some((year, 12)) => format!("{:04}-01", year + 1),
        Some((year, month)) => format!("{year:04}-{:02}", month + 1),
        None => String::new(),
    }
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
