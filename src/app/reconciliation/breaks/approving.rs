//! Approving a resolution: noted, carried out through the desk, completed; what breaks off between is taken up again
//! by approving again.

use super::checking::{check, payment_of};
use super::subjects;
use super::work::store;
use crate::app::desk::Command;
use crate::app::{App, Mutation, check_request_id, clock};
use crate::domain::access::Scope;
use crate::domain::allocation::Signature;
use crate::domain::digest::Digest;
use crate::domain::disbursement::Answer;
use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::domain::reconciliation::breaks::{Correction, How, Resolution};
use crate::domain::reconciliation::{Break, BreakId, BreakState, Class, LineId};
use crate::store::Tx;
use crate::store::reconciliation::HandLink;

impl App {
    /// Approves what was proposed and carries it out. An approval that was cut short is completed by approving
    /// again.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for whoever proposed it. Where the ledger refuses, its refusal; the break is open
    /// again.
    pub async fn approve_resolution(
        &self,
        mutation: &Mutation,
        id: &BreakId,
        etag: &str,
    ) -> Result<Break, Error> {
        const METHOD: &str = "ApproveResolution";
        let account = &self.bank_account(&id.account)?;
        check_request_id(&mutation.request_id)?;
        if let Some(answer) = self.answered(mutation, METHOD).await? {
            return Ok(answer);
        }
        // First, that it is approved; from here on it can be completed, whatever happens.
        let first = Mutation {
            request_id: String::new(),
            ..mutation.clone()
        };
        let approved = self
            .work_on_break(
                &first,
                "ApproveResolution.begin",
                (id, etag),
                |tx, mut work| async move {
                    work.still_open(&tx).await?;
                    if let Some(step) = work.found.approve(clock::sign(&mutation.caller))? {
                        check(&tx, account, &work.found, &work.how()?).await?;
                        work.did(step);
                    }
                    Ok((tx, work))
                },
            )
            .await?;
        if mutation.validate_only {
            return Ok(approved);
        }
        if let Err(refused) = self.carry_out_resolution(&approved, &mutation.peer).await {
            if passing(&refused) {
                return Err(refused);
            }
            self.fall_back(&approved, &refused, &mutation.peer).await?;
            return Err(refused);
        }
        let version = approved.version;
        self.work_on_break(mutation, METHOD, (id, ""), |tx, mut work| async move {
            if work.found.version != version {
                // Another approval of the same has completed it.
                return Ok((tx, work));
            }
            let resolution = work.resolution()?;
            let signed = resolution.approved.clone().unwrap_or(resolution.proposed.clone());
            let step = work.found.complete(clock::sign(&signed.by))?;
            work.did(step);
            link(&tx, &work.found, &resolution).await?;
            others(&tx, &work.found, &resolution, &clock::sign(&signed.by)).await?;
            Ok((tx, work))
        })
        .await
    }

    /// Moves the money that an approved resolution moves.
    async fn carry_out_resolution(&self, approved: &Break, peer: &str) -> Result<(), Error> {
        let resolution = approved
            .resolution
            .as_ref()
            .ok_or_else(|| Error::internal("an approved break without a resolution"))?;
        let approver = resolution.approved.as_ref().unwrap_or(&resolution.proposed);
        let commands = match &resolution.how {
            How::Match { lines, payments } => self.settlements(approved, lines, payments).await?,
            How::Correct { correction } => vec![self.correction(correction, &resolution.reason).await?],
            _ => Vec::new(),
        };
        if commands.is_empty() {
            return Ok(());
        }
        let id = &approved.id;
        let mutation = Mutation {
            caller: approver.by.clone(),
            peer: peer.to_owned(),
            scope: Scope::All,
            request_id: format!("rec:{}:{}:{}", id.account, id.number, approved.version),
            body: Digest::of(id.to_string().as_bytes()),
            validate_only: false,
        };
        let place = (self.store(), self.vault()?);
        if let [command] = commands.as_slice() {
            return self
                .desk
                .one(place, mutation, "ApproveResolution.post", command.clone())
                .await
                .map(drop);
        }
        let commands = commands.into_iter().map(Ok).collect();
        let outcomes = self
            .desk
            .many(place, mutation, "ApproveResolution.post", commands)
            .await?;
        match outcomes.into_iter().find_map(Result::err) {
            None => Ok(()),
            Some(refusal) => Err(Error::State {
                name: id.to_string(),
                reason: "POSTING_REFUSED",
                message: refusal.message,
            }),
        }
    }

    /// Settles payments that are still with the bank, by the lines that a person says pay them.
    ///
    /// The commands depend on what is proposed alone, so that a repeated call has the same ones: a payment that
    /// is settled is settled again without effect.
    async fn settlements(
        &self,
        approved: &Break,
        lines: &[LineId],
        payments: &[String],
    ) -> Result<Vec<Command>, Error> {
        let tx = self.store().begin_read().await?;
        let lines = tx.hand_lines(&approved.id.account, lines).await?;
        let on = lines
            .iter()
            .map(|line| line.booked.clone())
            .max()
            .unwrap_or_default();
        Ok(payments
            .iter()
            .map(|reference| Command::Conclude {
                reference: reference.clone(),
                amount: None,
                answer: Answer {
                    settled: true,
                    bank_reference: String::new(),
                    on: on.clone(),
                    reason: String::new(),
                },
            })
            .collect())
    }

    async fn correction(&self, correction: &Correction, reason: &str) -> Result<Command, Error> {
        Ok(match correction {
            Correction::Settle { payment, on } => Command::Conclude {
                reference: payment.clone(),
                amount: None,
                answer: Answer {
                    settled: true,
                    bank_reference: String::new(),
                    on: on.clone(),
                    reason: String::new(),
                },
            },
            Correction::Fail { payment } => Command::Conclude {
                reference: payment.clone(),
                amount: None,
                answer: Answer {
                    settled: false,
                    bank_reference: String::new(),
                    on: String::new(),
                    reason: reason.to_owned(),
                },
            },
            Correction::Return { payment, amount } => {
                let tx = self.store().begin_read().await?;
                let found = payment_of(&tx, payment).await?;
                Command::Return {
                    claim: found.claim,
                    payer: found.payer,
                    amount: *amount,
                    note: format!("{payment}: {reason}"),
                }
            }
        })
    }

    /// What was approved could not be carried out: the break is open again, and its history says why.
    async fn fall_back(&self, approved: &Break, refused: &Error, peer: &str) -> Result<(), Error> {
        let approver = approved
            .resolution
            .as_ref()
            .and_then(|resolution| resolution.approved.clone());
        let by = approver
            .ok_or_else(|| Error::internal("an approval by nobody"))?
            .by;
        let message = refused.message();
        let why = format!("{} / {}", message.zh, message.en);
        let why = &why;
        let mutation = Mutation {
            caller: by,
            peer: peer.to_owned(),
            scope: Scope::All,
            request_id: String::new(),
            body: Digest::of(b""),
            validate_only: false,
        };
        let (caller, version) = (&mutation.caller, approved.version);
        self.work_on_break(
            &mutation,
            "ApproveResolution.refused",
            (&approved.id, ""),
            |tx, mut work| async move {
                if work.found.version == version {
                    let step = work.found.fall_back(why.clone(), clock::sign(caller))?;
                    work.did(step);
                }
                Ok((tx, work))
            },
        )
        .await
        .map(drop)
    }

    /// The answer that a call got before.
    async fn answered(&self, mutation: &Mutation, method: &str) -> Result<Option<Break>, Error> {
        if mutation.request_id.is_empty() {
            return Ok(None);
        }
        let tx = self.store().begin_read().await?;
        let Some(stored) = tx.request(mutation.caller.as_str(), &mutation.request_id).await? else {
            return Ok(None);
        };
        if stored.method != method || stored.body != mutation.body {
            return Err(Error::RequestIdReused {
                request_id: stored.request_id,
            });
        }
        serde_json::from_str(&stored.response)
            .map(Some)
            .map_err(Error::internal)
    }
}

/// Whether a refusal passes by itself, so that the approval stands and can be completed later.
const fn passing(refused: &Error) -> bool {
    matches!(
        refused,
        Error::Unavailable { .. } | Error::Conflict { .. } | Error::Internal { .. }
    )
}

/// Links the lines and payments of what was approved.
async fn link(tx: &Tx, found: &Break, resolution: &Resolution) -> Result<(), Error> {
    match &resolution.how {
        How::Match { lines, payments } => {
            let pairs = lines
                .iter()
                .flat_map(|line| payments.iter().map(move |payment| (*line, payment)));
            let links: Vec<HandLink<'_>> = pairs
                .map(|(line, reference)| HandLink {
                    line,
                    reference,
                    class: Class::Matched,
                })
                .collect();
            tx.link_by_hand(&links).await
        }
        How::Correct {
            correction: Correction::Return { payment, amount },
        } => {
            let Some(line) = found.line().filter(|_| found.evidence.found > Money::ZERO) else {
                return Ok(());
            };
            let link = HandLink {
                line,
                reference: payment,
                class: Class::Reversed,
            };
            tx.link_by_hand(&[link]).await?;
            tx.note_posting(line, payment, *amount, clock::now()).await
        }
        _ => Ok(()),
    }
}

/// Resolves the other breaks of what was matched by hand.
async fn others(tx: &Tx, found: &Break, resolution: &Resolution, signed: &Signature) -> Result<(), Error> {
    let How::Match { lines, payments } = &resolution.how else {
        return Ok(());
    };
    let account = &found.id.account;
    for mut other in tx.breaks_of(account, &subjects(lines, payments)).await? {
        if other.id == found.id || other.state != BreakState::Open {
            continue;
        }
        let had = other.version;
        let step = other.resolve_with(resolution.clone(), signed.clone())?;
        store(tx, &other, had, &[step]).await?;
    }
    Ok(())
}
