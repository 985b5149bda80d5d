//! Weighing a zip archive before a workbook is read from it.
//!
//! The reader of workbooks unpacks whole parts into memory and trusts sizes that parts declare, so a
//! small file could take all the memory there is. Sizes in the archive's directory can be false as
//! well; what counts here is what really comes out.

use std::io::{Cursor, Read};
use zip::ZipArchive;

/// Most bytes that may come out of all parts.
const MAX_UNPACKED: u64 = 512 << 20;
/// Most parts; a workbook has a few dozen.
const MAX_PARTS: usize = 10_000;
/// Most bytes of the shared texts, each of which becomes an allocation.
const MAX_SHARED_TEXTS: u64 = 128 << 20;
/// Most bytes of the styles, which unpack to many times their size.
const MAX_STYLES: u64 = 8 << 20;
/// Most shared texts that a part may declare: the reader allocates for them at once.
const MAX_DECLARED: u64 = 10_000_000;

/// Why an archive is not opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is broken, or not the archive of a workbook.
    Unreadable(String),
    /// More comes out of it than is allowed, or is declared to.
    TooLarge(String),
}

/// Unpacks every part to nowhere and refuses what is out of proportion.
pub(super) fn weigh(bytes: &[u8]) -> Result<(), Refusal> {
    let unreadable = |error: &dyn std::fmt::Display| Refusal::Unreadable(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
    if archive.len() > MAX_PARTS {
        return Err(Refusal::TooLarge(format!("{} parts", archive.len())));
    }
    let mut left = MAX_UNPACKED;
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).map_err(|error| unreadable(&error))?;
        // The reader finds its parts without regard to case and to the kind of slash.
        let name = part.name().map_err(|error| unreadable(&error))?.into_owned();
        let lower = name.to_ascii_lowercase();
        let file = lower.rsplit(['/', '\\']).next().unwrap_or_default();
        let (limit, shared) = match file {
            "sharedstrings.xml" => (MAX_SHARED_TEXTS, true),
            "styles.xml" => (MAX_STYLES, false),
            _ => (MAX_UNPACKED, false),
        };
        let mut declared = DeclaredCount::default();
        let mut part_left = limit.min(left);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = part.read(&mut buffer).map_err(|error| unreadable(&error))?;
            if read == 0 {
                break;
            }
            let size = read as u64;
            if size > part_left {
                return Err(Refusal::TooLarge(format!(
                    "{name} unpacks to more than {} MiB",
                    limit.min(left) >> 20
                )));
            }
            part_left -= size;
            left -= size;
            if shared {
                declared.look(&buffer[..read])?;
            }
        }
        if shared {
            declared.look(b"\n")?;
        }
    }
    Ok(())
}

/// Finds how many shared texts a part declares, wherever and however often it does.
#[derive(Default)]
struct DeclaredCount {
    /// The end of what was read before, where a declaration may have begun.
    carried: Vec<u8>,
}

impl DeclaredCount {
    const NAME: &'static [u8] = b"uniqueCount";
    /// Longest declaration: the name, an equals sign, quotes and digits.
    const LONGEST: usize = Self::NAME.len() + 24;

    fn look(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        // Encodings other than UTF-8 could hide the declaration; in them, and nowhere else in XML,
        // there are control bytes.
        if chunk
            .iter()
            .any(|byte| *byte < b'\t' || (0x0e..0x20).contains(byte))
        {
            return Err(Refusal::Unreadable("shared texts that are not UTF-8".to_owned()));
        }
        let last = chunk == b"\n";
        self.carried.extend_from_slice(chunk);
        let mut at = 0;
        while let Some(found) = find(&self.carried[at..], Self::NAME) {
            let begin = at + found;
            let rest = &self.carried[begin + Self::NAME.len()..];
            if rest.len() < Self::LONGEST && !last {
                // Cut off by the end of the chunk: look again with the next one.
                self.carried.drain(..begin);
                return Ok(());
            }
            if declared(rest).is_none_or(|count| count > MAX_DECLARED) {
                return Err(Refusal::TooLarge(format!(
                    "shared texts that declare {}",
                    String::from_utf8_lossy(&rest[..rest.len().min(Self::LONGEST)])
                )));
            }
            at = begin + Self::NAME.len();
        }
        let keep = self.carried.len().saturating_sub(Self::NAME.len() - 1).max(at);
        self.carried.drain(..keep);
        Ok(())
    }
}

/// The number in `="123"`; `None` for anything else.
fn declared(text: &[u8]) -> Option<u64> {
    let text = text.strip_prefix(b"=")?;
    let (quote, text) = text.split_first()?;
    let end = text.iter().position(|byte| byte == quote)?;
    matches!(quote, b'"' | b'\'').then_some(())?;
    std::str::from_utf8(&text[..end]).ok()?.parse().ok()
}

fn find(text: &[u8], name: &[u8]) -> Option<usize> {
    text.windows(name.len()).position(|window| window == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::write::SimpleFileOptions;

    fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in parts {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn refuses_a_bomb() {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer
            .start_file("xl/worksheets/sheet1.xml", SimpleFileOptions::default())
            .unwrap();
        let block = vec![b' '; 1 << 20];
        for _ in 0..520 {
            writer.write_all(&block).unwrap();
        }
        let mut bytes = writer.finish().unwrap().into_inner();
        assert!(bytes.len() < 2 << 20);
        assert!(matches!(weigh(&bytes), Err(Refusal::TooLarge(_))));

        // The same with a false size in the directory: refused as broken or as too large.
        let size = (520_u32 << 20).to_le_bytes();
        while let Some(at) = find(&bytes, &size) {
            bytes[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
        }
        assert!(weigh(&bytes).is_err());
    }

    #[test]
    fn refuses_declared_counts_out_of_proportion() {
        let part = |attribute: &str| format!("<?xml version=\"1.0\"?><!-- x --><sst {attribute}></sst>");
        let weighed = |xml: &str| weigh(&archive(&[("xl/SharedStrings.xml", xml.as_bytes())]));
        assert_eq!(weighed(&part("count=\"9\" uniqueCount=\"12\"")), Ok(()));
        assert_eq!(weighed(&part("uniqueCount='12'")), Ok(()));
        for attribute in [
            "uniqueCount=\"99999999999999\"",
            "uniqueCount = \"99999999999999\"",
            "uniqueCount=\"1\" uniqueCount=\"99999999999999\"",
        ] {
            assert!(
                matches!(weighed(&part(attribute)), Err(Refusal::TooLarge(_))),
                "{attribute}"
            );
        }
        // Across the border of two reads.
        for shift in 0..60 {
            let xml = format!(
                "{}{}",
                " ".repeat((64 << 10) - shift),
                part("uniqueCount=\"99999999999999\"")
            );
            assert!(matches!(weighed(&xml), Err(Refusal::TooLarge(_))), "{shift}");
        }
        let utf16: Vec<u8> = part("uniqueCount=\"9\"")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(weigh(&archive(&[("xl/sharedStrings.xml", &utf16)])).is_err());
    }

    #[test]
    fn refuses_what_is_no_archive() {
        assert!(matches!(
            weigh(b"PK\x03\x04 and nothing else"),
            Err(Refusal::Unreadable(_))
        ));
    }
}
