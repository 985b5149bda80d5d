//! What a transaction writes, gathered first and carried out in as few steps as the database allows.
//!
//! On SQLite each statement is a turn of two threads that wait for each other, so statements over few rows go there
//! together, as one text. PostgreSQL takes one statement at a time.

use super::Tx;
use super::block::Block;
use super::error::failed;
use crate::app::records::{Change, ClaimMaterial, FundHead, Objection, OnceKey};
use crate::app::vault::Sealed;
use crate::domain::allocation::FundId;
use crate::domain::audit::{ChainName, Chained};
use crate::domain::claim::{Claim, ClaimId};
use crate::domain::error::Error;
use crate::domain::ledger::{Account, Entry};
use crate::domain::money::Money;
use crate::domain::subsidy::ProgrammeCode;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

/// Statements over blocks of rows, carried out in order by [`Tx::write`].
#[derive(Debug, Default)]
pub struct Writes {
    steps: Vec<Step>,
}

/// A statement: what stands before the text of its rows, and after it.
#[derive(Debug)]
struct Step {
    before: String,
    block: Block,
    after: &'static str,
    changes: Changes,
    /// Whether the rows go into a table as they are.
    inserts: bool,
}

/// Writes as the database takes them, to be carried out by [`Tx::carry_out`].
#[derive(Debug)]
pub struct ReadyWrites {
    statements: Vec<ReadyStatement>,
}

/// A statement with its values.
#[derive(Debug)]
struct ReadyStatement {
    text: String,
    values: Vec<Value>,
    rows: usize,
    changes: Changes,
}

/// How many rows a statement changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changes {
    /// As many as it is given; if not, another transaction was there first.
    Each,
    /// Whatever it finds.
    Any,
}

/// Most rows of a statement that goes together with others on SQLite. Each number of rows is a text of its own, all of
/// which are kept prepared: there must not be many.
pub(super) const TOGETHER: usize = 128;

impl Writes {
    /// Adds a statement, if there are rows: `before`, the rows, `after`.
    pub(super) fn add(&mut self, before: String, block: Block, after: &'static str, changes: Changes) {
        self.step(Step {
            before,
            block,
            after,
            changes,
            inserts: false,
        });
    }

    fn step(&mut self, step: Step) {
        if step.block.rows() > 0 {
            self.steps.push(step);
        }
    }

    /// Adds rows to a table.
    pub(super) fn insert(&mut self, table: &str, block: Block) {
        self.upsert(table, block, " AS r");
    }

    /// Adds rows to a table, or changes those that are there. `after` ends with what becomes of these; SQLite reads ON
    /// after a SELECT as a join, and WHERE before it keeps it from doing so.
    pub(super) fn upsert(&mut self, table: &str, block: Block, after: &'static str) {
        let names = block.names();
        let before = format!("INSERT INTO {table} ({names}) SELECT {names} FROM ");
        self.step(Step {
            before,
            block,
            after,
            changes: Changes::Each,
            inserts: true,
        });
    }

    /// Adds what is to be written after this.
    pub fn append(&mut self, mut later: Self) {
        self.steps.append(&mut later.steps);
    }
}

/// Statements that are carried out in one step.
#[derive(Default)]
struct Together {
    text: String,
    values: Vec<Value>,
    /// The rows that they must change.
    wanted: u64,
    few: bool,
}

impl Tx {
    /// Carries out what was gathered, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where another transaction was there first.
    pub async fn write(&self, writes: Writes) -> Result<(), Error> {
        self.carry_out(self.make_ready(writes)).await
    }

    /// Makes of what was gathered what the database takes, which is work for a processor and none for the database.
    pub fn make_ready(&self, writes: Writes) -> ReadyWrites {
        let backend = self.db.get_database_backend();
        let mut statements = Vec::new();
        for Step {
            before,
            block,
            after,
            changes,
            inserts,
        } in writes.steps
        {
            let sources = if inserts {
                block.sources_to_insert(backend)
            } else {
                block.sources(backend)
            };
            for (rows, source, values) in sources {
                statements.push(ReadyStatement {
                    text: format!("{before}{source}{after}"),
                    values,
                    rows,
                    changes,
                });
            }
        }
        ReadyWrites { statements }
    }

    /// As [`Tx::write`], of what was made ready before.
    pub async fn carry_out(&self, writes: ReadyWrites) -> Result<(), Error> {
        let backend = self.writing()?.get_database_backend();
        let mut together = Together::default();
        for ReadyStatement {
            text,
            values,
            rows,
            changes,
        } in writes.statements
        {
            if changes == Changes::Any {
                self.send(std::mem::take(&mut together)).await?;
                self.execute_text(text, values).await?;
                continue;
            }
            let few = rows <= TOGETHER && backend == DbBackend::Sqlite;
            if few && together.few {
                together.text.push_str("; ");
            } else {
                self.send(std::mem::take(&mut together)).await?;
            }
            together.text.push_str(&text);
            together.values.extend(values);
            together.wanted += rows as u64;
            together.few = few;
        }
        self.send(together).await
    }

    async fn send(&self, together: Together) -> Result<(), Error> {
        let Together {
            text, values, wanted, ..
        } = together;
        if text.is_empty() {
            return Ok(());
        }
        let changed = self.execute_text(text, values).await?;
        if changed == wanted {
            return Ok(());
        }
        Err(Error::Conflict {
            detail: format!("{changed} of {wanted} rows were as they had been read"),
        })
    }

    async fn execute_text(&self, text: String, values: Vec<Value>) -> Result<u64, Error> {
        let db = self.writing()?;
        let statement = Statement::from_sql_and_values(db.get_database_backend(), text, values);
        Ok(db.execute_raw(statement).await.map_err(failed)?.rows_affected())
    }

    /// As [`Writes::insert_claims`], at once.
    pub async fn insert_claims(&self, claims: &[(&Claim, &ClaimMaterial)]) -> Result<(), Error> {
        let mut writes = Writes::default();
        writes.insert_claims(claims)?;
        self.write(writes).await
    }

    /// As [`Writes::update_claims`], at once.
    pub async fn update_claims(&self, claims: &[(&Claim, u32)]) -> Result<(), Error> {
        let mut writes = Writes::default();
        writes.update_claims(claims)?;
        self.write(writes).await
    }

    /// As [`Writes::update_sealed`], at once.
    pub async fn update_sealed(&self, sealed: &[(&ClaimId, &Sealed)]) -> Result<(), Error> {
        self.at_once(|writes| writes.update_sealed(sealed)).await
    }

    /// As [`Writes::insert_keys`], at once.
    pub async fn insert_keys(&self, keys: &[(&ClaimId, &ProgrammeCode, &OnceKey)]) -> Result<(), Error> {
        self.at_once(|writes| writes.insert_keys(keys)).await
    }

    /// As [`Writes::delete_keys`], at once.
    pub async fn delete_keys(&self, keys: &[(&ClaimId, &ProgrammeCode, &OnceKey)]) -> Result<(), Error> {
        self.at_once(|writes| writes.delete_keys(keys)).await
    }

    /// As [`Writes::store_objections`], at once.
    pub async fn store_objections(&self, objections: &[&Objection]) -> Result<(), Error> {
        self.at_once(|writes| writes.store_objections(objections)).await
    }

    /// As [`Writes::update_fund_heads`], at once.
    pub async fn update_fund_heads(&self, heads: &[(&FundId, &FundHead)]) -> Result<(), Error> {
        self.at_once(|writes| writes.update_fund_heads(heads)).await
    }

    /// As [`Writes::insert_entries`], at once.
    pub async fn insert_entries(&self, entries: &[(&FundId, &Entry)]) -> Result<(), Error> {
        self.at_once(|writes| writes.insert_entries(entries)).await
    }

    /// As [`Writes::store_balances`], at once.
    pub async fn store_balances(&self, balances: &[(&FundId, &Account, Money, u64)]) -> Result<(), Error> {
        self.at_once(|writes| writes.store_balances(balances)).await
    }

    /// As [`Writes::insert_changes`], at once.
    pub async fn insert_changes(&self, changes: &[(&FundId, &Change)]) -> Result<(), Error> {
        self.at_once(|writes| writes.insert_changes(changes)).await
    }

    /// As [`Writes::insert_audit_records`], at once.
    pub async fn insert_audit_records(&self, records: &[(&ChainName, &[Chained])]) -> Result<(), Error> {
        self.at_once(|writes| writes.insert_audit_records(records)).await
    }

    async fn at_once(&self, gather: impl FnOnce(&mut Writes)) -> Result<(), Error> {
        let mut writes = Writes::default();
        gather(&mut writes);
        self.write(writes).await
    }
}
