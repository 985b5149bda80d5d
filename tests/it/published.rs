//! Published splits, computed by the program as anyone would: from tables on the command line, or over gRPC.

use crate::cli::office::{Office, Served, root};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::allocation_service_client::AllocationServiceClient;
use serde_json::Value;
use std::fmt::Write as _;
use tonic::transport::Channel;

const YEAR: i32 = 2024;

/// A record of a CSV file of `tests/data`, by column.
fn records(file: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(root().join("tests/data").join(file)).unwrap();
    let records = reader.records();
    records
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

/// The seats of each state, from tables in files: 435 fen for 435 seats.
fn apportion_house(office: &Office, states: &[Vec<String>]) -> Vec<(String, usize)> {
    let mut regions = "code,name_zh,name_en,kind\n".to_owned();
    let mut observations = "region,indicator,year,value,unit,source\n".to_owned();
    for state in states {
        let (code, population) = (&state[0], &state[1]);
        writeln!(regions, "{code},,{code},other").unwrap();
        writeln!(
            observations,
            "{code},population,{YEAR},{population},person,Census Bureau"
        )
        .unwrap();
    }
    std::fs::create_dir_all(office.path("house")).unwrap();
    office.write("house/regions.csv", regions);
    office.write("house/observations.csv", observations);
    office.write(
        "house/indicators.csv",
        "code,name_zh,name_en,unit,decimals,minimum\npopulation,人口,Population,person,0,0\n",
    );
    office.write(
        "house.toml",
        "id = \"house\"\ntitle_zh = \"众议院席位\"\n\
         [legal_basis]\ndocument = \"2 U.S.C. 2a\"\n\
         [rounding]\nunit = \"fen\"\nmethod = \"huntington_hill\"\n\
         [[components]]\nid = \"seats\"\nname_en = \"Seats\"\npercent = \"100\"\nscore = \"population\"\n",
    );
    let out = office.ok(&format!(
        "allocate --import house --formula house.toml --pool 4.35 --year {YEAR} --dry-run --format json"
    ));
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["totals"]["amount"], "4.35");
    let rows = json["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let seats = row["amount"].as_str().unwrap().replace('.', "");
            (row["region"].as_str().unwrap().to_owned(), seats.parse().unwrap())
        })
        .collect()
}

#[test]
fn the_house_of_representatives_of_2010_and_2020() {
    for year in ["2010", "2020"] {
        let office = Office::new();
        let states = records(&format!("us-house/{year}.csv"));
        assert_eq!(states.len(), 50);
        let mut published: Vec<(String, usize)> = states
            .iter()
            .map(|state| (state[0].clone(), state[2].parse().unwrap()))
            .collect();
        published.sort();
        assert_eq!(apportion_house(&office, &states), published, "{year}");
    }
}

/// Splits over gRPC.
struct Splitter {
    client: AllocationServiceClient<Channel>,
    _server: Served,
    _office: Office,
}

impl Splitter {
    async fn start() -> Self {
        let office = Office::new();
        let server = Served::start(&office);
        Self {
            client: AllocationServiceClient::connect(server.url()).await.unwrap(),
            _server: server,
            _office: office,
        }
    }

    /// The parts of `total` fen by weight; parts stand in the order given.
    async fn split(&mut self, method: &str, total: i64, weights: &[&str]) -> Vec<i64> {
        let codes: Vec<String> = (1..=weights.len()).map(|at| format!("P{at:03}")).collect();
        let region = |code: &String| pb::Region {
            name: format!("regions/{code}"),
            display_name_en: code.clone(),
            kind: pb::RegionKind::Other.into(),
            ..pb::Region::default()
        };
        let weight = pb::Indicator {
            name: "indicators/weight".to_owned(),
            display_name_en: "Weight".to_owned(),
            unit: "ratio".to_owned(),
            decimals: 28,
            ..pb::Indicator::default()
        };
        let observation = |(code, value): (&String, &&str)| pb::ObservationRow {
            region: code.clone(),
            indicator: "weight".to_owned(),
            year: YEAR.to_string(),
            value: (*value).to_owned(),
            source: "published".to_owned(),
            ..pb::ObservationRow::default()
        };
        let document = pb::FormulaDocument {
            id: "published".to_owned(),
            title_zh: "已发表的分配".to_owned(),
            legal_basis: Some(pb::LegalBasis {
                document: "published".to_owned(),
                ..pb::LegalBasis::default()
            }),
            rounding: Some(pb::Rounding {
                unit: "fen".to_owned(),
                method: method.to_owned(),
                ..pb::Rounding::default()
            }),
            components: vec![pb::Component {
                id: "weight".to_owned(),
                percent: "100".to_owned(),
                score: "weight".to_owned(),
                ..pb::Component::default()
            }],
            ..pb::FormulaDocument::default()
        };
        let request = pb::ComputeAllocationRequest {
            document: Some(document),
            regions: codes.iter().map(region).collect(),
            indicators: vec![weight],
            observations: codes.iter().zip(weights).map(observation).collect(),
            pool: format!("{}.{:02}", total / 100, total % 100),
            year: YEAR,
            ..pb::ComputeAllocationRequest::default()
        };
        let answer = self.client.compute_allocation(request).await.unwrap();
        let allocation = answer.into_inner().allocation.unwrap();
        let lines = allocation.lines.iter().map(|line| (&line.region, &line.amount));
        let (regions, parts): (Vec<&String>, Vec<i64>) = lines
            .map(|(region, amount)| (region, amount.replace('.', "").parse::<i64>().unwrap()))
            .unzip();
        assert!(regions.is_sorted());
        assert_eq!(parts.iter().sum::<i64>(), total);
        parts
    }
}

#[tokio::test]
async fn splits_that_other_libraries_got_wrong() {
    let mut splitter = Splitter::start().await;
    let cases = records("money-splits/cases.csv");
    assert_eq!(cases.len(), 7);
    for case in cases {
        let [id, total, weights, expected, _source] = case.as_slice() else {
            panic!("{case:?}")
        };
        let weights: Vec<&str> = weights.split(' ').collect();
        let mut expected: Vec<i64> = expected.split(' ').map(|part| part.parse().unwrap()).collect();
        let total = total.parse().unwrap();
        let found = splitter.split("largest_remainder", total, &weights).await;
        assert_eq!(found, expected, "{id}");

        // Turned round the answer is the same turned round, but for equal weights that one unit parts.
        let apart = weights.iter().zip(&expected).any(|(weight, part)| {
            weights
                .iter()
                .zip(&expected)
                .any(|(w, p)| w == weight && p != part)
        });
        if !apart {
            let turned: Vec<&str> = weights.into_iter().rev().collect();
            expected.reverse();
            let found = splitter.split("largest_remainder", total, &turned).await;
            assert_eq!(found, expected, "{id} turned round");
        }
    }
}

/// What a method gives: weights, units, and the parts by method.
struct Example {
    weights: &'static [&'static str],
    total: i64,
    parts: &'static [(&'static str, &'static [i64])],
}

const EXAMPLES: &[Example] = &[
    // M. L. Balinski, H. P. Young, Fair Representation, 2nd ed., Brookings 2001: five states of which the
    // traditional methods make as many different houses.
    Example {
        weights: &["9061", "7179", "5259", "3319", "1182"],
        total: 26,
        parts: &[
            ("adams", &[9, 7, 5, 3, 2]),
            ("huntington_hill", &[9, 7, 6, 3, 1]),
            ("webster", &[9, 8, 5, 3, 1]),
            ("jefferson", &[10, 7, 5, 3, 1]),
            ("largest_remainder", &[9, 7, 5, 4, 1]),
        ],
    },
    // electowiki.org, D'Hondt method. Adams by hand: one each; then 340, 280 and 340/2 = 170 thousand are
    // the greatest of the quotients 340, 280, 170, 160, 140, ...
    Example {
        weights: &["340000", "280000", "160000", "60000"],
        total: 7,
        parts: &[
            ("jefferson", &[3, 3, 1, 0]),
            ("dhondt", &[3, 3, 1, 0]),
            ("adams", &[3, 2, 1, 1]),
        ],
    },
    // electowiki.org, Sainte-Lague method: the party with most votes has no majority of seats.
    Example {
        weights: &["503", "304", "193"],
        total: 35,
        parts: &[("webster", &[17, 11, 7])],
    },
    // staatsrecht.honikel.de, worked examples of German election law.
    Example {
        weights: &["6100", "5000", "900"],
        total: 10,
        parts: &[
            ("sainte_lague", &[5, 4, 1]),
            ("largest_remainder", &[5, 4, 1]),
            ("dhondt", &[6, 4, 0]),
        ],
    },
    // Sainte-Lague by hand: the quotients 53, 24, 23, 53/3, 53/5 and then 24/3 = 8, 23/3 = 7.67 beat
    // 53/7 = 7.57. D'Hondt: 53, 26.5, 24, 23, 17.67, 13.25, 12.
    Example {
        weights: &["53000", "24000", "23000"],
        total: 7,
        parts: &[("webster", &[3, 2, 2]), ("jefferson", &[4, 2, 1])],
    },
    // The Alabama paradox: one unit more, and the third has one less.
    Example {
        weights: &["6", "6", "2"],
        total: 10,
        parts: &[("largest_remainder", &[4, 4, 2])],
    },
    Example {
        weights: &["6", "6", "2"],
        total: 11,
        parts: &[("largest_remainder", &[5, 5, 1])],
    },
    // The population paradox (COMAP, For All Practical Purposes): from one census to the next A grows and
    // D shrinks, and D gains.
    Example {
        weights: &["5525381", "3470152", "3864226", "201203"],
        total: 100,
        parts: &[("largest_remainder", &[42, 27, 30, 1])],
    },
    Example {
        weights: &["5657564", "3507464", "3885693", "201049"],
        total: 100,
        parts: &[("largest_remainder", &[43, 26, 29, 2])],
    },
];

#[tokio::test]
async fn textbook_examples_of_every_method() {
    let mut splitter = Splitter::start().await;
    for example in EXAMPLES {
        for (method, parts) in example.parts {
            let found = splitter.split(method, example.total, example.weights).await;
            assert_eq!(found, *parts, "{method}, {:?}", example.weights);
        }
    }
}
