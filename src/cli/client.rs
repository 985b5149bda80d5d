//! The services as the commands call them.

use crate::domain::identity::Principal;
use crate::grpc::pb::allocation_service_client::AllocationServiceClient;
use crate::grpc::pb::audit_service_client::AuditServiceClient;
use crate::grpc::pb::disbursement_service_client::DisbursementServiceClient;
use crate::grpc::pb::formula_service_client::FormulaServiceClient;
use crate::grpc::pb::ledger_service_client::LedgerServiceClient;
use crate::grpc::pb::policy_service_client::PolicyServiceClient;
use crate::grpc::pb::privacy_service_client::PrivacyServiceClient;
use crate::grpc::pb::reconciliation_service_client::ReconciliationServiceClient;
use crate::grpc::pb::simulation_service_client::SimulationServiceClient;
use crate::grpc::pb::statistics_service_client::StatisticsServiceClient;
use crate::grpc::pb::subsidy_service_client::SubsidyServiceClient;
use crate::grpc::{PRINCIPAL_KEY, encode_principal};
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Says in every call who acts.
#[derive(Debug, Clone)]
pub(super) enum Identify {
    /// By name, where nobody is authenticated.
    Named(AsciiMetadataValue),
    /// By a bearer token, with `Bearer ` before it. Never shown.
    Token(AsciiMetadataValue),
}

impl Identify {
    /// By name.
    pub(super) fn named(principal: &Principal) -> Self {
        // Percent-encoding leaves only letters, digits and %, which a metadata value may hold.
        let value = AsciiMetadataValue::try_from(encode_principal(principal.as_str()));
        Self::Named(value.unwrap_or_else(|_| AsciiMetadataValue::from_static("local")))
    }

    /// By a token; none where its text cannot be one.
    pub(super) fn token(token: &str) -> Option<Self> {
        let mut value = AsciiMetadataValue::try_from(format!("Bearer {token}")).ok()?;
        value.set_sensitive(true);
        Some(Self::Token(value))
    }
}

impl Interceptor for Identify {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let (key, value) = match self {
            Self::Named(name) => (PRINCIPAL_KEY, name),
            Self::Token(token) => ("authorization", token),
        };
        request.metadata_mut().insert(key, value.clone());
        Ok(request)
    }
}

type Identified = InterceptedService<Channel, Identify>;

/// One client for each service.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) statistics: StatisticsServiceClient<Identified>,
    pub(super) formulas: FormulaServiceClient<Identified>,
    pub(super) allocations: AllocationServiceClient<Identified>,
    pub(super) policies: PolicyServiceClient<Identified>,
    pub(super) subsidies: SubsidyServiceClient<Identified>,
    pub(super) ledger: LedgerServiceClient<Identified>,
    pub(super) disbursements: DisbursementServiceClient<Identified>,
    pub(super) simulations: SimulationServiceClient<Identified>,
    pub(super) reconciliations: ReconciliationServiceClient<Identified>,
    pub(super) audit: AuditServiceClient<Identified>,
    pub(super) privacy: PrivacyServiceClient<Identified>,
}

impl Client {
    pub(super) fn new(channel: Channel, identify: Identify) -> Self {
        let service = InterceptedService::new(channel, identify);
        Self {
            statistics: StatisticsServiceClient::new(service.clone()).max_decoding_message_size(usize::MAX),
            formulas: FormulaServiceClient::new(service.clone()).max_decoding_message_size(usize::MAX),
            allocations: AllocationServiceClient::new(service.clone()).max_decoding_message_size(usize::MAX),
            policies: PolicyServiceClient::new(service.clone()).max_decoding_message_size(usize::MAX),
            subsidies: SubsidyServiceClient::new(service.clone()).max_decoding_message_size(usize::MAX),
            ledger: LedgerServiceClient::new(service.clone()).max_decoding_message_size(usize::MAX),
            privacy: PrivacyServiceClient::new(service.clone()),
            audit: AuditServiceClient::new(service.clone()).max_decoding_message_size(usize::MAX),
            simulations: SimulationServiceClient::new(service.clone()).max_decoding_message_size(usize::MAX),
            reconciliations: ReconciliationServiceClient::new(service.clone())
                .max_decoding_message_size(usize::MAX),
            disbursements: DisbursementServiceClient::new(service).max_decoding_message_size(usize::MAX),
        }
    }
}

/// A new id for a mutation.
pub(super) fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
