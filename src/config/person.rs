//! What whoever runs the program sees: its log, and the command line.

use super::range;
use crate::domain::error::Violation;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Log {
    pub format: LogFormat,
    pub filter: String,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For a person at a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// `[cli]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Cli {
    pub principal: String,
    pub token_file: PathBuf,
    pub ca_file: PathBuf,
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    pub deadline_seconds: u64,
    pub log_filter: String,
}

impl Cli {
    /// Adds what is out of its range.
    pub(super) fn check(&self, faults: &mut Vec<Violation>) {
        range(faults, "cli.deadline_seconds", self.deadline_seconds, 0, 86_400);
    }
}
