//! The walk of the example, as the documentation tells it; and the exit codes of reconciliation.

use super::office::{Office, finish, root};
use std::process::Command;

#[test]
fn the_walk_ends_with_balances_that_tie() {
    let office = Office::new();
    let work = tempfile::tempdir().unwrap();
    let mut walk = Command::new("sh");
    walk.arg(root().join("examples/xuchang/reconciliation/walk.sh"))
        .arg(work.path())
        .env("INCENTIVE_FUND", env!("CARGO_BIN_EXE_incentive-fund"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("INCENTIVE_FUND_") {
            walk.env_remove(name);
        }
    }
    let answer = finish(&mut walk);
    println!("{}\n{}", answer.out, answer.err);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.out.contains("两方余额相符 Both balances agree"));
    // Names and accounts are masked wherever they are shown.
    for personal in ["示例戊", "示例辛", "9999000000000000011", "411000000000054321"] {
        assert!(!answer.out.contains(personal), "{personal}");
    }
    let page = std::fs::read_to_string(work.path().join("report.html")).unwrap();
    assert!(page.contains("银行存款余额调节表") && !page.contains("示例戊"));

    // What the walk left: breaks are exit code 3, in each format, and wrong use is 2.
    let at = |line: &str| {
        let mut command = office.command();
        command.current_dir(work.path()).args(line.split(' '));
        finish(&mut command)
    };
    let again = at("reconcile run --account city --dry-run --as 出纳 --format json");
    assert_eq!((again.code, again.err.as_str()), (3, ""), "{}", again.out);
    assert!(again.out.contains("reconciliations/2"), "{}", again.out);
    let shown = at("reconcile show 1 --format csv");
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(shown.out.contains("matched"), "{}", shown.out);
    for (code, line) in [
        (1, "reconcile run --account county"),
        (2, "reconcile run --account state"),
        (1, "reconcile watch 9"),
        (2, "reconcile break match city/1 --line x --payment y --reason z"),
        (2, "reconcile period show city/2025-13"),
        (2, "reconcile report city --format csv"),
        (1, "statement show city/9"),
        (2, "statement import nowhere.xml"),
    ] {
        let refused = at(line);
        assert_eq!(
            (refused.code, refused.out.as_str()),
            (code, ""),
            "{line}: {}",
            refused.err
        );
        assert!(refused.err.starts_with("error: "), "{line}: {}", refused.err);
    }
    for line in [
        "statement list city --format csv",
        "statement show city/1 --format json",
        "reconcile accounts",
        "reconcile list",
        "reconcile ageing city",
        "reconcile break show city/1",
        "reconcile report city --format json",
        "reconcile period list city",
    ] {
        let answer = at(line);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{line}");
        for personal in ["示例戊", "9999000000000000011", "411000000000054321"] {
            assert!(!answer.out.contains(personal), "{line}: {}", answer.out);
        }
    }
}
