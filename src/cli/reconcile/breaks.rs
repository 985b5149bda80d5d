//! Breaks on the command line.

use super::super::client::{Client, request_id};
use super::super::output::{self, Failure, OutputArguments};
use super::{account_name, part_name, report_tables, tables};
use crate::grpc::pb;
use crate::grpc::pb::resolve_break_request::How;
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArguments {
    /// The account, such as city or county-411024
    account: String,
    /// Only of this class
    #[arg(long, value_enum)]
    class: Option<ClassArgument>,
    /// Only in this state
    #[arg(long, value_enum)]
    state: Option<StateArgument>,
    /// Only those of this month, YYYY-MM
    #[arg(long, value_name = "MONTH", default_value = "")]
    period: String,
    /// Only those of this person
    #[arg(long, value_name = "NAME", default_value = "")]
    assignee: String,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AgeingArguments {
    /// The account, such as city or county-411024
    account: String,
    /// The day that ages are counted to, YYYY-MM-DD; default: today
    #[arg(long, value_name = "DATE", default_value = "")]
    date: String,
    /// The last days of the bands, ascending
    #[arg(long, value_name = "DAYS", value_delimiter = ',')]
    bands: Vec<u32>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which break, and why.
#[derive(Debug, Args)]
pub(in crate::cli) struct Reasoned {
    /// ACCOUNT/NUMBER
    name: String,
    /// Why; without personal data
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Refuses unless the break still has this etag
    #[arg(long, default_value = "")]
    etag: String,
    /// Checks only
    #[arg(long)]
    dry_run: bool,
}

/// Several breaks, and why.
#[derive(Debug, Args)]
pub(in crate::cli) struct Several {
    /// ACCOUNT/NUMBER
    #[arg(required = true)]
    names: Vec<String>,
    /// Why; without personal data
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Checks only
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BreakCommand {
    /// Shows a break: what was compared, what to do, what was done
    Show {
        /// ACCOUNT/NUMBER
        name: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Says who works on a break
    Assign {
        /// ACCOUNT/NUMBER
        name: String,
        /// Who; nobody where it is left out
        #[arg(default_value = "")]
        assignee: String,
    },
    /// Adds a remark, without personal data
    Comment {
        /// ACCOUNT/NUMBER
        name: String,
        /// The remark
        comment: String,
    },
    /// Proposes that lines and payments belong together; a second person must approve
    Match {
        #[command(flatten)]
        of: Reasoned,
        /// A line, STATEMENT/LINE; may be repeated
        #[arg(long, value_name = "STATEMENT/LINE", required = true)]
        line: Vec<String>,
        /// Reference of a payment; may be repeated
        #[arg(long, value_name = "REFERENCE", required = true)]
        payment: Vec<String>,
    },
    /// Proposes a correction of the books; a second person must approve
    Correct {
        #[command(flatten)]
        of: Reasoned,
        /// What is so
        #[arg(long, value_enum)]
        kind: CorrectionArgument,
        /// Reference of the payment
        #[arg(long, value_name = "REFERENCE")]
        payment: String,
        /// How much came back; only for a return
        #[arg(long, value_name = "YUAN", default_value = "")]
        amount: String,
        /// The bank's day; only where the payment was made
        #[arg(long, value_name = "DATE", default_value = "")]
        date: String,
    },
    /// Says that the bank was wrong
    BankError(Reasoned),
    /// Says what a line is that has nothing to do with payments
    Explain {
        #[command(flatten)]
        of: Reasoned,
        /// What it is
        #[arg(long, value_enum)]
        category: CategoryArgument,
        /// The entry of the ledger that it is, FUND/NUMBER; only for a receipt
        #[arg(long, value_name = "FUND/NUMBER", default_value = "")]
        entry: String,
    },
    /// Says that bank and books agree, and nothing is to be done: only what is late or reversed
    Accept(Several),
    /// Lets breaks go on into the next month
    CarryOver(Several),
    /// Approves what another person proposed, and carries it out
    Approve {
        /// ACCOUNT/NUMBER
        #[arg(required = true)]
        names: Vec<String>,
        /// Checks only
        #[arg(long)]
        dry_run: bool,
    },
    /// Refuses what was proposed; the break is open again
    Reject(Reasoned),
    /// Opens a break again; of a closed month, a new one takes its place
    Reopen(Reasoned),
}

macro_rules! arguments {
    ($name:ident -> $wire:ident { $($(#[$doc:meta])* $variant:ident),+ $(,)? }) => {
        #[derive(Debug, Clone, Copy, ValueEnum)]
        pub(in crate::cli) enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl From<$name> for i32 {
            fn from(given: $name) -> Self {
                match given { $($name::$variant => pb::$wire::$variant.into(),)+ }
            }
        }
    };
}

arguments!(ClassArgument -> MatchClass {
    MissingAtBank,
    UnknownAtBank,
    AmountDiffers,
    DuplicateAtBank,
    Late,
    Reversed,
    /// No break: the bank still has time
    InFlight,
});

arguments!(StateArgument -> BreakState {
    Open,
    Proposed,
    Approved,
    Resolved,
});

arguments!(CorrectionArgument -> CorrectionKind {
    /// The payment was made
    Settle,
    /// The payment was not made
    Fail,
    /// Money of the payment came back
    Return,
});

arguments!(CategoryArgument -> ExplanationCategory {
    /// Money for a fund
    Receipt,
    /// Interest
    Interest,
    /// A fee of the bank
    Fee,
    /// A transfer between accounts of the bureau
    Transfer,
    /// Other
    Other,
});

/// Breaks in one page of a list.
const PAGE: i32 = 1_000;

pub(super) async fn list(arguments: ListArguments, mut client: Client) -> Result<(), Failure> {
    let request = pb::ListBreaksRequest {
        account: account_name(&arguments.account),
        match_class: arguments.class.map_or(0, Into::into),
        state: arguments.state.map_or(0, Into::into),
        period: arguments.period.clone(),
        assignee: arguments.assignee.clone(),
        page_size: PAGE,
        page_token: String::new(),
    };
    let found = all(&mut client, request).await?;
    arguments
        .output
        .write(&tables::breaks(&account_name(&arguments.account), &found)?)
}

/// All breaks that a request lets through.
pub(super) async fn all(
    client: &mut Client,
    mut request: pb::ListBreaksRequest,
) -> Result<Vec<pb::Break>, Failure> {
    let mut found = Vec::new();
    loop {
        let page = client
            .reconciliations
            .list_breaks(request.clone())
            .await?
            .into_inner();
        found.extend(page.breaks);
        if page.next_page_token.is_empty() {
            return Ok(found);
        }
        request.page_token = page.next_page_token;
    }
}

pub(super) async fn ageing(arguments: AgeingArguments, mut client: Client) -> Result<(), Failure> {
    let account = account_name(&arguments.account);
    let request = pb::GetAgeingRequest {
        account: account.clone(),
        date: arguments.date.clone(),
        bands: arguments.bands.clone(),
    };
    let cells = client
        .reconciliations
        .get_ageing(request)
        .await?
        .into_inner()
        .cells;
    arguments
        .output
        .write(&report_tables::ageing(&account, &arguments.date, &cells)?)
}

pub(super) async fn run(command: BreakCommand, mut client: Client) -> Result<(), Failure> {
    match command {
        BreakCommand::Show { name, output } => {
            let request = pb::GetBreakRequest {
                name: part_name(&name, "breaks"),
            };
            let found = client.reconciliations.get_break(request).await?.into_inner();
            output.write(&tables::break_detail(&found)?)
        }
        BreakCommand::Assign { name, assignee } => {
            let request = pb::AssignBreakRequest {
                name: part_name(&name, "breaks"),
                assignee,
                request_id: request_id(),
                ..Default::default()
            };
            let response = client.reconciliations.assign_break(request).await?;
            changed(response.into_inner().bank_break, false)
        }
        BreakCommand::Comment { name, comment } => {
            let request = pb::CommentBreakRequest {
                name: part_name(&name, "breaks"),
                comment,
                request_id: request_id(),
                ..Default::default()
            };
            let response = client.reconciliations.comment_break(request).await?;
            changed(response.into_inner().bank_break, false)
        }
        BreakCommand::Match { of, line, payment } => {
            let lines = line
                .iter()
                .map(|line| line_name(&of.name, line))
                .collect::<Result<_, _>>()?;
            let how = How::HandMatch(pb::HandMatch {
                lines,
                payments: payment,
            });
            resolve(&mut client, of, how).await
        }
        BreakCommand::Correct {
            of,
            kind,
            payment,
            amount,
            date,
        } => {
            let how = How::Correction(pb::Correction {
                kind: kind.into(),
                payment,
                amount,
                date,
            });
            resolve(&mut client, of, how).await
        }
        BreakCommand::BankError(of) => resolve(&mut client, of, How::BankError(true)).await,
        BreakCommand::Explain { of, category, entry } => {
            let entry = match entry.split_once('/') {
                Some((fund, number)) if !entry.starts_with("funds/") => {
                    format!("funds/{fund}/entries/{number}")
                }
                _ => entry,
            };
            let how = How::Explanation(pb::LineExplanation {
                category: category.into(),
                entry,
            });
            resolve(&mut client, of, how).await
        }
        BreakCommand::Accept(of) => each(&mut client, of, How::Accept(true)).await,
        BreakCommand::CarryOver(of) => each(&mut client, of, How::CarryOver(true)).await,
        BreakCommand::Approve { names, dry_run } => {
            for name in names {
                let request = pb::ApproveResolutionRequest {
                    name: part_name(&name, "breaks"),
                    request_id: request_id(),
                    validate_only: dry_run,
                    ..Default::default()
                };
                let response = client.reconciliations.approve_resolution(request).await;
                let response = response.map_err(|status| Failure::from(status).within(&name))?;
                changed(response.into_inner().bank_break, dry_run)?;
            }
            Ok(())
        }
        BreakCommand::Reject(of) => {
            let request = pb::RejectResolutionRequest {
                name: part_name(&of.name, "breaks"),
                reason: of.reason,
                etag: of.etag,
                request_id: request_id(),
                validate_only: of.dry_run,
            };
            let response = client.reconciliations.reject_resolution(request).await?;
            changed(response.into_inner().bank_break, of.dry_run)
        }
        BreakCommand::Reopen(of) => {
            let request = pb::ReopenBreakRequest {
                name: part_name(&of.name, "breaks"),
                reason: of.reason,
                etag: of.etag,
                request_id: request_id(),
                validate_only: of.dry_run,
            };
            let response = client.reconciliations.reopen_break(request).await?;
            changed(response.into_inner().bank_break, of.dry_run)
        }
    }
}

async fn resolve(client: &mut Client, of: Reasoned, how: How) -> Result<(), Failure> {
    let request = pb::ResolveBreakRequest {
        name: part_name(&of.name, "breaks"),
        reason: of.reason,
        how: Some(how),
        etag: of.etag,
        request_id: request_id(),
        validate_only: of.dry_run,
    };
    let response = client.reconciliations.resolve_break(request).await?;
    changed(response.into_inner().bank_break, of.dry_run)
}

async fn each(client: &mut Client, of: Several, how: How) -> Result<(), Failure> {
    for name in of.names {
        let one = Reasoned {
            name: name.clone(),
            reason: of.reason.clone(),
            etag: String::new(),
            dry_run: of.dry_run,
        };
        resolve(client, one, how.clone())
            .await
            .map_err(|failure| failure.within(&name))?;
    }
    Ok(())
}

/// A line of the account of a break, from `STATEMENT/LINE`.
fn line_name(of: &str, line: &str) -> Result<pb::LineName, Failure> {
    let account = part_name(of, "breaks");
    let account = account
        .strip_prefix("bankAccounts/")
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    let read = || {
        let (statement, line) = line.split_once('/')?;
        let statement: u64 = statement.parse().ok()?;
        Some(pb::LineName {
            statement: format!("bankAccounts/{account}/statements/{statement}"),
            line: line.parse().ok()?,
        })
    };
    read().ok_or_else(|| {
        Failure::usage(format!(
            "--line {line}: STATEMENT/LINE, such as 3/17 / 应为 对账单/行号,如 3/17"
        ))
    })
}

fn changed(found: Option<pb::Break>, dry_run: bool) -> Result<(), Failure> {
    let found = found.unwrap_or_default();
    let (en, zh) = tables::break_words(found.state);
    let dry = if dry_run {
        " (dry run, nothing changed / 试运行,未更改)"
    } else {
        ""
    };
    let corrects = if found.corrects.is_empty() {
        String::new()
    } else {
        format!(", corrects / 更正 {}", found.corrects)
    };
    output::text(&format!(
        "{}: {en} / {zh}, {}{corrects}{dry}, etag {}\n",
        found.name, found.period, found.etag
    ))
}
