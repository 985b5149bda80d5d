//! What the database's failures mean to the use cases.

use super::options::bad_url;
use crate::domain::error::{Error, Violation};
use sea_orm::sqlx::error::ErrorKind;
use sea_orm::{DbErr, RuntimeErr, SqlxError, SqlxSqliteError};

/// Sorts a failure: a conflict that a new attempt may get past, a database out of reach, or a defect.
pub(super) fn failed(error: DbErr) -> Error {
    let detail = error.to_string();
    match nature(&error) {
        Nature::Conflict => Error::Conflict { detail },
        Nature::OutOfReach => Error::Unavailable { detail },
        Nature::NotText => Violation::new(
            "text",
            "a character U+0000",
            "texts without the character U+0000",
            "不含 U+0000 字符的文本",
        )
        .into(),
        Nature::Defect => Error::Internal { detail },
    }
}

/// As [`failed`], while connecting: there a connection string may be at fault.
pub(super) fn not_connected(error: DbErr) -> Error {
    match &error {
        DbErr::Conn(RuntimeErr::Internal(_)) => bad_url(),
        DbErr::Conn(RuntimeErr::SqlxError(cause)) if matches!(**cause, SqlxError::Configuration(_)) => {
            bad_url()
        }
        DbErr::Conn(_) => Error::Unavailable {
            detail: error.to_string(),
        },
        _ => failed(error),
    }
}

/// Whether a step of the schema failed since what it creates is there, or is being created by another server.
pub(super) fn exists_already(error: &DbErr) -> bool {
    let Some(SqlxError::Database(cause)) = cause(error) else {
        return false;
    };
    if cause.try_downcast_ref::<SqlxSqliteError>().is_some() {
        // SQLite has no code of its own for this.
        return cause.message().ends_with("already exists");
    }
    // duplicate_table, duplicate_object
    matches!(cause.code().as_deref(), Some("42P07" | "42710"))
}

enum Nature {
    Conflict,
    OutOfReach,
    /// PostgreSQL keeps no text with U+0000 in it, and compares with none.
    NotText,
    Defect,
}

fn nature(error: &DbErr) -> Nature {
    if matches!(error, DbErr::ConnectionAcquire(_)) {
        return Nature::OutOfReach;
    }
    let Some(cause) = cause(error) else {
        return Nature::Defect;
    };
    match cause {
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::Protocol(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed => Nature::OutOfReach,
        SqlxError::Database(cause) => {
            // Two that insert the same key at once; a use case looks before it inserts, so on the next
            // attempt it sees the other's row.
            if cause.kind() == ErrorKind::UniqueViolation {
                return Nature::Conflict;
            }
            let code = cause.code().unwrap_or_default();
            if cause.try_downcast_ref::<SqlxSqliteError>().is_some() {
                sqlite(&code)
            } else {
                postgres(&code)
            }
        }
        _ => Nature::Defect,
    }
}

fn cause(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause))
        | DbErr::Conn(RuntimeErr::SqlxError(cause)) => Some(cause),
        _ => None,
    }
}

/// By result code, of which the lowest byte is the kind: <https://sqlite.org/rescode.html>.
fn sqlite(code: &str) -> Nature {
    let kind = code.parse::<u32>().map_or(0, |code| code & 0xff);
    match kind {
        // BUSY, LOCKED
        5 | 6 => Nature::Conflict,
        // READONLY, IOERR, FULL, CANTOPEN
        8 | 10 | 13 | 14 => Nature::OutOfReach,
        _ => Nature::Defect,
    }
}

/// By SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres(code: &str) -> Nature {
    match code {
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => Nature::Conflict,
        // query_canceled, and what a server says that has become a standby by fail-over:
        // read_only_sql_transaction, feature_not_supported (for serializable transactions)
        "57014" | "25006" | "0A000" => Nature::OutOfReach,
        // character_not_in_repertoire
        "22021" => Nature::NotText,
        // connection exceptions, insufficient resources, shutting down or starting, system errors
        _ if ["08", "53", "57P", "58"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Nature::OutOfReach
        }
        _ => Nature::Defect,
    }
}
