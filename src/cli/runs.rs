//! `runs`: list, show, compare, approve, issue, supersede.

use super::client::{Client, request_id};
use super::output::{self, Failure, OutputArguments};
use super::tables;
use crate::grpc::pb;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// Lists allocations, newest first
    List {
        /// Only of this fund
        #[arg(long, value_name = "ID")]
        fund: Option<String>,
        /// Only in this state
        #[arg(long, value_enum)]
        state: Option<StateArgument>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Shows one allocation with its lines
    Show {
        /// allocations/ID or ID
        name: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Compares two allocations region by region
    Compare {
        /// The first: allocations/ID or ID
        before: String,
        /// The second
        after: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Approves a draft that someone else created
    Approve(ChangeArguments),
    /// Issues an approved allocation
    Issue(ChangeArguments),
    /// Withdraws an allocation, or replaces an issued one by an approved one
    Supersede {
        #[command(flatten)]
        change: ChangeArguments,
        /// The allocation that takes its place
        #[arg(long = "by", value_name = "NAME")]
        replacement: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct ChangeArguments {
    /// allocations/ID or ID
    name: String,
    /// Refuses unless the allocation still has this etag
    #[arg(long, default_value = "")]
    etag: String,
    /// Checks only
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum StateArgument {
    Draft,
    Approved,
    Issued,
    Superseded,
}

impl From<StateArgument> for pb::AllocationState {
    fn from(state: StateArgument) -> Self {
        match state {
            StateArgument::Draft => Self::Draft,
            StateArgument::Approved => Self::Approved,
            StateArgument::Issued => Self::Issued,
            StateArgument::Superseded => Self::Superseded,
        }
    }
}

/// `allocations/ID` from what a person types.
pub(super) fn resource_name(name: &str) -> String {
    if name.starts_with("allocations/") {
        name.to_owned()
    } else {
        format!("allocations/{name}")
    }
}

pub(super) async fn run(command: RunsCommand, mut client: Client) -> Result<(), Failure> {
    match command {
        RunsCommand::List { fund, state, output } => {
            output.write(&tables::runs(&list(&mut client, fund, state).await?)?)
        }
        RunsCommand::Show { name, output } => {
            let request = pb::GetAllocationRequest {
                name: resource_name(&name),
            };
            let allocation = client
                .allocations
                .get_allocation(request)
                .await?
                .into_inner()
                .allocation
                .unwrap_or_default();
            output.write(&tables::allocation(&allocation)?)?;
            if output.is_for_reading() {
                output::text(&tables::history(&allocation))
            } else {
                Ok(())
            }
        }
        RunsCommand::Compare {
            before,
            after,
            output,
        } => {
            let request = pb::CompareAllocationsRequest {
                before: resource_name(&before),
                after: resource_name(&after),
            };
            let response = client
                .allocations
                .compare_allocations(request)
                .await?
                .into_inner();
            output.write(&tables::comparison(&before, &after, &response)?)
        }
        RunsCommand::Approve(ChangeArguments { name, etag, dry_run }) => {
            let request = pb::ApproveAllocationRequest {
                name: resource_name(&name),
                etag,
                request_id: request_id(),
                validate_only: dry_run,
            };
            changed(
                client
                    .allocations
                    .approve_allocation(request)
                    .await?
                    .into_inner()
                    .allocation,
                dry_run,
            )
        }
        RunsCommand::Issue(ChangeArguments { name, etag, dry_run }) => {
            let request = pb::IssueAllocationRequest {
                name: resource_name(&name),
                etag,
                request_id: request_id(),
                validate_only: dry_run,
            };
            changed(
                client
                    .allocations
                    .issue_allocation(request)
                    .await?
                    .into_inner()
                    .allocation,
                dry_run,
            )
        }
        RunsCommand::Supersede {
            change: ChangeArguments { name, etag, dry_run },
            replacement,
        } => {
            let request = pb::SupersedeAllocationRequest {
                name: resource_name(&name),
                replacement: replacement.map(|name| resource_name(&name)).unwrap_or_default(),
                etag,
                request_id: request_id(),
                validate_only: dry_run,
            };
            changed(
                client
                    .allocations
                    .supersede_allocation(request)
                    .await?
                    .into_inner()
                    .allocation,
                dry_run,
            )
        }
    }
}

fn changed(allocation: Option<pb::Allocation>, dry_run: bool) -> Result<(), Failure> {
    let allocation = allocation.unwrap_or_default();
    let (en, zh) = tables::state_words(allocation.state);
    let dry = if dry_run {
        " (dry run, nothing changed / 试运行,未更改)"
    } else {
        ""
    };
    output::text(&format!(
        "{}: {en} / {zh}{dry}, etag {}\n",
        allocation.name, allocation.etag
    ))
}

async fn list(
    client: &mut Client,
    fund: Option<String>,
    state: Option<StateArgument>,
) -> Result<Vec<pb::Allocation>, Failure> {
    let fund = fund.map(|id| format!("funds/{id}")).unwrap_or_default();
    let state: i32 = state.map_or(pb::AllocationState::Unspecified, Into::into).into();
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListAllocationsRequest {
            fund: fund.clone(),
            state,
            page_size: 1_000,
            page_token,
        };
        let response = client.allocations.list_allocations(request).await?.into_inner();
        found.extend(response.allocations);
        if response.next_page_token.is_empty() {
            return Ok(found);
        }
        page_token = response.next_page_token;
    }
}
