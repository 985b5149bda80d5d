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
    let totals = totals(table).map(|mut totals| {
        if let Some(label) = label_position(table).and_then(|at| totals.get_mut(at)) {
            *label = Cell::Text(TOTAL_LABEL.to_owned());
        }
        totals
    });
    page.raw("<div class=\"wide\">");
    if least_width(table, totals.as_deref()) <= WIDEST {
        page.open("table", &[("class", "whole")]);
    } else {
        page.open("table", &[]);
    }
    page.raw("\n<thead><tr>");
    for (at, column) in table.columns.iter().enumerate() {
        let mut numbers = table.rows.iter().filter_map(|row| row.get(at));
        let number = numbers.any(|cell| cell.number().is_some());
        let attributes: &[(&str, &str)] = if number {
            &[("scope", "col"), ("class", "number")]
        } else {
            &[("scope", "col")]
        };
        page.element("th", attributes, &column.header);
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for cells in &table.rows {
        row(page, cells);
    }
    page.raw("</tbody>\n");
    if let Some(totals) = totals {
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

/// Characters that fit side by side on A4 and on a screen, whatever the font.
const WIDEST: usize = 142;
/// What the margins of a cell take, in characters.
const MARGINS: usize = 2;
/// What is read in one piece: days, references, names of resources; what is longer may be broken.
const LONGEST_PIECE: usize = 24;

/// How many characters a table needs so that no word of it is broken.
///
/// A browser breaks words wherever it likes, or nowhere: where there is room for all of them nothing is broken, and
/// where there is not, a broken word is better than a column that is cut off.
fn least_width(table: &Table, totals: Option<&[Cell]>) -> usize {
    let columns = table.columns.iter().enumerate().map(|(at, column)| {
        let rows = table.rows.iter().map(Vec::as_slice).chain(totals);
        let cells = rows.filter_map(|row| row.get(at)).map(|cell| match cell {
            Cell::Text(text) if is_piece(text) => text.len(),
            Cell::Text(text) => longest_word(text),
            cell => cell.shown().len(),
        });
        cells
            .chain([longest_word(&column.header)])
            .max()
            .unwrap_or_default()
            + MARGINS
    });
    columns.sum()
}

/// Whether a text is one that is read in one piece.
fn is_piece(text: &str) -> bool {
    (1..=LONGEST_PIECE).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The longest run of characters between which no line may end: one may behind a hyphen, and behind anything Chinese.
fn longest_word(text: &str) -> usize {
    text.split(|c: char| c.is_whitespace() || !c.is_ascii() || c == '-')
        .map(|word| word.len() + 1)
        .max()
        .unwrap_or_default()
        .max(2)
}

fn row(page: &mut Markup, cells: &[Cell]) {
    page.raw("<tr>");
    for cell in cells {
        let class = match cell {
            Cell::Text(text) if is_piece(text) => Some("piece"),
            cell => cell.number().map(|_| "number"),
        };
        let attribute = class.map(|class| ("class", class));
        page.element("td", attribute.as_slice(), &cell.shown());
    }
    page.raw("</tr>\n");
}
