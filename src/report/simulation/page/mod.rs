//! The page around the charts: two articles, one in each language, of which a switch without script shows one.

mod comparison;
mod findings;
mod sections;
mod tables;
mod uncertainty;

use super::{Language, SimulationReport};
use crate::report::markup::Markup;

const STYLE: &str = include_str!("style.css");

/// What the browser is told to refuse, should a text ever get out of its place: everything but the style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Hatching, which says "less" and "refused" where there is no colour.
const PATTERNS: &str = r##"<svg class="patterns" aria-hidden="true" focusable="false"><defs>
<pattern id="hatched" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="4" height="4" fill="#fbe3d0"/><rect width="1.8" height="4" fill="#b34700"/></pattern>
<pattern id="crossed" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#f4f4f4"/><rect width="1" height="6" fill="#c4c4c4"/></pattern>
</defs></svg>
"##;

pub(super) fn page(report: &SimulationReport, opens_in: Language) -> String {
    let mut page = Markup::default();
    page.raw("<!DOCTYPE html>\n")
        .open("html", &[("lang", opens_in.tag())])
        .raw("\n<head>\n<meta charset=\"utf-8\">\n")
        .open(
            "meta",
            &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)],
        )
        .raw("\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .element("title", &[], opens_in.of(&report.title))
        .raw("\n<style>\n")
        .raw(STYLE);
    if report.illustrative.is_some() {
        page.raw("@page { @bottom-left { content: \"示例数据 Illustrative\"; font: bold 9pt sans-serif; color: #8f3900; } }\n");
    }
    page.raw("</style>\n</head>\n<body>\n").raw(PATTERNS);
    for language in Language::ALL {
        let id = format!("show-{}", language.prefix());
        let mut attributes = vec![
            ("class", "switch"),
            ("type", "radio"),
            ("name", "language"),
            ("id", id.as_str()),
            // A browser that comes back to the page would otherwise keep the choice, not the file's language.
            ("autocomplete", "off"),
        ];
        if language == opens_in {
            attributes.push(("checked", ""));
        }
        page.open("input", &attributes).line();
    }
    page.raw("<div class=\"languages\"><label for=\"show-zh\" lang=\"zh-Hans\">中文</label><label for=\"show-en\" lang=\"en\">English</label></div>\n<main>\n");
    for language in Language::ALL {
        page.open(
            "article",
            &[("class", language.prefix()), ("lang", language.tag())],
        )
        .line();
        sections::Writer::new(report, language).write(&mut page);
        page.close("article").line();
    }
    page.raw("</main>\n</body>\n</html>\n");
    page.finish()
}
