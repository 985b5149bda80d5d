//! Many callers on one small quota at once: nothing is overdrawn, nothing is paid twice, nothing that was
//! acknowledged is lost, and nothing happens twice, whatever is sent again and to whichever server.

use crate::bureau::{
    Acknowledged, Answer, Call, FUND, Random, all_changes, all_claims, books, check_books, check_bound,
    check_ledger, check_once, check_payments, claim_name, give_quota, number_of, open_office, seed, setting,
    tomorrow, training, until_answered,
};
use crate::harness::{Client, World, fen, id, stories};
use incentive_fund::grpc::pb;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

stories!(
    nothing_is_overdrawn_or_paid_twice,
    a_claim_sent_again_is_known_whatever_the_order_of_its_facts,
);

/// How many call at once.
pub const CALLERS: u64 = 64;
const REGION: &str = "411081";
/// Claims of 1,000 yuan that the quota is enough for.
const ENOUGH_FOR: i128 = 40;
/// Fewer than claims that are handed in: many are of the same person.
const PERSONS: u64 = 600;

/// What callers know of each other's work.
#[derive(Default)]
pub struct Crew {
    pub stop: AtomicBool,
    claims: Mutex<Vec<u64>>,
    payments: Mutex<Vec<(String, u64)>>,
    acknowledged: Mutex<Vec<Acknowledged>>,
    refused: Mutex<BTreeMap<String, u64>>,
}

/// Money for the training incentive in one region, enough for few of those who will claim it.
pub async fn open_crew(maker: &mut Client, checker: &mut Client) {
    open_office(maker, checker).await;
    let (city, county) = (ENOUGH_FOR * 700, ENOUGH_FOR * 300);
    give_quota(
        maker,
        REGION,
        "training",
        &format!("{city}.00"),
        &format!("{county}.00"),
    )
    .await;
}

/// That the money given to the programme is in its buckets, whole.
pub fn check_constant(books: &BTreeMap<String, i128>) {
    check_books(books);
    for (payer, each) in [("city", 70_000), ("county", 30_000)] {
        let buckets = ["quota", "reserved", "in_payment", "paid"];
        let sum: i128 = (buckets.iter())
            .filter_map(|bucket| books.get(&format!("{payer}/{REGION}/training/{bucket}")))
            .sum();
        assert_eq!(sum, ENOUGH_FOR * each, "{payer} {books:?}");
    }
}

/// A connection that is made when it is needed, and again after it broke.
pub fn lazily(address: SocketAddr) -> Channel {
    Endpoint::try_from(format!("http://{address}"))
        .unwrap()
        .connect_timeout(Duration::from_secs(5))
        // A request that a broken connection took with it may never be answered: who calls has a deadline, and
        // sends it again under its id.
        .timeout(Duration::from_secs(20))
        .connect_lazy()
}

/// One of the callers: a clerk and one who approves, with a connection to each server.
pub struct Caller {
    clerk: String,
    approver: String,
    clients: Vec<Client>,
    random: Random,
    crew: Arc<Crew>,
    tomorrow: String,
}

impl Caller {
    pub fn new(number: u64, seed: u64, servers: &[SocketAddr], crew: &Arc<Crew>) -> Self {
        let mut random = Random::new(seed ^ (number << 32));
        random.next();
        Self {
            clerk: format!("经办{number}"),
            approver: format!("审批{number}"),
            clients: servers
                .iter()
                .map(|server| Client::new(lazily(*server), ""))
                .collect(),
            random,
            crew: Arc::clone(crew),
            tomorrow: tomorrow(),
        }
    }

    /// Works until told to stop, or so many calls.
    pub async fn work(mut self, calls: u64) {
        for _ in 0..calls {
            if self.crew.stop.load(Ordering::Relaxed) {
                return;
            }
            self.act().await;
        }
    }

    fn client(&mut self, by: &str) -> Client {
        self.random.pick(&self.clients).named(by)
    }

    /// Makes a call until it is answered, one in four of them twice at the same moment.
    async fn call(&mut self, approver: bool, call: impl Into<Call>) -> Option<Answer> {
        let mut call = call.into();
        call.stamp(&id(), false);
        let by = if approver { &self.approver } else { &self.clerk }.clone();
        let mut first = self.client(&by);
        let answer = if self.random.once_in(4) {
            let mut second = self.client(&by);
            let (first, second) = tokio::join!(
                until_answered(&mut first, &call),
                until_answered(&mut second, &call)
            );
            if let (Ok(first), Ok(second)) = (&first, &second) {
                assert_eq!(first, second, "{call:?}");
            }
            first.or(second)
        } else {
            until_answered(&mut first, &call).await
        };
        match answer {
            Ok(answer) => {
                let acknowledged = Acknowledged {
                    by,
                    call,
                    answer: answer.clone(),
                };
                self.crew.acknowledged.lock().unwrap().push(acknowledged);
                Some(answer)
            }
            Err(reason) => {
                *self.crew.refused.lock().unwrap().entry(reason).or_default() += 1;
                None
            }
        }
    }

    fn some_claim(&mut self) -> Option<String> {
        let claims = self.crew.claims.lock().unwrap();
        (!claims.is_empty()).then(|| claim_name(*self.random.pick(&claims)))
    }

    fn some_payment(&mut self) -> Option<(String, u64)> {
        let payments = self.crew.payments.lock().unwrap();
        (!payments.is_empty()).then(|| self.random.pick(&payments).clone())
    }

    async fn act(&mut self) {
        let reason = || "原因".to_owned();
        match self.random.below(100) {
            0..25 => {
                let person = self.random.below(PERSONS);
                let request = pb::SubmitClaimRequest {
                    claim: Some(training(REGION, person, "junior")),
                    ..Default::default()
                };
                if let Some(answer) = self.call(false, request).await {
                    let number = number_of(&answer.claim().unwrap().name);
                    self.crew.claims.lock().unwrap().push(number);
                }
            }
            25..50 => {
                let Some(name) = self.some_claim() else { return };
                let request = pb::ApproveClaimRequest {
                    name,
                    may_wait: self.random.once_in(3),
                    ..Default::default()
                };
                self.call(true, request).await;
            }
            50..54 => {
                let Some(name) = self.some_claim() else { return };
                let request = pb::CancelClaimRequest {
                    name,
                    reason: reason(),
                    ..Default::default()
                };
                self.call(false, request).await;
            }
            54..57 => {
                let Some(name) = self.some_claim() else { return };
                let request = pb::WithdrawClaimRequest {
                    name,
                    reason: reason(),
                    ..Default::default()
                };
                self.call(false, request).await;
            }
            57..59 => {
                let Some(name) = self.some_claim() else { return };
                let request = pb::RejectClaimRequest {
                    name,
                    reason: reason(),
                    ..Default::default()
                };
                self.call(true, request).await;
            }
            59..62 => {
                let request = pb::ReserveWaitingClaimsRequest {
                    fund: format!("funds/{FUND}"),
                    region: format!("regions/{REGION}"),
                    programme: "programmes/training".to_owned(),
                    ..Default::default()
                };
                self.call(true, request).await;
            }
            62..70 => self.pay().await,
            70..84 => {
                let Some((reference, _)) = self.some_payment() else {
                    return;
                };
                let settled = !self.random.once_in(4);
                let state = if settled {
                    pb::PaymentState::Settled
                } else {
                    pb::PaymentState::Failed
                };
                let request = pb::RecordPaymentResultRequest {
                    reference,
                    state: state.into(),
                    date: self.tomorrow.clone(),
                    reason: if settled {
                        String::new()
                    } else {
                        "账户不存在".to_owned()
                    },
                    ..Default::default()
                };
                self.call(false, request).await;
            }
            84..88 => {
                let Some((_, claim)) = self.some_payment() else {
                    return;
                };
                let name = claim_name(claim);
                let request = pb::RetryClaimRequest {
                    name,
                    reason: reason(),
                    ..Default::default()
                };
                self.call(false, request).await;
            }
            _ => {
                let Some((_, claim)) = self.some_payment() else {
                    return;
                };
                let (payer, most) = *self.random.pick(&[("city", 700), ("county", 300)]);
                let amount = if self.random.once_in(2) {
                    most
                } else {
                    1 + self.random.below(most)
                };
                let request = pb::ReturnClaimRequest {
                    name: claim_name(claim),
                    payer: payer.to_owned(),
                    amount: format!("{amount}.00"),
                    reason: reason(),
                    ..Default::default()
                };
                self.call(false, request).await;
            }
        }
    }

    /// A batch from its collection to the bank.
    async fn pay(&mut self) {
        let request = pb::CreateBatchRequest {
            fund: format!("funds/{FUND}"),
            programme: "programmes/training".to_owned(),
            execution_date: self.tomorrow.clone(),
            max_claims: 1 + self.random.below(8),
            ..Default::default()
        };
        let Some(answer) = self.call(false, request).await else {
            return;
        };
        let name = answer.batch().unwrap().name.clone();
        if self.random.once_in(8) {
            let request = pb::CancelBatchRequest {
                name,
                ..Default::default()
            };
            self.call(false, request).await;
            return;
        }
        let request = pb::FreezeBatchRequest {
            name: name.clone(),
            ..Default::default()
        };
        self.call(false, request).await.unwrap();
        let request = pb::ReleaseBatchRequest {
            name: name.clone(),
            ..Default::default()
        };
        self.call(true, request).await.unwrap();
        let request = pb::ListPaymentsRequest {
            batch: name,
            page_size: 1_000,
            ..Default::default()
        };
        let mut client = self.client("出纳");
        let page = loop {
            match client.disbursements.list_payments(request.clone()).await {
                Ok(page) => break page.into_inner(),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let payments =
            (page.payments.into_iter()).map(|payment| (payment.reference, number_of(&payment.claim)));
        self.crew.payments.lock().unwrap().extend(payments);
    }
}

impl Crew {
    /// That all is as it must be when everybody has gone home.
    pub async fn check(&self, client: &mut Client) {
        let acknowledged = self.acknowledged.lock().unwrap().clone();
        let changes = all_changes(client).await;
        check_once(&acknowledged, &changes);
        let books = books(client).await;
        check_constant(&books);
        let claims = all_claims(client).await;
        check_bound(&books, &claims);
        check_payments(client).await;
        // A person has at most one claim that holds.
        let ended = ["rejected", "withdrawn", "cancelled", "returned"];
        let holding: BTreeSet<u64> = (claims.iter())
            .filter(|claim| !ended.contains(&claim.state.as_str()))
            .map(|claim| number_of(&claim.name))
            .collect();
        let mut persons = BTreeSet::new();
        let mut submitted = 0;
        for Acknowledged { call, answer, .. } in &acknowledged {
            if let (Call::Submit(request), Some(claim)) = (call, answer.claim()) {
                let person = &request
                    .claim
                    .as_ref()
                    .unwrap()
                    .applicant
                    .as_ref()
                    .unwrap()
                    .id_number;
                let holds = holding.contains(&number_of(&claim.name));
                assert!(!holds || persons.insert(person.clone()), "{person} twice");
                submitted += 1;
            }
        }
        assert_eq!(submitted, claims.len(), "each claim was handed in by somebody");
        let paid: i128 = (books.iter())
            .filter(|(account, _)| account.ends_with("/paid"))
            .map(|(_, amount)| *amount)
            .sum();
        assert!(paid <= ENOUGH_FOR * 100_000);
        check_ledger(client).await;
        let mut states: BTreeMap<&str, u64> = BTreeMap::new();
        for claim in &claims {
            *states.entry(claim.state.as_str()).or_default() += 1;
        }
        let returned: i128 = (claims.iter())
            .flat_map(|claim| &claim.parts)
            .map(|part| fen(&part.returned))
            .sum();
        println!(
            "{} calls acknowledged, {} changes, claims {states:?}, {returned} fen returned, refused {:?}",
            acknowledged.len(),
            changes.len(),
            self.refused.lock().unwrap()
        );
    }
}

async fn nothing_is_overdrawn_or_paid_twice(world: World) {
    let seed = seed("contention");
    let calls = setting("INCENTIVE_FUND_TEST_CALLS", 30);
    let mut servers = vec![world.serve().await];
    if world.url.starts_with("postgres") {
        servers.push(world.serve().await);
    }
    let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    let mut maker = servers[0].client("编制人").await;
    let mut checker = servers[0].client("审核人").await;
    open_crew(&mut maker, &mut checker).await;
    let crew = Arc::new(Crew::default());
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..CALLERS {
        callers.spawn(Caller::new(number, seed, &addresses, &crew).work(calls));
    }
    // Somebody looks on all the while.
    let looking = Arc::clone(&crew);
    let mut inspector = servers[servers.len() - 1].client("监管").await;
    let watching = tokio::spawn(async move {
        let mut looks = 0_u64;
        while !looking.stop.load(Ordering::Relaxed) {
            check_constant(&books(&mut inspector).await);
            looks += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        looks
    });
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    crew.stop.store(true, Ordering::Relaxed);
    assert!(watching.await.unwrap() > 0);
    crew.check(&mut checker).await;
    for server in servers {
        server.stop().await;
    }
}

async fn a_claim_sent_again_is_known_whatever_the_order_of_its_facts(world: World) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    open_crew(&mut maker, &mut checker).await;
    let mut call = Call::from(pb::SubmitClaimRequest {
        claim: Some(training(REGION, 1, "junior")),
        ..Default::default()
    });
    call.stamp(&id(), false);
    let first = call.send(&mut maker).await.unwrap();
    for _ in 0..20 {
        assert_eq!(call.send(&mut maker).await.unwrap(), first);
    }
    server.stop().await;
}
