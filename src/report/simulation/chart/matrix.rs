//! A matrix with a number in every cell; the colour says the same once more: the darker, the more.

use super::{Align, HEIGHT, LEADING, OVERHANG, Parts, Picture, SMALL, TEXT, WIDTH, even_groups};
use crate::report::simulation::figures::{self, Unit};
use crate::report::simulation::measure::{width, wrapped};
use crate::report::simulation::{AxisValue, Language, Measure, SweepAxis, SweepSection};

/// The widest that names on the left get before they are broken.
const NAMES: i64 = 1700;
/// The least width of a column that is headed by a name.
const NAMED: i64 = 860;
/// The most width of a column.
const WIDEST: i64 = 1100;
/// The most lines of a name above a column.
const HEADING_LINES: usize = 4;
const ROW: i64 = 230;
const GAP: i64 = 100;

/// Colours from which and to which cells go: white to blue for amounts and gains, white to orange for losses.
/// Even the darkest leaves black text readable (contrast above 7, WCAG 2.2 AAA).
const LIGHT: [i128; 3] = [255, 255, 255];
const BLUE: [i128; 3] = [110, 172, 214];
const ORANGE: [i128; 3] = [240, 158, 96];

/// A matrix that is drawn.
pub(in crate::report::simulation) struct Matrix {
    /// Its pictures.
    pub(in crate::report::simulation) parts: Parts,
    /// What its amounts are counted in.
    pub(in crate::report::simulation) unit: Unit,
    /// Its least figure.
    pub(in crate::report::simulation) least: String,
    /// Its greatest figure.
    pub(in crate::report::simulation) most: String,
    /// Whether a cell was refused.
    pub(in crate::report::simulation) refused: bool,
}

/// Draws a matrix.
pub(in crate::report::simulation) fn matrix(sweep: &SweepSection, language: Language) -> Matrix {
    let drawing = Drawing::new(sweep, language);
    let measures = || sweep.cells.iter().flatten().copied();
    let known = || measures().filter_map(|measure| Some((figures::weight(measure)?, measure)));
    let text = |found: Option<(i128, Measure)>| {
        found.map_or_else(
            || figures::NONE.to_owned(),
            |(_, measure)| shown(measure, drawing.unit),
        )
    };
    Matrix {
        parts: drawing.parts(),
        unit: drawing.unit,
        least: text(known().min_by_key(|(weight, _)| *weight)),
        most: text(known().max_by_key(|(weight, _)| *weight)),
        refused: measures().any(|measure| measure == Measure::Refused),
    }
}

fn shown(measure: Measure, unit: Unit) -> String {
    match measure {
        Measure::Money(amount) => figures::rounded(i128::from(amount.fen()), unit.scale(), 2, false),
        Measure::Change(amount) => figures::rounded(i128::from(amount.fen()), unit.scale(), 2, true),
        Measure::Number(value) => figures::decimal_to(value, 4),
        Measure::Refused => figures::NONE.to_owned(),
    }
}

fn exact(measure: Measure, language: Language) -> String {
    let yuan = language.say("yuan", "元");
    match measure {
        Measure::Money(amount) => format!("{} {yuan}", figures::money(amount)),
        Measure::Change(amount) => format!("{} {yuan}", figures::change(amount)),
        Measure::Number(value) => figures::decimal(value),
        Measure::Refused => language.say("no allocation here", "此处无法分配").to_owned(),
    }
}

struct Drawing<'s> {
    sweep: &'s SweepSection,
    language: Language,
    unit: Unit,
    /// The least and the greatest weight.
    range: (i128, i128),
    signed: bool,
}

impl<'s> Drawing<'s> {
    fn new(sweep: &'s SweepSection, language: Language) -> Self {
        let cells = || sweep.cells.iter().flatten();
        let weights = || cells().filter_map(|cell| figures::weight(*cell));
        let amounts = cells().filter_map(|cell| match cell {
            Measure::Money(amount) | Measure::Change(amount) => Some(i128::from(amount.fen()).abs()),
            Measure::Number(_) | Measure::Refused => None,
        });
        Self {
            sweep,
            language,
            unit: Unit::suiting(amounts.max().unwrap_or(0)),
            range: (weights().min().unwrap_or(0), weights().max().unwrap_or(0)),
            signed: cells().any(|cell| matches!(cell, Measure::Change(_))),
        }
    }

    fn label(&self, value: &AxisValue) -> String {
        match value {
            AxisValue::Number(number) => figures::decimal(*number),
            AxisValue::Name(name) => self.language.of(name).to_owned(),
        }
    }

    fn labels(&self, axis: &SweepAxis) -> Vec<String> {
        axis.values.iter().map(|value| self.label(value)).collect()
    }

    fn parts(&self) -> Parts {
        let names: Vec<Vec<String>> = (self.labels(&self.sweep.down).iter())
            .map(|label| wrapped(label, TEXT, NAMES, 2))
            .collect();
        let corner = wrapped(
            self.language.of(&self.sweep.down.name),
            SMALL,
            NAMES,
            HEADING_LINES,
        );
        let left = (names.iter().flatten().map(|line| width(line, TEXT)))
            .chain(corner.iter().map(|line| width(line, SMALL)))
            .max()
            .unwrap_or(0)
            + GAP;
        let figures = (self.sweep.cells.iter().flatten())
            .map(|cell| width(&shown(*cell, self.unit), SMALL) + 80)
            .max()
            .unwrap_or(0);
        let headings = (self.sweep.across.values.iter())
            .map(|value| match value {
                AxisValue::Number(_) => width(&self.label(value), TEXT) + 80,
                AxisValue::Name(_) => NAMED,
            })
            .max()
            .unwrap_or(0);
        let needed = figures.max(headings).max(440);
        let fitting = usize::try_from((WIDTH - left) / needed).unwrap_or(1).max(1);
        let across = self.sweep.across.values.len();
        let columns = even_groups(across, fitting);
        let column = ((WIDTH - left) / i64::try_from(columns).unwrap_or(1)).clamp(needed, WIDEST.max(needed));
        let headings: Vec<Vec<String>> = (self.labels(&self.sweep.across).iter())
            .map(|label| wrapped(label, TEXT, column - 80, HEADING_LINES))
            .collect();
        let head = headings.iter().map(Vec::len).max().unwrap_or(1).max(corner.len());
        let head = i64::try_from(head).unwrap_or(1) * LEADING + 2 * LEADING;
        let row = if names.iter().any(|lines| lines.len() > 1) {
            ROW.max(2 * LEADING + 60)
        } else {
            ROW
        };
        let fitting = usize::try_from((HEIGHT - head) / row).unwrap_or(1);
        let rows = even_groups(names.len(), fitting);
        let mut parts = Parts::new();
        for first in (0..names.len()).step_by(rows) {
            for from in (0..across).step_by(columns) {
                let frame = Frame {
                    rows: first..(first + rows).min(names.len()),
                    columns: from..(from + columns).min(across),
                    left,
                    head,
                    row,
                    column,
                };
                parts.push(self.part(&frame, &names, &headings, &corner));
            }
        }
        parts
    }

    fn part(
        &self,
        frame: &Frame,
        names: &[Vec<String>],
        headings: &[Vec<String>],
        corner: &[String],
    ) -> Picture {
        let mut picture = Picture::default();
        let right = frame.x(frame.columns.end);
        let title = wrapped(
            self.language.of(&self.sweep.across.name),
            SMALL,
            WIDTH - frame.left,
            1,
        );
        picture.lines("axis", Align::Start, (frame.left + 40, LEADING / 2), &title);
        let middle = (LEADING + frame.head) / 2;
        picture.lines("axis", Align::Start, (OVERHANG, middle), corner);
        for at in frame.columns.clone() {
            let x = frame.x(at) + frame.column / 2;
            picture.lines("", Align::Middle, (x, middle), &headings[at]);
        }
        for at in frame.rows.clone() {
            let y = frame.y(at);
            picture.lines("", Align::Start, (OVERHANG, y + frame.row / 2), &names[at]);
            for across in frame.columns.clone() {
                let measure = self.sweep.cells[at][across];
                self.cell(&mut picture, frame, (across, at), measure);
            }
        }
        let bottom = frame.y(frame.rows.end);
        picture.line("rule", (0, frame.head), (right, frame.head));
        picture.line("rule", (0, bottom), (right, bottom));
        if let Some((down, across)) = self.sweep.base
            && frame.rows.contains(&down)
            && frame.columns.contains(&across)
        {
            let inner = (frame.column - 30, frame.row - 30);
            let place = (frame.x(across) + 15, frame.y(down) + 15);
            picture.rectangle(&[("class", "here")], place, inner);
        }
        picture.height = bottom + 20;
        picture
    }

    fn cell(&self, picture: &mut Picture, frame: &Frame, (across, down): (usize, usize), measure: Measure) {
        let (x, y) = (frame.x(across), frame.y(down));
        let size = (frame.column, frame.row);
        picture.body.raw("<g>");
        picture.body.element("title", &[], &exact(measure, self.language));
        match figures::weight(measure) {
            Some(weight) => {
                let fill = self.colour(weight);
                picture.rectangle(&[("class", "cell"), ("fill", &fill)], (x, y), size);
            }
            None => picture.rectangle(&[("class", "cell refused")], (x, y), size),
        }
        let place = (x + frame.column / 2, y + frame.row / 2 + 35);
        picture.text("figure", Align::Middle, place, &shown(measure, self.unit));
        picture.body.raw("</g>\n");
    }

    fn colour(&self, weight: i128) -> String {
        let (least, most) = self.range;
        let (part, whole, to) = if self.signed {
            let to = if weight < 0 { ORANGE } else { BLUE };
            (weight.abs(), least.abs().max(most.abs()), to)
        } else {
            (weight.saturating_sub(least), most.saturating_sub(least), BLUE)
        };
        mix(part, whole, to)
    }
}

/// The colour at `part` of `whole` of the way.
fn mix(part: i128, whole: i128, to: [i128; 3]) -> String {
    // Weights of decimals can be very large: a thousandth is more than an eye can tell.
    let thousandths = if whole <= 0 {
        0
    } else if whole > 1_000_000_000 {
        (part / (whole / 1000)).clamp(0, 1000)
    } else {
        (part * 1000 / whole).clamp(0, 1000)
    };
    let mut colour = "#".to_owned();
    for (from, to) in LIGHT.into_iter().zip(to) {
        let channel = from + (to - from) * thousandths / 1000;
        colour.push_str(&format!("{channel:02x}"));
    }
    colour
}

struct Frame {
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    left: i64,
    head: i64,
    row: i64,
    column: i64,
}

impl Frame {
    fn x(&self, column: usize) -> i64 {
        self.left + i64::try_from(column - self.columns.start).unwrap_or(0) * self.column
    }

    fn y(&self, row: usize) -> i64 {
        self.head + i64::try_from(row - self.rows.start).unwrap_or(0) * self.row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_darkest_cell_leaves_black_text_readable() {
        // Relative luminance and contrast ratio, WCAG 2.2.
        let luminance = |colour: [i128; 3]| {
            let channel = |value: i128| {
                let value = value as f64 / 255.0;
                if value <= 0.04045 {
                    value / 12.92
                } else {
                    ((value + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * channel(colour[0]) + 0.7152 * channel(colour[1]) + 0.0722 * channel(colour[2])
        };
        for colour in [BLUE, ORANGE] {
            let contrast = (luminance(colour) + 0.05) / (luminance([0x1a; 3]) + 0.05);
            assert!(contrast > 7.0, "{contrast}");
        }
    }

    #[test]
    fn colours_run_from_white_to_full() {
        assert_eq!(mix(0, 10, BLUE), "#ffffff");
        assert_eq!(mix(10, 10, BLUE), "#6eacd6");
        assert_eq!(mix(5, 0, BLUE), "#ffffff");
        assert_eq!(mix(i128::MAX, i128::MAX, ORANGE), "#f09e60");
    }
}
