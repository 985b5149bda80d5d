//! Who calls: from a bearer token or a client certificate to a principal with what they may do.
//!
//! A bearer token is looked at first; where one is shown, it alone decides, and a certificate beside it only
//! secures the connection. Nothing shown here is ever logged or repeated in an error.

mod certificate;
mod jwks;
mod jwt;
mod provider;

pub use certificate::{CertificateName, names_of};
pub use jwks::{KeySource, KeysOptions};
pub use jwt::{JwtOptions, JwtVerifier};

use crate::app::clock;
use crate::app::tokens::{TokenDesk, TokenHash, is_own, refused};
use crate::domain::access::{Caller, Grants, Roles, Scope};
use crate::domain::error::{Bilingual, Error};
use crate::domain::identity::Principal;
use crate::domain::region::RegionCode;
use crate::store::Store;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Longest bearer token that is looked at, in bytes.
const MAX_TOKEN: usize = 8_192;
/// How old the picture of which region lies in which may be, in microseconds.
const HIERARCHY_AGE: i64 = 2_000_000;

/// What is known of somebody before roles are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub subject: Principal,
    /// Roles by name.
    pub roles: Vec<String>,
    /// The regions that they are limited to; none means what each role says.
    pub regions: Option<Vec<RegionCode>>,
}

/// What a caller showed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Shown<'a> {
    /// The value of the metadata key `authorization`.
    pub authorization: Option<&'a [u8]>,
    /// The certificate of the other end of the connection, as DER; the handshake has checked it.
    pub certificate: Option<&'a [u8]>,
}

/// How callers become known.
pub struct Authenticator {
    roles: Roles,
    tokens: TokenDesk,
    jwt: Option<JwtVerifier>,
    certificates: HashMap<CertificateName, Identity>,
    store: Store,
    hierarchy: Mutex<(i64, Arc<Hierarchy>)>,
}

/// The regions directly below each region.
type Hierarchy = HashMap<RegionCode, Vec<RegionCode>>;

impl Authenticator {
    /// Tokens are looked up in `store`.
    pub fn new(
        store: Store,
        roles: Roles,
        jwt: Option<JwtVerifier>,
        certificates: HashMap<CertificateName, Identity>,
    ) -> Self {
        Self {
            roles,
            tokens: TokenDesk::new(store.clone()),
            jwt,
            certificates,
            store,
            hierarchy: Mutex::new((0, Arc::default())),
        }
    }

    /// Who shows this.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthenticated`] where nothing is shown, or what is shown counts for nothing.
    pub async fn caller(&self, shown: Shown<'_>) -> Result<Caller, Error> {
        let identity = match (shown.authorization, shown.certificate) {
            (Some(value), _) => self.bearer(value).await?,
            (None, Some(certificate)) => self.certified(certificate)?,
            (None, None) => return Err(nothing_shown()),
        };
        let regions = match identity.regions {
            None => None,
            Some(regions) => Some(self.with_all_below(regions).await?),
        };
        let grants = self
            .roles
            .grant(identity.roles.iter().map(String::as_str), regions.as_ref());
        Ok(Caller {
            principal: identity.subject,
            grants: Arc::new(grants),
        })
    }

    async fn bearer(&self, value: &[u8]) -> Result<Identity, Error> {
        let token = std::str::from_utf8(value).ok().and_then(bearer_token);
        let token = token.ok_or_else(refused)?;
        if is_own(token) {
            let hash = TokenHash::of(token).ok_or_else(refused)?;
            let record = self.tokens.find(hash).await?;
            return Ok(Identity {
                subject: record.subject,
                roles: record.roles,
                regions: (!record.regions.is_empty()).then_some(record.regions),
            });
        }
        match &self.jwt {
            Some(jwt) => jwt.verify(token).await,
            None => Err(refused()),
        }
    }

    fn certified(&self, certificate: &[u8]) -> Result<Identity, Error> {
        let names = names_of(certificate);
        // The first name that the configuration knows, in the order of the certificate.
        let found = names.iter().find_map(|name| self.certificates.get(name));
        found.cloned().ok_or_else(|| {
            tracing::info!(?names, "a client certificate without a principal");
            Error::Unauthenticated {
                reason: "CERTIFICATE_UNKNOWN",
                message: Bilingual::new(
                    "no principal is configured for the client certificate",
                    "客户端证书未对应任何操作人",
                ),
            }
        })
    }

    /// These regions and everything below them.
    async fn with_all_below(&self, regions: Vec<RegionCode>) -> Result<Scope, Error> {
        let hierarchy = self.hierarchy().await?;
        let mut reached: BTreeSet<RegionCode> = BTreeSet::new();
        let mut left = regions;
        while let Some(region) = left.pop() {
            if let Some(below) = hierarchy.get(&region) {
                left.extend(below.iter().filter(|below| !reached.contains(*below)).cloned());
            }
            reached.insert(region);
        }
        Ok(Scope::of(reached))
    }

    async fn hierarchy(&self) -> Result<Arc<Hierarchy>, Error> {
        let now = clock::now();
        let known = || self.hierarchy.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let (read_at, hierarchy) = &*known();
            if now - read_at < HIERARCHY_AGE {
                return Ok(Arc::clone(hierarchy));
            }
        }
        let mut read = Hierarchy::new();
        for region in self.store.begin_read().await?.regions().await? {
            if let Some(parent) = region.parent {
                read.entry(parent).or_default().push(region.code);
            }
        }
        let read = Arc::new(read);
        *known() = (now, Arc::clone(&read));
        Ok(read)
    }
}

/// The token in `Bearer TOKEN`; the word in any case, as HTTP has it.
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    let fits = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= MAX_TOKEN;
    fits.then_some(token)
}

fn nothing_shown() -> Error {
    Error::Unauthenticated {
        reason: "NO_CREDENTIALS",
        message: Bilingual::new(
            "show who you are: a bearer token in the metadata key authorization, or a client certificate",
            "请出示身份:在元数据 authorization 中给出 Bearer 令牌,或使用客户端证书",
        ),
    }
}

/// The request does not say who acts: where nobody is authenticated, a name is still needed for what changes
/// something.
pub fn no_principal() -> Error {
    Error::Unauthenticated {
        reason: "NO_PRINCIPAL",
        message: Bilingual::new("the request names no principal", "请求未注明操作人"),
    }
}

/// Somebody who may do everything, everywhere: the operator of this machine.
pub fn local_operator(principal: Principal) -> Caller {
    Caller {
        principal,
        grants: Arc::new(Grants::All),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_as_http_has_it() {
        assert_eq!(bearer_token("Bearer abc"), Some("abc"));
        assert_eq!(bearer_token("bearer  abc "), Some("abc"));
        for other in ["", "abc", "Basic abc", "Bearer", "Bearer ", "Bearerabc"] {
            assert_eq!(bearer_token(other), None, "{other}");
        }
        assert_eq!(
            bearer_token(&format!("Bearer {}", "a".repeat(MAX_TOKEN + 1))),
            None
        );
    }
}
