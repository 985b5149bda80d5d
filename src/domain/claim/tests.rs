use super::*;
use crate::domain::allocation::{FundId, Signature};
use crate::domain::identity::Principal;
use crate::domain::ledger::{Account, Books, Bucket};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use proptest::prelude::*;
use time::macros::date;

fn yuan(amount: i64) -> Money {
    Money::from_fen(amount * 100).unwrap()
}

fn by(name: &str) -> Signature {
    Signature {
        by: Principal::parse(name).unwrap(),
        at: 1,
    }
}

fn claim() -> Claim {
    Claim {
        id: ClaimId {
            fund: FundId::parse("fund", "f").unwrap(),
            number: 1,
        },
        region: RegionCode::parse("region", "411081").unwrap(),
        programme: ProgrammeCode::parse("programme", "housing-purchase").unwrap(),
        policy: "p".to_owned(),
        policy_revision: 1,
        state: State::Submitted,
        version: 1,
        amount: yuan(100),
        parts: vec![
            Part::new(Payer::City, yuan(60)),
            Part::new(Payer::County, yuan(40)),
        ],
        notice: Notice::default(),
        submitted: by("clerk"),
        decided: None,
        waiting: 0,
        batch: 0,
        masked_name: "张*".to_owned(),
        masked_id: String::new(),
    }
}

const TODAY: time::Date = date!(2026 - 03 - 02);

#[test]
fn a_notice_holds_payment_until_the_day_after_its_last() {
    let mut claim = claim();
    claim.notice.days = 7;
    claim.reserve(by("approver"), TODAY).unwrap();
    assert_eq!(claim.notice.until, Some(date!(2026 - 03 - 08)));
    assert!(!claim.payable_on(date!(2026 - 03 - 08)));
    assert!(claim.payable_on(date!(2026 - 03 - 09)));
    claim.object().unwrap();
    assert!(!claim.payable_on(date!(2026 - 03 - 09)));
    assert_eq!(claim.resolve_objection(false).unwrap(), []);
    assert!(claim.payable_on(date!(2026 - 03 - 09)));
}

#[test]
fn an_upheld_objection_frees_the_money() {
    let mut claim = claim();
    claim.reserve(by("approver"), TODAY).unwrap();
    claim.object().unwrap();
    let released = claim.resolve_objection(true).unwrap();
    assert_eq!(
        released.iter().map(|posting| posting.amount).sum::<Money>(),
        yuan(100)
    );
    assert_eq!(claim.state, State::Rejected);
}

#[test]
fn who_submits_does_not_decide() {
    for decide in [
        |claim: &mut Claim| claim.reserve(by("clerk"), TODAY).map(drop),
        |claim: &mut Claim| claim.wait(by("clerk"), 1),
        |claim: &mut Claim| claim.reject(by("clerk")),
    ] {
        let mut claim = claim();
        let refused = decide(&mut claim).unwrap_err();
        assert!(matches!(
            refused,
            crate::domain::error::Error::Forbidden {
                reason: "APPROVER_IS_SUBMITTER",
                ..
            }
        ));
    }
}

#[test]
fn a_part_that_fails_is_paid_again_while_the_other_stays_paid() {
    let mut claim = claim();
    claim.reserve(by("approver"), TODAY).unwrap();
    claim.instruct().unwrap();
    claim.conclude(Payer::City, true).unwrap();
    claim.conclude(Payer::County, false).unwrap();
    assert_eq!(claim.state, State::Failed);
    assert!(claim.clone().cancel().is_err(), "the city's part is paid");
    claim.retry().unwrap();
    let again = claim.instruct().unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(claim.parts[1].attempts, 2);
    claim.conclude(Payer::County, true).unwrap();
    assert_eq!(claim.state, State::Paid);
    claim.take_back(Payer::City, yuan(59)).unwrap();
    assert_eq!(claim.state, State::Paid);
    assert!(claim.take_back(Payer::City, yuan(2)).is_err());
    claim.take_back(Payer::City, yuan(1)).unwrap();
    claim.take_back(Payer::County, yuan(40)).unwrap();
    assert_eq!(claim.state, State::Returned);
    assert!(!claim.state.holds_keys());
}

/// What a claim binds, by what its parts say.
fn bound(claim: &Claim, payer: Payer, bucket: Bucket) -> Money {
    let part = claim.parts.iter().find(|part| part.payer == payer).unwrap();
    match (bucket, part.state) {
        (Bucket::Reserved, PartState::Reserved | PartState::Failed)
        | (Bucket::InPayment, PartState::InPayment) => part.amount,
        (Bucket::Paid, PartState::Paid) => part.outstanding(),
        _ => Money::ZERO,
    }
}

proptest! {
    /// Whatever is done to a claim, in any order: the ledger holds what its parts say.
    #[test]
    fn parts_and_ledger_agree(steps in prop::collection::vec((0_u8..11, any::<bool>(), 1_i64..70), 0..40)) {
        let mut claim = claim();
        let mut books = Books::empty(claim.id.fund.clone());
        for payer in Payer::ALL {
            let quota = Account::new(payer, claim.region.clone(), Some(claim.programme.clone()), Bucket::Quota);
            books.load(quota, yuan(100));
        }
        for (step, flag, amount) in steps {
            let before = claim.clone();
            let payer = if flag { Payer::City } else { Payer::County };
            let outcome = match step {
                0 => claim.reserve(by("approver"), TODAY),
                1 => claim.wait(by("approver"), 3).map(|()| Vec::new()),
                2 => claim.reject(by("approver")).map(|()| Vec::new()),
                3 => claim.withdraw().map(|()| Vec::new()),
                4 => claim.cancel(),
                5 => claim.object().map(|_| Vec::new()),
                6 if claim.notice.open_objections > 0 => claim.resolve_objection(flag),
                7 => claim.instruct(),
                8 => claim.conclude(payer, amount % 3 > 0),
                9 => claim.retry().map(|()| Vec::new()),
                10 => claim.take_back(payer, yuan(amount)),
                _ => continue,
            };
            match outcome.and_then(|postings| books.post(postings, &by("approver"))) {
                Ok(()) => prop_assert_eq!(claim.version, before.version + 1),
                Err(_) => claim = before,
            }
            for payer in Payer::ALL {
                for bucket in [Bucket::Reserved, Bucket::InPayment, Bucket::Paid] {
                    let account = Account::new(payer, claim.region.clone(), Some(claim.programme.clone()), bucket);
                    prop_assert_eq!(books.balance(&account), bound(&claim, payer, bucket), "{} after {}", account, step);
                }
            }
        }
    }
}
