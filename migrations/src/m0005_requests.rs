//! Answers to mutating requests, so that a repeated request gets the same one.

use crate::by_key::by_key;
use crate::columns::{key, primary_key, text, time};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let request = Table::create()
            .table("request")
            .col(key(manager, "principal"))
            .col(key(manager, "request_id"))
            .col(text("method"))
            .col(text("body"))
            .col(text("response"))
            .col(time("answered_at"))
            .primary_key(&mut primary_key(["principal", "request_id"]))
            .take();
        by_key(manager, &request).await?;

        // Old answers are deleted by age.
        let by_age = Index::create()
            .name("request_answered")
            .table("request")
            .col("answered_at")
            .take();
        manager.create_index(by_age).await
    }
}
