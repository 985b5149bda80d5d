//! The page around the charts.

use super::markup::Markup;
use super::{Language, SimulationReport};

pub(super) fn page(report: &SimulationReport, opens_in: Language) -> String {
    let mut page = Markup::default();
    page.raw("<!DOCTYPE html>\n");
    page.element("title", &[], opens_in.of(&report.title));
    page.finish()
}
