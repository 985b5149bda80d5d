//! From a policy's text to its checked form, compiled against the facts of its programme.

use super::benefit::{Benefit, Cap, check_benefit, check_caps};
use super::checker::{Checker, Label};
use super::condition::Condition;
use super::document::PolicyDocument;
use super::precise::Direction;
use super::programme::CheckedProgramme;
use super::{PolicyId, PolicyRef};
use crate::domain::digest::Digest;
use crate::domain::error::{Bilingual, Violation};
use crate::domain::money::RoundingUnit;
use crate::domain::region::RegionCode;
use rust_decimal::Decimal;
use std::collections::HashSet;
use std::sync::Arc;
use time::Date;

/// Most days of public notice.
const MAX_NOTICE_DAYS: u32 = 365;

/// A clause of eligibility.
#[derive(Debug, Clone)]
pub struct Clause {
    /// Its id.
    pub id: String,
    /// What it demands.
    pub text: Bilingual,
    /// The clause of the legal basis.
    pub clause: String,
    /// The condition.
    pub when: Condition,
}

/// What happens where the receipt differs from the deed tax recomputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTaxDifference {
    /// The lower of both is subsidised.
    Lower,
    /// The claim is not eligible.
    Refuse,
}

/// Who bears the amount; the county bears what the city does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostSplit {
    /// The city's percentage.
    pub city_percent: Decimal,
    /// The unit that the city's part is a multiple of.
    pub unit: RoundingUnit,
    /// Which way it becomes one.
    pub direction: Direction,
}

/// A checked policy.
#[derive(Debug, Clone)]
pub struct CheckedPolicy {
    /// The document it was read from.
    pub document: PolicyDocument,
    /// Which revision it is; 0 where it is not stored.
    pub revision: u32,
    /// Digest of the document.
    pub digest: Digest,
    /// Its id.
    pub id: PolicyId,
    /// The title.
    pub title: Bilingual,
    /// The region; it holds for the regions within that have none of their own.
    pub region: RegionCode,
    /// The programme it was compiled against.
    pub programme: Arc<CheckedProgramme>,
    /// First decisive date.
    pub valid_from: Date,
    /// Last decisive date; none means open.
    pub valid_to: Option<Date>,
    /// Days of public notice; 0 means none.
    pub notice_days: u32,
    /// Documents that a claim must come with.
    pub documents: Vec<Label>,
    /// Every clause must hold.
    pub eligibility: Vec<Clause>,
    /// What the eligible get.
    pub benefits: Vec<Benefit>,
    /// Limits on the sum of the benefits.
    pub caps: Vec<Cap>,
    /// What happens where the receipt differs from the deed tax recomputed.
    pub on_tax_difference: Option<OnTaxDifference>,
    /// The unit that the amount is a multiple of.
    pub unit: RoundingUnit,
    /// Which way it becomes one.
    pub direction: Direction,
    /// Who bears it.
    pub cost_split: CostSplit,
}

impl CheckedPolicy {
    /// Checks a document against its programme; every fault is reported.
    pub fn check(
        document: PolicyDocument,
        programme: &Arc<CheckedProgramme>,
    ) -> Result<Self, Vec<Violation>> {
        let mut checker = Checker::default();
        let id = checker.keep(PolicyId::parse("id", &document.id));
        let region = checker.keep(RegionCode::parse("region", &document.region));
        if document.programme != programme.code.as_str() {
            checker.refuse(
                "programme",
                &document.programme,
                programme.code.to_string(),
                programme.code.to_string(),
            );
        }
        checker.text("title_zh", &document.title_zh);
        checker.text("title_en", &document.title_en);
        checker.source("legal_basis", &document.legal_basis);
        let period = checker.period("", &document.valid_from, &document.valid_to);
        let notice_days = notice_days(&mut checker, &document.notice_days.0);
        let mut codes = HashSet::new();
        checker.count("documents", document.documents.len(), 0);
        let documents = (document.documents.iter().enumerate())
            .map(|(at, kind)| {
                let names = (kind.name_zh.as_str(), kind.name_en.as_str());
                checker.label(
                    &format!("documents[{at}]"),
                    &mut codes,
                    ("code", &kind.code),
                    names,
                )
            })
            .collect();
        let eligibility = clauses(&mut checker, programme, &document);
        checker.count("benefits", document.benefits.len(), 1);
        let mut codes = HashSet::new();
        let benefits: Vec<Benefit> = (document.benefits.iter().enumerate())
            .filter_map(|(at, benefit)| {
                let field = format!("benefits[{at}]");
                check_benefit(&mut checker, programme, &field, &mut codes, benefit)
            })
            .collect();
        let mut codes = HashSet::new();
        let caps = check_caps(&mut checker, programme, "caps", &mut codes, &document.caps);
        let on_tax_difference = tax_difference(&mut checker, programme, &document.on_tax_difference);
        let rounding = checker.rounding("rounding", &document.rounding);
        let city_percent = checker.percent("cost_split.city_percent", &document.cost_split.city_percent.0);
        let split = checker.rounding("cost_split.rounding", &document.cost_split.rounding);
        checker.finish()?;
        let given = id.zip(region).zip(period).zip(notice_days).zip(on_tax_difference);
        let given = given.zip(rounding).zip(city_percent).zip(split);
        // Every part that is missing has been reported, so this cannot fail without a violation above.
        let Some(((((((parts, days), on_tax_difference), (unit, direction)), city_percent), split), ())) =
            given.map(|given| (given, ()))
        else {
            return Err(vec![Violation::new("", "", "a complete policy", "完整的政策")]);
        };
        let ((id, region), (valid_from, valid_to)) = parts;
        Ok(Self {
            digest: document.digest(),
            revision: 0,
            id,
            title: Bilingual::new(document.title_en.clone(), document.title_zh.clone()),
            region,
            programme: Arc::clone(programme),
            valid_from,
            valid_to,
            notice_days: days,
            documents,
            eligibility,
            benefits,
            caps,
            on_tax_difference,
            unit,
            direction,
            cost_split: CostSplit {
                city_percent,
                unit: split.0,
                direction: split.1,
            },
            document,
        })
    }

    /// The same policy as the revision that it is stored as.
    #[must_use]
    pub fn with_revision(mut self, revision: u32) -> Self {
        self.revision = revision;
        self
    }

    /// Which policy it is.
    pub fn reference(&self) -> PolicyRef {
        PolicyRef {
            id: self.id.clone(),
            revision: self.revision,
            digest: self.digest.clone(),
        }
    }

    /// Whether it is in force on a decisive date.
    pub fn is_in_force(&self, date: Date) -> bool {
        self.valid_from <= date && self.valid_to.is_none_or(|last| date <= last)
    }

    /// Whether there is a day on which both are in force.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.valid_to.is_none_or(|last| other.valid_from <= last)
            && other.valid_to.is_none_or(|last| self.valid_from <= last)
    }
}

fn notice_days(checker: &mut Checker, text: &str) -> Option<u32> {
    if text.is_empty() {
        return Some(0);
    }
    let days = text.parse().ok().filter(|days| *days <= MAX_NOTICE_DAYS);
    if days.is_none() {
        checker.refuse(
            "notice_days",
            text,
            format!("0 to {MAX_NOTICE_DAYS} days"),
            format!("0 至 {MAX_NOTICE_DAYS} 天"),
        );
    }
    days
}

fn clauses(checker: &mut Checker, programme: &CheckedProgramme, document: &PolicyDocument) -> Vec<Clause> {
    checker.count("eligibility", document.eligibility.len(), 1);
    let mut codes = HashSet::new();
    let mut clauses = Vec::with_capacity(document.eligibility.len());
    for (at, text) in document.eligibility.iter().enumerate() {
        let field = format!("eligibility[{at}]");
        checker.code(&format!("{field}.id"), &mut codes, &text.id);
        if RESERVED.contains(&text.id.as_str()) {
            checker.refuse(
                format!("{field}.id"),
                &text.id,
                format!("another id than {}", RESERVED.join(", ")),
                format!("不得使用 {}", RESERVED.join("、")),
            );
        }
        checker.text(&format!("{field}.text_zh"), &text.text_zh);
        checker.text(&format!("{field}.text_en"), &text.text_en);
        checker.remark(&format!("{field}.clause"), &text.clause);
        if let Some(when) = Condition::check(checker, programme, &format!("{field}.when"), &text.when) {
            clauses.push(Clause {
                id: text.id.clone(),
                text: Bilingual::new(text.text_en.clone(), text.text_zh.clone()),
                clause: text.clause.clone(),
                when,
            });
        }
    }
    clauses
}

/// The clause that every policy has: it is in force.
pub const IN_FORCE: &str = "in_force";
/// The clause that a policy with deed tax has: the receipt agrees with the law.
pub const DEED_TAX: &str = "deed_tax";
const RESERVED: [&str; 2] = [IN_FORCE, DEED_TAX];

fn tax_difference(
    checker: &mut Checker,
    programme: &CheckedProgramme,
    text: &str,
) -> Option<Option<OnTaxDifference>> {
    let field = "on_tax_difference";
    match (programme.deed_tax.is_some(), text) {
        (false, "") => Some(None),
        (false, other) => {
            checker.refuse(
                field,
                other,
                "nothing: the programme has no deed tax",
                "不填:该项目不涉及契税",
            );
            None
        }
        (true, code) => checker
            .choice(
                field,
                code,
                &[
                    ("lower", OnTaxDifference::Lower),
                    ("refuse", OnTaxDifference::Refuse),
                ],
            )
            .map(Some),
    }
}
