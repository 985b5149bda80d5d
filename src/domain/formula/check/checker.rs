//! The checks themselves: every fault is found and named before any is refused.

use super::{
    Adjustment, Basis, Bound, BoundKind, Component, Formula, Label, MAX_ITEMS, Mode, Remainder, SetAside, Sum,
};
use crate::domain::apportion::Method;
use crate::domain::error::Violation;
use crate::domain::formula::document::{BoundText, ComponentText, Document, Exact};
use crate::domain::formula::expression::{Expression, Node, Operation, is_reserved};
use crate::domain::money::{Money, RoundingUnit};
use crate::domain::region::RegionCode;
use crate::domain::statistics::{DataSetId, Indicator, IndicatorCode, parse_decimal};
use crate::domain::unit::Dimension;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Checks a document against the indicators there are.
pub(super) fn check(document: Document, indicators: &[Indicator]) -> Result<Formula, Vec<Violation>> {
    let checker = Checker {
        violations: Vec::new(),
        indicators: indicators
            .iter()
            .map(|i| (i.code.clone(), i.unit.dimension()))
            .collect(),
        parameters: HashMap::new(),
    };
    checker.formula(document)
}

struct Checker {
    violations: Vec<Violation>,
    indicators: HashMap<IndicatorCode, Dimension>,
    parameters: HashMap<String, Dimension>,
}

impl Checker {
    fn refuse(
        &mut self,
        field: impl Into<String>,
        found: impl AsRef<str>,
        en: impl Into<String>,
        zh: impl Into<String>,
    ) {
        self.violations.push(Violation::new(field, found, en, zh));
    }

    fn keep<T>(&mut self, result: Result<T, Violation>) -> Option<T> {
        result.map_err(|violation| self.violations.push(violation)).ok()
    }

    fn formula(mut self, document: Document) -> Result<Formula, Vec<Violation>> {
        self.keep(DataSetId::parse("id", &document.id));
        self.text("title_zh", &document.title_zh, 200);
        self.text("legal_basis.document", &document.legal_basis.document, 500);
        let unit = match document.rounding.unit.as_str() {
            "" => Some(RoundingUnit::default()),
            code => self.keep(RoundingUnit::parse("rounding.unit", code)),
        };
        let method = match document.rounding.method.as_str() {
            "" => Some(Method::default()),
            code => self.keep(Method::parse("rounding.method", code)),
        };
        let retain_tail = self.choice(
            "rounding.tail",
            &document.rounding.tail,
            &[("", false), ("refuse", false), ("retain", true)],
        );
        let lists = [
            ("parameters", document.parameters.len()),
            ("set_asides", document.set_asides.len()),
            ("components", document.components.len()),
            ("adjustments", document.adjustments.len()),
            ("bounds", document.bounds.len()),
        ];
        for (field, length) in lists {
            if length > MAX_ITEMS {
                self.refuse(
                    field,
                    length.to_string(),
                    format!("at most {MAX_ITEMS}"),
                    format!("至多 {MAX_ITEMS} 项"),
                );
            }
        }
        if !self.violations.is_empty() {
            return Err(self.violations);
        }
        let parameters = self.parameters(&document);
        let set_asides = self.set_asides(&document);
        let adjustments = self.adjustments(&document);
        let components = self.components(&document);
        let bounds = (document.bounds.iter().enumerate())
            .filter_map(|(at, bound)| self.bound(at, bound))
            .collect();
        match (unit, method, retain_tail) {
            (Some(unit), Some(method), Some(retain_tail)) if self.violations.is_empty() => Ok(Formula {
                digest: document.digest(),
                document,
                unit,
                method,
                retain_tail,
                parameters,
                set_asides,
                components,
                adjustments,
                bounds,
            }),
            _ => Err(self.violations),
        }
    }

    fn text(&mut self, field: &str, text: &str, most: usize) {
        if text.trim().is_empty() || text.chars().count() > most {
            self.refuse(
                field,
                text,
                format!("1 to {most} characters"),
                format!("1 至 {most} 个字符"),
            );
        }
    }

    fn choice<T: Copy>(&mut self, field: &str, text: &str, choices: &[(&str, T)]) -> Option<T> {
        let found = choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices
                .iter()
                .map(|(name, _)| *name)
                .filter(|name| !name.is_empty())
                .collect();
            self.refuse(
                field,
                text,
                format!("one of {}", names.join(", ")),
                format!("下列之一:{}", names.join("、")),
            );
        }
        found
    }

    fn unique<'i>(&mut self, list: &str, key: &str, ids: impl Iterator<Item = &'i str>) {
        let mut seen = HashSet::new();
        for (at, id) in ids.enumerate() {
            let field = format!("{list}[{at}].{key}");
            self.keep(IndicatorCode::parse(&field, id));
            if !seen.insert(id) {
                self.refuse(
                    field,
                    id,
                    format!("a {key} that occurs once in {list}"),
                    format!("在 {list} 中不重复的 {key}"),
                );
            }
        }
    }

    fn label(id: &str, zh: &str, en: &str) -> Label {
        let or_id = |name: &str| {
            if name.is_empty() {
                id.to_owned()
            } else {
                name.to_owned()
            }
        };
        Label {
            id: id.to_owned(),
            zh: or_id(zh),
            en: or_id(en),
        }
    }

    fn parameters(&mut self, document: &Document) -> BTreeMap<String, Decimal> {
        self.unique(
            "parameters",
            "name",
            document
                .parameters
                .iter()
                .map(|parameter| parameter.name.as_str()),
        );
        let mut values = BTreeMap::new();
        for (at, parameter) in document.parameters.iter().enumerate() {
            if is_reserved(&parameter.name) {
                self.refuse(
                    format!("parameters[{at}].name"),
                    &parameter.name,
                    "a name that is no word of the language",
                    "不是公式语言保留字的名称",
                );
            }
            let value = self.keep(parse_decimal(
                &format!("parameters[{at}].value"),
                &parameter.value.0,
            ));
            let dimension = match parameter.unit.as_str() {
                "" => Some(Dimension::default()),
                unit => self.keep(Dimension::parse(&format!("parameters[{at}].unit"), unit)),
            };
            values.insert(parameter.name.clone(), value.unwrap_or_default());
            self.parameters
                .insert(parameter.name.clone(), dimension.unwrap_or_default());
        }
        values
    }

    fn set_asides(&mut self, document: &Document) -> Vec<SetAside> {
        self.unique(
            "set_asides",
            "id",
            document.set_asides.iter().map(|set_aside| set_aside.id.as_str()),
        );
        let mut found = Vec::new();
        for (at, text) in document.set_asides.iter().enumerate() {
            if let Some(sum) = self.sum(&format!("set_asides[{at}]"), &text.percent, &text.amount) {
                found.push(SetAside {
                    label: Self::label(&text.id, &text.name_zh, &text.name_en),
                    sum,
                });
            }
        }
        found
    }

    fn sum(&mut self, path: &str, percent: &Exact, amount: &Exact) -> Option<Sum> {
        match (percent.0.as_str(), amount.0.as_str()) {
            ("", "") => {
                self.refuse(
                    format!("{path}.percent"),
                    "",
                    "a percent or an amount",
                    "百分比 percent 或金额 amount 之一",
                );
                None
            }
            (percent, "") => {
                let field = format!("{path}.percent");
                let value = self.keep(parse_decimal(&field, percent))?;
                if value < Decimal::ZERO || value > Decimal::ONE_HUNDRED {
                    self.refuse(field, percent, "0 to 100", "0 至 100");
                    return None;
                }
                Some(Sum::Percent(value))
            }
            ("", amount) => {
                let field = format!("{path}.amount");
                let value = self.keep(Money::parse(&field, amount))?;
                if value.is_negative() {
                    self.refuse(field, amount, "zero or more", "不小于零");
                    return None;
                }
                Some(Sum::Amount(value))
            }
            (percent, amount) => {
                self.refuse(
                    path,
                    format!("percent {percent} and amount {amount}"),
                    "only one of percent and amount",
                    "percent 与 amount 只能有一个",
                );
                None
            }
        }
    }

    fn adjustments(&mut self, document: &Document) -> Vec<Adjustment> {
        self.unique(
            "adjustments",
            "id",
            document
                .adjustments
                .iter()
                .map(|adjustment| adjustment.id.as_str()),
        );
        let ids: Vec<&str> = document
            .components
            .iter()
            .map(|component| component.id.as_str())
            .collect();
        let mut found = Vec::new();
        for (at, text) in document.adjustments.iter().enumerate() {
            let field = format!("adjustments[{at}].factor");
            if let Some((factor, dimension)) = self.expression(&field, &text.factor) {
                if dimension.as_ref().is_some_and(|dimension| !dimension.is_number()) {
                    self.refuse(
                        field,
                        show(dimension.as_ref()),
                        "a coefficient without a unit",
                        "无单位的系数",
                    );
                }
                found.push(Adjustment {
                    label: Self::label(&text.id, &text.name_zh, &text.name_en),
                    factor,
                });
            }
            for (position, id) in text.components.iter().enumerate() {
                if !ids.contains(&id.as_str()) {
                    self.refuse(
                        format!("adjustments[{at}].components[{position}]"),
                        id,
                        format!("one of {}", ids.join(", ")),
                        format!("下列之一:{}", ids.join("、")),
                    );
                }
            }
        }
        found
    }

    fn components(&mut self, document: &Document) -> Vec<Component> {
        if document.components.is_empty() {
            self.refuse("components", "none", "at least one component", "至少一个分配因素");
        }
        self.unique(
            "components",
            "id",
            document.components.iter().map(|component| component.id.as_str()),
        );
        let found: Vec<Component> = (document.components.iter().enumerate())
            .filter_map(|(at, text)| {
                let adjustments = (document.adjustments.iter().enumerate())
                    .filter(|(_, adjustment)| {
                        adjustment.components.is_empty() || adjustment.components.contains(&text.id)
                    })
                    .map(|(position, _)| position)
                    .collect();
                self.component(&format!("components[{at}]"), text, adjustments)
            })
            .collect();
        let percents: Vec<Decimal> = found
            .iter()
            .filter_map(|c| {
                if let Sum::Percent(percent) = c.sum {
                    Some(percent)
                } else {
                    None
                }
            })
            .collect();
        // Percentages have at most 28 digits and lie within 0 to 100, so a sum of 64 may exceed 28 digits: add exactly.
        let sum: num_rational::BigRational = percents
            .iter()
            .map(|percent| crate::domain::exact::rational(*percent))
            .sum();
        let hundred = crate::domain::exact::rational(Decimal::ONE_HUNDRED);
        if found.len() == document.components.len() && !percents.is_empty() && sum != hundred {
            let terms: Vec<String> = percents
                .iter()
                .map(|percent| percent.normalize().to_string())
                .collect();
            let shown = crate::domain::exact::Fraction::from(sum).to_decimal_text(30);
            let shown = shown.trim_end_matches('0').trim_end_matches('.');
            self.refuse(
                "components[].percent",
                format!("{} = {shown}", terms.join(" + ")),
                "percentages that sum to exactly 100",
                "各百分比之和恰为 100",
            );
        }
        let redistributes = |c: &Component| {
            matches!(
                c.mode,
                Mode::Rate {
                    remainder: Remainder::Redistribute,
                    ..
                }
            )
        };
        let takes = |c: &Component| matches!((&c.mode, c.sum), (Mode::Share, Sum::Percent(percent)) if !percent.is_zero());
        if let Some(at) = found.iter().position(redistributes)
            && !found.iter().any(takes)
        {
            self.refuse(
                format!("components[{at}].remainder"),
                "redistribute",
                "keep, because no percentage component in share mode could take the remainder",
                "keep(没有可承接余额的按比例分配因素)",
            );
        }
        found
    }

    fn component(&mut self, path: &str, text: &ComponentText, adjustments: Vec<usize>) -> Option<Component> {
        let sum = self.sum(path, &text.percent, &text.amount);
        let score = self.expression(&format!("{path}.score"), &text.score);
        let is_rate = self.choice(
            &format!("{path}.mode"),
            &text.mode,
            &[("", false), ("share", false), ("rate", true)],
        )?;
        let mode = if is_rate {
            let rate = self.expression(&format!("{path}.rate"), &text.rate);
            let choices = [
                ("keep", Remainder::Keep),
                ("redistribute", Remainder::Redistribute),
            ];
            let remainder = self.choice(&format!("{path}.remainder"), &text.remainder, &choices);
            let (rate, rate_dimension) = rate?;
            let (_, quantity) = score.as_ref()?;
            let product = match (&rate_dimension, quantity) {
                (Some(rate), quantity) => Some(rate.times(&quantity.clone().unwrap_or_default())),
                // A bare literal counts as yuan for each unit of whatever the quantity counts.
                (None, _) => None,
            };
            if product
                .as_ref()
                .is_some_and(|product| *product != Dimension::yuan())
            {
                self.refuse(
                    format!("{path}.rate"),
                    format!("rate times quantity in {}", show(product.as_ref())),
                    "a rate that gives yuan when multiplied by the quantity",
                    "与数量相乘后单位为元的标准",
                );
            }
            Mode::Rate {
                rate,
                remainder: remainder?,
            }
        } else {
            for (key, value) in [("rate", &text.rate), ("remainder", &text.remainder)] {
                if !value.is_empty() {
                    self.refuse(
                        format!("{path}.{key}"),
                        value,
                        "nothing, in share mode",
                        "share 方式下不填",
                    );
                }
            }
            Mode::Share
        };
        Some(Component {
            label: Self::label(&text.id, &text.name_zh, &text.name_en),
            sum: sum?,
            mode,
            score: score?.0,
            adjustments,
        })
    }

    fn bound(&mut self, at: usize, text: &BoundText) -> Option<Bound> {
        let path = format!("bounds[{at}]");
        let kind = self.choice(
            &format!("{path}.kind"),
            &text.kind,
            &[("floor", BoundKind::Floor), ("cap", BoundKind::Cap)],
        );
        let bases = [("absolute", 0), ("per_head", 1), ("last_year", 2)];
        let basis = self.choice(&format!("{path}.basis"), &text.basis, &bases)?;
        let used = [
            ("amount", basis != 2),
            ("percent", basis == 2),
            ("indicator", basis != 0),
        ];
        for ((key, used), value) in used
            .into_iter()
            .zip([&text.amount.0, &text.percent.0, &text.indicator])
        {
            if !used && !value.is_empty() {
                let (en, zh) = (
                    format!("nothing, on the basis {}", text.basis),
                    format!("基准为 {} 时不填", text.basis),
                );
                self.refuse(format!("{path}.{key}"), value, en, zh);
            }
        }
        let number = |checker: &mut Self, key: &str, value: &Exact| {
            let field = format!("{path}.{key}");
            let number = checker.keep(parse_decimal(&field, &value.0))?;
            if number < Decimal::ZERO {
                checker.refuse(field, &value.0, "zero or more", "不小于零");
                return None;
            }
            Some(number)
        };
        let basis = match basis {
            0 => {
                let field = format!("{path}.amount");
                let amount = self.keep(Money::parse(&field, &text.amount.0))?;
                if amount.is_negative() {
                    self.refuse(field, &text.amount.0, "zero or more", "不小于零");
                }
                Basis::Absolute(amount)
            }
            1 => {
                let amount = number(self, "amount", &text.amount);
                let (expression, _) = self.expression(&format!("{path}.indicator"), &text.indicator)?;
                Basis::PerHead(amount?, expression)
            }
            _ => {
                let percent = number(self, "percent", &text.percent);
                let field = format!("{path}.indicator");
                let (expression, dimension) = self.expression(&field, &text.indicator)?;
                if dimension
                    .as_ref()
                    .is_some_and(|dimension| *dimension != Dimension::yuan())
                {
                    self.refuse(
                        field,
                        show(dimension.as_ref()),
                        "an amount in yuan",
                        "以元为单位的金额",
                    );
                }
                Basis::LastYear(percent?, expression)
            }
        };
        let regions = (text.regions.iter().enumerate())
            .map(|(position, code)| {
                self.keep(RegionCode::parse(&format!("{path}.regions[{position}]"), code))
            })
            .collect::<Option<Vec<RegionCode>>>();
        Some(Bound {
            kind: kind?,
            basis,
            regions: regions?,
        })
    }

    /// Reads an expression and finds its dimension; `None` for a bare literal, which fits any.
    fn expression(&mut self, field: &str, text: &str) -> Option<(Expression, Option<Dimension>)> {
        let expression = self.keep(Expression::parse(field, text))?;
        let mut dimensions: Vec<Option<Dimension>> = Vec::with_capacity(expression.nodes().len());
        for (id, node) in expression.nodes().iter().enumerate() {
            let unify = |a: usize, b: usize| match (&dimensions[a], &dimensions[b]) {
                (Some(x), Some(y)) if x != y => Err((x.clone(), y.clone())),
                (Some(x), _) | (None, Some(x)) => Ok(Some(x.clone())),
                (None, None) => Ok(None),
            };
            let plain = |a: usize| dimensions[a].clone().unwrap_or_default();
            let known = |a: usize, b: usize| dimensions[a].is_some() || dimensions[b].is_some();
            let dimension = match node {
                Node::Number(_) => Ok(None),
                Node::Parameter(name) => match self.parameters.get(name) {
                    Some(dimension) => Ok(Some(dimension.clone())),
                    None => {
                        let mut names: Vec<String> =
                            self.parameters.keys().map(|name| format!("${name}")).collect();
                        names.sort();
                        let names = if names.is_empty() {
                            "none is declared".to_owned()
                        } else {
                            names.join(", ")
                        };
                        self.refuse(
                            field,
                            format!("${name}"),
                            format!("a declared parameter: {names}"),
                            format!("已声明的参数:{names}"),
                        );
                        return None;
                    }
                },
                Node::Indicator { code, .. } => match self.indicators.get(code) {
                    Some(dimension) => Ok(Some(dimension.clone())),
                    None => {
                        self.refuse(
                            field,
                            code.as_str(),
                            "the code of an indicator that has been imported",
                            "已导入的指标代码",
                        );
                        return None;
                    }
                },
                Node::Binary(Operation::Multiply, a, b) => {
                    Ok(known(*a, *b).then(|| plain(*a).times(&plain(*b))))
                }
                Node::Binary(Operation::Divide, a, b) => Ok(known(*a, *b).then(|| plain(*a).per(&plain(*b)))),
                Node::Binary(_, a, b) | Node::Compare(_, a, b) => unify(*a, *b),
                Node::If { then, otherwise, .. } => unify(*then, *otherwise),
                Node::Share(_) => Ok(Some(Dimension::default())),
                Node::Total(a) => Ok(dimensions[*a].clone()),
                Node::And(..) | Node::Or(..) | Node::Not(_) => Ok(None),
            };
            match dimension {
                Ok(dimension) => dimensions.push(dimension),
                Err((left, right)) => {
                    self.refuse(
                        field,
                        format!("{left} beside {right} in \"{}\"", expression.text_of(id)),
                        "values of the same unit to add, compare or choose between",
                        "相加、比较或择一的数值单位须一致",
                    );
                    return None;
                }
            }
        }
        let dimension = dimensions.pop().flatten();
        Some((expression, dimension))
    }
}

fn show(dimension: Option<&Dimension>) -> String {
    dimension.map_or_else(|| "a bare number".to_owned(), ToString::to_string)
}
