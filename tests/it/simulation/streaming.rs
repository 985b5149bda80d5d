//! The same bytes from any number of threads, an end at once, and memory that does not grow.

use super::{base, grid, sweep};
use crate::cli::office::{Office, Served};
use crate::harness::{World, import_xuchang, inner, stories};
use incentive_fund::app::simulation::SimulationOptions;
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::run_sweep_response::Content;
use std::time::{Duration, Instant};

stories!(
    one_two_and_eight_threads_give_the_same_bytes,
    a_caller_that_goes_away_frees_the_threads,
);

fn with_threads(threads: usize) -> SimulationOptions {
    SimulationOptions {
        threads,
        ..SimulationOptions::default()
    }
}

async fn one_two_and_eight_threads_give_the_same_bytes(world: World) {
    let mut seen = Vec::new();
    for threads in [1, 2, 8] {
        let server = world.serve_simulating(with_threads(threads)).await;
        let mut client = server.client("测算员").await;
        if seen.is_empty() {
            import_xuchang(&mut client).await;
        }
        let swept = sweep(&mut client, base(), grid("1", "0.25")).await.unwrap();
        assert_eq!(swept.amounts.len(), 41 * 81);
        let monte_carlo = super::example("uncertainty").1.monte_carlo.unwrap();
        let request = pb::RunMonteCarloRequest {
            base: Some(base()),
            monte_carlo: Some(pb::MonteCarlo {
                samples: 2_000,
                driver_samples: 100,
                ..monte_carlo.into()
            }),
            send_samples: true,
        };
        let mut stream = inner(client.simulations.run_monte_carlo(request).await);
        let mut bytes = Vec::new();
        while let Some(message) = stream.message().await.unwrap() {
            bytes.extend(prost::Message::encode_to_vec(&message));
        }
        seen.push((swept, bytes));
        server.stop().await;
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

async fn a_caller_that_goes_away_frees_the_threads(world: World) {
    let server = world.serve_simulating(with_threads(2)).await;
    let mut client = server.client("测算员").await;
    import_xuchang(&mut client).await;
    // Millions of points, of which nobody waits for the last.
    for at_once in [false, true] {
        let request = pb::RunSweepRequest {
            base: Some(base()),
            sweep: Some(grid("0.01", "0.01")),
        };
        let mut stream = inner(client.simulations.run_sweep(request).await);
        if !at_once {
            for _ in 0..20 {
                assert!(stream.message().await.unwrap().is_some());
            }
        }
        let begun = Instant::now();
        while server.app.simulation_threads() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not begin");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(stream);
        let dropped = Instant::now();
        while server.app.simulation_threads() > 0 {
            assert!(dropped.elapsed() < Duration::from_secs(5), "threads go on");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let took = dropped.elapsed();
        println!("threads free {} ms after the caller went away", took.as_millis());
        assert!(took < Duration::from_millis(100), "{took:?}");
    }
    server.stop().await;
}

/// Resident memory of a process in KiB, now and at its highest.
fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// A million points through a server that is a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_points_take_no_memory() {
    let office = Office::xuchang();
    office.ok("formula create config/formulas/xuchang-settled-resident.toml --as 测算员");
    let server = Served::start(&office);
    let address = server.address().parse().unwrap();
    let mut client = crate::harness::connect(address, "测算员").await;
    // One run first, so that what a server needs anyway is not counted.
    sweep(&mut client, base(), grid("1", "1")).await.unwrap();
    let (before, _) = memory(server.pid());
    let request = pb::RunSweepRequest {
        base: Some(base()),
        sweep: Some(pb::Sweep {
            changes: Vec::new(),
            axes: vec![
                super::axis("percent", "settled", "to", "0", "99.9", "0.1"),
                super::axis("pool", "", "to", "60000001", "60001000", "1"),
            ],
        }),
    };
    let begun = Instant::now();
    let mut stream = inner(client.simulations.run_sweep(request).await);
    let (mut points, mut end) = (0, None);
    while let Some(message) = stream.message().await.unwrap() {
        match message.content.unwrap() {
            Content::Points(piece) => points += u64::from(piece.count),
            Content::Summary(summary) => end = Some(summary),
            Content::Header(header) => assert_eq!(header.points, 1_000_000),
        }
    }
    let (after, highest) = memory(server.pid());
    println!(
        "{points} points in {:.1} s; resident {} MiB before, {} MiB after, {} MiB at most",
        begun.elapsed().as_secs_f64(),
        before >> 10,
        after >> 10,
        highest >> 10
    );
    assert_eq!((points, end.unwrap().points), (1_000_000, 1_000_000));
    assert!(highest < before + (64 << 10), "{before} {highest} KiB");
}
