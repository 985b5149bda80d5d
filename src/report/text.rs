//! Aligned text for a terminal.
//!
//! Lines are drawn in ASCII: terminals set to Chinese show box-drawing characters two columns wide.

use super::totals::totals;
use super::{Cell, TOTAL_LABEL, Table, label_position};
use comfy_table::{CellAlignment, LineStyle, presets};
use unicode_width::UnicodeWidthStr;

pub(super) fn render(table: &Table) -> Vec<u8> {
    let mut drawn = comfy_table::Table::new();
    drawn.load_style(presets::ASCII_FULL_CONDENSED.header_separator(LineStyle::new('+', '=', '+', '+')));
    drawn.set_header(table.columns.iter().enumerate().map(|(at, column)| {
        let numeric = column.total || table.rows.iter().any(|row| row[at].number().is_some());
        aligned(&column.header, numeric)
    }));
    for row in &table.rows {
        drawn.add_row(
            row.iter()
                .map(|cell| aligned(&cell.shown(), cell.number().is_some())),
        );
    }
    let totals = totals(table);
    if let Some(totals) = &totals {
        let label = label_position(table);
        drawn.add_row(totals.iter().enumerate().map(|(at, cell)| match cell {
            Cell::Empty if Some(at) == label => aligned(TOTAL_LABEL, false),
            cell => aligned(&cell.shown(), true),
        }));
    }
    let mut lines: Vec<String> = drawn.lines().collect();
    if totals.is_some() && !table.rows.is_empty() {
        // Above the totals the same rule as at the bottom.
        let rule = lines.last().cloned().unwrap_or_default();
        lines.insert(lines.len().saturating_sub(2), rule);
    }
    let width = lines.first().map_or(0, |line| line.width());
    let (title, unit) = (one_line(&table.title), one_line(&table.unit));
    let mut out = String::new();
    if !title.is_empty() {
        push_line(&mut out, width.saturating_sub(title.width()) / 2, &title);
    }
    if !unit.is_empty() {
        push_line(&mut out, width.saturating_sub(unit.width()), &unit);
    }
    for line in &lines {
        push_line(&mut out, 0, line);
    }
    for note in &table.notes {
        push_line(&mut out, 0, &one_line(note));
    }
    out.into_bytes()
}

fn push_line(out: &mut String, indent: usize, line: &str) {
    out.push_str(&" ".repeat(indent));
    out.push_str(line);
    out.push('\n');
}

fn aligned(text: &str, right: bool) -> comfy_table::Cell {
    let alignment = if right {
        CellAlignment::Right
    } else {
        CellAlignment::Left
    };
    comfy_table::Cell::new(one_line(text)).set_alignment(alignment)
}

/// Line breaks become spaces; other control characters, which a terminal would obey, are made visible.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}
