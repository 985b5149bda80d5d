//! From a programme's text to its checked form.

use super::band::Range;
use super::checker::Checker;
pub use super::checker::Label;
use super::document::{DeedTaxFactsText, FactText, ProgrammeDocument, RelationText};
use super::{ProgrammeCode, ProgrammeRef, format_date, parse_date};
use crate::domain::digest::Digest;
use crate::domain::error::{Bilingual, Violation};
use crate::domain::money::Money;
use crate::domain::statistics::{half_width, parse_decimal};
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};
use time::Date;

/// What kind of thing a fact is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactKind {
    /// Yuan with two decimals, zero or more.
    Money,
    /// An exact decimal with at most so many places.
    Number(u32),
    /// A whole number, zero or more.
    Count,
    /// A day.
    Date,
    /// Yes or no.
    Bool,
    /// One of a list.
    Code(Vec<Label>),
}

impl FactKind {
    /// Whether amounts can be computed from it.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Money | Self::Number(_) | Self::Count)
    }

    /// The code of the kind.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Money => "money",
            Self::Number(_) => "number",
            Self::Count => "count",
            Self::Date => "date",
            Self::Bool => "bool",
            Self::Code(_) => "code",
        }
    }
}

/// The value of a fact. Values of one fact are of one variant, and order as one would expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactValue {
    /// Money (in yuan), number or count.
    Number(Decimal),
    /// A day.
    Date(Date),
    /// Yes or no.
    Bool(bool),
    /// Position in the list of options.
    Code(usize),
}

/// A fact that a claim states.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Code and names.
    pub label: Label,
    /// Its unit; may be empty.
    pub unit: Bilingual,
    /// What kind of thing it is.
    pub kind: FactKind,
    /// Whether a claim must state it.
    pub required: bool,
    /// What values are allowed.
    pub range: Range,
}

impl Fact {
    /// Reads a value, without regard to the range: policies compare with values that no claim may have.
    pub fn read(&self, field: &str, text: &str) -> Result<FactValue, Violation> {
        let text = half_width(text.trim());
        match &self.kind {
            FactKind::Money => Money::parse(field, &text).and_then(|money| {
                if money.is_negative() {
                    return Err(Violation::new(field, &text, "zero or more", "不小于零"));
                }
                Ok(FactValue::Number(Decimal::new(money.fen(), 2)))
            }),
            FactKind::Number(decimals) => parse_decimal(field, &text).and_then(|value| {
                if value.scale() > *decimals {
                    return Err(Violation::new(
                        field,
                        &text,
                        format!("at most {decimals} decimals"),
                        format!("至多 {decimals} 位小数"),
                    ));
                }
                Ok(FactValue::Number(value))
            }),
            FactKind::Count => {
                let plain = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
                let value: Option<i64> = text.parse().ok().filter(|_| plain);
                value
                    .map(|value| FactValue::Number(Decimal::from(value)))
                    .ok_or_else(|| {
                        Violation::new(
                            field,
                            &text,
                            "a whole number from 0 to 999999999",
                            "0 至 999999999 的整数",
                        )
                    })
            }
            FactKind::Date => parse_date(field, &text).map(FactValue::Date),
            FactKind::Bool => match text.as_str() {
                "true" | "是" => Ok(FactValue::Bool(true)),
                "false" | "否" => Ok(FactValue::Bool(false)),
                _ => Err(Violation::new(
                    field,
                    &text,
                    "true or false (是, 否)",
                    "是或否(true、false)",
                )),
            },
            FactKind::Code(options) => options
                .iter()
                .position(|option| option.code == text || option.zh == text)
                .map(FactValue::Code)
                .ok_or_else(|| {
                    let codes: Vec<&str> = options.iter().map(|option| option.code.as_str()).collect();
                    let names: Vec<String> = options
                        .iter()
                        .map(|option| format!("{}({})", option.code, option.zh))
                        .collect();
                    Violation::new(
                        field,
                        &text,
                        format!("one of {}", codes.join(", ")),
                        format!("下列之一:{}", names.join("、")),
                    )
                }),
        }
    }

    /// Reads a value that a claim states.
    pub fn read_allowed(&self, field: &str, text: &str) -> Result<FactValue, Violation> {
        let value = self.read(field, text)?;
        if self.range.contains(&value) {
            return Ok(value);
        }
        let demand = self.range.demand(self);
        Err(Violation::new(
            field,
            self.canonical(&value),
            demand.en,
            demand.zh,
        ))
    }

    /// The one text of a value, as it is stored.
    pub fn canonical(&self, value: &FactValue) -> String {
        match value {
            FactValue::Number(value) => value.to_string(),
            FactValue::Date(date) => format_date(*date),
            FactValue::Bool(value) => value.to_string(),
            FactValue::Code(at) => match &self.kind {
                FactKind::Code(options) => options.get(*at).map(|option| option.code.clone()),
                _ => None,
            }
            .unwrap_or_default(),
        }
    }

    /// A value as people read it, with its unit.
    pub fn show(&self, value: &FactValue) -> Bilingual {
        match value {
            FactValue::Number(_) => {
                let text = self.canonical(value);
                let with = |unit: &str, gap: &str| {
                    if unit.is_empty() {
                        text.clone()
                    } else {
                        format!("{text}{gap}{unit}")
                    }
                };
                Bilingual::new(with(&self.unit.en, " "), with(&self.unit.zh, " "))
            }
            FactValue::Date(date) => Bilingual::new(format_date(*date), format_date(*date)),
            FactValue::Bool(true) => Bilingual::new("yes", "是"),
            FactValue::Bool(false) => Bilingual::new("no", "否"),
            FactValue::Code(at) => match &self.kind {
                FactKind::Code(options) => options
                    .get(*at)
                    .map(|option| Bilingual::new(option.en.clone(), option.zh.clone())),
                _ => None,
            }
            .unwrap_or_else(|| Bilingual::new("", "")),
        }
    }
}

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

fn check_fact(
    checker: &mut Checker,
    seen: &mut HashSet<String>,
    field: &str,
    text: &FactText,
) -> Option<Fact> {
    let before = checker.violations.len();
    let label = checker.label(field, seen, ("code", &text.code), (&text.name_zh, &text.name_en));
    checker.remark(&format!("{field}.unit_zh"), &text.unit_zh);
    checker.remark(&format!("{field}.unit_en"), &text.unit_en);
    checker.count(&format!("{field}.options"), text.options.len(), 0);
    let decimals = match text.decimals.0.as_str() {
        "" => 2,
        digits => match digits.parse::<u32>() {
            Ok(decimals) if decimals <= 6 => decimals,
            _ => {
                checker.refuse(
                    format!("{field}.decimals"),
                    digits,
                    "a whole number from 0 to 6",
                    "0 至 6 的整数",
                );
                return None;
            }
        },
    };
    let mut codes = HashSet::new();
    let options: Vec<Label> = text
        .options
        .iter()
        .enumerate()
        .map(|(at, option)| {
            checker.label(
                &format!("{field}.options[{at}]"),
                &mut codes,
                ("code", &option.code),
                (&option.name_zh, &option.name_en),
            )
        })
        .collect();
    let kind = match text.kind.as_str() {
        "money" => FactKind::Money,
        "number" => FactKind::Number(decimals),
        "count" => FactKind::Count,
        "date" => FactKind::Date,
        "bool" => FactKind::Bool,
        "code" => FactKind::Code(options),
        other => {
            checker.refuse(
                format!("{field}.kind"),
                other,
                "one of money, number, count, date, bool, code",
                "下列之一:money、number、count、date、bool、code",
            );
            return None;
        }
    };
    if matches!(kind, FactKind::Code(_)) == text.options.is_empty() {
        checker.refuse(
            format!("{field}.options"),
            text.options.len().to_string(),
            "options for the kind code, and for no other",
            "类型为 code 时须列出选项,其他类型不得列出",
        );
    }
    let unit = match kind {
        FactKind::Money if text.unit_zh.is_empty() => Bilingual::new("yuan", "元"),
        _ => Bilingual::new(text.unit_en.clone(), text.unit_zh.clone()),
    };
    let mut fact = Fact {
        label,
        unit,
        kind,
        required: !text.optional,
        range: Range::default(),
    };
    fact.range = Range::check(
        checker,
        field,
        &fact,
        [&text.at_least, &text.above, &text.at_most, &text.below],
    )?;
    (checker.violations.len() == before).then_some(fact)
}
