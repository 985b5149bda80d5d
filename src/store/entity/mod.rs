//! The tables as SeaORM sees them; `migrations/` says what each column may hold.
//!
//! Relations are left out: no query here goes through them.
#![allow(unreachable_pub)] // SeaORM's derives make public items.

pub mod allocation;
pub mod allocation_line;
pub mod data_set;
pub mod data_set_revision;
pub mod formula_revision;
pub mod indicator;
pub mod observation;
pub mod policy_revision;
pub mod region;
pub mod request;
pub mod rule_revision;
pub mod simulation;
