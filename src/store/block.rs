//! Many rows in one statement, on either database with the same text around them.
//!
//! PostgreSQL takes a column as an array and turns the arrays into rows (`UNNEST`), so that the statement's
//! text, and with it its plan, is the same for any number of rows. SQLite takes rows of parameters; there,
//! rows are filled up with empty ones to a power of two, so that few statements are ever prepared and rows go
//! in one of them.

use super::Tx;
use super::error::failed;
use super::writes::Writes;
use crate::domain::access::Scope;
use crate::domain::error::Error;
use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};

/// A column of a [`Block`]: its name, and whether it holds text or a whole number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Text, never null.
    Text,
    /// A whole number, never null.
    Int,
}

#[derive(Debug)]
struct Column {
    name: &'static str,
    kind: Kind,
    values: Vec<Value>,
}

/// Rows of equal columns.
#[derive(Debug)]
pub(super) struct Block {
    columns: Vec<Column>,
}

/// Most rows in one statement on PostgreSQL.
const POSTGRES_ROWS: usize = 4096;
/// Rows from which on a column that is the same in all of them is sent once. Which columns are makes the statement's text
/// another one, of which not many are kept prepared.
const MANY_ROWS: usize = 64;
/// Most rows in one statement on SQLite: with 40 columns, below its 32,766 parameters.
const SQLITE_ROWS: usize = 512;

/// The parameters of one statement. Compared with one value each, columns are read in the order of their
/// index and no further than needed; joined with rows of values they would be read whole and sorted.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<Value>);

impl Parameters {
    /// Adds a value; gives the text that stands for it. Each must be used.
    pub(super) fn add(&mut self, value: Value) -> String {
        self.0.push(value);
        format!("${}", self.0.len())
    }
}

impl Parameters {
    /// What keeps a query to the rows of a scope, by the column that has their region: nothing, or ` AND …`.
    pub(super) fn within(&mut self, column: &str, scope: &Scope) -> String {
        match scope.regions() {
            None => String::new(),
            Some(regions) if regions.is_empty() => " AND 1 = 0".to_owned(),
            Some(regions) => {
                let places: Vec<String> = regions.iter().map(|code| self.add(text(code.as_str()))).collect();
                format!(" AND {column} IN ({})", places.join(", "))
            }
        }
    }
}

/// Text as a value.
pub(super) fn text(value: impl Into<String>) -> Value {
    Value::String(Some(value.into()))
}

/// A whole number as a value.
pub(super) fn int(value: i64) -> Value {
    Value::BigInt(Some(value))
}

/// A count as a value; none is above what a column holds.
pub(super) fn number(value: u64) -> Value {
    int(i64::try_from(value).unwrap_or(i64::MAX))
}

impl Block {
    /// No rows yet. The columns: `name` for text, `name#` for a whole number.
    pub(super) fn new<const N: usize>(columns: [&'static str; N]) -> Self {
        let column = |column: &'static str| {
            let (name, kind) = match column.strip_suffix('#') {
                Some(name) => (name, Kind::Int),
                None => (column, Kind::Text),
            };
            Column {
                name,
                kind,
                values: Vec::new(),
            }
        };
        Self {
            columns: columns.into_iter().map(column).collect(),
        }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, values: [Value; N]) {
        debug_assert_eq!(N, self.columns.len(), "as many values as columns");
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.values.push(value);
        }
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// The columns' names.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        names.join(", ")
    }

    /// The statements' rows: how many, a text for `FROM`, to be given an alias, and its parameters.
    pub(super) fn sources(self, backend: DbBackend) -> Vec<(usize, String, Vec<Value>)> {
        self.divided(backend, Self::arrays)
    }

    /// As [`Block::sources`], for rows that are inserted as they are: of many on PostgreSQL, a column that is the same in
    /// all of them is one value, as most of what is written of a thousand claims is. Rows that are joined with a table
    /// must not be: the planner would begin with everything in the table that has the one value.
    pub(super) fn sources_to_insert(self, backend: DbBackend) -> Vec<(usize, String, Vec<Value>)> {
        self.divided(backend, Self::values_and_arrays)
    }

    fn divided(
        mut self,
        backend: DbBackend,
        arrays: impl Fn(Self) -> (String, Vec<Value>),
    ) -> Vec<(usize, String, Vec<Value>)> {
        let most = if backend == DbBackend::Postgres {
            POSTGRES_ROWS
        } else {
            SQLITE_ROWS
        };
        let mut sources = Vec::new();
        while let left = self.rows()
            && left > 0
        {
            let rest = self.columns.iter_mut().map(|column| Column {
                values: column.values.split_off(left.min(most)),
                ..*column
            });
            let rest = Self {
                columns: rest.collect(),
            };
            let rows = std::mem::replace(&mut self, rest);
            let (text, values) = if backend == DbBackend::Postgres {
                arrays(rows)
            } else {
                rows.tuples()
            };
            sources.push((left.min(most), text, values));
        }
        sources
    }

    fn arrays(self) -> (String, Vec<Value>) {
        self.sent(|_| false)
    }

    fn values_and_arrays(self) -> (String, Vec<Value>) {
        let many = self.rows() >= MANY_ROWS;
        let same = |rows: &[Value]| {
            rows.first()
                .is_some_and(|first| rows.iter().all(|row| row == first))
        };
        self.sent(|rows| many && same(rows))
    }

    /// Columns as arrays, and as one value where `is_one` says so.
    fn sent(self, is_one: impl Fn(&[Value]) -> bool) -> (String, Vec<Value>) {
        let (mut all, mut arrays, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let mut values = Vec::with_capacity(self.columns.len());
        let last = self.columns.len();
        for (at, column) in (1..).zip(self.columns) {
            let Column {
                name,
                kind,
                values: mut rows,
            } = column;
            let (cast, array) = match kind {
                Kind::Text => ("text", ArrayType::String),
                Kind::Int => ("bigint", ArrayType::BigInt),
            };
            // Some column must say how many rows there are.
            let needed = at == last && arrays.is_empty();
            if !needed && is_one(&rows) {
                all.push(format!("${at}::{cast} AS {name}"));
                values.extend(rows.pop());
            } else {
                all.push(format!("u.{name}"));
                arrays.push(format!("${at}::{cast}[]"));
                names.push(name);
                values.push(Value::Array(array, Some(Box::new(rows))));
            }
        }
        let text = format!(
            "(SELECT {} FROM UNNEST({}) AS u({}))",
            all.join(", "),
            arrays.join(", "),
            names.join(", ")
        );
        (text, values)
    }

    fn tuples(self) -> (String, Vec<Value>) {
        let width = self.columns.len();
        let named: Vec<String> = (self.columns.iter().enumerate())
            .map(|(at, column)| format!("column{} AS {}", at + 1, column.name))
            .collect();
        let tuple = format!("({})", vec!["?"; width].join(", "));
        let rows = self.rows();
        let filled = rows.next_power_of_two();
        // No column is ever null but those of the rows that fill up.
        let only = if filled > 1 {
            " WHERE column1 IS NOT NULL"
        } else {
            ""
        };
        let text = format!(
            "(SELECT {} FROM (VALUES {}){only})",
            named.join(", "),
            vec![tuple.as_str(); filled].join(", ")
        );
        let nothing: Vec<Value> = (self.columns.iter())
            .map(|column| match column.kind {
                Kind::Text => Value::String(None),
                Kind::Int => Value::BigInt(None),
            })
            .collect();
        let mut columns: Vec<_> = (self.columns.into_iter())
            .map(|column| column.values.into_iter())
            .collect();
        let mut values = Vec::with_capacity(filled * width);
        for _ in 0..rows {
            values.extend(columns.iter_mut().filter_map(Iterator::next));
        }
        for _ in rows..filled {
            values.extend(nothing.iter().cloned());
        }
        (text, values)
    }
}

impl Tx {
    /// Inserts the rows of a block into a table.
    pub(super) async fn insert_block(&self, table: &str, block: Block) -> Result<(), Error> {
        let mut writes = Writes::default();
        writes.insert(table, block);
        self.write(writes).await
    }

    /// Executes a statement over the rows of a block, which `statement` builds around their text, and
    /// says how many rows it changed.
    pub(super) async fn execute_with(
        &self,
        block: Block,
        statement: impl Fn(&str) -> String,
    ) -> Result<u64, Error> {
        let db = self.writing()?;
        let mut affected = 0;
        for (_, rows, values) in block.sources(db.get_database_backend()) {
            let statement =
                Statement::from_sql_and_values(db.get_database_backend(), statement(&rows), values);
            affected += db.execute_raw(statement).await.map_err(failed)?.rows_affected();
        }
        Ok(affected)
    }

    /// Queries with the rows of a block.
    pub(super) async fn query_with(
        &self,
        block: Block,
        statement: impl Fn(&str) -> String,
    ) -> Result<Vec<QueryResult>, Error> {
        let mut found = Vec::new();
        for (_, rows, values) in block.sources(self.db.get_database_backend()) {
            let statement =
                Statement::from_sql_and_values(self.db.get_database_backend(), statement(&rows), values);
            found.extend(self.db.query_all_raw(statement).await.map_err(failed)?);
        }
        Ok(found)
    }

    /// Queries with a statement whose parameters are `$1`, `$2` and so on, as [`Parameters::add`] gives them.
    pub(super) async fn query_by(
        &self,
        statement: &str,
        parameters: Parameters,
    ) -> Result<Vec<QueryResult>, Error> {
        let backend = self.db.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, statement, parameters.0);
        self.db.query_all_raw(statement).await.map_err(failed)
    }

    /// Executes a statement that has no parameters, and says how many rows it changed.
    pub(super) async fn execute(&self, statement: &str) -> Result<u64, Error> {
        let done = self
            .writing()?
            .execute_unprepared(statement)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected())
    }

    /// Queries with a statement that has no parameters.
    pub(super) async fn query(&self, statement: &str) -> Result<Vec<QueryResult>, Error> {
        let statement = Statement::from_string(self.db.get_database_backend(), statement);
        self.db.query_all_raw(statement).await.map_err(failed)
    }

    /// Whether the database is better at joining whole sets than at looking rows up one by one.
    pub(super) fn by_sets(&self) -> bool {
        self.db.get_database_backend() == DbBackend::Postgres
    }

    /// `FOR UPDATE` where the database has locks on rows; SQLite's writer has the whole database.
    pub(super) fn for_update(&self) -> &'static str {
        match (&self.mode, self.db.get_database_backend()) {
            (super::Mode::Write { .. }, DbBackend::Postgres) => " FOR UPDATE",
            _ => "",
        }
    }
}

/// A column of a row, with the name of what broke where it cannot be read.
pub(super) fn get<T: sea_orm::TryGetable>(row: &QueryResult, column: &str) -> Result<T, Error> {
    row.try_get("", column).map_err(failed)
}

/// A number that counts.
pub(super) fn get_number(row: &QueryResult, column: &str) -> Result<u64, Error> {
    let value: i64 = get(row, column)?;
    u64::try_from(value).map_err(|_| Error::internal(format!("stored data: {column} is {value}")))
}

/// An amount of money.
pub(super) fn get_money(row: &QueryResult, column: &str) -> Result<crate::domain::money::Money, Error> {
    super::convert::money(column, get(row, column)?)
}
