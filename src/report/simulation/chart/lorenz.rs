//! Lorenz curves (M. O. Lorenz, *Methods of Measuring the Concentration of Wealth*, 1905).

use super::{Align, LEADING, Parts, Picture, SMALL, TEXT, WIDTH, px};
use crate::report::simulation::figures;
use crate::report::simulation::measure::wrapped;
use crate::report::simulation::{Language, LorenzCurve};
use rust_decimal::Decimal;

/// Curves in one picture: as many as can be told apart by dashes.
pub(in crate::report::simulation) const CURVES: usize = 4;

/// The side of the square.
const SIDE: i64 = 3000;
const LEFT: i64 = 460;
const TOP: i64 = 100;

/// A picture for every few curves. The first curve, the base, is in each.
pub(in crate::report::simulation) fn lorenz(curves: &[LorenzCurve], language: Language) -> Parts {
    let Some((base, others)) = curves.split_first() else {
        return Parts::new();
    };
    if others.is_empty() {
        return vec![picture(&[base], language)];
    }
    let each = super::even_groups(others.len(), CURVES - 1);
    (others.chunks(each))
        .map(|others| {
            let shown: Vec<&LorenzCurve> = std::iter::once(base).chain(others).collect();
            picture(&shown, language)
        })
        .collect()
}

fn picture(curves: &[&LorenzCurve], language: Language) -> Picture {
    let mut picture = Picture::default();
    let across = |share: Decimal| LEFT + along(share);
    let up = |share: Decimal| TOP + SIDE - along(share);
    for fifth in 0..=5 {
        let share = Decimal::new(fifth * 2, 1);
        let (x, y) = (across(share), up(share));
        picture.line("grid", (x, TOP), (x, TOP + SIDE));
        picture.line("grid", (LEFT, y), (LEFT + SIDE, y));
        let label = format!("{}%", fifth * 20);
        picture.text("axis", Align::Middle, (x, TOP + SIDE + 160), &label);
        picture.text("axis", Align::End, (LEFT - 60, y + 35), &label);
    }
    picture.line("equality", (LEFT, TOP + SIDE), (LEFT + SIDE, TOP));
    for (at, curve) in curves.iter().enumerate() {
        let points: Vec<String> = (curve.points.iter())
            .map(|(people, money)| format!("{} {}", px(across(*people)), px(up(*money))))
            .collect();
        if !points.is_empty() {
            picture.path(&format!("curve c{at}"), &format!("M{}", points.join("L")));
        }
    }
    picture.text(
        "axis",
        Align::Middle,
        (LEFT + SIDE / 2, TOP + SIDE + 330),
        language.say(
            "share of people, least money per head first",
            "人数累计占比(按人均金额由低到高)",
        ),
    );
    let side = LEFT + SIDE + 250;
    let mut y = TOP + 60;
    let heading = language.say("Share of the money (up)", "纵轴:资金累计占比");
    picture.text("axis", Align::Start, (side, y), heading);
    y += 260;
    for (at, curve) in curves.iter().enumerate() {
        picture.line(&format!("curve c{at}"), (side, y - 40), (side + 420, y - 40));
        for line in wrapped(language.of(&curve.name), TEXT, WIDTH - side - 520, 3) {
            picture.text("", Align::Start, (side + 520, y), &line);
            y += LEADING;
        }
        let gini = figures::decimal_to(curve.gini, 4);
        let gini = format!("{} {gini}", language.say("Gini", "基尼系数"));
        picture.text("num", Align::Start, (side + 520, y), &gini);
        y += LEADING + 120;
    }
    picture.line("equality", (side, y - 40), (side + 420, y - 40));
    for line in wrapped(
        language.say("Equal money for each head", "人均完全相等"),
        SMALL,
        WIDTH - side - 520,
        2,
    ) {
        picture.text("axis", Align::Start, (side + 520, y), &line);
        y += LEADING;
    }
    picture.height = TOP + SIDE + 400;
    picture
}

/// How far along the side a share is.
fn along(share: Decimal) -> i64 {
    let share = share.clamp(Decimal::ZERO, Decimal::ONE).round_dp(6);
    let millionths = share.mantissa() * 10_i128.pow(6_u32.saturating_sub(share.scale()));
    let place = (millionths * i128::from(SIDE) + 500_000) / 1_000_000;
    i64::try_from(place).unwrap_or(0)
}
