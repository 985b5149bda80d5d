//! What each region gets: in the base, in scenarios, in sweeps.

use super::sections::{CHARTED, COLUMNS, Figure, Writer, difference};
use super::tables::{Cell, Table};
use crate::domain::error::Bilingual;
use crate::domain::money::Money;
use crate::report::markup::Markup;
use crate::report::simulation::chart::{self};
use crate::report::simulation::figures;
use crate::report::simulation::{
    AxisValue, Language, Measure, Outcome, RegionLine, ScenarioSection, SweepAxis, SweepSection,
};

impl Writer<'_> {
    pub(super) fn base(&mut self, page: &mut Markup) {
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

    pub(super) fn overview(&mut self, page: &mut Markup) {
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
    pub(super) fn all_changes(&self) -> SweepSection {
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

    pub(super) fn scenario(&mut self, page: &mut Markup, scenario: &ScenarioSection) {
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

    pub(super) fn outcomes(&self, page: &mut Markup, scenario: &ScenarioSection) {
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

    pub(super) fn sweep(&mut self, page: &mut Markup, sweep: &SweepSection) {
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
}
