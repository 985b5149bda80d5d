//! What each method of the API needs: the one table. A method that is not in it cannot be called; a test
//! holds the table against the descriptors.
//!
//! `docs/ACCESS.md` says the same in words, with the reasons.

use crate::domain::access::Permission;
use Permission::{
    AllocationsApprove, AllocationsDraft, AllocationsIssue, AllocationsRead, AuditRead, ClaimsDecide,
    ClaimsFile, ClaimsRead, ClaimsReturn, Compute, FormulasWrite, FundsContribute, FundsReceive,
    LedgerCorrect, LedgerRead, LedgerVerify, NoticesRead, ObjectionsRead, Operate, PaymentsCollect,
    PaymentsConclude, PaymentsExport, PaymentsRead, PaymentsRelease, PoliciesWrite, QuotaAssign,
    ReconciliationClose, ReconciliationRead, ReconciliationWork, ReferenceRead, StatisticsWrite,
};
use std::collections::HashMap;
use std::sync::LazyLock;

/// How a method goes with regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It gives or computes with what is public or belongs to no region: whoever has the permission for any
    /// region may call it.
    Public,
    /// The use case and its queries keep to the regions of the caller. What is elsewhere is not there.
    Regions,
    /// It is about all regions at once, and needs them all.
    Whole,
}

/// What a method needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Any one of these.
    pub permissions: &'static [Permission],
    /// How it goes with regions.
    pub reach: Reach,
}

macro_rules! rules {
    ($($service:ident { $($method:ident: $reach:ident [$($permission:ident),+];)+ })+) => {
        /// Every method, with its service.
        pub const RULES: &[(&str, &str, Rule)] = &[$($(
            (
                concat!("incentivefund.v1.", stringify!($service)),
                stringify!($method),
                Rule { permissions: &[$($permission),+], reach: Reach::$reach },
            ),
        )+)+];
    };
}

rules! {
    StatisticsService {
        ImportRegions: Whole [StatisticsWrite];
        ListRegions: Public [ReferenceRead];
        ImportIndicators: Whole [StatisticsWrite];
        ListIndicators: Public [ReferenceRead];
        CreateDataSet: Whole [StatisticsWrite];
        GetDataSet: Public [ReferenceRead];
        ListDataSets: Public [ReferenceRead];
        ListDataSetRevisions: Public [ReferenceRead];
        ImportObservations: Whole [StatisticsWrite];
        CheckObservations: Whole [StatisticsWrite];
        ListObservations: Public [ReferenceRead];
    }
    FormulaService {
        CheckFormula: Public [ReferenceRead];
        CreateFormula: Whole [FormulasWrite];
        GetFormula: Public [ReferenceRead];
        ListFormulas: Public [ReferenceRead];
        ListFormulaRevisions: Public [ReferenceRead];
    }
    PolicyService {
        CheckPolicy: Public [ReferenceRead];
        CreatePolicy: Whole [PoliciesWrite];
        GetPolicy: Public [ReferenceRead];
        ListPolicies: Public [ReferenceRead];
        ListPolicyRevisions: Public [ReferenceRead];
        ImportProgrammes: Whole [PoliciesWrite];
        ListProgrammes: Public [ReferenceRead];
        ImportDeedTaxLaw: Whole [PoliciesWrite];
        GetDeedTaxLaw: Public [ReferenceRead];
    }
    AllocationService {
        ComputeAllocation: Public [Compute];
        CreateAllocation: Whole [AllocationsDraft];
        GetAllocation: Regions [AllocationsRead];
        ListAllocations: Regions [AllocationsRead];
        CompareAllocations: Regions [AllocationsRead];
        ExplainAllocation: Regions [AllocationsRead];
        ApproveAllocation: Whole [AllocationsApprove];
        IssueAllocation: Whole [AllocationsIssue];
        SupersedeAllocation: Whole [AllocationsIssue];
    }
    SimulationService {
        CompareScenarios: Whole [Compute];
        RunSweep: Whole [Compute];
        RunMonteCarlo: Whole [Compute];
        SeekGoal: Whole [Compute];
        MeasureStability: Whole [Compute];
        MeasureFairness: Whole [Compute];
        CreateSimulation: Whole [AllocationsDraft];
        GetSimulation: Whole [AllocationsRead];
        ListSimulations: Whole [AllocationsRead];
        StreamSimulationResults: Whole [AllocationsRead];
        DraftAllocation: Whole [AllocationsDraft];
    }
    LedgerService {
        ReceiveFunds: Whole [FundsReceive];
        SurrenderFunds: Whole [FundsReceive];
        ContributeFunds: Regions [FundsContribute];
        RetractContribution: Regions [FundsContribute];
        AssignQuota: Regions [QuotaAssign];
        UnassignQuota: Regions [QuotaAssign];
        ReverseEntry: Regions [LedgerCorrect];
        ListFunds: Regions [LedgerRead];
        GetFundStatus: Regions [LedgerRead];
        ListBalances: Regions [LedgerRead];
        ListEntries: Regions [LedgerRead];
        VerifyLedger: Whole [LedgerVerify];
        ExportJournal: Whole [LedgerVerify];
        WatchChanges: Regions [LedgerRead];
    }
    SubsidyService {
        AssessClaim: Public [ReferenceRead];
        SubmitClaim: Regions [ClaimsFile];
        SubmitClaims: Regions [ClaimsFile];
        ApproveClaim: Regions [ClaimsDecide];
        RejectClaim: Regions [ClaimsDecide];
        WithdrawClaim: Regions [ClaimsFile];
        CancelClaim: Regions [ClaimsDecide];
        ObjectToClaim: Regions [ClaimsFile];
        ResolveObjection: Regions [ClaimsDecide];
        RetryClaim: Regions [ClaimsFile];
        ReturnClaim: Regions [ClaimsReturn];
        // Each row needs what its action needs by itself.
        ChangeClaims: Regions [ClaimsDecide, ClaimsFile];
        ReserveWaitingClaims: Regions [ClaimsDecide];
        GetClaim: Regions [ClaimsRead];
        ListClaims: Regions [ClaimsRead];
        // Public by law: anyone who may see one may see all.
        ListPublicNotices: Public [NoticesRead];
        ExplainClaim: Regions [ClaimsRead];
        ListClaimHistory: Regions [ClaimsRead];
        GetObjection: Regions [ObjectionsRead];
    }
    // All of it is of one account, which is in reach where every region is that it pays in.
    ReconciliationService {
        ListBankAccounts: Regions [ReconciliationRead];
        ImportStatement: Regions [ReconciliationWork];
        GetStatement: Regions [ReconciliationRead];
        ListStatements: Regions [ReconciliationRead];
        ListStatementLines: Regions [ReconciliationRead];
        CreateReconciliation: Regions [ReconciliationWork];
        GetReconciliation: Regions [ReconciliationRead];
        ListReconciliations: Regions [ReconciliationRead];
        CancelReconciliation: Regions [ReconciliationWork];
        WatchReconciliation: Regions [ReconciliationRead];
        ListBreaks: Regions [ReconciliationRead];
        GetBreak: Regions [ReconciliationRead];
        AssignBreak: Regions [ReconciliationWork];
        CommentBreak: Regions [ReconciliationWork];
        ResolveBreak: Regions [ReconciliationWork];
        ApproveResolution: Regions [ReconciliationClose];
        RejectResolution: Regions [ReconciliationClose];
        ReopenBreak: Regions [ReconciliationWork];
        GetAgeing: Regions [ReconciliationRead];
        GetBalanceReconciliation: Regions [ReconciliationRead];
        GetPeriod: Regions [ReconciliationRead];
        ListPeriods: Regions [ReconciliationRead];
        PreparePeriod: Regions [ReconciliationWork];
        SignPeriod: Regions [ReconciliationClose];
    }
    AuditService {
        ListAuditRecords: Whole [AuditRead];
        VerifyAuditLog: Whole [AuditRead];
        CreateCheckpoint: Whole [AuditRead, Operate];
        ExportAuditLog: Whole [AuditRead];
    }
    PrivacyService {
        RequestErasure: Whole [ClaimsDecide, Operate];
        EraseClaimants: Whole [Operate];
        ListErasures: Whole [AuditRead, Operate];
    }
    DisbursementService {
        CreateBatch: Regions [PaymentsCollect];
        GetBatch: Regions [PaymentsRead];
        ListBatches: Regions [PaymentsRead];
        ListPayments: Regions [PaymentsRead];
        RemoveFromBatch: Regions [PaymentsCollect];
        FreezeBatch: Regions [PaymentsCollect];
        ReleaseBatch: Regions [PaymentsRelease];
        CancelBatch: Regions [PaymentsCollect];
        ExportBatch: Regions [PaymentsExport];
        ImportResults: Regions [PaymentsConclude];
        RecordPaymentResult: Regions [PaymentsConclude];
    }
}

/// The rules by path, `/service/method`.
static BY_PATH: LazyLock<HashMap<String, Rule>> = LazyLock::new(|| {
    RULES
        .iter()
        .map(|(service, method, rule)| (format!("/{service}/{method}"), *rule))
        .collect()
});

/// What the method at a path needs; none where there is no such method.
pub fn rule(path: &str) -> Option<Rule> {
    BY_PATH.get(path).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;
    use std::collections::BTreeSet;

    #[test]
    fn every_method_is_in_the_table_and_nothing_else_is() {
        let files = prost_types::FileDescriptorSet::decode(crate::grpc::DESCRIPTORS).unwrap();
        let methods: BTreeSet<String> = files
            .file
            .iter()
            .flat_map(|file| {
                file.service.iter().flat_map(|service| {
                    let path = format!("/{}.{}", file.package(), service.name());
                    let methods = service.method.iter();
                    methods.map(move |method| format!("{path}/{}", method.name()))
                })
            })
            .collect();
        let declared: BTreeSet<String> = BY_PATH.keys().cloned().collect();
        assert_eq!(declared, methods);
        assert_eq!(RULES.len(), methods.len(), "no method is in the table twice");
        assert!(RULES.iter().all(|(_, _, rule)| !rule.permissions.is_empty()));
    }

    #[test]
    fn what_discloses_personal_data_needs_the_permission_for_it() {
        for disclosure in crate::app::personal::Disclosure::ALL {
            let (_, _, rule) = RULES
                .iter()
                .find(|(_, method, _)| *method == disclosure.method())
                .unwrap();
            assert_eq!(rule.permissions, [disclosure.permission()]);
        }
    }
}
