//! Callers who want too much: metadata, messages that unpack to more, connections that never get on, thousands
//! that only stay, calls without end. What is over a limit is refused; the others go on.

use super::setup::{Guarded, OWN, bearer, door, token};
use crate::harness::{Engine, Running, World, channel, inner, limits, refusal, refused, stories};
use crate::server::{Program, by_hand};
use incentive_fund::grpc::Rate;
use incentive_fund::grpc::pb;
use incentive_fund::grpc::server::Limits;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

stories!(
    too_much_metadata_is_refused,
    a_compressed_message_is_not_unpacked,
    a_connection_that_does_not_begin_is_closed,
    a_connection_over_the_most_is_closed_and_the_others_stay,
    ten_thousand_idle_connections_keep_nobody_out,
    a_server_that_may_open_too_few_files_says_so,
    one_caller_cannot_crowd_out_the_others,
    under_overload_calls_are_shed_and_health_tells_the_truth,
);

const LIST: &str = "/incentivefund.v1.StatisticsService/ListRegions";

fn list() -> pb::ListRegionsRequest {
    pb::ListRegionsRequest::default()
}

/// That somebody is answered.
async fn call(address: SocketAddr, token: &str) {
    let mut client = bearer(&channel(address).await, token);
    inner(client.statistics.list_regions(list()).await);
}

async fn answers(server: &Running, token: &str) {
    call(server.address, token).await;
}

async fn auditor(server: &Running) -> String {
    token(server, "auditor", &["auditor"], &[]).await
}

async fn too_much_metadata_is_refused(world: World) {
    let server = world.serve_guarded(door, limits()).await;
    let token = auditor(&server).await;
    let channel = channel(server.address).await;
    for bytes in [40_000, 1_000_000] {
        let mut client = pb::statistics_service_client::StatisticsServiceClient::new(channel.clone());
        let mut request = tonic::Request::new(list());
        let value = "x".repeat(bytes).parse().unwrap();
        request.metadata_mut().insert("x-large", value);
        assert!(client.list_regions(request).await.is_err());
    }
    answers(&server, &token).await;
    drop(channel);
    server.stop().await;
}

async fn a_compressed_message_is_not_unpacked(world: World) {
    let server = world.serve_guarded(door, limits()).await;
    let token = auditor(&server).await;
    // A message of a gigabyte of zeros would be about a megabyte like this; the server has no need to look.
    let packed = vec![0_u8; 1 << 20];
    let mut frame = vec![1_u8];
    frame.extend(u32::try_from(packed.len()).unwrap().to_be_bytes());
    frame.extend(packed);
    let authorization = format!("Bearer {token}");
    for encoding in ["gzip", "deflate", "zstd"] {
        let headers = [
            ("grpc-encoding", encoding),
            ("authorization", authorization.as_str()),
        ];
        let frames = vec![frame.clone().into()];
        let (code, took) = by_hand(server.address, LIST, &headers, frames, true).await;
        assert_eq!(code, Some(Code::Unimplemented as i32), "{encoding}");
        assert!(took < Duration::from_secs(10));
    }
    answers(&server, &token).await;
    server.stop().await;
}

/// What begins HTTP/2: the preface, and settings that change nothing.
const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// Whether the other end closes a connection within a time.
async fn closed(stream: &mut TcpStream, within: Duration) -> bool {
    let mut bytes = [0_u8; 1_024];
    let until = Instant::now() + within;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, stream.read(&mut bytes)).await {
            Ok(Ok(0) | Err(_)) => return true,
            Ok(Ok(_)) => {}
            Err(_) => return false,
        }
    }
}

async fn a_connection_that_does_not_begin_is_closed(world: World) {
    let server = world
        .serve_guarded(
            door,
            Limits {
                handshake_timeout: Duration::from_millis(600),
                ..limits()
            },
        )
        .await;
    let token = auditor(&server).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert!(
        closed(&mut silent, Duration::from_secs(20)).await,
        "one that says nothing"
    );
    // One that sends a byte every now and then would take for ever.
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let (begun, mut ended) = (Instant::now(), false);
    for byte in BEGINNING {
        if slow.write_all(&[*byte]).await.is_err() || closed(&mut slow, Duration::from_millis(200)).await {
            ended = true;
            break;
        }
    }
    assert!(ended, "one that never gets on, after {:?}", begun.elapsed());
    // One that begins stays.
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(BEGINNING).await.unwrap();
    assert!(!closed(&mut idle, Duration::from_secs(2)).await);
    answers(&server, &token).await;
    drop(idle);
    server.stop().await;
}

async fn a_connection_over_the_most_is_closed_and_the_others_stay(world: World) {
    let server = world
        .serve_guarded(
            door,
            Limits {
                max_connections: 3,
                ..limits()
            },
        )
        .await;
    let token = auditor(&server).await;
    let first = channel(server.address).await;
    let mut client = bearer(&first, &token);
    inner(client.statistics.list_regions(list()).await);
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(BEGINNING).await.unwrap();
        assert!(!closed(&mut stream, Duration::from_millis(300)).await);
        idle.push(stream);
    }
    let mut over = TcpStream::connect(server.address).await.unwrap();
    let _ = over.write_all(BEGINNING).await;
    assert!(closed(&mut over, Duration::from_secs(5)).await);
    inner(client.statistics.list_regions(list()).await);
    // A place that is given back is there for the next.
    idle.clear();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let _ = stream.write_all(BEGINNING).await;
        if !closed(&mut stream, Duration::from_millis(300)).await {
            break;
        }
        assert!(Instant::now() < until);
    }
    drop((client, first));
    server.stop().await;
}

/// Lets this process have as many files open as the system allows, and says how many.
fn most_files() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(1 << 20);
    limit.current = Some(most);
    setrlimit(Resource::Nofile, limit).unwrap();
    most
}

/// The program itself, which may have a thousand files open until it asks for more.
fn program(world: &World, limits: &str, max_connections: &str) -> Program {
    let settings = [("INCENTIVE_FUND__SERVER__MAX_CONNECTIONS", max_connections)];
    Program::limited(world, limits, &settings)
}

/// A token for the program, which shares a database with a server in this process that issues it.
async fn issued(world: &World) -> String {
    let server = world.serve_guarded(door, limits()).await;
    let token = auditor(&server).await;
    server.stop().await;
    token
}

/// A connection that only stays. It answers the server's keep-alive pings, as every client does, however long the
/// rest of a test takes.
struct Idle {
    pings: h2::PingPong,
    served: JoinHandle<()>,
    _sender: h2::client::SendRequest<bytes::Bytes>,
}

impl Idle {
    /// Returns once the server has answered, so that no more connections wait to be accepted than the system lets.
    async fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        let (sender, mut connection) = h2::client::handshake(socket).await.unwrap();
        let pings = connection.ping_pong().unwrap();
        let served = tokio::spawn(async move {
            let _ = connection.await;
        });
        let mut idle = Self {
            pings,
            served,
            _sender: sender,
        };
        idle.lives().await;
        idle
    }

    async fn lives(&mut self) {
        let pong = self.pings.ping(h2::Ping::opaque());
        let pong = tokio::time::timeout(Duration::from_secs(60), pong).await;
        pong.expect("an answer in time").expect("an open connection");
        assert!(!self.served.is_finished());
    }
}

async fn ten_thousand_idle_connections_keep_nobody_out(world: World) {
    /// Files of this process and of the server beside the connections, with what other tests open meanwhile.
    const BESIDE: u64 = 2_000;
    let token = issued(&world).await;
    let program = program(&world, "ulimit -Sn 1024", "12000");
    let many = match world.engine() {
        Engine::Sqlite => {
            let most = most_files();
            let many = 10_000.min(most.saturating_sub(BESIDE));
            assert!(
                many > 1_000,
                "ulimit -Hn is {most}: too few for a test of many connections"
            );
            if many < 10_000 {
                println!("ulimit -Hn is {most}: {many} connections instead of 10,000");
            }
            many
        }
        // The other database makes no difference to connections.
        Engine::Postgres => 200,
    };
    let mut idle = Vec::new();
    for _ in 0..many {
        idle.push(Idle::open(program.address).await);
    }
    for _ in 0..20 {
        call(program.address, &token).await;
    }
    assert_eq!(health(program.address).await, ServingStatus::Serving);
    // All of them are there: none was closed, in turn, to make room.
    for connection in &mut idle {
        connection.lives().await;
    }
    assert_eq!(health(program.address).await, ServingStatus::Serving);
    drop(idle);
    call(program.address, &token).await;
    program.terminate();
    assert!(program.ended().await.success());
}

async fn a_server_that_may_open_too_few_files_says_so(world: World) {
    let token = issued(&world).await;
    let warns = |program: &Program| {
        let texts = program.began.iter().map(serde_json::Value::to_string);
        texts
            .filter(|text| text.contains("server.max_connections"))
            .count()
    };
    let few = program(&world, "ulimit -Sn 900 && ulimit -Hn 900", "12000");
    assert_eq!(warns(&few), 1, "{:?}", few.began);
    call(few.address, &token).await;
    few.terminate();
    assert!(few.ended().await.success());
    // The same limit is enough for fewer connections, and then there is nothing to say.
    let enough = program(&world, "ulimit -Sn 300 && ulimit -Hn 900", "200");
    assert_eq!(warns(&enough), 0, "{:?}", enough.began);
    enough.terminate();
    assert!(enough.ended().await.success());
}

async fn health(address: SocketAddr) -> ServingStatus {
    let mut health = HealthClient::new(channel(address).await);
    let request = HealthCheckRequest::default();
    health.check(request).await.unwrap().into_inner().status()
}

async fn one_caller_cannot_crowd_out_the_others(world: World) {
    let rate = Rate {
        per_second: NonZeroU32::new(1).unwrap(),
        burst: NonZeroU32::new(20).unwrap(),
    };
    let server = world
        .serve_guarded(
            door,
            Limits {
                caller_rate: Some(rate),
                ..limits()
            },
        )
        .await;
    let greedy = token(&server, "greedy", &["auditor"], &[]).await;
    // Two tokens of one person share what the person may.
    let again = token(&server, "greedy", &["auditor"], &[]).await;
    let other = token(&server, "other", &["auditor"], &[]).await;
    let channel = channel(server.address).await;
    let (mut greedy, mut again, mut other) = (
        bearer(&channel, &greedy),
        bearer(&channel, &again),
        bearer(&channel, &other),
    );
    let mut shed = 0;
    for _ in 0..40 {
        if let Err(status) = greedy.statistics.list_regions(list()).await {
            let refusal = refusal(&status);
            assert_eq!(
                (refusal.code, refusal.reason.as_str()),
                (Code::ResourceExhausted, "CALLER_RATE")
            );
            assert!(
                refusal
                    .retry_after
                    .is_some_and(|wait| wait <= Duration::from_secs(2))
            );
            shed += 1;
        }
    }
    assert!(shed >= 10, "{shed}");
    assert_eq!(
        refused(again.statistics.list_regions(list()).await).reason,
        "CALLER_RATE"
    );
    for _ in 0..10 {
        inner(other.statistics.list_regions(list()).await);
    }
    assert_eq!(health(server.address).await, ServingStatus::Serving);
    drop((greedy, again, other, channel));
    server.stop().await;
}

async fn under_overload_calls_are_shed_and_health_tells_the_truth(world: World) {
    const CALLERS: usize = 64;
    let guarded = Guarded::within(
        &world,
        Limits {
            max_calls: 8,
            ..limits()
        },
    )
    .await;
    let token = token(&guarded.server, "clerk", &["county_clerk"], &[OWN]).await;
    let address = guarded.server.address;
    let stop = Arc::new(AtomicBool::new(false));
    let (answered, shed) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let mut client = bearer(&channel(address).await, &token);
        let (stop, answered, shed) = (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&shed));
        let name = guarded.own.claim.clone();
        callers.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let get = pb::GetClaimRequest { name: name.clone() };
                match client.subsidies.get_claim(get).await {
                    Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
                    Err(status) => {
                        let refusal = refusal(&status);
                        assert_eq!(refusal.reason, "SERVER_BUSY", "{refusal:?}");
                        assert_eq!(refusal.code, Code::ResourceExhausted);
                        assert!(refusal.retry_after.is_some());
                        shed.fetch_add(1, Ordering::Relaxed)
                    }
                };
            }
        }));
    }
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(health(address).await, ServingStatus::Serving);
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    let (answered, shed) = (answered.load(Ordering::Relaxed), shed.load(Ordering::Relaxed));
    println!("{answered} answered, {shed} shed");
    assert!(answered > 0 && shed > 0, "{answered} answered, {shed} shed");
    // It is over at once.
    let mut client = bearer(&guarded.channel, &token);
    let get = pb::GetClaimRequest {
        name: guarded.own.claim.clone(),
    };
    inner(client.subsidies.get_claim(get).await);
    guarded.stop().await;
}
