//! Reconciliation: what is stored of statements, matches, breaks and months.

mod balances;
mod breaks;
mod hands;
mod periods;

pub use balances::{BalanceQuery, BookSums};
pub use breaks::AgeRow;
pub use hands::{HandLine, HandLink, HandPayment};
pub use periods::Reach;
