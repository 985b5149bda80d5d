//! `formula`: check, create, show, list.

use super::client::{Client, request_id};
use super::output::{self, Failure, OutputArguments};
use super::{files, tables};
use crate::domain::error::{Error, Violation};
use crate::domain::formula::Document;
use crate::domain::formula::document::MAX_BYTES;
use crate::grpc::convert::formula::{document, from_document};
use crate::grpc::pb;
use clap::Subcommand;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(super) enum FormulaCommand {
    /// Checks a formula, alone or against a data set
    Check {
        /// TOML
        file: PathBuf,
        /// Id of a data set: checks that every observation is there and every score has a value of zero or more
        #[arg(long, value_name = "ID", requires = "year")]
        data_set: Option<String>,
        /// Base year
        #[arg(long, requires = "data_set")]
        year: Option<i32>,
        /// Code of the region whose parts take part
        #[arg(long, value_name = "CODE", requires = "data_set")]
        scope: Option<String>,
    },
    /// Stores a formula as the next revision of its id
    Create {
        /// TOML
        file: PathBuf,
    },
    /// Prints a stored formula as TOML
    Show {
        /// Id, or ID/revisions/N
        name: String,
    },
    /// Lists stored formulas, or the revisions of one
    List {
        /// Id of a formula
        id: Option<String>,
        #[command(flatten)]
        output: OutputArguments,
    },
}

pub(super) async fn run(command: FormulaCommand, mut client: Client) -> Result<(), Failure> {
    match command {
        FormulaCommand::Check {
            file,
            data_set,
            year,
            scope,
        } => {
            let request = pb::CheckFormulaRequest {
                document: Some(read(&file)?),
                data_set: data_set.map(|id| format!("dataSets/{id}")).unwrap_or_default(),
                year: year.unwrap_or_default(),
                scope: scope.map(|code| format!("regions/{code}")).unwrap_or_default(),
            };
            let response = client.formulas.check_formula(request).await?.into_inner();
            output::text(&format!(
                "{}\nuses / 使用指标: {}\n",
                response.digest,
                response.indicators.join(", ")
            ))
        }
        FormulaCommand::Create { file } => {
            let revision = create(&mut client, &file).await?;
            output::text(&format!("{} {}\n", revision.name, revision.digest))
        }
        FormulaCommand::Show { name } => {
            let request = pb::GetFormulaRequest {
                name: resource_name(&name),
            };
            let revision = client
                .formulas
                .get_formula(request)
                .await?
                .into_inner()
                .formula
                .unwrap_or_default();
            let text = toml::to_string_pretty(&document(revision.document.unwrap_or_default()))
                .map_err(Error::internal)?;
            output::text(&format!("# {} {}\n{text}", revision.name, revision.digest))
        }
        FormulaCommand::List { id, output } => output.write(&tables::formulas(&list(&mut client, id).await?)),
    }
}

/// Stores the formula of a file; the same content as before gives the revision there is.
pub(super) async fn create(client: &mut Client, file: &Path) -> Result<pb::FormulaRevision, Failure> {
    let request = pb::CreateFormulaRequest {
        document: Some(read(file)?),
        request_id: request_id(),
        validate_only: false,
    };
    Ok(client
        .formulas
        .create_formula(request)
        .await?
        .into_inner()
        .formula
        .unwrap_or_default())
}

/// `formulas/ID...` from what a person types.
pub(super) fn resource_name(name: &str) -> String {
    if name.starts_with("formulas/") {
        name.to_owned()
    } else {
        format!("formulas/{name}")
    }
}

pub(super) fn read(file: &Path) -> Result<pb::FormulaDocument, Failure> {
    let bytes = files::read(file, MAX_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        Error::from(Violation::new(
            format!("formula, line {}", line + 1),
            "bytes that are no UTF-8",
            "TOML, which is UTF-8",
            "TOML 文件,须为 UTF-8 编码",
        ))
    })?;
    Ok(from_document(Document::from_toml(&text).map_err(Error::from)?))
}

async fn list(client: &mut Client, id: Option<String>) -> Result<Vec<pb::FormulaRevision>, Failure> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let (revisions, next) = match &id {
            None => {
                let request = pb::ListFormulasRequest {
                    page_size: 1_000,
                    page_token,
                };
                let response = client.formulas.list_formulas(request).await?.into_inner();
                (response.formulas, response.next_page_token)
            }
            Some(id) => {
                let request = pb::ListFormulaRevisionsRequest {
                    parent: resource_name(id),
                    page_size: 1_000,
                    page_token,
                };
                let response = client
                    .formulas
                    .list_formula_revisions(request)
                    .await?
                    .into_inner();
                (response.revisions, response.next_page_token)
            }
        };
        found.extend(revisions);
        if next.is_empty() {
            return Ok(found);
        }
        page_token = next;
    }
}
