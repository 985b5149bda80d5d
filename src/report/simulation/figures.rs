//! Numbers as the report shows them, and places on axes. Everything is integers: a value is a whole number of
//! the smallest unit that matters (fen, say), and is rounded only where it becomes text or a coordinate.
//!
//! The minus is U+2212, which is as wide as the plus and which screen readers speak.

use super::Language;
use super::model::Measure;
use crate::domain::money::Money;
use crate::report::grouped;
use rust_decimal::Decimal;

/// Where there is no figure.
pub(super) const NONE: &str = "—";

/// An exact amount in yuan.
pub(super) fn money(amount: Money) -> String {
    minus(amount.grouped())
}

/// An exact change in yuan, with its sign.
pub(super) fn change(amount: Money) -> String {
    let plus = if amount.fen() > 0 { "+" } else { "" };
    format!("{plus}{}", money(amount))
}

/// An exact amount, or that there is none.
pub(super) fn money_or_none(amount: Option<Money>) -> String {
    amount.map_or_else(|| NONE.to_owned(), money)
}

/// A decimal as it is.
pub(super) fn decimal(value: Decimal) -> String {
    minus(grouped(&value.to_string()))
}

/// A decimal with so many places.
pub(super) fn decimal_to(value: Decimal, places: u32) -> String {
    let (mantissa, scale) = (value.mantissa(), value.scale());
    rounded(mantissa, scale, places.min(scale), false)
}

/// A change in percent, with its sign; above a million percent no figure is worth reading.
pub(super) fn percent_change(value: Option<Decimal>) -> String {
    let Some(value) = value else {
        return NONE.to_owned();
    };
    if value.abs() > Decimal::from(1_000_000) {
        let sign = if value.is_sign_negative() {
            "<\u{2212}"
        } else {
            ">+"
        };
        return format!("{sign}1,000,000%");
    }
    format!("{}%", rounded(value.mantissa(), value.scale(), 2, true))
}

/// A probability that is given in percent. `0` and `100` are said only of what is exactly so.
pub(super) fn probability(value: Option<Decimal>) -> String {
    let Some(value) = value else {
        return NONE.to_owned();
    };
    if value < Decimal::ONE_HUNDRED && value.round_dp(1) == Decimal::ONE_HUNDRED {
        return ">99.9%".to_owned();
    }
    format!("{}%", rounded(value.mantissa(), value.scale(), 1, false))
}

/// `value` / 10^`scale` rounded half away from zero, with thousands separators. What is not zero does not
/// become zero: it is said to be less than the last place.
pub(super) fn rounded(value: i128, scale: u32, places: u32, signed: bool) -> String {
    let dropped = power(scale.saturating_sub(places));
    let magnitude = value.unsigned_abs();
    let dropped_unsigned = dropped.unsigned_abs();
    let mut kept = magnitude / dropped_unsigned;
    if magnitude % dropped_unsigned >= dropped_unsigned - dropped_unsigned / 2 && dropped > 1 {
        kept += 1;
    }
    let below = kept == 0 && value != 0;
    if below {
        kept = 1;
    }
    let mut digits = kept.to_string();
    if places > scale {
        digits.push_str(&"0".repeat((places - scale) as usize));
    }
    let places = places as usize;
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let plain = if places == 0 {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    };
    let sign = match value.signum() {
        -1 => "\u{2212}",
        1 if signed => "+",
        _ => "",
    };
    let less = match (below, value < 0) {
        (false, _) => "",
        (true, false) => "<",
        (true, true) => ">",
    };
    format!("{less}{sign}{}", grouped(&plain))
}

fn minus(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) => format!("\u{2212}{rest}"),
        None => text,
    }
}

fn power(of_ten: u32) -> i128 {
    10_i128.checked_pow(of_ten).unwrap_or(i128::MAX)
}

/// What a chart's figures are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Yuan.
    Yuan,
    /// 万元.
    TenThousandYuan,
    /// 亿元.
    HundredMillionYuan,
    /// Percent; values are hundredths of one.
    Percent,
    /// No unit; values are thousandths.
    Plain,
}

impl Unit {
    /// The unit that suits amounts up to this one, in fen.
    pub(super) const fn suiting(most: i128) -> Self {
        match most.unsigned_abs() {
            0..=999_999 => Self::Yuan,
            1_000_000..=99_999_999_999 => Self::TenThousandYuan,
            _ => Self::HundredMillionYuan,
        }
    }

    /// How many decimals a whole number of the smallest unit is away from this one.
    pub(super) const fn scale(self) -> u32 {
        match self {
            Self::Yuan | Self::Percent => 2,
            Self::TenThousandYuan => 6,
            Self::HundredMillionYuan => 10,
            Self::Plain => 3,
        }
    }

    /// Its name.
    pub(super) const fn name(self, language: Language) -> &'static str {
        match self {
            Self::Yuan => language.say("yuan", "元"),
            Self::TenThousandYuan => language.say("10,000 yuan", "万元"),
            Self::HundredMillionYuan => language.say("100 million yuan", "亿元"),
            Self::Percent => "%",
            Self::Plain => "",
        }
    }
}

/// What a measure comes to as one whole number, for colours: fen, or a decimal to twelve places.
pub(super) fn weight(measure: Measure) -> Option<i128> {
    match measure {
        Measure::Money(amount) | Measure::Change(amount) => Some(i128::from(amount.fen())),
        Measure::Number(value) => {
            let value = value.round_dp(12);
            Some(
                value
                    .mantissa()
                    .saturating_mul(power(12_u32.saturating_sub(value.scale()))),
            )
        }
        Measure::Refused => None,
    }
}

/// A straight scale from values to places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    least: i128,
    most: i128,
    step: i128,
    from: i64,
    to: i64,
}

impl Scale {
    /// A scale that shows all values between places `from` and `to`, ending at ticks; the ticks are as many as
    /// there is room for, if each wants `room`.
    pub(super) fn new(values: impl IntoIterator<Item = i128>, (from, to): (i64, i64), room: i64) -> Self {
        let (mut least, mut most) = (i128::MAX, i128::MIN);
        for value in values {
            least = least.min(value);
            most = most.max(value);
        }
        if least > most {
            (least, most) = (0, 1);
        }
        if least == most {
            most += 1;
        }
        let ticks = i128::from(((to - from) / room.max(1)).clamp(1, 8));
        let step = step((most - least + ticks - 1) / ticks);
        Self {
            least: least.div_euclid(step) * step,
            most: -(-most).div_euclid(step) * step,
            step,
            from,
            to,
        }
    }

    /// Where a value is.
    pub(super) fn at(&self, value: i128) -> i64 {
        let length = i128::from(self.to - self.from);
        let span = self.most - self.least;
        let offset = (value.clamp(self.least, self.most) - self.least) * length;
        let offset = (offset + span / 2) / span;
        self.from + i64::try_from(offset).unwrap_or(0)
    }

    /// The values at which ticks stand.
    pub(super) fn ticks(&self) -> Vec<i128> {
        let count = (self.most - self.least) / self.step;
        (0..=count).map(|tick| self.least + tick * self.step).collect()
    }

    /// A tick's label, with just the decimals that the steps need.
    pub(super) fn label(&self, tick: i128, unit: Unit) -> String {
        let scale = unit.scale();
        let needed = (0..scale)
            .find(|places| self.step % power(scale - places) == 0)
            .unwrap_or(scale);
        rounded(tick, scale, needed, false)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below.
fn step(at_least: i128) -> i128 {
    let mut power = 1_i128;
    loop {
        for times in [1, 2, 5] {
            if power * times >= at_least {
                return power * times;
            }
        }
        power *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yuan(text: &str) -> Money {
        Money::parse("", text).unwrap()
    }

    #[test]
    fn figures_are_exact_or_rounded_once() {
        assert_eq!(money(yuan("-1234567.89")), "−1,234,567.89");
        assert_eq!(change(yuan("0.01")), "+0.01");
        assert_eq!(change(yuan("0")), "0.00");
        for (value, scale, places, text) in [
            (1_234_565_i128, 4, 2, "+123.46"),
            (1_234_575, 4, 2, "+123.46"),
            (-1_235_000, 6, 2, "−1.24"),
            (1_234_999, 6, 2, "+1.23"),
            (1, 6, 2, "<+0.01"),
            (-1, 6, 2, ">−0.01"),
            (0, 6, 2, "0.00"),
            (5, 0, 2, "+5.00"),
            (5_000, 6, 2, "+0.01"),
            (10_000_000, 2, 0, "+100,000"),
        ] {
            assert_eq!(
                rounded(value, scale, places, true),
                text,
                "{value} {scale} {places}"
            );
        }
        assert_eq!(percent_change(Some("-8".parse().unwrap())), "−8.00%");
        assert_eq!(
            percent_change(Some("12345678901".parse().unwrap())),
            ">+1,000,000%"
        );
        assert_eq!(percent_change(None), NONE);
        assert_eq!(probability(Some("99.99".parse().unwrap())), ">99.9%");
        assert_eq!(probability(Some("100".parse().unwrap())), "100.0%");
        assert_eq!(probability(Some("0.001".parse().unwrap())), "<0.1%");
        assert_eq!(decimal_to("0.123456".parse().unwrap(), 4), "0.1235");
        assert_eq!(decimal("-1200.50".parse().unwrap()), "−1,200.50");
    }

    #[test]
    fn scales_hold_all_values_at_round_steps() {
        let limit = i128::from(Money::MAX.fen());
        for (least, most) in [
            (0, 0),
            (0, 1),
            (-3, 7),
            (-limit, limit),
            (limit - 1, limit),
            (-limit, -limit),
        ] {
            let scale = Scale::new([least, most], (100, 3100), 600);
            assert!(scale.at(least) >= 100 && scale.at(most) <= 3100);
            assert!(scale.at(least) <= scale.at(most));
            let ticks = scale.ticks();
            assert!(ticks.len() >= 2 && ticks.len() <= 8, "{ticks:?}");
            assert!(ticks[0] <= least && ticks[ticks.len() - 1] >= most);
        }
        let scale = Scale::new([0, 3_535_312_345], (0, 3000), 600);
        assert_eq!(scale.label(scale.ticks()[1], Unit::TenThousandYuan), "1,000");
        let scale = Scale::new([0, 7], (0, 3000), 600);
        assert_eq!(scale.label(scale.ticks()[1], Unit::Yuan), "0.02");
    }
}
