//! Texts that every format of a payment can carry, and that no spreadsheet takes for a formula.

use crate::domain::error::Violation;

/// Longest name of a party or a bank, in characters: `Max140Text` of ISO 20022.
pub const MAX_NAME: usize = 140;

/// What stands first in a formula; Chinese editions of spreadsheets take the full-width twins for them.
const BEGINS_FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Checks that a text is one line of 1 to `most` characters that all formats can carry.
///
/// The text itself is not repeated in the error: it may be somebody's name.
pub(super) fn check(field: impl Into<String>, text: &str, most: usize) -> Result<(), Violation> {
    let Some(found) = fault(text, most) else {
        return Ok(());
    };
    Err(Violation::new(
        field,
        found,
        format!(
            "1 to {most} characters on one line, no control or invisible characters, no space at either end, \
             not beginning with = + - @"
        ),
        format!("1 至 {most} 个字符,单行,不含控制字符和不可见字符,首尾无空格,不以 = + - @ 开头"),
    ))
}

/// What is wrong with a text, in words that do not repeat it.
fn fault(text: &str, most: usize) -> Option<String> {
    let length = text.chars().count();
    if length == 0 {
        return Some("(empty)".to_owned());
    }
    if length > most {
        return Some(format!("{length} characters"));
    }
    if let Some((at, character)) = text.chars().enumerate().find(|(_, c)| is_invisible(*c)) {
        return Some(format!(
            "the character U+{:04X} in place {}",
            u32::from(character),
            at + 1
        ));
    }
    if text.trim() != text {
        return Some("a space at one end".to_owned());
    }
    text.chars()
        .next()
        .filter(|first| BEGINS_FORMULA.contains(first))
        .map(|first| format!("{first} in first place"))
}

/// Characters that XML 1.0 excludes, and those that change what a reader sees without being seen.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffd}'
                | '\u{fdd0}'..='\u{fdef}'
        )
        // The last two code points of each plane are no characters.
        || u32::from(character) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_names_as_they_are() {
        for name in [
            "张三",
            "阿卜杜拉·买买提",
            "㛃𠀀",
            "O'Neill, A.",
            "<&>\"",
            "许昌市建安区 财政局",
        ] {
            assert_eq!(check("name", name, 140), Ok(()));
        }
    }

    #[test]
    fn says_what_is_wrong_without_repeating_the_text() {
        for (text, found) in [
            ("", "(empty)"),
            ("张三李四王五", "6 characters"),
            ("张\u{7}三", "the character U+0007 in place 2"),
            ("张\n三", "the character U+000A in place 2"),
            ("\u{202e}张三", "the character U+202E in place 1"),
            ("张三\u{ffff}", "the character U+FFFF in place 3"),
            ("张三\u{10ffff}", "the character U+10FFFF in place 3"),
            (" 张三", "a space at one end"),
            ("=张三", "= in first place"),
            ("＠张三", "＠ in first place"),
            ("-1", "- in first place"),
        ] {
            let violation = check("name", text, 5).unwrap_err();
            assert_eq!(violation.found, found);
            assert!(!violation.sentence_zh().contains('张'));
        }
    }
}
