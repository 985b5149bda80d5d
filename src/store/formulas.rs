//! Revisions of formulas.

use super::Tx;
use super::convert::{count, from_json, json, rows, signature};
use super::entity::formula_revision::{self, Column};
use super::error::failed;
use crate::app::records::FormulaRevision;
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

impl Tx {
    /// A revision of a formula; with `None`, the newest.
    pub async fn formula(&self, id: &str, revision: Option<u32>) -> Result<Option<FormulaRevision>, Error> {
        let mut query = formula_revision::Entity::find()
            .filter(Column::Id.eq(id))
            .order_by_desc(Column::Revision);
        if let Some(revision) = revision {
            query = query.filter(Column::Revision.eq(i64::from(revision)));
        }
        let row = query.one(&self.db).await.map_err(failed)?;
        row.map(to_formula).transpose()
    }

    /// The revision of a formula whose document has this digest.
    pub async fn formula_by_digest(
        &self,
        id: &str,
        digest: &Digest,
    ) -> Result<Option<FormulaRevision>, Error> {
        let row = formula_revision::Entity::find()
            .filter(Column::Id.eq(id))
            .filter(Column::Digest.eq(digest.as_str()))
            .one(&self.db)
            .await
            .map_err(failed)?;
        row.map(to_formula).transpose()
    }

    /// Adds a revision of a formula.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where the formula has this revision or this document.
    pub async fn insert_formula(&self, revision: &FormulaRevision) -> Result<(), Error> {
        let row = formula_revision::Model {
            id: revision.document.id.clone(),
            revision: revision.revision.into(),
            digest: revision.digest.to_string(),
            document: json(&revision.document)?,
            created_by: revision.created.by.to_string(),
            created_at: revision.created.at,
        };
        formula_revision::Entity::insert(row.into_active_model())
            .exec_without_returning(self.writing()?)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// The newest revisions of at most `limit` formulas by id, those after `after`.
    pub async fn formulas(&self, after: Option<&str>, limit: u64) -> Result<Vec<FormulaRevision>, Error> {
        let mut query = formula_revision::Entity::find()
            .filter(Expr::exists(a_newer_revision()).not())
            .order_by_asc(Column::Id);
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after));
        }
        let page = query.limit(rows(limit)).all(&self.db).await.map_err(failed)?;
        page.into_iter().map(to_formula).collect()
    }

    /// At most `limit` revisions of a formula, oldest first, those above `after`.
    pub async fn formula_revisions(
        &self,
        id: &str,
        after: u32,
        limit: u64,
    ) -> Result<Vec<FormulaRevision>, Error> {
        let page = formula_revision::Entity::find()
            .filter(Column::Id.eq(id))
            .filter(Column::Revision.gt(i64::from(after)))
            .order_by_asc(Column::Revision)
            .limit(rows(limit))
            .all(&self.db)
            .await
            .map_err(failed)?;
        page.into_iter().map(to_formula).collect()
    }
}

/// A revision of the same formula above the one that the query outside looks at.
fn a_newer_revision() -> SelectStatement {
    let of = |column| Expr::col((formula_revision::Entity, column));
    Query::select()
        .expr(Expr::val(1))
        .from_as(formula_revision::Entity, "newer")
        .and_where(of(Column::Id).equals(("newer", Column::Id)))
        .and_where(of(Column::Revision).lt(Expr::col(("newer", Column::Revision))))
        .take()
}

fn to_formula(row: formula_revision::Model) -> Result<FormulaRevision, Error> {
    Ok(FormulaRevision {
        revision: count("formula_revision.revision", row.revision)?,
        digest: Digest::from_stored(row.digest),
        document: from_json("formula_revision.document", &row.document)?,
        created: signature(&row.created_by, row.created_at)?,
    })
}
