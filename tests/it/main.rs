//! The tests that see the project from outside, in one binary; a module for each story.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

mod access;
mod allocations;
mod audit;
mod bureau;
mod claims;
mod cli;
mod contention;
mod crash;
mod disbursement;
mod errors;
mod formulas;
mod harness;
mod idempotency;
mod ledger;
mod model;
mod payment_files;
mod privacy;
mod properties;
mod published;
mod python;
mod reference;
mod report_page;
mod scenarios;
mod server;
mod simulation;
mod statistics;
mod subsidies;
