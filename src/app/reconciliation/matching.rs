//! Matching a range, and deciding on payments of whose lines something is irregular.

use super::records::{Job, ScopedPayment};
use super::work::{Context, Progress};
use crate::app::App;
use crate::app::disbursement::{open_payee, payee_lookup};
use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::domain::reconciliation::decide::{Decision, PaymentFacts, SeenLine};
use crate::domain::reconciliation::{Class, Evidence, Reason, Subject, decide};
use crate::store::Tx;
use crate::store::reconciliation::GroupChange;

/// Payments that are filled in, or decided on, in one transaction.
const PAGE: u64 = 2_000;
/// Most lines in one transaction where all others that write wait for it to end.
const MOST_WITH_ONE_WRITER: u64 = 500_000;

impl App {
    /// Fills in what payments of an older release lack.
    pub(super) async fn prepare(&self, tx: &Tx, job: &mut Job) -> Result<Progress, Error> {
        let vault = self.vault()?;
        tx.take_over_outcomes(job).await?;
        let lacking = tx.unhashed_payments(PAGE).await?;
        let mut hashes = Vec::with_capacity(lacking.len());
        for (place, reference, sealed) in &lacking {
            let payee = open_payee(vault, reference, sealed)?;
            hashes.push((place.clone(), payee_lookup(vault, &payee)?));
        }
        tx.complete_payments(&hashes).await?;
        if lacking.len() as u64 == PAGE {
            return Ok(Progress::More);
        }
        let (_, left) = tx.unexamined(&job.account, job.through, 1).await?;
        job.total = left;
        Ok(Progress::Done)
    }

    /// Matches the next lines that no job has looked at.
    pub(super) async fn match_range(
        &self,
        tx: &Tx,
        job: &mut Job,
        context: &Context,
    ) -> Result<Progress, Error> {
        let most = if self.store().has_one_writer() {
            self.reconciliation.range.min(MOST_WITH_ONE_WRITER)
        } else {
            self.reconciliation.range
        };
        let (range, left) = tx.unexamined(&job.account, job.through, most).await?;
        let Some(range) = range else {
            return Ok(Progress::Done);
        };
        tx.match_references(&context.span(job), range).await?;
        let (statement, first, last) = range;
        job.done = job.total.saturating_sub(left.saturating_sub(last + 1 - first));
        job.at = format!("{statement}:{last}");
        Ok(Progress::More)
    }

    /// Decides on the next payments that open lines speak of.
    pub(super) async fn decide_groups(
        &self,
        tx: &Tx,
        job: &mut Job,
        context: &Context,
    ) -> Result<Progress, Error> {
        let span = context.span(job);
        if job.at.is_empty() {
            // Once, before the first page.
            tx.trace_credits(&span).await?;
        }
        let mut page = tx.group_page(&span, &job.at, PAGE).await?;
        let (mut changes, mut findings) = (Vec::new(), Vec::new());
        for reference in &page.references {
            let (lines, other) = page.lines.remove(reference).unwrap_or_default();
            let Some(payment) = page.payments.get(reference) else {
                findings.extend(lines.iter().map(|line| unknown(reference, line)));
                continue;
            };
            let facts = facts(payment, context, other);
            let decision = decide(&facts, lines.clone(), &job.rules);
            changes.push(change(reference, &lines, &decision));
            findings.extend(decision.findings);
        }
        tx.apply_groups(&span, &changes, &findings).await?;
        let Some(last) = page.references.last() else {
            return Ok(Progress::Done);
        };
        if (page.references.len() as u64) < PAGE {
            return Ok(Progress::Done);
        }
        job.at.clone_from(last);
        Ok(Progress::More)
    }
}

fn facts(
    payment: &ScopedPayment,
    context: &Context,
    other: Option<(crate::domain::reconciliation::LineId, String)>,
) -> PaymentFacts {
    PaymentFacts {
        reference: payment.reference.clone(),
        amount: payment.amount.fen(),
        state: payment.state,
        execution: payment.execution.clone(),
        deadline: context.deadline(&payment.execution),
        returned: payment.returned.fen(),
        refused: payment.refused,
        paid_by_other: other,
    }
}

/// A line whose reference is of no payment from the account.
fn unknown(reference: &str, line: &SeenLine) -> Evidence {
    Evidence {
        subject: Subject::Line(line.id),
        class: Class::UnknownAtBank,
        reason: Reason::ReferenceUnknown,
        other_reference: reference.to_owned(),
        other_line: None,
        expected: Money::ZERO,
        found: Money::from_fen(line.amount).unwrap_or_default(),
        expected_on: String::new(),
        found_on: line.booked.clone(),
        candidates: 0,
        since: line.booked.clone(),
    }
}

/// What a decision changes of what is stored.
fn change(reference: &str, lines: &[SeenLine], decision: &Decision) -> GroupChange {
    let mut change = GroupChange {
        reference: reference.to_owned(),
        postings: decision.postings.clone(),
        ..GroupChange::default()
    };
    for line in lines {
        let link = decision.links.iter().find(|link| link.line == line.id);
        let same = match (line.had, link) {
            (Some(had), Some(link)) => {
                had.locked || (had.class, had.rule, had.part) == (link.class, link.rule, link.part)
            }
            (None, None) => true,
            _ => false,
        };
        if !same {
            change.gone.extend(line.had.map(|had| had.part));
            change.new.extend(link.copied());
        }
        let open = link.is_none_or(|link| !link.class.is_settled());
        change.open.push((line.id, open));
    }
    change
}
