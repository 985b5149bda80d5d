//! Reconciliation: statements, matching by sets, breaks by comparison and by hand, jobs, balances, months.
//!
//! A step of a job is a few statements over a whole range of lines. Their texts are built here from numbers,
//! days and codes that the domain has checked; so the planner sees the values and joins by hash where that is
//! better.

mod balances;
mod breaks;
mod classify;
mod compare;
mod groups;
mod hands;
mod jobs;
mod lines;
mod matching;
mod periods;
mod posting;
mod report;
mod sets;
mod statements;
mod totals;

pub use balances::{BalanceQuery, BookSums};
pub use breaks::AgeRow;
pub use classify::UnhashedPayment;
pub use compare::Compared;
pub use groups::{GroupChange, GroupLines, GroupPage};
pub use hands::{HandLine, HandLink, HandPayment};
pub use matching::{Due, Span};
pub use periods::Reach;
pub use totals::OrderLine;

use super::block::get;
use super::block::get_number;
use crate::domain::error::Error;
use crate::domain::reconciliation::{AccountScope, LineId};
use sea_orm::QueryResult;

/// A text in a statement.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Which payments `alias` are of an account.
fn of_account(scope: &AccountScope, alias: &str) -> String {
    let covers = scope.covers().iter().map(|cover| {
        let payer = literal(cover.payer.code());
        let region = match (&cover.region, cover.except.as_slice()) {
            (Some(region), _) => format!(" AND {alias}.region = {}", literal(region.as_str())),
            (None, []) => String::new(),
            (None, except) => {
                let except: Vec<String> = except.iter().map(|region| literal(region.as_str())).collect();
                format!(" AND {alias}.region NOT IN ({})", except.join(", "))
            }
        };
        format!("({alias}.payer = {payer}{region})")
    });
    let covers: Vec<String> = covers.collect();
    if covers.is_empty() {
        "(1 = 0)".to_owned()
    } else {
        format!("({})", covers.join(" OR "))
    }
}

fn to_line(row: &QueryResult, statement: &str, line: &str) -> Result<LineId, Error> {
    Ok(LineId {
        statement: get_number(row, statement)?,
        line: get_number(row, line)?,
    })
}

fn to_code<T>(
    row: &QueryResult,
    column: &str,
    parse: impl Fn(&str, &str) -> Result<T, crate::domain::error::Violation>,
) -> Result<T, Error> {
    super::convert::stored(parse(column, &get::<String>(row, column)?))
}
