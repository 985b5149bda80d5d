//! Allocation runs; `regions` and `outcome` (without its lines) are JSON.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "allocation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub title: String,
    pub fund: String,
    pub stage: String,
    pub advance_percent: Option<String>,
    pub settles: Option<String>,
    pub pool_fen: i64,
    pub year: i32,
    pub formula_id: String,
    pub formula_revision: Option<i64>,
    pub formula_digest: String,
    pub data_set: String,
    pub data_revision: Option<i64>,
    pub data_digest: String,
    pub regions: String,
    pub input_digest: String,
    pub state: String,
    pub version: i64,
    pub created_by: String,
    pub created_at: i64,
    pub approved_by: Option<String>,
    pub approved_at: Option<i64>,
    pub issued_by: Option<String>,
    pub issued_at: Option<i64>,
    pub superseded_by: Option<String>,
    pub superseded_at: Option<i64>,
    pub replacement: Option<String>,
    pub outcome: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
