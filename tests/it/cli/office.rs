//! An empty directory with a database, in which the built program runs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for a server to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a command gave.
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
    pub bytes: Vec<u8>,
}

/// A directory of its own, in which the examples and the configuration of the repository are at hand.
pub struct Office {
    directory: TempDir,
    server: Option<String>,
}

impl Office {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["examples", "config"] {
            std::os::unix::fs::symlink(root().join(name), directory.path().join(name)).unwrap();
        }
        Self {
            directory,
            server: None,
        }
    }

    /// An office with the regions, indicators and observations of Xuchang.
    pub fn xuchang() -> Self {
        let office = Self::new();
        office.ok("import regions examples/xuchang/regions.csv");
        office.ok("import indicators config/indicators.csv");
        office.ok("import observations examples/xuchang/observations.csv --data-set xuchang");
        office
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file and gives back its name.
    pub fn write<'n>(&self, name: &'n str, content: impl AsRef<[u8]>) -> &'n str {
        std::fs::write(self.path(name), content).unwrap();
        name
    }

    /// The program in this directory; nothing of the caller's environment configures it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_incentive-fund"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("INCENTIVE_FUND") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// Runs the program with these words. Options come first where they are not the command's own.
    pub fn words(&self, words: &[&str]) -> Answer {
        let mut command = self.command();
        if let Some(url) = &self.server {
            command.args(["--server", url]);
        }
        finish(command.args(words))
    }

    /// Runs the program with words that are separated by spaces.
    pub fn run(&self, line: &str) -> Answer {
        self.words(&line.split(' ').collect::<Vec<_>>())
    }

    /// Runs the program, which must succeed and say nothing on the side; gives what it printed.
    pub fn ok(&self, line: &str) -> String {
        let answer = self.run(line);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{line}");
        answer.out
    }

    /// Runs the program, which must fail with this code and print no result; gives the error.
    pub fn fails(&self, code: i32, line: &str) -> String {
        let answer = self.run(line);
        assert_eq!(
            (answer.code, answer.out.as_str()),
            (code, ""),
            "{line}: {}",
            answer.err
        );
        answer.err
    }

    /// The same directory, with every command going to a server.
    pub fn through(mut self, server: &Served) -> Self {
        self.server = Some(server.url());
        self
    }
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Answer {
    let output = command.output().unwrap();
    Answer {
        code: output.status.code().expect("ended by a signal"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        bytes: output.stdout,
    }
}

/// A server on a free port, ended with its test.
pub struct Served {
    child: Child,
    address: String,
}

impl Served {
    /// Serves the database of an office, to whoever calls.
    pub fn start(office: &Office) -> Self {
        Self::with(office, &["serve", "--insecure"])
    }

    /// Serves the database of an office, by a command of its own.
    pub fn with(office: &Office, words: &[&str]) -> Self {
        let mut child = office
            .command()
            .args(["--set", "server.address=127.0.0.1:0", "--set", "log.format=json"])
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| {
                let log: serde_json::Value = serde_json::from_str(&line).ok()?;
                (log["message"] == "serving").then(|| log["address"].as_str().unwrap().to_owned())
            })
            .expect("the server says where it serves");
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks the server to end as a service manager does, and waits for it.
    pub fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The id of the allocation that an output says was kept.
pub fn kept(text: &str) -> String {
    let at = text.find("allocations/").expect("the name of an allocation") + "allocations/".len();
    text[at..at + 36].to_owned()
}

/// A text without what differs from run to run: ids, etags and times.
pub fn masked(text: &str) -> String {
    let masks = [
        ("allocations/", "0123456789abcdef-", 36, "ID"),
        ("etag ", "0123456789abcdef", 12, "ETAG"),
    ];
    let mut masked = text.to_owned();
    for (before, alphabet, length, mask) in masks {
        let mut from = 0;
        while let Some(at) = masked[from..].find(before) {
            from += at + before.len();
            let end = from + length;
            if masked
                .get(from..end)
                .is_some_and(|id| id.chars().all(|c| alphabet.contains(c)))
            {
                masked.replace_range(from..end, mask);
            }
        }
    }
    masked
}

/// Compares with a file in `tests/data/golden`; with UPDATE_GOLDEN set it writes the file.
pub fn golden(name: &str, found: &str) {
    let path = root().join("tests/data/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(found, expected, "{name} differs; UPDATE_GOLDEN=1 writes it anew");
}
