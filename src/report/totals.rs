//! Sums of columns, exact whatever the cells hold.

use super::{Cell, Table};
use crate::domain::money::Money;
use num_bigint::BigInt;

/// The totals row, with [`Cell::Empty`] in columns that are not summed up or hold no number; `None` where the table has none.
pub(super) fn totals(table: &Table) -> Option<Vec<Cell>> {
    table.totals.then(|| {
        table
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                if column.total {
                    sum(table.rows.iter().filter_map(|row| row.get(at)))
                } else {
                    Cell::Empty
                }
            })
            .collect()
    })
}

/// The sum of the numbers, of their kind if they are all of one kind.
fn sum<'c>(cells: impl Iterator<Item = &'c Cell>) -> Cell {
    let mut total = BigInt::ZERO;
    let mut places = 0_u32;
    let (mut numbers, mut amounts, mut integers) = (0_usize, 0_usize, 0_usize);
    for cell in cells {
        let Some((value, decimals)) = cell.number().and_then(|text| scaled(&text)) else {
            continue;
        };
        numbers += 1;
        amounts += usize::from(matches!(cell, Cell::Money(_)));
        integers += usize::from(matches!(cell, Cell::Integer(_)));
        let common = places.max(decimals);
        total = shifted(total, common - places) + shifted(value, common - decimals);
        places = common;
    }
    if numbers == 0 {
        return Cell::Empty;
    }
    let fits = i64::try_from(&total).ok();
    match fits {
        Some(whole) if integers == numbers => Cell::Integer(whole),
        Some(fen) if amounts == numbers => {
            Money::from_fen(fen).map_or_else(|| Cell::Decimal(written(&total, places)), Cell::Money)
        }
        _ => Cell::Decimal(written(&total, places)),
    }
}

/// A decimal as a whole number and its decimal places.
fn scaled(text: &str) -> Option<(BigInt, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let value = format!("{whole}{fraction}").parse().ok()?;
    Some((value, u32::try_from(fraction.len()).ok()?))
}

fn shifted(value: BigInt, places: u32) -> BigInt {
    value * BigInt::from(10).pow(places)
}

fn written(value: &BigInt, places: u32) -> String {
    let sign = if *value < BigInt::ZERO { "-" } else { "" };
    let places = places as usize;
    let digits = format!("{:0>width$}", value.magnitude().to_string(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_their_kind() {
        let money = |text| Cell::Money(Money::parse("", text).unwrap());
        let decimal = |text: &str| Cell::Decimal(text.to_owned());
        for (cells, total) in [
            (vec![money("0.10"), money("0.20")], money("0.30")),
            (
                vec![Cell::Integer(3), Cell::Empty, Cell::Integer(-5)],
                Cell::Integer(-2),
            ),
            (vec![decimal("0.1"), decimal("-0.25")], decimal("-0.15")),
            (vec![decimal("1.50"), Cell::Integer(2)], decimal("3.50")),
            (
                vec![Cell::Integer(i64::MAX), Cell::Integer(1)],
                decimal("9223372036854775808"),
            ),
            (
                vec![Cell::Money(Money::MAX), money("0.01")],
                decimal("1000000000000000.01"),
            ),
            (vec![Cell::Text("n/a".to_owned()), Cell::Empty], Cell::Empty),
        ] {
            assert_eq!(sum(cells.iter()), total);
        }
    }
}
