//! Tables of the page.

use crate::report::simulation::markup::Markup;

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

    pub(super) fn write(&self, page: &mut Markup) {
        page.raw("<div class=\"wide\"><table>");
        if !self.caption.is_empty() {
            page.element("caption", &[], &self.caption);
        }
        page.raw("<thead><tr>");
        for (heading, figures) in &self.columns {
            let class = if *figures { "n" } else { "" };
            page.element("th", &[("scope", "col"), ("class", class)], heading);
        }
        page.raw("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            write_row(page, row);
        }
        page.raw("</tbody>");
        if let Some(totals) = &self.totals {
            page.raw("\n<tfoot>");
            write_row(page, totals);
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
        let with = |class| {
            scope
                .into_iter()
                .chain((class != "").then_some(("class", class)))
                .collect::<Vec<_>>()
        };
        match cell {
            Cell::Text(text) => page.element(name, &with(""), text),
            Cell::Named(text, remark) => {
                page.open(name, &with("")).text(text);
                if !remark.is_empty() {
                    page.raw(" ").element("span", &[("class", "code")], remark);
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
