//! Observations. They are only ever added, so that what a data set was at any revision can be read again.

use super::Tx;
use super::convert::{ROWS_AT_ONCE, count, decimal, decimal_text, rows, stored};
use super::entity::observation::{self, Column};
use super::error::failed;
use crate::domain::error::Error;
use crate::domain::region::RegionCode;
use crate::domain::statistics::{DataSetId, IndicatorCode, Observation, ObservationKey, Snapshot};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select};

/// Which observations to list; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservationFilter {
    /// Only of this region.
    pub region: Option<RegionCode>,
    /// Only of this indicator.
    pub indicator: Option<IndicatorCode>,
    /// Only of this year.
    pub year: Option<i32>,
}

impl Tx {
    /// Adds the observations that revision `data_revision` of a data set brought; the revision,
    /// the regions and the indicators must be there.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where one of them has been added by another import.
    pub async fn insert_observations(
        &self,
        id: &DataSetId,
        data_revision: u32,
        observations: &[Observation],
    ) -> Result<(), Error> {
        for chunk in observations.chunks(ROWS_AT_ONCE) {
            let rows = chunk.iter().map(|observation| {
                observation::Model {
                    data_set: id.to_string(),
                    region: observation.region.to_string(),
                    indicator: observation.indicator.to_string(),
                    year: observation.year,
                    revision: observation.revision.into(),
                    data_revision: data_revision.into(),
                    value: decimal_text(observation.value),
                    source: observation.source.clone(),
                }
                .into_active_model()
            });
            observation::Entity::insert_many(rows)
                .exec_without_returning(self.writing()?)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }

    /// A data set as it was at a revision.
    pub async fn snapshot(&self, id: &DataSetId, revision: u32) -> Result<Snapshot, Error> {
        let rows = at_revision(id, revision).all(&self.db).await.map_err(failed)?;
        let observations: Vec<Observation> =
            rows.into_iter().map(to_observation).collect::<Result<_, _>>()?;
        Ok(Snapshot::new(observations))
    }

    /// At most `limit` observations of a data set as it was at a revision, by region, indicator and
    /// year, those after `after`.
    pub async fn observations(
        &self,
        id: &DataSetId,
        revision: u32,
        filter: &ObservationFilter,
        after: Option<&ObservationKey>,
        limit: u64,
    ) -> Result<Vec<Observation>, Error> {
        let mut query = at_revision(id, revision);
        if let Some(region) = &filter.region {
            query = query.filter(Column::Region.eq(region.as_str()));
        }
        if let Some(indicator) = &filter.indicator {
            query = query.filter(Column::Indicator.eq(indicator.as_str()));
        }
        if let Some(year) = filter.year {
            query = query.filter(Column::Year.eq(year));
        }
        if let Some((region, indicator, year)) = after {
            let of = |column| Expr::col((observation::Entity, column));
            let key = Expr::tuple([of(Column::Region), of(Column::Indicator), of(Column::Year)]);
            let last = Expr::tuple([
                Expr::val(region.as_str()),
                Expr::val(indicator.as_str()),
                Expr::val(*year),
            ]);
            query = query.filter(key.gt(last));
        }
        let page = query
            .order_by_asc(Column::Region)
            .order_by_asc(Column::Indicator)
            .order_by_asc(Column::Year)
            .limit(rows(limit))
            .all(&self.db)
            .await
            .map_err(failed)?;
        page.into_iter().map(to_observation).collect()
    }

    /// Every value there has been for a region, indicator and year, oldest first, each with the
    /// revision of the data set that brought it.
    pub async fn observation_history(
        &self,
        id: &DataSetId,
        key: &ObservationKey,
    ) -> Result<Vec<(u32, Observation)>, Error> {
        let (region, indicator, year) = key;
        let rows = observation::Entity::find()
            .filter(Column::DataSet.eq(id.as_str()))
            .filter(Column::Region.eq(region.as_str()))
            .filter(Column::Indicator.eq(indicator.as_str()))
            .filter(Column::Year.eq(*year))
            .order_by_asc(Column::Revision)
            .all(&self.db)
            .await
            .map_err(failed)?;
        rows.into_iter()
            .map(|row| {
                let data_revision = count("observation.data_revision", row.data_revision)?;
                Ok((data_revision, to_observation(row)?))
            })
            .collect()
    }
}

/// Of each region, indicator and year the newest observation that the revision of the data set has.
fn at_revision(id: &DataSetId, revision: u32) -> Select<observation::Entity> {
    observation::Entity::find()
        .filter(Column::DataSet.eq(id.as_str()))
        .filter(Column::DataRevision.lte(i64::from(revision)))
        .filter(Expr::exists(a_newer_observation(revision)).not())
}

/// A later observation, within the revision, for what the query outside looks at.
fn a_newer_observation(revision: u32) -> SelectStatement {
    let of = |column| Expr::col((observation::Entity, column));
    let mut newer = Query::select();
    newer
        .expr(Expr::val(1))
        .from_as(observation::Entity, "newer")
        .and_where(of(Column::Revision).lt(Expr::col(("newer", Column::Revision))))
        .and_where(Expr::col(("newer", Column::DataRevision)).lte(i64::from(revision)));
    for column in [Column::DataSet, Column::Region, Column::Indicator, Column::Year] {
        newer.and_where(of(column).equals(("newer", column)));
    }
    newer
}

fn to_observation(row: observation::Model) -> Result<Observation, Error> {
    Ok(Observation {
        region: stored(RegionCode::parse("observation.region", &row.region))?,
        indicator: stored(IndicatorCode::parse("observation.indicator", &row.indicator))?,
        year: row.year,
        value: decimal("observation.value", &row.value)?,
        source: row.source,
        revision: count("observation.revision", row.revision)?,
    })
}
