//! Resource names: `collection/id`, and `collection/id/revisions/n`.

use crate::app::formulas::FormulaId;
use crate::app::policies::PolicyName;
use crate::app::simulation::SimulationId;
use crate::app::statistics::AsOf;
use crate::domain::allocation::{FundId, RunId};
use crate::domain::claim::ClaimId;
use crate::domain::error::Violation;
use crate::domain::region::RegionCode;
use crate::domain::statistics::{DataSetId, IndicatorCode};
use crate::domain::subsidy::{PolicyId, ProgrammeCode};

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

/// The name of a programme.
pub fn of_programme(code: &ProgrammeCode) -> String {
    format!("programmes/{code}")
}

/// A name was expected in another form.
fn not_of(form: &'static str, field: &str, name: &str) -> Violation {
    Violation::new(
        field,
        name,
        format!("a resource name {form}"),
        format!("资源名 {form}"),
    )
}

/// `funds/{fund}/{collection}/{number}`, and what follows it. The form stands for the whole in errors.
fn numbered<'n>(
    field: &str,
    name: &'n str,
    collection: &str,
    form: &'static str,
) -> Result<(FundId, u64, &'n str), Violation> {
    let refused = || not_of(form, field, name);
    let rest = name.strip_prefix("funds/").ok_or_else(refused)?;
    let (fund, rest) = rest.split_once('/').ok_or_else(refused)?;
    let rest = rest
        .strip_prefix(collection)
        .and_then(|rest| rest.strip_prefix('/'))
        .ok_or_else(refused)?;
    let (number, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // One name for one thing: no sign, no leading zero.
    let plain = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    let number = number.parse().ok().filter(|_| plain).ok_or_else(refused)?;
    Ok((FundId::parse(field, fund)?, number, rest))
}

/// As [`numbered`], with nothing behind the number.
fn numbered_only(
    field: &str,
    name: &str,
    collection: &str,
    form: &'static str,
) -> Result<(FundId, u64), Violation> {
    match numbered(field, name, collection, form)? {
        (fund, number, "") => Ok((fund, number)),
        _ => Err(not_of(form, field, name)),
    }
}

/// `funds/{fund}/entries/{number}`.
pub fn entry(field: &str, name: &str) -> Result<(FundId, u64), Violation> {
    numbered_only(field, name, "entries", "funds/FUND/entries/NUMBER")
}

/// `funds/{fund}/claims/{number}`.
pub fn claim(field: &str, name: &str) -> Result<ClaimId, Violation> {
    let (fund, number) = numbered_only(field, name, "claims", "funds/FUND/claims/NUMBER")?;
    Ok(ClaimId { fund, number })
}

/// `funds/{fund}/claims/{number}/objections/{number}`.
pub fn objection(field: &str, name: &str) -> Result<(ClaimId, u32), Violation> {
    let form = "funds/FUND/claims/NUMBER/objections/NUMBER";
    let (fund, number, rest) = numbered(field, name, "claims", form)?;
    let objection = rest
        .strip_prefix("/objections/")
        .filter(|number| !number.starts_with(['0', '+']))
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| not_of(form, field, name))?;
    Ok((ClaimId { fund, number }, objection))
}

/// `funds/{fund}/batches/{number}`.
pub fn batch(field: &str, name: &str) -> Result<(FundId, u64), Violation> {
    numbered_only(field, name, "batches", "funds/FUND/batches/NUMBER")
}

/// `allocations/{id}`.
pub fn allocation(field: &str, name: &str) -> Result<RunId, Violation> {
    RunId::parse(field, parts(field, name, "allocations", false)?.0)
}

/// `simulations/{id}`.
pub fn simulation(field: &str, name: &str) -> Result<SimulationId, Violation> {
    SimulationId::parse(field, parts(field, name, "simulations", false)?.0)
}

/// `policies/{id}`, the newest revision, or `policies/{id}/revisions/{n}`.
pub fn policy(field: &str, name: &str) -> Result<PolicyName, Violation> {
    let (id, revision) = parts(field, name, "policies", true)?;
    Ok(PolicyName {
        id: PolicyId::parse(field, id)?,
        revision,
    })
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

/// `deedTaxLaw`, the newest revision, or `deedTaxLaw/revisions/{n}`.
pub fn deed_tax_law(field: &str, name: &str) -> Result<Option<u32>, Violation> {
    if name == "deedTaxLaw" {
        return Ok(None);
    }
    let number = name
        .strip_prefix("deedTaxLaw/revisions/")
        .and_then(|number| number.parse().ok())
        .filter(|number| *number > 0);
    number.map(Some).ok_or_else(|| {
        let form = "deedTaxLaw or deedTaxLaw/revisions/N";
        Violation::new(
            field,
            name,
            format!("a resource name {form}"),
            format!("资源名 {form}"),
        )
    })
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
