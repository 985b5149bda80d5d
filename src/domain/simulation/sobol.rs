//! Which uncertain input drives the variance of the amounts: Sobol indices.
//!
//! The *first-order* index of a group of inputs is the part of an amount's variance that would go if the group were
//! known; the *total* index is the part that would remain if everything else were known (I. M. Sobol,
//! *Sensitivity Estimates for Nonlinear Mathematical Models*, 1993; T. Homma and A. Saltelli, 1996). Each needs groups
//! that are independent, so correlated inputs are one group.
//!
//! Estimated from pairs of independent samples A and B and, for each group, A with that group's inputs from B:
//! `V - Σ(f(B) - f(A_B))² / 2N` and `Σ(f(A) - f(A_B))² / 2N`, by M. J. W. Jansen, *Analysis of Variance Designs for
//! Model Output*, 1999, which are rows (c) and (f) of table 2 of A. Saltelli et al., *Variance Based Sensitivity
//! Analysis of Model Output*, Computer Physics Communications 181 (2010) 259-270. `N (k + 2)` evaluations for k groups.
//! The sums are exact integers, so they do not depend on the order in which they are added up; how far
//! estimates are off is estimated from the scatter among [`BATCHES`] parts of the pairs.

use super::draw::Draws;
use super::model::{Model, Total, squared};
use super::scenario::{Refusal, Setting};
use crate::domain::error::Violation;
use crate::domain::exact::{BigInt, Fraction};
use num_traits::{Signed, ToPrimitive};
use std::ops::Range;

/// Parts of the pairs, for estimating errors.
pub const BATCHES: usize = 8;
/// Indices are rounded to so many decimals.
pub const DECIMALS: u32 = 6;

/// Uncertainties that are looked at together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Names of its uncertainties.
    pub members: Vec<String>,
}

/// Groups of inputs, ready to run.
#[derive(Debug, Clone)]
pub struct Drivers {
    groups: Vec<Group>,
    /// The group of each input; one beyond the last for inputs in no group.
    group_of_input: Vec<usize>,
    regions: usize,
    base: Vec<i64>,
}

/// Sums over pairs of one batch and one region.
#[derive(Debug, Clone, Default)]
struct Sums {
    /// Differences to the base, of A and of B.
    values: i128,
    squares: Total,
    /// For each group: squared differences between B and the mixture, and between A and the mixture.
    groups: Vec<(Total, Total)>,
}

/// What one thread has gathered.
#[derive(Debug)]
pub struct DriverFold {
    pairs: [u64; BATCHES],
    refused: u64,
    first_refusal: Option<(u64, Refusal)>,
    /// By batch, then by region.
    sums: Vec<Sums>,
}

/// An index and how far it may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// In millionths. Estimates of nothing may lie a little below zero.
    pub millionths: i64,
    /// Standard error, in millionths.
    pub error_millionths: i64,
}

/// What a group does to one amount, or to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Influence {
    /// First-order index.
    pub first: Index,
    /// Total index.
    pub total: Index,
}

/// Which groups drive which amounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensitivity {
    /// The groups.
    pub groups: Vec<Group>,
    /// Pairs counted.
    pub pairs: u64,
    /// Pairs left out because the formula could not be applied to one of their samples.
    pub refused: u64,
    /// The first of these, and why.
    pub first_refusal: Option<(u64, Refusal)>,
    /// For each region, each group's influence; `None` for an amount that does not vary.
    pub regions: Vec<Option<Vec<Influence>>>,
    /// Influence on all amounts together: the regions' indices weighted by their variances (M. Lamboni, H. Monod and
    /// D. Makowski, *Multivariate Sensitivity Analysis*, Reliability Engineering & System Safety 96, 2011).
    pub overall: Option<Vec<Influence>>,
}

impl Drivers {
    /// Groups the uncertainties as asked, or each independent block for itself.
    pub fn prepare(draws: &Draws, groups: &[Group], base: Vec<i64>) -> Result<Self, Refusal> {
        let blocks = draws.block_names();
        let default: Vec<Group>;
        let groups = if groups.is_empty() {
            default = blocks
                .iter()
                .map(|names| Group {
                    name: names.join(" + "),
                    members: names.iter().map(|name| (*name).to_owned()).collect(),
                })
                .collect();
            &default
        } else {
            groups
        };
        let mut wrong = Vec::new();
        let mut group_of_block = vec![groups.len(); blocks.len()];
        for (at, group) in groups.iter().enumerate() {
            let field = format!("groups[{at}]");
            if groups[..at].iter().any(|other| other.name == group.name) {
                wrong.push(Violation::new(
                    format!("{field}.name"),
                    &group.name,
                    "a name that no other group has",
                    "不与其他组重复的名称",
                ));
            }
            if group.members.is_empty() {
                wrong.push(Violation::new(
                    format!("{field}.members"),
                    "none",
                    "one uncertainty or more",
                    "至少一项不确定因素",
                ));
            }
            for (position, member) in group.members.iter().enumerate() {
                let place = format!("{field}.members[{position}]");
                let Some(block) = blocks.iter().position(|names| names.contains(&member.as_str())) else {
                    wrong.push(Violation::new(
                        place,
                        member,
                        "the name of an uncertainty",
                        "某项不确定因素的名称",
                    ));
                    continue;
                };
                let missing = blocks[block]
                    .iter()
                    .find(|name| !group.members.iter().any(|member| member == *name));
                if let Some(missing) = missing {
                    wrong.push(Violation::new(
                        place.as_str(),
                        format!("{member} without {missing}, which it is correlated with"),
                        "correlated uncertainties in one group",
                        "相关的不确定因素须在同一组",
                    ));
                }
                if group_of_block[block] < at {
                    wrong.push(Violation::new(
                        place,
                        member,
                        "each uncertainty in one group",
                        "每项不确定因素只能属于一组",
                    ));
                }
                group_of_block[block] = at;
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            groups: groups.to_vec(),
            group_of_input: draws
                .block_of_inputs()
                .iter()
                .map(|&block| group_of_block[block])
                .collect(),
            regions: base.len(),
            base,
        })
    }

    /// The groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// How many evaluations so many pairs take.
    pub fn evaluations(&self, pairs: u64) -> u64 {
        pairs.saturating_mul(self.groups.len() as u64 + 2)
    }

    /// An empty fold; one for each thread.
    pub fn fold(&self) -> DriverFold {
        let sums = Sums {
            groups: vec![<(Total, Total)>::default(); self.groups.len()],
            ..Sums::default()
        };
        DriverFold {
            pairs: [0; BATCHES],
            refused: 0,
            first_refusal: None,
            sums: vec![sums; BATCHES * self.regions],
        }
    }

    /// Runs pairs with these numbers into a fold: what a thread does, a small range at a time.
    pub fn run_pairs(&self, draws: &Draws, model: &mut impl Model, pairs: Range<u64>, fold: &mut DriverFold) {
        let mut sampler = draws.sampler();
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let mut mixture: Vec<Setting> = Vec::new();
        // The amounts of A, of B, and of every mixture.
        let mut outcomes: Vec<i64> = Vec::new();
        for pair in pairs {
            sampler.sample(2 * pair, &mut a);
            sampler.sample(2 * pair + 1, &mut b);
            outcomes.clear();
            let mut evaluate = |settings: &[Setting]| {
                outcomes.extend_from_slice(model.amounts(settings)?);
                Ok(())
            };
            let outcome = evaluate(&a).and_then(|()| evaluate(&b)).and_then(|()| {
                (0..self.groups.len()).try_for_each(|group| {
                    let from = |(input, (of_a, of_b)): (usize, (&Setting, &Setting))| {
                        if self.group_of_input[input] == group {
                            *of_b
                        } else {
                            *of_a
                        }
                    };
                    mixture.clear();
                    mixture.extend(a.iter().zip(&b).enumerate().map(from));
                    evaluate(&mixture)
                })
            });
            match outcome {
                Ok(()) => self.count(fold, pair, &outcomes),
                Err(refusal) => fold.refuse(pair, refusal),
            }
        }
    }

    fn count(&self, fold: &mut DriverFold, pair: u64, outcomes: &[i64]) {
        let batch = (pair % BATCHES as u64) as usize;
        fold.pairs[batch] += 1;
        let sums = &mut fold.sums[batch * self.regions..(batch + 1) * self.regions];
        for (row, sums) in sums.iter_mut().enumerate() {
            let at = |number: usize| outcomes[number * self.regions + row];
            let (a, b, base) = (at(0), at(1), self.base[row]);
            sums.values += i128::from(a) + i128::from(b) - 2 * i128::from(base);
            sums.squares.add(squared(a, base));
            sums.squares.add(squared(b, base));
            for (group, (to_b, to_a)) in sums.groups.iter_mut().enumerate() {
                let mixed = at(2 + group);
                to_b.add(squared(b, mixed));
                to_a.add(squared(a, mixed));
            }
        }
    }

    /// The indices.
    pub fn finish(&self, fold: &DriverFold) -> Sensitivity {
        let groups = self.groups.len();
        let parts = |batches: Range<usize>, rows: Range<usize>| {
            let mut parts = Parts::new(groups);
            for row in rows {
                parts.add(fold, batches.clone(), row, self.regions);
            }
            parts
        };
        let influences = |rows: Range<usize>| {
            let whole = parts(0..BATCHES, rows.clone()).indices()?;
            let batches: Vec<Vec<(i64, i64)>> = (0..BATCHES)
                .filter_map(|batch| parts(batch..batch + 1, rows.clone()).indices())
                .collect();
            let index = |group: usize, millionths: i64, pick: fn(&(i64, i64)) -> i64| Index {
                millionths,
                error_millionths: standard_error(batches.iter().map(|batch| pick(&batch[group]))),
            };
            Some(
                whole
                    .iter()
                    .enumerate()
                    .map(|(group, &(first, total))| Influence {
                        first: index(group, first, |pair| pair.0),
                        total: index(group, total, |pair| pair.1),
                    })
                    .collect(),
            )
        };
        Sensitivity {
            groups: self.groups.clone(),
            pairs: fold.pairs.iter().sum(),
            refused: fold.refused,
            first_refusal: fold.first_refusal.clone(),
            regions: (0..self.regions).map(|row| influences(row..row + 1)).collect(),
            overall: influences(0..self.regions),
        }
    }
}

impl DriverFold {
    fn refuse(&mut self, pair: u64, refusal: Refusal) {
        self.refused += 1;
        self.note(pair, refusal);
    }

    fn note(&mut self, pair: u64, refusal: Refusal) {
        if self.first_refusal.as_ref().is_none_or(|(first, _)| pair < *first) {
            self.first_refusal = Some((pair, refusal));
        }
    }

    /// Adds what another thread gathered.
    pub fn merge(&mut self, other: Self) {
        for (pairs, other) in self.pairs.iter_mut().zip(other.pairs) {
            *pairs += other;
        }
        self.refused += other.refused;
        if let Some((pair, refusal)) = other.first_refusal {
            self.note(pair, refusal);
        }
        for (sums, other) in self.sums.iter_mut().zip(other.sums) {
            sums.values += other.values;
            sums.squares.merge(&other.squares);
            for ((to_b, to_a), (other_b, other_a)) in sums.groups.iter_mut().zip(&other.groups) {
                to_b.merge(other_b);
                to_a.merge(other_a);
            }
        }
    }
}

/// Variance and its parts, as fractions, for one region or several.
struct Parts {
    variance: Fraction,
    /// Half the mean squared differences to B and to A.
    groups: Vec<(Fraction, Fraction)>,
}

impl Parts {
    fn new(groups: usize) -> Self {
        Self {
            variance: Fraction::whole(0),
            groups: vec![(Fraction::whole(0), Fraction::whole(0)); groups],
        }
    }

    fn add(&mut self, fold: &DriverFold, batches: Range<usize>, row: usize, regions: usize) {
        let pairs: u64 = fold.pairs[batches.clone()].iter().sum();
        if pairs == 0 {
            return;
        }
        let chosen: Vec<&Sums> = batches.map(|batch| &fold.sums[batch * regions + row]).collect();
        let count = BigInt::from(2 * pairs);
        let values: BigInt = chosen.iter().map(|sums| BigInt::from(sums.values)).sum();
        let squares: BigInt = chosen.iter().map(|sums| sums.squares.sum()).sum();
        // Of 2N values: (2N Σd² - (Σd)²) / (2N)².
        let scatter = squares * &count - &values * &values;
        self.variance = self.variance.plus(&Fraction::new(scatter, &count * &count));
        for (group, (to_b, to_a)) in self.groups.iter_mut().enumerate() {
            let half = |pick: fn(&(Total, Total)) -> &Total| {
                let sum: BigInt = chosen.iter().map(|sums| pick(&sums.groups[group]).sum()).sum();
                Fraction::new(sum, count.clone())
            };
            *to_b = to_b.plus(&half(|pair| &pair.0));
            *to_a = to_a.plus(&half(|pair| &pair.1));
        }
    }

    /// First-order and total index of each group, in millionths; `None` without variance.
    fn indices(&self) -> Option<Vec<(i64, i64)>> {
        if !self.variance.numerator.is_positive() {
            return None;
        }
        let millionths = |part: &Fraction| rounded(&part.over(&self.variance));
        Some(
            self.groups
                .iter()
                .map(|(to_b, to_a)| (millionths(&self.variance.minus(to_b)), millionths(to_a)))
                .collect(),
        )
    }
}

/// In millionths, rounded half up.
fn rounded(value: &Fraction) -> i64 {
    let scaled = &value.numerator * BigInt::from(2 * 10_i64.pow(DECIMALS)) + &value.denominator;
    Fraction::new(scaled, &value.denominator * 2_i32)
        .floor_i64()
        .unwrap_or(i64::MAX)
}

/// The standard error of a mean, from its parts, rounded down.
fn standard_error(parts: impl Iterator<Item = i64> + Clone) -> i64 {
    let count = parts.clone().count() as i128;
    if count < 2 {
        return 0;
    }
    let sum: i128 = parts.clone().map(i128::from).sum();
    let squares: i128 = parts.map(|part| i128::from(part) * i128::from(part)).sum();
    // (n Σx² - (Σx)²) / n² / (n - 1): the scatter of a mean of n.
    let scatter = (count * squares - sum * sum) / (count * count * (count - 1));
    scatter.max(0).isqrt().to_i64().unwrap_or(i64::MAX)
}

/// Amounts with all inputs of one group at a low and at a high value, everything else as observed: the bars of a
/// tornado chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swing {
    /// Each region's amount at the low values, or why there is none.
    pub low: Result<Vec<i64>, Refusal>,
    /// The same at the high values.
    pub high: Result<Vec<i64>, Refusal>,
}

impl Drivers {
    /// For each group the amounts with its inputs at these quantiles, given in percent between 0 and 100.
    pub fn swings(
        &self,
        draws: &Draws,
        model: &mut impl Model,
        low: rust_decimal::Decimal,
        high: rust_decimal::Decimal,
    ) -> Vec<Swing> {
        let mut at = |group: usize, percent| {
            let settings: Vec<Setting> = (0..draws.inputs().len())
                .map(|input| {
                    let moved = self.group_of_input[input] == group;
                    (input, draws.value_at(input, moved.then_some(percent)))
                })
                .collect();
            model.amounts(&settings).map(<[i64]>::to_vec)
        };
        (0..self.groups.len())
            .map(|group| Swing {
                low: at(group, low),
                high: at(group, high),
            })
            .collect()
    }
}
