//! The accounts that pay, as reconciliation names them: by payer and region, without personal data.

use crate::domain::access::Scope;
use crate::domain::error::{Error, Violation};
use crate::domain::payer::Payer;
use crate::domain::payment::{AccountNumber, Debtor, Debtors};
use crate::domain::region::RegionCode;
use std::fmt;

/// Names an account that pays: `city`, `county`, or with the region whose own it is, `county-411024`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct AccountId(String);

impl AccountId {
    /// The id of a payer's account, or of a region's own.
    pub fn of(payer: Payer, region: Option<&RegionCode>) -> Self {
        Self(match region {
            Some(region) => format!("{payer}-{region}"),
            None => payer.code().to_owned(),
        })
    }

    /// Reads an id.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let (payer, region) = match text.split_once('-') {
            Some((payer, region)) => (payer, Some(region)),
            None => (text, None),
        };
        let payer = Payer::parse(field, payer);
        let region = region.map(|region| RegionCode::parse(field, region)).transpose();
        match (payer, region) {
            (Ok(payer), Ok(region)) => Ok(Self::of(payer, region.as_ref())),
            _ => Err(Violation::new(
                field,
                text,
                "city, county, or one of them with a region, such as county-411024",
                "city、county,或加地区代码,如 county-411024",
            )),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The resource name.
    pub fn resource_name(&self) -> String {
        format!("bankAccounts/{}", self.0)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which payments are made from an account: those that one of these covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountScope(Vec<Cover>);

/// The payments of a payer in one region, or in all that have no account of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// The payer.
    pub payer: Payer,
    /// The region whose own account it is; none for all others.
    pub region: Option<RegionCode>,
    /// The regions that have one of their own, where it is for all others.
    pub except: Vec<RegionCode>,
}

impl AccountScope {
    /// What one of these covers.
    pub fn of(cover: Cover) -> Self {
        Self(vec![cover])
    }

    /// What it covers.
    pub fn covers(&self) -> &[Cover] {
        &self.0
    }

    /// Whether a payment of a payer in a region is made from the account.
    pub fn contains(&self, payer: Payer, region: &RegionCode) -> bool {
        self.0.iter().any(|cover| {
            cover.payer == payer
                && match &cover.region {
                    Some(own) => own == region,
                    None => !cover.except.contains(region),
                }
        })
    }
}

/// An account that pays.
#[derive(Debug, Clone)]
pub struct BankAccount {
    /// Its id.
    pub id: AccountId,
    /// Which payments are made from it.
    pub scope: AccountScope,
    /// Who holds it, and its number.
    pub debtor: Debtor,
    /// What stands behind the batch in the identification of an order that is paid from it: `C`, `Q411024`.
    pub orders: Vec<String>,
}

/// The accounts that pay, each once.
#[derive(Debug, Clone, Default)]
pub struct BankAccounts(Vec<BankAccount>);

impl BankAccounts {
    /// The accounts that payments are configured to be made from. Two with the same number are one, under the
    /// first one's id.
    pub fn of(debtors: &Debtors) -> Self {
        let mut accounts: Vec<BankAccount> = Vec::new();
        for (payer, region, debtor) in debtors.all() {
            let except = if region.is_none() {
                let own = debtors.all().filter(|(of, _, _)| *of == payer);
                own.filter_map(|(_, region, _)| region.cloned()).collect()
            } else {
                Vec::new()
            };
            let cover = Cover {
                payer,
                region: region.cloned(),
                except,
            };
            let letter = match payer {
                Payer::City => 'C',
                Payer::County => 'Q',
            };
            let order = format!("{letter}{}", region.map_or("", RegionCode::as_str));
            let known = accounts
                .iter_mut()
                .find(|account| account.debtor.account() == debtor.account());
            match known {
                Some(account) => {
                    account.scope.0.push(cover);
                    account.orders.push(order);
                }
                None => accounts.push(BankAccount {
                    id: AccountId::of(payer, region),
                    scope: AccountScope(vec![cover]),
                    debtor: debtor.clone(),
                    orders: vec![order],
                }),
            }
        }
        Self(accounts)
    }

    /// Those that pay in no other regions than these. One that pays for all regions without an account of their own is
    /// in reach of those who reach all.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> Self {
        let reached = |account: &&BankAccount| {
            let mut covers = account.scope.covers().iter();
            covers.all(|cover| scope.covers_optional(cover.region.as_ref()))
        };
        Self(self.0.iter().filter(reached).cloned().collect())
    }

    /// All of them, in the order of the configuration.
    pub fn all(&self) -> &[BankAccount] {
        &self.0
    }

    /// The account with an id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where none is configured.
    pub fn find(&self, id: &AccountId) -> Result<&BankAccount, Error> {
        let found = self.0.iter().find(|account| account.id == *id);
        found.ok_or_else(|| Error::NotFound {
            kind: "bank account",
            name: id.resource_name(),
        })
    }

    /// The account with a number.
    pub fn with_number(&self, number: &AccountNumber) -> Option<&BankAccount> {
        self.0.iter().find(|account| account.debtor.account() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn debtor(account: &str) -> Debtor {
        Debtor::parse("debtor", "许昌市财政局", account, "313491099996").unwrap()
    }

    fn region(code: &str) -> RegionCode {
        RegionCode::parse("region", code).unwrap()
    }

    #[test]
    fn an_account_covers_what_no_region_pays_itself() {
        let debtors = Debtors::new(
            "payment.debtor",
            vec![
                (Payer::City, None, debtor("411000000000000001")),
                (Payer::County, None, debtor("411000000000000002")),
                (
                    Payer::County,
                    Some(region("411024")),
                    debtor("411000000000000003"),
                ),
                (
                    Payer::County,
                    Some(region("411081")),
                    debtor("411000000000000001"),
                ),
            ],
        )
        .unwrap();
        let accounts = BankAccounts::of(&debtors);
        let ids: Vec<&str> = accounts.all().iter().map(|account| account.id.as_str()).collect();
        assert_eq!(ids, ["city", "county", "county-411024"]);
        let of = |id: &str| accounts.find(&AccountId::parse("account", id).unwrap()).unwrap();
        assert!(of("county").scope.contains(Payer::County, &region("411002")));
        assert!(!of("county").scope.contains(Payer::County, &region("411024")));
        assert!(!of("county").scope.contains(Payer::County, &region("411081")));
        assert!(
            of("county-411024")
                .scope
                .contains(Payer::County, &region("411024"))
        );
        assert!(of("city").scope.contains(Payer::City, &region("411081")));
        assert!(
            of("city").scope.contains(Payer::County, &region("411081")),
            "the same number"
        );
        assert_eq!(of("city").orders, ["C", "Q411081"]);
        assert!(
            accounts
                .find(&AccountId::parse("account", "city-411024").unwrap())
                .is_err()
        );
    }

    #[test]
    fn an_account_is_in_reach_of_those_who_reach_all_that_it_pays_in() {
        let accounts = BankAccounts::of(
            &Debtors::new(
                "payment.debtor",
                vec![
                    (Payer::County, None, debtor("411000000000000002")),
                    (
                        Payer::County,
                        Some(region("411024")),
                        debtor("411000000000000003"),
                    ),
                    // One number, two regions.
                    (
                        Payer::County,
                        Some(region("411081")),
                        debtor("411000000000000004"),
                    ),
                    (
                        Payer::County,
                        Some(region("411082")),
                        debtor("411000000000000004"),
                    ),
                ],
            )
            .unwrap(),
        );
        let reached = |scope: Scope| -> Vec<String> {
            let within = accounts.within(&scope);
            within
                .all()
                .iter()
                .map(|account| account.id.to_string())
                .collect()
        };
        let of = |codes: &[&str]| Scope::of(codes.iter().map(|code| region(code)));
        assert_eq!(reached(Scope::All).len(), 3);
        assert!(reached(Scope::none()).is_empty());
        assert_eq!(reached(of(&["411024", "411002"])), ["county-411024"]);
        assert!(reached(of(&["411081"])).is_empty());
        assert_eq!(reached(of(&["411081", "411082"])), ["county-411081"]);
    }

    #[test]
    fn ids_are_read_and_written() {
        for text in ["city", "county", "county-411024", "city-4110-DC"] {
            assert_eq!(AccountId::parse("account", text).unwrap().as_str(), text);
        }
        for text in ["", "state", "county-", "county-41 10"] {
            assert!(AccountId::parse("account", text).is_err(), "{text}");
        }
    }
}
