//! Personal data at rest: sealed with an AEAD, found again by a keyed hash.
//!
//! Sealing is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha; RustCrypto's implementation, audited by NCC
//! Group in 2020) with a random 192-bit nonce and the name of the resource as associated data, so that
//! what was sealed for one row cannot be passed off as another's. Lookup is HMAC-SHA-256 (RFC 2104): equal
//! values give equal hashes, and without the key a hash of an ID number cannot be searched for.
//!
//! Keys come from a key file. The first of each list is in use; the others still open and find what they
//! sealed and hashed, so keys can be changed while the service runs on.

use crate::domain::error::{Error, Violation};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// The keys for personal data; clones share them.
#[derive(Clone)]
pub struct Vault {
    keys: Arc<Keys>,
}

struct Keys {
    sealing: Vec<(String, XChaCha20Poly1305)>,
    lookup: Vec<(String, Hmac<Sha256>)>,
}

/// What a key sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the key.
    pub key: String,
    /// Nonce and ciphertext, base64.
    pub text: String,
}

impl Sealed {
    /// Whether what was sealed has been erased.
    pub const fn is_erased(&self) -> bool {
        self.text.is_empty()
    }
}

/// A keyed hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The id of the key.
    pub key: String,
    /// The hash, base64.
    pub hash: String,
}

/// A key's id and its bytes.
type PlainKey = (String, Zeroizing<Vec<u8>>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    sealing: Vec<KeyEntry>,
    lookup: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    id: String,
    key: Zeroizing<String>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Reads a key file; errors never repeat what it holds.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let refused = |what: &str| {
            Violation::new(
                "privacy.key_file",
                "(not shown)",
                format!("a key file as `keys generate` writes it: {what}"),
                format!("由 `keys generate` 生成的密钥文件({what})"),
            )
        };
        let file: KeyFile = toml::from_str(text).map_err(|_| refused("[[sealing]] and [[lookup]]"))?;
        let plain_id = |id: &str| {
            (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let read = |entries: Vec<KeyEntry>| -> Result<Vec<PlainKey>, Violation> {
            let mut keys: Vec<PlainKey> = Vec::new();
            for entry in entries {
                let key = STANDARD.decode(entry.key.as_bytes()).map(Zeroizing::new);
                let Some(key) = key.ok().filter(|key| key.len() == KEY_BYTES) else {
                    return Err(refused("each key is 32 bytes in base64"));
                };
                if !plain_id(&entry.id) || keys.iter().any(|(id, _)| *id == entry.id) {
                    return Err(refused("each id is unique, 1 to 32 of A-Z, a-z, 0-9 and -"));
                }
                keys.push((entry.id, key));
            }
            if keys.is_empty() {
                return Err(refused("at least one key of each kind"));
            }
            Ok(keys)
        };
        let broken = |_| refused("each key is 32 bytes in base64");
        let sealing = read(file.sealing)?
            .into_iter()
            .map(|(id, key)| Ok((id, XChaCha20Poly1305::new_from_slice(&key).map_err(broken)?)));
        let sealing = sealing.collect::<Result<_, Violation>>()?;
        let broken = |_| refused("each key is 32 bytes in base64");
        let lookup = read(file.lookup)?.into_iter().map(|(id, key)| {
            let keyed = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&key).map_err(broken)?;
            Ok((id, keyed))
        });
        let lookup = lookup.collect::<Result<_, Violation>>()?;
        Ok(Self {
            keys: Arc::new(Keys { sealing, lookup }),
        })
    }

    /// The text of a new key file, with a key of each kind named `id`; keys of `before`, an older key
    /// file, follow, so that what they sealed can still be read.
    pub fn generate(id: &str, before: Option<&str>) -> Result<Zeroizing<String>, Error> {
        let entry = |kind: &str| -> Result<String, Error> {
            let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
            getrandom::fill(key.as_mut_slice()).map_err(Error::internal)?;
            let key = Zeroizing::new(STANDARD.encode(key.as_slice()));
            Ok(format!("[[{kind}]]\nid = \"{id}\"\nkey = \"{}\"\n", key.as_str()))
        };
        let text = format!(
            "# Keys of incentive-fund for personal data. Whoever has this file can read it; without it, it is lost.\n\
             # The first key of each kind is in use; the others still read what they wrote.\n\n{}\n{}{}",
            entry("sealing")?,
            entry("lookup")?,
            before.map(|before| format!("\n{before}")).unwrap_or_default()
        );
        Self::parse(&text)?;
        Ok(Zeroizing::new(text))
    }

    /// The id of the key that seals.
    pub fn sealing_key(&self) -> &str {
        self.keys.sealing.first().map_or("", |(id, _)| id)
    }

    /// The id of the key that hashes.
    pub fn lookup_key(&self) -> &str {
        self.keys.lookup.first().map_or("", |(id, _)| id)
    }

    /// Seals `plain` for the resource named `context`.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Sealed, Error> {
        let (id, cipher) = self.keys.sealing.first().ok_or_else(no_key)?;
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(Error::internal)?;
        let payload = Payload {
            msg: plain,
            aad: context.as_bytes(),
        };
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(Error::internal)?;
        Ok(Sealed {
            key: id.clone(),
            text: STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat()),
        })
    }

    /// Opens what was sealed for the resource named `context`.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] where the key is not in the key file, or what was stored is not what was sealed.
    pub fn open(&self, context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Error> {
        let broken = || Error::internal(format!("what is sealed for {context} cannot be opened"));
        let known = self.keys.sealing.iter().find(|(id, _)| *id == sealed.key);
        let (_, cipher) = known
            .ok_or_else(|| Error::internal(format!("the key file lacks the sealing key {}", sealed.key)))?;
        let bytes = STANDARD_NO_PAD.decode(&sealed.text).map_err(|_| broken())?;
        let (nonce, ciphertext) = bytes.split_at_checked(NONCE_BYTES).ok_or_else(broken)?;
        let payload = Payload {
            msg: ciphertext,
            aad: context.as_bytes(),
        };
        let nonce = XNonce::try_from(nonce).map_err(|_| broken())?;
        let plain = cipher.decrypt(&nonce, payload).map_err(|_| broken())?;
        Ok(Zeroizing::new(plain))
    }

    /// The hashes of a value under every key, the one in use first. `kind` keeps hashes of different
    /// things apart.
    pub fn lookups(&self, kind: &str, value: &str) -> Vec<Lookup> {
        self.keys
            .lookup
            .iter()
            .map(|(id, keyed)| {
                let mut mac = keyed.clone();
                mac.update(&(kind.len() as u64).to_be_bytes());
                mac.update(kind.as_bytes());
                mac.update(value.as_bytes());
                Lookup {
                    key: id.clone(),
                    hash: STANDARD_NO_PAD.encode(mac.finalize().into_bytes()),
                }
            })
            .collect()
    }
}

fn no_key() -> Error {
    Error::internal("a vault without a key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_the_same_resource_only() {
        let vault = Vault::parse(&Vault::generate("a", None).unwrap()).unwrap();
        let sealed = vault.seal("funds/f/claims/1", "张三 411081".as_bytes()).unwrap();
        assert!(!sealed.text.contains("411081"));
        let opened = vault.open("funds/f/claims/1", &sealed).unwrap();
        assert_eq!(opened.as_slice(), "张三 411081".as_bytes());
        assert!(vault.open("funds/f/claims/2", &sealed).is_err());
        let again = vault.seal("funds/f/claims/1", "张三 411081".as_bytes()).unwrap();
        assert_ne!(again, sealed, "a nonce is used once");
        let mut forged = sealed.clone();
        forged
            .text
            .replace_range(40..41, if &sealed.text[40..41] == "A" { "B" } else { "A" });
        assert!(vault.open("funds/f/claims/1", &forged).is_err());
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_still_opens_and_finds() {
        let old_file = Vault::generate("2026", None).unwrap();
        let old = Vault::parse(&old_file).unwrap();
        let sealed = old.seal("c", b"plain").unwrap();
        let hash = old.lookups("person", "411081199001010012");
        let new_file = Vault::generate("2027", Some(&old_file)).unwrap();
        let new = Vault::parse(&new_file).unwrap();
        assert_eq!(new.open("c", &sealed).unwrap().as_slice(), b"plain");
        assert_eq!(new.seal("c", b"plain").unwrap().key, "2027");
        let hashes = new.lookups("person", "411081199001010012");
        assert_eq!(hashes.len(), 2);
        assert_eq!(hashes[0].key, "2027");
        assert_eq!(hashes[1], hash[0]);
        assert_ne!(new.lookups("home", "411081199001010012")[1], hash[0]);
    }

    #[test]
    fn errors_do_not_repeat_the_keys() {
        for text in [
            "secret",
            "[[sealing]]\nid = 'a'\nkey = 'c2VjcmV0'\n[[lookup]]\nid = 'a'\nkey = 'c2VjcmV0'\n",
            "sealing = []\nlookup = []\n",
        ] {
            let refused = Vault::parse(text).unwrap_err().to_string();
            assert!(
                !refused.contains("c2VjcmV0") && !refused.contains("secret"),
                "{refused}"
            );
        }
    }
}
