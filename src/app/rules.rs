//! The rules in force, compiled: which policy applies to a claim, and what the claim is worth under it.

use super::App;
use super::policies::{DEED_TAX_LAW, broken, compile};
use super::records::PolicyFilter;
use crate::domain::error::{Bilingual, Error, Violation};
use crate::domain::region::RegionCode;
use crate::domain::subsidy::{
    Assessment, CheckedPolicy, CheckedProgramme, DeedTaxLaw, DeedTaxLawDocument, Detail, Facts,
    ProgrammeCode, ProgrammeDocument, assess, format_date,
};
use crate::store::Tx;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use time::Date;

/// A claim to assess: nothing personal is needed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssessRequest {
    /// The region that the claim is made in.
    pub region: RegionCode,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Facts by code.
    pub facts: BTreeMap<String, String>,
    /// Kinds of documents that came with the claim.
    pub documents: Vec<String>,
}

/// What an assessment gives.
#[derive(Debug, Clone)]
pub struct Assessed {
    /// The policy applied, with its programme: what is subsidised once, who is paid.
    pub policy: Arc<CheckedPolicy>,
    /// The facts as they were read.
    pub facts: Facts,
    /// The entitlement with its derivation.
    pub assessment: Assessment,
}

/// Every programme, policy and law at one moment, compiled. Revisions are immutable, so this is true for
/// ever of the moment it was read at.
pub struct Rules {
    count: u64,
    programmes: HashMap<ProgrammeCode, Arc<CheckedProgramme>>,
    policies: HashMap<(RegionCode, ProgrammeCode), Vec<Arc<CheckedPolicy>>>,
    law: Option<DeedTaxLaw>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rules(of {} revisions)", self.count)
    }
}

/// The rules that were read last; shared by the clones of an [`App`].
#[derive(Debug, Clone, Default)]
pub(super) struct RulesCache(Arc<Mutex<Option<Arc<Rules>>>>);

impl RulesCache {
    fn get(&self) -> Option<Arc<Rules>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps rules, unless newer ones are there: a transaction may look at an earlier moment.
    fn set(&self, rules: Arc<Rules>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|kept| kept.count < rules.count) {
            *kept = Some(rules);
        }
    }

    /// The rules at a moment that has so many revisions: those kept, or read.
    pub(super) async fn at(&self, tx: &Tx, count: u64) -> Result<Arc<Rules>, Error> {
        let known = self.get();
        if let Some(rules) = known.as_ref().filter(|rules| rules.count == count) {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(Rules::load(tx, count, known.as_deref()).await?);
        self.set(Arc::clone(&rules));
        Ok(rules)
    }
}

impl App {
    /// The rules as this transaction sees them: from memory where no revision has come since they were read.
    ///
    /// A transaction that has added revisions itself must not ask: what it sees may never be committed.
    pub async fn rules(&self, tx: &Tx) -> Result<Arc<Rules>, Error> {
        let count = tx.rule_count().await?;
        self.rules.at(tx, count).await
    }

    /// Assesses a claim; stores nothing.
    pub async fn assess(&self, request: &AssessRequest) -> Result<Assessed, Error> {
        self.assess_in(&self.store().begin_read().await?, request).await
    }

    /// Assesses a claim as a transaction sees the rules; stores nothing.
    pub async fn assess_in(&self, tx: &Tx, request: &AssessRequest) -> Result<Assessed, Error> {
        let (path, count) = tx.region_path_and_rule_count(&request.region).await?;
        if path.is_empty() {
            return Err(no_region(request).into());
        }
        self.rules
            .at(tx, count)
            .await?
            .assess(&path, request, Detail::Derived)
    }
}

impl Rules {
    async fn load(tx: &Tx, count: u64, known: Option<&Self>) -> Result<Self, Error> {
        let mut programmes = HashMap::new();
        for stored in tx.rules::<ProgrammeDocument>().await? {
            let checked = CheckedProgramme::check(stored.document).map_err(broken)?;
            let checked = checked.with_revision(stored.revision);
            programmes.insert(checked.code.clone(), Arc::new(checked));
        }
        let kept: HashMap<(&str, u32), &Arc<CheckedPolicy>> = known
            .iter()
            .flat_map(|rules| rules.policies.values().flatten())
            .map(|policy| ((policy.id.as_str(), policy.revision), policy))
            .collect();
        let mut policies: HashMap<_, Vec<_>> = HashMap::new();
        for stored in tx.policies(&PolicyFilter::default(), None, u64::MAX).await? {
            let policy = match kept.get(&(stored.document.id.as_str(), stored.revision)) {
                Some(policy) => Arc::clone(policy),
                None => Arc::new(compile(tx, stored).await?),
            };
            policies
                .entry((policy.region.clone(), policy.programme.code.clone()))
                .or_default()
                .push(policy);
        }
        let law = tx.rule::<DeedTaxLawDocument>(DEED_TAX_LAW, None).await?;
        let law = law
            .map(|stored| {
                DeedTaxLaw::check(stored.document)
                    .map(|law| law.with_revision(stored.revision))
                    .map_err(broken)
            })
            .transpose()?;
        Ok(Self {
            count,
            programmes,
            policies,
            law,
        })
    }

    /// The newest revision of a programme.
    pub fn programme(&self, code: &ProgrammeCode) -> Option<&Arc<CheckedProgramme>> {
        self.programmes.get(code)
    }

    /// The policy that applies in a region on a decisive date: its own, or that of the nearest region that
    /// contains it. `path` is the region and those that contain it, from the inside out
    /// ([`Tx::region_path`]).
    ///
    /// A region with a policy of its own at that date never falls back to a wider one; one whose own
    /// policies are all for other dates does.
    pub fn policy_in_force(
        &self,
        path: &[RegionCode],
        programme: &ProgrammeCode,
        date: Date,
    ) -> Option<&Arc<CheckedPolicy>> {
        path.iter().find_map(|region| {
            self.policies
                .get(&(region.clone(), programme.clone()))?
                .iter()
                .find(|policy| policy.is_in_force(date))
        })
    }

    /// Assesses a claim; `path` as for [`Rules::policy_in_force`], of the request's region. Touches no store:
    /// whoever assesses many reads the rules and the paths once.
    pub fn assess(
        &self,
        path: &[RegionCode],
        request: &AssessRequest,
        detail: Detail,
    ) -> Result<Assessed, Error> {
        if path.is_empty() {
            return Err(no_region(request).into());
        }
        let programme = self.programme(&request.programme).ok_or_else(|| {
            let mut codes: Vec<&str> = self.programmes.keys().map(ProgrammeCode::as_str).collect();
            codes.sort_unstable();
            Error::from(Violation::new(
                "programme",
                request.programme.as_str(),
                format!("a programme that has been imported: {}", codes.join(", ")),
                format!("已导入的项目:{}", codes.join("、")),
            ))
        })?;
        let facts = Facts::parse(programme, &request.facts)?;
        let date = facts
            .decisive_date()
            .ok_or_else(|| Error::internal("a programme without a decisive date"))?;
        let policy = self
            .policy_in_force(path, &request.programme, date)
            .ok_or_else(|| no_policy(request, programme, date))?;
        // A policy is applied with the revision of the programme that it was checked against.
        let facts = if policy.programme.digest == programme.digest {
            facts
        } else {
            Facts::parse(&policy.programme, &request.facts)?
        };
        let law = match (&self.law, &policy.programme.deed_tax) {
            (Some(law), _) => law,
            (None, None) => &DeedTaxLaw::empty(),
            (None, Some(_)) => return Err(no_law()),
        };
        let assessment = assess(policy, &facts, &request.documents, law, detail)?;
        Ok(Assessed {
            policy: Arc::clone(policy),
            facts,
            assessment,
        })
    }
}

fn no_region(request: &AssessRequest) -> Violation {
    Violation::new(
        "region",
        request.region.as_str(),
        "the code of a region that has been imported",
        "已导入的地区代码",
    )
}

fn no_policy(request: &AssessRequest, programme: &CheckedProgramme, date: Date) -> Error {
    let date = format_date(date);
    Error::State {
        name: format!("regions/{}", request.region),
        reason: "NO_POLICY_IN_FORCE",
        message: Bilingual::new(
            format!(
                "no policy of the programme {} is in force in {} or a region that contains it on {date}",
                programme.code, request.region
            ),
            format!(
                "{date} 在 {} 及其上级地区没有有效的“{}”政策",
                request.region, programme.title.zh
            ),
        ),
    }
}

fn no_law() -> Error {
    Error::State {
        name: "deedTaxLaw".to_owned(),
        reason: "NO_DEED_TAX_LAW",
        message: Bilingual::new(
            "the deed-tax rates have not been imported (policy defaults brings those that come with the program)",
            "尚未导入契税税率(policy defaults 可导入随程序提供的税率)",
        ),
    }
}
