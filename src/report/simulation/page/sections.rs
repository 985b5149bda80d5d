//! The sections of an article. A section is a chart that is understood at a glance and a table that has every
//! figure exactly; who cannot see the chart loses nothing.

use super::tables::{Cell, Table};
use crate::domain::error::Bilingual;
use crate::domain::money::Money;
use crate::report::simulation::chart::{self, Deviation, Parts};
use crate::report::simulation::figures;
use crate::report::simulation::markup::Markup;
use crate::report::simulation::{
    AxisValue, Driver, DriverSection, FairnessSection, Language, Measure, MonteCarloSection, Outcome,
    RankChange, RegionLine, ScenarioSection, SimulationReport, Source, SweepAxis, SweepSection,
};

/// Most rows of a chart: of more regions, those are drawn that matter most. Tables have them all.
const CHARTED: usize = 60;
/// Columns of scenarios in a table, which is as many as A4 holds.
const COLUMNS: usize = 5;

/// Writes one article.
pub(super) struct Writer<'r> {
    report: &'r SimulationReport,
    language: Language,
    /// How many sections and charts there are so far, for ids and numbers.
    sections: usize,
    charts: usize,
}

/// A chart with what is said of it.
struct Figure<'f> {
    title: &'f str,
    /// Whether the caption says the title again, where no heading does.
    titled: bool,
    description: &'f str,
    caption: &'f str,
    parts: Parts,
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

    fn say<'w>(&self, en: &'w str, zh: &'w str) -> &'w str {
        self.language.say(en, zh)
    }

    fn of<'b>(&self, sentence: &'b Bilingual) -> &'b str {
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

    fn figure(&mut self, page: &mut Markup, figure: Figure<'_>) {
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
    fn caption(&self, keys: &[(&str, &str)], sentence: &str) -> String {
        let mut caption = Markup::default();
        for (shape, meaning) in keys {
            caption.raw(&key(shape)).text(meaning).raw(self.say(". ", "。 "));
        }
        caption.text(sentence);
        caption.finish()
    }

    fn named(&self, region: &RegionLine) -> Cell {
        Cell::Named(self.of(&region.name).to_owned(), region.code.as_str().to_owned())
    }

    fn more(&self, shown: usize, of: usize) -> String {
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

    fn base(&mut self, page: &mut Markup) {
        let report = self.report;
        let mut shown: Vec<&RegionLine> = report.regions.iter().collect();
        if shown.len() > CHARTED {
            shown.sort_by(|a, b| b.amount.cmp(&a.amount).then(a.code.cmp(&b.code)));
            shown.truncate(CHARTED);
        }
        let last_year = report.regions.iter().any(|region| region.last_year.is_some());
        page.open("p", &[])
            .text(self.of(&report.base))
            .raw(self.say(". ", "。"))
            .text(self.say("Pool: ", "资金总额:"))
            .text(&figures::money(report.pool))
            .text(self.say(" yuan.", " 元。"))
            .close("p")
            .line();
        let mut keys = vec![("amount", self.say("Amount in the base", "基准方案金额"))];
        if last_year {
            keys.push(("mark", self.say("Last year", "上年金额")));
        }
        let caption = self.caption(&keys, &self.more(shown.len(), report.regions.len()));
        let figure = Figure {
            title: self.say("Amounts in the base", "基准方案各地区金额"),
            titled: true,
            description: self.say(
                "Horizontal bars, one for each region. The table below has the figures.",
                "横向条形图,每个地区一条。数值见下表。",
            ),
            caption: &caption,
            parts: chart::amounts(&shown, self.language),
        };
        self.figure(page, figure);
        let mut table = Table::new(self.say("Amounts in the base, yuan", "基准方案各地区金额(元)"))
            .text(self.say("Region", "地区"))
            .figures(self.say("Amount", "金额"));
        let per_head = report.regions.iter().any(|region| region.per_head.is_some());
        if per_head {
            table = table.figures(self.of(&report.per_head_of));
        }
        if last_year {
            table = table
                .figures(self.say("Last year", "上年金额"))
                .figures(self.say("Against last year", "比上年增减"));
        }
        for region in &report.regions {
            let mut row = vec![self.named(region), Cell::Figure(figures::money(region.amount))];
            if per_head {
                row.push(Cell::Figure(figures::money_or_none(region.per_head)));
            }
            if last_year {
                row.push(Cell::Figure(figures::money_or_none(region.last_year)));
                row.push(difference(Some(region.amount), region.last_year));
            }
            table.rows.push(row);
        }
        let total: Money = report.regions.iter().map(|region| region.amount).sum();
        let mut totals = vec![
            Cell::Text(self.say("Total", "合计").to_owned()),
            Cell::Figure(figures::money(total)),
        ];
        if per_head {
            totals.push(Cell::Text(String::new()));
        }
        if last_year {
            let last: Option<Vec<Money>> = report.regions.iter().map(|region| region.last_year).collect();
            let last: Option<Money> = last.map(|amounts| amounts.into_iter().sum());
            totals.push(Cell::Figure(figures::money_or_none(last)));
            totals.push(difference(last.and(Some(total)), last));
        }
        table.totals = Some(totals);
        table.write(page);
    }

    fn overview(&mut self, page: &mut Markup) {
        let report = self.report;
        let mut table = Table::new(self.say(
            "Winners and losers, amounts in yuan",
            "受益与受损地区(金额单位:元)",
        ))
        .text(self.say("Scenario", "方案"))
        .figures(self.say("Total", "合计"))
        .figures(self.say("Gain", "增加"))
        .figures(self.say("Lose", "减少"))
        .text(self.say("Largest gain", "最大增加"))
        .text(self.say("Largest loss", "最大减少"));
        for scenario in &report.scenarios {
            let count = |sign: i64| {
                let same = scenario
                    .outcomes
                    .iter()
                    .filter(|outcome| outcome.change.fen().signum() == sign);
                Cell::Figure(same.count().to_string())
            };
            let pairs = || report.regions.iter().zip(&scenario.outcomes);
            let extreme = |found: Option<(&RegionLine, &Outcome)>, sign: i64| match found {
                Some((region, outcome)) if outcome.change.fen().signum() == sign => {
                    Cell::Named(self.of(&region.name).to_owned(), figures::change(outcome.change))
                }
                _ => Cell::Text(figures::NONE.to_owned()),
            };
            let total: Money = scenario.outcomes.iter().map(|outcome| outcome.amount).sum();
            table.rows.push(vec![
                Cell::Text(self.of(&scenario.name).to_owned()),
                Cell::Figure(figures::money(total)),
                count(1),
                count(-1),
                extreme(pairs().max_by_key(|(_, outcome)| outcome.change), 1),
                extreme(pairs().min_by_key(|(_, outcome)| outcome.change), -1),
            ]);
        }
        table.write(page);
        self.sweep(page, &self.all_changes());
        for (at, scenarios) in report.scenarios.chunks(COLUMNS).enumerate() {
            let mut caption = self.say("Amounts, yuan", "各方案金额(元)").to_owned();
            if report.scenarios.len() > COLUMNS {
                caption.push_str(&format!(
                    " ({}/{})",
                    at + 1,
                    report.scenarios.len().div_ceil(COLUMNS)
                ));
            }
            let mut table = Table::new(&caption)
                .text(self.say("Region", "地区"))
                .figures(self.say("Base", "基准"));
            for scenario in scenarios {
                table = table.figures(self.of(&scenario.name));
            }
            for (at, region) in report.regions.iter().enumerate() {
                let mut row = vec![self.named(region), Cell::Figure(figures::money(region.amount))];
                for scenario in scenarios {
                    row.push(Cell::Figure(figures::money_or_none(
                        scenario.outcomes.get(at).map(|outcome| outcome.amount),
                    )));
                }
                table.rows.push(row);
            }
            table.write(page);
        }
    }

    /// The changes of all scenarios as one matrix.
    fn all_changes(&self) -> SweepSection {
        let report = self.report;
        SweepSection {
            title: Bilingual::new("Changes", "各方案增减"),
            across: SweepAxis {
                name: Bilingual::new("Scenario", "方案"),
                values: (report.scenarios.iter())
                    .map(|scenario| AxisValue::Name(scenario.name.clone()))
                    .collect(),
            },
            down: SweepAxis {
                name: Bilingual::new("Region", "地区"),
                values: (report.regions.iter())
                    .map(|region| AxisValue::Name(region.name.clone()))
                    .collect(),
            },
            cells: (0..report.regions.len())
                .map(|at| {
                    let outcomes = report.scenarios.iter().map(|scenario| scenario.outcomes.get(at));
                    outcomes
                        .map(|outcome| {
                            outcome.map_or(Measure::Refused, |outcome| Measure::Change(outcome.change))
                        })
                        .collect()
                })
                .collect(),
            base: None,
        }
    }

    fn scenario(&mut self, page: &mut Markup, scenario: &ScenarioSection) {
        let report = self.report;
        if !scenario.changes.is_empty() {
            page.raw("<ul>");
            for change in &scenario.changes {
                page.element("li", &[], self.of(change));
            }
            page.raw("</ul>\n");
        }
        if report.regions.is_empty() {
            return;
        }
        let mut pairs: Vec<(&RegionLine, &Outcome)> = report.regions.iter().zip(&scenario.outcomes).collect();
        pairs.sort_by(|(a, x), (b, y)| y.change.cmp(&x.change).then(a.code.cmp(&b.code)));
        if pairs.len() > CHARTED {
            pairs.drain(CHARTED / 2..pairs.len() - CHARTED / 2);
        }
        let (regions, outcomes): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let against = scenario.against.as_ref().unwrap_or(&report.base);
        let mut sentence = format!(
            "{}{}{}",
            self.say("Compared with: ", "比较对象:"),
            self.of(against),
            self.say(". ", "。")
        );
        sentence.push_str(&self.more(regions.len(), report.regions.len()));
        let keys = [
            ("gain", self.say("Gets more", "增加")),
            ("loss", self.say("Gets less", "减少")),
        ];
        let caption = self.caption(&keys, &sentence);
        let title = format!("{}{}", self.say("Changes: ", "增减:"), self.of(&scenario.name));
        let figure = Figure {
            title: &title,
            titled: true,
            description: self.say(
                "Bars from zero, to the right for gains and to the left for losses, the largest gain first. The table below has the figures.",
                "从零点起的条形图,增加向右、减少向左,按增减由大到小排列。数值见下表。",
            ),
            caption: &caption,
            parts: chart::changes(&regions, &outcomes, self.language),
        };
        self.figure(page, figure);
        self.outcomes(page, scenario);
    }

    fn outcomes(&self, page: &mut Markup, scenario: &ScenarioSection) {
        let per_head = scenario.outcomes.iter().any(|outcome| outcome.per_head.is_some());
        let mut table = Table::new(self.say("Amounts in yuan", "金额单位:元"))
            .text(self.say("Region", "地区"))
            .figures(self.say("Amount", "金额"))
            .figures(self.say("Change", "增减"))
            .figures(self.say("Change, %", "增减(%)"));
        if per_head {
            table = table.figures(self.of(&self.report.per_head_of));
        }
        table = table.figures(self.say("Rank", "排名"));
        for (region, outcome) in self.report.regions.iter().zip(&scenario.outcomes) {
            let mut row = vec![
                self.named(region),
                Cell::Figure(figures::money(outcome.amount)),
                Cell::Change(figures::change(outcome.change), outcome.change.fen()),
                Cell::Change(
                    figures::percent_change(outcome.change_percent),
                    outcome.change.fen(),
                ),
            ];
            if per_head {
                row.push(Cell::Figure(figures::money_or_none(outcome.per_head)));
            }
            row.push(Cell::Figure(outcome.rank.to_string()));
            table.rows.push(row);
        }
        let total: Money = scenario.outcomes.iter().map(|outcome| outcome.amount).sum();
        let change: Money = scenario.outcomes.iter().map(|outcome| outcome.change).sum();
        let mut totals = vec![
            Cell::Text(self.say("Total", "合计").to_owned()),
            Cell::Figure(figures::money(total)),
            Cell::Change(figures::change(change), change.fen()),
        ];
        totals.resize(table.columns.len(), Cell::Text(String::new()));
        table.totals = Some(totals);
        table.write(page);
    }

    fn sweep(&mut self, page: &mut Markup, sweep: &SweepSection) {
        if sweep.across.values.is_empty() || sweep.down.values.is_empty() {
            return;
        }
        let title = self.of(&sweep.title);
        page.element("h3", &[], title).line();
        let drawn = chart::matrix(sweep, self.language);
        let cells = || sweep.cells.iter().flatten();
        let money = cells().any(|cell| matches!(cell, Measure::Money(_) | Measure::Change(_)));
        let mut sentence = String::new();
        if money {
            let unit = drawn.unit.name(self.language);
            sentence.push_str(&match self.language {
                Language::Zh => format!("单位:{unit},四舍五入。"),
                Language::En => format!("In units of {unit}, rounded. "),
            });
        }
        sentence.push_str(&match self.language {
            Language::Zh => format!(
                "颜色越深,数值(绝对值)越大;最小 {},最大 {}。",
                drawn.least, drawn.most
            ),
            Language::En => format!(
                "The darker, the larger (in absolute value); least {}, greatest {}. ",
                drawn.least, drawn.most
            ),
        });
        if cells().any(|cell| matches!(cell, Measure::Change(_))) {
            sentence.push_str(self.say(
                "Blue and + are gains, orange and − losses. ",
                "蓝色和 + 为增加,橙色和 − 为减少。",
            ));
        }
        if sweep.base.is_some() {
            sentence.push_str(self.say("The outlined cell is the base. ", "加框的单元格为基准。"));
        }
        if drawn.refused {
            sentence.push_str(self.say(
                "Hatched: no allocation is possible there. ",
                "斜线格:该处无法分配。",
            ));
        }
        let caption = self.caption(&[], sentence.trim_end());
        let description = match self.language {
            Language::Zh => format!(
                "矩阵。横向:{};纵向:{}。",
                self.of(&sweep.across.name),
                self.of(&sweep.down.name)
            ),
            Language::En => {
                format!(
                    "A matrix. Across: {}. Down: {}.",
                    self.of(&sweep.across.name),
                    self.of(&sweep.down.name)
                )
            }
        };
        let figure = Figure {
            title,
            titled: false,
            description: &description,
            caption: &caption,
            parts: drawn.parts,
        };
        self.figure(page, figure);
    }

    fn monte_carlo(&mut self, page: &mut Markup, section: &MonteCarloSection) {
        let report = self.report;
        let samples = crate::report::grouped(&section.samples.to_string());
        let sentence = match self.language {
            Language::Zh => format!("共 {samples} 次抽样。假定:"),
            Language::En => format!("{samples} samples. Assumed:"),
        };
        page.element("p", &[], &sentence).raw("<ul>");
        for assumption in &section.assumptions {
            page.element("li", &[], self.of(assumption));
        }
        page.raw("</ul>\n");
        let mut pairs: Vec<_> = report.regions.iter().zip(&section.regions).collect();
        if pairs.len() > CHARTED {
            pairs.sort_by(|(a, _), (b, _)| b.amount.cmp(&a.amount).then(a.code.cmp(&b.code)));
            pairs.truncate(CHARTED);
        }
        let (regions, spreads): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let (deviation, parts) = chart::spreads(&regions, &spreads, self.language);
        let mut sentence = self
            .say(
                "The line goes from the 5 % to the 95 % quantile: nine of ten samples lie on it. ",
                "横线为 5% 至 95% 分位数,十次抽样中有九次落在线上。",
            )
            .to_owned();
        if deviation == Deviation::Percent {
            sentence.push_str(self.say(
                "Drawn in percent of the base, so that regions of any size can be compared. ",
                "按与基准金额之比绘制,便于大小地区相互比较。",
            ));
        }
        sentence.push_str(&self.more(regions.len(), report.regions.len()));
        let keys = [
            (
                "box",
                self.say(
                    "The middle half of the samples (25 % to 75 %)",
                    "中间一半抽样(25% 至 75%)",
                ),
            ),
            ("median", self.say("Median", "中位数")),
            ("base", self.say("Base", "基准")),
        ];
        let caption = self.caption(&keys, sentence.trim_end());
        let figure = Figure {
            title: self.say("How amounts spread", "金额的分布"),
            titled: true,
            description: self.say(
                "Box plots of quantiles, one for each region. The table below has the figures.",
                "分位数箱线图,每个地区一行。数值见下表。",
            ),
            caption: &caption,
            parts,
        };
        self.figure(page, figure);
        let mut table =
            Table::new(self.say("Quantiles, yuan", "分位数(元)")).text(self.say("Region", "地区"));
        for quantile in ["5%", "25%", "50%", "75%", "95%"] {
            table = table.figures(quantile);
        }
        table = table
            .figures(self.say("P(below last year)", "低于上年概率"))
            .figures(self.say("P(below base)", "低于基准概率"));
        for (region, spread) in report.regions.iter().zip(&section.regions) {
            let quantiles = [spread.p5, spread.p25, spread.p50, spread.p75, spread.p95];
            let figures = quantiles.map(figures::money).into_iter().chain([
                figures::probability(spread.below_last_year),
                figures::probability(spread.below_base),
            ]);
            let mut row = vec![self.named(region)];
            row.extend(figures.map(Cell::Figure));
            table.rows.push(row);
        }
        table.write(page);
    }

    fn drivers(&mut self, page: &mut Markup, section: &DriverSection) {
        let result = self.of(&section.result);
        page.element("h3", &[], result).line();
        let mut swinging: Vec<&Driver> = section
            .drivers
            .iter()
            .filter(|driver| driver.swing.is_some())
            .collect();
        let reach = |driver: &Driver| {
            driver.swing.as_ref().map_or(0, |swing| {
                let ends = [swing.low.fen(), swing.high.fen(), section.base.fen()].map(i128::from);
                let (least, most) = (ends.iter().min(), ends.iter().max());
                most.zip(least).map_or(0, |(most, least)| most - least)
            })
        };
        swinging.sort_by_key(|driver| std::cmp::Reverse(reach(driver)));
        swinging.truncate(CHARTED);
        if !swinging.is_empty() {
            let sentence = match self.language {
                Language::Zh => format!(
                    "竖线为基准 {} 元;其余输入保持不变。",
                    figures::money(section.base)
                ),
                Language::En => {
                    format!(
                        "The line is the base, {} yuan; all other inputs stay as they are.",
                        figures::money(section.base)
                    )
                }
            };
            let keys = [
                ("loss", self.say("Input at its low end", "输入取低值")),
                ("gain", self.say("Input at its high end", "输入取高值")),
            ];
            let caption = self.caption(&keys, &sentence);
            let title = format!("{}{result}", self.say("Tornado: ", "龙卷风图:"));
            let figure = Figure {
                title: &title,
                titled: true,
                description: self.say(
                    "Bars from the base to the result at the low and the high end of each input, the widest first.",
                    "从基准到各输入取低值、高值时结果的条形图,按影响由大到小排列。",
                ),
                caption: &caption,
                parts: chart::tornado(section.base, &swinging, self.language),
            };
            self.figure(page, figure);
        }
        let mut indexed: Vec<&Driver> = (section.drivers.iter())
            .filter(|driver| driver.first_order.is_some() || driver.total.is_some())
            .collect();
        indexed.sort_by_key(|driver| std::cmp::Reverse(driver.total.or(driver.first_order)));
        indexed.truncate(CHARTED);
        if !indexed.is_empty() {
            let keys = [
                (
                    "amount",
                    self.say("First-order index: this input alone", "一阶指数:该输入单独的作用"),
                ),
                (
                    "outlined",
                    self.say(
                        "Total index: with all its interactions",
                        "总指数:含与其他输入的交互作用",
                    ),
                ),
            ];
            let caption = self.caption(
                &keys,
                self.say(
                    "Sobol indices are estimated from samples, and may be a little below zero.",
                    "Sobol 指数由抽样估计,可能略小于零。",
                ),
            );
            let title = format!("{}{result}", self.say("Share of the variance: ", "方差贡献:"));
            let figure = Figure {
                title: &title,
                titled: true,
                description: self.say(
                    "Two bars for each input, the first-order and the total Sobol index, the largest total first.",
                    "每个输入两条:一阶与总 Sobol 指数,按总指数由大到小排列。",
                ),
                caption: &caption,
                parts: chart::indices(&indexed, self.language),
            };
            self.figure(page, figure);
        }
        let named = |driver: &&Driver| {
            driver
                .swing
                .as_ref()
                .is_some_and(|swing| !swing.low_at.is_empty() || !swing.high_at.is_empty())
        };
        if section.drivers.iter().any(|driver| named(&driver)) {
            let mut table = Table::new(self.say("The ends of the inputs", "输入的取值"))
                .text(self.say("Input", "输入"))
                .text(self.say("Low end", "低值"))
                .figures(self.say("Result, yuan", "结果(元)"))
                .text(self.say("High end", "高值"))
                .figures(self.say("Result, yuan", "结果(元)"));
            for driver in swinging {
                if let Some(swing) = &driver.swing {
                    table.rows.push(vec![
                        Cell::Text(self.of(&driver.input).to_owned()),
                        Cell::Text(swing.low_at.clone()),
                        Cell::Figure(figures::money(swing.low)),
                        Cell::Text(swing.high_at.clone()),
                        Cell::Figure(figures::money(swing.high)),
                    ]);
                }
            }
            table.write(page);
        }
    }

    fn measure(&self, measure: Measure) -> String {
        match measure {
            Measure::Money(amount) => format!("{} {}", figures::money(amount), self.say("yuan", "元")),
            Measure::Change(amount) => format!("{} {}", figures::change(amount), self.say("yuan", "元")),
            Measure::Number(value) => figures::decimal(value),
            Measure::Refused => figures::NONE.to_owned(),
        }
    }

    fn goals(&mut self, page: &mut Markup) {
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

    fn stability(&mut self, page: &mut Markup) {
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

    fn fairness(&mut self, page: &mut Markup) {
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

    fn metrics(&self, page: &mut Markup, section: &FairnessSection) {
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

    fn provenance(&mut self, page: &mut Markup) {
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

fn difference(amount: Option<Money>, before: Option<Money>) -> Cell {
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
