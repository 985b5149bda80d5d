//! Who asked for a person to be erased from a claim, and who did it.

use crate::columns::{key, number, primary_key, text, time};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let erasure = Table::create()
            .table("claim_erasure")
            .col(key(manager, "fund"))
            .col(number("claim"))
            .col(text("reason"))
            .col(text("requested_by"))
            .col(time("requested_at"))
            // Empty until somebody else has done it.
            .col(key(manager, "erased_by"))
            .col(time("erased_at"))
            .primary_key(&mut primary_key(["fund", "claim"]))
            .take();
        manager.create_table(erasure).await
    }
}
