//! Charts as SVG. A chart is as wide as a printed page, and comes in several parts where one page would not
//! hold it: no part is ever higher than a page. Coordinates are tenths of a pixel.
//!
//! Colours are of Okabe and Ito's palette (*Color Universal Design*, 2008), which colour-blind readers can tell
//! apart; what they mean is said a second time by hatching, side, sign or dashes, so that grey prints work.

mod bars;
mod lorenz;
mod matrix;
mod rows;
mod spread;

pub(super) use bars::{amounts, changes, indices, tornado};
pub(super) use lorenz::lorenz;
pub(super) use matrix::matrix;
pub(super) use spread::{Deviation, spreads};

use crate::report::markup::Markup;

/// The width of every chart: that of the printed part of an A4 page, 180 mm.
pub(super) const WIDTH: i64 = 6800;
/// The most that a part of a chart is high: a page less its heading and caption.
const HEIGHT: i64 = 8200;
/// The size of most text.
const TEXT: i64 = 110;
/// The size of what is said on axes.
const SMALL: i64 = 100;
/// From one line of text to the next.
const LEADING: i64 = 135;

/// Some characters, such as Y, J and dashes, reach a little beyond where they stand.
const OVERHANG: i64 = 15;

/// The parts of a chart, each with its own height.
pub(super) type Parts = Vec<Picture>;

/// What a text is aligned at.
#[derive(Debug, Clone, Copy)]
enum Align {
    Start,
    Middle,
    End,
}

/// One picture under construction.
#[derive(Debug, Default)]
pub(super) struct Picture {
    body: Markup,
    height: i64,
}

impl Picture {
    /// The whole picture, with a title and a description for those who do not see it.
    pub(super) fn finish(self, into: &mut Markup, id: &str, title: &str, description: &str) {
        let view = format!("0 0 {} {}", px(WIDTH), px(self.height));
        let (title_id, description_id) = (format!("{id}-t"), format!("{id}-d"));
        into.open(
            "svg",
            &[
                ("viewBox", &view),
                ("role", "img"),
                ("aria-labelledby", &format!("{title_id} {description_id}")),
            ],
        );
        into.element("title", &[("id", &title_id)], title)
            .element("desc", &[("id", &description_id)], description)
            .line()
            .raw(&self.body.finish())
            .close("svg")
            .line();
    }

    fn line(&mut self, class: &str, (x1, y1): (i64, i64), (x2, y2): (i64, i64)) {
        let at = [px(x1), px(y1), px(x2), px(y2)];
        let [x1, y1, x2, y2] = &at;
        self.body
            .empty(
                "line",
                &[("class", class), ("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2)],
            )
            .line();
    }

    /// A rectangle between two places, whichever is further left.
    fn bar(&mut self, class: &str, (from, to): (i64, i64), (top, height): (i64, i64)) {
        let (x, width) = (from.min(to), (from - to).abs());
        self.rectangle(&[("class", class)], (x, top), (width, height));
    }

    fn rectangle(&mut self, attributes: &[(&str, &str)], (x, y): (i64, i64), (width, height): (i64, i64)) {
        let at = [px(x), px(y), px(width), px(height)];
        let [x, y, width, height] = &at;
        let mut all = attributes.to_vec();
        all.extend([("x", x.as_str()), ("y", y), ("width", width), ("height", height)]);
        self.body.empty("rect", &all).line();
    }

    fn path(&mut self, class: &str, points: &str) {
        self.body.empty("path", &[("class", class), ("d", points)]).line();
    }

    fn text(&mut self, class: &str, align: Align, (x, baseline): (i64, i64), text: &str) {
        if text.is_empty() {
            return;
        }
        let class = match align {
            Align::Start => class.to_owned(),
            Align::Middle => format!("{class} mid"),
            Align::End => format!("{class} end"),
        };
        let (x, y) = (px(x), px(baseline));
        self.body
            .element("text", &[("class", class.trim()), ("x", &x), ("y", &y)], text)
            .line();
    }

    /// Lines of text, the middle of all at `middle`.
    fn lines(&mut self, class: &str, align: Align, (x, middle): (i64, i64), lines: &[String]) {
        let count = i64::try_from(lines.len()).unwrap_or(0);
        let mut baseline = middle - count * LEADING / 2 + LEADING - 35;
        for line in lines {
            self.text(class, align, (x, baseline), line);
            baseline += LEADING;
        }
    }
}

/// Tenths of a pixel as SVG writes them.
fn px(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    let magnitude = tenths.unsigned_abs();
    match magnitude % 10 {
        0 => format!("{sign}{}", magnitude / 10),
        rest => format!("{sign}{}.{rest}", magnitude / 10),
    }
}

/// Sizes `count` things into as few groups of at most `most` as it takes, as even as can be.
fn even_groups(count: usize, most: usize) -> usize {
    let groups = count.div_ceil(most.max(1)).max(1);
    count.div_ceil(groups).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_written_shortly() {
        assert_eq!([px(0), px(-5), px(1230), px(77)], ["0", "-0.5", "123", "7.7"]);
    }

    #[test]
    fn groups_are_even() {
        assert_eq!(
            [(50, 36), (20, 7), (9, 10), (0, 5), (1, 0)].map(|(count, most)| even_groups(count, most)),
            [25, 7, 9, 1, 1]
        );
    }
}
