//! Regions: administrative divisions with national codes (GB/T 2260) and functional zones without.

use super::error::{Faults, Violation};
use std::collections::{HashMap, HashSet};
use std::fmt;

/// The code of a region: six digits as in GB/T 2260, or a local code where there is no national one.
///
/// Local codes are 1 to 20 of `A-Z`, `0-9` and `-`, beginning and ending with a letter or digit,
/// such as `4110-DC`. Codes order as text; ties in an allocation go to the lower code.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RegionCode(String);

impl RegionCode {
    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=20).contains(&text.len())
            && text.bytes().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if !fits {
            return Err(Violation::new(
                field,
                text,
                "a GB/T 2260 code of six digits, or a local code of 1 to 20 characters A-Z, 0-9 and inner hyphens",
                "GB/T 2260 六位数字代码,或由 A-Z、0-9 和中间连字符组成的 1 至 20 位地方代码",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the code has the form of a national one.
    pub fn is_national(&self) -> bool {
        self.0.len() == 6 && self.0.bytes().all(|byte| byte.is_ascii_digit())
    }
}

impl fmt::Display for RegionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of division a region is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionKind {
    /// 省, or anything at that level.
    Province,
    /// 地级市.
    Prefecture,
    /// 市辖区.
    District,
    /// 县.
    County,
    /// 县级市.
    CountyLevelCity,
    /// 功能区, such as a development zone: administers land and people, has no national code.
    FunctionalZone,
    /// A region of another system, such as a state.
    Other,
}

impl RegionKind {
    /// All kinds with the words that documents and tables use for them.
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Province, "province", "省"),
        (Self::Prefecture, "prefecture", "地级市"),
        (Self::District, "district", "市辖区"),
        (Self::County, "county", "县"),
        (Self::CountyLevelCity, "county-level city", "县级市"),
        (Self::FunctionalZone, "functional zone", "功能区"),
        (Self::Other, "other", "其他"),
    ];

    /// The English word.
    pub fn en(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("other", |(_, en, _)| en)
    }

    /// Reads the English or the Chinese word.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        Self::ALL
            .into_iter()
            .find(|(_, en, zh)| *en == text || *zh == text)
            .map(|(kind, ..)| kind)
            .ok_or_else(|| {
                let en = Self::ALL.map(|(_, en, _)| en).join(", ");
                let zh = Self::ALL.map(|(_, _, zh)| zh).join("、");
                Violation::new(field, text, format!("one of {en}"), format!("下列之一:{zh}"))
            })
    }
}

/// A region that can receive money or contains such regions.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Region {
    /// Its code, the key.
    pub code: RegionCode,
    /// Chinese name, as budget documents write it.
    pub name_zh: String,
    /// English name; may be empty.
    pub name_en: String,
    /// What kind of division it is.
    pub kind: RegionKind,
    /// The region that contains it.
    pub parent: Option<RegionCode>,
    /// Where the code comes from, or any remark.
    pub note: String,
}

impl Region {
    /// The name to show beside a code: Chinese, else English, else the code.
    pub fn label(&self) -> &str {
        [self.name_zh.as_str(), self.name_en.as_str()]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or(self.code.as_str())
    }
}

/// Checks that following parents from any region comes to an end; looks at each region once.
///
/// `regions` must hold every region that a parent may name.
pub fn check_hierarchy(regions: &[Region]) -> Result<(), Vec<Violation>> {
    let by_code: HashMap<&RegionCode, &Region> =
        regions.iter().map(|region| (&region.code, region)).collect();
    let mut faults = Faults::default();
    // Those whose way up has been followed already, and reported if it was faulty.
    let mut followed: HashSet<&RegionCode> = HashSet::with_capacity(regions.len());
    for region in regions {
        let mut path: Vec<&Region> = Vec::new();
        let mut places: HashMap<&RegionCode, usize> = HashMap::new();
        let mut at = region;
        while !followed.contains(&at.code) {
            if let Some(first) = places.insert(&at.code, path.len()) {
                for member in &path[first..] {
                    faults.add(|| circular(member));
                }
                break;
            }
            path.push(at);
            let Some(parent) = &at.parent else { break };
            let Some(next) = by_code.get(parent) else {
                faults.add(|| orphaned(at));
                break;
            };
            at = next;
        }
        followed.extend(path.into_iter().map(|region| &region.code));
    }
    faults.finish()
}

fn orphaned(region: &Region) -> Violation {
    Violation::new(
        format!("regions[{}].parent", region.code),
        region.parent.as_ref().map_or("", RegionCode::as_str),
        "the code of a region that exists or comes in the same import",
        "已存在或在同一次导入中出现的地区代码",
    )
}

fn circular(region: &Region) -> Violation {
    Violation::new(
        format!("regions[{}].parent", region.code),
        region.parent.as_ref().map_or("", RegionCode::as_str),
        "a parent that is not, directly or indirectly, the region itself",
        "上级地区不得直接或间接为其自身",
    )
}
