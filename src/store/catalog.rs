//! Regions and indicators.

use super::Tx;
use super::convert::{ROWS_AT_ONCE, count, decimal, decimal_text, stored};
use super::entity::{indicator, region};
use super::error::failed;
use crate::domain::error::Error;
use crate::domain::region::{Region, RegionCode, RegionKind};
use crate::domain::statistics::{Indicator, IndicatorCode};
use crate::domain::unit::Unit;
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, IntoActiveModel, QueryOrder};
use std::collections::{HashMap, HashSet};

impl Tx {
    /// Every region, by code.
    pub async fn regions(&self) -> Result<Vec<Region>, Error> {
        let rows = region::Entity::find()
            .order_by_asc(region::Column::Code)
            .all(&self.db)
            .await
            .map_err(failed)?;
        rows.into_iter().map(to_region).collect()
    }

    /// Adds regions, or replaces those with the same code.
    ///
    /// The parent of each must be there or among them. In one call, no code may come twice.
    pub async fn upsert_regions(&self, regions: &[Region]) -> Result<(), Error> {
        use region::Column::{Code, Kind, NameEn, NameZh, Note, Parent};
        // A row's parent is checked when the row is written, so parents go into the same chunk or an earlier one.
        let depths = depths(regions);
        let mut ordered: Vec<&Region> = regions.iter().collect();
        ordered.sort_by_key(|region| depths.get(&region.code));
        for chunk in ordered.chunks(ROWS_AT_ONCE) {
            let rows = chunk.iter().map(|region| from_region(region).into_active_model());
            region::Entity::insert_many(rows)
                .on_conflict(
                    OnConflict::column(Code)
                        .update_columns([NameZh, NameEn, Kind, Parent, Note])
                        .to_owned(),
                )
                .exec_without_returning(self.writing()?)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Every indicator, by code.
    pub async fn indicators(&self) -> Result<Vec<Indicator>, Error> {
        let rows = indicator::Entity::find()
            .order_by_asc(indicator::Column::Code)
            .all(&self.db)
            .await
            .map_err(failed)?;
        rows.into_iter().map(to_indicator).collect()
    }

    /// Adds indicators, or replaces those with the same code. In one call, no code may come twice.
    pub async fn upsert_indicators(&self, indicators: &[Indicator]) -> Result<(), Error> {
        use indicator::Column::{Code, Decimals, Description, Maximum, Minimum, NameEn, NameZh, Unit};
        for chunk in indicators.chunks(ROWS_AT_ONCE) {
            let rows = chunk
                .iter()
                .map(|indicator| from_indicator(indicator).into_active_model());
            indicator::Entity::insert_many(rows)
                .on_conflict(
                    OnConflict::column(Code)
                        .update_columns([NameZh, NameEn, Unit, Decimals, Minimum, Maximum, Description])
                        .to_owned(),
                )
                .exec_without_returning(self.writing()?)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }
}

/// How many of `regions` are above each of them; each is looked at once, however deep they nest.
///
/// Those in a circle have no depth; it is refused before it comes here.
fn depths(regions: &[Region]) -> HashMap<&RegionCode, usize> {
    let codes: HashSet<&RegionCode> = regions.iter().map(|region| &region.code).collect();
    let mut parts: HashMap<&RegionCode, Vec<&RegionCode>> = HashMap::new();
    let mut level: Vec<&RegionCode> = Vec::new();
    for region in regions {
        match region.parent.as_ref().filter(|parent| codes.contains(parent)) {
            Some(parent) => parts.entry(parent).or_default().push(&region.code),
            None => level.push(&region.code),
        }
    }
    let mut depths = HashMap::with_capacity(regions.len());
    for depth in 0.. {
        if level.is_empty() {
            break;
        }
        depths.extend(level.iter().map(|code| (*code, depth)));
        level = level
            .into_iter()
            .flat_map(|code| parts.remove(code).unwrap_or_default())
            .collect();
    }
    depths
}

const fn kind_code(kind: RegionKind) -> &'static str {
    match kind {
        RegionKind::Province => "province",
        RegionKind::Prefecture => "prefecture",
        RegionKind::District => "district",
        RegionKind::County => "county",
        RegionKind::CountyLevelCity => "county_level_city",
        RegionKind::FunctionalZone => "functional_zone",
        RegionKind::Other => "other",
    }
}

fn from_region(region: &Region) -> region::Model {
    region::Model {
        code: region.code.to_string(),
        name_zh: region.name_zh.clone(),
        name_en: region.name_en.clone(),
        kind: kind_code(region.kind).to_owned(),
        parent: region.parent.as_ref().map(ToString::to_string),
        note: region.note.clone(),
    }
}

fn to_region(row: region::Model) -> Result<Region, Error> {
    let kind = RegionKind::ALL
        .into_iter()
        .map(|(kind, ..)| kind)
        .find(|kind| kind_code(*kind) == row.kind)
        .ok_or_else(|| Error::internal(format!("stored data: region.kind is {}", row.kind)))?;
    let parent = row.parent.map(|code| RegionCode::parse("region.parent", &code));
    Ok(Region {
        code: stored(RegionCode::parse("region.code", &row.code))?,
        name_zh: row.name_zh,
        name_en: row.name_en,
        kind,
        parent: parent.map(stored).transpose()?,
        note: row.note,
    })
}

fn from_indicator(indicator: &Indicator) -> indicator::Model {
    indicator::Model {
        code: indicator.code.to_string(),
        name_zh: indicator.name_zh.clone(),
        name_en: indicator.name_en.clone(),
        unit: indicator.unit.code.to_owned(),
        decimals: indicator.decimals.into(),
        minimum: indicator.minimum.map(decimal_text),
        maximum: indicator.maximum.map(decimal_text),
        description: indicator.description.clone(),
    }
}

fn to_indicator(row: indicator::Model) -> Result<Indicator, Error> {
    let limit = |column, text: Option<String>| text.map(|text| decimal(column, &text)).transpose();
    Ok(Indicator {
        code: stored(IndicatorCode::parse("indicator.code", &row.code))?,
        name_zh: row.name_zh,
        name_en: row.name_en,
        unit: stored(Unit::parse("indicator.unit", &row.unit))?,
        decimals: count("indicator.decimals", row.decimals)?,
        minimum: limit("indicator.minimum", row.minimum)?,
        maximum: limit("indicator.maximum", row.maximum)?,
        description: row.description,
    })
}
