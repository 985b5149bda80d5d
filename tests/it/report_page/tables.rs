//! Tables as pages: the report of a reconciliation, and lists that go on over many pages.

use super::{Desk, assert_laid_out, assert_self_contained, poppler};
use crate::cli::office::root;
use incentive_fund::domain::money::Money;
use incentive_fund::report::{Cell, Column, Format, Table, render_all};
use std::path::Path;

const CHECK: &str = include_str!("check_tables.js");

/// The report as the program writes it; `reconciliation::reports` compares.
fn report() -> String {
    let path = root().join("tests/data/golden/reconciliation-report.html");
    std::fs::read_to_string(path).unwrap()
}

/// A break list as `reconcile report` has it, with sentences in both languages.
fn tables() -> Vec<Table> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let row = |number: i64| {
        vec![
            Cell::Integer(number),
            text("银行未付 missing_at_bank"),
            text("2025-06"),
            Cell::Money(Money::from_fen(123_456_789_012).unwrap()),
            text("RF091000000001C1"),
            text(
                "应于 2025-06-10 前支付 1,400.00,对账单中无此流水 / 1,400.00 was to be paid by 2025-06-10; no line of a \
                 statement pays it",
            ),
        ]
    };
    let table = |title: &str, rows: i64| Table {
        title: title.to_owned(),
        unit: "单位:元 (yuan)".to_owned(),
        notes: vec!["两方余额相符 Both balances agree".to_owned()],
        columns: vec![
            Column::summed("number", "序号 No."),
            Column::new("class", "类别 Class"),
            Column::new("period", "月份 Month"),
            Column::summed("amount", "金额 Amount"),
            Column::new("payment", "业务参考号 Payment"),
            Column::new("evidence", "依据 Evidence"),
        ],
        rows: (0..rows).map(row).collect(),
        totals: true,
    };
    vec![
        table(
            "银行存款余额调节表 Balance reconciliation of bankAccounts/city",
            3,
        ),
        table("差异清单 Breaks of bankAccounts/city", 60),
    ]
}

#[test]
fn tables_print_on_a4_with_nothing_cut_off() {
    let desk = Desk::new();
    let page = render_all(&tables(), Format::Html).unwrap();
    let page = String::from_utf8(page).unwrap();
    assert_self_contained(&page);
    let pdf = desk.printed("tables", &page);
    let about = poppler("pdfinfo", &[], &pdf);
    let size = about.lines().find(|line| line.starts_with("Page size")).unwrap();
    assert!(size.contains("A4"), "{size}");
    let text = poppler("pdftotext", &["-layout"], &pdf);
    assert_eq!(text.matches("1,234,567,890.12").count(), 63, "{text}");
    assert!(text.contains("74,074,073,407.20"), "the sum of sixty");
    let words = poppler("pdftotext", &["-bbox"], &pdf);
    for line in words
        .lines()
        .filter(|line| line.trim_start().starts_with("<word"))
    {
        let number = |key: &str| -> f64 {
            let from = line.find(key).unwrap() + key.len();
            line[from..].split('"').next().unwrap().parse().unwrap()
        };
        // 15 mm are 42.5 pt of the 842 x 595; the box of a word is up to a point wider than what is seen of it.
        assert!(number("xMin=\"") >= 41.5 && number("xMax=\"") <= 800.5, "{line}");
    }
}

#[derive(Debug)]
struct Word {
    page: usize,
    text: String,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

/// The words of a printed page, with their places in points.
fn words(pdf: &Path) -> Vec<Word> {
    let text = poppler("pdftotext", &["-bbox"], pdf);
    let (mut page, mut words) = (0, Vec::new());
    for line in text.lines().map(str::trim_start) {
        page += usize::from(line.starts_with("<page "));
        if !line.starts_with("<word") {
            continue;
        }
        let number = |key: &str| -> f64 {
            let from = line.find(key).unwrap() + key.len();
            line[from..].split('"').next().unwrap().parse().unwrap()
        };
        words.push(Word {
            page,
            text: line.split(['>', '<']).nth(2).unwrap().to_owned(),
            left: number("xMin=\""),
            top: number("yMin=\""),
            right: number("xMax=\""),
            bottom: number("yMax=\""),
        });
    }
    words
}

#[test]
fn the_report_of_a_reconciliation_is_laid_out_well_at_any_width_and_in_any_font() {
    let desk = Desk::new();
    let report = report();
    assert_self_contained(&report);
    for (width, fonts) in [(1280, None), (1280, Some("\"DejaVu Sans\"")), (600, None)] {
        let what = format!("reconciliation-{width}-{}", fonts.is_some());
        let found = desk.measured_by(CHECK, &what, &report, (width, fonts));
        assert_laid_out(&found, &what);
        assert_eq!(found["tables"], 3, "{found}");
    }
}

#[test]
fn the_report_of_a_reconciliation_prints_on_a4() {
    let desk = Desk::new();
    let report = report();
    let pdf = desk.printed("reconciliation", &report);
    let about = poppler("pdfinfo", &[], &pdf);
    let line = |key: &str| {
        about
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap()
            .to_owned()
    };
    assert!(line("Page size").contains("A4"), "{about}");
    assert!(line("Pages").ends_with(" 3"), "a page for each table: {about}");
    let words = words(&pdf);
    for word in &words {
        assert!(word.left >= 41.5 && word.right <= 800.5, "{word:?}");
        assert!(word.top >= 30.0 && word.bottom <= 590.0, "{word:?}");
    }
    // Two words never stand over each other. The boxes of Chinese fonts are half as high again as their lines, so
    // that those of two lines overlap by nearly half.
    for (at, one) in words.iter().enumerate() {
        for other in words[at + 1..].iter().filter(|other| other.page == one.page) {
            let across = one.right.min(other.right) - one.left.max(other.left);
            let down = one.bottom.min(other.bottom) - one.top.max(other.top);
            let line = (one.bottom - one.top).min(other.bottom - other.top);
            assert!(across < 0.5 || down < line * 0.6, "{one:?} over {other:?}");
        }
    }
    // Nothing of the page is lost on paper: each figure and each reference of it is there in one piece.
    let printed: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let cells = report.split("<td").skip(1).map(|cell| {
        let text = cell.split_once('>').unwrap().1;
        text.split("</td>").next().unwrap()
    });
    let mut whole = 0;
    for cell in cells.filter(|cell| cell.len() > 3 && cell.bytes().all(|byte| byte.is_ascii_graphic())) {
        assert!(printed.contains(&cell), "{cell}: {printed:?}");
        whole += 1;
    }
    assert!(whole > 30, "{whole}");
}

/// Where there is no room for all words side by side, words are broken; nothing is cut off.
#[test]
fn a_table_too_wide_for_its_words_is_not_cut_off() {
    let name = |row: usize, column: usize| Cell::Text(format!("funds/f/claims/{row:04}{column:02}"));
    let table = Table {
        title: "申请 Claims".to_owned(),
        unit: String::new(),
        notes: Vec::new(),
        columns: (0..14)
            .map(|at| Column::new(format!("column_{at}"), format!("名称 Name {at}")))
            .collect(),
        rows: (0..5)
            .map(|row| (0..14).map(|column| name(row, column)).collect())
            .collect(),
        totals: false,
    };
    let page = render_all(std::slice::from_ref(&table), Format::Html).unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("<table>") && report().contains("<table class=\"whole\">"));
    let desk = Desk::new();
    let words = words(&desk.printed("wide", &page));
    assert!(words.len() > 14 * 5);
    for word in &words {
        assert!(word.left >= 41.5 && word.right <= 800.5, "{word:?}");
    }
}
