//! One region's part of a run; `components` is JSON.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "allocation_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub allocation: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub region: String,
    pub name_zh: String,
    pub name_en: String,
    pub components: String,
    pub bounds_adjustment_fen: i64,
    pub placement: String,
    pub residual_units: i64,
    pub amount_fen: i64,
    pub advanced_fen: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
