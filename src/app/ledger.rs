//! The ledger: money in and out, a county's own money, quota assigned to programmes, corrections; and
//! what can be asked of it.

use super::books::{OpenBooks, Told, no_fund};
use super::records::{AccountFilter, Change, EntryFilter, FundHead};
use super::{App, Mutation, clock};
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::ledger::{
    Account, Entry, Event, Posting, Shortage, StatusLine, Verification, Verifier, status,
};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::{Region, RegionCode};
use crate::domain::subsidy::ProgrammeCode;
use crate::store::Tx;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most lines of one assignment.
pub const MAX_LINES: usize = 10_000;
/// Longest document number or note, in characters.
const MAX_NOTE: usize = 500;
/// Entries that are read at once where all are read.
const PAGE: u64 = 1_000;
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

/// Which moment of a ledger is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The newest entry.
    Now,
    /// After the entry with this number.
    Entry(u64),
    /// This time (microseconds since 1970-01-01 UTC): after the last entry that is not later.
    Time(i64),
}

/// Balances at one moment.
#[derive(Debug, Clone)]
pub struct Balances {
    /// The number of the last entry that they hold.
    pub entry: u64,
    /// The balances, by account.
    pub balances: Vec<(Account, Money)>,
}

/// A fund's status at the end of its journal.
#[derive(Debug, Clone)]
pub struct FundStatus {
    /// The fund.
    pub fund: FundId,
    /// The end of its journal.
    pub head: FundHead,
    /// The lines.
    pub lines: Vec<StatusLine>,
    /// The regions that lines name, as far as they are known.
    pub regions: BTreeMap<RegionCode, Region>,
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

    /// Funds by id, those after `after`.
    pub async fn funds(&self, after: &str, limit: u64) -> Result<Vec<(FundId, FundHead)>, Error> {
        self.store().begin_read().await?.funds(after, limit).await
    }

    /// Balances at a moment, by account, those after `after`.
    pub async fn balances(
        &self,
        scope: &Scope,
        fund: &FundId,
        moment: Moment,
        filter: &AccountFilter,
        after: &str,
        limit: u64,
    ) -> Result<Balances, Error> {
        let tx = self.store().begin_read().await?;
        let end = find_fund(&tx, fund).await?.journal.entries;
        // Who reaches some regions is not told how much is posted in the others, or when.
        let last = tx.last_entry_within(fund, scope, end).await?;
        let entry = match moment {
            Moment::Now => last,
            Moment::Entry(number) if number > last => {
                return Err(Violation::new(
                    "as_of_entry",
                    number.to_string(),
                    format!("at most {last}, the number of the last entry of {fund}"),
                    format!("不大于 {last}({fund} 最后一笔分录的编号)"),
                )
                .into());
            }
            Moment::Entry(number) => number,
            Moment::Time(at) => {
                let then = tx.last_entry_at(fund, at).await?;
                tx.last_entry_within(fund, scope, then).await?
            }
        };
        let past = (entry < last).then_some(entry);
        let balances = tx.balances_at(fund, scope, filter, past, after, limit).await?;
        Ok(Balances { entry, balances })
    }

    /// Entries after number `after`, in order.
    pub async fn entries(
        &self,
        scope: &Scope,
        fund: &FundId,
        filter: &EntryFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Entry>, Error> {
        let tx = self.store().begin_read().await?;
        find_fund(&tx, fund).await?;
        tx.entries(fund, scope, filter, after, limit).await
    }

    /// Where a fund's money is: all of it, or that of the regions in reach.
    pub async fn fund_status(&self, scope: &Scope, fund: &FundId) -> Result<FundStatus, Error> {
        let tx = self.store().begin_read().await?;
        let head = find_fund(&tx, fund).await?;
        let all = AccountFilter::default();
        let balances = tx.balances_at(fund, scope, &all, None, "", u64::MAX).await?;
        let mut lines = status(balances, &tx.allocated(fund).await?, &tx.returned(fund).await?);
        lines.retain(|line| scope.covers_optional(line.region.as_ref()));
        let regions = tx.regions().await?;
        Ok(FundStatus {
            fund: fund.clone(),
            head,
            lines,
            regions: regions
                .into_iter()
                .map(|region| (region.code.clone(), region))
                .collect(),
        })
    }

    /// Computes a fund's ledger again from its first entry and says what differs, at most `most` things
    /// in full. `progress` is told how many entries of how many were read, and says whether to go on.
    ///
    /// It verifies what was there when it began. Entries never change, so it needs no lasting
    /// transaction, and its memory is bounded by the number of accounts.
    pub async fn verify(
        &self,
        fund: &FundId,
        most: usize,
        mut progress: impl FnMut(u64, u64) -> bool + Send,
    ) -> Result<Option<Verification>, Error> {
        let (head, balances, last) = {
            let tx = self.store().begin_read().await?;
            let head = find_fund(&tx, fund).await?.journal;
            let balances = tx.stored_balances(fund).await?;
            (head, balances, tx.last_entry(fund).await?)
        };
        let mut verifier = Verifier::new(fund.clone(), most);
        let mut after = 0;
        while after < last {
            let tx = self.store().begin_read().await?;
            let page = tx.stored_entries(fund, after, PAGE.min(last - after)).await?;
            let reversed = page.iter().flatten().filter_map(|entry| entry.posting.reverses);
            let targets = tx.entries_numbered(fund, reversed).await?;
            drop(tx);
            for stored in page.iter().filter(|stored| number_of(stored) <= last) {
                match stored {
                    Ok(entry) => {
                        let reversed = entry.posting.reverses;
                        let target = reversed.and_then(|number| targets.get(&number));
                        verifier.entry(entry, target.and_then(|target| target.as_ref().ok()));
                    }
                    Err((number, digest, defect)) => {
                        verifier.unreadable(*number, defect, digest.clone());
                    }
                }
            }
            // A page that is empty though there should be entries is the end as well.
            after = page.last().map_or(last, number_of);
            if !progress(verifier.entries(), last) {
                return Ok(None);
            }
        }
        let verification = verifier.finish(&head, &balances);
        if verification.count > 0 {
            tracing::error!(%fund, findings = verification.count, "the ledger is not as it was written");
        }
        Ok(Some(verification))
    }

    /// Refuses to watch from after a change that there is not yet. Who reaches some regions is not told the number of
    /// the last change in the others.
    pub async fn check_change(&self, scope: &Scope, fund: &FundId, after: u64) -> Result<(), Error> {
        const FIELD: &str = "after";
        let tx = self.store().begin_read().await?;
        let newest = find_fund(&tx, fund).await?.changes;
        let refused = |en: String, zh: String| Violation::new(FIELD, after.to_string(), en, zh).into();
        if scope.is_all() {
            if after <= newest {
                return Ok(());
            }
            return Err(refused(
                format!("at most {newest}, the number of the last change of {fund}"),
                format!("不大于 {newest}({fund} 最后一条变更的编号)"),
            ));
        }
        if after == 0 || !tx.changes(fund, scope, None, after - 1, 1).await?.is_empty() {
            return Ok(());
        }
        Err(refused(
            format!("at most the number of the last change of {fund} in your regions"),
            format!("不大于 {fund} 在权限范围内最后一条变更的编号"),
        ))
    }

    /// The end of a fund's journal.
    pub async fn fund_head(&self, fund: &FundId) -> Result<FundHead, Error> {
        find_fund(&self.store().begin_read().await?, fund).await
    }

    /// Changes of a fund in the regions of `scope` after number `after`, in the order of their commits; and the
    /// number up to which they are all that there are.
    pub async fn changes(
        &self,
        scope: &Scope,
        fund: &FundId,
        after: u64,
        limit: u64,
    ) -> Result<(Vec<Change>, u64), Error> {
        let tx = self.store().begin_read().await?;
        let changes = tx.changes(fund, scope, None, after, limit).await?;
        let upto = match changes.last() {
            Some(last) if scope.is_all() || changes.len() as u64 == limit => last.number,
            // What is elsewhere need not be passed over again the next time.
            _ if !scope.is_all() => find_fund(&tx, fund).await?.changes.max(after),
            _ => after,
        };
        Ok((changes, upto))
    }
}

/// The resource name of an entry.
pub fn entry_name(fund: &FundId, number: u64) -> String {
    format!("funds/{fund}/entries/{number}")
}

fn number_of(stored: &crate::store::StoredEntry) -> u64 {
    match stored {
        Ok(entry) => entry.number,
        Err((number, ..)) => *number,
    }
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
