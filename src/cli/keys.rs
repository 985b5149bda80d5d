//! `keys`: the keys for personal data. They are files of whoever runs the program, so these commands work
//! on files and on the database, never through a server.

use super::connecting::principal;
use super::output::{self, Failure};
use super::serve::open;
use crate::app::audit::{Asking, SigningKey, generate_signing_key};
use crate::app::vault::Vault;
use crate::config::Config;
use clap::{Subcommand, ValueEnum};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Writes a new key file, readable by its owner only
    Generate {
        /// What the keys are for
        #[arg(long, value_enum, default_value = "personal")]
        kind: KeyKind,
        /// The file to write; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Name of the new keys, such as the year
        #[arg(long, value_name = "ID")]
        id: String,
        /// The key file so far: its keys are kept behind the new ones, to read what they wrote
        #[arg(long, value_name = "FILE")]
        before: Option<PathBuf>,
        /// With --kind audit: a file to write the public keys to, for whoever verifies
        #[arg(long, value_name = "FILE")]
        public: Option<PathBuf>,
    },
    /// Seals all personal data in the database anew with the first keys of the key file
    ///
    /// It may run while the service does, and may be stopped and begun again. After it, the older keys are
    /// needed for nothing but backups.
    Rotate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum KeyKind {
    /// Seal and find personal data: privacy.key_file
    Personal,
    /// Sign checkpoints of the audit log: audit.key_file
    Audit,
}

pub(super) async fn run(command: KeysCommand, config: &Config, named: Option<&str>) -> Result<(), Failure> {
    match command {
        KeysCommand::Generate {
            kind,
            out,
            id,
            before,
            public,
        } => generate(kind, &out, &id, before.as_deref(), public.as_deref()),
        KeysCommand::Rotate => rotate(config, named).await,
    }
}

fn generate(
    kind: KeyKind,
    out: &Path,
    id: &str,
    before: Option<&Path>,
    public: Option<&Path>,
) -> Result<(), Failure> {
    if public.is_some() && kind != KeyKind::Audit {
        return Err(Failure::usage(
            "--public: only keys of --kind audit have public halves / 只有 --kind audit 的密钥有公钥",
        ));
    }
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| Failure::usage(format!("{}: {error} / 无法读取", path.display())))
    };
    let before = before.map(read).transpose()?;
    let before = before.as_ref().map(|text| text.as_str());
    let text = match kind {
        KeyKind::Personal => Vault::generate(id, before)?,
        KeyKind::Audit => generate_signing_key(id, before)?,
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(out)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(|error| Failure::usage(format!("{}: {error} / 无法写入", out.display())))?;
    if kind == KeyKind::Audit {
        let key = SigningKey::parse(&text).map_err(crate::domain::error::Error::from)?;
        if let Some(public) = public {
            std::fs::write(public, key.verifying().to_text())
                .map_err(|error| Failure::file(public, &error))?;
        }
        return output::text(&format!(
            "{}: key {id}; set audit.key_file to it / 请在 audit.key_file 中指明\n",
            out.display()
        ));
    }
    output::text(&format!(
        "{}: keys {id}; set privacy.key_file to it, keep a copy apart from the database / 请在 privacy.key_file 中指明,并与数据库分开保存备份\n",
        out.display()
    ))
}

/// More than there will ever be funds.
const ALL: u64 = 1_000_000;

async fn rotate(config: &Config, named: Option<&str>) -> Result<(), Failure> {
    let asking = Asking {
        caller: principal(config, named)?,
        peer: "in-process".to_owned(),
    };
    let app = open(config).await?;
    let mut lines = String::new();
    for (fund, _) in app.funds("", ALL).await? {
        let changed = app.rotate_keys(&asking, &fund).await?;
        let left = app.erased_under_older_keys(&fund).await?;
        lines.push_str(&format!(
            "funds/{fund}: {changed} claim(s) sealed anew / 件申请已换密钥\n"
        ));
        if left > 0 {
            lines.push_str(&format!(
                "funds/{fund}: {left} erased claim(s) are hashed with an older lookup key, which must stay in the key \
                 file / {left} 件已删除个人信息的申请仍使用旧的查找密钥,须在密钥文件中保留该密钥\n"
            ));
        }
    }
    let changed = app.rotate_statement_keys(&asking).await?;
    lines.push_str(&format!(
        "statements: {changed} set(s) of lines sealed anew / 组对账单明细已换密钥\n"
    ));
    app.store().clone().close().await;
    output::text(&lines)
}
