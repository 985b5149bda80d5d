//! Claims: handed in, decided, waiting, objected to, paid back; once for each household and home; and nothing
//! personal anywhere but under seal.

mod bulk;
mod keys;
mod lifecycle;
mod once;
pub mod privacy;
mod refusing;
mod repeating;
pub mod setup;
mod waiting;
