//! `serve` and `migrate`.

use super::open_files;
use super::output::{self, Failure};
use crate::app::App;
use crate::config::{Config, mask_password};
use crate::domain::error::{Bilingual, Error};
use crate::store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Opens the database, and brings its schema up to date where the configuration says so.
pub(super) async fn open(config: &Config) -> Result<App, Failure> {
    let store = Store::connect(&config.store_options()).await?;
    if config.database.migrate {
        let applied = store.migrate().await?;
        if applied > 0 {
            tracing::info!(applied, "schema brought up to date");
        }
    } else {
        let pending = store.pending().await?;
        if !pending.is_empty() {
            return Err(Error::State {
                name: mask_password(&config.database.url),
                reason: "SCHEMA_BEHIND",
                message: Bilingual::new(
                    format!(
                        "the schema is behind by {} step(s): run `incentive-fund migrate`",
                        pending.len()
                    ),
                    format!(
                        "数据库结构落后 {} 步,请运行 incentive-fund migrate",
                        pending.len()
                    ),
                ),
            }
            .into());
        }
    }
    let app = App::new(store)
        .with_debtors(config.payment.debtors()?)
        .with_audit_keys(config.audit.keys()?)
        .with_retention_years(config.privacy.retention_years)
        .with_simulation_options(config.simulation.options())
        .with_reconciliation_options(config.reconciliation.options());
    Ok(match config.privacy.vault()? {
        Some(vault) => app.with_vault(vault),
        None => app,
    })
}

/// Serves until told to stop.
pub(super) async fn serve(config: &Config) -> Result<(), Failure> {
    // Before the database opens files of its own.
    open_files::allow(config);
    let app = open(config).await?;
    // Before anybody can learn that the server is there, and ask it to stop.
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    let address = config.server.address;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::usage(format!("server.address {address}: {error} / 无法监听该地址")))?;
    let bound = listener.local_addr().map_err(Error::internal)?;
    let door = config.door(app.store()).await?;
    if config.server.insecure {
        tracing::warn!("insecure: whoever can connect may do everything, under any name");
    }
    tracing::info!(address = %bound, tls = door.tls.is_some(), database = mask_password(&config.database.url), "serving");
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: no new calls, those that run are finished");
    };
    let store = app.store().clone();
    let forgetting = tokio::spawn(forget_requests(
        app.clone(),
        config.database.request_retention_days,
    ));
    let checkpoints = tokio::spawn(keep_checkpoints(app.clone(), config.audit.checkpoint_minutes));
    crate::grpc::server::serve(app.clone(), listener, door, config.limits(), stop).await?;
    forgetting.abort();
    checkpoints.abort();
    if config.audit.checkpoint_minutes > 0 {
        checkpoint(&app).await;
    }
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Once a day, forgets the requests that are older than they are kept.
async fn forget_requests(app: App, days: u32) {
    const A_DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
    loop {
        match app.forget_requests(days).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, days, "requests forgotten"),
            Err(error) => tracing::warn!(%error, "requests could not be forgotten"),
        }
        tokio::time::sleep(A_DAY).await;
    }
}

/// Chains what an earlier run left to be chained, and makes checkpoints from time to time.
async fn keep_checkpoints(app: App, minutes: u32) {
    if let Err(error) = app.seal_audit_log().await {
        tracing::warn!(%error, "records of the audit log could not be chained");
    }
    if minutes == 0 {
        return;
    }
    let pause = std::time::Duration::from_secs(u64::from(minutes) * 60);
    loop {
        tokio::time::sleep(pause).await;
        checkpoint(&app).await;
    }
}

async fn checkpoint(app: &App) {
    match app.periodic_checkpoint().await {
        Ok(None) => {}
        Ok(Some(made)) => {
            tracing::info!(number = made.number, digest = %made.digest, "checkpoint of the audit log");
        }
        Err(error) => tracing::warn!(%error, "no checkpoint of the audit log could be made"),
    }
}

/// Applies pending steps, or lists them.
pub(super) async fn migrate(config: &Config, dry_run: bool) -> Result<(), Failure> {
    let store = Store::connect(&config.store_options()).await?;
    let pending = store.pending().await?;
    let lines: String = pending.iter().map(|name| format!("{name}\n")).collect();
    if dry_run {
        return output::text(&format!("{} pending step(s)\n{lines}", pending.len()));
    }
    let applied = store.migrate().await?;
    store.close().await;
    output::text(&format!("{applied} step(s) applied\n{lines}"))
}
