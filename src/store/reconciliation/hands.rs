//! What people match by hand.

use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::reconciliation::{AccountId, Class, LineId, Rule};
use crate::domain::region::RegionCode;
use crate::store::Tx;
use crate::store::block::{Block, get, get_money, get_number, int, number, text};
use crate::store::convert::stored;
use std::collections::{HashMap, HashSet};

/// A line that somebody wants to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandLine {
    /// Which.
    pub id: LineId,
    /// The bank's day, `YYYY-MM-DD`.
    pub booked: String,
    /// Signed.
    pub amount: Money,
    /// Whether it is matched.
    pub matched: bool,
}

/// From which account a payment is made, and whether it is matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandPayment {
    /// Whose money.
    pub payer: Payer,
    /// The region.
    pub region: RegionCode,
    /// Whether a line pays it.
    pub matched: bool,
}

/// What a line is linked to a payment as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandLink<'l> {
    /// The line.
    pub line: LineId,
    /// The payment's reference.
    pub reference: &'l str,
    /// What that makes the line.
    pub class: Class,
}

impl Tx {
    /// Lines of an account, those that there are.
    pub async fn hand_lines(&self, account: &AccountId, lines: &[LineId]) -> Result<Vec<HandLine>, Error> {
        let mut wanted = Block::new(["account", "statement#", "line#"]);
        for line in lines {
            wanted.row([text(account.as_str()), number(line.statement), number(line.line)]);
        }
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT l.statement, l.line, l.booked, l.amount_fen, \
                     (SELECT COUNT(*) FROM bank_match m WHERE m.statement = l.statement AND m.line = l.line \
                     AND m.rule <> 'related') AS matches \
                     FROM {rows} AS r JOIN bank_statement s ON s.number = r.statement AND s.account = r.account \
                     AND s.state = 'ready' JOIN bank_line l ON l.statement = r.statement AND l.line = r.line"
                )
            })
            .await?;
        rows.iter()
            .map(|row| {
                Ok(HandLine {
                    id: LineId {
                        statement: get_number(row, "statement")?,
                        line: get_number(row, "line")?,
                    },
                    booked: get(row, "booked")?,
                    amount: get_money(row, "amount_fen")?,
                    matched: get_number(row, "matches")? > 0,
                })
            })
            .collect()
    }

    /// From which accounts payments are made, by reference.
    pub async fn hand_payments(&self, references: &[&str]) -> Result<HashMap<String, HandPayment>, Error> {
        let mut wanted = Block::new(["reference"]);
        for reference in references {
            wanted.row([text(*reference)]);
        }
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT p.reference, p.payer, c.region, \
                     (SELECT COUNT(*) FROM bank_match m WHERE m.reference = p.reference AND m.rule <> 'related' \
                     AND m.class <> 'reversed') AS matches \
                     FROM {rows} AS r JOIN payment p ON p.reference = r.reference \
                     JOIN claim c ON c.fund = p.fund AND c.number = p.claim"
                )
            })
            .await?;
        rows.iter()
            .map(|row| {
                let payment = HandPayment {
                    payer: stored(Payer::parse("payment.payer", &get::<String>(row, "payer")?))?,
                    region: stored(RegionCode::parse("claim.region", &get::<String>(row, "region")?))?,
                    matched: get_number(row, "matches")? > 0,
                };
                Ok((get(row, "reference")?, payment))
            })
            .collect()
    }

    /// Links lines to payments, by hand. What was only related before gives way.
    pub async fn link_by_hand(&self, links: &[HandLink<'_>]) -> Result<(), Error> {
        let mut pairs = Block::new(["statement#", "line#", "reference"]);
        let mut references: Vec<&str> = Vec::new();
        for link in links {
            pairs.row([
                number(link.line.statement),
                number(link.line.line),
                text(link.reference),
            ]);
            if !references.contains(&link.reference) {
                references.push(link.reference);
            }
        }
        self.execute_with(pairs, |rows| {
            format!(
                "DELETE FROM bank_match WHERE rule = 'related' AND EXISTS (SELECT 1 FROM {rows} AS r \
                 WHERE r.statement = bank_match.statement AND r.line = bank_match.line \
                 AND r.reference = bank_match.reference)"
            )
        })
        .await?;
        // Numbers from 0 on are those of lines that pay.
        let mut moved = Block::new(["reference"]);
        for reference in &references {
            moved.row([text(*reference)]);
        }
        self.execute_with(moved, |rows| {
            format!(
                "UPDATE bank_match AS m SET part = m.part + 1000000 FROM {rows} AS r \
                 WHERE m.reference = r.reference AND m.rule = 'related' AND m.part < 1000000"
            )
        })
        .await?;
        let mut taken = Block::new(["reference"]);
        for reference in &references {
            taken.row([text(*reference)]);
        }
        let rows = self
            .query_with(taken, |rows| {
                format!(
                    "SELECT m.reference, m.part FROM {rows} AS r JOIN bank_match m ON m.reference = r.reference"
                )
            })
            .await?;
        let mut parts: HashMap<String, HashSet<u64>> = HashMap::new();
        for row in &rows {
            let of = parts.entry(get(row, "reference")?).or_default();
            of.insert(get_number(row, "part")?);
        }
        let mut block = Block::new([
            "statement#",
            "line#",
            "reference",
            "part#",
            "class",
            "rule",
            "job#",
        ]);
        for link in links {
            let of = parts.entry(link.reference.to_owned()).or_default();
            // A credit that undoes a payment is none that pays it.
            let first = u64::from(link.class == Class::Reversed);
            let part = (first..).find(|part| !of.contains(part)).unwrap_or(u64::MAX);
            of.insert(part);
            block.row([
                number(link.line.statement),
                number(link.line.line),
                text(link.reference),
                number(part),
                text(link.class.code()),
                text(Rule::Hand.code()),
                number(0),
            ]);
        }
        self.insert_block("bank_match", block).await?;
        let mut open = Block::new(["statement#", "line#"]);
        for link in links {
            open.row([number(link.line.statement), number(link.line.line)]);
        }
        self.execute_with(open, |rows| {
            format!(
                "DELETE FROM bank_open_line WHERE EXISTS (SELECT 1 FROM {rows} AS r \
                 WHERE r.statement = bank_open_line.statement AND r.line = bank_open_line.line)"
            )
        })
        .await
        .map(drop)
    }

    /// Takes back what was linked by hand; the lines are open again.
    pub async fn unlink_by_hand(
        &self,
        account: &AccountId,
        lines: &[LineId],
        references: &[String],
    ) -> Result<(), Error> {
        let mut pairs = Block::new(["statement#", "line#", "reference"]);
        let mut open = Block::new(["account", "statement#", "line#"]);
        for line in lines {
            open.row([text(account.as_str()), number(line.statement), number(line.line)]);
            for reference in references {
                pairs.row([number(line.statement), number(line.line), text(reference)]);
            }
        }
        self.execute_with(pairs, |rows| {
            format!(
                "DELETE FROM bank_match WHERE rule = 'hand' AND EXISTS (SELECT 1 FROM {rows} AS r \
                 WHERE r.statement = bank_match.statement AND r.line = bank_match.line \
                 AND r.reference = bank_match.reference)"
            )
        })
        .await?;
        self.execute_with(open, |rows| {
            format!(
                "INSERT INTO bank_open_line (account, statement, line, reference) \
                 SELECT r.account, r.statement, r.line, l.reference FROM {rows} AS r \
                 JOIN bank_line l ON l.statement = r.statement AND l.line = r.line WHERE true \
                 ON CONFLICT DO NOTHING"
            )
        })
        .await
        .map(drop)
    }

    /// Notes that a line's money was posted as returned.
    pub async fn note_posting(
        &self,
        line: LineId,
        reference: &str,
        amount: Money,
        at: i64,
    ) -> Result<(), Error> {
        let mut block = Block::new([
            "statement#",
            "line#",
            "reference",
            "action",
            "amount_fen#",
            "job#",
            "done_at#",
            "refusal",
        ]);
        block.row([
            number(line.statement),
            number(line.line),
            text(reference),
            text("return"),
            int(amount.fen()),
            number(0),
            int(at),
            text(""),
        ]);
        self.insert_block("bank_posting", block).await
    }

    /// The entries that breaks of an account name as theirs, which nobody may name twice.
    pub async fn entry_is_taken(&self, entry: &str) -> Result<bool, Error> {
        let mut wanted = Block::new(["part"]);
        wanted.row([text(format!("%\"entry\":\"{entry}\"%"))]);
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT COUNT(*) AS count FROM {rows} AS r JOIN bank_break b ON b.resolution_detail LIKE r.part \
                     WHERE b.state = 'resolved'"
                )
            })
            .await?;
        rows.first()
            .map_or(Ok(false), |row| Ok(get_number(row, "count")? > 0))
    }
}
