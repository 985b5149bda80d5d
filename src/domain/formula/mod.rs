//! Formulas: how a pool is divided among regions, as a document with a legal basis.
//!
//! - [`document`]: the formula as written; its digest.
//! - [`expression`]: the language of scores.
//! - [`check`]: from document to [`Formula`], everything that can be checked without data.
//! - [`inputs`]: the observations a formula needs, bound to regions and years.
//! - [`evaluate`]: the amounts, exact, then whole.
//! - [`bounds`]: floors and caps by proportional refill.
//! - [`trace`]: why each amount is what it is.

pub mod bounds;
pub mod check;
pub mod document;
pub mod evaluate;
pub mod expression;
pub mod inputs;
pub mod trace;

pub use check::Formula;
pub use document::Document;
pub use evaluate::{Evaluation, Pool, evaluate};
pub use inputs::Inputs;
