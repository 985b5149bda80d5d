//! `simulate`: what an allocation would be if something were otherwise.

mod analysis;
mod files;
mod html;
mod keeping;
mod scenario_file;
mod sweeping;
mod tables;

use super::client::Client;
use super::output::{self, Failure};
use crate::app::simulation::document::Question;
use crate::grpc::pb;
use crate::report::simulation::Language;
use clap::Subcommand;
use files::FileArguments;
use indicatif::{ProgressBar, ProgressStyle};
use scenario_file::{FileSource, Section};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum SimulateCommand {
    /// Compares the scenarios of a file with its base
    Compare {
        #[command(flatten)]
        source: FileSource,
        #[command(flatten)]
        files: FileArguments,
    },
    /// Computes every point of a file's grid
    Sweep {
        #[command(flatten)]
        source: FileSource,
        #[command(flatten)]
        files: FileArguments,
    },
    /// Samples uncertain statistics: quantiles, chances, and what drives the variance
    MonteCarlo {
        #[command(flatten)]
        source: FileSource,
        #[command(flatten)]
        files: FileArguments,
    },
    /// Seeks the smallest change that meets the target of a file
    Goal {
        #[command(flatten)]
        source: FileSource,
        #[command(flatten)]
        files: FileArguments,
    },
    /// Finds how far a number can move before two regions change rank
    Stability {
        #[command(flatten)]
        source: FileSource,
        #[command(flatten)]
        files: FileArguments,
    },
    /// Measures inequality per head, and whether money leans to where migrants are
    Fairness {
        #[command(flatten)]
        source: FileSource,
        #[command(flatten)]
        files: FileArguments,
    },
    /// Asks every section of a file and lays it out as one HTML page that opens offline and prints on A4
    Report {
        #[command(flatten)]
        source: FileSource,
        /// Where the page is written
        #[arg(long, value_name = "FILE")]
        html: PathBuf,
        /// The language that the page opens in; it holds both
        #[arg(long, value_enum, default_value = "zh")]
        language: PageLanguage,
    },
    /// Computes a section of a file and keeps it, so that it can be fetched again or made a draft
    Keep {
        #[command(flatten)]
        source: FileSource,
        /// Which section
        #[arg(long, value_enum, default_value = "comparison")]
        section: Section,
        /// A title; default: that of the file
        #[arg(long)]
        title: Option<String>,
        /// Computes, and keeps nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Lists kept simulations, newest first
    List {
        #[command(flatten)]
        output: output::OutputArguments,
    },
    /// Computes a kept simulation again, checks that its result is the same, and shows it
    Show {
        /// simulations/ID or ID
        name: String,
        #[command(flatten)]
        files: FileArguments,
    },
    /// Makes a draft allocation of a scenario or point of a kept simulation
    Draft {
        /// simulations/ID or ID
        name: String,
        /// Of a comparison, the name of the scenario
        #[arg(long, default_value = "")]
        scenario: String,
        /// Of a sweep, the number of the point
        #[arg(long, default_value_t = 0)]
        point: u64,
        /// Id of the fund that the allocation is of
        #[arg(long, value_name = "ID")]
        fund: String,
        /// Title of the allocation
        #[arg(long, default_value = "")]
        title: String,
        /// Computes, and keeps nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// The language that a page opens in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PageLanguage {
    Zh,
    En,
}

pub(super) async fn run(command: SimulateCommand, mut client: Client) -> Result<(), Failure> {
    match command {
        SimulateCommand::Compare { source, files } => {
            let read = source.read(&mut client).await?;
            let Question::Comparison(asked) = read.section(Section::Comparison)? else {
                return Ok(());
            };
            let request = pb::CompareScenariosRequest {
                base: Some(read.base),
                comparison: Some(asked.into()),
            };
            let answer = client.simulations.compare_scenarios(request).await?.into_inner();
            comparison(&answer, &files)
        }
        SimulateCommand::Sweep { source, files } => {
            let read = source.read(&mut client).await?;
            let Question::Sweep(asked) = read.section(Section::Sweep)? else {
                return Ok(());
            };
            let asked = pb::Sweep::from(asked);
            let request = pb::RunSweepRequest {
                base: Some(read.base),
                sweep: Some(asked.clone()),
            };
            let mut stream = client.simulations.run_sweep(request).await?.into_inner();
            let mut reading = sweeping::Reading::new(&asked, &files);
            while let Some(message) = stream.message().await? {
                reading.take(message)?;
            }
            reading.finish()
        }
        SimulateCommand::MonteCarlo { source, files } => {
            let read = source.read(&mut client).await?;
            let Question::MonteCarlo(asked) = read.section(Section::MonteCarlo)? else {
                return Ok(());
            };
            let request = pb::RunMonteCarloRequest {
                base: Some(read.base),
                monte_carlo: Some(asked.into()),
                send_samples: false,
            };
            let mut stream = client.simulations.run_monte_carlo(request).await?.into_inner();
            let mut reading = analysis::Reading::new();
            while let Some(message) = stream.message().await? {
                reading.take(message);
            }
            reading.finish(&files)
        }
        SimulateCommand::Goal { source, files } => {
            let read = source.read(&mut client).await?;
            let Question::Goal(asked) = read.section(Section::Goal)? else {
                return Ok(());
            };
            let request = pb::SeekGoalRequest {
                base: Some(read.base),
                goal: Some(asked.into()),
            };
            let answer = client.simulations.seek_goal(request).await?.into_inner();
            analysis::goal(&answer, &files)
        }
        SimulateCommand::Stability { source, files } => {
            let read = source.read(&mut client).await?;
            let Question::Stability(asked) = read.section(Section::Stability)? else {
                return Ok(());
            };
            let request = pb::MeasureStabilityRequest {
                base: Some(read.base),
                stability: Some(asked.into()),
            };
            let answer = client.simulations.measure_stability(request).await?.into_inner();
            analysis::stability(&answer, &files)
        }
        SimulateCommand::Fairness { source, files } => {
            let read = source.read(&mut client).await?;
            let Question::Fairness(asked) = read.section(Section::Fairness)? else {
                return Ok(());
            };
            let request = pb::MeasureFairnessRequest {
                base: Some(read.base),
                fairness: Some(asked.into()),
            };
            let answer = client.simulations.measure_fairness(request).await?.into_inner();
            analysis::fairness(&answer, &files)
        }
        SimulateCommand::Report {
            source,
            html,
            language,
        } => {
            let read = source.read(&mut client).await?;
            let report = html::report(&mut client, &read).await?;
            let language = match language {
                PageLanguage::Zh => Language::Zh,
                PageLanguage::En => Language::En,
            };
            let page = crate::report::simulation::render(&report, language)?;
            std::fs::write(&html, page).map_err(|error| Failure::file(&html, &error))?;
            output::text(&format!("{}: {}\n", html.display(), html::subject(&report)))
        }
        SimulateCommand::Keep {
            source,
            section,
            title,
            dry_run,
        } => keeping::keep(&mut client, &source, section, title, dry_run).await,
        SimulateCommand::List { output } => keeping::list(&mut client, &output).await,
        SimulateCommand::Show { name, files } => keeping::show(&mut client, &name, &files).await,
        SimulateCommand::Draft {
            name,
            scenario,
            point,
            fund,
            title,
            dry_run,
        } => {
            let request = pb::DraftAllocationRequest {
                simulation: keeping::resource_name(&name),
                scenario,
                point,
                fund: format!("funds/{fund}"),
                title,
                request_id: super::client::request_id(),
                validate_only: dry_run,
            };
            keeping::draft(&mut client, request).await
        }
    }
}

/// Prints a comparison and writes its files.
fn comparison(answer: &pb::CompareScenariosResponse, files: &FileArguments) -> Result<(), Failure> {
    files::write_table(files, &tables::comparison_rows(answer)?)?;
    files::print(&tables::comparison(answer)?)?;
    files::print(&tables::scenarios(answer)?)
}

/// Evaluations from which on a bar is shown.
const LONG: u64 = 20_000;

/// A bar on standard error; nothing where that is no terminal, or the work is short.
fn progress(length: u64) -> ProgressBar {
    let bar = if length >= LONG {
        ProgressBar::new(length)
    } else {
        ProgressBar::hidden()
    };
    let template = "{bar:40} {human_pos}/{human_len} 测算 evaluations {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
