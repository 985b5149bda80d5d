//! What the use cases keep in the store, beside the domain's own types.

use crate::domain::allocation::{FundId, Signature, State};
use crate::domain::digest::Digest;
use crate::domain::formula::Document;
use crate::domain::region::RegionCode;
use crate::domain::statistics::{DataSetId, Snapshot};
use crate::domain::subsidy::{PolicyDocument, ProgrammeCode};
use serde::{Deserialize, Serialize};

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
}
