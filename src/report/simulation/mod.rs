//! A simulation as people read it: one HTML file that needs nothing else. It opens offline, has no script,
//! holds Chinese and English, and prints on A4.
//!
//! - [`SimulationReport`] is plain data that others have computed; [`render`] only lays it out.
//! - Charts are SVG laid out here. Where text goes is decided by `measure`, which knows how wide characters
//!   get in the widest of the usual fonts, so that labels neither overlap nor leave the picture on any system.
//! - Coordinates are whole tenths of a pixel, computed in integers. Money stays exact; only places are rounded.
//! - The same model gives the same bytes at any time and place.

mod chart;
mod figures;
mod measure;
mod model;
mod page;

pub use model::*;

use crate::domain::error::Error;

/// Most regions in one report.
pub const MAX_REGIONS: usize = 3_000;
/// Most scenarios in one report.
pub const MAX_SCENARIOS: usize = 100;
/// Most cells in all matrices of one report.
pub const MAX_CELLS: usize = 20_000;
/// Most lines of all scenarios together: a page that holds more takes browsers minutes to open.
pub const MAX_LINES: usize = 20_000;

/// Renders a report that opens in the given language.
///
/// What is too large to be read is refused as [`Error::TooLarge`]. A model that is not well formed (lists of
/// another length than there are regions, say) is a defect of the caller and an [`Error::Internal`].
pub fn render(report: &SimulationReport, opens_in: Language) -> Result<String, Error> {
    check(report)?;
    Ok(page::page(report, opens_in))
}

fn check(report: &SimulationReport) -> Result<(), Error> {
    let regions = report.regions.len();
    at_most("regions of a report", regions, MAX_REGIONS)?;
    at_most("scenarios of a report", report.scenarios.len(), MAX_SCENARIOS)?;
    let lines = report.scenarios.len().saturating_mul(regions);
    at_most("lines of a report", lines, MAX_LINES)?;
    let cells = report.sweeps.iter().flat_map(|sweep| &sweep.cells).map(Vec::len);
    at_most(
        "cells of a report",
        cells.fold(0, usize::saturating_add),
        MAX_CELLS,
    )?;
    for scenario in &report.scenarios {
        same("scenario outcomes", scenario.outcomes.len(), regions)?;
    }
    for sweep in &report.sweeps {
        same("sweep rows", sweep.cells.len(), sweep.down.values.len())?;
        for row in &sweep.cells {
            same("sweep cells of a row", row.len(), sweep.across.values.len())?;
        }
    }
    if let Some(section) = &report.monte_carlo {
        same("spreads", section.regions.len(), regions)?;
        for spread in &section.regions {
            let quantiles = [spread.p5, spread.p25, spread.p50, spread.p75, spread.p95];
            if !quantiles.is_sorted() {
                return Err(Error::internal("report: quantiles decrease"));
            }
        }
    }
    if let Some(section) = &report.fairness {
        for metric in &section.metrics {
            same("fairness values", metric.values.len(), section.columns.len())?;
        }
    }
    Ok(())
}

fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), Error> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::TooLarge {
        what,
        found: found as u64,
        limit: limit as u64,
    })
}

fn same(what: &str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::internal(format!(
        "report: {found} {what} where there are {expected}"
    )))
}
