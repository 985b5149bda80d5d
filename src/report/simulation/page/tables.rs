//! Tables of the page.

use crate::report::markup::Markup;
use crate::report::simulation::measure::width;
use std::ops::Range;

/// How wide a table can be, in thousandths of its font size (680 pixels at 8 points when printed, less on screen).
const PAGE: i64 = 61_500;
/// How wide a column of text is at least.
const HEADING: i64 = 6_000;
/// The padding of a cell.
const PADDING: i64 = 1_150;

/// A cell of a table.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// Text.
    Text(String),
    /// A name with a code or another remark beneath it.
    Named(String, String),
    /// A figure.
    Figure(String),
    /// A figure that is coloured by its sign.
    Change(String, i64),
}

/// A table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) caption: String,
    /// Headings, and whether the column holds figures.
    pub(super) columns: Vec<(String, bool)>,
    /// Rows; the first cell is the row's heading.
    pub(super) rows: Vec<Vec<Cell>>,
    /// A row of sums.
    pub(super) totals: Option<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(caption: &str) -> Self {
        Self {
            caption: caption.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn text(mut self, heading: &str) -> Self {
        self.columns.push((heading.to_owned(), false));
        self
    }

    pub(super) fn figures(mut self, heading: &str) -> Self {
        self.columns.push((heading.to_owned(), true));
        self
    }

    /// Writes the table, or several one after the other where it is too wide for A4: each has the first column.
    pub(super) fn write(&self, page: &mut Markup) {
        let mut from = 1;
        loop {
            let mut to = from;
            let mut room = PAGE - HEADING;
            while to < self.columns.len() && (to == from || self.width(to) <= room) {
                room -= self.width(to);
                to += 1;
            }
            self.write_columns(page, from..to);
            if to >= self.columns.len() {
                return;
            }
            from = to;
        }
    }

    /// How wide a column is at least, in thousandths of the font size.
    fn width(&self, column: usize) -> i64 {
        let figures = (self.rows.iter().chain(&self.totals))
            .filter_map(|row| match row.get(column) {
                Some(Cell::Figure(text) | Cell::Change(text, _)) => Some(width(text, 1000)),
                Some(Cell::Text(_) | Cell::Named(..)) | None => None,
            })
            .max();
        figures.unwrap_or(HEADING) + PADDING
    }

    fn write_columns(&self, page: &mut Markup, columns: Range<usize>) {
        let shown = |row: &[Cell]| -> Vec<Cell> {
            let rest = row.get(columns.clone()).unwrap_or_default();
            row.first().into_iter().chain(rest).cloned().collect()
        };
        page.raw("<div class=\"wide\"><table>");
        if !self.caption.is_empty() {
            page.element("caption", &[], &self.caption);
        }
        page.raw("<thead><tr>");
        let rest = self.columns.get(columns.clone()).unwrap_or_default();
        for (heading, figures) in self.columns.first().into_iter().chain(rest) {
            let class = if *figures { "n" } else { "" };
            page.element("th", &[("scope", "col"), ("class", class)], heading);
        }
        page.raw("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            write_row(page, &shown(row));
        }
        page.raw("</tbody>");
        if let Some(totals) = &self.totals {
            page.raw("\n<tfoot>");
            write_row(page, &shown(totals));
            page.raw("</tfoot>");
        }
        page.raw("</table></div>\n");
    }
}

fn write_row(page: &mut Markup, row: &[Cell]) {
    page.raw("<tr>");
    for (at, cell) in row.iter().enumerate() {
        let (name, scope) = if at == 0 {
            ("th", Some(("scope", "row")))
        } else {
            ("td", None)
        };
        let with = |class: &'static str| {
            scope
                .into_iter()
                .chain((!class.is_empty()).then_some(("class", class)))
                .collect::<Vec<_>>()
        };
        match cell {
            Cell::Text(text) => page.element(name, &with(""), text),
            Cell::Named(text, remark) => {
                page.open(name, &with("")).text(text);
                if !remark.is_empty() {
                    page.raw(" ")
                        .element("span", &[("class", remark_class(remark))], remark);
                }
                page.close(name)
            }
            Cell::Figure(text) => page.element(name, &with("n"), text),
            Cell::Change(text, sign) => {
                let class = match sign.signum() {
                    1 => "n up",
                    -1 => "n down",
                    _ => "n",
                };
                page.element(name, &with(class), text)
            }
        };
    }
    page.raw("</tr>\n");
}

/// Codes and figures stay on one line, sentences need not.
fn remark_class(remark: &str) -> &'static str {
    if remark.len() <= 40 && !remark.contains(' ') && remark.is_ascii()
        || remark.starts_with(['+', '\u{2212}'])
    {
        "code"
    } else {
        "remark"
    }
}
