//! Programmes, policies and the deed-tax law as they are written, exchanged and stored: text in every
//! field, nothing decided yet.
//!
//! The same shapes serve TOML files, the API and the database; canonical JSON, without the fields that
//! are left out, gives the digest.

use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::Violation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A value as text: a string, a whole number or a truth value. A TOML float is refused: it has been
/// through binary already.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Text(pub String);

impl Text {
    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Text;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "a value in quotes, such as \"62.5\", a whole number, true or false (a bare float is not exact)",
                )
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

fn absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Gives each text type its attributes: unknown fields are refused, absent ones are the default and are
/// not written.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_doc])* #[serde(skip_serializing_if = "absent")] pub $field: $type,)+
        }
    };
}

text_type!(
    /// What a document rests on.
    SourceText {
        /// The document, with its number.
        document: String,
        /// The clause.
        clause: String,
        /// Where it can be read.
        url: String,
        /// What is not in the document but illustrative; shown with every result.
        illustrative: String,
    }
);
text_type!(
    /// A code with its names.
    NamedText {
        /// The code.
        code: String,
        /// Chinese name.
        name_zh: String,
        /// English name.
        name_en: String,
    }
);
text_type!(
    /// A fact that a claim states.
    FactText {
        /// The code: how policies name it.
        code: String,
        /// `money`, `number`, `count`, `date`, `bool` or `code`.
        kind: String,
        /// Chinese name.
        name_zh: String,
        /// English name.
        name_en: String,
        /// Chinese unit, such as `平方米`.
        unit_zh: String,
        /// English unit, such as `m²`.
        unit_en: String,
        /// Whether a claim may leave it out.
        optional: bool,
        /// `number`: most decimal places; nothing means 2.
        decimals: Text,
        /// Smallest value allowed.
        at_least: Text,
        /// Every allowed value is above this.
        above: Text,
        /// Largest value allowed.
        at_most: Text,
        /// Every allowed value is below this.
        below: Text,
        /// `code`: the values.
        options: Vec<NamedText>,
    }
);
text_type!(
    /// A relation between two facts without which a claim makes no sense.
    RelationText {
        /// Its id.
        id: String,
        /// The fact on the left.
        left: String,
        /// `<=` or `<`; for dates, not after or before.
        relation: String,
        /// The fact on the right.
        right: String,
        /// What it demands, in Chinese.
        text_zh: String,
        /// What it demands, in English.
        text_en: String,
    }
);
text_type!(
    /// What is subsidised once only.
    OnceText {
        /// `household` (every person listed), `person` (the claimant), `home` or `payee`.
        by: String,
        /// A fact: once for each value of it; nothing means for ever.
        within: String,
    }
);
text_type!(
    /// Which facts the deed tax is computed from.
    DeedTaxFactsText {
        /// The date by which the rate is chosen: when the tax was declared and paid.
        date: String,
        /// The price without VAT.
        price: String,
        /// The area.
        area: String,
        /// Which home of the family it is: a `code` fact with the law's codes, such as `first`.
        home: String,
        /// The tax on the receipt.
        receipt: String,
    }
);
text_type!(
    /// A programme document: what is subsidised.
    ProgrammeDocument {
        /// The code.
        code: String,
        /// Chinese title.
        title_zh: String,
        /// English title.
        title_en: String,
        /// What it rests on.
        legal_basis: SourceText,
        /// Who is paid: `claimant` (default) or `organisation`, such as a school.
        payee: String,
        /// The date fact by which the policy in force is found.
        decisive_date: String,
        /// The facts of a claim.
        facts: Vec<FactText>,
        /// What must hold between them.
        relations: Vec<RelationText>,
        /// What is subsidised once only.
        once: Vec<OnceText>,
        /// Where the deed tax is recomputed: from which facts.
        deed_tax: Option<DeedTaxFactsText>,
    }
);
text_type!(
    /// A condition over facts. Either `all` or `any`, or a `fact` with what is demanded of it; where more than
    /// one thing is demanded, all of them.
    ConditionText {
        /// Every one of these.
        all: Vec<ConditionText>,
        /// At least one of these.
        any: Vec<ConditionText>,
        /// The fact.
        fact: String,
        /// Equal to: a truth value or an option's code.
        is: Text,
        /// One of these options.
        one_of: Vec<Text>,
        /// This or more; on this day or later.
        at_least: Text,
        /// More; later.
        above: Text,
        /// This or less; on this day or earlier.
        at_most: Text,
        /// Less; earlier.
        below: Text,
        /// On the day of this date fact or later.
        not_before: String,
        /// On the day of this date fact or earlier.
        not_after: String,
        /// With `not_before`: and at most so many calendar months after it.
        within_months: Text,
    }
);
text_type!(
    /// A clause of eligibility.
    ClauseText {
        /// Its id.
        id: String,
        /// What it demands, in Chinese.
        text_zh: String,
        /// What it demands, in English.
        text_en: String,
        /// The clause of the legal basis.
        clause: String,
        /// The condition.
        when: ConditionText,
    }
);
text_type!(
    /// A part of the range of a fact, with what applies there. Both ends say which side they are on.
    BandText {
        /// From this value on.
        at_least: Text,
        /// From above this value.
        above: Text,
        /// Up to this value.
        at_most: Text,
        /// Up to below this value.
        below: Text,
        /// Yuan.
        amount: Text,
        /// Or percent.
        percent: Text,
    }
);
text_type!(
    /// A limit on a benefit, or on the sum of all.
    CapText {
        /// Its id.
        id: String,
        /// Chinese name.
        name_zh: String,
        /// English name.
        name_en: String,
        /// The clause of the legal basis.
        clause: String,
        /// `amount` (yuan), `per_unit` (yuan for each unit of a fact) or `percent` (of a money fact).
        kind: String,
        /// Yuan, or yuan for each unit.
        amount: Text,
        /// Percent.
        percent: Text,
        /// The fact.
        fact: String,
    }
);
text_type!(
    /// What a claimant is entitled to; benefits add up.
    BenefitText {
        /// Its id.
        id: String,
        /// Chinese name.
        name_zh: String,
        /// English name.
        name_en: String,
        /// The clause of the legal basis.
        clause: String,
        /// `lump_sum`, `per_unit` (yuan for each unit of `fact`) or `percent` (of the money fact `fact`).
        kind: String,
        /// The fact that is paid for.
        fact: String,
        /// At most so many units of `fact` count.
        fact_limit: Text,
        /// A number or count fact that multiplies, such as months.
        times: String,
        /// At most so many of `times` count.
        times_limit: Text,
        /// Yuan, or yuan for each unit, where there are no bands.
        amount: Text,
        /// Percent, where there are no bands.
        percent: Text,
        /// The fact that chooses the band.
        band_by: String,
        /// The bands, in rising order, each beginning where the one before ends.
        bands: Vec<BandText>,
        /// Applies only where this holds.
        when: Option<ConditionText>,
        /// Limits on this benefit.
        caps: Vec<CapText>,
    }
);
text_type!(
    /// How the exact amount becomes whole units, once.
    AmountRoundingText {
        /// Code of a rounding unit; nothing means `fen`.
        unit: String,
        /// `down` (default), `half_up` or `up`.
        direction: String,
    }
);
text_type!(
    /// Who bears the amount. The county bears what the city does not.
    CostSplitText {
        /// The city's percentage.
        city_percent: Text,
        /// How the city's part becomes whole units; nothing means down to the fen.
        rounding: AmountRoundingText,
    }
);
text_type!(
    /// A policy document: under which rule a programme is subsidised in a region.
    PolicyDocument {
        /// Its id; revisions share it.
        id: String,
        /// Chinese title.
        title_zh: String,
        /// English title.
        title_en: String,
        /// Code of the region; it holds for the regions within that have none of their own.
        region: String,
        /// Code of the programme.
        programme: String,
        /// What it rests on.
        legal_basis: SourceText,
        /// First decisive date.
        valid_from: String,
        /// Last decisive date; nothing means open.
        valid_to: String,
        /// Days of public notice; nothing means none.
        notice_days: Text,
        /// Documents that a claim must come with.
        documents: Vec<NamedText>,
        /// Who is eligible: every clause must hold.
        eligibility: Vec<ClauseText>,
        /// What the eligible get.
        benefits: Vec<BenefitText>,
        /// Limits on the sum of the benefits.
        caps: Vec<CapText>,
        /// Where the receipt differs from the deed tax recomputed: `lower` (the lower of both is subsidised) or
        /// `refuse`; nothing where the programme has no deed tax.
        on_tax_difference: String,
        /// How the amount becomes whole units.
        rounding: AmountRoundingText,
        /// Who bears it.
        cost_split: CostSplitText,
    }
);
text_type!(
    /// The rates of one kind of home in one period.
    DeedTaxRateText {
        /// First day.
        valid_from: String,
        /// Last day; nothing means open.
        valid_to: String,
        /// Which home of the family it is.
        home: String,
        /// Chinese name of that.
        name_zh: String,
        /// English name of that.
        name_en: String,
        /// Percentages by area in square metres.
        bands: Vec<BandText>,
        /// What they rest on.
        source: SourceText,
    }
);
text_type!(
    /// The deed tax on homes, as the law had and has it.
    DeedTaxLawDocument {
        /// Its id.
        id: String,
        /// Chinese title.
        title_zh: String,
        /// English title.
        title_en: String,
        /// The rates.
        rates: Vec<DeedTaxRateText>,
    }
);

/// Largest document, in bytes of TOML.
pub const MAX_BYTES: usize = 1 << 20;

fn from_toml<T: DeserializeOwned>(what: &str, zh: &str, text: &str) -> Result<T, Violation> {
    if text.len() > MAX_BYTES {
        return Err(Violation::new(
            what,
            format!("more than {MAX_BYTES} bytes"),
            format!("a document of at most {MAX_BYTES} bytes"),
            format!("不超过 {MAX_BYTES} 字节的文件"),
        ));
    }
    toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let field = line.map_or_else(|| what.to_owned(), |line| format!("{what}, line {line}"));
        Violation::new(
            field,
            error.message(),
            format!("a {what} in TOML as docs/POLICIES.md describes it"),
            format!("符合 docs/POLICIES.md 的 TOML {zh}文件"),
        )
    })
}

fn digest_of<T: Serialize>(kind: &str, document: &T) -> Digest {
    // Plain structs of strings and lists always serialize; field order is declaration order.
    let json = serde_json::to_string(document).unwrap_or_default();
    let mut digest = DigestBuilder::new(kind);
    digest.field(&json);
    digest.finish()
}

impl ProgrammeDocument {
    /// Reads TOML.
    pub fn from_toml(text: &str) -> Result<Self, Violation> {
        from_toml("programme", "项目", text)
    }

    /// The digest of the content.
    pub fn digest(&self) -> Digest {
        digest_of("incentivefund.v1.Programme", self)
    }
}

impl PolicyDocument {
    /// Reads TOML.
    pub fn from_toml(text: &str) -> Result<Self, Violation> {
        from_toml("policy", "政策", text)
    }

    /// The digest of the content.
    pub fn digest(&self) -> Digest {
        digest_of("incentivefund.v1.Policy", self)
    }
}

impl DeedTaxLawDocument {
    /// Reads TOML.
    pub fn from_toml(text: &str) -> Result<Self, Violation> {
        from_toml("deed tax law", "契税税率", text)
    }

    /// The digest of the content.
    pub fn digest(&self) -> Digest {
        digest_of("incentivefund.v1.DeedTaxLaw", self)
    }
}
