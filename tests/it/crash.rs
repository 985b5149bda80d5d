//! The built program, killed (SIGKILL) at random moments while 64 callers work, and started again on the same
//! database. Callers send what was not answered again, under the same request ids, until it is.

use crate::bureau::{books, seed, setting};
use crate::contention::{CALLERS, Caller, Crew, check_constant, lazily, open_crew};
use crate::harness::{Client, World, stories};
use incentive_fund::app::vault::Vault;
use std::fs::OpenOptions;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

stories!(nothing_acknowledged_is_lost_by_a_kill);

/// Longest wait for a server to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is killed and started again at the same address.
struct Mortal {
    url: String,
    address: SocketAddr,
    directory: tempfile::TempDir,
    child: Option<Child>,
}

impl Mortal {
    fn new(world: &World) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(
            directory.path().join("keys.toml"),
            Vault::generate("test", None).unwrap().as_bytes(),
        )
        .unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self {
            url: world.url.clone(),
            address,
            directory,
            child: None,
        }
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn start(&mut self) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_incentive-fund"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("INCENTIVE_FUND") {
                command.env_remove(name);
            }
        }
        let child = command
            .current_dir(self.directory.path())
            .args(["--set", &format!("database.url={}", self.url)])
            .args(["--set", &format!("server.address={}", self.address)])
            .args(["--set", "privacy.key_file=keys.toml"])
            .args(["--set", "log.filter=warn"])
            .args(["serve", "--insecure"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Waits until it answers.
    async fn serving(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", self.said());
            assert!(begun.elapsed() < PATIENCE, "{}", self.said());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // SIGKILL on Unix.
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// What all of them logged.
    fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap()
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn nothing_acknowledged_is_lost_by_a_kill(world: World) {
    let kills = setting("INCENTIVE_FUND_TEST_KILLS", 50);
    let seed = seed("crash");
    let mut random = crate::bureau::Random::new(seed);
    let mut server = Mortal::new(&world);
    server.start();
    server.serving().await;
    let office = |name: &str| Client::new(lazily(server.address), name);
    let (mut maker, mut checker) = (office("编制人"), office("审核人"));
    open_crew(&mut maker, &mut checker).await;
    let crew = Arc::new(Crew::default());
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..CALLERS {
        callers.spawn(Caller::new(number, seed, &[server.address], &crew).work(u64::MAX));
    }
    for kill in 0..kills {
        // Now and then before it serves.
        if kill % 10 != 9 {
            server.serving().await;
        }
        tokio::time::sleep(Duration::from_millis(random.below(600))).await;
        server.kill();
        server.start();
    }
    server.serving().await;
    crew.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    check_constant(&books(&mut checker).await);
    crew.check(&mut checker).await;
    let said = server.said();
    assert!(!said.contains("ERROR") && !said.contains("panicked"), "{said}");
    println!("{kills} kills");
}
