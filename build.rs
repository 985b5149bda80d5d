//! Compiles the protos with a compiler written in Rust: no `protoc` needs to be installed.

use std::path::PathBuf;

const PROTOS: [&str; 13] = [
    "money",
    "region",
    "statistics",
    "formula",
    "allocation",
    "ledger",
    "policy",
    "subsidy",
    "disbursement",
    "simulation",
    "reconciliation",
    "audit",
    "privacy",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<String> = PROTOS
        .iter()
        .map(|name| format!("incentivefund/v1/{name}.proto"))
        .collect();
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(&files, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(
        out.join("descriptors.bin"),
        protox::prost::Message::encode_to_vec(&descriptors),
    )?;
    // Maps in the order of their keys, so that a message has one encoding: requests are compared by its digest.
    tonic_prost_build::configure()
        .btree_map(".")
        .compile_fds(descriptors)?;
    Ok(())
}
