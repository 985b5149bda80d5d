//! Which line undoes which.

use super::{PaymentFacts, SeenLine};

/// What has become of a line so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Standing,
    /// Undone by, or undoing, the line at this place; the payment by another rule has none.
    Paired(Option<usize>),
}

/// Finds what undoes what.
pub(super) fn pair(payment: &PaymentFacts, lines: &[SeenLine], reversals: bool) -> Vec<Fate> {
    let mut fates = vec![Fate::Standing; lines.len()];
    if !reversals {
        return fates;
    }
    let mut other_stands = payment.paid_by_other.is_some();
    for (at, line) in lines.iter().enumerate() {
        let before = |fates: &[Fate], wanted: &dyn Fn(&SeenLine, Fate) -> bool| {
            (0..at).rev().find(|&place| {
                let fate = fates.get(place).copied().unwrap_or(Fate::Standing);
                lines
                    .get(place)
                    .is_some_and(|earlier| earlier.amount == -line.amount && wanted(earlier, fate))
            })
        };
        let set = |fates: &mut Vec<Fate>, place: usize, fate: Fate| {
            if let Some(slot) = fates.get_mut(place) {
                *slot = fate;
            }
        };
        if line.amount > 0 {
            if let Some(debit) = before(&fates, &|_, fate| fate == Fate::Standing) {
                set(&mut fates, debit, Fate::Paired(Some(at)));
                set(&mut fates, at, Fate::Paired(Some(debit)));
            } else if other_stands && line.amount == payment.amount {
                other_stands = false;
                set(&mut fates, at, Fate::Paired(None));
            }
        } else if line.reversal {
            let standing = before(&fates, &|_, fate| fate == Fate::Standing);
            let credit = standing.or_else(|| before(&fates, &|_, fate| fate != Fate::Standing));
            let Some(credit) = credit else { continue };
            match fates.get(credit).copied() {
                Some(Fate::Paired(Some(debit))) => set(&mut fates, debit, Fate::Standing),
                Some(Fate::Paired(None)) => other_stands = true,
                _ => {}
            }
            set(&mut fates, credit, Fate::Paired(Some(at)));
            set(&mut fates, at, Fate::Paired(Some(credit)));
        }
    }
    fates
}
