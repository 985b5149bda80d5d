//! Opening breaks again, with what was matched by hand.

use super::month_is_closed;
use super::subjects;
use super::work::store;
use crate::app::{App, Mutation, clock};
use crate::domain::allocation::Signature;
use crate::domain::error::{Bilingual, Error};
use crate::domain::reconciliation::breaks::{How, words};
use crate::domain::reconciliation::period::closed;
use crate::domain::reconciliation::{AccountId, Break, BreakId, BreakState, LineId, Month};
use crate::store::Tx;

impl App {
    /// Opens a break again; of one of a closed month, the one that takes its place.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where what was done cannot be undone here.
    pub async fn reopen_break(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
        reason: &str,
    ) -> Result<Break, Error> {
        let reason = &words("reason", reason)?;
        self.work_on_break(mutation, "ReopenBreak", (id, etag), |tx, mut work| async move {
            let signed = clock::sign(&mutation.caller);
            if work.found.state != BreakState::Resolved {
                // Says why not.
                work.found.reopen(reason.clone(), signed)?;
                return Ok((tx, work));
            }
            let newest = tx
                .breaks_of(&id.account, std::slice::from_ref(&work.found.evidence.subject))
                .await?;
            if let Some(newer) = newest.first().filter(|newest| newest.id != *id) {
                return Err(replaced(id, &newer.id));
            }
            let how = work.how()?;
            if matches!(how, How::Correct { .. }) {
                return Err(posted(id));
            }
            if month_is_closed(&tx, &id.account, work.found.period).await? {
                if let How::Match { .. } = how {
                    return Err(closed(&id.account, work.found.period));
                }
                let to = tx.closed_to(&id.account).await?;
                let period = to.map_or(work.found.period, Month::next);
                let (new, step) = work.found.correction(work.last + 1, period, reason, signed);
                work.replace(&tx, new, &step).await?;
                return Ok((tx, work));
            }
            let step = work.found.reopen(reason.clone(), signed.clone())?;
            work.did(step);
            if let How::Match { lines, payments } = &how {
                unlocked(&tx, &id.account, lines).await?;
                tx.unlink_by_hand(&id.account, lines, payments).await?;
                reopen_others(&tx, &work.found.id, &how, reason, &signed).await?;
            }
            Ok((tx, work))
        })
        .await
    }
}

/// Opens the other breaks of what was matched by hand again.
async fn reopen_others(
    tx: &Tx,
    id: &BreakId,
    how: &How,
    reason: &str,
    signed: &Signature,
) -> Result<(), Error> {
    let How::Match { lines, payments } = how else {
        return Ok(());
    };
    for mut other in tx.breaks_of(&id.account, &subjects(lines, payments)).await? {
        let same = other
            .resolution
            .as_ref()
            .is_some_and(|resolution| resolution.how == *how);
        if other.id == *id || other.state != BreakState::Resolved || !same {
            continue;
        }
        let had = other.version;
        let step = other.reopen(reason.to_owned(), signed.clone())?;
        store(tx, &other, had, &[step]).await?;
    }
    Ok(())
}

/// What was matched by hand cannot be undone where a line lies in a closed month.
async fn unlocked(tx: &Tx, account: &AccountId, lines: &[LineId]) -> Result<(), Error> {
    for line in tx.hand_lines(account, lines).await? {
        let day = crate::domain::subsidy::parse_date("booked", &line.booked)?;
        let month = Month::of(day);
        if month_is_closed(tx, account, month).await? {
            return Err(closed(account, month));
        }
    }
    Ok(())
}

fn replaced(id: &BreakId, newer: &BreakId) -> Error {
    Error::State {
        name: id.to_string(),
        reason: "BREAK_REPLACED",
        message: Bilingual::new(
            format!("{newer} has taken the place of {id}: work on that one"),
            format!("{id} 已由 {newer} 代替,请处理后者"),
        ),
    }
}

fn posted(id: &BreakId) -> Error {
    Error::State {
        name: id.to_string(),
        reason: "CORRECTION_POSTED",
        message: Bilingual::new(
            format!(
                "what resolved {id} is posted to the ledger and stays: correct it there by a further entry"
            ),
            format!("{id} 的更正已记入账簿,不能撤回,请另行更正"),
        ),
    }
}
