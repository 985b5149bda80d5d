//! Erasing the person from a claim: amounts stay, the person goes.
//!
//! One person asks for it, another does it. What is deleted: everything that is sealed with the claim, its
//! objections, its payments and the bank's lines about them, and the masked name and number. What stays: the claim with its state, its
//! facts and amounts, the ledger, the history and the audit log, in which no person was named to begin with. Of a
//! claim that was paid, the keyed hashes of household and home stay as well: the programme gives once, and without
//! them an erased household could be subsidised again. Without the lookup key, which is not in the database, they
//! name nobody.

use super::audit::digest_of;
use super::books::{OpenBooks, Told};
use super::desk::no_claim;
use super::records::{Erasure, OnceKey};
use super::{App, Mutation, clock};
use crate::domain::allocation::FundId;
use crate::domain::claim::{Claim, ClaimId};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::money::Money;
use crate::store::Tx;
use std::collections::{BTreeMap, BTreeSet};

/// Claims of one call, at most.
pub const MAX_CLAIMS: usize = 1_000;
/// Longest reason, in characters.
const MAX_REASON: usize = 500;
const MICROSECONDS_A_YEAR: i64 = 365 * 86_400_000_000 + 21_600_000_000;

/// Which claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// These.
    Claims(Vec<u64>),
    /// To ask for: those that ended longer ago than persons are kept. To do: all that were asked for.
    All,
}

impl App {
    /// The same, with persons kept for so many years after the end of their claims; 0 means for ever.
    #[must_use]
    pub fn with_retention_years(mut self, years: u32) -> Self {
        self.retention_years = years;
        self
    }

    /// Asks for persons to be erased; what was asked for already stays as it was.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where a claim has not ended.
    pub async fn request_erasure(
        &self,
        mutation: &Mutation,
        fund: &FundId,
        which: &Which,
        reason: &str,
    ) -> Result<Vec<Erasure>, Error> {
        check_reason(reason)?;
        self.mutate_posting(mutation, "RequestErasure", |tx| async move {
            let mut books = open(&tx, fund).await?;
            let signed = clock::sign(&mutation.caller);
            let ids = match which {
                Which::Claims(numbers) => named(fund, numbers)?,
                Which::All => {
                    let until = clock::now() - i64::from(self.retention()?) * MICROSECONDS_A_YEAR;
                    tx.claims_ended_before(fund, until, MAX_CLAIMS as u64).await?
                }
            };
            let claims = ended(&tx, &ids).await?;
            let mut erasures = known(&tx, &ids).await?;
            let mut new = Vec::new();
            for claim in &claims {
                if erasures.contains_key(&claim.id) {
                    continue;
                }
                let erasure = Erasure {
                    claim: claim.id.clone(),
                    reason: reason.to_owned(),
                    requested: signed.clone(),
                    erased: None,
                };
                books
                    .fund(fund)?
                    .tell(told(claim, "claim.erasure_requested", reason), &signed);
                let digest = digest_of(&erasure)?;
                tx.trail(|trail| trail.touch(claim.id.to_string(), None, Some(digest)));
                erasures.insert(claim.id.clone(), erasure);
                new.push(claim.id.clone());
            }
            let rows: Vec<&Erasure> = new.iter().filter_map(|id| erasures.get(id)).collect();
            tx.store_erasures(&rows).await?;
            books.write(&tx).await?;
            Ok((tx, erasures.into_values().collect()))
        })
        .await
    }

    /// Erases persons from claims for which somebody else asked; what is erased already stays so.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] where the caller asked for it; [`Error::State`] where nobody did, or a claim is open
    /// again.
    pub async fn erase_claimants(
        &self,
        mutation: &Mutation,
        fund: &FundId,
        which: &Which,
    ) -> Result<Vec<Erasure>, Error> {
        self.mutate_posting(mutation, "EraseClaimants", |tx| async move {
            let mut books = open(&tx, fund).await?;
            let signed = clock::sign(&mutation.caller);
            let ids = match which {
                Which::Claims(numbers) => named(fund, numbers)?,
                Which::All => {
                    let open = tx.erasures(fund, true, 0, MAX_CLAIMS as u64).await?;
                    open.into_iter().map(|erasure| erasure.claim).collect()
                }
            };
            let claims = ended(&tx, &ids).await?;
            let mut erasures = known(&tx, &ids).await?;
            let materials = tx.claim_material(&ids.iter().collect::<Vec<_>>()).await?;
            let materials: BTreeMap<ClaimId, Vec<OnceKey>> = (materials.into_iter())
                .map(|(id, material)| (id, material.keys))
                .collect();
            let mut erased: Vec<(ClaimId, Vec<OnceKey>)> = Vec::new();
            for claim in &claims {
                let erasure = erasures
                    .get_mut(&claim.id)
                    .ok_or_else(|| not_requested(&claim.id))?;
                if erasure.erased.is_some() {
                    continue;
                }
                if erasure.requested.by == signed.by {
                    return Err(own_request(&claim.id, signed.by.as_str()));
                }
                let before = digest_of(&*erasure)?;
                erasure.erased = Some(signed.clone());
                let after = digest_of(&*erasure)?;
                tx.trail(|trail| trail.touch(claim.id.to_string(), Some(before), Some(after)));
                books
                    .fund(fund)?
                    .tell(told(claim, "claim.erased", &erasure.reason), &signed);
                // Of what is given once, only who got it stays known, by hash.
                let keys = if claim.state.holds_keys() {
                    materials.get(&claim.id).cloned().unwrap_or_default()
                } else {
                    Vec::new()
                };
                erased.push((claim.id.clone(), keys));
            }
            let rows: Vec<(&ClaimId, &[OnceKey])> =
                erased.iter().map(|(id, keys)| (id, keys.as_slice())).collect();
            tx.erase_persons(&rows).await?;
            let ids: Vec<&ClaimId> = erased.iter().map(|(id, _)| id).collect();
            self.erase_from_statements(&tx, &ids).await?;
            let rows: Vec<&Erasure> = erased.iter().filter_map(|(id, _)| erasures.get(id)).collect();
            tx.store_erasures(&rows).await?;
            books.write(&tx).await?;
            Ok((tx, erasures.into_values().collect()))
        })
        .await
    }

    /// At most `limit` erasures of a fund after a claim's number; only those not done yet where `open`.
    pub async fn erasures(
        &self,
        fund: &FundId,
        open: bool,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Erasure>, Error> {
        let tx = self.store().begin_read().await?;
        tx.erasures(fund, open, after, limit).await
    }

    fn retention(&self) -> Result<u32, Error> {
        if self.retention_years > 0 {
            return Ok(self.retention_years);
        }
        Err(Error::State {
            name: "privacy.retention_years".to_owned(),
            reason: "NO_RETENTION",
            message: Bilingual::new(
                "it is not configured how long persons are kept (privacy.retention_years): name the claims",
                "未配置个人信息保存年限(privacy.retention_years),请指明具体申请",
            ),
        })
    }
}

async fn open(tx: &Tx, fund: &FundId) -> Result<OpenBooks, Error> {
    let mut books = OpenBooks::open(tx, &BTreeSet::from([fund.clone()])).await?;
    books.fund(fund)?;
    Ok(books)
}

fn named(fund: &FundId, numbers: &[u64]) -> Result<Vec<ClaimId>, Error> {
    let numbers: BTreeSet<u64> = numbers.iter().copied().collect();
    if numbers.is_empty() || numbers.len() > MAX_CLAIMS {
        return Err(Violation::new(
            "claims",
            numbers.len().to_string(),
            format!("1 to {MAX_CLAIMS} claims"),
            format!("1 至 {MAX_CLAIMS} 件申请"),
        )
        .into());
    }
    let id = |number| ClaimId {
        fund: fund.clone(),
        number,
    };
    Ok(numbers.into_iter().map(id).collect())
}

/// These claims, all of which must be there and have ended.
async fn ended(tx: &Tx, ids: &[ClaimId]) -> Result<Vec<Claim>, Error> {
    let mut claims = tx.claims(&ids.iter().collect::<Vec<_>>()).await?;
    claims.sort_by(|a, b| a.id.cmp(&b.id));
    for id in ids {
        let claim = claims
            .iter()
            .find(|claim| claim.id == *id)
            .ok_or_else(|| no_claim(id))?;
        if !claim.state.is_end() {
            return Err(Error::State {
                name: id.to_string(),
                reason: "CLAIM_OPEN",
                message: Bilingual::new(
                    format!(
                        "{id} is {}: who it is for is needed until it has ended",
                        claim.state.code()
                    ),
                    format!("{id} 当前为“{}”,办结前不能删除个人信息", claim.state.zh()),
                ),
            });
        }
    }
    Ok(claims)
}

async fn known(tx: &Tx, ids: &[ClaimId]) -> Result<BTreeMap<ClaimId, Erasure>, Error> {
    let erasures = tx.erasures_of(&ids.iter().collect::<Vec<_>>()).await?;
    Ok(erasures
        .into_iter()
        .map(|erasure| (erasure.claim.clone(), erasure))
        .collect())
}

fn told<'a>(claim: &Claim, kind: &'a str, note: &'a str) -> Told<'a> {
    Told {
        amount: Money::ZERO,
        ..super::desk::told(claim, kind, note)
    }
}

fn not_requested(id: &ClaimId) -> Error {
    Error::State {
        name: id.to_string(),
        reason: "ERASURE_NOT_REQUESTED",
        message: Bilingual::new(
            format!("nobody has asked for the person of {id} to be erased: one person asks, another erases"),
            format!("尚无人申请删除 {id} 的个人信息:须一人申请、另一人执行"),
        ),
    }
}

fn own_request(id: &ClaimId, by: &str) -> Error {
    Error::Forbidden {
        reason: "ERASER_REQUESTED_ERASURE",
        message: Bilingual::new(
            format!("{by} asked for the erasure of {id} and may not carry it out: another person must"),
            format!("{by} 是 {id} 的删除申请人,不得自行执行,须由他人执行"),
        ),
    }
}

fn check_reason(reason: &str) -> Result<(), Violation> {
    let length = reason.trim().chars().count();
    if (1..=MAX_REASON).contains(&length) && !reason.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Violation::new(
        "reason",
        format!("{length} characters"),
        format!("1 to {MAX_REASON} characters, no control characters; it must not name anybody"),
        format!("1 至 {MAX_REASON} 个字符,不含控制字符,不得写入姓名等个人信息"),
    ))
}
