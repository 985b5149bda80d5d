//! Tokens, TLS, and what a server refuses to be.

use super::office::{Answer, Office, Served, finish};

/// Runs the program against a server, with a token in a file.
fn with_token(office: &Office, url: &str, file: &str, line: &str) -> Answer {
    let words = ["--server", url, "--token-file", file];
    let words: Vec<&str> = words.into_iter().chain(line.split(' ')).collect();
    office.words(&words)
}

#[test]
fn a_token_is_shown_once_and_opens_a_server_until_it_is_revoked() {
    let office = Office::xuchang();
    let issue = "token issue --for 李审计 --role auditor --expires 30d --note laptop";
    let issued = office.run(issue);
    assert_eq!(issued.code, 0, "{}", issued.err);
    let token = issued.out.trim();
    assert!(token.starts_with("ift_") && token.len() == 47, "{token}");
    assert!(!issued.err.contains(token) && issued.err.contains("李审计"));
    let listed = office.ok("token list --format json");
    assert!(!listed.contains(&token[4..]), "{listed}");
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let row = &listed["rows"].as_array().or(listed.as_array()).unwrap()[0];
    assert_eq!(
        (&row["subject"], &row["state"], &row["note"]),
        (&"李审计".into(), &"valid".into(), &"laptop".into())
    );
    let server = Served::with(&office, &["serve"]);
    office.write("auditor.token", format!("{token}\n"));
    let runs = with_token(&office, &server.url(), "auditor.token", "runs list");
    assert_eq!(runs.code, 0, "{}", runs.err);
    // From the environment, never from an argument.
    let from_environment = finish(office.command().env("INCENTIVE_FUND_TOKEN", token).args([
        "--server",
        &server.url(),
        "runs",
        "list",
    ]));
    assert_eq!(from_environment.code, 0, "{}", from_environment.err);
    // What the token does not permit, and who shows none.
    let import = with_token(
        &office,
        &server.url(),
        "auditor.token",
        "import regions examples/xuchang/regions.csv",
    );
    assert!(
        import.code == 1 && import.err.contains("statistics.write"),
        "{}",
        import.err
    );
    let nobody = office.words(&["--server", &server.url(), "--as", "李审计", "runs", "list"]);
    assert!(
        nobody.code == 1 && nobody.err.contains("bearer token"),
        "{}",
        nobody.err
    );
    let id = row["id"].as_str().unwrap();
    office.ok(&format!("token revoke {id}"));
    let revoked = with_token(&office, &server.url(), "auditor.token", "runs list");
    assert!(
        revoked.code == 1 && revoked.err.contains("revoked"),
        "{}",
        revoked.err
    );
    assert!(!revoked.err.contains(&token[4..]));
    assert!(server.terminate().success());
}

#[test]
fn a_token_goes_nowhere_in_the_clear() {
    let office = Office::new();
    office.write("a.token", "ift_x");
    for url in ["http://192.0.2.1:50051", "http://fund.example:50051"] {
        let answer = with_token(&office, url, "a.token", "runs list");
        assert!(
            answer.code == 2 && answer.err.contains("in the clear"),
            "{}",
            answer.err
        );
    }
    let missing = with_token(&office, "http://127.0.0.1:1", "none.token", "runs list");
    assert!(
        missing.code == 2 && missing.err.contains("cli.token_file"),
        "{}",
        missing.err
    );
}

#[test]
fn what_would_let_everybody_in_is_refused() {
    let office = Office::new();
    let insecure = office.fails(2, "--set server.address=0.0.0.0:0 serve --insecure");
    assert!(insecure.contains("server.insecure"), "{insecure}");
    let clear = office.fails(2, "--set server.address=0.0.0.0:0 serve");
    assert!(clear.contains("tls.certificate_file"), "{clear}");
    let half = office.fails(2, "--set tls.certificate_file=server.pem serve");
    assert!(half.contains("tls.key_file"), "{half}");
    office.write(
        "odd.toml",
        "[access.roles.clerk]\nwhole = false\npermissions = [\"claims.everything\"]\n",
    );
    let odd = office.fails(2, "--config odd.toml config check");
    assert!(odd.contains("access.roles.clerk.permissions[0]"), "{odd}");
    office.write("jwt.toml", "[access.jwt]\nissuer = \"https://id.example\"\n");
    let jwt = office.fails(2, "--config jwt.toml config check");
    assert!(
        jwt.contains("access.jwt.audience") && jwt.contains("access.jwt.keys"),
        "{jwt}"
    );
}

#[test]
fn the_command_line_speaks_tls() {
    let office = Office::xuchang();
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
    office.write("ca.pem", authority.pem());
    for (name, alternative) in [
        ("server", rcgen::SanType::DnsName("localhost".try_into().unwrap())),
        (
            "client",
            rcgen::SanType::URI("spiffe://office/budget".try_into().unwrap()),
        ),
    ] {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.subject_alt_names = vec![alternative];
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(
            office.path(&format!("{name}.pem")),
            params.signed_by(&key, &authority).unwrap().pem(),
        )
        .unwrap();
        std::fs::write(office.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    office.write(
        "tls.toml",
        "[tls]\ncertificate_file = \"server.pem\"\nkey_file = \"server.key\"\nclient_ca_file = \"ca.pem\"\n\
         client_certificates = \"required\"\n\n[[access.certificate]]\nname = \"uri:spiffe://office/budget\"\n\
         subject = \"预算科\"\nroles = [\"city_budget\"]\n",
    );
    let shown = office.ok("--config tls.toml config check");
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
    let server = Served::with(&office, &["--config", "tls.toml", "serve"]);
    let port = server.address().rsplit_once(':').unwrap().1;
    let url = format!("https://localhost:{port}");
    let certified = "--ca-file ca.pem --certificate-file client.pem --key-file client.key --deadline 60";
    let listed = office.run(&format!("--server {url} {certified} runs list"));
    assert_eq!(listed.code, 0, "{}", listed.err);
    let bare = office.run(&format!("--server {url} --ca-file ca.pem runs list"));
    assert_eq!(bare.code, 1, "{}", bare.err);
    let distrusting = office.run(&format!("--server {url} runs list"));
    assert_eq!(distrusting.code, 1, "{}", distrusting.err);
}
