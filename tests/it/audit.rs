//! The audit log: what is recorded, and proof that nothing of it was changed.

mod recording;
mod tampering;

use crate::harness::{Client, id, inner};
use incentive_fund::grpc::pb;

impl Client {
    /// All records that a request asks for, all pages.
    pub async fn audit_records(&mut self, request: pb::ListAuditRecordsRequest) -> Vec<pb::AuditRecord> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListAuditRecordsRequest {
                page_token,
                ..request.clone()
            };
            let page = inner(self.audit.list_audit_records(request).await);
            found.extend(page.records);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    }

    pub async fn verify_log(&mut self, checkpoints: &[String]) -> pb::AuditVerification {
        let request = pb::VerifyAuditLogRequest {
            checkpoints: checkpoints.to_vec(),
            ..Default::default()
        };
        let mut answers = inner(self.audit.verify_audit_log(request).await);
        let mut last = None;
        while let Some(answer) = answers.message().await.unwrap() {
            last = answer.verification;
        }
        last.expect("a result")
    }

    /// That nothing differs.
    pub async fn log_verifies(&mut self, checkpoints: &[String]) -> pb::AuditVerification {
        let found = self.verify_log(checkpoints).await;
        assert_eq!(found.findings, vec![], "{found:?}");
        assert_eq!(found.finding_count, 0);
        found
    }

    pub async fn checkpoint(&mut self) -> pb::CreateCheckpointResponse {
        let request = pb::CreateCheckpointRequest {
            request_id: id(),
            validate_only: false,
        };
        inner(self.audit.create_checkpoint(request).await)
    }

    pub async fn export_log(&mut self, format: pb::AuditFormat) -> String {
        let request = pb::ExportAuditLogRequest {
            chain: String::new(),
            format: format.into(),
        };
        let mut parts = inner(self.audit.export_audit_log(request).await);
        let mut text = String::new();
        while let Some(part) = parts.message().await.unwrap() {
            text.push_str(&part.text);
        }
        text
    }
}
