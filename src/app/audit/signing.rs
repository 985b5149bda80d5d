//! Keys that sign checkpoints: Ed25519 (RFC 8032), by ring.
//!
//! The secret key is in a file of its own, apart from the keys for personal data: who may read citizens' data
//! and who vouches for the log are different people. Its public half is written beside it, for whoever verifies.

use crate::domain::audit::Checkpoint;
use crate::domain::error::{Error, Violation};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::Deserialize;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

const SEED_BYTES: usize = 32;

/// The key that signs, and the public halves of it and its predecessors; clones share them.
#[derive(Clone)]
pub struct SigningKey {
    id: Arc<str>,
    pair: Arc<Ed25519KeyPair>,
    verifying: VerifyingKeys,
}

/// Public keys by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyingKeys {
    keys: Vec<(String, Vec<u8>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretFile {
    signing: Vec<SecretEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretEntry {
    id: String,
    secret: Zeroizing<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicFile {
    verifying: Vec<PublicEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicEntry {
    id: String,
    public: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

impl SigningKey {
    /// Reads a key file; errors never repeat what it holds. The first key signs.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let refused = |what: &str| {
            Violation::new(
                "audit.key_file",
                "(not shown)",
                format!("a key file as `keys generate --kind audit` writes it: {what}"),
                format!("由 `keys generate --kind audit` 生成的签名密钥文件({what})"),
            )
        };
        let file: SecretFile = toml::from_str(text).map_err(|_| refused("[[signing]] with id and secret"))?;
        let mut pairs: Vec<(String, Ed25519KeyPair)> = Vec::new();
        for entry in file.signing {
            let seed = STANDARD.decode(entry.secret.as_bytes()).map(Zeroizing::new);
            let pair = seed
                .ok()
                .and_then(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).ok())
                .ok_or_else(|| refused("each secret is 32 bytes in base64"))?;
            if !plain_id(&entry.id) || pairs.iter().any(|(id, _)| *id == entry.id) {
                return Err(refused("each id is unique, 1 to 32 of A-Z, a-z, 0-9 and -"));
            }
            pairs.push((entry.id, pair));
        }
        let public =
            |(id, pair): &(String, Ed25519KeyPair)| (id.clone(), pair.public_key().as_ref().to_vec());
        let verifying = VerifyingKeys {
            keys: pairs.iter().map(public).collect(),
        };
        let (id, pair) = pairs
            .into_iter()
            .next()
            .ok_or_else(|| refused("at least one key"))?;
        Ok(Self {
            id: id.into(),
            pair: Arc::new(pair),
            verifying,
        })
    }

    /// The public halves.
    pub const fn verifying(&self) -> &VerifyingKeys {
        &self.verifying
    }

    /// Signs a checkpoint: fills in its digest, key and signature.
    pub(super) fn sign(&self, checkpoint: &mut Checkpoint) {
        checkpoint.digest = checkpoint.computed();
        checkpoint.key = self.id.to_string();
        checkpoint.signature = STANDARD.encode(self.pair.sign(checkpoint.digest.as_str().as_bytes()));
    }
}

impl VerifyingKeys {
    /// Reads a file of public keys.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let refused = |what: &str| {
            Violation::new(
                field,
                what,
                "public keys as `keys generate --kind audit` writes them: [[verifying]] with id and public",
                "由 `keys generate --kind audit` 生成的公钥文件:[[verifying]] 含 id 与 public",
            )
        };
        let file: PublicFile = toml::from_str(text).map_err(|_| refused("another format"))?;
        let read = |entry: PublicEntry| {
            let public = STANDARD.decode(&entry.public).ok();
            let public = public.filter(|public| public.len() == SEED_BYTES);
            public
                .map(|public| (entry.id, public))
                .ok_or_else(|| refused("a key that is not 32 bytes in base64"))
        };
        Ok(Self {
            keys: file.verifying.into_iter().map(read).collect::<Result<_, _>>()?,
        })
    }

    /// The text of a file of public keys.
    pub fn to_text(&self) -> String {
        let mut text =
            "# Public keys of incentive-fund's audit log: they verify the signatures of checkpoints.\n\
             # Keep them with the checkpoints, apart from the database.\n"
                .to_owned();
        for (id, public) in &self.keys {
            text.push_str(&format!(
                "\n[[verifying]]\nid = \"{id}\"\npublic = \"{}\"\n",
                STANDARD.encode(public)
            ));
        }
        text
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys of both.
    #[must_use]
    pub fn and(mut self, others: &Self) -> Self {
        self.keys.extend(others.keys.iter().cloned());
        self
    }

    /// Why a checkpoint is none that one of these keys signed; `None` where it is.
    pub fn refuse(&self, checkpoint: &Checkpoint) -> Option<(&'static str, String, String)> {
        let computed = checkpoint.computed();
        if checkpoint.digest != computed {
            return Some(("digest", checkpoint.digest.to_string(), computed.to_string()));
        }
        let mut known = self
            .keys
            .iter()
            .filter(|(id, _)| *id == checkpoint.key)
            .peekable();
        if known.peek().is_none() {
            let known: Vec<&str> = self.keys.iter().map(|(id, _)| id.as_str()).collect();
            return Some((
                "key",
                checkpoint.key.clone(),
                format!("one of: {}", known.join(", ")),
            ));
        }
        let signature = STANDARD.decode(&checkpoint.signature).unwrap_or_default();
        let signed = known.any(|(_, public)| {
            UnparsedPublicKey::new(&ED25519, public)
                .verify(checkpoint.digest.as_str().as_bytes(), &signature)
                .is_ok()
        });
        let expected = || format!("a signature by the key {}", checkpoint.key);
        (!signed).then(|| ("signature", checkpoint.signature.clone(), expected()))
    }
}

/// The text of a new key file with a key named `id`; keys of `before`, an older key file, follow, so that what
/// they signed is still verified.
pub fn generate(id: &str, before: Option<&str>) -> Result<Zeroizing<String>, Error> {
    let mut seed = Zeroizing::new([0_u8; SEED_BYTES]);
    getrandom::fill(seed.as_mut_slice()).map_err(Error::internal)?;
    let seed = Zeroizing::new(STANDARD.encode(seed.as_slice()));
    let text = Zeroizing::new(format!(
        "# Key of incentive-fund that signs checkpoints of the audit log. Whoever has this file can forge them.\n\
         # The first key signs; the others still verify what they signed.\n\n\
         [[signing]]\nid = \"{id}\"\nsecret = \"{}\"\n{}",
        seed.as_str(),
        before.map(|before| format!("\n{before}")).unwrap_or_default()
    ));
    SigningKey::parse(&text)?;
    Ok(text)
}

fn plain_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Digest;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            number: 1,
            at: 2,
            previous: Digest::from_stored(String::new()),
            chains: Vec::new(),
            journals: Vec::new(),
            digest: Digest::from_stored(String::new()),
            key: String::new(),
            signature: String::new(),
        }
    }

    /// Test 1 of RFC 8032, section 7.1: seed, public key, and the signature of the empty message.
    #[test]
    fn is_the_algorithm_of_the_rfc() {
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        assert_eq!(
            hex::encode(pair.public_key().as_ref()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert_eq!(
            hex::encode(pair.sign(b"").as_ref()),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
             d25bf5f0595bbe24655141438e7a100b"
        );
    }

    #[test]
    fn what_is_signed_is_verified_and_nothing_else() {
        let old_file = generate("2026", None).unwrap();
        let old = SigningKey::parse(&old_file).unwrap();
        let mut signed = checkpoint();
        old.sign(&mut signed);
        let new = SigningKey::parse(&generate("2027", Some(&old_file)).unwrap()).unwrap();
        assert_eq!(new.verifying().refuse(&signed), None);
        let public = VerifyingKeys::parse("public_keys", &old.verifying().to_text()).unwrap();
        assert_eq!(&public, old.verifying());
        assert_eq!(public.refuse(&signed), None);
        let field = |checkpoint: &Checkpoint| public.refuse(checkpoint).unwrap().0;
        let mut forged = signed.clone();
        forged.at += 1;
        assert_eq!(field(&forged), "digest");
        forged.digest = forged.computed();
        assert_eq!(field(&forged), "signature");
        let mut of_another = checkpoint();
        SigningKey::parse(&generate("2026", None).unwrap())
            .unwrap()
            .sign(&mut of_another);
        assert_eq!(field(&of_another), "signature");
        let mut by_the_new = checkpoint();
        new.sign(&mut by_the_new);
        assert_eq!(field(&by_the_new), "key");
    }

    #[test]
    fn errors_do_not_repeat_the_key() {
        for text in [
            "secret",
            "[[signing]]\nid = 'a'\nsecret = 'c2VjcmV0'\n",
            "signing = []",
        ] {
            let refused = SigningKey::parse(text).unwrap_err().to_string();
            assert!(
                !refused.contains("c2VjcmV0") && !refused.contains("(secret"),
                "{refused}"
            );
        }
    }
}
