//! Data sets, revisions and observations.

use super::samples::{
    EXACT, catalog, data_revision, data_set, data_set_id, indicator_code, observation, region_code,
};
use super::{Fresh, on_both};
use crate::app::records::DataSet;
use crate::domain::error::Error;
use crate::domain::statistics::{Observation, Snapshot};
use crate::store::{ObservationFilter, Store};
use std::collections::BTreeMap;

on_both!(
    keeps_28_digits,
    reads_data_sets_with_their_newest_revision,
    refuses_the_same_revision_twice,
    reads_every_revision_as_it_was,
    takes_many_observations_at_once,
);

async fn keeps_28_digits(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_write().await.unwrap();
    catalog(&tx).await;
    tx.insert_data_set(&data_set("data")).await.unwrap();
    tx.insert_data_set_revision(&data_revision("data", 1, 1))
        .await
        .unwrap();
    let exact = EXACT;
    let written: Vec<Observation> = (2000..)
        .zip(exact)
        .map(|(year, text)| observation("411001", "settled", year, 1, text))
        .collect();
    let id = data_set_id("data");
    tx.insert_observations(&id, 1, &written).await.unwrap();
    tx.commit().await.unwrap();

    let tx = store.begin_read().await.unwrap();
    let filter = ObservationFilter::default();
    let read = tx.observations(&id, 1, &filter, None, 100).await.unwrap();
    assert_eq!(read, written);
    let texts = |list: &[Observation]| list.iter().map(|o| o.value.to_string()).collect::<Vec<_>>();
    assert_eq!(texts(&read), texts(&written));
}

async fn reads_data_sets_with_their_newest_revision(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_write().await.unwrap();
    let ids = ["a-1", "a1", "b", "c"];
    let mut expected: Vec<DataSet> = ids.map(data_set).into();
    for data_set in expected.iter().rev() {
        tx.insert_data_set(data_set).await.unwrap();
    }
    // Revision 2 came at the same moment as revision 1, revision 10 sorts before 9 as text.
    let revisions: Vec<_> = (1..=10)
        .map(|revision| data_revision("b", revision, 100 + i64::from(revision / 3)))
        .collect();
    for revision in &revisions {
        tx.insert_data_set_revision(revision).await.unwrap();
    }
    tx.insert_data_set_revision(&data_revision("c", 1, 7))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for (at, revision) in [(2, 10), (3, 1)] {
        expected[at].revision = revision;
        expected[at].digest = data_revision(ids[at], revision, 0).digest;
    }

    let tx = store.begin_read().await.unwrap();
    for data_set in &expected {
        assert_eq!(tx.data_set(&data_set.id).await.unwrap().as_ref(), Some(data_set));
    }
    assert_eq!(tx.data_set(&data_set_id("none")).await.unwrap(), None);
    assert_eq!(tx.data_sets(None, u64::MAX).await.unwrap(), expected);
    let first = tx.data_sets(None, 2).await.unwrap();
    assert_eq!(first, expected[..2]);
    let rest = tx.data_sets(Some(&first[1].id), 2).await.unwrap();
    assert_eq!(rest, expected[2..]);

    let b = data_set_id("b");
    assert_eq!(tx.data_set_revisions(&b, 0, 100).await.unwrap(), revisions);
    assert_eq!(tx.data_set_revisions(&b, 4, 3).await.unwrap(), revisions[4..7]);
    assert_eq!(
        tx.data_set_revision(&b, 3).await.unwrap().as_ref(),
        Some(&revisions[2])
    );
    assert_eq!(tx.data_set_revision(&b, 11).await.unwrap(), None);
    for (at, revision) in [(99, None), (100, Some(2)), (102, Some(8)), (i64::MAX, Some(10))] {
        assert_eq!(tx.revision_as_of(&b, at).await.unwrap(), revision, "{at}");
    }
}

async fn refuses_the_same_revision_twice(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_write().await.unwrap();
    catalog(&tx).await;
    tx.insert_data_set(&data_set("data")).await.unwrap();
    tx.insert_data_set_revision(&data_revision("data", 1, 1))
        .await
        .unwrap();
    let id = data_set_id("data");
    let first = observation("411001", "settled", 2024, 1, "1");
    tx.insert_observations(&id, 1, std::slice::from_ref(&first))
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let conflict = |result: Result<(), Error>| matches!(result, Err(Error::Conflict { .. }));
    let tx = store.begin_write().await.unwrap();
    assert!(conflict(tx.insert_data_set(&data_set("data")).await));
    drop(tx);
    let tx = store.begin_write().await.unwrap();
    assert!(conflict(
        tx.insert_data_set_revision(&data_revision("data", 1, 2)).await
    ));
    drop(tx);
    let tx = store.begin_write().await.unwrap();
    assert!(conflict(tx.insert_observations(&id, 1, &[first]).await));
    drop(tx);

    // What a defect would write is refused by the schema, and is no conflict.
    let tx = store.begin_write().await.unwrap();
    let refused = tx.insert_data_set_revision(&data_revision("data", 0, 2)).await;
    assert!(matches!(refused, Err(Error::Internal { .. })), "{refused:?}");
    drop(tx);
    let tx = store.begin_write().await.unwrap();
    let refused = tx.insert_data_set_revision(&data_revision("no-such", 1, 2)).await;
    assert!(matches!(refused, Err(Error::Internal { .. })), "{refused:?}");
}

/// Ten imports that each add and correct some observations of a small set of keys.
async fn import(store: &Store) -> Vec<Vec<Observation>> {
    let tx = store.begin_write().await.unwrap();
    catalog(&tx).await;
    for id in ["data", "other"] {
        tx.insert_data_set(&data_set(id)).await.unwrap();
    }
    let mut newest: BTreeMap<(String, &str, i32), u32> = BTreeMap::new();
    let mut imports = Vec::new();
    let mut random = 12345_u32;
    for data_revision_number in 1..=10_u32 {
        let mut brought = Vec::new();
        for n in 1..=9 {
            for indicator in ["settled", "resident", "score"] {
                for year in 2022..=2024 {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if random >> 30 != 0 {
                        continue;
                    }
                    let region = if n == 9 {
                        "4110-DC".to_owned()
                    } else {
                        format!("41100{n}")
                    };
                    let revision = newest.entry((region.clone(), indicator, year)).or_default();
                    *revision += 1;
                    brought.push(observation(
                        &region,
                        indicator,
                        year,
                        *revision,
                        &random.to_string(),
                    ));
                }
            }
        }
        for id in ["data", "other"] {
            let revision = data_revision(id, data_revision_number, i64::from(data_revision_number));
            tx.insert_data_set_revision(&revision).await.unwrap();
        }
        tx.insert_observations(&data_set_id("data"), data_revision_number, &brought)
            .await
            .unwrap();
        imports.push(brought);
    }
    // Another data set's observations must never show.
    let stranger = observation("411001", "settled", 2024, 99, "99");
    tx.insert_observations(&data_set_id("other"), 1, &[stranger])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    imports
}

async fn reads_every_revision_as_it_was(database: Fresh) {
    let store = database.store().await;
    let imports = import(&store).await;
    let id = data_set_id("data");
    let tx = store.begin_read().await.unwrap();
    let everything = ObservationFilter::default();
    for revision in 0..=10_u32 {
        let upto = imports[..revision as usize].iter().flatten().cloned();
        let expected = Snapshot::new(upto);
        let snapshot = tx.snapshot(&id, revision).await.unwrap();
        assert_eq!(snapshot.digest(), expected.digest(), "revision {revision}");

        let mut sorted: Vec<Observation> = expected.observations().cloned().collect();
        sorted.sort_by_key(key);
        let mut paged: Vec<Observation> = Vec::new();
        loop {
            let after = paged.last().map(key);
            let page = tx
                .observations(&id, revision, &everything, after.as_ref(), 7)
                .await
                .unwrap();
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, sorted, "revision {revision}");

        let filter = ObservationFilter {
            region: Some(region_code("4110-DC")),
            indicator: Some(indicator_code("score")),
            year: Some(2023),
        };
        for filter in [
            ObservationFilter {
                region: None,
                ..filter.clone()
            },
            ObservationFilter {
                indicator: None,
                ..filter.clone()
            },
            ObservationFilter {
                year: None,
                ..filter.clone()
            },
            filter,
        ] {
            let read = tx.observations(&id, revision, &filter, None, 1000).await.unwrap();
            let fits = |o: &&Observation| {
                filter.region.as_ref().is_none_or(|region| *region == o.region)
                    && filter
                        .indicator
                        .as_ref()
                        .is_none_or(|indicator| *indicator == o.indicator)
                    && filter.year.is_none_or(|year| year == o.year)
            };
            assert!(read.iter().eq(sorted.iter().filter(fits)), "{filter:?}");
        }
    }

    for newest in tx.snapshot(&id, 10).await.unwrap().observations() {
        let history = tx.observation_history(&id, &key(newest)).await.unwrap();
        let expected: Vec<(u32, Observation)> = (1..)
            .zip(&imports)
            .flat_map(|(revision, brought)| brought.iter().map(move |o| (revision, o.clone())))
            .filter(|(_, o)| key(o) == key(newest))
            .collect();
        assert_eq!(history, expected);
    }
}

fn key(o: &Observation) -> crate::domain::statistics::ObservationKey {
    (o.region.clone(), o.indicator.clone(), o.year)
}

async fn takes_many_observations_at_once(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_write().await.unwrap();
    catalog(&tx).await;
    tx.insert_data_set(&data_set("data")).await.unwrap();
    tx.insert_data_set_revision(&data_revision("data", 1, 1))
        .await
        .unwrap();
    let mut many = Vec::new();
    for n in 1..=9 {
        for year in 1900..=2200 {
            for indicator in ["settled", "resident", "score"] {
                many.push(observation(&format!("41100{n}"), indicator, year, 1, "1.5"));
            }
        }
    }
    let id = data_set_id("data");
    tx.insert_observations(&id, 1, &many).await.unwrap();
    tx.insert_observations(&id, 1, &[]).await.unwrap();
    let snapshot = tx.snapshot(&id, 1).await.unwrap();
    assert_eq!(snapshot.observations().count(), 9 * 301 * 3);
    assert_eq!(snapshot.digest(), Snapshot::new(many).digest());
}
