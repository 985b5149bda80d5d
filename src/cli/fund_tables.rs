//! The ledger as tables.

use super::output::Failure;
use super::tables::{UNIT, code, money, region_name, text};
use crate::grpc::pb;
use crate::report::{Cell, Column, Table};

/// English and Chinese words of a payer.
pub(super) fn payer_words(payer: i32) -> (&'static str, &'static str) {
    match pb::Payer::try_from(payer) {
        Ok(pb::Payer::City) => ("city", "市级"),
        Ok(pb::Payer::County) => ("county", "县级"),
        _ => ("", ""),
    }
}

/// The code of a bucket and its Chinese name.
fn bucket_words(bucket: i32) -> (&'static str, &'static str) {
    match pb::Bucket::try_from(bucket) {
        Ok(pb::Bucket::Source) => ("source", "资金来源"),
        Ok(pb::Bucket::Surrendered) => ("surrendered", "上缴"),
        Ok(pb::Bucket::Unallocated) => ("unallocated", "待分配"),
        Ok(pb::Bucket::Quota) => ("quota", "可用指标"),
        Ok(pb::Bucket::Reserved) => ("reserved", "冻结"),
        Ok(pb::Bucket::InPayment) => ("in_payment", "支付中"),
        Ok(pb::Bucket::Paid) => ("paid", "已支付"),
        _ => ("", ""),
    }
}

fn event_words(event: i32) -> String {
    pb::LedgerEvent::try_from(event)
        .ok()
        .map(|event| {
            event
                .as_str_name()
                .trim_start_matches("LEDGER_EVENT_")
                .to_lowercase()
        })
        .and_then(|code| crate::domain::ledger::Event::parse("event", &code).ok())
        .map(|event| format!("{} {event}", event.name().zh))
        .unwrap_or_default()
}

/// An account as the ledger writes it: `payer/region/programme/bucket`.
fn account(account: Option<&pb::Account>) -> String {
    let Some(account) = account else {
        return String::new();
    };
    let part = |name: &str| {
        if name.is_empty() {
            "-".to_owned()
        } else {
            code(name)
        }
    };
    format!(
        "{}/{}/{}/{}",
        payer_words(account.payer).0,
        part(&account.region),
        part(&account.programme),
        bucket_words(account.bucket).0
    )
}

fn both((en, zh): (&str, &str)) -> Cell {
    if en.is_empty() {
        Cell::Empty
    } else {
        text(format!("{zh} {en}"))
    }
}

/// Entries, a line each.
pub(super) fn entries(fund: &str, entries: &[pb::LedgerEntry], notes: Vec<String>) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        let posted = entry.posted.clone().unwrap_or_default();
        rows.push(vec![
            text(entry.number.to_string()),
            text(posted.time),
            text(posted.principal),
            text(event_words(entry.event)),
            text(account(entry.from.as_ref())),
            text(account(entry.to.as_ref())),
            money(&entry.amount)?,
            shown(&entry.from_balance)?,
            shown(&entry.to_balance)?,
            text(&entry.subject),
            text(&entry.note),
            text(code(&entry.reverses)),
            text(&entry.digest),
        ]);
    }
    Ok(Table {
        title: format!("分录 Entries of {fund}"),
        unit: UNIT.to_owned(),
        notes,
        columns: vec![
            Column::new("number", "编号 No."),
            Column::new("time", "时间 Time"),
            Column::new("by", "经办 By"),
            Column::new("event", "事项 Event"),
            Column::new("from", "减少账户 From"),
            Column::new("to", "增加账户 To"),
            Column::new("amount", "金额 Amount"),
            Column::new("from_balance", "减少后余额 From balance"),
            Column::new("to_balance", "增加后余额 To balance"),
            Column::new("subject", "依据 Subject"),
            Column::new("note", "文号或说明 Note"),
            Column::new("reverses", "冲正 Reverses"),
            Column::new("digest", "摘要 Digest"),
        ],
        rows,
        totals: false,
    })
}

/// Entries in short, for those who have just posted them.
pub(super) fn posted(fund: &str, entries: &[pb::LedgerEntry], notes: Vec<String>) -> Result<Table, Failure> {
    let whole = self::entries(fund, entries, notes)?;
    let shown = [
        "number",
        "event",
        "from",
        "to",
        "amount",
        "from_balance",
        "to_balance",
        "note",
        "reverses",
    ];
    let keep: Vec<bool> = whole
        .columns
        .iter()
        .map(|column| shown.contains(&column.key.as_str()))
        .collect();
    let kept = |position: &usize| keep.get(*position).copied().unwrap_or(false);
    Ok(Table {
        columns: only(whole.columns, kept),
        rows: whole.rows.into_iter().map(|row| only(row, kept)).collect(),
        ..whole
    })
}

/// The balance of an account; nothing where it is not the caller's to see.
fn shown(balance: &str) -> Result<Cell, Failure> {
    if balance.is_empty() {
        return Ok(Cell::Empty);
    }
    money(balance)
}

fn only<T>(items: Vec<T>, kept: impl Fn(&usize) -> bool) -> Vec<T> {
    (0..)
        .zip(items)
        .filter(|(at, _)| kept(at))
        .map(|(_, item)| item)
        .collect()
}

/// Balances, a line each.
pub(super) fn balances(fund: &str, entry: u64, balances: &[pb::Balance]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(balances.len());
    for balance in balances {
        let account = balance.account.clone().unwrap_or_default();
        rows.push(vec![
            text(payer_words(account.payer).0),
            text(code(&account.region)),
            text(code(&account.programme)),
            both(bucket_words(account.bucket)),
            money(&balance.amount)?,
        ]);
    }
    Ok(Table {
        title: format!("账户余额 Balances of {fund}"),
        unit: UNIT.to_owned(),
        notes: vec![format!("截至第 {entry} 笔分录 after entry {entry}")],
        columns: vec![
            Column::new("payer", "资金 Payer"),
            Column::new("region", "地区 Region"),
            Column::new("programme", "项目 Programme"),
            Column::new("bucket", "状态 Bucket"),
            // The sum of all accounts of a fund is zero.
            Column::summed("balance", "余额 Balance"),
        ],
        rows,
        totals: true,
    })
}

/// Funds, a line each.
pub(super) fn funds(funds: &[pb::Fund]) -> Table {
    let row = |fund: &pb::Fund| {
        vec![
            text(code(&fund.name)),
            text(fund.entries.to_string()),
            text(&fund.time),
            text(fund.changes.to_string()),
            text(&fund.digest),
        ]
    };
    Table {
        title: "资金 Funds".to_owned(),
        unit: String::new(),
        notes: Vec::new(),
        columns: vec![
            Column::new("fund", "资金 Fund"),
            Column::new("entries", "分录 Entries"),
            Column::new("time", "最后记账 Last entry"),
            Column::new("changes", "变更 Changes"),
            Column::new("digest", "摘要 Digest"),
        ],
        rows: funds.iter().map(row).collect(),
        totals: false,
    }
}

/// Where a fund's money is, by programme or by region.
pub(super) fn status(status: &pb::GetFundStatusResponse, by_region: bool) -> Result<Table, Failure> {
    let fund = status.fund.clone().unwrap_or_default();
    let total = status.total.clone().unwrap_or_default();
    let lines = if by_region { &status.regions } else { &status.lines };
    let surrendered = total.surrendered != "0.00";
    let mut columns = vec![
        Column::new("region", "代码 Code"),
        Column::new("region_name", "地区 Region"),
    ];
    if !by_region {
        columns.push(Column::new("programme", "项目 Programme"));
    }
    columns.push(Column::new("payer", "资金 Payer"));
    columns.push(Column::summed("received", "收到 Received"));
    if surrendered {
        columns.push(Column::summed("surrendered", "上缴 Surrendered"));
    }
    columns.push(Column::summed("unallocated", "待分配 Unallocated"));
    columns.push(Column::summed("allocated", "分配 Allocated"));
    columns.push(Column::summed("issued", "下达 Issued"));
    if by_region {
        columns.push(Column::summed("unassigned", "未安排 Unassigned"));
    } else {
        columns.push(Column::summed("assigned", "安排 Assigned"));
    }
    for (key, header) in [
        ("available", "可用 Available"),
        ("reserved", "冻结 Reserved"),
        ("in_payment", "支付中 In payment"),
        ("paid", "已支付 Paid"),
        ("returned", "退回 Returned"),
    ] {
        columns.push(Column::summed(key, header));
    }
    let mut rows = Vec::with_capacity(lines.len());
    for line in lines {
        let name = if line.region.is_empty() {
            "资金本级 fund".to_owned()
        } else {
            region_name(line.region_name.as_ref())
        };
        let mut row = vec![text(code(&line.region)), text(name)];
        if !by_region {
            row.push(if line.programme.is_empty() && !line.region.is_empty() {
                text("未安排 unassigned")
            } else {
                text(code(&line.programme))
            });
        }
        row.push(both(payer_words(line.payer)));
        row.push(money(&line.received)?);
        if surrendered {
            row.push(money(&line.surrendered)?);
        }
        for amount in [&line.unallocated, &line.allocated, &line.issued] {
            row.push(money(amount)?);
        }
        row.push(if by_region {
            money(unassigned(status, line))?
        } else {
            money(&line.assigned)?
        });
        for amount in [
            &line.available,
            &line.reserved,
            &line.in_payment,
            &line.paid,
            &line.returned,
        ] {
            row.push(money(amount)?);
        }
        rows.push(row);
    }
    let (held_zh, held_en) = if by_region {
        (
            "下达 = 可用+冻结+支付中+已支付,未安排为可用中尚未安排到项目的部分",
            "issued = available + reserved + in payment + paid; unassigned is the part of available that no \
             programme has",
        )
    } else {
        (
            "下达+安排 = 可用+冻结+支付中+已支付",
            "issued + assigned = available + reserved + in payment + paid",
        )
    };
    Ok(Table {
        title: format!("资金执行情况表 Status of {}", code(&fund.name)),
        unit: UNIT.to_owned(),
        notes: vec![
            format!("{held_zh};合计中 收到 = 上缴+待分配+下达"),
            format!("{held_en}; in the totals received = surrendered + unallocated + issued"),
            format!(
                "截至第 {} 笔分录 after entry {} {}",
                fund.entries, fund.entries, fund.time
            ),
        ],
        columns,
        rows,
        totals: true,
    })
}

/// What a region has not assigned to a programme.
fn unassigned<'s>(status: &'s pb::GetFundStatusResponse, region: &pb::FundStatusLine) -> &'s str {
    let line = status
        .lines
        .iter()
        .find(|line| line.programme.is_empty() && line.region == region.region && line.payer == region.payer);
    line.map_or("0.00", |line| line.available.as_str())
}

/// What a verification found, a line each.
pub(super) fn findings(fund: &str, verification: &pb::LedgerVerification, entries: u64) -> Table {
    let row = |finding: &pb::LedgerFinding| {
        let place = if finding.entry > 0 {
            text(finding.entry.to_string())
        } else {
            Cell::Empty
        };
        vec![
            place,
            text(&finding.account),
            text(&finding.field),
            text(&finding.stored),
            text(&finding.expected),
        ]
    };
    let count = verification.finding_count;
    let found = if count == 0 {
        "无差异 nothing differs".to_owned()
    } else {
        format!("{count} 处差异 {count} difference(s)")
    };
    Table {
        title: format!("账簿核验 Verification of {fund}"),
        unit: String::new(),
        notes: vec![
            format!(
                "{entries} 笔分录 entries, {} 个账户 accounts: {found}",
                verification.accounts
            ),
            format!("摘要 Digest: {}", verification.digest),
        ],
        columns: vec![
            Column::new("entry", "分录 Entry"),
            Column::new("account", "账户 Account"),
            Column::new("field", "字段 Field"),
            Column::new("stored", "库存值 Stored"),
            Column::new("expected", "应为 Expected"),
        ],
        rows: verification.findings.iter().map(row).collect(),
        totals: false,
    }
}
