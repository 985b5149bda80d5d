//! Who may do what: every method for every role, in their own region and in another's; tokens, certificates
//! and what attackers make of them; limits.

mod attacks;
mod everything;
mod limits;
mod reconciling;
mod repeating;
mod rsa;
mod setup;
mod tokens;
