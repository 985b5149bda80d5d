//! The desk: where everything that callers do to claims is carried out, many calls in one transaction.
//!
//! Calls queue here. Whatever has come in while one transaction was committing goes into the next one, so
//! concurrent callers share a commit (group commit) and the one lock on their fund's journal. A transaction
//! costs a fixed number of round trips, whatever it holds:
//!
//! | phase | round trips | what |
//! |---|---|---|
//! | begin | 1 or 2 | |
//! | answered | 1 | requests that were answered before |
//! | lock | 1 | the ends of the funds' journals, in the order of their names |
//! | read | up to 8 | payments, claims, unique keys, waiting lists, objections, balances |
//! | decide | 0 | each command in turn, in memory; a refusal changes nothing |
//! | write | 1 to 13 | one statement a table; batches that are finished are closed |
//! | commit | 1 | |
//!
//! On SQLite, where a round trip is a turn of two threads, statements over few rows go together: of some dozens of
//! claims that are handed in, a transaction takes six. Of many commands the first are written while the next are
//! decided on (`writing`).

mod auditing;
mod command;
mod sheet;
mod writing;

pub(super) use command::no_claim;
pub use command::{Command, Outcome, Receipt, Refusal, Submission, objection_name};
pub(super) use sheet::{key_rows, told};

use super::audit::Call;
use super::records::StoredRequest;
use super::vault::Vault;
use super::{Mutation, check_request_id, clock};
use crate::domain::access::Scope;
use crate::domain::claim::{Claim, ClaimId};
use crate::domain::error::Error;
use crate::store::{Store, Tx, retrying};
use serde::{Deserialize, Serialize};
use sheet::Sheet;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use writing::Writing;

/// Commands that go into one transaction, unless a single call has more.
const COMMANDS_AT_ONCE: usize = 4_000;
/// Commands that are decided on before what came of them is written.
const STAGE: usize = 250;
/// Commands that are decided on before others, and what is under way, get a turn.
const BREATH: usize = 50;
/// Calls that wait at most; callers beyond wait for a place.
const QUEUE: usize = 4_096;
/// A pause this long ends a gathering: about what a call takes to come back after its answer.
const GATHERING: Duration = Duration::from_millis(1);
/// No gathering is longer.
const LONGEST_GATHERING: Duration = Duration::from_millis(5);

/// The queue before the desk.
#[derive(Default)]
pub(super) struct Desk {
    queue: OnceLock<mpsc::Sender<Job>>,
}

/// One call.
struct Job {
    mutation: Mutation,
    method: &'static str,
    work: Work,
    reply: oneshot::Sender<Result<Reply, Error>>,
}

enum Work {
    /// One command: refused, the call fails and nothing is kept.
    One(Command),
    /// Many: what is refused is part of the answer. A row that failed before it came here is one, too.
    Many(Vec<Result<Command, Refusal>>),
}

/// What a call gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Reply {
    One(Box<Claim>),
    Many(Vec<Outcome>),
}

impl Desk {
    /// Carries out one command.
    pub(super) async fn one(
        &self,
        place: (&Store, &Vault),
        mutation: Mutation,
        method: &'static str,
        command: Command,
    ) -> Result<Claim, Error> {
        match self.call(place, mutation, method, Work::One(command)).await? {
            Reply::One(claim) => Ok(*claim),
            Reply::Many(_) => Err(Error::internal("a bulk answer to one command")),
        }
    }

    /// Carries out many commands in one transaction; each succeeds or is refused by itself.
    pub(super) async fn many(
        &self,
        place: (&Store, &Vault),
        mutation: Mutation,
        method: &'static str,
        commands: Vec<Result<Command, Refusal>>,
    ) -> Result<Vec<Outcome>, Error> {
        match self.call(place, mutation, method, Work::Many(commands)).await? {
            Reply::Many(outcomes) => Ok(outcomes),
            Reply::One(_) => Err(Error::internal("an answer to one command for many")),
        }
    }

    async fn call(
        &self,
        (store, vault): (&Store, &Vault),
        mutation: Mutation,
        method: &'static str,
        work: Work,
    ) -> Result<Reply, Error> {
        check_request_id(&mutation.request_id)?;
        let (reply, answer) = oneshot::channel();
        let job = Job {
            mutation,
            method,
            work,
            reply,
        };
        if job.mutation.validate_only {
            process(store, vault, vec![job], false).await;
        } else {
            let queue = self.queue.get_or_init(|| {
                let (sender, receiver) = mpsc::channel(QUEUE);
                tokio::spawn(serve(store.clone(), vault.clone(), receiver));
                sender
            });
            queue.send(job).await.map_err(|_| gone())?;
        }
        answer.await.map_err(|_| gone())?
    }
}

fn gone() -> Error {
    Error::internal("the desk broke off")
}

/// Takes what has come in, and carries it out together.
async fn serve(store: Store, vault: Vault, mut queue: mpsc::Receiver<Job>) {
    // Calls of the transaction before.
    let mut company = 1;
    while let Some(first) = queue.recv().await {
        let patient = company > 1 && store.is_remote();
        let jobs = gather(&mut queue, first, patient).await;
        company = jobs.len();
        // A task of its own: a defect ends its calls, not the desk.
        let (store, vault) = (store.clone(), vault.clone());
        let work = tokio::spawn(async move { process(&store, &vault, jobs, true).await });
        if let Err(defect) = work.await {
            tracing::error!(%defect, "a shared transaction broke off");
        }
    }
}

/// What has come in; and, for the patient, what comes as long as something does.
///
/// Those who were just answered come back with their next call at about the same time. Taken as they come
/// they part into two halves that take turns: while one is in the database, the other is decoded, assessed and
/// answered. With SQLite in this process that is what keeps both cores at work. A server that is reached by
/// round trips has the same price for a half as for the whole, and there it pays to wait for both (the idea of
/// PostgreSQL's `commit_delay`). Who is alone never waits.
async fn gather(queue: &mut mpsc::Receiver<Job>, first: Job, patient: bool) -> Vec<Job> {
    let until = Instant::now() + LONGEST_GATHERING;
    let mut commands = first.work.len();
    let mut jobs = vec![first];
    while commands < COMMANDS_AT_ONCE {
        let job = match queue.try_recv() {
            Ok(job) => job,
            Err(_) if !patient => break,
            Err(_) => {
                let pause = (Instant::now() + GATHERING).min(until);
                match tokio::time::timeout_at(pause, queue.recv()).await {
                    Ok(Some(job)) => job,
                    _ => break,
                }
            }
        };
        commands += job.work.len();
        jobs.push(job);
    }
    jobs
}

impl Work {
    const fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(commands) => commands.len(),
        }
    }

    fn commands(&self) -> impl Iterator<Item = &Command> {
        let (one, many) = match self {
            Self::One(command) => (Some(command), [].as_slice()),
            Self::Many(commands) => (None, commands.as_slice()),
        };
        one.into_iter()
            .chain(many.iter().filter_map(|command| command.as_ref().ok()))
    }
}

/// Carries out jobs in one transaction and answers each. Where the whole fails for a reason that one of
/// them may be to blame for, they are tried one by one.
async fn process(store: &Store, vault: &Vault, jobs: Vec<Job>, keep: bool) {
    match attempt_all(store, vault, &jobs, keep).await {
        Ok(replies) => {
            for (job, reply) in jobs.into_iter().zip(replies) {
                // A caller that has gone away does not want its answer.
                let _ = job.reply.send(reply);
            }
        }
        Err(Error::Internal { detail }) if jobs.len() > 1 => {
            tracing::warn!(
                detail,
                jobs = jobs.len(),
                "a shared transaction failed, trying its calls one by one"
            );
            for job in jobs {
                let alone = std::slice::from_ref(&job);
                let reply = attempt_all(store, vault, alone, keep)
                    .await
                    .and_then(|mut replies| replies.pop().unwrap_or_else(|| Err(gone())));
                let _ = job.reply.send(reply);
            }
        }
        Err(failed) => {
            for job in jobs {
                let _ = job.reply.send(Err(failed.clone()));
            }
        }
    }
}

async fn attempt_all(
    store: &Store,
    vault: &Vault,
    jobs: &[Job],
    keep: bool,
) -> Result<Vec<Result<Reply, Error>>, Error> {
    retrying(|| async {
        let tx = Arc::new(store.begin_posting().await?);
        let (mut sheet, stored) = Sheet::open(&tx, vault, jobs).await?;
        let mut answered: HashMap<(String, String), StoredRequest> = (stored.into_iter())
            .map(|stored| ((stored.principal.clone(), stored.request_id.clone()), stored))
            .collect();
        let mut replies = Vec::with_capacity(jobs.len());
        let mut requests = Vec::new();
        let mut writing = Writing::new(&tx);
        let mut unwritten = 0;
        for job in jobs {
            let Mutation {
                caller,
                scope,
                request_id,
                body,
                ..
            } = &job.mutation;
            let key = (caller.as_str().to_owned(), request_id.clone());
            if let Some(stored) = answered.get(&key) {
                let mut reply = repeated(stored, &job.mutation, job.method);
                if let Ok(Reply::Many(outcomes)) = &mut reply {
                    writing.finish().await?;
                    keep_receipts(&tx, scope, outcomes).await?;
                }
                replies.push(reply);
                continue;
            }
            let signed = clock::sign(caller);
            let reply = match &job.work {
                Work::One(command) => sheet
                    .carry_out(command, scope, &signed)
                    .map(|claim| Reply::One(Box::new(claim))),
                Work::Many(commands) => {
                    let writing = keep.then_some(&mut writing);
                    let outcomes = sheet.rows(commands, scope, &signed, writing).await;
                    outcomes.map(Reply::Many)
                }
            };
            if let Err(defect @ Error::Internal { .. }) = reply {
                return Err(defect);
            }
            sheet.record(&Call::of(&job.mutation, job.method), &job.work, &reply)?;
            if let Ok(reply) = &reply
                && !request_id.is_empty()
            {
                let stored = StoredRequest {
                    request_id: request_id.clone(),
                    principal: caller.as_str().to_owned(),
                    method: job.method.to_owned(),
                    body: body.clone(),
                    response: serde_json::to_string(reply).map_err(Error::internal)?,
                    at: signed.at,
                };
                answered.insert(key, stored.clone());
                requests.push(stored);
            }
            replies.push(reply);
            unwritten += job.work.len();
            if keep && unwritten >= STAGE {
                unwritten = 0;
                sheet.write(&mut writing).await?;
            }
        }
        if keep {
            if sheet.has_concluded() {
                writing.finish().await?;
                sheet.close(&tx).await?;
            }
            let claims = sheet.claims()?;
            let mut last = sheet.last(&tx);
            last.insert_requests(&requests);
            writing.finish().await?;
            tx.write(claims).await?;
            tx.write(last).await?;
        }
        drop(writing);
        let claims = replies.iter_mut().filter_map(|reply| match reply {
            Ok(Reply::One(claim)) => Some(claim.as_mut()),
            _ => None,
        });
        with_masked_texts(&tx, claims.collect()).await?;
        if keep {
            let tx = Arc::into_inner(tx).ok_or_else(|| Error::internal("a transaction that others hold"))?;
            tx.commit().await?;
        }
        Ok(replies)
    })
    .await
}

fn repeated(stored: &StoredRequest, mutation: &Mutation, method: &str) -> Result<Reply, Error> {
    if stored.method != method || stored.body != mutation.body {
        return Err(Error::RequestIdReused {
            request_id: stored.request_id.clone(),
        });
    }
    let reply = serde_json::from_str(&stored.response).map_err(Error::internal)?;
    match &reply {
        // What the caller reached then need not be what they reach now.
        Reply::One(claim) if !mutation.scope.covers(&claim.region) => Err(no_claim(&claim.id)),
        _ => Ok(reply),
    }
}

/// Leaves out of the answer to a bulk call what is out of reach by now, in the words for what is not there.
async fn keep_receipts(tx: &Tx, scope: &Scope, outcomes: &mut [Outcome]) -> Result<(), Error> {
    if scope.is_all() {
        return Ok(());
    }
    let receipts = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok());
    let ids: Vec<&ClaimId> = receipts.map(|receipt| &receipt.claim).collect();
    let claims = tx.claims(&ids).await?;
    let reached: HashSet<&ClaimId> = (claims.iter())
        .filter(|claim| scope.covers(&claim.region))
        .map(|claim| &claim.id)
        .collect();
    for outcome in outcomes.iter_mut() {
        if let Ok(receipt) = outcome
            && !reached.contains(&receipt.claim)
        {
            *outcome = Err(Refusal::from(&no_claim(&receipt.claim)));
        }
    }
    Ok(())
}

async fn answered_before(tx: &Tx, mutation: &Mutation, method: &str) -> Result<Option<Reply>, Error> {
    check_request_id(&mutation.request_id)?;
    if mutation.request_id.is_empty() {
        return Ok(None);
    }
    let stored = tx.request(mutation.caller.as_str(), &mutation.request_id).await?;
    stored
        .map(|stored| repeated(&stored, mutation, method))
        .transpose()
}

/// The answer that a call with one command got before.
pub(super) async fn answered_one(tx: &Tx, mutation: &Mutation, method: &str) -> Result<Option<Claim>, Error> {
    match answered_before(tx, mutation, method).await? {
        Some(Reply::One(mut claim)) => {
            with_masked_texts(tx, vec![&mut claim]).await?;
            Ok(Some(*claim))
        }
        _ => Ok(None),
    }
}

/// Fills in the masked texts of claims that were read from stored answers, which do not hold them. Those of a
/// person who was erased stay empty.
pub(super) async fn with_masked_texts(tx: &Tx, claims: Vec<&mut Claim>) -> Result<(), Error> {
    let mut lacking: Vec<&mut Claim> = claims
        .into_iter()
        .filter(|claim| claim.masked_name.is_empty())
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let ids: Vec<ClaimId> = lacking.iter().map(|claim| claim.id.clone()).collect();
    let stored = tx.claims(&ids.iter().collect::<Vec<_>>()).await?;
    for claim in &mut lacking {
        if let Some(stored) = stored.iter().find(|stored| stored.id == claim.id) {
            stored.masked_name.clone_into(&mut claim.masked_name);
            stored.masked_id.clone_into(&mut claim.masked_id);
        }
    }
    Ok(())
}

/// The answer that a bulk call got before.
pub(super) async fn answered_many(
    tx: &Tx,
    mutation: &Mutation,
    method: &str,
) -> Result<Option<Vec<Outcome>>, Error> {
    match answered_before(tx, mutation, method).await? {
        Some(Reply::Many(mut outcomes)) => {
            keep_receipts(tx, &mutation.scope, &mut outcomes).await?;
            Ok(Some(outcomes))
        }
        _ => Ok(None),
    }
}
