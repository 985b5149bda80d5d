//! Faults of a claim, without what may be personal data in the wrong place.
//!
//! Facts hold nothing personal, but a table whose columns have slipped puts names and numbers among them,
//! and an error would carry them into logs and files.

use crate::domain::error::Violation;

/// Longest run of digits that is repeated: telephone numbers have 11, account and ID numbers more; dates and
/// amounts of a claim have fewer.
const MAX_DIGITS: usize = 10;
/// Longest text that is repeated, in bytes: two facts with their dates.
const MAX_BYTES: usize = 80;

/// The same fault; what was found is left out where it may be personal.
pub fn discreet(mut violation: Violation) -> Violation {
    if !is_plain(&violation.found) {
        "(not shown)".clone_into(&mut violation.found);
    }
    if let Some(code) = violation.field.strip_prefix("facts.")
        && !(is_plain(code)
            && code
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
    {
        "facts".clone_into(&mut violation.field);
    }
    violation
}

/// Whether a text is neither a Chinese name nor holds a long number, however that is spaced or lettered.
fn is_plain(text: &str) -> bool {
    if text.len() > MAX_BYTES || !text.is_ascii() {
        return false;
    }
    let mut digits = 0;
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => digits += 1,
            // Registration numbers of homes have letters among their digits.
            b' ' | b'-' | b'A'..=b'Z' | b'a'..=b'z' => {}
            _ => digits = 0,
        }
        if digits > MAX_DIGITS {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(field: &str, found: &str) -> (String, String) {
        let violation = discreet(Violation::new(field, found, "", ""));
        (violation.field, violation.found)
    }

    #[test]
    fn tells_what_a_clerk_needs() {
        for text in [
            "0",
            "-1",
            "(empty)",
            "800000.001",
            "2024-02-30",
            "contract_date 2024-08-01, filing_date 2024-07-31",
            "moon",
        ] {
            assert_eq!(
                found("facts.area", text),
                ("facts.area".to_owned(), text.to_owned())
            );
        }
    }

    #[test]
    fn leaves_out_names_and_numbers() {
        for text in [
            "令狐试例",
            "411002199001010018",
            "41100219900101001X",
            "6222 0070 0000 0000 004",
            "139-7000-0001",
            "411002GB099999F00000002",
            "６２２２００７００",
            &"x".repeat(81),
        ] {
            let hidden = "(not shown)".to_owned();
            assert_eq!(
                found("facts.area", text),
                ("facts.area".to_owned(), hidden.clone())
            );
            assert_eq!(
                found(&format!("facts.{text}"), text),
                ("facts".to_owned(), hidden)
            );
        }
    }
}
