//! Answers that are given again, to callers whose reach may have changed since.
//!
//! A repeated request gets its first answer without being carried out, so nothing looks for what it names in the
//! regions of whoever repeats it. A person who has moved from one county to another, or shows a token for fewer
//! regions, must not get from the first county what they could not ask for any more.

use super::ledger::{Posted, no_entry, region_of};
use super::records::{DataSet, DataSetRevision, Erasure, FormulaRevision, PolicyRevision, RuleRevision};
use super::simulation::Kept;
use super::{disbursement, reconciliation};
use crate::domain::access::Scope;
use crate::domain::allocation::Run;
use crate::domain::audit::Checkpoint;
use crate::domain::claim::Claim;
use crate::domain::disbursement::Batch;
use crate::domain::error::Error;
use crate::domain::reconciliation::{Break, Period};
use crate::domain::subsidy::{DeedTaxLawDocument, ProgrammeDocument};
use disbursement::ImportedResults;
use reconciliation::records::{ImportedStatements, Job};

/// An answer that is kept under its request id. Every answer says how it goes with regions, so that none is
/// forgotten.
pub(super) trait Repeatable {
    /// Refuses what is out of reach, in the words in which the request would be refused now.
    fn within(&self, scope: &Scope) -> Result<(), Error>;
}

/// Answers of methods that need all regions, or whose caller is refused before the answer is looked for, by the
/// region or the account that the request names.
macro_rules! looked_at_before {
    ($($answer:ty),+ $(,)?) => {$(
        impl Repeatable for $answer {
            fn within(&self, _: &Scope) -> Result<(), Error> {
                Ok(())
            }
        }
    )+};
}

looked_at_before!(
    (),
    u32,
    DataSet,
    DataSetRevision,
    FormulaRevision,
    PolicyRevision,
    Vec<RuleRevision<ProgrammeDocument>>,
    RuleRevision<DeedTaxLawDocument>,
    Run,
    Kept,
    Checkpoint,
    Vec<Erasure>,
    Vec<Claim>,
    Job,
    Break,
    Period,
    // Looked through afterwards: its rows have claims of which only the store knows the region.
    ImportedResults,
);

impl Repeatable for Posted {
    fn within(&self, scope: &Scope) -> Result<(), Error> {
        for entry in &self.entries {
            if !scope.covers_optional(region_of(&entry.posting)) {
                // A reversal names the entry that it takes back, as the request did.
                let number = entry.posting.reverses.unwrap_or(entry.number);
                return Err(no_entry(&self.fund, number));
            }
        }
        Ok(())
    }
}

impl Repeatable for Batch {
    fn within(&self, scope: &Scope) -> Result<(), Error> {
        if scope.covers_optional(self.region.as_ref()) {
            return Ok(());
        }
        Err(disbursement::no_batch(&self.resource_name()))
    }
}

/// Its accounts are in the file: [`reconciliation`] looks at them when it is given again.
impl Repeatable for ImportedStatements {
    fn within(&self, _: &Scope) -> Result<(), Error> {
        Ok(())
    }
}
