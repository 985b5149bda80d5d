//! ISO 20022 `camt.053` (BankToCustomerStatement) and `camt.054` (BankToCustomerDebitCreditNotification), versions
//! 02 and 08.
//!
//! Elements that are not needed are passed over. `docs/STATEMENTS.md` lists those that are taken.

mod entry;

use super::{Event, MAX_FAULTS, Source, TextEncoding};
use crate::domain::error::{Faults, Violation};
use crate::domain::money::Money;
use crate::domain::payment::AccountNumber;
use crate::domain::reconciliation::{Direction, HeadSoFar, MAX_IDENTIFICATION, StatementKind, StatementLine};
use crate::payment::dates;
use crate::payment::xml::{Elements, Step};
use crate::tabular::stream::{Text, violation};
use entry::Entry;
use std::collections::VecDeque;
use time::Date;

/// The namespaces that are read.
pub const NAMESPACES: [&str; 4] = [
    "urn:iso:std:iso:20022:tech:xsd:camt.053.001.02",
    "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08",
    "urn:iso:std:iso:20022:tech:xsd:camt.054.001.02",
    "urn:iso:std:iso:20022:tech:xsd:camt.054.001.08",
];

const STATEMENTS: &str = "/Document/BkToCstmrStmt";
const STATEMENT: &str = "/Document/BkToCstmrStmt/Stmt";
const NOTIFICATIONS: &str = "/Document/BkToCstmrDbtCdtNtfctn";
const NOTIFICATION: &str = "/Document/BkToCstmrDbtCdtNtfctn/Ntfctn";
const ENTRY: &str = "/Ntry";
const CURRENCY: &str = "CNY";

/// Reads one message.
pub(super) struct Camt {
    elements: Elements<Text>,
    faults: Faults,
    queue: VecDeque<Event>,
    /// How many statements the message has so far.
    statements: u64,
    statement: Option<Statement>,
    done: bool,
}

/// A statement or notification that is being read.
struct Statement {
    head: HeadSoFar,
    begun: bool,
    lines: u64,
    /// Entries that are lines or are split into lines.
    booked: u64,
    /// All entries, those that are not booked and those of no amount included.
    entries: u64,
    legal_sequence: Option<u64>,
    opening: Option<(Money, Date)>,
    previous_closing: Option<(Money, Date)>,
    closing: Option<(Money, Date)>,
    /// The first and the last day of booking.
    bookings: Option<(Date, Date)>,
    balance: Balance,
    entry: Option<Entry>,
    currency: Option<String>,
}

/// A balance that is being read.
#[derive(Default)]
struct Balance {
    code: String,
    amount: Option<Money>,
    debit: Option<bool>,
    date: Option<Date>,
}

/// Where faults and lines of a statement go.
struct Out<'a> {
    faults: &'a mut Faults,
    queue: &'a mut VecDeque<Event>,
}

impl Camt {
    pub(super) fn new(source: Source) -> Result<Self, Vec<Violation>> {
        let text = Text::new(source, TextEncoding::Auto, b"").map_err(|error| vec![violation(&error)])?;
        Ok(Self {
            elements: Elements::new(text, &NAMESPACES, "SplmtryData"),
            faults: Faults::up_to(MAX_FAULTS),
            queue: VecDeque::new(),
            statements: 0,
            statement: None,
            done: false,
        })
    }

    /// The next event; nothing at the end of a whole message without faults.
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
            match self.elements.step() {
                Ok(Some(Step::Open(currency))) => self.open(currency),
                Ok(Some(Step::Close(text))) => self.close(&text),
                Ok(None) => {
                    self.done = true;
                    if self.statements == 0 {
                        self.faults.add(|| {
                            Violation::new(
                                "file",
                                "a message without statement",
                                "a camt.053 or camt.054 message with at least one Stmt or Ntfctn",
                                "至少含一个 Stmt 或 Ntfctn 的 camt.053、camt.054 报文",
                            )
                        });
                    }
                }
                // Nothing behind it can be read.
                Err(violation) => {
                    self.done = true;
                    self.faults.add(|| violation);
                }
            }
        }
    }

    fn open(&mut self, currency: Option<String>) {
        let (path, line) = (self.elements.path(), self.elements.line());
        match path {
            STATEMENT | NOTIFICATION => {
                let namespace = self.elements.namespace().unwrap_or_default();
                let notifies = path == NOTIFICATION;
                // A message of one kind in the namespace of the other.
                if notifies != namespace.contains(":camt.054.") {
                    let name = if notifies { "Ntfctn" } else { "Stmt" };
                    self.faults.add(|| {
                        Violation::new(
                            format!("line {line}"),
                            format!("{name} in a message of {namespace}"),
                            "Stmt in camt.053, Ntfctn in camt.054",
                            "camt.053 中为 Stmt,camt.054 中为 Ntfctn",
                        )
                    });
                }
                self.statements += 1;
                self.statement = Some(Statement::new(if notifies {
                    StatementKind::Notification
                } else {
                    StatementKind::Statement
                }));
            }
            _ => {
                if let (Some(statement), Some(name)) = (&mut self.statement, inside(path)) {
                    let mut out = Out {
                        faults: &mut self.faults,
                        queue: &mut self.queue,
                    };
                    statement.open(name, line, currency, &mut out);
                }
            }
        }
    }

    fn close(&mut self, text: &str) {
        let (path, line) = (self.elements.path(), self.elements.line());
        let mut out = Out {
            faults: &mut self.faults,
            queue: &mut self.queue,
        };
        match path {
            STATEMENT | NOTIFICATION => {
                if let Some(statement) = self.statement.take() {
                    statement.end(line, &mut out);
                }
            }
            _ => {
                if let Some(name) = inside(path) {
                    if let Some(statement) = &mut self.statement {
                        statement.close(name, line, text, &mut out);
                    }
                } else if let Some(name) = path
                    .strip_prefix(STATEMENTS)
                    .or_else(|| path.strip_prefix(NOTIFICATIONS))
                {
                    page(name, "/GrpHdr/MsgPgntn", line, text, &mut out);
                }
            }
        }
    }
}

/// The path within a statement or notification.
fn inside(path: &str) -> Option<&str> {
    path.strip_prefix(STATEMENT)
        .or_else(|| path.strip_prefix(NOTIFICATION))
}

/// Refuses all pages but one that is the first and the last.
fn page(name: &str, pagination: &str, line: u32, text: &str, out: &mut Out<'_>) {
    let right = match name.strip_prefix(pagination) {
        Some("/PgNb") => text == "1",
        Some("/LastPgInd") => matches!(text, "true" | "1"),
        _ => return,
    };
    if !right {
        out.faults.add(|| {
            Violation::new(
                format!("line {line}, {}", name.trim_start_matches('/')),
                text,
                "a statement in one piece: page 1, which is the last",
                "完整的一页报文(第 1 页且为末页),不支持分页报文",
            )
        });
    }
}

impl Statement {
    fn new(kind: StatementKind) -> Self {
        Self {
            head: HeadSoFar {
                kind,
                ..HeadSoFar::default()
            },
            begun: false,
            lines: 0,
            booked: 0,
            entries: 0,
            legal_sequence: None,
            opening: None,
            previous_closing: None,
            closing: None,
            bookings: None,
            balance: Balance::default(),
            entry: None,
            currency: None,
        }
    }

    fn open(&mut self, name: &str, line: u32, currency: Option<String>, out: &mut Out<'_>) {
        match name {
            "/Bal" => self.balance = Balance::default(),
            ENTRY => {
                self.begin(out);
                self.entry = Some(Entry::new(line));
            }
            _ => {
                if let (Some(entry), Some(name)) = (&mut self.entry, name.strip_prefix(ENTRY)) {
                    entry.open(name);
                }
            }
        }
        self.currency = currency;
    }

    /// Says what is known before the first line.
    fn begin(&mut self, out: &mut Out<'_>) {
        if self.begun {
            return;
        }
        self.begun = true;
        self.head.sequence = self.head.sequence.or(self.legal_sequence);
        self.head.opening = self.opening.or(self.previous_closing).map(|(amount, _)| amount);
        self.head.closing = self.closing.map(|(amount, _)| amount);
        if self.head.to.is_none() {
            self.head.to = self.closing.map(|(_, date)| date);
        }
        out.queue.push_back(Event::Begin(Box::new(self.head.clone())));
    }

    fn close(&mut self, name: &str, line: u32, text: &str, out: &mut Out<'_>) {
        if let Some(part) = name.strip_prefix(ENTRY) {
            if let Some(mut entry) = self.entry.take() {
                if part.is_empty() {
                    self.end_entry(entry, out);
                } else {
                    let currency = self.currency.take();
                    entry.close(part, line, text, currency.as_deref(), self, out);
                    self.entry = Some(entry);
                }
            }
            return;
        }
        let field = |name: &str| format!("line {line}, {}", name.trim_start_matches('/'));
        match name {
            "/Id" => {
                if text.chars().count() > MAX_IDENTIFICATION || text.chars().any(char::is_control) {
                    out.faults.add(|| {
                        Violation::new(
                            field(name),
                            format!("{} characters", text.chars().count()),
                            format!("at most {MAX_IDENTIFICATION} characters on one line"),
                            format!("单行,至多 {MAX_IDENTIFICATION} 个字符"),
                        )
                    });
                }
                text.clone_into(&mut self.head.identification);
            }
            "/ElctrncSeqNb" => self.head.sequence = number(field(name), text, out),
            "/LglSeqNb" => self.legal_sequence = number(field(name), text, out),
            "/FrToDt/FrDtTm" => self.head.from = out.faults.keep(dates::day(field(name), text)),
            "/FrToDt/ToDtTm" => self.head.to = out.faults.keep(dates::last_day(field(name), text)),
            "/Acct/Id/IBAN" | "/Acct/Id/Othr/Id" => {
                self.head.account = out.faults.keep(AccountNumber::parse(field(name), text));
            }
            "/Acct/Ccy" => check_currency(field(name), Some(text), out.faults),
            "/TxsSummry/TtlNtries/NbOfNtries" => self.head.declared.entries = number(field(name), text, out),
            "/TxsSummry/TtlCdtNtries/NbOfNtries" => {
                self.head.declared.credit_entries = number(field(name), text, out);
            }
            "/TxsSummry/TtlCdtNtries/Sum" => {
                self.head.declared.credits = out.faults.keep(Money::parse(&field(name), text));
            }
            "/TxsSummry/TtlDbtNtries/NbOfNtries" => {
                self.head.declared.debit_entries = number(field(name), text, out);
            }
            "/TxsSummry/TtlDbtNtries/Sum" => {
                self.head.declared.debits = out.faults.keep(Money::parse(&field(name), text));
            }
            "/Bal" => self.end_balance(line, out),
            _ => {
                if let Some(part) = name.strip_prefix("/Bal") {
                    let currency = self.currency.take();
                    self.balance.close(part, line, text, currency.as_deref(), out);
                }
                page(name, "/StmtPgntn", line, text, out);
                page(name, "/NtfctnPgntn", line, text, out);
            }
        }
        self.currency = None;
    }

    /// Keeps the booked balances at the beginning and the end; all others, such as available ones, are passed over.
    fn end_balance(&mut self, line: u32, out: &mut Out<'_>) {
        let balance = std::mem::take(&mut self.balance);
        let (name, slot) = match balance.code.as_str() {
            "OPBD" => ("OPBD", &mut self.opening),
            "PRCD" => ("PRCD", &mut self.previous_closing),
            "CLBD" => ("CLBD", &mut self.closing),
            _ => return,
        };
        let field = format!("line {line}, Bal {name}");
        let (Some(amount), Some(debit), Some(date)) = (balance.amount, balance.debit, balance.date) else {
            out.faults.add(|| {
                Violation::new(
                    field,
                    "a balance that lacks something",
                    "Amt, CdtDbtInd and Dt",
                    "须含 Amt、CdtDbtInd 和 Dt",
                )
            });
            return;
        };
        let amount = if debit {
            Money::ZERO.checked_sub(amount).unwrap_or_default()
        } else {
            amount
        };
        let late = self.begun;
        if slot.replace((amount, date)).is_some() || late {
            out.faults.add(|| {
                Violation::new(
                    field,
                    format!("{name} again, or behind an entry"),
                    "each balance once, before the entries",
                    "每种余额一次,且在明细之前",
                )
            });
        } else if let (Some((opening, _)), Some((previous, _))) = (self.opening, self.previous_closing)
            && opening != previous
        {
            out.faults.add(|| {
                Violation::new(
                    field,
                    format!("PRCD {previous}, OPBD {opening}"),
                    "the same amount where a statement has both",
                    "两种期初余额同时存在时须一致",
                )
            });
        }
    }

    fn end_entry(&mut self, entry: Entry, out: &mut Out<'_>) {
        self.entries += 1;
        if entry.end(self, out) {
            self.booked += 1;
        }
    }

    /// Gives a line its number and lets it go.
    fn push(&mut self, mut line: StatementLine, out: &mut Out<'_>) {
        self.lines += 1;
        line.line = self.lines;
        let (first, last) = self.bookings.unwrap_or((line.booked, line.booked));
        self.bookings = Some((first.min(line.booked), last.max(line.booked)));
        out.queue.push_back(Event::Line(Box::new(line)));
    }

    fn end(mut self, line: u32, out: &mut Out<'_>) {
        self.begin(out);
        let declared = &mut self.head.declared;
        // Whether a bank counts entries that are not booked is its own affair.
        if declared.entries == Some(self.entries) {
            declared.entries = Some(self.booked);
        }
        let statement = self.head.kind == StatementKind::Statement;
        for (name, missing) in [
            ("Bal OPBD or PRCD", self.head.opening.is_none()),
            ("Bal CLBD", self.head.closing.is_none()),
        ] {
            if statement && missing {
                out.faults.add(|| {
                    Violation::new(
                        format!("line {line}, Stmt"),
                        format!("no {name}"),
                        format!("a statement with {name}"),
                        format!("对账单须含 {name}"),
                    )
                });
            }
        }
        if self.head.account.is_none() {
            out.faults.add(|| {
                Violation::new(
                    format!("line {line}, Acct/Id"),
                    "",
                    "the number of the account in digits",
                    "须含数字账号",
                )
            });
        }
        let (first, last) = self.bookings.unzip();
        self.head.from = self.head.from.or(first).or(self.head.to);
        self.head.to = self.head.to.or(last);
        out.queue.push_back(Event::End(Box::new(self.head)));
    }
}

impl Balance {
    fn close(&mut self, name: &str, line: u32, text: &str, currency: Option<&str>, out: &mut Out<'_>) {
        let field = format!("line {line}, Bal{name}");
        match name {
            "/Tp/CdOrPrtry/Cd" => text.clone_into(&mut self.code),
            "/Amt" => self.amount = amount(field, text, currency, out.faults),
            "/CdtDbtInd" => {
                self.debit = direction(field, text, out.faults).map(|found| found == Direction::Debit);
            }
            "/Dt/Dt" | "/Dt/DtTm" => self.date = out.faults.keep(dates::day(field, text)),
            _ => {}
        }
    }
}

/// An amount in renminbi, not below zero: its direction stands beside it.
fn amount(field: String, text: &str, currency: Option<&str>, faults: &mut Faults) -> Option<Money> {
    check_currency(format!("{field} Ccy"), currency, faults);
    let amount = faults.keep(Money::parse(&field, text))?;
    if amount.is_negative() {
        faults.add(|| {
            Violation::new(
                field,
                text,
                "an amount that is not below zero: CdtDbtInd says which way it goes",
                "金额不得为负,方向由 CdtDbtInd 表示",
            )
        });
        return None;
    }
    Some(amount)
}

fn check_currency(field: String, currency: Option<&str>, faults: &mut Faults) {
    if currency != Some(CURRENCY) {
        let found = currency.unwrap_or_default();
        faults.add(|| Violation::new(field, found, CURRENCY, "币种须为人民币 CNY"));
    }
}

fn direction(field: String, text: &str, faults: &mut Faults) -> Option<Direction> {
    match text {
        "CRDT" => Some(Direction::Credit),
        "DBIT" => Some(Direction::Debit),
        _ => {
            faults.add(|| Violation::new(field, text, "one of CRDT, DBIT", "下列之一:CRDT、DBIT"));
            None
        }
    }
}

fn number(field: String, text: &str, out: &mut Out<'_>) -> Option<u64> {
    let plain = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| text.parse().ok()).flatten();
    if number.is_none() {
        out.faults
            .add(|| Violation::new(field, text, "a number of at most 18 digits", "至多 18 位的数字"));
    }
    number
}
