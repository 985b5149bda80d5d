//! Answers of simulations as tables.

use crate::cli::output::Failure;
use crate::cli::tables::{UNIT, code, money, region_name, text};
use crate::grpc::pb;
use crate::report::{Cell, Column, Table};

pub(super) fn decimal(value: &str) -> Cell {
    if value.is_empty() {
        Cell::Empty
    } else {
        Cell::Decimal(value.to_owned())
    }
}

pub(super) fn both(name: Option<&pb::LocalizedText>) -> String {
    match name {
        Some(name) if name.zh == name.en || name.en.is_empty() => name.zh.clone(),
        Some(name) if name.zh.is_empty() => name.en.clone(),
        Some(name) => format!("{} {}", name.zh, name.en),
        None => String::new(),
    }
}

/// The name of a scenario; the base has none of its own.
fn scenario_name(scenario: &pb::ScenarioResult) -> String {
    if scenario.name.is_empty() {
        "基准 base".to_owned()
    } else {
        scenario.name.clone()
    }
}

fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

/// Where a result comes from, as remarks beneath a table.
pub(super) fn provenance(provenance: Option<&pb::SimulationProvenance>, result: &str) -> Vec<String> {
    let provenance = provenance.cloned().unwrap_or_default();
    let formula = if provenance.formula.is_empty() {
        "(未保存 not stored)"
    } else {
        &provenance.formula
    };
    let mut notes = vec![
        format!(
            "资金盘子 Pool: {}; {} 年数据 data",
            provenance.pool, provenance.year
        ),
        format!(
            "公式 Formula: {formula} {}; 数据 Data: {} {}",
            short(&provenance.formula_digest),
            provenance.data_set,
            short(&provenance.data_digest)
        ),
        format!(
            "输入摘要 Inputs: {}; 结果摘要 Result: {}",
            short(&provenance.input_digest),
            short(result)
        ),
    ];
    if !provenance.illustrative.is_empty() {
        notes.push(format!("示例 illustrative: {}", provenance.illustrative));
    }
    notes
}

/// Regions down, scenarios across.
pub(super) fn comparison(answer: &pb::CompareScenariosResponse) -> Result<Table, Failure> {
    let shown: Vec<&pb::ScenarioResult> = answer
        .scenarios
        .iter()
        .filter(|scenario| scenario.refused.is_none())
        .collect();
    let mut columns = vec![
        Column::new("region", "代码 Code"),
        Column::new("region_name", "地区 Region"),
    ];
    for (at, scenario) in shown.iter().enumerate() {
        columns.push(Column::summed(format!("amount_{at}"), scenario_name(scenario)));
        if !scenario.name.is_empty() {
            columns.push(Column::summed(format!("change_{at}"), "增减 Change"));
            columns.push(Column::new(format!("percent_{at}"), "%"));
        }
    }
    let mut rows = Vec::with_capacity(answer.regions.len());
    for (at, region) in answer.regions.iter().enumerate() {
        let mut row = vec![
            text(code(&region.region)),
            text(region_name(region.name.as_ref())),
        ];
        for scenario in &shown {
            let line = scenario.lines.get(at).cloned().unwrap_or_default();
            row.push(money(&line.amount)?);
            if !scenario.name.is_empty() {
                row.push(money(&line.change)?);
                row.push(decimal(&line.change_percent));
            }
        }
        rows.push(row);
    }
    Ok(Table {
        title: "情景对比 Scenarios".to_owned(),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns,
        rows,
        totals: true,
    })
}

/// A line a scenario: sums, winners and losers, what it changes.
pub(super) fn scenarios(answer: &pb::CompareScenariosResponse) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(answer.scenarios.len());
    for scenario in &answer.scenarios {
        let changes: Vec<String> = scenario.changes.iter().map(|change| both(Some(change))).collect();
        let (total, change) = match &scenario.refused {
            Some(_) => (Cell::Empty, Cell::Empty),
            None => (money(&scenario.total)?, money(&scenario.total_change)?),
        };
        rows.push(vec![
            text(scenario_name(scenario)),
            total,
            change,
            Cell::Integer(scenario.winners.into()),
            Cell::Integer(scenario.losers.into()),
            text(changes.join("; ")),
            text(both(scenario.refused.as_ref())),
        ]);
    }
    Ok(Table {
        title: "情景 Scenarios".to_owned(),
        unit: UNIT.to_owned(),
        notes: provenance(answer.provenance.as_ref(), &answer.result_digest),
        columns: vec![
            Column::new("scenario", "情景 Scenario"),
            Column::new("total", "合计 Total"),
            Column::new("change", "增减 Change"),
            Column::new("winners", "增加地区 Winners"),
            Column::new("losers", "减少地区 Losers"),
            Column::new("changes", "变更 Changes"),
            Column::new("refused", "不可行原因 Refused"),
        ],
        rows,
        totals: false,
    })
}

/// A row for each scenario and region, for programs.
pub(super) fn comparison_rows(answer: &pb::CompareScenariosResponse) -> Result<Table, Failure> {
    let mut rows = Vec::new();
    for scenario in &answer.scenarios {
        for (region, line) in answer.regions.iter().zip(&scenario.lines) {
            rows.push(vec![
                text(&scenario.name),
                text(code(&region.region)),
                text(region_name(region.name.as_ref())),
                money(&line.amount)?,
                money(&line.change)?,
                decimal(&line.change_percent),
                decimal(&line.per_head),
                Cell::Integer(line.rank.into()),
            ]);
        }
    }
    Ok(Table {
        title: "情景对比 Scenarios".to_owned(),
        unit: UNIT.to_owned(),
        notes: provenance(answer.provenance.as_ref(), &answer.result_digest),
        columns: vec![
            Column::new("scenario", "情景 Scenario"),
            Column::new("region", "代码 Code"),
            Column::new("region_name", "地区 Region"),
            Column::new("amount", "分配额 Amount"),
            Column::new("change", "增减 Change"),
            Column::new("change_percent", "增减 %"),
            Column::new("per_head", "人均 Per head"),
            Column::new("rank", "位次 Rank"),
        ],
        rows,
        totals: false,
    })
}
