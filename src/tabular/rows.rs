//! What the rows of a sheet mean: observations still as text, regions and indicators as domain values.

use super::Sheet;
use super::layout::{Found, INDICATORS, OBSERVATIONS, REGIONS};
use crate::domain::error::Faults;
use crate::domain::error::Violation;
use crate::domain::region::{Region, RegionCode, RegionKind};
use crate::domain::statistics::{Indicator, IndicatorCode, ObservationRow, half_width, parse_decimal};
use crate::domain::unit::Unit;
use rust_decimal::Decimal;
use std::collections::HashMap;

/// Longest name, in characters.
const MAX_NAME: usize = 200;
/// Longest note on a region, in characters.
const MAX_NOTE: usize = 500;
/// Longest description of an indicator, in characters.
const MAX_DESCRIPTION: usize = 2000;
/// Most decimals of an indicator: as many as a decimal can have.
const MAX_DECIMALS: u32 = 28;

/// The observations of a sheet, as text: `Catalog::check` reads them against regions and indicators.
pub fn observation_rows(sheet: &Sheet) -> Result<Vec<ObservationRow>, Vec<Violation>> {
    let found = OBSERVATIONS.find(sheet)?;
    let rows = sheet.rows.iter().map(|(line, row)| ObservationRow {
        line: *line,
        region: found.cell(row, "region").to_owned(),
        indicator: found.cell(row, "indicator").to_owned(),
        year: found.cell(row, "year").to_owned(),
        value: found.cell(row, "value").to_owned(),
        unit: found.cell(row, "unit").to_owned(),
        source: found.cell(row, "source").to_owned(),
    });
    Ok(rows.collect())
}

/// The regions of a sheet. Whether parents exist is not checked here: they may be stored already.
pub fn regions(sheet: &Sheet) -> Result<Vec<Region>, Vec<Violation>> {
    let found = REGIONS.find(sheet)?;
    let mut faults = Faults::default();
    let mut codes = Codes::default();
    let mut regions = Vec::with_capacity(sheet.rows.len());
    for (line, row) in &sheet.rows {
        let cell = Cells {
            line: *line,
            row,
            found: &found,
        };
        let code = faults.keep(RegionCode::parse(
            &cell.field("code"),
            &half_width(cell.get("code")),
        ));
        if let Some(code) = &code {
            faults.keep(codes.admit(*line, code.as_str()));
        }
        let name_zh = faults.keep(cell.prose("name_zh", 0, MAX_NAME));
        let name_en = faults.keep(cell.prose("name_en", 0, MAX_NAME));
        if cell.get("name_zh").is_empty() && cell.get("name_en").is_empty() {
            faults.add(|| {
                Violation::new(
                    cell.field("name_zh"),
                    "",
                    "a Chinese name, or else an English one",
                    "须有中文名称,或至少有英文名称",
                )
            });
        }
        let kind = faults.keep(RegionKind::parse(&cell.field("kind"), cell.get("kind")));
        let parent = match half_width(cell.get("parent")) {
            text if text.is_empty() => Some(None),
            text => faults
                .keep(RegionCode::parse(&cell.field("parent"), &text))
                .map(Some),
        };
        let note = faults.keep(cell.prose("note", 0, MAX_NOTE));
        if let (Some(code), Some(name_zh), Some(name_en), Some(kind), Some(parent), Some(note)) =
            (code, name_zh, name_en, kind, parent, note)
        {
            regions.push(Region {
                code,
                name_zh,
                name_en,
                kind,
                parent,
                note,
            });
        }
    }
    faults.finish()?;
    Ok(regions)
}

/// The indicators of a sheet.
pub fn indicators(sheet: &Sheet) -> Result<Vec<Indicator>, Vec<Violation>> {
    let found = INDICATORS.find(sheet)?;
    let mut faults = Faults::default();
    let mut codes = Codes::default();
    let mut indicators = Vec::with_capacity(sheet.rows.len());
    for (line, row) in &sheet.rows {
        let cell = Cells {
            line: *line,
            row,
            found: &found,
        };
        let code = faults.keep(IndicatorCode::parse(
            &cell.field("code"),
            &half_width(cell.get("code")),
        ));
        if let Some(code) = &code {
            faults.keep(codes.admit(*line, code.as_str()));
        }
        let name_zh = faults.keep(cell.prose("name_zh", 1, MAX_NAME));
        let name_en = faults.keep(cell.prose("name_en", 1, MAX_NAME));
        let unit = faults.keep(Unit::parse(&cell.field("unit"), &half_width(cell.get("unit"))));
        let decimals = faults.keep(cell.decimals());
        let minimum = faults.keep(cell.bound("minimum"));
        let maximum = faults.keep(cell.bound("maximum"));
        if let (Some(Some(low)), Some(Some(high))) = (minimum, maximum)
            && low > high
        {
            faults.add(|| {
                Violation::new(
                    cell.field("maximum"),
                    high.to_string(),
                    format!("at least the minimum, {low}"),
                    format!("不小于最小值 {low}"),
                )
            });
        }
        let description = faults.keep(cell.prose("description", 0, MAX_DESCRIPTION));
        if let (
            Some(code),
            Some(name_zh),
            Some(name_en),
            Some(unit),
            Some(decimals),
            Some(minimum),
            Some(maximum),
            Some(description),
        ) = (
            code,
            name_zh,
            name_en,
            unit,
            decimals,
            minimum,
            maximum,
            description,
        ) {
            indicators.push(Indicator {
                code,
                name_zh,
                name_en,
                unit,
                decimals,
                minimum,
                maximum,
                description,
            });
        }
    }
    faults.finish()?;
    Ok(indicators)
}

/// The cells of one row, by column name.
struct Cells<'r> {
    line: u32,
    row: &'r [String],
    found: &'r Found<'r>,
}

impl<'r> Cells<'r> {
    fn field(&self, name: &str) -> String {
        format!("line {}, column {name}", self.line)
    }

    fn get(&self, name: &str) -> &'r str {
        self.found.cell(self.row, name).trim()
    }

    /// A text of a length within the bounds, on one line.
    fn prose(&self, name: &str, least: usize, most: usize) -> Result<String, Violation> {
        let text = self.get(name);
        let length = text.chars().count();
        if length < least || length > most || text.chars().any(char::is_control) {
            return Err(Violation::new(
                self.field(name),
                text,
                format!("{least} to {most} characters on one line"),
                format!("{least} 至 {most} 个字符,不得换行"),
            ));
        }
        Ok(text.to_owned())
    }

    fn decimals(&self) -> Result<u32, Violation> {
        let text = half_width(self.get("decimals"));
        text.parse()
            .ok()
            .filter(|decimals| *decimals <= MAX_DECIMALS && text.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| {
                Violation::new(
                    self.field("decimals"),
                    text,
                    format!("a whole number from 0 to {MAX_DECIMALS}"),
                    format!("0 至 {MAX_DECIMALS} 的整数"),
                )
            })
    }

    /// A decimal, or nothing for no bound.
    fn bound(&self, name: &str) -> Result<Option<Decimal>, Violation> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        parse_decimal(&self.field(name), text).map(Some)
    }
}

/// The codes so far, with their lines.
#[derive(Default)]
struct Codes(HashMap<String, u32>);

impl Codes {
    fn admit(&mut self, line: u32, code: &str) -> Result<(), Violation> {
        match self.0.get(code) {
            Some(first) => Err(Violation::new(
                format!("line {line}, column code"),
                format!("{code} again"),
                format!("each code once; the first is on line {first}"),
                format!("代码不得重复,第一次出现在第 {first} 行"),
            )),
            None => {
                self.0.insert(code.to_owned(), line);
                Ok(())
            }
        }
    }
}
