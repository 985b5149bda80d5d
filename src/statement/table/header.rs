//! The header of a table, and what stands above it.

use super::cells::clean;
use super::mapping::{Field, Mapping, canonical};
use crate::domain::error::Violation;
use time::Date;

/// Which column says what.
pub(super) struct Header {
    pub(super) line: u64,
    /// How many columns the table has.
    pub(super) width: usize,
    columns: Vec<(Field, usize, String)>,
}

/// Why a row is no header.
pub(super) enum NoHeader {
    /// It lacks columns.
    Lacking,
    /// A heading is there twice.
    Twice(String),
}

impl Header {
    /// Takes a row for the header where it has every column that a mapping needs.
    pub(super) fn find(cells: &[String], mapping: &Mapping) -> Result<Self, NoHeader> {
        let headings: Vec<String> = cells.iter().map(|cell| canonical(clean(cell))).collect();
        let required = mapping.required();
        let mut columns = Vec::new();
        let mut twice = None;
        for (field, names) in &mapping.columns {
            let at = |name: &String| -> Vec<usize> {
                let matching = headings
                    .iter()
                    .enumerate()
                    .filter(|(_, heading)| *heading == name);
                matching.map(|(at, _)| at).collect()
            };
            let found: Vec<Vec<usize>> = names.iter().map(at).filter(|at| !at.is_empty()).collect();
            let (Some(first), false) = (found.first(), field.takes_several()) else {
                if found.is_empty() && required.contains(field) {
                    return Err(NoHeader::Lacking);
                }
                for column in found.into_iter().flatten() {
                    columns.push((*field, column, cells[column].trim().to_owned()));
                }
                continue;
            };
            if let [column] = first.as_slice() {
                columns.push((*field, *column, clean(&cells[*column]).to_owned()));
            } else {
                twice = Some(clean(&cells[first[0]]).to_owned());
            }
        }
        match twice {
            Some(heading) => Err(NoHeader::Twice(heading)),
            None => Ok(Self {
                line: 0,
                width: cells.len(),
                columns,
            }),
        }
    }

    /// The column of a field, and its heading as the file has it.
    pub(super) fn column(&self, field: Field) -> Option<(usize, &str)> {
        self.columns(field).next()
    }

    /// All columns of a field.
    pub(super) fn columns(&self, field: Field) -> impl Iterator<Item = (usize, &str)> {
        let of = self.columns.iter().filter(move |(of, _, _)| *of == field);
        of.map(|(_, column, heading)| (*column, heading.as_str()))
    }
}

/// What stands behind a label above the header: in the same cell behind a colon, or in the next cell of the row.
pub(super) fn labelled(rows: &[Vec<String>], labels: &[String]) -> Option<String> {
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let cell = clean(cell);
            // Several labels may stand in one cell, with spaces between them.
            for piece in pieces(cell) {
                let (label, value) = match piece.split_once([':', '：']) {
                    Some((label, value)) => (canonical(label), value.trim()),
                    None => (canonical(piece), ""),
                };
                if !labels.contains(&label) {
                    continue;
                }
                if !value.is_empty() {
                    return Some(value.to_owned());
                }
                let next = row[at + 1..]
                    .iter()
                    .map(|cell| clean(cell))
                    .find(|cell| !cell.is_empty());
                if let Some(next) = next {
                    return Some(next.to_owned());
                }
            }
        }
    }
    None
}

/// A cell cut before each `label:`.
fn pieces(cell: &str) -> Vec<&str> {
    let mut cuts = vec![0];
    for (colon, _) in cell.match_indices([':', '：']) {
        let before = &cell[..colon];
        let word = before.trim_end().rfind(char::is_whitespace);
        if let Some((at, space)) = word.and_then(|at| Some((at, before[at..].chars().next()?))) {
            let label = before[at + space.len_utf8()..].trim();
            // A colon within a time is none behind a label.
            let is_label = label.chars().any(char::is_alphabetic);
            if is_label && cuts.last().is_some_and(|last| *last < at) {
                cuts.push(at + space.len_utf8());
            }
        }
    }
    cuts.push(cell.len());
    cuts.windows(2)
        .map(|ends| cell[ends[0]..ends[1]].trim())
        .collect()
}

/// The two days of a period, such as `2025-06-01 至 2025-06-30` or `20250601-20250630`.
pub(super) fn period(text: &str, mapping: &Mapping) -> Option<(Date, Date)> {
    let day = |text: &str| mapping.dates.iter().find_map(|format| format.read(text));
    let boundaries = text.char_indices().flat_map(|(at, c)| {
        let width = c.len_utf8();
        let separates = matches!(c, '-' | '~' | '至' | '到' | '—' | '–' | ' ' | '/' | '～' | '－');
        separates.then_some((at, at + width))
    });
    for (ends, begins) in boundaries {
        let trimmed = |text: &str| -> String {
            text.trim_matches(|c: char| {
                c.is_whitespace() || matches!(c, '-' | '~' | '至' | '到' | '—' | '–' | '～' | '－')
            })
            .to_owned()
        };
        if let (Some(from), Some(to)) = (day(&trimmed(&text[..ends])), day(&trimmed(&text[begins..]))) {
            return Some((from, to));
        }
    }
    None
}

/// No row of those at the top is the header.
pub(super) fn missing(mapping: &Mapping, twice: Option<String>) -> Violation {
    if let Some(heading) = twice {
        return Violation::new(
            format!("header, column {heading}"),
            "twice",
            "each column once: name the one that is meant in the mapping",
            "同名列只能出现一次:请在映射中写明所用的列",
        );
    }
    let wanted: Vec<String> = mapping
        .required()
        .into_iter()
        .map(|field| {
            let names = mapping.columns.iter().find(|(of, _)| *of == field);
            let names = names.map(|(_, names)| names.join(" / ")).unwrap_or_default();
            format!("{}: {names}", field.name())
        })
        .collect();
    let wanted = wanted.join("; ");
    let within = mapping.header_within;
    Violation::new(
        "header",
        "no row with all columns that the mapping needs",
        format!("among the first {within} rows, one with a heading of each: {wanted}"),
        format!("前 {within} 行中须有表头,含:{wanted}"),
    )
}
