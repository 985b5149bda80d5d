//! Errors to gRPC statuses with google.rpc details: the very last step, and the only place.

use crate::domain::error::{Error, Violation, excerpt};
use std::collections::HashMap;
use std::time::Duration;
use tonic::codegen::http;
use tonic::{Code, Status};
use tonic_types::{
    BadRequest, ErrorDetail, ErrorInfo, FieldViolation, LocalizedMessage, PreconditionFailure,
    PreconditionViolation, ResourceInfo, RetryInfo, StatusExt,
};

/// The domain of every ErrorInfo.
pub const DOMAIN: &str = "incentivefund.v1";
/// How long a caller should wait before trying again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Status details travel in HTTP/2 headers, whose size peers limit (commonly 16 KiB): violations are
/// cut so that all details stay below this, in bytes.
const MAX_DETAILS: usize = 4_096;

/// The status of an error.
pub fn to_status(error: Error) -> Status {
    if let Error::Internal { detail } | Error::Unavailable { detail } = &error {
        tracing::error!(error = %error, detail, "a call failed");
    }
    let message = error.message();
    let (code, reason) = classify(&error);
    let mut metadata: HashMap<String, String> = HashMap::new();
    let mut details: Vec<ErrorDetail> = Vec::new();
    match &error {
        Error::Invalid(violations) => {
            let shown = fitting(violations);
            metadata.insert("violations".to_owned(), violations.len().to_string());
            let fields: Vec<FieldViolation> = violations.iter().take(shown).map(field_violation).collect();
            details.push(BadRequest::new(fields).into());
            return with_messages(code, reason, metadata, details, &invalid_messages(violations));
        }
        Error::NotFound { kind, name } | Error::AlreadyExists { kind, name } => {
            details.push(ResourceInfo::new(*kind, name, "", "").into());
        }
        Error::State {
            name,
            reason,
            message,
        } => {
            let violation = PreconditionViolation::new(*reason, name, &message.en);
            details.push(PreconditionFailure::new(vec![violation]).into());
        }
        Error::EtagMismatch { current, .. } => {
            metadata.insert("current_etag".to_owned(), current.clone());
        }
        Error::TooLarge { what, found, limit } => {
            for (key, value) in [
                ("what", (*what).to_owned()),
                ("found", found.to_string()),
                ("limit", limit.to_string()),
            ] {
                metadata.insert(key.to_owned(), value);
            }
        }
        Error::Unavailable { .. } | Error::Conflict { .. } => {
            details.push(RetryInfo::new(Some(RETRY_AFTER)).into())
        }
        _ => {}
    }
    with_messages(code, reason, metadata, details, &(message.en, message.zh))
}

/// The status of a server that has as many calls as it takes.
pub fn overloaded() -> Status {
    let details = vec![RetryInfo::new(Some(RETRY_AFTER)).into()];
    let messages = (
        "the server is busy, try again".to_owned(),
        "服务器繁忙,请稍后重试".to_owned(),
    );
    with_messages(
        Code::ResourceExhausted,
        "SERVER_BUSY",
        HashMap::new(),
        details,
        &messages,
    )
}

/// The status of a call by somebody who calls too often.
pub fn too_often(wait: Duration) -> Status {
    let details = vec![RetryInfo::new(Some(wait)).into()];
    let messages = (
        "you call too often, wait before the next call".to_owned(),
        "调用过于频繁,请稍候再试".to_owned(),
    );
    with_messages(
        Code::ResourceExhausted,
        "CALLER_RATE",
        HashMap::new(),
        details,
        &messages,
    )
}

/// The status of a stream that ends because the server stops.
pub fn stopped() -> Status {
    let details = vec![RetryInfo::new(Some(RETRY_AFTER)).into()];
    let messages = (
        "the server stops: connect again and go on from where this ended".to_owned(),
        "服务器正在停止,请重新连接并从中断处继续".to_owned(),
    );
    with_messages(
        Code::Unavailable,
        "SERVER_STOPPING",
        HashMap::new(),
        details,
        &messages,
    )
}

/// Gives details to an error that no use case made but the transport, such as a message over the limit.
pub(super) fn with_details<B: Default>(response: http::Response<B>) -> http::Response<B> {
    let Some(status) = Status::from_header_map(response.headers()) else {
        return response;
    };
    if status.code() == Code::Ok || !status.details().is_empty() {
        return response;
    }
    let (reason, zh) = match status.code() {
        Code::OutOfRange => ("OVER_LIMIT", "消息超过服务器允许的大小"),
        Code::Unimplemented => ("NO_SUCH_METHOD", "服务器没有此方法"),
        Code::DeadlineExceeded | Code::Cancelled => ("TIMED_OUT", "调用超过时限"),
        Code::NotFound => ("NOT_FOUND", "不存在"),
        Code::Internal => ("MALFORMED", "消息无法解读"),
        _ => ("TRANSPORT", "传输错误"),
    };
    let en = match status.message() {
        "" => status.code().description(),
        message => message,
    };
    let messages = (excerpt(en), format!("{zh}:{}", excerpt(en)));
    with_messages(status.code(), reason, HashMap::new(), Vec::new(), &messages).into_http()
}

fn classify(error: &Error) -> (Code, &'static str) {
    match error {
        Error::Invalid(_) => (Code::InvalidArgument, "INVALID_FIELDS"),
        Error::NotFound { .. } => (Code::NotFound, "NOT_FOUND"),
        Error::AlreadyExists { .. } => (Code::AlreadyExists, "ALREADY_EXISTS"),
        Error::State { reason, .. } => (Code::FailedPrecondition, reason),
        Error::Forbidden { reason, .. } => (Code::PermissionDenied, reason),
        Error::Unauthenticated { reason, .. } => (Code::Unauthenticated, reason),
        Error::EtagMismatch { .. } => (Code::Aborted, "ETAG_MISMATCH"),
        Error::RequestIdReused { .. } => (Code::InvalidArgument, "REQUEST_ID_REUSED"),
        Error::TooLarge { .. } => (Code::InvalidArgument, "OVER_LIMIT"),
        Error::Conflict { .. } => (Code::Aborted, "CONFLICT"),
        Error::Unavailable { .. } => (Code::Unavailable, "STORE_UNAVAILABLE"),
        Error::Internal { .. } => (Code::Internal, "INTERNAL"),
    }
}

/// How many violations fit the details.
fn fitting(violations: &[Violation]) -> usize {
    let mut left = MAX_DETAILS;
    let fits = |violation: &&Violation| {
        let texts = [
            &violation.field,
            &violation.field,
            &violation.found,
            &violation.found,
            &violation.allowed.en,
            &violation.allowed.zh,
        ];
        let size = texts.iter().map(|text| text.len()).sum::<usize>() + 60;
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    };
    violations.iter().take_while(fits).count().max(1)
}

fn field_violation(violation: &Violation) -> FieldViolation {
    let description = format!("found {}; allowed: {}", violation.found, violation.allowed.en);
    FieldViolation {
        localized_message: Some(LocalizedMessage::new("zh-CN", violation.sentence_zh())),
        ..FieldViolation::new(&violation.field, description)
    }
}

/// The first violation in full, and how many there are: all that fit stand in BadRequest.
fn invalid_messages(violations: &[Violation]) -> (String, String) {
    let first = violations
        .first()
        .map(|first| (first.sentence_en(), first.sentence_zh()))
        .unwrap_or_default();
    match violations.len() {
        0 | 1 => first,
        count => (
            format!("{count} faults; the first: {}", first.0),
            format!("共 {count} 处错误;第一处:{}", first.1),
        ),
    }
}

fn with_messages(
    code: Code,
    reason: &str,
    metadata: HashMap<String, String>,
    details: Vec<ErrorDetail>,
    (en, zh): &(String, String),
) -> Status {
    let mut all: Vec<ErrorDetail> = vec![ErrorInfo::new(reason, DOMAIN, metadata).into()];
    all.extend(details);
    all.push(LocalizedMessage::new("zh-CN", zh).into());
    all.push(LocalizedMessage::new("en", en).into());
    Status::with_error_details_vec(code, headline(en), all)
}

/// The status message is a header of its own: a first line of the English message is enough there.
fn headline(en: &str) -> String {
    const CHARS: usize = 300;
    let mut line: String = en.chars().take(CHARS).collect();
    if en.chars().nth(CHARS).is_some() {
        line.push('…');
    }
    line
}
