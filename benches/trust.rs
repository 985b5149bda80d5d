//! What it costs to know who calls and whether they may, and to keep the audit log; and what becomes of the service
//! under twice the calls that it can answer. The program on a socket, in a process of its own; what is compared is
//! measured in turns, in the same run. The audit log cannot be turned off in the built program: without it, this
//! benchmark runs as the program (`program ARGUMENTS...`).
//!
//! `cost DATABASE` or `overload DATABASE` select a part, such as `cost sqlite:///tmp/x.db?mode=rwc`; without one
//! both run on SQLite. `--quick` makes it short.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    dead_code
)]

#[path = "disbursement/cpu.rs"]
mod cpu;
#[allow(dead_code, reason = "shared with another benchmark")]
#[path = "disbursement/office.rs"]
mod office;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::subsidy_service_client::SubsidyServiceClient;
use office::{FUND, Identified, Identify, Office, REGION, claim};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tonic::Code;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// The same as that of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CALLERS: usize = 64;
const CONNECTIONS: usize = 4;

type Client = SubsidyServiceClient<Identified>;

async fn clients(url: &str, identify: &Identify) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let channel = Endpoint::from_shared(url.to_owned())
            .unwrap()
            .connect()
            .await
            .unwrap();
        clients.push(SubsidyServiceClient::new(InterceptedService::new(
            channel,
            identify.clone(),
        )));
    }
    clients
}

fn submit(person: u64) -> pb::SubmitClaimRequest {
    pb::SubmitClaimRequest {
        claim: Some(claim(person)),
        request_id: office::id(),
        validate_only: false,
    }
}

/// Claims handed in, or looked at, in a second by 64 callers.
async fn rate(clients: &[Client], persons: &Arc<AtomicU64>, reads: bool, time: Duration) -> f64 {
    let begun = Instant::now();
    let until = begun + time;
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let mut client = clients[caller % CONNECTIONS].clone();
        let persons = Arc::clone(persons);
        callers.spawn(async move {
            let mut calls = 0_u64;
            while Instant::now() < until {
                if reads {
                    let number = 1 + calls % 500;
                    let name = format!("funds/{FUND}/claims/{number}");
                    client.get_claim(pb::GetClaimRequest { name }).await.unwrap();
                } else {
                    let person = persons.fetch_add(1, Ordering::Relaxed);
                    client.submit_claim(submit(person)).await.unwrap();
                }
                calls += 1;
            }
            calls
        });
    }
    let calls: u64 = callers.join_all().await.into_iter().sum();
    calls as f64 / begun.elapsed().as_secs_f64()
}

/// A key set with one key, written to a file, and a token of it.
fn provider(directory: &std::path::Path) -> String {
    let key = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    let key = Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap();
    let keys = serde_json::json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": BASE64.encode(key.public_key())}
    ]});
    std::fs::write(directory.join("jwks.json"), keys.to_string()).unwrap();
    // The file that the program reads where none is named.
    let settings = "[access.jwt]\nissuer = \"bench\"\naudience = [\"bench\"]\nkeys = \"jwks.json\"\n";
    std::fs::write(directory.join("incentive-fund.toml"), settings).unwrap();
    let expires = incentive_fund::app::clock::now() / 1_000_000 + 86_400;
    let claims = serde_json::json!({
        "iss": "bench", "aud": "bench", "sub": "clerk", "exp": expires,
        "roles": ["county_clerk"], "regions": [REGION],
    });
    let header = BASE64.encode(r#"{"alg":"EdDSA","kid":"k"}"#);
    let message = format!("{header}.{}", BASE64.encode(claims.to_string()));
    let signature = BASE64.encode(key.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

async fn cost(database: &str, time: Duration, rounds: usize) {
    let office = Office::open(database).await;
    let web = provider(office.directory());
    let token = office.token("clerk", "county_clerk");
    let settings = ["server.caller_calls_per_second=0"];
    let mut unaudited = std::process::Command::new(std::env::current_exe().unwrap());
    unaudited.arg("program");
    let bare = office.another_by(unaudited, &settings, &["--insecure"]);
    let open = office.another(&settings, &["--insecure"]);
    let guarded = office.another(&settings, &[]);
    let ways = [
        (
            "nobody authenticated, no audit log",
            clients(&bare.url, &Identify::named("clerk")).await,
        ),
        (
            "nobody authenticated",
            clients(&open.url, &Identify::named("clerk")).await,
        ),
        (
            "a token of the program",
            clients(&guarded.url, &Identify::token(&token)).await,
        ),
        (
            "a web token, EdDSA",
            clients(&guarded.url, &Identify::token(&web)).await,
        ),
    ];
    let persons = Arc::new(AtomicU64::new(0));
    for (_, clients) in &ways {
        rate(clients, &persons, false, Duration::from_secs(1)).await;
    }
    println!("\nTrust, {CALLERS} callers, median of {rounds} rounds in turns\n");
    println!("| call | who calls | a second | of the first |");
    println!("|---|---|---:|---:|");
    for (call, reads) in [("SubmitClaim", false), ("GetClaim", true)] {
        let mut rates = vec![Vec::new(); ways.len()];
        for _ in 0..rounds {
            for (at, (_, clients)) in ways.iter().enumerate() {
                rates[at].push(rate(clients, &persons, reads, time).await);
            }
        }
        // Each round by itself: what else the machine does meanwhile is in both.
        for (at, (way, _)) in ways.iter().enumerate() {
            let ratios = rates[at].iter().zip(&rates[0]).map(|(a, b)| a / b);
            let ratio = median(ratios.collect());
            println!(
                "| {call} | {way} | {:.0} | **{ratio:.2}** |",
                median(rates[at].clone())
            );
        }
    }
}

/// What came of calls.
#[derive(Default)]
struct Counted {
    answered: AtomicU64,
    shed: AtomicU64,
    other: AtomicU64,
    slowest_us: AtomicU64,
}

async fn overload(database: &str, time: Duration) {
    let office = Office::open(database).await;
    let token = office.token("clerk", "county_clerk");
    let settings = [
        "server.caller_calls_per_second=0",
        "server.max_calls=128",
        "server.max_streams_per_connection=4000",
    ];
    let server = office.another(&settings, &[]);
    let clients = clients(&server.url, &Identify::token(&token)).await;
    let persons = Arc::new(AtomicU64::new(0));
    rate(&clients, &persons, false, Duration::from_secs(1)).await;
    let sustainable = rate(&clients, &persons, false, Duration::from_secs(10).min(time)).await;
    println!(
        "\nOverload: {sustainable:.0} claims a second are sustainable; offered for {time:?}: twice that\n"
    );
    let counted = Arc::new(Counted::default());
    let begun = Instant::now();
    let health = {
        let url = server.url.clone();
        tokio::spawn(async move {
            let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
            let mut health = HealthClient::new(channel);
            let (mut asked, mut serving, mut slowest) = (0_u32, 0_u32, Duration::ZERO);
            while begun.elapsed() < time {
                let sent = Instant::now();
                let answer = health.check(HealthCheckRequest::default()).await.unwrap();
                slowest = slowest.max(sent.elapsed());
                asked += 1;
                serving += u32::from(answer.into_inner().status() == ServingStatus::Serving);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            (asked, serving, slowest)
        })
    };
    let mut sent = 0_u64;
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    while begun.elapsed() < time {
        ticks.tick().await;
        let due = (begun.elapsed().as_secs_f64() * sustainable * 2.0) as u64;
        while sent < due {
            let mut client = clients[sent as usize % CONNECTIONS].clone();
            let (counted, person) = (Arc::clone(&counted), persons.fetch_add(1, Ordering::Relaxed));
            sent += 1;
            tokio::spawn(async move {
                let called = Instant::now();
                match client.submit_claim(submit(person)).await {
                    Ok(_) => {
                        let took = u64::try_from(called.elapsed().as_micros()).unwrap();
                        counted.answered.fetch_add(1, Ordering::Relaxed);
                        counted.slowest_us.fetch_max(took, Ordering::Relaxed);
                    }
                    Err(status) if status.code() == Code::ResourceExhausted => {
                        counted.shed.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(status) => {
                        if counted.other.fetch_add(1, Ordering::Relaxed) == 0 {
                            println!("{status:?}");
                        }
                    }
                }
            });
        }
    }
    let took = begun.elapsed().as_secs_f64();
    let (asked, serving, slowest) = health.await.unwrap();
    let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (answered, shed, other) = (get(&counted.answered), get(&counted.shed), get(&counted.other));
    // At once afterwards: one call by itself, then the rate again.
    let mut client = clients[0].clone();
    let alone = Instant::now();
    let person = persons.fetch_add(1, Ordering::Relaxed);
    let next = client.submit_claim(submit(person)).await.is_ok();
    let alone = alone.elapsed();
    let again = rate(&clients, &persons, false, Duration::from_secs(5).min(time)).await;
    println!("| | |");
    println!("|---|---:|");
    println!("| offered a second | {:.0} |", sent as f64 / took);
    println!("| answered a second | {:.0} |", answered as f64 / took);
    println!(
        "| of the sustainable rate | **{:.2}** |",
        answered as f64 / took / sustainable
    );
    println!(
        "| shed a second, with RESOURCE_EXHAUSTED | {:.0} |",
        shed as f64 / took
    );
    println!("| other errors | {other} |");
    println!(
        "| slowest that was answered, ms | {:.0} |",
        get(&counted.slowest_us) as f64 / 1e3
    );
    println!("| health checks, of them SERVING | {asked}, {serving} |");
    println!(
        "| slowest health check, ms | {:.1} |",
        slowest.as_secs_f64() * 1e3
    );
    println!(
        "| the next call, ms | {:.1}, {} |",
        alone.as_secs_f64() * 1e3,
        if next { "answered" } else { "shed" }
    );
    println!(
        "| the rate right afterwards, of the sustainable | **{:.2}** |",
        again / sustainable
    );
    // By now the database is as large as it became.
    println!(
        "| answered under overload, of the rate right afterwards | **{:.2}** |",
        answered as f64 / took / again
    );
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("program") {
        incentive_fund::app::audit::leave_out_to_measure();
        incentive_fund::cli::run_from(std::env::args_os().skip(1));
        return;
    }
    let mut arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let quick = arguments.iter().any(|word| word == "--quick");
    arguments.retain(|word| word != "--quick");
    let (time, rounds, long) = if quick {
        (Duration::from_secs(2), 3, Duration::from_secs(6))
    } else {
        (Duration::from_secs(5), 5, Duration::from_secs(60))
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match words.as_slice() {
            ["cost", database] => cost(database, time, rounds).await,
            ["overload", database] => overload(database, long).await,
            [] => {
                let directory = tempfile::tempdir().unwrap();
                let file =
                    |name: &str| format!("sqlite://{}?mode=rwc", directory.path().join(name).display());
                cost(&file("cost.db"), time, rounds).await;
                overload(&file("overload.db"), long).await;
            }
            other => panic!("cost DATABASE, overload DATABASE or nothing, not {other:?}"),
        }
    });
}
