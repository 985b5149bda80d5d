//! Kept simulations: keep, list, show again, make a draft.

use super::files::FileArguments;
use super::scenario_file::{FileSource, Section};
use super::{analysis, comparison, sweeping, tables};
use crate::app::simulation::document::Question;
use crate::cli::client::{Client, request_id};
use crate::cli::output::{self, Failure, OutputArguments};
use crate::cli::tables::{allocation, text};
use crate::domain::error::Error;
use crate::grpc::pb;
use crate::grpc::pb::simulation_request::Analysis;
use crate::grpc::pb::stream_simulation_results_response::Content;
use crate::report::{Cell, Column, Table};

/// `simulations/ID` from what a person types.
pub(super) fn resource_name(name: &str) -> String {
    if name.starts_with("simulations/") {
        name.to_owned()
    } else {
        format!("simulations/{name}")
    }
}

/// Keeps a section of a file. A formula that is a file is stored first.
pub(super) async fn keep(
    client: &mut Client,
    source: &FileSource,
    section: Section,
    title: Option<String>,
    dry_run: bool,
) -> Result<(), Failure> {
    let read = source.read(client).await?;
    let question = read.section(section)?;
    let mut base = read.base.clone();
    if let Some(document) = base.document.take() {
        let request = pb::CreateFormulaRequest {
            document: Some(document),
            request_id: request_id(),
            validate_only: false,
        };
        let stored = client.formulas.create_formula(request).await?.into_inner();
        base.formula = stored.formula.unwrap_or_default().name;
    }
    let analysis = match question {
        Question::Comparison(asked) => Analysis::Comparison(asked.into()),
        Question::Sweep(asked) => Analysis::Sweep(asked.into()),
        Question::MonteCarlo(asked) => Analysis::MonteCarlo(asked.into()),
        Question::Goal(asked) => Analysis::Goal(asked.into()),
        Question::Stability(asked) => Analysis::Stability(asked.into()),
        Question::Fairness(asked) => Analysis::Fairness(asked.into()),
    };
    let request = pb::CreateSimulationRequest {
        title: title.unwrap_or_else(|| read.title.clone()),
        request: Some(pb::SimulationRequest {
            base: Some(base),
            analysis: Some(analysis),
        }),
        request_id: request_id(),
        validate_only: dry_run,
    };
    let answer = client.simulations.create_simulation(request).await?.into_inner();
    let kept = answer.simulation.unwrap_or_default();
    let dry = if dry_run {
        " (dry run, nothing kept / 试运行,未保存)"
    } else {
        ""
    };
    output::text(&format!(
        "{} {}{dry}\n{}\n{}\n",
        kept.name,
        kept.kind,
        tables::both(kept.summary.as_ref()),
        kept.result_digest
    ))
}

/// Lists kept simulations.
pub(super) async fn list(client: &mut Client, output: &OutputArguments) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListSimulationsRequest {
            kind: String::new(),
            page_size: 1_000,
            page_token,
        };
        let page = client.simulations.list_simulations(request).await?.into_inner();
        for kept in page.simulations {
            let provenance = kept.provenance.unwrap_or_default();
            let created = kept.created.unwrap_or_default();
            rows.push(vec![
                text(kept.name),
                text(kept.title),
                text(kept.kind),
                text(tables::both(kept.summary.as_ref())),
                text(provenance.formula),
                text(provenance.data_set),
                Cell::Integer(i64::try_from(kept.evaluations).unwrap_or(i64::MAX)),
                text(created.principal),
                text(created.time),
            ]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    output.write(&Table {
        title: "测算 Simulations".to_owned(),
        unit: String::new(),
        notes: Vec::new(),
        columns: vec![
            Column::new("name", "名称 Name"),
            Column::new("title", "标题 Title"),
            Column::new("kind", "类型 Kind"),
            Column::new("summary", "结果 Result"),
            Column::new("formula", "公式 Formula"),
            Column::new("data_set", "数据 Data"),
            Column::new("evaluations", "测算次数 Evaluations"),
            Column::new("created_by", "编制人 By"),
            Column::new("created_at", "编制时间 At"),
        ],
        rows,
        totals: false,
    })
}

/// Computes a kept simulation again and shows it.
pub(super) async fn show(client: &mut Client, name: &str, files: &FileArguments) -> Result<(), Failure> {
    let name = resource_name(name);
    let request = pb::GetSimulationRequest { name: name.clone() };
    let kept = client.simulations.get_simulation(request).await?.into_inner();
    let kept = kept.simulation.unwrap_or_default();
    let analysis = kept.request.and_then(|request| request.analysis);
    let request = pb::StreamSimulationResultsRequest {
        name,
        send_samples: false,
    };
    let mut stream = client
        .simulations
        .stream_simulation_results(request)
        .await?
        .into_inner();
    let sweep = match &analysis {
        Some(Analysis::Sweep(asked)) => asked.clone(),
        _ => pb::Sweep::default(),
    };
    let mut reading = sweeping::Reading::new(&sweep, files);
    let mut sampling = analysis::Reading::new();
    let (mut swept, mut sampled) = (false, false);
    while let Some(message) = stream.message().await? {
        match message.content {
            Some(Content::Comparison(answer)) => comparison(&answer, files)?,
            Some(Content::Sweep(message)) => {
                swept = true;
                reading.take(message)?;
            }
            Some(Content::MonteCarlo(message)) => {
                sampled = true;
                sampling.take(message);
            }
            Some(Content::Goal(answer)) => analysis::goal(&answer, files)?,
            Some(Content::Stability(answer)) => analysis::stability(&answer, files)?,
            Some(Content::Fairness(answer)) => analysis::fairness(&answer, files)?,
            None => return Err(Error::internal("the server sent an unknown answer").into()),
        }
    }
    if swept {
        reading.finish()?;
    }
    if sampled {
        sampling.finish(files)?;
    }
    Ok(())
}

/// Makes a draft.
pub(super) async fn draft(client: &mut Client, request: pb::DraftAllocationRequest) -> Result<(), Failure> {
    let dry_run = request.validate_only;
    let answer = client.simulations.draft_allocation(request).await?.into_inner();
    let drafted = answer.allocation.unwrap_or_default();
    super::files::print(&allocation(&drafted)?)?;
    output::text(&if dry_run {
        "\ndry run, nothing kept / 试算,未保存\n".to_owned()
    } else {
        format!(
            "\nkept as / 已保存为 {} (draft / 草案, etag {})\n",
            drafted.name, drafted.etag
        )
    })
}
