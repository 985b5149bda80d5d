//! Scenarios and points equal a separate computation, and what is said of them is right.

use super::{base, bounded, change, computed, example, fen, grid, office, sweep};
use crate::harness::{World, id, inner, rows_of, shipped_formula, stories};
use incentive_fund::grpc::pb;

stories!(
    every_scenario_is_a_separate_computation,
    every_point_is_a_separate_computation,
    goals_stability_and_fairness_answer,
    samples_answer_and_the_seed_decides,
);

async fn every_scenario_is_a_separate_computation(world: World) {
    let (server, mut client) = office(&world).await;
    let floor = pb::Bound {
        kind: "floor".to_owned(),
        basis: "absolute".to_owned(),
        amount: "5000000".to_owned(),
        ..Default::default()
    };
    let scenario = |name: &str, changes: Vec<pb::ScenarioChange>| pb::Scenario {
        name: name.to_owned(),
        changes,
    };
    let weight = pb::ScenarioChange {
        to: "50".to_owned(),
        ..change("percent", "settled")
    };
    let pool = pb::ScenarioChange {
        percent: "-8".to_owned(),
        ..change("pool", "")
    };
    let count = pb::ScenarioChange {
        by: "-120".to_owned(),
        region: "411081".to_owned(),
        ..change("indicator", "settled_new")
    };
    let bound = pb::ScenarioChange {
        bound: Some(floor.clone()),
        ..change("add_bound", "")
    };
    let impossible = pb::ScenarioChange {
        bound: Some(pb::Bound {
            amount: "50000000".to_owned(),
            ..floor.clone()
        }),
        ..change("add_bound", "")
    };
    let request = pb::CompareScenariosRequest {
        base: Some(base()),
        comparison: Some(pb::ScenarioComparison {
            scenarios: vec![
                scenario("权重", vec![weight]),
                scenario("盘子", vec![pool]),
                scenario("核减", vec![count]),
                scenario("保底", vec![bound]),
                scenario("不可行", vec![impossible]),
            ],
            heads: "settled_new".to_owned(),
            against: String::new(),
        }),
    };
    let answer = inner(client.simulations.compare_scenarios(request).await);
    let formula = shipped_formula("xuchang-settled-resident");
    let mut expected = Vec::new();
    let data = "dataSets/xuchang";
    expected.push(computed(&mut client, formula.clone(), data, "86000000").await);
    let mut weighted = formula.clone();
    weighted.components[0].percent = "50".to_owned();
    weighted.components[1].percent = "50".to_owned();
    expected.push(computed(&mut client, weighted, data, "86000000").await);
    expected.push(computed(&mut client, formula.clone(), data, "79120000").await);
    let mut rows = rows_of("examples/xuchang/observations.csv");
    for row in &mut rows {
        if row.region == "411081" && row.indicator == "settled_new" && row.year == "2024" {
            row.value = "6000".to_owned();
        }
    }
    client.create_data_set("revised").await.unwrap();
    client.import("revised", rows).await.unwrap();
    expected.push(computed(&mut client, formula.clone(), "dataSets/revised", "86000000").await);
    let mut bounded = formula.clone();
    bounded.bounds.push(floor);
    expected.push(computed(&mut client, bounded, data, "86000000").await);

    assert_eq!(answer.scenarios.len(), 6);
    for (scenario, expected) in answer.scenarios.iter().zip(&expected) {
        let amounts: Vec<i64> = scenario.lines.iter().map(|line| fen(&line.amount)).collect();
        assert_eq!(&amounts, expected, "{}", scenario.name);
        for ((line, amount), before) in scenario.lines.iter().zip(&amounts).zip(&expected_of(&answer)) {
            assert_eq!(fen(&line.change), amount - before);
        }
        assert_eq!(
            scenario.losers + scenario.winners,
            u32::try_from(scenario.lines.iter().filter(|line| line.change != "0.00").count()).unwrap()
        );
    }
    let refused = answer.scenarios[5].refused.clone().unwrap();
    assert!(
        refused.zh.contains("下限") || refused.en.contains("floor"),
        "{refused:?}"
    );
    assert_eq!(answer.scenarios[2].losers, 9);
    assert_eq!(answer.scenarios[2].total_change, "-6880000.00");
    server.stop().await;
}

fn expected_of(answer: &pb::CompareScenariosResponse) -> Vec<i64> {
    answer
        .regions
        .iter()
        .map(|region| fen(&region.base_amount))
        .collect()
}

async fn every_point_is_a_separate_computation(world: World) {
    let (server, mut client) = office(&world).await;
    let swept = sweep(&mut client, base(), grid("2.5", "4")).await.unwrap();
    assert_eq!(swept.amounts.len(), 17 * 6);
    for (coordinates, amounts) in swept.coordinates.iter().zip(&swept.amounts).step_by(7) {
        let mut formula = shipped_formula("xuchang-settled-resident");
        let weight: i64 = (coordinates[0].parse::<f64>().unwrap() * 10.0) as i64;
        let text = |tenths: i64| format!("{}.{}", tenths / 10, tenths % 10);
        formula.components[0].percent = text(weight);
        formula.components[1].percent = text(1_000 - weight);
        let percent: i64 = coordinates[1].parse().unwrap();
        let pool = (860_000 * (100 + percent)).to_string();
        let expected = computed(&mut client, formula, "dataSets/xuchang", &pool).await;
        assert_eq!(amounts, &expected, "{coordinates:?}");
    }
    // With bounds, coefficients and a set-aside, and points that the bounds refuse.
    let axis = super::axis("pool", "", "to", "40000000", "90000000", "2500000");
    let asked = pb::Sweep {
        changes: Vec::new(),
        axes: vec![axis],
    };
    let base = pb::SimulationBase {
        pool: "80000000".to_owned(),
        ..bounded()
    };
    let swept = sweep(&mut client, base, asked).await.unwrap();
    assert!(!swept.refused.is_empty() && swept.refused.len() < swept.amounts.len());
    assert_eq!(swept.refused.len() as u64, swept.summary.refused);
    for (at, (coordinates, amounts)) in swept.coordinates.iter().zip(&swept.amounts).enumerate() {
        let refused = swept.refused.iter().any(|refused| refused.point == at as u64);
        assert_eq!(refused, amounts.iter().all(|amount| *amount == -1));
        if !refused {
            let formula = shipped_formula("settled-taper-bounds");
            let expected = computed(&mut client, formula, "dataSets/xuchang", &coordinates[0]).await;
            assert_eq!(amounts, &expected, "{coordinates:?}");
        }
    }
    server.stop().await;
}

async fn goals_stability_and_fairness_answer(world: World) {
    let (server, mut client) = office(&world).await;
    let (base, file) = example("decisions");
    let request = pb::SeekGoalRequest {
        base: Some(base.clone()),
        goal: Some(file.goal.clone().unwrap().into()),
    };
    let found = inner(client.simulations.seek_goal(request).await);
    assert!(found.reached);
    let at = |region: &str| {
        found
            .regions
            .iter()
            .position(|head| head.region == format!("regions/{region}"))
            .unwrap()
    };
    let row = at("411024");
    assert!(fen(&found.amounts[row]) >= 650_000_000, "{found:?}");
    assert_eq!(found.measured, found.amounts[row]);
    // One step less does not meet it, and what was found is what a computation says.
    let amount = |value: String| {
        let base = base.clone();
        let mut client = client.clone();
        async move {
            let weight = pb::ScenarioChange {
                to: value,
                ..change("percent", "settled")
            };
            let asked = pb::Sweep {
                changes: vec![weight],
                axes: vec![super::axis("pool", "", "percent", "0", "0", "1")],
            };
            sweep(&mut client, base, asked).await.unwrap().amounts[0][row]
        }
    };
    assert_eq!(amount(found.value.clone()).await, fen(&found.amounts[row]));
    let hundredths = found.value.parse::<f64>().unwrap() * 100.0;
    let less = format!("{:.2}", (hundredths.round() - 1.0) / 100.0);
    assert!(amount(less).await < 650_000_000);

    // What no value meets is said to be so, with the best there is.
    let mut goal: pb::Goal = file.goal.unwrap().into();
    goal.target.as_mut().unwrap().at_least = "60000000.00".to_owned();
    let request = pb::SeekGoalRequest {
        base: Some(base.clone()),
        goal: Some(goal),
    };
    let unreachable = inner(client.simulations.seek_goal(request).await);
    assert!(!unreachable.reached);
    assert_eq!(unreachable.value, "100");

    let request = pb::MeasureStabilityRequest {
        base: Some(base.clone()),
        stability: Some(file.stability.unwrap().into()),
    };
    let stable = inner(client.simulations.measure_stability(request).await);
    assert_eq!(stable.base_value, "60");
    let down = stable.down.unwrap();
    assert!(down.changes && !down.overtaken.is_empty(), "{down:?}");

    let request = pb::MeasureFairnessRequest {
        base: Some(base),
        fairness: Some(file.fairness.unwrap().into()),
    };
    let fair = inner(client.simulations.measure_fairness(request).await);
    assert_eq!(fair.results.len(), 3);
    let codes: Vec<&str> = fair.results[0]
        .metrics
        .iter()
        .map(|metric| metric.code.as_str())
        .collect();
    assert_eq!(
        codes,
        ["gini", "theil", "variation", "range", "spearman", "kendall"]
    );
    assert_eq!(fair.results[0].lorenz.len(), 10);
    server.stop().await;
}

async fn samples_answer_and_the_seed_decides(world: World) {
    use pb::run_monte_carlo_response::Content;
    let (server, client) = office(&world).await;
    let (base, file) = example("uncertainty");
    let asked = pb::MonteCarlo {
        samples: 600,
        driver_samples: 64,
        ..file.monte_carlo.unwrap().into()
    };
    let run = |seed: u64| {
        let mut client = client.clone();
        let request = pb::RunMonteCarloRequest {
            base: Some(base.clone()),
            monte_carlo: Some(pb::MonteCarlo {
                seed,
                ..asked.clone()
            }),
            send_samples: true,
        };
        async move {
            let mut stream = inner(client.simulations.run_monte_carlo(request).await);
            let (mut samples, mut summary, mut done) = (Vec::new(), None, 0);
            while let Some(message) = stream.message().await.unwrap() {
                match message.content.unwrap() {
                    Content::Samples(piece) => samples.extend(piece.amounts_fen),
                    Content::Progress(progress) => done = progress.done,
                    Content::Summary(found) => summary = Some(found),
                    Content::Header(header) => assert_eq!(header.inputs.len(), 2),
                }
            }
            (samples, summary.unwrap(), done)
        }
    };
    let (samples, summary, done) = run(7).await;
    assert_eq!(samples.len(), 600 * 9);
    assert!(done > 600, "drivers are progress, too");
    let median = |row: usize| {
        let mut column: Vec<i64> = samples.iter().skip(row).step_by(9).copied().collect();
        column.sort_unstable();
        column[299]
    };
    for (row, region) in summary.regions.iter().enumerate() {
        assert_eq!(region.quantiles[2].percent, "50");
        assert_eq!(fen(&region.quantiles[2].amount), median(row));
    }
    assert!(!summary.drivers.is_empty());
    assert_eq!(run(7).await, (samples.clone(), summary.clone(), done));
    assert_ne!(run(8).await.0, samples);
    let _ = id();
    server.stop().await;
}
