//! Data sets, their revisions, and the observations that each revision brought.

use crate::columns::{count, foreign_key, key, primary_key, text, time, year};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let data_set = Table::create()
            .table("data_set")
            .col(key(manager, "id").primary_key())
            .col(text("title"))
            .col(text("created_by"))
            .col(time("created_at"))
            .take();
        manager.create_table(data_set).await?;

        let revision = Table::create()
            .table("data_set_revision")
            .col(key(manager, "data_set"))
            .col(count("revision", 1))
            .col(text("digest"))
            .col(text("created_by"))
            .col(time("created_at"))
            .col(count("added", 0))
            .col(count("revised", 0))
            .col(count("unchanged", 0))
            .primary_key(&mut primary_key(["data_set", "revision"]))
            .foreign_key(&mut foreign_key(
                "data_set_revision",
                ["data_set"],
                "data_set",
                ["id"],
            ))
            .take();
        manager.create_table(revision).await?;

        // `revision` counts the values of one region, indicator and year; `data_revision` is the
        // revision of the data set that brought this one.
        let observation = Table::create()
            .table("observation")
            .col(key(manager, "data_set"))
            .col(key(manager, "region"))
            .col(key(manager, "indicator"))
            .col(year("year"))
            .col(count("revision", 1))
            .col(count("data_revision", 1))
            .col(text("value"))
            .col(text("source"))
            .primary_key(&mut primary_key([
                "data_set",
                "region",
                "indicator",
                "year",
                "revision",
            ]))
            .foreign_key(&mut foreign_key(
                "observation",
                ["data_set", "data_revision"],
                "data_set_revision",
                ["data_set", "revision"],
            ))
            .foreign_key(&mut foreign_key("observation", ["region"], "region", ["code"]))
            .foreign_key(&mut foreign_key(
                "observation",
                ["indicator"],
                "indicator",
                ["code"],
            ))
            .take();
        manager.create_table(observation).await
    }
}
