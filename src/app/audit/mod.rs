//! The audit log: who did what, from where, and what became of it.
//!
//! A mutation's record is written in the mutation's own transaction, so that there is neither a change
//! without a record nor a record without a change. What writes to a fund holds the lock of the fund's row
//! already, and puts its records behind the last one of the fund's chain there and then (`app::books`).
//! Transactions that share no lock would wait for each other, or abort each other, over the end of one
//! common chain: they store their record as pending, and the `sealer` puts it into the general chain before
//! the caller has the answer. Refusals and disclosures are recorded by the sealer as well.

mod checkpoint;
mod reading;
mod sealer;
mod signing;
mod trail;
mod verifying;

pub use checkpoint::AuditKeys;
pub use reading::{AuditFilter, AuditPosition};
pub(super) use sealer::Sealer;
pub use signing::{SigningKey, VerifyingKeys, generate as generate_signing_key};
pub use trail::Trail;
pub(super) use trail::{Difference, changes_of, digest_of, of_resources};
pub use verifying::AuditVerification;

use super::personal::Disclosure;
use super::{App, Mutation, clock};
use crate::domain::audit::{Outcome, Record};
use crate::domain::error::Error;
use crate::domain::identity::Principal;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether records are left out.
static LEFT_OUT: AtomicBool = AtomicBool::new(false);

/// Leaves records of mutations out, in this process from now on, so that a benchmark can tell what they cost. Nothing
/// in the program calls it, no setting leads to it, and `audit verify` finds what was done without a record.
#[doc(hidden)]
pub fn leave_out_to_measure() {
    LEFT_OUT.store(true, Ordering::Relaxed);
}

/// Whether records of mutations are left out.
pub(super) fn is_left_out() -> bool {
    LEFT_OUT.load(Ordering::Relaxed)
}

/// Who asks, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// Who.
    pub caller: Principal,
    /// From where, as the transport saw it.
    pub peer: String,
}

/// A call that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who.
    pub by: String,
    /// From where, as the transport saw it.
    pub peer: String,
    /// The method.
    pub action: String,
    /// The caller's id of the request; empty where there is none.
    pub request_id: String,
}

impl Call {
    /// The call that a mutation is.
    pub(super) fn of(mutation: &Mutation, method: &str) -> Self {
        Self {
            by: mutation.caller.as_str().to_owned(),
            peer: mutation.peer.clone(),
            action: method.to_owned(),
            request_id: mutation.request_id.clone(),
        }
    }

    /// A record of it, now, that is about nothing yet.
    pub(super) fn record(&self, outcome: Outcome) -> Record {
        Record {
            at: clock::now(),
            by: self.by.clone(),
            peer: self.peer.clone(),
            action: self.action.clone(),
            request_id: self.request_id.clone(),
            outcome,
            reason: String::new(),
            resource: String::new(),
            count: 0,
            before: String::new(),
            after: String::new(),
            changes: None,
        }
    }
}

/// The reason of a refusal that is recorded: of what somebody may not do, and of what the rules forbid in the
/// state that things are in. Input that is wrong, names of what is not there and a stale etag are not
/// recorded: nothing was attempted that could have been carried out.
pub fn recorded_refusal(error: &Error) -> Option<&str> {
    match error {
        Error::Forbidden { reason, .. } | Error::State { reason, .. } => Some(reason),
        Error::AlreadyExists { .. } => Some("ALREADY_EXISTS"),
        Error::RequestIdReused { .. } => Some("REQUEST_ID_REUSED"),
        _ => None,
    }
}

/// The resource that a refusal names.
fn refused_resource(error: &Error) -> String {
    match error {
        Error::State { name, .. } | Error::AlreadyExists { name, .. } => name.clone(),
        _ => String::new(),
    }
}

impl App {
    /// Records a call that was refused, before its caller learns of it. A refusal that cannot be recorded is
    /// still one: nothing was done that would need a record.
    pub async fn record_refusal(&self, call: &Call, error: &Error) {
        let Some(reason) = recorded_refusal(error) else {
            return;
        };
        let record = Record {
            reason: reason.to_owned(),
            resource: refused_resource(error),
            ..call.record(Outcome::Refused)
        };
        if let Err(failed) = self.sealer.record(self.store(), record).await {
            tracing::error!(error = %failed, action = call.action, "a refusal could not be recorded");
        }
    }

    /// Records that personal data is about to be handed out.
    ///
    /// # Errors
    ///
    /// Where it cannot be recorded; then it must not be handed out.
    pub(super) async fn disclose(
        &self,
        asking: &Asking,
        what: Disclosure,
        resource: String,
        count: u64,
    ) -> Result<(), Error> {
        let call = Call {
            by: asking.caller.as_str().to_owned(),
            peer: asking.peer.clone(),
            action: what.method().to_owned(),
            request_id: String::new(),
        };
        let record = Record {
            reason: what.permission().code().to_owned(),
            resource,
            count,
            ..call.record(Outcome::Disclosed)
        };
        self.sealer.record(self.store(), record).await
    }

    /// The public keys that verify checkpoints, as text; empty where there are none.
    pub fn audit_public_keys(&self) -> String {
        let key = self.audit.signing.as_ref();
        key.map_or_else(String::new, |key| key.verifying().to_text())
    }

    /// Chains what waits to be chained: what a process left that ended between a commit and this.
    pub async fn seal_audit_log(&self) -> Result<(), Error> {
        self.sealer.seal(self.store()).await
    }
}
