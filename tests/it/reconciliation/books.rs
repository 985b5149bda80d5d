//! Books with as many payments as wanted, and statements that go with them.
//!
//! Payments, their claims, batches and balances are written straight through the store, a few thousand rows in a
//! statement: the rows that submitting, approving, collecting and releasing would leave, without the hours. What a
//! claim was assessed from is left out, and the journal begins with the balances.

use crate::harness::World;
use incentive_fund::app::App;
use incentive_fund::app::reconciliation::ReconciliationOptions;
use incentive_fund::app::records::{ClaimMaterial, FundHead, NewPayment};
use incentive_fund::app::vault::Vault;
use incentive_fund::app::{Mutation, clock};
use incentive_fund::domain::allocation::{FundId, Signature};
use incentive_fund::domain::claim::{Claim, ClaimId, Notice, Part, PartState, State};
use incentive_fund::domain::digest::Digest;
use incentive_fund::domain::disbursement::{Batch, BatchState, Payment, PaymentState};
use incentive_fund::domain::identity::Principal;
use incentive_fund::domain::ledger::{Account, Bucket, Head};
use incentive_fund::domain::money::Money;
use incentive_fund::domain::payer::Payer;
use incentive_fund::domain::payment::{Origin, Reference};
use incentive_fund::domain::reconciliation::{AccountId, Direction, HeadSoFar, StatementLine};
use incentive_fund::domain::region::RegionCode;
use incentive_fund::domain::subsidy::ProgrammeCode;
use incentive_fund::statement::Event;
use incentive_fund::store::{Store, StoreOptions};
use std::collections::BTreeMap;
use std::time::Duration;
use time::Date;

pub const FUND: &str = "f";
pub const PROGRAMME: &str = "housing-purchase";
/// The region whose payments the account for all counties makes.
pub const REGION: &str = "411002";

pub fn fen(fen: i64) -> Money {
    Money::from_fen(fen).unwrap()
}

pub fn fund() -> FundId {
    FundId::parse("fund", FUND).unwrap()
}

pub fn account() -> AccountId {
    AccountId::parse("account", "county").unwrap()
}

pub fn signature(name: &str) -> Signature {
    clock::sign(&Principal::parse(name).unwrap())
}

pub fn mutation(name: &str, request_id: &str, body: &str) -> Mutation {
    Mutation {
        caller: Principal::parse(name).unwrap(),
        peer: "in-process".to_owned(),
        scope: incentive_fund::domain::access::Scope::All,
        request_id: request_id.to_owned(),
        body: Digest::of(body.as_bytes()),
        validate_only: false,
    }
}

/// The use cases on a world's database, with a way to work of its own.
pub async fn open(world: &World, options: ReconciliationOptions) -> App {
    let store = Store::connect(&StoreOptions {
        url: world.url.clone(),
        max_connections: 8,
        acquire_timeout: Duration::from_secs(60),
        statement_log: false,
    })
    .await
    .unwrap();
    store.migrate().await.unwrap();
    App::new(store)
        .with_debtors(crate::harness::debtors())
        .with_reconciliation_options(options)
        .with_vault(world.vault.clone())
}

/// A payment in the books.
#[derive(Debug, Clone)]
pub struct Paid {
    pub batch: u64,
    pub payer: Payer,
    pub region: &'static str,
    pub amount: i64,
    pub state: PaymentState,
    pub payee: String,
    /// Set when it is added.
    pub reference: String,
    pub claim: u64,
}

/// Payments and batches that are still to be written.
#[derive(Debug, Default)]
pub struct Books {
    pub payments: Vec<Paid>,
    /// Execution dates, by number from 1.
    pub batches: Vec<Date>,
}

impl Books {
    pub fn batch(&mut self, execution: Date) -> u64 {
        self.batches.push(execution);
        self.batches.len() as u64
    }

    /// Adds a payment and gives its place.
    pub fn pay(&mut self, batch: u64, amount: i64, state: PaymentState, payee: &str) -> usize {
        self.pay_from(batch, Payer::County, REGION, amount, state, payee)
    }

    pub fn pay_from(
        &mut self,
        batch: u64,
        payer: Payer,
        region: &'static str,
        amount: i64,
        state: PaymentState,
        payee: &str,
    ) -> usize {
        let claim = self.payments.len() as u64 + 1;
        let reference = Reference::of(Origin {
            claim: 1_000_000_000 + claim,
            payer,
            attempt: 1,
        });
        self.payments.push(Paid {
            batch,
            payer,
            region,
            amount,
            state,
            payee: payee.to_owned(),
            reference: reference.unwrap().to_string(),
            claim,
        });
        self.payments.len() - 1
    }

    /// Writes all of it. Without claims, nothing can be posted for the payments.
    pub async fn write(&self, app: &App, claims: bool) {
        let store = app.store();
        let vault = app.vault().unwrap();
        let made = signature("编制人");
        let mut balances: BTreeMap<(Payer, &str, Bucket), i64> = BTreeMap::new();
        let tx = store.begin_bulk().await.unwrap();
        let head = FundHead {
            ordinal: 1,
            journal: Head::genesis(&fund()),
            changes: 0,
            claims: self.payments.len() as u64,
            batches: self.batches.len() as u64,
            audit: incentive_fund::domain::audit::Head::empty(),
        };
        tx.insert_fund(&fund(), &head).await.unwrap();
        for (number, execution) in (1..).zip(&self.batches) {
            let of = self.payments.iter().filter(|paid| paid.batch == number);
            let batch = Batch {
                fund: fund(),
                number,
                programme: ProgrammeCode::parse("programme", PROGRAMME).unwrap(),
                region: None,
                state: if of.clone().any(|paid| paid.state == PaymentState::Instructed) {
                    BatchState::Released
                } else {
                    BatchState::Closed
                },
                version: 3,
                execution_date: execution.to_string(),
                lines: of.clone().count() as u64,
                amount: of.map(|paid| fen(paid.amount)).sum(),
                created: made.clone(),
                frozen: Some(made.clone()),
                released: Some(signature("审核人")),
                closed: None,
                note: String::new(),
            };
            tx.store_batch(&batch).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut lines: BTreeMap<u64, u64> = BTreeMap::new();
        for chunk in self.payments.chunks(4_000) {
            let tx = store.begin_bulk().await.unwrap();
            let mut rows = Vec::with_capacity(chunk.len());
            let mut handed_in = Vec::with_capacity(chunk.len());
            for paid in chunk {
                let line = lines.entry(paid.batch).or_default();
                *line += 1;
                rows.push(payment(vault, paid, *line));
                if claims {
                    handed_in.push((claim(paid, &made), material(vault, paid)));
                }
                let (bucket, _, _) = place(paid.state);
                *balances.entry((paid.payer, paid.region, bucket)).or_default() += paid.amount;
            }
            tx.insert_payments(&rows).await.unwrap();
            let handed_in: Vec<_> = handed_in
                .iter()
                .map(|(claim, material)| (claim, material))
                .collect();
            tx.insert_claims(&handed_in).await.unwrap();
            tx.commit().await.unwrap();
        }
        if !claims {
            return;
        }
        let accounts: Vec<(Account, Money)> = balances
            .into_iter()
            .map(|((payer, region, bucket), amount)| {
                let region = RegionCode::parse("region", region).unwrap();
                let programme = ProgrammeCode::parse("programme", PROGRAMME).unwrap();
                (Account::new(payer, region, Some(programme), bucket), fen(amount))
            })
            .collect();
        let of = fund();
        let rows: Vec<_> = accounts
            .iter()
            .map(|(account, balance)| (&of, account, *balance, 0))
            .collect();
        let tx = store.begin_bulk().await.unwrap();
        tx.store_balances(&rows).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Where the money of a payment is, and what that makes its claim.
fn place(state: PaymentState) -> (Bucket, PartState, State) {
    match state {
        PaymentState::Instructed => (Bucket::InPayment, PartState::InPayment, State::InPayment),
        PaymentState::Settled => (Bucket::Paid, PartState::Paid, State::Paid),
        PaymentState::Failed => (Bucket::Reserved, PartState::Failed, State::Failed),
    }
}

fn payment(vault: &Vault, paid: &Paid, line: u64) -> NewPayment {
    let payee = serde_json::json!({
        "name": "令狐试例", "account": paid.payee, "bank_name": "试行银行", "bank_code": "313491099996",
    });
    let name = format!("payments/{}/payee", paid.reference);
    NewPayment {
        payment: Payment {
            claim: ClaimId {
                fund: fund(),
                number: paid.claim,
            },
            batch: paid.batch,
            line,
            payer: paid.payer,
            attempt: 1,
            reference: paid.reference.clone(),
            amount: fen(paid.amount),
            state: paid.state,
            bank_reference: String::new(),
            concluded_on: String::new(),
            reason: String::new(),
            concluded: None,
        },
        region: RegionCode::parse("region", paid.region).unwrap(),
        payee: vault.seal(&name, payee.to_string().as_bytes()).unwrap(),
        account: vault.lookups("bank-account", &paid.payee).remove(0),
    }
}

fn claim(paid: &Paid, made: &Signature) -> Claim {
    let (_, part_state, state) = place(paid.state);
    Claim {
        id: ClaimId {
            fund: fund(),
            number: paid.claim,
        },
        region: RegionCode::parse("region", paid.region).unwrap(),
        programme: ProgrammeCode::parse("programme", PROGRAMME).unwrap(),
        policy: "test".to_owned(),
        policy_revision: 1,
        state,
        version: 5,
        amount: fen(paid.amount),
        parts: vec![Part {
            state: part_state,
            attempts: 1,
            ..Part::new(paid.payer, fen(paid.amount))
        }],
        notice: Notice::default(),
        submitted: made.clone(),
        decided: Some(made.clone()),
        waiting: 0,
        batch: paid.batch,
        masked_name: "令**".to_owned(),
        masked_id: "4110************12".to_owned(),
    }
}

fn material(vault: &Vault, paid: &Paid) -> ClaimMaterial {
    let name = format!("funds/{FUND}/claims/{}", paid.claim);
    ClaimMaterial {
        law_revision: 0,
        facts: BTreeMap::new(),
        documents: Vec::new(),
        sealed: vault.seal(&name, b"{}").unwrap(),
        keys: Vec::new(),
    }
}

/// A line as a test thinks of it: money out is below zero.
#[derive(Debug, Clone, Default)]
pub struct Said {
    pub booked: Option<Date>,
    pub amount: i64,
    pub reference: String,
    pub order: String,
    pub bank_reference: String,
    pub payee: String,
    pub reversal: bool,
}

/// The events of a statement of the account for all counties.
pub fn statement(
    sequence: u64,
    days: (Date, Date),
    opening: i64,
    lines: &[Said],
) -> (Vec<Result<Event, incentive_fund::domain::error::Error>>, i64) {
    let debtors = crate::harness::debtors();
    let accounts = incentive_fund::domain::reconciliation::BankAccounts::of(&debtors);
    let account = accounts.find(&account()).unwrap().debtor.account().clone();
    let closing = opening + lines.iter().map(|line| line.amount).sum::<i64>();
    let head = HeadSoFar {
        account: Some(account),
        identification: format!("S{sequence}"),
        sequence: Some(sequence),
        from: Some(days.0),
        to: Some(days.1),
        opening: Some(fen(opening)),
        closing: Some(fen(closing)),
        ..HeadSoFar::default()
    };
    let mut events = vec![Ok(Event::Begin(Box::new(head.clone())))];
    for (number, said) in (1..).zip(lines) {
        events.push(Ok(Event::Line(Box::new(line(number, said, days.0)))));
    }
    events.push(Ok(Event::End(Box::new(head))));
    (events, closing)
}

fn line(number: u64, said: &Said, first: Date) -> StatementLine {
    use incentive_fund::domain::payment::AccountNumber;
    StatementLine {
        line: number,
        at: number,
        part: None,
        booked: said.booked.unwrap_or(first),
        valued: said.booked,
        direction: if said.amount < 0 {
            Direction::Debit
        } else {
            Direction::Credit
        },
        amount: fen(said.amount.abs()),
        reversal: said.reversal,
        reference: (!said.reference.is_empty())
            .then(|| Reference::parse("reference", &said.reference).unwrap()),
        order: (!said.order.is_empty()).then(|| said.order.clone()),
        bank_reference: said.bank_reference.clone(),
        counterparty_account: AccountNumber::parse("account", &said.payee).ok(),
        counterparty_name: Some("令狐试例".to_owned()),
        text: "购房补贴".to_owned(),
    }
}
