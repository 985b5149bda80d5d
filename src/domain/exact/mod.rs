//! Exact arithmetic for whole columns of regions, and the enclosures that make it fast.
//!
//! - [`mod@column`]: what a score expression evaluates to; exact rationals that share a denominator where they can.
//! - [`mod@quotient`]: one rational for one region, small or big.
//! - [`mod@fraction`]: unreduced fractions, for sums and comparisons.
//! - [`mod@amounts`]: each region's exact amount, as a sum over components of score times multiplier.
//! - [`mod@enclosure`]: fixed-point intervals that provably contain an exact value. Decisions are taken
//!   on the interval where it is clear of the threshold, and on big rationals where it is not
//!   (filtered exact predicates: J. R. Shewchuk, *Adaptive Precision Floating-Point Arithmetic and
//!   Fast Robust Geometric Predicates*, 1997). Either way the answer is that of rational arithmetic.

pub mod amounts;
pub mod column;
pub mod enclosure;
pub mod fraction;
pub mod quotient;

pub use column::Column;
pub use fraction::Fraction;
pub use num_bigint::BigInt;
pub use num_rational::BigRational;

use rust_decimal::Decimal;

/// The exact rational value of a decimal.
pub fn rational(value: Decimal) -> BigRational {
    BigRational::new(
        BigInt::from(value.mantissa()),
        BigInt::from(10_i128.pow(value.scale())),
    )
}
