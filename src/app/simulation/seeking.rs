//! Goals and stability: how far one number must, or may, move.

use super::document::{AxisText, ChangeText, GoalText, StabilityText, TargetText};
use super::event::{Answered, Event, GoalAnswer, Head, StabilityAnswer};
use super::workers::Ended;
use super::{Setup, Tell, reading, tell};
use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::exact::{Fraction, rational};
use crate::domain::formula::Formula;
use crate::domain::formula::check::{Basis, Sum};
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use crate::domain::simulation::goal::{self, Goal, Target};
use crate::domain::simulation::grid::{Grid, Search, WALKED};
use crate::domain::simulation::model::Model;
use crate::domain::simulation::{
    Axis, Change, Changed, Evaluator, How, Lever, Plan, Refusal, Setting, Values, stability,
};
use crate::domain::statistics::{IndicatorCode, parse_decimal};
use rust_decimal::Decimal;
use tokio_util::sync::CancellationToken;

/// An evaluator that gives up once nobody waits for it.
pub(super) struct Watched<'p, 'a> {
    evaluator: Evaluator<'p, 'a>,
    cancel: &'p CancellationToken,
    evaluations: u64,
}

impl<'p, 'a> Watched<'p, 'a> {
    pub(super) fn new(evaluator: Evaluator<'p, 'a>, cancel: &'p CancellationToken) -> Self {
        Self {
            evaluator,
            cancel,
            evaluations: 0,
        }
    }

    /// Whether nobody waits any more, so that what came out is worth nothing.
    pub(super) fn stopped(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

impl Model for Watched<'_, '_> {
    fn amounts(&mut self, settings: &[Setting]) -> Result<&[i64], Refusal> {
        if self.cancel.is_cancelled() {
            return Err(Vec::new());
        }
        self.evaluations += 1;
        self.evaluator.amounts(settings)
    }
}

/// A search along one axis, ready to begin.
struct Ready<'a> {
    plan: Plan<'a>,
    grid: Grid,
    knob: Bilingual,
    changes: Vec<Change>,
    axis: Axis,
}

fn steps(search: Search) -> u64 {
    match search {
        Search::Walked => 0,
        Search::Scanned(steps) => steps,
    }
}

impl GoalAnswer {
    /// Distance in steps of the values computed; 0 where every one was.
    pub fn scanned_steps(&self) -> u64 {
        steps(self.goal.search)
    }
}

impl StabilityAnswer {
    /// Distance in steps of the values computed; 0 where every one was.
    pub fn scanned_steps(&self) -> u64 {
        steps(self.stability.search)
    }
}

impl Setup {
    fn ready(&self, changes: &[ChangeText], axis: &AxisText) -> Result<Ready<'_>, Error> {
        let changes = reading::changes("changes", changes)?;
        let axis = reading::axis("axis", axis)?;
        let Values::Range { from, to, step } = axis.values else {
            return Err(Violation::new("axis", "values", "from, to and step", "from、to、step").into());
        };
        let base = self.base();
        let changed = base.apply(&changes)?;
        let start = match axis.target.how {
            How::By | How::Percent => Decimal::ZERO,
            How::To => self.present(&changed, &axis.target.lever)?,
        };
        let grid = Grid {
            start,
            low: from.min(to),
            high: from.max(to),
            step: step.abs(),
            walked: WALKED,
        };
        grid.check("axis")?;
        let knob = self.words().knob(&axis.target);
        let plan = Plan::new(base, changes.clone(), vec![axis.target.clone()])?;
        Ok(Ready {
            plan,
            grid,
            knob,
            changes,
            axis,
        })
    }

    /// The number that a lever moves, as it is.
    fn present(&self, changed: &Changed<'_>, lever: &Lever) -> Result<Decimal, Error> {
        let formula: &Formula = &changed.formula;
        let sum = |sum: Sum| match sum {
            Sum::Percent(percent) => percent,
            Sum::Amount(money) => yuan(money),
        };
        let component = |id: &str| formula.components.iter().find(|c| c.label.id == id);
        let found = match lever {
            Lever::Pool => Some(yuan(changed.pool.total)),
            Lever::Advance => changed.pool.advance_percent,
            Lever::Percent { component: id, .. } | Lever::FixedSum { component: id } => {
                component(id).map(|component| sum(component.sum))
            }
            Lever::Parameter { name } => formula.parameters.get(name).copied(),
            Lever::SetAside { id } => (formula.set_asides.iter())
                .find(|set_aside| set_aside.label.id == *id)
                .map(|set_aside| sum(set_aside.sum)),
            Lever::Bound { at } => formula.bounds.get(*at).map(|bound| match &bound.basis {
                Basis::Absolute(money) => yuan(*money),
                Basis::PerHead(number, _) | Basis::LastYear(number, _) => *number,
            }),
            Lever::Indicator {
                code,
                year: Some(year),
                region: Some(region),
            } => (changed.snapshot().get(region, code, *year)).map(|observation| observation.value),
            Lever::Indicator { .. } => {
                return Err(Violation::new(
                    "axis.knob.how",
                    "to, for an indicator of several regions or years",
                    "by or percent; or one region and one year",
                    "by 或 percent;或只指定一个地区和一个年份",
                )
                .into());
            }
        };
        found.ok_or_else(|| {
            Violation::new(
                "axis.knob",
                format!("{lever:?}"),
                "a number that the base has",
                "基准中存在的数值",
            )
            .into()
        })
    }

    /// The changes at the value that a goal found.
    pub(super) fn at_goal(&self, asked: &GoalText) -> Result<Vec<Change>, Error> {
        let head = self.head()?;
        let (ready, _, found) = self.found(asked, &head)?;
        let mut changes = ready.changes;
        changes.push(ready.axis.target.set(found.point.value));
        Ok(changes)
    }

    fn found(&self, asked: &GoalText, head: &Head) -> Result<(Ready<'_>, Target, Goal), Ended> {
        let ready = self.ready(&asked.changes, &asked.axis)?;
        let target = self.target(&asked.target, head)?;
        target.check(head.regions.len()).map_err(Error::from)?;
        let found = self.workers.alone(&self.cancel, || {
            let mut model = Watched::new(ready.plan.evaluator(), &self.cancel);
            let found = goal::seek(&ready.grid, 0, &[], &target, &mut model);
            if model.stopped() {
                return Err(Ended::Cancelled);
            }
            found.map_err(|refusal| Error::from(refusal).into())
        })?;
        Ok((ready, target, found))
    }

    pub(super) fn seek(&self, asked: &GoalText, to: Tell<'_>) -> Result<Answered, Ended> {
        let head = self.head()?;
        let (ready, target, goal) = self.found(asked, &head)?;
        let measured = measured(&target, &goal.point.amounts);
        let mut digest = DigestBuilder::new("incentivefund.v1.Goal");
        digest
            .field(if goal.met { "met" } else { "not met" })
            .field(&goal.point.value.normalize().to_string());
        for amount in &goal.point.amounts {
            digest.field(&amount.to_string());
        }
        let result_digest = digest.finish();
        let value = goal.point.value;
        let summary = if goal.met {
            Bilingual::new(
                format!("{}: {value} meets the target", ready.knob.en),
                format!("{}为 {value} 时达到目标", ready.knob.zh),
            )
        } else {
            Bilingual::new(
                format!("no value meets the target; the best is {value}"),
                format!("没有取值能达到目标,最接近的是 {value}"),
            )
        };
        let answered = answered(&head, goal.evaluated, &result_digest, summary);
        let answer = GoalAnswer {
            knob: ready.knob,
            target: in_words(&asked.target, &self.words()),
            base_value: ready.grid.start,
            goal,
            measured,
            head,
            result_digest,
        };
        tell(to, Event::Goal(Box::new(answer)))?;
        Ok(answered)
    }

    pub(super) fn stability(&self, asked: &StabilityText, to: Tell<'_>) -> Result<Answered, Ended> {
        let head = self.head()?;
        let ready = self.ready(&asked.changes, &asked.axis)?;
        let (stability, evaluations) = self.workers.alone(&self.cancel, || {
            let mut model = Watched::new(ready.plan.evaluator(), &self.cancel);
            let found = stability::measure(&ready.grid, 0, &[], &mut model);
            if model.stopped() {
                return Err(Ended::Cancelled);
            }
            let evaluations = model.evaluations;
            let found = found.map_err(|refusal| Ended::from(Error::from(refusal)))?;
            Ok((found, evaluations))
        })?;
        let mut digest = DigestBuilder::new("incentivefund.v1.Stability");
        for side in [&stability.down, &stability.up] {
            match side {
                None => digest.field("none"),
                Some(found) => digest.field(&found.value.normalize().to_string()),
            };
        }
        for row in &stability.order {
            digest.field(&row.to_string());
        }
        let result_digest = digest.finish();
        let ends = |side: &Option<stability::Break>| {
            side.as_ref()
                .map_or("-".to_owned(), |found| found.value.to_string())
        };
        let (down, up) = (ends(&stability.down), ends(&stability.up));
        let start = ready.grid.start;
        let summary = Bilingual::new(
            format!("ranks change at {down} below and {up} above {start}"),
            format!("当前值 {start};位次在 {down}(下)与 {up}(上)处改变"),
        );
        let answered = answered(&head, evaluations, &result_digest, summary);
        let answer = StabilityAnswer {
            head,
            knob: ready.knob,
            base_value: start,
            low: ready.grid.low,
            high: ready.grid.high,
            stability,
            evaluations,
            result_digest,
        };
        tell(to, Event::Stability(Box::new(answer)))?;
        Ok(answered)
    }

    fn target(&self, asked: &TargetText, head: &Head) -> Result<Target, Error> {
        let row = |key: &str, code: &str| -> Result<usize, Violation> {
            let field = format!("target.{key}");
            let code = RegionCode::parse(&field, code)?;
            let found = head.regions.iter().position(|region| region.region.code == code);
            found.ok_or_else(|| {
                Violation::new(field, code.as_str(), "a region that takes part", "参与分配的地区")
            })
        };
        let heads = || -> Result<Vec<Decimal>, Error> {
            let code = IndicatorCode::parse("target.heads", &asked.heads)?;
            self.counts("target.heads", &code, self.request.base.year)
        };
        let least = || reading::number("target.at_least", &asked.at_least);
        let most = || reading::number("target.at_most", &asked.at_most);
        let at_least = match (asked.at_least.is_empty(), asked.at_most.is_empty()) {
            (false, true) => true,
            (true, false) => false,
            _ => {
                return Err(Violation::new(
                    "target",
                    format!(
                        "at_least \"{}\", at_most \"{}\"",
                        asked.at_least.0, asked.at_most.0
                    ),
                    "exactly one of at_least and at_most",
                    "at_least 与 at_most 填且只填其一",
                )
                .into());
            }
        };
        let only = |en: &str, zh: &str| Violation::new("target", "the other side", en, zh);
        Ok(match (asked.what.as_str(), at_least) {
            ("amount", true) => Target::AtLeast {
                region: row("region", &asked.region)?,
                fen: Money::parse("target.at_least", &asked.at_least.0)?.fen(),
            },
            ("amount", false) => Target::AtMost {
                region: row("region", &asked.region)?,
                fen: Money::parse("target.at_most", &asked.at_most.0)?.fen(),
            },
            ("share", true) => Target::ShareAtLeast {
                region: row("region", &asked.region)?,
                percent: least()?,
            },
            ("share", false) => Target::ShareAtMost {
                region: row("region", &asked.region)?,
                percent: most()?,
            },
            ("ratio" | "ratio_per_head", true) => {
                let (region, other) = (row("region", &asked.region)?, row("other", &asked.other)?);
                Target::RatioAtLeast {
                    region,
                    to: other,
                    ratio: least()?,
                    heads: if asked.what == "ratio" {
                        None
                    } else {
                        let heads = heads()?;
                        heads.get(region).copied().zip(heads.get(other).copied())
                    },
                }
            }
            ("ratio" | "ratio_per_head", false) => {
                return Err(only("at_least: exchange the two regions", "at_least(请调换两个地区)").into());
            }
            ("range_per_head", false) => Target::PerHeadRange {
                heads: heads()?,
                ratio: most()?,
            },
            ("loser", false) => Target::NoLoserBeyond {
                against: head.regions.iter().map(|region| region.base.fen()).collect(),
                percent: most()?,
            },
            ("range_per_head" | "loser", true) => return Err(only("at_most", "at_most").into()),
            (other, _) => {
                let kinds = "amount, share, ratio, ratio_per_head, range_per_head, loser";
                return Err(Violation::new(
                    "target.what",
                    other,
                    format!("one of {kinds}"),
                    format!("下列之一:{kinds}"),
                )
                .into());
            }
        })
    }
}

pub(super) fn answered(
    head: &Head,
    evaluations: u64,
    result_digest: &Digest,
    summary: Bilingual,
) -> Answered {
    Answered {
        provenance: head.provenance.clone(),
        evaluations,
        result_digest: result_digest.clone(),
        summary,
    }
}

/// Money as a number of yuan.
fn yuan(money: Money) -> Decimal {
    parse_decimal("amount", &money.to_string()).unwrap_or_default()
}

/// What a target measures, for reading.
fn measured(target: &Target, amounts: &[i64]) -> String {
    let fen = |row: usize| amounts.get(row).copied().unwrap_or_default();
    let fraction = |numerator: i128, denominator: i128| {
        (denominator != 0).then(|| Fraction::new(numerator.into(), denominator.into()))
    };
    let shown = |value: Option<Fraction>, places: u32| {
        value
            .map(|value| value.to_decimal_text(places))
            .unwrap_or_default()
    };
    match target {
        Target::AtLeast { region, .. } | Target::AtMost { region, .. } => {
            Money::from_fen(fen(*region)).unwrap_or_default().to_string()
        }
        Target::ShareAtLeast { region, .. } | Target::ShareAtMost { region, .. } => {
            let sum = amounts.iter().map(|amount| i128::from(*amount)).sum();
            shown(fraction(i128::from(fen(*region)) * 100, sum), 6)
        }
        Target::RatioAtLeast {
            region, to, heads, ..
        } => {
            let ratio = fraction(fen(*region).into(), fen(*to).into());
            let ratio = match heads {
                Some((own, other)) => ratio
                    .map(|ratio| ratio.times(&Fraction::from(rational(*other))))
                    .filter(|_| !own.is_zero())
                    .map(|ratio| ratio.over(&Fraction::from(rational(*own)))),
                None => ratio,
            };
            shown(ratio, 6)
        }
        Target::PerHeadRange { heads, .. } => {
            let mut values: Vec<Fraction> = amounts
                .iter()
                .zip(heads)
                .filter(|(_, heads)| !heads.is_zero())
                .map(|(amount, heads)| Fraction::whole(*amount).over(&Fraction::from(rational(*heads))))
                .collect();
            values.sort();
            let ends = values.last().zip(values.first());
            shown(
                ends.filter(|(_, least)| !least.is_zero())
                    .map(|(largest, least)| largest.over(least)),
                6,
            )
        }
        Target::NoLoserBeyond { against, .. } => {
            let losses = amounts
                .iter()
                .zip(against)
                .filter_map(|(amount, against)| {
                    fraction(
                        (i128::from(*against) - i128::from(*amount)) * 100,
                        (*against).into(),
                    )
                })
                .max();
            shown(losses, 6)
        }
    }
}

/// A target in words.
fn in_words(asked: &TargetText, words: &reading::Words<'_>) -> Bilingual {
    let name = |code: &str| {
        let found = words.regions.iter().find(|region| region.code.as_str() == code);
        found.map_or_else(
            || Bilingual::new(code, code),
            |region| Bilingual::new(&region.name_en, &region.name_zh),
        )
    };
    let (region, other) = (name(&asked.region), name(&asked.other));
    let (sign, number) = if asked.at_least.is_empty() {
        ("≤", &asked.at_most.0)
    } else {
        ("≥", &asked.at_least.0)
    };
    let (en, zh) = match asked.what.as_str() {
        "amount" => (format!("amount of {}", region.en), format!("{}分配额", region.zh)),
        "share" => (
            format!("share of {} in %", region.en),
            format!("{}占比(%)", region.zh),
        ),
        "ratio" => (
            format!("{} over {}", region.en, other.en),
            format!("{}与{}之比", region.zh, other.zh),
        ),
        "ratio_per_head" => (
            format!("{} over {}, per head", region.en, other.en),
            format!("{}与{}人均之比", region.zh, other.zh),
        ),
        "range_per_head" => (
            "largest over least amount per head".to_owned(),
            "人均最高与最低之比".to_owned(),
        ),
        _ => (
            "largest loss against the base in %".to_owned(),
            "较基准最大减幅(%)".to_owned(),
        ),
    };
    Bilingual::new(format!("{en} {sign} {number}"), format!("{zh} {sign} {number}"))
}
