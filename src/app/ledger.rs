//! The ledger: money in and out, a county's own money, quota assigned to programmes, corrections.

mod reading;

pub use reading::{Balances, FundStatus, Moment};

use super::books::{OpenBooks, Told, no_fund};
use super::records::FundHead;
use super::{App, Mutation, clock};
use crate::domain::allocation::FundId;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::ledger::{Entry, Event, Posting, Shortage};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use crate::store::Tx;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// Most lines of one assignment.
pub const MAX_LINES: usize = 10_000;
/// Longest document number or note, in characters.
const MAX_NOTE: usize = 500;
/// Most shortages that one refusal names.
const SHOWN: usize = 10;

/// Money that a person moves.
#[derive(Debug, Clone)]
pub struct Movement {
    /// The fund.
    pub fund: FundId,
    /// How: one of the events of [`Event::is_manual`].
    pub event: Event,
    /// What, each at its own entry; all of them or none.
    pub lines: Vec<MovementLine>,
    /// Number of the document it rests on, or another note.
    pub note: String,
}

/// One line of a [`Movement`].
#[derive(Debug, Clone)]
pub struct MovementLine {
    /// Whose money.
    pub payer: Payer,
    /// The region, where the event has one.
    pub region: Option<RegionCode>,
    /// The programme, where the event has one.
    pub programme: Option<ProgrammeCode>,
    /// How much; above zero.
    pub amount: Money,
}

/// What was posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The fund.
    pub fund: FundId,
    /// The entries, in order.
    pub entries: Vec<Entry>,
}

impl App {
    /// Moves money: receives, surrenders, contributes, retracts, assigns or unassigns it.
    pub async fn move_money(&self, mutation: &Mutation, movement: Movement) -> Result<Posted, Error> {
        let event = movement.event;
        let method = match event {
            Event::Receive => "ReceiveFunds",
            Event::Surrender => "SurrenderFunds",
            Event::Contribute => "ContributeFunds",
            Event::Retract => "RetractContribution",
            Event::Assign => "AssignQuota",
            Event::Unassign => "UnassignQuota",
            _ => return Err(Error::internal(format!("{event} is not posted by hand"))),
        };
        check_movement(&movement)?;
        for region in movement.lines.iter().filter_map(|line| line.region.as_ref()) {
            mutation.scope.admit_region(region)?;
        }
        let movement = &movement;
        self.mutate_posting(mutation, method, |tx| async move {
            let fund = &movement.fund;
            let signed = clock::sign(&mutation.caller);
            let mut books = if event == Event::Receive {
                OpenBooks::begin(&tx, fund).await?
            } else {
                OpenBooks::open(&tx, &BTreeSet::from([fund.clone()])).await?
            };
            let mut number = books.fund(fund)?.books.head().entries;
            let mut postings = Vec::with_capacity(movement.lines.len());
            for line in &movement.lines {
                let (from, to) = event.accounts(line.payer, line.region.as_ref(), line.programme.as_ref())?;
                number += 1;
                postings.push(Posting {
                    event,
                    from,
                    to,
                    amount: line.amount,
                    subject: entry_name(fund, number),
                    note: movement.note.clone(),
                    reverses: None,
                });
            }
            if event == Event::Contribute {
                known_regions(&tx, &movement.lines).await?;
            }
            let posted = post(&tx, books, fund, postings, &signed).await?;
            Ok((tx, posted))
        })
        .await
    }

    /// Takes an entry back by one with its accounts swapped; only what a person posted, once, and by another person.
    pub async fn reverse_entry(
        &self,
        mutation: &Mutation,
        fund: &FundId,
        number: u64,
        note: &str,
    ) -> Result<Posted, Error> {
        check_note("note", note, true)?;
        self.mutate_posting(mutation, "ReverseEntry", |tx| async move {
            let signed = clock::sign(&mutation.caller);
            let mut books = OpenBooks::open(&tx, &BTreeSet::from([fund.clone()])).await?;
            let next = books.fund(fund)?.books.head().entries + 1;
            let entry = find_entry(&tx, fund, number).await?;
            if !mutation.scope.covers_optional(region_of(&entry.posting)) {
                return Err(no_entry(fund, number));
            }
            may_be_reversed(&tx, fund, &entry).await?;
            entry.check_second_person(&entry_name(fund, number), &signed.by)?;
            let posting = entry
                .posting
                .reversal(number, entry_name(fund, next), note.to_owned());
            let posted = post(&tx, books, fund, vec![posting], &signed).await?;
            Ok((tx, posted))
        })
        .await
    }
}

/// The resource name of an entry.
pub fn entry_name(fund: &FundId, number: u64) -> String {
    format!("funds/{fund}/entries/{number}")
}

async fn find_fund(tx: &Tx, fund: &FundId) -> Result<FundHead, Error> {
    let mut heads = tx.fund_heads(std::slice::from_ref(fund)).await?;
    heads.remove(fund).ok_or_else(|| no_fund(fund))
}

async fn find_entry(tx: &Tx, fund: &FundId, number: u64) -> Result<Entry, Error> {
    let found = tx.entries_numbered(fund, [number]).await?.remove(&number);
    match found {
        Some(Ok(entry)) => Ok(entry),
        Some(Err((_, _, defect))) => Err(Error::internal(defect)),
        None => Err(no_entry(fund, number)),
    }
}

pub(super) fn no_entry(fund: &FundId, number: u64) -> Error {
    Error::NotFound {
        kind: "entry",
        name: entry_name(fund, number),
    }
}

/// Posts, tells each entry, and writes.
async fn post(
    tx: &Tx,
    mut books: OpenBooks,
    fund: &FundId,
    postings: Vec<Posting>,
    signed: &crate::domain::allocation::Signature,
) -> Result<Posted, Error> {
    let accounts = postings
        .iter()
        .flat_map(|posting| [&posting.from, &posting.to])
        .map(|account| (fund.clone(), account.clone()));
    books.load(tx, accounts).await?;
    let open = books.fund(fund)?;
    all_there(&open.books.shortages(&postings))?;
    open.post(postings, signed)?;
    let entries = open.books.made().to_vec();
    for entry in &entries {
        let posting = &entry.posting;
        let kind = match posting.reverses {
            Some(_) => "ledger.reverse".to_owned(),
            None => format!("ledger.{}", posting.event),
        };
        let told = Told {
            kind: &kind,
            region: region_of(posting).cloned(),
            resource: posting.subject.clone(),
            state: "posted",
            amount: posting.amount,
            note: &posting.note,
        };
        open.tell(told, signed);
    }
    books.write(tx).await?;
    Ok(Posted {
        fund: fund.clone(),
        entries,
    })
}

/// The region that a posting is about, where it is about one.
pub(super) fn region_of(posting: &Posting) -> Option<&RegionCode> {
    posting.to.region.as_ref().or(posting.from.region.as_ref())
}

/// Refuses where money is lacking, and names every account that lacks it.
fn all_there(shortages: &[Shortage]) -> Result<(), Error> {
    let mut shown = shortages.iter().take(SHOWN).map(|shortage| {
        let error = Error::from(shortage.clone());
        error.message()
    });
    let Some(first) = shown.next() else {
        return Ok(());
    };
    let mut message = first;
    for next in shown {
        message = Bilingual::new(
            format!("{}; {}", message.en, next.en),
            format!("{};{}", message.zh, next.zh),
        );
    }
    if shortages.len() > SHOWN {
        let more = shortages.len() - SHOWN;
        message = Bilingual::new(
            format!("{}; and {more} more", message.en),
            format!("{};另有 {more} 处", message.zh),
        );
    }
    Err(Error::State {
        name: shortages
            .first()
            .map(|shortage| shortage.account.to_string())
            .unwrap_or_default(),
        reason: "QUOTA_EXCEEDED",
        message,
    })
}

fn check_movement(movement: &Movement) -> Result<(), Error> {
    let assigns = matches!(movement.event, Event::Assign | Event::Unassign);
    let mut violations = Vec::new();
    let (count, most) = (movement.lines.len(), if assigns { MAX_LINES } else { 1 });
    if count == 0 || count > most {
        violations.push(Violation::new(
            "lines",
            count.to_string(),
            format!("1 to {most} lines"),
            format!("1 至 {most} 行"),
        ));
    }
    let mut seen = HashMap::new();
    for (at, line) in movement.lines.iter().enumerate() {
        let field = |name: &str| {
            if assigns {
                format!("lines[{at}].{name}")
            } else {
                name.to_owned()
            }
        };
        if line.amount <= Money::ZERO {
            violations.push(Violation::new(
                field("amount"),
                line.amount.to_string(),
                "an amount above zero",
                "大于零的金额",
            ));
        }
        let key = (line.payer, &line.region, &line.programme);
        if let Some(first) = seen.insert(key, at) {
            violations.push(Violation::new(
                format!("lines[{at}]"),
                format!("the same region, programme and payer as lines[{first}]"),
                "each region, programme and payer once",
                "同一地区、项目和资金来源只出现一次",
            ));
        }
        if violations.len() >= super::statistics::MAX_FAULTS {
            break;
        }
    }
    let needs_document = matches!(
        movement.event,
        Event::Receive | Event::Surrender | Event::Contribute | Event::Retract
    );
    let field = if needs_document { "document" } else { "note" };
    if let Err(Error::Invalid(found)) = check_note(field, &movement.note, needs_document) {
        violations.extend(found);
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations.into())
    }
}

fn check_note(field: &str, note: &str, needed: bool) -> Result<(), Error> {
    let fits = note.chars().count() <= MAX_NOTE && !note.chars().any(char::is_control);
    if fits && !(needed && note.trim().is_empty()) {
        return Ok(());
    }
    let least = usize::from(needed);
    Err(Violation::new(
        field,
        note,
        format!("{least} to {MAX_NOTE} characters, no control characters"),
        format!("{least} 至 {MAX_NOTE} 个字符,不含控制字符"),
    )
    .into())
}

/// A county that adds money of its own is one that was imported.
async fn known_regions(tx: &Tx, lines: &[MovementLine]) -> Result<(), Error> {
    let known: BTreeSet<RegionCode> = tx
        .regions()
        .await?
        .into_iter()
        .map(|region| region.code)
        .collect();
    let unknown = lines
        .iter()
        .filter_map(|line| line.region.as_ref())
        .find(|region| !known.contains(region));
    match unknown {
        None => Ok(()),
        Some(region) => Err(Error::NotFound {
            kind: "region",
            name: format!("regions/{region}"),
        }),
    }
}

async fn may_be_reversed(tx: &Tx, fund: &FundId, entry: &Entry) -> Result<(), Error> {
    let name = entry_name(fund, entry.number);
    let refused = |reason, en: String, zh: String| {
        Err(Error::State {
            name: name.clone(),
            reason,
            message: Bilingual::new(en, zh),
        })
    };
    if entry.posting.reverses.is_some() {
        return refused(
            "ENTRY_IS_REVERSAL",
            format!("{name} is itself a correction: post what is right anew"),
            format!("{name} 本身是冲正分录,请重新记一笔正确的分录"),
        );
    }
    let event = entry.posting.event;
    if !event.is_manual() {
        return refused(
            "ENTRY_NOT_MANUAL",
            format!("{name} is {event} by {}: correct it there", entry.posting.subject),
            format!(
                "{name} 是由 {} 产生的“{}”,请在该处更正",
                entry.posting.subject,
                event.name().zh
            ),
        );
    }
    if let Some(by) = tx.reversal_of(fund, entry.number).await? {
        let by = entry_name(fund, by);
        return refused(
            "ENTRY_REVERSED",
            format!("{name} was taken back by {by}"),
            format!("{name} 已由 {by} 冲正"),
        );
    }
    Ok(())
}
