//! `policy`: check, create, show, list, programmes, defaults.

use super::client::{Client, request_id};
use super::output::{self, Failure, OutputArguments};
use super::{files, tables};
use crate::domain::error::{Error, Violation};
use crate::domain::subsidy::document::MAX_BYTES;
use crate::domain::subsidy::{DeedTaxLawDocument, PolicyDocument, ProgrammeDocument};
use crate::grpc::pb;
use crate::shipped;
use clap::Subcommand;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Checks policies against their programmes, their regions and the policies stored beside them
    Check {
        /// TOML
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Stores policies, each as the next revision of its id
    Create {
        /// TOML
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Prints a stored policy as TOML
    Show {
        /// Id, or ID/revisions/N
        name: String,
    },
    /// Lists stored policies, or the revisions of one
    List {
        /// Id of a policy
        id: Option<String>,
        /// Code of a region: only its own policies
        #[arg(long, value_name = "CODE", conflicts_with = "id")]
        region: Option<String>,
        /// Code of a programme: only its policies
        #[arg(long, value_name = "CODE", conflicts_with = "id")]
        programme: Option<String>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Lists programmes with their facts; with --import, stores some
    Programmes {
        /// TOML files of programmes
        #[arg(long, value_name = "FILE", num_args = 1..)]
        import: Vec<PathBuf>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Prints the law's deed-tax rates as TOML; with --import, stores them
    DeedTax {
        /// TOML file of the rates
        #[arg(long, value_name = "FILE")]
        import: Option<PathBuf>,
    },
    /// Stores what comes with the program: the programmes and the law's deed-tax rates
    Defaults {
        /// Also the example policies for Xuchang, whose figures are illustrative; its regions must be there
        #[arg(long)]
        examples: bool,
        /// Checks only
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) async fn run(command: PolicyCommand, mut client: Client) -> Result<(), Failure> {
    match command {
        PolicyCommand::Check { files } => {
            let mut lines = String::new();
            for (file, document) in read_policies(&files)? {
                let request = pb::CheckPolicyRequest {
                    document: Some(document),
                };
                let response = client.policies.check_policy(request).await;
                let response = response.map_err(|status| in_file(status, &file))?.into_inner();
                let _ = writeln!(
                    lines,
                    "{}: {} ({})",
                    file.display(),
                    response.digest,
                    response.programme
                );
            }
            output::text(&lines)
        }
        PolicyCommand::Create { files } => {
            let documents = read_policies(&files)?;
            // What can be found wrong is found before the first is stored.
            for (file, document) in &documents {
                let checked = create(&mut client, document.clone(), true).await;
                checked.map_err(|status| in_file(status, file))?;
            }
            for (file, document) in documents {
                let stored = create(&mut client, document, false).await;
                let stored = stored.map_err(|status| in_file(status, &file))?;
                output::text(&format!("{} {}\n", stored.name, stored.digest))?;
            }
            Ok(())
        }
        PolicyCommand::Show { name } => show(&mut client, &name).await,
        PolicyCommand::List {
            id,
            region,
            programme,
            output,
        } => {
            let found = match id {
                Some(id) => revisions(&mut client, &id).await?,
                None => list(&mut client, region.as_deref(), programme.as_deref()).await?,
            };
            output.write(&tables::policies(&found))
        }
        PolicyCommand::Programmes { import, output } => {
            if !import.is_empty() {
                let documents = import
                    .iter()
                    .map(|file| {
                        let document = ProgrammeDocument::from_toml(&read(file)?).map_err(Error::from)?;
                        Ok(document.into())
                    })
                    .collect::<Result<Vec<_>, Failure>>()?;
                let stored = import_programmes(&mut client, documents, false).await?;
                return output::text(&names(&stored));
            }
            output.write(&tables::programmes(&programmes(&mut client).await?))
        }
        PolicyCommand::DeedTax { import: Some(file) } => {
            let document = DeedTaxLawDocument::from_toml(&read(&file)?).map_err(Error::from)?;
            let stored = import_law(&mut client, document.into(), false).await?;
            output::text(&format!("{} {}\n", stored.name, stored.digest))
        }
        PolicyCommand::DeedTax { import: None } => {
            let request = pb::GetDeedTaxLawRequest {
                name: "deedTaxLaw".to_owned(),
            };
            let response = client.policies.get_deed_tax_law(request).await?.into_inner();
            let law = response.law.unwrap_or_default();
            let document: DeedTaxLawDocument = law.document.unwrap_or_default().into();
            let text = toml::to_string_pretty(&document).map_err(Error::internal)?;
            output::text(&format!("# {} {}\n{text}", law.name, law.digest))
        }
        PolicyCommand::Defaults { examples, dry_run } => defaults(&mut client, examples, dry_run).await,
    }
}

/// Stores the programmes and the law that come with the program, and the example policies where asked.
async fn defaults(client: &mut Client, examples: bool, dry_run: bool) -> Result<(), Failure> {
    let documents = shipped::PROGRAMMES
        .into_iter()
        .map(|(_, text)| Ok(ProgrammeDocument::from_toml(text).map_err(Error::from)?.into()))
        .collect::<Result<Vec<_>, Failure>>()?;
    let mut lines = names(&import_programmes(client, documents, dry_run).await?);
    let law = DeedTaxLawDocument::from_toml(shipped::DEED_TAX_LAW).map_err(Error::from)?;
    let law = import_law(client, law.into(), dry_run).await?;
    let _ = writeln!(lines, "{} {}", law.name, law.digest);
    if examples && dry_run {
        lines.push_str(
            "example policies are checked once the programmes are stored / 示例政策须在项目入库后校验\n",
        );
    } else if examples {
        for (file, text) in shipped::POLICIES {
            let document = PolicyDocument::from_toml(text).map_err(Error::from)?;
            let stored = create(client, document.into(), false).await;
            let stored = stored.map_err(|status| in_file(status, Path::new(file)))?;
            let _ = writeln!(lines, "{} {}", stored.name, stored.digest);
        }
    }
    output::text(&lines)
}

fn names(programmes: &[pb::ProgrammeRevision]) -> String {
    programmes
        .iter()
        .map(|programme| format!("{} {}\n", programme.name, programme.digest))
        .collect()
}

/// A refusal with the file that it is about.
fn in_file(status: tonic::Status, file: &Path) -> Failure {
    Failure::from(status).within(&file.display().to_string())
}

async fn create(
    client: &mut Client,
    document: pb::PolicyDocument,
    validate_only: bool,
) -> Result<pb::PolicyRevision, tonic::Status> {
    let request = pb::CreatePolicyRequest {
        document: Some(document),
        request_id: request_id(),
        validate_only,
    };
    let response = client.policies.create_policy(request).await?.into_inner();
    Ok(response.policy.unwrap_or_default())
}

async fn import_programmes(
    client: &mut Client,
    programmes: Vec<pb::ProgrammeDocument>,
    validate_only: bool,
) -> Result<Vec<pb::ProgrammeRevision>, Failure> {
    let request = pb::ImportProgrammesRequest {
        programmes,
        request_id: request_id(),
        validate_only,
    };
    let response = client.policies.import_programmes(request).await?;
    Ok(response.into_inner().programmes)
}

async fn import_law(
    client: &mut Client,
    document: pb::DeedTaxLawDocument,
    validate_only: bool,
) -> Result<pb::DeedTaxLawRevision, Failure> {
    let request = pb::ImportDeedTaxLawRequest {
        document: Some(document),
        request_id: request_id(),
        validate_only,
    };
    let response = client.policies.import_deed_tax_law(request).await?;
    Ok(response.into_inner().law.unwrap_or_default())
}

/// `policies/ID...` from what a person types.
fn resource_name(name: &str) -> String {
    if name.starts_with("policies/") {
        name.to_owned()
    } else {
        format!("policies/{name}")
    }
}

async fn show(client: &mut Client, name: &str) -> Result<(), Failure> {
    let request = pb::GetPolicyRequest {
        name: resource_name(name),
    };
    let response = client.policies.get_policy(request).await?.into_inner();
    let stored = response.policy.unwrap_or_default();
    let document: PolicyDocument = stored.document.unwrap_or_default().into();
    let text = toml::to_string_pretty(&document).map_err(Error::internal)?;
    output::text(&format!(
        "# {} {}\n# {}\n{text}",
        stored.name, stored.digest, stored.programme
    ))
}

async fn list(
    client: &mut Client,
    region: Option<&str>,
    programme: Option<&str>,
) -> Result<Vec<pb::PolicyRevision>, Failure> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListPoliciesRequest {
            region: region.map(|code| format!("regions/{code}")).unwrap_or_default(),
            programme: programme
                .map(|code| format!("programmes/{code}"))
                .unwrap_or_default(),
            page_size: 1_000,
            page_token,
        };
        let response = client.policies.list_policies(request).await?.into_inner();
        found.extend(response.policies);
        if response.next_page_token.is_empty() {
            return Ok(found);
        }
        page_token = response.next_page_token;
    }
}

async fn revisions(client: &mut Client, id: &str) -> Result<Vec<pb::PolicyRevision>, Failure> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListPolicyRevisionsRequest {
            parent: resource_name(id),
            page_size: 1_000,
            page_token,
        };
        let response = client.policies.list_policy_revisions(request).await?.into_inner();
        found.extend(response.revisions);
        if response.next_page_token.is_empty() {
            return Ok(found);
        }
        page_token = response.next_page_token;
    }
}

async fn programmes(client: &mut Client) -> Result<Vec<pb::ProgrammeRevision>, Failure> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListProgrammesRequest {
            page_size: 1_000,
            page_token,
        };
        let response = client.policies.list_programmes(request).await?.into_inner();
        found.extend(response.programmes);
        if response.next_page_token.is_empty() {
            return Ok(found);
        }
        page_token = response.next_page_token;
    }
}

/// Every file is read before the first is stored.
fn read_policies(files: &[PathBuf]) -> Result<Vec<(PathBuf, pb::PolicyDocument)>, Failure> {
    files
        .iter()
        .map(|file| {
            let document = PolicyDocument::from_toml(&read(file)?).map_err(|violation| {
                Failure::from(Error::from(violation)).within(&file.display().to_string())
            })?;
            Ok((file.clone(), document.into()))
        })
        .collect()
}

fn read(file: &Path) -> Result<String, Failure> {
    let bytes = files::read(file, MAX_BYTES)?;
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        Error::from(Violation::new(
            format!("{}, line {}", file.display(), line + 1),
            "bytes that are no UTF-8",
            "TOML, which is UTF-8",
            "TOML 文件,须为 UTF-8 编码",
        ))
        .into()
    })
}
