//! Use cases: load, ask the domain, store, in one transaction.
//!
//! Every use case takes the principal who calls. A mutation runs in one write transaction, together
//! with the record of its `request_id`; a conflict with another transaction runs it again.

pub mod allocations;
pub mod audit;
mod books;
pub mod claims;
pub mod clock;
pub mod computation;
pub mod desk;
pub mod disbursement;
pub mod erasure;
pub mod formulas;
mod issuing;
pub mod ledger;
pub mod personal;
pub mod policies;
mod reach;
mod readings;
pub mod reconciliation;
pub mod records;
mod rotation;
pub mod rules;
pub mod simulation;
pub mod statistics;
mod submission;
pub mod tokens;
pub mod vault;

use crate::domain::access::Scope;
use crate::domain::digest::Digest;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::identity::Principal;
use crate::domain::payment::Debtors;
use crate::store::{Store, Tx, retrying};
use reach::Repeatable;
use records::StoredRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use vault::Vault;

/// The use cases over one store.
#[derive(Clone)]
pub struct App {
    store: Store,
    rules: rules::RulesCache,
    readings: Arc<readings::Readings>,
    vault: Option<Vault>,
    debtors: Arc<Debtors>,
    desk: Arc<desk::Desk>,
    simulations: Arc<simulation::Simulations>,
    reconciliation: Arc<reconciliation::ReconciliationOptions>,
    sealer: Arc<audit::Sealer>,
    audit: Arc<audit::AuditKeys>,
    retention_years: u32,
}

/// How a mutation is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// Who calls.
    pub caller: Principal,
    /// From where, as the transport saw it: an address and port, or `in-process`.
    pub peer: String,
    /// The regions that it may touch; what is elsewhere is not there.
    pub scope: Scope,
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
        Self {
            store,
            rules: rules::RulesCache::default(),
            readings: Arc::default(),
            vault: None,
            debtors: Arc::default(),
            desk: Arc::default(),
            simulations: Arc::default(),
            reconciliation: Arc::default(),
            sealer: Arc::default(),
            audit: Arc::default(),
            retention_years: 0,
        }
    }

    /// The same with the keys for personal data, without which there are no claims.
    #[must_use]
    pub fn with_vault(mut self, vault: Vault) -> Self {
        self.vault = Some(vault);
        self
    }

    /// The same with the accounts that payments are made from, without which no batch is exported.
    #[must_use]
    pub fn with_debtors(mut self, debtors: Debtors) -> Self {
        self.debtors = Arc::new(debtors);
        self
    }

    /// The same with a key that signs checkpoints of the audit log.
    #[must_use]
    pub fn with_audit_keys(mut self, keys: audit::AuditKeys) -> Self {
        self.audit = Arc::new(keys);
        self
    }

    /// The keys for personal data.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where none are configured.
    pub fn vault(&self) -> Result<&Vault, Error> {
        self.vault.as_ref().ok_or_else(|| Error::State {
            name: "privacy.key_file".to_owned(),
            reason: "NO_KEYS",
            message: Bilingual::new(
                "no keys for personal data are configured: write a key file with `incentive-fund keys generate` \
                 and name it as privacy.key_file",
                "未配置个人信息密钥:请用 `incentive-fund keys generate` 生成密钥文件,并在 privacy.key_file 中指明",
            ),
        })
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
        T: Serialize + DeserializeOwned + Repeatable,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<(Tx, T), Error>>,
    {
        self.once(mutation, method, Begin::Write, work).await
    }

    /// As [`App::mutate`], in a transaction that posts ([`Store::begin_posting`]): `work` locks the ends of
    /// its funds' journals before it reads anything that it decides on.
    async fn mutate_posting<T, F, Fut>(
        &self,
        mutation: &Mutation,
        method: &'static str,
        work: F,
    ) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned + Repeatable,
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
        T: Serialize + DeserializeOwned + Repeatable,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<(Tx, T), Error>>,
    {
        check_request_id(&mutation.request_id)?;
        let caller = mutation.caller.as_str();
        let call = audit::Call::of(mutation, method);
        let carried_out = retrying(|| async {
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
                let answer: T = serde_json::from_str(&stored.response).map_err(Error::internal)?;
                answer.within(&mutation.scope)?;
                return Ok((answer, false));
            }
            tx.trail(|trail| trail.begin(call.clone()));
            let (tx, answer) = work(tx).await?;
            if mutation.validate_only {
                return Ok((answer, false));
            }
            // What wrote to a fund is in the fund's chain by now.
            let pending = if audit::is_left_out() || tx.trail(|trail| trail.is_recorded()) {
                None
            } else {
                tx.trail(|trail| trail.record())
            };
            if let Some(record) = &pending {
                tx.insert_pending_record(&uuid::Uuid::now_v7().to_string(), record)
                    .await?;
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
            Ok((answer, pending.is_some()))
        })
        .await;
        match carried_out {
            Ok((answer, pending)) => {
                if pending && let Err(failed) = self.seal_audit_log().await {
                    // The change is kept, and its record with it: whoever seals next chains it.
                    tracing::error!(error = %failed, method, "a record of the audit log is not chained yet");
                }
                Ok(answer)
            }
            Err(refused) => {
                if !mutation.validate_only {
                    self.record_refusal(&call, &refused).await;
                }
                Err(refused)
            }
        }
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
