//! Reports to look at: an ordinary one, the smallest, the largest, and one whose every text is an attack.
//! All figures are made up.

use incentive_fund::domain::error::Bilingual;
use incentive_fund::domain::money::Money;
use incentive_fund::domain::region::RegionCode;
use incentive_fund::report::simulation::*;
use rust_decimal::Decimal;

fn text(en: &str, zh: &str) -> Bilingual {
    Bilingual::new(en, zh)
}

fn fen(fen: i64) -> Money {
    Money::from_fen(fen).unwrap()
}

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn percent(change: i64, of: i64) -> Option<Decimal> {
    (of != 0).then(|| Decimal::from(change) * Decimal::ONE_HUNDRED / Decimal::from(of))
}

/// Some whole number that looks like none in particular: the same for the same arguments.
fn hash(seed: u64, at: u64) -> i64 {
    let mut z = (seed << 32 | at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    i64::try_from((z ^ (z >> 31)) >> 2).unwrap()
}

fn region(code: &str, en: &str, zh: &str, amount: i64, heads: i64, last_year: Option<i64>) -> RegionLine {
    RegionLine {
        code: RegionCode::parse("code", code).unwrap(),
        name: text(en, zh),
        amount: fen(amount),
        per_head: (heads > 0).then(|| fen(amount / heads.max(1))),
        last_year: last_year.map(fen),
    }
}

/// A scenario with these amounts.
fn scenario(
    report: &SimulationReport,
    name: Bilingual,
    changes: Vec<Bilingual>,
    amounts: &[i64],
) -> ScenarioSection {
    let mut order: Vec<usize> = (0..amounts.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(amounts[*at]));
    let outcomes = (report.regions.iter().zip(amounts).enumerate()).map(|(at, (region, amount))| Outcome {
        amount: fen(*amount),
        change: fen(amount - region.amount.fen()),
        change_percent: percent(amount - region.amount.fen(), region.amount.fen()),
        per_head: region.per_head.map(|_| fen(amount / 1_000)),
        rank: u32::try_from(order.iter().position(|place| *place == at).unwrap() + 1).unwrap(),
    });
    ScenarioSection {
        name,
        changes,
        against: None,
        outcomes: outcomes.collect(),
    }
}

fn spread(base: i64, seed: u64, last_year: bool) -> Spread {
    let part = |per_mille: i64| fen(base + base / 1000 * per_mille);
    let lean = hash(seed, 1) % 30 - 15;
    let wide = hash(seed, 2) % 60 + 10;
    let below = Decimal::new(hash(seed, 3) % 100_001, 3);
    Spread {
        p5: part(lean - wide),
        p25: part(lean - wide / 3),
        p50: part(lean),
        p75: part(lean + wide / 3),
        p95: part(lean + wide + 5),
        below_last_year: last_year.then_some(below),
        below_base: Some(Decimal::new(5000 - lean * 100, 2)),
    }
}

fn source(en: &str, zh: &str, name: &str, digit: &str) -> Source {
    Source {
        title: text(en, zh),
        name: name.to_owned(),
        revision: 3,
        digest: digit.repeat(64),
    }
}

fn curve(en: &str, zh: &str, bend: i64, gini: &str) -> LorenzCurve {
    LorenzCurve {
        name: text(en, zh),
        points: (0..=9)
            .map(|at| {
                let x = Decimal::new(at, 0) / Decimal::from(9);
                let dip = Decimal::new(bend * at * (9 - at), 4);
                (x, x - dip)
            })
            .collect(),
        gini: number(gini),
    }
}

fn driver(en: &str, zh: &str, first: &str, total: &str, (low, high): (i64, i64)) -> Driver {
    Driver {
        input: text(en, zh),
        first_order: Some(number(first)),
        total: Some(number(total)),
        swing: Some(Swing {
            low_at: "−5%".to_owned(),
            low: fen(low),
            high_at: "+5%".to_owned(),
            high: fen(high),
        }),
    }
}

/// Nothing but what there must be: two regions, one scenario.
pub fn least() -> SimulationReport {
    let mut report = SimulationReport {
        title: text("Two regions", "两个地区"),
        summary: text("", ""),
        illustrative: None,
        base: text("2024 formula", "2024年公式"),
        pool: fen(100_000_000),
        per_head_of: text("Per head", "人均"),
        regions: vec![
            region("411002", "Weidu District", "魏都区", 100_000_000, 0, None),
            region("411003", "Jian'an District", "建安区", 0, 0, None),
        ],
        scenarios: vec![],
        sweeps: vec![],
        monte_carlo: None,
        drivers: vec![],
        goals: vec![],
        stability: vec![],
        lorenz: vec![],
        fairness: None,
        provenance: Provenance {
            simulation: None,
            formula: source("", "", "formulas/f", "0"),
            data_set: source("", "", "dataSets/d", "1"),
            year: 2024,
            seed: None,
            result_digest: None,
            program: "incentive-fund 0.1.0".to_owned(),
            facts: vec![],
        },
    };
    report.scenarios = vec![scenario(
        &report,
        text("Half", "各半"),
        vec![],
        &[50_000_000, 50_000_000],
    )];
    report
}

/// An ordinary report of the nine units of Xuchang.
pub fn xuchang() -> SimulationReport {
    let mut report = least();
    report.title = text(
        "What if: the citizenization fund of Xuchang, 2025",
        "许昌市2025年农业转移人口市民化奖补资金测算报告",
    );
    report.summary = text(
        "Three proposals compared with the settled formula; what uncertain statistics do to them; who is treated how.",
        "将三种调整方案与现行公式比较,并说明统计误差的影响和各方案的公平性。",
    );
    report.illustrative = Some(text(
        "No statistics by county were published; all figures here are made up.",
        "许昌市未公布分县数据,本报告所有数值均为虚构。",
    ));
    report.base = text(
        "Formula of 2024, statistics of 2024",
        "2024年公式和2024年统计数据",
    );
    report.pool = fen(8_600_000_000);
    report.per_head_of = text("Per resident settled", "每名落户人口");
    report.regions = vec![
        region(
            "411002",
            "Weidu District",
            "魏都区",
            1_812_345_678,
            3_210,
            Some(1_790_000_000),
        ),
        region(
            "411003",
            "Jian'an District",
            "建安区",
            1_105_500_000,
            2_410,
            Some(1_150_000_000),
        ),
        region(
            "411024",
            "Yanling County",
            "鄢陵县",
            690_012_345,
            1_520,
            Some(725_000_000),
        ),
        region(
            "411025",
            "Xiangcheng County",
            "襄城县",
            845_678_901,
            1_833,
            Some(800_000_000),
        ),
        region(
            "411081",
            "Yuzhou City",
            "禹州市",
            1_623_456_789,
            3_300,
            Some(1_600_000_000),
        ),
        region(
            "411082",
            "Changge City",
            "长葛市",
            1_401_234_567,
            2_900,
            Some(1_410_000_000),
        ),
        region(
            "411071",
            "Economic and Technological Development Zone",
            "经济技术开发区",
            510_000_000,
            1_050,
            None,
        ),
        region(
            "4110-DC",
            "Dongcheng functional zone",
            "东城区",
            401_771_720,
            880,
            Some(390_000_000),
        ),
        region(
            "4110-SF",
            "Urban-Rural Integration Demonstration Zone",
            "市城乡一体化示范区",
            210_000_000,
            400,
            Some(210_000_000),
        ),
    ];
    let base: Vec<i64> = report.regions.iter().map(|region| region.amount.fen()).collect();
    let moved =
        |moves: [i64; 9]| -> Vec<i64> { base.iter().zip(moves).map(|(amount, by)| amount + by).collect() };
    let weights = moved([
        92_345_601,
        -41_000_055,
        -22_012_345,
        8_765_400,
        51_234_000,
        -70_000_101,
        -12_332_500,
        0,
        -7_000_000,
    ]);
    let shrunk: Vec<i64> = base.iter().map(|amount| amount * 92 / 100).collect();
    let floor = moved([
        -11_345_678,
        -8_012_000,
        34_987_655,
        -6_500_000,
        -10_129_977,
        -9_000_000,
        0,
        10_000_000,
        0,
    ]);
    report.scenarios = vec![
        scenario(
            &report,
            text("Settled residents 60 %", "落户权重60%"),
            vec![
                text("Percentage of settled residents: 50 → 60", "落户人口占比:50 → 60"),
                text("All others in proportion, sum 100", "其余按比例调整,合计100"),
            ],
            &weights,
        ),
        scenario(
            &report,
            text("Pool −8 %", "资金减少8%"),
            vec![text(
                "Pool: 86,000,000.00 → 79,120,000.00",
                "资金:86,000,000.00 → 79,120,000.00",
            )],
            &shrunk,
        ),
        scenario(
            &report,
            text("Yanling has a floor", "鄢陵县保底"),
            vec![text(
                "A floor of 7,250,000.00 for Yanling",
                "鄢陵县下限 7,250,000.00",
            )],
            &floor,
        ),
    ];
    report.sweeps = vec![two_axes(), one_axis(&report)];
    report.monte_carlo = Some(MonteCarloSection {
        samples: 10_000,
        assumptions: vec![
            text(
                "Residents settled: normal, standard deviation 3 % (survey)",
                "落户人口:正态分布,标准差3%(抽样调查)",
            ),
            text("Migrant pupils: uniform, ±2 %", "随迁子女:均匀分布,±2%"),
        ],
        regions: (base.iter().zip(0..))
            .map(|(amount, at)| spread(*amount, at, at != 6))
            .collect(),
    });
    report.drivers = vec![DriverSection {
        result: text("Amount of Yuzhou", "禹州市的金额"),
        base: fen(1_623_456_789),
        drivers: vec![
            driver(
                "Migrant pupils",
                "随迁子女",
                "0.1834",
                "0.1990",
                (1_610_000_000, 1_637_500_000),
            ),
            driver(
                "Residents settled, Yuzhou",
                "禹州市落户人口",
                "0.6312",
                "0.6520",
                (1_571_000_000, 1_675_120_000),
            ),
            driver(
                "Residents settled, all others",
                "其他地区落户人口",
                "0.1720",
                "0.1701",
                (1_650_000_000, 1_598_000_000),
            ),
            driver(
                "Fiscal capacity",
                "财力状况",
                "-0.0012",
                "0.0003",
                (1_623_456_789, 1_623_456_789),
            ),
        ],
    }];
    report.goals = vec![
        GoalLine {
            target: text(
                "Yanling gets at least 7,250,000.00 yuan",
                "鄢陵县不少于 7,250,000.00 元",
            ),
            knob: text("Percentage of settled residents", "落户人口占比"),
            from: number("50"),
            to: number("43.27"),
            reached: Measure::Money(fen(725_001_122)),
            met: true,
        },
        GoalLine {
            target: text("Nobody loses more than 1 %", "任何地区减少不超过1%"),
            knob: text("Pool, yuan", "资金总额(元)"),
            from: number("86000000.00"),
            to: number("90000000.00"),
            reached: Measure::Number(number("-1.37")),
            met: false,
        },
    ];
    report.stability = vec![StabilityLine {
        knob: text("Percentage of settled residents", "落户人口占比"),
        at: number("50"),
        down: Some(RankChange {
            at: number("31.40"),
            who: text("Yuzhou and Changge", "禹州市与长葛市"),
        }),
        up: None,
        least: number("0"),
        greatest: number("100"),
    }];
    report.lorenz = vec![
        curve("Base", "基准", 20, "0.0412"),
        curve("Settled residents 60 %", "落户权重60%", 50, "0.1034"),
        curve("Yanling has a floor", "鄢陵县保底", 35, "0.0718"),
    ];
    report.fairness = Some(fairness(&[
        text("Base", "基准"),
        text("Settled residents 60 %", "落户权重60%"),
        text("Pool −8 %", "资金减少8%"),
        text("Yanling has a floor", "鄢陵县保底"),
    ]));
    report.provenance = Provenance {
        simulation: Some("simulations/0193a2b4-1111-7abc-8def-0123456789ab".to_owned()),
        formula: source(
            "Weighted by residents settled",
            "按落户人口加权的公式",
            "formulas/xuchang-settled-resident",
            "3fa9",
        ),
        data_set: source(
            "Statistics of Xuchang",
            "许昌市统计数据",
            "dataSets/xuchang",
            "07c2",
        ),
        year: 2024,
        seed: Some(20_250_101),
        result_digest: Some("b41d".repeat(16)),
        program: "incentive-fund 0.1.0".to_owned(),
        facts: vec![Fact {
            label: text("Made by", "编制人"),
            value: text("Zhang San", "张三"),
        }],
    };
    for source in [&mut report.provenance.formula, &mut report.provenance.data_set] {
        source.digest.truncate(64);
    }
    report
}

fn two_axes() -> SweepSection {
    SweepSection {
        title: text("Amount of Yuzhou", "禹州市的金额"),
        across: SweepAxis {
            name: text("Percentage of settled residents", "落户人口占比(%)"),
            values: (0..11)
                .map(|at| AxisValue::Number(Decimal::from(40 + 2 * at)))
                .collect(),
        },
        down: SweepAxis {
            name: text("Pool, yuan", "资金总额(元)"),
            values: (0..9)
                .map(|at| AxisValue::Number(Decimal::from(78_000_000 + 2_000_000 * at)))
                .collect(),
        },
        cells: (0..9_i64)
            .map(|down| {
                (0..11_i64)
                    .map(|across| match (down, across) {
                        (0, 9 | 10) => Measure::Refused,
                        _ => Measure::Money(fen(1_450_000_033 + 41_000_007 * down + 9_870_021 * across)),
                    })
                    .collect()
            })
            .collect(),
        base: Some((4, 5)),
    }
}

fn one_axis(report: &SimulationReport) -> SweepSection {
    SweepSection {
        title: text("Changes when the floor rises", "下限提高时各地区的增减"),
        across: SweepAxis {
            name: text("Floor, 10,000 yuan", "下限(万元)"),
            values: (0..6)
                .map(|at| AxisValue::Number(Decimal::new(6_900 + 75 * at, 1)))
                .collect(),
        },
        down: SweepAxis {
            name: text("Region", "地区"),
            values: (report.regions.iter())
                .map(|region| AxisValue::Name(region.name.clone()))
                .collect(),
        },
        cells: (0..9_i64)
            .map(|down| {
                (0..6_i64)
                    .map(|across| match down {
                        2 => Measure::Change(fen(across * 7_500_000)),
                        _ => Measure::Change(fen(-across * (700_000 + 57_003 * down))),
                    })
                    .collect()
            })
            .collect(),
        base: None,
    }
}

fn fairness(columns: &[Bilingual]) -> FairnessSection {
    let metric = |en: &str, zh: &str, note_en: &str, note_zh: &str, value: &str| FairnessMetric {
        name: text(en, zh),
        note: text(note_en, note_zh),
        values: (0..columns.len())
            .map(|at| (at != 2).then(|| number(value) + Decimal::new(i64::try_from(at).unwrap(), 3)))
            .collect(),
    };
    FairnessSection {
        columns: columns.to_vec(),
        metrics: vec![
            metric(
                "Gini per head",
                "人均基尼系数",
                "0 is equal. Gini 1912.",
                "0 为完全平均。Gini 1912。",
                "0.041234",
            ),
            metric(
                "Theil T",
                "泰尔指数 T",
                "0 is equal. Theil 1967.",
                "0 为完全平均。Theil 1967。",
                "0.0123",
            ),
            metric(
                "Largest over smallest per head",
                "人均最大值与最小值之比",
                "1 is equal.",
                "1 为完全平均。",
                "1.75",
            ),
            metric(
                "Spearman, migrants and money",
                "斯皮尔曼相关(落户人口与资金)",
                "1: money leans to where migrants are. Spearman 1904.",
                "1 表示资金流向落户人口多的地区。Spearman 1904。",
                "0.95",
            ),
        ],
    }
}

/// Fifty regions with long names, twenty scenarios, amounts from one fen to the most that there can be.
pub fn most() -> SimulationReport {
    let mut report = xuchang();
    report.regions = (0..50_u64)
        .map(|at| {
            let code = format!("9900{at:02}");
            let (en, zh) = match at % 5 {
                0 => ("Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetzlicher Landkreis", "积石山保安族东乡族撒拉族自治县"),
                1 => (
                    "Shuangjiang Lahu, Va, Blang and Dai Autonomous County with the Demonstration Zone for Everything Else That There Is",
                    "双江拉祜族佤族布朗族傣族自治县(含边境经济合作区、城乡一体化发展示范区和高新技术产业开发区)",
                ),
                2 => ("A", "甲"),
                3 => ("WWWWWWWWWW MMMMMMMMMM @@@@@@@@@@", "市城乡一体化示范区"),
                _ => ("Economic and Technological Development Zone", "经济技术开发区"),
            };
            let amount = match at {
                0 => 99_999_999_999_999_999,
                1 => 0,
                2 => 1,
                3 => -123_456_789_012_345,
                _ => hash(7, at) % 10_i64.pow(u32::try_from(at % 16).unwrap() + 1),
            };
            region(&code, en, zh, amount, 1, Some(amount / 3 * 2))
        })
        .collect();
    let base: Vec<i64> = report.regions.iter().map(|region| region.amount.fen()).collect();
    report.scenarios = (0..20_u64)
        .map(|at| {
            let amounts: Vec<i64> = (base.iter().zip(0_u64..))
                .map(|(amount, place)| match (at + place) % 4 {
                    0 => *amount,
                    1 => amount / 2,
                    2 => amount / 5 - 1,
                    _ => (amount + hash(at, place) % 1_000_000_000_000).min(99_999_999_999_999_999),
                })
                .collect();
            let name = match at % 3 {
                0 => text("S", "一"),
                1 => text(
                    "Percentage of settled residents raised to sixty with all others in proportion",
                    "落户人口占比提高到百分之六十其余按比例调整",
                ),
                _ => text(&format!("Scenario {at}"), &format!("方案{at}")),
            };
            scenario(&report, name, vec![text("x", "乙")], &amounts)
        })
        .collect();
    let mut wide = two_axes();
    wide.across.values = (0..41)
        .map(|at| AxisValue::Number(Decimal::new(at * 1_234_567, 4)))
        .collect();
    wide.down.values = (0..60).map(|at| AxisValue::Number(Decimal::from(at))).collect();
    wide.cells = (0..60_u64)
        .map(|down| {
            (0..41_u64)
                .map(|across| match across % 4 {
                    0 => Measure::Money(fen(hash(down, across) % 100_000_000_000_000_000)),
                    1 => Measure::Money(fen(1)),
                    2 => Measure::Refused,
                    _ => Measure::Money(fen(0)),
                })
                .collect()
        })
        .collect();
    wide.base = Some((59, 40));
    report.sweeps = vec![wide];
    report.monte_carlo.as_mut().unwrap().regions = (base.iter().zip(0..))
        .map(|(amount, at)| {
            let amount = (*amount).clamp(0, 90_000_000_000_000_000);
            spread(amount, at, true)
        })
        .collect();
    report.drivers[0].drivers = (0..30)
        .map(|at| {
            let low = 1_623_456_789 - hash(at, 1) % 900_000_000;
            driver(
                "Residents settled in the Economic and Technological Development Zone",
                "经济技术开发区落户人口(含市城乡一体化示范区)",
                "0.0312",
                "1.3201",
                (low, low + hash(at, 2) % 50_000_000_000),
            )
        })
        .collect();
    report.lorenz = (0..21)
        .map(|at| {
            curve(
                "Percentage of settled residents raised to sixty with all others in proportion",
                "落户人口占比提高到百分之六十其余按比例调整",
                at * 5,
                "0.51",
            )
        })
        .collect();
    let columns: Vec<Bilingual> = report.lorenz.iter().map(|curve| curve.name.clone()).collect();
    report.fairness = Some(fairness(&columns));
    report
}

/// Every text of the model tries to get out of its place.
pub fn hostile() -> SimulationReport {
    let attack = r#"</title></style></script><script>document.title='owned'</script><img src=//x.invalid/i onerror=alert(1)>"'><svg onload=alert(1)>&lt;]]>--> {}"#;
    let both = || text(attack, attack);
    let mut report = xuchang();
    report.title = both();
    report.summary = both();
    report.illustrative = Some(both());
    report.base = both();
    report.per_head_of = both();
    report.regions.iter_mut().for_each(|region| region.name = both());
    for scenario in &mut report.scenarios {
        scenario.name = both();
        scenario.changes = vec![both()];
        scenario.against = Some(both());
    }
    for sweep in &mut report.sweeps {
        sweep.title = both();
        sweep.across.name = both();
        sweep.down.name = both();
        sweep
            .across
            .values
            .iter_mut()
            .for_each(|value| *value = AxisValue::Name(both()));
    }
    report.monte_carlo.as_mut().unwrap().assumptions = vec![both()];
    for section in &mut report.drivers {
        section.result = both();
        for driver in &mut section.drivers {
            driver.input = both();
            let swing = driver.swing.as_mut().unwrap();
            swing.low_at = attack.to_owned();
            swing.high_at = attack.to_owned();
        }
    }
    for goal in &mut report.goals {
        goal.target = both();
        goal.knob = both();
    }
    for line in &mut report.stability {
        line.knob = both();
        line.down.as_mut().unwrap().who = both();
    }
    report.lorenz.iter_mut().for_each(|curve| curve.name = both());
    let fairness = report.fairness.as_mut().unwrap();
    fairness.columns.iter_mut().for_each(|column| *column = both());
    for metric in &mut fairness.metrics {
        metric.name = both();
        metric.note = both();
    }
    let provenance = &mut report.provenance;
    provenance.simulation = Some(attack.to_owned());
    provenance.result_digest = Some(attack.to_owned());
    provenance.program = attack.to_owned();
    for source in [&mut provenance.formula, &mut provenance.data_set] {
        source.title = both();
        source.name = attack.to_owned();
        source.digest = attack.to_owned();
    }
    provenance.facts[0].label = both();
    provenance.facts[0].value = both();
    report
}
