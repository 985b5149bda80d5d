//! Who may do what, and where: permissions, roles that bundle them, and the regions that they reach.

use super::error::{Error, Violation};
use super::identity::Principal;
use super::region::RegionCode;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)+) => {
        /// Something that a caller may do. Every method of the API needs one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Permission {
            $($(#[$doc])* $variant,)+
        }

        impl Permission {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code that configuration uses.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }
    };
}

permissions! {
    /// Look at regions, indicators, observations, formulas, policies and programmes.
    ReferenceRead = "reference.read",
    /// Import regions, indicators and observations; create data sets.
    StatisticsWrite = "statistics.write",
    /// Create formulas.
    FormulasWrite = "formulas.write",
    /// Import programmes and the deed-tax law, create policies.
    PoliciesWrite = "policies.write",
    /// Compute an allocation or simulate, without keeping anything.
    Compute = "allocations.compute",
    /// Look at allocations and, with all regions, at simulations.
    AllocationsRead = "allocations.read",
    /// Keep drafts of allocations, and simulations.
    AllocationsDraft = "allocations.draft",
    /// Approve drafts of others.
    AllocationsApprove = "allocations.approve",
    /// Issue, replace and withdraw allocations.
    AllocationsIssue = "allocations.issue",
    /// Receive money into a fund and give it back.
    FundsReceive = "funds.receive",
    /// Add a county's own money and take it out.
    FundsContribute = "funds.contribute",
    /// Assign quota to programmes and take it back.
    QuotaAssign = "quota.assign",
    /// Take entries back that a person posted.
    LedgerCorrect = "ledger.correct",
    /// Look at balances, entries and changes.
    LedgerRead = "ledger.read",
    /// Verify and export whole journals.
    LedgerVerify = "ledger.verify",
    /// Look at claims, masked, with their history and derivation.
    ClaimsRead = "claims.read",
    /// Hand claims in, withdraw them, have rejected payments tried again, note objections.
    ClaimsFile = "claims.file",
    /// Approve and reject claims of others, cancel them, resolve objections, serve the waiting list.
    ClaimsDecide = "claims.decide",
    /// Note that paid money came back.
    ClaimsReturn = "claims.return",
    /// Read what an objection says: it may name people.
    ObjectionsRead = "objections.read",
    /// Look at public notices.
    NoticesRead = "notices.read",
    /// Look at payment batches and payments, masked.
    PaymentsRead = "payments.read",
    /// Collect, change, freeze and cancel payment batches.
    PaymentsCollect = "payments.collect",
    /// Release batches that others collected and froze.
    PaymentsRelease = "payments.release",
    /// Export batches for banks: names and account numbers in the clear.
    PaymentsExport = "payments.export",
    /// Note what banks answer.
    PaymentsConclude = "payments.conclude",
    /// Import bank statements, work on breaks.
    ReconciliationWork = "reconciliation.work",
    /// Look at statements, matches and breaks.
    ReconciliationRead = "reconciliation.read",
    /// Sign a reconciliation off that others worked on.
    ReconciliationClose = "reconciliation.close",
    /// Look at the audit log, verify and export it.
    AuditRead = "audit.read",
    /// Work on the service itself: erase personal data that is due, change keys.
    Operate = "service.operate",
}

impl Permission {
    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let found = Self::ALL
            .iter()
            .copied()
            .find(|permission| permission.code() == text);
        found.ok_or_else(|| {
            let codes: Vec<&str> = Self::ALL.iter().map(|permission| permission.code()).collect();
            let codes = codes.join(", ");
            Violation::new(
                field,
                text,
                format!("one of {codes}"),
                format!("下列之一:{codes}"),
            )
        })
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The regions that something reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All, and what belongs to none of them.
    All,
    /// These and no others.
    Regions(Arc<BTreeSet<RegionCode>>),
}

impl Default for Scope {
    fn default() -> Self {
        Self::none()
    }
}

impl Scope {
    /// No region.
    pub fn none() -> Self {
        Self::Regions(Arc::default())
    }

    /// These regions.
    pub fn of(regions: impl IntoIterator<Item = RegionCode>) -> Self {
        Self::Regions(Arc::new(regions.into_iter().collect()))
    }

    /// Whether it reaches a region.
    pub fn covers(&self, region: &RegionCode) -> bool {
        match self {
            Self::All => true,
            Self::Regions(regions) => regions.contains(region),
        }
    }

    /// Whether it reaches a region, or what belongs to none.
    pub fn covers_optional(&self, region: Option<&RegionCode>) -> bool {
        match region {
            Some(region) => self.covers(region),
            None => self.is_all(),
        }
    }

    /// Whether it reaches everything.
    pub const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Whether it reaches nothing.
    pub fn is_empty(&self) -> bool {
        self.regions().is_some_and(BTreeSet::is_empty)
    }

    /// The regions, where they are limited.
    pub fn regions(&self) -> Option<&BTreeSet<RegionCode>> {
        match self {
            Self::All => None,
            Self::Regions(regions) => Some(regions),
        }
    }

    /// What either reaches.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::Regions(a), Self::Regions(b)) => {
                if a == b {
                    return self.clone();
                }
                Self::of(a.union(b).cloned())
            }
        }
    }

    /// Refuses a region that is not reached as if there were no such region.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn admit_region(&self, region: &RegionCode) -> Result<(), Error> {
        if self.covers(region) {
            return Ok(());
        }
        Err(Error::NotFound {
            kind: "region",
            name: format!("regions/{region}"),
        })
    }

    /// The same for everybody who reaches the same; what a page token is bound to.
    pub fn fingerprint(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Regions(regions) => regions
                .iter()
                .map(RegionCode::as_str)
                .collect::<Vec<_>>()
                .join(","),
        }
    }
}

/// A bundle of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// What it permits.
    pub permissions: BTreeSet<Permission>,
    /// Whether it reaches all regions where a person's regions are not given. Otherwise it reaches none then.
    pub whole: bool,
}

/// The roles by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles(BTreeMap<String, Role>);

impl Roles {
    /// These roles.
    pub fn new(roles: impl IntoIterator<Item = (String, Role)>) -> Self {
        Self(roles.into_iter().collect())
    }

    /// A role.
    pub fn get(&self, name: &str) -> Option<&Role> {
        self.0.get(name)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Reads the name of a role that there is.
    pub fn parse(&self, field: &str, name: &str) -> Result<String, Violation> {
        if self.0.contains_key(name) {
            return Ok(name.to_owned());
        }
        let names = self.names().collect::<Vec<_>>().join(", ");
        Err(Violation::new(
            field,
            name,
            format!("one of {names}"),
            format!("下列之一:{names}"),
        ))
    }

    /// What somebody with these roles may do. `regions` are those that the person was given, with
    /// everything below them; none given means what each role says. Roles that there are not permit nothing.
    pub fn grant<'a>(&self, roles: impl IntoIterator<Item = &'a str>, regions: Option<&Scope>) -> Grants {
        let mut grants: BTreeMap<Permission, Scope> = BTreeMap::new();
        for role in roles.into_iter().filter_map(|name| self.0.get(name)) {
            let scope = match regions {
                Some(regions) => regions.clone(),
                None if role.whole => Scope::All,
                None => continue,
            };
            for permission in &role.permissions {
                grants
                    .entry(*permission)
                    .and_modify(|had| *had = had.union(&scope))
                    .or_insert_with(|| scope.clone());
            }
        }
        grants.retain(|_, scope| !scope.is_empty());
        Grants::Some(grants)
    }
}

/// What somebody may do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    /// Everything, everywhere.
    All,
    /// These permissions, each for regions.
    Some(BTreeMap<Permission, Scope>),
}

impl Grants {
    /// Where a permission reaches; none where it is not granted.
    pub fn scope(&self, permission: Permission) -> Option<Scope> {
        match self {
            Self::All => Some(Scope::All),
            Self::Some(grants) => grants.get(&permission).cloned(),
        }
    }

    /// Where any of these permissions reaches; none where none is granted.
    pub fn any(&self, permissions: &[Permission]) -> Option<Scope> {
        permissions
            .iter()
            .filter_map(|permission| self.scope(*permission))
            .reduce(|a, b| a.union(&b))
    }
}

/// Somebody whose identity has been established.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is; what signatures hold, whatever token or certificate was shown.
    pub principal: Principal,
    /// What they may do.
    pub grants: Arc<Grants>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(code: &str) -> RegionCode {
        RegionCode::parse("region", code).unwrap()
    }

    fn roles() -> Roles {
        let role = |permissions: &[Permission], whole| Role {
            permissions: permissions.iter().copied().collect(),
            whole,
        };
        Roles::new([
            (
                "clerk".to_owned(),
                role(&[Permission::ClaimsRead, Permission::ClaimsFile], false),
            ),
            (
                "auditor".to_owned(),
                role(&[Permission::ClaimsRead, Permission::AuditRead], true),
            ),
        ])
    }

    #[test]
    fn codes_are_read_as_they_are_written() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse("p", permission.code()).unwrap(), *permission);
        }
        assert!(Permission::parse("p", "claims.everything").is_err());
    }

    #[test]
    fn a_role_for_regions_reaches_none_without_them() {
        assert_eq!(roles().grant(["clerk"], None).scope(Permission::ClaimsFile), None);
        let none = Scope::none();
        assert_eq!(
            roles()
                .grant(["clerk", "auditor"], Some(&none))
                .scope(Permission::AuditRead),
            None
        );
    }

    #[test]
    fn regions_limit_every_role_of_a_person() {
        let own = Scope::of([region("411024")]);
        let grants = roles().grant(["clerk", "auditor"], Some(&own));
        assert_eq!(grants.scope(Permission::AuditRead), Some(own.clone()));
        assert!(own.covers(&region("411024")) && !own.covers(&region("411025")));
        assert!(!own.covers_optional(None) && Scope::All.covers_optional(None));
    }

    #[test]
    fn roles_add_up_and_unknown_ones_give_nothing() {
        let grants = roles().grant(["clerk", "auditor", "emperor"], None);
        assert_eq!(grants.scope(Permission::ClaimsRead), Some(Scope::All));
        assert_eq!(grants.scope(Permission::ClaimsFile), None);
        assert_eq!(
            roles().grant(["emperor"], Some(&Scope::All)).any(Permission::ALL),
            None
        );
        assert_eq!(Grants::All.any(&[Permission::Operate]), Some(Scope::All));
    }

    #[test]
    fn a_region_out_of_reach_is_one_that_does_not_exist() {
        let own = Scope::of([region("A")]);
        let refused = own.admit_region(&region("B")).unwrap_err();
        assert!(matches!(refused, Error::NotFound { kind: "region", .. }));
        assert_ne!(own.fingerprint(), Scope::All.fingerprint());
        assert_eq!(own.union(&Scope::of([region("B")])).fingerprint(), "A,B");
    }
}
