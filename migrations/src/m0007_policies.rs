//! Revisions of programmes, of the deed-tax law and of subsidy policies, each immutable.

use crate::columns::{count, foreign_key, key, one_of, optional_key, primary_key, text, time};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // What policies build on: few documents, each with few revisions.
        let rule = Table::create()
            .table("rule_revision")
            .col(one_of("kind", ["programme", "deed_tax_law"]))
            .col(key(manager, "id"))
            .col(count("revision", 1))
            .col(key(manager, "digest"))
            .col(text("document"))
            .col(text("created_by"))
            .col(time("created_at"))
            .primary_key(&mut primary_key(["kind", "id", "revision"]))
            .take();
        manager.create_table(rule).await?;

        // The columns beside the document repeat what it says, for whoever looks in with SQL.
        // A later revision may say what an earlier one said: going back is a change, too.
        let policy = Table::create()
            .table("policy_revision")
            .col(key(manager, "id"))
            .col(count("revision", 1))
            .col(key(manager, "digest"))
            .col(key(manager, "region"))
            .col(key(manager, "programme"))
            .col(count("programme_revision", 1))
            .col(key(manager, "valid_from"))
            .col(optional_key(manager, "valid_to"))
            .col(text("document"))
            .col(text("created_by"))
            .col(time("created_at"))
            .primary_key(&mut primary_key(["id", "revision"]))
            .foreign_key(&mut foreign_key(
                "policy_revision",
                ["region"],
                "region",
                ["code"],
            ))
            .take();
        manager.create_table(policy).await
    }
}
