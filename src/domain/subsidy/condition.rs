//! Conditions over facts, and the sentence that says why one holds or does not.

use super::assessment::Detail;
use super::band::Range;
use super::checker::Checker;
use super::document::ConditionText;
use super::facts::Facts;
use super::programme::{CheckedProgramme, Fact, FactKind, FactValue};
use crate::domain::error::Bilingual;
use time::{Date, Month};

/// Deepest nesting of conditions.
const MAX_DEPTH: usize = 6;

/// A checked condition.
#[derive(Debug, Clone)]
pub enum Condition {
    /// Every one holds.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// What is demanded of a fact.
    Test(Box<Test>),
}

/// What is demanded of a fact; several things are demanded together.
#[derive(Debug, Clone)]
pub struct Test {
    fact: usize,
    /// One of these values; none means any.
    one_of: Vec<FactValue>,
    range: Range,
    not_before: Option<(usize, Option<u32>)>,
    not_after: Option<usize>,
    /// The demand in words.
    demand: Bilingual,
}

impl Condition {
    pub(super) fn check(
        checker: &mut Checker,
        programme: &CheckedProgramme,
        field: &str,
        text: &ConditionText,
    ) -> Option<Self> {
        Self::check_at(checker, programme, field, text, 0)
    }

    fn check_at(
        checker: &mut Checker,
        programme: &CheckedProgramme,
        field: &str,
        text: &ConditionText,
        depth: usize,
    ) -> Option<Self> {
        let given = [!text.all.is_empty(), !text.any.is_empty(), !text.fact.is_empty()];
        if given.iter().filter(|given| **given).count() != 1 || depth > MAX_DEPTH {
            checker.refuse(
                field,
                if depth > MAX_DEPTH {
                    format!("nested {depth} deep")
                } else {
                    format!(
                        "all: {}, any: {}, fact: {}",
                        text.all.len(),
                        text.any.len(),
                        text.fact
                    )
                },
                format!("exactly one of all, any and fact, nested at most {MAX_DEPTH} deep"),
                format!("all、any、fact 三者择一,嵌套不超过 {MAX_DEPTH} 层"),
            );
            return None;
        }
        if !text.fact.is_empty() {
            return Test::check(checker, programme, field, text)
                .map(Box::new)
                .map(Self::Test);
        }
        let demands = [
            &text.is,
            &text.at_least,
            &text.above,
            &text.at_most,
            &text.below,
            &text.within_months,
        ];
        if demands.iter().any(|demand| !demand.is_empty())
            || !text.one_of.is_empty()
            || !text.not_before.is_empty()
            || !text.not_after.is_empty()
        {
            checker.refuse(
                field,
                "a demand beside all or any",
                "demands beside fact only",
                "比较条件只能与 fact 同时使用",
            );
        }
        let (name, parts) = if text.any.is_empty() {
            ("all", &text.all)
        } else {
            ("any", &text.any)
        };
        checker.count(&format!("{field}.{name}"), parts.len(), 1);
        let checked: Vec<Option<Self>> = parts
            .iter()
            .enumerate()
            .map(|(at, part)| {
                Self::check_at(
                    checker,
                    programme,
                    &format!("{field}.{name}[{at}]"),
                    part,
                    depth + 1,
                )
            })
            .collect();
        let checked = checked.into_iter().collect::<Option<Vec<Self>>>()?;
        Some(if name == "all" {
            Self::All(checked)
        } else {
            Self::Any(checked)
        })
    }

    /// Whether it holds, and why or why not, with the values found.
    pub fn judge(&self, facts: &Facts, detail: Detail) -> (bool, Bilingual) {
        match self {
            Self::Test(test) => test.judge(facts, detail),
            Self::All(parts) => {
                let judged: Vec<(bool, Bilingual)> =
                    parts.iter().map(|part| part.judge(facts, detail)).collect();
                let holds = judged.iter().all(|(holds, _)| *holds);
                // Of what fails, only what fails is of interest.
                let shown = judged
                    .into_iter()
                    .filter(|(part, _)| *part == holds)
                    .map(|(_, why)| why);
                (holds, detail.say(|| join(shown, "; ", ";")))
            }
            Self::Any(parts) => {
                let judged: Vec<(bool, Bilingual)> =
                    parts.iter().map(|part| part.judge(facts, detail)).collect();
                let holds = judged.iter().any(|(holds, _)| *holds);
                let shown = judged
                    .into_iter()
                    .filter(|(part, _)| *part == holds)
                    .map(|(_, why)| why);
                if holds {
                    (true, detail.say(|| join(shown, "; ", ";")))
                } else {
                    (false, detail.say(|| join(shown, "; nor: ", ";亦不符合:")))
                }
            }
        }
    }
}

fn join(parts: impl Iterator<Item = Bilingual>, en: &str, zh: &str) -> Bilingual {
    let (all_en, all_zh): (Vec<String>, Vec<String>) = parts.map(|part| (part.en, part.zh)).unzip();
    Bilingual::new(all_en.join(en), all_zh.join(zh))
}

impl Test {
    fn check(
        checker: &mut Checker,
        programme: &CheckedProgramme,
        field: &str,
        text: &ConditionText,
    ) -> Option<Self> {
        let at = programme.expect(checker, &format!("{field}.fact"), &text.fact, "a", |_| true)?;
        let fact = programme.facts.get(at)?;
        let range = Range::check(
            checker,
            field,
            fact,
            [&text.at_least, &text.above, &text.at_most, &text.below],
        );
        let one_of = Self::check_values(checker, field, fact, text);
        let date = |other: &Fact| fact.kind == FactKind::Date && other.kind == FactKind::Date;
        let mut other = |name: &str, code: &str| match code {
            "" => Some(None),
            code => programme
                .expect(
                    checker,
                    &format!("{field}.{name}"),
                    code,
                    "a date (beside a date)",
                    date,
                )
                .map(Some),
        };
        let not_before = other("not_before", &text.not_before);
        let not_after = other("not_after", &text.not_after);
        let months = match text.within_months.0.as_str() {
            "" => Some(None),
            digits => {
                let months = digits
                    .parse::<u32>()
                    .ok()
                    .filter(|months| (1..=600).contains(months));
                if months.is_none() || text.not_before.is_empty() {
                    checker.refuse(
                        format!("{field}.within_months"),
                        digits,
                        "1 to 600 months, beside not_before",
                        "1 至 600 个月,须与 not_before 同时使用",
                    );
                    None
                } else {
                    Some(months)
                }
            }
        };
        let (range, one_of, not_before, not_after, months) =
            (range?, one_of?, not_before?, not_after?, months?);
        if range.is_open() && one_of.is_empty() && not_before.is_none() && not_after.is_none() {
            checker.refuse(
                field,
                "nothing demanded",
                "is, one_of, at_least, above, at_most, below, not_before or not_after",
                "须至少给出一个条件:is、one_of、at_least、above、at_most、below、not_before、not_after",
            );
            return None;
        }
        let demand = demand(programme, fact, &one_of, &range, (not_before, months), not_after);
        Some(Self {
            fact: at,
            one_of,
            range,
            not_before: not_before.map(|other| (other, months)),
            not_after,
            demand,
        })
    }

    fn check_values(
        checker: &mut Checker,
        field: &str,
        fact: &Fact,
        text: &ConditionText,
    ) -> Option<Vec<FactValue>> {
        if !text.is.is_empty() && !text.one_of.is_empty() {
            checker.refuse(
                format!("{field}.one_of"),
                text.one_of.len().to_string(),
                "nothing where there is is",
                "已有 is 时不得填写",
            );
            return None;
        }
        if !text.is.is_empty() {
            return checker
                .keep(fact.read(&format!("{field}.is"), &text.is.0))
                .map(|value| vec![value]);
        }
        checker.count(&format!("{field}.one_of"), text.one_of.len(), 0);
        let read: Vec<Option<FactValue>> = text
            .one_of
            .iter()
            .enumerate()
            .map(|(at, value)| checker.keep(fact.read(&format!("{field}.one_of[{at}]"), &value.0)))
            .collect();
        read.into_iter().collect()
    }

    fn judge(&self, facts: &Facts, detail: Detail) -> (bool, Bilingual) {
        let programme = facts.programme();
        let Some(fact) = programme.facts.get(self.fact) else {
            return (false, Bilingual::default());
        };
        let (name_en, name_zh) = (&fact.label.en, &fact.label.zh);
        let Some(value) = facts.value(self.fact) else {
            return (
                false,
                detail.say(|| {
                    Bilingual::new(
                        format!("{name_en} is not stated; demanded: {}", self.demand.en),
                        format!("未填写{name_zh};要求:{}", self.demand.zh),
                    )
                }),
            );
        };
        let mut holds =
            self.range.contains(&value) && (self.one_of.is_empty() || self.one_of.contains(&value));
        let mut why = detail.say(|| {
            let shown = fact.show(&value);
            Bilingual::new(
                format!("{name_en} is {}; demanded: {}", shown.en, self.demand.en),
                format!("{name_zh}为{};要求:{}", shown.zh, self.demand.zh),
            )
        });
        let beside = [
            self.not_before.map(|(other, months)| (other, true, months)),
            self.not_after.map(|other| (other, false, None)),
        ];
        for (other, after, months) in beside.into_iter().flatten() {
            let Some(other_fact) = programme.facts.get(other) else {
                continue;
            };
            let names = &other_fact.label;
            let (Some(FactValue::Date(limit)), FactValue::Date(day)) = (facts.value(other), value) else {
                holds = false;
                detail.add(&mut why, || {
                    Bilingual::new(
                        format!(" ({} is not stated)", names.en),
                        format!("(未填写{})", names.zh),
                    )
                });
                continue;
            };
            holds &= if after {
                day >= limit && months.is_none_or(|months| day <= add_months(limit, months))
            } else {
                day <= limit
            };
            detail.add(&mut why, || {
                let limit = other_fact.show(&FactValue::Date(limit));
                Bilingual::new(
                    format!(" ({} is {})", names.en, limit.en),
                    format!("({}为{})", names.zh, limit.zh),
                )
            });
        }
        (holds, why)
    }
}

/// The demand in words.
fn demand(
    programme: &CheckedProgramme,
    fact: &Fact,
    one_of: &[FactValue],
    range: &Range,
    (not_before, months): (Option<usize>, Option<u32>),
    not_after: Option<usize>,
) -> Bilingual {
    let mut parts = Vec::new();
    if !one_of.is_empty() {
        parts.push(join(one_of.iter().map(|value| fact.show(value)), " or ", "或"));
    }
    if !range.is_open() {
        parts.push(range.demand(fact));
    }
    if let Some(other) = not_before.and_then(|at| programme.facts.get(at)) {
        parts.push(match months {
            None => Bilingual::new(
                format!("not before {}", other.label.en),
                format!("不早于{}", other.label.zh),
            ),
            Some(months) => Bilingual::new(
                format!("within {months} months after {}", other.label.en),
                format!("在{}之后 {months} 个月内", other.label.zh),
            ),
        });
    }
    if let Some(other) = not_after.and_then(|at| programme.facts.get(at)) {
        parts.push(Bilingual::new(
            format!("not after {}", other.label.en),
            format!("不晚于{}", other.label.zh),
        ));
    }
    join(parts.into_iter(), ", ", "、")
}

/// The same day so many months later, or the last day of that month where it has no such day.
pub fn add_months(date: Date, months: u32) -> Date {
    let count = i64::from(date.year()) * 12 + i64::from(u8::from(date.month())) - 1 + i64::from(months);
    let year = i32::try_from(count.div_euclid(12)).unwrap_or(i32::MAX);
    let month = u8::try_from(count.rem_euclid(12) + 1)
        .ok()
        .and_then(|month| Month::try_from(month).ok())
        .unwrap_or(Month::December);
    let last = month.length(year);
    Date::from_calendar_date(year, month, date.day().min(last)).unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::subsidy::{format_date, parse_date};

    #[test]
    fn adds_calendar_months() {
        for (from, months, to) in [
            ("2024-01-31", 1, "2024-02-29"),
            ("2023-01-31", 1, "2023-02-28"),
            ("2024-12-01", 12, "2025-12-01"),
            ("2024-11-30", 3, "2025-02-28"),
        ] {
            let date = add_months(parse_date("d", from).unwrap(), months);
            assert_eq!(format_date(date), to);
        }
    }
}
