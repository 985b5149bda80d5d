//! Subsidies.

use crate::domain::error::Violation;
use crate::domain::statistics::code_type;
use std::fmt;

code_type!(
    /// The code of a programme, such as `housing-purchase`.
    ProgrammeCode,
    |byte| byte.is_ascii_lowercase(),
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-',
    "1 to 63 characters a-z, 0-9 and hyphen, beginning with a letter",
    "1 至 63 个字符,仅限 a-z、0-9 和连字符,以字母开头"
);
