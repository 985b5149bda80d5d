//! A column of exact rational values, one for each region.
//!
//! Three representations, all exact. Numerators over one common denominator in 128-bit integers
//! serve nearly every formula; where an operation would overflow, the same in big integers; where
//! regions are divided by values of their own, a rational each, or nothing where the divisor is zero.

use super::quotient::Quotient;
use super::{BigInt, Fraction};
use crate::domain::error::Violation;
use num_integer::Integer;
use num_traits::{CheckedAdd, CheckedMul, CheckedSub, One, Signed, ToPrimitive, Zero};
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Numerators over one positive denominator. One numerator stands for the same value in every row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common<N> {
    /// The numerators.
    pub numerators: Vec<N>,
    /// The denominator, above zero.
    pub denominator: N,
}

/// Exact values, one for each row, or one for all rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// Common denominator, 128-bit.
    Fixed(Common<i128>),
    /// Common denominator, any size.
    Wide(Common<BigInt>),
    /// A rational for each row; `None` where it would divide by zero.
    Each(Vec<Option<Quotient>>),
}

/// Largest size of one exact value that an expression may build up, in bits of its denominator.
pub const MAX_DENOMINATOR_BITS: u64 = 65_536;

/// Whole numbers with checked arithmetic.
pub trait Whole: Integer + Signed + CheckedAdd + CheckedSub + CheckedMul + Clone {}
impl<N: Integer + Signed + CheckedAdd + CheckedSub + CheckedMul + Clone> Whole for N {}

/// The item of row `row`, where a single item stands for all rows.
fn at<T>(items: &[T], row: usize) -> &T {
    if items.len() == 1 { &items[0] } else { &items[row] }
}

impl<N: Whole> Common<N> {
    fn rows_with(&self, other: &Self) -> usize {
        self.numerators.len().max(other.numerators.len())
    }

    fn checked_map<M>(&self, f: impl Fn(&N) -> Option<M>) -> Option<Vec<M>> {
        self.numerators.iter().map(f).collect()
    }

    fn zip(&self, other: &Self, f: impl Fn(&N, &N) -> Option<N>) -> Option<Vec<N>> {
        (0..self.rows_with(other))
            .map(|row| f(at(&self.numerators, row), at(&other.numerators, row)))
            .collect()
    }

    /// Both columns over the same denominator.
    fn aligned(&self, other: &Self) -> Option<(Self, Self)> {
        let gcd = self.denominator.gcd(&other.denominator);
        let (mine, theirs) = (
            other.denominator.clone() / gcd.clone(),
            self.denominator.clone() / gcd,
        );
        let denominator = self.denominator.checked_mul(&mine)?;
        let scaled = |column: &Self, factor: &N| -> Option<Self> {
            let numerators = if factor.is_one() {
                column.numerators.clone()
            } else {
                column.checked_map(|n| n.checked_mul(factor))?
            };
            Some(Self {
                numerators,
                denominator: denominator.clone(),
            })
        };
        Some((scaled(self, &mine)?, scaled(other, &theirs)?))
    }

    fn combine(&self, other: &Self, f: impl Fn(&N, &N) -> Option<N>) -> Option<Self> {
        if self.denominator == other.denominator {
            return Some(Self {
                numerators: self.zip(other, f)?,
                denominator: self.denominator.clone(),
            });
        }
        let (left, right) = self.aligned(other)?;
        Some(Self {
            numerators: left.zip(&right, f)?,
            denominator: left.denominator,
        })
    }

    fn times(&self, other: &Self) -> Option<Self> {
        let denominator = self.denominator.checked_mul(&other.denominator)?;
        Some(Self {
            numerators: self.zip(other, |a, b| a.checked_mul(b))?,
            denominator,
        })
    }

    /// Divided by one value for all rows, which must not be zero.
    fn over(&self, divisor: &N, divisor_denominator: &N) -> Option<Self> {
        let gcd = self.denominator.gcd(divisor_denominator);
        let factor = divisor_denominator.clone() / gcd.clone();
        let factor = if divisor.is_negative() {
            N::zero().checked_sub(&factor)?
        } else {
            factor
        };
        let magnitude = if divisor.is_negative() {
            N::zero().checked_sub(divisor)?
        } else {
            divisor.clone()
        };
        let denominator = (self.denominator.clone() / gcd).checked_mul(&magnitude)?;
        Some(Self {
            numerators: self.checked_map(|n| n.checked_mul(&factor))?,
            denominator,
        })
    }

    fn sum(&self, rows: usize) -> Option<N> {
        (0..rows).try_fold(N::zero(), |sum, row| sum.checked_add(at(&self.numerators, row)))
    }

    fn compare(&self, other: &Self) -> Option<Vec<Ordering>> {
        if self.denominator == other.denominator {
            let rows = self.rows_with(other);
            return Some(
                (0..rows)
                    .map(|row| at(&self.numerators, row).cmp(at(&other.numerators, row)))
                    .collect(),
            );
        }
        let (left, right) = self.aligned(other)?;
        left.compare(&right)
    }

    fn select(&self, other: &Self, first: &[Option<bool>]) -> Option<Self> {
        if self.denominator != other.denominator {
            let (left, right) = self.aligned(other)?;
            return left.select(&right, first);
        }
        let rows = self.rows_with(other).max(first.len());
        let pick = |row: usize| {
            let chosen = if at(first, row).unwrap_or(true) {
                self
            } else {
                other
            };
            at(&chosen.numerators, row).clone()
        };
        Some(Self {
            numerators: (0..rows).map(pick).collect(),
            denominator: self.denominator.clone(),
        })
    }
}

impl Common<i128> {
    fn widened(&self) -> Common<BigInt> {
        Common {
            numerators: self.numerators.iter().copied().map(BigInt::from).collect(),
            denominator: BigInt::from(self.denominator),
        }
    }
}

impl Common<BigInt> {
    /// The same in 128 bits, where it fits.
    fn narrowed(&self) -> Option<Common<i128>> {
        Some(Common {
            numerators: self.checked_map(ToPrimitive::to_i128)?,
            denominator: self.denominator.to_i128()?,
        })
    }

    /// Over the least common denominator; `None` where any value is nothing.
    fn of_quotients(values: &[Option<Quotient>]) -> Option<Result<Self, ValueTooLarge>> {
        let values: Vec<Fraction> = values
            .iter()
            .map(|value| Some(Fraction::from(value.as_ref()?.rational())))
            .collect::<Option<_>>()?;
        let mut denominator = BigInt::one();
        for value in &values {
            // The remainder first: it is as small as the value, the denominator is not.
            let gcd = (&denominator % &value.denominator).gcd(&value.denominator);
            denominator *= &value.denominator / gcd;
            if denominator.bits() > MAX_DENOMINATOR_BITS {
                return Some(Err(ValueTooLarge));
            }
        }
        let numerators = values
            .iter()
            .map(|value| &value.numerator * (&denominator / &value.denominator))
            .collect();
        Some(Ok(Self {
            numerators,
            denominator,
        }))
    }
}

/// Why a column cannot be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueTooLarge;

impl ValueTooLarge {
    /// The violation of the expression at `field`.
    pub fn violation(self, field: &str) -> Violation {
        Violation::new(
            field,
            format!("an exact value of more than {MAX_DENOMINATOR_BITS} bits"),
            "an expression whose exact values stay smaller: share() or total() of a quotient grows with the number of regions",
            "精确值不超限的表达式:对商取 share() 或 total() 时,位数随地区数量增长",
        )
    }
}

impl Column {
    /// The same decimal in every row.
    pub fn constant(value: Decimal) -> Self {
        Self::decimals(&[value])
    }

    /// A power of ten, 10^-28 to 10^28, in every row.
    pub fn power_of_ten(power: i8) -> Self {
        let magnitude = 10_i128.pow(u32::from(power.unsigned_abs().min(28)));
        let (numerator, denominator) = if power >= 0 {
            (magnitude, 1)
        } else {
            (1, magnitude)
        };
        Self::Fixed(Common {
            numerators: vec![numerator],
            denominator,
        })
    }

    /// One decimal for each row.
    pub fn decimals(values: &[Decimal]) -> Self {
        let scale = values.iter().map(Decimal::scale).max().unwrap_or(0);
        let fixed: Option<Vec<i128>> = values
            .iter()
            .map(|value| match scale - value.scale() {
                0 => Some(value.mantissa()),
                places => value.mantissa().checked_mul(10_i128.pow(places)),
            })
            .collect();
        match fixed {
            Some(numerators) => Self::Fixed(Common {
                numerators,
                denominator: 10_i128.pow(scale),
            }),
            None => Self::Wide(Common {
                numerators: values
                    .iter()
                    .map(|value| {
                        BigInt::from(value.mantissa()) * BigInt::from(10_i128.pow(scale - value.scale()))
                    })
                    .collect(),
                denominator: BigInt::from(10_i128.pow(scale)),
            }),
        }
    }

    /// The value of a row; `None` where it would divide by zero.
    fn quotient(&self, row: usize) -> Option<Cow<'_, Quotient>> {
        match self {
            Self::Fixed(column) => {
                Quotient::of_integers(*at(&column.numerators, row), column.denominator).map(Cow::Owned)
            }
            Self::Wide(column) => {
                Quotient::of(at(&column.numerators, row), &column.denominator).map(Cow::Owned)
            }
            Self::Each(values) => at(values, row).as_ref().map(Cow::Borrowed),
        }
    }

    /// How many values it holds: one for each row, or one for all.
    fn len(&self) -> usize {
        match self {
            Self::Fixed(column) => column.numerators.len(),
            Self::Wide(column) => column.numerators.len(),
            Self::Each(values) => values.len(),
        }
    }

    /// Spread out so that every row has an item of its own.
    #[must_use]
    pub fn spread(self, rows: usize) -> Self {
        fn repeated<T: Clone>(items: Vec<T>, rows: usize) -> Vec<T> {
            if items.len() == 1 && rows != 1 {
                vec![items[0].clone(); rows]
            } else {
                items
            }
        }
        match self {
            Self::Fixed(column) => Self::Fixed(Common {
                numerators: repeated(column.numerators, rows),
                ..column
            }),
            Self::Wide(column) => Self::Wide(Common {
                numerators: repeated(column.numerators, rows),
                ..column
            }),
            Self::Each(values) => Self::Each(repeated(values, rows)),
        }
    }

    /// The first row that would divide by zero.
    pub fn undefined_row(&self) -> Option<usize> {
        match self {
            Self::Each(values) => values.iter().position(Option::is_none),
            _ => None,
        }
    }

    /// The first row below zero.
    pub fn negative_row(&self) -> Option<usize> {
        match self {
            Self::Fixed(column) => column.numerators.iter().position(|n| *n < 0),
            Self::Wide(column) => column.numerators.iter().position(Signed::is_negative),
            Self::Each(values) => values
                .iter()
                .position(|v| v.as_ref().is_some_and(Quotient::is_negative)),
        }
    }

    /// Whether a row is exactly zero.
    pub fn is_zero_at(&self, row: usize) -> bool {
        match self {
            Self::Fixed(column) => *at(&column.numerators, row) == 0,
            Self::Wide(column) => at(&column.numerators, row).is_zero(),
            Self::Each(values) => at(values, row).as_ref().is_none_or(Quotient::is_zero),
        }
    }

    fn wide(&self) -> Option<Cow<'_, Common<BigInt>>> {
        match self {
            Self::Fixed(column) => Some(Cow::Owned(column.widened())),
            Self::Wide(column) => Some(Cow::Borrowed(column)),
            Self::Each(_) => None,
        }
    }

    /// Tries the 128-bit operation, then the big one, then row by row.
    fn apply(
        &self,
        other: &Self,
        fixed: impl Fn(&Common<i128>, &Common<i128>) -> Option<Common<i128>>,
        wide: impl Fn(&Common<BigInt>, &Common<BigInt>) -> Option<Common<BigInt>>,
        each: impl Fn(&Quotient, &Quotient) -> Option<Quotient>,
    ) -> Result<Self, ValueTooLarge> {
        if let (Self::Fixed(a), Self::Fixed(b)) = (self, other)
            && let Some(result) = fixed(a, b)
        {
            return Ok(Self::Fixed(result));
        }
        if let (Some(a), Some(b)) = (self.wide(), other.wide())
            && let Some(result) = wide(&a, &b)
        {
            return Self::Wide(result).limited();
        }
        self.by_row(other, each)
    }

    fn by_row(
        &self,
        other: &Self,
        each: impl Fn(&Quotient, &Quotient) -> Option<Quotient>,
    ) -> Result<Self, ValueTooLarge> {
        let value = |row: usize| each(&*self.quotient(row)?, &*other.quotient(row)?);
        let rows = self.len().max(other.len());
        Self::Each((0..rows).map(value).collect()).limited()
    }

    fn limited(self) -> Result<Self, ValueTooLarge> {
        let bits = match &self {
            Self::Fixed(_) => 0,
            Self::Wide(column) => column.denominator.bits(),
            Self::Each(values) => values
                .iter()
                .flatten()
                .map(Quotient::denominator_bits)
                .max()
                .unwrap_or(0),
        };
        if bits > MAX_DENOMINATOR_BITS {
            Err(ValueTooLarge)
        } else {
            Ok(self)
        }
    }

    /// Sum, row by row.
    pub fn add(&self, other: &Self) -> Result<Self, ValueTooLarge> {
        self.apply(
            other,
            |a, b| a.combine(b, |x, y| x.checked_add(y)),
            |a, b| a.combine(b, |x, y| Some(x + y)),
            |x, y| Some(x.plus(y)),
        )
    }

    /// Difference, row by row.
    pub fn subtract(&self, other: &Self) -> Result<Self, ValueTooLarge> {
        self.apply(
            other,
            |a, b| a.combine(b, |x, y| x.checked_sub(y)),
            |a, b| a.combine(b, |x, y| Some(x - y)),
            |x, y| Some(x.minus(y)),
        )
    }

    /// Product, row by row.
    pub fn multiply(&self, other: &Self) -> Result<Self, ValueTooLarge> {
        self.apply(other, Common::times, Common::times, |x, y| Some(x.times(y)))
    }

    /// Quotient, row by row; nothing where the divisor is zero.
    pub fn divide(&self, other: &Self) -> Result<Self, ValueTooLarge> {
        fn by_one<N: Whole>(a: &Common<N>, b: &Common<N>) -> Option<Common<N>> {
            a.over(&b.numerators[0], &b.denominator)
        }
        if other.len() == 1 && !other.is_zero_at(0) {
            self.apply(other, by_one, by_one, Quotient::over)
        } else {
            self.by_row(other, Quotient::over)
        }
    }

    /// The smaller of two, row by row.
    pub fn minimum(&self, other: &Self) -> Result<Self, ValueTooLarge> {
        self.apply(
            other,
            |a, b| a.combine(b, |x, y| Some(*x.min(y))),
            |a, b| a.combine(b, |x, y| Some(x.min(y).clone())),
            |x, y| Some(x.min(y).clone()),
        )
    }

    /// The larger of two, row by row.
    pub fn maximum(&self, other: &Self) -> Result<Self, ValueTooLarge> {
        self.apply(
            other,
            |a, b| a.combine(b, |x, y| Some(*x.max(y))),
            |a, b| a.combine(b, |x, y| Some(x.max(y).clone())),
            |x, y| Some(x.max(y).clone()),
        )
    }

    /// The sum over all `rows`, the same in every row; nothing where any row is nothing.
    pub fn total(&self, rows: usize) -> Result<Self, ValueTooLarge> {
        match self {
            Self::Fixed(column) => match column.sum(rows) {
                Some(sum) => Ok(Self::Fixed(Common {
                    numerators: vec![sum],
                    denominator: column.denominator,
                })),
                None => Self::Wide(column.widened()).total(rows),
            },
            Self::Wide(column) => {
                let numerators = column.sum(rows).into_iter().collect();
                Ok(Self::Wide(Common {
                    numerators,
                    denominator: column.denominator.clone(),
                }))
            }
            Self::Each(values) => match Self::common(values) {
                Some(common) => common?.total(rows),
                None => Ok(Self::Each(vec![None])),
            },
        }
    }

    /// Quotients over one denominator; `None` where any is nothing.
    fn common(values: &[Option<Quotient>]) -> Option<Result<Self, ValueTooLarge>> {
        let common = Common::of_quotients(values)?;
        Some(common.map(|common| common.narrowed().map_or(Self::Wide(common), Self::Fixed)))
    }

    /// Each row's share of the sum over all `rows`; nothing where the sum is zero.
    pub fn share(&self, rows: usize) -> Result<Self, ValueTooLarge> {
        // Over one denominator, which the shares do not have any more, unlike the sum.
        if let Self::Each(values) = self
            && let Some(common) = Self::common(values)
        {
            return common?.share(rows);
        }
        self.divide(&self.total(rows)?)
    }

    /// How each row compares with the other's; nothing where either is nothing.
    pub fn compare(&self, other: &Self) -> Vec<Option<Ordering>> {
        if let (Self::Fixed(a), Self::Fixed(b)) = (self, other)
            && let Some(orders) = a.compare(b)
        {
            return orders.into_iter().map(Some).collect();
        }
        if let (Some(a), Some(b)) = (self.wide(), other.wide())
            && let Some(orders) = a.compare(&b)
        {
            return orders.into_iter().map(Some).collect();
        }
        let rows = self.len().max(other.len());
        (0..rows)
            .map(|row| Some(self.quotient(row)?.cmp(&other.quotient(row)?)))
            .collect()
    }

    /// `self` where `first` holds, `other` where it does not, nothing where it is undecided.
    pub fn select(&self, other: &Self, first: &[Option<bool>]) -> Result<Self, ValueTooLarge> {
        if first.iter().all(Option::is_some) {
            if let (Self::Fixed(a), Self::Fixed(b)) = (self, other)
                && let Some(result) = a.select(b, first)
            {
                return Ok(Self::Fixed(result));
            }
            if let (Some(a), Some(b)) = (self.wide(), other.wide())
                && let Some(result) = a.select(&b, first)
            {
                return Self::Wide(result).limited();
            }
        }
        let rows = self.len().max(other.len()).max(first.len());
        let pick = |row: usize| {
            let chosen = if (*at(first, row))? { self } else { other };
            chosen.quotient(row).map(Cow::into_owned)
        };
        Self::Each((0..rows).map(pick).collect()).limited()
    }

    /// The value of a row as an unreduced fraction; zero where it would divide by zero.
    pub fn fraction(&self, row: usize) -> Fraction {
        match self {
            Self::Fixed(column) => {
                Fraction::new((*at(&column.numerators, row)).into(), column.denominator.into())
            }
            Self::Wide(column) => {
                Fraction::new(at(&column.numerators, row).clone(), column.denominator.clone())
            }
            Self::Each(values) => at(values, row)
                .as_ref()
                .map_or_else(|| Fraction::whole(0), Quotient::fraction),
        }
    }
}

impl From<Decimal> for Column {
    fn from(value: Decimal) -> Self {
        Self::constant(value)
    }
}
