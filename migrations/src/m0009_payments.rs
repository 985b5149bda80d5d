//! Payment batches and payments.
//!
//! Rows are written many at a time, as arrays: no column is ever null, an absent text is empty, an absent
//! number 0.

use crate::columns::{fen, key, number, primary_key, text, time};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let batch = Table::create()
            .table("payment_batch")
            .col(key(manager, "fund"))
            .col(number("number"))
            .col(key(manager, "programme"))
            .col(key(manager, "state"))
            .col(number("version"))
            .col(text("execution_date"))
            .col(number("lines"))
            .col(fen("amount_fen"))
            .col(text("created_by"))
            .col(time("created_at"))
            .col(text("frozen_by"))
            .col(time("frozen_at"))
            .col(text("released_by"))
            .col(time("released_at"))
            .col(text("closed_by"))
            .col(time("closed_at"))
            .col(text("note"))
            .primary_key(&mut primary_key(["fund", "number"]))
            .take();
        manager.create_table(batch).await?;

        let payment = Table::create()
            .table("payment")
            .col(key(manager, "fund"))
            .col(number("batch"))
            .col(number("line"))
            .col(number("claim"))
            .col(text("payer"))
            .col(number("attempt"))
            .col(key(manager, "reference"))
            .col(fen("amount_fen").check(Expr::col("amount_fen").gt(0)))
            .col(key(manager, "state"))
            .col(text("bank_reference"))
            .col(text("concluded_on"))
            .col(text("reason"))
            .col(text("concluded_by"))
            .col(time("concluded_at"))
            // Who was to be paid, as it was sent to the bank.
            .col(text("sealed"))
            .col(key(manager, "sealing_key"))
            .primary_key(&mut primary_key(["fund", "batch", "line"]))
            .take();
        manager.create_table(payment).await?;
        // One payment for a part of a claim and an attempt: nothing is paid twice.
        for (name, columns, unique) in [
            ("payment_reference", vec!["reference"], true),
            ("payment_part", vec!["fund", "claim", "payer", "attempt"], true),
            // Whether a batch has payments that the bank has not answered.
            ("payment_state", vec!["fund", "batch", "state"], false),
        ] {
            let mut index = Index::create();
            index.name(name).table("payment");
            if unique {
                index.unique();
            }
            for column in columns {
                index.col(column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
