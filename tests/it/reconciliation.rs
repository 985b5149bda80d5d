//! Bank reconciliation from outside: statements in, matches and breaks out, whatever happens to the workers.

#![allow(
    clippy::inconsistent_digit_grouping,
    reason = "amounts in fen: yuan, then the two digits of jiao and fen"
)]

mod books;
mod defects;
mod erasing;
mod jobs;
mod killed;
mod office;
mod periods;
mod refusing;
mod reports;
mod rotating;
mod statements;
mod story;
