//! Statistics: indicators, observations with revisions, and data sets whose content has a digest.

use super::digest::{Digest, DigestBuilder};
use super::error::{Faults, Violation};
use super::region::{Region, RegionCode};
use super::unit::Unit;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// Most significant digits that a decimal may have.
pub const MAX_DIGITS: usize = 28;

/// Reads an exact decimal: optional minus, digits, optional point and digits; at most 28 significant
/// digits. Full-width digits and signs (`１２．５`) are read as their ASCII forms.
pub fn parse_decimal(field: &str, text: &str) -> Result<Decimal, Violation> {
    let refused = || {
        Violation::new(
            field,
            text,
            format!(
                "a plain decimal of at most {MAX_DIGITS} digits, such as 1234.5 (no separators, no exponent)"
            ),
            format!("至多 {MAX_DIGITS} 位数字的普通小数,如 1234.5(不含千分位和科学计数)"),
        )
    };
    let ascii: String = half_width(text.trim());
    let digits = ascii.strip_prefix('-').unwrap_or(&ascii);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return Err(refused());
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let significant = if whole.is_empty() {
        fraction.trim_start_matches('0').len()
    } else {
        whole.len() + fraction.len()
    };
    if significant > MAX_DIGITS || fraction.len() > MAX_DIGITS {
        return Err(refused());
    }
    let sign = if ascii.starts_with('-') { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    // No ".0" after a whole number of 28 digits: it would be one digit too many.
    let canonical = if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    };
    Decimal::from_str_exact(&canonical)
        .map(|value| value.normalize())
        .map_err(|_| refused())
}

/// Replaces full-width forms (U+FF01 to U+FF5E, the ideographic space and minus sign) by their ASCII twins.
pub fn half_width(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut narrow = String::with_capacity(text.len());
    narrow.extend(text.chars().map(half_width_char));
    narrow
}

/// The same of one character.
pub fn half_width_char(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        '\u{2212}' => '-',
        _ => c,
    }
}

macro_rules! code_type {
    ($(#[$doc:meta])* $name:ident, $first:expr, $rest:expr, $en:literal, $zh:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Reads a code; the error names `field`.
            pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
                let mut bytes = text.bytes();
                let fits = text.len() <= 63 && bytes.next().is_some_and($first) && bytes.all($rest);
                if fits { Ok(Self(text.to_owned())) } else { Err(Violation::new(field, text, $en, $zh)) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use code_type;

code_type!(
    /// The code of an indicator, such as `settled_new`: how formulas name it.
    IndicatorCode,
    |byte| byte.is_ascii_lowercase(),
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_',
    "1 to 63 characters a-z, 0-9 and underscore, beginning with a letter",
    "1 至 63 个字符,仅限 a-z、0-9 和下划线,以字母开头"
);
code_type!(
    /// The id of a data set, such as `xuchang-2024`.
    DataSetId,
    |byte| byte.is_ascii_lowercase(),
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-',
    "1 to 63 characters a-z, 0-9 and hyphen, beginning with a letter",
    "1 至 63 个字符,仅限 a-z、0-9 和连字符,以字母开头"
);

/// What is measured. The list of indicators is data; nothing in the program knows a particular one.
#[derive(Debug, Clone, PartialEq)]
pub struct Indicator {
    /// The code, the key.
    pub code: IndicatorCode,
    /// Chinese name.
    pub name_zh: String,
    /// English name.
    pub name_en: String,
    /// Unit that its values are kept in.
    pub unit: Unit,
    /// Most decimal places of a value.
    pub decimals: u32,
    /// Smallest value allowed.
    pub minimum: Option<Decimal>,
    /// Largest value allowed.
    pub maximum: Option<Decimal>,
    /// What it counts, and the rule it follows.
    pub description: String,
}

/// A year of observation: 1900 to 2200.
pub fn parse_year(field: &str, text: &str) -> Result<i32, Violation> {
    let refused = || Violation::new(field, text, "a year from 1900 to 2200", "1900 至 2200 之间的年份");
    let ascii = half_width(text.trim());
    let digits = ascii.strip_suffix('年').unwrap_or(&ascii);
    let year: i32 = digits
        .parse()
        .ok()
        .filter(|_| digits.len() == 4)
        .ok_or_else(refused)?;
    if (1900..=2200).contains(&year) {
        Ok(year)
    } else {
        Err(refused())
    }
}

/// One value of an indicator for a region and a year, in one revision. Never changed once stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The region.
    pub region: RegionCode,
    /// The indicator; the value is in its unit.
    pub indicator: IndicatorCode,
    /// The year observed.
    pub year: i32,
    /// The value, exact.
    pub value: Decimal,
    /// Where the value comes from.
    pub source: String,
    /// 1 for the first value of this region, indicator and year, 2 for its first correction, and so on.
    pub revision: u32,
}

/// The key of an observation within a data set.
pub type ObservationKey = (RegionCode, IndicatorCode, i32);

/// A row that was found good: key, value and source.
pub type Checked = (ObservationKey, Decimal, String);

/// One row of an import, as text, with the line it stood on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservationRow {
    /// Line in the file, counted from 1, header included.
    pub line: u32,
    /// Region code, or the Chinese name of exactly one region.
    pub region: String,
    /// Indicator code, or the Chinese name of exactly one indicator.
    pub indicator: String,
    /// Year.
    pub year: String,
    /// Value.
    pub value: String,
    /// Unit; empty means the indicator's own.
    pub unit: String,
    /// Source.
    pub source: String,
}

/// What an import needs to know: the regions and indicators there are.
pub struct Catalog {
    regions: HashMap<String, Option<RegionCode>>,
    indicators: HashMap<String, Option<Indicator>>,
}

impl Catalog {
    /// Indexes regions and indicators by code and by name; a name that two share finds neither.
    pub fn new(regions: &[Region], indicators: &[Indicator]) -> Self {
        let mut by_region: HashMap<String, Option<RegionCode>> = HashMap::new();
        for region in regions {
            for name in [&region.name_zh, &region.name_en]
                .into_iter()
                .filter(|name| !name.is_empty())
            {
                by_region
                    .entry(name.clone())
                    .and_modify(|found| *found = None)
                    .or_insert_with(|| Some(region.code.clone()));
            }
        }
        for region in regions {
            by_region.insert(region.code.as_str().to_owned(), Some(region.code.clone()));
        }
        let mut by_indicator: HashMap<String, Option<Indicator>> = HashMap::new();
        for indicator in indicators {
            for name in [&indicator.name_zh, &indicator.name_en]
                .into_iter()
                .filter(|name| !name.is_empty())
            {
                by_indicator
                    .entry(name.clone())
                    .and_modify(|found| *found = None)
                    .or_insert_with(|| Some(indicator.clone()));
            }
        }
        for indicator in indicators {
            by_indicator.insert(indicator.code.as_str().to_owned(), Some(indicator.clone()));
        }
        Self {
            regions: by_region,
            indicators: by_indicator,
        }
    }

    fn region(&self, field: &str, text: &str) -> Result<RegionCode, Violation> {
        let name = text.trim();
        self.regions
            .get(name)
            .or_else(|| self.regions.get(&half_width(name)))
            .cloned()
            .flatten()
            .ok_or_else(|| {
                Violation::new(
                    field,
                    text,
                    "the code or the unique name of a region that has been imported",
                    "已导入的地区代码,或唯一的地区名称",
                )
            })
    }

    fn indicator(&self, field: &str, text: &str) -> Result<Indicator, Violation> {
        let name = text.trim();
        self.indicators
            .get(name)
            .or_else(|| self.indicators.get(&half_width(name)))
            .cloned()
            .flatten()
            .ok_or_else(|| {
                Violation::new(
                    field,
                    text,
                    "the code or the unique name of an indicator that has been imported",
                    "已导入的指标代码,或唯一的指标名称",
                )
            })
    }

    /// Checks every row; either all are good, or the faulty ones are reported with line and column.
    pub fn check(&self, rows: &[ObservationRow]) -> Result<Vec<Checked>, Vec<Violation>> {
        self.check_reporting(rows, Faults::default())
    }

    /// The same, with as many faults reported as `faults` takes.
    pub fn check_reporting(
        &self,
        rows: &[ObservationRow],
        mut faults: Faults,
    ) -> Result<Vec<Checked>, Vec<Violation>> {
        let mut good: Vec<Checked> = Vec::with_capacity(rows.len());
        let mut seen: HashMap<ObservationKey, u32> = HashMap::with_capacity(rows.len());
        for row in rows {
            match self.check_row(row) {
                Ok(observation) => {
                    if let Some(first) = seen.insert(observation.0.clone(), row.line) {
                        faults.add(|| {
                            Violation::new(
                                format!("line {}, column region", row.line),
                                format!(
                                    "{} {} {} again",
                                    observation.0.0, observation.0.1, observation.0.2
                                ),
                                format!(
                                    "one row for a region, indicator and year; the first is on line {first}"
                                ),
                                format!("同一地区、指标、年份只能有一行,第一行在第 {first} 行"),
                            )
                        });
                    }
                    good.push(observation);
                }
                Err(found) => faults.extend(found),
            }
        }
        faults.finish()?;
        Ok(good)
    }

    fn check_row(&self, row: &ObservationRow) -> Result<Checked, Vec<Violation>> {
        let column = |name: &str| format!("line {}, column {name}", row.line);
        let mut violations = Vec::new();
        let region = self
            .region(&column("region"), &row.region)
            .map_err(|v| violations.push(v))
            .ok();
        let indicator = self
            .indicator(&column("indicator"), &row.indicator)
            .map_err(|v| violations.push(v))
            .ok();
        let year = parse_year(&column("year"), &row.year)
            .map_err(|v| violations.push(v))
            .ok();
        let value = parse_decimal(&column("value"), &row.value)
            .map_err(|v| violations.push(v))
            .ok();
        let source = row.source.trim().to_owned();
        if source.is_empty() || source.chars().count() > 500 || source.chars().any(char::is_control) {
            violations.push(Violation::new(
                column("source"),
                &row.source,
                "where the value comes from, 1 to 500 characters",
                "数据来源,1 至 500 个字符",
            ));
        }
        let value = match (&indicator, value) {
            (Some(indicator), Some(value)) => {
                let converted = indicator.convert(&column("unit"), &row.unit, value);
                converted
                    .and_then(|value| indicator.admit(&column("value"), value))
                    .map_err(|v| violations.push(v))
                    .ok()
            }
            _ => None,
        };
        match (region, indicator, year, value) {
            (Some(region), Some(indicator), Some(year), Some(value)) if violations.is_empty() => {
                Ok(((region, indicator.code, year), value, source))
            }
            _ => Err(violations),
        }
    }
}

impl Indicator {
    /// Brings a value from the unit it came in (empty: the indicator's own) to the indicator's unit, exactly.
    pub fn convert(&self, field: &str, unit: &str, value: Decimal) -> Result<Decimal, Violation> {
        let text = half_width(unit.trim());
        if text.is_empty() {
            return Ok(value);
        }
        let given = Unit::parse(field, &text)?;
        let refused = |en: String, zh: String| Violation::new(field, unit, en, zh);
        let power = given.shift_to(self.unit).ok_or_else(|| {
            refused(
                format!(
                    "a unit that fits the indicator {}, which is in {}",
                    self.code, self.unit.code
                ),
                format!("与指标 {} 的单位“{}”相容的单位", self.code, self.unit.zh),
            )
        })?;
        shift(value, power).ok_or_else(|| {
            refused(
                format!(
                    "a unit in which the value still fits {MAX_DIGITS} digits once in {}",
                    self.unit.code
                ),
                format!("换算为“{}”后仍不超过 {MAX_DIGITS} 位数字的单位", self.unit.zh),
            )
        })
    }

    /// Checks a value, already in the indicator's unit, against what the indicator allows.
    pub fn admit(&self, field: &str, value: Decimal) -> Result<Decimal, Violation> {
        let value = value.normalize();
        let below = self.minimum.is_some_and(|minimum| value < minimum);
        let above = self.maximum.is_some_and(|maximum| value > maximum);
        if below || above || value.scale() > self.decimals {
            let bound = |side: Option<Decimal>, open: &str| {
                side.map_or_else(|| open.to_owned(), |limit| limit.to_string())
            };
            let (low, high) = (bound(self.minimum, "-∞"), bound(self.maximum, "∞"));
            return Err(Violation::new(
                field,
                value.to_string(),
                format!(
                    "{}: {low} to {high} {}, at most {} decimals",
                    self.code, self.unit.code, self.decimals
                ),
                format!(
                    "{}:{low} 至 {high} {},至多 {} 位小数",
                    self.name_zh, self.unit.zh, self.decimals
                ),
            ));
        }
        Ok(value)
    }
}

/// `value` times `10^power`, exactly; `None` where 28 digits do not hold it.
fn shift(value: Decimal, power: i8) -> Option<Decimal> {
    let factor = Decimal::from_i128_with_scale(10_i128.pow(u32::from(power.unsigned_abs())), 0);
    if power >= 0 {
        return value
            .checked_mul(factor)
            .filter(|product| product.checked_div(factor) == Some(value))
            .map(|product| product.normalize());
    }
    let scale = value.scale() + u32::from(power.unsigned_abs());
    (scale <= 28)
        .then(|| Decimal::try_from_i128_with_scale(value.mantissa(), scale).ok())
        .flatten()
        .map(|v| v.normalize())
}

/// The observations of one indicator in one year, by region.
pub type Series = BTreeMap<RegionCode, Observation>;

/// A data set as it stood at one revision: for each region, indicator and year the newest observation then.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    series: BTreeMap<(IndicatorCode, i32), Series>,
}

impl Snapshot {
    /// A snapshot of these observations; of one region, indicator and year, the highest revision stays.
    pub fn new(observations: impl IntoIterator<Item = Observation>) -> Self {
        let mut snapshot = Self::default();
        for observation in observations {
            let series = snapshot
                .series
                .entry((observation.indicator.clone(), observation.year))
                .or_default();
            match series.get(&observation.region) {
                Some(present) if present.revision >= observation.revision => {}
                _ => {
                    series.insert(observation.region.clone(), observation);
                }
            }
        }
        snapshot
    }

    /// The observations of an indicator in a year.
    pub fn series(&self, indicator: &IndicatorCode, year: i32) -> Option<&Series> {
        // The key is owned by the map; looking up a pair needs a pair.
        self.series.get(&(indicator.clone(), year))
    }

    /// One observation.
    pub fn get(&self, region: &RegionCode, indicator: &IndicatorCode, year: i32) -> Option<&Observation> {
        self.series(indicator, year)?.get(region)
    }

    /// Every observation, by indicator, year and region.
    pub fn observations(&self) -> impl Iterator<Item = &Observation> {
        self.series.values().flat_map(BTreeMap::values)
    }

    /// The digest of the content: every observation in key order, with value, source and revision.
    pub fn digest(&self) -> Digest {
        let mut digest = DigestBuilder::new("incentivefund.v1.DataSet");
        for observation in self.observations() {
            digest
                .field(observation.indicator.as_str())
                .field(&observation.year.to_string())
                .field(observation.region.as_str())
                .field(&observation.value.normalize().to_string())
                .field(&observation.source)
                .field(&observation.revision.to_string());
        }
        digest.finish()
    }

    /// The regions that have observations, in code order.
    pub fn regions(&self) -> std::collections::BTreeSet<RegionCode> {
        self.series.values().flat_map(BTreeMap::keys).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_decimals_of_28_digits_exactly() {
        for text in [
            "9999999999999999999999999999",
            "0.1234567890123456789012345678",
            "-1.5",
            "0",
        ] {
            assert_eq!(parse_decimal("value", text).unwrap().to_string(), text);
        }
        assert_eq!(parse_decimal("value", "１２．５０").unwrap().to_string(), "12.5");
        assert_eq!(parse_decimal("value", "007").unwrap().to_string(), "7");
    }

    #[test]
    fn refuses_what_is_no_decimal() {
        for text in [
            "",
            "1e3",
            "1,000",
            "12345678901234567890123456789",
            "NaN",
            "--1",
            "1_000",
            "0x1",
        ] {
            assert!(parse_decimal("value", text).is_err(), "{text}");
        }
    }

    #[test]
    fn shifts_exactly() {
        let value = parse_decimal("value", "12.3456").unwrap();
        assert_eq!(shift(value, 4).unwrap().to_string(), "123456");
        assert_eq!(shift(value, -2).unwrap().to_string(), "0.123456");
        assert_eq!(
            shift(parse_decimal("value", "9999999999999999999999999999").unwrap(), 4),
            None
        );
    }
}
