//! The audit log: what was done, by whom, from where, and with what outcome, as chains of records.
//!
//! A record holds no personal data: names of resources, digests, and who acted. Each record's digest is
//! over the record and the digest of the one before it, so that none can be changed, left out or moved
//! without every later one being wrong. [`Verifier`] computes a chain again; a [`Checkpoint`] is the
//! ends of all chains at one moment, signed, to be kept where those who keep the database cannot reach.

mod checkpoint;
mod verify;

pub use checkpoint::{ChainHead, Checkpoint, JournalHead};
pub use verify::{ChainSummary, Finding, Point, Verifier};

use super::allocation::FundId;
use super::digest::{Digest, DigestBuilder};
use super::error::Violation;
use std::fmt;

/// Names a chain: one for each fund, and one for what has no fund.
///
/// Whoever writes to a fund holds the lock of its row anyway, so a chain for each fund adds no waiting.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainName(String);

/// The text of the chain of what has no fund.
const GENERAL: &str = "general";

impl ChainName {
    /// The chain of what has no fund: catalogues, formulas, policies, drafts; what was refused outside a fund's
    /// transactions; and every disclosure of personal data.
    pub fn general() -> Self {
        Self(GENERAL.to_owned())
    }

    /// The chain of a fund.
    pub fn of_fund(fund: &FundId) -> Self {
        Self(format!("funds/{fund}"))
    }

    /// Reads a name.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        if text == GENERAL {
            return Ok(Self::general());
        }
        let refused = || {
            Violation::new(
                field,
                text,
                "a chain of the audit log: general, or funds/ID",
                "审计日志链名:general 或 funds/编号",
            )
        };
        let fund = text.strip_prefix("funds/").ok_or_else(refused)?;
        FundId::parse(field, fund).map(|fund| Self::of_fund(&fund))
    }

    /// A name as it is stored, whatever it is: what was appended by somebody else is verified as well.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The fund whose chain it is.
    pub fn fund(&self) -> Option<FundId> {
        FundId::parse("chain", self.0.strip_prefix("funds/")?).ok()
    }
}

impl fmt::Display for ChainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What became of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was carried out; of a bulk call, what [`Record::reason`] does not count as refused.
    Done,
    /// It was refused, and nothing was changed.
    Refused,
    /// Personal data was handed out.
    Disclosed,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Disclosed];

    /// The code used in the API, in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Disclosed => "disclosed",
        }
    }

    /// The Chinese name.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Done => "已执行",
            Self::Refused => "已拒绝",
            Self::Disclosed => "已披露",
        }
    }

    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.code() == text)
            .ok_or_else(|| {
                let codes = Self::ALL.map(Self::code).join(", ");
                Violation::new(
                    field,
                    text,
                    format!("one of {codes}"),
                    format!("下列之一:{codes}"),
                )
            })
    }
}

/// The lines of a fund's history that a record accounts for: numbers of the first and the last, and a digest
/// over them. They name every resource that was changed, where a record counts many.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Changes {
    /// Number of the first change.
    pub first: u64,
    /// Number of the last.
    pub last: u64,
    /// Digest over all of them.
    pub digest: Digest,
}

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// When (microseconds since 1970-01-01 UTC).
    pub at: i64,
    /// Who.
    pub by: String,
    /// From where, as the transport saw it: an address and port, or `in-process`.
    pub peer: String,
    /// The method called.
    pub action: String,
    /// The caller's id of the request; empty where there is none.
    pub request_id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was refused, such as `APPROVER_IS_CREATOR`; of a bulk call, how many were for which reason.
    pub reason: String,
    /// The resource changed or read; where there are many, what they have in common.
    pub resource: String,
    /// How many resources.
    pub count: u64,
    /// Digest of the resource before; empty where it was not there. Of many, over the digests of all.
    pub before: String,
    /// Digest of the resource after, likewise.
    pub after: String,
    /// The lines of the fund's history that tell it.
    pub changes: Option<Changes>,
}

/// A record in its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chained {
    /// Counted from 1 within the chain, without gaps.
    pub number: u64,
    /// What is recorded.
    pub record: Record,
    /// Digest of the record and of the one before it.
    pub digest: Digest,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Number of the last record; 0 where there is none.
    pub records: u64,
    /// Digest of the last record; empty where there is none.
    pub digest: Digest,
}

impl Head {
    /// The end of an empty chain.
    pub fn empty() -> Self {
        Self {
            records: 0,
            digest: Digest::from_stored(String::new()),
        }
    }

    /// Puts a record behind the last one.
    pub fn chain(&mut self, chain: &ChainName, record: Record) -> Chained {
        let number = self.records + 1;
        let digest = record.chained(chain, number, &self.digest);
        *self = Self {
            records: number,
            digest: digest.clone(),
        };
        Chained {
            number,
            record,
            digest,
        }
    }
}

impl Record {
    /// The digest that the record must have as number `number` of a chain, after one with the digest `before`.
    pub fn chained(&self, chain: &ChainName, number: u64, before: &Digest) -> Digest {
        let mut digest = DigestBuilder::new("incentivefund.v1.AuditRecord");
        digest
            .field(before.as_str())
            .field(chain.as_str())
            .field(&number.to_string())
            .field(&self.at.to_string())
            .field(&self.by)
            .field(&self.peer)
            .field(&self.action)
            .field(&self.request_id)
            .field(self.outcome.code())
            .field(&self.reason)
            .field(&self.resource)
            .field(&self.count.to_string())
            .field(&self.before)
            .field(&self.after);
        match &self.changes {
            None => digest.field(""),
            Some(changes) => digest
                .field(&changes.first.to_string())
                .field(&changes.last.to_string())
                .field(changes.digest.as_str()),
        };
        digest.finish()
    }
}

#[cfg(test)]
mod tests;
