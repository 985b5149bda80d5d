//! The program: parse, dispatch, nothing else.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    incentive_fund::cli::run().await
}
