//! A mapping as it is written in TOML.

/// A mapping as it is written in TOML; `docs/STATEMENTS.md` says what each key means.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct MappingDocument {
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    /// What the mapping rests on: a published format, or nobody's in particular.
    pub source: String,
    #[serde(default = "auto")]
    pub encoding: String,
    #[serde(default = "auto")]
    pub delimiter: String,
    #[serde(default)]
    pub skip_rows: usize,
    #[serde(default = "header_within")]
    pub header_within: usize,
    #[serde(default = "oldest_first")]
    pub order: String,
    pub dates: Vec<String>,
    pub columns: Columns,
    pub amounts: Amounts,
    #[serde(default)]
    pub rows: Rows,
    #[serde(default)]
    pub head: Head,
}

/// `[columns]`: the headings that each column may have.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Columns {
    pub booked: Vec<String>,
    pub valued: Vec<String>,
    pub amount: Vec<String>,
    pub debit: Vec<String>,
    pub credit: Vec<String>,
    pub direction: Vec<String>,
    pub balance: Vec<String>,
    pub reversal: Vec<String>,
    pub bank_reference: Vec<String>,
    pub reference: Vec<String>,
    pub counterparty_name: Vec<String>,
    pub counterparty_account: Vec<String>,
    pub text: Vec<String>,
    pub account: Vec<String>,
    pub currency: Vec<String>,
}

/// `[amounts]`: how amounts are written, and which way they go.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Amounts {
    pub style: String,
    #[serde(default = "comma")]
    pub thousands: String,
    #[serde(default = "point")]
    pub decimal: String,
    #[serde(default = "refuse")]
    pub negative: String,
    #[serde(default)]
    pub outgoing: String,
    #[serde(default)]
    pub debit_words: Vec<String>,
    #[serde(default)]
    pub credit_words: Vec<String>,
    #[serde(default)]
    pub reversal_words: Vec<String>,
}

/// `[rows]`: what rows begin with that are no movements.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Rows {
    pub totals: Vec<String>,
    pub ignored: Vec<String>,
    pub opening: Vec<String>,
    pub closing: Vec<String>,
}

/// `[head]`: labels of cells above the header.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Head {
    pub account: Vec<String>,
    pub currency: Vec<String>,
    pub identification: Vec<String>,
    pub period: Vec<String>,
    pub from: Vec<String>,
    pub to: Vec<String>,
    pub opening: Vec<String>,
    pub closing: Vec<String>,
}

fn auto() -> String {
    "auto".to_owned()
}

fn header_within() -> usize {
    30
}

fn oldest_first() -> String {
    "oldest_first".to_owned()
}

fn comma() -> String {
    ",".to_owned()
}

fn point() -> String {
    ".".to_owned()
}

fn refuse() -> String {
    "refuse".to_owned()
}
