//! What a bank's table says of payments, still as text.

use super::layout::PAYMENT_RESULTS;
use super::{read_as, veiled};
use crate::domain::error::Violation;

/// A row of a bank's result table.
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentRow {
    /// Line in the file, counted from 1.
    pub line: u32,
    /// The payment's reference.
    pub reference: String,
    /// The amount.
    pub amount: String,
    /// The word for what has become of it.
    pub status: String,
    /// The bank's code for why it failed.
    pub reason_code: String,
    /// Why it failed.
    pub reason: String,
    /// The bank's number of the transaction.
    pub transaction: String,
    /// The day of the transaction.
    pub date: String,
    /// All cells as they stand, by which the row of the sums is known.
    pub cells: Vec<String>,
}

/// Reads a bank's result table, CSV or XLSX. Columns that are not known are passed over, and no error
/// repeats a cell: most of what stands in such a table is personal.
pub fn payment_rows(file_name: &str, bytes: &[u8]) -> Result<Vec<PaymentRow>, Vec<Violation>> {
    let sheet = read_as(&[&PAYMENT_RESULTS], file_name, bytes).map_err(veiled)?;
    let found = PAYMENT_RESULTS.find(&sheet)?;
    let rows = sheet.rows.iter().map(|(line, row)| {
        let cell = |name: &str| found.cell(row, name).trim().to_owned();
        PaymentRow {
            line: *line,
            reference: cell("reference"),
            amount: cell("amount"),
            status: cell("status"),
            reason_code: cell("reason_code"),
            reason: cell("reason"),
            transaction: cell("transaction"),
            date: cell("date"),
            cells: row.clone(),
        }
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_xlsxwriter::Workbook;

    #[test]
    fn passes_over_columns_that_it_does_not_know() {
        let text = "代发结果\n收款人户名,业务参考号,金额（元）,处理结果,网点\n张三,RF1,1.00,成功,许昌\n";
        let rows = payment_rows("r.csv", text.as_bytes());
        // The title has one cell; the header is found below it.
        let rows = rows.unwrap_or_else(|faults| panic!("{faults:?}"));
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].line, rows[0].reference.as_str()), (3, "RF1"));
        assert_eq!(
            (rows[0].amount.as_str(), rows[0].status.as_str()),
            ("1.00", "成功")
        );
        assert_eq!(rows[0].reason, "");
    }

    #[test]
    fn repeats_nothing_personal() {
        for text in [
            // No header: the first row would be taken for it.
            "张三,6222021234567890123,成功\n",
            "张三,参考号,成功\n",
            "参考号,金额,状态\nRF1,1.00\n张三,6222021234567890123,成功,许昌\n",
            "参考号,金额,状态\n张三,\"6222021234567890123,成功\n",
        ] {
            let faults = payment_rows("r.csv", text.as_bytes()).err().unwrap();
            for fault in &faults {
                let said = format!("{fault:?}");
                assert!(!said.contains("张三") && !said.contains("6222"), "{said}");
            }
        }
        // A workbook with cells right of the header.
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        for (column, text) in ["参考号", "金额", "状态"].into_iter().enumerate() {
            sheet.write_string(0, column as u16, text).unwrap();
        }
        sheet.write_string(1, 0, "RF1").unwrap();
        sheet.write_string(1, 5, "张三").unwrap();
        let faults = payment_rows("r.xlsx", &workbook.save_to_buffer().unwrap())
            .err()
            .unwrap();
        assert_eq!(faults[0].field, "line 2, column F");
        assert_eq!(faults[0].found, "(not shown)");
    }

    #[test]
    fn reads_a_workbook_whose_account_numbers_have_lost_digits() {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        for (column, text) in ["参考号", "金额", "状态", "收款账号"].into_iter().enumerate() {
            sheet.write_string(0, column as u16, text).unwrap();
        }
        sheet.write_string(1, 0, "RF1").unwrap();
        sheet.write_number(1, 1, 12000.5).unwrap();
        sheet.write_string(1, 2, "成功").unwrap();
        sheet.write_number(1, 3, 6_222_021_234_567_890_123_f64).unwrap();
        let bytes = workbook.save_to_buffer().unwrap();
        let rows = payment_rows("r.xlsx", &bytes).unwrap_or_else(|faults| panic!("{faults:?}"));
        assert_eq!(rows[0].amount, "12000.5");
    }
}
