//! What is asked of a ledger: balances, entries, verification, journal and changes.

use super::{BalancesArguments, EntriesArguments, fund_name, in_collection};
use crate::cli::client::Client;
use crate::cli::fund_tables;
use crate::cli::output::{self, Failure, OutputArguments};
use crate::grpc::pb;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

pub(super) async fn funds(client: &mut Client) -> Result<Vec<pb::Fund>, Failure> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListFundsRequest {
            page_size: 1_000,
            page_token,
        };
        let response = client.ledger.list_funds(request).await?.into_inner();
        found.extend(response.funds);
        if response.next_page_token.is_empty() {
            return Ok(found);
        }
        page_token = response.next_page_token;
    }
}

pub(super) async fn balances(arguments: BalancesArguments, mut client: Client) -> Result<(), Failure> {
    if arguments.at_entry == Some(0) {
        return Err(Failure::usage(
            "--at-entry: entries are counted from 1 / 分录编号从 1 开始",
        ));
    }
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListBalancesRequest {
            fund: fund_name(&arguments.fund),
            as_of_entry: arguments.at_entry.unwrap_or(0),
            as_of_time: arguments.at.clone().unwrap_or_default(),
            payer: arguments.payer.map_or(0, |payer| pb::Payer::from(payer).into()),
            region: in_collection("regions", arguments.region.as_ref()),
            programme: in_collection("programmes", arguments.programme.as_ref()),
            bucket: 0,
            page_size: 1_000,
            page_token,
        };
        let response = client.ledger.list_balances(request).await?.into_inner();
        found.extend(response.balances);
        if response.next_page_token.is_empty() {
            let table = fund_tables::balances(&arguments.fund, response.entry, &found)?;
            return arguments.output.write(&table);
        }
        page_token = response.next_page_token;
    }
}

pub(super) async fn entries(arguments: EntriesArguments, mut client: Client) -> Result<(), Failure> {
    let account = arguments.account.as_deref().map(account).transpose()?;
    let event = arguments.event.as_deref().map(event).transpose()?;
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListEntriesRequest {
            fund: fund_name(&arguments.fund),
            account: account.clone(),
            event: event.unwrap_or(0),
            subject: arguments.subject.clone(),
            from_time: arguments.from.clone(),
            until_time: arguments.until.clone(),
            page_size: 1_000,
            page_token,
        };
        let response = client.ledger.list_entries(request).await?.into_inner();
        found.extend(response.entries);
        if response.next_page_token.is_empty() {
            let table = fund_tables::entries(&arguments.fund, &found, Vec::new())?;
            return arguments.output.write(&table);
        }
        page_token = response.next_page_token;
    }
}

fn account(text: &str) -> Result<pb::Account, Failure> {
    let account = crate::domain::ledger::Account::from_stored(text).map_err(|_| {
        Failure::usage(format!(
            "--account {text}: payer/region/programme/bucket, - for none, such as city/411081/-/quota \
             / 格式为 资金/地区/项目/状态,没有的用 -"
        ))
    })?;
    Ok(crate::grpc::convert::ledger::from_account(&account))
}

fn event(text: &str) -> Result<i32, Failure> {
    // Refused with the list of events where it is none.
    let event =
        crate::domain::ledger::Event::parse("--event", text).map_err(crate::domain::error::Error::from)?;
    let name = format!("LEDGER_EVENT_{}", event.code().to_uppercase());
    Ok(pb::LedgerEvent::from_str_name(&name).map_or(0, Into::into))
}

pub(super) async fn verify(
    fund: &str,
    max_findings: i32,
    output: &OutputArguments,
    mut client: Client,
) -> Result<(), Failure> {
    let request = pb::VerifyLedgerRequest {
        fund: fund_name(fund),
        max_findings,
    };
    let mut answers = client.ledger.verify_ledger(request).await?.into_inner();
    // Drawn on a terminal only.
    let bar = ProgressBar::new(0).with_style(style());
    let mut last = None;
    while let Some(answer) = answers.message().await? {
        bar.set_length(answer.entries_total);
        bar.set_position(answer.entries_read);
        last = answer.verification.map(|found| (found, answer.entries_read));
    }
    bar.finish_and_clear();
    let Some((verification, entries)) = last else {
        return Err(Failure::failed(
            "the verification ended without a result / 核验未得出结果".to_owned(),
        ));
    };
    output.write(&fund_tables::findings(fund, &verification, entries))?;
    if verification.finding_count == 0 {
        return Ok(());
    }
    let count = verification.finding_count;
    Err(Failure::failed(format!(
        "the ledger of {fund} is not as it was posted: {count} difference(s) / {fund} 的账簿与记账时不符:{count} 处差异"
    )))
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {pos}/{len} entries / 笔分录 {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

pub(super) async fn journal(fund: &str, output: Option<PathBuf>, mut client: Client) -> Result<(), Failure> {
    let request = pb::ExportJournalRequest {
        fund: fund_name(fund),
    };
    let mut parts = client.ledger.export_journal(request).await?.into_inner();
    let mut exported = output::Export::to(output)?;
    while let Some(part) = parts.message().await? {
        exported.text(&part.text)?;
    }
    exported.finish()
}

pub(super) async fn watch(fund: &str, after: u64, no_wait: bool, mut client: Client) -> Result<(), Failure> {
    let name = fund_name(fund);
    let newest = if no_wait {
        let request = pb::GetFundStatusRequest { name: name.clone() };
        let status = client.ledger.get_fund_status(request).await?.into_inner();
        Some(status.fund.unwrap_or_default().changes)
    } else {
        None
    };
    if newest.is_some_and(|newest| after >= newest) {
        return Ok(());
    }
    let request = pb::WatchChangesRequest { fund: name, after };
    let mut answers = client.ledger.watch_changes(request).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        for change in &answer.changes {
            if newest.is_some_and(|newest| change.number > newest) {
                return Ok(());
            }
            output::text(&line(change)?)?;
            if newest == Some(change.number) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A change as a line of JSON.
fn line(change: &pb::Change) -> Result<String, Failure> {
    let made = change.made.clone().unwrap_or_default();
    let value = serde_json::json!({
        "number": change.number,
        "time": made.time,
        "by": made.principal,
        "kind": change.kind,
        "resource": change.resource,
        "state": change.state,
        "amount": change.amount,
        "note": change.note,
    });
    let text = serde_json::to_string(&value).map_err(crate::domain::error::Error::internal)?;
    Ok(format!("{text}\n"))
}
