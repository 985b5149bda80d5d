//! Allocation runs and their lines.

use super::Tx;
use super::convert::{
    ROWS_AT_ONCE, count, decimal, decimal_text, from_json, json, money, rows, signature, stored,
};
use super::entity::allocation::{self, Column};
use super::entity::allocation_line;
use super::error::failed;
use crate::app::records::RunFilter;
use crate::domain::allocation::{
    DataRef, FormulaRef, FundId, Line, Outcome, Run, RunId, RunInputs, Signature, Stage, State,
};
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use crate::domain::region::RegionCode;
use crate::domain::statistics::DataSetId;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

impl Tx {
    /// Adds a run with its lines. The stored formula and data that it names must be there.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where the id is taken, or the run is issued and the fund has another
    /// issued one for the stage.
    pub async fn insert_run(&self, run: &Run) -> Result<(), Error> {
        allocation::Entity::insert(from_run(run)?.into_active_model())
            .exec_without_returning(self.writing()?)
            .await
            .map_err(failed)?;
        for chunk in run.outcome.lines.chunks(ROWS_AT_ONCE) {
            let rows: Vec<allocation_line::ActiveModel> = chunk
                .iter()
                .map(|line| Ok(from_line(&run.id, line)?.into_active_model()))
                .collect::<Result<_, Error>>()?;
            allocation_line::Entity::insert_many(rows)
                .exec_without_returning(self.writing()?)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }

    /// A run with its lines.
    pub async fn run(&self, id: &RunId) -> Result<Option<Run>, Error> {
        let row = allocation::Entity::find_by_id(id.as_str())
            .one(&self.db)
            .await
            .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let lines = allocation_line::Entity::find()
            .filter(allocation_line::Column::Allocation.eq(id.as_str()))
            .order_by_asc(allocation_line::Column::Region)
            .all(&self.db)
            .await
            .map_err(failed)?;
        let lines = lines.into_iter().map(to_line).collect::<Result<_, _>>()?;
        to_run(row, lines).map(Some)
    }

    /// Stores what may change of a run: state, version, signatures and replacement.
    ///
    /// Where an issued run is superseded by another, supersede it first: a fund has one issued run
    /// for each stage at any moment.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where the stored run is not at `expected_version`, or the fund has
    /// another issued run for the stage.
    pub async fn update_run(&self, run: &Run, expected_version: u32) -> Result<(), Error> {
        let by = |signature: &Option<Signature>| Set(signature.as_ref().map(|s| s.by.to_string()));
        let at = |signature: &Option<Signature>| Set(signature.as_ref().map(|s| s.at));
        let change = allocation::ActiveModel {
            state: Set(run.state.code().to_owned()),
            version: Set(run.version.into()),
            approved_by: by(&run.approved),
            approved_at: at(&run.approved),
            issued_by: by(&run.issued),
            issued_at: at(&run.issued),
            superseded_by: by(&run.superseded),
            superseded_at: at(&run.superseded),
            replacement: Set(run.replacement.as_ref().map(ToString::to_string)),
            ..Default::default()
        };
        let updated = allocation::Entity::update_many()
            .set(change)
            .filter(Column::Id.eq(run.id.as_str()))
            .filter(Column::Version.eq(i64::from(expected_version)))
            .exec(self.writing()?)
            .await
            .map_err(failed)?;
        if updated.rows_affected == 1 {
            return Ok(());
        }
        Err(Error::Conflict {
            detail: format!("{} is not at version {expected_version}", run.id.resource_name()),
        })
    }

    /// At most `limit` runs without their lines, newest first; with `before`, a time of creation and an
    /// id, those that come after it in this order.
    pub async fn runs(
        &self,
        filter: &RunFilter,
        before: Option<(i64, &RunId)>,
        limit: u64,
    ) -> Result<Vec<Run>, Error> {
        let mut query = allocation::Entity::find();
        if let Some(fund) = &filter.fund {
            query = query.filter(Column::Fund.eq(fund.as_str()));
        }
        if let Some(state) = filter.state {
            query = query.filter(Column::State.eq(state.code()));
        }
        if filter.published {
            query = query.filter(Column::IssuedAt.is_not_null());
        }
        if let Some((created_at, id)) = before {
            let key = Expr::tuple([Expr::col(Column::CreatedAt), Expr::col(Column::Id)]);
            let last = Expr::tuple([Expr::val(created_at), Expr::val(id.as_str())]);
            query = query.filter(key.lt(last));
        }
        let page = query
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(rows(limit))
            .all(&self.db)
            .await
            .map_err(failed)?;
        page.into_iter().map(|row| to_run(row, Vec::new())).collect()
    }

    /// The issued run of a fund for a stage, named by its code.
    pub async fn issued_run(&self, fund: &FundId, stage_code: &str) -> Result<Option<RunId>, Error> {
        let id: Option<String> = allocation::Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Fund.eq(fund.as_str()))
            .filter(Column::Stage.eq(stage_code))
            .filter(Column::State.eq(State::Issued.code()))
            .into_tuple()
            .one(&self.db)
            .await
            .map_err(failed)?;
        id.map(|id| run_id(&id)).transpose()
    }
}

fn run_id(text: &str) -> Result<RunId, Error> {
    stored(RunId::parse("allocation.id", text))
}

/// 0 stands for what is not stored; there, the reference is absent.
fn stored_revision(revision: u32) -> Option<i64> {
    (revision > 0).then_some(revision.into())
}

fn from_run(run: &Run) -> Result<allocation::Model, Error> {
    let inputs = &run.inputs;
    let by = |signature: &Option<Signature>| signature.as_ref().map(|s| s.by.to_string());
    let at = |signature: &Option<Signature>| signature.as_ref().map(|s| s.at);
    let settles = match &inputs.stage {
        Stage::Settlement { advance } => Some(advance.to_string()),
        Stage::Full | Stage::Advance { .. } => None,
    };
    let without_lines = Outcome {
        lines: Vec::new(),
        ..run.outcome.clone()
    };
    Ok(allocation::Model {
        id: run.id.to_string(),
        title: run.title.clone(),
        fund: inputs.fund.to_string(),
        stage: inputs.stage.code().to_owned(),
        advance_percent: inputs.stage.advance_percent().map(decimal_text),
        settles,
        pool_fen: inputs.pool.fen(),
        year: inputs.year,
        formula_id: inputs.formula.id.clone(),
        formula_revision: stored_revision(inputs.formula.revision),
        formula_digest: inputs.formula.digest.to_string(),
        data_set: inputs.data.id.to_string(),
        data_revision: stored_revision(inputs.data.revision),
        data_digest: inputs.data.digest.to_string(),
        regions: json(&inputs.regions)?,
        input_digest: run.input_digest.to_string(),
        state: run.state.code().to_owned(),
        version: run.version.into(),
        created_by: run.created.by.to_string(),
        created_at: run.created.at,
        approved_by: by(&run.approved),
        approved_at: at(&run.approved),
        issued_by: by(&run.issued),
        issued_at: at(&run.issued),
        superseded_by: by(&run.superseded),
        superseded_at: at(&run.superseded),
        replacement: run.replacement.as_ref().map(ToString::to_string),
        outcome: json(&without_lines)?,
    })
}

fn to_run(row: allocation::Model, lines: Vec<Line>) -> Result<Run, Error> {
    let revision = |column, stored: Option<i64>| stored.map_or(Ok(0), |value| count(column, value));
    let signed =
        |by: Option<String>, at: Option<i64>| by.zip(at).map(|(by, at)| signature(&by, at)).transpose();
    let stage = match (row.stage.as_str(), &row.advance_percent, &row.settles) {
        ("full", None, None) => Stage::Full,
        ("advance", Some(percent), None) => Stage::Advance {
            percent: decimal("allocation.advance_percent", percent)?,
        },
        ("settlement", None, Some(advance)) => Stage::Settlement {
            advance: run_id(advance)?,
        },
        (stage, ..) => {
            return Err(Error::internal(format!(
                "stored data: allocation.stage is {stage}"
            )));
        }
    };
    let outcome: Outcome = from_json("allocation.outcome", &row.outcome)?;
    Ok(Run {
        id: run_id(&row.id)?,
        title: row.title,
        inputs: RunInputs {
            fund: stored(FundId::parse("allocation.fund", &row.fund))?,
            stage,
            pool: money("allocation.pool_fen", row.pool_fen)?,
            year: row.year,
            formula: FormulaRef {
                id: row.formula_id,
                revision: revision("allocation.formula_revision", row.formula_revision)?,
                digest: Digest::from_stored(row.formula_digest),
            },
            data: DataRef {
                id: stored(DataSetId::parse("allocation.data_set", &row.data_set))?,
                revision: revision("allocation.data_revision", row.data_revision)?,
                digest: Digest::from_stored(row.data_digest),
            },
            regions: from_json("allocation.regions", &row.regions)?,
        },
        input_digest: Digest::from_stored(row.input_digest),
        state: stored(State::parse("allocation.state", &row.state))?,
        version: count("allocation.version", row.version)?,
        created: signature(&row.created_by, row.created_at)?,
        approved: signed(row.approved_by, row.approved_at)?,
        issued: signed(row.issued_by, row.issued_at)?,
        superseded: signed(row.superseded_by, row.superseded_at)?,
        replacement: row.replacement.as_deref().map(run_id).transpose()?,
        outcome: Outcome { lines, ..outcome },
    })
}

fn from_line(run: &RunId, line: &Line) -> Result<allocation_line::Model, Error> {
    Ok(allocation_line::Model {
        allocation: run.to_string(),
        region: line.region.to_string(),
        name_zh: line.name_zh.clone(),
        name_en: line.name_en.clone(),
        components: json(&line.components)?,
        bounds_adjustment_fen: line.bounds_adjustment.fen(),
        placement: line.placement.clone(),
        residual_units: line.residual_units,
        amount_fen: line.amount.fen(),
        advanced_fen: line.advanced.fen(),
    })
}

fn to_line(row: allocation_line::Model) -> Result<Line, Error> {
    Ok(Line {
        region: stored(RegionCode::parse("allocation_line.region", &row.region))?,
        name_zh: row.name_zh,
        name_en: row.name_en,
        components: from_json("allocation_line.components", &row.components)?,
        bounds_adjustment: money("allocation_line.bounds_adjustment_fen", row.bounds_adjustment_fen)?,
        placement: row.placement,
        residual_units: row.residual_units,
        amount: money("allocation_line.amount_fen", row.amount_fen)?,
        advanced: money("allocation_line.advanced_fen", row.advanced_fen)?,
    })
}
