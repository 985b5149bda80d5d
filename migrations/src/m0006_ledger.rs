//! The ledger: funds, accounts with their balances, journal entries, and changes for those who watch.
//!
//! Rows of these tables are written many at a time, as arrays; none of their columns is ever null: an
//! absent text is empty, an absent number 0.

use crate::append_only;
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
        // The end of a fund's journal and its counters: who writes to a fund locks this row first.
        let fund = Table::create()
            .table("ledger_fund")
            .col(key(manager, "fund").primary_key())
            .col(number("ordinal").unique_key())
            .col(number("entries"))
            .col(text("digest"))
            .col(time("at"))
            .col(number("changes"))
            .col(number("claims"))
            .col(number("batches"))
            .take();
        manager.create_table(fund).await?;

        let account = Table::create()
            .table("ledger_account")
            .col(key(manager, "fund"))
            .col(key(manager, "account"))
            .col(key(manager, "payer"))
            .col(key(manager, "region"))
            .col(key(manager, "programme"))
            .col(key(manager, "bucket"))
            .col(fen("balance_fen"))
            .col(number("entry"))
            .primary_key(&mut primary_key(["fund", "account"]))
            .check(
                Expr::col("bucket")
                    .eq("source")
                    .or(Expr::col("balance_fen").gte(0)),
            )
            .take();
        by_key(manager, &account).await?;

        let entry = Table::create()
            .table("ledger_entry")
            .col(key(manager, "fund"))
            .col(number("number"))
            .col(time("at"))
            .col(text("made_by"))
            .col(text("event"))
            .col(key(manager, "from_account"))
            .col(key(manager, "to_account"))
            .col(fen("amount_fen").check(Expr::col("amount_fen").gt(0)))
            .col(fen("from_balance_fen"))
            .col(fen("to_balance_fen"))
            .col(key(manager, "subject"))
            .col(text("note"))
            .col(number("reverses"))
            .col(text("digest"))
            .primary_key(&mut primary_key(["fund", "number"]))
            .check(Expr::col("from_account").ne(Expr::col("to_account")))
            .take();
        by_key(manager, &entry).await?;
        let by_subject = Index::create()
            .name("ledger_entry_subject")
            .table("ledger_entry")
            .col("subject")
            .col("number")
            .take();
        manager.create_index(by_subject).await?;
        for side in ["from", "to"] {
            let columns = match manager.get_database_backend() {
                // Every posting enters both; comparing two texts at each step of the way costs three times as much as
                // comparing one number. `store::journal` asks by the same expression.
                DbBackend::Postgres => format!("hashtextextended(fund || '/' || {side}_account, 0), number"),
                _ => format!("fund, {side}_account, number"),
            };
            let statement = format!("CREATE INDEX ledger_entry_{side} ON ledger_entry ({columns})");
            manager.get_connection().execute_unprepared(&statement).await?;
        }

        // An entry is taken back once, whatever callers have read at the same moment.
        let reversed_once = Index::create()
            .name("ledger_entry_reverses")
            .table("ledger_entry")
            .col("fund")
            .col("reverses")
            .unique()
            .and_where(Expr::col("reverses").gt(0))
            .take();
        manager.create_index(reversed_once).await?;
        // What came back is shown by account; it is rare among all entries.
        let returned = Index::create()
            .name("ledger_entry_return")
            .table("ledger_entry")
            .col("fund")
            .col("from_account")
            .col("amount_fen")
            .and_where(Expr::col("event").eq("return"))
            .take();
        manager.create_index(returned).await?;

        // The history of everything in a fund, in the order of its commits: what a watcher is sent.
        let change = Table::create()
            .table("ledger_change")
            .col(key(manager, "fund"))
            .col(number("number"))
            .col(time("at"))
            .col(text("made_by"))
            .col(text("kind"))
            .col(key(manager, "resource"))
            .col(text("state"))
            .col(fen("amount_fen"))
            .col(text("note"))
            .primary_key(&mut primary_key(["fund", "number"]))
            .take();
        by_key(manager, &change).await?;
        let by_resource = Index::create()
            .name("ledger_change_resource")
            .table("ledger_change")
            .col("fund")
            .col("resource")
            .col("number")
            .take();
        manager.create_index(by_resource).await?;

        // Entries and changes are never changed or deleted; the database refuses it, too.
        for table in ["ledger_entry", "ledger_change"] {
            for statement in append_only::triggers(manager.get_database_backend(), table) {
                manager.get_connection().execute_unprepared(&statement).await?;
            }
        }
        Ok(())
    }
}
