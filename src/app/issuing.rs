//! What issuing and superseding an allocation post to the ledger.

use super::books::{OpenBooks, Told};
use crate::domain::allocation::{FundId, Line, Run, Signature};
use crate::domain::error::{Bilingual, Error};
use crate::domain::ledger::{Account, Bucket, Event, Posting};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::store::Tx;
use std::collections::BTreeMap;

/// Most regions that one refusal names.
const SHOWN: usize = 10;

/// What a region gets, or gives back where it is below zero.
struct Difference<'r> {
    line: &'r Line,
    amount: Money,
}

/// Posts a run that is issued, in place of another where there is one: to each region what is payable less
/// what the other paid; from regions for which that is below zero, it is recovered first.
///
/// # Errors
///
/// [`Error::State`] where the fund lacks the money, or a region has not enough left that is not assigned
/// to a programme.
pub(super) async fn issue(
    tx: &Tx,
    books: &mut OpenBooks,
    run: &Run,
    instead_of: Option<&Run>,
    signed: &Signature,
) -> Result<(), Error> {
    let fund = &run.inputs.fund;
    let differences = differences(run, instead_of);
    let accounts = differences
        .iter()
        .map(|difference| quota(&difference.line.region))
        .chain([Account::of_fund(Bucket::Unallocated)]);
    books
        .load(tx, accounts.map(|account| (fund.clone(), account)))
        .await?;
    let open = books.fund(fund)?;
    let (recovered, issued): (Vec<Difference<'_>>, Vec<Difference<'_>>) = differences
        .into_iter()
        .partition(|difference| difference.amount.is_negative());
    let back: Vec<(&Line, Money)> = recovered
        .iter()
        .map(|difference| (difference.line, negated(difference.amount)))
        .collect();
    let short: Vec<(&Line, Money, Money)> = back
        .iter()
        .map(|(line, amount)| (*line, open.books.balance(&quota(&line.region)), *amount))
        .filter(|(_, balance, amount)| balance < amount)
        .collect();
    if !short.is_empty() {
        return Err(in_use(run, &short));
    }
    let there = [open.books.balance(&Account::of_fund(Bucket::Unallocated))]
        .into_iter()
        .chain(back.iter().map(|(_, amount)| *amount))
        .sum();
    let needed: Money = issued.iter().map(|difference| difference.amount).sum();
    if needed > there {
        return Err(lacking(run, there, needed));
    }
    let note = instead_of.map_or_else(String::new, |other| {
        format!("in place of / 替换 {}", other.id.resource_name())
    });
    let mut postings = Vec::with_capacity(back.len() + issued.len());
    let moves = back
        .into_iter()
        .map(|(line, amount)| (Event::Recover, line, amount));
    let given = issued
        .into_iter()
        .map(|difference| (Event::Issue, difference.line, difference.amount));
    for (event, line, amount) in moves.chain(given) {
        let (from, to) = event.accounts(Payer::City, Some(&line.region), None)?;
        postings.push(Posting {
            event,
            from,
            to,
            amount,
            subject: run.id.resource_name(),
            note: note.clone(),
            reverses: None,
        });
    }
    open.post(postings, signed)
}

/// Tells those who watch the fund what became of a run.
pub(super) fn tell(books: &mut OpenBooks, run: &Run, signed: &Signature) -> Result<(), Error> {
    let told = Told {
        region: None,
        kind: &format!("allocation.{}", run.state),
        resource: run.id.resource_name(),
        state: run.state.code(),
        amount: run.outcome.payable_total(),
        note: &run.title,
    };
    books.fund(&run.inputs.fund)?.tell(told, signed);
    Ok(())
}

/// Opens the books of a run's fund, which is begun where nothing was ever received: a run that pays
/// nothing needs no money.
pub(super) async fn open(tx: &Tx, fund: &FundId) -> Result<OpenBooks, Error> {
    OpenBooks::begin(tx, fund).await
}

fn differences<'r>(run: &'r Run, instead_of: Option<&'r Run>) -> Vec<Difference<'r>> {
    let mut regions: BTreeMap<&RegionCode, (&Line, Money)> = BTreeMap::new();
    for line in &run.outcome.lines {
        regions.insert(&line.region, (line, line.payable()));
    }
    for line in instead_of.into_iter().flat_map(|other| &other.outcome.lines) {
        let (_, amount) = regions.entry(&line.region).or_insert((line, Money::ZERO));
        *amount = amount.checked_sub(line.payable()).unwrap_or_default();
    }
    regions
        .into_values()
        .filter(|(_, amount)| *amount != Money::ZERO)
        .map(|(line, amount)| Difference { line, amount })
        .collect()
}

fn quota(region: &RegionCode) -> Account {
    Account::new(Payer::City, region.clone(), None, Bucket::Quota)
}

fn negated(amount: Money) -> Money {
    Money::ZERO.checked_sub(amount).unwrap_or_default()
}

fn less(minuend: Money, subtrahend: Money) -> Money {
    minuend.checked_sub(subtrahend).unwrap_or_default()
}

fn lacking(run: &Run, there: Money, needed: Money) -> Error {
    let (fund, name, short) = (&run.inputs.fund, run.id.resource_name(), less(needed, there));
    Error::State {
        message: Bilingual::new(
            format!(
                "fund {fund} has {there} to issue and {name} needs {needed}: {short} short; the money must \
                 have been received"
            ),
            format!("资金 {fund} 可下达 {there},{name} 需 {needed},不足 {short};资金须先到账"),
        ),
        name,
        reason: "FUND_SHORT",
    }
}

fn in_use(run: &Run, short: &[(&Line, Money, Money)]) -> Error {
    let mut en = Vec::new();
    let mut zh = Vec::new();
    for (line, balance, amount) in short.iter().take(SHOWN) {
        let (region, lacking) = (&line.region, less(*amount, *balance));
        en.push(format!(
            "region {region} has {balance} that is not assigned, {amount} is to be recovered: {lacking} short"
        ));
        zh.push(format!(
            "{}({region})未安排指标 {balance},应收回 {amount},不足 {lacking}",
            line.name_zh
        ));
    }
    if short.len() > SHOWN {
        let more = short.len() - SHOWN;
        en.push(format!("and {more} more regions"));
        zh.push(format!("另有 {more} 个地区"));
    }
    Error::State {
        name: run.id.resource_name(),
        reason: "QUOTA_IN_USE",
        message: Bilingual::new(
            format!("{}; unassign it first", en.join("; ")),
            format!("{};请先撤销安排", zh.join(";")),
        ),
    }
}
