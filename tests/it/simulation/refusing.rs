//! What is wrong is refused before anything starts, and named.

use super::{axis, base, change, example, office, sweep};
use crate::harness::{World, refused, stories};
use incentive_fund::grpc::pb;
use std::time::{Duration, Instant};

stories!(a_billion_points_are_not_started, what_does_not_fit_is_named);

async fn a_billion_points_are_not_started(world: World) {
    let (server, mut client) = office(&world).await;
    let asked = pb::Sweep {
        changes: Vec::new(),
        axes: vec![
            axis("pool", "", "to", "1", "1000", "1"),
            axis("percent", "settled", "to", "0", "99.9", "0.1"),
            axis("indicator", "settled_new", "percent", "-50", "49.9", "0.1"),
        ],
    };
    let begun = Instant::now();
    let refusal = refused(sweep(&mut client, base(), asked).await);
    assert!(begun.elapsed() < Duration::from_secs(1));
    let told = refusal.names("axes");
    assert!(
        told.contains("1000000000 points") && told.contains("10000000"),
        "{told}"
    );
    let monte_carlo = pb::MonteCarlo {
        samples: 1_000_000_000,
        ..example("uncertainty").1.monte_carlo.unwrap().into()
    };
    let request = pb::RunMonteCarloRequest {
        base: Some(base()),
        monte_carlo: Some(monte_carlo),
        send_samples: false,
    };
    let mut stream = client
        .simulations
        .run_monte_carlo(request)
        .await
        .unwrap()
        .into_inner();
    refused(stream.message().await).tells("samples", &["10000000"]);
    server.stop().await;
}

async fn what_does_not_fit_is_named(world: World) {
    let (server, mut client) = office(&world).await;
    for (asked, field) in [
        (
            pb::ScenarioChange {
                to: "1".to_owned(),
                ..change("weight", "settled")
            },
            "scenarios[0].changes[0].what",
        ),
        (change("percent", "settled"), "scenarios[0].changes[0]"),
        (
            pb::ScenarioChange {
                to: "1e3".to_owned(),
                ..change("pool", "")
            },
            "scenarios[0].changes[0].to",
        ),
        (
            pb::ScenarioChange {
                to: "1".to_owned(),
                region: "许昌".to_owned(),
                ..change("indicator", "settled_new")
            },
            "scenarios[0].changes[0].region",
        ),
    ] {
        let request = pb::CompareScenariosRequest {
            base: Some(base()),
            comparison: Some(pb::ScenarioComparison {
                scenarios: vec![pb::Scenario {
                    name: "a".to_owned(),
                    changes: vec![asked],
                }],
                ..Default::default()
            }),
        };
        refused(client.simulations.compare_scenarios(request).await).names(field);
    }
    // A region that is one but takes no part is found out when the scenario is computed.
    let elsewhere = pb::ScenarioChange {
        to: "1".to_owned(),
        region: "110000".to_owned(),
        ..change("indicator", "settled_new")
    };
    let request = pb::CompareScenariosRequest {
        base: Some(base()),
        comparison: Some(pb::ScenarioComparison {
            scenarios: vec![pb::Scenario {
                name: "a".to_owned(),
                changes: vec![elsewhere],
            }],
            ..Default::default()
        }),
    };
    let answer = client
        .simulations
        .compare_scenarios(request)
        .await
        .unwrap()
        .into_inner();
    let why = answer.scenarios[1].refused.clone().unwrap();
    assert!(why.en.contains("region") && why.en.contains("110000"), "{why:?}");

    // Counts that could become negative.
    let given: pb::MonteCarlo = example("uncertainty").1.monte_carlo.unwrap().into();
    for (distribution, truncate, low) in [("normal", false, ""), ("uniform", false, "-150")] {
        let mut asked = given.clone();
        asked.correlations.clear();
        let uncertain = &mut asked.uncertain[0];
        uncertain.distribution = distribution.to_owned();
        uncertain.truncate = truncate;
        if !low.is_empty() {
            uncertain.low = low.to_owned();
            uncertain.high = "150".to_owned();
        }
        let request = pb::RunMonteCarloRequest {
            base: Some(base()),
            monte_carlo: Some(asked),
            send_samples: false,
        };
        let mut stream = client
            .simulations
            .run_monte_carlo(request)
            .await
            .unwrap()
            .into_inner();
        let refusal = refused(stream.message().await);
        assert!(
            refusal
                .fields
                .iter()
                .all(|(field, _)| field.starts_with("uncertain[0]")),
            "{refusal:?}"
        );
    }
    let unknown = pb::SimulationBase {
        data_set: "dataSets/none".to_owned(),
        ..base()
    };
    let asked = pb::Sweep {
        changes: Vec::new(),
        axes: vec![axis("pool", "", "to", "1", "2", "1")],
    };
    let refusal = refused(sweep(&mut client, unknown, asked).await);
    assert_eq!(refusal.reason, "NOT_FOUND");
    server.stop().await;
}
