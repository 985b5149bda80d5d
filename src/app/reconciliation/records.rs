//! What reconciliation keeps in the store, beside the domain's own types.

use crate::app::vault::Sealed;
use crate::domain::allocation::{FundId, Signature};
use crate::domain::claim::ClaimId;
use crate::domain::digest::Digest;
use crate::domain::disbursement::PaymentState;
use crate::domain::error::Bilingual;
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::reconciliation::{AccountId, Class, JobState, LineId, Rule, Rules, Step};
use serde::{Deserialize, Serialize};

/// A statement that is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Counted from 1 over all accounts.
    pub number: u64,
    /// The account.
    pub account: AccountId,
    /// Digest of the file, and which statement of it, from 1.
    pub digest: String,
    /// Which statement of the file, from 1.
    pub part: u64,
    /// The format of the file.
    pub format: String,
    /// The bank's identification.
    pub identification: String,
    /// The number in the bank's series; 0 where it has none.
    pub sequence: u64,
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// The balance before the first line.
    pub opening: Money,
    /// The balance behind the last line.
    pub closing: Money,
    /// How many lines.
    pub lines: u64,
    /// The sum of the credits.
    pub credits: Money,
    /// The sum of the debits.
    pub debits: Money,
    /// Who imported it.
    pub imported: Signature,
}

impl Statement {
    /// The resource name.
    pub fn resource_name(&self) -> String {
        format!("bankAccounts/{}/statements/{}", self.account, self.number)
    }

    /// What the personal parts of lines are sealed for; `first` is the first of them.
    pub fn sealed_name(digest: &str, part: u64, first: u64) -> String {
        format!("statements/{digest}/{part}/lines/{first}")
    }
}

/// A line as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewLine {
    /// Its number.
    pub line: u64,
    /// The day it was booked.
    pub booked: String,
    /// The day from which it bears interest; may be empty.
    pub valued: String,
    /// In fen; money out is below zero.
    pub amount: i64,
    /// Whether it undoes another.
    pub reversal: bool,
    /// Our reference; may be empty.
    pub reference: String,
    /// Our order; may be empty.
    pub order: String,
    /// The bank's own reference, masked; may be empty.
    pub bank_reference: String,
    /// Keyed hash of the other account, where the line has no reference of ours.
    pub payee_hash: String,
}

/// Lines of a statement that are written together, with what of them is personal.
#[derive(Debug, Clone)]
pub struct LineChunk {
    /// The lines.
    pub lines: Vec<NewLine>,
    /// First and last line of those that are sealed together, and the seal.
    pub sealed: Vec<(u64, u64, Sealed)>,
}

/// What is personal of a line.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinePersonal(
    /// The line.
    pub u64,
    /// The other side's name; may be empty.
    pub String,
    /// Its account; may be empty.
    pub String,
    /// What else the bank says.
    pub String,
);

impl std::fmt::Debug for LinePersonal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinePersonal({})", self.0)
    }
}

/// A line with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLine {
    /// Which.
    pub id: LineId,
    /// The day it was booked.
    pub booked: String,
    /// The day from which it bears interest; may be empty.
    pub valued: String,
    /// Money out is below zero.
    pub amount: Money,
    /// Whether it undoes another.
    pub reversal: bool,
    /// Our reference; may be empty.
    pub reference: String,
    /// Our order; may be empty.
    pub order: String,
    /// The bank's own reference, masked.
    pub bank_reference: String,
    /// What the matches, and else the breaks, make of it; none before the first reconciliation.
    pub class: Option<Class>,
    /// The rule of its matches.
    pub rule: Option<Rule>,
    /// How many payments it is matched with.
    pub payments: u64,
}

/// A reconciliation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Counted from 1.
    pub number: u64,
    /// The account.
    pub account: AccountId,
    /// Up to which day, `YYYY-MM-DD`.
    pub as_of: String,
    /// Whether it keeps nothing but its report.
    pub dry_run: bool,
    /// Where it is.
    pub state: JobState,
    /// Counts changes; gives the etag.
    pub version: u64,
    /// The step it is at.
    pub step: Step,
    /// The last thing that it did in the step; empty at its beginning.
    pub at: String,
    /// Lines (in [`Step::Post`], payments) that are done of `total`.
    pub done: u64,
    /// How many there are.
    pub total: u64,
    /// The last statement that it looks at.
    pub through: u64,
    /// Whether somebody asked to give it up.
    pub cancel: bool,
    /// Who works on it, until when.
    pub lease: Option<(String, i64)>,
    /// The rules.
    pub rules: Rules,
    /// What came of it; complete when it is finished.
    pub report: JobReport,
    /// Why it failed; empty where it did not.
    pub failure: String,
    /// Who asked for it.
    pub created: Signature,
    /// When a worker took it first; 0 before.
    pub started_at: i64,
    /// When it was over; 0 before.
    pub ended_at: i64,
}

impl Job {
    /// The resource name.
    pub fn resource_name(&self) -> String {
        format!("reconciliations/{}", self.number)
    }

    /// The digest of its rules.
    pub fn rules_digest(&self) -> Digest {
        self.rules.digest()
    }
}

/// Payments and lines of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassTotal {
    /// The class.
    pub class: Class,
    /// Payments.
    pub payments: u64,
    /// Their sum.
    pub payment_amount: Money,
    /// Lines.
    pub lines: u64,
    /// Their sum: money in less money out.
    pub line_amount: Money,
}

/// Matches by a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTotal {
    /// The rule.
    pub rule: Rule,
    /// Pairs of a line and a payment.
    pub matches: u64,
}

/// What is posted to the ledger, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostingTotal {
    /// `settle`, `fail` or `return`.
    pub action: String,
    /// How many.
    pub count: u64,
    /// Their sum.
    pub amount: Money,
}

/// What came of a reconciliation: the account as it stands, and what this run changed of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobReport {
    /// Every class that occurs.
    pub classes: Vec<ClassTotal>,
    /// Every rule that occurs.
    pub rules: Vec<RuleTotal>,
    /// What this run posts; of a dry run, what it would post.
    pub postings: Vec<PostingTotal>,
    /// Payments that failed and that no line is about: nothing is expected of the bank.
    pub failed_payments: u64,
    /// Breaks that are new in this run.
    pub new_breaks: u64,
    /// Breaks whose evidence is another one now.
    pub changed_breaks: u64,
    /// Breaks that are none any more.
    pub closed_breaks: u64,
    /// Breaks that somebody has to look at after this run.
    pub open_breaks: u64,
}

/// A payment as its account's reconciliation sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedPayment {
    /// The reference.
    pub reference: String,
    /// The claim.
    pub claim: ClaimId,
    /// Whose money.
    pub payer: Payer,
    /// How much.
    pub amount: Money,
    /// Where it is.
    pub state: PaymentState,
    /// The day that the bank was to pay.
    pub execution: String,
    /// How much of it was posted as returned.
    pub returned: Money,
    /// Whether the ledger refused to post a return.
    pub refused: bool,
}

/// What is to be posted for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingPosting {
    /// The line.
    pub line: LineId,
    /// The payment.
    pub reference: String,
    /// The claim.
    pub claim: ClaimId,
    /// Whose money.
    pub payer: Payer,
    /// Whether the payment fails; else money that was paid comes back.
    pub fails: bool,
    /// How much.
    pub amount: Money,
    /// The day that the line was booked.
    pub booked: String,
}

/// A payment that the bank confirms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingSettlement {
    /// The reference.
    pub reference: String,
    /// The payment's place, for the order.
    pub place: (FundId, u64, u64),
    /// How much.
    pub amount: Money,
    /// The line that pays it.
    pub line: LineId,
    /// The day that the line was booked.
    pub booked: String,
    /// The bank's reference, masked.
    pub bank_reference: String,
}

/// What an import came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedStatements {
    /// The statements of the file.
    pub statements: Vec<Statement>,
    /// Whether the same file had been imported before: nothing was changed.
    pub known: bool,
}

/// Why a worker gave a job up, in words for people.
pub fn failure(error: &crate::domain::error::Error) -> Bilingual {
    error.message()
}
