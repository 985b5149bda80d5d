//! What a bank answers: for a whole batch, for one payer's block of it, for single payments.

use super::batch::BatchId;
use super::reference::Reference;
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use std::fmt;
use time::Date;

/// What has become of a payment.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The money is on the payee's account, or has left the payer's for good.
    Settled {
        /// The day, as the bank says it.
        on: Date,
        /// The bank's own number of the transaction.
        transaction: Option<String>,
    },
    /// Nothing was paid.
    Failed {
        /// The bank's code for the reason, such as `AC04` of ISO 20022.
        code: Option<String>,
        /// The reason in words. A bank may repeat the payee's name here: personal data.
        text: Option<String>,
    },
    /// The bank has the order and has not decided, or is still paying.
    Pending,
}

impl Outcome {
    /// The code used in the API, in the store and in tables.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Settled { .. } => "settled",
            Self::Failed { .. } => "failed",
            Self::Pending => "pending",
        }
    }

    /// The Chinese name.
    pub const fn zh(&self) -> &'static str {
        match self {
            Self::Settled { .. } => "成功",
            Self::Failed { .. } => "失败",
            Self::Pending => "处理中",
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settled { on, transaction } => f
                .debug_struct("Settled")
                .field("on", on)
                .field("transaction", transaction)
                .finish(),
            // Without the words.
            Self::Failed { code, .. } => f
                .debug_struct("Failed")
                .field("code", code)
                .finish_non_exhaustive(),
            Self::Pending => f.write_str("Pending"),
        }
    }
}

/// What a bank says of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentResult {
    /// Line of the file, counted from 1.
    pub line: u32,
    /// The payment.
    pub reference: Reference,
    /// The amount as the bank repeats it.
    pub amount: Option<Money>,
    /// What has become of it.
    pub outcome: Outcome,
}

/// What one file of a bank says. No reference is in it twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BankResults {
    /// The batch that the file says it is about; tables do not say.
    pub batch: Option<String>,
    /// What is said of the batch as a whole.
    pub whole: Option<Outcome>,
    /// What is said of blocks, by their identification; see [`BatchId::block`].
    pub blocks: Vec<(String, Outcome)>,
    /// What is said of single payments, in the order of the file.
    pub payments: Vec<PaymentResult>,
}

impl BankResults {
    /// What holds for the payments of a block of which nothing is said singly.
    pub fn of_block(&self, batch: &BatchId, payer: Payer) -> Option<&Outcome> {
        let block = batch.block(payer);
        self.blocks
            .iter()
            .find(|(id, _)| *id == block)
            .map(|(_, outcome)| outcome)
            .or(self.whole.as_ref())
    }
}
