//! What a run computes from.

use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use crate::domain::statistics::{DataSetId, code_type};
use rust_decimal::Decimal;
use std::fmt;

code_type!(
    /// The id of a fund: the money of one year and source, such as `citizenization-2025`.
    FundId,
    |byte| byte.is_ascii_lowercase(),
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-',
    "1 to 63 characters a-z, 0-9 and hyphen, beginning with a letter",
    "1 至 63 个字符,仅限 a-z、0-9 和连字符,以字母开头"
);
code_type!(
    /// The id of a run: a UUID in lower case.
    RunId,
    |byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    |byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) || byte == b'-',
    "the id of an allocation, a UUID in lower case",
    "分配方案编号(小写 UUID)"
);

impl RunId {
    /// The resource name, `allocations/{id}`.
    pub fn resource_name(&self) -> String {
        format!("allocations/{self}")
    }
}

/// What part of the year's money a run allocates.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Stage {
    /// The whole pool, once.
    Full,
    /// A percentage of the pool ahead of time (提前下达), on estimated statistics.
    Advance {
        /// The percentage, above 0, up to 100.
        percent: Decimal,
    },
    /// The whole pool on final statistics (清算); each region gets the difference to its advance, which may be negative.
    Settlement {
        /// The issued advance that is settled.
        advance: RunId,
    },
}

impl Stage {
    /// The code used in the API and in tables.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Advance { .. } => "advance",
            Self::Settlement { .. } => "settlement",
        }
    }

    /// The Chinese name.
    pub const fn zh(&self) -> &'static str {
        match self {
            Self::Full => "全额分配",
            Self::Advance { .. } => "提前下达",
            Self::Settlement { .. } => "清算",
        }
    }

    /// The percentage of an advance.
    pub const fn advance_percent(&self) -> Option<Decimal> {
        match self {
            Self::Advance { percent } => Some(*percent),
            _ => None,
        }
    }
}

/// The formula revision that a run used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FormulaRef {
    /// Its id.
    pub id: String,
    /// Its revision; 0 where the formula was given with the request and not stored.
    pub revision: u32,
    /// Its digest.
    pub digest: Digest,
}

/// The data set revision that a run used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DataRef {
    /// Its id.
    pub id: DataSetId,
    /// Its revision; 0 where the data were given with the request and not stored.
    pub revision: u32,
    /// Its digest.
    pub digest: Digest,
}

/// What a run computes from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RunInputs {
    /// The fund.
    pub fund: FundId,
    /// What part of its money.
    pub stage: Stage,
    /// The pool.
    pub pool: Money,
    /// The base year of the statistics.
    pub year: i32,
    /// The formula.
    pub formula: FormulaRef,
    /// The data.
    pub data: DataRef,
    /// The regions, in code order.
    pub regions: Vec<RegionCode>,
}

impl RunInputs {
    /// The digest of all inputs: the same digest means the same amounts.
    pub fn digest(&self) -> Digest {
        let mut digest = DigestBuilder::new("incentivefund.v1.AllocationInputs");
        digest.field(self.fund.as_str()).field(self.stage.code());
        match &self.stage {
            Stage::Full => {}
            Stage::Advance { percent } => {
                digest.field(&percent.normalize().to_string());
            }
            Stage::Settlement { advance } => {
                digest.field(advance.as_str());
            }
        }
        digest.field(&self.pool.to_string()).field(&self.year.to_string());
        digest
            .field(self.formula.digest.as_str())
            .field(self.data.digest.as_str());
        for region in &self.regions {
            digest.field(region.as_str());
        }
        digest.finish()
    }
}
