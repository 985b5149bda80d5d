//! Subsidies: what is subsidised (programmes), under which rule (policies), and what a claim is worth
//! (assessment). Programmes, policies and the law's deed-tax rates are data; nothing in the program
//! knows a particular one.
//!
//! - [`mod@document`]: the texts, as written, exchanged and stored; their digests.
//! - [`mod@programme`]: from a programme's text to its checked form: facts, their bounds, what is once only.
//! - [`mod@fact`]: what a fact is: its kind, bounds, how values are read and shown.
//! - [`mod@facts`]: the facts of a claim, read against a programme.
//! - [`mod@condition`]: conditions over facts, and the sentence that says why one holds or not.
//! - [`mod@policy`]: from a policy's text to its checked form.
//! - [`mod@law`]: the law's own deed-tax rates by date, home and area.
//! - [`mod@assess`]: a claim's entitlement with its derivation.
//! - [`mod@precise`]: exact decimals of any length.

mod amounts;
pub mod assess;
pub mod assessment;
pub mod band;
pub mod benefit;
mod checker;
pub mod condition;
pub mod document;
pub mod fact;
pub mod facts;
pub mod law;
pub mod policy;
pub mod precise;
pub mod programme;
#[cfg(test)]
mod tests;

pub use assess::assess;
pub use assessment::{Assessment, Detail};
pub use document::{DeedTaxLawDocument, PolicyDocument, ProgrammeDocument};
pub use facts::Facts;
pub use law::DeedTaxLaw;
pub use policy::CheckedPolicy;
pub use programme::CheckedProgramme;

use super::digest::Digest;
use super::error::Violation;
use super::statistics::code_type;
use serde::{Deserialize, Serialize};
use std::fmt;
use time::{Date, Month};

code_type!(
    /// The code of a programme, such as `housing-purchase`.
    ProgrammeCode,
    |byte| byte.is_ascii_lowercase(),
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-',
    "1 to 63 characters a-z, 0-9 and hyphen, beginning with a letter",
    "1 至 63 个字符,仅限 a-z、0-9 和连字符,以字母开头"
);
code_type!(
    /// The id of a policy, such as `yuzhou-housing-purchase-2024`; its revisions share it.
    PolicyId,
    |byte| byte.is_ascii_lowercase(),
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-',
    "1 to 63 characters a-z, 0-9 and hyphen, beginning with a letter",
    "1 至 63 个字符,仅限 a-z、0-9 和连字符,以字母开头"
);
code_type!(
    /// A code within a document: of a fact, an option, a clause, a benefit, a cap, a kind of document.
    ItemCode,
    |byte| byte.is_ascii_lowercase(),
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_',
    "1 to 63 characters a-z, 0-9 and underscore, beginning with a letter",
    "1 至 63 个字符,仅限 a-z、0-9 和下划线,以字母开头"
);

/// One revision of a policy, pinned by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PolicyRef {
    /// The policy.
    pub id: PolicyId,
    /// Counted from 1; 0 for one that is not stored.
    pub revision: u32,
    /// Digest of the document.
    pub digest: Digest,
}

/// One revision of a programme, pinned by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProgrammeRef {
    /// The programme.
    pub code: ProgrammeCode,
    /// Counted from 1; 0 for one that is not stored.
    pub revision: u32,
    /// Digest of the document.
    pub digest: Digest,
}

/// Reads `YYYY-MM-DD`, a day of the years 1900 to 2200.
pub fn parse_date(field: &str, text: &str) -> Result<Date, Violation> {
    let refused = || {
        Violation::new(
            field,
            text,
            "a day of the years 1900 to 2200 written YYYY-MM-DD",
            "1900 至 2200 年之间的日期,格式为 YYYY-MM-DD",
        )
    };
    let bytes = text.as_bytes();
    let shape = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return Err(refused());
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u16>().ok();
    let day = |at: usize| number(at, at + 2).and_then(|value| u8::try_from(value).ok());
    number(0, 4)
        .filter(|year| (1900..=2200).contains(year))
        .zip(day(5).and_then(|month| Month::try_from(month).ok()))
        .zip(day(8))
        .and_then(|((year, month), day)| Date::from_calendar_date(i32::from(year), month, day).ok())
        .ok_or_else(refused)
}

/// Writes `YYYY-MM-DD`.
pub fn format_date(date: Date) -> String {
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    // Written for every line of a statement.
    match u16::try_from(year) {
        Ok(year @ 0..=9_999) => {
            let digit = |number: u16| char::from(b'0' + (number % 10) as u8);
            let (month, day) = (u16::from(month), u16::from(day));
            [
                digit(year / 1_000),
                digit(year / 100),
                digit(year / 10),
                digit(year),
                '-',
                digit(month / 10),
                digit(month),
                '-',
                digit(day / 10),
                digit(day),
            ]
            .into_iter()
            .collect()
        }
        _ => format!("{year:04}-{month:02}-{day:02}"),
    }
}
