//! SWIFT MT940 (Customer Statement Message): fields 20, 21, 25, 28C, 60, 61, 86, 62, 64, 65, bare or in blocks
//! `{1:…}{4:…-}`.
//!
//! A statement may have several pages, each a message of its own: the first begins with `:60F:`, the last ends with
//! `:62F:`, and in between `:62M:` and the next page's `:60M:` are the same balance, which is checked on the way.

mod fields;

use super::finds::{Said, name};
use super::{Event, MAX_FAULTS, Source, TextEncoding};
use crate::domain::error::{Faults, Violation};
use crate::domain::money::Money;
use crate::domain::payment::AccountNumber;
use crate::domain::reconciliation::{HeadSoFar, StatementLine};
use crate::tabular::stream::{Text, violation};
use fields::{Balance, Line};
use std::collections::VecDeque;
use time::Date;

/// Longest line of a file, in bytes; the format has 65 characters.
const MAX_LINE: usize = 4 << 10;
/// Longest field, in bytes; the longest of the format is six lines.
const MAX_FIELD: usize = 16 << 10;

/// Reads the statements of a file.
pub(super) struct Mt940 {
    text: Text,
    faults: Faults,
    queue: VecDeque<Event>,
    /// Line of the file, counted from 1.
    at: u64,
    /// The field that is being read: the line on which it begins, its tag, its content.
    field: Option<(u64, String, String)>,
    message: Message,
    statement: Option<Statement>,
    statements: u64,
    done: bool,
}

/// Where in a message the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Before the next message.
    #[default]
    Outside,
    /// Before the opening balance.
    Head,
    /// Between the balances.
    Lines,
    /// Behind the closing balance.
    Foot,
}

/// The message that is being read.
#[derive(Default)]
struct Message {
    place: Place,
    reference: String,
    account: Option<AccountNumber>,
    number: Option<u64>,
    page: Option<u64>,
    /// Whether it closed with an intermediate balance.
    intermediate: bool,
}

/// A statement that is being read, over all of its pages.
struct Statement {
    head: HeadSoFar,
    page: Option<u64>,
    running: Option<Money>,
    lines: u64,
    first_booking: Option<Date>,
    line: Option<(StatementLine, Said)>,
    /// Whether the last field was a line of no amount, whose `:86:` says nothing.
    nothing: bool,
}

impl Mt940 {
    pub(super) fn new(source: Source) -> Result<Self, Vec<Violation>> {
        let text = Text::new(source, TextEncoding::Auto, b"").map_err(|error| vec![violation(&error)])?;
        Ok(Self {
            text,
            faults: Faults::up_to(MAX_FAULTS),
            queue: VecDeque::new(),
            at: 0,
            field: None,
            message: Message::default(),
            statement: None,
            statements: 0,
            done: false,
        })
    }

    /// The next event; nothing at the end of a whole file without faults.
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
            match self.text.line(MAX_LINE) {
                Ok(Some(line)) => {
                    self.at += 1;
                    self.line(&line);
                }
                Ok(None) => {
                    self.done = true;
                    self.end_field();
                    self.end_file();
                }
                Err(error) => {
                    self.done = true;
                    let fault = violation(&error);
                    self.faults.add(|| fault);
                }
            }
        }
    }

    /// Takes a line of the file.
    fn line(&mut self, line: &str) {
        let line = line.trim_end();
        let line = match (line.starts_with('{'), line.find("{4:")) {
            (true, Some(text)) => {
                self.end_field();
                self.check_type(line);
                &line[text + 3..]
            }
            // Blocks before or behind the text.
            (true, None) => {
                self.end_field();
                return self.check_type(line);
            }
            (false, _) => line,
        };
        if line == "-" || line.starts_with("-}") {
            self.end_field();
            self.end_message();
            return;
        }
        if let Some((tag, content)) = tag(line) {
            self.end_field();
            self.field = Some((self.at, tag.to_owned(), content.to_owned()));
            return;
        }
        match &mut self.field {
            Some((at, tag, content)) => {
                if content.len() + line.len() >= MAX_FIELD {
                    let (at, tag) = (*at, tag.clone());
                    self.field = None;
                    self.faults.add(|| {
                        Violation::new(
                            format!("line {at}, :{tag}:"),
                            "a longer field",
                            format!("fields of at most {MAX_FIELD} bytes"),
                            format!("字段至多 {MAX_FIELD} 字节"),
                        )
                    });
                    return;
                }
                content.push('\n');
                content.push_str(line);
            }
            None if line.is_empty() => {}
            None => {
                let at = self.at;
                self.faults.add(|| {
                    Violation::new(
                        format!("line {at}"),
                        "a line that belongs to no field",
                        "fields such as :20: one behind the other",
                        "以 :20: 等标签开头的字段",
                    )
                });
            }
        }
    }

    /// Refuses other messages, where the blocks say what they are.
    fn check_type(&mut self, line: &str) {
        let at = self.at;
        let kind = line
            .find("{2:")
            .and_then(|block| line.get(block + 4..block + 7))
            .filter(|kind| *kind != "940");
        if let Some(kind) = kind.filter(|kind| kind.bytes().all(|byte| byte.is_ascii_digit())) {
            self.faults.add(|| {
                Violation::new(
                    format!("line {at}, block 2"),
                    format!("MT{kind}"),
                    "MT940, a customer statement",
                    "MT940 客户对账单",
                )
            });
        }
    }

    /// The field that was being read is whole.
    fn end_field(&mut self) {
        let Some((at, tag, content)) = self.field.take() else {
            return;
        };
        let field = format!("line {at}, :{tag}:");
        let result = match (tag.as_str(), self.message.place) {
            ("20", Place::Outside | Place::Foot) => {
                self.end_message();
                self.message = Message {
                    place: Place::Head,
                    reference: content.trim().to_owned(),
                    ..Message::default()
                };
                fields::reference(&field, &content)
            }
            ("21" | "NS" | "13D", Place::Head) => Ok(()),
            ("25" | "25P", Place::Head) => fields::account(&field, &content).map(|account| {
                self.message.account = Some(account);
            }),
            ("28" | "28C", Place::Head) => fields::numbers(&field, &content).map(|(number, page)| {
                self.message.number = Some(number);
                self.message.page = page;
            }),
            ("60F" | "60M", Place::Head) => self.open(&field, &content, tag == "60M"),
            ("61", Place::Lines) => self.movement(at, &field, &content),
            ("86", Place::Lines) => self.information(&field, &content),
            ("62F" | "62M", Place::Lines) => self.close(&field, &content, tag == "62M"),
            ("64" | "65", Place::Foot) => Balance::parse(&field, &content).map(|_| ()),
            // Of the statement as a whole.
            ("86", Place::Foot) => Ok(()),
            // Of a bank's own, where they do no harm.
            ("NS", _) => Ok(()),
            (
                "20" | "21" | "25" | "25P" | "28" | "28C" | "60F" | "60M" | "61" | "62F" | "62M" | "64"
                | "65" | "86",
                _,
            ) => Err(Violation::new(
                field,
                "a field out of place",
                "the order of MT940: 20, 21, 25, 28C, 60, (61, 86)…, 62, 64, 65, 86",
                "MT940 的字段顺序:20、21、25、28C、60、(61、86)…、62、64、65、86",
            )),
            _ => Err(Violation::new(
                field,
                "a field that MT940 does not have",
                "20, 21, 25, 28C, 60, 61, 86, 62, 64 and 65",
                "20、21、25、28C、60、61、86、62、64、65",
            )),
        };
        self.faults.keep(result);
    }

    /// `:60F:` or `:60M:`.
    fn open(&mut self, field: &str, content: &str, intermediate: bool) -> Result<(), Violation> {
        self.message.place = Place::Lines;
        let balance = Balance::parse(field, content)?;
        let (en, zh) = match (&self.statement, intermediate) {
            (None, false) => {
                let message = &self.message;
                for (name, missing) in [
                    ("25", message.account.is_none()),
                    ("28C", message.number.is_none()),
                ] {
                    if missing {
                        self.faults.add(|| {
                            Violation::new(
                                field,
                                format!("no :{name}: before it"),
                                format!(":{name}: in every statement"),
                                format!("须含 :{name}: 字段"),
                            )
                        });
                    }
                }
                self.statements += 1;
                let head = HeadSoFar {
                    account: message.account.clone(),
                    identification: message.reference.clone(),
                    sequence: message.number,
                    opening: Some(balance.amount),
                    ..HeadSoFar::default()
                };
                self.queue.push_back(Event::Begin(Box::new(head.clone())));
                self.statement = Some(Statement {
                    head,
                    page: message.page,
                    running: Some(balance.amount),
                    lines: 0,
                    first_booking: None,
                    line: None,
                    nothing: false,
                });
                if message.page.is_some_and(|page| page > 1) {
                    return Err(Violation::new(
                        field,
                        ":60F: on a page that is not the first",
                        "a statement that begins with page 1",
                        "对账单须从第 1 页开始",
                    ));
                }
                return Ok(());
            }
            (Some(statement), true) => {
                let message = &self.message;
                let same = message.account == statement.head.account
                    && message.number == statement.head.sequence
                    && match (statement.page, message.page) {
                        (Some(before), Some(page)) => before.checked_add(1) == Some(page),
                        _ => false,
                    };
                if same {
                    return self.next_page(field, balance.amount);
                }
                (
                    "the next page of the same account and statement number",
                    "同一账户、同一对账单的下一页",
                )
            }
            (None, true) => (
                "a file with the first page of the statement, which begins with :60F:",
                "文件须含以 :60F: 开始的第一页",
            ),
            (Some(_), false) => (
                "the last page of the statement before, which ends with :62F:",
                "上一对账单须有以 :62F: 结束的末页",
            ),
        };
        self.statement = None;
        let found = if intermediate {
            "an intermediate balance"
        } else {
            "a first balance"
        };
        Err(Violation::new(field, found, en, zh))
    }

    fn next_page(&mut self, field: &str, balance: Money) -> Result<(), Violation> {
        let page = self.message.page;
        let Some(statement) = &mut self.statement else {
            return Ok(());
        };
        statement.page = page;
        statement.check(field, balance)
    }

    /// `:61:`.
    fn movement(&mut self, at: u64, field: &str, content: &str) -> Result<(), Violation> {
        self.end_line();
        let Some(statement) = &mut self.statement else {
            return Ok(());
        };
        statement.nothing = true;
        let line = Line::parse(field, content)?;
        if line.amount == Money::ZERO {
            return Ok(());
        }
        statement.nothing = false;
        let mut said = Said::default();
        said.exact(&line.customer_reference);
        said.seek(&line.bank_reference);
        said.text(&line.details);
        let line = StatementLine {
            line: statement.lines + 1,
            at,
            part: None,
            booked: line.entered.unwrap_or(line.valued),
            valued: Some(line.valued),
            direction: line.direction,
            amount: line.amount,
            reversal: line.reversal,
            reference: None,
            order: None,
            bank_reference: super::finds::bank_reference(field.to_owned(), &line.bank_reference)?,
            counterparty_account: None,
            counterparty_name: None,
            text: String::new(),
        };
        statement.lines += 1;
        let sum = statement.running.and_then(|sum| sum.checked_add(line.signed()));
        let beyond = statement.running.is_some() && sum.is_none();
        statement.running = sum;
        statement.first_booking = Some(
            statement
                .first_booking
                .map_or(line.booked, |first| first.min(line.booked)),
        );
        statement.line = Some((line, said));
        if beyond {
            return Err(Violation::new(
                field,
                "a balance beyond 10^15 yuan",
                "balances of at most 10^15 yuan",
                "余额不超过 10^15 元",
            ));
        }
        Ok(())
    }

    /// `:86:` of a line.
    fn information(&mut self, field: &str, content: &str) -> Result<(), Violation> {
        let Some(statement) = &mut self.statement else {
            return Ok(());
        };
        let Some((mut line, mut said)) = statement.line.take() else {
            if std::mem::take(&mut statement.nothing) {
                return Ok(());
            }
            return Err(Violation::new(
                field,
                ":86: that belongs to no line",
                "one :86: behind a :61:",
                "每个 :61: 之后至多一个 :86:",
            ));
        };
        let information = fields::Information::of(content);
        said.seek(&information.sought);
        said.keep(&information.text);
        line.counterparty_name = name(&information.name);
        line.counterparty_account = AccountNumber::parse("account", &information.account).ok();
        self.queue.push_back(Event::Line(Box::new(told(line, said))));
        Ok(())
    }

    /// A line without `:86:` is whole when the next field begins.
    fn end_line(&mut self) {
        if let Some(statement) = &mut self.statement {
            statement.nothing = false;
            if let Some((line, said)) = statement.line.take() {
                self.queue.push_back(Event::Line(Box::new(told(line, said))));
            }
        }
    }

    /// `:62F:` or `:62M:`.
    fn close(&mut self, field: &str, content: &str, intermediate: bool) -> Result<(), Violation> {
        self.end_line();
        self.message.place = Place::Foot;
        self.message.intermediate = intermediate;
        let balance = match Balance::parse(field, content) {
            Ok(balance) => balance,
            Err(violation) => {
                // What follows is read as another statement.
                self.statement = None;
                return Err(violation);
            }
        };
        if intermediate {
            let Some(statement) = &mut self.statement else {
                return Ok(());
            };
            if statement.page.is_none() {
                self.statement = None;
                return Err(Violation::new(
                    field,
                    "an intermediate balance without a page number in :28C:",
                    ":28C: with statement and page, such as 5/1",
                    ":28C: 须含对账单号和页码,如 5/1",
                ));
            }
            return statement.check(field, balance.amount);
        }
        let Some(mut statement) = self.statement.take() else {
            return Ok(());
        };
        statement.head.closing = Some(balance.amount);
        statement.head.to = Some(balance.date);
        statement.head.from = statement.first_booking.or(Some(balance.date));
        self.queue.push_back(Event::End(Box::new(statement.head)));
        Ok(())
    }

    /// The end of a message: by `-`, by the next `:20:`, or by that of the file.
    fn end_message(&mut self) {
        let message = std::mem::take(&mut self.message);
        if matches!(message.place, Place::Head | Place::Lines) {
            let at = self.at;
            self.statement = None;
            self.faults.add(|| {
                Violation::new(
                    format!("line {at}"),
                    "the end of a message",
                    ":60F: or :60M: and :62F: or :62M: in every message",
                    "每个报文须含 :60F:(或 :60M:)和 :62F:(或 :62M:)",
                )
            });
        }
    }

    fn end_file(&mut self) {
        self.end_message();
        let at = self.at;
        if self.statement.is_some() {
            self.faults.add(|| {
                Violation::new(
                    format!("line {at}"),
                    "the end of the file",
                    "the last page of the statement, which ends with :62F:",
                    "须含以 :62F: 结束的末页",
                )
            });
        } else if self.statements == 0 && self.faults.is_empty() {
            self.faults.add(|| {
                Violation::new(
                    "file",
                    "no message",
                    "at least one MT940 message, which begins with :20:",
                    "至少一个以 :20: 开始的 MT940 报文",
                )
            });
        }
    }
}

impl Statement {
    /// Holds a balance on the way against the lines so far.
    fn check(&self, field: &str, balance: Money) -> Result<(), Violation> {
        match self.running {
            Some(running) if running != balance => Err(Violation::new(
                field,
                balance.to_string(),
                format!("{running}, the opening balance and the lines so far"),
                format!("应为期初余额加减至此各笔明细 {running}"),
            )),
            _ => Ok(()),
        }
    }
}

fn told(mut line: StatementLine, said: Said) -> StatementLine {
    line.reference = said.reference();
    line.order = said.order_id();
    line.text = said.kept();
    line
}

/// The tag and what stands behind it, in a line that begins a field.
fn tag(line: &str) -> Option<(&str, &str)> {
    let (tag, content) = line.strip_prefix(':')?.split_once(':')?;
    let plain = (2..=3).contains(&tag.len())
        && tag
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    // A text of :86: may begin a line with a colon; a tag is two digits and at most a letter.
    let known = plain && (tag == "NS" || tag[..2].bytes().all(|byte| byte.is_ascii_digit()));
    known.then_some((tag, content))
}
