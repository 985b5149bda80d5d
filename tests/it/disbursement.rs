//! Payment batches from collecting claims to the bank's last answer, on both databases.

use crate::harness::{Client, Running, World, id, inner, refused, stories};
use crate::ledger::{issued, line, own};
use crate::payment_files::xmllint;
use calamine::Reader;
use incentive_fund::app::App;
use incentive_fund::app::vault::Vault;
use incentive_fund::domain::allocation::FundId;
use incentive_fund::domain::identity::ResidentId;
use incentive_fund::domain::subsidy::{PolicyDocument, ProgrammeDocument};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::export_batch_response::Content as Exported;
use incentive_fund::grpc::pb::import_results_request::Content;
use incentive_fund::shipped;
use incentive_fund::store::{Store, StoreOptions};
use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tonic::{Code, Status};

stories!(
    a_batch_lives_from_draft_to_closed,
    a_part_that_failed_is_paid_in_a_second_batch,
    limits_and_what_is_held_decide_what_is_collected,
    who_prepared_a_batch_does_not_release_it,
    what_is_not_in_order_is_refused,
    results_are_taken_once,
    a_table_answers_the_city_and_a_report_a_whole_county,
    a_thousand_claims_go_to_the_bank_at_once,
    keys_change_and_orders_stay_as_they_were,
    the_command_line_pays,
);

/// Claims of Yanling and of Yuzhou, approved; 2,000.00 each, 1,400.00 of the city and 600.00 of the county.
pub struct Office {
    pub server: Running,
    pub maker: Client,
    pub checker: Client,
    cashier: Client,
}

pub const YANLING: &str = "411024";
pub const YUZHOU: &str = "411081";
/// The shipped policies are in force until then; claims are assessed by the date of the certificate.
const LATER: &str = "2024-06-10";

impl Office {
    pub async fn open(world: &World, claims: &[&str]) -> Self {
        let server = world.serve().await;
        let mut maker = server.client("经办人").await;
        let mut checker = server.client("审核人").await;
        let cashier = server.client("出纳").await;
        issued(&mut maker, &mut checker).await;
        for region in [YANLING, YUZHOU] {
            maker.contribute("f", region, "1000000.00").await.unwrap();
        }
        let quota = [YANLING, YUZHOU].map(|region| {
            [
                line(region, "training", "2000000.00"),
                own(region, "training", "1000000.00"),
            ]
        });
        maker.assign("f", quota.concat()).await.unwrap();
        let programmes = shipped::PROGRAMMES.into_iter();
        let programmes = programmes.map(|(_, text)| ProgrammeDocument::from_toml(text).unwrap().into());
        let request = pb::ImportProgrammesRequest {
            programmes: programmes.collect(),
            request_id: id(),
            validate_only: false,
        };
        inner(maker.policies.import_programmes(request).await);
        for policy in ["xuchang-training-2024.toml", "xuchang-housing-purchase-2024.toml"] {
            let (_, text) = shipped::POLICIES
                .into_iter()
                .find(|(name, _)| *name == policy)
                .unwrap();
            let request = pb::CreatePolicyRequest {
                document: Some(PolicyDocument::from_toml(text).unwrap().into()),
                request_id: id(),
                validate_only: false,
            };
            inner(maker.policies.create_policy(request).await);
        }
        let mut office = Self {
            server,
            maker,
            checker,
            cashier,
        };
        for (at, region) in claims.iter().enumerate() {
            office.claim(region, at).await;
        }
        office
    }

    /// Hands in a claim, and approves it.
    pub async fn claim(&mut self, region: &str, at: usize) -> pb::Claim {
        let request = pb::SubmitClaimRequest {
            claim: Some(claim(region, at)),
            request_id: id(),
            validate_only: false,
        };
        let claim = inner(self.maker.subsidies.submit_claim(request).await)
            .claim
            .unwrap();
        let request = pb::ApproveClaimRequest {
            name: claim.name,
            request_id: id(),
            ..Default::default()
        };
        inner(self.checker.subsidies.approve_claim(request).await)
            .claim
            .unwrap()
    }

    /// A batch of all payable claims, frozen and released.
    async fn released(&mut self) -> pb::PaymentBatch {
        let draft = self.maker.collect(request()).await.unwrap();
        self.maker.freeze(&draft.name).await.unwrap();
        self.checker.release(&draft.name).await.unwrap()
    }
}

/// A person's number in the order of birth; no such persons.
fn id_number(at: usize) -> String {
    let first = format!("41102419900101{at:03}");
    "0123456789X"
        .chars()
        .map(|check| format!("{first}{check}"))
        .find(|text| ResidentId::parse("id", text).is_ok())
        .unwrap()
}

fn name(at: usize) -> String {
    let second = ["伟", "芳", "娜", "敏", "静", "强", "磊", "洋", "勇", "艳"];
    format!("测{}{}", second[at / 10 % 10], second[at % 10])
}

fn account(at: usize) -> String {
    format!("62220200000000{at:05}")
}

pub fn claim(region: &str, at: usize) -> pb::ClaimInput {
    let facts = [
        ("registration", "rural"),
        ("residence_permit", "false"),
        ("level", "senior"),
        ("in_demand", "false"),
        ("certificate_date", "2024-05-31"),
        ("application_date", LATER),
        ("training_fee", "3000"),
    ];
    pb::ClaimInput {
        fund: "funds/f".to_owned(),
        region: format!("regions/{region}"),
        programme: "programmes/training".to_owned(),
        facts: facts
            .map(|(code, text)| (code.to_owned(), text.to_owned()))
            .into(),
        documents: vec!["certificate".to_owned()],
        applicant: Some(pb::Person {
            name: name(at),
            id_number: id_number(at),
        }),
        payee: Some(payee(at, &account(at))),
        ..Default::default()
    }
}

fn payee(at: usize, account: &str) -> pb::PayeeAccount {
    pb::PayeeAccount {
        name: name(at),
        account: account.to_owned(),
        bank_name: "中原银行许昌分行".to_owned(),
        bank_code: "313491099996".to_owned(),
    }
}

/// Ten days from now, which is after today in China whatever the time.
pub fn execution_date() -> String {
    let day = time::OffsetDateTime::now_utc().date() + time::Duration::days(10);
    day.to_string()
}

pub fn request() -> pb::CreateBatchRequest {
    pb::CreateBatchRequest {
        fund: "funds/f".to_owned(),
        programme: "programmes/training".to_owned(),
        execution_date: execution_date(),
        request_id: id(),
        ..Default::default()
    }
}

/// A file of an export, by its name.
type Files = BTreeMap<String, (pb::BankFileHeader, Vec<u8>)>;

impl Client {
    pub async fn collect(&mut self, request: pb::CreateBatchRequest) -> Result<pb::PaymentBatch, Status> {
        let response = self.disbursements.create_batch(request).await?;
        Ok(response.into_inner().batch.unwrap())
    }

    pub async fn freeze(&mut self, name: &str) -> Result<pb::PaymentBatch, Status> {
        let request = pb::FreezeBatchRequest {
            name: name.to_owned(),
            request_id: id(),
            ..Default::default()
        };
        let response = self.disbursements.freeze_batch(request).await?;
        Ok(response.into_inner().batch.unwrap())
    }

    pub async fn release(&mut self, name: &str) -> Result<pb::PaymentBatch, Status> {
        let request = pb::ReleaseBatchRequest {
            name: name.to_owned(),
            request_id: id(),
            ..Default::default()
        };
        let response = self.disbursements.release_batch(request).await?;
        Ok(response.into_inner().batch.unwrap())
    }

    async fn cancel(&mut self, name: &str) -> Result<pb::PaymentBatch, Status> {
        let request = pb::CancelBatchRequest {
            name: name.to_owned(),
            request_id: id(),
            ..Default::default()
        };
        let response = self.disbursements.cancel_batch(request).await?;
        Ok(response.into_inner().batch.unwrap())
    }

    async fn take_out(&mut self, name: &str, claims: &[u64]) -> Result<pb::PaymentBatch, Status> {
        let request = pb::RemoveFromBatchRequest {
            name: name.to_owned(),
            claims: claims
                .iter()
                .map(|number| format!("funds/f/claims/{number}"))
                .collect(),
            request_id: id(),
            ..Default::default()
        };
        let response = self.disbursements.remove_from_batch(request).await?;
        Ok(response.into_inner().batch.unwrap())
    }

    /// A batch, and its numbers as `payer state count amount`.
    async fn batch(&mut self, name: &str) -> (pb::PaymentBatch, Vec<String>) {
        let request = pb::GetBatchRequest {
            name: name.to_owned(),
        };
        let found = inner(self.disbursements.get_batch(request).await);
        let totals = found.totals.iter().map(|total| {
            let payer = total
                .payer()
                .as_str_name()
                .trim_start_matches("PAYER_")
                .to_lowercase();
            let state = total
                .state()
                .as_str_name()
                .trim_start_matches("PAYMENT_STATE_")
                .to_lowercase();
            format!("{payer} {state} {} {}", total.count, total.amount)
        });
        (found.batch.unwrap(), totals.collect())
    }

    /// All lines of a batch, in pages of three.
    async fn lines(&mut self, name: &str) -> Vec<pb::Payment> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListPaymentsRequest {
                batch: name.to_owned(),
                page_size: 3,
                page_token,
            };
            let page = inner(self.disbursements.list_payments(request).await);
            found.extend(page.payments);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    }

    async fn export(&mut self, name: &str, format: pb::BankFileFormat) -> Result<Files, Status> {
        let request = pb::ExportBatchRequest {
            name: name.to_owned(),
            format: format.into(),
            payer: 0,
        };
        let mut answers = self.disbursements.export_batch(request).await?.into_inner();
        let mut files: Vec<(pb::BankFileHeader, Vec<u8>)> = Vec::new();
        while let Some(answer) = answers.message().await? {
            match answer.content.unwrap() {
                Exported::Header(header) => files.push((header, Vec::new())),
                Exported::Piece(piece) => files.last_mut().unwrap().1.extend(piece),
            }
        }
        for (header, bytes) in &files {
            assert_eq!(header.bytes, bytes.len() as u64);
        }
        Ok(files
            .into_iter()
            .map(|file| (file.0.file_name.clone(), file))
            .collect())
    }

    async fn results_as(
        &mut self,
        request_id: &str,
        parent: &str,
        file: &[u8],
    ) -> Result<pb::ImportResultsResponse, Status> {
        let header = pb::ImportResultsHeader {
            parent: parent.to_owned(),
            file_name: "results".to_owned(),
            request_id: request_id.to_owned(),
            validate_only: false,
        };
        let message = |content| pb::ImportResultsRequest {
            content: Some(content),
        };
        let mut messages = vec![message(Content::Header(header))];
        messages.extend(
            file.chunks(777)
                .map(|piece| message(Content::Piece(piece.to_vec()))),
        );
        let response = self
            .disbursements
            .import_results(tokio_stream::iter(messages))
            .await?;
        Ok(response.into_inner())
    }

    async fn results(&mut self, parent: &str, file: &str) -> Result<pb::ImportResultsResponse, Status> {
        self.results_as(&id(), parent, file.as_bytes()).await
    }

    async fn record(
        &mut self,
        reference: &str,
        amount: &str,
        state: pb::PaymentState,
        reason: &str,
    ) -> Result<pb::Payment, Status> {
        let settled = state == pb::PaymentState::Settled;
        let request = pb::RecordPaymentResultRequest {
            reference: reference.to_owned(),
            amount: amount.to_owned(),
            state: state.into(),
            date: if settled {
                "2026-03-02".to_owned()
            } else {
                String::new()
            },
            reason: reason.to_owned(),
            request_id: id(),
            ..Default::default()
        };
        let response = self.disbursements.record_payment_result(request).await?;
        Ok(response.into_inner().payment.unwrap())
    }

    async fn claim_of(&mut self, number: u64) -> pb::Claim {
        let request = pb::GetClaimRequest {
            name: format!("funds/f/claims/{number}"),
        };
        inner(self.subsidies.get_claim(request).await).claim.unwrap()
    }
}

/// A bank's table: reference, amount, word.
fn table(rows: &[(&str, &str, &str)]) -> String {
    let mut text = "业务参考号,金额,处理结果,失败原因,交易流水号,交易日期\n".to_owned();
    for (reference, amount, word) in rows {
        let rest = match *word {
            "成功" => format!(",T{reference},2026-03-02"),
            "失败" => "账号不存在,,".to_owned(),
            _ => ",,".to_owned(),
        };
        text.push_str(&format!("{reference},{amount},{word},{rest}\n"));
    }
    text
}

/// How many rows came to what: applied, unchanged, pending, refused.
fn counts(answer: &pb::ImportResultsResponse) -> (u64, u64, u64, u64) {
    (answer.applied, answer.unchanged, answer.pending, answer.refused)
}

async fn a_batch_lives_from_draft_to_closed(world: World) {
    let mut office = Office::open(&world, &[YANLING, YUZHOU, YANLING]).await;
    let Office {
        maker,
        checker,
        cashier,
        ..
    } = &mut office;
    // A trial changes nothing.
    let trial = pb::CreateBatchRequest {
        validate_only: true,
        ..request()
    };
    assert_eq!(maker.collect(trial).await.unwrap().payments, 6);
    let create = request();
    let draft = maker.collect(create.clone()).await.unwrap();
    assert_eq!(draft.name, "funds/f/batches/1");
    assert_eq!((draft.payments, draft.amount.as_str()), (6, "6000.00"));
    assert_eq!(draft.state(), pb::BatchState::Draft);
    assert_eq!(maker.collect(create.clone()).await.unwrap(), draft);
    let other = pb::CreateBatchRequest {
        max_claims: 1,
        ..create
    };
    assert_eq!(refused(maker.collect(other).await).reason, "REQUEST_ID_REUSED");

    // Lines before the release: masked, without references.
    let lines = maker.lines(&draft.name).await;
    assert_eq!(lines.len(), 6);
    for (line, at) in lines.iter().zip(1..) {
        assert_eq!((line.line, line.reference.as_str()), (at, ""));
        assert_eq!(line.applicant, "测**");
        assert_eq!(line.state(), pb::PaymentState::Unspecified);
    }
    assert_eq!(lines[0].account, "****0000");
    let planned = ["city unspecified 3 4200.00", "county unspecified 3 1800.00"];
    assert_eq!(maker.batch(&draft.name).await.1, planned);

    let draft = maker.take_out(&draft.name, &[2]).await.unwrap();
    assert_eq!((draft.payments, draft.amount.as_str()), (4, "4000.00"));
    assert_eq!(maker.claim_of(2).await.batch, "");
    let frozen = maker.freeze(&draft.name).await.unwrap();
    assert_eq!(frozen.state(), pb::BatchState::Frozen);
    assert_eq!(
        refused(maker.take_out(&draft.name, &[1]).await).reason,
        "BATCH_STATE"
    );
    let early = cashier.export(&draft.name, pb::BankFileFormat::Pain001).await;
    assert_eq!(refused(early).reason, "BATCH_NOT_RELEASED");
    assert_eq!(
        maker.balance("f", "city/411024/training/reserved").await,
        "2800.00"
    );
    let released = checker.release(&draft.name).await.unwrap();
    assert_eq!(released.state(), pb::BatchState::Released);
    assert_eq!(maker.balance("f", "city/411024/training/reserved").await, "0.00");
    assert_eq!(
        maker.balance("f", "city/411024/training/in_payment").await,
        "2800.00"
    );
    assert_eq!(
        maker.balance("f", "county/411024/training/in_payment").await,
        "1200.00"
    );
    let claim = maker.claim_of(1).await;
    assert_eq!(
        (claim.state.as_str(), claim.batch.as_str()),
        ("in_payment", "funds/f/batches/1")
    );

    let lines = maker.lines(&draft.name).await;
    let references: Vec<&str> = lines.iter().map(|line| line.reference.as_str()).collect();
    assert_eq!(lines.len(), 4);
    assert!(references.iter().all(|reference| reference.starts_with("RF")));
    let rows: Vec<_> = lines
        .iter()
        .map(|line| (line.reference.as_str(), line.amount.as_str(), "成功"))
        .collect();
    let answer = cashier.results(&draft.name, &table(&rows[..3])).await.unwrap();
    assert_eq!(counts(&answer), (3, 0, 0, 0));
    assert_eq!(answer.batches[0].state(), pb::BatchState::Released);
    let (_, totals) = maker.batch(&draft.name).await;
    let half = [
        "city settled 2 2800.00",
        "county instructed 1 600.00",
        "county settled 1 600.00",
    ];
    assert_eq!(totals, half);
    let last = cashier
        .record(references[3], "600.00", pb::PaymentState::Settled, "")
        .await
        .unwrap();
    assert_eq!(last.state(), pb::PaymentState::Settled);
    let (closed, _) = maker.batch(&draft.name).await;
    assert_eq!(closed.state(), pb::BatchState::Closed);
    assert_eq!(closed.closed.unwrap().principal, "出纳");
    assert_eq!(maker.claim_of(3).await.state, "paid");
    assert_eq!(maker.balance("f", "city/411024/training/paid").await, "2800.00");
    // What was taken out waits for the next batch.
    let next = maker.collect(request()).await.unwrap();
    assert_eq!((next.name.as_str(), next.payments), ("funds/f/batches/2", 2));
    let listed = pb::ListBatchesRequest {
        fund: "funds/f".to_owned(),
        state: pb::BatchState::Closed.into(),
        ..Default::default()
    };
    let listed = inner(maker.disbursements.list_batches(listed).await).batches;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].name, draft.name);
    maker.verifies("f").await;
}

async fn a_part_that_failed_is_paid_in_a_second_batch(world: World) {
    let mut office = Office::open(&world, &[YANLING]).await;
    let first = office.released().await;
    let before = office
        .cashier
        .export(&first.name, pb::BankFileFormat::Pain001)
        .await
        .unwrap();
    let lines = office.maker.lines(&first.name).await;
    let (city, county) = (&lines[0], &lines[1]);
    let file = table(&[
        (&city.reference, "1400.00", "成功"),
        (&county.reference, "600.00", "失败"),
    ]);
    let answer = office.cashier.results(&first.name, &file).await.unwrap();
    assert_eq!(counts(&answer), (2, 0, 0, 0));
    assert_eq!(answer.batches[0].state(), pb::BatchState::Closed);
    assert_eq!(office.maker.claim_of(1).await.state, "failed");
    assert_eq!(
        office.maker.balance("f", "county/411024/training/reserved").await,
        "600.00"
    );
    let failed = &office.maker.lines(&first.name).await[1];
    assert_eq!(failed.reason, "账号不存在");
    // It is not payable before somebody has looked.
    assert_eq!(
        refused(office.maker.collect(request()).await).reason,
        "NOTHING_PAYABLE"
    );
    let retry = pb::RetryClaimRequest {
        name: "funds/f/claims/1".to_owned(),
        payee: Some(payee(0, "6222029999999999777")),
        reason: "账号更正".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    inner(office.maker.subsidies.retry_claim(retry).await);
    let second = office.released().await;
    assert_eq!((second.payments, second.amount.as_str()), (1, "600.00"));
    let again = office.maker.lines(&second.name).await.pop().unwrap();
    assert_eq!((again.attempt, again.account.as_str()), (2, "****9777"));
    assert_ne!(again.reference, county.reference);
    // What the first batch sent stays what it sent.
    assert_eq!(office.maker.lines(&first.name).await[1].account, "****0000");
    let after = office
        .cashier
        .export(&first.name, pb::BankFileFormat::Pain001)
        .await
        .unwrap();
    assert_eq!(before, after);
    // An answer to the first attempt says nothing about the second.
    let stale = table(&[(&county.reference, "600.00", "成功")]);
    let answer = office.cashier.results("funds/f", &stale).await.unwrap();
    assert_eq!(answer.rows[0].reason, "PAYMENT_CONCLUDED");
    let file = table(&[(&again.reference, "600.00", "成功")]);
    assert_eq!(
        counts(&office.cashier.results("funds/f", &file).await.unwrap()),
        (1, 0, 0, 0)
    );
    assert_eq!(office.maker.claim_of(1).await.state, "paid");
    assert_eq!(
        office.maker.balance("f", "county/411024/training/paid").await,
        "600.00"
    );
    office.maker.verifies("f").await;
}

async fn limits_and_what_is_held_decide_what_is_collected(world: World) {
    let mut office = Office::open(&world, &[YANLING, YUZHOU, YANLING, YUZHOU]).await;
    let maker = &mut office.maker;
    let two = pb::CreateBatchRequest {
        max_claims: 2,
        ..request()
    };
    let batch = maker.collect(two).await.unwrap();
    let claims: Vec<String> = maker
        .lines(&batch.name)
        .await
        .into_iter()
        .map(|line| line.claim)
        .collect();
    assert_eq!(claims.first().unwrap(), "funds/f/claims/1");
    assert_eq!(claims.last().unwrap(), "funds/f/claims/2");
    assert_eq!(claims.len(), 4);
    // A cancelled batch frees its claims, and is collected anew under another number.
    let cancelled = maker.cancel(&batch.name).await.unwrap();
    assert_eq!(cancelled.state(), pb::BatchState::Cancelled);
    assert!(maker.lines(&batch.name).await.is_empty());
    assert_eq!(maker.claim_of(1).await.batch, "");
    assert_eq!(refused(maker.freeze(&batch.name).await).reason, "BATCH_STATE");
    // Whole claims only, and none is passed over.
    let money = |amount: &str| pb::CreateBatchRequest {
        max_amount: amount.to_owned(),
        ..request()
    };
    let batch = maker.collect(money("5999.99")).await.unwrap();
    assert_eq!(batch.amount, "4000.00");
    maker.cancel(&batch.name).await.unwrap();
    let short = refused(maker.collect(money("1999.99")).await);
    assert_eq!(short.reason, "LIMIT_BELOW_FIRST_CLAIM");
    assert!(
        short.en.contains("funds/f/claims/1") && short.en.contains("2000.00"),
        "{}",
        short.en
    );
    let place = pb::CreateBatchRequest {
        region: format!("regions/{YUZHOU}"),
        ..request()
    };
    let batch = maker.collect(place.clone()).await.unwrap();
    assert_eq!(batch.payments, 4);
    // An objection holds a claim.
    let object = pb::ObjectToClaimRequest {
        name: "funds/f/claims/1".to_owned(),
        text: "已在外地享受补贴".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    inner(office.checker.subsidies.object_to_claim(object).await);
    let batch = office.maker.collect(request()).await.unwrap();
    assert_eq!(batch.payments, 2);
    let empty = refused(office.maker.collect(request()).await);
    assert_eq!(empty.reason, "NOTHING_PAYABLE");
    assert!(empty.en.contains("1 are held by objections"), "{}", empty.en);
    let place = refused(
        office
            .maker
            .collect(pb::CreateBatchRequest {
                request_id: id(),
                ..place
            })
            .await,
    );
    assert!(place.en.contains(YUZHOU), "{}", place.en);
}

async fn who_prepared_a_batch_does_not_release_it(world: World) {
    let mut office = Office::open(&world, &[YANLING]).await;
    let draft = office.maker.collect(request()).await.unwrap();
    assert_eq!(
        refused(office.checker.release(&draft.name).await).reason,
        "BATCH_STATE"
    );
    office.checker.freeze(&draft.name).await.unwrap();
    for prepared in [&mut office.maker, &mut office.checker] {
        let told = refused(prepared.release(&draft.name).await);
        assert_eq!(
            (told.code, told.reason.as_str()),
            (Code::PermissionDenied, "RELEASER_PREPARED_BATCH")
        );
    }
    // With an etag of before, nothing happens.
    let stale = pb::ReleaseBatchRequest {
        name: draft.name.clone(),
        etag: draft.etag.clone(),
        request_id: id(),
        validate_only: false,
    };
    assert_eq!(
        refused(office.cashier.disbursements.release_batch(stale).await).reason,
        "ETAG_MISMATCH"
    );
    let trial = pb::ReleaseBatchRequest {
        name: draft.name.clone(),
        request_id: id(),
        validate_only: true,
        ..Default::default()
    };
    let trial = inner(office.cashier.disbursements.release_batch(trial).await)
        .batch
        .unwrap();
    assert_eq!(trial.state(), pb::BatchState::Released);
    assert_eq!(
        office.maker.balance("f", "city/411024/training/in_payment").await,
        "0.00"
    );
    office.cashier.release(&draft.name).await.unwrap();
    assert_eq!(
        refused(office.maker.cancel(&draft.name).await).reason,
        "BATCH_STATE"
    );
    // A claim in payment can be taken out by nobody.
    let cancel = pb::CancelClaimRequest {
        name: "funds/f/claims/1".to_owned(),
        reason: "不再申请".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    assert_eq!(
        refused(office.maker.subsidies.cancel_claim(cancel).await).reason,
        "CLAIM_STATE"
    );
}

async fn what_is_not_in_order_is_refused(world: World) {
    let mut office = Office::open(&world, &[YANLING, YANLING]).await;
    let maker = &mut office.maker;
    let with = |change: &dyn Fn(&mut pb::CreateBatchRequest)| {
        let mut request = request();
        change(&mut request);
        request
    };
    let past = with(&|request| request.execution_date = "2024-01-01".to_owned());
    refused(maker.collect(past).await).names("execution_date");
    let no_day = with(&|request| request.execution_date = "2026-02-30".to_owned());
    refused(maker.collect(no_day).await).names("execution_date");
    let many = with(&|request| request.max_claims = 10_001);
    refused(maker.collect(many).await).names("max_claims");
    let money = with(&|request| request.max_amount = "10.001".to_owned());
    refused(maker.collect(money).await).names("max_amount");
    let long = with(&|request| request.note = "长".repeat(501));
    refused(maker.collect(long).await).names("note");
    let fund = with(&|request| request.fund = "funds/none".to_owned());
    assert_eq!(refused(maker.collect(fund).await).code, Code::NotFound);
    assert_eq!(
        refused(maker.freeze("funds/f/batches/9").await).code,
        Code::NotFound
    );
    refused(maker.freeze("funds/f/batches/01").await).names("name");

    let batch = maker.collect(request()).await.unwrap();
    let missing = refused(maker.take_out(&batch.name, &[1, 7]).await);
    assert_eq!(missing.reason, "CLAIM_NOT_IN_BATCH");
    assert!(missing.en.ends_with("funds/f/claims/7"), "{}", missing.en);
    assert_eq!(
        refused(maker.take_out(&batch.name, &[1, 2]).await).reason,
        "BATCH_EMPTY"
    );
    refused(maker.take_out(&batch.name, &[]).await).names("claims");
    // Claims in a batch are held: by nobody else, and for nothing else.
    assert_eq!(refused(maker.collect(request()).await).reason, "NOTHING_PAYABLE");
    let cancel = pb::CancelClaimRequest {
        name: "funds/f/claims/1".to_owned(),
        reason: "不再申请".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    assert_eq!(
        refused(maker.subsidies.cancel_claim(cancel).await).reason,
        "CLAIM_IN_BATCH"
    );
    let format = maker.export(&batch.name, pb::BankFileFormat::Unspecified).await;
    refused(format).names("format");
}

async fn results_are_taken_once(world: World) {
    let mut office = Office::open(&world, &[YANLING, YANLING, YANLING]).await;
    let first = office.released().await;
    office.claim(YANLING, 3).await;
    let second = office.released().await;
    let lines = office.maker.lines(&first.name).await;
    let elsewhere = office.maker.lines(&second.name).await;
    let reference = |at: usize| lines[at].reference.as_str();
    let cashier = &mut office.cashier;

    // A file with a fault in it changes nothing.
    let broken = table(&[
        (reference(0), "1400.00", "成功"),
        (reference(1), "600.001", "成功"),
    ]);
    let fault = refused(cashier.results(&first.name, &broken).await);
    assert_eq!(fault.code, Code::InvalidArgument);
    let twice = table(&[
        (reference(0), "1400.00", "成功"),
        (reference(0), "1400.00", "成功"),
    ]);
    assert_eq!(
        refused(cashier.results(&first.name, &twice).await).code,
        Code::InvalidArgument
    );
    assert_eq!(
        refused(cashier.results("funds/none", &table(&[])).await).code,
        Code::InvalidArgument
    );

    // Of a file that can be read, each row stands for itself.
    let unknown = "RF24123C1";
    let rows = [
        (reference(0), "1400.00", "成功"),
        (reference(1), "600.01", "成功"),
        (reference(2), "1400.00", "处理中"),
        (reference(3), "600.00", "失败"),
        (unknown, "1.00", "成功"),
        (elsewhere[0].reference.as_str(), "1400.00", "成功"),
    ];
    let file = table(&rows);
    let request_id = id();
    let answer = cashier
        .results_as(&request_id, &first.name, file.as_bytes())
        .await
        .unwrap();
    assert_eq!(counts(&answer), (2, 0, 1, 3));
    let outcomes: Vec<(u32, &str, &str)> = answer
        .rows
        .iter()
        .map(|row| (row.line, row.answer.as_str(), row.reason.as_str()))
        .collect();
    assert_eq!(
        outcomes,
        [
            (2, "settled", ""),
            (3, "settled", "INVALID"),
            (4, "pending", ""),
            (5, "failed", ""),
            (6, "settled", "NOT_FOUND"),
            (7, "settled", "OTHER_BATCH"),
        ]
    );
    assert!(answer.rows[1].message.as_ref().unwrap().en.contains("600.00"));
    let entries = |client: &mut Client| {
        let mut client = client.clone();
        async move {
            client
                .entries(pb::ListEntriesRequest {
                    fund: "funds/f".to_owned(),
                    ..Default::default()
                })
                .await
                .len()
        }
    };
    let posted = entries(cashier).await;
    // The same call again: the same answer. The same file in another call: nothing changes.
    let repeated = cashier
        .results_as(&request_id, &first.name, file.as_bytes())
        .await
        .unwrap();
    assert_eq!(repeated, answer);
    let other = cashier.results_as(&request_id, "funds/f", file.as_bytes()).await;
    assert_eq!(refused(other).reason, "REQUEST_ID_REUSED");
    let again = cashier.results(&first.name, &file).await.unwrap();
    assert_eq!(counts(&again), (0, 2, 1, 3));
    assert_eq!(entries(cashier).await, posted);
    // An answer that contradicts an earlier one is refused.
    let contrary = table(&[
        (reference(0), "1400.00", "失败"),
        (reference(3), "600.00", "成功"),
    ]);
    let answer = cashier.results(&first.name, &contrary).await.unwrap();
    assert_eq!(counts(&answer), (0, 0, 0, 2));
    assert!(answer.rows.iter().all(|row| row.reason == "PAYMENT_CONCLUDED"));
    let by_hand = cashier
        .record(reference(0), "", pb::PaymentState::Failed, "退票")
        .await;
    assert_eq!(refused(by_hand).reason, "PAYMENT_CONCLUDED");
    let wrong = cashier
        .record(reference(1), "600.01", pb::PaymentState::Settled, "")
        .await;
    refused(wrong).names("amount");
    let empty = cashier
        .record(reference(1), "", pb::PaymentState::Failed, "")
        .await;
    refused(empty).names("reason");
    // What a person writes is kept without what is personal.
    let words = format!("户名{}账号{}不符", name(0), account(0));
    let failed = cashier
        .record(reference(1), "600.00", pb::PaymentState::Failed, &words)
        .await
        .unwrap();
    assert_eq!(failed.reason, "户名测**账号****不符");
    // A file for the fund may be about several batches; a trial stores nothing.
    let rest = [
        (elsewhere[0].reference.as_str(), "1400.00", "成功"),
        (reference(2), "1400.00", "成功"),
    ];
    let answer = cashier.results("funds/f", &table(&rest)).await.unwrap();
    assert_eq!(counts(&answer), (2, 0, 0, 0));
    assert_eq!(answer.batches.len(), 2);
    cashier.verifies("f").await;
}

/// A bank's report on an order as a whole.
fn report(order: &str, status: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.002.001.10\"><CstmrPmtStsRpt>\
         <GrpHdr><MsgId>B1</MsgId><CreDtTm>2026-03-02T09:00:00+08:00</CreDtTm></GrpHdr>\
         <OrgnlGrpInfAndSts><OrgnlMsgId>{order}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>\
         <GrpSts>{status}</GrpSts></OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>"
    )
}

async fn a_table_answers_the_city_and_a_report_a_whole_county(world: World) {
    let mut office = Office::open(&world, &[YANLING, YUZHOU, YANLING]).await;
    let batch = office.released().await;
    let cashier = &mut office.cashier;
    let orders = cashier
        .export(&batch.name, pb::BankFileFormat::Pain001)
        .await
        .unwrap();
    // One file for each account: the city's, Yanling's own, and that of all other counties.
    let told: Vec<(&str, &str, u64, &str)> = orders
        .values()
        .map(|(header, _)| {
            (
                header.file_name.as_str(),
                header.region.as_str(),
                header.payments,
                header.amount.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("F1B1C.xml", "", 3, "4200.00"),
            ("F1B1Q.xml", "", 1, "600.00"),
            ("F1B1Q411024.xml", "regions/411024", 2, "1200.00"),
        ]
    );
    assert_eq!(
        cashier
            .export(&batch.name, pb::BankFileFormat::Pain001)
            .await
            .unwrap(),
        orders
    );
    let directory = tempfile::tempdir().unwrap();
    for (name, (_, bytes)) in &orders {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let answer = xmllint(&path);
        assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    }
    let xml = String::from_utf8(orders["F1B1Q411024.xml"].1.clone()).unwrap();
    for part in [
        "<MsgId>F1B1Q411024</MsgId>",
        "411024000000054321",
        "职业技能培训奖补 RF",
        &name(0),
        &account(2),
    ] {
        assert!(xml.contains(part), "{part}\n{xml}");
    }
    assert!(!xml.contains(&account(1)));
    let date = batch.execution_date.as_str();
    assert!(xml.contains(&format!("<Dt>{date}</Dt>")), "{xml}");

    // The bank of the tables fills in what it was sent.
    let tables = cashier
        .export(&batch.name, pb::BankFileFormat::Csv)
        .await
        .unwrap();
    let text = String::from_utf8(tables["F1B1C.csv"].1.clone()).unwrap();
    let filled: String = text
        .lines()
        .enumerate()
        .map(|(at, line)| match at {
            0 => format!("{line},处理结果,交易日期\r\n"),
            _ if line.starts_with("合计") => format!("{line},,\r\n"),
            _ => format!("{line},成功,20260302\r\n"),
        })
        .collect();
    assert_eq!(
        counts(&cashier.results(&batch.name, &filled).await.unwrap()),
        (3, 0, 0, 0)
    );
    let gb = cashier
        .export(&batch.name, pb::BankFileFormat::CsvGb18030)
        .await
        .unwrap();
    let gb = encoding_rs::GB18030.decode(&gb["F1B1C.csv"].1).0.into_owned();
    assert_eq!(gb, text.trim_start_matches('\u{feff}'));
    let books = cashier
        .export(&batch.name, pb::BankFileFormat::Xlsx)
        .await
        .unwrap();
    let book = std::io::Cursor::new(books["F1B1Q411024.xlsx"].1.clone());
    let mut book: calamine::Xlsx<_> = calamine::open_workbook_from_rs(book).unwrap();
    let sheet = book.worksheet_range_at(0).unwrap().unwrap();
    assert_eq!(sheet.height(), 4);
    assert_eq!(
        books,
        cashier
            .export(&batch.name, pb::BankFileFormat::Xlsx)
            .await
            .unwrap()
    );

    // Yanling's bank rejects the order as a whole: the payments of the other counties stay open.
    let foreign = refused(cashier.results(&batch.name, &report("F1B2Q411024", "RJCT")).await);
    foreign.names("OrgnlMsgId");
    let answer = cashier
        .results(&batch.name, &report("F1B1Q411024", "RJCT"))
        .await
        .unwrap();
    assert_eq!(counts(&answer), (2, 0, 0, 0));
    assert_eq!(answer.batches[0].state(), pb::BatchState::Released);
    let (_, totals) = cashier.batch(&batch.name).await;
    let open = [
        "city settled 3 4200.00",
        "county failed 2 1200.00",
        "county instructed 1 600.00",
    ];
    assert_eq!(totals, open);
    let answer = cashier
        .results(&batch.name, &report("F1B1Q", "ACSC"))
        .await
        .unwrap();
    assert_eq!(counts(&answer), (1, 0, 0, 0));
    assert_eq!(answer.batches[0].state(), pb::BatchState::Closed);
    let states: HashMap<u64, String> = HashMap::from([
        (1, cashier.claim_of(1).await.state),
        (2, cashier.claim_of(2).await.state),
    ]);
    assert_eq!((states[&1].as_str(), states[&2].as_str()), ("failed", "paid"));
    cashier.verifies("f").await;
}

async fn a_thousand_claims_go_to_the_bank_at_once(world: World) {
    let mut office = Office::open(&world, &[]).await;
    let inputs: Vec<pb::ClaimInput> = (0..999).map(|at| claim(YANLING, at)).collect();
    let message = pb::SubmitClaimsRequest {
        claims: inputs,
        request_id: id(),
        validate_only: false,
    };
    let mut answers = inner(
        office
            .maker
            .subsidies
            .submit_claims(tokio_stream::iter([message]))
            .await,
    );
    let submitted = answers.message().await.unwrap().unwrap();
    let changes = submitted.outcomes.iter().map(|outcome| pb::ClaimChange {
        name: outcome.name.clone(),
        action: "approve".to_owned(),
        ..Default::default()
    });
    let message = pb::ChangeClaimsRequest {
        changes: changes.collect(),
        request_id: id(),
        validate_only: false,
    };
    let mut answers = inner(
        office
            .checker
            .subsidies
            .change_claims(tokio_stream::iter([message]))
            .await,
    );
    let approved = answers.message().await.unwrap().unwrap();
    assert!(
        approved
            .outcomes
            .iter()
            .all(|outcome| outcome.state == "reserved"),
        "{approved:?}"
    );
    let batch = office.released().await;
    assert_eq!((batch.payments, batch.amount.as_str()), (1998, "1998000.00"));
    let orders = office
        .cashier
        .export(&batch.name, pb::BankFileFormat::Csv)
        .await
        .unwrap();
    assert_eq!(orders.len(), 2);
    for name in ["F1B1C.csv", "F1B1Q411024.csv"] {
        let text = String::from_utf8(orders[name].1.clone()).unwrap();
        let filled: String = text
            .lines()
            .enumerate()
            .map(|(at, line)| match at {
                0 => format!("{line},处理结果,失败原因,交易日期\r\n"),
                _ if line.starts_with("合计") => format!("{line},,,\r\n"),
                _ if at % 10 == 0 => format!("{line},失败,账号不存在,\r\n"),
                _ => format!("{line},成功,,20260302\r\n"),
            })
            .collect();
        let answer = office.cashier.results(&batch.name, &filled).await.unwrap();
        assert_eq!(counts(&answer), (999, 0, 0, 0));
    }
    let (closed, totals) = office.maker.batch(&batch.name).await;
    assert_eq!(closed.state(), pb::BatchState::Closed);
    let all = [
        "city failed 99 138600.00",
        "city settled 900 1260000.00",
        "county failed 99 59400.00",
        "county settled 900 540000.00",
    ];
    assert_eq!(totals, all);
    office.maker.verifies("f").await;
}

async fn keys_change_and_orders_stay_as_they_were(world: World) {
    let (old, new) = (
        Vault::generate("old", None).unwrap(),
        Vault::generate("new", None).unwrap(),
    );
    let with = |keys: &str| World {
        vault: Vault::parse(keys).unwrap(),
        ..world.clone()
    };
    let mut office = Office::open(&with(&old), &[YANLING, YUZHOU]).await;
    let batch = office.released().await;
    let format = pb::BankFileFormat::Pain001;
    let before = office.cashier.export(&batch.name, format).await.unwrap();
    office.server.stop().await;
    let options = StoreOptions {
        url: world.url.clone(),
        max_connections: 2,
        acquire_timeout: Duration::from_secs(30),
        statement_log: false,
    };
    let store = Store::connect(&options).await.unwrap();
    let app = App::new(store.clone()).with_vault(with(&format!("{}{}", *new, *old)).vault);
    let fund = FundId::parse("fund", "f").unwrap();
    let operator = incentive_fund::app::audit::Asking {
        caller: incentive_fund::domain::identity::Principal::parse("管理员").unwrap(),
        peer: "in-process".to_owned(),
    };
    assert_eq!(app.rotate_keys(&operator, &fund).await.unwrap(), 2);
    store.close().await;
    // The new keys alone open what the bank was sent.
    let server = with(&new).serve().await;
    let mut cashier = server.client("出纳").await;
    assert_eq!(cashier.export(&batch.name, format).await.unwrap(), before);
}

/// Runs the program against a server, as somebody; gives its exit code and what it said.
async fn command(office: &Office, directory: &Path, who: &str, words: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_incentive-fund"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("INCENTIVE_FUND") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(directory)
        .args([
            "--server",
            &format!("http://{}", office.server.address),
            "--as",
            who,
        ])
        .args(words.split_whitespace());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

async fn the_command_line_pays(world: World) {
    let office = Office::open(&world, &[YANLING, YUZHOU]).await;
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let run = |who: &'static str, words: String| {
        let office = &office;
        async move { command(office, here, who, &words).await }
    };
    let ok = |who: &'static str, words: &str| {
        let run = run(who, words.to_owned());
        let words = words.to_owned();
        async move {
            let (code, said) = run.await;
            assert_eq!(code, 0, "{words}: {said}");
            said
        }
    };
    let date = execution_date();
    let create = format!("batch create f --programme training --date {date}");
    let said = ok("甲", &format!("{create} --dry-run")).await;
    assert!(said.contains("dry run") && said.contains("4000.00"), "{said}");
    assert!(ok("甲", &create).await.starts_with("funds/f/batches/1: draft"));
    let said = ok("甲", "batch payments f/1 --format csv").await;
    assert_eq!(said.lines().count(), 5, "{said}");
    for secret in [name(0), account(0), id_number(0)] {
        assert!(!said.contains(&secret), "{said}");
    }
    ok("甲", "batch remove f/1 2").await;
    ok("甲", "batch freeze f/1").await;
    let (code, said) = run("甲", "batch release f/1".to_owned()).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("另") || said.contains("他人"), "{said}");
    ok("乙", "batch release f/1").await;

    let export = "batch export f/1 --format csv --dir .";
    let said = ok("丙", export).await;
    let files = ["F1B1C.csv", "F1B1Q411024.csv"];
    for file in files {
        assert!(said.contains(file), "{said}");
        let mode = std::fs::metadata(here.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(
        std::fs::read_dir(here).unwrap().count(),
        2,
        "nothing else is left"
    );
    std::fs::write(here.join(files[1]), "kept").unwrap();
    let (code, said) = run("丙", export.to_owned()).await;
    assert_eq!(code, 2, "{said}");
    assert_eq!(std::fs::read_to_string(here.join(files[1])).unwrap(), "kept");
    ok("丙", &format!("{export} --force")).await;

    let order = std::fs::read_to_string(here.join(files[0])).unwrap();
    let lines = order.lines().enumerate().map(|(at, line)| match at {
        0 => format!("{line},处理结果,交易日期\n"),
        1 => format!("{line},成功,20260302\n"),
        _ => format!("{line},,\n"),
    });
    std::fs::write(here.join("answer.csv"), lines.collect::<String>()).unwrap();
    let said = ok("丙", "batch results f/1 answer.csv --dry-run").await;
    assert!(said.contains("applied 1") && said.contains("dry run"), "{said}");
    assert!(
        ok("丙", "batch results f/1 answer.csv")
            .await
            .contains("applied 1")
    );
    assert!(
        ok("丙", "batch results f answer.csv")
            .await
            .contains("unchanged 1")
    );
    let order = std::fs::read_to_string(here.join(files[1])).unwrap();
    let reference = order.lines().nth(1).unwrap().rsplit(',').next().unwrap();
    let record = format!(
        "batch record {reference} --failed --reason 账号{}不符",
        account(0)
    );
    ok("丙", &record).await;
    let said = ok("甲", "batch show f/1").await;
    assert!(
        said.contains("closed") && said.contains("failed") && said.contains("settled"),
        "{said}"
    );
    let said = ok("甲", "batch payments f/1").await;
    assert!(said.contains("账号****不符"), "{said}");
    assert!(
        ok("甲", "batch list f --state closed")
            .await
            .contains("funds/f/batches/1")
    );
    ok("甲", &create).await;
    assert!(ok("甲", "batch cancel f/2").await.contains("cancelled"));
}
