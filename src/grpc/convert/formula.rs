//! Formula documents: the same fields on both sides.

use super::signature;
use crate::app::formulas::FormulaId;
use crate::app::records::FormulaRevision;
use crate::domain::error::Error;
use crate::domain::formula::Document;
use crate::domain::formula::document::{
    AdjustmentText, BoundText, ComponentText, Exact, LegalBasis, ParameterText, RoundingText, SetAsideText,
};
use crate::grpc::pb;

/// Reads a document.
pub fn document(message: pb::FormulaDocument) -> Document {
    let legal_basis = message.legal_basis.unwrap_or_default();
    let rounding = message.rounding.unwrap_or_default();
    Document {
        id: message.id,
        title_zh: message.title_zh,
        title_en: message.title_en,
        legal_basis: LegalBasis {
            document: legal_basis.document,
            clause: legal_basis.clause,
            illustrative: legal_basis.illustrative,
        },
        rounding: RoundingText {
            unit: rounding.unit,
            method: rounding.method,
            tail: rounding.tail,
        },
        parameters: (message.parameters.into_iter())
            .map(|p| ParameterText {
                name: p.name,
                value: Exact(p.value),
                unit: p.unit,
                note: p.note,
            })
            .collect(),
        set_asides: (message.set_asides.into_iter())
            .map(|s| SetAsideText {
                id: s.id,
                name_zh: s.name_zh,
                name_en: s.name_en,
                percent: Exact(s.percent),
                amount: Exact(s.amount),
            })
            .collect(),
        components: (message.components.into_iter())
            .map(|c| ComponentText {
                id: c.id,
                name_zh: c.name_zh,
                name_en: c.name_en,
                percent: Exact(c.percent),
                amount: Exact(c.amount),
                mode: c.mode,
                score: c.score,
                rate: c.rate,
                remainder: c.remainder,
            })
            .collect(),
        adjustments: (message.adjustments.into_iter())
            .map(|a| AdjustmentText {
                id: a.id,
                name_zh: a.name_zh,
                name_en: a.name_en,
                factor: a.factor,
                components: a.components,
            })
            .collect(),
        bounds: (message.bounds.into_iter()).map(BoundText::from).collect(),
    }
}

/// Writes a document.
pub fn from_document(document: Document) -> pb::FormulaDocument {
    pb::FormulaDocument {
        id: document.id,
        title_zh: document.title_zh,
        title_en: document.title_en,
        legal_basis: Some(pb::LegalBasis {
            document: document.legal_basis.document,
            clause: document.legal_basis.clause,
            illustrative: document.legal_basis.illustrative,
        }),
        rounding: Some(pb::Rounding {
            unit: document.rounding.unit,
            method: document.rounding.method,
            tail: document.rounding.tail,
        }),
        parameters: (document.parameters.into_iter())
            .map(|p| pb::Parameter {
                name: p.name,
                value: p.value.0,
                unit: p.unit,
                note: p.note,
            })
            .collect(),
        set_asides: (document.set_asides.into_iter())
            .map(|s| pb::SetAside {
                id: s.id,
                name_zh: s.name_zh,
                name_en: s.name_en,
                percent: s.percent.0,
                amount: s.amount.0,
            })
            .collect(),
        components: (document.components.into_iter())
            .map(|c| pb::Component {
                id: c.id,
                name_zh: c.name_zh,
                name_en: c.name_en,
                percent: c.percent.0,
                amount: c.amount.0,
                mode: c.mode,
                score: c.score,
                rate: c.rate,
                remainder: c.remainder,
            })
            .collect(),
        adjustments: (document.adjustments.into_iter())
            .map(|a| pb::Adjustment {
                id: a.id,
                name_zh: a.name_zh,
                name_en: a.name_en,
                factor: a.factor,
                components: a.components,
            })
            .collect(),
        bounds: (document.bounds.into_iter()).map(pb::Bound::from).collect(),
    }
}

impl From<pb::Bound> for BoundText {
    fn from(bound: pb::Bound) -> Self {
        Self {
            kind: bound.kind,
            basis: bound.basis,
            amount: Exact(bound.amount),
            percent: Exact(bound.percent),
            indicator: bound.indicator,
            regions: bound.regions,
        }
    }
}

impl From<BoundText> for pb::Bound {
    fn from(bound: BoundText) -> Self {
        Self {
            kind: bound.kind,
            basis: bound.basis,
            amount: bound.amount.0,
            percent: bound.percent.0,
            indicator: bound.indicator,
            regions: bound.regions,
        }
    }
}

/// Writes a revision.
pub fn from_revision(revision: FormulaRevision) -> Result<pb::FormulaRevision, Error> {
    let name = FormulaId {
        id: revision.document.id.clone(),
        revision: Some(revision.revision),
    };
    Ok(pb::FormulaRevision {
        name: name.resource_name(),
        digest: revision.digest.as_str().to_owned(),
        created: Some(signature(&revision.created)?),
        document: Some(from_document(revision.document)),
    })
}
