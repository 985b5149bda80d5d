//! The kinds of columns that tables are made of.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// The largest amount, in fen: 10^15 yuan.
const MAX_FEN: i64 = 100_000_000_000_000_000;

/// Text that rows are found and ordered by. It compares byte by byte, as SQLite and Rust do anyway:
/// a language's order on one database would let a page of results begin elsewhere than on the other.
pub(crate) fn key(manager: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    optional_key(manager, name).not_null().take()
}

/// A [`key`] that may be absent.
pub(crate) fn optional_key(manager: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.text();
    if manager.get_database_backend() == DbBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column
}

/// Text for people, or a code or document that is read but never searched.
pub(crate) fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().take()
}

/// A [`text`] that may be absent.
pub(crate) fn optional_text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().take()
}

/// One of these codes.
pub(crate) fn one_of<const N: usize>(name: &'static str, codes: [&'static str; N]) -> ColumnDef {
    text(name).check(Expr::col(name).is_in(codes)).take()
}

/// A whole number from `least` to 2^32 - 1.
pub(crate) fn count(name: &'static str, least: i64) -> ColumnDef {
    optional_count(name, least).not_null().take()
}

/// A [`count`] that may be absent.
pub(crate) fn optional_count(name: &'static str, least: i64) -> ColumnDef {
    ColumnDef::new(name)
        .big_integer()
        .check(Expr::col(name).between(least, i64::from(u32::MAX)))
        .take()
}

/// A calendar year.
pub(crate) fn year(name: &'static str) -> ColumnDef {
    ColumnDef::new(name)
        .integer()
        .not_null()
        .check(Expr::col(name).between(1900, 2200))
        .take()
}

/// Money in whole fen.
pub(crate) fn fen(name: &'static str) -> ColumnDef {
    ColumnDef::new(name)
        .big_integer()
        .not_null()
        .check(Expr::col(name).between(-MAX_FEN, MAX_FEN))
        .take()
}

/// A moment: microseconds since 1970-01-01 UTC.
pub(crate) fn time(name: &'static str) -> ColumnDef {
    optional_time(name).not_null().take()
}

/// A [`time`] that may be absent.
pub(crate) fn optional_time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().take()
}

/// A primary key over these columns.
pub(crate) fn primary_key<const N: usize>(columns: [&'static str; N]) -> IndexCreateStatement {
    let mut index = Index::create();
    for column in columns {
        index.col(column);
    }
    index
}

/// A foreign key: `columns` of `table` name a row of `other` by its `keys`.
pub(crate) fn foreign_key<const N: usize>(
    table: &'static str,
    columns: [&'static str; N],
    other: &'static str,
    keys: [&'static str; N],
) -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.from_tbl(table).to_tbl(other);
    for (column, other) in columns.into_iter().zip(keys) {
        key.from_col(column).to_col(other);
    }
    key
}

/// A number that counts from 1, or 0 for none: in tables whose rows are written as arrays, without nulls.
pub(crate) fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name)
        .big_integer()
        .not_null()
        .check(Expr::col(name).gte(0))
        .take()
}
