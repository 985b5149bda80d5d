//! Formulas: immutable revisions.

use super::records::FormulaRevision;
use super::{App, Mutation, clock};
use crate::domain::error::Error;
use crate::domain::formula::{Document, Formula};
use crate::store::Tx;

/// A formula by id, and by revision where one is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormulaId {
    /// Id.
    pub id: String,
    /// Revision; none means the newest.
    pub revision: Option<u32>,
}

impl FormulaId {
    /// Resource name.
    pub fn resource_name(&self) -> String {
        match self.revision {
            Some(revision) => format!("formulas/{}/revisions/{revision}", self.id),
            None => format!("formulas/{}", self.id),
        }
    }
}

impl App {
    /// Stores a formula as the next revision of its id; the same content as an earlier revision gives that one.
    pub async fn create_formula(
        &self,
        mutation: &Mutation,
        document: Document,
    ) -> Result<FormulaRevision, Error> {
        let document = &document;
        self.mutate(mutation, "CreateFormula", |tx| async move {
            let formula = Formula::check(document.clone(), &tx.indicators().await?)?;
            if let Some(present) = tx.formula_by_digest(&document.id, &formula.digest).await? {
                touch(&tx, &present);
                return Ok((tx, present));
            }
            let newest = tx
                .formula(&document.id, None)
                .await?
                .map_or(0, |newest| newest.revision);
            let revision = FormulaRevision {
                revision: newest + 1,
                digest: formula.digest,
                document: formula.document,
                created: clock::sign(&mutation.caller),
            };
            tx.insert_formula(&revision).await?;
            touch(&tx, &revision);
            Ok((tx, revision))
        })
        .await
    }

    /// One revision.
    pub async fn formula(&self, name: &FormulaId) -> Result<FormulaRevision, Error> {
        find_formula(&self.store().begin_read().await?, name).await
    }

    /// The newest revision of each formula, by id, after `after`.
    pub async fn formulas(&self, after: Option<&str>, limit: u64) -> Result<Vec<FormulaRevision>, Error> {
        self.store().begin_read().await?.formulas(after, limit).await
    }

    /// Revisions of a formula, oldest first, after `after`.
    pub async fn formula_revisions(
        &self,
        id: &str,
        after: u32,
        limit: u64,
    ) -> Result<Vec<FormulaRevision>, Error> {
        let tx = self.store().begin_read().await?;
        find_formula(
            &tx,
            &FormulaId {
                id: id.to_owned(),
                revision: None,
            },
        )
        .await?;
        tx.formula_revisions(id, after, limit).await
    }
}

pub(super) async fn find_formula(tx: &Tx, name: &FormulaId) -> Result<FormulaRevision, Error> {
    let found = tx.formula(&name.id, name.revision).await?;
    found.ok_or_else(|| Error::NotFound {
        kind: "formula",
        name: name.resource_name(),
    })
}

/// Says in the audit log which revision came of it; one that was there already is the same before and after.
fn touch(tx: &Tx, revision: &FormulaRevision) {
    let name = FormulaId {
        id: revision.document.id.clone(),
        revision: Some(revision.revision),
    };
    let digest = revision.digest.clone();
    tx.trail(|trail| trail.touch(name.resource_name(), None, Some(digest)));
}
