//! Whether money goes where migrants are: correlations of ranks.

use super::rounded_root;
use crate::domain::exact::{BigInt, Fraction};
use num_traits::Zero;
use rust_decimal::Decimal;

/// Spearman's rank correlation, from -1 to 1; level values share the mean of their ranks. None where one side is the same
/// everywhere.
///
/// C. Spearman, *The Proof and Measurement of Association between Two Things*, American Journal of Psychology 15 (1904);
/// as the product-moment correlation of ranks, which is right with level values too (M. G. Kendall, *Rank Correlation
/// Methods*, 4th edition, 1970, chapter 3).
pub fn spearman<A: Ord, B: Ord>(a: &[A], b: &[B]) -> Option<Decimal> {
    let (a, b) = (doubled_ranks(a), doubled_ranks(b));
    let count = i128::try_from(a.len().min(b.len())).ok()?;
    let mut products = [0_i128; 3];
    // Doubled ranks are whole numbers, and their mean is n + 1.
    for (a, b) in a.iter().zip(&b).map(|(a, b)| (a - count - 1, b - count - 1)) {
        products[0] += a * b;
        products[1] += a * a;
        products[2] += b * b;
    }
    let [both, of_a, of_b] = products.map(BigInt::from);
    correlation(&both, &(of_a * of_b))
}

/// Kendall's tau-b, from -1 to 1: pairs in the same order less pairs in opposite orders, over the geometric mean of the pairs
/// that are not level on either side. None where one side is the same everywhere.
///
/// M. G. Kendall, *The Treatment of Ties in Ranking Problems*, Biometrika 33 (1945); counted in `n log n` steps after
/// W. R. Knight, *A Computer Method for Calculating Kendall's Tau with Ungrouped Data*, Journal of the American
/// Statistical Association 61 (1966).
pub fn kendall<A: Ord, B: Ord>(a: &[A], b: &[B]) -> Option<Decimal> {
    let (a, b) = (doubled_ranks(a), doubled_ranks(b));
    let mut pairs: Vec<(i128, i128)> = a.into_iter().zip(b).collect();
    pairs.sort_unstable();
    let level_both = level_pairs(pairs.iter());
    let level_a = level_pairs(pairs.iter().map(|pair| pair.0));
    let mut of_b: Vec<i128> = pairs.iter().map(|pair| pair.1).collect();
    let mut scratch = of_b.clone();
    let opposite = exchanges(&mut of_b, &mut scratch);
    let level_b = level_pairs(of_b.iter());
    let count = i128::try_from(pairs.len()).ok()?;
    let all = count * (count - 1).max(0) / 2;
    // All pairs are in the same order, in opposite orders, or level on one side or both.
    let same_less_opposite = all - level_a - level_b + level_both - 2 * opposite;
    correlation(
        &same_less_opposite.into(),
        &(BigInt::from(all - level_a) * BigInt::from(all - level_b)),
    )
}

/// `numerator / √square`, rounded.
fn correlation(numerator: &BigInt, square: &BigInt) -> Option<Decimal> {
    if square.is_zero() {
        return None;
    }
    let squared = Fraction::new(numerator * numerator, square.clone());
    Some(rounded_root(&squared, numerator))
}

/// Twice the rank of each value, from 1 on; level values have the mean of their ranks.
fn doubled_ranks<T: Ord>(values: &[T]) -> Vec<i128> {
    let mut rows: Vec<usize> = (0..values.len()).collect();
    rows.sort_by(|&a, &b| values[a].cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    let mut first = 0;
    for level in rows.chunk_by(|&a, &b| values[a] == values[b]) {
        let last = first + level.len();
        for &row in level {
            ranks[row] = (first + 1 + last) as i128;
        }
        first = last;
    }
    ranks
}

/// Pairs of equal neighbours' groups in a sorted list.
fn level_pairs<T: PartialEq>(sorted: impl Iterator<Item = T>) -> i128 {
    let mut pairs = 0;
    let mut group = 0;
    let mut before: Option<T> = None;
    for value in sorted {
        group = if before.as_ref() == Some(&value) {
            group + 1
        } else {
            0
        };
        pairs += group;
        before = Some(value);
    }
    pairs
}

/// Sorts by merging and counts the pairs that were the wrong way round.
fn exchanges(values: &mut [i128], scratch: &mut [i128]) -> i128 {
    if values.len() < 2 {
        return 0;
    }
    let middle = values.len() / 2;
    let (left, right) = values.split_at_mut(middle);
    let (left_scratch, right_scratch) = scratch.split_at_mut(middle);
    let mut count = exchanges(left, left_scratch) + exchanges(right, right_scratch);
    let (mut at_left, mut at_right) = (0, 0);
    for slot in scratch.iter_mut() {
        let take_left = match (left.get(at_left), right.get(at_right)) {
            (Some(left), Some(right)) => left <= right,
            (left, _) => left.is_some(),
        };
        if take_left {
            *slot = left[at_left];
            at_left += 1;
        } else {
            *slot = right[at_right];
            at_right += 1;
            count += (left.len() - at_left) as i128;
        }
    }
    values.copy_from_slice(scratch);
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    #[test]
    fn intelligence_and_television() {
        // A well-known textbook table (IQ and hours of television a week of ten people): ρ = -29/165.
        let iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110];
        let hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17];
        assert_eq!(spearman(&iq, &hours), Some(decimal("-0.175758")));
    }

    #[test]
    fn level_values() {
        // Worked by hand. Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: deviations -1.5, 0, 0, 1.5 and -1.5, .5, -.5, 1.5, so
        // 4.5 / √(4.5 · 5) = √0.9. Of six pairs five are in the same order and one is level on one side: 5 / √(5 · 6).
        let (a, b) = ([1, 2, 2, 3], [10, 30, 20, 40]);
        assert_eq!(spearman(&a, &b), Some(decimal("0.948683")));
        assert_eq!(kendall(&a, &b), Some(decimal("0.912871")));
    }

    #[test]
    fn ends_and_nothing() {
        assert_eq!(kendall(&[1, 2, 3], &[4, 5, 6]), Some(Decimal::ONE));
        assert_eq!(spearman(&[1, 2, 3], &[6, 5, 4]), Some(-Decimal::ONE));
        assert_eq!(kendall(&[1, 1, 1], &[4, 5, 6]), None);
        assert_eq!(spearman(&[7], &[4]), None);
    }

    proptest! {
        #[test]
        fn kendall_counts_every_pair(values in prop::collection::vec((0..12_i64, 0..12_i64), 2..40)) {
            let (a, b): (Vec<i64>, Vec<i64>) = values.iter().copied().unzip();
            let (mut difference, mut of_a, mut of_b) = (0_i64, 0_i64, 0_i64);
            for (at, first) in values.iter().enumerate() {
                for second in &values[at + 1..] {
                    let (x, y) = ((first.0 - second.0).signum(), (first.1 - second.1).signum());
                    difference += x * y;
                    of_a += x.abs();
                    of_b += y.abs();
                }
            }
            let expected = correlation(&difference.into(), &BigInt::from(of_a * of_b));
            prop_assert_eq!(kendall(&a, &b), expected);
        }
    }
}
