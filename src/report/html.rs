//! Tables as one page that needs nothing else: it opens offline, has no script, and prints on A4.

use super::markup::Markup;
use super::totals::totals;
use super::{Cell, TOTAL_LABEL, Table, label_position};

const STYLE: &str = include_str!("table.css");

/// What the browser is told to refuse, should a text ever get out of its place: everything but the style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A page with a section for each table, in their order.
pub(super) fn render(tables: &[Table]) -> Vec<u8> {
    let title = tables
        .first()
        .map(|table| table.title.as_str())
        .unwrap_or_default();
    let mut page = Markup::default();
    page.raw("<!DOCTYPE html>\n<html lang=\"zh-Hans\">\n<head>\n<meta charset=\"utf-8\">\n")
        .open(
            "meta",
            &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)],
        )
        .raw("\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .element("title", &[], title)
        .raw("\n<style>\n")
        .raw(STYLE)
        .raw("</style>\n</head>\n<body>\n<main>\n");
    for (at, table) in tables.iter().enumerate() {
        section(&mut page, table, if at == 0 { "h1" } else { "h2" });
    }
    page.raw("</main>\n</body>\n</html>\n");
    page.finish().into_bytes()
}

fn section(page: &mut Markup, table: &Table, heading: &str) {
    page.raw("<section>").line();
    page.element(heading, &[], &table.title).line();
    if !table.unit.is_empty() {
        page.element("p", &[("class", "unit")], &table.unit).line();
    }
    page.raw("<div class=\"wide\"><table>\n<thead><tr>");
    for column in &table.columns {
        page.element("th", &[("scope", "col")], &column.header);
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for cells in &table.rows {
        row(page, cells);
    }
    page.raw("</tbody>\n");
    if let Some(mut totals) = totals(table) {
        if let Some(label) = label_position(table).and_then(|at| totals.get_mut(at)) {
            *label = Cell::Text(TOTAL_LABEL.to_owned());
        }
        page.raw("<tfoot>\n");
        row(page, &totals);
        page.raw("</tfoot>\n");
    }
    page.raw("</table></div>\n");
    for note in &table.notes {
        page.element("p", &[], note).line();
    }
    page.raw("</section>\n");
}

fn row(page: &mut Markup, cells: &[Cell]) {
    page.raw("<tr>");
    for cell in cells {
        let attributes: &[(&str, &str)] = if cell.number().is_some() {
            &[("class", "number")]
        } else {
            &[]
        };
        page.element("td", attributes, &cell.shown());
    }
    page.raw("</tr>\n");
}
