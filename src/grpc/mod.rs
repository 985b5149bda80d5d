//! The gRPC services: thin over the use cases. `convert` turns messages into domain types and back,
//! `status` turns errors into statuses, `gate` says who calls and how much at once.

pub mod access;
mod allocation;
mod audit;
mod bulk;
mod connection;
pub mod convert;
mod disbursement;
mod formula;
mod gate;
mod guard;
mod ledger;
mod page;
mod policy;
mod privacy;
mod reach;
mod reconciliation;
pub mod server;
mod simulation;
mod statistics;
pub mod status;
mod subsidy;
mod tls;
mod upload;
mod workers;

pub use gate::{PRINCIPAL_KEY, encode_principal};
pub use guard::{Access, Rate};
pub use tls::{Tls, TlsFiles};

/// The generated messages, clients and servers of `incentivefund.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used
)]
pub mod pb {
    tonic::include_proto!("incentivefund.v1");
}

/// The protos as an encoded `FileDescriptorSet`, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
