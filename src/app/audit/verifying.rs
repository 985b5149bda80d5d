//! Verifying the log: every chain from its first record, the histories that records account for, and the
//! checkpoints, both those that are stored and those that were kept elsewhere.

use super::VerifyingKeys;
use super::trail::changes_of;
use crate::app::App;
use crate::app::records::Change;
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::audit::{ChainName, ChainSummary, Changes, Checkpoint, Finding, Head, Point, Verifier};
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use crate::store::{StoredRecord, Tx};
use std::collections::{BTreeMap, BTreeSet};

/// Records that are read at once.
const PAGE: u64 = 1_000;
/// Lines of a history that are read at once.
const LINES: u64 = 5_000;
/// Most lines that one record accounts for: those of the largest batch or import.
const MOST_LINES: u64 = 500_000;

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerification {
    /// The chains that were read.
    pub chains: Vec<ChainSummary>,
    /// How many checkpoints were compared with.
    pub checkpoints: u64,
    /// How much was found.
    pub count: u64,
    /// The first findings, chain by chain, in the order of records.
    pub findings: Vec<Finding>,
}

struct Findings {
    most: usize,
    count: u64,
    kept: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, found: impl IntoIterator<Item = Finding>) {
        for finding in found {
            self.count += 1;
            if self.kept.len() < self.most {
                self.kept.push(finding);
            }
        }
    }
}

type Points = BTreeMap<ChainName, BTreeMap<u64, Vec<Point>>>;

impl App {
    /// Verifies the whole log against `given` checkpoints and those that are stored, at most `most` findings in
    /// full. `keys` verify signatures, beside the key that is configured; where there is none at all, signatures of
    /// stored checkpoints are not looked at, and given ones are refused.
    ///
    /// It verifies what was there when it began. `progress` is told how many records were read, and says whether
    /// to go on.
    pub async fn verify_audit_log(
        &self,
        given: &[Checkpoint],
        keys: &VerifyingKeys,
        most: usize,
        mut progress: impl FnMut(u64) -> bool + Send,
    ) -> Result<Option<AuditVerification>, Error> {
        self.seal_audit_log().await?;
        let keys = match &self.audit.signing {
            Some(key) => keys.clone().and(key.verifying()),
            None => keys.clone(),
        };
        let mut findings = Findings {
            most,
            count: 0,
            kept: Vec::new(),
        };
        let (mut names, stored) = {
            let tx = self.store().begin_read().await?;
            let heads = tx.audit_heads().await?.into_iter();
            // Whatever chain has records, also one that no fund knows of.
            let mut names: BTreeSet<ChainName> = heads.map(|(chain, _)| chain).collect();
            let mut after = String::new();
            while let Some(chain) = tx.next_audit_chain(&after).await? {
                chain.as_str().clone_into(&mut after);
                names.insert(chain);
            }
            (names, tx.checkpoints(0, u64::from(u32::MAX)).await?)
        };
        let stored = stored_checkpoints(&stored, &keys, &mut findings);
        for checkpoint in given {
            let refused = keys.refuse(checkpoint);
            findings.add(refused.map(|refused| about(&checkpoint.label(), refused)));
        }
        let all: Vec<&Checkpoint> = stored.iter().chain(given).collect();
        let points = points(&all);
        names.extend(points.keys().cloned());
        let mut chains = Vec::with_capacity(names.len());
        let mut read = 0;
        for chain in names {
            let points = points.get(&chain).cloned().unwrap_or_default();
            let Some(summary) = self
                .verify_chain(&chain, points, &mut findings, |records| progress(read + records))
                .await?
            else {
                return Ok(None);
            };
            read += summary.records;
            chains.push(summary);
        }
        self.verify_journals(&all, &mut findings).await?;
        if findings.count > 0 {
            tracing::error!(
                findings = findings.count,
                "the audit log is not as it was recorded"
            );
        }
        Ok(Some(AuditVerification {
            chains,
            checkpoints: all.len() as u64,
            count: findings.count,
            findings: findings.kept,
        }))
    }

    async fn verify_chain(
        &self,
        chain: &ChainName,
        points: BTreeMap<u64, Vec<Point>>,
        findings: &mut Findings,
        mut progress: impl FnMut(u64) -> bool + Send,
    ) -> Result<Option<ChainSummary>, Error> {
        let mut verifier = Verifier::new(chain.clone(), points);
        let mut history = chain.fund().map(History::of);
        let (mut after, mut read) = (0, 0);
        loop {
            let tx = self.store().begin_read().await?;
            let page = tx.stored_audit_records(chain, after, PAGE).await?;
            // As it is stored in the moment that the page was read: the chain may have grown since this began.
            let (head, lines) = current_end(&tx, chain).await?;
            let whole = (page.len() as u64) < PAGE;
            for stored in &page {
                match stored {
                    Ok(record) => {
                        verifier.record(record);
                        if let (Some(history), Some(changes)) = (&mut history, &record.record.changes) {
                            let found = history.digest(&tx, changes).await?;
                            verifier.history(record.number, changes, found);
                        }
                    }
                    Err((number, digest, defect)) => verifier.unreadable(*number, defect, digest.clone()),
                }
                findings.add(verifier.take_findings());
            }
            read += page.len() as u64;
            if let Some(last) = page.last() {
                after = number_of(last);
            }
            if !progress(read) {
                return Ok(None);
            }
            if whole {
                let (summary, found) = verifier.finish(head.as_ref(), lines);
                findings.add(found);
                return Ok(Some(summary));
            }
        }
    }

    /// The entries of journals that checkpoints name.
    async fn verify_journals(
        &self,
        checkpoints: &[&Checkpoint],
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let mut wanted: BTreeMap<(&str, u64), BTreeMap<&Digest, String>> = BTreeMap::new();
        for checkpoint in checkpoints {
            for journal in &checkpoint.journals {
                let key = (journal.fund.as_str(), journal.entries);
                let digests = wanted.entry(key).or_default();
                digests
                    .entry(&journal.digest)
                    .or_insert_with(|| checkpoint.label());
            }
        }
        let keys: Vec<(&str, u64)> = wanted.keys().copied().collect();
        let mut stored = BTreeMap::new();
        for chunk in keys.chunks(1_000) {
            let tx = self.store().begin_read().await?;
            for (fund, number, digest) in tx.entry_digests(chunk).await? {
                stored.insert((fund, number), digest);
            }
        }
        for ((fund, number), digests) in wanted {
            let found = stored.get(&(fund.to_owned(), number));
            for (digest, label) in digests {
                if found == Some(digest) {
                    continue;
                }
                findings.add([Finding {
                    chain: ChainName::from_stored(format!("funds/{fund}/entries")),
                    record: number,
                    field: "checkpoint",
                    stored: found.map_or_else(|| "(none)".to_owned(), ToString::to_string),
                    expected: format!("{digest} ({label})"),
                }]);
            }
        }
        Ok(())
    }
}

/// A fund's history, read ahead.
struct History {
    fund: FundId,
    lines: Vec<Change>,
}

impl History {
    const fn of(fund: FundId) -> Self {
        Self {
            fund,
            lines: Vec::new(),
        }
    }

    /// The digest of lines as they are stored; none where some are missing.
    async fn digest(&mut self, tx: &Tx, changes: &Changes) -> Result<Option<Digest>, Error> {
        let count = changes.last.saturating_sub(changes.first).saturating_add(1);
        // Nothing that the program writes accounts for more.
        if changes.first == 0 || changes.last < changes.first || count > MOST_LINES {
            return Ok(None);
        }
        let ahead = self.lines.first().zip(self.lines.last());
        if ahead.is_none_or(|(first, last)| changes.first < first.number || last.number < changes.last) {
            let after = changes.first - 1;
            self.lines = tx
                .changes(&self.fund, &Scope::All, None, after, count.max(LINES))
                .await?;
        }
        let from = self.lines.partition_point(|line| line.number < changes.first);
        let to = self.lines.partition_point(|line| line.number <= changes.last);
        let found = self.lines.get(from..to).unwrap_or_default();
        let whole = found.len() as u64 == count;
        Ok(changes_of(found).filter(|_| whole).map(|changes| changes.digest))
    }
}

/// The end of a chain as it is stored in the moment that `tx` reads, and how many lines the fund's history has.
async fn current_end(tx: &Tx, chain: &ChainName) -> Result<(Option<Head>, Option<u64>), Error> {
    if *chain == ChainName::general() {
        return Ok((Some(tx.general_audit_head().await?), None));
    }
    let Some(fund) = chain.fund() else {
        return Ok((None, None));
    };
    let head = tx.fund_heads(std::slice::from_ref(&fund)).await?.remove(&fund);
    Ok(head.map_or((None, None), |head| (Some(head.audit), Some(head.changes))))
}

const fn number_of(stored: &StoredRecord) -> u64 {
    match stored {
        Ok(record) => record.number,
        Err((number, ..)) => *number,
    }
}

/// Reads what is stored of checkpoints, each after the one before it.
fn stored_checkpoints(
    stored: &[(u64, String)],
    keys: &VerifyingKeys,
    findings: &mut Findings,
) -> Vec<Checkpoint> {
    let mut read: Vec<Checkpoint> = Vec::with_capacity(stored.len());
    let (mut expected, mut previous) = (1, Digest::from_stored(String::new()));
    for (number, document) in stored {
        let label = format!("checkpoint {number}");
        if *number != expected {
            let missing = ("record", "(none)".to_owned(), format!("checkpoint {expected}"));
            findings.add([about(&format!("checkpoint {expected}"), missing)]);
        }
        expected = number + 1;
        let Ok(checkpoint) = serde_json::from_str::<Checkpoint>(document) else {
            let broken = "a checkpoint as it was made".to_owned();
            findings.add([about(&label, ("record", "unreadable".to_owned(), broken))]);
            previous = Digest::of(document.as_bytes());
            continue;
        };
        let refused = if keys.is_empty() {
            let computed = checkpoint.computed();
            (checkpoint.digest != computed)
                .then(|| ("digest", checkpoint.digest.to_string(), computed.to_string()))
        } else {
            keys.refuse(&checkpoint)
        };
        findings.add(refused.map(|refused| about(&label, refused)));
        if checkpoint.number != *number {
            let numbers = ("number", checkpoint.number.to_string(), number.to_string());
            findings.add([about(&label, numbers)]);
        }
        // After a missing one there is nothing to compare with.
        if checkpoint.previous != previous && read.last().is_none_or(|last| last.number + 1 == *number) {
            let digests = ("previous", checkpoint.previous.to_string(), previous.to_string());
            findings.add([about(&label, digests)]);
        }
        previous = checkpoint.digest.clone();
        read.push(checkpoint);
    }
    read
}

fn about(label: &str, (field, stored, expected): (&'static str, String, String)) -> Finding {
    Finding {
        chain: ChainName::from_stored(label.to_owned()),
        record: 0,
        field,
        stored,
        expected,
    }
}

/// What checkpoints say of chains; the same said by several counts once.
fn points(checkpoints: &[&Checkpoint]) -> Points {
    let mut points: Points = BTreeMap::new();
    for checkpoint in checkpoints {
        for (chain, head) in checkpoint.chain_names() {
            let at = points.entry(chain).or_default().entry(head.records).or_default();
            if at.iter().all(|point| point.digest != head.digest) {
                at.push(Point {
                    digest: head.digest.clone(),
                    checkpoint: checkpoint.label(),
                });
            }
        }
    }
    points
}
