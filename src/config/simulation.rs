//! What simulations take at most.

use super::range;
use crate::app::simulation::SimulationOptions;
use crate::domain::error::Violation;
use serde::{Deserialize, Serialize};

/// `[simulation]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Simulation {
    pub threads: usize,
    pub max_points: u64,
    pub max_running: usize,
}

impl Simulation {
    /// What simulations take at most.
    pub fn options(&self) -> SimulationOptions {
        SimulationOptions {
            threads: self.threads,
            max_points: self.max_points,
            max_running: self.max_running,
        }
    }

    /// Adds what is out of its range.
    pub(super) fn check(&self, faults: &mut Vec<Violation>) {
        let mut within =
            |key: &str, value: u64, least: u64, most: u64| range(faults, key, value, least, most);
        within("simulation.threads", self.threads as u64, 0, 1_024);
        within("simulation.max_points", self.max_points, 1, 1_000_000_000);
        within("simulation.max_running", self.max_running as u64, 1, 1_000);
    }
}
