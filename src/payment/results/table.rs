//! The table of an agent bank (代发): one payment a row, optionally a row with the sums.

use super::{Gathered, MAX_CODE, MAX_REASON, MAX_TRANSACTION, amount, text};
use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::payment::{BankResults, Outcome, PaymentResult, Totals};
use crate::domain::statistics::half_width;
use crate::tabular::{self, PaymentRow};
use time::{Date, Month};

/// What a word in the column of results means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Settled,
    Failed,
    Pending,
}

/// The words for results: paid, not paid, under way.
pub const WORDS: [(&str, &[&str]); 3] = [
    (
        "settled",
        &[
            "成功",
            "交易成功",
            "付款成功",
            "支付成功",
            "处理成功",
            "代发成功",
            "success",
            "succeeded",
            "settled",
        ],
    ),
    (
        "failed",
        &[
            "失败",
            "交易失败",
            "付款失败",
            "支付失败",
            "处理失败",
            "代发失败",
            "退票",
            "failed",
            "failure",
            "rejected",
        ],
    ),
    (
        "pending",
        &[
            "处理中",
            "交易处理中",
            "付款处理中",
            "支付处理中",
            "待处理",
            "pending",
            "processing",
        ],
    ),
];
/// What the row of the sums begins with.
const TOTAL_LABELS: [&str; 4] = ["合计", "总计", "合计 total", "total"];

/// Reads a table.
pub(super) fn read(file_name: &str, bytes: &[u8]) -> Result<BankResults, Vec<Violation>> {
    let rows = tabular::payment_rows(file_name, bytes)?;
    let mut gathered = Gathered::default();
    let mut amounts: Vec<Option<Money>> = Vec::with_capacity(rows.len());
    let mut total: Option<&PaymentRow> = None;
    for row in &rows {
        if let Some(total) = total {
            gathered.faults.add(|| {
                Violation::new(
                    format!("line {}", row.line),
                    "a row",
                    format!("nothing below the sums on line {}", total.line),
                    format!("第 {} 行合计之后不得有数据行", total.line),
                )
            });
        } else if is_total(row) {
            total = Some(row);
        } else {
            amounts.push(payment(row, &mut gathered));
        }
    }
    if amounts.is_empty() {
        gathered
            .faults
            .add(|| Violation::new("file", "no payments", "a row for each payment", "每笔付款一行"));
    }
    // The sums are held against all rows or not at all: a faulty amount is reported by itself.
    let amounts: Option<Vec<Money>> = amounts.into_iter().collect();
    if let (Some(row), Some(amounts)) = (total, amounts) {
        check_total(row, amounts, &mut gathered);
    }
    Ok(BankResults {
        payments: gathered.finish()?,
        ..BankResults::default()
    })
}

/// Reads one row; gives its amount.
fn payment(row: &PaymentRow, gathered: &mut Gathered) -> Option<Money> {
    let field = |name: &str| format!("line {}, column {name}", row.line);
    let reference = gathered.reference(row.line, field("reference"), &half_width(&row.reference));
    let written = plain(&row.amount).unwrap_or_else(|| row.amount.clone());
    let amount = gathered.faults.keep(amount(&field("amount"), &written));
    let outcome = outcome(row, &field, gathered);
    if let (Some(reference), Some(amount), Some(outcome)) = (reference, amount, outcome) {
        gathered.payments.push(PaymentResult {
            line: row.line,
            reference,
            amount: Some(amount),
            outcome,
        });
    }
    amount
}

fn outcome(row: &PaymentRow, field: &dyn Fn(&str) -> String, gathered: &mut Gathered) -> Option<Outcome> {
    let faults = &mut gathered.faults;
    let transaction = faults.keep(text(field("transaction"), &row.transaction, MAX_TRANSACTION));
    let code = faults.keep(text(field("reason_code"), &row.reason_code, MAX_CODE));
    let reason = faults.keep(text(field("reason"), &row.reason, MAX_REASON));
    match faults.keep(status(field("status"), &row.status))? {
        Status::Settled => Some(Outcome::Settled {
            on: faults.keep(date(&field("date"), &row.date))?,
            transaction: transaction?,
        }),
        Status::Failed => {
            let (code, text) = (code?, reason?);
            if code.is_none() && text.is_none() {
                faults.add(|| {
                    Violation::new(
                        field("reason"),
                        "",
                        "the reason of a failed payment, or its code",
                        "失败的付款须注明失败原因或代码",
                    )
                });
            }
            Some(Outcome::Failed { code, text })
        }
        Status::Pending => Some(Outcome::Pending),
    }
}

fn status(field: String, word: &str) -> Result<Status, Violation> {
    let plain = half_width(word).trim().to_ascii_lowercase();
    let kinds = [Status::Settled, Status::Failed, Status::Pending];
    WORDS
        .iter()
        .zip(kinds)
        .find(|((_, words), _)| words.contains(&plain.as_str()))
        .map(|(_, status)| status)
        .ok_or_else(|| {
            let words: Vec<&str> = WORDS
                .iter()
                .flat_map(|(_, words)| words.iter().copied())
                .collect();
            Violation::new(
                field,
                word,
                format!("one of {}", words.join(", ")),
                format!("下列之一:{}", words.join("、")),
            )
        })
}

/// An amount in half-width characters, without separators of thousands where they are in their places.
fn plain(text: &str) -> Option<String> {
    let text = half_width(text.trim());
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let separated = whole.contains(',');
    if separated && (!(1..=3).contains(&first.len()) || groups.any(|group| group.len() != 3)) {
        return None;
    }
    let whole = whole.replace(',', "");
    Some(fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}")))
}

/// Reads a day as banks write it: 2025-06-13, 2025/6/13, 20250613, 2025年6月13日; a time behind it is left out.
fn date(field: &str, text: &str) -> Result<Date, Violation> {
    parse_date(&half_width(text)).ok_or_else(|| {
        Violation::new(
            field,
            text,
            "the day of a payment that was made, such as 2025-06-13 or 20250613",
            "付款成功须注明日期,如 2025-06-13 或 20250613",
        )
    })
}

fn parse_date(text: &str) -> Option<Date> {
    // A workbook's cell with a time is read as 2025-06-13T10:00:00.
    let day = text.trim().split([' ', 'T']).next()?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = if day.len() == 8 && digits(day) {
        vec![&day[..4], &day[4..6], &day[6..]]
    } else {
        day.trim_end_matches('日')
            .split(['-', '/', '.', '年', '月'])
            .collect()
    };
    let [year, month, day] = parts.as_slice() else {
        return None;
    };
    let number = |text: &str, lengths: std::ops::RangeInclusive<usize>| -> Option<u16> {
        (lengths.contains(&text.len()) && digits(text)).then(|| text.parse().ok())?
    };
    let month = u8::try_from(number(month, 1..=2)?).ok()?;
    Date::from_calendar_date(
        i32::from(number(year, 4..=4)?),
        Month::try_from(month).ok()?,
        u8::try_from(number(day, 1..=2)?).ok()?,
    )
    .ok()
}

/// Whether a row holds the sums: its first text says so, and it names no payment.
fn is_total(row: &PaymentRow) -> bool {
    let first = row.cells.iter().find(|cell| !cell.trim().is_empty());
    let label = first.map(|cell| half_width(cell).trim().to_lowercase());
    label.is_some_and(|label| {
        TOTAL_LABELS.contains(&label.as_str())
            && (row.reference.is_empty() || half_width(&row.reference).to_lowercase() == label)
    })
}

/// Holds the sums that a file declares against its rows: a file that was cut short has fewer.
fn check_total(row: &PaymentRow, amounts: Vec<Money>, gathered: &mut Gathered) {
    let rows = amounts.len();
    let totals = Totals::of(amounts).unwrap_or_default();
    let field = |name: &str| format!("line {}, column {name}", row.line);
    let declared = plain(&row.amount).unwrap_or_else(|| row.amount.clone());
    match Money::parse(&field("amount"), &declared) {
        Ok(sum) if sum == totals.sum => {}
        Ok(sum) => gathered.faults.add(|| {
            Violation::new(
                field("amount"),
                sum.to_string(),
                format!("{}, the sum of the {rows} rows above", totals.sum),
                format!("应为以上 {rows} 行之和 {}", totals.sum),
            )
        }),
        Err(violation) => gathered.faults.add(|| violation),
    }
    for count in row.cells.iter().filter_map(|cell| declared_count(cell)) {
        if count != totals.count {
            gathered.faults.add(|| {
                Violation::new(
                    format!("line {}", row.line),
                    format!("{count} payments"),
                    format!("{rows}, the number of rows above"),
                    format!("应为以上行数 {rows}"),
                )
            });
        }
    }
}

/// The number in 共3笔 or 3笔.
fn declared_count(cell: &str) -> Option<u64> {
    let cell: String = half_width(cell).chars().filter(|c| *c != ' ').collect();
    let digits = cell.strip_suffix('笔')?;
    digits.strip_prefix('共').unwrap_or(digits).parse().ok()
}
