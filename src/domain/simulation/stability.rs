//! Stability: how far a knob can move before any two regions change their order.
//!
//! Two regions are in order `a` above `b`, `b` above `a`, or level. The order is that of the amounts, exact, at every
//! value of the grid; see [`super::grid`] for how values are searched and when the answer is certain.

use super::grid::{Direction, Grid, Search};
use super::model::Model;
use super::scenario::{Refusal, Setting};

/// Two regions whose order is another than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// The row of the one that was above (or, of two that were level, of the first).
    pub above: usize,
    /// The row of the other.
    pub below: usize,
}

/// Where the order changes first in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The last value with the order as it is.
    pub last: rust_decimal::Decimal,
    /// The next value, at which it is another, or has no amounts.
    pub value: rust_decimal::Decimal,
    /// Neighbours in the order as it is, of which one has come level with or past the other; or level ones that
    /// have come apart.
    pub crossings: Vec<Crossing>,
    /// Why the formula has no amounts there, where it has none.
    pub refusal: Option<Refusal>,
}

/// How far a knob can move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stability {
    /// Rows by amount, largest first; level ones by row.
    pub order: Vec<usize>,
    /// The first change of order below; none where it holds down to the end of the grid.
    pub down: Option<Break>,
    /// The first change of order above.
    pub up: Option<Break>,
    /// How sure that is.
    pub search: Search,
}

/// Rows by amount, largest first; level ones by row.
fn order(amounts: &[i64]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..amounts.len()).collect();
    rows.sort_by_key(|&row| (std::cmp::Reverse(amounts[row]), row));
    rows
}

/// Neighbours of an order whose comparison has changed; none means that no pair's has.
fn crossings<'a>(
    order: &'a [usize],
    before: &'a [i64],
    now: &'a [i64],
) -> impl Iterator<Item = Crossing> + 'a {
    // If every two neighbours compare as before, so do any two, since comparing is transitive.
    order.windows(2).filter_map(move |pair| {
        let (above, below) = (pair[0], pair[1]);
        let changed = now[above].cmp(&now[below]) != before[above].cmp(&before[below]);
        changed.then_some(Crossing { above, below })
    })
}

/// Measures how far one knob can move; `fixed` are settings of other knobs.
pub fn measure(
    grid: &Grid,
    knob: usize,
    fixed: &[Setting],
    model: &mut impl Model,
) -> Result<Stability, Refusal> {
    grid.check("grid")?;
    let mut settings = fixed.to_vec();
    settings.push((knob, grid.start));
    let last = fixed.len();
    let before = model.amounts(&settings)?.to_vec();
    let order = order(&before);
    let mut search = Search::Walked;
    let mut look = |direction: Direction| {
        let most = grid.count(direction).unwrap_or(0);
        let found = grid.first(most, |steps| {
            settings[last].1 = grid.value(direction, steps);
            match model.amounts(&settings) {
                Ok(now) => crossings(&order, &before, now).next().is_some(),
                Err(_) => true,
            }
        });
        search = super::goal::worse(search, found.search);
        found.steps.map(|steps| {
            let value = grid.value(direction, steps);
            settings[last].1 = value;
            let (crossings, refusal) = match model.amounts(&settings) {
                Ok(now) => (crossings(&order, &before, now).collect(), None),
                Err(refusal) => (Vec::new(), Some(refusal)),
            };
            Break {
                last: grid.value(direction, steps - 1),
                value,
                crossings,
                refusal,
            }
        })
    };
    let (down, up) = (look(Direction::Down), look(Direction::Up));
    Ok(Stability {
        order,
        down,
        up,
        search,
    })
}
