//! Kept simulations.

use super::Tx;
use super::convert::{count, decimal, decimal_text, from_json, json, money, rows, signature, stored};
use super::entity::simulation::{self, Column};
use super::error::failed;
use crate::app::simulation::{Kept, SimulationId};
use crate::domain::allocation::{DataRef, FormulaRef, Stage};
use crate::domain::digest::Digest;
use crate::domain::error::{Bilingual, Error};
use crate::domain::statistics::DataSetId;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

impl Tx {
    /// Adds a simulation. The formula and data that it names must be there.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where the id is taken.
    pub async fn insert_simulation(&self, kept: &Kept) -> Result<(), Error> {
        let row = simulation::Model {
            id: kept.id.to_string(),
            title: kept.title.clone(),
            kind: kept.question.kind().to_owned(),
            formula_id: kept.formula.id.clone(),
            formula_revision: kept.formula.revision.into(),
            formula_digest: kept.formula.digest.to_string(),
            data_set: kept.data.id.to_string(),
            data_revision: kept.data.revision.into(),
            data_digest: kept.data.digest.to_string(),
            pool_fen: kept.pool.fen(),
            year: kept.year,
            advance_percent: kept.stage.advance_percent().map(decimal_text).unwrap_or_default(),
            regions: json(&kept.regions)?,
            question: json(&kept.question)?,
            input_digest: kept.input_digest.to_string(),
            evaluations: i64::try_from(kept.evaluations).map_err(Error::internal)?,
            result_digest: kept.result_digest.to_string(),
            summary_zh: kept.summary.zh.clone(),
            summary_en: kept.summary.en.clone(),
            created_by: kept.created.by.to_string(),
            created_at: kept.created.at,
        };
        simulation::Entity::insert(row.into_active_model())
            .exec_without_returning(self.writing()?)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// One simulation.
    pub async fn simulation(&self, id: &SimulationId) -> Result<Option<Kept>, Error> {
        let row = simulation::Entity::find_by_id(id.as_str())
            .one(&self.db)
            .await
            .map_err(failed)?;
        row.map(to_kept).transpose()
    }

    /// At most `limit` simulations, newest first, those older than `before`.
    pub async fn simulations(
        &self,
        kind: Option<&str>,
        before: Option<(i64, &SimulationId)>,
        limit: u64,
    ) -> Result<Vec<Kept>, Error> {
        let mut query = simulation::Entity::find()
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id);
        if let Some(kind) = kind {
            query = query.filter(Column::Kind.eq(kind));
        }
        if let Some((at, id)) = before {
            let older = Expr::col(Column::CreatedAt).lt(at);
            let same = Expr::col(Column::CreatedAt)
                .eq(at)
                .and(Expr::col(Column::Id).lt(id.as_str()));
            query = query.filter(older.or(same));
        }
        let page = query.limit(rows(limit)).all(&self.db).await.map_err(failed)?;
        page.into_iter().map(to_kept).collect()
    }
}

fn to_kept(row: simulation::Model) -> Result<Kept, Error> {
    Ok(Kept {
        id: stored(SimulationId::parse("simulation.id", &row.id))?,
        title: row.title,
        formula: FormulaRef {
            id: row.formula_id,
            revision: count("simulation.formula_revision", row.formula_revision)?,
            digest: Digest::from_stored(row.formula_digest),
        },
        data: DataRef {
            id: stored(DataSetId::parse("simulation.data_set", &row.data_set))?,
            revision: count("simulation.data_revision", row.data_revision)?,
            digest: Digest::from_stored(row.data_digest),
        },
        pool: money("simulation.pool_fen", row.pool_fen)?,
        year: row.year,
        stage: match row.advance_percent.as_str() {
            "" => Stage::Full,
            percent => Stage::Advance {
                percent: decimal("simulation.advance_percent", percent)?,
            },
        },
        regions: from_json("simulation.regions", &row.regions)?,
        question: from_json("simulation.question", &row.question)?,
        input_digest: Digest::from_stored(row.input_digest),
        evaluations: u64::try_from(row.evaluations).map_err(Error::internal)?,
        result_digest: Digest::from_stored(row.result_digest),
        summary: Bilingual::new(row.summary_en, row.summary_zh),
        created: signature(&row.created_by, row.created_at)?,
    })
}
