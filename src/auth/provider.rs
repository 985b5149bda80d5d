//! Signatures of JSON web tokens, verified by the library that TLS uses: there is one provider of
//! cryptography. Three algorithms, all of them with public keys; nothing is ever signed.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use signature::Verifier;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory,
    // For making keys out of private ones, which are never seen here.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes the process verify by this; may be done any number of times.
pub(super) fn install() {
    // Refused where it was done before.
    let _ = PROVIDER.install_default();
}

fn verifier_factory(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let refused = || Err(ErrorKind::InvalidAlgorithm.into());
    match (algorithm, key.family(), key.kind()) {
        (Algorithm::EdDSA, AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(key)) => {
            Ok(Box::new(Plain(Algorithm::EdDSA, &ED25519, key.clone())))
        }
        (Algorithm::ES256, AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(key)) => Ok(Box::new(Plain(
            Algorithm::ES256,
            &ECDSA_P256_SHA256_FIXED,
            key.clone(),
        ))),
        (Algorithm::RS256, AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            Ok(Box::new(Rsa {
                n: n.clone(),
                e: e.clone(),
            }))
        }
        _ => refused(),
    }
}

/// A key that is its own bytes.
struct Plain(Algorithm, &'static dyn VerificationAlgorithm, Vec<u8>);

impl Verifier<Vec<u8>> for Plain {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        let key = UnparsedPublicKey::new(self.1, &self.2);
        key.verify(message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Plain {
    fn algorithm(&self) -> Algorithm {
        self.0
    }
}

/// An RSA key of 2,048 bits or more.
struct Rsa {
    n: Vec<u8>,
    e: Vec<u8>,
}

impl Verifier<Vec<u8>> for Rsa {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        let key = RsaPublicKeyComponents {
            n: &self.n,
            e: &self.e,
        };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Rsa {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}
