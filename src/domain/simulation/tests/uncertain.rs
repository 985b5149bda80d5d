//! Draws, Monte Carlo and Sobol indices, on functions whose answers are known and on the engine.

use super::*;
use crate::domain::error::Violation;
use crate::domain::exact::{BigInt, Fraction};
use crate::domain::simulation::fixed::{Fixed, ONE, PLACES};
use crate::domain::simulation::model::{Function, Model};
use crate::domain::simulation::monte_carlo::{
    KEPT_AMOUNTS, Question, Step, Study, Summary, run, run_samples,
};
use crate::domain::simulation::sobol::{Drivers, Group, Sensitivity};
use crate::domain::simulation::{Plan, Setting};

/// One region, three numbers of any sign, and a formula that uses them.
fn three(decimals: u32) -> World {
    let toml = r#"
        id = "three"
        title_zh = "三个数"
        legal_basis = { document = "none" }
        [[components]]
        id = "all"
        percent = "100"
        score = "a + b + c"
    "#;
    let indicators = ["a", "b", "c"]
        .map(|code| indicator(code, decimals, None))
        .to_vec();
    World::new(
        toml,
        indicators,
        &[("1", "a", "0"), ("1", "b", "0"), ("1", "c", "0")],
    )
}

fn uniform(low: &str, high: &str) -> Shape {
    Shape::Uniform {
        low: decimal(low),
        high: decimal(high),
    }
}

fn each(codes: &[&str], shape: &Shape) -> Uncertainties {
    Uncertainties {
        items: codes
            .iter()
            .map(|code| uncertain(code, Scale::Absolute, shape.clone()))
            .collect(),
        correlations: Vec::new(),
    }
}

/// The values of many samples, input by input, in units of the last decimal.
fn columns(draws: &Draws, samples: u64) -> Vec<Vec<i128>> {
    let mut sampler = draws.sampler();
    let mut settings = Vec::new();
    let mut columns = vec![Vec::new(); draws.inputs().len()];
    for sample in 0..samples {
        sampler.sample(sample, &mut settings);
        for (input, value) in &settings {
            columns[*input].push(value.mantissa());
        }
    }
    columns
}

fn mean(values: &[i128]) -> i128 {
    values.iter().sum::<i128>() / values.len() as i128
}

/// The covariance, in thousandths of a product of units of 10^3.
fn covariance(a: &[i128], b: &[i128]) -> i128 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - mean_a) * (b - mean_b))
        .sum::<i128>()
        / a.len() as i128
}

#[test]
fn shapes_have_the_moments_they_should() {
    let world = three(3);
    let mut uncertainties = each(&["a", "b", "c"], &uniform("-3", "9"));
    uncertainties.items[1].distribution.shape = Shape::Triangular {
        low: decimal("-6"),
        mode: decimal("0"),
        high: decimal("12"),
    };
    uncertainties.items[2].distribution.shape = Shape::Normal {
        deviation: decimal("2"),
        truncation: Truncation::None,
    };
    let found = columns(&world.draws(&uncertainties, 1), 20_000);
    // Mean and variance: (l + h)/2 = 3 and (h - l)²/12 = 12; (l + m + h)/3 = 2 and
    // (l² + m² + h² - lm - lh - mh)/18 = (36 + 144 + 72)/18 = 14; 0 and 4.
    for (column, (middle, variance)) in
        found
            .iter()
            .zip([(3_000, 12_000_000), (2_000, 14_000_000), (0, 4_000_000)])
    {
        assert!((mean(column) - middle).abs() < 80, "{} {middle}", mean(column));
        let scatter = covariance(column, column);
        assert!((scatter - variance).abs() < variance / 30, "{scatter} {variance}");
    }
    assert!(found[0].iter().all(|value| (-3_000..=9_000).contains(value)));
    assert!(found[1].iter().all(|value| (-6_000..=12_000).contains(value)));
    // The same once more, and with another seed something else.
    assert_eq!(columns(&world.draws(&uncertainties, 1), 50)[0], found[0][..50]);
    assert_ne!(columns(&world.draws(&uncertainties, 2), 50)[0], found[0][..50]);
}

#[test]
fn empirical_errors_come_equally_often() {
    let world = three(1);
    let errors = ["-1.5", "0", "0.5", "4"].map(decimal).to_vec();
    let uncertainties = each(&["a"], &Shape::Empirical { errors });
    let found = columns(&world.draws(&uncertainties, 3), 8_000);
    for error in [-15, 0, 5, 40] {
        let times = found[0].iter().filter(|value| **value == error).count();
        assert!((1_850..2_150).contains(&times), "{error} {times}");
    }
}

#[test]
fn truncated_normals_stay_where_they_are_allowed() {
    let world = World::xuchang();
    let mut uncertainties = Uncertainties::default();
    // Half the value: without the cut about one in forty would be negative.
    uncertainties
        .items
        .push(uncertain("settled_new", Scale::Percent, normal("50")));
    let draws = world.draws(&uncertainties, 5);
    for (column, input) in columns(&draws, 4_000).iter().zip(draws.inputs()) {
        let observed = input.observed.mantissa();
        assert!(column.iter().all(|value| *value >= 0));
        // The mean of a normal cut at -2 deviations: φ(2)/Φ(2) = 0.05525 deviations more.
        let expected = observed + observed * 5_525 / 200_000;
        assert!(
            (mean(column) - expected).abs() < observed / 30,
            "{} {expected}",
            mean(column)
        );
    }
}

#[test]
fn correlations_are_those_given() {
    let world = World::xuchang();
    let mut uncertainties = Uncertainties::default();
    for code in ["settled_new", "residence_permits"] {
        let mut item = uncertain(code, Scale::Percent, normal("10"));
        item.together = decimal("0.3");
        uncertainties.items.push(item);
    }
    uncertainties
        .correlations
        .push(correlated("settled_new", "residence_permits", "-0.6"));
    let draws = world.draws(&uncertainties, 11);
    let found = columns(&draws, 8_000);
    let correlation = |a: usize, b: usize| {
        let (a, b) = (&found[a], &found[b]);
        let scale = (covariance(a, a) * covariance(b, b)).isqrt();
        covariance(a, b) * 1_000 / scale
    };
    let near = |found: i128, expected: i128| assert!((found - expected).abs() < 35, "{found} {expected}");
    // The nine regions of one indicator, then of the other.
    near(correlation(0, 9), -600);
    near(correlation(8, 17), -600);
    near(correlation(0, 1), 300);
    // Different regions and different indicators: both ways at once.
    near(correlation(0, 10), -180);
    uncertainties.correlations.clear();
    for item in &mut uncertainties.items {
        item.together = Decimal::ONE;
    }
    let bound = columns(&world.draws(&uncertainties, 11), 300);
    let half = |column: &[i128]| column.iter().filter(|value| **value > mean(column)).count();
    assert!(half(&bound[0]) > 100 && half(&bound[0]).abs_diff(half(&bound[1])) < 5);
}

fn refused(uncertainties: &Uncertainties) -> Vec<String> {
    let world = World::xuchang();
    let refusal = Draws::prepare(uncertainties, &world.inputs(), 1).unwrap_err();
    refusal.iter().map(Violation::sentence_en).collect()
}

#[test]
fn refuses_what_could_make_counts_negative() {
    let mut one = Uncertainties::default();
    one.items
        .push(uncertain("settled_new", Scale::Absolute, uniform("-1000", "0")));
    let found = refused(&one);
    // 610 and 980 in base year's data and such: only regions that could go below zero are named.
    assert!(!found.is_empty() && found.len() < 9, "{found:?}");
    assert!(
        found[0].starts_with("uncertainties[0].distribution: found -")
            && found[0].ends_with("allowed: errors that keep settled_new within 0 to ∞"),
        "{found:?}"
    );
    one.items[0].distribution.shape = Shape::Normal {
        deviation: decimal("1"),
        truncation: Truncation::None,
    };
    assert_eq!(
        refused(&one)[0],
        "uncertainties[0].distribution.truncation: found none, allowed: a truncated normal distribution: \
         settled_new is from 0 to ∞"
    );
    one.items[0].distribution = Distribution {
        scale: Scale::Percent,
        shape: uniform("-100", "20"),
    };
    assert!(Draws::prepare(&one, &World::xuchang().inputs(), 1).is_ok());
}

#[test]
fn refuses_what_does_not_fit() {
    let item = |code: &str| uncertain(code, Scale::Percent, normal("5"));
    let mut several = Uncertainties {
        items: vec![item("settled_new"), item("residence_permits"), item("unheard_of")],
        correlations: vec![correlated("settled_new", "nobody", "0.5")],
    };
    several.items[1].together = decimal("1.5");
    let found = refused(&several);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("uncertainties[1].together: found 1.5"));
    assert!(found[1].starts_with("uncertainties[2].indicator: found unheard_of"));
    several.items.pop();
    several.items[1].together = decimal("0.5");
    several
        .correlations
        .push(correlated("settled_new", "residence_permits", "0.5"));
    let found = refused(&several);
    assert!(found[0].starts_with("correlations[0].b: found nobody"));
    assert!(found[1].contains("together differs"), "{found:?}");
    let twice = Uncertainties {
        items: vec![
            item("settled_new"),
            Uncertainty {
                name: "again".to_owned(),
                ..item("settled_new")
            },
        ],
        correlations: Vec::new(),
    };
    assert!(refused(&twice)[0].contains("which is in \"settled_new\" too"));
    let none = Uncertainties {
        items: vec![uncertain("settled_new", Scale::Percent, normal("0"))],
        correlations: Vec::new(),
    };
    assert!(refused(&none)[0].starts_with("uncertainties[0].distribution.deviation: found 0"));
}

fn question(base: Vec<i64>, samples: u64, kept: usize) -> Question {
    Question {
        samples,
        quantiles: ["5", "25", "50", "75", "95"].map(decimal).to_vec(),
        last_year: Some(base.iter().map(|amount| amount + 1_000_000).collect()),
        threshold: None,
        base,
        kept,
    }
}

fn xuchang_uncertainties() -> Uncertainties {
    let mut uncertainties = Uncertainties {
        items: vec![
            uncertain("settled_new", Scale::Percent, normal("5")),
            uncertain("residence_permits", Scale::Percent, uniform("-4", "3")),
        ],
        correlations: vec![correlated("settled_new", "residence_permits", "0.4")],
    };
    for item in &mut uncertainties.items {
        item.together = decimal("0.2");
    }
    uncertainties
}

#[test]
fn the_result_does_not_depend_on_threads_nor_on_memory() {
    let world = World::xuchang();
    let draws = world.draws(&xuchang_uncertainties(), 42);
    let plan = Plan::new(world.base(), Vec::new(), draws.knobs()).unwrap();
    let base = plan.evaluator().amounts(&[]).unwrap().to_vec();
    const SAMPLES: u64 = 300;
    let whole = run(
        question(base.clone(), SAMPLES, KEPT_AMOUNTS),
        &draws,
        &mut plan.evaluator(),
    )
    .unwrap();
    assert_eq!(
        (whole.counted, whole.refused, whole.regions.len()),
        (SAMPLES, 0, 9)
    );
    // Real threads, chunks dealt out in turn, folds merged from the last to the first; memory for all amounts, and for
    // so few that quantiles need several passes.
    let threaded = |threads: u64, kept: usize| -> (Summary, u32) {
        let mut study = Study::new(question(base.clone(), SAMPLES, kept)).unwrap();
        loop {
            let (study_now, draws, plan) = (&study, &draws, &plan);
            let folds: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..threads)
                    .map(|thread| {
                        scope.spawn(move || {
                            let (mut fold, mut evaluator) = (study_now.fold(), plan.evaluator());
                            for from in (thread * 7..SAMPLES).step_by(threads as usize * 7) {
                                let to = (from + 7).min(SAMPLES);
                                run_samples(study_now, draws, &mut evaluator, from..to, &mut fold);
                            }
                            fold
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let mut merged = study.fold();
            for fold in folds.into_iter().rev() {
                merged.merge(fold);
            }
            assert_eq!(merged.samples(), SAMPLES);
            if let Step::Done(summary) = study.take(merged) {
                return (*summary, study.passes());
            }
        }
    };
    for threads in [1, 2, 8] {
        assert_eq!(threaded(threads, KEPT_AMOUNTS), (whole.clone(), 1));
    }
    let (summary, passes) = threaded(2, 1_000);
    assert_eq!(summary, whole);
    assert!((3..40).contains(&passes), "{passes}");
}

/// Numbers 1 to `count`, once each, as amounts of one region, without draws.
#[test]
fn counts_means_and_quantiles_worked_by_hand() {
    let mut study = Study::new(Question {
        samples: 11,
        quantiles: ["0", "10", "50", "100"].map(decimal).to_vec(),
        base: vec![4],
        last_year: Some(vec![7]),
        threshold: Some(vec![1]),
        kept: KEPT_AMOUNTS,
    })
    .unwrap();
    let (mut first, mut second) = (study.fold(), study.fold());
    for amount in 1..=10_i64 {
        let fold = if amount % 3 == 0 { &mut second } else { &mut first };
        study.count(fold, 11 - amount as u64, Ok(&[amount]));
    }
    let refusal = vec![Violation::new("pool", "0", "more", "更多")];
    study.count(&mut second, 0, Err(refusal.clone()));
    second.merge(first);
    let Step::Done(summary) = study.take(second) else {
        panic!("one pass is enough");
    };
    assert_eq!((summary.counted, summary.refused), (10, 1));
    assert_eq!(summary.first_refusal, Some((0, refusal)));
    let region = &summary.regions[0];
    assert_eq!(region.mean, Fraction::new(BigInt::from(55), BigInt::from(10)));
    // The variance of 1 to 10 is 8.25.
    assert_eq!((region.deviation, region.least, region.largest), (2, 1, 10));
    assert_eq!(region.quantiles, [1, 1, 5, 10]);
    assert_eq!(
        (region.below_base, region.below_last_year, region.below_threshold),
        (3, Some(6), Some(0))
    );
    assert_eq!(summary.probability(3).to_decimal_text(2), "0.30");
}

#[test]
fn refuses_questions_that_make_no_sense() {
    let refusal = Study::new(Question {
        samples: 0,
        quantiles: vec![decimal("101")],
        base: vec![1],
        last_year: Some(Vec::new()),
        threshold: None,
        kept: 0,
    })
    .unwrap_err();
    let fields: Vec<&str> = refusal.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["samples", "quantiles[0]", "last_year"]);
}

fn sensitivity(
    draws: &Draws,
    groups: &[Group],
    base: Vec<i64>,
    pairs: u64,
    model: &mut impl Model,
) -> Sensitivity {
    let drivers = Drivers::prepare(draws, groups, base).unwrap();
    // Two folds, as two threads would have them.
    let (mut one, mut other) = (drivers.fold(), drivers.fold());
    drivers.run_pairs(draws, model, 0..pairs / 3, &mut one);
    drivers.run_pairs(draws, model, pairs / 3..pairs, &mut other);
    one.merge(other);
    drivers.finish(&one)
}

/// The sine of a fixed-point number from -4 to 4, by its series.
fn sine(x: Fixed) -> Fixed {
    let square = (x * x) >> PLACES;
    let (mut term, mut sum) = (x, x);
    for n in 1..16 {
        term = -((term * square) >> PLACES) / (2 * n * (2 * n + 1));
        sum += term;
    }
    sum
}

#[test]
fn indices_of_the_ishigami_function() {
    // T. Ishigami and T. Homma (1990): sin x + 7 sin² y + 0.1 z⁴ sin x on [-π, π]³. Exact indices: first order
    // 0.3139, 0.4424, 0; total 0.5576, 0.4424, 0.2437 (A. Saltelli et al., Sensitivity Analysis, 2000, section 2.9).
    let world = three(12);
    let draws = world.draws(
        &each(&["a", "b", "c"], &uniform("-3.141592653590", "3.141592653590")),
        2024,
    );
    let mut model = Function::new(|settings: &[Setting], out: &mut Vec<i64>| {
        let fixed = |at: usize| {
            let value = settings[at].1.normalize();
            value.mantissa() * ONE / 10_i128.pow(value.scale())
        };
        let times = |a: Fixed, b: Fixed| (a * b) >> PLACES;
        let (x, y, z) = (sine(fixed(0)), sine(fixed(1)), times(fixed(2), fixed(2)));
        let value = x + 7 * times(y, y) + times(times(z, z) / 10, x);
        // In millionths, as if they were fen.
        out.push(((value * 1_000_000) >> PLACES) as i64);
        Ok(())
    });
    let found = sensitivity(&draws, &[], vec![3_500_000], 6_000, &mut model);
    assert_eq!((found.pairs, found.refused), (6_000, 0));
    let influences = found.regions[0].as_ref().unwrap();
    assert_eq!(found.overall.as_ref(), found.regions[0].as_ref());
    for (influence, (first, total)) in
        influences
            .iter()
            .zip([(313_900, 557_600), (442_400, 442_400), (0, 243_700)])
    {
        for (index, expected) in [(influence.first, first), (influence.total, total)] {
            assert!(
                (index.millionths - expected).abs() < 40_000,
                "{index:?} {expected}"
            );
            assert!(index.error_millionths < 40_000, "{index:?}");
        }
    }
}

#[test]
fn indices_of_a_sum() {
    // 1·a + 2·b + 2·c with equal ranges: variances 1 : 4 : 4; b and c in one group have 8/9 between them.
    let world = three(6);
    let draws = world.draws(&each(&["a", "b", "c"], &uniform("-1", "1")), 9);
    let mut model = Function::new(|settings: &[Setting], out: &mut Vec<i64>| {
        let [a, b, c] = [0, 1, 2].map(|at| {
            (settings[at].1 * Decimal::from(1_000_000))
                .try_into()
                .unwrap_or(0_i64)
        });
        out.extend([a + 2 * b + 2 * c, 5]);
        Ok(())
    });
    let group = |name: &str, members: &[&str]| Group {
        name: name.to_owned(),
        members: members.iter().map(|member| (*member).to_owned()).collect(),
    };
    let groups = [group("small", &["a"]), group("large", &["b", "c"])];
    let found = sensitivity(&draws, &groups, vec![0, 5], 4_000, &mut model);
    let influences = found.regions[0].as_ref().unwrap();
    for (influence, expected) in influences.iter().zip([111_111, 888_889]) {
        assert!(
            (influence.first.millionths - expected).abs() < 30_000,
            "{influence:?}"
        );
        assert!(
            (influence.total.millionths - expected).abs() < 30_000,
            "{influence:?}"
        );
    }
    // An amount that never varies has no drivers.
    assert_eq!(found.regions[1], None);
    let swings = Drivers::prepare(&draws, &groups, vec![0, 5]).unwrap().swings(
        &draws,
        &mut model,
        decimal("10"),
        decimal("90"),
    );
    let near = |found: i64, expected: i64| assert!((found - expected).abs() <= 8, "{found} {expected}");
    near(swings[0].low.as_ref().unwrap()[0], -800_000);
    near(swings[1].high.as_ref().unwrap()[0], 3_200_000);
}

#[test]
fn correlated_inputs_are_one_group() {
    let world = World::xuchang();
    let draws = world.draws(&xuchang_uncertainties(), 1);
    let drivers = Drivers::prepare(&draws, &[], vec![0; 9]).unwrap();
    assert_eq!(drivers.groups()[0].name, "settled_new + residence_permits");
    assert_eq!((drivers.groups().len(), drivers.evaluations(100)), (1, 300));
    let apart = Group {
        name: "settled".to_owned(),
        members: vec!["settled_new".to_owned()],
    };
    let refusal = Drivers::prepare(&draws, &[apart], vec![0; 9]).unwrap_err();
    assert!(
        refusal[0]
            .sentence_en()
            .contains("settled_new without residence_permits")
    );
}
