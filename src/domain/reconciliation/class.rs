//! What a payment or a line comes to, why, and by which rule.

use super::codes;

/// What every payment and every line ends as: exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Bank and books agree.
    Matched,
    /// A payment that the bank should have made by now.
    MissingAtBank,
    /// A line that no payment explains.
    UnknownAtBank,
    /// A line of a payment with another amount.
    AmountDiffers,
    /// A line that pays a payment again.
    DuplicateAtBank,
    /// Made by the bank after the days it has for it.
    Late,
    /// Made, and undone by a later line.
    Reversed,
    /// A payment that the bank still has days for.
    InFlight,
}

codes!(Class {
    Matched => "matched", "相符",
    MissingAtBank => "missing_at_bank", "银行未付",
    UnknownAtBank => "unknown_at_bank", "账外流水",
    AmountDiffers => "amount_differs", "金额不符",
    DuplicateAtBank => "duplicate_at_bank", "重复付款",
    Late => "late", "逾期到账",
    Reversed => "reversed", "已冲回",
    InFlight => "in_flight", "在途",
});

impl Class {
    /// Whether somebody has to look at it. What is still in flight needs nobody.
    pub const fn is_break(self) -> bool {
        !matches!(self, Self::Matched | Self::InFlight)
    }

    /// Whether a line of this class is done with, so that only a further line of its payment opens it again.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Matched | Self::Late | Self::Reversed)
    }
}

/// By which rule a line belongs to a payment; recorded with the match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The payment's reference stands in the line, and the amount is the payment's.
    Reference,
    /// Amount, payee's account and day, and nothing else that fits.
    AccountDate,
    /// One line for all payments of a batch and an account that are not paid otherwise.
    BatchTotal,
    /// Several lines with the payment's reference that add up to its amount.
    Split,
    /// A line that undoes an earlier one of the same amount.
    Reversal,
    /// The reference is the payment's, the amount or the count of lines is not: related, not matched.
    Related,
    /// A person said so.
    Hand,
}

codes!(Rule {
    Reference => "reference", "参考号",
    AccountDate => "account-date", "金额账号日期",
    BatchTotal => "batch-total", "批次合计",
    Split => "split", "拆分付款",
    Reversal => "reversal", "冲回",
    Related => "related", "相关",
    Hand => "hand", "人工",
});

/// Why something is of its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is as it should be.
    Agreed,
    /// No line, and the days for it are over.
    NoLine,
    /// No line yet, and the days for it are not over.
    Due,
    /// The line says nothing that leads to a payment.
    NothingFits,
    /// More than one payment, or more than one line, fits.
    Ambiguous,
    /// The reference is none of this account's payments.
    ReferenceUnknown,
    /// The payment was noted as failed.
    PaymentFailed,
    /// The payment's money had come back before.
    PaymentReturned,
    /// Money came in for a payment that the bank did not make before.
    CreditWithoutDebit,
    /// Money came back, but not what one line had paid.
    CreditDiffers,
    /// The lines of the payment do not add up to it.
    AmountDiffers,
    /// A further line of a payment that is paid.
    PaidAlready,
    /// The total of an order is not that of its payments.
    TotalDiffers,
    /// Booked after the days that the bank has.
    AfterDeadline,
    /// All of the money came back.
    Returned,
    /// Part of the money came back.
    ReturnedInPart,
    /// The money came back and was posted, and then the bank took that back: it is paid, and the books say it is not.
    ReturnTakenBack,
    /// The money came back, and the ledger refused to post it.
    PostingRefused,
}

codes!(Reason {
    Agreed => "agreed", "一致",
    NoLine => "no_line", "无流水",
    Due => "due", "未到期",
    NothingFits => "nothing_fits", "无对应付款",
    Ambiguous => "ambiguous", "不唯一",
    ReferenceUnknown => "reference_unknown", "参考号不存在",
    PaymentFailed => "payment_failed", "付款已登记失败",
    PaymentReturned => "payment_returned", "款项已退回",
    CreditWithoutDebit => "credit_without_debit", "无对应支出的贷记",
    CreditDiffers => "credit_differs", "退回金额不符",
    AmountDiffers => "amount_differs", "金额不符",
    PaidAlready => "paid_already", "已支付",
    TotalDiffers => "total_differs", "批次合计不符",
    AfterDeadline => "after_deadline", "超过期限",
    Returned => "returned", "全额退回",
    ReturnedInPart => "returned_in_part", "部分退回",
    ReturnTakenBack => "return_taken_back", "退回被撤销",
    PostingRefused => "posting_refused", "入账被拒",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_written() {
        for class in Class::ALL {
            assert_eq!(Class::parse("class", class.code()).unwrap(), *class);
        }
        for rule in Rule::ALL {
            assert_eq!(Rule::parse("rule", rule.code()).unwrap(), *rule);
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::parse("reason", reason.code()).unwrap(), *reason);
        }
        assert!(Class::parse("class", "").is_err());
    }
}
