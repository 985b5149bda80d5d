//! Which claims a batch takes.

use super::MAX_CLAIMS;
use crate::app::records::ClaimFilter;
use crate::domain::access::Scope;
use crate::domain::allocation::FundId;
use crate::domain::claim::{Claim, Part, PartState, State};
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::money::Money;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::{ProgrammeCode, format_date};
use crate::store::Tx;
use time::Date;

/// Longest note, in characters.
const MAX_NOTE: usize = 500;
/// Furthest day, counted from today, on which the bank can be told to pay.
const MAX_DAYS_AHEAD: i64 = 366;

/// Which claims to collect.
#[derive(Debug, Clone)]
pub struct CreateBatch {
    /// The fund.
    pub fund: FundId,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Only of this region.
    pub region: Option<RegionCode>,
    /// When the bank is to pay.
    pub execution_date: Date,
    /// At most so many claims; 0 means [`MAX_CLAIMS`].
    pub max_claims: u64,
    /// At most so much money.
    pub max_amount: Option<Money>,
    /// A note; may be empty.
    pub note: String,
}

impl CreateBatch {
    pub(super) fn check(&self, today: Date) -> Result<(), Vec<Violation>> {
        let mut faults = Vec::new();
        let last = today.saturating_add(time::Duration::days(MAX_DAYS_AHEAD));
        if !(today..=last).contains(&self.execution_date) {
            let (from, to) = (format_date(today), format_date(last));
            faults.push(Violation::new(
                "execution_date",
                format_date(self.execution_date),
                format!("{from} (today) to {to}"),
                format!("{from}(今天)至 {to}"),
            ));
        }
        if self.max_claims > MAX_CLAIMS {
            faults.push(Violation::new(
                "max_claims",
                self.max_claims.to_string(),
                format!("at most {MAX_CLAIMS}; 0 means that many"),
                format!("至多 {MAX_CLAIMS};0 表示取此上限"),
            ));
        }
        if let Some(amount) = self.max_amount.filter(|amount| *amount <= Money::ZERO) {
            faults.push(Violation::new(
                "max_amount",
                amount.to_string(),
                "above 0",
                "大于 0",
            ));
        }
        let length = self.note.chars().count();
        if length > MAX_NOTE || self.note.chars().any(char::is_control) {
            faults.push(Violation::new(
                "note",
                format!("{length} characters"),
                format!("at most {MAX_NOTE} characters, no control characters"),
                format!("至多 {MAX_NOTE} 个字符,不含控制字符"),
            ));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

impl CreateBatch {
    /// Who reaches some regions only collects for one of them.
    pub(super) fn check_reach(&self, scope: &Scope) -> Result<(), Error> {
        match &self.region {
            Some(region) => scope.admit_region(region),
            None if scope.is_all() => Ok(()),
            None => Err(Violation::new("region", "", "a region of yours", "本人所辖的地区").into()),
        }
    }
}

/// The payable claims that a batch takes, by number.
pub(super) async fn collect(tx: &Tx, create: &CreateBatch, today: Date) -> Result<Vec<Claim>, Error> {
    let filter = ClaimFilter {
        region: create.region.clone(),
        programme: Some(create.programme.clone()),
        state: Some(State::Reserved),
        batch: Some(0),
        ..ClaimFilter::default()
    };
    let most = match create.max_claims {
        0 => MAX_CLAIMS,
        most => most,
    };
    let mut chosen: Vec<Claim> = Vec::new();
    let mut amount = Money::ZERO;
    let (mut noticed, mut objected, mut after) = (0_u64, 0_u64, 0);
    'pages: loop {
        let page = (tx.list_claims(&create.fund, &Scope::All, &filter, after, MAX_CLAIMS)).await?;
        let Some(last) = page.last() else { break };
        after = last.id.number;
        for claim in page {
            if !claim.payable_on(today) {
                let held = claim.notice.open_objections > 0;
                objected += u64::from(held);
                noticed += u64::from(!held);
                continue;
            }
            let due = due(&claim)?;
            let with = amount.checked_add(due);
            let fits = with.filter(|with| create.max_amount.is_none_or(|most| *with <= most));
            let Some(with) = fits else {
                if chosen.is_empty() {
                    return Err(too_much(create, &claim, due));
                }
                break 'pages;
            };
            amount = with;
            chosen.push(claim);
            if chosen.len() as u64 == most {
                break 'pages;
            }
        }
    }
    if chosen.is_empty() {
        return Err(nothing_payable(create, noticed, objected));
    }
    Ok(chosen)
}

fn nothing_payable(create: &CreateBatch, noticed: u64, objected: u64) -> Error {
    let CreateBatch { fund, programme, .. } = create;
    let (place_en, place_zh) = match &create.region {
        Some(region) => (format!(" in region {region}"), format!("地区 {region} ")),
        None => Default::default(),
    };
    Error::State {
        name: format!("funds/{fund}"),
        reason: "NOTHING_PAYABLE",
        message: Bilingual::new(
            format!(
                "fund {fund} has no claim for {programme}{place_en} that can be paid now: of those with money \
                 bound and in no batch, {noticed} are under public notice and {objected} are held by objections"
            ),
            format!(
                "资金 {fund} 中{place_zh}没有可支付的 {programme} 申请:已冻结指标且未列入批次的申请中,\
                 {noticed} 件在公示期,{objected} 件有异议未处理"
            ),
        ),
    }
}

fn too_much(create: &CreateBatch, claim: &Claim, due: Money) -> Error {
    let most = create.max_amount.unwrap_or(Money::MAX);
    let id = &claim.id;
    Error::State {
        name: id.to_string(),
        reason: "LIMIT_BELOW_FIRST_CLAIM",
        message: Bilingual::new(
            format!("{id} comes first and is due {due}, which is more than max_amount {most}"),
            format!("排在最前的 {id} 应付 {due},超过批次金额上限 {most}"),
        ),
    }
}

pub(super) fn is_bound(part: &Part) -> bool {
    part.state == PartState::Reserved
}

/// What is to be paid of a claim: its bound parts; what was paid before is not paid again.
fn due(claim: &Claim) -> Result<Money, Error> {
    let parts = claim.parts.iter().filter(|part| is_bound(part));
    total(parts.map(|part| part.amount))
}

/// How many payments claims will have, and their sum.
pub(super) fn sum(claims: &[Claim]) -> Result<(u64, Money), Error> {
    let parts = || {
        claims
            .iter()
            .flat_map(|claim| claim.parts.iter().filter(|part| is_bound(part)))
    };
    Ok((parts().count() as u64, total(parts().map(|part| part.amount))?))
}

pub(super) fn total(mut amounts: impl Iterator<Item = Money>) -> Result<Money, Error> {
    amounts
        .try_fold(Money::ZERO, |sum, amount| sum.checked_add(amount))
        .ok_or_else(|| Error::internal("a sum beyond the limits"))
}
