//! Grids: every combination of the values of some knobs, point by point, never all at once.

use super::scenario::{Change, Knob, Refusal, Setting};
use crate::domain::error::Violation;
use rust_decimal::Decimal;

/// Most axes of a sweep.
pub const MAX_AXES: usize = 16;

/// The values of an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// These, in this order.
    List(Vec<Decimal>),
    /// From one value in equal steps up to, or down to, another, which counts where a step meets it.
    Range {
        /// The first value.
        from: Decimal,
        /// The value not passed.
        to: Decimal,
        /// The step; its sign is that of the way from `from` to `to`.
        step: Decimal,
    },
}

/// A knob and the values it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// What varies.
    pub target: Knob,
    /// The values it takes.
    pub values: Values,
}

/// A grid over a base.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sweep {
    /// Changes that hold at every point.
    pub base_changes: Vec<Change>,
    /// The axes; of two neighbouring points it is the last that moves.
    pub axes: Vec<Axis>,
}

impl Values {
    /// How many there are; `None` where the step leads nowhere.
    pub fn count(&self) -> Option<u128> {
        match self {
            Self::List(values) => Some(values.len() as u128),
            Self::Range { from, to, step } => {
                let (from, to, step) = aligned(*from, *to, *step)?;
                let way = to.checked_sub(from)?;
                match (way, step) {
                    (0, _) => Some(1),
                    (_, 0) => None,
                    (way, step) if way.signum() == step.signum() => {
                        Some(way.unsigned_abs() / step.unsigned_abs() + 1)
                    }
                    _ => None,
                }
            }
        }
    }

    /// The value at a position; `None` beyond the last, and where 28 digits do not hold it.
    pub fn at(&self, position: u64) -> Option<Decimal> {
        match self {
            Self::List(values) => values.get(usize::try_from(position).ok()?).copied(),
            Self::Range { from, to, step } => {
                let scale = from.scale().max(to.scale()).max(step.scale());
                let (from, _, step) = aligned(*from, *to, *step)?;
                let value = step.checked_mul(position.into())?.checked_add(from)?;
                let value = Decimal::try_from_i128_with_scale(value, scale).ok()?;
                (u128::from(position) < self.count()?).then(|| value.normalize())
            }
        }
    }

    fn check(&self, field: &str) -> Result<u128, Violation> {
        let refused = |found: String| {
            Violation::new(
                field,
                found,
                "at least one value: a list, or a range whose step leads from one end to the other",
                "至少一个取值:列表,或步长方向正确且不为零的区间",
            )
        };
        match (self, self.count()) {
            (_, Some(count)) if count > 0 => Ok(count),
            (Self::List(_), _) => Err(refused("no value".to_owned())),
            (Self::Range { from, to, step }, _) => {
                Err(refused(format!("from {from} to {to} in steps of {step}")))
            }
        }
    }
}

/// Mantissas at one scale.
fn aligned(a: Decimal, b: Decimal, c: Decimal) -> Option<(i128, i128, i128)> {
    let scale = a.scale().max(b.scale()).max(c.scale());
    let mantissa = |value: Decimal| {
        let power = 10_i128.checked_pow(scale - value.scale())?;
        value.mantissa().checked_mul(power)
    };
    Some((mantissa(a)?, mantissa(b)?, mantissa(c)?))
}

impl Sweep {
    /// How many points there are, checked against a limit before anything is computed.
    pub fn points(&self, limit: u64) -> Result<u64, Refusal> {
        if self.axes.is_empty() || self.axes.len() > MAX_AXES {
            return Err(vec![Violation::new(
                "axes",
                self.axes.len().to_string(),
                format!("1 to {MAX_AXES} axes"),
                format!("1 至 {MAX_AXES} 个维度"),
            )]);
        }
        let mut wrong = Vec::new();
        let mut points: u128 = 1;
        for (at, axis) in self.axes.iter().enumerate() {
            if let Some(twin) = self.axes[..at]
                .iter()
                .position(|other| other.target == axis.target)
            {
                wrong.push(Violation::new(
                    format!("axes[{at}].target"),
                    format!("the same as axes[{twin}]"),
                    "each number on one axis",
                    "每个变量只能出现在一个维度上",
                ));
            }
            match axis.values.check(&format!("axes[{at}].values")) {
                Ok(count) => points = points.saturating_mul(count),
                Err(violation) => wrong.push(violation),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        match u64::try_from(points) {
            Ok(points) if points <= limit => Ok(points),
            _ => Err(vec![Violation::new(
                "axes",
                format!("{points} points"),
                format!("at most {limit} points"),
                format!("至多 {limit} 个测算点"),
            )]),
        }
    }

    /// The knobs of the axes, in their order: those of the plan to run it with.
    pub fn knobs(&self) -> Vec<Knob> {
        self.axes.iter().map(|axis| axis.target.clone()).collect()
    }

    /// Writes the settings of a point, one for each axis; false beyond the last point.
    pub fn point(&self, at: u64, settings: &mut Vec<Setting>) -> bool {
        settings.clear();
        settings.resize(self.axes.len(), (0, Decimal::ZERO));
        let mut rest = u128::from(at);
        for (position, axis) in self.axes.iter().enumerate().rev() {
            let Some(count) = axis.values.count().filter(|count| *count > 0) else {
                return false;
            };
            let Some(value) = u64::try_from(rest % count).ok().and_then(|at| axis.values.at(at)) else {
                return false;
            };
            settings[position] = (position, value);
            rest /= count;
        }
        rest == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::{How, Lever};
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    fn range(from: &str, to: &str, step: &str) -> Values {
        Values::Range {
            from: decimal(from),
            to: decimal(to),
            step: decimal(step),
        }
    }

    fn axis(lever: Lever, values: Values) -> Axis {
        Axis {
            target: Knob { lever, how: How::To },
            values,
        }
    }

    #[test]
    fn ranges_are_exact() {
        let values = range("40", "60", "0.1");
        assert_eq!(values.count(), Some(201));
        assert_eq!(values.at(3), Some(decimal("40.3")));
        assert_eq!(values.at(200), Some(decimal("60")));
        assert_eq!(values.at(201), None);
        assert_eq!(range("1", "0", "-0.3").at(3), Some(decimal("0.1")));
        assert_eq!(range("1", "0", "-0.3").count(), Some(4));
        assert_eq!(range("1", "0", "0.3").count(), None);
        assert_eq!(range("1", "2", "0").count(), None);
        assert_eq!(range("1", "1", "0").count(), Some(1));
    }

    #[test]
    fn the_last_axis_moves_first() {
        let sweep = Sweep {
            base_changes: Vec::new(),
            axes: vec![
                axis(Lever::Pool, range("100", "300", "100")),
                axis(
                    Lever::Bound { at: 0 },
                    Values::List(vec![decimal("7"), decimal("9")]),
                ),
            ],
        };
        assert_eq!(sweep.points(6), Ok(6));
        let mut settings = Vec::new();
        let points: Vec<Vec<Setting>> = (0..7)
            .map_while(|at| sweep.point(at, &mut settings).then(|| settings.clone()))
            .collect();
        assert_eq!(points.len(), 6);
        assert_eq!(points[1], [(0, decimal("100")), (1, decimal("9"))]);
        assert_eq!(points[4], [(0, decimal("300")), (1, decimal("7"))]);
    }

    #[test]
    fn refuses_too_many_points_before_it_starts() {
        let sweep = Sweep {
            base_changes: Vec::new(),
            axes: (0..3)
                .map(|at| axis(Lever::Bound { at }, range("1", "1000", "1")))
                .collect(),
        };
        let refusal = sweep.points(1_000_000).unwrap_err();
        assert_eq!(
            refusal[0].sentence_en(),
            "axes: found 1000000000 points, allowed: at most 1000000 points"
        );
        let endless = axis(Lever::Pool, range("0", "9999999999999999999999999999", "0.1"));
        let sweep = Sweep {
            base_changes: Vec::new(),
            axes: vec![endless.clone(), endless],
        };
        assert_eq!(sweep.points(10).unwrap_err()[0].field, "axes[1].target");
    }
}
