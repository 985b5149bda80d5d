//! Revisions of formulas, each immutable.

use crate::columns::{count, key, primary_key, text, time};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let formula = Table::create()
            .table("formula_revision")
            .col(key(manager, "id"))
            .col(count("revision", 1))
            .col(key(manager, "digest"))
            .col(text("document"))
            .col(text("created_by"))
            .col(time("created_at"))
            .primary_key(&mut primary_key(["id", "revision"]))
            .take();
        manager.create_table(formula).await?;

        // The same document is the same revision: importing it again finds the one there is.
        let once = Index::create()
            .name("formula_revision_id_digest")
            .table("formula_revision")
            .col("id")
            .col("digest")
            .unique()
            .take();
        manager.create_index(once).await
    }
}
