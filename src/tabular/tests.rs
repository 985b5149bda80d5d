//! Whole files, from bytes to rows.

use super::*;
use crate::domain::region::RegionKind;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};
use std::io::{Cursor, Read, Write};

const HEADER: &str = "地区代码,指标,年份,数值,单位,数据来源\n";

fn workbook(fill: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    let mut workbook = Workbook::new();
    fill(workbook.add_worksheet());
    workbook.save_to_buffer().unwrap()
}

fn heading(sheet: &mut Worksheet, row: u32) {
    for (column, text) in (0..).zip(HEADER.trim().split(',')) {
        sheet.write_string(row, column, text).unwrap();
    }
}

fn fields(violations: &[Violation]) -> Vec<&str> {
    violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect()
}

#[test]
fn reads_a_gbk_file() {
    let bytes = include_bytes!("../../tests/data/tabular/observations-gbk.csv");
    assert!(String::from_utf8(bytes.to_vec()).is_err());
    let sheet = read("observations-gbk.csv", bytes).unwrap();
    let rows = observation_rows(&sheet).unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].line, 2);
    assert_eq!(rows[0].region, "魏都区");
    assert_eq!(rows[1].value, "１２．５");
    assert_eq!(rows[1].year, "２０２４年");
    assert_eq!(rows[2].source, "统计局,第\r\n七次普查");
    // The third row has a line break within quotes; a fourth would be on line 6.
    assert_eq!(rows[2].line, 4);
}

#[test]
fn headings_are_compared_in_half_width_and_lower_case() {
    let text = "\u{feff}ＲＥＧＩＯＮ, Indicator ,年度,Value,数据来源,备注\n411002,x,2024,1,s,ignored\n";
    let rows = observation_rows(&read("a.csv", text.as_bytes()).unwrap()).unwrap();
    assert_eq!(rows[0].region, "411002");
    assert_eq!(rows[0].unit, "");
}

#[test]
fn a_ragged_row_is_named_by_its_line() {
    let text = format!("{HEADER}411002,\"a\nb\",2024,1,,s\n\n411003,b,2024,1,s\n411003,b,2024,1,,s,\n");
    let violations = read("a.csv", text.as_bytes()).unwrap_err();
    assert_eq!(fields(&violations), ["line 5", "line 6"]);
    assert_eq!(violations[0].found, "5 cells");
    assert!(violations[0].allowed.en.contains("6 cells"));
}

#[test]
fn titles_above_the_header_are_skipped() {
    let text = format!("许昌市数据\n单位:人\n{HEADER}411002,a,2024,1,,s\n");
    let sheet = read("a.csv", text.as_bytes()).unwrap();
    assert_eq!(sheet.header_line, 3);
    assert_eq!(sheet.rows[0].0, 4);
}

#[test]
fn a_header_that_lacks_a_column_is_told_what_is_allowed() {
    let text = "标题,,,,\n地区,指标,年份,来源,乡镇\n411002,a,2024,s,z\n";
    let violations = observation_rows(&read("a.csv", text.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(
        fields(&violations),
        ["line 2, column 乡镇", "line 2, column value"]
    );
    assert!(violations[1].allowed.zh.contains("指标值"));
}

#[test]
fn names_of_regions_are_read_only_where_there_are_no_codes() {
    let text = "地区代码,地区名称,指标,年份,数值,来源\n411002,魏都,a,2024,1,s\n";
    let rows = observation_rows(&read("a.csv", text.as_bytes()).unwrap()).unwrap();
    assert_eq!(rows[0].region, "411002");
    // The header is found beneath a title all the same.
    let text = "许昌市数据\nregion_name,indicator,year,value,source\n魏都区,a,2024,1,s\n";
    let rows = observation_rows(&read("a.csv", text.as_bytes()).unwrap()).unwrap();
    assert_eq!(rows[0].region, "魏都区");
}

#[test]
fn a_file_without_any_heading_is_one_fault() {
    let text = "411002,a,2024,1,s\n411003,a,2024,1,s\n";
    let violations = observation_rows(&read("a.csv", text.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(fields(&violations), ["line 1"]);
    assert!(violations[0].found.contains("411002, a, 2024"));
    assert!(violations[0].allowed.zh.contains("地区、指标、年份、数值、来源"));
}

#[test]
fn headings_twice_or_absent_are_refused() {
    let text = "地区,地区代码,指标,年份,数值,来源,,\na,a,a,a,a,a,,stray\n";
    let violations = observation_rows(&read("a.csv", text.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(
        fields(&violations),
        ["line 1, column 地区代码", "line 2, column H"]
    );
}

#[test]
fn reads_regions_whose_root_has_a_parent_elsewhere() {
    let sheet = read(
        "regions.csv",
        include_bytes!("../../tests/data/tabular/regions.csv"),
    )
    .unwrap();
    let regions = regions(&sheet).unwrap();
    assert_eq!(regions.len(), 4);
    assert_eq!(regions[0].parent.as_ref().unwrap().as_str(), "410000");
    assert_eq!(regions[3].code.as_str(), "4110-DC");
    assert_eq!(regions[3].kind, RegionKind::FunctionalZone);
}

#[test]
fn every_faulty_region_is_reported() {
    let text = "代码,名称,类型,上级\n411002,魏都区,市辖区,x\n411002,,街道,411000\n";
    let violations = regions(&read("r.csv", text.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(
        fields(&violations),
        [
            "line 2, column parent",
            "line 3, column code",
            "line 3, column name_zh",
            "line 3, column kind",
        ]
    );
    assert!(violations[1].allowed.en.contains("line 2"));
}

#[test]
fn reports_a_hundred_faults_and_counts_the_rest() {
    let text = format!("代码,名称,类型\n{}", "?,a,县\n".repeat(130));
    let violations = regions(&read("r.csv", text.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(violations.len(), 101);
    assert_eq!(violations[100].found, "30 more like these");
}

#[test]
fn reads_indicators() {
    let text = "code,name_zh,name_en,unit,decimals,minimum,maximum,description\n\
                settled_new,新增落户,Newly settled,人,０,0,,\n\
                rate,比率,Rate,％,28,-1.5,1.5,x\n";
    let found = indicators(&read("i.csv", text.as_bytes()).unwrap()).unwrap();
    assert_eq!(found[0].minimum.unwrap().to_string(), "0");
    assert_eq!(found[0].maximum, None);
    assert_eq!(found[1].unit.code, "percent");
    assert_eq!(found[1].decimals, 28);

    let text = "code,name_zh,name_en,unit,decimals,minimum,maximum\nX,,n,yard,29,2,1\n";
    let violations = indicators(&read("i.csv", text.as_bytes()).unwrap()).unwrap_err();
    let columns = ["code", "name_zh", "unit", "decimals", "maximum"];
    assert_eq!(
        fields(&violations),
        columns.map(|name| format!("line 2, column {name}"))
    );
}

#[test]
fn reads_a_workbook_with_titles_above_the_header() {
    let bytes = workbook(|sheet| {
        sheet
            .merge_range(0, 0, 0, 5, "许昌市数据", &Format::new())
            .unwrap();
        heading(sheet, 2);
        sheet.write_number(3, 0, 411_002).unwrap();
        sheet.write_string(3, 1, "settled").unwrap();
        sheet.write_number(3, 2, 2024).unwrap();
        sheet.write_number(3, 3, 0.1).unwrap();
        sheet.write_string(3, 5, "s").unwrap();
        sheet.write_string(5, 0, "411003").unwrap();
        sheet.write_string(5, 3, "0.1234567890123456789").unwrap();
        sheet
            .write_formula(5, 4, Formula::new("1+2").set_result("3"))
            .unwrap();
        let date = Format::new().set_num_format("yyyy-mm-dd");
        let day = ExcelDateTime::from_ymd(2024, 3, 1).unwrap();
        sheet.write_datetime_with_format(5, 5, &day, &date).unwrap();
    });
    let sheet = read("a.xlsx", &bytes).unwrap();
    assert_eq!(sheet.header_line, 3);
    assert_eq!(
        sheet.rows,
        [
            (4, vec!["411002", "settled", "2024", "0.1", "", "s"]),
            (
                6,
                vec!["411003", "", "", "0.1234567890123456789", "3", "2024-03-01"]
            ),
        ]
        .map(|(line, cells)| (line, cells.into_iter().map(str::to_owned).collect()))
    );
    assert_eq!(observation_rows(&sheet).unwrap()[1].line, 6);
}

#[test]
fn refuses_cells_that_a_workbook_shows_otherwise_than_it_stores() {
    let bytes = workbook(|sheet| {
        sheet.write_boolean(0, 0, true).unwrap();
        heading(sheet, 1);
        sheet.write_boolean(2, 0, true).unwrap();
        sheet
            .write_formula(2, 1, Formula::new("1/0").set_result("#DIV/0!"))
            .unwrap();
        sheet.write_number(2, 3, 0.1 + 0.2).unwrap();
        sheet.write_number(3, 3, 12_345_678_901_234_567_890.0).unwrap();
        let percent = Format::new().set_num_format("0%");
        sheet.write_number_with_format(4, 3, 0.05, &percent).unwrap();
        sheet.write_string(5, 7, "beyond").unwrap();
    });
    let violations = read("a.xlsx", &bytes).unwrap_err();
    assert_eq!(
        fields(&violations),
        [
            "line 6, column H",
            "line 3, column 地区代码",
            "line 3, column 指标",
            "line 3, column 数值",
            "line 4, column 数值",
            "line 5, column 数值",
        ]
    );
    assert!(
        violations[3]
            .allowed
            .en
            .contains("store it as text to keep all digits")
    );
}

#[test]
fn takes_the_first_visible_worksheet() {
    let mut workbook = Workbook::new();
    workbook
        .add_worksheet()
        .set_hidden(true)
        .write_string(0, 0, "hidden")
        .unwrap();
    heading(workbook.add_worksheet().set_active(true), 0);
    let sheet = read("x", &workbook.save_to_buffer().unwrap()).unwrap();
    assert_eq!(sheet.header.len(), 6);
}

#[test]
fn refuses_files_of_another_kind() {
    for (name, bytes) in [
        ("a.xlsx", b"a,b\n".as_slice()),
        ("a.csv", b"PK\x03\x04nothing"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        ("a.csv", b""),
        ("a.csv", b"\n,\n"),
    ] {
        assert_eq!(read(name, bytes).unwrap_err()[0].field, "file", "{name}");
    }
}

#[test]
fn keeps_the_limits() {
    assert!(read("a.csv", &vec![b'a'; MAX_BYTES + 1]).is_err());
    let wide = format!("{}\n", ",a".repeat(MAX_COLUMNS));
    assert_eq!(read("a.csv", wide.as_bytes()).unwrap_err()[0].field, "line 1");
    let long = format!("a,b\n1,{}\n", "x".repeat(MAX_CELL_BYTES + 1));
    assert_eq!(
        read("a.csv", long.as_bytes()).unwrap_err()[0].field,
        "line 2, column B"
    );
    let rows = "a\n".repeat(MAX_ROWS + 1);
    assert_eq!(
        read("a.csv", rows.as_bytes()).unwrap_err()[0].field,
        format!("line {}", MAX_ROWS + 1)
    );
    // A workbook whose only cells are far apart takes no memory for the cells between.
    let sparse = workbook(|sheet| {
        sheet.write_string(0, 0, "a").unwrap();
        sheet.write_string(1_048_575, 16_383, "b").unwrap();
    });
    assert_eq!(
        fields(&read("a.xlsx", &sparse).unwrap_err()),
        ["line 1048576, column XFD"]
    );
}

/// A fixed sequence of pseudo-random numbers.
struct Sequence(u32);

impl Sequence {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize
    }
}

/// The parts of an archive, uncompressed.
fn unpack(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut part = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            part.read_to_end(&mut content).unwrap();
            (part.name().unwrap().into_owned(), content)
        })
        .collect()
}

fn pack(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in parts {
        writer.start_file(name.as_str(), stored).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn no_damaged_file_is_a_panic() {
    let bytes = workbook(|sheet| {
        heading(sheet, 0);
        sheet.write_number(1, 3, 5).unwrap();
        sheet.write_boolean(1, 4, true).unwrap();
    });
    let parts = unpack(&bytes);
    let mut random = Sequence(1);
    for _ in 0..500 {
        let mut damaged = bytes.clone();
        let at = random.next() % damaged.len();
        damaged[at] = random.next() as u8;
        damaged.truncate(damaged.len() - random.next() % 64);
        let _ = read("a.xlsx", &damaged);

        // Damage to the XML itself, in an archive that is sound.
        let mut parts = parts.clone();
        for _ in 0..3 {
            let part = random.next() % parts.len();
            let content = &mut parts[part].1;
            let at = random.next() % content.len();
            content[at] = b"<>/\"=0A9&- "[random.next() % 11];
        }
        let _ = read("a.xlsx", &pack(&parts));

        let text: Vec<u8> = (0..random.next() % 200)
            .map(|_| b"a,\"\n\r#\0\xe5\xb0\t"[random.next() % 10])
            .collect();
        let _ = read("a.csv", &text);
    }
}

#[test]
fn refuses_cells_out_of_place() {
    let good = workbook(|sheet| {
        heading(sheet, 0);
        sheet.write_number(1, 3, 5).unwrap();
    });
    for (from, to) in [
        ("r=\"D2\"", "r=\"A1\""),
        ("r=\"D2\"", "r=\"ZZZZZZZZZZZZ2\""),
        ("r=\"D2\"", "r=\"D99999999999\""),
        ("<v>5</v>", "<v>5e400</v>"),
    ] {
        let mut parts = unpack(&good);
        for (name, content) in &mut parts {
            if name.ends_with("sheet1.xml") {
                let xml = String::from_utf8(content.clone()).unwrap();
                assert!(xml.contains(from));
                *content = xml.replace(from, to).into_bytes();
            }
        }
        assert!(read("a.xlsx", &pack(&parts)).is_err(), "{to}");
    }
}
