//! `reconcile`: jobs, what is left of them, and the close of months.

mod breaks;
mod jobs;
mod periods;
mod report_tables;
pub(super) mod tables;

use super::client::Client;
use super::output::{Failure, OutputArguments};
use crate::grpc::pb;
use clap::Subcommand;

/// Exit code of what ended well and left something to look at.
const BREAKS: u8 = 3;

#[derive(Debug, Subcommand)]
pub(super) enum ReconcileCommand {
    /// Lists the accounts that pay
    Accounts {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Reconciles accounts with their statements, and waits for it
    ///
    /// Exit codes: 0 nothing is left to look at, 3 breaks are open, 1 it failed or was cancelled, 2 wrong use.
    Run(jobs::RunArguments),
    /// Lists jobs, newest first
    List {
        /// Only of this account
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Shows a job: what matched, by which rule, and what is left
    Show {
        /// Number of the job
        job: u64,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Waits for a job, as `run` does
    Watch {
        /// Number of the job
        job: u64,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Cancels a job that has not ended
    Cancel {
        /// Number of the job
        job: u64,
    },
    /// Lists breaks
    Breaks(breaks::ListArguments),
    /// Works on breaks
    Break {
        #[command(subcommand)]
        command: breaks::BreakCommand,
    },
    /// Counts the open breaks by class and age
    Ageing(breaks::AgeingArguments),
    /// Ties the balance of the books to the balance at the bank (银行存款余额调节表)
    Balance {
        /// The account, such as city or county-411024
        account: String,
        /// The day, YYYY-MM-DD; default: the last that a statement reaches to
        #[arg(long, value_name = "DATE", default_value = "")]
        date: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Balances, open breaks and their age in one file
    Report(periods::ReportArguments),
    /// Prepares, signs and shows months
    Period {
        #[command(subcommand)]
        command: periods::PeriodCommand,
    },
}

pub(super) async fn run(command: ReconcileCommand, mut client: Client) -> Result<(), Failure> {
    match command {
        ReconcileCommand::Accounts { output } => {
            let accounts = accounts(&mut client).await?;
            output.write(&tables::accounts(&accounts))
        }
        ReconcileCommand::Run(arguments) => jobs::run(arguments, client).await,
        ReconcileCommand::List { account, output } => {
            let found = jobs::list(&mut client, account.as_deref()).await?;
            output.write(&tables::jobs(&found)?)
        }
        ReconcileCommand::Show { job, output } => {
            let request = pb::GetReconciliationRequest { name: job_name(job) };
            let found = client.reconciliations.get_reconciliation(request).await?;
            let found = found.into_inner().reconciliation.unwrap_or_default();
            output.write(&tables::job(&found)?)
        }
        ReconcileCommand::Watch { job, output } => {
            let found = jobs::watch(&mut client, &job_name(job)).await?;
            output.write(&tables::job(&found)?)?;
            jobs::outcome(&[found])
        }
        ReconcileCommand::Cancel { job } => jobs::cancel(client, job).await,
        ReconcileCommand::Breaks(arguments) => breaks::list(arguments, client).await,
        ReconcileCommand::Break { command } => breaks::run(command, client).await,
        ReconcileCommand::Ageing(arguments) => breaks::ageing(arguments, client).await,
        ReconcileCommand::Balance {
            account,
            date,
            output,
        } => {
            let (found, account) = periods::balance(&mut client, &account, &date).await?;
            output.write(&report_tables::balance(&found, account.as_ref())?)
        }
        ReconcileCommand::Report(arguments) => periods::report(arguments, client).await,
        ReconcileCommand::Period { command } => periods::run(command, client).await,
    }
}

/// The accounts that pay.
async fn accounts(client: &mut Client) -> Result<Vec<pb::BankAccount>, Failure> {
    let response = client
        .reconciliations
        .list_bank_accounts(pb::ListBankAccountsRequest {})
        .await?;
    Ok(response.into_inner().accounts)
}

/// `bankAccounts/ID` from what a person types.
pub(super) fn account_name(id: &str) -> String {
    if id.starts_with("bankAccounts/") {
        id.to_owned()
    } else {
        format!("bankAccounts/{id}")
    }
}

/// `bankAccounts/ACCOUNT/{collection}/TAIL` from `ACCOUNT/TAIL`.
pub(super) fn part_name(name: &str, collection: &str) -> String {
    match name.split_once('/') {
        Some((account, tail)) if !name.starts_with("bankAccounts/") => {
            format!("bankAccounts/{account}/{collection}/{tail}")
        }
        _ => name.to_owned(),
    }
}

fn job_name(number: u64) -> String {
    format!("reconciliations/{number}")
}
