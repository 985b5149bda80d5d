//! Money: a whole number of fen, and the units that amounts are rounded to.

use super::error::Violation;
use std::fmt;
use std::iter::Sum;

/// An exact amount of money in renminbi: a whole number of fen, between -10^15 and 10^15 yuan.
///
/// Written in yuan with exactly two decimals, such as `1234.50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Money(i64);

/// Fen in a yuan.
pub const FEN_PER_YUAN: i64 = 100;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The most that one amount may be: 10^15 yuan, a thousand times China's yearly transfers to local governments.
    pub const MAX: Self = Self(100_000_000_000_000_000);

    /// An amount from whole fen; `None` beyond the limits.
    pub const fn from_fen(fen: i64) -> Option<Self> {
        if fen > Self::MAX.0 || fen < -Self::MAX.0 {
            None
        } else {
            Some(Self(fen))
        }
    }

    /// The whole fen.
    pub const fn fen(self) -> i64 {
        self.0
    }

    /// Reads yuan with at most two decimals: `-?[0-9]+(\.[0-9]{1,2})?`.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let refused = || {
            Violation::new(
                field,
                text,
                "an amount in yuan with at most two decimals, such as 1234.50, no larger than 10^15",
                "以元为单位、至多两位小数的金额,如 1234.50,绝对值不超过 10^15",
            )
        };
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (yuan, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(yuan) || !plain(decimals) || decimals.len() > 2 {
            return Err(refused());
        }
        let yuan: i64 = yuan.parse().map_err(|_| refused())?;
        let cents: i64 = decimals.parse().map_err(|_| refused())?;
        let cents = if decimals.len() == 1 { 10 * cents } else { cents };
        let fen = yuan
            .checked_mul(FEN_PER_YUAN)
            .and_then(|fen| fen.checked_add(cents))
            .ok_or_else(refused)?;
        Self::from_fen(if negative { -fen } else { fen }).ok_or_else(refused)
    }

    /// The sum; `None` beyond the limits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::from_fen)
    }

    /// The difference; `None` beyond the limits.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).and_then(Self::from_fen)
    }

    /// Whether the amount is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The amount with thousands separators, as tables show it: `1,234.50`.
    pub fn grouped(self) -> String {
        let plain = self.to_string();
        let (sign, digits) = plain
            .strip_prefix('-')
            .map_or(("", plain.as_str()), |rest| ("-", rest));
        let (yuan, cents) = digits.split_once('.').unwrap_or((digits, "00"));
        let mut grouped = String::with_capacity(plain.len() + yuan.len() / 3);
        for (position, digit) in yuan.chars().enumerate() {
            if position > 0 && (yuan.len() - position) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        format!("{sign}{grouped}.{cents}")
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let fen = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", fen / 100, fen % 100)
    }
}

/// The exact sum of amounts that are parts of one pool, or differences of such parts: it cannot
/// leave the limits by more than the parts allow, so it saturates only where the books are broken already.
impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.fold(0_i64, |sum, amount| sum.saturating_add(amount.0)))
    }
}

impl serde::Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse("amount", &text).map_err(serde::de::Error::custom)
    }
}

/// The unit that a run's amounts are whole multiples of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundingUnit {
    /// 分, 0.01 yuan.
    #[default]
    Fen,
    /// 角, 0.1 yuan.
    Jiao,
    /// 元.
    Yuan,
    /// 百元.
    HundredYuan,
    /// 千元.
    ThousandYuan,
    /// 万元.
    TenThousandYuan,
}

impl RoundingUnit {
    /// All units, smallest first.
    pub const ALL: [Self; 6] = [
        Self::Fen,
        Self::Jiao,
        Self::Yuan,
        Self::HundredYuan,
        Self::ThousandYuan,
        Self::TenThousandYuan,
    ];

    /// How many fen one unit is.
    pub const fn fen(self) -> i64 {
        match self {
            Self::Fen => 1,
            Self::Jiao => 10,
            Self::Yuan => 100,
            Self::HundredYuan => 10_000,
            Self::ThousandYuan => 100_000,
            Self::TenThousandYuan => 1_000_000,
        }
    }

    /// The code used in documents and in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fen => "fen",
            Self::Jiao => "jiao",
            Self::Yuan => "yuan",
            Self::HundredYuan => "hundred_yuan",
            Self::ThousandYuan => "thousand_yuan",
            Self::TenThousandYuan => "ten_thousand_yuan",
        }
    }

    /// The Chinese name.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Fen => "分",
            Self::Jiao => "角",
            Self::Yuan => "元",
            Self::HundredYuan => "百元",
            Self::ThousandYuan => "千元",
            Self::TenThousandYuan => "万元",
        }
    }

    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        Self::ALL
            .into_iter()
            .find(|unit| unit.code() == text)
            .ok_or_else(|| {
                let codes = Self::ALL.map(Self::code).join(", ");
                Violation::new(
                    field,
                    text,
                    format!("one of {codes}"),
                    format!("下列之一:{codes}"),
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_same_amount() {
        for text in [
            "0.00",
            "0.01",
            "-0.01",
            "1234.50",
            "1000000000000000.00",
            "-1000000000000000.00",
        ] {
            assert_eq!(Money::parse("pool", text).unwrap().to_string(), text);
        }
        assert_eq!(Money::parse("pool", "7.5").unwrap().fen(), 750);
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for text in [
            "",
            "-",
            ".5",
            "1.",
            "1.234",
            "1e3",
            "1,000",
            "+1",
            "1000000000000000.01",
            "99999999999999999999",
        ] {
            let violation = Money::parse("pool", text).unwrap_err();
            assert_eq!(violation.field, "pool", "{text}");
        }
    }

    #[test]
    fn groups_thousands() {
        assert_eq!(
            Money::parse("pool", "-1234567.89").unwrap().grouped(),
            "-1,234,567.89"
        );
        assert_eq!(Money::parse("pool", "123").unwrap().grouped(), "123.00");
    }
}
