//! What the use cases keep in the store, beside the domain's own types.

use super::vault::{Lookup, Sealed};
use crate::domain::allocation::{FundId, Signature, State};
use crate::domain::claim::ClaimId;
use crate::domain::digest::Digest;
use crate::domain::disbursement::Payment;
use crate::domain::formula::Document;
use crate::domain::ledger::{Account, Bucket, Event, Head};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::statistics::{DataSetId, Snapshot};
use crate::domain::subsidy::{PolicyDocument, ProgrammeCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A named collection of observations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSet {
    /// Its id.
    pub id: DataSetId,
    /// A title for people.
    pub title: String,
    /// Who created it.
    pub created: Signature,
    /// Its newest revision; 0 while it is empty.
    pub revision: u32,
    /// Digest of the content at the newest revision.
    pub digest: Digest,
}

impl DataSet {
    /// A data set without content.
    pub fn empty(id: DataSetId, title: String, created: Signature) -> Self {
        Self {
            id,
            title,
            created,
            revision: 0,
            digest: Snapshot::default().digest(),
        }
    }
}

/// One import into a data set: the state of the data set after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSetRevision {
    /// The data set.
    pub data_set: DataSetId,
    /// Counted from 1.
    pub revision: u32,
    /// Digest of the whole content after the import.
    pub digest: Digest,
    /// Who imported.
    pub created: Signature,
    /// Observations of keys that were not there before.
    pub added: u32,
    /// Observations that correct an earlier one.
    pub revised: u32,
    /// Rows that repeat what is there; they leave no trace.
    pub unchanged: u32,
}

/// An immutable revision of a formula.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormulaRevision {
    /// Counted from 1 within the formula's id.
    pub revision: u32,
    /// Digest of the document.
    pub digest: Digest,
    /// The document.
    pub document: Document,
    /// Who created it.
    pub created: Signature,
}

/// An immutable revision of a programme or of the deed-tax law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRevision<D> {
    /// Counted from 1 within the document's id.
    pub revision: u32,
    /// Digest of the document.
    pub digest: Digest,
    /// The document.
    pub document: D,
    /// Who created it.
    pub created: Signature,
}

/// An immutable revision of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRevision {
    /// Counted from 1 within the policy's id.
    pub revision: u32,
    /// Digest of the document.
    pub digest: Digest,
    /// The document.
    pub document: PolicyDocument,
    /// The revision of the programme that it was checked against, and is applied with.
    pub programme_revision: u32,
    /// Who created it.
    pub created: Signature,
}

/// Which policies to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyFilter {
    /// Only of this region itself.
    pub region: Option<RegionCode>,
    /// Only of this programme.
    pub programme: Option<ProgrammeCode>,
}

/// The answer to a mutation, kept so that a repeated request gets the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequest {
    /// The caller's id of the request; unique for the principal.
    pub request_id: String,
    /// Who called.
    pub principal: String,
    /// The method called.
    pub method: String,
    /// Digest of the request's body.
    pub body: Digest,
    /// The answer, as JSON.
    pub response: String,
    /// When (microseconds since 1970-01-01 UTC).
    pub at: i64,
}

/// Which runs to list; newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Only of this fund.
    pub fund: Option<FundId>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only those that were issued at some time, and so are public.
    pub published: bool,
}

/// A fund's journal at its end, and what is counted within the fund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundHead {
    /// Counted from 1 over all funds of the database; part of payment references.
    pub ordinal: u64,
    /// The end of the journal.
    pub journal: Head,
    /// Number of the last change.
    pub changes: u64,
    /// Number of the last claim.
    pub claims: u64,
    /// Number of the last payment batch.
    pub batches: u64,
    /// The end of its chain of the audit log.
    pub audit: crate::domain::audit::Head,
}

/// Which accounts to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountFilter {
    /// Only of this payer.
    pub payer: Option<Payer>,
    /// Only of this region.
    pub region: Option<RegionCode>,
    /// Only of this programme.
    pub programme: Option<ProgrammeCode>,
    /// Only of this bucket.
    pub bucket: Option<Bucket>,
}

/// Which entries to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryFilter {
    /// Only those that move this account.
    pub account: Option<Account>,
    /// Only of this event.
    pub event: Option<Event>,
    /// Only those that this resource caused.
    pub subject: Option<String>,
    /// Not before this time.
    pub from: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
}

/// Something that happened in a fund: a line of its history, and what a watcher is sent.
///
/// It holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Counted from 1 within the fund, without gaps, in the order of commits.
    pub number: u64,
    /// Who and when.
    pub signed: Signature,
    /// What happened, such as `claim.approved`.
    pub kind: String,
    /// In which region; none where it is about the fund as a whole.
    pub region: Option<RegionCode>,
    /// To which resource.
    pub resource: String,
    /// The state of the resource after it.
    pub state: String,
    /// The amount that it is about; zero where there is none.
    pub amount: Money,
    /// A note of the person who acted; may be empty.
    pub note: String,
}

/// Something that is subsidised once only: a person, a home.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OnceKey {
    /// What it is, with the period it holds for, such as `household` or `pupil 2025`.
    pub kind: String,
    /// The keyed hash.
    pub hash: String,
    /// The id of the key that hashed it.
    pub lookup_key: String,
}

/// What a claim was assessed from, and who it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimMaterial {
    /// The revision of the deed-tax law that the assessment used; 0 where it used none.
    pub law_revision: u32,
    /// Facts by code.
    pub facts: BTreeMap<String, String>,
    /// Kinds of the documents handed in.
    pub documents: Vec<String>,
    /// The personal data.
    pub sealed: Sealed,
    /// What the claim takes.
    pub keys: Vec<OnceKey>,
}

/// An objection to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// The claim.
    pub claim: ClaimId,
    /// Counted from 1 within the claim.
    pub number: u32,
    /// `open`, `upheld` or `dismissed`.
    pub state: String,
    /// What was said, sealed: it may name people.
    pub sealed: Sealed,
    /// Who noted it.
    pub raised: Signature,
    /// Who resolved it.
    pub resolved: Option<Signature>,
    /// Why it was resolved so.
    pub resolution: String,
}

/// A person's erasure from a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The claim.
    pub claim: ClaimId,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub requested: Signature,
    /// Who carried it out; none before that.
    pub erased: Option<Signature>,
}

/// Which claims to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimFilter {
    /// Only of this region.
    pub region: Option<RegionCode>,
    /// Only of this programme.
    pub programme: Option<ProgrammeCode>,
    /// Only in this state.
    pub state: Option<crate::domain::claim::State>,
    /// Only in this batch.
    pub batch: Option<u64>,
    /// In the order of the waiting list instead of by number.
    pub by_waiting: bool,
}

/// Which payment batches to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchFilter {
    /// Only of this programme.
    pub programme: Option<ProgrammeCode>,
    /// Only in this state.
    pub state: Option<crate::domain::disbursement::BatchState>,
}

/// Which breaks of an account to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BreakFilter {
    /// Only of this class.
    pub class: Option<crate::domain::reconciliation::Class>,
    /// Only in this state.
    pub state: Option<crate::domain::reconciliation::BreakState>,
    /// Only those of this month.
    pub period: Option<crate::domain::reconciliation::Month>,
    /// Only those of this person.
    pub assignee: Option<crate::domain::identity::Principal>,
}

/// A payment as it is sent to the bank.
#[derive(Debug, Clone)]
pub struct NewPayment {
    /// The payment.
    pub payment: Payment,
    /// The region of its claim.
    pub region: RegionCode,
    /// The payee, sealed.
    pub payee: Sealed,
    /// Keyed hash of the payee's account.
    pub account: Lookup,
}
