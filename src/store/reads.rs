//! What a transaction that posts reads, in as few steps as the database allows: on SQLite, where each statement is a
//! turn of two threads that wait for each other, several go together as one text.

use super::Tx;
use super::block::{Block, get_number};
use super::claims::{claims_query, taken_query, to_claim, to_taken, to_waiting, waiting_query};
use super::error::failed;
use super::ledger::{balances_query, to_balance, to_fund};
use super::requests::{requests_query, to_request};
use super::writes::TOGETHER;
use crate::app::records::{FundHead, StoredRequest};
use crate::domain::allocation::FundId;
use crate::domain::claim::{Claim, ClaimId};
use crate::domain::error::Error;
use crate::domain::ledger::Account;
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};
use std::collections::BTreeMap;

/// Claims that are read at a time.
const AT_A_TIME: usize = 512;

/// A query: what stands before the text of its rows, and after it.
pub(super) struct Query {
    pub(super) before: String,
    pub(super) block: Block,
    pub(super) after: &'static str,
}

/// What is asked first.
#[derive(Debug, Clone, Copy)]
pub struct First<'a> {
    /// Requests, by principal and id.
    pub requests: &'a [(&'a str, &'a str)],
    /// Funds whose journals are locked.
    pub funds: &'a [FundId],
    /// Claims.
    pub claims: &'a [&'a ClaimId],
    /// Unique keys, by programme, kind and hash.
    pub keys: &'a [(&'a ProgrammeCode, &'a str, &'a str)],
}

/// The answers to [`First`]: what there is of it.
#[derive(Debug)]
pub struct Found {
    /// The answers that were given to the requests.
    pub requests: Vec<StoredRequest>,
    /// The ends of the funds' journals.
    pub heads: BTreeMap<FundId, FundHead>,
    /// The claims, in no order.
    pub claims: Vec<Claim>,
    /// The unique keys that are taken.
    pub taken: Vec<Taken>,
}

/// A unique key, by programme, kind and hash; the claim that has it, and in which region.
pub type Taken = ((String, String, String), (ClaimId, RegionCode));

/// A fund's programme in a region, and how many claims wait for quota there.
pub type Waiting = ((FundId, RegionCode, ProgrammeCode), u64);

impl Tx {
    /// Looks for requests that were answered, then locks the ends of journals as [`Tx::fund_heads`] does, then reads
    /// what may change under nobody else's hands from here on.
    pub async fn first(&self, first: First<'_>) -> Result<Found, Error> {
        let few = first.claims.len() <= TOGETHER;
        let [requests, heads, claims, taken] = self
            .query_each([
                requests_query(first.requests),
                self.heads_query(first.funds),
                claims_query(if few { first.claims } else { &[] }),
                taken_query(first.keys),
            ])
            .await?;
        Ok(Found {
            requests: requests.iter().map(to_request).collect::<Result<_, _>>()?,
            heads: heads.iter().map(to_fund).collect::<Result<_, _>>()?,
            claims: if few {
                claims.iter().map(to_claim).collect::<Result<_, _>>()?
            } else {
                self.many_claims(first.claims).await?
            },
            taken: taken.iter().map(to_taken).collect::<Result<_, _>>()?,
        })
    }

    /// These claims, some at a time: while the database looks for the next, those before are made of their rows.
    async fn many_claims(&self, ids: &[&ClaimId]) -> Result<Vec<Claim>, Error> {
        let mut making = Vec::new();
        for ids in ids.chunks(AT_A_TIME) {
            let [rows] = self.query_each([claims_query(ids)]).await?;
            let make = move || rows.iter().map(to_claim).collect::<Result<Vec<Claim>, Error>>();
            making.push(tokio::task::spawn_blocking(make));
        }
        let mut claims = Vec::with_capacity(ids.len());
        for made in making {
            claims.extend(made.await.map_err(Error::internal)??);
        }
        Ok(claims)
    }

    /// How many claims wait at these places, and the balances of these accounts; what has none is left out.
    pub async fn waiting_and_balances(
        &self,
        places: &[(&FundId, &RegionCode, &ProgrammeCode)],
        accounts: &[(&FundId, &Account)],
    ) -> Result<(Vec<Waiting>, Vec<(FundId, Account, Money)>), Error> {
        let [waiting, balances] = self
            .query_each([waiting_query(places), balances_query(accounts)])
            .await?;
        Ok((
            waiting.iter().map(to_waiting).collect::<Result<_, _>>()?,
            balances.iter().map(to_balance).collect::<Result<_, _>>()?,
        ))
    }

    /// Carries out queries in their order, and gives each its rows. One over no rows finds none.
    pub(super) async fn query_each<const N: usize>(
        &self,
        queries: [Query; N],
    ) -> Result<[Vec<QueryResult>; N], Error> {
        let backend = self.db.get_database_backend();
        let mut found: [Vec<QueryResult>; N] = std::array::from_fn(|_| Vec::new());
        let few = queries.iter().all(|query| query.block.rows() <= TOGETHER);
        if N == 1 || backend != DbBackend::Sqlite || !few {
            for (found, query) in found.iter_mut().zip(queries) {
                let statement = |rows: &str| format!("{}{rows}{}", query.before, query.after);
                *found = self.query_with(query.block, statement).await?;
            }
            return Ok(found);
        }
        let (mut texts, mut all) = (Vec::new(), Vec::new());
        for (number, query) in queries.into_iter().enumerate() {
            for (_, rows, values) in query.block.sources(backend) {
                texts.push(format!(
                    "SELECT {number} AS query, q.* FROM ({}{rows}{}) AS q",
                    query.before, query.after
                ));
                all.extend(values);
            }
        }
        if texts.is_empty() {
            return Ok(found);
        }
        let statement = Statement::from_sql_and_values(backend, texts.join("; "), all);
        for row in self.db.query_all_raw(statement).await.map_err(failed)? {
            let number = usize::try_from(get_number(&row, "query")?).map_err(Error::internal)?;
            let rows = found.get_mut(number);
            rows.ok_or_else(|| Error::internal("a row of no query"))?
                .push(row);
        }
        Ok(found)
    }
}
