//! Who pays a part of a subsidy: the cost of one claim may be split between the city and the county.

use super::error::Violation;
use std::fmt;

/// Whose money pays a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payer {
    /// The incentive fund that the city received and issued to the county as quota.
    City,
    /// The county's own money beside it (县级配套).
    County,
}

impl Payer {
    /// All payers, in the order of tables.
    pub const ALL: [Self; 2] = [Self::City, Self::County];

    /// The code used in the API, in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::City => "city",
            Self::County => "county",
        }
    }

    /// The Chinese name.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::City => "市级",
            Self::County => "县级",
        }
    }

    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        Self::ALL
            .into_iter()
            .find(|payer| payer.code() == text)
            .ok_or_else(|| Violation::new(field, text, "city or county", "city(市级)或 county(县级)"))
    }
}

impl fmt::Display for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
