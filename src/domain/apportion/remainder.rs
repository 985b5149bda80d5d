//! Largest remainder: floors first, then one unit each to the largest remainders.

use super::{Quotas, Rows, Unsolvable};
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
    rows.exact(b)
        .remainder()
        .cmp(&rows.exact(a).remainder())
        .then_with(|| rows.tie(a, b))
}
