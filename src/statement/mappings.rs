//! The mappings that come with the program, and choosing one.

use super::Mapping;
use crate::domain::error::Violation;

/// The mappings that come with the program, as file name and TOML. They are of no bank in particular.
pub const SHIPPED: [(&str, &str); 3] = [
    (
        "corporate-ebank.toml",
        include_str!("../../config/statements/corporate-ebank.toml"),
    ),
    (
        "treasury-centre.toml",
        include_str!("../../config/statements/treasury-centre.toml"),
    ),
    (
        "agent-bank.toml",
        include_str!("../../config/statements/agent-bank.toml"),
    ),
];

/// All mappings that come with the program.
///
/// # Errors
///
/// None, as the tests see to it.
pub fn shipped() -> Result<Vec<Mapping>, Vec<Violation>> {
    SHIPPED.iter().map(|(_, toml)| Mapping::parse(toml)).collect()
}

/// The mapping of a code, among those given and then those that come with the program.
///
/// # Errors
///
/// No mapping of this code.
pub fn mapping(code: &str, own: &[Mapping]) -> Result<Mapping, Vec<Violation>> {
    let shipped = shipped()?;
    let mut all = own.iter().chain(&shipped);
    let codes = || {
        let mut codes: Vec<&str> = own.iter().chain(&shipped).map(Mapping::code).collect();
        codes.dedup();
        codes.join(", ")
    };
    all.find(|mapping| mapping.code() == code)
        .cloned()
        .ok_or_else(|| {
            vec![Violation::new(
                "mapping",
                code,
                format!("one of {}", codes()),
                format!("下列之一:{}", codes()),
            )]
        })
}
