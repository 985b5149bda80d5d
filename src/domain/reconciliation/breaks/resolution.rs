//! How a break is resolved.

use crate::domain::allocation::Signature;
use crate::domain::error::{Bilingual, Violation};
use crate::domain::money::Money;
use crate::domain::reconciliation::LineId;
use serde::{Deserialize, Serialize};

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
