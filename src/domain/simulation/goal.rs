//! Goal seek: the smallest change of one knob that meets a target.
//!
//! See [`super::grid`] for how values are searched and when the answer is certain. Where no value of the grid
//! meets the target, the answer is the value that comes nearest.

use super::grid::{Direction, Grid, Search};
use super::model::Model;
use super::scenario::{Refusal, Setting};
use crate::domain::error::Violation;
use crate::domain::exact::{BigInt, Fraction, rational};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// What is to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A region has at least so many fen.
    AtLeast {
        /// The region's row.
        region: usize,
        /// The amount.
        fen: i64,
    },
    /// A region has at most so many fen.
    AtMost {
        /// The region's row.
        region: usize,
        /// The amount.
        fen: i64,
    },
    /// A region's part of all amounts is at least so many percent.
    ShareAtLeast {
        /// The region's row.
        region: usize,
        /// Percent.
        percent: Decimal,
    },
    /// A region's part of all amounts is at most so many percent.
    ShareAtMost {
        /// The region's row.
        region: usize,
        /// Percent.
        percent: Decimal,
    },
    /// A region has at least so many times what another has, or per head where heads are given.
    RatioAtLeast {
        /// The region's row.
        region: usize,
        /// The other's row.
        to: usize,
        /// How many times.
        ratio: Decimal,
        /// The heads of both.
        heads: Option<(Decimal, Decimal)>,
    },
    /// The largest amount per head is at most so many times the least.
    PerHeadRange {
        /// The heads of each region, above zero.
        heads: Vec<Decimal>,
        /// How many times.
        ratio: Decimal,
    },
    /// No region has less than so many percent below this.
    NoLoserBeyond {
        /// What each region is compared with, in fen.
        against: Vec<i64>,
        /// Percent.
        percent: Decimal,
    },
}

/// A value of the knob and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The value.
    pub value: Decimal,
    /// The amounts, in fen.
    pub amounts: Vec<i64>,
    /// How far it is from the target: at most zero where it is met. In fen, or for [`Target::PerHeadRange`] in fen a head.
    pub shortfall: Fraction,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// Whether the target is met.
    pub met: bool,
    /// The value nearest to the present one that meets it (of two equally near, the smaller); or, where none does,
    /// the one of the least shortfall among those computed.
    pub point: Point,
    /// How sure that is.
    pub search: Search,
    /// Values computed.
    pub evaluated: u64,
    /// Values for which the formula has no amounts.
    pub refused: u64,
}

fn over_hundred(percent: Decimal) -> Fraction {
    Fraction::from(rational(percent) / rational(Decimal::ONE_HUNDRED))
}

fn per_head(fen: i64, heads: Decimal) -> Fraction {
    Fraction::whole(fen).over(&Fraction::from(rational(heads)))
}

impl Target {
    /// Refuses a target that does not fit so many regions.
    pub fn check(&self, regions: usize) -> Result<(), Refusal> {
        let mut wrong = Vec::new();
        let mut row = |field: &str, row: usize| {
            if row >= regions {
                wrong.push(Violation::new(
                    field,
                    row.to_string(),
                    "a region that takes part in the run",
                    "参与本次分配的地区",
                ));
            }
        };
        match self {
            Self::AtLeast { region, .. }
            | Self::AtMost { region, .. }
            | Self::ShareAtLeast { region, .. }
            | Self::ShareAtMost { region, .. } => row("target.region", *region),
            Self::RatioAtLeast { region, to, .. } => {
                row("target.region", *region);
                row("target.to", *to);
            }
            Self::PerHeadRange { .. } | Self::NoLoserBeyond { .. } => {}
        }
        let mut each = |field: &str, found: usize| {
            if found != regions {
                wrong.push(Violation::new(
                    field,
                    found.to_string(),
                    format!("one number for each of {regions} regions"),
                    format!("{regions} 个地区各一个数"),
                ));
            }
        };
        match self {
            Self::PerHeadRange { heads, .. } => each("target.heads", heads.len()),
            Self::NoLoserBeyond { against, .. } => each("target.against", against.len()),
            _ => {}
        }
        let heads = match self {
            Self::PerHeadRange { heads, .. } => heads.clone(),
            Self::RatioAtLeast {
                heads: Some((a, b)), ..
            } => vec![*a, *b],
            _ => Vec::new(),
        };
        if let Some(none) = heads.iter().find(|heads| **heads <= Decimal::ZERO) {
            wrong.push(Violation::new(
                "target.heads",
                none.to_string(),
                "more than zero heads in every region",
                "各地区人数均大于零",
            ));
        }
        if let Self::ShareAtLeast { percent, .. }
        | Self::ShareAtMost { percent, .. }
        | Self::NoLoserBeyond { percent, .. } = self
            && !(Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(percent)
        {
            wrong.push(Violation::new(
                "target.percent",
                percent.to_string(),
                "a percentage from 0 to 100",
                "0 至 100 的百分数",
            ));
        }
        if let Self::RatioAtLeast { ratio, .. } | Self::PerHeadRange { ratio, .. } = self
            && *ratio <= Decimal::ZERO
        {
            wrong.push(Violation::new(
                "target.ratio",
                ratio.to_string(),
                "a ratio above zero",
                "大于零的比值",
            ));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// How far amounts are from the target: at most zero where they meet it, exact.
    pub fn shortfall(&self, amounts: &[i64]) -> Fraction {
        let fen = |region: usize| amounts.get(region).copied().unwrap_or_default();
        let share = |percent: &Decimal| {
            let sum: i128 = amounts.iter().map(|amount| i128::from(*amount)).sum();
            Fraction::whole(BigInt::from(sum)).times(&over_hundred(*percent))
        };
        match self {
            Self::AtLeast { region, fen: least } => {
                Fraction::whole(i128::from(*least) - i128::from(fen(*region)))
            }
            Self::AtMost { region, fen: most } => {
                Fraction::whole(i128::from(fen(*region)) - i128::from(*most))
            }
            Self::ShareAtLeast { region, percent } => share(percent).minus(&Fraction::whole(fen(*region))),
            Self::ShareAtMost { region, percent } => Fraction::whole(fen(*region)).minus(&share(percent)),
            Self::RatioAtLeast {
                region,
                to,
                ratio,
                heads,
            } => {
                // Of `region` what it would need to have the ratio, per head or as it is.
                let mut needed = Fraction::whole(fen(*to)).times(&Fraction::from(rational(*ratio)));
                if let Some((own, other)) = heads {
                    needed = needed.times(&Fraction::from(rational(*own) / rational(*other)));
                }
                needed.minus(&Fraction::whole(fen(*region)))
            }
            Self::PerHeadRange { heads, ratio } => {
                let mut ends: Option<(Fraction, Fraction)> = None;
                for (amount, heads) in amounts.iter().zip(heads) {
                    let value = per_head(*amount, *heads);
                    ends = Some(match ends {
                        None => (value.clone(), value),
                        Some((least, largest)) => (least.min(value.clone()), largest.max(value)),
                    });
                }
                ends.map_or_else(
                    || Fraction::whole(0),
                    |(least, largest)| largest.minus(&least.times(&Fraction::from(rational(*ratio)))),
                )
            }
            Self::NoLoserBeyond { against, percent } => {
                let kept = Fraction::whole(1).minus(&over_hundred(*percent));
                amounts
                    .iter()
                    .zip(against)
                    .map(|(amount, against)| {
                        Fraction::whole(*against)
                            .times(&kept)
                            .minus(&Fraction::whole(*amount))
                    })
                    .max()
                    .unwrap_or_else(|| Fraction::whole(0))
            }
        }
    }
}

/// Whether a shortfall is none.
fn is_met(shortfall: &Fraction) -> bool {
    shortfall.numerator <= BigInt::from(0)
}

/// Evaluates values of the knob and remembers the one that comes nearest.
struct Seeker<'a, M> {
    grid: &'a Grid,
    knob: usize,
    settings: Vec<Setting>,
    target: &'a Target,
    model: &'a mut M,
    best: Option<(Point, u64, Direction)>,
    evaluated: u64,
    refused: u64,
    first_refusal: Option<Refusal>,
}

impl<M: Model> Seeker<'_, M> {
    fn point(&mut self, direction: Direction, steps: u64) -> Option<Point> {
        let value = self.grid.value(direction, steps);
        self.settings.truncate(self.settings.len().saturating_sub(1));
        self.settings.push((self.knob, value));
        self.evaluated += 1;
        match self.model.amounts(&self.settings) {
            Ok(amounts) => Some(Point {
                value,
                shortfall: self.target.shortfall(amounts),
                amounts: amounts.to_vec(),
            }),
            Err(refusal) => {
                self.refused += 1;
                self.first_refusal.get_or_insert(refusal);
                None
            }
        }
    }

    fn meets(&mut self, direction: Direction, steps: u64) -> bool {
        let Some(point) = self.point(direction, steps) else {
            return false;
        };
        let met = is_met(&point.shortfall);
        let better =
            self.best
                .as_ref()
                .is_none_or(|(best, away, _)| match point.shortfall.cmp(&best.shortfall) {
                    Ordering::Less => true,
                    Ordering::Equal => (steps, point.value) < (*away, best.value),
                    Ordering::Greater => false,
                });
        if better {
            self.best = Some((point, steps, direction));
        }
        met
    }

    /// Where a long grid was only scanned: looks for less around the best value, ever closer.
    fn approach(&mut self, mut distance: u64) {
        while distance > 1 {
            let Some((_, at, direction)) = self.best.clone() else {
                return;
            };
            let most = self.grid.count(direction).unwrap_or(0);
            let finer = distance.div_ceil(16).max(1);
            let mut steps = at.saturating_sub(distance);
            while steps <= at.saturating_add(distance).min(most) {
                self.meets(direction, steps);
                steps += finer;
            }
            distance = if finer == 1 { 1 } else { finer };
        }
    }
}

/// Seeks the smallest change of one knob that meets a target; `fixed` are settings of other knobs.
///
/// An error where the grid or the target is none, or where no value of the grid has amounts.
pub fn seek(
    grid: &Grid,
    knob: usize,
    fixed: &[Setting],
    target: &Target,
    model: &mut impl Model,
) -> Result<Goal, Refusal> {
    grid.check("grid")?;
    let mut settings = fixed.to_vec();
    settings.push((knob, grid.start));
    if let Ok(amounts) = model.amounts(&settings) {
        target.check(amounts.len())?;
    }
    let mut seeker = Seeker {
        grid,
        knob,
        settings,
        target,
        model,
        best: None,
        evaluated: 0,
        refused: 0,
        first_refusal: None,
    };
    let mut answer: Option<(Direction, u64)> =
        seeker.meets(Direction::Down, 0).then_some((Direction::Down, 0));
    let mut search = Search::Walked;
    if answer.is_none() {
        let down = grid.count(Direction::Down).unwrap_or(0);
        let found = grid.first(down, |steps| seeker.meets(Direction::Down, steps));
        search = worse(search, found.search);
        answer = found.steps.map(|steps| (Direction::Down, steps));
        // Upwards only as far as it would be the smaller change.
        let nearer = found.steps.map_or(u64::MAX, |steps| steps - 1);
        let up = grid.count(Direction::Up).unwrap_or(0).min(nearer);
        let found = grid.first(up, |steps| seeker.meets(Direction::Up, steps));
        search = worse(search, found.search);
        answer = found.steps.map(|steps| (Direction::Up, steps)).or(answer);
    }
    if let (None, Search::Scanned(distance)) = (answer, search) {
        seeker.approach(distance);
    }
    let point = match answer {
        Some((direction, steps)) => seeker.point(direction, steps),
        None => seeker.best.take().map(|(point, ..)| point),
    };
    let Some(point) = point else {
        return Err(seeker.first_refusal.unwrap_or_default());
    };
    Ok(Goal {
        met: is_met(&point.shortfall),
        point,
        search,
        evaluated: seeker.evaluated,
        refused: seeker.refused,
    })
}

/// The less sure of two searches.
pub(super) fn worse(a: Search, b: Search) -> Search {
    match (a, b) {
        (Search::Scanned(a), Search::Scanned(b)) => Search::Scanned(a.max(b)),
        (Search::Walked, other) | (other, Search::Walked) => other,
    }
}
