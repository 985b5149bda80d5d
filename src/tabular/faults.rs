//! Collecting violations up to a readable number.

use crate::domain::error::Violation;
use crate::domain::formula::inputs::MAX_REPORTED;

/// Violations found, at most [`MAX_REPORTED`] of them in full, the rest as a count.
#[derive(Default)]
pub(super) struct Faults {
    violations: Vec<Violation>,
    unreported: usize,
}

impl Faults {
    /// Adds one; the closure runs only if it will be shown.
    pub(super) fn add(&mut self, violation: impl FnOnce() -> Violation) {
        if self.violations.len() < MAX_REPORTED {
            self.violations.push(violation());
        } else {
            self.unreported += 1;
        }
    }

    /// Notes what went wrong and carries on.
    pub(super) fn keep<T>(&mut self, result: Result<T, Violation>) -> Option<T> {
        result.map_err(|violation| self.add(|| violation)).ok()
    }

    /// Nothing found, or everything that was.
    pub(super) fn finish(mut self) -> Result<(), Vec<Violation>> {
        if self.violations.is_empty() {
            return Ok(());
        }
        if self.unreported > 0 {
            self.violations.push(Violation::new(
                "file",
                format!("{} more like these", self.unreported),
                "the same as above",
                "同上",
            ));
        }
        Err(self.violations)
    }
}
