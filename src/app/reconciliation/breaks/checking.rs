//! Whether what is proposed for a break is possible with the lines, payments and entries that there are.

use crate::domain::allocation::FundId;
use crate::domain::disbursement::{Payment, PaymentState};
use crate::domain::error::{Error, Violation};
use crate::domain::ledger::Event;
use crate::domain::money::Money;
use crate::domain::reconciliation::breaks::{Category, Correction, How, check_sums};
use crate::domain::reconciliation::{BankAccount, Break, LineId};
use crate::store::Tx;
use crate::store::reconciliation::HandLine;

pub(super) async fn payment_of(tx: &Tx, reference: &str) -> Result<Payment, Error> {
    let found = tx.payments_by_reference(&[reference]).await?.pop();
    found.ok_or_else(|| Error::NotFound {
        kind: "payment",
        name: crate::domain::error::excerpt(reference),
    })
}

/// Whether what is proposed is possible with the lines, payments and entries that there are.
pub(super) async fn check(tx: &Tx, account: &BankAccount, found: &Break, how: &How) -> Result<(), Error> {
    match how {
        How::Match { lines, payments } => check_match(tx, account, lines, payments).await,
        How::Correct { correction } => check_correction(tx, account, found, correction).await,
        How::Explain { category, entry } if *category == Category::Receipt && !entry.is_empty() => {
            check_entry(tx, account, found, entry).await
        }
        _ => Ok(()),
    }
}

async fn check_match(
    tx: &Tx,
    account: &BankAccount,
    lines: &[LineId],
    payments: &[String],
) -> Result<(), Error> {
    let named = lines;
    let lines: Vec<HandLine> = tx.hand_lines(&account.id, named).await?;
    for (at, line) in named.iter().enumerate() {
        let place = format!("statement {} line {}", line.statement, line.line);
        let Some(there) = lines.iter().find(|there| there.id == *line) else {
            return Err(Violation::new(
                format!("match.lines[{at}]"),
                place,
                format!("a line of a statement of account {}", account.id),
                format!("账户 {} 对账单中的明细", account.id),
            )
            .into());
        };
        if there.matched {
            return Err(Violation::new(
                format!("match.lines[{at}]"),
                format!("{place}, which is matched"),
                "a line that is not matched",
                "尚未勾对的明细",
            )
            .into());
        }
    }
    let references: Vec<&str> = payments.iter().map(String::as_str).collect();
    let places = tx.hand_payments(&references).await?;
    let known = tx.payments_by_reference(&references).await?;
    for (at, reference) in payments.iter().enumerate() {
        let field = format!("match.payments[{at}]");
        let payment = known.iter().find(|payment| payment.reference == *reference);
        let place = places
            .get(reference)
            .filter(|place| account.scope.contains(place.payer, &place.region));
        let (Some(payment), Some(place)) = (payment, place) else {
            return Err(Violation::new(
                field,
                reference,
                format!("a payment from account {}", account.id),
                format!("账户 {} 的付款", account.id),
            )
            .into());
        };
        if place.matched || payment.state == PaymentState::Failed {
            let state = if place.matched {
                "matched"
            } else {
                payment.state.code()
            };
            return Err(Violation::new(
                field,
                format!("{reference}, which is {state}"),
                "a payment that is instructed or settled and not matched",
                "支付中或支付成功、尚未勾对的付款",
            )
            .into());
        }
    }
    let sums = check_sums(
        lines.iter().map(|line| line.amount),
        known.iter().map(|payment| payment.amount),
    );
    sums.map_err(Error::from)
}

async fn check_correction(
    tx: &Tx,
    account: &BankAccount,
    found: &Break,
    correction: &Correction,
) -> Result<(), Error> {
    const FIELD: &str = "correction.payment";
    let reference = correction.payment();
    // The same words where there is no such payment: whose account it is not must not learn that there is one.
    let places = tx.hand_payments(&[reference]).await?;
    if !places
        .get(reference)
        .is_some_and(|place| account.scope.contains(place.payer, &place.region))
    {
        return Err(Violation::new(
            FIELD,
            reference,
            format!("a payment from account {}", account.id),
            format!("账户 {} 的付款", account.id),
        )
        .into());
    }
    let payment = payment_of(tx, reference).await?;
    let (wanted, en, zh) = match correction {
        Correction::Return { .. } => (
            PaymentState::Settled,
            "a payment that is settled",
            "支付成功的付款",
        ),
        _ => (
            PaymentState::Instructed,
            "a payment that is with the bank",
            "支付中的付款",
        ),
    };
    if payment.state != wanted {
        return Err(Violation::new(FIELD, format!("{reference}, which is {}", payment.state), en, zh).into());
    }
    let brought = found.line().map(|_| found.evidence.found);
    if let (Correction::Return { amount, .. }, Some(brought)) = (correction, brought)
        && brought > Money::ZERO
        && *amount != brought
    {
        return Err(Violation::new(
            "correction.amount",
            amount.to_string(),
            format!("{brought}, what the line brought"),
            format!("{brought}(该明细的金额)"),
        )
        .into());
    }
    Ok(())
}

/// An entry is what the line is where it brought as much into the fund, on this account, and no other line is it.
async fn check_entry(tx: &Tx, account: &BankAccount, found: &Break, name: &str) -> Result<(), Error> {
    const FIELD: &str = "explanation.entry";
    let amount = found.evidence.found;
    let refused = |is: &str| {
        Error::from(Violation::new(
            FIELD,
            is,
            format!(
                "an entry that brings {amount} into a fund from account {}, named once",
                account.id
            ),
            format!("账户 {} 收到 {amount} 的分录,且只注明一次", account.id),
        ))
    };
    let (fund, number) = name
        .strip_prefix("funds/")
        .and_then(|rest| rest.split_once("/entries/"))
        .and_then(|(fund, number)| Some((FundId::parse(FIELD, fund).ok()?, number.parse().ok()?)))
        .ok_or_else(|| refused(name))?;
    let entry = tx.entries_numbered(&fund, [number]).await?.remove(&number);
    let Some(Ok(entry)) = entry else {
        return Err(refused(name));
    };
    let posting = &entry.posting;
    let to = &posting.to;
    let here = match &to.region {
        Some(region) => account.scope.contains(to.payer, region),
        None => account
            .scope
            .covers()
            .iter()
            .any(|cover| cover.payer == to.payer && cover.region.is_none()),
    };
    let receives = matches!(posting.event, Event::Receive | Event::Contribute) && posting.reverses.is_none();
    // What an entry of another account says is told to nobody who works on this one.
    if !here {
        return Err(refused(name));
    }
    if !receives || posting.amount != amount {
        return Err(refused(&format!("{name}: {} {}", posting.event, posting.amount)));
    }
    if tx.entry_is_taken(name).await? {
        return Err(refused(&format!("{name}, which another line is")));
    }
    Ok(())
}
