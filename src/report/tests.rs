//! One table in every rendering.

use super::*;
use calamine::{Data, Reader, Xlsx};
use std::io::Cursor;
use unicode_width::UnicodeWidthStr;

fn money(text: &str) -> Cell {
    Cell::Money(Money::parse("amount", text).unwrap())
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn sample() -> Table {
    let row = |code: &str, name: &str, persons: i64, share: &str, amount: &str| {
        vec![
            text(code),
            text(name),
            Cell::Integer(persons),
            Cell::Decimal(share.to_owned()),
            money(amount),
        ]
    };
    let mut rows = vec![
        row("411002", "魏都区", 12_345, "0.250000", "1234567.89"),
        row("411081", "禹州市", 3200, "0.5", "-0.01"),
        row("4110-DC", "=cmd|' /C calc'!A0", 0, "1234.25", "100.10"),
    ];
    rows.push(vec![
        text("#1"),
        text("“quoted”, \"x\"\nsecond line"),
        Cell::Empty,
        Cell::Empty,
        Cell::Empty,
    ]);
    Table {
        title: "2024年农业转移人口市民化奖补资金分配表".to_owned(),
        unit: "单位:元 (yuan)".to_owned(),
        notes: vec!["注:按公式分配。".to_owned(), "Rounded to fen.".to_owned()],
        columns: vec![
            Column::new("region", "地区代码 Code"),
            Column::new("name", "地区 Region"),
            Column::summed("persons", "新增落户 Persons"),
            Column::new("share", "占比 Share"),
            Column::summed("amount", "金额 Amount"),
        ],
        rows,
        totals: true,
    }
}

fn rendered(table: &Table, format: Format) -> String {
    String::from_utf8(render(table, format).unwrap()).unwrap()
}

#[test]
fn renders_the_golden_files() {
    for (format, golden) in [
        (Format::Table, include_str!("testdata/sample.txt")),
        (Format::Json, include_str!("testdata/sample.json")),
        (Format::Csv, include_str!("testdata/sample.csv")),
    ] {
        let found = rendered(&sample(), format);
        assert_eq!(found, golden, "{found}");
    }
}

#[test]
fn all_lines_of_the_table_are_equally_wide() {
    let drawn = rendered(&sample(), Format::Table);
    let widths: Vec<usize> = drawn
        .lines()
        .filter(|line| line.starts_with(['|', '+']))
        .map(UnicodeWidthStr::width)
        .collect();
    assert_eq!(widths.len(), 10);
    assert!(widths.iter().all(|width| *width == widths[0]), "{widths:?}");
    // The unit ends where the table ends.
    assert_eq!(drawn.lines().nth(1).unwrap().width(), widths[0]);
}

#[test]
fn a_terminal_is_not_sent_control_characters() {
    let mut table = sample();
    table.rows[0][1] = text("\u{1b}[31mred\u{7}");
    table.title = "a\u{1b}]0;b".to_owned();
    let drawn = rendered(&table, Format::Table);
    assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn csv_comes_back_through_the_reader_of_tables() {
    let bytes = render(&sample(), Format::Csv).unwrap();
    let sheet = crate::tabular::read("sample.csv", &bytes).unwrap();
    assert_eq!(sheet.header, ["region", "name", "persons", "share", "amount"]);
    assert_eq!(sheet.rows.len(), 4);
    assert_eq!(sheet.rows[1].1[4], "-0.01");
    assert_eq!(sheet.rows[2].1[1], "'=cmd|' /C calc'!A0");
    assert_eq!(sheet.rows[3].1[0], "#1");
}

#[test]
fn json_has_the_totals_of_the_summed_columns_only() {
    let value: serde_json::Value = serde_json::from_str(&rendered(&sample(), Format::Json)).unwrap();
    assert_eq!(
        value["totals"],
        serde_json::json!({"persons": 15545, "amount": "1234667.98"})
    );
    let mut table = sample();
    table.totals = false;
    let value: serde_json::Value = serde_json::from_str(&rendered(&table, Format::Json)).unwrap();
    assert!(value["totals"].is_null());
}

#[test]
fn a_workbook_has_formulas_whose_results_agree() {
    let bytes = render(&sample(), Format::Xlsx).unwrap();
    assert_eq!(bytes, render(&sample(), Format::Xlsx).unwrap());
    let mut workbook = Xlsx::new(Cursor::new(&bytes)).unwrap();
    let name = workbook.sheet_names()[0].clone();
    let cells = workbook.worksheet_range(&name).unwrap();
    let formulas = workbook.worksheet_formula(&name).unwrap();
    let cell = |row, column| cells.get_value((row, column)).unwrap().clone();
    assert_eq!(cell(0, 0), Data::String(sample().title));
    assert_eq!(cell(1, 0), Data::String("单位:元 (yuan)".to_owned()));
    assert_eq!(cell(2, 4), Data::String("金额 Amount".to_owned()));
    assert_eq!(cell(3, 4), Data::Float(1_234_567.89));
    assert_eq!(cell(5, 1), Data::String("=cmd|' /C calc'!A0".to_owned()));
    assert_eq!(cell(7, 0), Data::String("合计 Total".to_owned()));
    assert_eq!(formulas.get_value((7, 2)).unwrap(), "SUM(C4:C7)");
    assert_eq!(formulas.get_value((7, 4)).unwrap(), "SUM(E4:E7)");
    assert_eq!(formulas.get_value((7, 3)).map_or("", String::as_str), "");
    assert_eq!(cell(7, 2), Data::Float(15545.0));
    assert_eq!(cell(7, 4), Data::Float(1_234_667.98));
    assert_eq!(cell(9, 0), Data::String("Rounded to fen.".to_owned()));
    assert_eq!(
        workbook.merge_cells_by_sheet_name(&name).unwrap().len(),
        2 + sample().notes.len()
    );
}

#[test]
fn a_workbook_keeps_every_digit() {
    let mut table = sample();
    table.rows[0][4] = money("9999999999999.99");
    table.rows[1][4] = money("10000000000000.01");
    table.rows[2][3] = Cell::Decimal("0.1234567890123456789".to_owned());
    let bytes = render(&table, Format::Xlsx).unwrap();
    let mut workbook = Xlsx::new(Cursor::new(&bytes)).unwrap();
    let cells = workbook.worksheet_range_at(0).unwrap().unwrap();
    let cell = |row, column| cells.get_value((row, column)).unwrap().clone();
    assert_eq!(cell(3, 4), Data::Float(9_999_999_999_999.99));
    assert_eq!(cell(4, 4), Data::String("10000000000000.01".to_owned()));
    assert_eq!(cell(5, 3), Data::String("0.1234567890123456789".to_owned()));
    // A formula would leave out the amount that is text.
    assert_eq!(cell(7, 4), Data::Float(20_000_000_000_100.1));
    assert_eq!(
        workbook
            .worksheet_formula("2024年农业转移人口市民化奖补资金分配表")
            .unwrap()
            .get_value((7, 4))
            .map_or("", String::as_str),
        ""
    );
}

#[test]
fn renders_tables_of_unusual_shape() {
    let mut table = sample();
    table.rows.clear();
    table.notes.clear();
    table.unit.clear();
    for format in [Format::Table, Format::Json, Format::Csv, Format::Xlsx] {
        render(&table, format).unwrap();
    }
    let narrow = Table {
        title: "'History[1]: a/b?*\\ — a title that is longer than the name of a worksheet may be".to_owned(),
        unit: String::new(),
        notes: vec!["n".to_owned()],
        columns: vec![Column::summed("amount", "金额")],
        rows: vec![vec![money("1.00")]],
        totals: true,
    };
    for format in [Format::Table, Format::Json, Format::Csv, Format::Xlsx] {
        render(&narrow, format).unwrap();
    }
}

#[test]
fn a_malformed_table_is_a_defect() {
    let mut short = sample();
    short.rows[0].pop();
    let mut twice = sample();
    twice.columns[1].key = "region".to_owned();
    let mut decimal = sample();
    decimal.rows[0][3] = Cell::Decimal("1e5".to_owned());
    for table in [short, twice, decimal] {
        assert!(matches!(render(&table, Format::Csv), Err(Error::Internal { .. })));
    }
}

#[test]
fn formats_have_names() {
    use clap::ValueEnum;
    for format in Format::value_variants() {
        let name = format.to_possible_value().unwrap().get_name().to_owned();
        assert_eq!(name.parse::<Format>().unwrap(), *format);
    }
    assert_eq!("pdf".parse::<Format>().unwrap_err().field, "format");
}

#[test]
fn a_page_holds_every_cell_as_text_and_fetches_nothing() {
    let page = rendered(&sample(), Format::Html);
    for shown in [
        "1,234,567.89",
        "魏都区",
        "=cmd|&#39; /C calc&#39;!A0",
        TOTAL_LABEL,
        "1,234,667.98",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    for forbidden in ["<script", "<link", "<img", " src=", "href="] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let mut table = sample();
    table.title = "</title><script>".to_owned();
    table.rows[0][1] = text("<b>");
    let page = rendered(&table, Format::Html);
    assert!(!page.contains("<script") && !page.contains("<b>"));
}

#[test]
fn tables_that_belong_together_are_one_file() {
    let mut second = sample();
    second.rows.clear();
    let tables = [sample(), second];
    let page = String::from_utf8(render_all(&tables, Format::Html).unwrap()).unwrap();
    assert_eq!(page.matches("<section>").count(), 2);
    let value: serde_json::Value =
        serde_json::from_slice(&render_all(&tables, Format::Json).unwrap()).unwrap();
    assert_eq!(value["tables"][0]["totals"]["persons"], 15_545);
    assert_eq!(value["tables"][1]["rows"], serde_json::json!([]));
    let book: Xlsx<_> = Xlsx::new(Cursor::new(render_all(&tables, Format::Xlsx).unwrap())).unwrap();
    // The second has the same title, and a worksheet's name is there once.
    assert_eq!(book.sheet_names().len(), 2);
    assert!(matches!(render_all(&tables, Format::Csv), Err(Error::Invalid(_))));
}
