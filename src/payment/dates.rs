//! Days as ISO 20022 messages write them.

use crate::domain::error::Violation;
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

const CHINA_HOURS: i8 = 8;

/// The day of an `ISODate` or `ISODateTime`, in China where the time says its zone.
pub(crate) fn day(field: impl Into<String>, text: &str) -> Result<Date, Violation> {
    moment(text)
        .map(|(day, _)| day)
        .ok_or_else(|| refused(field.into(), text))
}

/// The last day of a period that ends at a time: midnight belongs to the day before.
pub(crate) fn last_day(field: impl Into<String>, text: &str) -> Result<Date, Violation> {
    match moment(text) {
        Some((day, Some(time))) if time == Time::MIDNIGHT => Ok(day.previous_day().unwrap_or(day)),
        Some((day, _)) => Ok(day),
        None => Err(refused(field.into(), text)),
    }
}

/// A day, and the time where the text has one.
fn moment(text: &str) -> Option<(Date, Option<Time>)> {
    if text.contains('T') {
        let zone = UtcOffset::from_hms(CHINA_HOURS, 0, 0).ok()?;
        let (date, time) = match OffsetDateTime::parse(text, &Rfc3339) {
            Ok(time) => time
                .checked_to_offset(zone)
                .map(|time| (time.date(), time.time()))?,
            Err(_) => {
                let local = PrimitiveDateTime::parse(text, &Iso8601::PARSING).ok()?;
                (local.date(), local.time())
            }
        };
        return Some((date, Some(time)));
    }
    let plain = text.get(..10).filter(|_| matches!(text.len(), 10 | 11 | 16))?;
    Some((Date::parse(plain, &Iso8601::DATE).ok()?, None))
}

fn refused(field: String, text: &str) -> Violation {
    Violation::new(
        field,
        text,
        "a date or time of ISO 8601, such as 2025-06-13",
        "ISO 8601 日期或时间,如 2025-06-13",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_that_of_china() {
        for (text, first, last) in [
            ("2025-06-13", "2025-06-13", "2025-06-13"),
            ("2025-06-13+08:00", "2025-06-13", "2025-06-13"),
            ("2025-06-13T15:59:59Z", "2025-06-13", "2025-06-13"),
            ("2025-06-13T16:00:00Z", "2025-06-14", "2025-06-13"),
            ("2025-06-13T23:59:59.999+08:00", "2025-06-13", "2025-06-13"),
            ("2025-06-14T00:00:00", "2025-06-14", "2025-06-13"),
        ] {
            assert_eq!(day("f", text).unwrap().to_string(), first, "{text}");
            assert_eq!(last_day("f", text).unwrap().to_string(), last, "{text}");
        }
        for text in [
            "",
            "13.06.2025",
            "2025-02-30",
            "20250613",
            "+999999-12-31T23:59:59Z",
            "9999-12-31T23:59:59-23:00",
        ] {
            assert_eq!(day("f", text).unwrap_err().field, "f", "{text}");
        }
    }
}
