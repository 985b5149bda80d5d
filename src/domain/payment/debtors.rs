//! From which account a payment is made: the city's, or that of a county's finance bureau.

use super::account::Debtor;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;

/// The accounts that pay, at most one for a payer and region, and one for a payer where no region's own
/// applies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Debtors(Vec<(Payer, Option<RegionCode>, Debtor)>);

impl Debtors {
    /// Takes accounts; `at` is the path that stands before a number in errors.
    pub fn new(at: &str, accounts: Vec<(Payer, Option<RegionCode>, Debtor)>) -> Result<Self, Vec<Violation>> {
        let mut faults = Vec::new();
        for (later, (payer, region, _)) in accounts.iter().enumerate() {
            let same = |other: &(Payer, Option<RegionCode>, Debtor)| other.0 == *payer && other.1 == *region;
            if let Some(first) = accounts[..later].iter().position(same) {
                faults.push(Violation::new(
                    format!("{at}[{later}]"),
                    format!("the same payer and region as {at}[{first}]"),
                    "one account for a payer and region",
                    "同一付款方和地区只能有一个账户",
                ));
            }
        }
        if faults.is_empty() {
            Ok(Self(accounts))
        } else {
            Err(faults)
        }
    }

    /// All of them, in the order of the configuration.
    pub fn all(&self) -> impl Iterator<Item = (Payer, Option<&RegionCode>, &Debtor)> {
        let accounts = self.0.iter();
        accounts.map(|(payer, region, debtor)| (*payer, region.as_ref(), debtor))
    }

    /// The account that pays a payer's part in a region, and whether it is the region's own.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where none is configured.
    pub fn find(&self, payer: Payer, region: &RegionCode) -> Result<(Option<&RegionCode>, &Debtor), Error> {
        let of = |wanted: Option<&RegionCode>| {
            let mut all = self.0.iter();
            all.find(|(of, place, _)| *of == payer && place.as_ref() == wanted)
        };
        let found = of(Some(region)).or_else(|| of(None));
        found
            .map(|(_, region, debtor)| (region.as_ref(), debtor))
            .ok_or_else(|| Error::State {
                name: "payment.debtor".to_owned(),
                reason: "NO_DEBTOR",
                message: Bilingual::new(
                    format!(
                        "no account is configured that pays the part of the {payer} in region {region}: \
                         add a [[payment.debtor]] with payer = \"{payer}\", for the region or for all"
                    ),
                    format!(
                        "未配置地区 {region} 的{}付款账户:请在配置中增加 [[payment.debtor]](payer = \"{payer}\")",
                        payer.zh()
                    ),
                ),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn debtor(account: &str) -> Debtor {
        Debtor::parse("debtor", "许昌市财政局", account, "313491099996").unwrap()
    }

    #[test]
    fn a_regions_own_account_comes_before_the_payers() {
        let region = |code: &str| RegionCode::parse("region", code).unwrap();
        let debtors = Debtors::new(
            "payment.debtor",
            vec![
                (Payer::County, None, debtor("411000000000000001")),
                (
                    Payer::County,
                    Some(region("411024")),
                    debtor("411000000000000002"),
                ),
            ],
        )
        .unwrap();
        let (own, account) = debtors.find(Payer::County, &region("411024")).unwrap();
        assert_eq!(own, Some(&region("411024")));
        assert_eq!(account.account().as_str(), "411000000000000002");
        let (own, account) = debtors.find(Payer::County, &region("411081")).unwrap();
        assert_eq!(own, None);
        assert_eq!(account.account().as_str(), "411000000000000001");
        let refused = debtors.find(Payer::City, &region("411081")).unwrap_err();
        assert!(refused.to_string().contains("payer = \"city\""), "{refused}");
    }

    #[test]
    fn has_one_account_for_a_payer_and_region() {
        let twice = vec![
            (Payer::City, None, debtor("411000000000000001")),
            (Payer::City, None, debtor("411000000000000002")),
        ];
        let faults = Debtors::new("payment.debtor", twice).unwrap_err();
        assert_eq!(faults[0].field, "payment.debtor[1]");
    }
}
