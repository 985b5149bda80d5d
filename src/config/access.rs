//! Who comes in: TLS, identity providers, client certificates, roles.

use crate::auth::{
    Authenticator, CertificateName, Identity, JwtOptions, JwtVerifier, KeySource, KeysOptions,
};
use crate::domain::access::{Permission, Role, Roles};
use crate::domain::error::{Error, Faults, Violation};
use crate::domain::identity::Principal;
use crate::domain::region::RegionCode;
use crate::grpc::{Tls as ServerTls, TlsFiles};
use crate::store::Store;
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Tls {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    pub client_ca_file: PathBuf,
    pub client_certificates: ClientCertificates,
    pub terminated_elsewhere: bool,
}

/// Whether clients must show certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificates {
    /// A client may show one.
    Optional,
    /// A client without one is refused.
    Required,
}

impl Tls {
    /// TLS as configured; none where it is not.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where a file cannot be used.
    pub fn load(&self) -> Result<Option<ServerTls>, Error> {
        let given = |path: &PathBuf| !path.as_os_str().is_empty();
        match (given(&self.certificate_file), given(&self.key_file)) {
            (false, false) => Ok(None),
            (true, true) => ServerTls::load(TlsFiles {
                certificate: self.certificate_file.clone(),
                key: self.key_file.clone(),
                client_ca: given(&self.client_ca_file).then(|| self.client_ca_file.clone()),
                client_required: self.client_certificates == ClientCertificates::Required,
            })
            .map(Some),
            (has_certificate, _) => {
                let missing = if has_certificate {
                    "tls.key_file"
                } else {
                    "tls.certificate_file"
                };
                let allowed = "both a certificate and its key, or neither";
                Err(Violation::new(missing, "", allowed, "证书与私钥须同时配置").into())
            }
        }
    }
}

/// `[access]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Access {
    pub certificate: Vec<Certificate>,
    pub jwt: Jwt,
    pub roles: BTreeMap<String, RoleRule>,
}

/// `[[access.certificate]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Certificate {
    pub name: String,
    pub subject: String,
    pub roles: Vec<String>,
    #[serde(default)]
    pub regions: Vec<String>,
}

/// `[access.jwt]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Jwt {
    pub issuer: String,
    pub audience: Vec<String>,
    pub keys: String,
    pub ca_file: PathBuf,
    pub algorithms: Vec<String>,
    pub clock_skew_seconds: u64,
    pub refresh_seconds: u64,
    pub least_interval_seconds: u64,
    pub subject_claim: String,
    pub roles_claim: String,
    pub regions_claim: String,
    pub role_names: BTreeMap<String, String>,
}

/// `[access.roles.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct RoleRule {
    pub whole: bool,
    pub permissions: Vec<String>,
}

impl Access {
    /// The roles.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault.
    pub fn roles(&self) -> Result<Roles, Error> {
        let mut faults = Faults::default();
        let mut roles = BTreeMap::new();
        for (name, rule) in &self.roles {
            let mut permissions = BTreeSet::new();
            for (at, code) in rule.permissions.iter().enumerate() {
                let field = format!("access.roles.{name}.permissions[{at}]");
                permissions.extend(faults.keep(Permission::parse(&field, code)));
            }
            let role = Role {
                permissions,
                whole: rule.whole,
            };
            roles.insert(name.clone(), role);
        }
        faults.finish()?;
        Ok(Roles::new(roles))
    }

    fn certificates(&self, roles: &Roles) -> Result<HashMap<CertificateName, Identity>, Error> {
        let mut faults = Faults::default();
        let mut known = HashMap::new();
        for (at, given) in self.certificate.iter().enumerate() {
            let at = format!("access.certificate[{at}]");
            let name = faults.keep(CertificateName::parse(&format!("{at}.name"), &given.name));
            let subject = faults.keep(Principal::parse(&given.subject).map_err(|fault| fault.within(&at)));
            for role in &given.roles {
                faults.keep(roles.parse(&format!("{at}.roles"), role));
            }
            let mut regions = Vec::with_capacity(given.regions.len());
            for region in &given.regions {
                regions.extend(faults.keep(RegionCode::parse(&format!("{at}.regions"), region)));
            }
            if let (Some(name), Some(subject)) = (name, subject) {
                let identity = Identity {
                    subject,
                    roles: given.roles.clone(),
                    regions: (!regions.is_empty()).then_some(regions),
                };
                if known.insert(name, identity).is_some() {
                    faults.add(|| Violation::new(&at, &given.name, "each name once", "同一名称只出现一次"));
                }
            }
        }
        faults.finish()?;
        Ok(known)
    }

    /// Faults, without reading any file.
    pub(super) fn check(&self) -> Result<(), Error> {
        let roles = self.roles()?;
        self.certificates(&roles)?;
        self.jwt.options(&roles)?;
        Ok(())
    }

    /// How callers become known, over a store.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where something is configured wrongly, or a file with keys cannot be read.
    pub async fn authenticator(&self, store: Store) -> Result<Authenticator, Error> {
        let roles = self.roles()?;
        let certificates = self.certificates(&roles)?;
        let jwt = match self.jwt.options(&roles)? {
            None => None,
            Some((options, keys)) => {
                let file = matches!(keys.source, KeySource::File(_));
                let verifier = JwtVerifier::new(options, keys)?;
                match verifier.load_keys().await {
                    Ok(count) => tracing::info!(count, "keys of the identity provider read"),
                    // A provider may come up later than this program.
                    Err(error) if !file => {
                        tracing::warn!(%error, "the keys of the identity provider cannot be read yet");
                    }
                    Err(error) => {
                        return Err(Violation::new(
                            "access.jwt.keys",
                            error_detail(&error),
                            "a file with a JSON web key set (RFC 7517)",
                            "JSON Web Key Set 文件(RFC 7517)",
                        )
                        .into());
                    }
                }
                Some(verifier)
            }
        };
        Ok(Authenticator::new(store, roles, jwt, certificates))
    }
}

fn error_detail(error: &Error) -> String {
    match error {
        Error::Unavailable { detail } => detail.clone(),
        other => other.to_string(),
    }
}

impl Jwt {
    fn options(&self, roles: &Roles) -> Result<Option<(JwtOptions, KeysOptions)>, Error> {
        if self.issuer.is_empty() && self.keys.is_empty() {
            return Ok(None);
        }
        let mut faults = Faults::default();
        let mut needed = |key: &str, given: bool, en: &str, zh: &str| {
            if !given {
                faults.add(|| Violation::new(format!("access.jwt.{key}"), "", en, zh));
            }
        };
        needed(
            "issuer",
            !self.issuer.is_empty(),
            "what tokens name as iss",
            "令牌的 iss",
        );
        let audience = !self.audience.is_empty() && self.audience.iter().all(|name| !name.is_empty());
        needed(
            "audience",
            audience,
            "what tokens for this service name as aud",
            "本服务令牌的 aud",
        );
        for (key, claim) in [
            ("subject_claim", &self.subject_claim),
            ("roles_claim", &self.roles_claim),
            ("regions_claim", &self.regions_claim),
        ] {
            needed(key, !claim.is_empty(), "the name of a claim", "声明名称");
        }
        let source = faults.keep(KeySource::parse("access.jwt.keys", &self.keys));
        let mut algorithms = Vec::new();
        for name in &self.algorithms {
            match name.as_str() {
                "EdDSA" => algorithms.push(Algorithm::EdDSA),
                "ES256" => algorithms.push(Algorithm::ES256),
                "RS256" => algorithms.push(Algorithm::RS256),
                other => faults.add(|| {
                    let allowed = "EdDSA, ES256, RS256";
                    Violation::new("access.jwt.algorithms", other, allowed, allowed)
                }),
            }
        }
        for (given, name) in &self.role_names {
            faults.keep(roles.parse(&format!("access.jwt.role_names.{given}"), name));
        }
        if self.clock_skew_seconds > 600 {
            let found = self.clock_skew_seconds.to_string();
            faults.add(|| Violation::new("access.jwt.clock_skew_seconds", found, "0 to 600", "0 至 600"));
        }
        faults.finish()?;
        let source = source.ok_or_else(|| Error::internal("no source of keys, and no fault"))?;
        let options = JwtOptions {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithms,
            clock_skew: self.clock_skew_seconds,
            subject_claim: self.subject_claim.clone(),
            roles_claim: self.roles_claim.clone(),
            regions_claim: self.regions_claim.clone(),
            role_names: self.role_names.clone(),
        };
        let keys = KeysOptions {
            source,
            ca_file: (!self.ca_file.as_os_str().is_empty()).then(|| self.ca_file.clone()),
            refresh: Duration::from_secs(self.refresh_seconds),
            least_interval: Duration::from_secs(self.least_interval_seconds),
        };
        Ok(Some((options, keys)))
    }
}
