//! The server: all services on one port, health, reflection, limits, and an end without loss.
//!
//! The command line uses the same services in its own process, over a pipe in memory.

use super::connection;
use super::gate::Gate;
use super::guard::{Access, Guard, Rate};
use super::pb::allocation_service_server::AllocationServiceServer;
use super::pb::audit_service_server::AuditServiceServer;
use super::pb::disbursement_service_server::DisbursementServiceServer;
use super::pb::formula_service_server::FormulaServiceServer;
use super::pb::ledger_service_server::LedgerServiceServer;
use super::pb::policy_service_server::PolicyServiceServer;
use super::pb::privacy_service_server::PrivacyServiceServer;
use super::pb::reconciliation_service_server::ReconciliationServiceServer;
use super::pb::simulation_service_server::SimulationServiceServer;
use super::pb::statistics_service_server::StatisticsServiceServer;
use super::pb::subsidy_service_server::SubsidyServiceServer;
use super::status::with_details;
use super::tls::Tls;
use super::workers::Worker;
use super::{
    DESCRIPTORS, allocation, audit, disbursement, formula, ledger, policy, privacy, reconciliation,
    simulation, statistics, subsidy,
};
use crate::app::App;
use crate::domain::error::Error;
use std::pin::Pin;
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tower::util::MapResponseLayer;

/// Who comes in, and how.
#[derive(Clone)]
pub struct Door {
    /// How callers become known.
    pub access: Access,
    /// TLS; none means in the clear.
    pub tls: Option<Tls>,
}

impl Door {
    /// Everybody comes in and is believed, in the clear: for one process or one machine.
    pub const fn open() -> Self {
        Self {
            access: Access::Open,
            tls: None,
        }
    }
}

/// What a server takes at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest message received, in bytes.
    pub max_message_bytes: usize,
    /// Calls that run at once; more are refused with RESOURCE_EXHAUSTED.
    pub max_calls: usize,
    /// HTTP/2 streams on one connection.
    pub max_streams_per_connection: u32,
    /// Connections; more are closed at once.
    pub max_connections: usize,
    /// Metadata of a call, in bytes.
    pub max_metadata_bytes: u32,
    /// Longest TLS handshake, and then longest wait for HTTP/2 to begin.
    pub handshake_timeout: Duration,
    /// How often one caller may call; none means as often as they like.
    pub caller_rate: Option<Rate>,
    /// Longest call; a shorter deadline of the caller is honoured.
    pub call_timeout: Duration,
    /// Longest wait for calls to end when the server stops.
    pub shutdown_timeout: Duration,
}

/// How often connections are asked whether they live, and how long an answer may take.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// How often health looks at the store.
const HEALTH_EVERY: Duration = Duration::from_secs(5);

/// A future of which only the result is known. What returns one is compiled with this library, and not once more with
/// every program and test that awaits it.
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Serves on `listener` until `stop` resolves; then takes no new calls and ends when those that run are done.
pub fn serve(
    app: App,
    listener: TcpListener,
    door: Door,
    limits: Limits,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Boxed<Result<(), Error>> {
    serve_until(app, listener, door, limits, Box::pin(stop))
}

fn serve_until(
    app: App,
    listener: TcpListener,
    door: Door,
    limits: Limits,
    stop: Boxed<()>,
) -> Boxed<Result<(), Error>> {
    Box::pin(serve_all(app, listener, door, limits, stop))
}

async fn serve_all(
    app: App,
    listener: TcpListener,
    door: Door,
    limits: Limits,
    stop: Boxed<()>,
) -> Result<(), Error> {
    let gate = Gate::new(limits.max_calls);
    let (reporter, health) = tonic_health::server::health_reporter();
    let health_store = app.store().clone();
    let health_reporter = reporter.clone();
    let watch = tokio::spawn(async move {
        loop {
            let serving = health_store.ping().await.is_ok();
            let status = if serving {
                tonic_health::ServingStatus::Serving
            } else {
                tonic_health::ServingStatus::NotServing
            };
            for service in SERVICES {
                health_reporter.set_service_status(service, status).await;
            }
            tokio::time::sleep(HEALTH_EVERY).await;
        }
    });
    let reflection_v1 = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(Error::internal)?;
    let reflection_v1alpha = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1alpha()
        .map_err(Error::internal)?;
    let worker = Worker::default();
    worker.start(&app, &gate);
    let auditor = app.clone();
    let routes = routes(&app, &gate, &limits, worker)
        .add_service(health)
        .add_service(reflection_v1)
        .add_service(reflection_v1alpha);
    let watching = watch.abort_handle();
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let streams = gate.clone();
    let announce = async move {
        stop.await;
        streams.stop();
        // The watch must not call the services healthy again.
        watching.abort();
        for service in SERVICES {
            reporter
                .set_service_status(service, tonic_health::ServingStatus::NotServing)
                .await;
        }
        let _ = stopping.send(());
    };
    let incoming = connection::accept(
        listener,
        door.tls,
        limits.max_connections,
        limits.handshake_timeout,
    );
    // Who is believed any name could take another for each call.
    let rate = match door.access {
        Access::Authenticated(_) => limits.caller_rate,
        Access::Open => None,
    };
    let server = Server::builder()
        .timeout(limits.call_timeout)
        .max_concurrent_streams(limits.max_streams_per_connection)
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .http2_max_header_list_size(limits.max_metadata_bytes)
        .layer(MapResponseLayer::new(with_details))
        .layer(Guard::new(door.access, rate, Some(auditor)))
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, announce);
    let shutdown_timeout = limits.shutdown_timeout;
    let result = tokio::select! {
        result = server => result.map_err(Error::internal),
        () = async {
            // Connections that never end must not keep the server from ending.
            let _ = stopped.await;
            tokio::time::sleep(shutdown_timeout).await;
        } => Ok(()),
    };
    watch.abort();
    if tokio::time::timeout(shutdown_timeout, gate.drained())
        .await
        .is_err()
    {
        tracing::warn!("stopped before all work that was begun had ended");
    }
    result
}

const SERVICES: [&str; 12] = [
    "",
    "incentivefund.v1.StatisticsService",
    "incentivefund.v1.FormulaService",
    "incentivefund.v1.AllocationService",
    "incentivefund.v1.PolicyService",
    "incentivefund.v1.SubsidyService",
    "incentivefund.v1.DisbursementService",
    "incentivefund.v1.LedgerService",
    "incentivefund.v1.SimulationService",
    "incentivefund.v1.ReconciliationService",
    "incentivefund.v1.AuditService",
    "incentivefund.v1.PrivacyService",
];

fn routes(app: &App, gate: &Gate, limits: &Limits, worker: Worker) -> Routes {
    let bytes = limits.max_message_bytes;
    let statistics = statistics::Statistics {
        app: app.clone(),
        gate: gate.clone(),
    };
    let formulas = formula::Formulas {
        app: app.clone(),
        gate: gate.clone(),
    };
    let allocations = allocation::Allocations {
        app: app.clone(),
        gate: gate.clone(),
    };
    let policies = policy::Policies {
        app: app.clone(),
        gate: gate.clone(),
    };
    let subsidies = subsidy::Subsidies {
        app: app.clone(),
        gate: gate.clone(),
    };
    let ledgers = ledger::Ledgers {
        app: app.clone(),
        gate: gate.clone(),
    };
    let disbursements = disbursement::Disbursements {
        app: app.clone(),
        gate: gate.clone(),
    };
    let simulations = simulation::Simulations {
        app: app.clone(),
        gate: gate.clone(),
    };
    let reconciliations = reconciliation::Reconciliations {
        app: app.clone(),
        gate: gate.clone(),
        worker,
    };
    let privacies = privacy::Privacies {
        app: app.clone(),
        gate: gate.clone(),
    };
    let audits = audit::Audits {
        app: app.clone(),
        gate: gate.clone(),
    };
    Routes::new(
        StatisticsServiceServer::new(statistics)
            .max_decoding_message_size(bytes)
            .max_encoding_message_size(usize::MAX),
    )
    .add_service(FormulaServiceServer::new(formulas).max_decoding_message_size(bytes))
    .add_service(AllocationServiceServer::new(allocations).max_decoding_message_size(bytes))
    .add_service(PolicyServiceServer::new(policies).max_decoding_message_size(bytes))
    .add_service(SubsidyServiceServer::new(subsidies).max_decoding_message_size(bytes))
    .add_service(LedgerServiceServer::new(ledgers).max_decoding_message_size(bytes))
    .add_service(PrivacyServiceServer::new(privacies).max_decoding_message_size(bytes))
    .add_service(AuditServiceServer::new(audits).max_decoding_message_size(bytes))
    .add_service(
        SimulationServiceServer::new(simulations)
            .max_decoding_message_size(bytes)
            .max_encoding_message_size(usize::MAX),
    )
    .add_service(
        ReconciliationServiceServer::new(reconciliations)
            .max_decoding_message_size(bytes)
            .max_encoding_message_size(usize::MAX),
    )
    .add_service(
        DisbursementServiceServer::new(disbursements)
            .max_decoding_message_size(bytes)
            .max_encoding_message_size(usize::MAX),
    )
}

/// A channel to the services in this process, over a pipe in memory.
pub fn in_process(app: &App, limits: &Limits) -> Channel {
    const PIPE_BYTES: usize = 1 << 16;
    let gate = Gate::new(limits.max_calls);
    let router = Server::builder()
        .layer(MapResponseLayer::new(with_details))
        .layer(Guard::new(Access::Open, None, None))
        // A worker begins with the first call that needs one.
        .add_routes(routes(app, &gate, limits, Worker::default()));
    let (client, server) = tokio::io::duplex(PIPE_BYTES);
    tokio::spawn(async move {
        let incoming = tokio_stream::once(Ok::<_, std::io::Error>(server));
        if let Err(error) = router.serve_with_incoming(incoming).await {
            tracing::error!(%error, "the services in this process ended");
        }
    });
    let mut client = Some(client);
    let connector = tower::service_fn(move |_| {
        let client = client.take();
        async move {
            let pipe =
                client.ok_or_else(|| std::io::Error::other("the services in this process have ended"))?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(pipe))
        }
    });
    Endpoint::from_static("http://in-process").connect_with_connector_lazy(connector)
}
