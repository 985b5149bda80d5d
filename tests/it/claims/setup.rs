//! A county with quota, policies and people: what stories of claims begin with.

use crate::harness::{Client, Running, World, id, inner};
use crate::ledger::{line, own};
use incentive_fund::domain::subsidy::{DeedTaxLawDocument, PolicyDocument, ProgrammeDocument};
use incentive_fund::grpc::pb;
use incentive_fund::shipped;
use std::collections::BTreeMap;
use tonic::Status;

/// Weidu, which has no policy of its own: the city's holds, 40 % from the city, five days of public notice.
pub const REGION: &str = "411002";
pub const PURCHASE: &str = "housing-purchase";

/// What one claim of the base facts comes to: 88.5 × 200, of which 40 % from the city.
pub const AMOUNT: &str = "17700.00";
pub const CITY: &str = "7080.00";
pub const COUNTY: &str = "10620.00";

/// A server whose fund `f` has so much assigned to housing purchases in Weidu by the city and by the county;
/// somebody who hands claims in, and somebody who decides on them.
pub async fn ready(world: &World, city: &str, county: &str) -> (Running, Client, Client) {
    let (server, mut maker, _, _) = crate::ledger::office(world).await;
    import_rules(&mut maker).await;
    quota(&mut maker, city, county).await;
    let clerk = maker.named("经办人");
    let chief = maker.named("审批人");
    (server, clerk, chief)
}

/// Adds to what is assigned; an empty amount adds nothing.
pub async fn quota(client: &mut Client, city: &str, county: &str) {
    let mut lines = Vec::new();
    if !city.is_empty() {
        lines.push(line(REGION, PURCHASE, city));
    }
    if !county.is_empty() {
        client.contribute("f", REGION, county).await.unwrap();
        lines.push(own(REGION, PURCHASE, county));
    }
    client.assign("f", lines).await.unwrap();
}

/// All programmes, the law and all policies that come with the program.
pub async fn import_rules(client: &mut Client) {
    let programmes = shipped::PROGRAMMES
        .into_iter()
        .map(|(_, text)| ProgrammeDocument::from_toml(text).unwrap().into())
        .collect();
    let request = pb::ImportProgrammesRequest {
        programmes,
        request_id: id(),
        validate_only: false,
    };
    inner(client.policies.import_programmes(request).await);
    let law = DeedTaxLawDocument::from_toml(shipped::DEED_TAX_LAW).unwrap();
    let request = pb::ImportDeedTaxLawRequest {
        document: Some(law.into()),
        request_id: id(),
        validate_only: false,
    };
    inner(client.policies.import_deed_tax_law(request).await);
    for (name, _) in shipped::POLICIES {
        create_policy(client, policy(name.trim_end_matches(".toml"))).await;
    }
}

pub fn policy(policy_id: &str) -> pb::PolicyDocument {
    let (_, text) = shipped::POLICIES
        .into_iter()
        .find(|(name, _)| *name == format!("{policy_id}.toml"))
        .unwrap();
    PolicyDocument::from_toml(text).unwrap().into()
}

pub async fn create_policy(client: &mut Client, document: pb::PolicyDocument) -> pb::PolicyRevision {
    let request = pb::CreatePolicyRequest {
        document: Some(document),
        request_id: id(),
        validate_only: false,
    };
    inner(client.policies.create_policy(request).await)
        .policy
        .unwrap()
}

/// The city's policy of housing purchases without a public notice, so that claims can be paid at once.
pub async fn without_notice(client: &mut Client) {
    let mut document = policy("xuchang-housing-purchase-2024");
    document.notice_days = "0".to_owned();
    create_policy(client, document).await;
}

/// A resident identity number that nobody has but whose check character is right (GB 11643-1999).
pub fn id_number(n: usize) -> String {
    let digits = format!(
        "411002{:04}{:02}{:02}{:03}",
        1950 + n / 3000 % 50,
        n / 250 % 12 + 1,
        n / 1000 % 28 + 1,
        n % 1000
    );
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: usize = digits
        .bytes()
        .zip(weights)
        .map(|(digit, weight)| usize::from(digit - b'0') * weight)
        .sum();
    format!("{digits}{}", char::from(b"10X98765432"[sum % 11]))
}

/// A name that nobody has.
pub fn name(n: usize) -> String {
    let digits: String = n
        .to_string()
        .chars()
        .map(|digit| "零壹贰叁肆伍陆柒捌玖".chars().nth(digit as usize - 48).unwrap())
        .collect();
    format!("令狐试例{digits}")
}

pub fn person(n: usize) -> pb::Person {
    pb::Person {
        name: name(n),
        id_number: id_number(n),
    }
}

pub fn account(n: usize) -> String {
    format!("622200{:013}", 7_000_000_000_000 + n)
}

pub fn phone(n: usize) -> String {
    format!("139{:08}", 70_000_000 + n)
}

pub fn home(n: usize) -> String {
    format!("411002GB{:06}F{:08}", 99_999, n)
}

/// A claim of family `n`, of a couple; no other family shares anything with it.
pub fn claim(n: usize) -> pb::ClaimInput {
    let facts = [
        ("registration", "rural"),
        ("first_home", "true"),
        ("new_home", "true"),
        ("location", "county_seat"),
        ("contract_date", "2024-08-01"),
        ("filing_date", "2024-08-20"),
        ("area", "88.5"),
        ("price", "800000"),
        ("subsidised_before", "false"),
    ];
    pb::ClaimInput {
        fund: "funds/f".to_owned(),
        region: format!("regions/{REGION}"),
        programme: format!("programmes/{PURCHASE}"),
        facts: facts
            .map(|(code, text)| (code.to_owned(), text.to_owned()))
            .into(),
        documents: ["household_register", "contract", "filing"]
            .map(str::to_owned)
            .into(),
        applicant: Some(person(2 * n)),
        household: vec![person(2 * n + 1)],
        phone: phone(n),
        payee: Some(pb::PayeeAccount {
            name: name(2 * n),
            account: account(n),
            bank_name: "中国工商银行许昌分行".to_owned(),
            bank_code: "102100099996".to_owned(),
        }),
        home: home(n),
    }
}

/// The same claim with other facts.
pub fn with_facts(mut claim: pb::ClaimInput, facts: &[(&str, &str)]) -> pb::ClaimInput {
    claim.facts.extend(
        facts
            .iter()
            .map(|(code, text)| ((*code).to_owned(), (*text).to_owned())),
    );
    claim
}

/// The rest of a claim's facts as a claim for deed tax needs them.
pub fn tax_facts() -> BTreeMap<String, String> {
    [
        ("registration", "rural"),
        ("home_order", "first"),
        ("new_home", "true"),
        ("location", "county_seat"),
        ("contract_date", "2024-08-01"),
        ("tax_date", "2024-12-01"),
        ("area", "120"),
        ("price", "654000"),
        ("price_without_vat", "600000"),
        ("tax_paid", "6000"),
        ("subsidised_before", "false"),
    ]
    .map(|(code, text)| (code.to_owned(), text.to_owned()))
    .into()
}

pub fn submission(claim: pb::ClaimInput) -> pb::SubmitClaimRequest {
    pb::SubmitClaimRequest {
        claim: Some(claim),
        request_id: id(),
        validate_only: false,
    }
}

pub fn message(claims: Vec<pb::ClaimInput>) -> pb::SubmitClaimsRequest {
    pb::SubmitClaimsRequest {
        claims,
        request_id: id(),
        validate_only: false,
    }
}

pub fn approval(name: &str) -> pb::ApproveClaimRequest {
    pb::ApproveClaimRequest {
        name: name.to_owned(),
        request_id: id(),
        ..Default::default()
    }
}

impl Client {
    pub async fn submit(&mut self, claim: pb::ClaimInput) -> Result<pb::Claim, Status> {
        let response = self.subsidies.submit_claim(submission(claim)).await?;
        Ok(response.into_inner().claim.unwrap())
    }

    /// Hands in messages one after the other in one stream.
    pub async fn submit_all(
        &mut self,
        messages: Vec<pb::SubmitClaimsRequest>,
    ) -> Result<Vec<pb::SubmitClaimsResponse>, Status> {
        let mut answers = (self.subsidies.submit_claims(tokio_stream::iter(messages)).await?).into_inner();
        let mut found = Vec::new();
        while let Some(answer) = answers.message().await? {
            found.push(answer);
        }
        Ok(found)
    }

    pub async fn change_all(
        &mut self,
        messages: Vec<pb::ChangeClaimsRequest>,
    ) -> Result<Vec<pb::ChangeClaimsResponse>, Status> {
        let mut answers = (self.subsidies.change_claims(tokio_stream::iter(messages)).await?).into_inner();
        let mut found = Vec::new();
        while let Some(answer) = answers.message().await? {
            found.push(answer);
        }
        Ok(found)
    }

    pub async fn approve_claim(&mut self, name: &str) -> Result<pb::Claim, Status> {
        let response = self.subsidies.approve_claim(approval(name)).await?;
        Ok(response.into_inner().claim.unwrap())
    }

    pub async fn approve_or_wait(&mut self, name: &str) -> Result<pb::Claim, Status> {
        let request = pb::ApproveClaimRequest {
            may_wait: true,
            ..approval(name)
        };
        Ok(self
            .subsidies
            .approve_claim(request)
            .await?
            .into_inner()
            .claim
            .unwrap())
    }

    pub async fn reject_claim(&mut self, name: &str) -> Result<pb::Claim, Status> {
        let request = pb::RejectClaimRequest {
            name: name.to_owned(),
            reason: "材料不符".to_owned(),
            request_id: id(),
            ..Default::default()
        };
        Ok(self
            .subsidies
            .reject_claim(request)
            .await?
            .into_inner()
            .claim
            .unwrap())
    }

    pub async fn withdraw_claim(&mut self, name: &str) -> Result<pb::Claim, Status> {
        let request = pb::WithdrawClaimRequest {
            name: name.to_owned(),
            reason: "申请人撤回".to_owned(),
            request_id: id(),
            ..Default::default()
        };
        Ok(self
            .subsidies
            .withdraw_claim(request)
            .await?
            .into_inner()
            .claim
            .unwrap())
    }

    pub async fn cancel_claim(&mut self, name: &str) -> Result<pb::Claim, Status> {
        let request = pb::CancelClaimRequest {
            name: name.to_owned(),
            reason: "合同解除".to_owned(),
            request_id: id(),
            ..Default::default()
        };
        Ok(self
            .subsidies
            .cancel_claim(request)
            .await?
            .into_inner()
            .claim
            .unwrap())
    }

    pub async fn object_to(&mut self, name: &str, text: &str) -> Result<pb::Claim, Status> {
        let request = pb::ObjectToClaimRequest {
            name: name.to_owned(),
            text: text.to_owned(),
            request_id: id(),
            validate_only: false,
        };
        Ok(self
            .subsidies
            .object_to_claim(request)
            .await?
            .into_inner()
            .claim
            .unwrap())
    }

    pub async fn resolve(&mut self, name: &str, upheld: bool) -> Result<pb::Claim, Status> {
        let request = pb::ResolveObjectionRequest {
            name: name.to_owned(),
            upheld,
            reason: "核查结果".to_owned(),
            request_id: id(),
            validate_only: false,
        };
        Ok(self
            .subsidies
            .resolve_objection(request)
            .await?
            .into_inner()
            .claim
            .unwrap())
    }

    pub async fn take_back(&mut self, name: &str, payer: &str, amount: &str) -> Result<pb::Claim, Status> {
        let request = pb::ReturnClaimRequest {
            name: name.to_owned(),
            payer: payer.to_owned(),
            amount: amount.to_owned(),
            reason: "退房退款".to_owned(),
            request_id: id(),
            validate_only: false,
        };
        Ok(self
            .subsidies
            .return_claim(request)
            .await?
            .into_inner()
            .claim
            .unwrap())
    }

    pub async fn reserve_waiting(&mut self) -> Result<Vec<pb::Claim>, Status> {
        let request = pb::ReserveWaitingClaimsRequest {
            fund: "funds/f".to_owned(),
            region: format!("regions/{REGION}"),
            programme: format!("programmes/{PURCHASE}"),
            request_id: id(),
            validate_only: false,
        };
        Ok(self
            .subsidies
            .reserve_waiting_claims(request)
            .await?
            .into_inner()
            .claims)
    }

    pub async fn claim(&mut self, name: &str) -> pb::GetClaimResponse {
        let request = pb::GetClaimRequest {
            name: name.to_owned(),
        };
        inner(self.subsidies.get_claim(request).await)
    }

    pub async fn claims(&mut self, request: pb::ListClaimsRequest) -> Vec<pb::Claim> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListClaimsRequest {
                parent: "funds/f".to_owned(),
                page_token,
                ..request.clone()
            };
            let page = inner(self.subsidies.list_claims(request).await);
            found.extend(page.claims);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    }

    pub async fn history(&mut self, name: &str) -> Vec<pb::ClaimEvent> {
        let request = pb::ListClaimHistoryRequest {
            parent: name.to_owned(),
            ..Default::default()
        };
        inner(self.subsidies.list_claim_history(request).await).events
    }

    /// City and county: what is free, and what is bound.
    pub async fn bound(&mut self) -> [String; 4] {
        let mut found = Vec::new();
        for account in ["city/quota", "city/reserved", "county/quota", "county/reserved"] {
            let (payer, bucket) = account.split_once('/').unwrap();
            found.push(
                self.balance("f", &format!("{payer}/{REGION}/{PURCHASE}/{bucket}"))
                    .await,
            );
        }
        found.try_into().unwrap()
    }

    /// Pays every payable claim: collected and frozen by this person, released and concluded by another.
    pub async fn pay_all(&mut self, settled: bool) {
        let mut cashier = self.named("出纳甲");
        let mut chief = self.named("出纳乙");
        let request = pb::CreateBatchRequest {
            fund: "funds/f".to_owned(),
            programme: format!("programmes/{PURCHASE}"),
            execution_date: incentive_fund::app::clock::today().unwrap().to_string(),
            request_id: id(),
            ..Default::default()
        };
        let batch = inner(cashier.disbursements.create_batch(request).await)
            .batch
            .unwrap()
            .name;
        let request = pb::FreezeBatchRequest {
            name: batch.clone(),
            request_id: id(),
            ..Default::default()
        };
        inner(cashier.disbursements.freeze_batch(request).await);
        let request = pb::ReleaseBatchRequest {
            name: batch.clone(),
            request_id: id(),
            ..Default::default()
        };
        inner(chief.disbursements.release_batch(request).await);
        let request = pb::ListPaymentsRequest {
            batch,
            page_size: 1_000,
            page_token: String::new(),
        };
        for payment in inner(chief.disbursements.list_payments(request).await).payments {
            let state = if settled {
                pb::PaymentState::Settled
            } else {
                pb::PaymentState::Failed
            };
            let request = pb::RecordPaymentResultRequest {
                reference: payment.reference,
                state: state.into(),
                date: if settled {
                    "2026-11-24".to_owned()
                } else {
                    String::new()
                },
                reason: if settled {
                    String::new()
                } else {
                    "户名不符".to_owned()
                },
                request_id: id(),
                ..Default::default()
            };
            inner(chief.disbursements.record_payment_result(request).await);
        }
    }
}
