//! Sweeps as they are read: points go to files one after another, and what is printed is the summary.

use super::files::{self, FileArguments, Rows};
use super::progress;
use super::tables::{both, provenance};
use crate::cli::output::Failure;
use crate::cli::tables::{UNIT, code, region_name, text};
use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::grpc::pb;
use crate::grpc::pb::run_sweep_response::Content;
use crate::report::rows::{Kind, RowColumn, decimals};
use crate::report::{Cell, Column, Table};
use indicatif::ProgressBar;

/// An amount in fen, and where it is.
type Place = (i64, Vec<String>);

/// What has been read of a sweep.
pub(super) struct Reading {
    scales: Vec<u32>,
    files: FileArguments,
    header: pb::SweepHeader,
    rows: Option<Rows>,
    bar: ProgressBar,
    least: Vec<Option<Place>>,
    largest: Vec<Option<Place>>,
    first_refused: Option<String>,
    summary: Option<pb::SweepSummary>,
}

fn broken(what: &str) -> Failure {
    Error::internal(format!("the server sent {what}")).into()
}

impl Reading {
    /// Nothing yet.
    pub(super) fn new(asked: &pb::Sweep, files: &FileArguments) -> Self {
        let scale = |axis: &pb::SweepAxis| {
            axis.values
                .iter()
                .chain([&axis.from, &axis.to, &axis.step])
                .map(|text| decimals(text))
                .max()
                .unwrap_or(0)
        };
        Self {
            scales: asked.axes.iter().map(scale).collect(),
            files: files.clone(),
            header: pb::SweepHeader::default(),
            rows: None,
            bar: ProgressBar::hidden(),
            least: Vec::new(),
            largest: Vec::new(),
            first_refused: None,
            summary: None,
        }
    }

    /// Takes the next message.
    pub(super) fn take(&mut self, message: pb::RunSweepResponse) -> Result<(), Failure> {
        match message.content {
            Some(Content::Header(header)) => self.begin(header),
            Some(Content::Points(points)) => self.points(points),
            Some(Content::Summary(summary)) => {
                self.summary = Some(summary);
                Ok(())
            }
            None => Err(broken("an empty message")),
        }
    }

    fn begin(&mut self, header: pb::SweepHeader) -> Result<(), Failure> {
        let mut columns = vec![(RowColumn::new("point", Kind::Integer), "点 Point".to_owned())];
        for (at, axis) in header.axes.iter().enumerate() {
            let scale = self.scales.get(at).copied().unwrap_or(0);
            let column = RowColumn::new(format!("axis_{}", at + 1), Kind::Decimal(scale));
            columns.push((column, both(axis.name.as_ref())));
        }
        for region in &header.regions {
            let key: String = code(&region.region)
                .chars()
                .map(|c| {
                    if c.is_ascii_alphanumeric() {
                        c.to_ascii_lowercase()
                    } else {
                        '_'
                    }
                })
                .collect();
            let column = RowColumn::new(format!("amount_{key}"), Kind::Money);
            columns.push((column, region_name(region.name.as_ref())));
        }
        let notes = provenance(header.provenance.as_ref(), "");
        let rows = Rows::begin(&self.files, &columns, header.points, "网格测算 Sweep", notes)?;
        self.rows = Some(rows);
        self.bar = progress(header.points);
        self.least = vec![None; header.regions.len()];
        self.largest = vec![None; header.regions.len()];
        self.header = header;
        Ok(())
    }

    fn points(&mut self, points: pb::SweepPoints) -> Result<(), Failure> {
        let (axes, regions) = (self.header.axes.len(), self.header.regions.len());
        let count = points.count as usize;
        let fits = points.coordinates.len() == count * axes && points.amounts_fen.len() == count * regions;
        let (Some(rows), true, true) = (&mut self.rows, fits, axes > 0 && regions > 0) else {
            return Err(broken("points that do not fit its header"));
        };
        let coordinates = points.coordinates.chunks(axes);
        let mut written = Vec::new();
        for (at, (coordinates, amounts)) in coordinates.zip(points.amounts_fen.chunks(regions)).enumerate() {
            let refused = amounts.first().is_some_and(|amount| *amount < 0);
            for (row, amount) in amounts.iter().enumerate().filter(|_| !refused) {
                let place = || Some((*amount, coordinates.to_vec()));
                if self.least[row].as_ref().is_none_or(|(least, _)| amount < least) {
                    self.least[row] = place();
                }
                if self.largest[row]
                    .as_ref()
                    .is_none_or(|(largest, _)| amount > largest)
                {
                    self.largest[row] = place();
                }
            }
            if rows.wanted() {
                let number = points.first + at as u64;
                let number = i64::try_from(number).map_err(Error::internal)?;
                let mut cells = vec![Cell::Integer(number)];
                cells.extend(coordinates.iter().map(|value| Cell::Decimal(value.clone())));
                cells.extend(amounts.iter().map(|amount| match Money::from_fen(*amount) {
                    Some(amount) if !refused => Cell::Money(amount),
                    _ => Cell::Empty,
                }));
                written.push(cells);
            }
        }
        rows.write(written)?;
        if self.first_refused.is_none() {
            self.first_refused = points
                .refused
                .first()
                .map(|refused| format!("{}: {}", refused.point, both(refused.why.as_ref())));
        }
        self.bar.inc(count as u64);
        Ok(())
    }

    /// Ends the files and prints the summary.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let summary = self.summary.ok_or_else(|| broken("no summary"))?;
        if let Some(rows) = self.rows {
            rows.finish()?;
        }
        let axes: Vec<String> = self
            .header
            .axes
            .iter()
            .map(|axis| format!("{}({})", both(axis.name.as_ref()), axis.values))
            .collect();
        let mut notes = vec![format!(
            "{} 个测算点 points, {} 个不可行 refused; 变量 axes: {}",
            summary.points,
            summary.refused,
            axes.join(" × ")
        )];
        notes.extend(
            self.first_refused
                .map(|why| format!("首个不可行点 first refused: {why}")),
        );
        notes.extend(provenance(
            self.header.provenance.as_ref(),
            &summary.result_digest,
        ));
        let mut rows = Vec::with_capacity(self.header.regions.len());
        for (at, region) in self.header.regions.iter().enumerate() {
            let below = summary
                .regions
                .get(at)
                .map_or(0, |region| region.points_below_base);
            let mut row = vec![
                text(code(&region.region)),
                text(region_name(region.name.as_ref())),
                crate::cli::tables::money(&region.base_amount)?,
            ];
            for found in [&self.least[at], &self.largest[at]] {
                let (amount, place) = match found {
                    Some((fen, place)) => (
                        Money::from_fen(*fen).map_or(Cell::Empty, Cell::Money),
                        place.join(", "),
                    ),
                    None => (Cell::Empty, String::new()),
                };
                row.push(amount);
                row.push(text(place));
            }
            row.push(Cell::Integer(i64::try_from(below).unwrap_or(i64::MAX)));
            rows.push(row);
        }
        files::print(&Table {
            title: "网格测算 Sweep".to_owned(),
            unit: UNIT.to_owned(),
            notes,
            columns: vec![
                Column::new("region", "代码 Code"),
                Column::new("region_name", "地区 Region"),
                Column::summed("base", "基准 Base"),
                Column::new("least", "最少 Least"),
                Column::new("least_at", "取值 at"),
                Column::new("largest", "最多 Largest"),
                Column::new("largest_at", "取值 at"),
                Column::new("below_base", "低于基准点数 Points below base"),
            ],
            rows,
            totals: false,
        })
    }
}
