//! An entry of a message, and the transactions that it stands for.
//!
//! An entry is one line where it has one transaction, or several of which none has an amount (a batch that was booked
//! as one sum). Where it has several with amounts, each is a line, and they must add up to the entry. So that no
//! number of transactions fills the memory, the first two decide which of the two it is.

use super::super::finds::{Said, bank_reference, name};
use super::{CURRENCY, Out, Statement, amount, direction};
use crate::domain::error::{Faults, Violation};
use crate::domain::money::Money;
use crate::domain::payment::AccountNumber;
use crate::domain::reconciliation::{Direction, StatementLine};
use crate::payment::dates;
use time::Date;

const DETAILS: &str = "/NtryDtls/TxDtls";
const BOOKED: &str = "BOOK";

/// An entry that is being read.
pub(super) struct Entry {
    line: u32,
    amount: Option<Money>,
    direction: Option<Direction>,
    reversal: bool,
    status: String,
    booked: Option<Date>,
    valued: Option<Date>,
    bank_reference: String,
    said: Said,
    /// What is said of the batch that the entry stands for.
    batch: Said,
    detail: Option<Detail>,
    /// The only transaction so far, or all so far where they are one line.
    whole: Option<Detail>,
    details: u64,
    /// Lines given so far, and their sum.
    parts: u32,
    sum: Money,
    /// Whether a fault was found that makes the rest of the entry pointless.
    faulty: bool,
}

/// What is said of one transaction.
#[derive(Default)]
struct Detail {
    line: u32,
    /// `Amt` of version 08.
    amount: Option<Money>,
    transaction_amount: Option<Money>,
    instructed_amount: Option<Money>,
    direction: Option<Direction>,
    bank_reference: String,
    debtor: Party,
    creditor: Party,
    said: Said,
}

#[derive(Default)]
struct Party {
    name: Option<String>,
    account: Option<AccountNumber>,
}

impl Detail {
    fn amount(&self) -> Option<Money> {
        self.amount.or(self.transaction_amount).or(self.instructed_amount)
    }
}

impl Entry {
    pub(super) fn new(line: u32) -> Self {
        Self {
            line,
            amount: None,
            direction: None,
            reversal: false,
            status: String::new(),
            booked: None,
            valued: None,
            bank_reference: String::new(),
            said: Said::default(),
            batch: Said::default(),
            detail: None,
            whole: None,
            details: 0,
            parts: 0,
            sum: Money::ZERO,
            faulty: false,
        }
    }

    pub(super) fn open(&mut self, name: &str) {
        if name == DETAILS {
            self.detail = Some(Detail::default());
        }
    }

    /// An element of the entry ends.
    pub(super) fn close(
        &mut self,
        name: &str,
        line: u32,
        text: &str,
        currency: Option<&str>,
        statement: &mut Statement,
        out: &mut Out<'_>,
    ) {
        let field = || format!("line {line}, Ntry{name}");
        match name {
            "/Amt" => self.amount = self.noted(amount(field(), text, currency, out.faults)),
            "/CdtDbtInd" => self.direction = self.noted(direction(field(), text, out.faults)),
            "/RvslInd" => match text {
                "true" | "1" => self.reversal = true,
                "false" | "0" => {}
                _ => out
                    .faults
                    .add(|| Violation::new(field(), text, "true or false", "true 或 false")),
            },
            "/Sts" if text.is_empty() => {}
            "/Sts" | "/Sts/Cd" => text.clone_into(&mut self.status),
            "/BookgDt/Dt" | "/BookgDt/DtTm" => {
                self.booked = self.noted(out.faults.keep(dates::day(field(), text)));
            }
            "/ValDt/Dt" | "/ValDt/DtTm" => {
                self.valued = self.noted(out.faults.keep(dates::day(field(), text)));
            }
            "/AcctSvcrRef" => {
                let kept = out.faults.keep(bank_reference(field(), text));
                self.bank_reference = kept.unwrap_or_default();
            }
            "/NtryRef" => self.said.seek(text),
            "/NtryDtls/Btch/MsgId" | "/NtryDtls/Btch/PmtInfId" => self.batch.order(text),
            "/AddtlNtryInf" => self.said.text(text),
            DETAILS => self.end_detail(line, statement, out),
            _ => {
                if let (Some(detail), Some(name)) = (&mut self.detail, name.strip_prefix(DETAILS)) {
                    detail.close(name, line, text, currency, out);
                }
            }
        }
    }

    fn noted<T>(&mut self, value: Option<T>) -> Option<T> {
        self.faulty |= value.is_none();
        value
    }

    fn end_detail(&mut self, line: u32, statement: &mut Statement, out: &mut Out<'_>) {
        let Some(mut detail) = self.detail.take() else {
            return;
        };
        detail.line = line;
        self.details += 1;
        if !self.is_booked() {
            return;
        }
        match self.whole.take() {
            None if self.parts == 0 => self.whole = Some(detail),
            // The second of several: they are lines of their own where both have amounts.
            Some(first) if self.details == 2 && first.amount().is_some() => {
                self.part(first, statement, out);
                self.part(detail, statement, out);
            }
            Some(mut first) => {
                if detail.amount().is_some() {
                    self.mixed(line, out);
                }
                first.said.join(detail.said);
                if first.bank_reference.is_empty() {
                    first.bank_reference = detail.bank_reference;
                }
                // Several payees are none.
                (first.debtor, first.creditor) = (Party::default(), Party::default());
                self.whole = Some(first);
            }
            None => self.part(detail, statement, out),
        }
    }

    fn mixed(&mut self, line: u32, out: &mut Out<'_>) {
        self.faulty = true;
        out.faults.add(|| {
            Violation::new(
                format!("line {line}, Ntry{DETAILS}"),
                "transactions with and without amounts in one entry",
                "an amount in each transaction of an entry, or in none",
                "同一分录的各笔交易须全部有金额或全部没有金额",
            )
        });
    }

    /// One of several transactions with amounts.
    fn part(&mut self, detail: Detail, statement: &mut Statement, out: &mut Out<'_>) {
        let at = detail.line;
        let Some(amount) = detail.amount() else {
            return self.mixed(at, out);
        };
        if self.faulty {
            return;
        }
        if let Some(fault) = self.incomplete().or_else(|| self.contrary(&detail)) {
            self.faulty = true;
            return out.faults.add(|| fault);
        }
        let Some(sum) = self.sum.checked_add(amount) else {
            self.faulty = true;
            return out
                .faults
                .add(|| self.not_adding_up("a sum beyond 10^15 yuan".to_owned()));
        };
        self.sum = sum;
        if amount == Money::ZERO {
            return;
        }
        self.parts += 1;
        let part = Some(self.parts);
        if let Some(line) = self.line_of(detail, amount, part, statement) {
            statement.push(line, out);
        }
    }

    /// The transaction goes another way than its entry.
    fn contrary(&self, detail: &Detail) -> Option<Violation> {
        let (own, entry) = (detail.direction?, self.direction?);
        (own != entry).then(|| {
            Violation::new(
                format!("line {}, Ntry{DETAILS}/CdtDbtInd", detail.line),
                own.code(),
                format!("{}, as the entry", entry.code()),
                format!("应与分录方向一致:{}", entry.zh()),
            )
        })
    }

    /// What every line needs and the entry does not have, or has behind its transactions.
    fn incomplete(&self) -> Option<Violation> {
        let missing = match (self.amount, self.direction, self.booked) {
            (None, _, _) => "Amt",
            (_, None, _) => "CdtDbtInd",
            (_, _, None) => "BookgDt",
            _ => return None,
        };
        Some(Violation::new(
            format!("line {}, Ntry", self.line),
            format!("no {missing}"),
            format!("an entry with {missing}, before its transactions"),
            format!("分录须含 {missing},且在交易明细之前"),
        ))
    }

    fn not_adding_up(&self, found: String) -> Violation {
        let amount = self.amount.unwrap_or_default();
        Violation::new(
            format!("line {}, Ntry", self.line),
            found,
            format!("{amount}, the amount of the entry"),
            format!("各笔交易之和应为分录金额 {amount}"),
        )
    }

    fn is_booked(&self) -> bool {
        self.status == BOOKED
    }

    /// The entry ends; whether it was booked and is now lines.
    pub(super) fn end(mut self, statement: &mut Statement, out: &mut Out<'_>) -> bool {
        if self.status.is_empty() {
            out.faults.add(|| {
                Violation::new(
                    format!("line {}, Ntry/Sts", self.line),
                    "",
                    "the status of the entry, such as BOOK",
                    "须注明分录状态,如 BOOK",
                )
            });
            return false;
        }
        if !self.is_booked() || self.faulty {
            return false;
        }
        if let Some(fault) = self.incomplete() {
            out.faults.add(|| fault);
            return false;
        }
        let amount = self.amount.unwrap_or_default();
        if self.whole.is_none() && self.details > 0 {
            if self.sum != amount {
                let found = format!("{} in {} transactions", self.sum, self.details);
                out.faults.add(|| self.not_adding_up(found));
            }
            return self.parts > 0;
        }
        if amount == Money::ZERO {
            return false;
        }
        let mut detail = self.whole.take().unwrap_or_default();
        detail.said.join(std::mem::take(&mut self.said));
        if let Some(line) = self.line_of(detail, amount, None, statement) {
            statement.push(line, out);
        }
        true
    }

    fn line_of(
        &self,
        detail: Detail,
        amount: Money,
        part: Option<u32>,
        statement: &Statement,
    ) -> Option<StatementLine> {
        let direction = self.direction?;
        let mut said = detail.said;
        said.join(self.batch.clone());
        let own = statement.head.account.as_ref();
        let (mut other, mut spare) = match direction {
            Direction::Debit => (detail.creditor, detail.debtor),
            Direction::Credit => (detail.debtor, detail.creditor),
        };
        // A payment that came back names its parties as the payment did.
        let nobody = other.name.is_none() && other.account.is_none();
        if nobody || (other.account.is_some() && other.account.as_ref() == own) {
            std::mem::swap(&mut other, &mut spare);
        }
        if other.account.is_some() && other.account.as_ref() == own {
            other = Party::default();
        }
        Some(StatementLine {
            line: 0,
            at: u64::from(if part.is_some() { detail.line } else { self.line }),
            part,
            booked: self.booked?,
            valued: self.valued,
            direction,
            amount,
            reversal: self.reversal,
            reference: said.reference(),
            order: said.order_id(),
            bank_reference: if detail.bank_reference.is_empty() {
                self.bank_reference.clone()
            } else {
                detail.bank_reference
            },
            counterparty_account: other.account,
            counterparty_name: other.name,
            text: said.kept(),
        })
    }
}

impl Detail {
    fn close(&mut self, path: &str, line: u32, text: &str, currency: Option<&str>, out: &mut Out<'_>) {
        let field = || format!("line {line}, Ntry{DETAILS}{path}");
        match path {
            "/Amt" => self.amount = amount(field(), text, currency, out.faults),
            "/AmtDtls/TxAmt/Amt" => self.transaction_amount = amount(field(), text, currency, out.faults),
            // An order in another currency says nothing of what was booked.
            "/AmtDtls/InstdAmt/Amt" if currency == Some(CURRENCY) => {
                self.instructed_amount = amount(field(), text, currency, out.faults)
            }
            "/CdtDbtInd" => self.direction = direction(field(), text, out.faults),
            "/Refs/EndToEndId" | "/Refs/InstrId" | "/Refs/TxId" | "/RmtInf/Strd/CdtrRefInf/Ref" => {
                self.said.exact(text);
            }
            "/Refs/MsgId" | "/Refs/PmtInfId" => self.said.order(text),
            "/Refs/AcctSvcrRef" => self.set_bank_reference(field(), text, out.faults),
            "/Refs/ClrSysRef" if self.bank_reference.is_empty() => {
                self.set_bank_reference(field(), text, out.faults);
            }
            "/Refs/Prtry/Ref" => self.said.seek(text),
            "/RltdPties/Dbtr/Nm" | "/RltdPties/Dbtr/Pty/Nm" => self.debtor.name = name(text),
            "/RltdPties/Cdtr/Nm" | "/RltdPties/Cdtr/Pty/Nm" => self.creditor.name = name(text),
            "/RltdPties/DbtrAcct/Id/IBAN" | "/RltdPties/DbtrAcct/Id/Othr/Id" => {
                self.debtor.account = AccountNumber::parse("account", text).ok();
            }
            "/RltdPties/CdtrAcct/Id/IBAN" | "/RltdPties/CdtrAcct/Id/Othr/Id" => {
                self.creditor.account = AccountNumber::parse("account", text).ok();
            }
            "/RmtInf/Ustrd" | "/RmtInf/Strd/AddtlRmtInf" | "/AddtlTxInf" | "/RtrInf/AddtlInf" => {
                self.said.text(text);
            }
            "/RtrInf/Rsn/Cd" | "/RtrInf/Rsn/Prtry" => self.said.keep(text),
            _ => {}
        }
    }

    fn set_bank_reference(&mut self, field: String, text: &str, faults: &mut Faults) {
        self.bank_reference = faults.keep(bank_reference(field, text)).unwrap_or_default();
    }
}
