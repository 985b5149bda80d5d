//! Tokens that the program issued.

use super::block::{Block, Parameters, get, int, text};
use super::convert::{from_json, json, stored};
use super::{Store, Tx, error::failed};
use crate::app::tokens::{TokenHash, TokenRecord};
use crate::domain::error::Error;
use crate::domain::identity::Principal;
use sea_orm::{ConnectionTrait, QueryResult, Statement};

const TOKEN: &str = "t.hash, t.id, t.subject, t.roles, t.regions, t.note, t.issued_by, t.issued_at, t.expires_at, \
     t.revoked_by, t.revoked_at";

impl Store {
    /// The tokens with these hashes. One statement outside of any transaction: every call of the API asks.
    pub async fn tokens(&self, hashes: &[&TokenHash]) -> Result<Vec<TokenRecord>, Error> {
        let mut wanted = Block::new(["hash"]);
        for hash in hashes {
            wanted.row([text(hash.as_str())]);
        }
        let backend = self.db.get_database_backend();
        let mut found = Vec::new();
        for (_, rows, values) in wanted.sources(backend) {
            let sql = format!("SELECT {TOKEN} FROM {rows} AS r JOIN access_token t ON t.hash = r.hash");
            let statement = Statement::from_sql_and_values(backend, sql, values);
            for row in self.db.query_all_raw(statement).await.map_err(failed)? {
                found.push(to_token(&row)?);
            }
        }
        Ok(found)
    }
}

impl Tx {
    /// Adds a token.
    pub async fn insert_token(&self, token: &TokenRecord) -> Result<(), Error> {
        let mut block = Block::new([
            "hash",
            "id",
            "subject",
            "roles",
            "regions",
            "note",
            "issued_by",
            "issued_at#",
            "expires_at#",
            "revoked_by",
            "revoked_at#",
        ]);
        block.row([
            text(token.hash.as_str()),
            text(&token.id),
            text(token.subject.as_str()),
            text(json(&token.roles)?),
            text(json(&token.regions)?),
            text(&token.note),
            text(token.issued_by.as_str()),
            int(token.issued_at),
            int(token.expires_at),
            text(&token.revoked_by),
            int(token.revoked_at),
        ]);
        self.insert_block("access_token", block).await
    }

    /// All tokens, newest first.
    pub async fn all_tokens(&self) -> Result<Vec<TokenRecord>, Error> {
        let statement = format!("SELECT {TOKEN} FROM access_token t ORDER BY t.issued_at DESC, t.id");
        self.query(&statement).await?.iter().map(to_token).collect()
    }

    /// The token with an id.
    pub async fn token(&self, id: &str) -> Result<Option<TokenRecord>, Error> {
        let mut parameters = Parameters::default();
        let id = parameters.add(text(id));
        let statement = format!("SELECT {TOKEN} FROM access_token t WHERE t.id = {id}");
        let rows = self.query_by(&statement, parameters).await?;
        rows.first().map(to_token).transpose()
    }

    /// Notes that a token is revoked.
    pub async fn revoke_token(&self, id: &str, by: &Principal, at: i64) -> Result<(), Error> {
        let mut block = Block::new(["id", "revoked_by", "revoked_at#"]);
        block.row([text(id), text(by.as_str()), int(at)]);
        self.execute_with(block, |rows| {
            format!(
                "UPDATE access_token AS t SET revoked_by = r.revoked_by, revoked_at = r.revoked_at \
                 FROM {rows} AS r WHERE t.id = r.id"
            )
        })
        .await
        .map(drop)
    }
}

fn to_token(row: &QueryResult) -> Result<TokenRecord, Error> {
    let text = |column: &str| get::<String>(row, column);
    Ok(TokenRecord {
        hash: TokenHash::from_stored(text("hash")?),
        id: text("id")?,
        subject: stored(Principal::parse(&text("subject")?))?,
        roles: from_json("access_token.roles", &text("roles")?)?,
        regions: from_json("access_token.regions", &text("regions")?)?,
        note: text("note")?,
        issued_by: stored(Principal::parse(&text("issued_by")?))?,
        issued_at: get(row, "issued_at")?,
        expires_at: get(row, "expires_at")?,
        revoked_by: text("revoked_by")?,
        revoked_at: get(row, "revoked_at")?,
    })
}
