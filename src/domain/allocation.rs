//! Allocation runs: what was computed from what, by whom, and what became of it.

use super::apportion::Method;
use super::digest::{Digest, DigestBuilder};
use super::error::{Bilingual, Error, Violation};
use super::exact::Fraction;
use super::formula::bounds::Placement;
use super::formula::contributions::contributions;
use super::formula::evaluate::Evaluation;
use super::identity::Principal;
use super::money::{Money, RoundingUnit};
use super::region::RegionCode;
use super::statistics::{DataSetId, code_type};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::fmt;

code_type!(
    /// The id of a fund: the money of one year and source, such as `citizenization-2025`.
    FundId,
    |byte| byte.is_ascii_lowercase(),
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-',
    "1 to 63 characters a-z, 0-9 and hyphen, beginning with a letter",
    "1 至 63 个字符,仅限 a-z、0-9 和连字符,以字母开头"
);
code_type!(
    /// The id of a run: a UUID in lower case.
    RunId,
    |byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    |byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) || byte == b'-',
    "the id of an allocation, a UUID in lower case",
    "分配方案编号(小写 UUID)"
);

impl RunId {
    /// The resource name, `allocations/{id}`.
    pub fn resource_name(&self) -> String {
        format!("allocations/{self}")
    }
}

/// What part of the year's money a run allocates.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Stage {
    /// The whole pool, once.
    Full,
    /// A percentage of the pool ahead of time (提前下达), on estimated statistics.
    Advance {
        /// The percentage, above 0, up to 100.
        percent: Decimal,
    },
    /// The whole pool on final statistics (清算); each region gets the difference to its advance, which may be negative.
    Settlement {
        /// The issued advance that is settled.
        advance: RunId,
    },
}

impl Stage {
    /// The code used in the API and in tables.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Advance { .. } => "advance",
            Self::Settlement { .. } => "settlement",
        }
    }

    /// The Chinese name.
    pub const fn zh(&self) -> &'static str {
        match self {
            Self::Full => "全额分配",
            Self::Advance { .. } => "提前下达",
            Self::Settlement { .. } => "清算",
        }
    }

    /// The percentage of an advance.
    pub const fn advance_percent(&self) -> Option<Decimal> {
        match self {
            Self::Advance { percent } => Some(*percent),
            _ => None,
        }
    }
}

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Computed, open for review.
    Draft,
    /// Approved by someone other than its creator.
    Approved,
    /// Released as quota (下达).
    Issued,
    /// Replaced or withdrawn.
    Superseded,
}

/// What can be done to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Approve it.
    Approve,
    /// Release it.
    Issue,
    /// Replace or withdraw it.
    Supersede,
}

impl State {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Approved, Self::Issued, Self::Superseded];

    /// The code used in the API, in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Approved => "approved",
            Self::Issued => "issued",
            Self::Superseded => "superseded",
        }
    }

    /// The Chinese name.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Draft => "草案",
            Self::Approved => "已批准",
            Self::Issued => "已下达",
            Self::Superseded => "已废止",
        }
    }

    /// Reads a code.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        Self::ALL
            .into_iter()
            .find(|state| state.code() == text)
            .ok_or_else(|| {
                let codes = Self::ALL.map(Self::code).join(", ");
                Violation::new(
                    field,
                    text,
                    format!("one of {codes}"),
                    format!("下列之一:{codes}"),
                )
            })
    }

    /// The one transition function: the state after an action, or `None` where it is not allowed.
    pub const fn after(self, action: Action) -> Option<Self> {
        match (self, action) {
            (Self::Draft, Action::Approve) => Some(Self::Approved),
            (Self::Approved, Action::Issue) => Some(Self::Issued),
            (Self::Draft | Self::Approved | Self::Issued, Action::Supersede) => Some(Self::Superseded),
            _ => None,
        }
    }
}

impl Action {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Approve => ("approved", "批准"),
            Self::Issue => ("issued", "下达"),
            Self::Supersede => ("superseded", "废止"),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One action on a run: who and when (microseconds since 1970-01-01 UTC).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Signature {
    /// Who acted.
    pub by: Principal,
    /// When.
    pub at: i64,
}

/// The formula revision that a run used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FormulaRef {
    /// Its id.
    pub id: String,
    /// Its revision; 0 where the formula was given with the request and not stored.
    pub revision: u32,
    /// Its digest.
    pub digest: Digest,
}

/// The data set revision that a run used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DataRef {
    /// Its id.
    pub id: DataSetId,
    /// Its revision; 0 where the data were given with the request and not stored.
    pub revision: u32,
    /// Its digest.
    pub digest: Digest,
}

/// What a run computes from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RunInputs {
    /// The fund.
    pub fund: FundId,
    /// What part of its money.
    pub stage: Stage,
    /// The pool.
    pub pool: Money,
    /// The base year of the statistics.
    pub year: i32,
    /// The formula.
    pub formula: FormulaRef,
    /// The data.
    pub data: DataRef,
    /// The regions, in code order.
    pub regions: Vec<RegionCode>,
}

impl RunInputs {
    /// The digest of all inputs: the same digest means the same amounts.
    pub fn digest(&self) -> Digest {
        let mut digest = DigestBuilder::new("incentivefund.v1.AllocationInputs");
        digest.field(self.fund.as_str()).field(self.stage.code());
        match &self.stage {
            Stage::Full => {}
            Stage::Advance { percent } => {
                digest.field(&percent.normalize().to_string());
            }
            Stage::Settlement { advance } => {
                digest.field(advance.as_str());
            }
        }
        digest.field(&self.pool.to_string()).field(&self.year.to_string());
        digest
            .field(self.formula.digest.as_str())
            .field(self.data.digest.as_str());
        for region in &self.regions {
            digest.field(region.as_str());
        }
        digest.finish()
    }
}

/// A component or set-aside with its money, as results show it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NamedAmount {
    /// Id in the formula.
    pub id: String,
    /// Names.
    pub name: Bilingual,
    /// The money.
    pub amount: Money,
}

/// One region's part of a run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Line {
    /// The region.
    pub region: RegionCode,
    /// Chinese name at the time of the run.
    pub name_zh: String,
    /// English name at the time of the run.
    pub name_en: String,
    /// Whole-unit parts by component before bounds, in the formula's order; they add up by region and by component.
    pub components: Vec<Money>,
    /// What bounds added or took: `amount` less the sum of `components`.
    pub bounds_adjustment: Money,
    /// `free`, `floor` or `cap`.
    pub placement: String,
    /// Units above the floor of the exact quota.
    pub residual_units: i64,
    /// The region's amount.
    pub amount: Money,
    /// In a settlement, what the advance gave; else zero.
    pub advanced: Money,
}

impl Line {
    /// What is to be paid now: the amount less what was advanced; in a settlement it may be negative.
    pub fn payable(&self) -> Money {
        self.amount.checked_sub(self.advanced).unwrap_or_default()
    }
}

/// What a run computed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// The part of the pool allocated now.
    pub allocated_now: Money,
    /// Set-asides.
    pub set_asides: Vec<NamedAmount>,
    /// Part of the pool below one rounding unit that stays with the fund.
    pub tail: Money,
    /// What the components divided.
    pub distributable: Money,
    /// What `rate` components did not need and the formula keeps.
    pub kept: Money,
    /// Components; the amount is the sum of their column.
    pub components: Vec<NamedAmount>,
    /// Rounding unit.
    pub unit: RoundingUnit,
    /// Method.
    pub method: Method,
    /// What in the formula is illustrative; empty where nothing is.
    pub illustrative: String,
    /// In a settlement, the sum of what the advance gave; else zero.
    pub advanced_total: Money,
    /// One line for each region, in code order.
    pub lines: Vec<Line>,
}

impl Outcome {
    /// What an evaluation gives; `advanced` holds what an advance gave, for a settlement.
    ///
    /// A region that took part in the advance but not in the settlement gets a line with nothing, so
    /// that what it was advanced is claimed back.
    pub fn new(evaluation: &Evaluation<'_>, advanced: Option<&Self>) -> Self {
        let formula = evaluation.formula;
        let mut before: BTreeMap<&RegionCode, &Line> = advanced
            .into_iter()
            .flat_map(|outcome| &outcome.lines)
            .map(|line| (&line.region, line))
            .collect();
        let mut contributions = contributions(evaluation);
        let mut lines: Vec<Line> = (evaluation.inputs.regions.iter().enumerate())
            .map(|(row, region)| {
                let components = std::mem::take(&mut contributions[row]);
                let amount = evaluation.results[row];
                let placement = match evaluation.bounds.placements[row] {
                    Placement::Floor if evaluation.bounds.limits[row].low > 0 => "floor",
                    Placement::Cap => "cap",
                    _ => "free",
                };
                Line {
                    region: region.code.clone(),
                    name_zh: region.name_zh.clone(),
                    name_en: region.name_en.clone(),
                    bounds_adjustment: amount
                        .checked_sub(components.iter().copied().sum())
                        .unwrap_or_default(),
                    components,
                    placement: placement.to_owned(),
                    residual_units: evaluation.residual[row],
                    amount,
                    advanced: before
                        .remove(&region.code)
                        .map(|line| line.amount)
                        .unwrap_or_default(),
                }
            })
            .collect();
        lines.extend(before.into_values().map(|line| Line {
            components: vec![Money::ZERO; formula.components.len()],
            bounds_adjustment: Money::ZERO,
            placement: "free".to_owned(),
            residual_units: 0,
            amount: Money::ZERO,
            advanced: line.amount,
            ..line.clone()
        }));
        lines.sort_by(|a, b| a.region.cmp(&b.region));
        let column = |at: usize| lines.iter().map(|line| line.components[at]).sum();
        let named = |label: &super::formula::check::Label, amount| NamedAmount {
            id: label.id.clone(),
            name: Bilingual::new(&label.en, &label.zh),
            amount,
        };
        Self {
            allocated_now: evaluation.allocated_now,
            set_asides: (formula.set_asides.iter().zip(&evaluation.set_asides))
                .map(|(set_aside, amount)| named(&set_aside.label, *amount))
                .collect(),
            tail: evaluation.tail,
            distributable: evaluation.distributable,
            kept: evaluation.kept,
            components: (formula.components.iter().enumerate())
                .map(|(at, c)| named(&c.label, column(at)))
                .collect(),
            unit: formula.unit,
            method: formula.method,
            illustrative: formula.document.legal_basis.illustrative.clone(),
            advanced_total: lines.iter().map(|line| line.advanced).sum(),
            lines,
        }
    }

    /// The sum of all regions' amounts: what was distributable and not kept. Needs no lines.
    pub fn total(&self) -> Money {
        self.distributable.checked_sub(self.kept).unwrap_or_default()
    }

    /// The sum of what is payable now. Needs no lines.
    pub fn payable_total(&self) -> Money {
        self.total().checked_sub(self.advanced_total).unwrap_or_default()
    }
}

/// A run as stored.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// A title for people; may be empty.
    pub title: String,
    /// What it computed from.
    pub inputs: RunInputs,
    /// Digest of the inputs.
    pub input_digest: Digest,
    /// Where it is in its life.
    pub state: State,
    /// Counts changes of state; gives the etag.
    pub version: u32,
    /// Who created it.
    pub created: Signature,
    /// Who approved it.
    pub approved: Option<Signature>,
    /// Who issued it.
    pub issued: Option<Signature>,
    /// Who superseded it.
    pub superseded: Option<Signature>,
    /// The run that took its place.
    pub replacement: Option<RunId>,
    /// What it computed.
    pub outcome: Outcome,
}

impl Run {
    /// Changes whenever the run does.
    pub fn etag(&self) -> String {
        let mut digest = DigestBuilder::new("incentivefund.v1.AllocationEtag");
        digest.field(self.id.as_str()).field(&self.version.to_string());
        digest.finish().short().to_owned()
    }

    /// Refuses an etag that is given and is not the current one.
    pub fn check_etag(&self, given: &str) -> Result<(), Error> {
        if given.is_empty() || given == self.etag() {
            return Ok(());
        }
        Err(Error::EtagMismatch {
            name: self.id.resource_name(),
            given: given.to_owned(),
            current: self.etag(),
        })
    }

    /// Approves the run.
    pub fn approve(&mut self, signature: Signature) -> Result<(), Error> {
        let next = self.next(Action::Approve)?;
        if signature.by == self.created.by {
            return Err(Error::Forbidden {
                reason: "APPROVER_IS_CREATOR",
                message: Bilingual::new(
                    format!(
                        "{} created {} and may not approve it: another person must",
                        signature.by,
                        self.id.resource_name()
                    ),
                    format!(
                        "{} 是 {} 的编制人,不得自行批准,须由他人批准",
                        signature.by,
                        self.id.resource_name()
                    ),
                ),
            });
        }
        self.approved = Some(signature);
        self.enter(next);
        Ok(())
    }

    /// Releases the run as quota.
    pub fn issue(&mut self, signature: Signature) -> Result<(), Error> {
        let next = self.next(Action::Issue)?;
        self.issued = Some(signature);
        self.enter(next);
        Ok(())
    }

    /// Withdraws the run, or lets `replacement` take its place.
    ///
    /// An issued run is replaced only by an approved one of the same fund and stage, which is issued by this.
    pub fn supersede(&mut self, replacement: Option<&mut Self>, signature: Signature) -> Result<(), Error> {
        let next = self.next(Action::Supersede)?;
        match replacement {
            Some(replacement) => {
                if replacement.id == self.id
                    || replacement.inputs.fund != self.inputs.fund
                    || replacement.inputs.stage.code() != self.inputs.stage.code()
                {
                    return Err(Violation::new(
                        "replacement",
                        replacement.id.resource_name(),
                        format!(
                            "another allocation of fund {} and stage {}",
                            self.inputs.fund,
                            self.inputs.stage.code()
                        ),
                        format!(
                            "同一资金 {}、同一阶段({})的另一分配方案",
                            self.inputs.fund,
                            self.inputs.stage.zh()
                        ),
                    )
                    .into());
                }
                if self.state == State::Issued {
                    replacement.issue(signature.clone())?;
                }
                self.replacement = Some(replacement.id.clone());
            }
            None if self.state == State::Issued => {
                return Err(Violation::new(
                    "replacement",
                    "",
                    "an approved allocation that takes the place of the issued one",
                    "用以替换已下达方案的已批准方案",
                )
                .into());
            }
            None => {}
        }
        self.superseded = Some(signature);
        self.enter(next);
        Ok(())
    }

    fn next(&self, action: Action) -> Result<State, Error> {
        self.state.after(action).ok_or_else(|| {
            let (en, zh) = action.words();
            let from: Vec<State> = State::ALL
                .into_iter()
                .filter(|state| state.after(action).is_some())
                .collect();
            let codes = from
                .iter()
                .map(|state| state.code())
                .collect::<Vec<_>>()
                .join(" or ");
            let names = from.iter().map(|state| state.zh()).collect::<Vec<_>>().join("或");
            Error::State {
                name: self.id.resource_name(),
                reason: "ALLOCATION_STATE",
                message: Bilingual::new(
                    format!(
                        "{} is {} and cannot be {en}: only one that is {codes} can",
                        self.id.resource_name(),
                        self.state
                    ),
                    format!(
                        "{} 当前为“{}”,不能{zh};只有“{names}”的方案可以{zh}",
                        self.id.resource_name(),
                        self.state.zh()
                    ),
                ),
            }
        })
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.version += 1;
    }
}

/// One region in a comparison of two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The region.
    pub region: RegionCode,
    /// Its name.
    pub name_zh: String,
    /// Its English name.
    pub name_en: String,
    /// Amount in the first run; `None` where it took no part.
    pub before: Option<Money>,
    /// Amount in the second run.
    pub after: Option<Money>,
    /// The second less the first.
    pub change: Money,
    /// The change in percent of the first, to 2 decimals; empty where the first is zero.
    pub change_percent: String,
}

/// Compares two outcomes region by region, in code order.
pub fn compare(before: &Outcome, after: &Outcome) -> Vec<Difference> {
    let mut pairs: BTreeMap<&RegionCode, (Option<&Line>, Option<&Line>)> = BTreeMap::new();
    for line in &before.lines {
        pairs.entry(&line.region).or_default().0 = Some(line);
    }
    for line in &after.lines {
        pairs.entry(&line.region).or_default().1 = Some(line);
    }
    let difference = |(region, (before, after)): (&RegionCode, (Option<&Line>, Option<&Line>))| {
        let amount = |line: Option<&Line>| line.map(|line| line.amount);
        let (first, second) = (
            amount(before).unwrap_or_default(),
            amount(after).unwrap_or_default(),
        );
        let change = second.checked_sub(first).unwrap_or_default();
        let named = after.or(before);
        let percent = (first != Money::ZERO).then(|| {
            Fraction::new((i128::from(change.fen()) * 100).into(), first.fen().into()).to_decimal_text(2)
        });
        Difference {
            region: region.clone(),
            name_zh: named.map(|line| line.name_zh.clone()).unwrap_or_default(),
            name_en: named.map(|line| line.name_en.clone()).unwrap_or_default(),
            before: amount(before),
            after: amount(after),
            change,
            change_percent: percent.unwrap_or_default(),
        }
    };
    pairs.into_iter().map(difference).collect()
}
