//! Allocation and disbursement of a citizenization incentive fund (农业转移人口市民化奖补资金).
//!
//! Dependencies point one way: `grpc` and `cli` → `app` → `domain`; `store` implements what `app`
//! needs. `docs/ARCHITECTURE.md` in the repository has the map.

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod domain;
pub mod grpc;
pub mod payment;
pub mod report;
pub mod shipped;
pub mod statement;
pub mod store;
pub mod tabular;
pub mod telemetry;
