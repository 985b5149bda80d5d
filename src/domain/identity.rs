//! Who acts: the principal of a request.

use super::error::Violation;
use std::fmt;

/// The person or system that makes a request, as the caller's system names it.
///
/// 1 to 128 characters, no control characters, no space at either end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Principal(String);

/// Longest name of a principal, in characters.
const MAX_CHARS: usize = 128;

impl Principal {
    /// Reads a principal.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let chars = text.chars().count();
        if chars == 0 || chars > MAX_CHARS || text.trim() != text || text.chars().any(char::is_control) {
            return Err(Violation::new(
                "principal",
                text,
                format!("1 to {MAX_CHARS} characters, no control characters, no space at either end"),
                format!("1 至 {MAX_CHARS} 个字符,不含控制字符,首尾无空格"),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
