//! The formula as it is written, exchanged and stored: text in every field, nothing decided yet.
//!
//! The same shape serves TOML files, the API and the database; its canonical JSON gives the digest.

use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::Violation;
use serde::{Deserialize, Serialize};

/// An exact number as text. A TOML float is refused: it has been through binary already.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Exact(pub String);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Exact;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "a number in quotes, such as \"62.5\", or a whole number (a bare float is not exact)",
                )
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Exact, E> {
                Ok(Exact(text.to_owned()))
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Exact, E> {
                Ok(Exact(value.to_string()))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Exact, E> {
                Ok(Exact(value.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// What the formula rests on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    /// The document, with its number.
    pub document: String,
    /// The clause.
    #[serde(default)]
    pub clause: String,
    /// What in the formula is not in the document but illustrative; shown with every result.
    #[serde(default)]
    pub illustrative: String,
}

/// How amounts become whole units.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundingText {
    /// Code of a rounding unit; empty means `fen`.
    #[serde(default)]
    pub unit: String,
    /// Code of an apportionment method; empty means `largest_remainder`.
    #[serde(default)]
    pub method: String,
    /// What happens to the part of the pool below one unit: `refuse` (default) or `retain`.
    #[serde(default)]
    pub tail: String,
}

/// A named number that expressions use as `$name`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterText {
    /// The name, without `$`.
    pub name: String,
    /// The value.
    pub value: Exact,
    /// Its unit, such as `yuan/person`; empty means a bare number.
    #[serde(default)]
    pub unit: String,
    /// Where the value comes from.
    #[serde(default)]
    pub note: String,
}

/// Money kept back before anything is divided (预留).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetAsideText {
    /// Its id.
    pub id: String,
    /// Chinese name.
    #[serde(default)]
    pub name_zh: String,
    /// English name.
    #[serde(default)]
    pub name_en: String,
    /// Percentage of the pool; rounded down to the rounding unit.
    #[serde(default)]
    pub percent: Exact,
    /// Or a sum in yuan.
    #[serde(default)]
    pub amount: Exact,
}

/// A part of the pool with its own score.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentText {
    /// Its id.
    pub id: String,
    /// Chinese name.
    #[serde(default)]
    pub name_zh: String,
    /// English name.
    #[serde(default)]
    pub name_en: String,
    /// Percentage of what the fixed sums leave.
    #[serde(default)]
    pub percent: Exact,
    /// Or a fixed sum in yuan.
    #[serde(default)]
    pub amount: Exact,
    /// `share` (default) or `rate`.
    #[serde(default)]
    pub mode: String,
    /// The score; in `rate` mode the quantity that is paid for.
    pub score: String,
    /// In `rate` mode: yuan for each unit of the quantity, an expression.
    #[serde(default)]
    pub rate: String,
    /// In `rate` mode, what happens to money left over: `keep` or `redistribute`.
    #[serde(default)]
    pub remainder: String,
}

/// A coefficient that multiplies the scores of components.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentText {
    /// Its id.
    pub id: String,
    /// Chinese name.
    #[serde(default)]
    pub name_zh: String,
    /// English name.
    #[serde(default)]
    pub name_en: String,
    /// The coefficient, an expression without a unit.
    pub factor: String,
    /// Ids of the components it applies to; none means all.
    #[serde(default)]
    pub components: Vec<String>,
}

/// A floor or a cap on a region's whole amount.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundText {
    /// `floor` or `cap`.
    pub kind: String,
    /// `absolute`, `per_head` or `last_year`.
    pub basis: String,
    /// `absolute`: yuan. `per_head`: yuan for each unit of the indicator.
    #[serde(default)]
    pub amount: Exact,
    /// `last_year`: percentage of the indicator.
    #[serde(default)]
    pub percent: Exact,
    /// `per_head`: what is counted. `last_year`: the amount compared with, such as `allocation[-1]`.
    #[serde(default)]
    pub indicator: String,
    /// Codes of the regions it applies to; none means all.
    #[serde(default)]
    pub regions: Vec<String>,
}

/// A formula document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Its id; revisions share it.
    pub id: String,
    /// Chinese title.
    pub title_zh: String,
    /// English title.
    #[serde(default)]
    pub title_en: String,
    /// What it rests on.
    pub legal_basis: LegalBasis,
    /// How amounts become whole units.
    #[serde(default)]
    pub rounding: RoundingText,
    /// Named numbers.
    #[serde(default)]
    pub parameters: Vec<ParameterText>,
    /// Money kept back.
    #[serde(default)]
    pub set_asides: Vec<SetAsideText>,
    /// The parts of the pool.
    pub components: Vec<ComponentText>,
    /// Coefficients.
    #[serde(default)]
    pub adjustments: Vec<AdjustmentText>,
    /// Floors and caps.
    #[serde(default)]
    pub bounds: Vec<BoundText>,
}

/// Largest formula document, in bytes of TOML.
pub const MAX_BYTES: usize = 1 << 20;

impl Document {
    /// Reads TOML.
    pub fn from_toml(text: &str) -> Result<Self, Violation> {
        if text.len() > MAX_BYTES {
            return Err(Violation::new(
                "formula",
                format!("more than {MAX_BYTES} bytes"),
                format!("a document of at most {MAX_BYTES} bytes"),
                format!("不超过 {MAX_BYTES} 字节的文件"),
            ));
        }
        toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let field = line.map_or_else(|| "formula".to_owned(), |line| format!("formula, line {line}"));
            Violation::new(
                field,
                error.message(),
                "a formula in TOML as the README describes it",
                "符合说明文档的 TOML 公式文件",
            )
        })
    }

    /// The digest of the content.
    pub fn digest(&self) -> Digest {
        // Plain structs of strings and lists always serialize; field order is declaration order.
        let json = serde_json::to_string(self).unwrap_or_default();
        let mut digest = DigestBuilder::new("incentivefund.v1.Formula");
        digest.field(&json);
        digest.finish()
    }
}
