//! The server as a process and as a peer: health, reflection, limits, deadlines, and an end without loss.

use crate::harness::{
    World, channel, connect, header, header_message, import_xuchang, indicator, limits, refusal, refused,
    region, row, rows_message, stories, upload, xuchang_request,
};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::server::Limits;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{Bytes, http};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

stories!(
    health_says_serving,
    health_says_not_serving_until_the_end,
    reflection_lists_the_services,
    a_deadline_is_honoured,
    a_call_past_its_deadline_finishes_what_it_began,
    a_message_over_the_limit_is_refused,
    a_huge_message_takes_no_memory,
    a_server_that_is_full_says_when_to_try_again,
    a_server_without_calls_stops_at_once,
    sigterm_finishes_what_was_begun,
    sigterm_waits_no_longer_than_told,
);

const SERVICES: [&str; 6] = [
    "incentivefund.v1.AllocationService",
    "incentivefund.v1.FormulaService",
    "incentivefund.v1.LedgerService",
    "incentivefund.v1.PolicyService",
    "incentivefund.v1.StatisticsService",
    "incentivefund.v1.SubsidyService",
];

fn health_of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

async fn health_says_serving(world: World) {
    let server = world.serve().await;
    let mut health = HealthClient::new(channel(server.address).await);
    for service in SERVICES.into_iter().chain([""]) {
        // The first look at the database may not be over yet.
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let answer = health.check(health_of(service)).await;
            match answer.map(|answer| answer.into_inner().status()) {
                Ok(ServingStatus::Serving) => break,
                other => assert!(Instant::now() < deadline, "{service}: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let unknown = health.check(health_of("nothing.Service")).await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
    server.stop().await;
}

/// An import that waits for its caller: what has been sent so far, and the answer to come.
struct SlowImport {
    messages: mpsc::Sender<pb::ImportObservationsRequest>,
    answer: tokio::task::JoinHandle<Result<pb::DataSetRevision, Status>>,
}

async fn slow_import(address: SocketAddr, data_set: &str) -> SlowImport {
    let mut client = connect(address, "统计员").await;
    let (messages, receiver) = mpsc::channel(8);
    let answer = tokio::spawn(async move {
        let stream = ReceiverStream::new(receiver);
        let answer = client.statistics.import_observations(stream).await?;
        Ok(answer.into_inner().revision.unwrap())
    });
    messages.send(header_message(header(data_set))).await.unwrap();
    SlowImport { messages, answer }
}

async fn health_says_not_serving_until_the_end(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    import_xuchang(&mut client).await;
    let slow = slow_import(server.address, "xuchang").await;
    let mut health = HealthClient::new(channel(server.address).await);
    let mut watched = Vec::new();
    for service in SERVICES {
        let mut statuses = health.watch(health_of(service)).await.unwrap().into_inner();
        while statuses.next().await.unwrap().unwrap().status() != ServingStatus::Serving {}
        watched.push(statuses);
    }
    let stopping = server.stopping();
    for statuses in &mut watched {
        let next = tokio::time::timeout(Duration::from_secs(5), statuses.next()).await;
        assert_eq!(
            next.unwrap().unwrap().unwrap().status(),
            ServingStatus::NotServing
        );
    }
    // Nothing says otherwise while the last call runs.
    let again = tokio::time::timeout(Duration::from_secs(7), watched[0].next()).await;
    assert!(again.is_err(), "{again:?}");
    drop(watched);
    drop(health);
    drop(client);
    slow.messages
        .send(rows_message(vec![row(2, "411081", "settled_new", "1")]))
        .await
        .unwrap();
    drop(slow.messages);
    assert_eq!(slow.answer.await.unwrap().unwrap().revised, 1);
    stopping.await.unwrap();
}

async fn reflection_lists_the_services(world: World) {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ListServiceResponse, ServerReflectionRequest};
    let server = world.serve().await;
    let mut reflection = ServerReflectionClient::new(channel(server.address).await);
    let ask = |message: MessageRequest| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(message),
    };
    let questions = vec![
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol(SERVICES[0].to_owned())),
    ];
    let mut answers = reflection
        .server_reflection_info(tokio_stream::iter(questions))
        .await
        .unwrap()
        .into_inner();
    let listed = answers.next().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(ListServiceResponse { service })) = listed else {
        panic!("{listed:?}");
    };
    let names: Vec<String> = service.into_iter().map(|service| service.name).collect();
    for service in SERVICES.into_iter().chain(["grpc.health.v1.Health"]) {
        assert!(names.iter().any(|name| name == service), "{service} in {names:?}");
    }
    let file = answers.next().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::FileDescriptorResponse(file)) = file else {
        panic!("{file:?}");
    };
    assert!(!file.file_descriptor_proto.is_empty());
    drop(answers);
    drop(reflection);
    server.stop().await;
}

/// A call made by hand, for what a proper client would not do: the response's status and how long it took.
pub async fn by_hand(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    frames: Vec<Bytes>,
    end: bool,
) -> (Option<i32>, Duration) {
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let (sender, connection) = h2::client::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut sender = sender.ready().await.unwrap();
    let mut request = http::Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let begun = Instant::now();
    let (response, mut body) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    for frame in frames {
        // The server may have closed the stream already.
        let _ = body.send_data(frame, false);
    }
    if end {
        let _ = body.send_data(Bytes::new(), true);
    }
    let response = tokio::time::timeout(Duration::from_secs(20), response)
        .await
        .expect("an answer in time")
        .unwrap();
    let status = |headers: &http::HeaderMap| -> Option<i32> {
        headers.get("grpc-status")?.to_str().ok()?.parse().ok()
    };
    let mut code = status(response.headers());
    if code.is_none() {
        let mut content = response.into_body();
        while content.data().await.is_some() {}
        code = content.trailers().await.unwrap().as_ref().and_then(status);
    }
    connection.abort();
    (code, begun.elapsed())
}

/// A message as gRPC frames it.
pub fn framed(message: &impl prost::Message) -> Bytes {
    let content = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
    frame.extend(content);
    frame.into()
}

const IMPORT: &str = "/incentivefund.v1.StatisticsService/ImportObservations";

async fn a_deadline_is_honoured(world: World) {
    let server = world
        .serve_within(Limits {
            max_calls: 1,
            ..limits()
        })
        .await;
    let mut client = server.client("统计员").await;
    import_xuchang(&mut client).await;
    // A caller who opens an import and then says nothing: the server ends it, and its place is free.
    for _ in 0..3 {
        let (code, took) = by_hand(
            server.address,
            IMPORT,
            &[("grpc-timeout", "200m"), ("incentive-fund-principal", "li")],
            vec![framed(&header_message(header("xuchang")))],
            false,
        )
        .await;
        let deadline = [Code::DeadlineExceeded as i32, Code::Cancelled as i32];
        assert!(deadline.contains(&code.unwrap()), "{code:?}");
        assert!(
            took >= Duration::from_millis(190) && took < Duration::from_secs(3),
            "{took:?}"
        );
    }
    client.create(xuchang_request("f")).await.unwrap();
    server.stop().await;
}

async fn a_call_past_its_deadline_finishes_what_it_began(world: World) {
    let server = world.serve().await;
    let mut client = server.client("编制人").await;
    import_xuchang(&mut client).await;
    let mut late = 0;
    for patience_us in [300, 1_000, 3_000, 10_000, 30_000] {
        let body = xuchang_request("f");
        let mut request = tonic::Request::new(body.clone());
        request.set_timeout(Duration::from_micros(patience_us));
        let answer = client.allocations.create_allocation(request).await;
        if let Err(status) = answer {
            let deadline = [Code::DeadlineExceeded, Code::Cancelled];
            assert!(deadline.contains(&status.code()), "{status:?}");
            late += 1;
        }
        // Done or not, the same request gives one run.
        let run = client.create(body.clone()).await.unwrap();
        assert_eq!(client.create(body).await.unwrap(), run);
    }
    assert!(late > 0);
    let list = pb::ListAllocationsRequest::default();
    let listed = client
        .allocations
        .list_allocations(list)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.allocations.len(), 5);
    server.stop().await;
}

async fn a_message_over_the_limit_is_refused(world: World) {
    let server = world
        .serve_within(Limits {
            max_message_bytes: 1 << 20,
            ..limits()
        })
        .await;
    let mut client = server.client("统计员").await;
    import_xuchang(&mut client).await;
    let long = |bytes: usize| pb::Region {
        note: "x".repeat(bytes),
        ..region("A")
    };
    // Below the limit it is the field that is refused, above it the message.
    refused(client.import_regions(vec![long(1_000_000)]).await).names("regions[0].note");
    for bytes in [2 << 20, 64 << 20] {
        let too_large = refused(client.import_regions(vec![long(bytes)]).await);
        assert_eq!(too_large.reason, "OVER_LIMIT", "{too_large:?}");
        assert!(too_large.en.contains("1048576"), "{too_large:?}");
    }
    let rows = vec![pb::ObservationRow {
        source: "x".repeat(2 << 20),
        ..row(2, "411081", "settled_new", "1")
    }];
    let messages = upload(header("xuchang"), rows);
    let import = client
        .statistics
        .import_observations(tokio_stream::iter(messages))
        .await;
    assert_eq!(refused(import).reason, "OVER_LIMIT");
    assert_eq!(client.data_set("xuchang").await.revision, 1);
    server.stop().await;
}

/// The program itself.
pub struct Program {
    child: Child,
    pub address: SocketAddr,
    /// What it logged before it served.
    pub began: Vec<serde_json::Value>,
}

impl Program {
    fn start(world: &World, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_incentive-fund"));
        command.args(["serve", "--insecure"]);
        Self::run(command, world, settings)
    }

    /// Serves callers with tokens, as a process that a shell has limited before.
    pub fn limited(world: &World, limits: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limits} && exec \"$0\" serve")]);
        command.arg(env!("CARGO_BIN_EXE_incentive-fund"));
        Self::run(command, world, settings)
    }

    fn run(mut command: Command, world: &World, settings: &[(&str, &str)]) -> Self {
        command
            .env("INCENTIVE_FUND__DATABASE__URL", &world.url)
            .env("INCENTIVE_FUND__SERVER__ADDRESS", "127.0.0.1:0")
            .env("INCENTIVE_FUND__LOG__FORMAT", "json")
            .env("INCENTIVE_FUND__LOG__FILTER", "warn,incentive_fund=info")
            .current_dir(std::env::temp_dir())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .stdin(Stdio::null());
        for (key, value) in settings {
            command.env(key, value);
        }
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let mut began = Vec::new();
        let address = loop {
            line.clear();
            assert_ne!(
                log.read_line(&mut line).unwrap(),
                0,
                "the server ended before it served"
            );
            let entry: serde_json::Value = serde_json::from_str(&line).unwrap();
            if let Some(address) = entry["address"].as_str() {
                break address.parse().unwrap();
            }
            began.push(entry);
        };
        // Read on, so that the pipe never fills.
        std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(drop));
        Self {
            child,
            address,
            began,
        }
    }

    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    pub async fn ended(mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The most memory the process has held, in KiB.
    fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn a_huge_message_takes_no_memory(world: World) {
    let program = Program::start(
        &world,
        &[("INCENTIVE_FUND__SERVER__MAX_MESSAGE_BYTES", "1048576")],
    );
    let mut client = connect(program.address, "统计员").await;
    import_xuchang(&mut client).await;
    let before = program.peak_memory();
    // A message that claims to be a gigabyte is refused by its first five bytes.
    let claim = Bytes::from_static(&[0, 0x40, 0, 0, 0]);
    let import = "/incentivefund.v1.StatisticsService/ImportRegions";
    for path in [import, IMPORT] {
        let headers = [("incentive-fund-principal", "li")];
        let (code, took) = by_hand(program.address, path, &headers, vec![claim.clone()], false).await;
        assert_eq!(code, Some(Code::OutOfRange as i32), "{path}");
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    let huge = pb::Region {
        note: "x".repeat(64 << 20),
        ..region("A")
    };
    for _ in 0..4 {
        client.import_regions(vec![huge.clone()]).await.unwrap_err();
    }
    let grown = program.peak_memory() - before;
    assert!(grown < 32 << 10, "{grown} KiB");
    client.create(xuchang_request("f")).await.unwrap();
    program.terminate();
    assert!(program.ended().await.success());
}

async fn a_server_that_is_full_says_when_to_try_again(world: World) {
    let server = world
        .serve_within(Limits {
            max_calls: 2,
            ..limits()
        })
        .await;
    let mut client = server.client("统计员").await;
    import_xuchang(&mut client).await;
    let mut slow = Vec::new();
    for _ in 0..2 {
        slow.push(slow_import(server.address, "xuchang").await);
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    let status = loop {
        let list = pb::ListRegionsRequest::default();
        match client.statistics.list_regions(list).await {
            Err(status) => break status,
            Ok(_) => assert!(Instant::now() < deadline, "never full"),
        }
        // An import may itself have come while the list took the last place.
        for import in &mut slow {
            if import.answer.is_finished() {
                *import = slow_import(server.address, "xuchang").await;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let busy = refusal(&status);
    assert_eq!(
        (busy.code, busy.reason.as_str()),
        (Code::ResourceExhausted, "SERVER_BUSY")
    );
    assert!(
        busy.retry_after
            .is_some_and(|wait| wait > Duration::ZERO && wait < Duration::from_secs(10))
    );
    assert_eq!(
        refused(client.create(xuchang_request("f")).await).reason,
        "SERVER_BUSY"
    );
    // Health answers all the same: busy is not broken.
    let mut health = HealthClient::new(channel(server.address).await);
    let status = health.check(health_of("")).await.unwrap().into_inner().status();
    assert_eq!(status, ServingStatus::Serving);
    // One who finishes makes room, and so does one who goes away.
    let first = slow.remove(0);
    drop(first.messages);
    first.answer.await.unwrap().unwrap();
    client.create(xuchang_request("f")).await.unwrap();
    slow.remove(0).answer.abort();
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let pair = [
            slow_import(server.address, "xuchang").await,
            slow_import(server.address, "xuchang").await,
        ];
        let mut both = true;
        for import in pair {
            drop(import.messages);
            both &= import.answer.await.unwrap().is_ok();
        }
        if both {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the place of one who went away is not free"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.stop().await;
}

async fn a_server_without_calls_stops_at_once(world: World) {
    let program = Program::start(&world, &[]);
    // A connection that is open but idle does not hold it up.
    let client = connect(program.address, "统计员").await;
    let begun = Instant::now();
    program.terminate();
    assert!(program.ended().await.success());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(client);
}

/// Waits until nobody listens any more.
async fn refuses_connections(address: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < deadline, "still listening");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn sigterm_finishes_what_was_begun(world: World) {
    const ROWS: u32 = 20_000;
    let program = Program::start(&world, &[]);
    let mut client = connect(program.address, "统计员").await;
    import_xuchang(&mut client).await;
    client
        .import_indicators(vec![indicator("many", "person")])
        .await
        .unwrap();
    client.create_data_set("many").await.unwrap();
    client
        .import_regions((0..ROWS / 100).map(|at| region(&format!("N{at}"))).collect())
        .await
        .unwrap();
    let rows: Vec<pb::ObservationRow> = (0..ROWS)
        .map(|at| pb::ObservationRow {
            year: (1950 + at % 100).to_string(),
            ..row(at + 2, &format!("N{}", at / 100), "many", &at.to_string())
        })
        .collect();
    let slow = slow_import(program.address, "many").await;
    let (before, after) = rows.split_at(rows.len() / 2);
    for chunk in before.chunks(1_000) {
        slow.messages.send(rows_message(chunk.to_vec())).await.unwrap();
    }
    // Another mutation is under way at the moment of the signal.
    let head = header("xuchang");
    let correction = vec![row(2, "411081", "settled_new", "1")];
    let mut other = connect(program.address, "统计员").await;
    let messages = upload(head.clone(), correction.clone());
    let under_way = tokio::spawn(async move {
        other
            .statistics
            .import_observations(tokio_stream::iter(messages))
            .await
    });
    program.terminate();
    refuses_connections(program.address).await;
    // A connection that is open may take a call more before it learns; such a call counts like any other.
    let mut accepted = 0;
    let late = loop {
        match client.create(xuchang_request("f")).await {
            Ok(_) => accepted += 1,
            Err(status) => break status,
        }
        assert!(accepted < 100, "calls are still accepted");
    };
    // The client's library says one or the other when the connection closes under a call not yet sent.
    let unsent = [Code::Unavailable, Code::Cancelled];
    assert!(unsent.contains(&late.code()), "{late:?}");
    for chunk in after.chunks(1_000) {
        slow.messages.send(rows_message(chunk.to_vec())).await.unwrap();
    }
    drop(slow.messages);
    let imported = slow.answer.await.unwrap().unwrap();
    assert_eq!((imported.added, imported.revised), (ROWS, 0));
    let corrected = under_way.await.unwrap();
    assert!(program.ended().await.success());

    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    assert_eq!(client.data_set("many").await.digest, imported.digest);
    assert_eq!(client.observations("dataSets/many").await.len(), ROWS as usize);
    // Answered or not, the correction is there once, and repeating it is harmless.
    let again = client.import_as(head, correction).await.unwrap();
    if let Ok(corrected) = corrected {
        assert_eq!(corrected.into_inner().revision.unwrap(), again);
    }
    assert_eq!(client.data_set("xuchang").await.revision, 2);
    let list = pb::ListAllocationsRequest::default();
    let runs = client
        .allocations
        .list_allocations(list)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(runs.allocations.len(), accepted);
    server.stop().await;
}

async fn sigterm_waits_no_longer_than_told(world: World) {
    let program = Program::start(
        &world,
        &[("INCENTIVE_FUND__SERVER__SHUTDOWN_TIMEOUT_SECONDS", "1")],
    );
    let mut client = connect(program.address, "统计员").await;
    import_xuchang(&mut client).await;
    let slow = slow_import(program.address, "xuchang").await;
    slow.messages
        .send(rows_message(vec![row(2, "411081", "settled_new", "1")]))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    program.terminate();
    assert!(program.ended().await.success());
    let took = begun.elapsed();
    assert!(
        took > Duration::from_millis(900) && took < Duration::from_secs(5),
        "{took:?}"
    );
    // The caller learns that it failed, and nothing of it was stored.
    slow.answer.await.unwrap().unwrap_err();
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    assert_eq!(client.data_set("xuchang").await.revision, 1);
    server.stop().await;
}
