//! `statement import`, `list` and `show`: what comes from banks, kept.

use super::client::{Client, request_id};
use super::output::{Failure, OutputArguments};
use super::reconcile::tables::{lines, statements};
use super::reconcile::{account_name, part_name};
use crate::domain::error::Error;
use crate::grpc::pb;
use crate::statement::Mapping;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// The file: camt.053, MT940, or a table (CSV, XLSX) with a mapping
    file: PathBuf,
    /// The account that it must be of, such as city or county-411024; default: any that is configured
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// What it is written in; default: told from its content
    #[arg(long, value_enum)]
    file_format: Option<FormatArgument>,
    /// For tables: the code of a mapping, or a file with one in TOML
    #[arg(long, value_name = "CODE|FILE")]
    mapping: Option<String>,
    /// First day, where the file does not say it
    #[arg(long, value_name = "DATE", default_value = "")]
    from: String,
    /// Last day, where the file does not say it
    #[arg(long, value_name = "DATE", default_value = "")]
    to: String,
    /// Balance before the first line, where the file does not say it
    #[arg(long, value_name = "YUAN", default_value = "", allow_hyphen_values = true)]
    opening: String,
    /// Balance after the last line, where the file does not say it
    #[arg(long, value_name = "YUAN", default_value = "", allow_hyphen_values = true)]
    closing: String,
    /// Checks everything and stores nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// The account, such as city or county-411024
    account: String,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// ACCOUNT/NUMBER
    statement: String,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArgument {
    /// ISO 20022 camt.053
    Camt,
    /// SWIFT MT940
    Mt940,
    /// CSV
    Csv,
    /// Excel workbook
    Xlsx,
}

impl From<FormatArgument> for pb::StatementFormat {
    fn from(format: FormatArgument) -> Self {
        match format {
            FormatArgument::Camt => Self::Camt,
            FormatArgument::Mt940 => Self::Mt940,
            FormatArgument::Csv => Self::Csv,
            FormatArgument::Xlsx => Self::Xlsx,
        }
    }
}

/// Bytes of a file in one message.
const PIECE: usize = 256 << 10;
/// Pieces that wait to be sent: the file is never in memory.
const AHEAD: usize = 4;
/// Lines in one page of a list.
const PAGE: i32 = 1_000;

impl ImportArguments {
    /// The mapping that was named.
    pub(super) fn mapping(&self) -> Option<&str> {
        self.mapping.as_deref()
    }
}

pub(super) async fn import(
    arguments: ImportArguments,
    mapping: Option<Mapping>,
    mut client: Client,
) -> Result<(), Failure> {
    use pb::import_statement_request::Content;
    let path = &arguments.file;
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let length = file.metadata().map_or(0, |about| about.len());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let header = pb::ImportStatementHeader {
        account: arguments.account.as_deref().map(account_name).unwrap_or_default(),
        file_name: name.unwrap_or_default(),
        format: arguments
            .file_format
            .map_or(pb::StatementFormat::Unspecified, Into::into)
            .into(),
        mapping: mapping
            .map(|mapping| toml::to_string(mapping.document()))
            .transpose()
            .map_err(Error::internal)?
            .unwrap_or_default(),
        request_id: request_id(),
        validate_only: arguments.dry_run,
        from_date: arguments.from,
        to_date: arguments.to,
        opening: arguments.opening,
        closing: arguments.closing,
        bytes: length,
    };
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}") {
        bar.set_style(style);
    }
    let (sender, receiver) = tokio::sync::mpsc::channel(AHEAD);
    let sent = bar.clone();
    let reading = tokio::task::spawn_blocking(move || {
        read(file, |piece| {
            sent.inc(piece.len() as u64);
            sender.blocking_send(piece).is_ok()
        })
    });
    let message = |content| pb::ImportStatementRequest {
        content: Some(content),
    };
    let pieces = ReceiverStream::new(receiver).map(move |piece| message(Content::Piece(piece)));
    let messages = tokio_stream::once(message(Content::Header(header))).chain(pieces);
    let response = client.reconciliations.import_statement(messages).await;
    bar.finish_and_clear();
    let imported = response?.into_inner();
    let read = reading.await.map_err(|join| Failure::failed(join.to_string()))?;
    read.map_err(|error| Failure::file(path, &error))?;
    let title = match (imported.known, arguments.dry_run) {
        (true, _) => "此前已导入 Imported before",
        (_, true) => "试运行,未导入 Dry run, nothing imported",
        _ => "已导入 Imported",
    };
    arguments.output.write(&statements(title, &imported.statements)?)
}

/// Hands a file over in pieces, as long as they are taken.
fn read(mut file: File, mut hand_over: impl FnMut(Vec<u8>) -> bool) -> std::io::Result<()> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        file.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() || !hand_over(piece) {
            return Ok(());
        }
    }
}

pub(super) async fn list(arguments: ListArguments, mut client: Client) -> Result<(), Failure> {
    let account = account_name(&arguments.account);
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListStatementsRequest {
            account: account.clone(),
            page_size: PAGE,
            page_token,
        };
        let page = client
            .reconciliations
            .list_statements(request)
            .await?
            .into_inner();
        found.extend(page.statements);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let title = format!("对账单 Statements of {account}");
    arguments.output.write(&statements(&title, &found)?)
}

pub(super) async fn show(arguments: ShowArguments, mut client: Client) -> Result<(), Failure> {
    let statement = part_name(&arguments.statement, "statements");
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListStatementLinesRequest {
            statement: statement.clone(),
            page_size: PAGE,
            page_token,
        };
        let page = client
            .reconciliations
            .list_statement_lines(request)
            .await?
            .into_inner();
        found.extend(page.lines);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    arguments.output.write(&lines(&statement, &found)?)
}
