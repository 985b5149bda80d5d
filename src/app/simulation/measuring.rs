//! Fairness, and the counts and amounts that data hold.

use super::document::FairnessText;
use super::event::{Answered, Event, FairnessAnswer};
use super::seeking::answered;
use super::workers::Ended;
use super::{Setup, Tell, reading, tell};
use crate::domain::digest::DigestBuilder;
use crate::domain::error::{Bilingual, Error, Faults, Violation};
use crate::domain::simulation::{Refusal, Scenario, fairness};
use crate::domain::statistics::IndicatorCode;
use rust_decimal::Decimal;

impl Setup {
    /// Each region's value of an indicator, in the indicator's unit.
    pub(super) fn counts(&self, field: &str, code: &IndicatorCode, year: i32) -> Result<Vec<Decimal>, Error> {
        let mut faults = Faults::default();
        let mut counts = Vec::new();
        for region in self.regions() {
            match self.material.snapshot.get(&region.code, code, year) {
                Some(observation) => counts.push(observation.value),
                None => faults.add(|| {
                    Violation::new(
                        field,
                        format!(
                            "no observation of {code} in {year} for {} {}",
                            region.code,
                            region.label()
                        ),
                        "an observation for every region",
                        "每个地区都须有该指标数据",
                    )
                }),
            }
        }
        faults.finish()?;
        Ok(counts)
    }

    /// Each region's amount that an indicator in yuan holds, in fen.
    pub(super) fn fen_of(&self, field: &str, code: &IndicatorCode, year: i32) -> Result<Vec<i64>, Error> {
        let refused = || {
            Violation::new(
                field,
                code.as_str(),
                "an indicator of amounts in yuan, with at most two decimals",
                "以元为单位、至多两位小数的金额指标",
            )
        };
        let unit = self.material.indicators.iter().find(|known| known.code == *code);
        let shift = u32::try_from(unit.map_or(0, |known| i32::from(known.unit.power)) + 2).unwrap_or(0);
        let scale = Decimal::from(10_i64.checked_pow(shift).ok_or_else(refused)?);
        let counts = self.counts(field, code, year)?;
        let fen = counts.into_iter().map(|value| {
            let fen = value.checked_mul(scale).map(|fen| fen.normalize())?;
            (fen.scale() == 0).then(|| i64::try_from(fen.mantissa()).ok())?
        });
        Ok(fen.collect::<Option<Vec<i64>>>().ok_or_else(refused)?)
    }

    pub(super) fn fairness(&self, asked: &FairnessText, to: Tell<'_>) -> Result<Answered, Ended> {
        let mut scenarios = vec![Scenario::default()];
        scenarios.extend(reading::scenarios("scenarios", &asked.scenarios)?);
        let year = self.request.base.year;
        let count = |field: &str, code: &str| -> Result<Vec<Decimal>, Error> {
            self.counts(field, &IndicatorCode::parse(field, code)?, year)
        };
        let heads = count("heads", &asked.heads)?;
        let migrants = if asked.migrants.is_empty() {
            heads.clone()
        } else {
            count("migrants", &asked.migrants)?
        };
        let head = self.head()?;
        let base = self.base();
        let results = self.workers.alone(&self.cancel, || {
            let mut results = Vec::with_capacity(scenarios.len());
            for scenario in &scenarios {
                if self.cancel.is_cancelled() {
                    return Err(Ended::Cancelled);
                }
                let measure = || -> Result<fairness::Fairness, Refusal> {
                    let amounts = base.apply(&scenario.changes)?.amounts()?;
                    let fen: Vec<i64> = amounts.iter().map(|amount| amount.fen()).collect();
                    fairness::measure(&fen, &heads, &migrants)
                };
                results.push((scenario.name.clone(), measure()));
            }
            Ok(results)
        })?;
        // Counts that make no sense for the base make none at all.
        if let Some((_, Err(refusal))) = results.first() {
            return Err(Error::from(refusal.clone()).into());
        }
        let mut digest = DigestBuilder::new("incentivefund.v1.Fairness");
        for (name, result) in &results {
            digest.field(name);
            if let Ok(found) = result {
                let rest = [found.range, found.spearman, found.kendall];
                let numbers = [Some(found.gini), Some(found.theil), Some(found.variation)];
                for number in numbers.into_iter().chain(rest) {
                    digest.field(&number.map(|number| number.to_string()).unwrap_or_default());
                }
            }
        }
        let result_digest = digest.finish();
        let count = results.len() - 1;
        let summary = Bilingual::new(
            format!("fairness of the base and {count} scenarios"),
            format!("基准及 {count} 个情景的公平性指标"),
        );
        let answered = answered(&head, results.len() as u64, &result_digest, summary);
        let answer = FairnessAnswer {
            head,
            results,
            result_digest,
        };
        tell(to, Event::Fairness(Box::new(answer)))?;
        Ok(answered)
    }
}
