//! Use cases: load, ask the domain, store, in one transaction.

pub mod records;
