//! What holds for every formula, checked on generated ones.
//!
//! A case is drawn from a list of numbers, so that shrinking the list shrinks the case; no number is
//! the simplest choice. Every choice is small and plain on purpose: equal regions, small scores and
//! pools that divide exactly make ties, last digits that differ make near-ties.

use crate::reference::{
    self, AdjustmentCase, Answer, BasisCase, BoundCase, Case, ComponentCase, Condition, Expr, IndicatorCase,
    MethodCase, ModeCase, Operator, R, Refusal, SumCase, decimal, whole,
};
use incentive_fund::domain::allocation::Outcome;
use incentive_fund::domain::apportion::Quotas;
use incentive_fund::domain::error::Violation;
use incentive_fund::domain::exact::enclosure::{Enclosure, PLACES};
use incentive_fund::domain::exact::{BigInt, Fraction};
use incentive_fund::domain::formula::bounds::fill;
use incentive_fund::domain::formula::contributions::contributions;
use incentive_fund::domain::formula::document::{
    AdjustmentText, BoundText, ComponentText, Document, Exact, LegalBasis, ParameterText, RoundingText,
    SetAsideText,
};
use incentive_fund::domain::formula::{Evaluation, Formula, Inputs, Pool, evaluate};
use incentive_fund::domain::money::Money;
use incentive_fund::domain::region::{Region, RegionCode, RegionKind};
use incentive_fund::domain::statistics::{Indicator, IndicatorCode, Observation, Snapshot, parse_decimal};
use incentive_fund::domain::unit::Unit;
use num_traits::{One, Signed, Zero};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult, TestError, TestRunner};
use std::cell::Cell;

/// How many cases the main comparison draws.
const CASES: u32 = 20_000;
/// How many cases each other property draws.
const FEWER_CASES: u32 = 2_000;
pub const YEAR: i32 = 2024;

/// Choices, one number each; all the simplest once the numbers are used up.
pub struct Draw<'n> {
    pub numbers: &'n [u32],
    pub at: usize,
}

impl Draw<'_> {
    pub fn below(&mut self, limit: u32) -> u32 {
        let number = self.numbers.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        number % limit
    }

    pub fn index(&mut self, limit: usize) -> usize {
        self.below(u32::try_from(limit).unwrap()) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == times - 1
    }

    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())].clone()
    }

    pub fn digits(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(b'0' + self.below(10) as u8))
            .collect()
    }

    /// A column of values: what they have in common makes ties and near-ties.
    fn values(&mut self, rows: usize) -> Vec<String> {
        let style = self.below(11);
        let base = match style {
            6 => format!("0.{}", self.digits(27)),
            7 => format!("{}.{}", self.digits(8), self.digits(19)),
            _ => self.below(1_000_000).to_string(),
        };
        (0..rows)
            .map(|_| match style {
                0 => (1 + self.below(4)).to_string(),
                1 => self.below(3).to_string(),
                2 => "7".to_owned(),
                3 => self.below(100_000).to_string(),
                4 => format!("{}.{}", self.below(1000), self.digits(4)),
                5 => {
                    if self.once_in(4) {
                        self.below(10).to_string()
                    } else {
                        "0".to_owned()
                    }
                }
                // The same but for the 28th digit.
                6 | 7 => format!("{base}{}", self.below(3)),
                8 => format!("9{}", self.digits(27)),
                9 => format!("0.{}{}", "0".repeat(24), self.digits(4)),
                _ => base.clone(),
            })
            .collect()
    }

    fn literal(&mut self) -> Expr {
        Expr::Number(match self.below(8) {
            0 => "1".to_owned(),
            1..=3 => (1 + self.below(9)).to_string(),
            4 => self.pick(&["0.5", "0.25", "0.3", "1.2", "0.125"]).to_owned(),
            5 => format!("0.{}1", self.digits(27)),
            6 => format!("{}.{}", self.below(100), self.digits(3)),
            _ => "0".to_owned(),
        })
    }

    fn indicator(&mut self, shape: &Shape) -> Expr {
        let at = self.index(shape.indicators);
        Expr::Indicator(at, usize::from(self.once_in(5)))
    }

    fn expr(&mut self, shape: &Shape, depth: u32) -> Expr {
        if depth == 0 {
            return match self.below(8) {
                0..=4 => self.indicator(shape),
                5 if shape.parameters > 0 => Expr::Parameter(self.index(shape.parameters)),
                _ => self.literal(),
            };
        }
        let inner = |draw: &mut Self| Box::new(draw.expr(shape, depth - 1));
        match self.below(20) {
            0..=2 => *inner(self),
            3..=5 => Expr::Binary(Operator::Add, inner(self), inner(self)),
            6..=8 => Expr::Binary(Operator::Multiply, inner(self), inner(self)),
            9 => {
                let divisor =
                    Expr::Binary(Operator::Add, inner(self), Box::new(Expr::Number("1".to_owned())));
                Expr::Binary(Operator::Divide, inner(self), Box::new(divisor))
            }
            10 => Expr::Binary(Operator::Divide, inner(self), inner(self)),
            11 => Expr::Binary(Operator::Divide, inner(self), Box::new(self.literal())),
            12 => {
                let difference = Expr::Binary(Operator::Subtract, inner(self), inner(self));
                Expr::Most(vec![difference, Expr::Number("0".to_owned())])
            }
            13 => Expr::Most(vec![*inner(self), *inner(self), *inner(self)]),
            14 => Expr::Least(vec![*inner(self), *inner(self)]),
            15 => Expr::Share(inner(self)),
            16 => Expr::Total(inner(self)),
            17 => Expr::If(
                Box::new(self.condition(shape, depth - 1)),
                inner(self),
                inner(self),
            ),
            18 => {
                let bounds = self.pick(&[vec!["2"], vec!["1", "3.5"], vec!["2", "10", "1000"]]);
                let value = inner(self);
                let bands = bounds
                    .into_iter()
                    .map(|bound| (bound.to_owned(), *inner(self)))
                    .collect();
                Expr::Tier(value, bands, inner(self))
            }
            _ => match self.below(6) {
                0 => Expr::Negative(inner(self)),
                1 => Expr::Binary(Operator::Subtract, inner(self), inner(self)),
                _ => *inner(self),
            },
        }
    }

    fn condition(&mut self, shape: &Shape, depth: u32) -> Condition {
        match self.below(8) {
            5 if depth > 0 => Condition::And(
                Box::new(self.condition(shape, depth - 1)),
                Box::new(self.condition(shape, depth - 1)),
            ),
            6 if depth > 0 => Condition::Or(
                Box::new(self.condition(shape, depth - 1)),
                Box::new(self.condition(shape, depth - 1)),
            ),
            7 if depth > 0 => Condition::Not(Box::new(self.condition(shape, depth - 1))),
            _ => {
                let relation = self.pick(&["<", "<=", ">", ">=", "==", "!="]);
                let depth = depth.min(1);
                Condition::Compare(relation, self.expr(shape, depth), self.expr(shape, depth))
            }
        }
    }

    /// Percentages that sum to 100.
    fn percentages(&mut self, count: usize) -> Vec<String> {
        if count == 3 && self.once_in(3) {
            return [
                "33.33333333333333333333333333",
                "33.33333333333333333333333333",
                "33.33333333333333333333333334",
            ]
            .map(str::to_owned)
            .to_vec();
        }
        let mut left = 1000;
        let mut tenths: Vec<u32> = (1..count)
            .map(|_| {
                let part = self.below(left + 1);
                left -= part;
                part
            })
            .collect();
        tenths.push(left);
        tenths.iter().map(|t| format!("{}.{}", t / 10, t % 10)).collect()
    }

    fn yuan(&mut self, most_fen: i64) -> String {
        let most = u32::try_from(most_fen.clamp(0, 4_000_000_000) + 1).unwrap();
        let fen = self.below(most);
        format!("{}.{:02}", fen / 100, fen % 100)
    }

    fn bound(&mut self, shape: &Shape, regions: usize, pool: i64) -> BoundCase {
        let floor = self.below(2) == 0;
        let basis = match self.below(6) {
            0..=2 => {
                let fair = pool / i64::try_from(regions).unwrap();
                let exactly = format!("{}.{:02}", fair / 100, fair % 100);
                match self.below(4) {
                    0 => BasisCase::Absolute(exactly),
                    _ => BasisCase::Absolute(self.yuan(if floor { fair } else { fair.saturating_mul(3) })),
                }
            }
            3 | 4 => BasisCase::PerHead(self.yuan(pool / 10), self.expr(shape, 1)),
            _ => BasisCase::LastYear(self.pick(&["90", "100", "50", "150.5", "0"]).to_owned()),
        };
        let all = self.below(2) == 0;
        let regions = (0..regions).filter(|_| !all && self.below(2) == 0).collect();
        BoundCase {
            floor,
            basis,
            regions,
        }
    }

    fn case(&mut self) -> Case {
        let regions = match self.below(12) {
            11 => 10 + self.index(31),
            small => 1 + (small as usize) % 9,
        };
        let method = self.pick(&[
            MethodCase::LargestRemainder,
            MethodCase::LargestRemainder,
            MethodCase::LargestRemainder,
            MethodCase::Webster,
            MethodCase::HuntingtonHill,
            MethodCase::Jefferson,
            MethodCase::Adams,
        ]);
        let unit = self.pick(&[0, 0, 2, 0, 1, 3, 4, 5]);
        let unit_fen = reference::UNITS[unit].1;
        // The reference hands out units one at a time for divisor methods.
        let whole_units = match (self.below(6), method) {
            (0..=2, MethodCase::LargestRemainder) => i64::from(self.below(1000)),
            (3, MethodCase::LargestRemainder) => i64::from(self.below(u32::MAX)) * 20_000_000,
            (4, MethodCase::LargestRemainder) => 100_000_000_000_000_000,
            (0, _) => 12 * i64::try_from(regions).unwrap(),
            _ => i64::from(self.below(120)),
        };
        let pool = whole_units.saturating_mul(unit_fen).min(100_000_000_000_000_000);
        let retain = self.below(3) != 2;
        let pool = if self.once_in(6) { (pool - 1).max(0) } else { pool };
        let shape = Shape {
            indicators: 1 + self.index(3),
            parameters: self.index(2),
        };
        let units = [("ratio", 0), ("ratio", 0), ("percent", -2), ("permille", -3)];
        let indicators = (0..shape.indicators)
            .map(|_| IndicatorCase {
                unit: self.pick(&units),
                values: vec![self.values(regions), self.values(regions)],
            })
            .collect();
        let parameters = (0..shape.parameters)
            .map(|_| match self.literal() {
                Expr::Number(text) => text,
                _ => "1".to_owned(),
            })
            .collect();
        let count = 1 + self.index(4);
        let mut percentages = self.percentages(count);
        let mut components: Vec<ComponentCase> = Vec::new();
        let all_fixed = self.once_in(20);
        for at in 0..count {
            let fixed = count > 1 && at > 0 && self.once_in(5);
            let sum = if fixed || all_fixed {
                let amount = if all_fixed && at + 1 == count {
                    // What the others leave, so that they sum to the pool.
                    let others: R = components
                        .iter()
                        .map(|c| match &c.sum {
                            SumCase::Yuan(text) => decimal(text) * whole(100),
                            SumCase::Percent(_) => whole(0),
                        })
                        .sum();
                    let left = (whole(pool) - others).to_integer();
                    let left = i64::try_from(left.abs()).unwrap();
                    format!("{}.{:02}", left / 100, left % 100)
                } else {
                    self.yuan(pool / i64::try_from(count).unwrap())
                };
                // Its percentage goes to the first.
                let (mine, first) = (decimal(&percentages[at]), decimal(&percentages[0]));
                percentages[0] = Fraction::from(mine + first).to_decimal_text(26);
                percentages[at] = "0".to_owned();
                SumCase::Yuan(amount)
            } else {
                SumCase::Percent(percentages[at].clone())
            };
            let depth = self.below(4);
            let score = self.expr(&shape, depth);
            let mode = if self.once_in(3) {
                let rate = if self.once_in(3) {
                    self.expr(&shape, 1)
                } else {
                    self.literal()
                };
                ModeCase::Rate {
                    rate,
                    redistribute: self.below(2) == 0,
                }
            } else {
                ModeCase::Share
            };
            components.push(ComponentCase { sum, mode, score });
        }
        if let SumCase::Percent(percent) = &mut components[0].sum {
            percent.clone_from(&percentages[0]);
        }
        let takes = |c: &ComponentCase| matches!((&c.mode, &c.sum), (ModeCase::Share, SumCase::Percent(p)) if !decimal(p).is_zero());
        if !components.iter().any(takes) {
            for component in &mut components {
                if let ModeCase::Rate { redistribute, .. } = &mut component.mode {
                    *redistribute = false;
                }
            }
        }
        let adjustments = (0..self.pick(&[0, 0, 0, 1, 1, 2]))
            .map(|_| AdjustmentCase {
                factor: if self.once_in(3) {
                    self.expr(&shape, 2)
                } else {
                    Expr::Binary(
                        Operator::Add,
                        Box::new(self.literal()),
                        Box::new(self.indicator(&shape)),
                    )
                },
                components: (0..count).filter(|_| self.once_in(3)).collect(),
            })
            .collect();
        let set_asides = (0..self.pick(&[0, 0, 0, 1, 2]))
            .map(|_| match self.below(4) {
                0 => SumCase::Yuan(self.yuan(pool / 4)),
                1 => SumCase::Yuan(format!("{}", pool / 100 / 10)),
                2 => SumCase::Percent(self.pick(&["5", "10", "0", "33.3"]).to_owned()),
                _ => SumCase::Percent(format!("{}.{}", self.below(40), self.digits(26))),
            })
            .collect();
        let bounds = (0..self.pick(&[0, 0, 1, 1, 2, 3]))
            .map(|_| self.bound(&shape, regions, pool))
            .collect();
        let advance = self.once_in(5).then(|| {
            self.pick(&["50", "70", "33.3", "100", "12.345678901234567890123456"])
                .to_owned()
        });
        let last = (0..regions)
            .map(|_| {
                let fair_yuan = pool / i64::try_from(regions).unwrap() / 100;
                let yuan = i128::from(self.below(200)) * i128::from(fair_yuan) / 100;
                format!("{}.{:04}", yuan / 10_000, yuan % 10_000)
            })
            .collect();
        Case {
            regions,
            unit,
            method,
            retain,
            parameters,
            indicators,
            last,
            set_asides,
            components,
            adjustments,
            bounds,
            pool,
            advance,
        }
    }
}

struct Shape {
    indicators: usize,
    parameters: usize,
}

/// The case in the words of the engine.
pub struct World {
    pub document: Document,
    pub indicators: Vec<Indicator>,
    pub regions: Vec<Region>,
    pub observations: Vec<Observation>,
    pub pool: Pool,
}

pub fn region(code: &str) -> Region {
    Region {
        code: RegionCode::parse("code", code).unwrap(),
        name_zh: format!("{code}县"),
        name_en: String::new(),
        kind: RegionKind::County,
        parent: None,
        note: String::new(),
    }
}

pub fn indicator(code: &str, unit: &str) -> Indicator {
    Indicator {
        code: IndicatorCode::parse("code", code).unwrap(),
        name_zh: code.to_owned(),
        name_en: code.to_owned(),
        unit: Unit::parse("unit", unit).unwrap(),
        decimals: 28,
        minimum: None,
        maximum: None,
        description: String::new(),
    }
}

pub fn observation(region: &Region, indicator: &Indicator, year: i32, value: &str) -> Observation {
    Observation {
        region: region.code.clone(),
        indicator: indicator.code.clone(),
        year,
        value: parse_decimal("value", value).unwrap(),
        source: "generated".to_owned(),
        revision: 1,
    }
}

pub fn document() -> Document {
    Document {
        id: "f".to_owned(),
        title_zh: "公式".to_owned(),
        legal_basis: LegalBasis {
            document: "文号".to_owned(),
            ..LegalBasis::default()
        },
        ..Document::default()
    }
}

fn method_code(method: MethodCase) -> &'static str {
    match method {
        MethodCase::LargestRemainder => "largest_remainder",
        MethodCase::Webster => "webster",
        MethodCase::HuntingtonHill => "huntington_hill",
        MethodCase::Jefferson => "jefferson",
        MethodCase::Adams => "adams",
    }
}

impl World {
    pub fn new(case: &Case) -> Self {
        let names: Vec<String> = (0..case.regions).map(|row| format!("R{row:02}")).collect();
        Self::named(case, &names)
    }

    fn named(case: &Case, names: &[String]) -> Self {
        let sum = |sum: &SumCase| match sum {
            SumCase::Percent(percent) => (Exact(percent.clone()), Exact::default()),
            SumCase::Yuan(yuan) => (Exact::default(), Exact(yuan.clone())),
        };
        let mut document = document();
        document.rounding = RoundingText {
            unit: reference::UNITS[case.unit].0.to_owned(),
            method: method_code(case.method).to_owned(),
            tail: if case.retain { "retain" } else { "refuse" }.to_owned(),
        };
        document.parameters = (case.parameters.iter().enumerate())
            .map(|(at, value)| ParameterText {
                name: format!("p{at}"),
                value: Exact(value.clone()),
                ..ParameterText::default()
            })
            .collect();
        // A rate is a bare number of yuan; this makes any expression one.
        document.parameters.push(ParameterText {
            name: "yuan".to_owned(),
            value: Exact("1".to_owned()),
            unit: "yuan".to_owned(),
            ..ParameterText::default()
        });
        document.set_asides = (case.set_asides.iter().enumerate())
            .map(|(at, set_aside)| {
                let (percent, amount) = sum(set_aside);
                SetAsideText {
                    id: format!("s{at}"),
                    percent,
                    amount,
                    ..SetAsideText::default()
                }
            })
            .collect();
        document.components = (case.components.iter().enumerate())
            .map(|(at, component)| {
                let (percent, amount) = sum(&component.sum);
                let (mode, rate, remainder) = match &component.mode {
                    ModeCase::Share => ("share", String::new(), ""),
                    ModeCase::Rate { rate, redistribute } => {
                        let remainder = if *redistribute { "redistribute" } else { "keep" };
                        ("rate", format!("{rate} * $yuan"), remainder)
                    }
                };
                ComponentText {
                    id: format!("c{at}"),
                    percent,
                    amount,
                    mode: mode.to_owned(),
                    score: component.score.to_string(),
                    rate,
                    remainder: remainder.to_owned(),
                    ..ComponentText::default()
                }
            })
            .collect();
        document.adjustments = (case.adjustments.iter().enumerate())
            .map(|(at, adjustment)| AdjustmentText {
                id: format!("a{at}"),
                factor: adjustment.factor.to_string(),
                components: adjustment.components.iter().map(|at| format!("c{at}")).collect(),
                ..AdjustmentText::default()
            })
            .collect();
        document.bounds = (case.bounds.iter())
            .map(|bound| {
                let (basis, amount, percent, indicator) = match &bound.basis {
                    BasisCase::Absolute(yuan) => ("absolute", yuan.as_str(), "", String::new()),
                    BasisCase::PerHead(yuan, heads) => ("per_head", yuan.as_str(), "", heads.to_string()),
                    BasisCase::LastYear(percent) => {
                        ("last_year", "", percent.as_str(), "last[-1]".to_owned())
                    }
                };
                BoundText {
                    kind: if bound.floor { "floor" } else { "cap" }.to_owned(),
                    basis: basis.to_owned(),
                    amount: Exact(amount.to_owned()),
                    percent: Exact(percent.to_owned()),
                    indicator,
                    regions: bound.regions.iter().map(|row| names[*row].clone()).collect(),
                }
            })
            .collect();
        let regions: Vec<Region> = names.iter().map(|name| region(name)).collect();
        let mut indicators: Vec<Indicator> = (case.indicators.iter().enumerate())
            .map(|(at, i)| indicator(&format!("i{at}"), i.unit.0))
            .collect();
        let mut observations = Vec::new();
        for (indicator, data) in indicators.iter().zip(&case.indicators) {
            for (year, values) in (0..).map(|back| YEAR - back).zip(&data.values) {
                for (region, value) in regions.iter().zip(values) {
                    observations.push(observation(region, indicator, year, value));
                }
            }
        }
        let last = indicator("last", "ten_thousand_yuan");
        for (region, value) in regions.iter().zip(&case.last) {
            observations.push(observation(region, &last, YEAR - 1, value));
        }
        indicators.push(last);
        let pool = Pool {
            total: Money::from_fen(case.pool).unwrap(),
            advance_percent: case
                .advance
                .as_deref()
                .map(|percent| parse_decimal("advance", percent).unwrap()),
        };
        Self {
            document,
            indicators,
            regions,
            observations,
            pool,
        }
    }

    /// Runs the engine and looks at what it gives.
    pub fn evaluate<T>(&self, look: impl FnOnce(Result<&Evaluation<'_>, &[Violation]>) -> T) -> T {
        let formula = Formula::check(self.document.clone(), &self.indicators)
            .unwrap_or_else(|violations| panic!("{violations:#?}"));
        let snapshot = Snapshot::new(self.observations.iter().cloned());
        let inputs = Inputs::bind(&formula, &snapshot, &self.indicators, &self.regions, YEAR)
            .unwrap_or_else(|violations| panic!("{violations:#?}"));
        match evaluate(&formula, &inputs, self.pool) {
            Ok(evaluation) => look(Ok(&evaluation)),
            Err(violations) => look(Err(&violations)),
        }
    }

    pub fn amounts(&self) -> Result<Vec<i64>, Refusal> {
        self.evaluate(|result| match result {
            Ok(evaluation) => Ok(evaluation.results.iter().map(|amount| amount.fen()).collect()),
            Err(violations) => Err(fields(violations)),
        })
    }
}

fn fen(amounts: &[Money]) -> Vec<i64> {
    amounts.iter().map(|amount| amount.fen()).collect()
}

fn fields(violations: &[Violation]) -> Refusal {
    violations
        .iter()
        .map(|violation| violation.field.clone())
        .collect()
}

fn rational(fraction: &Fraction) -> R {
    R::new(fraction.numerator.clone(), fraction.denominator.clone())
}

pub fn numbers() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(any::<u32>(), 30..500)
}

pub fn drawn(numbers: &[u32]) -> Case {
    Draw { numbers, at: 0 }.case()
}

fn check(cases: u32, property: impl Fn(Case) -> TestCaseResult) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&numbers(), |numbers| property(drawn(&numbers)));
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, numbers)) => panic!("{reason}\n{:?}", drawn(&numbers)),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

#[test]
fn equals_the_reference() {
    let allocated = Cell::new(0);
    check(CASES, |case| {
        let expected = reference::allocate(&case);
        World::new(&case).evaluate(|result| match (result, expected) {
            (Ok(evaluation), Ok(answer)) => {
                allocated.set(allocated.get() + 1);
                compare(evaluation, &answer)
            }
            (Err(violations), Err(refusal)) => {
                prop_assert_eq!(fields(violations), refusal);
                Ok(())
            }
            (Ok(evaluation), Err(refusal)) => {
                prop_assert!(false, "{:?} instead of {:?}", evaluation.results, refusal);
                Ok(())
            }
            (Err(violations), Ok(answer)) => {
                prop_assert!(false, "{:#?} instead of {:?}", violations, answer.amounts);
                Ok(())
            }
        })
    });
    println!(
        "{} of {CASES} cases are allocations, the others refusals",
        allocated.get()
    );
    assert!(
        allocated.get() > CASES / 2,
        "{} of {CASES} are allocations",
        allocated.get()
    );
}

fn compare(evaluation: &Evaluation<'_>, answer: &Answer) -> TestCaseResult {
    let amounts: Vec<i64> = evaluation.results.iter().map(|amount| amount.fen()).collect();
    prop_assert_eq!(&amounts, &answer.amounts);
    let set_asides: Vec<i64> = evaluation.set_asides.iter().map(|amount| amount.fen()).collect();
    prop_assert_eq!(&set_asides, &answer.set_asides);
    prop_assert_eq!(evaluation.tail.fen(), answer.tail);
    prop_assert_eq!(evaluation.distributable.fen(), answer.distributable);
    prop_assert_eq!(evaluation.kept.fen(), answer.kept);
    for row in 0..amounts.len() {
        prop_assert_eq!(&rational(&evaluation.amounts.exact(row)), &answer.exact[row]);
        prop_assert_eq!(&rational(&evaluation.quota(row)), &answer.quotas[row]);
        for (part, component) in evaluation.amounts.parts().iter().zip(&answer.components) {
            prop_assert_eq!(&rational(&part.exact(row)), &component[row]);
        }
        let limits = evaluation.bounds.limits[row];
        prop_assert_eq!((limits.low, limits.high), answer.limits[row]);
    }
    Ok(())
}

/// A property of every allocation, whatever the reference says.
fn of_allocations(cases: u32, property: impl Fn(&Case, &World, &Evaluation<'_>) -> TestCaseResult) {
    check(cases, |case| {
        let world = World::new(&case);
        world.evaluate(|result| result.map_or(Ok(()), |evaluation| property(&case, &world, evaluation)))
    });
}

#[test]
fn parts_sum_to_the_distributable_less_the_kept() {
    of_allocations(FEWER_CASES, |case, _, evaluation| {
        let distributable = evaluation.distributable.checked_sub(evaluation.kept).unwrap();
        prop_assert_eq!(evaluation.total(), distributable);
        let aside: Money = evaluation.set_asides.iter().copied().sum();
        let whole: Money = [aside, evaluation.tail, evaluation.distributable]
            .into_iter()
            .sum();
        prop_assert_eq!(whole, evaluation.allocated_now);
        if case.advance.is_none() {
            prop_assert_eq!(whole.fen(), case.pool);
        }
        let unit = reference::UNITS[case.unit].1;
        prop_assert!(
            evaluation
                .results
                .iter()
                .all(|amount| !amount.is_negative() && amount.fen() % unit == 0)
        );
        Ok(())
    });
}

#[test]
fn order_of_input_changes_nothing() {
    of_allocations(FEWER_CASES, |_, world, evaluation| {
        let mut turned = World {
            document: world.document.clone(),
            indicators: world.indicators.iter().rev().cloned().collect(),
            regions: world.regions.iter().rev().cloned().collect(),
            observations: world.observations.iter().rev().cloned().collect(),
            pool: world.pool,
        };
        let third = turned.regions.len() / 3;
        turned.regions.rotate_left(third);
        prop_assert_eq!(turned.amounts(), Ok(fen(&evaluation.results)));
        Ok(())
    });
}

#[test]
fn names_matter_only_in_ties_and_only_by_their_order() {
    of_allocations(FEWER_CASES, |case, _, evaluation| {
        let amounts = fen(&evaluation.results);
        let same_order: Vec<String> = (0..case.regions).map(|row| format!("41{}A", 20 + row)).collect();
        prop_assert_eq!(World::named(case, &same_order).amounts(), Ok(amounts.clone()));
        // Without equal quotas any names give each region the same.
        let quotas: Vec<Fraction> = (0..case.regions).map(|row| evaluation.quota(row)).collect();
        let tied = |a: usize, b: usize| !quotas[a].is_zero() && quotas[a] == quotas[b];
        if !(0..case.regions).any(|a| (0..a).any(|b| tied(a, b))) {
            let reversed: Vec<String> = (0..case.regions).map(|row| format!("R{:02}", 99 - row)).collect();
            let mut expected = amounts;
            expected.reverse();
            prop_assert_eq!(World::named(case, &reversed).amounts(), Ok(expected));
        }
        Ok(())
    });
}

#[test]
fn scale_of_scores_changes_nothing() {
    let literals = ["7", "0.0001", "1000000", "3.141592653589793238462643383", "0.3"];
    of_allocations(FEWER_CASES, |case, _, evaluation| {
        let mut scaled = case.clone();
        for (at, component) in scaled.components.iter_mut().enumerate() {
            if matches!(component.mode, ModeCase::Share) {
                let literal = literals[(at + case.regions) % literals.len()].to_owned();
                component.score = Expr::Binary(
                    Operator::Multiply,
                    Box::new(Expr::Number(literal)),
                    Box::new(component.score.clone()),
                );
            }
        }
        prop_assert_eq!(World::new(&scaled).amounts(), Ok(fen(&evaluation.results)));
        Ok(())
    });
}

/// With the other regions' figures as they are, a region with more migrants never has the smaller exact
/// quota, and no other region a larger one. The amounts follow for divisor methods, which are population
/// monotone. Largest remainder is not: when a quota grows, the remainder of another may come to be the
/// larger one, so there the amount may fall by the residual unit, never below the floor of the quota.
#[test]
fn more_migrants_never_give_less() {
    check(FEWER_CASES, |drawn| {
        let mut case = drawn;
        case.bounds.clear();
        case.advance = None;
        let i0 = || Box::new(Expr::Indicator(0, 0));
        let last_year = || Box::new(Expr::Indicator(0, 1));
        let scores = [
            *i0(),
            Expr::Binary(Operator::Add, i0(), last_year()),
            Expr::Binary(Operator::Multiply, i0(), last_year()),
            Expr::Most(vec![*i0(), *last_year()]),
            Expr::Share(i0()),
            *last_year(),
        ];
        for (at, component) in case.components.iter_mut().enumerate() {
            component.mode = ModeCase::Share;
            component.score = scores[(at + case.regions + case.indicators.len()) % scores.len()].clone();
        }
        case.adjustments.clear();
        let before = reference::allocate(&case);
        let row = case.regions / 2;
        let value = &mut case.indicators[0].values[0][row];
        *value = match value.split_once('.') {
            Some((whole, _)) => (whole.parse::<i64>().unwrap() + 1).to_string(),
            None if value.len() > 20 => "9".repeat(28),
            None => (value.parse::<i64>().unwrap() + 3).to_string(),
        };
        let Ok(before) = before else { return Ok(()) };
        World::new(&case).evaluate(|result| {
            let Ok(after) = result else { return Ok(()) };
            for other in 0..case.regions {
                let (old, new) = (&before.exact[other], rational(&after.quota(other)));
                let fair = if other == row { new >= *old } else { new <= *old };
                prop_assert!(fair);
            }
            let (old, new) = (before.amounts[row], after.results[row].fen());
            match case.method {
                MethodCase::LargestRemainder => {
                    prop_assert!(new >= old - reference::UNITS[case.unit].1);
                }
                _ => prop_assert!(new >= old),
            }
            Ok(())
        })
    });
}

#[test]
fn bounds_hold_in_the_final_amounts() {
    of_allocations(FEWER_CASES, |case, _, evaluation| {
        let scale = case
            .advance
            .as_deref()
            .map_or_else(|| whole(1), |p| decimal(p) / whole(100));
        for bound in &case.bounds {
            for (row, amount) in evaluation.results.iter().enumerate() {
                if !bound.regions.is_empty() && !bound.regions.contains(&row) {
                    continue;
                }
                let yuan = match &bound.basis {
                    BasisCase::Absolute(yuan) => decimal(yuan),
                    BasisCase::LastYear(percent) => {
                        decimal(percent) * decimal(&case.last[row]) * whole(10_000) / whole(100)
                    }
                    // Needs the expression; the comparison with the reference has it.
                    BasisCase::PerHead(..) => continue,
                };
                let fen = yuan * whole(100) * &scale;
                let amount = whole(amount.fen());
                let holds = if bound.floor { amount >= fen } else { amount <= fen };
                prop_assert!(holds);
            }
        }
        for (row, amount) in evaluation.results.iter().enumerate() {
            let unit = reference::UNITS[case.unit].1;
            let limits = evaluation.bounds.limits[row];
            prop_assert!((limits.low..=limits.high).contains(&(amount.fen() / unit)));
        }
        Ok(())
    });
}

#[test]
fn infeasible_bounds_are_refused_with_regions_and_sums() {
    for (floor, total, sum) in [(true, 1000, "13.50"), (false, 5000, "13.50")] {
        let mut case = plain(&["1", "2", "0", "4"], total);
        let bound = |row: usize, yuan: &str| BoundCase {
            floor,
            basis: BasisCase::Absolute(yuan.to_owned()),
            regions: vec![row],
        };
        // A region without a score counts with its floor in the sum of caps.
        case.bounds = vec![bound(0, "1.50"), bound(1, "5"), bound(3, "7")];
        let found = World::new(&case).evaluate(|result| match result {
            Ok(evaluation) => panic!("{:?}", evaluation.results),
            Err(violations) => violations.iter().map(Violation::sentence_en).collect::<String>(),
        });
        for part in [
            "bounds: ",
            sum,
            "R00 R00县 1.50",
            "R01 R01县 5.00",
            "R03 R03县 7.00",
        ] {
            assert!(found.contains(part), "{part} in {found}");
        }
        assert!(!found.contains("R02"), "{found}");
        assert!(
            found.contains(if floor { "10.00 yuan" } else { "50.00 yuan" }),
            "{found}"
        );
    }
}

#[test]
fn enclosures_contain_the_exact_values() {
    let inside = |enclosure: Enclosure, exact: &Fraction| {
        let end = |bits: u128| Fraction::new(BigInt::from(bits), BigInt::one() << PLACES);
        end(enclosure.low) <= *exact && (enclosure.high == u128::MAX || end(enclosure.high) >= *exact)
    };
    let (decided, rows) = (Cell::new(0), Cell::new(0));
    of_allocations(FEWER_CASES, |case, _, evaluation| {
        let exact: Vec<Fraction> = (0..case.regions)
            .map(|row| evaluation.amounts.exact(row))
            .collect();
        let all: Vec<usize> = (0..case.regions).collect();
        let payable = evaluation.amounts.exact_sum(&all);
        prop_assert_eq!(&payable, &Fraction::sum(&exact));
        for (row, exact) in exact.iter().enumerate() {
            let enclosure = evaluation.amounts.enclosure(row);
            prop_assert!(inside(enclosure, exact));
            prop_assert_eq!(evaluation.amounts.is_zero(row), exact.is_zero());
            rows.set(rows.get() + 1);
            decided.set(decided.get() + u32::from(enclosure.floor().is_some()));
        }
        let total = payable.floor_i64().unwrap();
        let filled = fill(
            &evaluation.amounts,
            payable,
            total,
            evaluation.bounds.limits.clone(),
        )
        .unwrap();
        for row in 0..case.regions {
            prop_assert!(inside(filled.enclosure(row), &filled.exact(row)));
            prop_assert_eq!(filled.exact(row), evaluation.quota(row));
        }
        Ok(())
    });
    println!(
        "{} of {} floors decided by the enclosure",
        decided.get(),
        rows.get()
    );
    assert!(decided.get() > rows.get() / 2);
}

#[test]
fn contributions_add_up_by_region_and_by_component() {
    of_allocations(FEWER_CASES, |case, _, evaluation| {
        let unit = reference::UNITS[case.unit].1;
        let rows = contributions(evaluation);
        let total: Money = evaluation.results.iter().copied().sum();
        let mut before_bounds = Money::ZERO;
        for (row, (parts, amount)) in rows.iter().zip(&evaluation.results).enumerate() {
            prop_assert!(
                parts
                    .iter()
                    .all(|part| !part.is_negative() && part.fen() % unit == 0)
            );
            for (part, exact) in parts.iter().zip(evaluation.amounts.parts()) {
                prop_assert!(part.fen() == 0 || !exact.exact(row).is_zero());
            }
            let sum: Money = parts.iter().copied().sum();
            before_bounds = before_bounds.checked_add(sum).unwrap();
            if !evaluation.bounds.in_force && !evaluation.amounts.is_zero(row) {
                prop_assert_eq!(sum, *amount);
            }
        }
        prop_assert_eq!(before_bounds, total);
        // Each column is what its component pays, to the unit; where a component pays a part of a
        // unit, or scores of zero leave no row to move a unit in, within a unit for each region.
        for (at, component) in evaluation.components.iter().enumerate() {
            let column: i64 = rows.iter().map(|row| row[at].fen() / unit).sum();
            let paid = rational(&component.paid);
            let slack = if evaluation
                .amounts
                .parts()
                .iter()
                .all(|part| (0..case.regions).all(|row| !part.is_zero(row)))
            {
                1
            } else {
                case.regions as i64
            };
            prop_assert!(
                (whole(column) - &paid).abs() < whole(1 + slack),
                "column {} of {}",
                column,
                paid
            );
        }
        Ok(())
    });
}

#[test]
fn settlement_pays_what_the_advance_did_not() {
    check(FEWER_CASES, |first| {
        // The same formula, the figures of another year for the settlement, and one region fewer.
        let mut last = first.clone();
        last.advance = None;
        for indicator in &mut last.indicators {
            indicator.values.reverse();
        }
        let mut second = World::new(&last);
        let keep = if first.regions > 2 && first.bounds.is_empty() {
            first.regions - 1
        } else {
            first.regions
        };
        second.regions.truncate(keep);
        let mut first = first;
        first.advance.get_or_insert_with(|| "60".to_owned());
        let Ok(advance) =
            World::new(&first).evaluate(|result| result.map(|e| Outcome::new(e, None)).map_err(fields))
        else {
            return Ok(());
        };
        second.evaluate(|result| {
            let Ok(evaluation) = result else { return Ok(()) };
            let settlement = Outcome::new(evaluation, Some(&advance));
            prop_assert_eq!(settlement.total(), evaluation.total());
            let difference = settlement.total().fen() - advance.total().fen();
            prop_assert_eq!(settlement.payable_total().fen(), difference);
            prop_assert_eq!(settlement.lines.len(), first.regions);
            for (line, before) in settlement.lines.iter().zip(&advance.lines) {
                prop_assert_eq!(line.payable().fen(), line.amount.fen() - before.amount.fen());
                let parts: i64 = line.components.iter().map(|part| part.fen()).sum();
                prop_assert_eq!(parts + line.bounds_adjustment.fen(), line.amount.fen());
            }
            Ok(())
        })
    });
}

/// The lines of a file in `tests/data` below its heading.
fn data(path: &str) -> Vec<Vec<String>> {
    let path = format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines()
        .skip(1)
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

#[test]
fn us_house_of_representatives() {
    for file in ["us-house/2010.csv", "us-house/2020.csv"] {
        let states = data(file);
        assert_eq!(states.len(), 50);
        let populations: Vec<&str> = states.iter().map(|state| state[1].as_str()).collect();
        let mut case = plain(&populations, 435);
        case.method = MethodCase::HuntingtonHill;
        let names: Vec<String> = states.iter().map(|state| state[0].clone()).collect();
        let mut seats: Vec<(&str, i64)> = states
            .iter()
            .map(|state| (state[0].as_str(), state[2].parse().unwrap()))
            .collect();
        seats.sort_unstable();
        let expected: Vec<i64> = seats.into_iter().map(|(_, seats)| seats).collect();
        assert_eq!(World::named(&case, &names).amounts(), Ok(expected), "{file}");
    }
}

#[test]
fn splits_that_others_got_wrong() {
    let cases = data("money-splits/cases.csv");
    assert_eq!(cases.len(), 7);
    for columns in cases {
        let weights: Vec<&str> = columns[2].split(' ').collect();
        let expected: Vec<i64> = columns[3]
            .split(' ')
            .map(|units| units.parse().unwrap())
            .collect();
        let case = plain(&weights, columns[1].parse().unwrap());
        assert_eq!(World::new(&case).amounts(), Ok(expected), "{}", columns[0]);
    }
}

/// A document with one share component over the indicator `i0`, its regions `R00`, `R01`, … and their values.
fn plain(values: &[&str], pool: i64) -> Case {
    Case {
        regions: values.len(),
        unit: 0,
        method: MethodCase::LargestRemainder,
        retain: false,
        parameters: Vec::new(),
        indicators: vec![IndicatorCase {
            unit: ("ratio", 0),
            values: vec![values.iter().map(ToString::to_string).collect(); 2],
        }],
        last: vec!["0".to_owned(); values.len()],
        set_asides: Vec::new(),
        components: vec![ComponentCase {
            sum: SumCase::Percent("100".to_owned()),
            mode: ModeCase::Share,
            score: Expr::Indicator(0, 0),
        }],
        adjustments: Vec::new(),
        bounds: Vec::new(),
        pool,
        advance: None,
    }
}

#[test]
fn quota_on_a_bound_stays_there() {
    // Jefferson's 13 units for 10, 1.5 and 1.5 are 11, 1 and 1; a floor of 10 or a cap of 10 holds the first.
    let mut case = plain(&["20", "3", "3"], 13);
    case.method = MethodCase::Jefferson;
    assert_eq!(World::new(&case).amounts(), Ok(vec![11, 1, 1]));
    for floor in [true, false] {
        case.bounds = vec![BoundCase {
            floor,
            basis: BasisCase::Absolute("0.10".to_owned()),
            regions: vec![0],
        }];
        assert_eq!(World::new(&case).amounts(), Ok(vec![10, 2, 1]), "floor: {floor}");
    }
}
