//! The names of a client certificate. The handshake has verified the certificate against the configured
//! authorities; here its subject alternative names are read. A common name is not looked at: it has no type,
//! and authorities do not agree on what they put there.

use crate::domain::error::Violation;
use rustls::pki_types::CertificateDer;
use std::fmt;
use webpki::EndEntityCert;

/// A name in a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CertificateName {
    /// A URI, such as `spiffe://xuchang/county/411024/clerk`.
    Uri(String),
    /// A DNS name.
    Dns(String),
}

impl CertificateName {
    /// Reads `uri:NAME` or `dns:NAME`.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let name = match text.split_once(':') {
            Some(("uri", name)) if !name.is_empty() => Some(Self::Uri(name.to_owned())),
            Some(("dns", name)) if !name.is_empty() => Some(Self::Dns(name.to_ascii_lowercase())),
            _ => None,
        };
        name.ok_or_else(|| {
            Violation::new(
                field,
                text,
                "uri:NAME or dns:NAME, a subject alternative name of the certificate",
                "uri:名称 或 dns:名称(证书的主题备用名称)",
            )
        })
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(name) => write!(f, "uri:{name}"),
            Self::Dns(name) => write!(f, "dns:{name}"),
        }
    }
}

/// The names of a certificate: URIs, then DNS names; none where it cannot be read.
pub fn names_of(certificate: &[u8]) -> Vec<CertificateName> {
    let der = CertificateDer::from(certificate);
    let Ok(certificate) = EndEntityCert::try_from(&der) else {
        return Vec::new();
    };
    let uris = certificate
        .valid_uri_names()
        .map(|name| CertificateName::Uri(name.to_owned()));
    let hosts = certificate
        .valid_dns_names()
        .map(|name| CertificateName::Dns(name.to_ascii_lowercase()));
    uris.chain(hosts).collect()
}
