//! What can be asked of a ledger: balances of any moment, entries, status.

use super::{account, line, office, own, shown};
use crate::harness::{Client, World, fen, inner, refused, stories};
use incentive_fund::grpc::pb;
use std::collections::BTreeMap;
use tonic::Code;

stories!(
    balances_of_any_moment_are_as_they_were,
    pages_of_balances_are_of_one_moment,
    balances_are_filtered,
    entries_are_filtered_and_paged,
    the_status_adds_up,
    what_is_not_there_is_not_found,
);

/// Postings of all kinds, one entry each; gives the balances after each entry.
async fn history(maker: &mut Client, checker: &mut Client) -> BTreeMap<u64, Vec<(String, String)>> {
    let mut history = BTreeMap::new();
    let mut keep = async |maker: &mut Client, number: u64| {
        history.insert(number, maker.balances("f", 0).await);
    };
    let number = maker.surrender("f", "10.00").await.unwrap().number;
    keep(maker, number).await;
    let number = maker.contribute("f", "411081", "500.00").await.unwrap().number;
    keep(maker, number).await;
    for line in [
        line("411081", "deed-tax", "70.00"),
        own("411081", "deed-tax", "60.00"),
    ] {
        let number = maker.assign("f", vec![line]).await.unwrap()[0].number;
        keep(maker, number).await;
    }
    let number = maker
        .unassign("f", vec![line("411081", "deed-tax", "30.00")])
        .await
        .unwrap()[0]
        .number;
    keep(maker, number).await;
    let number = maker.retract("f", "411081", "1.00").await.unwrap().number;
    keep(maker, number).await;
    let number = checker.reverse("f", number).await.unwrap().number;
    keep(maker, number).await;
    history
}

/// Without accounts that have nothing: those that came later are there with nothing.
fn held(balances: Vec<(String, String)>) -> Vec<(String, String)> {
    balances
        .into_iter()
        .filter(|(_, amount)| amount != "0.00")
        .collect()
}

async fn balances_of_any_moment_are_as_they_were(world: World) {
    let (server, mut maker, mut checker, _) = office(&world).await;
    let history = history(&mut maker, &mut checker).await;
    let all = pb::ListEntriesRequest {
        fund: "funds/f".to_owned(),
        ..Default::default()
    };
    let entries = maker.entries(all).await;
    assert_eq!(entries.len(), 17);
    let times: BTreeMap<u64, String> = entries
        .iter()
        .map(|entry| (entry.number, entry.posted.clone().unwrap().time))
        .collect();
    for (number, then) in &history {
        assert_eq!(
            held(maker.balances("f", *number).await),
            held(then.clone()),
            "{number}"
        );
        // No other entry has the same time: each call came after the one before.
        let request = pb::ListBalancesRequest {
            fund: "funds/f".to_owned(),
            as_of_time: times[number].clone(),
            ..Default::default()
        };
        let at = inner(maker.ledger.list_balances(request).await);
        assert_eq!(at.entry, *number);
        let at: Vec<(String, String)> = (at.balances.into_iter())
            .map(|balance| (shown(balance.account.as_ref().unwrap()), balance.amount))
            .collect();
        assert_eq!(held(at), held(then.clone()), "{number}");
    }
    // The balances that entries say are the sums of the entries up to there.
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    for entry in &entries {
        let (from, to) = (
            shown(entry.from.as_ref().unwrap()),
            shown(entry.to.as_ref().unwrap()),
        );
        *sums.entry(from.clone()).or_default() -= fen(&entry.amount);
        *sums.entry(to.clone()).or_default() += fen(&entry.amount);
        assert_eq!(fen(&entry.from_balance), sums[&from], "{entry:?}");
        assert_eq!(fen(&entry.to_balance), sums[&to], "{entry:?}");
        let then: BTreeMap<String, i128> = (maker.balances("f", entry.number).await.into_iter())
            .map(|(account, amount)| (account, fen(&amount)))
            .collect();
        let nothing = |(_, sum): &(&String, &i128)| **sum != 0;
        assert!(
            then.iter().filter(nothing).eq(sums.iter().filter(nothing)),
            "{entry:?}"
        );
    }
    // Before the first entry there is nothing.
    let request = pb::ListBalancesRequest {
        fund: "funds/f".to_owned(),
        as_of_time: "2020-01-01T00:00:00+08:00".to_owned(),
        page_size: 1_000,
        ..Default::default()
    };
    let before = inner(maker.ledger.list_balances(request).await);
    assert_eq!(before.entry, 0);
    assert!(before.balances.iter().all(|balance| balance.amount == "0.00"));
    server.stop().await;
}

async fn pages_of_balances_are_of_one_moment(world: World) {
    let (server, mut maker, _, _) = office(&world).await;
    let now = maker.balances("f", 0).await;
    let request = pb::ListBalancesRequest {
        fund: "funds/f".to_owned(),
        page_size: 4,
        ..Default::default()
    };
    let first = inner(maker.ledger.list_balances(request.clone()).await);
    maker
        .assign(
            "f",
            vec![
                line("411081", "deed-tax", "1.00"),
                line("411082", "deed-tax", "1.00"),
            ],
        )
        .await
        .unwrap();
    let mut found = first.balances;
    let mut page_token = first.next_page_token;
    while !page_token.is_empty() {
        let next = pb::ListBalancesRequest {
            page_token,
            ..request.clone()
        };
        let page = inner(maker.ledger.list_balances(next).await);
        assert_eq!(page.entry, first.entry);
        found.extend(page.balances);
        page_token = page.next_page_token;
    }
    let found: Vec<(String, String)> = (found.into_iter())
        .map(|balance| (shown(balance.account.as_ref().unwrap()), balance.amount))
        .collect();
    assert_eq!(held(found), held(now));
    server.stop().await;
}

async fn balances_are_filtered(world: World) {
    let (server, mut maker, mut checker, _) = office(&world).await;
    history(&mut maker, &mut checker).await;
    let all = maker.balances("f", 0).await;
    for (part, filter) in [
        (
            "county/",
            pb::ListBalancesRequest {
                payer: pb::Payer::County.into(),
                ..Default::default()
            },
        ),
        (
            "/411081/",
            pb::ListBalancesRequest {
                region: "regions/411081".to_owned(),
                ..Default::default()
            },
        ),
        (
            "/deed-tax/",
            pb::ListBalancesRequest {
                programme: "programmes/deed-tax".to_owned(),
                ..Default::default()
            },
        ),
        (
            "/source",
            pb::ListBalancesRequest {
                bucket: pb::Bucket::Source.into(),
                ..Default::default()
            },
        ),
    ] {
        for as_of_entry in [0, 16] {
            let request = pb::ListBalancesRequest {
                fund: "funds/f".to_owned(),
                as_of_entry,
                ..filter.clone()
            };
            let found = inner(maker.ledger.list_balances(request).await).balances;
            let found: Vec<String> = found
                .iter()
                .map(|balance| shown(balance.account.as_ref().unwrap()))
                .collect();
            let expected = all.iter().map(|(account, _)| account.clone());
            assert_eq!(
                found,
                expected
                    .filter(|account| account.contains(part))
                    .collect::<Vec<_>>()
            );
            assert!(!found.is_empty());
        }
    }
    server.stop().await;
}

async fn entries_are_filtered_and_paged(world: World) {
    let (server, mut maker, mut checker, allocation) = office(&world).await;
    history(&mut maker, &mut checker).await;
    let request = |filter: pb::ListEntriesRequest| pb::ListEntriesRequest {
        fund: "funds/f".to_owned(),
        ..filter
    };
    let all = maker.entries(request(pb::ListEntriesRequest::default())).await;
    assert!(all.iter().map(|entry| entry.number).eq(1..=17));
    let quota = account("city/411081/-/quota");
    let moving = |entry: &&pb::LedgerEntry| {
        [&entry.from, &entry.to]
            .into_iter()
            .any(|side| side.as_ref() == Some(&quota))
    };
    let of_account = request(pb::ListEntriesRequest {
        account: Some(quota.clone()),
        ..Default::default()
    });
    let found = maker.entries(of_account.clone()).await;
    assert!(
        found.iter().eq(all.iter().filter(moving)) && found.len() == 3,
        "{found:#?}"
    );
    let assigned = request(pb::ListEntriesRequest {
        event: pb::LedgerEvent::Assign.into(),
        ..of_account
    });
    assert_eq!(maker.entries(assigned).await.len(), 1);
    for (filter, expected) in [
        (
            pb::ListEntriesRequest {
                event: pb::LedgerEvent::Issue.into(),
                ..Default::default()
            },
            9,
        ),
        (
            pb::ListEntriesRequest {
                subject: allocation.name.clone(),
                ..Default::default()
            },
            9,
        ),
        (
            pb::ListEntriesRequest {
                from_time: all[10].posted.clone().unwrap().time,
                ..Default::default()
            },
            7,
        ),
        (
            pb::ListEntriesRequest {
                until_time: all[10].posted.clone().unwrap().time,
                ..Default::default()
            },
            10,
        ),
        (
            pb::ListEntriesRequest {
                subject: "allocations/none".to_owned(),
                ..Default::default()
            },
            0,
        ),
    ] {
        assert_eq!(
            maker.entries(request(filter.clone())).await.len(),
            expected,
            "{filter:?}"
        );
    }
    // A token belongs to its list.
    let page = pb::ListEntriesRequest {
        page_size: 3,
        ..request(pb::ListEntriesRequest::default())
    };
    let page_token = inner(maker.ledger.list_entries(page.clone()).await).next_page_token;
    let other = pb::ListEntriesRequest {
        event: pb::LedgerEvent::Issue.into(),
        page_token,
        ..page
    };
    refused(maker.ledger.list_entries(other).await).names("page_token");
    let faulty = request(pb::ListEntriesRequest {
        account: Some(pb::Account { bucket: 0, ..quota }),
        ..Default::default()
    });
    refused(maker.ledger.list_entries(faulty).await).names("account.bucket");
    server.stop().await;
}

async fn the_status_adds_up(world: World) {
    let (server, mut maker, mut checker, allocation) = office(&world).await;
    history(&mut maker, &mut checker).await;
    let status = maker.fund_status("f").await;
    let amounts = |line: &pb::FundStatusLine| -> [i128; 11] {
        [
            &line.received,
            &line.surrendered,
            &line.unallocated,
            &line.allocated,
            &line.issued,
            &line.assigned,
            &line.available,
            &line.reserved,
            &line.in_payment,
            &line.paid,
            &line.returned,
        ]
        .map(|amount| fen(amount))
    };
    let sum = |lines: &[pb::FundStatusLine]| {
        lines.iter().map(amounts).fold([0; 11], |mut sum, line| {
            for (sum, part) in sum.iter_mut().zip(line) {
                *sum += part;
            }
            sum
        })
    };
    let total = amounts(status.total.as_ref().unwrap());
    assert_eq!(sum(&status.lines), total);
    assert_eq!(sum(&status.regions), total);
    let [
        received,
        surrendered,
        unallocated,
        allocated,
        issued,
        assigned,
        available,
        ..,
    ] = total;
    assert_eq!(received, 10_000_050_000);
    assert_eq!(received, surrendered + unallocated + issued);
    assert_eq!((allocated, issued, assigned), (8_000_000_000, 8_000_050_000, 0));
    assert_eq!(issued, available);
    for line in status.lines.iter().chain(&status.regions) {
        let [
            _,
            _,
            _,
            _,
            issued,
            assigned,
            available,
            reserved,
            in_payment,
            paid,
            _,
        ] = amounts(line);
        assert_eq!(
            issued + assigned,
            available + reserved + in_payment + paid,
            "{line:?}"
        );
    }
    for line in &allocation.lines {
        let region = status
            .regions
            .iter()
            .find(|status| status.region == line.region && status.payer() == pb::Payer::City)
            .unwrap();
        assert_eq!((&region.allocated, &region.issued), (&line.amount, &line.amount));
        assert_eq!(region.region_name, line.region_name);
    }
    let yuzhou: Vec<(&str, pb::Payer, &str, &str)> = (status.lines.iter())
        .filter(|line| line.region == "regions/411081")
        .map(|line| (&*line.programme, line.payer(), &*line.assigned, &*line.available))
        .collect();
    let city = maker.balance("f", "city/411081/-/quota").await;
    assert_eq!(
        yuzhou,
        [
            ("", pb::Payer::City, "-40.00", &*city),
            ("programmes/deed-tax", pb::Payer::City, "40.00", "40.00"),
            ("", pb::Payer::County, "-60.00", "440.00"),
            ("programmes/deed-tax", pb::Payer::County, "60.00", "60.00"),
        ]
    );
    assert_eq!(status.fund.unwrap().entries, 17);
    server.stop().await;
}

async fn what_is_not_there_is_not_found(world: World) {
    let server = world.serve().await;
    let mut client = server.client("审计").await;
    let fund = "funds/none".to_owned();
    let name = fund.clone();
    let mut answers = vec![
        client
            .ledger
            .get_fund_status(pb::GetFundStatusRequest { name })
            .await
            .map(drop),
    ];
    let request = pb::ListBalancesRequest {
        fund: fund.clone(),
        ..Default::default()
    };
    answers.push(client.ledger.list_balances(request).await.map(drop));
    let request = pb::ListEntriesRequest {
        fund: fund.clone(),
        ..Default::default()
    };
    answers.push(client.ledger.list_entries(request).await.map(drop));
    let request = pb::VerifyLedgerRequest {
        fund: fund.clone(),
        max_findings: 0,
    };
    answers.push(client.ledger.verify_ledger(request).await.map(drop));
    let request = pb::ExportJournalRequest { fund: fund.clone() };
    answers.push(client.ledger.export_journal(request).await.map(drop));
    let request = pb::WatchChangesRequest { fund, after: 0 };
    answers.push(client.ledger.watch_changes(request).await.map(drop));
    for answer in answers {
        let refusal = refused(answer);
        assert_eq!(refusal.code, Code::NotFound);
        assert!(refusal.en.contains("funds/none"), "{}", refusal.en);
    }
    client.receive("f", "1.00").await.unwrap();
    let request = pb::ListBalancesRequest {
        fund: "funds/f".to_owned(),
        as_of_entry: 2,
        ..Default::default()
    };
    refused(client.ledger.list_balances(request.clone()).await).names("as_of_entry");
    let both = pb::ListBalancesRequest {
        as_of_entry: 1,
        as_of_time: "2025-01-01T00:00:00Z".to_owned(),
        ..request
    };
    refused(client.ledger.list_balances(both).await).names("as_of_time");
    let request = pb::VerifyLedgerRequest {
        fund: "funds/f".to_owned(),
        max_findings: -1,
    };
    refused(client.ledger.verify_ledger(request).await).names("max_findings");
    server.stop().await;
}
