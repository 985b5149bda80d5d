//! A county's own bank account is for those who reach the county: its statements, jobs, breaks and months; another's is
//! not there, however it is asked for.

use super::setup::{Guarded, HOUR, OTHER, OWN, Place, bearer, now, token};
use crate::disbursement::Office;
use crate::harness::{Client, World, id, inner, refused, stories};
use incentive_fund::domain::identity::Principal;
use incentive_fund::domain::payer::Payer;
use incentive_fund::domain::payment::{Debtor, Debtors};
use incentive_fund::domain::region::RegionCode;
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::import_statement_request::Content;
use incentive_fund::grpc::pb::resolve_break_request::How;
use sea_orm::{ConnectionTrait, Database};
use std::collections::BTreeSet;
use time::{Date, Duration};
use tonic::Status;

stories!(
    a_county_works_on_its_own_account,
    lists_are_of_the_accounts_in_reach,
    a_statement_of_another_account_is_of_no_account,
    payments_and_entries_of_another_account_are_not_there,
    who_reaches_all_regions_sees_all_accounts,
    a_watch_of_a_job_ends_with_its_token,
);

const NUMBERS: [(&str, &str); 2] = [(OWN, "411024000000054321"), (OTHER, "411081000000054321")];

/// The accounts that pay: the city's, one each of two counties, and one for all others.
pub fn debtors() -> Debtors {
    let account = |payer, region: Option<&str>, number| {
        let region = region.map(|code| RegionCode::parse("region", code).unwrap());
        let debtor = Debtor::parse("debtor", "财政局", number, "313491099996").unwrap();
        (payer, region, debtor)
    };
    let mut accounts = vec![
        account(Payer::City, None, "411000000000012345"),
        account(Payer::County, None, "411000000000099999"),
    ];
    accounts.extend(NUMBERS.map(|(region, number)| account(Payer::County, Some(region), number)));
    Debtors::new("debtors", accounts).unwrap()
}

fn number_of(region: &str) -> &'static str {
    NUMBERS.iter().find(|(of, _)| *of == region).unwrap().1
}

fn today() -> Date {
    (time::OffsetDateTime::now_utc() + Duration::hours(8)).date()
}

/// A statement of one day, a fee of 7.00 and a receipt of 1.00, as camt.053. Files of different serials differ.
fn statement(account: &str, serial: u32, day: Date) -> String {
    let opening = 1_000 - i64::from(serial) * 6;
    let balance = |code: &str, yuan: i64| {
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{yuan}.00</Amt>\
             <CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
        )
    };
    let entry = |side: &str, yuan: i64, text: &str| {
        format!(
            "<Ntry><Amt Ccy=\"CNY\">{yuan}.00</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts>BOOK</Sts>\
             <BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt><AcctSvcrRef>B{serial}{side}</AcctSvcrRef>\
             <BkTxCd><Prtry><Cd>A1</Cd></Prtry></BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId>\
             </Refs><AmtDtls><TxAmt><Amt Ccy=\"CNY\">{yuan}.00</Amt></TxAmt></AmtDtls><RmtInf><Ustrd>{text}</Ustrd>\
             </RmtInf></TxDtls></NtryDtls></Ntry>"
        )
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.02\"><BkToCstmrStmt><GrpHdr>\
         <MsgId>M{serial}</MsgId><CreDtTm>{day}T20:00:00+08:00</CreDtTm></GrpHdr><Stmt><Id>S{serial}</Id>\
         <CreDtTm>{day}T20:00:00+08:00</CreDtTm><FrToDt><FrDtTm>{day}T00:00:00+08:00</FrDtTm>\
         <ToDtTm>{day}T23:59:59+08:00</ToDtTm></FrToDt><Acct><Id><Othr><Id>{account}</Id></Othr></Id><Ccy>CNY</Ccy></Acct>\
         {}{}{}{}</Stmt></BkToCstmrStmt></Document>\n",
        balance("OPBD", opening),
        balance("CLBD", opening - 6),
        entry("DBIT", 7, "手续费"),
        entry("CRDT", 1, "拨款"),
    )
}

async fn import(
    client: &mut Client,
    account: &str,
    request_id: &str,
    file: &str,
) -> Result<pb::ImportStatementResponse, Status> {
    let header = pb::ImportStatementHeader {
        account: account.to_owned(),
        file_name: "statement.xml".to_owned(),
        request_id: request_id.to_owned(),
        ..Default::default()
    };
    let messages = [Content::Header(header), Content::Piece(file.as_bytes().to_vec())].map(|content| {
        pb::ImportStatementRequest {
            content: Some(content),
        }
    });
    let imported = client
        .reconciliations
        .import_statement(tokio_stream::iter(messages))
        .await?;
    Ok(imported.into_inner())
}

async fn reconcile(client: &mut Client, account: &str) -> pb::Reconciliation {
    client
        .reconcile_account(account, today() + Duration::days(1), false)
        .await
}

async fn breaks(client: &mut Client, account: &str) -> Vec<pb::Break> {
    let list = pb::ListBreaksRequest {
        account: account.to_owned(),
        ..Default::default()
    };
    inner(client.reconciliations.list_breaks(list).await).breaks
}

fn serial(name: &str) -> u64 {
    name.rsplit('/').next().unwrap().parse().unwrap()
}

/// The place with a statement of its account, a job and what that found.
pub async fn reconciled(office: &mut Office, place: Place) -> Place {
    let file = statement(number_of(&place.region), 0, today());
    let imported = import(&mut office.maker, "", &id(), &file).await.unwrap();
    let job = reconcile(&mut office.maker, &place.account).await;
    assert!(!breaks(&mut office.maker, &place.account).await.is_empty());
    Place {
        statement: serial(&imported.statements[0].name),
        job: serial(&job.name),
        ..place
    }
}

async fn county(guarded: &Guarded) -> Client {
    let roles = ["reconciler", "city_treasury"];
    let token = token(&guarded.server, "县级对账员", &roles, &[OWN]).await;
    bearer(&guarded.channel, &token)
}

async fn a_county_works_on_its_own_account(world: World) {
    let guarded = Guarded::open(&world).await;
    let mut county = county(&guarded).await;
    let account = guarded.own.account.clone();
    let next = statement(number_of(OWN), 1, today() + Duration::days(1));
    let imported = import(&mut county, &account, &id(), &next).await.unwrap();
    assert!(imported.statements[0].name.starts_with(&account), "{imported:?}");
    assert!(import(&mut county, "", &id(), &next).await.unwrap().known);
    reconcile(&mut county, &account).await;
    let found = breaks(&mut county, &account).await;
    let fee: Vec<&pb::Break> = found.iter().filter(|found| found.amount == "7.00").collect();
    assert_eq!(fee.len(), 2, "{found:?}");
    let comment = pb::CommentBreakRequest {
        name: fee[0].name.clone(),
        comment: "问过银行".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    inner(county.reconciliations.comment_break(comment).await);
    let resolve = pb::ResolveBreakRequest {
        name: fee[0].name.clone(),
        reason: "手续费".to_owned(),
        how: Some(How::Explanation(pb::LineExplanation {
            category: pb::ExplanationCategory::Fee as i32,
            entry: String::new(),
        })),
        request_id: id(),
        ..Default::default()
    };
    inner(county.reconciliations.resolve_break(resolve).await);
    let balance = pb::GetBalanceReconciliationRequest {
        account: account.clone(),
        date: String::new(),
    };
    let balance = inner(county.reconciliations.get_balance_reconciliation(balance).await)
        .reconciliation
        .unwrap();
    assert_eq!(balance.difference, "0.00", "{balance:?}");
    let ageing = pb::GetAgeingRequest {
        account: account.clone(),
        ..Default::default()
    };
    let cells = inner(county.reconciliations.get_ageing(ageing).await).cells;
    assert!(!cells.is_empty());
    let detail = pb::GetBreakRequest {
        name: fee[1].name.clone(),
    };
    assert!(
        inner(county.reconciliations.get_break(detail).await)
            .line
            .is_some()
    );
    let month = today().to_string()[..7].to_owned();
    let period = pb::GetPeriodRequest {
        name: format!("{account}/periods/{month}"),
    };
    inner(county.reconciliations.get_period(period).await);
    drop(county);
    guarded.stop().await;
}

async fn lists_are_of_the_accounts_in_reach(world: World) {
    let guarded = Guarded::open(&world).await;
    let mut county = county(&guarded).await;
    let city = token(&guarded.server, "city", &["reconciler"], &[]).await;
    let mut city = bearer(&guarded.channel, &city);
    let list = pb::ListBankAccountsRequest::default();
    let accounts = inner(county.reconciliations.list_bank_accounts(list).await).accounts;
    let names: Vec<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
    assert_eq!(names, [guarded.own.account.as_str()]);
    // Three more jobs of the other county, one of the own.
    for account in [
        &guarded.other.account,
        &guarded.own.account,
        &guarded.other.account,
        &guarded.other.account,
    ] {
        reconcile(&mut city, account).await;
    }
    let list = |page_token: &str| pb::ListReconciliationsRequest {
        page_size: 1,
        page_token: page_token.to_owned(),
        ..Default::default()
    };
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = inner(
            county
                .reconciliations
                .list_reconciliations(list(&page_token))
                .await,
        );
        assert!(page.reconciliations.len() == 1 || page.next_page_token.is_empty());
        found.extend(page.reconciliations);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|job| job.account == guarded.own.account));
    // A token of somebody else's list is of no use, and a forged one shows no more.
    let theirs = inner(city.reconciliations.list_reconciliations(list("")).await).next_page_token;
    refused(county.reconciliations.list_reconciliations(list(&theirs)).await).names("page_token");
    let own = inner(county.reconciliations.list_reconciliations(list("")).await).next_page_token;
    let text = String::from_utf8(hex::decode(own).unwrap()).unwrap();
    let (query, _) = text.split_once(' ').unwrap();
    for after in ["0", "1", "2", "5", "999999"] {
        let forged = hex::encode(format!("{query} {after}"));
        let page = inner(county.reconciliations.list_reconciliations(list(&forged)).await);
        let of: BTreeSet<String> = page.reconciliations.into_iter().map(|job| job.account).collect();
        assert!(of.iter().all(|account| *account == guarded.own.account), "{of:?}");
    }
    drop((county, city));
    guarded.stop().await;
}

/// A refusal, without the number that a file names; masked, both numbers are the same.
fn said(status: Result<pb::ImportStatementResponse, Status>, number: &str) -> String {
    format!("{:?}", refused(status)).replace(number, "…")
}

async fn a_statement_of_another_account_is_of_no_account(world: World) {
    let guarded = Guarded::open(&world).await;
    let mut county = county(&guarded).await;
    let (theirs, nobodys) = (number_of(OTHER), "411081000009954321");
    let tomorrow = today() + Duration::days(1);
    let unknown = said(
        import(&mut county, "", &id(), &statement(nobodys, 1, tomorrow)).await,
        nobodys,
    );
    // A new one; and one that the other county has imported, by the same bytes.
    for file in [statement(theirs, 1, tomorrow), statement(theirs, 0, today())] {
        let refusal = said(import(&mut county, "", &id(), &file).await, theirs);
        assert_eq!(refusal, unknown);
    }
    // Beside the file, the account is named.
    for account in [
        guarded.other.account.as_str(),
        "bankAccounts/county",
        "bankAccounts/city",
    ] {
        let file = statement(theirs, 1, tomorrow);
        let refusal = refused(import(&mut county, account, &id(), &file).await);
        assert_eq!(refusal.code, tonic::Code::NotFound, "{refusal:?}");
    }
    // Somebody who reached the other county, and does so no more, gets no first answer.
    let request = id();
    let roles = ["reconciler"];
    let before = token(&guarded.server, "调动者", &roles, &[OTHER]).await;
    let after = token(&guarded.server, "调动者", &roles, &[OWN]).await;
    let file = statement(theirs, 1, tomorrow);
    let mut before = bearer(&guarded.channel, &before);
    import(&mut before, "", &request, &file).await.unwrap();
    let mut after = bearer(&guarded.channel, &after);
    let refusal = said(import(&mut after, "", &request, &file).await, theirs);
    assert_eq!(refusal, unknown);
    drop((county, before, after));
    guarded.stop().await;
}

async fn payments_and_entries_of_another_account_are_not_there(world: World) {
    let guarded = Guarded::open(&world).await;
    let mut county = county(&guarded).await;
    let found = breaks(&mut county, &guarded.own.account).await;
    let named = |amount: &str| {
        let found = found.iter().find(|found| found.amount == amount);
        found.unwrap().name.clone()
    };
    let (fee, credit) = (named("7.00"), named("1.00"));
    let line = |place: &Place| pb::LineName {
        statement: format!("{}/statements/{}", guarded.own.account, place.statement),
        line: 1,
    };
    let settle = |payment: &str| {
        How::Correction(pb::Correction {
            kind: pb::CorrectionKind::Settle as i32,
            payment: payment.to_owned(),
            amount: String::new(),
            date: today().to_string(),
        })
    };
    let receipt = |entry: &str| {
        How::Explanation(pb::LineExplanation {
            category: pb::ExplanationCategory::Receipt as i32,
            entry: entry.to_owned(),
        })
    };
    let matched = |statement: &Place, payment: &str| {
        How::HandMatch(pb::HandMatch {
            lines: vec![line(statement)],
            payments: vec![payment.to_owned()],
        })
    };
    let nowhere = Place {
        statement: 999_999,
        ..guarded.other.clone()
    };
    // One that there is, and one that there is not.
    let (theirs, nobodys) = (guarded.other.reference.as_str(), "RF00NOTHING");
    let entry = |number: u64| format!("funds/f/entries/{number}");
    let pairs = [
        (&fee, settle(theirs), settle(nobodys)),
        (
            &fee,
            matched(&guarded.own, theirs),
            matched(&guarded.own, nobodys),
        ),
        (
            &fee,
            matched(&guarded.other, &guarded.own.reference),
            matched(&nowhere, &guarded.own.reference),
        ),
        (
            &credit,
            receipt(&entry(guarded.other.entry)),
            receipt(&entry(999_999)),
        ),
    ];
    for (name, elsewhere, nothing) in pairs {
        let mut told = Vec::new();
        for how in [&elsewhere, &nothing] {
            let resolve = pb::ResolveBreakRequest {
                name: name.clone(),
                reason: "说明".to_owned(),
                how: Some(how.clone()),
                request_id: id(),
                ..Default::default()
            };
            let refusal = refused(county.reconciliations.resolve_break(resolve).await);
            let mut text = format!("{refusal:?}");
            let of = [
                theirs.to_owned(),
                nobodys.to_owned(),
                entry(guarded.other.entry),
                entry(999_999),
                format!("statement {}", guarded.other.statement),
                "statement 999999".to_owned(),
            ];
            for name in of {
                text = text.replace(&name, "…");
            }
            told.push(text);
        }
        assert_eq!(told[0], told[1], "{elsewhere:?}");
    }
    // Its own entry is taken.
    let resolve = pb::ResolveBreakRequest {
        name: credit,
        reason: "拨款".to_owned(),
        how: Some(receipt(&entry(guarded.own.entry))),
        request_id: id(),
        ..Default::default()
    };
    inner(county.reconciliations.resolve_break(resolve).await);
    drop(county);
    guarded.stop().await;
}

async fn who_reaches_all_regions_sees_all_accounts(world: World) {
    let guarded = Guarded::open(&world).await;
    let city = token(&guarded.server, "city", &["reconciler"], &[]).await;
    let both = token(&guarded.server, "both", &["reconciler"], &[OWN, OTHER]).await;
    let count = async |token: &str| {
        let mut client = bearer(&guarded.channel, token);
        let list = pb::ListBankAccountsRequest::default();
        let accounts = inner(client.reconciliations.list_bank_accounts(list).await).accounts;
        let list = pb::ListReconciliationsRequest::default();
        let jobs = inner(client.reconciliations.list_reconciliations(list).await).reconciliations;
        (accounts.len(), jobs.len())
    };
    assert_eq!(count(&city).await, (4, 2));
    // Those for all other counties, and the city's, are of regions beside these.
    assert_eq!(count(&both).await, (2, 2));
    let job = pb::GetReconciliationRequest {
        name: format!("reconciliations/{}", guarded.other.job),
    };
    inner(
        bearer(&guarded.channel, &both)
            .reconciliations
            .get_reconciliation(job)
            .await,
    );
    guarded.stop().await;
}

async fn a_watch_of_a_job_ends_with_its_token(world: World) {
    let guarded = Guarded::open(&world).await;
    let mut county = county(&guarded).await;
    // A job that a worker elsewhere has, and keeps for longer than this lasts.
    let db = Database::connect(&world.url).await.unwrap();
    let until = now() + HOUR;
    let job = guarded.own.job;
    let taken = db
        .execute_unprepared(&format!(
            "UPDATE reconciliation_job SET state = 'running', lease_owner = 'elsewhere', lease_until = {until} \
             WHERE number = {job}"
        ))
        .await
        .unwrap();
    assert_eq!(taken.rows_affected(), 1);
    let watch = pb::WatchReconciliationRequest {
        name: format!("reconciliations/{job}"),
    };
    let mut jobs = inner(county.reconciliations.watch_reconciliation(watch).await);
    let first = jobs.message().await.unwrap().unwrap().reconciliation.unwrap();
    assert_eq!(first.state(), pb::ReconciliationState::Running);
    // As long as the token counts the watch goes on, also past the time at which it is looked at again.
    let more = tokio::time::timeout(std::time::Duration::from_secs(5), jobs.message()).await;
    assert!(more.is_err(), "{more:?}");
    let operator = Principal::parse("operator").unwrap();
    for token in guarded.server.app.tokens().await.unwrap() {
        guarded
            .server
            .app
            .revoke_token(&operator, &token.id)
            .await
            .unwrap();
    }
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), jobs.message()).await;
    let refusal = refused(ended.expect("the stream ends"));
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (tonic::Code::Unauthenticated, "TOKEN_REVOKED")
    );
    db.close().await.unwrap();
    drop((county, jobs));
    guarded.stop().await;
}
