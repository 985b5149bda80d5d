//! Allocation runs: what was computed from what, by whom, and what became of it.
//!
//! - [`mod@inputs`]: what a run computes from, and the digest of it.
//! - [`mod@outcome`]: what it computed, and two outcomes compared.
//! - [`mod@run`]: the run as kept, its states and the one transition function.

pub mod inputs;
pub mod outcome;
pub mod run;

pub use inputs::{DataRef, FormulaRef, FundId, RunId, RunInputs, Stage};
pub use outcome::{Difference, Line, NamedAmount, Outcome, compare};
pub use run::{Action, Run, Signature, State};
