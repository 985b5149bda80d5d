//! Areas, statistics and formulas to measure with; the same on every run and machine.

use incentive_fund::domain::error::Violation;
use incentive_fund::domain::formula::document::{BoundText, ComponentText, Document, Exact, LegalBasis};
use incentive_fund::domain::formula::{Formula, Inputs, Pool};
use incentive_fund::domain::money::Money;
use incentive_fund::domain::region::{Region, RegionCode, RegionKind};
use incentive_fund::domain::statistics::{Indicator, IndicatorCode, Observation, Snapshot};
use incentive_fund::domain::unit::Unit;
use rust_decimal::Decimal;

const YEAR: i32 = 2024;

/// Code, unit, smallest value, largest value, decimals, years back.
const INDICATORS: [(&str, &str, u64, u64, u32, i32); 8] = [
    ("settled_new", "person", 120, 48_000, 0, 1),
    ("resident_migrants", "person", 900, 310_000, 0, 0),
    ("pupils", "person", 300, 90_000, 0, 0),
    ("urban_population", "person", 21_000, 1_400_000, 0, 0),
    ("population", "person", 40_000, 1_900_000, 0, 0),
    ("fiscal_coefficient", "ratio", 500, 1_500, 3, 0),
    ("cost_coefficient", "ratio", 8_000, 13_000, 4, 0),
    ("performance", "point", 6_000, 10_000, 2, 0),
];

/// A formula by name: each component's percentage and score.
pub type Shape = (&'static str, &'static [(u32, &'static str)]);

/// Counts, coefficients and a year before, in six shares.
pub const SIX_FACTORS: Shape = (
    "six-factors",
    &[
        (30, "settled_new"),
        (20, "settled_new + 0.5 * settled_new[-1]"),
        (20, "resident_migrants * fiscal_coefficient"),
        (10, "pupils"),
        (10, "urban_population * cost_coefficient"),
        (10, "settled_new * performance"),
    ],
);

/// Everything that an allocation starts from.
pub struct World {
    pub document: Document,
    pub indicators: Vec<Indicator>,
    pub regions: Vec<Region>,
    pub snapshot: Snapshot,
    pub pool: Pool,
}

/// Numbers that look random: the generator MMIX of D. E. Knuth.
struct Random(u64);

impl Random {
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        low + (self.0 >> 33) % (high - low + 1)
    }
}

impl World {
    /// So many areas and one formula over them.
    pub fn new(areas: usize, (id, components): Shape) -> Result<Self, Violation> {
        let regions = (0..areas)
            .map(|at| {
                let code = format!("{:06}", 110_000 + at);
                Ok(Region {
                    code: RegionCode::parse("code", &code)?,
                    name_zh: format!("{code}县"),
                    name_en: format!("Area {code}"),
                    kind: RegionKind::County,
                    parent: None,
                    note: String::new(),
                })
            })
            .collect::<Result<Vec<Region>, Violation>>()?;
        let mut random = Random(20_240_601);
        let mut indicators = Vec::new();
        let mut observations = Vec::new();
        for (code, unit, low, high, decimals, years_back) in INDICATORS {
            let indicator = Indicator {
                code: IndicatorCode::parse("code", code)?,
                name_zh: code.to_owned(),
                name_en: code.to_owned(),
                unit: Unit::parse("unit", unit)?,
                decimals,
                minimum: None,
                maximum: None,
                description: String::new(),
            };
            for year in YEAR - years_back..=YEAR {
                observations.extend(regions.iter().map(|region| Observation {
                    region: region.code.clone(),
                    indicator: indicator.code.clone(),
                    year,
                    value: Decimal::new(random.between(low, high) as i64, decimals),
                    source: "generated".to_owned(),
                    revision: 1,
                }));
            }
            indicators.push(indicator);
        }
        let components = (components.iter().enumerate())
            .map(|(at, (percent, score))| ComponentText {
                id: format!("c{at}"),
                percent: Exact(percent.to_string()),
                score: (*score).to_owned(),
                ..ComponentText::default()
            })
            .collect();
        let document = Document {
            id: id.to_owned(),
            title_zh: id.to_owned(),
            legal_basis: LegalBasis {
                document: "benchmark".to_owned(),
                ..LegalBasis::default()
            },
            components,
            ..Document::default()
        };
        Ok(Self {
            document,
            indicators,
            regions,
            snapshot: Snapshot::new(observations),
            pool: Pool {
                total: Money::from_fen(123_456_789_012).unwrap_or_default(),
                advance_percent: None,
            },
        })
    }

    /// The same by another method of rounding.
    #[must_use]
    pub fn with_method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.document.rounding.method);
        self
    }

    /// The same with a floor and a cap on the amount per head, which hold about a fifth of the areas.
    #[must_use]
    pub fn with_bounds(mut self) -> Self {
        let fair = self.pool.total.fen() / 100 / self.regions.len() as i64;
        let bound = |kind: &str, yuan: i64| BoundText {
            kind: kind.to_owned(),
            basis: "absolute".to_owned(),
            amount: Exact(yuan.to_string()),
            ..BoundText::default()
        };
        self.document.bounds = vec![bound("floor", fair * 2 / 3), bound("cap", fair * 4 / 3)];
        self
    }

    pub fn formula(&self) -> Result<Formula, Vec<Violation>> {
        Formula::check(self.document.clone(), &self.indicators)
    }

    pub fn bind(&self, formula: &Formula) -> Result<Inputs<'_>, Vec<Violation>> {
        Inputs::bind(formula, &self.snapshot, &self.indicators, &self.regions, YEAR)
    }
}
