//! One payment and all lines that carry its reference: which pays it, which pays it again, what came back.
//!
//! Lines are taken in the order of the statements. A credit undoes the latest debit of its amount that is not
//! undone yet; a debit that is marked as a reversal takes such a credit back. What is left standing is
//! compared with the payment: one line of its amount pays it, else all lines together if they add up to it.
//! Nothing else does.

mod pair;
#[cfg(test)]
mod tests;

use super::LineId;
use super::class::{Class, Reason, Rule};
use super::evidence::{Evidence, Subject};
use crate::domain::disbursement::PaymentState;
use crate::domain::money::Money;
use pair::{Fate, pair};

/// What the books know of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFacts {
    /// Its reference.
    pub reference: String,
    /// Its amount, in fen.
    pub amount: i64,
    /// Where it is.
    pub state: PaymentState,
    /// The day that the bank was to pay.
    pub execution: String,
    /// The last day that the bank has for it.
    pub deadline: String,
    /// How much of it was posted as returned before, in fen.
    pub returned: i64,
    /// Whether the ledger refused to post a return.
    pub refused: bool,
    /// The line that pays it by another rule than its reference, with the day: a batch's total, an account, a person.
    pub paid_by_other: Option<(LineId, String)>,
}

/// How a line is matched in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Had {
    /// Its class.
    pub class: Class,
    /// The rule.
    pub rule: Rule,
    /// The number among the payment's lines.
    pub part: u64,
    /// Whether its month is closed, so that this stays as it is.
    pub locked: bool,
}

/// A line that carries the payment's reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenLine {
    /// Which.
    pub id: LineId,
    /// The day it was booked.
    pub booked: String,
    /// In fen; money out is below zero.
    pub amount: i64,
    /// Whether the bank marks it as undoing another line.
    pub reversal: bool,
    /// How it is matched so far.
    pub had: Option<Had>,
}

/// A line that belongs to the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The line.
    pub line: LineId,
    /// Its number among the payment's lines.
    pub part: u64,
    /// What that makes it.
    pub class: Class,
    /// By which rule.
    pub rule: Rule,
}

/// What a line moves in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// The line that brings the money back.
    pub line: LineId,
    /// Whether the payment fails, as the bank had not confirmed it; else money that was paid comes back.
    pub fails: bool,
    /// How much, in fen.
    pub amount: i64,
}

/// What one payment and its lines come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// Lines that belong to the payment; others stay open.
    pub links: Vec<Link>,
    /// What is not as it should be, and what no longer is: the latter with [`Class::Matched`].
    pub findings: Vec<Evidence>,
    /// What is to be posted.
    pub postings: Vec<Posting>,
}

/// Decides. Lines come in any order.
pub fn decide(payment: &PaymentFacts, mut lines: Vec<SeenLine>, rules: &super::Rules) -> Decision {
    lines.sort_by_key(|line| line.id);
    Group {
        fates: pair(payment, &lines, rules.uses(Rule::Reversal)),
        payment,
        lines: &lines,
        splits: rules.uses(Rule::Split),
    }
    .decide()
}

struct Group<'a> {
    payment: &'a PaymentFacts,
    lines: &'a [SeenLine],
    fates: Vec<Fate>,
    splits: bool,
}

/// What the lines that stand say of the payment.
enum Paid {
    /// It is paid, by these lines or by another rule.
    Whole(Rule, Vec<usize>),
    /// Part of what was paid came back; these lines stand.
    InPart(Vec<usize>),
    /// It was paid, and all of it came back.
    Back,
    /// Lines stand that do not come to its amount.
    Otherwise,
    /// No lines ever paid all of it, and what they paid is undone.
    Not,
}

impl Group<'_> {
    fn standing(&self, debit: bool) -> Vec<usize> {
        let places = self.lines.iter().zip(&self.fates).enumerate();
        places
            .filter(|(_, (line, fate))| **fate == Fate::Standing && (line.amount < 0) == debit)
            .map(|(at, _)| at)
            .collect()
    }

    /// The amount of these lines, money out above zero.
    fn sum(&self, places: &[usize]) -> i64 {
        let lines = places.iter().filter_map(|at| self.lines.get(*at));
        -lines.map(|line| line.amount).sum::<i64>()
    }

    /// Whether the credit at a place undoes something.
    fn undoes(&self, at: usize) -> bool {
        let credit = self.lines.get(at).is_some_and(|line| line.amount > 0);
        let partner = match self.fates.get(at) {
            Some(Fate::Paired(partner)) => *partner,
            _ => return false,
        };
        // A credit that was taken back itself is paired with a later line.
        credit && partner.is_none_or(|partner| partner < at)
    }

    fn other_stands(&self) -> bool {
        self.payment.paid_by_other.is_some() && !self.fates.contains(&Fate::Paired(None))
    }

    fn paid(&self) -> Paid {
        let amount = self.payment.amount;
        let debits = self.standing(true);
        if self.other_stands() {
            return Paid::Whole(Rule::Reference, Vec::new());
        }
        let exact = |at: &&usize| {
            let line = self.lines.get(**at);
            line.is_some_and(|line| line.amount == -amount)
        };
        // What a closed period says stays so.
        let had = debits.iter().filter(exact).find(|at| {
            let line = self.lines.get(**at);
            line.and_then(|line| line.had)
                .is_some_and(|had| had.locked && had.class.is_settled())
        });
        if let Some(at) = had.or_else(|| debits.iter().find(exact)) {
            return Paid::Whole(Rule::Reference, vec![*at]);
        }
        let sum = self.sum(&debits);
        if self.splits && debits.len() > 1 && sum == amount {
            return Paid::Whole(Rule::Split, debits);
        }
        let undone = (0..self.lines.len()).filter(|at| self.undoes(*at));
        let undone = undone.filter_map(|at| self.lines.get(at)).map(|line| line.amount);
        let at_once = undone.clone().any(|undone| undone == amount);
        let back: i64 = undone.sum();
        match (debits.is_empty(), back) {
            (true, _) if at_once || (self.splits && back == amount) => Paid::Back,
            (true, _) => Paid::Not,
            (false, 1..) if self.splits && sum + back == amount => Paid::InPart(debits),
            (false, _) => Paid::Otherwise,
        }
    }

    fn decide(self) -> Decision {
        let mut decision = Decision::default();
        let failed = self.payment.state == PaymentState::Failed;
        let returned = self.payment.returned > 0;
        let paid = self.paid();
        let debits = self.standing(true);
        let pays: &[usize] = match &paid {
            Paid::Whole(_, places) | Paid::InPart(places) => places,
            _ => &[],
        };
        for at in &debits {
            let Some(line) = self.lines.get(*at) else { continue };
            let settled = line.had.is_some_and(|had| had.class.is_settled());
            if failed || (returned && !settled) {
                let reason = if failed {
                    Reason::PaymentFailed
                } else {
                    Reason::PaymentReturned
                };
                decision
                    .findings
                    .push(self.of_line(line, Class::UnknownAtBank, reason));
                continue;
            }
            let (class, rule) = match &paid {
                Paid::Whole(rule, _) if pays.contains(at) => (self.in_time(pays), *rule),
                Paid::InPart(_) => (Class::Matched, Rule::Split),
                Paid::Whole(..) if line.amount == -self.payment.amount => {
                    (Class::DuplicateAtBank, Rule::Related)
                }
                _ => (Class::AmountDiffers, Rule::Related),
            };
            decision.links.push(self.link(line, class, rule));
            match class {
                Class::DuplicateAtBank => {
                    decision
                        .findings
                        .push(self.of_line(line, class, Reason::PaidAlready));
                }
                // Where the payment is paid otherwise, the line is a break of its own.
                Class::AmountDiffers if matches!(paid, Paid::Whole(..)) => {
                    decision
                        .findings
                        .push(self.of_line(line, class, Reason::PaidAlready));
                }
                _ => {}
            }
        }
        for at in self.standing(false) {
            let Some(line) = self.lines.get(at) else { continue };
            // Of a payment that was never made nothing can come back.
            if !matches!(paid, Paid::Not) {
                decision
                    .links
                    .push(self.link(line, Class::AmountDiffers, Rule::Related));
                decision
                    .findings
                    .push(self.of_line(line, Class::AmountDiffers, Reason::CreditDiffers));
            } else {
                decision
                    .findings
                    .push(self.of_line(line, Class::UnknownAtBank, Reason::CreditWithoutDebit));
            }
        }
        for (line, fate) in self.lines.iter().zip(&self.fates) {
            if *fate != Fate::Standing {
                decision
                    .links
                    .push(self.link(line, Class::Reversed, Rule::Reversal));
            }
        }
        self.number(&mut decision.links);
        decision.postings = self.postings(&paid);
        decision
            .findings
            .extend(self.of_payment(&paid, failed, returned, &decision.links));
        let expected = !failed && matches!(paid, Paid::Not);
        decision.findings.extend(self.no_longer(&decision, expected));
        decision
    }

    /// Whether the lines that pay it were booked in time.
    fn in_time(&self, pays: &[usize]) -> Class {
        let late = pays
            .iter()
            .filter_map(|at| self.lines.get(*at))
            .any(|line| line.booked > self.payment.deadline);
        if late { Class::Late } else { Class::Matched }
    }

    fn link(&self, line: &SeenLine, class: Class, rule: Rule) -> Link {
        match line.had {
            Some(had) if had.locked => Link {
                line: line.id,
                part: had.part,
                class: had.class,
                rule: had.rule,
            },
            _ => Link {
                line: line.id,
                part: u64::MAX,
                class,
                rule,
            },
        }
    }

    /// Numbers the payment's lines: 0 is one that pays it, where there is one.
    fn number(&self, links: &mut [Link]) {
        links.sort_by_key(|link| (!matches!(link.class, Class::Matched | Class::Late), link.line));
        let mut taken: Vec<u64> = links.iter().map(|link| link.part).collect();
        if self.payment.paid_by_other.is_some() {
            taken.push(0);
        }
        let mut next = 0;
        for link in links.iter_mut().filter(|link| link.part == u64::MAX) {
            while taken.contains(&next) {
                next += 1;
            }
            link.part = next;
            next += 1;
        }
        links.sort_by_key(|link| link.line);
    }

    /// What came back and is not posted yet, on the lines that brought it, the latest first.
    fn postings(&self, paid: &Paid) -> Vec<Posting> {
        let back = match paid {
            Paid::Back => self.payment.amount,
            Paid::InPart(places) => self.payment.amount - self.sum(places),
            _ => 0,
        };
        let mut left = back - self.payment.returned;
        if left <= 0 || self.payment.state == PaymentState::Failed {
            return Vec::new();
        }
        let fails = self.payment.state == PaymentState::Instructed && matches!(paid, Paid::Back);
        let mut postings = Vec::new();
        for at in (0..self.lines.len()).rev().filter(|at| self.undoes(*at)) {
            let Some(line) = self.lines.get(at) else { continue };
            let amount = if fails { left } else { left.min(line.amount) };
            if amount <= 0 {
                break;
            }
            postings.push(Posting {
                line: line.id,
                fails,
                amount,
            });
            left -= amount;
        }
        postings
    }

    fn of_line(&self, line: &SeenLine, class: Class, reason: Reason) -> Evidence {
        Evidence {
            subject: Subject::Line(line.id),
            class,
            reason,
            other_reference: self.payment.reference.clone(),
            other_line: None,
            expected: fen(if class == Class::UnknownAtBank {
                0
            } else {
                -self.payment.amount
            }),
            found: fen(line.amount),
            expected_on: String::new(),
            found_on: line.booked.clone(),
            candidates: 0,
            since: line.booked.clone(),
        }
    }

    /// What a payment is whose money came back as the books have it: with the line that brought it last, and where the
    /// bank has undone that since, with the line that had brought it.
    fn came_back(&self, last: Option<&SeenLine>) -> Option<(Class, Reason, i64, String, String)> {
        let undone = || self.taken_back().next_back().and_then(|at| self.lines.get(at));
        let (reason, line) = match last {
            Some(line) => (Reason::Returned, line),
            None => (Reason::ReturnTakenBack, undone()?),
        };
        Some((
            Class::Reversed,
            reason,
            0,
            line.booked.clone(),
            line.booked.clone(),
        ))
    }

    /// Credits that a later line undid, so that the debit that they had undone stands again.
    fn taken_back(&self) -> impl DoubleEndedIterator<Item = usize> {
        let lines = self.lines.iter().zip(&self.fates).enumerate();
        lines
            .filter(|(at, (line, fate))| {
                line.amount > 0
                    && matches!(fate, Fate::Paired(Some(other)) if other > at)
                    && self.stands_before(*at, -line.amount)
            })
            .map(|(at, _)| at)
    }

    /// Whether a debit of an amount stands before a place; the payment by another rule is before all of them.
    fn stands_before(&self, at: usize, amount: i64) -> bool {
        let mut before = self.lines.iter().zip(&self.fates).take(at);
        before.any(|(line, fate)| line.amount == amount && *fate == Fate::Standing)
            || (self.other_stands() && amount == -self.payment.amount)
    }

    /// What the payment is, where it is not simply matched.
    fn of_payment(&self, paid: &Paid, failed: bool, returned: bool, links: &[Link]) -> Option<Evidence> {
        let payment = self.payment;
        let first = links.first();
        let day = |id: LineId| {
            let line = self.lines.iter().find(|line| line.id == id);
            line.map(|line| line.booked.clone()).unwrap_or_default()
        };
        let last_back = (0..self.lines.len()).rev().find(|at| self.undoes(*at));
        let last_back = last_back.and_then(|at| self.lines.get(at));
        let (class, reason, found, on, since) = match paid {
            // A failed payment expects no line; one that was made and undone shows both.
            Paid::Not => return None,
            _ if failed => self.came_back(last_back)?,
            Paid::Back => self.came_back(last_back)?,
            Paid::InPart(places) => {
                let line = last_back?;
                let back = payment.amount - self.sum(places);
                (
                    Class::Reversed,
                    Reason::ReturnedInPart,
                    back,
                    line.booked.clone(),
                    line.booked.clone(),
                )
            }
            // Whatever stands now, the books have had the money back.
            _ if returned => self.came_back(last_back)?,
            Paid::Whole(_, places) => {
                if self.in_time(places) != Class::Late {
                    return None;
                }
                let pays = places.iter().filter_map(|at| self.lines.get(*at));
                let latest = pays.map(|line| line.booked.clone()).max()?;
                (
                    Class::Late,
                    Reason::AfterDeadline,
                    -payment.amount,
                    latest,
                    payment.execution.clone(),
                )
            }
            Paid::Otherwise => {
                let on = day(first?.line);
                let sum = self.sum(&self.standing(true));
                (Class::AmountDiffers, Reason::AmountDiffers, -sum, on.clone(), on)
            }
        };
        let refused = payment.refused && class == Class::Reversed;
        Some(Evidence {
            subject: Subject::Payment(payment.reference.clone()),
            class,
            reason: if refused { Reason::PostingRefused } else { reason },
            other_reference: String::new(),
            other_line: first
                .map(|link| link.line)
                .or(payment.paid_by_other.as_ref().map(|(id, _)| *id)),
            expected: fen(-payment.amount),
            found: fen(found),
            expected_on: if class == Class::Late {
                payment.deadline.clone()
            } else {
                String::new()
            },
            found_on: on,
            candidates: 0,
            since,
        })
    }

    /// The subjects of this group that are nothing to look at (any more).
    fn no_longer(&self, decision: &Decision, expected: bool) -> Vec<Evidence> {
        let found = |subject: &Subject| {
            decision
                .findings
                .iter()
                .any(|finding| finding.subject == *subject)
        };
        let agreed = |subject: Subject| Evidence {
            subject,
            class: Class::Matched,
            reason: Reason::Agreed,
            other_reference: String::new(),
            other_line: None,
            expected: fen(-self.payment.amount),
            found: fen(-self.payment.amount),
            expected_on: String::new(),
            found_on: String::new(),
            candidates: 0,
            since: String::new(),
        };
        let payment = Subject::Payment(self.payment.reference.clone());
        // One that is still expected is looked for among those that are missing.
        let linked = !expected && (!decision.links.is_empty() || self.payment.paid_by_other.is_some());
        let mut over = Vec::new();
        if linked && !found(&payment) {
            over.push(agreed(payment));
        }
        for line in self.lines {
            let subject = Subject::Line(line.id);
            if !found(&subject) {
                over.push(agreed(subject));
            }
        }
        over
    }
}

fn fen(fen: i64) -> Money {
    Money::from_fen(fen).unwrap_or_default()
}
