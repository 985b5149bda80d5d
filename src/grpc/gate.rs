//! Who calls, how much at once, and finishing what was begun.

use super::status::{overloaded, stopped, to_status};
use crate::app::Mutation;
use crate::app::audit::Asking;
use crate::auth::{Authenticator, Shown, no_principal};
use crate::domain::access::{Grants, Scope};
use crate::domain::digest::Digest;
use crate::domain::error::{Bilingual, Error};
use crate::domain::identity::Principal;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};

/// Metadata key of the caller's name, percent-encoded UTF-8, where nobody is authenticated.
pub const PRINCIPAL_KEY: &str = "incentive-fund-principal";

/// A principal as the metadata value says it.
pub fn encode_principal(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// What a streamed answer is to the transport.
pub(super) type Answers<T> = ReceiverStream<Result<T, Status>>;

/// Messages that wait for a caller who is slow.
const STREAMED: usize = 8;
/// Longest wait to tell a caller why a stream ends.
const PARTING: Duration = Duration::from_secs(1);

/// What is known of a call before its message is read.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Who calls; none only where nobody is authenticated.
    pub(super) principal: Option<Principal>,
    /// What they may do.
    pub(super) grants: Arc<Grants>,
    /// The regions that this method reaches for them.
    pub(super) scope: Scope,
    /// From where, as the transport saw it.
    pub(super) peer: Arc<str>,
    /// What the caller showed; none where nobody is authenticated.
    pub(super) proof: Option<Arc<Proof>>,
}

/// What a caller showed, kept for calls that go on for long.
pub(super) struct Proof {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) authorization: Option<Vec<u8>>,
    pub(super) certificate: Option<Arc<[u8]>>,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof")
    }
}

/// A caller in this process.
pub(super) const IN_PROCESS: &str = "in-process";

impl Call {
    /// What the guard found out about a request.
    pub(super) fn of<M>(request: &Request<M>) -> Result<Self, Status> {
        // No request comes past the guard.
        let call = request.extensions().get::<Self>().cloned();
        call.ok_or_else(|| to_status(Error::internal("a call that nobody let in")))
    }

    /// That the caller still is who they were, and may do what they might: in a call that goes on, since tokens
    /// end and are revoked meanwhile.
    pub(super) async fn still(&self) -> Result<(), Error> {
        let Some(proof) = &self.proof else {
            return Ok(());
        };
        let shown = Shown {
            authorization: proof.authorization.as_deref(),
            certificate: proof.certificate.as_deref(),
        };
        let caller = proof.authenticator.caller(shown).await?;
        if Some(&caller.principal) == self.principal.as_ref() && caller.grants == self.grants {
            return Ok(());
        }
        Err(Error::Unauthenticated {
            reason: "ACCESS_CHANGED",
            message: Bilingual::new("what you may do has changed: call again", "权限已变更,请重新调用"),
        })
    }

    /// Who calls, where something is to be changed or given out.
    pub(super) fn principal(&self) -> Result<Principal, Status> {
        self.principal.clone().ok_or_else(|| to_status(no_principal()))
    }

    /// Who asks, and from where.
    pub(super) fn asking(&self) -> Result<Asking, Status> {
        Ok(Asking {
            caller: self.principal()?,
            peer: self.peer.to_string(),
        })
    }

    /// How one message is to be carried out.
    pub(super) fn mutation(
        &self,
        request_id: String,
        body: Digest,
        validate_only: bool,
    ) -> Result<Mutation, Status> {
        Ok(Mutation {
            caller: self.principal()?,
            peer: self.peer.to_string(),
            scope: self.scope.clone(),
            request_id,
            body,
            validate_only,
        })
    }
}

/// The regions that a method reaches for its caller.
pub(super) fn scope_of<M>(request: &Request<M>) -> Result<Scope, Status> {
    Call::of(request).map(|call| call.scope)
}

/// Shared by all services of a server.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    calls: Arc<Semaphore>,
    /// Calls that wait for what is to come. They have places of their own, so that they never take those
    /// of calls that end by themselves.
    waiting: Arc<Semaphore>,
    begun: TaskTracker,
    stopping: CancellationToken,
}

/// A message that asks for a mutation.
pub(super) trait MutationMessage: prost::Message + Clone + Default {
    fn take_request_id(&mut self) -> String;
    fn validate_only(&self) -> bool;
}

macro_rules! mutation_messages {
    ($($message:ident),+ $(,)?) => {$(
        impl MutationMessage for super::pb::$message {
            fn take_request_id(&mut self) -> String {
                std::mem::take(&mut self.request_id)
            }
            fn validate_only(&self) -> bool {
                self.validate_only
            }
        }
    )+};
}

mutation_messages!(
    ImportRegionsRequest,
    ImportIndicatorsRequest,
    CreateDataSetRequest,
    ImportObservationsHeader,
    CreateFormulaRequest,
    CreateAllocationRequest,
    ApproveAllocationRequest,
    IssueAllocationRequest,
    SupersedeAllocationRequest,
    SubmitClaimRequest,
    SubmitClaimsRequest,
    ApproveClaimRequest,
    RejectClaimRequest,
    WithdrawClaimRequest,
    CancelClaimRequest,
    ObjectToClaimRequest,
    ResolveObjectionRequest,
    RetryClaimRequest,
    ReturnClaimRequest,
    ChangeClaimsRequest,
    ReserveWaitingClaimsRequest,
    CreatePolicyRequest,
    ImportProgrammesRequest,
    ImportDeedTaxLawRequest,
    ReceiveFundsRequest,
    SurrenderFundsRequest,
    ContributeFundsRequest,
    RetractContributionRequest,
    AssignQuotaRequest,
    UnassignQuotaRequest,
    ReverseEntryRequest,
    CreateBatchRequest,
    RemoveFromBatchRequest,
    FreezeBatchRequest,
    ReleaseBatchRequest,
    CancelBatchRequest,
    RecordPaymentResultRequest,
    CreateSimulationRequest,
    DraftAllocationRequest,
    CreateCheckpointRequest,
    RequestErasureRequest,
    EraseClaimantsRequest,
);

impl Gate {
    pub(super) fn new(max_calls: usize) -> Self {
        Self {
            calls: Arc::new(Semaphore::new(max_calls)),
            waiting: Arc::new(Semaphore::new(max_calls)),
            begun: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }
    }

    /// A place among the calls that run at once.
    pub(super) fn enter(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.calls)
            .try_acquire_owned()
            .map_err(|_| overloaded())
    }

    /// A place among the calls that wait.
    pub(super) fn enter_waiting(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| overloaded())
    }

    /// Answers with a stream that `work` fills on a task of its own, which keeps its place until its end.
    /// Where the caller goes away or the server stops, `work` is dropped.
    pub(super) fn stream<T, Fut>(
        &self,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce(mpsc::Sender<Result<T, Status>>) -> Fut,
    ) -> Response<Answers<T>>
    where
        T: Send + 'static,
        Fut: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(STREAMED);
        let work = work(sender.clone());
        let stopping = self.stopping.clone();
        let span = tracing::Span::current();
        let task = async move {
            let status = tokio::select! {
                result = work => result.err().map(to_status),
                () = sender.closed() => None,
                () = stopping.cancelled() => Some(stopped()),
            };
            if let Some(status) = status {
                // A caller that takes nothing does not keep the server from stopping.
                let _ = tokio::time::timeout(PARTING, sender.send(Err(status))).await;
            }
            drop(permit);
        };
        self.begun.spawn(tracing::Instrument::instrument(task, span));
        Response::new(ReceiverStream::new(receiver))
    }

    /// Ends the streams that do not end by themselves.
    pub(super) fn stop(&self) {
        self.stopping.cancel();
    }

    /// How a mutation is to be carried out, and its message without the request id.
    pub(super) fn mutation<M: MutationMessage>(&self, request: Request<M>) -> Result<(Mutation, M), Status> {
        let call = Call::of(&request)?;
        let mut message = request.into_inner();
        let request_id = message.take_request_id();
        let body = Digest::of(&message.encode_to_vec());
        let mutation = call.mutation(request_id, body, message.validate_only())?;
        Ok((mutation, message))
    }

    /// Runs work to its end even when the caller goes away, and keeps its place until then.
    pub(super) async fn finish<T: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Status> {
        let span = tracing::Span::current();
        let task = self.begun.spawn(tracing::Instrument::instrument(
            async move {
                let result = work.await;
                drop(permit);
                result
            },
            span,
        ));
        task.await
            .map_err(|join| to_status(Error::internal(join)))?
            .map_err(to_status)
    }

    /// Begins work that runs to its end even when the caller goes away.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        let span = tracing::Span::current();
        self.begun.spawn(tracing::Instrument::instrument(work, span))
    }

    /// Waits until the server stops, and gives what streams that are open then end with.
    pub(super) async fn stopped(&self) -> Status {
        self.stopping.cancelled().await;
        stopped()
    }

    /// How one message of a stream is to be carried out, and the message without its request id.
    pub(super) fn streamed<M: MutationMessage>(
        asking: &Asking,
        scope: &Scope,
        mut message: M,
    ) -> (Mutation, M) {
        let request_id = message.take_request_id();
        let mutation = Mutation {
            caller: asking.caller.clone(),
            peer: asking.peer.clone(),
            scope: scope.clone(),
            request_id,
            body: Digest::of(&message.encode_to_vec()),
            validate_only: message.validate_only(),
        };
        (mutation, message)
    }

    /// Waits for all work that was begun.
    pub(super) async fn drained(&self) {
        self.begun.close();
        self.begun.wait().await;
    }
}
