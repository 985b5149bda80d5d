//! Answers to mutating requests.

use super::Tx;
use super::block::{Block, get, int, text};
use super::entity::request::{self, Column};
use super::error::failed;
use super::reads::Query;
use super::writes::Writes;
use crate::app::records::StoredRequest;
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryResult};

impl Tx {
    /// The answer that a principal got to a request.
    pub async fn request(&self, principal: &str, request_id: &str) -> Result<Option<StoredRequest>, Error> {
        let row = request::Entity::find_by_id((principal.to_owned(), request_id.to_owned()))
            .one(&self.db)
            .await
            .map_err(failed)?;
        Ok(row.map(|row| StoredRequest {
            request_id: row.request_id,
            principal: row.principal,
            method: row.method,
            body: Digest::from_stored(row.body),
            response: row.response,
            at: row.answered_at,
        }))
    }

    /// Keeps the answer to a request, in the transaction that does what was asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where the same request has been answered: two came at the same moment.
    pub async fn insert_request(&self, request: &StoredRequest) -> Result<(), Error> {
        let row = request::Model {
            principal: request.principal.clone(),
            request_id: request.request_id.clone(),
            method: request.method.clone(),
            body: request.body.to_string(),
            response: request.response.clone(),
            answered_at: request.at,
        };
        request::Entity::insert(row.into_active_model())
            .exec_without_returning(self.writing()?)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Deletes the answers from before `at` (microseconds since 1970-01-01 UTC) and says how many there were.
    pub async fn delete_requests_before(&self, at: i64) -> Result<u64, Error> {
        let deleted = request::Entity::delete_many()
            .filter(Column::AnsweredAt.lt(at))
            .exec(self.writing()?)
            .await
            .map_err(failed)?;
        Ok(deleted.rows_affected)
    }
}

/// The answers that were given to these requests, each named by principal and id.
pub(super) fn requests_query(keys: &[(&str, &str)]) -> Query {
    let mut block = Block::new(["principal", "request_id"]);
    for (principal, request_id) in keys {
        block.row([text(*principal), text(*request_id)]);
    }
    Query {
        before: "SELECT q.principal, q.request_id, q.method, q.body, q.response, q.answered_at FROM "
            .to_owned(),
        block,
        after: " AS r JOIN request q ON q.principal = r.principal AND q.request_id = r.request_id",
    }
}

/// Reads a row of [`requests_query`].
pub(super) fn to_request(row: &QueryResult) -> Result<StoredRequest, Error> {
    Ok(StoredRequest {
        principal: get(row, "principal")?,
        request_id: get(row, "request_id")?,
        method: get(row, "method")?,
        body: Digest::from_stored(get(row, "body")?),
        response: get(row, "response")?,
        at: get(row, "answered_at")?,
    })
}

impl Writes {
    /// Keeps the answers to requests, as [`Tx::insert_request`] does.
    pub fn insert_requests(&mut self, requests: &[StoredRequest]) {
        let mut block = Block::new([
            "principal",
            "request_id",
            "method",
            "body",
            "response",
            "answered_at#",
        ]);
        for request in requests {
            block.row([
                text(&request.principal),
                text(&request.request_id),
                text(&request.method),
                text(request.body.as_str()),
                text(&request.response),
                int(request.at),
            ]);
        }
        self.insert("request", block);
    }
}
