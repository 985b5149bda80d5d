//! Who acts, and who is acted for: the principal of a request, resident identity numbers, and how
//! personal data is masked wherever it is shown.

use super::error::Violation;
use super::statistics::half_width;
use std::fmt;
use time::{Date, Month};

/// The person or system that makes a request, as the caller's system names it.
///
/// 1 to 128 characters, no control characters, no space at either end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Principal(String);

/// Longest name of a principal, in characters.
const MAX_CHARS: usize = 128;

impl Principal {
    /// Reads a principal.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let chars = text.chars().count();
        if chars == 0 || chars > MAX_CHARS || text.trim() != text || text.chars().any(char::is_control) {
            return Err(Violation::new(
                "principal",
                text,
                format!("1 to {MAX_CHARS} characters, no control characters, no space at either end"),
                format!("1 至 {MAX_CHARS} 个字符,不含控制字符,首尾无空格"),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A resident identity number (公民身份号码) of 18 characters, as GB 11643-1999 builds it: six digits of
/// the division where it was given, eight of the date of birth, three of sequence, and a check
/// character (ISO/IEC 7064, MOD 11-2).
///
/// What is printed of it is always masked: `4110************12`. The first four digits (province and
/// prefecture) and the last two stay, enough for two people to see that they speak of the same card; the
/// county, the whole date of birth and the sequence are hidden. There is no serialisation: whoever
/// encrypts or hashes the number asks for it by [`ResidentId::expose`], which is easy to search for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResidentId(String);

/// Weights of the first 17 digits: 2^(17 - position) modulo 11.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// Check characters by the weighted sum modulo 11.
const CHECKS: [u8; 11] = *b"10X98765432";

/// First two digits of the provinces (GB/T 2260), of the residence permits of Hong Kong, Macao and Taiwan
/// residents (81 to 83), and 91.
const PROVINCES: [u8; 36] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54,
    61, 62, 63, 64, 65, 71, 81, 82, 83, 91,
];

/// First year of birth that is believed.
const FIRST_BIRTH_YEAR: i32 = 1900;

impl ResidentId {
    /// Reads a number; full-width digits and a small `x` are read as what they stand for.
    ///
    /// The error says what is wrong, and never repeats the number.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let refused = |found: &str| {
            Violation::new(
                field,
                found,
                "a resident identity number of 18 characters with a valid date of birth and check character \
                 (GB 11643-1999)",
                "18 位公民身份号码,出生日期与校验码须正确(GB 11643-1999)",
            )
        };
        let number = half_width(text.trim()).to_ascii_uppercase();
        let Some((digits, [check])) = number.as_bytes().split_at_checked(17) else {
            return Err(refused(&format!(
                "{} characters / {0} 个字符",
                number.chars().count()
            )));
        };
        if !digits.iter().all(u8::is_ascii_digit) || !(check.is_ascii_digit() || *check == b'X') {
            return Err(refused("other characters than digits / 含数字以外的字符"));
        }
        let province = (digits[0] - b'0') * 10 + (digits[1] - b'0');
        if !PROVINCES.contains(&province) {
            return Err(refused("no such division / 地区码不存在"));
        }
        let read = |from: usize, to: usize| {
            digits[from..to]
                .iter()
                .fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0'))
        };
        let year = i32::from(read(6, 10));
        let born = u8::try_from(read(10, 12))
            .ok()
            .and_then(|month| Month::try_from(month).ok())
            .zip(u8::try_from(read(12, 14)).ok())
            .and_then(|(month, day)| Date::from_calendar_date(year, month, day).ok());
        if born.is_none() || year < FIRST_BIRTH_YEAR {
            return Err(refused("no valid date of birth / 出生日期无效"));
        }
        if check_character(digits) != *check {
            return Err(refused("a wrong check character / 校验码不符"));
        }
        Ok(Self(number))
    }

    /// The number itself: for encrypting, for the keyed hash, and for the bank's file; for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The number as it may be shown.
    pub fn masked(&self) -> String {
        format!("{}************{}", &self.0[..4], &self.0[16..])
    }
}

/// The check character of 17 digits.
fn check_character(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    CHECKS[(sum % 11) as usize]
}

impl fmt::Display for ResidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for ResidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResidentId({})", self.masked())
    }
}

/// A person's name as a public notice shows it: the first character, the others as `*` (`张*`, `欧**`).
///
/// A name of one character is hidden altogether.
pub fn mask_name(name: &str) -> String {
    let name = name.trim();
    let count = name.chars().count();
    if count < 2 {
        return "*".repeat(count);
    }
    name.chars()
        .take(1)
        .chain(std::iter::repeat_n('*', count - 1))
        .collect()
}

/// An account number as tables show it: the last four characters, and not even how many came before.
///
/// Fewer than eight characters are hidden altogether.
pub fn mask_account(account: &str) -> String {
    let plain: Vec<char> = account.chars().filter(|c| !c.is_whitespace()).collect();
    match plain.len() {
        0..8 => "****".to_owned(),
        count => format!("****{}", plain[count - 4..].iter().collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(text: &str) -> Result<ResidentId, Violation> {
        ResidentId::parse("id_number", text)
    }

    /// The example that the standard itself prints (GB 11643-1999, annex).
    #[test]
    fn reads_the_example_of_the_standard() {
        assert!(id("11010519491231002X").is_ok());
        assert!(
            id("440524188001010014").is_err(),
            "born in 1880: before the first year believed"
        );
        assert_eq!(id("11010519491231002x").unwrap().expose(), "11010519491231002X");
        assert_eq!(
            id(" １１０１０５１９４９１２３１００２Ｘ ").unwrap(),
            id("11010519491231002X").unwrap()
        );
    }

    #[test]
    fn shows_no_more_than_the_ends() {
        let number = id("11010519491231002X").unwrap();
        assert_eq!(number.to_string(), "1101************2X");
        assert_eq!(format!("{number:?}"), "ResidentId(1101************2X)");
        assert_eq!(mask_name("张三"), "张*");
        assert_eq!(mask_name("欧阳小明"), "欧***");
        assert_eq!(mask_name("张"), "*");
        assert_eq!(mask_name(""), "");
        assert_eq!(mask_account("6222 0217 1400 1234 567"), "****4567");
        assert_eq!(mask_account("1234567"), "****");
    }

    #[test]
    fn refuses_without_repeating_the_number() {
        for (text, found) in [
            ("", "0 characters"),
            ("130503670401001", "15 characters"),
            ("110105194912310021", "check"),
            ("11010519490231002X", "birth"),
            ("11010519491301002X", "birth"),
            ("01010519491231002X", "division"),
            ("1101051949123100X2", "digits"),
            ("张10105194912310021", "18 characters"),
        ] {
            let violation = id(text).unwrap_err();
            assert!(violation.found.contains(found), "{text}: {}", violation.found);
            assert!(text.is_empty() || !violation.to_string().contains(text));
        }
    }

    prop_compose! {
        fn numbers()(province in prop::sample::select(&PROVINCES[..]), place in 0_u32..10_000, day in 0_i64..40_000, sequence in 0_u32..1000) -> String {
            let born = Date::from_calendar_date(1910, Month::January, 1).unwrap() + time::Duration::days(day);
            let digits = format!(
                "{province}{place:04}{:04}{:02}{:02}{sequence:03}",
                born.year(), u8::from(born.month()), born.day()
            );
            let check = check_character(digits.as_bytes());
            format!("{digits}{}", char::from(check))
        }
    }

    proptest! {
        #[test]
        fn every_single_error_and_every_swap_of_neighbours_is_found(number in numbers()) {
            prop_assert!(id(&number).is_ok());
            let bytes = number.as_bytes();
            for at in 0..18 {
                for other in b"0123456789X" {
                    let mut wrong = bytes.to_vec();
                    wrong[at] = *other;
                    if wrong != bytes {
                        let wrong = String::from_utf8(wrong).unwrap();
                        prop_assert!(id(&wrong).is_err(), "{wrong} for {number}");
                    }
                }
                if at > 0 && bytes[at] != bytes[at - 1] {
                    let mut swapped = bytes.to_vec();
                    swapped.swap(at - 1, at);
                    let swapped = String::from_utf8(swapped).unwrap();
                    prop_assert!(id(&swapped).is_err(), "{swapped} for {number}");
                }
            }
        }
    }
}
