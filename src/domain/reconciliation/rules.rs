//! Which rules match, in which order, and how many days they allow.

use super::class::Rule;
use crate::domain::digest::Digest;
use crate::domain::error::Violation;
use serde::{Deserialize, Serialize};

/// The rules of a reconciliation. Amounts are always exact; only days have tolerances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The rules in use, in order. `reference`, with `split` and `reversal` of the same reference, is always
    /// the first.
    pub rules: Vec<Rule>,
    /// Days after the execution date within which the bank makes a payment.
    pub late_days: u32,
    /// Days before and after the execution date within which a line may be a payment by its account.
    pub date_window_days: u32,
}

/// Most days of a window.
const MAX_DAYS: u32 = 366;

impl Default for Rules {
    fn default() -> Self {
        Self {
            rules: vec![
                Rule::Reference,
                Rule::Split,
                Rule::Reversal,
                Rule::BatchTotal,
                Rule::AccountDate,
            ],
            late_days: 5,
            date_window_days: 5,
        }
    }
}

impl Rules {
    /// Checks the rules; `at` is the path that stands before the fields in errors.
    pub fn check(&self, at: &str) -> Result<(), Vec<Violation>> {
        let mut faults = Vec::new();
        for (field, days) in [
            ("late_days", self.late_days),
            ("date_window_days", self.date_window_days),
        ] {
            if days > MAX_DAYS {
                faults.push(Violation::new(
                    format!("{at}.{field}"),
                    days.to_string(),
                    format!("0 to {MAX_DAYS} days"),
                    format!("0 至 {MAX_DAYS} 天"),
                ));
            }
        }
        if self.rules.first() != Some(&Rule::Reference) {
            let found: Vec<&str> = self.rules.iter().map(|rule| rule.code()).collect();
            faults.push(Violation::new(
                format!("{at}.rules"),
                found.join(", "),
                "reference first, then any of split, reversal, batch-total, account-date in the order to try them",
                "首条须为 reference,其后可依次为 split、reversal、batch-total、account-date",
            ));
        }
        for (place, rule) in self.rules.iter().enumerate() {
            let usable = !matches!(rule, Rule::Related | Rule::Hand);
            if !usable || self.rules.iter().take(place).any(|before| before == rule) {
                faults.push(Violation::new(
                    format!("{at}.rules[{place}]"),
                    rule.code(),
                    "each of reference, split, reversal, batch-total, account-date at most once",
                    "reference、split、reversal、batch-total、account-date 各至多一次",
                ));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Whether a rule is in use.
    pub fn uses(&self, rule: Rule) -> bool {
        self.rules.contains(&rule)
    }

    /// The rules as they are kept with a job.
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The digest of [`Rules::canonical`].
    pub fn digest(&self) -> Digest {
        Digest::of(self.canonical().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_kept_as_they_are_read() {
        let rules = Rules::default();
        assert!(rules.check("reconciliation").is_ok());
        assert_eq!(serde_json::from_str::<Rules>(&rules.canonical()).unwrap(), rules);
    }

    #[test]
    fn refuse_other_orders_and_names() {
        let with = |rules: &[Rule]| Rules {
            rules: rules.to_vec(),
            ..Rules::default()
        };
        for wrong in [
            with(&[]),
            with(&[Rule::BatchTotal, Rule::Reference]),
            with(&[Rule::Reference, Rule::Hand]),
            with(&[Rule::Reference, Rule::Split, Rule::Split]),
        ] {
            assert!(wrong.check("reconciliation").is_err(), "{wrong:?}");
        }
        let days = Rules {
            late_days: 400,
            ..Rules::default()
        };
        assert_eq!(days.check("r").unwrap_err()[0].field, "r.late_days");
    }
}
