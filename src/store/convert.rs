//! Between columns and the domain's types. What is stored was checked before; where it does not read
//! back, the data or the program is broken, and that is an internal error.

use crate::domain::allocation::Signature;
use crate::domain::error::{Error, Violation};
use crate::domain::identity::Principal;
use crate::domain::money::Money;
use rust_decimal::Decimal;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Rows in one INSERT: with at most 30 columns, below the 32,766 parameters of SQLite and the 65,535 of PostgreSQL.
pub(super) const ROWS_AT_ONCE: usize = 1000;

/// A value read by one of the domain's `parse` functions.
pub(super) fn stored<T>(read: Result<T, Violation>) -> Result<T, Error> {
    read.map_err(|violation| Error::internal(format!("stored data: {violation}")))
}

/// A count or revision.
pub(super) fn count(column: &str, value: i64) -> Result<u32, Error> {
    u32::try_from(value).map_err(|_| Error::internal(format!("stored data: {column} is {value}")))
}

/// An amount of money.
pub(super) fn money(column: &str, fen: i64) -> Result<Money, Error> {
    Money::from_fen(fen).ok_or_else(|| Error::internal(format!("stored data: {column} is {fen}")))
}

/// An exact number as text: the same number has one text only.
pub(super) fn decimal_text(value: Decimal) -> String {
    value.normalize().to_string()
}

/// Reads [`decimal_text`].
pub(super) fn decimal(column: &str, text: &str) -> Result<Decimal, Error> {
    Decimal::from_str_exact(text)
        .map_err(|defect| Error::internal(format!("stored data: {column} is {text}: {defect}")))
}

/// A document as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(Error::internal)
}

/// Reads [`json`].
pub(super) fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|defect| Error::internal(format!("stored data: {column}: {defect}")))
}

/// Who and when.
pub(super) fn signature(by: &str, at: i64) -> Result<Signature, Error> {
    Ok(Signature {
        by: stored(Principal::parse(by))?,
        at,
    })
}

/// How many rows to read: a limit as databases take it.
pub(super) fn rows(limit: u64) -> u64 {
    limit.min(i64::MAX.unsigned_abs())
}
