//! Bank reconciliation from outside: statements in, matches and breaks out, whatever happens to the workers.

mod books;
mod defects;
mod erasing;
mod jobs;
mod killed;
mod office;
mod periods;
mod refusing;
mod statements;
mod story;
