//! The tables of a reconciliation's report: balances that tie, and breaks by age.

use super::super::fund_tables::payer_words;
use super::super::output::Failure;
use super::super::tables::{UNIT, code, money, text};
use super::tables::{both, class_words, count};
use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::grpc::pb;
use crate::report::{Cell, Column, Table};

/// A side of the statement: its words, its first and its last line.
struct Side<'f> {
    side: pb::BalanceSide,
    words: (&'static str, &'static str),
    begins: (&'static str, &'static str, &'f str),
    ends: (&'static str, &'static str, &'f str),
}

/// Both balances and what lies between them: of each side the balance, what is added and taken off, and what that
/// comes to. Below it stands the same as a sum, so that it can be checked on paper.
pub(super) fn balance(
    found: &pb::BalanceReconciliation,
    account: Option<&pb::BankAccount>,
) -> Result<Table, Failure> {
    let sides = [
        Side {
            side: pb::BalanceSide::Book,
            words: ("Books", "账面"),
            begins: ("book", "账面余额 Balance of the books", &found.book),
            ends: (
                "adjusted_book",
                "调节后账面余额 Adjusted balance of the books",
                &found.adjusted_book,
            ),
        },
        Side {
            side: pb::BalanceSide::Bank,
            words: ("Bank", "银行"),
            begins: ("bank", "银行对账单余额 Balance at the bank", &found.bank),
            ends: (
                "adjusted_bank",
                "调节后银行余额 Adjusted balance at the bank",
                &found.adjusted_bank,
            ),
        },
    ];
    let mut rows = Vec::new();
    let mut notes = heading(found, account);
    for side in &sides {
        let of = found.items.iter().filter(|item| item.side() == side.side);
        rows.push(row(side, side.begins, [Cell::Empty, Cell::Empty, Cell::Empty])?);
        let (mut plus, mut less, mut items) = (Money::ZERO, Money::ZERO, 0);
        for item in of {
            let title = item.title.clone().unwrap_or_default();
            let amount = amount(&item.amount)?;
            let (sign, cells) = if amount.is_negative() {
                let off = sum(Money::ZERO.checked_sub(amount))?;
                less = sum(less.checked_add(off))?;
                ("减 Less", [count(item.count), Cell::Empty, Cell::Money(off)])
            } else {
                plus = sum(plus.checked_add(amount))?;
                ("加 Plus", [count(item.count), Cell::Money(amount), Cell::Empty])
            };
            items += item.count;
            let title = format!("{sign}: {} / {}", title.zh, title.en);
            rows.push(row(side, (&item.code, &title, ""), cells)?);
        }
        let sums = [count(items), Cell::Money(plus), Cell::Money(less)];
        rows.push(row(side, side.ends, sums)?);
        notes.push(format!(
            "{} {}: {} + {} - {} = {}",
            side.words.1,
            side.words.0,
            amount(side.begins.2)?.grouped(),
            plus.grouped(),
            less.grouped(),
            amount(side.ends.2)?.grouped()
        ));
    }
    let nothing = || [Cell::Empty, Cell::Empty, Cell::Empty];
    let [unsigned, plus, less] = nothing();
    rows.push(vec![
        Cell::Empty,
        text("差额 Difference"),
        unsigned,
        plus,
        less,
        money(&found.difference)?,
        text("difference"),
    ]);
    notes.push(if found.difference == "0.00" {
        "两方余额相符 Both balances agree".to_owned()
    } else {
        format!(
            "两方余额不符,差额 {0} The balances do not agree; they differ by {0}",
            amount(&found.difference)?.grouped()
        )
    });
    Ok(Table {
        title: format!("银行存款余额调节表 Bank reconciliation: {}", code(&found.account)),
        unit: UNIT.to_owned(),
        notes,
        columns: vec![
            Column::new("side", "方 Side"),
            Column::new("item", "项目 Item"),
            Column::new("count", "笔数 Count"),
            Column::new("plus", "加 Plus"),
            Column::new("less", "减 Less"),
            Column::new("balance", "余额 Balance"),
            Column::new("code", "代码 Code"),
        ],
        rows,
        totals: false,
    })
}

/// What the statement is of.
fn heading(found: &pb::BalanceReconciliation, account: Option<&pb::BankAccount>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(account) = account {
        let (en, zh) = payer_words(account.payer);
        let region = code(&account.region);
        let of = [zh, en, region.as_str()].join(" ");
        notes.push(format!(
            "账户 Account: {} ({}), {}, {}",
            code(&account.name),
            of.trim(),
            account.holder,
            account.number
        ));
    }
    notes.push(format!(
        "日期 Date: {}, 对账单截至 statements to {}",
        found.date, found.stated_to
    ));
    notes.push(format!(
        "首张对账单期初余额 Opening balance of the first statement: {}",
        Money::parse("opening", &found.opening).map_or_else(|_| found.opening.clone(), Money::grouped)
    ));
    notes
}

fn row(
    side: &Side<'_>,
    (code, title, balance): (&str, &str, &str),
    [number, plus, less]: [Cell; 3],
) -> Result<Vec<Cell>, Failure> {
    Ok(vec![
        both(side.words),
        text(title),
        number,
        plus,
        less,
        money(balance)?,
        text(code),
    ])
}

fn amount(given: &str) -> Result<Money, Failure> {
    if given.is_empty() {
        return Ok(Money::ZERO);
    }
    Ok(Money::parse("amount", given).map_err(Error::from)?)
}

fn sum(sum: Option<Money>) -> Result<Money, Failure> {
    Ok(sum.ok_or_else(|| Error::internal("a balance beyond the limits"))?)
}

/// Open breaks by class and age.
pub(super) fn ageing(account: &str, date: &str, cells: &[pb::AgeingCell]) -> Result<Table, Failure> {
    let mut rows = Vec::with_capacity(cells.len());
    for cell in cells {
        let band = match (cell.from_days, cell.to_days) {
            (from, 0) if from > 0 => format!("{from} 天及以上 days or more"),
            (from, to) => format!("{from}–{to} 天 days"),
        };
        rows.push(vec![
            both(class_words(cell.match_class)),
            text(band),
            count(cell.count),
            money(&cell.amount)?,
        ]);
    }
    let mut notes = Vec::new();
    if !date.is_empty() {
        notes.push(format!("截至 As of {date}"));
    }
    if rows.is_empty() {
        notes.push("无待处理差异 No break is open".to_owned());
    }
    Ok(Table {
        title: format!("差异账龄 Age of open breaks: {}", code(account)),
        unit: UNIT.to_owned(),
        notes,
        columns: vec![
            Column::new("class", "类别 Class"),
            Column::new("age", "账龄 Age"),
            Column::summed("count", "项数 Count"),
            Column::summed("amount", "金额 Amount"),
        ],
        rows,
        totals: true,
    })
}

/// The breaks of the report: those that are open when it is made, whatever its day.
pub(super) fn open_breaks(account: &str, open: &[pb::Break]) -> Result<Table, Failure> {
    let mut table = super::tables::breaks(account, open)?;
    table.title = format!("待处理差异 Open breaks: {}", code(account));
    table.notes = vec![if open.is_empty() {
        "无待处理差异 No break is open".to_owned()
    } else {
        "编制本表时尚未处理完毕的差异 What was not resolved when this was made".to_owned()
    }];
    Ok(table)
}
