//! Floors and caps, solved exactly by proportional refill.
//!
//! The answer is the one factor `f` for which the amounts `min(max(f * amount, floor), cap)` sum to
//! the total. It is found by fixing regions at their bounds, round by round: when lifting those
//! below their floor takes more than cutting those above their cap gives, the former are fixed,
//! otherwise the latter, and the others are scaled to what is left. Each round fixes regions that
//! stay fixed in the answer, so the rounds end. (The same scheme resolves flexible lengths in
//! CSS Flexible Box Layout, section 9.7; its optimality for this problem: G. R. Bitran and
//! A. C. Hax, *Disaggregation and Resource Allocation Using Convex Knapsack Problems*, 1981.)

use crate::domain::apportion::{Limits, Quotas};
use crate::domain::exact::amounts::Amounts;
use crate::domain::exact::enclosure::{Enclosure, Multiplier, PLACES};
use crate::domain::exact::{BigInt, Fraction};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::OnceLock;

/// Where a region's amount ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Between its bounds.
    Free,
    /// At its floor.
    Floor,
    /// At its cap.
    Cap,
}

/// Why no factor exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Infeasible {
    /// The floors sum to more than the total.
    Floors(i128),
    /// The caps sum to less than the total; regions without any score count with their floor.
    Caps(i128),
}

/// Quotas that keep to their limits and sum to the total.
#[derive(Debug)]
pub struct Filled<'a> {
    amounts: &'a Amounts,
    limits: Vec<Limits>,
    placements: Vec<Placement>,
    enclosures: Cow<'a, [Enclosure]>,
    /// Free regions whose amount is exactly one of their bounds.
    on_bound: Vec<usize>,
    factor: Option<Factor<'a>>,
    rounds: usize,
}

/// What the free amounts are multiplied by: what is left for them, over their sum.
#[derive(Debug)]
struct Factor<'a> {
    left: i64,
    sum: FreeSum<'a>,
}

/// The sum of the free amounts, computed exactly only when needed.
#[derive(Debug)]
struct FreeSum<'a> {
    amounts: &'a Amounts,
    free: Vec<usize>,
    exact: OnceLock<Fraction>,
}

impl FreeSum<'_> {
    fn exact(&self) -> &Fraction {
        self.exact.get_or_init(|| self.amounts.exact_sum(&self.free))
    }

    /// Encloses `left / sum`.
    fn multiplier(&self, left: i64) -> Option<Multiplier> {
        let left = Fraction::whole(left);
        if let Some(sum) = self.exact.get() {
            if sum.is_zero() {
                return None;
            }
            let factor = left.over(sum);
            return Multiplier::between(&factor, &factor, 0);
        }
        let sum = self
            .free
            .iter()
            .fold(Enclosure::ZERO, |sum, row| sum.plus(self.amounts.enclosure(*row)));
        if sum.low == 0 || sum == Enclosure::UNKNOWN {
            return None;
        }
        let end = |bits: u128| left.over(&Fraction::new(BigInt::from(bits), BigInt::from(1) << PLACES));
        Multiplier::between(&end(sum.high), &end(sum.low), 0)
    }
}

/// Fits `amounts`, whose exact sum is `payable`, to `total` whole units within `limits`.
pub fn fill(
    amounts: &Amounts,
    payable: Fraction,
    total: i64,
    limits: Vec<Limits>,
) -> Result<Filled<'_>, Infeasible> {
    let rows = amounts.rows();
    let unbounded = limits.iter().all(|limit| limit.low <= 0 && limit.high >= total);
    if unbounded && payable == Fraction::whole(total) {
        let enclosures = Cow::Borrowed(amounts.enclosures());
        return Ok(Filled {
            amounts,
            limits,
            placements: vec![Placement::Free; rows],
            enclosures,
            on_bound: Vec::new(),
            factor: None,
            rounds: 0,
        });
    }
    let positive: Vec<bool> = (0..rows).map(|row| !amounts.is_zero(row)).collect();
    let floors: i128 = limits.iter().map(|limit| i128::from(limit.low)).sum();
    let reach = |row: usize| {
        i128::from(if positive[row] {
            limits[row].high
        } else {
            limits[row].low
        })
    };
    let caps: i128 = (0..rows).map(reach).sum();
    if floors > i128::from(total) {
        return Err(Infeasible::Floors(floors));
    }
    if caps < i128::from(total) {
        return Err(Infeasible::Caps(caps));
    }
    let mut placements: Vec<Placement> = (0..rows)
        .map(|row| {
            if positive[row] {
                Placement::Free
            } else {
                Placement::Floor
            }
        })
        .collect();
    let mut enclosures: Vec<Enclosure> = limits.iter().map(|limit| Enclosure::whole(limit.low)).collect();
    let mut known = Some(payable);
    let mut rounds = 0;
    loop {
        let free: Vec<usize> = (0..rows)
            .filter(|row| placements[*row] == Placement::Free)
            .collect();
        let fixed: i64 = (0..rows)
            .map(|row| fixed_units(placements[row], limits[row]))
            .sum();
        let sum = FreeSum {
            amounts,
            free,
            exact: known.take().map_or_else(OnceLock::new, OnceLock::from),
        };
        let left = total - fixed;
        let round = Round::new(amounts, &limits, &sum, left);
        let (low, high) = (&round.low, &round.high);
        let settled = low.is_empty() && high.is_empty();
        let balance = if settled { Ordering::Equal } else { round.balance() };
        if !settled {
            rounds += 1;
        }
        if balance.is_ge() {
            fix(low, Placement::Floor, &limits, &mut placements, &mut enclosures);
        }
        if balance.is_le() {
            fix(high, Placement::Cap, &limits, &mut placements, &mut enclosures);
        }
        if balance.is_eq() {
            for (row, enclosure) in &round.enclosures {
                if placements[*row] == Placement::Free {
                    enclosures[*row] = *enclosure;
                }
            }
            let on_bound = round.on_bound;
            // Lifting and cutting even out: those left over keep the factor of this round.
            return Ok(Filled {
                amounts,
                limits,
                placements,
                enclosures: Cow::Owned(enclosures),
                on_bound,
                factor: Some(Factor { left, sum }),
                rounds,
            });
        }
    }
}

fn fixed_units(placement: Placement, limits: Limits) -> i64 {
    match placement {
        Placement::Free => 0,
        Placement::Floor => limits.low,
        Placement::Cap => limits.high,
    }
}

fn fix(
    rows: &[usize],
    to: Placement,
    limits: &[Limits],
    placements: &mut [Placement],
    enclosures: &mut [Enclosure],
) {
    for row in rows {
        placements[*row] = to;
        enclosures[*row] = Enclosure::whole(fixed_units(to, limits[*row]));
    }
}

/// One round: the free amounts scaled to what is left, and who breaks a bound.
struct Round<'r, 'a> {
    limits: &'r [Limits],
    sum: &'r FreeSum<'a>,
    amounts: &'a Amounts,
    left: i64,
    enclosures: Vec<(usize, Enclosure)>,
    low: Vec<usize>,
    high: Vec<usize>,
    on_bound: Vec<usize>,
}

impl<'r, 'a> Round<'r, 'a> {
    fn new(amounts: &'a Amounts, limits: &'r [Limits], sum: &'r FreeSum<'a>, left: i64) -> Self {
        let multiplier = sum.multiplier(left);
        let scaled = |row: usize| {
            multiplier.as_ref().map_or(Enclosure::UNKNOWN, |multiplier| {
                amounts.enclosure(row).times(multiplier)
            })
        };
        let mut round = Self {
            limits,
            sum,
            amounts,
            left,
            enclosures: sum.free.iter().map(|row| (*row, scaled(*row))).collect(),
            low: Vec::new(),
            high: Vec::new(),
            on_bound: Vec::new(),
        };
        for (row, enclosure) in &round.enclosures {
            let order = |limit: i64| {
                let decided = enclosure.order(Enclosure::whole(limit));
                decided.unwrap_or_else(|| round.exact(*row).cmp(&Fraction::whole(limit)))
            };
            match order(limits[*row].low) {
                Ordering::Less => round.low.push(*row),
                over_low => match order(limits[*row].high) {
                    Ordering::Greater => round.high.push(*row),
                    under_high if over_low.is_eq() || under_high.is_eq() => round.on_bound.push(*row),
                    _ => {}
                },
            }
        }
        round
    }

    fn exact(&self, row: usize) -> Fraction {
        self.amounts
            .exact(row)
            .times(&Fraction::whole(self.left))
            .over(self.sum.exact())
    }

    /// Greater when lifting to floors takes more than cutting to caps gives.
    fn balance(&self) -> Ordering {
        let lifted: i64 = self.low.iter().map(|row| self.limits[*row].low).sum();
        let cut: i64 = self.high.iter().map(|row| self.limits[*row].high).sum();
        let bound = Enclosure::whole(lifted).plus(Enclosure::whole(cut));
        let outside =
            |row: usize| self.low.binary_search(&row).is_ok() || self.high.binary_search(&row).is_ok();
        let enclosed = self
            .enclosures
            .iter()
            .filter(|(row, _)| outside(*row))
            .fold(Enclosure::ZERO, |sum, (_, e)| sum.plus(*e));
        // Within bounds nothing changes, so compare only what those outside have with what they would be fixed at.
        bound.order(enclosed).unwrap_or_else(|| {
            let rows: Vec<usize> = self.low.iter().chain(&self.high).copied().collect();
            let exact = self
                .amounts
                .exact_sum(&rows)
                .times(&Fraction::whole(self.left))
                .over(self.sum.exact());
            Fraction::whole(i128::from(lifted) + i128::from(cut)).cmp(&exact)
        })
    }
}

impl Filled<'_> {
    /// Where each region ended.
    pub fn placements(&self) -> &[Placement] {
        &self.placements
    }

    /// How many rounds of fixing and refilling it took.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// Whether a bound moved any region's amount, directly or through the refill.
    pub fn in_force(&self) -> bool {
        self.rounds > 0 || (self.placements.iter().zip(&self.limits)).any(|(p, l)| fixed_units(*p, *l) > 0)
    }

    /// What free amounts were multiplied by; `None` where they were left as they were.
    pub fn factor(&self) -> Option<Fraction> {
        let factor = self.factor.as_ref()?;
        let sum = factor.sum.exact();
        (!sum.is_zero()).then(|| Fraction::whole(factor.left).over(sum))
    }

    /// Limits for the rounding: regions fixed at a bound, or exactly on one, keep their whole amount.
    pub fn rounding_limits(&self) -> Vec<Limits> {
        let whole = |units: i64| Limits {
            low: units,
            high: units,
        };
        let mut rounding: Vec<Limits> = (self.placements.iter().zip(&self.limits))
            .map(|(placement, limits)| match placement {
                Placement::Free => *limits,
                fixed => whole(fixed_units(*fixed, *limits)),
            })
            .collect();
        for row in &self.on_bound {
            if let Some(units) = self.exact(*row).floor_i64() {
                rounding[*row] = whole(units);
            }
        }
        rounding
    }

    /// The limits given.
    pub fn limits(&self) -> &[Limits] {
        &self.limits
    }
}

impl Quotas for Filled<'_> {
    fn rows(&self) -> usize {
        self.placements.len()
    }

    fn enclosure(&self, row: usize) -> Enclosure {
        self.enclosures[row]
    }

    fn exact(&self, row: usize) -> Fraction {
        match (self.placements[row], &self.factor) {
            (Placement::Free, Some(factor)) => self
                .amounts
                .exact(row)
                .times(&Fraction::whole(factor.left))
                .over(factor.sum.exact()),
            (Placement::Free, None) => self.amounts.exact(row),
            (fixed, _) => Fraction::whole(fixed_units(fixed, self.limits[row])),
        }
    }
}
