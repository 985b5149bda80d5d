//! Whether a statement adds up, line by line, before anything of it is kept.

use super::statement::{
    Direction, HeadSoFar, MAX_IDENTIFICATION, StatementHead, StatementKind, StatementLine,
};
use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::payment::{AccountNumber, Totals};
use time::Date;

/// Adds up one statement. It holds sums and days, not lines.
#[derive(Debug, Clone, Default)]
pub struct Checker {
    debits: Totals,
    credits: Totals,
    entries: u64,
    debit_entries: u64,
    last_line: u64,
    /// The earliest and the latest booking, each with the line.
    days: Option<((Date, u64), (Date, u64))>,
}

/// Where a statement ends, for the one that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The last day.
    pub to: Date,
    /// The number in the series.
    pub sequence: Option<u64>,
    /// The balance.
    pub closing: Money,
}

impl Checker {
    /// Takes the next line.
    ///
    /// # Errors
    ///
    /// A line without amount, one out of order, or sums beyond what money can be.
    pub fn line(&mut self, line: &StatementLine) -> Result<(), Violation> {
        let at = |name: &str| format!("line {}, {name}", line.at);
        if line.amount <= Money::ZERO {
            let found = line.amount.to_string();
            return Err(Violation::new(
                at("amount"),
                found,
                "an amount above zero",
                "大于零的金额",
            ));
        }
        if line.line != self.last_line + 1 {
            return Err(Violation::new(
                at("number"),
                line.line.to_string(),
                format!("{}, the next number", self.last_line + 1),
                format!("应为下一个行号 {}", self.last_line + 1),
            ));
        }
        self.last_line = line.line;
        let begins_entry = line.part.is_none_or(|part| part == 1);
        self.entries += u64::from(begins_entry);
        let totals = match line.direction {
            Direction::Debit => {
                self.debit_entries += u64::from(begins_entry);
                &mut self.debits
            }
            Direction::Credit => &mut self.credits,
        };
        totals.count += 1;
        totals.sum = totals
            .sum
            .checked_add(line.amount)
            .ok_or_else(|| beyond(at("amount")))?;
        let day = (line.booked, line.at);
        self.days = Some(match self.days {
            None => (day, day),
            Some((first, last)) => (
                if day.0 < first.0 { day } else { first },
                if day.0 > last.0 { day } else { last },
            ),
        });
        Ok(())
    }

    /// Lines taken so far.
    pub fn lines(&self) -> u64 {
        self.last_line
    }

    /// The debits so far.
    pub fn debits(&self) -> Totals {
        self.debits
    }

    /// The credits so far.
    pub fn credits(&self) -> Totals {
        self.credits
    }

    /// Holds all lines against the head.
    ///
    /// # Errors
    ///
    /// Every fault: a head that lacks something, sums that are not those declared, days outside of the period,
    /// a closing balance that is not opening + credits - debits.
    pub fn finish(&self, head: &HeadSoFar) -> Result<StatementHead, Vec<Violation>> {
        let mut faults = Vec::new();
        if head.kind == StatementKind::Notification {
            faults.push(Violation::new(
                "file",
                "a notification (camt.054)",
                "a statement: a notification has no balances to check it by, and the statement of the day has the \
                 same lines again",
                "对账单:到账通知(camt.054)没有余额,无法核对,且其明细会在当日对账单中再次出现",
            ));
            return Err(faults);
        }
        self.check_declared(head, &mut faults);
        let account = required(head.account.clone(), "account", &mut faults);
        let opening = required(head.opening, "opening", &mut faults);
        let closing = required(head.closing, "closing", &mut faults);
        let from = required(head.from, "from", &mut faults);
        let to = required(head.to, "to", &mut faults);
        if let (Some(from), Some(to)) = (from, to) {
            self.check_days(from, to, &mut faults);
        }
        if let (Some(opening), Some(closing)) = (opening, closing) {
            self.check_balances(opening, closing, &mut faults);
        }
        if head.identification.chars().count() > MAX_IDENTIFICATION {
            faults.push(Violation::new(
                "identification",
                format!("{} characters", head.identification.chars().count()),
                format!("at most {MAX_IDENTIFICATION} characters"),
                format!("至多 {MAX_IDENTIFICATION} 个字符"),
            ));
        }
        match (account, opening, closing, from, to) {
            (Some(account), Some(opening), Some(closing), Some(from), Some(to)) if faults.is_empty() => {
                Ok(StatementHead {
                    account,
                    identification: if head.identification.is_empty() {
                        format!("{from}/{to}")
                    } else {
                        head.identification.clone()
                    },
                    sequence: head.sequence,
                    from,
                    to,
                    opening,
                    closing,
                    debits: self.debits,
                    credits: self.credits,
                })
            }
            _ => Err(faults),
        }
    }

    fn check_declared(&self, head: &HeadSoFar, faults: &mut Vec<Violation>) {
        let declared = &head.declared;
        let counts = [
            ("entries", declared.entries, self.entries),
            ("debit entries", declared.debit_entries, self.debit_entries),
            (
                "credit entries",
                declared.credit_entries,
                self.entries - self.debit_entries,
            ),
        ];
        for (name, declared, read) in counts {
            if let Some(declared) = declared.filter(|declared| *declared != read) {
                faults.push(Violation::new(
                    format!("declared number of {name}"),
                    declared.to_string(),
                    format!("{read}, as many as the file has"),
                    format!("应为文件中的实际笔数 {read}"),
                ));
            }
        }
        let sums = [
            ("debits", declared.debits, self.debits.sum),
            ("credits", declared.credits, self.credits.sum),
        ];
        for (name, declared, read) in sums {
            if let Some(declared) = declared.filter(|declared| *declared != read) {
                faults.push(Violation::new(
                    format!("declared sum of {name}"),
                    declared.to_string(),
                    format!("{read}, the sum of those in the file"),
                    format!("应为文件中明细之和 {read}"),
                ));
            }
        }
    }

    fn check_days(&self, from: Date, to: Date, faults: &mut Vec<Violation>) {
        if from > to {
            faults.push(Violation::new(
                "from",
                from.to_string(),
                format!("a day not behind the last day {to}"),
                format!("起始日不得晚于截止日 {to}"),
            ));
            return;
        }
        let Some((first, last)) = self.days else { return };
        for (day, at) in [first, last] {
            if !(from..=to).contains(&day) {
                faults.push(Violation::new(
                    format!("line {at}, booking date"),
                    day.to_string(),
                    format!("a day of the statement's period, {from} to {to}"),
                    format!("记账日须在对账期间 {from} 至 {to} 之内"),
                ));
                return;
            }
        }
    }

    fn check_balances(&self, opening: Money, closing: Money, faults: &mut Vec<Violation>) {
        let computed = opening
            .checked_add(self.credits.sum)
            .and_then(|sum| sum.checked_sub(self.debits.sum));
        match computed {
            None => faults.push(beyond("closing".to_owned())),
            Some(computed) if computed != closing => {
                let (credits, debits) = (self.credits.sum, self.debits.sum);
                faults.push(Violation::new(
                    "closing",
                    closing.to_string(),
                    format!("{computed}: opening {opening} + credits {credits} - debits {debits}"),
                    format!("应为 {computed}:期初 {opening} + 贷方 {credits} - 借方 {debits}"),
                ));
            }
            Some(_) => {}
        }
    }
}

impl StatementHead {
    /// Where the statement ends.
    pub fn edge(&self) -> Edge {
        Edge {
            to: self.to,
            sequence: self.sequence,
            closing: self.closing,
        }
    }

    /// Whether the statement is the next one of the account: its opening balance is the closing balance of the one
    /// before, its number the next, its days behind that one's.
    ///
    /// Where both have numbers, the next number is the proof that nothing is missing, and a statement may begin on
    /// the day on which the one before ended. Where they have none, the days must be behind those before, and a gap
    /// shows by the balances. Numbers may begin again at 1 with a year.
    ///
    /// # Errors
    ///
    /// Every fault, by the field that shows it.
    pub fn follows(&self, previous: &Edge) -> Result<(), Vec<Violation>> {
        let mut faults = Vec::new();
        let numbered = self.sequence.zip(previous.sequence);
        let overlaps = if numbered.is_some() {
            self.from < previous.to
        } else {
            self.from <= previous.to
        };
        if overlaps {
            faults.push(Violation::new(
                "from",
                self.from.to_string(),
                format!(
                    "a day behind the end of the statement before, {}: the two overlap",
                    previous.to
                ),
                format!("须晚于上一期对账单的截止日 {}:两期重叠", previous.to),
            ));
        }
        if let Some((number, before)) = numbered {
            let next = before.checked_add(1);
            let begins_again = number == 1 && self.to.year() > previous.to.year();
            if Some(number) != next && !begins_again {
                let wanted = next.unwrap_or(before);
                faults.push(Violation::new(
                    "sequence",
                    number.to_string(),
                    format!("{wanted}, the number behind that of the statement before"),
                    format!("应为上一期之后的序号 {wanted}"),
                ));
            }
        }
        if self.opening != previous.closing {
            faults.push(Violation::new(
                "opening",
                self.opening.to_string(),
                format!(
                    "{}, the closing balance of the statement before",
                    previous.closing
                ),
                format!("应等于上一期对账单的期末余额 {}", previous.closing),
            ));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// A statement of an account that is not one of ours.
pub fn unknown_account(account: &AccountNumber) -> Violation {
    Violation::new(
        "account",
        account.masked(),
        "the number of an account of [[payment.debtor]] in the configuration",
        "配置 [[payment.debtor]] 中的账户",
    )
}

fn required<T>(value: Option<T>, name: &str, faults: &mut Vec<Violation>) -> Option<T> {
    if value.is_none() {
        let (en, zh) = match name {
            "account" => (
                "the number of the account, from the file or given beside it",
                "账号(文件中或另行给出)",
            ),
            "opening" => (
                "the balance before the first line, from the file or given beside it",
                "期初余额(文件中或另行给出)",
            ),
            "closing" => (
                "the balance behind the last line, from the file or given beside it",
                "期末余额(文件中或另行给出)",
            ),
            "from" => (
                "the first day of the statement, from the file or given beside it",
                "起始日期(文件中或另行给出)",
            ),
            _ => (
                "the last day of the statement, from the file or given beside it",
                "截止日期(文件中或另行给出)",
            ),
        };
        faults.push(Violation::new(name, "", en, zh));
    }
    value
}

fn beyond(field: String) -> Violation {
    Violation::new(
        field,
        "a sum beyond 10^15 yuan",
        "sums of at most 10^15 yuan",
        "合计金额不超过 10^15 元",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reconciliation::Declared;
    use time::macros::date;

    fn fen(fen: i64) -> Money {
        Money::from_fen(fen).unwrap()
    }

    fn line(number: u64, direction: Direction, amount: i64) -> StatementLine {
        StatementLine {
            line: number,
            at: number + 10,
            part: None,
            booked: date!(2025 - 06 - 13),
            valued: None,
            direction,
            amount: fen(amount),
            reversal: false,
            reference: None,
            order: None,
            bank_reference: "B1".to_owned(),
            counterparty_account: AccountNumber::parse("", "6222021234567890123").ok(),
            counterparty_name: Some("令狐试例".to_owned()),
            text: "令狐试例 6222021234567890123".to_owned(),
        }
    }

    fn head() -> HeadSoFar {
        HeadSoFar {
            account: AccountNumber::parse("", "411024000000054321").ok(),
            identification: "S1".to_owned(),
            sequence: Some(7),
            from: Some(date!(2025 - 06 - 13)),
            to: Some(date!(2025 - 06 - 13)),
            opening: Some(fen(-500)),
            closing: Some(fen(-800)),
            declared: Declared {
                entries: Some(2),
                debit_entries: Some(1),
                debits: Some(fen(1300)),
                credit_entries: Some(1),
                credits: Some(fen(1000)),
            },
            ..HeadSoFar::default()
        }
    }

    fn checker() -> Checker {
        let mut checker = Checker::default();
        checker.line(&line(1, Direction::Credit, 1000)).unwrap();
        let mut part = line(2, Direction::Debit, 1200);
        part.part = Some(1);
        checker.line(&part).unwrap();
        let mut part = line(3, Direction::Debit, 100);
        part.part = Some(2);
        checker.line(&part).unwrap();
        checker
    }

    fn fields(faults: &[Violation]) -> Vec<&str> {
        faults.iter().map(|fault| fault.field.as_str()).collect()
    }

    #[test]
    fn a_statement_that_adds_up_is_a_head() {
        let whole = checker().finish(&head()).unwrap();
        assert_eq!((whole.debits.count, whole.debits.sum), (2, fen(1300)));
        assert_eq!((whole.credits.count, whole.credits.sum), (1, fen(1000)));
        let unnamed = HeadSoFar {
            identification: String::new(),
            ..head()
        };
        assert_eq!(
            checker().finish(&unnamed).unwrap().identification,
            "2025-06-13/2025-06-13"
        );
        let empty = HeadSoFar {
            closing: head().opening,
            declared: Declared::default(),
            ..head()
        };
        assert!(Checker::default().finish(&empty).is_ok());
    }

    #[test]
    fn tells_what_does_not_add_up() {
        let refused = |change: fn(&mut HeadSoFar)| {
            let mut changed = head();
            change(&mut changed);
            checker().finish(&changed).unwrap_err()
        };
        let faults = refused(|head| head.closing = Some(fen(-801)));
        assert_eq!(
            faults[0].sentence_en(),
            "closing: found -8.01, allowed: -8.00: opening -5.00 + credits 10.00 - debits 13.00"
        );
        for (change, field) in [
            (
                (|head| head.declared.entries = Some(3)) as fn(&mut HeadSoFar),
                "declared number of entries",
            ),
            (
                |head| head.declared.debit_entries = Some(2),
                "declared number of debit entries",
            ),
            (
                |head| head.declared.credit_entries = Some(0),
                "declared number of credit entries",
            ),
            (
                |head| head.declared.debits = Some(fen(1299)),
                "declared sum of debits",
            ),
            (
                |head| head.declared.credits = Some(fen(1)),
                "declared sum of credits",
            ),
            (|head| head.account = None, "account"),
            (|head| head.opening = None, "opening"),
            (|head| head.closing = None, "closing"),
            (|head| head.from = None, "from"),
            (|head| head.to = None, "to"),
            (|head| head.from = Some(date!(2025 - 06 - 14)), "from"),
            (|head| head.to = Some(date!(2025 - 06 - 20)), ""),
            (
                |head| (head.from, head.to) = (Some(date!(2025 - 06 - 01)), Some(date!(2025 - 06 - 12))),
                "line 11, booking date",
            ),
            (|head| head.identification = "x".repeat(65), "identification"),
            (|head| head.kind = StatementKind::Notification, "file"),
        ] {
            let mut changed = head();
            change(&mut changed);
            match checker().finish(&changed) {
                Ok(_) => assert_eq!(field, ""),
                Err(faults) => assert_eq!(fields(&faults), [field]),
            }
        }
    }

    #[test]
    fn refuses_lines_that_are_none() {
        let mut checker = Checker::default();
        assert!(checker.line(&line(2, Direction::Debit, 1)).is_err());
        let mut nothing = line(1, Direction::Debit, 1);
        nothing.amount = Money::ZERO;
        assert_eq!(checker.line(&nothing).unwrap_err().field, "line 11, amount");
        let mut most = line(1, Direction::Debit, 1);
        most.amount = Money::MAX;
        checker.line(&most).unwrap();
        most.line = 2;
        assert_eq!(checker.line(&most).unwrap_err().field, "line 11, amount");
    }

    #[test]
    fn a_statement_follows_the_one_before() {
        let edge = Edge {
            to: date!(2025 - 06 - 12),
            sequence: Some(6),
            closing: fen(-500),
        };
        let whole = checker().finish(&head()).unwrap();
        assert_eq!(whole.follows(&edge), Ok(()));
        assert_eq!(whole.edge().sequence, Some(7));
        // The second statement of a day, by its number.
        let same_day = Edge {
            to: date!(2025 - 06 - 13),
            ..edge
        };
        assert_eq!(whole.follows(&same_day), Ok(()));
        let unnumbered = Edge {
            sequence: None,
            ..same_day
        };
        assert_eq!(fields(&whole.follows(&unnumbered).unwrap_err()), ["from"]);
        for (edge, field) in [
            (
                Edge {
                    to: date!(2025 - 06 - 14),
                    ..edge
                },
                "from",
            ),
            (
                Edge {
                    sequence: Some(5),
                    ..edge
                },
                "sequence",
            ),
            (
                Edge {
                    sequence: Some(7),
                    ..edge
                },
                "sequence",
            ),
            (
                Edge {
                    closing: fen(-499),
                    ..edge
                },
                "opening",
            ),
        ] {
            assert_eq!(fields(&whole.follows(&edge).unwrap_err()), [field]);
        }
        let first = StatementHead {
            sequence: Some(1),
            ..whole
        };
        let last_year = Edge {
            to: date!(2024 - 12 - 31),
            sequence: Some(250),
            ..edge
        };
        assert_eq!(first.follows(&last_year), Ok(()));
    }

    #[test]
    fn shows_nothing_personal() {
        let shown = format!("{:?} {:?}", line(1, Direction::Debit, 1), head());
        assert!(
            !shown.contains("令狐") && !shown.contains("6222") && !shown.contains("54321"),
            "{shown}"
        );
        let account = AccountNumber::parse("", "411024000000054321").unwrap();
        assert!(
            !unknown_account(&account)
                .sentence_zh()
                .contains("411024000000054321")
        );
    }
}
