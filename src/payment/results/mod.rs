//! What a bank sends back: ISO 20022 `pain.002.001.10`, or a table as CSV or XLSX.
//!
//! A file is taken whole or not at all; every fault is reported with its line. What is personal in a
//! file (names, account numbers, the bank's free text) is in no fault.

mod pain002;
mod table;

use crate::domain::error::{Faults, Violation};
use crate::domain::money::Money;
use crate::domain::payment::{BankResults, PaymentResult, Reference};
use std::collections::HashMap;

pub use pain002::{NAMESPACE, STATUSES};
pub use table::WORDS;

/// Most faults reported in full.
pub const MAX_FAULTS: usize = 10_000;
/// Longest code for a reason, in characters: `Max35Text`.
const MAX_CODE: usize = 35;
/// Longest reason in words, in characters.
const MAX_REASON: usize = 1000;
/// Longest number of a transaction at a bank, in characters.
const MAX_TRANSACTION: usize = 64;

/// Reads a bank's result file; which format it has is told by its first character.
pub fn read(file_name: &str, bytes: &[u8]) -> Result<BankResults, Vec<Violation>> {
    if pain002::is_xml(bytes) {
        pain002::read(bytes)
    } else {
        table::read(file_name, bytes)
    }
}

/// The payments so far, none of them twice, and all faults so far.
struct Gathered {
    faults: Faults,
    lines: HashMap<Reference, u32>,
    payments: Vec<PaymentResult>,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            faults: Faults::up_to(MAX_FAULTS),
            lines: HashMap::new(),
            payments: Vec::new(),
        }
    }
}

impl Gathered {
    /// Reads the reference of a payment that no line before was about.
    fn reference(&mut self, line: u32, field: String, text: &str) -> Option<Reference> {
        let reference = self.faults.keep(reference(field.clone(), text))?;
        if let Some(first) = self.lines.insert(reference.clone(), line) {
            self.faults.add(|| {
                Violation::new(
                    field,
                    format!("{reference} again"),
                    format!("each reference once; the first is on line {first}"),
                    format!("参考号不得重复,第一次出现在第 {first} 行"),
                )
            });
        }
        Some(reference)
    }

    /// Everything read, or every fault.
    fn finish(self) -> Result<Vec<PaymentResult>, Vec<Violation>> {
        self.faults.finish()?;
        Ok(self.payments)
    }
}

/// Reads a reference; a text that does not look like one may be personal and is not repeated.
fn reference(field: String, text: &str) -> Result<Reference, Violation> {
    Reference::parse(field, text).map_err(|mut violation| {
        if !text.starts_with("RF") || !text.is_ascii() {
            violation.found = if text.is_empty() {
                "(empty)".to_owned()
            } else {
                format!("{} characters that do not begin with RF", text.chars().count())
            };
        }
        violation
    })
}

/// Reads an amount that was paid or to be paid: above zero.
fn amount(field: &str, text: &str) -> Result<Money, Violation> {
    let amount = Money::parse(field, text)?;
    if amount > Money::ZERO {
        return Ok(amount);
    }
    Err(Violation::new(
        field,
        text,
        "an amount above zero",
        "大于零的金额",
    ))
}

/// A text of the bank's, or nothing; longer ones are refused, and control characters.
fn text(field: String, text: &str, most: usize) -> Result<Option<String>, Violation> {
    let length = text.chars().count();
    if length > most || text.chars().any(char::is_control) {
        return Err(Violation::new(
            field,
            format!("{length} characters"),
            format!("at most {most} characters, no control characters"),
            format!("至多 {most} 个字符,不含控制字符"),
        ));
    }
    Ok((length > 0).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests;
