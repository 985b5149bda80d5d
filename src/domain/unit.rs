//! Units of measure: what an indicator counts in, and which units may be added, compared or paid.

use super::error::Violation;
use std::collections::BTreeMap;
use std::fmt;

/// A base quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Base {
    /// People.
    Person,
    /// Households.
    Household,
    /// Homes or other buildings.
    Dwelling,
    /// Money in yuan.
    Yuan,
    /// Floor area in square metres.
    SquareMetre,
    /// Points of an evaluation.
    Point,
}

/// A named unit: a base quantity (none for a bare number) and how many decimal places it is shifted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Code in documents and in the API.
    pub code: &'static str,
    /// Chinese name, read as well.
    pub zh: &'static str,
    /// The base quantity.
    pub base: Option<Base>,
    /// One unit is `10^power` of the base quantity.
    pub power: i8,
}

/// Every unit that data may come in.
pub const UNITS: [Unit; 14] = [
    Unit {
        code: "person",
        zh: "人",
        base: Some(Base::Person),
        power: 0,
    },
    Unit {
        code: "ten_thousand_persons",
        zh: "万人",
        base: Some(Base::Person),
        power: 4,
    },
    Unit {
        code: "household",
        zh: "户",
        base: Some(Base::Household),
        power: 0,
    },
    Unit {
        code: "dwelling",
        zh: "套",
        base: Some(Base::Dwelling),
        power: 0,
    },
    Unit {
        code: "yuan",
        zh: "元",
        base: Some(Base::Yuan),
        power: 0,
    },
    Unit {
        code: "thousand_yuan",
        zh: "千元",
        base: Some(Base::Yuan),
        power: 3,
    },
    Unit {
        code: "ten_thousand_yuan",
        zh: "万元",
        base: Some(Base::Yuan),
        power: 4,
    },
    Unit {
        code: "hundred_million_yuan",
        zh: "亿元",
        base: Some(Base::Yuan),
        power: 8,
    },
    Unit {
        code: "square_metre",
        zh: "平方米",
        base: Some(Base::SquareMetre),
        power: 0,
    },
    Unit {
        code: "ten_thousand_square_metres",
        zh: "万平方米",
        base: Some(Base::SquareMetre),
        power: 4,
    },
    Unit {
        code: "ratio",
        zh: "系数",
        base: None,
        power: 0,
    },
    Unit {
        code: "percent",
        zh: "%",
        base: None,
        power: -2,
    },
    Unit {
        code: "permille",
        zh: "‰",
        base: None,
        power: -3,
    },
    Unit {
        code: "point",
        zh: "分值",
        base: Some(Base::Point),
        power: 0,
    },
];

impl Unit {
    /// Reads a code or a Chinese name.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        UNITS
            .into_iter()
            .find(|unit| unit.code == text || unit.zh == text)
            .ok_or_else(|| {
                let codes = UNITS.map(|unit| unit.code).join(", ");
                let names = UNITS.map(|unit| unit.zh).join("、");
                Violation::new(
                    field,
                    text,
                    format!("one of {codes}"),
                    format!("下列之一:{names}"),
                )
            })
    }

    /// What the unit measures, without its scale.
    pub fn dimension(self) -> Dimension {
        Dimension(self.base.map(|base| (base, 1)).into_iter().collect())
    }

    /// By what power of ten a value in this unit is multiplied to be in `target`; `None` where they measure different things.
    pub fn shift_to(self, target: Self) -> Option<i8> {
        (self.base == target.base).then_some(self.power - target.power)
    }
}

/// The dimension of an expression: a product of powers of base quantities; empty for a bare number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dimension(BTreeMap<Base, i32>);

impl Dimension {
    /// Money in yuan.
    pub fn yuan() -> Self {
        Self(BTreeMap::from([(Base::Yuan, 1)]))
    }

    /// Whether it is a bare number.
    pub fn is_number(&self) -> bool {
        self.0.is_empty()
    }

    /// The dimension of a product.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        self.combine(other, 1)
    }

    /// The dimension of a quotient.
    #[must_use]
    pub fn per(&self, other: &Self) -> Self {
        self.combine(other, -1)
    }

    fn combine(&self, other: &Self, sign: i32) -> Self {
        let mut powers = self.0.clone();
        for (base, power) in &other.0 {
            let entry = powers.entry(*base).or_insert(0);
            *entry += sign * power;
            if *entry == 0 {
                powers.remove(base);
            }
        }
        Self(powers)
    }

    /// Reads `yuan`, `yuan/person`, `person*ratio`: units joined by `*` and `/`, left to right, scale units refused.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let mut dimension = Self::default();
        let mut rest = text;
        let mut divide = false;
        loop {
            let end = rest.find(['*', '/']).unwrap_or(rest.len());
            let unit = Unit::parse(field, rest[..end].trim())?;
            if unit.power != 0 {
                return Err(Violation::new(
                    field,
                    text,
                    "units without a scale of their own, such as yuan/person",
                    "不带倍数的单位,如 yuan/person",
                ));
            }
            dimension = dimension.combine(&unit.dimension(), if divide { -1 } else { 1 });
            match rest[end..].chars().next() {
                None => return Ok(dimension),
                Some(operator) => {
                    divide = operator == '/';
                    rest = &rest[end + 1..];
                }
            }
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |base: &Base| {
            UNITS
                .iter()
                .find(|unit| unit.base == Some(*base) && unit.power == 0)
                .map_or("?", |unit| unit.code)
        };
        let write = |f: &mut fmt::Formatter<'_>, base: &Base, power: i32| match power {
            1 => f.write_str(name(base)),
            power => write!(f, "{}^{power}", name(base)),
        };
        let mut first = true;
        for (base, power) in self.0.iter().filter(|(_, power)| **power > 0) {
            if !first {
                f.write_str("*")?;
            }
            write(f, base, *power)?;
            first = false;
        }
        if first {
            f.write_str("ratio")?;
        }
        for (base, power) in self.0.iter().filter(|(_, power)| **power < 0) {
            f.write_str("/")?;
            write(f, base, -power)?;
        }
        Ok(())
    }
}
