//! From bytes to text: UTF-8, UTF-16 with a byte order mark, else GB18030, which contains GBK and GB 2312.

use crate::domain::error::Violation;
use encoding_rs::{DecoderResult, Encoding, GB18030, UTF_16BE, UTF_16LE};
use std::borrow::Cow;

/// Decodes a text file, without its byte order mark.
///
/// Nothing is ever replaced: a byte that has no meaning is reported with its line and column.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Violation> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => Cow::Owned(strict(UTF_16LE, rest)?),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(strict(UTF_16BE, rest)?),
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(utf8(rest)?),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            // Most damaged UTF-8 is valid GB18030 as well and would come out as other characters.
            Err(_) if is_damaged_utf8(bytes) => Cow::Borrowed(utf8(bytes)?),
            Err(_) => Cow::Owned(strict(GB18030, bytes)?),
        },
    };
    if let Some(at) = text.find('\0') {
        return Err(unreadable(&text[..at], 0));
    }
    Ok(text)
}

/// Whether a file that is not valid UTF-8 was meant to be: it has more Chinese characters than faults.
/// In GBK nearly every character is a fault.
pub(super) fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let mut chinese = 0_usize;
    let mut faults = 0_usize;
    for chunk in bytes.utf8_chunks() {
        chinese += chunk
            .valid()
            .chars()
            .filter(|c| matches!(c, '\u{3000}'..='\u{9fff}' | '\u{ff01}'..='\u{ff5e}'))
            .count();
        faults += usize::from(!chunk.invalid().is_empty());
    }
    chinese > faults
}

fn utf8(bytes: &[u8]) -> Result<&str, Violation> {
    std::str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        unreadable(
            &String::from_utf8_lossy(good),
            bad.first().copied().unwrap_or_default(),
        )
    })
}

fn strict(encoding: &'static Encoding, bytes: &[u8]) -> Result<String, Violation> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::new();
    let mut read = 0;
    loop {
        let rest = &bytes[read..];
        text.reserve(
            decoder
                .max_utf8_buffer_length_without_replacement(rest.len())
                .unwrap_or(rest.len()),
        );
        let (result, consumed) = decoder.decode_to_string_without_replacement(rest, &mut text, true);
        read += consumed;
        match result {
            DecoderResult::InputEmpty => return Ok(text),
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, after) => {
                let at = read.saturating_sub(usize::from(length) + usize::from(after));
                return Err(unreadable(&text, bytes.get(at).copied().unwrap_or_default()));
            }
        }
    }
}

/// `before` is everything up to the bad byte.
fn unreadable(before: &str, byte: u8) -> Violation {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    unreadable_byte(&format!("line {line}, column {column}"), byte)
}

/// A byte that has no meaning.
pub(super) fn unreadable_byte(field: &str, byte: u8) -> Violation {
    Violation::new(
        field,
        format!("byte 0x{byte:02X}"),
        "text in UTF-8, UTF-16 with a byte order mark, or GB18030 (GBK)",
        "UTF-8、带 BOM 的 UTF-16 或 GB18030(GBK)编码的文本",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_encoding_that_offices_write() {
        let text = "地区,数值\n许昌市,12\n";
        let gbk = GB18030.encode(text).0;
        let little: Vec<u8> = [0xfeff]
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        let big: Vec<u8> = [0xfeff]
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_be_bytes)
            .collect();
        for bytes in [
            text.as_bytes(),
            format!("\u{feff}{text}").as_bytes(),
            &gbk,
            &little,
            &big,
        ] {
            assert_eq!(decode(bytes).unwrap(), text);
        }
    }

    #[test]
    fn reads_characters_outside_gbk_from_gb18030() {
        let text = "㐀𠀀,值";
        assert_eq!(decode(&GB18030.encode(text).0).unwrap(), text);
    }

    #[test]
    fn names_the_first_of_two_bad_bytes() {
        let mut utf8 = "地区,数值\n许昌".as_bytes().to_vec();
        utf8.push(0xff);
        utf8.extend_from_slice("市,1\n".as_bytes());
        utf8.push(0xfe);
        let violation = decode(&utf8).unwrap_err();
        assert_eq!(violation.field, "line 2, column 3");
        assert_eq!(violation.found, "byte 0xFF");

        let mut gbk = GB18030.encode("地区,数值\n许昌市").0.into_owned();
        gbk.push(0xff);
        gbk.extend_from_slice(&GB18030.encode(",1\n").0);
        gbk.push(0xff);
        assert_eq!(decode(&gbk).unwrap_err().field, "line 2, column 4");
    }

    #[test]
    fn does_not_read_damaged_utf8_as_gb18030() {
        // Two bytes lost from UTF-8; what remains happens to be valid GB18030.
        let mut bytes = "地区,来源\n许昌市,统计局\n".as_bytes().to_vec();
        bytes.remove(15);
        let violation = decode(&bytes).unwrap_err();
        assert_eq!(violation.field, "line 2, column 1");
        assert!(decode("\u{feff}许".as_bytes().split_last().unwrap().1).is_err());
    }

    #[test]
    fn refuses_binary_data() {
        assert_eq!(decode(b"a,b\n1,\0").unwrap_err().field, "line 2, column 3");
    }
}
