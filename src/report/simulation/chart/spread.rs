//! Fans of quantiles: the light band holds nine tenths (5 % to 95 %), the dark one in it the middle half, the line is
//! the median (the nested bands of a fan chart, Bank of England Inflation Report, 1996; one fan for each region).

use super::Parts;
use super::px;
use super::rows::{Figures, Rows};
use crate::domain::money::Money;
use crate::report::simulation::figures::{self, Unit};
use crate::report::simulation::{Language, RegionLine, Spread};

/// Whether a spread is drawn as a deviation from the base in percent, or in yuan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report::simulation) enum Deviation {
    /// In percent of the base, so that small and large regions can be compared.
    Percent,
    /// Amounts: where the base of a region is nothing, or so little that percentages say nothing.
    Amount,
}

/// The most that a deviation in percent is drawn for, in hundredths of a percent.
const MOST_PERCENT: i128 = 100_000;

/// The spread of every region's amount, with a diamond at its base.
pub(in crate::report::simulation) fn spreads(
    regions: &[&RegionLine],
    spreads: &[&Spread],
    language: Language,
) -> (Deviation, Parts) {
    let boxes = |place: &dyn Fn(Money, Money) -> Option<i128>| -> Option<Vec<[i128; 6]>> {
        regions
            .iter()
            .zip(spreads)
            .map(|(region, spread)| {
                let at = |amount| place(amount, region.amount);
                Some([
                    at(spread.p5)?,
                    at(spread.p25)?,
                    at(spread.p50)?,
                    at(spread.p75)?,
                    at(spread.p95)?,
                    at(region.amount)?,
                ])
            })
            .collect()
    };
    let (deviation, boxes) = match boxes(&in_percent) {
        Some(boxes) => (Deviation::Percent, boxes),
        None => (
            Deviation::Amount,
            boxes(&|amount, _| Some(i128::from(amount.fen()))).unwrap_or_default(),
        ),
    };
    let values: Vec<i128> = boxes.iter().flatten().copied().collect();
    let largest = values.iter().map(|value| value.abs()).max().unwrap_or(0);
    let (unit, axis) = match deviation {
        Deviation::Percent => (
            Unit::Percent,
            language
                .say("deviation from the base, %", "与基准相比(%)")
                .to_owned(),
        ),
        Deviation::Amount => {
            let unit = Unit::suiting(largest);
            (unit, unit.name(language).to_owned())
        }
    };
    let rows = Rows {
        names: (regions.iter())
            .map(|region| language.of(&region.name).to_owned())
            .collect(),
        figures: vec![
            Figures {
                heading: language.say("Median, yuan", "中位数(元)").to_owned(),
                values: spreads.iter().map(|spread| figures::money(spread.p50)).collect(),
            },
            Figures {
                heading: language.say("P(< last year)", "低于上年概率").to_owned(),
                values: (spreads.iter())
                    .map(|spread| figures::probability(spread.below_last_year))
                    .collect(),
            },
        ],
        values,
        unit,
        axis,
        origin: 0,
    };
    let parts = rows.draw(|picture, row, band, scale| {
        let Some(quantiles) = boxes.get(row) else {
            return;
        };
        let [p5, p25, p50, p75, p95, base] = quantiles.map(|value| scale.at(value));
        let middle = band.middle();
        picture.bar("tenths", (p5, p95), (band.top + 15, band.height - 30));
        picture.bar("half", (p25, p75), (band.top + 15, band.height - 30));
        picture.line("median", (p50, band.top + 5), (p50, band.top + band.height - 5));
        let corners = [
            (base, middle - 38),
            (base + 38, middle),
            (base, middle + 38),
            (base - 38, middle),
        ];
        let corners = corners.map(|(x, y)| format!("{} {}", px(x), px(y)));
        picture.path("base", &format!("M{}Z", corners.join("L")));
    });
    (deviation, parts)
}

/// The deviation in hundredths of a percent of the base.
fn in_percent(amount: Money, base: Money) -> Option<i128> {
    let (amount, base) = (i128::from(amount.fen()), i128::from(base.fen()));
    if base <= 0 {
        return None;
    }
    let hundredths = ((amount - base) * 20_000 + base).div_euclid(2 * base);
    (hundredths.abs() <= MOST_PERCENT).then_some(hundredths)
}
