//! The reference of a payment: an ISO 11649 creditor reference, which comes back on the bank statement.
//!
//! `RF`, two check digits, and up to 21 letters and digits. The check digits are those of ISO 7064,
//! MOD 97-10, over the digits with letters read as 10 (A) to 35 (Z). They find every wrong digit, every
//! wrong letter and every swap of two neighbours of one kind.
//!
//! Ours are made of the claim's number, a letter for the payer and the attempt, such as `RF24123C1`. A
//! letter and a digit that change places escape MOD 97-10 when 11 times the digit is the letter's value:
//! 1 with B, 2 with M, 3 with X. The letters here, C (城市) and Q (区县), are none of these, so in
//! references of ours no single wrong character and no swap of neighbours goes unnoticed.

use crate::domain::error::Violation;
use crate::domain::payer::Payer;
use std::fmt;

/// What every creditor reference begins with.
const PREFIX: &str = "RF";
/// Longest part behind the check digits.
const MAX_BODY: usize = 21;
/// Characters before the body: the prefix and the check digits.
const HEAD: usize = 4;
/// Characters of a group on paper.
const GROUP: usize = 4;

/// An ISO 11649 creditor reference in its electronic form, without spaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Reference(String);

/// What one of our references is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The claim's number.
    pub claim: u64,
    /// Whose part of the claim is paid.
    pub payer: Payer,
    /// Which attempt to pay it, counted from 1.
    pub attempt: u32,
}

impl Origin {
    /// The highest number of a claim: sixteen digits leave room for the payer and the attempt.
    pub const MAX_CLAIM: u64 = 9_999_999_999_999_999;
    /// The highest attempt.
    pub const MAX_ATTEMPT: u32 = 9_999;
}

impl Reference {
    /// The reference of an attempt to pay one payer's part of a claim; different for each of them.
    pub fn of(origin: Origin) -> Result<Self, Violation> {
        let Origin {
            claim,
            payer,
            attempt,
        } = origin;
        if !(1..=Origin::MAX_CLAIM).contains(&claim) {
            return Err(beyond("claim", claim, Origin::MAX_CLAIM));
        }
        if !(1..=Origin::MAX_ATTEMPT).contains(&attempt) {
            return Err(beyond(
                "attempt",
                u64::from(attempt),
                u64::from(Origin::MAX_ATTEMPT),
            ));
        }
        let body = format!("{claim}{}{attempt}", letter(payer));
        let check = 98 - remainder(body.bytes().chain(*b"RF00")).unwrap_or_default();
        Ok(Self(format!("{PREFIX}{check:02}{body}")))
    }

    /// Reads a creditor reference, ours or another's, in its electronic form or in groups as on paper.
    pub fn parse(field: impl Into<String>, text: &str) -> Result<Self, Violation> {
        let compact: String = text.chars().filter(|c| *c != ' ').collect();
        if is_valid(&compact) {
            return Ok(Self(compact));
        }
        Err(Violation::new(
            field,
            text,
            "a creditor reference of ISO 11649: RF, two check digits that are right, 1 to 21 of A-Z and 0-9",
            "ISO 11649 参考号:RF、两位正确的校验码、1 至 21 位大写字母或数字",
        ))
    }

    /// The electronic form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form for paper: groups of four.
    pub fn printed(&self) -> String {
        let mut printed = String::with_capacity(self.0.len() + self.0.len() / GROUP);
        for (at, character) in self.0.chars().enumerate() {
            if at > 0 && at % GROUP == 0 {
                printed.push(' ');
            }
            printed.push(character);
        }
        printed
    }

    /// What the reference is made of; `None` for one that is not ours.
    pub fn origin(&self) -> Option<Origin> {
        let body = self.0.get(HEAD..)?;
        let payer = Payer::ALL
            .into_iter()
            .find(|payer| body.contains(letter(*payer)))?;
        let (claim, attempt) = body.split_once(letter(payer))?;
        // One form only: no leading zeros, nothing beyond the limits. The check digits are right, and no others are.
        if claim.starts_with('0') || attempt.starts_with('0') {
            return None;
        }
        let origin = Origin {
            claim: claim.parse().ok()?,
            payer,
            attempt: attempt.parse().ok()?,
        };
        (origin.claim <= Origin::MAX_CLAIM && origin.attempt <= Origin::MAX_ATTEMPT).then_some(origin)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The letter that stands for a payer; see above for why these two.
const fn letter(payer: Payer) -> char {
    match payer {
        Payer::City => 'C',
        Payer::County => 'Q',
    }
}

fn beyond(field: &str, found: u64, limit: u64) -> Violation {
    Violation::new(
        field,
        found.to_string(),
        format!("1 to {limit}, which is what a reference has room for"),
        format!("1 至 {limit}(参考号长度所限)"),
    )
}

fn is_valid(text: &str) -> bool {
    let Some((head, body)) = text.split_at_checked(HEAD) else {
        return false;
    };
    // 00, 01 and 99 leave the same remainders as 97, 98 and 02, but no computation gives them.
    let check_digits = head
        .strip_prefix(PREFIX)
        .filter(|digits| !matches!(*digits, "00" | "01" | "99"));
    (1..=MAX_BODY).contains(&body.len())
        && check_digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        && remainder(body.bytes().chain(head.bytes())) == Some(1)
}

/// The remainder by 97 of a text of digits and capital letters read as a number; `None` for any other text.
fn remainder(text: impl Iterator<Item = u8>) -> Option<u32> {
    text.into_iter().try_fold(0, |so_far, byte| match byte {
        b'0'..=b'9' => Some((so_far * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((so_far * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reference(claim: u64, payer: Payer, attempt: u32) -> Reference {
        Reference::of(Origin {
            claim,
            payer,
            attempt,
        })
        .unwrap()
    }

    /// Whether a reader that expects a reference of ours takes the text for one.
    fn taken_for_ours(text: &str) -> bool {
        Reference::parse("reference", text).is_ok_and(|reference| reference.origin().is_some())
    }

    #[test]
    fn agrees_with_published_references() {
        // The examples of ISO 11649 as handbooks of banks repeat them.
        for text in ["RF18539007547034", "RF712348231", "RF18 5390 0754 7034"] {
            let reference = Reference::parse("reference", text).unwrap();
            assert_eq!(reference.as_str(), text.replace(' ', ""));
            assert_eq!(reference.origin(), None);
        }
    }

    #[test]
    fn is_made_of_claim_payer_and_attempt() {
        let made = reference(123, Payer::City, 1);
        assert_eq!(made.as_str(), "RF24123C1");
        assert_eq!(made.printed(), "RF24 123C 1");
        let longest = reference(Origin::MAX_CLAIM, Payer::County, Origin::MAX_ATTEMPT);
        assert_eq!(longest.as_str().len(), 25);
        assert_eq!(longest.origin().unwrap().attempt, 9_999);
        for (claim, attempt) in [(0, 1), (1, 0), (Origin::MAX_CLAIM + 1, 1), (1, 10_000)] {
            let origin = Origin {
                claim,
                payer: Payer::City,
                attempt,
            };
            assert!(Reference::of(origin).is_err());
        }
    }

    #[test]
    fn refuses_what_is_no_reference() {
        for text in [
            "",
            "RF",
            "RF24",
            "rf24123c1",
            "RF24123c1",
            "RF45123C1",
            "RF4A123C1",
            "XF24123C1",
            "RF24123C1\n",
            "RF24-123C1",
            "RF２４123C1",
            "RF24123C11111111111111111111",
            "张三",
        ] {
            assert!(Reference::parse("reference", text).is_err(), "{text}");
        }
        // The three pairs of check digits that no computation gives.
        let mut seen = 0;
        for claim in 1..2_000 {
            let made = reference(claim, Payer::City, 1);
            let (twin, digits) = match &made.as_str()[2..4] {
                "97" => ("00", 97),
                "98" => ("01", 98),
                "02" => ("99", 2),
                _ => continue,
            };
            seen += digits;
            let text = format!("RF{twin}{}", &made.as_str()[4..]);
            assert!(Reference::parse("reference", &text).is_err(), "{text}");
        }
        assert!(seen > 0);
    }

    #[test]
    fn has_one_form_for_one_payment() {
        // Right check digits, but not a text that we make.
        for body in ["0123C1", "123C01", "C1", "123C", "123C1Q1", "123C10000"] {
            let check = 98 - remainder(body.bytes().chain(*b"RF00")).unwrap();
            let reference = Reference::parse("reference", &format!("RF{check:02}{body}")).unwrap();
            assert_eq!(reference.origin(), None, "{body}");
        }
    }

    #[test]
    fn the_letters_show_every_swap_with_a_digit() {
        // 100 d + L and 10 L + d leave the same remainder when 99 d = 9 L by 97.
        for payer in Payer::ALL {
            let value = u32::from(letter(payer)) - u32::from('A') + 10;
            assert!((0..10).all(|digit| (99 * digit) % 97 != (9 * value) % 97));
        }
    }

    fn origins() -> impl Strategy<Value = Origin> {
        (
            prop_oneof![1..10_000_u64, 1..=Origin::MAX_CLAIM],
            prop_oneof![Just(Payer::City), Just(Payer::County)],
            1..=Origin::MAX_ATTEMPT,
        )
            .prop_map(|(claim, payer, attempt)| Origin {
                claim,
                payer,
                attempt,
            })
    }

    proptest! {
        #[test]
        fn reads_back_what_it_was_made_of(origin in origins()) {
            let made = Reference::of(origin).unwrap();
            prop_assert!(made.as_str().len() <= 25);
            prop_assert_eq!(made.origin(), Some(origin));
            prop_assert_eq!(Reference::parse("reference", made.as_str()).unwrap(), made.clone());
            prop_assert_eq!(Reference::parse("reference", &made.printed()).unwrap(), made);
        }

        #[test]
        fn differs_for_different_payments(a in origins(), b in origins()) {
            prop_assert_eq!(a == b, Reference::of(a).unwrap() == Reference::of(b).unwrap());
        }

        /// Any character anywhere in one of ours replaced by any other.
        #[test]
        fn no_single_wrong_character_escapes(origin in origins()) {
            let made = Reference::of(origin).unwrap();
            let text = made.as_str().as_bytes();
            for at in 0..text.len() {
                for byte in (b'0'..=b'9').chain(b'A'..=b'Z').filter(|byte| *byte != text[at]) {
                    let mut wrong = text.to_vec();
                    wrong[at] = byte;
                    let wrong = String::from_utf8(wrong).unwrap();
                    prop_assert!(!taken_for_ours(&wrong), "{} for {}", wrong, made);
                }
            }
        }

        #[test]
        fn no_swap_of_neighbours_escapes(origin in origins()) {
            let made = Reference::of(origin).unwrap();
            for at in 0..made.as_str().len() - 1 {
                let mut wrong = made.as_str().as_bytes().to_vec();
                wrong.swap(at, at + 1);
                let wrong = String::from_utf8(wrong).unwrap();
                prop_assert!(wrong == made.as_str() || !taken_for_ours(&wrong), "{} for {}", wrong, made);
            }
        }

        /// What MOD 97-10 promises for any creditor reference: one digit, one letter, two neighbours of a kind.
        #[test]
        fn any_reference_shows_a_wrong_character_of_its_kind(body in "[0-9A-Z]{1,21}", at in 0_usize..21, by in 1_u8..26) {
            let check = 98 - remainder(body.bytes().chain(*b"RF00")).unwrap();
            let right = format!("RF{check:02}{body}");
            prop_assert!(Reference::parse("reference", &right).is_ok());
            let at = HEAD + at % body.len();
            let mut wrong = right.clone().into_bytes();
            wrong[at] = match wrong[at] {
                digit @ b'0'..=b'9' => b'0' + (digit - b'0' + 1 + by % 9) % 10,
                letter => b'A' + (letter - b'A' + by) % 26,
            };
            let text = String::from_utf8(wrong).unwrap();
            prop_assert!(Reference::parse("reference", &text).is_err(), "{} for {}", text, right);

            let mut swapped = right.clone().into_bytes();
            if at + 1 < swapped.len()
                && swapped[at] != swapped[at + 1]
                && swapped[at].is_ascii_digit() == swapped[at + 1].is_ascii_digit()
            {
                swapped.swap(at, at + 1);
                let text = String::from_utf8(swapped).unwrap();
                prop_assert!(Reference::parse("reference", &text).is_err(), "{} for {}", text, right);
            }
        }
    }
}
