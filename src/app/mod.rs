//! Use cases: load, ask the domain, store, in one transaction.
//!
//! Every use case takes the principal who calls. A mutation runs in one write transaction, together
//! with the record of its `request_id`; a conflict with another transaction runs it again.

pub mod allocations;
mod books;
pub mod clock;
pub mod computation;
pub mod formulas;
mod issuing;
pub mod ledger;
pub mod records;
pub mod statistics;

use crate::domain::digest::Digest;
use crate::domain::error::{Error, Violation};
use crate::domain::identity::Principal;
use crate::store::{Store, Tx, retrying};
use records::StoredRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The use cases over one store.
#[derive(Clone)]
pub struct App {
    store: Store,
}

/// How a mutation is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// Who calls.
    pub caller: Principal,
    /// Makes a repeated call harmless; empty means none.
    pub request_id: String,
    /// Digest of the request's body.
    pub body: Digest,
    /// Checks everything and stores nothing.
    pub validate_only: bool,
}

/// Which kind of transaction a mutation runs in.
#[derive(Debug, Clone, Copy)]
enum Begin {
    Write,
    Posting,
}

/// Longest `request_id`.
const MAX_REQUEST_ID: usize = 64;

impl App {
    /// The use cases over `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Forgets the requests older than so many days: a repeat of one of them would be carried out anew.
    pub async fn forget_requests(&self, days: u32) -> Result<u64, Error> {
        const MICROSECONDS_A_DAY: i64 = 86_400_000_000;
        let before = clock::now() - i64::from(days) * MICROSECONDS_A_DAY;
        retrying(|| async {
            let tx = self.store.begin_write().await?;
            let forgotten = tx.delete_requests_before(before).await?;
            tx.commit().await?;
            Ok(forgotten)
        })
        .await
    }

    /// Runs `work` in a write transaction, once for each `request_id`.
    ///
    /// `work` gives the transaction back with the answer; the answer is stored with the `request_id`
    /// in the same transaction, so a repeated request gets it again, also after a crash.
    async fn mutate<T, F, Fut>(&self, mutation: &Mutation, method: &'static str, work: F) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<(Tx, T), Error>>,
    {
        self.once(mutation, method, Begin::Write, work).await
    }

    /// As [`App::mutate`], in a transaction that posts ([`Store::begin_posting`]): `work` locks the ends of
    /// its funds' journals before it reads anything that it decides on.
    async fn posting<T, F, Fut>(&self, mutation: &Mutation, method: &'static str, work: F) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<(Tx, T), Error>>,
    {
        self.once(mutation, method, Begin::Posting, work).await
    }

    async fn once<T, F, Fut>(
        &self,
        mutation: &Mutation,
        method: &'static str,
        begin: Begin,
        work: F,
    ) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<(Tx, T), Error>>,
    {
        check_request_id(&mutation.request_id)?;
        let caller = mutation.caller.as_str();
        retrying(|| async {
            let tx = match begin {
                Begin::Write => self.store.begin_write().await?,
                Begin::Posting => self.store.begin_posting().await?,
            };
            if !mutation.request_id.is_empty()
                && let Some(stored) = tx.request(caller, &mutation.request_id).await?
            {
                if stored.method != method || stored.body != mutation.body {
                    return Err(Error::RequestIdReused {
                        request_id: mutation.request_id.clone(),
                    });
                }
                return serde_json::from_str(&stored.response).map_err(Error::internal);
            }
            let (tx, answer) = work(tx).await?;
            if mutation.validate_only {
                return Ok(answer);
            }
            if !mutation.request_id.is_empty() {
                tx.insert_request(&StoredRequest {
                    request_id: mutation.request_id.clone(),
                    principal: caller.to_owned(),
                    method: method.to_owned(),
                    body: mutation.body.clone(),
                    response: serde_json::to_string(&answer).map_err(Error::internal)?,
                    at: clock::now(),
                })
                .await?;
            }
            tx.commit().await?;
            tracing::info!(
                method,
                principal = caller,
                request_id = mutation.request_id,
                "committed"
            );
            Ok(answer)
        })
        .await
    }
}

fn check_request_id(request_id: &str) -> Result<(), Violation> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    if request_id.len() <= MAX_REQUEST_ID && request_id.bytes().all(plain) {
        return Ok(());
    }
    Err(Violation::new(
        "request_id",
        request_id,
        format!("at most {MAX_REQUEST_ID} characters A-Z, a-z, 0-9 and -_.: (a UUID fits)"),
        format!("至多 {MAX_REQUEST_ID} 个字符,限 A-Z、a-z、0-9 和 -_.:(可用 UUID)"),
    ))
}
