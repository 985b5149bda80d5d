//! What most charts here are: a row for each thing, its name on the left, a drawing on one scale in the middle,
//! figures on the right.

use super::{Align, HEIGHT, LEADING, OVERHANG, Parts, Picture, SMALL, TEXT, WIDTH};
use crate::report::simulation::figures::{Scale, Unit};
use crate::report::simulation::measure::{width, wrapped};

/// The widest that names get before they are broken.
const NAMES: i64 = 1700;
/// The most lines of a name.
const NAME_LINES: usize = 3;
/// The least height of a row.
const ROW: i64 = 220;
/// Between columns.
const GAP: i64 = 120;
/// The room that a tick's label is given beyond its text.
const TICK_GAP: i64 = 130;

/// A column of figures.
pub(super) struct Figures {
    pub(super) heading: String,
    pub(super) values: Vec<String>,
}

/// A chart of rows before it is drawn.
pub(super) struct Rows {
    pub(super) names: Vec<String>,
    pub(super) figures: Vec<Figures>,
    /// All values that the scale must show.
    pub(super) values: Vec<i128>,
    pub(super) unit: Unit,
    /// What stands at the axis, such as its unit.
    pub(super) axis: String,
    /// Where a line is drawn through all rows, such as at zero.
    pub(super) origin: i128,
}

/// The room for one row's drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band {
    pub(super) top: i64,
    pub(super) height: i64,
}

impl Band {
    pub(super) const fn middle(self) -> i64 {
        self.top + self.height / 2
    }
}

impl Rows {
    /// Draws the frame, and each row's drawing by `draw`.
    pub(super) fn draw(&self, mut draw: impl FnMut(&mut Picture, usize, Band, &Scale)) -> Parts {
        let names: Vec<Vec<String>> = (self.names.iter())
            .map(|name| wrapped(name, TEXT, NAMES, NAME_LINES))
            .collect();
        let left = names
            .iter()
            .flatten()
            .map(|line| width(line, TEXT))
            .max()
            .unwrap_or(0)
            + GAP;
        let columns: Vec<i64> = (self.figures.iter())
            .map(|column| {
                let values = column.values.iter().map(|value| width(value, TEXT));
                values.chain([width(&column.heading, SMALL)]).max().unwrap_or(0)
            })
            .collect();
        let taken: i64 = columns.iter().map(|column| column + GAP).sum();
        let scale = self.scale((left, (WIDTH - OVERHANG - taken).max(left + 500)));
        let heights: Vec<i64> = names
            .iter()
            .map(|lines| {
                let lines = i64::try_from(lines.len()).unwrap_or(1);
                ROW.max(lines * LEADING + 60)
            })
            .collect();
        let mut parts = Parts::new();
        for rows in split(&heights) {
            parts.push(self.part(rows, &names, &heights, &columns, &scale, &mut draw));
        }
        parts
    }

    /// As many ticks as their labels leave room for: labels depend on steps, and steps on how many there are.
    fn scale(&self, between: (i64, i64)) -> Scale {
        // The label at an end reaches beyond it by half: the places keep that far away from their neighbours.
        let mut room = 500;
        loop {
            let inset = room / 2;
            let inner = (between.0 + inset, between.1 - inset);
            let inner = if inner.1 - inner.0 < 200 { between } else { inner };
            let scale = Scale::new(self.values.iter().copied().chain([self.origin]), inner, room);
            let widest = (scale.ticks().iter())
                .map(|tick| width(&scale.label(*tick, self.unit), SMALL))
                .max();
            let wanted = widest.unwrap_or(0) + TICK_GAP;
            if wanted <= room || room > 3000 {
                return scale;
            }
            room = wanted.max(room + 50);
        }
    }

    fn part(
        &self,
        rows: std::ops::Range<usize>,
        names: &[Vec<String>],
        heights: &[i64],
        columns: &[i64],
        scale: &Scale,
        draw: &mut impl FnMut(&mut Picture, usize, Band, &Scale),
    ) -> Picture {
        let mut picture = Picture::default();
        let total: i64 = heights[rows.clone()].iter().sum();
        // The headings of figures stand on the line of the axis' name, ticks below.
        let top = 2 * LEADING + 90;
        picture.height = top + total + 30;
        let ticks = scale.ticks();
        let ends = (ticks.first().copied(), ticks.last().copied());
        if let (Some(first), Some(last)) = ends {
            let middle = (scale.at(first) + scale.at(last)) / 2;
            picture.text("axis", Align::Middle, (middle, LEADING - 30), &self.axis);
        }
        // Where amounts are so long that they leave hardly any room, some labels are left out.
        let taken: i64 = columns.iter().map(|column| column + GAP).sum();
        let (mut free, end) = (0, WIDTH - taken + GAP / 2);
        for tick in &ticks {
            let x = scale.at(*tick);
            let label = scale.label(*tick, self.unit);
            let half = width(&label, SMALL) / 2;
            if x - half >= free && x + half <= end {
                picture.text("axis", Align::Middle, (x, 2 * LEADING - 10), &label);
                free = x + half + 50;
            }
            picture.line("grid", (x, top - 50), (x, top + total));
        }
        let mut right = WIDTH - OVERHANG;
        let mut edges = Vec::new();
        for (column, column_width) in self.figures.iter().zip(columns).rev() {
            picture.text("axis", Align::End, (right, 2 * LEADING - 10), &column.heading);
            edges.push((column, right));
            right -= column_width + GAP;
        }
        let mut y = top;
        for row in rows {
            let height = heights[row];
            let middle = y + height / 2;
            picture.lines("", Align::Start, (OVERHANG, middle), &names[row]);
            for (column, edge) in &edges {
                if let Some(value) = column.values.get(row) {
                    picture.text("num", Align::End, (*edge, middle + 38), value);
                }
            }
            let drawn = Band {
                top: middle - ROW / 2 + 35,
                height: ROW - 70,
            };
            draw(&mut picture, row, drawn, scale);
            y += height;
            picture.line("rule", (0, y), (WIDTH, y));
        }
        let x = scale.at(self.origin);
        picture.line("origin", (x, top - 50), (x, top + total));
        picture
    }
}

/// Rows that go into one picture, as even as whole rows allow.
fn split(heights: &[i64]) -> Vec<std::ops::Range<usize>> {
    let total: i64 = heights.iter().sum();
    let parts = (total + HEIGHT - 1) / HEIGHT;
    let fair = total / parts.max(1);
    let mut ranges = Vec::new();
    let (mut from, mut height) = (0, 0);
    for (at, row) in heights.iter().enumerate() {
        if at > from && (height + row > HEIGHT || height >= fair) {
            ranges.push(from..at);
            (from, height) = (at, 0);
        }
        height += row;
    }
    ranges.push(from..heights.len());
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_is_higher_than_a_page() {
        for heights in [vec![220; 50], vec![465; 50], vec![220], vec![], vec![220; 3000]] {
            let ranges = split(&heights);
            assert_eq!(
                ranges.iter().map(ExactSizeIterator::len).sum::<usize>(),
                heights.len()
            );
            for range in ranges {
                assert!(heights[range].iter().sum::<i64>() <= HEIGHT);
            }
        }
        assert_eq!(split(&[220; 50]).len(), 2);
    }
}
