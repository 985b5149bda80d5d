//! `audit`: the audit log: list, verify, checkpoint, export.

use super::client::{Client, request_id};
use super::files;
use super::output::{self, Failure, OutputArguments};
use crate::grpc::pb;
use crate::report::{Cell, Column, Table};
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};

/// Longest checkpoint or file of public keys, in bytes.
const MAX_BYTES: usize = 16 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Lists records, by chain and number
    List(Box<ListArguments>),
    /// Computes every chain again from its first record and says what differs
    Verify {
        /// A checkpoint that was kept elsewhere; may be repeated
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
        /// Public keys that verify signatures, beside the one that is configured
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
        /// Most differences shown
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=1000))]
        max_findings: i32,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Signs the ends of all chains and journals as they are now, to be kept elsewhere
    Checkpoint {
        /// The file to write; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Also writes the public keys that verify it
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
    },
    /// Exports records as lines of JSON or as CSV
    Export {
        /// Only of this chain: general, or funds/ID
        #[arg(long, value_name = "CHAIN", default_value = "")]
        chain: String,
        /// Form of the export
        #[arg(long, value_enum, default_value = "json")]
        format: ExportFormat,
        /// Writes it to a file rather than to standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Only of this chain: general, or funds/ID
    #[arg(long, value_name = "CHAIN", default_value = "")]
    chain: String,
    /// Only of this person
    #[arg(long, value_name = "NAME", default_value = "")]
    by: String,
    /// Only of this method, such as ApproveClaim
    #[arg(long, value_name = "METHOD", default_value = "")]
    action: String,
    /// Only of this resource, such as funds/2025/claims/12
    #[arg(long, value_name = "NAME", default_value = "")]
    resource: String,
    /// Only of this request
    #[arg(long, value_name = "ID", default_value = "")]
    request: String,
    /// Only with this outcome
    #[arg(long, value_enum)]
    outcome: Option<OutcomeArgument>,
    /// Not before this time
    #[arg(long, value_name = "TIME", default_value = "")]
    from: String,
    /// Before this time
    #[arg(long, value_name = "TIME", default_value = "")]
    until: String,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum OutcomeArgument {
    Done,
    Refused,
    Disclosed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    Json,
    Csv,
}

pub(super) async fn run(command: AuditCommand, client: Client) -> Result<(), Failure> {
    match command {
        AuditCommand::List(arguments) => list(*arguments, client).await,
        AuditCommand::Verify {
            checkpoint,
            public_key,
            max_findings,
            output,
        } => verify(&checkpoint, public_key.as_deref(), max_findings, &output, client).await,
        AuditCommand::Checkpoint { out, public_key } => {
            checkpoint_to(&out, public_key.as_deref(), client).await
        }
        AuditCommand::Export {
            chain,
            format,
            output,
        } => export(chain, format, output, client).await,
    }
}

async fn list(arguments: ListArguments, mut client: Client) -> Result<(), Failure> {
    let outcome = arguments.outcome.map_or(0, |outcome| {
        let outcome = match outcome {
            OutcomeArgument::Done => pb::AuditOutcome::Done,
            OutcomeArgument::Refused => pb::AuditOutcome::Refused,
            OutcomeArgument::Disclosed => pb::AuditOutcome::Disclosed,
        };
        outcome.into()
    });
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListAuditRecordsRequest {
            chain: arguments.chain.clone(),
            principal: arguments.by.clone(),
            action: arguments.action.clone(),
            resource: arguments.resource.clone(),
            request_id: arguments.request.clone(),
            outcome,
            from_time: arguments.from.clone(),
            until_time: arguments.until.clone(),
            page_size: 1_000,
            page_token,
        };
        let response = client.audit.list_audit_records(request).await?.into_inner();
        found.extend(response.records);
        if response.next_page_token.is_empty() {
            return arguments.output.write(&records(&found));
        }
        page_token = response.next_page_token;
    }
}

async fn verify(
    checkpoints: &[PathBuf],
    public_key: Option<&Path>,
    max_findings: i32,
    output: &OutputArguments,
    mut client: Client,
) -> Result<(), Failure> {
    let request = pb::VerifyAuditLogRequest {
        checkpoints: checkpoints.iter().map(read).collect::<Result<_, _>>()?,
        public_keys: public_key.map(read).transpose()?.unwrap_or_default(),
        max_findings,
    };
    let mut answers = client.audit.verify_audit_log(request).await?.into_inner();
    // Drawn on a terminal only.
    let bar = ProgressBar::no_length().with_style(
        ProgressStyle::with_template("{spinner} {pos} records / 条记录")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let mut last = None;
    while let Some(answer) = answers.message().await? {
        bar.set_position(answer.records_read);
        last = answer.verification.map(|found| (found, answer.records_read));
    }
    bar.finish_and_clear();
    let Some((verification, read)) = last else {
        return Err(Failure::failed(
            "the verification ended without a result / 核验未得出结果".to_owned(),
        ));
    };
    output.write(&findings(&verification, read))?;
    let Some(first) = verification.findings.first() else {
        return Ok(());
    };
    let (count, chain, record) = (verification.finding_count, &first.chain, first.record);
    Err(Failure::failed(format!(
        "the audit log is not as it was recorded: {count} difference(s), the first: {chain} record {record}, {} / \
         审计日志与记录时不符:{count} 处差异,第一处为 {chain} 第 {record} 条({0})",
        first.field
    )))
}

async fn checkpoint_to(out: &Path, public_key: Option<&Path>, mut client: Client) -> Result<(), Failure> {
    if out.exists() {
        return Err(Failure::usage(format!(
            "{}: exists already / 文件已存在",
            out.display()
        )));
    }
    let request = pb::CreateCheckpointRequest {
        request_id: request_id(),
        validate_only: false,
    };
    let made = client.audit.create_checkpoint(request).await?.into_inner();
    std::fs::write(out, &made.checkpoint).map_err(|error| Failure::file(out, &error))?;
    if let Some(path) = public_key {
        std::fs::write(path, &made.public_keys).map_err(|error| Failure::file(path, &error))?;
    }
    output::text(&format!(
        "{}: checkpoint {}; keep it apart from the database / 请与数据库分开保存\n",
        out.display(),
        made.number
    ))
}

async fn export(
    chain: String,
    format: ExportFormat,
    output: Option<PathBuf>,
    mut client: Client,
) -> Result<(), Failure> {
    let format = match format {
        ExportFormat::Json => pb::AuditFormat::JsonLines,
        ExportFormat::Csv => pb::AuditFormat::Csv,
    };
    let request = pb::ExportAuditLogRequest {
        chain,
        format: format.into(),
    };
    let mut parts = client.audit.export_audit_log(request).await?.into_inner();
    let mut exported = output::Export::to(output)?;
    while let Some(part) = parts.message().await? {
        exported.text(&part.text)?;
    }
    exported.finish()
}

fn read(path: impl AsRef<Path>) -> Result<String, Failure> {
    let path = path.as_ref();
    let bytes = files::read(path, MAX_BYTES)?;
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{}: no text / 不是文本", path.display())))
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

fn records(records: &[pb::AuditRecord]) -> Table {
    let row = |record: &pb::AuditRecord| {
        let outcome = match record.outcome() {
            pb::AuditOutcome::Unspecified => "",
            pb::AuditOutcome::Done => "已执行 done",
            pb::AuditOutcome::Refused => "已拒绝 refused",
            pb::AuditOutcome::Disclosed => "已披露 disclosed",
        };
        vec![
            text(&record.chain),
            text(record.number.to_string()),
            text(&record.time),
            text(&record.principal),
            text(&record.peer),
            text(&record.action),
            text(outcome),
            text(&record.reason),
            text(&record.resource),
            text(record.resource_count.to_string()),
            text(&record.request_id),
        ]
    };
    Table {
        title: "审计日志 Audit log".to_owned(),
        unit: String::new(),
        notes: Vec::new(),
        columns: vec![
            Column::new("chain", "链 Chain"),
            Column::new("number", "编号 No."),
            Column::new("time", "时间 Time"),
            Column::new("principal", "人员 By"),
            Column::new("peer", "来源 From"),
            Column::new("action", "操作 Action"),
            Column::new("outcome", "结果 Outcome"),
            Column::new("reason", "原因 Reason"),
            Column::new("resource", "对象 Resource"),
            Column::new("count", "数量 Count"),
            Column::new("request_id", "请求 Request"),
        ],
        rows: records.iter().map(row).collect(),
        totals: false,
    }
}

fn findings(verification: &pb::AuditVerification, read: u64) -> Table {
    let row = |finding: &pb::AuditFinding| {
        vec![
            text(&finding.chain),
            text(finding.record.to_string()),
            text(&finding.field),
            text(&finding.stored),
            text(&finding.expected),
        ]
    };
    let count = verification.finding_count;
    let found = if count == 0 {
        "无差异 nothing differs".to_owned()
    } else {
        format!("{count} 处差异 {count} difference(s)")
    };
    Table {
        title: "审计日志核验 Verification of the audit log".to_owned(),
        unit: String::new(),
        notes: vec![format!(
            "{} 条链 chains, {read} 条记录 records, {} 个检查点 checkpoints: {found}",
            verification.chains.len(),
            verification.checkpoints
        )],
        columns: vec![
            Column::new("chain", "链 Chain"),
            Column::new("record", "记录 Record"),
            Column::new("field", "字段 Field"),
            Column::new("stored", "库存值 Stored"),
            Column::new("expected", "应为 Expected"),
        ],
        rows: verification.findings.iter().map(row).collect(),
        totals: false,
    }
}
