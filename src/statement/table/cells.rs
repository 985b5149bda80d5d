//! Cells of a bank's table: amounts and days.

use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::statistics::half_width;
use std::borrow::Cow;
use time::{Date, Month};

/// How amounts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AmountFormat {
    thousands: Option<char>,
    decimal: char,
}

/// What stands in a cell for no amount.
const NOTHING: [&str; 4] = ["", "-", "--", "—"];
/// What may stand before an amount.
const SIGNS_OF_MONEY: [&str; 4] = ["¥", "￥", "CNY", "RMB"];

impl AmountFormat {
    pub(super) fn new(thousands: &str, decimal: &str) -> Result<Self, Violation> {
        let thousands_char = match thousands {
            "" => Some(None),
            "," | "." | "'" | " " => Some(thousands.chars().next()),
            _ => None,
        };
        let decimal_char = match decimal {
            "." | "," => decimal.chars().next(),
            _ => None,
        };
        match (thousands_char, decimal_char) {
            (Some(thousands), Some(decimal)) if thousands != Some(decimal) => Ok(Self { thousands, decimal }),
            _ => Err(Violation::new(
                "amounts.thousands, amounts.decimal",
                format!("{thousands:?}, {decimal:?}"),
                "a separator of thousands (\"\", \",\", \".\", \"'\", \" \") and another for decimals (\".\", \",\")",
                "千位分隔符(\"\"、\",\"、\".\"、\"'\"、\" \")和与之不同的小数点(\".\"、\",\")",
            )),
        }
    }

    /// Reads an amount; nothing for an empty cell. In brackets it is below zero.
    pub(super) fn read(
        self,
        field: impl Into<String> + Copy,
        text: &str,
    ) -> Result<Option<Money>, Violation> {
        let cell = if text.is_ascii() {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(half_width(text))
        };
        let mut rest = cell.trim();
        if NOTHING.contains(&rest) {
            return Ok(None);
        }
        let refused = || {
            let telling = text.trim().chars().count() <= 30
                && half_width(text)
                    .chars()
                    .all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+' | ' ' | '\''));
            let form = format!("1234{}50", self.decimal);
            Violation::new(
                field,
                if telling { text.trim() } else { "another text" },
                format!("an amount in yuan with at most two decimals, such as {form}"),
                format!("以元为单位、至多两位小数的金额,如 {form}"),
            )
        };
        let mut negative = false;
        if let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            (rest, negative) = (inner.trim(), true);
        }
        for sign in SIGNS_OF_MONEY {
            rest = rest.strip_prefix(sign).unwrap_or(rest).trim_start();
        }
        if let Some(inner) = rest.strip_prefix('-') {
            if negative {
                return Err(refused());
            }
            (rest, negative) = (inner, true);
        } else if let Some(inner) = rest.strip_prefix('+') {
            rest = inner;
        }
        for sign in SIGNS_OF_MONEY {
            rest = rest.strip_prefix(sign).unwrap_or(rest);
        }
        let (whole, cents) = rest.split_once(self.decimal).unwrap_or((rest, "0"));
        let whole = self.ungrouped(whole).ok_or_else(refused)?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(&whole) || !digits(cents) || cents.len() > 2 {
            return Err(refused());
        }
        let sign = if negative { "-" } else { "" };
        Money::parse("amount", &format!("{sign}{whole}.{cents}"))
            .map(Some)
            .map_err(|_| refused())
    }

    /// A whole number without separators, which stand where they belong.
    fn ungrouped(self, whole: &str) -> Option<Cow<'_, str>> {
        let separator = self.thousands.filter(|separator| whole.contains(*separator));
        let Some(separator) = separator else {
            return Some(Cow::Borrowed(whole));
        };
        let mut groups = whole.split(separator);
        let first = groups.next()?;
        let right = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
        right.then(|| Cow::Owned(whole.replace(separator, "")))
    }
}

/// A form of dates: `Y`, `M`, `D` for digits, `h`, `m`, `s` for those of a time, anything else for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DateFormat(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Four digits, or two of this century.
    Year(usize),
    /// One or two digits; two where another number follows.
    Month {
        exact: bool,
    },
    Day {
        exact: bool,
    },
    /// Digits of a time, left out.
    Time(usize),
    Literal(char),
}

impl DateFormat {
    /// Reads a form.
    pub(super) fn parse(field: &str, form: &str) -> Result<Self, Violation> {
        let refused = || {
            Violation::new(
                field,
                form,
                "a form such as YYYY-MM-DD, YYYYMMDD, YYYY年MM月DD日 or DD.MM.YYYY, with each of YYYY (or YY), MM and DD once",
                "日期格式,如 YYYY-MM-DD、YYYYMMDD、YYYY年MM月DD日、DD.MM.YYYY,年月日各一次",
            )
        };
        if form.chars().count() > 30 {
            return Err(refused());
        }
        let mut pieces = Vec::new();
        let mut rest = form.chars().peekable();
        while let Some(character) = rest.next() {
            if !matches!(character, 'Y' | 'M' | 'D' | 'h' | 'm' | 's') {
                pieces.push(Piece::Literal(character));
                continue;
            }
            let mut length = 1;
            while rest.next_if_eq(&character).is_some() {
                length += 1;
            }
            // Numbers without anything between them have all of their digits.
            let behind_number = matches!(pieces.last(), Some(piece) if !matches!(piece, Piece::Literal(_)));
            let exact = behind_number || rest.peek().is_some_and(|next| next.is_ascii_alphabetic());
            pieces.push(match (character, length) {
                ('Y', 2 | 4) => Piece::Year(length),
                ('M', 2) => Piece::Month { exact },
                ('D', 2) => Piece::Day { exact },
                ('h' | 'm' | 's', 2) => Piece::Time(length),
                _ => return Err(refused()),
            });
        }
        let count = |wanted: fn(&Piece) -> bool| pieces.iter().filter(|piece| wanted(piece)).count();
        let once = count(|piece| matches!(piece, Piece::Year(_))) == 1
            && count(|piece| matches!(piece, Piece::Month { .. })) == 1
            && count(|piece| matches!(piece, Piece::Day { .. })) == 1;
        if once { Ok(Self(pieces)) } else { Err(refused()) }
    }

    /// Reads a day; a time behind it is left out.
    pub(super) fn read(&self, text: &str) -> Option<Date> {
        let text = half_width(text);
        let mut rest = text.trim();
        let (mut year, mut month, mut day) = (0, 0, 0);
        for piece in &self.0 {
            match piece {
                Piece::Literal(wanted) => rest = rest.strip_prefix(*wanted)?,
                Piece::Year(length) => {
                    let (digits, behind) = digits(rest, *length, *length)?;
                    year = i32::try_from(digits).ok()? + if *length == 2 { 2000 } else { 0 };
                    rest = behind;
                }
                Piece::Month { exact } => {
                    (month, rest) = digits(rest, if *exact { 2 } else { 1 }, 2)?;
                }
                Piece::Day { exact } => (day, rest) = digits(rest, if *exact { 2 } else { 1 }, 2)?,
                Piece::Time(length) => (_, rest) = digits(rest, *length, *length)?,
            }
        }
        let is_time = rest.starts_with([' ', 'T'])
            && rest[1..]
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, ':' | '.' | ' '));
        if !rest.is_empty() && !is_time {
            return None;
        }
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()
    }
}

/// A number of as many digits as there are, within limits, and what is behind it.
fn digits(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if length < least {
        return None;
    }
    let (number, rest) = text.split_at(length);
    Some((number.parse().ok()?, rest))
}

/// A cell without what programs put around a text so that it stays one: a tab or an apostrophe before it, `="…"`.
pub(super) fn clean(cell: &str) -> &str {
    // Most are.
    let plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    if plain(cell.as_bytes().first()) && plain(cell.as_bytes().last()) {
        return cell;
    }
    let cell = cell.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let cell = cell
        .strip_prefix("=\"")
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(cell);
    cell.strip_prefix('\'').unwrap_or(cell).trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn reads_amounts() {
        let format = AmountFormat::new(",", ".").unwrap();
        for (text, fen) in [
            ("1234.50", 123_450),
            ("1,234,567.8", 123_456_780),
            ("-0.01", -1),
            ("+5", 500),
            ("(12.00)", -1_200),
            ("￥1,000.00", 100_000),
            ("-¥1", -100),
            ("CNY 7", 700),
            ("１２．５", 1_250),
            (" 0.00 ", 0),
        ] {
            assert_eq!(format.read("f", text).unwrap().unwrap().fen(), fen, "{text}");
        }
        for text in ["", " ", "-", "--", "—"] {
            assert_eq!(format.read("f", text).unwrap(), None, "{text}");
        }
        for (text, found) in [
            ("1.000", "1.000"),
            ("1,23.00", "1,23.00"),
            ("1234,567.00", "1234,567.00"),
            (",123", ",123"),
            ("1.", "1."),
            ("-(1)", "another text"),
            ("(-1)", "another text"),
            ("1e3", "another text"),
            ("令狐试例", "another text"),
            ("10000000000000000.00", "10000000000000000.00"),
        ] {
            assert_eq!(format.read("f", text).unwrap_err().found, found, "{text}");
        }
        let comma = AmountFormat::new(".", ",").unwrap();
        assert_eq!(comma.read("f", "1.234,5").unwrap().unwrap().fen(), 123_450);
        assert!(AmountFormat::new("", ".").unwrap().read("f", "1,234.00").is_err());
        for (thousands, decimal) in [(",", ","), ("x", "."), (",", "·")] {
            assert!(AmountFormat::new(thousands, decimal).is_err());
        }
    }

    #[test]
    fn reads_days() {
        let day = date!(2025 - 06 - 03);
        for (form, text) in [
            ("YYYY-MM-DD", "2025-06-03"),
            ("YYYY-MM-DD", "2025-6-3"),
            ("YYYY-MM-DD", " 2025-06-03 10:21:33 "),
            ("YYYY-MM-DD", "2025-06-03T10:21:33.123"),
            ("YYYY/MM/DD", "2025/6/3"),
            ("YYYYMMDD", "20250603"),
            ("YYYYMMDDhhmmss", "20250603102133"),
            ("YYYY年MM月DD日", "2025年6月3日"),
            ("YYMMDD", "250603"),
            ("DD.MM.YYYY", "03.06.2025"),
            ("MM/DD/YYYY", "06/03/2025"),
        ] {
            assert_eq!(
                DateFormat::parse("f", form).unwrap().read(text),
                Some(day),
                "{form} {text}"
            );
        }
        for (form, text) in [
            ("YYYY-MM-DD", ""),
            ("YYYY-MM-DD", "2025-06-31"),
            ("YYYY-MM-DD", "25-06-03"),
            ("YYYY-MM-DD", "2025-06-03x"),
            ("YYYYMMDD", "2025063"),
            ("YYYYMMDD", "202506031"),
            ("YYYY-MM-DD", "二〇二五"),
        ] {
            assert_eq!(
                DateFormat::parse("f", form).unwrap().read(text),
                None,
                "{form} {text}"
            );
        }
        for form in ["", "YYYY", "YYY-MM-DD", "YYYY-MM-DD-DD", "YYYY-M-D", "MM-DD"] {
            assert!(DateFormat::parse("f", form).is_err(), "{form}");
        }
    }

    #[test]
    fn takes_off_what_keeps_texts_texts() {
        for text in ["\t6222", "'6222", "=\"6222\"", " 6222\u{a0}", "6222"] {
            assert_eq!(clean(text), "6222", "{text}");
        }
    }
}
