//! JSON web tokens and certificates, good ones and what attackers make of them.

use super::setup::{bearer, roles};
use crate::harness::{Client, Running, World, channel, id, inner, limits, refused, stories};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use incentive_fund::auth::{
    Authenticator, CertificateName, Identity, JwtOptions, JwtVerifier, KeySource, KeysOptions,
};
use incentive_fund::domain::identity::Principal;
use incentive_fund::domain::region::RegionCode;
use incentive_fund::grpc::server::Door;
use incentive_fund::grpc::{Access, Tls, TlsFiles, pb};
use incentive_fund::store::Store;
use jsonwebtoken::Algorithm;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tonic::Code;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity as TlsIdentity};

stories!(
    good_tokens_of_a_provider_are_let_in,
    times_issuer_and_audience_must_fit,
    no_algorithm_but_that_of_the_key,
    what_was_tampered_with_is_refused,
    keys_change_while_the_service_runs,
    keys_come_from_a_url_and_are_not_asked_for_too_often,
    a_certificate_is_somebody,
);

/// A provider of identities: its keys, and tokens of all kinds.
struct Provider {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    random: SystemRandom,
}

pub const ISSUER: &str = "https://id.xuchang.example";
pub const AUDIENCE: &str = "incentive-fund";

impl Provider {
    fn new() -> Self {
        let random = SystemRandom::new();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self {
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).unwrap(),
            random,
        }
    }

    fn keys(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": BASE64.encode(self.ed.public_key())},
            {"kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256",
             "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])},
        ]})
    }

    fn ed(&self, claims: &Value) -> String {
        self.signed(&json!({"alg": "EdDSA", "kid": "ed", "typ": "JWT"}), claims)
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.ed.sign(message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature))
    }

    fn ec(&self, claims: &Value) -> String {
        let message = message(&json!({"alg": "ES256", "kid": "ec"}), claims);
        let signature = self.ec.sign(&self.random, message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64.encode(signature))
    }
}

pub fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn seconds() -> i64 {
    super::setup::now() / 1_000_000
}

/// What a good token says.
pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": ["other", AUDIENCE], "sub": "王芳", "iat": seconds() - 5, "nbf": seconds() - 5,
        "exp": seconds() + 600, "realm": {"roles": ["city-auditors"]},
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut all = claims();
    all[name] = value;
    all
}

fn without(name: &str) -> Value {
    let mut all = claims();
    all.as_object_mut().unwrap().remove(name);
    all
}

fn options() -> JwtOptions {
    JwtOptions {
        issuer: ISSUER.to_owned(),
        audience: vec![AUDIENCE.to_owned()],
        algorithms: vec![Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256],
        clock_skew: 30,
        subject_claim: "sub".to_owned(),
        roles_claim: "realm.roles".to_owned(),
        regions_claim: "regions".to_owned(),
        role_names: BTreeMap::from([("city-auditors".to_owned(), "auditor".to_owned())]),
    }
}

pub async fn serve(world: &World, source: KeySource) -> Running {
    let keys = KeysOptions {
        source,
        ca_file: None,
        refresh: Duration::from_secs(300),
        least_interval: Duration::from_millis(700),
    };
    let verifier = JwtVerifier::new(options(), keys).unwrap();
    let _ = verifier.load_keys().await;
    let door = |store: &Store| Door {
        access: Access::Authenticated(Arc::new(Authenticator::new(
            store.clone(),
            roles(),
            Some(verifier),
            HashMap::new(),
        ))),
        tls: None,
    };
    world.serve_guarded(door, limits()).await
}

/// A server that trusts a provider by a file.
async fn trusting(world: &World, provider: &Provider) -> (Running, tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys.json");
    std::fs::write(&file, provider.keys().to_string()).unwrap();
    let server = serve(world, KeySource::File(file.clone())).await;
    (server, directory, file)
}

async fn reason(client: &mut Client) -> String {
    let answer = client
        .statistics
        .list_regions(pb::ListRegionsRequest::default())
        .await;
    match answer {
        Ok(_) => "let in".to_owned(),
        Err(status) => {
            let refusal = crate::harness::refusal(&status);
            assert_eq!(refusal.code, Code::Unauthenticated, "{refusal:?}");
            refusal.reason
        }
    }
}

pub async fn shown(server: &Running, token: &str) -> String {
    reason(&mut bearer(&channel(server.address).await, token)).await
}

async fn good_tokens_of_a_provider_are_let_in(world: World) {
    let provider = Provider::new();
    let (server, _directory, _) = trusting(&world, &provider).await;
    assert_eq!(shown(&server, &provider.ed(&claims())).await, "let in");
    assert_eq!(shown(&server, &provider.ec(&claims())).await, "let in");
    // Its name is what is signed with, its roles and regions count.
    let budget = provider.ed(&with("realm", json!({"roles": "city_budget unheard_of"})));
    let mut client = bearer(&channel(server.address).await, &budget);
    let created = client.create_data_set("d").await.unwrap();
    assert_eq!(created.created.unwrap().principal, "王芳");
    let mut limited = with("realm", json!({"roles": ["city_budget"]}));
    limited["regions"] = json!(["411024"]);
    let mut client = bearer(&channel(server.address).await, &provider.ed(&limited));
    let request = pb::CreateDataSetRequest {
        data_set_id: "e".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    let refusal = refused(client.statistics.create_data_set(request).await);
    assert_eq!(refusal.reason, "ALL_REGIONS_NEEDED");
    // A claim that cannot be read is not one that is not there.
    for regions in [json!(7), json!([7]), json!(["no such"])] {
        assert_eq!(
            shown(&server, &provider.ed(&with("regions", regions))).await,
            "TOKEN_REFUSED"
        );
    }
    server.stop().await;
}

async fn times_issuer_and_audience_must_fit(world: World) {
    let provider = Provider::new();
    let (server, _directory, _) = trusting(&world, &provider).await;
    let now = seconds();
    for (claims, expected) in [
        (with("exp", json!(now - 31)), "TOKEN_EXPIRED"),
        (with("exp", json!(now - 20)), "let in"),
        (with("exp", json!("soon")), "TOKEN_REFUSED"),
        (without("exp"), "TOKEN_REFUSED"),
        (with("nbf", json!(now + 90)), "TOKEN_NOT_YET_VALID"),
        (with("nbf", json!(now + 20)), "let in"),
        (with("iat", json!(now + 90)), "TOKEN_NOT_YET_VALID"),
        (without("nbf"), "let in"),
        (with("iss", json!("https://id.other.example")), "TOKEN_REFUSED"),
        (without("iss"), "TOKEN_REFUSED"),
        (with("aud", json!("other")), "TOKEN_REFUSED"),
        (with("aud", json!([])), "TOKEN_REFUSED"),
        (without("aud"), "TOKEN_REFUSED"),
        (with("aud", json!(AUDIENCE)), "let in"),
        (with("sub", json!("")), "TOKEN_REFUSED"),
        (with("sub", json!(7)), "TOKEN_REFUSED"),
        (without("sub"), "TOKEN_REFUSED"),
    ] {
        assert_eq!(shown(&server, &provider.ed(&claims)).await, expected, "{claims}");
        // What was remembered is the same.
        assert_eq!(shown(&server, &provider.ed(&claims)).await, expected, "{claims}");
    }
    server.stop().await;
}

async fn no_algorithm_but_that_of_the_key(world: World) {
    let provider = Provider::new();
    let (server, _directory, _) = trusting(&world, &provider).await;
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = message(&json!({"alg": alg, "kid": "ed"}), &claims());
        for token in [
            format!("{unsigned}."),
            unsigned.clone(),
            format!("{unsigned}.AAAA"),
        ] {
            assert_eq!(shown(&server, &token).await, "TOKEN_REFUSED", "{alg}");
        }
    }
    // The public key as a shared secret, in the forms that it has.
    let raw = provider.ed.public_key().as_ref().to_vec();
    let text = BASE64.encode(&raw).into_bytes();
    let whole = provider.keys().to_string().into_bytes();
    for (alg, secret) in [("HS256", &raw), ("HS256", &text), ("HS256", &whole)] {
        for kid in [json!("ed"), Value::Null] {
            let message = message(&json!({"alg": alg, "kid": kid}), &claims());
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
            mac.update(message.as_bytes());
            let token = format!("{message}.{}", BASE64.encode(mac.finalize().into_bytes()));
            assert_eq!(shown(&server, &token).await, "TOKEN_REFUSED", "{alg} {kid}");
        }
    }
    // The key of one algorithm named for another, a key that the token brings along, what must be understood.
    let own = provider.keys()["keys"][0].clone();
    for header in [
        json!({"alg": "ES256", "kid": "ed"}),
        json!({"alg": "RS256", "kid": "ed"}),
        json!({"alg": "EdDSA", "kid": "ec"}),
        json!({"alg": "EdDSA", "kid": "another", "jwk": own}),
        json!({"alg": "EdDSA", "kid": "another", "jku": "http://127.0.0.1:1/keys"}),
        json!({"alg": "EdDSA", "kid": "../../etc/passwd"}),
        json!({"alg": "EdDSA", "kid": "ed", "crit": ["exp"]}),
        json!({"alg": "ES384", "kid": "ec"}),
        json!({"alg": "PS256", "kid": "ed"}),
    ] {
        let token = provider.signed(&header, &claims());
        assert_eq!(shown(&server, &token).await, "TOKEN_REFUSED", "{header}");
    }
    let stranger = Provider::new();
    assert_eq!(shown(&server, &stranger.ed(&claims())).await, "TOKEN_REFUSED");
    assert_eq!(shown(&server, &stranger.ec(&claims())).await, "TOKEN_REFUSED");
    server.stop().await;
}

async fn what_was_tampered_with_is_refused(world: World) {
    let provider = Provider::new();
    let (server, _directory, _) = trusting(&world, &provider).await;
    let good = provider.ed(&claims());
    assert_eq!(shown(&server, &good).await, "let in");
    let parts: Vec<&str> = good.split('.').collect();
    let promoted = BASE64.encode(with("sub", json!("市长")).to_string());
    let mut tokens = vec![
        format!("{}.{promoted}.{}", parts[0], parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}.{}", parts[2]),
        format!("{}..{}", parts[0], parts[2]),
        good.replace('.', ".."),
        String::from("..."),
        good.to_uppercase(),
    ];
    // Any character of any part, one in seven.
    for at in (0..good.len()).step_by(7) {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        tokens.push(String::from_utf8(bytes).unwrap());
    }
    for token in tokens {
        if token != good {
            assert_eq!(shown(&server, &token).await, "TOKEN_REFUSED", "{token}");
        }
    }
    server.stop().await;
}

async fn keys_change_while_the_service_runs(world: World) {
    let (old, new) = (Provider::new(), Provider::new());
    let (server, _directory, file) = trusting(&world, &old).await;
    let (before, after) = (old.ed(&claims()), new.ed(&claims()));
    assert_eq!(shown(&server, &before).await, "let in");
    assert_eq!(shown(&server, &after).await, "TOKEN_REFUSED");
    std::fs::write(&file, format!("{} ", new.keys())).unwrap();
    // A file is looked at once a second.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(shown(&server, &after).await, "let in");
    assert_eq!(
        shown(&server, &before).await,
        "TOKEN_REFUSED",
        "also one that was good a moment ago"
    );
    // What cannot be read changes nothing.
    std::fs::write(&file, "no keys at all").unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(shown(&server, &after).await, "let in");
    server.stop().await;
}

/// A web server that gives a key set to whoever asks, and counts.
async fn give(keys: Arc<std::sync::Mutex<String>>, asked: Arc<AtomicU32>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            asked.fetch_add(1, Ordering::SeqCst);
            let mut request = [0_u8; 4_096];
            let _ = stream.read(&mut request).await;
            let body = keys.lock().unwrap().clone();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/keys")
}

async fn keys_come_from_a_url_and_are_not_asked_for_too_often(world: World) {
    let (old, new) = (Provider::new(), Provider::new());
    let keys = Arc::new(std::sync::Mutex::new(old.keys().to_string()));
    let asked = Arc::new(AtomicU32::new(0));
    let url = give(Arc::clone(&keys), Arc::clone(&asked)).await;
    let server = serve(&world, KeySource::parse("keys", &url).unwrap()).await;
    assert_eq!(shown(&server, &old.ed(&claims())).await, "let in");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // Strangers cannot make it ask and ask.
    for at in 0..30 {
        let header = json!({"alg": "EdDSA", "kid": format!("stranger-{at}")});
        let token = new.signed(&header, &claims());
        assert_eq!(shown(&server, &token).await, "TOKEN_REFUSED");
    }
    let after_strangers = asked.load(Ordering::SeqCst);
    assert!(after_strangers <= 1 + 30, "{after_strangers}");
    // A new key is found by its id, once the least interval is over.
    let mut renamed = new.keys();
    renamed["keys"][0]["kid"] = json!("ed-2");
    *keys.lock().unwrap() = renamed.to_string();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let token = new.signed(&json!({"alg": "EdDSA", "kid": "ed-2"}), &claims());
    assert_eq!(shown(&server, &token).await, "let in");
    assert!(asked.load(Ordering::SeqCst) > after_strangers);
    server.stop().await;
}

/// An authority, and what it certifies, as PEM.
struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        Self(rcgen::CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for names, and its key.
    fn certify(&self, names: Vec<rcgen::SanType>) -> (String, String) {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.subject_alt_names = names;
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn dns(name: &str) -> rcgen::SanType {
    rcgen::SanType::DnsName(name.try_into().unwrap())
}

fn uri(name: &str) -> rcgen::SanType {
    rcgen::SanType::URI(name.try_into().unwrap())
}

async fn a_certificate_is_somebody(world: World) {
    let directory = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.certify(vec![dns("localhost")]);
    let tls = Tls::load(TlsFiles {
        certificate: write(directory.path(), "server.pem", &certificate),
        key: write(directory.path(), "server.key", &key),
        client_ca: Some(write(directory.path(), "ca.pem", &authority.pem())),
        client_required: false,
    })
    .unwrap();
    let identity = Identity {
        subject: Principal::parse("对账系统").unwrap(),
        roles: vec!["city_budget".to_owned()],
        regions: None,
    };
    let clerk = Identity {
        subject: Principal::parse("clerk").unwrap(),
        roles: vec!["county_clerk".to_owned()],
        regions: Some(vec![RegionCode::parse("region", "411024").unwrap()]),
    };
    let certificates = HashMap::from([
        (
            CertificateName::parse("name", "uri:spiffe://xuchang/budget").unwrap(),
            identity,
        ),
        (
            CertificateName::parse("name", "dns:clerk.internal").unwrap(),
            clerk,
        ),
    ]);
    let door = |store: &Store| Door {
        access: Access::Authenticated(Arc::new(Authenticator::new(
            store.clone(),
            roles(),
            None,
            certificates,
        ))),
        tls: Some(tls),
    };
    let server = world.serve_guarded(door, limits()).await;
    let address = format!("https://localhost:{}", server.address.port());
    let connect = async |trusted: &Authority, identity: Option<(String, String)>| {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(trusted.pem()));
        if let Some((certificate, key)) = identity {
            tls = tls.identity(TlsIdentity::from_pem(certificate, key));
        }
        let endpoint = Endpoint::try_from(address.clone())
            .unwrap()
            .tls_config(tls)
            .unwrap();
        endpoint.connect().await
    };
    let budget = authority.certify(vec![uri("spiffe://xuchang/budget")]);
    let channel = connect(&authority, Some(budget.clone())).await.unwrap();
    let mut client = Client::new(channel.clone(), "");
    let created = client.create_data_set("d").await.unwrap();
    assert_eq!(created.created.unwrap().principal, "对账系统");
    // A token beside a certificate says who calls; a bad one is not made good by it.
    let token = super::setup::token(&server, "auditor", &["auditor"], &[]).await;
    let mut auditor = bearer(&channel, &token);
    assert_eq!(reason(&mut auditor).await, "let in");
    let request = pb::CreateDataSetRequest {
        data_set_id: "e".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    let refusal = refused(auditor.statistics.create_data_set(request).await);
    assert_eq!(refusal.reason, "NO_PERMISSION");
    assert_eq!(reason(&mut bearer(&channel, "nonsense")).await, "TOKEN_REFUSED");
    // Others: by another name, without a certificate, without a name that is known.
    let clerk = authority.certify(vec![dns("Clerk.Internal")]);
    let mut clerk = Client::new(connect(&authority, Some(clerk)).await.unwrap(), "");
    assert_eq!(reason(&mut clerk).await, "let in");
    let mut nobody = Client::new(connect(&authority, None).await.unwrap(), "auditor");
    assert_eq!(reason(&mut nobody).await, "NO_CREDENTIALS");
    let unknown = authority.certify(vec![dns("somebody.internal")]);
    let mut unknown = Client::new(connect(&authority, Some(unknown)).await.unwrap(), "");
    assert_eq!(reason(&mut unknown).await, "CERTIFICATE_UNKNOWN");
    // Of another authority: the handshake fails, or the first call does, since TLS 1.3 tells late.
    let forged = stranger.certify(vec![uri("spiffe://xuchang/budget")]);
    if let Ok(channel) = connect(&authority, Some(forged)).await {
        let mut client = Client::new(channel, "");
        let list = pb::ListRegionsRequest::default();
        assert!(client.statistics.list_regions(list).await.is_err());
    }
    // And a server of another authority is not believed.
    assert!(connect(&stranger, None).await.is_err());
    // In the clear nothing is answered.
    let plain = Endpoint::try_from(format!("http://{}", server.address)).unwrap();
    if let Ok(channel) = plain.connect().await {
        let mut client = bearer(&channel, &token);
        let list = pb::ListRegionsRequest::default();
        assert!(client.statistics.list_regions(list).await.is_err());
    }
    drop((client, auditor, clerk, nobody, unknown, channel));
    server.stop().await;
    let _ = inner::<()>;
}
