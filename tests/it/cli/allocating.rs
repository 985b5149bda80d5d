//! `allocate` and `explain`: the figures, their forms, and what is kept.

use super::office::{Office, Served, golden, kept, masked};
use calamine::{Data, Reader, Xlsx};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// The command of the README.
const README: &str = "allocate --import examples/xuchang --formula config/formulas/xuchang-settled-resident.toml \
    --pool 86000000 --year 2024 --fund citizenization-2025";

const NINE: [&str; 9] = [
    "东城区",
    "市城乡一体化示范区",
    "魏都区",
    "建安区",
    "鄢陵县",
    "襄城县",
    "经济技术开发区",
    "禹州市",
    "长葛市",
];

fn readme(rest: &str) -> String {
    format!("{README} --as 张三 {rest}").trim_end().to_owned()
}

/// Amounts of a column in JSON, in fen.
fn fen(document: &Value, key: &str) -> Vec<i64> {
    let rows = document["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| row[key].as_str().unwrap().replace('.', "").parse().unwrap())
        .collect()
}

#[test]
fn the_readme_command_prints_the_nine_units_and_why() {
    let office = Office::new();
    let out = office.ok(&readme("--explain"));
    golden("xuchang.txt", &masked(&out));
    for name in NINE {
        assert!(out.contains(name), "{name}");
    }
    for part in [
        "合计 Total",
        "86,000,000.00",
        "示例 illustrative: 60 % and 40 %",
        "411081 禹州市: Settled: 6120, of 27210 in all is 22.4917 % of 51600000 yuan",
        "禹州市(411081):落户因素:6120,占合计 27210 的 22.4917%",
        "kept as / 已保存为 allocations/",
    ] {
        assert!(out.contains(part), "{part}");
    }
}

#[test]
fn every_line_of_a_table_is_as_wide_as_the_others() {
    let office = Office::new();
    let tables = [
        office.ok(&readme("--explain")),
        office.ok(
            "allocate --data-set xuchang --formula config/formulas/settled-taper-bounds.toml --pool 86000000 \
             --year 2024 --fund citizenization-2025 --as 张三",
        ),
        office.ok("runs list"),
        office.ok("formula list"),
    ];
    for table in tables {
        let widths: Vec<usize> = table
            .lines()
            .filter(|line| line.starts_with(['+', '|']))
            .map(UnicodeWidthStr::width)
            .collect();
        assert!(
            widths.len() > 5 && widths.iter().all(|width| *width == widths[0]),
            "{table}"
        );
    }
}

#[test]
fn a_repeated_command_changes_nothing_in_the_data() {
    let office = Office::new();
    let (first, second) = (office.ok(&readme("")), office.ok(&readme("")));
    assert_eq!(masked(&first), masked(&second));
    assert_ne!(kept(&first), kept(&second));
    assert!(second.contains("formulas/xuchang-settled-resident/revisions/1 "));
    assert!(second.contains("dataSets/xuchang/revisions/1 "));
    let again = office.ok("import observations examples/xuchang/observations.csv --data-set xuchang");
    assert!(again.contains("0 added, 0 revised, 81 unchanged"), "{again}");
    let compared = office.ok(&format!("runs compare {} {}", kept(&first), kept(&second)));
    assert!(
        compared.contains("输入相同 the inputs are the same"),
        "{compared}"
    );
}

#[test]
fn programs_read_the_same_figures_and_the_name_beside_them() {
    let office = Office::new();
    let answer = office.run(&readme("--format json"));
    assert_eq!(answer.code, 0);
    assert!(
        answer.err.starts_with("kept as / 已保存为 allocations/"),
        "{}",
        answer.err
    );
    golden("xuchang.json", &answer.out);
    let json: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(fen(&json, "amount").iter().sum::<i64>(), 8_600_000_000);
    assert_eq!(json["totals"]["amount"], "86000000.00");
    assert_eq!(json["totals"]["settled"], "51600000.00");
    // The components of each unit add up to its amount.
    let parts = fen(&json, "settled").into_iter().zip(fen(&json, "resident"));
    assert_eq!(
        parts.map(|(a, b)| a + b).collect::<Vec<_>>(),
        fen(&json, "amount")
    );

    let csv = office.run(&readme("--format csv"));
    golden("xuchang.csv", &csv.out);
    let stored = office.ok(&format!("runs show {} --format csv", kept(&answer.err)));
    assert_eq!(stored, csv.out);
}

#[test]
fn the_workbook_adds_up_by_itself() {
    let office = Office::new();
    let answer = office.run(&readme("--format xlsx --output result.xlsx"));
    assert_eq!((answer.code, answer.out.as_str()), (0, ""));
    let mut workbook: Xlsx<_> = calamine::open_workbook(office.path("result.xlsx")).unwrap();
    let name = workbook.sheet_names()[0].clone();
    let cells = workbook.worksheet_range(&name).unwrap();
    let text = |row, column| cells.get_value((row, column)).unwrap().to_string();
    assert!(text(0, 0).starts_with("农业转移人口市民化奖补资金分配表"));
    assert_eq!(text(1, 0), "单位:元 (yuan)");
    assert_eq!(text(2, 4), "分配额 Amount");
    assert_eq!(text(12, 0), "合计 Total");
    let formulas = workbook.worksheet_formula(&name).unwrap();
    for (column, letter) in [(2, 'C'), (3, 'D'), (4, 'E')] {
        let formula = formulas.get_value((12, column)).unwrap();
        assert_eq!(
            formula.trim_start_matches('='),
            format!("SUM({letter}4:{letter}12)")
        );
        // In fen, so that binary fractions add nothing of their own.
        let fen = |row| match cells.get_value((row, column)) {
            Some(Data::Float(yuan)) => (yuan * 100.0).round(),
            other => panic!("row {row}: {other:?}"),
        };
        let sum: f64 = (3..12).map(fen).sum();
        assert_eq!(sum.to_bits(), fen(12).to_bits(), "column {letter}");
    }
    let notes: Vec<String> = (13..cells.height() as u32).map(|row| text(row, 0)).collect();
    assert!(
        notes.iter().any(|note| note.starts_with("示例 illustrative")),
        "{notes:?}"
    );
    // The same table gives the same bytes.
    let again = office.run(&readme("--format xlsx"));
    assert_eq!(again.bytes, std::fs::read(office.path("result.xlsx")).unwrap());
}

#[test]
fn a_server_answers_to_the_byte_as_the_program_alone_does() {
    let (alone, served) = (Office::new(), Office::new());
    let server = Served::start(&served);
    let served = served.through(&server);
    for rest in ["--explain", "--format json", "--format csv", "--format xlsx"] {
        let (expected, found) = (alone.run(&readme(rest)), served.run(&readme(rest)));
        assert_eq!(
            (found.code, masked(&found.out)),
            (0, masked(&expected.out)),
            "{rest}"
        );
        assert_eq!(masked(&found.err), masked(&expected.err), "{rest}");
    }
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_dry_run_keeps_nothing_at_all() {
    let office = Office::new();
    let out = office.ok(&readme("--dry-run --explain"));
    assert!(
        out.contains("86,000,000.00") && out.contains("nothing kept / 试算,未保存"),
        "{out}"
    );
    assert!(out.contains("411081 禹州市: Settled: 6120"), "{out}");
    for (list, header_and_rows) in [("runs list --format csv", 1), ("formula list --format csv", 1)] {
        assert_eq!(office.ok(list).lines().count(), header_and_rows, "{list}");
    }
    let error = office.fails(
        1,
        "allocate --data-set xuchang --formula xuchang-settled-resident --pool 1 --year 2024 --fund a",
    );
    assert!(
        error.contains("does not exist") && error.contains("不存在"),
        "{error}"
    );
    // The figures are those of the run that is kept.
    let dry: Value = serde_json::from_str(&office.ok(&readme("--dry-run --format json"))).unwrap();
    let real: Value = serde_json::from_str(&office.run(&readme("--format json")).out).unwrap();
    assert_eq!(dry["rows"], real["rows"]);
    assert_eq!(dry["title"], real["title"]);
    // From what is stored as well.
    let stored = "allocate --data-set xuchang --formula xuchang-settled-resident --pool 86000000 --year 2024 --dry-run";
    let again: Value = serde_json::from_str(&office.ok(&format!("{stored} --format json"))).unwrap();
    assert_eq!(again["rows"], real["rows"]);
    assert_eq!(office.ok("runs list --format csv").lines().count(), 2);
}

#[test]
fn a_result_that_cannot_be_written_does_not_hide_what_was_kept() {
    let office = Office::new();
    let answer = office.run(&readme("--format json --output nowhere/result.json"));
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("nowhere/result.json"), "{}", answer.err);
    let shown = office.ok(&format!("runs show {}", kept(&answer.err)));
    assert!(shown.contains("86,000,000.00"));
}

#[test]
fn explains_every_figure_in_every_form() {
    let office = Office::new();
    let id = kept(&office.ok(&readme("")));
    let text = office.ok(&format!("explain {id} --region 411081"));
    for part in [
        "411081 禹州市: 17243569.37 yuan / 元",
        "settled_new 新增落户人数 2024: 6120 person (revision 1, 示例数据 illustrative)",
        "score / 得分: settled_new = 6120 = 6120",
        "share / 份额: 6120 of 27210 = 204/907 (22.4917 %)",
        "rounding / 取整: fen by largest_remainder, residual units / 尾差: 0",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("长葛市"));
    let zh = office.ok(&format!("explain allocations/{id} --language zh"));
    assert!(
        zh.contains("一次取整到分") && !zh.contains("rounded once"),
        "{zh}"
    );

    let json: Value = serde_json::from_str(&office.ok(&format!("explain {id} --format json"))).unwrap();
    let rows = json["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 18);
    assert_eq!(rows[14]["region"], "411081");
    assert_eq!(rows[14]["component"], "settled");
    assert_eq!(rows[14]["share"], "204/907");
    assert_eq!(rows[14]["amount"], "17243569.37");
    let csv = office.ok(&format!("explain {id} --region 411081 --format csv"));
    assert!(
        csv.starts_with("\u{feff}region,region_name,component,score,"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 3);
    let error = office.fails(1, &format!("explain {id} --region 110000"));
    assert!(
        error.contains("regions/110000") && error.contains("不存在"),
        "{error}"
    );
}

#[test]
fn an_advance_is_settled_against_final_figures() {
    let office = Office::xuchang();
    let formula = "config/formulas/xuchang-settled-resident.toml";
    let allocate = format!(
        "allocate --data-set xuchang --formula {formula} --pool 86000000 --year 2024 --fund citizenization-2025 --as 张三"
    );
    let advance = kept(&office.ok(&format!("{allocate} --advance 70")));
    let settle = format!("{allocate} --settles {advance}");
    let error = office.fails(2, &settle);
    assert!(
        error.contains("an issued advance of fund citizenization-2025"),
        "{error}"
    );
    office.ok(&format!("runs approve {advance} --as 李四"));
    office.ok("fund receive citizenization-2025 60200000 --document 豫财预〔2024〕101号 --as 李四");
    office.ok(&format!("runs issue {advance} --as 李四"));
    // The final figures differ from those of the advance.
    let last = "region,indicator,year,value,unit,source\n411081,settled_new,2024,5120,人,终审\n";
    office.write("last.csv", last);
    office.ok("import observations last.csv --data-set xuchang");

    let error = office.fails(2, &format!("{settle} --dry-run"));
    assert!(
        error.contains("stored formula") && error.contains("清算试算"),
        "{error}"
    );
    let answer = office.run(&format!("{settle} --format json"));
    let json: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(json["totals"]["amount"], "86000000.00");
    assert_eq!(json["totals"]["advanced"], "60200000.00");
    assert_eq!(json["totals"]["payable"], "25800000.00");
    for ((amount, advanced), payable) in
        (fen(&json, "amount").into_iter().zip(fen(&json, "advanced"))).zip(fen(&json, "payable"))
    {
        assert_eq!(amount - advanced, payable);
    }
    let dry =
        office.ok(&format!("{settle} --dry-run --format json").replace(formula, "xuchang-settled-resident"));
    assert_eq!(serde_json::from_str::<Value>(&dry).unwrap()["rows"], json["rows"]);
}
