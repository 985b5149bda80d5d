//! A batch as people look at it: its lines, masked, and its numbers.

use super::collect::{is_bound, total};
use super::release::open_payee;
use super::{BatchName, claims_of, find, no_payment};
use crate::app::App;
use crate::app::claims;
use crate::app::desk::no_claim;
use crate::app::records::BatchFilter;
use crate::app::vault::{Sealed, Vault};
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::claim::{Claim, ClaimId, Part, Payee};
use crate::domain::disbursement::{Batch, BatchState, Payment, PaymentState};
use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::store::Tx;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A batch with its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchDetail {
    /// The batch.
    pub batch: Batch,
    /// By payer and state; before the release there is no state.
    pub totals: Vec<LineTotal>,
}

/// How many lines of a batch there are, and their sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineTotal {
    /// Whose money.
    pub payer: Payer,
    /// Where the payments are; none before the release.
    pub state: Option<PaymentState>,
    /// How many.
    pub count: u64,
    /// Their sum.
    pub amount: Money,
}

/// A line of a batch, with nothing in it that is not masked. Before the release the payment has no
/// reference, and will be instructed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchLine {
    /// The payment, or what it will be.
    pub payment: Payment,
    /// Whether it has been released.
    pub released: bool,
    /// The claim's region.
    pub region: RegionCode,
    /// The applicant's name, masked.
    pub masked_name: String,
    /// The account that is paid, masked.
    pub masked_account: String,
}

impl App {
    /// A batch with its numbers.
    pub async fn batch(&self, scope: &Scope, name: &BatchName) -> Result<BatchDetail, Error> {
        let tx = self.store().begin_read().await?;
        let batch = find(&tx, scope, name).await?;
        let totals = match batch.state {
            BatchState::Cancelled => Vec::new(),
            BatchState::Draft | BatchState::Frozen => planned(&claims_of(&tx, &batch).await?)?,
            BatchState::Released | BatchState::Closed => (tx.payment_totals(&name.fund, name.number).await?)
                .into_iter()
                .map(|(payer, state, count, amount)| LineTotal {
                    payer,
                    state: Some(state),
                    count,
                    amount,
                })
                .collect(),
        };
        Ok(BatchDetail { batch, totals })
    }

    /// At most `limit` batches of a fund after a number, by number.
    pub async fn batches(
        &self,
        scope: &Scope,
        fund: &FundId,
        filter: &BatchFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Batch>, Error> {
        let tx = self.store().begin_read().await?;
        tx.batches(fund, scope, filter, after, limit).await
    }

    /// At most `limit` lines of a batch after a line; before the release, what the lines will be. A
    /// cancelled batch has none.
    pub async fn batch_lines(
        &self,
        scope: &Scope,
        name: &BatchName,
        after: u64,
        limit: u64,
    ) -> Result<Vec<BatchLine>, Error> {
        let vault = self.vault()?;
        let tx = self.store().begin_read().await?;
        let batch = find(&tx, scope, name).await?;
        let released = matches!(batch.state, BatchState::Released | BatchState::Closed);
        let payments = if released {
            tx.payments_of_batch(&name.fund, name.number, after, limit)
                .await?
        } else {
            let claims = claims_of(&tx, &batch).await?;
            let lines = claims.iter().flat_map(|claim| {
                let bound = claim.parts.iter().filter(|part| is_bound(part));
                bound.map(move |part| (claim, part))
            });
            let skipped = usize::try_from(after).unwrap_or(usize::MAX);
            let most = usize::try_from(limit).unwrap_or(usize::MAX);
            lines
                .zip(1..)
                .skip(skipped)
                .take(most)
                .map(|((claim, part), line)| {
                    payment(&batch, line, claim, part, part.attempts + 1, String::new())
                })
                .collect()
        };
        lines(&tx, vault, payments, released).await
    }
}

fn planned(claims: &[Claim]) -> Result<Vec<LineTotal>, Error> {
    let mut by_payer: BTreeMap<Payer, (u64, Vec<Money>)> = BTreeMap::new();
    for part in claims
        .iter()
        .flat_map(|claim| &claim.parts)
        .filter(|part| is_bound(part))
    {
        let (count, amounts) = by_payer.entry(part.payer).or_default();
        *count += 1;
        amounts.push(part.amount);
    }
    by_payer
        .into_iter()
        .map(|(payer, (count, amounts))| {
            Ok(LineTotal {
                payer,
                state: None,
                count,
                amount: total(amounts.into_iter())?,
            })
        })
        .collect()
}

/// The payment of a claim's part.
pub(super) fn payment(
    batch: &Batch,
    line: u64,
    claim: &Claim,
    part: &Part,
    attempt: u32,
    reference: String,
) -> Payment {
    Payment {
        claim: claim.id.clone(),
        batch: batch.number,
        line,
        payer: part.payer,
        attempt,
        reference,
        amount: part.amount,
        state: PaymentState::Instructed,
        bank_reference: String::new(),
        concluded_on: String::new(),
        reason: String::new(),
        concluded: None,
    }
}

/// Payments as lines: with what they need of their claims, masked.
pub(super) async fn lines(
    tx: &Tx,
    vault: &Vault,
    payments: Vec<Payment>,
    released: bool,
) -> Result<Vec<BatchLine>, Error> {
    let ids: BTreeSet<&ClaimId> = payments.iter().map(|payment| &payment.claim).collect();
    let ids: Vec<&ClaimId> = ids.into_iter().collect();
    let claims: HashMap<ClaimId, Claim> = (tx.claims(&ids).await?.into_iter())
        .map(|claim| (claim.id.clone(), claim))
        .collect();
    let accounts = masked_accounts(tx, vault, &payments, released).await?;
    payments
        .into_iter()
        .zip(accounts)
        .map(|(payment, masked_account)| {
            let id = &payment.claim;
            let claim = claims.get(id).ok_or_else(|| no_claim(id))?;
            Ok(BatchLine {
                released,
                region: claim.region.clone(),
                masked_name: claim.masked_name.clone(),
                masked_account,
                payment,
            })
        })
        .collect()
}

async fn masked_accounts(
    tx: &Tx,
    vault: &Vault,
    payments: &[Payment],
    released: bool,
) -> Result<Vec<String>, Error> {
    let mask = |payee: &Payee| crate::domain::identity::mask_account(&payee.account);
    let mut masked = Vec::with_capacity(payments.len());
    if released {
        let references: Vec<&str> = payments
            .iter()
            .map(|payment| payment.reference.as_str())
            .collect();
        let payees = tx.payees(&references).await?;
        for reference in references {
            let sealed = payees.get(reference).ok_or_else(|| no_payment(reference))?;
            masked.push(if sealed.is_erased() {
                String::new()
            } else {
                mask(&open_payee(vault, reference, sealed)?)
            });
        }
        return Ok(masked);
    }
    let ids: BTreeSet<&ClaimId> = payments.iter().map(|payment| &payment.claim).collect();
    let materials = tx.claim_material(&ids.into_iter().collect::<Vec<_>>()).await?;
    let materials: HashMap<ClaimId, Sealed> = materials
        .into_iter()
        .map(|(id, material)| (id, material.sealed))
        .collect();
    for payment in payments {
        let id = &payment.claim;
        let sealed = materials.get(id).ok_or_else(|| no_claim(id))?;
        masked.push(mask(&claims::open(vault, id, sealed)?.payee));
    }
    Ok(masked)
}
