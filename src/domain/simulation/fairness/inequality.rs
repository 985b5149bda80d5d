//! Inequality of amounts per head.
//!
//! Every person counts as much as any other: a region of `n` people counts `n` times, with the region's amount per
//! head. So a large region weighs more than a small one, and dividing a region in two equal halves changes nothing
//! (the population principle; F. A. Cowell, *Measuring Inequality*, 3rd edition, 2011, chapter 3).

use super::{rounded, rounded_root};
use crate::domain::error::Violation;
use crate::domain::exact::{BigInt, Fraction, rational};
use crate::domain::simulation::fixed::{ONE, ln};
use crate::domain::simulation::scenario::Refusal;
use num_traits::{Signed, ToPrimitive, Zero};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// Regions by amount per head, least first.
#[derive(Debug)]
pub struct Distribution {
    regions: Vec<Region>,
    heads: BigInt,
    money: BigInt,
}

#[derive(Debug)]
struct Region {
    row: usize,
    money: BigInt,
    /// In a unit that makes all of them whole numbers.
    heads: BigInt,
}

/// A corner of the Lorenz curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LorenzPoint {
    /// The region that ends here; none at the origin.
    pub row: Option<usize>,
    /// Part of all people, in the regions so far.
    pub heads: Decimal,
    /// Part of all money, in the same regions.
    pub money: Decimal,
}

impl Distribution {
    /// Puts regions in order; amounts must not be negative and not all zero, and every region must have heads.
    pub fn new(amounts: &[i64], heads: &[Decimal]) -> Result<Self, Refusal> {
        let mut wrong = Vec::new();
        if heads.len() != amounts.len() {
            wrong.push(Violation::new(
                "heads",
                heads.len().to_string(),
                format!("one number for each of {} regions", amounts.len()),
                format!("{} 个地区各一个数", amounts.len()),
            ));
        }
        for (row, count) in heads
            .iter()
            .enumerate()
            .filter(|(_, count)| **count <= Decimal::ZERO)
        {
            wrong.push(Violation::new(
                format!("heads[{row}]"),
                count.to_string(),
                "more than zero heads",
                "人数大于零",
            ));
        }
        if amounts.iter().any(|amount| *amount < 0) || amounts.iter().all(|amount| *amount == 0) {
            wrong.push(Violation::new(
                "amounts",
                "negative amounts, or none at all",
                "amounts of zero or more, not all zero",
                "金额不为负,且不全为零",
            ));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let scale = heads.iter().map(Decimal::scale).max().unwrap_or(0);
        let unit = BigInt::from(10).pow(scale);
        let mut regions: Vec<Region> = amounts
            .iter()
            .zip(heads)
            .enumerate()
            .map(|(row, (amount, heads))| Region {
                row,
                money: BigInt::from(*amount),
                heads: (rational(*heads) * &unit).to_integer(),
            })
            .collect();
        regions.sort_by(|a, b| a.per_head(b).then(a.row.cmp(&b.row)));
        Ok(Self {
            heads: regions.iter().map(|region| &region.heads).sum(),
            money: regions.iter().map(|region| &region.money).sum(),
            regions,
        })
    }

    /// The Gini coefficient: one less twice the area below the Lorenz curve.
    ///
    /// C. Gini, *Variabilità e mutabilità*, 1912; by the trapezoids of the curve: `1 - Σ p (L + L')`, with `p` a region's
    /// part of the people and `L`, `L'` the parts of the money before and after it (Cowell 2011, appendix A). Exact, then
    /// rounded.
    pub fn gini(&self) -> Decimal {
        let mut sum = BigInt::zero();
        let mut before = BigInt::zero();
        for region in &self.regions {
            let after = &before + &region.money;
            sum += &region.heads * (&before + &after);
            before = after;
        }
        let whole = &self.heads * &self.money;
        rounded(&Fraction::new(&whole - sum, whole))
    }

    /// Theil's T: `Σ s ln(s / p)`, with `s` a region's part of the money and `p` of the people; nothing where `s` is zero.
    ///
    /// H. Theil, *Economics and Information Theory*, 1967, chapter 4. Each logarithm is within 2^-54, and the parts sum to one,
    /// so the index is within 2^-51 before it is rounded.
    pub fn theil(&self) -> Decimal {
        let mut sum = BigInt::zero();
        for region in self.regions.iter().filter(|region| region.money.is_positive()) {
            // ln of (money * all heads) / (all money * heads), each product as a whole number.
            let above = ln_of(&(&region.money * &self.heads));
            let below = ln_of(&(&self.money * &region.heads));
            sum += &region.money * (above - below);
        }
        rounded(&Fraction::new(sum, &self.money * BigInt::from(ONE)))
    }

    /// The coefficient of variation per head: standard deviation over mean, every person counted.
    ///
    /// J. G. Williamson, *Regional Inequality and the Process of National Development*, Economic Development and Cultural
    /// Change 13 (1965), the weighted coefficient V_w. Its square `Σ y²/n · N / Y² - 1` is exact.
    pub fn variation(&self) -> Decimal {
        let squares: Vec<Fraction> = self
            .regions
            .iter()
            .map(|region| Fraction::new(&region.money * &region.money, region.heads.clone()))
            .collect();
        let mean = Fraction::new(self.heads.clone(), &self.money * &self.money);
        let square = Fraction::sum(&squares).times(&mean).minus(&Fraction::whole(1));
        rounded_root(&square, &BigInt::from(1))
    }

    /// The rows of the largest and of the least amount per head.
    pub fn ends(&self) -> (usize, usize) {
        let row = |region: Option<&Region>| region.map_or(0, |region| region.row);
        (row(self.regions.last()), row(self.regions.first()))
    }

    /// The largest over the least amount per head: the range, as a ratio (Cowell 2011, chapter 2); none where a region
    /// has nothing. Exact, then rounded.
    pub fn range(&self) -> Option<Decimal> {
        let (least, largest) = (self.regions.first()?, self.regions.last()?);
        least.money.is_positive().then(|| {
            rounded(&Fraction::new(
                &largest.money * &least.heads,
                &largest.heads * &least.money,
            ))
        })
    }

    /// The Lorenz curve: the part of the money that the worst provided part of the people has.
    ///
    /// M. O. Lorenz, *Methods of Measuring the Concentration of Wealth*, Publications of the American Statistical
    /// Association 9 (1905).
    pub fn lorenz(&self) -> Vec<LorenzPoint> {
        let (mut heads, mut money) = (BigInt::zero(), BigInt::zero());
        let mut curve = vec![LorenzPoint {
            row: None,
            heads: Decimal::ZERO,
            money: Decimal::ZERO,
        }];
        for region in &self.regions {
            heads += &region.heads;
            money += &region.money;
            curve.push(LorenzPoint {
                row: Some(region.row),
                heads: rounded(&Fraction::new(heads.clone(), self.heads.clone())),
                money: rounded(&Fraction::new(money.clone(), self.money.clone())),
            });
        }
        curve
    }
}

impl Region {
    fn per_head(&self, other: &Self) -> Ordering {
        (&self.money * &other.heads).cmp(&(&other.money * &self.heads))
    }
}

/// The logarithm of a whole number of any size in multiples of 2^-56: what 128 bits do not hold is taken off as a
/// power of two, which leaves an error below 2^-64 more.
fn ln_of(whole: &BigInt) -> BigInt {
    let beyond = whole.bits().saturating_sub(127);
    let leading = (whole >> beyond).to_u128().unwrap_or(1);
    // Powers of two at once, so that their error does not add up: ln 2^64 is within 2^-54.
    let (blocks, rest) = (beyond / 64, beyond % 64);
    BigInt::from(ln(leading)) + BigInt::from(ln(1 << 64)) * blocks + BigInt::from(ln(1 << rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    fn of(amounts: &[i64], heads: &[&str]) -> Distribution {
        let heads: Vec<Decimal> = heads.iter().map(|text| decimal(text)).collect();
        Distribution::new(amounts, &heads).unwrap()
    }

    #[test]
    fn one_to_five() {
        // Worked by hand: with incomes 1 to 5, G = 2·55 / (5·15) - 6/5 = 4/15; variance 2, mean 3.
        let five = of(&[3, 1, 5, 2, 4], &["1"; 5]);
        assert_eq!(five.gini(), decimal("0.266667"));
        assert_eq!(five.variation(), decimal("0.471405"));
        assert_eq!(five.range(), Some(decimal("5")));
        assert_eq!(five.ends(), (2, 1));
        // Σ x/3 ln(x/3) / 5, computed with mpmath.
        assert_eq!(five.theil(), decimal("0.119688"));
    }

    #[test]
    fn two_groups() {
        // Worked by hand: two equal groups with a quarter and three quarters of the money.
        // G = 1/4; T = ¼ ln ½ + ¾ ln 1½ = 0.130812; the curve has one corner at (½, ¼).
        let two = of(&[75, 25], &["10", "10"]);
        assert_eq!(two.gini(), decimal("0.25"));
        assert_eq!(two.theil(), decimal("0.130812"));
        assert_eq!(two.variation(), decimal("0.5"));
        let corners: Vec<_> = two
            .lorenz()
            .into_iter()
            .map(|point| (point.row, point.heads, point.money))
            .collect();
        let half = decimal("0.5");
        assert_eq!(
            corners,
            [
                (None, decimal("0"), decimal("0")),
                (Some(1), half, decimal("0.25")),
                (Some(0), decimal("1"), decimal("1")),
            ]
        );
    }

    #[test]
    fn equal_per_head_is_no_inequality() {
        let equal = of(&[150, 300, 75], &["1.5", "3", "0.75"]);
        assert_eq!(
            (equal.gini(), equal.theil(), equal.variation(), equal.range()),
            (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO, Some(Decimal::ONE))
        );
    }

    #[test]
    fn dividing_a_region_changes_nothing() {
        let one = of(&[700, 400, 100], &["20", "30", "40"]);
        let split = of(&[350, 400, 350, 100], &["10", "30", "10", "40"]);
        assert_eq!(
            (one.gini(), one.theil(), one.variation()),
            (split.gini(), split.theil(), split.variation())
        );
    }

    #[test]
    fn everything_for_one_of_n() {
        // G = 1 - 1/n, T = ln n, V = √(n - 1).
        let all = of(&[0, 0, 0, 900_000_000_000_000_000], &["1"; 4]);
        assert_eq!(all.gini(), decimal("0.75"));
        assert_eq!(all.theil(), decimal("1.386294"));
        assert_eq!(all.variation(), decimal("1.732051"));
        assert_eq!(all.range(), None);
    }

    #[test]
    fn refuses_what_has_no_measure() {
        let heads = [decimal("1"), decimal("0")];
        let refusal = Distribution::new(&[0, 0], &heads).unwrap_err();
        let fields: Vec<&str> = refusal.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["heads[1]", "amounts"]);
    }
}
