//! The threads of an import: one reads and checks a file, the next makes of its lines what is stored.

use super::records::{LineChunk, LinePersonal, NewLine, Statement};
use crate::app::vault::{Sealed, Vault};
use crate::domain::error::{Error, Violation};
use crate::domain::money::Money;
use crate::domain::reconciliation::{
    AccountId, BankAccounts, Checker, HeadSoFar, StatementHead, StatementLine, masked, unknown_account,
};
use crate::domain::subsidy::format_date;
use crate::statement::Event;
use tokio::sync::mpsc;

/// Lines that are written together.
const CHUNK: usize = 8_192;
/// Lines whose personal parts are sealed together.
const SEALED_TOGETHER: usize = 128;
/// Lines that are handed over together as they were read.
const READ_TOGETHER: usize = 1_024;
/// Pieces that wait to be taken: reading goes on meanwhile, and no further ahead.
pub(super) const AHEAD: usize = 4;
/// What the hashes of the other sides' accounts are of.
pub(in crate::app) const ACCOUNT_KIND: &str = "bank-account";

/// What one thread hands over to the next; lines as they were read, and then as they are stored.
pub(super) enum Piece<Lines> {
    Begin(AccountId),
    Lines(Lines),
    End(Box<StatementHead>),
}

/// The thread that reads and checks.
pub(super) struct Reading {
    pub(super) accounts: BankAccounts,
    pub(super) wanted: Option<AccountId>,
    pub(super) sender: mpsc::Sender<Piece<Vec<StatementLine>>>,
}

/// A statement that is being read.
struct Open {
    checker: Checker,
    account: AccountId,
    lines: Vec<StatementLine>,
}

impl Reading {
    pub(super) fn read(self, events: impl Iterator<Item = Result<Event, Error>>) -> Result<(), Error> {
        let mut open: Option<Open> = None;
        let mut part = 0;
        for event in events {
            match event? {
                Event::Begin(head) => {
                    part += 1;
                    let account = self.account(&head)?;
                    send(&self.sender, Piece::Begin(account.clone()))?;
                    open = Some(Open {
                        checker: Checker::default(),
                        account,
                        lines: Vec::with_capacity(READ_TOGETHER),
                    });
                }
                Event::Line(line) => {
                    let open = open.as_mut().ok_or_else(no_beginning)?;
                    open.checker.line(&line)?;
                    open.lines.push(*line);
                    if open.lines.len() >= READ_TOGETHER {
                        let lines = std::mem::replace(&mut open.lines, Vec::with_capacity(READ_TOGETHER));
                        send(&self.sender, Piece::Lines(lines))?;
                    }
                }
                Event::End(mut head) => {
                    let ended = open.take().ok_or_else(no_beginning)?;
                    if head.account.is_none() {
                        head.account = Some(self.accounts.find(&ended.account)?.debtor.account().clone());
                    }
                    let head = ended.checker.finish(&head)?;
                    send(&self.sender, Piece::Lines(ended.lines))?;
                    send(&self.sender, Piece::End(Box::new(head)))?;
                }
            }
        }
        if open.is_some() {
            return Err(no_beginning());
        }
        if part == 0 {
            return Err(
                Violation::new("file", "no statement", "at least one statement", "至少一份对账单").into(),
            );
        }
        Ok(())
    }

    /// The account that a statement is of: the file says it, or the caller where the file does not.
    fn account(&self, head: &HeadSoFar) -> Result<AccountId, Error> {
        let Some(number) = &head.account else {
            return self.wanted.clone().ok_or_else(|| {
                Violation::new(
                    "account",
                    "",
                    "the account, from the file or given beside it",
                    "账户(文件中或另行给出)",
                )
                .into()
            });
        };
        let found = self.accounts.with_number(number);
        let found = found.ok_or_else(|| unknown_account(number))?;
        if let Some(wanted) = &self.wanted
            && *wanted != found.id
        {
            return Err(Violation::new(
                "account",
                found.id.as_str(),
                format!("a statement of {wanted}"),
                format!("应为 {wanted} 的对账单"),
            )
            .into());
        }
        Ok(found.id.clone())
    }
}

/// Hands over to the next thread. Where nobody takes it, that one failed, and says why itself.
fn send<P>(sender: &mpsc::Sender<P>, piece: P) -> Result<(), Error> {
    sender
        .blocking_send(piece)
        .map_err(|_| Error::internal("nobody takes what is read"))
}

/// The thread that makes of lines what is stored.
pub(super) struct Sealing {
    pub(super) digest: String,
    pub(super) vault: Vault,
    pub(super) sender: mpsc::Sender<Piece<LineChunk>>,
}

/// Lines of a statement that are made ready.
struct Ready {
    part: u64,
    lines: Vec<NewLine>,
    personal: Vec<LinePersonal>,
    sealed: Vec<(u64, u64, Sealed)>,
}

impl Sealing {
    pub(super) fn seal_all(self, mut read: mpsc::Receiver<Piece<Vec<StatementLine>>>) -> Result<(), Error> {
        let mut ready = Ready {
            part: 0,
            lines: Vec::with_capacity(CHUNK),
            personal: Vec::with_capacity(SEALED_TOGETHER),
            sealed: Vec::new(),
        };
        while let Some(piece) = read.blocking_recv() {
            match piece {
                Piece::Begin(account) => {
                    ready.part += 1;
                    send(&self.sender, Piece::Begin(account))?;
                }
                Piece::Lines(lines) => {
                    for line in lines {
                        self.take(&mut ready, line)?;
                        if ready.lines.len() >= CHUNK {
                            self.hand_over(&mut ready)?;
                        }
                    }
                }
                Piece::End(head) => {
                    self.hand_over(&mut ready)?;
                    send(&self.sender, Piece::End(head))?;
                }
            }
        }
        Ok(())
    }

    fn take(&self, ready: &mut Ready, line: StatementLine) -> Result<(), Error> {
        let signed = line.signed();
        let number = line.line;
        let reference = line
            .reference
            .map(|reference| reference.to_string())
            .unwrap_or_default();
        let order = line.order.unwrap_or_default();
        let account = line.counterparty_account;
        // Only where nothing better tells which payment a line is.
        let payee_hash = match &account {
            Some(account) if reference.is_empty() && order.is_empty() && signed < Money::ZERO => {
                let lookups = self.vault.lookups(ACCOUNT_KIND, account.as_str());
                lookups
                    .into_iter()
                    .next()
                    .map(|lookup| lookup.hash)
                    .unwrap_or_default()
            }
            _ => String::new(),
        };
        ready.lines.push(NewLine {
            line: number,
            booked: format_date(line.booked),
            valued: line.valued.map(format_date).unwrap_or_default(),
            amount: signed.fen(),
            reversal: line.reversal,
            reference,
            order,
            bank_reference: self.discreet(&line.bank_reference),
            payee_hash,
        });
        let name = line.counterparty_name.unwrap_or_default();
        let account = account
            .map(|account| account.as_str().to_owned())
            .unwrap_or_default();
        if !(name.is_empty() && account.is_empty() && line.text.is_empty()) {
            ready
                .personal
                .push(LinePersonal(number, name, account, line.text));
        }
        if ready.personal.len() >= SEALED_TOGETHER {
            self.seal(ready)?;
        }
        Ok(())
    }

    /// A bank's reference without runs of digits, which may be an account's. Where that takes something out, a keyed
    /// hash of the whole stands behind it, so that equal ones are still equal and others are not.
    fn discreet(&self, reference: &str) -> String {
        let shown = masked(reference);
        if shown == reference {
            return shown;
        }
        let lookup = self.vault.lookups("bank-reference", reference).into_iter().next();
        let hash = lookup.map(|lookup| lookup.hash).unwrap_or_default();
        format!("{shown}~{}", hash.get(..10).unwrap_or_default())
    }

    /// Seals what is personal of the lines so far.
    fn seal(&self, ready: &mut Ready) -> Result<(), Error> {
        let (Some(first), Some(last)) = (ready.personal.first(), ready.personal.last()) else {
            return Ok(());
        };
        let (first, last) = (first.0, last.0);
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&ready.personal).map_err(Error::internal)?);
        let name = Statement::sealed_name(&self.digest, ready.part, first);
        ready.sealed.push((first, last, self.vault.seal(&name, &plain)?));
        ready.personal.clear();
        Ok(())
    }

    fn hand_over(&self, ready: &mut Ready) -> Result<(), Error> {
        self.seal(ready)?;
        let lines = std::mem::replace(&mut ready.lines, Vec::with_capacity(CHUNK));
        let sealed = std::mem::take(&mut ready.sealed);
        if lines.is_empty() {
            return Ok(());
        }
        send(&self.sender, Piece::Lines(LineChunk { lines, sealed }))
    }
}

pub(super) fn no_beginning() -> Error {
    Error::internal("a statement without its beginning or its end")
}
