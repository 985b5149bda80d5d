//! Input that is wrong, too large or not what it says: a clear error, and nothing stored.

use super::office::Office;

fn formula(office: &Office, name: &str) -> String {
    std::fs::read_to_string(office.path("config/formulas").join(name)).unwrap()
}

/// Asserts that no formula and no allocation is stored.
fn stores_nothing(office: &Office) {
    for list in ["formula list --format csv", "runs list --format csv"] {
        assert_eq!(office.ok(list).lines().count(), 1, "{list}");
    }
}

#[test]
fn formulas_that_nest_without_end() {
    let office = Office::xuchang();
    let nested = |depth: usize| {
        let score = format!(
            "score = \"{}settled_new{}\"",
            "(".repeat(depth),
            ")".repeat(depth)
        );
        formula(&office, "xuchang-settled-resident.toml").replace("score = \"settled_new\"", &score)
    };
    for (depth, why) in [
        (60, ""),
        (100, "nesting no deeper than 64"),
        (10_000, "an expression of at most 4096 bytes"),
        (1_000_000, "a document of at most 1048576 bytes"),
    ] {
        office.write("deep.toml", nested(depth));
        if why.is_empty() {
            office.ok("formula check deep.toml");
            continue;
        }
        let error = office.fails(2, "formula create deep.toml");
        assert!(error.contains(why), "{depth}: {error}");
        assert!(error.len() < 4_000, "{depth}: {} bytes of error", error.len());
    }
    for text in [
        format!("a = {}{}", "[".repeat(500_000), "]".repeat(500_000)),
        format!("a = {}1{}", "{a=".repeat(100_000), "}".repeat(100_000)),
        "a.".repeat(300_000) + "a = 1",
        "[".repeat(1_000_000),
    ] {
        office.write("deep.toml", text);
        let error = office.fails(2, "formula create deep.toml");
        assert!(
            error.contains("formula") && error.contains("TOML 公式文件"),
            "{error}"
        );
    }
    office.write(
        "signs.toml",
        formula(&office, "xuchang-settled-resident.toml").replace(
            "\"settled_new\"",
            &format!("\"{}settled_new\"", "-".repeat(4_000)),
        ),
    );
    office.fails(2, "formula create signs.toml");
    stores_nothing(&office);
}

#[test]
fn files_that_are_no_tables() {
    let office = Office::xuchang();
    let import = |name: &str| office.fails(2, &format!("import observations {name} --data-set new"));
    let header = "region,indicator,year,value,unit,source\n";
    let row = format!("411002,settled_new,2024,5,人,{}\n", "x".repeat(470));

    office.write(
        "large.csv",
        header.to_owned() + &row.repeat((70 << 20) / row.len() + 1),
    );
    assert!(
        import("large.csv").contains("file: found more than 67108864 bytes, allowed: at most 67108864 bytes")
    );
    // A file without end, and one that cannot be read to its end.
    assert!(import("/dev/zero").contains("more than 67108864 bytes"));
    assert!(import(".").contains("无法读写该文件"));
    assert!(import("missing.csv").contains("missing.csv"));

    let noise: Vec<u8> = (0..200_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    office.write("noise.csv", &noise);
    assert!(import("noise.csv").contains("allowed: text in UTF-8"));
    office.write("noise.xlsx", &noise);
    assert!(import("noise.xlsx").contains("file: found"));
    office.write("zip.xlsx", [b"PK\x03\x04".as_slice(), &noise].concat());
    assert!(import("zip.xlsx").contains("file: found"));
    office.write(
        "old.xls",
        [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice(), &noise].concat(),
    );
    assert!(import("old.xls").contains("an .xls file or a workbook with a password"));
    office.write(
        "elf.csv",
        std::fs::read(env!("CARGO_BIN_EXE_incentive-fund"))
            .unwrap()
            .split_at(1 << 20)
            .0,
    );
    assert!(import("elf.csv").contains("allowed: "));

    for (name, text) in [
        ("empty.csv", ""),
        ("blank.csv", "\n\n , ,\n"),
        ("comment.csv", "# nothing\n"),
    ] {
        office.write(name, text);
        assert!(
            import(name).contains("file: found no rows, allowed: a header and rows"),
            "{name}"
        );
    }
    office.write(
        "headless.csv",
        "411002,settled_new,2024,5,人,x\n411081,settled_new,2024,5,人,x\n",
    );
    let error = import("headless.csv");
    assert!(error.contains("1 fault(s)"), "{error}");
    assert!(
        error.contains("line 1: found no known heading: 411002, settled_new"),
        "{error}"
    );
    assert!(
        error.contains("须有表头,包含以下各列:地区、指标、年份、数值、来源"),
        "{error}"
    );
    office.write(
        "ragged.csv",
        format!("{header}411002,settled_new,2024,5,人\n411002,settled_new,2024,5,人,x,y\n"),
    );
    let error = import("ragged.csv");
    assert!(
        error.contains("line 2: found 5 cells") && error.contains("line 3: found 7 cells"),
        "{error}"
    );
    office.write("quote.csv", format!("{header}411002,settled_new,2024,5,人,\"x\n"));
    assert!(import("quote.csv").contains("a quotation mark that is never closed"));
    let error = import("examples/xuchang/regions.csv");
    assert!(
        error.contains("line 1, column region: found no such column among code"),
        "{error}"
    );

    let error = office.fails(
        1,
        "formula check config/formulas/xuchang-settled-resident.toml --data-set new --year 2024",
    );
    assert!(error.contains("dataSets/new does not exist"), "{error}");
    stores_nothing(&office);
}

#[test]
fn formulas_that_are_no_text() {
    let office = Office::xuchang();
    office.write("noise.toml", b"id = \"a\"\ntitle_zh = \"\xc4\xe3\"\n");
    let error = office.fails(2, "formula create noise.toml");
    assert!(
        error.contains("formula, line 2: found bytes that are no UTF-8"),
        "{error}"
    );
    assert!(error.contains("须为 UTF-8 编码"), "{error}");
    assert!(
        office
            .fails(2, "formula create /dev/zero")
            .contains("at most 1048576 bytes")
    );
    office.write("empty.toml", "");
    assert!(
        office
            .fails(2, "formula create empty.toml")
            .contains("missing field")
    );
    stores_nothing(&office);
}

#[test]
fn figures_beyond_the_limits() {
    let office = Office::xuchang();
    office.write(
        "percent.toml",
        formula(&office, "xuchang-settled-resident.toml").replace("\"60\"", "\"60.0001\""),
    );
    let allocate = |formula: &str, pool: &str, year: &str| {
        office.run(&format!(
            "allocate --data-set xuchang --formula {formula} --pool {pool} --year {year} --fund citizenization-2025 --dry-run"
        ))
    };
    let refused = |formula: &str, pool: &str, year: &str| {
        let answer = allocate(formula, pool, year);
        assert_eq!(
            (answer.code, answer.out.as_str()),
            (2, ""),
            "{formula} {pool} {year}"
        );
        answer.err
    };
    let good = "config/formulas/xuchang-settled-resident.toml";
    assert_eq!(allocate(good, "1000000000000000", "2024").code, 0);
    for pool in [
        "1000000000000000.01",
        "1e9",
        "86,000,000",
        "-1",
        "",
        "0.001",
        "99999999999999999999999",
        "８６",
    ] {
        assert!(refused(good, pool, "2024").contains("pool"), "{pool}");
    }
    assert!(refused(good, "86000000", "1492").contains("year"));
    let error = refused("percent.toml", "86000000", "2024");
    assert!(
        error.contains("components[].percent: found 60.0001 + 40 = 100.0001"),
        "{error}"
    );
    assert!(error.contains("各百分比之和恰为 100"), "{error}");
    // A pool that is no whole number of units, where the formula keeps no tail.
    let error = refused("config/formulas/settled-taper-bounds.toml", "86000000.50", "2024");
    assert!(error.contains("pool"), "{error}");
    let error = refused(good, "86000000", "2019");
    assert!(
        error.contains("no observation of settled_new in 2019 for 411002 魏都区"),
        "{error}"
    );
    let answer = office.run(&format!(
        "allocate --data-set xuchang --formula {good} --pool 1 --year 2024 --fund BAD/ID"
    ));
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("fund"), "{}", answer.err);
    let error = office.fails(2, &format!("allocate --data-set xuchang --formula {good} --pool 1 --year 2024 --fund a --scope 999999 --dry-run"));
    assert!(error.contains("scope"), "{error}");
    assert_eq!(office.ok("runs list --format csv").lines().count(), 1);
}

#[test]
fn scores_that_are_all_zero() {
    let office = Office::xuchang();
    let zero = formula(&office, "xuchang-settled-resident.toml")
        .replace("score = \"settled_new\"", "score = \"settled_new * 0\"");
    office.write("zero.toml", zero);
    let error = office.fails(
        2,
        "allocate --data-set xuchang --formula zero.toml --pool 100 --year 2024 --fund a --dry-run",
    );
    assert!(error.contains("components[0].score"), "{error}");
    let negative = formula(&office, "xuchang-settled-resident.toml")
        .replace("score = \"settled_new\"", "score = \"settled_new - 2000\"");
    office.write("negative.toml", negative);
    let error = office.fails(2, "formula check negative.toml --data-set xuchang --year 2024");
    assert!(
        error.contains("components[0].score") && error.contains("东城区"),
        "{error}"
    );
    stores_nothing(&office);
}

#[test]
fn floors_that_the_pool_cannot_meet() {
    let office = Office::xuchang();
    let floors = formula(&office, "xuchang-settled-resident.toml")
        + "\n[[bounds]]\nkind = \"floor\"\nbasis = \"absolute\"\namount = \"3000000\"\nregions = [\"411081\", \"411082\"]\n";
    office.write("floors.toml", floors);
    let allocate = "allocate --data-set xuchang --formula floors.toml --year 2024 --fund a";
    let error = office.fails(2, &format!("{allocate} --pool 1000000 --dry-run"));
    // The floors as they are, not as far as the pool reaches.
    assert!(
        error
            .contains("floors of 6000000.00 yuan in all: 411081 禹州市 3000000.00, 411082 长葛市 3000000.00"),
        "{error}"
    );
    assert!(
        error.contains("no more than the 1000000.00 yuan payable"),
        "{error}"
    );
    assert!(error.contains("下限之和不超过可分配的 1000000.00 元"), "{error}");
    office.ok(&format!("{allocate} --pool 6000000 --dry-run"));

    let caps = formula(&office, "xuchang-settled-resident.toml")
        + "\n[[bounds]]\nkind = \"cap\"\nbasis = \"absolute\"\namount = \"100\"\n";
    office.write("caps.toml", caps);
    let error = office.fails(
        2,
        "allocate --data-set xuchang --formula caps.toml --year 2024 --fund a --pool 901 --dry-run",
    );
    assert!(error.contains("caps of 900.00 yuan in all"), "{error}");
    assert!(error.contains("411081 禹州市 100.00"), "{error}");
    office.ok("allocate --data-set xuchang --formula caps.toml --year 2024 --fund a --pool 900 --dry-run");
    stores_nothing(&office);
}
