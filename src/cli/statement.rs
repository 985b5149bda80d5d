//! `statement`: what banks say of an account.

use super::client::Client;
use super::output::{self, Failure, OutputArguments};
use super::statement_file;
use super::tables::{UNIT, text};
use crate::config::Config;
use crate::domain::error::Violation;
use crate::domain::money::Money;
use crate::domain::payment::AccountNumber;
use crate::domain::reconciliation::StatementKind;
use crate::report::{Cell, Column, Table};
use crate::statement::{
    Given, LinePreview, Mapping, Preview, Reader, Source, StatementPreview, mapping, shipped,
};
use clap::Subcommand;
use std::fs::File;
use std::path::{Path, PathBuf};
use time::Date;
use time::format_description::well_known::Iso8601;

/// Longest mapping that is read from a file, in bytes.
const MAX_MAPPING: usize = 1 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum StatementCommand {
    /// Shows what is made of a file, masked, and whether it adds up; keeps nothing
    ///
    /// Exit code 0: it would be taken; 2: it has faults.
    Preview(Box<PreviewArguments>),
    /// Lists the mappings for tables of banks
    Mappings {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Takes a statement file, whole or not at all
    Import(Box<statement_file::ImportArguments>),
    /// Lists the statements of an account
    List(statement_file::ListArguments),
    /// Shows the lines of a statement, masked, and what became of them
    Show(statement_file::ShowArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct PreviewArguments {
    /// The file: camt.053 or camt.054 (XML), MT940, CSV or XLSX; - reads standard input
    file: PathBuf,
    /// For tables: the code of a mapping, or a file with one in TOML
    #[arg(long, value_name = "CODE|FILE")]
    mapping: Option<String>,
    /// How many lines of each statement are shown
    #[arg(long, default_value = "10", value_name = "N")]
    lines: usize,
    /// The account, where the file does not say it
    #[arg(long, value_name = "NUMBER")]
    account: Option<String>,
    /// The first day, where the file does not say it
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<String>,
    /// The last day, where the file does not say it
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<String>,
    /// The balance before the first line, where the file does not say it
    #[arg(long, value_name = "YUAN", allow_hyphen_values = true)]
    opening: Option<String>,
    /// The balance behind the last line, where the file does not say it
    #[arg(long, value_name = "YUAN", allow_hyphen_values = true)]
    closing: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Carries out a command; only what is kept needs the services.
pub(super) async fn run<F, Fut>(command: StatementCommand, config: &Config, connect: F) -> Result<(), Failure>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<Client, Failure>>,
{
    match command {
        StatementCommand::Preview(arguments) => preview(*arguments, config),
        StatementCommand::Mappings { output } => output.write(&mappings(config)?),
        StatementCommand::Import(arguments) => {
            let mapping = arguments.mapping();
            let mapping = mapping.map(|named| chosen(named, config)).transpose()?;
            statement_file::import(*arguments, mapping, connect().await?).await
        }
        StatementCommand::List(arguments) => statement_file::list(arguments, connect().await?).await,
        StatementCommand::Show(arguments) => statement_file::show(arguments, connect().await?).await,
    }
}

fn preview(arguments: PreviewArguments, config: &Config) -> Result<(), Failure> {
    let mapping = arguments
        .mapping
        .as_deref()
        .map(|named| chosen(named, config))
        .transpose()?;
    let given = given(&arguments)?;
    let source: Source = if arguments.file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(&arguments.file).map_err(|error| Failure::file(&arguments.file, &error))?)
    };
    let reader = Reader::open(source, mapping.as_ref(), given)?;
    let found = Preview::of(reader, arguments.lines);
    arguments.output.write(&lines(&found))?;
    if arguments.output.is_for_reading() {
        output::text(&summary(&found))?;
    }
    if found.faults.is_empty() {
        Ok(())
    } else {
        Err(found.faults.into())
    }
}

/// A mapping by its code, or from a file.
fn chosen(named: &str, config: &Config) -> Result<Mapping, Failure> {
    if !named.ends_with(".toml") {
        return Ok(mapping(named, &config.statement.mappings()?)?);
    }
    let path = Path::new(named);
    let bytes = super::files::read(path, MAX_MAPPING)?;
    let text = String::from_utf8(bytes)
        .ok()
        .filter(|text| text.len() <= MAX_MAPPING);
    let text = text.ok_or_else(|| {
        let most = MAX_MAPPING >> 20;
        Violation::new(
            "--mapping",
            "another file",
            format!("a mapping in TOML, UTF-8, at most {most} MiB"),
            format!("UTF-8 编码、至多 {most} MiB 的 TOML 映射"),
        )
    });
    Mapping::parse(&text.map_err(|violation| vec![violation])?)
        .map_err(|faults| Failure::from(faults).within(named))
}

fn given(arguments: &PreviewArguments) -> Result<Given, Vec<Violation>> {
    let mut faults = Vec::new();
    let mut keep = |fault: Violation| faults.push(fault);
    let day = |name: &str, text: &Option<String>, keep: &mut dyn FnMut(Violation)| -> Option<Date> {
        let text = text.as_deref()?;
        let parsed = Date::parse(text, &Iso8601::DATE).ok();
        if parsed.is_none() {
            keep(Violation::new(
                name,
                text,
                "a day such as 2025-06-13",
                "日期,如 2025-06-13",
            ));
        }
        parsed
    };
    let amount = |name: &str, text: &Option<String>, keep: &mut dyn FnMut(Violation)| -> Option<Money> {
        let parsed = Money::parse(name, text.as_deref()?);
        parsed.map_err(keep).ok()
    };
    let account = arguments.account.as_deref();
    let given = Given {
        account: account.and_then(|text| AccountNumber::parse("--account", text).map_err(&mut keep).ok()),
        from: day("--from", &arguments.from, &mut keep),
        to: day("--to", &arguments.to, &mut keep),
        opening: amount("--opening", &arguments.opening, &mut keep),
        closing: amount("--closing", &arguments.closing, &mut keep),
    };
    if faults.is_empty() { Ok(given) } else { Err(faults) }
}

fn mappings(config: &Config) -> Result<Table, Failure> {
    let own = config.statement.mappings()?;
    let shipped = shipped()?;
    let replaced = |mapping: &&Mapping| own.iter().all(|other| other.code() != mapping.code());
    let all = own.iter().chain(shipped.iter().filter(replaced));
    let rows = all.map(|mapping| {
        let document = mapping.document();
        let names = format!("{} {}", document.name_zh, document.name_en);
        vec![text(&document.code), text(names), text(&document.source)]
    });
    Ok(Table {
        title: "对账单映射 Mappings for statements".to_owned(),
        unit: String::new(),
        notes: Vec::new(),
        columns: vec![
            Column::new("code", "代码 Code"),
            Column::new("name", "名称 Name"),
            Column::new("source", "依据 Source"),
        ],
        rows: rows.collect(),
        totals: false,
    })
}

/// The first lines of all statements.
fn lines(preview: &Preview) -> Table {
    let several = preview.statements.len() > 1;
    let mut columns = vec![
        Column::new("line", "行 Line"),
        Column::new("at", "文件行 In file"),
        Column::new("booked", "记账日 Booked"),
        Column::new("valued", "起息日 Valued"),
        Column::new("direction", "方向 Direction"),
        Column::new("amount", "金额 Amount"),
        Column::new("reversal", "冲正 Reversal"),
        Column::new("reference", "参考号 Reference"),
        Column::new("order", "批次 Order"),
        Column::new("bank_reference", "银行流水 Bank's number"),
        Column::new("counterparty_account", "对方账号 Account"),
        Column::new("counterparty_name", "对方户名 Name"),
        Column::new("text", "摘要 Text"),
    ];
    if several {
        columns.insert(0, Column::new("statement", "对账单 Statement"));
    }
    let rows = preview.statements.iter().enumerate().flat_map(|(at, statement)| {
        statement.lines.iter().map(move |line| {
            let mut row = row(line);
            if several {
                row.insert(0, number(at as u64 + 1));
            }
            row
        })
    });
    Table {
        title: format!("对账单预览 Statement preview ({})", preview.format.code()),
        unit: UNIT.to_owned(),
        notes: Vec::new(),
        columns,
        rows: rows.collect(),
        totals: false,
    }
}

fn row(line: &LinePreview) -> Vec<Cell> {
    vec![
        number(line.line),
        number(line.at),
        text(line.booked.to_string()),
        line.valued.map_or(Cell::Empty, |day| text(day.to_string())),
        text(format!("{} {}", line.direction.zh(), line.direction.code())),
        Cell::Money(line.amount),
        text(if line.reversal { "是 yes" } else { "" }),
        text(&line.reference),
        text(&line.order),
        text(&line.bank_reference),
        text(&line.counterparty_account),
        text(&line.counterparty_name),
        text(&line.text),
    ]
}

/// What is said beneath the lines: of each statement, and what was made of it.
fn summary(preview: &Preview) -> String {
    let mut lines = Vec::new();
    for statement in &preview.statements {
        lines.push(head(statement));
        let shown = statement.lines.len() as u64;
        let more = (statement.debits.count + statement.credits.count).saturating_sub(shown);
        lines.push(format!(
            "  {} debits {} / 借 {0} 笔; {} credits {} / 贷 {2} 笔; {more} more lines / 另有 {more} 行未显示",
            statement.debits.count,
            statement.debits.sum.grouped(),
            statement.credits.count,
            statement.credits.sum.grouped(),
        ));
        lines.push(format!(
            "  {} with our reference / 含参考号 {0}; {} with an order / 含批次 {1}; {} reversals / 冲正 {2}",
            statement.with_reference, statement.with_order, statement.reversals
        ));
        lines.push(if statement.adds_up {
            "  adds up / 核对相符".to_owned()
        } else {
            "  would be refused, see below / 不予接受,见下".to_owned()
        });
    }
    let shown = preview.statements.len() as u64;
    if preview.count > shown {
        let more = preview.count - shown;
        lines.push(format!("{more} more statements / 另有 {more} 份对账单"));
    }
    lines.join("\n") + "\n"
}

fn head(statement: &StatementPreview) -> String {
    let word = match statement.kind {
        StatementKind::Statement => "statement / 对账单",
        StatementKind::Notification => "notification / 到账通知",
    };
    let day = |day: Option<Date>| day.map_or_else(|| "?".to_owned(), |day| day.to_string());
    let amount = |amount: Option<Money>| amount.map_or_else(|| "?".to_owned(), Money::grouped);
    let number = statement
        .sequence
        .map(|sequence| format!(", number / 序号 {sequence}"))
        .unwrap_or_default();
    format!(
        "{word} {}{number}, account / 账号 {}, {} – {}, opening / 期初 {}, closing / 期末 {}",
        statement.identification,
        if statement.account.is_empty() {
            "?"
        } else {
            &statement.account
        },
        day(statement.from),
        day(statement.to),
        amount(statement.opening),
        amount(statement.closing),
    )
}

fn number(number: u64) -> Cell {
    Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
