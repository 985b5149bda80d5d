//! What every story needs: a fresh database on either engine, a server on a socket, clients who are
//! somebody, and refusals taken apart.
//!
//! A story is a function that takes a [`World`]; [`stories!`] makes of it a test on SQLite and one on
//! PostgreSQL (the server that INCENTIVE_FUND_TEST_POSTGRES names; `scripts/test` starts one).

use incentive_fund::app::App;
use incentive_fund::app::audit::{AuditKeys, SigningKey, generate_signing_key};
use incentive_fund::app::simulation::SimulationOptions;
use incentive_fund::app::vault::Vault;
use incentive_fund::domain::payer::Payer;
use incentive_fund::domain::payment::{Debtor, Debtors};
use incentive_fund::domain::region::RegionCode;
use incentive_fund::grpc::convert::statistics::{from_indicator, from_region, from_row};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::allocation_service_client::AllocationServiceClient;
use incentive_fund::grpc::pb::audit_service_client::AuditServiceClient;
use incentive_fund::grpc::pb::disbursement_service_client::DisbursementServiceClient;
use incentive_fund::grpc::pb::formula_service_client::FormulaServiceClient;
use incentive_fund::grpc::pb::ledger_service_client::LedgerServiceClient;
use incentive_fund::grpc::pb::policy_service_client::PolicyServiceClient;
use incentive_fund::grpc::pb::privacy_service_client::PrivacyServiceClient;
use incentive_fund::grpc::pb::reconciliation_service_client::ReconciliationServiceClient;
use incentive_fund::grpc::pb::simulation_service_client::SimulationServiceClient;
use incentive_fund::grpc::pb::statistics_service_client::StatisticsServiceClient;
use incentive_fund::grpc::pb::subsidy_service_client::SubsidyServiceClient;
use incentive_fund::grpc::server::{Door, Limits, serve};
use incentive_fund::grpc::{PRINCIPAL_KEY, encode_principal};
use incentive_fund::store::{Store, StoreOptions};
use incentive_fund::tabular;
use sea_orm::{ConnectionTrait, Database};
use std::collections::HashMap;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

/// Runs each story as a test on SQLite and one on PostgreSQL.
macro_rules! stories {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    $crate::harness::tell($crate::harness::Engine::Sqlite, super::$name).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    $crate::harness::tell($crate::harness::Engine::Postgres, super::$name).await;
                }
            )*
        }
    };
}
pub(crate) use stories;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Tells a story in a world of its own, and clears the world away however the story ends.
pub async fn tell<F, Fut>(engine: Engine, story: F)
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let directory = tempfile::tempdir().unwrap();
    let (url, postgres) = match engine {
        Engine::Sqlite => {
            let file = directory.path().join("fund.db");
            (format!("sqlite://{}?mode=rwc", file.display()), None)
        }
        Engine::Postgres => {
            let fresh = FreshPostgres::create().await;
            (fresh.url.clone(), Some(fresh))
        }
    };
    let vault = Vault::parse(&Vault::generate("test", None).unwrap()).unwrap();
    let signing = SigningKey::parse(&generate_signing_key("test", None).unwrap()).unwrap();
    let world = World {
        url,
        vault,
        signing,
        debtors: debtors(),
    };
    let ended = tokio::spawn(story(world)).await;
    if let Some(fresh) = postgres {
        fresh.drop_it().await;
    }
    drop::<TempDir>(directory);
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic.into_panic());
    }
}

struct FreshPostgres {
    server: String,
    name: String,
    url: String,
}

impl FreshPostgres {
    async fn create() -> Self {
        let server = std::env::var("INCENTIVE_FUND_TEST_POSTGRES")
            .expect("INCENTIVE_FUND_TEST_POSTGRES must name a PostgreSQL server; scripts/test starts one");
        let name = format!("story_{}", uuid::Uuid::now_v7().simple());
        let admin = Database::connect(&server).await.unwrap();
        // template0: nobody is connected to it, so that tests do not wait for each other's copies.
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE template0"))
            .await
            .unwrap();
        admin.close().await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        let url = format!("{address}/{name}");
        Self { server, name, url }
    }

    async fn drop_it(self) {
        let admin = Database::connect(&self.server).await.unwrap();
        admin
            .execute_unprepared(&format!("DROP DATABASE {} WITH (FORCE)", self.name))
            .await
            .unwrap();
        admin.close().await.unwrap();
    }
}

/// A database, empty at first, on which servers come and go.
#[derive(Debug, Clone)]
pub struct World {
    pub url: String,
    /// The keys for personal data.
    pub vault: Vault,
    /// The key that signs checkpoints.
    pub signing: SigningKey,
    /// The accounts that pay.
    pub debtors: Debtors,
}

/// Limits that no story meets by accident.
pub fn limits() -> Limits {
    Limits {
        max_message_bytes: 16 << 20,
        max_calls: 256,
        max_streams_per_connection: 200,
        max_connections: 20_000,
        max_metadata_bytes: 16 << 10,
        handshake_timeout: Duration::from_secs(10),
        caller_rate: None,
        call_timeout: Duration::from_secs(120),
        shutdown_timeout: Duration::from_secs(30),
    }
}

/// The accounts that pay: the city's, Yanling's own, and one for all other counties. No such accounts.
pub fn debtors() -> Debtors {
    let account = |payer, region: Option<&str>, name, account| {
        let region = region.map(|code| RegionCode::parse("region", code).unwrap());
        let debtor = Debtor::parse("debtor", name, account, "313491099996").unwrap();
        (payer, region, debtor)
    };
    let accounts = vec![
        account(Payer::City, None, "许昌市财政局", "411000000000012345"),
        account(
            Payer::County,
            Some("411024"),
            "鄢陵县财政局",
            "411024000000054321",
        ),
        account(Payer::County, None, "县级财政专户", "411000000000099999"),
    ];
    Debtors::new("debtors", accounts).unwrap()
}

impl World {
    pub async fn serve(&self) -> Running {
        self.serve_within(limits()).await
    }

    pub async fn serve_within(&self, limits: Limits) -> Running {
        let options = SimulationOptions::default();
        self.serve_with(limits, Some(self.vault.clone()), options).await
    }

    /// A server that nobody has given keys for personal data.
    pub async fn serve_without_keys(&self) -> Running {
        self.serve_with(limits(), None, SimulationOptions::default())
            .await
    }

    /// A server with other limits for simulations.
    pub async fn serve_simulating(&self, options: SimulationOptions) -> Running {
        self.serve_with(limits(), None, options).await
    }

    /// Which database it is.
    pub fn engine(&self) -> Engine {
        if self.url.starts_with("sqlite") {
            Engine::Sqlite
        } else {
            Engine::Postgres
        }
    }

    async fn serve_with(&self, limits: Limits, vault: Option<Vault>, options: SimulationOptions) -> Running {
        self.serve_behind(|_| Door::open(), limits, vault, options).await
    }

    /// A server that lets in whom a door lets in, which is made over its store.
    pub async fn serve_guarded(&self, door: impl FnOnce(&Store) -> Door, limits: Limits) -> Running {
        let options = SimulationOptions::default();
        self.serve_behind(door, limits, Some(self.vault.clone()), options)
            .await
    }

    async fn serve_behind(
        &self,
        door: impl FnOnce(&Store) -> Door,
        limits: Limits,
        vault: Option<Vault>,
        options: SimulationOptions,
    ) -> Running {
        let store = Store::connect(&StoreOptions {
            url: self.url.clone(),
            max_connections: 8,
            acquire_timeout: Duration::from_secs(30),
            statement_log: false,
        })
        .await
        .unwrap();
        store.migrate().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let app = App::new(store.clone())
            .with_debtors(self.debtors.clone())
            .with_audit_keys(AuditKeys {
                signing: Some(self.signing.clone()),
                directory: None,
            })
            .with_simulation_options(options);
        let app = match vault {
            Some(vault) => app.with_vault(vault),
            None => app,
        };
        let door = door(&store);
        let served = app.clone();
        let task = tokio::spawn(async move {
            serve(served, listener, door, limits, async {
                // Also where the story has dropped its end.
                let _ = stopped.await;
            })
            .await
            .unwrap();
            store.close().await;
        });
        Running {
            address,
            app,
            stop,
            task,
        }
    }
}

/// A server in this process, on a real socket.
pub struct Running {
    pub address: SocketAddr,
    /// What it serves.
    pub app: App,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    /// Somebody with a connection of their own.
    pub async fn client(&self, principal: &str) -> Client {
        connect(self.address, principal).await
    }

    /// Tells the server to stop; the handle ends when it has.
    pub fn stopping(self) -> JoinHandle<()> {
        let _ = self.stop.send(());
        self.task
    }

    /// Stops the server and waits.
    pub async fn stop(self) {
        self.stopping().await.unwrap();
    }
}

/// A connection to a server.
pub async fn channel(address: SocketAddr) -> Channel {
    Endpoint::try_from(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

/// Somebody with a connection of their own.
pub async fn connect(address: SocketAddr, principal: &str) -> Client {
    Client::new(channel(address).await, principal)
}

/// Says in every call who acts; an empty name says nothing.
#[derive(Debug, Clone)]
pub struct Identify(Option<(&'static str, AsciiMetadataValue)>);

impl Interceptor for Identify {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some((key, value)) = &self.0 {
            request.metadata_mut().insert(*key, value.clone());
        }
        Ok(request)
    }
}

type Identified = InterceptedService<Channel, Identify>;

/// All services, called as one person.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    pub statistics: StatisticsServiceClient<Identified>,
    pub formulas: FormulaServiceClient<Identified>,
    pub allocations: AllocationServiceClient<Identified>,
    pub policies: PolicyServiceClient<Identified>,
    pub subsidies: SubsidyServiceClient<Identified>,
    pub ledger: LedgerServiceClient<Identified>,
    pub disbursements: DisbursementServiceClient<Identified>,
    pub simulations: SimulationServiceClient<Identified>,
    pub audit: AuditServiceClient<Identified>,
    pub privacy: PrivacyServiceClient<Identified>,
    pub reconciliations: ReconciliationServiceClient<Identified>,
}

/// A new id for a mutation.
pub fn id() -> String {
    uuid::Uuid::now_v7().to_string()
}

impl Client {
    pub fn new(channel: Channel, principal: &str) -> Self {
        let name = (!principal.is_empty())
            .then(|| AsciiMetadataValue::try_from(encode_principal(principal)).unwrap());
        Self::identified(channel, Identify(name.map(|name| (PRINCIPAL_KEY, name))))
    }

    /// Whoever a bearer token is of.
    pub fn with_token(channel: Channel, token: &str) -> Self {
        let value = AsciiMetadataValue::try_from(format!("Bearer {token}")).unwrap();
        Self::identified(channel, Identify(Some(("authorization", value))))
    }

    fn identified(channel: Channel, identify: Identify) -> Self {
        let service = InterceptedService::new(channel.clone(), identify);
        Self {
            channel,
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

    /// Another person on the same connection.
    pub fn named(&self, principal: &str) -> Self {
        Self::new(self.channel.clone(), principal)
    }

    pub async fn import_regions(&mut self, regions: Vec<pb::Region>) -> Result<u32, Status> {
        let request = pb::ImportRegionsRequest {
            regions,
            request_id: id(),
            validate_only: false,
        };
        Ok(self
            .statistics
            .import_regions(request)
            .await?
            .into_inner()
            .imported)
    }

    pub async fn import_indicators(&mut self, indicators: Vec<pb::Indicator>) -> Result<u32, Status> {
        let request = pb::ImportIndicatorsRequest {
            indicators,
            request_id: id(),
            validate_only: false,
        };
        Ok(self
            .statistics
            .import_indicators(request)
            .await?
            .into_inner()
            .imported)
    }

    pub async fn create_data_set(&mut self, data_set_id: &str) -> Result<pb::DataSet, Status> {
        let request = pb::CreateDataSetRequest {
            data_set_id: data_set_id.to_owned(),
            title: format!("Data of {data_set_id}"),
            request_id: id(),
            validate_only: false,
        };
        let response = self.statistics.create_data_set(request).await?.into_inner();
        Ok(response.data_set.unwrap())
    }

    /// Imports rows in a stream, with a new request id.
    pub async fn import(
        &mut self,
        data_set: &str,
        rows: Vec<pb::ObservationRow>,
    ) -> Result<pb::DataSetRevision, Status> {
        self.import_as(header(data_set), rows).await
    }

    pub async fn import_as(
        &mut self,
        header: pb::ImportObservationsHeader,
        rows: Vec<pb::ObservationRow>,
    ) -> Result<pb::DataSetRevision, Status> {
        let messages = upload(header, rows);
        let response = self
            .statistics
            .import_observations(tokio_stream::iter(messages))
            .await?;
        Ok(response.into_inner().revision.unwrap())
    }

    pub async fn data_set(&mut self, data_set: &str) -> pb::DataSet {
        let request = pb::GetDataSetRequest {
            name: format!("dataSets/{data_set}"),
        };
        let response = self.statistics.get_data_set(request).await.unwrap();
        response.into_inner().data_set.unwrap()
    }

    /// Every observation of a data set or revision, all pages.
    pub async fn observations(&mut self, parent: &str) -> Vec<pb::Observation> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListObservationsRequest {
                parent: parent.to_owned(),
                page_size: 1_000,
                page_token,
                ..Default::default()
            };
            let page = self
                .statistics
                .list_observations(request)
                .await
                .unwrap()
                .into_inner();
            all.extend(page.observations);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return all;
            }
        }
    }

    pub async fn create_formula(
        &mut self,
        document: pb::FormulaDocument,
    ) -> Result<pb::FormulaRevision, Status> {
        let request = pb::CreateFormulaRequest {
            document: Some(document),
            request_id: id(),
            validate_only: false,
        };
        let response = self.formulas.create_formula(request).await?;
        Ok(response.into_inner().formula.unwrap())
    }

    pub async fn create(&mut self, request: pb::CreateAllocationRequest) -> Result<pb::Allocation, Status> {
        let response = self.allocations.create_allocation(request).await?;
        Ok(response.into_inner().allocation.unwrap())
    }

    pub async fn get(&mut self, name: &str) -> pb::Allocation {
        let request = pb::GetAllocationRequest {
            name: name.to_owned(),
        };
        let response = self.allocations.get_allocation(request).await.unwrap();
        response.into_inner().allocation.unwrap()
    }

    pub async fn approve(&mut self, name: &str) -> Result<pb::Allocation, Status> {
        let request = pb::ApproveAllocationRequest {
            name: name.to_owned(),
            request_id: id(),
            ..Default::default()
        };
        let response = self.allocations.approve_allocation(request).await?;
        Ok(response.into_inner().allocation.unwrap())
    }

    pub async fn issue(&mut self, name: &str) -> Result<pb::Allocation, Status> {
        let request = pb::IssueAllocationRequest {
            name: name.to_owned(),
            request_id: id(),
            ..Default::default()
        };
        let response = self.allocations.issue_allocation(request).await?;
        Ok(response.into_inner().allocation.unwrap())
    }

    pub async fn supersede(&mut self, name: &str, replacement: &str) -> Result<pb::Allocation, Status> {
        let request = pb::SupersedeAllocationRequest {
            name: name.to_owned(),
            replacement: replacement.to_owned(),
            request_id: id(),
            ..Default::default()
        };
        let response = self.allocations.supersede_allocation(request).await?;
        Ok(response.into_inner().allocation.unwrap())
    }

    /// Receives money into a fund: an allocation is issued from money that is there.
    pub async fn receive(&mut self, fund: &str, amount: &str) -> Result<pb::LedgerEntry, Status> {
        let request = pb::ReceiveFundsRequest {
            fund: format!("funds/{fund}"),
            amount: amount.to_owned(),
            document: "豫财预〔2024〕101号".to_owned(),
            request_id: id(),
            validate_only: false,
        };
        let response = self.ledger.receive_funds(request).await?;
        Ok(response.into_inner().entry.unwrap())
    }

    pub async fn explain(&mut self, name: &str) -> Vec<pb::Explanation> {
        let request = pb::ExplainAllocationRequest {
            name: name.to_owned(),
            ..Default::default()
        };
        let response = self.allocations.explain_allocation(request).await.unwrap();
        response.into_inner().explanations
    }
}

pub fn header(data_set: &str) -> pb::ImportObservationsHeader {
    pb::ImportObservationsHeader {
        data_set: format!("dataSets/{data_set}"),
        request_id: id(),
        validate_only: false,
    }
}

/// The messages of an import: the header, then rows a thousand at a time.
pub fn upload(
    header: pb::ImportObservationsHeader,
    rows: Vec<pb::ObservationRow>,
) -> Vec<pb::ImportObservationsRequest> {
    let mut messages = vec![header_message(header)];
    messages.extend(rows.chunks(1_000).map(|chunk| rows_message(chunk.to_vec())));
    messages
}

pub fn header_message(header: pb::ImportObservationsHeader) -> pb::ImportObservationsRequest {
    pb::ImportObservationsRequest {
        content: Some(pb::import_observations_request::Content::Header(header)),
    }
}

pub fn rows_message(rows: Vec<pb::ObservationRow>) -> pb::ImportObservationsRequest {
    let rows = pb::ObservationRows { rows };
    pb::ImportObservationsRequest {
        content: Some(pb::import_observations_request::Content::Rows(rows)),
    }
}

/// A region at the top.
pub fn region(code: &str) -> pb::Region {
    pb::Region {
        name: format!("regions/{code}"),
        display_name_zh: format!("{code}区"),
        display_name_en: format!("Region {code}"),
        kind: pb::RegionKind::Other.into(),
        parent: String::new(),
        note: String::new(),
    }
}

/// A region within another.
pub fn part_of(parent: &str, code: &str) -> pb::Region {
    pb::Region {
        parent: format!("regions/{parent}"),
        ..region(code)
    }
}

/// An indicator that takes any value.
pub fn indicator(code: &str, unit: &str) -> pb::Indicator {
    pb::Indicator {
        name: format!("indicators/{code}"),
        display_name_zh: format!("指标{code}"),
        display_name_en: format!("Indicator {code}"),
        unit: unit.to_owned(),
        decimals: 28,
        minimum: String::new(),
        maximum: String::new(),
        description: String::new(),
    }
}

/// A row of the year 2024.
pub fn row(line: u32, region: &str, indicator: &str, value: &str) -> pb::ObservationRow {
    pb::ObservationRow {
        line,
        region: region.to_owned(),
        indicator: indicator.to_owned(),
        year: "2024".to_owned(),
        value: value.to_owned(),
        unit: String::new(),
        source: "test".to_owned(),
    }
}

/// A formula of one component that shares the pool by `score`.
pub fn share_by(formula_id: &str, score: &str) -> pb::FormulaDocument {
    pb::FormulaDocument {
        id: formula_id.to_owned(),
        title_zh: "测试公式".to_owned(),
        title_en: "Test formula".to_owned(),
        legal_basis: Some(pb::LegalBasis {
            document: "Test".to_owned(),
            ..Default::default()
        }),
        rounding: Some(pb::Rounding::default()),
        components: vec![pb::Component {
            id: "only".to_owned(),
            percent: "100".to_owned(),
            score: score.to_owned(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A formula that comes with the program.
pub fn shipped_formula(file: &str) -> pb::FormulaDocument {
    let path = format!("{}/config/formulas/{file}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let document = incentive_fund::domain::formula::Document::from_toml(&text).unwrap();
    incentive_fund::grpc::convert::formula::from_document(document)
}

fn sheet(path: &str) -> tabular::Sheet {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let name = path.file_name().unwrap().to_str().unwrap();
    tabular::read(name, &std::fs::read(&path).unwrap()).unwrap()
}

pub fn regions_of(path: &str) -> Vec<pb::Region> {
    let regions = tabular::regions(&sheet(path)).unwrap();
    regions.iter().map(from_region).collect()
}

pub fn indicators_of(path: &str) -> Vec<pb::Indicator> {
    let indicators = tabular::indicators(&sheet(path)).unwrap();
    indicators.iter().map(from_indicator).collect()
}

pub fn rows_of(path: &str) -> Vec<pb::ObservationRow> {
    let rows = tabular::observation_rows(&sheet(path)).unwrap();
    rows.into_iter().map(from_row).collect()
}

/// Imports the Xuchang example as data set `xuchang` and all three formulas.
pub async fn import_xuchang(client: &mut Client) {
    client
        .import_indicators(indicators_of("config/indicators.csv"))
        .await
        .unwrap();
    client
        .import_regions(regions_of("examples/xuchang/regions.csv"))
        .await
        .unwrap();
    client.create_data_set("xuchang").await.unwrap();
    client
        .import("xuchang", rows_of("examples/xuchang/observations.csv"))
        .await
        .unwrap();
    for formula in ["xuchang-settled-resident", "settled-taper-bounds"] {
        client.create_formula(shipped_formula(formula)).await.unwrap();
    }
}

/// The Xuchang example, the whole pool of 80 million yuan of fund `fund`.
pub fn xuchang_request(fund: &str) -> pb::CreateAllocationRequest {
    pb::CreateAllocationRequest {
        fund: format!("funds/{fund}"),
        title: "2025年奖补资金".to_owned(),
        formula: "formulas/xuchang-settled-resident".to_owned(),
        data_set: "dataSets/xuchang".to_owned(),
        pool: "80000000.00".to_owned(),
        year: 2024,
        request_id: id(),
        ..Default::default()
    }
}

/// An error taken apart.
#[derive(Debug)]
pub struct Refusal {
    pub code: Code,
    pub reason: String,
    pub metadata: HashMap<String, String>,
    /// Path and description of each faulty field.
    pub fields: Vec<(String, String)>,
    pub zh: String,
    pub en: String,
    pub retry_after: Option<Duration>,
}

/// The error of a call. Every error has a stable reason in our domain and a message in both languages.
#[track_caller]
pub fn refusal(status: &Status) -> Refusal {
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "incentivefund.v1", "{status:?}");
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    assert!(
        !info.reason.is_empty() && info.reason.chars().all(plain),
        "{status:?}"
    );
    let message_in = |locale: &str| {
        let found = status.get_error_details_vec().into_iter().find_map(|d| match d {
            tonic_types::ErrorDetail::LocalizedMessage(m) if m.locale == locale => Some(m.message),
            _ => None,
        });
        found
            .filter(|message| !message.is_empty())
            .unwrap_or_else(|| panic!("no message in {locale}: {status:?}"))
    };
    let fields = details.bad_request().map(|bad| {
        let violations = bad.field_violations.iter();
        violations
            .map(|v| (v.field.clone(), v.description.clone()))
            .collect()
    });
    Refusal {
        code: status.code(),
        reason: info.reason.clone(),
        metadata: info.metadata.clone(),
        fields: fields.unwrap_or_default(),
        zh: message_in("zh-CN"),
        en: message_in("en"),
        retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
    }
}

/// The refusal of a call that must not succeed.
#[track_caller]
pub fn refused<T: Debug>(result: Result<T, Status>) -> Refusal {
    match result {
        Ok(answer) => panic!("not refused: {answer:?}"),
        Err(status) => refusal(&status),
    }
}

impl Refusal {
    /// That the request was wrong in exactly one field.
    #[track_caller]
    pub fn names(&self, field: &str) -> &str {
        assert_eq!(self.code, Code::InvalidArgument, "{self:?}");
        assert_eq!(self.reason, "INVALID_FIELDS", "{self:?}");
        assert_eq!(self.fields.len(), 1, "{self:?}");
        assert_eq!(self.fields[0].0, field, "{self:?}");
        &self.fields[0].1
    }

    /// That a field is among those that were wrong, with these words in its description.
    #[track_caller]
    pub fn tells(&self, field: &str, words: &[&str]) {
        let found = self
            .fields
            .iter()
            .any(|(path, description)| path == field && words.iter().all(|word| description.contains(word)));
        assert!(found, "{field} {words:?} in {self:#?}");
    }
}

/// Fen of an amount in yuan.
pub fn fen(yuan: &str) -> i128 {
    let (whole, cents) = yuan.split_once('.').unwrap_or_else(|| panic!("{yuan}"));
    assert_eq!(cents.len(), 2, "{yuan}");
    format!("{whole}{cents}").parse().unwrap()
}

/// Unwraps the message.
pub fn inner<T>(response: Result<Response<T>, Status>) -> T {
    response.unwrap().into_inner()
}
