//! How evenly money is spread over people, and whether it goes where migrants are.
//!
//! - [`mod@inequality`]: Gini, Theil, coefficient of variation, largest and least per head, Lorenz curve.
//! - [`mod@correlation`]: rank correlations between migrants and money.
//!
//! All of them are for reading and decide nothing. They are computed from exact integers; what is not rational is
//! computed to more digits than are shown, and rounded half away from zero to [`DECIMALS`].

pub mod correlation;
pub mod inequality;

pub use correlation::{kendall, spearman};
pub use inequality::{Distribution, LorenzPoint};

use super::scenario::Refusal;
use crate::domain::error::Violation;
use crate::domain::exact::{BigInt, Fraction};
use num_traits::Signed;
use rust_decimal::Decimal;

/// Metrics are rounded to so many decimals.
pub const DECIMALS: u32 = 6;

/// All metrics of one scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fairness {
    /// Gini coefficient: 0 where everyone has the same, towards 1 where few have everything.
    pub gini: Decimal,
    /// Theil's T: 0 where everyone has the same.
    pub theil: Decimal,
    /// Standard deviation per head, as a part of the mean.
    pub variation: Decimal,
    /// Largest over least amount per head; none where a region has nothing.
    pub range: Option<Decimal>,
    /// Rows of the largest and the least amount per head.
    pub ends: (usize, usize),
    /// Spearman's rank correlation of migrants and money; none where either is the same everywhere.
    pub spearman: Option<Decimal>,
    /// Kendall's tau-b of migrants and money.
    pub kendall: Option<Decimal>,
    /// The Lorenz curve.
    pub lorenz: Vec<LorenzPoint>,
}

/// Measures amounts in fen against the heads and the migrants of each region.
pub fn measure(amounts: &[i64], heads: &[Decimal], migrants: &[Decimal]) -> Result<Fairness, Refusal> {
    let distribution = Distribution::new(amounts, heads)?;
    if migrants.len() != amounts.len() {
        return Err(vec![Violation::new(
            "migrants",
            migrants.len().to_string(),
            format!("one number for each of {} regions", amounts.len()),
            format!("{} 个地区各一个数", amounts.len()),
        )]);
    }
    Ok(Fairness {
        gini: distribution.gini(),
        theil: distribution.theil(),
        variation: distribution.variation(),
        range: distribution.range(),
        ends: distribution.ends(),
        spearman: spearman(migrants, amounts),
        kendall: kendall(migrants, amounts),
        lorenz: distribution.lorenz(),
    })
}

/// Rounded to [`DECIMALS`], half away from zero.
fn rounded(value: &Fraction) -> Decimal {
    Decimal::from_str_exact(&value.to_decimal_text(DECIMALS))
        .unwrap_or_default()
        .normalize()
}

/// The square root of a fraction with the sign of another number, rounded to [`DECIMALS`].
///
/// The root is taken to twenty decimals, rounded down, so it is off by one in the last only where
/// the exact root is within 10^-20 of the middle between two.
fn rounded_root(square: &Fraction, sign: &BigInt) -> Decimal {
    let scale = BigInt::from(10).pow(20);
    let scaled = &square.numerator.abs() * &scale * &scale / &square.denominator;
    rounded(&Fraction::new(scaled.sqrt() * sign.signum(), scale))
}
