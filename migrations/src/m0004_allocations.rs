//! Allocation runs and what each region gets of them.

use crate::columns::{
    count, fen, foreign_key, key, one_of, optional_count, optional_key, optional_text, optional_time,
    primary_key, text, time, year,
};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(allocation(manager)).await?;
        // Two callers who issue at the same moment must not both succeed, whatever they have read.
        let issued_once = Index::create()
            .name("allocation_issued_once")
            .table("allocation")
            .col("fund")
            .col("stage")
            .unique()
            .and_where(Expr::col("state").eq("issued"))
            .take();
        manager.create_index(issued_once).await?;
        let newest_first = Index::create()
            .name("allocation_created")
            .table("allocation")
            .col("created_at")
            .col("id")
            .take();
        manager.create_index(newest_first).await?;
        manager.create_table(line(manager)).await
    }
}

/// `formula_revision` and `data_revision` are absent where the formula or the data came with the
/// request and were not stored: a foreign key with an absent part refers to nothing.
fn allocation(manager: &SchemaManager<'_>) -> TableCreateStatement {
    let signed = |by, at| Expr::col(by).is_null().eq(Expr::col(at).is_null());
    Table::create()
        .table("allocation")
        .col(key(manager, "id").primary_key())
        .col(text("title"))
        .col(key(manager, "fund"))
        .col(one_of("stage", ["full", "advance", "settlement"]))
        .col(optional_text("advance_percent"))
        .col(optional_key(manager, "settles"))
        .col(fen("pool_fen"))
        .col(year("year"))
        .col(key(manager, "formula_id"))
        .col(optional_count("formula_revision", 1))
        .col(text("formula_digest"))
        .col(key(manager, "data_set"))
        .col(optional_count("data_revision", 1))
        .col(text("data_digest"))
        .col(text("regions"))
        .col(text("input_digest"))
        .col(one_of("state", ["draft", "approved", "issued", "superseded"]))
        .col(count("version", 0))
        .col(text("created_by"))
        .col(time("created_at"))
        .col(optional_text("approved_by"))
        .col(optional_time("approved_at"))
        .col(optional_text("issued_by"))
        .col(optional_time("issued_at"))
        .col(optional_text("superseded_by"))
        .col(optional_time("superseded_at"))
        .col(optional_key(manager, "replacement"))
        .col(text("outcome"))
        .check(
            Expr::col("stage")
                .eq("advance")
                .eq(Expr::col("advance_percent").is_not_null()),
        )
        .check(
            Expr::col("stage")
                .eq("settlement")
                .eq(Expr::col("settles").is_not_null()),
        )
        .check(signed("approved_by", "approved_at"))
        .check(signed("issued_by", "issued_at"))
        .check(signed("superseded_by", "superseded_at"))
        .foreign_key(&mut foreign_key("allocation", ["settles"], "allocation", ["id"]))
        .foreign_key(&mut foreign_key(
            "allocation",
            ["replacement"],
            "allocation",
            ["id"],
        ))
        .foreign_key(&mut foreign_key(
            "allocation",
            ["formula_id", "formula_revision"],
            "formula_revision",
            ["id", "revision"],
        ))
        .foreign_key(&mut foreign_key(
            "allocation",
            ["data_set", "data_revision"],
            "data_set_revision",
            ["data_set", "revision"],
        ))
        .take()
}

/// No foreign key to `region`: a run on data that came with the request may name regions of its own.
fn line(manager: &SchemaManager<'_>) -> TableCreateStatement {
    Table::create()
        .table("allocation_line")
        .col(key(manager, "allocation"))
        .col(key(manager, "region"))
        .col(text("name_zh"))
        .col(text("name_en"))
        .col(text("components"))
        .col(fen("bounds_adjustment_fen"))
        .col(one_of("placement", ["free", "floor", "cap"]))
        .col(ColumnDef::new("residual_units").big_integer().not_null())
        .col(fen("amount_fen"))
        .col(fen("advanced_fen"))
        .primary_key(&mut primary_key(["allocation", "region"]))
        .foreign_key(&mut foreign_key(
            "allocation_line",
            ["allocation"],
            "allocation",
            ["id"],
        ))
        .take()
}
