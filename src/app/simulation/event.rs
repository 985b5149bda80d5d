//! What a simulation tells: a head, pieces, an end.

use crate::domain::allocation::{DataRef, FormulaRef};
use crate::domain::digest::Digest;
use crate::domain::error::Bilingual;
use crate::domain::money::Money;
use crate::domain::region::Region;
use crate::domain::simulation::fairness::Fairness;
use crate::domain::simulation::goal::Goal;
use crate::domain::simulation::monte_carlo::Summary;
use crate::domain::simulation::sobol::{Sensitivity, Swing};
use crate::domain::simulation::stability::Stability;
use crate::domain::simulation::{Compared, Refusal};
use rust_decimal::Decimal;

/// What an answer was computed from.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// The formula revision; revision 0 where it was given with the request.
    pub formula: FormulaRef,
    /// Its title.
    pub formula_title: Bilingual,
    /// What in it is illustrative.
    pub illustrative: String,
    /// The data set revision.
    pub data: DataRef,
    /// The pool.
    pub pool: Money,
    /// The base year.
    pub year: i32,
    /// Sources of the data, at most a few.
    pub sources: Vec<String>,
    /// Digest of the base and of what was asked.
    pub input_digest: Digest,
}

/// A region at the head of an answer.
#[derive(Debug, Clone)]
pub struct RegionHead {
    /// The region.
    pub region: Region,
    /// What it gets in the base.
    pub base: Money,
}

/// What every answer begins with.
#[derive(Debug, Clone)]
pub struct Head {
    /// What it is computed from.
    pub provenance: Provenance,
    /// The regions, in code order.
    pub regions: Vec<RegionHead>,
}

/// One scenario of a comparison.
#[derive(Debug, Clone)]
pub struct ScenarioAnswer {
    /// Its name; empty for the base.
    pub name: String,
    /// Its changes in words.
    pub changes: Vec<Bilingual>,
    /// Region by region, or why not.
    pub lines: Result<Vec<Compared>, Refusal>,
    /// Sum of the amounts.
    pub total: Money,
    /// Sum less the sum that it is compared with.
    pub total_change: Money,
    /// Regions that gain.
    pub winners: usize,
    /// Regions that lose.
    pub losers: usize,
}

/// Scenarios side by side.
#[derive(Debug, Clone)]
pub struct ComparisonAnswer {
    /// The head.
    pub head: Head,
    /// The base, then the scenarios.
    pub scenarios: Vec<ScenarioAnswer>,
    /// Digest of the result.
    pub result_digest: Digest,
}

/// An axis as a sweep begins.
#[derive(Debug, Clone)]
pub struct AxisHead {
    /// What is varied.
    pub name: Bilingual,
    /// How many values.
    pub values: u64,
}

/// Points of a sweep.
#[derive(Debug, Clone, Default)]
pub struct Points {
    /// Number of the first.
    pub first: u64,
    /// How many.
    pub count: u32,
    /// Coordinates, point by point.
    pub coordinates: Vec<String>,
    /// Amounts in fen, point by point; -1 where refused.
    pub amounts: Vec<i64>,
    /// Refused points and why.
    pub refused: Vec<(u64, Refusal)>,
}

/// What a sweep did to a region.
#[derive(Debug, Clone)]
pub struct RegionSweep {
    /// The region.
    pub region: Region,
    /// Least amount and the first point that has it; none where every point was refused.
    pub least: Option<(Money, u64)>,
    /// Largest amount and the first point that has it.
    pub largest: Option<(Money, u64)>,
    /// Points in which it has less than in the base.
    pub below_base: u64,
}

/// What a sweep ends with.
#[derive(Debug, Clone)]
pub struct SweepEnd {
    /// Points.
    pub points: u64,
    /// Points refused.
    pub refused: u64,
    /// The regions.
    pub regions: Vec<RegionSweep>,
    /// Digest of the result.
    pub result_digest: Digest,
}

/// What may happen to a region, and why not.
#[derive(Debug, Clone)]
pub struct MonteCarloEnd {
    /// Percentages of the quantiles.
    pub quantiles: Vec<Decimal>,
    /// Samples asked for.
    pub samples: u64,
    /// The seed.
    pub seed: u64,
    /// The domain's summary.
    pub summary: Summary,
    /// The regions, in code order.
    pub regions: Vec<RegionHead>,
    /// Last year's amounts in fen, where they were asked for.
    pub last_year: Option<Vec<i64>>,
    /// What drives the variance, where that was asked for; with the amounts at both ends of each input.
    pub drivers: Option<(Sensitivity, Vec<Swing>)>,
    /// Digest of the result.
    pub result_digest: Digest,
}

/// A goal sought.
#[derive(Debug, Clone)]
pub struct GoalAnswer {
    /// The head.
    pub head: Head,
    /// What was changed.
    pub knob: Bilingual,
    /// The target.
    pub target: Bilingual,
    /// The value in the base.
    pub base_value: Decimal,
    /// What was found.
    pub goal: Goal,
    /// What is measured there.
    pub measured: String,
    /// Digest of the result.
    pub result_digest: Digest,
}

/// How stable ranks are.
#[derive(Debug, Clone)]
pub struct StabilityAnswer {
    /// The head.
    pub head: Head,
    /// What was moved.
    pub knob: Bilingual,
    /// The value in the base.
    pub base_value: Decimal,
    /// The least value looked at.
    pub low: Decimal,
    /// The largest.
    pub high: Decimal,
    /// What was found.
    pub stability: Stability,
    /// Evaluations made.
    pub evaluations: u64,
    /// Digest of the result.
    pub result_digest: Digest,
}

/// Measures of fairness.
#[derive(Debug, Clone)]
pub struct FairnessAnswer {
    /// The head.
    pub head: Head,
    /// The base, whose name is empty, then the scenarios.
    pub results: Vec<(String, Result<Fairness, Refusal>)>,
    /// Digest of the result.
    pub result_digest: Digest,
}

/// What is told.
#[derive(Debug, Clone)]
pub enum Event {
    /// The whole of a comparison.
    Comparison(Box<ComparisonAnswer>),
    /// A sweep begins.
    SweepBegins(Box<Head>, Vec<AxisHead>, u64),
    /// Points.
    Points(Points),
    /// A sweep ends.
    SweepEnds(Box<SweepEnd>),
    /// Samples begin: what is uncertain, and how many evaluations there will be.
    SamplesBegin(Box<Head>, Vec<Bilingual>, u64),
    /// Samples.
    Samples(Points),
    /// Evaluations made, of how many.
    Progress(u64, u64),
    /// Samples end.
    SamplesEnd(Box<MonteCarloEnd>),
    /// A goal.
    Goal(Box<GoalAnswer>),
    /// Stability.
    Stability(Box<StabilityAnswer>),
    /// Fairness.
    Fairness(Box<FairnessAnswer>),
}

/// What remains of an answer once it has been told.
#[derive(Debug, Clone)]
pub struct Answered {
    /// What it was computed from.
    pub provenance: Provenance,
    /// Evaluations made.
    pub evaluations: u64,
    /// Digest of the result.
    pub result_digest: Digest,
    /// The result in a sentence.
    pub summary: Bilingual,
}
