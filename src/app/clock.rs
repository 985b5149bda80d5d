//! The clock: the one place that asks what time it is.

use crate::domain::allocation::Signature;
use crate::domain::error::{Error, Violation};
use crate::domain::identity::Principal;
use std::time::{SystemTime, UNIX_EPOCH};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, UtcOffset};

/// Microseconds since 1970-01-01 UTC.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| i64::try_from(passed.as_micros()).unwrap_or(i64::MAX))
}

/// The signature of a principal, now.
pub fn sign(principal: &Principal) -> Signature {
    Signature {
        by: principal.clone(),
        at: now(),
    }
}

/// Today in China, whose clocks are eight hours ahead of UTC all the year.
pub fn today() -> Result<Date, Error> {
    let offset = UtcOffset::from_hms(8, 0, 0).map_err(Error::internal)?;
    let now =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(now()) * 1_000).map_err(Error::internal)?;
    Ok(now.to_offset(offset).date())
}

/// A time as RFC 3339 in UTC, with as many decimals of a second as it needs.
pub fn format(at: i64) -> Result<String, Error> {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000).map_err(Error::internal)?;
    time.format(&Rfc3339).map_err(Error::internal)
}

/// Reads RFC 3339.
pub fn parse(field: &str, text: &str) -> Result<i64, Violation> {
    let refused = || {
        Violation::new(
            field,
            text,
            "an RFC 3339 time, such as 2026-03-01T00:00:00+08:00",
            "RFC 3339 时间,如 2026-03-01T00:00:00+08:00",
        )
    };
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| refused())?;
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000)).map_err(|_| refused())
}
