//! Jobs.

use super::{from_class, not_of, plain_number};
use crate::app::clock;
use crate::app::reconciliation::records::Job;
use crate::domain::error::{Error, Violation};
use crate::domain::reconciliation::JobState;
use crate::grpc::convert::signature;
use crate::grpc::pb;

/// `reconciliations/{number}`.
pub fn job_name(field: &str, name: &str) -> Result<u64, Violation> {
    const FORM: &str = "reconciliations/NUMBER";
    let number = name
        .strip_prefix("reconciliations/")
        .ok_or_else(|| not_of(FORM, field, name))?;
    plain_number(FORM, field, name, number)
}

/// Writes a job.
pub fn from_job(job: &Job) -> Result<pb::Reconciliation, Error> {
    let state = match job.state {
        JobState::Waiting => pb::ReconciliationState::Waiting,
        JobState::Running => pb::ReconciliationState::Running,
        JobState::Finished => pb::ReconciliationState::Finished,
        JobState::Cancelled => pb::ReconciliationState::Cancelled,
        JobState::Failed => pb::ReconciliationState::Failed,
    };
    let report = &job.report;
    let classes = report.classes.iter().map(|total| pb::ClassTotal {
        match_class: from_class(total.class),
        payments: total.payments,
        payment_amount: total.payment_amount.to_string(),
        lines: total.lines,
        line_amount: total.line_amount.to_string(),
    });
    let rules = report.rules.iter().map(|total| pb::RuleTotal {
        rule: total.rule.code().to_owned(),
        matches: total.matches,
    });
    let postings = report.postings.iter().map(|total| pb::PostingTotal {
        action: total.action.clone(),
        count: total.count,
        amount: total.amount.to_string(),
    });
    Ok(pb::Reconciliation {
        name: job.resource_name(),
        account: job.account.resource_name(),
        date: job.as_of.clone(),
        dry_run: job.dry_run,
        state: state.into(),
        step: job.step.code().to_owned(),
        done: job.done,
        total: job.total,
        classes: classes.collect(),
        rules: rules.collect(),
        postings: postings.collect(),
        failed_payments: report.failed_payments,
        new_breaks: report.new_breaks,
        changed_breaks: report.changed_breaks,
        closed_breaks: report.closed_breaks,
        open_breaks: report.open_breaks,
        rules_digest: job.rules_digest().as_str().to_owned(),
        failure: job.failure.clone(),
        created: Some(signature(&job.created)?),
        ended: if job.ended_at > 0 {
            clock::format(job.ended_at)?
        } else {
            String::new()
        },
    })
}
