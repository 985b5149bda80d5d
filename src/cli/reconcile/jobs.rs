//! Jobs on the command line.

use super::super::client::{Client, request_id};
use super::super::fund::fund_name;
use super::super::output::{self, Failure, OutputArguments};
use super::{BREAKS, account_name, accounts, job_name, tables};
use crate::grpc::pb;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeSet;

#[derive(Debug, Args)]
pub(in crate::cli) struct RunArguments {
    /// Only this account, such as city or county-411024; may be repeated; default: all
    #[arg(long, value_name = "ACCOUNT")]
    account: Vec<String>,
    /// Only the accounts that pay what this fund has issued
    #[arg(long, value_name = "FUND", conflicts_with = "account")]
    fund: Option<String>,
    /// The day to reconcile to, YYYY-MM-DD; default: today
    #[arg(long, value_name = "DATE", default_value = "")]
    date: String,
    /// Stores nothing but the report
    #[arg(long)]
    dry_run: bool,
    /// Begins the jobs and does not wait for them
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// Jobs in one page of a list.
const PAGE: i32 = 1_000;

pub(super) async fn run(arguments: RunArguments, mut client: Client) -> Result<(), Failure> {
    let chosen = match &arguments.fund {
        Some(fund) => accounts_of(&mut client, fund).await?,
        None if arguments.account.is_empty() => {
            let all = accounts(&mut client).await?;
            all.into_iter().map(|account| account.name).collect()
        }
        None => arguments.account.iter().map(|id| account_name(id)).collect(),
    };
    if chosen.is_empty() {
        return Err(Failure::usage(
            "no account that pays is configured: add a [[payment.debtor]] / 未配置付款账户 [[payment.debtor]]",
        ));
    }
    let mut jobs = Vec::with_capacity(chosen.len());
    for account in chosen {
        let request = pb::CreateReconciliationRequest {
            account,
            date: arguments.date.clone(),
            dry_run: arguments.dry_run,
            request_id: request_id(),
            validate_only: false,
        };
        let response = client.reconciliations.create_reconciliation(request).await?;
        let job = response.into_inner().reconciliation.unwrap_or_default();
        jobs.push(if arguments.no_wait {
            job
        } else {
            watch(&mut client, &job.name).await?
        });
    }
    match jobs.as_slice() {
        [job] => arguments.output.write(&tables::job(job)?)?,
        jobs => arguments.output.write(&tables::jobs(jobs)?)?,
    }
    if arguments.no_wait {
        return Ok(());
    }
    outcome(&jobs)
}

/// Nothing where all is well, else why not, by the exit code.
pub(super) fn outcome(jobs: &[pb::Reconciliation]) -> Result<(), Failure> {
    let unfinished = jobs
        .iter()
        .find(|job| job.state() != pb::ReconciliationState::Finished);
    if let Some(job) = unfinished {
        let (en, zh) = tables::job_words(job.state);
        let why = if job.failure.is_empty() {
            String::new()
        } else {
            format!(": {}", job.failure)
        };
        return Err(Failure::failed(format!("{}: {en} / {zh}{why}", job.name)));
    }
    if jobs.iter().any(|job| job.open_breaks > 0) {
        return Err(Failure::silent(BREAKS));
    }
    Ok(())
}

/// The accounts that pay what a fund has issued.
async fn accounts_of(client: &mut Client, fund: &str) -> Result<Vec<String>, Failure> {
    let mut places: BTreeSet<(i32, String)> = BTreeSet::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListBalancesRequest {
            fund: fund_name(fund),
            page_size: PAGE,
            page_token,
            ..Default::default()
        };
        let page = client.ledger.list_balances(request).await?.into_inner();
        let found = page.balances.into_iter().filter_map(|balance| balance.account);
        places.extend(
            found
                .filter(|account| !account.region.is_empty())
                .map(|account| (account.payer, account.region)),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let all = accounts(client).await?;
    let mut chosen = Vec::new();
    for (payer, region) in places {
        let of = |wanted: &str| {
            all.iter()
                .find(|account| account.payer == payer && account.region == wanted)
        };
        match of(&region).or_else(|| of("")) {
            Some(account) if !chosen.contains(&account.name) => chosen.push(account.name.clone()),
            Some(_) => {}
            // It pays under the id of another account with the same number: all are asked.
            None => return Ok(all.into_iter().map(|account| account.name).collect()),
        }
    }
    Ok(chosen)
}

/// Waits for a job, and shows on a terminal how far it is.
pub(super) async fn watch(client: &mut Client, name: &str) -> Result<pb::Reconciliation, Failure> {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}") {
        bar.set_style(style);
    }
    let request = pb::WatchReconciliationRequest {
        name: name.to_owned(),
    };
    let mut stream = client
        .reconciliations
        .watch_reconciliation(request)
        .await?
        .into_inner();
    let mut last = pb::Reconciliation::default();
    while let Some(message) = stream.message().await? {
        last = message.reconciliation.unwrap_or_default();
        bar.set_length(last.total);
        bar.set_position(last.done);
        bar.set_message(last.step.clone());
    }
    bar.finish_and_clear();
    Ok(last)
}

pub(super) async fn list(
    client: &mut Client,
    account: Option<&str>,
) -> Result<Vec<pb::Reconciliation>, Failure> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListReconciliationsRequest {
            account: account.map(account_name).unwrap_or_default(),
            page_size: PAGE,
            page_token,
        };
        let page = client
            .reconciliations
            .list_reconciliations(request)
            .await?
            .into_inner();
        found.extend(page.reconciliations);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

pub(super) async fn cancel(mut client: Client, job: u64) -> Result<(), Failure> {
    let request = pb::CancelReconciliationRequest {
        name: job_name(job),
        request_id: request_id(),
        validate_only: false,
    };
    let response = client.reconciliations.cancel_reconciliation(request).await?;
    let job = response.into_inner().reconciliation.unwrap_or_default();
    let (en, zh) = tables::job_words(job.state);
    output::text(&format!("{}: {en} / {zh}\n", job.name))
}
