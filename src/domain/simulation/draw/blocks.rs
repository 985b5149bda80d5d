//! Blocks: inputs that hang together, independent of all others.

use super::correlation::{Factor, root_of_rational};
use super::{DrawnInput, Uncertainties, Uncertainty};
use crate::domain::error::{Faults, Violation};
use crate::domain::exact::{BigRational, rational};
use crate::domain::simulation::fixed::Fixed;
use crate::domain::simulation::scenario::Refusal;
use num_traits::{One, Zero};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Inputs that are independent of all others.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Positions of its uncertainties.
    pub(super) items: Vec<usize>,
    /// Positions of their inputs: for each value, one of each item.
    pub(super) values: Vec<Vec<usize>>,
    pub(super) link: Link,
}

/// How the inputs of a block hang together.
#[derive(Debug, Clone)]
pub(super) enum Link {
    /// Each for itself.
    Not,
    /// All by the same number.
    Completely,
    /// By normal numbers: correlated between items, and with these weights of the common and the own number.
    Normal {
        factor: Factor,
        common: Fixed,
        own: Fixed,
    },
}

/// Joins correlated items into blocks.
pub(super) fn blocks(
    uncertainties: &Uncertainties,
    drawn: &[DrawnInput],
    by_item: &[Vec<usize>],
) -> Result<Vec<Block>, Refusal> {
    let items = &uncertainties.items;
    let mut report = Faults::default();
    let mut given: BTreeMap<(usize, usize), Decimal> = BTreeMap::new();
    // Each item leads to the first of its block.
    let mut first: Vec<usize> = (0..items.len()).collect();
    for (at, correlation) in uncertainties.correlations.iter().enumerate() {
        let field = format!("correlations[{at}]");
        let find = |side: &str, name: &str| {
            items.iter().position(|item| item.name == name).ok_or_else(|| {
                Violation::new(
                    format!("{field}.{side}"),
                    name,
                    "the name of an uncertainty",
                    "某项不确定因素的名称",
                )
            })
        };
        let a = report.keep(find("a", &correlation.a));
        let b = report.keep(find("b", &correlation.b));
        let (Some(a), Some(b)) = (a, b) else { continue };
        if correlation.value.abs() > Decimal::ONE {
            report.add(|| {
                Violation::new(
                    format!("{field}.value"),
                    correlation.value.to_string(),
                    "a correlation from -1 to 1",
                    "-1 至 1 之间的相关系数",
                )
            });
            continue;
        }
        if a == b || given.insert((a.max(b), a.min(b)), correlation.value).is_some() {
            report.add(|| {
                Violation::new(
                    field.as_str(),
                    format!("{} and {}", correlation.a, correlation.b),
                    "each pair of two uncertainties once",
                    "每对不同的不确定因素只能出现一次",
                )
            });
            continue;
        }
        if let Some(why) = mismatch(&items[a], &items[b], drawn, &by_item[a], &by_item[b]) {
            report.add(|| {
                Violation::new(
                    field.as_str(),
                    format!("{} and {}: {why}", correlation.a, correlation.b),
                    "two uncertainties with the same `together` and the same regions (or one region each)",
                    "两项不确定因素的 together 相同,且地区相同(或各只有一个地区)",
                )
            });
        }
        let (keep, drop) = (first[a].min(first[b]), first[a].max(first[b]));
        for leader in first.iter_mut().filter(|leader| **leader == drop) {
            *leader = keep;
        }
    }
    report.finish()?;
    let mut blocks = Vec::new();
    for leader in 0..items.len() {
        let members: Vec<usize> = (0..items.len()).filter(|&item| first[item] == leader).collect();
        if members.is_empty() {
            continue;
        }
        let together = rational(items[leader].together);
        let values: Vec<Vec<usize>> = (0..by_item[leader].len())
            .map(|value| members.iter().map(|&member| by_item[member][value]).collect())
            .collect();
        let link = if members.len() == 1 && together.is_zero() {
            Link::Not
        } else if members.len() == 1 && together.is_one() {
            Link::Completely
        } else {
            let lower: Vec<Vec<BigRational>> = members
                .iter()
                .enumerate()
                .map(|(row, &a)| {
                    let entry = |&b: &usize| match given.get(&(a, b)) {
                        Some(value) => rational(*value),
                        None => BigRational::zero(),
                    };
                    members[..row]
                        .iter()
                        .map(entry)
                        .chain([BigRational::one()])
                        .collect()
                })
                .collect();
            let Some(factor) = Factor::new(&lower) else {
                let names: Vec<&str> = members.iter().map(|&item| items[item].name.as_str()).collect();
                return Err(vec![Violation::new(
                    "correlations",
                    format!(
                        "a matrix of {} that is not positive semidefinite",
                        names.join(", ")
                    ),
                    "correlations that errors can have at the same time",
                    "可同时成立的相关系数(相关矩阵须为半正定)",
                )]);
            };
            Link::Normal {
                factor,
                common: root_of_rational(&together),
                own: root_of_rational(&(BigRational::one() - &together)),
            }
        };
        blocks.push(Block {
            items: members,
            values,
            link,
        });
    }
    Ok(blocks)
}

/// Why two items cannot be correlated value by value.
fn mismatch(
    a: &Uncertainty,
    b: &Uncertainty,
    drawn: &[DrawnInput],
    a_values: &[usize],
    b_values: &[usize],
) -> Option<&'static str> {
    if a.together != b.together {
        return Some("together differs");
    }
    if a_values.len() != b_values.len() {
        return Some("not the same number of values");
    }
    let same = a_values
        .iter()
        .zip(b_values)
        .all(|(&a, &b)| drawn[a].region == drawn[b].region);
    (!same && a_values.len() > 1).then_some("not the same regions")
}
