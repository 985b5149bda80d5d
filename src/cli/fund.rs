//! `fund`: money in and out, quota for programmes, and the ledger of a fund.

mod reading;

use super::client::{Client, request_id};
use super::output::{Failure, OutputArguments};
use super::{files, fund_tables};
use crate::grpc::pb;
use crate::tabular;
use clap::{Args, Subcommand, ValueEnum};
use reading::{balances, entries, funds, journal, verify, watch};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum FundCommand {
    /// Receives money into a fund, which begins with the first money it receives
    Receive(MoneyArguments),
    /// Gives money that is not issued back to where it came from
    Surrender(MoneyArguments),
    /// Adds a county's own money to what it may spend
    Contribute(OwnMoneyArguments),
    /// Takes a county's own money out again
    Retract(OwnMoneyArguments),
    /// Assigns quota of regions to programmes, all of it or none
    Assign(QuotaArguments),
    /// Takes quota back from programmes, all of it or none
    Unassign(QuotaArguments),
    /// Takes back an entry that another person posted, by one with its accounts swapped
    Reverse {
        /// Id of the fund
        fund: String,
        /// Number of the entry
        entry: u64,
        /// Why
        #[arg(long)]
        note: String,
        #[command(flatten)]
        posting: PostingArguments,
    },
    /// Lists funds
    List {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Shows where a fund's money is
    Status {
        /// Id of the fund
        fund: String,
        /// A line for each programme, or one for each region
        #[arg(long, value_enum, default_value = "programme")]
        by: By,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Shows balances, now or as of any past moment
    Balances(BalancesArguments),
    /// Lists entries, in order
    Entries(EntriesArguments),
    /// Computes the ledger of a fund again from its first entry and says what differs
    Verify {
        /// Id of the fund
        fund: String,
        /// Most differences shown
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=1000))]
        max_findings: i32,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Exports the journal for hledger
    Journal {
        /// Id of the fund
        fund: String,
        /// Writes it to a file rather than to standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Prints the changes of a fund as they come, a line of JSON each
    Watch {
        /// Id of the fund
        fund: String,
        /// Number of the last change that is known already
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// Ends with the last change that there is
        #[arg(long)]
        no_wait: bool,
    },
}

/// Whether a posting is carried out, and how it is shown.
#[derive(Debug, Args)]
pub(super) struct PostingArguments {
    /// Checks only
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(super) struct MoneyArguments {
    /// Id of the fund
    fund: String,
    /// Yuan, such as 86000000 or 86000000.00
    amount: String,
    /// Number of the document it rests on
    #[arg(long, value_name = "TEXT")]
    document: String,
    #[command(flatten)]
    posting: PostingArguments,
}

#[derive(Debug, Args)]
pub(super) struct OwnMoneyArguments {
    /// Code of the region
    #[arg(long, value_name = "CODE")]
    region: String,
    #[command(flatten)]
    money: MoneyArguments,
}

#[derive(Debug, Args)]
pub(super) struct QuotaArguments {
    /// Id of the fund
    fund: String,
    /// CSV or XLSX with the columns region, programme, payer, amount
    #[arg(long, value_name = "FILE", conflicts_with_all = ["region", "programme", "amount", "payer"])]
    file: Option<PathBuf>,
    /// Code of the region
    #[arg(long, value_name = "CODE", required_unless_present = "file")]
    region: Option<String>,
    /// Code of the programme, such as housing-purchase
    #[arg(long, value_name = "CODE", required_unless_present = "file")]
    programme: Option<String>,
    /// Yuan
    #[arg(long, value_name = "YUAN", required_unless_present = "file")]
    amount: Option<String>,
    /// Whose money
    #[arg(long, value_enum, default_value = "city")]
    payer: PayerArgument,
    /// A note
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    posting: PostingArguments,
}

#[derive(Debug, Args)]
pub(super) struct BalancesArguments {
    /// Id of the fund
    fund: String,
    /// After the entry with this number
    #[arg(long, value_name = "NUMBER", conflicts_with = "at")]
    at_entry: Option<u64>,
    /// At this time, such as 2026-03-01T00:00:00+08:00
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Only of this region
    #[arg(long, value_name = "CODE")]
    region: Option<String>,
    /// Only of this programme
    #[arg(long, value_name = "CODE")]
    programme: Option<String>,
    /// Only of this payer
    #[arg(long, value_enum)]
    payer: Option<PayerArgument>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(super) struct EntriesArguments {
    /// Id of the fund
    fund: String,
    /// Only those that move this account, such as city/411081/housing-purchase/quota or city/-/-/unallocated
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Only of this event, such as receive or assign
    #[arg(long)]
    event: Option<String>,
    /// Only those that this resource caused, such as allocations/ID
    #[arg(long, value_name = "NAME", default_value = "")]
    subject: String,
    /// Not before this time
    #[arg(long, value_name = "TIME", default_value = "")]
    from: String,
    /// Before this time
    #[arg(long, value_name = "TIME", default_value = "")]
    until: String,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum By {
    Programme,
    Region,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum PayerArgument {
    City,
    County,
}

impl From<PayerArgument> for pb::Payer {
    fn from(payer: PayerArgument) -> Self {
        match payer {
            PayerArgument::City => Self::City,
            PayerArgument::County => Self::County,
        }
    }
}

/// `funds/ID` from what a person types.
pub(super) fn fund_name(id: &str) -> String {
    if id.starts_with("funds/") {
        id.to_owned()
    } else {
        format!("funds/{id}")
    }
}

fn in_collection(collection: &str, code: Option<&String>) -> String {
    code.map(|code| format!("{collection}/{code}"))
        .unwrap_or_default()
}

pub(super) async fn run(command: FundCommand, mut client: Client) -> Result<(), Failure> {
    let ledger = &mut client.ledger;
    match command {
        FundCommand::Receive(MoneyArguments {
            fund,
            amount,
            document,
            posting,
        }) => {
            let request = pb::ReceiveFundsRequest {
                fund: fund_name(&fund),
                amount,
                document,
                request_id: request_id(),
                validate_only: posting.dry_run,
            };
            let entry = ledger.receive_funds(request).await?.into_inner().entry;
            posting.show(&fund, entry.into_iter().collect())
        }
        FundCommand::Surrender(MoneyArguments {
            fund,
            amount,
            document,
            posting,
        }) => {
            let request = pb::SurrenderFundsRequest {
                fund: fund_name(&fund),
                amount,
                document,
                request_id: request_id(),
                validate_only: posting.dry_run,
            };
            let entry = ledger.surrender_funds(request).await?.into_inner().entry;
            posting.show(&fund, entry.into_iter().collect())
        }
        FundCommand::Contribute(OwnMoneyArguments { region, money }) => {
            let request = pb::ContributeFundsRequest {
                fund: fund_name(&money.fund),
                region: format!("regions/{region}"),
                amount: money.amount,
                document: money.document,
                request_id: request_id(),
                validate_only: money.posting.dry_run,
            };
            let entry = ledger.contribute_funds(request).await?.into_inner().entry;
            money.posting.show(&money.fund, entry.into_iter().collect())
        }
        FundCommand::Retract(OwnMoneyArguments { region, money }) => {
            let request = pb::RetractContributionRequest {
                fund: fund_name(&money.fund),
                region: format!("regions/{region}"),
                amount: money.amount,
                document: money.document,
                request_id: request_id(),
                validate_only: money.posting.dry_run,
            };
            let entry = ledger.retract_contribution(request).await?.into_inner().entry;
            money.posting.show(&money.fund, entry.into_iter().collect())
        }
        FundCommand::Assign(arguments) => {
            let request = pb::AssignQuotaRequest {
                fund: fund_name(&arguments.fund),
                lines: arguments.lines()?,
                note: arguments.note.clone(),
                request_id: request_id(),
                validate_only: arguments.posting.dry_run,
            };
            let entries = ledger.assign_quota(request).await?.into_inner().entries;
            arguments.posting.show(&arguments.fund, entries)
        }
        FundCommand::Unassign(arguments) => {
            let request = pb::UnassignQuotaRequest {
                fund: fund_name(&arguments.fund),
                lines: arguments.lines()?,
                note: arguments.note.clone(),
                request_id: request_id(),
                validate_only: arguments.posting.dry_run,
            };
            let entries = ledger.unassign_quota(request).await?.into_inner().entries;
            arguments.posting.show(&arguments.fund, entries)
        }
        FundCommand::Reverse {
            fund,
            entry,
            note,
            posting,
        } => {
            let request = pb::ReverseEntryRequest {
                name: format!("{}/entries/{entry}", fund_name(&fund)),
                note,
                request_id: request_id(),
                validate_only: posting.dry_run,
            };
            let entry = ledger.reverse_entry(request).await?.into_inner().entry;
            posting.show(&fund, entry.into_iter().collect())
        }
        FundCommand::List { output } => output.write(&fund_tables::funds(&funds(&mut client).await?)),
        FundCommand::Status { fund, by, output } => {
            let request = pb::GetFundStatusRequest {
                name: fund_name(&fund),
            };
            let status = ledger.get_fund_status(request).await?.into_inner();
            output.write(&fund_tables::status(&status, by == By::Region)?)
        }
        FundCommand::Balances(arguments) => balances(arguments, client).await,
        FundCommand::Entries(arguments) => entries(arguments, client).await,
        FundCommand::Verify {
            fund,
            max_findings,
            output,
        } => verify(&fund, max_findings, &output, client).await,
        FundCommand::Journal { fund, output } => journal(&fund, output, client).await,
        FundCommand::Watch { fund, after, no_wait } => watch(&fund, after, no_wait, client).await,
    }
}

impl PostingArguments {
    fn show(&self, fund: &str, entries: Vec<pb::LedgerEntry>) -> Result<(), Failure> {
        let notes = if self.dry_run {
            vec!["试运行,未记账 dry run, nothing posted".to_owned()]
        } else {
            Vec::new()
        };
        self.output.write(&fund_tables::posted(fund, &entries, notes)?)
    }
}

impl QuotaArguments {
    fn lines(&self) -> Result<Vec<pb::QuotaLine>, Failure> {
        let Some(file) = &self.file else {
            return Ok(vec![pb::QuotaLine {
                region: in_collection("regions", self.region.as_ref()),
                programme: in_collection("programmes", self.programme.as_ref()),
                payer: pb::Payer::from(self.payer).into(),
                amount: self.amount.clone().unwrap_or_default(),
            }]);
        };
        let bytes = files::read(file, tabular::MAX_BYTES)?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        let sheet = tabular::read(&name.unwrap_or_default(), &bytes)?;
        let line = |row: &tabular::QuotaRow| pb::QuotaLine {
            region: format!("regions/{}", row.region),
            programme: format!("programmes/{}", row.programme),
            payer: crate::grpc::convert::ledger::from_payer(row.payer),
            amount: row.amount.to_string(),
        };
        Ok(tabular::quota(&sheet)?.iter().map(line).collect())
    }
}
