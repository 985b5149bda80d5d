//! Scenarios side by side: amounts, changes, amounts per head, ranks, winners and losers.

use super::base::Base;
use super::scenario::{Refusal, Scenario};
use crate::domain::error::{Faults, Violation};
use crate::domain::exact::{BigInt, Fraction, rational};
use crate::domain::money::Money;
use crate::domain::region::Region;
use crate::domain::statistics::IndicatorCode;

/// Most scenarios in one comparison.
pub const MAX_SCENARIOS: usize = 1_000;

/// What "per head" counts: an indicator of a year, from the base's data whatever a scenario changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heads {
    /// The indicator.
    pub code: IndicatorCode,
    /// The year.
    pub year: i32,
}

/// One region's amount in a scenario, and beside the scenario it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The amount.
    pub amount: Money,
    /// The amount less that of the scenario compared with; none where that one has no amounts.
    pub change: Option<Money>,
    /// The change in percent, to 2 decimals; none where the amount compared with is zero.
    pub change_percent: Option<String>,
    /// Yuan per head, to 2 decimals; none where nothing is counted, or nobody.
    pub per_head: Option<String>,
    /// The place by amount, from 1; regions with the same amount share a place.
    pub rank: usize,
}

/// A scenario's column of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The scenario's name.
    pub name: String,
    /// Region by region in code order, or why there are no amounts.
    pub amounts: Result<Vec<Compared>, Refusal>,
    /// The sum of all amounts.
    pub total: Money,
    /// Regions that receive more than in the scenario compared with.
    pub winners: usize,
    /// Regions that receive less.
    pub losers: usize,
    /// What the winners receive more.
    pub gained: Money,
    /// What the losers receive less, as a positive sum.
    pub lost: Money,
}

/// Scenarios side by side.
#[derive(Debug, Clone)]
pub struct Comparison<'a> {
    /// The regions, in code order.
    pub regions: Vec<&'a Region>,
    /// What is counted for each region, in the indicator's base unit (万人 counts as 10,000 persons).
    pub heads: Option<Vec<Fraction>>,
    /// The position of the scenario that the others are compared with.
    pub against: usize,
    /// The scenarios, in the order given.
    pub columns: Vec<Column>,
}

/// Computes every scenario as an allocation of its own and sets them beside the one at `against`.
///
/// A scenario that is refused is a column that says why; the call itself is refused only where the question
/// makes no sense.
pub fn compare<'a>(
    base: &Base<'a>,
    scenarios: &[Scenario],
    against: usize,
    heads: Option<&Heads>,
) -> Result<Comparison<'a>, Refusal> {
    let mut report = Faults::default();
    if scenarios.is_empty() || scenarios.len() > MAX_SCENARIOS {
        report.add(|| {
            Violation::new(
                "scenarios",
                scenarios.len().to_string(),
                format!("1 to {MAX_SCENARIOS} scenarios"),
                format!("1 至 {MAX_SCENARIOS} 个方案"),
            )
        });
    }
    if against >= scenarios.len() {
        report.add(|| {
            Violation::new(
                "against",
                against.to_string(),
                "the position, from 0, of one of the scenarios",
                "方案之一的序号(从 0 起)",
            )
        });
    }
    for (at, scenario) in scenarios.iter().enumerate() {
        if scenarios[..at].iter().any(|other| other.name == scenario.name) {
            report.add(|| {
                Violation::new(
                    format!("scenarios[{at}].name"),
                    &scenario.name,
                    "a name that no other scenario has",
                    "与其他方案不同的名称",
                )
            });
        }
    }
    let mut regions: Vec<&'a Region> = base.regions.iter().collect();
    regions.sort_by(|a, b| a.code.cmp(&b.code));
    let heads = heads.map(|heads| counted(base, &regions, heads, &mut report));
    report.finish()?;
    let amounts: Vec<Result<Vec<Money>, Refusal>> = (scenarios.iter())
        .map(|scenario| base.apply(&scenario.changes)?.amounts())
        .collect();
    let reference = amounts[against].as_deref().ok();
    let columns = (scenarios.iter().zip(&amounts))
        .map(|(scenario, amounts)| Column::new(&scenario.name, amounts, reference, heads.as_deref()))
        .collect();
    Ok(Comparison {
        regions,
        heads,
        against,
        columns,
    })
}

/// Each region's count, in the indicator's base unit.
fn counted(base: &Base<'_>, regions: &[&Region], heads: &Heads, report: &mut Faults) -> Vec<Fraction> {
    let indicator = base
        .indicators
        .iter()
        .find(|indicator| indicator.code == heads.code);
    let Some(indicator) = indicator else {
        report.add(|| {
            Violation::new(
                "heads.code",
                heads.code.as_str(),
                "an indicator that has been imported",
                "已导入的指标",
            )
        });
        return Vec::new();
    };
    let power = BigInt::from(10).pow(indicator.unit.power.unsigned_abs().into());
    let mut counts = Vec::with_capacity(regions.len());
    for region in regions {
        let Some(observation) = base.snapshot.get(&region.code, &heads.code, heads.year) else {
            report.add(|| {
                Violation::new(
                    "heads",
                    format!(
                        "no observation of {} in {} for {} {}",
                        heads.code,
                        heads.year,
                        region.code,
                        region.label()
                    ),
                    "an observation for every region",
                    "每个地区都须有该指标数据",
                )
            });
            continue;
        };
        let value = Fraction::from(rational(observation.value));
        let power = Fraction::whole(power.clone());
        counts.push(if indicator.unit.power >= 0 {
            value.times(&power)
        } else {
            value.over(&power)
        });
    }
    counts
}

impl Column {
    /// A column of amounts beside those of the scenario compared with.
    pub fn new(
        name: &str,
        amounts: &Result<Vec<Money>, Refusal>,
        reference: Option<&[Money]>,
        heads: Option<&[Fraction]>,
    ) -> Self {
        let list = amounts.as_deref().unwrap_or_default();
        let ranks = ranks(list);
        let change = |row: usize| list[row].checked_sub(*reference?.get(row)?);
        let compared = |row: usize| Compared {
            amount: list[row],
            change: change(row),
            change_percent: change(row).and_then(|change| {
                let before = reference?.get(row)?.fen();
                let hundredfold = BigInt::from(change.fen()) * 100;
                (before != 0).then(|| Fraction::new(hundredfold, before.into()).to_decimal_text(2))
            }),
            per_head: heads.and_then(|heads| heads.get(row)).and_then(|heads| {
                let yuan = Fraction::new(list[row].fen().into(), 100.into());
                (!heads.is_zero()).then(|| yuan.over(heads).to_decimal_text(2))
            }),
            rank: ranks[row],
        };
        let changes: Vec<Money> = (0..list.len()).filter_map(change).collect();
        let up = changes.iter().copied().filter(|change| *change > Money::ZERO);
        let down = changes.iter().filter(|change| change.is_negative());
        Self {
            name: name.to_owned(),
            amounts: match amounts {
                Ok(list) => Ok((0..list.len()).map(compared).collect()),
                Err(refusal) => Err(refusal.clone()),
            },
            total: list.iter().copied().sum(),
            winners: up.clone().count(),
            losers: down.clone().count(),
            gained: up.sum(),
            lost: down
                .map(|change| Money::ZERO.checked_sub(*change).unwrap_or_default())
                .sum(),
        }
    }
}

/// Places by amount, the largest first; equal amounts share the first of their places.
pub fn ranks(amounts: &[Money]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..amounts.len()).collect();
    order.sort_by(|a, b| amounts[*b].cmp(&amounts[*a]));
    let mut ranks = vec![0; amounts.len()];
    for (place, row) in order.iter().enumerate() {
        let shared = place
            .checked_sub(1)
            .map(|before| order[before])
            .filter(|before| amounts[*before] == amounts[*row]);
        ranks[*row] = shared.map_or(place + 1, |before| ranks[before]);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fen(amounts: &[i64]) -> Vec<Money> {
        amounts.iter().map(|fen| Money::from_fen(*fen).unwrap()).collect()
    }

    #[test]
    fn equal_amounts_share_a_rank() {
        assert_eq!(ranks(&fen(&[5, 9, 5, 1])), [2, 1, 2, 4]);
        assert_eq!(ranks(&[]), [0; 0]);
    }

    #[test]
    fn says_who_wins_and_who_loses() {
        let before = fen(&[100, 0, 300]);
        let heads = [Fraction::whole(2), Fraction::whole(0), Fraction::whole(1)];
        let column = Column::new("b", &Ok(fen(&[150, 10, 240])), Some(&before), Some(&heads));
        assert_eq!((column.winners, column.losers), (2, 1));
        assert_eq!(
            (column.gained.fen(), column.lost.fen(), column.total.fen()),
            (60, 60, 400)
        );
        let rows = column.amounts.unwrap();
        assert_eq!(rows[0].change_percent.as_deref(), Some("50.00"));
        assert_eq!(rows[0].per_head.as_deref(), Some("0.75"));
        assert_eq!(
            (rows[1].change_percent.as_deref(), rows[1].per_head.as_deref()),
            (None, None)
        );
        assert_eq!(rows[2].change_percent.as_deref(), Some("-20.00"));
        assert_eq!(rows[2].rank, 1);
    }
}
