//! Revisions of programmes, of the deed-tax law and of policies; the way up from a region.

use super::Tx;
use super::convert::{count, from_json, json, rows, signature, stored};
use super::entity::policy_revision::{self, Column};
use super::entity::rule_revision;
use super::error::failed;
use crate::app::records::{PolicyFilter, PolicyRevision, RuleRevision};
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::{DeedTaxLawDocument, ProgrammeDocument};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of document that policies build on.
pub trait RuleDocument: Serialize + DeserializeOwned {
    /// The kind as the table names it.
    const KIND: &'static str;
    /// The id within the kind.
    fn id(&self) -> &str;
}

impl RuleDocument for ProgrammeDocument {
    const KIND: &'static str = "programme";
    fn id(&self) -> &str {
        &self.code
    }
}

impl RuleDocument for DeedTaxLawDocument {
    const KIND: &'static str = "deed_tax_law";
    fn id(&self) -> &str {
        &self.id
    }
}

/// How far up a region may be looked for; deeper hierarchies do not exist.
const MAX_DEPTH: i64 = 32;

impl Tx {
    /// A revision of a programme or law; with `None`, the newest.
    pub async fn rule<D: RuleDocument>(
        &self,
        id: &str,
        revision: Option<u32>,
    ) -> Result<Option<RuleRevision<D>>, Error> {
        let mut query = rule_revision::Entity::find()
            .filter(rule_revision::Column::Kind.eq(D::KIND))
            .filter(rule_revision::Column::Id.eq(id))
            .order_by_desc(rule_revision::Column::Revision);
        if let Some(revision) = revision {
            query = query.filter(rule_revision::Column::Revision.eq(i64::from(revision)));
        }
        let row = query.one(&self.db).await.map_err(failed)?;
        row.map(to_rule).transpose()
    }

    /// The newest revision of each programme or law, by id.
    pub async fn rules<D: RuleDocument>(&self) -> Result<Vec<RuleRevision<D>>, Error> {
        let of = |column| Expr::col((rule_revision::Entity, column));
        let newer = Query::select()
            .expr(Expr::val(1))
            .from_as(rule_revision::Entity, "newer")
            .and_where(of(rule_revision::Column::Kind).equals(("newer", rule_revision::Column::Kind)))
            .and_where(of(rule_revision::Column::Id).equals(("newer", rule_revision::Column::Id)))
            .and_where(
                of(rule_revision::Column::Revision).lt(Expr::col(("newer", rule_revision::Column::Revision))),
            )
            .take();
        let found = rule_revision::Entity::find()
            .filter(rule_revision::Column::Kind.eq(D::KIND))
            .filter(Expr::exists(newer).not())
            .order_by_asc(rule_revision::Column::Id)
            .all(&self.db)
            .await
            .map_err(failed)?;
        found.into_iter().map(to_rule).collect()
    }

    /// Adds a revision of a programme or law.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where it has this revision.
    pub async fn insert_rule<D: RuleDocument>(&self, revision: &RuleRevision<D>) -> Result<(), Error> {
        let row = rule_revision::Model {
            kind: D::KIND.to_owned(),
            id: revision.document.id().to_owned(),
            revision: revision.revision.into(),
            digest: revision.digest.to_string(),
            document: json(&revision.document)?,
            created_by: revision.created.by.to_string(),
            created_at: revision.created.at,
        };
        rule_revision::Entity::insert(row.into_active_model())
            .exec_without_returning(self.writing()?)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// A revision of a policy; with `None`, the newest.
    pub async fn policy(&self, id: &str, revision: Option<u32>) -> Result<Option<PolicyRevision>, Error> {
        let mut query = policy_revision::Entity::find()
            .filter(Column::Id.eq(id))
            .order_by_desc(Column::Revision);
        if let Some(revision) = revision {
            query = query.filter(Column::Revision.eq(i64::from(revision)));
        }
        let row = query.one(&self.db).await.map_err(failed)?;
        row.map(to_policy).transpose()
    }

    /// Adds a revision of a policy.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where the policy has this revision.
    pub async fn insert_policy(&self, revision: &PolicyRevision) -> Result<(), Error> {
        let document = &revision.document;
        let row = policy_revision::Model {
            id: document.id.clone(),
            revision: revision.revision.into(),
            digest: revision.digest.to_string(),
            region: document.region.clone(),
            programme: document.programme.clone(),
            programme_revision: revision.programme_revision.into(),
            valid_from: document.valid_from.clone(),
            valid_to: Some(document.valid_to.clone()).filter(|last| !last.is_empty()),
            document: json(document)?,
            created_by: revision.created.by.to_string(),
            created_at: revision.created.at,
        };
        policy_revision::Entity::insert(row.into_active_model())
            .exec_without_returning(self.writing()?)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// The newest revisions of at most `limit` policies by id, those after `after`.
    pub async fn policies(
        &self,
        filter: &PolicyFilter,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<PolicyRevision>, Error> {
        let mut query = policy_revision::Entity::find()
            .filter(Expr::exists(a_newer_revision()).not())
            .order_by_asc(Column::Id);
        if let Some(region) = &filter.region {
            query = query.filter(Column::Region.eq(region.as_str()));
        }
        if let Some(programme) = &filter.programme {
            query = query.filter(Column::Programme.eq(programme.as_str()));
        }
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after));
        }
        let page = query.limit(rows(limit)).all(&self.db).await.map_err(failed)?;
        page.into_iter().map(to_policy).collect()
    }

    /// At most `limit` revisions of a policy, oldest first, those above `after`.
    pub async fn policy_revisions(
        &self,
        id: &str,
        after: u32,
        limit: u64,
    ) -> Result<Vec<PolicyRevision>, Error> {
        let page = policy_revision::Entity::find()
            .filter(Column::Id.eq(id))
            .filter(Column::Revision.gt(i64::from(after)))
            .order_by_asc(Column::Revision)
            .limit(rows(limit))
            .all(&self.db)
            .await
            .map_err(failed)?;
        page.into_iter().map(to_policy).collect()
    }

    /// How many revisions of programmes, laws and policies there are. They are only ever added, so the
    /// same count means the same content.
    pub async fn rule_count(&self) -> Result<u64, Error> {
        let sql = format!("SELECT {RULE_COUNT} AS n");
        let statement = Statement::from_string(self.db.get_database_backend(), sql);
        let row = self.db.query_one_raw(statement).await.map_err(failed)?;
        let count: i64 = row
            .ok_or_else(|| Error::internal("a count gave no row"))?
            .try_get("", "n")
            .map_err(failed)?;
        counted(count)
    }

    /// A region and those that contain it, from the inside out; empty where there is no such region.
    pub async fn region_path(&self, code: &RegionCode) -> Result<Vec<RegionCode>, Error> {
        Ok(self.region_path_and_rule_count(code).await?.0)
    }

    /// [`Tx::region_path`] and [`Tx::rule_count`] in one round trip; the count is 0 where there is no such region.
    pub async fn region_path_and_rule_count(
        &self,
        code: &RegionCode,
    ) -> Result<(Vec<RegionCode>, u64), Error> {
        let backend = self.db.get_database_backend();
        let first = match backend {
            DbBackend::Postgres => "$1",
            _ => "?",
        };
        let sql = format!(
            "WITH RECURSIVE up(code, parent, depth) AS (\
             SELECT code, parent, 0 FROM region WHERE code = {first} \
             UNION ALL SELECT region.code, region.parent, up.depth + 1 \
             FROM region JOIN up ON region.code = up.parent WHERE up.depth < {MAX_DEPTH}) \
             SELECT code, {RULE_COUNT} AS n FROM up ORDER BY depth"
        );
        let statement = Statement::from_sql_and_values(backend, sql, [code.as_str().into()]);
        let found = self.db.query_all_raw(statement).await.map_err(failed)?;
        let mut path = Vec::with_capacity(found.len());
        let mut rules = 0;
        for row in found {
            let code: String = row.try_get("", "code").map_err(failed)?;
            path.push(stored(RegionCode::parse("region.code", &code))?);
            rules = row.try_get("", "n").map_err(failed)?;
        }
        Ok((path, counted(rules)?))
    }
}

/// Revisions of rules, counted in SQL.
const RULE_COUNT: &str = "((SELECT COUNT(*) FROM policy_revision) + (SELECT COUNT(*) FROM rule_revision))";

fn counted(count: i64) -> Result<u64, Error> {
    u64::try_from(count).map_err(Error::internal)
}

/// A revision of the same policy above the one that the query outside looks at.
fn a_newer_revision() -> SelectStatement {
    let of = |column| Expr::col((policy_revision::Entity, column));
    Query::select()
        .expr(Expr::val(1))
        .from_as(policy_revision::Entity, "newer")
        .and_where(of(Column::Id).equals(("newer", Column::Id)))
        .and_where(of(Column::Revision).lt(Expr::col(("newer", Column::Revision))))
        .take()
}

fn to_rule<D: RuleDocument>(row: rule_revision::Model) -> Result<RuleRevision<D>, Error> {
    Ok(RuleRevision {
        revision: count("rule_revision.revision", row.revision)?,
        digest: Digest::from_stored(row.digest),
        document: from_json("rule_revision.document", &row.document)?,
        created: signature(&row.created_by, row.created_at)?,
    })
}

fn to_policy(row: policy_revision::Model) -> Result<PolicyRevision, Error> {
    Ok(PolicyRevision {
        revision: count("policy_revision.revision", row.revision)?,
        digest: Digest::from_stored(row.digest),
        document: from_json("policy_revision.document", &row.document)?,
        programme_revision: count("policy_revision.programme_revision", row.programme_revision)?,
        created: signature(&row.created_by, row.created_at)?,
    })
}
