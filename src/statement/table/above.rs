//! The rows down to the header, and what stands above it.

use super::header::{self, Header, NoHeader, labelled, period};
use super::rows::Row;
use super::{Table, check_currency, date};
use crate::domain::error::Violation;
use crate::domain::payment::AccountNumber;

/// Longest row that is kept above the header, in cells.
const MAX_ABOVE_CELLS: usize = 64;

impl Table {
    /// Reads down to the header, and what stands above it.
    pub(super) fn find_header(&mut self) -> Result<(), Violation> {
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
}
