//! Reconciliation: bank accounts, statements and their lines, what belongs to what, breaks, jobs, periods.
//!
//! Rows are written many at a time, as arrays: no column is ever null, an absent text is empty, an absent
//! number 0. Days are `YYYY-MM-DD`, months `YYYY-MM`; both order as text. Lines and matches are a million at a
//! time, so these two tables are narrow, have no index but what a page on the screen needs, and on SQLite are
//! stored in the order of their key. Personal data is in `sealed` columns only.

use crate::by_key::by_key;
use crate::columns::{fen, key, number, primary_key, text, time};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        payments(manager).await?;
        statements(manager).await?;
        matches(manager).await?;
        breaks(manager).await?;
        jobs(manager).await?;
        let backend = manager.get_database_backend();
        for statement in locks(backend) {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

/// A payment says from which account it was made (payer and region), and has a keyed hash of the account that
/// it went to. The release before writes neither; the next reconciliation fills in what is missing.
async fn payments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for column in ["region", "payee_hash", "payee_hash_key"] {
        let mut column = key(manager, column);
        column.default("");
        let add = Table::alter().table("payment").add_column(column).take();
        manager.alter_table(add).await?;
    }
    let region = "UPDATE payment SET region = (SELECT c.region FROM claim c \
         WHERE c.fund = payment.fund AND c.number = payment.claim) \
         WHERE EXISTS (SELECT 1 FROM claim c WHERE c.fund = payment.fund AND c.number = payment.claim)";
    manager.get_connection().execute_unprepared(region).await?;
    let unfinished = Index::create()
        .name("payment_without_hash")
        .table("payment")
        .col("fund")
        .col("batch")
        .col("line")
        .and_where(Expr::col("payee_hash").eq(""))
        .take();
    manager.create_index(unfinished).await
}

async fn statements(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Who works on an account locks this row first.
    let account = Table::create()
        .table("bank_account")
        .col(key(manager, "account").primary_key())
        .col(number("breaks"))
        // The day of the last job that finished, and that job.
        .col(key(manager, "reconciled_to"))
        .col(number("job"))
        .take();
    manager.create_table(account).await?;

    let statement = Table::create()
        .table("bank_statement")
        .col(number("number").primary_key())
        .col(key(manager, "account"))
        // `loading` until all lines are there, then `ready`.
        .col(key(manager, "state"))
        .col(time("loading_until"))
        .col(key(manager, "digest"))
        .col(number("part"))
        .col(key(manager, "format"))
        .col(text("identification"))
        .col(number("sequence"))
        .col(key(manager, "from_day"))
        .col(key(manager, "to_day"))
        .col(fen("opening_fen"))
        .col(fen("closing_fen"))
        .col(number("lines"))
        .col(fen("credits_fen"))
        .col(fen("debits_fen"))
        // The key that hashed the accounts in its lines.
        .col(key(manager, "lookup_key"))
        // Lines up to here have been matched, or noted as open.
        .col(number("examined"))
        .col(text("imported_by"))
        .col(time("imported_at"))
        .take();
    manager.create_table(statement).await?;
    // The same file is taken once; a file may hold several statements.
    let once = Index::create()
        .name("bank_statement_digest")
        .table("bank_statement")
        .col("digest")
        .col("part")
        .unique()
        .and_where(Expr::col("state").eq("ready"))
        .take();
    manager.create_index(once).await?;
    let of_account = Index::create()
        .name("bank_statement_account")
        .table("bank_statement")
        .col("account")
        .col("number")
        .take();
    manager.create_index(of_account).await?;

    let line = Table::create()
        .table("bank_line")
        .col(number("statement"))
        .col(number("line"))
        .col(key(manager, "booked"))
        .col(key(manager, "valued"))
        // Money in above zero, money out below.
        .col(ColumnDef::new("amount_fen").big_integer().not_null())
        .col(number("reversal"))
        .col(key(manager, "reference"))
        .col(key(manager, "order_id"))
        .col(key(manager, "bank_reference"))
        // Keyed hash of the other side's account, where no reference of ours tells which payment it is.
        .col(key(manager, "payee_hash"))
        .primary_key(&mut primary_key(["statement", "line"]))
        .take();
    by_key(manager, &line).await?;

    // Names, account numbers and texts of some lines together, sealed.
    let personal = Table::create()
        .table("bank_line_sealed")
        .col(number("statement"))
        .col(number("first_line"))
        .col(number("last_line"))
        .col(text("sealed"))
        .col(key(manager, "sealing_key"))
        .primary_key(&mut primary_key(["statement", "first_line"]))
        .take();
    manager.create_table(personal).await?;
    if manager.get_database_backend() == DbBackend::Postgres {
        // What is sealed does not compress; trying costs.
        let plain = "ALTER TABLE bank_line_sealed ALTER COLUMN sealed SET STORAGE EXTERNAL";
        manager.get_connection().execute_unprepared(plain).await?;
    }
    Ok(())
}

async fn matches(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Which line belongs to which payment, by which rule, and what class that makes the line.
    let of_line = Table::create()
        .table("bank_match")
        .col(number("statement"))
        .col(number("line"))
        .col(key(manager, "reference"))
        // The payment's lines, counted from 0: 0 is the one that pays it.
        .col(number("part"))
        .col(key(manager, "class"))
        .col(key(manager, "rule"))
        .col(number("job"))
        // The only index over all of them: what a line is matched with by its own reference is found by that.
        .primary_key(&mut primary_key(["reference", "part"]))
        .take();
    by_key(manager, &of_line).await?;
    // Few among all.
    let otherwise = Index::create()
        .name("bank_match_line")
        .table("bank_match")
        .col("statement")
        .col("line")
        .and_where(Expr::col("rule").ne("reference"))
        .take();
    manager.create_index(otherwise).await?;
    let others = Index::create()
        .name("bank_match_other")
        .table("bank_match")
        .col("class")
        .col("statement")
        .col("line")
        .and_where(Expr::col("class").ne("matched"))
        .take();
    manager.create_index(others).await?;

    // Lines that belong to no payment, or not only to one as its own: what every run looks at again.
    let open = Table::create()
        .table("bank_open_line")
        .col(key(manager, "account"))
        .col(number("statement"))
        .col(number("line"))
        // The payment that it speaks of: by its own reference, or by the line that it takes back.
        .col(key(manager, "reference"))
        .primary_key(&mut primary_key(["account", "statement", "line"]))
        .take();
    manager.create_table(open).await?;
    let by_reference = Index::create()
        .name("bank_open_line_reference")
        .table("bank_open_line")
        .col("account")
        .col("reference")
        .take();
    manager.create_index(by_reference).await?;

    // What a line moves in the ledger: decided with its match, done through the desk.
    let posting = Table::create()
        .table("bank_posting")
        .col(number("statement"))
        .col(number("line"))
        .col(key(manager, "reference"))
        // `fail` or `return`.
        .col(key(manager, "action"))
        .col(fen("amount_fen"))
        .col(number("job"))
        // 0 until it is done; then when.
        .col(time("done_at"))
        // Why the ledger refused it; empty where it did not.
        .col(text("refusal"))
        .primary_key(&mut primary_key(["statement", "line", "reference"]))
        .take();
    manager.create_table(posting).await?;
    let of_payment = Index::create()
        .name("bank_posting_reference")
        .table("bank_posting")
        .col("reference")
        .take();
    manager.create_index(of_payment).await
}

/// What a break is about: a payment (`reference`), or a line (`statement`, `line`), and the evidence.
fn evidence(manager: &SchemaManager<'_>, table: &mut TableCreateStatement) {
    table
        .col(key(manager, "reference"))
        .col(number("statement"))
        .col(number("line"))
        .col(key(manager, "class"))
        .col(key(manager, "reason"))
        // The other side, where there is one: a line's payment, a payment's first line.
        .col(key(manager, "other_reference"))
        .col(number("other_statement"))
        .col(number("other_line"))
        // Money in above zero, money out below.
        .col(fen("expected_fen"))
        .col(fen("found_fen"))
        .col(key(manager, "expected_on"))
        .col(key(manager, "found_on"))
        // How many would fit, where more than one does.
        .col(number("candidates"));
}

async fn breaks(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("bank_break")
        .col(key(manager, "account"))
        .col(number("number"));
    evidence(manager, &mut table);
    table
        .col(key(manager, "state"))
        .col(number("version"))
        // The day it counts from, and the month it is worked in.
        .col(key(manager, "since"))
        .col(key(manager, "period"))
        // The jobs that found it first and last.
        .col(number("first_job"))
        .col(number("last_job"))
        .col(key(manager, "assignee"))
        .col(key(manager, "resolution"))
        .col(text("resolution_reason"))
        .col(text("resolution_detail"))
        .col(text("proposed_by"))
        .col(time("proposed_at"))
        .col(text("decided_by"))
        .col(time("decided_at"))
        .col(key(manager, "carried_to"))
        // The break of a closed period that this one corrects; 0 for none.
        .col(number("corrects"))
        .primary_key(&mut primary_key(["account", "number"]));
    manager.create_table(table).await?;
    for (name, columns, unique) in [
        (
            "bank_break_subject",
            vec!["account", "reference", "statement", "line", "corrects"],
            true,
        ),
        ("bank_break_state", vec!["account", "state", "number"], false),
    ] {
        let mut index = Index::create();
        index.name(name).table("bank_break");
        if unique {
            index.unique();
        }
        for column in columns {
            index.col(column);
        }
        manager.create_index(index).await?;
    }

    let history = Table::create()
        .table("bank_break_history")
        .col(key(manager, "account"))
        .col(number("break"))
        .col(number("number"))
        .col(time("at"))
        .col(text("made_by"))
        .col(key(manager, "action"))
        .col(text("note"))
        .col(text("detail"))
        .primary_key(&mut primary_key(["account", "break", "number"]))
        .take();
    manager.create_table(history).await?;

    let period = Table::create()
        .table("reconciliation_period")
        .col(key(manager, "account"))
        .col(key(manager, "period"))
        // `prepared`, then `closed` by a second person.
        .col(key(manager, "state"))
        .col(number("version"))
        .col(text("balance"))
        .col(number("resolved_breaks"))
        .col(number("carried_breaks"))
        .col(text("digest"))
        .col(text("prepared_by"))
        .col(time("prepared_at"))
        .col(text("signed_by"))
        .col(time("signed_at"))
        .primary_key(&mut primary_key(["account", "period"]))
        .take();
    manager.create_table(period).await
}

async fn jobs(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let job = Table::create()
        .table("reconciliation_job")
        .col(number("number").primary_key())
        .col(key(manager, "account"))
        .col(key(manager, "as_of"))
        .col(number("dry_run"))
        .col(key(manager, "state"))
        .col(number("version"))
        // Where it is: the step, and the last thing that it did in it.
        .col(key(manager, "step"))
        .col(key(manager, "at"))
        .col(number("done"))
        .col(number("total"))
        // The last statement that it looks at.
        .col(number("through"))
        .col(number("cancel"))
        // Who works on it, until when unless the time is extended.
        .col(key(manager, "lease_owner"))
        .col(time("lease_until"))
        .col(text("rules"))
        .col(text("rules_digest"))
        .col(text("report"))
        .col(text("failure"))
        .col(text("created_by"))
        .col(time("created_at"))
        .col(time("started_at"))
        .col(time("ended_at"))
        .take();
    manager.create_table(job).await?;
    for (name, columns) in [
        ("reconciliation_job_account", ["account", "number"]),
        ("reconciliation_job_state", ["state", "number"]),
    ] {
        let mut index = Index::create();
        index.name(name).table("reconciliation_job");
        for column in columns {
            index.col(column);
        }
        manager.create_index(index).await?;
    }
    // What a job found, until it is compared with the breaks that there are.
    let mut finding = Table::create();
    finding
        .table("reconciliation_finding")
        .col(number("job"))
        .col(key(manager, "since"));
    evidence(manager, &mut finding);
    finding.primary_key(&mut primary_key(["job", "reference", "statement", "line"]));
    manager.create_table(finding).await
}

/// Whether a month of an account is closed.
fn closed(account: &str, month: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM reconciliation_period q WHERE q.account = {account} AND q.state = 'closed' \
         AND q.period = {month})"
    )
}

/// Whether the month of a line is closed.
fn line_closed(statement: &str, line: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM bank_line l JOIN bank_statement s ON s.number = l.statement \
         JOIN reconciliation_period q ON q.account = s.account AND q.state = 'closed' \
         AND q.period = substr(l.booked, 1, 7) WHERE l.statement = {statement} AND l.line = {line})"
    )
}

/// What the database refuses whatever asks for it: to change a history, a statement that is complete, and
/// anything that lies in a closed period.
fn locks(backend: DbBackend) -> Vec<String> {
    let span = |row: &str| {
        format!(
            "EXISTS (SELECT 1 FROM reconciliation_period q WHERE q.account = {row}.account AND q.state = 'closed' \
             AND q.period BETWEEN substr({row}.from_day, 1, 7) AND substr({row}.to_day, 1, 7))"
        )
    };
    let complete =
        "EXISTS (SELECT 1 FROM bank_statement s WHERE s.number = OLD.statement AND s.state = 'ready')";
    let always = "1 = 1".to_owned();
    let rules: Vec<(&str, &str, &str, String)> = vec![
        ("bank_break_history", "unchanged", "UPDATE", always.clone()),
        ("bank_break_history", "kept", "DELETE", always),
        (
            "reconciliation_period",
            "unchanged",
            "UPDATE",
            "OLD.state = 'closed'".to_owned(),
        ),
        (
            "reconciliation_period",
            "kept",
            "DELETE",
            "OLD.state = 'closed'".to_owned(),
        ),
        (
            "bank_statement",
            "unchanged",
            "UPDATE OF number, account, state, digest, part, format, identification, sequence, from_day, to_day, \
             opening_fen, closing_fen, lines, credits_fen, debits_fen",
            format!("OLD.state = 'ready' OR {}", span("NEW")),
        ),
        ("bank_statement", "kept", "DELETE", span("OLD")),
        (
            "bank_line",
            "unchanged",
            "UPDATE OF statement, line, booked, valued, amount_fen, reversal, reference, order_id, bank_reference",
            complete.to_owned(),
        ),
        ("bank_line", "kept", "DELETE", complete.to_owned()),
        (
            "bank_match",
            "unchanged",
            "UPDATE",
            line_closed("OLD.statement", "OLD.line"),
        ),
        (
            "bank_match",
            "kept",
            "DELETE",
            line_closed("OLD.statement", "OLD.line"),
        ),
        (
            "bank_break",
            "unchanged",
            "UPDATE",
            closed("OLD.account", "OLD.period"),
        ),
        (
            "bank_break",
            "kept",
            "DELETE",
            closed("OLD.account", "OLD.period"),
        ),
        (
            "bank_break",
            "later",
            "INSERT",
            closed("NEW.account", "NEW.period"),
        ),
    ];
    let mut statements = Vec::new();
    for (table, name, event, refused) in rules {
        let what = format!("{table} is closed to this change");
        if backend == DbBackend::Postgres {
            let back = if event == "DELETE" { "OLD" } else { "NEW" };
            statements.push(format!(
                "CREATE FUNCTION {table}_{name}() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN IF {refused} THEN RAISE EXCEPTION '{what}'; END IF; RETURN {back}; END $$"
            ));
            statements.push(format!(
                "CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION {table}_{name}()"
            ));
        } else {
            statements.push(format!(
                "CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} WHEN {refused} \
                 BEGIN SELECT RAISE(ABORT, '{what}'); END"
            ));
        }
    }
    // No line is added to a statement that is complete. PostgreSQL looks at all lines of a statement at once.
    if backend == DbBackend::Postgres {
        statements.push(
            "CREATE FUNCTION bank_line_complete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF EXISTS (SELECT 1 FROM (SELECT DISTINCT statement FROM added) a \
             JOIN bank_statement s ON s.number = a.statement AND s.state = 'ready') \
             THEN RAISE EXCEPTION 'bank_line is closed to this change'; END IF; RETURN NULL; END $$"
                .to_owned(),
        );
        statements.push(
            "CREATE TRIGGER bank_line_complete AFTER INSERT ON bank_line REFERENCING NEW TABLE AS added \
             FOR EACH STATEMENT EXECUTE FUNCTION bank_line_complete()"
                .to_owned(),
        );
    } else {
        statements.push(
            "CREATE TRIGGER bank_line_complete BEFORE INSERT ON bank_line \
             WHEN (SELECT state FROM bank_statement WHERE number = NEW.statement) = 'ready' \
             BEGIN SELECT RAISE(ABORT, 'bank_line is closed to this change'); END"
                .to_owned(),
        );
    }
    statements
}
