//! Months of an account: prepared by one person, signed by another, and locked.

use super::account::AccountId;
use super::balance::Balance;
use crate::domain::allocation::Signature;
use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::{Bilingual, Error, Violation, excerpt};
use crate::domain::subsidy::format_date;
use serde::{Deserialize, Serialize};
use std::fmt;
use time::{Date, Duration};

/// A month, written `2025-06`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    month: u8,
}

impl Month {
    /// The month of a day.
    pub fn of(day: Date) -> Self {
        Self {
            year: day.year(),
            month: u8::from(day.month()),
        }
    }

    /// Reads a month.
    pub fn parse(field: impl Into<String>, text: &str) -> Result<Self, Violation> {
        let read = || {
            let (year, month) = text.split_once('-')?;
            let plain = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
            if !plain(year, 4) || !plain(month, 2) {
                return None;
            }
            let (year, month) = (year.parse().ok()?, month.parse().ok()?);
            let known = (1..=12).contains(&month) && (1900..=2200).contains(&year);
            known.then_some(Self { year, month })
        };
        read().ok_or_else(|| {
            Violation::new(
                field,
                text,
                "a month of 1900 to 2200, such as 2025-06",
                "1900 至 2200 年的月份,如 2025-06",
            )
        })
    }

    /// Its first day.
    pub fn first(self) -> Date {
        let month = time::Month::try_from(self.month).unwrap_or(time::Month::January);
        Date::from_calendar_date(self.year, month, 1).unwrap_or(Date::MIN)
    }

    /// Its last day.
    pub fn last(self) -> Date {
        self.next().first() - Duration::days(1)
    }

    /// The month after it.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.month == 12 {
            Self {
                year: self.year + 1,
                month: 1,
            }
        } else {
            Self {
                year: self.year,
                month: self.month + 1,
            }
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl Serialize for Month {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse("month", &text).map_err(serde::de::Error::custom)
    }
}

/// Where a month is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeriodState {
    /// Nothing was done about its close.
    Open,
    /// Waits for a second person.
    Prepared,
    /// Signed.
    Closed,
}

impl PeriodState {
    /// The code used in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Prepared => "prepared",
            Self::Closed => "closed",
        }
    }

    /// The Chinese name.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Open => "未结账",
            Self::Prepared => "待签字",
            Self::Closed => "已结账",
        }
    }

    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let found = [Self::Open, Self::Prepared, Self::Closed]
            .into_iter()
            .find(|state| state.code() == text);
        found.ok_or_else(|| {
            Violation::new(
                field,
                text,
                "open, prepared or closed",
                "open、prepared 或 closed",
            )
        })
    }
}

/// What is known about a month when it is to be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The month of the account's first statement; none where there is no statement.
    pub begins: Option<Month>,
    /// The last day that statements reach to without a gap.
    pub stated_to: Option<Date>,
    /// The last month that is closed.
    pub closed_to: Option<Month>,
    /// The last day that a job that stored its results reconciled to, if no statement came after it.
    pub reconciled_to: Option<Date>,
    /// Whether a statement came after the last job.
    pub unreconciled: bool,
    /// Open breaks of the month or before, without those that are in flight.
    pub open_breaks: u64,
    /// Corrections of the ledger that wait or were refused.
    pub open_postings: u64,
    /// The balances at its end.
    pub balance: Option<Balance>,
    /// Today in China.
    pub today: Date,
}

/// Something that stands in the way of a close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Stable, machine-readable reason in `UPPER_SNAKE_CASE`.
    pub reason: &'static str,
    /// In words.
    pub message: Bilingual,
}

impl Obstacle {
    fn new(reason: &'static str, en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self {
            reason,
            message: Bilingual::new(en, zh),
        }
    }
}

/// Everything that stands in the way of closing a month.
pub fn obstacles(month: Month, standing: &Standing) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let end = month.last();
    let shown = format_date(end);
    let Some(begins) = standing.begins.filter(|begins| *begins <= month) else {
        found.push(Obstacle::new(
            "NO_STATEMENT",
            format!("there is no statement of {month}"),
            format!("没有 {month} 的对账单"),
        ));
        return found;
    };
    if standing.today <= end {
        found.push(Obstacle::new(
            "MONTH_NOT_OVER",
            format!("{month} is not over"),
            format!("{month} 尚未结束"),
        ));
    }
    let expected = standing.closed_to.map_or(begins, Month::next);
    if month > expected {
        found.push(Obstacle::new(
            "EARLIER_MONTH_OPEN",
            format!("{expected} has to be closed first"),
            format!("须先结 {expected} 的账"),
        ));
    }
    if standing.stated_to.is_none_or(|to| to < end) {
        let to = standing.stated_to.map(format_date).unwrap_or_default();
        found.push(Obstacle::new(
            "STATEMENTS_INCOMPLETE",
            format!("statements without a gap reach to {to}, not to {shown}"),
            format!("连续的对账单截至 {to},未到 {shown}"),
        ));
    }
    if standing.unreconciled {
        found.push(Obstacle::new(
            "NOT_RECONCILED",
            "a statement came after the last finished job: reconcile again",
            "最近一次对账之后又导入了对账单,请重新对账",
        ));
    } else if standing.reconciled_to.is_none_or(|to| to < end) {
        found.push(Obstacle::new(
            "NOT_RECONCILED",
            format!("no job that is finished has reconciled to {shown}"),
            format!("没有截至 {shown} 的已完成对账任务"),
        ));
    }
    if standing.open_breaks > 0 {
        let count = standing.open_breaks;
        found.push(Obstacle::new(
            "OPEN_BREAKS",
            format!("{count} break(s) are neither resolved nor carried over"),
            format!("有 {count} 项差异既未处理也未结转"),
        ));
    }
    if standing.open_postings > 0 {
        let count = standing.open_postings;
        found.push(Obstacle::new(
            "OPEN_POSTINGS",
            format!("{count} line(s) have not been posted to the ledger"),
            format!("有 {count} 条明细尚未记入账簿"),
        ));
    }
    match &standing.balance {
        Some(balance) if balance.ties() => {}
        Some(balance) => {
            let difference = balance.difference();
            found.push(Obstacle::new(
                "BALANCES_DIFFER",
                format!("the adjusted balances differ by {difference}"),
                format!("调节后余额相差 {difference}"),
            ));
        }
        None => found.push(Obstacle::new(
            "BALANCES_DIFFER",
            "the balances cannot be computed",
            "无法计算余额",
        )),
    }
    found
}

/// A month of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The account.
    pub account: AccountId,
    /// The month.
    pub month: Month,
    /// Where it is.
    pub state: PeriodState,
    /// Counts changes; gives the etag.
    pub version: u32,
    /// The balances at its end, as they were prepared.
    pub balance: Option<Balance>,
    /// Breaks resolved in it.
    pub resolved: u64,
    /// Breaks carried over out of it.
    pub carried: u64,
    /// Who prepared it.
    pub prepared: Option<Signature>,
    /// Who signed it.
    pub signed: Option<Signature>,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The balances.
    pub balance: Balance,
    /// Breaks resolved in the month.
    pub resolved: u64,
    /// Breaks carried over out of it.
    pub carried: u64,
}

impl Period {
    /// A month that nothing was done about.
    pub const fn open(account: AccountId, month: Month) -> Self {
        Self {
            account,
            month,
            state: PeriodState::Open,
            version: 0,
            balance: None,
            resolved: 0,
            carried: 0,
            prepared: None,
            signed: None,
        }
    }

    /// The resource name.
    pub fn resource_name(&self) -> String {
        format!("bankAccounts/{}/periods/{}", self.account, self.month)
    }

    /// Changes whenever the month does.
    pub fn etag(&self) -> String {
        let mut digest = DigestBuilder::new("incentivefund.v1.PeriodEtag");
        digest
            .field(&self.resource_name())
            .field(&self.version.to_string());
        digest.finish().short().to_owned()
    }

    /// Refuses an etag that is given and is not the current one.
    pub fn check_etag(&self, given: &str) -> Result<(), Error> {
        if given.is_empty() || given == self.etag() {
            return Ok(());
        }
        Err(Error::EtagMismatch {
            name: self.resource_name(),
            given: excerpt(given),
            current: self.etag(),
        })
    }

    /// Digest over what is signed.
    pub fn digest(&self) -> Digest {
        let mut digest = DigestBuilder::new("incentivefund.v1.Period");
        digest
            .field(&self.resource_name())
            .field(&self.resolved.to_string())
            .field(&self.carried.to_string());
        if let Some(balance) = &self.balance {
            balance.write(&mut digest);
        }
        digest.finish()
    }

    /// Prepares it, or prepares it anew.
    ///
    /// # Errors
    ///
    /// [`Error::State`] with everything that stands in the way.
    pub fn prepare(
        &mut self,
        standing: &Standing,
        closing: Option<Closing>,
        signed: Signature,
    ) -> Result<(), Error> {
        self.still_open()?;
        let closing = self.unobstructed(standing, closing)?;
        self.state = PeriodState::Prepared;
        self.version += 1;
        self.balance = Some(closing.balance);
        self.resolved = closing.resolved;
        self.carried = closing.carried;
        self.prepared = Some(signed);
        Ok(())
    }

    /// Signs it, by another person than the one who prepared it, as long as it is what was prepared.
    pub fn sign(
        &mut self,
        standing: &Standing,
        closing: Option<Closing>,
        signed: Signature,
    ) -> Result<(), Error> {
        self.still_open()?;
        let name = self.resource_name();
        let Some(prepared) = self
            .prepared
            .as_ref()
            .filter(|_| self.state == PeriodState::Prepared)
        else {
            return Err(Error::State {
                reason: "PERIOD_NOT_PREPARED",
                message: Bilingual::new(
                    format!("{name} has to be prepared before it is signed"),
                    format!("{name} 须先编制再签字"),
                ),
                name,
            });
        };
        if prepared.by == signed.by {
            let by = &signed.by;
            return Err(Error::Forbidden {
                reason: "SIGNER_PREPARED_PERIOD",
                message: Bilingual::new(
                    format!("{by} prepared {name} and may not sign it: another person must"),
                    format!("{by} 是 {name} 的编制人,不得自行签字,须由他人复核签字"),
                ),
            });
        }
        let closing = self.unobstructed(standing, closing)?;
        let now = Self {
            balance: Some(closing.balance),
            resolved: closing.resolved,
            carried: closing.carried,
            ..self.clone()
        };
        if now.digest() != self.digest() {
            return Err(Error::State {
                reason: "PERIOD_CHANGED",
                message: Bilingual::new(
                    format!("{name} is not any more what was prepared: prepare it again"),
                    format!("{name} 编制之后有变动,请重新编制"),
                ),
                name,
            });
        }
        self.state = PeriodState::Closed;
        self.version += 1;
        self.signed = Some(signed);
        Ok(())
    }

    fn still_open(&self) -> Result<(), Error> {
        if self.state == PeriodState::Closed {
            return Err(closed(&self.account, self.month));
        }
        Ok(())
    }

    fn unobstructed(&self, standing: &Standing, closing: Option<Closing>) -> Result<Closing, Error> {
        let found = obstacles(self.month, standing);
        let Some(first) = found.first() else {
            return closing.ok_or_else(|| Error::internal("nothing to sign"));
        };
        let name = self.resource_name();
        let (en, zh): (Vec<&str>, Vec<&str>) = found
            .iter()
            .map(|obstacle| (obstacle.message.en.as_str(), obstacle.message.zh.as_str()))
            .unzip();
        Err(Error::State {
            reason: first.reason,
            message: Bilingual::new(
                format!("{name} cannot be closed: {}", en.join("; ")),
                format!("{name} 不能结账:{}", zh.join(";")),
            ),
            name,
        })
    }
}

/// The month is closed: nothing in it changes.
pub fn closed(account: &AccountId, month: Month) -> Error {
    Error::State {
        name: format!("bankAccounts/{account}/periods/{month}"),
        reason: "PERIOD_CLOSED",
        message: Bilingual::new(
            format!("{month} of bank account {account} is closed: nothing in it changes any more"),
            format!("银行账户 {account} 的 {month} 已结账,不得再变动"),
        ),
    }
}

#[cfg(test)]
mod tests;
