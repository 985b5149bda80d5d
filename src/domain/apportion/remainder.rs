//! Largest remainder: floors first, then one unit each to the largest remainders.

use super::{Quotas, Rows, Unsolvable};
use crate::domain::exact::Fraction;
use std::cmp::Ordering;

pub(super) fn apportion<Q: Quotas>(total: i64, rows: &Rows<'_, Q>) -> Result<Vec<i64>, Unsolvable> {
    let mut units = rows.floors.clone();
    let given: i64 = units.iter().sum();
    let left = usize::try_from(total - given).map_err(|_| Unsolvable::Limits { units: total })?;
    if left == 0 {
        return Ok(units);
    }
    let mut order: Vec<usize> = (0..units.len()).collect();
    if left > order.len() {
        return Err(Unsolvable::Limits { units: total });
    }
    // Selection, not sorting: only who is among the first `left` matters.
    order.select_nth_unstable_by(left - 1, |a, b| by_remainder(rows, *a, *b));
    for row in &order[..left] {
        units[*row] += 1;
    }
    Ok(units)
}

fn by_remainder<Q: Quotas>(rows: &Rows<'_, Q>, a: usize, b: usize) -> Ordering {
    if let Some(order @ (Ordering::Less | Ordering::Greater)) = rows.remainder(b).order(rows.remainder(a)) {
        return order;
    }
    residual_order((a, rows.exact(a)), (b, rows.exact(b)))
}

/// Which of two rows, each with its exact quota, comes first for a residual unit: the larger remainder, then the
/// larger quota, then the lower position.
pub fn residual_order(a: (usize, &Fraction), b: (usize, &Fraction)) -> Ordering {
    (b.1.remainder().cmp(&a.1.remainder()))
        .then_with(|| b.1.cmp(a.1))
        .then(a.0.cmp(&b.0))
}
