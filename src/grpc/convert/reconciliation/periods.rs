//! Balances and months.

use super::part_of;
use crate::domain::error::{Error, Violation};
use crate::domain::reconciliation::balance::{Item, Side};
use crate::domain::reconciliation::period::Obstacle;
use crate::domain::reconciliation::{AccountId, Balance, Month, Period, PeriodState};
use crate::grpc::convert::{localized, optional_signature};
use crate::grpc::pb;

/// `bankAccounts/{id}/periods/{month}`.
pub fn period_name(field: &str, name: &str) -> Result<(AccountId, Month), Violation> {
    let (account, month) = part_of("bankAccounts/ACCOUNT/periods/YYYY-MM", field, name, "periods")?;
    Ok((account, Month::parse(field, month)?))
}

/// Writes balances.
pub fn from_balance(account: &AccountId, balance: &Balance) -> pb::BalanceReconciliation {
    pb::BalanceReconciliation {
        account: account.resource_name(),
        date: balance.on.clone(),
        opening: balance.opening.to_string(),
        book: balance.book.to_string(),
        bank: balance.bank.to_string(),
        stated_to: balance.stated_to.clone(),
        items: balance.items.iter().map(from_item).collect(),
        adjusted_book: balance.adjusted_book().to_string(),
        adjusted_bank: balance.adjusted_bank().to_string(),
        difference: balance.difference().to_string(),
    }
}

fn from_item(item: &Item) -> pb::BalanceItem {
    let side = match item.kind.side() {
        Side::Book => pb::BalanceSide::Book,
        Side::Bank => pb::BalanceSide::Bank,
    };
    pb::BalanceItem {
        side: side.into(),
        code: item.kind.code().to_owned(),
        title: Some(localized(&item.kind.title())),
        count: item.count,
        amount: item.amount.to_string(),
    }
}

/// Writes a month.
pub fn from_period(period: &Period) -> Result<pb::Period, Error> {
    let state = match period.state {
        PeriodState::Open => pb::PeriodState::Open,
        PeriodState::Prepared => pb::PeriodState::Prepared,
        PeriodState::Closed => pb::PeriodState::Closed,
    };
    Ok(pb::Period {
        name: period.resource_name(),
        state: state.into(),
        etag: period.etag(),
        balance: period
            .balance
            .as_ref()
            .map(|balance| from_balance(&period.account, balance)),
        resolved_breaks: period.resolved,
        carried_breaks: period.carried,
        digest: period.digest().as_str().to_owned(),
        prepared: optional_signature(period.prepared.as_ref())?,
        signed: optional_signature(period.signed.as_ref())?,
    })
}

/// Writes what stands in the way of a close.
pub fn from_obstacle(obstacle: &Obstacle) -> pb::PeriodObstacle {
    pb::PeriodObstacle {
        reason: obstacle.reason.to_owned(),
        message: Some(localized(&obstacle.message)),
    }
}
