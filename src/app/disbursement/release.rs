//! The release: claims become payments, each with its reference and its payee.

use super::claims_of;
use super::collect::total;
use super::lines::payment;
use crate::app::books::OpenBooks;
use crate::app::books::Told;
use crate::app::claims;
use crate::app::desk::{no_claim, told};
use crate::app::reconciliation::ACCOUNT_KIND;
use crate::app::records::NewPayment;
use crate::app::vault::{Lookup, Sealed, Vault};
use crate::domain::allocation::{FundId, Signature};
use crate::domain::claim::{Claim, ClaimId, Part, PartState, Payee};
use crate::domain::disbursement::Batch;
use crate::domain::error::Error;
use crate::domain::ledger::Account;
use crate::domain::payment::{Origin, Reference};
use crate::store::Tx;
use std::collections::{BTreeSet, HashMap};
use zeroize::Zeroizing;

/// What a fund's ordinal is multiplied by in references: more claims than a fund will ever have.
const CLAIMS_OF_A_FUND: u64 = 1_000_000_000;

/// Sends the bound parts of the claims of a batch to the bank.
pub(super) async fn instruct(
    tx: &Tx,
    vault: &Vault,
    books: &mut OpenBooks,
    batch: &Batch,
    signed: &Signature,
) -> Result<(), Error> {
    let fund = &batch.fund;
    let mut claims = claims_of(tx, batch).await?;
    let accounts: BTreeSet<(FundId, Account)> = claims
        .iter()
        .flat_map(|claim| claim.accounts().map(|account| (fund.clone(), account)))
        .collect();
    books.load(tx, accounts).await?;
    let ids: Vec<&ClaimId> = claims.iter().map(|claim| &claim.id).collect();
    let mut sealed: HashMap<ClaimId, Sealed> = (tx.claim_material(&ids).await?.into_iter())
        .map(|(id, material)| (id, material.sealed))
        .collect();
    let open = books.fund(fund)?;
    let mut payments: Vec<NewPayment> = Vec::new();
    let mut rows = Vec::with_capacity(claims.len());
    let note = format!("batch {}", batch.number);
    for claim in &mut claims {
        let stored = claim.version;
        let postings = claim.instruct()?;
        let personal = sealed.remove(&claim.id).ok_or_else(|| no_claim(&claim.id))?;
        let personal = claims::open(vault, &claim.id, &personal)?;
        let payee = Zeroizing::new(serde_json::to_vec(&personal.payee).map_err(Error::internal)?);
        let account = payee_lookup(vault, &personal.payee)?;
        for part in claim
            .parts
            .iter()
            .filter(|part| part.state == PartState::InPayment)
        {
            let reference = reference(open.head.ordinal, claim, part)?;
            let line = payments.len() as u64 + 1;
            let payee = vault.seal(&payee_name(reference.as_str()), &payee)?;
            payments.push(NewPayment {
                payment: payment(batch, line, claim, part, part.attempts, reference.to_string()),
                region: claim.region.clone(),
                payee,
                account: account.clone(),
            });
        }
        let moved = total(postings.iter().map(|posting| posting.amount))?;
        open.post(postings, signed)?;
        let told = Told {
            amount: moved,
            ..told(claim, "claim.instructed", &note)
        };
        open.tell(told, signed);
        rows.push((&*claim, stored));
    }
    let amount = total(payments.iter().map(|new| new.payment.amount))?;
    if (payments.len() as u64, amount) != (batch.lines, batch.amount) {
        return Err(Error::internal(format!(
            "{} has other lines than it was frozen with",
            batch.resource_name()
        )));
    }
    tx.update_claims(&rows).await?;
    tx.insert_payments(&payments).await
}

/// What comes back on the statement. Numbers of claims are within a fund, references are not: the fund's
/// ordinal stands before the number.
fn reference(ordinal: u64, claim: &Claim, part: &Part) -> Result<Reference, Error> {
    let number = claim.id.number;
    let claim_number = ordinal
        .checked_mul(CLAIMS_OF_A_FUND)
        .filter(|_| number < CLAIMS_OF_A_FUND)
        .and_then(|base| base.checked_add(number))
        .ok_or_else(|| Error::internal(format!("no reference for {}", claim.id)))?;
    Ok(Reference::of(Origin {
        claim: claim_number,
        payer: part.payer,
        attempt: part.attempts,
    })?)
}

/// By which a line of a statement without a reference is known to go to the payee.
pub(in crate::app) fn payee_lookup(vault: &Vault, payee: &Payee) -> Result<Lookup, Error> {
    let account: String = payee.account.chars().filter(char::is_ascii_digit).collect();
    let lookups = vault.lookups(ACCOUNT_KIND, &account);
    let lookup = lookups.into_iter().next();
    lookup.ok_or_else(|| Error::internal("a vault without a key"))
}

/// What a payee is sealed for.
fn payee_name(reference: &str) -> String {
    format!("payments/{reference}/payee")
}

/// The payee of a payment, as it was sent to the bank.
pub(in crate::app) fn open_payee(vault: &Vault, reference: &str, sealed: &Sealed) -> Result<Payee, Error> {
    let name = payee_name(reference);
    let plain = vault.open(&name, sealed)?;
    serde_json::from_slice(&plain)
        .map_err(|_| Error::internal(format!("what is sealed for {name} is not a payee")))
}

/// Seals the payees of payments of these claims anew where another key than the one in use sealed them.
pub(in crate::app) async fn reseal_payees(tx: &Tx, vault: &Vault, ids: &[&ClaimId]) -> Result<(), Error> {
    let old = tx.payees_sealed_otherwise(ids, vault.sealing_key()).await?;
    let mut renewed = Vec::with_capacity(old.len());
    for (reference, sealed) in old {
        let name = payee_name(&reference);
        let plain = vault.open(&name, &sealed)?;
        renewed.push((reference, vault.seal(&name, &plain)?));
    }
    tx.update_payees(&renewed).await
}
