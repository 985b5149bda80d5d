//! `claim`: what a claim is worth.

use super::assess;
use super::client::Client;
use super::output::Failure;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum ClaimCommand {
    /// Says what a claim would be entitled to and why; stores nothing
    Assess(assess::AssessArguments),
}

pub(super) async fn run(command: ClaimCommand, client: Client) -> Result<(), Failure> {
    match command {
        ClaimCommand::Assess(arguments) => assess::run(arguments, client).await,
    }
}
