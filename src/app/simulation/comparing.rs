//! Scenarios side by side.

use super::document::ComparisonText;
use super::event::{Answered, ComparisonAnswer, Event, ScenarioAnswer};
use super::workers::Ended;
use super::{Setup, Tell, reading, tell};
use crate::domain::digest::DigestBuilder;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::money::Money;
use crate::domain::simulation::{Heads, Scenario, compare};

impl Setup {
    pub(super) fn compare(&self, asked: &ComparisonText, to: Tell<'_>) -> Result<Answered, Ended> {
        let mut scenarios = vec![Scenario::default()];
        scenarios.extend(reading::scenarios("scenarios", &asked.scenarios)?);
        let against = match asked.against.trim() {
            "" => 0,
            name => scenarios
                .iter()
                .position(|scenario| scenario.name == name)
                .ok_or_else(|| {
                    Error::from(Violation::new(
                        "against",
                        name,
                        "the name of one of the scenarios",
                        "某个情景的名称",
                    ))
                })?,
        };
        let heads = reading::indicator("heads", &asked.heads).map_err(Error::from)?;
        let heads = heads.map(|code| Heads {
            code,
            year: self.request.base.year,
        });
        let head = self.head()?;
        let base = self.base();
        let compared = self.workers.alone(&self.cancel, || {
            compare(&base, &scenarios, against, heads.as_ref()).map_err(|refusal| Error::from(refusal).into())
        })?;
        let words = self.words();
        let reference: Money = compared
            .columns
            .get(against)
            .map_or(Money::ZERO, |column| column.total);
        let mut digest = DigestBuilder::new("incentivefund.v1.Comparison");
        let scenarios: Vec<ScenarioAnswer> = compared
            .columns
            .into_iter()
            .zip(&scenarios)
            .map(|(column, scenario)| {
                digest.field(&column.name);
                for line in column.amounts.iter().flatten() {
                    digest.field(&line.amount.to_string());
                }
                ScenarioAnswer {
                    changes: scenario
                        .changes
                        .iter()
                        .map(|change| words.change(change))
                        .collect(),
                    total_change: if column.amounts.is_ok() {
                        column.total.checked_sub(reference).unwrap_or_default()
                    } else {
                        Money::ZERO
                    },
                    name: column.name,
                    lines: column.amounts,
                    total: column.total,
                    winners: column.winners,
                    losers: column.losers,
                }
            })
            .collect();
        let refused = scenarios
            .iter()
            .filter(|scenario| scenario.lines.is_err())
            .count();
        let count = scenarios.len() - 1;
        let result_digest = digest.finish();
        let answered = Answered {
            provenance: head.provenance.clone(),
            evaluations: count as u64 + 1,
            result_digest: result_digest.clone(),
            summary: Bilingual::new(
                format!("{count} scenarios beside the base, {refused} refused"),
                format!("与基准对比 {count} 个情景,其中 {refused} 个不可行"),
            ),
        };
        let answer = ComparisonAnswer {
            head,
            scenarios,
            result_digest,
        };
        tell(to, Event::Comparison(Box::new(answer)))?;
        Ok(answered)
    }
}
