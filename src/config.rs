//! Configuration in layers: the built-in default, a file, the environment, flags.

mod access;
mod database;
mod keys;
mod payment;
mod person;
mod reconciliation;
mod server;
mod simulation;

pub use access::{Access, Certificate, ClientCertificates, Jwt, RoleRule, Tls};
pub use database::{Database, mask_password};
pub use keys::{Audit, Privacy};
pub use payment::{DebtorAccount, Payment};
pub use person::{Cli, Log, LogFormat};
pub use reconciliation::{Reconciliation, Statement};
pub use server::Server;
pub use simulation::Simulation;

use crate::domain::error::{Error, Violation};
use crate::grpc::server::{Door, Limits};
use crate::store::{Store, StoreOptions};
use config::{Environment, File, FileFormat};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The default, which documents every key.
pub const DEFAULT: &str = include_str!("../config/default.toml");
/// The file that is read where none is named.
const LOCAL_FILE: &str = "incentive-fund.toml";
const ENVIRONMENT: &str = "INCENTIVE_FUND";

/// The whole configuration; `config/default.toml` says what each key means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Config {
    pub database: Database,
    pub server: Server,
    pub tls: Tls,
    pub access: Access,
    pub privacy: Privacy,
    pub log: Log,
    pub cli: Cli,
    pub payment: Payment,
    pub reconciliation: Reconciliation,
    pub simulation: Simulation,
    pub audit: Audit,
    pub statement: Statement,
}

impl Config {
    /// Reads all layers. `overrides` are `section.key=value`, from flags.
    pub fn load(file: Option<&Path>, overrides: &[String]) -> Result<Self, Error> {
        let named = file
            .map(Path::to_path_buf)
            .or_else(|| std::env::var_os("INCENTIVE_FUND_CONFIG").map(PathBuf::from));
        let mut layers = config::Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml));
        layers = match named {
            Some(path) => layers.add_source(File::from(path).format(FileFormat::Toml)),
            None => layers.add_source(
                File::from(Path::new(LOCAL_FILE))
                    .format(FileFormat::Toml)
                    .required(false),
            ),
        };
        layers = layers.add_source(
            Environment::with_prefix(ENVIRONMENT)
                .prefix_separator("__")
                .separator("__")
                .try_parsing(true),
        );
        for text in overrides {
            let (key, value) = text.split_once('=').ok_or_else(|| {
                Violation::new(
                    "--set",
                    text,
                    "section.key=value, such as server.max_calls=64",
                    "section.key=value 形式",
                )
            })?;
            layers = layers.set_override(key, value).map_err(refused)?;
        }
        let loaded: Self = layers
            .build()
            .map_err(refused)?
            .try_deserialize()
            .map_err(refused)?;
        loaded.check()?;
        Ok(loaded)
    }

    fn check(&self) -> Result<(), Error> {
        let mut faults = Vec::new();
        self.database.check(&mut faults);
        self.server.check(&mut faults);
        self.privacy.check(&mut faults);
        self.audit.check(&mut faults);
        self.cli.check(&mut faults);
        self.simulation.check(&mut faults);
        self.reconciliation.check(&mut faults);
        let read = [
            self.payment.debtors().map(drop),
            self.access.check(),
            self.statement.mappings().map(drop),
        ];
        for checked in read {
            if let Err(Error::Invalid(found)) = checked {
                faults.extend(found);
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults.into())
        }
    }

    /// The whole as TOML, with the password of the database masked.
    pub fn to_masked_toml(&self) -> Result<String, Error> {
        let mut shown = self.clone();
        shown.database.url = mask_password(&self.database.url);
        toml::to_string(&shown).map_err(Error::internal)
    }

    /// What the store needs.
    pub fn store_options(&self) -> StoreOptions {
        self.database.options()
    }

    /// Who comes in to a server over `store`, and how.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where something is configured wrongly, a file cannot be read, or tokens would travel
    /// in the clear.
    pub async fn door(&self, store: &Store) -> Result<Door, Error> {
        if self.server.insecure {
            return Ok(Door::open());
        }
        let tls = self.tls.load()?;
        let address = self.server.address;
        if tls.is_none() && !address.ip().is_loopback() && !self.tls.terminated_elsewhere {
            return Err(Violation::new(
                "tls.certificate_file",
                format!("(empty), with server.address {address}"),
                "a certificate: tokens must not travel in the clear (tls.terminated_elsewhere = true says that a \
                 proxy before the server has TLS)",
                "证书:令牌不得明文传输(tls.terminated_elsewhere = true 表示由前置代理提供 TLS)",
            )
            .into());
        }
        let authenticator = self.access.authenticator(store.clone()).await?;
        Ok(Door {
            access: crate::grpc::Access::Authenticated(Arc::new(authenticator)),
            tls,
        })
    }

    /// What the server takes at most.
    pub fn limits(&self) -> Limits {
        self.server.limits()
    }
}

fn refused(error: config::ConfigError) -> Error {
    Violation::new(
        "configuration",
        error.to_string(),
        "the keys that config/default.toml lists, each of its type",
        "config/default.toml 所列的键及其类型",
    )
    .into()
}

/// Adds a fault where a number is not in its range.
fn range(faults: &mut Vec<Violation>, key: &str, value: u64, least: u64, most: u64) {
    if !(least..=most).contains(&value) {
        let (en, zh) = (format!("{least} to {most}"), format!("{least} 至 {most}"));
        faults.push(Violation::new(key, value.to_string(), en, zh));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_is_whole_and_unknown_keys_are_refused() {
        let config = Config::load(None, &["server.max_calls=7".to_owned()]).unwrap();
        assert_eq!(config.server.max_calls, 7);
        let error = Config::load(None, &["server.max_cals=7".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("max_cals"), "{error}");
        let error = Config::load(None, &["server.max_calls=0".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("1 to 100000"), "{error}");
    }
}
