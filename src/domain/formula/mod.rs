//! Formulas: how a pool is divided among regions, as a document with a legal basis.
//!
//! - [`mod@document`]: the formula as written; its digest.
//! - [`mod@expression`]: the language of scores.
//! - [`mod@check`]: from document to [`Formula`], everything that can be checked without data.
//! - [`mod@inputs`]: the observations a formula needs, bound to regions and years.
//! - [`mod@evaluate`]: the amounts, exact, then whole.
//! - [`mod@components`]: each component's money and scores.
//! - [`mod@bounds`]: floors and caps by proportional refill.
//! - [`mod@contributions`]: what each component contributes, as tables show it.
//! - [`mod@trace`]: why each amount is what it is.

pub mod bounds;
pub mod check;
pub mod components;
pub mod contributions;
pub mod document;
pub mod evaluate;
mod evaluator;
pub mod expression;
pub mod inputs;
pub(in crate::domain) mod limits;
pub(in crate::domain) mod split;
pub mod trace;

pub use check::Formula;
pub use document::Document;
pub use evaluate::{Evaluation, Pool, evaluate};
pub use inputs::Inputs;
