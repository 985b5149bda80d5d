//! Looking at statements of banks before anything is kept of them.

use super::office::{Office, root};

/// A fixture, copied to where the program runs.
fn office(name: &str) -> Office {
    let office = Office::new();
    let bytes = std::fs::read(root().join("tests/data/statements").join(name)).unwrap();
    office.write(name, bytes);
    office
}

#[test]
fn shows_a_statement_masked() {
    let office = office("camt053-02.xml");
    let out = office.ok("statement preview camt053-02.xml");
    for shown in [
        "RF24123C1",
        "F1B12Q411024",
        "令***",
        "****4321",
        "adds up / 核对相符",
        "100,000.00",
    ] {
        assert!(out.contains(shown), "{shown} in\n{out}");
    }
    for personal in ["令狐", "司空", "6222021234567890123", "411024000000054321"] {
        assert!(!out.contains(personal), "{personal} in\n{out}");
    }
    // No database is made for that.
    assert!(!office.path("incentive-fund.db").exists());
    let rows = office.ok("statement preview --lines 1 --format csv camt053-02.xml");
    assert_eq!(rows.lines().count(), 2, "{rows}");
}

#[test]
fn shows_what_a_mapping_makes_of_a_table() {
    let office = office("corporate-ebank-gbk.csv");
    let out = office.ok("statement preview --mapping corporate-ebank corporate-ebank-gbk.csv");
    assert!(out.contains("adds up") && out.contains("F1B12Q411024"), "{out}");
    let none = office.fails(2, "statement preview corporate-ebank-gbk.csv");
    assert!(none.contains("mapping: found none"), "{none}");
    let other = office.fails(2, "statement preview --mapping other corporate-ebank-gbk.csv");
    assert!(
        other.contains("one of corporate-ebank, treasury-centre, agent-bank"),
        "{other}"
    );
    let wrong = office.run("statement preview --mapping agent-bank corporate-ebank-gbk.csv");
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("no row with all columns"), "{}", wrong.err);
    let account =
        office.run("statement preview --mapping corporate-ebank --account 411000 corporate-ebank-gbk.csv");
    assert_eq!(account.code, 2);
    assert!(
        account.err.contains("****4321") && !account.err.contains("411024000000054321"),
        "{}",
        account.err
    );
}

#[test]
fn a_list_without_balances_asks_for_them() {
    let office = office("agent-bank.csv");
    let asked = office.run("statement preview --mapping agent-bank agent-bank.csv");
    assert_eq!(asked.code, 2);
    assert!(asked.out.contains("would be refused"), "{}", asked.out);
    assert!(asked.err.contains("opening: found (empty)"), "{}", asked.err);
    let given = "statement preview --mapping agent-bank --opening -100 --closing -200.00 agent-bank.csv";
    assert!(office.ok(given).contains("adds up"));
    let faulty = office.fails(
        2,
        "statement preview --mapping agent-bank --opening 1.234 --from June agent-bank.csv",
    );
    assert!(
        faulty.contains("opening: found 1.234") && faulty.contains("--from: found June"),
        "{faulty}"
    );
}

#[test]
fn mappings_come_from_files_too() {
    let office = office("agent-bank.csv");
    let shipped = std::fs::read_to_string(root().join("config/statements/agent-bank.toml")).unwrap();
    let own = shipped.replace("code = \"agent-bank\"", "code = \"our-bank\"");
    office.write("our-bank.toml", &own);
    office.write("bad.toml", own.replace("style = \"sign\"", "style = \"colour\""));
    let line = "--opening -100 --closing -200 agent-bank.csv";
    assert!(
        office
            .ok(&format!("statement preview --mapping our-bank.toml {line}"))
            .contains("adds up")
    );
    office.write(
        "incentive-fund.toml",
        "[statement]\nmappings = [\"our-bank.toml\"]\n",
    );
    assert!(
        office
            .ok(&format!("statement preview --mapping our-bank {line}"))
            .contains("adds up")
    );
    let list = office.ok("statement mappings --format csv");
    for code in ["our-bank", "corporate-ebank", "treasury-centre", "agent-bank"] {
        assert!(list.lines().any(|row| row.starts_with(code)), "{code} in\n{list}");
    }
    let bad = office.fails(2, &format!("statement preview --mapping bad.toml {line}"));
    assert!(bad.contains("amounts.style"), "{bad}");
    office.write(
        "incentive-fund.toml",
        "[statement]\nmappings = [\"bad.toml\", \"none.toml\"]\n",
    );
    let both = office.fails(2, "config check");
    assert!(
        both.contains("statement.mappings[0].amounts.style") && both.contains("statement.mappings[1]"),
        "{both}"
    );
}
