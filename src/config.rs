//! Configuration in layers: the built-in default, a file, the environment, flags.

mod access;

pub use access::{Access, Certificate, ClientCertificates, Jwt, RoleRule, Tls};

use crate::app::audit::{AuditKeys, SigningKey};
use crate::app::reconciliation::ReconciliationOptions;
use crate::app::simulation::SimulationOptions;
use crate::app::vault::Vault;
use crate::domain::error::{Error, Faults, Violation};
use crate::domain::payer::Payer;
use crate::domain::payment::{Debtor, Debtors};
use crate::domain::reconciliation::{Rule, Rules};
use crate::domain::region::RegionCode;
use crate::grpc::Rate;
use crate::grpc::server::{Door, Limits};
use crate::statement::Mapping;
use crate::store::{Store, StoreOptions};
use config::{Environment, File, FileFormat};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

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

/// `[database]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Database {
    pub url: String,
    pub max_connections: u32,
    pub acquire_timeout_seconds: u64,
    pub migrate: bool,
    pub request_retention_days: u32,
    pub log_statements: bool,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Server {
    pub address: SocketAddr,
    pub insecure: bool,
    pub max_message_bytes: usize,
    pub max_calls: usize,
    pub max_streams_per_connection: u32,
    pub max_connections: usize,
    pub max_metadata_bytes: u32,
    pub handshake_timeout_seconds: u64,
    pub caller_calls_per_second: u32,
    pub caller_burst: u32,
    pub call_timeout_seconds: u64,
    pub shutdown_timeout_seconds: u64,
}

/// `[privacy]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Privacy {
    pub key_file: PathBuf,
    pub retention_years: u32,
}

impl Privacy {
    /// The keys for personal data, where a key file is configured.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where the file cannot be read or is none; what it holds is never repeated.
    pub fn vault(&self) -> Result<Option<Vault>, Error> {
        if self.key_file.as_os_str().is_empty() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&self.key_file)
            .map(Zeroizing::new)
            .map_err(|error| {
                Violation::new(
                    "privacy.key_file",
                    format!("{}: {error}", self.key_file.display()),
                    "a file that can be read, as `keys generate` writes it",
                    "可读取的密钥文件(由 `keys generate` 生成)",
                )
            })?;
        Ok(Some(Vault::parse(&text)?))
    }
}

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Audit {
    pub key_file: PathBuf,
    pub checkpoint_minutes: u32,
    pub checkpoint_directory: PathBuf,
}

impl Audit {
    /// What signs checkpoints, and where they are put.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where the file cannot be read or is none; what it holds is never repeated.
    pub fn keys(&self) -> Result<AuditKeys, Error> {
        let given = |path: &PathBuf| (!path.as_os_str().is_empty()).then(|| path.clone());
        let signing = match given(&self.key_file) {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .map(Zeroizing::new)
                    .map_err(|error| {
                        Violation::new(
                            "audit.key_file",
                            format!("{}: {error}", path.display()),
                            "a file that can be read, as `keys generate --kind audit` writes it",
                            "可读取的签名密钥文件(由 `keys generate --kind audit` 生成)",
                        )
                    })?;
                Some(SigningKey::parse(&text)?)
            }
        };
        Ok(AuditKeys {
            signing,
            directory: given(&self.checkpoint_directory),
        })
    }
}

/// `[payment]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Payment {
    pub debtor: Vec<DebtorAccount>,
}

/// `[[payment.debtor]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DebtorAccount {
    pub payer: String,
    #[serde(default)]
    pub region: String,
    pub name: String,
    pub account: String,
    pub bank_code: String,
}

impl Payment {
    /// The accounts that payments are made from.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault.
    pub fn debtors(&self) -> Result<Debtors, Error> {
        const KEY: &str = "payment.debtor";
        let mut faults = Faults::default();
        let mut accounts = Vec::with_capacity(self.debtor.len());
        for (at, given) in self.debtor.iter().enumerate() {
            let at = format!("{KEY}[{at}]");
            let payer = faults.keep(Payer::parse(&format!("{at}.payer"), &given.payer));
            let region = match given.region.as_str() {
                "" => None,
                code => faults.keep(RegionCode::parse(&format!("{at}.region"), code)),
            };
            match Debtor::parse(&at, &given.name, &given.account, &given.bank_code) {
                Ok(debtor) => accounts.extend(payer.map(|payer| (payer, region, debtor))),
                Err(violations) => faults.extend(violations),
            }
        }
        faults.finish()?;
        Ok(Debtors::new(KEY, accounts)?)
    }
}

/// `[reconciliation]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Reconciliation {
    pub rules: Vec<Rule>,
    pub late_days: u32,
    pub date_window_days: u32,
    pub lease_seconds: u64,
    pub range_lines: u64,
}

impl Reconciliation {
    /// The rules of jobs, and how they are worked on.
    pub fn options(&self) -> ReconciliationOptions {
        ReconciliationOptions {
            rules: Rules {
                rules: self.rules.clone(),
                late_days: self.late_days,
                date_window_days: self.date_window_days,
            },
            lease: Duration::from_secs(self.lease_seconds),
            range: self.range_lines,
        }
    }
}

/// `[statement]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Statement {
    pub mappings: Vec<PathBuf>,
}

impl Statement {
    /// The mappings for tables of banks that are configured beside those that come with the program.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault of every file.
    pub fn mappings(&self) -> Result<Vec<Mapping>, Error> {
        let mut faults = Faults::default();
        let mut mappings: Vec<Mapping> = Vec::with_capacity(self.mappings.len());
        for (at, path) in self.mappings.iter().enumerate() {
            let key = format!("statement.mappings[{at}]");
            let text = match std::fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) => {
                    faults.add(|| {
                        let found = format!("{}: {error}", path.display());
                        Violation::new(key, found, "a file that can be read", "可读取的文件")
                    });
                    continue;
                }
            };
            match Mapping::parse(&text) {
                Ok(mapping) if mappings.iter().any(|other| other.code() == mapping.code()) => {
                    faults.add(|| {
                        let found = format!("{} again", mapping.code());
                        Violation::new(key, found, "mappings of different codes", "映射代码不得重复")
                    });
                }
                Ok(mapping) => mappings.push(mapping),
                Err(violations) => {
                    faults.extend(
                        violations
                            .into_iter()
                            .map(|violation| violation.within(&key))
                            .collect(),
                    );
                }
            }
        }
        faults.finish()?;
        Ok(mappings)
    }
}

/// `[simulation]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Simulation {
    pub threads: usize,
    pub max_points: u64,
    pub max_running: usize,
}

impl Simulation {
    /// What simulations take at most.
    pub fn options(&self) -> SimulationOptions {
        SimulationOptions {
            threads: self.threads,
            max_points: self.max_points,
            max_running: self.max_running,
        }
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Log {
    pub format: LogFormat,
    pub filter: String,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For a person at a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// `[cli]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Cli {
    pub principal: String,
    pub token_file: PathBuf,
    pub ca_file: PathBuf,
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    pub deadline_seconds: u64,
    pub log_filter: String,
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
        let mut violations = Vec::new();
        let mut within = |key: &str, value: u64, least: u64, most: u64| {
            if !(least..=most).contains(&value) {
                let (en, zh) = (format!("{least} to {most}"), format!("{least} 至 {most}"));
                violations.push(Violation::new(key, value.to_string(), en, zh));
            }
        };
        within(
            "database.max_connections",
            self.database.max_connections.into(),
            1,
            1_000,
        );
        within(
            "database.acquire_timeout_seconds",
            self.database.acquire_timeout_seconds,
            1,
            600,
        );
        within(
            "server.max_message_bytes",
            self.server.max_message_bytes as u64,
            1 << 16,
            1 << 30,
        );
        within("server.max_calls", self.server.max_calls as u64, 1, 100_000);
        within(
            "server.max_streams_per_connection",
            self.server.max_streams_per_connection.into(),
            1,
            100_000,
        );
        within(
            "server.call_timeout_seconds",
            self.server.call_timeout_seconds,
            1,
            86_400,
        );
        within(
            "server.shutdown_timeout_seconds",
            self.server.shutdown_timeout_seconds,
            0,
            3_600,
        );
        within(
            "privacy.retention_years",
            self.privacy.retention_years.into(),
            0,
            100,
        );
        within(
            "audit.checkpoint_minutes",
            self.audit.checkpoint_minutes.into(),
            0,
            43_200,
        );
        within(
            "server.max_connections",
            self.server.max_connections as u64,
            1,
            1_000_000,
        );
        within(
            "server.max_metadata_bytes",
            self.server.max_metadata_bytes.into(),
            4_096,
            1 << 20,
        );
        within(
            "server.handshake_timeout_seconds",
            self.server.handshake_timeout_seconds,
            1,
            600,
        );
        within(
            "server.caller_burst",
            self.server.caller_burst.into(),
            1,
            1_000_000,
        );
        within("cli.deadline_seconds", self.cli.deadline_seconds, 0, 86_400);
        within("simulation.threads", self.simulation.threads as u64, 0, 1_024);
        within(
            "simulation.max_points",
            self.simulation.max_points,
            1,
            1_000_000_000,
        );
        within(
            "simulation.max_running",
            self.simulation.max_running as u64,
            1,
            1_000,
        );
        within(
            "reconciliation.lease_seconds",
            self.reconciliation.lease_seconds,
            5,
            3_600,
        );
        within(
            "reconciliation.range_lines",
            self.reconciliation.range_lines,
            1_000,
            10_000_000,
        );
        if let Err(faults) = self.reconciliation.options().rules.check("reconciliation") {
            violations.extend(faults);
        }
        if !["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| self.database.url.starts_with(scheme))
        {
            let scheme = self.database.url.split(':').next().unwrap_or_default();
            violations.push(Violation::new(
                "database.url",
                format!("scheme {scheme}"),
                "sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST:PORT/NAME",
                "sqlite://文件?mode=rwc 或 postgres://用户:密码@主机:端口/库名",
            ));
        }
        for checked in [self.payment.debtors().map(drop), self.access.check()] {
            if let Err(Error::Invalid(faults)) = checked {
                violations.extend(faults);
            }
        }
        if self.server.insecure && !self.server.address.ip().is_loopback() {
            violations.push(Violation::new(
                "server.insecure",
                format!("true, with server.address {}", self.server.address),
                "false: without authentication the server listens on a loopback address only",
                "false:不验证身份时只能监听回环地址",
            ));
        }
        if let Err(Error::Invalid(faults)) = self.statement.mappings() {
            violations.extend(faults);
        }
        if violations.is_empty() {
            Ok(())
        } else {
            Err(violations.into())
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
        StoreOptions {
            url: self.database.url.clone(),
            max_connections: self.database.max_connections,
            acquire_timeout: Duration::from_secs(self.database.acquire_timeout_seconds),
            statement_log: self.database.log_statements,
        }
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
        Limits {
            max_message_bytes: self.server.max_message_bytes,
            max_calls: self.server.max_calls,
            max_streams_per_connection: self.server.max_streams_per_connection,
            max_connections: self.server.max_connections,
            max_metadata_bytes: self.server.max_metadata_bytes,
            handshake_timeout: Duration::from_secs(self.server.handshake_timeout_seconds),
            caller_rate: NonZeroU32::new(self.server.caller_calls_per_second)
                .zip(NonZeroU32::new(self.server.caller_burst))
                .map(|(per_second, burst)| Rate { per_second, burst }),
            call_timeout: Duration::from_secs(self.server.call_timeout_seconds),
            shutdown_timeout: Duration::from_secs(self.server.shutdown_timeout_seconds),
        }
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

/// `scheme://user:password@host` with the password replaced, and a `password=` parameter likewise.
pub fn mask_password(url: &str) -> String {
    const MASK: &str = "****";
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (address, query) = rest
        .split_once('?')
        .map_or((rest, None), |(address, query)| (address, Some(query)));
    let address = match address.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:{MASK}@{host}"),
            None => address.to_owned(),
        },
        None => address.to_owned(),
    };
    let query = query.map(|query| {
        let masked = query.split('&').map(|pair| match pair.split_once('=') {
            Some((key, _)) if key.eq_ignore_ascii_case("password") => format!("{key}={MASK}"),
            _ => pair.to_owned(),
        });
        format!("?{}", masked.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{address}{}", query.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_passwords() {
        assert_eq!(
            mask_password("postgres://u:p@ss@h:1/db?sslmode=require"),
            "postgres://u:****@h:1/db?sslmode=require"
        );
        assert_eq!(
            mask_password("postgres://h/db?user=u&password=x"),
            "postgres://h/db?user=u&password=****"
        );
        assert_eq!(mask_password("sqlite://a.db?mode=rwc"), "sqlite://a.db?mode=rwc");
    }

    #[test]
    fn accounts_that_pay_are_read_and_checked() {
        let directory = std::env::temp_dir().join(format!("debtors-{}", uuid::Uuid::now_v7()));
        let load = |text: &str| {
            std::fs::write(&directory, text).unwrap();
            let loaded = Config::load(Some(&directory), &[]);
            std::fs::remove_file(&directory).unwrap();
            loaded
        };
        let account = |payer: &str, region: &str, account: &str| {
            format!(
                "[[payment.debtor]]\npayer = \"{payer}\"\nregion = \"{region}\"\nname = \"许昌市财政局\"\n\
                 account = \"{account}\"\nbank_code = \"313491099996\"\n"
            )
        };
        let config =
            load(&(account("city", "", "411000000000012345") + &account("county", "411024", "4110240000")));
        let config = config.unwrap();
        let debtors = config.payment.debtors().unwrap();
        let region = RegionCode::parse("region", "411024").unwrap();
        assert_eq!(debtors.find(Payer::County, &region).unwrap().0, Some(&region));
        assert!(config.to_masked_toml().unwrap().contains("[[payment.debtor]]"));
        let refused = load(&(account("state", "", "4110000000") + &account("city", "x", "41a")));
        let refused = refused.unwrap_err().to_string();
        for field in [
            "payment.debtor[0].payer",
            "payment.debtor[1].region",
            "payment.debtor[1].account",
        ] {
            assert!(refused.contains(field), "{refused}");
        }
    }

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
