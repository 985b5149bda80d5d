//! Bank reconciliation from outside: statements in, matches and breaks out, whatever happens to the workers.

mod books;
mod defects;
mod jobs;
mod killed;
mod statements;
