//! Programmes, the deed-tax law and policies: immutable revisions.

use super::records::{PolicyFilter, PolicyRevision, RuleRevision};
use super::{App, Mutation, clock};
use crate::domain::digest::Digest;
use crate::domain::error::{Error, Violation};
use crate::domain::subsidy::{
    CheckedPolicy, CheckedProgramme, DeedTaxLaw, DeedTaxLawDocument, PolicyDocument, PolicyId,
    ProgrammeDocument,
};
use crate::store::{RuleDocument, Tx};
use std::collections::HashSet;
use std::sync::Arc;

/// A policy by id, and by revision where one is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyName {
    /// Id.
    pub id: PolicyId,
    /// Revision; none means the newest.
    pub revision: Option<u32>,
}

impl PolicyName {
    /// Resource name.
    pub fn resource_name(&self) -> String {
        match self.revision {
            Some(revision) => format!("policies/{}/revisions/{revision}", self.id),
            None => format!("policies/{}", self.id),
        }
    }
}

/// The id of the law that assessments use.
pub const DEED_TAX_LAW: &str = "deed-tax";

/// Most programmes in one import.
const MAX_PROGRAMMES: usize = 100;

impl App {
    /// Checks a policy as [`App::create_policy`] would, and stores nothing.
    pub async fn check_policy(&self, document: PolicyDocument) -> Result<CheckedPolicy, Error> {
        check(&self.store().begin_read().await?, document).await
    }

    /// Stores a policy as the next revision of its id; the same content as the newest revision gives that one.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] also where another policy of the same region and programme is in force at the
    /// same time: at any date there is one rule.
    pub async fn create_policy(
        &self,
        mutation: &Mutation,
        document: PolicyDocument,
    ) -> Result<PolicyRevision, Error> {
        let document = &document;
        self.mutate(mutation, "CreatePolicy", |tx| async move {
            let policy = check(&tx, document.clone()).await?;
            let newest = tx.policy(policy.id.as_str(), None).await?;
            let programme_revision = policy.programme.revision;
            if let Some(newest) = &newest
                && newest.digest == policy.digest
                && newest.programme_revision == programme_revision
            {
                touch(&tx, newest);
                return Ok((tx, newest.clone()));
            }
            let revision = PolicyRevision {
                revision: newest.map_or(0, |newest| newest.revision) + 1,
                digest: policy.digest,
                document: policy.document,
                programme_revision,
                created: clock::sign(&mutation.caller),
            };
            tx.insert_policy(&revision).await?;
            touch(&tx, &revision);
            Ok((tx, revision))
        })
        .await
    }

    /// One revision of a policy.
    pub async fn policy(&self, name: &PolicyName) -> Result<PolicyRevision, Error> {
        let tx = self.store().begin_read().await?;
        let found = tx.policy(name.id.as_str(), name.revision).await?;
        found.ok_or_else(|| policy_not_found(name))
    }

    /// The newest revision of each policy, by id, after `after`.
    pub async fn policies(
        &self,
        filter: &PolicyFilter,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<PolicyRevision>, Error> {
        let tx = self.store().begin_read().await?;
        tx.policies(filter, after, limit).await
    }

    /// Revisions of a policy, oldest first, after `after`.
    pub async fn policy_revisions(
        &self,
        id: &PolicyId,
        after: u32,
        limit: u64,
    ) -> Result<Vec<PolicyRevision>, Error> {
        let tx = self.store().begin_read().await?;
        if tx.policy(id.as_str(), None).await?.is_none() {
            return Err(policy_not_found(&PolicyName {
                id: id.clone(),
                revision: None,
            }));
        }
        tx.policy_revisions(id.as_str(), after, limit).await
    }

    /// Stores programmes, each as the next revision of its code; content that is there already stays as it is.
    pub async fn import_programmes(
        &self,
        mutation: &Mutation,
        documents: Vec<ProgrammeDocument>,
    ) -> Result<Vec<RuleRevision<ProgrammeDocument>>, Error> {
        let documents = &documents;
        check_programmes(documents)?;
        self.mutate(mutation, "ImportProgrammes", |tx| async move {
            let mut stored = Vec::with_capacity(documents.len());
            for document in documents {
                let revision = store(&tx, mutation, document, document.digest()).await?;
                let name = format!("programmes/{}/revisions/{}", document.code, revision.revision);
                let digest = revision.digest.clone();
                tx.trail(|trail| trail.touch(name, None, Some(digest)));
                stored.push(revision);
            }
            Ok((tx, stored))
        })
        .await
    }

    /// The newest revision of each programme, by code.
    pub async fn programmes(&self) -> Result<Vec<RuleRevision<ProgrammeDocument>>, Error> {
        self.store().begin_read().await?.rules().await
    }

    /// Stores the deed-tax law as the next revision; content that is there already stays as it is.
    pub async fn import_deed_tax_law(
        &self,
        mutation: &Mutation,
        document: DeedTaxLawDocument,
    ) -> Result<RuleRevision<DeedTaxLawDocument>, Error> {
        if document.id != DEED_TAX_LAW {
            return Err(Violation::new("id", &document.id, DEED_TAX_LAW, DEED_TAX_LAW).into());
        }
        DeedTaxLaw::check(document.clone())?;
        let document = &document;
        self.mutate(mutation, "ImportDeedTaxLaw", |tx| async move {
            let stored = store(&tx, mutation, document, document.digest()).await?;
            let name = format!("deedTaxLaw/revisions/{}", stored.revision);
            let digest = stored.digest.clone();
            tx.trail(|trail| trail.touch(name, None, Some(digest)));
            Ok((tx, stored))
        })
        .await
    }

    /// A revision of the deed-tax law; with `None`, the newest.
    pub async fn deed_tax_law(
        &self,
        revision: Option<u32>,
    ) -> Result<RuleRevision<DeedTaxLawDocument>, Error> {
        let tx = self.store().begin_read().await?;
        let found = tx.rule(DEED_TAX_LAW, revision).await?;
        found.ok_or_else(|| Error::NotFound {
            kind: "deed tax law",
            name: match revision {
                Some(revision) => format!("deedTaxLaw/revisions/{revision}"),
                None => "deedTaxLaw".to_owned(),
            },
        })
    }
}

/// Says in the audit log which revision came of it.
fn touch(tx: &Tx, revision: &PolicyRevision) {
    let name = format!(
        "policies/{}/revisions/{}",
        revision.document.id, revision.revision
    );
    let digest = revision.digest.clone();
    tx.trail(|trail| trail.touch(name, None, Some(digest)));
}

fn policy_not_found(name: &PolicyName) -> Error {
    Error::NotFound {
        kind: "policy",
        name: name.resource_name(),
    }
}

/// Every fault of every programme, and each code once.
fn check_programmes(documents: &[ProgrammeDocument]) -> Result<(), Vec<Violation>> {
    if documents.is_empty() || documents.len() > MAX_PROGRAMMES {
        return Err(vec![Violation::new(
            "programmes",
            documents.len().to_string(),
            format!("1 to {MAX_PROGRAMMES} programmes"),
            format!("1 至 {MAX_PROGRAMMES} 个项目"),
        )]);
    }
    let mut violations = Vec::new();
    let mut codes = HashSet::new();
    for (at, document) in documents.iter().enumerate() {
        let field = format!("programmes[{at}]");
        if let Err(found) = CheckedProgramme::check(document.clone()) {
            violations.extend(found.into_iter().map(|violation| violation.within(&field)));
        }
        if !codes.insert(&document.code) {
            violations.push(Violation::new(
                format!("{field}.code"),
                format!("{} again", document.code),
                "each programme once",
                "同一项目只能出现一次",
            ));
        }
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations)
    }
}

/// The newest revision where it says the same, else the next one.
async fn store<D: RuleDocument + Clone>(
    tx: &Tx,
    mutation: &Mutation,
    document: &D,
    digest: Digest,
) -> Result<RuleRevision<D>, Error> {
    let newest = tx.rule::<D>(document.id(), None).await?;
    if let Some(newest) = &newest
        && newest.digest == digest
    {
        return Ok(RuleRevision {
            revision: newest.revision,
            digest,
            document: newest.document.clone(),
            created: newest.created.clone(),
        });
    }
    let revision = RuleRevision {
        revision: newest.map_or(0, |newest| newest.revision) + 1,
        digest,
        document: document.clone(),
        created: clock::sign(&mutation.caller),
    };
    tx.insert_rule(&revision).await?;
    Ok(revision)
}

/// Checks a policy by itself, against its programme, its region and the policies beside it.
async fn check(tx: &Tx, document: PolicyDocument) -> Result<CheckedPolicy, Error> {
    let programme = programme(tx, &document.programme, None).await?;
    let programme = programme.ok_or_else(|| {
        Error::from(Violation::new(
            "programme",
            &document.programme,
            "the code of a programme that has been imported (policy programmes lists them)",
            "已导入的项目代码(policy programmes 可列出)",
        ))
    })?;
    let policy = CheckedPolicy::check(document, &programme)?;
    if tx.region_path(&policy.region).await?.is_empty() {
        return Err(Violation::new(
            "region",
            policy.region.as_str(),
            "the code of a region that has been imported",
            "已导入的地区代码",
        )
        .into());
    }
    beside_others(tx, &policy).await?;
    Ok(policy)
}

/// Refuses a policy that is in force together with another of the same region and programme.
async fn beside_others(tx: &Tx, policy: &CheckedPolicy) -> Result<(), Error> {
    let filter = PolicyFilter {
        region: Some(policy.region.clone()),
        programme: Some(policy.programme.code.clone()),
    };
    for other in tx.policies(&filter, None, u64::MAX).await? {
        if other.document.id == policy.id.as_str() {
            continue;
        }
        let other = compile(tx, other).await?;
        if policy.overlaps(&other) {
            let document = &other.document;
            let last = if document.valid_to.is_empty() {
                ("open", "长期")
            } else {
                (document.valid_to.as_str(), document.valid_to.as_str())
            };
            let found = format!("{} to {}", policy.document.valid_from, policy.document.valid_to);
            let from = &document.valid_from;
            return Err(Violation::new(
                "valid_from",
                found,
                format!("dates outside those of {}, {from} to {}", other.id, last.0),
                format!("不与政策 {} 的有效期({from} 至 {})重叠", other.id, last.1),
            )
            .into());
        }
    }
    Ok(())
}

/// A programme as it is stored, checked.
pub(super) async fn programme(
    tx: &Tx,
    code: &str,
    revision: Option<u32>,
) -> Result<Option<Arc<CheckedProgramme>>, Error> {
    let Some(found) = tx.rule::<ProgrammeDocument>(code, revision).await? else {
        return Ok(None);
    };
    let checked = CheckedProgramme::check(found.document).map_err(broken)?;
    Ok(Some(Arc::new(checked.with_revision(found.revision))))
}

/// A stored policy with the programme that it was checked against.
pub(super) async fn compile(tx: &Tx, stored: PolicyRevision) -> Result<CheckedPolicy, Error> {
    let code = &stored.document.programme;
    let programme = programme(tx, code, Some(stored.programme_revision)).await?;
    let programme =
        programme.ok_or_else(|| Error::internal(format!("stored data: no programme {code} for a policy")))?;
    let policy = CheckedPolicy::check(stored.document, &programme).map_err(broken)?;
    Ok(policy.with_revision(stored.revision))
}

/// What is stored was checked before.
pub(super) fn broken(violations: Vec<Violation>) -> Error {
    Error::internal(format!("stored data: {}", Error::Invalid(violations)))
}
