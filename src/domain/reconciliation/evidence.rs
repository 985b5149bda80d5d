//! What was compared, as facts: the words that a clerk reads are made of them when they are shown.

use super::LineId;
use super::class::{Class, Reason};
use crate::domain::error::Bilingual;
use crate::domain::money::Money;

/// What a break is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Subject {
    /// A payment, by its reference.
    Payment(String),
    /// A line of a statement.
    Line(LineId),
}

/// The class of a payment or a line, and what was compared.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Evidence {
    /// What it is about.
    pub subject: Subject,
    /// The class.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// A line's payment, where its reference names one; may be empty.
    pub other_reference: String,
    /// A payment's first line, or another line that this one is to be seen with.
    pub other_line: Option<LineId>,
    /// What the books say; money in above zero, money out below.
    pub expected: Money,
    /// What the bank says.
    pub found: Money,
    /// The last day that the bank has, `YYYY-MM-DD`; may be empty.
    pub expected_on: String,
    /// The day that the bank booked it; may be empty.
    pub found_on: String,
    /// How many would fit, where more than one does.
    pub candidates: u64,
    /// The day that it counts from.
    pub since: String,
}

impl Evidence {
    /// The amount that is at stake, without a sign.
    pub fn amount(&self) -> Money {
        let both = (self.expected.fen(), self.found.fen());
        let fen = match both {
            (expected, 0) => expected,
            (0, found) => found,
            (expected, found) if self.class == Class::AmountDiffers => found - expected,
            (expected, _) => expected,
        };
        Money::from_fen(fen.abs()).unwrap_or_default()
    }

    /// What was compared, in words.
    pub fn sentence(&self) -> Bilingual {
        let (expected, found) = (plain(self.expected), plain(self.found));
        let (due, on) = (self.expected_on.as_str(), self.found_on.as_str());
        let other = self.other_reference.as_str();
        let many = self.candidates;
        // Amounts are shown without their sign, so that the words have to say which way the money went.
        let (way_en, way_zh) = if self.found.is_negative() {
            ("went out", "支出")
        } else {
            ("came in", "收入")
        };
        let (en, zh) = match self.reason {
            Reason::Agreed => (
                format!("books {expected}, bank {found} on {on}"),
                format!("账面 {expected},银行 {on} {found}"),
            ),
            Reason::NoLine => (
                format!("{expected} was to be paid by {due}; no line of a statement pays it"),
                format!("应于 {due} 前支付 {expected},对账单中无此流水"),
            ),
            Reason::Due => (
                format!("{expected} is to be paid by {due}; no line of a statement pays it yet"),
                format!("应于 {due} 前支付 {expected},对账单中尚无流水"),
            ),
            Reason::NothingFits => (
                format!("{found} {way_en} on {on} without a reference, and no payment fits it"),
                format!("{on} {way_zh} {found},无参考号,也无相符付款"),
            ),
            Reason::Ambiguous => (
                format!(
                    "{found} {way_en} on {on} and fits {many} payments, or competes with other lines for one"
                ),
                format!("{on} {way_zh} {found},有 {many} 笔付款或多条流水相符,无法唯一确定"),
            ),
            Reason::ReferenceUnknown => (
                format!("{found} {way_en} on {on}: the reference {other} is of no payment from this account"),
                format!("{on} {way_zh} {found},参考号 {other} 不属于本账户的付款"),
            ),
            Reason::PaymentFailed => (
                format!("{found} {way_en} on {on} for payment {other}, which was noted as failed"),
                format!("{on} {way_zh} {found},对应付款 {other} 已登记为失败"),
            ),
            Reason::PaymentReturned => (
                format!("{found} {way_en} on {on} for payment {other}, whose money had come back before"),
                format!("{on} {way_zh} {found},对应付款 {other} 此前已退回"),
            ),
            Reason::CreditWithoutDebit => (
                format!("{found} came in on {on} for payment {other}, which no earlier line pays"),
                format!("{on} 收到 {found},对应付款 {other} 此前无支出流水"),
            ),
            Reason::CreditDiffers => (
                format!("{found} came back on {on} for payment {other}; no line of it paid that amount out"),
                format!("{on} 退回 {found},与付款 {other} 的任何支出流水金额不符"),
            ),
            Reason::AmountDiffers => (
                format!("the books say {expected}, the bank {found}, first on {on}"),
                format!("账面 {expected},银行合计 {found}(首笔 {on})"),
            ),
            Reason::PaidAlready => (
                format!("{found} booked on {on} pays {other} again, which another line pays"),
                format!("{on} {way_zh} {found},付款 {other} 已由另一条流水支付"),
            ),
            Reason::TotalDiffers => (
                format!("{found} {way_en} on {on} for order {other}, whose open payments are {expected}"),
                format!("{on} {way_zh} {found},批次 {other} 未核销付款合计 {expected}"),
            ),
            Reason::AfterDeadline => (
                format!("{found} booked on {on}, after {due}"),
                format!("{on} {way_zh} {found},晚于期限 {due}"),
            ),
            Reason::Returned => (
                format!("{expected} was paid and came back on {on}"),
                format!("已支付 {expected},{on} 全额退回"),
            ),
            Reason::ReturnedInPart => (
                format!("of {expected} paid, {found} came back, last on {on}"),
                format!("已支付 {expected},其中 {found} 已退回(最近 {on})"),
            ),
            Reason::ReturnTakenBack => (
                format!("{expected} came back on {on} and was posted; the bank has since undone that"),
                format!("{on} 退回 {expected} 并已入账,其后银行撤销了该笔退回"),
            ),
            Reason::PostingRefused => (
                format!("{found} came back on {on}, and the ledger did not take the posting"),
                format!("{on} 退回 {found},账簿拒绝入账"),
            ),
        };
        Bilingual::new(en, zh)
    }

    /// What is to be done about it.
    pub fn suggestion(&self) -> Bilingual {
        let (en, zh) = match (self.class, self.reason) {
            (Class::Matched, _) => ("nothing", "无需处理"),
            (Class::InFlight, _) => ("wait for the next statement", "等待后续对账单"),
            (Class::MissingAtBank, _) => (
                "ask the bank whether it made the payment; if it did not, note it as failed",
                "向银行查询该笔付款;确未支付的,登记为失败",
            ),
            (Class::Late, _) => (
                "nothing is owed; ask the bank why where it happens often",
                "款项无误;如经常发生,请向银行了解原因",
            ),
            (Class::Reversed, Reason::PostingRefused) => (
                "see why the ledger refused, and post the return by hand",
                "查明账簿拒绝原因后,人工登记退回",
            ),
            (Class::Reversed, Reason::ReturnTakenBack) => (
                "ask the bank whether the payee has the money: if so, the payment must be noted as paid",
                "向银行核实收款人是否到账;已到账的,应登记为已支付",
            ),
            (Class::Reversed, _) => (
                "correct the payee's account and pay again, or cancel the claim",
                "更正收款账户后重新支付,或撤销申请",
            ),
            (Class::DuplicateAtBank, _) => (
                "ask the bank to take the second payment back; until then it is the bank's error",
                "要求银行追回重复付款,期间按银行差错处理",
            ),
            (Class::AmountDiffers, Reason::CreditDiffers) => (
                "find out what the bank sent back, and post that part by hand",
                "查明退回内容后,人工登记该部分退回",
            ),
            (Class::AmountDiffers, _) => (
                "ask the bank to correct the amount; if a further part is on its way, wait for it",
                "要求银行更正金额;如尚有剩余部分在途,可等待后续流水",
            ),
            (_, Reason::PaymentFailed | Reason::PaymentReturned) => (
                "ask the bank whether the payee has the money: if so, the payment must be noted as paid",
                "向银行核实收款人是否到账;已到账的,应登记为已支付",
            ),
            (_, Reason::CreditWithoutDebit) => (
                "find the debit that the money comes back from, in an earlier statement or another account",
                "在此前对账单或其他账户中查找对应支出",
            ),
            (_, Reason::Ambiguous) => (
                "match by hand with what the bank knows of the payee",
                "根据银行提供的收款人信息人工勾对",
            ),
            (_, Reason::TotalDiffers) => (
                "compare the order with the bank's list: a payment may be missing or rejected",
                "将批次与银行清单核对,可能有未付或被拒的付款",
            ),
            (Class::UnknownAtBank, _) => (
                "find what it is: a receipt, a fee, interest, a transfer, or a payment of another account",
                "查明性质:收款、手续费、利息、划转,或其他账户的付款",
            ),
        };
        Bilingual::new(en, zh)
    }
}

/// An amount without its sign, with thousands apart.
fn plain(amount: Money) -> String {
    Money::from_fen(amount.fen().abs()).unwrap_or_default().grouped()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words_in_both_languages() {
        for reason in Reason::ALL {
            for class in Class::ALL {
                let evidence = Evidence {
                    subject: Subject::Payment("RF24123C1".to_owned()),
                    class: *class,
                    reason: *reason,
                    other_reference: "RF24123C1".to_owned(),
                    other_line: None,
                    expected: Money::from_fen(-123_456).unwrap(),
                    found: Money::from_fen(-120_000).unwrap(),
                    expected_on: "2025-06-10".to_owned(),
                    found_on: "2025-06-11".to_owned(),
                    candidates: 2,
                    since: "2025-06-05".to_owned(),
                };
                let said = evidence.sentence();
                assert!(
                    !said.en.contains('-') || said.en.contains("2025-06"),
                    "{}",
                    said.en
                );
                assert!(!said.zh.is_empty() && !evidence.suggestion().zh.is_empty());
                assert!(evidence.amount() > Money::ZERO);
            }
        }
    }

    #[test]
    fn what_is_at_stake_is_the_difference_where_amounts_differ() {
        let evidence = |class, expected, found| Evidence {
            subject: Subject::Payment(String::new()),
            class,
            reason: Reason::AmountDiffers,
            other_reference: String::new(),
            other_line: None,
            expected: Money::from_fen(expected).unwrap(),
            found: Money::from_fen(found).unwrap(),
            expected_on: String::new(),
            found_on: String::new(),
            candidates: 0,
            since: String::new(),
        };
        assert_eq!(evidence(Class::AmountDiffers, -100, -130).amount().fen(), 30);
        assert_eq!(evidence(Class::Late, -100, -100).amount().fen(), 100);
        assert_eq!(evidence(Class::UnknownAtBank, 0, -70).amount().fen(), 70);
    }
}
