//! What levers name, found in the base.

use super::scenario::{Lever, Others};
use crate::domain::error::Violation;
use crate::domain::formula::Formula;
use crate::domain::formula::check::Sum;
use crate::domain::region::RegionCode;
use crate::domain::statistics::IndicatorCode;

/// What a lever acts on, by position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Pool,
    Advance,
    Component(usize, Option<Others>),
    Parameter(usize),
    SetAside(usize),
    Bound(usize),
    Indicator(IndicatorCode, Option<i32>, Option<RegionCode>),
}

impl Target {
    /// Finds what a lever names in the base.
    pub(super) fn find(field: &str, lever: &Lever, formula: &Formula) -> Result<Self, Violation> {
        let document = &formula.document;
        let component = |id: &str, percent: bool| {
            let fits = |sum: Sum| matches!(sum, Sum::Percent(_)) == percent;
            let position = formula
                .components
                .iter()
                .position(|c| c.label.id == id && fits(c.sum));
            let ids = (formula.components.iter()).filter(|c| fits(c.sum));
            position.ok_or_else(|| {
                let what = if percent {
                    ("a component with a percentage", "按百分比分配的因素")
                } else {
                    ("a component with a fixed sum", "定额分配的因素")
                };
                no_such(
                    &format!("{field}.component"),
                    id,
                    what,
                    ids.map(|c| c.label.id.as_str()),
                )
            })
        };
        Ok(match lever {
            Lever::Pool => Self::Pool,
            Lever::Advance => Self::Advance,
            Lever::Percent {
                component: id,
                others,
            } => Self::Component(component(id, true)?, Some(*others)),
            Lever::FixedSum { component: id } => Self::Component(component(id, false)?, None),
            Lever::Parameter { name } => {
                let names = || {
                    document
                        .parameters
                        .iter()
                        .map(|parameter| parameter.name.as_str())
                };
                let position = names().position(|known| known == name).ok_or_else(|| {
                    no_such(
                        &format!("{field}.name"),
                        name,
                        ("a parameter of the formula", "公式中的参数"),
                        names(),
                    )
                })?;
                Self::Parameter(position)
            }
            Lever::SetAside { id } => {
                let ids = || document.set_asides.iter().map(|set_aside| set_aside.id.as_str());
                let position = ids().position(|known| known == id).ok_or_else(|| {
                    no_such(
                        &format!("{field}.id"),
                        id,
                        ("a set-aside of the formula", "公式中的预留项"),
                        ids(),
                    )
                })?;
                Self::SetAside(position)
            }
            Lever::Bound { at } => {
                bound_exists(field, *at, formula)?;
                Self::Bound(*at)
            }
            Lever::Indicator { code, year, region } => Self::Indicator(code.clone(), *year, region.clone()),
        })
    }
}

/// Refuses a position that no bound of the base has.
pub(super) fn bound_exists(field: &str, at: usize, formula: &Formula) -> Result<(), Violation> {
    let count = formula.bounds.len();
    if at < count {
        return Ok(());
    }
    Err(Violation::new(
        format!("{field}.at"),
        at.to_string(),
        format!("the position, from 0, of one of the {count} bounds of the formula"),
        format!("公式中 {count} 个上下限之一的序号(从 0 起)"),
    ))
}

fn no_such<'n>(
    field: &str,
    found: &str,
    (en, zh): (&str, &str),
    names: impl Iterator<Item = &'n str>,
) -> Violation {
    let names: Vec<&str> = names.collect();
    let list = |none: &str, separator: &str| {
        if names.is_empty() {
            none.to_owned()
        } else {
            names.join(separator)
        }
    };
    Violation::new(
        field,
        found,
        format!("{en}: {}", list("there is none", ", ")),
        format!("{zh}:{}", list("无", "、")),
    )
}
