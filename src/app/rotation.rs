//! Keys are changed: personal data that older keys sealed and hashed is sealed and hashed anew.

use super::App;
use super::audit::{Asking, Call};
use super::books::OpenBooks;
use super::claims::{open, sealable};
use super::desk::{key_rows, no_claim, objection_name};
use super::records::{ClaimFilter, OnceKey};
use super::vault::{Sealed, Vault};
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::audit::{Outcome, Record};
use crate::domain::claim::{Claim, ClaimId, Personal};
use crate::domain::error::Error;
use crate::store::Tx;
use std::collections::{BTreeSet, HashMap};

impl App {
    /// Seals the personal data of claims anew under the keys in use, a page at a time, and says how many
    /// claims were changed. It may run while the service does, and may be stopped and begun again: each page is a
    /// transaction with its record in the audit log, and what has the keys in use is passed over.
    pub async fn rotate_keys(&self, asking: &Asking, fund: &FundId) -> Result<u64, Error> {
        const PAGE: u64 = 500;
        let vault = self.vault()?;
        let (mut after, mut changed) = (0, 0);
        loop {
            let (last, page) = crate::store::retrying(|| async {
                let tx = self.store().begin_posting().await?;
                // Nobody changes these claims meanwhile.
                let mut books = OpenBooks::open(&tx, &BTreeSet::from([fund.clone()])).await?;
                let claims = tx
                    .list_claims(fund, &Scope::All, &ClaimFilter::default(), after, PAGE)
                    .await?;
                let last = claims.last().map(|claim| claim.id.number);
                let changed = rotate_page(&tx, vault, &claims).await?;
                if changed > 0 {
                    books.fund(fund)?.record(rotated(asking, vault, fund, changed));
                }
                books.write(&tx).await?;
                tx.commit().await?;
                Ok((last, changed))
            })
            .await?;
            changed += page;
            match last {
                Some(last) => after = last,
                None => return Ok(changed),
            }
        }
    }

    /// How many claims of erased persons have hashes under an older key, which nothing can hash anew: as long
    /// as there are any, that key must stay in the key file.
    pub async fn erased_under_older_keys(&self, fund: &FundId) -> Result<u64, Error> {
        let key = self.vault()?.lookup_key();
        let tx = self.store().begin_read().await?;
        tx.erased_under_other_keys(fund, key).await
    }
}

fn rotated(asking: &Asking, vault: &Vault, fund: &FundId, claims: u64) -> Record {
    let call = Call {
        by: asking.caller.as_str().to_owned(),
        peer: asking.peer.clone(),
        action: "RotateKeys".to_owned(),
        request_id: String::new(),
    };
    Record {
        reason: format!("sealing={} lookup={}", vault.sealing_key(), vault.lookup_key()),
        resource: format!("funds/{fund}/claims"),
        count: claims,
        ..call.record(Outcome::Done)
    }
}

async fn rotate_page(tx: &Tx, vault: &Vault, claims: &[Claim]) -> Result<u64, Error> {
    let ids: Vec<&ClaimId> = claims.iter().map(|claim| &claim.id).collect();
    let programmes: HashMap<&ClaimId, &Claim> = claims.iter().map(|claim| (&claim.id, claim)).collect();
    let (mut sealed, mut keys) = (Vec::new(), Vec::new());
    let (mut old_keys, mut new_keys) = (Vec::new(), Vec::new());
    for (id, material) in tx.claim_material(&ids).await? {
        // Nothing is left of an erased person to seal, or to hash anew.
        if material.sealed.is_erased() {
            continue;
        }
        let hashed_anew = material
            .keys
            .iter()
            .any(|key| key.lookup_key != vault.lookup_key());
        if material.sealed.key == vault.sealing_key() && !hashed_anew {
            continue;
        }
        let personal = open(vault, &id, &material.sealed)?;
        sealed.push((id.clone(), vault.seal(&id.to_string(), &sealable(&personal)?)?));
        if !hashed_anew {
            continue;
        }
        let claim = programmes.get(&id).ok_or_else(|| no_claim(&id))?;
        let renewed: Vec<OnceKey> = (material.keys.iter())
            .map(|key| renew(vault, &personal, key))
            .collect::<Result<_, _>>()?;
        if claim.state.holds_keys() {
            let programme = &claim.programme;
            old_keys.extend(
                material
                    .keys
                    .iter()
                    .map(|key| (id.clone(), programme.clone(), key.clone())),
            );
            new_keys.extend(
                renewed
                    .iter()
                    .map(|key| (id.clone(), programme.clone(), key.clone())),
            );
        }
        keys.push((id, renewed));
    }
    let mut changed: BTreeSet<ClaimId> = sealed.iter().map(|(id, _)| id.clone()).collect();
    let mut objections = tx.objections(&ids).await?;
    objections
        .retain(|objection| !objection.sealed.is_erased() && objection.sealed.key != vault.sealing_key());
    for objection in &mut objections {
        let name = objection_name(&objection.claim, objection.number);
        objection.sealed = vault.seal(&name, &vault.open(&name, &objection.sealed)?)?;
        changed.insert(objection.claim.clone());
    }
    tx.store_objections(&objections.iter().collect::<Vec<_>>())
        .await?;
    let rows: Vec<(&ClaimId, &Sealed)> = sealed.iter().map(|(id, sealed)| (id, sealed)).collect();
    tx.update_sealed(&rows).await?;
    super::disbursement::reseal_payees(tx, vault, &ids).await?;
    let rows: Vec<(&ClaimId, &[OnceKey])> = keys.iter().map(|(id, keys)| (id, keys.as_slice())).collect();
    tx.update_key_lists(&rows).await?;
    tx.delete_keys(&key_rows(&old_keys)).await?;
    tx.insert_keys(&key_rows(&new_keys)).await?;
    Ok(changed.len() as u64)
}

/// The same key hashed with the key in use: the value is the one that the old hash is of.
fn renew(vault: &Vault, personal: &Personal, key: &OnceKey) -> Result<OnceKey, Error> {
    use crate::domain::subsidy::programme::OnceBy;
    let values = [OnceBy::Household, OnceBy::Home, OnceBy::Payee].map(|by| personal.values(by));
    values
        .iter()
        .flatten()
        .map(|value| vault.lookups(&key.kind, value))
        .find(|lookups| lookups.iter().any(|lookup| lookup.hash == key.hash))
        .and_then(|lookups| lookups.into_iter().next())
        .map(|lookup| OnceKey {
            kind: key.kind.clone(),
            hash: lookup.hash,
            lookup_key: lookup.key,
        })
        .ok_or_else(|| Error::internal(format!("the key file lacks the lookup key {}", key.lookup_key)))
}
