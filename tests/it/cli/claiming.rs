//! `claim`: from a table of claims to quota that is bound, and nothing personal on the way.

use super::office::{Office, golden};

/// An office with keys, rules, and quota for housing purchases in Weidu.
fn office() -> Office {
    let office = Office::xuchang();
    office.ok("keys generate --out keys.toml --id 2026");
    office.write("incentive-fund.toml", "[privacy]\nkey_file = \"keys.toml\"\n");
    office.ok("policy defaults --examples");
    office.ok("fund receive f 86000000 --document 豫财预〔2024〕101号 --as 张三");
    let draft = super::office::kept(&office.ok(
        "allocate --data-set xuchang --formula config/formulas/xuchang-settled-resident.toml --year 2024 \
         --fund f --pool 86000000 --as 张三",
    ));
    office.ok(&format!("runs approve {draft} --as 李四"));
    office.ok(&format!("runs issue {draft} --as 王五"));
    office.ok("fund contribute f 500000 --region 411002 --document 县级配套 --as 张三");
    for payer in ["city", "county"] {
        office.ok(&format!(
            "fund assign f --region 411002 --programme housing-purchase --payer {payer} --amount 150000 --as 张三"
        ));
    }
    office
}

const IMPORT: &str = "claim import claims.csv --fund f --programme housing-purchase --as 经办人";

fn example(office: &Office) -> String {
    std::fs::read_to_string(office.path("examples/xuchang/claims.csv")).unwrap()
}

/// All that is personal in the example.
fn secrets(office: &Office) -> Vec<String> {
    let mut found = Vec::new();
    for line in example(office)
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with("合计"))
    {
        let cells: Vec<&str> = line.split(',').collect();
        found.extend([2, 3, 5, 6, 8, 11].map(|at| cells[at].to_owned()));
    }
    found
}

#[test]
fn from_a_table_to_bound_quota() {
    let office = office();
    office.write("claims.csv", example(&office));
    let dry = office.ok(&format!("{IMPORT} --dry-run"));
    assert_eq!(
        dry,
        "20 of 20 claims / 件申请 checked, nothing stored / 已校验,未入库\n"
    );
    assert_eq!(office.ok("claim list f --format csv").lines().count(), 1);
    let done = office.ok(IMPORT);
    assert_eq!(done, "20 of 20 claims / 件申请 handed in / 已申报\n");
    assert_eq!(office.ok(IMPORT), done, "imported again, it changes nothing");
    golden("claims.csv", &office.ok("claim list f --format csv"));

    let error = office.fails(1, "claim approve f/1 --as 经办人");
    assert!(error.contains("须由他人审批"), "{error}");
    let one = office.ok("claim approve f/1 --as 审批人 --format csv");
    assert!(
        one.contains("funds/f/claims/1,") && one.contains("reserved"),
        "{one}"
    );
    office.write("list.txt", "f/2\n\nfunds/f/claims/3\n");
    let two = office.ok("claim approve --list list.txt --as 审批人 --format csv");
    assert_eq!(two.matches("reserved").count(), 2, "{two}");
    let rest = office.run("claim approve --all f --state submitted --may-wait --as 审批人 --format csv");
    assert_eq!((rest.code, rest.err.as_str()), (0, ""));
    golden("claims-approved.csv", &rest.out);
    let status = office.ok("fund status f --format csv");
    assert!(status.contains("housing-purchase"), "{status}");
    office.ok("fund contribute f 100 --region 411002 --document 增补 --as 张三");
    assert_eq!(
        office
            .ok("claim reserve-waiting f --region 411002 --programme housing-purchase --as 审批人 --format csv")
            .lines()
            .count(),
        1
    );
    let notices = office.ok("claim notices f --format csv");
    assert!(
        notices.contains("number,applicant,id_number,region,programme,amount,"),
        "{notices}"
    );
    assert!(notices.contains("1,示**,4199************"), "{notices}");

    office.write("said.txt", "示例甲已有住房\n");
    let held = office.ok("claim object f/1 --file said.txt --as 经办人 --format json");
    assert!(held.contains("\"open_objections\": 1"), "{held}");
    assert_eq!(office.ok("claim objection f/1 1"), "示例甲已有住房\n");
    let error = office.fails(1, "claim resolve f/1 1 --dismissed --reason 核实 --as 经办人");
    assert!(error.contains("须由他人处理"), "{error}");
    office.ok("claim resolve f/1 1 --dismissed --reason 核实无误 --as 审批人");
    office.ok("claim cancel f/2 --reason 合同解除 --as 审批人");
    let shown = office.ok("claim show f/1");
    assert!(
        shown.contains("异议 Objection funds/f/claims/1/objections/1: dismissed 核实无误"),
        "{shown}"
    );
    let history = office.ok("claim history f/1 --format csv");
    for kind in [
        "claim.submitted",
        "claim.approved",
        "claim.objected",
        "claim.objection_dismissed",
    ] {
        assert!(history.contains(kind), "{history}");
    }
    let explained = office.ok("claim explain f/1");
    assert!(explained.contains("17700.00"), "{explained}");
    let error = office.fails(
        1,
        "claim return f/1 --payer city --amount 1 --reason 退款 --as 经办人",
    );
    assert!(error.contains("CLAIM") || error.contains("已支付"), "{error}");
    office.ok("fund verify f");

    // Nothing personal in the database, nor in what was printed.
    let stored = String::from_utf8_lossy(&std::fs::read(database(&office)).unwrap()).into_owned();
    for secret in secrets(&office) {
        for text in [&stored, &shown, &history, &notices, &held, &rest.out, &explained] {
            assert!(!text.contains(&secret), "{secret}");
        }
    }
}

/// The file of the database.
fn database(office: &Office) -> std::path::PathBuf {
    let directory = office.path("");
    let files = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "db"))
        .unwrap()
}

#[test]
fn rows_that_are_refused_are_listed_without_what_they_say() {
    let office = office();
    let mut lines: Vec<String> = example(&office).lines().map(str::to_owned).collect();
    lines[2] = lines[2].replace(",90,", ",0,");
    lines[3] = lines[3].replacen("419999", "410000", 1);
    lines[4] = lines[4].replace(",是,是,", ",否,是,");
    lines.insert(6, lines[5].clone());
    lines[8] = lines[8].replace(",75,", ",示例庚,");
    let last = lines.len() - 1;
    lines[last] = lines[last].replace("共20件", "共21件");
    office.write("claims.csv", lines.join("\n") + "\n");
    let answer = office.run(IMPORT);
    assert_eq!(answer.code, 1, "{}", answer.err);
    assert_eq!(answer.out, "16 of 21 claims / 件申请 handed in / 已申报\n");
    assert!(
        answer
            .err
            .contains("5 row(s) were refused, listed in claims.csv.refused.csv"),
        "{}",
        answer.err
    );
    let refused = std::fs::read_to_string(office.path("claims.csv.refused.csv")).unwrap();
    golden("claims-refused.csv", &refused);
    for secret in secrets(&office) {
        assert!(
            !refused.contains(&secret) && !answer.err.contains(&secret),
            "{secret} in {refused}"
        );
    }
    let again = office.run(IMPORT);
    assert_eq!((again.out, again.err), (answer.out, answer.err));
    // Corrected and tried again: what was taken is refused as a second claim, the rest is taken.
    office.write("claims.csv", example(&office));
    let corrected = office.run(IMPORT);
    assert_eq!(
        corrected.out, "4 of 20 claims / 件申请 handed in / 已申报\n",
        "{}",
        corrected.err
    );
}

#[test]
fn a_table_that_was_cut_short_is_refused_whole() {
    let office = office();
    let whole = example(&office);
    let rows: Vec<&str> = whole.lines().collect();
    let head = rows[..10].join("\n") + "\n";
    for (text, options) in [
        (format!("{head}{}\n", rows[21]), ""),
        (whole[..whole.len() / 2].to_owned(), " --rows 20"),
        (head, " --rows 20"),
    ] {
        office.write("claims.csv", text);
        let error = office.fails(2, &format!("{IMPORT}{options}"));
        assert!(!error.contains("示例"), "{error}");
    }
    assert_eq!(office.ok("claim list f --format csv").lines().count(), 1);
    let error = office.fails(2, "claim import claims.csv --fund f --programme none");
    assert!(error.contains("--programme none"), "{error}");
}

const ONE: &str = r#"
fund = "f"
region = "411002"
programme = "housing-purchase"
documents = ["household_register", "contract", "filing"]
phone = "000-0000099"
home = "SL-2024-00099"

[facts]
registration = "rural"
first_home = true
new_home = true
location = "county_seat"
contract_date = "2024-08-01"
filing_date = "2024-08-20"
area = "88.5"
price = "800000"
subsidised_before = false

[applicant]
name = "示例甲"
id_number = "ID"

[payee]
name = "示例甲"
account = "9999000000000000099"
bank_name = "示例银行许昌支行"
bank_code = "102100099996"
"#;

#[test]
fn one_claim_from_a_file() {
    let office = office();
    let number = crate::claims::setup::id_number(9);
    office.write("claim.toml", ONE.replace("ID", &number));
    let dry = office.ok("claim submit claim.toml --dry-run --as 经办人");
    assert!(dry.contains("dry run, nothing changed"), "{dry}");
    let out = office.ok("claim submit claim.toml --as 经办人 --format csv");
    assert!(
        out.contains("funds/f/claims/1,411002,housing-purchase,已申报 submitted,示**,4110************"),
        "{out}"
    );
    let error = office.fails(1, "claim submit claim.toml --as 经办人");
    assert!(
        error.contains("funds/f/claims/1") && !error.contains("示例"),
        "{error}"
    );
    let error = office.fails(
        1,
        "claim reject f/1 --reason 不符 --as 审批人 --etag 000000000000",
    );
    assert!(error.contains("已被更新"), "{error}");
    office.ok("claim withdraw f/1 --as 经办人");
    for (text, line) in [
        (ONE.replace("\"ID\"", &number), "line 22"),
        (ONE.replace("phone", "示例甲"), "line 6"),
    ] {
        office.write("claim.toml", text);
        let error = office.fails(2, "claim submit claim.toml --as 经办人");
        assert!(
            error.contains(line) && !error.contains(&number) && !error.contains("示例"),
            "{error}"
        );
    }
    let error = office.fails(2, "claim approve");
    assert!(error.contains("no claim is named"), "{error}");
}
