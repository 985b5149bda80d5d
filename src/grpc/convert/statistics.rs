//! Regions, indicators, data sets and observations.

use super::{names, signature};
use crate::app::records::{DataSet, DataSetRevision};
use crate::app::statistics::data_set_name;
use crate::domain::error::{Bilingual, Error, Faults, Violation};
use crate::domain::formula::expression::is_reserved;
use crate::domain::region::{Region, RegionCode, RegionKind};
use crate::domain::statistics::{
    Indicator, IndicatorCode, MAX_DIGITS, Observation, ObservationRow, parse_decimal,
};
use crate::domain::unit::Unit;
use crate::grpc::pb;
use rust_decimal::Decimal;

const KINDS: [(RegionKind, pb::RegionKind); 7] = [
    (RegionKind::Province, pb::RegionKind::Province),
    (RegionKind::Prefecture, pb::RegionKind::Prefecture),
    (RegionKind::District, pb::RegionKind::District),
    (RegionKind::County, pb::RegionKind::County),
    (RegionKind::CountyLevelCity, pb::RegionKind::CountyLevelCity),
    (RegionKind::FunctionalZone, pb::RegionKind::FunctionalZone),
    (RegionKind::Other, pb::RegionKind::Other),
];

/// A list of messages, each read with the path of its place.
pub fn list<M, T>(
    field: &str,
    messages: Vec<M>,
    read: impl Fn(&str, M) -> Result<T, Vec<Violation>>,
) -> Result<Vec<T>, Error> {
    let mut faults = Faults::default();
    let mut items = Vec::with_capacity(messages.len());
    for (at, message) in messages.into_iter().enumerate() {
        match read(&format!("{field}[{at}]"), message) {
            Ok(item) => items.push(item),
            Err(found) => faults.extend(found),
        }
    }
    faults.finish()?;
    Ok(items)
}

fn display_names(path: &str, zh: &str, en: &str) -> Result<(), Violation> {
    let fits = |name: &str| name.chars().count() <= 200 && !name.chars().any(char::is_control);
    if fits(zh) && fits(en) && !(zh.is_empty() && en.is_empty()) {
        return Ok(());
    }
    Err(Violation::new(
        format!("{path}.display_name_zh"),
        format!("{zh} / {en}"),
        "a Chinese or English name, each at most 200 characters",
        "中文或英文名称,各至多 200 个字符",
    ))
}

/// Longest note or description, in characters.
const MAX_REMARK: usize = 2_000;

fn remark(field: &str, text: &str) -> Result<String, Violation> {
    if text.chars().count() <= MAX_REMARK && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Violation::new(
        field,
        text,
        format!("at most {MAX_REMARK} characters, no control characters"),
        format!("至多 {MAX_REMARK} 个字符,不含控制字符"),
    ))
}

/// Reads a region.
pub fn region(path: &str, message: pb::Region) -> Result<Region, Vec<Violation>> {
    let read = || -> Result<Region, Violation> {
        let kind = KINDS
            .into_iter()
            .find(|(_, wire)| *wire as i32 == message.kind)
            .map(|(kind, _)| kind);
        let kind = kind.ok_or_else(|| {
            Violation::new(
                format!("{path}.kind"),
                message.kind.to_string(),
                "a kind of region",
                "地区类型",
            )
        })?;
        display_names(path, &message.display_name_zh, &message.display_name_en)?;
        Ok(Region {
            code: names::region(&format!("{path}.name"), &message.name)?,
            name_zh: message.display_name_zh.clone(),
            name_en: message.display_name_en.clone(),
            kind,
            parent: names::optional_region(&format!("{path}.parent"), &message.parent)?,
            note: remark(&format!("{path}.note"), &message.note)?,
        })
    };
    read().map_err(|violation| vec![violation])
}

/// Writes a region.
pub fn from_region(region: &Region) -> pb::Region {
    let kind = KINDS
        .into_iter()
        .find(|(kind, _)| *kind == region.kind)
        .map_or(pb::RegionKind::Other, |(_, wire)| wire);
    pb::Region {
        name: names::of_region(&region.code),
        display_name_zh: region.name_zh.clone(),
        display_name_en: region.name_en.clone(),
        kind: kind.into(),
        parent: region.parent.as_ref().map(names::of_region).unwrap_or_default(),
        note: region.note.clone(),
    }
}

/// Reads an indicator.
pub fn indicator(path: &str, message: pb::Indicator) -> Result<Indicator, Vec<Violation>> {
    let limit = |key: &str, text: &str| -> Result<Option<Decimal>, Violation> {
        if text.is_empty() {
            Ok(None)
        } else {
            parse_decimal(&format!("{path}.{key}"), text).map(Some)
        }
    };
    let read = || -> Result<Indicator, Violation> {
        display_names(path, &message.display_name_zh, &message.display_name_en)?;
        if message.decimals as usize > MAX_DIGITS {
            let field = format!("{path}.decimals");
            return Err(Violation::new(
                field,
                message.decimals.to_string(),
                format!("0 to {MAX_DIGITS}"),
                format!("0 至 {MAX_DIGITS}"),
            ));
        }
        let code = names::indicator(&format!("{path}.name"), &message.name)?;
        if is_reserved(code.as_str()) {
            return Err(Violation::new(
                format!("{path}.name"),
                &message.name,
                "a code that is no word of the formula language",
                "不是公式语言保留字的代码",
            ));
        }
        let (minimum, maximum) = (
            limit("minimum", &message.minimum)?,
            limit("maximum", &message.maximum)?,
        );
        if let (Some(least), Some(most)) = (minimum, maximum)
            && least > most
        {
            return Err(Violation::new(
                format!("{path}.minimum"),
                &message.minimum,
                format!("no more than the maximum {most}"),
                format!("不大于最大值 {most}"),
            ));
        }
        Ok(Indicator {
            code,
            name_zh: message.display_name_zh.clone(),
            name_en: message.display_name_en.clone(),
            unit: Unit::parse(&format!("{path}.unit"), &message.unit)?,
            decimals: message.decimals,
            minimum,
            maximum,
            description: remark(&format!("{path}.description"), &message.description)?,
        })
    };
    read().map_err(|violation| vec![violation])
}

/// Writes an indicator.
pub fn from_indicator(indicator: &Indicator) -> pb::Indicator {
    let limit = |limit: Option<Decimal>| limit.map(|limit| limit.to_string()).unwrap_or_default();
    pb::Indicator {
        name: of_indicator(&indicator.code),
        display_name_zh: indicator.name_zh.clone(),
        display_name_en: indicator.name_en.clone(),
        unit: indicator.unit.code.to_owned(),
        decimals: indicator.decimals,
        minimum: limit(indicator.minimum),
        maximum: limit(indicator.maximum),
        description: indicator.description.clone(),
    }
}

fn of_indicator(code: &IndicatorCode) -> String {
    format!("indicators/{code}")
}

/// Writes a data set.
pub fn from_data_set(data_set: &DataSet) -> Result<pb::DataSet, Error> {
    Ok(pb::DataSet {
        name: data_set_name(&data_set.id),
        title: data_set.title.clone(),
        revision: data_set.revision,
        digest: data_set.digest.as_str().to_owned(),
        created: Some(signature(&data_set.created)?),
    })
}

/// Writes a data set revision.
pub fn from_data_set_revision(revision: &DataSetRevision) -> Result<pb::DataSetRevision, Error> {
    Ok(pb::DataSetRevision {
        name: format!(
            "{}/revisions/{}",
            data_set_name(&revision.data_set),
            revision.revision
        ),
        digest: revision.digest.as_str().to_owned(),
        created: Some(signature(&revision.created)?),
        added: revision.added,
        revised: revision.revised,
        unchanged: revision.unchanged,
    })
}

/// Writes a fault.
pub fn from_fault(violation: &Violation) -> pb::Fault {
    pb::Fault {
        field: violation.field.clone(),
        found: violation.found.clone(),
        allowed: Some(super::localized(&violation.allowed)),
    }
}

/// Reads a fault.
pub fn fault(message: pb::Fault) -> Violation {
    let allowed = message.allowed.unwrap_or_default();
    Violation {
        field: message.field,
        found: message.found,
        allowed: Bilingual::new(allowed.en, allowed.zh),
    }
}

/// Reads a row.
pub fn row(message: pb::ObservationRow) -> ObservationRow {
    let pb::ObservationRow {
        line,
        region,
        indicator,
        year,
        value,
        unit,
        source,
    } = message;
    ObservationRow {
        line,
        region,
        indicator,
        year,
        value,
        unit,
        source,
    }
}

/// Writes a row.
pub fn from_row(row: ObservationRow) -> pb::ObservationRow {
    let ObservationRow {
        line,
        region,
        indicator,
        year,
        value,
        unit,
        source,
    } = row;
    pb::ObservationRow {
        line,
        region,
        indicator,
        year,
        value,
        unit,
        source,
    }
}

/// Writes an observation.
pub fn from_observation(observation: &Observation) -> pb::Observation {
    pb::Observation {
        region: names::of_region(&observation.region),
        indicator: of_indicator(&observation.indicator),
        year: observation.year,
        value: observation.value.to_string(),
        source: observation.source.clone(),
        revision: observation.revision,
    }
}

/// The code after `regions/`, for the keys of pages.
pub fn region_key(code: &RegionCode) -> String {
    code.as_str().to_owned()
}
