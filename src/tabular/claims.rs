//! Claims of one programme, a row each. They are personal data: no error repeats a cell, nor a heading that
//! is not known, which may be a row of the body.

use super::layout::CLAIMS;
use super::{Sheet, letters, read_as, veiled};
use crate::domain::error::{Faults, Violation};
use crate::domain::statistics::half_width;
use std::collections::BTreeMap;

/// Other members of a household that a row has columns for.
const MEMBERS: [[&str; 2]; 6] = [
    ["member1_name", "member1_id_number"],
    ["member2_name", "member2_id_number"],
    ["member3_name", "member3_id_number"],
    ["member4_name", "member4_id_number"],
    ["member5_name", "member5_id_number"],
    ["member6_name", "member6_id_number"],
];
/// What stands first in the row that says how many rows there are.
const TOTAL_LABELS: [&str; 4] = ["合计", "总计", "合计 total", "total"];

/// A row: one claim, as text.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// Line in the file, counted from 1.
    pub line: u32,
    /// Code of the region; may be empty.
    pub region: String,
    /// Name and ID number of who claims.
    pub applicant: (String, String),
    /// The same of the other members of the household.
    pub household: Vec<(String, String)>,
    /// Telephone number; may be empty.
    pub phone: String,
    /// Who is paid: name, account, bank, its code. Where no name is given it is the applicant's.
    pub payee: [String; 4],
    /// The home's number; may be empty.
    pub home: String,
    /// Kinds of documents.
    pub documents: Vec<String>,
    /// Facts by code.
    pub facts: BTreeMap<String, String>,
}

/// Reads claims, CSV or XLSX. `facts` are the facts of the programme: of each its code and the headings it
/// goes by. A last row 合计 (total) says how many rows there are; one that says another number is a fault,
/// since the file was cut short.
pub fn claim_rows(
    file_name: &str,
    bytes: &[u8],
    facts: &[(String, Vec<String>)],
) -> Result<Vec<ClaimRow>, Vec<Violation>> {
    let mut sheet = read_as(&[&CLAIMS], file_name, bytes).map_err(veiled)?;
    let found = CLAIMS.find(&sheet)?;
    let columns = fact_columns(&sheet, facts)?;
    check_total(&mut sheet)?;
    let rows = sheet.rows.iter().map(|(line, row)| {
        let cell = |name: &str| found.cell(row, name).trim().to_owned();
        let applicant = (cell("name"), cell("id_number"));
        let members = MEMBERS.map(|[name, number]| (cell(name), cell(number)));
        let payee = match cell("payee_name") {
            name if name.is_empty() => applicant.0.clone(),
            name => name,
        };
        let documents = cell("documents");
        ClaimRow {
            line: *line,
            region: half_width(&cell("region")),
            household: (members.into_iter())
                .filter(|(name, number)| !(name.is_empty() && number.is_empty()))
                .collect(),
            phone: cell("phone"),
            payee: [payee, cell("account"), cell("bank_name"), cell("bank_code")],
            home: cell("home"),
            documents: documents
                .split(|c: char| c.is_whitespace() || matches!(c, ';' | '；' | '、' | ',' | '，'))
                .filter(|kind| !kind.is_empty())
                .map(str::to_owned)
                .collect(),
            facts: (columns.iter())
                .filter_map(|(at, code)| Some((code.clone(), row.get(*at)?.trim().to_owned())))
                .filter(|(_, value)| !value.is_empty())
                .collect(),
            applicant,
        }
    });
    Ok(rows.collect())
}

/// Which column holds which fact. Every heading must be known.
fn fact_columns(
    sheet: &Sheet,
    facts: &[(String, Vec<String>)],
) -> Result<Vec<(usize, String)>, Vec<Violation>> {
    let plain = |text: &str| half_width(text).trim().to_lowercase();
    let mut faults = Faults::default();
    let mut columns: Vec<(usize, String)> = Vec::new();
    for (at, heading) in sheet.header.iter().enumerate() {
        let heading = plain(heading);
        if CLAIMS.knows(&heading) || heading.is_empty() {
            continue;
        }
        let fact = facts
            .iter()
            .find(|(code, names)| plain(code) == heading || names.iter().any(|name| plain(name) == heading));
        let field = || format!("line {}, column {}", sheet.header_line, letters(at));
        match fact {
            Some((code, _)) if columns.iter().any(|(_, known)| known == code) => faults.add(|| {
                Violation::new(
                    field(),
                    format!("{code} again"),
                    "one column for each fact",
                    "每个事项只能有一列",
                )
            }),
            Some((code, _)) => columns.push((at, code.clone())),
            None => faults.add(|| {
                let codes: Vec<&str> = facts.iter().map(|(code, _)| code.as_str()).collect();
                let names: Vec<&str> = facts
                    .iter()
                    .map(|(code, names)| names.first().unwrap_or(code).as_str())
                    .collect();
                Violation::new(
                    field(),
                    "(not shown)",
                    format!(
                        "a column of claims or a fact of the programme: {}",
                        codes.join(", ")
                    ),
                    format!("申请表的列或项目的事项:{}", names.join("、")),
                )
            }),
        }
    }
    faults.finish()?;
    Ok(columns)
}

/// Takes the total row out and holds it against the rows.
fn check_total(sheet: &mut Sheet) -> Result<(), Vec<Violation>> {
    let first = |row: &[String]| {
        let cell = row.iter().map(|cell| cell.trim()).find(|cell| !cell.is_empty());
        cell.unwrap_or_default().to_lowercase()
    };
    let is_total = |row: &[String]| TOTAL_LABELS.contains(&first(row).as_str());
    let Some(at) = sheet.rows.iter().position(|(_, row)| is_total(row)) else {
        return Ok(());
    };
    let after = sheet.rows.split_off(at);
    let Some((line, total)) = after.first() else {
        return Ok(());
    };
    if after.len() > 1 {
        return Err(vec![Violation::new(
            format!("line {line}"),
            "rows below the total",
            "nothing below the total",
            "合计行之后不得有数据行",
        )]);
    }
    let filled = total.iter().map(|cell| half_width(cell.trim()));
    let declared = filled.filter(|cell| !cell.is_empty()).nth(1).unwrap_or_default();
    let declared = declared.trim_matches(|c: char| !c.is_ascii_digit());
    let found = sheet.rows.len();
    if declared.parse() == Ok(found) {
        return Ok(());
    }
    Err(vec![Violation::new(
        format!("line {line}"),
        format!("{found} rows above the total / 合计行之前有 {found} 行"),
        "as many rows as the total says: the file may have been cut short",
        "与合计行所列件数一致;文件可能不完整",
    )])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Vec<(String, Vec<String>)> {
        vec![
            (
                "area".to_owned(),
                vec!["建筑面积".to_owned(), "floor area".to_owned()],
            ),
            ("price".to_owned(), vec!["合同总价".to_owned()]),
        ]
    }

    fn read(text: &str) -> Result<Vec<ClaimRow>, Vec<Violation>> {
        claim_rows("c.csv", text.as_bytes(), &facts())
    }

    #[test]
    fn reads_headings_in_either_language() {
        let zh = "申请表,,,,,,,,,\n姓名,身份证号,收款账号,开户行,联行号,成员1姓名,成员1身份证号,材料,建筑面积,合同总价\n\
                  令狐试,1,2,工行,3,令狐例,4,contract、filing,88.5,800000\n合计,共1件,,,,,,,,\n";
        let en = "name,id_number,account,bank_name,bank_code,member1_name,member1_id_number,documents,area,price\n\
                  令狐试,1,2,工行,3,令狐例,4,contract filing,88.5,800000\n";
        let (zh, en) = (read(zh).ok().unwrap(), read(en).ok().unwrap());
        assert_eq!(zh.len(), 1);
        assert_eq!(zh[0].line, 3);
        assert_eq!(zh[0].household, [("令狐例".to_owned(), "4".to_owned())]);
        assert_eq!(zh[0].documents, ["contract", "filing"]);
        assert_eq!(zh[0].facts["area"], "88.5");
        assert_eq!(zh[0].payee[0], "令狐试", "the applicant, where nobody is named");
        assert!(
            zh[0]
                == ClaimRow {
                    line: 3,
                    ..en[0].clone()
                }
        );
    }

    #[test]
    fn refuses_files_that_are_cut_short() {
        let head = "姓名,身份证号,收款账号,开户行,联行号,建筑面积\n";
        let row = "令狐试,1,2,工行,3,88.5\n";
        for text in [
            format!("{head}{row}合计,2,,,,\n"),
            format!("{head}{row}合计,,,,,\n"),
            format!("{head}合计,0,,,,\n{row}"),
            format!("{head}{row}令狐例,411002"),
        ] {
            let faults = read(&text).err().unwrap();
            assert!(!format!("{faults:?}").contains("令狐"), "{faults:?}");
        }
    }

    #[test]
    fn repeats_nothing_personal() {
        for text in [
            "令狐试,411002199001010018,6222007000000000004\n",
            "姓名,身份证号,收款账号,开户行,联行号,令狐试\n令狐例,1,2,工行,3,4\n",
            "姓名,身份证号,收款账号,开户行,联行号\n令狐试,1,2,工行,3,411002199001010018\n",
            "姓名,身份证号,收款账号,开户行,联行号,area,建筑面积\n令狐试,1,2,工行,3,1,1\n",
        ] {
            let faults = read(text).err().unwrap();
            let said = format!("{faults:?}");
            assert!(!said.contains("令狐") && !said.contains("411002"), "{said}");
        }
    }
}
