//! Both balances of an account on a day, and what lies between them, by sets.
//!
//! The balance of the books comes from the journal, that at the bank from the statements, the items from lines
//! and payments and from what is matched: three sources that know nothing of each other.

use crate::domain::allocation::FundId;
use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::domain::reconciliation::AccountId;
use crate::domain::reconciliation::AccountScope;
use crate::domain::reconciliation::balance::{Item, ItemKind};
use crate::domain::region::RegionCode;
use crate::store::Tx;
use crate::store::block::{Parameters, get, get_money, get_number, int, number, text};

/// What is asked: an account, the payments that are made from it, and a day.
#[derive(Debug, Clone, Copy)]
pub struct BalanceQuery<'q> {
    /// The account.
    pub account: &'q AccountId,
    /// Its payments.
    pub scope: &'q AccountScope,
    /// The first day of its first statement, and the moment at which it begins in China.
    pub from: (&'q str, i64),
    /// The day, and the moment after its end in China.
    pub to: (&'q str, i64),
}

/// What the books say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BookSums {
    /// What all entries from the first day on have changed.
    pub moved: i64,
    /// Money received, less what was given back.
    pub receipts: (u64, i64),
    /// Money of payments that failed or came back.
    pub returns: (u64, i64),
}

/// A sum of some: how many, and how much in fen.
type Sum = (u64, i64);

/// Funds that are named at a time.
const FUNDS_AT_A_TIME: u64 = 1_000;
/// Buckets whose money is not on a bank account.
const OUTSIDE: &str = "('source', 'surrendered', 'in_payment', 'paid')";
/// Lines of statements that are complete.
const READY: &str = "bank_line l JOIN bank_statement s ON s.number = l.statement AND s.state = 'ready'";
/// What was matched, without what only belongs together.
const CLEARING: &str = "m.rule <> 'related'";

impl BalanceQuery<'_> {
    /// A condition on payer and region of a table's rows.
    fn covered(&self, of: &str, parameters: &mut Parameters) -> String {
        let mut any = Vec::new();
        for cover in self.scope.covers() {
            let payer = parameters.add(text(cover.payer.code()));
            let mut condition = format!("{of}.payer = {payer}");
            match &cover.region {
                Some(region) => {
                    let region = parameters.add(text(region.as_str()));
                    condition.push_str(&format!(" AND {of}.region = {region}"));
                }
                None if cover.except.is_empty() => {}
                None => {
                    let own = cover.except.iter().map(RegionCode::as_str);
                    let own: Vec<String> = own.map(|region| parameters.add(text(region))).collect();
                    condition.push_str(&format!(" AND {of}.region NOT IN ({})", own.join(", ")));
                }
            }
            any.push(format!("({condition})"));
        }
        if any.is_empty() {
            return "1 = 0".to_owned();
        }
        format!("({})", any.join(" OR "))
    }
}

impl Tx {
    /// The balance at the bank at the end of a day.
    pub async fn bank_balance(&self, query: BalanceQuery<'_>, opening: Money) -> Result<Money, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(query.account.as_str()));
        let to = parameters.add(text(query.to.0));
        // Statements follow each other without a gap: the last one that ends by then, and the lines behind it.
        let statement = format!(
            "SELECT s.closing_fen, s.to_day FROM bank_statement s \
             WHERE s.account = {account} AND s.state = 'ready' AND s.to_day <= {to} \
             ORDER BY s.to_day DESC, s.number DESC LIMIT 1"
        );
        let rows = self.query_by(&statement, parameters).await?;
        let (closing, after) = match rows.first() {
            Some(row) => (get_money(row, "closing_fen")?, get::<String>(row, "to_day")?),
            None => (opening, String::new()),
        };
        let mut parameters = Parameters::default();
        let account = parameters.add(text(query.account.as_str()));
        let after = parameters.add(text(after));
        let to = parameters.add(text(query.to.0));
        let (_, further) = self
            .sum(
                &format!(
                    "SELECT COUNT(*) AS count, CAST(COALESCE(SUM(l.amount_fen), 0) AS BIGINT) AS fen FROM {READY} \
                     WHERE s.account = {account} AND s.to_day > {after} AND l.booked <= {to}"
                ),
                parameters,
            )
            .await?;
        money(closing.fen() + further)
    }

    /// What the journals say of the account's money between the first day and the end of the day.
    pub async fn book_sums(&self, query: BalanceQuery<'_>) -> Result<BookSums, Error> {
        let mut sums = BookSums::default();
        let mut last = String::new();
        while let funds = self.funds(&last, FUNDS_AT_A_TIME).await?
            && let Some((end, _)) = funds.last()
        {
            end.as_str().clone_into(&mut last);
            for (fund, _) in &funds {
                self.add_book_sums(query, fund, &mut sums).await?;
            }
        }
        Ok(sums)
    }

    async fn add_book_sums(
        &self,
        query: BalanceQuery<'_>,
        fund: &FundId,
        sums: &mut BookSums,
    ) -> Result<(), Error> {
        let mut parameters = Parameters::default();
        let before = self.last_entry_at(fund, query.from.1.saturating_sub(1)).await?;
        let last = self.last_entry_at(fund, query.to.1.saturating_sub(1)).await?;
        let fund = parameters.add(text(fund.as_str()));
        let before = parameters.add(number(before));
        let last = parameters.add(number(last));
        let taken = query.covered("f", &mut parameters);
        let given = query.covered("t", &mut parameters);
        let statement = format!(
            "SELECT event, CAST(SUM(CASE WHEN inwards THEN 1 ELSE -1 END) AS BIGINT) AS count, \
             CAST(SUM(CASE WHEN inwards THEN fen ELSE -fen END) AS BIGINT) AS fen FROM \
             (SELECT e.event, e.amount_fen AS fen, f.bucket IN {OUTSIDE} AS inwards \
             FROM ledger_entry e \
             JOIN ledger_account f ON f.fund = e.fund AND f.account = e.from_account \
             JOIN ledger_account t ON t.fund = e.fund AND t.account = e.to_account \
             WHERE e.fund = {fund} AND e.number > {before} AND e.number <= {last} \
             AND e.event IN ('receive', 'surrender', 'contribute', 'retract', 'instruct', 'fail', 'return') \
             AND {taken} AND {given}) AS moved GROUP BY event ORDER BY event"
        );
        let rows = self.query_by(&statement, parameters).await?;
        for row in &rows {
            let (count, fen): (i64, i64) = (get(row, "count")?, get(row, "fen")?);
            sums.moved += fen;
            let event: String = get(row, "event")?;
            let sum = match event.as_str() {
                "receive" | "contribute" | "surrender" | "retract" => &mut sums.receipts,
                "fail" | "return" => &mut sums.returns,
                _ => continue,
            };
            sum.0 += count.unsigned_abs();
            sum.1 += fen;
        }
        Ok(())
    }

    /// Payments that were sent before the first day, and that statements show or that the bank had not answered
    /// by then: the books of these days have them still to come.
    pub async fn payments_before(&self, query: BalanceQuery<'_>) -> Result<Sum, Error> {
        let mut parameters = Parameters::default();
        let (which, _) = payments(query, &mut parameters);
        let from = parameters.add(int(query.from.1));
        self.sum(
            &format!(
                "SELECT COUNT(*) AS count, {} AS fen FROM {which} AND pb.released_at < {from}",
                total("p")
            ),
            parameters,
        )
        .await
    }

    /// Lines that nothing is matched with, by what they are, as items.
    pub async fn open_lines(&self, query: BalanceQuery<'_>) -> Result<Vec<Item>, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(query.account.as_str()));
        let to = parameters.add(text(query.to.0));
        let statement = format!(
            "SELECT inwards, class, resolution, detail, related, COUNT(*) AS count, \
             CAST(SUM(fen) AS BIGINT) AS fen FROM \
             (SELECT l.amount_fen AS fen, l.amount_fen > 0 AS inwards, COALESCE(b.class, '') AS class, \
             CASE WHEN b.state = 'resolved' THEN b.resolution ELSE '' END AS resolution, \
             CASE WHEN b.state = 'resolved' THEN b.resolution_detail ELSE '' END AS detail, \
             COALESCE((SELECT MIN(CASE WHEN d.state = 'resolved' AND d.resolution = 'bank_error' THEN 'bank_error' \
             ELSE r.class END) FROM bank_match r \
             LEFT JOIN bank_break d ON d.account = s.account AND d.reference = r.reference AND d.statement = 0 \
             AND d.line = 0 AND NOT EXISTS (SELECT 1 FROM bank_break n WHERE n.account = d.account \
             AND n.reference = d.reference AND n.statement = 0 AND n.line = 0 AND n.number > d.number) \
             WHERE r.statement = l.statement AND r.line = l.line), '') AS related \
             FROM {READY} \
             LEFT JOIN bank_break b ON b.account = s.account AND b.reference = '' AND b.statement = l.statement \
             AND b.line = l.line AND NOT EXISTS (SELECT 1 FROM bank_break n WHERE n.account = b.account \
             AND n.reference = '' AND n.statement = b.statement AND n.line = b.line AND n.number > b.number) \
             WHERE s.account = {account} AND l.booked <= {to} AND NOT EXISTS (SELECT 1 FROM bank_match m \
             WHERE m.statement = l.statement AND m.line = l.line AND {CLEARING})) AS open \
             GROUP BY inwards, class, resolution, detail, related"
        );
        let rows = self.query_by(&statement, parameters).await?;
        let mut items = Vec::new();
        for row in &rows {
            let fen: i64 = get(row, "fen")?;
            let open = OpenLine {
                inwards: fen > 0,
                class: get(row, "class")?,
                resolution: get(row, "resolution")?,
                detail: get(row, "detail")?,
                related: get(row, "related")?,
            };
            let kind = open.kind();
            let fen = if kind == ItemKind::BankErrors { -fen } else { fen };
            items.push(Item {
                kind,
                count: get_number(row, "count")?,
                amount: money(fen)?,
            });
        }
        Ok(items)
    }

    /// Receipts that were explained with their entry, as far as both are in these days: they are on both sides.
    /// The second sum are those whose entry is from before the first day.
    pub async fn linked_receipts(&self, query: BalanceQuery<'_>) -> Result<(Sum, Sum), Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(query.account.as_str()));
        let to = parameters.add(text(query.to.0));
        let statement = format!(
            "SELECT b.resolution_detail AS detail, l.amount_fen AS fen FROM bank_break b \
             JOIN bank_line l ON l.statement = b.statement AND l.line = b.line \
             WHERE b.account = {account} AND b.state = 'resolved' AND b.resolution = 'explanation' \
             AND b.resolution_detail LIKE '%\"entry\":\"funds/%' AND l.booked <= {to} \
             AND NOT EXISTS (SELECT 1 FROM bank_break n WHERE n.account = b.account AND n.reference = '' \
             AND n.statement = b.statement AND n.line = b.line AND n.number > b.number)"
        );
        let rows = self.query_by(&statement, parameters).await?;
        let (mut within, mut before) = ((0, 0), (0, 0));
        for row in &rows {
            let fen: i64 = get(row, "fen")?;
            let Some((fund, entry)) = entry_of(&get::<String>(row, "detail")?) else {
                continue;
            };
            let mut parameters = Parameters::default();
            let fund = parameters.add(text(fund));
            let entry = parameters.add(number(entry));
            let statement = format!("SELECT at FROM ledger_entry WHERE fund = {fund} AND number = {entry}");
            let entries = self.query_by(&statement, parameters).await?;
            let at: i64 = match entries.first() {
                Some(entry) => get(entry, "at")?,
                None => continue,
            };
            let sum = if at < query.from.1 {
                &mut before
            } else if at < query.to.1 {
                &mut within
            } else {
                continue;
            };
            sum.0 += 1;
            sum.1 += fen;
        }
        Ok((within, before))
    }

    /// Payments that no line is matched with, those that failed left out.
    pub async fn open_payments(&self, query: BalanceQuery<'_>) -> Result<Sum, Error> {
        let mut parameters = Parameters::default();
        let (which, to) = payments(query, &mut parameters);
        self.sum(
            &format!(
                "SELECT COUNT(*) AS count, {} AS fen FROM {which} \
                 AND NOT (p.state = 'failed' AND p.concluded_at < {to}) \
                 AND NOT EXISTS (SELECT 1 FROM bank_match m WHERE m.reference = p.reference AND {CLEARING})",
                total("p")
            ),
            parameters,
        )
        .await
    }

    /// What is matched across the end of the day: lines by then whose payment came later, and payments by then
    /// whose line came later. Everything that is matched with any of it stays open on that day as a whole.
    pub async fn matched_across(&self, query: BalanceQuery<'_>) -> Result<(Sum, Sum), Error> {
        let (across, parameters) = crossing(query);
        let lines = format!(
            "{across} SELECT COUNT(*) AS count, CAST(COALESCE(SUM(l.amount_fen), 0) AS BIGINT) AS fen \
             FROM lines x JOIN bank_line l ON l.statement = x.statement AND l.line = x.line WHERE l.booked <= {DAY}"
        );
        let lines = self.sum(&lines, parameters).await?;
        let (across, parameters) = crossing(query);
        let payments = format!(
            "{across} SELECT COUNT(*) AS count, CAST(COALESCE(SUM(-p.amount_fen + {POSTED}), 0) AS BIGINT) AS fen \
             FROM refs x JOIN payment p ON p.reference = x.reference \
             JOIN payment_batch pb ON pb.fund = p.fund AND pb.number = p.batch WHERE pb.released_at < {AT}"
        );
        let payments = self.sum(&payments, parameters).await?;
        Ok((lines, payments))
    }

    /// Money that the bank gave back and that is not posted by the end of the day.
    pub async fn unposted_returns(&self, query: BalanceQuery<'_>) -> Result<Sum, Error> {
        let (across, parameters) = crossing(query);
        // What the bank has moved for a payment: its lines, of a line for several payments its own share. Nothing
        // by that day is NULL, and then there is nothing to compare.
        let moved = format!(
            "(SELECT SUM(CASE WHEN (SELECT COUNT(*) FROM bank_match k WHERE k.statement = m.statement \
             AND k.line = m.line AND k.rule <> 'related') > 1 THEN -p.amount_fen ELSE l.amount_fen END) \
             FROM bank_match m JOIN bank_line l ON l.statement = m.statement AND l.line = m.line \
             WHERE m.reference = p.reference AND {CLEARING} AND l.booked <= {DAY})"
        );
        let statement = format!(
            "{across}, undone AS (SELECT DISTINCT m.reference FROM bank_match m \
             JOIN bank_statement s ON s.number = m.statement \
             WHERE s.account = {ACCOUNT} AND m.class = 'reversed'), \
             each AS (SELECT p.amount_fen + {moved} - {POSTED} AS fen \
             FROM undone u JOIN payment p ON p.reference = u.reference \
             WHERE NOT EXISTS (SELECT 1 FROM refs x WHERE x.reference = u.reference)) \
             SELECT COUNT(*) AS count, CAST(COALESCE(SUM(fen), 0) AS BIGINT) AS fen FROM each WHERE fen <> 0"
        );
        self.sum(&statement, parameters).await
    }

    /// What was posted for credits of the account by the end of the day.
    pub async fn posted_returns(&self, query: BalanceQuery<'_>) -> Result<Sum, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(query.account.as_str()));
        let at = parameters.add(int(query.to.1));
        let posted = format!(
            "SELECT COUNT(*) AS count, CAST(COALESCE(SUM(o.amount_fen), 0) AS BIGINT) AS fen FROM bank_posting o \
             JOIN bank_statement s ON s.number = o.statement \
             WHERE s.account = {account} AND o.done_at > 0 AND o.done_at < {at} AND o.refusal = ''"
        );
        self.sum(&posted, parameters).await
    }

    /// Payments that failed by the end of the day and had no line: both their entries are in the books.
    pub async fn failed_payments(&self, query: BalanceQuery<'_>) -> Result<Sum, Error> {
        let mut parameters = Parameters::default();
        let (which, to) = payments(query, &mut parameters);
        let (count, fen) = self
            .sum(
                &format!(
                    "SELECT COUNT(*) AS count, {} AS fen FROM {which} AND p.state = 'failed' AND p.concluded_at < {to} \
                     AND NOT EXISTS (SELECT 1 FROM bank_match m WHERE m.reference = p.reference AND {CLEARING})",
                    total("p")
                ),
                parameters,
            )
            .await?;
        Ok((count, -fen))
    }

    async fn sum(&self, statement: &str, parameters: Parameters) -> Result<Sum, Error> {
        let rows = self.query_by(statement, parameters).await?;
        match rows.first() {
            Some(row) => Ok((get_number(row, "count")?, get(row, "fen")?)),
            None => Ok((0, 0)),
        }
    }
}

/// The payments of the account that were sent by the end of the day, but those that were done with before the
/// first day. The text ends in a condition; the second text stands for the moment after the day.
fn payments(query: BalanceQuery<'_>, parameters: &mut Parameters) -> (String, String) {
    let covered = query.covered("p", parameters);
    let to = parameters.add(int(query.to.1));
    let from = parameters.add(int(query.from.1));
    let from_day = parameters.add(text(query.from.0));
    let which = format!(
        "payment p JOIN payment_batch pb ON pb.fund = p.fund AND pb.number = p.batch \
         WHERE {covered} AND pb.released_at < {to} AND (pb.released_at >= {from} \
         OR NOT (p.state <> 'instructed' AND p.concluded_at < {from} AND p.concluded_on < {from_day}) \
         OR EXISTS (SELECT 1 FROM bank_match k WHERE k.reference = p.reference AND k.rule <> 'related'))"
    );
    (which, to)
}

/// Parameters of [`crossing`].
const ACCOUNT: &str = "$1";
const DAY: &str = "$2";
const AT: &str = "$3";
/// What was posted for a payment by the end of the day.
const POSTED: &str = "COALESCE((SELECT SUM(o.amount_fen) FROM bank_posting o WHERE o.reference = p.reference \
     AND o.done_at > 0 AND o.done_at < $3 AND o.refusal = ''), 0)";

/// The payments that are matched across the end of a day (`refs`), and all lines that are matched with them
/// (`lines`).
fn crossing(query: BalanceQuery<'_>) -> (String, Parameters) {
    let mut parameters = Parameters::default();
    parameters.add(text(query.account.as_str()));
    parameters.add(text(query.to.0));
    parameters.add(int(query.to.1));
    let across = format!(
        "WITH crossed AS (SELECT DISTINCT m.reference FROM bank_match m \
         JOIN bank_line l ON l.statement = m.statement AND l.line = m.line \
         JOIN bank_statement s ON s.number = l.statement \
         JOIN payment p ON p.reference = m.reference \
         JOIN payment_batch pb ON pb.fund = p.fund AND pb.number = p.batch \
         WHERE s.account = {ACCOUNT} AND {CLEARING} AND l.amount_fen < 0 \
         AND ((l.booked > {DAY} AND pb.released_at < {AT}) OR (l.booked <= {DAY} AND pb.released_at >= {AT}))), \
         lines AS (SELECT DISTINCT m.statement, m.line FROM bank_match m \
         JOIN crossed c ON c.reference = m.reference WHERE {CLEARING}), \
         refs AS (SELECT DISTINCT m.reference FROM bank_match m \
         JOIN lines x ON x.statement = m.statement AND x.line = m.line WHERE {CLEARING})"
    );
    (across, parameters)
}

/// What payments take out of the account.
fn total(of: &str) -> String {
    format!("CAST(COALESCE(SUM(-{of}.amount_fen), 0) AS BIGINT)")
}

/// A line that nothing is matched with, as it stands among the breaks.
struct OpenLine {
    inwards: bool,
    class: String,
    resolution: String,
    detail: String,
    related: String,
}

impl OpenLine {
    fn kind(&self) -> ItemKind {
        let said = |category: &str| self.detail.contains(&format!("\"category\":\"{category}\""));
        match self.resolution.as_str() {
            "bank_error" => return ItemKind::BankErrors,
            "explanation" if said("receipt") => return ItemKind::Receipts,
            "explanation" if said("interest") => return ItemKind::Interest,
            "explanation" if said("fee") => return ItemKind::Fees,
            "explanation" if said("transfer") => return ItemKind::Transfers,
            "explanation" => return ItemKind::OtherLines,
            _ => {}
        }
        let class = if self.class.is_empty() {
            &self.related
        } else {
            &self.class
        };
        match class.as_str() {
            _ if self.related == "bank_error" => ItemKind::BankErrors,
            _ if self.inwards => ItemKind::UnknownCredits,
            "amount_differs" => ItemKind::DifferingDebits,
            "duplicate_at_bank" => ItemKind::DuplicateDebits,
            _ => ItemKind::UnknownDebits,
        }
    }
}

/// The entry in the detail of an explanation.
fn entry_of(detail: &str) -> Option<(String, u64)> {
    let detail: serde_json::Value = serde_json::from_str(detail).ok()?;
    let name = detail.get("entry")?.as_str()?;
    let (fund, number) = name.strip_prefix("funds/")?.split_once("/entries/")?;
    Some((fund.to_owned(), number.parse().ok()?))
}

fn money(fen: i64) -> Result<Money, Error> {
    Money::from_fen(fen)
        .ok_or_else(|| Error::internal(format!("a balance of {fen} fen is beyond the limits")))
}
