//! Records of the audit log, findings, and exports.

use crate::app::audit::AuditVerification;
use crate::app::clock;
use crate::domain::audit::{ChainName, Chained, Finding, Outcome};
use crate::domain::error::{Error, Violation};
use crate::grpc::pb;

const OUTCOMES: [(Outcome, pb::AuditOutcome); 3] = [
    (Outcome::Done, pb::AuditOutcome::Done),
    (Outcome::Refused, pb::AuditOutcome::Refused),
    (Outcome::Disclosed, pb::AuditOutcome::Disclosed),
];

/// Reads an outcome; none where it is not given.
pub fn outcome(field: &str, wire: i32) -> Result<Option<Outcome>, Violation> {
    if wire == 0 {
        return Ok(None);
    }
    let known = OUTCOMES.iter().find(|(_, known)| *known as i32 == wire);
    known
        .map(|(outcome, _)| Some(*outcome))
        .ok_or_else(|| Violation::new(field, wire.to_string(), "an outcome of the enum", "枚举中的结果"))
}

/// Writes a record.
pub fn from_record(chain: &ChainName, chained: &Chained) -> Result<pb::AuditRecord, Error> {
    let record = &chained.record;
    let changes = record.changes.as_ref();
    let outcome = OUTCOMES.iter().find(|(known, _)| *known == record.outcome);
    Ok(pb::AuditRecord {
        chain: chain.to_string(),
        number: chained.number,
        time: clock::format(record.at)?,
        principal: record.by.clone(),
        peer: record.peer.clone(),
        action: record.action.clone(),
        request_id: record.request_id.clone(),
        outcome: outcome.map_or(0, |(_, wire)| *wire as i32),
        reason: record.reason.clone(),
        resource: record.resource.clone(),
        resource_count: record.count,
        before_digest: record.before.clone(),
        after_digest: record.after.clone(),
        first_change: changes.map_or(0, |changes| changes.first),
        last_change: changes.map_or(0, |changes| changes.last),
        changes_digest: changes.map_or_else(String::new, |changes| changes.digest.to_string()),
        digest: chained.digest.to_string(),
    })
}

/// Writes the result of a verification.
pub fn from_verification(verification: &AuditVerification) -> pb::AuditVerification {
    let finding = |finding: &Finding| pb::AuditFinding {
        chain: finding.chain.to_string(),
        record: finding.record,
        field: finding.field.to_owned(),
        stored: finding.stored.clone(),
        expected: finding.expected.clone(),
    };
    pb::AuditVerification {
        chains: (verification.chains.iter())
            .map(|chain| pb::AuditChain {
                chain: chain.chain.to_string(),
                records: chain.records,
                digest: chain.digest.to_string(),
            })
            .collect(),
        checkpoints: verification.checkpoints,
        finding_count: verification.count,
        findings: verification.findings.iter().map(finding).collect(),
    }
}

const COLUMNS: [&str; 17] = [
    "chain",
    "number",
    "time",
    "principal",
    "peer",
    "action",
    "request_id",
    "outcome",
    "reason",
    "resource",
    "resource_count",
    "before_digest",
    "after_digest",
    "first_change",
    "last_change",
    "changes_digest",
    "digest",
];

fn fields((chain, chained): &(ChainName, Chained)) -> Result<[String; 17], Error> {
    let record = from_record(chain, chained)?;
    Ok([
        record.chain,
        record.number.to_string(),
        record.time,
        record.principal,
        record.peer,
        record.action,
        record.request_id,
        chained.record.outcome.code().to_owned(),
        record.reason,
        record.resource,
        record.resource_count.to_string(),
        record.before_digest,
        record.after_digest,
        record.first_change.to_string(),
        record.last_change.to_string(),
        record.changes_digest,
        record.digest,
    ])
}

/// Records as lines of JSON.
pub fn json_lines(records: &[(ChainName, Chained)]) -> Result<String, Error> {
    const NUMBERS: [&str; 4] = ["number", "resource_count", "first_change", "last_change"];
    let mut text = String::new();
    for record in records {
        let mut line = serde_json::Map::new();
        for (column, value) in COLUMNS.into_iter().zip(fields(record)?) {
            let value = if NUMBERS.contains(&column) {
                value.parse::<u64>().map_err(Error::internal)?.into()
            } else {
                value.into()
            };
            line.insert(column.to_owned(), value);
        }
        text.push_str(&serde_json::Value::Object(line).to_string());
        text.push('\n');
    }
    Ok(text)
}

/// Records as CSV, with the header before the first. A text that a spreadsheet would take for a formula is
/// written behind an apostrophe.
pub fn csv_lines(records: &[(ChainName, Chained)], header: bool) -> Result<String, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    if header {
        writer.write_record(COLUMNS).map_err(Error::internal)?;
    }
    for record in records {
        let fields = fields(record)?.map(|text| match text.chars().next() {
            Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
            _ => text,
        });
        writer.write_record(fields).map_err(Error::internal)?;
    }
    let bytes = writer.into_inner().map_err(Error::internal)?;
    String::from_utf8(bytes).map_err(Error::internal)
}
