//! Lines for whole orders: the total of a batch and an account.

use super::records::Job;
use super::work::{Context, Progress};
use crate::app::App;
use crate::app::disbursement::parse_order_id;
use crate::domain::allocation::FundId;
use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::domain::reconciliation::{AccountScope, Class, Evidence, LineId, Reason, Subject};
use crate::store::Tx;
use crate::store::reconciliation::OrderLine;

impl App {
    /// Takes lines that name an order of ours, in turn. A debit pays the rest of its batch where it is exactly that;
    /// a credit of the same amount undoes it.
    pub(super) async fn match_totals(
        &self,
        tx: &Tx,
        job: &Job,
        context: &Context,
    ) -> Result<Progress, Error> {
        let span = context.span(job);
        let mut findings = Vec::new();
        for line in tx.order_lines(&span).await? {
            let named = self.named(tx, context, &line.order).await?;
            let Some((fund, batch, scope)) = named else {
                findings.push(found(
                    &line,
                    Class::UnknownAtBank,
                    Reason::ReferenceUnknown,
                    0,
                    None,
                ));
                continue;
            };
            let totals = tx.total_lines(&fund, batch, &line.order).await?;
            let same = totals
                .iter()
                .rev()
                .find(|(_, amount)| *amount == -line.amount.abs());
            if line.amount > 0 {
                match same {
                    Some((total, _)) => tx.reverse_total(&span, *total, line.id).await?,
                    None if totals.is_empty() => {
                        findings.push(found(
                            &line,
                            Class::UnknownAtBank,
                            Reason::CreditWithoutDebit,
                            0,
                            None,
                        ));
                    }
                    None => findings.push(found(&line, Class::AmountDiffers, Reason::CreditDiffers, 0, None)),
                }
                continue;
            }
            let (count, sum) = if span.due.is_empty() || line.reversal {
                (0, 0)
            } else {
                tx.open_total(&span, &scope, &fund, batch).await?
            };
            if count > 0 && sum == -line.amount {
                tx.match_total(&span, &scope, &fund, batch, line.id).await?;
            } else if let Some((total, _)) = same {
                let again = (Class::DuplicateAtBank, Reason::PaidAlready);
                findings.push(found(&line, again.0, again.1, line.amount, Some(*total)));
            } else {
                findings.push(found(
                    &line,
                    Class::AmountDiffers,
                    Reason::TotalDiffers,
                    -sum,
                    None,
                ));
            }
        }
        tx.note_findings(job.number, &findings).await?;
        Ok(Progress::Done)
    }

    /// The fund and the batch that an order is of, and the payments of them that it is about.
    async fn named(
        &self,
        tx: &Tx,
        context: &Context,
        order: &str,
    ) -> Result<Option<(FundId, u64, AccountScope)>, Error> {
        let Some((ordinal, batch)) = parse_order_id(order) else {
            return Ok(None);
        };
        let prefix = format!("F{ordinal}B{batch}");
        let suffix = order.strip_prefix(prefix.as_str()).unwrap_or_default();
        let account = &context.account;
        let mut orders = account.orders.iter().zip(account.scope.covers());
        let Some((_, cover)) = orders.find(|(order, _)| *order == suffix) else {
            return Ok(None);
        };
        let fund = tx.fund_with_ordinal(ordinal).await?;
        Ok(fund.map(|fund| (fund, batch, AccountScope::of(cover.clone()))))
    }
}

fn found(line: &OrderLine, class: Class, reason: Reason, expected: i64, other: Option<LineId>) -> Evidence {
    Evidence {
        subject: Subject::Line(line.id),
        class,
        reason,
        other_reference: line.order.clone(),
        other_line: other,
        expected: Money::from_fen(expected).unwrap_or_default(),
        found: Money::from_fen(line.amount).unwrap_or_default(),
        expected_on: String::new(),
        found_on: line.booked.clone(),
        candidates: 0,
        since: line.booked.clone(),
    }
}
