//! Jobs, and the lease by which one worker at a time has one.

use super::super::Tx;
use super::super::block::{Block, get, get_number, int, number, text};
use super::super::claims::to_signed;
use super::super::convert::{from_json, stored};
use super::{literal, to_code};
use crate::app::reconciliation::records::Job;
use crate::domain::error::Error;
use crate::domain::reconciliation::{AccountId, JobState, Step};
use sea_orm::QueryResult;

const JOB: &str = "j.number, j.account, j.as_of, j.dry_run, j.state, j.version, j.step, j.at, j.done, j.total, \
     j.through, j.cancel, j.lease_owner, j.lease_until, j.rules, j.report, j.failure, j.created_by, j.created_at, \
     j.started_at, j.ended_at";

impl Tx {
    /// Adds a job and gives its number.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where another took the number.
    pub async fn insert_job(&self, job: &Job) -> Result<u64, Error> {
        let rows = self
            .query("SELECT COALESCE(MAX(number), 0) AS last FROM reconciliation_job")
            .await?;
        let last = rows.first().map_or(Ok(0), |row| get_number(row, "last"))?;
        let mut block = Block::new([
            "number#",
            "account",
            "as_of",
            "dry_run#",
            "state",
            "version#",
            "step",
            "at",
            "done#",
            "total#",
            "through#",
            "cancel#",
            "lease_owner",
            "lease_until#",
            "rules",
            "rules_digest",
            "report",
            "failure",
            "created_by",
            "created_at#",
            "started_at#",
            "ended_at#",
        ]);
        block.row([
            number(last + 1),
            text(job.account.as_str()),
            text(&job.as_of),
            int(job.dry_run.into()),
            text(job.state.code()),
            number(job.version),
            text(job.step.code()),
            text(&job.at),
            number(job.done),
            number(job.total),
            number(job.through),
            int(0),
            text(""),
            int(0),
            text(job.rules.canonical()),
            text(job.rules.digest().as_str()),
            text(serde_json::to_string(&job.report).map_err(Error::internal)?),
            text(""),
            text(job.created.by.as_str()),
            int(job.created.at),
            int(0),
            int(0),
        ]);
        self.insert_block("reconciliation_job", block).await?;
        Ok(last + 1)
    }

    /// A job.
    pub async fn job(&self, number: u64) -> Result<Option<Job>, Error> {
        let rows = self
            .query(&format!(
                "SELECT {JOB} FROM reconciliation_job j WHERE j.number = {number}"
            ))
            .await?;
        rows.first().map(to_job).transpose()
    }

    /// A job, locked against workers and callers.
    pub async fn lock_job(&self, number: u64) -> Result<Option<Job>, Error> {
        let rows = self
            .query(&format!(
                "SELECT {JOB} FROM reconciliation_job j WHERE j.number = {number}{}",
                self.for_update()
            ))
            .await?;
        rows.first().map(to_job).transpose()
    }

    /// At most `limit` jobs of some accounts, or of all, before a number (0: from the newest), newest first.
    pub async fn jobs(
        &self,
        accounts: Option<&[AccountId]>,
        before: u64,
        limit: u64,
    ) -> Result<Vec<Job>, Error> {
        let before = if before == 0 {
            i64::MAX.unsigned_abs()
        } else {
            before
        };
        let of = match accounts {
            None => String::new(),
            Some([]) => return Ok(Vec::new()),
            Some(accounts) => {
                let accounts: Vec<String> =
                    accounts.iter().map(|account| literal(account.as_str())).collect();
                format!(" AND j.account IN ({})", accounts.join(", "))
            }
        };
        let limit = limit.min(1_000_000);
        let rows = self
            .query(&format!(
                "SELECT {JOB} FROM reconciliation_job j WHERE j.number < {before}{of} \
                 ORDER BY j.number DESC LIMIT {limit}"
            ))
            .await?;
        rows.iter().map(to_job).collect()
    }

    /// The oldest job that nobody works on: not over, its lease over, and first of its account. Locked.
    pub async fn free_job(&self, now: i64) -> Result<Option<Job>, Error> {
        let open = "('waiting', 'running')";
        let rows = self
            .query(&format!(
                "SELECT {JOB} FROM reconciliation_job j WHERE j.state IN {open} AND j.lease_until < {now} \
                 AND NOT EXISTS (SELECT 1 FROM reconciliation_job o WHERE o.account = j.account \
                 AND o.number < j.number AND o.state IN {open}) ORDER BY j.number LIMIT 1{}",
                self.for_update()
            ))
            .await?;
        rows.first().map(to_job).transpose()
    }

    /// When the next lease is over, of the jobs that are not over.
    pub async fn open_jobs(&self) -> Result<u64, Error> {
        let rows = self
            .query("SELECT COUNT(*) AS count FROM reconciliation_job WHERE state IN ('waiting', 'running')")
            .await?;
        rows.first().map_or(Ok(0), |row| get_number(row, "count"))
    }

    /// Stores what changed of a job.
    pub async fn store_job(&self, job: &Job) -> Result<(), Error> {
        let mut block = Block::new([
            "number#",
            "state",
            "version#",
            "step",
            "at",
            "done#",
            "total#",
            "through#",
            "cancel#",
            "lease_owner",
            "lease_until#",
            "report",
            "failure",
            "started_at#",
            "ended_at#",
        ]);
        let (owner, until) = job
            .lease
            .as_ref()
            .map_or(("", 0), |(owner, until)| (owner, *until));
        block.row([
            number(job.number),
            text(job.state.code()),
            number(job.version),
            text(job.step.code()),
            text(&job.at),
            number(job.done),
            number(job.total),
            number(job.through),
            int(job.cancel.into()),
            text(owner),
            int(until),
            text(serde_json::to_string(&job.report).map_err(Error::internal)?),
            text(&job.failure),
            int(job.started_at),
            int(job.ended_at),
        ]);
        self.execute_with(block, |rows| {
            format!(
                "UPDATE reconciliation_job AS j SET state = r.state, version = r.version, step = r.step, at = r.at, \
                 done = r.done, total = r.total, through = r.through, cancel = r.cancel, \
                 lease_owner = r.lease_owner, lease_until = r.lease_until, report = r.report, failure = r.failure, \
                 started_at = r.started_at, ended_at = r.ended_at FROM {rows} AS r WHERE j.number = r.number"
            )
        })
        .await
        .map(drop)
    }

    /// Ends the leases that a worker has.
    pub async fn end_leases(&self, worker: &str) -> Result<(), Error> {
        let worker = literal(worker);
        self.execute(&format!(
            "UPDATE reconciliation_job SET lease_until = 0 WHERE lease_owner = {worker} \
             AND state IN ('waiting', 'running')"
        ))
        .await
        .map(drop)
    }

    /// The day to which an account is reconciled; empty before the first time.
    pub async fn reconciled_to(&self, account: &AccountId) -> Result<String, Error> {
        let account = literal(account.as_str());
        let rows = self
            .query(&format!(
                "SELECT reconciled_to FROM bank_account WHERE account = {account}"
            ))
            .await?;
        rows.first()
            .map_or(Ok(String::new()), |row| get(row, "reconciled_to"))
    }

    /// Notes that an account is reconciled to a day, by a job whose findings are no longer needed.
    pub async fn note_reconciled(&self, job: &Job) -> Result<(), Error> {
        let (account, as_of, number) = (literal(job.account.as_str()), literal(&job.as_of), job.number);
        self.execute(&format!(
            "UPDATE bank_account SET reconciled_to = {as_of}, job = {number} WHERE account = {account}"
        ))
        .await?;
        self.forget_findings(number).await
    }

    /// Of what a job found that does not go on, keeps what goes with matches that stay: nobody would look at these
    /// payments again.
    pub async fn keep_outcomes(&self, job: u64) -> Result<(), Error> {
        self.execute(&format!(
            "DELETE FROM reconciliation_finding WHERE job = {job} \
             AND (reference = '' OR class NOT IN ('late', 'reversed', 'matched'))"
        ))
        .await
        .map(drop)
    }

    /// Takes over what earlier jobs of the account left by [`Tx::keep_outcomes`]: of each payment the latest.
    pub async fn take_over_outcomes(&self, job: &Job) -> Result<(), Error> {
        let (account, number) = (literal(job.account.as_str()), job.number);
        let earlier = format!(
            "(SELECT j.number FROM reconciliation_job j WHERE j.account = {account} AND j.number < {number})"
        );
        self.execute(&format!(
            "DELETE FROM reconciliation_finding WHERE job IN {earlier} AND EXISTS \
             (SELECT 1 FROM reconciliation_finding g WHERE g.job IN {earlier} \
             AND g.job > reconciliation_finding.job AND g.reference = reconciliation_finding.reference)"
        ))
        .await?;
        self.execute(&format!(
            "UPDATE reconciliation_finding SET job = {number} WHERE job IN {earlier}"
        ))
        .await
        .map(drop)
    }

    /// Removes what a job found and did not, or no longer, need.
    pub async fn forget_findings(&self, job: u64) -> Result<(), Error> {
        self.execute(&format!("DELETE FROM reconciliation_finding WHERE job = {job}"))
            .await
            .map(drop)
    }
}

fn to_job(row: &QueryResult) -> Result<Job, Error> {
    let created = to_signed(row, "created_by", "created_at")?;
    let owner: String = get(row, "lease_owner")?;
    Ok(Job {
        number: get_number(row, "number")?,
        account: stored(AccountId::parse("account", &get::<String>(row, "account")?))?,
        as_of: get(row, "as_of")?,
        dry_run: get::<i64>(row, "dry_run")? != 0,
        state: to_code(row, "state", JobState::parse)?,
        version: get_number(row, "version")?,
        step: to_code(row, "step", Step::parse)?,
        at: get(row, "at")?,
        done: get_number(row, "done")?,
        total: get_number(row, "total")?,
        through: get_number(row, "through")?,
        cancel: get::<i64>(row, "cancel")? != 0,
        lease: if owner.is_empty() {
            None
        } else {
            Some((owner, get(row, "lease_until")?))
        },
        rules: from_json("reconciliation_job.rules", &get::<String>(row, "rules")?)?,
        report: from_json("reconciliation_job.report", &get::<String>(row, "report")?)?,
        failure: get(row, "failure")?,
        created: created.ok_or_else(|| Error::internal("a job that nobody asked for"))?,
        started_at: get(row, "started_at")?,
        ended_at: get(row, "ended_at")?,
    })
}
