//! Reconciliation.

mod breaks;
mod jobs;
mod periods;
mod statements;

pub use breaks::{break_filter, break_name, from_ageing, from_break, from_detail, how};
pub use jobs::{from_job, job_name};
pub use periods::{from_balance, from_obstacle, from_period, period_name};
pub use statements::{
    from_account, from_line, from_statement, given, line_name, statement_format, statement_name,
};

use crate::domain::error::Violation;
use crate::domain::reconciliation::{AccountId, Class};
use crate::domain::subsidy::parse_date;
use crate::grpc::pb;
use time::Date;

const CLASSES: [(Class, pb::MatchClass); 8] = [
    (Class::Matched, pb::MatchClass::Matched),
    (Class::MissingAtBank, pb::MatchClass::MissingAtBank),
    (Class::UnknownAtBank, pb::MatchClass::UnknownAtBank),
    (Class::AmountDiffers, pb::MatchClass::AmountDiffers),
    (Class::DuplicateAtBank, pb::MatchClass::DuplicateAtBank),
    (Class::Late, pb::MatchClass::Late),
    (Class::Reversed, pb::MatchClass::Reversed),
    (Class::InFlight, pb::MatchClass::InFlight),
];

fn from_class(class: Class) -> i32 {
    CLASSES
        .iter()
        .find(|(known, _)| *known == class)
        .map_or(0, |(_, wire)| *wire as i32)
}

/// `bankAccounts/{id}`.
pub fn account_name(field: &str, name: &str) -> Result<AccountId, Violation> {
    let id = name.strip_prefix("bankAccounts/").filter(|id| !id.contains('/'));
    let id = id.ok_or_else(|| not_of("bankAccounts/ACCOUNT", field, name))?;
    AccountId::parse(field, id)
}

/// `bankAccounts/{id}`, or nothing.
pub fn optional_account(field: &str, name: &str) -> Result<Option<AccountId>, Violation> {
    if name.is_empty() {
        Ok(None)
    } else {
        account_name(field, name).map(Some)
    }
}

/// A day, or nothing.
pub fn optional_day(field: &str, text: &str) -> Result<Option<Date>, Violation> {
    if text.is_empty() {
        Ok(None)
    } else {
        parse_date(field, text).map(Some)
    }
}

/// `bankAccounts/{id}/{collection}/{tail}`: the account and the tail.
fn part_of<'n>(
    form: &str,
    field: &str,
    name: &'n str,
    collection: &str,
) -> Result<(AccountId, &'n str), Violation> {
    let parts = name
        .strip_prefix("bankAccounts/")
        .and_then(|rest| rest.split_once('/'))
        .and_then(|(account, rest)| {
            let tail = rest.strip_prefix(collection)?.strip_prefix('/')?;
            (!tail.is_empty() && !tail.contains('/')).then_some((account, tail))
        });
    let (account, tail) = parts.ok_or_else(|| not_of(form, field, name))?;
    Ok((AccountId::parse(field, account)?, tail))
}

/// As [`part_of`], with a number behind it.
fn numbered(form: &str, field: &str, name: &str, collection: &str) -> Result<(AccountId, u64), Violation> {
    let (account, number) = part_of(form, field, name, collection)?;
    Ok((account, plain_number(form, field, name, number)?))
}

/// One name for one thing: no sign, no leading zero.
fn plain_number(form: &str, field: &str, name: &str, number: &str) -> Result<u64, Violation> {
    let plain = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    let number = number.parse().ok().filter(|_| plain);
    number.ok_or_else(|| not_of(form, field, name))
}

fn not_of(form: &str, field: &str, name: &str) -> Violation {
    Violation::new(
        field,
        name,
        format!("a resource name {form}"),
        format!("资源名 {form}"),
    )
}

fn unknown(field: &str, wire: i32, en: &str, zh: &str) -> Violation {
    Violation::new(field, wire.to_string(), en, zh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_refuses_others() {
        assert_eq!(
            account_name("n", "bankAccounts/county-411024").unwrap().as_str(),
            "county-411024"
        );
        let id = break_name("n", "bankAccounts/city/breaks/12").unwrap();
        assert_eq!(id.to_string(), "bankAccounts/city/breaks/12");
        let (account, month) = period_name("n", "bankAccounts/city/periods/2025-06").unwrap();
        assert_eq!(
            (account.as_str(), month.to_string().as_str()),
            ("city", "2025-06")
        );
        assert_eq!(job_name("n", "reconciliations/3").unwrap(), 3);
        for name in [
            "",
            "bankAccounts/",
            "bankAccounts/city/",
            "bankAccounts/state",
            "city",
            "bankAccounts/city/breaks",
        ] {
            assert!(account_name("n", name).is_err(), "{name}");
        }
        for name in [
            "bankAccounts/city/breaks/0",
            "bankAccounts/city/breaks/01",
            "bankAccounts/city/breaks/+1",
            "bankAccounts/city/breaks/1/x",
            "bankAccounts/city/statements/1",
        ] {
            assert!(break_name("n", name).is_err(), "{name}");
        }
        assert!(period_name("n", "bankAccounts/city/periods/2025-13").is_err());
        assert!(job_name("n", "reconciliations/0").is_err());
    }
}
