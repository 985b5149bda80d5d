//! A call that works on one break: begun, carried out and written in the same way, whatever it does.

use super::month_is_closed;
use crate::app::audit::digest_of;
use crate::app::{App, Mutation, clock};
use crate::domain::allocation::Signature;
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use crate::domain::reconciliation::breaks::{How, Resolution, Step};
use crate::domain::reconciliation::period::closed;
use crate::domain::reconciliation::{Break, BreakId};
use crate::store::Tx;

/// A break at work: its account is locked, so that what is read of it nobody else changes.
pub(super) struct Work {
    /// The break, as it is to become.
    pub(super) found: Break,
    /// Its version as it was read.
    had: u32,
    before: Digest,
    /// The number of the account's last break.
    pub(super) last: u64,
    steps: Vec<Step>,
    /// The new break that is answered in its place.
    instead: Option<Break>,
}

impl Work {
    async fn begin(tx: &Tx, id: &BreakId, etag: &str) -> Result<Self, Error> {
        let last = tx.lock_breaks(&id.account).await?;
        let found = find(tx, id).await?;
        found.check_etag(etag)?;
        Ok(Self {
            had: found.version,
            before: digest_of(&found)?,
            found,
            last,
            steps: Vec::new(),
            instead: None,
        })
    }

    /// Refuses a break whose month is signed.
    pub(super) async fn still_open(&self, tx: &Tx) -> Result<(), Error> {
        let (account, period) = (&self.found.id.account, self.found.period);
        if month_is_closed(tx, account, period).await? {
            return Err(closed(account, period));
        }
        Ok(())
    }

    pub(super) fn resolution(&self) -> Result<Resolution, Error> {
        let resolution = self.found.resolution.clone();
        resolution.ok_or_else(|| Error::internal("a break without a resolution"))
    }

    pub(super) fn how(&self) -> Result<How, Error> {
        self.resolution().map(|resolution| resolution.how)
    }

    /// Notes what was done to the break.
    pub(super) fn did(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Stores a new break that takes the place of this one, which stays as it is.
    pub(super) async fn replace(&mut self, tx: &Tx, new: Break, step: &Step) -> Result<(), Error> {
        tx.insert_break(&new).await?;
        tx.insert_steps(&[(&new.id, step)]).await?;
        let after = digest_of(&new)?;
        tx.trail(|trail| trail.touch(new.id.to_string(), None, Some(after)));
        self.instead = Some(new);
        Ok(())
    }

    /// Stores what was done, with its record in the audit log; nothing where nothing was.
    ///
    /// The record names the break that the call was about. What becomes of others with it follows from that
    /// break's resolution, which its digest covers.
    async fn write(self, tx: &Tx) -> Result<Break, Error> {
        let Self {
            found,
            had,
            before,
            steps,
            instead,
            ..
        } = self;
        if !steps.is_empty() {
            store(tx, &found, had, &steps).await?;
            let after = digest_of(&found)?;
            tx.trail(|trail| trail.touch(found.id.to_string(), Some(before), Some(after)));
        }
        Ok(instead.unwrap_or(found))
    }
}

/// Stores a break that was changed, with the version that it had, and what was done.
pub(super) async fn store(tx: &Tx, found: &Break, had: u32, steps: &[Step]) -> Result<(), Error> {
    tx.update_breaks(&[(found, had)]).await?;
    let steps: Vec<(&BreakId, &Step)> = steps.iter().map(|step| (&found.id, step)).collect();
    tx.insert_steps(&steps).await
}

/// A break that there is.
pub(super) async fn find(tx: &Tx, id: &BreakId) -> Result<Break, Error> {
    let found = tx.bank_break(id).await?;
    found.ok_or_else(|| Error::NotFound {
        kind: "break",
        name: id.to_string(),
    })
}

impl App {
    /// Works on a break in one transaction: its account is locked and its etag compared, `act` does what the call
    /// is for, and what it noted is stored. Gives the break as it is then.
    pub(super) async fn work_on_break<F, Fut>(
        &self,
        mutation: &Mutation,
        method: &'static str,
        (id, etag): (&BreakId, &str),
        act: F,
    ) -> Result<Break, Error>
    where
        F: Fn(Tx, Work) -> Fut,
        Fut: Future<Output = Result<(Tx, Work), Error>>,
    {
        let act = &act;
        self.mutate(mutation, method, |tx| async move {
            let work = Work::begin(&tx, id, etag).await?;
            let (tx, work) = act(tx, work).await?;
            let found = work.write(&tx).await?;
            Ok((tx, found))
        })
        .await
    }

    /// As [`App::work_on_break`], for what is one step of a break of an open month.
    pub(super) async fn step_break(
        &self,
        mutation: &Mutation,
        method: &'static str,
        place: (&BreakId, &str),
        act: impl Fn(&mut Break, Signature) -> Result<Step, Error>,
    ) -> Result<Break, Error> {
        let act = &act;
        self.work_on_break(mutation, method, place, |tx, mut work| async move {
            work.still_open(&tx).await?;
            let step = act(&mut work.found, clock::sign(&mutation.caller))?;
            work.did(step);
            Ok((tx, work))
        })
        .await
    }
}
