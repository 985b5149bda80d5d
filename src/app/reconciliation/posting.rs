//! Posting what the bank confirmed and what came back, through the desk like any other call.
//!
//! What is to be posted is found by what is not posted yet; so a worker that takes over goes on with the rest. What
//! the last transaction before a crash posted is not posted again: a payment has one outcome, and a return is asked
//! for under an id that follows from its account, statement and line.

use super::records::{Job, PendingPosting, PendingSettlement};
use super::work::{Context, micros};
use crate::app::desk::{Command, Outcome};
use crate::app::{App, Mutation, clock};
use crate::domain::access::Scope;
use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::disbursement::Answer;
use crate::domain::error::Error;
use crate::domain::identity::Principal;
use crate::domain::money::Money;
use crate::domain::reconciliation::{Class, Evidence, Reason, Subject};
use crate::store::retrying;
use tokio::task::JoinSet;

/// Payments that are settled in one transaction.
const SETTLED_TOGETHER: u64 = 1_000;
/// Returns that are asked for at the same time.
const ASKED_TOGETHER: u64 = 500;
/// In whose name rules post; the note says which job, and the job who asked for it.
const POSTER: &str = "reconciliation";

impl App {
    /// Posts what the matches of an account move in the ledger.
    pub(super) async fn post(&self, job: &Job, context: &Context, worker: &str) -> Result<(), Error> {
        let vault = self.vault()?;
        let span = context.span(job);
        let mut after = None;
        loop {
            let page = {
                let tx = self.store().begin_read().await?;
                tx.settlements(&span, after.as_ref(), SETTLED_TOGETHER).await?
            };
            let Some(last) = page.last() else { break };
            after = Some(last.place.clone());
            if !self.still_mine(job, worker).await? {
                return Ok(());
            }
            let (mutation, commands) = settle(job, &page)?;
            let place = (self.store(), vault);
            let outcomes = self
                .desk
                .many(place, mutation, "Reconcile.settle", commands)
                .await?;
            self.take_back(job, context, &page, &outcomes).await?;
        }
        loop {
            let page = {
                let tx = self.store().begin_read().await?;
                tx.pending_postings(&span, ASKED_TOGETHER).await?
            };
            if page.is_empty() || !self.still_mine(job, worker).await? {
                return Ok(());
            }
            let mut asked = JoinSet::new();
            for posting in page {
                let (app, mutation) = (self.clone(), mutation_of(&posting)?);
                let command = give_back(job, &posting);
                asked.spawn(async move {
                    let vault = app.vault()?;
                    let place = (app.store(), vault);
                    let done = app.desk.one(place, mutation, "Reconcile.return", command).await;
                    match done {
                        Ok(_) => Ok((posting, String::new())),
                        Err(refused @ (Error::State { .. } | Error::Invalid(_) | Error::NotFound { .. })) => {
                            Ok((posting, refused.message().zh))
                        }
                        Err(failed) => Err(failed),
                    }
                });
            }
            let mut done = Vec::new();
            while let Some(outcome) = asked.join_next().await {
                done.push(outcome.map_err(Error::internal)??);
            }
            let noted: Vec<_> = (done.iter())
                .map(|(posting, refusal)| (posting.line, posting.reference.as_str(), refusal.as_str()))
                .collect();
            retrying(|| async {
                let tx = self.store().begin_bulk().await?;
                tx.note_postings(job.number, &noted, clock::now()).await?;
                tx.commit().await
            })
            .await?;
        }
    }

    /// Whether the worker still has the job, which it keeps for a while longer, and nobody asked to give it up.
    async fn still_mine(&self, job: &Job, worker: &str) -> Result<bool, Error> {
        retrying(|| async {
            let tx = self.store().begin_bulk().await?;
            let Some(mut held) = self.held(&tx, worker, job.number).await? else {
                return Ok(false);
            };
            held.lease = Some((
                worker.to_owned(),
                clock::now() + micros(self.reconciliation.lease),
            ));
            let going_on = !held.cancel;
            tx.store_job(&held).await?;
            tx.commit().await?;
            Ok(going_on)
        })
        .await
    }

    /// What the ledger refused to settle was noted as failed meanwhile: its line is a break, not a match.
    async fn take_back(
        &self,
        job: &Job,
        context: &Context,
        page: &[PendingSettlement],
        outcomes: &[Outcome],
    ) -> Result<(), Error> {
        let refused: Vec<&PendingSettlement> = page
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| outcome.is_err())
            .map(|(settlement, _)| settlement)
            .collect();
        if refused.is_empty() {
            return Ok(());
        }
        let references: Vec<&str> = refused.iter().map(|one| one.reference.as_str()).collect();
        let findings: Vec<Evidence> = refused.iter().map(|one| failed_meanwhile(one)).collect();
        let span = context.span(job);
        retrying(|| async {
            let tx = self.store().begin_bulk().await?;
            tx.unmatch_refused(&span, &references).await?;
            tx.note_findings(job.number, &findings).await?;
            tx.commit().await
        })
        .await
    }
}

/// From where the worker's postings come, in the audit log.
const WORKER: &str = "reconciliation-worker";

fn poster() -> Result<Principal, Error> {
    Ok(Principal::parse(POSTER)?)
}

/// The payments of a page are settled in one transaction, under an id that follows from their lines.
fn settle(
    job: &Job,
    page: &[PendingSettlement],
) -> Result<(Mutation, Vec<Result<Command, crate::app::desk::Refusal>>), Error> {
    let mut digest = DigestBuilder::new("incentivefund.v1.ReconciliationSettlement");
    digest.field(job.account.as_str());
    let mut commands = Vec::with_capacity(page.len());
    for one in page {
        digest
            .field(&one.line.statement.to_string())
            .field(&one.line.line.to_string())
            .field(&one.reference);
        commands.push(Ok(Command::Conclude {
            reference: one.reference.clone(),
            amount: Some(one.amount),
            answer: Answer {
                settled: true,
                bank_reference: one.bank_reference.clone(),
                on: one.booked.clone(),
                reason: String::new(),
            },
        }));
    }
    Ok((mutation(&digest.finish())?, commands))
}

fn mutation_of(posting: &PendingPosting) -> Result<Mutation, Error> {
    let mut digest = DigestBuilder::new("incentivefund.v1.ReconciliationReturn");
    digest
        .field(&posting.line.statement.to_string())
        .field(&posting.line.line.to_string())
        .field(&posting.reference);
    mutation(&digest.finish())
}

fn mutation(digest: &Digest) -> Result<Mutation, Error> {
    let hexadecimal = digest.as_str().trim_start_matches("sha256:");
    Ok(Mutation {
        caller: poster()?,
        peer: WORKER.to_owned(),
        scope: Scope::All,
        request_id: format!("reconcile:{}", hexadecimal.get(..40).unwrap_or(hexadecimal)),
        body: digest.clone(),
        validate_only: false,
    })
}

fn give_back(job: &Job, posting: &PendingPosting) -> Command {
    let line = posting.line;
    let note = format!(
        "{}: statement {} line {}, {}",
        job.resource_name(),
        line.statement,
        line.line,
        posting.booked
    );
    if posting.fails {
        return Command::Conclude {
            reference: posting.reference.clone(),
            amount: None,
            answer: Answer {
                settled: false,
                bank_reference: String::new(),
                on: posting.booked.clone(),
                reason: note,
            },
        };
    }
    Command::Return {
        claim: posting.claim.clone(),
        payer: posting.payer,
        amount: posting.amount,
        note,
    }
}

fn failed_meanwhile(one: &PendingSettlement) -> Evidence {
    Evidence {
        subject: Subject::Line(one.line),
        class: Class::UnknownAtBank,
        reason: Reason::PaymentFailed,
        other_reference: one.reference.clone(),
        other_line: None,
        expected: Money::ZERO,
        found: Money::from_fen(-one.amount.fen()).unwrap_or_default(),
        expected_on: String::new(),
        found_on: one.booked.clone(),
        candidates: 0,
        since: one.booked.clone(),
    }
}
