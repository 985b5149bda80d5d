//! What a transaction did, collected while it does it.

use super::{Call, is_left_out};
use crate::app::records::Change;
use crate::domain::audit::{Changes, Outcome, Record};
use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::Error;
use crate::domain::region::RegionCode;
use serde::Serialize;

/// A resource that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Touched {
    resource: String,
    before: Option<Digest>,
    after: Option<Digest>,
}

/// The call that a transaction carries out, and what it has changed so far.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    call: Option<Call>,
    touched: Vec<Touched>,
    recorded: bool,
}

impl Trail {
    /// A call begins.
    pub fn begin(&mut self, call: Call) {
        *self = Self {
            call: Some(call),
            ..Self::default()
        };
    }

    /// A resource was changed: its digests before and after, none where it was or is not there.
    pub fn touch(&mut self, resource: String, before: Option<Digest>, after: Option<Digest>) {
        self.touched.push(Touched {
            resource,
            before,
            after,
        });
    }

    /// The record of the call; none where no call was begun.
    pub fn record(&self) -> Option<Record> {
        let mut record = self.call.as_ref()?.record(Outcome::Done);
        let touched = self.touched.iter();
        fill(
            &mut record,
            touched.map(|touched| {
                (
                    touched.resource.as_str(),
                    touched.before.as_ref(),
                    touched.after.as_ref(),
                )
            }),
        );
        Some(record)
    }

    /// Its record is written.
    pub fn recorded(&mut self) {
        self.recorded = true;
    }

    /// Whether its record is written.
    pub const fn is_recorded(&self) -> bool {
        self.recorded
    }
}

/// A resource's name, and its digests before and after.
pub(in crate::app) type Difference<'a> = (&'a str, Option<&'a Digest>, Option<&'a Digest>);

/// Says in a record which resources it is about.
pub(in crate::app) fn of_resources<'a>(record: &mut Record, differences: &[Difference<'a>]) {
    fill(record, differences.iter().copied());
}

fn fill<'a>(record: &mut Record, differences: impl Iterator<Item = Difference<'a>> + Clone) {
    let text = |digest: Option<&Digest>| digest.map_or_else(String::new, ToString::to_string);
    let mut all = differences.clone();
    record.count = differences.clone().count() as u64;
    match (all.next(), all.next()) {
        (None, _) => {}
        (Some((resource, before, after)), None) => {
            resource.clone_into(&mut record.resource);
            (record.before, record.after) = (text(before), text(after));
        }
        (Some((first, ..)), Some(_)) => {
            let (mut before, mut after) = (
                DigestBuilder::new("incentivefund.v1.AuditBefore"),
                DigestBuilder::new("incentivefund.v1.AuditAfter"),
            );
            let mut common = collection(first);
            for (resource, was, is) in differences {
                common = shared(common, resource);
                before.field(resource).field(was.map_or("", Digest::as_str));
                after.field(resource).field(is.map_or("", Digest::as_str));
            }
            common.clone_into(&mut record.resource);
            record.before = before.finish().to_string();
            record.after = after.finish().to_string();
        }
    }
}

/// `funds/f/claims` of `funds/f/claims/12`.
fn collection(resource: &str) -> &str {
    resource
        .rsplit_once('/')
        .map_or(resource, |(collection, _)| collection)
}

/// The segments that two names begin with: `programmes` of `programmes/a/revisions` and `programmes/b/revisions/1`.
fn shared<'a>(name: &'a str, other: &str) -> &'a str {
    let segments = name.split('/').zip(other.split('/'));
    let same = segments.take_while(|(one, another)| one == another);
    let end: usize = same.map(|(segment, _)| segment.len() + 1).sum();
    name.get(..end.saturating_sub(1)).unwrap_or_default()
}

/// Digest of a resource as it is stored: over its JSON, in which claims leave out who they are for.
pub(in crate::app) fn digest_of<T: Serialize>(resource: &T) -> Result<Digest, Error> {
    if is_left_out() {
        return Ok(Digest::of(&[]));
    }
    let bytes = serde_json::to_vec(resource).map_err(Error::internal)?;
    Ok(Digest::of(&bytes))
}

/// What a record says of lines of a fund's history; none where there are none.
pub(in crate::app) fn changes_of(changes: &[Change]) -> Option<Changes> {
    let (first, last) = (changes.first()?.number, changes.last()?.number);
    let mut digest = DigestBuilder::new("incentivefund.v1.AuditChanges");
    for change in changes {
        digest
            .field(&change.number.to_string())
            .field(&change.signed.at.to_string())
            .field(change.signed.by.as_str())
            .field(&change.kind)
            .field(change.region.as_ref().map_or("", RegionCode::as_str))
            .field(&change.resource)
            .field(&change.state)
            .field(&change.amount.fen().to_string())
            .field(&change.note);
    }
    Some(Changes {
        first,
        last,
        digest: digest.finish(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_first_segments_in_common() {
        for (name, other, common) in [
            ("funds/f/claims", "funds/f/claims/12", "funds/f/claims"),
            ("programmes/a/revisions", "programmes/b/revisions/1", "programmes"),
            ("programmes/a", "programmes/ab", "programmes"),
            ("regions", "programmes/a", ""),
            ("", "programmes/a", ""),
        ] {
            assert_eq!(shared(name, other), common, "{name} {other}");
        }
    }
}
