//! Whether a break can be resolved as somebody says, and whether what is said is in order.

use super::{Break, Category, Correction, How};
use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::reconciliation::{Class, Evidence, LineId, Reason, Subject, masked};
use std::collections::BTreeSet;

/// Most lines and payments of a match by hand.
pub const MAX_MEMBERS: usize = 1_000;
/// Longest reason or remark, in characters.
pub const MAX_WORDS: usize = 500;

impl Break {
    /// Whether this break can be resolved like that at all.
    pub(super) fn check(&self, how: &How) -> Result<(), Violation> {
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
                if !matches!(class, Class::Late | Class::Reversed)
                    || matches!(reason, Reason::PostingRefused | Reason::ReturnTakenBack) =>
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
