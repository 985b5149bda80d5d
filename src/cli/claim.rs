//! `claim`: what a claim is worth, and everything that happens to it.

use super::assess;
use super::claim_change::{self, ChangeArguments};
use super::claim_erasure;
use super::claim_file;
use super::claim_import::{self, ImportArguments};
use super::claim_tables;
use super::client::{Client, request_id};
use super::explain::Language;
use super::files;
use super::fund::{PayerArgument, fund_name};
use super::output::{self, Failure, OutputArguments};
use crate::grpc::pb;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use zeroize::Zeroizing;

#[derive(Debug, Subcommand)]
pub(super) enum ClaimCommand {
    /// Says what a claim would be entitled to and why; stores nothing
    Assess(assess::AssessArguments),
    /// Hands in one claim from a TOML or JSON file
    Submit {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        result: ResultArguments,
    },
    /// Hands in many claims from CSV or XLSX, each by itself; what is refused is listed in a file
    Import(ImportArguments),
    /// Approves claims and binds their amounts; another person than who handed them in
    Approve {
        #[command(flatten)]
        change: ChangeArguments,
        /// Joins the waiting list where the quota is too small
        #[arg(long)]
        may_wait: bool,
    },
    /// Refuses claims
    Reject {
        #[command(flatten)]
        change: ChangeArguments,
        /// Why; nothing personal
        #[arg(long)]
        reason: String,
    },
    /// Takes claims back before money is bound
    Withdraw {
        #[command(flatten)]
        change: ChangeArguments,
        /// Why; nothing personal
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Ends approved claims unpaid and frees their amounts
    Cancel {
        #[command(flatten)]
        change: ChangeArguments,
        /// Why; nothing personal
        #[arg(long)]
        reason: String,
    },
    /// Notes an objection (公示异议), which holds the claim
    Object {
        /// FUND/NUMBER
        claim: String,
        /// File with what is said; it is sealed. On the command line others could read it
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        result: ResultArguments,
    },
    /// Prints what an objection says
    Objection {
        /// FUND/NUMBER of the claim
        claim: String,
        /// Number of the objection
        number: u32,
    },
    /// Resolves an objection that another person noted
    Resolve {
        /// FUND/NUMBER of the claim
        claim: String,
        /// Number of the objection
        number: u32,
        /// It is right: the claim ends
        #[arg(long, conflicts_with = "dismissed", required_unless_present = "dismissed")]
        upheld: bool,
        /// It is not: the claim goes on
        #[arg(long)]
        dismissed: bool,
        /// Why; nothing personal
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        result: ResultArguments,
    },
    /// Makes a claim that the bank rejected ready to be paid again
    Retry {
        /// FUND/NUMBER
        claim: String,
        /// TOML or JSON file with the corrected account: name, account, bank_name, bank_code
        #[arg(long, value_name = "FILE")]
        payee: Option<PathBuf>,
        /// What was corrected; nothing personal
        #[arg(long, default_value = "")]
        reason: String,
        /// Refuses unless the claim still has this etag
        #[arg(long, default_value = "")]
        etag: String,
        #[command(flatten)]
        result: ResultArguments,
    },
    /// Notes money that came back, all or some
    Return {
        /// FUND/NUMBER
        claim: String,
        /// Whose money
        #[arg(long, value_enum)]
        payer: PayerArgument,
        /// How much
        #[arg(long, value_name = "YUAN")]
        amount: String,
        /// Why, and the document; nothing personal
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        result: ResultArguments,
    },
    /// Lists the claims of a fund
    List {
        #[command(flatten)]
        filter: FilterArguments,
        /// Only in this state
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Only of this payment batch, by number
        #[arg(long, value_name = "NUMBER")]
        batch: Option<u64>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Shows a claim with its payments and objections
    Show {
        /// FUND/NUMBER
        claim: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Explains the amount of a claim, by the rules that it was assessed by
    Explain {
        /// FUND/NUMBER
        claim: String,
        /// Language of the sentences
        #[arg(long, value_enum, default_value = "both")]
        language: Language,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Lists what happened to a claim
    History {
        /// FUND/NUMBER
        claim: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Asks for the person of claims that have ended to be erased; another person does it
    RequestErasure(claim_erasure::RequestArguments),
    /// Erases the person from claims for which another person asked: amounts stay
    Erase(claim_erasure::EraseArguments),
    /// Lists erasures, asked for and carried out
    Erasures(claim_erasure::ListArguments),
    /// Lists the claims under public notice today (公示), masked
    Notices {
        #[command(flatten)]
        filter: FilterArguments,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Binds quota for claims that wait, in the order of their approval, until one does not fit
    ReserveWaiting {
        /// Id of the fund
        fund: String,
        /// Code of the region
        #[arg(long, value_name = "CODE")]
        region: String,
        /// Code of the programme
        #[arg(long, value_name = "CODE")]
        programme: String,
        #[command(flatten)]
        result: ResultArguments,
    },
}

/// How a changed claim is shown.
#[derive(Debug, Args)]
pub(super) struct ResultArguments {
    /// Checks only
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

/// Which claims.
#[derive(Debug, Args)]
pub(super) struct FilterArguments {
    /// Id of the fund
    pub(super) fund: String,
    /// Only of this region
    #[arg(long, value_name = "CODE")]
    pub(super) region: Option<String>,
    /// Only of this programme
    #[arg(long, value_name = "CODE")]
    pub(super) programme: Option<String>,
}

/// Claims in one page of a list.
const PAGE: i32 = 1_000;
/// Longest file with an objection, in bytes; the service says how many characters it takes.
const MAX_OBJECTION_BYTES: usize = 64 << 10;

/// `funds/FUND/claims/NUMBER` from what a person types.
pub(super) fn claim_name(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((fund, number)) if !name.contains("/claims/") => {
            format!("{}/claims/{number}", fund_name(fund))
        }
        _ => name.to_owned(),
    }
}

/// A code in its collection; an absent one is empty.
pub(super) fn in_collection(collection: &str, code: Option<&String>) -> String {
    code.map(|code| format!("{collection}/{code}"))
        .unwrap_or_default()
}

impl ResultArguments {
    /// Shows a claim as it is now.
    pub(super) fn show(&self, claim: Option<pb::Claim>) -> Result<(), Failure> {
        self.show_all(&claim.into_iter().collect::<Vec<_>>())
    }

    fn show_all(&self, claims: &[pb::Claim]) -> Result<(), Failure> {
        let notes = claim_tables::dry_notes(self.dry_run);
        self.output.write(&claim_tables::claims(claims, notes)?)
    }
}

pub(super) async fn run(command: ClaimCommand, client: Client) -> Result<(), Failure> {
    match command {
        ClaimCommand::Assess(arguments) => assess::run(arguments, client).await,
        ClaimCommand::Import(arguments) => claim_import::run(arguments, client).await,
        ClaimCommand::Approve { change, may_wait } => {
            claim_change::run(change, "approve", may_wait, "", client).await
        }
        ClaimCommand::Reject { change, reason } => {
            claim_change::run(change, "reject", false, &reason, client).await
        }
        ClaimCommand::Withdraw { change, reason } => {
            claim_change::run(change, "withdraw", false, &reason, client).await
        }
        ClaimCommand::Cancel { change, reason } => {
            claim_change::run(change, "cancel", false, &reason, client).await
        }
        ClaimCommand::Submit { .. }
        | ClaimCommand::Object { .. }
        | ClaimCommand::Resolve { .. }
        | ClaimCommand::Retry { .. }
        | ClaimCommand::Return { .. }
        | ClaimCommand::ReserveWaiting { .. } => change(command, client).await,
        ClaimCommand::RequestErasure(arguments) => claim_erasure::request(arguments, client).await,
        ClaimCommand::Erase(arguments) => claim_erasure::erase(arguments, client).await,
        ClaimCommand::Erasures(arguments) => claim_erasure::list(arguments, client).await,
        other => look(other, client).await,
    }
}

/// The commands that change one claim, or move the waiting list.
async fn change(command: ClaimCommand, client: Client) -> Result<(), Failure> {
    let mut claims = client.subsidies;
    match command {
        ClaimCommand::Submit { file, result } => {
            let request = pb::SubmitClaimRequest {
                claim: Some(claim_file::claim(&file)?),
                request_id: request_id(),
                validate_only: result.dry_run,
            };
            result.show(claims.submit_claim(request).await?.into_inner().claim)
        }
        ClaimCommand::Object { claim, file, result } => {
            let bytes = Zeroizing::new(files::read(&file, MAX_OBJECTION_BYTES)?);
            let text = std::str::from_utf8(&bytes).map_err(|_| {
                Failure::usage(format!("{}: not UTF-8 / 须为 UTF-8 编码的文本", file.display()))
            })?;
            let request = pb::ObjectToClaimRequest {
                name: claim_name(&claim),
                text: text.to_owned(),
                request_id: request_id(),
                validate_only: result.dry_run,
            };
            result.show(claims.object_to_claim(request).await?.into_inner().claim)
        }
        ClaimCommand::Resolve {
            claim,
            number,
            upheld,
            dismissed: _,
            reason,
            result,
        } => {
            let request = pb::ResolveObjectionRequest {
                name: format!("{}/objections/{number}", claim_name(&claim)),
                upheld,
                reason,
                request_id: request_id(),
                validate_only: result.dry_run,
            };
            result.show(claims.resolve_objection(request).await?.into_inner().claim)
        }
        ClaimCommand::Retry {
            claim,
            payee,
            reason,
            etag,
            result,
        } => {
            let request = pb::RetryClaimRequest {
                name: claim_name(&claim),
                etag,
                payee: payee.map(|file| claim_file::payee(&file)).transpose()?,
                reason,
                request_id: request_id(),
                validate_only: result.dry_run,
            };
            result.show(claims.retry_claim(request).await?.into_inner().claim)
        }
        ClaimCommand::Return {
            claim,
            payer,
            amount,
            reason,
            result,
        } => {
            let request = pb::ReturnClaimRequest {
                name: claim_name(&claim),
                payer: payer_code(payer).to_owned(),
                amount,
                reason,
                request_id: request_id(),
                validate_only: result.dry_run,
            };
            result.show(claims.return_claim(request).await?.into_inner().claim)
        }
        ClaimCommand::ReserveWaiting {
            fund,
            region,
            programme,
            result,
        } => {
            let request = pb::ReserveWaitingClaimsRequest {
                fund: fund_name(&fund),
                region: format!("regions/{region}"),
                programme: format!("programmes/{programme}"),
                request_id: request_id(),
                validate_only: result.dry_run,
            };
            result.show_all(&claims.reserve_waiting_claims(request).await?.into_inner().claims)
        }
        _ => Ok(()),
    }
}

fn payer_code(payer: PayerArgument) -> &'static str {
    match pb::Payer::from(payer) {
        pb::Payer::County => "county",
        _ => "city",
    }
}

/// The commands that change nothing.
async fn look(command: ClaimCommand, mut client: Client) -> Result<(), Failure> {
    match command {
        ClaimCommand::Objection { claim, number } => {
            let request = pb::GetObjectionRequest {
                name: format!("{}/objections/{number}", claim_name(&claim)),
            };
            let text = client.subsidies.get_objection(request).await?.into_inner().text;
            output::text(&format!("{}\n", text.trim_end()))
        }
        ClaimCommand::List {
            filter,
            state,
            batch,
            output,
        } => {
            let fund = fund_name(&filter.fund);
            let request = pb::ListClaimsRequest {
                region: in_collection("regions", filter.region.as_ref()),
                programme: in_collection("programmes", filter.programme.as_ref()),
                state: state.unwrap_or_default(),
                batch: batch
                    .map(|number| format!("{fund}/batches/{number}"))
                    .unwrap_or_default(),
                parent: fund,
                ..pb::ListClaimsRequest::default()
            };
            let found = list(&mut client, request).await?;
            output.write(&claim_tables::claims(&found, Vec::new())?)
        }
        ClaimCommand::Show { claim, output } => {
            let request = pb::GetClaimRequest {
                name: claim_name(&claim),
            };
            let found = client.subsidies.get_claim(request).await?.into_inner();
            output.write(&claim_tables::detail(&found)?)
        }
        ClaimCommand::Explain {
            claim,
            language,
            json,
        } => {
            let request = pb::ExplainClaimRequest {
                name: claim_name(&claim),
            };
            let response = client.subsidies.explain_claim(request).await?.into_inner();
            assess::print(&response.assessment.unwrap_or_default(), language, json)
        }
        ClaimCommand::History { claim, output } => {
            let name = claim_name(&claim);
            let mut found = Vec::new();
            let mut page_token = String::new();
            loop {
                let request = pb::ListClaimHistoryRequest {
                    parent: name.clone(),
                    page_size: PAGE,
                    page_token,
                };
                let page = client.subsidies.list_claim_history(request).await?.into_inner();
                found.extend(page.events);
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    return output.write(&claim_tables::history(&name, &found)?);
                }
            }
        }
        ClaimCommand::Notices { filter, output } => {
            let mut found = Vec::new();
            let mut page_token = String::new();
            loop {
                let request = pb::ListPublicNoticesRequest {
                    parent: fund_name(&filter.fund),
                    region: in_collection("regions", filter.region.as_ref()),
                    programme: in_collection("programmes", filter.programme.as_ref()),
                    page_size: PAGE,
                    page_token,
                };
                let page = client.subsidies.list_public_notices(request).await?.into_inner();
                found.extend(page.claims);
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    return output.write(&claim_tables::notices(&found)?);
                }
            }
        }
        _ => Ok(()),
    }
}

/// All claims that a request lets through.
pub(super) async fn list(
    client: &mut Client,
    request: pb::ListClaimsRequest,
) -> Result<Vec<pb::Claim>, Failure> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListClaimsRequest {
            page_size: PAGE,
            page_token,
            ..request.clone()
        };
        let page = client.subsidies.list_claims(request).await?.into_inner();
        found.extend(page.claims);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}
