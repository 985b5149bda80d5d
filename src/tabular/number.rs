//! Decimals that a spreadsheet stores as binary floating-point numbers.

/// Digits that every spreadsheet keeps; beyond them a double and its decimal no longer determine each other.
pub(crate) const DOUBLE_DIGITS: usize = 15;

/// The shortest decimal that reads back as `value`, without exponent; `None` where that takes more
/// than 15 digits or where the last digits may have been lost before: Excel turns the sixteenth and
/// further digits of a long integer into zeros, so a whole part that long is not what was typed.
pub(crate) fn to_text(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let text = value.to_string();
    let text = if text == "-0" { "0" } else { text.as_str() };
    (significant_digits(text) <= DOUBLE_DIGITS && whole_digits(text) <= DOUBLE_DIGITS)
        .then(|| text.to_owned())
}

/// The double to store for a plain decimal; `None` where the double would not give the same decimal back.
pub(crate) fn from_text(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    (to_text(value)? == shortest(text)).then_some(value)
}

/// Digits from the first to the last that is not zero.
fn significant_digits(text: &str) -> usize {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    if text.contains('.') {
        digits.trim_end_matches('0').len()
    } else {
        digits.len()
    }
}

fn whole_digits(text: &str) -> usize {
    let whole = text.split('.').next().unwrap_or_default();
    whole.trim_start_matches(['-', '0']).len()
}

/// A plain decimal without the zeros that change nothing.
fn shortest(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    match (whole, fraction) {
        ("0", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_was_meant() {
        for (value, text) in [
            (3200.0, "3200"),
            (0.1, "0.1"),
            (1.1, "1.1"),
            (-12.5, "-12.5"),
            (-0.0, "0"),
            (1e-7, "0.0000001"),
            (1e14, "100000000000000"),
            (123_456_789_012_345.0, "123456789012345"),
            (1_234_567_890_123.45, "1234567890123.45"),
        ] {
            assert_eq!(to_text(value).as_deref(), Some(text));
        }
    }

    #[test]
    fn refuses_what_a_double_does_not_hold() {
        for value in [
            0.1 + 0.2,
            1_234_567_890_123_456.0,
            1e15,
            1e300,
            f64::NAN,
            f64::INFINITY,
            1.0 / 3.0,
        ] {
            assert_eq!(to_text(value), None, "{value}");
        }
    }

    #[test]
    fn stores_only_what_comes_back() {
        for text in [
            "0.00",
            "1234.50",
            "-0.01",
            "9999999999999.99",
            "999999999999999",
            "007",
        ] {
            assert!(from_text(text).is_some(), "{text}");
        }
        for text in [
            "10000000000000.01",
            "1000000000000000.00",
            "0.1234567890123456",
            "NaN",
            "",
        ] {
            assert!(from_text(text).is_none(), "{text}");
        }
    }
}
