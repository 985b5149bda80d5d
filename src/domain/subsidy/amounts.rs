//! Benefits and caps of one claim, exact, with their derivation.

use super::assessment::{BenefitOutcome, CapOutcome, Detail};
use super::band::Rate;
use super::benefit::{Basis, Benefit, Cap, CapKind, Rates};
use super::facts::Facts;
use super::policy::CheckedPolicy;
use super::precise::Precise;
use super::programme::{Fact, FactValue};
use crate::domain::error::Bilingual;
use crate::domain::money::Money;
use rust_decimal::Decimal;

/// Computes amounts for one claim.
pub(super) struct Work<'c> {
    pub(super) policy: &'c CheckedPolicy,
    pub(super) facts: &'c Facts,
    /// The deed tax that stands for the receipt's.
    pub(super) recognised: Option<Money>,
    /// Whether it is said how.
    pub(super) detail: Detail,
}

impl Work<'_> {
    fn fact(&self, at: usize) -> Option<&Fact> {
        self.policy.programme.facts.get(at)
    }

    /// The value of a numeric fact that amounts are computed from; a required one is always there.
    fn number(&self, at: usize) -> Decimal {
        let receipt = self.policy.programme.deed_tax.as_ref().map(|tax| tax.receipt);
        if receipt == Some(at)
            && let Some(recognised) = self.recognised
        {
            return Decimal::new(recognised.fen(), 2);
        }
        match self.facts.value(at) {
            Some(FactValue::Number(value)) => value,
            _ => Decimal::ZERO,
        }
    }

    /// A quantity with its name, cut to a limit where there is one.
    fn quantity(&self, at: usize, limit: Option<Decimal>) -> (Precise, Bilingual) {
        let found = self.number(at);
        let counted = limit.map_or(found, |limit| found.min(limit));
        let Some(fact) = self.fact(at) else {
            return (Precise::zero(), Bilingual::default());
        };
        let mut words = self.detail.say(|| {
            let shown = fact.show(&FactValue::Number(counted));
            Bilingual::new(
                format!("{} {}", fact.label.en, shown.en),
                format!("{} {}", fact.label.zh, shown.zh),
            )
        });
        if counted != found {
            self.detail.add(&mut words, || {
                let found = fact.show(&FactValue::Number(found));
                Bilingual::new(
                    format!(" (of {}, at most so many count)", found.en),
                    format!("(实际 {},超出部分不计)", found.zh),
                )
            });
        }
        (Precise::from(counted), words)
    }

    /// The rate that applies, and the step that says which band gave it.
    fn rate(&self, benefit: &Benefit) -> (Option<Rate>, Option<Bilingual>) {
        let (by, bands) = match &benefit.rates {
            Rates::Flat(rate) => return (Some(*rate), None),
            Rates::Banded { by, bands } => (*by, bands),
        };
        let (Some(fact), Some(value)) = (self.fact(by), self.facts.value(by)) else {
            return (None, None);
        };
        match bands.iter().find(|band| band.range.contains(&value)) {
            Some(band) => (
                Some(band.rate),
                Some(self.detail.say(|| {
                    let shown = fact.show(&value);
                    Bilingual::new(
                        format!("{} {}: band {}", fact.label.en, shown.en, band.words.en),
                        format!("{} {}:适用档次“{}”", fact.label.zh, shown.zh, band.words.zh),
                    )
                })),
            ),
            None => (
                None,
                Some(self.detail.say(|| {
                    let shown = fact.show(&value);
                    Bilingual::new(
                        format!("{} {} is in no band: nothing", fact.label.en, shown.en),
                        format!("{} {} 不在任何档次内:不补贴", fact.label.zh, shown.zh),
                    )
                })),
            ),
        }
    }

    /// What a benefit comes to.
    pub(super) fn benefit(&self, benefit: &Benefit) -> (BenefitOutcome, Precise) {
        let mut outcome = BenefitOutcome {
            id: benefit.label.code.clone(),
            name: self
                .detail
                .say(|| Bilingual::new(benefit.label.en.clone(), benefit.label.zh.clone())),
            clause: benefit.clause.clone(),
            applies: false,
            steps: Vec::new(),
            caps: Vec::new(),
            exact: "0".to_owned(),
        };
        if let Some(when) = &benefit.when {
            let (holds, why) = when.judge(self.facts, self.detail);
            outcome.steps.push(why);
            if !holds {
                return (outcome, Precise::zero());
            }
        }
        let (rate, band) = self.rate(benefit);
        outcome.steps.extend(band);
        let Some(rate) = rate else {
            return (outcome, Precise::zero());
        };
        outcome.applies = true;
        let (amount, step) = self.product(benefit, rate);
        outcome.steps.push(step);
        let (caps, amount) = self.caps(&benefit.caps, amount);
        outcome.caps = caps;
        outcome.exact = amount.to_string();
        (outcome, amount)
    }

    fn product(&self, benefit: &Benefit, rate: Rate) -> (Precise, Bilingual) {
        let (mut amount, mut words) = match (benefit.basis, rate) {
            (Basis::PerUnit { fact, limit }, Rate::Amount(yuan)) => {
                let (quantity, named) = self.quantity(fact, limit);
                let unit = self.fact(fact).map(|fact| &fact.unit);
                let per = unit.filter(|unit| !unit.en.is_empty());
                let yuan_text = yuan.normalize();
                (
                    quantity.times(&Precise::from(yuan)),
                    self.detail.say(|| {
                        Bilingual::new(
                            format!(
                                "{} × {yuan_text} yuan{}",
                                named.en,
                                per.map(|unit| format!("/{}", unit.en)).unwrap_or_default()
                            ),
                            format!(
                                "{} × {yuan_text} 元{}",
                                named.zh,
                                per.map(|unit| format!("/{}", unit.zh)).unwrap_or_default()
                            ),
                        )
                    }),
                )
            }
            (Basis::Percent { fact, limit }, Rate::Percent(percent)) => {
                let (base, named) = self.quantity(fact, limit);
                let text = percent.normalize();
                (
                    base.percent(&Precise::from(percent)),
                    self.detail.say(|| {
                        Bilingual::new(
                            format!("{text} % of {}", named.en),
                            format!("{} × {text}%", named.zh),
                        )
                    }),
                )
            }
            (_, Rate::Amount(yuan) | Rate::Percent(yuan)) => {
                let text = yuan.normalize();
                (
                    Precise::from(yuan),
                    self.detail
                        .say(|| Bilingual::new(format!("{text} yuan"), format!("{text} 元"))),
                )
            }
        };
        if let Some((times, limit)) = benefit.times {
            let (count, named) = self.quantity(times, limit);
            amount = amount.times(&count);
            self.detail.add(&mut words, || {
                Bilingual::new(format!(" × {}", named.en), format!(" × {}", named.zh))
            });
        }
        self.detail.add(&mut words, || {
            Bilingual::new(format!(" = {amount} yuan"), format!(" = {amount} 元"))
        });
        (amount, words)
    }

    /// Applies caps in their order; the order is of no consequence to the amount.
    pub(super) fn caps(&self, caps: &[Cap], mut amount: Precise) -> (Vec<CapOutcome>, Precise) {
        let mut outcomes = Vec::with_capacity(caps.len());
        for cap in caps {
            let (limit, words) = self.limit(cap.kind);
            let applied = amount > limit;
            let derivation = if applied {
                self.detail.say(|| {
                    Bilingual::new(
                        format!("{}; {amount} yuan is above it: {limit} yuan", words.en),
                        format!("{};{amount} 元超出上限,按 {limit} 元计", words.zh),
                    )
                })
            } else {
                self.detail.say(|| {
                    Bilingual::new(
                        format!("{}; {amount} yuan is not above it", words.en),
                        format!("{};{amount} 元未超出上限", words.zh),
                    )
                })
            };
            outcomes.push(CapOutcome {
                id: cap.label.code.clone(),
                name: self
                    .detail
                    .say(|| Bilingual::new(cap.label.en.clone(), cap.label.zh.clone())),
                clause: cap.clause.clone(),
                limit: limit.to_string(),
                applied,
                derivation,
            });
            amount = amount.least(limit);
        }
        (outcomes, amount)
    }

    fn limit(&self, kind: CapKind) -> (Precise, Bilingual) {
        match kind {
            CapKind::Amount(yuan) => {
                let text = yuan.normalize();
                (
                    Precise::from(yuan),
                    self.detail
                        .say(|| Bilingual::new(format!("at most {text} yuan"), format!("不超过 {text} 元"))),
                )
            }
            CapKind::PerUnit(yuan, fact) => {
                let (quantity, named) = self.quantity(fact, None);
                let limit = quantity.times(&Precise::from(yuan));
                let text = yuan.normalize();
                let words = self.detail.say(|| {
                    Bilingual::new(
                        format!("at most {} × {text} yuan = {limit} yuan", named.en),
                        format!("不超过{} × {text} 元 = {limit} 元", named.zh),
                    )
                });
                (limit, words)
            }
            CapKind::Percent(percent, fact) => {
                let (base, named) = self.quantity(fact, None);
                let limit = base.percent(&Precise::from(percent));
                let text = percent.normalize();
                let words = self.detail.say(|| {
                    Bilingual::new(
                        format!("at most {text} % of {} = {limit} yuan", named.en),
                        format!("不超过{} × {text}% = {limit} 元", named.zh),
                    )
                });
                (limit, words)
            }
        }
    }
}
