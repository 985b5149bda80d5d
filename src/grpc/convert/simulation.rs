//! Simulations: what is asked has the same fields on both sides; answers are written.

use super::allocation::advance;
use super::formula::document;
use super::mirror::mirror;
use super::{localized, names, signature};
use crate::app::computation::FormulaSource;
use crate::app::simulation::document::{
    AxisText, BaseText, ChangeText, ComparisonText, CorrelationText, FairnessText, GoalText, KnobText,
    MonteCarloText, Question, ScenarioText, StabilityText, SweepText, TargetText, UncertainText,
};
use crate::app::simulation::event::{
    Answered, AxisHead, ComparisonAnswer, Event, Head, Points, Provenance, RegionHead, ScenarioAnswer,
    SweepEnd,
};
use crate::app::simulation::{BaseRequest, Kept, SimulationRequest};
use crate::domain::allocation::Stage;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::money::Money;
use crate::domain::simulation::Refusal;
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

fn from_region(head: &RegionHead) -> pb::SimulationRegion {
    let region = &head.region;
    pb::SimulationRegion {
        region: names::of_region(&region.code),
        name: Some(localized(&Bilingual::new(&region.name_en, &region.name_zh))),
        base_amount: head.base.to_string(),
    }
}

fn from_head(head: &Head) -> (Option<pb::SimulationProvenance>, Vec<pb::SimulationRegion>) {
    (
        Some(from_provenance(&head.provenance)),
        head.regions.iter().map(from_region).collect(),
    )
}

/// Why there is no result, in both languages: the first fault, and how many there are.
fn why(refusal: &Refusal) -> pb::LocalizedText {
    localized(&Error::Invalid(refusal.iter().take(1).cloned().collect()).message())
}

fn from_scenario(scenario: &ScenarioAnswer) -> pb::ScenarioResult {
    let line = |line: &crate::domain::simulation::Compared| pb::ScenarioLine {
        amount: line.amount.to_string(),
        change: line.change.map(|change| change.to_string()).unwrap_or_default(),
        change_percent: line.change_percent.clone().unwrap_or_default(),
        per_head: line.per_head.clone().unwrap_or_default(),
        rank: u32::try_from(line.rank).unwrap_or(u32::MAX),
    };
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    pb::ScenarioResult {
        name: scenario.name.clone(),
        lines: scenario.lines.iter().flatten().map(line).collect(),
        total: scenario.total.to_string(),
        total_change: scenario.total_change.to_string(),
        winners: count(scenario.winners),
        losers: count(scenario.losers),
        refused: scenario.lines.as_ref().err().map(why),
        changes: scenario.changes.iter().map(localized).collect(),
    }
}

/// Writes a comparison.
pub fn from_comparison(answer: &ComparisonAnswer) -> pb::CompareScenariosResponse {
    let (provenance, regions) = from_head(&answer.head);
    pb::CompareScenariosResponse {
        provenance,
        regions,
        scenarios: answer.scenarios.iter().map(from_scenario).collect(),
        result_digest: answer.result_digest.to_string(),
    }
}

fn from_sweep_begin(head: &Head, axes: &[AxisHead], points: u64) -> pb::SweepHeader {
    let (provenance, regions) = from_head(head);
    pb::SweepHeader {
        provenance,
        regions,
        axes: axes
            .iter()
            .map(|axis| pb::SweepAxisHeader {
                name: Some(localized(&axis.name)),
                values: axis.values,
            })
            .collect(),
        points,
    }
}

fn from_points(points: Points) -> pb::SweepPoints {
    pb::SweepPoints {
        first: points.first,
        count: points.count,
        coordinates: points.coordinates,
        amounts_fen: points.amounts,
        refused: points
            .refused
            .iter()
            .map(|(point, refusal)| pb::RefusedPoint {
                point: *point,
                why: Some(why(refusal)),
            })
            .collect(),
    }
}

fn from_sweep_end(end: &SweepEnd) -> pb::SweepSummary {
    let amount =
        |found: Option<(Money, u64)>| found.map(|(amount, _)| amount.to_string()).unwrap_or_default();
    let point = |found: Option<(Money, u64)>| found.map_or(0, |(_, point)| point);
    let regions = end.regions.iter().map(|region| pb::SweepRegionSummary {
        region: names::of_region(&region.region.code),
        least: amount(region.least),
        least_point: point(region.least),
        largest: amount(region.largest),
        largest_point: point(region.largest),
        points_below_base: region.below_base,
    });
    pb::SweepSummary {
        points: end.points,
        refused: end.refused,
        regions: regions.collect(),
        result_digest: end.result_digest.to_string(),
    }
}

/// Writes what is told of a sweep; none for what is of another kind.
pub fn from_sweep_event(event: Event) -> Option<pb::RunSweepResponse> {
    use pb::run_sweep_response::Content;
    let content = match event {
        Event::SweepBegins(head, axes, points) => Content::Header(from_sweep_begin(&head, &axes, points)),
        Event::Points(points) => Content::Points(from_points(points)),
        Event::SweepEnds(end) => Content::Summary(from_sweep_end(&end)),
        _ => return None,
    };
    Some(pb::RunSweepResponse {
        content: Some(content),
    })
}

/// Writes what is told of any simulation.
pub fn from_event(event: Event) -> Option<pb::StreamSimulationResultsResponse> {
    use pb::stream_simulation_results_response::Content;
    let content = match event {
        Event::Comparison(answer) => Content::Comparison(from_comparison(&answer)),
        event @ (Event::SweepBegins(..) | Event::Points(_) | Event::SweepEnds(_)) => {
            Content::Sweep(from_sweep_event(event)?)
        }
    };
    Some(pb::StreamSimulationResultsResponse {
        content: Some(content),
    })
}

/// What a call without a stream answers: the digest is that of the message.
pub fn digest_of(answered: &Answered) -> String {
    answered.result_digest.to_string()
}
