//! The guard at the door: who calls, whether they may, and whether they do so too often. It stands before all
//! services, so that no method can be reached past it.
//!
//! Health and reflection are not guarded: they tell nothing but whether the service works and what its API is.

use super::access::{Reach, Rule, rule};
use super::connection::Peer;
use super::gate::{Call, IN_PROCESS, PRINCIPAL_KEY, Proof};
use super::status::{to_status, too_often};
use crate::app::{App, audit};
use crate::auth::{Authenticator, Shown, local_operator};
use crate::domain::access::{Grants, Scope};
use crate::domain::error::{Bilingual, Error};
use crate::domain::identity::Principal;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use percent_encoding::percent_decode_str;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::codegen::{Body, StdError};
use tonic::{Code, Status};
use tower::{Layer, Service};

/// How callers become known to a server.
#[derive(Clone)]
pub enum Access {
    /// By token or certificate.
    Authenticated(Arc<Authenticator>),
    /// By the name that they give themselves, and everybody may do everything: within one process, or on one
    /// machine where everybody is trusted.
    Open,
}

/// How often one caller may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls a second, in the long run.
    pub per_second: NonZeroU32,
    /// Calls at once.
    pub burst: NonZeroU32,
}

/// Services that tell nothing but whether this one works and what its API is.
const UNGUARDED: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];
/// Principals seen between two clean-ups of the limiter.
const CLEAN_EVERY: u32 = 10_000;

/// Stands before services.
#[derive(Clone)]
pub(super) struct Guard(Arc<Inner>);

struct Inner {
    access: Access,
    /// Where refusals are recorded.
    app: Option<App>,
    limiter: Option<DefaultKeyedRateLimiter<Principal>>,
    counted: AtomicU32,
}

impl Guard {
    pub(super) fn new(access: Access, rate: Option<Rate>, app: Option<App>) -> Self {
        let limiter =
            rate.map(|rate| RateLimiter::keyed(Quota::per_second(rate.per_second).allow_burst(rate.burst)));
        Self(Arc::new(Inner {
            access,
            app,
            limiter,
            counted: AtomicU32::new(0),
        }))
    }

    /// Lets a call pass, with what is known of its caller.
    async fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Status> {
        let address = request.extensions().get::<Peer>().and_then(|peer| peer.address);
        let from: Arc<str> = address.map_or_else(|| IN_PROCESS.into(), |address| address.to_string().into());
        let path = request.uri().path();
        if UNGUARDED.iter().any(|service| path.starts_with(service)) {
            return Ok(());
        }
        let rule = rule(path);
        let call = match &self.0.access {
            Access::Open => open(request.headers(), from).map_err(to_status)?,
            Access::Authenticated(authenticator) => {
                let peer = request.extensions().get::<Peer>();
                let authorization = request.headers().get(tonic::codegen::http::header::AUTHORIZATION);
                let shown = Shown {
                    authorization: authorization.map(|value| value.as_bytes()),
                    certificate: peer.and_then(|peer| peer.certificate.as_deref()),
                };
                let caller = authenticator.caller(shown).await.map_err(|error| {
                    let from = peer.and_then(|peer| peer.address);
                    tracing::info!(path, ?from, %error, "not let in");
                    to_status(error)
                })?;
                let proof = Proof {
                    authenticator: Arc::clone(authenticator),
                    authorization: shown.authorization.map(<[u8]>::to_vec),
                    certificate: peer.and_then(|peer| peer.certificate.clone()),
                };
                Call {
                    principal: Some(caller.principal),
                    grants: caller.grants,
                    scope: Scope::none(),
                    peer: from,
                    proof: Some(Arc::new(proof)),
                }
            }
        };
        if let Some(principal) = &call.principal {
            self.count(principal)?;
        }
        let Some(rule) = rule else {
            return Err(Status::new(Code::Unimplemented, "no such method"));
        };
        let call = match permit(call.clone(), rule) {
            Ok(call) => call,
            Err(refused) => {
                self.record(&call, path, &refused).await;
                return Err(to_status(refused));
            }
        };
        request.extensions_mut().insert(call);
        Ok(())
    }

    /// Records that somebody wanted what they may not.
    async fn record(&self, call: &Call, path: &str, refused: &Error) {
        let (Some(app), Some(principal)) = (&self.0.app, &call.principal) else {
            return;
        };
        let call = audit::Call {
            by: principal.to_string(),
            peer: call.peer.to_string(),
            action: path.rsplit('/').next().unwrap_or(path).to_owned(),
            request_id: String::new(),
        };
        app.record_refusal(&call, refused).await;
    }

    fn count(&self, principal: &Principal) -> Result<(), Status> {
        let Some(limiter) = &self.0.limiter else {
            return Ok(());
        };
        if self.0.counted.fetch_add(1, Ordering::Relaxed) % CLEAN_EVERY == CLEAN_EVERY - 1 {
            limiter.retain_recent();
        }
        limiter
            .check_key(principal)
            .map_err(|until| too_often(until.wait_time_from(DefaultClock::default().now())))
    }
}

/// What somebody may do here.
fn permit(mut call: Call, rule: Rule) -> Result<Call, Error> {
    let needed = || {
        let codes: Vec<&str> = rule.permissions.iter().map(|each| each.code()).collect();
        codes.join(" / ")
    };
    let Some(scope) = call.grants.any(rule.permissions) else {
        return Err(Error::Forbidden {
            reason: "NO_PERMISSION",
            message: Bilingual::new(
                format!("this needs the permission {}", needed()),
                format!("此操作需要权限 {}", needed()),
            ),
        });
    };
    call.scope = match rule.reach {
        Reach::Regions => scope,
        Reach::Public => Scope::All,
        Reach::Whole if scope.is_all() => scope,
        Reach::Whole => {
            return Err(Error::Forbidden {
                reason: "ALL_REGIONS_NEEDED",
                message: Bilingual::new(
                    format!("this needs the permission {} for all regions", needed()),
                    format!("此操作需要覆盖全部地区的权限 {}", needed()),
                ),
            });
        }
    };
    Ok(call)
}

/// A caller that is believed; one who gives no name may look at things.
fn open(headers: &HeaderMap, peer: Arc<str>) -> Result<Call, Error> {
    let principal = match headers.get(PRINCIPAL_KEY) {
        None => None,
        Some(value) => {
            let name = value.to_str().ok();
            let name = name.and_then(|text| percent_decode_str(text).decode_utf8().ok());
            let name = name.ok_or_else(crate::auth::no_principal)?;
            Some(Principal::parse(&name)?)
        }
    };
    let grants = match &principal {
        Some(principal) => local_operator(principal.clone()).grants,
        None => Arc::new(Grants::All),
    };
    Ok(Call {
        principal,
        grants,
        scope: Scope::none(),
        peer,
        proof: None,
    })
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded {
            guard: self.clone(),
            inner,
        }
    }
}

/// Services with a guard before them.
#[derive(Clone)]
pub(super) struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Error: Into<StdError>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that was ready serves this call; its copy is asked again.
        let copy = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, copy);
        let guard = self.guard.clone();
        Box::pin(async move {
            match guard.admit(&mut request).await {
                Ok(()) => inner.call(request).await,
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}
