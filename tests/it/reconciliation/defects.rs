//! Books and statements with seeded defects of every kind: each is found and put into the right class, nothing
//! else is, and looking again changes nothing.

use super::books::{Books, Said, account, mutation, open, statement};
use crate::bureau::{Random, seed, setting};
use crate::harness::{World, stories};
use incentive_fund::app::App;
use incentive_fund::app::reconciliation::records::{Job, JobReport};
use incentive_fund::app::reconciliation::{CreateJob, ImportStatement, ReconciliationOptions, Worked};
use incentive_fund::domain::disbursement::PaymentState;
use incentive_fund::domain::payer::Payer;
use incentive_fund::domain::payment::{Origin, Reference};
use incentive_fund::domain::reconciliation::JobState;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use std::collections::{BTreeMap, BTreeSet};
use time::macros::date;
use time::{Date, Duration};

stories!(
    every_seeded_defect_is_found_and_nothing_else,
    defects_are_found_as_statements_come_in,
    a_dry_run_keeps_nothing_and_reports_the_same,
);

/// The last day that is looked at; statements go to it.
pub const AS_OF: Date = date!(2026 - 01 - 31);
const FIRST: Date = date!(2026 - 01 - 01);

/// What a payment or a line is to come to; a payment that failed and has no line comes to nothing.
#[derive(Debug, Default)]
pub struct Expected {
    pub payments: BTreeMap<String, &'static str>,
    /// By the line's place in the list of all lines.
    pub lines: Vec<(Said, &'static str)>,
    /// What payments are afterwards.
    pub states: BTreeMap<String, (&'static str, i64)>,
}

pub struct World0 {
    pub books: Books,
    pub expected: Expected,
    random: Random,
    /// General batches by day of January.
    days: BTreeMap<i64, u64>,
    bank: u64,
    unknown: u64,
}

/// Every kind of defect, in turn.
const KINDS: [&str; 38] = [
    "missing",
    "in flight",
    "late",
    "more",
    "less",
    "twice",
    "three times",
    "reversed",
    "twice, one taken back",
    "reversed and paid again",
    "reversed twice",
    "split in two",
    "split in three, late",
    "split, not whole",
    "split, too much",
    "split, a part taken back",
    "failed, nothing",
    "failed and paid",
    "failed, paid and taken back",
    "fee",
    "interest",
    "unknown reference",
    "another account's",
    "by account",
    "by account, twice as many",
    "by account, out of days",
    "by account, late",
    "by account, taken back",
    "total",
    "total of the rest",
    "total, less",
    "total, twice",
    "total, taken back",
    "total, one comes back",
    "credit of another amount",
    "credit without debit",
    "credit taken back",
    "amounts swapped",
];

impl World0 {
    pub fn new(seed: u64) -> Self {
        Self {
            books: Books::default(),
            expected: Expected::default(),
            random: Random::new(seed),
            days: BTreeMap::new(),
            bank: 0,
            unknown: 0,
        }
    }

    fn execution(day: i64) -> Date {
        FIRST + Duration::days(day)
    }

    /// A day on which a payment may be made and be late before the month ends.
    fn day(&mut self) -> i64 {
        i64::try_from(self.random.below(12)).unwrap() + 1
    }

    fn amount(&mut self) -> i64 {
        i64::try_from(self.random.below(2_000_000)).unwrap() + 100_000
    }

    fn state(&mut self) -> PaymentState {
        if self.random.once_in(2) {
            PaymentState::Settled
        } else {
            PaymentState::Instructed
        }
    }

    fn payee(&mut self) -> String {
        format!("62220{:014}", self.books.payments.len() + 1)
    }

    fn batch(&mut self, day: i64) -> u64 {
        if let Some(batch) = self.days.get(&day) {
            return *batch;
        }
        let batch = self.books.batch(Self::execution(day));
        self.days.insert(day, batch);
        batch
    }

    fn bank_reference(&mut self) -> String {
        self.bank += 1;
        format!("B{}", self.bank)
    }

    /// A payment on a day: its reference, amount and state.
    fn pay(&mut self, day: i64, state: PaymentState) -> (String, i64, PaymentState) {
        let (batch, amount, payee) = (self.batch(day), self.amount(), self.payee());
        let at = self.books.pay(batch, amount, state, &payee);
        (self.books.payments[at].reference.clone(), amount, state)
    }

    fn line(&mut self, day: i64, amount: i64, reference: &str, class: &'static str) {
        let said = Said {
            booked: Some(Self::execution(day)),
            amount,
            reference: reference.to_owned(),
            bank_reference: self.bank_reference(),
            ..Said::default()
        };
        self.expected.lines.push((said, class));
    }

    fn is(&mut self, reference: &str, class: &'static str) {
        self.expected.payments.insert(reference.to_owned(), class);
    }

    /// What becomes of a payment that came to `class`: its state, and how much of it came back.
    fn becomes(&mut self, reference: &str, had: PaymentState, back: i64, amount: i64) {
        let state = match (had, back) {
            (PaymentState::Failed, _) => ("failed", 0),
            (PaymentState::Instructed, back) if back == amount => ("failed", 0),
            (_, back) => ("settled", back),
        };
        self.expected.states.insert(reference.to_owned(), state);
    }

    fn paid(&mut self, reference: &str, had: PaymentState, class: &'static str) {
        self.is(reference, class);
        self.becomes(reference, had, 0, 1);
    }

    pub fn clean(&mut self) {
        let (day, state) = (self.day(), self.state());
        let (reference, amount, had) = self.pay(day, state);
        let days = i64::try_from(self.random.below(6)).unwrap();
        self.line(day + days, -amount, &reference, "matched");
        self.paid(&reference, had, "matched");
    }

    #[allow(clippy::too_many_lines)]
    pub fn defect(&mut self, kind: &'static str) {
        let (day, state) = (self.day(), self.state());
        match kind {
            "missing" => {
                let (reference, ..) = self.pay(day, state);
                self.is(&reference, "missing_at_bank");
            }
            "in flight" => {
                let (reference, ..) = self.pay(28, state);
                self.is(&reference, "in_flight");
            }
            "late" => {
                let (reference, amount, had) = self.pay(day, state);
                self.line(day + 6, -amount, &reference, "late");
                self.paid(&reference, had, "late");
            }
            "more" | "less" => {
                let (reference, amount, _) = self.pay(day, state);
                let off = if kind == "more" { 1 } else { -1 };
                self.line(day + 1, -amount - off, &reference, "amount_differs");
                self.is(&reference, "amount_differs");
            }
            "twice" | "three times" => {
                let (reference, amount, had) = self.pay(day, state);
                self.line(day, -amount, &reference, "matched");
                for again in 1..if kind == "twice" { 2 } else { 3 } {
                    self.line(day + again, -amount, &reference, "duplicate_at_bank");
                }
                self.paid(&reference, had, "matched");
            }
            "reversed" | "reversed twice" => {
                let (reference, amount, had) = self.pay(day, state);
                for again in 0..if kind == "reversed" { 1 } else { 2 } {
                    self.line(day + again, -amount, &reference, "reversed");
                    self.line(day + again + 1, amount, &reference, "reversed");
                }
                self.is(&reference, "reversed");
                self.becomes(&reference, had, amount, amount);
            }
            "twice, one taken back" => {
                let (reference, amount, had) = self.pay(day, state);
                self.line(day, -amount, &reference, "matched");
                self.line(day + 1, -amount, &reference, "reversed");
                self.line(day + 2, amount, &reference, "reversed");
                self.paid(&reference, had, "matched");
            }
            "reversed and paid again" => {
                let (reference, amount, had) = self.pay(day, state);
                self.line(day, -amount, &reference, "reversed");
                self.line(day + 1, amount, &reference, "reversed");
                self.line(day + 2, -amount, &reference, "matched");
                self.paid(&reference, had, "matched");
            }
            "split in two" => {
                let (reference, amount, had) = self.pay(day, state);
                self.line(day, -amount + 5, &reference, "matched");
                self.line(day + 1, -5, &reference, "matched");
                self.paid(&reference, had, "matched");
            }
            "split in three, late" => {
                let (reference, amount, had) = self.pay(day, state);
                self.line(day, -amount + 12, &reference, "late");
                self.line(day + 1, -5, &reference, "late");
                self.line(day + 7, -7, &reference, "late");
                self.paid(&reference, had, "late");
            }
            "split, not whole" | "split, too much" => {
                let (reference, amount, _) = self.pay(day, state);
                let rest = if kind == "split, not whole" { 4 } else { 6 };
                self.line(day, -amount + 5, &reference, "amount_differs");
                self.line(day + 1, -rest, &reference, "amount_differs");
                self.is(&reference, "amount_differs");
            }
            "split, a part taken back" => {
                let (reference, amount, had) = self.pay(day, state);
                self.line(day, -amount + 50, &reference, "matched");
                self.line(day + 1, -50, &reference, "reversed");
                self.line(day + 3, 50, &reference, "reversed");
                self.is(&reference, "reversed");
                self.becomes(&reference, had, 50, amount);
            }
            "failed, nothing" => {
                let (reference, ..) = self.pay(day, PaymentState::Failed);
                self.expected.states.insert(reference, ("failed", 0));
            }
            "failed and paid" => {
                let (reference, amount, _) = self.pay(day, PaymentState::Failed);
                self.line(day + 1, -amount, &reference, "unknown_at_bank");
                self.expected.states.insert(reference, ("failed", 0));
            }
            "failed, paid and taken back" => {
                let (reference, amount, _) = self.pay(day, PaymentState::Failed);
                self.line(day, -amount, &reference, "reversed");
                self.line(day, amount, &reference, "reversed");
                self.is(&reference, "reversed");
                self.expected.states.insert(reference, ("failed", 0));
            }
            "fee" => self.line(day, -500, "", "unknown_at_bank"),
            "interest" => self.line(day, 1_234, "", "unknown_at_bank"),
            "unknown reference" => {
                self.unknown += 1;
                let reference = Reference::of(Origin {
                    claim: 7_000_000_000 + self.unknown,
                    payer: Payer::County,
                    attempt: 1,
                });
                let amount = self.amount();
                self.line(day, -amount, reference.unwrap().as_str(), "unknown_at_bank");
            }
            "another account's" => {
                let (batch, amount, payee) = (self.batch(day), self.amount(), self.payee());
                let (payer, region) = if self.random.once_in(2) {
                    (Payer::City, super::books::REGION)
                } else {
                    (Payer::County, "411024")
                };
                let at = self
                    .books
                    .pay_from(batch, payer, region, amount, PaymentState::Settled, &payee);
                let reference = self.books.payments[at].reference.clone();
                self.line(day, -amount, &reference, "unknown_at_bank");
            }
            "by account" | "by account, out of days" | "by account, late" | "by account, taken back" => {
                self.by_account(kind, day, state);
            }
            "by account, twice as many" => {
                let payee = self.payee();
                let (batch, amount) = (self.batch(day), self.amount());
                for _ in 0..2 {
                    let at = self.books.pay(batch, amount, state, &payee);
                    let reference = self.books.payments[at].reference.clone();
                    self.is(&reference, "missing_at_bank");
                }
                self.without_reference(day, -amount, &payee, "unknown_at_bank");
            }
            "total"
            | "total of the rest"
            | "total, less"
            | "total, twice"
            | "total, taken back"
            | "total, one comes back" => self.total(kind, day, state),
            "credit of another amount" => {
                let (reference, amount, had) = self.pay(day, state);
                self.line(day, -amount, &reference, "matched");
                self.line(day + 1, 99, &reference, "amount_differs");
                self.paid(&reference, had, "matched");
            }
            "credit without debit" => {
                let (reference, amount, _) = self.pay(day, state);
                self.line(day + 1, amount, &reference, "unknown_at_bank");
                self.is(&reference, "missing_at_bank");
            }
            "credit taken back" => {
                let (reference, amount, had) = self.pay(day, state);
                self.line(day, -amount, &reference, "matched");
                self.line(day + 1, amount, &reference, "reversed");
                self.line(day + 2, -amount, &reference, "reversed");
                self.expected.lines.last_mut().unwrap().0.reversal = true;
                self.paid(&reference, had, "matched");
            }
            "amounts swapped" => {
                let (one, first, _) = self.pay(day, state);
                let (other, second, _) = self.pay(day, state);
                self.line(day, -second - i64::from(first == second), &one, "amount_differs");
                self.line(day, -first - i64::from(first == second), &other, "amount_differs");
                self.is(&one, "amount_differs");
                self.is(&other, "amount_differs");
            }
            other => panic!("no kind {other}"),
        }
    }

    fn without_reference(&mut self, day: i64, amount: i64, payee: &str, class: &'static str) {
        self.line(day, amount, "", class);
        payee.clone_into(&mut self.expected.lines.last_mut().unwrap().0.payee);
    }

    fn by_account(&mut self, kind: &str, day: i64, state: PaymentState) {
        let payee = self.payee();
        let (batch, amount) = (self.batch(day), self.amount());
        let at = self.books.pay(batch, amount, state, &payee);
        let reference = self.books.payments[at].reference.clone();
        match kind {
            "by account" => {
                self.without_reference(day + 5, -amount, &payee, "matched");
                self.paid(&reference, state, "matched");
            }
            // The window of days is that of lateness, so what is late is out of days, too.
            "by account, late" | "by account, out of days" => {
                self.without_reference(day + 6, -amount, &payee, "unknown_at_bank");
                self.is(&reference, "missing_at_bank");
            }
            _ => {
                self.without_reference(day, -amount, &payee, "matched");
                let bank = self.expected.lines.last().unwrap().0.bank_reference.clone();
                self.without_reference(day + 3, amount, &payee, "reversed");
                self.expected.lines.last_mut().unwrap().0.bank_reference = bank;
                self.is(&reference, "reversed");
                self.becomes(&reference, state, amount, amount);
            }
        }
    }

    fn total(&mut self, kind: &str, day: i64, state: PaymentState) {
        let batch = self.books.batch(Self::execution(day));
        let order = format!("F1B{batch}Q");
        let many = 2 + self.random.below(4);
        let mut payments = Vec::new();
        for _ in 0..many {
            let (amount, payee) = (self.amount(), self.payee());
            let at = self.books.pay(batch, amount, state, &payee);
            payments.push((self.books.payments[at].reference.clone(), amount));
        }
        let mut sum: i64 = payments.iter().map(|(_, amount)| amount).sum();
        if kind == "total of the rest" {
            let (reference, amount) = payments[0].clone();
            self.line(day, -amount, &reference, "matched");
            sum -= amount;
        }
        let ordered = |world: &mut Self, day: i64, amount: i64, class: &'static str| {
            world.line(day, amount, "", class);
            order.clone_into(&mut world.expected.lines.last_mut().unwrap().0.order);
        };
        if kind == "total, less" {
            ordered(self, day + 1, -sum + 3, "amount_differs");
            for (reference, _) in &payments {
                self.is(reference, "missing_at_bank");
            }
            return;
        }
        ordered(self, day + 1, -sum, "matched");
        for (reference, _) in &payments {
            self.paid(reference, state, "matched");
        }
        match kind {
            "total, twice" => ordered(self, day + 2, -sum, "duplicate_at_bank"),
            "total, taken back" => {
                ordered(self, day + 2, sum, "reversed");
                for (reference, amount) in &payments {
                    self.is(reference, "reversed");
                    self.becomes(reference, state, *amount, *amount);
                }
            }
            "total, one comes back" => {
                let (reference, amount) = payments[0].clone();
                self.line(day + 4, amount, &reference, "reversed");
                self.is(&reference, "reversed");
                self.becomes(&reference, state, amount, amount);
            }
            _ => {}
        }
    }

    /// Three statements, each with the lines of its days, in order; and which class each line has.
    #[allow(clippy::type_complexity)]
    pub fn statements(&mut self) -> Vec<(u64, (Date, Date), Vec<(Said, &'static str)>)> {
        let mut lines = std::mem::take(&mut self.expected.lines);
        lines.sort_by_key(|(said, _)| said.booked);
        let spans = [
            (FIRST, date!(2026 - 01 - 10)),
            (date!(2026 - 01 - 11), date!(2026 - 01 - 20)),
            (date!(2026 - 01 - 21), AS_OF),
        ];
        (1..)
            .zip(spans)
            .map(|(sequence, span)| {
                let within = |said: &Said| said.booked.is_some_and(|day| day >= span.0 && day <= span.1);
                let lines = lines.iter().filter(|(said, _)| within(said)).cloned().collect();
                (sequence, span, lines)
            })
            .collect()
    }
}

/// Books and statements with so many defects, and twice as many payments without.
pub fn generate(seed: u64, defects: u64) -> World0 {
    let mut world = World0::new(seed);
    for at in 0..defects {
        let kind = KINDS[usize::try_from(at).unwrap() % KINDS.len()];
        world.defect(kind);
        world.clean();
        world.clean();
    }
    world
}

pub async fn import(
    app: &App,
    sequence: u64,
    days: (Date, Date),
    opening: i64,
    lines: &[Said],
) -> (u64, i64) {
    let (events, closing) = statement(sequence, days, opening, lines);
    let import = ImportStatement {
        account: None,
        digest: format!("sha256:test-{sequence}-{}", lines.len()),
        format: "camt".to_owned(),
    };
    let request = mutation("出纳", &format!("import-{sequence}"), &import.digest);
    let imported = app
        .import_statement(&request, &import, events.into_iter())
        .await
        .unwrap();
    assert!(!imported.known);
    (imported.statements[0].number, closing)
}

/// Asks for a job and works on it to its end.
pub async fn reconcile(app: &App, as_of: Date, dry_run: bool) -> Job {
    let create = CreateJob {
        account: account(),
        as_of,
        dry_run,
    };
    let created = app
        .create_reconciliation(&mutation("会计", "", "job"), &create)
        .await
        .unwrap();
    let Worked::Ended(job) = app.work_once("worker").await.unwrap() else {
        panic!("{created:?} was not worked on");
    };
    assert_eq!(job.number, created.number);
    assert_eq!(job.state, JobState::Finished, "{}", job.failure);
    *job
}

pub async fn database(url: &str) -> DatabaseConnection {
    Database::connect(url).await.unwrap()
}

pub async fn rows(db: &DatabaseConnection, statement: &str) -> Vec<Vec<String>> {
    let statement = Statement::from_string(db.get_database_backend(), statement);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|row| {
            row.column_names()
                .iter()
                .map(|name| {
                    row.try_get::<String>("", name)
                        .unwrap_or_else(|_| row.try_get::<i64>("", name).unwrap().to_string())
                })
                .collect()
        })
        .collect()
}

/// The class of every payment and every line, as they are stored; that each has one only is checked.
pub async fn found(
    db: &DatabaseConnection,
) -> (BTreeMap<String, String>, BTreeMap<(String, String), String>) {
    let mut payments = BTreeMap::new();
    for row in rows(
        db,
        "SELECT DISTINCT reference, 'matched' AS class FROM bank_match WHERE class IN ('matched', 'late')",
    )
    .await
    {
        payments.insert(row[0].clone(), row[1].clone());
    }
    let mut seen = BTreeSet::new();
    for row in rows(
        db,
        "SELECT reference, class FROM bank_break WHERE reference <> '' AND state <> 'resolved'",
    )
    .await
    {
        assert!(seen.insert(row[0].clone()), "two breaks about {}", row[0]);
        payments.insert(row[0].clone(), row[1].clone());
    }
    let mut lines: BTreeMap<(String, String), String> = BTreeMap::new();
    for row in rows(
        db,
        "SELECT DISTINCT statement, line, class FROM bank_match UNION \
         SELECT statement, line, class FROM bank_break WHERE reference = '' AND state <> 'resolved'",
    )
    .await
    {
        let before = lines.insert((row[0].clone(), row[1].clone()), row[2].clone());
        assert!(before.is_none_or(|class| class == row[2]), "two classes: {row:?}");
    }
    (payments, lines)
}

/// Everything that reconciliation keeps, but for jobs and the times of what was done.
pub async fn kept(db: &DatabaseConnection) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for statement in [
        "SELECT statement, line, reference, part, class, rule FROM bank_match ORDER BY statement, line, reference",
        "SELECT account, statement, line, reference FROM bank_open_line ORDER BY account, statement, line",
        "SELECT statement, line, reference, action, amount_fen, refusal FROM bank_posting ORDER BY statement, line, reference",
        "SELECT reference, statement, line, class, reason, other_reference, other_statement, other_line, expected_fen, \
         found_fen, expected_on, found_on, candidates, state, version, since, period, resolution FROM bank_break \
         ORDER BY reference, statement, line, number",
        "SELECT account, action, COUNT(*) AS count FROM bank_break_history GROUP BY account, action ORDER BY action",
        "SELECT reference, state FROM payment ORDER BY reference",
        "SELECT fund, account, balance_fen FROM ledger_account ORDER BY fund, account",
        "SELECT fund, number, state, parts FROM claim ORDER BY fund, number",
    ] {
        all.extend(rows(db, statement).await);
    }
    all
}

/// Classes and postings.
pub async fn check_all(db: &DatabaseConnection, expected: &Expected, lines: &[((u64, u64), &'static str)]) {
    check(db, expected, lines).await;
    check_postings(db, expected).await;
}

/// Holds what was found against what was seeded.
async fn check(db: &DatabaseConnection, expected: &Expected, lines: &[((u64, u64), &'static str)]) {
    let (payments, found_lines) = found(db).await;
    let wanted: BTreeMap<String, String> = expected
        .payments
        .iter()
        .map(|(reference, class)| (reference.clone(), (*class).to_owned()))
        .collect();
    compare("payments", &wanted, &payments);
    let wanted: BTreeMap<(String, String), String> = lines
        .iter()
        .map(|((statement, line), class)| ((statement.to_string(), line.to_string()), (*class).to_owned()))
        .collect();
    compare("lines", &wanted, &found_lines);
}

/// Precision and recall must both be whole.
fn compare<K: Ord + std::fmt::Debug>(what: &str, wanted: &BTreeMap<K, String>, found: &BTreeMap<K, String>) {
    let wrong: Vec<_> = found
        .iter()
        .filter(|(key, class)| wanted.get(*key) != Some(class))
        .map(|(key, class)| (key, class, wanted.get(key)))
        .take(20)
        .collect();
    assert!(
        wrong.is_empty(),
        "{what} of the wrong class (found, wanted): {wrong:#?}"
    );
    let lost: Vec<_> = wanted
        .iter()
        .filter(|(key, _)| !found.contains_key(*key))
        .take(20)
        .collect();
    assert!(lost.is_empty(), "{what} not found: {lost:#?}");
}

/// Money is where the payments' outcomes say.
async fn check_postings(db: &DatabaseConnection, expected: &Expected) {
    let states: BTreeMap<String, String> = rows(db, "SELECT reference, state FROM payment")
        .await
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let returned: BTreeMap<String, i64> = rows(
        db,
        "SELECT reference, CAST(SUM(amount_fen) AS BIGINT) AS sum_fen FROM bank_posting WHERE action = 'return' \
         AND refusal = '' AND done_at > 0 GROUP BY reference",
    )
    .await
    .into_iter()
    .map(|row| (row[0].clone(), row[1].parse().unwrap()))
    .collect();
    for (reference, (state, back)) in &expected.states {
        assert_eq!(&states[reference], state, "{reference}");
        assert_eq!(
            returned.get(reference).copied().unwrap_or(0),
            *back,
            "{reference}"
        );
    }
    let undone = rows(
        db,
        "SELECT COUNT(*) AS count FROM bank_posting WHERE done_at = 0 OR refusal <> ''",
    )
    .await;
    assert_eq!(undone[0][0], "0");
    // What came back is in the quota, not paid; what failed is reserved again.
    let paid: i64 = rows(
        db,
        "SELECT CAST(COALESCE(SUM(CASE WHEN p.state = 'settled' THEN p.amount_fen ELSE 0 END), 0) AS BIGINT) AS fen \
         FROM payment p",
    )
    .await[0][0]
        .parse()
        .unwrap();
    let balance: i64 = rows(
        db,
        "SELECT CAST(SUM(balance_fen) AS BIGINT) AS fen FROM ledger_account WHERE bucket = 'paid'",
    )
    .await[0][0]
        .parse()
        .unwrap();
    assert_eq!(paid - returned.values().sum::<i64>(), balance);
}

fn options() -> ReconciliationOptions {
    ReconciliationOptions {
        range: 700,
        ..ReconciliationOptions::default()
    }
}

fn defects() -> u64 {
    setting("INCENTIVE_FUND_TEST_DEFECTS", 5_000)
}

async fn every_seeded_defect_is_found_and_nothing_else(world: World) {
    // Both databases together are 10,000.
    let mut told = generate(seed("defects"), defects());
    let app = open(&world, options()).await;
    told.books.write(&app, true).await;
    let mut lines = Vec::new();
    let mut opening = 1_000_000_000_000;
    for (sequence, days, said) in told.statements() {
        let only: Vec<Said> = said.iter().map(|(said, _)| said.clone()).collect();
        let (number, closing) = import(&app, sequence, days, opening, &only).await;
        opening = closing;
        lines.extend(
            (1..)
                .zip(&said)
                .map(|(line, (_, class))| ((number, line), *class)),
        );
    }
    let job = reconcile(&app, AS_OF, false).await;
    let db = database(&world.url).await;
    check_all(&db, &told.expected, &lines).await;
    check_report(&job.report, &told.expected, &lines);
    // Again, on the same data.
    let before = kept(&db).await;
    let again = reconcile(&app, AS_OF, false).await;
    assert_eq!(kept(&db).await, before, "running again changed something");
    assert_eq!(
        (
            again.report.new_breaks,
            again.report.changed_breaks,
            again.report.closed_breaks
        ),
        (0, 0, 0)
    );
    assert_eq!(again.report.classes, job.report.classes);
    assert_eq!(again.report.postings, []);
}

fn check_report(report: &JobReport, expected: &Expected, lines: &[((u64, u64), &'static str)]) {
    let mut wanted: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for class in expected.payments.values() {
        wanted.entry(class).or_default().0 += 1;
    }
    for (_, class) in lines {
        wanted.entry(class).or_default().1 += 1;
    }
    let found: BTreeMap<&str, (u64, u64)> = report
        .classes
        .iter()
        .map(|total| (total.class.code(), (total.payments, total.lines)))
        .collect();
    assert_eq!(found, wanted);
}

async fn defects_are_found_as_statements_come_in(world: World) {
    let mut told = generate(seed("defects as statements come in"), defects() / 5);
    let app = open(&world, options()).await;
    told.books.write(&app, true).await;
    let db = database(&world.url).await;
    let mut opening = 1_000_000_000_000;
    for (sequence, days, said) in told.statements() {
        let only: Vec<Said> = said.iter().map(|(said, _)| said.clone()).collect();
        let (_, closing) = import(&app, sequence, days, opening, &only).await;
        opening = closing;
        reconcile(&app, days.1, false).await;
        let before = kept(&db).await;
        let again = reconcile(&app, days.1, false).await;
        assert_eq!(kept(&db).await, before, "running again changed something");
        assert_eq!((again.report.new_breaks, again.report.changed_breaks), (0, 0));
    }
    // Whatever came when, every line has one class, and every payment that is due.
    let (payments, lines) = found(&db).await;
    let all = rows(&db, "SELECT COUNT(*) AS count FROM bank_line").await;
    assert_eq!(lines.len().to_string(), all[0][0]);
    let lost: Vec<_> = told
        .expected
        .payments
        .keys()
        .filter(|reference| !payments.contains_key(*reference))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}

async fn a_dry_run_keeps_nothing_and_reports_the_same(world: World) {
    let mut told = generate(seed("dry run"), 500);
    let app = open(&world, options()).await;
    told.books.write(&app, true).await;
    let mut opening = 1_000_000_000_000;
    for (sequence, days, said) in told.statements() {
        let only: Vec<Said> = said.iter().map(|(said, _)| said.clone()).collect();
        let (_, closing) = import(&app, sequence, days, opening, &only).await;
        opening = closing;
    }
    let db = database(&world.url).await;
    let before = kept(&db).await;
    let tried = reconcile(&app, AS_OF, true).await;
    assert_eq!(kept(&db).await, before, "a dry run changed something");
    assert!(
        rows(&db, "SELECT job FROM reconciliation_finding")
            .await
            .is_empty()
    );
    let done = reconcile(&app, AS_OF, false).await;
    assert_eq!(tried.report, done.report);
    assert!(done.report.postings.len() == 3, "{:?}", done.report.postings);
}
