//! What does not match, and what people do about it: one transition function for each thing that can happen.
//!
//! What moves money, or says that money moved, is proposed by one person and approved by another. A break that
//! is carried over stays open and belongs to the next month. A month that is closed keeps its breaks as they
//! were signed; what is found out later is a new break that names the old one.

mod checking;
mod resolution;
mod step;

pub use checking::{MAX_MEMBERS, MAX_WORDS, check_sums, words};
pub use resolution::{Category, Correction, How, Resolution};
pub use step::{Step, StepKind};

use super::period::Month;
use super::{AccountId, Evidence, LineId, Subject};
use crate::domain::allocation::Signature;
use crate::domain::digest::DigestBuilder;
use crate::domain::error::{Bilingual, Error, Violation, excerpt};
use crate::domain::identity::Principal;
use crate::domain::subsidy::parse_date;
use serde::{Deserialize, Serialize};
use std::fmt;
use time::Date;

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
}

#[cfg(test)]
mod tests;
