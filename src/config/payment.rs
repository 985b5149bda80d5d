//! The accounts that payments are made from.

use crate::domain::error::{Error, Faults};
use crate::domain::payer::Payer;
use crate::domain::payment::{Debtor, Debtors};
use crate::domain::region::RegionCode;
use serde::{Deserialize, Serialize};

/// `[payment]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Payment {
    pub debtor: Vec<DebtorAccount>,
}

/// `[[payment.debtor]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DebtorAccount {
    pub payer: String,
    #[serde(default)]
    pub region: String,
    pub name: String,
    pub account: String,
    pub bank_code: String,
}

impl Payment {
    /// The accounts that payments are made from.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault.
    pub fn debtors(&self) -> Result<Debtors, Error> {
        const KEY: &str = "payment.debtor";
        let mut faults = Faults::default();
        let mut accounts = Vec::with_capacity(self.debtor.len());
        for (at, given) in self.debtor.iter().enumerate() {
            let at = format!("{KEY}[{at}]");
            let payer = faults.keep(Payer::parse(&format!("{at}.payer"), &given.payer));
            let region = match given.region.as_str() {
                "" => None,
                code => faults.keep(RegionCode::parse(&format!("{at}.region"), code)),
            };
            match Debtor::parse(&at, &given.name, &given.account, &given.bank_code) {
                Ok(debtor) => accounts.extend(payer.map(|payer| (payer, region, debtor))),
                Err(violations) => faults.extend(violations),
            }
        }
        faults.finish()?;
        Ok(Debtors::new(KEY, accounts)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn accounts_that_pay_are_read_and_checked() {
        let directory = std::env::temp_dir().join(format!("debtors-{}", uuid::Uuid::now_v7()));
        let load = |text: &str| {
            std::fs::write(&directory, text).unwrap();
            let loaded = Config::load(Some(&directory), &[]);
            std::fs::remove_file(&directory).unwrap();
            loaded
        };
        let account = |payer: &str, region: &str, account: &str| {
            format!(
                "[[payment.debtor]]\npayer = \"{payer}\"\nregion = \"{region}\"\nname = \"许昌市财政局\"\n\
                 account = \"{account}\"\nbank_code = \"313491099996\"\n"
            )
        };
        let config =
            load(&(account("city", "", "411000000000012345") + &account("county", "411024", "4110240000")));
        let config = config.unwrap();
        let debtors = config.payment.debtors().unwrap();
        let region = RegionCode::parse("region", "411024").unwrap();
        assert_eq!(debtors.find(Payer::County, &region).unwrap().0, Some(&region));
        assert!(config.to_masked_toml().unwrap().contains("[[payment.debtor]]"));
        let refused = load(&(account("state", "", "4110000000") + &account("city", "x", "41a")));
        let refused = refused.unwrap_err().to_string();
        for field in [
            "payment.debtor[0].payer",
            "payment.debtor[1].region",
            "payment.debtor[1].account",
        ] {
            assert!(refused.contains(field), "{refused}");
        }
    }
}
