//! Simulations from the command line: the files of the example, what is printed, and what is written.

use super::office::{Office, Served, kept};
use crate::python::python;

const WEIGHTS: &str = "examples/xuchang/simulation/weights.toml";
const UNCERTAINTY: &str = "examples/xuchang/simulation/uncertainty.toml";
const DECISIONS: &str = "examples/xuchang/simulation/decisions.toml";

#[test]
fn the_examples_run_as_they_are() {
    let office = Office::new();
    let out = office.ok(&format!("simulate compare {WEIGHTS} --import examples/xuchang"));
    for words in [
        "落户权重70",
        "17,768,399.19",
        "资金盘子变动 -8% pool: -8 %",
        "示例 illustrative",
        "86,000,000.00",
    ] {
        assert!(out.contains(words), "{words}\n{out}");
    }
    let out = office.ok(&format!("simulate goal {DECISIONS}"));
    assert!(out.contains("达到 reached") && out.contains("逐值核验"), "{out}");
    let out = office.ok(&format!("simulate stability {DECISIONS}"));
    assert!(out.contains("下调 down") && out.contains("上调 up"), "{out}");
    let out = office.ok(&format!("simulate fairness {DECISIONS}"));
    assert!(out.contains("gini") && out.contains("Kendall"), "{out}");

    // A server says the same as the services in the process.
    let local = office.ok(&format!("simulate compare {WEIGHTS}"));
    let served = Served::start(&office);
    let office = office.through(&served);
    assert_eq!(office.ok(&format!("simulate compare {WEIGHTS}")), local);
    let out = office.ok(&format!("simulate monte-carlo {UNCERTAINTY}"));
    for words in ["20000 次抽样", "| 落户数 ", "| 居住证 ", "P95", "低于上年"] {
        assert!(out.contains(words), "{words}\n{out}");
    }
}

#[test]
fn files_hold_every_point_exactly() {
    let office = Office::xuchang();
    let out = office.ok(&format!(
        "simulate sweep {WEIGHTS} --csv p.csv --parquet p.parquet --xlsx p.xlsx --json p.json"
    ));
    assert!(out.contains("861 个测算点 points, 0 个不可行 refused"), "{out}");
    let csv = std::fs::read_to_string(office.path("p.csv")).unwrap();
    assert_eq!(csv.lines().count(), 862);
    assert!(csv.contains("\n0,40,-10,4691711.55,"), "{csv}");
    let path = |name: &str| office.path(name).display().to_string();
    let schema = python(
        "tests/clients/check_parquet.py",
        &[&path("p.parquet"), &path("p.csv")],
    );
    assert!(
        schema.contains("amount_411081: decimal128(18, 2)") && schema.contains("861 rows"),
        "{schema}"
    );
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(office.path("p.json")).unwrap()).unwrap();
    assert_eq!(json["rows"][0]["amount_4110_dc"], "4691711.55");
    assert!(std::fs::read(office.path("p.xlsx")).unwrap().starts_with(b"PK"));

    office.ok(&format!(
        "simulate compare {WEIGHTS} --csv c.csv --parquet c.parquet"
    ));
    let schema = python(
        "tests/clients/check_parquet.py",
        &[&path("c.parquet"), &path("c.csv")],
    );
    assert!(
        schema.contains("change: decimal128(18, 2)") && schema.contains("54 rows"),
        "{schema}"
    );
}

#[test]
fn one_page_holds_all_sections() {
    let office = Office::xuchang();
    for (file, words) in [
        (WEIGHTS, ["落户权重50", "每地不低于500万"]),
        (UNCERTAINTY, ["落户数", "20250301"]),
        (DECISIONS, ["鄢陵县分配额", "Gini coefficient"]),
    ] {
        let out = office.ok(&format!("simulate report {file} --html page.html"));
        assert!(out.starts_with("page.html: "), "{out}");
        let page = std::fs::read_to_string(office.path("page.html")).unwrap();
        for words in words {
            assert!(page.contains(words), "{words}");
        }
        assert!(page.contains("<svg"));
        // The namespace of SVG is a name; nothing is fetched.
        for reference in ["src=\"http", "href=\"http", "url(http"] {
            assert!(!page.contains(reference), "{reference}");
        }
        office.ok(&format!("simulate report {file} --html again.html"));
        assert_eq!(page, std::fs::read_to_string(office.path("again.html")).unwrap());
    }
}

#[test]
fn kept_shown_and_drafted() {
    let office = Office::xuchang();
    let out = office.ok(&format!("simulate keep {WEIGHTS} --as 张三"));
    assert!(
        out.starts_with("simulations/") && out.contains("5 个情景"),
        "{out}"
    );
    let id = out["simulations/".len()..][..36].to_owned();
    assert!(office.ok("simulate list --format csv").contains(&id));
    let shown = office.ok(&format!("simulate show {id}"));
    assert!(shown.contains("落户权重70"), "{shown}");
    let drafted = office.ok(&format!(
        "simulate draft {id} --scenario 落户权重70 --fund citizenization-2025 --as 张三"
    ));
    assert!(
        drafted.contains("17,768,399.19") && drafted.contains("-sim-"),
        "{drafted}"
    );
    assert!(
        office
            .ok(&format!("runs approve {} --as 李四", kept(&drafted)))
            .contains("已批准")
    );
    let error = office.fails(
        2,
        &format!("simulate draft {id} --scenario 没有 --fund f --as 张三"),
    );
    assert!(error.contains("落户权重50"), "the names there are: {error}");
}

#[test]
fn what_is_wrong_with_a_file_is_named() {
    let office = Office::xuchang();
    let weights = std::fs::read_to_string(office.path(WEIGHTS)).unwrap();
    let weights = weights.replace("../../../config", "config");
    office.write("bad.toml", weights.replace("to = \"50\"", "to = 50.5"));
    let error = office.fails(2, "simulate compare bad.toml");
    assert!(
        error.contains("bad.toml") && error.contains("not exact"),
        "{error}"
    );
    office.write(
        "bad.toml",
        weights.replace("id = \"settled\", to = \"50\"", "id = \"sett\", to = \"50\""),
    );
    let out = office.ok("simulate compare bad.toml");
    assert!(out.contains("sett"), "{out}");
    office.write("bad.toml", weights.replace("step = \"1\"", "step = \"0.00001\""));
    let error = office.fails(2, "simulate sweep bad.toml");
    assert!(error.contains("10000000"), "{error}");
    let error = office.fails(2, &format!("simulate goal {WEIGHTS}"));
    assert!(error.contains("[goal]"), "{error}");
    let error = office.fails(2, "simulate compare none.toml");
    assert!(error.contains("none.toml"), "{error}");
}
