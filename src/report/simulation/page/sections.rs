//! The sections of an article. A section is a chart that is understood at a glance and a table that has every
//! figure exactly; who cannot see the chart loses nothing.

use super::tables::Cell;
use crate::domain::error::Bilingual;
use crate::domain::money::Money;
use crate::report::markup::Markup;
use crate::report::simulation::chart::Parts;
use crate::report::simulation::figures;
use crate::report::simulation::{Language, RegionLine, SimulationReport};

/// Most rows of a chart: of more regions, those are drawn that matter most. Tables have them all.
pub(super) const CHARTED: usize = 60;
/// Columns of scenarios in a table, which is as many as A4 holds.
pub(super) const COLUMNS: usize = 5;

/// Writes one article.
pub(super) struct Writer<'r> {
    pub(super) report: &'r SimulationReport,
    pub(super) language: Language,
    /// How many sections and charts there are so far, for ids and numbers.
    sections: usize,
    charts: usize,
}

/// A chart with what is said of it.
pub(super) struct Figure<'f> {
    pub(super) title: &'f str,
    /// Whether the caption says the title again, where no heading does.
    pub(super) titled: bool,
    pub(super) description: &'f str,
    pub(super) caption: &'f str,
    pub(super) parts: Parts,
}

impl<'r> Writer<'r> {
    pub(super) const fn new(report: &'r SimulationReport, language: Language) -> Self {
        Self {
            report,
            language,
            sections: 0,
            charts: 0,
        }
    }

    pub(super) fn write(mut self, page: &mut Markup) {
        let report = self.report;
        let mut body = Markup::default();
        let mut contents = Vec::new();
        let mut section = |writer: &mut Self, title: &str, write: &mut dyn FnMut(&mut Self, &mut Markup)| {
            writer.sections += 1;
            let id = format!("{}-{}", writer.language.prefix(), writer.sections);
            body.open("section", &[("aria-labelledby", &id)]);
            body.element("h2", &[("id", &id)], &format!("{}. {title}", writer.sections))
                .line();
            write(writer, &mut body);
            body.close("section").line();
            contents.push((id, title.to_owned()));
        };
        let language = self.language;
        let say = |en: &'static str, zh: &'static str| language.say(en, zh);
        if !report.regions.is_empty() {
            section(&mut self, say("The base", "基准方案"), &mut Self::base);
        }
        if report.scenarios.len() > 1 && !report.regions.is_empty() {
            section(
                &mut self,
                say("Scenarios side by side", "方案总览"),
                &mut Self::overview,
            );
        }
        for scenario in &report.scenarios {
            let title = format!(
                "{}{}",
                say("Scenario: ", "方案:"),
                self.language.of(&scenario.name)
            );
            section(&mut self, &title, &mut |writer, page| {
                writer.scenario(page, scenario)
            });
        }
        if !report.sweeps.is_empty() {
            section(&mut self, say("Sweeps", "参数扫描"), &mut |writer, page| {
                for sweep in &report.sweeps {
                    writer.sweep(page, sweep);
                }
            });
        }
        if let Some(monte_carlo) = &report.monte_carlo {
            section(
                &mut self,
                say("Uncertain statistics", "统计数据的不确定性"),
                &mut |writer, page| {
                    writer.monte_carlo(page, monte_carlo);
                },
            );
        }
        if !report.drivers.is_empty() {
            section(
                &mut self,
                say("What drives the result", "影响因素"),
                &mut |writer, page| {
                    for drivers in &report.drivers {
                        writer.drivers(page, drivers);
                    }
                },
            );
        }
        if !report.goals.is_empty() {
            section(&mut self, say("Goals", "目标求解"), &mut Self::goals);
        }
        if !report.stability.is_empty() {
            section(
                &mut self,
                say("How stable the ranks are", "排名稳定性"),
                &mut Self::stability,
            );
        }
        if report.fairness.is_some() || !report.lorenz.is_empty() {
            section(&mut self, say("Fairness", "公平性"), &mut Self::fairness);
        }
        section(
            &mut self,
            say("Where the figures come from", "数据来源与可复核信息"),
            &mut Self::provenance,
        );
        self.heading(page, &contents);
        page.raw(&body.finish());
    }

    pub(super) fn say<'w>(&self, en: &'w str, zh: &'w str) -> &'w str {
        self.language.say(en, zh)
    }

    pub(super) fn of<'b>(&self, sentence: &'b Bilingual) -> &'b str {
        self.language.of(sentence)
    }

    fn heading(&self, page: &mut Markup, contents: &[(String, String)]) {
        let report = self.report;
        page.element("h1", &[], self.of(&report.title)).line();
        if let Some(sentence) = &report.illustrative {
            page.open("p", &[("class", "mark")])
                .element("strong", &[], self.say("Illustrative figures. ", "示例数据。"))
                .text(self.of(sentence))
                .close("p")
                .line();
        }
        if !self.of(&report.summary).is_empty() {
            page.element("p", &[], self.of(&report.summary)).line();
        }
        page.open("nav", &[("aria-label", self.say("Contents", "目录"))])
            .raw("<ul>");
        for (at, (id, title)) in contents.iter().enumerate() {
            page.raw("<li>")
                .element(
                    "a",
                    &[("href", &format!("#{id}"))],
                    &format!("{}. {title}", at + 1),
                )
                .raw("</li>");
        }
        page.raw("</ul></nav>\n");
    }

    pub(super) fn figure(&mut self, page: &mut Markup, figure: Figure<'_>) {
        let count = figure.parts.len();
        page.raw("<figure>");
        for (at, part) in figure.parts.into_iter().enumerate() {
            self.charts += 1;
            let id = format!("{}-c{}", self.language.prefix(), self.charts);
            let title = if count > 1 {
                format!("{} ({}/{count})", figure.title, at + 1)
            } else {
                figure.title.to_owned()
            };
            part.finish(page, &id, &title, figure.description);
        }
        page.raw("<figcaption>");
        if figure.titled {
            let title = format!("{}{}", figure.title, self.say(". ", "。"));
            page.element("strong", &[], &title);
        }
        page.raw(figure.caption).raw("</figcaption></figure>\n");
    }

    /// A caption that says how to read a chart; `keys` are drawn as the chart draws them.
    pub(super) fn caption(&self, keys: &[(&str, &str)], sentence: &str) -> String {
        let mut caption = Markup::default();
        for (shape, meaning) in keys {
            caption.raw(&key(shape)).text(meaning).raw(self.say(". ", "。 "));
        }
        caption.text(sentence);
        caption.finish()
    }

    pub(super) fn named(&self, region: &RegionLine) -> Cell {
        Cell::Named(self.of(&region.name).to_owned(), region.code.as_str().to_owned())
    }

    pub(super) fn more(&self, shown: usize, of: usize) -> String {
        if shown == of {
            return String::new();
        }
        match self.language {
            Language::Zh => format!("图中为变动最大的 {shown} 个地区,共 {of} 个;表中全部列出。"),
            Language::En => {
                format!("Drawn are the {shown} of {of} regions that matter most; the table has all.")
            }
        }
    }
}

pub(super) fn difference(amount: Option<Money>, before: Option<Money>) -> Cell {
    let change = amount
        .zip(before)
        .and_then(|(amount, before)| amount.checked_sub(before));
    change.map_or_else(
        || Cell::Figure(figures::NONE.to_owned()),
        |change| Cell::Change(figures::change(change), change.fen()),
    )
}

/// A small drawing of how a chart draws something, for its caption.
fn key(shape: &str) -> String {
    let drawn = match shape {
        "mark" => r#"<line class="mark" x1="14" y1="0" x2="14" y2="11"/>"#.to_owned(),
        "median" => r#"<line class="median" x1="14" y1="0" x2="14" y2="11"/>"#.to_owned(),
        "base" => r#"<path class="base" d="M14 1.5L18 5.5L14 9.5L10 5.5Z"/>"#.to_owned(),
        shape => format!(r#"<rect class="{shape}" x="1" y="1" width="26" height="9"/>"#),
    };
    format!(r#"<svg class="key" viewBox="0 0 28 11" aria-hidden="true" focusable="false">{drawn}</svg>"#)
}
