//! Breaks, and what was done to them.

use crate::app::records::BreakFilter;
use crate::domain::error::Error;
use crate::domain::identity::Principal;
use crate::domain::money::Money;
use crate::domain::reconciliation::breaks::{How, Resolution, Step, StepKind};
use crate::domain::reconciliation::{
    AccountId, Break, BreakId, BreakState, Class, Evidence, LineId, Month, Reason, Subject,
};
use crate::store::Tx;
use crate::store::block::{Block, Parameters, get, get_money, get_number, int, number, text};
use crate::store::claims::{signed, to_signed};
use crate::store::convert::{count, from_json, json, signature, stored};
use sea_orm::QueryResult;

const BREAK: &str = "b.account, b.number, b.reference, b.statement, b.line, b.class, b.reason, b.other_reference, \
     b.other_statement, b.other_line, b.expected_fen, b.found_fen, b.expected_on, b.found_on, b.candidates, b.state, \
     b.version, b.since, b.period, b.assignee, b.resolution, b.resolution_reason, b.resolution_detail, b.proposed_by, b.proposed_at, \
     b.decided_by, b.decided_at, b.carried_to, b.corrects";

/// What is still in flight is kept beside the breaks, and is none.
const NO_BREAKS: &str = " AND b.class NOT IN ('in_flight', 'matched')";

/// Most rows of one page.
const MOST: u64 = 1_000_000;

/// Breaks of one class and age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgeRow {
    /// The class.
    pub class: Class,
    /// The day that it counts from.
    pub since: String,
    /// How many.
    pub count: u64,
    /// The sum of what is at stake, in fen.
    pub amount: Money,
}

impl Tx {
    /// Locks an account for work on its breaks, and gives the number of its last break.
    pub async fn lock_breaks(&self, account: &AccountId) -> Result<u64, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(account.as_str()));
        let lock = self.for_update();
        let statement = format!("SELECT breaks FROM bank_account WHERE account = {account}{lock}");
        let rows = self.query_by(&statement, parameters).await?;
        let last = rows.first().map(|row| get_number(row, "breaks")).transpose()?;
        Ok(last.unwrap_or_default())
    }

    /// A break.
    pub async fn bank_break(&self, id: &BreakId) -> Result<Option<Break>, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(id.account.as_str()));
        let wanted = parameters.add(number(id.number));
        let statement =
            format!("SELECT {BREAK} FROM bank_break b WHERE b.account = {account} AND b.number = {wanted}");
        let rows = self.query_by(&statement, parameters).await?;
        rows.first().map(to_break).transpose()
    }

    /// At most `limit` breaks of an account that the filter lets through, after a number.
    pub async fn bank_breaks(
        &self,
        account: &AccountId,
        filter: &BreakFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Break>, Error> {
        let mut parameters = Parameters::default();
        let mut only = format!(
            "b.account = {} AND b.number > {}",
            parameters.add(text(account.as_str())),
            parameters.add(number(after))
        );
        if filter.class.is_none() {
            only.push_str(NO_BREAKS);
        }
        let period = filter.period.map(|period| period.to_string());
        for (column, given) in [
            ("class", filter.class.map(Class::code)),
            ("state", filter.state.map(BreakState::code)),
            ("period", period.as_deref()),
            ("assignee", filter.assignee.as_ref().map(Principal::as_str)),
        ] {
            if let Some(code) = given {
                only.push_str(&format!(" AND b.{column} = {}", parameters.add(text(code))));
            }
        }
        let limit = limit.min(MOST);
        let statement =
            format!("SELECT {BREAK} FROM bank_break b WHERE {only} ORDER BY b.number LIMIT {limit}");
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter().map(to_break).collect()
    }

    /// The breaks of these subjects, of each the newest.
    pub async fn breaks_of(&self, account: &AccountId, subjects: &[Subject]) -> Result<Vec<Break>, Error> {
        let mut wanted = Block::new(["account", "reference", "statement#", "line#"]);
        for subject in subjects {
            let (reference, line) = columns(subject);
            wanted.row([
                text(account.as_str()),
                text(reference),
                number(line.statement),
                number(line.line),
            ]);
        }
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT {BREAK} FROM {rows} AS r JOIN bank_break b ON b.account = r.account \
                     AND b.reference = r.reference AND b.statement = r.statement AND b.line = r.line \
                     WHERE NOT EXISTS (SELECT 1 FROM bank_break n WHERE n.account = b.account \
                     AND n.reference = b.reference AND n.statement = b.statement AND n.line = b.line \
                     AND n.number > b.number) ORDER BY b.number"
                )
            })
            .await?;
        rows.iter().map(to_break).collect()
    }

    /// Open breaks of an account by class and day, as far as that day.
    pub async fn break_ages(&self, account: &AccountId) -> Result<Vec<AgeRow>, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(account.as_str()));
        // As `Evidence::amount` has it.
        let stake = "CASE WHEN b.found_fen = 0 THEN b.expected_fen WHEN b.expected_fen = 0 THEN b.found_fen \
             WHEN b.class = 'amount_differs' THEN b.found_fen - b.expected_fen ELSE b.expected_fen END";
        let statement = format!(
            "SELECT b.class, b.since, COUNT(*) AS count, CAST(SUM(ABS({stake})) AS BIGINT) AS sum_fen \
             FROM bank_break b WHERE b.account = {account} AND b.state <> 'resolved'{NO_BREAKS} \
             GROUP BY b.class, b.since ORDER BY b.class, b.since"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter()
            .map(|row| {
                Ok(AgeRow {
                    class: stored(Class::parse("bank_break.class", &get::<String>(row, "class")?))?,
                    since: get(row, "since")?,
                    count: get_number(row, "count")?,
                    amount: get_money(row, "sum_fen")?,
                })
            })
            .collect()
    }

    /// How many breaks are not resolved and are to be worked in a month or before.
    pub async fn open_breaks(&self, account: &AccountId, to: Month) -> Result<u64, Error> {
        self.count_breaks(account, "b.period <= $2 AND b.state <> 'resolved'", to)
            .await
    }

    /// How many breaks of a month are resolved.
    pub async fn resolved_breaks(&self, account: &AccountId, month: Month) -> Result<u64, Error> {
        self.count_breaks(account, "b.period = $2 AND b.state = 'resolved'", month)
            .await
    }

    /// How many breaks were carried over into a month.
    pub async fn carried_breaks(&self, account: &AccountId, into: Month) -> Result<u64, Error> {
        self.count_breaks(account, "b.carried_to = $2", into).await
    }

    async fn count_breaks(&self, account: &AccountId, which: &str, month: Month) -> Result<u64, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(account.as_str()));
        parameters.add(text(month.to_string()));
        let statement = format!(
            "SELECT COUNT(*) AS count FROM bank_break b WHERE b.account = {account} AND {which}{NO_BREAKS}"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.first().map_or(Ok(0), |row| get_number(row, "count"))
    }

    /// Stores what changed of breaks, each with the version that it had before.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] where one was changed meanwhile.
    pub async fn update_breaks(&self, breaks: &[(&Break, u32)]) -> Result<(), Error> {
        let mut block = Block::new([
            "account",
            "number#",
            "had#",
            "state",
            "version#",
            "period",
            "assignee",
            "resolution",
            "resolution_reason",
            "resolution_detail",
            "proposed_by",
            "proposed_at#",
            "decided_by",
            "decided_at#",
            "carried_to",
        ]);
        for (found, had) in breaks {
            let Words {
                how,
                reason,
                detail,
                proposed,
                decided,
            } = Words::of(found)?;
            block.row([
                text(found.id.account.as_str()),
                number(found.id.number),
                int((*had).into()),
                text(found.state.code()),
                int(found.version.into()),
                text(found.period.to_string()),
                text(found.assignee.as_ref().map_or("", Principal::as_str)),
                text(how),
                text(reason),
                text(detail),
                text(proposed.0),
                int(proposed.1),
                text(decided.0),
                int(decided.1),
                text(
                    found
                        .carried_to
                        .map(|month| month.to_string())
                        .unwrap_or_default(),
                ),
            ]);
        }
        let updated = self
            .execute_with(block, |rows| {
                format!(
                    "UPDATE bank_break AS b SET state = r.state, version = r.version, period = r.period, \
                     assignee = r.assignee, resolution = r.resolution, resolution_reason = r.resolution_reason, \
                     resolution_detail = r.resolution_detail, proposed_by = r.proposed_by, proposed_at = r.proposed_at, \
                     decided_by = r.decided_by, decided_at = r.decided_at, carried_to = r.carried_to \
                     FROM {rows} AS r WHERE b.account = r.account AND b.number = r.number AND b.version = r.had"
                )
            })
            .await?;
        if updated == breaks.len() as u64 {
            return Ok(());
        }
        Err(Error::Conflict {
            detail: format!("{updated} of {} breaks were as they had been read", breaks.len()),
        })
    }

    /// Adds a break that takes the place of one of a closed month; the account is locked.
    pub async fn insert_break(&self, found: &Break) -> Result<(), Error> {
        let evidence = &found.evidence;
        let (reference, line) = columns(&evidence.subject);
        let other = evidence.other_line.unwrap_or(NO_LINE);
        let mut block = Block::new([
            "account",
            "number#",
            "reference",
            "statement#",
            "line#",
            "class",
            "reason",
            "other_reference",
            "other_statement#",
            "other_line#",
            "expected_fen#",
            "found_fen#",
            "expected_on",
            "found_on",
            "candidates#",
            "state",
            "version#",
            "since",
            "period",
            "first_job#",
            "last_job#",
            "assignee",
            "resolution",
            "resolution_reason",
            "resolution_detail",
            "proposed_by",
            "proposed_at#",
            "decided_by",
            "decided_at#",
            "carried_to",
            "corrects#",
        ]);
        block.row([
            text(found.id.account.as_str()),
            number(found.id.number),
            text(reference),
            number(line.statement),
            number(line.line),
            text(evidence.class.code()),
            text(evidence.reason.code()),
            text(&evidence.other_reference),
            number(other.statement),
            number(other.line),
            int(evidence.expected.fen()),
            int(evidence.found.fen()),
            text(&evidence.expected_on),
            text(&evidence.found_on),
            number(evidence.candidates),
            text(found.state.code()),
            int(found.version.into()),
            text(&evidence.since),
            text(found.period.to_string()),
            number(0),
            number(0),
            text(found.assignee.as_ref().map_or("", Principal::as_str)),
            text(""),
            text(""),
            text(""),
            text(""),
            int(0),
            text(""),
            int(0),
            text(""),
            number(found.corrects.unwrap_or_default()),
        ]);
        self.insert_block("bank_break", block).await?;
        let mut counter = Block::new(["account", "number#"]);
        counter.row([text(found.id.account.as_str()), number(found.id.number)]);
        self.execute_with(counter, |rows| {
            format!(
                "UPDATE bank_account AS a SET breaks = r.number FROM {rows} AS r WHERE a.account = r.account"
            )
        })
        .await
        .map(drop)
    }

    /// Adds steps to the histories of breaks; the account is locked.
    pub async fn insert_steps(&self, steps: &[(&BreakId, &Step)]) -> Result<(), Error> {
        let mut wanted = Block::new(["account", "number#"]);
        for (id, _) in steps {
            wanted.row([text(id.account.as_str()), number(id.number)]);
        }
        let rows = self
            .query_with(wanted, |rows| {
                format!(
                    "SELECT h.account, h.break AS of, MAX(h.number) AS last FROM {rows} AS r \
                     JOIN bank_break_history h ON h.account = r.account AND h.break = r.number \
                     GROUP BY h.account, h.break"
                )
            })
            .await?;
        let mut last = std::collections::HashMap::new();
        for row in &rows {
            let key = (get::<String>(row, "account")?, get_number(row, "of")?);
            last.insert(key, get_number(row, "last")?);
        }
        let mut block = Block::new([
            "account", "break#", "number#", "at#", "made_by", "action", "note", "detail",
        ]);
        for (id, step) in steps {
            let key = (id.account.as_str().to_owned(), id.number);
            let next = last.entry(key).or_insert(0);
            *next += 1;
            block.row([
                text(id.account.as_str()),
                number(id.number),
                number(*next),
                int(step.signed.at),
                text(step.signed.by.as_str()),
                text(step.kind.code()),
                text(&step.note),
                text(""),
            ]);
        }
        self.insert_block("bank_break_history", block).await
    }

    /// What was done to a break, in order.
    pub async fn steps_of(&self, id: &BreakId) -> Result<Vec<Step>, Error> {
        let mut parameters = Parameters::default();
        let account = parameters.add(text(id.account.as_str()));
        let wanted = parameters.add(number(id.number));
        let statement = format!(
            "SELECT at, made_by, action, note FROM bank_break_history \
             WHERE account = {account} AND break = {wanted} ORDER BY number"
        );
        let rows = self.query_by(&statement, parameters).await?;
        rows.iter()
            .map(|row| {
                let action: String = get(row, "action")?;
                Ok(Step {
                    kind: stored(StepKind::parse("bank_break_history.action", &action))?,
                    signed: signature(&get::<String>(row, "made_by")?, get(row, "at")?)?,
                    note: get(row, "note")?,
                })
            })
            .collect()
    }
}

const NO_LINE: LineId = LineId {
    statement: 0,
    line: 0,
};

fn columns(subject: &Subject) -> (&str, LineId) {
    match subject {
        Subject::Payment(reference) => (reference, NO_LINE),
        Subject::Line(line) => ("", *line),
    }
}

/// A resolution as it is stored.
struct Words<'b> {
    how: &'static str,
    reason: &'b str,
    detail: String,
    proposed: (&'b str, i64),
    decided: (&'b str, i64),
}

impl<'b> Words<'b> {
    fn of(found: &'b Break) -> Result<Self, Error> {
        let Some(resolution) = &found.resolution else {
            return Ok(Self {
                how: "",
                reason: "",
                detail: String::new(),
                proposed: ("", 0),
                decided: ("", 0),
            });
        };
        Ok(Self {
            how: resolution.how.code(),
            reason: &resolution.reason,
            detail: json(&resolution.how)?,
            proposed: signed(Some(&resolution.proposed)),
            decided: signed(resolution.approved.as_ref()),
        })
    }
}

fn to_break(row: &QueryResult) -> Result<Break, Error> {
    let text = |column: &str| get::<String>(row, column);
    let line = |statement: &str, line: &str| -> Result<Option<LineId>, Error> {
        let line = LineId {
            statement: get_number(row, statement)?,
            line: get_number(row, line)?,
        };
        Ok((line != NO_LINE).then_some(line))
    };
    let month = |column: &str| -> Result<Option<Month>, Error> {
        let text = text(column)?;
        let read = || stored(Month::parse(column, &text));
        (!text.is_empty()).then(read).transpose()
    };
    let subject = match line("statement", "line")? {
        Some(line) => Subject::Line(line),
        None => Subject::Payment(text("reference")?),
    };
    let assignee = text("assignee")?;
    let assignee = (!assignee.is_empty()).then(|| stored(Principal::parse(&assignee)));
    let resolution = match to_signed(row, "proposed_by", "proposed_at")? {
        // A job that closes a break proposes nothing; it says who ran it, and when.
        None if text("resolution")? == How::Rule.code() => {
            let closed = to_signed(row, "decided_by", "decided_at")?;
            closed.map(|closed| Resolution {
                how: How::Rule,
                reason: String::new(),
                proposed: closed,
                approved: None,
            })
        }
        Some(proposed) => Some(Resolution {
            how: from_json::<How>("bank_break.resolution_detail", &text("resolution_detail")?)?,
            reason: text("resolution_reason")?,
            proposed,
            approved: to_signed(row, "decided_by", "decided_at")?,
        }),
        None => None,
    };
    Ok(Break {
        id: BreakId {
            account: stored(AccountId::parse("bank_break.account", &text("account")?))?,
            number: get_number(row, "number")?,
        },
        evidence: Evidence {
            subject,
            class: stored(Class::parse("bank_break.class", &text("class")?))?,
            reason: stored(Reason::parse("bank_break.reason", &text("reason")?))?,
            other_reference: text("other_reference")?,
            other_line: line("other_statement", "other_line")?,
            expected: get_money(row, "expected_fen")?,
            found: get_money(row, "found_fen")?,
            expected_on: text("expected_on")?,
            found_on: text("found_on")?,
            candidates: get_number(row, "candidates")?,
            since: text("since")?,
        },
        state: stored(BreakState::parse("bank_break.state", &text("state")?))?,
        version: count("bank_break.version", get(row, "version")?)?,
        period: month("period")?.ok_or_else(|| Error::internal("a break without a month"))?,
        assignee: assignee.transpose()?,
        resolution,
        carried_to: month("carried_to")?,
        corrects: match get_number(row, "corrects")? {
            0 => None,
            number => Some(number),
        },
    })
}
