//! `statement`: what banks say of accounts.

use super::client::Client;
use super::output::Failure;
use super::statement_file;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum StatementCommand {
    /// Takes a statement file, whole or not at all
    Import(statement_file::ImportArguments),
    /// Lists the statements of an account
    List(statement_file::ListArguments),
    /// Shows the lines of a statement, masked, and what became of them
    Show(statement_file::ShowArguments),
}

pub(super) async fn run(command: StatementCommand, client: Client) -> Result<(), Failure> {
    match command {
        StatementCommand::Import(arguments) => statement_file::import(arguments, client).await,
        StatementCommand::List(arguments) => statement_file::list(arguments, client).await,
        StatementCommand::Show(arguments) => statement_file::show(arguments, client).await,
    }
}
