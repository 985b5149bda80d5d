//! One error for the whole domain, independent of any transport.
//!
//! The outer layers turn it into a wire status as the very last step. A variant exists only where a
//! program needs to tell the cases apart.

use std::fmt;

/// The same sentence in the two languages of the product.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Bilingual {
    /// English.
    pub en: String,
    /// Simplified Chinese.
    pub zh: String,
}

impl Bilingual {
    /// Pairs an English sentence with its Chinese twin.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self {
            en: en.into(),
            zh: zh.into(),
        }
    }
}

impl fmt::Display for Bilingual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

/// One thing wrong with an input: which field, what was found, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Violation {
    /// Path of the field, such as `components[1].percent` or `line 7, column value`.
    pub field: String,
    /// What was given, cut to a readable length.
    pub found: String,
    /// What is allowed there.
    pub allowed: Bilingual,
}

/// Longest excerpt of a given text repeated in an error, in bytes: an error travels in HTTP/2 headers,
/// and one that is too long for them breaks the caller's connection.
const EXCERPT_BYTES: usize = 800;

impl Violation {
    /// Describes one faulty field. Long texts are cut: what is allowed may list names that were given, too.
    pub fn new(
        field: impl Into<String>,
        found: impl AsRef<str>,
        allowed_en: impl Into<String>,
        allowed_zh: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            found: excerpt(found.as_ref()),
            allowed: Bilingual::new(excerpt(&allowed_en.into()), excerpt(&allowed_zh.into())),
        }
    }

    /// The same violation seen from one level further out: `prefix` goes before the path.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.field = if self.field.is_empty() {
            prefix.to_owned()
        } else {
            format!("{prefix}.{}", self.field)
        };
        self
    }

    /// The whole violation as one English line.
    pub fn sentence_en(&self) -> String {
        format!(
            "{}: found {}, allowed: {}",
            self.field, self.found, self.allowed.en
        )
    }

    /// The whole violation as one Chinese line.
    pub fn sentence_zh(&self) -> String {
        format!("{}:实际为 {},要求:{}", self.field, self.found, self.allowed.zh)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence_en())
    }
}

/// Violations found, at most so many of them in full, the rest as a count.
#[derive(Debug)]
pub struct Faults {
    violations: Vec<Violation>,
    most: usize,
    unreported: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self::up_to(Self::SHOWN)
    }
}

impl Faults {
    /// Most violations reported at once where nothing else is said.
    pub const SHOWN: usize = 100;

    /// Reports at most `most` in full.
    pub fn up_to(most: usize) -> Self {
        Self {
            violations: Vec::new(),
            most,
            unreported: 0,
        }
    }

    /// Adds one; the closure runs only if it will be shown.
    pub fn add(&mut self, violation: impl FnOnce() -> Violation) {
        if self.violations.len() < self.most {
            self.violations.push(violation());
        } else {
            self.unreported += 1;
        }
    }

    /// Notes what went wrong and carries on.
    pub fn keep<T>(&mut self, result: Result<T, Violation>) -> Option<T> {
        result.map_err(|violation| self.add(|| violation)).ok()
    }

    /// Adds all of a list.
    pub fn extend(&mut self, violations: Vec<Violation>) {
        for violation in violations {
            self.add(|| violation);
        }
    }

    /// Nothing found, or everything that was.
    pub fn finish(mut self) -> Result<(), Vec<Violation>> {
        if self.violations.is_empty() {
            return Ok(());
        }
        if self.unreported > 0 {
            let found = format!("{} more like these", self.unreported);
            self.violations
                .push(Violation::new("", found, "the same as above", "同上"));
        }
        Err(self.violations)
    }
}

/// A text as errors repeat it: cut to a readable length, on one line, never empty.
pub(crate) fn excerpt(text: &str) -> String {
    let cut = text.floor_char_boundary(EXCERPT_BYTES);
    let mut shown: String = text[..cut]
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if cut < text.len() {
        shown.push('…');
    }
    if shown.is_empty() {
        "(empty)".to_owned()
    } else {
        shown
    }
}

/// Everything that can go wrong in a use case.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The input is wrong; nothing was changed.
    #[error("{}", join(.0))]
    Invalid(Vec<Violation>),
    /// There is no such thing.
    #[error("{kind} {name} does not exist")]
    NotFound {
        /// What kind of thing, such as `data set`.
        kind: &'static str,
        /// Its resource name.
        name: String,
    },
    /// There is such a thing already, and it is not the same.
    #[error("{kind} {name} exists already")]
    AlreadyExists {
        /// What kind of thing.
        kind: &'static str,
        /// Its resource name.
        name: String,
    },
    /// The thing is not in a state that allows the change.
    #[error("{message}")]
    State {
        /// Resource name of the thing.
        name: String,
        /// Stable, machine-readable reason in `UPPER_SNAKE_CASE`.
        reason: &'static str,
        /// What state it is in and what would be allowed.
        message: Bilingual,
    },
    /// The caller is known but may not do this, such as approving one's own draft.
    #[error("{message}")]
    Forbidden {
        /// Stable, machine-readable reason in `UPPER_SNAKE_CASE`.
        reason: &'static str,
        /// Why.
        message: Bilingual,
    },
    /// Who is calling could not be established.
    #[error("{message}")]
    Unauthenticated {
        /// Stable, machine-readable reason in `UPPER_SNAKE_CASE`.
        reason: &'static str,
        /// What is missing or wrong; never what was shown.
        message: Bilingual,
    },
    /// The thing changed since the caller read it.
    #[error("{name} has changed: etag given {given}, current {current}")]
    EtagMismatch {
        /// Resource name of the thing.
        name: String,
        /// Etag that came with the request.
        given: String,
        /// Etag of the thing now.
        current: String,
    },
    /// The `request_id` was used before with another body.
    #[error("request_id {request_id} was used before with another request")]
    RequestIdReused {
        /// The id.
        request_id: String,
    },
    /// More was asked for than the limits allow.
    #[error("{what}: {found} is over the limit of {limit}")]
    TooLarge {
        /// What is limited.
        what: &'static str,
        /// What was asked for.
        found: u64,
        /// The most that is allowed.
        limit: u64,
    },
    /// Another change came in between; nothing was changed, and the whole attempt may be made again.
    #[error("the store is busy with a conflicting change, try again")]
    Conflict {
        /// For the log only.
        detail: String,
    },
    /// The store cannot be reached or stays busy; the same call may succeed later.
    #[error("the store is unavailable, try again")]
    Unavailable {
        /// For the log only.
        detail: String,
    },
    /// A defect of the program or of the stored data.
    #[error("internal error")]
    Internal {
        /// For the log only.
        detail: String,
    },
}

fn join(violations: &[Violation]) -> String {
    violations
        .iter()
        .map(Violation::sentence_en)
        .collect::<Vec<_>>()
        .join("; ")
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Invalid(vec![violation])
    }
}

impl From<Vec<Violation>> for Error {
    fn from(violations: Vec<Violation>) -> Self {
        Self::Invalid(violations)
    }
}

impl Error {
    /// An internal error with a detail for the log.
    pub fn internal(detail: impl fmt::Display) -> Self {
        Self::Internal {
            detail: detail.to_string(),
        }
    }

    /// The message for people, in both languages.
    pub fn message(&self) -> Bilingual {
        let en = self.to_string();
        let zh = match self {
            Self::Invalid(violations) => violations
                .iter()
                .map(Violation::sentence_zh)
                .collect::<Vec<_>>()
                .join(";"),
            Self::NotFound { name, .. } => format!("{name} 不存在"),
            Self::AlreadyExists { name, .. } => format!("{name} 已存在"),
            Self::State { message, .. }
            | Self::Forbidden { message, .. }
            | Self::Unauthenticated { message, .. } => message.zh.clone(),
            Self::EtagMismatch { name, given, current } => {
                format!("{name} 已被更新:请求的 etag 为 {given},当前为 {current}")
            }
            Self::RequestIdReused { request_id } => {
                format!("request_id {request_id} 已用于另一个内容不同的请求")
            }
            Self::TooLarge { what, found, limit } => format!("{what}:{found} 超过上限 {limit}"),
            Self::Conflict { .. } => "数据库正忙于相冲突的修改,请重试".to_owned(),
            Self::Unavailable { .. } => "数据库暂不可用,请稍后重试".to_owned(),
            Self::Internal { .. } => "内部错误".to_owned(),
        };
        Bilingual { en, zh }
    }
}
