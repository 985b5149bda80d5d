//! Verification: a chain computed again from its first record, and compared with checkpoints.

use super::{ChainName, Chained, Changes, Head};
use crate::domain::digest::Digest;
use std::collections::BTreeMap;

/// Something stored that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The chain.
    pub chain: ChainName,
    /// The record; 0 where it is about none.
    pub record: u64,
    /// What differs: a field of the record, `record` where the whole is missing or unreadable, `head` for the
    /// stored end of the chain, `checkpoint`, `history` for the fund's lines that it accounts for.
    pub field: &'static str,
    /// What is stored.
    pub stored: String,
    /// What it must be.
    pub expected: String,
}

/// What a checkpoint says of a chain: the digest of the record with a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The digest.
    pub digest: Digest,
    /// Which checkpoint, for people.
    pub checkpoint: String,
}

/// What became of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainSummary {
    /// The chain.
    pub chain: ChainName,
    /// How many records were read.
    pub records: u64,
    /// Digest of the last.
    pub digest: Digest,
}

/// Computes a chain again, record by record.
///
/// After a difference it goes on from what is stored: every place that was changed is named, and not all
/// that come after it.
#[derive(Debug)]
pub struct Verifier {
    chain: ChainName,
    last: Head,
    read: u64,
    /// What checkpoints say, by number of record.
    points: BTreeMap<u64, Vec<Point>>,
    /// Number of the last change accounted for; none before the first.
    told: Option<u64>,
    found: Vec<Finding>,
}

const MISSING: &str = "(none)";

impl Verifier {
    /// Begins before the first record.
    pub fn new(chain: ChainName, points: BTreeMap<u64, Vec<Point>>) -> Self {
        Self {
            chain,
            last: Head::empty(),
            read: 0,
            points,
            told: None,
            found: Vec::new(),
        }
    }

    /// The next record that is stored, in order of numbers.
    pub fn record(&mut self, stored: &Chained) {
        self.follows(stored.number);
        let expected = stored
            .record
            .chained(&self.chain, stored.number, &self.last.digest);
        if stored.digest != expected {
            self.differs(
                stored.number,
                "digest",
                stored.digest.to_string(),
                expected.to_string(),
            );
        }
        if let Some(changes) = &stored.record.changes {
            let next = self.told.map(|told| told + 1);
            if changes.last < changes.first || next.is_some_and(|next| next != changes.first) {
                let expected = next.map_or_else(|| "a range".to_owned(), |next| format!("{next}-…"));
                let stored_as = format!("{}-{}", changes.first, changes.last);
                self.differs(stored.number, "changes", stored_as, expected);
            }
            self.told = Some(changes.last);
        }
        self.arrive(stored.number, stored.digest.clone());
    }

    /// The next record that is stored, which is none that was ever recorded.
    pub fn unreadable(&mut self, number: u64, defect: &str, digest: Digest) {
        self.follows(number);
        self.differs(
            number,
            "record",
            defect.to_owned(),
            "a record as it was made".to_owned(),
        );
        self.arrive(number, digest);
    }

    /// Compares the fund's lines that a record accounts for with their digest; `found` is none where lines are
    /// missing.
    pub fn history(&mut self, number: u64, changes: &Changes, found: Option<Digest>) {
        if found.as_ref() == Some(&changes.digest) {
            return;
        }
        let range = format!("changes {}-{}", changes.first, changes.last);
        let stored = match found {
            Some(digest) => format!("{range}: {digest}"),
            None => format!("{range}: some are missing"),
        };
        self.differs(number, "history", stored, format!("{range}: {}", changes.digest));
    }

    /// Takes what was found since the last time.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.found)
    }

    /// Compares the stored end of the chain, and ends. `head` is none where the chain's end is not stored; `lines` is
    /// how many lines the fund's history has, all of which records account for.
    pub fn finish(mut self, head: Option<&Head>, lines: Option<u64>) -> (ChainSummary, Vec<Finding>) {
        let stored = head.cloned().unwrap_or_else(Head::empty);
        if stored.records > self.last.records {
            let (number, found) = (self.last.records + 1, MISSING.to_owned());
            let expected = format!("record {number} of {}", stored.records);
            self.differs(number, "record", found, expected);
        } else if stored.records < self.last.records {
            let number = stored.records + 1;
            self.differs(
                number,
                "record",
                format!("record {number}"),
                format!("no record after {}", stored.records),
            );
        } else if stored != self.last {
            let (stored, expected) = (stored.digest.to_string(), self.last.digest.to_string());
            self.differs(self.last.records, "head", stored, expected);
        } else if let (Some(lines), Some(told)) = (lines, self.told)
            && lines != told
        {
            let (stored, expected) = (format!("changes up to {lines}"), format!("changes up to {told}"));
            self.differs(self.last.records, "history", stored, expected);
        }
        // Whatever a checkpoint knows beyond the end was cut off.
        let beyond: Vec<(u64, Point)> = std::mem::take(&mut self.points)
            .into_iter()
            .flat_map(|(number, points)| points.into_iter().map(move |point| (number, point)))
            .collect();
        for (number, point) in beyond {
            let expected = format!("{} ({})", point.digest, point.checkpoint);
            self.differs(number, "checkpoint", MISSING.to_owned(), expected);
        }
        let summary = ChainSummary {
            chain: self.chain,
            records: self.read,
            digest: self.last.digest,
        };
        (summary, self.found)
    }

    fn follows(&mut self, number: u64) {
        self.read += 1;
        let expected = self.last.records + 1;
        if number != expected {
            // Named by the first that is missing.
            let before = format!("record {expected} before {number}");
            self.differs(expected, "record", MISSING.to_owned(), before);
        }
    }

    fn arrive(&mut self, number: u64, digest: Digest) {
        let passed: Vec<u64> = self.points.range(..=number).map(|(at, _)| *at).collect();
        for at in passed {
            for point in self.points.remove(&at).unwrap_or_default() {
                let expected = format!("{} ({})", point.digest, point.checkpoint);
                if at != number {
                    self.differs(at, "checkpoint", MISSING.to_owned(), expected);
                } else if point.digest != digest {
                    self.differs(at, "checkpoint", digest.to_string(), expected);
                }
            }
        }
        self.last = Head {
            records: number,
            digest,
        };
    }

    fn differs(&mut self, record: u64, field: &'static str, stored: String, expected: String) {
        self.found.push(Finding {
            chain: self.chain.clone(),
            record,
            field,
            stored,
            expected,
        });
    }
}
