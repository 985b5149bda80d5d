//! `claim approve|reject|withdraw|cancel`: one claim, many by name, or all that a filter lets through.

use super::claim::{ResultArguments, claim_name, in_collection, list};
use super::claim_tables;
use super::client::{Client, request_id};
use super::files;
use super::fund::fund_name;
use super::output::Failure;
use crate::grpc::pb;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct ChangeArguments {
    /// FUND/NUMBER, one or more
    claims: Vec<String>,
    /// File with FUND/NUMBER on each line
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// All claims of this fund in the state that --state names
    #[arg(long, value_name = "FUND", requires = "state", conflicts_with_all = ["claims", "list"])]
    all: Option<String>,
    /// With --all: only in this state
    #[arg(long, value_name = "STATE", requires = "all")]
    state: Option<String>,
    /// With --all: only of this region
    #[arg(long, value_name = "CODE", requires = "all")]
    region: Option<String>,
    /// With --all: only of this programme
    #[arg(long, value_name = "CODE", requires = "all")]
    programme: Option<String>,
    /// Refuses unless the claim, which must be one, still has this etag
    #[arg(long, default_value = "")]
    etag: String,
    #[command(flatten)]
    result: ResultArguments,
}

/// Changes in one message of a stream.
const BATCH: usize = 500;
/// Longest list of names, in bytes.
const MAX_LIST: usize = 16 << 20;

pub(super) async fn run(
    arguments: ChangeArguments,
    action: &str,
    may_wait: bool,
    reason: &str,
    mut client: Client,
) -> Result<(), Failure> {
    let names = names(&arguments, &mut client).await?;
    if names.is_empty() {
        return if arguments.all.is_some() {
            arguments
                .result
                .output
                .write(&claim_tables::outcomes(&[], &[], arguments.result.dry_run)?)
        } else {
            Err(Failure::usage("no claim is named / 未指明申请"))
        };
    }
    if names.len() > 1 && !arguments.etag.is_empty() {
        return Err(Failure::usage("--etag is of one claim / --etag 只用于一件申请"));
    }
    if let ([name], None) = (names.as_slice(), &arguments.all) {
        return one(name, &arguments, action, may_wait, reason, client).await;
    }
    let messages: Vec<pb::ChangeClaimsRequest> = names
        .chunks(BATCH)
        .map(|names| pb::ChangeClaimsRequest {
            changes: names
                .iter()
                .map(|name| pb::ClaimChange {
                    name: name.clone(),
                    action: action.to_owned(),
                    may_wait,
                    reason: reason.to_owned(),
                    etag: String::new(),
                })
                .collect(),
            request_id: request_id(),
            validate_only: arguments.result.dry_run,
        })
        .collect();
    let mut answers = client
        .subsidies
        .change_claims(tokio_stream::iter(messages))
        .await?
        .into_inner();
    let mut outcomes = Vec::with_capacity(names.len());
    while let Some(answer) = answers.message().await? {
        outcomes.extend(answer.outcomes);
    }
    let table = claim_tables::outcomes(&names, &outcomes, arguments.result.dry_run)?;
    arguments.result.output.write(&table)?;
    let refused = outcomes
        .iter()
        .filter(|outcome| !outcome.reason.is_empty())
        .count();
    if refused == 0 {
        return Ok(());
    }
    let all = names.len();
    Err(Failure::failed(format!(
        "{refused} of {all} claims were refused / {all} 件申请中有 {refused} 件未办理"
    )))
}

async fn names(arguments: &ChangeArguments, client: &mut Client) -> Result<Vec<String>, Failure> {
    if let Some(fund) = &arguments.all {
        let request = pb::ListClaimsRequest {
            parent: fund_name(fund),
            region: in_collection("regions", arguments.region.as_ref()),
            programme: in_collection("programmes", arguments.programme.as_ref()),
            state: arguments.state.clone().unwrap_or_default(),
            ..pb::ListClaimsRequest::default()
        };
        let found = list(client, request).await?;
        return Ok(found.into_iter().map(|claim| claim.name).collect());
    }
    let mut names: Vec<String> = arguments.claims.iter().map(|name| claim_name(name)).collect();
    if let Some(file) = &arguments.list {
        let bytes = files::read(file, MAX_LIST)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::usage(format!("{}: not UTF-8 / 须为 UTF-8 编码", file.display())))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        names.extend(lines.map(claim_name));
    }
    Ok(names)
}

async fn one(
    name: &str,
    arguments: &ChangeArguments,
    action: &str,
    may_wait: bool,
    reason: &str,
    client: Client,
) -> Result<(), Failure> {
    let mut claims = client.subsidies;
    let (name, etag, reason) = (name.to_owned(), arguments.etag.clone(), reason.to_owned());
    let (request_id, validate_only) = (request_id(), arguments.result.dry_run);
    let claim = match action {
        "approve" => {
            let request = pb::ApproveClaimRequest {
                name,
                etag,
                may_wait,
                request_id,
                validate_only,
            };
            claims.approve_claim(request).await?.into_inner().claim
        }
        "reject" => {
            let request = pb::RejectClaimRequest {
                name,
                etag,
                reason,
                request_id,
                validate_only,
            };
            claims.reject_claim(request).await?.into_inner().claim
        }
        "withdraw" => {
            let request = pb::WithdrawClaimRequest {
                name,
                etag,
                reason,
                request_id,
                validate_only,
            };
            claims.withdraw_claim(request).await?.into_inner().claim
        }
        _ => {
            let request = pb::CancelClaimRequest {
                name,
                etag,
                reason,
                request_id,
                validate_only,
            };
            claims.cancel_claim(request).await?.into_inner().claim
        }
    };
    arguments.result.show(claim)
}
