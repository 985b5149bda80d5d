//! Keys in files: those of personal data, and the one that signs checkpoints.

use super::range;
use crate::app::audit::{AuditKeys, SigningKey};
use crate::app::vault::Vault;
use crate::domain::error::{Error, Violation};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use zeroize::Zeroizing;

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

    /// Adds what is out of its range.
    pub(super) fn check(&self, faults: &mut Vec<Violation>) {
        range(
            faults,
            "privacy.retention_years",
            self.retention_years.into(),
            0,
            100,
        );
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

    /// Adds what is out of its range.
    pub(super) fn check(&self, faults: &mut Vec<Violation>) {
        range(
            faults,
            "audit.checkpoint_minutes",
            self.checkpoint_minutes.into(),
            0,
            43_200,
        );
    }
}
