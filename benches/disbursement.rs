//! How fast claims are handed in, approved and posted: the built program on a socket, 64 callers, and beside it
//! what the database does raw, in the same run. benches/README.md has the figures; benches/disbursement.sh runs
//! this with a PostgreSQL server and pgbench.
//!
//! `sqlite`, `postgres URL TPS TPS` (of pgbench: one branch, 32 branches) or `growth URL` select a part; `--quick`
//! makes it short.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

#[path = "disbursement/cpu.rs"]
mod cpu;
#[allow(dead_code, reason = "shared with another benchmark")]
#[path = "disbursement/office.rs"]
mod office;
#[path = "disbursement/raw.rs"]
mod raw;

use incentive_fund::grpc::pb;
use office::{FUND, Office, PROGRAMME, REGION, claim};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CALLERS: usize = 64;
/// Connections that the callers share: a finance system keeps a few, and calls at once over each.
const CONNECTIONS: usize = 4;
/// Claims in a message of a stream.
const MESSAGE: usize = 1_000;

#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// How long unary callers call.
    seconds: u64,
    /// Claims that are streamed.
    streamed: usize,
    /// Sizes of the ledger.
    ledger: &'static [usize],
}

const FULL: Size = Size {
    seconds: 10,
    streamed: 100_000,
    ledger: &[1_000, 10_000, 100_000, 1_000_000],
};
const QUICK: Size = Size {
    seconds: 2,
    streamed: 4_000,
    ledger: &[1_000, 10_000],
};

/// The same as that of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Calls that were answered, and how long each took.
struct Measured {
    took: Duration,
    latencies: Vec<Duration>,
    cpu: cpu::Each,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    fn print(&mut self, what: &str, peers: &[Peer]) {
        self.latencies.sort_unstable();
        let at = |percent: usize| {
            let latency = self.latencies[(self.latencies.len() - 1) * percent / 100];
            latency.as_secs_f64() * 1_000.0
        };
        println!(
            "| {what} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {} |{}",
            self.rate(),
            at(50),
            at(95),
            at(99),
            at(100),
            self.cpu,
            ratios(self.rate(), peers)
        );
    }
}

/// What is measured beside it: its name, and how much of it there is in a second.
type Peer = (&'static str, f64);

fn ratios(rate: f64, peers: &[Peer]) -> String {
    peers
        .iter()
        .map(|(_, peer)| format!(" **{:.2}** |", rate / peer))
        .collect()
}

fn heading(peers: &[Peer]) {
    let named: String = (peers.iter())
        .map(|(name, rate)| format!(" ratio to {name}, {rate:.0} a second |"))
        .collect();
    println!(
        "| | a second | p50 ms | p95 | p99 | longest | processor µs each: driver, server, database |{named}"
    );
    println!(
        "|---|---:|---:|---:|---:|---:|---|{}",
        "---:|".repeat(peers.len())
    );
}

fn print_streamed(what: &str, count: usize, (took, cpu): &(Duration, cpu::Each), peers: &[Peer]) {
    let rate = count as f64 / took.as_secs_f64();
    println!("| {what} | {rate:.0} | | | | | {cpu} |{}", ratios(rate, peers));
}

/// Hands in claims by 64 callers for some seconds, each on a connection of its own.
async fn submit(office: &Office, persons: &Arc<AtomicU64>, seconds: u64) -> Measured {
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let mut callers = tokio::task::JoinSet::new();
    let used = office.cpu();
    let clients = office.connections("经办人", CONNECTIONS).await;
    for caller in 0..CALLERS {
        let mut client = clients[caller % CONNECTIONS].clone();
        let persons = Arc::clone(persons);
        callers.spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < until {
                let request = pb::SubmitClaimRequest {
                    claim: Some(claim(persons.fetch_add(1, Ordering::Relaxed))),
                    request_id: office::id(),
                    validate_only: false,
                };
                let sent = Instant::now();
                client.submit_claim(request).await.unwrap();
                latencies.push(sent.elapsed());
            }
            latencies
        });
    }
    let latencies = callers.join_all().await.concat();
    Measured {
        took: begun.elapsed(),
        cpu: office.cpu().each(&used, latencies.len()),
        latencies,
    }
}

/// Approves claims by 64 callers for some seconds, or until there are none left.
async fn approve(office: &Office, first: u64, last: u64, seconds: u64) -> Measured {
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let next = Arc::new(AtomicU64::new(first));
    let mut callers = tokio::task::JoinSet::new();
    let used = office.cpu();
    let clients = office.connections("审批人", CONNECTIONS).await;
    for caller in 0..CALLERS {
        let mut client = clients[caller % CONNECTIONS].clone();
        let next = Arc::clone(&next);
        callers.spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < until {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number > last {
                    break;
                }
                let request = pb::ApproveClaimRequest {
                    name: format!("funds/{FUND}/claims/{number}"),
                    request_id: office::id(),
                    ..Default::default()
                };
                let sent = Instant::now();
                client.approve_claim(request).await.unwrap();
                latencies.push(sent.elapsed());
            }
            latencies
        });
    }
    let latencies = callers.join_all().await.concat();
    Measured {
        took: begun.elapsed(),
        cpu: office.cpu().each(&used, latencies.len()),
        latencies,
    }
}

/// Hands in so many claims in one stream.
async fn submit_streamed(office: &Office, persons: &AtomicU64, count: usize) -> (Duration, cpu::Each) {
    let messages: Vec<pb::SubmitClaimsRequest> = (0..count / MESSAGE)
        .map(|_| pb::SubmitClaimsRequest {
            claims: (0..MESSAGE)
                .map(|_| claim(persons.fetch_add(1, Ordering::Relaxed)))
                .collect(),
            request_id: office::id(),
            validate_only: false,
        })
        .collect();
    let mut client = office.subsidies("经办人").await;
    let used = office.cpu();
    let begun = Instant::now();
    let mut answers = client
        .submit_claims(tokio_stream::iter(messages))
        .await
        .unwrap()
        .into_inner();
    let mut done = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        for outcome in &answer.outcomes {
            assert_eq!(outcome.reason, "", "{outcome:?}");
        }
        done += answer.outcomes.len();
    }
    assert_eq!(done, count / MESSAGE * MESSAGE);
    (begun.elapsed(), office.cpu().each(&used, done))
}

/// Approves claims in one stream.
async fn approve_streamed(office: &Office, first: u64, count: usize) -> (Duration, cpu::Each) {
    let numbers: Vec<u64> = (first..first + count as u64).collect();
    let messages: Vec<pb::ChangeClaimsRequest> = numbers
        .chunks(MESSAGE)
        .map(|numbers| pb::ChangeClaimsRequest {
            changes: (numbers.iter())
                .map(|number| pb::ClaimChange {
                    name: format!("funds/{FUND}/claims/{number}"),
                    action: "approve".to_owned(),
                    ..Default::default()
                })
                .collect(),
            request_id: office::id(),
            validate_only: false,
        })
        .collect();
    let mut client = office.subsidies("审批人").await;
    let used = office.cpu();
    let begun = Instant::now();
    let mut answers = client
        .change_claims(tokio_stream::iter(messages))
        .await
        .unwrap()
        .into_inner();
    while let Some(answer) = answers.message().await.unwrap() {
        for outcome in &answer.outcomes {
            assert_eq!(outcome.reason, "", "{outcome:?}");
        }
    }
    (begun.elapsed(), office.cpu().each(&used, count))
}

struct Figures {
    submitted: Measured,
    approved: Measured,
    streamed: usize,
    submit_stream: (Duration, cpu::Each),
    approve_stream: (Duration, cpu::Each),
}

async fn measure(office: &Office, size: Size) -> Figures {
    let persons = Arc::new(AtomicU64::new(0));
    // Caches and pools are warm.
    submit(office, &persons, 1).await;
    let submitted = submit(office, &persons, size.seconds).await;
    let first = persons.load(Ordering::Relaxed);
    let submit_stream = submit_streamed(office, &persons, size.streamed).await;
    let approve_stream = approve_streamed(office, first + 1, size.streamed).await;
    let approved = approve(office, 1, first, size.seconds).await;
    office.verify().await;
    Figures {
        submitted,
        approved,
        streamed: size.streamed / MESSAGE * MESSAGE,
        submit_stream,
        approve_stream,
    }
}

async fn sqlite(size: Size) {
    let directory = tempfile::tempdir().unwrap();
    let commits = raw::single_row_commits(directory.path(), size.seconds).await;
    let office = Office::open(&format!(
        "sqlite://{}?mode=rwc",
        directory.path().join("fund.db").display()
    ))
    .await;
    let mut figures = measure(&office, size).await;
    drop(office);
    let (claims, approvals) = raw::batched(directory.path(), size.streamed, MESSAGE).await;
    println!("\nSQLite\n");
    let peers = [("commits of one row, one connection", commits)];
    heading(&peers);
    figures.submitted.print("SubmitClaim, 64 callers", &peers);
    figures.approved.print("ApproveClaim, 64 callers", &peers);
    println!();
    let raw = |rate| [("the same rows, inserted raw", rate)];
    for (what, took, rate) in [
        ("SubmitClaims, one stream", &figures.submit_stream, claims),
        (
            "ChangeClaims (approve), one stream",
            &figures.approve_stream,
            approvals,
        ),
    ] {
        heading(&raw(rate));
        print_streamed(what, figures.streamed, took, &raw(rate));
        println!();
    }
}

async fn postgres(url: &str, one_branch: f64, branches: f64, size: Size) {
    let office = Office::open(url).await;
    let mut figures = measure(&office, size).await;
    drop(office);
    let (claims, approvals) = raw::copied(url, size.streamed, MESSAGE).await;
    println!("\nPostgreSQL, one quota\n");
    let peers = [
        ("pgbench TPC-B, 32 clients, one branch", one_branch),
        ("the same, 32 branches", branches),
    ];
    heading(&peers);
    figures.submitted.print("SubmitClaim, 64 callers", &peers);
    figures.approved.print("ApproveClaim, 64 callers", &peers);
    print_streamed(
        "SubmitClaims, one stream",
        figures.streamed,
        &figures.submit_stream,
        &peers,
    );
    print_streamed(
        "ChangeClaims (approve), one stream",
        figures.streamed,
        &figures.approve_stream,
        &peers,
    );
    println!(
        "\nThe same rows copied from table to table within the server, {MESSAGE} claims a transaction: \
         {claims:.0} claims a second handed in, {approvals:.0} approved."
    );
}

/// What a posting costs with a longer and longer journal.
async fn growth(url: &str, size: Size) {
    /// Lines of a call that fills.
    const FILL: usize = 10_000;
    /// Lines of a call that is measured, and how many of them there are.
    const LINES: usize = 500;
    const CALLS: usize = 20;
    let office = Office::open(url).await;
    println!("\nGrowth\n");
    println!("| entries | µs a posting, 500 in a call | ms a call with one, p50 |");
    println!("|---:|---:|---:|");
    let mut ledger = office.ledger("预算科").await;
    let lines = |count: usize| -> Vec<pb::QuotaLine> {
        (0..count)
            .map(|at| pb::QuotaLine {
                region: format!("regions/{REGION}"),
                programme: format!("programmes/p{at}"),
                payer: pb::Payer::City.into(),
                amount: "0.01".to_owned(),
            })
            .collect()
    };
    // All accounts are there from the beginning, so that the length of the journal is all that grows.
    let mut entries = 0;
    for wanted in size.ledger {
        let mut there = office.entries().await;
        while there < *wanted {
            // Forth, or back where it is there already.
            let count = (wanted - there).clamp(1, FILL);
            entries = office.assign(&mut ledger, lines(count), 0).await;
            if entries < *wanted {
                entries = office.assign(&mut ledger, lines(count), 1).await;
            }
            there = entries;
        }
        let begun = Instant::now();
        for call in 0..CALLS {
            entries = office.assign(&mut ledger, lines(LINES), call % 2).await;
        }
        let each = begun.elapsed().as_secs_f64() * 1e6 / (CALLS * LINES) as f64;
        let mut single: Vec<Duration> = Vec::new();
        for call in 0..200 {
            let begun = Instant::now();
            entries = office.assign(&mut ledger, lines(1), call % 2).await;
            single.push(begun.elapsed());
        }
        single.sort_unstable();
        println!(
            "| {there} | {each:.1} | {:.2} |",
            single[single.len() / 2].as_secs_f64() * 1e3
        );
    }
    assert!(entries > 0);
    let begun = Instant::now();
    office.verify().await;
    println!(
        "\nVerifyLedger reads {entries} entries in {:.1} s.",
        begun.elapsed().as_secs_f64()
    );
    let _ = PROGRAMME;
}

fn main() {
    let mut arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let quick = arguments.iter().any(|word| word == "--quick");
    arguments.retain(|word| word != "--quick");
    let size = if quick { QUICK } else { FULL };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match words.as_slice() {
            ["sqlite"] => sqlite(size).await,
            ["postgres", url, one, many] => {
                postgres(url, one.parse().unwrap(), many.parse().unwrap(), size).await;
            }
            ["growth", url] => growth(url, size).await,
            // cargo bench without more.
            _ => sqlite(size).await,
        }
    });
}
