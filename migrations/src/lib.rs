//! Database schema of incentive-fund: one schema, for SQLite and PostgreSQL.
//!
//! A step is a file; `README.md` beside this crate says how to add one. Steps only go forward.

mod append_only;
mod by_key;
mod columns;
mod m0001_regions_and_indicators;
mod m0002_data_sets;
mod m0003_formulas;
mod m0004_allocations;
mod m0005_requests;
mod m0006_ledger;
mod m0007_policies;
mod m0008_claims;
mod m0009_payments;
mod m0010_simulations;
mod m0011_reconciliation;
mod m0012_audit;
mod m0014_erasure;
mod m0015_access;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DatabaseConnection, EntityTrait};
use sea_orm_migration::seaql_migrations;

/// All steps in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_regions_and_indicators::Migration),
            Box::new(m0002_data_sets::Migration),
            Box::new(m0003_formulas::Migration),
            Box::new(m0004_allocations::Migration),
            Box::new(m0005_requests::Migration),
            Box::new(m0006_ledger::Migration),
            Box::new(m0007_policies::Migration),
            Box::new(m0008_claims::Migration),
            Box::new(m0009_payments::Migration),
            Box::new(m0010_simulations::Migration),
            Box::new(m0011_reconciliation::Migration),
            Box::new(m0012_audit::Migration),
            Box::new(m0014_erasure::Migration),
            Box::new(m0015_access::Migration),
        ]
    }
}

/// The names of the steps that the database lacks, in order; changes nothing.
///
/// Steps that the database has and this program does not know are no fault: a newer release has
/// been here, and its steps are backward compatible.
pub async fn pending(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let applied: Vec<String> = if SchemaManager::new(db).has_table("seaql_migrations").await? {
        let rows = seaql_migrations::Entity::find().all(db).await?;
        rows.into_iter().map(|row| row.version).collect()
    } else {
        Vec::new()
    };
    Ok(Migrator::migrations()
        .iter()
        .map(|step| step.name().to_owned())
        .filter(|name| !applied.contains(name))
        .collect())
}

/// Applies the pending steps, each in a transaction of its own.
pub async fn apply(db: &DatabaseConnection) -> Result<(), DbErr> {
    Migrator::up(db, None).await
}
