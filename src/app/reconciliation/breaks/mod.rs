//! Working on breaks: who, how, and with whose approval.
//!
//! Every call locks the account first, so that what it reads nobody else changes. What moves money goes through
//! the desk, under a request id that follows from the break and its version: however often an approval is
//! repeated, and whatever broke off between, it is carried out once.

mod approving;
mod checking;
mod reopening;
mod work;

use super::periods::month_is_closed;
use crate::app::records::BreakFilter;
use crate::app::{App, Mutation, clock};
use crate::domain::error::{Error, Violation};
use crate::domain::identity::Principal;
use crate::domain::money::Money;
use crate::domain::reconciliation::breaks::{How, Step, words};
use crate::domain::reconciliation::{AccountId, Break, BreakId, Class, LineId, Month, Subject};
use checking::check;
use std::collections::BTreeMap;
use time::Date;
use work::find;

/// A break with everything that was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakDetail {
    /// The break.
    pub found: Break,
    /// What was done, in order.
    pub history: Vec<Step>,
}

/// Breaks of one class and age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgeingCell {
    /// The class.
    pub class: Class,
    /// The first day of the band.
    pub from_days: u32,
    /// The last day of the band; none where it has no end.
    pub to_days: Option<u32>,
    /// How many.
    pub count: u64,
    /// What is at stake.
    pub amount: Money,
}

/// The last days of the bands where none are asked for.
const BANDS: [u32; 4] = [3, 7, 30, 90];
/// Most bands.
const MAX_BANDS: usize = 20;

impl App {
    /// At most `limit` breaks of an account by number, those after `after`.
    pub async fn breaks(
        &self,
        account: &AccountId,
        filter: &BreakFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Break>, Error> {
        self.bank_account(account)?;
        let tx = self.store().begin_read().await?;
        tx.bank_breaks(account, filter, after, limit).await
    }

    /// A break with its history.
    pub async fn bank_break(&self, id: &BreakId) -> Result<BreakDetail, Error> {
        let tx = self.store().begin_read().await?;
        Ok(BreakDetail {
            found: find(&tx, id).await?,
            history: tx.steps_of(id).await?,
        })
    }

    /// Open breaks by class and age on a day.
    pub async fn ageing(
        &self,
        account: &AccountId,
        on: Option<Date>,
        bands: &[u32],
    ) -> Result<Vec<AgeingCell>, Error> {
        self.bank_account(account)?;
        let bands = check_bands(bands)?;
        let on = match on {
            Some(on) => on,
            None => clock::today()?,
        };
        let rows = self.store().begin_read().await?.break_ages(account).await?;
        let mut cells: BTreeMap<(Class, usize), (u64, Money)> = BTreeMap::new();
        for row in rows {
            let since = crate::domain::subsidy::parse_date("since", &row.since)?;
            let age = u32::try_from((on - since).whole_days()).unwrap_or(0);
            let band = bands.partition_point(|last| *last < age);
            let cell = cells.entry((row.class, band)).or_default();
            cell.0 += row.count;
            cell.1 = [cell.1, row.amount].into_iter().sum();
        }
        let first = |band: usize| {
            band.checked_sub(1)
                .and_then(|before| bands.get(before))
                .map_or(0, |last| last + 1)
        };
        Ok(cells
            .into_iter()
            .map(|((class, band), (count, amount))| AgeingCell {
                class,
                from_days: first(band),
                to_days: bands.get(band).copied(),
                count,
                amount,
            })
            .collect())
    }

    /// Says who works on a break.
    pub async fn assign_break(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
        assignee: Option<Principal>,
    ) -> Result<Break, Error> {
        self.step_break(mutation, "AssignBreak", (id, etag), |found, signed| {
            found.assign(assignee.clone(), signed)
        })
        .await
    }

    /// Adds a remark to a break.
    pub async fn comment_break(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
        comment: &str,
    ) -> Result<Break, Error> {
        let comment = words("comment", comment)?;
        self.step_break(mutation, "CommentBreak", (id, etag), |found, signed| {
            Ok(found.comment(comment.clone(), signed))
        })
        .await
    }

    /// Resolves a break, or proposes to.
    pub async fn resolve_break(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
        how: How,
        reason: &str,
    ) -> Result<Break, Error> {
        let account = &self.bank_account(&id.account)?;
        let (how, reason) = (&how, &words("reason", reason)?);
        self.work_on_break(mutation, "ResolveBreak", (id, etag), |tx, mut work| async move {
            work.still_open(&tx).await?;
            let today = clock::today()?;
            if *how == How::CarryOver && work.found.period > Month::of(today) {
                return Err(Violation::new(
                    "carry_over",
                    work.found.period.to_string(),
                    "a break of this month or of one before",
                    "本月及以前月份的差异",
                )
                .into());
            }
            let signed = clock::sign(&mutation.caller);
            let steps = work.found.resolve(how.clone(), reason.clone(), signed)?;
            check(&tx, account, &work.found, how).await?;
            steps.into_iter().for_each(|step| work.did(step));
            Ok((tx, work))
        })
        .await
    }

    /// Refuses what was proposed.
    pub async fn reject_resolution(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
        reason: &str,
    ) -> Result<Break, Error> {
        let reason = &words("reason", reason)?;
        self.work_on_break(
            mutation,
            "RejectResolution",
            (id, etag),
            |tx, mut work| async move {
                let signed = clock::sign(&mutation.caller);
                let step = work.found.reject(reason.clone(), signed)?;
                work.did(step);
                Ok((tx, work))
            },
        )
        .await
    }
}

/// The subjects of a match by hand.
fn subjects(lines: &[LineId], payments: &[String]) -> Vec<Subject> {
    let lines = lines.iter().copied().map(Subject::Line);
    lines
        .chain(payments.iter().cloned().map(Subject::Payment))
        .collect()
}

fn check_bands(bands: &[u32]) -> Result<Vec<u32>, Violation> {
    if bands.is_empty() {
        return Ok(BANDS.to_vec());
    }
    if bands.len() <= MAX_BANDS && bands.is_sorted_by(|one, next| one < next) {
        return Ok(bands.to_vec());
    }
    let found: Vec<String> = bands.iter().take(2 * MAX_BANDS).map(u32::to_string).collect();
    Err(Violation::new(
        "bands",
        found.join(", "),
        format!("at most {MAX_BANDS} days, ascending"),
        format!("至多 {MAX_BANDS} 个递增的天数"),
    ))
}
