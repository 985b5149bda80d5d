//! Whole units from exact quotas: the one place where an allocation is rounded.
//!
//! Given exact quotas that sum to a whole number of units, each method returns whole numbers that
//! sum to the same. Ties go to the larger quota, then to the lower position (regions stand in code
//! order, so: to the lower region code).
//!
//! Source for all methods: M. L. Balinski and H. P. Young, *Fair Representation: Meeting the Ideal
//! of One Man, One Vote*, 2nd ed., Brookings 2001, appendix A; with lower and upper limits as there
//! in section "Minimum and maximum requirements".

mod divisor;
mod remainder;

pub use remainder::residual_order;

use super::error::Violation;
use super::exact::Fraction;
use super::exact::enclosure::Enclosure;
use std::cmp::Ordering;
use std::fmt;
use std::sync::OnceLock;

/// A rule that turns exact quotas into whole units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Largest remainder (Hamilton, Hare-Niemeyer): the floor, then one unit each to the largest remainders.
    #[default]
    LargestRemainder,
    /// Webster, Sainte-Laguë: divisor method that rounds at the arithmetic mean.
    Webster,
    /// Huntington-Hill, equal proportions: divisor method that rounds at the geometric mean.
    HuntingtonHill,
    /// Jefferson, D'Hondt: divisor method that rounds down.
    Jefferson,
    /// Adams: divisor method that rounds up.
    Adams,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 5] = [
        Self::LargestRemainder,
        Self::Webster,
        Self::HuntingtonHill,
        Self::Jefferson,
        Self::Adams,
    ];

    /// The code used in documents and in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::LargestRemainder => "largest_remainder",
            Self::Webster => "webster",
            Self::HuntingtonHill => "huntington_hill",
            Self::Jefferson => "jefferson",
            Self::Adams => "adams",
        }
    }

    /// The Chinese name.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::LargestRemainder => "最大余额法",
            Self::Webster => "圣拉古(韦伯斯特)法",
            Self::HuntingtonHill => "亨廷顿-希尔法",
            Self::Jefferson => "洪德(杰斐逊)法",
            Self::Adams => "亚当斯法",
        }
    }

    /// Reads a code; `sainte_lague` and `dhondt` are read as the other names of their methods.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        match text {
            "sainte_lague" => Ok(Self::Webster),
            "dhondt" => Ok(Self::Jefferson),
            _ => Self::ALL
                .into_iter()
                .find(|method| method.code() == text)
                .ok_or_else(|| {
                    let codes = Self::ALL.map(Self::code).join(", ");
                    Violation::new(
                        field,
                        text,
                        format!("one of {codes}"),
                        format!("下列之一:{codes}"),
                    )
                }),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Exact quotas in units, each with an enclosure. They must sum to the whole total.
pub trait Quotas {
    /// How many there are.
    fn rows(&self) -> usize;
    /// An interval that contains the quota of a row.
    fn enclosure(&self, row: usize) -> Enclosure;
    /// The quota of a row.
    fn exact(&self, row: usize) -> Fraction;
}

/// The least and the most that a row may receive, in whole units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The least.
    pub low: i64,
    /// The most.
    pub high: i64,
}

/// The units of each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apportionment {
    /// Whole units, in row order.
    pub units: Vec<i64>,
    /// How far each row's units are from the floor of its quota: 1 where a residual unit was given.
    pub residual: Vec<i64>,
}

/// Why a method has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsolvable {
    /// The method gives every row with a quota at least one unit, and there are fewer units than rows.
    #[error("the method gives each of {rows} regions at least one unit and there are {units}")]
    TooFewUnits {
        /// Rows with a quota above zero.
        rows: usize,
        /// Units to give.
        units: i64,
    },
    /// The limits leave no room for the total.
    #[error("the limits leave no room for {units} units")]
    Limits {
        /// Units to give.
        units: i64,
    },
    /// A quota lies outside what can be represented.
    #[error("a quota is out of range")]
    Range,
}

/// Apportions `total` units by `method`.
///
/// `limits` holds one entry for each row; each quota must lie within its row's limits.
pub fn apportion(
    method: Method,
    total: i64,
    quotas: &impl Quotas,
    limits: &[Limits],
) -> Result<Apportionment, Unsolvable> {
    let rows = Rows::new(quotas).ok_or(Unsolvable::Range)?;
    let units = match method {
        Method::LargestRemainder => remainder::apportion(total, &rows)?,
        _ => divisor::apportion(method, total, &rows, limits)?,
    };
    let residual = units
        .iter()
        .zip(&rows.floors)
        .map(|(units, floor)| units - floor)
        .collect();
    Ok(Apportionment { units, residual })
}

/// Quotas with their floors, and exact values kept once computed.
struct Rows<'q, Q> {
    quotas: &'q Q,
    floors: Vec<i64>,
    /// Made with the first exact value that is asked for: mostly none is.
    exact: OnceLock<Vec<OnceLock<Fraction>>>,
}

impl<'q, Q: Quotas> Rows<'q, Q> {
    fn new(quotas: &'q Q) -> Option<Self> {
        let mut rows = Self {
            quotas,
            floors: Vec::new(),
            exact: OnceLock::new(),
        };
        let floor = |row: usize| {
            let enclosed = quotas.enclosure(row).floor();
            enclosed.or_else(|| rows.exact(row).floor_i64())
        };
        rows.floors = (0..quotas.rows()).map(floor).collect::<Option<Vec<i64>>>()?;
        Some(rows)
    }

    fn exact(&self, row: usize) -> &Fraction {
        let rows = || (0..self.quotas.rows()).map(|_| OnceLock::new()).collect();
        self.exact.get_or_init(rows)[row].get_or_init(|| self.quotas.exact(row))
    }

    /// An interval that contains what the quota is above its floor.
    fn remainder(&self, row: usize) -> Enclosure {
        self.quotas.enclosure(row).above(self.floors[row])
    }

    /// Orders two rows by quota, then position: the one that wins a tie comes first.
    fn tie(&self, a: usize, b: usize) -> Ordering {
        let by_enclosure = self.quotas.enclosure(b).order(self.quotas.enclosure(a));
        by_enclosure
            .unwrap_or_else(|| self.exact(b).cmp(self.exact(a)))
            .then(a.cmp(&b))
    }
}
