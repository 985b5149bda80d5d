//! A run as kept: its states, who acted, and the one transition function.

use super::inputs::{RunId, RunInputs};
use super::outcome::Outcome;
use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::{Bilingual, Error, Violation, excerpt};
use crate::domain::identity::Principal;
use std::fmt;

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Computed, open for review.
    Draft,
    /// Approved by someone other than its creator.
    Approved,
    /// Released as quota (下达).
    Issued,
    /// Replaced or withdrawn.
    Superseded,
}

/// What can be done to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Approve it.
    Approve,
    /// Release it.
    Issue,
    /// Replace or withdraw it.
    Supersede,
}

impl State {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Approved, Self::Issued, Self::Superseded];

    /// The code used in the API, in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Approved => "approved",
            Self::Issued => "issued",
            Self::Superseded => "superseded",
        }
    }

    /// The Chinese name.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Draft => "草案",
            Self::Approved => "已批准",
            Self::Issued => "已下达",
            Self::Superseded => "已废止",
        }
    }

    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        Self::ALL
            .into_iter()
            .find(|state| state.code() == text)
            .ok_or_else(|| {
                let codes = Self::ALL.map(Self::code).join(", ");
                Violation::new(
                    field,
                    text,
                    format!("one of {codes}"),
                    format!("下列之一:{codes}"),
                )
            })
    }

    /// The one transition function: the state after an action, or `None` where it is not allowed.
    pub const fn after(self, action: Action) -> Option<Self> {
        match (self, action) {
            (Self::Draft, Action::Approve) => Some(Self::Approved),
            (Self::Approved, Action::Issue) => Some(Self::Issued),
            (Self::Draft | Self::Approved | Self::Issued, Action::Supersede) => Some(Self::Superseded),
            _ => None,
        }
    }
}

impl Action {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Approve => ("approved", "批准"),
            Self::Issue => ("issued", "下达"),
            Self::Supersede => ("superseded", "废止"),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One action on a run: who and when (microseconds since 1970-01-01 UTC).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Signature {
    /// Who acted.
    pub by: Principal,
    /// When.
    pub at: i64,
}

/// A run as stored.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// A title for people; may be empty.
    pub title: String,
    /// What it computed from.
    pub inputs: RunInputs,
    /// Digest of the inputs.
    pub input_digest: Digest,
    /// Where it is in its life.
    pub state: State,
    /// Counts changes of state; gives the etag.
    pub version: u32,
    /// Who created it.
    pub created: Signature,
    /// Who approved it.
    pub approved: Option<Signature>,
    /// Who issued it.
    pub issued: Option<Signature>,
    /// Who superseded it.
    pub superseded: Option<Signature>,
    /// The run that took its place.
    pub replacement: Option<RunId>,
    /// What it computed.
    pub outcome: Outcome,
}

impl Run {
    /// Changes whenever the run does.
    pub fn etag(&self) -> String {
        let mut digest = DigestBuilder::new("incentivefund.v1.AllocationEtag");
        digest.field(self.id.as_str()).field(&self.version.to_string());
        digest.finish().short().to_owned()
    }

    /// Refuses an etag that is given and is not the current one.
    pub fn check_etag(&self, given: &str) -> Result<(), Error> {
        if given.is_empty() || given == self.etag() {
            return Ok(());
        }
        Err(Error::EtagMismatch {
            name: self.id.resource_name(),
            given: excerpt(given),
            current: self.etag(),
        })
    }

    /// Approves the run.
    pub fn approve(&mut self, signature: Signature) -> Result<(), Error> {
        let next = self.next(Action::Approve)?;
        if signature.by == self.created.by {
            return Err(Error::Forbidden {
                reason: "APPROVER_IS_CREATOR",
                message: Bilingual::new(
                    format!(
                        "{} created {} and may not approve it: another person must",
                        signature.by,
                        self.id.resource_name()
                    ),
                    format!(
                        "{} 是 {} 的编制人,不得自行批准,须由他人批准",
                        signature.by,
                        self.id.resource_name()
                    ),
                ),
            });
        }
        self.approved = Some(signature);
        self.enter(next);
        Ok(())
    }

    /// Releases the run as quota.
    pub fn issue(&mut self, signature: Signature) -> Result<(), Error> {
        let next = self.next(Action::Issue)?;
        self.issued = Some(signature);
        self.enter(next);
        Ok(())
    }

    /// Withdraws the run, or lets `replacement` take its place.
    ///
    /// An issued run is replaced only by an approved one of the same fund and stage, which is issued by this.
    pub fn supersede(&mut self, replacement: Option<&mut Self>, signature: Signature) -> Result<(), Error> {
        let next = self.next(Action::Supersede)?;
        match replacement {
            Some(replacement) => {
                if replacement.id == self.id
                    || replacement.inputs.fund != self.inputs.fund
                    || replacement.inputs.stage.code() != self.inputs.stage.code()
                {
                    return Err(Violation::new(
                        "replacement",
                        replacement.id.resource_name(),
                        format!(
                            "another allocation of fund {} and stage {}",
                            self.inputs.fund,
                            self.inputs.stage.code()
                        ),
                        format!(
                            "同一资金 {}、同一阶段({})的另一分配方案",
                            self.inputs.fund,
                            self.inputs.stage.zh()
                        ),
                    )
                    .into());
                }
                if self.state == State::Issued {
                    replacement.issue(signature.clone())?;
                }
                self.replacement = Some(replacement.id.clone());
            }
            None if self.state == State::Issued => {
                return Err(Violation::new(
                    "replacement",
                    "",
                    "an approved allocation that takes the place of the issued one",
                    "用以替换已下达方案的已批准方案",
                )
                .into());
            }
            None => {}
        }
        self.superseded = Some(signature);
        self.enter(next);
        Ok(())
    }

    fn next(&self, action: Action) -> Result<State, Error> {
        self.state.after(action).ok_or_else(|| {
            let (en, zh) = action.words();
            let from: Vec<State> = State::ALL
                .into_iter()
                .filter(|state| state.after(action).is_some())
                .collect();
            let codes = from
                .iter()
                .map(|state| state.code())
                .collect::<Vec<_>>()
                .join(" or ");
            let names = from.iter().map(|state| state.zh()).collect::<Vec<_>>().join("或");
            Error::State {
                name: self.id.resource_name(),
                reason: "ALLOCATION_STATE",
                message: Bilingual::new(
                    format!(
                        "{} is {} and cannot be {en}: only one that is {codes} can",
                        self.id.resource_name(),
                        self.state
                    ),
                    format!(
                        "{} 当前为“{}”,不能{zh};只有“{names}”的方案可以{zh}",
                        self.id.resource_name(),
                        self.state.zh()
                    ),
                ),
            }
        })
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.version += 1;
    }
}
