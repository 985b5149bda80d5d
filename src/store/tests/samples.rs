//! Things to store.

use crate::app::records::{DataSet, DataSetRevision, FormulaRevision};
use crate::domain::allocation::{
    DataRef, FormulaRef, FundId, Line, NamedAmount, Outcome, Run, RunId, RunInputs, Signature, Stage, State,
};
use crate::domain::apportion::Method;
use crate::domain::digest::Digest;
use crate::domain::error::Bilingual;
use crate::domain::formula::Document;
use crate::domain::identity::Principal;
use crate::domain::money::{Money, RoundingUnit};
use crate::domain::region::{Region, RegionCode, RegionKind};
use crate::domain::statistics::{DataSetId, Indicator, IndicatorCode, Observation, Snapshot};
use crate::domain::unit::Unit;
use crate::store::{Store, Tx};
use rust_decimal::Decimal;

/// Exact numbers that neither a float nor a rounded decimal holds.
pub(super) const EXACT: [&str; 9] = [
    "9999999999999999999999999999",
    "0.1234567890123456789012345678",
    "0.0000000000000000000000000001",
    "-1234567890123.456789012345678",
    "9007199254740993",
    "0.1",
    "1",
    "-7",
    "0",
];

pub(super) fn by(who: &str, at: i64) -> Signature {
    Signature {
        by: Principal::parse(who).unwrap(),
        at,
    }
}

pub(super) fn region_code(text: &str) -> RegionCode {
    RegionCode::parse("region", text).unwrap()
}

pub(super) fn indicator_code(text: &str) -> IndicatorCode {
    IndicatorCode::parse("indicator", text).unwrap()
}

pub(super) fn data_set_id(text: &str) -> DataSetId {
    DataSetId::parse("data_set", text).unwrap()
}

pub(super) fn fund(text: &str) -> FundId {
    FundId::parse("fund", text).unwrap()
}

pub(super) fn region(code: &str, parent: Option<&str>) -> Region {
    Region {
        code: region_code(code),
        name_zh: format!("地区{code}"),
        name_en: format!("Region {code}"),
        kind: RegionKind::County,
        parent: parent.map(region_code),
        note: String::new(),
    }
}

pub(super) fn indicator(code: &str) -> Indicator {
    Indicator {
        code: indicator_code(code),
        name_zh: format!("指标{code}"),
        name_en: String::new(),
        unit: Unit::parse("unit", "万人").unwrap(),
        decimals: 28,
        minimum: None,
        maximum: None,
        description: "counted at the end of the year".to_owned(),
    }
}

pub(super) fn observation(
    region: &str,
    indicator: &str,
    year: i32,
    revision: u32,
    value: &str,
) -> Observation {
    Observation {
        region: region_code(region),
        indicator: indicator_code(indicator),
        year,
        value: Decimal::from_str_exact(value).unwrap(),
        source: format!("年报 {year}, 第 {revision} 稿"),
        revision,
    }
}

pub(super) fn data_set(id: &str) -> DataSet {
    DataSet {
        id: data_set_id(id),
        title: "许昌 2024".to_owned(),
        created: by("张三", 1_700_000_000_000_000),
        revision: 0,
        digest: Snapshot::default().digest(),
    }
}

pub(super) fn data_revision(id: &str, revision: u32, at: i64) -> DataSetRevision {
    DataSetRevision {
        data_set: data_set_id(id),
        revision,
        digest: Digest::of(format!("{id} {revision}").as_bytes()),
        created: by("李四", at),
        added: 3,
        revised: 2,
        unchanged: 1,
    }
}

pub(super) fn formula(id: &str, revision: u32) -> FormulaRevision {
    let document = Document {
        id: id.to_owned(),
        title_zh: format!("第 {revision} 版"),
        ..Document::default()
    };
    FormulaRevision {
        revision,
        digest: document.digest(),
        document,
        created: by("张三", i64::from(revision)),
    }
}

/// Regions `410000`, `411001` to `411009` and `4110-DC`, indicators `settled`, `resident` and `score`.
pub(super) async fn catalog(tx: &Tx) {
    let mut regions: Vec<Region> = (1..=9)
        .map(|n| region(&format!("41100{n}"), Some("410000")))
        .collect();
    regions.push(region("4110-DC", Some("410000")));
    regions.push(region("410000", None));
    tx.upsert_regions(&regions).await.unwrap();
    let indicators = ["settled", "resident", "score"].map(indicator);
    tx.upsert_indicators(&indicators).await.unwrap();
}

/// A store with the catalogue, data set `data` at revision 1 and formula `formula` at revision 1.
pub(super) async fn furnish(store: &Store) {
    let tx = store.begin_write().await.unwrap();
    catalog(&tx).await;
    tx.insert_data_set(&data_set("data")).await.unwrap();
    tx.insert_data_set_revision(&data_revision("data", 1, 1))
        .await
        .unwrap();
    tx.insert_formula(&formula("formula", 1)).await.unwrap();
    tx.commit().await.unwrap();
}

fn yuan(text: &str) -> Money {
    Money::parse("amount", text).unwrap()
}

/// The `n`th run of fund `fund-2025`, a draft on what [`furnish`] stores.
pub(super) fn run(n: u32, stage: Stage) -> Run {
    let line = |region: &str, amount: &str| Line {
        region: region_code(region),
        name_zh: "魏都区".to_owned(),
        name_en: "Weidu".to_owned(),
        components: vec![yuan(amount), yuan("0.00")],
        bounds_adjustment: yuan("-0.01"),
        placement: "cap".to_owned(),
        residual_units: -1,
        amount: yuan(amount),
        advanced: yuan("12.34"),
    };
    let inputs = RunInputs {
        fund: fund("fund-2025"),
        stage,
        pool: Money::MAX,
        year: 2024,
        formula: FormulaRef {
            id: "formula".to_owned(),
            revision: 1,
            digest: formula("formula", 1).digest,
        },
        data: DataRef {
            id: data_set_id("data"),
            revision: 1,
            digest: data_revision("data", 1, 1).digest,
        },
        regions: vec![region_code("4110-DC"), region_code("411001")],
    };
    let named = |id: &str| NamedAmount {
        id: id.to_owned(),
        name: Bilingual::new("Settled", "落户"),
        amount: yuan("0.05"),
    };
    Run {
        id: RunId::parse("run", &format!("{n:08x}-0000-7000-8000-000000000000")).unwrap(),
        title: "试算".to_owned(),
        input_digest: inputs.digest(),
        inputs,
        state: State::Draft,
        version: 0,
        created: by("张三", 1000 + i64::from(n / 2)),
        approved: None,
        issued: None,
        superseded: None,
        replacement: None,
        outcome: Outcome {
            allocated_now: Money::MAX,
            set_asides: vec![named("reserve")],
            tail: yuan("0.03"),
            distributable: Money::MAX,
            kept: Money::ZERO,
            components: vec![named("settled"), named("resident")],
            unit: RoundingUnit::TenThousandYuan,
            method: Method::Webster,
            illustrative: "权重为示例".to_owned(),
            advanced_total: yuan("37.02"),
            lines: vec![
                line("4110-DC", "1000000000000000.00"),
                line("411001", "-1000000000000000.00"),
                line("411009", "0.00"),
            ],
        },
    }
}
