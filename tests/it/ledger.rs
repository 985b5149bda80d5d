//! The ledger: money in and out, quota, corrections, any moment of the past, and proof that nothing was
//! changed.

mod books;
mod correcting;
mod journal;
mod posting;
mod tampering;
mod watching;

use crate::harness::{Client, World, id, import_xuchang, inner, xuchang_request};
use incentive_fund::grpc::pb;
use tonic::Status;

/// What is assigned in a region.
pub fn line(region: &str, programme: &str, amount: &str) -> pb::QuotaLine {
    pb::QuotaLine {
        region: format!("regions/{region}"),
        programme: format!("programmes/{programme}"),
        payer: pb::Payer::City.into(),
        amount: amount.to_owned(),
    }
}

/// The same of the county's own money.
pub fn own(region: &str, programme: &str, amount: &str) -> pb::QuotaLine {
    pb::QuotaLine {
        payer: pb::Payer::County.into(),
        ..line(region, programme, amount)
    }
}

/// An account as stories write it: `city/411081/-/quota`.
pub fn account(text: &str) -> pb::Account {
    let parts: Vec<&str> = text.split('/').collect();
    let named = |collection: &str, part: &str| {
        if part == "-" {
            String::new()
        } else {
            format!("{collection}/{part}")
        }
    };
    let bucket = format!("BUCKET_{}", parts[3].to_uppercase());
    pb::Account {
        payer: pb::Payer::from_str_name(&format!("PAYER_{}", parts[0].to_uppercase()))
            .unwrap()
            .into(),
        region: named("regions", parts[1]),
        programme: named("programmes", parts[2]),
        bucket: pb::Bucket::from_str_name(&bucket).unwrap().into(),
    }
}

/// The text of an account.
pub fn shown(account: &pb::Account) -> String {
    let part = |name: &str| match name.rsplit_once('/') {
        Some((_, code)) => code.to_owned(),
        None => "-".to_owned(),
    };
    let word = |name: &str, prefix: &str| name.trim_start_matches(prefix).to_lowercase();
    format!(
        "{}/{}/{}/{}",
        word(account.payer().as_str_name(), "PAYER_"),
        part(&account.region),
        part(&account.programme),
        word(account.bucket().as_str_name(), "BUCKET_")
    )
}

impl Client {
    pub async fn surrender(&mut self, fund: &str, amount: &str) -> Result<pb::LedgerEntry, Status> {
        let request = pb::SurrenderFundsRequest {
            fund: format!("funds/{fund}"),
            amount: amount.to_owned(),
            document: "许财预〔2025〕9号".to_owned(),
            request_id: id(),
            validate_only: false,
        };
        let response = self.ledger.surrender_funds(request).await?;
        Ok(response.into_inner().entry.unwrap())
    }

    pub async fn contribute(
        &mut self,
        fund: &str,
        region: &str,
        amount: &str,
    ) -> Result<pb::LedgerEntry, Status> {
        let request = pb::ContributeFundsRequest {
            fund: format!("funds/{fund}"),
            region: format!("regions/{region}"),
            amount: amount.to_owned(),
            document: "县级配套".to_owned(),
            request_id: id(),
            validate_only: false,
        };
        let response = self.ledger.contribute_funds(request).await?;
        Ok(response.into_inner().entry.unwrap())
    }

    pub async fn retract(
        &mut self,
        fund: &str,
        region: &str,
        amount: &str,
    ) -> Result<pb::LedgerEntry, Status> {
        let request = pb::RetractContributionRequest {
            fund: format!("funds/{fund}"),
            region: format!("regions/{region}"),
            amount: amount.to_owned(),
            document: "退出".to_owned(),
            request_id: id(),
            validate_only: false,
        };
        let response = self.ledger.retract_contribution(request).await?;
        Ok(response.into_inner().entry.unwrap())
    }

    pub async fn assign(
        &mut self,
        fund: &str,
        lines: Vec<pb::QuotaLine>,
    ) -> Result<Vec<pb::LedgerEntry>, Status> {
        let request = pb::AssignQuotaRequest {
            fund: format!("funds/{fund}"),
            lines,
            request_id: id(),
            ..Default::default()
        };
        Ok(self.ledger.assign_quota(request).await?.into_inner().entries)
    }

    pub async fn unassign(
        &mut self,
        fund: &str,
        lines: Vec<pb::QuotaLine>,
    ) -> Result<Vec<pb::LedgerEntry>, Status> {
        let request = pb::UnassignQuotaRequest {
            fund: format!("funds/{fund}"),
            lines,
            request_id: id(),
            ..Default::default()
        };
        Ok(self.ledger.unassign_quota(request).await?.into_inner().entries)
    }

    pub async fn reverse(&mut self, fund: &str, number: u64) -> Result<pb::LedgerEntry, Status> {
        let request = pb::ReverseEntryRequest {
            name: format!("funds/{fund}/entries/{number}"),
            note: "记错了".to_owned(),
            request_id: id(),
            validate_only: false,
        };
        Ok(self
            .ledger
            .reverse_entry(request)
            .await?
            .into_inner()
            .entry
            .unwrap())
    }

    /// All balances after an entry, or now where that is 0, by account.
    pub async fn balances(&mut self, fund: &str, as_of_entry: u64) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListBalancesRequest {
                fund: format!("funds/{fund}"),
                as_of_entry,
                page_size: 7,
                page_token,
                ..Default::default()
            };
            let page = inner(self.ledger.list_balances(request).await);
            found.extend((page.balances.into_iter()).map(|b| (shown(b.account.as_ref().unwrap()), b.amount)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    }

    /// The balance of one account now; nothing where it has none.
    pub async fn balance(&mut self, fund: &str, account: &str) -> String {
        let all = self.balances(fund, 0).await;
        all.into_iter()
            .find(|(name, _)| name == account)
            .map_or_else(|| "0.00".to_owned(), |(_, amount)| amount)
    }

    /// All entries that fit a request.
    pub async fn entries(&mut self, request: pb::ListEntriesRequest) -> Vec<pb::LedgerEntry> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListEntriesRequest {
                page_size: 5,
                page_token,
                ..request.clone()
            };
            let page = inner(self.ledger.list_entries(request).await);
            found.extend(page.entries);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    }

    pub async fn fund_status(&mut self, fund: &str) -> pb::GetFundStatusResponse {
        let name = format!("funds/{fund}");
        inner(
            self.ledger
                .get_fund_status(pb::GetFundStatusRequest { name })
                .await,
        )
    }

    /// The result of a verification, and how many entries it read.
    pub async fn verify(&mut self, fund: &str) -> (pb::LedgerVerification, u64) {
        let request = pb::VerifyLedgerRequest {
            fund: format!("funds/{fund}"),
            max_findings: 0,
        };
        let mut answers = inner(self.ledger.verify_ledger(request).await);
        let mut last = None;
        while let Some(answer) = answers.message().await.unwrap() {
            assert!(last.is_none(), "nothing comes after the result");
            assert!(answer.entries_read <= answer.entries_total, "{answer:?}");
            let read = answer.entries_read;
            last = answer.verification.map(|found| (found, read));
        }
        last.expect("a result")
    }

    /// That a ledger is as it was posted.
    pub async fn verifies(&mut self, fund: &str) {
        let (found, _) = self.verify(fund).await;
        assert_eq!((found.finding_count, found.findings), (0, Vec::new()));
    }

    pub async fn journal(&mut self, fund: &str) -> String {
        let request = pb::ExportJournalRequest {
            fund: format!("funds/{fund}"),
        };
        let mut parts = inner(self.ledger.export_journal(request).await);
        let mut text = String::new();
        while let Some(part) = parts.message().await.unwrap() {
            text.push_str(&part.text);
        }
        text
    }
}

/// Xuchang with fund `f`: 100 million received and 80 million issued.
pub async fn issued(maker: &mut Client, checker: &mut Client) -> pb::Allocation {
    import_xuchang(maker).await;
    maker.receive("f", "100000000.00").await.unwrap();
    let draft = maker.create(xuchang_request("f")).await.unwrap();
    checker.approve(&draft.name).await.unwrap();
    maker.issue(&draft.name).await.unwrap()
}

/// A world with [`issued`] in it.
pub async fn office(world: &World) -> (crate::harness::Running, Client, Client, pb::Allocation) {
    let server = world.serve().await;
    let mut maker = server.client("编制人").await;
    let mut checker = server.client("审核人").await;
    let allocation = issued(&mut maker, &mut checker).await;
    (server, maker, checker, allocation)
}
