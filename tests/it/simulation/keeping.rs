//! Simulations that are kept, fetched again, and made a draft.

use super::{base, change, example, fen, grid, office, sweep};
use crate::harness::{Client, World, id, inner, refused, row, stories};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::simulation_request::Analysis;

stories!(
    kept_and_computed_again_whatever_came_since,
    a_draft_has_the_amounts_of_its_scenario_and_leaves_what_is_in_force,
);

async fn keep(client: &mut Client, base: pb::SimulationBase, analysis: Analysis) -> pb::Simulation {
    let request = pb::CreateSimulationRequest {
        title: "二〇二五年测算".to_owned(),
        request: Some(pb::SimulationRequest {
            base: Some(base),
            analysis: Some(analysis),
        }),
        request_id: id(),
        validate_only: false,
    };
    let first = inner(client.simulations.create_simulation(request.clone()).await);
    let again = inner(client.simulations.create_simulation(request).await);
    assert_eq!(first, again, "a repeated request has its first answer");
    first.simulation.unwrap()
}

async fn kept_and_computed_again_whatever_came_since(world: World) {
    let (server, mut client) = office(&world).await;
    let (_, file) = example("decisions");
    let monte_carlo = pb::MonteCarlo {
        samples: 200,
        driver_samples: 0,
        ..example("uncertainty").1.monte_carlo.unwrap().into()
    };
    let asked = [
        Analysis::Comparison(example("weights").1.comparison.unwrap().into()),
        Analysis::Sweep(grid("10", "10")),
        Analysis::MonteCarlo(monte_carlo),
        Analysis::Goal(file.goal.unwrap().into()),
        Analysis::Stability(file.stability.unwrap().into()),
        Analysis::Fairness(file.fairness.unwrap().into()),
    ];
    let mut kept = Vec::new();
    for analysis in asked {
        kept.push(keep(&mut client, base(), analysis).await);
    }
    // A correction, a new revision of the formula, a further region: none of them concerns what was kept.
    let changed = row(2, "411081", "settled_new", "1");
    client.import("xuchang", vec![changed]).await.unwrap();
    let mut formula = crate::harness::shipped_formula("xuchang-settled-resident");
    formula.components[0].percent = "10".to_owned();
    formula.components[1].percent = "90".to_owned();
    client.create_formula(formula).await.unwrap();
    let further = crate::harness::part_of("411000", "4110-XX");
    client.import_regions(vec![further]).await.unwrap();
    let rows = vec![
        row(2, "4110-XX", "settled_new", "7"),
        row(3, "4110-XX", "residence_permits", "7"),
    ];
    client.import("xuchang", rows).await.unwrap();
    for simulation in &kept {
        let request = pb::GetSimulationRequest {
            name: simulation.name.clone(),
        };
        let found = inner(client.simulations.get_simulation(request).await);
        assert_eq!(found.simulation.as_ref(), Some(simulation));
        let request = pb::StreamSimulationResultsRequest {
            name: simulation.name.clone(),
            send_samples: false,
        };
        // The digest is checked by the server: the stream ends well only where it is the same.
        let mut stream = inner(client.simulations.stream_simulation_results(request).await);
        let mut messages = 0;
        while let Some(message) = stream.message().await.unwrap() {
            assert!(message.content.is_some());
            messages += 1;
        }
        assert!(messages > 0, "{}", simulation.kind);
    }
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListSimulationsRequest {
            kind: String::new(),
            page_size: 4,
            page_token,
        };
        let page = inner(client.simulations.list_simulations(request).await);
        names.extend(page.simulations.into_iter().map(|kept| kept.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let newest_first: Vec<String> = kept.iter().rev().map(|kept| kept.name.clone()).collect();
    assert_eq!(names, newest_first);
    let request = pb::ListSimulationsRequest {
        kind: "goal".to_owned(),
        ..Default::default()
    };
    let page = inner(client.simulations.list_simulations(request).await);
    assert_eq!(page.simulations.len(), 1);
    server.stop().await;
}

async fn a_draft_has_the_amounts_of_its_scenario_and_leaves_what_is_in_force(world: World) {
    let (server, mut client) = office(&world).await;
    let scenario = |name: &str, changes: Vec<pb::ScenarioChange>| pb::Scenario {
        name: name.to_owned(),
        changes,
    };
    let weight = pb::ScenarioChange {
        to: "55".to_owned(),
        ..change("percent", "settled")
    };
    let count = pb::ScenarioChange {
        percent: "-5".to_owned(),
        region: "411081".to_owned(),
        ..change("indicator", "settled_new")
    };
    let pool = pb::ScenarioChange {
        to: "70000000".to_owned(),
        ..change("pool", "")
    };
    let comparison = pb::ScenarioComparison {
        scenarios: vec![
            scenario("全部", vec![weight, count, pool.clone()]),
            scenario("盘子", vec![pool]),
        ],
        ..Default::default()
    };
    let kept = keep(&mut client, base(), Analysis::Comparison(comparison.clone())).await;
    let request = pb::CompareScenariosRequest {
        base: Some(base()),
        comparison: Some(comparison),
    };
    let answer = inner(client.simulations.compare_scenarios(request).await);
    let draft = |scenario: &str, point: u64, simulation: &str| pb::DraftAllocationRequest {
        simulation: simulation.to_owned(),
        scenario: scenario.to_owned(),
        point,
        fund: "funds/f".to_owned(),
        title: "据测算编制".to_owned(),
        request_id: id(),
        validate_only: false,
    };
    let amounts = |allocation: &pb::Allocation| -> Vec<i64> {
        allocation.lines.iter().map(|line| fen(&line.amount)).collect()
    };
    for (at, name) in [(1, "全部"), (2, "盘子")] {
        let request = draft(name, 0, &kept.name);
        let drafted = inner(client.simulations.draft_allocation(request).await);
        let drafted = drafted.allocation.unwrap();
        let expected: Vec<i64> = answer.scenarios[at]
            .lines
            .iter()
            .map(|line| fen(&line.amount))
            .collect();
        assert_eq!(amounts(&drafted), expected, "{name}");
        assert_eq!(drafted.pool, "70000000.00");
        assert_eq!(drafted.state, i32::from(pb::AllocationState::Draft));
        // A draft like any other: explained from what was stored, approved by a second person.
        assert_eq!(client.explain(&drafted.name).await.len(), 9);
        assert!(client.named("审批人").approve(&drafted.name).await.is_ok());
        let own = name == "全部";
        assert_eq!(drafted.formula.contains("-sim-"), own, "{}", drafted.formula);
        assert_eq!(drafted.data_set.contains("-sim-"), own, "{}", drafted.data_set);
    }
    // The same again finds the formula and data that are there.
    inner(
        client
            .simulations
            .draft_allocation(draft("全部", 0, &kept.name))
            .await,
    );
    assert_eq!(client.data_set("xuchang").await.revision, 1);

    let swept = sweep(&mut client, base(), grid("10", "10")).await.unwrap();
    let kept_sweep = keep(&mut client, base(), Analysis::Sweep(grid("10", "10"))).await;
    let drafted = inner(
        client
            .simulations
            .draft_allocation(draft("", 4, &kept_sweep.name))
            .await,
    );
    assert_eq!(amounts(&drafted.allocation.unwrap()), swept.amounts[4]);

    let goal = example("decisions").1.goal.unwrap();
    let kept_goal = keep(&mut client, base(), Analysis::Goal(goal.into())).await;
    let drafted = inner(
        client
            .simulations
            .draft_allocation(draft("", 0, &kept_goal.name))
            .await,
    );
    assert!(amounts(&drafted.allocation.unwrap())[4] >= 650_000_000);

    refused(
        client
            .simulations
            .draft_allocation(draft("没有", 0, &kept.name))
            .await,
    )
    .names("scenario");
    refused(
        client
            .simulations
            .draft_allocation(draft("", 99, &kept_sweep.name))
            .await,
    )
    .names("point");
    server.stop().await;
}
