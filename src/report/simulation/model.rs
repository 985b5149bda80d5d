//! What a report shows: plain, owned values that somebody else has computed. Nothing here is derived again,
//! so a report cannot say something else than the service did.

use crate::domain::error::Bilingual;
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use rust_decimal::Decimal;

/// The language a report opens in. It holds both; the reader switches in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Simplified Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

impl Language {
    /// Both, the product's first one first.
    pub const ALL: [Self; 2] = [Self::Zh, Self::En];

    /// The sentence in this language.
    pub fn of(self, sentence: &Bilingual) -> &str {
        match self {
            Self::Zh => &sentence.zh,
            Self::En => &sentence.en,
        }
    }

    /// One of two words.
    pub(super) const fn say<'w>(self, en: &'w str, zh: &'w str) -> &'w str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// The language's tag (BCP 47).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-Hans",
            Self::En => "en",
        }
    }

    /// What ids in the page begin with, so that they are unique with both languages in it.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }
}

/// One report. Sections that are empty are left out of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulationReport {
    /// Its heading.
    pub title: Bilingual,
    /// A sentence or two beneath the heading; may be empty.
    pub summary: Bilingual,
    /// Where the figures are made up, the sentence that says so: shown at the top, and marked on each printed page.
    pub illustrative: Option<Bilingual>,
    /// The name of the base that scenarios are compared with, such as `2024 formula, pool 86,000,000`.
    pub base: Bilingual,
    /// The money shared out in the base.
    pub pool: Money,
    /// What `per_head` counts, such as `per migrant settled`.
    pub per_head_of: Bilingual,
    /// The regions with their base amounts, in the order in which the report lists them everywhere.
    pub regions: Vec<RegionLine>,
    /// Scenarios side by side.
    pub scenarios: Vec<ScenarioSection>,
    /// Matrices of sweeps.
    pub sweeps: Vec<SweepSection>,
    /// Uncertain statistics.
    pub monte_carlo: Option<MonteCarloSection>,
    /// What drives a result, a section for each result.
    pub drivers: Vec<DriverSection>,
    /// Goals sought.
    pub goals: Vec<GoalLine>,
    /// How far weights can move.
    pub stability: Vec<StabilityLine>,
    /// Lorenz curves, such as one of the base and one of each scenario.
    pub lorenz: Vec<LorenzCurve>,
    /// Measures of fairness.
    pub fairness: Option<FairnessSection>,
    /// Where everything comes from.
    pub provenance: Provenance,
}

/// A region and what it gets in the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionLine {
    /// Its code.
    pub code: RegionCode,
    /// Its name.
    pub name: Bilingual,
    /// The base amount.
    pub amount: Money,
    /// The base amount per head; none where nobody is counted.
    pub per_head: Option<Money>,
    /// What it had last year, where that is known.
    pub last_year: Option<Money>,
}

/// One scenario against the base (or against another one, named in `against`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioSection {
    /// Its name.
    pub name: Bilingual,
    /// What it changes, a sentence for each change.
    pub changes: Vec<Bilingual>,
    /// What it is compared with; none means the base.
    pub against: Option<Bilingual>,
    /// What comes out, one for each region in the order of [`SimulationReport::regions`].
    pub outcomes: Vec<Outcome>,
}

/// What one region gets in a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The amount.
    pub amount: Money,
    /// The amount less that which it is compared with.
    pub change: Money,
    /// The change in percent of that which it is compared with; none where that is zero.
    pub change_percent: Option<Decimal>,
    /// The amount per head; none where nobody is counted.
    pub per_head: Option<Money>,
    /// The place by amount, 1 for the largest.
    pub rank: u32,
}

/// A matrix: one measure over two axes. A sweep over one axis puts the regions on the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepSection {
    /// What the matrix shows, such as `Amount of Yuzhou`.
    pub title: Bilingual,
    /// The axis across.
    pub across: SweepAxis,
    /// The axis down.
    pub down: SweepAxis,
    /// A row for each value down, with a cell for each value across.
    pub cells: Vec<Vec<Measure>>,
    /// The cell (down, across) that is the base, if the grid has it.
    pub base: Option<(usize, usize)>,
}

/// An axis of a matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepAxis {
    /// What changes along it, such as `Weight of settled residents, %`.
    pub name: Bilingual,
    /// Its values.
    pub values: Vec<AxisValue>,
}

/// One value on an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AxisValue {
    /// A number.
    Number(Decimal),
    /// A name, such as that of a region.
    Name(Bilingual),
}

/// What one cell of a matrix, or a goal, comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// An amount.
    Money(Money),
    /// A change of an amount: shown with its sign, and coloured by it.
    Change(Money),
    /// Any other number.
    Number(Decimal),
    /// Refused: there is no allocation at this point, such as where bounds contradict each other.
    Refused,
}

/// Quantiles of amounts over samples of uncertain statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonteCarloSection {
    /// How many samples.
    pub samples: u64,
    /// What was uncertain, a sentence for each distribution.
    pub assumptions: Vec<Bilingual>,
    /// One for each region in the order of [`SimulationReport::regions`].
    pub regions: Vec<Spread>,
}

/// How the amount of one region spreads. The quantiles do not decrease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// The 5 % quantile.
    pub p5: Money,
    /// The 25 % quantile.
    pub p25: Money,
    /// The median.
    pub p50: Money,
    /// The 75 % quantile.
    pub p75: Money,
    /// The 95 % quantile.
    pub p95: Money,
    /// The probability of falling below last year, in percent; none where last year is not known.
    pub below_last_year: Option<Decimal>,
    /// The probability of falling below the base, in percent.
    pub below_base: Option<Decimal>,
}

/// What drives one result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverSection {
    /// Which result, such as `Amount of Yuzhou`.
    pub result: Bilingual,
    /// The result in the base.
    pub base: Money,
    /// The inputs, in any order: the report puts the strongest first.
    pub drivers: Vec<Driver>,
}

/// One input that drives a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// Its name.
    pub input: Bilingual,
    /// First-order Sobol index, a share of the variance (estimates may be a little below zero).
    pub first_order: Option<Decimal>,
    /// Total Sobol index.
    pub total: Option<Decimal>,
    /// The result with this input at the low and at the high end, all others at their base.
    pub swing: Option<Swing>,
}

/// A result with an input at its two ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swing {
    /// The low end of the input, such as `2,950 (−5 %)`; may be empty.
    pub low_at: String,
    /// The result there.
    pub low: Money,
    /// The high end of the input; may be empty.
    pub high_at: String,
    /// The result there.
    pub high: Money,
}

/// A goal, and the smallest change that meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoalLine {
    /// What was to be met, such as `Yanling gets at least 7,250,000.00`.
    pub target: Bilingual,
    /// What was changed for it, such as `Percentage of settled residents`.
    pub knob: Bilingual,
    /// Its value in the base.
    pub from: Decimal,
    /// The value found: the one that meets the goal, or the best where none does.
    pub to: Decimal,
    /// What is reached there.
    pub reached: Measure,
    /// Whether that meets the goal.
    pub met: bool,
}

/// How far one weight can move before any two regions change places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StabilityLine {
    /// The weight.
    pub knob: Bilingual,
    /// Its value in the base.
    pub at: Decimal,
    /// The nearest value below at which ranks change, with who changes places; none: not within the limits tried.
    pub down: Option<RankChange>,
    /// The nearest value above.
    pub up: Option<RankChange>,
    /// The least value tried.
    pub least: Decimal,
    /// The greatest value tried.
    pub greatest: Decimal,
}

/// Where two regions change places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankChange {
    /// The value of the weight.
    pub at: Decimal,
    /// Who changes places, such as `Yuzhou and Changge`.
    pub who: Bilingual,
}

/// A Lorenz curve of money over people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LorenzCurve {
    /// Whose curve: the base or a scenario.
    pub name: Bilingual,
    /// Cumulative shares of people and of money, both from 0 to 1 and not decreasing, from (0, 0) to (1, 1).
    pub points: Vec<(Decimal, Decimal)>,
    /// Its Gini coefficient.
    pub gini: Decimal,
}

/// Measures of fairness, a column for the base and for each scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FairnessSection {
    /// The columns.
    pub columns: Vec<Bilingual>,
    /// The measures.
    pub metrics: Vec<FairnessMetric>,
}

/// One measure of fairness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FairnessMetric {
    /// Its name.
    pub name: Bilingual,
    /// How to read it, and where it comes from.
    pub note: Bilingual,
    /// A value for each column; none where it is not defined.
    pub values: Vec<Option<Decimal>>,
}

/// Where the figures come from: enough to compute them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Resource name of the stored simulation, if it is stored.
    pub simulation: Option<String>,
    /// The formula.
    pub formula: Source,
    /// The data set.
    pub data_set: Source,
    /// The year of the statistics.
    pub year: i32,
    /// The seed of the samples, where there are any.
    pub seed: Option<u64>,
    /// Digest of the results.
    pub result_digest: Option<String>,
    /// Program and version.
    pub program: String,
    /// What else there is to say, such as who ran it and when, policy documents, sources of statistics.
    pub facts: Vec<Fact>,
}

/// An immutable input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its title for people; may be empty.
    pub title: Bilingual,
    /// Its resource name.
    pub name: String,
    /// Its revision.
    pub revision: u64,
    /// Its digest.
    pub digest: String,
}

/// One more line of the provenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub label: Bilingual,
    /// What it says.
    pub value: Bilingual,
}
