//! Goals, stability, fairness, and where the figures come from.

use super::sections::{COLUMNS, Figure, Writer};
use super::tables::{Cell, Table};
use crate::report::markup::Markup;
use crate::report::simulation::chart::{self};
use crate::report::simulation::figures;
use crate::report::simulation::{FairnessSection, Language, Measure, RankChange, Source};

impl Writer<'_> {
    pub(super) fn measure(&self, measure: Measure) -> String {
        match measure {
            Measure::Money(amount) => format!("{} {}", figures::money(amount), self.say("yuan", "元")),
            Measure::Change(amount) => format!("{} {}", figures::change(amount), self.say("yuan", "元")),
            Measure::Number(value) => figures::decimal(value),
            Measure::Refused => figures::NONE.to_owned(),
        }
    }

    pub(super) fn goals(&mut self, page: &mut Markup) {
        let mut table = Table::new("")
            .text(self.say("Goal", "目标"))
            .text(self.say("What is changed", "调整项"))
            .figures(self.say("From", "原值"))
            .figures(self.say("To", "调整为"))
            .text(self.say("Reached", "达到"))
            .text(self.say("Met", "结果"));
        for goal in &self.report.goals {
            let met = if goal.met {
                self.say("✓ met", "✓ 达成")
            } else {
                self.say("✗ cannot be met; this is the best", "✗ 无法达成,此为最接近的值")
            };
            table.rows.push(vec![
                Cell::Text(self.of(&goal.target).to_owned()),
                Cell::Text(self.of(&goal.knob).to_owned()),
                Cell::Figure(figures::decimal(goal.from)),
                Cell::Figure(figures::decimal(goal.to)),
                Cell::Text(self.measure(goal.reached)),
                Cell::Text(met.to_owned()),
            ]);
        }
        table.write(page);
    }

    pub(super) fn stability(&mut self, page: &mut Markup) {
        let sentence = self.say(
            "How far each weight can move, with everything else as it is, before two regions change places.",
            "其他条件不变时,每个权重可以变动多少而不改变任何两个地区的排名。",
        );
        page.element("p", &[], sentence).line();
        let mut table = Table::new("")
            .text(self.say("Weight", "权重"))
            .figures(self.say("Now", "现值"))
            .text(self.say("Down to", "向下"))
            .text(self.say("Up to", "向上"));
        let cell = |change: Option<&RankChange>, limit: rust_decimal::Decimal| match change {
            Some(change) => Cell::Named(
                format!("{}{}", figures::decimal(change.at), self.say(":", ":")),
                self.of(&change.who).to_owned(),
            ),
            None => Cell::Text(match self.language {
                Language::Zh => format!("直至 {} 均不变", figures::decimal(limit)),
                Language::En => format!("no change as far as {}", figures::decimal(limit)),
            }),
        };
        for line in &self.report.stability {
            table.rows.push(vec![
                Cell::Text(self.of(&line.knob).to_owned()),
                Cell::Figure(figures::decimal(line.at)),
                cell(line.down.as_ref(), line.least),
                cell(line.up.as_ref(), line.greatest),
            ]);
        }
        table.write(page);
    }

    pub(super) fn fairness(&mut self, page: &mut Markup) {
        let report = self.report;
        if !report.lorenz.is_empty() {
            let caption = self.caption(
                &[],
                self.say(
                    "The closer a curve is to the straight line, the more equal is the money per head. The Gini coefficient is twice the area between them: 0 is equal, 1 is all for one.",
                    "曲线越接近直线,人均资金越平均。基尼系数为两线之间面积的两倍:0 为完全平均,1 为全部归一方。",
                ),
            );
            let figure = Figure {
                title: self.say("Lorenz curves", "洛伦兹曲线"),
                titled: true,
                description: self.say(
                    "Cumulative share of the money over the cumulative share of people.",
                    "资金累计占比与人数累计占比的关系曲线。",
                ),
                caption: &caption,
                parts: chart::lorenz(&report.lorenz, self.language),
            };
            self.figure(page, figure);
        }
        if let Some(section) = &report.fairness {
            self.metrics(page, section);
        }
    }

    pub(super) fn metrics(&self, page: &mut Markup, section: &FairnessSection) {
        let count = section.columns.len();
        for from in (0..count).step_by(COLUMNS) {
            let to = (from + COLUMNS).min(count);
            let mut table =
                Table::new(self.say("Measures of fairness", "公平性指标")).text(self.say("Measure", "指标"));
            for column in &section.columns[from..to] {
                table = table.figures(self.of(column));
            }
            for metric in &section.metrics {
                let mut row = vec![Cell::Text(self.of(&metric.name).to_owned())];
                row.extend(metric.values[from..to].iter().map(|value| {
                    Cell::Figure(
                        value.map_or_else(|| figures::NONE.to_owned(), |value| figures::decimal_to(value, 6)),
                    )
                }));
                table.rows.push(row);
            }
            table.write(page);
        }
        page.raw("<ul>");
        for metric in &section.metrics {
            let note = self.of(&metric.note);
            if !note.is_empty() {
                let name = format!("{}{}", self.of(&metric.name), self.say(": ", ":"));
                page.raw("<li><small>")
                    .element("strong", &[], &name)
                    .text(note)
                    .raw("</small></li>");
            }
        }
        page.raw("</ul>\n");
    }

    pub(super) fn provenance(&mut self, page: &mut Markup) {
        let provenance = &self.report.provenance;
        page.raw("<div class=\"wide\"><table><tbody>\n");
        let mut row = |label: &str, value: &str, class: &str| {
            page.raw("<tr>")
                .element("th", &[("scope", "row")], label)
                .element("td", &[("class", class)], value)
                .raw("</tr>\n");
        };
        if let Some(name) = &provenance.simulation {
            row(self.say("Simulation", "测算"), name, "");
        }
        let sources: [(&str, &Source); 2] = [
            (self.say("Formula", "公式"), &provenance.formula),
            (self.say("Data set", "数据集"), &provenance.data_set),
        ];
        for (label, source) in sources {
            let revision = match self.language {
                Language::Zh => format!("{} 第 {} 版", source.name, source.revision),
                Language::En => format!("{}, revision {}", source.name, source.revision),
            };
            let title = self.of(&source.title);
            let text = if title.is_empty() {
                revision
            } else {
                format!("{title} ({revision})")
            };
            row(label, &text, "");
            let digest = format!("{label}{}", self.say(" digest", "摘要"));
            row(&digest, &source.digest, "hash");
        }
        row(
            self.say("Year of the statistics", "统计年度"),
            &provenance.year.to_string(),
            "",
        );
        if let Some(seed) = provenance.seed {
            row(self.say("Seed", "随机种子"), &seed.to_string(), "");
        }
        if let Some(digest) = &provenance.result_digest {
            row(self.say("Digest of the results", "结果摘要"), digest, "hash");
        }
        for fact in &provenance.facts {
            row(self.of(&fact.label), self.of(&fact.value), "");
        }
        row(self.say("Program", "程序"), &provenance.program, "");
        page.raw("</tbody></table></div>\n");
        let sentence = self.say(
            "A simulation reads; it moves no money and approves nothing. Figures in tables are exact; those in charts are rounded where it is said.",
            "测算只读取数据,不产生资金变动,也不构成审批。表中数值精确;图中数值按说明四舍五入。",
        );
        page.raw("<footer>")
            .element("p", &[], sentence)
            .raw("</footer>\n");
    }
}
