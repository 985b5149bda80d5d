//! Erasures: what was asked for, and the deletion of personal data.

use super::Tx;
use super::block::{Block, Parameters, get, get_number, int, number, text};
use super::claims::{id_rows, signed, to_id, to_signed};
use super::convert::signature;
use crate::app::records::{Erasure, OnceKey};
use crate::domain::allocation::FundId;
use crate::domain::claim::{ClaimId, State};
use crate::domain::error::Error;
use sea_orm::QueryResult;

const ERASURE: &str = "e.fund, e.claim, e.reason, e.requested_by, e.requested_at, e.erased_by, e.erased_at";

impl Tx {
    /// The erasures of these claims, as far as there are any.
    pub async fn erasures_of(&self, ids: &[&ClaimId]) -> Result<Vec<Erasure>, Error> {
        let rows = self
            .query_with(id_rows(ids), |rows| {
                format!(
                    "SELECT {ERASURE} FROM {rows} AS r JOIN claim_erasure e ON e.fund = r.fund AND e.claim = r.number \
                     ORDER BY e.claim"
                )
            })
            .await?;
        rows.iter().map(to_erasure).collect()
    }

    /// At most `limit` erasures of a fund after a claim's number; only those that nobody has carried out where
    /// `open`.
    pub async fn erasures(
        &self,
        fund: &FundId,
        open: bool,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Erasure>, Error> {
        let mut parameters = Parameters::default();
        let fund = parameters.add(text(fund.as_str()));
        let after = parameters.add(number(after));
        let only = if open { "AND e.erased_by = ''" } else { "" };
        let limit = limit.min(1_000_000);
        let statement = format!(
            "SELECT {ERASURE} FROM claim_erasure e WHERE e.fund = {fund} AND e.claim > {after} {only} \
             ORDER BY e.claim LIMIT {limit}"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter().map(to_erasure).collect()
    }

    /// Adds erasures, or says of those that are there who carried them out.
    pub async fn store_erasures(&self, erasures: &[&Erasure]) -> Result<(), Error> {
        let mut block = Block::new([
            "fund",
            "claim#",
            "reason",
            "requested_by",
            "requested_at#",
            "erased_by",
            "erased_at#",
        ]);
        for erasure in erasures {
            let (erased_by, erased_at) = signed(erasure.erased.as_ref());
            block.row([
                text(erasure.claim.fund.as_str()),
                number(erasure.claim.number),
                text(&erasure.reason),
                text(erasure.requested.by.as_str()),
                int(erasure.requested.at),
                text(erased_by),
                int(erased_at),
            ]);
        }
        self.execute_with(block, |rows| {
            format!(
                "INSERT INTO claim_erasure (fund, claim, reason, requested_by, requested_at, erased_by, erased_at) \
                 SELECT fund, claim, reason, requested_by, requested_at, erased_by, erased_at FROM {rows} AS r \
                 WHERE true ON CONFLICT (fund, claim) DO UPDATE SET erased_by = excluded.erased_by, \
                 erased_at = excluded.erased_at"
            )
        })
        .await
        .map(drop)
    }

    /// The numbers of at most `limit` claims of a fund that ended before `until`, and that nobody has asked to
    /// be erased.
    pub async fn claims_ended_before(
        &self,
        fund: &FundId,
        until: i64,
        limit: u64,
    ) -> Result<Vec<ClaimId>, Error> {
        let ended = State::ALL.into_iter().filter(|state| state.is_end());
        let ended: Vec<String> = ended.map(|state| format!("'{}'", state.code())).collect();
        let mut parameters = Parameters::default();
        let of = parameters.add(text(fund.as_str()));
        let until = parameters.add(int(until));
        let statement = format!(
            "SELECT c.fund, c.number FROM claim c WHERE c.fund = {of} AND c.state IN ({}) AND c.sealed <> '' \
             AND NOT EXISTS (SELECT 1 FROM claim_erasure e WHERE e.fund = c.fund AND e.claim = c.number) \
             AND (SELECT MAX(h.at) FROM ledger_change h WHERE h.fund = c.fund \
             AND h.resource = 'funds/' || c.fund || '/claims/' || c.number) < {until} \
             ORDER BY c.number LIMIT {}",
            ended.join(", "),
            limit.min(1_000_000)
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter().map(|row| to_id(row, "number")).collect()
    }

    /// Deletes who these claims are for: what is sealed with them, with their objections and with their
    /// payments, and the masked texts. Their hashes become `keys`.
    pub async fn erase_persons(&self, claims: &[(&ClaimId, &[OnceKey])]) -> Result<(), Error> {
        self.update_key_lists(claims).await?;
        let ids: Vec<&ClaimId> = claims.iter().map(|(id, _)| *id).collect();
        for (table, claim, also) in [
            ("claim", "number", ", masked_name = '', masked_id = ''"),
            ("claim_objection", "claim", ""),
            ("payment", "claim", ", payee_hash = '', payee_hash_key = ''"),
        ] {
            self.execute_with(id_rows(&ids), |rows| {
                format!(
                    "UPDATE {table} AS t SET sealed = '', sealing_key = ''{also} FROM {rows} AS r \
                     WHERE t.fund = r.fund AND t.{claim} = r.number"
                )
            })
            .await?;
        }
        Ok(())
    }

    /// How many claims of erased persons have hashes by another key than `key`: nothing can hash them anew.
    pub async fn erased_under_other_keys(&self, fund: &FundId, key: &str) -> Result<u64, Error> {
        let mut parameters = Parameters::default();
        let fund = parameters.add(text(fund.as_str()));
        let key = parameters.add(text(key));
        let statement = format!(
            "SELECT COUNT(DISTINCT k.claim) AS claims FROM claim_key k \
             JOIN claim c ON c.fund = k.fund AND c.number = k.claim \
             WHERE k.fund = {fund} AND k.lookup_key <> {key} AND c.sealed = ''"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.first().map_or(Ok(0), |row| get_number(row, "claims"))
    }
}

fn to_erasure(row: &QueryResult) -> Result<Erasure, Error> {
    Ok(Erasure {
        claim: to_id(row, "claim")?,
        reason: get(row, "reason")?,
        requested: signature(&get::<String>(row, "requested_by")?, get(row, "requested_at")?)?,
        erased: to_signed(row, "erased_by", "erased_at")?,
    })
}
