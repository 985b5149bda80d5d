//! Each region's amount as an exact sum: over components, its score times the component's multiplier.
//!
//! Built once with enclosures for all rows; exact values are computed only where somebody asks.

use super::column::Common;
use super::enclosure::{Enclosure, Integers, Multiplier, PLACES};
use super::quotient::Quotient;
use super::{BigInt, Column, Fraction};
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};
use std::sync::{Arc, OnceLock};

/// How a component turns scores into an amount.
#[derive(Debug, Clone)]
pub enum Payout {
    /// The pool is divided in proportion to the scores; their sum must be above zero.
    Proportional {
        /// The amount divided.
        pool: Fraction,
    },
    /// A fixed amount for each unit of score.
    PerUnit {
        /// That amount.
        rate: Fraction,
    },
}

/// A component's scores, all zero or more and all defined, with what every payout over them needs: made once.
#[derive(Debug)]
pub struct Scores {
    column: Column,
    integers: Option<Integers>,
    sum: OnceLock<Fraction>,
    rows: usize,
}

impl Scores {
    /// The scores of so many rows.
    pub fn new(column: Column, rows: usize) -> Self {
        let column = column.spread(rows);
        let integers = integers(&column, rows);
        Self {
            column,
            integers,
            sum: OnceLock::new(),
            rows,
        }
    }

    /// The scores, row by row.
    pub fn column(&self) -> &Column {
        &self.column
    }

    /// The integers that the scores are counted in, where they fit.
    pub fn integers(&self) -> Option<&Integers> {
        self.integers.as_ref()
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The exact sum of all scores.
    pub fn sum(&self) -> &Fraction {
        self.sum.get_or_init(|| match &self.column {
            Column::Fixed(column) => {
                let sum = column
                    .numerators
                    .iter()
                    .try_fold(0_i128, |sum, n| sum.checked_add(*n));
                let sum = sum.map_or_else(
                    || column.numerators.iter().copied().map(BigInt::from).sum(),
                    BigInt::from,
                );
                Fraction::new(sum, column.denominator.into())
            }
            Column::Wide(column) => Fraction::new(column.numerators.iter().sum(), column.denominator.clone()),
            Column::Each(_) => {
                let scores: Vec<Fraction> = (0..self.rows).map(|row| self.column.fraction(row)).collect();
                Fraction::sum(&scores)
            }
        })
    }

    /// Whether any score is above zero.
    pub fn any_positive(&self) -> bool {
        match &self.column {
            Column::Fixed(column) => column.numerators.iter().any(|n| *n > 0),
            Column::Wide(column) => column.numerators.iter().any(Signed::is_positive),
            Column::Each(values) => values.iter().flatten().any(Quotient::is_positive),
        }
    }

    fn numerator(&self, row: usize) -> BigInt {
        match &self.column {
            Column::Fixed(column) => BigInt::from(column.numerators[row]),
            Column::Wide(column) => column.numerators[row].clone(),
            Column::Each(_) => BigInt::zero(),
        }
    }

    fn numerator_sum(&self, rows: &[usize]) -> BigInt {
        if let Column::Fixed(column) = &self.column {
            let sum = rows
                .iter()
                .try_fold(0_i128, |sum, row| sum.checked_add(column.numerators[*row]));
            if let Some(sum) = sum {
                return sum.into();
            }
        }
        rows.iter().map(|row| self.numerator(*row)).sum()
    }
}

/// One component's scores and payout.
#[derive(Debug)]
pub struct Part {
    scores: Arc<Scores>,
    payout: Payout,
    enclosing: Option<Multiplier>,
    multiplier: OnceLock<Fraction>,
}

impl Part {
    /// A payout over scores.
    pub fn new(scores: Arc<Scores>, payout: Payout) -> Self {
        Self {
            scores,
            payout,
            enclosing: None,
            multiplier: OnceLock::new(),
        }
    }

    /// The scores.
    pub fn scores(&self) -> &Column {
        &self.scores.column
    }

    /// The exact sum of all scores.
    pub fn score_sum(&self) -> &Fraction {
        self.scores.sum()
    }

    /// The exact amount for one unit of score.
    pub fn multiplier(&self) -> &Fraction {
        self.multiplier.get_or_init(|| match &self.payout {
            Payout::Proportional { pool } => pool.over(self.score_sum()),
            Payout::PerUnit { rate } => rate.clone(),
        })
    }

    /// The exact amount of a row.
    pub fn exact(&self, row: usize) -> Fraction {
        self.scores().fraction(row).times(self.multiplier())
    }

    /// An interval that contains the amount of a row; known once the part is one of [`Amounts`].
    pub fn enclosure(&self, row: usize) -> Enclosure {
        match (self.scores.integers(), &self.enclosing) {
            (Some(integers), Some(multiplier)) => {
                let (low, high) = integers.row(row);
                multiplier.of_integers(low, high)
            }
            _ => Enclosure::UNKNOWN,
        }
    }

    /// Whether the amount of a row is exactly zero.
    pub fn is_zero(&self, row: usize) -> bool {
        let (Payout::PerUnit { rate: money } | Payout::Proportional { pool: money }) = &self.payout;
        money.is_zero() || self.scores().is_zero_at(row)
    }

    fn enclosing_multiplier(&self, integers: &Integers) -> Option<Multiplier> {
        match (&self.payout, self.scores()) {
            (Payout::Proportional { pool }, Column::Each(_)) => {
                let (low, high) = integers.sums();
                if low.is_zero() {
                    return None;
                }
                Multiplier::between(
                    &pool.over(&Fraction::whole(high)),
                    &pool.over(&Fraction::whole(low)),
                    PLACES,
                )
            }
            _ => {
                let factor = self.multiplier().times(&integers.scale);
                Multiplier::between(&factor, &factor, PLACES)
            }
        }
    }
}

/// Binary digits that scaled scores may have, so that their products and sums stay in range.
const INTEGER_BITS: u64 = 110;

fn integers(scores: &Column, rows: usize) -> Option<Integers> {
    match scores {
        Column::Fixed(Common {
            numerators,
            denominator,
        }) => {
            let low: Option<Vec<u128>> = numerators.iter().map(|n| u128::try_from(*n).ok()).collect();
            let scale = Fraction::new(BigInt::one(), (*denominator).into());
            Some(Integers {
                low: low?,
                high: None,
                scale,
            })
        }
        Column::Wide(Common {
            numerators,
            denominator,
        }) => {
            let largest = numerators.iter().map(BigInt::bits).max().unwrap_or(0);
            let shift = largest.saturating_sub(INTEGER_BITS);
            let low: Option<Vec<u128>> = numerators.iter().map(|n| (n >> shift).to_u128()).collect();
            let low = low?;
            let high = (shift > 0).then(|| low.iter().map(|n| n + 1).collect());
            Some(Integers {
                low,
                high,
                scale: Fraction::new(BigInt::one() << shift, denominator.clone()),
            })
        }
        Column::Each(values) => {
            // `Part::new` has spread the scores, and all are defined.
            let values: Vec<&Quotient> = values.iter().flatten().collect();
            if values.len() != rows {
                return None;
            }
            let largest = values.iter().filter_map(|value| value.magnitude()).max();
            let places = INTEGER_BITS as i64 - largest.unwrap_or(0);
            let low: Option<Vec<u128>> = values.iter().map(|value| value.scaled(places)).collect();
            let low = low?;
            let high = low
                .iter()
                .zip(&values)
                .map(|(n, value)| if value.is_zero() { 0 } else { n + 1 })
                .collect();
            let power = BigInt::one() << places.unsigned_abs();
            let scale = if places >= 0 {
                Fraction::new(BigInt::one(), power)
            } else {
                Fraction::whole(power)
            };
            Some(Integers {
                low,
                high: Some(high),
                scale,
            })
        }
    }
}

/// The exact coefficients of all parts over one denominator, where every part has a common denominator.
#[derive(Debug)]
struct Basis {
    denominator: BigInt,
    coefficients: Vec<BigInt>,
}

/// Each row's exact amount, enclosed.
#[derive(Debug)]
pub struct Amounts {
    rows: usize,
    parts: Vec<Part>,
    enclosures: OnceLock<Vec<Enclosure>>,
    basis: OnceLock<Option<Basis>>,
}

impl Amounts {
    /// Sums the parts.
    pub fn new(rows: usize, mut parts: Vec<Part>) -> Self {
        for part in &mut parts {
            part.enclosing =
                (part.scores.integers()).and_then(|integers| part.enclosing_multiplier(integers));
        }
        Self {
            rows,
            parts,
            enclosures: OnceLock::new(),
            basis: OnceLock::new(),
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The parts, in the order given.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The enclosure of a row's amount.
    pub fn enclosure(&self, row: usize) -> Enclosure {
        self.enclosures()[row]
    }

    /// The enclosures of all amounts.
    pub fn enclosures(&self) -> &[Enclosure] {
        self.enclosures.get_or_init(|| {
            let mut enclosures = vec![Enclosure::ZERO; self.rows];
            for part in &self.parts {
                for (row, sum) in enclosures.iter_mut().enumerate() {
                    *sum = sum.plus(part.enclosure(row));
                }
            }
            enclosures
        })
    }

    /// Whether a row's amount is exactly zero.
    pub fn is_zero(&self, row: usize) -> bool {
        self.parts.iter().all(|part| part.is_zero(row))
    }

    /// The exact amount of a row.
    pub fn exact(&self, row: usize) -> Fraction {
        match self.basis() {
            Some(basis) => Fraction {
                numerator: self
                    .parts
                    .iter()
                    .zip(&basis.coefficients)
                    .map(|(part, c)| part.scores.numerator(row) * c)
                    .sum(),
                denominator: basis.denominator.clone(),
            },
            None => {
                let amounts: Vec<Fraction> = self.parts.iter().map(|part| part.exact(row)).collect();
                Fraction::sum(&amounts)
            }
        }
    }

    /// The exact sum over some rows.
    pub fn exact_sum(&self, rows: &[usize]) -> Fraction {
        match self.basis() {
            Some(basis) => Fraction {
                numerator: self
                    .parts
                    .iter()
                    .zip(&basis.coefficients)
                    .map(|(part, c)| part.scores.numerator_sum(rows) * c)
                    .sum(),
                denominator: basis.denominator.clone(),
            },
            None => {
                let sum = |part: &Part| {
                    let scores: Vec<Fraction> = rows.iter().map(|row| part.scores().fraction(*row)).collect();
                    Fraction::sum(&scores).times(part.multiplier())
                };
                Fraction::sum(&self.parts.iter().map(sum).collect::<Vec<_>>())
            }
        }
    }

    fn basis(&self) -> Option<&Basis> {
        self.basis
            .get_or_init(|| {
                let factors: Option<Vec<Fraction>> = self
                    .parts
                    .iter()
                    .map(|part| {
                        let denominator = match part.scores() {
                            Column::Fixed(column) => BigInt::from(column.denominator),
                            Column::Wide(column) => column.denominator.clone(),
                            Column::Each(_) => return None,
                        };
                        Some(Fraction::from(
                            part.multiplier().over(&Fraction::whole(denominator)).reduced(),
                        ))
                    })
                    .collect();
                let factors = factors?;
                let denominator = factors
                    .iter()
                    .fold(BigInt::one(), |lcm, factor| lcm.lcm(&factor.denominator));
                let coefficients = factors
                    .iter()
                    .map(|f| &f.numerator * (&denominator / &f.denominator))
                    .collect();
                Some(Basis {
                    denominator,
                    coefficients,
                })
            })
            .as_ref()
    }
}
