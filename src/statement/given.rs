//! What whoever hands in a file says of it beside the file.

use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::payment::AccountNumber;
use crate::domain::reconciliation::HeadSoFar;
use time::Date;

/// What is known of a statement beside its file: it stands in where the file is silent, and must be the same where
/// the file is not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Given {
    /// The account.
    pub account: Option<AccountNumber>,
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
    /// The balance before the first line.
    pub opening: Option<Money>,
    /// The balance behind the last line.
    pub closing: Option<Money>,
}

impl Given {
    /// Puts what is given into a head.
    pub(super) fn complete(&self, head: &mut HeadSoFar) -> Result<(), Vec<Violation>> {
        let mut faults = Vec::new();
        if let Some(account) = &self.account {
            let found = head.account.get_or_insert_with(|| account.clone());
            if found != account {
                let masked = account.masked();
                faults.push(Violation::new(
                    "account",
                    found.masked(),
                    format!("{masked}, the account that was named beside the file"),
                    format!("应为随文件指定的账户 {masked}"),
                ));
            }
        }
        same("from", &mut head.from, self.from, &mut faults);
        same("to", &mut head.to, self.to, &mut faults);
        same("opening", &mut head.opening, self.opening, &mut faults);
        same("closing", &mut head.closing, self.closing, &mut faults);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

fn same<T: Copy + PartialEq + ToString>(
    field: &str,
    slot: &mut Option<T>,
    given: Option<T>,
    faults: &mut Vec<Violation>,
) {
    let Some(given) = given else { return };
    let found = *slot.get_or_insert(given);
    if found != given {
        let given = given.to_string();
        faults.push(Violation::new(
            field,
            found.to_string(),
            format!("{given}, as was said beside the file"),
            format!("应与随文件给出的 {given} 一致"),
        ));
    }
}
