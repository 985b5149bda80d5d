//! Accounts, statements and their lines.

use super::{from_class, numbered};
use crate::app::reconciliation::ShownLine;
use crate::app::reconciliation::records::Statement;
use crate::domain::error::{Error, Violation};
use crate::domain::reconciliation::{AccountId, BankAccount, LineId};
use crate::grpc::convert::disbursement::optional_money;
use crate::grpc::convert::ledger::from_payer;
use crate::grpc::convert::{names, signature};
use crate::grpc::pb;
use crate::statement::Given;

/// `bankAccounts/{id}/statements/{number}`.
pub fn statement_name(field: &str, name: &str) -> Result<(AccountId, u64), Violation> {
    numbered(
        "bankAccounts/ACCOUNT/statements/NUMBER",
        field,
        name,
        "statements",
    )
}

/// A line by its place. Which account the statement is of is looked up and compared by the use case.
pub fn line_name(field: &str, line: &pb::LineName) -> Result<LineId, Violation> {
    let (_, statement) = statement_name(&format!("{field}.statement"), &line.statement)?;
    if line.line == 0 {
        return Err(Violation::new(
            format!("{field}.line"),
            "0",
            "1 or more",
            "不小于 1",
        ));
    }
    Ok(LineId {
        statement,
        line: line.line,
    })
}

/// Writes the place of a line.
pub(super) fn from_line_id(account: &AccountId, line: LineId) -> pb::LineName {
    pb::LineName {
        statement: statement_of(account, line.statement),
        line: line.line,
    }
}

fn statement_of(account: &AccountId, number: u64) -> String {
    format!("{}/statements/{number}", account.resource_name())
}

/// Writes an account.
pub fn from_account(account: &BankAccount) -> pb::BankAccount {
    let cover = account.scope.covers().first();
    pb::BankAccount {
        name: account.id.resource_name(),
        payer: cover.map_or(0, |cover| from_payer(cover.payer)),
        region: cover
            .and_then(|cover| cover.region.as_ref())
            .map(names::of_region)
            .unwrap_or_default(),
        holder: account.debtor.name().to_owned(),
        number: account.debtor.account().masked(),
    }
}

/// Reads what a file is written in: a code of the readers, or nothing.
pub fn statement_format(field: &str, wire: i32) -> Result<Option<&'static str>, Violation> {
    match pb::StatementFormat::try_from(wire) {
        Ok(pb::StatementFormat::Unspecified) => Ok(None),
        Ok(pb::StatementFormat::Camt) => Ok(Some("camt")),
        Ok(pb::StatementFormat::Mt940) => Ok(Some("mt940")),
        Ok(pb::StatementFormat::Csv) => Ok(Some("csv")),
        Ok(pb::StatementFormat::Xlsx) => Ok(Some("xlsx")),
        Err(_) => Err(super::unknown(
            field,
            wire,
            "a format of statements",
            "对账单格式",
        )),
    }
}

/// Reads what is known of a statement beside its file.
pub fn given(header: &pb::ImportStatementHeader) -> Result<Given, Violation> {
    Ok(Given {
        account: None,
        from: super::optional_day("header.from_date", &header.from_date)?,
        to: super::optional_day("header.to_date", &header.to_date)?,
        opening: optional_money("header.opening", &header.opening)?,
        closing: optional_money("header.closing", &header.closing)?,
    })
}

/// Writes a statement.
pub fn from_statement(statement: &Statement) -> Result<pb::BankStatement, Error> {
    let format = match statement.format.as_str() {
        "mt940" => pb::StatementFormat::Mt940,
        "csv" => pb::StatementFormat::Csv,
        "xlsx" => pb::StatementFormat::Xlsx,
        format if format.starts_with("camt") => pb::StatementFormat::Camt,
        _ => pb::StatementFormat::Unspecified,
    };
    Ok(pb::BankStatement {
        name: statement.resource_name(),
        identification: statement.identification.clone(),
        sequence: statement.sequence,
        from_date: statement.from.clone(),
        to_date: statement.to.clone(),
        opening: statement.opening.to_string(),
        closing: statement.closing.to_string(),
        lines: statement.lines,
        credits: statement.credits.to_string(),
        debits: statement.debits.to_string(),
        format: format.into(),
        digest: statement.digest.clone(),
        imported: Some(signature(&statement.imported)?),
    })
}

/// Writes a line, masked.
pub fn from_line(account: &AccountId, detail: &ShownLine) -> pb::StatementLine {
    let line = &detail.line;
    pb::StatementLine {
        statement: statement_of(account, line.id.statement),
        line: line.id.line,
        booked: line.booked.clone(),
        valued: line.valued.clone(),
        amount: line.amount.to_string(),
        reversal: line.reversal,
        reference: line.reference.clone(),
        order: line.order.clone(),
        bank_reference: line.bank_reference.clone(),
        counterparty: detail.masked_name.clone(),
        counterparty_account: detail.masked_account.clone(),
        match_class: line.class.map_or(0, from_class),
        rule: line.rule.map(|rule| rule.code().to_owned()).unwrap_or_default(),
    }
}
