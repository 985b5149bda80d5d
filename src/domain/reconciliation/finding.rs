//! Finding what we wrote: references of payments and identifications of orders in a bank's texts.
//!
//! Banks repeat them in fields of their own or somewhere in a text, in capitals or not, in groups of four or
//! broken over two lines. Check digits tell a reference from what only looks like one; where a text has
//! two of ours, it names none.

use crate::domain::payment::Reference;
use crate::domain::region::RegionCode;
use crate::domain::statistics::half_width;

/// Longest electronic form of a reference.
const MAX_REFERENCE: usize = 25;
/// Shortest reference of ours: `RF`, check digits, a claim, a payer, an attempt.
const MIN_REFERENCE: usize = 7;
/// A run of so many digits may be a number of an account or of a person.
const TELLING_DIGITS: usize = 6;

/// What was found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Found<T> {
    /// Nothing of ours.
    #[default]
    Nothing,
    /// Exactly one.
    One(T),
    /// Several that differ: which one is meant cannot be told.
    Several,
}

impl<T: PartialEq> Found<T> {
    fn add(&mut self, value: T) {
        match self {
            Self::Nothing => *self = Self::One(value),
            Self::One(first) if *first != value => *self = Self::Several,
            Self::One(_) | Self::Several => {}
        }
    }

    /// Both seen as one text.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        match other {
            Self::Nothing => {}
            Self::One(value) => self.add(value),
            Self::Several => self = Self::Several,
        }
        self
    }

    /// The one that was found.
    pub fn one(self) -> Option<T> {
        match self {
            Self::One(value) => Some(value),
            Self::Nothing | Self::Several => None,
        }
    }

    /// Whether nothing was found.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

/// The reference of ours in a text. One in a piece counts; where there is none, one with spaces or a line's end
/// in it does.
pub fn find_reference(text: &str) -> Found<Reference> {
    if !may_hold_ours(text) {
        return Found::Nothing;
    }
    // In a field that is there for it there is nothing else, and none of ours holds another.
    if let Some(reference) = is_ours(text) {
        return Found::One(reference);
    }
    let plain = plain(text);
    let whole = whole_references(&plain);
    if whole.is_nothing() {
        spaced_references(&plain)
    } else {
        whole
    }
}

/// The identification of an order of ours in a text, without the suffix of a block: `F1B12C-1` is `F1B12C`.
pub fn find_order(text: &str) -> Found<String> {
    let mut found = Found::Nothing;
    if !may_hold_ours(text) {
        return found;
    }
    for token in plain(text).split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        if let Some(order) = order(token) {
            found.add(order);
        }
    }
    found
}

/// A text in which runs of digits that may be the number of an account or of a person are masked. References
/// and orders of ours stay.
pub fn masked(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut token = String::new();
    let text = half_width(text);
    for character in text.chars().chain(['\n']) {
        // Spaces and hyphens within a run of digits belong to it, so that 6222 0212 does not slip through.
        let joins = matches!(character, ' ' | '-') && token.ends_with(|c: char| c.is_ascii_digit());
        if character.is_ascii_alphanumeric() || joins {
            token.push(character);
            continue;
        }
        kept.push_str(&masked_token(&token));
        token.clear();
        kept.push(character);
    }
    kept.pop();
    kept
}

fn masked_token(token: &str) -> String {
    if !may_hold_ours(token) {
        return without_long_runs(token);
    }
    let pieces: Vec<&str> = token.split(' ').collect();
    let ours = |piece: &str| {
        let capitals = piece.to_ascii_uppercase();
        is_ours(&capitals).is_some() || order(&capitals).is_some()
    };
    // Runs are counted over all pieces between two of ours.
    let mut kept: Vec<String> = Vec::with_capacity(pieces.len());
    let mut run: Vec<&str> = Vec::new();
    let flush = |run: &mut Vec<&str>, kept: &mut Vec<String>| {
        if !run.is_empty() {
            kept.push(without_long_runs(&run.join(" ")));
            run.clear();
        }
    };
    for piece in pieces {
        if ours(piece) {
            flush(&mut run, &mut kept);
            kept.push(piece.to_owned());
        } else {
            run.push(piece);
        }
    }
    flush(&mut run, &mut kept);
    kept.join(" ")
}

fn without_long_runs(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut run = String::new();
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_digit() || (!run.is_empty() && matches!(character, ' ' | '-')) {
            run.push(character);
            continue;
        }
        if run.bytes().filter(u8::is_ascii_digit).count() >= TELLING_DIGITS {
            let behind = run.len() - run.trim_end_matches([' ', '-']).len();
            kept.push_str("****");
            kept.push_str(&run[run.len() - behind..]);
        } else {
            kept.push_str(&run);
        }
        run.clear();
        kept.push(character);
    }
    kept.pop();
    kept
}

/// Whether there is an F in a text, without which it has neither a reference nor an order: most texts have none, and
/// need not be copied to see that.
fn may_hold_ours(text: &str) -> bool {
    text.contains(['F', 'f', 'Ｆ', 'ｆ'])
}

fn plain(text: &str) -> String {
    let mut plain = half_width(text);
    plain.make_ascii_uppercase();
    plain
}

/// A reference that is ours: not every ISO 11649 reference is.
fn is_ours(text: &str) -> Option<Reference> {
    let fits = (MIN_REFERENCE..=MAX_REFERENCE).contains(&text.len()) && text.starts_with("RF");
    let reference = fits.then(|| Reference::parse("reference", text).ok())??;
    reference.origin().is_some().then_some(reference)
}

/// References that stand in a run of letters and digits and end with it.
fn whole_references(text: &str) -> Found<Reference> {
    let mut found = Found::Nothing;
    for run in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        // What stands before it in the run may be a label of the bank's.
        for (at, _) in run.match_indices("RF") {
            if let Some(reference) = is_ours(&run[at..]) {
                found.add(reference);
            }
        }
    }
    found
}

/// References with spaces, hyphens or line ends between their characters, ending where a run does.
fn spaced_references(text: &str) -> Found<Reference> {
    let mut found = Found::Nothing;
    for (at, _) in text.match_indices("RF") {
        let mut compact = String::with_capacity(MAX_REFERENCE);
        let mut ends = None;
        let mut characters = text[at..].chars().peekable();
        while let Some(character) = characters.next() {
            if character.is_ascii_alphanumeric() {
                if compact.len() == MAX_REFERENCE {
                    break;
                }
                compact.push(character);
                let run_ends = characters.peek().is_none_or(|next| !next.is_ascii_alphanumeric());
                if run_ends && let Some(reference) = is_ours(&compact) {
                    match ends.replace(reference) {
                        None => {}
                        // Two ways to end it that are both right: it cannot be told which is meant.
                        Some(_) => return Found::Several,
                    }
                }
            } else if !matches!(character, ' ' | '\n' | '\r' | '-') {
                break;
            }
        }
        if let Some(reference) = ends {
            found.add(reference);
        }
    }
    found
}

/// An order of ours: `F`, the fund, `B`, the batch, `C` or `Q`, and the region whose own account pays.
fn order(token: &str) -> Option<String> {
    let rest = token.strip_prefix('F')?;
    let (fund, rest) = rest.split_once('B')?;
    let at = rest.find(['C', 'Q'])?;
    let (batch, region) = (&rest[..at], &rest[at + 1..]);
    let number = |text: &str| {
        !text.starts_with('0')
            && (1..=18).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !number(fund) || !number(batch) {
        return None;
    }
    // The block of the city's or the counties' payments within an order.
    let region = match &rest[at..=at] {
        "C" => region.strip_suffix("-1").unwrap_or(region),
        _ => region.strip_suffix("-2").unwrap_or(region),
    };
    let known = region.is_empty() || RegionCode::parse("region", region).is_ok();
    known.then(|| format!("F{fund}B{batch}{}{region}", &rest[at..=at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payer::Payer;
    use crate::domain::payment::Origin;
    use proptest::prelude::*;

    fn reference(claim: u64, payer: Payer, attempt: u32) -> Reference {
        Reference::of(Origin {
            claim,
            payer,
            attempt,
        })
        .unwrap()
    }

    #[test]
    fn finds_a_reference_wherever_banks_put_it() {
        for text in [
            "RF24123C1",
            "  rf24123c1 ",
            "购房补贴 RF24123C1",
            "购房补贴RF24123C1。",
            "/RFB/RF24123C1/TXT/",
            "EREF+RF24123C1",
            "EREF: RF24123C1",
            "ＲＦ２４１２３Ｃ１",
            "RF24 123C 1",
            "RF24 123C 1 20250613",
            "补贴 RF24\n123C1",
            "RF24-123C-1",
            "REFRF24123C1",
            "RF24123C1 and RF24123C1 again",
            "invoice RF18539007547034, payment RF24123C1",
        ] {
            assert_eq!(
                find_reference(text),
                Found::One(Reference::parse("", "RF24123C1").unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn takes_nothing_else_for_a_reference() {
        for text in [
            "",
            "RF",
            "RF25123C1",
            "RF24123C2",
            "RF24123C11",
            "RF18539007547034",
            "RF24/123C1",
            "RF24 123 张三 C1",
            "6222021234567890123",
        ] {
            assert_eq!(find_reference(text), Found::Nothing, "{text}");
        }
    }

    #[test]
    fn two_that_differ_are_none() {
        let other = reference(124, Payer::City, 1);
        let text = format!("RF24123C1 {other}");
        assert_eq!(find_reference(&text), Found::Several);
        assert_eq!(find_reference(&text).one(), None);
        let both = find_reference("RF24123C1").and(find_reference(other.as_str()));
        assert_eq!(both, Found::Several);
    }

    #[test]
    fn finds_orders() {
        for (text, order) in [
            ("F1B12C", "F1B12C"),
            ("代发 f1b12c 共3笔", "F1B12C"),
            ("F1B12C-1", "F1B12C"),
            ("F1B12Q-2", "F1B12Q"),
            ("F1B12Q411024", "F1B12Q411024"),
            ("F1B12Q411024-2", "F1B12Q411024"),
            ("F1B12Q4110-DC", "F1B12Q4110-DC"),
            ("批次F12B3Q.", "F12B3Q"),
        ] {
            assert_eq!(find_order(text), Found::One(order.to_owned()), "{text}");
        }
        for text in [
            "", "F1B12", "F01B12C", "F1B0C", "AF1B12C", "F1B12C-3", "FBC", "F1BC",
        ] {
            assert_eq!(find_order(text), Found::Nothing, "{text}");
        }
        assert_eq!(find_order("F1B12C F1B13C"), Found::Several);
    }

    #[test]
    fn masks_numbers_and_keeps_what_is_ours() {
        for (text, shown) in [
            ("购房补贴 RF24123C1", "购房补贴 RF24123C1"),
            ("账号6222021234567890123退回", "账号****退回"),
            ("账号 6222 0212 3456 7890 123 退回", "账号 **** 退回"),
            ("RF24123C1 6222021234567890123", "RF24123C1 ****"),
            ("F1B12Q411024 13912345678", "F1B12Q411024 ****"),
            ("139-1234-5678", "****"),
            ("12345", "12345"),
            ("４１１００２１９９００１０１００１８", "****"),
            ("", ""),
        ] {
            assert_eq!(masked(text), shown, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_reference_is_found_in_every_form(
            claim in 1..=Origin::MAX_CLAIM,
            county in any::<bool>(),
            attempt in 1..=Origin::MAX_ATTEMPT,
            before in "[付款补贴 ,.:/+]{0,8}",
            behind in "[付款补贴,.:/+]{0,8}",
        ) {
            let payer = if county { Payer::County } else { Payer::City };
            let ours = reference(claim, payer, attempt);
            for form in [ours.as_str().to_owned(), ours.as_str().to_lowercase()] {
                let text = format!("{before}{form}{behind}");
                prop_assert_eq!(find_reference(&text), Found::One(ours.clone()));
            }
            prop_assert_eq!(masked(ours.as_str()), ours.as_str());
            // In groups, one in a hundred ends at two places with check digits that are right. It is not guessed.
            let printed = format!("{before}{}{behind}", ours.printed());
            let found = find_reference(&printed);
            prop_assert!(found == Found::One(ours.clone()) || found == Found::Several, "{:?}", found);
        }

        #[test]
        fn no_long_number_is_left(text in "[0-9 RFC-]{0,40}") {
            let shown = masked(&text);
            let run = shown
                .split(|c: char| !c.is_ascii_digit())
                .map(str::len)
                .max()
                .unwrap_or(0);
            let ours = !find_reference(&text).is_nothing() || !find_order(&text).is_nothing();
            prop_assert!(ours || run < TELLING_DIGITS, "{} became {}", text, shown);
        }

        #[test]
        fn no_text_is_a_panic(text in any::<String>()) {
            let _ = (find_reference(&text), find_order(&text), masked(&text));
        }
    }
}
