//! Resource names: `collection/id`, and `collection/id/revisions/n`.

use crate::app::formulas::FormulaId;
use crate::app::statistics::AsOf;
use crate::domain::allocation::{FundId, RunId};
use crate::domain::error::Violation;
use crate::domain::region::RegionCode;
use crate::domain::statistics::{DataSetId, IndicatorCode};
use crate::domain::subsidy::ProgrammeCode;

fn parts<'n>(
    field: &str,
    name: &'n str,
    collection: &str,
    revisions: bool,
) -> Result<(&'n str, Option<u32>), Violation> {
    let refused = || {
        let form = if revisions {
            format!("{collection}/ID or {collection}/ID/revisions/N")
        } else {
            format!("{collection}/ID")
        };
        Violation::new(
            field,
            name,
            format!("a resource name {form}"),
            format!("资源名 {form}"),
        )
    };
    let rest = name
        .strip_prefix(collection)
        .and_then(|rest| rest.strip_prefix('/'))
        .ok_or_else(refused)?;
    match rest.split_once('/') {
        None if !rest.is_empty() => Ok((rest, None)),
        Some((id, tail)) if revisions && !id.is_empty() => {
            let number = tail
                .strip_prefix("revisions/")
                .and_then(|number| number.parse().ok())
                .filter(|number| *number > 0);
            Ok((id, Some(number.ok_or_else(refused)?)))
        }
        _ => Err(refused()),
    }
}

/// `regions/{code}`.
pub fn region(field: &str, name: &str) -> Result<RegionCode, Violation> {
    RegionCode::parse(field, parts(field, name, "regions", false)?.0)
}

/// `regions/{code}`, or nothing.
pub fn optional_region(field: &str, name: &str) -> Result<Option<RegionCode>, Violation> {
    if name.is_empty() {
        Ok(None)
    } else {
        region(field, name).map(Some)
    }
}

/// The name of a region.
pub fn of_region(code: &RegionCode) -> String {
    format!("regions/{code}")
}

/// `indicators/{code}`.
pub fn indicator(field: &str, name: &str) -> Result<IndicatorCode, Violation> {
    IndicatorCode::parse(field, parts(field, name, "indicators", false)?.0)
}

/// `dataSets/{id}`.
pub fn data_set(field: &str, name: &str) -> Result<DataSetId, Violation> {
    DataSetId::parse(field, parts(field, name, "dataSets", false)?.0)
}

/// `dataSets/{id}`, the newest revision, or `dataSets/{id}/revisions/{n}`.
pub fn data_set_revision(field: &str, name: &str) -> Result<(DataSetId, AsOf), Violation> {
    let (id, revision) = parts(field, name, "dataSets", true)?;
    Ok((
        DataSetId::parse(field, id)?,
        revision.map_or(AsOf::Newest, AsOf::Revision),
    ))
}

/// `formulas/{id}`, the newest revision, or `formulas/{id}/revisions/{n}`.
pub fn formula(field: &str, name: &str) -> Result<FormulaId, Violation> {
    let (id, revision) = parts(field, name, "formulas", true)?;
    DataSetId::parse(field, id)?;
    Ok(FormulaId {
        id: id.to_owned(),
        revision,
    })
}

/// `funds/{id}`.
pub fn fund(field: &str, name: &str) -> Result<FundId, Violation> {
    FundId::parse(field, parts(field, name, "funds", false)?.0)
}

/// The name of a fund.
pub fn of_fund(fund: &FundId) -> String {
    format!("funds/{fund}")
}

/// `funds/{id}/entries/{number}`.
pub fn entry(field: &str, name: &str) -> Result<(FundId, u64), Violation> {
    let refused = || {
        Violation::new(
            field,
            name,
            "a resource name funds/ID/entries/NUMBER",
            "资源名 funds/ID/entries/NUMBER",
        )
    };
    let rest = name.strip_prefix("funds/").ok_or_else(refused)?;
    let (fund, number) = rest.split_once("/entries/").ok_or_else(refused)?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| plain).ok_or_else(refused)?;
    Ok((FundId::parse(field, fund)?, number))
}

/// `programmes/{code}`.
pub fn programme(field: &str, name: &str) -> Result<ProgrammeCode, Violation> {
    ProgrammeCode::parse(field, parts(field, name, "programmes", false)?.0)
}

/// `programmes/{code}`, or nothing.
pub fn optional_programme(field: &str, name: &str) -> Result<Option<ProgrammeCode>, Violation> {
    if name.is_empty() {
        Ok(None)
    } else {
        programme(field, name).map(Some)
    }
}

/// The name of a programme.
pub fn of_programme(code: &ProgrammeCode) -> String {
    format!("programmes/{code}")
}

/// `allocations/{id}`.
pub fn allocation(field: &str, name: &str) -> Result<RunId, Violation> {
    RunId::parse(field, parts(field, name, "allocations", false)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_refuses_others() {
        assert_eq!(
            data_set_revision("n", "dataSets/a/revisions/3").unwrap().1,
            AsOf::Revision(3)
        );
        for name in [
            "",
            "dataSets",
            "dataSets/",
            "dataSets/a/",
            "dataSets/a/revisions/0",
            "dataSets/a/b/c",
            "regions/x",
            "dataSets/a/revisions/-1",
        ] {
            assert!(data_set_revision("n", name).is_err(), "{name}");
        }
        assert!(region("n", "regions/411000/revisions/1").is_err());
    }
}
