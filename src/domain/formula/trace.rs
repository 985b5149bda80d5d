//! Why a region's amount is what it is: the whole derivation, from observation to fen.

use super::bounds::Placement;
use super::check::Mode;
use super::evaluate::{Evaluation, share_of};
use super::expression::Node;
use crate::domain::error::Bilingual;
use crate::domain::exact::Fraction;
use crate::domain::money::{FEN_PER_YUAN, Money};
use crate::domain::region::RegionCode;

/// Longest exact fraction written out, in characters; a longer one is given to 30 decimals and its size.
const FRACTION_CHARS: usize = 160;

/// An observation that entered the derivation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct InputTrace {
    /// Indicator code.
    pub indicator: String,
    /// Its Chinese name.
    pub name_zh: String,
    /// Its English name.
    pub name_en: String,
    /// Year observed.
    pub year: i32,
    /// The value, in `unit`.
    pub value: String,
    /// Code of the unit.
    pub unit: String,
    /// Where the value comes from.
    pub source: String,
    /// Revision of the observation.
    pub revision: u32,
}

/// A coefficient that was applied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FactorTrace {
    /// Id in the formula.
    pub id: String,
    /// Names.
    pub name: Bilingual,
    /// The expression with this region's values in it.
    pub substituted: String,
    /// Its exact value.
    pub value: String,
}

/// One component's part in the derivation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ComponentTrace {
    /// Id in the formula.
    pub id: String,
    /// Names.
    pub name: Bilingual,
    /// The score expression.
    pub expression: String,
    /// The same with this region's values in it.
    pub substituted: String,
    /// The score before adjustment, exact.
    pub score: String,
    /// The coefficients applied.
    pub factors: Vec<FactorTrace>,
    /// In `rate` mode, yuan for each unit of quantity, exact; else empty.
    pub rate: String,
    /// The score that counts: adjusted, and in `rate` mode times the rate, exact.
    pub adjusted_score: String,
    /// The sum of those of all regions, exact.
    pub score_sum: String,
    /// This region's share of that sum, exact; empty where the sum is zero.
    pub share: String,
    /// The same in percent, for reading.
    pub share_percent: String,
    /// The component's money in yuan, exact.
    pub pool: String,
    /// In `rate` mode: what all regions could claim in yuan, exact; else empty.
    pub claimed: String,
    /// This region's amount from the component in yuan, exact, before bounds and rounding.
    pub amount: String,
    /// The same to 4 decimals, for reading.
    pub amount_decimal: String,
}

/// The derivation of one region's amount.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Explanation {
    /// The region.
    pub region: RegionCode,
    /// Its name.
    pub region_name: String,
    /// Observations used.
    pub inputs: Vec<InputTrace>,
    /// Components, in the formula's order.
    pub components: Vec<ComponentTrace>,
    /// The sum of the components in yuan, exact.
    pub unbounded: String,
    /// The least the region may receive.
    pub floor: Money,
    /// The most, where there is a cap below the total.
    pub cap: Option<Money>,
    /// `free`, `floor` or `cap`.
    pub placement: String,
    /// What free amounts were multiplied by to fill what bounds left, exact; empty where they were not.
    pub refill_factor: String,
    /// The exact amount in yuan before rounding.
    pub quota: String,
    /// The same to 6 decimals, for reading.
    pub quota_decimal: String,
    /// Code of the rounding unit.
    pub rounding_unit: String,
    /// Code of the method.
    pub rounding_method: String,
    /// Whole units above the floor of the quota that the method gave.
    pub residual_units: i64,
    /// The amount.
    pub amount: Money,
    /// The whole as sentences.
    pub sentence: Bilingual,
}

/// Explains the amount of the region in a row.
pub fn explain(evaluation: &Evaluation<'_>, row: usize) -> Explanation {
    let region = evaluation.inputs.regions[row];
    let formula = evaluation.formula;
    let unit = formula.unit;
    let to_yuan = Fraction::new(unit.fen().into(), FEN_PER_YUAN.into());
    let components: Vec<ComponentTrace> = (0..formula.components.len())
        .map(|at| component(evaluation, at, row, &to_yuan))
        .collect();
    let limits = evaluation.bounds.limits[row];
    let placement = evaluation.bounds.placements[row];
    let as_money = |units: i64| {
        units
            .checked_mul(unit.fen())
            .and_then(Money::from_fen)
            .unwrap_or_default()
    };
    let total_units = evaluation.total().fen() / unit.fen();
    let quota = evaluation.quota(row).times(&to_yuan);
    let mut explanation = Explanation {
        region: region.code.clone(),
        region_name: region.label().to_owned(),
        inputs: inputs(evaluation, row),
        components,
        unbounded: fraction_text(&evaluation.amounts.exact(row).times(&to_yuan)),
        floor: as_money(limits.low),
        cap: (limits.high < total_units).then(|| as_money(limits.high)),
        placement: match placement {
            Placement::Floor if limits.low == 0 => "free",
            Placement::Free => "free",
            Placement::Floor => "floor",
            Placement::Cap => "cap",
        }
        .to_owned(),
        refill_factor: evaluation
            .bounds
            .factor
            .as_ref()
            .map(fraction_text)
            .unwrap_or_default(),
        quota: fraction_text(&quota),
        quota_decimal: quota.to_decimal_text(6),
        rounding_unit: unit.code().to_owned(),
        rounding_method: formula.method.code().to_owned(),
        residual_units: evaluation.residual[row],
        amount: evaluation.results[row],
        sentence: Bilingual::new("", ""),
    };
    explanation.sentence = sentence(evaluation, row, &to_yuan, &explanation);
    explanation
}

fn inputs(evaluation: &Evaluation<'_>, row: usize) -> Vec<InputTrace> {
    let trace = |column: &super::inputs::InputColumn<'_>| {
        let observation = column.observations[row];
        InputTrace {
            indicator: column.indicator.code.as_str().to_owned(),
            name_zh: column.indicator.name_zh.clone(),
            name_en: column.indicator.name_en.clone(),
            year: column.year,
            value: observation.value.to_string(),
            unit: column.indicator.unit.code.to_owned(),
            source: observation.source.clone(),
            revision: observation.revision,
        }
    };
    evaluation.inputs.columns().map(trace).collect()
}

fn component(evaluation: &Evaluation<'_>, at: usize, row: usize, to_yuan: &Fraction) -> ComponentTrace {
    let component = &evaluation.formula.components[at];
    let result = &evaluation.components[at];
    let part = &evaluation.amounts.parts()[at];
    let amount = part.exact(row).times(to_yuan);
    let share = share_of(part, row);
    let factors = (component.adjustments.iter().zip(&result.factors))
        .map(|(position, values)| {
            let adjustment = &evaluation.formula.adjustments[*position];
            FactorTrace {
                id: adjustment.label.id.clone(),
                name: Bilingual::new(&adjustment.label.en, &adjustment.label.zh),
                substituted: on_one_line(
                    &adjustment
                        .factor
                        .substituted(|node| value_text(evaluation, node, row)),
                ),
                value: fraction_text(&values.fraction(row)),
            }
        })
        .collect();
    ComponentTrace {
        id: component.label.id.clone(),
        name: Bilingual::new(&component.label.en, &component.label.zh),
        expression: on_one_line(component.score.text()),
        substituted: on_one_line(
            &component
                .score
                .substituted(|node| value_text(evaluation, node, row)),
        ),
        score: fraction_text(&result.score.fraction(row)),
        factors,
        rate: result
            .rate
            .as_ref()
            .map(|rate| fraction_text(&rate.fraction(row)))
            .unwrap_or_default(),
        adjusted_score: fraction_text(&part.scores().fraction(row)),
        score_sum: fraction_text(part.score_sum()),
        share: share.as_ref().map(fraction_text).unwrap_or_default(),
        share_percent: share
            .map(|share| share.times(&Fraction::whole(100)).to_decimal_text(4))
            .unwrap_or_default(),
        pool: fraction_text(&result.pool.times(to_yuan)),
        claimed: result
            .claimed
            .as_ref()
            .map(|claimed| fraction_text(&claimed.times(to_yuan)))
            .unwrap_or_default(),
        amount: fraction_text(&amount),
        amount_decimal: amount.to_decimal_text(4),
    }
}

/// An expression as a sentence can hold it.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn value_text(evaluation: &Evaluation<'_>, node: &Node, row: usize) -> Option<String> {
    match node {
        Node::Parameter(name) => evaluation.formula.parameters.get(name).map(ToString::to_string),
        Node::Indicator { code, years_back } => {
            let column = evaluation.inputs.column(code, *years_back)?;
            Some(fraction_text(&column.values.fraction(row)))
        }
        _ => None,
    }
}

/// A fraction in lowest terms, as a whole number or finite decimal where it is one.
pub fn fraction_text(fraction: &Fraction) -> String {
    let reduced = fraction.reduced();
    if let Some(decimal) = finite_decimal(&reduced) {
        return decimal;
    }
    let text = format!("{}/{}", reduced.numer(), reduced.denom());
    if text.len() <= FRACTION_CHARS {
        return text;
    }
    format!(
        "{}… (exact fraction of {} digits)",
        fraction.to_decimal_text(30),
        text.len() - 1
    )
}

/// The decimal that a reduced fraction is, where its denominator divides 10^12.
fn finite_decimal(reduced: &crate::domain::exact::BigRational) -> Option<String> {
    const PLACES: u32 = 12;
    let power = crate::domain::exact::BigInt::from(10_i64.pow(PLACES));
    if (&power % reduced.denom()) != crate::domain::exact::BigInt::ZERO {
        return None;
    }
    let text = Fraction::from(reduced.clone()).to_decimal_text(PLACES);
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

fn sentence(
    evaluation: &Evaluation<'_>,
    row: usize,
    to_yuan: &Fraction,
    explanation: &Explanation,
) -> Bilingual {
    let mut en: Vec<String> = Vec::new();
    let mut zh: Vec<String> = Vec::new();
    for ((trace, component), result) in (explanation.components.iter())
        .zip(&evaluation.formula.components)
        .zip(&evaluation.components)
    {
        let value = if trace.substituted == trace.score {
            trace.score.clone()
        } else {
            format!("{} = {}", trace.substituted, trace.score)
        };
        let factors_en: String = trace
            .factors
            .iter()
            .map(|f| format!(", times {} {}", f.name.en, f.value))
            .collect();
        let factors_zh: String = trace
            .factors
            .iter()
            .map(|f| format!(",乘以{} {}", f.name.zh, f.value))
            .collect();
        // Where nothing was adjusted the score is the one that counts, and is not said twice.
        let adjusted = if trace.factors.is_empty() {
            String::new()
        } else {
            format!(" = {}", trace.adjusted_score)
        };
        let (division_en, division_zh) = (
            format!(
                "of {} in all is {} % of {} yuan",
                trace.score_sum, trace.share_percent, trace.pool
            ),
            format!(
                "占合计 {} 的 {}%,资金 {} 元",
                trace.score_sum, trace.share_percent, trace.pool
            ),
        );
        let (how_en, how_zh) = match component.mode {
            Mode::Share => (division_en, division_zh),
            Mode::Rate { .. }
                if result
                    .claimed
                    .as_ref()
                    .is_some_and(|claimed| *claimed > result.pool) =>
            {
                (
                    format!(
                        "at {} yuan each; {} yuan is less than the {} claimed, so its {division_en}",
                        trace.rate, trace.pool, trace.claimed
                    ),
                    format!(
                        "每单位 {} 元;资金 {} 元少于应补合计 {} 元,同比例核减,{division_zh}",
                        trace.rate, trace.pool, trace.claimed
                    ),
                )
            }
            Mode::Rate { .. } => (
                format!("at {} yuan each", trace.rate),
                format!("每单位 {} 元", trace.rate),
            ),
        };
        en.push(format!(
            "{}: {value}{factors_en}{adjusted}, {how_en}: {}",
            trace.name.en, trace.amount_decimal
        ));
        zh.push(format!(
            "{}:{value}{factors_zh}{adjusted},{how_zh},得 {} 元",
            trace.name.zh, trace.amount_decimal
        ));
    }
    if explanation.components.len() > 1 || explanation.quota != explanation.unbounded {
        let sum = evaluation.amounts.exact(row).times(to_yuan).to_decimal_text(6);
        en.push(format!("together {sum}"));
        zh.push(format!("合计 {sum} 元"));
    }
    match explanation.placement.as_str() {
        "floor" => {
            en.push(format!("lifted to its floor of {}", explanation.floor));
            zh.push(format!("低于下限,按下限 {} 元核定", explanation.floor));
        }
        "cap" => {
            let cap = explanation.cap.unwrap_or(explanation.amount);
            en.push(format!("cut to its cap of {cap}"));
            zh.push(format!("高于上限,按上限 {cap} 元核定"));
        }
        _ if explanation.quota != explanation.unbounded => {
            en.push(format!(
                "scaled in proportion to {}, because others are at their bounds",
                explanation.quota_decimal
            ));
            zh.push(format!(
                "因其他地区触及上下限,同比例调整为 {} 元",
                explanation.quota_decimal
            ));
        }
        _ => {}
    }
    let unit = evaluation.formula.unit;
    let method = evaluation.formula.method;
    let (residual_en, residual_zh) = match explanation.residual_units {
        0 => (String::new(), String::new()),
        units => (
            format!(
                ", with {units:+} {} by {}",
                unit.code(),
                method.code().replace('_', " ")
            ),
            format!(",按{}尾差 {units:+} {}", method.zh(), unit.zh()),
        ),
    };
    en.push(format!(
        "rounded once to the {}{residual_en}: {} yuan",
        unit.code().replace('_', " "),
        explanation.amount.grouped()
    ));
    zh.push(format!(
        "一次取整到{}{residual_zh},分配 {} 元",
        unit.zh(),
        explanation.amount.grouped()
    ));
    Bilingual::new(
        format!(
            "{} {}: {}.",
            explanation.region,
            explanation.region_name,
            en.join("; ")
        ),
        format!(
            "{}({}):{}。",
            explanation.region_name,
            explanation.region,
            zh.join(";")
        ),
    )
}
