//! How long a whole allocation takes; benches/README.md has the figures.
//!
//! `--export DIRECTORY` writes inputs and results for benches/compare.py instead, with the time each took.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

mod data;

use criterion::{BenchmarkId, Criterion};
use data::{SIX_FACTORS, Shape, World};
use incentive_fund::domain::allocation::Outcome;
use incentive_fund::domain::formula::evaluate;
use incentive_fund::domain::formula::trace::explain;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// Each area's own quotient.
const QUOTIENT: Shape = ("quotient", &[(100, "resident_migrants / population")]);

/// Each area's part of the sum of such quotients, exact: a number of as many digits as there are areas.
const SHARED_QUOTIENT: Shape = (
    "shared-quotient",
    &[(100, "share(resident_migrants / population)")],
);

/// The larger of two sums of shares, scaled to the pool: how the Community Development Block Grant of the
/// United States is divided (42 U.S.C. 5306).
const DUAL: Shape = (
    "dual",
    &[(
        100,
        "max(0.25 * share(population) + 0.5 * share(resident_migrants) + 0.25 * share(pupils), \
         0.2 * share(settled_new) + 0.3 * share(resident_migrants) + 0.5 * share(urban_population))",
    )],
);

const SIZES: [usize; 3] = [3_000, 40_000, 100_000];

fn allocate(criterion: &mut Criterion, name: &str, world: &World) {
    let formula = world.formula().unwrap();
    let inputs = world.bind(&formula).unwrap();
    let evaluation = evaluate(&formula, &inputs, world.pool).unwrap();
    let areas = world.regions.len();
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    group.bench_function(BenchmarkId::new("bind", areas), |b| {
        b.iter(|| world.bind(black_box(&formula)).unwrap());
    });
    group.bench_function(BenchmarkId::new("evaluate", areas), |b| {
        b.iter(|| evaluate(black_box(&formula), black_box(&inputs), world.pool).unwrap());
    });
    group.bench_function(BenchmarkId::new("lines", areas), |b| {
        b.iter(|| Outcome::new(black_box(&evaluation), None));
    });
    group.bench_function(BenchmarkId::new("explain one", areas), |b| {
        b.iter(|| explain(black_box(&evaluation), areas / 2));
    });
    group.finish();
}

fn measure(criterion: &mut Criterion) {
    let shared = World::new(1_000, SHARED_QUOTIENT).unwrap();
    allocate(criterion, SHARED_QUOTIENT.0, &shared);
    for areas in SIZES {
        for shape in [SIX_FACTORS, QUOTIENT, DUAL] {
            allocate(criterion, shape.0, &World::new(areas, shape).unwrap());
        }
        let bounded = World::new(areas, SIX_FACTORS).unwrap().with_bounds();
        allocate(criterion, "six-factors, bounds", &bounded);
        let seats = World::new(areas, SIX_FACTORS)
            .unwrap()
            .with_method("huntington_hill");
        allocate(criterion, "six-factors, Huntington-Hill", &seats);
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// Writes inputs and results as CSV; prints the median times of bind with evaluate and of evaluate, in milliseconds.
fn export(directory: &Path, areas: usize, shape: Shape) {
    const RUNS: usize = 25;
    let world = World::new(areas, shape).unwrap();
    let formula = world.formula().unwrap();
    let (whole, evaluated): (Vec<Duration>, Vec<Duration>) = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            let inputs = world.bind(&formula).unwrap();
            let bound = start.elapsed();
            let evaluation = evaluate(&formula, &inputs, world.pool).unwrap();
            let whole = start.elapsed();
            black_box(evaluation);
            (whole, whole - bound)
        })
        .unzip();
    let inputs = world.bind(&formula).unwrap();
    let evaluation = evaluate(&formula, &inputs, world.pool).unwrap();
    let mut text = String::from("region,amount_fen");
    for column in inputs.columns() {
        write!(text, ",{}_{}", column.indicator.code, column.year).unwrap();
    }
    for (row, region) in inputs.regions.iter().enumerate() {
        write!(text, "\n{},{}", region.code, evaluation.results[row].fen()).unwrap();
        for column in inputs.columns() {
            write!(text, ",{}", column.observations[row].value).unwrap();
        }
    }
    text.push('\n');
    std::fs::write(directory.join(format!("{}-{areas}.csv", shape.0)), text).unwrap();
    println!("{},{areas},{},{}", shape.0, median(whole), median(evaluated));
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--export") {
        let directory = Path::new(&arguments[at + 1]);
        for areas in SIZES {
            for shape in [SIX_FACTORS, QUOTIENT, DUAL] {
                export(directory, areas, shape);
            }
        }
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion);
    criterion.final_summary();
}
