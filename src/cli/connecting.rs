//! Reaching the services: in this process over the database, or on a server.

use super::client::{Client, Identify};
use super::output::Failure;
use super::serve;
use crate::config::Config;
use crate::domain::error::{Error, Violation};
use crate::domain::identity::Principal;
use std::path::Path;
use std::time::Duration;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use zeroize::Zeroizing;

/// Where the token is where no file is named.
const TOKEN: &str = "INCENTIVE_FUND_TOKEN";
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(20);

/// Connects, as whom the configuration says.
pub(super) async fn connect(
    config: &Config,
    server: Option<&str>,
    principal: Option<&str>,
) -> Result<Client, Failure> {
    let Some(url) = server else {
        let identify = Identify::named(&self::principal(config, principal)?);
        let app = serve::open(config).await?;
        let channel = crate::grpc::server::in_process(&app, &config.limits());
        return Ok(Client::new(channel, identify));
    };
    let identify = match token(config)? {
        Some(token) => Identify::token(&token).ok_or_else(|| {
            Error::from(Violation::new(
                "cli.token_file",
                "other than letters, digits and signs",
                "a bearer token",
                "Bearer 令牌",
            ))
        })?,
        // For a server that believes names; another goes by the certificate, or refuses.
        None => Identify::named(&self::principal(config, principal)?),
    };
    if matches!(identify, Identify::Token(_)) && !keeps_secrets(url) {
        return Err(Error::from(Violation::new(
            "--server",
            url,
            "https://HOST:PORT, or http:// of a loopback address: a token must not travel in the clear",
            "https://主机:端口,或回环地址的 http://:令牌不得明文传输",
        ))
        .into());
    }
    let channel = endpoint(config, url)?
        .connect()
        .await
        .map_err(|error| Failure::unreachable(url, &error))?;
    Ok(Client::new(channel, identify))
}

/// Who acts where nobody is authenticated.
pub(super) fn principal(config: &Config, named: Option<&str>) -> Result<Principal, Error> {
    let named = named
        .map(str::to_owned)
        .or_else(|| Some(config.cli.principal.clone()).filter(|name| !name.is_empty()));
    let user = || {
        ["USER", "USERNAME", "LOGNAME"]
            .iter()
            .find_map(|name| std::env::var(name).ok())
    };
    let principal = named.or_else(user).unwrap_or_else(|| "local".to_owned());
    Ok(Principal::parse(&principal)?)
}

/// The bearer token: from a file or the environment, never from the command line, which others can see.
fn token(config: &Config) -> Result<Option<Zeroizing<String>>, Error> {
    let path = &config.cli.token_file;
    let token = if given(path) {
        Some(read("cli.token_file", path)?)
    } else {
        std::env::var(TOKEN).ok().map(Zeroizing::new)
    };
    let token = token.map(|token| Zeroizing::new(token.trim().to_owned()));
    Ok(token.filter(|token| !token.is_empty()))
}

fn endpoint(config: &Config, url: &str) -> Result<Endpoint, Error> {
    let refused = |error: tonic::transport::Error| {
        Error::from(Violation::new(
            "--server",
            format!("{url}: {error}"),
            "https://HOST:PORT or http://HOST:PORT",
            "https://主机:端口 或 http://主机:端口",
        ))
    };
    let mut endpoint = Channel::from_shared(url.to_owned())
        .map_err(|error| {
            Error::from(Violation::new(
                "--server",
                format!("{url}: {error}"),
                "https://HOST:PORT or http://HOST:PORT",
                "https://主机:端口 或 http://主机:端口",
            ))
        })?
        .connect_timeout(CONNECT);
    if config.cli.deadline_seconds > 0 {
        endpoint = endpoint.timeout(Duration::from_secs(config.cli.deadline_seconds));
    }
    if url.starts_with("https://") {
        endpoint = endpoint.tls_config(tls(config)?).map_err(refused)?;
    }
    Ok(endpoint)
}

fn tls(config: &Config) -> Result<ClientTlsConfig, Error> {
    let cli = &config.cli;
    let mut tls = if given(&cli.ca_file) {
        let authorities = read("cli.ca_file", &cli.ca_file)?;
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authorities.as_bytes()))
    } else {
        ClientTlsConfig::new().with_webpki_roots()
    };
    match (given(&cli.certificate_file), given(&cli.key_file)) {
        (false, false) => {}
        (true, true) => {
            let certificate = read("cli.certificate_file", &cli.certificate_file)?;
            let key = read("cli.key_file", &cli.key_file)?;
            tls = tls.identity(Identity::from_pem(certificate.as_bytes(), key.as_bytes()));
        }
        (has_certificate, _) => {
            let missing = if has_certificate {
                "cli.key_file"
            } else {
                "cli.certificate_file"
            };
            let allowed = "both a certificate and its key, or neither";
            return Err(Violation::new(missing, "", allowed, "证书与私钥须同时给出").into());
        }
    }
    Ok(tls)
}

/// Whether what travels to a server cannot be read on the way.
fn keeps_secrets(url: &str) -> bool {
    if url.starts_with("https://") {
        return true;
    }
    let uri: Option<tonic::codegen::http::Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(|uri| uri.host()).unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn given(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

fn read(key: &str, path: &Path) -> Result<Zeroizing<String>, Error> {
    std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| {
            Violation::new(
                key,
                format!("{}: {error}", path.display()),
                "a file that can be read",
                "可读取的文件",
            )
            .into()
        })
}
