//! Tables that banks and treasury centres export, CSV or XLSX, through a mapping.
//!
//! Every fault of a row is reported with its line and the heading of its column. A running balance, where there is
//! one, is checked row by row, whichever way the rows are ordered.

mod cells;
mod header;
mod mapping;
mod rows;

#[cfg(test)]
mod tests;

use self::rows::{Row, Rows};
use super::finds::{Said, bank_reference, name};
use super::{Event, Format, MAX_FAULTS, Source};
use crate::domain::error::{Faults, Violation};
use crate::domain::money::Money;
use crate::domain::payment::AccountNumber;
use crate::domain::reconciliation::{Direction, HeadSoFar, StatementLine};
use crate::domain::statistics::half_width;
use cells::clean;
use header::{Header, NoHeader, labelled, period};
use mapping::{Field, Style, canonical};
use std::collections::VecDeque;
use time::Date;

pub use mapping::{Amounts, Columns, Head, Mapping, MappingDocument, Rows as RowWords};

/// Longest row that is kept above the header, in cells.
const MAX_ABOVE_CELLS: usize = 64;
/// Longest text of a cell, in bytes.
const MAX_CELL: usize = 32 << 10;
/// What banks write for renminbi.
const RENMINBI: [&str; 7] = ["cny", "rmb", "人民币", "人民币元", "人民币(cny)", "156", "01"];

/// Reads the one statement of a table.
pub(super) struct Table {
    mapping: Mapping,
    rows: Rows,
    row: Row,
    faults: Faults,
    queue: VecDeque<Event>,
    header: Option<Header>,
    head: HeadSoFar,
    begun: bool,
    done: bool,
    sums: Sums,
    /// The line of the row with the sums.
    totals: Option<u64>,
    running: Running,
    days: Option<(Date, Date)>,
}

/// What the rows add up to.
#[derive(Default)]
struct Sums {
    rows: u64,
    /// Rows of no amount.
    empty: u64,
    /// Rows whose amount could not be read.
    unread: u64,
    debits: Money,
    credits: Money,
    /// As they stand in a column of amounts with signs.
    signed: Money,
    gross: Money,
    beyond: bool,
}

/// The running balance.
#[derive(Default)]
struct Running {
    /// The balance that the next row begins at (oldest first) or ends at (newest first), where it is known.
    next: Option<Money>,
    /// The balance at the other end of all rows: behind the newest, or before the oldest.
    first: Option<Money>,
    seen: bool,
}

/// A movement, as a row tells it.
struct Movement {
    direction: Direction,
    amount: Money,
    reversal: bool,
    /// As it stands in a column of amounts.
    written: Money,
}

impl Table {
    pub(super) fn new(source: Source, format: Format, mapping: Mapping) -> Result<Self, Vec<Violation>> {
        let rows = match format {
            Format::Xlsx => Rows::xlsx(source)?,
            _ => Rows::csv(source, &mapping).map_err(|violation| vec![violation])?,
        };
        Ok(Self {
            mapping,
            rows,
            row: Row::default(),
            faults: Faults::up_to(MAX_FAULTS),
            queue: VecDeque::new(),
            header: None,
            head: HeadSoFar::default(),
            begun: false,
            done: false,
            sums: Sums::default(),
            totals: None,
            running: Running::default(),
            days: None,
        })
    }

    /// The next event; nothing at the end of a whole table without faults.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Vec<Violation>> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                if self.faults.is_empty() {
                    return Ok(Some(event));
                }
                continue;
            }
            // A file with that many faults is another file; reading on would only count them.
            if self.done || self.faults.is_full() {
                self.done = true;
                return std::mem::take(&mut self.faults).finish().map(|()| None);
            }
            if self.header.is_none() {
                if let Err(violation) = self.find_header() {
                    self.done = true;
                    self.faults.add(|| violation);
                }
                continue;
            }
            let mut row = std::mem::take(&mut self.row);
            match self.rows.next(&mut row) {
                Ok(true) => {
                    self.take(&row);
                    self.row = row;
                }
                Ok(false) => {
                    self.done = true;
                    self.end();
                }
                Err(violation) => {
                    self.done = true;
                    self.faults.add(|| violation);
                }
            }
        }
    }

    /// Reads down to the header, and what stands above it.
    fn find_header(&mut self) -> Result<(), Violation> {
        let mut above = Vec::new();
        let mut twice = None;
        let (skipped, within) = (self.mapping.skip_rows, self.mapping.header_within);
        let mut row = Row::default();
        for at in 0..skipped + within {
            if !self.rows.next(&mut row)? {
                break;
            }
            if at >= skipped {
                match Header::find(&row.cells, &self.mapping) {
                    Ok(mut header) => {
                        header.line = row.line;
                        if self.rows.may_be_short() {
                            let used = row.cells.iter().rposition(|cell| !cell.trim().is_empty());
                            header.width = used.map_or(0, |last| last + 1);
                        }
                        self.header = Some(header);
                        self.read_above(&above);
                        return Ok(());
                    }
                    Err(NoHeader::Twice(heading)) => twice = Some(heading),
                    Err(NoHeader::Lacking) => {}
                }
            }
            let cells = row.cells.iter().take(MAX_ABOVE_CELLS);
            above.push(cells.map(|cell| cell.chars().take(200).collect()).collect());
        }
        Err(header::missing(&self.mapping, twice))
    }

    /// The cells above the header that have labels.
    fn read_above(&mut self, above: &[Vec<String>]) {
        let labels = self.mapping.head.clone();
        let find = |labels: &[String]| labelled(above, labels);
        if let Some(account) = find(&labels.account) {
            let digits = account
                .split(['/', ' ', '('])
                .next()
                .unwrap_or_default()
                .to_owned();
            self.head.account = self.faults.keep(AccountNumber::parse("head.account", &digits));
        }
        if let Some(currency) = find(&labels.currency) {
            check_currency("head.currency".to_owned(), &currency, &mut self.faults);
        }
        if let Some(identification) = find(&labels.identification) {
            self.head.identification = identification.chars().take(64).collect();
        }
        if let Some(text) = find(&labels.period) {
            match period(&text, &self.mapping) {
                Some((from, to)) => (self.head.from, self.head.to) = (Some(from), Some(to)),
                None => self.faults.add(|| {
                    let forms = self.mapping.document().dates.join(", ");
                    Violation::new(
                        "head.period",
                        "another text",
                        format!("two days, each in one of the forms {forms}"),
                        format!("两个日期,格式为 {forms}"),
                    )
                }),
            }
        }
        for (name, labels, slot) in [
            ("head.from", &labels.from, &mut self.head.from),
            ("head.to", &labels.to, &mut self.head.to),
        ] {
            if let Some(text) = find(labels) {
                *slot = self.faults.keep(date(&self.mapping, name, &text));
            }
        }
        for (name, labels, slot) in [
            ("head.opening", &labels.opening, &mut self.head.opening),
            ("head.closing", &labels.closing, &mut self.head.closing),
        ] {
            if let Some(text) = find(labels) {
                *slot = self.faults.keep(self.mapping.amounts.read(name, &text)).flatten();
            }
        }
    }

    /// Takes a row below the header.
    fn take(&mut self, row: &Row) {
        let Some(header) = self.header.take() else { return };
        if let Some(first) = row
            .cells
            .iter()
            .map(|cell| clean(cell))
            .find(|cell| !cell.is_empty())
        {
            let first = canonical(first);
            let begins = |words: &[String]| words.iter().any(|word| first.starts_with(word.as_str()));
            let words = &self.mapping.rows;
            if begins(&words.totals) {
                self.totals = Some(row.line);
                self.check_totals(row, &header);
            } else if begins(&words.ignored) {
            } else if begins(&words.opening) || self.says(row, &header, &words.opening) {
                self.boundary(row, &header, true);
            } else if begins(&words.closing) || self.says(row, &header, &words.closing) {
                self.boundary(row, &header, false);
            } else if let Some(totals) = self.totals {
                self.faults.add(|| {
                    Violation::new(
                        format!("line {}", row.line),
                        "a row",
                        format!("nothing below the sums on line {totals}"),
                        format!("第 {totals} 行合计之后不得有数据行"),
                    )
                });
            } else if self.fits(row, &header) {
                self.movement(row, &header);
            } else {
                self.sums.unread += 1;
                self.running.lose();
            }
        }
        self.header = Some(header);
    }

    /// Whether a text column has nothing but one of the words.
    fn says(&self, row: &Row, header: &Header, words: &[String]) -> bool {
        header.columns(Field::Text).any(|(column, _)| {
            let cell = row.cells.get(column).map(|cell| canonical(clean(cell)));
            cell.is_some_and(|cell| words.contains(&cell))
        })
    }

    /// Whether a row has as many cells as the header.
    fn fits(&mut self, row: &Row, header: &Header) -> bool {
        let (length, width) = (row.cells.len(), header.width);
        let beyond = row.cells.iter().skip(width).any(|cell| !clean(cell).is_empty());
        if beyond || (length < width && !self.rows.may_be_short()) {
            self.faults.add(|| {
                Violation::new(
                    format!("line {}", row.line),
                    format!("{length} cells"),
                    format!("{width} cells, as in the header on line {}", header.line),
                    format!("{width} 个单元格,与第 {} 行的表头一致", header.line),
                )
            });
            return false;
        }
        if let Some(column) = row.cells.iter().position(|cell| cell.len() > MAX_CELL) {
            self.faults.add(|| {
                Violation::new(
                    format!("line {}, column {}", row.line, crate::tabular::letters(column)),
                    format!("{} bytes", row.cells[column].len()),
                    format!("at most {MAX_CELL} bytes in a cell"),
                    format!("单元格至多 {MAX_CELL} 字节"),
                )
            });
            return false;
        }
        true
    }

    /// The cell of a field, without what is around it; a cell that cannot be read is a fault.
    fn cell<'r, 'h>(
        &mut self,
        row: &'r Row,
        header: &'h Header,
        field: Field,
    ) -> Option<(Place<'h>, &'r str)> {
        let (column, heading) = header.column(field)?;
        self.cell_at(row, column, heading, true)
    }

    fn cell_at<'r, 'h>(
        &mut self,
        row: &'r Row,
        column: usize,
        heading: &'h str,
        no_formula: bool,
    ) -> Option<(Place<'h>, &'r str)> {
        let at = Place {
            line: row.line,
            heading,
        };
        if let Some(fault) = self.rows.cell_fault(row.line, column, at, no_formula) {
            self.faults.add(|| fault);
            return None;
        }
        let text = row.cells.get(column).map_or("", |cell| clean(cell));
        Some((at, text))
    }

    fn money(&mut self, row: &Row, header: &Header, field: Field) -> Option<Option<Money>> {
        let (at, text) = self.cell(row, header, field)?;
        self.faults.keep(self.mapping.amounts.read(at, text))
    }

    /// A row with the balance before or behind all movements.
    fn boundary(&mut self, row: &Row, header: &Header, opening: bool) {
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

    fn movement(&mut self, row: &Row, header: &Header) {
        let booked = self.cell(row, header, Field::Booked);
        let booked = booked.and_then(|(at, text)| {
            let day = date(&self.mapping, at, text);
            self.faults.keep(day)
        });
        let valued = match self.cell(row, header, Field::Valued) {
            Some((at, text)) if !text.is_empty() => {
                let day = date(&self.mapping, at, text);
                self.faults.keep(day)
            }
            _ => None,
        };
        if let Some((at, text)) = self.cell(row, header, Field::Currency)
            && !text.is_empty()
        {
            check_currency(at, text, &mut self.faults);
        }
        self.own_account(row, header);
        let movement = self.way(row, header);
        let balance = match header.column(Field::Balance) {
            Some(_) => self.money(row, header, Field::Balance),
            None => Some(None),
        };
        // Sums and balances go on whatever else is wrong with the row: the next one must not be blamed for it.
        let signed = match &movement {
            Some(Some(movement)) => {
                self.sums.add(movement);
                Some(movement.signed())
            }
            Some(None) => {
                self.sums.empty += 1;
                Some(Money::ZERO)
            }
            None => {
                self.sums.unread += 1;
                None
            }
        };
        self.run(row, header, signed, balance.flatten());
        let (Some(booked), Some(Some(movement)), Some(_)) = (booked, movement, balance) else {
            return;
        };
        let line = self.line(row, header, booked, valued, movement);
        self.begin();
        let (first, last) = self.days.unwrap_or((booked, booked));
        self.days = Some((first.min(booked), last.max(booked)));
        self.queue.push_back(Event::Line(Box::new(line)));
    }

    /// Which way the money went, and how much; nothing for a row of no amount.
    fn way(&mut self, row: &Row, header: &Header) -> Option<Option<Movement>> {
        let line = row.line;
        let nothing = |amount: Option<Money>| amount.filter(|amount| *amount != Money::ZERO);
        let (direction, written) = match self.mapping.style.clone() {
            Style::Columns => {
                let debit = self.money(row, header, Field::Debit);
                let credit = self.money(row, header, Field::Credit);
                match (nothing(debit?), nothing(credit?)) {
                    (Some(amount), None) => (Direction::Debit, amount),
                    (None, Some(amount)) => (Direction::Credit, amount),
                    (None, None) => return Some(None),
                    (Some(_), Some(_)) => {
                        self.faults.add(|| {
                            Violation::new(
                                format!("line {line}"),
                                "a debit and a credit",
                                "an amount in one of the two columns",
                                "借方和贷方只能填一个",
                            )
                        });
                        return None;
                    }
                }
            }
            Style::Sign { negative_goes_out } => {
                let Some(amount) = nothing(self.money(row, header, Field::Amount)?) else {
                    return Some(None);
                };
                let out = amount.is_negative() == negative_goes_out;
                let direction = if out { Direction::Debit } else { Direction::Credit };
                let reversal = self.reverses(row, header)?;
                return Some(Some(Movement {
                    direction,
                    amount: absolute(amount),
                    reversal,
                    written: amount,
                }));
            }
            Style::Words { debit, credit } => {
                let amount = nothing(self.money(row, header, Field::Amount)?);
                let (at, text) = self.cell(row, header, Field::Direction)?;
                let word = canonical(text);
                let direction = if debit.contains(&word) {
                    Direction::Debit
                } else if credit.contains(&word) {
                    Direction::Credit
                } else {
                    let words: Vec<&str> = debit.iter().chain(&credit).map(String::as_str).collect();
                    let words = words.join(", ");
                    self.faults.add(|| {
                        let found = if text.is_empty() { "" } else { "another text" };
                        Violation::new(at, found, format!("one of {words}"), format!("下列之一:{words}"))
                    });
                    return None;
                };
                match amount {
                    Some(amount) => (direction, amount),
                    None => return Some(None),
                }
            }
        };
        let mut reversal = self.reverses(row, header)?;
        let mut direction = direction;
        if written.is_negative() {
            if !self.mapping.negative_reverses {
                self.faults.add(|| {
                    Violation::new(
                        format!("line {line}"),
                        written.to_string(),
                        "an amount above zero: the mapping does not say that one below zero takes back another \
                         (amounts.negative = \"reversal\")",
                        "金额须大于零:映射未说明负数(红字)表示冲正(amounts.negative = \"reversal\")",
                    )
                });
                return None;
            }
            reversal = true;
            direction = direction.reversed();
        }
        Some(Some(Movement {
            direction,
            amount: absolute(written),
            reversal,
            written,
        }))
    }

    fn reverses(&mut self, row: &Row, header: &Header) -> Option<bool> {
        if header.column(Field::Reversal).is_none() {
            return Some(false);
        }
        let (_, text) = self.cell(row, header, Field::Reversal)?;
        Some(self.mapping.reversal_words.contains(&canonical(text)))
    }

    /// The table's own account, where every row repeats it.
    fn own_account(&mut self, row: &Row, header: &Header) {
        let Some((at, text)) = self.cell(row, header, Field::Account) else {
            return;
        };
        if text.is_empty() {
            return;
        }
        let Some(account) = self.faults.keep(AccountNumber::parse(at, text)) else {
            return;
        };
        let known = self.head.account.get_or_insert_with(|| account.clone());
        if *known != account {
            let (found, wanted) = (account.masked(), known.masked());
            self.faults.add(|| {
                Violation::new(
                    at,
                    found,
                    format!("{wanted}: a table is of one account"),
                    format!("应为 {wanted}:一个文件只能含一个账户"),
                )
            });
        }
    }

    /// Holds the running balance against the row. Where the amount could not be read, it begins anew at what the row
    /// says itself, or at what the next one says.
    fn run(&mut self, row: &Row, header: &Header, signed: Option<Money>, balance: Option<Money>) {
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

    fn line(
        &mut self,
        row: &Row,
        header: &Header,
        booked: Date,
        valued: Option<Date>,
        movement: Movement,
    ) -> StatementLine {
        let mut said = Said::default();
        for (field, exact) in [(Field::Reference, true), (Field::Text, false)] {
            for (column, heading) in header.columns(field) {
                let Some((_, text)) = self.cell_at(row, column, heading, false) else {
                    continue;
                };
                match exact {
                    true => said.exact(text),
                    false => said.text(text),
                }
            }
        }
        let bank = self.cell(row, header, Field::BankReference);
        let bank = bank.and_then(|(at, text)| self.faults.keep(bank_reference(at, text)));
        let account = self.cell(row, header, Field::CounterpartyAccount);
        let name_of = self.cell(row, header, Field::CounterpartyName);
        StatementLine {
            line: self.sums.rows,
            at: row.line,
            part: None,
            booked,
            valued,
            direction: movement.direction,
            amount: movement.amount,
            reversal: movement.reversal,
            reference: said.reference(),
            order: said.order_id(),
            bank_reference: bank.unwrap_or_default(),
            counterparty_account: account.and_then(|(_, text)| AccountNumber::parse("account", text).ok()),
            counterparty_name: name_of.and_then(|(_, text)| name(text)),
            text: said.kept(),
        }
    }

    /// Says what is known before the first line.
    fn begin(&mut self) {
        if self.begun {
            return;
        }
        self.begun = true;
        let running = self.running.first;
        if self.mapping.newest_first {
            self.head.closing = self.head.closing.or(running);
        } else {
            self.head.opening = self.head.opening.or(running);
        }
        self.queue.push_back(Event::Begin(Box::new(self.head.clone())));
    }

    /// Holds the row of sums against the rows above it.
    fn check_totals(&mut self, row: &Row, header: &Header) {
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

    fn end(&mut self) {
        if self.header.is_none() {
            return;
        }
        if self.sums.beyond {
            self.faults.add(|| {
                Violation::new(
                    "file",
                    "a sum beyond 10^15 yuan",
                    "sums of at most 10^15 yuan",
                    "合计金额不超过 10^15 元",
                )
            });
        }
        self.begin();
        let last = self.running.next.filter(|_| self.running.seen);
        if self.mapping.newest_first {
            self.head.opening = self.head.opening.or(last);
        } else {
            self.head.closing = self.head.closing.or(last);
        }
        let (first, last) = self.days.unzip();
        self.head.from = self.head.from.or(first);
        self.head.to = self.head.to.or(last);
        self.queue.push_back(Event::End(Box::new(self.head.clone())));
    }
}

impl Running {
    /// A row whose amount and balance nobody knows: it begins anew at the next one.
    fn lose(&mut self) {
        self.seen = true;
        self.next = None;
    }
}

impl Movement {
    /// What it adds to the balance.
    fn signed(&self) -> Money {
        match self.direction {
            Direction::Debit => Money::ZERO.checked_sub(self.amount).unwrap_or_default(),
            Direction::Credit => self.amount,
        }
    }
}

impl Sums {
    fn add(&mut self, movement: &Movement) {
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

fn absolute(amount: Money) -> Money {
    if amount.is_negative() {
        Money::ZERO.checked_sub(amount).unwrap_or_default()
    } else {
        amount
    }
}

/// Where a cell is; put into words only where it has a fault.
#[derive(Clone, Copy)]
struct Place<'a> {
    line: u64,
    heading: &'a str,
}

impl From<Place<'_>> for String {
    fn from(place: Place<'_>) -> Self {
        format!("line {}, column {}", place.line, place.heading)
    }
}

fn date(mapping: &Mapping, field: impl Into<String>, text: &str) -> Result<Date, Violation> {
    let found = mapping.dates.iter().find_map(|format| format.read(text));
    found.ok_or_else(|| {
        let forms = mapping.document().dates.join(", ");
        let telling = text.len() <= 20
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'/' | b'.' | b':' | b' '));
        Violation::new(
            field,
            match telling {
                true => text,
                false => "another text",
            },
            format!("a day in one of the forms {forms}"),
            format!("日期,格式为 {forms}"),
        )
    })
}

fn check_currency(field: impl Into<String>, text: &str, faults: &mut Faults) {
    if !RENMINBI.contains(&canonical(text).as_str()) {
        let code = half_width(text.trim());
        let telling = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        let found = if telling { code } else { "another text".to_owned() };
        faults.add(|| Violation::new(field, found, "CNY, RMB, 人民币", "币种须为人民币"));
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
