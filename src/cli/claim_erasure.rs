//! `claim request-erasure`, `claim erase`, `claim erasures`: amounts stay, the person goes.

use super::client::{Client, request_id};
use super::fund::fund_name;
use super::output::{Failure, OutputArguments};
use crate::grpc::pb;
use crate::report::{Cell, Column, Table};
use clap::Args;

const PAGE: i32 = 1_000;

#[derive(Debug, Args)]
pub(super) struct RequestArguments {
    /// Id of the fund
    fund: String,
    /// Number of a claim; may be repeated
    #[arg(long, value_name = "NUMBER", required_unless_present = "expired")]
    claim: Vec<u64>,
    /// All claims that ended longer ago than persons are kept
    #[arg(long, conflicts_with = "claim")]
    expired: bool,
    /// Why; nothing personal
    #[arg(long)]
    reason: String,
    /// Checks everything and changes nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(super) struct EraseArguments {
    /// Id of the fund
    fund: String,
    /// Number of a claim; may be repeated
    #[arg(long, value_name = "NUMBER", required_unless_present = "all")]
    claim: Vec<u64>,
    /// All that were asked for
    #[arg(long, conflicts_with = "claim")]
    all: bool,
    /// Checks everything and changes nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Id of the fund
    fund: String,
    /// Only those that nobody has carried out yet
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    output: OutputArguments,
}

fn names(fund: &str, numbers: &[u64]) -> Vec<String> {
    let name = |number| format!("{}/claims/{number}", fund_name(fund));
    numbers.iter().map(name).collect()
}

pub(super) async fn request(arguments: RequestArguments, mut client: Client) -> Result<(), Failure> {
    let request = pb::RequestErasureRequest {
        parent: fund_name(&arguments.fund),
        claims: names(&arguments.fund, &arguments.claim),
        expired: arguments.expired,
        reason: arguments.reason,
        request_id: request_id(),
        validate_only: arguments.dry_run,
    };
    let answer = client.privacy.request_erasure(request).await?.into_inner();
    arguments.output.write(&table(&answer.erasures))
}

pub(super) async fn erase(arguments: EraseArguments, mut client: Client) -> Result<(), Failure> {
    let request = pb::EraseClaimantsRequest {
        parent: fund_name(&arguments.fund),
        claims: names(&arguments.fund, &arguments.claim),
        all: arguments.all,
        request_id: request_id(),
        validate_only: arguments.dry_run,
    };
    let answer = client.privacy.erase_claimants(request).await?.into_inner();
    arguments.output.write(&table(&answer.erasures))
}

pub(super) async fn list(arguments: ListArguments, mut client: Client) -> Result<(), Failure> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListErasuresRequest {
            parent: fund_name(&arguments.fund),
            open: arguments.open,
            page_size: PAGE,
            page_token,
        };
        let page = client.privacy.list_erasures(request).await?.into_inner();
        found.extend(page.erasures);
        if page.next_page_token.is_empty() {
            return arguments.output.write(&table(&found));
        }
        page_token = page.next_page_token;
    }
}

fn table(erasures: &[pb::Erasure]) -> Table {
    let text = |text: &str| Cell::Text(text.to_owned());
    let row = |erasure: &pb::Erasure| {
        let requested = erasure.requested.clone().unwrap_or_default();
        let erased = erasure.erased.clone().unwrap_or_default();
        vec![
            text(&erasure.claim),
            text(&erasure.reason),
            text(&requested.principal),
            text(&requested.time),
            text(&erased.principal),
            text(&erased.time),
        ]
    };
    Table {
        title: "个人信息删除 Erasures".to_owned(),
        unit: String::new(),
        notes: Vec::new(),
        columns: vec![
            Column::new("claim", "申请 Claim"),
            Column::new("reason", "原因 Reason"),
            Column::new("requested_by", "申请人 Asked for by"),
            Column::new("requested_at", "申请时间 At"),
            Column::new("erased_by", "执行人 Erased by"),
            Column::new("erased_at", "执行时间 At"),
        ],
        rows: erasures.iter().map(row).collect(),
        totals: false,
    }
}
