//! Entries of the journal and their chain.

use super::account::Account;
use super::event::Event;
use crate::domain::allocation::{FundId, Signature};
use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::{Bilingual, Error};
use crate::domain::identity::Principal;
use crate::domain::money::Money;

/// What is to be posted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Posting {
    /// What happens.
    pub event: Event,
    /// The account that gives.
    pub from: Account,
    /// The account that takes.
    pub to: Account,
    /// How much; above zero.
    pub amount: Money,
    /// Resource name of what causes it, such as `allocations/…` or `funds/…/claims/12`.
    pub subject: String,
    /// The document it rests on, or another note; may be empty.
    pub note: String,
    /// The entry that this one takes back.
    pub reverses: Option<u64>,
}

/// An entry of a fund's journal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// Counted from 1 within the fund, without gaps.
    pub number: u64,
    /// Who and when; times never go back within a fund.
    pub signed: Signature,
    /// What was posted.
    pub posting: Posting,
    /// Balance of the account that gave, after the entry.
    pub from_balance: Money,
    /// Balance of the account that took, after the entry.
    pub to_balance: Money,
    /// Digest of the entry and of the one before it.
    pub digest: Digest,
}

/// What stands before the first entry of a fund.
pub(super) fn genesis(fund: &FundId) -> Digest {
    let mut digest = DigestBuilder::new("incentivefund.v1.Journal");
    digest.field(fund.as_str());
    digest.finish()
}

impl Posting {
    /// What the posting rules say against it; `None` where it follows them.
    ///
    /// A posting that takes back another goes the way of its event backwards.
    pub fn defect(&self) -> Option<String> {
        let (given, taken) = if self.reverses.is_some() {
            (&self.to, &self.from)
        } else {
            (&self.from, &self.to)
        };
        let programme = given.programme.as_ref().or(taken.programme.as_ref());
        let region = given.region.as_ref().or(taken.region.as_ref());
        let backwards = if self.reverses.is_some() {
            ", backwards"
        } else {
            ""
        };
        match self.event.accounts(given.payer, region, programme) {
            Ok((from, to)) if from == *given && to == *taken => None,
            Ok((from, to)) => Some(format!("{from} to {to}{backwards}")),
            Err(_) => Some(format!("the accounts of {}{backwards}", self.event)),
        }
    }

    /// The posting that takes back this one, which is entry `number`.
    pub fn reversal(&self, number: u64, subject: String, note: String) -> Self {
        Self {
            event: self.event,
            from: self.to.clone(),
            to: self.from.clone(),
            amount: self.amount,
            subject,
            note,
            reverses: Some(number),
        }
    }
}

impl Entry {
    /// Refuses a correction by whoever posted the entry: what one person got wrong, or wants undone, another sees.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] where both are one person, by name.
    pub fn check_second_person(&self, name: &str, by: &Principal) -> Result<(), Error> {
        if *by != self.signed.by {
            return Ok(());
        }
        Err(Error::Forbidden {
            reason: "REVERSER_POSTED_ENTRY",
            message: Bilingual::new(
                format!("{by} posted {name} and may not reverse it: another person must"),
                format!("{by} 是 {name} 的记账人,不得自行冲正,须由他人冲正"),
            ),
        })
    }

    /// The digest that an entry must have after one with the digest `before`.
    pub fn chained(&self, fund: &FundId, before: &Digest) -> Digest {
        let posting = &self.posting;
        let mut digest = DigestBuilder::new("incentivefund.v1.JournalEntry");
        digest
            .field(before.as_str())
            .field(fund.as_str())
            .field(&self.number.to_string())
            .field(self.signed.by.as_str())
            .field(&self.signed.at.to_string())
            .field(posting.event.code())
            .field(&posting.from.to_string())
            .field(&posting.to.to_string())
            .field(&posting.amount.fen().to_string())
            .field(&posting.subject)
            .field(&posting.note)
            .field(
                &posting
                    .reverses
                    .map(|number| number.to_string())
                    .unwrap_or_default(),
            );
        digest.finish()
    }
}
