//! A statement comes in: read, checked, sealed and written as it is read, and seen by nobody until all of it is there.
//!
//! The file is read and checked by a thread of its own, another hashes and seals what it has read, and what is ready is
//! written meanwhile. A file whose reading or checking fails leaves nothing behind; neither does a process that ends in the
//! middle: the next import, or the next worker, removes what has not been heard of for a while.

use super::intake::{AHEAD, Piece, Reading, Sealing, no_beginning};
use super::reach::{of_another_account, refuse_file};
use super::records::{ImportedStatements, LineChunk, Statement};
use crate::app::audit::digest_of;
use crate::app::vault::Vault;
use crate::app::{App, Mutation, check_request_id, clock};
use crate::domain::allocation::Signature;
use crate::domain::error::{Bilingual, Error};
use crate::domain::reconciliation::{AccountId, Edge, StatementHead, masked};
use crate::domain::subsidy::{format_date, parse_date};
use crate::statement::{Event, Reader};
use crate::store::{Store, retrying};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The events of a file, one by one, as [`App::import_statement`] takes them.
pub struct Events(Reader);

impl Events {
    /// Those of a file that is being read.
    pub fn of(reader: Reader) -> Self {
        Self(reader)
    }
}

impl Iterator for Events {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map_err(Error::from).transpose()
    }
}

/// A file that is to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportStatement {
    /// The account that it must be of; none where any of ours will do.
    pub account: Option<AccountId>,
    /// The digest of the file's bytes, by which it is known again.
    pub digest: String,
    /// The format, as a word.
    pub format: String,
}

/// A writer that is not heard of for so long has broken off.
const ABANDONED: Duration = Duration::from_secs(300);
/// A statement that is written and not visible yet.
struct Written {
    number: u64,
    account: AccountId,
    head: Option<StatementHead>,
    lines: u64,
}

/// Writes pieces of a statement, more than one at a time where the database takes them: nobody sees the lines before all are
/// there, so their order is no matter.
struct Writers {
    store: Store,
    at_once: usize,
    under_way: JoinSet<Result<(), Error>>,
}

impl Writers {
    fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            at_once: if store.has_one_writer() { 1 } else { 2 },
            under_way: JoinSet::new(),
        }
    }

    /// Begins to write lines, as soon as there is room for that.
    async fn write(&mut self, statement: u64, chunk: LineChunk) -> Result<(), Error> {
        while self.under_way.len() >= self.at_once {
            self.one_ends().await?;
        }
        let store = self.store.clone();
        self.under_way
            .spawn(async move { store.write_lines(statement, &chunk).await });
        Ok(())
    }

    /// Waits for all that is under way, and gives the first fault of it.
    async fn finish(&mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        while !self.under_way.is_empty() {
            outcome = outcome.and(self.one_ends().await);
        }
        outcome
    }

    async fn one_ends(&mut self) -> Result<(), Error> {
        match self.under_way.join_next().await {
            Some(ended) => ended.map_err(Error::internal)?,
            None => Ok(()),
        }
    }
}

impl App {
    /// Imports the statements of a file. `events` gives what the file holds, in order, and ends with the file or
    /// with its faults; it is called on a thread of its own.
    ///
    /// The same file again is answered with the statements that it became, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault of a file that cannot be read, does not add up, is of an account that
    /// is not ours, or does not follow the account's last statement: nothing is kept of it.
    pub async fn import_statement<E>(
        &self,
        mutation: &Mutation,
        import: &ImportStatement,
        events: E,
    ) -> Result<ImportedStatements, Error>
    where
        E: Iterator<Item = Result<Event, Error>> + Send + 'static,
    {
        const METHOD: &str = "ImportStatement";
        check_request_id(&mutation.request_id)?;
        let vault = self.vault()?.clone();
        let accounts = self.bank_accounts_within(&mutation.scope);
        if let Some(account) = &import.account {
            accounts.find(account)?;
        }
        let (answered, known) = {
            let tx = self.store().begin_read().await?;
            let answered = if mutation.request_id.is_empty() {
                None
            } else {
                tx.request(mutation.caller.as_str(), &mutation.request_id).await?
            };
            (answered.is_some(), tx.statements_of_file(&import.digest).await?)
        };
        if !self.reach_statements(&mutation.scope, &known) {
            let refused = tokio::task::spawn_blocking(move || refuse_file(&accounts, events));
            return Err(refused.await.map_err(Error::internal)?);
        }
        if answered || !known.is_empty() {
            // Answered as before, or with the statements that the file became.
            let known = &known;
            return self
                .mutate(mutation, METHOD, |tx| async move {
                    let imported = ImportedStatements {
                        statements: known.clone(),
                        known: true,
                    };
                    Ok((tx, imported))
                })
                .await;
        }
        self.remove_abandoned().await?;
        let (reads, read) = mpsc::channel(AHEAD);
        let (sender, receiver) = mpsc::channel(AHEAD);
        let reading = Reading {
            accounts,
            wanted: import.account.clone(),
            sender: reads,
        };
        let sealing = Sealing {
            digest: import.digest.clone(),
            vault: vault.clone(),
            sender,
        };
        let reader = tokio::task::spawn_blocking(move || reading.read(events));
        let sealer = tokio::task::spawn_blocking(move || sealing.seal_all(read));
        let written = self.write(import, &vault, receiver, mutation.validate_only).await;
        let sealed = sealer.await.map_err(Error::internal)?;
        let read = reader.await.map_err(Error::internal)?;
        // Where one fails, those before it end because nobody takes what they have.
        let outcome = match (read, sealed, written) {
            (_, _, Err((fault, written)))
            | (_, Err(fault), Ok(written))
            | (Err(fault), Ok(()), Ok(written)) => Err((fault, written)),
            (Ok(()), Ok(()), Ok(written)) => Ok(written),
        };
        let written = match outcome {
            Ok(written) => written,
            Err((fault, written)) => {
                self.remove(&written).await;
                return Err(fault);
            }
        };
        let published = self.publish(mutation, METHOD, import, &written).await;
        if published.as_ref().map_or(true, |imported| imported.known) {
            self.remove(&written).await;
        }
        published
    }

    /// Writes what is read, as it comes; gives what is written, also where it fails.
    async fn write(
        &self,
        import: &ImportStatement,
        vault: &Vault,
        mut pieces: mpsc::Receiver<Piece<LineChunk>>,
        validate_only: bool,
    ) -> Result<Vec<Written>, (Error, Vec<Written>)> {
        let mut written: Vec<Written> = Vec::new();
        let mut writers = Writers::new(self.store());
        let mut extended = clock::now();
        while let Some(piece) = pieces.recv().await {
            let step = async {
                match piece {
                    Piece::Begin(account) => {
                        let part = written.len() as u64 + 1;
                        let number = if validate_only {
                            0
                        } else {
                            self.begin(&account, import, part, vault.lookup_key()).await?
                        };
                        written.push(Written {
                            number,
                            account,
                            head: None,
                            lines: 0,
                        });
                    }
                    Piece::Lines(chunk) => {
                        let last = written.last_mut().ok_or_else(no_beginning)?;
                        last.lines += chunk.lines.len() as u64;
                        if !validate_only {
                            writers.write(last.number, chunk).await?;
                            if clock::now() - extended > micros(ABANDONED) / 4 {
                                extended = clock::now();
                                self.extend(&written).await?;
                            }
                        }
                    }
                    Piece::End(head) => {
                        written.last_mut().ok_or_else(no_beginning)?.head = Some(*head);
                    }
                }
                Ok::<(), Error>(())
            };
            if let Err(failed) = step.await {
                // What is under way would come after what is about to be removed.
                let _ = writers.finish().await;
                return Err((failed, written));
            }
        }
        match writers.finish().await {
            Ok(()) => Ok(written),
            Err(failed) => Err((failed, written)),
        }
    }

    async fn begin(
        &self,
        account: &AccountId,
        import: &ImportStatement,
        part: u64,
        lookup_key: &str,
    ) -> Result<u64, Error> {
        retrying(|| async {
            let tx = self.store().begin_write().await?;
            let until = clock::now() + micros(ABANDONED);
            let number = tx
                .begin_statement(account, &import.digest, part, lookup_key, until)
                .await?;
            tx.commit().await?;
            Ok(number)
        })
        .await
    }

    async fn extend(&self, written: &[Written]) -> Result<(), Error> {
        let numbers: Vec<u64> = written.iter().map(|written| written.number).collect();
        retrying(|| async {
            let tx = self.store().begin_bulk().await?;
            tx.extend_loading(&numbers, clock::now() + micros(ABANDONED))
                .await?;
            tx.commit().await
        })
        .await
    }

    /// Makes all statements of a file visible in one commit, each behind the last one of its account.
    async fn publish(
        &self,
        mutation: &Mutation,
        method: &'static str,
        import: &ImportStatement,
        written: &[Written],
    ) -> Result<ImportedStatements, Error> {
        self.mutate(mutation, method, |tx| async move {
            let mut statements: Vec<Statement> = Vec::new();
            let mut accounts: Vec<&AccountId> = written.iter().map(|written| &written.account).collect();
            accounts.sort();
            accounts.dedup();
            for account in accounts {
                tx.lock_bank_account(account).await?;
            }
            let known = tx.statements_of_file(&import.digest).await?;
            if !known.is_empty() {
                // The same file came in meanwhile.
                if !self.reach_statements(&mutation.scope, &known) {
                    return Err(of_another_account());
                }
                let imported = ImportedStatements {
                    statements: known,
                    known: true,
                };
                return Ok((tx, imported));
            }
            for (part, written) in (1..).zip(written) {
                let head = written.head.as_ref().ok_or_else(no_beginning)?;
                let before = statements
                    .iter()
                    .rev()
                    .find(|statement| statement.account == written.account)
                    .cloned();
                let before = match before {
                    Some(before) => Some(before),
                    None => tx.last_statement(&written.account).await?,
                };
                if let Some(before) = before {
                    if before.number > written.number && !mutation.validate_only {
                        return Err(overtaken(&before));
                    }
                    head.follows(&edge(&before)?)?;
                }
                let statement = published(part, written, head, import, clock::sign(&mutation.caller));
                if !mutation.validate_only {
                    tx.publish_statement(&statement).await?;
                    let digest = digest_of(&statement)?;
                    tx.trail(|trail| trail.touch(statement.resource_name(), None, Some(digest)));
                }
                statements.push(statement);
            }
            let imported = ImportedStatements {
                statements,
                known: false,
            };
            Ok((tx, imported))
        })
        .await
    }

    /// Removes what was written of a file that is not taken; what cannot be removed now is removed later.
    async fn remove(&self, written: &[Written]) {
        let numbers: Vec<u64> = written
            .iter()
            .map(|written| written.number)
            .filter(|number| *number > 0)
            .collect();
        if let Err(failed) = self.remove_numbers(&numbers).await {
            tracing::warn!(error = %failed, "removing a statement that was not taken");
        }
    }

    async fn remove_numbers(&self, numbers: &[u64]) -> Result<(), Error> {
        if numbers.is_empty() {
            return Ok(());
        }
        retrying(|| async {
            let tx = self.store().begin_bulk().await?;
            tx.remove_statements(numbers).await?;
            tx.commit().await
        })
        .await
    }

    /// Removes what imports left that broke off.
    pub(super) async fn remove_abandoned(&self) -> Result<(), Error> {
        let abandoned = {
            let tx = self.store().begin_read().await?;
            tx.abandoned_statements(clock::now()).await?
        };
        self.remove_numbers(&abandoned).await
    }
}

fn published(
    part: u64,
    written: &Written,
    head: &StatementHead,
    import: &ImportStatement,
    imported: Signature,
) -> Statement {
    Statement {
        number: written.number,
        account: written.account.clone(),
        digest: import.digest.clone(),
        part,
        format: import.format.clone(),
        identification: masked(&head.identification),
        sequence: head.sequence.unwrap_or(0),
        from: format_date(head.from),
        to: format_date(head.to),
        opening: head.opening,
        closing: head.closing,
        lines: written.lines,
        credits: head.credits.sum,
        debits: head.debits.sum,
        imported,
    }
}

/// Where a stored statement ends.
fn edge(statement: &Statement) -> Result<Edge, Error> {
    Ok(Edge {
        to: parse_date("to", &statement.to).map_err(|_| Error::internal("a statement without a last day"))?,
        sequence: (statement.sequence > 0).then_some(statement.sequence),
        closing: statement.closing,
    })
}

fn overtaken(before: &Statement) -> Error {
    Error::State {
        name: before.resource_name(),
        reason: "STATEMENT_OVERTAKEN",
        message: Bilingual::new(
            format!(
                "{} came in while this one was read: import it again",
                before.resource_name()
            ),
            format!("读取期间已导入 {},请重新导入", before.resource_name()),
        ),
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
