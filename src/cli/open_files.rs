//! How many files the server may have open: every connection is one.
//!
//! A process begins with few, 1,024 on most systems, so that old programs which wait by `select` do not break; one
//! that needs more raises that by itself, up to a hard limit that only its administrator can raise.

use crate::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files of one database connection: SQLite's are the database, its journal and the journal's index.
const OF_A_DATABASE_CONNECTION: u64 = 3;
/// Files of one call: a statement that is uploaded, and what it becomes.
const OF_A_CALL: u64 = 2;
/// The listener, the log, the runtime's own, a file of keys that is read.
const BESIDE: u64 = 64;

/// Raises the limit to what the configuration can come to; where the system does not allow that, says what to do.
/// The server then serves all the same: connections are refused only once there are too many.
pub(super) fn allow(config: &Config) {
    let wanted = wanted(config);
    let limit = getrlimit(Resource::Nofile);
    // None means without limit.
    let Some(now) = limit.current.filter(|now| *now < wanted) else {
        return;
    };
    let most = limit.maximum.map_or(wanted, |most| most.min(wanted));
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(most),
            maximum: limit.maximum,
        },
    );
    let allowed = match raised {
        Ok(()) => most,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            now
        }
    };
    if allowed < wanted {
        tracing::warn!(
            allowed,
            wanted,
            max_connections = config.server.max_connections,
            "too few open files for server.max_connections: raise the hard limit (LimitNOFILE= of a systemd unit, \
             --ulimit nofile= of a container, ulimit -Hn of a shell) or lower server.max_connections / \
             允许打开的文件数少于 server.max_connections 所需:请提高硬限制,或调低 server.max_connections"
        );
    } else {
        tracing::debug!(before = now, allowed, "limit of open files raised");
    }
}

/// What the server can come to have open.
fn wanted(config: &Config) -> u64 {
    let connections = config.server.max_connections as u64;
    let database = u64::from(config.database.max_connections) * OF_A_DATABASE_CONNECTION;
    let calls = config.server.max_calls as u64 * OF_A_CALL;
    connections + database + calls + BESIDE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_connections_fit_beside_what_else_is_open() {
        let settings = [
            "server.max_connections=10000",
            "server.max_calls=100",
            "database.max_connections=8",
        ];
        let config = Config::load(None, &settings.map(str::to_owned)).unwrap();
        assert_eq!(wanted(&config), 10_000 + 24 + 200 + 64);
    }
}
