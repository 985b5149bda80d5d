//! Accounts, entries, balances, status, findings and changes.

use super::{localized, names, signature};
use crate::app::clock;
use crate::app::ledger::{FundStatus, Posted, entry_name};
use crate::app::records::{Change, FundHead};
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::ledger::{
    Account, Bucket, Entry, Event, Finding, StatusLine, Verification, by_region, total,
};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use crate::grpc::pb;

const PAYERS: [(Payer, pb::Payer); 2] = [(Payer::City, pb::Payer::City), (Payer::County, pb::Payer::County)];

const BUCKETS: [(Bucket, pb::Bucket); 7] = [
    (Bucket::Source, pb::Bucket::Source),
    (Bucket::Surrendered, pb::Bucket::Surrendered),
    (Bucket::Unallocated, pb::Bucket::Unallocated),
    (Bucket::Quota, pb::Bucket::Quota),
    (Bucket::Reserved, pb::Bucket::Reserved),
    (Bucket::InPayment, pb::Bucket::InPayment),
    (Bucket::Paid, pb::Bucket::Paid),
];

const EVENTS: [(Event, pb::LedgerEvent); 14] = [
    (Event::Receive, pb::LedgerEvent::Receive),
    (Event::Surrender, pb::LedgerEvent::Surrender),
    (Event::Issue, pb::LedgerEvent::Issue),
    (Event::Recover, pb::LedgerEvent::Recover),
    (Event::Contribute, pb::LedgerEvent::Contribute),
    (Event::Retract, pb::LedgerEvent::Retract),
    (Event::Assign, pb::LedgerEvent::Assign),
    (Event::Unassign, pb::LedgerEvent::Unassign),
    (Event::Reserve, pb::LedgerEvent::Reserve),
    (Event::Release, pb::LedgerEvent::Release),
    (Event::Instruct, pb::LedgerEvent::Instruct),
    (Event::Settle, pb::LedgerEvent::Settle),
    (Event::Fail, pb::LedgerEvent::Fail),
    (Event::Return, pb::LedgerEvent::Return),
];

/// Reads a payer; none where it is not given.
pub fn payer(field: &str, wire: i32) -> Result<Option<Payer>, Violation> {
    read(
        field,
        wire,
        PAYERS.map(|(payer, known)| (payer, known as i32)),
        "a payer",
        "资金来源",
    )
}

/// Writes a payer.
pub fn from_payer(payer: Payer) -> i32 {
    PAYERS
        .into_iter()
        .find(|(known, _)| *known == payer)
        .map_or(0, |(_, wire)| wire as i32)
}

/// Reads a bucket; none where it is not given.
pub fn bucket(field: &str, wire: i32) -> Result<Option<Bucket>, Violation> {
    let known = BUCKETS.map(|(bucket, known)| (bucket, known as i32));
    read(field, wire, known, "a bucket", "资金状态")
}

/// Reads an event; none where it is not given.
pub fn event(field: &str, wire: i32) -> Result<Option<Event>, Violation> {
    let known = EVENTS.map(|(event, known)| (event, known as i32));
    read(field, wire, known, "an event of the ledger", "记账事项")
}

fn read<T: Copy, const N: usize>(
    field: &str,
    wire: i32,
    known: [(T, i32); N],
    en: &str,
    zh: &str,
) -> Result<Option<T>, Violation> {
    if wire == 0 {
        return Ok(None);
    }
    let found = known.into_iter().find(|(_, known)| *known == wire);
    found
        .map(|(value, _)| Some(value))
        .ok_or_else(|| Violation::new(field, wire.to_string(), en, zh))
}

/// Reads an account to filter by.
pub fn account(field: &str, wire: &pb::Account) -> Result<Account, Violation> {
    let within = |name: &str| format!("{field}.{name}");
    let given = bucket(&within("bucket"), wire.bucket)?;
    Ok(Account {
        payer: payer(&within("payer"), wire.payer)?.unwrap_or(Payer::City),
        region: names::optional_region(&within("region"), &wire.region)?,
        programme: names::optional_programme(&within("programme"), &wire.programme)?,
        bucket: given.ok_or_else(|| {
            Violation::new(
                within("bucket"),
                "",
                "the bucket of the account",
                "账户的资金状态",
            )
        })?,
    })
}

/// Writes an account.
pub fn from_account(account: &Account) -> pb::Account {
    pb::Account {
        payer: from_payer(account.payer),
        region: region_name(account.region.as_ref()),
        programme: programme_name(account.programme.as_ref()),
        bucket: BUCKETS
            .into_iter()
            .find(|(known, _)| *known == account.bucket)
            .map_or(0, |(_, wire)| wire as i32),
    }
}

fn region_name(region: Option<&RegionCode>) -> String {
    region.map(names::of_region).unwrap_or_default()
}

fn programme_name(programme: Option<&ProgrammeCode>) -> String {
    programme.map(names::of_programme).unwrap_or_default()
}

/// Writes an entry.
///
/// What an account holds that is out of reach is left out.
pub fn from_entry(scope: &Scope, fund: &FundId, entry: &Entry) -> Result<pb::LedgerEntry, Error> {
    let shown = |account: &Account, balance: Money| {
        if scope.covers_optional(account.region.as_ref()) {
            balance.to_string()
        } else {
            String::new()
        }
    };
    let posting = &entry.posting;
    Ok(pb::LedgerEntry {
        name: entry_name(fund, entry.number),
        number: entry.number,
        posted: Some(signature(&entry.signed)?),
        event: EVENTS
            .into_iter()
            .find(|(known, _)| *known == posting.event)
            .map_or(0, |(_, wire)| wire as i32),
        from: Some(from_account(&posting.from)),
        to: Some(from_account(&posting.to)),
        amount: posting.amount.to_string(),
        from_balance: shown(&posting.from, entry.from_balance),
        to_balance: shown(&posting.to, entry.to_balance),
        subject: posting.subject.clone(),
        note: posting.note.clone(),
        reverses: posting
            .reverses
            .map(|number| entry_name(fund, number))
            .unwrap_or_default(),
        digest: entry.digest.as_str().to_owned(),
    })
}

/// Writes what was posted.
pub fn from_posted(scope: &Scope, posted: &Posted) -> Result<Vec<pb::LedgerEntry>, Error> {
    let entries = posted.entries.iter();
    entries
        .map(|entry| from_entry(scope, &posted.fund, entry))
        .collect()
}

/// Writes the balance of an account.
pub fn from_balance((account, amount): &(Account, Money)) -> pb::Balance {
    pb::Balance {
        account: Some(from_account(account)),
        amount: amount.to_string(),
    }
}

/// Writes a fund; to who does not reach all of it, no more than its name.
pub fn from_fund(scope: &Scope, fund: &FundId, head: &FundHead) -> Result<pb::Fund, Error> {
    let journal = &head.journal;
    if !scope.is_all() {
        return Ok(pb::Fund {
            name: names::of_fund(fund),
            ..pb::Fund::default()
        });
    }
    Ok(pb::Fund {
        name: names::of_fund(fund),
        entries: journal.entries,
        digest: journal.digest.as_str().to_owned(),
        time: if journal.entries == 0 {
            String::new()
        } else {
            clock::format(journal.at)?
        },
        changes: head.changes,
    })
}

/// Writes a fund's status.
pub fn from_status(scope: &Scope, status: &FundStatus) -> Result<pb::GetFundStatusResponse, Error> {
    let lines = |lines: &[StatusLine]| lines.iter().map(|line| from_line(status, line)).collect();
    Ok(pb::GetFundStatusResponse {
        fund: Some(from_fund(scope, &status.fund, &status.head)?),
        lines: lines(&status.lines),
        regions: lines(&by_region(&status.lines)),
        total: Some(from_line(status, &total(&status.lines))),
    })
}

fn from_line(status: &FundStatus, line: &StatusLine) -> pb::FundStatusLine {
    let known = line.region.as_ref().and_then(|region| status.regions.get(region));
    pb::FundStatusLine {
        region: region_name(line.region.as_ref()),
        region_name: known.map(|region| localized(&Bilingual::new(&region.name_en, &region.name_zh))),
        programme: programme_name(line.programme.as_ref()),
        payer: line.payer.map_or(0, from_payer),
        received: line.received.to_string(),
        surrendered: line.surrendered.to_string(),
        unallocated: line.unallocated.to_string(),
        allocated: line.allocated.to_string(),
        issued: line.issued.to_string(),
        assigned: line.assigned.to_string(),
        available: line.available.to_string(),
        reserved: line.reserved.to_string(),
        in_payment: line.in_payment.to_string(),
        paid: line.paid.to_string(),
        returned: line.returned.to_string(),
    }
}

/// Writes the result of a verification.
pub fn from_verification(verification: &Verification) -> pb::LedgerVerification {
    let finding = |finding: &Finding| pb::LedgerFinding {
        entry: finding.entry.unwrap_or(0),
        account: finding.account.clone(),
        field: finding.field.to_owned(),
        stored: finding.stored.clone(),
        expected: finding.expected.clone(),
    };
    pb::LedgerVerification {
        accounts: verification.accounts,
        digest: verification.digest.as_str().to_owned(),
        finding_count: verification.count,
        findings: verification.findings.iter().map(finding).collect(),
    }
}

/// Writes a change.
pub fn from_change(change: &Change) -> Result<pb::Change, Error> {
    Ok(pb::Change {
        number: change.number,
        made: Some(signature(&change.signed)?),
        kind: change.kind.clone(),
        resource: change.resource.clone(),
        state: change.state.clone(),
        amount: change.amount.to_string(),
        note: change.note.clone(),
    })
}
