//! What comes with the program, so that a fresh machine has it without files: the programmes, the law's
//! deed-tax rates, and example policies whose figures are illustrative and say so.

/// The programmes, as file name and TOML.
pub const PROGRAMMES: [(&str, &str); 5] = [
    (
        "housing-purchase.toml",
        include_str!("../config/programmes/housing-purchase.toml"),
    ),
    (
        "deed-tax.toml",
        include_str!("../config/programmes/deed-tax.toml"),
    ),
    ("rental.toml", include_str!("../config/programmes/rental.toml")),
    (
        "school-operating.toml",
        include_str!("../config/programmes/school-operating.toml"),
    ),
    (
        "training.toml",
        include_str!("../config/programmes/training.toml"),
    ),
];

/// The law's deed-tax rates, as TOML.
pub const DEED_TAX_LAW: &str = include_str!("../config/law/deed-tax.toml");

/// Example policies for the city and counties of Xuchang, as file name and TOML.
pub const POLICIES: [(&str, &str); 8] = [
    (
        "xuchang-housing-purchase-2024.toml",
        include_str!("../config/policies/xuchang-housing-purchase-2024.toml"),
    ),
    (
        "yuzhou-housing-purchase-2024.toml",
        include_str!("../config/policies/yuzhou-housing-purchase-2024.toml"),
    ),
    (
        "changge-housing-purchase-2024.toml",
        include_str!("../config/policies/changge-housing-purchase-2024.toml"),
    ),
    (
        "xuchang-deed-tax-2024.toml",
        include_str!("../config/policies/xuchang-deed-tax-2024.toml"),
    ),
    (
        "yanling-deed-tax-2024.toml",
        include_str!("../config/policies/yanling-deed-tax-2024.toml"),
    ),
    (
        "xuchang-rental-2024.toml",
        include_str!("../config/policies/xuchang-rental-2024.toml"),
    ),
    (
        "xuchang-school-operating-2024.toml",
        include_str!("../config/policies/xuchang-school-operating-2024.toml"),
    ),
    (
        "xuchang-training-2024.toml",
        include_str!("../config/policies/xuchang-training-2024.toml"),
    ),
];
