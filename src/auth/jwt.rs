//! JSON web tokens of an identity provider (RFC 7519, as OpenID Connect uses them).
//!
//! The algorithm is that of the key, never that of the token: the token's header picks a key by its id, and
//! must then name the algorithm that the key is for. Keys are public ones only. So neither `none` nor a
//! public key taken for a shared secret can get anywhere.

use super::Identity;
use super::jwks::{Keys, KeysOptions};
use crate::app::clock;
use crate::app::tokens::{expired, refused};
use crate::domain::error::{Bilingual, Error};
use crate::domain::identity::Principal;
use crate::domain::region::RegionCode;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// Verified tokens that are remembered.
const REMEMBERED: usize = 10_000;
const MICROSECONDS: i64 = 1_000_000;

/// What a token must say, and where it says it.
#[derive(Debug, Clone)]
pub struct JwtOptions {
    /// Who must have issued it.
    pub issuer: String,
    /// For whom it must be: one of these.
    pub audience: Vec<String>,
    /// Algorithms that are accepted, of EdDSA, ES256 and RS256.
    pub algorithms: Vec<Algorithm>,
    /// How far clocks may be apart, in seconds.
    pub clock_skew: u64,
    /// The claim with the name of the person; a dot steps into an object.
    pub subject_claim: String,
    /// The claim with the roles: a list, or a text with spaces.
    pub roles_claim: String,
    /// The claim with the codes of regions, likewise.
    pub regions_claim: String,
    /// The provider's names of roles, where they differ.
    pub role_names: BTreeMap<String, String>,
}

/// Verifies tokens of one issuer.
pub struct JwtVerifier {
    options: JwtOptions,
    keys: Keys,
    verified: Mutex<HashMap<[u8; 32], Verified>>,
}

#[derive(Debug, Clone)]
struct Verified {
    identity: Identity,
    generation: u64,
    /// In seconds since 1970-01-01 UTC.
    not_before: i64,
    expires: i64,
}

impl JwtVerifier {
    /// Verifies with the keys of a provider.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where the authorities for its URL cannot be read.
    pub fn new(options: JwtOptions, keys: KeysOptions) -> Result<Self, Error> {
        super::provider::install();
        Ok(Self {
            options,
            keys: Keys::new(keys)?,
            verified: Mutex::default(),
        })
    }

    /// Reads the keys, and says how many can be used.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] or [`Error::Invalid`] where they cannot be read.
    pub async fn load_keys(&self) -> Result<usize, Error> {
        self.keys.load().await
    }

    /// Who shows this token.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthenticated`]; why is told only of times, which the caller can do something about.
    pub async fn verify(&self, token: &str) -> Result<Identity, Error> {
        self.keys.keep_up().await;
        let name: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(verified) = self.remembered(&name) {
            return verified.map(|verified| verified.identity);
        }
        let generation = self.keys.generation();
        let header = decode_header(token).map_err(|error| no(&error))?;
        if !self.options.algorithms.contains(&header.alg) || header.crit.is_some() {
            tracing::info!("a token with an algorithm or an extension that is not accepted");
            return Err(refused());
        }
        let Some(key) = self.keys.find(header.kid.as_deref(), header.alg).await else {
            tracing::info!("a token that names no known key");
            return Err(refused());
        };
        let mut validation = Validation::new(key.algorithm);
        validation.set_issuer(&[&self.options.issuer]);
        validation.set_audience(&self.options.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation.leeway = self.options.clock_skew;
        let claims = decode::<Value>(token, &key.decoding, &validation).map_err(|error| no(&error))?;
        let verified = self.read(&claims.claims, generation)?;
        self.remember(name, verified.clone());
        Ok(verified.identity)
    }

    fn remembered(&self, name: &[u8; 32]) -> Option<Result<Verified, Error>> {
        let generation = self.keys.generation();
        let mut all = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let verified = all
            .get(name)
            .filter(|known| known.generation == generation)?
            .clone();
        let checked = self.in_time(&verified);
        if checked.is_err() {
            all.remove(name);
        }
        Some(checked.map(|()| verified))
    }

    fn in_time(&self, verified: &Verified) -> Result<(), Error> {
        let now = clock::now() / MICROSECONDS;
        let skew = i64::try_from(self.options.clock_skew).unwrap_or(0);
        if verified.expires + skew < now {
            return Err(expired());
        }
        if verified.not_before > now + skew {
            return Err(not_yet());
        }
        Ok(())
    }

    fn remember(&self, name: [u8; 32], verified: Verified) {
        let mut all = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            let now = clock::now() / MICROSECONDS;
            all.retain(|_, known| known.expires > now);
            if all.len() >= REMEMBERED {
                all.clear();
            }
        }
        all.insert(name, verified);
    }

    /// What a verified token says.
    fn read(&self, claims: &Value, generation: u64) -> Result<Verified, Error> {
        let subject = claim(claims, &self.options.subject_claim).and_then(Value::as_str);
        let subject = subject.and_then(|subject| Principal::parse(subject).ok());
        let Some(subject) = subject else {
            tracing::info!("a token without a usable subject");
            return Err(refused());
        };
        let roles = words(claim(claims, &self.options.roles_claim)).unwrap_or_default();
        let roles = roles.into_iter().map(|role| {
            let known = self.options.role_names.get(&role);
            known.cloned().unwrap_or(role)
        });
        // A claim that is there and cannot be read must not count as one that is not there.
        let regions = match claim(claims, &self.options.regions_claim) {
            None | Some(Value::Null) => None,
            given => {
                let codes = words(given).ok_or_else(refused)?;
                let codes = codes.iter().map(|code| RegionCode::parse("regions", code));
                Some(codes.collect::<Result<Vec<_>, _>>().map_err(|_| refused())?)
            }
        };
        let verified = Verified {
            identity: Identity {
                subject,
                roles: roles.collect(),
                regions,
            },
            generation,
            // The latest of what says that it does not count before a time.
            not_before: ["nbf", "iat"]
                .iter()
                .filter_map(|name| seconds(claims.get(name)?))
                .max()
                .unwrap_or(0),
            expires: claims.get("exp").and_then(seconds).ok_or_else(refused)?,
        };
        self.in_time(&verified)?;
        Ok(verified)
    }
}

/// A time, in whole seconds.
fn seconds(value: &Value) -> Option<i64> {
    let whole = value.as_i64();
    whole.or_else(|| {
        value
            .as_f64()
            .filter(|time| time.is_finite())
            .map(|time| time as i64)
    })
}

/// A claim, through objects where the path has dots. A claim whose name has the dots is found first.
fn claim<'a>(claims: &'a Value, path: &str) -> Option<&'a Value> {
    claims
        .get(path)
        .or_else(|| path.split('.').try_fold(claims, |value, name| value.get(name)))
}

/// A list of texts, or a text of words.
fn words(value: Option<&Value>) -> Option<Vec<String>> {
    match value? {
        Value::String(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
        Value::Array(values) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

fn no(error: &jsonwebtoken::errors::Error) -> Error {
    // The kind only: errors of other kinds may repeat what was given.
    match error.kind() {
        ErrorKind::ExpiredSignature => expired(),
        ErrorKind::ImmatureSignature => not_yet(),
        ErrorKind::InvalidIssuer => told("a token of another issuer"),
        ErrorKind::InvalidAudience => told("a token for another audience"),
        ErrorKind::InvalidSignature => told("a token with a wrong signature"),
        ErrorKind::MissingRequiredClaim(_) => told("a token without a required claim"),
        _ => told("a token that cannot be read"),
    }
}

fn told(what: &'static str) -> Error {
    tracing::info!(what, "not authenticated");
    refused()
}

fn not_yet() -> Error {
    Error::Unauthenticated {
        reason: "TOKEN_NOT_YET_VALID",
        message: Bilingual::new("the token is not valid yet", "令牌尚未生效"),
    }
}
