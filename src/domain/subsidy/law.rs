//! The law's own deed-tax rates on homes, by date, home and area; and the tax they give.

use super::assessment::Detail;
use super::band::{Band, Range, Rate, check_bands};
use super::checker::{Checker, Label};
use super::document::{DeedTaxLawDocument, SourceText};
use super::precise::{Direction, Precise};
use super::programme::{Fact, FactKind, FactValue};
use super::{ItemCode, PolicyId, format_date};
use crate::domain::digest::Digest;
use crate::domain::error::{Bilingual, Violation};
use crate::domain::money::{Money, RoundingUnit};
use rust_decimal::Decimal;
use time::Date;

/// The rates of one kind of home in one period.
#[derive(Debug, Clone)]
pub struct LawRate {
    /// First day.
    pub valid_from: Date,
    /// Last day; none means open.
    pub valid_to: Option<Date>,
    /// Which home of the family it is.
    pub home: Label,
    /// Percentages by area.
    pub bands: Vec<Band>,
    /// What they rest on.
    pub source: SourceText,
}

/// The checked law.
#[derive(Debug, Clone)]
pub struct DeedTaxLaw {
    /// The document it was read from.
    pub document: DeedTaxLawDocument,
    /// Which revision it is; 0 where it is not stored.
    pub revision: u32,
    /// Digest of the document.
    pub digest: Digest,
    /// The rates.
    pub rates: Vec<LawRate>,
}

/// The tax that the law asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Percent of the price.
    pub percent: Decimal,
    /// The tax in whole fen, half up, as a receipt states it.
    pub tax: Money,
    /// How it comes about.
    pub derivation: Bilingual,
}

impl DeedTaxLaw {
    /// Checks a document; every fault is reported.
    pub fn check(document: DeedTaxLawDocument) -> Result<Self, Vec<Violation>> {
        let mut checker = Checker::default();
        checker.keep(PolicyId::parse("id", &document.id));
        checker.text("title_zh", &document.title_zh);
        checker.count("rates", document.rates.len(), 1);
        checker.finish()?;
        let mut checker = Checker::default();
        let area = area();
        let mut rates: Vec<LawRate> = Vec::with_capacity(document.rates.len());
        for (at, text) in document.rates.iter().enumerate() {
            let field = format!("rates[{at}]");
            checker.keep(ItemCode::parse(&format!("{field}.home"), &text.home));
            checker.text(&format!("{field}.name_zh"), &text.name_zh);
            checker.text(&format!("{field}.name_en"), &text.name_en);
            checker.source(&format!("{field}.source"), &text.source);
            let period = checker.period(&format!("{field}."), &text.valid_from, &text.valid_to);
            let bands = check_bands(&mut checker, &format!("{field}.bands"), &area, &text.bands, true);
            let Some((valid_from, valid_to)) = period else {
                continue;
            };
            let overlaps = |other: &LawRate| {
                other.home.code == text.home
                    && valid_to.is_none_or(|last| other.valid_from <= last)
                    && other.valid_to.is_none_or(|last| valid_from <= last)
            };
            if let Some(other) = rates.iter().find(|other| overlaps(other)) {
                let other = format_date(other.valid_from);
                checker.refuse(
                    &field,
                    format!("{} from {}", text.home, text.valid_from),
                    format!("periods that do not overlap: there are rates from {other}"),
                    format!("时段不得重叠:已有自 {other} 起的税率"),
                );
            }
            rates.push(LawRate {
                valid_from,
                valid_to,
                home: Label {
                    code: text.home.clone(),
                    zh: text.name_zh.clone(),
                    en: text.name_en.clone(),
                },
                bands,
                source: text.source.clone(),
            });
        }
        checker.finish()?;
        Ok(Self {
            digest: document.digest(),
            revision: 0,
            document,
            rates,
        })
    }

    /// A law without rates, for programmes that have no deed tax.
    pub fn empty() -> Self {
        let document = DeedTaxLawDocument::default();
        Self {
            digest: document.digest(),
            revision: 0,
            document,
            rates: Vec::new(),
        }
    }

    /// The same law as the revision that it is stored as.
    #[must_use]
    pub fn with_revision(mut self, revision: u32) -> Self {
        self.revision = revision;
        self
    }

    /// The tax on a home bought at a price without VAT, declared and paid on a day; `None` where the law
    /// here has no rate for such a home at that time.
    pub fn due(
        &self,
        date: Date,
        home: &str,
        square_metres: Decimal,
        price: Money,
        detail: Detail,
    ) -> Option<Due> {
        let rate = self.rates.iter().find(|rate| {
            rate.home.code == home && rate.valid_from <= date && rate.valid_to.is_none_or(|last| date <= last)
        })?;
        let area = FactValue::Number(square_metres);
        let band = rate.bands.iter().find(|band| band.range.contains(&area))?;
        let Rate::Percent(percent) = band.rate else {
            return None;
        };
        let exact = Precise::from(price).percent(&Precise::from(percent));
        let tax = exact.to_unit(RoundingUnit::Fen, Direction::HalfUp)?;
        Some(Due {
            percent,
            tax,
            derivation: detail.say(|| {
                let (words, home) = (&band.words, &rate.home);
                let (source, clause) = (&rate.source.document, &rate.source.clause);
                let date = format_date(date);
                Bilingual::new(
                format!(
                    "{}, area {}, {date}: {percent} % of the price without VAT {price} = {exact}, in whole fen {tax} yuan ({source} {clause})",
                    home.en, words.en
                ),
                format!(
                    "{},面积{},{date}:不含增值税价格 {price} 元 × {percent}% = {exact},计至分 {tax} 元({source}{clause})",
                    home.zh, words.zh
                )
                )
            }),
        })
    }
}

/// The fact that the law's bands are over.
fn area() -> Fact {
    Fact {
        label: Label {
            code: "area".to_owned(),
            zh: "面积".to_owned(),
            en: "area".to_owned(),
        },
        unit: Bilingual::new("m²", "平方米"),
        kind: FactKind::Number(4),
        required: true,
        range: Range::default(),
    }
}
