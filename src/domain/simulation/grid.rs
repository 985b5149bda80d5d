//! Searching along one knob: the first value, going away from where it stands, at which something holds.
//!
//! Values lie on a grid of equal steps through the present value, so that "the smallest change" has a meaning and
//! an answer that can be checked. A grid that is not too long is walked value by value: the answer is exact whatever the
//! amounts do. A longer one is scanned at equal distances for the first value where it holds, the piece before
//! it bisected, and what lies directly before the value so found walked as a check.

use super::scenario::Refusal;
use crate::domain::error::Violation;
use rust_decimal::Decimal;

/// Longest way walked value by value where nothing else is said.
pub const WALKED: u64 = 20_000;

/// The values of one knob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// The value now: the grid goes through it.
    pub start: Decimal,
    /// The least value allowed.
    pub low: Decimal,
    /// The largest value allowed.
    pub high: Decimal,
    /// The step.
    pub step: Decimal,
    /// Longest way walked value by value.
    pub walked: u64,
}

/// Which way from the present value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To smaller values.
    Down,
    /// To larger values.
    Up,
}

/// How sure a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Every value up to the answer was computed.
    Walked,
    /// Values at this distance, in steps, the piece in question by bisection, and the values next to the answer:
    /// right unless it holds for a shorter stretch than this distance somewhere nearer.
    Scanned(u64),
}

/// Where something was found first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Steps from the present value; `None` where it holds nowhere.
    pub(super) steps: Option<u64>,
    pub(super) search: Search,
}

impl Grid {
    /// Refuses a grid that is none.
    pub fn check(&self, field: &str) -> Result<(), Refusal> {
        let fits = self.step > Decimal::ZERO
            && self.low <= self.start
            && self.start <= self.high
            && self.count(Direction::Up).is_some()
            && self.count(Direction::Down).is_some();
        if fits && self.walked > 0 {
            return Ok(());
        }
        Err(vec![Violation::new(
            field,
            format!(
                "{} to {} in steps of {} through {}",
                self.low, self.high, self.step, self.start
            ),
            "a step above zero, and limits with the present value between them",
            "步长大于零,且当前值在上下限之间",
        )])
    }

    /// How many steps there are in a direction.
    pub(super) fn count(&self, direction: Direction) -> Option<u64> {
        let way = match direction {
            Direction::Up => self.high.checked_sub(self.start)?,
            Direction::Down => self.start.checked_sub(self.low)?,
        };
        let scale = way.scale().max(self.step.scale());
        let mantissa = |value: Decimal| {
            let power = 10_i128.checked_pow(scale - value.scale())?;
            value.mantissa().checked_mul(power)
        };
        u64::try_from(mantissa(way)?.checked_div(mantissa(self.step)?)?).ok()
    }

    /// The value so many steps away; `count` has seen to it that there is one.
    pub(super) fn value(&self, direction: Direction, steps: u64) -> Decimal {
        let way = Decimal::from(steps).checked_mul(self.step).unwrap_or_default();
        let value = match direction {
            Direction::Up => self.start.checked_add(way),
            Direction::Down => self.start.checked_sub(way),
        };
        value.unwrap_or(self.start).normalize()
    }

    /// The fewest steps, from 1 to `most`, at which `holds`.
    pub(super) fn first(&self, most: u64, mut holds: impl FnMut(u64) -> bool) -> Found {
        if most <= self.walked {
            return Found {
                steps: (1..=most).find(|&steps| holds(steps)),
                search: Search::Walked,
            };
        }
        let distance = most.div_ceil(self.walked);
        let search = Search::Scanned(distance);
        let mut before = 0;
        let hit = loop {
            if before == most {
                return Found { steps: None, search };
            }
            let next = before.saturating_add(distance).min(most);
            if holds(next) {
                break next;
            }
            before = next;
        };
        let (mut not, mut yes) = (before, hit);
        while yes - not > 1 {
            let middle = not + (yes - not) / 2;
            if holds(middle) {
                yes = middle;
            } else {
                not = middle;
            }
        }
        // Rounding makes amounts flicker by a unit just before a threshold: look there value by value.
        let from = yes.saturating_sub(self.walked).max(before).max(1);
        let nearest = (from..yes).find(|&steps| holds(steps)).unwrap_or(yes);
        Found {
            steps: Some(nearest),
            search,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    fn grid(walked: u64) -> Grid {
        Grid {
            start: decimal("50"),
            low: decimal("0"),
            high: decimal("100"),
            step: decimal("0.03"),
            walked,
        }
    }

    #[test]
    fn goes_through_the_present_value() {
        let grid = grid(WALKED);
        assert_eq!(grid.count(Direction::Up), Some(1_666));
        assert_eq!(grid.value(Direction::Up, 1), decimal("50.03"));
        assert_eq!(grid.value(Direction::Down, 1_666), decimal("0.02"));
        assert!(grid.check("grid").is_ok());
        for wrong in [
            Grid {
                step: decimal("0"),
                ..grid
            },
            Grid {
                start: decimal("101"),
                ..grid
            },
            Grid { walked: 0, ..grid },
        ] {
            assert_eq!(wrong.check("grid").unwrap_err()[0].field, "grid");
        }
    }

    proptest! {
        #[test]
        fn scanning_finds_what_walking_finds_where_it_holds_from_a_value_on(
            most in 1..5_000_u64, from in 1..6_000_u64, walked in 1..400_u64, flicker in 0..3_u64,
        ) {
            // It holds at one value shortly before, too, as amounts do that flicker by a unit.
            let early = from.saturating_sub(flicker + 1);
            let holds = |steps: u64| steps >= from || (steps == early && flicker < 2 && walked > 2);
            let walk = grid(10_000).first(most, holds);
            let scan = grid(walked).first(most, holds);
            let near = early >= 1 && walk.steps == Some(early) && scan.steps == Some(from).filter(|_| from <= most);
            prop_assert!(walk.steps == scan.steps || near && matches!(scan.search, Search::Scanned(_)));
        }

        #[test]
        fn walking_is_brute_force(most in 1..200_u64, set in prop::collection::btree_set(1..250_u64, 0..5)) {
            let found = grid(WALKED).first(most, |steps| set.contains(&steps));
            prop_assert_eq!(found.steps, set.iter().copied().find(|steps| *steps <= most));
        }
    }
}
