//! Tables that are stored in the order of their primary key.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Creates a table whose rows SQLite keeps in the order of the primary key, with no other number for them: a row that
/// is inserted goes into one tree instead of two. For rows of some hundred bytes; longer ones would leave little
/// place for keys in a page.
pub(crate) async fn by_key(manager: &SchemaManager<'_>, table: &TableCreateStatement) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        return manager.create_table(table.clone()).await;
    }
    let statement = format!("{} WITHOUT ROWID", table.to_string(SqliteQueryBuilder));
    manager.get_connection().execute_unprepared(&statement).await?;
    Ok(())
}
