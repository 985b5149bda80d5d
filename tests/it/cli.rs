//! The command line as people use it: the built program, its files, its exit codes and what it prints.

mod allocating;
mod authorising;
mod claiming;
mod configuring;
mod importing;
mod keeping;
pub mod office;
mod paying;
mod previewing;
mod reconciling;
mod refusing;
mod reviewing;
mod simulating;
mod subsidising;
