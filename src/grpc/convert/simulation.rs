//! Simulations: what is asked has the same fields on both sides; answers are written.

mod answers;

pub use answers::{
    from_comparison, from_event, from_fairness, from_goal, from_samples_event, from_stability,
    from_sweep_event,
};

use super::allocation::advance;
use super::formula::document;
use super::mirror::mirror;
use super::{localized, names, signature};
use crate::app::computation::FormulaSource;
use crate::app::simulation::document::{
    AxisText, BaseText, ChangeText, ComparisonText, CorrelationText, FairnessText, GoalText, KnobText,
    MonteCarloText, Question, ScenarioText, StabilityText, SweepText, TargetText, UncertainText,
};
use crate::app::simulation::event::Provenance;
use crate::app::simulation::{BaseRequest, Kept, SimulationRequest};
use crate::domain::allocation::Stage;
use crate::domain::error::{Error, Violation};
use crate::domain::money::Money;
use crate::domain::statistics::parse_year;
use crate::grpc::pb;

mirror! {
    ChangeText = ScenarioChange {
        same: what, id, others, year, region, position, unit, method;
        text: to, by, percent;
        maybe: bound;
    }
    KnobText = ScenarioKnob { same: what, id, how, others, year, region, position; }
    ScenarioText = Scenario { same: name; list: changes; }
    ComparisonText = ScenarioComparison { same: heads, against; list: scenarios; }
    AxisText = SweepAxis { one: knob; texts: values; text: from, to, step; }
    SweepText = Sweep { list: changes, axes; }
    UncertainText = UncertainIndicator {
        same: name, indicator, year, regions, distribution, measure, truncate;
        text: deviation, low, mode, high, together;
        texts: errors;
    }
    CorrelationText = UncertainCorrelation { same: a, b; text: value; }
    MonteCarloText = MonteCarlo {
        same: samples, seed, last_year, driver_samples;
        list: changes, uncertain, correlations;
    }
    TargetText = GoalTarget { same: what, region, other, heads; text: at_least, at_most; }
    GoalText = Goal { list: changes; one: axis, target; }
    StabilityText = Stability { list: changes; one: axis; }
    FairnessText = Fairness { list: scenarios; same: heads, migrants; }
}

/// Writes the base of a file.
pub fn from_base_text(text: BaseText) -> pb::SimulationBase {
    pb::SimulationBase {
        document: None,
        formula: text.formula,
        data_set: text.data_set,
        pool: text.pool.0,
        year: text.year,
        scope: text.scope,
        advance_percent: text.advance_percent.0,
    }
}

/// Reads a base.
pub fn base(message: Option<pb::SimulationBase>) -> Result<BaseRequest, Error> {
    let message = message.unwrap_or_default();
    let formula = match (message.document, message.formula.as_str()) {
        (Some(given), "") => FormulaSource::Given(Box::new(document(given))),
        (None, name) => FormulaSource::Stored(names::formula("base.formula", name)?),
        (Some(_), name) => {
            return Err(Violation::new(
                "base.formula",
                name,
                "nothing, where document is given",
                "已给出 document 时不填",
            )
            .into());
        }
    };
    Ok(BaseRequest {
        formula,
        data: names::data_set_revision("base.data_set", &message.data_set)?,
        pool: Money::parse("base.pool", &message.pool)?,
        year: parse_year("base.year", &message.year.to_string())?,
        scope: names::optional_region("base.scope", &message.scope)?,
        stage: advance("base.advance_percent", &message.advance_percent)?,
    })
}

/// Reads a base and what is asked of it.
pub fn request(
    base_message: Option<pb::SimulationBase>,
    question: Question,
) -> Result<SimulationRequest, Error> {
    Ok(SimulationRequest {
        base: base(base_message)?,
        question,
    })
}

/// Reads what is to be kept.
pub fn kept_request(message: pb::SimulationRequest) -> Result<SimulationRequest, Error> {
    use pb::simulation_request::Analysis;
    let question = match message.analysis {
        Some(Analysis::Comparison(asked)) => Question::Comparison(asked.into()),
        Some(Analysis::Sweep(asked)) => Question::Sweep(asked.into()),
        Some(Analysis::MonteCarlo(asked)) => Question::MonteCarlo(asked.into()),
        Some(Analysis::Goal(asked)) => Question::Goal(asked.into()),
        Some(Analysis::Stability(asked)) => Question::Stability(asked.into()),
        Some(Analysis::Fairness(asked)) => Question::Fairness(asked.into()),
        None => {
            return Err(Violation::new(
                "request.analysis",
                "nothing",
                "one of comparison, sweep, monte_carlo, goal, stability and fairness",
                "情景对比、网格测算、蒙特卡洛、目标求解、稳定性、公平性之一",
            )
            .into());
        }
    };
    request(message.base, question)
}

fn analysis(question: Question) -> pb::simulation_request::Analysis {
    use pb::simulation_request::Analysis;
    match question {
        Question::Comparison(asked) => Analysis::Comparison(asked.into()),
        Question::Sweep(asked) => Analysis::Sweep(asked.into()),
        Question::MonteCarlo(asked) => Analysis::MonteCarlo(asked.into()),
        Question::Goal(asked) => Analysis::Goal(asked.into()),
        Question::Stability(asked) => Analysis::Stability(asked.into()),
        Question::Fairness(asked) => Analysis::Fairness(asked.into()),
    }
}

/// Writes a kept simulation, with or without what was asked.
pub fn from_kept(kept: Kept, with_request: bool) -> Result<pb::Simulation, Error> {
    let provenance = from_provenance(&kept.provenance());
    let kind = kept.question.kind().to_owned();
    let request = with_request.then(|| pb::SimulationRequest {
        base: Some(pb::SimulationBase {
            document: None,
            formula: provenance.formula.clone(),
            data_set: provenance.data_set.clone(),
            pool: kept.pool.to_string(),
            year: kept.year,
            scope: String::new(),
            advance_percent: advance_percent(&kept.stage),
        }),
        analysis: Some(analysis(kept.question)),
    });
    Ok(pb::Simulation {
        name: kept.id.resource_name(),
        title: kept.title,
        kind,
        request,
        provenance: Some(provenance),
        evaluations: kept.evaluations,
        result_digest: kept.result_digest.to_string(),
        summary: Some(localized(&kept.summary)),
        created: Some(signature(&kept.created)?),
    })
}

fn advance_percent(stage: &Stage) -> String {
    stage
        .advance_percent()
        .map(|percent| percent.to_string())
        .unwrap_or_default()
}

fn from_provenance(provenance: &Provenance) -> pb::SimulationProvenance {
    let (formula, data) = (&provenance.formula, &provenance.data);
    pb::SimulationProvenance {
        formula: match formula.revision {
            0 => String::new(),
            revision => format!("formulas/{}/revisions/{revision}", formula.id),
        },
        formula_digest: formula.digest.to_string(),
        data_set: format!("dataSets/{}/revisions/{}", data.id, data.revision),
        data_digest: data.digest.to_string(),
        pool: provenance.pool.to_string(),
        year: provenance.year,
        input_digest: provenance.input_digest.to_string(),
        formula_title: Some(localized(&provenance.formula_title)),
        illustrative: provenance.illustrative.clone(),
        sources: provenance.sources.clone(),
    }
}
