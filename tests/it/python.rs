//! Programs in Python: a client of the server, and a second computation of every amount.

use crate::cli::office::{Office, Served, finish, root};
use std::process::Command;

/// Runs a script of the repository, which must succeed; gives what it printed.
pub fn python(script: &str, arguments: &[&str]) -> String {
    let python = std::env::var("INCENTIVE_FUND_TEST_PYTHON")
        .expect("INCENTIVE_FUND_TEST_PYTHON must name a Python with tests/clients/requirements.txt; scripts/test makes one");
    let answer = finish(
        Command::new(python)
            .arg(root().join(script))
            .args(arguments)
            .env("PYTHONIOENCODING", "utf-8")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // A proxy of the machine is not for a server on it.
            .env("no_proxy", "127.0.0.1"),
    );
    assert_eq!(
        answer.code, 0,
        "{script} {arguments:?}\n{}{}",
        answer.out, answer.err
    );
    answer.out
}

#[test]
fn the_example_client_computes_and_reads_errors() {
    let office = Office::new();
    let server = Served::start(&office);
    let out = python("examples/python/allocate.py", &[server.address()]);
    // The amounts are those that the command line gives for the same figures.
    let golden = std::fs::read_to_string(root().join("tests/data/golden/xuchang.csv")).unwrap();
    let grouped = |amount: &str| {
        let (yuan, fen) = amount.split_once('.').unwrap();
        let mut text = String::new();
        for (at, digit) in yuan.chars().enumerate() {
            if at > 0 && (yuan.len() - at).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        format!("{text}.{fen}")
    };
    let lines: Vec<Vec<&str>> = out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for (row, line) in golden.lines().skip(1).zip(&lines) {
        let cells: Vec<&str> = row.split(',').collect();
        let amounts: Vec<String> = cells[2..5].iter().map(|amount| grouped(amount)).collect();
        assert_eq!(
            *line,
            [cells[0], &amounts[0], &amounts[1], &amounts[2], cells[1]],
            "{out}"
        );
    }
    assert_eq!(lines[9], ["total", "86,000,000.00"]);
    for part in [
        "illustrative: 60 % and 40 % are examples",
        "INVALID_ARGUMENT: pool: found 86000000.005, allowed: an amount in yuan",
        "reason INVALID_FIELDS of incentivefund.v1",
        "field pool: found 86000000.005; allowed: an amount in yuan",
        "zh-CN: pool:实际为 86000000.005,要求:以元为单位",
        "en: pool: found 86000000.005",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    // It stored nothing.
    assert_eq!(
        office
            .through(&server)
            .ok("formula list --format csv")
            .lines()
            .count(),
        1
    );
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn exact_fractions_give_the_same_amounts() {
    let office = Office::new();
    for (formula, data, pools) in [
        (
            "xuchang-settled-resident",
            "xuchang",
            ["86000000", "86000000.01", "0.05", "1000000000000000"].as_slice(),
        ),
        (
            "settled-taper-bounds",
            "xuchang",
            // All units at their floors, all at their caps, and between.
            [
                "79305154",
                "79305155",
                "80000000",
                "86000000",
                "86000001",
                "95000000",
                "109536082",
            ]
            .as_slice(),
        ),
        (
            "us-cdbg",
            "us-cdbg",
            ["1000000", "7", "123456789", "1000000000000000"].as_slice(),
        ),
    ] {
        for pool in pools {
            let out = office.ok(&format!(
                "allocate --import examples/{data} --formula config/formulas/{formula}.toml --pool {pool} --year 2024 \
                 --dry-run --format json"
            ));
            office.write("result.json", &out);
            let result = office.path("result.json");
            let said = python(
                "tests/clients/check_exact.py",
                &[formula, pool, result.to_str().unwrap()],
            );
            assert!(said.starts_with(&format!("{formula} {pool}: ")), "{said}");
        }
    }
}
