//! What if: named changes to a base, and the amounts that follow from them, exact.
//!
//! - [`mod@scenario`]: changes, and knobs, which are changes without their value.
//! - [`mod@base`]: a formula with its data and pool, and the same once changed.
//! - [`mod@plan`]: a base prepared for many scenarios.
//! - [`mod@evaluator`]: their amounts, one evaluator a thread.
//! - [`mod@sweep`]: grids over knobs, point by point.
//! - [`mod@comparison`]: scenarios side by side.
//! - [`mod@draw`]: samples of uncertain statistics.
//! - [`mod@monte_carlo`], [`mod@quantiles`]: what becomes of the amounts under them.
//! - [`mod@sobol`]: which uncertainty drives that.
//! - [`mod@goal`], [`mod@stability`]: how far a knob must or may move, both by way of [`mod@grid`].
//! - [`mod@fairness`]: how evenly money is spread, and whether it goes where migrants are.
//! - [`mod@model`]: what these ask of the engine.
//! - [`mod@fixed`]: functions that are not rational, in integers.
//!
//! There is one allocation engine. Every scenario is what [`fn@crate::domain::formula::evaluate`] gives for
//! the changed formula and the changed inputs, fen for fen; a plan only leaves out work whose result it knows.

pub mod base;
pub mod comparison;
pub mod draw;
pub mod evaluator;
pub mod fairness;
pub mod fixed;
pub mod goal;
pub mod grid;
mod kernel;
pub mod model;
pub mod monte_carlo;
mod numbers;
pub mod plan;
pub mod quantiles;
pub mod scenario;
pub mod sobol;
pub mod stability;
pub mod sweep;
mod target;

pub use base::{Base, Changed};
pub use comparison::{Compared, Comparison, Heads, compare};
pub use evaluator::{Evaluator, Ways};
pub use plan::Plan;
pub use scenario::{Adjust, Change, How, Knob, Lever, Others, Refusal, Scenario, Setting};
pub use sweep::{Axis, Sweep, Values};

#[cfg(test)]
mod tests;
