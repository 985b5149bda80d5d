//! Kept simulations; the question and the regions are JSON.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "simulation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub title: String,
    pub kind: String,
    pub formula_id: String,
    pub formula_revision: i64,
    pub formula_digest: String,
    pub data_set: String,
    pub data_revision: i64,
    pub data_digest: String,
    pub pool_fen: i64,
    pub year: i32,
    pub advance_percent: String,
    pub regions: String,
    pub question: String,
    pub input_digest: String,
    pub evaluations: i64,
    pub result_digest: String,
    pub summary_zh: String,
    pub summary_en: String,
    pub created_by: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
