//! The catalogue: regions and indicators. Imports replace what they describe; nothing is deleted.

use crate::columns::{count, foreign_key, key, one_of, optional_key, optional_text, text};
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
            "province",
            "prefecture",
            "district",
            "county",
            "county_level_city",
            "functional_zone",
            "other",
        ];
        let region = Table::create()
            .table("region")
            .col(key(manager, "code").primary_key())
            .col(text("name_zh"))
            .col(text("name_en"))
            .col(one_of("kind", kinds))
            .col(optional_key(manager, "parent"))
            .col(text("note"))
            .foreign_key(&mut foreign_key("region", ["parent"], "region", ["code"]))
            .take();
        manager.create_table(region).await?;

        let indicator = Table::create()
            .table("indicator")
            .col(key(manager, "code").primary_key())
            .col(text("name_zh"))
            .col(text("name_en"))
            .col(text("unit"))
            .col(count("decimals", 0))
            .col(optional_text("minimum"))
            .col(optional_text("maximum"))
            .col(text("description"))
            .take();
        manager.create_table(indicator).await
    }
}
