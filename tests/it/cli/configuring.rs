//! Configuration, the schema of the database, exit codes.

use super::office::{Office, finish};

#[test]
fn shows_the_configuration_without_passwords() {
    let office = Office::new();
    let out = finish(office.command().args(["config", "check"]).env(
        "INCENTIVE_FUND__DATABASE__URL",
        "postgres://fund:s3cret@db.example:5432/fund?password=s3cret",
    ));
    assert_eq!(out.code, 0);
    assert!(
        out.out
            .contains("url = \"postgres://fund:****@db.example:5432/fund?password=****\""),
        "{}",
        out.out
    );
    assert!(!out.out.contains("s3cret"));
    let flags = office.ok("--database postgres://a:s3cret@b/c --set server.max_calls=7 config check");
    assert!(
        flags.contains("max_calls = 7") && !flags.contains("s3cret"),
        "{flags}"
    );
}

#[test]
fn an_unreachable_database_gives_no_password_away() {
    let office = Office::new();
    for url in [
        "postgres://fund:s3cret@127.0.0.1:1/fund",
        "postgres://fund:s3cret@127.0.0.1:1/fund?sslmode=nonsense",
        "postgres://fund:s3cr%et@127.0.0.1:99999/fund",
        "mysql://fund:s3cret@127.0.0.1/fund",
    ] {
        let line = format!("--set database.acquire_timeout_seconds=1 --database {url} runs list");
        let answer = office.run(&line);
        assert!(matches!(answer.code, 1 | 2), "{url}");
        assert!(
            answer.err.starts_with("error: ") && !answer.err.contains("s3cr"),
            "{}",
            answer.err
        );
    }
}

#[test]
fn layers_stand_over_each_other_and_unknown_keys_are_named() {
    let office = Office::new();
    office.write(
        "incentive-fund.toml",
        "[server]\nmax_calls = 11\ncall_timeout_seconds = 11\n",
    );
    office.write("other.toml", "[server]\nmax_calls = 12\n");
    let shown = |command: &mut std::process::Command| finish(command.args(["config", "check"])).out;
    assert!(shown(&mut office.command()).contains("max_calls = 11"));
    let named = shown(office.command().args(["--config", "other.toml"]));
    assert!(
        named.contains("max_calls = 12") && named.contains("call_timeout_seconds = 120"),
        "{named}"
    );
    let variable = shown(office.command().env("INCENTIVE_FUND__SERVER__MAX_CALLS", "13"));
    assert!(
        variable.contains("max_calls = 13") && variable.contains("call_timeout_seconds = 11"),
        "{variable}"
    );
    let flag = shown(
        office
            .command()
            .env("INCENTIVE_FUND__SERVER__MAX_CALLS", "13")
            .args(["--set", "server.max_calls=14"]),
    );
    assert!(flag.contains("max_calls = 14"), "{flag}");

    for (line, part) in [
        ("--set server.max_cals=1 config check", "max_cals"),
        ("--set serwer.max_calls=1 config check", "serwer"),
        (
            "--set server.max_calls=0 config check",
            "server.max_calls: found 0, allowed: 1 to 100000",
        ),
        ("--set server.max_calls=many config check", "many"),
        ("--set server.max_calls config check", "section.key=value"),
        ("--set server.address=here config check", "server.address"),
        ("--set log.format=xml config check", "xml"),
        ("--set log.filter==a=b[ serve", "log.filter"),
        ("--config missing.toml config check", "missing.toml"),
    ] {
        let error = office.fails(2, line);
        assert!(error.contains(part) && error.contains("要求:"), "{line}: {error}");
    }
    office.write(
        "incentive-fund.toml",
        "[database]\nurl = \"sqlite://x.db\"\npool = 3\n",
    );
    let error = office.fails(2, "runs list");
    assert!(error.contains("unknown field `pool`"), "{error}");
    assert!(!office.path("x.db").exists());
    let answer = finish(
        office
            .command()
            .args(["config", "check", "--config", "other.toml"])
            .env("INCENTIVE_FUND__SERVER__PORT", "1"),
    );
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("`port`"), "{}", answer.err);
}

#[test]
fn migrates_when_told_to() {
    let office = Office::new();
    let closed = "--set database.migrate=false";
    for command in ["runs list", "serve"] {
        let error = office.fails(1, &format!("{closed} {command}"));
        assert!(
            error.contains("run `incentive-fund migrate`") && error.contains("请运行 incentive-fund migrate"),
            "{error}"
        );
    }
    let dry = office.ok("migrate --dry-run");
    let steps: Vec<&str> = dry.lines().skip(1).collect();
    assert!(
        !steps.is_empty() && dry.starts_with(&format!("{} pending step(s)\n", steps.len())),
        "{dry}"
    );
    office.fails(1, &format!("{closed} runs list"));
    let done = office.ok("migrate");
    assert_eq!(done, dry.replace("pending step(s)", "step(s) applied"));
    assert_eq!(office.ok("migrate"), "0 step(s) applied\n");
    assert_eq!(office.ok("migrate --dry-run"), "0 pending step(s)\n");
    office.ok(&format!("{closed} runs list"));
}

#[test]
fn exit_codes_tell_wrong_input_from_what_could_not_be_done() {
    let office = Office::new();
    for (code, line) in [
        (0, "--version"),
        (0, "--help"),
        (0, "runs list"),
        (2, "nonsense"),
        (2, "runs list --state lost"),
        (2, "runs list --fund UPPER"),
        (2, "runs show x"),
        (1, "runs show 01900000-0000-7000-8000-000000000000"),
        (1, "formula show none"),
        (1, "--database sqlite://missing/directory/a.db?mode=rwc runs list"),
        (1, "--server http://127.0.0.1:1 runs list"),
        (2, "--server :::: runs list"),
        (
            2,
            "allocate --import examples --formula a --pool 1 --year 2024 --fund a",
        ),
        (
            2,
            "allocate --import examples/xuchang --formula missing.toml --pool 1 --year 2024 --fund a",
        ),
        (2, "--set server.address=203.0.113.1:1 serve"),
    ] {
        let answer = office.run(line);
        assert_eq!(answer.code, code, "{line}: {}", answer.err);
        // An error says what is wrong, in both languages where it is the program's own.
        let both = |text: &str| text.chars().any(|c| c > '\u{3000}');
        let own = line.split(' ').next() != Some("nonsense") && !line.contains("lost") && code > 0;
        assert_eq!(own, both(&answer.err), "{line}: {}", answer.err);
    }
    // Nobody acts under an empty name or with control characters.
    for name in ["", " x", "a\u{7}b"] {
        let answer = office.words(&["runs", "list", "--as", name]);
        assert_eq!(answer.code, 2, "{name:?}");
        assert!(answer.err.contains("principal"), "{}", answer.err);
    }
}
