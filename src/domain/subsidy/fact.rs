//! Facts: what a claim states, of which kind, in which bounds, and how values are read and shown.

use super::band::Range;
use super::checker::{Checker, Label};
use super::document::FactText;
use super::{format_date, parse_date};
use crate::domain::error::{Bilingual, Violation};
use crate::domain::money::Money;
use crate::domain::statistics::{half_width, parse_decimal};
use rust_decimal::Decimal;
use std::collections::HashSet;
use time::Date;

/// What kind of thing a fact is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactKind {
    /// Yuan with two decimals, zero or more.
    Money,
    /// An exact decimal with at most so many places.
    Number(u32),
    /// A whole number, zero or more.
    Count,
    /// A day.
    Date,
    /// Yes or no.
    Bool,
    /// One of a list.
    Code(Vec<Label>),
}

impl FactKind {
    /// Whether amounts can be computed from it.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Money | Self::Number(_) | Self::Count)
    }

    /// The code of the kind.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Money => "money",
            Self::Number(_) => "number",
            Self::Count => "count",
            Self::Date => "date",
            Self::Bool => "bool",
            Self::Code(_) => "code",
        }
    }
}

/// The value of a fact. Values of one fact are of one variant, and order as one would expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactValue {
    /// Money (in yuan), number or count.
    Number(Decimal),
    /// A day.
    Date(Date),
    /// Yes or no.
    Bool(bool),
    /// Position in the list of options.
    Code(usize),
}

/// A fact that a claim states.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Code and names.
    pub label: Label,
    /// Its unit; may be empty.
    pub unit: Bilingual,
    /// What kind of thing it is.
    pub kind: FactKind,
    /// Whether a claim must state it.
    pub required: bool,
    /// What values are allowed.
    pub range: Range,
}

impl Fact {
    /// Reads a value, without regard to the range: policies compare with values that no claim may have.
    pub fn read(&self, field: &str, text: &str) -> Result<FactValue, Violation> {
        let text = half_width(text.trim());
        match &self.kind {
            FactKind::Money => Money::parse(field, &text).and_then(|money| {
                if money.is_negative() {
                    return Err(Violation::new(field, &text, "zero or more", "不小于零"));
                }
                Ok(FactValue::Number(Decimal::new(money.fen(), 2)))
            }),
            FactKind::Number(decimals) => parse_decimal(field, &text).and_then(|value| {
                if value.scale() > *decimals {
                    return Err(Violation::new(
                        field,
                        &text,
                        format!("at most {decimals} decimals"),
                        format!("至多 {decimals} 位小数"),
                    ));
                }
                Ok(FactValue::Number(value))
            }),
            FactKind::Count => {
                let plain = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
                let value: Option<i64> = text.parse().ok().filter(|_| plain);
                value
                    .map(|value| FactValue::Number(Decimal::from(value)))
                    .ok_or_else(|| {
                        Violation::new(
                            field,
                            &text,
                            "a whole number from 0 to 999999999",
                            "0 至 999999999 的整数",
                        )
                    })
            }
            FactKind::Date => parse_date(field, &text).map(FactValue::Date),
            FactKind::Bool => match text.as_str() {
                "true" | "是" => Ok(FactValue::Bool(true)),
                "false" | "否" => Ok(FactValue::Bool(false)),
                _ => Err(Violation::new(
                    field,
                    &text,
                    "true or false (是, 否)",
                    "是或否(true、false)",
                )),
            },
            FactKind::Code(options) => options
                .iter()
                .position(|option| option.code == text || option.zh == text)
                .map(FactValue::Code)
                .ok_or_else(|| {
                    let codes: Vec<&str> = options.iter().map(|option| option.code.as_str()).collect();
                    let names: Vec<String> = options
                        .iter()
                        .map(|option| format!("{}({})", option.code, option.zh))
                        .collect();
                    Violation::new(
                        field,
                        &text,
                        format!("one of {}", codes.join(", ")),
                        format!("下列之一:{}", names.join("、")),
                    )
                }),
        }
    }

    /// Reads a value that a claim states.
    pub fn read_allowed(&self, field: &str, text: &str) -> Result<FactValue, Violation> {
        let value = self.read(field, text)?;
        if self.range.contains(&value) {
            return Ok(value);
        }
        let demand = self.range.demand(self);
        Err(Violation::new(
            field,
            self.canonical(&value),
            demand.en,
            demand.zh,
        ))
    }

    /// The one text of a value, as it is stored.
    pub fn canonical(&self, value: &FactValue) -> String {
        match value {
            FactValue::Number(value) => value.to_string(),
            FactValue::Date(date) => format_date(*date),
            FactValue::Bool(value) => value.to_string(),
            FactValue::Code(at) => match &self.kind {
                FactKind::Code(options) => options.get(*at).map(|option| option.code.clone()),
                _ => None,
            }
            .unwrap_or_default(),
        }
    }

    /// A value as people read it, with its unit.
    pub fn show(&self, value: &FactValue) -> Bilingual {
        match value {
            FactValue::Number(_) => {
                let text = self.canonical(value);
                let with = |unit: &str, gap: &str| {
                    if unit.is_empty() {
                        text.clone()
                    } else {
                        format!("{text}{gap}{unit}")
                    }
                };
                Bilingual::new(with(&self.unit.en, " "), with(&self.unit.zh, " "))
            }
            FactValue::Date(date) => Bilingual::new(format_date(*date), format_date(*date)),
            FactValue::Bool(true) => Bilingual::new("yes", "是"),
            FactValue::Bool(false) => Bilingual::new("no", "否"),
            FactValue::Code(at) => match &self.kind {
                FactKind::Code(options) => options
                    .get(*at)
                    .map(|option| Bilingual::new(option.en.clone(), option.zh.clone())),
                _ => None,
            }
            .unwrap_or_else(|| Bilingual::new("", "")),
        }
    }
}

pub(super) fn check_fact(
    checker: &mut Checker,
    seen: &mut HashSet<String>,
    field: &str,
    text: &FactText,
) -> Option<Fact> {
    let before = checker.violations.len();
    let label = checker.label(field, seen, ("code", &text.code), (&text.name_zh, &text.name_en));
    checker.remark(&format!("{field}.unit_zh"), &text.unit_zh);
    checker.remark(&format!("{field}.unit_en"), &text.unit_en);
    checker.count(&format!("{field}.options"), text.options.len(), 0);
    let decimals = match text.decimals.0.as_str() {
        "" => 2,
        digits => match digits.parse::<u32>() {
            Ok(decimals) if decimals <= 6 => decimals,
            _ => {
                checker.refuse(
                    format!("{field}.decimals"),
                    digits,
                    "a whole number from 0 to 6",
                    "0 至 6 的整数",
                );
                return None;
            }
        },
    };
    let mut codes = HashSet::new();
    let options: Vec<Label> = text
        .options
        .iter()
        .enumerate()
        .map(|(at, option)| {
            checker.label(
                &format!("{field}.options[{at}]"),
                &mut codes,
                ("code", &option.code),
                (&option.name_zh, &option.name_en),
            )
        })
        .collect();
    let kind = match text.kind.as_str() {
        "money" => FactKind::Money,
        "number" => FactKind::Number(decimals),
        "count" => FactKind::Count,
        "date" => FactKind::Date,
        "bool" => FactKind::Bool,
        "code" => FactKind::Code(options),
        other => {
            checker.refuse(
                format!("{field}.kind"),
                other,
                "one of money, number, count, date, bool, code",
                "下列之一:money、number、count、date、bool、code",
            );
            return None;
        }
    };
    if matches!(kind, FactKind::Code(_)) == text.options.is_empty() {
        checker.refuse(
            format!("{field}.options"),
            text.options.len().to_string(),
            "options for the kind code, and for no other",
            "类型为 code 时须列出选项,其他类型不得列出",
        );
    }
    let unit = match kind {
        FactKind::Money if text.unit_zh.is_empty() => Bilingual::new("yuan", "元"),
        _ => Bilingual::new(text.unit_en.clone(), text.unit_zh.clone()),
    };
    let mut fact = Fact {
        label,
        unit,
        kind,
        required: !text.optional,
        range: Range::default(),
    };
    fact.range = Range::check(
        checker,
        field,
        &fact,
        [&text.at_least, &text.above, &text.at_most, &text.below],
    )?;
    (checker.violations.len() == before).then_some(fact)
}
