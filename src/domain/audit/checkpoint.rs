//! Checkpoints: the ends of all chains and journals at one moment, to be signed and kept elsewhere.

use super::ChainName;
use crate::domain::digest::{Digest, DigestBuilder};
use serde::{Deserialize, Serialize};

/// The end of a chain of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainHead {
    /// The chain.
    pub chain: String,
    /// Number of its last record.
    pub records: u64,
    /// Digest of the last record.
    pub digest: Digest,
}

/// The end of a fund's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalHead {
    /// The fund.
    pub fund: String,
    /// Number of its last entry.
    pub entries: u64,
    /// Digest of the last entry.
    pub digest: Digest,
}

/// A checkpoint. As a document it is JSON with these fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Counted from 1 within the database.
    pub number: u64,
    /// When (microseconds since 1970-01-01 UTC).
    pub at: i64,
    /// Digest of the checkpoint before it; empty for the first.
    pub previous: Digest,
    /// The chains that have records, by name.
    pub chains: Vec<ChainHead>,
    /// The journals that have entries, by fund.
    pub journals: Vec<JournalHead>,
    /// Digest of all the above: what is signed.
    pub digest: Digest,
    /// Id of the key that signed it.
    pub key: String,
    /// The Ed25519 signature (RFC 8032) of the digest's text, base64.
    pub signature: String,
}

impl Checkpoint {
    /// The digest that the checkpoint must have.
    pub fn computed(&self) -> Digest {
        let mut digest = DigestBuilder::new("incentivefund.v1.AuditCheckpoint");
        digest
            .field(&self.number.to_string())
            .field(&self.at.to_string())
            .field(self.previous.as_str())
            .field(&self.chains.len().to_string());
        for head in &self.chains {
            digest
                .field(&head.chain)
                .field(&head.records.to_string())
                .field(head.digest.as_str());
        }
        digest.field(&self.journals.len().to_string());
        for head in &self.journals {
            digest
                .field(&head.fund)
                .field(&head.entries.to_string())
                .field(head.digest.as_str());
        }
        digest.finish()
    }

    /// A name for people.
    pub fn label(&self) -> String {
        format!("checkpoint {}", self.number)
    }

    /// The chains that it speaks of.
    pub fn chain_names(&self) -> impl Iterator<Item = (ChainName, &ChainHead)> {
        let name = |head: &ChainHead| ChainName::from_stored(head.chain.clone());
        self.chains.iter().map(move |head| (name(head), head))
    }
}
