//! The command line: one file a command, all over the gRPC services, on a server or in this process.

mod allocate;
mod assess;
mod batch;
mod batch_tables;
mod claim;
mod claim_change;
mod claim_file;
mod claim_import;
mod claim_tables;
mod client;
mod explain;
mod files;
mod formula;
mod fund;
mod fund_tables;
mod import;
mod keys;
mod output;
mod policy;
mod reconcile;
mod runs;
mod serve;
mod simulate;
mod statement;
mod statement_file;
mod tables;

use crate::config::Config;
use crate::domain::error::{Error, Violation};
use clap::{Parser, Subcommand};
use client::Client;
use output::Failure;
use std::path::PathBuf;
use std::process::ExitCode;

/// Allocates a citizenization incentive fund (农业转移人口市民化奖补资金): exact, explainable.
#[derive(Debug, Parser)]
#[command(name = "incentive-fund", version, max_term_width = 100)]
struct Arguments {
    /// Configuration file, over the built-in defaults
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets a key of the configuration, such as log.format=json; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Database, such as sqlite://fund.db?mode=rwc; a URL with a password belongs in the environment or in a file
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// Uses a server, such as http://127.0.0.1:50051, rather than the database
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// Who acts; default: cli.principal, else the user of the operating system
    #[arg(long = "as", global = true, value_name = "NAME")]
    principal: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves gRPC until SIGTERM or SIGINT
    Serve,
    /// Brings the schema of the database up to date
    Migrate {
        /// Only lists the steps that would be taken
        #[arg(long)]
        dry_run: bool,
    },
    /// Looks at the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Makes and changes the keys for personal data
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    /// Imports regions, indicators or observations from CSV or XLSX
    Import {
        #[command(subcommand)]
        command: import::ImportCommand,
    },
    /// Checks, stores and shows formulas
    Formula {
        #[command(subcommand)]
        command: formula::FormulaCommand,
    },
    /// Checks, stores and shows subsidy policies, programmes and the law's deed-tax rates
    Policy {
        #[command(subcommand)]
        command: policy::PolicyCommand,
    },
    /// Assesses claims, hands them in, decides on them, shows them
    Claim {
        #[command(subcommand)]
        command: Box<claim::ClaimCommand>,
    },
    /// Computes an allocation, prints it, and keeps it as a draft
    Allocate(Box<allocate::AllocateArguments>),
    /// Explains the amounts of an allocation
    Explain(explain::ExplainArguments),
    /// Lists, shows, compares, approves, issues and supersedes allocations
    Runs {
        #[command(subcommand)]
        command: runs::RunsCommand,
    },
    /// Receives, contributes and assigns money; shows, verifies and exports the ledger of a fund
    Fund {
        #[command(subcommand)]
        command: Box<fund::FundCommand>,
    },
    /// Collects, releases and exports payment batches, and takes what banks answer
    Batch {
        #[command(subcommand)]
        command: batch::BatchCommand,
    },
    /// Looks at what banks say of an account, as camt.053, MT940, CSV or XLSX, and imports it
    Statement {
        #[command(subcommand)]
        command: Box<statement::StatementCommand>,
    },
    /// Reconciles accounts with bank statements, works on what does not match, closes months
    Reconcile {
        #[command(subcommand)]
        command: Box<reconcile::ReconcileCommand>,
    },
    /// Simulates: compares scenarios, sweeps, samples, seeks goals, and keeps what was found
    Simulate {
        #[command(subcommand)]
        command: Box<simulate::SimulateCommand>,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Checks the configuration and prints it, with passwords masked
    Check,
}

/// Runs the command line of this process.
pub async fn run() -> ExitCode {
    match dispatch(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let mut overrides = arguments.set;
    overrides.extend(arguments.database.map(|url| format!("database.url={url}")));
    let config = Config::load(arguments.config.as_deref(), &overrides)?;
    let serves = matches!(arguments.command, Command::Serve);
    let filter = if serves {
        &config.log.filter
    } else {
        &config.cli.log_filter
    };
    crate::telemetry::start(config.log.format, filter)?;
    let connect = || {
        connect(
            &config,
            arguments.server.as_deref(),
            arguments.principal.as_deref(),
        )
    };
    match arguments.command {
        Command::Serve => serve::serve(&config).await,
        Command::Migrate { dry_run } => serve::migrate(&config, dry_run).await,
        Command::Config {
            command: ConfigCommand::Check,
        } => output::text(&config.to_masked_toml()?),
        Command::Keys { command } => keys::run(command, &config).await,
        Command::Import { command } => import::run(command, connect().await?).await,
        Command::Formula { command } => formula::run(command, connect().await?).await,
        Command::Policy { command } => policy::run(command, connect().await?).await,
        Command::Claim { command } => claim::run(*command, connect().await?).await,
        Command::Allocate(arguments) => allocate::run(*arguments, connect().await?).await,
        Command::Explain(arguments) => explain::run(arguments, connect().await?).await,
        Command::Runs { command } => runs::run(command, connect().await?).await,
        Command::Fund { command } => fund::run(*command, connect().await?).await,
        Command::Batch { command } => batch::run(command, connect().await?).await,
        Command::Statement { command } => statement::run(*command, &config, connect).await,
        Command::Reconcile { command } => reconcile::run(*command, connect().await?).await,
        Command::Simulate { command } => simulate::run(*command, connect().await?).await,
    }
}

async fn connect(config: &Config, server: Option<&str>, principal: Option<&str>) -> Result<Client, Failure> {
    let named = principal
        .map(str::to_owned)
        .or_else(|| Some(config.cli.principal.clone()).filter(|name| !name.is_empty()));
    let user = || {
        ["USER", "USERNAME", "LOGNAME"]
            .iter()
            .find_map(|name| std::env::var(name).ok())
    };
    let principal = named.or_else(user).unwrap_or_else(|| "local".to_owned());
    let principal = crate::domain::identity::Principal::parse(&principal).map_err(Error::from)?;
    match server {
        Some(url) => {
            let refused = |error: tonic::transport::Error| {
                Error::from(Violation::new(
                    "--server",
                    format!("{url}: {error}"),
                    "http://HOST:PORT",
                    "http://主机:端口",
                ))
            };
            let endpoint = tonic::transport::Endpoint::from_shared(url.to_owned()).map_err(refused)?;
            let channel = endpoint
                .connect()
                .await
                .map_err(|error| Failure::unreachable(url, &error))?;
            Ok(Client::new(channel, &principal))
        }
        None => {
            let app = serve::open(config).await?;
            Ok(Client::new(
                crate::grpc::server::in_process(&app, &config.limits()),
                &principal,
            ))
        }
    }
}
