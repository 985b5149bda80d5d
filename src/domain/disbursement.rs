//! Payments and the batches they go to the bank in.
//!
//! A batch collects claims of one programme, is frozen, released by another person than the one who
//! created it, and closes when the bank has answered every payment. A payment is for one part of a claim
//! and one attempt.

use super::allocation::{FundId, Signature};
use super::claim::ClaimId;
use super::digest::DigestBuilder;
use super::error::{Bilingual, Error, Violation, excerpt};
use super::money::Money;
use super::payer::Payer;
use super::region::RegionCode;
use super::subsidy::ProgrammeCode;
use std::fmt;

macro_rules! codes {
    ($name:ident { $($variant:ident => $code:literal, $zh:literal),+ $(,)? }) => {
        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code used in the API, in the store and in tables.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The Chinese name.
            pub const fn zh(self) -> &'static str {
                match self { $(Self::$variant => $zh),+ }
            }

            /// Reads a code.
            pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
                let found = Self::ALL.iter().find(|state| state.code() == text);
                found.copied().ok_or_else(|| {
                    let codes = Self::ALL.iter().map(|state| state.code()).collect::<Vec<_>>().join(", ");
                    Violation::new(field, text, format!("one of {codes}"), format!("下列之一:{codes}"))
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}

/// Where a payment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Sent to the bank.
    Instructed,
    /// Confirmed by the bank.
    Settled,
    /// Rejected by the bank.
    Failed,
}

codes!(PaymentState {
    Instructed => "instructed", "支付中",
    Settled => "settled", "支付成功",
    Failed => "failed", "支付失败",
});

/// Where a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    /// Collected; claims may be taken out.
    Draft,
    /// Fixed, waits for its release.
    Frozen,
    /// Released by a second person: its payments are with the bank.
    Released,
    /// Every payment has the bank's answer.
    Closed,
    /// Given up before its release.
    Cancelled,
}

codes!(BatchState {
    Draft => "draft", "草稿",
    Frozen => "frozen", "已锁定",
    Released => "released", "已复核发出",
    Closed => "closed", "已完成",
    Cancelled => "cancelled", "已取消",
});

/// What can be done to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchAction {
    /// Take a claim out, or put more in.
    Change,
    /// Fix its lines.
    Freeze,
    /// Send its payments to the bank.
    Release,
    /// Note the bank's answers; the last one closes it.
    Conclude,
    /// Give it up.
    Cancel,
}

impl BatchState {
    /// The one transition function: the state after an action, or `None` where it is not allowed.
    /// [`BatchAction::Conclude`] leads to [`Self::Closed`] when no payment is open any more.
    pub const fn after(self, action: BatchAction, open_payments: bool) -> Option<Self> {
        match (self, action) {
            (Self::Draft, BatchAction::Change) => Some(Self::Draft),
            (Self::Draft, BatchAction::Freeze) => Some(Self::Frozen),
            (Self::Frozen, BatchAction::Release) => Some(Self::Released),
            (Self::Draft | Self::Frozen, BatchAction::Cancel) => Some(Self::Cancelled),
            (Self::Released, BatchAction::Conclude) => Some(if open_payments {
                Self::Released
            } else {
                Self::Closed
            }),
            _ => None,
        }
    }
}

/// One payment: a part of a claim, sent once.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Payment {
    /// The claim.
    pub claim: ClaimId,
    /// The batch.
    pub batch: u64,
    /// The line in the batch, counted from 1.
    pub line: u64,
    /// Whose money.
    pub payer: Payer,
    /// Which attempt to pay this part.
    pub attempt: u32,
    /// The reference that comes back on the bank's statement (ISO 11649).
    pub reference: String,
    /// How much.
    pub amount: Money,
    /// Where it is.
    pub state: PaymentState,
    /// The bank's own number of the transaction; may be empty.
    pub bank_reference: String,
    /// The bank's date of the answer, `YYYY-MM-DD`; may be empty.
    pub concluded_on: String,
    /// Why the bank rejected it; may be empty.
    pub reason: String,
    /// Who noted the bank's answer.
    pub concluded: Option<Signature>,
}

/// The bank's answer to a payment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Answer {
    /// Whether it was paid.
    pub settled: bool,
    /// The bank's own number of the transaction; may be empty.
    pub bank_reference: String,
    /// The bank's date, `YYYY-MM-DD`; may be empty.
    pub on: String,
    /// Why it was rejected; may be empty.
    pub reason: String,
}

impl Payment {
    /// Notes the bank's answer. The same answer again changes nothing and gives `false`.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where the bank has answered otherwise before.
    pub fn conclude(&mut self, answer: &Answer, signature: Signature) -> Result<bool, Error> {
        let state = if answer.settled {
            PaymentState::Settled
        } else {
            PaymentState::Failed
        };
        if self.state == state {
            return Ok(false);
        }
        if self.state != PaymentState::Instructed {
            let (reference, claim) = (&self.reference, &self.claim);
            return Err(Error::State {
                name: claim.to_string(),
                reason: "PAYMENT_CONCLUDED",
                message: Bilingual::new(
                    format!(
                        "payment {reference} of {claim} is {} and cannot become {state}",
                        self.state
                    ),
                    format!(
                        "{claim} 的付款 {reference} 当前为“{}”,不能改为“{}”",
                        self.state.zh(),
                        state.zh()
                    ),
                ),
            });
        }
        self.state = state;
        self.bank_reference.clone_from(&answer.bank_reference);
        self.concluded_on.clone_from(&answer.on);
        self.reason.clone_from(&answer.reason);
        self.concluded = Some(signature);
        Ok(true)
    }
}

/// A batch of payments.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Batch {
    /// The fund.
    pub fund: FundId,
    /// Counted from 1 within the fund.
    pub number: u64,
    /// The programme.
    pub programme: ProgrammeCode,
    /// The region that its claims are of; none where they may be of any.
    #[serde(default)]
    pub region: Option<RegionCode>,
    /// Where it is.
    pub state: BatchState,
    /// Counts changes; gives the etag.
    pub version: u32,
    /// When the bank is to pay, `YYYY-MM-DD`.
    pub execution_date: String,
    /// How many payments.
    pub lines: u64,
    /// Their sum.
    pub amount: Money,
    /// Who collected it.
    pub created: Signature,
    /// Who froze it.
    pub frozen: Option<Signature>,
    /// Who released it.
    pub released: Option<Signature>,
    /// Who closed or cancelled it.
    pub closed: Option<Signature>,
    /// A note; may be empty.
    pub note: String,
}

impl Batch {
    /// The resource name.
    pub fn resource_name(&self) -> String {
        format!("funds/{}/batches/{}", self.fund, self.number)
    }

    /// Changes whenever the batch does.
    pub fn etag(&self) -> String {
        let mut digest = DigestBuilder::new("incentivefund.v1.BatchEtag");
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

    /// Carries out an action; a release is refused to whoever created or froze the batch.
    pub fn act(
        &mut self,
        action: BatchAction,
        open_payments: bool,
        signature: Signature,
    ) -> Result<(), Error> {
        let Some(next) = self.state.after(action, open_payments) else {
            let (en, zh) = match action {
                BatchAction::Change => ("changed", "修改"),
                BatchAction::Freeze => ("frozen", "锁定"),
                BatchAction::Release => ("released", "复核发出"),
                BatchAction::Conclude => ("given the bank's answers", "登记支付结果"),
                BatchAction::Cancel => ("cancelled", "取消"),
            };
            let name = self.resource_name();
            return Err(Error::State {
                reason: "BATCH_STATE",
                message: Bilingual::new(
                    format!("{name} is {} and cannot be {en}", self.state),
                    format!("{name} 当前为“{}”,不能{zh}", self.state.zh()),
                ),
                name,
            });
        };
        match action {
            BatchAction::Freeze => self.frozen = Some(signature),
            BatchAction::Release => {
                let first = self.frozen.as_ref().map(|frozen| &frozen.by);
                if signature.by == self.created.by || Some(&signature.by) == first {
                    let (by, name) = (&signature.by, self.resource_name());
                    return Err(Error::Forbidden {
                        reason: "RELEASER_PREPARED_BATCH",
                        message: Bilingual::new(
                            format!("{by} prepared {name} and may not release it: another person must"),
                            format!("{by} 是 {name} 的经办人,不得自行复核发出,须由他人复核"),
                        ),
                    });
                }
                self.released = Some(signature);
            }
            BatchAction::Cancel => self.closed = Some(signature),
            BatchAction::Conclude if next == BatchState::Closed => self.closed = Some(signature),
            BatchAction::Conclude | BatchAction::Change => {}
        }
        self.state = next;
        self.version += 1;
        Ok(())
    }
}
