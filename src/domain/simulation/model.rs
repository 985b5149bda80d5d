//! What an analysis asks: the amounts at some settings.

use super::scenario::{Refusal, Setting};
use crate::domain::exact::BigInt;

/// Gives every region's amount for the settings of a plan's knobs.
///
/// The engine's evaluator is one; analyses know no more of it than this.
pub trait Model {
    /// The amounts in fen, in region order, or why there are none.
    fn amounts(&mut self, settings: &[Setting]) -> Result<&[i64], Refusal>;
}

impl Model for super::evaluator::Evaluator<'_, '_> {
    fn amounts(&mut self, settings: &[Setting]) -> Result<&[i64], Refusal> {
        Self::amounts(self, settings)
    }
}

/// A function that writes amounts into a buffer, as a model.
#[derive(Debug)]
pub struct Function<F> {
    function: F,
    amounts: Vec<i64>,
}

impl<F: FnMut(&[Setting], &mut Vec<i64>) -> Result<(), Refusal>> Function<F> {
    /// The model; `function` gets an empty buffer each time.
    pub fn new(function: F) -> Self {
        Self {
            function,
            amounts: Vec::new(),
        }
    }
}

impl<F: FnMut(&[Setting], &mut Vec<i64>) -> Result<(), Refusal>> Model for Function<F> {
    fn amounts(&mut self, settings: &[Setting]) -> Result<&[i64], Refusal> {
        self.amounts.clear();
        (self.function)(settings, &mut self.amounts)?;
        Ok(&self.amounts)
    }
}

/// An exact sum of any size: 128 bits, and what has gone beyond them.
///
/// The sum is the same in whatever order it was added up.
#[derive(Debug, Clone, Default)]
pub(super) struct Total {
    near: i128,
    far: BigInt,
}

impl Total {
    pub(super) fn add(&mut self, value: i128) {
        match self.near.checked_add(value) {
            Some(near) => self.near = near,
            None => {
                self.far += self.near;
                self.near = value;
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.add(other.near);
        self.far += &other.far;
    }

    pub(super) fn sum(&self) -> BigInt {
        &self.far + self.near
    }
}

/// The square of a difference of amounts; amounts are below 10^17, so it fits 128 bits with room to spare.
pub(super) fn squared(a: i64, b: i64) -> i128 {
    let difference = i128::from(a) - i128::from(b);
    difference * difference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_go_beyond_128_bits() {
        let mut total = Total::default();
        let mut other = Total::default();
        for _ in 0..5 {
            total.add(i128::MAX);
            other.add(i128::MIN);
        }
        total.merge(&other);
        assert_eq!(total.sum(), BigInt::from(-5));
    }
}
