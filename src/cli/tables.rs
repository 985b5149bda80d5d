//! Results as tables.

use super::output::Failure;
use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::grpc::pb;
use crate::report::{Cell, Column, Table};

fn column(key: &str, header: &str, total: bool) -> Column {
    Column {
        key: key.to_owned(),
        header: header.to_owned(),
        total,
    }
}

pub(super) fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

pub(super) fn money(amount: &str) -> Result<Cell, Failure> {
    if amount.is_empty() {
        return Ok(Cell::Empty);
    }
    Ok(Cell::Money(Money::parse("amount", amount).map_err(Error::from)?))
}

fn decimal(value: &str) -> Cell {
    if value.is_empty() {
        Cell::Empty
    } else {
        Cell::Decimal(value.to_owned())
    }
}

pub(super) fn code(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

pub(super) fn region_name(name: Option<&pb::LocalizedText>) -> String {
    let (zh, en) = name.map_or(("", ""), |name| (name.zh.as_str(), name.en.as_str()));
    if zh.is_empty() {
        en.to_owned()
    } else {
        zh.to_owned()
    }
}

/// English and Chinese words of a state.
pub(super) fn state_words(state: i32) -> (&'static str, &'static str) {
    match pb::AllocationState::try_from(state) {
        Ok(pb::AllocationState::Draft) => ("draft", "草案"),
        Ok(pb::AllocationState::Approved) => ("approved", "已批准"),
        Ok(pb::AllocationState::Issued) => ("issued", "已下达"),
        Ok(pb::AllocationState::Superseded) => ("superseded", "已废止"),
        _ => ("computed", "试算"),
    }
}

fn stage_words(allocation: &pb::Allocation) -> (String, String) {
    match pb::AllocationStage::try_from(allocation.stage) {
        Ok(pb::AllocationStage::Advance) => (
            format!("advance of {} %", allocation.advance_percent),
            format!("提前下达 {}%", allocation.advance_percent),
        ),
        Ok(pb::AllocationStage::Settlement) => ("settlement".to_owned(), "清算".to_owned()),
        _ => ("full".to_owned(), "全额分配".to_owned()),
    }
}

pub(super) const UNIT: &str = "单位:元 (yuan)";

/// An allocation with its lines.
pub(super) fn allocation(allocation: &pb::Allocation) -> Result<Table, Failure> {
    let settlement = allocation.stage == i32::from(pb::AllocationStage::Settlement);
    let adjusted = allocation
        .lines
        .iter()
        .any(|line| line.bounds_adjustment != "0.00");
    let residual = allocation.lines.iter().any(|line| line.residual_units != 0);
    let mut columns = vec![
        column("region", "代码 Code", false),
        column("region_name", "地区 Region", false),
    ];
    for component in &allocation.components {
        let name = component.name.as_ref().map(|name| {
            if name.zh == name.en {
                name.zh.clone()
            } else {
                format!("{} {}", name.zh, name.en)
            }
        });
        columns.push(column(&component.id, &name.unwrap_or_default(), true));
    }
    if adjusted {
        columns.push(column("bounds_adjustment", "上下限调整 Bounds", true));
    }
    columns.push(column("amount", "分配额 Amount", true));
    columns.push(column("percent", "占比 %", false));
    if residual {
        columns.push(column("residual_units", "尾差 Residual", false));
    }
    if settlement {
        columns.push(column("advanced", "已提前下达 Advanced", true));
        columns.push(column("payable", "本次清算 Payable", true));
    }
    let mut rows = Vec::with_capacity(allocation.lines.len());
    for line in &allocation.lines {
        let mut row = vec![
            text(code(&line.region)),
            text(region_name(line.region_name.as_ref())),
        ];
        for amount in &line.components {
            row.push(money(amount)?);
        }
        if adjusted {
            row.push(money(&line.bounds_adjustment)?);
        }
        row.push(money(&line.amount)?);
        row.push(decimal(&line.percent));
        if residual {
            row.push(Cell::Integer(line.residual_units));
        }
        if settlement {
            row.push(money(&line.advanced)?);
            row.push(money(&line.payable)?);
        }
        rows.push(row);
    }
    Ok(Table {
        title: title(allocation),
        unit: UNIT.to_owned(),
        notes: notes(allocation),
        columns,
        rows,
        totals: true,
    })
}

fn title(allocation: &pb::Allocation) -> String {
    let (stage_en, stage_zh) = stage_words(allocation);
    let name = if allocation.title.is_empty() {
        code(&allocation.fund)
    } else {
        allocation.title.clone()
    };
    let year = allocation.year;
    format!("农业转移人口市民化奖补资金分配表 {name}({year} 年数据,{stage_zh};data of {year}, {stage_en})")
}

fn notes(allocation: &pb::Allocation) -> Vec<String> {
    let mut notes = vec![format!(
        "资金盘子 Pool: {}; 分配合计 Allocated: {}",
        allocation.pool, allocation.total
    )];
    if allocation.allocated_now != allocation.pool {
        notes.push(format!("本次动用 Allocated now: {}", allocation.allocated_now));
    }
    for set_aside in &allocation.set_asides {
        let name = set_aside
            .name
            .as_ref()
            .map(|name| format!("{} {}", name.zh, name.en))
            .unwrap_or_default();
        notes.push(format!("预留 Set aside: {name} {}", set_aside.amount));
    }
    for (label, amount) in [
        ("不足取整单位部分 Below one unit", &allocation.tail),
        ("结余 Kept", &allocation.kept),
    ] {
        if amount != "0.00" {
            notes.push(format!("{label}: {amount}"));
        }
    }
    notes.push(format!(
        "公式 Formula: {} {}; 数据 Data: {} {}",
        name_or_given(&allocation.formula),
        short(&allocation.formula_digest),
        name_or_given(&allocation.data_set),
        short(&allocation.data_digest)
    ));
    notes.push(format!(
        "取整 Rounding: {} by {}; 输入摘要 Inputs: {}",
        allocation.rounding_unit,
        allocation.rounding_method,
        short(&allocation.input_digest)
    ));
    if !allocation.illustrative.is_empty() {
        notes.push(format!("示例 illustrative: {}", allocation.illustrative));
    }
    notes
}

/// The name of what is stored; what was given for a dry run has none.
fn name_or_given(name: &str) -> &str {
    if name.is_empty() {
        "(未保存 not stored)"
    } else {
        name
    }
}

fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

/// What happened to an allocation, as lines.
pub(super) fn history(allocation: &pb::Allocation) -> String {
    let (en, zh) = state_words(allocation.state);
    let mut lines = format!("\n{} {en} / {zh}, etag {}\n", allocation.name, allocation.etag);
    let events = [
        ("created / 编制", &allocation.created),
        ("approved / 批准", &allocation.approved),
        ("issued / 下达", &allocation.issued),
        ("superseded / 废止", &allocation.superseded),
    ];
    for (what, signature) in events {
        if let Some(signature) = signature {
            lines.push_str(&format!("{what}: {} {}\n", signature.principal, signature.time));
        }
    }
    if !allocation.replacement.is_empty() {
        lines.push_str(&format!("replaced by / 替换为: {}\n", allocation.replacement));
    }
    lines
}

/// Allocations, a line each.
pub(super) fn runs(runs: &[pb::Allocation]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(runs.len());
    for run in runs {
        let (en, zh) = state_words(run.state);
        let created = run.created.clone().unwrap_or_default();
        rows.push(vec![
            text(&run.name),
            text(code(&run.fund)),
            text(stage_words(run).1),
            text(format!("{zh} {en}")),
            money(&run.pool)?,
            money(&run.total)?,
            text(run.year.to_string()),
            text(&run.formula),
            text(&run.data_set),
            text(created.principal),
            text(created.time),
        ]);
    }
    Ok(Table {
        title: "分配方案 Allocations".to_owned(),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns: vec![
            column("name", "名称 Name", false),
            column("fund", "资金 Fund", false),
            column("stage", "阶段 Stage", false),
            column("state", "状态 State", false),
            column("pool", "资金盘子 Pool", false),
            column("total", "分配合计 Allocated", false),
            column("year", "年份 Year", false),
            column("formula", "公式 Formula", false),
            column("data_set", "数据 Data", false),
            column("created_by", "编制人 By", false),
            column("created_at", "编制时间 At", false),
        ],
        rows,
        totals: false,
    })
}

/// Two allocations side by side.
pub(super) fn comparison(
    before: &str,
    after: &str,
    response: &pb::CompareAllocationsResponse,
) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(response.differences.len());
    for difference in &response.differences {
        rows.push(vec![
            text(code(&difference.region)),
            text(region_name(difference.region_name.as_ref())),
            money(&difference.before)?,
            money(&difference.after)?,
            money(&difference.change)?,
            decimal(&difference.change_percent),
        ]);
    }
    let inputs = if response.inputs.is_empty() {
        vec!["输入相同 the inputs are the same".to_owned()]
    } else {
        response
            .inputs
            .iter()
            .map(|line| format!("输入差异 input: {line}"))
            .collect()
    };
    Ok(Table {
        title: format!("分配方案对比 {} → {}", code(before), code(after)),
        unit: UNIT.to_owned(),
        notes: inputs,
        columns: vec![
            column("region", "代码 Code", false),
            column("region_name", "地区 Region", false),
            column("before", "原方案 Before", true),
            column("after", "新方案 After", true),
            column("change", "增减 Change", true),
            column("change_percent", "增减 %", false),
        ],
        rows,
        totals: true,
    })
}

/// Formula revisions, a line each.
pub(super) fn formulas(revisions: &[pb::FormulaRevision]) -> Table {
    let row = |revision: &pb::FormulaRevision| {
        let document = revision.document.clone().unwrap_or_default();
        let created = revision.created.clone().unwrap_or_default();
        vec![
            text(&revision.name),
            text(document.title_zh),
            text(document.title_en),
            text(document.legal_basis.unwrap_or_default().document),
            text(short(&revision.digest)),
            text(created.principal),
            text(created.time),
        ]
    };
    Table {
        title: "公式 Formulas".to_owned(),
        unit: String::new(),
        notes: Vec::new(),
        columns: vec![
            column("name", "名称 Name", false),
            column("title_zh", "标题", false),
            column("title_en", "Title", false),
            column("legal_basis", "依据 Legal basis", false),
            column("digest", "摘要 Digest", false),
            column("created_by", "创建人 By", false),
            column("created_at", "创建时间 At", false),
        ],
        rows: revisions.iter().map(row).collect(),
        totals: false,
    }
}

/// Revisions of policies.
pub(super) fn policies(revisions: &[pb::PolicyRevision]) -> Table {
    let row = |revision: &pb::PolicyRevision| {
        let document = revision.document.clone().unwrap_or_default();
        let basis = document.legal_basis.unwrap_or_default();
        let created = revision.created.clone().unwrap_or_default();
        vec![
            text(&revision.name),
            text(document.title_zh),
            text(document.title_en),
            text(document.region),
            text(document.programme),
            text(document.valid_from),
            text(document.valid_to),
            text(basis.document),
            text(if basis.illustrative.is_empty() {
                ""
            } else {
                "示例 yes"
            }),
            text(short(&revision.digest)),
            text(created.principal),
            text(created.time),
        ]
    };
    Table {
        title: "补贴政策 Policies".to_owned(),
        unit: String::new(),
        notes: Vec::new(),
        columns: vec![
            column("name", "名称 Name", false),
            column("title_zh", "标题", false),
            column("title_en", "Title", false),
            column("region", "地区 Region", false),
            column("programme", "项目 Programme", false),
            column("valid_from", "起 From", false),
            column("valid_to", "止 To", false),
            column("legal_basis", "依据 Legal basis", false),
            column("illustrative", "示例 Illustrative", false),
            column("digest", "摘要 Digest", false),
            column("created_by", "创建人 By", false),
            column("created_at", "创建时间 At", false),
        ],
        rows: revisions.iter().map(row).collect(),
        totals: false,
    }
}

/// Programmes, a line for each fact.
pub(super) fn programmes(revisions: &[pb::ProgrammeRevision]) -> Table {
    let mut rows = Vec::new();
    for revision in revisions {
        let document = revision.document.clone().unwrap_or_default();
        for fact in document.facts {
            let options: Vec<String> = fact
                .options
                .iter()
                .map(|option| format!("{}({})", option.code, option.name_zh))
                .collect();
            let mark = match (fact.code == document.decisive_date, fact.optional) {
                (true, _) => "决定日期 decisive",
                (false, true) => "可选 optional",
                (false, false) => "必填 required",
            };
            rows.push(vec![
                text(&revision.name),
                text(&document.title_zh),
                text(fact.code),
                text(fact.kind),
                text(fact.name_zh),
                text(fact.name_en),
                text(fact.unit_zh),
                text(mark),
                text(options.join(" ")),
            ]);
        }
    }
    Table {
        title: "补贴项目与申请事项 Programmes and their facts".to_owned(),
        unit: String::new(),
        notes: Vec::new(),
        columns: vec![
            column("programme", "项目 Programme", false),
            column("title", "标题 Title", false),
            column("fact", "事项 Fact", false),
            column("kind", "类型 Kind", false),
            column("name_zh", "名称", false),
            column("name_en", "Name", false),
            column("unit", "单位 Unit", false),
            column("required", "要求 Required", false),
            column("options", "选项 Options", false),
        ],
        rows,
        totals: false,
    }
}

/// Explanations, a line for each region and component.
pub(super) fn explanations(name: &str, explanations: &[pb::Explanation]) -> Table {
    let mut rows = Vec::new();
    for explanation in explanations {
        for component in &explanation.components {
            rows.push(vec![
                text(code(&explanation.region)),
                text(&explanation.region_name),
                text(&component.id),
                text(format!("{} = {}", component.substituted, component.score)),
                text(&component.adjusted_score),
                text(&component.score_sum),
                text(&component.share),
                text(&component.amount),
                text(&explanation.quota),
                Cell::Integer(explanation.residual_units),
                Money::parse("amount", &explanation.amount).map_or(Cell::Empty, Cell::Money),
                text(
                    explanation
                        .sentence
                        .as_ref()
                        .map(|sentence| sentence.zh.clone())
                        .unwrap_or_default(),
                ),
                text(
                    explanation
                        .sentence
                        .as_ref()
                        .map(|sentence| sentence.en.clone())
                        .unwrap_or_default(),
                ),
            ]);
        }
    }
    Table {
        title: format!("分配依据 Derivation of {name}"),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns: vec![
            column("region", "代码 Code", false),
            column("region_name", "地区 Region", false),
            column("component", "因素 Component", false),
            column("score", "得分 Score", false),
            column("adjusted_score", "计分 Adjusted score", false),
            column("score_sum", "合计 Sum", false),
            column("share", "份额 Share", false),
            column("component_amount", "因素金额 Component amount", false),
            column("quota", "精确值 Quota", false),
            column("residual_units", "尾差 Residual", false),
            column("amount", "分配额 Amount", false),
            column("sentence_zh", "说明", false),
            column("sentence_en", "Explanation", false),
        ],
        rows,
        totals: false,
    }
}
