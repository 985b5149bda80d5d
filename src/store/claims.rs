//! Claims, their unique keys, objections.

use super::Tx;
use super::block::{Block, get, get_money, get_number, int, number, text};
use super::convert::{count, from_json, json, signature, stored};
use super::reads::{Query, Taken, Waiting};
use super::writes::{Changes, Writes};
use crate::app::records::{ClaimFilter, ClaimMaterial, Objection, OnceKey};
use crate::app::vault::Sealed;
use crate::domain::access::Scope;
use crate::domain::allocation::{FundId, Signature};
use crate::domain::claim::{Claim, ClaimId, State};
use crate::domain::error::Error;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use sea_orm::QueryResult;

const CLAIM: &str = "c.fund, c.number, c.region, c.programme, c.policy, c.policy_revision, c.state, c.version, \
     c.amount_fen, c.parts, c.notice, c.submitted_by, c.submitted_at, c.decided_by, c.decided_at, c.waiting, \
     c.batch, c.masked_name, c.masked_id";

impl Tx {
    /// These claims, in no order; one that is not there is left out.
    pub async fn claims(&self, ids: &[&ClaimId]) -> Result<Vec<Claim>, Error> {
        let [rows] = self.query_each([claims_query(ids)]).await?;
        rows.iter().map(to_claim).collect()
    }

    /// What a claim was assessed from, its sealed personal data, and its unique keys.
    pub async fn claim_material(&self, ids: &[&ClaimId]) -> Result<Vec<(ClaimId, ClaimMaterial)>, Error> {
        let rows = self
            .query_with(id_rows(ids), |rows| {
                format!(
                    "SELECT c.fund, c.number, c.law_revision, c.facts, c.documents, c.sealed, c.sealing_key, c.keys \
                     FROM {rows} AS r JOIN claim c ON c.fund = r.fund AND c.number = r.number"
                )
            })
            .await?;
        rows.iter()
            .map(|row| {
                let material = ClaimMaterial {
                    law_revision: count("claim.law_revision", get(row, "law_revision")?)?,
                    facts: from_json("claim.facts", &get::<String>(row, "facts")?)?,
                    documents: from_json("claim.documents", &get::<String>(row, "documents")?)?,
                    sealed: sealed(row)?,
                    keys: from_json("claim.keys", &get::<String>(row, "keys")?)?,
                };
                Ok((to_id(row, "number")?, material))
            })
            .collect()
    }

    /// Replaces what claims say that they take.
    pub async fn update_key_lists(&self, keys: &[(&ClaimId, &[OnceKey])]) -> Result<(), Error> {
        let mut block = Block::new(["fund", "number#", "keys"]);
        for &(id, keys) in keys {
            block.row([text(id.fund.as_str()), number(id.number), text(json(&keys)?)]);
        }
        self.execute_with(block, |rows| {
            format!(
                "UPDATE claim AS c SET keys = r.keys FROM {rows} AS r WHERE c.fund = r.fund AND c.number = r.number"
            )
        })
        .await
        .map(drop)
    }

    /// At most `limit` claims of a fund, in the regions of `scope`, that the filter lets through, by number,
    /// after number `after`.
    pub async fn list_claims(
        &self,
        fund: &FundId,
        scope: &Scope,
        filter: &ClaimFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Claim>, Error> {
        let Some((region, regions)) = within(scope, filter.region.as_ref()) else {
            return Ok(Vec::new());
        };
        // The state is in no index: which claims may be in it are found by their batch, or their place in a queue.
        let in_none = filter.state.is_some_and(|state| !state.may_be_in_batch());
        let batch = filter.batch.or(in_none.then_some(0));
        let waits = filter.by_waiting || filter.state == Some(State::Approved);
        let mut wanted = Block::new([
            "fund",
            "after#",
            "region",
            "regions",
            "programme",
            "state",
            "batch#",
        ]);
        let code = |code: Option<&str>| text(code.unwrap_or_default());
        wanted.row([
            text(fund.as_str()),
            number(after),
            code(region.map(RegionCode::as_str)),
            code(regions.as_deref()),
            code(filter.programme.as_ref().map(ProgrammeCode::as_str)),
            code(filter.state.map(State::code)),
            number(batch.unwrap_or(0)),
        ]);
        let mut conditions = String::new();
        for (given, condition) in [
            (region.is_some(), " AND c.region = r.region"),
            (regions.is_some(), " AND r.regions LIKE '%,' || c.region || ',%'"),
            (filter.programme.is_some(), " AND c.programme = r.programme"),
            (filter.state.is_some(), " AND c.state = r.state"),
            (batch.is_some(), " AND c.batch = r.batch"),
            (waits, " AND c.waiting > 0"),
        ] {
            if given {
                conditions.push_str(condition);
            }
        }
        let order = if filter.by_waiting {
            "c.waiting"
        } else {
            "c.number"
        };
        let limit = limit.min(1_000_000);
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT {CLAIM} FROM {rows} AS r JOIN claim c ON c.fund = r.fund AND c.number > r.after{conditions} \
                     ORDER BY {order} LIMIT {limit}"
                )
            })
            .await?;
        rows.iter().map(to_claim).collect()
    }

    /// The objections to claims.
    pub async fn objections(&self, ids: &[&ClaimId]) -> Result<Vec<Objection>, Error> {
        let rows = self
            .query_with(id_rows(ids), |rows| {
                format!(
                    "SELECT o.fund, o.claim, o.number, o.state, o.sealed, o.sealing_key, o.raised_by, o.raised_at, \
                     o.resolved_by, o.resolved_at, o.resolution FROM {rows} AS r \
                     JOIN claim_objection o ON o.fund = r.fund AND o.claim = r.number ORDER BY o.fund, o.claim, o.number"
                )
            })
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Objection {
                    claim: to_id(row, "claim")?,
                    number: count("claim_objection.number", get(row, "number")?)?,
                    state: get(row, "state")?,
                    sealed: sealed(row)?,
                    raised: signature(&get::<String>(row, "raised_by")?, get(row, "raised_at")?)?,
                    resolved: to_signed(row, "resolved_by", "resolved_at")?,
                    resolution: get(row, "resolution")?,
                })
            })
            .collect()
    }
}

impl Writes {
    /// Adds claims.
    pub fn insert_claims(&mut self, claims: &[(&Claim, &ClaimMaterial)]) -> Result<(), Error> {
        let mut block = Block::new([
            "fund",
            "number#",
            "region",
            "programme",
            "policy",
            "policy_revision#",
            "law_revision#",
            "state",
            "version#",
            "amount_fen#",
            "parts",
            "notice",
            "submitted_by",
            "submitted_at#",
            "decided_by",
            "decided_at#",
            "waiting#",
            "batch#",
            "masked_name",
            "masked_id",
            "facts",
            "documents",
            "sealed",
            "sealing_key",
            "keys",
        ]);
        for &(claim, material) in claims {
            let (decided_by, decided_at) = signed(claim.decided.as_ref());
            block.row([
                text(claim.id.fund.as_str()),
                number(claim.id.number),
                text(claim.region.as_str()),
                text(claim.programme.as_str()),
                text(&claim.policy),
                int(claim.policy_revision.into()),
                int(material.law_revision.into()),
                text(claim.state.code()),
                int(claim.version.into()),
                int(claim.amount.fen()),
                text(json(&claim.parts)?),
                text(json(&claim.notice)?),
                text(claim.submitted.by.as_str()),
                int(claim.submitted.at),
                text(decided_by),
                int(decided_at),
                number(claim.waiting),
                number(claim.batch),
                text(&claim.masked_name),
                text(&claim.masked_id),
                text(json(&material.facts)?),
                text(json(&material.documents)?),
                text(&material.sealed.text),
                text(&material.sealed.key),
                text(json(&material.keys)?),
            ]);
        }
        self.insert("claim", block);
        Ok(())
    }

    /// Stores what may change of claims, each with the version it must be at.
    ///
    /// Written, it is an [`Error::Conflict`] where one is not at its version.
    pub fn update_claims(&mut self, claims: &[(&Claim, u32)]) -> Result<(), Error> {
        let mut block = Block::new([
            "fund",
            "number#",
            "expected#",
            "state",
            "version#",
            "parts",
            "notice",
            "decided_by",
            "decided_at#",
            "waiting#",
            "batch#",
        ]);
        for &(claim, expected) in claims {
            let (decided_by, decided_at) = signed(claim.decided.as_ref());
            block.row([
                text(claim.id.fund.as_str()),
                number(claim.id.number),
                int(expected.into()),
                text(claim.state.code()),
                int(claim.version.into()),
                text(json(&claim.parts)?),
                text(json(&claim.notice)?),
                text(decided_by),
                int(decided_at),
                number(claim.waiting),
                number(claim.batch),
            ]);
        }
        self.add(
            "UPDATE claim AS c SET state = r.state, version = r.version, parts = r.parts, notice = r.notice, \
             decided_by = r.decided_by, decided_at = r.decided_at, waiting = r.waiting, batch = r.batch FROM "
                .to_owned(),
            block,
            " AS r WHERE c.fund = r.fund AND c.number = r.number AND c.version = r.expected",
            Changes::Each,
        );
        Ok(())
    }

    /// Replaces the sealed personal data of claims.
    pub fn update_sealed(&mut self, sealed: &[(&ClaimId, &Sealed)]) {
        let mut block = Block::new(["fund", "number#", "sealed", "sealing_key"]);
        for &(id, sealed) in sealed {
            block.row([
                text(id.fund.as_str()),
                number(id.number),
                text(&sealed.text),
                text(&sealed.key),
            ]);
        }
        self.add(
            "UPDATE claim AS c SET sealed = r.sealed, sealing_key = r.sealing_key FROM ".to_owned(),
            block,
            " AS r WHERE c.fund = r.fund AND c.number = r.number",
            Changes::Any,
        );
    }

    /// Takes unique keys for claims.
    ///
    /// Written, it is an [`Error::Conflict`] where one is taken.
    pub fn insert_keys(&mut self, keys: &[(&ClaimId, &ProgrammeCode, &OnceKey)]) {
        let mut block = Block::new(["programme", "kind", "hash", "lookup_key", "fund", "claim#"]);
        for &(id, programme, key) in keys {
            block.row([
                text(programme.as_str()),
                text(&key.kind),
                text(&key.hash),
                text(&key.lookup_key),
                text(id.fund.as_str()),
                number(id.number),
            ]);
        }
        self.insert("claim_key", block);
    }

    /// Frees the unique keys of claims.
    pub fn delete_keys(&mut self, keys: &[(&ClaimId, &ProgrammeCode, &OnceKey)]) {
        let mut block = Block::new(["programme", "kind", "hash", "fund", "claim#"]);
        for &(id, programme, key) in keys {
            block.row([
                text(programme.as_str()),
                text(&key.kind),
                text(&key.hash),
                text(id.fund.as_str()),
                number(id.number),
            ]);
        }
        self.add(
            "DELETE FROM claim_key WHERE (programme, kind, hash, fund, claim) IN \
             (SELECT programme, kind, hash, fund, claim FROM "
                .to_owned(),
            block,
            " AS r)",
            Changes::Any,
        );
    }

    /// Adds or replaces objections.
    pub fn store_objections(&mut self, objections: &[&Objection]) {
        let mut block = Block::new([
            "fund",
            "claim#",
            "number#",
            "state",
            "sealed",
            "sealing_key",
            "raised_by",
            "raised_at#",
            "resolved_by",
            "resolved_at#",
            "resolution",
        ]);
        for objection in objections {
            let (resolved_by, resolved_at) = signed(objection.resolved.as_ref());
            block.row([
                text(objection.claim.fund.as_str()),
                number(objection.claim.number),
                int(objection.number.into()),
                text(&objection.state),
                text(&objection.sealed.text),
                text(&objection.sealed.key),
                text(objection.raised.by.as_str()),
                int(objection.raised.at),
                text(resolved_by),
                int(resolved_at),
                text(&objection.resolution),
            ]);
        }
        self.upsert(
            "claim_objection",
            block,
            " AS r WHERE true ON CONFLICT (fund, claim, number) DO UPDATE SET state = excluded.state, \
             sealed = excluded.sealed, sealing_key = excluded.sealing_key, resolved_by = excluded.resolved_by, \
             resolved_at = excluded.resolved_at, resolution = excluded.resolution",
        );
    }
}

pub(super) fn claims_query(ids: &[&ClaimId]) -> Query {
    Query {
        before: format!("SELECT {CLAIM} FROM "),
        block: id_rows(ids),
        after: " AS r JOIN claim c ON c.fund = r.fund AND c.number = r.number",
    }
}

/// Which of these unique keys are taken, by which claim, and in which region.
pub(super) fn taken_query(keys: &[(&ProgrammeCode, &str, &str)]) -> Query {
    let mut block = Block::new(["programme", "kind", "hash"]);
    for &(programme, kind, hash) in keys {
        block.row([text(programme.as_str()), text(kind), text(hash)]);
    }
    Query {
        before: "SELECT k.programme, k.kind, k.hash, k.fund, k.claim, c.region FROM ".to_owned(),
        block,
        after: " AS r JOIN claim_key k ON k.programme = r.programme AND k.kind = r.kind AND k.hash = r.hash \
                JOIN claim c ON c.fund = k.fund AND c.number = k.claim",
    }
}

/// Reads a row of [`taken_query`].
pub(super) fn to_taken(row: &QueryResult) -> Result<Taken, Error> {
    let key = (get(row, "programme")?, get(row, "kind")?, get(row, "hash")?);
    Ok((key, (to_id(row, "claim")?, to_region(row)?)))
}

/// How many claims wait for quota, by fund, region and programme.
pub(super) fn waiting_query(places: &[(&FundId, &RegionCode, &ProgrammeCode)]) -> Query {
    let mut block = Block::new(["fund", "region", "programme"]);
    for &(fund, region, programme) in places {
        block.row([
            text(fund.as_str()),
            text(region.as_str()),
            text(programme.as_str()),
        ]);
    }
    Query {
        before: "SELECT c.fund, c.region, c.programme, COUNT(*) AS waiting FROM ".to_owned(),
        block,
        after: " AS r JOIN claim c ON c.fund = r.fund AND c.region = r.region AND c.programme = r.programme \
                AND c.waiting > 0 GROUP BY c.fund, c.region, c.programme",
    }
}

/// Reads a row of [`waiting_query`].
pub(super) fn to_waiting(row: &QueryResult) -> Result<Waiting, Error> {
    let place = (to_fund(row)?, to_region(row)?, to_programme(row)?);
    Ok((place, get_number(row, "waiting")?))
}

/// How a query keeps to a scope, together with a region that is asked for: the one region, or a list of them
/// with a comma around each. A code has no comma, and no character that LIKE would take for a pattern. None
/// where nothing can be found.
pub(super) fn within<'a>(
    scope: &'a Scope,
    asked: Option<&'a RegionCode>,
) -> Option<(Option<&'a RegionCode>, Option<String>)> {
    match (scope.regions(), asked) {
        (None, asked) => Some((asked, None)),
        (Some(regions), Some(asked)) => regions.contains(asked).then_some((Some(asked), None)),
        (Some(regions), None) if regions.len() > 1 => {
            Some((None, Some(format!(",{},", scope.fingerprint()))))
        }
        (Some(regions), None) => regions.first().map(|only| (Some(only), None)),
    }
}

pub(super) fn id_rows(ids: &[&ClaimId]) -> Block {
    let mut block = Block::new(["fund", "number#"]);
    for id in ids {
        block.row([text(id.fund.as_str()), number(id.number)]);
    }
    block
}

/// A signature as two columns; an absent one is empty.
pub(super) fn signed(signature: Option<&Signature>) -> (&str, i64) {
    signature.map_or(("", 0), |signature| (signature.by.as_str(), signature.at))
}

/// Reads [`signed`].
pub(super) fn to_signed(row: &QueryResult, by: &str, at: &str) -> Result<Option<Signature>, Error> {
    let by: String = get(row, by)?;
    if by.is_empty() {
        return Ok(None);
    }
    signature(&by, get(row, at)?).map(Some)
}

fn sealed(row: &QueryResult) -> Result<Sealed, Error> {
    Ok(Sealed {
        key: get(row, "sealing_key")?,
        text: get(row, "sealed")?,
    })
}

pub(super) fn to_fund(row: &QueryResult) -> Result<FundId, Error> {
    stored(FundId::parse("fund", &get::<String>(row, "fund")?))
}

pub(super) fn to_region(row: &QueryResult) -> Result<RegionCode, Error> {
    stored(RegionCode::parse("region", &get::<String>(row, "region")?))
}

pub(super) fn to_programme(row: &QueryResult) -> Result<ProgrammeCode, Error> {
    stored(ProgrammeCode::parse(
        "programme",
        &get::<String>(row, "programme")?,
    ))
}

pub(super) fn to_id(row: &QueryResult, column: &str) -> Result<ClaimId, Error> {
    Ok(ClaimId {
        fund: to_fund(row)?,
        number: get_number(row, column)?,
    })
}

pub(super) fn to_claim(row: &QueryResult) -> Result<Claim, Error> {
    let text = |column: &str| get::<String>(row, column);
    Ok(Claim {
        id: to_id(row, "number")?,
        region: to_region(row)?,
        programme: to_programme(row)?,
        policy: text("policy")?,
        policy_revision: count("claim.policy_revision", get(row, "policy_revision")?)?,
        state: stored(State::parse("claim.state", &text("state")?))?,
        version: count("claim.version", get(row, "version")?)?,
        amount: get_money(row, "amount_fen")?,
        parts: from_json("claim.parts", &text("parts")?)?,
        notice: from_json("claim.notice", &text("notice")?)?,
        submitted: signature(&text("submitted_by")?, get(row, "submitted_at")?)?,
        decided: to_signed(row, "decided_by", "decided_at")?,
        waiting: get_number(row, "waiting")?,
        batch: get_number(row, "batch")?,
        masked_name: text("masked_name")?,
        masked_id: text("masked_id")?,
    })
}
