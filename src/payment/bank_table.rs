//! The table that an agent bank (代发) takes: one payment a row, one file for each payer's account.

use super::pain001::remittance;
use crate::domain::error::{Error, Faults, Violation};
use crate::domain::payer::Payer;
use crate::domain::payment::{Batch, Block, Instruction, Totals};
use crate::tabular::number;
use encoding_rs::GB18030;
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format as CellFormat, FormatAlign, Workbook, Worksheet, XlsxError,
};
use std::borrow::Cow;

/// The headings, in order.
pub const HEADINGS: [&str; 8] = [
    "序号",
    "收款人户名",
    "收款人账号",
    "收款人开户行",
    "收款行联行号",
    "金额",
    "附言",
    "业务参考号",
];
/// The names of the same columns in errors.
const FIELDS: [&str; 8] = [
    "serial",
    "creditor.name",
    "creditor.account",
    "creditor.bank_name",
    "creditor.bank_code",
    "amount",
    "remittance",
    "reference",
];
const AMOUNT: usize = 5;
/// What the row of the sums begins with.
const TOTAL: &str = "合计";
/// Rows that a worksheet has room for beside the header and the total.
const MAX_SHEET_ROWS: u64 = 1_048_574;
/// Widths of the columns in a workbook, in characters.
const WIDTHS: [u32; 8] = [8, 20, 28, 36, 16, 16, 48, 28];

/// How a CSV file is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8 with the byte order mark by which Excel knows it.
    #[default]
    Utf8,
    /// GB18030, which contains GBK and GB 2312.
    Gb18030,
}

/// What kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values, lines ended as on Windows.
    Csv(Encoding),
    /// An Excel workbook, account numbers and codes as text.
    Xlsx,
}

/// How the table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What kind of file.
    pub format: Format,
    /// Whether a row with the number of payments and their sum follows.
    pub total: bool,
}

/// Writes the table of a payer's block. The same batch gives the same bytes.
pub fn write(batch: &Batch, payer: Payer, options: Options) -> Result<Vec<u8>, Error> {
    let Some((block, sums)) = batch.block(payer) else {
        return Err(Error::NotFound {
            kind: "block",
            name: batch.header().id.block(payer),
        });
    };
    let total = options.total.then(|| total_row(sums));
    match options.format {
        Format::Csv(encoding) => csv(block, total.as_ref(), encoding),
        Format::Xlsx if sums.count > MAX_SHEET_ROWS => Err(Error::TooLarge {
            what: "payments in a worksheet",
            found: sums.count,
            limit: MAX_SHEET_ROWS,
        }),
        Format::Xlsx => xlsx(block, total.as_ref()).map_err(Error::internal),
    }
}

type Row<'b> = [Cow<'b, str>; 8];

fn row(serial: usize, instruction: &Instruction) -> Row<'_> {
    let creditor = &instruction.creditor;
    [
        serial.to_string().into(),
        creditor.name().into(),
        creditor.account().as_str().into(),
        creditor.bank_name().into(),
        creditor.bank_code().as_str().into(),
        instruction.amount.to_string().into(),
        remittance(instruction).into(),
        instruction.reference.as_str().into(),
    ]
}

fn rows(block: &Block) -> impl Iterator<Item = (&Instruction, Row<'_>)> {
    let instructions = block.instructions.iter().zip(1..);
    instructions.map(|(instruction, serial)| (instruction, row(serial, instruction)))
}

fn total_row(sums: Totals) -> Row<'static> {
    let mut row = [const { Cow::Borrowed("") }; 8];
    row[0] = TOTAL.into();
    row[1] = format!("共{}笔", sums.count).into();
    row[AMOUNT] = sums.sum.to_string().into();
    row
}

fn csv(block: &Block, total: Option<&Row<'_>>, encoding: Encoding) -> Result<Vec<u8>, Error> {
    let beginning: &[u8] = match encoding {
        Encoding::Utf8 => "\u{feff}".as_bytes(),
        Encoding::Gb18030 => &[],
    };
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(beginning.to_vec());
    let mut faults = Faults::default();
    let mut record = csv::ByteRecord::new();
    let mut push = |cells: &Row<'_>, field: &dyn Fn(&str) -> String| {
        record.clear();
        for (cell, name) in cells.iter().zip(FIELDS) {
            let bytes = encode(cell, encoding).unwrap_or_else(|| {
                faults.add(|| unwritable(field(name)));
                Cow::default()
            });
            record.push_field(&bytes);
        }
        writer.write_byte_record(&record)
    };
    let plain = |name: &str| name.to_owned();
    push(&HEADINGS.map(Cow::Borrowed), &plain).map_err(Error::internal)?;
    for (instruction, cells) in rows(block) {
        let field = |name: &str| {
            format!(
                "blocks[{}].instructions[{}].{name}",
                block.payer, instruction.reference
            )
        };
        push(&cells, &field).map_err(Error::internal)?;
    }
    if let Some(total) = total {
        push(total, &plain).map_err(Error::internal)?;
    }
    faults.finish()?;
    writer.into_inner().map_err(Error::internal)
}

/// The bytes of a text. In GB18030 no byte of a longer character is a comma, a quote or a line end,
/// so a cell may be quoted after it was encoded.
fn encode(text: &str, encoding: Encoding) -> Option<Cow<'_, [u8]>> {
    match encoding {
        Encoding::Utf8 => Some(Cow::Borrowed(text.as_bytes())),
        Encoding::Gb18030 => {
            let (bytes, _, replaced) = GB18030.encode(text);
            (!replaced).then_some(bytes)
        }
    }
}

fn unwritable(field: String) -> Violation {
    Violation::new(
        field,
        "a character that GB18030 does not have",
        "characters of GB18030, or a file in UTF-8",
        "GB18030 所含字符,或改用 UTF-8 编码",
    )
}

fn xlsx(block: &Block, total: Option<&Row<'_>>) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // Nothing but the batch may decide the bytes, so the time of making is a fixed one.
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&made));
    let sheet = workbook.add_worksheet();
    let heading = CellFormat::new().set_bold().set_align(FormatAlign::Center);
    let formats = Formats {
        text: CellFormat::new().set_num_format("@"),
        amount: CellFormat::new().set_num_format("0.00"),
    };
    for (column, (text, width)) in (0..).zip(HEADINGS.iter().zip(WIDTHS)) {
        sheet.set_column_width(column, width)?;
        sheet.write_string_with_format(0, column, *text, &heading)?;
    }
    let mut line = 1;
    for (_, cells) in rows(block) {
        formats.write(sheet, line, &cells)?;
        line += 1;
    }
    if let Some(total) = total {
        formats.write(sheet, line, total)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    workbook.save_to_buffer()
}

struct Formats {
    text: CellFormat,
    amount: CellFormat,
}

impl Formats {
    /// All cells are text but the amount, which a bank's import may want as a number.
    fn write(&self, sheet: &mut Worksheet, line: u32, cells: &Row<'_>) -> Result<(), XlsxError> {
        for (column, (at, cell)) in (0..).zip(cells.iter().enumerate()) {
            match number::from_text(cell).filter(|_| at == AMOUNT) {
                Some(value) => sheet.write_number_with_format(line, column, value, &self.amount)?,
                None => sheet.write_string_with_format(line, column, cell.as_ref(), &self.text)?,
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::samples::{batch, batch_of};
    use calamine::{Data, Reader, Xlsx};
    use std::io::Cursor;

    const CSV: Options = Options {
        format: Format::Csv(Encoding::Utf8),
        total: true,
    };

    #[test]
    fn writes_csv_in_both_encodings() {
        let utf8 = write(&batch(), Payer::City, CSV).unwrap();
        let text = String::from_utf8(utf8).unwrap();
        let expected = "\u{feff}序号,收款人户名,收款人账号,收款人开户行,收款行联行号,金额,附言,业务参考号\r\n\
             1,张三,6222021234567890123,中原银行许昌分行,313491099996,12000.50,购房补贴 RF93101C1,RF93101C1\r\n\
             2,\"O'Neill, \"\"A\"\"\",6217000010001234567,中国银行,104100000004,0.01,购房补贴 RF59102C1,RF59102C1\r\n\
             合计,共2笔,,,,12000.51,,\r\n";
        assert_eq!(text, expected);

        let options = Options {
            format: Format::Csv(Encoding::Gb18030),
            ..CSV
        };
        let bytes = write(&batch(), Payer::City, options).unwrap();
        let (decoded, _, wrong) = GB18030.decode(&bytes);
        assert!(!wrong);
        assert_eq!(decoded, text.trim_start_matches('\u{feff}'));

        let without = write(&batch(), Payer::County, Options { total: false, ..CSV }).unwrap();
        assert_eq!(String::from_utf8(without).unwrap().lines().count(), 2);
    }

    #[test]
    fn names_the_payment_that_an_encoding_cannot_carry() {
        let batch = batch_of("\u{e5e5}四");
        let options = Options {
            format: Format::Csv(Encoding::Gb18030),
            ..CSV
        };
        let Err(Error::Invalid(faults)) = write(&batch, Payer::City, options) else {
            panic!("written");
        };
        assert_eq!(
            faults[0].field,
            "blocks[city].instructions[RF93101C1].creditor.name"
        );
        assert!(!faults[0].sentence_zh().contains('四'));
        assert!(write(&batch, Payer::City, CSV).is_ok());
    }

    #[test]
    fn keeps_account_numbers_as_text_in_workbooks() {
        let options = Options {
            format: Format::Xlsx,
            total: true,
        };
        let bytes = write(&batch(), Payer::City, options).unwrap();
        assert_eq!(bytes, write(&batch(), Payer::City, options).unwrap());
        let mut workbook = Xlsx::new(Cursor::new(bytes)).unwrap();
        let range = workbook.worksheet_range_at(0).unwrap().unwrap();
        let cell = |row: u32, column: u32| range.get_value((row, column)).unwrap();
        assert_eq!(cell(1, 2), &Data::String("6222021234567890123".to_owned()));
        assert_eq!(cell(1, 4), &Data::String("313491099996".to_owned()));
        assert_eq!(cell(1, 5), &Data::Float(12000.5));
        assert_eq!(cell(3, 0), &Data::String("合计".to_owned()));
        assert_eq!(cell(3, 5), &Data::Float(12000.51));
    }

    #[test]
    fn has_no_cell_that_begins_a_formula() {
        for payer in Payer::ALL {
            let bytes = write(&batch(), payer, CSV).unwrap();
            let mut reader = csv::Reader::from_reader(&bytes[3..]);
            for record in reader.records() {
                for cell in &record.unwrap() {
                    assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{cell}");
                }
            }
        }
    }
}
