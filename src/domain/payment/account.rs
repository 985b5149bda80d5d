//! Who is paid and who pays: names, account numbers, banks.

use super::text::{self, MAX_NAME};
use crate::domain::error::Violation;
use crate::domain::statistics::half_width;
use std::fmt;

/// Digits of a bank code.
const BANK_CODE_DIGITS: usize = 12;
/// Digits of an account number: cards have 16 to 19, other accounts of banks 9 to 32.
const ACCOUNT_DIGITS: std::ops::RangeInclusive<usize> = 6..=32;
/// Digits of an account number that are shown.
const SHOWN: usize = 4;

/// A bank as China's payment system (CNAPS) numbers it: 联行号, twelve digits.
///
/// Three digits for the kind of bank, four for the place, four for the branch, and a check digit by
/// MOD 11,10 of ISO 7064 (GB/T 17710).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BankCode(String);

impl BankCode {
    /// Reads a code. The error does not repeat it: it may be an account number in the wrong place.
    pub fn parse(field: impl Into<String>, text: &str) -> Result<Self, Violation> {
        let digits = half_width(text.trim());
        if digits.len() == BANK_CODE_DIGITS && check_digit_is_right(&digits) {
            return Ok(Self(digits));
        }
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let found = match digits.chars().count() {
            0 => "(empty)".to_owned(),
            BANK_CODE_DIGITS if plain => "a wrong check digit / 校验码不符".to_owned(),
            length => format!("{length} characters / {length} 个字符"),
        };
        Err(Violation::new(
            field,
            found,
            "a CNAPS bank code of 12 digits whose check digit is right, such as 102100099996",
            "12 位且校验码正确的支付系统行号(联行号),如 102100099996",
        ))
    }

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BankCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// MOD 11,10 of ISO 7064 over digits of which the last is the check digit.
fn check_digit_is_right(digits: &str) -> bool {
    let mut product = 10;
    let mut sum = 0;
    for byte in digits.bytes() {
        if !byte.is_ascii_digit() {
            return false;
        }
        sum = (product + u32::from(byte - b'0')) % 10;
        product = if sum == 0 { 10 } else { sum } * 2 % 11;
    }
    sum == 1
}

/// The number of a bank account: 6 to 32 digits. Personal data where the account is a person's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AccountNumber(String);

impl AccountNumber {
    /// Reads a number; spaces between digits are taken for what they are. The error does not repeat it.
    pub fn parse(field: impl Into<String>, text: &str) -> Result<Self, Violation> {
        let digits: String = half_width(text).chars().filter(|c| *c != ' ').collect();
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain && ACCOUNT_DIGITS.contains(&digits.len()) {
            return Ok(Self(digits));
        }
        let found = match digits.len() {
            0 => "(empty)".to_owned(),
            length if plain => format!("{length} digits"),
            _ => "characters that are no digits".to_owned(),
        };
        let (least, most) = (ACCOUNT_DIGITS.start(), ACCOUNT_DIGITS.end());
        Err(Violation::new(
            field,
            found,
            format!("an account number of {least} to {most} digits"),
            format!("{least} 至 {most} 位数字的账号"),
        ))
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number as people may see it: asterisks and the last four digits.
    pub fn masked(&self) -> String {
        let hidden = self.0.len() - SHOWN;
        format!("{}{}", "*".repeat(hidden), &self.0[hidden..])
    }
}

impl fmt::Debug for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountNumber(***)")
    }
}

/// Who is paid: a person and the account that the person named.
#[derive(Clone, PartialEq, Eq)]
pub struct Creditor {
    name: String,
    account: AccountNumber,
    bank_name: String,
    bank_code: BankCode,
}

impl Creditor {
    /// Reads a payee. `at` is the path that stands before the fields' names in errors.
    pub fn parse(
        at: &str,
        name: &str,
        account: &str,
        bank_name: &str,
        bank_code: &str,
    ) -> Result<Self, Vec<Violation>> {
        match (
            text::check(format!("{at}.name"), name, MAX_NAME),
            AccountNumber::parse(format!("{at}.account"), account),
            text::check(format!("{at}.bank_name"), bank_name, MAX_NAME),
            BankCode::parse(format!("{at}.bank_code"), bank_code),
        ) {
            (Ok(()), Ok(account), Ok(()), Ok(bank_code)) => Ok(Self {
                name: name.to_owned(),
                account,
                bank_name: bank_name.to_owned(),
                bank_code,
            }),
            (name, account, bank_name, bank_code) => {
                let faults = [name.err(), account.err(), bank_name.err(), bank_code.err()];
                Err(faults.into_iter().flatten().collect())
            }
        }
    }

    /// The name under which the account is held.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The account.
    pub fn account(&self) -> &AccountNumber {
        &self.account
    }

    /// The bank's name.
    pub fn bank_name(&self) -> &str {
        &self.bank_name
    }

    /// The bank's code.
    pub fn bank_code(&self) -> &BankCode {
        &self.bank_code
    }
}

impl fmt::Debug for Creditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Creditor(***)")
    }
}

/// Who pays: an authority and its account, from the configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Debtor {
    name: String,
    account: AccountNumber,
    bank_code: BankCode,
}

impl Debtor {
    /// Reads a payer's account. `at` is the path that stands before the fields' names in errors.
    pub fn parse(at: &str, name: &str, account: &str, bank_code: &str) -> Result<Self, Vec<Violation>> {
        match (
            text::check(format!("{at}.name"), name, MAX_NAME),
            AccountNumber::parse(format!("{at}.account"), account),
            BankCode::parse(format!("{at}.bank_code"), bank_code),
        ) {
            (Ok(()), Ok(account), Ok(bank_code)) => Ok(Self {
                name: name.to_owned(),
                account,
                bank_code,
            }),
            (name, account, bank_code) => {
                let faults = [name.err(), account.err(), bank_code.err()];
                Err(faults.into_iter().flatten().collect())
            }
        }
    }

    /// The name under which the account is held.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The account.
    pub fn account(&self) -> &AccountNumber {
        &self.account
    }

    /// The bank's code.
    pub fn bank_code(&self) -> &BankCode {
        &self.bank_code
    }
}

impl fmt::Debug for Debtor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debtor")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_codes_of_banks() {
        for code in [
            "102100099996", // 中国工商银行
            "103100000026", // 中国农业银行
            "104100000004", // 中国银行
            "105100000017", // 中国建设银行
            "403100000004", // 中国邮政储蓄银行
            "313491099996", // 中原银行
            "001100011002", // 中国人民银行营业管理部
        ] {
            assert_eq!(BankCode::parse("bank_code", code).unwrap().as_str(), code);
        }
        assert!(BankCode::parse("bank_code", " １０２１０００９９９９６ ").is_ok());
    }

    #[test]
    fn refuses_codes_with_a_wrong_digit() {
        let right = "313491099996";
        for at in 0..12 {
            for digit in ('0'..='9').filter(|digit| !right[at..].starts_with(*digit)) {
                let mut wrong = right.to_owned();
                wrong.replace_range(at..=at, &digit.to_string());
                assert!(BankCode::parse("bank_code", &wrong).is_err(), "{wrong}");
            }
        }
        for wrong in ["", "31349109999", "3134910999960", "31349109999X", "-13491099996"] {
            assert!(BankCode::parse("bank_code", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shows_no_personal_data() {
        let creditor = Creditor::parse(
            "creditor",
            "张三",
            "6222 0212 3456 7890 123",
            "中原银行许昌分行",
            "313491099996",
        )
        .unwrap();
        assert_eq!(creditor.account().as_str(), "6222021234567890123");
        assert_eq!(creditor.account().masked(), "***************0123");
        assert_eq!(format!("{creditor:?}"), "Creditor(***)");
        assert_eq!(format!("{:?}", creditor.account()), "AccountNumber(***)");
        let debtor = Debtor::parse("debtor", "许昌市财政局", "4110001234567890", "313491099996").unwrap();
        assert!(!format!("{debtor:?}").contains("4110001234567890"));
    }

    #[test]
    fn reports_every_faulty_field_without_its_content() {
        let faults =
            Creditor::parse("payments[7].creditor", "张三\t", "62220212X4567", "", "1234").unwrap_err();
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(
            fields,
            ["name", "account", "bank_name", "bank_code"].map(|name| format!("payments[7].creditor.{name}"))
        );
        for fault in &faults {
            assert!(!fault.found.contains('张') && !fault.found.contains("6222"));
        }
        assert_eq!(faults[1].found, "characters that are no digits");
    }
}
