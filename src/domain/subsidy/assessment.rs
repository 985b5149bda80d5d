//! What an assessment says: the entitlement with its derivation. It is stored with the claim, so it reads
//! without the policy beside it.

use super::checker::Label;
use super::policy::OnTaxDifference;
use super::precise::Direction;
use super::{PolicyRef, ProgrammeRef};
use crate::domain::error::Bilingual;
use crate::domain::money::{Money, RoundingUnit};
use crate::domain::region::RegionCode;
use serde::{Deserialize, Serialize};

/// How much of an assessment is put into words. What is decided is the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Every step, for people.
    Derived,
    /// None: texts are empty. For a claim that is handed in, of which the amounts are kept and the words are
    /// not; they are a fifth of the work.
    Decided,
}

impl Detail {
    /// The words, where they are wanted.
    pub(super) fn say(self, words: impl FnOnce() -> Bilingual) -> Bilingual {
        match self {
            Self::Derived => words(),
            Self::Decided => Bilingual::default(),
        }
    }

    /// Adds to words, where they are wanted.
    pub(super) fn add(self, words: &mut Bilingual, more: impl FnOnce() -> Bilingual) {
        if self == Self::Derived {
            let more = more();
            words.en.push_str(&more.en);
            words.zh.push_str(&more.zh);
        }
    }
}

/// A clause, and whether the claim satisfies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClauseOutcome {
    /// Id of the clause.
    pub id: String,
    /// The clause of the legal basis.
    pub clause: String,
    /// What it demands.
    pub text: Bilingual,
    /// Whether it is satisfied.
    pub passed: bool,
    /// Why, with the values found.
    pub reason: Bilingual,
}

/// The deed tax recomputed from the law, beside the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeedTaxOutcome {
    /// Revision and digest of the rates used, `revision:digest`.
    pub law: String,
    /// Percent of the price; empty where the law has no rate for such a home at that time.
    pub percent: String,
    /// What the law asks for.
    pub due: Option<Money>,
    /// What the receipt says.
    pub receipt: Money,
    /// The receipt less what the law asks for.
    pub difference: Option<Money>,
    /// What the policy does about a difference.
    pub on_difference: OnTaxDifference,
    /// The tax that the subsidy is computed from.
    pub recognised: Money,
    /// How it comes about.
    pub derivation: Bilingual,
}

/// A limit, and whether it took anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapOutcome {
    /// Id of the cap.
    pub id: String,
    /// Its names.
    pub name: Bilingual,
    /// The clause it rests on.
    pub clause: String,
    /// The limit in yuan, exact.
    pub limit: String,
    /// Whether the amount was above it.
    pub applied: bool,
    /// How it comes about.
    pub derivation: Bilingual,
}

/// A benefit, and what it comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenefitOutcome {
    /// Id of the benefit.
    pub id: String,
    /// Its names.
    pub name: Bilingual,
    /// The clause it rests on.
    pub clause: String,
    /// Whether its condition holds and a band fits.
    pub applies: bool,
    /// How the amount comes about, step by step.
    pub steps: Vec<Bilingual>,
    /// Limits on this benefit.
    pub caps: Vec<CapOutcome>,
    /// The amount in yuan, exact.
    pub exact: String,
}

/// The entitlement of a claim, with its derivation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The policy applied.
    pub policy: PolicyRef,
    /// Its title.
    pub policy_title: Bilingual,
    /// The document that the policy rests on.
    pub legal_basis: String,
    /// What of the policy is illustrative and not in a document; empty where nothing is.
    pub illustrative: String,
    /// The region whose policy it is: the claim's own, or one that contains it.
    pub policy_region: RegionCode,
    /// The programme.
    pub programme: ProgrammeRef,
    /// The date that decided which policy applies, `YYYY-MM-DD`.
    pub decisive_date: String,
    /// Whether every clause is satisfied.
    pub eligible: bool,
    /// Clause by clause.
    pub clauses: Vec<ClauseOutcome>,
    /// The deed tax, where the programme has it.
    pub deed_tax: Option<DeedTaxOutcome>,
    /// Benefit by benefit; none where the claim is not eligible.
    pub benefits: Vec<BenefitOutcome>,
    /// Limits on the sum of the benefits.
    pub caps: Vec<CapOutcome>,
    /// The amount before rounding, in yuan, exact.
    pub exact: String,
    /// The unit that the amount is a multiple of.
    pub unit: RoundingUnit,
    /// Which way it became one.
    pub direction: Direction,
    /// The entitlement; zero where the claim is not eligible.
    pub amount: Money,
    /// What the city bears of it.
    pub city: Money,
    /// What the county bears of it.
    pub county: Money,
    /// How the amount is rounded and split.
    pub settlement: Vec<Bilingual>,
    /// Days of public notice before it is paid; 0 means none.
    pub notice_days: u32,
    /// Documents that the claim lacks.
    pub documents_missing: Vec<Label>,
}

impl Assessment {
    /// Whether there is something to pay and nothing missing.
    pub fn is_payable(&self) -> bool {
        self.eligible && self.documents_missing.is_empty() && self.amount > Money::ZERO
    }

    /// The ids of the clauses that are not satisfied.
    pub fn failed_clauses(&self) -> impl Iterator<Item = &str> {
        self.clauses
            .iter()
            .filter(|clause| !clause.passed)
            .map(|clause| clause.id.as_str())
    }
}
