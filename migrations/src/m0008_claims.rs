//! Claims, what is subsidised once only, and objections.
//!
//! Rows are written many at a time, as arrays: no column is ever null, an absent text is empty, an absent
//! number 0. Personal data is in `sealed` columns only.

use crate::by_key::by_key;
use crate::columns::{fen, key, number, primary_key, text, time};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let claim = Table::create()
            .table("claim")
            .col(key(manager, "fund"))
            .col(number("number"))
            .col(key(manager, "region"))
            .col(key(manager, "programme"))
            .col(text("policy"))
            .col(number("policy_revision"))
            .col(number("law_revision"))
            .col(key(manager, "state"))
            .col(number("version"))
            .col(fen("amount_fen"))
            .col(text("parts"))
            .col(text("notice"))
            .col(text("submitted_by"))
            .col(time("submitted_at"))
            .col(text("decided_by"))
            .col(time("decided_at"))
            .col(number("waiting"))
            .col(number("batch"))
            .col(text("masked_name"))
            .col(text("masked_id"))
            // Facts and documents as handed in: the assessment is computed again from them.
            .col(text("facts"))
            .col(text("documents"))
            .col(text("sealed"))
            .col(key(manager, "sealing_key"))
            .col(text("keys"))
            .primary_key(&mut primary_key(["fund", "number"]))
            .take();
        manager.create_table(claim).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            // A decision is written beside the row that it replaces, in the same page, as long as no index has a
            // column that it changes: then no index is written either, and the log gets the difference only.
            let half = "ALTER TABLE claim SET (fillfactor = 50)";
            manager.get_connection().execute_unprepared(half).await?;
        }
        // What is in a batch; and what is in none (batch 0): what may be paid is among it. The state is in no index,
        // so that a decision changes none.
        let by_batch = Index::create()
            .name("claim_batch")
            .table("claim")
            .col("fund")
            .col("programme")
            .col("batch")
            .col("number")
            .take();
        manager.create_index(by_batch).await?;

        let waiting = Index::create()
            .name("claim_waiting")
            .table("claim")
            .col("fund")
            .col("region")
            .col("programme")
            .col("waiting")
            .and_where(Expr::col("waiting").gt(0))
            .take();
        manager.create_index(waiting).await?;

        // A household or a home is subsidised once: the primary key says so, not a check in code.
        let once = Table::create()
            .table("claim_key")
            .col(key(manager, "programme"))
            .col(key(manager, "kind"))
            .col(key(manager, "hash"))
            .col(key(manager, "lookup_key"))
            .col(key(manager, "fund"))
            .col(number("claim"))
            .primary_key(&mut primary_key(["programme", "kind", "hash"]))
            .take();
        by_key(manager, &once).await?;

        let objection = Table::create()
            .table("claim_objection")
            .col(key(manager, "fund"))
            .col(number("claim"))
            .col(number("number"))
            .col(text("state"))
            .col(text("sealed"))
            .col(key(manager, "sealing_key"))
            .col(text("raised_by"))
            .col(time("raised_at"))
            .col(text("resolved_by"))
            .col(time("resolved_at"))
            .col(text("resolution"))
            .primary_key(&mut primary_key(["fund", "claim", "number"]))
            .take();
        manager.create_table(objection).await
    }
}
