//! The posting rules: one table that code, documentation and tests share.

use super::account::{Account, Bucket};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use std::fmt;

/// What kind of account an event gives from or to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The fund as a whole.
    Fund,
    /// A region, no programme.
    Region,
    /// A programme in a region.
    Programme,
}

/// What moves money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The fund receives money (收到资金).
    Receive,
    /// The fund gives money back to where it came from (上缴).
    Surrender,
    /// An allocation is released as quota (下达).
    Issue,
    /// Quota goes back to the fund (收回).
    Recover,
    /// A county adds money of its own (县级配套).
    Contribute,
    /// A county takes its own money out again.
    Retract,
    /// A county assigns quota to a programme (安排).
    Assign,
    /// A county takes quota back from a programme.
    Unassign,
    /// An approved claim binds quota (冻结).
    Reserve,
    /// A claim that ends unpaid frees it (解冻).
    Release,
    /// A payment is sent to the bank (支付).
    Instruct,
    /// The bank confirms it.
    Settle,
    /// The bank rejects it (退票).
    Fail,
    /// Money that was paid comes back (退回).
    Return,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 14] = [
        Self::Receive,
        Self::Surrender,
        Self::Issue,
        Self::Recover,
        Self::Contribute,
        Self::Retract,
        Self::Assign,
        Self::Unassign,
        Self::Reserve,
        Self::Release,
        Self::Instruct,
        Self::Settle,
        Self::Fail,
        Self::Return,
    ];

    /// The table: the bucket and level of the account that gives, and of the one that takes.
    pub const fn rule(self) -> ((Bucket, Level), (Bucket, Level)) {
        use Bucket::{InPayment, Paid, Quota, Reserved, Source, Surrendered, Unallocated};
        use Level::{Fund, Programme, Region};
        match self {
            Self::Receive => ((Source, Fund), (Unallocated, Fund)),
            Self::Surrender => ((Unallocated, Fund), (Surrendered, Fund)),
            Self::Issue => ((Unallocated, Fund), (Quota, Region)),
            Self::Recover => ((Quota, Region), (Unallocated, Fund)),
            Self::Contribute => ((Source, Region), (Quota, Region)),
            Self::Retract => ((Quota, Region), (Source, Region)),
            Self::Assign => ((Quota, Region), (Quota, Programme)),
            Self::Unassign => ((Quota, Programme), (Quota, Region)),
            Self::Reserve => ((Quota, Programme), (Reserved, Programme)),
            Self::Release => ((Reserved, Programme), (Quota, Programme)),
            Self::Instruct => ((Reserved, Programme), (InPayment, Programme)),
            Self::Settle => ((InPayment, Programme), (Paid, Programme)),
            Self::Fail => ((InPayment, Programme), (Reserved, Programme)),
            Self::Return => ((Paid, Programme), (Quota, Programme)),
        }
    }

    /// Whose money the event may move.
    pub const fn payers(self) -> &'static [Payer] {
        match self {
            Self::Receive | Self::Surrender | Self::Issue | Self::Recover => &[Payer::City],
            Self::Contribute | Self::Retract => &[Payer::County],
            _ => &Payer::ALL,
        }
    }

    /// Whether a person posts it by itself, and may take it back by a reversing entry. What follows from an
    /// allocation, a claim or a payment is taken back there.
    pub const fn is_manual(self) -> bool {
        matches!(
            self,
            Self::Receive
                | Self::Surrender
                | Self::Contribute
                | Self::Retract
                | Self::Assign
                | Self::Unassign
        )
    }

    /// The code used in the API, in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Surrender => "surrender",
            Self::Issue => "issue",
            Self::Recover => "recover",
            Self::Contribute => "contribute",
            Self::Retract => "retract",
            Self::Assign => "assign",
            Self::Unassign => "unassign",
            Self::Reserve => "reserve",
            Self::Release => "release",
            Self::Instruct => "instruct",
            Self::Settle => "settle",
            Self::Fail => "fail",
            Self::Return => "return",
        }
    }

    /// The names that people read.
    pub fn name(self) -> Bilingual {
        let zh = match self {
            Self::Receive => "收到资金",
            Self::Surrender => "上缴",
            Self::Issue => "下达",
            Self::Recover => "收回",
            Self::Contribute => "县级配套",
            Self::Retract => "退出配套",
            Self::Assign => "安排",
            Self::Unassign => "撤销安排",
            Self::Reserve => "冻结",
            Self::Release => "解冻",
            Self::Instruct => "支付",
            Self::Settle => "支付成功",
            Self::Fail => "支付失败",
            Self::Return => "退回",
        };
        Bilingual::new(self.code(), zh)
    }

    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let found = Self::ALL.into_iter().find(|event| event.code() == text);
        found.ok_or_else(|| {
            let codes = Self::ALL.map(Self::code).join(", ");
            Violation::new(
                field,
                text,
                format!("one of {codes}"),
                format!("下列之一:{codes}"),
            )
        })
    }

    /// The accounts that an event moves money between.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] where the payer, region or programme is not one that the event has.
    pub fn accounts(
        self,
        payer: Payer,
        region: Option<&RegionCode>,
        programme: Option<&ProgrammeCode>,
    ) -> Result<(Account, Account), Error> {
        let (from, to) = self.rule();
        let account = |(bucket, level): (Bucket, Level)| {
            let (region, programme) = match level {
                Level::Fund => (None, None),
                Level::Region => (Some(region?), None),
                Level::Programme => (Some(region?), Some(programme?)),
            };
            Some(Account {
                payer,
                region: region.cloned(),
                programme: programme.cloned(),
                bucket,
            })
        };
        match (account(from), account(to)) {
            (Some(from), Some(to)) if self.payers().contains(&payer) => Ok((from, to)),
            _ => Err(Error::internal(format!(
                "{self} of {payer} without what it needs"
            ))),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_moves_money_between_two_accounts_and_has_its_opposite_or_a_reason() {
        let opposite = |event: Event| match event {
            Event::Issue => Some(Event::Recover),
            Event::Contribute => Some(Event::Retract),
            Event::Assign => Some(Event::Unassign),
            Event::Reserve => Some(Event::Release),
            Event::Instruct => Some(Event::Fail),
            _ => None,
        };
        for event in Event::ALL {
            let (from, to) = event.rule();
            assert_ne!(from, to, "{event}");
            assert_eq!(Event::parse("event", event.code()), Ok(event));
            if let Some(opposite) = opposite(event) {
                assert_eq!(opposite.rule(), (to, from), "{event}");
            }
        }
    }

    #[test]
    fn the_documentation_shows_this_table() {
        let shown = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/LEDGER.md")).unwrap();
        for event in Event::ALL {
            let ((from, from_level), (to, to_level)) = event.rule();
            let level = |level| match level {
                Level::Fund => "fund",
                Level::Region => "region",
                Level::Programme => "programme",
            };
            let row = format!(
                "| `{event}` | {} | {} ({}) | {} ({}) |",
                event.name().zh,
                from.code(),
                level(from_level),
                to.code(),
                level(to_level)
            );
            assert!(shown.contains(&row), "docs/LEDGER.md lacks: {row}");
        }
    }
}
