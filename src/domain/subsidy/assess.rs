//! A claim's entitlement: clause by clause, benefit by benefit, cap by cap, rounded once, split.

use super::amounts::Work;
use super::assessment::{Assessment, ClauseOutcome, DeedTaxOutcome, Detail};
use super::facts::Facts;
use super::format_date;
use super::law::{DeedTaxLaw, Due};
use super::policy::{CheckedPolicy, DEED_TAX, IN_FORCE, OnTaxDifference};
use super::precise::Precise;
use super::programme::FactValue;
use crate::domain::error::{Bilingual, Violation};
use crate::domain::money::Money;
use rust_decimal::prelude::ToPrimitive;

/// Assesses a claim. `documents` are the kinds of documents that came with it.
///
/// `detail` says whether the steps are put into words; nothing else depends on it.
///
/// The amount is exact until it is rounded, once, to the policy's unit; the city's part is rounded from
/// the rounded amount, and the county bears the rest, so the parts add up.
///
/// # Errors
///
/// Where the facts were read against another programme than the policy's, or an amount is beyond the
/// limits of money. A claim that is not eligible is no error.
pub fn assess(
    policy: &CheckedPolicy,
    facts: &Facts,
    documents: &[String],
    law: &DeedTaxLaw,
    detail: Detail,
) -> Result<Assessment, Vec<Violation>> {
    let programme = &policy.programme;
    if facts.programme().digest != programme.digest {
        return Err(vec![Violation::new(
            "facts",
            facts.programme().digest.short(),
            format!(
                "facts of the programme {} {}",
                programme.code,
                programme.digest.short()
            ),
            format!(
                "按项目 {} {} 填写的事项",
                programme.code,
                programme.digest.short()
            ),
        )]);
    }
    let deed_tax = recompute(policy, facts, law, detail);
    let clauses = judge(policy, facts, deed_tax.as_ref(), detail);
    let eligible = clauses.iter().all(|clause| clause.passed);
    let work = Work {
        policy,
        facts,
        recognised: deed_tax.as_ref().map(|tax| tax.recognised),
        detail,
    };
    let mut total = Precise::zero();
    let mut benefits = Vec::new();
    let mut caps = Vec::new();
    if eligible {
        for benefit in &policy.benefits {
            let (outcome, amount) = work.benefit(benefit);
            total = total.plus(&amount);
            benefits.push(outcome);
        }
        (caps, total) = work.caps(&policy.caps, total);
    }
    let beyond = || {
        vec![Violation::new(
            "amount",
            total.to_string(),
            format!("at most {} yuan", Money::MAX),
            format!("不超过 {} 元", Money::MAX),
        )]
    };
    let amount = total.to_unit(policy.unit, policy.direction).ok_or_else(beyond)?;
    let split = &policy.cost_split;
    let exact_city = Precise::from(amount).percent(&Precise::from(split.city_percent));
    // Rounding up may not give the city more than there is.
    let city = exact_city
        .to_unit(split.unit, split.direction)
        .ok_or_else(beyond)?
        .min(amount);
    let county = amount.checked_sub(city).ok_or_else(beyond)?;
    let settlement = if eligible && detail == Detail::Derived {
        vec![
            rounded(policy, &total, amount),
            divided(policy, &exact_city, (amount, city, county)),
        ]
    } else {
        Vec::new()
    };
    let basis = &policy.document.legal_basis;
    Ok(Assessment {
        policy: policy.reference(),
        policy_title: policy.title.clone(),
        legal_basis: basis.document.clone(),
        illustrative: basis.illustrative.clone(),
        policy_region: policy.region.clone(),
        programme: programme.reference(),
        decisive_date: facts.decisive_date().map(format_date).unwrap_or_default(),
        eligible,
        clauses,
        deed_tax,
        benefits,
        caps,
        exact: total.to_string(),
        unit: policy.unit,
        direction: policy.direction,
        amount,
        city,
        county,
        settlement,
        notice_days: policy.notice_days,
        documents_missing: policy
            .documents
            .iter()
            .filter(|kind| !documents.contains(&kind.code))
            .cloned()
            .collect(),
    })
}

/// How the exact amount became whole units.
fn rounded(policy: &CheckedPolicy, exact: &Precise, amount: Money) -> Bilingual {
    let (en, zh) = policy.direction.words();
    Bilingual::new(
        format!(
            "{exact} yuan, rounded {en} to the {}: {amount} yuan",
            policy.unit.code()
        ),
        format!("{exact} 元,{zh}至{}:{amount} 元", policy.unit.zh()),
    )
}

/// Who bears the amount.
fn divided(
    policy: &CheckedPolicy,
    exact: &Precise,
    (amount, city, county): (Money, Money, Money),
) -> Bilingual {
    let split = &policy.cost_split;
    let (en, zh) = split.direction.words();
    let percent = split.city_percent.normalize();
    Bilingual::new(
        format!(
            "the city bears {percent} % of {amount} = {exact}, rounded {en} to the {}: {city} yuan; the county the rest: {county} yuan",
            split.unit.code()
        ),
        format!(
            "市级承担 {amount} 元的 {percent}% = {exact},{zh}至{}:{city} 元;县级承担其余 {county} 元",
            split.unit.zh()
        ),
    )
}

/// The clauses of the policy, before them the one that every policy has, and after them that of the deed tax.
fn judge(
    policy: &CheckedPolicy,
    facts: &Facts,
    deed_tax: Option<&DeedTaxOutcome>,
    detail: Detail,
) -> Vec<ClauseOutcome> {
    let mut clauses = Vec::with_capacity(policy.eligibility.len() + 2);
    clauses.push(in_force(policy, facts, detail));
    for clause in &policy.eligibility {
        let (passed, reason) = clause.when.judge(facts, detail);
        clauses.push(ClauseOutcome {
            id: clause.id.clone(),
            clause: clause.clause.clone(),
            text: detail.say(|| clause.text.clone()),
            passed,
            reason,
        });
    }
    if let Some(tax) = deed_tax {
        let refuses = tax.on_difference == OnTaxDifference::Refuse;
        clauses.push(ClauseOutcome {
            id: DEED_TAX.to_owned(),
            clause: String::new(),
            text: if refuses {
                detail.say(|| {
                    Bilingual::new(
                        "The receipt agrees with the deed tax that the law asks for",
                        "完税凭证税额与依法重算的契税一致",
                    )
                })
            } else {
                detail.say(|| {
                    Bilingual::new(
                        "The law has a rate for such a home; the lower of receipt and law is subsidised",
                        "法定税率可适用;以完税凭证与依法重算税额中的较低者为准",
                    )
                })
            },
            passed: tax
                .difference
                .is_some_and(|difference| !refuses || difference == Money::ZERO),
            reason: tax.derivation.clone(),
        });
    }
    clauses
}

fn in_force(policy: &CheckedPolicy, facts: &Facts, detail: Detail) -> ClauseOutcome {
    let programme = &policy.programme;
    let name = programme
        .facts
        .get(programme.decisive_date)
        .map(|fact| (fact.label.en.as_str(), fact.label.zh.as_str()))
        .unwrap_or_default();
    let date = facts.decisive_date();
    ClauseOutcome {
        id: IN_FORCE.to_owned(),
        clause: String::new(),
        text: detail.say(|| {
            let from = format_date(policy.valid_from);
            let (to_en, to_zh) = policy.valid_to.map_or_else(
                || (" on".to_owned(), " 起".to_owned()),
                |last| {
                    let last = format_date(last);
                    (format!(" to {last}"), format!(" 至 {last}"))
                },
            );
            Bilingual::new(
                format!("The policy applies to a {} from {from}{to_en}", name.0),
                format!("政策适用于{}在 {from}{to_zh}的申请", name.1),
            )
        }),
        passed: date.is_some_and(|date| policy.is_in_force(date)),
        reason: detail.say(|| {
            let shown = date.map(format_date).unwrap_or_default();
            Bilingual::new(format!("{} is {shown}", name.0), format!("{}为 {shown}", name.1))
        }),
    }
}

/// The deed tax by law, beside the receipt.
fn recompute(
    policy: &CheckedPolicy,
    facts: &Facts,
    law: &DeedTaxLaw,
    detail: Detail,
) -> Option<DeedTaxOutcome> {
    let positions = policy.programme.deed_tax.as_ref()?;
    let on_difference = policy.on_tax_difference?;
    let money = |at: usize| facts.value(at).and_then(money_of);
    let receipt = money(positions.receipt)?;
    let price = money(positions.price)?;
    let Some(FactValue::Date(date)) = facts.value(positions.date) else {
        return None;
    };
    let Some(FactValue::Number(area)) = facts.value(positions.area) else {
        return None;
    };
    let home = facts.value(positions.home)?;
    let home = policy.programme.facts.get(positions.home)?.canonical(&home);
    let due = law.due(date, &home, area, price, detail);
    let difference = due.as_ref().and_then(|due| receipt.checked_sub(due.tax));
    let recognised = due.as_ref().map_or(receipt, |due| due.tax.min(receipt));
    Some(DeedTaxOutcome {
        law: format!("{}:{}", law.revision, law.digest),
        percent: due
            .as_ref()
            .map(|due| due.percent.normalize().to_string())
            .unwrap_or_default(),
        due: due.as_ref().map(|due| due.tax),
        receipt,
        difference,
        on_difference,
        recognised,
        derivation: detail.say(|| compared(due.as_ref(), receipt, difference, (&home, date))),
    })
}

fn compared(
    due: Option<&Due>,
    receipt: Money,
    difference: Option<Money>,
    (home, date): (&str, time::Date),
) -> Bilingual {
    let (Some(due), Some(difference)) = (due, difference) else {
        let date = format_date(date);
        return Bilingual::new(
            format!("the law's rates here have none for a home of the kind {home} on {date}"),
            format!("税率表中没有 {date} 适用于 {home} 类住房的税率"),
        );
    };
    let verdict = if difference == Money::ZERO {
        Bilingual::new("they agree", "两者一致")
    } else {
        Bilingual::new(
            format!("receipt less law: {difference} yuan"),
            format!("凭证减法定税额:{difference} 元"),
        )
    };
    Bilingual::new(
        format!(
            "{}; the receipt says {receipt} yuan: {}",
            due.derivation.en, verdict.en
        ),
        format!("{};完税凭证为 {receipt} 元:{}", due.derivation.zh, verdict.zh),
    )
}

fn money_of(value: FactValue) -> Option<Money> {
    let FactValue::Number(yuan) = value else {
        return None;
    };
    // Facts of money have exactly two decimals, see `Fact::read`.
    (yuan.scale() == 2)
        .then(|| yuan.mantissa().to_i64())
        .flatten()
        .and_then(Money::from_fen)
}

#[cfg(test)]
mod checks {
    use super::*;
    use rust_decimal::Decimal;

    #[test]
    fn money_facts_read_back() {
        assert_eq!(
            money_of(FactValue::Number(Decimal::new(123_450, 2))),
            Money::from_fen(123_450)
        );
        assert_eq!(money_of(FactValue::Number(Decimal::ONE)), None);
    }
}
