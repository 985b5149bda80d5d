//! Reconciliation as tables.

use super::super::fund_tables::payer_words;
use super::super::output::Failure;
use super::super::tables::{UNIT, code, money, text};
use super::report_tables::balance;
use crate::domain::reconciliation::{BreakState, Class, JobState, PeriodState};
use crate::grpc::pb;
use crate::report::{Cell, Column, Table};

/// English and Chinese words of a job's state.
pub(super) fn job_words(state: i32) -> (&'static str, &'static str) {
    let state = match pb::ReconciliationState::try_from(state) {
        Ok(pb::ReconciliationState::Waiting) => JobState::Waiting,
        Ok(pb::ReconciliationState::Running) => JobState::Running,
        Ok(pb::ReconciliationState::Finished) => JobState::Finished,
        Ok(pb::ReconciliationState::Cancelled) => JobState::Cancelled,
        Ok(pb::ReconciliationState::Failed) => JobState::Failed,
        _ => return ("", ""),
    };
    (state.code(), state.zh())
}

/// English and Chinese words of a break's state.
pub(super) fn break_words(state: i32) -> (&'static str, &'static str) {
    let state = match pb::BreakState::try_from(state) {
        Ok(pb::BreakState::Open) => BreakState::Open,
        Ok(pb::BreakState::Proposed) => BreakState::Proposed,
        Ok(pb::BreakState::Approved) => BreakState::Approved,
        Ok(pb::BreakState::Resolved) => BreakState::Resolved,
        _ => return ("", ""),
    };
    (state.code(), state.zh())
}

/// English and Chinese words of a month's state.
pub(super) fn period_words(state: i32) -> (&'static str, &'static str) {
    let state = match pb::PeriodState::try_from(state) {
        Ok(pb::PeriodState::Open) => PeriodState::Open,
        Ok(pb::PeriodState::Prepared) => PeriodState::Prepared,
        Ok(pb::PeriodState::Closed) => PeriodState::Closed,
        _ => return ("", ""),
    };
    (state.code(), state.zh())
}

/// English and Chinese words of a class.
pub(in crate::cli) fn class_words(class: i32) -> (&'static str, &'static str) {
    let class = match pb::MatchClass::try_from(class) {
        Ok(pb::MatchClass::Matched) => Class::Matched,
        Ok(pb::MatchClass::MissingAtBank) => Class::MissingAtBank,
        Ok(pb::MatchClass::UnknownAtBank) => Class::UnknownAtBank,
        Ok(pb::MatchClass::AmountDiffers) => Class::AmountDiffers,
        Ok(pb::MatchClass::DuplicateAtBank) => Class::DuplicateAtBank,
        Ok(pb::MatchClass::Late) => Class::Late,
        Ok(pb::MatchClass::Reversed) => Class::Reversed,
        Ok(pb::MatchClass::InFlight) => Class::InFlight,
        _ => return ("", ""),
    };
    (class.code(), class.zh())
}

pub(in crate::cli) fn both((en, zh): (&str, &str)) -> Cell {
    text(format!("{zh} {en}").trim())
}

pub(in crate::cli) fn count(number: u64) -> Cell {
    Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn said(words: Option<&pb::LocalizedText>) -> Cell {
    words.map_or(Cell::Empty, |words| text(format!("{} / {}", words.zh, words.en)))
}

fn by(signature: Option<&pb::Signature>) -> Cell {
    signature.map_or(Cell::Empty, |signature| text(&signature.principal))
}

/// A line as `statement/line`.
fn line(line: Option<&pb::LineName>) -> Cell {
    line.map_or(Cell::Empty, |line| {
        text(format!("{}/{}", code(&line.statement), line.line))
    })
}

/// The accounts that pay.
pub(super) fn accounts(accounts: &[pb::BankAccount]) -> Table {
    let rows = accounts.iter().map(|account| {
        vec![
            text(code(&account.name)),
            both(payer_words(account.payer)),
            text(code(&account.region)),
            text(&account.holder),
            text(&account.number),
        ]
    });
    Table {
        title: "付款账户 Accounts that pay".to_owned(),
        unit: String::new(),
        notes: Vec::new(),
        columns: vec![
            Column::new("account", "账户 Account"),
            Column::new("payer", "资金来源 Payer"),
            Column::new("region", "地区 Region"),
            Column::new("holder", "户名 Holder"),
            Column::new("number", "账号 Number"),
        ],
        rows: rows.collect(),
        totals: false,
    }
}

/// Jobs, a line each.
pub(super) fn jobs(jobs: &[pb::Reconciliation]) -> Result<Table, Failure> {
    let rows = jobs.iter().map(|job| {
        let sum = |wanted: pb::MatchClass, of: fn(&pb::ClassTotal) -> u64| -> u64 {
            let found = job.classes.iter().filter(|total| total.match_class() == wanted);
            found.map(of).sum()
        };
        vec![
            text(code(&job.name)),
            text(code(&job.account)),
            text(&job.date),
            both(job_words(job.state)),
            text(if job.dry_run { "试运行 dry run" } else { "" }),
            count(sum(pb::MatchClass::Matched, |total| total.payments)),
            count(sum(pb::MatchClass::InFlight, |total| total.payments)),
            count(job.new_breaks),
            count(job.open_breaks),
            by(job.created.as_ref()),
            text(&job.failure),
        ]
    });
    Ok(Table {
        title: "对账任务 Reconciliations".to_owned(),
        unit: String::new(),
        notes: Vec::new(),
        columns: vec![
            Column::new("job", "任务 Job"),
            Column::new("account", "账户 Account"),
            Column::new("date", "截至 To"),
            Column::new("state", "状态 State"),
            Column::new("mode", "方式 Mode"),
            Column::new("matched", "相符付款 Matched"),
            Column::new("in_flight", "在途付款 In flight"),
            Column::new("new_breaks", "新增差异 New breaks"),
            Column::new("open_breaks", "未处理差异 Open breaks"),
            Column::new("created_by", "发起人 By"),
            Column::new("failure", "失败原因 Failure"),
        ],
        rows: rows.collect(),
        totals: false,
    })
}

/// One job: payments and lines by class.
pub(super) fn job(job: &pb::Reconciliation) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(job.classes.len());
    for total in &job.classes {
        rows.push(vec![
            both(class_words(total.match_class)),
            count(total.payments),
            money(&total.payment_amount)?,
            count(total.lines),
            money(&total.line_amount)?,
        ]);
    }
    let (en, zh) = job_words(job.state);
    let mut notes = vec![format!(
        "账户 Account: {}, 截至 to {}",
        code(&job.account),
        job.date
    )];
    let rules: Vec<String> = job
        .rules
        .iter()
        .map(|total| format!("{} {}", total.rule, total.matches))
        .collect();
    if !rules.is_empty() {
        notes.push(format!("规则 Rules: {}", rules.join(", ")));
    }
    for posting in &job.postings {
        notes.push(format!(
            "入账 Posted: {} {} 笔, {} 元 yuan",
            posting.action, posting.count, posting.amount
        ));
    }
    if job.failed_payments > 0 {
        notes.push(format!(
            "支付失败且无流水 Failed, no line expected: {}",
            job.failed_payments
        ));
    }
    notes.push(format!(
        "差异 Breaks: 新增 new {}, 变化 changed {}, 消除 closed {}, 待处理 open {}",
        job.new_breaks, job.changed_breaks, job.closed_breaks, job.open_breaks
    ));
    if job.dry_run {
        notes.push("试运行,未更改 dry run, nothing changed".to_owned());
    }
    if !job.failure.is_empty() {
        notes.push(job.failure.clone());
    }
    Ok(Table {
        title: format!("{} {zh} {en}", job.name),
        unit: UNIT.to_owned(),
        notes,
        columns: vec![
            Column::new("class", "类别 Class"),
            Column::summed("payments", "付款笔数 Payments"),
            Column::summed("payment_amount", "付款金额 Amount"),
            Column::summed("lines", "流水笔数 Lines"),
            Column::summed("line_amount", "流水金额 Amount"),
        ],
        rows,
        totals: true,
    })
}

/// Breaks, a line each.
pub(super) fn breaks(account: &str, breaks: &[pb::Break]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(breaks.len());
    for found in breaks {
        rows.push(vec![
            text(code(&found.name)),
            both(class_words(found.match_class)),
            both(break_words(found.state)),
            text(&found.period),
            text(&found.since),
            money(&found.amount)?,
            text(if found.payment.is_empty() {
                &found.other_payment
            } else {
                &found.payment
            }),
            line(found.line.as_ref().or(found.other_line.as_ref())),
            said(found.evidence.as_ref()),
            text(&found.assignee),
            text(code(&found.corrects)),
        ]);
    }
    Ok(Table {
        title: format!("差异清单 Breaks: {}", code(account)),
        unit: UNIT.to_owned(),
        notes: if breaks.is_empty() {
            vec!["无差异 No breaks".to_owned()]
        } else {
            Vec::new()
        },
        columns: vec![
            Column::new("break", "序号 No."),
            Column::new("class", "类别 Class"),
            Column::new("state", "状态 State"),
            Column::new("period", "月份 Month"),
            Column::new("since", "起始日 Since"),
            Column::summed("amount", "金额 Amount"),
            Column::new("payment", "业务参考号 Payment"),
            Column::new("line", "流水 Line"),
            Column::new("evidence", "依据 Evidence"),
            Column::new("assignee", "经办 Assignee"),
            Column::new("corrects", "更正 Corrects"),
        ],
        rows,
        totals: true,
    })
}

/// One break: what was done.
pub(super) fn break_detail(found: &pb::GetBreakResponse) -> Result<Table, Failure> {
    let history = found.history.iter().map(|step| {
        let signed = step.signed.clone().unwrap_or_default();
        vec![
            text(step.number.to_string()),
            text(&signed.time),
            text(&signed.principal),
            text(&step.kind),
            text(&step.note),
        ]
    });
    let item = found.bank_break.clone().unwrap_or_default();
    let words = |words: Option<&pb::LocalizedText>| {
        words.map_or_else(String::new, |words| format!("{} / {}", words.zh, words.en))
    };
    let mut notes = vec![
        format!("依据 Evidence: {}", words(item.evidence.as_ref())),
        format!("建议 Suggestion: {}", words(item.suggestion.as_ref())),
        format!(
            "账面 Books {}, 银行 Bank {}, 涉及 at stake {}",
            item.expected, item.found, item.amount
        ),
        format!("月份 Month {}, 起始日 since {}", item.period, item.since),
    ];
    for (what, payment) in [
        ("付款 Payment", &item.payment),
        ("相关付款 Other payment", &item.other_payment),
        ("更正 Corrects", &item.corrects),
        ("经办 Assignee", &item.assignee),
    ] {
        if !payment.is_empty() {
            notes.push(format!("{what}: {payment}"));
        }
    }
    if let Some(line) = &found.line {
        notes.push(format!(
            "流水 Line {}/{}: {} {} {} {} {}",
            code(&line.statement),
            line.line,
            line.booked,
            line.amount,
            line.counterparty,
            line.counterparty_account,
            line.bank_reference
        ));
    }
    notes.push(format!("etag {}", item.etag));
    let ((class_en, class_zh), (en, zh)) = (class_words(item.match_class), break_words(item.state));
    Ok(Table {
        title: format!("{} {class_zh} {class_en}: {zh} {en}", item.name),
        unit: String::new(),
        notes,
        columns: vec![
            Column::new("step", "序号 No."),
            Column::new("time", "时间 Time"),
            Column::new("by", "人员 By"),
            Column::new("action", "操作 Action"),
            Column::new("note", "说明 Note"),
        ],
        rows: history.collect(),
        totals: false,
    })
}

/// One month: its balances, and what stands in the way.
pub(super) fn period(found: &pb::GetPeriodResponse) -> Result<Table, Failure> {
    let month = found.period.clone().unwrap_or_default();
    let mut table = match &month.balance {
        Some(found) => balance(found, None)?,
        None => balance(&pb::BalanceReconciliation::default(), None)?,
    };
    if month.balance.is_none() {
        table.rows.clear();
        table.notes.clear();
    }
    let (en, zh) = period_words(month.state);
    table.title = format!("{} {zh} {en}", month.name);
    table.notes.push(format!(
        "差异 Breaks: 已处理 resolved {}, 结转 carried over {}",
        month.resolved_breaks, month.carried_breaks
    ));
    for (what, signature) in [("编制 Prepared", &month.prepared), ("签字 Signed", &month.signed)] {
        if let Some(signature) = signature {
            table
                .notes
                .push(format!("{what}: {} {}", signature.principal, signature.time));
        }
    }
    for obstacle in &found.obstacles {
        let words = obstacle.message.clone().unwrap_or_default();
        table
            .notes
            .push(format!("{}: {} / {}", obstacle.reason, words.zh, words.en));
    }
    table.notes.push(format!("etag {}, {}", month.etag, month.digest));
    Ok(table)
}

/// Months, a line each.
pub(super) fn periods(account: &str, periods: &[pb::Period]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(periods.len());
    for period in periods {
        let balance = period.balance.clone().unwrap_or_default();
        rows.push(vec![
            text(code(&period.name)),
            both(period_words(period.state)),
            money(&balance.book)?,
            money(&balance.bank)?,
            money(&balance.adjusted_book)?,
            count(period.resolved_breaks),
            count(period.carried_breaks),
            by(period.prepared.as_ref()),
            by(period.signed.as_ref()),
        ]);
    }
    Ok(Table {
        title: format!("月份 Months: {}", code(account)),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns: vec![
            Column::new("month", "月份 Month"),
            Column::new("state", "状态 State"),
            Column::new("book", "账面余额 Books"),
            Column::new("bank", "银行余额 Bank"),
            Column::new("adjusted", "调节后余额 Adjusted"),
            Column::new("resolved", "已处理 Resolved"),
            Column::new("carried", "结转 Carried over"),
            Column::new("prepared_by", "编制 Prepared by"),
            Column::new("signed_by", "签字 Signed by"),
        ],
        rows,
        totals: false,
    })
}

/// Statements, a line each.
pub(in crate::cli) fn statements(title: &str, statements: &[pb::BankStatement]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(statements.len());
    for statement in statements {
        rows.push(vec![
            text(
                statement
                    .name
                    .trim_start_matches("bankAccounts/")
                    .replace("/statements/", "/"),
            ),
            text(&statement.from_date),
            text(&statement.to_date),
            money(&statement.opening)?,
            money(&statement.credits)?,
            money(&statement.debits)?,
            money(&statement.closing)?,
            count(statement.lines),
            text(&statement.identification),
            by(statement.imported.as_ref()),
        ]);
    }
    Ok(Table {
        title: title.to_owned(),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns: vec![
            Column::new("statement", "对账单 Statement"),
            Column::new("from", "起 From"),
            Column::new("to", "止 To"),
            Column::new("opening", "期初 Opening"),
            Column::new("credits", "收入 Credits"),
            Column::new("debits", "支出 Debits"),
            Column::new("closing", "期末 Closing"),
            Column::new("lines", "笔数 Lines"),
            Column::new("identification", "标识 Identification"),
            Column::new("imported_by", "导入人 Imported by"),
        ],
        rows,
        totals: false,
    })
}

/// The lines of a statement.
pub(in crate::cli) fn lines(name: &str, lines: &[pb::StatementLine]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(lines.len());
    for line in lines {
        rows.push(vec![
            text(line.line.to_string()),
            text(&line.booked),
            money(&line.amount)?,
            text(&line.reference),
            text(&line.order),
            text(&line.bank_reference),
            text(&line.counterparty),
            text(&line.counterparty_account),
            both(class_words(line.match_class)),
            text(&line.rule),
        ]);
    }
    Ok(Table {
        title: format!("对账单明细 Lines of {name}"),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns: vec![
            Column::new("line", "序号 No."),
            Column::new("booked", "记账日 Booked"),
            Column::summed("amount", "金额 Amount"),
            Column::new("reference", "业务参考号 Reference"),
            Column::new("order", "批次 Order"),
            Column::new("bank_reference", "银行流水号 Bank reference"),
            Column::new("counterparty", "对方户名 Counterparty"),
            Column::new("counterparty_account", "对方账号 Account"),
            Column::new("class", "类别 Class"),
            Column::new("rule", "规则 Rule"),
        ],
        rows,
        totals: true,
    })
}
