//! Claims: their states, parts by payer, and the one transition function.

mod claim;
mod part;
mod state;
#[cfg(test)]
mod tests;

pub use claim::{Claim, ClaimId, Notice, RETURN_BEYOND_PAID};
pub use part::{Part, PartState};
pub use state::{Action, State};
