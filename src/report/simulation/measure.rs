//! How wide text gets, and where it is broken.
//!
//! Widths are upper bounds: those of DejaVu Sans, the widest of the fonts that the page's font list can
//! end at, for Latin letters; a square for Chinese. Any other font of the list makes the same text narrower, so
//! what is laid out by these widths fits everywhere. Lengths are tenths of a pixel.

use unicode_width::UnicodeWidthChar;

/// The advance of a character in thousandths of the font size.
fn advance(c: char) -> i64 {
    match c {
        '0'..='9' => 640,
        ' ' | '/' | '\u{a0}' | '.' | ',' | ':' | ';' | '\'' | '|' | '\\' => 340,
        'i' | 'l' | 'j' | 'I' | 'J' => 300,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '!' => 420,
        '+' | '=' | '<' | '>' | '~' | '^' | '#' | '\u{2212}' => 840,
        's' | 'c' | 'z' | '"' | '*' | '_' | '?' | '\u{2013}' => 560,
        'm' | '%' => 980,
        'w' | '&' => 820,
        'M' | 'W' | '@' => 1000,
        'a'..='z' | '$' | '{' | '}' => 640,
        '!'..='~' => 790,
        c => match c.width() {
            // A mark upon another character, and a control character, which is shown as U+FFFD.
            None => 1100,
            Some(0) => 0,
            // 全角字符.
            Some(2) if !is_picture(c) => 1000,
            // Pictures, and letters of other scripts.
            _ => 1400,
        },
    }
}

fn is_picture(c: char) -> bool {
    matches!(u32::from(c), 0x1_f000..=0x1_faff)
}

/// How wide a text is at most, at a font size, both in tenths of a pixel.
pub(super) fn width(text: &str, size: i64) -> i64 {
    let thousandths: i64 = text.chars().map(advance).sum();
    (thousandths * size + 999) / 1000
}

/// Breaks a text into lines no wider than `limit`, at most `most` of them. What does not fit is cut and
/// marked with an ellipsis. There is always at least one line.
pub(super) fn wrapped(text: &str, size: i64, limit: i64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut pieces = pieces(text).into_iter().peekable();
    while let Some(piece) = pieces.next() {
        let candidate = format!("{line}{piece}");
        if width(candidate.trim_end(), size) <= limit {
            line = candidate;
            continue;
        }
        if lines.len() + 1 >= most {
            let rest: String = std::iter::once(piece).chain(pieces).collect();
            lines.push(cut(&format!("{line}{rest}"), size, limit));
            return lines;
        }
        if !line.trim_end().is_empty() {
            lines.push(line.trim_end().to_owned());
        }
        line = piece;
        // A word longer than a line is broken where the line ends.
        while width(line.trim_end(), size) > limit && line.chars().count() > 1 {
            if lines.len() + 1 >= most {
                let rest: String = pieces.collect();
                lines.push(cut(&format!("{line}{rest}"), size, limit));
                return lines;
            }
            let at = fitting(&line, size, limit);
            let rest = line.split_off(at);
            lines.push(std::mem::replace(&mut line, rest));
        }
    }
    if !line.trim_end().is_empty() || lines.is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// Where lines can be broken: after spaces and hyphens of words, and around wide characters, though not before
/// closing marks nor after opening ones.
fn pieces(text: &str) -> Vec<String> {
    const CLOSING: &str = ",。、;:!?)》」』】〕”’·%";
    const OPENING: &str = "(《「『【〔“‘";
    let mut pieces: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    for c in text.chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        let breaks = before.is_none_or(|before| {
            c != ' '
                && !CLOSING.contains(c)
                && !OPENING.contains(before)
                && (before == ' ' || before == '-' || is_wide(before) || is_wide(c))
        });
        match pieces.last_mut() {
            Some(piece) if !breaks => piece.push(c),
            _ => pieces.push(c.to_string()),
        }
        before = Some(c);
    }
    pieces
}

fn is_wide(c: char) -> bool {
    c.width() == Some(2)
}

/// The text with an ellipsis in place of what is over.
fn cut(text: &str, size: i64, limit: i64) -> String {
    if width(text.trim_end(), size) <= limit {
        return text.trim_end().to_owned();
    }
    let at = fitting(text, size, (limit - width("…", size)).max(0));
    format!("{}…", text[..at].trim_end())
}

/// How many bytes of a text fit, at least one character.
fn fitting(text: &str, size: i64, limit: i64) -> usize {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += advance(c);
        if at > 0 && (taken * size + 999) / 1000 > limit {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_nothing_but_spaces() {
        let texts = [
            "魏都区",
            "市城乡一体化示范区(含东城区、经济技术开发区)",
            "Economic and Technological Development Zone",
            "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz",
            "",
            "   ",
            "a  b",
            "👩‍👩‍👧‍👦 emoji e\u{301}\u{301}",
        ];
        for text in texts {
            for limit in [200, 500, 1200] {
                let lines = wrapped(text, 110, limit, 100);
                let plain = |text: &str| text.split_whitespace().collect::<String>();
                assert_eq!(plain(&lines.concat()), plain(text), "{text}");
                assert!(
                    lines
                        .iter()
                        .all(|line| width(line, 110) <= limit || line.chars().count() == 1),
                    "{lines:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_over_is_cut_and_marked() {
        let lines = wrapped("Economic and Technological Development Zone", 110, 1000, 2);
        assert_eq!(lines.len(), 2);
        assert!(
            lines[1].ends_with('…') && lines.iter().all(|l| width(l, 110) <= 1000),
            "{lines:?}"
        );
        assert_eq!(wrapped("魏都区", 110, 1000, 1), ["魏都区"]);
        // Punctuation does not begin a line.
        for limit in 300..900 {
            let lines = wrapped("东城区、示范区、(开发区)。", 110, limit, 100);
            assert!(
                lines.iter().all(|line| !line.starts_with(['、', '。', ')'])),
                "{lines:?}"
            );
        }
    }
}
