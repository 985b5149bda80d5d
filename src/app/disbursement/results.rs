//! What a bank answers: a whole file of answers, or one by hand.
//!
//! A file with a fault in it is refused whole. Of one that can be read every row is carried out by itself,
//! at the desk, many in a transaction: that some payments of a batch fail is normal. An answer that is there
//! already changes nothing, so that a file may be read again, also one whose first reading was cut short.

use super::export::{orders, ordinal, parse_order_id};
use super::lines::{BatchLine, lines};
use super::release::open_payee;
use super::words::without_personal_data;
use super::{App, BatchName, find, no_payment};
use crate::app::books::no_fund;
use crate::app::desk::{Command, Outcome as DeskOutcome, Refusal};
use crate::app::vault::Vault;
use crate::app::{Mutation, check_request_id};
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::claim::{ClaimId, Payee};
use crate::domain::digest::Digest;
use crate::domain::disbursement::{Answer, Batch, Payment, PaymentState};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::money::Money;
use crate::domain::payment::{BankResults, Outcome};
use crate::domain::subsidy::{format_date, parse_date};
use crate::payment::results;
use crate::store::Tx;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Answers that are carried out in one transaction.
const CHUNK: usize = 1_000;
/// Longest number of a transaction at a bank, in characters.
const MAX_TRANSACTION: usize = 64;
/// Longest reason, in characters.
const MAX_REASON: usize = 1_000;

/// Which payments a file may be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultScope {
    /// Those of this fund.
    pub fund: FundId,
    /// Only those of this batch.
    pub batch: Option<u64>,
}

impl ResultScope {
    /// The fund's or the batch's resource name.
    fn resource_name(&self) -> String {
        match self.batch {
            Some(batch) => format!("funds/{}/batches/{batch}", self.fund),
            None => format!("funds/{}", self.fund),
        }
    }
}

/// What became of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOutcome {
    /// The payment has the answer now.
    Applied,
    /// The payment had the same answer before.
    Unchanged,
    /// The bank has not decided.
    Pending,
    /// The answer was refused, and changed nothing.
    Refused,
}

/// One answer in a bank's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultRow {
    /// Line of the file; 0 where the file answers a batch or a block as a whole.
    pub line: u32,
    /// The payment's reference.
    pub reference: String,
    /// The claim; none where there is no such payment.
    pub claim: Option<ClaimId>,
    /// What the bank says: `settled`, `failed` or `pending`.
    pub answer: String,
    /// What became of it.
    pub outcome: RowOutcome,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
}

/// What became of a bank's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedResults {
    /// The answers in the order of the file.
    pub rows: Vec<ResultRow>,
    /// The batches that the payments are of, as they are after it.
    pub batches: Vec<Batch>,
}

impl ImportedResults {
    /// How many answers came to that.
    pub fn count(&self, outcome: RowOutcome) -> usize {
        self.rows.iter().filter(|row| row.outcome == outcome).count()
    }
}

/// An answer to a payment, before anything is looked up.
struct Said {
    line: u32,
    reference: String,
    amount: Option<Money>,
    outcome: Outcome,
}

impl App {
    /// Takes a bank's result file.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault of a file that cannot be read, or is about another batch; nothing
    /// was changed.
    pub async fn import_results(
        &self,
        mutation: &Mutation,
        scope: &ResultScope,
        file_name: &str,
        bytes: &[u8],
    ) -> Result<ImportedResults, Error> {
        const METHOD: &str = "ImportResults";
        let vault = self.vault()?;
        check_request_id(&mutation.request_id)?;
        let read = results::read(file_name, bytes)?;
        let (said, known, payees) = {
            let tx = self.store().begin_read().await?;
            if let Some(number) = scope.batch {
                let name = BatchName {
                    fund: scope.fund.clone(),
                    number,
                };
                find(&tx, &mutation.scope, &name).await?;
            }
            if let Some(mut answer) = answered(&tx, mutation, METHOD).await? {
                keep_answers(&tx, &mutation.scope, &mut answer).await?;
                return Ok(answer);
            }
            let said = self.said(&tx, &mutation.scope, scope, read).await?;
            let references: Vec<&str> = said.iter().map(|said| said.reference.as_str()).collect();
            let mut known: HashMap<String, Payment> = HashMap::new();
            for payment in tx.payments_by_reference(&references).await? {
                known.insert(payment.reference.clone(), payment);
            }
            keep_reached(&tx, &mutation.scope, &mut known).await?;
            let payees = payees(&tx, vault, &said).await?;
            (said, known, payees)
        };
        let mut rows = Vec::with_capacity(said.len());
        for (at, chunk) in said.chunks(CHUNK).enumerate() {
            let mutation = part(mutation, at);
            let told = self
                .conclude_all(&mutation, scope, chunk, &known, &payees)
                .await?;
            rows.extend(told);
        }
        let touched: BTreeSet<u64> = (rows.iter())
            .filter(|row| row.claim.is_some() && row.outcome != RowOutcome::Refused)
            .filter_map(|row| known.get(&row.reference).map(|payment| payment.batch))
            .collect();
        let (rows, touched) = (&rows, &touched);
        // The answer to the whole, once; the parts have theirs.
        let mut imported = self
            .mutate(mutation, METHOD, |tx| async move {
                let mut batches = Vec::with_capacity(touched.len());
                for number in touched {
                    let name = BatchName {
                        fund: scope.fund.clone(),
                        number: *number,
                    };
                    match find(&tx, &mutation.scope, &name).await {
                        Ok(batch) => batches.push(batch),
                        // A batch for all regions, of which the caller reaches some.
                        Err(Error::NotFound { .. }) => {}
                        Err(other) => return Err(other),
                    }
                }
                // What was changed is recorded part by part; this says that the file was taken, and answered.
                let (resource, digest) = (scope.resource_name(), mutation.body.clone());
                tx.trail(|trail| trail.touch(resource, None, Some(digest)));
                let imported = ImportedResults {
                    rows: rows.clone(),
                    batches,
                };
                Ok((tx, imported))
            })
            .await?;
        // Another call with the same id may have been answered meanwhile.
        if !mutation.scope.is_all() {
            let tx = self.store().begin_read().await?;
            keep_answers(&tx, &mutation.scope, &mut imported).await?;
        }
        Ok(imported)
    }

    /// Notes the bank's answer to one payment, as a clerk reads it from paper or a screen.
    pub async fn record_payment_result(
        &self,
        mutation: &Mutation,
        reference: &str,
        amount: Option<Money>,
        mut answer: Answer,
    ) -> Result<BatchLine, Error> {
        check_answer(&answer)?;
        let vault = self.vault()?;
        if !answer.reason.is_empty() {
            let tx = self.store().begin_read().await?;
            let payees = tx.payees(&[reference]).await?;
            if let Some(sealed) = payees.get(reference)
                && !sealed.is_erased()
            {
                let payee = open_payee(vault, reference, sealed)?;
                answer.reason = without_personal_data(&answer.reason, &payee);
            }
        }
        self.conclude_payment(mutation, reference, amount, answer).await?;
        let tx = self.store().begin_read().await?;
        let payment = tx.payments_by_reference(&[reference]).await?;
        let line = lines(&tx, vault, payment, true).await?.pop();
        line.ok_or_else(|| no_payment(reference))
    }

    /// Carries out answers in one transaction at the desk.
    async fn conclude_all(
        &self,
        mutation: &Mutation,
        scope: &ResultScope,
        said: &[Said],
        known: &HashMap<String, Payment>,
        payees: &HashMap<String, Payee>,
    ) -> Result<Vec<ResultRow>, Error> {
        let mut rows = Vec::with_capacity(said.len());
        // Which rows are commands depends on the file alone, so that a repeated call has the same ones.
        let mut commands = Vec::new();
        let mut asked = Vec::new();
        for said in said {
            let payment = known.get(&said.reference).filter(|p| p.claim.fund == scope.fund);
            let fault = check(scope, said, payment)
                .err()
                .map(|fault| Refusal::from(&fault));
            let mut row = ResultRow {
                line: said.line,
                reference: said.reference.clone(),
                claim: payment.map(|payment| payment.claim.clone()),
                answer: said.outcome.code().to_owned(),
                outcome: RowOutcome::Pending,
                refusal: None,
            };
            match (answer(&said.outcome, payees.get(&said.reference)), fault) {
                (None, fault) => row.refuse(fault),
                (Some(_), Some(fault)) => {
                    asked.push((rows.len(), Some(fault.clone())));
                    commands.push(Err(fault));
                }
                (Some(answer), None) => {
                    let had = payment.map(|payment| payment.state);
                    row.outcome = if had == Some(state(&answer)) {
                        RowOutcome::Unchanged
                    } else {
                        RowOutcome::Applied
                    };
                    asked.push((rows.len(), None));
                    commands.push(Ok(Command::Conclude {
                        reference: said.reference.clone(),
                        amount: said.amount,
                        answer,
                    }));
                }
            }
            rows.push(row);
        }
        if commands.is_empty() {
            return Ok(rows);
        }
        let place = (self.store(), self.vault()?);
        let outcomes: Vec<DeskOutcome> = self
            .desk
            .many(place, mutation.clone(), "ImportResults.part", commands)
            .await?;
        for ((at, fault), outcome) in asked.into_iter().zip(outcomes) {
            if let Some(row) = rows.get_mut(at) {
                // What is refused here is so whatever a repeated part was answered before.
                row.refuse(fault.or_else(|| outcome.err()));
            }
        }
        Ok(rows)
    }

    /// What a file says of single payments, and of those of which it speaks only as parts of a whole.
    async fn said(
        &self,
        tx: &Tx,
        reach: &Scope,
        scope: &ResultScope,
        read: BankResults,
    ) -> Result<Vec<Said>, Error> {
        let heads = tx.fund_heads(std::slice::from_ref(&scope.fund)).await?;
        let head = heads.get(&scope.fund).ok_or_else(|| no_fund(&scope.fund))?;
        let about = match &read.batch {
            Some(id) => Some(named_batch(scope, head.ordinal, id)?),
            None => None,
        };
        let mut whole = Vec::new();
        if let Some(number) = about
            && (read.whole.is_some() || !read.blocks.is_empty())
        {
            let name = BatchName {
                fund: scope.fund.clone(),
                number,
            };
            let batch = find(tx, reach, &name).await?;
            let singly: HashSet<&str> = read.payments.iter().map(|each| each.reference.as_str()).collect();
            for order in orders(tx, &self.debtors, &batch, ordinal(tx, &batch).await?).await? {
                if Some(order.id.as_str()) != read.batch.as_deref() {
                    continue;
                }
                let Some(outcome) = read.of_block(&order.id, order.payer) else {
                    continue;
                };
                let others = order.payments.iter();
                whole.extend(
                    others
                        .filter(|payment| !singly.contains(payment.reference.as_str()))
                        .map(|payment| Said {
                            line: 0,
                            reference: payment.reference.clone(),
                            amount: None,
                            outcome: outcome.clone(),
                        }),
                );
            }
        } else if let Some(batch) = scope.batch {
            let name = BatchName {
                fund: scope.fund.clone(),
                number: batch,
            };
            find(tx, reach, &name).await?;
        }
        let mut said: Vec<Said> = (read.payments.into_iter())
            .map(|payment| Said {
                line: payment.line,
                reference: payment.reference.to_string(),
                amount: payment.amount,
                outcome: payment.outcome,
            })
            .collect();
        said.extend(whole);
        Ok(said)
    }
}

impl ResultRow {
    fn refuse(&mut self, refusal: Option<Refusal>) {
        if refusal.is_some() {
            self.outcome = RowOutcome::Refused;
            self.refusal = refusal;
        }
    }
}

/// Leaves out the payments of claims that are out of reach: for the caller there are none.
async fn keep_reached(tx: &Tx, reach: &Scope, known: &mut HashMap<String, Payment>) -> Result<(), Error> {
    if reach.is_all() {
        return Ok(());
    }
    let ids: BTreeSet<&ClaimId> = known.values().map(|payment| &payment.claim).collect();
    let claims = tx.claims(&ids.into_iter().collect::<Vec<_>>()).await?;
    let reached: HashSet<ClaimId> = (claims.into_iter())
        .filter(|claim| reach.covers(&claim.region))
        .map(|claim| claim.id)
        .collect();
    known.retain(|_, payment| reached.contains(&payment.claim));
    Ok(())
}

/// Leaves out of an answer what is out of reach by now: such a row is refused, as one of an unknown payment.
async fn keep_answers(tx: &Tx, reach: &Scope, answer: &mut ImportedResults) -> Result<(), Error> {
    if reach.is_all() {
        return Ok(());
    }
    let ids: BTreeSet<&ClaimId> = answer.rows.iter().filter_map(|row| row.claim.as_ref()).collect();
    let claims = tx.claims(&ids.into_iter().collect::<Vec<_>>()).await?;
    let reached: HashSet<ClaimId> = (claims.into_iter())
        .filter(|claim| reach.covers(&claim.region))
        .map(|claim| claim.id)
        .collect();
    for row in &mut answer.rows {
        if row.claim.as_ref().is_some_and(|claim| !reached.contains(claim)) {
            row.claim = None;
            row.refuse(Some(Refusal::from(&no_payment(&row.reference))));
        }
    }
    answer
        .batches
        .retain(|batch| reach.covers_optional(batch.region.as_ref()));
    Ok(())
}

/// The answer that a call got before.
async fn answered(tx: &Tx, mutation: &Mutation, method: &str) -> Result<Option<ImportedResults>, Error> {
    if mutation.request_id.is_empty() {
        return Ok(None);
    }
    let Some(stored) = tx.request(mutation.caller.as_str(), &mutation.request_id).await? else {
        return Ok(None);
    };
    if stored.method != method || stored.body != mutation.body {
        return Err(Error::RequestIdReused {
            request_id: stored.request_id,
        });
    }
    serde_json::from_str(&stored.response)
        .map(Some)
        .map_err(Error::internal)
}

/// A part of a mutation, with an id that follows from the whole's: a repeat has the same.
fn part(mutation: &Mutation, at: usize) -> Mutation {
    let request_id = if mutation.request_id.is_empty() {
        String::new()
    } else {
        let digest = Digest::of(mutation.request_id.as_bytes());
        let hexadecimal = digest.as_str().trim_start_matches("sha256:");
        format!("results:{}:{at}", hexadecimal.get(..40).unwrap_or(hexadecimal))
    };
    Mutation {
        request_id,
        ..mutation.clone()
    }
}

/// The batch that a message of a bank says it is about.
fn named_batch(scope: &ResultScope, ordinal: u64, id: &str) -> Result<u64, Violation> {
    let wanted = scope.batch;
    parse_order_id(id)
        .filter(|(of, batch)| *of == ordinal && wanted.is_none_or(|wanted| wanted == *batch))
        .map(|(_, batch)| batch)
        .ok_or_else(|| {
            let batch = wanted.map_or_else(|| "…".to_owned(), |batch| batch.to_string());
            let ours = format!("F{ordinal}B{batch}C or F{ordinal}B{batch}Q…");
            Violation::new(
                "OrgnlMsgId",
                id,
                format!("an identification of this fund and batch, such as {ours}"),
                format!("本资金和批次的标识,如 {ours}"),
            )
        })
}

/// Whether a payment may be answered so.
fn check(scope: &ResultScope, said: &Said, payment: Option<&Payment>) -> Result<(), Error> {
    let payment = payment.ok_or_else(|| no_payment(&said.reference))?;
    if let Some(batch) = scope.batch.filter(|batch| *batch != payment.batch) {
        let reference = &said.reference;
        return Err(Error::State {
            name: payment.claim.to_string(),
            reason: "OTHER_BATCH",
            message: Bilingual::new(
                format!("payment {reference} is of batch {}, not {batch}", payment.batch),
                format!("付款 {reference} 属于批次 {},不属于批次 {batch}", payment.batch),
            ),
        });
    }
    if let Some(amount) = said.amount.filter(|amount| *amount != payment.amount) {
        let (reference, right) = (&said.reference, payment.amount);
        return Err(Violation::new(
            "amount",
            amount.to_string(),
            format!("the amount of payment {reference}: {right}"),
            format!("付款 {reference} 的金额 {right}"),
        )
        .into());
    }
    Ok(())
}

const fn state(answer: &Answer) -> PaymentState {
    if answer.settled {
        PaymentState::Settled
    } else {
        PaymentState::Failed
    }
}

/// The answer that is noted; none where the bank has not decided.
fn answer(outcome: &Outcome, payee: Option<&Payee>) -> Option<Answer> {
    match outcome {
        Outcome::Settled { on, transaction } => Some(Answer {
            settled: true,
            bank_reference: transaction.clone().unwrap_or_default(),
            on: format_date(*on),
            reason: String::new(),
        }),
        Outcome::Failed { code, text } => {
            let words = text.as_ref().zip(payee);
            let words = words.map(|(text, payee)| without_personal_data(text, payee));
            let parts: Vec<String> = [code.clone(), words].into_iter().flatten().collect();
            Some(Answer {
                settled: false,
                bank_reference: String::new(),
                on: String::new(),
                reason: parts.join(" "),
            })
        }
        Outcome::Pending => None,
    }
}

/// The payees of payments that failed with words.
async fn payees(tx: &Tx, vault: &Vault, said: &[Said]) -> Result<HashMap<String, Payee>, Error> {
    let worded = said
        .iter()
        .filter(|said| matches!(&said.outcome, Outcome::Failed { text: Some(_), .. }));
    let references: Vec<&str> = worded.map(|said| said.reference.as_str()).collect();
    let sealed = tx.payees(&references).await?;
    sealed
        .into_iter()
        // Of an erased payee every answer came long ago: what is said now is refused, and not kept.
        .filter(|(_, sealed)| !sealed.is_erased())
        .map(|(reference, sealed)| {
            let payee = open_payee(vault, &reference, &sealed)?;
            Ok((reference, payee))
        })
        .collect()
}

fn check_answer(answer: &Answer) -> Result<(), Vec<Violation>> {
    let mut faults = Vec::new();
    for (field, text, most) in [
        ("bank_reference", &answer.bank_reference, MAX_TRANSACTION),
        ("reason", &answer.reason, MAX_REASON),
    ] {
        let length = text.chars().count();
        if length > most || text.chars().any(char::is_control) {
            faults.push(Violation::new(
                field,
                format!("{length} characters"),
                format!("at most {most} characters, no control characters"),
                format!("至多 {most} 个字符,不含控制字符"),
            ));
        }
    }
    if answer.settled && answer.on.is_empty() {
        faults.push(Violation::new(
            "date",
            "",
            "the bank's day of the payment",
            "银行的付款日期",
        ));
    }
    if !answer.on.is_empty()
        && let Err(fault) = parse_date("date", &answer.on)
    {
        faults.push(fault);
    }
    if !answer.settled && answer.reason.is_empty() {
        faults.push(Violation::new("reason", "", "why it failed", "失败原因"));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_mutation_have_ids_that_follow_from_its_own() {
        let whole = Mutation {
            caller: crate::domain::identity::Principal::parse("clerk").unwrap(),
            peer: "in-process".to_owned(),
            scope: Scope::All,
            request_id: "x".repeat(64),
            body: Digest::of(b"body"),
            validate_only: false,
        };
        let first = part(&whole, 0);
        assert_eq!(first, part(&whole, 0));
        assert_ne!(first.request_id, part(&whole, 1).request_id);
        assert!(check_request_id(&first.request_id).is_ok());
        let without = Mutation {
            request_id: String::new(),
            ..whole
        };
        assert_eq!(part(&without, 3).request_id, "");
    }
}
