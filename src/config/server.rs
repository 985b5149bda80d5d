//! The server: where it listens, and what it takes at most.

use super::range;
use crate::domain::error::Violation;
use crate::grpc::Rate;
use crate::grpc::server::Limits;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Server {
    pub address: SocketAddr,
    pub insecure: bool,
    pub max_message_bytes: usize,
    pub max_calls: usize,
    pub max_streams_per_connection: u32,
    pub max_connections: usize,
    pub max_metadata_bytes: u32,
    pub handshake_timeout_seconds: u64,
    pub caller_calls_per_second: u32,
    pub caller_burst: u32,
    pub call_timeout_seconds: u64,
    pub shutdown_timeout_seconds: u64,
}

impl Server {
    /// What the server takes at most.
    pub fn limits(&self) -> Limits {
        Limits {
            max_message_bytes: self.max_message_bytes,
            max_calls: self.max_calls,
            max_streams_per_connection: self.max_streams_per_connection,
            max_connections: self.max_connections,
            max_metadata_bytes: self.max_metadata_bytes,
            handshake_timeout: Duration::from_secs(self.handshake_timeout_seconds),
            caller_rate: NonZeroU32::new(self.caller_calls_per_second)
                .zip(NonZeroU32::new(self.caller_burst))
                .map(|(per_second, burst)| Rate { per_second, burst }),
            call_timeout: Duration::from_secs(self.call_timeout_seconds),
            shutdown_timeout: Duration::from_secs(self.shutdown_timeout_seconds),
        }
    }

    /// Adds what is out of its range.
    pub(super) fn check(&self, faults: &mut Vec<Violation>) {
        let mut within =
            |key: &str, value: u64, least: u64, most: u64| range(faults, key, value, least, most);
        within(
            "server.max_message_bytes",
            self.max_message_bytes as u64,
            1 << 16,
            1 << 30,
        );
        within("server.max_calls", self.max_calls as u64, 1, 100_000);
        within(
            "server.max_streams_per_connection",
            self.max_streams_per_connection.into(),
            1,
            100_000,
        );
        within(
            "server.call_timeout_seconds",
            self.call_timeout_seconds,
            1,
            86_400,
        );
        within(
            "server.shutdown_timeout_seconds",
            self.shutdown_timeout_seconds,
            0,
            3_600,
        );
        within(
            "server.max_connections",
            self.max_connections as u64,
            1,
            1_000_000,
        );
        within(
            "server.max_metadata_bytes",
            self.max_metadata_bytes.into(),
            4_096,
            1 << 20,
        );
        within(
            "server.handshake_timeout_seconds",
            self.handshake_timeout_seconds,
            1,
            600,
        );
        within("server.caller_burst", self.caller_burst.into(), 1, 1_000_000);
        if self.insecure && !self.address.ip().is_loopback() {
            faults.push(Violation::new(
                "server.insecure",
                format!("true, with server.address {}", self.address),
                "false: without authentication the server listens on a loopback address only",
                "false:不验证身份时只能监听回环地址",
            ));
        }
    }
}
