//! Where the money of a fund is: by region, programme and payer, so that it adds up both ways.

use super::account::{Account, Bucket};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use std::collections::BTreeMap;

/// A line of a fund's status.
///
/// In every line and in every sum of lines, `issued + assigned = available + reserved + in_payment + paid`;
/// over all lines, `received = surrendered + unallocated + issued`, and nothing is left of `assigned`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusLine {
    /// The region; none for the fund as a whole, and in a total.
    pub region: Option<RegionCode>,
    /// The programme; none for what is not assigned to one, and in sums over programmes.
    pub programme: Option<ProgrammeCode>,
    /// Whose money; none in sums over payers.
    pub payer: Option<Payer>,
    /// What came in, less what came in by mistake and was reversed.
    pub received: Money,
    /// What was given back to where it came from.
    pub surrendered: Money,
    /// What the fund holds and has not issued.
    pub unallocated: Money,
    /// What the issued allocations give, whole.
    pub allocated: Money,
    /// What is out as quota, net: issued less recovered, contributed less retracted.
    pub issued: Money,
    /// What programmes were assigned, net: above zero for a programme, below zero for the region that
    /// assigned it.
    pub assigned: Money,
    /// What may be spent.
    pub available: Money,
    /// What approved claims bind.
    pub reserved: Money,
    /// What the bank was told to pay and has not confirmed.
    pub in_payment: Money,
    /// What was paid and has not come back.
    pub paid: Money,
    /// What was paid and came back; it is available again.
    pub returned: Money,
}

impl StatusLine {
    const fn empty(
        region: Option<RegionCode>,
        programme: Option<ProgrammeCode>,
        payer: Option<Payer>,
    ) -> Self {
        Self {
            region,
            programme,
            payer,
            received: Money::ZERO,
            surrendered: Money::ZERO,
            unallocated: Money::ZERO,
            allocated: Money::ZERO,
            issued: Money::ZERO,
            assigned: Money::ZERO,
            available: Money::ZERO,
            reserved: Money::ZERO,
            in_payment: Money::ZERO,
            paid: Money::ZERO,
            returned: Money::ZERO,
        }
    }

    /// The sum of what may be spent, is bound, under way and paid.
    fn held(&self) -> Money {
        [self.available, self.reserved, self.in_payment, self.paid]
            .into_iter()
            .sum()
    }

    fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.received, other.received),
            (&mut self.surrendered, other.surrendered),
            (&mut self.unallocated, other.unallocated),
            (&mut self.allocated, other.allocated),
            (&mut self.issued, other.issued),
            (&mut self.assigned, other.assigned),
            (&mut self.available, other.available),
            (&mut self.reserved, other.reserved),
            (&mut self.in_payment, other.in_payment),
            (&mut self.paid, other.paid),
            (&mut self.returned, other.returned),
        ] {
            *sum = [*sum, part].into_iter().sum();
        }
    }
}

/// The status of a fund: the fund as a whole first, then for each region and payer what is not assigned,
/// followed by its programmes.
///
/// `allocated` is what the issued allocations give each region, `returned` the turnover of what came back
/// by the account that had been paid from.
pub fn status(
    balances: impl IntoIterator<Item = (Account, Money)>,
    allocated: &BTreeMap<RegionCode, Money>,
    returned: &BTreeMap<Account, Money>,
) -> Vec<StatusLine> {
    let mut lines = Lines::default();
    lines.of(None, Payer::City, None);
    for (account, balance) in balances {
        let line = lines.of(account.region.as_ref(), account.payer, account.programme.as_ref());
        match account.bucket {
            Bucket::Source => line.received = negated(balance),
            Bucket::Surrendered => line.surrendered = balance,
            Bucket::Unallocated => line.unallocated = balance,
            Bucket::Quota => line.available = balance,
            Bucket::Reserved => line.reserved = balance,
            Bucket::InPayment => line.in_payment = balance,
            Bucket::Paid => line.paid = balance,
        }
    }
    for (region, amount) in allocated {
        lines.of(Some(region), Payer::City, None).allocated = *amount;
    }
    for (account, amount) in returned {
        let line = lines.of(account.region.as_ref(), account.payer, account.programme.as_ref());
        line.returned = *amount;
    }
    let mut assigned: BTreeMap<(Option<RegionCode>, Payer), Money> = BTreeMap::new();
    for ((region, payer, programme), line) in &mut lines.0 {
        if programme.is_some() {
            line.assigned = line.held();
            let sum = assigned.entry((region.clone(), *payer)).or_default();
            *sum = [*sum, line.assigned].into_iter().sum();
        }
    }
    // A programme has nothing but what its region assigned to it; the region's line is there to say so.
    for ((region, payer), amount) in assigned {
        let line = lines.of(region.as_ref(), payer, None);
        line.assigned = negated(amount);
    }
    for ((region, _, programme), line) in &mut lines.0 {
        if region.is_some() && programme.is_none() {
            line.issued = line.held().checked_sub(line.assigned).unwrap_or_default();
        }
    }
    lines.0.into_values().collect()
}

/// The status by region and payer: the fund as a whole, then each region with its programmes.
pub fn by_region(lines: &[StatusLine]) -> Vec<StatusLine> {
    let mut regions = Lines::default();
    for line in lines {
        let payer = line.payer.unwrap_or(Payer::City);
        regions.of(line.region.as_ref(), payer, None).add(line);
    }
    regions.0.into_values().collect()
}

/// The sum of all lines.
pub fn total(lines: &[StatusLine]) -> StatusLine {
    let mut total = StatusLine::empty(None, None, None);
    for line in lines {
        total.add(line);
    }
    total
}

/// Lines in the order in which they are read.
#[derive(Default)]
struct Lines(BTreeMap<(Option<RegionCode>, Payer, Option<ProgrammeCode>), StatusLine>);

impl Lines {
    fn of(
        &mut self,
        region: Option<&RegionCode>,
        payer: Payer,
        programme: Option<&ProgrammeCode>,
    ) -> &mut StatusLine {
        let key = (region.cloned(), payer, programme.cloned());
        self.0
            .entry(key)
            .or_insert_with_key(|key| StatusLine::empty(key.0.clone(), key.2.clone(), Some(payer)))
    }
}

fn negated(amount: Money) -> Money {
    Money::ZERO.checked_sub(amount).unwrap_or_default()
}
