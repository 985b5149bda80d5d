//! Regions, indicators and data sets.

use super::audit::digest_of;
use super::records::{DataSet, DataSetRevision};
use super::{App, Mutation, clock};
use crate::domain::allocation::Signature;
use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::{Error, Faults, Violation};
use crate::domain::identity::Principal;
use crate::domain::region::{Region, RegionCode, check_hierarchy};
use crate::domain::statistics::{
    Catalog, Checked, DataSetId, Indicator, Observation, ObservationKey, ObservationRow, Snapshot,
};
use crate::store::{ObservationFilter, Tx};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashSet};

/// Most regions or indicators in one import.
pub const MAX_IMPORT: usize = 100_000;
/// Most faults that a check reports.
pub const MAX_FAULTS: usize = 10_000;
/// Most rows in one import of observations.
pub const MAX_ROWS: usize = 1_000_000;

/// Which state of a data set is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// The newest revision.
    Newest,
    /// This revision.
    Revision(u32),
    /// The newest revision at this time (microseconds since 1970-01-01 UTC).
    Time(i64),
}

impl App {
    /// Adds or updates regions; every parent must exist or come with them.
    pub async fn import_regions(&self, mutation: &Mutation, regions: Vec<Region>) -> Result<u32, Error> {
        let count = check_import("regions", regions.iter().map(|region| region.code.as_str()))?;
        let regions = &regions;
        self.mutate(mutation, "ImportRegions", |tx| async move {
            let mut all: BTreeMap<RegionCode, Region> = tx
                .regions()
                .await?
                .into_iter()
                .map(|region| (region.code.clone(), region))
                .collect();
            let before = (!all.is_empty()).then(|| digest_of(&all)).transpose()?;
            all.extend(regions.iter().map(|region| (region.code.clone(), region.clone())));
            let after = digest_of(&all)?;
            check_hierarchy(&all.into_values().collect::<Vec<_>>())?;
            tx.upsert_regions(regions).await?;
            tx.trail(|trail| trail.touch("regions".to_owned(), before, Some(after)));
            Ok((tx, count))
        })
        .await
    }

    /// All regions, by code.
    pub async fn regions(&self) -> Result<Vec<Region>, Error> {
        self.store().begin_read().await?.regions().await
    }

    /// Adds or updates indicators; the unit of one that exists cannot change, since observations are kept in it.
    pub async fn import_indicators(
        &self,
        mutation: &Mutation,
        indicators: Vec<Indicator>,
    ) -> Result<u32, Error> {
        let count = check_import(
            "indicators",
            indicators.iter().map(|indicator| indicator.code.as_str()),
        )?;
        let indicators = &indicators;
        self.mutate(mutation, "ImportIndicators", |tx| async move {
            let present = tx.indicators().await?;
            let changed = |new: &&Indicator| {
                present
                    .iter()
                    .any(|old| old.code == new.code && old.unit != new.unit)
            };
            let violations: Vec<Violation> = (indicators.iter().filter(changed))
                .map(|new| {
                    Violation::new(
                        format!("indicators[{}].unit", new.code),
                        new.unit.code,
                        "the unit the indicator has already: its observations are kept in it",
                        "与该指标现有单位一致(已有数据按该单位保存)",
                    )
                })
                .collect();
            if !violations.is_empty() {
                return Err(violations.into());
            }
            tx.upsert_indicators(indicators).await?;
            let before = (!present.is_empty()).then(|| digest_of_indicators(&present));
            let after = digest_of_indicators(&tx.indicators().await?);
            tx.trail(|trail| trail.touch("indicators".to_owned(), before, Some(after)));
            Ok((tx, count))
        })
        .await
    }

    /// All indicators, by code.
    pub async fn indicators(&self) -> Result<Vec<Indicator>, Error> {
        self.store().begin_read().await?.indicators().await
    }

    /// Creates an empty data set.
    pub async fn create_data_set(
        &self,
        mutation: &Mutation,
        id: DataSetId,
        title: String,
    ) -> Result<DataSet, Error> {
        if title.trim().is_empty() || title.chars().count() > 200 || title.chars().any(char::is_control) {
            return Err(Violation::new(
                "title",
                title,
                "1 to 200 characters, no control characters",
                "1 至 200 个字符,不含控制字符",
            )
            .into());
        }
        let (id, title) = (&id, &title);
        self.mutate(mutation, "CreateDataSet", |tx| async move {
            if tx.data_set(id).await?.is_some() {
                return Err(Error::AlreadyExists {
                    kind: "data set",
                    name: data_set_name(id),
                });
            }
            let data_set = DataSet::empty(id.clone(), title.clone(), clock::sign(&mutation.caller));
            tx.insert_data_set(&data_set).await?;
            let digest = data_set.digest.clone();
            tx.trail(|trail| trail.touch(data_set_name(id), None, Some(digest)));
            Ok((tx, data_set))
        })
        .await
    }

    /// One data set.
    pub async fn data_set(&self, id: &DataSetId) -> Result<DataSet, Error> {
        require_data_set(&self.store().begin_read().await?, id).await
    }

    /// Data sets by id, after `after`.
    pub async fn data_sets(&self, after: Option<&DataSetId>, limit: u64) -> Result<Vec<DataSet>, Error> {
        self.store().begin_read().await?.data_sets(after, limit).await
    }

    /// Revisions of a data set, oldest first, after `after`.
    pub async fn data_set_revisions(
        &self,
        id: &DataSetId,
        after: u32,
        limit: u64,
    ) -> Result<Vec<DataSetRevision>, Error> {
        let tx = self.store().begin_read().await?;
        require_data_set(&tx, id).await?;
        tx.data_set_revisions(id, after, limit).await
    }

    /// Imports observations: all or nothing.
    pub async fn import_observations(
        &self,
        mutation: &Mutation,
        id: &DataSetId,
        rows: Vec<ObservationRow>,
    ) -> Result<DataSetRevision, Error> {
        if rows.len() > MAX_ROWS {
            return Err(Error::TooLarge {
                what: "rows",
                found: rows.len() as u64,
                limit: MAX_ROWS as u64,
            });
        }
        let rows = &rows;
        self.mutate(mutation, "ImportObservations", |tx| async move {
            let data_set = require_data_set(&tx, id).await?;
            let checked = catalog(&tx).await?.check(rows)?;
            let before = tx.snapshot(id, data_set.revision).await?;
            let (mut revision, new) =
                next_revision(&data_set, &before, checked, clock::sign(&mutation.caller));
            let digests = (data_set.digest, revision.digest.clone());
            tx.trail(|trail| trail.touch(data_set_name(id), Some(digests.0), Some(digests.1)));
            if new.is_empty() {
                if let Some(newest) = tx.data_set_revision(id, data_set.revision).await? {
                    revision.created = newest.created;
                }
                return Ok((tx, revision));
            }
            tx.insert_data_set_revision(&revision).await?;
            tx.insert_observations(id, revision.revision, &new).await?;
            Ok((tx, revision))
        })
        .await
    }

    /// Checks what would be imported, whether or not the data set exists: every fault, up to
    /// [`MAX_FAULTS`], or the revision that the import would make.
    pub async fn check_observations(
        &self,
        id: &DataSetId,
        rows: Vec<ObservationRow>,
    ) -> Result<Result<DataSetRevision, Vec<Violation>>, Error> {
        let tx = self.store().begin_read().await?;
        let checked = match catalog(&tx)
            .await?
            .check_reporting(&rows, Faults::up_to(MAX_FAULTS))
        {
            Ok(checked) => checked,
            Err(faults) => return Ok(Err(faults)),
        };
        let nobody = Signature {
            by: Principal::parse("check")?,
            at: clock::now(),
        };
        let data_set = match tx.data_set(id).await? {
            Some(data_set) => data_set,
            None => DataSet::empty(id.clone(), String::new(), nobody.clone()),
        };
        let before = tx.snapshot(id, data_set.revision).await?;
        Ok(Ok(next_revision(&data_set, &before, checked, nobody).0))
    }

    /// Observations by region, indicator and year, after `after`, as they stood; and the revision they are of.
    pub async fn observations(
        &self,
        id: &DataSetId,
        as_of: AsOf,
        filter: &ObservationFilter,
        after: Option<&ObservationKey>,
        limit: u64,
    ) -> Result<(u32, Vec<Observation>), Error> {
        let tx = self.store().begin_read().await?;
        let revision = resolve(&tx, id, as_of).await?;
        Ok((
            revision,
            tx.observations(id, revision, filter, after, limit).await?,
        ))
    }
}

/// Resource name of a data set.
pub fn data_set_name(id: &DataSetId) -> String {
    format!("dataSets/{id}")
}

pub(super) async fn require_data_set(tx: &Tx, id: &DataSetId) -> Result<DataSet, Error> {
    tx.data_set(id).await?.ok_or_else(|| Error::NotFound {
        kind: "data set",
        name: data_set_name(id),
    })
}

/// The revision that is meant; 0 before the first import.
pub(super) async fn resolve(tx: &Tx, id: &DataSetId, as_of: AsOf) -> Result<u32, Error> {
    let data_set = require_data_set(tx, id).await?;
    match as_of {
        AsOf::Newest => Ok(data_set.revision),
        AsOf::Revision(revision) if revision <= data_set.revision => Ok(revision),
        AsOf::Revision(revision) => Err(Error::NotFound {
            kind: "data set revision",
            name: format!("{}/revisions/{revision}", data_set_name(id)),
        }),
        AsOf::Time(at) => Ok(tx.revision_as_of(id, at).await?.unwrap_or(0)),
    }
}

fn check_import<'c>(field: &str, codes: impl Iterator<Item = &'c str>) -> Result<u32, Error> {
    let mut seen = HashSet::new();
    let mut faults = Faults::default();
    let mut count = 0_usize;
    for code in codes {
        count += 1;
        if !seen.insert(code) {
            faults.add(|| Violation::new(field, code, "each code once", "每个代码只能出现一次"));
        }
    }
    if count > MAX_IMPORT {
        return Err(Error::TooLarge {
            what: "rows",
            found: count as u64,
            limit: MAX_IMPORT as u64,
        });
    }
    faults.finish()?;
    u32::try_from(count).map_err(Error::internal)
}

fn digest_of_indicators(indicators: &[Indicator]) -> Digest {
    let mut digest = DigestBuilder::new("incentivefund.v1.Indicators");
    for indicator in indicators {
        let bound = |bound: Option<Decimal>| bound.map_or_else(String::new, |b| b.normalize().to_string());
        digest
            .field(indicator.code.as_str())
            .field(&indicator.name_zh)
            .field(&indicator.name_en)
            .field(indicator.unit.code)
            .field(&indicator.decimals.to_string())
            .field(&bound(indicator.minimum))
            .field(&bound(indicator.maximum))
            .field(&indicator.description);
    }
    digest.finish()
}

async fn catalog(tx: &Tx) -> Result<Catalog, Error> {
    Ok(Catalog::new(&tx.regions().await?, &tx.indicators().await?))
}

/// The state of a data set after rows that were found good, and the observations that are new in it.
///
/// Where nothing is new it is the state there was.
fn next_revision(
    data_set: &DataSet,
    before: &Snapshot,
    rows: Vec<Checked>,
    created: Signature,
) -> (DataSetRevision, Vec<Observation>) {
    let mut new = Vec::new();
    let (mut added, mut revised, mut unchanged) = (0, 0, 0);
    for ((region, indicator, year), value, source) in rows {
        let revision = match before.get(&region, &indicator, year) {
            Some(present) if present.value == value && present.source == source => {
                unchanged += 1;
                continue;
            }
            Some(present) => {
                revised += 1;
                present.revision + 1
            }
            None => {
                added += 1;
                1
            }
        };
        new.push(Observation {
            region,
            indicator,
            year,
            value,
            source,
            revision,
        });
    }
    let is_new = !new.is_empty();
    let digest = if is_new {
        Snapshot::new(before.observations().chain(&new).cloned()).digest()
    } else {
        data_set.digest.clone()
    };
    let revision = DataSetRevision {
        data_set: data_set.id.clone(),
        revision: data_set.revision + u32::from(is_new),
        digest,
        created,
        added,
        revised,
        unchanged,
    };
    (revision, new)
}
