//! Messages to domain types and back.

pub mod allocation;
pub mod assessment;
pub mod audit;
pub mod claim;
pub mod disbursement;
pub mod formula;
pub mod ledger;
mod mirror;
pub mod names;
pub mod policy;
pub mod reconciliation;
pub mod simulation;
pub mod statistics;

use super::pb;
use crate::app::clock;
use crate::domain::allocation::Signature;
use crate::domain::error::{Bilingual, Error};

pub(super) fn signature(signature: &Signature) -> Result<pb::Signature, Error> {
    Ok(pb::Signature {
        principal: signature.by.as_str().to_owned(),
        time: clock::format(signature.at)?,
    })
}

pub(super) fn optional_signature(present: Option<&Signature>) -> Result<Option<pb::Signature>, Error> {
    present.map(signature).transpose()
}

pub(super) fn localized(text: &Bilingual) -> pb::LocalizedText {
    pb::LocalizedText {
        zh: text.zh.clone(),
        en: text.en.clone(),
    }
}
