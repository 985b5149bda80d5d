//! Bars: amounts, changes, and what drives a result.

use super::rows::{Band, Figures, Rows};
use super::{Parts, Picture};
use crate::domain::money::Money;
use crate::report::simulation::figures::{self, Scale, Unit};
use crate::report::simulation::{Driver, Language, Outcome, RegionLine};
use rust_decimal::Decimal;

fn fen(amount: Money) -> i128 {
    i128::from(amount.fen())
}

fn largest(values: &[i128]) -> i128 {
    values.iter().map(|value| value.abs()).max().unwrap_or(0)
}

fn axis(unit: Unit, language: Language) -> String {
    match language {
        Language::Zh => format!("单位:{}", unit.name(language)),
        Language::En => unit.name(language).to_owned(),
    }
}

/// What each region gets in the base, with a mark at what it had last year.
pub(in crate::report::simulation) fn amounts(regions: &[&RegionLine], language: Language) -> Parts {
    let values: Vec<i128> = (regions.iter())
        .flat_map(|region| [Some(region.amount), region.last_year])
        .flatten()
        .map(fen)
        .collect();
    let unit = Unit::suiting(largest(&values));
    let rows = Rows {
        names: names(regions, language),
        figures: vec![Figures {
            heading: language.say("Amount, yuan", "金额(元)").to_owned(),
            values: regions
                .iter()
                .map(|region| figures::money(region.amount))
                .collect(),
        }],
        values,
        unit,
        axis: axis(unit, language),
        origin: 0,
    };
    rows.draw(|picture, row, band, scale| {
        let region = regions[row];
        picture.bar(
            "amount",
            (scale.at(0), scale.at(fen(region.amount))),
            (band.top, band.height),
        );
        if let Some(last_year) = region.last_year {
            let x = scale.at(fen(last_year));
            picture.line("mark", (x, band.top - 25), (x, band.top + band.height + 25));
        }
    })
}

/// How each region's amount changes: gains to the right, losses to the left and hatched.
pub(in crate::report::simulation) fn changes(
    regions: &[&RegionLine],
    outcomes: &[&Outcome],
    language: Language,
) -> Parts {
    let values: Vec<i128> = outcomes.iter().map(|outcome| fen(outcome.change)).collect();
    let unit = Unit::suiting(largest(&values));
    let rows = Rows {
        names: names(regions, language),
        figures: vec![
            Figures {
                heading: language.say("Change, yuan", "增减(元)").to_owned(),
                values: (outcomes.iter())
                    .map(|outcome| figures::change(outcome.change))
                    .collect(),
            },
            Figures {
                heading: language.say("in %", "增减(%)").to_owned(),
                values: (outcomes.iter())
                    .map(|outcome| figures::percent_change(outcome.change_percent))
                    .collect(),
            },
        ],
        values,
        unit,
        axis: axis(unit, language),
        origin: 0,
    };
    rows.draw(|picture, row, band, scale| {
        let change = fen(outcomes[row].change);
        let class = match change.signum() {
            1 => "gain",
            -1 => "loss",
            _ => return,
        };
        picture.bar(class, (scale.at(0), scale.at(change)), (band.top, band.height));
    })
}

/// A tornado: the result with each input at its low end (upper half of a row, hatched) and at its high end (lower half).
pub(in crate::report::simulation) fn tornado(base: Money, drivers: &[&Driver], language: Language) -> Parts {
    let swings: Vec<(i128, i128)> = (drivers.iter())
        .filter_map(|driver| driver.swing.as_ref())
        .map(|swing| (fen(swing.low), fen(swing.high)))
        .collect();
    let values: Vec<i128> = swings.iter().flat_map(|(low, high)| [*low, *high]).collect();
    let unit = Unit::suiting(largest(&values).max(fen(base).abs()));
    let column = |heading: &str, pick: fn(&Driver) -> Option<Money>| Figures {
        heading: heading.to_owned(),
        values: drivers
            .iter()
            .map(|driver| figures::money_or_none(pick(driver)))
            .collect(),
    };
    let rows = Rows {
        names: drivers
            .iter()
            .map(|driver| language.of(&driver.input).to_owned())
            .collect(),
        figures: vec![
            column(language.say("Low end, yuan", "低值时(元)"), |driver| {
                driver.swing.as_ref().map(|swing| swing.low)
            }),
            column(language.say("High end, yuan", "高值时(元)"), |driver| {
                driver.swing.as_ref().map(|swing| swing.high)
            }),
        ],
        values,
        unit,
        axis: axis(unit, language),
        origin: fen(base),
    };
    rows.draw(|picture, row, band, scale| {
        if let Some(swing) = &drivers[row].swing {
            let (low, high) = (fen(swing.low), fen(swing.high));
            halves(
                picture,
                band,
                scale,
                fen(base),
                [("loss", Some(low)), ("gain", Some(high))],
            );
        }
    })
}

/// Sobol indices: the first-order index (upper half of a row) and the total one (lower half, outlined).
pub(in crate::report::simulation) fn indices(drivers: &[&Driver], language: Language) -> Parts {
    let thousandths = |index: Option<Decimal>| {
        index.map(|index| {
            let index = index.round_dp(3);
            let missing = 3_u32.saturating_sub(index.scale());
            index.mantissa().saturating_mul(10_i128.pow(missing))
        })
    };
    let column = |heading: &str, pick: fn(&Driver) -> Option<Decimal>| Figures {
        heading: heading.to_owned(),
        values: (drivers.iter())
            .map(|driver| {
                pick(driver).map_or_else(
                    || figures::NONE.to_owned(),
                    |index| figures::rounded(index.mantissa(), index.scale(), 3, false),
                )
            })
            .collect(),
    };
    let values = (drivers.iter())
        .flat_map(|driver| [thousandths(driver.first_order), thousandths(driver.total)])
        .flatten()
        .chain([1000])
        .collect();
    let rows = Rows {
        names: drivers
            .iter()
            .map(|driver| language.of(&driver.input).to_owned())
            .collect(),
        figures: vec![
            column(language.say("First-order", "一阶指数"), |driver| {
                driver.first_order
            }),
            column(language.say("Total", "总指数"), |driver| driver.total),
        ],
        values,
        unit: Unit::Plain,
        axis: language.say("share of the variance", "占方差的比重").to_owned(),
        origin: 0,
    };
    rows.draw(|picture, row, band, scale| {
        let driver = drivers[row];
        halves(
            picture,
            band,
            scale,
            0,
            [
                ("amount", thousandths(driver.first_order)),
                ("outlined", thousandths(driver.total)),
            ],
        );
    })
}

/// Two bars from one origin, one above the other.
fn halves(picture: &mut Picture, band: Band, scale: &Scale, origin: i128, bars: [(&str, Option<i128>); 2]) {
    let height = band.height / 2;
    for ((class, value), top) in bars.into_iter().zip([band.top, band.top + height]) {
        if let Some(value) = value
            && value != origin
        {
            picture.bar(class, (scale.at(origin), scale.at(value)), (top, height));
        }
    }
}

fn names(regions: &[&RegionLine], language: Language) -> Vec<String> {
    regions
        .iter()
        .map(|region| language.of(&region.name).to_owned())
        .collect()
}
