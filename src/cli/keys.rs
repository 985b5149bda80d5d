//! `keys`: the keys for personal data. They are files of whoever runs the program, so these commands work
//! on files and on the database, never through a server.

use super::output::{self, Failure};
use super::serve::open;
use crate::app::vault::Vault;
use crate::config::Config;
use clap::Subcommand;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Writes a new key file, readable by its owner only
    Generate {
        /// The file to write; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Name of the new keys, such as the year
        #[arg(long, value_name = "ID")]
        id: String,
        /// The key file so far: its keys are kept behind the new ones, to read what they wrote
        #[arg(long, value_name = "FILE")]
        before: Option<PathBuf>,
    },
    /// Seals all personal data in the database anew with the first keys of the key file
    ///
    /// It may run while the service does, and may be stopped and begun again. After it, the older keys are
    /// needed for nothing but backups.
    Rotate,
}

pub(super) async fn run(command: KeysCommand, config: &Config) -> Result<(), Failure> {
    match command {
        KeysCommand::Generate { out, id, before } => generate(&out, &id, before.as_deref()),
        KeysCommand::Rotate => rotate(config).await,
    }
}

fn generate(out: &Path, id: &str, before: Option<&Path>) -> Result<(), Failure> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| Failure::usage(format!("{}: {error} / 无法读取", path.display())))
    };
    let before = before.map(read).transpose()?;
    let text = Vault::generate(id, before.as_ref().map(|text| text.as_str()))?;
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
    output::text(&format!(
        "{}: keys {id}; set privacy.key_file to it, keep a copy apart from the database / 请在 privacy.key_file 中指明,并与数据库分开保存备份\n",
        out.display()
    ))
}

/// More than there will ever be funds.
const ALL: u64 = 1_000_000;

async fn rotate(config: &Config) -> Result<(), Failure> {
    let app = open(config).await?;
    let mut lines = String::new();
    for (fund, _) in app.funds("", ALL).await? {
        let changed = app.rotate_keys(&fund).await?;
        lines.push_str(&format!(
            "funds/{fund}: {changed} claim(s) sealed anew / 件申请已换密钥\n"
        ));
    }
    let changed = app.rotate_statement_keys().await?;
    lines.push_str(&format!(
        "statements: {changed} set(s) of lines sealed anew / 组对账单明细已换密钥\n"
    ));
    app.store().clone().close().await;
    output::text(&lines)
}
