//! The audit log: chains of records, what waits to be chained, and signed checkpoints.
//!
//! Rows are written many at a time, as arrays: no column is ever null, an absent text is empty, an absent
//! number 0. No column holds personal data.

use crate::append_only;
use crate::by_key::by_key;
use crate::columns::{key, number, primary_key, text, time};
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
        let record = Table::create()
            .table("audit_record")
            .col(key(manager, "chain"))
            .col(number("number"))
            .col(time("at"))
            .col(text("made_by"))
            .col(text("peer"))
            .col(text("action"))
            .col(text("request_id"))
            .col(text("outcome"))
            .col(text("reason"))
            .col(text("resource"))
            .col(number("resources"))
            .col(text("before_digest"))
            .col(text("after_digest"))
            .col(number("first_change"))
            .col(number("last_change"))
            .col(text("changes_digest"))
            .col(text("digest"))
            .primary_key(&mut primary_key(["chain", "number"]))
            .take();
        by_key(manager, &record).await?;

        // Records of transactions that share no lock: stored with what they tell of, chained right after.
        let pending = Table::create()
            .table("audit_pending")
            .col(key(manager, "id").primary_key())
            .col(text("record"))
            .take();
        manager.create_table(pending).await?;

        // The end of the chain of what has no fund; a fund's row has that of its own.
        let head = Table::create()
            .table("audit_head")
            .col(key(manager, "chain").primary_key())
            .col(number("records"))
            .col(text("digest"))
            .take();
        manager.create_table(head).await?;
        let general = Query::insert()
            .into_table("audit_head")
            .columns(["chain", "records", "digest"])
            .values_panic(["general".into(), 0_i64.into(), "".into()])
            .take();
        manager.execute(general).await?;
        let [mut records, mut digest] = [number("audit_records"), text("audit_digest")];
        for column in [records.default(0), digest.default("")] {
            let change = Table::alter()
                .table("ledger_fund")
                .add_column(column.take())
                .take();
            manager.alter_table(change).await?;
        }

        let checkpoint = Table::create()
            .table("audit_checkpoint")
            .col(number("number").primary_key())
            .col(text("document"))
            .take();
        manager.create_table(checkpoint).await?;

        for table in ["audit_record", "audit_checkpoint"] {
            for statement in append_only::triggers(manager.get_database_backend(), table) {
                manager.get_connection().execute_unprepared(&statement).await?;
            }
            if manager.get_database_backend() == DbBackend::Postgres {
                let statement = format!(
                    "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} \
                     FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_append_only()"
                );
                manager.get_connection().execute_unprepared(&statement).await?;
            }
        }
        Ok(())
    }
}
