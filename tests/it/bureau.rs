//! What the proofs share: an office with money, programmes and policies; claims by number; calls that can be
//! kept, repeated and tried until they are answered; and looking at the books from outside.

use crate::harness::{Client, fen, inner, refusal};
use crate::ledger::{issued, line, own};
use incentive_fund::domain::subsidy::{PolicyDocument, ProgrammeDocument};
use incentive_fund::grpc::pb;
use incentive_fund::shipped;
use std::collections::{BTreeMap, HashMap};
use std::process::Command;
use std::time::Duration;
use tonic::Status;

/// The fund of the proofs.
pub const FUND: &str = "f";

/// Random numbers from a seed (SplitMix64, Steele, Lea and Flood 2014): the same on every machine.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True once in `times`.
    pub const fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// A number from the environment, or this one.
pub fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// The seed of a test, from INCENTIVE_FUND_TEST_SEED or the clock; printed, so that a failure can be told again.
pub fn seed(test: &str) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = setting("INCENTIVE_FUND_TEST_SEED", u64::from(now.unwrap().subsec_nanos()));
    println!("{test}: INCENTIVE_FUND_TEST_SEED={seed}");
    seed
}

/// The identity number of person `n`: whoever they are, the check character is right (GB 11643-1999).
pub fn id_number(n: u64) -> String {
    let (day, month, year) = (1 + n / 1_000 % 28, 1 + n / 28_000 % 12, 1950 + n / 336_000 % 50);
    let digits = format!("411081{year}{month:02}{day:02}{:03}", n % 1_000);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = (digits.chars().zip(weights))
        .map(|(digit, weight)| digit.to_digit(10).unwrap() * weight)
        .sum();
    let check = b"10X98765432"[usize::try_from(sum % 11).unwrap()];
    format!("{digits}{}", char::from(check))
}

/// A claim of person `n` for the training incentive at a level; there is no public notice.
pub fn training(region: &str, n: u64, level: &str) -> pb::ClaimInput {
    let facts = [
        ("registration", "rural"),
        ("residence_permit", "false"),
        ("level", level),
        ("in_demand", "false"),
        ("certificate_date", "2024-05-31"),
        ("application_date", "2024-06-10"),
        ("training_fee", "3000"),
    ];
    input(region, "training", n, &facts, &["certificate"])
}

/// A claim of person `n` for the purchase of a home of so many square metres, up to 90; its public notice is not over
/// while a test runs.
pub fn purchase(region: &str, n: u64, home: u64, area: u64) -> pb::ClaimInput {
    let area = area.to_string();
    let facts = [
        ("registration", "rural"),
        ("first_home", "true"),
        ("new_home", "true"),
        ("location", "county_seat"),
        ("contract_date", "2024-08-01"),
        ("filing_date", "2024-08-20"),
        ("area", &area),
        ("price", "800000"),
        ("subsidised_before", "false"),
    ];
    let documents = ["household_register", "contract", "filing"];
    pb::ClaimInput {
        home: format!("411081-{home:06}"),
        ..input(region, "housing-purchase", n, &facts, &documents)
    }
}

fn input(
    region: &str,
    programme: &str,
    n: u64,
    facts: &[(&str, &str)],
    documents: &[&str],
) -> pb::ClaimInput {
    let name = "王小明".to_owned();
    pb::ClaimInput {
        fund: format!("funds/{FUND}"),
        region: format!("regions/{region}"),
        programme: format!("programmes/{programme}"),
        facts: (facts.iter())
            .map(|(code, text)| ((*code).to_owned(), (*text).to_owned()))
            .collect(),
        documents: documents.iter().map(|kind| (*kind).to_owned()).collect(),
        applicant: Some(pb::Person {
            name: name.clone(),
            id_number: id_number(n),
        }),
        payee: Some(payee(n)),
        ..Default::default()
    }
}

/// The account of person `n`.
pub fn payee(n: u64) -> pb::PayeeAccount {
    pb::PayeeAccount {
        name: "王小明".to_owned(),
        account: format!("6222021{n:012}"),
        bank_name: "中原银行许昌分行".to_owned(),
        bank_code: "313491099996".to_owned(),
    }
}

/// A claim's name.
pub fn claim_name(number: u64) -> String {
    format!("funds/{FUND}/claims/{number}")
}

/// The number at the end of a name.
pub fn number_of(name: &str) -> u64 {
    name.rsplit('/').next().unwrap().parse().unwrap()
}

/// Tomorrow in China: a day on which a bank can be told to pay, whenever a test runs.
pub fn tomorrow() -> String {
    let day = (time::OffsetDateTime::now_utc() + time::Duration::hours(32)).date();
    format!("{}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}

/// Xuchang with 80 million issued, the programmes for training and homes, and their policies.
pub async fn open_office(maker: &mut Client, checker: &mut Client) {
    issued(maker, checker).await;
    let programmes = ["training.toml", "housing-purchase.toml"].map(|wanted| {
        let (_, text) = shipped::PROGRAMMES
            .iter()
            .find(|(file, _)| *file == wanted)
            .unwrap();
        ProgrammeDocument::from_toml(text).unwrap().into()
    });
    let request = pb::ImportProgrammesRequest {
        programmes: programmes.to_vec(),
        ..Default::default()
    };
    inner(maker.policies.import_programmes(request).await);
    for wanted in ["xuchang-training-2024.toml", "xuchang-housing-purchase-2024.toml"] {
        let (_, text) = shipped::POLICIES
            .iter()
            .find(|(file, _)| *file == wanted)
            .unwrap();
        let request = pb::CreatePolicyRequest {
            document: Some(PolicyDocument::from_toml(text).unwrap().into()),
            ..Default::default()
        };
        inner(maker.policies.create_policy(request).await);
    }
}

/// Assigns quota of both payers to a programme; the county's own comes in for it.
pub async fn give_quota(client: &mut Client, region: &str, programme: &str, city: &str, county: &str) {
    client.contribute(FUND, region, county).await.unwrap();
    let lines = vec![line(region, programme, city), own(region, programme, county)];
    client.assign(FUND, lines).await.unwrap();
}

macro_rules! calls {
    ($($name:ident: $service:ident.$method:ident $request:ident -> $response:ident;)+) => {
        /// A mutation that can be kept and sent again.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Call {
            $($name(pb::$request),)+
        }

        /// What a mutation answered.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Answer {
            $($name(pb::$response),)+
        }

        impl Call {
            /// Sets by what the call is known and whether it only checks.
            pub fn stamp(&mut self, request_id: &str, validate_only: bool) {
                match self {
                    $(Self::$name(request) => {
                        request_id.clone_into(&mut request.request_id);
                        request.validate_only = validate_only;
                    })+
                }
            }

            /// Sends it once.
            pub async fn send(&self, client: &mut Client) -> Result<Answer, Status> {
                match self {
                    $(Self::$name(request) => {
                        let response = client.$service.$method(request.clone()).await?;
                        Ok(Answer::$name(response.into_inner()))
                    })+
                }
            }
        }

        $(
            impl From<pb::$request> for Call {
                fn from(request: pb::$request) -> Self {
                    Self::$name(request)
                }
            }
        )+
    };
}

calls! {
    Receive: ledger.receive_funds ReceiveFundsRequest -> ReceiveFundsResponse;
    Surrender: ledger.surrender_funds SurrenderFundsRequest -> SurrenderFundsResponse;
    Contribute: ledger.contribute_funds ContributeFundsRequest -> ContributeFundsResponse;
    Retract: ledger.retract_contribution RetractContributionRequest -> RetractContributionResponse;
    Assign: ledger.assign_quota AssignQuotaRequest -> AssignQuotaResponse;
    Unassign: ledger.unassign_quota UnassignQuotaRequest -> UnassignQuotaResponse;
    Reverse: ledger.reverse_entry ReverseEntryRequest -> ReverseEntryResponse;
    Submit: subsidies.submit_claim SubmitClaimRequest -> SubmitClaimResponse;
    Approve: subsidies.approve_claim ApproveClaimRequest -> ApproveClaimResponse;
    Reject: subsidies.reject_claim RejectClaimRequest -> RejectClaimResponse;
    Withdraw: subsidies.withdraw_claim WithdrawClaimRequest -> WithdrawClaimResponse;
    Cancel: subsidies.cancel_claim CancelClaimRequest -> CancelClaimResponse;
    Object: subsidies.object_to_claim ObjectToClaimRequest -> ObjectToClaimResponse;
    Resolve: subsidies.resolve_objection ResolveObjectionRequest -> ResolveObjectionResponse;
    Retry: subsidies.retry_claim RetryClaimRequest -> RetryClaimResponse;
    Return: subsidies.return_claim ReturnClaimRequest -> ReturnClaimResponse;
    ReserveWaiting: subsidies.reserve_waiting_claims ReserveWaitingClaimsRequest -> ReserveWaitingClaimsResponse;
    CreateBatch: disbursements.create_batch CreateBatchRequest -> CreateBatchResponse;
    RemoveFromBatch: disbursements.remove_from_batch RemoveFromBatchRequest -> RemoveFromBatchResponse;
    FreezeBatch: disbursements.freeze_batch FreezeBatchRequest -> FreezeBatchResponse;
    ReleaseBatch: disbursements.release_batch ReleaseBatchRequest -> ReleaseBatchResponse;
    CancelBatch: disbursements.cancel_batch CancelBatchRequest -> CancelBatchResponse;
    Record: disbursements.record_payment_result RecordPaymentResultRequest -> RecordPaymentResultResponse;
}

impl Answer {
    /// The claim that it is about.
    pub fn claim(&self) -> Option<&pb::Claim> {
        match self {
            Self::Submit(answer) => answer.claim.as_ref(),
            Self::Approve(answer) => answer.claim.as_ref(),
            Self::Reject(answer) => answer.claim.as_ref(),
            Self::Withdraw(answer) => answer.claim.as_ref(),
            Self::Cancel(answer) => answer.claim.as_ref(),
            Self::Object(answer) => answer.claim.as_ref(),
            Self::Resolve(answer) => answer.claim.as_ref(),
            Self::Retry(answer) => answer.claim.as_ref(),
            Self::Return(answer) => answer.claim.as_ref(),
            _ => None,
        }
    }

    /// The batch that it is about.
    pub fn batch(&self) -> Option<&pb::PaymentBatch> {
        match self {
            Self::CreateBatch(answer) => answer.batch.as_ref(),
            Self::RemoveFromBatch(answer) => answer.batch.as_ref(),
            Self::FreezeBatch(answer) => answer.batch.as_ref(),
            Self::ReleaseBatch(answer) => answer.batch.as_ref(),
            Self::CancelBatch(answer) => answer.batch.as_ref(),
            _ => None,
        }
    }
}

/// A call that was answered.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    pub by: String,
    pub call: Call,
    pub answer: Answer,
}

/// Longest time without an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a call under one request id until it is answered or refused for good; gives the reason of a refusal.
pub async fn until_answered(client: &mut Client, call: &Call) -> Result<Answer, String> {
    let begun = std::time::Instant::now();
    loop {
        let status = match call.send(client).await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        // What our server decides it decides in its own words; all else is the way there or back.
        let ours = !status.details().is_empty();
        let reason = if ours {
            refusal(&status).reason
        } else {
            String::new()
        };
        assert_ne!(reason, "INTERNAL", "{call:?}: {status:?}");
        let again = [
            "",
            "STORE_UNAVAILABLE",
            "CONFLICT",
            "SERVER_BUSY",
            "TRANSPORT",
            "TIMED_OUT",
        ];
        if !again.contains(&reason.as_str()) {
            return Err(reason);
        }
        assert!(begun.elapsed() < PATIENCE, "no answer: {status:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Fen by account, as the server has them; accounts without money are left out.
pub async fn books(client: &mut Client) -> BTreeMap<String, i128> {
    let mut found = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListBalancesRequest {
            fund: format!("funds/{FUND}"),
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        let page = inner(client.ledger.list_balances(request).await);
        for balance in page.balances {
            let amount = fen(&balance.amount);
            if amount != 0 {
                found.insert(crate::ledger::shown(balance.account.as_ref().unwrap()), amount);
            }
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

/// That no account but a source is below zero and all add up to nothing.
pub fn check_books(books: &BTreeMap<String, i128>) {
    for (account, amount) in books {
        assert!(*amount >= 0 || account.ends_with("/source"), "{account} {amount}");
    }
    assert_eq!(books.values().sum::<i128>(), 0, "{books:?}");
}

/// What the claims say that each account of a programme but its quota holds.
pub fn bound_by(claims: &[pb::Claim]) -> BTreeMap<String, i128> {
    let mut bound: BTreeMap<String, i128> = BTreeMap::new();
    for claim in claims {
        let region = claim.region.trim_start_matches("regions/");
        let programme = claim.programme.trim_start_matches("programmes/");
        for part in &claim.parts {
            let (bucket, amount) = match part.state.as_str() {
                "reserved" | "failed" => ("reserved", fen(&part.amount)),
                "in_payment" => ("in_payment", fen(&part.amount)),
                "paid" => ("paid", fen(&part.amount) - fen(&part.returned)),
                "free" => continue,
                other => panic!("{other}"),
            };
            *bound
                .entry(format!("{}/{region}/{programme}/{bucket}", part.payer))
                .or_default() += amount;
        }
    }
    bound.retain(|_, amount| *amount != 0);
    bound
}

/// That the books hold what the claims say.
pub fn check_bound(books: &BTreeMap<String, i128>, claims: &[pb::Claim]) {
    let held: BTreeMap<String, i128> = (books.iter())
        .filter(|(account, _)| {
            ["/reserved", "/in_payment", "/paid"]
                .iter()
                .any(|bucket| account.ends_with(bucket))
        })
        .map(|(account, amount)| (account.clone(), *amount))
        .collect();
    assert_eq!(held, bound_by(claims));
}

/// All claims of the fund by number.
pub async fn all_claims(client: &mut Client) -> Vec<pb::Claim> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListClaimsRequest {
            parent: format!("funds/{FUND}"),
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        let page = inner(client.subsidies.list_claims(request).await);
        found.extend(page.claims);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

/// All payments of a batch.
pub async fn payments_of(client: &mut Client, batch: &str) -> Vec<pb::Payment> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListPaymentsRequest {
            batch: batch.to_owned(),
            page_size: 1_000,
            page_token,
        };
        let page = inner(client.disbursements.list_payments(request).await);
        found.extend(page.payments);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

/// All batches of the fund.
pub async fn all_batches(client: &mut Client) -> Vec<pb::PaymentBatch> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListBatchesRequest {
            fund: format!("funds/{FUND}"),
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        let page = inner(client.disbursements.list_batches(request).await);
        found.extend(page.batches);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

/// Every change of the fund from the first.
pub async fn all_changes(client: &mut Client) -> Vec<pb::Change> {
    let funds = inner(client.ledger.list_funds(pb::ListFundsRequest::default()).await).funds;
    let name = format!("funds/{FUND}");
    let fund = funds.iter().find(|fund| fund.name == name).unwrap();
    let request = pb::WatchChangesRequest { fund: name, after: 0 };
    let mut watcher = inner(client.ledger.watch_changes(request).await);
    let mut found = Vec::new();
    while (found.len() as u64) < fund.changes {
        found.extend(watcher.message().await.unwrap().unwrap().changes);
    }
    assert!(
        found
            .iter()
            .map(|change| change.number)
            .eq(1..=found.len() as u64)
    );
    found
}

/// Something that happened to a claim or a batch: what, to which, by whom, and about how much.
type Happening = (String, String, String, String);

/// That what happened is exactly what was acknowledged: nothing lost, nothing twice. A payment's answer
/// happens once, however many were told that it is as they say.
pub fn check_once(acknowledged: &[Acknowledged], changes: &[pb::Change]) {
    let mut happened: HashMap<Happening, i64> = HashMap::new();
    let followed = [
        "claim.collected",
        "claim.taken_out",
        "claim.instructed",
        "batch.closed",
    ];
    let mut concluded: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for change in changes {
        if change.kind.starts_with("ledger.") || followed.contains(&change.kind.as_str()) {
            continue;
        }
        if change.kind.starts_with("payment.") {
            let reference = change.note.split(' ').next().unwrap().to_owned();
            let entry = concluded.entry(reference).or_insert((change.kind.clone(), 0));
            entry.1 += 1;
            assert_eq!((&entry.0, entry.1), (&change.kind, 1), "{change:?}");
            continue;
        }
        if !(change.kind.starts_with("claim.") || change.kind.starts_with("batch.")) {
            continue;
        }
        let by = change.made.as_ref().unwrap().principal.clone();
        let amount = if change.kind == "claim.returned" {
            change.amount.clone()
        } else {
            String::new()
        };
        *happened
            .entry((change.kind.clone(), change.resource.clone(), by, amount))
            .or_default() += 1;
    }
    for Acknowledged { by, call, answer } in acknowledged {
        if let (Call::Record(request), Answer::Record(_)) = (call, answer) {
            let kind = match request.state() {
                pb::PaymentState::Settled => "payment.settled",
                _ => "payment.failed",
            };
            let found = concluded.get(&request.reference).map(|(kind, _)| kind.as_str());
            assert_eq!(found, Some(kind), "{request:?}");
            continue;
        }
        let (kind, amount) = match (call, answer.claim().map_or("", |claim| &*claim.state)) {
            (Call::Submit(_), _) => ("claim.submitted", String::new()),
            (Call::Approve(_), "approved") => ("claim.waiting", String::new()),
            (Call::Approve(_), _) => ("claim.approved", String::new()),
            (Call::Reject(_), _) => ("claim.rejected", String::new()),
            (Call::Withdraw(_), _) => ("claim.withdrawn", String::new()),
            (Call::Cancel(_), _) => ("claim.cancelled", String::new()),
            (Call::Retry(_), _) => ("claim.retried", String::new()),
            (Call::Return(request), _) => ("claim.returned", request.amount.clone()),
            (Call::CreateBatch(_), _) => ("batch.created", String::new()),
            (Call::FreezeBatch(_), _) => ("batch.frozen", String::new()),
            (Call::ReleaseBatch(_), _) => ("batch.released", String::new()),
            (Call::CancelBatch(_), _) => ("batch.cancelled", String::new()),
            (Call::ReserveWaiting(_), _) => {
                let Answer::ReserveWaiting(answer) = answer else {
                    panic!("{answer:?}")
                };
                for claim in &answer.claims {
                    let key = (
                        "claim.reserved".into(),
                        claim.name.clone(),
                        by.clone(),
                        String::new(),
                    );
                    *happened.entry(key).or_default() -= 1;
                }
                continue;
            }
            _ => continue,
        };
        let resource = match (answer.claim(), answer.batch()) {
            (Some(claim), _) => claim.name.clone(),
            (_, Some(batch)) => batch.name.clone(),
            _ => panic!("{answer:?}"),
        };
        *happened
            .entry((kind.to_owned(), resource, by.clone(), amount))
            .or_default() -= 1;
    }
    happened.retain(|_, times| *times != 0);
    assert!(
        happened.is_empty(),
        "more often (above 0) or less often (below 0) than acknowledged: {happened:#?}"
    );
}

/// That nothing is paid twice: a part and an attempt have one payment, a part is settled once, and a batch is
/// closed when and only when its payments are answered.
pub async fn check_payments(client: &mut Client) {
    let mut seen = std::collections::HashSet::new();
    let mut settled = std::collections::HashSet::new();
    for batch in all_batches(client).await {
        if !matches!(batch.state(), pb::BatchState::Released | pb::BatchState::Closed) {
            continue;
        }
        let payments = payments_of(client, &batch.name).await;
        assert_eq!(payments.len() as u64, batch.payments);
        let sum: i128 = payments.iter().map(|payment| fen(&payment.amount)).sum();
        assert_eq!(sum, fen(&batch.amount));
        let open = (payments.iter()).any(|payment| payment.state() == pb::PaymentState::Instructed);
        assert_eq!(open, batch.state() == pb::BatchState::Released, "{batch:?}");
        for payment in payments {
            let part = (payment.claim.clone(), payment.payer);
            assert!(seen.insert((part.clone(), payment.attempt)), "{payment:?}");
            if payment.state() == pb::PaymentState::Settled {
                assert!(settled.insert(part), "{payment:?}");
            }
        }
    }
}

/// Runs hledger, which scripts/test installs.
pub fn hledger(file: &std::path::Path, arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new("hledger")
        .arg("-f")
        .arg(file)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("hledger in PATH; scripts/test installs it");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// What hledger makes of a journal: yuan by account, those that have any.
pub fn hledger_balances(file: &std::path::Path) -> BTreeMap<String, String> {
    let (fine, _, said) = hledger(file, &["check", "--strict", "ordereddates"]);
    assert!(fine, "{said}");
    let (_, csv, _) = hledger(file, &["balance", "--flat", "--no-total", "-O", "csv"]);
    csv.lines()
        .skip(1)
        .map(|line| {
            let (account, amount) = line.split_once("\",\"").unwrap();
            let amount = amount.trim_end_matches('"').trim_end_matches(" CNY");
            (account.trim_start_matches('"').to_owned(), amount.to_owned())
        })
        .collect()
}

/// That the ledger is as it was posted, and that hledger finds the balances that we find.
pub async fn check_ledger(client: &mut Client) {
    client.verifies(FUND).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f.journal");
    std::fs::write(&file, client.journal(FUND).await).unwrap();
    let theirs: BTreeMap<String, i128> = (hledger_balances(&file).into_iter())
        .map(|(account, amount)| (account, fen(&amount)))
        .collect();
    let ours: BTreeMap<String, i128> = (books(client).await.into_iter())
        .map(|(account, amount)| {
            let levels = account.split('/').filter(|level| *level != "-");
            (format!("{FUND}:{}", levels.collect::<Vec<_>>().join(":")), amount)
        })
        .collect();
    assert_eq!(theirs, ours);
}
