//! What is made of a file, for a person to look at before anything is kept: heads, first lines, counts, sums, faults.
//!
//! Names and account numbers are masked, texts are told by their first characters and their length.

use super::{Event, Format, Reader};
use crate::domain::error::Violation;
use crate::domain::identity::mask_name;
use crate::domain::money::Money;
use crate::domain::payment::Totals;
use crate::domain::reconciliation::{Checker, Direction, HeadSoFar, StatementKind, StatementLine, masked};
use time::Date;

/// Most statements of a file that are told one by one.
const MAX_STATEMENTS: usize = 100;
/// Characters of a text that are shown.
const SHOWN: usize = 2;

/// What is made of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The format of the file.
    pub format: Format,
    /// Its statements; those beyond the first hundred are only read.
    pub statements: Vec<StatementPreview>,
    /// How many statements it has, as far as it could be read.
    pub count: u64,
    /// Why the file would be refused; the lines of a file with faults end at the first of them.
    pub faults: Vec<Violation>,
}

/// What is made of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementPreview {
    /// Statement or notification.
    pub kind: StatementKind,
    /// The account, masked; empty where it is not known.
    pub account: String,
    /// The bank's identification.
    pub identification: String,
    /// The number in its series.
    pub sequence: Option<u64>,
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
    /// The balance before the first line.
    pub opening: Option<Money>,
    /// The balance behind the last line.
    pub closing: Option<Money>,
    /// The debits, as far as they were read.
    pub debits: Totals,
    /// The credits, as far as they were read.
    pub credits: Totals,
    /// Lines with a reference of ours.
    pub with_reference: u64,
    /// Lines with an order of ours.
    pub with_order: u64,
    /// Lines that take back others.
    pub reversals: u64,
    /// The first lines.
    pub lines: Vec<LinePreview>,
    /// Whether it was read to its end and adds up.
    pub adds_up: bool,
}

/// What is made of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePreview {
    /// The number in the statement.
    pub line: u64,
    /// Where it stands in the file.
    pub at: u64,
    /// The day of booking.
    pub booked: Date,
    /// The value date.
    pub valued: Option<Date>,
    /// Which way the money went.
    pub direction: Direction,
    /// How much.
    pub amount: Money,
    /// Whether it takes back another.
    pub reversal: bool,
    /// Our reference; may be empty.
    pub reference: String,
    /// The order of ours; may be empty.
    pub order: String,
    /// The bank's number, long runs of digits masked; may be empty.
    pub bank_reference: String,
    /// The account at the other end, masked; may be empty.
    pub counterparty_account: String,
    /// The name at the other end, masked; may be empty.
    pub counterparty_name: String,
    /// The first characters of the text and how many there are; may be empty.
    pub text: String,
}

impl Preview {
    /// Reads a file to its end, and keeps the first `lines` lines of each statement.
    pub fn of(mut reader: Reader, lines: usize) -> Self {
        let mut preview = Self {
            format: reader.format(),
            statements: Vec::new(),
            count: 0,
            faults: Vec::new(),
        };
        let mut current: Option<(StatementPreview, Checker)> = None;
        loop {
            match reader.next() {
                Ok(None) => break,
                Ok(Some(Event::Begin(head))) => {
                    preview.count += 1;
                    current = Some((StatementPreview::begun(&head), Checker::default()));
                }
                Ok(Some(Event::Line(line))) => {
                    if let Some((statement, checker)) = &mut current {
                        statement.take(&line, lines);
                        if let Err(violation) = checker.line(&line) {
                            preview.faults.push(violation);
                            break;
                        }
                    }
                }
                Ok(Some(Event::End(head))) => {
                    if let Some((mut statement, checker)) = current.take() {
                        statement.end(&head, &checker);
                        match checker.finish(&head) {
                            Ok(_) => statement.adds_up = true,
                            Err(faults) => preview.faults.extend(faults),
                        }
                        preview.keep(statement);
                    }
                }
                Err(faults) => {
                    preview.faults.extend(faults);
                    break;
                }
            }
        }
        if let Some((mut statement, checker)) = current {
            (statement.debits, statement.credits) = (checker.debits(), checker.credits());
            preview.keep(statement);
        }
        preview.faults.truncate(super::MAX_FAULTS);
        preview
    }

    fn keep(&mut self, statement: StatementPreview) {
        if self.statements.len() < MAX_STATEMENTS {
            self.statements.push(statement);
        }
    }
}

impl StatementPreview {
    fn begun(head: &HeadSoFar) -> Self {
        Self {
            kind: head.kind,
            account: head
                .account
                .as_ref()
                .map(|account| account.masked())
                .unwrap_or_default(),
            identification: masked(&head.identification),
            sequence: head.sequence,
            from: head.from,
            to: head.to,
            opening: head.opening,
            closing: head.closing,
            debits: Totals::default(),
            credits: Totals::default(),
            with_reference: 0,
            with_order: 0,
            reversals: 0,
            lines: Vec::new(),
            adds_up: false,
        }
    }

    fn take(&mut self, line: &StatementLine, most: usize) {
        self.with_reference += u64::from(line.reference.is_some());
        self.with_order += u64::from(line.order.is_some());
        self.reversals += u64::from(line.reversal);
        if self.lines.len() < most {
            self.lines.push(LinePreview::of(line));
        }
    }

    fn end(&mut self, head: &HeadSoFar, checker: &Checker) {
        (self.from, self.to) = (head.from, head.to);
        (self.opening, self.closing) = (head.opening, head.closing);
        (self.debits, self.credits) = (checker.debits(), checker.credits());
        if let Some(account) = &head.account {
            self.account = account.masked();
        }
    }
}

impl LinePreview {
    fn of(line: &StatementLine) -> Self {
        let account = line.counterparty_account.as_ref();
        Self {
            line: line.line,
            at: line.at,
            booked: line.booked,
            valued: line.valued,
            direction: line.direction,
            amount: line.amount,
            reversal: line.reversal,
            reference: line
                .reference
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            order: line.order.clone().unwrap_or_default(),
            bank_reference: masked(&line.bank_reference),
            counterparty_account: account.map(|account| account.masked()).unwrap_or_default(),
            counterparty_name: line
                .counterparty_name
                .as_deref()
                .map(mask_name)
                .unwrap_or_default(),
            text: hint(&line.text),
        }
    }
}

/// Enough of a text to see that a column holds what it should.
fn hint(text: &str) -> String {
    let length = text.chars().count();
    if length <= SHOWN {
        return "*".repeat(length);
    }
    let first: String = text.chars().take(SHOWN).collect();
    format!("{first}… ({length})")
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::super::{Given, Reader};
    use super::*;

    const CAMT: &[u8] = include_bytes!("../../tests/data/statements/camt053-02.xml");

    fn preview(bytes: &[u8], lines: usize) -> Preview {
        Preview::of(
            Reader::open(source(bytes), None, Given::default()).unwrap(),
            lines,
        )
    }

    #[test]
    fn shows_a_file_without_what_is_personal() {
        let preview = preview(CAMT, 2);
        assert_eq!((preview.count, preview.faults.len()), (1, 0));
        let statement = &preview.statements[0];
        assert!(statement.adds_up);
        assert_eq!(statement.account, "**************4321");
        assert_eq!((statement.debits.count, statement.credits.count), (2, 1));
        assert_eq!(
            (
                statement.with_reference,
                statement.with_order,
                statement.reversals
            ),
            (2, 1, 1)
        );
        assert_eq!(statement.lines.len(), 2);
        let line = &statement.lines[0];
        assert_eq!(line.reference, "RF24123C1");
        assert_eq!(line.counterparty_account, "***************0123");
        assert_eq!(line.counterparty_name, "令***");
        assert_eq!(line.bank_reference, "SLYH****");
        assert_eq!(line.text, "购房… (19)");
        assert_eq!((hint("一"), hint("")), ("*".to_owned(), String::new()));
    }

    #[test]
    fn shows_what_is_wrong() {
        let text = std::str::from_utf8(CAMT).unwrap();
        let sums = preview(text.replacen("92499.50", "1.00", 1).as_bytes(), 10);
        assert!(!sums.statements[0].adds_up);
        assert_eq!(
            (sums.statements[0].lines.len(), sums.faults[0].field.as_str()),
            (3, "closing")
        );
        // Lines before a fault are shown, with what they add up to.
        let faulty = preview(
            text.replacen("<Ccy>", "<Ccy> ", 1)
                .replacen("Ccy=\"CNY\">5000</Amt>", "Ccy=\"CNY\">5000.001</Amt>", 1)
                .as_bytes(),
            10,
        );
        assert_eq!((faulty.count, faulty.statements[0].lines.len()), (1, 2));
        assert_eq!(faulty.statements[0].debits.count, 1);
        assert_eq!(faulty.faults.len(), 1);
    }
}
