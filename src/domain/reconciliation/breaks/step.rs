//! What was done to a break, a step at a time.

use crate::domain::allocation::Signature;
use crate::domain::error::Violation;
use serde::{Deserialize, Serialize};

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
