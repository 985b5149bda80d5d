//! Monte Carlo: what becomes of the amounts while uncertain statistics are drawn many times.
//!
//! The domain starts no threads. A [`Study`] says what is asked and gives each thread a [`Fold`]; a thread runs
//! ranges of sample numbers into its fold with [`run_samples`]; the folds are merged, and the study takes the result.
//! Usually that is the end; where not all amounts can be kept in the memory allowed, the study asks for another
//! pass over the same samples ([`Step::Again`]) until every quantile is known exactly.
//!
//! Everything in a fold is a sum of integers, a count, an extreme, or a heap that is sorted in the end, so
//! the result does not depend on which thread had which samples, nor on the order of merging.

use super::draw::Draws;
use super::model::{Model, Total, squared};
use super::quantiles::{Hunt, rank};
use super::scenario::Refusal;
use crate::domain::error::Violation;
use crate::domain::exact::{BigInt, Fraction};
use num_traits::{ToPrimitive, Zero};
use rust_decimal::Decimal;
use std::ops::Range;

/// Most quantiles asked for at once.
pub const MAX_QUANTILES: usize = 32;
/// Amounts kept where nothing else is said: 128 MiB, and for a moment twice that when folds are merged.
pub const KEPT_AMOUNTS: usize = 1 << 24;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// How many samples.
    pub samples: u64,
    /// Quantiles in percent, from 0 to 100.
    pub quantiles: Vec<Decimal>,
    /// Each region's amount in the base, in fen.
    pub base: Vec<i64>,
    /// Each region's amount last year, where it is known.
    pub last_year: Option<Vec<i64>>,
    /// An amount for each region to fall below, where one is given.
    pub threshold: Option<Vec<i64>>,
    /// Most amounts kept in memory, over all threads; beyond, further passes.
    pub kept: usize,
}

/// A region's distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// The mean, exact, in fen.
    pub mean: Fraction,
    /// The standard deviation (of the samples as they are: divided by their number), in whole fen, rounded down.
    pub deviation: i64,
    /// The least amount.
    pub least: i64,
    /// The largest amount.
    pub largest: i64,
    /// The quantiles asked for, in their order.
    pub quantiles: Vec<i64>,
    /// Samples with less than in the base.
    pub below_base: u64,
    /// Samples with less than last year.
    pub below_last_year: Option<u64>,
    /// Samples with less than the threshold.
    pub below_threshold: Option<u64>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Samples with amounts; probabilities are parts of these.
    pub counted: u64,
    /// Samples without: the formula could not be applied to what was drawn.
    pub refused: u64,
    /// The first of these, and why.
    pub first_refusal: Option<(u64, Refusal)>,
    /// Each region's distribution, in region order; none where nothing was counted.
    pub regions: Vec<Spread>,
}

impl Summary {
    /// The probability that a count of samples stands for.
    pub fn probability(&self, count: u64) -> Fraction {
        Fraction::new(BigInt::from(count), BigInt::from(self.counted.max(1)))
    }
}

/// Whether a pass was the last.
#[derive(Debug)]
pub enum Step {
    /// All is known.
    Done(Box<Summary>),
    /// The same samples once more.
    Again,
}

/// What the first pass learns about a region.
#[derive(Debug, Clone, Default)]
struct Tally {
    sum: i128,
    /// Of squared differences to the base.
    squares: Total,
    ends: Option<(i64, i64)>,
    below_base: u64,
    below_last_year: u64,
    below_threshold: u64,
}

#[derive(Debug, Clone)]
enum Pass {
    /// Keep every amount: one pass is enough.
    Keep,
    /// Learn the ends.
    Survey,
    /// Narrow the quantiles down: one hunt for each region and quantile.
    Narrow { hunts: Vec<Hunt>, bins_log2: u32 },
}

/// A study under way.
#[derive(Debug)]
pub struct Study {
    question: Question,
    pass: Pass,
    learnt: Option<Fold>,
    passes: u32,
}

/// What one thread has gathered in one pass.
#[derive(Debug)]
pub struct Fold {
    counted: u64,
    refused: u64,
    first_refusal: Option<(u64, Refusal)>,
    tallies: Vec<Tally>,
    /// Kept amounts, sample by sample, or bins, hunt by hunt.
    amounts: Vec<i64>,
    bins: Vec<u64>,
}

impl Study {
    /// Checks what is asked.
    pub fn new(question: Question) -> Result<Self, Refusal> {
        let mut wrong = Vec::new();
        if question.samples == 0 {
            wrong.push(Violation::new(
                "samples",
                "0",
                "one sample or more",
                "至少一个样本",
            ));
        }
        if question.quantiles.len() > MAX_QUANTILES {
            wrong.push(Violation::new(
                "quantiles",
                question.quantiles.len().to_string(),
                format!("at most {MAX_QUANTILES} quantiles"),
                format!("至多 {MAX_QUANTILES} 个分位数"),
            ));
        }
        for (at, percent) in question.quantiles.iter().enumerate() {
            if !(Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(percent) {
                wrong.push(Violation::new(
                    format!("quantiles[{at}]"),
                    percent.to_string(),
                    "a percentage from 0 to 100",
                    "0 至 100 的百分数",
                ));
            }
        }
        let regions = question.base.len();
        for (field, amounts) in [
            ("last_year", &question.last_year),
            ("threshold", &question.threshold),
        ] {
            if let Some(amounts) = amounts.as_ref().filter(|amounts| amounts.len() != regions) {
                wrong.push(Violation::new(
                    field,
                    format!("{} amounts", amounts.len()),
                    format!("one amount for each of {regions} regions"),
                    format!("{regions} 个地区各一个金额"),
                ));
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let all = u128::from(question.samples) * regions as u128;
        let pass = if question.quantiles.is_empty() || all > question.kept as u128 {
            Pass::Survey
        } else {
            Pass::Keep
        };
        Ok(Self {
            question,
            pass,
            learnt: None,
            passes: 0,
        })
    }

    /// How many samples each pass has.
    pub fn samples(&self) -> u64 {
        self.question.samples
    }

    /// How many passes have been taken.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// An empty fold for this pass; one for each thread.
    pub fn fold(&self) -> Fold {
        Fold {
            counted: 0,
            refused: 0,
            first_refusal: None,
            tallies: vec![Tally::default(); self.question.base.len()],
            amounts: Vec::new(),
            bins: match &self.pass {
                Pass::Narrow { hunts, bins_log2 } => vec![0; hunts.len() << bins_log2],
                Pass::Keep | Pass::Survey => Vec::new(),
            },
        }
    }

    /// Counts one sample; the order does not matter.
    pub fn count(&self, fold: &mut Fold, sample: u64, outcome: Result<&[i64], Refusal>) {
        let amounts = match outcome {
            Ok(amounts) => amounts,
            Err(refusal) => {
                fold.refused += 1;
                fold.note(sample, refusal);
                return;
            }
        };
        fold.counted += 1;
        if let Pass::Narrow { hunts, bins_log2 } = &self.pass {
            let quantiles = self.question.quantiles.len();
            let bins = fold.bins.chunks_exact_mut(1 << bins_log2);
            for (at, (hunt, bins)) in hunts.iter().zip(bins).enumerate() {
                hunt.count(amounts[at / quantiles], bins);
            }
            return;
        }
        if matches!(self.pass, Pass::Keep) {
            fold.amounts.extend_from_slice(amounts);
        }
        let below = |against: &Option<Vec<i64>>, row: usize, amount: i64| {
            u64::from(against.as_ref().is_some_and(|against| amount < against[row]))
        };
        for (row, (&amount, tally)) in amounts.iter().zip(&mut fold.tallies).enumerate() {
            let base = self.question.base[row];
            tally.sum += i128::from(amount);
            tally.squares.add(squared(amount, base));
            let (least, largest) = tally.ends.unwrap_or((amount, amount));
            tally.ends = Some((least.min(amount), largest.max(amount)));
            tally.below_base += u64::from(amount < base);
            tally.below_last_year += below(&self.question.last_year, row, amount);
            tally.below_threshold += below(&self.question.threshold, row, amount);
        }
    }

    /// Takes what a whole pass gathered.
    pub fn take(&mut self, fold: Fold) -> Step {
        self.passes += 1;
        match &mut self.pass {
            Pass::Keep => {
                let quantiles = self.sorted_quantiles(&fold);
                return Step::Done(Box::new(self.summary(fold, &quantiles)));
            }
            Pass::Survey => {
                let regions = fold.tallies.len();
                let hunted = regions * self.question.quantiles.len();
                if hunted == 0 || fold.counted == 0 {
                    return Step::Done(Box::new(self.summary(fold, &[])));
                }
                let bins_log2 = (self.question.kept / hunted).max(2).ilog2().clamp(1, 16);
                let ranks: Vec<u64> = self
                    .question
                    .quantiles
                    .iter()
                    .map(|percent| rank(*percent, fold.counted))
                    .collect();
                let hunts = fold
                    .tallies
                    .iter()
                    .flat_map(|tally| {
                        let (least, largest) = tally.ends.unwrap_or_default();
                        ranks
                            .iter()
                            .map(move |&rank| Hunt::new(least, largest, rank, bins_log2))
                    })
                    .collect();
                self.learnt = Some(fold);
                self.pass = Pass::Narrow { hunts, bins_log2 };
            }
            Pass::Narrow { hunts, bins_log2 } => {
                let bins = fold.bins.chunks_exact(1 << *bins_log2);
                for (hunt, bins) in hunts.iter_mut().zip(bins) {
                    hunt.narrow(bins, *bins_log2);
                }
            }
        }
        let Pass::Narrow { hunts, .. } = &self.pass else {
            return Step::Again;
        };
        let known: Option<Vec<i64>> = hunts.iter().map(Hunt::amount).collect();
        match (known, self.learnt.take()) {
            (Some(quantiles), Some(learnt)) => Step::Done(Box::new(self.summary(learnt, &quantiles))),
            (_, learnt) => {
                self.learnt = learnt;
                Step::Again
            }
        }
    }

    /// The quantiles of kept amounts, region by region.
    fn sorted_quantiles(&self, fold: &Fold) -> Vec<i64> {
        let regions = self.question.base.len();
        let mut found = Vec::with_capacity(regions * self.question.quantiles.len());
        if fold.counted == 0 {
            return found;
        }
        let mut column: Vec<i64> = Vec::with_capacity(fold.amounts.len() / regions.max(1));
        for row in 0..regions {
            column.clear();
            column.extend(fold.amounts.iter().skip(row).step_by(regions));
            column.sort_unstable();
            let at = |percent: &Decimal| column[rank(*percent, fold.counted) as usize - 1];
            found.extend(self.question.quantiles.iter().map(at));
        }
        found
    }

    fn summary(&self, fold: Fold, quantiles: &[i64]) -> Summary {
        let counted = BigInt::from(fold.counted);
        let asked = self.question.quantiles.len();
        let spread = |(row, tally): (usize, &Tally)| {
            let (least, largest) = tally.ends?;
            let base = BigInt::from(self.question.base[row]);
            // n Σd² - (Σd)², with d the difference to the base, is n² times the variance.
            let differences = BigInt::from(tally.sum) - &base * &counted;
            let scatter = tally.squares.sum() * &counted - &differences * &differences;
            let deviation = scatter.sqrt() / &counted;
            Some(Spread {
                mean: Fraction::new(tally.sum.into(), counted.clone()),
                deviation: deviation.to_i64().unwrap_or(i64::MAX),
                least,
                largest,
                quantiles: quantiles
                    .get(row * asked..(row + 1) * asked)
                    .unwrap_or(&[])
                    .to_vec(),
                below_base: tally.below_base,
                below_last_year: self.question.last_year.as_ref().map(|_| tally.below_last_year),
                below_threshold: self.question.threshold.as_ref().map(|_| tally.below_threshold),
            })
        };
        Summary {
            counted: fold.counted,
            refused: fold.refused,
            regions: if counted.is_zero() {
                Vec::new()
            } else {
                fold.tallies.iter().enumerate().filter_map(spread).collect()
            },
            first_refusal: fold.first_refusal,
        }
    }
}

impl Fold {
    fn note(&mut self, sample: u64, refusal: Refusal) {
        if self
            .first_refusal
            .as_ref()
            .is_none_or(|(first, _)| sample < *first)
        {
            self.first_refusal = Some((sample, refusal));
        }
    }

    /// How many samples it has, refused ones included.
    pub fn samples(&self) -> u64 {
        self.counted + self.refused
    }

    /// Adds what another thread gathered in the same pass.
    pub fn merge(&mut self, other: Self) {
        self.counted += other.counted;
        self.refused += other.refused;
        if let Some((sample, refusal)) = other.first_refusal {
            self.note(sample, refusal);
        }
        for (tally, other) in self.tallies.iter_mut().zip(other.tallies) {
            tally.sum += other.sum;
            tally.squares.merge(&other.squares);
            tally.ends = match (tally.ends, other.ends) {
                (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                (ends, None) | (None, ends) => ends,
            };
            tally.below_base += other.below_base;
            tally.below_last_year += other.below_last_year;
            tally.below_threshold += other.below_threshold;
        }
        if self.amounts.is_empty() {
            self.amounts = other.amounts;
        } else {
            self.amounts.extend_from_slice(&other.amounts);
        }
        for (bin, other) in self.bins.iter_mut().zip(other.bins) {
            *bin += other;
        }
    }
}

/// Runs samples with these numbers into a fold: what a thread does, a small range at a time.
pub fn run_samples(
    study: &Study,
    draws: &Draws,
    model: &mut impl Model,
    samples: Range<u64>,
    fold: &mut Fold,
) {
    let mut sampler = draws.sampler();
    let mut settings = Vec::with_capacity(draws.inputs().len());
    for sample in samples {
        sampler.sample(sample, &mut settings);
        study.count(fold, sample, model.amounts(&settings));
    }
}

/// The whole study on this thread.
pub fn run(question: Question, draws: &Draws, model: &mut impl Model) -> Result<Summary, Refusal> {
    let mut study = Study::new(question)?;
    loop {
        let mut fold = study.fold();
        run_samples(&study, draws, model, 0..study.samples(), &mut fold);
        if let Step::Done(summary) = study.take(fold) {
            return Ok(*summary);
        }
    }
}
