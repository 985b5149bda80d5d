//! How far a value may be off: shapes of errors, and the value that a random number stands for.

use crate::domain::error::Violation;
use crate::domain::exact::{BigRational, rational};
use crate::domain::simulation::fixed::{
    Fixed, ONE, PLACES, normal_probability, normal_quantile, root_of_product,
};
use crate::domain::statistics::Indicator;
use num_traits::{Signed, ToPrimitive};
use rust_decimal::Decimal;

/// What the numbers of a distribution are measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Percent of the value, without its sign.
    #[default]
    Percent,
    /// The indicator's unit.
    Absolute,
}

/// Where a normal distribution is cut off; what is beyond is shared out in proportion to what is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Truncation {
    /// Nowhere: only for indicators without a least and largest value.
    #[default]
    None,
    /// Where the indicator's least and largest values are.
    Indicator,
    /// At these errors.
    At {
        /// The least error.
        low: Decimal,
        /// The largest error.
        high: Decimal,
    },
}

/// How errors are distributed around the value that was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// The normal distribution around zero.
    Normal {
        /// The standard deviation before it is cut off.
        deviation: Decimal,
        /// Where it is cut off.
        truncation: Truncation,
    },
    /// Every error between two is equally likely.
    Uniform {
        /// The least error.
        low: Decimal,
        /// The largest error.
        high: Decimal,
    },
    /// Likeliest at one error, falling in straight lines to none at the least and the largest.
    Triangular {
        /// The least error.
        low: Decimal,
        /// The likeliest error.
        mode: Decimal,
        /// The largest error.
        high: Decimal,
    },
    /// One of these errors, each equally likely: those seen in earlier years, for example.
    Empirical {
        /// The errors.
        errors: Vec<Decimal>,
    },
}

/// A shape and what its numbers are measured by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// What the numbers are measured by.
    pub scale: Scale,
    /// The shape.
    pub shape: Shape,
}

/// Most errors of an empirical distribution.
pub const MAX_ERRORS: usize = 10_000;
/// Largest error, as a multiple of the value.
const MAX_FACTOR: i64 = 64;
/// Largest value, in units of its last decimal.
const MAX_MANTISSA: i128 = 1_000_000_000_000_000_000;

/// The errors of one input, as multiples of a size, in [`Fixed`].
#[derive(Debug, Clone)]
enum Errors {
    Normal {
        deviation: Fixed,
    },
    Truncated {
        deviation: Fixed,
        /// Probabilities of being below the ends, in multiples of 2^-64.
        from: u64,
        to: u64,
    },
    Uniform {
        low: Fixed,
        width: Fixed,
    },
    Triangular {
        low: Fixed,
        high: Fixed,
        /// Probability of being below the mode, in multiples of 2^-64.
        turn: u64,
        /// Width times width below the mode, and above.
        rising: Fixed,
        falling: Fixed,
    },
    Empirical {
        errors: Vec<Fixed>,
    },
}

/// An uncertain value: what a random number of 64 bits makes of it.
///
/// The value is `observed + size * error`, rounded half up to the indicator's decimals, where `error` is the
/// quantile of a probability taken to 56 binary digits or more, within 2^-46 deviations (normal) or 2^-54 (others).
#[derive(Debug, Clone)]
pub(super) struct Uncertain {
    observed: i128,
    size: i128,
    errors: Errors,
    /// What a value may be, in units of its last decimal.
    least: i128,
    largest: i128,
    decimals: u32,
}

fn refused(field: &str, found: String, en: impl Into<String>, zh: impl Into<String>) -> Violation {
    Violation::new(field, found, en, zh)
}

fn to_fixed(value: &BigRational) -> Fixed {
    let scaled = value * BigRational::from_integer((ONE * 2).into());
    // Half up: the floor of twice, plus one, halved.
    ((scaled.floor().to_integer() + 1_i32) >> 1_u32)
        .to_i128()
        .unwrap_or(0)
}

impl Distribution {
    /// The least and the largest error; `None` where there is no end.
    fn ends(&self) -> Option<(Decimal, Decimal)> {
        match &self.shape {
            Shape::Normal {
                truncation: Truncation::At { low, high },
                ..
            }
            | Shape::Uniform { low, high }
            | Shape::Triangular { low, high, .. } => Some((*low, *high)),
            Shape::Normal { .. } => None,
            Shape::Empirical { errors } => Some((
                errors.iter().min().copied().unwrap_or_default(),
                errors.iter().max().copied().unwrap_or_default(),
            )),
        }
    }

    fn numbers(&self) -> Vec<Decimal> {
        let mut numbers = match &self.shape {
            Shape::Normal { deviation, .. } => vec![*deviation],
            Shape::Triangular { mode, .. } => vec![*mode],
            Shape::Empirical { errors } => errors.clone(),
            Shape::Uniform { .. } => Vec::new(),
        };
        numbers.extend(self.ends().into_iter().flat_map(|(low, high)| [low, high]));
        numbers
    }

    /// What can be checked without a value.
    pub(super) fn check(&self, field: &str) -> Result<(), Violation> {
        let ordered = |numbers: &[Decimal]| numbers.windows(2).all(|pair| pair[0] <= pair[1]);
        match &self.shape {
            Shape::Normal {
                deviation,
                truncation,
            } => {
                if deviation.is_sign_negative() || deviation.is_zero() {
                    return Err(refused(
                        &format!("{field}.deviation"),
                        deviation.to_string(),
                        "a standard deviation above zero",
                        "大于零的标准差",
                    ));
                }
                match truncation {
                    Truncation::At { low, high } if low >= high => Err(refused(
                        &format!("{field}.truncation"),
                        format!("{low} to {high}"),
                        "a least error below the largest",
                        "下限小于上限",
                    )),
                    _ => Ok(()),
                }
            }
            Shape::Uniform { low, high } if low >= high => Err(refused(
                field,
                format!("{low} to {high}"),
                "a least error below the largest",
                "最小误差小于最大误差",
            )),
            Shape::Triangular { low, mode, high } if low >= high || !ordered(&[*low, *mode, *high]) => {
                Err(refused(
                    field,
                    format!("{low}, {mode}, {high}"),
                    "least, likeliest and largest error in this order, the least below the largest",
                    "依次为最小、最可能、最大误差,且最小小于最大",
                ))
            }
            Shape::Empirical { errors } if errors.is_empty() || errors.len() > MAX_ERRORS => Err(refused(
                &format!("{field}.errors"),
                format!("{} errors", errors.len()),
                format!("1 to {MAX_ERRORS} errors"),
                format!("1 至 {MAX_ERRORS} 个误差值"),
            )),
            _ => Ok(()),
        }
    }
}

impl Uncertain {
    /// Prepares the draws of one value; `place` names region and year in what is refused.
    pub(super) fn new(
        field: &str,
        place: &str,
        distribution: &Distribution,
        indicator: &Indicator,
        observed: Decimal,
    ) -> Result<Self, Violation> {
        let decimals = indicator.decimals.min(28);
        let unit =
            rational(Decimal::ONE) * BigRational::from_integer(num_bigint::BigInt::from(10).pow(decimals));
        let units = |value: Decimal| rational(value) * &unit;
        let observed_units = units(observed)
            .round()
            .to_i128()
            .filter(|mantissa| mantissa.abs() < MAX_MANTISSA)
            .ok_or_else(|| {
                refused(
                    field,
                    format!("{observed} for {place}"),
                    "values of at most 18 digits, decimals included",
                    "连同小数不超过 18 位数字的数值",
                )
            })?;
        // A size in units of the last decimal such that errors are small multiples of it.
        let numbers = distribution.numbers();
        let (size, per) = match distribution.scale {
            Scale::Percent => (observed_units.abs(), rational(Decimal::ONE_HUNDRED)),
            Scale::Absolute => {
                let largest = numbers
                    .iter()
                    .map(|number| units(number.abs()).ceil())
                    .max()
                    .unwrap_or_else(|| rational(Decimal::ONE));
                let size = largest.to_i128().unwrap_or(i128::MAX).max(1);
                (size, BigRational::from_integer(size.into()) / &unit)
            }
        };
        let factor = |number: Decimal| rational(number) / &per;
        let too_large = numbers
            .iter()
            .find(|number| factor(**number).abs() > BigRational::from_integer(MAX_FACTOR.into()));
        if too_large.is_some() || size.abs() >= MAX_MANTISSA {
            let largest = numbers.iter().map(Decimal::abs).max().unwrap_or_default();
            return Err(refused(
                field,
                largest.to_string(),
                format!("errors of at most {MAX_FACTOR} times the value and 18 digits"),
                format!("误差不超过数值的 {MAX_FACTOR} 倍、18 位数字"),
            ));
        }
        let least = indicator.minimum.map(|minimum| units(minimum).ceil());
        let largest = indicator.maximum.map(|maximum| units(maximum).floor());
        let limit = |limit: Option<BigRational>, open: i128| {
            let mantissa = limit.and_then(|limit| limit.to_i128());
            mantissa.map_or(open, |mantissa| mantissa.clamp(-MAX_MANTISSA, MAX_MANTISSA))
        };
        let mut this = Self {
            observed: observed_units,
            size,
            errors: Errors::Normal { deviation: 0 },
            least: limit(least, -MAX_MANTISSA),
            largest: limit(largest, MAX_MANTISSA),
            decimals,
        };
        this.check_support(field, place, distribution, indicator)?;
        let fixed = |number: Decimal| to_fixed(&factor(number));
        this.errors = match &distribution.shape {
            Shape::Normal {
                deviation,
                truncation,
            } => {
                let deviation = fixed(*deviation);
                let (low, high) = match truncation {
                    Truncation::None => (None, None),
                    Truncation::At { low, high } => (Some(fixed(*low)), Some(fixed(*high))),
                    Truncation::Indicator => this.allowed_errors(indicator),
                };
                match (low, high) {
                    (None, None) => Errors::Normal { deviation },
                    (low, high) => {
                        let below =
                            |error: Fixed| normal_probability(error.saturating_mul(ONE) / deviation.max(1));
                        let (from, to) = (low.map_or(0, below), high.map_or(u64::MAX, below));
                        if from.saturating_add(MIN_MASS) > to && this.size != 0 {
                            return Err(refused(
                                &format!("{field}.truncation"),
                                format!("next to no probability left for {place}"),
                                "limits that keep at least a 2^-24th of the distribution",
                                "截断后至少保留 2^-24 的概率",
                            ));
                        }
                        Errors::Truncated { deviation, from, to }
                    }
                }
            }
            Shape::Uniform { low, high } => Errors::Uniform {
                low: fixed(*low),
                width: fixed(*high) - fixed(*low),
            },
            Shape::Triangular { low, mode, high } => {
                let (low, mode, high) = (fixed(*low), fixed(*mode), fixed(*high));
                let width = (high - low).max(1);
                Errors::Triangular {
                    low,
                    high,
                    turn: u64::try_from((((mode - low) << 60) / width) << 4).unwrap_or(u64::MAX),
                    rising: (width * (mode - low)) >> PLACES,
                    falling: (width * (high - mode)) >> PLACES,
                }
            }
            Shape::Empirical { errors } => Errors::Empirical {
                errors: errors.iter().map(|error| fixed(*error)).collect(),
            },
        };
        Ok(this)
    }

    /// Refuses a distribution that reaches values which the indicator does not allow.
    fn check_support(
        &self,
        field: &str,
        place: &str,
        distribution: &Distribution,
        indicator: &Indicator,
    ) -> Result<(), Violation> {
        let allowed = || {
            let bound = |side: Option<Decimal>, open: &str| {
                side.map_or_else(|| open.to_owned(), |limit| limit.to_string())
            };
            format!(
                "{} to {}",
                bound(indicator.minimum, "-∞"),
                bound(indicator.maximum, "∞")
            )
        };
        let ends = match (&distribution.shape, distribution.ends()) {
            (
                Shape::Normal {
                    truncation: Truncation::None,
                    ..
                },
                _,
            ) if indicator.minimum.is_some() || indicator.maximum.is_some() => {
                return Err(refused(
                    &format!("{field}.truncation"),
                    "none".to_owned(),
                    format!(
                        "a truncated normal distribution: {} is from {}",
                        indicator.code,
                        allowed()
                    ),
                    format!("截断的正态分布:{} 的取值范围为 {}", indicator.name_zh, allowed()),
                ));
            }
            (_, Some(ends)) => ends,
            (_, None) => return Ok(()),
        };
        let percent = BigRational::from_integer(self.observed.abs().into()) / rational(Decimal::ONE_HUNDRED);
        let unit = BigRational::from_integer(num_bigint::BigInt::from(10).pow(self.decimals));
        for end in [ends.0, ends.1] {
            let error = match distribution.scale {
                Scale::Percent => rational(end) * &percent,
                Scale::Absolute => rational(end) * &unit,
            };
            let value = BigRational::from_integer(self.observed.into()) + error;
            let below = value < BigRational::from_integer(self.least.into());
            let above = value > BigRational::from_integer(self.largest.into());
            if below || above {
                let value = crate::domain::exact::Fraction::from(value / &unit);
                return Err(refused(
                    field,
                    format!(
                        "{} with the error {end} for {place}",
                        value.to_decimal_text(self.decimals)
                    ),
                    format!("errors that keep {} within {}", indicator.code, allowed()),
                    format!("误差须使{}保持在 {} 之内", indicator.name_zh, allowed()),
                ));
            }
        }
        Ok(())
    }

    /// The errors at which the value reaches what the indicator allows.
    fn allowed_errors(&self, indicator: &Indicator) -> (Option<Fixed>, Option<Fixed>) {
        let error = |limit: i128| {
            let difference = BigRational::from_integer((limit - self.observed).into());
            let size = BigRational::from_integer(self.size.max(1).into());
            // Beyond this no draw of 64 bits gets.
            let far = BigRational::from_integer((MAX_FACTOR * 16).into());
            to_fixed(&(difference / size).clamp(-far.clone(), far))
        };
        (
            indicator.minimum.map(|_| error(self.least)),
            indicator.maximum.map(|_| error(self.largest)),
        )
    }

    /// The error that a random number stands for: the quantile of its probability.
    fn error(&self, number: u64) -> Fixed {
        match &self.errors {
            Errors::Normal { deviation } => (normal_quantile(number) * deviation) >> PLACES,
            Errors::Truncated { deviation, from, to } => {
                let inside = (u128::from(number) * u128::from(to - from)) >> 64;
                (normal_quantile(from + inside as u64) * deviation) >> PLACES
            }
            Errors::Uniform { low, width } => low + ((i128::from(number >> 1) * (width >> 1)) >> 62),
            Errors::Triangular {
                low,
                high,
                turn,
                rising,
                falling,
            } => {
                let part = |number: u64| i128::from(number >> (64 - PLACES));
                if number < *turn {
                    low + root_of_product(*rising, part(number))
                } else {
                    high - root_of_product(*falling, part(u64::MAX - number))
                }
            }
            Errors::Empirical { errors } => {
                let at = (u128::from(number) * errors.len() as u128) >> 64;
                errors[at as usize]
            }
        }
    }

    /// The value that a random number stands for, in units of the last decimal: it rises with the number.
    pub(super) fn value(&self, number: u64) -> Decimal {
        let error = self.error(number);
        let moved = (self.size * error + (ONE >> 1)) >> PLACES;
        let value = (self.observed + moved).max(self.least).min(self.largest);
        Decimal::from_i128_with_scale(value, self.decimals)
    }
}

/// Least probability that a truncation must leave, in multiples of 2^-64.
const MIN_MASS: u64 = 1 << 40;
