//! Files that commands read, and those they write that hold personal data.

use super::output::Failure;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// The bytes of a file; of one that is larger than `limit`, one byte more than that, so that whoever
/// reads them refuses them and a file without end fills no memory.
pub(super) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::file(path, &error))?;
    Ok(bytes)
}

/// Writes a file that only its owner may read, whole or not at all: under another name first. A file that
/// is there is left alone unless `force`.
pub(super) fn write_private(path: &Path, bytes: &[u8], force: bool) -> Result<(), Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!(".{name}.{}.part", uuid::Uuid::now_v7().simple()));
    let written = write_new(&part, bytes).and_then(|()| {
        if force {
            std::fs::rename(&part, path)
        } else {
            // A link is not made over a file that is there, where renaming would replace it.
            std::fs::hard_link(&part, path).and_then(|()| std::fs::remove_file(&part))
        }
    });
    written.map_err(|error| {
        // Nothing is left to do where that fails, too.
        let _ = std::fs::remove_file(&part);
        if error.kind() == io::ErrorKind::AlreadyExists {
            exists(path)
        } else {
            Failure::file(path, &error)
        }
    })
}

/// A file is there, and is not to be overwritten.
pub(super) fn exists(path: &Path) -> Failure {
    Failure::usage(format!(
        "{}: is there already, --force overwrites it / 文件已存在,加 --force 覆盖",
        path.display()
    ))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
