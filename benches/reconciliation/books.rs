//! Books with settled payments, and the file of the bank that goes with them: every thousandth line is wrong by a fen.

use incentive_fund::app::App;
use incentive_fund::app::Mutation;
use incentive_fund::app::clock;
use incentive_fund::app::reconciliation::ReconciliationOptions;
use incentive_fund::app::records::{FundHead, NewPayment};
use incentive_fund::app::vault::Vault;
use incentive_fund::domain::allocation::{FundId, Signature};
use incentive_fund::domain::claim::ClaimId;
use incentive_fund::domain::digest::Digest;
use incentive_fund::domain::disbursement::{Batch, BatchState, Payment, PaymentState};
use incentive_fund::domain::identity::Principal;
use incentive_fund::domain::ledger::Head;
use incentive_fund::domain::money::Money;
use incentive_fund::domain::payer::Payer;
use incentive_fund::domain::payment::{Debtor, Debtors, Origin, Reference};
use incentive_fund::domain::reconciliation::AccountId;
use incentive_fund::domain::region::RegionCode;
use incentive_fund::domain::subsidy::ProgrammeCode;
use incentive_fund::store::{Store, StoreOptions};
use sha2::{Digest as _, Sha256};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::time::Duration;

const FUND: &str = "f";
const ACCOUNT: &str = "411000000000099999";
/// Payments of a batch, which is what a batch holds at most.
const BATCH: u64 = 10_000;
const OPENING: i64 = 100_000_000_000_000;

pub fn account() -> AccountId {
    AccountId::parse("account", "county").unwrap()
}

pub fn mutation(what: &str) -> Mutation {
    Mutation {
        caller: Principal::parse("bench").unwrap(),
        peer: "bench".to_owned(),
        scope: incentive_fund::domain::access::Scope::All,
        request_id: String::new(),
        body: Digest::of(what.as_bytes()),
        validate_only: false,
    }
}

pub async fn app(url: &str, directory: &Path) -> App {
    let store = Store::connect(&StoreOptions {
        url: url.to_owned(),
        max_connections: 8,
        acquire_timeout: Duration::from_secs(60),
        statement_log: false,
    })
    .await
    .unwrap();
    store.migrate().await.unwrap();
    let debtor = Debtor::parse("debtor", "县级财政专户", ACCOUNT, "313491099996").unwrap();
    let keys = directory.join("keys.toml");
    if !keys.exists() {
        std::fs::write(&keys, Vault::generate("bench", None).unwrap().as_bytes()).unwrap();
    }
    let vault = Vault::parse(&std::fs::read_to_string(&keys).unwrap()).unwrap();
    App::new(store)
        .with_debtors(Debtors::new("debtor", vec![(Payer::County, None, debtor)]).unwrap())
        .with_reconciliation_options(ReconciliationOptions::default())
        .with_vault(vault)
}

/// One payment of the books and its line.
struct Line {
    reference: String,
    payee: String,
    amount: i64,
    booked: &'static str,
    bank: String,
}

fn line(number: u64) -> Line {
    const DAYS: [&str; 4] = ["2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09"];
    let reference = Reference::of(Origin {
        claim: 1_000_000_000 + number,
        payer: Payer::County,
        attempt: 1,
    });
    let day = usize::try_from(number / BATCH).unwrap() % DAYS.len();
    Line {
        reference: reference.unwrap().to_string(),
        payee: format!("62220{number:014}"),
        amount: 100_000 + i64::try_from(number * 7_919 % 2_000_000).unwrap(),
        booked: DAYS[day],
        bank: format!("2026010{number:010}"),
    }
}

fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

pub async fn prepare(url: &str, count: u64, directory: &Path) {
    let app = app(url, directory).await;
    let store = app.store();
    let vault = app.vault().unwrap();
    let fund = FundId::parse("fund", FUND).unwrap();
    let by = Signature {
        by: Principal::parse("bench").unwrap(),
        at: clock::now(),
    };
    let tx = store.begin_bulk().await.unwrap();
    let batches = count.div_ceil(BATCH);
    let head = FundHead {
        ordinal: 1,
        journal: Head::genesis(&fund),
        changes: 0,
        claims: count,
        batches,
        audit: incentive_fund::domain::audit::Head::empty(),
    };
    tx.insert_fund(&fund, &head).await.unwrap();
    for number in 1..=batches {
        let batch = Batch {
            fund: fund.clone(),
            number,
            region: None,
            programme: ProgrammeCode::parse("programme", "housing-purchase").unwrap(),
            state: BatchState::Closed,
            version: 4,
            execution_date: "2026-01-05".to_owned(),
            lines: BATCH,
            amount: Money::ZERO,
            created: by.clone(),
            frozen: Some(by.clone()),
            released: Some(by.clone()),
            closed: Some(by.clone()),
            note: String::new(),
        };
        tx.store_batch(&batch).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut from = 1;
    while from <= count {
        let to = (from + 9_999).min(count);
        let tx = store.begin_bulk().await.unwrap();
        let rows: Vec<NewPayment> = (from..=to)
            .map(|number| payment(vault, &fund, number, &by))
            .collect();
        tx.insert_payments(&rows).await.unwrap();
        tx.commit().await.unwrap();
        from = to + 1;
    }
    files(count, directory);
    app.store().clone().close().await;
}

fn payment(vault: &Vault, fund: &FundId, number: u64, by: &Signature) -> NewPayment {
    let line = line(number);
    let payee = serde_json::json!({
        "name": "令狐试例", "account": line.payee, "bank_name": "试行银行", "bank_code": "313491099996",
    });
    let name = format!("payments/{}/payee", line.reference);
    NewPayment {
        payment: Payment {
            claim: ClaimId {
                fund: fund.clone(),
                number,
            },
            batch: (number - 1) / BATCH + 1,
            line: (number - 1) % BATCH + 1,
            payer: Payer::County,
            attempt: 1,
            reference: line.reference,
            amount: Money::from_fen(line.amount).unwrap(),
            state: PaymentState::Settled,
            bank_reference: String::new(),
            concluded_on: "2026-01-06".to_owned(),
            reason: String::new(),
            concluded: Some(by.clone()),
        },
        region: RegionCode::parse("region", "411002").unwrap(),
        payee: vault.seal(&name, payee.to_string().as_bytes()).unwrap(),
        account: vault.lookups("bank-account", &line.payee).remove(0),
    }
}

/// The bank's table, and the same lines as they are given to psql and sqlite3: what we keep of them, in clear.
fn files(count: u64, directory: &Path) {
    let create = |name: &str| BufWriter::new(std::fs::File::create(directory.join(name)).unwrap());
    let (mut bank, mut plain) = (create("statement.csv"), create("lines.csv"));
    let amount = |number: u64| {
        let off = i64::from(number.is_multiple_of(1_000));
        line(number).amount + off
    };
    let total: i64 = (1..=count).map(amount).sum();
    writeln!(bank, "账户交易明细查询,,,,,,,,").unwrap();
    writeln!(bank, "账号:{ACCOUNT},币种:人民币,,,,,,,").unwrap();
    writeln!(bank, "查询时间:2026-01-01 至 2026-01-31,,,,,,,,").unwrap();
    writeln!(
        bank,
        "记账日期,交易流水号,借方发生额,贷方发生额,对方账号,对方户名,摘要,用途,客户参考号"
    )
    .unwrap();
    // A balance in every row is the other way to say it.
    std::fs::write(directory.join("total"), total.to_string()).unwrap();
    for number in order(count) {
        let line = line(number);
        let fen = amount(number);
        writeln!(
            bank,
            "{},{},{},,{},令狐试例,代发,购房补贴,{}",
            line.booked,
            line.bank,
            yuan(fen),
            line.payee,
            line.reference
        )
        .unwrap();
    }
    bank.flush().unwrap();
    for (at, number) in (1_u64..).zip(order(count)) {
        let line = line(number);
        writeln!(
            plain,
            "{at},{},{},-{},0,{},,{},令狐试例,{},代发 购房补贴",
            line.booked,
            line.booked,
            amount(number),
            line.reference,
            line.bank,
            line.payee
        )
        .unwrap();
    }
    plain.flush().unwrap();
}

/// Banks do not pay in the order of our batches: within a batch, lines come in another order.
fn order(count: u64) -> impl Iterator<Item = u64> {
    (0..count.div_ceil(BATCH)).flat_map(move |batch| {
        let size = BATCH.min(count - batch * BATCH);
        // A step that shares no divisor with any size of a batch here.
        (0..size).map(move |at| batch * BATCH + at * 7_919 % size + 1)
    })
}

/// The balances before and behind the lines.
pub fn balances(directory: &Path) -> (Money, Money) {
    let total: i64 = std::fs::read_to_string(directory.join("total"))
        .unwrap()
        .parse()
        .unwrap();
    let fen = |fen| Money::from_fen(fen).unwrap();
    (fen(OPENING), fen(OPENING - total))
}

pub fn digest(file: &Path) -> String {
    let mut reader = BufReader::with_capacity(1 << 20, std::fs::File::open(file).unwrap());
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = reader.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    format!("sha256:{}", hex::encode(hash.finalize()))
}

/// The most memory that this process ever had, in MiB.
pub fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes / 1024
}
