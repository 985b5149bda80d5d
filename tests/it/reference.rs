//! A second implementation of formulas, plain and slow, to check the first one against.
//!
//! It shares no code with it: a tree of its own, rationals only, bounds by sorting the breakpoints of
//! the refill factor, the largest remainder by sorting everything, divisor methods by handing out one
//! unit after another. A [`Case`] is written as a document for the engine and answered here.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};
use std::collections::BTreeSet;
use std::fmt;

pub type R = BigRational;

pub fn whole(value: impl Into<BigInt>) -> R {
    R::from_integer(value.into())
}

/// The value of a decimal as it is written.
pub fn decimal(text: &str) -> R {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: BigInt = format!("{integer}{fraction}").parse().unwrap();
    R::new(digits, BigInt::from(10).pow(fraction.len() as u32))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Debug, Clone)]
pub enum Expr {
    Number(String),
    /// `$p0`, `$p1`, …
    Parameter(usize),
    /// An indicator and how many years back.
    Indicator(usize, usize),
    Negative(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Least(Vec<Expr>),
    Most(Vec<Expr>),
    Share(Box<Expr>),
    Total(Box<Expr>),
    If(Box<Condition>, Box<Expr>, Box<Expr>),
    Tier(Box<Expr>, Vec<(String, Expr)>, Box<Expr>),
}

#[derive(Debug, Clone)]
pub enum Condition {
    Compare(&'static str, Expr, Expr),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, name: &str, items: &[Self]| {
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            write!(f, "{name}({})", items.join(", "))
        };
        match self {
            Self::Number(text) => f.write_str(text),
            Self::Parameter(at) => write!(f, "$p{at}"),
            Self::Indicator(at, 0) => write!(f, "i{at}"),
            Self::Indicator(at, back) => write!(f, "i{at}[-{back}]"),
            Self::Negative(inner) => write!(f, "(-{inner})"),
            Self::Binary(operator, a, b) => {
                let sign = match operator {
                    Operator::Add => '+',
                    Operator::Subtract => '-',
                    Operator::Multiply => '*',
                    Operator::Divide => '/',
                };
                write!(f, "({a} {sign} {b})")
            }
            Self::Least(items) => list(f, "min", items),
            Self::Most(items) => list(f, "max", items),
            Self::Share(inner) => write!(f, "share({inner})"),
            Self::Total(inner) => write!(f, "total({inner})"),
            Self::If(condition, a, b) => write!(f, "(if {condition} then {a} else {b})"),
            Self::Tier(value, bands, last) => {
                write!(f, "tier({value}")?;
                for (bound, result) in bands {
                    write!(f, ", <{bound}: {result}")?;
                }
                write!(f, ", else: {last})")
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(relation, a, b) => write!(f, "{a} {relation} {b}"),
            // Parentheses hold conditions as well as numbers.
            Self::And(a, b) => write!(f, "({a}) and ({b})"),
            Self::Or(a, b) => write!(f, "({a}) or ({b})"),
            Self::Not(inner) => write!(f, "not ({inner})"),
        }
    }
}

/// Percent or yuan, as text.
#[derive(Debug, Clone)]
pub enum SumCase {
    Percent(String),
    Yuan(String),
}

#[derive(Debug, Clone)]
pub enum ModeCase {
    Share,
    Rate { rate: Expr, redistribute: bool },
}

#[derive(Debug, Clone)]
pub struct ComponentCase {
    pub sum: SumCase,
    pub mode: ModeCase,
    pub score: Expr,
}

#[derive(Debug, Clone)]
pub struct AdjustmentCase {
    pub factor: Expr,
    /// Positions of components; none means all.
    pub components: Vec<usize>,
}

#[derive(Debug, Clone)]
pub enum BasisCase {
    Absolute(String),
    PerHead(String, Expr),
    /// Percent of the indicator `last`, the year before.
    LastYear(String),
}

#[derive(Debug, Clone)]
pub struct BoundCase {
    pub floor: bool,
    pub basis: BasisCase,
    /// Rows; none means all.
    pub regions: Vec<usize>,
}

#[derive(Debug, Clone)]
pub struct IndicatorCase {
    /// Unit code and its power of ten.
    pub unit: (&'static str, i32),
    /// Values by years back, then region.
    pub values: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodCase {
    LargestRemainder,
    Webster,
    HuntingtonHill,
    Jefferson,
    Adams,
}

pub const UNITS: [(&str, i64); 6] = [
    ("fen", 1),
    ("jiao", 10),
    ("yuan", 100),
    ("hundred_yuan", 10_000),
    ("thousand_yuan", 100_000),
    ("ten_thousand_yuan", 1_000_000),
];

/// A formula, its data and its pool.
#[derive(Debug, Clone)]
pub struct Case {
    pub regions: usize,
    pub unit: usize,
    pub method: MethodCase,
    pub retain: bool,
    /// Values of `$p0`, `$p1`, …, bare numbers.
    pub parameters: Vec<String>,
    pub indicators: Vec<IndicatorCase>,
    /// Last year's amounts in 万元: the indicator `last`, one year back.
    pub last: Vec<String>,
    pub set_asides: Vec<SumCase>,
    pub components: Vec<ComponentCase>,
    pub adjustments: Vec<AdjustmentCase>,
    pub bounds: Vec<BoundCase>,
    /// In fen.
    pub pool: i64,
    /// Percent.
    pub advance: Option<String>,
}

/// A row's values; `None` where it would divide by zero.
type Rows = Vec<Option<R>>;

impl Case {
    fn each(&self, f: impl Fn(usize) -> Option<R>) -> Rows {
        (0..self.regions).map(f).collect()
    }

    fn number(&self, expr: &Expr) -> Rows {
        match expr {
            Expr::Number(text) => self.each(|_| Some(decimal(text))),
            Expr::Parameter(at) => self.each(|_| Some(decimal(&self.parameters[*at]))),
            Expr::Indicator(at, back) => {
                let indicator = &self.indicators[*at];
                let power = whole(10).pow(indicator.unit.1);
                self.each(|row| Some(decimal(&indicator.values[*back][row]) * &power))
            }
            Expr::Negative(inner) => self.number(inner).into_iter().map(|v| v.map(|v| -v)).collect(),
            Expr::Binary(operator, a, b) => {
                let (a, b) = (self.number(a), self.number(b));
                self.each(|row| {
                    let (a, b) = (a[row].as_ref()?, b[row].as_ref()?);
                    match operator {
                        Operator::Add => Some(a + b),
                        Operator::Subtract => Some(a - b),
                        Operator::Multiply => Some(a * b),
                        Operator::Divide => (!b.is_zero()).then(|| a / b),
                    }
                })
            }
            Expr::Least(items) | Expr::Most(items) => {
                let items: Vec<Rows> = items.iter().map(|item| self.number(item)).collect();
                self.each(|row| {
                    let values: Option<Vec<R>> = items.iter().map(|item| item[row].clone()).collect();
                    if matches!(expr, Expr::Least(_)) {
                        values?.into_iter().min()
                    } else {
                        values?.into_iter().max()
                    }
                })
            }
            Expr::Share(inner) => {
                let (values, total) = self.total(inner);
                self.each(|row| {
                    let total = total.as_ref().filter(|total| !total.is_zero())?;
                    Some(values[row].as_ref()? / total)
                })
            }
            Expr::Total(inner) => {
                let (_, total) = self.total(inner);
                self.each(|_| total.clone())
            }
            Expr::If(condition, a, b) => {
                let (condition, a, b) = (self.truth(condition), self.number(a), self.number(b));
                self.each(|row| {
                    if condition[row]? {
                        a[row].clone()
                    } else {
                        b[row].clone()
                    }
                })
            }
            Expr::Tier(value, bands, last) => {
                let value = self.number(value);
                let bands: Vec<(R, Rows)> = bands
                    .iter()
                    .map(|(bound, result)| (decimal(bound), self.number(result)))
                    .collect();
                let last = self.number(last);
                self.each(|row| {
                    let value = value[row].as_ref()?;
                    match bands.iter().find(|(bound, _)| value < bound) {
                        Some((_, result)) => result[row].clone(),
                        None => last[row].clone(),
                    }
                })
            }
        }
    }

    fn total(&self, expr: &Expr) -> (Rows, Option<R>) {
        let values = self.number(expr);
        let total = values
            .iter()
            .try_fold(R::zero(), |sum, value| Some(sum + value.as_ref()?));
        (values, total)
    }

    fn truth(&self, condition: &Condition) -> Vec<Option<bool>> {
        match condition {
            Condition::Compare(relation, a, b) => {
                let (a, b) = (self.number(a), self.number(b));
                let holds = |row: usize| {
                    let (a, b) = (a[row].as_ref()?, b[row].as_ref()?);
                    Some(match *relation {
                        "<" => a < b,
                        "<=" => a <= b,
                        ">" => a > b,
                        ">=" => a >= b,
                        "==" => a == b,
                        "!=" => a != b,
                        other => panic!("{other}"),
                    })
                };
                (0..self.regions).map(holds).collect()
            }
            // Both sides are computed, whatever the other one is.
            Condition::And(a, b) | Condition::Or(a, b) => {
                let and = matches!(condition, Condition::And(..));
                let (a, b) = (self.truth(a), self.truth(b));
                (0..self.regions)
                    .map(|row| {
                        let (a, b) = (a[row]?, b[row]?);
                        Some(if and { a && b } else { a || b })
                    })
                    .collect()
            }
            Condition::Not(inner) => self.truth(inner).into_iter().map(|t| t.map(|t| !t)).collect(),
        }
    }

    /// The values of an expression that must be there and not negative in every region.
    fn good(&self, field: String, expr: &Expr, wrong: &mut BTreeSet<String>) -> Vec<R> {
        let values: Option<Vec<R>> = self.number(expr).into_iter().collect();
        match values {
            Some(values) if !values.iter().any(Signed::is_negative) => values,
            _ => {
                wrong.insert(field);
                Vec::new()
            }
        }
    }
}

/// What the reference finds.
#[derive(Debug)]
pub struct Answer {
    /// In fen.
    pub amounts: Vec<i64>,
    pub set_asides: Vec<i64>,
    pub tail: i64,
    pub distributable: i64,
    pub kept: i64,
    /// In units, by component and row, before bounds.
    pub components: Vec<Vec<R>>,
    /// In units, before bounds.
    pub exact: Vec<R>,
    /// In units, after bounds.
    pub quotas: Vec<R>,
    /// In units.
    pub limits: Vec<(i64, i64)>,
}

/// The fields that are wrong.
pub type Refusal = BTreeSet<String>;

fn refuse<T>(field: &str) -> Result<T, Refusal> {
    Err(BTreeSet::from([field.to_owned()]))
}

fn floor(value: &R) -> i64 {
    value.floor().to_integer().to_i64().unwrap()
}

/// The whole allocation, by the documented rules.
pub fn allocate(case: &Case) -> Result<Answer, Refusal> {
    let unit = UNITS[case.unit].1;
    let percent = |text: &str| decimal(text) / whole(100);
    let in_units = |fen: &R| fen / whole(unit);
    let fen_of = |yuan: &str| decimal(yuan) * whole(100);
    let down = |fen: R| floor(&in_units(&fen)) * unit;
    let scale = case.advance.as_deref().map_or_else(|| whole(1), percent);

    // The pool and what is kept back.
    let now = match case.advance {
        None => case.pool,
        Some(_) => down(whole(case.pool) * &scale),
    };
    let set_asides: Vec<i64> = case
        .set_asides
        .iter()
        .map(|sum| match (sum, &case.advance) {
            (SumCase::Percent(text), _) => down(whole(now) * percent(text)),
            (SumCase::Yuan(text), None) => fen_of(text).to_integer().to_i64().unwrap(),
            (SumCase::Yuan(text), Some(_)) => down(fen_of(text) * &scale),
        })
        .collect();
    let left = now - set_asides.iter().sum::<i64>();
    if left < 0 {
        return refuse("set_asides");
    }
    let tail = left % unit;
    if tail != 0 && !case.retain {
        return refuse("pool");
    }
    let distributable = left - tail;

    // Fixed sums first, percentages of the rest.
    let fixed = |sum: &SumCase| match sum {
        SumCase::Percent(_) => whole(0),
        SumCase::Yuan(text) if case.advance.is_none() => in_units(&fen_of(text)),
        SumCase::Yuan(text) => whole(floor(&in_units(&(fen_of(text) * &scale)))),
    };
    let rest = whole(distributable / unit) - case.components.iter().map(|c| fixed(&c.sum)).sum::<R>();
    let only_fixed = case.components.iter().all(|c| matches!(c.sum, SumCase::Yuan(_)));
    if rest.is_negative() || (only_fixed && !rest.is_zero() && case.advance.is_none()) {
        return refuse("components[].amount");
    }
    let mut pools: Vec<R> = case
        .components
        .iter()
        .map(|component| match &component.sum {
            SumCase::Percent(text) => &rest * percent(text),
            fixed_sum => fixed(fixed_sum),
        })
        .collect();

    // Scores.
    let mut wrong = BTreeSet::new();
    let factors: Vec<Vec<R>> = (case.adjustments.iter().enumerate())
        .map(|(at, a)| case.good(format!("adjustments[{at}].factor"), &a.factor, &mut wrong))
        .collect();
    let mut scores: Vec<Vec<R>> = Vec::new();
    let mut rates: Vec<Option<Vec<R>>> = Vec::new();
    for (at, component) in case.components.iter().enumerate() {
        scores.push(case.good(format!("components[{at}].score"), &component.score, &mut wrong));
        rates.push(match &component.mode {
            ModeCase::Share => None,
            ModeCase::Rate { rate, .. } => {
                Some(case.good(format!("components[{at}].rate"), rate, &mut wrong))
            }
        });
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    for (at, scores) in scores.iter_mut().enumerate() {
        for (adjustment, factor) in case.adjustments.iter().zip(&factors) {
            if adjustment.components.is_empty() || adjustment.components.contains(&at) {
                for (score, factor) in scores.iter_mut().zip(factor) {
                    *score *= factor;
                }
            }
        }
    }

    // Amounts, rate components first.
    let mut components: Vec<Vec<R>> = vec![Vec::new(); case.components.len()];
    let mut extra = R::zero();
    for (at, component) in case.components.iter().enumerate() {
        let (ModeCase::Rate { redistribute, .. }, Some(rates)) = (&component.mode, &rates[at]) else {
            continue;
        };
        let claims: Vec<R> = (scores[at].iter().zip(rates))
            .map(|(quantity, rate)| in_units(&(quantity * rate * whole(100) * &scale)))
            .collect();
        let claimed: R = claims.iter().sum();
        if claimed > pools[at] {
            components[at] = claims.iter().map(|claim| claim * &pools[at] / &claimed).collect();
        } else {
            components[at] = claims;
            if *redistribute {
                extra += &pools[at] - claimed;
            }
        }
    }
    let takes = |c: &ComponentCase| match (&c.mode, &c.sum) {
        (ModeCase::Share, SumCase::Percent(text)) => percent(text),
        _ => whole(0),
    };
    let takers: R = case.components.iter().map(takes).sum();
    for (at, component) in case.components.iter().enumerate() {
        if !matches!(component.mode, ModeCase::Share) {
            continue;
        }
        if !extra.is_zero() {
            pools[at] += &extra * takes(component) / &takers;
        }
        let sum: R = scores[at].iter().sum();
        if pools[at].is_zero() {
            components[at] = vec![R::zero(); case.regions];
        } else if sum.is_zero() {
            wrong.insert(format!("components[{at}].score"));
        } else {
            components[at] = scores[at].iter().map(|score| score / &sum * &pools[at]).collect();
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let exact: Vec<R> = (0..case.regions)
        .map(|row| components.iter().map(|component| &component[row]).sum())
        .collect();
    let total = floor(&exact.iter().sum::<R>());

    // Bounds, floors rounded up to the unit and caps down.
    let mut limits: Vec<(R, R)> = vec![(whole(0), whole(total)); case.regions];
    for (at, bound) in case.bounds.iter().enumerate() {
        let field = format!("bounds[{at}].indicator");
        let yuan: Vec<R> = match &bound.basis {
            BasisCase::Absolute(text) => vec![decimal(text); case.regions],
            BasisCase::PerHead(text, heads) => (case.good(field, heads, &mut wrong).into_iter())
                .map(|heads| heads * decimal(text))
                .collect(),
            BasisCase::LastYear(text) => (case.last.iter())
                .map(|last| decimal(last) * whole(10_000) * percent(text))
                .collect(),
        };
        for (row, (yuan, (low, high))) in yuan.iter().zip(&mut limits).enumerate() {
            if bound.regions.is_empty() || bound.regions.contains(&row) {
                let units = in_units(&(yuan * whole(100) * &scale));
                if bound.floor {
                    *low = units.ceil().max(low.clone());
                } else {
                    *high = units.floor().min(high.clone());
                }
            }
        }
    }
    if limits
        .iter()
        .any(|(low, high)| low > high && *high < whole(total))
    {
        wrong.insert("bounds".to_owned());
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let quotas =
        refill(&exact, &limits, &whole(total)).ok_or_else(|| BTreeSet::from(["bounds".to_owned()]))?;
    let limits: Vec<(i64, i64)> = limits
        .iter()
        .map(|(low, high)| (floor(low), floor(high)))
        .collect();
    let units = match case.method {
        MethodCase::LargestRemainder => largest_remainder(&quotas, total),
        method => {
            // A quota on a bound stays there; any other moves within its bounds.
            let room: Vec<(i64, i64)> = (quotas.iter().zip(&limits))
                .map(|(quota, (low, high))| {
                    if *quota == whole(*low) || *quota == whole(*high) {
                        (floor(quota), floor(quota))
                    } else {
                        (*low, *high)
                    }
                })
                .collect();
            match one_by_one(method, &quotas, &room, total) {
                Some(units) => units,
                None => return refuse("rounding.method"),
            }
        }
    };
    Ok(Answer {
        amounts: units.into_iter().map(|units| units * unit).collect(),
        set_asides,
        tail,
        distributable,
        kept: distributable - total * unit,
        components,
        exact,
        quotas,
        limits,
    })
}

/// `min(max(factor * amount, low), high)` with the factor for which they sum to `total`.
///
/// The sum is a piecewise linear function of the factor: find the piece by its ends, then the factor.
pub fn refill(amounts: &[R], limits: &[(R, R)], total: &R) -> Option<Vec<R>> {
    let at = |factor: &R| -> Vec<R> {
        (amounts.iter().zip(limits))
            .map(|(amount, (low, high))| {
                if amount.is_zero() {
                    low.clone()
                } else {
                    (amount * factor).max(low.clone()).min(high.clone())
                }
            })
            .collect()
    };
    let sum = |factor: &R| at(factor).iter().sum::<R>();
    if limits.iter().any(|(low, high)| low > high) {
        // Only where a floor is above the total.
        return None;
    }
    let mut breaks: Vec<R> = vec![R::zero()];
    for (amount, (low, high)) in amounts.iter().zip(limits).filter(|(amount, _)| !amount.is_zero()) {
        breaks.push(low / amount);
        breaks.push(high / amount);
    }
    breaks.sort();
    breaks.dedup();
    let last = breaks.last()?;
    if sum(&breaks[0]) > *total || sum(last) < *total {
        return None;
    }
    // The first break at which the sum has reached the total; the sum never falls.
    let reached = breaks.partition_point(|factor| sum(factor) < *total);
    let high = sum(&breaks[reached]);
    if high == *total {
        return Some(at(&breaks[reached]));
    }
    let low = sum(&breaks[reached - 1]);
    let part = (total - &low) / (high - &low);
    Some(at(
        &(&breaks[reached - 1] + part * (&breaks[reached] - &breaks[reached - 1]))
    ))
}

/// Floors, then one unit each in the order of remainder, quota, position.
pub fn largest_remainder(quotas: &[R], total: i64) -> Vec<i64> {
    let mut units: Vec<i64> = quotas.iter().map(floor).collect();
    let mut order: Vec<usize> = (0..quotas.len()).collect();
    order.sort_by(|a, b| {
        let (x, y) = (&quotas[*a], &quotas[*b]);
        (y - y.floor())
            .cmp(&(x - x.floor()))
            .then(y.cmp(x))
            .then(a.cmp(b))
    });
    let left = total - units.iter().sum::<i64>();
    for row in order.into_iter().take(left as usize) {
        units[row] += 1;
    }
    units
}

/// A divisor method: each next unit to the row with the highest priority that has room.
pub fn one_by_one(method: MethodCase, quotas: &[R], room: &[(i64, i64)], total: i64) -> Option<Vec<i64>> {
    // Whole numbers in proportion to the quotas order the same way.
    let denominator = quotas.iter().fold(BigInt::one(), |lcm, q| lcm.lcm(q.denom()));
    let quotas: Vec<BigInt> = quotas
        .iter()
        .map(|q| q.numer() * (&denominator / q.denom()))
        .collect();
    // Dividend and divisor; a divisor of zero is above all; for Huntington-Hill the square.
    let priority = |row: usize, units: i64| -> (BigInt, i64) {
        let quota = &quotas[row];
        match method {
            MethodCase::Jefferson | MethodCase::LargestRemainder => (quota.clone(), units + 1),
            MethodCase::Webster => (quota.clone(), 2 * units + 1),
            MethodCase::Adams => (quota.clone(), units),
            MethodCase::HuntingtonHill => (quota * quota, units * (units + 1)),
        }
    };
    let mut units: Vec<i64> = room.iter().map(|(low, _)| *low).collect();
    let mut next: Vec<(BigInt, i64)> = (0..units.len()).map(|row| priority(row, units[row])).collect();
    for _ in units.iter().sum::<i64>()..total {
        let row = (0..quotas.len())
            .filter(|row| !quotas[*row].is_zero() && units[*row] < room[*row].1)
            .max_by(|a, b| {
                let ((x, by_x), (y, by_y)) = (&next[*a], &next[*b]);
                let by_priority = match (*by_x == 0, *by_y == 0) {
                    (false, false) => (x * by_y).cmp(&(y * by_x)),
                    (x_first, y_first) => x_first.cmp(&y_first),
                };
                by_priority
                    .then_with(|| quotas[*a].cmp(&quotas[*b]))
                    .then_with(|| b.cmp(a))
            })?;
        units[row] += 1;
        next[row] = priority(row, units[row]);
    }
    let certain = matches!(method, MethodCase::HuntingtonHill | MethodCase::Adams);
    let left_out = |row: usize| !quotas[row].is_zero() && units[row] == 0 && room[row].1 > 0;
    if certain && (0..units.len()).any(left_out) {
        return None;
    }
    Some(units)
}
