//! Tokens that the program issues, and the regions that batches and changes are of, so that queries can keep
//! to the regions that a caller may see.

use crate::columns::{key, text, time};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let token = Table::create()
            .table("access_token")
            // SHA-256 of the token, which itself is nowhere.
            .col(key(manager, "hash").primary_key().take())
            .col(key(manager, "id").unique_key().take())
            .col(text("subject"))
            .col(text("roles"))
            .col(text("regions"))
            .col(text("note"))
            .col(text("issued_by"))
            .col(time("issued_at"))
            .col(time("expires_at"))
            .col(text("revoked_by"))
            .col(time("revoked_at"))
            .take();
        manager.create_table(token).await?;
        // The region that a batch was collected for; empty where it may hold claims of any.
        // The region that a change is about; empty where it is about the fund, or from before this step.
        for table in ["payment_batch", "ledger_change"] {
            let region = key(manager, "region").default("").take();
            let change = Table::alter().table(table).add_column(region).take();
            manager.alter_table(change).await?;
        }
        Ok(())
    }
}
