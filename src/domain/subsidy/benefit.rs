//! Benefits and caps: what the eligible get, and what limits it.

use super::band::{Band, Rate, check_bands, check_rate};
use super::checker::{Checker, Label};
use super::condition::Condition;
use super::document::{BenefitText, CapText, Text};
use super::programme::{CheckedProgramme, Fact, FactKind};
use rust_decimal::Decimal;
use std::collections::HashSet;

/// What a benefit is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A sum.
    LumpSum,
    /// Yuan for each unit of a fact.
    PerUnit {
        /// Position of the fact.
        fact: usize,
        /// At most so many units count.
        limit: Option<Decimal>,
    },
    /// Percent of a money fact.
    Percent {
        /// Position of the fact.
        fact: usize,
        /// At most so many yuan count.
        limit: Option<Decimal>,
    },
}

/// What is paid.
#[derive(Debug, Clone)]
pub enum Rates {
    /// The same everywhere.
    Flat(Rate),
    /// By the value of a fact.
    Banded {
        /// Position of the fact.
        by: usize,
        /// The bands, in rising order.
        bands: Vec<Band>,
    },
}

/// What a cap is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapKind {
    /// Yuan.
    Amount(Decimal),
    /// Yuan for each unit of a fact.
    PerUnit(Decimal, usize),
    /// Percent of a money fact.
    Percent(Decimal, usize),
}

/// A limit.
#[derive(Debug, Clone)]
pub struct Cap {
    /// Id and names.
    pub label: Label,
    /// The clause it rests on.
    pub clause: String,
    /// What it is measured by.
    pub kind: CapKind,
}

/// A benefit.
#[derive(Debug, Clone)]
pub struct Benefit {
    /// Id and names.
    pub label: Label,
    /// The clause it rests on.
    pub clause: String,
    /// What it is measured by.
    pub basis: Basis,
    /// What is paid.
    pub rates: Rates,
    /// Position of a fact that multiplies, and how many of it count at most.
    pub times: Option<(usize, Option<Decimal>)>,
    /// Applies only where this holds.
    pub when: Option<Condition>,
    /// Limits on this benefit.
    pub caps: Vec<Cap>,
}

/// A fact that amounts are computed from must be stated.
fn numeric(fact: &Fact) -> bool {
    fact.required && fact.kind.is_numeric()
}

fn quantity(fact: &Fact) -> bool {
    fact.required && matches!(fact.kind, FactKind::Number(_) | FactKind::Count)
}

fn money(fact: &Fact) -> bool {
    fact.required && fact.kind == FactKind::Money
}

fn limit(checker: &mut Checker, field: &str, text: &Text) -> Option<Option<Decimal>> {
    match text.0.as_str() {
        "" => Some(None),
        digits => checker.decimal(field, digits).map(Some),
    }
}

pub(super) fn check_benefit(
    checker: &mut Checker,
    programme: &CheckedProgramme,
    field: &str,
    seen: &mut HashSet<String>,
    text: &BenefitText,
) -> Option<Benefit> {
    let label = checker.label(field, seen, ("id", &text.id), (&text.name_zh, &text.name_en));
    checker.remark(&format!("{field}.clause"), &text.clause);
    let fact_limit = limit(checker, &format!("{field}.fact_limit"), &text.fact_limit);
    let at = format!("{field}.fact");
    let basis = match text.kind.as_str() {
        "lump_sum" => {
            if !text.fact.is_empty() || !text.fact_limit.is_empty() {
                checker.refuse(
                    at,
                    format!("{} {}", text.fact, text.fact_limit.0),
                    "nothing for a lump_sum",
                    "定额补贴不填",
                );
            }
            Some(Basis::LumpSum)
        }
        "per_unit" => programme
            .expect(checker, &at, &text.fact, "a required number or count", quantity)
            .zip(fact_limit)
            .map(|(fact, limit)| Basis::PerUnit { fact, limit }),
        "percent" => programme
            .expect(checker, &at, &text.fact, "a required money", money)
            .zip(fact_limit)
            .map(|(fact, limit)| Basis::Percent { fact, limit }),
        other => {
            checker.refuse(
                format!("{field}.kind"),
                other,
                "one of lump_sum, per_unit, percent",
                "下列之一:lump_sum、per_unit、percent",
            );
            None
        }
    };
    let rates = check_rates(checker, programme, field, text);
    let times_limit = limit(checker, &format!("{field}.times_limit"), &text.times_limit);
    let times = match text.times.as_str() {
        "" => {
            if !text.times_limit.is_empty() {
                checker.refuse(
                    format!("{field}.times_limit"),
                    &text.times_limit.0,
                    "nothing where there is no times",
                    "未填 times 时不填",
                );
            }
            Some(None)
        }
        code => programme
            .expect(
                checker,
                &format!("{field}.times"),
                code,
                "a required number or count",
                quantity,
            )
            .zip(times_limit)
            .map(Some),
    };
    let when = match &text.when {
        None => Some(None),
        Some(when) => Condition::check(checker, programme, &format!("{field}.when"), when).map(Some),
    };
    let mut codes = HashSet::new();
    let caps = check_caps(
        checker,
        programme,
        &format!("{field}.caps"),
        &mut codes,
        &text.caps,
    );
    Some(Benefit {
        label,
        clause: text.clause.clone(),
        basis: basis?,
        rates: rates?,
        times: times?,
        when: when?,
        caps,
    })
}

fn check_rates(
    checker: &mut Checker,
    programme: &CheckedProgramme,
    field: &str,
    text: &BenefitText,
) -> Option<Rates> {
    let percent = text.kind == "percent";
    if text.bands.is_empty() {
        if !text.band_by.is_empty() {
            checker.refuse(
                format!("{field}.bands"),
                "none",
                "bands, where there is band_by",
                "已填 band_by 时须列出各档",
            );
            return None;
        }
        return check_rate(checker, field, (&text.amount, &text.percent), percent).map(Rates::Flat);
    }
    for (name, given) in [("amount", &text.amount), ("percent", &text.percent)] {
        if !given.is_empty() {
            checker.refuse(
                format!("{field}.{name}"),
                &given.0,
                "nothing where there are bands",
                "分档时只在各档内填写",
            );
        }
    }
    let by = programme.expect(
        checker,
        &format!("{field}.band_by"),
        &text.band_by,
        "a required numeric or date",
        |fact| numeric(fact) || (fact.required && fact.kind == FactKind::Date),
    )?;
    let fact = programme.facts.get(by)?;
    let bands = check_bands(checker, &format!("{field}.bands"), fact, &text.bands, percent);
    Some(Rates::Banded { by, bands })
}

pub(super) fn check_caps(
    checker: &mut Checker,
    programme: &CheckedProgramme,
    field: &str,
    seen: &mut HashSet<String>,
    texts: &[CapText],
) -> Vec<Cap> {
    checker.count(field, texts.len(), 0);
    let mut caps = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let field = format!("{field}[{at}]");
        let label = checker.label(&field, seen, ("id", &text.id), (&text.name_zh, &text.name_en));
        checker.remark(&format!("{field}.clause"), &text.clause);
        let is_percent = text.kind == "percent";
        let rate = check_rate(checker, &field, (&text.amount, &text.percent), is_percent);
        let at_fact = format!("{field}.fact");
        let kind = match (text.kind.as_str(), rate) {
            ("amount", rate) => {
                if !text.fact.is_empty() {
                    checker.refuse(at_fact, &text.fact, "nothing for the kind amount", "定额上限不填");
                }
                match rate {
                    Some(Rate::Amount(amount)) => Some(CapKind::Amount(amount)),
                    _ => None,
                }
            }
            ("per_unit", rate) => {
                let fact = programme.expect(
                    checker,
                    &at_fact,
                    &text.fact,
                    "a required number or count",
                    quantity,
                );
                match (rate, fact) {
                    (Some(Rate::Amount(amount)), Some(fact)) => Some(CapKind::PerUnit(amount, fact)),
                    _ => None,
                }
            }
            ("percent", rate) => {
                let fact = programme.expect(checker, &at_fact, &text.fact, "a required money", money);
                match (rate, fact) {
                    (Some(Rate::Percent(percent)), Some(fact)) => Some(CapKind::Percent(percent, fact)),
                    _ => None,
                }
            }
            (other, _) => {
                checker.refuse(
                    format!("{field}.kind"),
                    other,
                    "one of amount, per_unit, percent",
                    "下列之一:amount、per_unit、percent",
                );
                None
            }
        };
        if let Some(kind) = kind {
            caps.push(Cap {
                label,
                clause: text.clause.clone(),
                kind,
            });
        }
    }
    caps
}
