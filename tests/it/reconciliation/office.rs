//! An office that has paid, seen over a real socket: payments, statements as camt.053, jobs, breaks.

use crate::bureau::{FUND, give_quota, open_office, payments_of, training};
use crate::harness::{Client, Running, World, id, inner};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::import_statement_request::Content;
use incentive_fund::grpc::pb::resolve_break_request::How;
use std::fmt::Write;
use time::{Date, Duration};
use tonic::Status;

/// The city's account in the harness.
pub const NUMBER: &str = "411000000000012345";
pub const CITY: &str = "bankAccounts/city";
const YUZHOU: &str = "411081";

/// Who is there, and what was paid from the city's account.
pub struct Office {
    pub server: Running,
    pub maker: Client,
    pub checker: Client,
    pub payments: Vec<pb::Payment>,
}

/// What each payment of the city is.
pub const PART: i64 = 140_000;
/// What the account began with.
pub const OPENING: i64 = 5_000_000_00;

/// Today in China.
pub fn today() -> Date {
    (time::OffsetDateTime::now_utc() + Duration::hours(8)).date()
}

/// The first and the last day of the month before this one.
pub fn last_month() -> (Date, Date) {
    let last = today().replace_day(1).unwrap() - Duration::days(1);
    (last.replace_day(1).unwrap(), last)
}

pub fn month(day: Date) -> String {
    format!("{}-{:02}", day.year(), u8::from(day.month()))
}

impl Office {
    /// So many claims for the training incentive, 1,400.00 of the city and 600.00 of the county each, paid in one batch
    /// that the banks are to make today.
    pub async fn open(world: &World, claims: u64) -> Self {
        let server = world.serve().await;
        let mut maker = server.client("经办人").await;
        let mut checker = server.client("复核人").await;
        open_office(&mut maker, &mut checker).await;
        let mut payments = Vec::new();
        if claims > 0 {
            give_quota(&mut maker, YUZHOU, "training", "1000000.00", "1000000.00").await;
            for n in 1..=claims {
                let request = pb::SubmitClaimRequest {
                    claim: Some(training(YUZHOU, n, "senior")),
                    ..Default::default()
                };
                let claim = inner(maker.subsidies.submit_claim(request).await).claim.unwrap();
                let request = pb::ApproveClaimRequest {
                    name: claim.name,
                    ..Default::default()
                };
                inner(checker.subsidies.approve_claim(request).await);
            }
            let request = pb::CreateBatchRequest {
                fund: format!("funds/{FUND}"),
                programme: "programmes/training".to_owned(),
                execution_date: today().to_string(),
                ..Default::default()
            };
            let batch = inner(maker.disbursements.create_batch(request).await)
                .batch
                .unwrap();
            let request = pb::FreezeBatchRequest {
                name: batch.name.clone(),
                ..Default::default()
            };
            inner(maker.disbursements.freeze_batch(request).await);
            let request = pb::ReleaseBatchRequest {
                name: batch.name.clone(),
                ..Default::default()
            };
            inner(checker.disbursements.release_batch(request).await);
            payments = payments_of(&mut maker, &batch.name).await;
            payments.retain(|payment| payment.payer() == pb::Payer::City);
        }
        Self {
            server,
            maker,
            checker,
            payments,
        }
    }

    /// What the bank says of the city's first eight payments: two of them as they should be, the third short by so much,
    /// one twice, one late, one sent back, one missing, one in words that lead nowhere; and three lines that are no payments.
    pub fn irregular(&self, first: Date, short: i64) -> Vec<Said> {
        let (late, last) = (first + Duration::days(8), first + Duration::days(10));
        let name = |at: usize| self.reference(at).to_owned();
        vec![
            debit(first, PART, &name(0)),
            debit(first, PART, &name(1)),
            // Another amount than ordered.
            debit(first, PART - short, &name(2)),
            // Twice.
            debit(first, PART, &name(3)),
            debit(first, PART, &name(3)),
            // After its time.
            debit(late, PART, &name(4)),
            // Paid, and sent back.
            debit(first, PART, &name(5)),
            Said {
                fen: PART,
                reversal: true,
                ..debit(first + Duration::days(2), PART, &name(5))
            },
            // Payment 6 is not there at all. Payment 7 is, in words that lead nowhere.
            other(first, -PART, "代付 6222021000000000888"),
            // And what has nothing to do with payments.
            other(last, -7_00, "手续费"),
            other(last, 12_34, "利息"),
            other(last, 100_000_000_00, "财政拨款"),
        ]
    }

    /// The reference of a payment by its place.
    pub fn reference(&self, at: usize) -> &str {
        &self.payments[at].reference
    }
}

/// A line of a statement.
#[derive(Debug, Clone, Default)]
pub struct Said {
    pub day: Option<Date>,
    pub fen: i64,
    pub reference: String,
    pub reversal: bool,
    pub name: String,
    pub account: String,
    pub text: String,
}

/// A debit with a reference.
pub fn debit(day: Date, fen: i64, reference: &str) -> Said {
    Said {
        day: Some(day),
        fen: -fen,
        reference: reference.to_owned(),
        name: "王小明".to_owned(),
        account: "6222021000000000999".to_owned(),
        ..Default::default()
    }
}

/// A line that says what it is in words only.
pub fn other(day: Date, fen: i64, text: &str) -> Said {
    Said {
        day: Some(day),
        fen,
        text: text.to_owned(),
        ..Default::default()
    }
}

pub fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// A statement as camt.053.001.02, with its closing balance in fen.
pub fn camt(number: &str, days: (Date, Date), opening: i64, lines: &[Said]) -> (String, i64) {
    let closing = opening + lines.iter().map(|line| line.fen).sum::<i64>();
    let mut entries = String::new();
    for (at, line) in lines.iter().enumerate() {
        let side = if line.fen < 0 { "DBIT" } else { "CRDT" };
        let reversal = if line.reversal {
            "<RvslInd>true</RvslInd>"
        } else {
            ""
        };
        let reference = if line.reference.is_empty() {
            "NOTPROVIDED"
        } else {
            &line.reference
        };
        let other = if line.name.is_empty() {
            String::new()
        } else {
            format!(
                "<RltdPties><Cdtr><Nm>{}</Nm></Cdtr><CdtrAcct><Id><Othr><Id>{}</Id></Othr></Id></CdtrAcct></RltdPties>",
                line.name, line.account
            )
        };
        let text = if line.text.is_empty() {
            String::new()
        } else {
            format!("<RmtInf><Ustrd>{}</Ustrd></RmtInf>", line.text)
        };
        let amount = yuan(line.fen.abs());
        let day = line.day.unwrap_or(days.0);
        writeln!(
            entries,
            "<Ntry><Amt Ccy=\"CNY\">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>{reversal}<Sts>BOOK</Sts>\
             <BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt><AcctSvcrRef>B{number}N{at}</AcctSvcrRef>\
             <BkTxCd><Prtry><Cd>A1</Cd></Prtry></BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId>\
             </Refs><AmtDtls><TxAmt><Amt Ccy=\"CNY\">{amount}</Amt></TxAmt></AmtDtls>{other}{text}</TxDtls></NtryDtls></Ntry>"
        )
        .unwrap();
    }
    let balance = |code: &str, fen: i64, day: Date| {
        let side = if fen < 0 { "DBIT" } else { "CRDT" };
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{}</Amt>\
             <CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>",
            yuan(fen.abs())
        )
    };
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.02\"><BkToCstmrStmt><GrpHdr>\
         <MsgId>M{number}</MsgId><CreDtTm>{to}T20:00:00+08:00</CreDtTm></GrpHdr><Stmt><Id>S{number}</Id>\
         <CreDtTm>{to}T20:00:00+08:00</CreDtTm><FrToDt><FrDtTm>{from}T00:00:00+08:00</FrDtTm>\
         <ToDtTm>{to}T23:59:59+08:00</ToDtTm></FrToDt><Acct><Id><Othr><Id>{NUMBER}</Id></Othr></Id><Ccy>CNY</Ccy></Acct>\
         {}{}{entries}</Stmt></BkToCstmrStmt></Document>\n",
        balance("OPBD", opening, days.0),
        balance("CLBD", closing, days.1),
        from = days.0,
        to = days.1,
    );
    (text, closing)
}

impl Client {
    pub async fn import_statement(&mut self, file: &str) -> Result<pb::ImportStatementResponse, Status> {
        let header = pb::ImportStatementHeader {
            file_name: "statement.xml".to_owned(),
            request_id: id(),
            ..Default::default()
        };
        self.import_statement_as(header, file.as_bytes()).await
    }

    pub async fn import_statement_as(
        &mut self,
        header: pb::ImportStatementHeader,
        file: &[u8],
    ) -> Result<pb::ImportStatementResponse, Status> {
        let message = |content| pb::ImportStatementRequest {
            content: Some(content),
        };
        let mut messages = vec![message(Content::Header(header))];
        messages.extend(
            file.chunks(777)
                .map(|piece| message(Content::Piece(piece.to_vec()))),
        );
        let response = self
            .reconciliations
            .import_statement(tokio_stream::iter(messages))
            .await?;
        Ok(response.into_inner())
    }

    /// Reconciles the city's account to a day, and waits.
    pub async fn reconcile(&mut self, to: Date, dry_run: bool) -> pb::Reconciliation {
        self.reconcile_account(CITY, to, dry_run).await
    }

    /// Reconciles an account to a day, and waits.
    pub async fn reconcile_account(&mut self, account: &str, to: Date, dry_run: bool) -> pb::Reconciliation {
        let request = pb::CreateReconciliationRequest {
            account: account.to_owned(),
            date: to.to_string(),
            dry_run,
            request_id: id(),
            validate_only: false,
        };
        let job = inner(self.reconciliations.create_reconciliation(request).await)
            .reconciliation
            .unwrap();
        let request = pb::WatchReconciliationRequest { name: job.name };
        let mut stream = inner(self.reconciliations.watch_reconciliation(request).await);
        let mut last = None;
        while let Some(message) = stream.message().await.unwrap() {
            last = message.reconciliation;
        }
        let last = last.unwrap();
        assert_eq!(last.state(), pb::ReconciliationState::Finished, "{last:?}");
        last
    }

    /// All breaks of the city's account, in pages of two.
    pub async fn all_breaks(&mut self) -> Vec<pb::Break> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListBreaksRequest {
                account: CITY.to_owned(),
                page_size: 2,
                page_token,
                ..Default::default()
            };
            let page = inner(self.reconciliations.list_breaks(request).await);
            found.extend(page.breaks);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    }

    /// The breaks that are not resolved, as `class amount`, sorted.
    pub async fn open_breaks(&mut self) -> Vec<String> {
        let mut open: Vec<String> = (self.all_breaks().await.into_iter())
            .filter(|found| found.state() != pb::BreakState::Resolved)
            .map(|found| {
                let class = found.match_class().as_str_name();
                let class = class.trim_start_matches("MATCH_CLASS_").to_lowercase();
                format!("{class} {}", found.amount)
            })
            .collect();
        open.sort();
        open
    }

    pub async fn break_of(&mut self, which: impl Fn(&pb::Break) -> bool) -> pb::Break {
        let all = self.all_breaks().await;
        let found: Vec<_> = all.iter().filter(|found| which(found)).collect();
        assert_eq!(found.len(), 1, "{all:#?}");
        found[0].clone()
    }

    pub async fn resolve_break_as(
        &mut self,
        name: &str,
        how: How,
        reason: &str,
    ) -> Result<pb::Break, Status> {
        let request = pb::ResolveBreakRequest {
            name: name.to_owned(),
            reason: reason.to_owned(),
            how: Some(how),
            etag: String::new(),
            request_id: id(),
            validate_only: false,
        };
        let response = self.reconciliations.resolve_break(request).await?;
        Ok(response.into_inner().bank_break.unwrap())
    }

    pub async fn approve_as(&mut self, request_id: &str, name: &str) -> Result<pb::Break, Status> {
        let request = pb::ApproveResolutionRequest {
            name: name.to_owned(),
            etag: String::new(),
            request_id: request_id.to_owned(),
            validate_only: false,
        };
        let response = self.reconciliations.approve_resolution(request).await?;
        Ok(response.into_inner().bank_break.unwrap())
    }

    pub async fn reopen_break_again(&mut self, name: &str, reason: &str) -> Result<pb::Break, Status> {
        let request = pb::ReopenBreakRequest {
            name: name.to_owned(),
            reason: reason.to_owned(),
            request_id: id(),
            ..Default::default()
        };
        let response = self.reconciliations.reopen_break(request).await?;
        Ok(response.into_inner().bank_break.unwrap())
    }

    pub async fn steps_of(&mut self, name: &str) -> Vec<String> {
        let request = pb::GetBreakRequest {
            name: name.to_owned(),
        };
        let found = inner(self.reconciliations.get_break(request).await);
        let steps = found.history.into_iter().map(|step| {
            let by = step.signed.unwrap().principal;
            format!("{by} {}", step.kind)
        });
        steps.collect()
    }

    /// The balances of the city's account on a day, which tie.
    pub async fn ties(&mut self, on: Date) -> pb::BalanceReconciliation {
        let request = pb::GetBalanceReconciliationRequest {
            account: CITY.to_owned(),
            date: on.to_string(),
        };
        let found = inner(self.reconciliations.get_balance_reconciliation(request).await)
            .reconciliation
            .unwrap();
        assert_eq!(found.difference, "0.00", "{found:#?}");
        assert_eq!(found.adjusted_book, found.adjusted_bank);
        found
    }

    pub async fn payment_state(&mut self, of: &pb::Payment) -> pb::PaymentState {
        let all = payments_of(self, &of.batch).await;
        let found = all.iter().find(|payment| payment.reference == of.reference);
        found.unwrap().state()
    }
}

/// Items of a balance as `code count amount`.
pub fn items(found: &pb::BalanceReconciliation) -> Vec<String> {
    let items = found.items.iter();
    items
        .map(|item| format!("{} {} {}", item.code, item.count, item.amount))
        .collect()
}
