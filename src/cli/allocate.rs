//! `allocate`: import if asked, compute, print, keep as a draft.

use super::client::{Client, request_id};
use super::explain::{self, Language};
use super::output::{self, Failure, OutputArguments};
use super::{formula, import, tables};
use crate::grpc::pb;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct AllocateArguments {
    /// Formula: a TOML file, or the id of a stored one (ID or ID/revisions/N)
    #[arg(long, value_name = "FILE|ID")]
    formula: String,
    /// The pool in yuan, such as 86000000 or 86000000.00
    #[arg(long, value_name = "YUAN")]
    pool: String,
    /// Base year of the statistics
    #[arg(long)]
    year: i32,
    /// Id of the data set; with --import, default: the name of the directory
    #[arg(long, value_name = "ID", required_unless_present = "import")]
    data_set: Option<String>,
    /// First imports regions, indicators (else the built-in ones) and observations, .csv or .xlsx, from a directory; repeating it changes nothing
    #[arg(long, value_name = "DIR")]
    import: Option<PathBuf>,
    /// Id of the fund that the allocation is of
    #[arg(long, value_name = "ID", required_unless_present = "dry_run")]
    fund: Option<String>,
    /// Title of the allocation
    #[arg(long, default_value = "")]
    title: String,
    /// Code of the region whose parts take part; default: all regions that have data and contain no other
    #[arg(long, value_name = "CODE")]
    scope: Option<String>,
    /// An advance of this percentage of the pool
    #[arg(long, value_name = "PERCENT", conflicts_with = "settles")]
    advance: Option<String>,
    /// A settlement of this issued advance (allocations/ID)
    #[arg(long, value_name = "NAME")]
    settles: Option<String>,
    /// Computes and prints, and keeps nothing
    #[arg(long)]
    dry_run: bool,
    /// Also prints why each amount is what it is
    #[arg(long)]
    explain: bool,
    /// Language of the explanation
    #[arg(long, value_enum, default_value = "both")]
    language: Language,
    #[command(flatten)]
    output: OutputArguments,
}

/// The fund that a dry run is of where none is named.
const DRY_RUN_FUND: &str = "dry-run";

pub(super) async fn run(arguments: AllocateArguments, mut client: Client) -> Result<(), Failure> {
    let data_set = data_set_id(&arguments)?;
    if let Some(directory) = &arguments.import {
        import_directory(&mut client, directory, &data_set).await?;
    }
    let path = PathBuf::from(&arguments.formula);
    let is_file = path.is_file() || path.extension().is_some_and(|extension| extension == "toml");
    let formula = if is_file {
        formula::create(&mut client, &path).await?.name
    } else {
        formula::resource_name(&arguments.formula)
    };
    let stage = match (&arguments.advance, &arguments.settles) {
        (Some(_), _) => pb::AllocationStage::Advance,
        (_, Some(_)) => pb::AllocationStage::Settlement,
        _ => pb::AllocationStage::Full,
    };
    let request = pb::CreateAllocationRequest {
        fund: format!("funds/{}", arguments.fund.as_deref().unwrap_or(DRY_RUN_FUND)),
        title: arguments.title.clone(),
        formula: formula.clone(),
        data_set: format!("dataSets/{data_set}"),
        pool: arguments.pool.clone(),
        year: arguments.year,
        scope: arguments
            .scope
            .as_ref()
            .map(|code| format!("regions/{code}"))
            .unwrap_or_default(),
        stage: stage.into(),
        advance_percent: arguments.advance.clone().unwrap_or_default(),
        settles: arguments.settles.clone().unwrap_or_default(),
        request_id: request_id(),
        validate_only: arguments.dry_run,
    };
    let allocation = client
        .allocations
        .create_allocation(request.clone())
        .await?
        .into_inner()
        .allocation
        .unwrap_or_default();
    arguments.output.write(&tables::allocation(&allocation)?)?;
    if arguments.explain && arguments.output.is_for_reading() {
        let explanations = if arguments.dry_run {
            explain::computed(&mut client, &request).await?
        } else {
            explain::stored(&mut client, &allocation.name, None).await?
        };
        output::text(&explain::sentences(&explanations, arguments.language))?;
    }
    if arguments.output.is_for_reading() {
        let kept = if arguments.dry_run {
            "dry run, nothing kept / 试算,未保存".to_owned()
        } else {
            format!(
                "kept as / 已保存为 {} (draft / 草案, etag {})",
                allocation.name, allocation.etag
            )
        };
        output::text(&format!("\n{kept}\n"))?;
    }
    Ok(())
}

fn data_set_id(arguments: &AllocateArguments) -> Result<String, Failure> {
    if let Some(id) = &arguments.data_set {
        return Ok(id.clone());
    }
    let name = arguments
        .import
        .as_ref()
        .and_then(|directory| directory.file_name());
    name.map(|name| name.to_string_lossy().to_lowercase())
        .ok_or_else(|| Failure::usage("--import names no directory: add --data-set ID"))
}

async fn import_directory(
    client: &mut Client,
    directory: &std::path::Path,
    data_set: &str,
) -> Result<(), Failure> {
    let found = |stem: &str| {
        ["csv", "xlsx"]
            .iter()
            .map(|extension| directory.join(format!("{stem}.{extension}")))
            .find(|path| path.is_file())
    };
    if let Some(file) = found("regions") {
        import::regions(client, &file, false).await?;
    }
    match found("indicators") {
        Some(file) => import::indicators(client, &file, false).await?,
        None => import::built_in_indicators(client).await?,
    };
    let file = found("observations").ok_or_else(|| {
        Failure::usage(format!(
            "{}: no observations.csv or observations.xlsx there",
            directory.display()
        ))
    })?;
    import::observations(client, &file, data_set, None, false).await?;
    Ok(())
}
