//! Kept simulations: what was asked, of which revisions, and the digest of what came out.
//!
//! No column is ever null: an absent text is empty.

use crate::columns::{fen, foreign_key, key, number, one_of, primary_key, text, time, year};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kinds = [
            "comparison",
            "sweep",
            "monte_carlo",
            "goal",
            "stability",
            "fairness",
        ];
        let simulation = Table::create()
            .table("simulation")
            .col(key(manager, "id"))
            .col(text("title"))
            .col(one_of("kind", kinds))
            .col(key(manager, "formula_id"))
            .col(number("formula_revision"))
            .col(text("formula_digest"))
            .col(key(manager, "data_set"))
            .col(number("data_revision"))
            .col(text("data_digest"))
            .col(fen("pool_fen"))
            .col(year("year"))
            .col(text("advance_percent"))
            .col(text("regions"))
            .col(text("question"))
            .col(text("input_digest"))
            .col(number("evaluations"))
            .col(text("result_digest"))
            .col(text("summary_zh"))
            .col(text("summary_en"))
            .col(text("created_by"))
            .col(time("created_at"))
            .primary_key(&mut primary_key(["id"]))
            .foreign_key(&mut foreign_key(
                "simulation",
                ["formula_id", "formula_revision"],
                "formula_revision",
                ["id", "revision"],
            ))
            .foreign_key(&mut foreign_key(
                "simulation",
                ["data_set", "data_revision"],
                "data_set_revision",
                ["data_set", "revision"],
            ))
            .take();
        manager.create_table(simulation).await?;
        let newest_first = Index::create()
            .name("simulation_created")
            .table("simulation")
            .col("created_at")
            .col("id")
            .take();
        manager.create_index(newest_first).await
    }
}
