//! What does not match, and what people do about it: one transition function for each thing that can happen.
//!
//! What moves money, or says that money moved, is proposed by one person and approved by another. A break that
//! is carried over stays open and belongs to the next month. A month that is closed keeps its breaks as they
//! were signed; what is found out later is a new break that names the old one.

use super::period::Month;
use super::{AccountId, Class, Evidence, LineId, Reason, Subject, masked};
use crate::domain::allocation::Signature;
use crate::domain::digest::DigestBuilder;
use crate::domain::error::{Bilingual, Error, Violation, excerpt};
use crate::domain::identity::Principal;
use crate::domain::money::Money;
use crate::domain::subsidy::parse_date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use time::Date;

/// Most lines and payments of a match by hand.
pub const MAX_MEMBERS: usize = 1_000;
/// Longest reason or remark, in characters.
pub const MAX_WORDS: usize = 500;

/// Where a break is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakState {
    /// Somebody has to look at it.
    Open,
    /// A resolution waits for a second person.
    Proposed,
    /// Approved, and being carried out.
    Approved,
    /// Done.
    Resolved,
}

impl BreakState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Proposed, Self::Approved, Self::Resolved];

    /// The code used in the API, in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Resolved => "resolved",
        }
    }

    /// The Chinese name.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Open => "待处理",
            Self::Proposed => "待复核",
            Self::Approved => "执行中",
            Self::Resolved => "已处理",
        }
    }

    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let found = Self::ALL.into_iter().find(|state| state.code() == text);
        found.ok_or_else(|| {
            let codes = Self::ALL.map(Self::code).join(", ");
            Violation::new(
                field,
                text,
                format!("one of {codes}"),
                format!("下列之一:{codes}"),
            )
        })
    }
}

impl fmt::Display for BreakState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Names a break: its account, and its number there, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BreakId {
    /// The account.
    pub account: AccountId,
    /// The number.
    pub number: u64,
}

impl fmt::Display for BreakId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bankAccounts/{}/breaks/{}", self.account, self.number)
    }
}

/// What a line is that has nothing to do with payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Money for a fund.
    Receipt,
    /// Interest.
    Interest,
    /// A fee of the bank.
    Fee,
    /// A transfer between accounts of the bureau.
    Transfer,
    /// Other.
    Other,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Receipt,
        Self::Interest,
        Self::Fee,
        Self::Transfer,
        Self::Other,
    ];

    /// The code used in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Interest => "interest",
            Self::Fee => "fee",
            Self::Transfer => "transfer",
            Self::Other => "other",
        }
    }

    /// The names that people read.
    pub fn name(self) -> Bilingual {
        match self {
            Self::Receipt => Bilingual::new("money for the fund", "收到资金"),
            Self::Interest => Bilingual::new("interest", "利息"),
            Self::Fee => Bilingual::new("bank fees", "手续费"),
            Self::Transfer => Bilingual::new("transfers between own accounts", "内部划转"),
            Self::Other => Bilingual::new("other", "其他"),
        }
    }

    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let found = Self::ALL.into_iter().find(|category| category.code() == text);
        found.ok_or_else(|| {
            let codes = Self::ALL.map(Self::code).join(", ");
            Violation::new(
                field,
                text,
                format!("one of {codes}"),
                format!("下列之一:{codes}"),
            )
        })
    }
}

/// How the books are corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Correction {
    /// The payment was made.
    Settle {
        /// Its reference.
        payment: String,
        /// The bank's day, `YYYY-MM-DD`.
        on: String,
    },
    /// The payment was not made.
    Fail {
        /// Its reference.
        payment: String,
    },
    /// Money of the payment came back.
    Return {
        /// Its reference.
        payment: String,
        /// How much.
        amount: Money,
    },
}

impl Correction {
    /// The payment's reference.
    pub fn payment(&self) -> &str {
        match self {
            Self::Settle { payment, .. } | Self::Fail { payment } | Self::Return { payment, .. } => payment,
        }
    }
}

/// How a break is resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum How {
    /// A job matched later what had not matched before.
    Rule,
    /// Lines and payments belong together.
    Match {
        /// The lines.
        lines: Vec<LineId>,
        /// References of the payments.
        payments: Vec<String>,
    },
    /// The books are corrected.
    Correct {
        /// How.
        correction: Correction,
    },
    /// The bank was wrong.
    BankError,
    /// The line has nothing to do with payments.
    Explain {
        /// What it is.
        category: Category,
        /// The entry of the ledger that it is; may be empty.
        entry: String,
    },
    /// Bank and books agree, and nothing is to be done.
    Accept,
    /// It goes on into the next month.
    CarryOver,
}

impl How {
    /// The code used in the store and in tables.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Match { .. } => "match",
            Self::Correct { .. } => "correction",
            Self::BankError => "bank_error",
            Self::Explain { .. } => "explanation",
            Self::Accept => "acceptance",
            Self::CarryOver => "carry_over",
        }
    }

    /// The Chinese name.
    pub const fn zh(&self) -> &'static str {
        match self {
            Self::Rule => "规则勾对",
            Self::Match { .. } => "人工勾对",
            Self::Correct { .. } => "更正账务",
            Self::BankError => "银行差错",
            Self::Explain { .. } => "说明性质",
            Self::Accept => "确认无误",
            Self::CarryOver => "结转下月",
        }
    }

    /// Whether it moves money or says that money moved: a second person must approve it.
    pub const fn needs_second(&self) -> bool {
        matches!(self, Self::Match { .. } | Self::Correct { .. })
    }
}

/// How a break was or is to be resolved, by whom, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// How.
    pub how: How,
    /// Why.
    pub reason: String,
    /// Who resolved or proposed it.
    pub proposed: Signature,
    /// Who approved it.
    pub approved: Option<Signature>,
}

/// What was done to a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A job found it.
    Found,
    /// A job found something else about it.
    Changed,
    /// A job found that it is none any more.
    Closed,
    /// Somebody works on it, or nobody any more.
    Assigned,
    /// A remark.
    Commented,
    /// A resolution was proposed.
    Proposed,
    /// A second person approved it.
    Approved,
    /// It was rejected.
    Rejected,
    /// It was approved, and could not be carried out.
    Refused,
    /// Done.
    Resolved,
    /// It went on into the next month.
    CarriedOver,
    /// It was opened again.
    Reopened,
}

impl StepKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Found,
        Self::Changed,
        Self::Closed,
        Self::Assigned,
        Self::Commented,
        Self::Proposed,
        Self::Approved,
        Self::Rejected,
        Self::Refused,
        Self::Resolved,
        Self::CarriedOver,
        Self::Reopened,
    ];

    /// The code used in the API, in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Changed => "changed",
            Self::Closed => "closed",
            Self::Assigned => "assigned",
            Self::Commented => "commented",
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Resolved => "resolved",
            Self::CarriedOver => "carried_over",
            Self::Reopened => "reopened",
        }
    }

    /// The Chinese name.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Found => "发现",
            Self::Changed => "情况变化",
            Self::Closed => "已消除",
            Self::Assigned => "分派",
            Self::Commented => "备注",
            Self::Proposed => "提出处理",
            Self::Approved => "复核通过",
            Self::Rejected => "复核退回",
            Self::Refused => "未能执行",
            Self::Resolved => "处理完毕",
            Self::CarriedOver => "结转下月",
            Self::Reopened => "重新打开",
        }
    }

    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let found = Self::ALL.into_iter().find(|kind| kind.code() == text);
        found.ok_or_else(|| Violation::new(field, text, "a step of a break", "差异处理步骤"))
    }
}

/// A step in the history of a break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was done.
    pub kind: StepKind,
    /// Who did it, and when.
    pub signed: Signature,
    /// What was said.
    pub note: String,
}

/// Something that does not match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Break {
    /// Its name.
    pub id: BreakId,
    /// What it is, and what was compared.
    pub evidence: Evidence,
    /// Where it is.
    pub state: BreakState,
    /// Counts changes; gives the etag.
    pub version: u32,
    /// The month that it is worked in.
    pub period: Month,
    /// Who works on it.
    pub assignee: Option<Principal>,
    /// How it is resolved or to be resolved.
    pub resolution: Option<Resolution>,
    /// The month that it was carried over to last.
    pub carried_to: Option<Month>,
    /// The break of a closed month that it corrects.
    pub corrects: Option<u64>,
}

impl Break {
    /// The line that it is about.
    pub const fn line(&self) -> Option<LineId> {
        match self.evidence.subject {
            Subject::Line(line) => Some(line),
            Subject::Payment(_) => None,
        }
    }

    /// The payment that it is about.
    pub fn payment(&self) -> Option<&str> {
        match &self.evidence.subject {
            Subject::Payment(reference) => Some(reference),
            Subject::Line(_) => None,
        }
    }

    /// Changes whenever the break does.
    pub fn etag(&self) -> String {
        let mut digest = DigestBuilder::new("incentivefund.v1.BreakEtag");
        digest
            .field(&self.id.to_string())
            .field(&self.version.to_string());
        digest.finish().short().to_owned()
    }

    /// Refuses an etag that is given and is not the current one.
    pub fn check_etag(&self, given: &str) -> Result<(), Error> {
        if given.is_empty() || given == self.etag() {
            return Ok(());
        }
        Err(Error::EtagMismatch {
            name: self.id.to_string(),
            given: excerpt(given),
            current: self.etag(),
        })
    }

    /// Says who works on it.
    pub fn assign(&mut self, assignee: Option<Principal>, signed: Signature) -> Result<Step, Error> {
        if self.state == BreakState::Resolved {
            return Err(self.refused("assigned", "分派"));
        }
        let note = assignee.as_ref().map(ToString::to_string).unwrap_or_default();
        self.assignee = assignee;
        Ok(self.step(StepKind::Assigned, signed, note))
    }

    /// Adds a remark.
    pub fn comment(&mut self, words: String, signed: Signature) -> Step {
        self.step(StepKind::Commented, signed, words)
    }

    /// Resolves it, or proposes to where a second person is needed.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where it is not open; [`Error::Invalid`] where it cannot be resolved like that.
    pub fn resolve(&mut self, how: How, reason: String, signed: Signature) -> Result<Vec<Step>, Error> {
        if self.state != BreakState::Open {
            return Err(self.refused("resolved", "处理"));
        }
        self.check(&how)?;
        if how == How::CarryOver {
            self.period = self.period.next();
            self.carried_to = Some(self.period);
            let note = format!("{}: {reason}", self.period);
            return Ok(vec![self.step(StepKind::CarriedOver, signed, note)]);
        }
        let kind = if how.needs_second() {
            self.state = BreakState::Proposed;
            StepKind::Proposed
        } else {
            self.state = BreakState::Resolved;
            StepKind::Resolved
        };
        let note = format!("{}: {reason}", how.code());
        self.resolution = Some(Resolution {
            how,
            reason,
            proposed: signed.clone(),
            approved: None,
        });
        Ok(vec![self.step(kind, signed, note)])
    }

    /// Notes the approval of a second person. One that was approved before and not completed is approved
    /// again by the same person, with no step.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for whoever proposed it; [`Error::State`] where nothing is proposed.
    pub fn approve(&mut self, signed: Signature) -> Result<Option<Step>, Error> {
        let pending = matches!(self.state, BreakState::Proposed | BreakState::Approved);
        let Some(resolution) = self.resolution.as_mut().filter(|_| pending) else {
            return Err(self.refused("approved", "复核通过"));
        };
        if resolution.proposed.by == signed.by {
            let (by, name) = (&signed.by, &self.id);
            return Err(Error::Forbidden {
                reason: "APPROVER_PROPOSED_RESOLUTION",
                message: Bilingual::new(
                    format!(
                        "{by} proposed how to resolve {name} and may not approve it: another person must"
                    ),
                    format!("{by} 是 {name} 处理意见的提出人,不得自行复核,须由他人复核"),
                ),
            });
        }
        if resolution.approved.is_some() {
            return Ok(None);
        }
        resolution.approved = Some(signed.clone());
        let note = resolution.how.code().to_owned();
        self.state = BreakState::Approved;
        Ok(Some(self.step(StepKind::Approved, signed, note)))
    }

    /// What was approved has been carried out.
    pub fn complete(&mut self, signed: Signature) -> Result<Step, Error> {
        if self.state != BreakState::Approved {
            return Err(self.refused("completed", "完成处理"));
        }
        self.state = BreakState::Resolved;
        let note = self.how_code();
        Ok(self.step(StepKind::Resolved, signed, note))
    }

    /// What was approved could not be carried out: it is open again.
    pub fn fall_back(&mut self, why: String, signed: Signature) -> Result<Step, Error> {
        if self.state != BreakState::Approved {
            return Err(self.refused("taken back", "退回"));
        }
        self.state = BreakState::Open;
        self.resolution = None;
        Ok(self.step(StepKind::Refused, signed, why))
    }

    /// Refuses what was proposed.
    pub fn reject(&mut self, why: String, signed: Signature) -> Result<Step, Error> {
        if self.state != BreakState::Proposed {
            return Err(self.refused("rejected", "复核退回"));
        }
        self.state = BreakState::Open;
        self.resolution = None;
        Ok(self.step(StepKind::Rejected, signed, why))
    }

    /// It is resolved as part of what was done to another break, or by a rule.
    pub fn resolve_with(&mut self, resolution: Resolution, signed: Signature) -> Result<Step, Error> {
        if self.state != BreakState::Open {
            return Err(self.refused("resolved", "处理"));
        }
        self.state = BreakState::Resolved;
        let note = format!("{}: {}", resolution.how.code(), resolution.reason);
        self.resolution = Some(resolution);
        Ok(self.step(StepKind::Resolved, signed, note))
    }

    /// Opens it again, in its own month.
    pub fn reopen(&mut self, why: String, signed: Signature) -> Result<Step, Error> {
        if self.state != BreakState::Resolved {
            return Err(self.refused("opened again", "重新打开"));
        }
        self.state = BreakState::Open;
        self.resolution = None;
        Ok(self.step(StepKind::Reopened, signed, why))
    }

    /// The break of a later month that takes the place of this one, which is of a closed month and stays.
    pub fn correction(&self, number: u64, period: Month, why: &str, signed: Signature) -> (Self, Step) {
        let old = self.id.number;
        let mut new = Self {
            id: BreakId {
                account: self.id.account.clone(),
                number,
            },
            state: BreakState::Open,
            version: 0,
            period,
            resolution: None,
            carried_to: None,
            corrects: Some(old),
            ..self.clone()
        };
        let note = format!(
            "更正已结账月份 {0} 的差异 {old} / corrects break {old} of the closed month {0}: {why}",
            self.period
        );
        let step = new.step(StepKind::Reopened, signed, note);
        (new, step)
    }

    /// Its age in days on a day.
    pub fn age(&self, on: Date) -> u32 {
        let since = parse_date("since", &self.evidence.since).unwrap_or(on);
        u32::try_from((on - since).whole_days()).unwrap_or(0)
    }

    fn how_code(&self) -> String {
        let how = self.resolution.as_ref().map(|resolution| resolution.how.code());
        how.unwrap_or_default().to_owned()
    }

    fn step(&mut self, kind: StepKind, signed: Signature, note: String) -> Step {
        self.version += 1;
        Step { kind, signed, note }
    }

    fn refused(&self, en: &str, zh: &str) -> Error {
        let (name, state) = (self.id.to_string(), self.state);
        Error::State {
            reason: "BREAK_STATE",
            message: Bilingual::new(
                format!("{name} is {state} and cannot be {en}"),
                format!("{name} 当前为“{}”,不能{zh}", state.zh()),
            ),
            name,
        }
    }

    /// Whether this break can be resolved like that at all.
    fn check(&self, how: &How) -> Result<(), Violation> {
        let Evidence {
            class, reason, found, ..
        } = self.evidence;
        match how {
            How::Match { lines, payments } => self.check_members(lines, payments),
            How::Correct { correction } => {
                if let Some(payment) = self.payment().filter(|payment| *payment != correction.payment()) {
                    return Err(Violation::new(
                        "correction.payment",
                        correction.payment(),
                        format!("{payment}, the payment of this break"),
                        format!("本差异所涉付款 {payment}"),
                    ));
                }
                if let Correction::Return { amount, .. } = correction
                    && *amount <= Money::ZERO
                {
                    return Err(Violation::new(
                        "correction.amount",
                        amount.to_string(),
                        "above 0",
                        "大于 0",
                    ));
                }
                Ok(())
            }
            How::BankError if self.line().is_none() && self.evidence.other_line.is_none() => Err(self
                .not_so(
                    "bank_error",
                    "a break with a line of a statement",
                    "有对账单明细的差异",
                )),
            How::Explain { .. } if self.line().is_none() || class != Class::UnknownAtBank => Err(self
                .not_so(
                    "explanation",
                    "a break of a line that is unknown",
                    "对账单明细不明的差异",
                )),
            How::Explain { category, entry } => {
                let wrong = match category {
                    Category::Receipt => found < Money::ZERO,
                    Category::Fee => found > Money::ZERO,
                    _ => false,
                };
                if wrong {
                    let name = category.name();
                    return Err(Violation::new(
                        "explanation.category",
                        category.code(),
                        format!("another category: {found} cannot be {}", name.en),
                        format!("其他类别:{found} 不可能是{}", name.zh),
                    ));
                }
                if !entry.is_empty() && *category != Category::Receipt {
                    return Err(Violation::new(
                        "explanation.entry",
                        entry,
                        "an entry only for money for a fund",
                        "仅“收到资金”可注明分录",
                    ));
                }
                Ok(())
            }
            How::Accept
                if !matches!(class, Class::Late | Class::Reversed) || reason == Reason::PostingRefused =>
            {
                Err(self.not_so(
                    "accept",
                    "a break that is late or reversed, and posted",
                    "逾期或已冲回且已入账的差异",
                ))
            }
            How::Rule | How::BankError | How::Accept | How::CarryOver => Ok(()),
        }
    }

    fn not_so(&self, field: &str, en: &str, zh: &str) -> Violation {
        let (class, reason) = (self.evidence.class, self.evidence.reason);
        let found = format!("{class} ({reason}) {} {}", class.zh(), reason.zh());
        Violation::new(field, found, en, zh)
    }

    fn check_members(&self, lines: &[LineId], payments: &[String]) -> Result<(), Violation> {
        let named = BTreeSet::from_iter(lines).len() + BTreeSet::from_iter(payments).len();
        let total = lines.len() + payments.len();
        if lines.is_empty() || payments.is_empty() || total > MAX_MEMBERS || named < total {
            return Err(Violation::new(
                "match",
                format!("{} lines and {} payments", lines.len(), payments.len()),
                format!("at least one line and one payment, each once, at most {MAX_MEMBERS} together"),
                format!("至少一条明细和一笔付款,各出现一次,合计至多 {MAX_MEMBERS} 项"),
            ));
        }
        let own = match &self.evidence.subject {
            Subject::Line(line) => lines.contains(line),
            Subject::Payment(payment) => payments.contains(payment),
        };
        if !own {
            return Err(Violation::new(
                "match",
                "others than what this break is about",
                "the line or the payment of this break among them",
                "其中须有本差异的明细或付款",
            ));
        }
        Ok(())
    }
}

/// Refuses lines and payments that do not add up to the same: what went out, exactly.
///
/// # Errors
///
/// [`Violation`] with both sums.
pub fn check_sums(
    lines: impl Iterator<Item = Money>,
    payments: impl Iterator<Item = Money>,
) -> Result<(), Violation> {
    let out: Option<Money> = lines
        .map(|amount| Money::ZERO.checked_sub(amount))
        .try_fold(Money::ZERO, |sum, amount| sum.checked_add(amount?));
    let mut payments = payments;
    let paid = payments.try_fold(Money::ZERO, |sum, amount| sum.checked_add(amount));
    match (out, paid) {
        (Some(out), Some(paid)) if out == paid => Ok(()),
        (out, paid) => {
            let shown = |sum: Option<Money>| sum.map_or_else(|| "-".to_owned(), |sum| sum.to_string());
            Err(Violation::new(
                "match",
                format!("lines {}, payments {}", shown(out), shown(paid)),
                "lines and payments of the same sum, to the fen",
                "明细与付款的合计须分文不差",
            ))
        }
    }
}

/// Reads a reason or a remark: not empty, not long, on one line. Runs of digits that may be numbers of accounts
/// or of people are masked.
///
/// # Errors
///
/// [`Violation`] that does not repeat it.
pub fn words(field: &str, text: &str) -> Result<String, Violation> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > MAX_WORDS || text.chars().any(char::is_control) {
        return Err(Violation::new(
            field,
            format!("{length} characters"),
            format!("1 to {MAX_WORDS} characters, no control characters"),
            format!("1 至 {MAX_WORDS} 个字符,不含控制字符"),
        ));
    }
    Ok(masked(text))
}

#[cfg(test)]
mod tests;
