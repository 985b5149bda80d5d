//! `formula` and `runs`: checked, stored, approved by a second person, issued, replaced.

use super::office::{Office, kept, masked};

const ALLOCATE: &str = "allocate --data-set xuchang --formula config/formulas/xuchang-settled-resident.toml \
    --year 2024 --fund citizenization-2025 --as 张三";

fn formula(office: &Office) -> String {
    std::fs::read_to_string(office.path("config/formulas/xuchang-settled-resident.toml")).unwrap()
}

#[test]
fn checks_formulas_alone_and_against_data() {
    let office = Office::xuchang();
    let check = "formula check config/formulas/settled-taper-bounds.toml";
    let out = office.ok(check);
    assert!(out.starts_with("sha256:"), "{out}");
    assert!(out.contains("settled_new[-2]"), "{out}");
    assert_eq!(office.ok(&format!("{check} --data-set xuchang --year 2024")), out);
    assert_eq!(
        office.ok(&format!("{check} --data-set xuchang --year 2024 --scope 411000")),
        out
    );

    let error = office.fails(2, &format!("{check} --data-set xuchang --year 2019"));
    assert!(error.contains("no observation of"), "{error}");
    let error = office.fails(1, &format!("{check} --data-set none --year 2024"));
    assert!(error.contains("dataSets/none does not exist"), "{error}");
    let error = office.fails(2, &format!("{check} --year 2024"));
    assert!(error.contains("--data-set"), "{error}");

    office.write(
        "bad.toml",
        formula(&office).replace("residence_permits", "residence_cards + 'x'"),
    );
    let error = office.fails(2, "formula check bad.toml");
    assert!(error.contains("components[1].score"), "{error}");
    office.write(
        "bad.toml",
        formula(&office).replace("residence_permits", "settled_nwe"),
    );
    let error = office.fails(2, "formula check bad.toml");
    assert!(
        error.contains("settled_nwe") && error.contains("已导入的指标"),
        "{error}"
    );
    office.write(
        "bad.toml",
        formula(&office).replace("percent = \"60\"", "percent = 60.0"),
    );
    let error = office.fails(2, "formula check bad.toml");
    assert!(error.contains("a bare float is not exact"), "{error}");
    assert!(error.contains("formula, line 2"), "{error}");
    office.write("bad.toml", formula(&office).replace("[rounding]", "[runding]"));
    let error = office.fails(2, "formula check bad.toml");
    assert!(error.contains("runding"), "{error}");
    // None of this stored anything.
    assert_eq!(office.ok("formula list --format csv").lines().count(), 1);
}

#[test]
fn stores_each_content_once_and_gives_it_back() {
    let office = Office::xuchang();
    let create = "formula create config/formulas/xuchang-settled-resident.toml --as 张三";
    let first = office.ok(create);
    assert!(
        first.starts_with("formulas/xuchang-settled-resident/revisions/1 sha256:"),
        "{first}"
    );
    assert_eq!(office.ok(create), first);
    office.write(
        "changed.toml",
        formula(&office)
            .replace("\"60\"", "\"65\"")
            .replace("\"40\"", "\"35\""),
    );
    let second = office.ok("formula create changed.toml --as 李四");
    assert!(
        second.starts_with("formulas/xuchang-settled-resident/revisions/2 "),
        "{second}"
    );

    let list = office.ok("formula list --format csv");
    assert_eq!(list.lines().count(), 2);
    let revisions = office.ok("formula list xuchang-settled-resident --format csv");
    assert_eq!(revisions.lines().count(), 3);
    assert!(revisions.contains("张三") && revisions.contains("李四"));

    // What is shown can be stored again and is the same.
    let shown = office.ok("formula show xuchang-settled-resident/revisions/1");
    office.write("shown.toml", &shown);
    assert_eq!(office.ok("formula create shown.toml"), first);
    assert!(
        office
            .ok("formula show xuchang-settled-resident")
            .contains("percent = \"65\"")
    );
    for name in ["none", "xuchang-settled-resident/revisions/3"] {
        let error = office.fails(1, &format!("formula show {name}"));
        assert!(
            error.contains("does not exist") && error.contains("不存在"),
            "{error}"
        );
    }
    let error = office.fails(2, "formula show xuchang-settled-resident/3");
    assert!(error.contains("revisions/N"), "{error}");
}

#[test]
fn a_second_person_approves_and_the_fund_has_one_issued_run() {
    let office = Office::xuchang();
    let first = kept(&office.ok(&format!("{ALLOCATE} --pool 86000000")));
    let second = kept(&office.ok(&format!("{ALLOCATE} --pool 90000000 --title 第二稿")));

    let error = office.fails(1, &format!("runs approve {first} --as 张三"));
    assert!(
        error.starts_with("error: ") && error.contains("创建") || error.contains("编制"),
        "{error}"
    );
    let error = office.fails(1, &format!("runs issue {first} --as 李四"));
    assert!(error.contains("draft") && error.contains("草案"), "{error}");
    let error = office.fails(1, &format!("runs approve {first} --as 李四 --etag 000000000000"));
    assert!(error.contains("etag") && error.contains("已被更新"), "{error}");

    let dry = office.ok(&format!("runs approve {first} --as 李四 --dry-run"));
    assert!(dry.contains("nothing changed / 试运行,未更改"), "{dry}");
    assert!(office.ok(&format!("runs show {first}")).contains("draft / 草案"));
    let approved = office.ok(&format!("runs approve {first} --as 李四"));
    assert!(approved.contains("approved / 已批准"), "{approved}");
    let error = office.fails(1, &format!("runs issue {first} --as 王五"));
    assert!(
        error.contains("86000000.00 short") && error.contains("资金须先到账"),
        "{error}"
    );
    office.ok("fund receive citizenization-2025 90000000 --document 豫财预〔2024〕101号 --as 王五");
    assert!(
        office
            .ok(&format!("runs issue {first} --as 王五"))
            .contains("issued / 已下达")
    );

    office.ok(&format!("runs approve {second} --as 李四"));
    let error = office.fails(1, &format!("runs issue {second} --as 王五"));
    assert!(
        error.contains(&format!("allocations/{first}")) && error.contains("以本方案替换"),
        "{error}"
    );
    let out = office.ok(&format!("runs supersede {first} --by {second} --as 王五"));
    assert!(out.contains("superseded / 已废止"), "{out}");
    let shown = office.ok(&format!("runs show {first}"));
    assert!(
        shown.contains(&format!("replaced by / 替换为: allocations/{second}")),
        "{shown}"
    );
    for who in [
        "created / 编制: 张三 ",
        "approved / 批准: 李四 ",
        "issued / 下达: 王五 ",
    ] {
        assert!(shown.contains(who), "{who}\n{shown}");
    }
    let shown = office.ok(&format!("runs show allocations/{second}"));
    assert!(
        shown.contains("issued / 已下达") && shown.contains("第二稿"),
        "{shown}"
    );

    let rows = |filter: &str| {
        office
            .ok(&format!("runs list --format csv {filter}"))
            .lines()
            .count()
            - 1
    };
    assert_eq!(rows("--fund citizenization-2025"), 2);
    assert_eq!(rows("--fund citizenization-2026"), 0);
    assert_eq!(
        (
            rows("--state issued"),
            rows("--state superseded"),
            rows("--state draft")
        ),
        (1, 1, 0)
    );
    let table = office.ok("runs list");
    assert!(
        table.contains(" 2024 ") && !table.contains("2,024"),
        "a year is no quantity\n{table}"
    );
}

#[test]
fn compares_runs_region_by_region() {
    let office = Office::xuchang();
    let first = kept(&office.ok(&format!("{ALLOCATE} --pool 86000000")));
    let second = kept(&office.ok(&format!("{ALLOCATE} --pool 94600000")));
    let csv = office.ok(&format!("runs compare {first} {second} --format csv"));
    assert!(
        csv.contains("\n411081,禹州市,17243569.37,18967926.31,1724356.94,10.00\n"),
        "{csv}"
    );
    let table = office.ok(&format!("runs compare {first} {second}"));
    assert!(
        table.contains("输入差异 input: pool: 86000000.00 -> 94600000.00"),
        "{table}"
    );
    assert!(table.contains("8,600,000.00"), "{table}");
    let missing = "01900000-0000-7000-8000-000000000000";
    let error = office.fails(1, &format!("runs compare {first} {missing}"));
    assert!(masked(&error).contains("does not exist"), "{error}");
    let error = office.fails(2, "runs show nonsense");
    assert!(error.contains("UUID"), "{error}");
}
