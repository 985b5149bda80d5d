//! Files for banks and from banks: orders to pay out, and what became of them.
//!
//! [`pain001`] writes ISO 20022, [`bank_table`] the tables that agent banks (代发) take, and
//! [`results`] reads what they send back. `docs/PAYMENTS.md` describes the formats.

pub mod bank_table;
pub(crate) mod dates;
pub mod pain001;
pub mod results;
pub(crate) mod xml;

#[cfg(test)]
mod samples;
