//! Regions and indicators; and answers to requests.

use super::samples::{EXACT, by, indicator, region};
use super::{Fresh, on_both};
use crate::app::records::StoredRequest;
use crate::domain::digest::Digest;
use crate::domain::region::{Region, RegionKind};
use crate::domain::statistics::Indicator;
use crate::domain::unit::UNITS;
use rust_decimal::Decimal;

on_both!(
    keeps_regions_in_code_order,
    accepts_parents_after_children_in_any_number,
    refuses_a_parent_that_is_not_there,
    keeps_indicators_exactly,
    keeps_answers_until_they_are_old,
);

async fn keeps_regions_in_code_order(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_write().await.unwrap();
    let mut regions: Vec<Region> = RegionKind::ALL
        .iter()
        .zip(["4110-DC", "411002", "A-1", "410000", "A1", "411000", "Z"])
        .map(|((kind, ..), code)| Region {
            kind: *kind,
            note: format!("{kind:?}"),
            ..region(code, (code > "411000").then_some("411000"))
        })
        .collect();
    tx.upsert_regions(&regions).await.unwrap();
    regions.sort_by(|a, b| a.code.cmp(&b.code));
    assert_eq!(tx.regions().await.unwrap(), regions);

    let moved = Region {
        name_zh: "新名".to_owned(),
        parent: None,
        ..regions[1].clone()
    };
    tx.upsert_regions(std::slice::from_ref(&moved)).await.unwrap();
    tx.upsert_regions(&[]).await.unwrap();
    regions[1] = moved;
    tx.commit().await.unwrap();
    assert_eq!(
        store.begin_read().await.unwrap().regions().await.unwrap(),
        regions
    );
}

async fn accepts_parents_after_children_in_any_number(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_write().await.unwrap();
    // A chain of 2500, deepest first: parents come in later chunks of the input.
    let regions: Vec<Region> = (0..2500_u32)
        .rev()
        .map(|n| {
            let parent = n.checked_sub(1).map(|above| format!("R{above:04}"));
            region(&format!("R{n:04}"), parent.as_deref())
        })
        .collect();
    tx.upsert_regions(&regions).await.unwrap();
    tx.upsert_regions(&regions).await.unwrap();
    tx.commit().await.unwrap();
    let read = store.begin_read().await.unwrap().regions().await.unwrap();
    assert!(read.iter().eq(regions.iter().rev()));
}

async fn refuses_a_parent_that_is_not_there(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_write().await.unwrap();
    let refused = tx.upsert_regions(&[region("411001", Some("410000"))]).await;
    assert!(
        matches!(refused, Err(crate::domain::error::Error::Internal { .. })),
        "{refused:?}"
    );
}

async fn keeps_indicators_exactly(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_write().await.unwrap();
    let exact = |at: usize| EXACT.get(at).and_then(|text| Decimal::from_str_exact(text).ok());
    let indicators: Vec<Indicator> = UNITS
        .iter()
        .enumerate()
        .map(|(at, unit)| Indicator {
            unit: *unit,
            minimum: exact(at),
            maximum: exact(at + 1),
            decimals: u32::try_from(at).unwrap(),
            ..indicator(&format!("i{at:02}"))
        })
        .collect();
    tx.upsert_indicators(&indicators).await.unwrap();
    assert_eq!(tx.indicators().await.unwrap(), indicators);

    let renamed = Indicator {
        name_en: "Renamed".to_owned(),
        minimum: None,
        ..indicators[0].clone()
    };
    tx.upsert_indicators(std::slice::from_ref(&renamed))
        .await
        .unwrap();
    assert_eq!(tx.indicators().await.unwrap()[0], renamed);
}

async fn keeps_answers_until_they_are_old(database: Fresh) {
    let store = database.store().await;
    let request = |principal: &str, id: &str, at| StoredRequest {
        request_id: id.to_owned(),
        principal: principal.to_owned(),
        method: "/incentivefund.v1.AllocationService/Issue".to_owned(),
        body: Digest::of(id.as_bytes()),
        response: "{\"名\":\"许昌\"}".to_owned(),
        at,
    };
    let zhang = by("张三", 0).by;
    let requests = [
        request(zhang.as_str(), "r-1", 10),
        request("li", "r-1", 11),
        request("li", "r-2", 12),
    ];
    let tx = store.begin_write().await.unwrap();
    for request in &requests {
        tx.insert_request(request).await.unwrap();
    }
    for request in &requests {
        let found = tx.request(&request.principal, &request.request_id).await.unwrap();
        assert_eq!(found.as_ref(), Some(request));
    }
    assert_eq!(tx.request("li", "r-3").await.unwrap(), None);
    assert_eq!(tx.delete_requests_before(11).await.unwrap(), 1);
    assert_eq!(tx.request(zhang.as_str(), "r-1").await.unwrap(), None);
    assert!(tx.request("li", "r-1").await.unwrap().is_some());
    tx.commit().await.unwrap();

    let tx = store.begin_write().await.unwrap();
    let again = tx.insert_request(&requests[1]).await;
    assert!(
        matches!(again, Err(crate::domain::error::Error::Conflict { .. })),
        "{again:?}"
    );
}
