//! Reconciliation, and the tables of banks that it reads.

use super::range;
use crate::app::reconciliation::ReconciliationOptions;
use crate::domain::error::{Error, Faults, Violation};
use crate::domain::reconciliation::{Rule, Rules};
use crate::statement::Mapping;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// `[reconciliation]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Reconciliation {
    pub rules: Vec<Rule>,
    pub late_days: u32,
    pub date_window_days: u32,
    pub lease_seconds: u64,
    pub range_lines: u64,
}

impl Reconciliation {
    /// The rules of jobs, and how they are worked on.
    pub fn options(&self) -> ReconciliationOptions {
        ReconciliationOptions {
            rules: Rules {
                rules: self.rules.clone(),
                late_days: self.late_days,
                date_window_days: self.date_window_days,
            },
            lease: Duration::from_secs(self.lease_seconds),
            range: self.range_lines,
        }
    }

    /// Adds what is out of its range.
    pub(super) fn check(&self, faults: &mut Vec<Violation>) {
        let mut within =
            |key: &str, value: u64, least: u64, most: u64| range(faults, key, value, least, most);
        within("reconciliation.lease_seconds", self.lease_seconds, 5, 3_600);
        within("reconciliation.range_lines", self.range_lines, 1_000, 10_000_000);
        if let Err(found) = self.options().rules.check("reconciliation") {
            faults.extend(found);
        }
    }
}

/// `[statement]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Statement {
    pub mappings: Vec<PathBuf>,
}

impl Statement {
    /// The mappings for tables of banks that are configured beside those that come with the program.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault of every file.
    pub fn mappings(&self) -> Result<Vec<Mapping>, Error> {
        let mut faults = Faults::default();
        let mut mappings: Vec<Mapping> = Vec::with_capacity(self.mappings.len());
        for (at, path) in self.mappings.iter().enumerate() {
            let key = format!("statement.mappings[{at}]");
            let text = match std::fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) => {
                    faults.add(|| {
                        let found = format!("{}: {error}", path.display());
                        Violation::new(key, found, "a file that can be read", "可读取的文件")
                    });
                    continue;
                }
            };
            match Mapping::parse(&text) {
                Ok(mapping) if mappings.iter().any(|other| other.code() == mapping.code()) => {
                    faults.add(|| {
                        let found = format!("{} again", mapping.code());
                        Violation::new(key, found, "mappings of different codes", "映射代码不得重复")
                    });
                }
                Ok(mapping) => mappings.push(mapping),
                Err(violations) => {
                    faults.extend(
                        violations
                            .into_iter()
                            .map(|violation| violation.within(&key))
                            .collect(),
                    );
                }
            }
        }
        faults.finish()?;
        Ok(mappings)
    }
}
