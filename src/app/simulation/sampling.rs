//! Samples over uncertain statistics, and what drives their variance.

use super::document::{MonteCarloText, UncertainText};
use super::event::{Answered, Event, Head, MonteCarloEnd, Points};
use super::seeking::Watched;
use super::workers::Ended;
use super::{Setup, Tell, reading, sweeping, tell};
use crate::domain::digest::DigestBuilder;
use crate::domain::error::{Bilingual, Error, Faults, Violation};
use crate::domain::formula::Inputs;
use crate::domain::region::RegionCode;
use crate::domain::simulation::draw::{
    Correlation, Distribution, Draws, Scale, Shape, Truncation, Uncertainties, Uncertainty,
};
use crate::domain::simulation::monte_carlo::{KEPT_AMOUNTS, Question, Step, Study};
use crate::domain::simulation::sobol::{Drivers, Sensitivity, Swing};
use crate::domain::simulation::{Change, Lever, Plan};
use crate::domain::statistics::{IndicatorCode, parse_year};
use crate::domain::subsidy::document::Text;
use rust_decimal::Decimal;

/// Quantiles that are told, in percent.
const QUANTILES: [i64; 5] = [5, 25, 50, 75, 95];
/// Both ends of an input in a tornado, in percent.
const ENDS: (i64, i64) = (5, 95);
/// Pairs of samples in one piece.
const PAIRS: u64 = 16;
/// Evaluations between two reports of progress.
const PROGRESS: u64 = 10_000;

fn uncertain(field: &str, text: &UncertainText) -> Result<Uncertainty, Violation> {
    let of = |key: &str| format!("{field}.{key}");
    let number = |key: &str, text: &Text| reading::number(&of(key), text);
    let scale = match text.measure.as_str() {
        "" | "percent" => Scale::Percent,
        "absolute" => Scale::Absolute,
        other => {
            return Err(Violation::new(
                of("measure"),
                other,
                "percent or absolute",
                "percent 或 absolute",
            ));
        }
    };
    let shape = match text.distribution.as_str() {
        "normal" => Shape::Normal {
            deviation: number("deviation", &text.deviation)?,
            truncation: match (text.truncate, text.low.is_empty() && text.high.is_empty()) {
                (true, true) => Truncation::Indicator,
                (false, true) => Truncation::None,
                (false, false) => Truncation::At {
                    low: number("low", &text.low)?,
                    high: number("high", &text.high)?,
                },
                (true, false) => {
                    return Err(Violation::new(
                        of("truncate"),
                        "true",
                        "either truncate, or low and high",
                        "truncate,或 low 与 high,二者填其一",
                    ));
                }
            },
        },
        "uniform" => Shape::Uniform {
            low: number("low", &text.low)?,
            high: number("high", &text.high)?,
        },
        "triangular" => Shape::Triangular {
            low: number("low", &text.low)?,
            mode: number("mode", &text.mode)?,
            high: number("high", &text.high)?,
        },
        "empirical" => Shape::Empirical {
            errors: (text.errors.iter().enumerate())
                .map(|(at, error)| number(&format!("errors[{at}]"), error))
                .collect::<Result<_, _>>()?,
        },
        other => {
            let kinds = "normal, uniform, triangular, empirical";
            return Err(Violation::new(
                of("distribution"),
                other,
                format!("one of {kinds}"),
                format!("下列之一:{kinds}"),
            ));
        }
    };
    Ok(Uncertainty {
        name: if text.name.is_empty() {
            text.indicator.clone()
        } else {
            text.name.clone()
        },
        indicator: IndicatorCode::parse(&of("indicator"), &text.indicator)?,
        year: match text.year {
            0 => None,
            year => Some(parse_year(&of("year"), &year.to_string())?),
        },
        regions: (text.regions.iter().enumerate())
            .map(|(at, code)| RegionCode::parse(&of(&format!("regions[{at}]")), code))
            .collect::<Result<_, _>>()?,
        distribution: Distribution { scale, shape },
        together: if text.together.is_empty() {
            Decimal::ZERO
        } else {
            number("together", &text.together)?
        },
    })
}

fn read(asked: &MonteCarloText) -> Result<(Vec<Change>, Uncertainties), Error> {
    let mut faults = Faults::default();
    let changes = reading::changes("changes", &asked.changes).map_err(|found| faults.extend(found));
    let mut uncertainties = Uncertainties::default();
    for (at, text) in asked.uncertain.iter().enumerate() {
        let read = uncertain(&format!("uncertain[{at}]"), text);
        uncertainties.items.extend(faults.keep(read));
    }
    for (at, text) in asked.correlations.iter().enumerate() {
        let value = reading::number(&format!("correlations[{at}].value"), &text.value);
        uncertainties
            .correlations
            .extend(faults.keep(value).map(|value| Correlation {
                a: text.a.clone(),
                b: text.b.clone(),
                value,
            }));
    }
    faults.finish()?;
    Ok((changes.unwrap_or_default(), uncertainties))
}

fn over_limit(samples: u64, evaluations: u64, limit: u64) -> Result<(), Error> {
    if evaluations <= limit {
        return Ok(());
    }
    Err(Violation::new(
        "samples",
        format!("{samples} samples, which take {evaluations} evaluations"),
        format!("at most {limit} evaluations (simulation.max_points)"),
        format!("至多 {limit} 次测算(simulation.max_points)"),
    )
    .into())
}

impl Setup {
    pub(super) fn sample(&self, asked: &MonteCarloText, to: Tell<'_>) -> Result<Answered, Ended> {
        over_limit(asked.samples, asked.samples, self.max_points)?;
        let (changes, uncertainties) = read(asked)?;
        let base = self.base();
        let changed = base.apply(&changes).map_err(Error::from)?;
        let inputs = Inputs::bind(
            &changed.formula,
            changed.snapshot(),
            base.indicators,
            base.regions,
            base.year,
        );
        let inputs = inputs.map_err(Error::from)?;
        let draws = Draws::prepare(&uncertainties, &inputs, asked.seed).map_err(renamed)?;
        let head = self.head()?;
        let last_year = match reading::indicator("last_year", &asked.last_year).map_err(Error::from)? {
            None => None,
            Some(code) => Some(self.fen_of("last_year", &code, base.year - 1)?),
        };
        let amounts: Vec<i64> = head.regions.iter().map(|region| region.base.fen()).collect();
        let drivers = match asked.driver_samples {
            0 => None,
            _ => Some(Drivers::prepare(&draws, &[], amounts.clone()).map_err(Error::from)?),
        };
        let driving = drivers
            .as_ref()
            .map_or(0, |drivers| drivers.evaluations(asked.driver_samples));
        let evaluations = asked.samples.saturating_add(driving);
        over_limit(asked.samples, evaluations, self.max_points)?;
        let quantiles: Vec<Decimal> = QUANTILES.into_iter().map(Decimal::from).collect();
        let mut study = Study::new(Question {
            samples: asked.samples,
            quantiles: quantiles.clone(),
            base: amounts,
            last_year: last_year.clone(),
            threshold: None,
            kept: KEPT_AMOUNTS,
        })
        .map_err(Error::from)?;
        let plan = Plan::new(base, changes, draws.knobs()).map_err(Error::from)?;
        let names = uncertainties.items.iter().zip(&asked.uncertain);
        let names: Vec<Bilingual> = names.map(|(item, text)| self.in_words(item, text)).collect();
        tell(
            to,
            Event::SamplesBegin(Box::new(head.clone()), names, evaluations),
        )?;
        let (summary, mut digest) = self.study(&mut study, &plan, &draws, &head, evaluations, to)?;
        let drivers = match &drivers {
            None => None,
            Some(drivers) => {
                let found = self.drivers(drivers, &plan, &draws, asked.driver_samples, &mut |done| {
                    tell(to, Event::Progress(asked.samples + done, evaluations))
                })?;
                for influence in found.0.regions.iter().flatten().flatten() {
                    digest.field(&influence.first.millionths.to_string());
                    digest.field(&influence.total.millionths.to_string());
                }
                Some(found)
            }
        };
        let result_digest = digest.finish();
        let answered = Answered {
            provenance: head.provenance.clone(),
            evaluations,
            result_digest: result_digest.clone(),
            summary: Bilingual::new(
                format!(
                    "{} samples with the seed {}, {} refused",
                    asked.samples, asked.seed, summary.refused
                ),
                format!(
                    "{} 次抽样(种子 {}),其中 {} 次不可行",
                    asked.samples, asked.seed, summary.refused
                ),
            ),
        };
        let end = MonteCarloEnd {
            quantiles,
            samples: asked.samples,
            seed: asked.seed,
            summary,
            regions: head.regions,
            last_year,
            drivers,
            result_digest,
        };
        tell(to, Event::SamplesEnd(Box::new(end)))?;
        Ok(answered)
    }

    /// Passes over the samples until every quantile is known; they are told in the first.
    fn study(
        &self,
        study: &mut Study,
        plan: &Plan<'_>,
        draws: &Draws,
        head: &Head,
        evaluations: u64,
        to: Tell<'_>,
    ) -> Result<(crate::domain::simulation::monte_carlo::Summary, DigestBuilder), Ended> {
        let samples = study.samples();
        let regions = head.regions.len();
        let size = sweeping::piece_of(regions);
        let mut digest = DigestBuilder::new("incentivefund.v1.MonteCarlo");
        let mut bytes = Vec::new();
        loop {
            let first_pass = study.passes() == 0;
            let mut fold = study.fold();
            let worker = || {
                let mut evaluator = plan.evaluator();
                let mut sampler = draws.sampler();
                let mut settings = Vec::new();
                let cancel = &self.cancel;
                move |piece: u64| {
                    let first = piece * size;
                    let mut computed = Points {
                        first,
                        ..Points::default()
                    };
                    for sample in first..(first + size).min(samples) {
                        if cancel.is_cancelled() {
                            return None;
                        }
                        sampler.sample(sample, &mut settings);
                        computed.count += 1;
                        match evaluator.amounts(&settings) {
                            Ok(amounts) => computed.amounts.extend_from_slice(amounts),
                            Err(refusal) => {
                                computed.amounts.extend(std::iter::repeat_n(-1, regions));
                                computed.refused.push((sample, refusal));
                            }
                        }
                    }
                    Some(computed)
                }
            };
            let mut told = 0;
            self.workers.in_order(
                samples.div_ceil(size),
                &self.cancel,
                worker,
                |computed: Points| {
                    let mut refused = computed.refused.iter();
                    for (sample, amounts) in (computed.first..).zip(computed.amounts.chunks(regions)) {
                        let outcome = if amounts.first().is_some_and(|amount| *amount < 0) {
                            Err(refused.next().map(|(_, why)| why.clone()).unwrap_or_default())
                        } else {
                            Ok(amounts)
                        };
                        study.count(&mut fold, sample, outcome);
                        if first_pass {
                            bytes.clear();
                            for amount in amounts {
                                bytes.extend_from_slice(&amount.to_be_bytes());
                            }
                            digest.bytes(&bytes);
                        }
                    }
                    if !first_pass {
                        return Ok(());
                    }
                    let done = computed.first + u64::from(computed.count);
                    tell(to, Event::Samples(computed))?;
                    if done - told >= PROGRESS || done == samples {
                        told = done;
                        tell(to, Event::Progress(done, evaluations))?;
                    }
                    Ok(())
                },
            )?;
            if let Step::Done(summary) = study.take(fold) {
                return Ok((*summary, digest));
            }
        }
    }

    fn drivers(
        &self,
        drivers: &Drivers,
        plan: &Plan<'_>,
        draws: &Draws,
        pairs: u64,
        progress: &mut dyn FnMut(u64) -> Result<(), Ended>,
    ) -> Result<(Sensitivity, Vec<Swing>), Ended> {
        let mut fold = drivers.fold();
        let worker = || {
            let mut model = Watched::new(plan.evaluator(), &self.cancel);
            move |piece: u64| {
                let first = piece * PAIRS;
                let end = (first + PAIRS).min(pairs);
                let mut part = drivers.fold();
                drivers.run_pairs(draws, &mut model, first..end, &mut part);
                (!model.stopped()).then_some((end, part))
            }
        };
        let mut told = 0;
        self.workers
            .in_order(pairs.div_ceil(PAIRS), &self.cancel, worker, |(end, part)| {
                fold.merge(part);
                let done = drivers.evaluations(end);
                if done - told >= PROGRESS || end == pairs {
                    told = done;
                    progress(done)?;
                }
                Ok(())
            })?;
        let mut model = Watched::new(plan.evaluator(), &self.cancel);
        let swings = drivers.swings(draws, &mut model, Decimal::from(ENDS.0), Decimal::from(ENDS.1));
        if model.stopped() {
            return Err(Ended::Cancelled);
        }
        Ok((drivers.finish(&fold), swings))
    }

    fn in_words(&self, item: &Uncertainty, text: &UncertainText) -> Bilingual {
        let of = |region: Option<RegionCode>| {
            self.words().lever(&Lever::Indicator {
                code: item.indicator.clone(),
                year: item.year,
                region,
            })
        };
        let names: Vec<Bilingual> = if item.regions.is_empty() {
            vec![of(None)]
        } else {
            item.regions
                .iter()
                .map(|region| of(Some(region.clone())))
                .collect()
        };
        let (en, zh): (Vec<String>, Vec<String>) = names.into_iter().map(|name| (name.en, name.zh)).unzip();
        let unit = if item.distribution.scale == Scale::Percent {
            " %"
        } else {
            ""
        };
        let (how_en, how_zh) = match &item.distribution.shape {
            Shape::Normal { deviation, .. } => (
                format!("normal, standard deviation {deviation}{unit}"),
                format!("正态分布,标准差 {deviation}{unit}"),
            ),
            Shape::Uniform { low, high } => (
                format!("uniform from {low}{unit} to {high}{unit}"),
                format!("均匀分布,{low}{unit} 至 {high}{unit}"),
            ),
            Shape::Triangular { low, mode, high } => (
                format!("triangular from {low}{unit} over {mode}{unit} to {high}{unit}"),
                format!("三角分布,{low}{unit}、{mode}{unit}、{high}{unit}"),
            ),
            Shape::Empirical { errors } => (
                format!("one of {} errors seen", errors.len()),
                format!("经验误差({} 个)", errors.len()),
            ),
        };
        let name = if text.name.is_empty() {
            String::new()
        } else {
            format!("{}: ", text.name)
        };
        Bilingual::new(
            format!("{name}{}: {how_en}", en.join(", ")),
            format!("{name}{}:{how_zh}", zh.join("、")),
        )
    }
}

/// The domain's faults under the names of the document.
fn renamed(violations: Vec<Violation>) -> Error {
    let renamed = violations.into_iter().map(|mut violation| {
        if let Some(rest) = violation.field.strip_prefix("uncertainties") {
            violation.field = format!("uncertain{rest}");
        }
        violation
    });
    Error::Invalid(renamed.collect())
}
