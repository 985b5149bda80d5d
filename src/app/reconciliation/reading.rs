//! Looking at statements and their lines; what is personal of them is shown masked.

use super::records::StoredLine;

/// A line, with what of its other side may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineDetail {
    /// The line.
    pub line: StoredLine,
    /// The other side's name, masked; may be empty.
    pub counterparty: String,
    /// Its account, masked; may be empty.
    pub account: String,
}
