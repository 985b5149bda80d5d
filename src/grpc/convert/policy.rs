//! Programmes, policies and the deed-tax law: the same fields on both sides.

use super::mirror::mirror;
use super::signature;
use crate::app::policies::PolicyName;
use crate::app::records::{PolicyRevision, RuleRevision};
use crate::domain::error::Error;
use crate::domain::subsidy::document::{
    AmountRoundingText, BandText, BenefitText, CapText, ClauseText, ConditionText, CostSplitText,
    DeedTaxFactsText, DeedTaxRateText, FactText, NamedText, OnceText, RelationText, SourceText,
};
use crate::domain::subsidy::{DeedTaxLawDocument, PolicyDocument, PolicyId, ProgrammeDocument};
use crate::grpc::pb;

mirror! {
    SourceText = DocumentSource { same: document, clause, url, illustrative; }
    NamedText = NamedCode { same: code, name_zh, name_en; }
    FactText = FactDefinition {
        same: code, kind, name_zh, name_en, unit_zh, unit_en, optional;
        text: decimals, at_least, above, at_most, below;
        list: options;
    }
    RelationText = FactRelation { same: id, left, relation, right, text_zh, text_en; }
    OnceText = OnceRule { same: by, within; }
    DeedTaxFactsText = DeedTaxFacts { same: date, price, area, home, receipt; }
    ProgrammeDocument = ProgrammeDocument {
        same: code, title_zh, title_en, payee, decisive_date;
        one: legal_basis;
        list: facts, relations, once;
        maybe: deed_tax;
    }
    ConditionText = PolicyCondition {
        list: all, any;
        same: fact, not_before, not_after;
        text: is, at_least, above, at_most, below, within_months;
        texts: one_of;
    }
    ClauseText = PolicyClause { same: id, text_zh, text_en, clause; one: when; }
    BandText = PolicyBand { text: at_least, above, at_most, below, amount, percent; }
    CapText = PolicyCap { same: id, name_zh, name_en, clause, kind, fact; text: amount, percent; }
    BenefitText = PolicyBenefit {
        same: id, name_zh, name_en, clause, kind, fact, times, band_by;
        text: fact_limit, times_limit, amount, percent;
        list: bands, caps;
        maybe: when;
    }
    AmountRoundingText = AmountRounding { same: unit, direction; }
    CostSplitText = CostSplit { text: city_percent; one: rounding; }
    PolicyDocument = PolicyDocument {
        same: id, title_zh, title_en, region, programme, valid_from, valid_to, on_tax_difference;
        text: notice_days;
        one: legal_basis, rounding, cost_split;
        list: documents, eligibility, benefits, caps;
    }
    DeedTaxRateText = DeedTaxRate {
        same: valid_from, valid_to, home, name_zh, name_en;
        list: bands;
        one: source;
    }
    DeedTaxLawDocument = DeedTaxLawDocument { same: id, title_zh, title_en; list: rates; }
}

/// The name of a revision of a programme.
pub fn of_programme(code: &str, revision: u32) -> String {
    format!("programmes/{code}/revisions/{revision}")
}

/// Writes a revision of a policy.
pub fn from_policy(revision: PolicyRevision) -> Result<pb::PolicyRevision, Error> {
    let name = PolicyName {
        id: PolicyId::parse("id", &revision.document.id)?,
        revision: Some(revision.revision),
    };
    Ok(pb::PolicyRevision {
        name: name.resource_name(),
        digest: revision.digest.as_str().to_owned(),
        programme: of_programme(&revision.document.programme, revision.programme_revision),
        created: Some(signature(&revision.created)?),
        document: Some(revision.document.into()),
    })
}

/// Writes a revision of a programme.
pub fn from_programme(revision: RuleRevision<ProgrammeDocument>) -> Result<pb::ProgrammeRevision, Error> {
    Ok(pb::ProgrammeRevision {
        name: of_programme(&revision.document.code, revision.revision),
        digest: revision.digest.as_str().to_owned(),
        created: Some(signature(&revision.created)?),
        document: Some(revision.document.into()),
    })
}

/// Writes a revision of the deed-tax law.
pub fn from_law(revision: RuleRevision<DeedTaxLawDocument>) -> Result<pb::DeedTaxLawRevision, Error> {
    Ok(pb::DeedTaxLawRevision {
        name: format!("deedTaxLaw/revisions/{}", revision.revision),
        digest: revision.digest.as_str().to_owned(),
        created: Some(signature(&revision.created)?),
        document: Some(revision.document.into()),
    })
}
