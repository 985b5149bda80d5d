//! Claims handed in and decided on many at a time: each row does what a call of its own would do, in their order.

use super::{Model, Player};
use crate::bureau::{Call, claim_name, number_of};
use crate::harness::{Client, id};
use incentive_fund::grpc::pb;
use std::collections::BTreeMap;

/// Most rows of a message.
const ROWS: u64 = 12;

/// Sends a message of rows, sometimes twice, sometimes to be checked only; counts the rows that were carried out.
pub async fn send(
    player: &mut Player,
    model: &mut Model,
    by: &str,
    client: &mut Client,
    done: &mut BTreeMap<String, u64>,
) {
    let count = 1 + player.random.below(ROWS);
    let times = if player.random.once_in(5) { 2 } else { 1 };
    let validate_only = player.random.once_in(8);
    let (calls, outcomes): (Vec<Call>, Vec<Vec<pb::ClaimOutcome>>) = if player.random.once_in(2) {
        let claims: Vec<pb::ClaimInput> = (0..count).map(|_| player.submission()).collect();
        let calls = claims.iter().map(|claim| {
            let claim = Some(claim.clone());
            pb::SubmitClaimRequest {
                claim,
                ..Default::default()
            }
            .into()
        });
        let calls = calls.collect();
        let message = pb::SubmitClaimsRequest {
            claims,
            request_id: id(),
            validate_only,
        };
        let answers = client.submit_all(vec![message; times]).await.unwrap();
        (calls, answers.into_iter().map(|answer| answer.outcomes).collect())
    } else {
        let changes: Vec<pb::ClaimChange> = (0..count).filter_map(|_| player.change(model)).collect();
        if changes.is_empty() {
            return;
        }
        let calls = changes.iter().map(call_of).collect();
        let message = pb::ChangeClaimsRequest {
            changes,
            request_id: id(),
            validate_only,
        };
        let answers = client.change_all(vec![message; times]).await.unwrap();
        (calls, answers.into_iter().map(|answer| answer.outcomes).collect())
    };
    assert_eq!(outcomes.len(), times);
    assert!(
        outcomes.iter().all(|again| *again == outcomes[0]),
        "a message twice"
    );
    assert_eq!(outcomes[0].len(), calls.len());
    let mut after = model.clone();
    for (call, outcome) in calls.iter().zip(&outcomes[0]) {
        // Many rows in one message name a fault of a field by a shorter code.
        let reason = match outcome.reason.as_str() {
            "INVALID" => "INVALID_FIELDS",
            reason => reason,
        };
        match after.carry_out(by, call) {
            Ok(()) => {
                assert_eq!(reason, "", "{by} {call:?} {outcome:?}");
                let claim = after.claim(number_of(&outcome.name));
                assert_eq!(outcome.state, claim.state, "{call:?}");
                let kind = format!("{call:?}");
                let kind = kind.split('(').next().unwrap().to_owned();
                *done.entry(format!("{kind} in a stream")).or_default() += 1;
            }
            Err(faults) => assert!(faults.contains(&reason), "{by} {call:?}: {faults:?} {outcome:?}"),
        }
    }
    if !validate_only {
        *model = after;
    }
}

impl Player {
    /// A row that changes a claim; none where there is no claim.
    fn change(&mut self, model: &Model) -> Option<pb::ClaimChange> {
        let (action, states): (&str, &[&str]) = match self.random.below(8) {
            0..5 => ("approve", &["submitted"]),
            5 => ("reject", &["submitted"]),
            6 => ("withdraw", &["submitted", "approved"]),
            _ => ("cancel", &["approved", "reserved", "failed"]),
        };
        let approves = action == "approve";
        Some(pb::ClaimChange {
            name: claim_name(self.claim(model, states)?),
            action: action.to_owned(),
            may_wait: approves && self.random.once_in(2),
            reason: if approves {
                String::new()
            } else {
                "原因".to_owned()
            },
            etag: self.etag(),
        })
    }
}

/// The call of its own that does the same.
fn call_of(change: &pb::ClaimChange) -> Call {
    let pb::ClaimChange {
        name,
        action,
        may_wait,
        reason,
        etag,
    } = change.clone();
    match action.as_str() {
        "approve" => pb::ApproveClaimRequest {
            name,
            etag,
            may_wait,
            ..Default::default()
        }
        .into(),
        "reject" => pb::RejectClaimRequest {
            name,
            etag,
            reason,
            ..Default::default()
        }
        .into(),
        "withdraw" => pb::WithdrawClaimRequest {
            name,
            etag,
            reason,
            ..Default::default()
        }
        .into(),
        _ => pb::CancelClaimRequest {
            name,
            etag,
            reason,
            ..Default::default()
        }
        .into(),
    }
}
