//! `allocate`: import if asked, compute, print, keep as a draft.

use super::client::{Client, request_id};
use super::explain::{self, Language};
use super::output::{self, Failure, OutputArguments};
use super::{formula, import, runs, tables};
use crate::grpc::pb;
use std::path::{Path, PathBuf};

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
    /// A settlement of this issued advance: allocations/ID or ID
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

pub(super) async fn run(arguments: AllocateArguments, client: Client) -> Result<(), Failure> {
    if arguments.dry_run {
        dry_run(arguments, client).await
    } else {
        keep(arguments, client).await
    }
}

async fn keep(arguments: AllocateArguments, mut client: Client) -> Result<(), Failure> {
    let data_set = data_set_id(&arguments)?;
    if let Some(directory) = &arguments.import {
        import_directory(&mut client, directory, &data_set).await?;
    }
    let formula = match formula_file(&arguments.formula) {
        Some(file) => formula::create(&mut client, &file).await?.name,
        None => formula::resource_name(&arguments.formula),
    };
    let request = request(&arguments, formula, format!("dataSets/{data_set}"));
    let allocation = create(&mut client, request).await?;
    let kept = format!(
        "kept as / 已保存为 {} (draft / 草案, etag {})\n",
        allocation.name, allocation.etag
    );
    if !arguments.output.is_for_reading() {
        // Before the result is written: where that fails the allocation is kept all the same.
        output::aside(&kept);
        return arguments.output.write(&tables::allocation(&allocation)?);
    }
    arguments.output.write(&tables::allocation(&allocation)?)?;
    if arguments.explain {
        let explanations = explain::stored(&mut client, &allocation.name, None).await?;
        output::text(&explain::sentences(&explanations, arguments.language))?;
    }
    output::text(&format!("\n{kept}"))
}

/// Imports regions, indicators and observations from the files of a directory.
pub(super) async fn import_directory(
    client: &mut Client,
    directory: &Path,
    data_set: &str,
) -> Result<(), Failure> {
    let files = Files::find(directory)?;
    if let Some(file) = &files.regions {
        import::regions(client, file, false).await?;
    }
    import::indicators(client, files.indicators.as_deref(), false).await?;
    import::observations(client, &files.observations, data_set, None, false).await?;
    Ok(())
}

/// Computes from the files themselves, so that neither they nor the result are kept.
async fn dry_run(arguments: AllocateArguments, mut client: Client) -> Result<(), Failure> {
    let file = formula_file(&arguments.formula);
    let named = match &file {
        Some(_) => String::new(),
        None => formula::resource_name(&arguments.formula),
    };
    let data_set = match &arguments.import {
        Some(_) => String::new(),
        None => format!("dataSets/{}", data_set_id(&arguments)?),
    };
    let create_request = request(&arguments, named, data_set);
    let (allocation, explanations) = if arguments.settles.is_some() {
        if file.is_some() || arguments.import.is_some() {
            return Err(Failure::usage(
                "a dry run of a settlement takes a stored formula and a stored data set \
                 / 清算试算须使用已保存的公式和数据集",
            ));
        }
        (create(&mut client, create_request).await?, Vec::new())
    } else {
        let mut compute = pb::ComputeAllocationRequest {
            document: file.as_deref().map(formula::read).transpose()?,
            formula: create_request.formula,
            data_set: create_request.data_set,
            pool: create_request.pool,
            year: create_request.year,
            scope: create_request.scope,
            advance_percent: create_request.advance_percent,
            ..pb::ComputeAllocationRequest::default()
        };
        if let Some(directory) = &arguments.import {
            let files = Files::find(directory)?;
            compute.regions = match &files.regions {
                Some(file) => import::read_regions(file)?,
                None => import::all_regions(&mut client).await?,
            };
            compute.indicators = import::read_indicators(files.indicators.as_deref())?;
            compute.observations = import::read_observations(&files.observations)?;
        }
        if arguments.explain && arguments.output.is_for_reading() {
            compute.explain = vec!["regions/-".to_owned()];
        }
        let answer = client.allocations.compute_allocation(compute).await?.into_inner();
        let allocation = pb::Allocation {
            fund: create_request.fund,
            title: create_request.title,
            ..answer.allocation.unwrap_or_default()
        };
        (allocation, answer.explanations)
    };
    arguments.output.write(&tables::allocation(&allocation)?)?;
    if arguments.output.is_for_reading() {
        if arguments.explain {
            output::text(&explain::sentences(&explanations, arguments.language))?;
        }
        output::text("\ndry run, nothing kept / 试算,未保存\n")?;
    }
    Ok(())
}

fn request(arguments: &AllocateArguments, formula: String, data_set: String) -> pb::CreateAllocationRequest {
    let stage = match (&arguments.advance, &arguments.settles) {
        (Some(_), _) => pb::AllocationStage::Advance,
        (_, Some(_)) => pb::AllocationStage::Settlement,
        _ => pb::AllocationStage::Full,
    };
    pb::CreateAllocationRequest {
        fund: format!("funds/{}", arguments.fund.as_deref().unwrap_or(DRY_RUN_FUND)),
        title: arguments.title.clone(),
        formula,
        data_set,
        pool: arguments.pool.clone(),
        year: arguments.year,
        scope: arguments
            .scope
            .as_ref()
            .map(|code| format!("regions/{code}"))
            .unwrap_or_default(),
        stage: stage.into(),
        advance_percent: arguments.advance.clone().unwrap_or_default(),
        settles: arguments
            .settles
            .as_deref()
            .map(runs::resource_name)
            .unwrap_or_default(),
        request_id: request_id(),
        validate_only: arguments.dry_run,
    }
}

async fn create(
    client: &mut Client,
    request: pb::CreateAllocationRequest,
) -> Result<pb::Allocation, Failure> {
    let answer = client.allocations.create_allocation(request).await?;
    Ok(answer.into_inner().allocation.unwrap_or_default())
}

/// The file, where the formula is one rather than the name of a stored one.
fn formula_file(formula: &str) -> Option<PathBuf> {
    let path = PathBuf::from(formula);
    let is_file = path.is_file() || path.extension().is_some_and(|extension| extension == "toml");
    is_file.then_some(path)
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
        .ok_or_else(|| {
            Failure::usage(
                "--import names no directory: add --data-set ID / --import 不含目录名,请加 --data-set ID",
            )
        })
}

/// The files of a directory to import.
struct Files {
    regions: Option<PathBuf>,
    indicators: Option<PathBuf>,
    observations: PathBuf,
}

impl Files {
    fn find(directory: &Path) -> Result<Self, Failure> {
        let found = |stem: &str| {
            ["csv", "xlsx"]
                .iter()
                .map(|extension| directory.join(format!("{stem}.{extension}")))
                .find(|path| path.is_file())
        };
        let observations = found("observations").ok_or_else(|| {
            Failure::usage(format!(
                "{0}: no observations.csv or observations.xlsx there / {0}:无 observations.csv 或 observations.xlsx",
                directory.display()
            ))
        })?;
        Ok(Self {
            regions: found("regions"),
            indicators: found("indicators"),
            observations,
        })
    }
}
