//! The fields of MT940.

use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::payment::AccountNumber;
use crate::domain::reconciliation::Direction;
use time::{Date, Month};

/// Longest reference of a message, in characters: `16x`, and what banks make of it.
const MAX_REFERENCE: usize = 35;
/// Longest amount: `15d`.
const MAX_AMOUNT: usize = 15;
const CURRENCY: &str = "CNY";
/// Two digits from here on are years of the last century.
const LAST_CENTURY: i32 = 80;

/// A balance: below zero where it is a debit.
pub(super) struct Balance {
    pub(super) date: Date,
    pub(super) amount: Money,
}

impl Balance {
    /// Reads `1!a6!n3!a15d`, such as `C250613CNY1234,50`.
    pub(super) fn parse(field: &str, content: &str) -> Result<Self, Violation> {
        let content = content.trim();
        let shape = || {
            Violation::new(
                field,
                "another form",
                "D or C, a day as YYMMDD, the currency, the amount with a comma, such as C250613CNY1234,50",
                "D 或 C、日期 YYMMDD、币种、带逗号的金额,如 C250613CNY1234,50",
            )
        };
        let (head, amount) = content.split_at_checked(10).ok_or_else(shape)?;
        let debit = match &head.as_bytes()[..1] {
            b"C" => false,
            b"D" => true,
            _ => return Err(shape()),
        };
        let (Some(day), Some(currency)) = (head.get(1..7), head.get(7..)) else {
            return Err(shape());
        };
        let date = day_of(field, day)?;
        if currency != CURRENCY {
            let plain = currency.bytes().all(|byte| byte.is_ascii_uppercase());
            let found = if plain { currency } else { "another text" };
            return Err(Violation::new(
                format!("{field} currency"),
                found,
                CURRENCY,
                "币种须为人民币 CNY",
            ));
        }
        let amount = amount_of(field, amount)?;
        Ok(Self {
            date,
            amount: if debit {
                Money::ZERO.checked_sub(amount).unwrap_or_default()
            } else {
                amount
            },
        })
    }
}

/// A line: `:61:`.
pub(super) struct Line {
    pub(super) valued: Date,
    pub(super) entered: Option<Date>,
    pub(super) direction: Direction,
    pub(super) reversal: bool,
    pub(super) amount: Money,
    pub(super) customer_reference: String,
    pub(super) bank_reference: String,
    pub(super) details: String,
}

impl Line {
    /// Reads `6!n[4!n]2a[1!a]15d1!a3!c16x[//16x]` and, on lines of their own, `[34x]`.
    pub(super) fn parse(field: &str, content: &str) -> Result<Self, Violation> {
        let shape = |part: &str| {
            Violation::new(
                field,
                format!("another {part}"),
                "a day YYMMDD, a day MMDD, C, D, RC or RD, the amount with a comma, the kind as N and three \
                 characters, references: 2506130613D1234,50NTRFREFERENCE//BANKREF",
                "日期 YYMMDD、日期 MMDD、C/D/RC/RD、带逗号的金额、N 加三位类型码、参考号,\
                 如 2506130613D1234,50NTRFREFERENCE//BANKREF",
            )
        };
        let (first, details) = content.split_once('\n').unwrap_or((content, ""));
        let (day, rest) = first.split_at_checked(6).ok_or_else(|| shape("day"))?;
        let valued = day_of(field, day)?;
        // Some banks fill an entry date that they do not give with spaces.
        let (entered, rest) = match rest.split_at_checked(4) {
            Some((entry, rest)) if entry.bytes().all(|byte| byte.is_ascii_digit()) => {
                (Some(entry_day(field, valued, entry)?), rest)
            }
            Some(("    ", rest)) => (None, rest),
            _ => (None, rest),
        };
        let marks = [
            ("RC", Direction::Debit, true),
            ("RD", Direction::Credit, true),
            ("C", Direction::Credit, false),
            ("D", Direction::Debit, false),
        ];
        let (rest, direction, reversal) = marks
            .into_iter()
            .find_map(|(mark, direction, reversal)| Some((rest.strip_prefix(mark)?, direction, reversal)))
            .ok_or_else(|| shape("mark"))?;
        // The funds code: the third letter of the currency.
        let rest = rest
            .strip_prefix(|c: char| c.is_ascii_uppercase())
            .unwrap_or(rest);
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, ',' | '.')))
            .unwrap_or(rest.len());
        let amount = amount_of(field, &rest[..end])?;
        let rest = &rest[end..];
        let kind = rest.get(..4).filter(|kind| {
            let mut bytes = kind.bytes();
            bytes.next().is_some_and(|first| first.is_ascii_uppercase())
                && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        });
        if kind.is_none() {
            return Err(shape("kind"));
        }
        let references = &rest[4..];
        let (customer, bank) = references.split_once("//").unwrap_or((references, ""));
        Ok(Self {
            valued,
            entered,
            direction,
            reversal,
            amount,
            customer_reference: customer.trim().to_owned(),
            bank_reference: bank.trim().to_owned(),
            details: details.to_owned(),
        })
    }
}

/// What `:86:` says of a line.
#[derive(Default)]
pub(super) struct Information {
    pub(super) name: String,
    pub(super) account: String,
    pub(super) text: String,
    /// Where references are looked for.
    pub(super) sought: String,
}

impl Information {
    /// Takes free text, or text with subfields `?20` to `?29` and `?60` to `?63` for the purpose, `?31` for the account
    /// and `?32`, `?33` for the name at the other end, behind a business code of three digits.
    pub(super) fn of(content: &str) -> Self {
        let content = content.trim();
        let coded = content
            .get(..3)
            .is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_digit()))
            && content.get(3..4) == Some("?");
        if !coded {
            return Self {
                text: content.replace('\n', " "),
                sought: content.to_owned(),
                ..Self::default()
            };
        }
        let mut information = Self::default();
        // Lines break anywhere, within a subfield's number too.
        let joined = content[4..].replace('\n', "");
        for subfield in joined.split('?') {
            let Some((number, text)) = subfield.split_at_checked(2) else {
                continue;
            };
            match number {
                "31" => information.account.push_str(text),
                "32" | "33" => information.name.push_str(text),
                "00" | "10" | "30" | "34" => {}
                _ => {
                    information.text.push_str(text);
                    // A reference may go on in the next subfield.
                    information.sought.push_str(text);
                    information.sought.push('\n');
                    continue;
                }
            }
        }
        information
    }
}

/// The account of `:25:`: digits, behind the code of the bank and a slash, before the currency.
pub(super) fn account(field: &str, content: &str) -> Result<AccountNumber, Violation> {
    let line = content.lines().next().unwrap_or_default().trim();
    let number = line.rsplit_once('/').map_or(line, |(_, number)| number).trim();
    let number = number.strip_suffix(CURRENCY).unwrap_or(number).trim();
    AccountNumber::parse(field, number)
}

/// The reference of a message.
pub(super) fn reference(field: &str, content: &str) -> Result<(), Violation> {
    let length = content.trim().chars().count();
    if (1..=MAX_REFERENCE).contains(&length) && !content.trim().contains(char::is_control) {
        return Ok(());
    }
    Err(Violation::new(
        field,
        format!("{length} characters"),
        format!("1 to {MAX_REFERENCE} characters on one line"),
        format!("单行,1 至 {MAX_REFERENCE} 个字符"),
    ))
}

/// The numbers of a statement and of its page.
pub(super) fn numbers(field: &str, content: &str) -> Result<(u64, Option<u64>), Violation> {
    let content = content.trim();
    let (number, page) = match content.split_once('/') {
        Some((number, page)) => (number, Some(page)),
        None => (content, None),
    };
    let parse = |text: &str| -> Option<u64> {
        let plain = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok())?
    };
    let page = match page {
        None => Some(None),
        Some(page) => parse(page).map(Some),
    };
    parse(number).zip(page).ok_or_else(|| {
        Violation::new(
            field,
            "another form",
            "the number of the statement and, behind a slash, of the page, such as 5/1",
            "对账单号及页码,如 5/1",
        )
    })
}

/// A day as `YYMMDD`: 00 to 79 are 2000 to 2079, 80 to 99 are 1980 to 1999.
fn day_of(field: &str, digits: &str) -> Result<Date, Violation> {
    let parsed = || {
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = |at: usize| digits[at..at + 2].parse::<u8>().ok();
        let year = i32::from(number(0)?);
        let century = if year < LAST_CENTURY { 2000 } else { 1900 };
        let month = Month::try_from(number(2)?).ok()?;
        Date::from_calendar_date(century + year, month, number(4)?).ok()
    };
    parsed().ok_or_else(|| refused_day(field, digits, "YYMMDD"))
}

/// The entry date `MMDD`: of the year that puts it nearest to the value date.
fn entry_day(field: &str, valued: Date, digits: &str) -> Result<Date, Violation> {
    let month = digits[..2]
        .parse::<u8>()
        .ok()
        .and_then(|month| Month::try_from(month).ok());
    let day = digits[2..].parse::<u8>().ok();
    month
        .zip(day)
        .and_then(|(month, day)| {
            (valued.year() - 1..=valued.year() + 1)
                .filter_map(|year| Date::from_calendar_date(year, month, day).ok())
                .min_by_key(|entered| (*entered - valued).whole_days().abs())
        })
        .ok_or_else(|| refused_day(field, digits, "MMDD"))
}

fn refused_day(field: &str, digits: &str, form: &str) -> Violation {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    Violation::new(
        format!("{field} day"),
        if plain { digits } else { "another text" },
        format!("a day of the calendar as {form}"),
        format!("日期 {form}"),
    )
}

/// An amount as `15d`: at most two digits behind a comma that is always there.
fn amount_of(field: &str, text: &str) -> Result<Money, Violation> {
    let field = format!("{field} amount");
    let text = text.trim();
    let refused = || {
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'.'));
        Violation::new(
            &field,
            if plain { text } else { "another text" },
            "digits with a comma and at most two decimals, 15 characters in all, such as 1234,5",
            "数字加逗号、至多两位小数、共至多 15 个字符,如 1234,5",
        )
    };
    let (yuan, cents) = text.split_once(',').ok_or_else(refused)?;
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() > MAX_AMOUNT || yuan.is_empty() || !digits(yuan) || !digits(cents) || cents.len() > 2 {
        return Err(refused());
    }
    Money::parse(&field, &format!("{yuan}.{cents:0<2}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn reads_balances() {
        let balance = Balance::parse("f", "D250613CNY1234,5").unwrap();
        assert_eq!(
            (balance.date, balance.amount.fen()),
            (date!(2025 - 06 - 13), -123_450)
        );
        assert_eq!(Balance::parse("f", "C250613CNY0,").unwrap().amount, Money::ZERO);
        for (text, field) in [
            ("", "f"),
            ("C250613CNY", "f amount"),
            ("X250613CNY1,", "f"),
            ("C250631CNY1,", "f day"),
            ("C25x613CNY1,", "f day"),
            ("C250613EUR1,", "f currency"),
            ("C250613CNY1", "f amount"),
            ("C250613CNY1.00", "f amount"),
            ("C250613CNY1,000", "f amount"),
            ("C250613CNY,50", "f amount"),
            ("C250613CNY1234567890123,45", "f amount"),
            ("C250613CNY-1,00", "f amount"),
            ("C许昌许昌", "f day"),
        ] {
            assert_eq!(Balance::parse("f", text).err().unwrap().field, field, "{text}");
        }
    }

    #[test]
    fn a_year_of_two_digits_has_a_century() {
        for (text, day) in [
            ("000101", date!(2000 - 01 - 01)),
            ("791231", date!(2079 - 12 - 31)),
            ("800101", date!(1980 - 01 - 01)),
            ("991231", date!(1999 - 12 - 31)),
        ] {
            assert_eq!(day_of("f", text), Ok(day));
        }
        for (valued, entered, day) in [
            (date!(2025 - 01 - 02), "1231", date!(2024 - 12 - 31)),
            (date!(2024 - 12 - 31), "0102", date!(2025 - 01 - 02)),
            (date!(2025 - 06 - 13), "0613", date!(2025 - 06 - 13)),
            (date!(2025 - 03 - 01), "0229", date!(2024 - 02 - 29)),
        ] {
            assert_eq!(entry_day("f", valued, entered), Ok(day));
        }
        assert!(entry_day("f", date!(2025 - 06 - 13), "1301").is_err());
    }

    #[test]
    fn reads_lines() {
        let line = Line::parse("f", "2506130614RDY12,5NTRFRF24123C1//BANK1\nmore").unwrap();
        assert_eq!(
            (line.valued, line.entered),
            (date!(2025 - 06 - 13), Some(date!(2025 - 06 - 14)))
        );
        assert_eq!((line.direction, line.reversal), (Direction::Credit, true));
        assert_eq!(line.amount.fen(), 1250);
        assert_eq!(line.customer_reference, "RF24123C1");
        assert_eq!(
            (line.bank_reference.as_str(), line.details.as_str()),
            ("BANK1", "more")
        );
        let line = Line::parse("f", "250613    DD0,00NMSCNONREF//").unwrap();
        assert_eq!(
            (line.entered, line.direction, line.amount),
            (None, Direction::Debit, Money::ZERO)
        );
        let line = Line::parse("f", "250613RC1,S940X").unwrap();
        assert_eq!((line.direction, line.reversal), (Direction::Debit, true));
        for (text, found) in [
            ("25", "another day"),
            ("250613EC1,NTRFX", "another mark"),
            ("250613X1,NTRFX", "another mark"),
            ("250613D1,N", "another kind"),
            ("250613D1,nTRFX", "another kind"),
        ] {
            let violation = Line::parse("f", text).err().unwrap();
            assert_eq!(violation.found, found, "{text}");
        }
        assert_eq!(
            Line::parse("f", "250613D1,234NTRFX").err().unwrap().field,
            "f amount"
        );
    }

    #[test]
    fn reads_what_is_said_of_a_line() {
        let free = Information::of("购房补贴\nRF24123C1");
        assert_eq!(
            (free.text.as_str(), free.sought.as_str()),
            ("购房补贴 RF24123C1", "购房补贴\nRF24123C1")
        );
        let coded = Information::of(
            "020?00TRANSFER?10931?20SUBSIDY RF24?21123C1?30313491\n099996?316222021234567890\n123?32令狐?33试例?60END",
        );
        assert_eq!(
            (coded.name.as_str(), coded.account.as_str()),
            ("令狐试例", "6222021234567890123")
        );
        assert_eq!(coded.sought, "SUBSIDY RF24\n123C1\nEND\n");
        assert_eq!(Information::of("12?").text, "12?");
        assert_eq!(Information::of("").text, "");
    }

    #[test]
    fn reads_accounts_and_numbers() {
        for text in [
            "411024000000054321",
            "313491099996/411024000000054321",
            "4110 2400 0000 0543 21CNY",
        ] {
            assert_eq!(
                account("f", text).unwrap().as_str(),
                "411024000000054321",
                "{text}"
            );
        }
        assert!(account("f", "NL80SNSB0266365538").is_err());
        for (text, numbers_are) in [
            ("5/1", (5, Some(1))),
            ("00084/001", (84, Some(1))),
            ("7", (7, None)),
        ] {
            assert_eq!(numbers("f", text), Ok(numbers_are));
        }
        for text in ["", "/", "5/", "x", "1234567890123456789"] {
            assert!(numbers("f", text).is_err(), "{text}");
        }
    }
}
