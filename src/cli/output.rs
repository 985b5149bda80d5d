//! What commands print, where to, and how they fail.

use crate::domain::error::Error;
use crate::report::{Format, Table, render_all};
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// How and where a result is written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct OutputArguments {
    /// Form of the result
    #[arg(long, value_enum, default_value = "table")]
    pub(super) format: Format,
    /// Writes the result to a file rather than to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

impl OutputArguments {
    /// Writes a table.
    pub(super) fn write(&self, table: &Table) -> Result<(), Failure> {
        self.write_all(std::slice::from_ref(table))
    }

    /// Writes tables that belong together.
    pub(super) fn write_all(&self, tables: &[Table]) -> Result<(), Failure> {
        if self.format == Format::Xlsx && self.output.is_none() && std::io::stdout().is_terminal() {
            return Err(Failure::usage(
                "an XLSX file does not fit a terminal: add --output FILE / XLSX 不能显示在终端,请加 --output FILE",
            ));
        }
        let bytes = render_all(tables, self.format)?;
        match &self.output {
            Some(path) => std::fs::write(path, bytes).map_err(|error| Failure::file(path, &error)),
            None => raw(&bytes),
        }
    }

    /// Whether sentences may follow the table on standard output.
    pub(super) fn is_for_reading(&self) -> bool {
        self.format == Format::Table && self.output.is_none()
    }
}

/// Writes text to standard output.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    raw(text.as_bytes())
}

/// Writes text to standard error, beside a result that a program reads. Nothing is left to do where that fails.
pub(super) fn aside(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // A reader that has seen enough, such as `head`, is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| Failure {
            lines: vec![format!("standard output: {error}")],
            code: 1,
        }),
    }
}

/// Why a command failed: lines for standard error, and the exit code.
///
/// 1: it could not be done; 2: the arguments or the input are wrong; 3: done, and something is left to look at.
#[derive(Debug)]
pub(super) struct Failure {
    lines: Vec<String>,
    code: u8,
}

impl Failure {
    /// Wrong use of the command.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            lines: vec![message.into()],
            code: 2,
        }
    }

    /// What was asked for could not be done, or did not turn out well.
    pub(super) fn failed(message: String) -> Self {
        Self {
            lines: vec![message],
            code: 1,
        }
    }

    /// What was asked for was done and shown; only the exit code says how it turned out.
    pub(super) const fn silent(code: u8) -> Self {
        Self {
            lines: Vec::new(),
            code,
        }
    }

    /// A file that cannot be read or written.
    pub(super) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self {
            lines: vec![
                format!("{}: {error}", path.display()),
                format!("{}:无法读写该文件", path.display()),
            ],
            code: 2,
        }
    }

    /// A server that does not answer.
    pub(super) fn unreachable(url: &str, error: &tonic::transport::Error) -> Self {
        let cause = std::error::Error::source(error)
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        Self {
            lines: vec![
                format!("no server at {url}: {error}{cause}"),
                format!("{url} 无法连接"),
            ],
            code: 1,
        }
    }

    /// The same failure, with what it is about on the first line.
    pub(super) fn within(mut self, what: &str) -> Self {
        if let Some(first) = self.lines.first_mut() {
            *first = format!("{what}: {first}");
        }
        self
    }

    /// Writes the lines and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        let mut err = std::io::stderr().lock();
        for (at, line) in self.lines.iter().enumerate() {
            // Nothing is left to do where standard error cannot be written.
            let _ = if at == 0 {
                writeln!(err, "error: {line}")
            } else {
                writeln!(err, "  {line}")
            };
        }
        ExitCode::from(self.code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Error::Invalid(violations) = &error {
            let mut lines = vec![format!(
                "{} fault(s); nothing was changed / 有 {0} 处错误,未做任何更改",
                violations.len()
            )];
            for violation in violations {
                lines.push(violation.sentence_en());
                lines.push(violation.sentence_zh());
            }
            return Self { lines, code: 2 };
        }
        let detail = match &error {
            Error::Internal { detail } | Error::Unavailable { detail } => Some(detail.clone()),
            _ => None,
        };
        let message = error.message();
        Self {
            lines: [message.en, message.zh].into_iter().chain(detail).collect(),
            code: 1,
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let details = status.get_error_details_vec();
        let mut lines = Vec::new();
        let mut fields = Vec::new();
        let mut shown = 0;
        let mut more = None;
        for detail in &details {
            match detail {
                tonic_types::ErrorDetail::ErrorInfo(info) => {
                    more = info
                        .metadata
                        .get("violations")
                        .and_then(|count| count.parse::<usize>().ok());
                }
                tonic_types::ErrorDetail::BadRequest(request) => {
                    for violation in &request.field_violations {
                        fields.push(format!("{}: {}", violation.field, violation.description));
                        fields.extend(violation.localized_message.iter().map(|zh| zh.message.clone()));
                        shown += 1;
                    }
                }
                tonic_types::ErrorDetail::LocalizedMessage(message) if message.locale == "zh-CN" => {
                    lines.push(message.message.clone());
                }
                _ => {}
            }
        }
        if fields.is_empty() {
            lines.insert(0, status.message().to_owned());
        } else {
            let count = more.unwrap_or(shown);
            let hidden = count.saturating_sub(shown);
            if hidden > 0 {
                fields.push(format!("and {hidden} more / 另有 {hidden} 处"));
            }
            fields.insert(
                0,
                format!("{count} fault(s); nothing was changed / 有 {count} 处错误,未做任何更改"),
            );
            lines = fields;
        }
        let code = if matches!(status.code(), Code::InvalidArgument | Code::OutOfRange) {
            2
        } else {
            1
        };
        Self { lines, code }
    }
}

impl From<Vec<crate::domain::error::Violation>> for Failure {
    fn from(violations: Vec<crate::domain::error::Violation>) -> Self {
        Error::from(violations).into()
    }
}

/// Where an export goes, part by part: a file, or standard output.
pub(super) struct Export(Option<(PathBuf, BufWriter<File>)>);

impl Export {
    /// Begins the file, where there is to be one.
    pub(super) fn to(path: Option<PathBuf>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = File::create(&path).map_err(|error| Failure::file(&path, &error))?;
        Ok(Self(Some((path, BufWriter::new(file)))))
    }

    /// Adds a part.
    pub(super) fn text(&mut self, part: &str) -> Result<(), Failure> {
        match &mut self.0 {
            None => text(part),
            Some((path, file)) => file
                .write_all(part.as_bytes())
                .map_err(|error| Failure::file(path, &error)),
        }
    }

    /// Ends the file.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self.0 {
            None => Ok(()),
            Some((path, mut file)) => file.flush().map_err(|error| Failure::file(&path, &error)),
        }
    }
}
