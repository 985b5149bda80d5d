//! Tokens that the program issues itself, for offices without an identity provider.
//!
//! A token is 256 random bits. It is shown once, to whoever has it issued; the database holds its SHA-256,
//! from which it cannot be found. Every call looks its token up in the database, so that a revocation counts
//! at once, on every server. Calls that come in while one look-up runs share the next.

use super::{App, clock};
use crate::domain::access::Roles;
use crate::domain::error::{Bilingual, Error, Faults, Violation};
use crate::domain::identity::Principal;
use crate::domain::region::RegionCode;
use crate::store::{Store, retrying};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::OnceLock;
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

/// What every token begins with, so that one that lies about is known for what it is.
const PREFIX: &str = "ift_";
/// Random bytes of a token.
const BYTES: usize = 32;
/// Longest life of a token, in days.
const MAX_DAYS: i64 = 1_100;
/// Longest note, in characters.
const MAX_NOTE: usize = 200;
const MICROSECONDS_A_DAY: i64 = 86_400_000_000;
/// Look-ups that share one statement, and that wait.
const AT_ONCE: usize = 500;

/// The hash of a token, by which it is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenHash(String);

impl TokenHash {
    /// The hash of what has the form of a token; none for anything else.
    pub fn of(token: &str) -> Option<Self> {
        let random = BASE64_URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        (random.len() == BYTES).then(|| Self(hex::encode(Sha256::digest(token.as_bytes()))))
    }

    /// A hash that comes from the database.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text has the beginning of a token of this program.
pub fn is_own(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its hash.
    pub hash: TokenHash,
    /// By which it is listed and revoked.
    pub id: String,
    /// Whose it is.
    pub subject: Principal,
    /// Roles by name.
    pub roles: Vec<String>,
    /// Regions that it is limited to; none means what each role says.
    pub regions: Vec<RegionCode>,
    /// A note.
    pub note: String,
    /// Who had it issued.
    pub issued_by: Principal,
    /// When.
    pub issued_at: i64,
    /// From when on it counts no more.
    pub expires_at: i64,
    /// Who revoked it; empty where nobody did.
    pub revoked_by: String,
    /// When; 0 where nobody did.
    pub revoked_at: i64,
}

/// What is known of a token's use at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// It counts.
    Valid,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl TokenState {
    /// The word for tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl TokenRecord {
    /// Whether it counts at a moment.
    pub const fn state(&self, now: i64) -> TokenState {
        if self.revoked_at > 0 {
            TokenState::Revoked
        } else if now >= self.expires_at {
            TokenState::Expired
        } else {
            TokenState::Valid
        }
    }
}

/// A token to issue.
#[derive(Debug, Clone)]
pub struct IssueToken {
    /// For whom.
    pub subject: String,
    /// Roles by name.
    pub roles: Vec<String>,
    /// Codes of regions.
    pub regions: Vec<String>,
    /// From when on it counts no more (microseconds since 1970-01-01 UTC).
    pub expires_at: i64,
    /// A note; may be empty.
    pub note: String,
}

/// A token that was issued, with its text, which nobody can see again.
pub struct IssuedToken {
    /// What is kept.
    pub record: TokenRecord,
    /// The token.
    pub token: Zeroizing<String>,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

impl App {
    /// Issues a token.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault; [`Error::NotFound`] where there is no such region.
    pub async fn issue_token(
        &self,
        caller: &Principal,
        roles: &Roles,
        issue: &IssueToken,
    ) -> Result<IssuedToken, Error> {
        let now = clock::now();
        let (subject, regions) = check(roles, issue, now)?;
        let mut random = Zeroizing::new([0_u8; BYTES]);
        getrandom::fill(random.as_mut_slice()).map_err(Error::internal)?;
        let text = Zeroizing::new(format!(
            "{PREFIX}{}",
            BASE64_URL_SAFE_NO_PAD.encode(random.as_slice())
        ));
        let hash = TokenHash::of(&text).ok_or_else(|| Error::internal("a token without the form of one"))?;
        let record = TokenRecord {
            hash,
            id: uuid::Uuid::now_v7().to_string(),
            subject,
            roles: issue.roles.clone(),
            regions,
            note: issue.note.clone(),
            issued_by: caller.clone(),
            issued_at: now,
            expires_at: issue.expires_at,
            revoked_by: String::new(),
            revoked_at: 0,
        };
        let kept = &record;
        retrying(|| async move {
            let tx = self.store().begin_write().await?;
            let known = tx.regions().await?;
            for region in &kept.regions {
                if !known.iter().any(|known| known.code == *region) {
                    return Err(Error::NotFound {
                        kind: "region",
                        name: format!("regions/{region}"),
                    });
                }
            }
            tx.insert_token(kept).await?;
            tx.commit().await
        })
        .await?;
        tracing::info!(
            id = record.id,
            subject = record.subject.as_str(),
            issued_by = caller.as_str(),
            "token issued"
        );
        Ok(IssuedToken { record, token: text })
    }

    /// All tokens, newest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRecord>, Error> {
        self.store().begin_read().await?.all_tokens().await
    }

    /// Revokes a token; one that is revoked stays as it is.
    pub async fn revoke_token(&self, caller: &Principal, id: &str) -> Result<TokenRecord, Error> {
        retrying(|| async move {
            let tx = self.store().begin_write().await?;
            let mut token = tx.token(id).await?.ok_or_else(|| Error::NotFound {
                kind: "token",
                name: crate::domain::error::excerpt(id),
            })?;
            if token.revoked_at == 0 {
                token.revoked_at = clock::now();
                caller.as_str().clone_into(&mut token.revoked_by);
                tx.revoke_token(id, caller, token.revoked_at).await?;
                tx.commit().await?;
                tracing::info!(id, revoked_by = caller.as_str(), "token revoked");
            }
            Ok(token)
        })
        .await
    }
}

fn check(roles: &Roles, issue: &IssueToken, now: i64) -> Result<(Principal, Vec<RegionCode>), Error> {
    let mut faults = Faults::default();
    let subject = faults.keep(Principal::parse(&issue.subject));
    if issue.roles.is_empty() {
        faults.add(|| Violation::new("role", "", "at least one role", "至少一个角色"));
    }
    for (at, role) in issue.roles.iter().enumerate() {
        faults.keep(roles.parse(&format!("role[{at}]"), role));
    }
    let mut regions = Vec::with_capacity(issue.regions.len());
    for (at, region) in issue.regions.iter().enumerate() {
        regions.extend(faults.keep(RegionCode::parse(&format!("region[{at}]"), region)));
    }
    let needs = |name: &&String| roles.get(name).is_some_and(|role| !role.whole);
    if regions.is_empty()
        && let Some(role) = issue.roles.iter().find(needs)
    {
        faults.add(|| {
            Violation::new(
                "region",
                format!("none, for role {role}"),
                "at least one region for this role, which reaches none by itself",
                "该角色须至少指定一个地区",
            )
        });
    }
    let last = now + MAX_DAYS * MICROSECONDS_A_DAY;
    if issue.expires_at <= now || issue.expires_at > last {
        let given = clock::format(issue.expires_at).unwrap_or_default();
        faults.add(|| {
            Violation::new(
                "expires",
                given,
                format!("a time to come, at most {MAX_DAYS} days ahead"),
                format!("将来的时间,至多 {MAX_DAYS} 天"),
            )
        });
    }
    if issue.note.chars().count() > MAX_NOTE || issue.note.chars().any(char::is_control) {
        faults.add(|| {
            Violation::new(
                "note",
                &issue.note,
                format!("at most {MAX_NOTE} characters, no control characters"),
                format!("至多 {MAX_NOTE} 个字符,不含控制字符"),
            )
        });
    }
    faults.finish()?;
    let subject = subject.ok_or_else(|| Error::internal("no subject, and no fault"))?;
    Ok((subject, regions))
}

type Asked = (TokenHash, oneshot::Sender<Result<Option<TokenRecord>, Error>>);

/// Where tokens that callers show are looked up.
#[derive(Debug)]
pub struct TokenDesk {
    store: Store,
    queue: OnceLock<mpsc::Sender<Asked>>,
}

impl TokenDesk {
    /// Looks up in this store.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            queue: OnceLock::new(),
        }
    }

    /// What is kept of a token; none where there is no such token. The database is asked after this was
    /// called, never before.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthenticated`] where there is none, or it counts no more.
    pub async fn find(&self, hash: TokenHash) -> Result<TokenRecord, Error> {
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(AT_ONCE);
            tokio::spawn(look_up(self.store.clone(), receiver));
            sender
        });
        let gone = || Error::internal("the look-up of tokens broke off");
        let (reply, answer) = oneshot::channel();
        queue.send((hash, reply)).await.map_err(|_| gone())?;
        let token = answer.await.map_err(|_| gone())??;
        let token = token.ok_or_else(refused)?;
        match token.state(clock::now()) {
            TokenState::Valid => Ok(token),
            TokenState::Expired => Err(expired()),
            TokenState::Revoked => Err(Error::Unauthenticated {
                reason: "TOKEN_REVOKED",
                message: Bilingual::new("the token was revoked", "令牌已被吊销"),
            }),
        }
    }
}

async fn look_up(store: Store, mut queue: mpsc::Receiver<Asked>) {
    let mut asked = Vec::with_capacity(AT_ONCE);
    while queue.recv_many(&mut asked, AT_ONCE).await > 0 {
        // Those who come at the same moment share the look-up.
        tokio::task::yield_now().await;
        while asked.len() < AT_ONCE
            && let Ok(another) = queue.try_recv()
        {
            asked.push(another);
        }
        // Calls of one caller show one token, which is looked for once.
        let hashes: HashSet<&TokenHash> = asked.iter().map(|(hash, _)| hash).collect();
        let hashes: Vec<&TokenHash> = hashes.into_iter().collect();
        let found = store.tokens(&hashes).await.map(|records| {
            let records = records.into_iter().map(|record| (record.hash.clone(), record));
            records.collect::<HashMap<_, _>>()
        });
        for (hash, reply) in asked.drain(..) {
            let answer = found.as_ref().map(|found| found.get(&hash).cloned());
            // A caller that has gone away does not want its answer.
            let _ = reply.send(answer.map_err(Clone::clone));
        }
    }
}

/// A token that counts for nothing, for a reason that is not told.
pub fn refused() -> Error {
    Error::Unauthenticated {
        reason: "TOKEN_REFUSED",
        message: Bilingual::new("the token is not accepted", "令牌无效"),
    }
}

/// A token whose time is over.
pub fn expired() -> Error {
    Error::Unauthenticated {
        reason: "TOKEN_EXPIRED",
        message: Bilingual::new("the token has expired", "令牌已过期"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_the_form_of_a_token_is_looked_up() {
        let token = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode([7_u8; BYTES]));
        assert!(TokenHash::of(&token).is_some());
        for other in [
            "",
            "ift_",
            "ift_AAAA",
            &token[4..],
            &format!("{token}A"),
            &token.replace("ift_", "IFT_"),
        ] {
            assert!(TokenHash::of(other).is_none(), "{other}");
        }
    }
}
