//! What simulations answer.

use super::from_provenance;
use crate::app::simulation::event::{
    AxisHead, ComparisonAnswer, Event, FairnessAnswer, GoalAnswer, Head, MonteCarloEnd, Points, RegionHead,
    ScenarioAnswer, StabilityAnswer, SweepEnd,
};
use crate::domain::error::{Bilingual, Error};
use crate::domain::exact::Fraction;
use crate::domain::money::Money;
use crate::domain::simulation::Refusal;
use crate::domain::simulation::fairness::Fairness;
use crate::domain::simulation::monte_carlo::Spread;
use crate::domain::simulation::sobol::{Sensitivity, Swing};
use crate::domain::simulation::stability::Break;
use crate::grpc::convert::{localized, names};
use crate::grpc::pb;
use rust_decimal::Decimal;

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

fn from_samples_end(end: &MonteCarloEnd) -> pb::MonteCarloSummary {
    let money = |fen: i64| Money::from_fen(fen).unwrap_or_default().to_string();
    let hundred = Fraction::whole(100);
    let percent = |count: u64| end.summary.probability(count).times(&hundred).to_decimal_text(4);
    let yuan = |fen: &Fraction| fen.over(&hundred).to_decimal_text(2);
    let spread = |(at, spread): (usize, &Spread)| pb::MonteCarloRegion {
        region: end
            .regions
            .get(at)
            .map(|head| names::of_region(&head.region.code))
            .unwrap_or_default(),
        mean: yuan(&spread.mean),
        standard_deviation: money(spread.deviation),
        quantiles: (end.quantiles.iter().zip(&spread.quantiles))
            .map(|(percent, fen)| pb::Quantile {
                percent: percent.to_string(),
                amount: money(*fen),
            })
            .collect(),
        below_base_percent: percent(spread.below_base),
        below_last_year_percent: spread.below_last_year.map(percent).unwrap_or_default(),
        last_year: (end.last_year.as_ref().and_then(|amounts| amounts.get(at)))
            .map(|fen| money(*fen))
            .unwrap_or_default(),
    };
    pb::MonteCarloSummary {
        samples: end.samples,
        seed: end.seed,
        refused: end.summary.refused,
        regions: end.summary.regions.iter().enumerate().map(spread).collect(),
        drivers: end
            .drivers
            .iter()
            .flat_map(|(found, swings)| from_drivers(end, found, swings))
            .collect(),
        result_digest: end.result_digest.to_string(),
    }
}

/// Each region's drivers, and those of all regions together.
fn from_drivers(end: &MonteCarloEnd, found: &Sensitivity, swings: &[Swing]) -> Vec<pb::Driver> {
    let millionths = |number: i64| Fraction::new(number.into(), 1_000_000.into()).to_decimal_text(6);
    let amount = |amounts: &Result<Vec<i64>, Refusal>, row: Option<usize>| {
        row.and_then(|row| amounts.as_ref().ok()?.get(row).copied())
            .and_then(Money::from_fen)
            .map(|amount| amount.to_string())
            .unwrap_or_default()
    };
    let mut drivers = Vec::new();
    let overall = found.overall.iter().map(|influences| (None, influences));
    let regions = found.regions.iter().enumerate();
    let regions = regions.filter_map(|(row, influences)| Some((Some(row), influences.as_ref()?)));
    for (row, influences) in overall.chain(regions) {
        for ((group, influence), swing) in found.groups.iter().zip(influences).zip(swings) {
            drivers.push(pb::Driver {
                input: group.name.clone(),
                region: row
                    .and_then(|row| end.regions.get(row))
                    .map(|head| names::of_region(&head.region.code))
                    .unwrap_or_default(),
                first_order: millionths(influence.first.millionths),
                first_order_error: millionths(influence.first.error_millionths),
                total: millionths(influence.total.millionths),
                total_error: millionths(influence.total.error_millionths),
                low: amount(&swing.low, row),
                high: amount(&swing.high, row),
            });
        }
    }
    drivers
}

/// Writes what is told of samples, which are sent where they are asked for.
pub fn from_samples_event(event: Event, send_samples: bool) -> Option<pb::RunMonteCarloResponse> {
    use pb::run_monte_carlo_response::Content;
    let content = match event {
        Event::SamplesBegin(head, inputs, evaluations) => {
            let (provenance, regions) = from_head(&head);
            Content::Header(pb::MonteCarloHeader {
                provenance,
                regions,
                inputs: inputs.iter().map(localized).collect(),
                evaluations,
            })
        }
        Event::Progress(done, total) => Content::Progress(pb::SimulationProgress { done, total }),
        Event::Samples(samples) if send_samples => Content::Samples(pb::MonteCarloSamples {
            first: samples.first,
            count: samples.count,
            amounts_fen: samples.amounts,
        }),
        Event::SamplesEnd(end) => Content::Summary(from_samples_end(&end)),
        _ => return None,
    };
    Some(pb::RunMonteCarloResponse {
        content: Some(content),
    })
}

/// Writes a goal.
pub fn from_goal(answer: &GoalAnswer) -> pb::SeekGoalResponse {
    let (provenance, regions) = from_head(&answer.head);
    let goal = &answer.goal;
    let amount = |fen: &i64| Money::from_fen(*fen).unwrap_or_default().to_string();
    pb::SeekGoalResponse {
        provenance,
        regions,
        reached: goal.met,
        value: goal.point.value.to_string(),
        measured: answer.measured.clone(),
        amounts: goal.point.amounts.iter().map(amount).collect(),
        evaluations: goal.evaluated,
        result_digest: answer.result_digest.to_string(),
        knob: Some(localized(&answer.knob)),
        target: Some(localized(&answer.target)),
        base_value: answer.base_value.to_string(),
        scanned_steps: answer.scanned_steps(),
    }
}

/// Writes how stable ranks are.
pub fn from_stability(answer: &StabilityAnswer) -> pb::MeasureStabilityResponse {
    let (provenance, regions) = from_head(&answer.head);
    let name = |row: usize| {
        let head = answer.head.regions.get(row);
        head.map(|head| names::of_region(&head.region.code))
            .unwrap_or_default()
    };
    let side = |found: &Option<Break>, end: Decimal| match found {
        None => pb::StabilitySide {
            changes: false,
            last_stable: end.to_string(),
            ..pb::StabilitySide::default()
        },
        Some(found) => {
            let crossing = found.crossings.first();
            pb::StabilitySide {
                changes: true,
                last_stable: found.last.to_string(),
                first_changed: found.value.to_string(),
                overtaken: crossing.map(|crossing| name(crossing.above)).unwrap_or_default(),
                overtaking: crossing.map(|crossing| name(crossing.below)).unwrap_or_default(),
            }
        }
    };
    pb::MeasureStabilityResponse {
        provenance,
        regions,
        base_value: answer.base_value.to_string(),
        up: Some(side(&answer.stability.up, answer.high)),
        down: Some(side(&answer.stability.down, answer.low)),
        evaluations: answer.evaluations,
        result_digest: answer.result_digest.to_string(),
        knob: Some(localized(&answer.knob)),
        scanned_steps: answer.scanned_steps(),
    }
}

fn metrics(found: &Fairness) -> Vec<pb::FairnessMetric> {
    let metric = |code: &str, zh: &str, en: &str, value: Option<Decimal>, source: &str| pb::FairnessMetric {
        code: code.to_owned(),
        name: Some(localized(&Bilingual::new(en, zh))),
        value: value.map(|value| value.to_string()).unwrap_or_default(),
        source: source.to_owned(),
    };
    vec![
        metric(
            "gini",
            "基尼系数",
            "Gini coefficient",
            Some(found.gini),
            "C. Gini, Variabilità e mutabilità, 1912",
        ),
        metric(
            "theil",
            "泰尔指数 T",
            "Theil index T",
            Some(found.theil),
            "H. Theil, Economics and Information Theory, 1967, chapter 4",
        ),
        metric(
            "variation",
            "人均变异系数",
            "coefficient of variation per head",
            Some(found.variation),
            "J. G. Williamson, Economic Development and Cultural Change 13, 1965",
        ),
        metric(
            "range",
            "人均最高与最低之比",
            "largest over least per head",
            found.range,
            "ratio of the extremes",
        ),
        metric(
            "spearman",
            "资金与农业转移人口的斯皮尔曼等级相关",
            "Spearman's rank correlation of migrants and money",
            found.spearman,
            "C. Spearman, American Journal of Psychology 15, 1904",
        ),
        metric(
            "kendall",
            "资金与农业转移人口的肯德尔等级相关",
            "Kendall's tau-b of migrants and money",
            found.kendall,
            "M. G. Kendall, Biometrika 33, 1945",
        ),
    ]
}

/// Writes measures of fairness.
pub fn from_fairness(answer: &FairnessAnswer) -> pb::MeasureFairnessResponse {
    let (provenance, _) = from_head(&answer.head);
    let results = answer.results.iter().map(|(name, result)| pb::FairnessResult {
        name: name.clone(),
        metrics: result.as_ref().map(metrics).unwrap_or_default(),
        lorenz: result
            .iter()
            .flat_map(|found| &found.lorenz)
            .map(|point| pb::LorenzPoint {
                heads: point.heads.to_string(),
                money: point.money.to_string(),
            })
            .collect(),
        refused: result.as_ref().err().map(why),
    });
    pb::MeasureFairnessResponse {
        provenance,
        results: results.collect(),
        result_digest: answer.result_digest.to_string(),
    }
}

/// Writes what is told of any simulation.
pub fn from_event(event: Event, send_samples: bool) -> Option<pb::StreamSimulationResultsResponse> {
    use pb::stream_simulation_results_response::Content;
    let content = match event {
        Event::Comparison(answer) => Content::Comparison(from_comparison(&answer)),
        Event::Goal(answer) => Content::Goal(from_goal(&answer)),
        Event::Stability(answer) => Content::Stability(from_stability(&answer)),
        Event::Fairness(answer) => Content::Fairness(from_fairness(&answer)),
        event @ (Event::SweepBegins(..) | Event::Points(_) | Event::SweepEnds(_)) => {
            Content::Sweep(from_sweep_event(event)?)
        }
        event => Content::MonteCarlo(from_samples_event(event, send_samples)?),
    };
    Some(pb::StreamSimulationResultsResponse {
        content: Some(content),
    })
}
