//! Processor time by process, as Linux counts it (proc(5)): of this driver, of the server, of PostgreSQL's processes.

use std::fmt;
use std::fs;

/// Time used until some moment, in clock ticks of 10 ms.
pub struct Used([u64; 3]);

/// Microseconds for each call.
pub struct Each([f64; 3]);

impl Used {
    /// Until now; `server` is the program's process. Elsewhere than on Linux, nothing.
    pub fn now(server: u32) -> Self {
        let postgres = (fs::read_dir("/proc").into_iter().flatten())
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(ticks)
            .filter(|(name, _)| name == "postgres")
            .map(|(_, ticks)| ticks)
            .sum();
        let of = |process| ticks(process).map_or(0, |(_, ticks)| ticks);
        Self([of(std::process::id()), of(server), postgres])
    }

    /// What each of `count` calls took since `before`.
    pub fn each(&self, before: &Self, count: usize) -> Each {
        let each =
            |at: usize| self.0[at].saturating_sub(before.0[at]) as f64 * 10_000.0 / count.max(1) as f64;
        Each([each(0), each(1), each(2)])
    }
}

impl fmt::Display for Each {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [driver, server, database] = self.0;
        write!(f, "{driver:.0}, {server:.0}, {database:.0}")
    }
}

/// A process's name, and the time that it used as user and system.
fn ticks(process: u32) -> Option<(String, u64)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let mut fields = after.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((name, user + system))
}
