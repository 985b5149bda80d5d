//! Every scenario equals a separate computation of the changed formula and the changed data, fen for fen.
//!
//! Formulas are those of [`crate::properties`]; changes and settings are drawn from the same numbers, read backwards.

use crate::properties::{Draw, World, YEAR, drawn, numbers};
use crate::reference::{Case, MethodCase, SumCase};
use incentive_fund::domain::apportion::Method;
use incentive_fund::domain::formula::document::{BoundText, Exact};
use incentive_fund::domain::formula::{Formula, Inputs, evaluate};
use incentive_fund::domain::money::RoundingUnit;
use incentive_fund::domain::region::RegionCode;
use incentive_fund::domain::simulation::{
    Adjust, Base, Change, How, Knob, Lever, Others, Plan, Refusal, Setting, Ways,
};
use incentive_fund::domain::statistics::{IndicatorCode, Snapshot, parse_decimal};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use rust_decimal::Decimal;
use std::cell::Cell;

const CASES: u32 = 12_000;

fn decimal(text: &str) -> Decimal {
    parse_decimal("value", text).unwrap()
}

fn lever(draw: &mut Draw<'_>, case: &Case) -> Lever {
    let percentages: Vec<usize> = (0..case.components.len())
        .filter(|at| matches!(case.components[*at].sum, SumCase::Percent(_)))
        .collect();
    let sums: Vec<usize> = (0..case.components.len())
        .filter(|at| !percentages.contains(at))
        .collect();
    let others = draw.pick(&[Others::ProRata, Others::ProRata, Others::ProRata, Others::Given]);
    match draw.below(16) {
        0..=4 if !percentages.is_empty() => Lever::Percent {
            component: format!("c{}", draw.pick(&percentages)),
            others,
        },
        5 if !sums.is_empty() => Lever::FixedSum {
            component: format!("c{}", draw.pick(&sums)),
        },
        6 if !case.parameters.is_empty() => Lever::Parameter {
            name: format!("p{}", draw.index(case.parameters.len())),
        },
        7 if !case.set_asides.is_empty() => Lever::SetAside {
            id: format!("s{}", draw.index(case.set_asides.len())),
        },
        8 | 9 if !case.bounds.is_empty() => Lever::Bound {
            at: draw.index(case.bounds.len()),
        },
        10..=13 => {
            let at = draw.index(case.indicators.len());
            Lever::Indicator {
                code: IndicatorCode::parse("code", &format!("i{at}")).unwrap(),
                year: draw.once_in(3).then_some(YEAR),
                region: (draw.below(3) > 0).then(|| {
                    let row = draw.index(case.regions);
                    RegionCode::parse("region", &format!("R{row:02}")).unwrap()
                }),
            }
        }
        14 if draw.once_in(2) => Lever::Advance,
        _ => Lever::Pool,
    }
}

fn value(draw: &mut Draw<'_>, case: &Case, lever: &Lever, how: How) -> Decimal {
    match (how, lever) {
        (How::Percent, _) => decimal(draw.pick(&["8", "-8", "0", "12.5", "-100", "-33.3333", "50"])),
        (How::By, Lever::Percent { .. }) => decimal(draw.pick(&["1", "-1", "0.01", "10"])),
        (How::By, _) => decimal(draw.pick(&["1", "-1", "0.01", "100", "10000"])),
        (How::To, Lever::Percent { .. }) => decimal(&match draw.below(6) {
            0 => "0".to_owned(),
            1 => "100".to_owned(),
            2 => format!("{}.{}", draw.below(100), draw.digits(20)),
            _ => format!("{}.{}", draw.below(100), draw.below(10)),
        }),
        (How::To, Lever::Advance) => decimal(draw.pick(&["50", "70", "33.3", "100", "101"])),
        (How::To, Lever::Pool | Lever::FixedSum { .. } | Lever::Bound { .. }) => {
            let most = u32::try_from(case.pool.clamp(0, 4_000_000_000) + 1).unwrap();
            Decimal::new(draw.below(most).into(), 2)
        }
        (How::To, _) => decimal(draw.pick(&["0", "1", "7", "2.5", "0.001", "100000"])),
    }
}

fn knob(draw: &mut Draw<'_>, case: &Case) -> Knob {
    Knob {
        lever: lever(draw, case),
        how: draw.pick(&[How::To, How::To, How::By, How::Percent]),
    }
}

fn change(draw: &mut Draw<'_>, case: &Case) -> Change {
    match draw.below(10) {
        0 => Change::Rounding {
            unit: draw.once_in(2).then(|| draw.pick(&RoundingUnit::ALL)),
            method: draw.once_in(2).then(|| draw.pick(&Method::ALL)),
        },
        1 if !case.bounds.is_empty() => Change::RemoveBound {
            at: draw.index(case.bounds.len()),
        },
        2 => Change::AddBound(BoundText {
            kind: draw.pick(&["floor", "cap"]).to_owned(),
            basis: "absolute".to_owned(),
            amount: Exact(value(draw, case, &Lever::Pool, How::To).to_string()),
            ..BoundText::default()
        }),
        _ => {
            let knob = knob(draw, case);
            knob.set(value(draw, case, &knob.lever, knob.how))
        }
    }
}

/// The changed scenario as an allocation that knows nothing of scenarios: a document, checked; observations, bound.
fn separately(plan: &Plan<'_>, world: &World, settings: &[Setting]) -> Result<Vec<i64>, Refusal> {
    let changed = plan.changed(settings)?;
    let formula = Formula::check(changed.formula.document.clone(), &world.indicators)?;
    let all = world.observations.iter().chain(&changed.observations).cloned();
    let snapshot = Snapshot::new(all);
    let inputs = Inputs::bind(&formula, &snapshot, &world.indicators, &world.regions, YEAR)?;
    let evaluation = evaluate(&formula, &inputs, changed.pool)?;
    Ok(evaluation.results.iter().map(|amount| amount.fen()).collect())
}

fn add(ways: &Cell<Ways>, more: Ways) {
    let sum = ways.get();
    ways.set(Ways {
        fixed_point: sum.fixed_point + more.fixed_point,
        exact_quotas: sum.exact_quotas + more.exact_quotas,
        engine: sum.engine + more.engine,
        whole: sum.whole + more.whole,
    });
}

#[test]
fn every_scenario_equals_a_separate_computation() {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let (ways, allocated, refused) = (Cell::new(Ways::default()), Cell::new(0), Cell::new(0));
    let result = TestRunner::new(config).run(&numbers(), |numbers| {
        let mut case = drawn(&numbers);
        let backwards: Vec<u32> = numbers.iter().rev().copied().collect();
        let mut draw = Draw {
            numbers: &backwards,
            at: 0,
        };
        // Half of them as fixed point has them, a few with many regions, mostly alike.
        if draw.below(2) > 0 {
            case.method = MethodCase::LargestRemainder;
            case.bounds.truncate(draw.index(2));
        }
        if draw.once_in(12) && case.method == MethodCase::LargestRemainder {
            let regions = 60 + draw.index(100);
            let again = |values: &mut Vec<String>| {
                *values = values.iter().cycle().take(regions).cloned().collect();
            };
            for indicator in &mut case.indicators {
                indicator.values.iter_mut().for_each(again);
            }
            again(&mut case.last);
            case.regions = regions;
        }
        let world = World::new(&case);
        let formula = Formula::check(world.document.clone(), &world.indicators).unwrap();
        let snapshot = Snapshot::new(world.observations.iter().cloned());
        let base = Base {
            formula: &formula,
            snapshot: &snapshot,
            indicators: &world.indicators,
            regions: &world.regions,
            year: YEAR,
            pool: world.pool,
        };
        let knobs: Vec<Knob> = (0..1 + draw.below(3)).map(|_| knob(&mut draw, &case)).collect();
        let mut changes = Vec::new();
        for _ in 0..draw.below(3) {
            changes.push(change(&mut draw, &case));
        }
        let Ok(plan) = Plan::new(base, changes, knobs.clone()) else {
            return Ok(());
        };
        let mut evaluator = plan.evaluator();
        let mut settings = Vec::new();
        for round in 0..6 {
            settings.clear();
            for (at, knob) in knobs.iter().enumerate() {
                if round > 0 && draw.below(4) > 0 {
                    settings.push((at, value(&mut draw, &case, &knob.lever, knob.how)));
                }
            }
            let expected = separately(&plan, &world, &settings);
            let found = evaluator.amounts(&settings).map(<[i64]>::to_vec);
            if expected.is_ok() {
                allocated.set(allocated.get() + 1);
            } else {
                refused.set(refused.get() + 1);
            }
            prop_assert_eq!(found, expected, "{:?} {:?} of {:?}", &knobs, &settings, &plan);
        }
        add(&ways, evaluator.ways());
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, numbers)) => panic!("{reason}\n{:?}", drawn(&numbers)),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    let ways = ways.get();
    println!(
        "{} amounts, {} refusals, {ways:?}",
        allocated.get(),
        refused.get()
    );
    assert!(allocated.get() > CASES, "{} allocations", allocated.get());
    assert!(ways.fixed_point > u64::from(CASES) / 2, "{ways:?}");
    assert!(ways.exact_quotas > 1_000 && ways.engine > 1_000, "{ways:?}");
}

#[test]
fn adjustments_mean_what_they_say() {
    let numbers: Vec<u32> = Vec::new();
    let mut case = drawn(&numbers);
    case.pool = 1_234_567;
    case.unit = 2;
    case.retain = true;
    let world = World::new(&case);
    let formula = Formula::check(world.document.clone(), &world.indicators).unwrap();
    let snapshot = Snapshot::new(world.observations.iter().cloned());
    let base = Base {
        formula: &formula,
        snapshot: &snapshot,
        indicators: &world.indicators,
        regions: &world.regions,
        year: YEAR,
        pool: world.pool,
    };
    let pool = |to: Adjust| {
        base.apply(&[Change::Pool(to)])
            .map(|changed| changed.pool.total.fen())
    };
    // Down to whole yuan, the rounding unit; what is said exactly stays.
    assert_eq!(pool(Adjust::Percent(decimal("-8"))), Ok(1_135_800));
    assert_eq!(pool(Adjust::By(decimal("-0.67"))), Ok(1_234_500));
    assert_eq!(pool(Adjust::To(decimal("5.01"))), Ok(501));
    assert_eq!(
        pool(Adjust::To(decimal("5.001"))).unwrap_err()[0].field,
        "changes[0]"
    );
    let unknown = Change::Parameter {
        name: "none".to_owned(),
        to: Adjust::To(Decimal::ONE),
    };
    assert_eq!(base.apply(&[unknown]).unwrap_err()[0].field, "changes[0].name");
}
