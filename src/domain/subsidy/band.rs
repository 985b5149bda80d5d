//! Ranges of a fact's values, with ends that say which side they are on, and bands that follow each other.

use super::checker::Checker;
use super::document::{BandText, Text};
use super::programme::{Fact, FactKind, FactValue};
use crate::domain::error::Bilingual;
use rust_decimal::Decimal;

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The value.
    pub value: FactValue,
    /// Whether the value itself is within.
    pub inclusive: bool,
}

/// A range of values; an end that is not given is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// The lower end.
    pub low: Option<End>,
    /// The upper end.
    pub high: Option<End>,
}

impl Range {
    /// Reads `at_least`, `above`, `at_most` and `below`, in this order, of a fact.
    pub(super) fn check(
        checker: &mut Checker,
        field: &str,
        fact: &Fact,
        [at_least, above, at_most, below]: [&Text; 4],
    ) -> Option<Self> {
        let ordered = fact.kind.is_numeric() || fact.kind == FactKind::Date;
        if !ordered
            && [at_least, above, at_most, below]
                .iter()
                .any(|text| !text.is_empty())
        {
            checker.refuse(
                field,
                format!(
                    "a range of {}, which is of kind {}",
                    fact.label.code,
                    fact.kind.code()
                ),
                "a range of a numeric or date fact only",
                "仅数值或日期类事项可设范围",
            );
            return None;
        }
        let mut end = |names: [&str; 2], inclusive: &Text, exclusive: &Text| {
            let (name, text, is_inclusive) = match (inclusive.is_empty(), exclusive.is_empty()) {
                (true, true) => return Some(None),
                (false, true) => (names[0], inclusive, true),
                (true, false) => (names[1], exclusive, false),
                (false, false) => {
                    checker.refuse(
                        format!("{field}.{}", names[1]),
                        &exclusive.0,
                        format!("nothing where there is {}", names[0]),
                        format!("已有 {} 时不得填写", names[0]),
                    );
                    return None;
                }
            };
            let value = checker.keep(fact.read(&format!("{field}.{name}"), &text.0))?;
            Some(Some(End {
                value,
                inclusive: is_inclusive,
            }))
        };
        let low = end(["at_least", "above"], at_least, above);
        let high = end(["at_most", "below"], at_most, below);
        let range = Self {
            low: low?,
            high: high?,
        };
        if let (Some(low), Some(high)) = (range.low, range.high)
            && (low.value > high.value || (low.value == high.value && !(low.inclusive && high.inclusive)))
        {
            checker.refuse(
                field,
                range.demand(fact).en,
                "a range that holds a value",
                "范围内须至少有一个值",
            );
            return None;
        }
        Some(range)
    }

    /// Whether a value is within.
    pub fn contains(&self, value: &FactValue) -> bool {
        self.low
            .is_none_or(|low| *value > low.value || (low.inclusive && *value == low.value))
            && self
                .high
                .is_none_or(|high| *value < high.value || (high.inclusive && *value == high.value))
    }

    /// Whether it holds every value.
    pub fn is_open(&self) -> bool {
        self.low.is_none() && self.high.is_none()
    }

    /// What it demands of a fact, in words: `at least 50 m², below 90 m²`.
    pub fn demand(&self, fact: &Fact) -> Bilingual {
        let date = fact.kind == FactKind::Date;
        let words = |end: &End, low: bool| match (date, low, end.inclusive) {
            (false, true, true) => ("at least", "不低于"),
            (false, true, false) => ("above", "高于"),
            (false, false, true) => ("at most", "不超过"),
            (false, false, false) => ("below", "低于"),
            (true, true, true) => ("from", "不早于"),
            (true, true, false) => ("after", "晚于"),
            (true, false, true) => ("up to", "不晚于"),
            (true, false, false) => ("before", "早于"),
        };
        let ends: Vec<(String, String)> = [(self.low, true), (self.high, false)]
            .into_iter()
            .filter_map(|(end, low)| end.map(|end| (end, low)))
            .map(|(end, low)| {
                let (en, zh) = words(&end, low);
                let value = fact.show(&end.value);
                (format!("{en} {}", value.en), format!("{zh} {}", value.zh))
            })
            .collect();
        if ends.is_empty() {
            return Bilingual::new("any value", "任意值");
        }
        let (en, zh): (Vec<String>, Vec<String>) = ends.into_iter().unzip();
        Bilingual::new(en.join(", "), zh.join("、"))
    }
}

/// What is paid, or levied, in a band or everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Yuan.
    Amount(Decimal),
    /// Percent.
    Percent(Decimal),
}

/// A part of the range of a fact, with what applies there.
#[derive(Debug, Clone)]
pub struct Band {
    /// The values.
    pub range: Range,
    /// The same in words.
    pub words: Bilingual,
    /// What applies.
    pub rate: Rate,
}

/// Reads bands: in rising order, each beginning exactly where the one before ends, only the first open
/// below and only the last open above.
pub(super) fn check_bands(
    checker: &mut Checker,
    field: &str,
    fact: &Fact,
    texts: &[BandText],
    percent: bool,
) -> Vec<Band> {
    checker.count(field, texts.len(), 1);
    let mut bands: Vec<Band> = Vec::with_capacity(texts.len());
    let mut before: Option<Range> = None;
    for (at, text) in texts.iter().enumerate() {
        let field = format!("{field}[{at}]");
        let rate = check_rate(checker, &field, (&text.amount, &text.percent), percent);
        let ends = [&text.at_least, &text.above, &text.at_most, &text.below];
        let Some(range) = Range::check(checker, &field, fact, ends) else {
            continue;
        };
        if let Some(before) = before {
            let meets = match (before.high, range.low) {
                (Some(high), Some(low)) => high.value == low.value && high.inclusive != low.inclusive,
                _ => false,
            };
            if !meets {
                let previous = before.demand(fact);
                checker.refuse(
                    &field,
                    range.demand(fact).en,
                    format!(
                        "a band that begins where the one before ends ({}): at_most is followed by above, below by at_least",
                        previous.en
                    ),
                    format!(
                        "与上一档({})首尾相接:at_most 之后用 above,below 之后用 at_least",
                        previous.zh
                    ),
                );
            }
        }
        before = Some(range);
        if let Some(rate) = rate {
            bands.push(Band {
                words: range.demand(fact),
                range,
                rate,
            });
        }
    }
    bands
}

/// Reads either an amount or a percentage.
pub(super) fn check_rate(
    checker: &mut Checker,
    field: &str,
    (amount, percent): (&Text, &Text),
    wants_percent: bool,
) -> Option<Rate> {
    let (wanted, other, names) = if wants_percent {
        (percent, amount, ["percent", "amount"])
    } else {
        (amount, percent, ["amount", "percent"])
    };
    if !other.is_empty() {
        checker.refuse(
            format!("{field}.{}", names[1]),
            &other.0,
            format!("nothing: this kind takes {}", names[0]),
            format!("不填:此类型使用 {}", names[0]),
        );
    }
    let field = format!("{field}.{}", names[0]);
    if wants_percent {
        checker.percent(&field, &wanted.0).map(Rate::Percent)
    } else {
        checker.decimal(&field, &wanted.0).map(Rate::Amount)
    }
}
