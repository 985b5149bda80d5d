//! The facts of a claim, read against a programme.

use super::programme::{CheckedProgramme, FactValue, Once};
use crate::domain::error::{Faults, Violation};
use std::collections::BTreeMap;
use std::sync::Arc;
use time::Date;

/// The facts of a claim: each of the right kind, within its bounds, and in accord with each other.
///
/// They hold no personal data.
#[derive(Debug, Clone)]
pub struct Facts {
    programme: Arc<CheckedProgramme>,
    values: Vec<Option<FactValue>>,
}

impl Facts {
    /// Reads facts; every fault is reported. An empty text is a fact that is not stated.
    ///
    /// Fields of violations are `facts.{code}`.
    pub fn parse(
        programme: &Arc<CheckedProgramme>,
        texts: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<Violation>> {
        let mut faults = Faults::default();
        for code in texts.keys().filter(|code| programme.position(code).is_none()) {
            let codes = || {
                let codes: Vec<&str> = programme
                    .facts
                    .iter()
                    .map(|fact| fact.label.code.as_str())
                    .collect();
                codes.join(", ")
            };
            faults.add(|| {
                Violation::new(
                    format!("facts.{code}"),
                    code,
                    format!("a fact of the programme {}: {}", programme.code, codes()),
                    format!("项目“{}”的事项:{}", programme.title.zh, codes()),
                )
            });
        }
        let mut values = Vec::with_capacity(programme.facts.len());
        for fact in &programme.facts {
            let field = || format!("facts.{}", fact.label.code);
            let text = texts
                .get(&fact.label.code)
                .map(|text| text.trim())
                .filter(|text| !text.is_empty());
            let value = match text {
                Some(text) => faults.keep(fact.read_allowed(&field(), text)),
                None => {
                    if fact.required {
                        faults.add(|| {
                            Violation::new(
                                field(),
                                "",
                                format!("{}, which a claim must state", fact.label.en),
                                format!("必须填写{}", fact.label.zh),
                            )
                        });
                    }
                    None
                }
            };
            values.push(value);
        }
        let facts = Self {
            programme: Arc::clone(programme),
            values,
        };
        for relation in &programme.relations {
            let (Some(left), Some(right)) = (facts.value(relation.left), facts.value(relation.right)) else {
                continue;
            };
            if left < right || (!relation.strict && left == right) {
                continue;
            }
            let names = [relation.left, relation.right].map(|at| programme.facts.get(at));
            let [Some(a), Some(b)] = names else { continue };
            faults.add(|| {
                Violation::new(
                    format!("facts.{}", a.label.code),
                    format!(
                        "{} {}, {} {}",
                        a.label.code,
                        a.canonical(&left),
                        b.label.code,
                        b.canonical(&right)
                    ),
                    relation.text.en.clone(),
                    relation.text.zh.clone(),
                )
            });
        }
        faults.finish()?;
        Ok(facts)
    }

    /// The programme they were read against.
    pub fn programme(&self) -> &Arc<CheckedProgramme> {
        &self.programme
    }

    /// The value of the fact at a position, where it is stated.
    pub fn value(&self, at: usize) -> Option<FactValue> {
        self.values.get(at).copied().flatten()
    }

    /// The value of a fact by its code.
    pub fn get(&self, code: &str) -> Option<FactValue> {
        self.programme.position(code).and_then(|at| self.value(at))
    }

    /// The date by which the policy in force is found.
    pub fn decisive_date(&self) -> Option<Date> {
        match self.value(self.programme.decisive_date) {
            Some(FactValue::Date(date)) => Some(date),
            _ => None,
        }
    }

    /// Within what a `once` rule applies: the text of the fact, or nothing where it is for ever.
    pub fn within(&self, once: &Once) -> String {
        let Some(at) = once.within else {
            return String::new();
        };
        match (self.programme.facts.get(at), self.value(at)) {
            (Some(fact), Some(value)) => fact.canonical(&value),
            _ => String::new(),
        }
    }

    /// The facts as they are stored: one text for one value, facts that are not stated left out.
    pub fn canonical(&self) -> BTreeMap<String, String> {
        self.programme
            .facts
            .iter()
            .zip(&self.values)
            .filter_map(|(fact, value)| {
                value
                    .as_ref()
                    .map(|value| (fact.label.code.clone(), fact.canonical(value)))
            })
            .collect()
    }
}
