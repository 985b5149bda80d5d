//! The reports of a small month's end in every format, as the built program writes them: balances that tie, open
//! breaks, their age. Golden files hold them with the days of June 2025.

use super::office::{CITY, OPENING, Office, camt, month, today};
use crate::cli::office::{Answer, finish, golden};
use crate::harness::{World, id, inner, stories};
use calamine::{Data, Reader, Xlsx};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::resolve_break_request::How;
use std::io::Cursor;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use time::macros::date;
use time::{Date, Duration};

stories!(reports_are_the_golden_ones);

/// The day that the golden files have for the first.
const FIRST: Date = date!(2025 - 06 - 02);

async fn reports_are_the_golden_ones(world: World) {
    let mut office = Office::open(&world, 8).await;
    let first = today();
    let last = first + Duration::days(10);
    let (file, _) = camt("1", (first, last), OPENING, &office.irregular(first, 10_00));
    office.maker.import_statement(&file).await.unwrap();
    office.maker.reconcile(last, false).await;
    work(&mut office).await;
    office.maker.ties(last).await;

    let address = office.server.address;
    let day = last.to_string();
    let report = ["reconcile", "report", "city", "--date", &day];
    for (name, words, format) in [
        ("report.html", report.as_slice(), "html"),
        ("report.json", &report, "json"),
        ("report.txt", &report, "table"),
        (
            "balance.csv",
            &["reconcile", "balance", "city", "--date", &day],
            "csv",
        ),
        (
            "ageing.csv",
            &["reconcile", "ageing", "city", "--date", &day],
            "csv",
        ),
        ("breaks.csv", &["reconcile", "breaks", "city"], "csv"),
    ] {
        let answer = run(address, words, format).await;
        check_words(name, &answer.out);
        golden(&format!("reconciliation-{name}"), &dated(&answer.out, first));
    }
    let answer = run(address, &report, "xlsx").await;
    let sheets = sheets(&answer.bytes);
    check_words("report.xlsx", &sheets);
    golden("reconciliation-report.xlsx.txt", &dated(&sheets, first));
    office.server.stop().await;
}

/// Does some of the work, so that breaks in each state are listed.
async fn work(office: &mut Office) {
    let maker = &mut office.maker;
    let explained = |category: pb::ExplanationCategory| {
        How::Explanation(pb::LineExplanation {
            category: category.into(),
            entry: String::new(),
        })
    };
    for (amount, category) in [
        ("-7.00", pb::ExplanationCategory::Fee),
        ("12.34", pb::ExplanationCategory::Interest),
    ] {
        let found = maker.break_of(|found| found.found == amount).await;
        maker
            .resolve_break_as(&found.name, explained(category), "对账单附言")
            .await
            .unwrap();
    }
    for (class, how) in [
        (pb::MatchClass::DuplicateAtBank, How::BankError(true)),
        (pb::MatchClass::Late, How::Accept(true)),
    ] {
        let found = maker.break_of(|found| found.match_class() == class).await;
        maker.resolve_break_as(&found.name, how, "已核实").await.unwrap();
    }
    // Waits for a second person.
    let unknown = maker
        .break_of(|found| {
            found.found == "-1400.00"
                && found.line.is_some()
                && found.payment.is_empty()
                && found.match_class() == pb::MatchClass::UnknownAtBank
        })
        .await;
    let hand = How::HandMatch(pb::HandMatch {
        lines: vec![unknown.line.clone().unwrap()],
        payments: vec![office.payments[7].reference.clone()],
    });
    maker
        .resolve_break_as(&unknown.name, hand, "银行回单")
        .await
        .unwrap();
    let missing = office.payments[6].reference.clone();
    let missing = maker.break_of(|found| found.payment == missing).await;
    let request = pb::AssignBreakRequest {
        name: missing.name,
        assignee: "李四".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    inner(maker.reconciliations.assign_break(request).await);
    assert_eq!(maker.all_breaks().await.len(), 10, "{CITY}");
}

/// The built program, asking the server.
async fn run(address: SocketAddr, words: &[&str], format: &str) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_incentive-fund"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("INCENTIVE_FUND") {
            command.env_remove(name);
        }
    }
    let directory = tempfile::tempdir().unwrap();
    command
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .args(["--server", &format!("http://{address}"), "--as", "出纳"])
        .args(words)
        .args(["--format", format]);
    let answer = tokio::task::spawn_blocking(move || finish(&mut command))
        .await
        .unwrap();
    assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{words:?}");
    answer
}

/// What every format says, and what none may.
fn check_words(name: &str, shown: &str) {
    for personal in [
        "王小明",
        "6222021000000000999",
        "6222021000000000888",
        "411000000000012345",
    ] {
        assert!(!shown.contains(personal), "{name}: {personal}");
    }
    if let Some(table) = name.strip_suffix(".csv") {
        assert!(shown.starts_with('\u{feff}'), "{table}: as Excel knows UTF-8");
    } else {
        for words in [
            "两方余额相符 Both balances agree",
            "****2345",
            "待处理差异 Open breaks",
        ] {
            assert!(shown.contains(words), "{name}: {words}: {shown}");
        }
    }
}

/// A text with the days of June 2025 in the place of today's and the next.
fn dated(text: &str, first: Date) -> String {
    let mut text = text.to_owned();
    for days in 0..=12 {
        let (day, golden) = (first + Duration::days(days), FIRST + Duration::days(days));
        text = text.replace(&day.to_string(), &golden.to_string());
    }
    for day in [first, first + Duration::days(10)] {
        text = text.replace(&month(day), &month(FIRST));
    }
    text
}

/// What a workbook holds, a line for each row, cells apart by tabs. Amounts are numbers, and sums are formulas.
fn sheets(bytes: &[u8]) -> String {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).unwrap();
    let mut text = String::new();
    for name in book.sheet_names() {
        text.push_str(&format!("[{name}]\n"));
        let formulas = book.worksheet_formula(&name).unwrap();
        let cells = book.worksheet_range(&name).unwrap();
        let (from, _) = (cells.start().unwrap(), cells.end());
        for (down, row) in (from.0..).zip(cells.rows()) {
            let shown = (from.1..).zip(row).map(|(across, cell)| {
                let formula = formulas
                    .get_value((down, across))
                    .filter(|formula| !formula.is_empty());
                let value = match cell {
                    Data::Float(number) => format!("{number}"),
                    Data::String(text) => text.clone(),
                    Data::Empty => String::new(),
                    other => panic!("{other:?}"),
                };
                formula.map_or_else(|| value.clone(), |formula| format!("={formula} {value}"))
            });
            text.push_str(shown.collect::<Vec<_>>().join("\t").trim_end());
            text.push('\n');
        }
    }
    text
}
