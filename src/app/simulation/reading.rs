//! From what was written to what is computed, and back to words.

use super::document::{AxisText, ChangeText, KnobText, ScenarioText};
use crate::domain::apportion::Method;
use crate::domain::error::{Bilingual, Error, Faults, Violation};
use crate::domain::formula::Formula;
use crate::domain::formula::check::Label;
use crate::domain::money::RoundingUnit;
use crate::domain::region::RegionCode;
use crate::domain::simulation::{Adjust, Axis, Change, How, Knob, Lever, Others, Scenario, Values};
use crate::domain::statistics::{Indicator, IndicatorCode, parse_decimal, parse_year};
use crate::domain::subsidy::document::Text;
use rust_decimal::Decimal;

/// Most changes of one scenario.
const MAX_CHANGES: usize = 1_000;
/// Longest name of a scenario, in characters.
const MAX_NAME: usize = 100;
/// Most values listed on one axis.
const MAX_LISTED: usize = 100_000;

/// An exact number.
pub(super) fn number(field: &str, text: &Text) -> Result<Decimal, Violation> {
    parse_decimal(field, &text.0)
}

/// A region's code, where one is given.
pub(super) fn region(field: &str, code: &str) -> Result<Option<RegionCode>, Violation> {
    if code.is_empty() {
        Ok(None)
    } else {
        RegionCode::parse(field, code).map(Some)
    }
}

/// An indicator's code, where one is given.
pub(super) fn indicator(field: &str, code: &str) -> Result<Option<IndicatorCode>, Violation> {
    if code.is_empty() {
        Ok(None)
    } else {
        IndicatorCode::parse(field, code).map(Some)
    }
}

/// Scenarios with their names.
pub(super) fn scenarios(field: &str, texts: &[ScenarioText]) -> Result<Vec<Scenario>, Error> {
    let mut faults = Faults::default();
    let mut read = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let field = format!("{field}[{at}]");
        let name = text.name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            faults.add(|| {
                Violation::new(
                    format!("{field}.name"),
                    &text.name,
                    format!("1 to {MAX_NAME} characters"),
                    format!("1 至 {MAX_NAME} 个字符"),
                )
            });
        }
        if let Some(changes) = kept(&mut faults, changes(&format!("{field}.changes"), &text.changes)) {
            read.push(Scenario {
                name: name.to_owned(),
                changes,
            });
        }
    }
    faults.finish()?;
    Ok(read)
}

fn kept<T>(faults: &mut Faults, result: Result<T, Vec<Violation>>) -> Option<T> {
    result.map_err(|violations| faults.extend(violations)).ok()
}

/// Changes in order.
pub(super) fn changes(field: &str, texts: &[ChangeText]) -> Result<Vec<Change>, Vec<Violation>> {
    if texts.len() > MAX_CHANGES {
        return Err(vec![Violation::new(
            field,
            texts.len().to_string(),
            format!("at most {MAX_CHANGES} changes"),
            format!("至多 {MAX_CHANGES} 项变更"),
        )]);
    }
    let mut faults = Faults::default();
    let mut read = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        read.extend(faults.keep(change(&format!("{field}[{at}]"), text)));
    }
    faults.finish()?;
    Ok(read)
}

fn change(field: &str, text: &ChangeText) -> Result<Change, Violation> {
    Ok(match text.what.as_str() {
        "add_bound" => Change::AddBound(text.bound.clone().unwrap_or_default()),
        "remove_bound" => Change::RemoveBound {
            at: text.position as usize,
        },
        "rounding" => Change::Rounding {
            unit: optional(&text.unit, |code| {
                RoundingUnit::parse(&format!("{field}.unit"), code)
            })?,
            method: optional(&text.method, |code| {
                Method::parse(&format!("{field}.method"), code)
            })?,
        },
        _ => {
            let knob = KnobText {
                what: text.what.clone(),
                id: text.id.clone(),
                how: String::new(),
                others: text.others.clone(),
                year: text.year,
                region: text.region.clone(),
                position: text.position,
            };
            lever(field, &knob, true)?.change(adjust(field, text)?)
        }
    })
}

fn optional<T>(text: &str, read: impl Fn(&str) -> Result<T, Violation>) -> Result<Option<T>, Violation> {
    if text.is_empty() {
        Ok(None)
    } else {
        read(text).map(Some)
    }
}

fn adjust(field: &str, text: &ChangeText) -> Result<Adjust, Violation> {
    let value = |key: &str, text: &Text| number(&format!("{field}.{key}"), text);
    match (text.to.is_empty(), text.by.is_empty(), text.percent.is_empty()) {
        (false, true, true) => Ok(Adjust::To(value("to", &text.to)?)),
        (true, false, true) => Ok(Adjust::By(value("by", &text.by)?)),
        (true, true, false) => Ok(Adjust::Percent(value("percent", &text.percent)?)),
        _ => Err(Violation::new(
            field,
            format!(
                "to \"{}\", by \"{}\", percent \"{}\"",
                text.to.0, text.by.0, text.percent.0
            ),
            "exactly one of to, by and percent",
            "to、by、percent 三者填且只填其一",
        )),
    }
}

fn lever(field: &str, text: &KnobText, of_change: bool) -> Result<Lever, Violation> {
    let id = text.id.clone();
    Ok(match text.what.as_str() {
        "pool" => Lever::Pool,
        "advance" => Lever::Advance,
        "percent" => Lever::Percent {
            component: id,
            others: match text.others.as_str() {
                "" | "pro_rata" => Others::ProRata,
                "given" => Others::Given,
                other => {
                    return Err(Violation::new(
                        format!("{field}.others"),
                        other,
                        "pro_rata or given",
                        "pro_rata 或 given",
                    ));
                }
            },
        },
        "parameter" => Lever::Parameter { name: id },
        "fixed_sum" => Lever::FixedSum { component: id },
        "set_aside" => Lever::SetAside { id },
        "bound" => Lever::Bound {
            at: text.position as usize,
        },
        "indicator" => Lever::Indicator {
            code: IndicatorCode::parse(&format!("{field}.id"), &text.id)?,
            year: match text.year {
                0 => None,
                year => Some(parse_year(&format!("{field}.year"), &year.to_string())?),
            },
            region: region(&format!("{field}.region"), &text.region)?,
        },
        other => {
            let numbers = "pool, advance, percent, fixed_sum, parameter, set_aside, bound, indicator";
            let more = if of_change {
                ", add_bound, remove_bound, rounding"
            } else {
                ""
            };
            return Err(Violation::new(
                format!("{field}.what"),
                other,
                format!("one of {numbers}{more}"),
                format!("下列之一:{numbers}{more}"),
            ));
        }
    })
}

/// A knob.
pub(super) fn knob(field: &str, text: &KnobText) -> Result<Knob, Violation> {
    Ok(Knob {
        lever: lever(field, text, false)?,
        how: match text.how.as_str() {
            "" | "to" => How::To,
            "by" => How::By,
            "percent" => How::Percent,
            other => {
                return Err(Violation::new(
                    format!("{field}.how"),
                    other,
                    "to, by or percent",
                    "to、by 或 percent",
                ));
            }
        },
    })
}

/// A knob and its values.
pub(super) fn axis(field: &str, text: &AxisText) -> Result<Axis, Violation> {
    let target = knob(&format!("{field}.knob"), &text.knob)?;
    let range = !(text.from.is_empty() && text.to.is_empty() && text.step.is_empty());
    if range != text.values.is_empty() {
        return Err(Violation::new(
            field,
            if range {
                "values and a range"
            } else {
                "neither values nor a range"
            },
            "either values, or from, to and step",
            "values,或 from、to、step,二者填其一",
        ));
    }
    let values = if range {
        Values::Range {
            from: number(&format!("{field}.from"), &text.from)?,
            to: number(&format!("{field}.to"), &text.to)?,
            step: number(&format!("{field}.step"), &text.step)?,
        }
    } else {
        if text.values.len() > MAX_LISTED {
            return Err(Violation::new(
                format!("{field}.values"),
                text.values.len().to_string(),
                format!("at most {MAX_LISTED} values"),
                format!("至多 {MAX_LISTED} 个取值"),
            ));
        }
        let read = text.values.iter().enumerate();
        Values::List(
            read.map(|(at, value)| number(&format!("{field}.values[{at}]"), value))
                .collect::<Result<_, _>>()?,
        )
    };
    Ok(Axis { target, values })
}

/// Puts changes and numbers of a formula in words.
pub(super) struct Words<'a> {
    pub(super) formula: &'a Formula,
    pub(super) indicators: &'a [Indicator],
    pub(super) regions: &'a [crate::domain::region::Region],
}

impl Words<'_> {
    /// What a lever moves.
    pub(super) fn lever(&self, lever: &Lever) -> Bilingual {
        let labelled = |label: Option<&Label>, id: &str| {
            label.map_or_else(
                || Bilingual::new(id, id),
                |label| Bilingual::new(&label.en, &label.zh),
            )
        };
        let component = |id: &str| {
            let found = self.formula.components.iter().find(|c| c.label.id == id);
            labelled(found.map(|component| &component.label), id)
        };
        match lever {
            Lever::Pool => Bilingual::new("pool", "资金盘子"),
            Lever::Advance => Bilingual::new("percentage advanced", "提前下达比例"),
            Lever::Percent { component: id, .. } => {
                let name = component(id);
                Bilingual::new(format!("percentage of {}", name.en), format!("{}权重", name.zh))
            }
            Lever::FixedSum { component: id } => {
                let name = component(id);
                Bilingual::new(format!("sum of {}", name.en), format!("{}金额", name.zh))
            }
            Lever::Parameter { name } => Bilingual::new(format!("parameter {name}"), format!("参数 {name}")),
            Lever::SetAside { id } => {
                let found = self.formula.set_asides.iter().find(|s| s.label.id == *id);
                let name = labelled(found.map(|set_aside| &set_aside.label), id);
                Bilingual::new(format!("set-aside {}", name.en), format!("预留“{}”", name.zh))
            }
            Lever::Bound { at } => Bilingual::new(format!("bound {at}"), format!("第 {at} 号上下限")),
            Lever::Indicator { code, year, region } => {
                let found = self.indicators.iter().find(|indicator| indicator.code == *code);
                let (mut en, mut zh) = found.map_or_else(
                    || (code.to_string(), code.to_string()),
                    |indicator| (indicator.name_en.clone(), indicator.name_zh.clone()),
                );
                if let Some(year) = year {
                    en = format!("{en} of {year}");
                    zh = format!("{year} 年{zh}");
                }
                if let Some(code) = region {
                    let found = self.regions.iter().find(|region| region.code == *code);
                    let name = found.map_or_else(
                        || Bilingual::new(code.as_str(), code.as_str()),
                        |region| Bilingual::new(&region.name_en, &region.name_zh),
                    );
                    en = format!("{en} in {}", name.en);
                    zh = format!("{}{zh}", name.zh);
                }
                Bilingual::new(en, zh)
            }
        }
    }

    /// A knob.
    pub(super) fn knob(&self, knob: &Knob) -> Bilingual {
        let name = self.lever(&knob.lever);
        match knob.how {
            How::To => name,
            How::By => Bilingual::new(format!("{}, change by", name.en), format!("{}增减", name.zh)),
            How::Percent => {
                Bilingual::new(format!("{}, change in %", name.en), format!("{}变动(%)", name.zh))
            }
        }
    }

    /// A change.
    pub(super) fn change(&self, change: &Change) -> Bilingual {
        if let Some((lever, to)) = change.lever() {
            let name = self.lever(&lever);
            return match to {
                Adjust::To(value) => Bilingual::new(
                    format!("{}: {value}", name.en),
                    format!("{}改为 {value}", name.zh),
                ),
                Adjust::By(value) => {
                    let sign = if value.is_sign_negative() { "" } else { "+" };
                    Bilingual::new(
                        format!("{}: {sign}{value}", name.en),
                        format!("{}增减 {sign}{value}", name.zh),
                    )
                }
                Adjust::Percent(value) => {
                    let sign = if value.is_sign_negative() { "" } else { "+" };
                    Bilingual::new(
                        format!("{}: {sign}{value} %", name.en),
                        format!("{}变动 {sign}{value}%", name.zh),
                    )
                }
            };
        }
        match change {
            Change::AddBound(bound) => {
                let number = if bound.amount.0.is_empty() {
                    format!("{} %", bound.percent.0)
                } else {
                    bound.amount.0.clone()
                };
                let zh = if bound.kind == "cap" { "上限" } else { "下限" };
                Bilingual::new(
                    format!("a further {} ({}): {number}", bound.kind, bound.basis),
                    format!("增加{zh}({}):{number}", bound.basis),
                )
            }
            Change::RemoveBound { at } => {
                Bilingual::new(format!("without bound {at}"), format!("取消第 {at} 号上下限"))
            }
            Change::Rounding { unit, method } => {
                let words: Vec<&str> = unit
                    .iter()
                    .map(|unit| unit.code())
                    .chain(method.iter().map(|method| method.code()))
                    .collect();
                Bilingual::new(
                    format!("rounding: {}", words.join(", ")),
                    format!("取整:{}", words.join("、")),
                )
            }
            _ => Bilingual::new("", ""),
        }
    }
}
