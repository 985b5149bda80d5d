//! LedgerService.

use super::convert::ledger::{
    account, bucket, event, from_balance, from_change, from_entry, from_fund, from_posted, from_status,
    from_verification, payer,
};
use super::convert::names;
use super::gate::{Answers, Call, Gate, scope_of};
use super::page::Page;
use super::pb;
use super::pb::ledger_service_server::LedgerService;
use super::status::to_status;
use crate::app::ledger::{Moment, Movement, MovementLine, Posted};
use crate::app::records::{AccountFilter, EntryFilter};
use crate::app::{App, Mutation, clock};
use crate::domain::allocation::FundId;
use crate::domain::error::{Error, Violation};
use crate::domain::ledger::{Account, Event};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::report::hledger::Journal;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Response, Status};

pub(super) struct Ledgers {
    pub(super) app: App,
    pub(super) gate: Gate,
}

type Answer<T> = Result<Response<T>, Status>;

/// Entries or changes that a stream reads at once.
const AT_ONCE: u64 = 500;
/// Findings told where the caller says nothing, and at most.
const FINDINGS: (usize, usize) = (100, 1_000);
/// Longest wait of a watcher before it asks again: other servers may write to the same database.
const WATCH_EVERY: Duration = Duration::from_millis(200);
/// How often it is seen whether a watcher may still watch.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// A watcher that was woken by a commit waits this long for those that come with it.
const GATHER: Duration = Duration::from_millis(5);

/// One movement without a list of lines.
macro_rules! single {
    ($self:ident, $request:ident, $event:ident, $payer:ident, $response:ident $(, $region:ident)?) => {{
        let permit = $self.gate.enter()?;
        let (mutation, message) = $self.gate.mutation($request)?;
        let movement = || {
            Ok(Movement {
                fund: names::fund("fund", &message.fund)?,
                event: Event::$event,
                lines: vec![MovementLine {
                    payer: Payer::$payer,
                    region: single!(@region message $(, $region)?),
                    programme: None,
                    amount: Money::parse("amount", &message.amount)?,
                }],
                note: message.document.clone(),
            })
        };
        let posted = $self.moved(permit, mutation, movement()).await?;
        let entry = posted.into_iter().next();
        Ok(Response::new(pb::$response { entry }))
    }};
    (@region $message:ident) => { None };
    (@region $message:ident, $region:ident) => {
        Some(names::region("region", &$message.$region)?)
    };
}

impl Ledgers {
    async fn moved(
        &self,
        permit: OwnedSemaphorePermit,
        mutation: Mutation,
        movement: Result<Movement, Error>,
    ) -> Result<Vec<pb::LedgerEntry>, Status> {
        let app = self.app.clone();
        let work = async move {
            let posted = app.move_money(&mutation, movement?).await?;
            from_posted(&mutation.scope, &posted)
        };
        self.gate.finish(permit, work).await
    }
}

#[tonic::async_trait]
impl LedgerService for Ledgers {
    #[tracing::instrument(skip_all, name = "ReceiveFunds")]
    async fn receive_funds(
        &self,
        request: Request<pb::ReceiveFundsRequest>,
    ) -> Answer<pb::ReceiveFundsResponse> {
        single!(self, request, Receive, City, ReceiveFundsResponse)
    }

    #[tracing::instrument(skip_all, name = "SurrenderFunds")]
    async fn surrender_funds(
        &self,
        request: Request<pb::SurrenderFundsRequest>,
    ) -> Answer<pb::SurrenderFundsResponse> {
        single!(self, request, Surrender, City, SurrenderFundsResponse)
    }

    #[tracing::instrument(skip_all, name = "ContributeFunds")]
    async fn contribute_funds(
        &self,
        request: Request<pb::ContributeFundsRequest>,
    ) -> Answer<pb::ContributeFundsResponse> {
        single!(self, request, Contribute, County, ContributeFundsResponse, region)
    }

    #[tracing::instrument(skip_all, name = "RetractContribution")]
    async fn retract_contribution(
        &self,
        request: Request<pb::RetractContributionRequest>,
    ) -> Answer<pb::RetractContributionResponse> {
        single!(
            self,
            request,
            Retract,
            County,
            RetractContributionResponse,
            region
        )
    }

    #[tracing::instrument(skip_all, name = "AssignQuota")]
    async fn assign_quota(
        &self,
        request: Request<pb::AssignQuotaRequest>,
    ) -> Answer<pb::AssignQuotaResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let movement = quota(Event::Assign, &message.fund, &message.lines, message.note);
        let entries = self.moved(permit, mutation, movement).await?;
        Ok(Response::new(pb::AssignQuotaResponse { entries }))
    }

    #[tracing::instrument(skip_all, name = "UnassignQuota")]
    async fn unassign_quota(
        &self,
        request: Request<pb::UnassignQuotaRequest>,
    ) -> Answer<pb::UnassignQuotaResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let movement = quota(Event::Unassign, &message.fund, &message.lines, message.note);
        let entries = self.moved(permit, mutation, movement).await?;
        Ok(Response::new(pb::UnassignQuotaResponse { entries }))
    }

    #[tracing::instrument(skip_all, name = "ReverseEntry")]
    async fn reverse_entry(
        &self,
        request: Request<pb::ReverseEntryRequest>,
    ) -> Answer<pb::ReverseEntryResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let (fund, number) = names::entry("name", &message.name)?;
            let posted: Posted = app.reverse_entry(&mutation, &fund, number, &message.note).await?;
            from_posted(&mutation.scope, &posted)
        };
        let entry = self.gate.finish(permit, work).await?.into_iter().next();
        Ok(Response::new(pb::ReverseEntryResponse { entry }))
    }

    #[tracing::instrument(skip_all, name = "ListFunds")]
    async fn list_funds(&self, request: Request<pb::ListFundsRequest>) -> Answer<pb::ListFundsResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let page = Page::within(&scope, message.page_size, &message.page_token, "funds")?;
            let after = match page.after.as_deref() {
                None => String::new(),
                Some(key) => FundId::parse("page_token", key)?.to_string(),
            };
            let mut funds = self.app.funds(&after, page.limit()).await?;
            let next_page_token = page.cut(&mut funds, |(fund, _)| fund.to_string());
            let funds = funds.iter().map(|(fund, head)| from_fund(&scope, fund, head));
            Ok(pb::ListFundsResponse {
                funds: funds.collect::<Result<_, Error>>()?,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "GetFundStatus")]
    async fn get_fund_status(
        &self,
        request: Request<pb::GetFundStatusRequest>,
    ) -> Answer<pb::GetFundStatusResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let fund = names::fund("name", &message.name)?;
            from_status(&scope, &self.app.fund_status(&scope, &fund).await?)
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListBalances")]
    async fn list_balances(
        &self,
        request: Request<pb::ListBalancesRequest>,
    ) -> Answer<pb::ListBalancesResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let fund = names::fund("fund", &message.fund)?;
            let filter = AccountFilter {
                payer: payer("payer", message.payer)?,
                region: names::optional_region("region", &message.region)?,
                programme: names::optional_programme("programme", &message.programme)?,
                bucket: bucket("bucket", message.bucket)?,
            };
            let query = format!("{fund} {filter:?} {} {}", message.as_of_entry, message.as_of_time);
            let page = Page::within(&scope, message.page_size, &message.page_token, &query)?;
            // The first page says which entry is the last; the others are of the same moment.
            let mut found = match page.after.as_deref() {
                None => {
                    let moment = moment(&message)?;
                    self.app
                        .balances(&scope, &fund, moment, &filter, "", page.limit())
                        .await?
                }
                Some(key) => {
                    let (entry, after) = balance_key(key)?;
                    let moment = Moment::Entry(entry);
                    let found = (self.app).balances(&scope, &fund, moment, &filter, &after, page.limit());
                    found.await.map_err(|error| match error {
                        Error::Invalid(_) => bad_token(key).into(),
                        other => other,
                    })?
                }
            };
            let next_page_token = page.cut(&mut found.balances, |(account, _)| {
                format!("{} {account}", found.entry)
            });
            Ok(pb::ListBalancesResponse {
                balances: found.balances.iter().map(from_balance).collect(),
                entry: found.entry,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListEntries")]
    async fn list_entries(
        &self,
        request: Request<pb::ListEntriesRequest>,
    ) -> Answer<pb::ListEntriesResponse> {
        let _permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let answer = async {
            let fund = names::fund("fund", &message.fund)?;
            let filter = EntryFilter {
                account: message
                    .account
                    .as_ref()
                    .map(|wire| account("account", wire))
                    .transpose()?,
                event: event("event", message.event)?,
                subject: subject(&message.subject)?,
                from: time("from_time", &message.from_time)?,
                until: time("until_time", &message.until_time)?,
            };
            let page = Page::within(
                &scope,
                message.page_size,
                &message.page_token,
                &format!("{fund} {filter:?}"),
            )?;
            let after = match page.after.as_deref() {
                None => 0,
                Some(key) => key.parse().map_err(|_| bad_token(key))?,
            };
            let mut entries = (self.app.entries(&scope, &fund, &filter, after, page.limit())).await?;
            let next_page_token = page.cut(&mut entries, |entry| entry.number.to_string());
            let entries = entries.iter().map(|entry| from_entry(&scope, &fund, entry));
            Ok(pb::ListEntriesResponse {
                entries: entries.collect::<Result<_, Error>>()?,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    type VerifyLedgerStream = Answers<pb::VerifyLedgerResponse>;

    #[tracing::instrument(skip_all, name = "VerifyLedger")]
    async fn verify_ledger(
        &self,
        request: Request<pb::VerifyLedgerRequest>,
    ) -> Answer<Self::VerifyLedgerStream> {
        let permit = self.gate.enter()?;
        let message = request.into_inner();
        let fund = names::fund("fund", &message.fund).map_err(|violation| to_status(violation.into()))?;
        let most = most_findings(message.max_findings).map_err(|violation| to_status(violation.into()))?;
        // Before the stream, so that a fund that is not there is refused as in any other call.
        self.app.fund_head(&fund).await.map_err(to_status)?;
        let app = self.app.clone();
        Ok(self.gate.stream(permit, |sender| async move {
            let progress = {
                let sender = sender.clone();
                move |entries_read, entries_total| {
                    let told = pb::VerifyLedgerResponse {
                        entries_read,
                        entries_total,
                        verification: None,
                    };
                    // A caller who is slow misses some of it.
                    let _ = sender.try_send(Ok(told));
                    !sender.is_closed()
                }
            };
            if let Some(verification) = app.verify(&fund, most, progress).await? {
                let last = pb::VerifyLedgerResponse {
                    entries_read: verification.entries,
                    entries_total: verification.entries,
                    verification: Some(from_verification(&verification)),
                };
                let _ = sender.send(Ok(last)).await;
            }
            Ok(())
        }))
    }

    type ExportJournalStream = Answers<pb::ExportJournalResponse>;

    #[tracing::instrument(skip_all, name = "ExportJournal")]
    async fn export_journal(
        &self,
        request: Request<pb::ExportJournalRequest>,
    ) -> Answer<Self::ExportJournalStream> {
        let permit = self.gate.enter()?;
        let scope = scope_of(&request)?;
        let message = request.into_inner();
        let fund = names::fund("fund", &message.fund).map_err(|violation| to_status(violation.into()))?;
        let last = self
            .app
            .fund_head(&fund)
            .await
            .map_err(to_status)?
            .journal
            .entries;
        let app = self.app.clone();
        Ok(self.gate.stream(permit, |sender| async move {
            let mut journal = Journal::new(fund.clone());
            let mut text = journal.begin();
            let mut after = 0;
            let all = EntryFilter::default();
            loop {
                if sender.send(Ok(pb::ExportJournalResponse { text })).await.is_err() || after >= last {
                    return Ok(());
                }
                // What is posted meanwhile is left to the next export.
                let limit = AT_ONCE.min(last - after);
                let entries = app.entries(&scope, &fund, &all, after, limit).await?;
                after = entries.last().map_or(last, |entry| entry.number);
                text = journal.entries(&entries)?;
            }
        }))
    }

    type WatchChangesStream = Answers<pb::WatchChangesResponse>;

    #[tracing::instrument(skip_all, name = "WatchChanges")]
    async fn watch_changes(
        &self,
        request: Request<pb::WatchChangesRequest>,
    ) -> Answer<Self::WatchChangesStream> {
        let permit = self.gate.enter_waiting()?;
        let call = Call::of(&request)?;
        let scope = call.scope.clone();
        let message = request.into_inner();
        let fund = names::fund("fund", &message.fund).map_err(|violation| to_status(violation.into()))?;
        self.app
            .check_change(&scope, &fund, message.after)
            .await
            .map_err(to_status)?;
        let app = self.app.clone();
        Ok(self.gate.stream(permit, |sender| async move {
            let mut commits = app.store().commits();
            let mut looked = Instant::now();
            let mut after = message.after;
            loop {
                // What is committed from here on wakes the wait below.
                commits.mark_unchanged();
                if looked.elapsed() >= LOOK_AGAIN {
                    call.still().await?;
                    looked = Instant::now();
                }
                let (changes, upto) = app.changes(&scope, &fund, after, AT_ONCE).await?;
                let more = changes.len() as u64 == AT_ONCE;
                after = upto;
                if !changes.is_empty() {
                    let changes = changes.iter().map(from_change).collect::<Result<_, Error>>()?;
                    if sender
                        .send(Ok(pb::WatchChangesResponse { changes }))
                        .await
                        .is_err()
                    {
                        return Ok(());
                    }
                }
                if !more && tokio::time::timeout(WATCH_EVERY, commits.changed()).await.is_ok() {
                    tokio::time::sleep(GATHER).await;
                }
            }
        }))
    }
}

fn quota(event: Event, fund: &str, lines: &[pb::QuotaLine], note: String) -> Result<Movement, Error> {
    let line = |(at, line): (usize, &pb::QuotaLine)| {
        let field = |name: &str| format!("lines[{at}].{name}");
        Ok(MovementLine {
            payer: payer(&field("payer"), line.payer)?.unwrap_or(Payer::City),
            region: Some(names::region(&field("region"), &line.region)?),
            programme: Some(names::programme(&field("programme"), &line.programme)?),
            amount: Money::parse(&field("amount"), &line.amount)?,
        })
    };
    let mut violations = Vec::new();
    let mut read = Vec::with_capacity(lines.len());
    for result in lines.iter().enumerate().map(line) {
        match result {
            Ok(line) => read.push(line),
            Err(violation) => violations.push(violation),
        }
    }
    let fund: FundId = names::fund("fund", fund)?;
    if !violations.is_empty() {
        return Err(violations.into());
    }
    Ok(Movement {
        fund,
        event,
        lines: read,
        note,
    })
}

/// The resource that caused entries, to filter by.
fn subject(name: &str) -> Result<Option<String>, Violation> {
    const LONGEST: usize = 200;
    if name.len() > LONGEST || name.chars().any(char::is_control) {
        return Err(Violation::new(
            "subject",
            name,
            "a resource name, such as allocations/ID",
            "资源名,如 allocations/ID",
        ));
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// The entry that all pages of a list of balances are of, and the account after which the page begins.
fn balance_key(key: &str) -> Result<(u64, String), Violation> {
    let (entry, after) = key.split_once(' ').ok_or_else(|| bad_token(key))?;
    let entry = entry.parse().map_err(|_| bad_token(key))?;
    let after = Account::from_stored(after).map_err(|_| bad_token(key))?;
    Ok((entry, after.to_string()))
}

fn moment(message: &pb::ListBalancesRequest) -> Result<Moment, Violation> {
    match (message.as_of_entry, message.as_of_time.as_str()) {
        (0, "") => Ok(Moment::Now),
        (entry, "") => Ok(Moment::Entry(entry)),
        (0, time) => Ok(Moment::Time(clock::parse("as_of_time", time)?)),
        (_, time) => Err(Violation::new(
            "as_of_time",
            time,
            "nothing, where as_of_entry is given",
            "已给出 as_of_entry 时不填",
        )),
    }
}

fn time(field: &str, text: &str) -> Result<Option<i64>, Violation> {
    if text.is_empty() {
        Ok(None)
    } else {
        clock::parse(field, text).map(Some)
    }
}

fn most_findings(given: i32) -> Result<usize, Violation> {
    let (usual, most) = FINDINGS;
    match usize::try_from(given) {
        Ok(0) => Ok(usual),
        Ok(given) => Ok(given.min(most)),
        Err(_) => Err(Violation::new(
            "max_findings",
            given.to_string(),
            "zero or more",
            "不小于零",
        )),
    }
}

fn bad_token(key: &str) -> Violation {
    Violation::new(
        "page_token",
        key,
        "the next_page_token of the previous page",
        "上一页返回的 next_page_token",
    )
}
