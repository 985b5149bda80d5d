//! `claim import`: a table of claims through the stream of messages, each of which is answered once.
//!
//! The `request_id` of a message is made from the file, the message and `--attempt`: the same file imported
//! again, after an interruption or by mistake, gives the same answers and changes nothing.

use super::client::Client;
use super::files;
use super::fund::fund_name;
use super::output::{self, Failure};
use super::tables::text;
use crate::domain::digest::Digest;
use crate::grpc::pb;
use crate::report::{Column, Format, Table, render};
use crate::tabular::{self, ClaimRow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use prost::Message;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use zeroize::Zeroizing;

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// CSV or XLSX: docs/CLAIMS.md lists the columns
    file: PathBuf,
    /// Id of the fund
    #[arg(long, value_name = "ID")]
    fund: String,
    /// Code of the programme
    #[arg(long, value_name = "CODE")]
    programme: String,
    /// Code of the region, for rows that name none
    #[arg(long, value_name = "CODE", default_value = "")]
    region: String,
    /// How many rows the file must have, where it has no row with the total
    #[arg(long, value_name = "COUNT")]
    rows: Option<usize>,
    /// Counts deliberate repetitions: with the next number, rows that were refused are tried again
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    attempt: u32,
    /// Where the rows that were refused are listed; default: FILE.refused.csv
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Checks only; what rows of different messages have in common is not seen
    #[arg(long)]
    dry_run: bool,
}

/// Claims in one message.
const BATCH: usize = 250;
/// Messages without an answer, at most.
const IN_FLIGHT: usize = 4;
/// From so many rows on a bar shows how far the work is.
const LONG: u64 = 1_000;

/// A row that was not taken. Nothing in it is personal.
struct Refused {
    line: u32,
    reason: String,
    zh: String,
    en: String,
}

pub(super) async fn run(arguments: ImportArguments, mut client: Client) -> Result<(), Failure> {
    let bytes = Zeroizing::new(files::read(&arguments.file, tabular::MAX_BYTES)?);
    let facts = facts(&mut client, &arguments.programme).await?;
    let name = arguments.file.file_name().unwrap_or_default().to_string_lossy();
    let rows = tabular::claim_rows(&name, &bytes, &facts)?;
    let all = rows.len();
    if let Some(declared) = arguments.rows.filter(|declared| *declared != all) {
        return Err(Failure::usage(format!(
            "{}: {all} rows, not {declared}: the file may have been cut short / 文件有 {all} 行,应为 {declared} 行,可能不完整",
            arguments.file.display()
        )));
    }
    let (rows, mut refused) = without_duplicates(rows);
    let file_digest = Digest::of(&bytes);
    let lines: Vec<Vec<u32>> = (rows.chunks(BATCH))
        .map(|rows| rows.iter().map(|row| row.line).collect())
        .collect();
    let messages: Vec<pb::SubmitClaimsRequest> = (rows.chunks(BATCH).zip(0_u64..))
        .map(|(rows, at)| message(&arguments, &file_digest, at, rows))
        .collect();
    let outcomes = send(&mut client, messages, all as u64).await?;
    let mut taken = 0;
    for (lines, outcomes) in lines.iter().zip(&outcomes) {
        for (line, outcome) in lines.iter().zip(outcomes) {
            if outcome.reason.is_empty() {
                taken += 1;
            } else {
                refused.push(of_outcome(*line, outcome));
            }
        }
    }
    refused.sort_by_key(|refused| refused.line);
    let path = arguments.refused.clone().unwrap_or_else(|| {
        let mut name = arguments.file.clone().into_os_string();
        name.push(".refused.csv");
        name.into()
    });
    // A list from before must not be taken for this one.
    if !refused.is_empty() || path.exists() {
        write_refused(&path, &refused)?;
    }
    let verb = if arguments.dry_run {
        "checked, nothing stored / 已校验,未入库"
    } else {
        "handed in / 已申报"
    };
    output::text(&format!("{taken} of {all} claims / 件申请 {verb}\n"))?;
    if refused.is_empty() {
        return Ok(());
    }
    let count = refused.len();
    Err(Failure::failed(format!(
        "{count} row(s) were refused, listed in {path} / {count} 行未受理,见 {path}",
        path = path.display()
    )))
}

/// The facts of the programme with the headings they go by.
async fn facts(client: &mut Client, programme: &str) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let mut page_token = String::new();
    loop {
        let request = pb::ListProgrammesRequest {
            page_token,
            ..pb::ListProgrammesRequest::default()
        };
        let page = client.policies.list_programmes(request).await?.into_inner();
        let found = (page.programmes.into_iter())
            .filter_map(|revision| revision.document)
            .find(|document| document.code == programme);
        if let Some(document) = found {
            let headings = |fact: pb::FactDefinition| (fact.code, vec![fact.name_zh, fact.name_en]);
            return Ok(document.facts.into_iter().map(headings).collect());
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Err(Failure::usage(format!(
                "--programme {programme}: not imported (policy defaults brings those that come with the program) \
                 / 未导入该项目(policy defaults 可导入随程序提供的项目)"
            )));
        }
    }
}

/// Rows that say just what one before them says are refused here.
fn without_duplicates(rows: Vec<ClaimRow>) -> (Vec<ClaimRow>, Vec<Refused>) {
    let mut first: HashMap<Digest, u32> = HashMap::new();
    let mut refused = Vec::new();
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        let digest = Digest::of(&claim("", "", "", &row).encode_to_vec());
        match first.get(&digest) {
            Some(line) => refused.push(Refused {
                line: row.line,
                reason: "DUPLICATE_ROW".to_owned(),
                zh: format!("与第 {line} 行相同"),
                en: format!("the same as line {line}"),
            }),
            None => {
                first.insert(digest, row.line);
                kept.push(row);
            }
        }
    }
    (kept, refused)
}

fn message(
    arguments: &ImportArguments,
    file: &Digest,
    at: u64,
    rows: &[ClaimRow],
) -> pb::SubmitClaimsRequest {
    let (fund, programme) = (
        fund_name(&arguments.fund),
        format!("programmes/{}", arguments.programme),
    );
    let claims = rows
        .iter()
        .map(|row| claim(&fund, &programme, &arguments.region, row));
    let mut message = pb::SubmitClaimsRequest {
        claims: claims.collect(),
        request_id: String::new(),
        validate_only: arguments.dry_run,
    };
    if !arguments.dry_run {
        let body = Digest::of(&message.encode_to_vec());
        let id = Digest::of(format!("{file} {body} {at} {}", arguments.attempt).as_bytes());
        let digits = id
            .as_str()
            .trim_start_matches("sha256:")
            .get(..40)
            .unwrap_or_default();
        message.request_id = format!("import:{digits}:{at}");
    }
    message
}

fn claim(fund: &str, programme: &str, region: &str, row: &ClaimRow) -> pb::ClaimInput {
    let person = |(name, id_number): &(String, String)| pb::Person {
        name: name.clone(),
        id_number: id_number.clone(),
    };
    let region = if row.region.is_empty() {
        region
    } else {
        &row.region
    };
    let [name, account, bank_name, bank_code] = row.payee.clone();
    pb::ClaimInput {
        fund: fund.to_owned(),
        region: format!("regions/{region}"),
        programme: programme.to_owned(),
        facts: row.facts.clone(),
        documents: row.documents.clone(),
        applicant: Some(person(&row.applicant)),
        household: row.household.iter().map(person).collect(),
        phone: row.phone.clone(),
        payee: Some(pb::PayeeAccount {
            name,
            account,
            bank_name,
            bank_code,
        }),
        home: row.home.clone(),
    }
}

/// Sends messages, a few ahead of their answers.
async fn send(
    client: &mut Client,
    messages: Vec<pb::SubmitClaimsRequest>,
    rows: u64,
) -> Result<Vec<Vec<pb::ClaimOutcome>>, Failure> {
    let wanted = messages.len();
    let places = Arc::new(Semaphore::new(IN_FLIGHT));
    let (sender, receiver) = mpsc::channel(1);
    let free = Arc::clone(&places);
    let sending = tokio::spawn(async move {
        for message in messages {
            let Ok(place) = free.acquire().await else { return };
            // Given back when the answer is there.
            place.forget();
            if sender.send(message).await.is_err() {
                return;
            }
        }
    });
    let bar = progress(rows);
    let mut found = Vec::with_capacity(wanted);
    let answered = async {
        let response = client
            .subsidies
            .submit_claims(ReceiverStream::new(receiver))
            .await?;
        let mut answers = response.into_inner();
        while let Some(answer) = answers.message().await? {
            places.add_permits(1);
            bar.inc(answer.outcomes.len() as u64);
            found.push(answer.outcomes);
        }
        Ok::<(), tonic::Status>(())
    };
    let result = answered.await;
    sending.abort();
    bar.finish_and_clear();
    result?;
    if found.len() == wanted {
        return Ok(found);
    }
    Err(Failure::failed(
        "the import broke off; import the same file again: what was taken is not taken twice \
         / 导入中断,请再次导入同一文件,已受理的不会重复"
            .to_owned(),
    ))
}

fn of_outcome(line: u32, outcome: &pb::ClaimOutcome) -> Refused {
    let message = outcome.message.clone().unwrap_or_default();
    Refused {
        line,
        reason: outcome.reason.clone(),
        zh: message.zh,
        en: message.en,
    }
}

fn write_refused(path: &Path, refused: &[Refused]) -> Result<(), Failure> {
    let rows = refused.iter().map(|refused| {
        vec![
            text(refused.line.to_string()),
            text(&refused.reason),
            text(&refused.zh),
            text(&refused.en),
        ]
    });
    let table = Table {
        title: String::new(),
        unit: String::new(),
        notes: Vec::new(),
        columns: vec![
            Column::new("line", "行 Line"),
            Column::new("reason", "原因代码 Reason"),
            Column::new("faults_zh", "说明"),
            Column::new("faults_en", "Faults"),
        ],
        rows: rows.collect(),
        totals: false,
    };
    let bytes = render(&table, Format::Csv)?;
    std::fs::write(path, bytes).map_err(|error| Failure::file(path, &error))
}

/// A bar on standard error; nothing where that is no terminal, or the work is short.
fn progress(rows: u64) -> ProgressBar {
    let bar = if rows >= LONG {
        ProgressBar::new(rows)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} claims / 件申请 {elapsed}") {
        bar.set_style(style);
    }
    bar
}
