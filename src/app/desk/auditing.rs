//! What the audit log says of calls at the desk: a record for each call and fund, in the fund's chain.

use super::sheet::Sheet;
use super::{Command, Reply, Work};
use crate::app::audit::{Call, Difference, is_left_out, of_resources, recorded_refusal};
use crate::domain::allocation::FundId;
use crate::domain::audit::{Outcome, Record};
use crate::domain::error::Error;
use std::collections::{BTreeMap, BTreeSet};

impl Sheet<'_> {
    /// Records a call that was carried out or refused. A call that changed nothing, since what it asks for was
    /// there already, is recorded as well.
    pub(super) fn record(
        &mut self,
        call: &Call,
        work: &Work,
        reply: &Result<Reply, Error>,
    ) -> Result<(), Error> {
        let touched = self.take_touched();
        if is_left_out() {
            return Ok(());
        }
        let refused = refusals(reply);
        if let Err(error) = reply
            && recorded_refusal(error).is_none()
        {
            return Ok(());
        }
        let outcome = match reply {
            Ok(_) => Outcome::Done,
            Err(_) => Outcome::Refused,
        };
        let funds: BTreeSet<FundId> = work
            .commands()
            .filter_map(|command| match command {
                Command::Submit(submission) => Some(&submission.fund),
                Command::Conclude { reference, .. } => self.fund_of_payment(reference),
                command => command.claim().map(|claim| &claim.fund),
            })
            .cloned()
            .collect();
        let names: Vec<String> = touched.iter().map(|touched| touched.claim.to_string()).collect();
        for fund in funds {
            let differences: Vec<Difference<'_>> = (touched.iter().zip(&names))
                .filter(|(touched, _)| touched.claim.fund == fund)
                .map(|(touched, name)| (name.as_str(), touched.before.as_ref(), Some(&touched.after)))
                .collect();
            let mut record = call.record(outcome);
            of_resources(&mut record, &differences);
            if record.resource.is_empty() {
                record.resource = named(work, &fund);
            }
            // There is no chain of a fund that is not there, and nothing was done to it.
            if let Some(open) = self.open_fund(&fund) {
                open.record(Record {
                    reason: refused.clone(),
                    ..record
                });
            }
        }
        Ok(())
    }
}

/// Which claim a call was about that changed none.
fn named(work: &Work, fund: &FundId) -> String {
    let one = match work {
        Work::One(command) => command.claim(),
        Work::Many(_) => None,
    };
    one.map_or_else(|| format!("funds/{fund}/claims"), ToString::to_string)
}

/// Why it was refused; of a bulk call, how many were for which reason.
fn refusals(reply: &Result<Reply, Error>) -> String {
    let outcomes = match reply {
        Err(error) => return recorded_refusal(error).unwrap_or_default().to_owned(),
        Ok(Reply::One(_)) => return String::new(),
        Ok(Reply::Many(outcomes)) => outcomes,
    };
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for refusal in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        *counts.entry(&refusal.reason).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(reason, count)| format!("{reason}={count}"))
        .collect();
    counts.join(" ")
}
