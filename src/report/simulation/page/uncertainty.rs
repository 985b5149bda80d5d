//! What uncertain statistics do: spreads, and what drives them.

use super::sections::{CHARTED, Figure, Writer};
use super::tables::{Cell, Table};
use crate::report::markup::Markup;
use crate::report::simulation::chart::{self, Deviation};
use crate::report::simulation::figures;
use crate::report::simulation::{Driver, DriverSection, Language, MonteCarloSection};

impl Writer<'_> {
    pub(super) fn monte_carlo(&mut self, page: &mut Markup, section: &MonteCarloSection) {
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
                "Nested bands of quantiles, one fan for each region. ",
                "每个地区一组分位数扇形区间。",
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
                "tenths",
                self.say("Nine of ten samples (5 % to 95 %)", "十分之九的抽样(5% 至 95%)"),
            ),
            (
                "half",
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
                "Fans of quantiles, one for each region. The table below has the figures.",
                "分位数扇形图,每个地区一行。数值见下表。",
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

    pub(super) fn drivers(&mut self, page: &mut Markup, section: &DriverSection) {
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
}
