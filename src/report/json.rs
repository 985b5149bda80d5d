//! JSON for programs: keys in the order of the columns, amounts as text so that no reader rounds them.

use super::totals::totals;
use super::{Cell, Column, Table};
use crate::domain::error::Error;
use serde::{Serialize, Serializer};

#[derive(Serialize)]
struct Document<'t> {
    title: &'t str,
    unit: &'t str,
    notes: &'t [String],
    columns: Vec<Heading<'t>>,
    rows: Vec<Object<'t>>,
    /// Always there, so that a program need not ask; `null` where nothing is summed up.
    totals: Option<Object<'t>>,
}

#[derive(Serialize)]
struct Heading<'t> {
    key: &'t str,
    header: &'t str,
}

/// Cells by the key of their column.
struct Object<'t>(Vec<(&'t Column, &'t Cell)>);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(column, cell)| (&column.key, cell)))
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) | Self::Decimal(text) => serializer.serialize_str(text),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Money(amount) => serializer.collect_str(amount),
            Self::Empty => serializer.serialize_unit(),
        }
    }
}

pub(super) fn render(table: &Table) -> Result<Vec<u8>, Error> {
    let totals = totals(table);
    written(&document(table, totals.as_deref()))
}

#[derive(Serialize)]
struct Documents<'t> {
    tables: Vec<Document<'t>>,
}

/// Several tables in one document.
pub(super) fn render_all(tables: &[Table]) -> Result<Vec<u8>, Error> {
    let totals: Vec<_> = tables.iter().map(totals).collect();
    let tables = tables.iter().zip(&totals);
    written(&Documents {
        tables: tables
            .map(|(table, totals)| document(table, totals.as_deref()))
            .collect(),
    })
}

fn written(document: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut bytes = serde_json::to_vec_pretty(document).map_err(Error::internal)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn document<'t>(table: &'t Table, totals: Option<&'t [Cell]>) -> Document<'t> {
    Document {
        title: &table.title,
        unit: &table.unit,
        notes: &table.notes,
        columns: table
            .columns
            .iter()
            .map(|column| Heading {
                key: &column.key,
                header: &column.header,
            })
            .collect(),
        rows: table
            .rows
            .iter()
            .map(|row| Object(table.columns.iter().zip(row).collect()))
            .collect(),
        totals: totals.map(|totals| {
            Object(
                table
                    .columns
                    .iter()
                    .zip(totals)
                    .filter(|(column, _)| column.total)
                    .collect(),
            )
        }),
    }
}
