//! One statement written in every format, for tests: what is written is what must be read.

use crate::domain::money::Money;
use crate::domain::payment::Reference;
use crate::domain::reconciliation::Direction;
use std::fmt::Write;
use time::Date;

/// The account of all samples.
pub(super) const ACCOUNT: &str = "411024000000054321";

/// A movement that every format can say.
#[derive(Debug, Clone)]
pub(super) struct Movement {
    pub(super) booked: Date,
    pub(super) valued: Date,
    pub(super) direction: Direction,
    pub(super) amount: Money,
    pub(super) reversal: bool,
    pub(super) reference: Option<Reference>,
    /// Letters and digits.
    pub(super) bank_reference: String,
    /// Letters, digits, Chinese, single spaces; no space at either end.
    pub(super) text: String,
}

/// A statement that every format can say.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) sequence: u64,
    pub(super) day: Date,
    pub(super) opening: Money,
    pub(super) movements: Vec<Movement>,
}

impl Sample {
    pub(super) fn closing(&self) -> Money {
        let signed = self.movements.iter().map(|movement| match movement.direction {
            Direction::Debit => -movement.amount.fen(),
            Direction::Credit => movement.amount.fen(),
        });
        Money::from_fen(self.opening.fen() + signed.sum::<i64>()).unwrap()
    }

    /// As `camt.053.001.02`, or as version 08.
    pub(super) fn camt(&self, version_8: bool) -> String {
        let version = if version_8 { "08" } else { "02" };
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}\"><BkToCstmrStmt>\n\
             <Stmt><Id>S{0}</Id><ElctrncSeqNb>{0}</ElctrncSeqNb>\n\
             <FrToDt><FrDtTm>{1}T00:00:00+08:00</FrDtTm><ToDtTm>{1}T23:59:59+08:00</ToDtTm></FrToDt>\n\
             <Acct><Id><Othr><Id>{ACCOUNT}</Id></Othr></Id></Acct>\n",
            self.sequence, self.day
        );
        for (code, balance) in [("OPBD", self.opening), ("CLBD", self.closing())] {
            let mark = if balance.is_negative() { "DBIT" } else { "CRDT" };
            writeln!(
                out,
                "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{}</Amt>\
                 <CdtDbtInd>{mark}</CdtDbtInd><Dt><Dt>{}</Dt></Dt></Bal>",
                absolute(balance),
                self.day
            )
            .unwrap();
        }
        for movement in &self.movements {
            out.push_str(&movement.camt(version_8));
        }
        out.push_str("</Stmt></BkToCstmrStmt></Document>\n");
        out
    }

    /// As MT940, on pages of so many lines.
    pub(super) fn mt940(&self, lines_a_page: usize) -> String {
        let mut out = String::new();
        let mut balance = self.opening;
        let pages: Vec<&[Movement]> = match self.movements.is_empty() {
            true => vec![&[]],
            false => self.movements.chunks(lines_a_page).collect(),
        };
        for (page, movements) in pages.iter().enumerate() {
            let (opens, closes) = (
                if page == 0 { "60F" } else { "60M" },
                if page + 1 == pages.len() { "62F" } else { "62M" },
            );
            write!(
                out,
                ":20:S{0}\n:25:{ACCOUNT}\n:28C:{0}/{1}\n:{opens}:{2}\n",
                self.sequence,
                page + 1,
                self.balance(balance)
            )
            .unwrap();
            for movement in *movements {
                let signed = match movement.direction {
                    Direction::Debit => -movement.amount.fen(),
                    Direction::Credit => movement.amount.fen(),
                };
                balance = Money::from_fen(balance.fen() + signed).unwrap();
                out.push_str(&movement.mt940());
            }
            write!(out, ":{closes}:{}\n-\n", self.balance(balance)).unwrap();
        }
        out
    }

    fn balance(&self, balance: Money) -> String {
        let mark = if balance.is_negative() { 'D' } else { 'C' };
        format!("{mark}{}CNY{}", short(self.day), comma(absolute(balance)))
    }

    /// As CSV for the mapping `corporate-ebank`.
    pub(super) fn csv(&self) -> String {
        let mut out = format!("账号:{ACCOUNT},,,,,,,,\n查询时间:{0}至{0},,,,,,,,\n", self.day);
        writeln!(out, "期初余额,{},,,,,,,", self.opening).unwrap();
        out.push_str("记账日期,起息日期,借方发生额,贷方发生额,余额,交易流水号,客户参考号,摘要,备注\n");
        let mut balance = self.opening;
        for movement in &self.movements {
            let (signed, cells) = movement.columns();
            balance = Money::from_fen(balance.fen() + signed).unwrap();
            writeln!(
                out,
                "{},{},{cells},{balance},{},{},\"{}\",",
                movement.booked,
                movement.valued,
                movement.bank_reference,
                movement.reference.as_ref().map_or("", Reference::as_str),
                movement.text
            )
            .unwrap();
        }
        writeln!(out, "期末余额,,,,{},,,,", self.closing()).unwrap();
        out
    }
}

impl Movement {
    fn camt(&self, version_8: bool) -> String {
        let status = if version_8 { "<Cd>BOOK</Cd>" } else { "BOOK" };
        let mark = match self.direction {
            Direction::Debit => "DBIT",
            Direction::Credit => "CRDT",
        };
        let reference = self.reference.as_ref().map_or("NOTPROVIDED", Reference::as_str);
        format!(
            "<Ntry><Amt Ccy=\"CNY\">{}</Amt><CdtDbtInd>{mark}</CdtDbtInd><RvslInd>{}</RvslInd><Sts>{status}</Sts>\
             <BookgDt><Dt>{}</Dt></BookgDt><ValDt><Dt>{}</Dt></ValDt><AcctSvcrRef>{}</AcctSvcrRef>\
             <NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>\
             <RmtInf><Ustrd>{}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n",
            self.amount, self.reversal, self.booked, self.valued, self.bank_reference, self.text
        )
    }

    fn mt940(&self) -> String {
        let mark = match (self.direction, self.reversal) {
            (Direction::Debit, false) => "D",
            (Direction::Credit, false) => "C",
            (Direction::Debit, true) => "RC",
            (Direction::Credit, true) => "RD",
        };
        let entered = format!("{:02}{:02}", u8::from(self.booked.month()), self.booked.day());
        format!(
            ":61:{}{entered}{mark}{}NTRF{}//{}\n:86:{}\n",
            short(self.valued),
            comma(self.amount),
            self.reference.as_ref().map_or("NONREF", Reference::as_str),
            self.bank_reference,
            self.text
        )
    }

    /// What it adds to the balance, and the columns of debits and credits: what takes back another is below zero in
    /// the other's column.
    fn columns(&self) -> (i64, String) {
        let amount = self.amount;
        match (self.direction, self.reversal) {
            (Direction::Debit, false) => (-amount.fen(), format!("{amount},")),
            (Direction::Credit, false) => (amount.fen(), format!(",{amount}")),
            (Direction::Debit, true) => (-amount.fen(), format!(",-{amount}")),
            (Direction::Credit, true) => (amount.fen(), format!("-{amount},")),
        }
    }
}

fn absolute(amount: Money) -> Money {
    Money::from_fen(amount.fen().abs()).unwrap()
}

fn comma(amount: Money) -> String {
    amount.to_string().replace('.', ",")
}

fn short(day: Date) -> String {
    format!(
        "{:02}{:02}{:02}",
        day.year() % 100,
        u8::from(day.month()),
        day.day()
    )
}
