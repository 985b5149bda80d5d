//! The rules of the field, pure: no I/O, no clock, no randomness, no transport, no database.
//!
//! Everything here is a function of its arguments; any two runs over the same input give the same
//! bytes. No floating-point number takes part in any decision about money.
#![deny(clippy::float_arithmetic)]

pub mod access;
pub mod allocation;
pub mod apportion;
pub mod audit;
pub mod claim;
pub mod digest;
pub mod disbursement;
pub mod error;
pub mod exact;
pub mod formula;
pub mod identity;
pub mod ledger;
pub mod money;
pub mod payer;
pub mod payment;
pub mod reconciliation;
pub mod region;
pub mod simulation;
pub mod statistics;
pub mod subsidy;
pub mod unit;
