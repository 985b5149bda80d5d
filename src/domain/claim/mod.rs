//! Claims: their states, parts by payer, and the one transition function.

mod discreet;
mod part;
mod personal;
mod record;
mod state;
#[cfg(test)]
mod tests;

pub use discreet::discreet;
pub use part::{Part, PartState};
pub use personal::{Payee, Person, Personal};
pub use record::{Claim, ClaimId, Notice};
pub use state::{Action, State};
