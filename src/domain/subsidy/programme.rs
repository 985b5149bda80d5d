//! From a programme's text to its checked form.

use super::checker::Checker;
pub use super::checker::Label;
use super::document::{DeedTaxFactsText, ProgrammeDocument, RelationText};
use super::fact::check_fact;
pub use super::fact::{Fact, FactKind, FactValue};
use super::{ProgrammeCode, ProgrammeRef};
use crate::domain::digest::Digest;
use crate::domain::error::{Bilingual, Violation};
use std::collections::{HashMap, HashSet};

/// A relation between two facts, both of which are stated.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Position of the fact on the left.
    pub left: usize,
    /// Position of the fact on the right.
    pub right: usize,
    /// Whether they must not be equal.
    pub strict: bool,
    /// What it demands.
    pub text: Bilingual,
}

/// By what a subsidy is given once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnceBy {
    /// Every person listed in the claim.
    Household,
    /// The claimant.
    Person,
    /// The home.
    Home,
    /// Who is paid, such as a school.
    Payee,
}

impl OnceBy {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Household => "household",
            Self::Person => "person",
            Self::Home => "home",
            Self::Payee => "payee",
        }
    }
}

/// What is subsidised once only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// By what.
    pub by: OnceBy,
    /// Position of the fact within whose value it is once; none means for ever.
    pub within: Option<usize>,
}

/// Who is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payee {
    /// The claimant.
    Claimant,
    /// An organisation, such as a school.
    Organisation,
}

/// Positions of the facts that the deed tax is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeedTaxFacts {
    /// The date by which the rate is chosen.
    pub date: usize,
    /// The price without VAT.
    pub price: usize,
    /// The area.
    pub area: usize,
    /// Which home of the family it is.
    pub home: usize,
    /// The tax on the receipt.
    pub receipt: usize,
}

/// A checked programme.
#[derive(Debug, Clone)]
pub struct CheckedProgramme {
    /// The document it was read from.
    pub document: ProgrammeDocument,
    /// Which revision it is; 0 where it is not stored.
    pub revision: u32,
    /// Digest of the document.
    pub digest: Digest,
    /// The code.
    pub code: ProgrammeCode,
    /// The title.
    pub title: Bilingual,
    /// Who is paid.
    pub payee: Payee,
    /// Position of the date fact by which the policy in force is found.
    pub decisive_date: usize,
    /// The facts.
    pub facts: Vec<Fact>,
    /// What must hold between them.
    pub relations: Vec<Relation>,
    /// What is subsidised once only.
    pub once: Vec<Once>,
    /// Where the deed tax is recomputed: from which facts.
    pub deed_tax: Option<DeedTaxFacts>,
    positions: HashMap<String, usize>,
}

impl CheckedProgramme {
    /// Checks a document; every fault is reported.
    pub fn check(document: ProgrammeDocument) -> Result<Self, Vec<Violation>> {
        let mut checker = Checker::default();
        let code = checker.keep(ProgrammeCode::parse("code", &document.code));
        checker.text("title_zh", &document.title_zh);
        checker.text("title_en", &document.title_en);
        checker.source("legal_basis", &document.legal_basis);
        let payee = checker.choice(
            "payee",
            &document.payee,
            &[
                ("", Payee::Claimant),
                ("claimant", Payee::Claimant),
                ("organisation", Payee::Organisation),
            ],
        );
        checker.count("facts", document.facts.len(), 1);
        checker.count("relations", document.relations.len(), 0);
        checker.count("once", document.once.len(), 1);
        if !checker.violations.is_empty() {
            return Err(checker.violations);
        }
        let mut seen = HashSet::new();
        let read: Vec<Option<Fact>> = document
            .facts
            .iter()
            .enumerate()
            .map(|(at, fact)| check_fact(&mut checker, &mut seen, &format!("facts[{at}]"), fact))
            .collect();
        // Whatever names a fact is checked against good facts only, so as to blame nothing twice.
        let Some(facts) = read.into_iter().collect::<Option<Vec<Fact>>>() else {
            return Err(checker.violations);
        };
        let positions: HashMap<String, usize> = facts
            .iter()
            .enumerate()
            .map(|(at, fact)| (fact.label.code.clone(), at))
            .collect();
        let mut schema = Schema {
            checker,
            facts: &facts,
            positions: &positions,
        };
        let decisive_date = schema.fact(
            "decisive_date",
            &document.decisive_date,
            "a required date",
            |fact| fact.required && fact.kind == FactKind::Date,
        );
        let relations: Vec<Relation> = document
            .relations
            .iter()
            .enumerate()
            .filter_map(|(at, relation)| schema.relation(&format!("relations[{at}]"), relation))
            .collect();
        let once: Vec<Once> = document
            .once
            .iter()
            .enumerate()
            .filter_map(|(at, once)| {
                let field = format!("once[{at}]");
                let by = schema.checker.choice(
                    &format!("{field}.by"),
                    &once.by,
                    &[
                        ("household", OnceBy::Household),
                        ("person", OnceBy::Person),
                        ("home", OnceBy::Home),
                        ("payee", OnceBy::Payee),
                    ],
                )?;
                let within = match once.within.as_str() {
                    "" => None,
                    code => Some(
                        schema.fact(&format!("{field}.within"), code, "a required", |fact| {
                            fact.required
                        })?,
                    ),
                };
                Some(Once { by, within })
            })
            .collect();
        let deed_tax = document.deed_tax.as_ref().and_then(|text| schema.deed_tax(text));
        let Schema { checker, .. } = schema;
        match (code, payee, decisive_date) {
            (Some(code), Some(payee), Some(decisive_date)) if checker.violations.is_empty() => Ok(Self {
                digest: document.digest(),
                revision: 0,
                title: Bilingual::new(document.title_en.clone(), document.title_zh.clone()),
                document,
                code,
                payee,
                decisive_date,
                facts,
                relations,
                once,
                deed_tax,
                positions,
            }),
            _ => Err(checker.violations),
        }
    }

    /// The same programme as the revision that it is stored as.
    #[must_use]
    pub fn with_revision(mut self, revision: u32) -> Self {
        self.revision = revision;
        self
    }

    /// Which programme it is.
    pub fn reference(&self) -> ProgrammeRef {
        ProgrammeRef {
            code: self.code.clone(),
            revision: self.revision,
            digest: self.digest.clone(),
        }
    }

    /// The position of a fact.
    pub fn position(&self, code: &str) -> Option<usize> {
        self.positions.get(code).copied()
    }

    /// The position of a fact that a policy names; `fits` says which will do, `what` names those.
    pub(super) fn expect(
        &self,
        checker: &mut Checker,
        field: &str,
        code: &str,
        what: &str,
        fits: impl Fn(&Fact) -> bool,
    ) -> Option<usize> {
        expect(checker, &self.facts, &self.positions, (field, code, what), fits)
    }
}

fn expect(
    checker: &mut Checker,
    facts: &[Fact],
    positions: &HashMap<String, usize>,
    (field, code, what): (&str, &str, &str),
    fits: impl Fn(&Fact) -> bool,
) -> Option<usize> {
    let found = positions
        .get(code)
        .copied()
        .filter(|at| facts.get(*at).is_some_and(&fits));
    if found.is_none() {
        let fitting: Vec<&str> = facts
            .iter()
            .filter(|fact| fits(fact))
            .map(|fact| fact.label.code.as_str())
            .collect();
        checker.refuse(
            field,
            code,
            format!("{what} fact of the programme: {}", fitting.join(", ")),
            format!("项目中相应类型的事项:{}", fitting.join("、")),
        );
    }
    found
}

/// What names facts is checked with the facts at hand.
struct Schema<'f> {
    checker: Checker,
    facts: &'f [Fact],
    positions: &'f HashMap<String, usize>,
}

impl Schema<'_> {
    fn fact(&mut self, field: &str, code: &str, what: &str, fits: impl Fn(&Fact) -> bool) -> Option<usize> {
        expect(
            &mut self.checker,
            self.facts,
            self.positions,
            (field, code, what),
            fits,
        )
    }

    fn relation(&mut self, field: &str, text: &RelationText) -> Option<Relation> {
        self.checker.text(&format!("{field}.text_zh"), &text.text_zh);
        self.checker.text(&format!("{field}.text_en"), &text.text_en);
        let comparable = |fact: &Fact| fact.kind.is_numeric() || fact.kind == FactKind::Date;
        let left = self.fact(
            &format!("{field}.left"),
            &text.left,
            "a numeric or date",
            comparable,
        );
        let right = self.fact(
            &format!("{field}.right"),
            &text.right,
            "a numeric or date",
            comparable,
        );
        let strict = self.checker.choice(
            &format!("{field}.relation"),
            &text.relation,
            &[("<=", false), ("<", true)],
        );
        let (left, right, strict) = (left?, right?, strict?);
        let kinds = [left, right].map(|at| self.facts.get(at).map(|fact| fact.kind == FactKind::Date));
        if kinds[0] != kinds[1] {
            self.checker.refuse(
                field,
                format!("{} {} {}", text.left, text.relation, text.right),
                "two dates or two numbers",
                "两个日期或两个数值",
            );
            return None;
        }
        Some(Relation {
            left,
            right,
            strict,
            text: Bilingual::new(text.text_en.clone(), text.text_zh.clone()),
        })
    }

    fn deed_tax(&mut self, text: &DeedTaxFactsText) -> Option<DeedTaxFacts> {
        let date = self.fact("deed_tax.date", &text.date, "a required date", |fact| {
            fact.required && fact.kind == FactKind::Date
        });
        let price = self.fact("deed_tax.price", &text.price, "a required money", |fact| {
            fact.required && fact.kind == FactKind::Money
        });
        let area = self.fact("deed_tax.area", &text.area, "a required number", |fact| {
            fact.required && matches!(fact.kind, FactKind::Number(_))
        });
        let home = self.fact("deed_tax.home", &text.home, "a required code", |fact| {
            fact.required && matches!(fact.kind, FactKind::Code(_))
        });
        let receipt = self.fact("deed_tax.receipt", &text.receipt, "a required money", |fact| {
            fact.required && fact.kind == FactKind::Money
        });
        Some(DeedTaxFacts {
            date: date?,
            price: price?,
            area: area?,
            home: home?,
            receipt: receipt?,
        })
    }
}
