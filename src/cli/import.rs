//! `import`: regions, indicators and observations from files.

use super::client::{Client, request_id};
use super::files;
use super::output::{self, Failure};
use crate::domain::statistics::ObservationRow;
use crate::grpc::convert::statistics::{fault, from_indicator, from_region, from_row};
use crate::grpc::pb;
use crate::tabular;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use tonic::Code;

#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// Regions: columns code, name_zh, name_en, kind, parent, note
    Regions {
        /// CSV or XLSX
        file: PathBuf,
        /// Checks only
        #[arg(long)]
        dry_run: bool,
    },
    /// Indicators: columns code, name_zh, name_en, unit, decimals, minimum, maximum, description
    Indicators {
        /// CSV or XLSX
        file: PathBuf,
        /// Checks only
        #[arg(long)]
        dry_run: bool,
    },
    /// Observations: columns region, indicator, year, value, unit, source
    Observations {
        /// CSV or XLSX
        file: PathBuf,
        /// Id of the data set; made where there is none
        #[arg(long, value_name = "ID")]
        data_set: String,
        /// Title for a new data set; default: its id
        #[arg(long)]
        title: Option<String>,
        /// Checks only
        #[arg(long)]
        dry_run: bool,
    },
}

/// Rows in one message of a stream.
const BATCH: usize = 1_000;
/// Regions or indicators in one page of a list.
const PAGE: i32 = 1_000;

pub(super) async fn run(command: ImportCommand, mut client: Client) -> Result<(), Failure> {
    let (count, what, dry_run) = match command {
        ImportCommand::Regions { file, dry_run } => (
            regions(&mut client, &file, dry_run).await?,
            "regions / 个地区",
            dry_run,
        ),
        ImportCommand::Indicators { file, dry_run } => (
            indicators(&mut client, Some(&file), dry_run).await?,
            "indicators / 个指标",
            dry_run,
        ),
        ImportCommand::Observations {
            file,
            data_set,
            title,
            dry_run,
        } => {
            let revision = observations(&mut client, &file, &data_set, title.as_deref(), dry_run).await?;
            let pb::DataSetRevision {
                name,
                digest,
                added,
                revised,
                unchanged,
                ..
            } = revision;
            let verb = if dry_run {
                "checked, nothing stored / 已校验,未入库"
            } else {
                "stored / 已入库"
            };
            return output::text(&format!(
                "{name} {digest}\n{added} added, {revised} revised, {unchanged} unchanged: {verb}\n"
            ));
        }
    };
    let verb = if dry_run {
        "checked, nothing stored / 已校验,未入库"
    } else {
        "imported / 已导入"
    };
    output::text(&format!("{count} {what} {verb}\n"))
}

fn read(file: &Path) -> Result<tabular::Sheet, Failure> {
    let bytes = files::read(file, tabular::MAX_BYTES)?;
    let name = file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    Ok(tabular::read(&name, &bytes)?)
}

/// The regions of a file.
pub(super) fn read_regions(file: &Path) -> Result<Vec<pb::Region>, Failure> {
    Ok(tabular::regions(&read(file)?)?.iter().map(from_region).collect())
}

/// The indicators of a file, or those that come with the program.
pub(super) fn read_indicators(file: Option<&Path>) -> Result<Vec<pb::Indicator>, Failure> {
    let sheet = match file {
        Some(file) => read(file)?,
        None => tabular::read("indicators.csv", BUILT_IN_INDICATORS)?,
    };
    Ok(tabular::indicators(&sheet)?.iter().map(from_indicator).collect())
}

/// The observations of a file.
pub(super) fn read_observations(file: &Path) -> Result<Vec<pb::ObservationRow>, Failure> {
    let rows = tabular::observation_rows(&read(file)?)?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Imports the regions of a file.
pub(super) async fn regions(client: &mut Client, file: &Path, validate_only: bool) -> Result<u32, Failure> {
    let request = pb::ImportRegionsRequest {
        regions: read_regions(file)?,
        request_id: request_id(),
        validate_only,
    };
    Ok(client
        .statistics
        .import_regions(request)
        .await?
        .into_inner()
        .imported)
}

/// The indicators that come with the program.
const BUILT_IN_INDICATORS: &[u8] = include_bytes!("../../config/indicators.csv");

/// Imports the indicators of a file, or those that come with the program.
pub(super) async fn indicators(
    client: &mut Client,
    file: Option<&Path>,
    validate_only: bool,
) -> Result<u32, Failure> {
    let request = pb::ImportIndicatorsRequest {
        indicators: read_indicators(file)?,
        request_id: request_id(),
        validate_only,
    };
    Ok(client
        .statistics
        .import_indicators(request)
        .await?
        .into_inner()
        .imported)
}

/// Imports the observations of a file into a data set, which is made where there is none.
///
/// The rows are checked first: the refusal of an import has room for a few faults only, and no data
/// set is to be made for rows that will be refused.
pub(super) async fn observations(
    client: &mut Client,
    file: &Path,
    data_set: &str,
    title: Option<&str>,
    validate_only: bool,
) -> Result<pb::DataSetRevision, Failure> {
    let rows = tabular::observation_rows(&read(file)?)?;
    let header = pb::ImportObservationsHeader {
        data_set: format!("dataSets/{data_set}"),
        request_id: request_id(),
        validate_only,
    };
    let checked = check(client, header.clone(), &rows).await?;
    if validate_only {
        return Ok(checked);
    }
    let create = pb::CreateDataSetRequest {
        data_set_id: data_set.to_owned(),
        title: title.unwrap_or(data_set).to_owned(),
        request_id: request_id(),
        validate_only: false,
    };
    match client.statistics.create_data_set(create).await {
        Err(status) if status.code() != Code::AlreadyExists => return Err(status.into()),
        _ => {}
    }
    let bar = progress(rows.len());
    let sent = bar.clone();
    let messages = batches(rows).map(move |rows| {
        sent.inc(rows.rows.len() as u64);
        import_message(pb::import_observations_request::Content::Rows(rows))
    });
    let messages = std::iter::once(import_message(pb::import_observations_request::Content::Header(
        header,
    )))
    .chain(messages);
    let response = client
        .statistics
        .import_observations(tokio_stream::iter(messages))
        .await;
    bar.finish_and_clear();
    Ok(response?.into_inner().revision.unwrap_or_default())
}

/// What an import would do, or every fault.
async fn check(
    client: &mut Client,
    header: pb::ImportObservationsHeader,
    rows: &[ObservationRow],
) -> Result<pb::DataSetRevision, Failure> {
    use pb::check_observations_request::Content;
    let message = |content| pb::CheckObservationsRequest {
        content: Some(content),
    };
    let rows = batches(rows.to_vec()).map(move |rows| message(Content::Rows(rows)));
    let messages: Vec<_> = std::iter::once(message(Content::Header(header)))
        .chain(rows)
        .collect();
    let mut answers = client
        .statistics
        .check_observations(tokio_stream::iter(messages))
        .await?
        .into_inner();
    let mut faults = Vec::new();
    let mut revision = None;
    while let Some(answer) = answers.message().await? {
        faults.extend(answer.faults.into_iter().map(fault));
        revision = revision.or(answer.revision);
    }
    if faults.is_empty() {
        Ok(revision.unwrap_or_default())
    } else {
        Err(faults.into())
    }
}

fn import_message(content: pb::import_observations_request::Content) -> pb::ImportObservationsRequest {
    pb::ImportObservationsRequest {
        content: Some(content),
    }
}

/// Every region that has been imported.
pub(super) async fn all_regions(client: &mut Client) -> Result<Vec<pb::Region>, Failure> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListRegionsRequest {
            parent: String::new(),
            page_size: PAGE,
            page_token,
        };
        let response = client.statistics.list_regions(request).await?.into_inner();
        found.extend(response.regions);
        if response.next_page_token.is_empty() {
            return Ok(found);
        }
        page_token = response.next_page_token;
    }
}

/// A bar on standard error; nothing where that is no terminal.
fn progress(rows: usize) -> ProgressBar {
    let bar = ProgressBar::new(rows as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} rows {elapsed}") {
        bar.set_style(style);
    }
    bar
}

/// Rows cut into messages.
fn batches(rows: Vec<ObservationRow>) -> impl Iterator<Item = pb::ObservationRows> + Send + 'static {
    let mut rows = rows.into_iter();
    std::iter::from_fn(move || {
        let rows: Vec<pb::ObservationRow> = rows.by_ref().take(BATCH).map(from_row).collect();
        (!rows.is_empty()).then_some(pb::ObservationRows { rows })
    })
}
