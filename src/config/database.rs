//! The database, whose password is never shown.

use super::range;
use crate::domain::error::Violation;
use crate::store::StoreOptions;
use serde::{Deserialize, Serialize};
use std::time::Duration;

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

impl Database {
    /// What the store needs.
    pub fn options(&self) -> StoreOptions {
        StoreOptions {
            url: self.url.clone(),
            max_connections: self.max_connections,
            acquire_timeout: Duration::from_secs(self.acquire_timeout_seconds),
            statement_log: self.log_statements,
        }
    }

    /// Adds what is out of its range.
    pub(super) fn check(&self, faults: &mut Vec<Violation>) {
        let mut within =
            |key: &str, value: u64, least: u64, most: u64| range(faults, key, value, least, most);
        within("database.max_connections", self.max_connections.into(), 1, 1_000);
        within(
            "database.acquire_timeout_seconds",
            self.acquire_timeout_seconds,
            1,
            600,
        );
        if !["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| self.url.starts_with(scheme))
        {
            let scheme = self.url.split(':').next().unwrap_or_default();
            faults.push(Violation::new(
                "database.url",
                format!("scheme {scheme}"),
                "sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST:PORT/NAME",
                "sqlite://文件?mode=rwc 或 postgres://用户:密码@主机:端口/库名",
            ));
        }
    }
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
}
