//! What rows add up to: the running balance, rows of balances, and rows of sums.

use super::Table;
use super::header::Header;
use super::mapping::{Field, Style, canonical};
use super::movement::Movement;
use super::rows::Row;
use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::reconciliation::Direction;

/// What the rows add up to.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) rows: u64,
    /// Rows of no amount.
    pub(super) empty: u64,
    /// Rows whose amount could not be read.
    pub(super) unread: u64,
    pub(super) debits: Money,
    pub(super) credits: Money,
    /// As they stand in a column of amounts with signs.
    pub(super) signed: Money,
    pub(super) gross: Money,
    pub(super) beyond: bool,
}

/// The running balance.
#[derive(Default)]
pub(super) struct Running {
    /// The balance that the next row begins at (oldest first) or ends at (newest first), where it is known.
    pub(super) next: Option<Money>,
    /// The balance at the other end of all rows: behind the newest, or before the oldest.
    pub(super) first: Option<Money>,
    pub(super) seen: bool,
}

impl Table {
    /// A row with the balance before or behind all movements.
    pub(super) fn boundary(&mut self, row: &Row, header: &Header, opening: bool) {
        let Some(Some(balance)) = self.money(row, header, Field::Balance) else {
            return;
        };
        let name = if opening { "opening" } else { "closing" };
        let slot = if opening {
            &mut self.head.opening
        } else {
            &mut self.head.closing
        };
        let before = slot.replace(balance);
        if let Some(before) = before.filter(|before| *before != balance) {
            self.faults.add(|| {
                Violation::new(
                    format!("line {}, {name} balance", row.line),
                    balance.to_string(),
                    format!("{before}, which the file says before"),
                    format!("应与文件前文的 {before} 一致"),
                )
            });
        }
        // The row's place among the others is where its balance holds.
        if opening != self.mapping.newest_first && !self.running.seen {
            self.running.next = self.running.next.or(Some(balance));
        }
    }

    /// Holds the running balance against the row. Where the amount could not be read, it begins anew at what the row
    /// says itself, or at what the next one says.
    pub(super) fn run(&mut self, row: &Row, header: &Header, signed: Option<Money>, balance: Option<Money>) {
        if header.column(Field::Balance).is_none() {
            return;
        }
        let newest_first = self.mapping.newest_first;
        let known = if newest_first {
            self.head.closing
        } else {
            self.head.opening
        };
        let running = &mut self.running;
        let before = balance.zip(signed);
        let before = before.and_then(|(balance, signed)| balance.checked_sub(signed));
        if !running.seen {
            running.seen = true;
            // What the first row says of the end of all rows that it stands at.
            let told = if newest_first { balance } else { before };
            running.first = running.next.or(known).or(told);
            running.next = running.first;
        }
        // Where the row should end.
        let expected = if newest_first {
            running.next
        } else {
            let next = running.next.zip(signed);
            next.and_then(|(next, signed)| next.checked_add(signed))
        };
        if let (Some(balance), Some(expected)) = (balance, expected)
            && balance != expected
        {
            let heading = header.column(Field::Balance).map_or("", |(_, heading)| heading);
            self.faults.add(|| {
                Violation::new(
                    format!("line {}, column {heading}", row.line),
                    balance.to_string(),
                    format!("{expected}, the balance of the row before and this row's amount"),
                    format!("应为 {expected}(上一行余额加减本行金额)"),
                )
            });
        }
        let ends = balance.or(expected);
        running.next = if newest_first {
            let ends = ends.zip(signed);
            ends.and_then(|(ends, signed)| ends.checked_sub(signed))
        } else {
            ends
        };
    }

    /// Holds the row of sums against the rows above it.
    pub(super) fn check_totals(&mut self, row: &Row, header: &Header) {
        let sums = &self.sums;
        // What could not be read is in no sum.
        if sums.beyond || sums.unread > 0 {
            return;
        }
        let wanted = match self.mapping.style {
            Style::Columns => vec![(Field::Debit, sums.debits), (Field::Credit, sums.credits)],
            Style::Sign { .. } => vec![(Field::Amount, sums.signed)],
            Style::Words { .. } => vec![(Field::Amount, sums.gross)],
        };
        for (field, sum) in wanted {
            let Some((column, heading)) = header.column(field) else {
                continue;
            };
            // A sum by a formula is as good as any: it is held against the rows.
            let Some((at, text)) = self.cell_at(row, column, heading, false) else {
                continue;
            };
            let declared = self.faults.keep(self.mapping.amounts.read(at, text)).flatten();
            if let Some(declared) = declared.filter(|declared| *declared != sum) {
                self.faults.add(|| {
                    Violation::new(
                        at,
                        declared.to_string(),
                        format!("{sum}, the sum of the rows above"),
                        format!("应为以上各行之和 {sum}"),
                    )
                });
            }
        }
        let rows = self.sums.rows;
        for count in row.cells.iter().filter_map(|cell| declared_count(cell)) {
            if count != rows && count != rows + self.sums.empty {
                self.faults.add(|| {
                    Violation::new(
                        format!("line {}", row.line),
                        format!("{count} rows"),
                        format!("{rows}, the number of rows above"),
                        format!("应为以上行数 {rows}"),
                    )
                });
            }
        }
    }
}

impl Running {
    /// A row whose amount and balance nobody knows: it begins anew at the next one.
    pub(super) fn lose(&mut self) {
        self.seen = true;
        self.next = None;
    }
}

impl Sums {
    pub(super) fn add(&mut self, movement: &Movement) {
        self.rows += 1;
        let way = match movement.direction {
            Direction::Debit => (movement.amount, Money::ZERO),
            Direction::Credit => (Money::ZERO, movement.amount),
        };
        // A sum of a column counts what is taken back with its sign, in the column that it stands in.
        let (debit, credit) = match (
            movement.reversal && movement.written.is_negative(),
            movement.direction,
        ) {
            (false, _) => way,
            (true, Direction::Credit) => (movement.written, Money::ZERO),
            (true, Direction::Debit) => (Money::ZERO, movement.written),
        };
        let sums = [
            (&mut self.debits, debit),
            (&mut self.credits, credit),
            (&mut self.signed, movement.written),
            (&mut self.gross, movement.written),
        ];
        for (sum, amount) in sums {
            match sum.checked_add(amount) {
                Some(more) => *sum = more,
                None => self.beyond = true,
            }
        }
    }
}

/// The number in 共3笔 or 3笔.
fn declared_count(cell: &str) -> Option<u64> {
    let cell = canonical(cell);
    let digits = cell.strip_suffix('笔')?;
    let start = digits
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + digits[at..].chars().next().map_or(1, char::len_utf8));
    digits[start..].parse().ok()
}
