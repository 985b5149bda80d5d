//! Where personal data leaves the system unmasked: all places, each with the permission that it takes.
//!
//! Everything else that is shown of a person is masked before it leaves the use case, for every caller. Each of
//! these is recorded in the audit log before anything is handed out.

use crate::domain::access::Permission;

/// A way for personal data to leave the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disclosure {
    /// What an objection says; it may name people.
    Objection,
    /// Files for banks: names and account numbers of payees.
    BankFiles,
}

impl Disclosure {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Objection, Self::BankFiles];

    /// The method that it is asked for by.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Objection => "GetObjection",
            Self::BankFiles => "ExportBatch",
        }
    }

    /// The permission that it takes, beside that to look at the resource.
    pub const fn permission(self) -> Permission {
        match self {
            Self::Objection => Permission::ObjectionsRead,
            Self::BankFiles => Permission::PaymentsExport,
        }
    }

    /// What a method discloses.
    pub fn by_method(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.method() == method)
    }
}
