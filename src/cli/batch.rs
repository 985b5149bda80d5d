//! `batch`: payment batches, from collecting claims to the bank's answers.

use super::client::{Client, request_id};
use super::fund::{PayerArgument, fund_name};
use super::output::{self, Failure, OutputArguments};
use super::{batch_tables, files};
use crate::grpc::pb;
use crate::tabular::MAX_BYTES;
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

#[derive(Debug, Subcommand)]
pub(super) enum BatchCommand {
    /// Collects payable claims of a programme into a new draft, in the order of their numbers
    Create(CreateArguments),
    /// Lists the batches of a fund
    List {
        /// Id of the fund
        fund: String,
        /// Only of this programme
        #[arg(long, value_name = "CODE")]
        programme: Option<String>,
        /// Only in this state
        #[arg(long, value_enum)]
        state: Option<StateArgument>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Shows a batch: its payments by payer and state
    Show {
        /// FUND/NUMBER
        batch: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Lists the payments of a batch, masked; before the release, what they will be
    Payments {
        /// FUND/NUMBER
        batch: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Takes claims out of a draft
    Remove {
        #[command(flatten)]
        change: ChangeArguments,
        /// Numbers of the claims
        #[arg(required = true)]
        claims: Vec<u64>,
    },
    /// Fixes the lines of a draft
    Freeze(ChangeArguments),
    /// Releases a frozen batch that other persons collected and froze
    Release(ChangeArguments),
    /// Gives up a batch that is not released
    Cancel(ChangeArguments),
    /// Writes a released batch as files for banks, one for each account that pays
    ///
    /// The files hold names and account numbers: only their owner may read them.
    Export(ExportArguments),
    /// Takes a bank's result file: pain.002, CSV or XLSX
    Results {
        /// FUND/NUMBER, or FUND where the file answers several batches
        batch: String,
        /// The file
        file: PathBuf,
        /// Checks only
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Notes the bank's answer to one payment by hand
    Record(RecordArguments),
}

#[derive(Debug, Args)]
pub(super) struct CreateArguments {
    /// Id of the fund
    fund: String,
    /// Code of the programme, such as housing-purchase
    #[arg(long, value_name = "CODE")]
    programme: String,
    /// When the bank is to pay, YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    date: String,
    /// Only claims of this region
    #[arg(long, value_name = "CODE")]
    region: Option<String>,
    /// At most so many claims; 0 means 10,000
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    max_claims: u64,
    /// At most so much money
    #[arg(long, value_name = "YUAN", default_value = "")]
    max_amount: String,
    /// A note
    #[arg(long, default_value = "")]
    note: String,
    /// Checks only
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct ChangeArguments {
    /// FUND/NUMBER
    batch: String,
    /// Refuses unless the batch still has this etag
    #[arg(long, default_value = "")]
    etag: String,
    /// Checks only
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// FUND/NUMBER
    batch: String,
    /// What kind of file
    #[arg(long, value_enum)]
    format: FormatArgument,
    /// Only the money of this payer
    #[arg(long, value_enum)]
    payer: Option<PayerArgument>,
    /// Directory to write to
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    dir: PathBuf,
    /// Overwrites files that are there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub(super) struct RecordArguments {
    /// The payment's reference, such as RF24123C1
    reference: String,
    /// The bank has paid
    #[arg(long, conflicts_with = "failed", required_unless_present = "failed")]
    settled: bool,
    /// The bank has rejected it
    #[arg(long)]
    failed: bool,
    /// The amount as the bank says it; must be the payment's
    #[arg(long, value_name = "YUAN", default_value = "")]
    amount: String,
    /// The bank's number of the transaction
    #[arg(long, value_name = "TEXT", default_value = "")]
    bank_reference: String,
    /// The bank's day, YYYY-MM-DD; needed with --settled
    #[arg(long, value_name = "DATE", default_value = "")]
    date: String,
    /// Why it failed; needed with --failed
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Checks only
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum StateArgument {
    Draft,
    Frozen,
    Released,
    Closed,
    Cancelled,
}

impl From<StateArgument> for pb::BatchState {
    fn from(state: StateArgument) -> Self {
        match state {
            StateArgument::Draft => Self::Draft,
            StateArgument::Frozen => Self::Frozen,
            StateArgument::Released => Self::Released,
            StateArgument::Closed => Self::Closed,
            StateArgument::Cancelled => Self::Cancelled,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum FormatArgument {
    /// ISO 20022 pain.001.001.09
    Pain001,
    /// CSV in UTF-8
    Csv,
    /// CSV in GB18030
    CsvGb18030,
    /// Excel workbook
    Xlsx,
}

impl From<FormatArgument> for pb::BankFileFormat {
    fn from(format: FormatArgument) -> Self {
        match format {
            FormatArgument::Pain001 => Self::Pain001,
            FormatArgument::Csv => Self::Csv,
            FormatArgument::CsvGb18030 => Self::CsvGb18030,
            FormatArgument::Xlsx => Self::Xlsx,
        }
    }
}

/// Bytes of a file in one message.
const PIECE: usize = 256 << 10;
/// Lines in one page of a list.
const PAGE: i32 = 1_000;
/// From so many lines on a bar shows how far the work is.
const LONG: u64 = 2_000;

/// `funds/FUND/batches/NUMBER` from what a person types.
fn batch_name(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((fund, number)) if !name.contains("/batches/") => {
            format!("{}/batches/{number}", fund_name(fund))
        }
        _ => name.to_owned(),
    }
}

pub(super) async fn run(command: BatchCommand, mut client: Client) -> Result<(), Failure> {
    match command {
        BatchCommand::Create(arguments) => create(arguments, client).await,
        BatchCommand::List {
            fund,
            programme,
            state,
            output,
        } => {
            let batches = list(&mut client, &fund, programme, state).await?;
            output.write(&batch_tables::batches(&batches)?)
        }
        BatchCommand::Show { batch, output } => {
            let request = pb::GetBatchRequest {
                name: batch_name(&batch),
            };
            let found = client.disbursements.get_batch(request).await?.into_inner();
            output.write(&batch_tables::batch(
                &found.batch.unwrap_or_default(),
                &found.totals,
            )?)
        }
        BatchCommand::Payments { batch, output } => {
            let name = batch_name(&batch);
            output.write(&batch_tables::payments(
                &name,
                &payments(&mut client, &name).await?,
            )?)
        }
        BatchCommand::Remove { change, claims } => {
            let name = batch_name(&change.batch);
            let fund = name.split("/batches/").next().unwrap_or_default();
            let claims = claims.iter().map(|number| format!("{fund}/claims/{number}"));
            let request = pb::RemoveFromBatchRequest {
                claims: claims.collect(),
                etag: change.etag,
                request_id: request_id(),
                validate_only: change.dry_run,
                name,
            };
            let response = client.disbursements.remove_from_batch(request).await?;
            changed(response.into_inner().batch, change.dry_run)
        }
        BatchCommand::Freeze(change) => {
            let request = pb::FreezeBatchRequest {
                name: batch_name(&change.batch),
                etag: change.etag,
                request_id: request_id(),
                validate_only: change.dry_run,
            };
            let response = client.disbursements.freeze_batch(request).await?;
            changed(response.into_inner().batch, change.dry_run)
        }
        BatchCommand::Release(change) => {
            let request = pb::ReleaseBatchRequest {
                name: batch_name(&change.batch),
                etag: change.etag,
                request_id: request_id(),
                validate_only: change.dry_run,
            };
            let response = client.disbursements.release_batch(request).await?;
            changed(response.into_inner().batch, change.dry_run)
        }
        BatchCommand::Cancel(change) => {
            let request = pb::CancelBatchRequest {
                name: batch_name(&change.batch),
                etag: change.etag,
                request_id: request_id(),
                validate_only: change.dry_run,
            };
            let response = client.disbursements.cancel_batch(request).await?;
            changed(response.into_inner().batch, change.dry_run)
        }
        BatchCommand::Export(arguments) => export(arguments, client).await,
        BatchCommand::Results {
            batch,
            file,
            dry_run,
            output,
        } => results(&batch, &file, dry_run, &output, client).await,
        BatchCommand::Record(arguments) => record(arguments, client).await,
    }
}

fn changed(batch: Option<pb::PaymentBatch>, dry_run: bool) -> Result<(), Failure> {
    let batch = batch.unwrap_or_default();
    let (en, zh) = batch_tables::batch_words(batch.state);
    let dry = if dry_run {
        " (dry run, nothing changed / 试运行,未更改)"
    } else {
        ""
    };
    output::text(&format!(
        "{}: {en} / {zh}, {} payment(s) / 笔, {} yuan / 元{dry}, etag {}\n",
        batch.name, batch.payments, batch.amount, batch.etag
    ))
}

async fn create(arguments: CreateArguments, mut client: Client) -> Result<(), Failure> {
    let region = arguments.region.map(|code| format!("regions/{code}"));
    let request = pb::CreateBatchRequest {
        fund: fund_name(&arguments.fund),
        programme: format!("programmes/{}", arguments.programme),
        region: region.unwrap_or_default(),
        execution_date: arguments.date,
        max_claims: arguments.max_claims,
        max_amount: arguments.max_amount,
        note: arguments.note,
        request_id: request_id(),
        validate_only: arguments.dry_run,
    };
    let response = client.disbursements.create_batch(request).await?;
    changed(response.into_inner().batch, arguments.dry_run)
}

async fn list(
    client: &mut Client,
    fund: &str,
    programme: Option<String>,
    state: Option<StateArgument>,
) -> Result<Vec<pb::PaymentBatch>, Failure> {
    let programme = programme
        .map(|code| format!("programmes/{code}"))
        .unwrap_or_default();
    let state: i32 = state.map_or(pb::BatchState::Unspecified, Into::into).into();
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListBatchesRequest {
            fund: fund_name(fund),
            programme: programme.clone(),
            state,
            page_size: PAGE,
            page_token,
        };
        let response = client.disbursements.list_batches(request).await?.into_inner();
        found.extend(response.batches);
        if response.next_page_token.is_empty() {
            return Ok(found);
        }
        page_token = response.next_page_token;
    }
}

async fn payments(client: &mut Client, name: &str) -> Result<Vec<pb::Payment>, Failure> {
    let request = pb::GetBatchRequest {
        name: name.to_owned(),
    };
    let batch = client.disbursements.get_batch(request).await?.into_inner().batch;
    let bar = progress(batch.map_or(0, |batch| batch.payments), "{pos}/{len} payments");
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListPaymentsRequest {
            batch: name.to_owned(),
            page_size: PAGE,
            page_token,
        };
        let response = client.disbursements.list_payments(request).await?.into_inner();
        bar.inc(response.payments.len() as u64);
        found.extend(response.payments);
        if response.next_page_token.is_empty() {
            bar.finish_and_clear();
            return Ok(found);
        }
        page_token = response.next_page_token;
    }
}

/// A file of an export, as it comes in.
struct Incoming {
    header: pb::BankFileHeader,
    bytes: Zeroizing<Vec<u8>>,
}

async fn export(arguments: ExportArguments, mut client: Client) -> Result<(), Failure> {
    let request = pb::ExportBatchRequest {
        name: batch_name(&arguments.batch),
        format: pb::BankFileFormat::from(arguments.format).into(),
        payer: arguments.payer.map_or(pb::Payer::Unspecified, Into::into).into(),
    };
    let mut answers = client.disbursements.export_batch(request).await?.into_inner();
    let mut incoming: Vec<Incoming> = Vec::new();
    let bar = progress(0, "{bytes}/{total_bytes}");
    while let Some(answer) = answers.message().await? {
        use pb::export_batch_response::Content;
        match (answer.content, incoming.last_mut()) {
            (Some(Content::Header(header)), _) => {
                bar.inc_length(header.bytes);
                incoming.push(Incoming {
                    header,
                    bytes: Zeroizing::default(),
                });
            }
            (Some(Content::Piece(piece)), Some(file)) => {
                bar.inc(piece.len() as u64);
                file.bytes.extend(piece);
            }
            _ => return Err(cut_short()),
        }
    }
    bar.finish_and_clear();
    let paths = paths(&arguments, &incoming)?;
    let mut lines = String::new();
    for (Incoming { header, bytes }, path) in incoming.iter().zip(paths) {
        files::write_private(&path, bytes, arguments.force)?;
        lines.push_str(&format!(
            "{}: {} payment(s) / 笔, {} yuan / 元\n",
            path.display(),
            header.payments,
            header.amount
        ));
    }
    output::text(&lines)
}

/// Where the files go. All is checked before any is written.
fn paths(arguments: &ExportArguments, incoming: &[Incoming]) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::with_capacity(incoming.len());
    for Incoming { header, bytes } in incoming {
        // A name from elsewhere must not lead out of the directory.
        let name = Path::new(&header.file_name).file_name();
        let plain = name.filter(|name| *name == header.file_name.as_str());
        let (Some(name), true) = (plain, bytes.len() as u64 == header.bytes) else {
            return Err(cut_short());
        };
        let path = arguments.dir.join(name);
        if path.exists() && !arguments.force {
            return Err(files::exists(&path));
        }
        paths.push(path);
    }
    if paths.is_empty() {
        Err(cut_short())
    } else {
        Ok(paths)
    }
}

fn cut_short() -> Failure {
    Failure::usage("the export was cut short, nothing was written / 导出不完整,未写入文件")
}

async fn results(
    batch: &str,
    file: &Path,
    dry_run: bool,
    output: &OutputArguments,
    mut client: Client,
) -> Result<(), Failure> {
    use pb::import_results_request::Content;
    let bytes = files::read(file, MAX_BYTES)?;
    let name = file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let parent = if batch.trim_start_matches("funds/").contains('/') {
        batch_name(batch)
    } else {
        fund_name(batch)
    };
    let header = pb::ImportResultsHeader {
        parent,
        file_name: name.clone(),
        request_id: request_id(),
        validate_only: dry_run,
    };
    let message = |content| pb::ImportResultsRequest {
        content: Some(content),
    };
    let bar = progress(bytes.len() as u64, "{bytes}/{total_bytes}");
    let sent = bar.clone();
    let pieces: Vec<Vec<u8>> = bytes.chunks(PIECE).map(<[u8]>::to_vec).collect();
    let pieces = pieces.into_iter().map(move |piece| {
        sent.inc(piece.len() as u64);
        message(Content::Piece(piece))
    });
    let messages = std::iter::once(message(Content::Header(header))).chain(pieces);
    let response = client
        .disbursements
        .import_results(tokio_stream::iter(messages))
        .await;
    bar.finish_and_clear();
    output.write(&batch_tables::results(&name, &response?.into_inner(), dry_run))
}

async fn record(arguments: RecordArguments, mut client: Client) -> Result<(), Failure> {
    let state = if arguments.settled {
        pb::PaymentState::Settled
    } else {
        pb::PaymentState::Failed
    };
    let request = pb::RecordPaymentResultRequest {
        reference: arguments.reference,
        amount: arguments.amount,
        state: state.into(),
        bank_reference: arguments.bank_reference,
        date: arguments.date,
        reason: arguments.reason,
        request_id: request_id(),
        validate_only: arguments.dry_run,
    };
    let response = client.disbursements.record_payment_result(request).await?;
    let payment = response.into_inner().payment.unwrap_or_default();
    let dry = if arguments.dry_run {
        " (dry run, nothing changed / 试运行,未更改)"
    } else {
        ""
    };
    let words = if arguments.settled {
        "settled / 支付成功"
    } else {
        "failed / 支付失败"
    };
    output::text(&format!(
        "{} {}: {words}, {} yuan / 元{dry}\n",
        payment.reference, payment.claim, payment.amount
    ))
}

/// A bar on standard error; nothing where that is no terminal, or the work is short.
fn progress(length: u64, what: &str) -> ProgressBar {
    let bar = if length == 0 || length >= LONG {
        ProgressBar::new(length)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template(&format!("{{bar:40}} {what} {{elapsed}}")) {
        bar.set_style(style);
    }
    bar
}
