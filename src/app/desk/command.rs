//! What can be asked of the desk, and what comes of it in a bulk call.

use crate::app::records::OnceKey;
use crate::app::vault::Sealed;
use crate::domain::allocation::FundId;
use crate::domain::claim::{Claim, ClaimId, State};
use crate::domain::disbursement::Answer;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::ledger::{Account, Bucket};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// An assessed claim that is handed in.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The fund that is to pay.
    pub fund: FundId,
    /// The region.
    pub region: RegionCode,
    /// The programme.
    pub programme: ProgrammeCode,
    /// The policy it was assessed by, and its revision.
    pub policy: (String, u32),
    /// The revision of the deed-tax law that the assessment used; 0 where it used none.
    pub law_revision: u32,
    /// What each payer owes.
    pub parts: Vec<(Payer, Money)>,
    /// Days of public notice.
    pub notice_days: u32,
    /// Facts by code.
    pub facts: BTreeMap<String, String>,
    /// Kinds of the documents handed in.
    pub documents: Vec<String>,
    /// What it takes: for each thing its hashes under every key, the one in use first.
    pub keys: Vec<Vec<OnceKey>>,
    /// The personal data, to be sealed.
    pub personal: Zeroizing<Vec<u8>>,
    /// The applicant's name, masked.
    pub masked_name: String,
    /// The applicant's ID number, masked.
    pub masked_id: String,
}

/// What is to be done to a claim.
#[derive(Debug, Clone)]
pub enum Command {
    /// Hand one in.
    Submit(Box<Submission>),
    /// Approve it; `wait` puts it on the waiting list where its amount does not fit the quota.
    Approve {
        /// The claim.
        claim: ClaimId,
        /// Its etag, or empty.
        etag: String,
        /// Whether it may wait.
        wait: bool,
    },
    /// Refuse it.
    Reject {
        /// The claim.
        claim: ClaimId,
        /// Its etag, or empty.
        etag: String,
        /// Why.
        note: String,
    },
    /// Take it back.
    Withdraw {
        /// The claim.
        claim: ClaimId,
        /// Its etag, or empty.
        etag: String,
        /// Why.
        note: String,
    },
    /// End it unpaid.
    Cancel {
        /// The claim.
        claim: ClaimId,
        /// Its etag, or empty.
        etag: String,
        /// Why.
        note: String,
    },
    /// Object to it.
    Object {
        /// The claim.
        claim: ClaimId,
        /// What is said; it may name people, and is sealed.
        said: Zeroizing<String>,
    },
    /// Resolve an objection.
    Resolve {
        /// The claim.
        claim: ClaimId,
        /// The objection.
        objection: u32,
        /// Whether it is upheld, which ends the claim.
        upheld: bool,
        /// Why.
        note: String,
    },
    /// Make it ready to be paid again after the bank rejected it.
    Retry {
        /// The claim.
        claim: ClaimId,
        /// Its etag, or empty.
        etag: String,
        /// The personal data with the corrected account, sealed; none keeps what there is.
        sealed: Option<Sealed>,
        /// What was corrected.
        note: String,
    },
    /// Note money that came back.
    Return {
        /// The claim.
        claim: ClaimId,
        /// Whose money.
        payer: Payer,
        /// How much.
        amount: Money,
        /// Why, and the document.
        note: String,
    },
    /// Note the bank's answer to a payment.
    Conclude {
        /// The payment's reference.
        reference: String,
        /// The amount that the bank says; it must be the payment's.
        amount: Option<Money>,
        /// The answer.
        answer: Answer,
    },
}

/// Why a command in a bulk call was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable, machine-readable reason in `UPPER_SNAKE_CASE`.
    pub reason: String,
    /// The message for people.
    pub message: Bilingual,
    /// Which fields, where the input is wrong.
    pub violations: Vec<Violation>,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        let reason = match error {
            Error::Invalid(_) => "INVALID",
            Error::NotFound { .. } => "NOT_FOUND",
            Error::AlreadyExists { .. } => "ALREADY_EXISTS",
            Error::State { reason, .. } | Error::Forbidden { reason, .. } => reason,
            Error::EtagMismatch { .. } => "ETAG_MISMATCH",
            _ => "REFUSED",
        };
        Self {
            reason: reason.to_owned(),
            message: error.message(),
            violations: match error {
                Error::Invalid(violations) => violations.clone(),
                _ => Vec::new(),
            },
        }
    }
}

/// A claim after a command in a bulk call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The claim.
    pub claim: ClaimId,
    /// Its state.
    pub state: State,
    /// Its amount.
    pub amount: Money,
    /// Its etag.
    pub etag: String,
}

impl Receipt {
    pub(super) fn of(claim: Claim) -> Self {
        Self {
            etag: claim.etag(),
            claim: claim.id,
            state: claim.state,
            amount: claim.amount,
        }
    }
}

/// What became of one command of a bulk call.
pub type Outcome = Result<Receipt, Refusal>;

pub(super) const PROGRAMME_BUCKETS: [Bucket; 4] =
    [Bucket::Quota, Bucket::Reserved, Bucket::InPayment, Bucket::Paid];

impl Submission {
    pub(super) fn accounts(&self) -> impl Iterator<Item = Account> {
        self.parts.iter().flat_map(|(payer, _)| {
            PROGRAMME_BUCKETS
                .map(|bucket| Account::new(*payer, self.region.clone(), Some(self.programme.clone()), bucket))
        })
    }
}

impl Command {
    /// The claim that the command names.
    pub fn claim(&self) -> Option<&ClaimId> {
        match self {
            Self::Approve { claim, .. }
            | Self::Reject { claim, .. }
            | Self::Withdraw { claim, .. }
            | Self::Cancel { claim, .. }
            | Self::Object { claim, .. }
            | Self::Resolve { claim, .. }
            | Self::Retry { claim, .. }
            | Self::Return { claim, .. } => Some(claim),
            Self::Submit(_) | Self::Conclude { .. } => None,
        }
    }

    pub(super) fn reference(&self) -> Option<&str> {
        match self {
            Self::Conclude { reference, .. } => Some(reference),
            _ => None,
        }
    }

    pub(super) const fn may_free_keys(&self) -> bool {
        matches!(
            self,
            Self::Reject { .. }
                | Self::Withdraw { .. }
                | Self::Cancel { .. }
                | Self::Resolve { .. }
                | Self::Return { .. }
        )
    }
}

/// The name that an objection's text is sealed for.
pub fn objection_name(claim: &ClaimId, number: u32) -> String {
    format!("{claim}/objections/{number}")
}

/// There is no such claim.
pub(in crate::app) fn no_claim(id: &ClaimId) -> Error {
    Error::NotFound {
        kind: "claim",
        name: id.to_string(),
    }
}
