//! Making checkpoints.

use super::SigningKey;
use crate::app::{App, Mutation, clock};
use crate::domain::access::Scope;
use crate::domain::audit::{ChainHead, ChainName, Checkpoint, JournalHead};
use crate::domain::digest::Digest;
use crate::domain::error::{Bilingual, Error};
use crate::domain::identity::Principal;
use std::path::{Path, PathBuf};

/// What signs checkpoints, and where they are put beside the database.
#[derive(Debug, Clone, Default)]
pub struct AuditKeys {
    /// The key; without it there are no checkpoints.
    pub signing: Option<SigningKey>,
    /// A directory that every checkpoint is also written to.
    pub directory: Option<PathBuf>,
}

impl App {
    /// Signs the ends of all chains and journals as they are now, and keeps the result.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where there is no key.
    pub async fn create_checkpoint(&self, mutation: &Mutation) -> Result<Checkpoint, Error> {
        let key = self.audit.signing.as_ref().ok_or_else(|| Error::State {
            name: "audit.key_file".to_owned(),
            reason: "NO_AUDIT_KEY",
            message: Bilingual::new(
                "no key that signs checkpoints is configured: write one with `incentive-fund keys generate \
                 --kind audit` and name it as audit.key_file",
                "未配置检查点签名密钥:请用 `incentive-fund keys generate --kind audit` 生成,并在 audit.key_file 中指明",
            ),
        })?;
        // What was committed is in the chains that are signed.
        self.seal_audit_log().await?;
        let checkpoint = self
            .mutate(mutation, "CreateCheckpoint", |tx| async move {
                let last = tx.last_checkpoint().await?;
                let (number, previous) = match last {
                    Some((number, document)) => (number, previous(&document)),
                    None => (0, Digest::from_stored(String::new())),
                };
                let heads = tx.audit_heads().await?.into_iter();
                let journals = tx.journal_heads().await?.into_iter();
                let mut checkpoint = Checkpoint {
                    number: number + 1,
                    at: clock::now(),
                    previous,
                    chains: heads
                        .filter(|(_, head)| head.records > 0)
                        .map(|(chain, head)| ChainHead {
                            chain: chain.as_str().to_owned(),
                            records: head.records,
                            digest: head.digest,
                        })
                        .collect(),
                    journals: journals
                        .map(|(fund, entries, digest)| JournalHead {
                            fund: fund.to_string(),
                            entries,
                            digest,
                        })
                        .collect(),
                    digest: Digest::from_stored(String::new()),
                    key: String::new(),
                    signature: String::new(),
                };
                key.sign(&mut checkpoint);
                tx.insert_checkpoint(&checkpoint).await?;
                tx.trail(|trail| {
                    let name = format!("auditCheckpoints/{}", checkpoint.number);
                    trail.touch(name, None, Some(checkpoint.digest.clone()));
                });
                Ok((tx, checkpoint))
            })
            .await?;
        if let Some(directory) = &self.audit.directory
            && !mutation.validate_only
        {
            put(directory, &checkpoint).await?;
        }
        Ok(checkpoint)
    }

    /// A checkpoint by the program itself, where there is a key and something was recorded since the last one.
    pub async fn periodic_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        if self.audit.signing.is_none() {
            return Ok(None);
        }
        let unchanged = {
            let tx = self.store().begin_read().await?;
            let last = tx.last_checkpoint().await?;
            let last = last.and_then(|(_, document)| serde_json::from_str::<Checkpoint>(&document).ok());
            let heads = tx.audit_heads().await?;
            last.is_some_and(|last| {
                heads.iter().all(|(chain, head)| {
                    let known = last.chains.iter().find(|known| known.chain == chain.as_str());
                    match known {
                        Some(known) => {
                            // The record of the last checkpoint itself is the one that is new.
                            let only_itself =
                                *chain == ChainName::general() && known.records + 1 == head.records;
                            known.digest == head.digest || only_itself
                        }
                        None => head.records == 0,
                    }
                })
            })
        };
        if unchanged {
            return Ok(None);
        }
        let mutation = Mutation {
            caller: Principal::parse("incentive-fund")?,
            peer: "in-process".to_owned(),
            scope: Scope::All,
            request_id: String::new(),
            body: Digest::of(b""),
            validate_only: false,
        };
        self.create_checkpoint(&mutation).await.map(Some)
    }
}

/// The digest of a checkpoint as it is stored; of one that is broken, over its text, so that verification
/// finds both.
fn previous(document: &str) -> Digest {
    serde_json::from_str::<Checkpoint>(document).map_or_else(
        |_| Digest::of(document.as_bytes()),
        |checkpoint| checkpoint.digest,
    )
}

/// Writes a checkpoint to a directory; one that is there already stays.
async fn put(directory: &Path, checkpoint: &Checkpoint) -> Result<(), Error> {
    let path = directory.join(format!("checkpoint-{:08}.json", checkpoint.number));
    let text = serde_json::to_string_pretty(checkpoint).map_err(Error::internal)? + "\n";
    let write = move || {
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).open(&path);
        match file {
            Ok(mut file) => {
                use std::io::Write as _;
                file.write_all(text.as_bytes())?;
                file.sync_all()
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    };
    tokio::task::spawn_blocking(write)
        .await
        .map_err(Error::internal)?
        .map_err(|error| Error::Unavailable {
            detail: format!("audit.checkpoint_directory: {error}"),
        })
}
