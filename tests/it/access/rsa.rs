//! Tokens signed with RSA: a good one, and those that pass one algorithm off for another.

use super::attacks::{AUDIENCE, ISSUER, claims, message, serve, shown};
use crate::harness::{Running, World, stories};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use incentive_fund::auth::KeySource;
use num_bigint::BigUint;
use ring::rand::SystemRandom;
use ring::signature::{
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
    RsaKeyPair, RsaPublicKeyComponents,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

stories!(
    a_token_signed_with_rsa_is_let_in,
    an_rsa_key_signs_by_its_own_algorithm_only,
    the_public_key_is_no_shared_secret,
    a_short_rsa_key_lets_nobody_in,
);

const PRIVATE: &str = include_str!("../../data/keys/test-rsa-2048.pem");
const PUBLIC: &str = include_str!("../../data/keys/test-rsa-2048-public.pem");
const SHORT_KEY: &str = include_str!("../../data/keys/test-rsa-1024-public.json");
const SHORT_TOKEN: &str = include_str!("../../data/keys/test-rsa-1024.jwt");

fn key() -> RsaKeyPair {
    let der = PrivatePkcs8KeyDer::from_pem_slice(PRIVATE.as_bytes()).unwrap();
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap()
}

/// The public key, as a provider publishes it.
fn published(algorithm: Option<&str>) -> Value {
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(key().public());
    let mut key = json!({"kty": "RSA", "kid": "rsa", "use": "sig", "n": BASE64.encode(&public.n),
                         "e": BASE64.encode(&public.e)});
    if let Some(algorithm) = algorithm {
        key["alg"] = json!(algorithm);
    }
    json!({"keys": [key]})
}

async fn trusting(world: &World, keys: &Value) -> (Running, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys.json");
    std::fs::write(&file, keys.to_string()).unwrap();
    (serve(world, KeySource::File(file)).await, directory)
}

fn signed(header: &Value, encoding: &'static dyn RsaEncoding) -> String {
    let message = message(header, &claims());
    let key = key();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message.as_bytes(), &mut signature)
        .unwrap();
    format!("{message}.{}", BASE64.encode(signature))
}

async fn a_token_signed_with_rsa_is_let_in(world: World) {
    for keys in [published(None), published(Some("RS256"))] {
        let (server, _directory) = trusting(&world, &keys).await;
        for header in [
            json!({"alg": "RS256", "kid": "rsa", "typ": "JWT"}),
            json!({"alg": "RS256"}),
        ] {
            let token = signed(&header, &RSA_PKCS1_SHA256);
            assert_eq!(shown(&server, &token).await, "let in", "{header}");
            // One bit of the signature decides.
            let (signed, signature) = token.rsplit_once('.').unwrap();
            let mut signature = BASE64.decode(signature).unwrap();
            signature[100] ^= 1;
            let forged = format!("{signed}.{}", BASE64.encode(signature));
            assert_eq!(shown(&server, &forged).await, "TOKEN_REFUSED");
        }
        server.stop().await;
    }
}

async fn an_rsa_key_signs_by_its_own_algorithm_only(world: World) {
    let (server, _directory) = trusting(&world, &published(None)).await;
    // What is signed is right for what it says; or it says what the key is for, and is signed otherwise.
    let encodings: [(&str, &'static dyn RsaEncoding); 4] = [
        ("RS384", &RSA_PKCS1_SHA384),
        ("RS512", &RSA_PKCS1_SHA512),
        ("PS256", &RSA_PSS_SHA256),
        ("PS384", &RSA_PSS_SHA256),
    ];
    for (algorithm, encoding) in encodings {
        for stated in [algorithm, "RS256"] {
            let token = signed(&json!({"alg": stated, "kid": "rsa"}), encoding);
            assert_eq!(
                shown(&server, &token).await,
                "TOKEN_REFUSED",
                "{stated} {algorithm}"
            );
        }
    }
    for stated in ["ES256", "EdDSA", "HS256", "none", "rs256", "RSA"] {
        let token = signed(&json!({"alg": stated, "kid": "rsa"}), &RSA_PKCS1_SHA256);
        assert_eq!(shown(&server, &token).await, "TOKEN_REFUSED", "{stated}");
    }
    server.stop().await;
    // A key that says it is for another algorithm is for none here.
    for algorithm in ["RS384", "PS256", "ES256", "RSA-OAEP"] {
        let (server, _directory) = trusting(&world, &published(Some(algorithm))).await;
        let token = signed(&json!({"alg": "RS256", "kid": "rsa"}), &RSA_PKCS1_SHA256);
        assert_eq!(shown(&server, &token).await, "TOKEN_REFUSED", "{algorithm}");
        server.stop().await;
    }
}

async fn the_public_key_is_no_shared_secret(world: World) {
    let keys = published(None);
    let (server, _directory) = trusting(&world, &keys).await;
    let key = key();
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
    // Everything that a careless reader of keys could take for the bytes of a secret.
    let secrets = [
        PUBLIC.as_bytes().to_vec(),
        PUBLIC.trim_end().as_bytes().to_vec(),
        rustls::pki_types::SubjectPublicKeyInfoDer::from_pem_slice(PUBLIC.as_bytes())
            .unwrap()
            .as_ref()
            .to_vec(),
        key.public_key().as_ref().to_vec(),
        public.n.clone(),
        BASE64.encode(&public.n).into_bytes(),
        keys["keys"][0].to_string().into_bytes(),
        keys.to_string().into_bytes(),
        Vec::new(),
    ];
    for secret in &secrets {
        for header in [
            json!({"alg": "HS256", "kid": "rsa"}),
            json!({"alg": "HS256"}),
            json!({"alg": "RS256", "kid": "rsa"}),
        ] {
            let message = message(&header, &claims());
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
            mac.update(message.as_bytes());
            let token = format!("{message}.{}", BASE64.encode(mac.finalize().into_bytes()));
            assert_eq!(shown(&server, &token).await, "TOKEN_REFUSED", "{header}");
        }
    }
    server.stop().await;
}

async fn a_short_rsa_key_lets_nobody_in(world: World) {
    let short: Value = serde_json::from_str(SHORT_KEY).unwrap();
    let token = SHORT_TOKEN.trim();
    let parts: Vec<&str> = token.split('.').collect();
    let said: Value = serde_json::from_slice(&BASE64.decode(parts[1]).unwrap()).unwrap();
    assert_eq!(
        (said["iss"].as_str(), said["aud"].as_str()),
        (Some(ISSUER), Some(AUDIENCE))
    );
    // The signature is right, by arithmetic that is nobody's library: nothing but the length is wrong.
    let number = |text: &str| BigUint::from_bytes_be(&BASE64.decode(text).unwrap());
    let n = number(short["n"].as_str().unwrap());
    assert_eq!(n.bits(), 1_024);
    let opened = number(parts[2]).modpow(&number(short["e"].as_str().unwrap()), &n);
    let digest = Sha256::digest(format!("{}.{}", parts[0], parts[1]));
    assert!(opened.to_bytes_be().ends_with(&digest));
    let (server, _directory) = trusting(&world, &json!({"keys": [short]})).await;
    assert_eq!(shown(&server, token).await, "TOKEN_REFUSED");
    server.stop().await;
}
