//! The keys of an identity provider, from a file or a URL, kept up to date while the service runs.
//!
//! A file is read again when it changes, a URL every so often; both when a token names a key that is not
//! known, though not more often than a least interval, so that tokens of strangers cannot make this program
//! ask and ask. Where it cannot be read, the keys known before stay.

use crate::domain::error::{Error, Violation};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Mutex;
use tonic::codegen::Bytes;

/// Largest set of keys, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Longest wait for a URL.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file.
    File(PathBuf),
    /// A URL: https, or http on a loopback address.
    Url(String),
}

impl KeySource {
    /// Reads a path or a URL.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let refused = || {
            Violation::new(
                field,
                text,
                "the path of a file, an https:// URL, or an http:// URL of a loopback address",
                "文件路径、https:// 地址,或回环地址的 http:// 地址",
            )
        };
        if text.is_empty() {
            return Err(refused());
        }
        if !text.contains("://") {
            return Ok(Self::File(PathBuf::from(text)));
        }
        let uri: tonic::codegen::http::Uri = text.parse().map_err(|_| refused())?;
        let loopback = uri.host().is_some_and(|host| {
            let host = host.trim_matches(['[', ']']);
            let address = host.parse::<std::net::IpAddr>();
            host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        });
        match uri.scheme_str() {
            Some("https") => Ok(Self::Url(text.to_owned())),
            Some("http") if loopback => Ok(Self::Url(text.to_owned())),
            _ => Err(refused()),
        }
    }
}

/// How keys are kept.
#[derive(Debug, Clone)]
pub struct KeysOptions {
    /// Where they come from.
    pub source: KeySource,
    /// Authorities for the URL, as a PEM file; none means those of the web.
    pub ca_file: Option<PathBuf>,
    /// A URL is read again after this.
    pub refresh: Duration,
    /// Nothing is read again sooner than this, but a file that changed.
    pub least_interval: Duration,
}

/// A key with the one algorithm that it is for.
#[derive(Debug, Clone)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The keys known at a moment.
#[derive(Debug, Default)]
struct KeySet {
    keys: Vec<Key>,
    read: Option<Instant>,
    modified: Option<(SystemTime, u64)>,
    looked: Option<Instant>,
}

pub(super) struct Keys {
    options: KeysOptions,
    client: Option<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>>,
    known: RwLock<Arc<KeySet>>,
    /// One reads at a time; holds when it was last tried.
    reading: Mutex<Option<Instant>>,
    /// Counts the sets of keys: what was verified by an older one is verified again.
    generation: AtomicU64,
}

impl Keys {
    pub(super) fn new(options: KeysOptions) -> Result<Self, Error> {
        let client = match &options.source {
            KeySource::File(_) => None,
            KeySource::Url(_) => Some(client(options.ca_file.as_deref())?),
        };
        Ok(Self {
            options,
            client,
            known: RwLock::default(),
            reading: Mutex::default(),
            generation: AtomicU64::new(0),
        })
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn known(&self) -> Arc<KeySet> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that a token names; where it names none, the only one there is for the algorithm.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Key> {
        if let Some(key) = pick(&self.known(), id, algorithm) {
            return Some(key);
        }
        self.read(self.options.least_interval).await;
        pick(&self.known(), id, algorithm)
    }

    /// Reads again what has changed or is old.
    pub(super) async fn keep_up(&self) {
        let known = self.known();
        match &self.options.source {
            KeySource::File(path) => {
                if known.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
                    return;
                }
                let modified = modified(path).await;
                if modified.is_some() && modified == known.modified {
                    self.replace(|set| set.looked = Some(Instant::now()), false);
                } else {
                    self.read(LOOK_EVERY).await;
                }
            }
            KeySource::Url(_) => {
                if known
                    .read
                    .is_none_or(|read| read.elapsed() >= self.options.refresh)
                {
                    self.read(self.options.least_interval).await;
                }
            }
        }
    }

    /// Reads now, the first time.
    pub(super) async fn load(&self) -> Result<usize, Error> {
        let (keys, modified) = self.fetch().await?;
        let count = keys.len();
        self.take(keys, modified);
        *self.reading.lock().await = Some(Instant::now());
        Ok(count)
    }

    async fn read(&self, interval: Duration) {
        let asked = Instant::now();
        let mut tried = self.reading.lock().await;
        // Another has read while this waited, or a moment ago.
        if tried.is_some_and(|tried| tried >= asked || tried.elapsed() < interval) {
            return;
        }
        *tried = Some(Instant::now());
        match self.fetch().await {
            Ok((keys, modified)) => {
                tracing::info!(keys = keys.len(), "keys of the identity provider read");
                self.take(keys, modified);
            }
            Err(error) => {
                tracing::warn!(%error, "the keys of the identity provider cannot be read; those known before stay");
                self.replace(|set| set.looked = Some(Instant::now()), false);
            }
        }
    }

    fn take(&self, keys: Vec<Key>, modified: Option<(SystemTime, u64)>) {
        let now = Some(Instant::now());
        self.replace(
            |set| {
                *set = KeySet {
                    keys,
                    read: now,
                    modified,
                    looked: now,
                };
            },
            true,
        );
    }

    fn replace(&self, change: impl FnOnce(&mut KeySet), new_keys: bool) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut set = KeySet {
            keys: known.keys.clone(),
            ..**known
        };
        change(&mut set);
        *known = Arc::new(set);
        if new_keys {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    async fn fetch(&self) -> Result<(Vec<Key>, Option<(SystemTime, u64)>), Error> {
        let broken = |what: String| Error::Unavailable { detail: what };
        match &self.options.source {
            KeySource::File(path) => {
                let modified = modified(path).await;
                let bytes = tokio::fs::read(path)
                    .await
                    .map_err(|error| broken(format!("{}: {error}", path.display())))?;
                Ok((parse(&bytes)?, modified))
            }
            KeySource::Url(url) => {
                let client = self
                    .client
                    .as_ref()
                    .ok_or_else(|| broken("no client".to_owned()))?;
                let uri = url.parse().map_err(Error::internal)?;
                let answer = tokio::time::timeout(FETCH_TIMEOUT, async {
                    let response = client.get(uri).await.map_err(|error| broken(error.to_string()))?;
                    if !response.status().is_success() {
                        return Err(broken(format!("{url} answers {}", response.status())));
                    }
                    let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
                    Ok(body.map_err(|error| broken(error.to_string()))?.to_bytes())
                });
                let bytes = answer
                    .await
                    .map_err(|_| broken(format!("{url} does not answer")))??;
                Ok((parse(&bytes)?, None))
            }
        }
    }
}

async fn modified(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn pick(known: &KeySet, id: Option<&str>, algorithm: Algorithm) -> Option<Key> {
    let mut fitting = known
        .keys
        .iter()
        .filter(|key| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id));
    let key = fitting.next()?;
    // Without a name, or with one name twice, there must be no choice.
    fitting.next().is_none().then(|| key.clone())
}

/// The keys of a set that can be used here; others are left out: other algorithms, keys for encryption,
/// and above all shared secrets.
fn parse(bytes: &[u8]) -> Result<Vec<Key>, Error> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(bytes).map_err(|error| {
        Violation::new(
            "access.jwt.keys",
            error.to_string(),
            "a JSON web key set (RFC 7517)",
            "JSON Web Key Set(RFC 7517)",
        )
    })?;
    Ok(set
        .keys
        .into_iter()
        .filter_map(|key| usable(&serde_json::from_value(key).ok()?))
        .collect())
}

fn usable(jwk: &Jwk) -> Option<Key> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    let stated = match jwk.common.key_algorithm {
        None => algorithm,
        Some(KeyAlgorithm::RS256) => Algorithm::RS256,
        Some(KeyAlgorithm::ES256) => Algorithm::ES256,
        Some(KeyAlgorithm::EdDSA) => Algorithm::EdDSA,
        Some(_) => return None,
    };
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    if stated != algorithm || !signs {
        return None;
    }
    Some(Key {
        id: jwk.common.key_id.clone(),
        algorithm,
        decoding: DecodingKey::from_jwk(jwk).ok()?,
    })
}

fn client(ca_file: Option<&Path>) -> Result<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>, Error> {
    let mut roots = rustls::RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let refused = |found: String| {
                Violation::new(
                    "access.jwt.ca_file",
                    found,
                    "a PEM file with certificates of authorities",
                    "PEM 格式的 CA 证书文件",
                )
            };
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| refused(format!("{}: {error}", path.display())))?;
            let (added, _) = roots.add_parsable_certificates(certificates);
            if added == 0 {
                return Err(refused(format!("{}: no certificates", path.display())).into());
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_other_algorithms_are_no_keys() {
        let set = r#"{"keys":[
            {"kty":"oct","kid":"secret","k":"c2VjcmV0"},
            {"kty":"RSA","kid":"old","alg":"RS512","n":"AQAB","e":"AQAB"},
            {"kty":"RSA","kid":"enc","use":"enc","n":"AQAB","e":"AQAB"},
            {"kty":"RSA","kid":"rsa","n":"AQAB","e":"AQAB"},
            {"kty":"EC","kid":"p384","crv":"P-384","x":"AQAB","y":"AQAB"},
            {"kty":"OKP","kid":"ed","crv":"Ed25519","x":"AQAB"},
            {"kty":"OKP","kid":"odd","alg":"RS256","crv":"Ed25519","x":"AQAB"},
            {"kty":"unheard of"}
        ]}"#;
        let keys = parse(set.as_bytes()).unwrap();
        let ids: Vec<_> = keys.iter().filter_map(|key| key.id.as_deref()).collect();
        assert_eq!(ids, ["rsa", "ed"]);
        let known = KeySet {
            keys,
            ..KeySet::default()
        };
        assert!(pick(&known, Some("rsa"), Algorithm::RS256).is_some());
        assert!(
            pick(&known, Some("rsa"), Algorithm::EdDSA).is_none(),
            "a key is for one algorithm"
        );
        assert!(pick(&known, None, Algorithm::EdDSA).is_some(), "the only one");
        assert!(pick(&known, Some("other"), Algorithm::EdDSA).is_none());
    }

    #[test]
    fn keys_come_from_files_and_from_urls_nobody_can_change_on_the_way() {
        let parse = |text| KeySource::parse("keys", text);
        assert_eq!(parse("keys.json").unwrap(), KeySource::File("keys.json".into()));
        for url in [
            "https://id.example/jwks",
            "http://127.0.0.1:8080/jwks",
            "http://[::1]/jwks",
        ] {
            assert_eq!(parse(url).unwrap(), KeySource::Url(url.to_owned()));
        }
        for other in ["", "http://id.example/jwks", "ftp://127.0.0.1/x"] {
            assert!(parse(other).is_err(), "{other}");
        }
    }
}
