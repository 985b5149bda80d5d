//! How many scenarios a second; benches/README.md has the figures.
//!
//! `--export DIRECTORY` writes inputs, weights and results for benches/simulation.py as well.
//! Times are of the processor (from the kernel's account of the thread) and of the clock: on a machine that others
//! use, only the first says what the program needs.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

mod data;

use data::{SIX_FACTORS, World};
use incentive_fund::domain::simulation::{Base, How, Knob, Lever, Others, Plan, Setting, Ways};
use incentive_fund::domain::statistics::IndicatorCode;
use rust_decimal::Decimal;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

const YEAR: i32 = 2024;
const RUNS: usize = 9;

/// Numbers that look random: the generator MMIX of D. E. Knuth.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Percentages of six components with two decimals that sum to 100.
fn weights(scenarios: usize) -> Vec<[u64; 6]> {
    let mut random = Random(20_240_601);
    (0..scenarios)
        .map(|_| {
            let mut cuts = [0; 5].map(|_| random.below(10_001));
            cuts.sort_unstable();
            let [a, b, c, d, e] = cuts;
            [a, b - a, c - b, d - c, e - d, 10_000 - e]
        })
        .collect()
}

fn settings(weights: &[[u64; 6]]) -> Vec<Vec<Setting>> {
    let set = |(at, hundredths): (usize, &u64)| (at, Decimal::new(*hundredths as i64, 2));
    weights
        .iter()
        .map(|weights| weights.iter().enumerate().map(set).collect())
        .collect()
}

fn percent(at: usize, others: Others) -> Knob {
    let component = format!("c{at}");
    Knob {
        lever: Lever::Percent { component, others },
        how: How::To,
    }
}

/// Seconds that this thread has had a processor.
fn processor() -> f64 {
    let account = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    account.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Seconds of the processor and of the clock.
fn timed(work: impl FnOnce()) -> (f64, f64) {
    let (clock, used) = (Instant::now(), processor());
    work();
    (processor() - used, clock.elapsed().as_secs_f64())
}

/// The mean of the processor, which is counted in steps, and the median of the clock.
fn summary(mut times: Vec<(f64, f64)>) -> (f64, f64) {
    let at = times.len() / 2;
    let used = times.iter().map(|time| time.0).sum::<f64>() / times.len() as f64;
    times.sort_by(|a, b| a.1.total_cmp(&b.1));
    (used, times[at].1)
}

struct Bench {
    world: World,
    areas: usize,
}

impl Bench {
    fn new(areas: usize, bounds: bool, method: &str) -> Self {
        let world = World::new(areas, SIX_FACTORS).unwrap().with_method(method);
        let world = if bounds { world.with_bounds() } else { world };
        Self { world, areas }
    }

    /// Runs every setting on one thread, then on two, and prints a line for each.
    fn run(&self, name: &str, knobs: &[Knob], settings: &[Vec<Setting>]) -> (f64, f64) {
        let formula = self.world.formula().unwrap();
        let base = Base {
            formula: &formula,
            snapshot: &self.world.snapshot,
            indicators: &self.world.indicators,
            regions: &self.world.regions,
            year: YEAR,
            pool: self.world.pool,
        };
        let prepared = timed(|| {
            let plan = Plan::new(base, Vec::new(), knobs.to_vec()).unwrap();
            black_box(plan.evaluator());
        });
        let plan = Plan::new(base, Vec::new(), knobs.to_vec()).unwrap();
        let mut evaluator = plan.evaluator();
        let times = (0..RUNS).map(|_| {
            timed(|| {
                for settings in settings {
                    black_box(evaluator.amounts(settings).unwrap());
                }
            })
        });
        let (used, clock) = summary(times.collect());
        let Ways {
            fixed_point,
            exact_quotas,
            engine,
            whole,
        } = evaluator.ways();
        let runs = RUNS as u64;
        let each = 1e6 / settings.len() as f64;
        println!(
            "{name}: {} areas, {} scenarios; processor {:.2} ms ({:.3} µs each, {:.0} a second), clock {:.2} ms; \
             prepared in {:.2} ms; ways: fixed point {} (exact quotas {}), engine {}, whole {}",
            self.areas,
            settings.len(),
            used * 1e3,
            used * each,
            settings.len() as f64 / used,
            clock * 1e3,
            prepared.0 * 1e3,
            fixed_point / runs,
            exact_quotas / runs,
            engine / runs,
            whole / runs,
        );
        let halves: Vec<&[Vec<Setting>]> = settings.chunks(settings.len().div_ceil(2)).collect();
        let times = (0..RUNS).map(|_| {
            let mut evaluators: Vec<_> = halves.iter().map(|_| plan.evaluator()).collect();
            let mut most = 0.0_f64;
            let (_, clock) = timed(|| {
                std::thread::scope(|scope| {
                    let threads: Vec<_> = (halves.iter().zip(&mut evaluators))
                        .map(|(half, evaluator)| {
                            scope.spawn(move || {
                                timed(|| {
                                    for settings in *half {
                                        black_box(evaluator.amounts(settings).unwrap());
                                    }
                                })
                                .0
                            })
                        })
                        .collect();
                    for thread in threads {
                        most = most.max(thread.join().unwrap());
                    }
                });
            });
            (most, clock)
        });
        let (most, both) = summary(times.collect());
        println!(
            "    two threads: the longer one's processor {:.2} ms ({:.2} times as fast), clock {:.2} ms",
            most * 1e3,
            used / most,
            both * 1e3
        );
        (used, clock)
    }

    fn export(&self, directory: &Path, weights: &[[u64; 6]], knobs: &[Knob], settings: &[Vec<Setting>]) {
        let formula = self.world.formula().unwrap();
        let base = Base {
            formula: &formula,
            snapshot: &self.world.snapshot,
            indicators: &self.world.indicators,
            regions: &self.world.regions,
            year: YEAR,
            pool: self.world.pool,
        };
        let inputs = self.world.bind(&formula).unwrap();
        let mut text = String::from("region");
        for column in inputs.columns() {
            write!(text, ",{}_{}", column.indicator.code, column.year).unwrap();
        }
        for (row, region) in inputs.regions.iter().enumerate() {
            write!(text, "\n{}", region.code).unwrap();
            for column in inputs.columns() {
                write!(text, ",{}", column.observations[row].value).unwrap();
            }
        }
        text.push('\n');
        std::fs::write(directory.join(format!("inputs-{}.csv", self.areas)), text).unwrap();
        let mut text = String::new();
        for weights in weights {
            let row: Vec<String> = weights.iter().map(u64::to_string).collect();
            text.push_str(&row.join(","));
            text.push('\n');
        }
        std::fs::write(directory.join(format!("weights-{}.csv", self.areas)), text).unwrap();
        let plan = Plan::new(base, Vec::new(), knobs.to_vec()).unwrap();
        let mut evaluator = plan.evaluator();
        let mut bytes = Vec::new();
        for settings in settings {
            let amounts = evaluator.amounts(settings).unwrap();
            bytes.extend(amounts.iter().flat_map(|amount| amount.to_le_bytes()));
        }
        std::fs::write(directory.join(format!("amounts-{}.bin", self.areas)), bytes).unwrap();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let directory = arguments
        .iter()
        .position(|argument| argument == "--export")
        .map(|at| Path::new(&arguments[at + 1]));
    let given: Vec<Knob> = (0..6).map(|at| percent(at, Others::Given)).collect();
    let mut times = String::new();
    for (areas, scenarios) in [(3_000, 1_000), (9, 100_000)] {
        let bench = Bench::new(areas, false, "largest_remainder");
        let weights = weights(scenarios);
        let settings = settings(&weights);
        let (used, clock) = bench.run("weights", &given, &settings);
        if let Some(directory) = directory {
            bench.export(directory, &weights, &given, &settings);
        }
        writeln!(times, "{areas},{scenarios},{used},{clock}").unwrap();
    }
    if let Some(directory) = directory {
        std::fs::write(directory.join("times.csv"), times).unwrap();
    }
    for (areas, scenarios) in [(3_000, 200), (9, 10_000)] {
        let bench = Bench::new(areas, false, "largest_remainder");
        let one_weight: Vec<Vec<Setting>> = (0..scenarios)
            .map(|at| vec![(0, Decimal::new(100 + at as i64 * 9_000 / scenarios as i64, 2))])
            .collect();
        bench.run(
            "one weight, others in proportion",
            &[percent(0, Others::ProRata)],
            &one_weight,
        );
        let pool = Knob {
            lever: Lever::Pool,
            how: How::Percent,
        };
        let pools: Vec<Vec<Setting>> = (0..scenarios)
            .map(|at| vec![(0, Decimal::new(at as i64 - scenarios as i64 / 2, 2))])
            .collect();
        bench.run("pool", &[pool], &pools);
        let mut random = Random(7);
        let count = |code: &str| Knob {
            lever: Lever::Indicator {
                code: IndicatorCode::parse("code", code).unwrap(),
                year: Some(YEAR),
                region: None,
            },
            how: How::Percent,
        };
        let statistics: Vec<Vec<Setting>> = (0..scenarios)
            .map(|_| {
                (0..2)
                    .map(|at| (at, Decimal::new(random.below(1_000) as i64 - 500, 2)))
                    .collect()
            })
            .collect();
        let counts = ["pupils", "resident_migrants"].map(count);
        bench.run("two indicators", &counts, &statistics);
        let weights = weights(scenarios / 4);
        let settings = settings(&weights);
        Bench::new(areas, true, "largest_remainder").run("weights, bounds that bind", &given, &settings);
        Bench::new(areas, false, "huntington_hill").run("weights, Huntington-Hill", &given, &settings);
    }
}
