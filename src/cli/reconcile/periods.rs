//! Balances, reports and months on the command line.

use super::super::client::{Client, request_id};
use super::super::output::{self, Failure, OutputArguments};
use super::{account_name, accounts, breaks, part_name, report_tables, tables};
use crate::grpc::pb;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(in crate::cli) struct ReportArguments {
    /// The account, such as city or county-411024
    account: String,
    /// The day, YYYY-MM-DD; default: the last that a statement reaches to
    #[arg(long, value_name = "DATE", default_value = "")]
    date: String,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CloseArguments {
    /// ACCOUNT/YYYY-MM
    name: String,
    /// Refuses unless the month still has this etag
    #[arg(long, default_value = "")]
    etag: String,
    /// Checks only
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PeriodCommand {
    /// Shows a month: its balances, and what stands in the way of its close
    Show {
        /// ACCOUNT/YYYY-MM
        name: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Lists the months of an account that were prepared or closed
    List {
        /// The account
        account: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Prepares the close of a month
    Prepare(CloseArguments),
    /// Signs a month that another person prepared; nothing in it changes from then on
    Sign(CloseArguments),
}

/// The balances of an account, and the account.
pub(super) async fn balance(
    client: &mut Client,
    account: &str,
    date: &str,
) -> Result<(pb::BalanceReconciliation, Option<pb::BankAccount>), Failure> {
    let request = pb::GetBalanceReconciliationRequest {
        account: account_name(account),
        date: date.to_owned(),
    };
    let response = client.reconciliations.get_balance_reconciliation(request).await?;
    let found = response.into_inner().reconciliation.unwrap_or_default();
    let mut accounts = accounts(client).await?.into_iter();
    let account = accounts.find(|account| account.name == found.account);
    Ok((found, account))
}

pub(super) async fn report(arguments: ReportArguments, mut client: Client) -> Result<(), Failure> {
    let account = account_name(&arguments.account);
    let (balance, of) = balance(&mut client, &account, &arguments.date).await?;
    let request = pb::GetAgeingRequest {
        account: account.clone(),
        date: balance.date.clone(),
        bands: Vec::new(),
    };
    let cells = client
        .reconciliations
        .get_ageing(request)
        .await?
        .into_inner()
        .cells;
    let request = pb::ListBreaksRequest {
        account: account.clone(),
        ..Default::default()
    };
    let mut open = breaks::all(&mut client, request).await?;
    open.retain(|found| found.state() != pb::BreakState::Resolved);
    arguments.output.write_all(&[
        report_tables::balance(&balance, of.as_ref())?,
        report_tables::ageing(&account, &balance.date, &cells)?,
        report_tables::open_breaks(&account, &open)?,
    ])
}

pub(super) async fn run(command: PeriodCommand, mut client: Client) -> Result<(), Failure> {
    match command {
        PeriodCommand::Show { name, output } => {
            let request = pb::GetPeriodRequest {
                name: part_name(&name, "periods"),
            };
            let found = client.reconciliations.get_period(request).await?.into_inner();
            output.write(&tables::period(&found)?)
        }
        PeriodCommand::List { account, output } => {
            let mut found = Vec::new();
            let mut page_token = String::new();
            loop {
                let request = pb::ListPeriodsRequest {
                    account: account_name(&account),
                    page_size: 1_000,
                    page_token,
                };
                let page = client.reconciliations.list_periods(request).await?.into_inner();
                found.extend(page.periods);
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            output.write(&tables::periods(&account_name(&account), &found)?)
        }
        PeriodCommand::Prepare(close) => {
            let request = pb::PreparePeriodRequest {
                name: part_name(&close.name, "periods"),
                etag: close.etag,
                request_id: request_id(),
                validate_only: close.dry_run,
            };
            let response = client.reconciliations.prepare_period(request).await?;
            changed(response.into_inner().period, close.dry_run)
        }
        PeriodCommand::Sign(close) => {
            let request = pb::SignPeriodRequest {
                name: part_name(&close.name, "periods"),
                etag: close.etag,
                request_id: request_id(),
                validate_only: close.dry_run,
            };
            let response = client.reconciliations.sign_period(request).await?;
            changed(response.into_inner().period, close.dry_run)
        }
    }
}

fn changed(period: Option<pb::Period>, dry_run: bool) -> Result<(), Failure> {
    let period = period.unwrap_or_default();
    let (en, zh) = tables::period_words(period.state);
    let dry = if dry_run {
        " (dry run, nothing changed / 试运行,未更改)"
    } else {
        ""
    };
    let balance = period.balance.unwrap_or_default();
    output::text(&format!(
        "{}: {en} / {zh}, adjusted balance / 调节后余额 {} = {} yuan / 元{dry}, etag {}\n",
        period.name, balance.adjusted_book, balance.adjusted_bank, period.etag
    ))
}
