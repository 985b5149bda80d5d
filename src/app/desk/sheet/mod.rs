//! The sheet: everything that the commands of one transaction need, read at once, decided on in memory and
//! written at once.

mod decide;

use super::Job;
use super::command::Command;
use super::writing::Writing;
use crate::app::books::{OpenBooks, OpenFund, Told};
use crate::app::records::{ClaimMaterial, Objection, OnceKey, StoredRequest};
use crate::app::vault::{Sealed, Vault};
use crate::domain::allocation::FundId;
use crate::domain::claim::{Claim, ClaimId};
use crate::domain::digest::Digest;
use crate::domain::disbursement::Payment;
use crate::domain::error::Error;
use crate::domain::ledger::Account;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use crate::store::{First, Tx, Writes};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

type KeyName = (String, String, String);
type Place = (FundId, RegionCode, ProgrammeCode);

/// A claim on the sheet.
struct Held {
    claim: Claim,
    /// The version that is stored, or is going to be; none for a new one.
    stored: Option<u32>,
    /// What a new claim was assessed from; for another, where its keys may be freed.
    material: Option<ClaimMaterial>,
}

/// All that the jobs of one transaction need, in memory.
pub(super) struct Sheet<'a> {
    vault: &'a Vault,
    books: OpenBooks,
    claims: BTreeMap<ClaimId, Held>,
    /// Those that are not yet stored as they are now.
    changed: BTreeSet<ClaimId>,
    payments: HashMap<String, Payment>,
    concluded: BTreeSet<String>,
    objections: BTreeMap<(ClaimId, u32), Objection>,
    touched_objections: BTreeSet<(ClaimId, u32)>,
    taken: HashMap<KeyName, (ClaimId, RegionCode)>,
    new_keys: Vec<(ClaimId, ProgrammeCode, OnceKey)>,
    freed_keys: Vec<(ClaimId, ProgrammeCode, OnceKey)>,
    waiting: BTreeMap<Place, u64>,
    resealed: Vec<(ClaimId, Sealed)>,
    touched: Vec<Touched>,
}

/// A claim that a command changed, with its digests; taken by the record of the command's call.
pub(super) struct Touched {
    pub(super) claim: ClaimId,
    pub(super) before: Option<Digest>,
    pub(super) after: Digest,
}

impl<'a> Sheet<'a> {
    /// Locks the journals and reads what the commands name; and the answers to those of the jobs that were answered
    /// before.
    pub(super) async fn open(
        tx: &Tx,
        vault: &'a Vault,
        jobs: &[Job],
    ) -> Result<(Self, Vec<StoredRequest>), Error> {
        let commands = || jobs.iter().flat_map(|job| job.work.commands());
        // Payments say which claims they are of; neither that nor their fund ever changes, so they may be
        // looked at before the lock.
        let references: BTreeSet<&str> = commands().filter_map(Command::reference).collect();
        let references: Vec<&str> = references.into_iter().collect();
        let mut payments: HashMap<String, Payment> = HashMap::new();
        for payment in tx.payments_by_reference(&references).await? {
            payments.insert(payment.reference.clone(), payment);
        }
        let mut ids: BTreeSet<&ClaimId> = commands().filter_map(Command::claim).collect();
        ids.extend(payments.values().map(|payment| &payment.claim));
        let ids: Vec<&ClaimId> = ids.into_iter().collect();
        let mut funds: BTreeSet<&FundId> = ids.iter().map(|id| &id.fund).collect();
        let mut keys: BTreeSet<(&ProgrammeCode, &str, &str)> = BTreeSet::new();
        for command in commands() {
            if let Command::Submit(submission) = command {
                funds.insert(&submission.fund);
                for key in submission.keys.iter().flatten() {
                    keys.insert((&submission.programme, &key.kind, &key.hash));
                }
            }
        }
        let found = tx
            .first(First {
                requests: &(jobs.iter())
                    .filter(|job| !job.mutation.request_id.is_empty())
                    .map(|job| (job.mutation.caller.as_str(), job.mutation.request_id.as_str()))
                    .collect::<Vec<_>>(),
                funds: &funds.into_iter().cloned().collect::<Vec<_>>(),
                claims: &ids,
                keys: &keys.into_iter().collect::<Vec<_>>(),
            })
            .await?;
        let claims = found.claims;
        let mut books = OpenBooks::of(found.heads);
        if !references.is_empty() {
            // Again, now that nobody else concludes them.
            for payment in tx.payments_by_reference(&references).await? {
                payments.insert(payment.reference.clone(), payment);
            }
        }
        let accounts = books.unknown(accounts(commands(), &claims));
        let approved: BTreeSet<&ClaimId> = commands()
            .filter(|command| matches!(command, Command::Approve { .. }))
            .filter_map(Command::claim)
            .collect();
        let places: BTreeSet<(&FundId, &RegionCode, &ProgrammeCode)> = (claims.iter())
            .filter(|claim| approved.contains(&claim.id))
            .map(|claim| (&claim.id.fund, &claim.region, &claim.programme))
            .collect();
        let (waiting, balances) = {
            let places: Vec<_> = places.into_iter().collect();
            let named: Vec<_> = accounts.iter().map(|(fund, account)| (fund, account)).collect();
            tx.waiting_and_balances(&places, &named).await?
        };
        books.fill_in(balances, accounts)?;
        let objected: BTreeSet<&ClaimId> = commands()
            .filter(|command| matches!(command, Command::Resolve { .. }))
            .filter_map(Command::claim)
            .collect();
        let objections = tx.objections(&objected.into_iter().collect::<Vec<_>>()).await?;
        let ending: BTreeSet<&ClaimId> = commands()
            .filter(|command| command.may_free_keys())
            .filter_map(Command::claim)
            .collect();
        let mut materials: BTreeMap<ClaimId, ClaimMaterial> = tx
            .claim_material(&ending.into_iter().collect::<Vec<_>>())
            .await?
            .into_iter()
            .collect();
        let sheet = Self {
            vault,
            books,
            claims: claims
                .into_iter()
                .map(|claim| {
                    let held = Held {
                        stored: Some(claim.version),
                        material: materials.remove(&claim.id),
                        claim,
                    };
                    (held.claim.id.clone(), held)
                })
                .collect(),
            changed: BTreeSet::new(),
            payments,
            concluded: BTreeSet::new(),
            objections: objections
                .into_iter()
                .map(|objection| ((objection.claim.clone(), objection.number), objection))
                .collect(),
            touched_objections: BTreeSet::new(),
            taken: found.taken.into_iter().collect(),
            new_keys: Vec::new(),
            freed_keys: Vec::new(),
            waiting: waiting.into_iter().collect(),
            resealed: Vec::new(),
            touched: Vec::new(),
        };
        Ok((sheet, found.requests))
    }

    /// Whether the books of a fund are open.
    pub(super) fn open_fund(&mut self, fund: &FundId) -> Option<&mut OpenFund> {
        self.books.fund(fund).ok()
    }

    /// What was changed since this was asked for the last time.
    pub(super) fn take_touched(&mut self) -> Vec<Touched> {
        std::mem::take(&mut self.touched)
    }

    /// The fund of the claim that a payment is of.
    pub(super) fn fund_of_payment(&self, reference: &str) -> Option<&FundId> {
        self.payments.get(reference).map(|payment| &payment.claim.fund)
    }

    /// Whether payments were concluded, which [`Sheet::close`] has to write.
    pub(super) fn has_concluded(&self) -> bool {
        !self.concluded.is_empty()
    }

    /// Writes which payments were concluded, and closes the batches that are finished by that.
    pub(super) async fn close(&mut self, tx: &Tx) -> Result<(), Error> {
        let concluded: Vec<&Payment> = (self.concluded.iter())
            .filter_map(|reference| self.payments.get(reference))
            .collect();
        tx.conclude_payments(&concluded).await?;
        crate::app::disbursement::close_finished(tx, &mut self.books, &concluded).await
    }

    /// Has what was decided written by the time that the next is decided.
    pub(super) async fn write(&mut self, writing: &mut Writing) -> Result<(), Error> {
        writing.push(self.claims()?).await?;
        writing.push(self.books.writes()).await
    }

    /// What was posted, told and recorded since it was handed out before, with the balances and the ends of journals.
    pub(super) fn last(&mut self, tx: &Tx) -> Writes {
        self.books.last_writes(tx)
    }

    /// What became of claims, their keys and objections since it was handed out before.
    pub(super) fn claims(&mut self) -> Result<Writes, Error> {
        let mut writes = Writes::default();
        let ids = std::mem::take(&mut self.changed);
        let held: Vec<&Held> = ids.iter().filter_map(|id| self.claims.get(id)).collect();
        let new: Vec<(&Claim, &ClaimMaterial)> = (held.iter())
            .filter(|held| held.stored.is_none())
            .filter_map(|held| Some((&held.claim, held.material.as_ref()?)))
            .collect();
        writes.insert_claims(&new)?;
        let changed: Vec<(&Claim, u32)> = (held.iter())
            .filter_map(|held| Some((&held.claim, held.stored?)))
            .filter(|(claim, stored)| claim.version != *stored)
            .collect();
        writes.update_claims(&changed)?;
        for id in &ids {
            if let Some(held) = self.claims.get_mut(id) {
                held.stored = Some(held.claim.version);
            }
        }
        let resealed: Vec<(&ClaimId, &Sealed)> =
            self.resealed.iter().map(|(id, sealed)| (id, sealed)).collect();
        writes.update_sealed(&resealed);
        self.resealed.clear();
        // Freed first: what one command frees, a later one of the same transaction may take.
        writes.delete_keys(&key_rows(&std::mem::take(&mut self.freed_keys)));
        writes.insert_keys(&key_rows(&std::mem::take(&mut self.new_keys)));
        let objections: Vec<&Objection> = (self.touched_objections.iter())
            .filter_map(|key| self.objections.get(key))
            .collect();
        writes.store_objections(&objections);
        self.touched_objections.clear();
        Ok(writes)
    }
}

pub(in crate::app) fn key_rows(
    keys: &[(ClaimId, ProgrammeCode, OnceKey)],
) -> Vec<(&ClaimId, &ProgrammeCode, &OnceKey)> {
    keys.iter()
        .map(|(id, programme, key)| (id, programme, key))
        .collect()
}

/// The accounts that commands may move money between.
fn accounts<'c>(
    commands: impl Iterator<Item = &'c Command>,
    claims: &'c [Claim],
) -> BTreeSet<(FundId, Account)> {
    let mut accounts = BTreeSet::new();
    // Most are about the same few places, whose accounts are made once.
    let mut seen = HashSet::new();
    for command in commands {
        let Command::Submit(submission) = command else {
            continue;
        };
        for (payer, _) in &submission.parts {
            let place = (
                &submission.fund,
                &submission.region,
                &submission.programme,
                *payer,
            );
            if seen.insert(place) {
                let of_fund = |account| (submission.fund.clone(), account);
                accounts.extend(submission.accounts().map(of_fund));
            }
        }
    }
    for claim in claims {
        for part in &claim.parts {
            let place = (&claim.id.fund, &claim.region, &claim.programme, part.payer);
            if seen.insert(place) {
                let of_fund = |account| (claim.id.fund.clone(), account);
                accounts.extend(claim.accounts().map(of_fund));
            }
        }
    }
    accounts
}

/// What is told about a change of a claim.
pub(in crate::app) fn told<'a>(claim: &Claim, kind: &'a str, note: &'a str) -> Told<'a> {
    Told {
        kind,
        region: Some(claim.region.clone()),
        resource: claim.id.to_string(),
        state: claim.state.code(),
        amount: claim.amount,
        note,
    }
}
