//! TLS of the server: certificate and key from files, read again when they change; client certificates where
//! authorities for them are configured. TLS 1.2 and 1.3, as rustls has them.

use crate::domain::error::{Error, Violation};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio_rustls::TlsAcceptor;

/// How often files are looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Which files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate with those between it and the authority, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// Authorities for client certificates, as PEM; none means that clients show none.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is refused.
    pub client_required: bool,
}

/// TLS as it is configured now.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    state: Mutex<State>,
}

struct State {
    acceptor: TlsAcceptor,
    modified: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with the key of the configuration whose file is at fault. Nothing of the key is shown.
    pub fn load(files: TlsFiles) -> Result<Self, Error> {
        let state = State {
            modified: modified(&files),
            acceptor: acceptor(&files)?,
            looked: Instant::now(),
        };
        Ok(Self(Arc::new(Inner {
            files,
            state: Mutex::new(state),
        })))
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK_EVERY {
            state.looked = Instant::now();
            let now = modified(&self.0.files);
            if now != state.modified {
                match acceptor(&self.0.files) {
                    Ok(acceptor) => {
                        tracing::info!("certificates read again");
                        state.acceptor = acceptor;
                        state.modified = now;
                    }
                    Err(error) => {
                        tracing::error!(%error, "changed certificates cannot be used; those before stay")
                    }
                }
            }
        }
        state.acceptor.clone()
    }
}

fn modified(files: &TlsFiles) -> Vec<Option<SystemTime>> {
    [
        Some(&files.certificate),
        Some(&files.key),
        files.client_ca.as_ref(),
    ]
    .into_iter()
    .flatten()
    .map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
    .collect()
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            const KEY: &str = "tls.client_ca_file";
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(KEY, path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if files.client_required {
                verifier
            } else {
                verifier.allow_unauthenticated()
            };
            let verifier = verifier
                .build()
                .map_err(|error| bad(KEY, path, &error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates("tls.certificate_file", &files.certificate)?;
    // What is wrong with a key file is not repeated: it may hold the key.
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|_| bad("tls.key_file", &files.key, "no private key can be read from it"))?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| bad("tls.key_file", &files.key, &error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(bad(key, path, "no certificate in it")),
        Err(error) => Err(bad(key, path, &error.to_string())),
    }
}

fn bad(key: &str, path: &Path, found: &str) -> Error {
    Violation::new(
        key,
        format!("{}: {found}", path.display()),
        "a PEM file that can be read and used",
        "可读取且可用的 PEM 文件",
    )
    .into()
}
