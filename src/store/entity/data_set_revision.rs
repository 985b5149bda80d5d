//! Imports into data sets.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "data_set_revision")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub data_set: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    pub digest: String,
    pub created_by: String,
    pub created_at: i64,
    pub added: i64,
    pub revised: i64,
    pub unchanged: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
