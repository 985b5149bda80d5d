//! One claim, or one account, in a TOML or JSON file. Such files hold personal data: what is wrong with one
//! is told by its line, and nothing of it is repeated.

use super::files;
use super::output::Failure;
use crate::domain::subsidy::document::{MAX_BYTES, Text};
use crate::grpc::pb;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;
use zeroize::Zeroizing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimFile {
    fund: String,
    region: String,
    programme: String,
    facts: BTreeMap<String, Text>,
    #[serde(default)]
    documents: Vec<String>,
    applicant: PersonFile,
    #[serde(default)]
    household: Vec<PersonFile>,
    #[serde(default)]
    phone: String,
    payee: PayeeFile,
    #[serde(default)]
    home: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonFile {
    name: String,
    id_number: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PayeeFile {
    name: String,
    account: String,
    bank_name: String,
    bank_code: String,
}

/// The claim of a file.
pub(super) fn claim(file: &Path) -> Result<pb::ClaimInput, Failure> {
    let read: ClaimFile = read(file)?;
    let person = |person: PersonFile| pb::Person {
        name: person.name,
        id_number: person.id_number,
    };
    Ok(pb::ClaimInput {
        fund: super::fund::fund_name(&read.fund),
        region: format!("regions/{}", read.region),
        programme: format!("programmes/{}", read.programme),
        facts: (read.facts.into_iter())
            .map(|(code, value)| (code, value.0))
            .collect(),
        documents: read.documents,
        applicant: Some(person(read.applicant)),
        household: read.household.into_iter().map(person).collect(),
        phone: read.phone,
        payee: Some(account(read.payee)),
        home: read.home,
    })
}

/// The account of a file.
pub(super) fn payee(file: &Path) -> Result<pb::PayeeAccount, Failure> {
    read(file).map(account)
}

fn account(payee: PayeeFile) -> pb::PayeeAccount {
    pb::PayeeAccount {
        name: payee.name,
        account: payee.account,
        bank_name: payee.bank_name,
        bank_code: payee.bank_code,
    }
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    let bytes = Zeroizing::new(files::read(file, MAX_BYTES)?);
    let wrong = |what: &str| Failure::usage(format!("{}: {what}", file.display()));
    if bytes.len() > MAX_BYTES {
        return Err(wrong(&format!("more than {MAX_BYTES} bytes / 文件过大")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("not UTF-8 / 须为 UTF-8 编码"))?;
    let at_line = |line: usize| {
        wrong(&format!(
            "line {line} is not as docs/CLAIMS.md describes the file; texts and numbers stand in quotes \
             / 第 {line} 行不符合 docs/CLAIMS.md 的格式,文本和号码须加引号"
        ))
    };
    if file
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("json"))
    {
        return serde_json::from_str(text).map_err(|error| at_line(error.line()));
    }
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        at_line(before.map_or(1, |before| before.matches('\n').count() + 1))
    })
}
