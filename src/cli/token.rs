//! `token`: access tokens that the program issues itself. They are made where the database is, by whoever
//! operates it; there is no way to make one over the network.

use super::connecting::principal;
use super::output::{self, Failure, OutputArguments};
use super::serve;
use crate::app::clock;
use crate::app::tokens::{IssueToken, TokenRecord};
use crate::config::Config;
use crate::domain::error::{Error, Violation};
use crate::domain::subsidy::parse_date;
use crate::report::{Cell, Column, Table};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Issues a token, and prints it: it can never be seen again
    Issue {
        /// Whose it is: the name that signatures will hold
        #[arg(long = "for", value_name = "NAME")]
        subject: String,
        /// A role; may be repeated
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// A region that the roles are limited to, with those below it; may be repeated
        #[arg(long = "region", value_name = "CODE")]
        regions: Vec<String>,
        /// The last day of its life, YYYY-MM-DD (to its end, UTC), or so many days, such as 90d
        #[arg(long, value_name = "DATE|DAYS")]
        expires: String,
        /// A note, such as where it is used
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Lists tokens, newest first: what they are for, never what they are
    List {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Revokes a token: it counts no more from this moment, on any server
    Revoke {
        /// Its id, as `token list` shows it
        id: String,
    },
}

/// Runs a command.
pub(super) async fn run(command: TokenCommand, config: &Config, named: Option<&str>) -> Result<(), Failure> {
    let caller = principal(config, named)?;
    match command {
        TokenCommand::Issue {
            subject,
            roles,
            regions,
            expires,
            note,
        } => {
            let issue = IssueToken {
                subject,
                roles,
                regions,
                expires_at: expiry(&expires)?,
                note,
            };
            let known = config.access.roles()?;
            let app = serve::open(config).await?;
            let issued = app.issue_token(&caller, &known, &issue).await?;
            let until = clock::format(issued.record.expires_at)?;
            output::aside(&format!(
                "token {} for {}, until {until}; it is shown this once / 令牌仅显示这一次\n",
                issued.record.id, issued.record.subject
            ));
            output::text(&format!("{}\n", issued.token.as_str()))
        }
        TokenCommand::List { output } => {
            let app = serve::open(config).await?;
            let now = clock::now();
            let rows = app.tokens().await?;
            let rows = rows.iter().map(|token| row(token, now));
            output.write(&Table {
                title: "访问令牌 Access tokens".to_owned(),
                unit: String::new(),
                notes: Vec::new(),
                columns: vec![
                    Column::new("id", "编号 Id"),
                    Column::new("subject", "持有人 Subject"),
                    Column::new("roles", "角色 Roles"),
                    Column::new("regions", "地区 Regions"),
                    Column::new("state", "状态 State"),
                    Column::new("issued", "签发 Issued"),
                    Column::new("issued_by", "签发人 Issued by"),
                    Column::new("expires", "到期 Expires"),
                    Column::new("note", "备注 Note"),
                ],
                rows: rows.collect::<Result<_, _>>()?,
                totals: false,
            })
        }
        TokenCommand::Revoke { id } => {
            let app = serve::open(config).await?;
            let token = app.revoke_token(&caller, &id).await?;
            output::text(&format!("{} {} revoked\n", token.id, token.subject))
        }
    }
}

fn row(token: &TokenRecord, now: i64) -> Result<Vec<Cell>, Error> {
    let regions: Vec<&str> = token.regions.iter().map(|region| region.as_str()).collect();
    let texts = [
        token.id.clone(),
        token.subject.to_string(),
        token.roles.join(" "),
        regions.join(" "),
        token.state(now).code().to_owned(),
        clock::format(token.issued_at)?,
        token.issued_by.to_string(),
        clock::format(token.expires_at)?,
        token.note.clone(),
    ];
    Ok(texts.into_iter().map(Cell::Text).collect())
}

/// When a token ends, in microseconds.
fn expiry(text: &str) -> Result<i64, Error> {
    const A_DAY: i64 = 86_400_000_000;
    if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok()) {
        return Ok(clock::now() + i64::from(days) * A_DAY);
    }
    let day = parse_date("expires", text).map_err(|_| {
        Violation::new(
            "expires",
            text,
            "a day, YYYY-MM-DD, or a number of days, such as 90d",
            "日期 YYYY-MM-DD,或天数,如 90d",
        )
    })?;
    let end = day.next_day().unwrap_or(day).midnight().assume_utc();
    Ok(end.unix_timestamp() * 1_000_000)
}
