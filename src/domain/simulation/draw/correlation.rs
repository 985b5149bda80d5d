//! Errors that move together: correlation matrices and their factors.

use crate::domain::exact::BigRational;
use crate::domain::simulation::fixed::{Fixed, PLACES};
use num_traits::{One, Signed, ToPrimitive, Zero};

/// The lower factor `L` of a correlation matrix `L Lᵀ`, by rows, each entry rounded to a multiple of 2^-56.
///
/// The decomposition is done in rationals, without square roots (`L D Lᵀ`; G. H. Golub and C. F. Van Loan,
/// *Matrix Computations*, 4th edition, section 4.1.2), so that whether a matrix is one is decided exactly, and each
/// entry is rounded once: `l √d` by the integer root of `l² d`. A pivot of zero is allowed where what is below it
/// is zero too: such errors are bound to others completely.
#[derive(Debug, Clone)]
pub(super) struct Factor {
    rows: Vec<Vec<Fixed>>,
}

impl Factor {
    /// Factors a symmetric matrix given by its lower rows, diagonal included; `None` where no errors have these
    /// correlations (a matrix that is not positive semidefinite).
    pub(super) fn new(lower: &[Vec<BigRational>]) -> Option<Self> {
        let size = lower.len();
        let mut unit: Vec<Vec<BigRational>> = vec![Vec::new(); size];
        let mut pivots: Vec<BigRational> = Vec::with_capacity(size);
        for row in 0..size {
            let mut entries: Vec<BigRational> = Vec::with_capacity(row + 1);
            for column in 0..row {
                let mut rest = lower[row][column].clone();
                for at in 0..column {
                    rest -= &entries[at] * &unit[column][at] * &pivots[at];
                }
                entries.push(match (pivots[column].is_zero(), rest.is_zero()) {
                    (true, true) => BigRational::zero(),
                    (true, false) => return None,
                    (false, _) => rest / &pivots[column],
                });
            }
            let mut pivot = lower[row][row].clone();
            for at in 0..row {
                pivot -= &entries[at] * &entries[at] * &pivots[at];
            }
            if pivot.is_negative() {
                return None;
            }
            pivots.push(pivot);
            entries.push(BigRational::one());
            unit[row] = entries;
        }
        let rows = unit
            .iter()
            .map(|entries| {
                entries
                    .iter()
                    .zip(&pivots)
                    .map(|(entry, pivot)| {
                        let size = root_of_rational(&(entry * entry * pivot));
                        if entry.is_negative() { -size } else { size }
                    })
                    .collect()
            })
            .collect();
        Some(Self { rows })
    }

    /// How many errors it is about.
    pub(super) fn size(&self) -> usize {
        self.rows.len()
    }

    /// One correlated number: the product of a row with independent ones.
    pub(super) fn correlate(&self, row: usize, independent: &[Fixed]) -> Fixed {
        let sum: i128 = self.rows[row].iter().zip(independent).map(|(a, b)| a * b).sum();
        sum >> PLACES
    }
}

/// The square root of a rational from 0 to 1, rounded down to a multiple of 2^-56.
pub(super) fn root_of_rational(square: &BigRational) -> Fixed {
    let scaled = square * BigRational::from_integer(num_bigint::BigInt::one() << (2 * PLACES));
    let root = scaled.floor().to_integer().sqrt();
    root.to_i128().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::exact::rational;
    use crate::domain::simulation::fixed::ONE;
    use rust_decimal::Decimal;

    fn matrix(rows: &[&[&str]]) -> Vec<Vec<BigRational>> {
        rows.iter()
            .map(|row| {
                row.iter()
                    .map(|text| rational(Decimal::from_str_exact(text).unwrap()))
                    .collect()
            })
            .collect()
    }

    #[test]
    fn factors_give_the_matrix_again() {
        let lower = matrix(&[
            &["1"],
            &["0.6", "1"],
            &["-0.3", "0.2", "1"],
            &["0.5", "0.1", "0.4", "1"],
        ]);
        let factor = Factor::new(&lower).unwrap();
        assert_eq!(factor.size(), 4);
        // 0.6 and √(1 - 0.36) = 0.8: in the first two rows the factor can be read off.
        let near = |found: Fixed, tenths: i128| assert!((found - tenths * ONE / 10).abs() <= 2, "{found}");
        near(factor.rows[1][0], 6);
        near(factor.rows[1][1], 8);
        for (a, row) in lower.iter().enumerate() {
            for (b, expected) in row.iter().enumerate() {
                let expected = (expected * BigRational::from_integer(ONE.into())).to_integer();
                let product = factor.correlate(a, &factor.rows[b]);
                assert!((expected - product).abs() <= 8.into(), "{a} {b}");
            }
        }
    }

    #[test]
    fn refuses_what_no_errors_can_have() {
        // a like b, b like c, but a against c.
        assert!(Factor::new(&matrix(&[&["1"], &["0.9", "1"], &["-0.9", "0.9", "1"]])).is_none());
        assert!(Factor::new(&matrix(&[&["1"], &["1", "1"], &["0.5", "0.4", "1"]])).is_none());
        // Bound completely, without contradiction.
        let bound = Factor::new(&matrix(&[&["1"], &["1", "1"], &["0.6", "0.6", "1"]])).unwrap();
        assert_eq!(bound.rows[1], [ONE, 0]);
    }
}
