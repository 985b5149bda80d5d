//! `import`: what offices keep their tables in, and what happens to a table with faults.

use super::office::Office;
use encoding_rs::GB18030;
use rust_xlsxwriter::Workbook;

const REGIONS: &str = "\
代码,名称,英文名称,类型,上级,备注
411000,许昌市,Xuchang,地级市,,GB/T 2260
411002,魏都区,Weidu District,市辖区,411000,GB/T 2260
411081,禹州市,Yuzhou City,县级市,411000,GB/T 2260
4110-DC,东城区,,功能区,411000,地方代码
";

const OBSERVATIONS: &str = "\
地区代码,指标,年份,数值,单位,来源
411002,新增落户人数,2024,3640,人,统计局
411081,新增落户人数,2024,6120,人,统计局
4110-DC,新增落户人数,2024,1270,人,统计局
";

/// An office that knows the regions above and the indicators of the program.
fn office() -> Office {
    let office = Office::new();
    office.write("regions.csv", REGIONS);
    assert_eq!(
        office.ok("import regions regions.csv"),
        "4 regions / 个地区 imported / 已导入\n"
    );
    office.ok("import indicators config/indicators.csv");
    office
}

/// A workbook with the cells of a CSV text, numbers as numbers.
fn workbook(office: &Office, name: &str, csv: &str) {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (row, line) in (0..).zip(csv.lines()) {
        for (column, text) in (0..).zip(line.split(',')) {
            match text.parse::<f64>() {
                Ok(number) => sheet.write_number(row, column, number).unwrap(),
                Err(_) => sheet.write_string(row, column, text).unwrap(),
            };
        }
    }
    workbook.save(office.path(name)).unwrap();
}

/// Asserts that a data set has just the three observations above, by importing them once more.
fn holds_three(office: &Office, data_set: &str) {
    office.write("again.csv", OBSERVATIONS);
    let again = office.ok(&format!(
        "import observations again.csv --data-set {data_set} --dry-run"
    ));
    assert!(
        again.starts_with(&format!("dataSets/{data_set}/revisions/1 sha256:")),
        "{again}"
    );
    assert!(again.contains("0 added, 0 revised, 3 unchanged"), "{again}");
}

/// Asserts that there is no data set of that name.
fn does_not_exist(office: &Office, data_set: &str) {
    let check = format!(
        "formula check config/formulas/xuchang-settled-resident.toml --year 2024 --data-set {data_set}"
    );
    let error = office.fails(1, &check);
    assert!(
        error.contains(&format!("dataSets/{data_set} does not exist")),
        "{error}"
    );
}

#[test]
fn reads_the_encodings_and_forms_that_offices_write() {
    let office = office();
    office.write("utf8.csv", OBSERVATIONS);
    office.write(
        "bom.csv",
        format!("\u{feff}{}", OBSERVATIONS.replace('\n', "\r\n")),
    );
    office.write("gbk.csv", GB18030.encode(OBSERVATIONS).0);
    let wide: String = OBSERVATIONS
        .replace("3640", "３６４０")
        .replace(",2024", ",２０２４年")
        .replace("411081", "４１１０８１");
    office.write("wide.csv", wide);
    office.write(
        "titled.csv",
        format!("落户人数统计表,,,,,\n填报:统计局,,,,,\n{OBSERVATIONS}"),
    );
    office.write(
        "names.csv",
        OBSERVATIONS
            .replace("411002", "魏都区")
            .replace("411081", "Yuzhou City"),
    );
    workbook(&office, "book.xlsx", OBSERVATIONS);
    for file in [
        "utf8.csv",
        "bom.csv",
        "gbk.csv",
        "wide.csv",
        "titled.csv",
        "names.csv",
        "book.xlsx",
    ] {
        let data_set = file.split('.').next().unwrap();
        let out = office.ok(&format!("import observations {file} --data-set {data_set}"));
        assert!(
            out.contains("3 added, 0 revised, 0 unchanged: stored / 已入库"),
            "{file}: {out}"
        );
        holds_three(&office, data_set);
    }
    // The same content has the same digest, however it was written.
    let digest = |file: &str| {
        let out = office.ok(&format!(
            "import observations {file} --data-set {}",
            file.split('.').next().unwrap()
        ));
        out.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(digest("gbk.csv"), digest("book.xlsx"));
}

#[test]
fn takes_a_column_of_names_beside_or_in_place_of_the_codes() {
    let office = office();
    let beside = "\
地区代码,地区名称,指标,年份,数值,单位,来源
411002,魏都区(旧称),新增落户人数,2024,0.364,万人,统计局
411081,,新增落户人数,2024,0.612,万人,统计局
4110-DC,东城,新增落户人数,2024,0.127,万人,统计局
";
    office.write("beside.csv", beside);
    office.ok("import observations beside.csv --data-set beside");
    holds_three(&office, "beside");
    let instead = "\
region_name,indicator,year,value,unit,source
魏都区,settled_new,2024,3640,,统计局
禹州市,settled_new,2024,6120,person,统计局
东城区,settled_new,2024,1270,人,统计局
";
    office.write("instead.csv", instead);
    office.ok("import observations instead.csv --data-set instead");
    holds_three(&office, "instead");
    office.write("neither.csv", OBSERVATIONS.replace("地区代码", "备注"));
    let error = office.fails(2, "import observations neither.csv --data-set neither");
    assert!(
        error.contains("line 1, column region") && error.contains("地区代码"),
        "{error}"
    );
}

#[test]
fn imports_regions_and_indicators_from_workbooks_too() {
    let office = Office::new();
    workbook(&office, "regions.xlsx", REGIONS);
    office.ok("import regions regions.xlsx");
    let indicators = std::fs::read_to_string(office.path("config/indicators.csv")).unwrap();
    workbook(&office, "indicators.xlsx", &indicators);
    assert_eq!(
        office.ok("import indicators indicators.xlsx"),
        "10 indicators / 个指标 imported / 已导入\n"
    );
    office.write("observations.csv", OBSERVATIONS);
    office.ok("import observations observations.csv --data-set a");
    holds_three(&office, "a");
}

#[test]
fn a_correction_is_a_new_revision() {
    let office = office();
    office.write("first.csv", OBSERVATIONS);
    office.ok("import observations first.csv --data-set a --title 落户人数 --as 张三");
    office.write(
        "second.csv",
        OBSERVATIONS.replace("6120", "6121") + "4110-DC,累计落户人数,2024,9000,人,统计局\n",
    );
    let out = office.ok("import observations second.csv --data-set a --as 李四");
    assert!(out.starts_with("dataSets/a/revisions/2 "), "{out}");
    assert!(out.contains("1 added, 1 revised, 2 unchanged"), "{out}");
}

#[test]
fn a_dry_run_stores_nothing() {
    let office = Office::new();
    office.write("regions.csv", REGIONS);
    office.write("observations.csv", OBSERVATIONS);
    for command in [
        "import regions regions.csv",
        "import indicators config/indicators.csv",
    ] {
        let out = office.ok(&format!("{command} --dry-run"));
        assert!(out.contains("checked, nothing stored / 已校验,未入库"), "{out}");
    }
    let error = office.fails(2, "import observations observations.csv --data-set a --dry-run");
    assert!(error.contains("line 2, column region: found 411002"), "{error}");
    office.ok("import regions regions.csv");
    office.ok("import indicators config/indicators.csv");

    let dry = office.ok("import observations observations.csv --data-set a --dry-run");
    assert!(
        dry.contains("3 added, 0 revised, 0 unchanged: checked, nothing stored"),
        "{dry}"
    );
    does_not_exist(&office, "a");
    let real = office.ok("import observations observations.csv --data-set a");
    assert_eq!(
        dry.lines().next(),
        real.lines().next(),
        "the same name and digest"
    );
}

#[test]
fn a_faulty_table_is_refused_whole_with_every_fault() {
    let office = office();
    let faulty = "\
地区代码,指标,年份,数值,单位,来源
411002,新增落户人数,2024,3640,人,统计局
411099,新增落户人数,2024,1,人,统计局
411081,新增落户,2024,1,人,统计局
411081,新增落户人数,24,1,人,统计局
411081,新增落户人数,2024,\"1,024\",人,统计局
4110-DC,新增落户人数,2024,1.5,人,统计局
4110-DC,新增落户人数,2023,5,万元,统计局
4110-DC,新增落户人数,2022,5,人,
411002,新增落户人数,2024,3640,人,统计局
4110-DC,新增落户人数,2021,-1,人,统计局
";
    office.write("faulty.csv", faulty);
    for data_set in ["new", "old"] {
        if data_set == "old" {
            office.write("good.csv", OBSERVATIONS);
            office.ok("import observations good.csv --data-set old");
        }
        let error = office.fails(
            2,
            &format!("import observations faulty.csv --data-set {data_set}"),
        );
        assert!(
            error.contains("9 fault(s); nothing was changed / 有 9 处错误,未做任何更改"),
            "{error}"
        );
        for place in [
            "line 3, column region: found 411099",
            "line 4, column indicator: found 新增落户,",
            "line 5, column year: found 24",
            "line 6, column value: found 1,024",
            "line 7, column value: found 1.5",
            "line 8, column unit: found 万元",
            "line 9, column source: found (empty)",
            "line 10, column region: found 411002 settled_new 2024 again",
            "line 11, column value: found -1",
            "line 3, column region:实际为 411099,要求:",
        ] {
            assert!(error.contains(place), "{place}\n{error}");
        }
    }
    does_not_exist(&office, "new");
    holds_three(&office, "old");
}

#[test]
fn faulty_regions_and_indicators_change_nothing() {
    let office = Office::new();
    let twice = format!("{REGIONS}411002,魏都区,,市辖区,411000,\n");
    office.write("twice.csv", twice);
    let error = office.fails(2, "import regions twice.csv");
    assert!(
        error.contains("line 6, column code: found 411002 again"),
        "{error}"
    );
    assert!(error.contains("第一次出现在第 3 行"), "{error}");
    office.write(
        "orphan.csv",
        REGIONS.replace(
            "411081,禹州市,Yuzhou City,县级市,411000",
            "411081,禹州市,,县级市,410000",
        ),
    );
    let error = office.fails(2, "import regions orphan.csv");
    assert!(error.contains("regions[411081].parent: found 410000"), "{error}");
    office.write("loop.csv", REGIONS.replace("地级市,,", "地级市,411081,"));
    let error = office.fails(2, "import regions loop.csv");
    assert!(error.contains("上级地区不得直接或间接为其自身"), "{error}");
    office.write(
        "bad.csv",
        REGIONS.replace("县级市", "大城市").replace("4110-DC", "4110_dc"),
    );
    let error = office.fails(2, "import regions bad.csv");
    assert!(error.contains("line 4, column kind: found 大城市"), "{error}");
    assert!(error.contains("line 5, column code: found 4110_dc"), "{error}");

    office.ok("import indicators config/indicators.csv");
    let indicators = "code,name_zh,name_en,unit,decimals\nSettled,落户,Settled,人,29\n";
    office.write("bad-indicators.csv", indicators);
    let error = office.fails(2, "import indicators bad-indicators.csv");
    assert!(error.contains("line 2, column code: found Settled"), "{error}");
    assert!(error.contains("line 2, column decimals: found 29"), "{error}");
    office.write(
        "unit.csv",
        "code,name_zh,name_en,unit,decimals\nsettled_new,落户,Settled,户,0\n",
    );
    let error = office.fails(2, "import indicators unit.csv");
    assert!(error.contains("indicators[settled_new].unit"), "{error}");

    // No region came in with any of these.
    office.write("observations.csv", OBSERVATIONS);
    let error = office.fails(2, "import observations observations.csv --data-set a");
    assert!(error.contains("3 fault(s)"), "{error}");
    does_not_exist(&office, "a");
}
