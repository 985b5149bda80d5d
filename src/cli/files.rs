//! Files that commands read.

use super::output::Failure;
use std::fs::File;
use std::io::Read;
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
