//! The content of a batch, as it goes into files: checked once, counted and summed up in one place.

use super::account::{Creditor, Debtor};
use super::reference::Reference;
use super::text::{self, MAX_NAME};
use crate::domain::error::{Faults, Violation};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use std::collections::HashMap;
use std::fmt;
use time::{Date, OffsetDateTime};

/// Longest remittance text, in characters: with a space and a reference it fits `Max140Text`.
const MAX_REMITTANCE: usize = 114;
/// Longest identification of a batch: with the two characters of a block it fits `Max35Text`.
const MAX_BATCH_ID: usize = 33;

/// The identification of a batch: 1 to 33 letters, digits and hyphens, such as a UUID without hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BatchId(String);

impl BatchId {
    /// Reads an identification.
    pub fn parse(field: impl Into<String>, text: &str) -> Result<Self, Violation> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if (1..=MAX_BATCH_ID).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(Violation::new(
            field,
            text,
            format!("1 to {MAX_BATCH_ID} letters A-Z, a-z, digits and hyphens"),
            format!("1 至 {MAX_BATCH_ID} 位字母、数字或连字符"),
        ))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identification of a payer's block.
    pub fn block(&self, payer: Payer) -> String {
        let suffix = match payer {
            Payer::City => "-1",
            Payer::County => "-2",
        };
        format!("{}{suffix}", self.0)
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is said of a batch as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its identification.
    pub id: BatchId,
    /// When it was made, in microseconds since 1970-01-01 UTC.
    pub created_at: i64,
    /// The day on which the bank is to pay.
    pub requested_on: Date,
    /// The authority that orders the payments.
    pub initiator: String,
    /// The fund's name.
    pub fund: String,
    /// The programme's name.
    pub programme: String,
}

/// One payment to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// What comes back on the statement.
    pub reference: Reference,
    /// How much.
    pub amount: Money,
    /// To whom.
    pub creditor: Creditor,
    /// What the payee reads, beside the reference.
    pub remittance: String,
}

/// The payments from one payer's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Whose account.
    pub payer: Payer,
    /// The account.
    pub debtor: Debtor,
    /// The payments.
    pub instructions: Vec<Instruction>,
}

/// How many payments, and their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: Money,
}

impl Totals {
    /// Counts and adds up amounts; `None` where the sum leaves the limits of [`Money`].
    pub fn of(amounts: impl IntoIterator<Item = Money>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::default(), |so_far, amount| {
            Some(Self {
                count: so_far.count + 1,
                sum: so_far.sum.checked_add(amount)?,
            })
        })
    }

    fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            count: self.count + other.count,
            sum: self.sum.checked_add(other.sum)?,
        })
    }
}

/// A batch that every format can carry: no block or reference twice, no amount of nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    header: Header,
    created_at: OffsetDateTime,
    blocks: Vec<(Block, Totals)>,
    totals: Totals,
}

impl Batch {
    /// Checks a batch; every fault is reported by block and reference, without personal data.
    pub fn new(header: Header, mut blocks: Vec<Block>) -> Result<Self, Vec<Violation>> {
        let mut faults = Faults::default();
        for (field, text) in [
            ("initiator", &header.initiator),
            ("fund", &header.fund),
            ("programme", &header.programme),
        ] {
            faults.keep(text::check(field, text, MAX_NAME));
        }
        let created_at = faults
            .keep(moment(header.created_at))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        if !(1900..=9999).contains(&header.requested_on.year()) {
            faults.add(|| {
                Violation::new(
                    "requested_on",
                    header.requested_on.to_string(),
                    "a date from 1900 to 9999",
                    "1900 年至 9999 年之间的日期",
                )
            });
        }
        blocks.sort_by_key(|block| block.payer);
        if blocks.is_empty() {
            faults.add(|| Violation::new("blocks", "", "at least one block", "至少一个付款方"));
        }
        for pair in blocks.windows(2) {
            if pair[0].payer == pair[1].payer {
                faults.add(|| {
                    Violation::new(
                        "blocks",
                        format!("{} again", pair[0].payer.code()),
                        "one block for each payer",
                        "每个付款方只能有一组",
                    )
                });
            }
        }
        let mut seen: HashMap<&Reference, Payer> = HashMap::new();
        for block in &blocks {
            check_block(block, &mut seen, &mut faults);
        }

        let totals: Vec<Option<Totals>> = blocks
            .iter()
            .map(|block| Totals::of(block.instructions.iter().map(|each| each.amount)))
            .collect();
        let sum = totals
            .iter()
            .try_fold(Totals::default(), |sum, block| sum.plus((*block)?));
        if sum.is_none() {
            faults.add(|| {
                Violation::new(
                    "blocks",
                    "a larger sum",
                    format!("a sum of at most {}", Money::MAX),
                    format!("合计不超过 {}", Money::MAX),
                )
            });
        }
        faults.finish()?;
        Ok(Self {
            header,
            created_at,
            blocks: blocks.into_iter().zip(totals.into_iter().flatten()).collect(),
            totals: sum.unwrap_or_default(),
        })
    }

    /// What is said of the batch as a whole.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// When it was made.
    pub fn created_at(&self) -> OffsetDateTime {
        self.created_at
    }

    /// The blocks with their totals, the city's first.
    pub fn blocks(&self) -> impl Iterator<Item = (&Block, Totals)> {
        self.blocks.iter().map(|(block, totals)| (block, *totals))
    }

    /// A payer's block with its totals.
    pub fn block(&self, payer: Payer) -> Option<(&Block, Totals)> {
        self.blocks().find(|(block, _)| block.payer == payer)
    }

    /// The totals of all blocks.
    pub fn totals(&self) -> Totals {
        self.totals
    }
}

fn check_block<'b>(block: &'b Block, seen: &mut HashMap<&'b Reference, Payer>, faults: &mut Faults) {
    let payer = block.payer;
    if block.instructions.is_empty() {
        faults.add(|| {
            Violation::new(
                format!("blocks[{payer}].instructions"),
                "",
                "at least one payment",
                "至少一笔付款",
            )
        });
    }
    for instruction in &block.instructions {
        let reference = &instruction.reference;
        let field = |name: &str| format!("blocks[{payer}].instructions[{reference}].{name}");
        if let Some(first) = seen.insert(reference, payer) {
            faults.add(|| {
                Violation::new(
                    field("reference"),
                    format!("{reference} again"),
                    format!(
                        "each reference once; it is in the block of {} already",
                        first.code()
                    ),
                    format!("参考号不得重复,在{}的付款中已有", first.zh()),
                )
            });
        }
        if instruction.amount <= Money::ZERO {
            faults.add(|| {
                Violation::new(
                    field("amount"),
                    instruction.amount.to_string(),
                    "an amount above zero",
                    "大于零的金额",
                )
            });
        }
        faults.keep(text::check(
            field("remittance"),
            &instruction.remittance,
            MAX_REMITTANCE,
        ));
    }
}

fn moment(micros: i64) -> Result<OffsetDateTime, Violation> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .ok()
        .filter(|time| (1900..9999).contains(&time.year()))
        .ok_or_else(|| {
            Violation::new(
                "created_at",
                micros.to_string(),
                "microseconds since 1970-01-01 UTC, between the years 1900 and 9999",
                "自 1970-01-01 UTC 起的微秒数,在 1900 年至 9999 年之间",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payment::Origin;
    use time::Month;

    fn header() -> Header {
        Header {
            id: BatchId::parse("id", "01890a5d").unwrap(),
            created_at: 1_735_689_600_000_000,
            requested_on: Date::from_calendar_date(2025, Month::March, 3).unwrap(),
            initiator: "许昌市财政局".to_owned(),
            fund: "2025 年市民化奖补资金".to_owned(),
            programme: "购房补贴".to_owned(),
        }
    }

    fn instruction(claim: u64, payer: Payer, fen: i64) -> Instruction {
        Instruction {
            reference: Reference::of(Origin {
                claim,
                payer,
                attempt: 1,
            })
            .unwrap(),
            amount: Money::from_fen(fen).unwrap(),
            creditor: Creditor::parse("creditor", "张三", "6222021234567890", "中原银行", "313491099996")
                .unwrap(),
            remittance: "购房补贴".to_owned(),
        }
    }

    fn block(payer: Payer, instructions: Vec<Instruction>) -> Block {
        Block {
            payer,
            debtor: Debtor::parse("debtor", "许昌市财政局", "4110001234567890", "313491099996").unwrap(),
            instructions,
        }
    }

    #[test]
    fn counts_and_adds_up() {
        let batch = Batch::new(
            header(),
            vec![
                block(Payer::County, vec![instruction(1, Payer::County, 5)]),
                block(
                    Payer::City,
                    vec![
                        instruction(1, Payer::City, 1_000_001),
                        instruction(2, Payer::City, 99),
                    ],
                ),
            ],
        )
        .unwrap();
        let payers: Vec<Payer> = batch.blocks().map(|(block, _)| block.payer).collect();
        assert_eq!(payers, [Payer::City, Payer::County]);
        let (_, city) = batch.block(Payer::City).unwrap();
        assert_eq!((city.count, city.sum.fen()), (2, 1_000_100));
        assert_eq!((batch.totals().count, batch.totals().sum.fen()), (3, 1_000_105));
    }

    #[test]
    fn reports_every_fault() {
        let mut twice = instruction(1, Payer::City, 0);
        twice.remittance = "补贴\u{1}".to_owned();
        let faults = Batch::new(
            Header {
                created_at: i64::MAX,
                fund: String::new(),
                ..header()
            },
            vec![
                block(Payer::City, vec![instruction(1, Payer::City, 1), twice]),
                block(Payer::City, Vec::new()),
            ],
        )
        .unwrap_err();
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        let reference = instruction(1, Payer::City, 1).reference;
        let path = |name: &str| format!("blocks[city].instructions[{reference}].{name}");
        assert_eq!(
            fields,
            [
                "fund",
                "created_at",
                "blocks",
                &path("reference"),
                &path("amount"),
                &path("remittance"),
                "blocks[city].instructions",
            ]
        );
        assert_eq!(Batch::new(header(), Vec::new()).unwrap_err()[0].field, "blocks");
    }

    #[test]
    fn refuses_a_sum_beyond_the_limits() {
        let most = Money::MAX.fen();
        let blocks = vec![
            block(Payer::City, vec![instruction(1, Payer::City, most)]),
            block(Payer::County, vec![instruction(1, Payer::County, 1)]),
        ];
        assert_eq!(Batch::new(header(), blocks).unwrap_err()[0].found, "a larger sum");
    }

    #[test]
    fn identifies_blocks_within_what_formats_allow() {
        let id = BatchId::parse("id", &"x".repeat(33)).unwrap();
        assert!(id.block(Payer::County).len() <= 35);
        assert_ne!(id.block(Payer::City), id.block(Payer::County));
        for text in ["", "a b", "批次", &"x".repeat(34)] {
            assert!(BatchId::parse("id", text).is_err());
        }
    }
}
