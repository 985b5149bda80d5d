//! What if: named changes to a base, and the amounts that follow from them, exact.
//!
//! - [`mod@scenario`]: changes, and knobs, which are changes without their value.
//! - [`mod@base`]: a formula with its data and pool, and the same once changed.
//! - [`mod@plan`]: a base prepared for many scenarios.
//! - [`mod@evaluator`]: their amounts, one evaluator a thread.
//! - [`mod@sweep`]: grids over knobs, point by point.
//! - [`mod@comparison`]: scenarios side by side.
//!
//! There is one allocation engine. Every scenario is what [`crate::domain::formula::evaluate`] gives for
//! the changed formula and the changed inputs, fen for fen; a plan only leaves out work whose result it knows.

pub mod base;
pub mod comparison;
pub mod evaluator;
mod kernel;
mod numbers;
pub mod plan;
pub mod scenario;
pub mod sweep;
mod target;

pub use base::{Base, Changed};
pub use comparison::{Compared, Comparison, Heads, compare};
pub use evaluator::{Evaluator, Ways};
pub use plan::Plan;
pub use scenario::{Adjust, Change, How, Knob, Lever, Others, Refusal, Scenario, Setting};
pub use sweep::{Axis, Sweep, Values};
