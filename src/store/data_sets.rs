//! Data sets and their revisions.

use super::Tx;
use super::convert::{count, rows, signature, stored};
use super::entity::{data_set, data_set_revision};
use super::error::failed;
use crate::app::records::{DataSet, DataSetRevision};
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use crate::domain::statistics::{DataSetId, Snapshot};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use std::collections::HashMap;

use data_set_revision::Column as Revision;

impl Tx {
    /// A data set. One without a revision has revision 0 and the digest of an empty snapshot.
    pub async fn data_set(&self, id: &DataSetId) -> Result<Option<DataSet>, Error> {
        let row = data_set::Entity::find_by_id(id.as_str())
            .one(&self.db)
            .await
            .map_err(failed)?;
        Ok(self.with_newest(row.into_iter().collect()).await?.pop())
    }

    /// Adds a data set; its revision and digest are those of the revisions added later.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where the id is taken.
    pub async fn insert_data_set(&self, data_set: &DataSet) -> Result<(), Error> {
        let row = data_set::Model {
            id: data_set.id.to_string(),
            title: data_set.title.clone(),
            created_by: data_set.created.by.to_string(),
            created_at: data_set.created.at,
        };
        data_set::Entity::insert(row.into_active_model())
            .exec_without_returning(self.writing()?)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// At most `limit` data sets by id, those after `after`.
    pub async fn data_sets(&self, after: Option<&DataSetId>, limit: u64) -> Result<Vec<DataSet>, Error> {
        let mut query = data_set::Entity::find().order_by_asc(data_set::Column::Id);
        if let Some(after) = after {
            query = query.filter(data_set::Column::Id.gt(after.as_str()));
        }
        let page = query.limit(rows(limit)).all(&self.db).await.map_err(failed)?;
        self.with_newest(page).await
    }

    /// At most `limit` revisions of a data set, oldest first, those above `after`.
    pub async fn data_set_revisions(
        &self,
        id: &DataSetId,
        after: u32,
        limit: u64,
    ) -> Result<Vec<DataSetRevision>, Error> {
        let page = data_set_revision::Entity::find()
            .filter(Revision::DataSet.eq(id.as_str()))
            .filter(Revision::Revision.gt(i64::from(after)))
            .order_by_asc(Revision::Revision)
            .limit(rows(limit))
            .all(&self.db)
            .await
            .map_err(failed)?;
        page.into_iter().map(to_revision).collect()
    }

    /// One revision of a data set.
    pub async fn data_set_revision(
        &self,
        id: &DataSetId,
        revision: u32,
    ) -> Result<Option<DataSetRevision>, Error> {
        data_set_revision::Entity::find_by_id((id.to_string(), i64::from(revision)))
            .one(&self.db)
            .await
            .map_err(failed)?
            .map(to_revision)
            .transpose()
    }

    /// The newest revision of a data set created at `at` (microseconds since 1970-01-01 UTC) or before.
    pub async fn revision_as_of(&self, id: &DataSetId, at: i64) -> Result<Option<u32>, Error> {
        data_set_revision::Entity::find()
            .filter(Revision::DataSet.eq(id.as_str()))
            .filter(Revision::CreatedAt.lte(at))
            .order_by_desc(Revision::Revision)
            .one(&self.db)
            .await
            .map_err(failed)?
            .map(|row| count("data_set_revision.revision", row.revision))
            .transpose()
    }

    /// Adds a revision to a data set that is there; before its observations, which refer to it.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where another import made this revision.
    pub async fn insert_data_set_revision(&self, revision: &DataSetRevision) -> Result<(), Error> {
        let row = data_set_revision::Model {
            data_set: revision.data_set.to_string(),
            revision: revision.revision.into(),
            digest: revision.digest.to_string(),
            created_by: revision.created.by.to_string(),
            created_at: revision.created.at,
            added: revision.added.into(),
            revised: revision.revised.into(),
            unchanged: revision.unchanged.into(),
        };
        data_set_revision::Entity::insert(row.into_active_model())
            .exec_without_returning(self.writing()?)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// The data sets of these rows, each with its newest revision, in the same order.
    async fn with_newest(&self, page: Vec<data_set::Model>) -> Result<Vec<DataSet>, Error> {
        let (Some(first), Some(last)) = (page.first(), page.last()) else {
            return Ok(Vec::new());
        };
        // The page is a range of ids, however long.
        let newest = data_set_revision::Entity::find()
            .filter(Revision::DataSet.between(&first.id, &last.id))
            .filter(Expr::exists(a_newer_revision()).not())
            .all(&self.db)
            .await
            .map_err(failed)?;
        let newest: HashMap<String, data_set_revision::Model> = newest
            .into_iter()
            .map(|row| (row.data_set.clone(), row))
            .collect();
        let data_set = |row: data_set::Model| {
            let (revision, digest) = match newest.get(&row.id) {
                Some(newest) => (
                    count("data_set_revision.revision", newest.revision)?,
                    Digest::from_stored(newest.digest.clone()),
                ),
                None => (0, Snapshot::default().digest()),
            };
            Ok(DataSet {
                id: stored(DataSetId::parse("data_set.id", &row.id))?,
                title: row.title,
                created: signature(&row.created_by, row.created_at)?,
                revision,
                digest,
            })
        };
        page.into_iter().map(data_set).collect()
    }
}

/// A revision of the same data set above the one that the query outside looks at.
fn a_newer_revision() -> SelectStatement {
    let of = |column| Expr::col((data_set_revision::Entity, column));
    Query::select()
        .expr(Expr::val(1))
        .from_as(data_set_revision::Entity, "newer")
        .and_where(of(Revision::DataSet).equals(("newer", Revision::DataSet)))
        .and_where(of(Revision::Revision).lt(Expr::col(("newer", Revision::Revision))))
        .take()
}

fn to_revision(row: data_set_revision::Model) -> Result<DataSetRevision, Error> {
    Ok(DataSetRevision {
        data_set: stored(DataSetId::parse("data_set_revision.data_set", &row.data_set))?,
        revision: count("data_set_revision.revision", row.revision)?,
        digest: Digest::from_stored(row.digest),
        created: signature(&row.created_by, row.created_at)?,
        added: count("data_set_revision.added", row.added)?,
        revised: count("data_set_revision.revised", row.revised)?,
        unchanged: count("data_set_revision.unchanged", row.unchanged)?,
    })
}
