//! Divisor methods: unit number `n + 1` of a row has the priority `quota / d(n)`; the units of the
//! highest priorities are given out.
//!
//! The rounding with divisor 1 gives a start that is consistent with the order of priorities and off
//! the total by at most the number of rows; a heap corrects it unit by unit. All comparisons are exact.

use super::{Limits, Method, Quotas, Rows, Unsolvable};
use crate::domain::exact::{BigInt, Fraction};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

pub(super) fn apportion<Q: Quotas>(
    method: Method,
    total: i64,
    rows: &Rows<'_, Q>,
    limits: &[Limits],
) -> Result<Vec<i64>, Unsolvable> {
    let count = rows.floors.len();
    let positive = |row: usize| !rows.exact(row).is_zero();
    let mut units: Vec<i64> = (0..count)
        .map(|row| {
            let start = if positive(row) {
                rounded(method, rows.exact(row), rows.floors[row])
            } else {
                0
            };
            start.clamp(limits[row].low, limits[row].high)
        })
        .collect();
    let mut difference = total - units.iter().sum::<i64>();
    let slot = |row: usize, units: i64| Slot {
        priority: priority(method, rows.exact(row), units),
        row,
        rows,
    };
    if difference > 0 {
        let can_grow = |row: usize, units: i64| units < limits[row].high && positive(row);
        let mut heap: BinaryHeap<Slot<'_, '_, Q>> = (0..count)
            .filter(|row| can_grow(*row, units[*row]))
            .map(|row| slot(row, units[row]))
            .collect();
        while difference > 0 {
            let Some(Slot { row, .. }) = heap.pop() else {
                return Err(Unsolvable::Limits { units: total });
            };
            units[row] += 1;
            difference -= 1;
            if can_grow(row, units[row]) {
                heap.push(slot(row, units[row]));
            }
        }
    } else if difference < 0 {
        let minimum = |row: usize| {
            let first_is_certain = matches!(method, Method::HuntingtonHill | Method::Adams) && positive(row);
            limits[row].low.max(i64::from(first_is_certain))
        };
        let mut heap: BinaryHeap<std::cmp::Reverse<Slot<'_, '_, Q>>> = (0..count)
            .filter(|row| units[*row] > minimum(*row))
            .map(|row| std::cmp::Reverse(slot(row, units[row] - 1)))
            .collect();
        while difference < 0 {
            let Some(std::cmp::Reverse(Slot { row, .. })) = heap.pop() else {
                let needed = (0..count).filter(|row| positive(*row)).count();
                return Err(Unsolvable::TooFewUnits {
                    rows: needed,
                    units: total,
                });
            };
            units[row] -= 1;
            difference += 1;
            if units[row] > minimum(row) {
                heap.push(std::cmp::Reverse(slot(row, units[row] - 1)));
            }
        }
    }
    Ok(units)
}

/// Units that a quota of more than zero is worth with divisor 1.
fn rounded(method: Method, quota: &Fraction, floor: i64) -> i64 {
    let floor_big = BigInt::from(floor);
    let up = match method {
        Method::LargestRemainder | Method::Jefferson => false,
        Method::Adams => quota.numerator > &floor_big * &quota.denominator,
        // quota >= floor + 1/2
        Method::Webster => &quota.numerator * 2_i32 >= (&floor_big * 2_i32 + 1_i32) * &quota.denominator,
        // quota² >= floor (floor + 1)
        Method::HuntingtonHill => {
            &quota.numerator * &quota.numerator
                >= &floor_big * (&floor_big + 1_i32) * &quota.denominator * &quota.denominator
        }
    };
    floor + i64::from(up)
}

/// The priority of a row's next unit when it has `units`; `None` is above all others.
///
/// For Huntington-Hill the square of the priority, which orders the same way.
fn priority(method: Method, quota: &Fraction, units: i64) -> Option<Fraction> {
    let units = BigInt::from(units);
    let divisor = match method {
        Method::LargestRemainder | Method::Jefferson => units + 1_i32,
        Method::Adams => units,
        Method::Webster => units * 2_i32 + 1_i32,
        Method::HuntingtonHill => &units * (&units + 1_i32),
    };
    if divisor == BigInt::ZERO {
        return None;
    }
    let quota = if method == Method::HuntingtonHill {
        quota.times(quota)
    } else {
        quota.clone()
    };
    Some(quota.over(&Fraction::whole(divisor)))
}

/// A row's next unit, ordered so that the one to be given first is the greatest.
struct Slot<'r, 'q, Q> {
    priority: Option<Fraction>,
    row: usize,
    rows: &'r Rows<'q, Q>,
}

impl<Q: Quotas> Ord for Slot<'_, '_, Q> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_priority = match (&self.priority, &other.priority) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(mine), Some(theirs)) => mine.cmp(theirs),
        };
        by_priority.then_with(|| self.rows.tie(other.row, self.row))
    }
}

impl<Q: Quotas> PartialOrd for Slot<'_, '_, Q> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<Q: Quotas> PartialEq for Slot<'_, '_, Q> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<Q: Quotas> Eq for Slot<'_, '_, Q> {}
