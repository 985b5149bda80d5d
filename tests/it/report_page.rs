//! Reports as a browser shows and prints them (Chromium, and Poppler for what it printed).
//!
//! Set INCENTIVE_FUND_TEST_PAGES to a directory to keep the pages and look at them.

mod models;
mod tables;

use incentive_fund::domain::error::Error;
use incentive_fund::report::simulation::{Language, SimulationReport, render};
use std::path::{Path, PathBuf};
use std::process::Command;

const CHECK: &str = include_str!("report_page/check.js");

/// Where a test leaves its page.
struct Desk {
    directory: PathBuf,
    _temporary: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let directory = std::env::var_os("INCENTIVE_FUND_TEST_PAGES")
            .map_or_else(|| temporary.path().to_owned(), PathBuf::from);
        std::fs::create_dir_all(&directory).unwrap();
        Self {
            directory,
            _temporary: temporary,
        }
    }

    fn page(&self, name: &str, html: &str) -> PathBuf {
        let path = self.directory.join(name);
        std::fs::write(&path, html).unwrap();
        path
    }

    /// Chromium without window, profile or network.
    fn chromium(&self, arguments: &[&str], page: &Path) -> String {
        let profile = tempfile::tempdir().unwrap();
        let output = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--virtual-time-budget=20000",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(arguments)
            .arg(format!("file://{}", page.display()))
            .current_dir(&self.directory)
            .output()
            .expect("chromium in PATH; scripts/test installs it");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the checking script finds in a page that is so many pixels wide, in fonts of this list.
    fn measured(&self, name: &str, html: &str, width: u32, fonts: Option<&str>) -> serde_json::Value {
        self.measured_by(CHECK, name, html, (width, fonts))
    }

    /// As [`Desk::measured`], with a script of its own.
    fn measured_by(
        &self,
        check: &str,
        name: &str,
        html: &str,
        (width, fonts): (u32, Option<&str>),
    ) -> serde_json::Value {
        // The page forbids scripts, which is why the copy that is checked does without that.
        let policy = html.find("<meta http-equiv").unwrap();
        let end = policy + html[policy..].find('>').unwrap() + 1;
        let mut page = format!("{}{}", &html[..policy], &html[end..]);
        if let Some(fonts) = fonts {
            page = page.replace("</style>", &format!("body {{ font-family: {fonts}; }}</style>"));
        }
        page = page.replace("</body>", &format!("<script>{check}</script></body>"));
        let path = self.page(&format!("checked-{name}.html"), &page);
        let dom = self.chromium(&[&format!("--window-size={width},1100"), "--dump-dom"], &path);
        let found = dom.rsplit_once("FOUND{").expect("the script ran to its end").1;
        let found = found.split_once("}DNUOF").unwrap().0;
        let found = found
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&");
        serde_json::from_str(&format!("{{{found}}}")).unwrap()
    }

    /// The PDF that Chromium prints.
    fn printed(&self, name: &str, html: &str) -> PathBuf {
        let page = self.page(&format!("{name}.html"), html);
        let pdf = self.directory.join(format!("{name}.pdf"));
        let print = format!("--print-to-pdf={}", pdf.display());
        self.chromium(&["--no-pdf-header-footer", &print], &page);
        pdf
    }
}

fn poppler(program: &str, arguments: &[&str], pdf: &Path) -> String {
    let mut command = Command::new(program);
    command.args(arguments).arg(pdf);
    if program == "pdftotext" {
        command.arg("-");
    }
    let output = command
        .output()
        .expect("poppler-utils; scripts/test installs them");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn html(report: &SimulationReport, language: Language) -> String {
    render(report, language).unwrap()
}

/// Nothing that a browser would fetch, nor any script.
fn assert_self_contained(html: &str) {
    for forbidden in [
        "<script",
        "<link",
        "<img",
        "<iframe",
        "@import",
        " src=",
        "javascript:",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    for reference in ["href=\"", "url("] {
        for (at, _) in html.match_indices(reference) {
            assert!(
                html[at + reference.len()..].starts_with('#'),
                "{}",
                &html[at..at + 60]
            );
        }
    }
}

fn assert_laid_out(found: &serde_json::Value, what: &str) {
    let faults = found["faults"].as_array().unwrap();
    assert!(faults.is_empty(), "{what}: {faults:#?}");
    assert_eq!(found["requests"], 0, "{what}");
    assert_eq!(found["scripts"], 1, "{what}: only the checking one");
    assert_eq!(found["foreign"], 0, "{what}");
    assert!(found["texts"].as_u64().unwrap() > 20, "{what}: {found}");
    println!("{what}: {found}");
}

/// Every word on every page is within the margins of A4; how many pages there are.
fn assert_printed(pdf: &Path, what: &str) -> usize {
    let about = poppler("pdfinfo", &[], pdf);
    let size = about.lines().find(|line| line.starts_with("Page size")).unwrap();
    assert!(size.contains("A4"), "{what}: {size}");
    let words = poppler("pdftotext", &["-bbox"], pdf);
    let number = |line: &str, key: &str| -> f64 {
        let from = line.find(key).unwrap() + key.len();
        line[from..].split('"').next().unwrap().parse().unwrap()
    };
    let mut count = 0;
    for line in words
        .lines()
        .filter(|line| line.trim_start().starts_with("<word"))
    {
        let (left, right) = (number(line, "xMin=\""), number(line, "xMax=\""));
        let (top, bottom) = (number(line, "yMin=\""), number(line, "yMax=\""));
        // 15 mm are 42.5 pt of the 595 x 842; the page's number stands below.
        assert!(left >= 42.0 && right <= 554.5, "{what}: {line}");
        assert!(top >= 30.0 && bottom <= 838.0, "{what}: {line}");
        count += 1;
    }
    assert!(count > 50, "{what}: {count} words");
    let pages = about
        .lines()
        .find_map(|line| line.strip_prefix("Pages:"))
        .unwrap();
    pages.trim().parse().unwrap()
}

#[test]
fn the_page_is_the_golden_one() {
    let found = html(&models::xuchang(), Language::Zh);
    assert_eq!(found, html(&models::xuchang(), Language::Zh));
    let golden = include_str!("report_page/xuchang.html");
    if found != golden {
        let directory = std::env::temp_dir().join("xuchang.html");
        std::fs::write(&directory, &found).unwrap();
        let line = found
            .lines()
            .zip(golden.lines())
            .position(|(found, golden)| found != golden);
        panic!(
            "differs from the golden file in line {line:?}; see {}",
            directory.display()
        );
    }
}

#[test]
fn an_ordinary_report_is_laid_out_well_at_any_width_and_in_any_font() {
    let desk = Desk::new();
    let page = html(&models::xuchang(), Language::Zh);
    assert_self_contained(&page);
    for (width, fonts) in [(1280, None), (800, Some("\"DejaVu Sans\"")), (500, None)] {
        let what = format!("xuchang-{width}");
        let found = desk.measured(&what, &page, width, fonts);
        assert_laid_out(&found, &what);
        assert!(found["charts"].as_u64().unwrap() >= 20, "{found}");
    }
}

#[test]
fn the_least_and_the_most_are_laid_out_well() {
    let desk = Desk::new();
    for (name, report) in [("least", models::least()), ("most", models::most())] {
        let page = html(&report, Language::En);
        assert_self_contained(&page);
        let found = desk.measured(name, &page, 1280, Some("\"DejaVu Sans\""));
        assert_laid_out(&found, name);
    }
}

#[test]
fn no_text_gets_out_of_its_place() {
    let desk = Desk::new();
    let report = models::hostile();
    let page = html(&report, Language::En);
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<svg onload"));
    let found = desk.measured("hostile", &page, 1280, None);
    assert_laid_out(&found, "hostile");
    assert_eq!(found["title"], serde_json::json!(report.title.en));
}

#[test]
fn prints_on_a4() {
    let desk = Desk::new();
    let report = models::xuchang();
    for (name, language) in [("zh", Language::Zh), ("en", Language::En)] {
        let pdf = desk.printed(&format!("xuchang-{name}"), &html(&report, language));
        let pages = assert_printed(&pdf, name);
        assert!((6..=14).contains(&pages), "{name}: {pages} pages");
        let text = poppler("pdftotext", &["-layout"], &pdf);
        for figure in ["18,123,456.78", "7,250,011.22", "0.1034"] {
            assert!(text.contains(figure), "{name}: {figure}");
        }
        // One language, the one that the page shows.
        assert_eq!(text.contains("Fairness"), language == Language::En);
        assert_eq!(text.contains("公平性"), language == Language::Zh);
    }
    let pdf = desk.printed("least", &html(&models::least(), Language::Zh));
    assert!(assert_printed(&pdf, "least") <= 2);
    // A part of the most: printing two hundred pages takes minutes.
    let mut report = models::most();
    report.scenarios.truncate(2);
    report.sweeps[0].cells.truncate(12);
    report.sweeps[0].down.values.truncate(12);
    report.sweeps[0].base = None;
    let pdf = desk.printed("most", &html(&report, Language::En));
    let pages = assert_printed(&pdf, "most");
    assert!((20..=80).contains(&pages), "{pages} pages");
}

#[test]
fn what_nobody_could_read_is_refused() {
    let mut report = models::xuchang();
    let cell = report.sweeps[0].cells[1][0];
    report.sweeps[0].cells = vec![vec![cell; 5_000]; 5];
    let refused = render(&report, Language::Zh).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::TooLarge {
                found: 25_054,
                limit: 20_000,
                ..
            }
        ),
        "{refused}"
    );
    let mut report = models::xuchang();
    report.scenarios[0].outcomes.pop();
    assert!(matches!(
        render(&report, Language::Zh),
        Err(Error::Internal { .. })
    ));
}
