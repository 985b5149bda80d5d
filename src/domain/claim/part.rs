//! A claim's parts: what each payer owes, and where that money is.

use crate::domain::money::Money;
use crate::domain::payer::Payer;

/// Where the money of a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// Nowhere: not bound yet, or free again.
    Free,
    /// Bound in the quota.
    Reserved,
    /// With the bank.
    InPayment,
    /// Rejected by the bank and bound in the quota.
    Failed,
    /// Paid out.
    Paid,
}

impl PartState {
    /// The code used in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Reserved => "reserved",
            Self::InPayment => "in_payment",
            Self::Failed => "failed",
            Self::Paid => "paid",
        }
    }
}

/// What one payer owes to a claim.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// Who pays.
    pub payer: Payer,
    /// How much; above zero.
    pub amount: Money,
    /// Where the money is.
    pub state: PartState,
    /// How many times it was sent to the bank.
    pub attempts: u32,
    /// How much of what was paid has come back.
    pub returned: Money,
}

impl Part {
    /// A part before anything is bound.
    pub const fn new(payer: Payer, amount: Money) -> Self {
        Self {
            payer,
            amount,
            state: PartState::Free,
            attempts: 0,
            returned: Money::ZERO,
        }
    }

    /// What is paid and has not come back.
    pub fn outstanding(&self) -> Money {
        match self.state {
            PartState::Paid => self.amount.checked_sub(self.returned).unwrap_or_default(),
            _ => Money::ZERO,
        }
    }
}
