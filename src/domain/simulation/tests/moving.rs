//! Goal seek and stability: the engine, walked by brute force, gives the same answers.

use super::*;
use crate::domain::exact::Fraction;
use crate::domain::simulation::goal::{Goal, Target, seek};
use crate::domain::simulation::grid::{Grid, Search, WALKED};
use crate::domain::simulation::model::{Function, Model};
use crate::domain::simulation::stability::{Crossing, measure};
use crate::domain::simulation::{Plan, Setting};
use proptest::prelude::*;
use std::sync::LazyLock;

static XUCHANG_WORLD: LazyLock<World> = LazyLock::new(World::xuchang);

/// The amounts at 0, 0.5, 1 … 100 percent, each by an evaluation of its own.
static EVERY_HALF_PERCENT: LazyLock<Vec<Vec<i64>>> = LazyLock::new(|| {
    let plan = plan();
    (0..=200)
        .map(|halves| {
            let changed = plan.changed(&[(0, at(halves))]).unwrap();
            changed
                .amounts()
                .unwrap()
                .iter()
                .map(|amount| amount.fen())
                .collect()
        })
        .collect()
});

fn plan() -> Plan<'static> {
    Plan::new(XUCHANG_WORLD.base(), Vec::new(), vec![settled_percent()]).unwrap()
}

fn at(halves: u64) -> Decimal {
    (Decimal::from(halves) / Decimal::TWO).normalize()
}

fn halves(start: u64, walked: u64) -> Grid {
    Grid {
        start: at(start),
        low: Decimal::ZERO,
        high: Decimal::ONE_HUNDRED,
        step: decimal("0.5"),
        walked,
    }
}

/// The value that meets a target with the smallest change, the smaller of two; or the one of least shortfall.
fn brute_force(start: u64, target: &Target) -> (bool, Decimal) {
    let amounts = &*EVERY_HALF_PERCENT;
    let shortfall = |halves: &u64| target.shortfall(&amounts[*halves as usize]);
    let away = |halves: &u64| (halves.abs_diff(start), *halves);
    let met = (0..=200)
        .filter(|halves| shortfall(halves) <= Fraction::whole(0))
        .min_by_key(away);
    let best = || {
        (0..=200)
            .min_by_key(|halves| (shortfall(halves), away(halves)))
            .unwrap()
    };
    (met.is_some(), at(met.unwrap_or_else(best)))
}

fn answer(goal: &Goal) -> (bool, Decimal) {
    (goal.met, goal.point.value)
}

fn targets() -> impl Strategy<Value = Target> {
    let region = 0..9_usize;
    // Around what regions have: some are met at once, some never.
    let fen = 300_000_000..2_500_000_000_i64;
    let percent = (0..=40_u32).prop_map(Decimal::from);
    prop_oneof![
        (region.clone(), fen.clone()).prop_map(|(region, fen)| Target::AtLeast { region, fen }),
        (region.clone(), fen).prop_map(|(region, fen)| Target::AtMost { region, fen }),
        (region.clone(), percent.clone())
            .prop_map(|(region, percent)| Target::ShareAtLeast { region, percent }),
        (region.clone(), percent.clone())
            .prop_map(|(region, percent)| Target::ShareAtMost { region, percent }),
        (region.clone(), region, 1..30_i64, any::<bool>()).prop_map(|(region, to, tenths, by_head)| {
            Target::RatioAtLeast {
                region,
                to,
                ratio: Decimal::new(tenths, 1),
                heads: by_head.then_some((decimal("5"), decimal("7.5"))),
            }
        }),
        (prop::collection::vec(1_000..60_000_u32, 9), 11..90_i64).prop_map(|(heads, tenths)| {
            Target::PerHeadRange {
                heads: heads.into_iter().map(Decimal::from).collect(),
                ratio: Decimal::new(tenths, 1),
            }
        }),
        (0..=200_usize, percent).prop_map(|(base, percent)| Target::NoLoserBeyond {
            against: EVERY_HALF_PERCENT[base].clone(),
            percent,
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn seeking_finds_what_brute_force_finds(start in 0..=200_u64, target in targets()) {
        let plan = plan();
        let mut evaluator = plan.evaluator();
        let goal = seek(&halves(start, WALKED), 0, &[], &target, &mut evaluator).unwrap();
        prop_assert_eq!(goal.search, Search::Walked);
        prop_assert_eq!(answer(&goal), brute_force(start, &target));
        let expected = &EVERY_HALF_PERCENT[(goal.point.value * Decimal::TWO).try_into().unwrap_or(0_usize)];
        prop_assert_eq!(&goal.point.amounts, expected);
    }

    #[test]
    fn bisecting_finds_what_brute_force_finds_where_amounts_are_monotone(
        start in 0..=200_u64, region in 0..9_usize, fen in 300_000_000..2_500_000_000_i64, up in any::<bool>(),
    ) {
        // An amount rises or falls with the percentage all the way, so a coarse scan must not miss anything.
        let target = if up { Target::AtLeast { region, fen } } else { Target::AtMost { region, fen } };
        let plan = plan();
        let goal = seek(&halves(start, 7), 0, &[], &target, &mut plan.evaluator()).unwrap();
        prop_assert_eq!(answer(&goal), brute_force(start, &target));
    }

    #[test]
    fn the_order_holds_exactly_as_long_as_brute_force_says(start in 0..=200_u64) {
        let plan = plan();
        let stability = measure(&halves(start, WALKED), 0, &[], &mut plan.evaluator()).unwrap();
        let before = &EVERY_HALF_PERCENT[start as usize];
        // Any two regions, not only neighbours.
        let changed = |halves: &u64| {
            let now = &EVERY_HALF_PERCENT[*halves as usize];
            (0..9).any(|a| (0..9).any(|b| now[a].cmp(&now[b]) != before[a].cmp(&before[b])))
        };
        let down = (0..start).rev().find(changed).map(at);
        let up = (start + 1..=200).find(changed).map(at);
        prop_assert_eq!(stability.down.as_ref().map(|found| found.value), down);
        prop_assert_eq!(stability.up.as_ref().map(|found| found.value), up);
        for found in stability.down.iter().chain(&stability.up) {
            prop_assert!(!found.crossings.is_empty() && found.refusal.is_none());
            prop_assert_eq!((found.value - found.last).abs(), decimal("0.5"));
        }
    }
}

#[test]
fn an_unreachable_target_gives_the_nearest_value() {
    let target = Target::AtLeast {
        region: 0,
        fen: i64::MAX / 100,
    };
    for walked in [WALKED, 10] {
        let goal = seek(&halves(120, walked), 0, &[], &target, &mut plan().evaluator()).unwrap();
        assert_eq!(answer(&goal), brute_force(120, &target));
        assert!(!goal.met && goal.evaluated > 20);
    }
}

/// Amounts that are a function of one value in steps of a hundredth.
fn function(amounts: impl Fn(i64) -> Vec<i64>) -> impl Model {
    Function::new(move |settings: &[Setting], out: &mut Vec<i64>| {
        let hundredths = (settings[0].1 * Decimal::ONE_HUNDRED).try_into().unwrap_or(0_i64);
        out.extend(amounts(hundredths));
        Ok(())
    })
}

#[test]
fn a_long_grid_is_scanned_and_bisected() {
    let grid = Grid {
        start: Decimal::ZERO,
        low: Decimal::ZERO,
        high: decimal("1000000"),
        step: decimal("0.01"),
        walked: 200,
    };
    let target = Target::AtLeast {
        region: 0,
        fen: 77_777_777,
    };
    let goal = seek(
        &grid,
        0,
        &[],
        &target,
        &mut function(|hundredths| vec![hundredths]),
    )
    .unwrap();
    assert_eq!(answer(&goal), (true, decimal("777777.77")));
    assert_eq!(goal.search, Search::Scanned(500_000));
    assert!(goal.evaluated < 600, "{}", goal.evaluated);
    // A peak that no value of the scan meets: the nearest value is approached.
    let peak = |hundredths: i64| vec![1_000 - (hundredths - 33_333_333).abs()];
    let target = Target::AtLeast {
        region: 0,
        fen: 1_001,
    };
    let goal = seek(&grid, 0, &[], &target, &mut function(peak)).unwrap();
    assert_eq!(answer(&goal), (false, decimal("333333.33")));
}

#[test]
fn names_the_pairs_that_cross() {
    let grid = Grid {
        start: decimal("5"),
        low: Decimal::ZERO,
        high: decimal("10"),
        step: Decimal::ONE,
        walked: WALKED,
    };
    // The second region catches up with the first at 8; the last two are level now and part at once below.
    let mut model = function(|hundredths| vec![800, hundredths, 100, (hundredths - 400).min(100)]);
    let stability = measure(&grid, 0, &[], &mut model).unwrap();
    assert_eq!(stability.order, [0, 1, 2, 3]);
    let up = stability.up.unwrap();
    assert_eq!((up.last, up.value), (decimal("7"), decimal("8")));
    assert_eq!(up.crossings, [Crossing { above: 0, below: 1 }]);
    let down = stability.down.unwrap();
    assert_eq!((down.last, down.value), (decimal("5"), decimal("4")));
    assert_eq!(down.crossings, [Crossing { above: 2, below: 3 }]);
}

#[test]
fn refuses_targets_that_do_not_fit() {
    let heads = vec![Decimal::ZERO; 3];
    for (target, field) in [
        (Target::AtLeast { region: 9, fen: 1 }, "target.region"),
        (
            Target::PerHeadRange {
                heads,
                ratio: Decimal::ONE,
            },
            "target.heads",
        ),
        (
            Target::ShareAtMost {
                region: 0,
                percent: decimal("101"),
            },
            "target.percent",
        ),
    ] {
        assert_eq!(target.check(9).unwrap_err()[0].field, field);
    }
}
