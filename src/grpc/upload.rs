//! Files that callers send in pieces and that are too large for memory.

use super::status::to_status;
use crate::domain::digest::Digest;
use crate::domain::error::Error;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use tonic::Status;

/// Largest file.
const MAX_BYTES: u64 = 8 << 30;

/// A file as it comes in. It has no name: nobody else can open it, and it is gone when it is closed.
pub(super) struct Upload {
    file: File,
    bytes: u64,
    digest: Sha256,
}

impl Upload {
    /// An empty file.
    pub(super) fn begin() -> Result<Self, Status> {
        let path = std::env::temp_dir().join(format!("incentive-fund-{}", uuid::Uuid::now_v7()));
        let opened = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let file = opened.map_err(|defect| to_status(Error::internal(defect)))?;
        std::fs::remove_file(&path).map_err(|defect| to_status(Error::internal(defect)))?;
        Ok(Self {
            file,
            bytes: 0,
            digest: Sha256::new(),
        })
    }

    /// Adds a piece.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<(), Status> {
        self.bytes += piece.len() as u64;
        if self.bytes > MAX_BYTES {
            return Err(to_status(Error::TooLarge {
                what: "bytes of a file",
                found: self.bytes,
                limit: MAX_BYTES,
            }));
        }
        self.digest.update(piece);
        self.file
            .write_all(piece)
            .map_err(|defect| to_status(Error::internal(defect)))
    }

    /// How many bytes have come in.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The whole file from its beginning, and its digest.
    pub(super) fn finish(mut self) -> Result<(File, Digest), Status> {
        self.file
            .seek(SeekFrom::Start(0))
            .map_err(|defect| to_status(Error::internal(defect)))?;
        let digest = Digest::from_stored(format!("sha256:{}", hex::encode(self.digest.finalize())));
        Ok((self.file, digest))
    }
}
