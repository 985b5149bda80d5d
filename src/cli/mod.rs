//! The command line: one file a command, all over the gRPC services, on a server or in this process.

mod allocate;
mod assess;
mod audit;
mod batch;
mod batch_tables;
mod claim;
mod claim_change;
mod claim_erasure;
mod claim_file;
mod claim_import;
mod claim_tables;
mod client;
mod connecting;
mod explain;
mod files;
mod formula;
mod fund;
mod fund_tables;
mod import;
mod keys;
mod open_files;
mod output;
mod policy;
mod reconcile;
mod runs;
mod serve;
mod simulate;
mod statement;
mod statement_file;
mod tables;
mod token;

use crate::config::Config;
use crate::domain::error::Error;
use clap::{Parser, Subcommand};
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
    /// Uses a server, such as https://fund.example:50051, rather than the database
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// Who acts, without a server or on an insecure one; default: cli.principal, else the user of the operating
    /// system. With a token or a certificate, that says who acts
    #[arg(long = "as", global = true, value_name = "NAME")]
    principal: Option<String>,
    /// File with the bearer token for --server; default: cli.token_file, else $INCENTIVE_FUND_TOKEN
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Authorities (PEM) of the server; default: cli.ca_file, else those of the web
    #[arg(long, global = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Client certificate (PEM) for --server; default: cli.certificate_file
    #[arg(long, global = true, value_name = "FILE")]
    certificate_file: Option<PathBuf>,
    /// Private key (PEM) of the client certificate; default: cli.key_file
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Longest wait for the beginning of an answer; default: cli.deadline_seconds
    #[arg(long, global = true, value_name = "SECONDS")]
    deadline: Option<u64>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves gRPC until SIGTERM or SIGINT
    Serve {
        /// Authenticates nobody: callers are believed their names, and may do everything; loopback addresses only
        #[arg(long)]
        insecure: bool,
    },
    /// Issues, lists and revokes access tokens, in the database
    Token {
        #[command(subcommand)]
        command: token::TokenCommand,
    },
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
    /// Lists, verifies, signs and exports the audit log
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
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
pub fn run() -> ExitCode {
    run_from(std::env::args_os())
}

/// The same with other arguments than the process's, the first of which is the program's name.
///
/// No future is given out: a program that awaited it would be compiled with everything that it does.
pub fn run_from(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let arguments = Arguments::parse_from(arguments);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(defect) => return Failure::from(Error::internal(defect)).report(),
    };
    match runtime.block_on(dispatch(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let mut overrides = arguments.set;
    overrides.extend(arguments.database.map(|url| format!("database.url={url}")));
    let paths = [
        ("token_file", arguments.token_file),
        ("ca_file", arguments.ca_file),
        ("certificate_file", arguments.certificate_file),
        ("key_file", arguments.key_file),
    ];
    for (key, path) in paths {
        overrides.extend(path.map(|path| format!("cli.{key}={}", path.display())));
    }
    overrides.extend(
        arguments
            .deadline
            .map(|seconds| format!("cli.deadline_seconds={seconds}")),
    );
    if let Command::Serve { insecure: true } = arguments.command {
        overrides.push("server.insecure=true".to_owned());
    }
    let config = Config::load(arguments.config.as_deref(), &overrides)?;
    let serves = matches!(arguments.command, Command::Serve { .. });
    let filter = if serves {
        &config.log.filter
    } else {
        &config.cli.log_filter
    };
    crate::telemetry::start(config.log.format, filter)?;
    let connect = || {
        connecting::connect(
            &config,
            arguments.server.as_deref(),
            arguments.principal.as_deref(),
        )
    };
    match arguments.command {
        Command::Serve { .. } => serve::serve(&config).await,
        Command::Token { command } => token::run(command, &config, arguments.principal.as_deref()).await,
        Command::Migrate { dry_run } => serve::migrate(&config, dry_run).await,
        Command::Config {
            command: ConfigCommand::Check,
        } => output::text(&config.to_masked_toml()?),
        Command::Keys { command } => keys::run(command, &config, arguments.principal.as_deref()).await,
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
        Command::Audit { command } => audit::run(command, connect().await?).await,
        Command::Simulate { command } => simulate::run(*command, connect().await?).await,
    }
}
