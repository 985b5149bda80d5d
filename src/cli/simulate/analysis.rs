//! Samples, goals, stability and fairness as tables.

use super::files::{self, FileArguments};
use super::progress;
use super::tables::{both, decimal, provenance};
use crate::cli::output::Failure;
use crate::cli::tables::{UNIT, code, money, region_name, text};
use crate::domain::error::Error;
use crate::grpc::pb;
use crate::grpc::pb::run_monte_carlo_response::Content;
use crate::report::{Cell, Column, Table};
use indicatif::ProgressBar;

/// What has been read of a Monte Carlo run.
pub(super) struct Reading {
    bar: ProgressBar,
    pub(super) header: pb::MonteCarloHeader,
    pub(super) summary: Option<pb::MonteCarloSummary>,
}

impl Reading {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            header: pb::MonteCarloHeader::default(),
            summary: None,
        }
    }

    /// Takes the next message.
    pub(super) fn take(&mut self, message: pb::RunMonteCarloResponse) {
        match message.content {
            Some(Content::Header(header)) => {
                self.bar = progress(header.evaluations);
                self.header = header;
            }
            Some(Content::Progress(at)) => self.bar.set_position(at.done),
            Some(Content::Summary(summary)) => self.summary = Some(summary),
            Some(Content::Samples(_)) | None => {}
        }
    }

    /// Prints and writes what came out.
    pub(super) fn finish(self, files: &FileArguments) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let summary = self
            .summary
            .ok_or_else(|| Error::internal("the server sent no summary"))?;
        let spreads = spreads(&self.header, &summary)?;
        files::write_table(files, &spreads)?;
        files::print(&spreads)?;
        if !summary.drivers.is_empty() {
            files::print(&drivers(&self.header, &summary)?)?;
        }
        Ok(())
    }
}

fn spreads(header: &pb::MonteCarloHeader, summary: &pb::MonteCarloSummary) -> Result<Table, Failure> {
    let percents = summary
        .regions
        .first()
        .map_or(&[][..], |region| region.quantiles.as_slice());
    let mut columns = vec![
        Column::new("region", "代码 Code"),
        Column::new("region_name", "地区 Region"),
        Column::new("base", "基准 Base"),
        Column::new("mean", "均值 Mean"),
        Column::new("standard_deviation", "标准差 S.d."),
    ];
    for quantile in percents {
        let key = quantile.percent.replace('.', "_");
        columns.push(Column::new(format!("p{key}"), format!("P{}", quantile.percent)));
    }
    columns.push(Column::new("below_base_percent", "低于基准 Below base %"));
    columns.push(Column::new("last_year", "上年 Last year"));
    columns.push(Column::new(
        "below_last_year_percent",
        "低于上年 Below last year %",
    ));
    let mut rows = Vec::with_capacity(summary.regions.len());
    for (head, region) in header.regions.iter().zip(&summary.regions) {
        let mut row = vec![
            text(code(&region.region)),
            text(region_name(head.name.as_ref())),
            money(&head.base_amount)?,
            decimal(&region.mean),
            money(&region.standard_deviation)?,
        ];
        for quantile in &region.quantiles {
            row.push(money(&quantile.amount)?);
        }
        row.push(decimal(&region.below_base_percent));
        row.push(money(&region.last_year)?);
        row.push(decimal(&region.below_last_year_percent));
        rows.push(row);
    }
    let mut notes = vec![format!(
        "{} 次抽样 samples, 种子 seed {}, {} 次不可行 refused",
        summary.samples, summary.seed, summary.refused
    )];
    notes.extend(header.inputs.iter().map(|input| both(Some(input))));
    notes.extend(provenance(header.provenance.as_ref(), &summary.result_digest));
    Ok(Table {
        title: "不确定性测算 Monte Carlo".to_owned(),
        unit: UNIT.to_owned(),
        notes,
        columns,
        rows,
        totals: false,
    })
}

fn drivers(header: &pb::MonteCarloHeader, summary: &pb::MonteCarloSummary) -> Result<Table, Failure> {
    let name = |region: &str| {
        let found = header.regions.iter().find(|head| head.region == region);
        found.map_or_else(|| "全部 all".to_owned(), |head| region_name(head.name.as_ref()))
    };
    let mut rows = Vec::with_capacity(summary.drivers.len());
    for driver in &summary.drivers {
        rows.push(vec![
            text(name(&driver.region)),
            text(&driver.input),
            decimal(&driver.first_order),
            decimal(&driver.first_order_error),
            decimal(&driver.total),
            decimal(&driver.total_error),
            money(&driver.low)?,
            money(&driver.high)?,
        ]);
    }
    Ok(Table {
        title: "主要驱动因素 Drivers (Sobol)".to_owned(),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns: vec![
            Column::new("region", "地区 Region"),
            Column::new("input", "因素 Input"),
            Column::new("first_order", "一阶 First order"),
            Column::new("first_order_error", "±"),
            Column::new("total", "总效应 Total"),
            Column::new("total_error", "±"),
            Column::new("low", "P5 时 at P5"),
            Column::new("high", "P95 时 at P95"),
        ],
        rows,
        totals: false,
    })
}

fn certainty(scanned: u64) -> String {
    if scanned == 0 {
        "逐值核验 every value computed".to_owned()
    } else {
        format!("每 {scanned} 步扫描后二分 scanned every {scanned} steps, then bisected")
    }
}

/// Prints and writes a goal.
pub(super) fn goal(answer: &pb::SeekGoalResponse, files: &FileArguments) -> Result<(), Failure> {
    let mut rows = Vec::with_capacity(answer.regions.len());
    for (head, amount) in answer.regions.iter().zip(&answer.amounts) {
        rows.push(vec![
            text(code(&head.region)),
            text(region_name(head.name.as_ref())),
            money(&head.base_amount)?,
            money(amount)?,
        ]);
    }
    let found = if answer.reached {
        "达到 reached"
    } else {
        "不可达到,以下为最接近的取值 not reachable, the best value is"
    };
    let mut notes = vec![
        format!("目标 target: {}", both(answer.target.as_ref())),
        format!(
            "{}: {} → {} ({found}); 实测 measured: {}",
            both(answer.knob.as_ref()),
            answer.base_value,
            answer.value,
            answer.measured
        ),
        format!(
            "{} 次测算 evaluations; {}",
            answer.evaluations,
            certainty(answer.scanned_steps)
        ),
    ];
    notes.extend(provenance(answer.provenance.as_ref(), &answer.result_digest));
    let table = Table {
        title: "目标求解 Goal".to_owned(),
        unit: UNIT.to_owned(),
        notes,
        columns: vec![
            Column::new("region", "代码 Code"),
            Column::new("region_name", "地区 Region"),
            Column::summed("base", "基准 Base"),
            Column::summed("amount", "求解后 At the value"),
        ],
        rows,
        totals: true,
    };
    files::write_table(files, &table)?;
    files::print(&table)
}

/// Prints and writes how stable ranks are.
pub(super) fn stability(answer: &pb::MeasureStabilityResponse, files: &FileArguments) -> Result<(), Failure> {
    let name = |region: &str| {
        let found = answer.regions.iter().find(|head| head.region == region);
        found
            .map(|head| region_name(head.name.as_ref()))
            .unwrap_or_default()
    };
    let row = |way: &str, side: Option<&pb::StabilitySide>| {
        let side = side.cloned().unwrap_or_default();
        vec![
            text(way),
            decimal(&answer.base_value),
            decimal(&side.last_stable),
            decimal(&side.first_changed),
            text(name(&side.overtaken)),
            text(name(&side.overtaking)),
        ]
    };
    let mut notes = vec![
        format!("变量 moved: {}", both(answer.knob.as_ref())),
        format!(
            "{} 次测算 evaluations; {}",
            answer.evaluations,
            certainty(answer.scanned_steps)
        ),
    ];
    notes.extend(provenance(answer.provenance.as_ref(), &answer.result_digest));
    let table = Table {
        title: "位次稳定性 Stability of ranks".to_owned(),
        unit: String::new(),
        notes,
        columns: vec![
            Column::new("direction", "方向 Direction"),
            Column::new("base_value", "基准值 Base"),
            Column::new("last_stable", "位次不变的最后取值 Last stable"),
            Column::new("first_changed", "位次首次改变 First changed"),
            Column::new("overtaken", "被超过 Overtaken"),
            Column::new("overtaking", "超过者 Overtaking"),
        ],
        rows: vec![
            row("下调 down", answer.down.as_ref()),
            row("上调 up", answer.up.as_ref()),
        ],
        totals: false,
    };
    files::write_table(files, &table)?;
    files::print(&table)
}

/// Prints and writes measures of fairness.
pub(super) fn fairness(answer: &pb::MeasureFairnessResponse, files: &FileArguments) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for result in &answer.results {
        let name = if result.name.is_empty() {
            "基准 base"
        } else {
            &result.name
        };
        for metric in &result.metrics {
            rows.push(vec![
                text(name),
                text(&metric.code),
                text(both(metric.name.as_ref())),
                decimal(&metric.value),
                text(&metric.source),
            ]);
        }
        if let Some(why) = &result.refused {
            rows.push(vec![
                text(name),
                text(""),
                text(both(Some(why))),
                Cell::Empty,
                text(""),
            ]);
        }
    }
    let table = Table {
        title: "公平性与导向 Fairness and direction".to_owned(),
        unit: String::new(),
        notes: provenance(answer.provenance.as_ref(), &answer.result_digest),
        columns: vec![
            Column::new("scenario", "情景 Scenario"),
            Column::new("metric", "代码 Code"),
            Column::new("name", "指标 Measure"),
            Column::new("value", "值 Value"),
            Column::new("source", "出处 Source"),
        ],
        rows,
        totals: false,
    };
    files::write_table(files, &table)?;
    files::print(&table)
}
