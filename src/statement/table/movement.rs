//! A row that moves money: which way, how much, and what it says of it.

use super::header::Header;
use super::mapping::{Field, Style, canonical, is_one_of};
use super::rows::Row;
use super::{Table, check_currency, date};
use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::payment::AccountNumber;
use crate::domain::reconciliation::{Direction, StatementLine};
use crate::statement::Event;
use crate::statement::finds::{Said, bank_reference, name};
use std::sync::Arc;
use time::Date;

/// A movement, as a row tells it.
pub(super) struct Movement {
    pub(super) direction: Direction,
    pub(super) amount: Money,
    pub(super) reversal: bool,
    /// As it stands in a column of amounts.
    pub(super) written: Money,
}

impl Movement {
    /// What it adds to the balance.
    fn signed(&self) -> Money {
        match self.direction {
            Direction::Debit => Money::ZERO.checked_sub(self.amount).unwrap_or_default(),
            Direction::Credit => self.amount,
        }
    }
}

impl Table {
    pub(super) fn movement(&mut self, row: &Row, header: &Header) {
        let booked = self.cell(row, header, Field::Booked);
        let booked = booked.and_then(|(at, text)| {
            let day = date(&self.mapping, at, text);
            self.faults.keep(day)
        });
        let valued = match self.cell(row, header, Field::Valued) {
            Some((at, text)) if !text.is_empty() => {
                let day = date(&self.mapping, at, text);
                self.faults.keep(day)
            }
            _ => None,
        };
        if let Some((at, text)) = self.cell(row, header, Field::Currency)
            && !text.is_empty()
        {
            check_currency(at, text, &mut self.faults);
        }
        self.own_account(row, header);
        let movement = self.way(row, header);
        let balance = match header.column(Field::Balance) {
            Some(_) => self.money(row, header, Field::Balance),
            None => Some(None),
        };
        // Sums and balances go on whatever else is wrong with the row: the next one must not be blamed for it.
        let signed = match &movement {
            Some(Some(movement)) => {
                self.sums.add(movement);
                Some(movement.signed())
            }
            Some(None) => {
                self.sums.empty += 1;
                Some(Money::ZERO)
            }
            None => {
                self.sums.unread += 1;
                None
            }
        };
        self.run(row, header, signed, balance.flatten());
        let (Some(booked), Some(Some(movement)), Some(_)) = (booked, movement, balance) else {
            return;
        };
        let line = self.line(row, header, booked, valued, movement);
        self.begin();
        let (first, last) = self.days.unwrap_or((booked, booked));
        self.days = Some((first.min(booked), last.max(booked)));
        self.queue.push_back(Event::Line(Box::new(line)));
    }

    /// Which way the money went, and how much; nothing for a row of no amount.
    fn way(&mut self, row: &Row, header: &Header) -> Option<Option<Movement>> {
        let line = row.line;
        let nothing = |amount: Option<Money>| amount.filter(|amount| *amount != Money::ZERO);
        let mapping = Arc::clone(&self.mapping);
        let (direction, written) = match &mapping.style {
            Style::Columns => {
                let debit = self.money(row, header, Field::Debit);
                let credit = self.money(row, header, Field::Credit);
                match (nothing(debit?), nothing(credit?)) {
                    (Some(amount), None) => (Direction::Debit, amount),
                    (None, Some(amount)) => (Direction::Credit, amount),
                    (None, None) => return Some(None),
                    (Some(_), Some(_)) => {
                        self.faults.add(|| {
                            Violation::new(
                                format!("line {line}"),
                                "a debit and a credit",
                                "an amount in one of the two columns",
                                "借方和贷方只能填一个",
                            )
                        });
                        return None;
                    }
                }
            }
            Style::Sign { negative_goes_out } => {
                let Some(amount) = nothing(self.money(row, header, Field::Amount)?) else {
                    return Some(None);
                };
                let out = amount.is_negative() == *negative_goes_out;
                let direction = if out { Direction::Debit } else { Direction::Credit };
                let reversal = self.reverses(row, header)?;
                return Some(Some(Movement {
                    direction,
                    amount: absolute(amount),
                    reversal,
                    written: amount,
                }));
            }
            Style::Words { debit, credit } => {
                let amount = nothing(self.money(row, header, Field::Amount)?);
                let (at, text) = self.cell(row, header, Field::Direction)?;
                let word = canonical(text);
                let direction = if debit.contains(&word) {
                    Direction::Debit
                } else if credit.contains(&word) {
                    Direction::Credit
                } else {
                    let words: Vec<&str> = debit.iter().chain(credit).map(String::as_str).collect();
                    let words = words.join(", ");
                    self.faults.add(|| {
                        let found = if text.is_empty() { "" } else { "another text" };
                        Violation::new(at, found, format!("one of {words}"), format!("下列之一:{words}"))
                    });
                    return None;
                };
                match amount {
                    Some(amount) => (direction, amount),
                    None => return Some(None),
                }
            }
        };
        let mut reversal = self.reverses(row, header)?;
        let mut direction = direction;
        if written.is_negative() {
            if !self.mapping.negative_reverses {
                self.faults.add(|| {
                    Violation::new(
                        format!("line {line}"),
                        written.to_string(),
                        "an amount above zero: the mapping does not say that one below zero takes back another \
                         (amounts.negative = \"reversal\")",
                        "金额须大于零:映射未说明负数(红字)表示冲正(amounts.negative = \"reversal\")",
                    )
                });
                return None;
            }
            reversal = true;
            direction = direction.reversed();
        }
        Some(Some(Movement {
            direction,
            amount: absolute(written),
            reversal,
            written,
        }))
    }

    fn reverses(&mut self, row: &Row, header: &Header) -> Option<bool> {
        if header.column(Field::Reversal).is_none() {
            return Some(false);
        }
        let (_, text) = self.cell(row, header, Field::Reversal)?;
        Some(is_one_of(text, &self.mapping.reversal_words))
    }

    /// The table's own account, where every row repeats it.
    fn own_account(&mut self, row: &Row, header: &Header) {
        let Some((at, text)) = self.cell(row, header, Field::Account) else {
            return;
        };
        if text.is_empty() {
            return;
        }
        let Some(account) = self.faults.keep(AccountNumber::parse(at, text)) else {
            return;
        };
        let known = self.head.account.get_or_insert_with(|| account.clone());
        if *known != account {
            let (found, wanted) = (account.masked(), known.masked());
            self.faults.add(|| {
                Violation::new(
                    at,
                    found,
                    format!("{wanted}: a table is of one account"),
                    format!("应为 {wanted}:一个文件只能含一个账户"),
                )
            });
        }
    }

    fn line(
        &mut self,
        row: &Row,
        header: &Header,
        booked: Date,
        valued: Option<Date>,
        movement: Movement,
    ) -> StatementLine {
        let mut said = Said::default();
        for (field, exact) in [(Field::Reference, true), (Field::Text, false)] {
            for (column, heading) in header.columns(field) {
                let Some((_, text)) = self.cell_at(row, column, heading, false) else {
                    continue;
                };
                match exact {
                    true => said.exact(text),
                    false => said.text(text),
                }
            }
        }
        let bank = self.cell(row, header, Field::BankReference);
        let bank = bank.and_then(|(at, text)| self.faults.keep(bank_reference(at, text)));
        let account = self.cell(row, header, Field::CounterpartyAccount);
        let name_of = self.cell(row, header, Field::CounterpartyName);
        StatementLine {
            line: self.sums.rows,
            at: row.line,
            part: None,
            booked,
            valued,
            direction: movement.direction,
            amount: movement.amount,
            reversal: movement.reversal,
            reference: said.reference(),
            order: said.order_id(),
            bank_reference: bank.unwrap_or_default(),
            counterparty_account: account.and_then(|(_, text)| AccountNumber::parse("account", text).ok()),
            counterparty_name: name_of.and_then(|(_, text)| name(text)),
            text: said.kept(),
        }
    }
}

fn absolute(amount: Money) -> Money {
    if amount.is_negative() {
        Money::ZERO.checked_sub(amount).unwrap_or_default()
    } else {
        amount
    }
}
