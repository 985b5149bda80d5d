//! Scenario files: what is asked, and of which base.

use crate::app::simulation::document::{FileText, MAX_BYTES, Question};
use crate::cli::client::Client;
use crate::cli::output::Failure;
use crate::cli::{allocate, files, formula};
use crate::domain::error::{Error, Violation};
use crate::domain::subsidy::document::Text;
use crate::grpc::convert::simulation::from_base_text;
use crate::grpc::pb;
use std::path::{Path, PathBuf};

/// A scenario file, and what of its base is set otherwise.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct FileSource {
    /// Scenario file in TOML, as docs/SIMULATION.md describes it
    pub(super) file: PathBuf,
    /// Another formula: a TOML file, or the id of a stored one
    #[arg(long, value_name = "FILE|ID")]
    formula: Option<String>,
    /// Another data set
    #[arg(long, value_name = "ID")]
    data_set: Option<String>,
    /// Another pool in yuan
    #[arg(long, value_name = "YUAN")]
    pool: Option<String>,
    /// Another base year
    #[arg(long)]
    year: Option<i32>,
    /// First imports regions, indicators and observations from a directory, as `allocate --import` does
    #[arg(long, value_name = "DIR")]
    import: Option<PathBuf>,
}

/// Which section of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Section {
    Comparison,
    Sweep,
    MonteCarlo,
    Goal,
    Stability,
    Fairness,
}

/// A file as it was read.
pub(super) struct Read {
    pub(super) title: String,
    pub(super) base: pb::SimulationBase,
    pub(super) text: FileText,
    path: PathBuf,
}

impl FileSource {
    /// Reads the file and makes its base ready to be sent.
    pub(super) async fn read(&self, client: &mut Client) -> Result<Read, Failure> {
        let mut text = read(&self.file)?;
        // The names that a file holds are relative to it; those on the command line to where one stands.
        let beside = match &self.formula {
            Some(formula) => {
                text.base.formula.clone_from(formula);
                PathBuf::new()
            }
            None => self.file.parent().map(Path::to_path_buf).unwrap_or_default(),
        };
        if let Some(data_set) = &self.data_set {
            text.base.data_set.clone_from(data_set);
        }
        if let Some(pool) = &self.pool {
            text.base.pool = Text(pool.clone());
        }
        if let Some(year) = self.year {
            text.base.year = year;
        }
        let id = text.base.data_set.clone();
        if let Some(directory) = &self.import {
            allocate::import_directory(client, directory, id.trim_start_matches("dataSets/")).await?;
        }
        let mut base = from_base_text(text.base.clone());
        let given = PathBuf::from(&base.formula);
        if given.extension().is_some_and(|extension| extension == "toml") {
            base.document = Some(formula::read(&beside.join(given))?);
            base.formula = String::new();
        } else {
            base.formula = named("formulas/", &base.formula);
        }
        base.data_set = named("dataSets/", &base.data_set);
        if !base.scope.is_empty() {
            base.scope = named("regions/", &base.scope);
        }
        Ok(Read {
            title: text.title.clone(),
            base,
            text,
            path: self.file.clone(),
        })
    }
}

fn named(collection: &str, id: &str) -> String {
    if id.starts_with(collection) {
        id.to_owned()
    } else {
        format!("{collection}{id}")
    }
}

fn read(file: &Path) -> Result<FileText, Failure> {
    let bytes = files::read(file, MAX_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::from(Violation::new(
            "file",
            "bytes that are no UTF-8",
            "TOML, which is UTF-8",
            "TOML 文件,须为 UTF-8 编码",
        ))
    })?;
    let read = FileText::from_toml(&text).map_err(Error::from);
    read.map_err(|error| Failure::from(error).within(&file.display().to_string()))
}

impl Read {
    /// One section, or a failure that names the sections there are.
    pub(super) fn section(&self, section: Section) -> Result<Question, Failure> {
        let text = self.text.clone();
        let found = match section {
            Section::Comparison => text.comparison.map(Question::Comparison),
            Section::Sweep => text.sweep.map(Question::Sweep),
            Section::MonteCarlo => text.monte_carlo.map(Question::MonteCarlo),
            Section::Goal => text.goal.map(Question::Goal),
            Section::Stability => text.stability.map(Question::Stability),
            Section::Fairness => text.fairness.map(Question::Fairness),
        };
        found.ok_or_else(|| {
            let name = match section {
                Section::Comparison => "comparison",
                Section::Sweep => "sweep",
                Section::MonteCarlo => "monte_carlo",
                Section::Goal => "goal",
                Section::Stability => "stability",
                Section::Fairness => "fairness",
            };
            Failure::usage(format!(
                "{0}: has no section [{name}] / {0}:没有 [{name}] 一节",
                self.path.display()
            ))
        })
    }
}
