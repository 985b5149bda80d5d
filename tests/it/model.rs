//! Random operations against a model: plain maps, written from the documentation and not from the code, that say
//! what each call must do. After every call the server's balances are the model's.
//!
//! Where several things are wrong with a call, the model says all of them and the server may name any.

mod streams;

use crate::bureau::{
    Answer, Call, FUND, Random, all_batches, all_claims, books, bound_by, check_books, check_bound,
    check_ledger, check_payments, claim_name, number_of, open_office, payments_of, purchase, seed, setting,
    tomorrow, training,
};
use crate::harness::{Client, World, fen, id, refusal, stories};
use crate::ledger::{line, own, shown};
use incentive_fund::grpc::pb;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

stories!(the_books_are_the_models_after_every_step);

const REGIONS: [&str; 2] = ["411081", "411024"];
const PROGRAMMES: [&str; 2] = ["training", "housing-purchase"];
const PEOPLE: [&str; 3] = ["张三", "李四", "王五"];
/// The number of an entry that there never is.
const NO_ENTRY: u64 = 999_999_999;
const WRONG_ETAG: &str = "0123456789ab";

#[derive(Debug, Clone)]
struct Part {
    payer: &'static str,
    amount: i128,
    state: &'static str,
    attempts: u32,
    returned: i128,
}

impl Part {
    fn outstanding(&self) -> i128 {
        if self.state == "paid" {
            self.amount - self.returned
        } else {
            0
        }
    }
}

#[derive(Debug, Clone)]
struct Claim {
    region: String,
    programme: String,
    by: String,
    state: &'static str,
    parts: Vec<Part>,
    keys: Vec<String>,
    /// Who noted each objection, and whether it is open.
    objections: Vec<(String, bool)>,
    waiting: u64,
    batch: u64,
}

#[derive(Debug, Clone)]
struct Batch {
    programme: String,
    state: &'static str,
    created: String,
    frozen: String,
    /// Claim, payer, attempt and amount of each line.
    lines: Vec<(u64, &'static str, u32, i128)>,
}

#[derive(Debug, Clone)]
struct Payment {
    batch: u64,
    claim: u64,
    payer: &'static str,
    amount: i128,
    state: &'static str,
}

/// What a person posted.
#[derive(Debug, Clone)]
struct Posted {
    by: String,
    from: String,
    to: String,
    amount: i128,
    /// That it takes back another.
    reverses: bool,
    reversed: bool,
}

#[derive(Debug, Clone, Default)]
struct Model {
    books: BTreeMap<String, i128>,
    /// By number, which the server gives: claims and payments post entries, too.
    entries: BTreeMap<u64, Posted>,
    /// By number, from 1.
    claims: Vec<Claim>,
    batches: Vec<Batch>,
    payments: BTreeMap<String, Payment>,
    taken: BTreeMap<String, u64>,
    approvals: u64,
}

/// All that is wrong with a call.
type Faults = Vec<&'static str>;

impl Model {
    fn has(&self, account: &str) -> i128 {
        self.books.get(account).copied().unwrap_or(0)
    }

    fn shift(&mut self, from: &str, to: &str, amount: i128) {
        for (account, by) in [(from, -amount), (to, amount)] {
            let balance = self.books.entry(account.to_owned()).or_default();
            *balance += by;
            if *balance == 0 {
                self.books.remove(account);
            }
        }
    }

    /// Moves money between buckets of a claim's programme.
    fn transfer(&mut self, claim: u64, payer: &str, from: &str, to: &str, amount: i128) {
        let Claim {
            region, programme, ..
        } = self.claim(claim);
        let (from, to) = (
            format!("{payer}/{region}/{programme}/{from}"),
            format!("{payer}/{region}/{programme}/{to}"),
        );
        self.shift(&from, &to, amount);
    }

    fn claim(&self, number: u64) -> &Claim {
        &self.claims[usize::try_from(number - 1).unwrap()]
    }

    fn claim_mut(&mut self, number: u64) -> &mut Claim {
        &mut self.claims[usize::try_from(number - 1).unwrap()]
    }

    fn etag_faults(etag: &str) -> Faults {
        if etag == WRONG_ETAG {
            vec!["ETAG_MISMATCH"]
        } else {
            Vec::new()
        }
    }

    fn fits(&self, number: u64) -> bool {
        let claim = self.claim(number);
        claim.parts.iter().all(|part| {
            part.amount
                <= self.has(&format!(
                    "{}/{}/{}/quota",
                    part.payer, claim.region, claim.programme
                ))
        })
    }

    fn waits(&self, region: &str, programme: &str) -> Vec<u64> {
        let mut waiting: Vec<(u64, u64)> = (1..)
            .zip(&self.claims)
            .filter(|(_, claim)| {
                claim.state == "approved" && claim.region == region && claim.programme == programme
            })
            .map(|(number, claim)| (claim.waiting, number))
            .collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(_, number)| number).collect()
    }

    fn reserve(&mut self, number: u64) {
        for at in 0..self.claim(number).parts.len() {
            let part = self.claim(number).parts[at].clone();
            self.transfer(number, part.payer, "quota", "reserved", part.amount);
            self.claim_mut(number).parts[at].state = "reserved";
        }
        let claim = self.claim_mut(number);
        claim.state = "reserved";
        claim.waiting = 0;
    }

    fn free_keys(&mut self, number: u64) {
        self.taken.retain(|_, by| *by != number);
    }

    /// Ends a claim without money, and gives what it binds back.
    fn end(&mut self, number: u64, state: &'static str) {
        for at in 0..self.claim(number).parts.len() {
            let part = self.claim(number).parts[at].clone();
            if matches!(part.state, "reserved" | "failed") {
                self.transfer(number, part.payer, "reserved", "quota", part.amount);
                self.claim_mut(number).parts[at].state = "free";
            }
        }
        let claim = self.claim_mut(number);
        claim.state = state;
        claim.waiting = 0;
        claim.batch = 0;
        self.free_keys(number);
    }

    fn partly_paid(&self, number: u64) -> bool {
        self.claim(number).parts.iter().any(|part| part.outstanding() > 0)
    }

    fn state_by_parts(&mut self, number: u64) {
        let claim = self.claim_mut(number);
        let any = |state| claim.parts.iter().any(|part| part.state == state);
        claim.state = if any("in_payment") {
            "in_payment"
        } else if any("failed") {
            "failed"
        } else if claim.parts.iter().all(|part| part.outstanding() == 0) {
            "returned"
        } else {
            "paid"
        };
        if claim.state == "returned" {
            self.free_keys(number);
        }
    }

    fn payable(&self, programme: &str, region: &str) -> Vec<u64> {
        (1..)
            .zip(&self.claims)
            .filter(|(_, claim)| {
                claim.state == "reserved"
                    && claim.batch == 0
                    && claim.programme == programme
                    && (region.is_empty() || claim.region == region)
                    // Homes are under public notice for longer than a test runs.
                    && claim.programme == "training"
                    && claim.objections.iter().all(|(_, open)| !open)
            })
            .map(|(number, _)| number)
            .collect()
    }

    fn lines(&self, claims: &[u64]) -> Vec<(u64, &'static str, u32, i128)> {
        let bound = |number: &u64| {
            let parts = self.claim(*number).parts.iter();
            let bound = parts.filter(|part| part.state == "reserved");
            let number = *number;
            bound
                .map(move |part| (number, part.payer, part.attempts + 1, part.amount))
                .collect::<Vec<_>>()
        };
        claims.iter().flat_map(bound).collect()
    }

    fn collected(&self, batch: u64) -> Vec<u64> {
        (1..)
            .zip(&self.claims)
            .filter(|(_, claim)| claim.batch == batch && claim.state == "reserved")
            .map(|(number, _)| number)
            .collect()
    }

    fn batch_mut(&mut self, number: u64) -> &mut Batch {
        &mut self.batches[usize::try_from(number - 1).unwrap()]
    }

    /// Carries a call out, or says what is wrong with it; then nothing is changed.
    fn carry_out(&mut self, by: &str, call: &Call) -> Result<(), Faults> {
        let mut next = self.clone();
        let faults = next.decide(by, call);
        if !faults.is_empty() {
            return Err(faults);
        }
        *self = next;
        Ok(())
    }

    fn decide(&mut self, by: &str, call: &Call) -> Faults {
        match call {
            Call::Receive(request) => {
                self.shift("city/-/-/source", "city/-/-/unallocated", fen(&request.amount));
                Vec::new()
            }
            Call::Surrender(request) => {
                self.take("city/-/-/unallocated", "city/-/-/surrendered", &request.amount)
            }
            Call::Contribute(request) => {
                let (source, quota) = county(&request.region);
                self.shift(&source, &quota, fen(&request.amount));
                Vec::new()
            }
            Call::Retract(request) => {
                let (source, quota) = county(&request.region);
                self.take(&quota, &source, &request.amount)
            }
            Call::Assign(request) => self.assign(&request.lines, false),
            Call::Unassign(request) => self.assign(&request.lines, true),
            Call::Reverse(request) => self.reverse(by, number_of(&request.name)),
            Call::Submit(request) => self.submit(by, request.claim.as_ref().unwrap()),
            Call::Approve(request) => self.approve(by, request),
            Call::Reject(request) => {
                let number = number_of(&request.name);
                let mut faults = Self::etag_faults(&request.etag);
                if self.claim(number).state != "submitted" {
                    faults.push("CLAIM_STATE");
                }
                if self.claim(number).by == by {
                    faults.push("APPROVER_IS_SUBMITTER");
                }
                self.end_if(faults, number, "rejected")
            }
            Call::Withdraw(request) => {
                let number = number_of(&request.name);
                let mut faults = Self::etag_faults(&request.etag);
                if !matches!(self.claim(number).state, "submitted" | "approved") {
                    faults.push("CLAIM_STATE");
                }
                self.end_if(faults, number, "withdrawn")
            }
            Call::Cancel(request) => {
                let number = number_of(&request.name);
                let mut faults = Self::etag_faults(&request.etag);
                let claim = self.claim(number);
                if !matches!(claim.state, "approved" | "reserved" | "failed") {
                    faults.push("CLAIM_STATE");
                }
                if claim.state == "reserved" && claim.batch > 0 {
                    faults.push("CLAIM_IN_BATCH");
                }
                if self.partly_paid(number) {
                    faults.push("CLAIM_PARTLY_PAID");
                }
                self.end_if(faults, number, "cancelled")
            }
            Call::Object(request) => {
                let claim = self.claim_mut(number_of(&request.name));
                if claim.state != "reserved" {
                    return vec!["CLAIM_STATE"];
                }
                if claim.batch > 0 {
                    return vec!["CLAIM_IN_BATCH"];
                }
                claim.objections.push((by.to_owned(), true));
                Vec::new()
            }
            Call::Resolve(request) => self.resolve(by, request),
            Call::Retry(request) => {
                let mut faults = Self::etag_faults(&request.etag);
                let claim = self.claim_mut(number_of(&request.name));
                if claim.state != "failed" {
                    faults.push("CLAIM_STATE");
                }
                if faults.is_empty() {
                    for part in claim.parts.iter_mut().filter(|part| part.state == "failed") {
                        part.state = "reserved";
                    }
                    claim.state = "reserved";
                    claim.batch = 0;
                }
                faults
            }
            Call::Return(request) => self.take_back(request),
            Call::ReserveWaiting(request) => {
                let code = |name: &str| name.rsplit('/').next().unwrap().to_owned();
                for number in self.waits(&code(&request.region), &code(&request.programme)) {
                    if !self.fits(number) {
                        break;
                    }
                    self.reserve(number);
                }
                Vec::new()
            }
            Call::CreateBatch(request) => self.create_batch(by, request),
            Call::RemoveFromBatch(request) => self.remove(request),
            Call::FreezeBatch(request) => {
                let mut faults = Self::etag_faults(&request.etag);
                let batch = self.batch_mut(number_of(&request.name));
                if batch.state != "draft" {
                    faults.push("BATCH_STATE");
                }
                batch.state = "frozen";
                by.clone_into(&mut batch.frozen);
                faults
            }
            Call::ReleaseBatch(request) => self.release(by, request),
            Call::CancelBatch(request) => {
                let number = number_of(&request.name);
                let mut faults = Self::etag_faults(&request.etag);
                if !matches!(self.batch_mut(number).state, "draft" | "frozen") {
                    faults.push("BATCH_STATE");
                    return faults;
                }
                for claim in self.collected(number) {
                    self.claim_mut(claim).batch = 0;
                }
                self.batch_mut(number).state = "cancelled";
                faults
            }
            Call::Record(request) => self.record(request),
        }
    }

    fn take(&mut self, from: &str, to: &str, amount: &str) -> Faults {
        let amount = fen(amount);
        if self.has(from) < amount {
            return vec!["QUOTA_EXCEEDED"];
        }
        self.shift(from, to, amount);
        Vec::new()
    }

    fn end_if(&mut self, faults: Faults, number: u64, state: &'static str) -> Faults {
        if faults.is_empty() {
            self.end(number, state);
        }
        faults
    }

    fn assign(&mut self, lines: &[pb::QuotaLine], back: bool) -> Faults {
        for line in lines {
            let payer = payer_of(line.payer());
            let region = line.region.trim_start_matches("regions/");
            let programme = line.programme.trim_start_matches("programmes/");
            let free = format!("{payer}/{region}/-/quota");
            let assigned = format!("{payer}/{region}/{programme}/quota");
            let (from, to) = if back { (assigned, free) } else { (free, assigned) };
            let faults = self.take(&from, &to, &line.amount);
            if !faults.is_empty() {
                return faults;
            }
        }
        Vec::new()
    }

    fn reverse(&mut self, by: &str, number: u64) -> Faults {
        if number == NO_ENTRY {
            return vec!["NOT_FOUND"];
        }
        let Some(posted) = self.entries.get(&number).cloned() else {
            // One by an allocation, a claim or a payment.
            return vec!["ENTRY_NOT_MANUAL"];
        };
        let mut faults = Vec::new();
        if posted.reverses {
            faults.push("ENTRY_IS_REVERSAL");
        }
        if posted.reversed {
            faults.push("ENTRY_REVERSED");
        }
        if posted.by == by {
            faults.push("REVERSER_POSTED_ENTRY");
        }
        if !posted.to.ends_with("/source") && self.has(&posted.to) < posted.amount {
            faults.push("QUOTA_EXCEEDED");
        }
        if faults.is_empty() {
            self.shift(&posted.to, &posted.from, posted.amount);
            self.entries.get_mut(&number).unwrap().reversed = true;
        }
        faults
    }

    /// Learns which numbers the entries of a call have, and that they are what was asked for.
    fn learn_entries(&mut self, by: &str, answer: &Answer) {
        let entries = match answer {
            Answer::Receive(answer) => Vec::from_iter(answer.entry.clone()),
            Answer::Surrender(answer) => Vec::from_iter(answer.entry.clone()),
            Answer::Contribute(answer) => Vec::from_iter(answer.entry.clone()),
            Answer::Retract(answer) => Vec::from_iter(answer.entry.clone()),
            Answer::Reverse(answer) => Vec::from_iter(answer.entry.clone()),
            Answer::Assign(answer) => answer.entries.clone(),
            Answer::Unassign(answer) => answer.entries.clone(),
            _ => return,
        };
        assert!(!entries.is_empty(), "{answer:?}");
        for entry in entries {
            assert_eq!(entry.posted.as_ref().unwrap().principal, by, "{entry:?}");
            let posted = Posted {
                by: by.to_owned(),
                from: shown(entry.from.as_ref().unwrap()),
                to: shown(entry.to.as_ref().unwrap()),
                amount: fen(&entry.amount),
                reverses: !entry.reverses.is_empty(),
                reversed: false,
            };
            if posted.reverses {
                let first = &self.entries[&number_of(&entry.reverses)];
                assert_eq!(
                    (&first.from, &first.to, first.amount, first.reversed),
                    (&posted.to, &posted.from, posted.amount, true)
                );
            }
            let known = self.entries.insert(entry.number, posted);
            assert!(known.is_none(), "a number twice: {entry:?}");
        }
    }

    fn submit(&mut self, by: &str, input: &pb::ClaimInput) -> Faults {
        let region = input.region.trim_start_matches("regions/").to_owned();
        let programme = input.programme.trim_start_matches("programmes/").to_owned();
        let person = &input.applicant.as_ref().unwrap().id_number;
        let (yuan, keys) = if programme == "training" {
            // 70 per cent of it the city's.
            let level = &input.facts["level"];
            let yuan = match level.as_str() {
                "junior" => (700, 300),
                "intermediate" => (1_050, 450),
                _ => (1_400, 600),
            };
            (yuan, vec![format!("{programme} person {level} {person}")])
        } else {
            // 200 yuan for a square metre, 40 per cent of it the city's.
            let area: i128 = input.facts["area"].parse().unwrap();
            let keys = vec![
                format!("{programme} household {person}"),
                format!("{programme} home {}", input.home),
            ];
            ((area * 80, area * 120), keys)
        };
        let parts: Vec<Part> = [("city", yuan.0), ("county", yuan.1)]
            .map(|(payer, yuan)| Part {
                payer,
                amount: yuan * 100,
                state: "free",
                attempts: 0,
                returned: 0,
            })
            .to_vec();
        let mut faults = Vec::new();
        let has_any = |part: &Part| {
            ["quota", "reserved", "in_payment", "paid"]
                .iter()
                .any(|bucket| self.has(&format!("{}/{region}/{programme}/{bucket}", part.payer)) > 0)
        };
        if !parts.iter().all(has_any) {
            faults.push("NO_QUOTA");
        }
        if keys.iter().any(|key| self.taken.contains_key(key)) {
            faults.push("ALREADY_SUBSIDISED");
        }
        if person.ends_with('Z') {
            faults.push("INVALID_FIELDS");
        }
        if faults.is_empty() {
            let number = self.claims.len() as u64 + 1;
            for key in &keys {
                self.taken.insert(key.clone(), number);
            }
            self.claims.push(Claim {
                region,
                programme,
                by: by.to_owned(),
                state: "submitted",
                parts,
                keys,
                objections: Vec::new(),
                waiting: 0,
                batch: 0,
            });
        }
        faults
    }

    fn approve(&mut self, by: &str, request: &pb::ApproveClaimRequest) -> Faults {
        let number = number_of(&request.name);
        let mut faults = Self::etag_faults(&request.etag);
        let claim = self.claim(number).clone();
        let submitted = claim.state == "submitted";
        if claim.state == "approved" {
            // It leaves the waiting list in its turn.
            faults.push("CLAIM_WAITING");
            return faults;
        }
        if !submitted {
            faults.push("CLAIM_STATE");
        }
        if submitted && claim.by == by {
            faults.push("APPROVER_IS_SUBMITTER");
        }
        let waiting = self.waits(&claim.region, &claim.programme);
        let queues = submitted && !waiting.is_empty();
        let fits = self.fits(number);
        if queues && !request.may_wait {
            faults.push("CLAIMS_WAITING");
        }
        if !(queues || fits || request.may_wait) {
            faults.push("QUOTA_EXCEEDED");
        }
        if !faults.is_empty() {
            return faults;
        }
        if queues || !fits {
            self.approvals += 1;
            let place = self.approvals;
            let claim = self.claim_mut(number);
            claim.state = "approved";
            claim.waiting = place;
        } else {
            self.reserve(number);
        }
        faults
    }

    fn resolve(&mut self, by: &str, request: &pb::ResolveObjectionRequest) -> Faults {
        let (claim, objection) = request.name.rsplit_once("/objections/").unwrap();
        let number = number_of(claim);
        let at = objection.parse::<usize>().unwrap() - 1;
        let Some((raised, true)) = self.claim(number).objections.get(at).cloned() else {
            return vec!["NOT_FOUND"];
        };
        let mut faults = Vec::new();
        if raised == by {
            faults.push("RESOLVER_RAISED_OBJECTION");
        }
        let ends = request.upheld && self.claim(number).state == "reserved";
        if ends && self.partly_paid(number) {
            faults.push("CLAIM_PARTLY_PAID");
        }
        if faults.is_empty() {
            self.claim_mut(number).objections[at].1 = false;
            if ends {
                self.end(number, "rejected");
            }
        }
        faults
    }

    fn take_back(&mut self, request: &pb::ReturnClaimRequest) -> Faults {
        let number = number_of(&request.name);
        let amount = fen(&request.amount);
        let mut faults = Vec::new();
        if !matches!(self.claim(number).state, "paid" | "failed") {
            faults.push("CLAIM_STATE");
        }
        let mut parts = self.claim(number).parts.iter();
        let at = parts.position(|part| part.payer == request.payer).unwrap();
        if self.claim(number).parts[at].outstanding() < amount {
            faults.push("RETURN_BEYOND_PAID");
        }
        if faults.is_empty() {
            self.transfer(number, &request.payer, "paid", "quota", amount);
            self.claim_mut(number).parts[at].returned += amount;
            self.state_by_parts(number);
        }
        faults
    }

    fn create_batch(&mut self, by: &str, request: &pb::CreateBatchRequest) -> Faults {
        let programme = request.programme.trim_start_matches("programmes/").to_owned();
        let region = request.region.trim_start_matches("regions/");
        let payable = self.payable(&programme, region);
        if payable.is_empty() {
            return vec!["NOTHING_PAYABLE"];
        }
        let most = (!request.max_amount.is_empty()).then(|| fen(&request.max_amount));
        let (mut chosen, mut sum) = (Vec::new(), 0);
        for claim in payable {
            let due: i128 = self.lines(&[claim]).iter().map(|line| line.3).sum();
            if most.is_some_and(|most| sum + due > most) {
                break;
            }
            sum += due;
            chosen.push(claim);
            if chosen.len() as u64 == request.max_claims {
                break;
            }
        }
        if chosen.is_empty() {
            return vec!["LIMIT_BELOW_FIRST_CLAIM"];
        }
        let lines = self.lines(&chosen);
        self.batches.push(Batch {
            programme,
            state: "draft",
            created: by.to_owned(),
            frozen: String::new(),
            lines,
        });
        let number = self.batches.len() as u64;
        for claim in chosen {
            self.claim_mut(claim).batch = number;
        }
        Vec::new()
    }

    fn remove(&mut self, request: &pb::RemoveFromBatchRequest) -> Faults {
        let number = number_of(&request.name);
        let mut faults = Self::etag_faults(&request.etag);
        if self.batch_mut(number).state != "draft" {
            faults.push("BATCH_STATE");
            return faults;
        }
        let wanted: BTreeSet<u64> = request.claims.iter().map(|name| number_of(name)).collect();
        let held: BTreeSet<u64> = self.collected(number).into_iter().collect();
        if !wanted.is_subset(&held) {
            faults.push("CLAIM_NOT_IN_BATCH");
        }
        if held.is_subset(&wanted) {
            faults.push("BATCH_EMPTY");
        }
        if faults.is_empty() {
            for claim in &wanted {
                self.claim_mut(*claim).batch = 0;
            }
            let left: Vec<u64> = held.difference(&wanted).copied().collect();
            let lines = self.lines(&left);
            self.batch_mut(number).lines = lines;
        }
        faults
    }

    fn release(&mut self, by: &str, request: &pb::ReleaseBatchRequest) -> Faults {
        let number = number_of(&request.name);
        let mut faults = Self::etag_faults(&request.etag);
        let batch = self.batch_mut(number);
        if batch.state != "frozen" {
            faults.push("BATCH_STATE");
        }
        if batch.created == by || batch.frozen == by {
            faults.push("RELEASER_PREPARED_BATCH");
        }
        if !faults.is_empty() {
            return faults;
        }
        batch.state = "released";
        for (claim, payer, attempt, amount) in batch.lines.clone() {
            self.transfer(claim, payer, "reserved", "in_payment", amount);
            let claim = self.claim_mut(claim);
            claim.state = "in_payment";
            let part = claim.parts.iter_mut().find(|part| part.payer == payer).unwrap();
            part.state = "in_payment";
            part.attempts = attempt;
        }
        faults
    }

    fn record(&mut self, request: &pb::RecordPaymentResultRequest) -> Faults {
        let payment = self.payments[&request.reference].clone();
        let mut faults = Vec::new();
        if !request.amount.is_empty() && fen(&request.amount) != payment.amount {
            faults.push("INVALID_FIELDS");
        }
        let (answer, part, to) = match request.state() {
            pb::PaymentState::Settled => ("settled", "paid", "paid"),
            _ => ("failed", "failed", "reserved"),
        };
        if payment.state != "instructed" && payment.state != answer {
            faults.push("PAYMENT_CONCLUDED");
        }
        if !faults.is_empty() || payment.state == answer {
            return faults;
        }
        self.transfer(payment.claim, payment.payer, "in_payment", to, payment.amount);
        let mut parts = self.claim_mut(payment.claim).parts.iter_mut();
        parts.find(|of| of.payer == payment.payer).unwrap().state = part;
        self.state_by_parts(payment.claim);
        self.payments.get_mut(&request.reference).unwrap().state = answer;
        let open =
            (self.payments.values()).any(|other| other.batch == payment.batch && other.state == "instructed");
        if !open {
            self.batch_mut(payment.batch).state = "closed";
        }
        faults
    }

    /// That a claim is as it must be.
    fn check_claim(&self, found: &pb::Claim) {
        let claim = self.claim(number_of(&found.name));
        assert_eq!(found.state, claim.state, "{found:?}");
        assert_eq!(found.parts.len(), claim.parts.len());
        for (found, part) in found.parts.iter().zip(&claim.parts) {
            let (amount, returned) = (fen(&found.amount), fen(&found.returned));
            assert_eq!(
                (&*found.payer, amount, &*found.state, found.attempts, returned),
                (part.payer, part.amount, part.state, part.attempts, part.returned),
                "{claim:?}"
            );
        }
        let batch = match claim.batch {
            0 => String::new(),
            number => format!("funds/{FUND}/batches/{number}"),
        };
        assert_eq!(found.batch, batch);
        let open = claim.objections.iter().filter(|(_, open)| *open).count();
        assert_eq!(found.open_objections as usize, open);
        assert_eq!(found.waiting > 0, claim.waiting > 0);
        assert_eq!(found.submitted.as_ref().unwrap().principal, claim.by);
    }

    fn check_batch(&self, found: &pb::PaymentBatch) {
        let batch = &self.batches[usize::try_from(number_of(&found.name) - 1).unwrap()];
        let state = found
            .state()
            .as_str_name()
            .trim_start_matches("BATCH_STATE_")
            .to_lowercase();
        assert_eq!(state, batch.state, "{found:?}");
        assert_eq!(found.programme, format!("programmes/{}", batch.programme));
        assert_eq!(found.payments, batch.lines.len() as u64);
        assert_eq!(
            fen(&found.amount),
            batch.lines.iter().map(|line| line.3).sum::<i128>()
        );
    }

    /// What must hold of the model itself, so that a wrong model is no excuse.
    fn check(&self) {
        check_books(&self.books);
        for (key, number) in &self.taken {
            let claim = self.claim(*number);
            assert!(claim.keys.contains(key));
            assert!(!matches!(
                claim.state,
                "rejected" | "withdrawn" | "cancelled" | "returned"
            ));
        }
    }
}

fn county(region: &str) -> (String, String) {
    let region = region.trim_start_matches("regions/");
    (
        format!("county/{region}/-/source"),
        format!("county/{region}/-/quota"),
    )
}

fn payer_of(payer: pb::Payer) -> &'static str {
    if payer == pb::Payer::County {
        "county"
    } else {
        "city"
    }
}

fn yuan(fen: i128) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// Makes up calls that have a chance.
struct Player {
    random: Random,
    tomorrow: String,
}

impl Player {
    fn amount(&mut self, most_yuan: u64) -> String {
        yuan(i128::from(1 + self.random.below(most_yuan * 100)))
    }

    fn region(&mut self) -> &'static str {
        REGIONS[usize::from(self.random.once_in(2))]
    }

    fn programme(&mut self) -> &'static str {
        if self.random.once_in(4) {
            PROGRAMMES[1]
        } else {
            PROGRAMMES[0]
        }
    }

    fn etag(&mut self) -> String {
        if self.random.once_in(25) {
            WRONG_ETAG.to_owned()
        } else {
            String::new()
        }
    }

    /// A claim, mostly one in a state that suits.
    fn claim(&mut self, model: &Model, states: &[&str]) -> Option<u64> {
        let all: Vec<u64> = (1..=model.claims.len() as u64).collect();
        let fitting: Vec<u64> = (all.iter().copied())
            .filter(|number| states.contains(&model.claim(*number).state))
            .collect();
        if all.is_empty() {
            return None;
        }
        if fitting.is_empty() || self.random.once_in(8) {
            return Some(*self.random.pick(&all));
        }
        Some(*self.random.pick(&fitting))
    }

    /// An entry, mostly one that a person posted and nobody took back.
    fn entry(&mut self, model: &Model) -> u64 {
        let all: Vec<u64> = model.entries.keys().copied().collect();
        let open: Vec<u64> = (model.entries.iter())
            .filter(|(_, posted)| !posted.reverses && !posted.reversed)
            .map(|(number, _)| *number)
            .collect();
        match self.random.below(12) {
            0 => NO_ENTRY,
            // The second entry is always one of the allocation.
            1 => 2,
            2 | 3 if !all.is_empty() => *self.random.pick(&all),
            _ if !open.is_empty() => *self.random.pick(&open),
            _ => 2,
        }
    }

    fn batch(&mut self, model: &Model, state: &str) -> Option<u64> {
        let fitting: Vec<u64> = (1..=model.batches.len() as u64)
            .filter(|number| model.batches[usize::try_from(number - 1).unwrap()].state == state)
            .collect();
        if model.batches.is_empty() {
            return None;
        }
        if fitting.is_empty() || self.random.once_in(8) {
            return Some(1 + self.random.below(model.batches.len() as u64));
        }
        Some(*self.random.pick(&fitting))
    }

    fn lines(&mut self) -> Vec<pb::QuotaLine> {
        let mut lines = Vec::new();
        let region = self.region();
        let programme = self.programme();
        let scale = if programme == "training" { 6_000 } else { 30_000 };
        if !self.random.once_in(4) {
            lines.push(line(region, programme, &self.amount(scale)));
        }
        if lines.is_empty() || !self.random.once_in(4) {
            lines.push(own(region, programme, &self.amount(scale)));
        }
        lines
    }

    fn submission(&mut self) -> pb::ClaimInput {
        let region = self.region();
        let person = self.random.below(60);
        let mut input = if self.programme() == "training" {
            let level = *self.random.pick(&["junior", "intermediate", "senior"]);
            training(region, person, level)
        } else {
            let (home, area) = (self.random.below(60), 40 + self.random.below(50));
            purchase(region, person, home, area)
        };
        if self.random.once_in(20) {
            input
                .applicant
                .as_mut()
                .unwrap()
                .id_number
                .replace_range(17.., "Z");
        }
        input
    }

    /// The next call; none where there is nothing for the kind that came up.
    fn call(&mut self, model: &Model) -> Option<Call> {
        let fund = || format!("funds/{FUND}");
        let batch_name = |number: u64| format!("funds/{FUND}/batches/{number}");
        let reason = || "原因".to_owned();
        Some(match self.random.below(104) {
            0..2 => pb::ReceiveFundsRequest {
                fund: fund(),
                amount: self.amount(100),
                document: reason(),
                ..Default::default()
            }
            .into(),
            2..4 => pb::SurrenderFundsRequest {
                fund: fund(),
                amount: self.amount(100),
                document: reason(),
                ..Default::default()
            }
            .into(),
            4..7 => pb::ContributeFundsRequest {
                fund: fund(),
                region: format!("regions/{}", self.region()),
                amount: self.amount(10_000),
                document: reason(),
                ..Default::default()
            }
            .into(),
            7..9 => pb::RetractContributionRequest {
                fund: fund(),
                region: format!("regions/{}", self.region()),
                amount: self.amount(2_000),
                document: reason(),
                ..Default::default()
            }
            .into(),
            9..15 => pb::AssignQuotaRequest {
                fund: fund(),
                lines: self.lines(),
                ..Default::default()
            }
            .into(),
            15..18 => pb::UnassignQuotaRequest {
                fund: fund(),
                lines: self.lines(),
                ..Default::default()
            }
            .into(),
            18..34 => pb::SubmitClaimRequest {
                claim: Some(self.submission()),
                ..Default::default()
            }
            .into(),
            34..48 => pb::ApproveClaimRequest {
                name: claim_name(self.claim(model, &["submitted"])?),
                etag: self.etag(),
                may_wait: self.random.once_in(2),
                ..Default::default()
            }
            .into(),
            48..50 => pb::RejectClaimRequest {
                name: claim_name(self.claim(model, &["submitted"])?),
                etag: self.etag(),
                reason: reason(),
                ..Default::default()
            }
            .into(),
            50..53 => pb::WithdrawClaimRequest {
                name: claim_name(self.claim(model, &["submitted", "approved"])?),
                etag: self.etag(),
                reason: reason(),
                ..Default::default()
            }
            .into(),
            53..57 => pb::CancelClaimRequest {
                name: claim_name(self.claim(model, &["approved", "reserved", "failed"])?),
                etag: self.etag(),
                reason: reason(),
                ..Default::default()
            }
            .into(),
            57..60 => pb::ObjectToClaimRequest {
                name: claim_name(self.claim(model, &["reserved"])?),
                text: "不符合条件".to_owned(),
                ..Default::default()
            }
            .into(),
            60..63 => {
                let objected: Vec<(u64, usize)> = (1..)
                    .zip(&model.claims)
                    .flat_map(|(number, claim)| (0..claim.objections.len()).map(move |at| (number, at + 1)))
                    .collect();
                if objected.is_empty() {
                    return None;
                }
                let (number, objection) = *self.random.pick(&objected);
                pb::ResolveObjectionRequest {
                    name: format!("{}/objections/{objection}", claim_name(number)),
                    upheld: self.random.once_in(2),
                    reason: reason(),
                    ..Default::default()
                }
                .into()
            }
            63..66 => pb::RetryClaimRequest {
                name: claim_name(self.claim(model, &["failed"])?),
                etag: self.etag(),
                payee: self.random.once_in(2).then(|| crate::bureau::payee(7)),
                reason: reason(),
                ..Default::default()
            }
            .into(),
            66..71 => {
                let number = self.claim(model, &["paid", "failed"])?;
                let part = self.random.pick(&model.claim(number).parts).clone();
                let amount = if self.random.once_in(2) && part.outstanding() > 0 {
                    yuan(part.outstanding())
                } else {
                    self.amount(800)
                };
                pb::ReturnClaimRequest {
                    name: claim_name(number),
                    payer: part.payer.to_owned(),
                    amount,
                    reason: reason(),
                    ..Default::default()
                }
                .into()
            }
            71..74 => pb::ReserveWaitingClaimsRequest {
                fund: fund(),
                region: format!("regions/{}", self.region()),
                programme: format!("programmes/{}", self.programme()),
                ..Default::default()
            }
            .into(),
            74..78 => pb::CreateBatchRequest {
                fund: fund(),
                programme: format!("programmes/{}", self.programme()),
                region: if self.random.once_in(3) {
                    format!("regions/{}", self.region())
                } else {
                    String::new()
                },
                execution_date: self.tomorrow.clone(),
                max_claims: self.random.below(6),
                max_amount: if self.random.once_in(3) {
                    self.amount(6_000)
                } else {
                    String::new()
                },
                ..Default::default()
            }
            .into(),
            78..80 => {
                let number = self.batch(model, "draft")?;
                let held = model.collected(number);
                let claim = if held.is_empty() || self.random.once_in(5) {
                    self.claim(model, &["reserved"])?
                } else {
                    *self.random.pick(&held)
                };
                pb::RemoveFromBatchRequest {
                    name: batch_name(number),
                    claims: vec![claim_name(claim)],
                    etag: self.etag(),
                    ..Default::default()
                }
                .into()
            }
            80..83 => pb::FreezeBatchRequest {
                name: batch_name(self.batch(model, "draft")?),
                etag: self.etag(),
                ..Default::default()
            }
            .into(),
            83..88 => pb::ReleaseBatchRequest {
                name: batch_name(self.batch(model, "frozen")?),
                etag: self.etag(),
                ..Default::default()
            }
            .into(),
            88..89 => pb::CancelBatchRequest {
                name: batch_name(self.batch(model, "frozen")?),
                etag: self.etag(),
                ..Default::default()
            }
            .into(),
            100..104 => pb::ReverseEntryRequest {
                name: format!("funds/{FUND}/entries/{}", self.entry(model)),
                note: reason(),
                ..Default::default()
            }
            .into(),
            _ => {
                let open: Vec<&String> = (model.payments.iter())
                    .filter(|(_, payment)| payment.state == "instructed")
                    .map(|(reference, _)| reference)
                    .collect();
                let all: Vec<&String> = model.payments.keys().collect();
                let from = if open.is_empty() || self.random.once_in(6) {
                    &all
                } else {
                    &open
                };
                if from.is_empty() {
                    return None;
                }
                let reference = (*self.random.pick(from)).clone();
                let amount = match self.random.below(4) {
                    0 => self.amount(1_000),
                    1 => String::new(),
                    _ => yuan(model.payments[&reference].amount),
                };
                let settled = !self.random.once_in(3);
                let state = if settled {
                    pb::PaymentState::Settled
                } else {
                    pb::PaymentState::Failed
                };
                pb::RecordPaymentResultRequest {
                    reference,
                    amount,
                    state: state.into(),
                    date: self.tomorrow.clone(),
                    reason: if settled {
                        String::new()
                    } else {
                        "账户不存在".to_owned()
                    },
                    ..Default::default()
                }
                .into()
            }
        })
    }
}

/// Learns the references that a release made, and compares its payments.
async fn learn(model: &mut Model, client: &mut Client, number: u64) {
    let mut lines = model.batches[usize::try_from(number - 1).unwrap()].lines.clone();
    lines.sort_unstable();
    let mut found = Vec::new();
    for payment in payments_of(client, &format!("funds/{FUND}/batches/{number}")).await {
        let line = (
            number_of(&payment.claim),
            payer_of(payment.payer()),
            payment.attempt,
            fen(&payment.amount),
        );
        let (claim, payer, _, amount) = line;
        found.push(line);
        let known = Payment {
            batch: number,
            claim,
            payer,
            amount,
            state: "instructed",
        };
        let again = model.payments.insert(payment.reference.clone(), known);
        assert!(again.is_none(), "a reference twice: {payment:?}");
    }
    found.sort_unstable();
    assert_eq!(found, lines);
}

/// That everything the server lists is as the model has it.
async fn compare_all(model: &Model, client: &mut Client) {
    let claims = all_claims(client).await;
    assert_eq!(claims.len(), model.claims.len());
    for claim in &claims {
        model.check_claim(claim);
    }
    check_bound(&model.books, &claims);
    assert!(bound_by(&claims).values().all(|amount| *amount > 0));
    for region in REGIONS {
        for programme in PROGRAMMES {
            let mut waiting: Vec<(u64, u64)> = (claims.iter())
                .filter(|claim| claim.waiting > 0)
                .filter(|claim| claim.region.ends_with(region) && claim.programme.ends_with(programme))
                .map(|claim| (claim.waiting, number_of(&claim.name)))
                .collect();
            waiting.sort_unstable();
            let order: Vec<u64> = waiting.into_iter().map(|(_, number)| number).collect();
            assert_eq!(order, model.waits(region, programme), "in the order of approval");
        }
    }
    let batches = all_batches(client).await;
    assert_eq!(batches.len(), model.batches.len());
    for batch in &batches {
        model.check_batch(batch);
    }
    check_payments(client).await;
}

/// A call that was carried out, to be sent again.
struct Kept {
    by: &'static str,
    call: Call,
    answer: Answer,
}

async fn the_books_are_the_models_after_every_step(world: World) {
    let steps = setting("INCENTIVE_FUND_TEST_STEPS", 3_000);
    let seed = seed("model");
    let server = world.serve().await;
    let mut clients = Vec::new();
    for name in PEOPLE {
        clients.push(server.client(name).await);
    }
    let mut checker = clients[1].clone();
    open_office(&mut clients[0], &mut checker).await;
    let mut model = Model {
        books: books(&mut checker).await,
        ..Model::default()
    };
    let mut player = Player {
        random: Random::new(seed),
        tomorrow: tomorrow(),
    };
    let mut kept: VecDeque<Kept> = VecDeque::new();
    let (mut done, mut refused) = (BTreeMap::<String, u64>::new(), BTreeMap::<&str, u64>::new());
    let mut step = 0;
    while step < steps {
        let at = usize::try_from(player.random.below(PEOPLE.len() as u64)).unwrap();
        let (by, client) = (PEOPLE[at], &mut clients[at]);
        if !kept.is_empty() && player.random.once_in(12) {
            repeat(&mut player, &kept, &clients).await;
        } else if player.random.once_in(30) {
            streams::send(&mut player, &mut model, by, client, &mut done).await;
        } else {
            let Some(mut call) = player.call(&model) else {
                continue;
            };
            let validate_only = player.random.once_in(15);
            let request_id = if player.random.once_in(30) {
                String::new()
            } else {
                id()
            };
            call.stamp(&request_id, validate_only);
            let mut after = model.clone();
            let expected = after.carry_out(by, &call);
            let found = call.send(client).await;
            match (&expected, found) {
                (Ok(()), Ok(answer)) => {
                    if !validate_only {
                        if let Answer::ReleaseBatch(_) = &answer {
                            learn(&mut after, client, number_of(&answer.batch().unwrap().name)).await;
                        }
                        after.learn_entries(by, &answer);
                        model = after.clone();
                        let kind = format!("{call:?}");
                        let kind = kind.split('(').next().unwrap().to_owned();
                        *done.entry(kind).or_default() += 1;
                    }
                    if let Some(claim) = answer.claim() {
                        after.check_claim(claim);
                    }
                    if let Some(batch) = answer.batch() {
                        after.check_batch(batch);
                    }
                    if !validate_only && !request_id.is_empty() {
                        kept.push_back(Kept { by, call, answer });
                        if kept.len() > 200 {
                            kept.pop_front();
                        }
                    }
                }
                (Err(faults), Err(status)) => {
                    let reason = refusal(&status).reason;
                    let fault = faults.iter().find(|fault| **fault == reason);
                    let fault =
                        fault.unwrap_or_else(|| panic!("step {step}: {faults:?} {status:?} {call:?}"));
                    *refused.entry(fault).or_default() += 1;
                }
                (expected, found) => panic!("step {step}: {by} {call:?}: {expected:?} {found:?}"),
            }
        }
        assert_eq!(books(&mut checker).await, model.books, "step {step}");
        model.check();
        step += 1;
        if step % 25 == 0 {
            compare_all(&model, &mut checker).await;
        }
        if step % 200 == 0 {
            checker.verifies(FUND).await;
        }
    }
    compare_all(&model, &mut checker).await;
    check_ledger(&mut checker).await;
    println!("{} claims; {done:?}; refused {refused:?}", model.claims.len());
    if steps >= 1_000 {
        assert!(done.len() >= 20, "some kinds of calls never succeed: {done:?}");
        assert!(refused.len() >= 12, "some refusals never come: {refused:?}");
    }
    server.stop().await;
}

/// Sends a call again: as it was, it gets the same answer; another body is refused.
async fn repeat(player: &mut Player, kept: &VecDeque<Kept>, clients: &[Client]) {
    let at = usize::try_from(player.random.below(kept.len() as u64)).unwrap();
    let Kept { by, call, answer } = &kept[at];
    let mut client = clients[0].named(by);
    if !player.random.once_in(4) {
        let again = call.send(&mut client).await.unwrap();
        if let (Answer::Record(first), Answer::Record(again)) = (answer, &again) {
            // The payment as it is now, which is as it was then: an answer is final.
            assert_eq!(first, again);
        }
        assert_eq!(*answer, again, "{call:?}");
        return;
    }
    let mut other = call.clone();
    match &mut other {
        Call::Receive(request) => request.document.push('!'),
        Call::Surrender(request) => request.document.push('!'),
        Call::Contribute(request) => request.document.push('!'),
        Call::Retract(request) => request.document.push('!'),
        Call::Assign(request) => request.note.push('!'),
        Call::Unassign(request) => request.note.push('!'),
        Call::Reverse(request) => request.note.push('!'),
        Call::Submit(request) => request.claim.as_mut().unwrap().phone.push_str("123456"),
        Call::Approve(request) => request.may_wait = !request.may_wait,
        Call::Reject(request) => request.reason.push('!'),
        Call::Withdraw(request) => request.reason.push('!'),
        Call::Cancel(request) => request.reason.push('!'),
        Call::Object(request) => request.text.push('!'),
        Call::Resolve(request) => request.reason.push('!'),
        Call::Retry(request) => request.reason.push('!'),
        Call::Return(request) => request.reason.push('!'),
        Call::CreateBatch(request) => request.note.push('!'),
        Call::Record(request) => request.bank_reference.push('1'),
        Call::ReserveWaiting(request) => request.programme = "programmes/deed-tax".to_owned(),
        Call::RemoveFromBatch(request) => request.etag = WRONG_ETAG.to_owned(),
        Call::FreezeBatch(request) => request.etag = WRONG_ETAG.to_owned(),
        Call::ReleaseBatch(request) => request.etag = WRONG_ETAG.to_owned(),
        Call::CancelBatch(request) => request.etag = WRONG_ETAG.to_owned(),
    }
    let status = other.send(&mut client).await.unwrap_err();
    assert_eq!(refusal(&status).reason, "REQUEST_ID_REUSED", "{other:?}");
}
