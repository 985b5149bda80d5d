//! Comma-separated values, as Excel and other programs write them.

use super::{Budget, Row, is_blank};
use crate::domain::error::Violation;

/// Closes the text; a quote that is still open swallows it. No text contains it: see `encoding`.
const END: &str = "\n\0";

/// The rows that are not empty, each with its line in the file.
pub(super) fn rows(text: &str) -> Result<Vec<Row>, Vec<Violation>> {
    let (delimiter, mut line, text) = match separator_line(text) {
        Some((delimiter, rest)) => (delimiter, 2, rest),
        None => (guess_delimiter(text), 1, text),
    };
    // A lone carriage return ended lines on old Macs; a comment would run to the end of such a file.
    let mut text = if text.contains('\r') && !text.contains('\n') {
        text.replace('\r', "\n")
    } else {
        text.to_owned()
    };
    text.push_str(END);
    let bytes = text.as_bytes();

    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .comment(Some(b'#'))
        .from_reader(bytes);
    let mut record = csv::StringRecord::new();
    let mut rows = Vec::new();
    let mut budget = Budget::default();
    let mut counted = 0;
    loop {
        // The reader's own line number is that of the blank or comment lines before a record.
        let begin = usize::try_from(reader.position().byte()).unwrap_or(bytes.len());
        let start = skip_ignored(bytes, begin);
        line += newlines(&bytes[counted..start]);
        counted = start;
        let more = reader
            .read_record(&mut record)
            .map_err(|error| vec![fault(line, &error.to_string(), "a readable row", "可读取的行")])?;
        if !more || (record.len() == 1 && &record[0] == "\0") {
            return Ok(rows);
        }
        if record.iter().next_back().is_some_and(|cell| cell.ends_with('\0')) {
            return Err(vec![fault(
                line,
                "a quotation mark that is never closed",
                "each quoted cell closed with \"",
                "以引号开始的单元格须以引号结束",
            )]);
        }
        let row = (line, record.iter().map(str::to_owned).collect::<Vec<_>>());
        if !is_blank(&row.1) {
            budget.admit(&row).map_err(|violation| vec![violation])?;
            rows.push(row);
        }
    }
}

fn fault(line: u32, found: &str, en: &str, zh: &str) -> Violation {
    Violation::new(format!("line {line}"), found, en, zh)
}

fn newlines(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX)
}

/// Where the record begins that is read next from `at`: behind blank lines and comments.
fn skip_ignored(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match bytes.get(at) {
            Some(b'\r' | b'\n') => at += 1,
            Some(b'#') => {
                at += bytes[at..]
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(bytes.len() - at);
            }
            _ => return at.min(bytes.len()),
        }
    }
}

/// Excel's `sep=;` in the first line, and the text behind that line.
fn separator_line(text: &str) -> Option<(u8, &str)> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let first = first.trim_end_matches('\r').trim_matches('"');
    match first
        .get(..4)
        .filter(|start| start.eq_ignore_ascii_case("sep="))
        .map(|_| &first.as_bytes()[4..])
    {
        Some(&[delimiter]) if matches!(delimiter, b',' | b';' | b'\t' | b'|') => Some((delimiter, rest)),
        _ => None,
    }
}

/// A comma, unless the first line has tabs and no comma: Excel's "Unicode text" is separated by tabs.
fn guess_delimiter(text: &str) -> u8 {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .unwrap_or_default();
    if first.contains('\t') && !first.contains(',') {
        b'\t'
    } else {
        b','
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u32, String)> {
        rows(text)
            .unwrap()
            .into_iter()
            .map(|(line, cells)| (line, cells.join("|")))
            .collect()
    }

    #[test]
    fn counts_lines_of_the_file() {
        let text = "a,b\r\n\r\n# note, with \"quote\r\n\"x\r\ny\",1\r\n,\r\n2,3\r\n";
        assert_eq!(
            lines(text),
            [
                (1, "a|b".to_owned()),
                (4, "x\r\ny|1".to_owned()),
                (7, "2|3".to_owned()),
            ]
        );
    }

    #[test]
    fn tolerates_what_excel_writes() {
        assert_eq!(
            lines("sep=;\r\na;b\r\n1;2"),
            [(2, "a|b".to_owned()), (3, "1|2".to_owned())]
        );
        assert_eq!(lines("\"sep=\t\"\na\tb"), [(2, "a|b".to_owned())]);
        assert_eq!(
            lines("a\tb\n1\t2"),
            [(1, "a|b".to_owned()), (2, "1|2".to_owned())]
        );
        assert_eq!(
            lines("#c\ra,b\r1,2\r"),
            [(2, "a|b".to_owned()), (3, "1|2".to_owned())]
        );
        assert_eq!(lines(""), []);
        assert_eq!(lines("\n\n#only\n"), []);
    }

    #[test]
    fn finds_the_quote_that_is_never_closed() {
        let violations = rows("a,b\n1,2\n3,\"four\n5,6\n").unwrap_err();
        assert_eq!(violations[0].field, "line 3");
        // A quote inside a cell is a plain character, and a quoted cell may end the file.
        assert_eq!(lines("a,5\" pipe")[0].1, "a|5\" pipe");
        assert_eq!(lines("a,\"b\n\"")[0].1, "a|b\n");
    }
}
