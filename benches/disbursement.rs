//! An end-to-end load driver: the real server in a process of its own, over a real socket, against the
//! database's own limits in the same run. `benches/disbursement.sh` starts what it needs.
//!
//! Usage: disbursement --database URL --claims N [--pgbench "PROGRAM ARGUMENTS"]

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs
)]

use incentive_fund::app::vault::Vault;
use incentive_fund::domain::subsidy::{DeedTaxLawDocument, PolicyDocument, ProgrammeDocument};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::ledger_service_client::LedgerServiceClient;
use incentive_fund::grpc::pb::policy_service_client::PolicyServiceClient;
use incentive_fund::grpc::pb::statistics_service_client::StatisticsServiceClient;
use incentive_fund::grpc::pb::subsidy_service_client::SubsidyServiceClient;
use incentive_fund::grpc::{PRINCIPAL_KEY, encode_principal};
use incentive_fund::shipped;
use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use std::collections::HashMap;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

const CALLERS: u64 = 64;
const CONNECTIONS: u64 = 4;
/// Claims in one message of a stream.
const IN_A_MESSAGE: u64 = 1_000;
const FUND: &str = "funds/load";
const REGION: &str = "regions/411081";
const PROGRAMME: &str = "programmes/training";

#[derive(Clone)]
struct Identify(AsciiMetadataValue);

impl Interceptor for Identify {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(PRINCIPAL_KEY, self.0.clone());
        Ok(request)
    }
}

type Identified = InterceptedService<Channel, Identify>;

fn identified(channel: Channel, principal: &str) -> Identified {
    InterceptedService::new(channel, Identify(encode_principal(principal).parse().unwrap()))
}

struct Server {
    child: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    async fn start(database: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys.toml");
        std::fs::write(&keys, Vault::generate("load", None).unwrap().as_str()).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = Command::new(env!("CARGO_BIN_EXE_incentive-fund"))
            .arg("serve")
            .current_dir(directory.path())
            .env("INCENTIVE_FUND__DATABASE__URL", database)
            .env("INCENTIVE_FUND__SERVER__ADDRESS", format!("127.0.0.1:{port}"))
            .env("INCENTIVE_FUND__PRIVACY__KEY_FILE", &keys)
            .env("INCENTIVE_FUND__LOG__FILTER", "warn")
            .spawn()
            .unwrap();
        let server = Self {
            child,
            address: format!("http://127.0.0.1:{port}"),
            _directory: directory,
        };
        for _ in 0..600 {
            if Endpoint::try_from(server.address.clone())
                .unwrap()
                .connect()
                .await
                .is_ok()
            {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server did not start");
    }

    async fn channel(&self) -> Channel {
        Endpoint::try_from(self.address.clone())
            .unwrap()
            .tcp_nodelay(true)
            .connect()
            .await
            .unwrap()
    }
}

fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Regions, programmes, a policy whose whole amount one account pays, and money enough.
async fn prepare(server: &Server) {
    let channel = server.channel().await;
    let mut statistics = StatisticsServiceClient::new(identified(channel.clone(), "setup"));
    let region = |code: &str, kind: pb::RegionKind, parent: &str| pb::Region {
        name: format!("regions/{code}"),
        display_name_zh: code.to_owned(),
        display_name_en: code.to_owned(),
        kind: kind.into(),
        parent: parent.to_owned(),
        note: String::new(),
    };
    statistics
        .import_regions(pb::ImportRegionsRequest {
            regions: vec![
                region("411000", pb::RegionKind::Prefecture, ""),
                region("411081", pb::RegionKind::County, "regions/411000"),
            ],
            ..Default::default()
        })
        .await
        .unwrap();
    let mut policies = PolicyServiceClient::new(identified(channel.clone(), "setup"));
    let programmes = shipped::PROGRAMMES
        .iter()
        .map(|(_, text)| toml::from_str::<ProgrammeDocument>(text).unwrap().into())
        .collect();
    policies
        .import_programmes(pb::ImportProgrammesRequest {
            programmes,
            ..Default::default()
        })
        .await
        .unwrap();
    let law: DeedTaxLawDocument = toml::from_str(shipped::DEED_TAX_LAW).unwrap();
    policies
        .import_deed_tax_law(pb::ImportDeedTaxLawRequest {
            document: Some(law.into()),
            ..Default::default()
        })
        .await
        .unwrap();
    let (_, text) = shipped::POLICIES
        .iter()
        .find(|(name, _)| name.starts_with("xuchang-training"))
        .unwrap();
    let text = text.replace("city_percent = \"70\"", "city_percent = \"0\"");
    let policy: PolicyDocument = toml::from_str(&text).unwrap();
    policies
        .create_policy(pb::CreatePolicyRequest {
            document: Some(policy.into()),
            ..Default::default()
        })
        .await
        .unwrap();
    let mut ledger = LedgerServiceClient::new(identified(channel, "setup"));
    let money = "1000000000000.00";
    ledger
        .receive_funds(pb::ReceiveFundsRequest {
            fund: FUND.to_owned(),
            amount: "1.00".to_owned(),
            document: "load".to_owned(),
            ..Default::default()
        })
        .await
        .unwrap();
    ledger
        .contribute_funds(pb::ContributeFundsRequest {
            fund: FUND.to_owned(),
            region: REGION.to_owned(),
            amount: money.to_owned(),
            document: "load".to_owned(),
            ..Default::default()
        })
        .await
        .unwrap();
    ledger
        .assign_quota(pb::AssignQuotaRequest {
            fund: FUND.to_owned(),
            lines: vec![pb::QuotaLine {
                region: REGION.to_owned(),
                programme: PROGRAMME.to_owned(),
                payer: pb::Payer::County.into(),
                amount: money.to_owned(),
            }],
            ..Default::default()
        })
        .await
        .unwrap();
}

/// The `n`th invented person's number: a valid one, of nobody in particular.
fn id_number(n: u64) -> String {
    const WEIGHTS: [u64; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: &[u8; 11] = b"10X98765432";
    let (sequence, rest) = (n % 1000, n / 1000);
    let (day, rest) = (rest % 28 + 1, rest / 28);
    let (month, rest) = (rest % 12 + 1, rest / 12);
    let year = 1930 + rest % 70;
    let place = 1000 + rest / 70;
    let digits = format!("41{place:04}{year:04}{month:02}{day:02}{sequence:03}");
    let sum: u64 = digits
        .bytes()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u64::from(digit - b'0') * weight)
        .sum();
    format!(
        "{digits}{}",
        char::from(CHECKS[usize::try_from(sum % 11).unwrap()])
    )
}

fn claim(n: u64) -> pb::ClaimInput {
    let facts = [
        ("registration", "rural"),
        ("residence_permit", "false"),
        ("level", "junior"),
        ("in_demand", "false"),
        ("certificate_date", "2024-03-01"),
        ("application_date", "2024-04-01"),
        ("training_fee", "3000.00"),
    ];
    pb::ClaimInput {
        fund: FUND.to_owned(),
        region: REGION.to_owned(),
        programme: PROGRAMME.to_owned(),
        facts: facts
            .map(|(code, value)| (code.to_owned(), value.to_owned()))
            .into_iter()
            .collect(),
        documents: vec!["certificate".to_owned()],
        applicant: Some(pb::Person {
            name: "测试人".to_owned(),
            id_number: id_number(n),
        }),
        household: Vec::new(),
        phone: "13800000000".to_owned(),
        payee: Some(pb::PayeeAccount {
            name: "测试人".to_owned(),
            account: format!("62220000{n:010}"),
            bank_name: "测试银行".to_owned(),
            bank_code: "102100099996".to_owned(),
        }),
        home: String::new(),
    }
}

/// A rate, and how long single calls took.
struct Measured {
    rate: f64,
    latencies: Vec<Duration>,
}

impl Measured {
    fn print(&self, what: &str, against: (&str, f64)) {
        let (name, peer) = against;
        print!(
            "{what:<44} {:>9.0} /s  {:>6.2} x {name}",
            self.rate,
            self.rate / peer
        );
        if !self.latencies.is_empty() {
            let mut sorted = self.latencies.clone();
            sorted.sort_unstable();
            let at = |share: usize| sorted[(sorted.len() - 1) * share / 1000].as_secs_f64() * 1e3;
            print!(
                "   p50 {:.1} p90 {:.1} p99 {:.1} p99.9 {:.1} ms",
                at(500),
                at(900),
                at(990),
                at(999)
            );
        }
        println!();
    }
}

/// Calls `one` for each of `range`, with 64 callers at a time.
async fn unary<F, Fut>(server: &Server, principal: &str, range: std::ops::Range<u64>, one: F) -> Measured
where
    F: Fn(SubsidyServiceClient<Identified>, u64) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let next = Arc::new(AtomicU64::new(range.start));
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        channels.push(server.channel().await);
    }
    let begun = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let channel = channels[usize::try_from(caller % CONNECTIONS).unwrap()].clone();
            let client = SubsidyServiceClient::new(identified(channel, principal));
            let (next, one, end) = (next.clone(), one.clone(), range.end);
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= end {
                        return latencies;
                    }
                    let called = Instant::now();
                    one(client.clone(), n).await;
                    latencies.push(called.elapsed());
                }
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for caller in callers {
        latencies.extend(caller.await.unwrap());
    }
    Measured {
        rate: (range.end - range.start) as f64 / begun.elapsed().as_secs_f64(),
        latencies,
    }
}

async fn submit_unary(server: &Server, range: std::ops::Range<u64>) -> Measured {
    unary(server, "clerk", range, |mut client, n| async move {
        let request = pb::SubmitClaimRequest {
            claim: Some(claim(n)),
            request_id: request_id(),
            validate_only: false,
        };
        client.submit_claim(request).await.unwrap();
    })
    .await
}

async fn approve_unary(server: &Server, range: std::ops::Range<u64>) -> Measured {
    unary(server, "approver", range, |mut client, n| async move {
        let request = pb::ApproveClaimRequest {
            name: format!("{FUND}/claims/{n}"),
            request_id: request_id(),
            ..Default::default()
        };
        client.approve_claim(request).await.unwrap();
    })
    .await
}

async fn submit_streamed(server: &Server, range: std::ops::Range<u64>) -> Measured {
    let mut client = SubsidyServiceClient::new(identified(server.channel().await, "clerk"))
        .max_decoding_message_size(usize::MAX);
    let count = range.end - range.start;
    let messages: Vec<pb::SubmitClaimsRequest> = range
        .step_by(usize::try_from(IN_A_MESSAGE).unwrap())
        .map(|first| pb::SubmitClaimsRequest {
            claims: (first..first + IN_A_MESSAGE).map(claim).collect(),
            request_id: request_id(),
            validate_only: false,
        })
        .collect();
    let begun = Instant::now();
    let mut answers = client
        .submit_claims(tokio_stream::iter(messages))
        .await
        .unwrap()
        .into_inner();
    let mut taken = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        for outcome in answer.outcomes {
            assert_eq!(outcome.reason, "", "{:?}", outcome.message);
            taken += 1;
        }
    }
    assert_eq!(taken, count);
    Measured {
        rate: count as f64 / begun.elapsed().as_secs_f64(),
        latencies: Vec::new(),
    }
}

async fn approve_streamed(server: &Server, range: std::ops::Range<u64>) -> Measured {
    let mut client = SubsidyServiceClient::new(identified(server.channel().await, "approver"))
        .max_decoding_message_size(usize::MAX);
    let count = range.end - range.start;
    let messages: Vec<pb::ChangeClaimsRequest> = range
        .step_by(usize::try_from(IN_A_MESSAGE).unwrap())
        .map(|first| pb::ChangeClaimsRequest {
            changes: (first..first + IN_A_MESSAGE)
                .map(|n| pb::ClaimChange {
                    name: format!("{FUND}/claims/{n}"),
                    action: "approve".to_owned(),
                    ..Default::default()
                })
                .collect(),
            request_id: request_id(),
            validate_only: false,
        })
        .collect();
    let begun = Instant::now();
    let mut answers = client
        .change_claims(tokio_stream::iter(messages))
        .await
        .unwrap()
        .into_inner();
    let mut taken = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        for outcome in answer.outcomes {
            assert_eq!(outcome.reason, "", "{:?}", outcome.message);
            taken += 1;
        }
    }
    assert_eq!(taken, count);
    Measured {
        rate: count as f64 / begun.elapsed().as_secs_f64(),
        latencies: Vec::new(),
    }
}

/// What SQLite does by itself: rows of the journal, with its indexes, one in a transaction or 1,000.
async fn raw_sqlite(in_a_transaction: u64, seconds: f64) -> f64 {
    // Beside the server's own file: on the same disk.
    let directory = tempfile::tempdir_in(std::env::current_dir().unwrap()).unwrap();
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("raw.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in [
        "CREATE TABLE entry (fund TEXT NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, made_by TEXT NOT NULL, \
         event TEXT NOT NULL, from_account TEXT NOT NULL, to_account TEXT NOT NULL, amount_fen INTEGER NOT NULL, \
         from_balance_fen INTEGER NOT NULL, to_balance_fen INTEGER NOT NULL, subject TEXT NOT NULL, note TEXT NOT NULL, \
         reverses INTEGER NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (fund, number))",
        "CREATE INDEX entry_from ON entry (fund, from_account, number)",
        "CREATE INDEX entry_to ON entry (fund, to_account, number)",
        "CREATE INDEX entry_subject ON entry (fund, subject, number)",
        "CREATE INDEX entry_at ON entry (fund, at, number)",
    ] {
        sea_orm::sqlx::query(statement).execute(&mut db).await.unwrap();
    }
    let begun = Instant::now();
    let mut rows = 0;
    while begun.elapsed().as_secs_f64() < seconds {
        let mut tx = db.begin().await.unwrap();
        for _ in 0..in_a_transaction {
            rows += 1;
            let row = i64::try_from(rows).unwrap();
            sea_orm::sqlx::query("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .bind("load")
                .bind(row)
                .bind(1_700_000_000_000_000 + row)
                .bind("approver")
                .bind("reserve")
                .bind("county/411081/training/quota")
                .bind("county/411081/training/reserved")
                .bind(100_000_i64)
                .bind(10_000_000_000 - row)
                .bind(row)
                .bind(format!("funds/load/claims/{row}"))
                .bind("")
                .bind(0_i64)
                .bind("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }
    rows as f64 / begun.elapsed().as_secs_f64()
}

/// Transactions per second that pgbench reports.
fn pgbench(command: &str) -> f64 {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("pgbench: {text} {}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::main]
async fn main() {
    let mut options: HashMap<String, String> = HashMap::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name != "--bench" {
            options.insert(name, arguments.next().unwrap_or_default());
        }
    }
    let claims: u64 = options.get("--claims").map_or(20_000, |n| n.parse().unwrap());
    let claims = claims.div_ceil(IN_A_MESSAGE) * IN_A_MESSAGE;
    let directory = tempfile::tempdir_in(std::env::current_dir().unwrap()).unwrap();
    let database = options
        .get("--database")
        .cloned()
        .unwrap_or_else(|| format!("sqlite://{}?mode=rwc", directory.path().join("load.db").display()));
    let (single, batched) = if database.starts_with("sqlite") {
        let single = ("raw single-row commits", raw_sqlite(1, 5.0).await);
        let batched = ("raw batched inserts", raw_sqlite(1_000, 5.0).await);
        (single, batched)
    } else {
        let tps = pgbench(&options["--pgbench"]);
        (
            ("pgbench TPC-B, 32 clients", tps),
            ("pgbench TPC-B, 32 clients", tps),
        )
    };
    println!(
        "{database_kind}: {} {:.0} /s; {} {:.0} /s",
        single.0,
        single.1,
        batched.0,
        batched.1,
        database_kind = database.split(':').next().unwrap_or_default()
    );
    let server = Server::start(&database).await;
    prepare(&server).await;
    // Claims are numbered from 1 in the order they come in.
    let first = 1..claims + 1;
    submit_unary(&server, first.clone())
        .await
        .print("submit, 64 callers", single);
    approve_unary(&server, first)
        .await
        .print("approve, 64 callers, one quota", single);
    let second = claims + 1..2 * claims + 1;
    submit_streamed(&server, second.clone())
        .await
        .print("submit, one stream", batched);
    approve_streamed(&server, second)
        .await
        .print("approve, one stream, one quota", batched);
    if let Some(sizes) = options.get("--growth") {
        let mut done = 2 * claims;
        for size in sizes.split(',').map(|size| size.parse::<u64>().unwrap()) {
            while done < size {
                let more = done + 1..(done + 10 * IN_A_MESSAGE + 1);
                submit_streamed(&server, more.clone()).await;
                approve_streamed(&server, more).await;
                done += 10 * IN_A_MESSAGE;
            }
            let more = done + 1..done + 10 * IN_A_MESSAGE + 1;
            submit_streamed(&server, more.clone()).await;
            let measured = approve_streamed(&server, more).await;
            done += 10 * IN_A_MESSAGE;
            println!("{done:>9} entries: {:.1} us a posting", 1e6 / measured.rate);
        }
    }
}
