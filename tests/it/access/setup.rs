//! A guarded server with people of every role, and requests that are made from the descriptors.

use crate::disbursement::{Office, YANLING, YUZHOU, execution_date, request};
use crate::harness::{Client, Running, World, id, inner, limits};
use incentive_fund::app::tokens::IssueToken;
use incentive_fund::auth::Authenticator;
use incentive_fund::config::Config;
use incentive_fund::domain::access::Roles;
use incentive_fund::domain::identity::Principal;
use incentive_fund::grpc::server::{Door, Limits};
use incentive_fund::grpc::{Access, DESCRIPTORS, pb};
use incentive_fund::store::Store;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, ReflectMessage as _, Value,
};
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::Arc;
use tokio_stream::StreamExt;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Bytes;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};

pub const OWN: &str = YANLING;
pub const OTHER: &str = YUZHOU;

pub fn roles() -> Roles {
    let config = Config::load(None, &["database.url=sqlite://x.db".to_owned()]).unwrap();
    config.access.roles().unwrap()
}

/// A door that knows the shipped roles and the program's own tokens.
pub fn door(store: &Store) -> Door {
    let authenticator = Authenticator::new(store.clone(), roles(), None, HashMap::new());
    Door {
        access: Access::Authenticated(Arc::new(authenticator)),
        tls: None,
    }
}

pub fn now() -> i64 {
    incentive_fund::app::clock::now()
}

pub const HOUR: i64 = 3_600_000_000;

/// A token for somebody.
pub async fn token(server: &Running, subject: &str, roles_given: &[&str], regions: &[&str]) -> String {
    let issue = IssueToken {
        subject: subject.to_owned(),
        roles: roles_given.iter().map(|role| (*role).to_owned()).collect(),
        regions: regions.iter().map(|region| (*region).to_owned()).collect(),
        expires_at: now() + HOUR,
        note: String::new(),
    };
    let operator = Principal::parse("operator").unwrap();
    let issued = server.app.issue_token(&operator, &roles(), &issue).await.unwrap();
    issued.token.as_str().to_owned()
}

/// What stands in a region: enough for every method to have something to act on.
#[derive(Debug, Clone)]
pub struct Place {
    pub region: String,
    /// A claim with money bound, objected to.
    pub claim: String,
    /// A claim handed in.
    pub submitted: String,
    /// A draft.
    pub draft: String,
    /// A released batch with a payment.
    pub released: String,
    pub reference: String,
    pub amount: String,
    pub entry: u64,
    /// Its own account that pays, with a statement, a job and a break.
    pub account: String,
    pub statement: u64,
    pub job: u64,
}

/// A world with the same in two regions, and a server with a guard before it.
pub struct Guarded {
    pub open: Office,
    pub server: Running,
    pub channel: Channel,
    pub own: Place,
    pub other: Place,
    pub allocation: String,
    pub unpublished: String,
    /// A draft with claims of both regions.
    pub mixed: String,
}

impl Guarded {
    pub async fn open(world: &World) -> Self {
        Self::within(world, limits()).await
    }

    pub async fn within(world: &World, limits: Limits) -> Self {
        let claims = [OWN, OTHER, OWN, OTHER];
        let world = &World {
            debtors: super::reconciling::debtors(),
            ..world.clone()
        };
        let mut office = Office::open(world, &claims).await;
        let own = place(&mut office, OWN, 10).await;
        let other = place(&mut office, OTHER, 20).await;
        office.claim(OWN, 30).await;
        office.claim(OTHER, 31).await;
        let mixed = office.maker.collect(request()).await.unwrap().name;
        // After the batches, so that they stay in none.
        let own = later(&mut office, own, 40).await;
        let other = later(&mut office, other, 50).await;
        let own = super::reconciling::reconciled(&mut office, own).await;
        let other = super::reconciling::reconciled(&mut office, other).await;
        let list = pb::ListAllocationsRequest::default();
        let list = inner(office.maker.allocations.list_allocations(list).await);
        let allocation = list.allocations[0].name.clone();
        let draft = crate::harness::xuchang_request("g");
        let unpublished = office.maker.create(draft).await.unwrap().name;
        let server = world.serve_guarded(door, limits).await;
        let channel = crate::harness::channel(server.address).await;
        Self {
            open: office,
            server,
            channel,
            own,
            other,
            allocation,
            unpublished,
            mixed,
        }
    }

    /// Calls a method with messages as they are on the wire.
    pub async fn call(
        &self,
        path: &str,
        token: Option<&str>,
        messages: Vec<Vec<u8>>,
    ) -> Result<Vec<Bytes>, Status> {
        call(&self.channel, path, token, messages).await
    }

    pub async fn stop(self) {
        drop(self.channel);
        self.server.stop().await;
        drop((self.open.maker, self.open.checker));
    }
}

async fn place(office: &mut Office, region: &str, at: usize) -> Place {
    office.claim(region, at).await;
    let one = |request: pb::CreateBatchRequest| pb::CreateBatchRequest {
        region: format!("regions/{region}"),
        max_claims: 1,
        ..request
    };
    let released = office.maker.collect(one(request())).await.unwrap().name;
    office.maker.freeze(&released).await.unwrap();
    office.checker.release(&released).await.unwrap();
    let draft = office.maker.collect(one(request())).await.unwrap().name;
    let payments = pb::ListPaymentsRequest {
        batch: released.clone(),
        ..Default::default()
    };
    let payments = inner(office.maker.disbursements.list_payments(payments).await);
    let entry = office.maker.contribute("f", region, "1.00").await.unwrap();
    Place {
        region: region.to_owned(),
        claim: String::new(),
        submitted: String::new(),
        draft,
        released,
        reference: payments.payments[0].reference.clone(),
        amount: payments.payments[0].amount.clone(),
        entry: entry.number,
        account: format!("bankAccounts/county-{region}"),
        statement: 0,
        job: 0,
    }
}

async fn later(office: &mut Office, place: Place, at: usize) -> Place {
    let claim = office.claim(&place.region, at).await.name;
    let objection = pb::ObjectToClaimRequest {
        name: claim.clone(),
        text: "said".to_owned(),
        request_id: id(),
        validate_only: false,
    };
    inner(office.maker.subsidies.object_to_claim(objection).await);
    let submit = pb::SubmitClaimRequest {
        claim: Some(crate::disbursement::claim(&place.region, at + 1)),
        request_id: id(),
        validate_only: false,
    };
    let submitted = inner(office.maker.subsidies.submit_claim(submit).await);
    Place {
        claim,
        submitted: submitted.claim.unwrap().name,
        ..place
    }
}

/// Calls a method with messages as they are on the wire, and collects what it answers; streams that do not end
/// by themselves are left after a while.
pub async fn call(
    channel: &Channel,
    path: &str,
    token: Option<&str>,
    messages: Vec<Vec<u8>>,
) -> Result<Vec<Bytes>, Status> {
    let mut request = Request::new(tokio_stream::iter(messages.into_iter().map(Bytes::from)));
    if let Some(token) = token {
        let value = MetadataValue::try_from(format!("Bearer {token}")).unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request.set_timeout(std::time::Duration::from_secs(60));
    let mut client = tonic::client::Grpc::new(channel.clone());
    client
        .ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_str(path).unwrap();
    let mut answers = client.streaming(request, path.clone(), Raw).await?.into_inner();
    let mut all = Vec::new();
    let patience = if path.as_str().ends_with("/WatchChanges") {
        std::time::Duration::from_millis(400)
    } else {
        std::time::Duration::from_secs(60)
    };
    while let Ok(Some(answer)) = tokio::time::timeout(patience, answers.next()).await {
        all.push(answer?);
    }
    Ok(all)
}

/// Messages as they are on the wire.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put(buffer, item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = bytes::Buf::remaining(buffer);
        Ok(Some(bytes::Buf::copy_to_bytes(buffer, length)))
    }
}

/// Every method that the protos have, by path.
pub fn methods() -> BTreeMap<String, MethodDescriptor> {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let services: Vec<_> = pool.services().collect();
    services
        .iter()
        .flat_map(|service| service.methods())
        .map(|method| {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            (path, method)
        })
        .collect()
}

/// A request of a method about a place, as the messages that go out: everything in it names what is there, and
/// where a request can be checked only, it is.
pub fn sample(method: &MethodDescriptor, world: &Guarded, place: &Place) -> Vec<DynamicMessage> {
    let message = filled(method, &method.input(), world, place);
    let message = match message {
        Some(message) => message,
        None => DynamicMessage::new(method.input()),
    };
    // A file in pieces has its header first; the other part of the choice follows.
    let has_header = message
        .descriptor()
        .get_field_by_name("header")
        .is_some_and(|header| message.has_field(&header));
    if !has_header {
        return vec![message];
    }
    let mut second = DynamicMessage::new(method.input());
    if let Some(rows) = method.input().get_field_by_name("rows") {
        let Kind::Message(kind) = rows.kind() else {
            unreachable!()
        };
        let rows_of = filled(method, &kind, world, place).unwrap();
        second.set_field(&rows, Value::Message(rows_of));
    } else {
        let piece = method.input().get_field_by_name("piece").unwrap();
        // A file that can be read, of a payment that there is; whose it is said to be differs.
        let (own, amount) = (&world.own.reference, &world.own.amount);
        let text = format!("reference,amount,status,date\n{own},{amount},settled,20240701\n");
        second.set_field(&piece, Value::Bytes(text.into()));
    }
    vec![message, second]
}

fn filled(
    method: &MethodDescriptor,
    kind: &prost_reflect::MessageDescriptor,
    world: &Guarded,
    place: &Place,
) -> Option<DynamicMessage> {
    let mut message = DynamicMessage::new(kind.clone());
    // What is given whole in a request: too much for rules about names.
    let whole: Option<Vec<u8>> = match kind.name() {
        "ClaimInput" => {
            let claim = crate::disbursement::claim(&place.region, 70);
            Some(prost::Message::encode_to_vec(&claim))
        }
        "FormulaDocument" => {
            let document = crate::harness::share_by("formula", "settled_new");
            Some(prost::Message::encode_to_vec(&document))
        }
        "PolicyDocument" | "ProgrammeDocument" | "DeedTaxLawDocument" | "SimulationBase"
        | "SimulationRequest" | "ScenarioComparison" | "Sweep" | "MonteCarlo" | "Goal" | "Stability"
        | "Fairness" => Some(Vec::new()),
        _ => None,
    };
    if let Some(bytes) = whole {
        return DynamicMessage::decode(kind.clone(), bytes.as_slice()).ok();
    }
    let mut chosen: Vec<String> = Vec::new();
    for field in kind.fields() {
        if let Some(choice) = field.containing_oneof() {
            // The first of a choice.
            if chosen.iter().any(|name| name == choice.name()) {
                continue;
            }
            chosen.push(choice.name().to_owned());
        }
        if field.is_map() {
            continue;
        }
        let Some(value) = value_of(method, &field, world, place) else {
            continue;
        };
        let value = if field.is_list() {
            Value::List(vec![value])
        } else {
            value
        };
        message.set_field(&field, value);
    }
    Some(message)
}

fn value_of(
    method: &MethodDescriptor,
    field: &FieldDescriptor,
    world: &Guarded,
    place: &Place,
) -> Option<Value> {
    match field.kind() {
        Kind::Message(kind) => filled(method, &kind, world, place).map(Value::Message),
        Kind::Bool => Some(Value::Bool(field.name() == "validate_only")),
        Kind::Enum(_) => number(field.parent_message().name(), field.name()).map(Value::EnumNumber),
        Kind::String => text_of(method, field, world, place).map(Value::String),
        Kind::Int32 => match field.name() {
            "page_size" => Some(Value::I32(2)),
            "year" => Some(Value::I32(2024)),
            _ => None,
        },
        _ => None,
    }
}

/// Enumerations that a request needs.
fn number(message: &str, field: &str) -> Option<i32> {
    match (message, field) {
        ("ExportBatchRequest", "format") => Some(pb::BankFileFormat::Csv as i32),
        ("RecordPaymentResultRequest", "state") => Some(pb::PaymentState::Settled as i32),
        ("Account", "bucket") => Some(pb::Bucket::Quota as i32),
        ("Account" | "QuotaLine", "payer") => Some(pb::Payer::City as i32),
        _ => None,
    }
}

/// What a text field of a request names. A field that is not known here is an error: a new method must say
/// what it is about, so that it is tested.
fn text_of(
    method: &MethodDescriptor,
    field: &FieldDescriptor,
    world: &Guarded,
    place: &Place,
) -> Option<String> {
    let (message, name) = (field.parent_message().name().to_owned(), field.name());
    let text = match (method.name(), message.as_str(), name) {
        (_, _, "request_id") => id(),
        (_, _, "page_token" | "etag" | "as_of" | "as_of_time" | "from_time" | "until_time" | "subject") => {
            return None;
        }
        (_, "ListAuditRecordsRequest" | "VerifyAuditLogRequest" | "ExportAuditLogRequest", _) => return None,
        (_, "RequestErasureRequest" | "EraseClaimantsRequest" | "ListErasuresRequest", "parent") => {
            "funds/f".into()
        }
        (_, "RequestErasureRequest" | "EraseClaimantsRequest", "claims") => place.claim.clone(),
        (_, "ListObservationsRequest", "indicator") => return None,
        (_, "ListRegionsRequest", "parent") => return None,
        (_, "CheckObservationsRequest" | "ImportObservationsHeader", "data_set") => "dataSets/xuchang".into(),
        (_, "CheckFormulaRequest", "data_set") | (_, "GetDataSetRequest", "name") => {
            "dataSets/xuchang".into()
        }
        (_, "ListDataSetRevisionsRequest" | "ListObservationsRequest", "parent") => "dataSets/xuchang".into(),
        (_, "GetFormulaRequest", "name") | (_, "ListFormulaRevisionsRequest", "parent") => {
            "formulas/xuchang-settled-resident".into()
        }
        (_, "GetPolicyRequest", "name") | (_, "ListPolicyRevisionsRequest", "parent") => {
            "policies/xuchang-training-2024".into()
        }
        (_, "GetDeedTaxLawRequest", _) => return None,
        ("ComputeAllocation", "ComputeAllocationRequest", "explain") => return None,
        (_, "ComputeAllocationRequest" | "CreateAllocationRequest", "formula") => {
            "formulas/xuchang-settled-resident".into()
        }
        (_, "ComputeAllocationRequest" | "CreateAllocationRequest", "data_set") => "dataSets/xuchang".into(),
        (_, _, "pool") => "80000000.00".into(),
        (_, _, "advance_percent" | "settles" | "scope" | "replacement") => return None,
        (_, "ApproveAllocationRequest" | "IssueAllocationRequest" | "SupersedeAllocationRequest", "name") => {
            world.unpublished.clone()
        }
        (_, "GetAllocationRequest" | "ExplainAllocationRequest", "name") => world.allocation.clone(),
        (_, _, "before" | "after") => world.allocation.clone(),
        (_, "ExplainAllocationRequest", "region") => return None,
        (_, "GetSimulationRequest" | "StreamSimulationResultsRequest", "name")
        | (_, "DraftAllocationRequest", "simulation") => "simulations/none".into(),
        (_, "DraftAllocationRequest", "scenario") | (_, "ListSimulationsRequest", "kind") => return None,
        (_, "ApproveClaimRequest" | "RejectClaimRequest" | "WithdrawClaimRequest", "name") => {
            place.submitted.clone()
        }
        (_, "ClaimChange", "name") => place.submitted.clone(),
        (_, "ClaimChange", "action") => "approve".into(),
        (
            _,
            "CancelClaimRequest"
            | "ObjectToClaimRequest"
            | "RetryClaimRequest"
            | "ReturnClaimRequest"
            | "GetClaimRequest"
            | "ExplainClaimRequest",
            "name",
        )
        | (_, "ListClaimHistoryRequest", "parent") => place.claim.clone(),
        (_, "ResolveObjectionRequest" | "GetObjectionRequest", "name") => {
            format!("{}/objections/1", place.claim)
        }
        (_, "ReturnClaimRequest", "payer") => "city".into(),
        (_, "ListClaimsRequest" | "ListPublicNoticesRequest", "parent") => "funds/f".into(),
        (_, "ListClaimsRequest", "state" | "batch" | "programme") => return None,
        ("ExportBatch", _, "name") => place.released.clone(),
        (_, "GetBatchRequest", "name") | (_, "ListPaymentsRequest", "batch") => place.released.clone(),
        (
            _,
            "RemoveFromBatchRequest" | "FreezeBatchRequest" | "ReleaseBatchRequest" | "CancelBatchRequest",
            "name",
        ) => place.draft.clone(),
        (_, "RemoveFromBatchRequest", "claims") => place.claim.clone(),
        (_, "ImportResultsHeader", "parent") => place.released.clone(),
        (_, "ImportResultsHeader", "file_name") => "results.csv".into(),
        (_, _, "reference") => place.reference.clone(),
        (_, "RecordPaymentResultRequest", "amount" | "bank_reference" | "reason") => return None,
        (_, "RecordPaymentResultRequest", "date") => "2024-07-01".into(),
        (_, "ReverseEntryRequest", "name") => format!("funds/f/entries/{}", place.entry),
        (_, "GetFundStatusRequest", "name") => "funds/f".into(),
        (_, _, "fund") => "funds/f".into(),
        (_, _, "region") => format!("regions/{}", place.region),
        (_, _, "programme") => "programmes/training".into(),
        (_, "AssessClaimRequest", "documents") => "certificate".into(),
        (_, _, "execution_date") => execution_date(),
        (_, _, "max_amount") => return None,
        (_, _, "amount") => "1.00".into(),
        (_, _, "data_set_id") => "another".into(),
        (_, "Region", "name") => format!("regions/{}", place.region),
        (_, "Indicator", "name") => "indicators/settled_new".into(),
        (_, "ObservationRow", "indicator") => "settled_new".into(),
        (_, "ObservationRow", "year") => "2024".into(),
        (_, "ObservationRow", "value") => "1".into(),
        (_, "ObservationRow" | "Region" | "Indicator" | "PayeeAccount" | "Person", _) => return None,
        (_, "ListPoliciesRequest" | "ListProgrammesRequest", _) => return None,
        (_, "GetStatementRequest", "name") | (_, "ListStatementLinesRequest", "statement") => {
            format!("{}/statements/{}", place.account, place.statement)
        }
        (
            _,
            "GetReconciliationRequest" | "CancelReconciliationRequest" | "WatchReconciliationRequest",
            "name",
        ) => format!("reconciliations/{}", place.job),
        (
            _,
            "GetBreakRequest"
            | "AssignBreakRequest"
            | "CommentBreakRequest"
            | "ResolveBreakRequest"
            | "ApproveResolutionRequest"
            | "RejectResolutionRequest"
            | "ReopenBreakRequest",
            "name",
        ) => format!("{}/breaks/1", place.account),
        (_, "GetPeriodRequest" | "PreparePeriodRequest" | "SignPeriodRequest", "name") => {
            format!("{}/periods/2024-07", place.account)
        }
        (_, _, "account") => place.account.clone(),
        (_, _, "date") => "2024-07-31".into(),
        (_, "ImportStatementHeader", "file_name") => "statement.csv".into(),
        (_, "ImportStatementHeader", _) | (_, "ListBreaksRequest", "period" | "assignee") => return None,
        (_, "HandMatch" | "Correction" | "LineExplanation" | "LineName", _) => return None,
        (_, "AssignBreakRequest", "assignee") => "somebody".into(),
        (_, "CommentBreakRequest", "comment") => "said".into(),
        (_, _, "note" | "document" | "reason" | "title" | "text" | "payer") => "said".into(),
        other => panic!("say in tests/it/access/setup.rs what {other:?} names"),
    };
    Some(text)
}

/// Every text in a message, also within others, replaced by what `with` makes of its path; one at a time.
pub fn each_text(message: &DynamicMessage, with: &dyn Fn(&str) -> String) -> Vec<(String, DynamicMessage)> {
    let mut all = Vec::new();
    for field in message.descriptor().fields() {
        if field.is_map() {
            if field.name() == "facts" {
                let mut changed = message.clone();
                let key = prost_reflect::MapKey::String(with(field.name()));
                let map = HashMap::from([(key, Value::String(with(field.name())))]);
                changed.set_field(&field, Value::Map(map));
                all.push((field.name().to_owned(), changed));
            }
            continue;
        }
        let mut put = |path: String, value: Value| {
            let mut changed = message.clone();
            let value = if field.is_list() {
                Value::List(vec![value])
            } else {
                value
            };
            changed.set_field(&field, value);
            all.push((path, changed));
        };
        match field.kind() {
            Kind::String => put(field.name().to_owned(), Value::String(with(field.name()))),
            Kind::Message(_) if message.has_field(&field) => {
                let inner = match message.get_field(&field).into_owned() {
                    Value::Message(inner) => inner,
                    Value::List(values) => match values.into_iter().next() {
                        Some(Value::Message(inner)) => inner,
                        _ => continue,
                    },
                    _ => continue,
                };
                for (path, changed) in each_text(&inner, with) {
                    put(format!("{}.{path}", field.name()), Value::Message(changed));
                }
            }
            _ => {}
        }
    }
    all
}

/// Somebody with a bearer token, with all services.
pub fn bearer(channel: &Channel, token: &str) -> Client {
    Client::with_token(channel.clone(), token)
}
