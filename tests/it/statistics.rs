//! Regions, indicators, data sets and imports of observations.

use crate::harness::{
    Client, World, fen, header, header_message, id, indicator, inner, part_of, refusal, refused, region, row,
    rows_message, stories,
};
use incentive_fund::grpc::pb;
use tonic::Code;

stories!(
    regions_form_a_hierarchy,
    a_region_cannot_contain_itself,
    a_long_chain_of_regions_is_taken,
    a_region_is_updated_by_its_code,
    indicators_keep_their_unit,
    indicators_are_listed_with_their_limits,
    an_indicator_cannot_be_a_word_of_the_formula_language,
    data_sets_are_created_once_and_listed_by_id,
    an_import_is_taken_whole_or_not_at_all,
    every_fault_of_a_file_can_be_asked_for,
    a_row_that_comes_twice_is_refused,
    corrections_add_revisions_and_overwrite_nothing,
    rows_that_repeat_what_is_there_leave_no_trace,
    values_are_converted_to_the_indicators_unit,
    the_past_can_be_read_as_of_any_moment,
    pages_hold_still_while_imports_go_on,
    a_page_token_belongs_to_its_query,
    lists_are_filtered,
    the_digest_follows_the_content,
    decimals_of_28_digits_survive,
    validating_stores_nothing,
    a_stream_begins_with_its_header,
    a_hundred_thousand_rows_in_one_stream,
);

/// Two regions, a sum of money and a head count.
async fn small(client: &mut Client) {
    client
        .import_regions(vec![region("A"), region("B")])
        .await
        .unwrap();
    let people = pb::Indicator {
        decimals: 0,
        minimum: "0".to_owned(),
        maximum: "1000000".to_owned(),
        ..indicator("people", "person")
    };
    client
        .import_indicators(vec![people, indicator("grant", "yuan")])
        .await
        .unwrap();
    client.create_data_set("small").await.unwrap();
}

async fn regions_form_a_hierarchy(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    let cities = vec![
        region("P"),
        part_of("P", "C1"),
        part_of("P", "C2"),
        part_of("C1", "D1"),
    ];
    // Children may come before their parents.
    let backwards: Vec<pb::Region> = cities.iter().rev().cloned().collect();
    assert_eq!(client.import_regions(backwards).await.unwrap(), 4);

    let all = inner(
        client
            .statistics
            .list_regions(pb::ListRegionsRequest::default())
            .await,
    );
    let mut by_code = cities.clone();
    by_code.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(all.regions, by_code);
    let within = pb::ListRegionsRequest {
        parent: "regions/P".to_owned(),
        ..Default::default()
    };
    let within = inner(client.statistics.list_regions(within).await);
    assert_eq!(within.regions, cities[1..3]);

    // A part of the import that is wrong refuses the whole.
    let orphan = refused(
        client
            .import_regions(vec![region("Z"), part_of("NOWHERE", "Y")])
            .await,
    );
    orphan.tells("regions[Y].parent", &["NOWHERE", "exists"]);
    let after = inner(
        client
            .statistics
            .list_regions(pb::ListRegionsRequest::default())
            .await,
    );
    assert_eq!(after.regions, by_code);
    server.stop().await;
}

async fn a_region_cannot_contain_itself(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    let itself = refused(client.import_regions(vec![part_of("A", "A")]).await);
    itself.tells("regions[A].parent", &["found A", "itself"]);
    client
        .import_regions(vec![region("A"), part_of("A", "B"), part_of("B", "C")])
        .await
        .unwrap();
    // Also through regions that are stored already.
    let around = refused(client.import_regions(vec![part_of("C", "A")]).await);
    assert_eq!(around.code, Code::InvalidArgument);
    around.tells("regions[A].parent", &["itself"]);
    server.stop().await;
}

async fn a_long_chain_of_regions_is_taken(world: World) {
    const LINKS: u32 = 30_000;
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    let mut chain = vec![region("0")];
    chain.extend((1..LINKS).map(|at| part_of(&(at - 1).to_string(), &at.to_string())));
    let imported =
        tokio::time::timeout(std::time::Duration::from_secs(60), client.import_regions(chain)).await;
    assert_eq!(imported.expect("checked in time").unwrap(), LINKS);
    server.stop().await;
}

async fn a_region_is_updated_by_its_code(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    client
        .import_regions(vec![region("A"), region("B")])
        .await
        .unwrap();
    let renamed = pb::Region {
        display_name_zh: "新名".to_owned(),
        note: "renamed".to_owned(),
        ..part_of("B", "A")
    };
    client.import_regions(vec![renamed.clone()]).await.unwrap();
    let all = inner(
        client
            .statistics
            .list_regions(pb::ListRegionsRequest::default())
            .await,
    );
    assert_eq!(all.regions, [renamed, region("B")]);
    let twice = refused(client.import_regions(vec![region("C"), region("C")]).await);
    twice.tells("regions", &["found C", "once"]);
    server.stop().await;
}

async fn indicators_keep_their_unit(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let other_unit = indicator("people", "ten_thousand_persons");
    let change = refused(client.import_indicators(vec![other_unit]).await);
    change.tells(
        "indicators[people].unit",
        &["found ten_thousand_persons", "already"],
    );
    let other_name = pb::Indicator {
        display_name_zh: "人数".to_owned(),
        ..indicator("people", "person")
    };
    client.import_indicators(vec![other_name.clone()]).await.unwrap();
    let list = inner(
        client
            .statistics
            .list_indicators(pb::ListIndicatorsRequest::default())
            .await,
    );
    assert_eq!(list.indicators, [indicator("grant", "yuan"), other_name]);
    let unknown = refused(client.import_indicators(vec![indicator("x", "furlong")]).await);
    unknown.tells("indicators[0].unit", &["found furlong", "person"]);
    server.stop().await;
}

async fn indicators_are_listed_with_their_limits(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    let exact = pb::Indicator {
        minimum: "-0.0000000000000000000000000001".to_owned(),
        maximum: "9999999999999999999999999999".to_owned(),
        description: "说明 with 'quotes' and 😀".to_owned(),
        ..indicator("exact", "ratio")
    };
    client.import_indicators(vec![exact.clone()]).await.unwrap();
    let list = inner(
        client
            .statistics
            .list_indicators(pb::ListIndicatorsRequest::default())
            .await,
    );
    assert_eq!(list.indicators, vec![exact.clone()]);
    let crossed = pb::Indicator {
        minimum: "2".to_owned(),
        maximum: "1".to_owned(),
        ..exact
    };
    let crossed = refused(client.import_indicators(vec![crossed]).await);
    crossed.tells("indicators[0].minimum", &["found 2"]);
    server.stop().await;
}

async fn an_indicator_cannot_be_a_word_of_the_formula_language(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    for word in ["if", "total", "tier"] {
        let taken = refused(client.import_indicators(vec![indicator(word, "person")]).await);
        taken.tells("indicators[0].name", &[word]);
    }
    server.stop().await;
}

async fn data_sets_are_created_once_and_listed_by_id(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员 甲").await;
    let created = client.create_data_set("b").await.unwrap();
    assert_eq!(created.name, "dataSets/b");
    assert_eq!(created.revision, 0);
    assert_eq!(created.created.as_ref().unwrap().principal, "统计员 甲");
    assert_eq!(client.data_set("b").await, created);
    for name in ["a", "c", "d"] {
        client.create_data_set(name).await.unwrap();
    }
    let again = refused(client.create_data_set("b").await);
    assert_eq!(
        (again.code, again.reason.as_str()),
        (Code::AlreadyExists, "ALREADY_EXISTS")
    );

    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListDataSetsRequest {
            page_size: 3,
            page_token,
        };
        let page = inner(client.statistics.list_data_sets(request).await);
        names.push(
            page.data_sets
                .iter()
                .map(|set| set.name.clone())
                .collect::<Vec<_>>(),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        names,
        [vec!["dataSets/a", "dataSets/b", "dataSets/c"], vec!["dataSets/d"]]
    );

    refused(client.create_data_set("Not An Id").await).names("data_set_id");
    let none = pb::GetDataSetRequest {
        name: "dataSets/none".to_owned(),
    };
    let none = refused(client.statistics.get_data_set(none).await);
    assert_eq!((none.code, none.reason.as_str()), (Code::NotFound, "NOT_FOUND"));
    server.stop().await;
}

async fn an_import_is_taken_whole_or_not_at_all(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let bad_year = pb::ObservationRow {
        year: "20x4".to_owned(),
        ..row(6, "A", "people", "1")
    };
    let no_source = pb::ObservationRow {
        source: " ".to_owned(),
        ..row(7, "A", "grant", "1")
    };
    let bad_unit = pb::ObservationRow {
        unit: "元".to_owned(),
        ..row(8, "B", "people", "1")
    };
    let rows = vec![
        row(2, "A", "people", "100"),
        row(3, "ATLANTIS", "people", "100"),
        row(4, "A", "happiness", "100"),
        row(5, "B", "people", "1.5"),
        bad_year,
        no_source,
        bad_unit,
        row(9, "B", "grant", "1,000"),
    ];
    let refused_rows = refused(client.import("small", rows).await);
    assert_eq!(refused_rows.code, Code::InvalidArgument);
    assert_eq!(refused_rows.fields.len(), 7, "{refused_rows:#?}");
    assert_eq!(refused_rows.metadata["violations"], "7");
    refused_rows.tells("line 3, column region", &["found ATLANTIS", "imported"]);
    refused_rows.tells("line 4, column indicator", &["found happiness", "imported"]);
    refused_rows.tells(
        "line 5, column value",
        &["found 1.5", "0 to 1000000 person", "0 decimals"],
    );
    refused_rows.tells("line 6, column year", &["found 20x4", "1900 to 2200"]);
    refused_rows.tells("line 7, column source", &["1 to 500"]);
    refused_rows.tells("line 8, column unit", &["found 元", "person"]);
    refused_rows.tells("line 9, column value", &["found 1,000", "no separators"]);
    assert!(refused_rows.zh.contains("ATLANTIS") && refused_rows.zh.contains("已导入的地区"));
    assert!(client.observations("dataSets/small").await.is_empty());
    assert_eq!(client.data_set("small").await.revision, 0);
    server.stop().await;
}

async fn every_fault_of_a_file_can_be_asked_for(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let mut nobody = client.named("");
    let mut check = async |data_set: &str, rows: Vec<pb::ObservationRow>| {
        use pb::check_observations_request::Content;
        let message = |content| pb::CheckObservationsRequest {
            content: Some(content),
        };
        let mut messages = vec![message(Content::Header(header(data_set)))];
        messages.extend(rows.chunks(1_000).map(|chunk| {
            let rows = chunk.to_vec();
            message(Content::Rows(pb::ObservationRows { rows }))
        }));
        let stream = tokio_stream::iter(messages);
        let mut answers = nobody.statistics.check_observations(stream).await?.into_inner();
        let mut faults = Vec::new();
        let mut revision = None;
        while let Some(answer) = answers.message().await? {
            faults.extend(answer.faults);
            revision = revision.or(answer.revision);
        }
        Ok::<_, tonic::Status>((faults, revision))
    };
    // More than an error has room for, in file order.
    let bad = (2..1_502).map(|line| row(line, "A", "people", &format!("{line}.5")));
    let (faults, revision) = check("small", bad.collect()).await.unwrap();
    assert_eq!((faults.len(), revision), (1_500, None));
    for (fault, line) in faults.iter().zip(2..) {
        assert_eq!(fault.field, format!("line {line}, column value"));
        assert_eq!(fault.found, format!("{line}.5"));
        let allowed = fault.allowed.as_ref().unwrap();
        assert!(allowed.en.contains("0 to 1000000 person"), "{allowed:?}");
        assert!(allowed.zh.contains("0 至 1000000 人"), "{allowed:?}");
    }
    // There is a limit on everything.
    let bad = (2..12_003).map(|line| row(line, "A", "people", "x"));
    let (faults, _) = check("small", bad.collect()).await.unwrap();
    assert_eq!(faults.len(), 10_001);
    assert_eq!(faults.last().unwrap().found, "2001 more like these");

    let good = vec![row(2, "A", "people", "1"), row(3, "B", "people", "2")];
    let (faults, would) = check("small", good.clone()).await.unwrap();
    let would = would.unwrap();
    assert!(faults.is_empty());
    assert_eq!(
        (would.added, would.name.as_str()),
        (2, "dataSets/small/revisions/1")
    );
    let (_, elsewhere) = check("not-there-yet", good.clone()).await.unwrap();
    assert_eq!(elsewhere.unwrap().added, 2);
    assert_eq!(client.data_set("small").await.revision, 0);
    assert_eq!(client.import("small", good).await.unwrap().digest, would.digest);
    let misplaced = check("Not An Id", Vec::new()).await;
    refused(misplaced).names("header.data_set");
    server.stop().await;
}

async fn a_row_that_comes_twice_is_refused(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    // The same region, once by code and once by name.
    let rows = vec![row(2, "A", "people", "1"), row(3, "A区", "people", "1")];
    let twice = refused(client.import("small", rows).await);
    twice.tells("line 3, column region", &["A people 2024", "line 2"]);
    server.stop().await;
}

async fn corrections_add_revisions_and_overwrite_nothing(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let first = client
        .import(
            "small",
            vec![row(2, "A", "people", "100"), row(3, "B", "people", "200")],
        )
        .await
        .unwrap();
    assert_eq!(first.name, "dataSets/small/revisions/1");
    assert_eq!((first.added, first.revised, first.unchanged), (2, 0, 0));
    let mut corrector = client.named("复核员");
    let second = corrector
        .import(
            "small",
            vec![
                row(2, "A", "people", "101"),
                row(3, "B", "people", "200"),
                row(4, "A", "grant", "7.5"),
            ],
        )
        .await
        .unwrap();
    assert_eq!(second.name, "dataSets/small/revisions/2");
    assert_eq!((second.added, second.revised, second.unchanged), (1, 1, 1));
    assert_eq!(second.created.as_ref().unwrap().principal, "复核员");
    // A new source is a correction too, though the value stays.
    let restated = pb::ObservationRow {
        source: "年鉴".to_owned(),
        ..row(2, "B", "people", "200")
    };
    let third = client.import("small", vec![restated]).await.unwrap();
    assert_eq!((third.added, third.revised, third.unchanged), (0, 1, 0));

    let seen = |observations: Vec<pb::Observation>| -> Vec<(String, String, String, u32)> {
        let rows = observations.into_iter();
        rows.map(|o| (o.region, o.value, o.source, o.revision)).collect()
    };
    let of = |region: &str, value: &str, source: &str, revision: u32| {
        (
            format!("regions/{region}"),
            value.to_owned(),
            source.to_owned(),
            revision,
        )
    };
    assert_eq!(
        seen(client.observations("dataSets/small").await),
        [
            of("A", "7.5", "test", 1),
            of("A", "101", "test", 2),
            of("B", "200", "年鉴", 2)
        ]
    );
    assert_eq!(
        seen(client.observations("dataSets/small/revisions/2").await),
        [
            of("A", "7.5", "test", 1),
            of("A", "101", "test", 2),
            of("B", "200", "test", 1)
        ]
    );
    assert_eq!(
        seen(client.observations("dataSets/small/revisions/1").await),
        [of("A", "100", "test", 1), of("B", "200", "test", 1)]
    );
    let revisions = pb::ListDataSetRevisionsRequest {
        parent: "dataSets/small".to_owned(),
        ..Default::default()
    };
    let revisions = inner(client.statistics.list_data_set_revisions(revisions).await);
    assert_eq!(revisions.revisions, [first, second, third]);
    server.stop().await;
}

async fn rows_that_repeat_what_is_there_leave_no_trace(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let rows = vec![row(2, "A", "grant", "1.50"), row(3, "B", "grant", "2")];
    let first = client.import("small", rows.clone()).await.unwrap();
    let before = client.data_set("small").await;
    // Also written differently.
    let again = vec![
        row(9, "A区", "grant", "１.5"),
        row(8, "B", "Indicator grant", "02.000"),
    ];
    for rows in [rows, again, Vec::new()] {
        let count = u32::try_from(rows.len()).unwrap();
        let same = client.import("small", rows).await.unwrap();
        assert_eq!((same.added, same.revised, same.unchanged), (0, 0, count));
        assert_eq!((&same.name, &same.digest), (&first.name, &first.digest));
        assert_eq!(same.created, first.created);
    }
    assert_eq!(client.data_set("small").await, before);
    server.stop().await;
}

async fn values_are_converted_to_the_indicators_unit(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let in_units = |line, indicator: &str, value: &str, unit: &str| pb::ObservationRow {
        unit: unit.to_owned(),
        ..row(line, "A", indicator, value)
    };
    client
        .import(
            "small",
            vec![
                in_units(2, "people", "1.2345", "万人"),
                in_units(3, "grant", "0.1", "亿元"),
            ],
        )
        .await
        .unwrap();
    let values: Vec<String> = (client.observations("dataSets/small").await.into_iter())
        .map(|observation| observation.value)
        .collect();
    assert_eq!(values, ["10000000", "12345"]);
    let part_of_a_person = vec![in_units(2, "people", "1.23456", "万人")];
    let refused_part = refused(client.import("small", part_of_a_person).await);
    refused_part.tells("line 2, column value", &["found 12345.6"]);
    server.stop().await;
}

async fn the_past_can_be_read_as_of_any_moment(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let mut times = Vec::new();
    for value in ["1", "2", "3"] {
        let revision = client
            .import("small", vec![row(2, "A", "grant", value)])
            .await
            .unwrap();
        times.push(revision.created.unwrap().time);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let as_of = |time: &str| pb::ListObservationsRequest {
        parent: "dataSets/small".to_owned(),
        as_of: time.to_owned(),
        ..Default::default()
    };
    for (at, time) in times.iter().enumerate() {
        let page = inner(client.statistics.list_observations(as_of(time)).await);
        assert_eq!(page.observations[0].value, (at + 1).to_string());
        assert_eq!(page.revision, format!("dataSets/small/revisions/{}", at + 1));
    }
    for (time, values) in [("2000-01-01T00:00:00+08:00", 0), ("2199-12-31T23:59:59Z", 1)] {
        let page = inner(client.statistics.list_observations(as_of(time)).await);
        assert_eq!(page.observations.len(), values, "{time}");
    }
    refused(client.statistics.list_observations(as_of("yesterday")).await).names("as_of");
    let both = pb::ListObservationsRequest {
        parent: "dataSets/small/revisions/1".to_owned(),
        ..as_of(&times[0])
    };
    refused(client.statistics.list_observations(both).await).names("as_of");
    let future = pb::ListObservationsRequest {
        parent: "dataSets/small/revisions/4".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        refused(client.statistics.list_observations(future).await).code,
        Code::NotFound
    );
    server.stop().await;
}

async fn pages_hold_still_while_imports_go_on(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let regions: Vec<pb::Region> = (10..35).map(|at| region(&format!("R{at}"))).collect();
    client.import_regions(regions.clone()).await.unwrap();
    let code = |region: &pb::Region| region.name.trim_start_matches("regions/").to_owned();
    let rows = (regions.iter().zip(2..)).map(|(region, line)| row(line, &code(region), "grant", "1"));
    client.import("small", rows.collect()).await.unwrap();
    let whole = client.observations("dataSets/small").await;
    assert_eq!(whole.len(), 25);

    let mut seen = Vec::new();
    let mut page_token = String::new();
    let mut pages = 0;
    loop {
        let request = pb::ListObservationsRequest {
            parent: "dataSets/small".to_owned(),
            page_size: 10,
            page_token,
            ..Default::default()
        };
        let page = inner(client.statistics.list_observations(request).await);
        assert_eq!(page.revision, "dataSets/small/revisions/1");
        seen.extend(page.observations);
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        // Between pages: a correction behind, one ahead, and a row that is new.
        let value = (pages + 1).to_string();
        let changes = vec![
            row(2, "R10", "grant", &value),
            row(3, "R34", "grant", &value),
            row(4, "R33", "people", &value),
        ];
        client.import("small", changes).await.unwrap();
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, whole);
    server.stop().await;
}

async fn a_page_token_belongs_to_its_query(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    client.create_data_set("other").await.unwrap();
    let rows = vec![row(2, "A", "grant", "1"), row(3, "B", "grant", "1")];
    client.import("small", rows.clone()).await.unwrap();
    client.import("other", rows).await.unwrap();
    let first = pb::ListObservationsRequest {
        parent: "dataSets/small".to_owned(),
        page_size: 1,
        ..Default::default()
    };
    let token = inner(client.statistics.list_observations(first.clone()).await).next_page_token;
    assert!(!token.is_empty());
    let next = pb::ListObservationsRequest {
        page_token: token.clone(),
        ..first
    };
    let other_set = pb::ListObservationsRequest {
        parent: "dataSets/other".to_owned(),
        ..next.clone()
    };
    let other_filter = pb::ListObservationsRequest {
        year: 2024,
        ..next.clone()
    };
    let garbage = pb::ListObservationsRequest {
        page_token: "no token".to_owned(),
        ..next.clone()
    };
    for wrong in [other_set, other_filter, garbage] {
        refused(client.statistics.list_observations(wrong).await).names("page_token");
    }
    let regions = pb::ListRegionsRequest {
        page_token: token,
        ..Default::default()
    };
    refused(client.statistics.list_regions(regions).await).names("page_token");
    let page = inner(client.statistics.list_observations(next.clone()).await);
    assert_eq!(page.observations[0].region, "regions/B");
    let backwards = pb::ListObservationsRequest {
        page_size: -1,
        ..next
    };
    refused(client.statistics.list_observations(backwards).await).names("page_size");
    server.stop().await;
}

async fn lists_are_filtered(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let of_2023 = |line, region: &str, indicator: &str| pb::ObservationRow {
        year: "2023年".to_owned(),
        ..row(line, region, indicator, "5")
    };
    let rows = vec![
        row(2, "A", "people", "1"),
        row(3, "A", "grant", "2"),
        row(4, "B", "people", "3"),
        of_2023(5, "A", "people"),
    ];
    client.import("small", rows).await.unwrap();
    let mut values = async |region: &str, indicator: &str, year: i32| {
        let request = pb::ListObservationsRequest {
            parent: "dataSets/small".to_owned(),
            region: region.to_owned(),
            indicator: indicator.to_owned(),
            year,
            ..Default::default()
        };
        let page = inner(client.statistics.list_observations(request).await);
        let values: Vec<String> = page.observations.into_iter().map(|o| o.value).collect();
        values.join(" ")
    };
    assert_eq!(values("", "", 0).await, "2 5 1 3");
    assert_eq!(values("regions/A", "", 0).await, "2 5 1");
    assert_eq!(values("", "indicators/people", 2024).await, "1 3");
    assert_eq!(values("regions/B", "indicators/grant", 0).await, "");
    server.stop().await;
}

/// What the content below gives, on either database: the digest is part of the promise to auditors.
const DIGEST: &str = "sha256:3cbeda4093b12fd51e8c37943edcde4a7047065cdc226e5189e9d250db83755d";

async fn the_digest_follows_the_content(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    client.create_data_set("twin").await.unwrap();
    let empty = client.data_set("small").await.digest;
    assert_eq!(client.data_set("twin").await.digest, empty);
    let rows = vec![row(2, "A", "grant", "0.10"), row(3, "B", "people", "7")];
    let mut backwards = rows.clone();
    backwards.reverse();
    let one = client.import("small", rows).await.unwrap();
    // Neither the order of rows, nor the data set's name, nor how a number is written is content.
    let twin = client.import("twin", backwards).await.unwrap();
    assert_eq!(one.digest, DIGEST);
    assert_eq!(twin.digest, DIGEST);
    assert_ne!(one.digest, empty);
    let two = client
        .import("small", vec![row(2, "A", "grant", "0.11")])
        .await
        .unwrap();
    assert_ne!(two.digest, one.digest);
    assert_eq!(client.data_set("small").await.digest, two.digest);
    assert_eq!(client.data_set("twin").await.digest, one.digest);
    server.stop().await;
}

async fn decimals_of_28_digits_survive(world: World) {
    const VALUES: [&str; 6] = [
        "0.1234567890123456789012345678",
        "9999999999999999999999999999",
        "-9999999999999999999999999999",
        "0.0000000000000000000000000001",
        "12345678901234.56789012345678",
        "0",
    ];
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    client
        .import_regions((0..VALUES.len()).map(|at| region(&format!("V{at}"))).collect())
        .await
        .unwrap();
    client
        .import_indicators(vec![indicator("exact", "ratio")])
        .await
        .unwrap();
    let rows = (0_u32..)
        .zip(VALUES)
        .map(|(at, value)| row(at + 2, &format!("V{at}"), "exact", value));
    client.import("small", rows.collect()).await.unwrap();
    let stored: Vec<String> = (client.observations("dataSets/small").await.into_iter())
        .map(|observation| observation.value)
        .collect();
    assert_eq!(stored, VALUES);
    let one_more = vec![row(2, "A", "exact", "0.12345678901234567890123456789")];
    let one_more = refused(client.import("small", one_more).await);
    one_more.tells("line 2, column value", &["28 digits"]);

    // They take part in a computation exactly: the shares of 9999999999999999999999999999 and of
    // 0.0000000000000000000000000001 differ by all but a fen.
    let request = pb::ComputeAllocationRequest {
        document: Some(crate::harness::share_by("exact", "max(exact, 0)")),
        data_set: "dataSets/small".to_owned(),
        pool: "1000000000000000.00".to_owned(),
        year: 2024,
        ..Default::default()
    };
    let computed = inner(client.allocations.compute_allocation(request).await);
    let lines = computed.allocation.unwrap().lines;
    let sum: i128 = lines.iter().map(|line| fen(&line.amount)).sum();
    assert_eq!(sum, 100_000_000_000_000_000);
    assert_eq!(lines[2].amount, "0.00");
    server.stop().await;
}

async fn validating_stores_nothing(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    let regions = pb::ImportRegionsRequest {
        regions: vec![region("A")],
        request_id: id(),
        validate_only: true,
    };
    assert_eq!(inner(client.statistics.import_regions(regions).await).imported, 1);
    let indicators = pb::ImportIndicatorsRequest {
        indicators: vec![indicator("x", "person")],
        request_id: id(),
        validate_only: true,
    };
    assert_eq!(
        inner(client.statistics.import_indicators(indicators).await).imported,
        1
    );
    let mut data_set = pb::CreateDataSetRequest {
        data_set_id: "small".to_owned(),
        title: "t".to_owned(),
        request_id: id(),
        validate_only: true,
    };
    inner(client.statistics.create_data_set(data_set.clone()).await);
    let listed = inner(
        client
            .statistics
            .list_regions(pb::ListRegionsRequest::default())
            .await,
    );
    assert!(listed.regions.is_empty());
    let listed = inner(
        client
            .statistics
            .list_indicators(pb::ListIndicatorsRequest::default())
            .await,
    );
    assert!(listed.indicators.is_empty());
    let listed = inner(
        client
            .statistics
            .list_data_sets(pb::ListDataSetsRequest::default())
            .await,
    );
    assert!(listed.data_sets.is_empty());

    // Validating does not use up the request id.
    data_set.validate_only = false;
    data_set.data_set_id = "other".to_owned();
    inner(client.statistics.create_data_set(data_set).await);
    small(&mut client).await;
    let only = pb::ImportObservationsHeader {
        validate_only: true,
        ..header("small")
    };
    let would = client
        .import_as(only.clone(), vec![row(2, "A", "people", "1")])
        .await
        .unwrap();
    assert_eq!(
        (would.added, would.name.as_str()),
        (1, "dataSets/small/revisions/1")
    );
    let wrong = refused(client.import_as(only, vec![row(2, "A", "people", "x")]).await);
    wrong.names("line 2, column value");
    assert_eq!(client.data_set("small").await.revision, 0);
    assert!(client.observations("dataSets/small").await.is_empty());
    server.stop().await;
}

async fn a_stream_begins_with_its_header(world: World) {
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let rows = || rows_message(vec![row(2, "A", "people", "1")]);
    let head = || header_message(header("small"));
    for messages in [
        vec![],
        vec![pb::ImportObservationsRequest::default()],
        vec![rows()],
        vec![head(), head()],
        vec![head(), rows(), pb::ImportObservationsRequest::default()],
    ] {
        let answer = client
            .statistics
            .import_observations(tokio_stream::iter(messages))
            .await;
        refused(answer).names("content");
    }
    let nowhere = client.import("none", vec![row(2, "A", "people", "1")]).await;
    assert_eq!(refusal(&nowhere.unwrap_err()).code, Code::NotFound);
    assert_eq!(client.data_set("small").await.revision, 0);
    server.stop().await;
}

async fn a_hundred_thousand_rows_in_one_stream(world: World) {
    const REGIONS: u32 = 2_000;
    const YEARS: u32 = 50;
    let server = world.serve().await;
    let mut client = server.client("统计员").await;
    small(&mut client).await;
    let regions = (0..REGIONS).map(|at| region(&format!("N{at:04}")));
    client.import_regions(regions.collect()).await.unwrap();
    let mut rows = Vec::new();
    for at in 0..REGIONS {
        for year in 0..YEARS {
            rows.push(pb::ObservationRow {
                year: (1975 + year).to_string(),
                ..row(
                    at * YEARS + year + 2,
                    &format!("N{at:04}"),
                    "people",
                    &(at + year).to_string(),
                )
            });
        }
    }
    let revision = client.import("small", rows.clone()).await.unwrap();
    assert_eq!((revision.added, revision.revised), (REGIONS * YEARS, 0));
    let stored = client.observations("dataSets/small").await;
    assert_eq!(stored.len(), 100_000);
    assert!(stored.iter().zip(&rows).all(|(stored, row)| {
        stored.value == row.value
            && stored.year.to_string() == row.year
            && stored.region.ends_with(&row.region)
    }));
    // One of them corrected.
    rows[77_777].value = "999".to_owned();
    let revision = client.import("small", rows).await.unwrap();
    assert_eq!(
        (revision.added, revision.revised, revision.unchanged),
        (0, 1, 99_999)
    );
    server.stop().await;
}
