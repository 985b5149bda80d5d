//! ISO 20022 `pain.002.001.10` (CustomerPaymentStatusReportV10): a bank's report on an order to pay out.
//!
//! Elements that are not needed are passed over.

use super::{Gathered, MAX_CODE, MAX_REASON, MAX_TRANSACTION, amount, text};
use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::payment::{BankResults, Outcome, PaymentResult};
use crate::payment::dates::day;
use crate::payment::xml::{Elements, Step};
use crate::tabular;
use std::collections::HashSet;

/// The namespace of the message.
pub const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10";

/// What the codes of ExternalPaymentTransactionStatus1Code mean here: settled, failed, pending.
///
/// Codes that leave open where the money is, such as `BLCK`, are not among them and so refused: a person
/// has to look. A group or a block may also be `PART`, which says nothing of any payment.
pub const STATUSES: [(&str, &[&str]); 3] = [
    ("settled", &["ACSC", "ACCC"]),
    ("failed", &["RJCT", "CANC"]),
    (
        "pending",
        &[
            "RCVD", "PDNG", "ACTC", "PATC", "ACCP", "ACSP", "ACWC", "ACFC", "ACWP",
        ],
    ),
];
/// Parts of a group or a block differ.
const PARTS_DIFFER: &str = "PART";

/// The message, and the elements in it that say something.
const GROUP_HEADER: &str = "/Document/CstmrPmtStsRpt/GrpHdr";
const GROUP: &str = "/Document/CstmrPmtStsRpt/OrgnlGrpInfAndSts";
const BLOCK: &str = "/Document/CstmrPmtStsRpt/OrgnlPmtInfAndSts";
const PAYMENT: &str = "/Document/CstmrPmtStsRpt/OrgnlPmtInfAndSts/TxInfAndSts";
const ORDER: &str = "pain.001.001.";
/// Longest identification, in characters: `Max35Text`.
const MAX_ID: usize = 35;
const CURRENCY: &str = "CNY";

/// Whether a file begins as XML does.
pub(super) fn is_xml(bytes: &[u8]) -> bool {
    bytes
        .iter()
        // Past byte order marks, and past the zeros of UTF-16.
        .filter(|byte| !matches!(byte, 0 | 0xef | 0xbb | 0xbf | 0xfe | 0xff))
        .find(|byte| !byte.is_ascii_whitespace())
        == Some(&b'<')
}

/// Reads a report.
pub(super) fn read(bytes: &[u8]) -> Result<BankResults, Vec<Violation>> {
    let source = tabular::text(bytes).map_err(|violation| vec![violation])?;
    let mut elements = Elements::new(source.as_bytes(), &[NAMESPACE], "SplmtryData");
    let mut report = Report::default();
    loop {
        match elements.step() {
            Ok(Some(Step::Open(currency))) => report.open(&elements, currency),
            Ok(Some(Step::Close(text))) => report.close(&elements, text),
            Ok(None) => return report.finish(),
            Err(violation) => {
                report.gathered.faults.add(|| violation);
                return report.gathered.finish().map(|_| BankResults::default());
            }
        }
    }
}

/// What is said of a batch, a block or a payment.
#[derive(Default)]
struct Said {
    line: u32,
    id: Option<String>,
    status: Option<String>,
    code: Option<String>,
    reason: String,
    settled: Option<String>,
    accepted: Option<String>,
    at_bank: Option<String>,
    in_clearing: Option<String>,
    amount: Option<String>,
    currency: Option<String>,
}

impl Said {
    fn element(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "/OrgnlMsgId" | "/OrgnlPmtInfId" | "/OrgnlEndToEndId" => &mut self.id,
            "/GrpSts" | "/PmtInfSts" | "/TxSts" => &mut self.status,
            "/AccptncDtTm" => &mut self.accepted,
            "/OrgnlTxRef/IntrBkSttlmDt" => &mut self.settled,
            "/AcctSvcrRef" => &mut self.at_bank,
            "/ClrSysRef" => &mut self.in_clearing,
            "/OrgnlTxRef/Amt/InstdAmt" => &mut self.amount,
            _ => return None,
        })
    }
}

#[derive(Default)]
struct Report {
    created: Option<String>,
    order: Option<String>,
    batch: Option<String>,
    group: Said,
    block: Said,
    payment: Said,
    whole: Option<Outcome>,
    blocks: Vec<(String, Outcome)>,
    block_ids: HashSet<String>,
    statuses: usize,
    gathered: Gathered,
}

impl Report {
    fn open(&mut self, elements: &Elements<&[u8]>, currency: Option<String>) {
        let line = elements.line();
        let begun = || Said {
            line,
            ..Said::default()
        };
        match elements.path() {
            GROUP => self.group = begun(),
            BLOCK => self.block = begun(),
            PAYMENT => self.payment = begun(),
            path if path.strip_prefix(PAYMENT) == Some("/OrgnlTxRef/Amt/InstdAmt") => {
                self.payment.currency = currency;
            }
            _ => {}
        }
    }

    fn close(&mut self, elements: &Elements<&[u8]>, text: String) {
        let (path, line) = (elements.path(), elements.line());
        match path {
            GROUP => self.end_group(),
            BLOCK => self.end_block(),
            PAYMENT => self.end_payment(),
            _ => {
                if let Some(name) = path.strip_prefix(PAYMENT) {
                    note(&mut self.payment, name, line, text, &mut self.gathered);
                } else if let Some(name) = path.strip_prefix(BLOCK) {
                    note(&mut self.block, name, line, text, &mut self.gathered);
                } else if path.strip_prefix(GROUP) == Some("/OrgnlMsgNmId") {
                    self.order = Some(text);
                } else if let Some(name) = path.strip_prefix(GROUP) {
                    note(&mut self.group, name, line, text, &mut self.gathered);
                } else if path.strip_prefix(GROUP_HEADER) == Some("/CreDtTm") {
                    self.created = Some(text);
                }
            }
        }
    }

    fn end_group(&mut self) {
        let said = std::mem::take(&mut self.group);
        let line = said.line;
        let order = self.order.take().unwrap_or_default();
        if !order.starts_with(ORDER) {
            self.gathered.faults.add(|| {
                Violation::new(
                    format!("line {line}, OrgnlMsgNmId"),
                    order,
                    format!("a report on a {ORDER}… message"),
                    format!("针对 {ORDER}… 报文的回执"),
                )
            });
        }
        let batch = self.identification(&said, "OrgnlMsgId");
        if let Some(first) = &self.batch {
            self.gathered.faults.add(|| again(line, "OrgnlMsgId", first));
        }
        self.batch = batch;
        if said
            .status
            .as_deref()
            .is_some_and(|status| status != PARTS_DIFFER)
        {
            self.whole = self.outcome(&said, "GrpSts");
        }
        self.statuses += usize::from(said.status.is_some());
    }

    fn end_block(&mut self) {
        let said = std::mem::take(&mut self.block);
        self.statuses += usize::from(said.status.is_some());
        let Some(id) = self.identification(&said, "OrgnlPmtInfId") else {
            return;
        };
        if !self.block_ids.insert(id.clone()) {
            self.gathered
                .faults
                .add(|| again(said.line, "OrgnlPmtInfId", &id));
        }
        if said
            .status
            .as_deref()
            .is_some_and(|status| status != PARTS_DIFFER)
            && let Some(outcome) = self.outcome(&said, "PmtInfSts")
        {
            self.blocks.push((id, outcome));
        }
    }

    fn end_payment(&mut self) {
        let said = std::mem::take(&mut self.payment);
        let line = said.line;
        self.statuses += 1;
        let field = format!("line {line}, OrgnlEndToEndId");
        let reference = self
            .gathered
            .reference(line, field, said.id.as_deref().unwrap_or_default());
        let amount = self.amount(&said);
        let outcome = self.outcome(&said, "TxSts");
        if let (Some(reference), Some(amount), Some(outcome)) = (reference, amount, outcome) {
            self.gathered.payments.push(PaymentResult {
                line,
                reference,
                amount,
                outcome,
            });
        }
    }

    /// The identification of a batch or a block, which the schema requires.
    fn identification(&mut self, said: &Said, name: &str) -> Option<String> {
        let field = format!("line {}, {name}", said.line);
        let id = text(field.clone(), said.id.as_deref().unwrap_or_default(), MAX_ID);
        let id = self.gathered.faults.keep(id)?;
        if id.is_none() {
            self.gathered.faults.add(|| {
                Violation::new(
                    field,
                    "",
                    "the identification that the order has",
                    "须注明原报文的标识",
                )
            });
        }
        id
    }

    fn amount(&mut self, said: &Said) -> Option<Option<Money>> {
        let Some(text) = &said.amount else {
            return Some(None);
        };
        let field = format!("line {}, InstdAmt", said.line);
        let currency = said.currency.as_deref().unwrap_or_default();
        if currency != CURRENCY {
            self.gathered
                .faults
                .add(|| Violation::new(field, currency, CURRENCY, "币种须为人民币 CNY"));
            return None;
        }
        self.gathered.faults.keep(amount(&field, text)).map(Some)
    }

    fn outcome(&mut self, said: &Said, name: &str) -> Option<Outcome> {
        let field = |name: &str| format!("line {}, {name}", said.line);
        let status = said.status.as_deref().unwrap_or_default();
        let known = STATUSES.iter().find(|(_, codes)| codes.contains(&status));
        let faults = &mut self.gathered.faults;
        match known.map(|(meaning, _)| *meaning) {
            Some("settled") => {
                let (name, settled) = [
                    ("IntrBkSttlmDt", &said.settled),
                    ("AccptncDtTm", &said.accepted),
                    ("GrpHdr/CreDtTm", &self.created),
                ]
                .into_iter()
                .find_map(|(name, day)| Some((name, day.as_deref()?)))
                .unwrap_or(("GrpHdr/CreDtTm", ""));
                let on = faults.keep(day(field(name), settled));
                let number = said.at_bank.as_ref().or(said.in_clearing.as_ref());
                let number = number.map_or("", String::as_str);
                let transaction = faults.keep(text(field("AcctSvcrRef"), number, MAX_TRANSACTION));
                Some(Outcome::Settled {
                    on: on?,
                    transaction: transaction?,
                })
            }
            Some("failed") => {
                let code = said.code.as_deref().unwrap_or(status);
                let code = faults.keep(text(field("StsRsnInf/Rsn"), code, MAX_CODE));
                let reason = faults.keep(text(field("StsRsnInf/AddtlInf"), &said.reason, MAX_REASON));
                Some(Outcome::Failed {
                    code: code?,
                    text: reason?,
                })
            }
            Some(_) => Some(Outcome::Pending),
            None => {
                let codes: Vec<&str> = STATUSES
                    .iter()
                    .flat_map(|(_, codes)| codes.iter().copied())
                    .collect();
                faults.add(|| {
                    Violation::new(
                        field(name),
                        status,
                        format!("one of {}", codes.join(", ")),
                        format!("下列之一:{}", codes.join("、")),
                    )
                });
                None
            }
        }
    }

    fn finish(mut self) -> Result<BankResults, Vec<Violation>> {
        if self.statuses == 0 {
            self.gathered.faults.add(|| {
                Violation::new(
                    "file",
                    "no status",
                    "a status of the batch, of a block or of a payment",
                    "批次、付款组或单笔付款的状态",
                )
            });
        }
        if self.batch.is_none() {
            self.gathered.faults.add(|| {
                Violation::new(
                    "file",
                    "no OrgnlGrpInfAndSts",
                    "a report that names the order it is about",
                    "须注明所针对的原报文",
                )
            });
        }
        Ok(BankResults {
            payments: self.gathered.finish()?,
            batch: self.batch,
            whole: self.whole,
            blocks: self.blocks,
        })
    }
}

/// Keeps the text of an element that says something; none may be there twice.
fn note(said: &mut Said, name: &str, line: u32, text: String, gathered: &mut Gathered) {
    match name {
        // A bank may give several reasons: the first one's code, and all words.
        "/StsRsnInf/Rsn/Cd" | "/StsRsnInf/Rsn/Prtry" => {
            said.code.get_or_insert(text);
        }
        "/StsRsnInf/AddtlInf" => {
            if !said.reason.is_empty() {
                said.reason.push(' ');
            }
            said.reason.push_str(&text);
        }
        _ => {
            if let Some(slot) = said.element(name)
                && slot.replace(text).is_some()
            {
                let name = name.trim_start_matches('/');
                gathered.faults.add(|| again(line, name, name));
            }
        }
    }
}

fn again(line: u32, name: &str, what: &str) -> Violation {
    Violation::new(
        format!("line {line}, {name}"),
        format!("{what} again"),
        "each once",
        "不得重复",
    )
}
