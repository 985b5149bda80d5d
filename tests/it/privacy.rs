//! Personal data: erased where it is due, and nowhere but under seal; searched for in every output of whole runs.

mod erasing;
mod searching;
