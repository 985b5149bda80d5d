//! Grids: every point computed, told as it comes, none kept.

use super::document::SweepText;
use super::event::{Answered, AxisHead, Event, Head, Points, RegionSweep, SweepEnd};
use super::workers::Ended;
use super::{Setup, Tell, reading, tell};
use crate::domain::digest::DigestBuilder;
use crate::domain::error::{Bilingual, Error, Faults};
use crate::domain::money::Money;
use crate::domain::simulation::{Plan, Sweep};

/// Amounts in one piece: a few milliseconds of work, and a message of some ten thousand bytes.
const PIECE: usize = 4_096;

/// Points in one piece.
pub(super) fn piece_of(regions: usize) -> u64 {
    (PIECE / regions.max(1)).clamp(1, 512) as u64
}

/// Reads a grid and counts its points, before anything is computed.
pub(super) fn grid(asked: &SweepText, limit: u64) -> Result<(Sweep, u64), Error> {
    let mut faults = Faults::default();
    let base_changes = reading::changes("changes", &asked.changes).map_err(|found| faults.extend(found));
    let mut axes = Vec::with_capacity(asked.axes.len());
    for (at, axis) in asked.axes.iter().enumerate() {
        axes.extend(faults.keep(reading::axis(&format!("axes[{at}]"), axis)));
    }
    faults.finish()?;
    let sweep = Sweep {
        base_changes: base_changes.unwrap_or_default(),
        axes,
    };
    let points = sweep.points(limit)?;
    Ok((sweep, points))
}

impl Setup {
    pub(super) fn sweep(&self, asked: &SweepText, to: Tell<'_>) -> Result<Answered, Ended> {
        let (sweep, points) = grid(asked, self.max_points)?;
        let plan = Plan::new(self.base(), sweep.base_changes.clone(), sweep.knobs()).map_err(Error::from)?;
        let head = self.head()?;
        let words = self.words();
        let axes = sweep.axes.iter().map(|axis| AxisHead {
            name: words.knob(&axis.target),
            values: axis
                .values
                .count()
                .and_then(|count| u64::try_from(count).ok())
                .unwrap_or(0),
        });
        let begins = Event::SweepBegins(Box::new(head.clone()), axes.collect(), points);
        tell(to, begins)?;
        let mut fold = Fold::new(&head);
        let size = piece_of(head.regions.len());
        let regions = head.regions.len();
        let worker = || {
            let mut evaluator = plan.evaluator();
            let mut settings = Vec::new();
            let sweep = &sweep;
            let cancel = &self.cancel;
            move |piece: u64| {
                let first = piece * size;
                let mut computed = Points {
                    first,
                    ..Points::default()
                };
                for point in first..(first + size).min(points) {
                    if cancel.is_cancelled() || !sweep.point(point, &mut settings) {
                        return None;
                    }
                    computed.count += 1;
                    let coordinates = settings.iter().map(|(_, value)| value.to_string());
                    computed.coordinates.extend(coordinates);
                    match evaluator.amounts(&settings) {
                        Ok(amounts) => computed.amounts.extend_from_slice(amounts),
                        Err(refusal) => {
                            let nothing = std::iter::repeat_n(-1, regions);
                            computed.amounts.extend(nothing);
                            computed.refused.push((point, refusal));
                        }
                    }
                }
                Some(computed)
            }
        };
        self.workers
            .in_order(points.div_ceil(size), &self.cancel, worker, |computed: Points| {
                fold.add(&computed);
                tell(to, Event::Points(computed))
            })?;
        let end = fold.end(&head, points);
        let answered = Answered {
            provenance: head.provenance,
            evaluations: points,
            result_digest: end.result_digest.clone(),
            summary: Bilingual::new(
                format!("{points} points, {} refused", end.refused),
                format!("共 {points} 个测算点,其中 {} 个不可行", end.refused),
            ),
        };
        tell(to, Event::SweepEnds(Box::new(end)))?;
        Ok(answered)
    }
}

/// What remains of the points.
struct Fold {
    base: Vec<i64>,
    least: Vec<Option<(i64, u64)>>,
    largest: Vec<Option<(i64, u64)>>,
    below: Vec<u64>,
    refused: u64,
    digest: DigestBuilder,
    bytes: Vec<u8>,
}

impl Fold {
    fn new(head: &Head) -> Self {
        let regions = head.regions.len();
        Self {
            base: head.regions.iter().map(|region| region.base.fen()).collect(),
            least: vec![None; regions],
            largest: vec![None; regions],
            below: vec![0; regions],
            refused: 0,
            digest: DigestBuilder::new("incentivefund.v1.Sweep"),
            bytes: Vec::new(),
        }
    }

    fn add(&mut self, points: &Points) {
        let regions = self.base.len();
        for (point, amounts) in (points.first..).zip(points.amounts.chunks(regions)) {
            // One record a point, so that the digest does not depend on how points were gathered into pieces.
            self.bytes.clear();
            for amount in amounts {
                self.bytes.extend_from_slice(&amount.to_be_bytes());
            }
            self.digest.bytes(&self.bytes);
            if amounts.first().is_some_and(|amount| *amount < 0) {
                self.refused += 1;
                continue;
            }
            for (row, amount) in amounts.iter().enumerate() {
                if self.least[row].is_none_or(|(least, _)| *amount < least) {
                    self.least[row] = Some((*amount, point));
                }
                if self.largest[row].is_none_or(|(largest, _)| *amount > largest) {
                    self.largest[row] = Some((*amount, point));
                }
                self.below[row] += u64::from(*amount < self.base[row]);
            }
        }
    }

    fn end(self, head: &Head, points: u64) -> SweepEnd {
        let money = |found: Option<(i64, u64)>| {
            found.map(|(fen, point)| (Money::from_fen(fen).unwrap_or_default(), point))
        };
        let regions = head.regions.iter().enumerate().map(|(row, region)| RegionSweep {
            region: region.region.clone(),
            least: money(self.least[row]),
            largest: money(self.largest[row]),
            below_base: self.below[row],
        });
        SweepEnd {
            points,
            refused: self.refused,
            regions: regions.collect(),
            result_digest: self.digest.finish(),
        }
    }
}
