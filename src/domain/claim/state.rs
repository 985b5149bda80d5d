//! Where a claim is in its life, and what can be done to it.

use crate::domain::error::Violation;
use std::fmt;

/// Where a claim is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Handed in, waits for another person's decision.
    Submitted,
    /// Approved and on the waiting list: the quota does not hold its amount yet.
    Approved,
    /// Approved, and its amount bound in the quota; a public notice may be running.
    Reserved,
    /// With the bank.
    InPayment,
    /// Paid out.
    Paid,
    /// The bank rejected a payment; its amount is still bound.
    Failed,
    /// All of what was paid has come back.
    Returned,
    /// Refused by the approver, or by an objection that was upheld.
    Rejected,
    /// Taken back before a decision bound money.
    Withdrawn,
    /// Ended after approval without payment.
    Cancelled,
}

/// What can be done to a claim as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Approve it, and bind its amount.
    Reserve,
    /// Approve it, and put it on the waiting list.
    Wait,
    /// Refuse it.
    Reject,
    /// Take it back.
    Withdraw,
    /// End it unpaid.
    Cancel,
    /// Object to it (公示异议), which holds it.
    Object,
    /// Send it to the bank.
    Instruct,
    /// Note the bank's answer to a payment.
    Conclude,
    /// Make it ready to be paid again.
    Retry,
    /// Note money that came back.
    Return,
}

impl State {
    /// Whether a claim in this state may be in a payment batch.
    pub const fn may_be_in_batch(self) -> bool {
        matches!(
            self,
            Self::Reserved | Self::InPayment | Self::Paid | Self::Failed | Self::Returned
        )
    }

    /// All states.
    pub const ALL: [Self; 10] = [
        Self::Submitted,
        Self::Approved,
        Self::Reserved,
        Self::InPayment,
        Self::Paid,
        Self::Failed,
        Self::Returned,
        Self::Rejected,
        Self::Withdrawn,
        Self::Cancelled,
    ];

    /// The code used in the API, in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Reserved => "reserved",
            Self::InPayment => "in_payment",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Returned => "returned",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Cancelled => "cancelled",
        }
    }

    /// The Chinese name.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Submitted => "已申报",
            Self::Approved => "已批准待指标",
            Self::Reserved => "已冻结指标",
            Self::InPayment => "支付中",
            Self::Paid => "已支付",
            Self::Failed => "支付失败",
            Self::Returned => "已退回",
            Self::Rejected => "不予批准",
            Self::Withdrawn => "已撤回",
            Self::Cancelled => "已取消",
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

    /// Whether the action is possible at all. Where it leads is decided by the parts in three cases
    /// (instruct, conclude, return), and by the action alone in the others.
    pub const fn allows(self, action: Action) -> bool {
        match action {
            Action::Wait | Action::Reject => matches!(self, Self::Submitted),
            Action::Reserve => matches!(self, Self::Submitted | Self::Approved),
            Action::Withdraw => matches!(self, Self::Submitted | Self::Approved),
            Action::Cancel => matches!(self, Self::Approved | Self::Reserved | Self::Failed),
            Action::Object | Action::Instruct => matches!(self, Self::Reserved),
            Action::Conclude => matches!(self, Self::InPayment),
            Action::Retry => matches!(self, Self::Failed),
            Action::Return => matches!(self, Self::Paid | Self::Failed),
        }
    }

    /// Whether nothing more is done that needs to know who the claim is for. Money of a claim that was paid
    /// may still come back.
    pub const fn is_end(self) -> bool {
        matches!(
            self,
            Self::Paid | Self::Returned | Self::Rejected | Self::Withdrawn | Self::Cancelled
        )
    }

    /// Whether a household or home stays taken: everything but an end without money.
    pub const fn holds_keys(self) -> bool {
        !matches!(
            self,
            Self::Rejected | Self::Withdrawn | Self::Cancelled | Self::Returned
        )
    }
}

impl Action {
    /// The words for messages, English and Chinese.
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Reserve | Self::Wait => ("approved", "批准"),
            Self::Reject => ("rejected", "不予批准"),
            Self::Withdraw => ("withdrawn", "撤回"),
            Self::Cancel => ("cancelled", "取消"),
            Self::Object => ("objected to", "提出异议"),
            Self::Instruct => ("paid", "支付"),
            Self::Conclude => ("given the bank's answer", "登记支付结果"),
            Self::Retry => ("paid again", "重新支付"),
            Self::Return => ("returned", "退回"),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
