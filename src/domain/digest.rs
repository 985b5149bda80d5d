//! SHA-256 digests that pin inputs: written `sha256:` and 64 hexadecimal digits.

use sha2::{Digest as _, Sha256};
use std::fmt;

/// A SHA-256 digest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(text_of(&Sha256::digest(bytes)))
    }

    /// Takes back a digest that was stored as text.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hexadecimal digits, for tables.
    pub fn short(&self) -> &str {
        self.0
            .strip_prefix("sha256:")
            .and_then(|hexadecimal| hexadecimal.get(..12))
            .unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Builds a digest over records: every field is written with its length before it, so that no two
/// different sequences of fields give the same bytes.
#[derive(Default)]
pub struct DigestBuilder(Sha256);

impl DigestBuilder {
    /// Starts a digest for one kind of record; the kind keeps digests of different things apart.
    pub fn new(kind: &str) -> Self {
        let mut builder = Self::default();
        builder.field(kind);
        builder
    }

    /// Adds one field.
    pub fn field(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Adds one field that is no text.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// The digest of everything added.
    pub fn finish(self) -> Digest {
        Digest(text_of(&self.0.finalize()))
    }
}

/// The text form of a hash, made at once: a posting makes a dozen of them.
fn text_of(hash: &[u8]) -> String {
    const NAME: &str = "sha256:";
    let mut text = String::with_capacity(NAME.len() + 2 * hash.len());
    text.push_str(NAME);
    let mut digits = [0; 64];
    let digits = digits.get_mut(..2 * hash.len()).unwrap_or_default();
    if hex::encode_to_slice(hash, digits).is_ok() {
        text.extend(std::str::from_utf8(digits));
    }
    text
}
