//! What the checks of all documents share: every fault is found and named before any is refused.

use super::document::{AmountRoundingText, SourceText};
use super::precise::Direction;
use super::{ItemCode, parse_date};
use crate::domain::error::Violation;
use crate::domain::money::RoundingUnit;
use crate::domain::statistics::parse_decimal;
use rust_decimal::Decimal;
use std::collections::HashSet;
use time::Date;

/// Most items in any list of a document.
pub(super) const MAX_ITEMS: usize = 100;

/// Longest sentence or name, in characters.
const MAX_TEXT: usize = 1_000;

/// A code with its names.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Label {
    /// The code.
    pub code: String,
    /// Chinese name; the code where none is given.
    pub zh: String,
    /// English name; the code where none is given.
    pub en: String,
}

#[derive(Debug, Default)]
pub(super) struct Checker {
    pub(super) violations: Vec<Violation>,
}

impl Checker {
    pub(super) fn refuse(
        &mut self,
        field: impl Into<String>,
        found: impl AsRef<str>,
        en: impl Into<String>,
        zh: impl Into<String>,
    ) {
        self.violations.push(Violation::new(field, found, en, zh));
    }

    pub(super) fn keep<T>(&mut self, result: Result<T, Violation>) -> Option<T> {
        result.map_err(|violation| self.violations.push(violation)).ok()
    }

    /// A sentence or name that must be there.
    pub(super) fn text(&mut self, field: &str, text: &str) {
        if text.trim().is_empty() {
            self.refuse(
                field,
                text,
                format!("1 to {MAX_TEXT} characters"),
                format!("1 至 {MAX_TEXT} 个字符"),
            );
        } else {
            self.remark(field, text);
        }
    }

    /// A sentence that may be missing.
    pub(super) fn remark(&mut self, field: &str, text: &str) {
        if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
            self.refuse(
                field,
                text,
                format!("at most {MAX_TEXT} characters, no control characters"),
                format!("至多 {MAX_TEXT} 个字符,不含控制字符"),
            );
        }
    }

    pub(super) fn source(&mut self, field: &str, source: &SourceText) {
        self.text(&format!("{field}.document"), &source.document);
        self.remark(&format!("{field}.clause"), &source.clause);
        self.remark(&format!("{field}.url"), &source.url);
        self.remark(&format!("{field}.illustrative"), &source.illustrative);
    }

    /// A list that is not too long; `least` is 0 or 1.
    pub(super) fn count(&mut self, field: &str, length: usize, least: usize) {
        if length < least || length > MAX_ITEMS {
            self.refuse(
                field,
                length.to_string(),
                format!("{least} to {MAX_ITEMS} items"),
                format!("{least} 至 {MAX_ITEMS} 项"),
            );
        }
    }

    /// A code with names; the same code must not come twice among `seen`.
    pub(super) fn label(
        &mut self,
        field: &str,
        seen: &mut HashSet<String>,
        (key, code): (&str, &str),
        names: (&str, &str),
    ) -> Label {
        self.code(&format!("{field}.{key}"), seen, code);
        self.remark(&format!("{field}.name_zh"), names.0);
        self.remark(&format!("{field}.name_en"), names.1);
        let or_code = |name: &str| if name.is_empty() { code } else { name }.to_owned();
        Label {
            code: code.to_owned(),
            zh: or_code(names.0),
            en: or_code(names.1),
        }
    }

    /// A code that does not come twice among `seen`.
    pub(super) fn code(&mut self, field: &str, seen: &mut HashSet<String>, code: &str) {
        self.keep(ItemCode::parse(field, code));
        if !seen.insert(code.to_owned()) {
            self.refuse(
                field,
                format!("{code} again"),
                "each code once",
                "同一代码只能出现一次",
            );
        }
    }

    /// One of the named choices.
    pub(super) fn choice<T: Copy>(
        &mut self,
        field: &str,
        found: &str,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let chosen = choices.iter().find(|(name, _)| *name == found);
        if chosen.is_none() {
            let names: Vec<&str> = choices
                .iter()
                .map(|(name, _)| *name)
                .filter(|name| !name.is_empty())
                .collect();
            self.refuse(
                field,
                found,
                format!("one of {}", names.join(", ")),
                format!("下列之一:{}", names.join("、")),
            );
        }
        chosen.map(|(_, choice)| *choice)
    }

    /// A decimal of zero or more with at most four places.
    pub(super) fn decimal(&mut self, field: &str, text: &str) -> Option<Decimal> {
        let value = self.keep(parse_decimal(field, text))?;
        if value < Decimal::ZERO || value.scale() > 4 {
            self.refuse(
                field,
                text,
                "zero or more, at most four decimals",
                "不小于零,至多四位小数",
            );
            return None;
        }
        Some(value)
    }

    /// A percentage from 0 to 100.
    pub(super) fn percent(&mut self, field: &str, text: &str) -> Option<Decimal> {
        let value = self.decimal(field, text)?;
        if value > Decimal::ONE_HUNDRED {
            self.refuse(field, text, "a percentage from 0 to 100", "0 至 100 的百分比");
            return None;
        }
        Some(value)
    }

    /// First and last day of a period; the last may be open.
    pub(super) fn period(&mut self, prefix: &str, from: &str, to: &str) -> Option<(Date, Option<Date>)> {
        let first = self.keep(parse_date(&format!("{prefix}valid_from"), from));
        let field = format!("{prefix}valid_to");
        let last = match to {
            "" => None,
            to => Some(self.keep(parse_date(&field, to))?),
        };
        let first = first?;
        if last.is_some_and(|last| last < first) {
            self.refuse(
                field,
                to,
                format!("{from} or later, or nothing"),
                format!("不早于 {from},或为空"),
            );
            return None;
        }
        Some((first, last))
    }

    pub(super) fn rounding(
        &mut self,
        field: &str,
        text: &AmountRoundingText,
    ) -> Option<(RoundingUnit, Direction)> {
        let unit = match text.unit.as_str() {
            "" => Some(RoundingUnit::default()),
            code => self.keep(RoundingUnit::parse(&format!("{field}.unit"), code)),
        };
        let [down, half_up, up] = Direction::ALL.map(|(direction, code, ..)| (code, direction));
        let direction = self.choice(
            &format!("{field}.direction"),
            &text.direction,
            &[("", Direction::Down), down, half_up, up],
        );
        unit.zip(direction)
    }

    pub(super) fn finish(self) -> Result<(), Vec<Violation>> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(self.violations)
        }
    }
}
