//! Payments and the batches they go in.

use super::Tx;
use super::block::{Block, get, get_money, get_number, int, number, text};
use super::claims::{signed, to_fund, to_programme, to_signed, within};
use super::convert::{count, signature, stored};
use super::ledger::optional_region;
use crate::app::records::{BatchFilter, NewPayment};
use crate::app::vault::Sealed;
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::claim::ClaimId;
use crate::domain::disbursement::{Batch, BatchState, Payment, PaymentState};
use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use sea_orm::QueryResult;
use std::collections::HashMap;

const PAYMENT: &str = "p.fund, p.batch, p.line, p.claim, p.payer, p.attempt, p.reference, p.amount_fen, p.state, \
     p.bank_reference, p.concluded_on, p.reason, p.concluded_by, p.concluded_at";

const BATCH: &str = "b.fund, b.number, b.programme, b.region, b.state, b.version, b.execution_date, b.lines, b.amount_fen, \
     b.created_by, b.created_at, b.frozen_by, b.frozen_at, b.released_by, b.released_at, b.closed_by, b.closed_at, \
     b.note";

impl Tx {
    /// The payments with these references, in no order.
    pub async fn payments_by_reference(&self, references: &[&str]) -> Result<Vec<Payment>, Error> {
        let mut wanted = Block::new(["reference"]);
        for reference in references {
            wanted.row([text(*reference)]);
        }
        let rows = self
            .query_with(wanted, |rows| {
                format!("SELECT {PAYMENT} FROM {rows} AS r JOIN payment p ON p.reference = r.reference")
            })
            .await?;
        rows.iter().map(to_payment).collect()
    }

    /// At most `limit` payments of a batch after a line, in the order of lines.
    pub async fn payments_of_batch(
        &self,
        fund: &FundId,
        batch: u64,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Payment>, Error> {
        let mut wanted = Block::new(["fund", "batch#", "after#"]);
        wanted.row([text(fund.as_str()), number(batch), number(after)]);
        let limit = limit.min(1_000_000);
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT {PAYMENT} FROM {rows} AS r \
                     JOIN payment p ON p.fund = r.fund AND p.batch = r.batch AND p.line > r.after \
                     ORDER BY p.line LIMIT {limit}"
                )
            })
            .await?;
        rows.iter().map(to_payment).collect()
    }

    /// The payments of a claim, oldest first.
    pub async fn payments_of_claim(&self, claim: &ClaimId) -> Result<Vec<Payment>, Error> {
        let mut wanted = Block::new(["fund", "claim#"]);
        wanted.row([text(claim.fund.as_str()), number(claim.number)]);
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT {PAYMENT} FROM {rows} AS r JOIN payment p ON p.fund = r.fund AND p.claim = r.claim \
                     ORDER BY p.attempt, p.payer"
                )
            })
            .await?;
        rows.iter().map(to_payment).collect()
    }

    /// The payees of these payments as they were sent to the bank, sealed, by reference.
    pub async fn payees(&self, references: &[&str]) -> Result<HashMap<String, Sealed>, Error> {
        let mut wanted = Block::new(["reference"]);
        for reference in references {
            wanted.row([text(*reference)]);
        }
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT p.reference, p.sealed, p.sealing_key FROM {rows} AS r \
                     JOIN payment p ON p.reference = r.reference"
                )
            })
            .await?;
        rows.iter().map(to_payee).collect()
    }

    /// The payees of payments of these claims that another key than `key` sealed.
    pub async fn payees_sealed_otherwise(
        &self,
        claims: &[&ClaimId],
        key: &str,
    ) -> Result<HashMap<String, Sealed>, Error> {
        let mut wanted = Block::new(["fund", "claim#", "sealing_key"]);
        for claim in claims {
            wanted.row([text(claim.fund.as_str()), number(claim.number), text(key)]);
        }
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT p.reference, p.sealed, p.sealing_key FROM {rows} AS r \
                     JOIN payment p ON p.fund = r.fund AND p.claim = r.claim \
                     AND p.sealing_key <> r.sealing_key AND p.sealed <> ''"
                )
            })
            .await?;
        rows.iter().map(to_payee).collect()
    }

    /// Replaces the sealed payees of payments.
    pub async fn update_payees(&self, payees: &[(String, Sealed)]) -> Result<(), Error> {
        let mut block = Block::new(["reference", "sealed", "sealing_key"]);
        for (reference, sealed) in payees {
            block.row([text(reference), text(&sealed.text), text(&sealed.key)]);
        }
        self.execute_with(block, |rows| {
            format!(
                "UPDATE payment AS p SET sealed = r.sealed, sealing_key = r.sealing_key FROM {rows} AS r \
                 WHERE p.reference = r.reference"
            )
        })
        .await
        .map(drop)
    }

    /// How many payments of a batch there are and their sum, by payer and state.
    pub async fn payment_totals(
        &self,
        fund: &FundId,
        batch: u64,
    ) -> Result<Vec<(Payer, PaymentState, u64, Money)>, Error> {
        let mut wanted = Block::new(["fund", "batch#"]);
        wanted.row([text(fund.as_str()), number(batch)]);
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT p.payer, p.state, COUNT(*) AS count, CAST(SUM(p.amount_fen) AS BIGINT) AS sum_fen \
                     FROM {rows} AS r JOIN payment p ON p.fund = r.fund AND p.batch = r.batch \
                     GROUP BY p.payer, p.state ORDER BY p.payer, p.state"
                )
            })
            .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    stored(Payer::parse("payment.payer", &get::<String>(row, "payer")?))?,
                    stored(PaymentState::parse(
                        "payment.state",
                        &get::<String>(row, "state")?,
                    ))?,
                    get_number(row, "count")?,
                    get_money(row, "sum_fen")?,
                ))
            })
            .collect()
    }

    /// Of these batches those that are released and whose payments the bank has answered, all of them.
    pub async fn finished_batches(&self, batches: &[(&FundId, u64)]) -> Result<Vec<Batch>, Error> {
        let mut wanted = Block::new(["fund", "number#", "released", "instructed"]);
        for &(fund, batch) in batches {
            wanted.row([
                text(fund.as_str()),
                number(batch),
                text(BatchState::Released.code()),
                text(PaymentState::Instructed.code()),
            ]);
        }
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT {BATCH} FROM {rows} AS r JOIN payment_batch b \
                     ON b.fund = r.fund AND b.number = r.number AND b.state = r.released \
                     WHERE NOT EXISTS (SELECT 1 FROM payment p \
                     WHERE p.fund = r.fund AND p.batch = r.number AND p.state = r.instructed)"
                )
            })
            .await?;
        rows.iter().map(to_batch).collect()
    }

    /// Adds payments, each with its payee sealed.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where a reference, or a part's attempt, has a payment.
    pub async fn insert_payments(&self, payments: &[NewPayment]) -> Result<(), Error> {
        let mut block = Block::new([
            "fund",
            "batch#",
            "line#",
            "claim#",
            "payer",
            "attempt#",
            "reference",
            "amount_fen#",
            "state",
            "bank_reference",
            "concluded_on",
            "reason",
            "concluded_by",
            "concluded_at#",
            "sealed",
            "sealing_key",
            "region",
            "payee_hash",
            "payee_hash_key",
        ]);
        for new in payments {
            let (payment, sealed) = (&new.payment, &new.payee);
            let (concluded_by, concluded_at) = signed(payment.concluded.as_ref());
            block.row([
                text(payment.claim.fund.as_str()),
                number(payment.batch),
                number(payment.line),
                number(payment.claim.number),
                text(payment.payer.code()),
                int(payment.attempt.into()),
                text(&payment.reference),
                int(payment.amount.fen()),
                text(payment.state.code()),
                text(&payment.bank_reference),
                text(&payment.concluded_on),
                text(&payment.reason),
                text(concluded_by),
                int(concluded_at),
                text(&sealed.text),
                text(&sealed.key),
                text(new.region.as_str()),
                text(&new.account.hash),
                text(&new.account.key),
            ]);
        }
        self.insert_block("payment", block).await
    }

    /// Stores what the bank said about payments that are with it.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where one is not with the bank any more.
    pub async fn conclude_payments(&self, payments: &[&Payment]) -> Result<(), Error> {
        let mut block = Block::new([
            "fund",
            "batch#",
            "line#",
            "expected",
            "state",
            "bank_reference",
            "concluded_on",
            "reason",
            "concluded_by",
            "concluded_at#",
        ]);
        let mut wanted = 0;
        for payment in payments {
            let (concluded_by, concluded_at) = signed(payment.concluded.as_ref());
            block.row([
                text(payment.claim.fund.as_str()),
                number(payment.batch),
                number(payment.line),
                text(PaymentState::Instructed.code()),
                text(payment.state.code()),
                text(&payment.bank_reference),
                text(&payment.concluded_on),
                text(&payment.reason),
                text(concluded_by),
                int(concluded_at),
            ]);
            wanted += 1;
        }
        let updated = self
            .execute_with(block, |rows| {
                format!(
                    "UPDATE payment AS p SET state = r.state, bank_reference = r.bank_reference, \
                     concluded_on = r.concluded_on, reason = r.reason, concluded_by = r.concluded_by, \
                     concluded_at = r.concluded_at FROM {rows} AS r \
                     WHERE p.fund = r.fund AND p.batch = r.batch AND p.line = r.line AND p.state = r.expected"
                )
            })
            .await?;
        if updated == wanted {
            return Ok(());
        }
        Err(Error::Conflict {
            detail: format!("{updated} of {wanted} payments were with the bank"),
        })
    }

    /// A batch.
    pub async fn batch(&self, fund: &FundId, number_of: u64) -> Result<Option<Batch>, Error> {
        let mut wanted = Block::new(["fund", "number#"]);
        wanted.row([text(fund.as_str()), number(number_of)]);
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT {BATCH} FROM {rows} AS r \
                     JOIN payment_batch b ON b.fund = r.fund AND b.number = r.number"
                )
            })
            .await?;
        rows.first().map(to_batch).transpose()
    }

    /// At most `limit` batches of a fund for regions of `scope` that the filter lets through, after a number.
    pub async fn batches(
        &self,
        fund: &FundId,
        scope: &Scope,
        filter: &BatchFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Batch>, Error> {
        let Some((region, regions)) = within(scope, None) else {
            return Ok(Vec::new());
        };
        let mut wanted = Block::new(["fund", "after#", "region", "regions", "programme", "state"]);
        wanted.row([
            text(fund.as_str()),
            number(after),
            text(region.map_or("", RegionCode::as_str)),
            text(regions.as_deref().unwrap_or_default()),
            text(filter.programme.as_ref().map_or("", ProgrammeCode::as_str)),
            text(filter.state.map_or("", BatchState::code)),
        ]);
        let mut conditions = String::new();
        for (given, condition) in [
            (region.is_some(), " AND b.region = r.region"),
            // A batch for any region has none, which is in no list.
            (
                regions.is_some(),
                " AND b.region <> '' AND r.regions LIKE '%,' || b.region || ',%'",
            ),
            (filter.programme.is_some(), " AND b.programme = r.programme"),
            (filter.state.is_some(), " AND b.state = r.state"),
        ] {
            if given {
                conditions.push_str(condition);
            }
        }
        let limit = limit.min(1_000_000);
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT {BATCH} FROM {rows} AS r \
                     JOIN payment_batch b ON b.fund = r.fund AND b.number > r.after{conditions} \
                     ORDER BY b.number LIMIT {limit}"
                )
            })
            .await?;
        rows.iter().map(to_batch).collect()
    }

    /// Adds a batch, or stores what changed of it.
    pub async fn store_batch(&self, batch: &Batch) -> Result<(), Error> {
        let mut block = Block::new([
            "fund",
            "number#",
            "programme",
            "region",
            "state",
            "version#",
            "execution_date",
            "lines#",
            "amount_fen#",
            "created_by",
            "created_at#",
            "frozen_by",
            "frozen_at#",
            "released_by",
            "released_at#",
            "closed_by",
            "closed_at#",
            "note",
        ]);
        let (frozen_by, frozen_at) = signed(batch.frozen.as_ref());
        let (released_by, released_at) = signed(batch.released.as_ref());
        let (closed_by, closed_at) = signed(batch.closed.as_ref());
        block.row([
            text(batch.fund.as_str()),
            number(batch.number),
            text(batch.programme.as_str()),
            text(batch.region.as_ref().map_or("", RegionCode::as_str)),
            text(batch.state.code()),
            int(batch.version.into()),
            text(&batch.execution_date),
            number(batch.lines),
            int(batch.amount.fen()),
            text(batch.created.by.as_str()),
            int(batch.created.at),
            text(frozen_by),
            int(frozen_at),
            text(released_by),
            int(released_at),
            text(closed_by),
            int(closed_at),
            text(&batch.note),
        ]);
        self.execute_with(block, |rows| {
            format!(
                "INSERT INTO payment_batch (fund, number, programme, region, state, version, execution_date, lines, amount_fen, \
                 created_by, created_at, frozen_by, frozen_at, released_by, released_at, closed_by, closed_at, note) \
                 SELECT fund, number, programme, region, state, version, execution_date, lines, amount_fen, created_by, created_at, \
                 frozen_by, frozen_at, released_by, released_at, closed_by, closed_at, note FROM {rows} AS r WHERE true \
                 ON CONFLICT (fund, number) DO UPDATE SET state = excluded.state, version = excluded.version, \
                 execution_date = excluded.execution_date, lines = excluded.lines, amount_fen = excluded.amount_fen, \
                 frozen_by = excluded.frozen_by, frozen_at = excluded.frozen_at, released_by = excluded.released_by, \
                 released_at = excluded.released_at, closed_by = excluded.closed_by, closed_at = excluded.closed_at, \
                 note = excluded.note"
            )
        })
        .await
        .map(drop)
    }
}

fn to_payee(row: &QueryResult) -> Result<(String, Sealed), Error> {
    let sealed = Sealed {
        key: get(row, "sealing_key")?,
        text: get(row, "sealed")?,
    };
    Ok((get(row, "reference")?, sealed))
}

fn to_payment(row: &QueryResult) -> Result<Payment, Error> {
    let text = |column: &str| get::<String>(row, column);
    Ok(Payment {
        claim: ClaimId {
            fund: to_fund(row)?,
            number: get_number(row, "claim")?,
        },
        batch: get_number(row, "batch")?,
        line: get_number(row, "line")?,
        payer: stored(Payer::parse("payment.payer", &text("payer")?))?,
        attempt: count("payment.attempt", get(row, "attempt")?)?,
        reference: text("reference")?,
        amount: get_money(row, "amount_fen")?,
        state: stored(PaymentState::parse("payment.state", &text("state")?))?,
        bank_reference: text("bank_reference")?,
        concluded_on: text("concluded_on")?,
        reason: text("reason")?,
        concluded: to_signed(row, "concluded_by", "concluded_at")?,
    })
}

fn to_batch(row: &QueryResult) -> Result<Batch, Error> {
    let text = |column: &str| get::<String>(row, column);
    Ok(Batch {
        fund: to_fund(row)?,
        number: get_number(row, "number")?,
        programme: to_programme(row)?,
        region: optional_region(&text("region")?)?,
        state: stored(BatchState::parse("payment_batch.state", &text("state")?))?,
        version: count("payment_batch.version", get(row, "version")?)?,
        execution_date: text("execution_date")?,
        lines: get_number(row, "lines")?,
        amount: get_money(row, "amount_fen")?,
        created: signature(&text("created_by")?, get(row, "created_at")?)?,
        frozen: to_signed(row, "frozen_by", "frozen_at")?,
        released: to_signed(row, "released_by", "released_at")?,
        closed: to_signed(row, "closed_by", "closed_at")?,
        note: text("note")?,
    })
}
