//! What each component contributes to each region, in whole units that add up both ways: each row to
//! the region's amount before bounds, each column to what the component pays.
//!
//! This is for tables. Amounts are decided from exact values without looking at it; each cell is
//! within a unit of its exact value wherever the two sums allow it (controlled rounding: L. H. Cox,
//! *A Constructive Procedure for Unbiased Controlled Rounding*, JASA 82, 1987).

use super::bounds::fill;
use super::evaluate::Evaluation;
use crate::domain::apportion::{Limits, Method, apportion};
use crate::domain::exact::Fraction;
use crate::domain::exact::amounts::{Amounts, Part};
use crate::domain::exact::enclosure::{Enclosure, PLACES};
use crate::domain::money::Money;
use num_traits::ToPrimitive;

/// For each region, in order, what each component contributes before bounds, in the formula's order.
pub fn contributions(evaluation: &Evaluation<'_>) -> Vec<Vec<Money>> {
    let unit = evaluation.formula.unit.fen();
    let as_money = |units: &i64| {
        units
            .checked_mul(unit)
            .and_then(Money::from_fen)
            .unwrap_or_default()
    };
    let units = in_units(evaluation);
    units
        .iter()
        .map(|row| row.iter().map(as_money).collect())
        .collect()
}

fn in_units(evaluation: &Evaluation<'_>) -> Vec<Vec<i64>> {
    let amounts = &evaluation.amounts;
    let unit = evaluation.formula.unit.fen();
    let total: i64 = evaluation.results.iter().map(|amount| amount.fen() / unit).sum();
    let paid: Vec<Fraction> = evaluation
        .components
        .iter()
        .map(|component| component.paid.clone())
        .collect();
    let rows: Vec<i64> = if evaluation.bounds.in_force {
        before_bounds(amounts, Fraction::sum(&paid), total).unwrap_or_else(|| vec![0; amounts.rows()])
    } else {
        evaluation
            .results
            .iter()
            .map(|amount| amount.fen() / unit)
            .collect()
    };
    let columns = whole_columns(&paid, total);
    let cells: Vec<Vec<u128>> = amounts
        .parts()
        .iter()
        .map(|part| fixed_point(part, amounts.rows()))
        .collect();
    let mut units: Vec<Vec<i64>> = (0..amounts.rows())
        .map(|row| whole_row(&cells, row, rows[row]))
        .collect();
    balance_columns(&cells, &columns, &mut units);
    units
}

/// The amounts as they would be without bounds, by largest remainder.
fn before_bounds(amounts: &Amounts, payable: Fraction, total: i64) -> Option<Vec<i64>> {
    let open = vec![Limits { low: 0, high: total }; amounts.rows()];
    let filled = fill(amounts, payable, total, open.clone()).ok()?;
    Some(
        apportion(Method::LargestRemainder, total, &filled, &open)
            .ok()?
            .units,
    )
}

/// What the components pay, as whole units that sum to the total.
fn whole_columns(paid: &[Fraction], total: i64) -> Vec<i64> {
    let mut units: Vec<i64> = paid.iter().map(|paid| paid.floor_i64().unwrap_or(0)).collect();
    let mut order: Vec<usize> = (0..paid.len()).collect();
    order.sort_by(|a, b| paid[*b].remainder().cmp(&paid[*a].remainder()).then(a.cmp(b)));
    let missing = usize::try_from(total - units.iter().sum::<i64>()).unwrap_or(0);
    for at in order.into_iter().take(missing) {
        units[at] += 1;
    }
    units
}

/// Exact amounts in multiples of 2^-64, rounded down: near enough for a table, and the same on every machine.
/// Only an amount of exactly zero is zero, since a divisor method may give any other a unit.
fn fixed_point(part: &Part, rows: usize) -> Vec<u128> {
    let exactly = |row: usize| {
        let Fraction {
            numerator,
            denominator,
        } = part.exact(row);
        Fraction::new(numerator << PLACES, denominator)
            .floor()
            .to_u128()
            .unwrap_or(0)
    };
    let near = |row: usize| match part.enclosure(row) {
        Enclosure::UNKNOWN => exactly(row),
        enclosure => enclosure.low,
    };
    (0..rows)
        .map(|row| near(row).max(u128::from(!part.is_zero(row))))
        .collect()
}

const FRACTION: u128 = (1 << PLACES) - 1;

fn floor(cell: u128) -> i64 {
    i64::try_from(cell >> PLACES).unwrap_or(i64::MAX)
}

/// A region's cells as whole units that sum to its total: largest remainder within the row.
fn whole_row(cells: &[Vec<u128>], row: usize, total: i64) -> Vec<i64> {
    let mut units: Vec<i64> = cells.iter().map(|column| floor(column[row])).collect();
    let mut missing = total - units.iter().sum::<i64>();
    let mut order: Vec<usize> = (0..cells.len()).filter(|at| cells[*at][row] > 0).collect();
    order.sort_by(|a, b| {
        (cells[*b][row] & FRACTION)
            .cmp(&(cells[*a][row] & FRACTION))
            .then(a.cmp(b))
    });
    // Divisor methods can give a region more, or less, than a unit away from its quota.
    while missing > 0 && !order.is_empty() {
        for at in order.iter().take(usize::try_from(missing).unwrap_or(0)) {
            units[*at] += 1;
            missing -= 1;
        }
    }
    while missing < 0 && units.iter().any(|units| *units > 0) {
        for at in order.iter().rev() {
            if missing < 0 && units[*at] > 0 {
                units[*at] -= 1;
                missing += 1;
            }
        }
    }
    units
}

/// Moves units between columns within rows until the columns add up, in the rows that were rounded
/// farthest the other way.
fn balance_columns(cells: &[Vec<u128>], targets: &[i64], units: &mut [Vec<i64>]) {
    let sum = |units: &[Vec<i64>], at: usize| units.iter().map(|row| row[at]).sum::<i64>();
    let mut excess: Vec<i64> = targets
        .iter()
        .enumerate()
        .map(|(at, target)| sum(units, at) - target)
        .collect();
    for over in 0..cells.len() {
        for under in 0..cells.len() {
            let wanted = usize::try_from(excess[over].min(-excess[under])).unwrap_or(0);
            if wanted == 0 {
                continue;
            }
            let rounded_up = |row: usize, at: usize| {
                // The difference of a whole number and a cell is small: it fits where the cells fit.
                i128::from(units[row][at])
                    .wrapping_shl(PLACES)
                    .wrapping_sub(cells[at][row] as i128)
            };
            let mut rows: Vec<(i128, usize)> = (0..units.len())
                .filter(|row| units[*row][over] > 0 && cells[under][*row] > 0)
                .map(|row| (rounded_up(row, over) - rounded_up(row, under), row))
                .collect();
            rows.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            for (_, row) in rows.into_iter().take(wanted) {
                units[row][over] -= 1;
                units[row][under] += 1;
                excess[over] -= 1;
                excess[under] += 1;
            }
        }
    }
}
