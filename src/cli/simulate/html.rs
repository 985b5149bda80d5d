//! `simulate report`: every section of a file asked, and all of it on one page.

use super::scenario_file::Read;
use super::tables::both;
use crate::cli::client::Client;
use crate::cli::output::Failure;
use crate::cli::tables::code;
use crate::domain::error::{Bilingual, Error};
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use crate::domain::statistics::parse_decimal;
use crate::grpc::pb;
use crate::report::simulation::{
    AxisValue, Driver, DriverSection, Fact, FairnessMetric, FairnessSection, GoalLine, LorenzCurve, Measure,
    MonteCarloSection, Outcome, Provenance, RankChange, RegionLine, ScenarioSection, SimulationReport,
    Source, Spread, StabilityLine, SweepAxis, SweepSection, Swing,
};
use rust_decimal::Decimal;

fn text(text: Option<&pb::LocalizedText>) -> Bilingual {
    text.map_or_else(
        || Bilingual::new("", ""),
        |text| {
            let either = |a: &str, b: &str| if a.is_empty() { b.to_owned() } else { a.to_owned() };
            Bilingual::new(either(&text.en, &text.zh), either(&text.zh, &text.en))
        },
    )
}

fn money(amount: &str) -> Result<Money, Failure> {
    Ok(Money::parse("amount", amount).map_err(Error::from)?)
}

fn decimal(number: &str) -> Result<Option<Decimal>, Failure> {
    if number.is_empty() {
        return Ok(None);
    }
    Ok(Some(parse_decimal("number", number).map_err(Error::from)?))
}

fn number(text: &str) -> Result<Decimal, Failure> {
    Ok(decimal(text)?.unwrap_or_default())
}

fn base_name(provenance: &pb::SimulationProvenance) -> Bilingual {
    let title = text(provenance.formula_title.as_ref());
    Bilingual::new(
        format!("Base: {}, pool {}", title.en, provenance.pool),
        format!("基准:{},资金盘子 {}", title.zh, provenance.pool),
    )
}

fn region_lines(regions: &[pb::SimulationRegion]) -> Result<Vec<RegionLine>, Failure> {
    regions
        .iter()
        .map(|region| {
            Ok(RegionLine {
                code: RegionCode::parse("region", &code(&region.region)).map_err(Error::from)?,
                name: text(region.name.as_ref()),
                amount: money(&region.base_amount)?,
                per_head: None,
                last_year: None,
            })
        })
        .collect()
}

/// Asks what the file has, and lays it out.
pub(super) async fn report(client: &mut Client, read: &Read) -> Result<SimulationReport, Failure> {
    let base = Some(read.base.clone());
    // Every report has its regions and provenance from a comparison, with no scenarios where the file has none.
    let comparison = read.text.comparison.clone().map(pb::ScenarioComparison::from);
    let request = pb::CompareScenariosRequest {
        base: base.clone(),
        comparison: Some(comparison.clone().unwrap_or_default()),
    };
    let compared = client.simulations.compare_scenarios(request).await?.into_inner();
    let provenance = compared.provenance.clone().unwrap_or_default();
    let mut report = SimulationReport {
        title: Bilingual::new(
            title_of(&read.title, "Simulation of an allocation"),
            title_of(&read.title, "资金分配测算"),
        ),
        summary: Bilingual::new("", ""),
        illustrative: (!provenance.illustrative.is_empty())
            .then(|| Bilingual::new(&provenance.illustrative, &provenance.illustrative)),
        base: base_name(&provenance),
        pool: money(&provenance.pool)?,
        per_head_of: Bilingual::new("", ""),
        regions: region_lines(&compared.regions)?,
        scenarios: Vec::new(),
        sweeps: Vec::new(),
        monte_carlo: None,
        drivers: Vec::new(),
        goals: Vec::new(),
        stability: Vec::new(),
        lorenz: Vec::new(),
        fairness: None,
        provenance: of(&provenance, &compared.result_digest),
    };
    scenarios(&mut report, &compared, comparison.as_ref())?;
    if let Some(asked) = read.text.sweep.clone() {
        sweep(&mut report, client, base.clone(), asked.into()).await?;
    }
    if let Some(asked) = read.text.monte_carlo.clone() {
        let asked: pb::MonteCarlo = asked.into();
        report.provenance.seed = Some(asked.seed);
        monte_carlo(&mut report, client, base.clone(), asked).await?;
    }
    if let Some(asked) = read.text.goal.clone() {
        let request = pb::SeekGoalRequest {
            base: base.clone(),
            goal: Some(asked.into()),
        };
        let found = client.simulations.seek_goal(request).await?.into_inner();
        report.goals.push(goal(&found)?);
    }
    if let Some(asked) = read.text.stability.clone() {
        let asked: pb::Stability = asked.into();
        let axis = asked.axis.clone().unwrap_or_default();
        let request = pb::MeasureStabilityRequest {
            base: base.clone(),
            stability: Some(asked),
        };
        let found = client.simulations.measure_stability(request).await?.into_inner();
        report.stability.push(stability(&found, &axis)?);
    }
    if let Some(asked) = read.text.fairness.clone() {
        let request = pb::MeasureFairnessRequest {
            base,
            fairness: Some(asked.into()),
        };
        let found = client.simulations.measure_fairness(request).await?.into_inner();
        fairness(&mut report, &found)?;
    }
    Ok(report)
}

fn title_of(title: &str, default: &str) -> String {
    if title.is_empty() {
        default.to_owned()
    } else {
        title.to_owned()
    }
}

fn of(provenance: &pb::SimulationProvenance, result: &str) -> Provenance {
    let source = |title: Bilingual, name: &str, digest: &str| Source {
        title,
        name: name.to_owned(),
        revision: name
            .rsplit('/')
            .next()
            .and_then(|revision| revision.parse().ok())
            .unwrap_or(0),
        digest: digest.to_owned(),
    };
    let mut facts = vec![Fact {
        label: Bilingual::new("Digest of the inputs", "输入摘要"),
        value: Bilingual::new(&provenance.input_digest, &provenance.input_digest),
    }];
    facts.extend(provenance.sources.iter().map(|source| Fact {
        label: Bilingual::new("Source of statistics", "数据来源"),
        value: Bilingual::new(source, source),
    }));
    Provenance {
        simulation: None,
        formula: source(
            text(provenance.formula_title.as_ref()),
            &provenance.formula,
            &provenance.formula_digest,
        ),
        data_set: source(
            Bilingual::new("", ""),
            &provenance.data_set,
            &provenance.data_digest,
        ),
        year: provenance.year,
        seed: None,
        result_digest: Some(result.to_owned()),
        program: format!("incentive-fund {}", env!("CARGO_PKG_VERSION")),
        facts,
    }
}

fn scenarios(
    report: &mut SimulationReport,
    compared: &pb::CompareScenariosResponse,
    asked: Option<&pb::ScenarioComparison>,
) -> Result<(), Failure> {
    let per_head = |line: &pb::ScenarioLine| -> Result<Option<Money>, Failure> {
        if line.per_head.is_empty() {
            Ok(None)
        } else {
            money(&line.per_head).map(Some)
        }
    };
    if let Some(heads) = asked
        .map(|asked| asked.heads.as_str())
        .filter(|heads| !heads.is_empty())
    {
        report.per_head_of = Bilingual::new(format!("yuan per {heads}"), format!("元/{heads}"));
    }
    for (at, scenario) in compared.scenarios.iter().enumerate() {
        if at == 0 {
            for (region, line) in report.regions.iter_mut().zip(&scenario.lines) {
                region.per_head = per_head(line)?;
            }
            continue;
        }
        if scenario.refused.is_some() {
            continue;
        }
        let mut outcomes = Vec::with_capacity(scenario.lines.len());
        for line in &scenario.lines {
            outcomes.push(Outcome {
                amount: money(&line.amount)?,
                change: money(&line.change)?,
                change_percent: decimal(&line.change_percent)?,
                per_head: per_head(line)?,
                rank: line.rank,
            });
        }
        let against = asked
            .map(|asked| asked.against.clone())
            .filter(|against| !against.is_empty());
        report.scenarios.push(ScenarioSection {
            name: Bilingual::new(&scenario.name, &scenario.name),
            changes: scenario.changes.iter().map(|change| text(Some(change))).collect(),
            against: against.map(|name| Bilingual::new(&name, &name)),
            outcomes,
        });
    }
    Ok(())
}

/// Most points of a sweep that a page shows as matrices.
const MOST_POINTS: u64 = 2_000;

async fn sweep(
    report: &mut SimulationReport,
    client: &mut Client,
    base: Option<pb::SimulationBase>,
    asked: pb::Sweep,
) -> Result<(), Failure> {
    use pb::run_sweep_response::Content;
    let request = pb::RunSweepRequest {
        base,
        sweep: Some(asked),
    };
    let mut stream = client.simulations.run_sweep(request).await?.into_inner();
    let mut header = pb::SweepHeader::default();
    let (mut coordinates, mut amounts) = (Vec::new(), Vec::new());
    while let Some(message) = stream.message().await? {
        match message.content {
            Some(Content::Header(found)) => {
                if found.points > MOST_POINTS || !(1..=2).contains(&found.axes.len()) {
                    return Err(Failure::usage(format!(
                        "a page shows sweeps of one or two axes and at most {MOST_POINTS} points, not {} axes and {} \
                         points: use `simulate sweep --csv` / 网页只展示一至两个维度、至多 {MOST_POINTS} 个点的网格",
                        found.axes.len(),
                        found.points
                    )));
                }
                header = found;
            }
            Some(Content::Points(points)) => {
                coordinates.extend(points.coordinates);
                amounts.extend(points.amounts_fen);
            }
            _ => {}
        }
    }
    let (axes, regions) = (header.axes.len(), header.regions.len());
    let points: Vec<&[i64]> = amounts.chunks(regions.max(1)).collect();
    let values = |axis: usize| -> Result<Vec<AxisValue>, Failure> {
        let mut seen: Vec<AxisValue> = Vec::new();
        for value in coordinates.iter().skip(axis).step_by(axes.max(1)) {
            let value = AxisValue::Number(number(value)?);
            if !seen.contains(&value) {
                seen.push(value);
            }
        }
        Ok(seen)
    };
    let name = |axis: usize| text(header.axes.get(axis).and_then(|axis| axis.name.as_ref()));
    let measure = |fen: Option<&i64>| match fen.copied().filter(|fen| *fen >= 0).and_then(Money::from_fen) {
        Some(amount) => Measure::Money(amount),
        None => Measure::Refused,
    };
    if axes == 1 {
        let down = header
            .regions
            .iter()
            .map(|region| AxisValue::Name(text(region.name.as_ref())))
            .collect();
        let rows = (0..regions).map(|row| points.iter().map(|point| measure(point.get(row))).collect());
        report.sweeps.push(SweepSection {
            title: Bilingual::new("Amounts", "分配额"),
            across: SweepAxis {
                name: name(0),
                values: values(0)?,
            },
            down: SweepAxis {
                name: Bilingual::new("Region", "地区"),
                values: down,
            },
            cells: rows.collect(),
            base: None,
        });
        return Ok(());
    }
    let (down, across) = (values(0)?, values(1)?);
    // The region whose amount moves most: one matrix says more than nine.
    let range = |row: usize| {
        let column = points
            .iter()
            .filter_map(|point| point.get(row))
            .filter(|fen| **fen >= 0);
        let (least, most) = (column.clone().min(), column.max());
        most.zip(least).map_or(0, |(most, least)| most - least)
    };
    let Some(row) = (0..regions).max_by_key(|row| (range(*row), std::cmp::Reverse(*row))) else {
        return Ok(());
    };
    let region = text(header.regions.get(row).and_then(|region| region.name.as_ref()));
    let cells = points
        .chunks(across.len().max(1))
        .map(|line| line.iter().map(|point| measure(point.get(row))).collect());
    report.sweeps.push(SweepSection {
        title: Bilingual::new(
            format!("Amount of {}, which moves most", region.en),
            format!("{}分配额(变动最大的地区)", region.zh),
        ),
        cells: cells.collect(),
        across: SweepAxis {
            name: name(1),
            values: across,
        },
        down: SweepAxis {
            name: name(0),
            values: down,
        },
        base: None,
    });
    Ok(())
}

async fn monte_carlo(
    report: &mut SimulationReport,
    client: &mut Client,
    base: Option<pb::SimulationBase>,
    asked: pb::MonteCarlo,
) -> Result<(), Failure> {
    let request = pb::RunMonteCarloRequest {
        base,
        monte_carlo: Some(asked),
        send_samples: false,
    };
    let mut stream = client.simulations.run_monte_carlo(request).await?.into_inner();
    let mut reading = super::analysis::Reading::new();
    while let Some(message) = stream.message().await? {
        reading.take(message);
    }
    let Some(summary) = reading.summary else {
        return Err(Error::internal("the server sent no summary").into());
    };
    let mut spreads = Vec::with_capacity(summary.regions.len());
    for (at, region) in summary.regions.iter().enumerate() {
        let quantile = |percent: &str| {
            let found = region
                .quantiles
                .iter()
                .find(|quantile| quantile.percent == percent);
            money(found.map_or("0.00", |quantile| quantile.amount.as_str()))
        };
        spreads.push(Spread {
            p5: quantile("5")?,
            p25: quantile("25")?,
            p50: quantile("50")?,
            p75: quantile("75")?,
            p95: quantile("95")?,
            below_last_year: decimal(&region.below_last_year_percent)?,
            below_base: decimal(&region.below_base_percent)?,
        });
        if let (Some(line), false) = (report.regions.get_mut(at), region.last_year.is_empty()) {
            line.last_year = Some(money(&region.last_year)?);
        }
    }
    // No sample had amounts: there is nothing to show.
    if spreads.len() == report.regions.len() {
        report.monte_carlo = Some(MonteCarloSection {
            samples: summary.samples,
            assumptions: reading
                .header
                .inputs
                .iter()
                .map(|input| text(Some(input)))
                .collect(),
            regions: spreads,
        });
    }
    for region in &reading.header.regions {
        let mut drivers = Vec::new();
        for driver in summary
            .drivers
            .iter()
            .filter(|driver| driver.region == region.region)
        {
            let swing = if driver.low.is_empty() || driver.high.is_empty() {
                None
            } else {
                Some(Swing {
                    low_at: "P5".to_owned(),
                    low: money(&driver.low)?,
                    high_at: "P95".to_owned(),
                    high: money(&driver.high)?,
                })
            };
            drivers.push(Driver {
                input: Bilingual::new(&driver.input, &driver.input),
                first_order: decimal(&driver.first_order)?,
                total: decimal(&driver.total)?,
                swing,
            });
        }
        if !drivers.is_empty() {
            let name = text(region.name.as_ref());
            report.drivers.push(DriverSection {
                result: Bilingual::new(format!("Amount of {}", name.en), format!("{}分配额", name.zh)),
                base: money(&region.base_amount)?,
                drivers,
            });
        }
    }
    Ok(())
}

fn goal(found: &pb::SeekGoalResponse) -> Result<GoalLine, Failure> {
    let target = text(found.target.as_ref());
    // What is measured is yuan where the target is an amount; two decimals tell.
    let reached = match Money::parse("measured", &found.measured) {
        Ok(amount)
            if found.measured.ends_with(|c: char| c.is_ascii_digit()) && target.zh.contains("分配额") =>
        {
            Measure::Money(amount)
        }
        _ => Measure::Number(number(&found.measured)?),
    };
    Ok(GoalLine {
        target,
        knob: text(found.knob.as_ref()),
        from: number(&found.base_value)?,
        to: number(&found.value)?,
        reached,
        met: found.reached,
    })
}

fn stability(found: &pb::MeasureStabilityResponse, axis: &pb::SweepAxis) -> Result<StabilityLine, Failure> {
    let name = |region: &str| {
        let found = found.regions.iter().find(|head| head.region == region);
        text(found.and_then(|head| head.name.as_ref()))
    };
    let side = |side: Option<&pb::StabilitySide>| -> Result<Option<RankChange>, Failure> {
        let Some(side) = side.filter(|side| side.changes) else {
            return Ok(None);
        };
        let (one, other) = (name(&side.overtaken), name(&side.overtaking));
        Ok(Some(RankChange {
            at: number(&side.first_changed)?,
            who: Bilingual::new(
                format!("{} and {}", one.en, other.en),
                format!("{}与{}", one.zh, other.zh),
            ),
        }))
    };
    let (from, to) = (number(&axis.from)?, number(&axis.to)?);
    Ok(StabilityLine {
        knob: text(found.knob.as_ref()),
        at: number(&found.base_value)?,
        down: side(found.down.as_ref())?,
        up: side(found.up.as_ref())?,
        least: from.min(to),
        greatest: from.max(to),
    })
}

fn fairness(report: &mut SimulationReport, found: &pb::MeasureFairnessResponse) -> Result<(), Failure> {
    let measured: Vec<&pb::FairnessResult> = found
        .results
        .iter()
        .filter(|result| result.refused.is_none())
        .collect();
    let name = |result: &pb::FairnessResult| {
        if result.name.is_empty() {
            Bilingual::new("Base", "基准")
        } else {
            Bilingual::new(&result.name, &result.name)
        }
    };
    let Some(first) = measured.first() else {
        return Ok(());
    };
    let mut metrics = Vec::with_capacity(first.metrics.len());
    for (at, metric) in first.metrics.iter().enumerate() {
        let values = measured.iter().map(|result| {
            let value = result.metrics.get(at).map_or("", |metric| metric.value.as_str());
            decimal(value)
        });
        metrics.push(FairnessMetric {
            name: text(metric.name.as_ref()),
            note: Bilingual::new(&metric.source, &metric.source),
            values: values.collect::<Result<_, Failure>>()?,
        });
    }
    report.fairness = Some(FairnessSection {
        columns: measured.iter().map(|result| name(result)).collect(),
        metrics,
    });
    for result in measured {
        let gini = result.metrics.iter().find(|metric| metric.code == "gini");
        let points = result
            .lorenz
            .iter()
            .map(|point| Ok((number(&point.heads)?, number(&point.money)?)));
        report.lorenz.push(LorenzCurve {
            name: name(result),
            points: points.collect::<Result<_, Failure>>()?,
            gini: number(gini.map_or("", |metric| metric.value.as_str()))?,
        });
    }
    Ok(())
}

/// What a report is about, for the line that says where it was written.
pub(super) fn subject(report: &SimulationReport) -> String {
    both(Some(&pb::LocalizedText {
        zh: report.title.zh.clone(),
        en: report.title.en.clone(),
    }))
}
