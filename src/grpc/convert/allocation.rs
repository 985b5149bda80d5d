//! Allocations, comparisons and explanations.

use super::{localized, names, optional_signature, signature};
use crate::app::allocations::Comparison;
use crate::app::computation::Computed;
use crate::domain::allocation::{Line, NamedAmount, Outcome, Run, RunId, RunInputs, Stage, State};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::exact::Fraction;
use crate::domain::formula::trace::{ComponentTrace, Explanation, FactorTrace, InputTrace};
use crate::domain::money::Money;
use crate::domain::statistics::parse_decimal;
use crate::grpc::pb;

const STATES: [(State, pb::AllocationState); 4] = [
    (State::Draft, pb::AllocationState::Draft),
    (State::Approved, pb::AllocationState::Approved),
    (State::Issued, pb::AllocationState::Issued),
    (State::Superseded, pb::AllocationState::Superseded),
];

/// Reads a state to filter by; none where it is not given.
pub fn state(field: &str, wire: i32) -> Result<Option<State>, Violation> {
    if wire == 0 {
        return Ok(None);
    }
    let known = STATES
        .into_iter()
        .find(|(_, known)| *known as i32 == wire)
        .map(|(state, _)| Some(state));
    known.ok_or_else(|| {
        Violation::new(
            field,
            wire.to_string(),
            "a state of an allocation",
            "分配方案的状态",
        )
    })
}

/// Reads the percentage of an advance, where one is given.
pub fn advance(field: &str, percent: &str) -> Result<Stage, Violation> {
    if percent.is_empty() {
        Ok(Stage::Full)
    } else {
        Ok(Stage::Advance {
            percent: parse_decimal(field, percent)?,
        })
    }
}

/// Reads the stage of a run with what belongs to it.
pub fn stage(wire: i32, advance_percent: &str, settles: &str) -> Result<Stage, Violation> {
    let unused = |field: &str, text: &str| {
        if text.is_empty() {
            return Ok(());
        }
        Err(Violation::new(field, text, "nothing at this stage", "此阶段不填"))
    };
    match pb::AllocationStage::try_from(wire) {
        Ok(pb::AllocationStage::Unspecified | pb::AllocationStage::Full) => {
            unused("advance_percent", advance_percent)?;
            unused("settles", settles)?;
            Ok(Stage::Full)
        }
        Ok(pb::AllocationStage::Advance) => {
            unused("settles", settles)?;
            Ok(Stage::Advance {
                percent: parse_decimal("advance_percent", advance_percent)?,
            })
        }
        Ok(pb::AllocationStage::Settlement) => {
            unused("advance_percent", advance_percent)?;
            Ok(Stage::Settlement {
                advance: names::allocation("settles", settles)?,
            })
        }
        Err(_) => Err(Violation::new(
            "stage",
            wire.to_string(),
            "a stage of an allocation",
            "分配阶段",
        )),
    }
}

/// Writes a run, with or without its lines.
pub fn from_run(run: &Run, lines: bool) -> Result<pb::Allocation, Error> {
    let described = pb::Allocation {
        name: run.id.resource_name(),
        title: run.title.clone(),
        fund: format!("funds/{}", run.inputs.fund),
        state: STATES
            .into_iter()
            .find(|(state, _)| *state == run.state)
            .map_or(pb::AllocationState::Unspecified, |(_, wire)| wire)
            .into(),
        etag: run.etag(),
        created: Some(signature(&run.created)?),
        approved: optional_signature(run.approved.as_ref())?,
        issued: optional_signature(run.issued.as_ref())?,
        superseded: optional_signature(run.superseded.as_ref())?,
        replacement: run
            .replacement
            .as_ref()
            .map(RunId::resource_name)
            .unwrap_or_default(),
        ..from_result(&run.inputs, &run.outcome)
    };
    Ok(if lines {
        described
    } else {
        pb::Allocation {
            lines: Vec::new(),
            ..described
        }
    })
}

/// Writes a computation that is not stored.
pub fn from_computed(computed: &Computed) -> pb::Allocation {
    from_result(&computed.inputs, &computed.outcome)
}

fn from_result(inputs: &RunInputs, outcome: &Outcome) -> pb::Allocation {
    let stage = match inputs.stage {
        Stage::Full => pb::AllocationStage::Full,
        Stage::Advance { .. } => pb::AllocationStage::Advance,
        Stage::Settlement { .. } => pb::AllocationStage::Settlement,
    };
    let stored = |revision: u32, name: String| {
        if revision == 0 {
            String::new()
        } else {
            format!("{name}/revisions/{revision}")
        }
    };
    let total = outcome.total();
    pb::Allocation {
        stage: stage.into(),
        advance_percent: inputs
            .stage
            .advance_percent()
            .map(|percent| percent.to_string())
            .unwrap_or_default(),
        settles: match &inputs.stage {
            Stage::Settlement { advance } => advance.resource_name(),
            _ => String::new(),
        },
        pool: inputs.pool.to_string(),
        year: inputs.year,
        formula: stored(inputs.formula.revision, format!("formulas/{}", inputs.formula.id)),
        formula_digest: inputs.formula.digest.as_str().to_owned(),
        data_set: stored(inputs.data.revision, format!("dataSets/{}", inputs.data.id)),
        data_digest: inputs.data.digest.as_str().to_owned(),
        input_digest: inputs.digest().as_str().to_owned(),
        allocated_now: outcome.allocated_now.to_string(),
        set_asides: outcome.set_asides.iter().map(named).collect(),
        tail: outcome.tail.to_string(),
        distributable: outcome.distributable.to_string(),
        kept: outcome.kept.to_string(),
        total: total.to_string(),
        payable_total: outcome.payable_total().to_string(),
        components: outcome.components.iter().map(named).collect(),
        rounding_unit: outcome.unit.code().to_owned(),
        rounding_method: outcome.method.code().to_owned(),
        illustrative: outcome.illustrative.clone(),
        lines: outcome.lines.iter().map(|line| from_line(line, total)).collect(),
        ..pb::Allocation::default()
    }
}

fn named(amount: &NamedAmount) -> pb::NamedAmount {
    pb::NamedAmount {
        id: amount.id.clone(),
        name: Some(localized(&amount.name)),
        amount: amount.amount.to_string(),
    }
}

fn from_line(line: &Line, total: Money) -> pb::AllocationLine {
    let percent = if total == Money::ZERO {
        String::new()
    } else {
        Fraction::new((i128::from(line.amount.fen()) * 100).into(), total.fen().into()).to_decimal_text(4)
    };
    pb::AllocationLine {
        region: names::of_region(&line.region),
        region_name: Some(localized(&Bilingual::new(&line.name_en, &line.name_zh))),
        components: line.components.iter().map(ToString::to_string).collect(),
        bounds_adjustment: line.bounds_adjustment.to_string(),
        placement: placement(&line.placement),
        residual_units: line.residual_units,
        amount: line.amount.to_string(),
        advanced: line.advanced.to_string(),
        payable: line.payable().to_string(),
        percent,
    }
}

fn placement(code: &str) -> i32 {
    match code {
        "free" => pb::Placement::Free,
        "floor" => pb::Placement::Floor,
        "cap" => pb::Placement::Cap,
        _ => pb::Placement::Unspecified,
    }
    .into()
}

/// Writes a comparison.
pub fn from_comparison(comparison: &Comparison) -> pb::CompareAllocationsResponse {
    let amount = |amount: Option<Money>| amount.map(|amount| amount.to_string()).unwrap_or_default();
    let differences = comparison
        .differences
        .iter()
        .map(|difference| pb::AllocationDifference {
            region: names::of_region(&difference.region),
            region_name: Some(localized(&Bilingual::new(
                &difference.name_en,
                &difference.name_zh,
            ))),
            before: amount(difference.before),
            after: amount(difference.after),
            change: difference.change.to_string(),
            change_percent: difference.change_percent.clone(),
        });
    pb::CompareAllocationsResponse {
        differences: differences.collect(),
        inputs: comparison.inputs.clone(),
        total_before: comparison.total_before.to_string(),
        total_after: comparison.total_after.to_string(),
        total_change: comparison
            .total_after
            .checked_sub(comparison.total_before)
            .unwrap_or_default()
            .to_string(),
    }
}

/// Writes an explanation.
pub fn from_explanation(explanation: Explanation) -> pb::Explanation {
    pb::Explanation {
        region: names::of_region(&explanation.region),
        region_name: explanation.region_name,
        inputs: explanation.inputs.into_iter().map(input).collect(),
        components: explanation.components.into_iter().map(component).collect(),
        unbounded: explanation.unbounded,
        floor: explanation.floor.to_string(),
        cap: explanation.cap.map(|cap| cap.to_string()).unwrap_or_default(),
        placement: placement(&explanation.placement),
        refill_factor: explanation.refill_factor,
        quota: explanation.quota,
        quota_decimal: explanation.quota_decimal,
        rounding_unit: explanation.rounding_unit,
        rounding_method: explanation.rounding_method,
        residual_units: explanation.residual_units,
        amount: explanation.amount.to_string(),
        sentence: Some(localized(&explanation.sentence)),
    }
}

fn input(trace: InputTrace) -> pb::ExplanationInput {
    pb::ExplanationInput {
        indicator: format!("indicators/{}", trace.indicator),
        indicator_name: Some(pb::LocalizedText {
            zh: trace.name_zh,
            en: trace.name_en,
        }),
        year: trace.year,
        value: trace.value,
        unit: trace.unit,
        source: trace.source,
        revision: trace.revision,
    }
}

fn component(trace: ComponentTrace) -> pb::ExplanationComponent {
    let factor = |trace: FactorTrace| pb::ExplanationFactor {
        id: trace.id,
        name: Some(localized(&trace.name)),
        substituted: trace.substituted,
        value: trace.value,
    };
    pb::ExplanationComponent {
        id: trace.id,
        name: Some(localized(&trace.name)),
        expression: trace.expression,
        substituted: trace.substituted,
        score: trace.score,
        factors: trace.factors.into_iter().map(factor).collect(),
        rate: trace.rate,
        adjusted_score: trace.adjusted_score,
        score_sum: trace.score_sum,
        share: trace.share,
        share_percent: trace.share_percent,
        pool: trace.pool,
        claimed: trace.claimed,
        amount: trace.amount,
        amount_decimal: trace.amount_decimal,
    }
}
