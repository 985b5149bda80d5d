use super::*;
use std::collections::BTreeMap;

fn record(action: &str) -> Record {
    Record {
        at: 1,
        by: "clerk".to_owned(),
        peer: "127.0.0.1:1".to_owned(),
        action: action.to_owned(),
        request_id: String::new(),
        outcome: Outcome::Done,
        reason: String::new(),
        resource: "funds/f/claims/1".to_owned(),
        count: 1,
        before: String::new(),
        after: "sha256:00".to_owned(),
        changes: None,
    }
}

fn chain(count: u64) -> (ChainName, Vec<Chained>, Head) {
    let name = ChainName::parse("chain", "funds/f").unwrap();
    let mut head = Head::empty();
    let records = (1..=count).map(|n| head.chain(&name, record(&format!("a{n}"))));
    let records = records.collect();
    (name, records, head)
}

fn places(
    name: &ChainName,
    records: &[Chained],
    head: &Head,
    points: BTreeMap<u64, Vec<Point>>,
) -> Vec<String> {
    let mut verifier = Verifier::new(name.clone(), points);
    for record in records {
        verifier.record(record);
    }
    let (_, found) = verifier.finish(Some(head), None);
    found
        .iter()
        .map(|finding| format!("{} {}", finding.record, finding.field))
        .collect()
}

#[test]
fn a_chain_as_it_was_made_is_found_good() {
    let (name, records, head) = chain(5);
    let point = Point {
        digest: records[2].digest.clone(),
        checkpoint: "checkpoint 1".to_owned(),
    };
    let points = BTreeMap::from([(3, vec![point])]);
    assert_eq!(places(&name, &records, &head, points), Vec::<String>::new());
}

#[test]
fn every_field_of_a_record_is_in_its_digest() {
    let (name, records, head) = chain(1);
    let changed: [fn(&mut Record); 12] = [
        |r| r.at += 1,
        |r| r.by.push('x'),
        |r| r.peer.push('x'),
        |r| r.action.push('x'),
        |r| r.request_id.push('x'),
        |r| r.outcome = Outcome::Refused,
        |r| r.reason.push('x'),
        |r| r.resource.push('x'),
        |r| r.count += 1,
        |r| r.before.push('x'),
        |r| r.after.push('x'),
        |r| {
            r.changes = Some(Changes {
                first: 1,
                last: 1,
                digest: Digest::of(b""),
            });
        },
    ];
    for change in changed {
        let mut records = records.clone();
        change(&mut records[0].record);
        assert_eq!(
            places(&name, &records, &head, BTreeMap::new()),
            ["1 digest"],
            "{:?}",
            records[0]
        );
    }
}

#[test]
fn the_first_bad_record_is_named() {
    let (name, records, head) = chain(5);
    let found = |records: &[Chained]| places(&name, records, &head, BTreeMap::new());
    let mut deleted = records.clone();
    deleted.remove(2);
    assert_eq!(found(&deleted), ["3 record", "4 digest"]);
    let mut swapped = records.clone();
    swapped.swap(1, 2);
    swapped[1].number = 2;
    swapped[2].number = 3;
    assert_eq!(found(&swapped)[0], "2 digest");
    assert_eq!(found(&records[..3]), ["4 record"]);
    let mut appended = records.clone();
    let mut forged = records[4].clone();
    forged.number = 6;
    appended.push(forged);
    assert_eq!(found(&appended), ["6 digest", "6 record"]);
    // With the digest put right, the next one gives it away.
    let mut forged = records.clone();
    forged[1].record.by = "other".to_owned();
    forged[1].digest = forged[1].record.chained(&name, 2, &forged[0].digest);
    assert_eq!(found(&forged), ["3 digest"]);
}

#[test]
fn a_checkpoint_finds_what_was_written_anew_or_cut_off() {
    let (name, records, _) = chain(5);
    let points = BTreeMap::from([(
        4,
        vec![Point {
            digest: records[3].digest.clone(),
            checkpoint: "checkpoint 1".to_owned(),
        }],
    )]);
    // All of it computed again after a change: good in itself.
    let mut head = Head::empty();
    let forged: Vec<Chained> = records
        .iter()
        .map(|chained| {
            let mut record = chained.record.clone();
            record.by = "other".to_owned();
            head.chain(&name, record)
        })
        .collect();
    assert!(places(&name, &forged, &head, BTreeMap::new()).is_empty());
    assert_eq!(places(&name, &forged, &head, points.clone()), ["4 checkpoint"]);
    // Cut off, with the end put right.
    let head = Head {
        records: 2,
        digest: records[1].digest.clone(),
    };
    assert!(places(&name, &records[..2], &head, BTreeMap::new()).is_empty());
    assert_eq!(places(&name, &records[..2], &head, points), ["4 checkpoint"]);
}

#[test]
fn changes_are_accounted_for_without_gaps() {
    let name = ChainName::parse("chain", "funds/f").unwrap();
    let mut head = Head::empty();
    let mut with = |first: u64, last: u64| {
        let mut record = record("x");
        record.changes = Some(Changes {
            first,
            last,
            digest: Digest::of(b"changes"),
        });
        head.chain(&name, record)
    };
    // The first may begin later: a fund has changes from before there was an audit log.
    let records = [with(7, 9), with(10, 10), with(12, 12)];
    assert_eq!(places(&name, &records, &head, BTreeMap::new()), ["3 changes"]);
    for (lines, found) in [(12, 0), (13, 1)] {
        let mut verifier = Verifier::new(name.clone(), BTreeMap::new());
        records.iter().for_each(|record| verifier.record(record));
        verifier.take_findings();
        assert_eq!(verifier.finish(Some(&head), Some(lines)).1.len(), found);
    }
    assert!(ChainName::parse("chain", "nothing").is_err());
}
