//! A statement that comes in pieces.

use super::super::convert::reconciliation::{given, statement_format};
use super::super::gate::Call;
use super::super::pb;
use super::super::reach::Names;
use super::super::status::to_status;
use super::super::upload::Upload;
use crate::app::reconciliation::records::ImportedStatements;
use crate::app::reconciliation::{Events, ImportStatement};
use crate::app::{App, Mutation};
use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::{Error, Violation};
use crate::statement::{Mapping, Reader};
use prost::Message as _;
use std::fs::File;
use std::io::BufReader;
use tonic::{Status, Streaming};

/// How an import is to be carried out; the digest of its body is over header and content, however it was cut into
/// messages.
pub(super) fn mutation(
    call: &Call,
    header: &pb::ImportStatementHeader,
    file: &Digest,
) -> Result<Mutation, Status> {
    let plain = pb::ImportStatementHeader {
        request_id: String::new(),
        ..header.clone()
    };
    let mut body = DigestBuilder::new("incentivefund.v1.ImportStatement");
    body.bytes(&plain.encode_to_vec()).field(file.as_str());
    call.mutation(header.request_id.clone(), body.finish(), header.validate_only)
}

pub(super) async fn import(
    app: &App,
    mutation: &Mutation,
    header: &pb::ImportStatementHeader,
    file: File,
    digest: &Digest,
) -> Result<ImportedStatements, Error> {
    let names = Names::of(app, &mutation.scope);
    let account = names.optional_account("header.account", &header.account)?;
    let wanted = statement_format("header.format", header.format)?;
    let mapping = (!header.mapping.is_empty()).then(|| Mapping::parse(&header.mapping));
    let mapping = mapping.transpose()?;
    let reader = Reader::open(Box::new(BufReader::new(file)), mapping.as_ref(), given(header)?)?;
    let format = reader.format().code();
    if let Some(wanted) = wanted.filter(|wanted| *wanted != format) {
        return Err(Violation::new(
            "header.format",
            wanted,
            format!("{format}, which the file is"),
            format!("{format}(文件的实际格式)"),
        )
        .into());
    }
    let import = ImportStatement {
        account,
        digest: digest.as_str().to_owned(),
        format: format.to_owned(),
    };
    app.import_statement(mutation, &import, Events::of(reader)).await
}

/// Takes the whole stream.
pub(super) async fn receive(
    mut stream: Streaming<pb::ImportStatementRequest>,
) -> Result<(pb::ImportStatementHeader, File, Digest), Status> {
    use pb::import_statement_request::Content;
    let misplaced =
        |found: &str, en: &str, zh: &str| to_status(Violation::new("content", found, en, zh).into());
    let Some(Content::Header(header)) = stream.message().await?.and_then(|message| message.content) else {
        return Err(misplaced(
            "no header",
            "a header as the first message",
            "第一条消息须为 header",
        ));
    };
    let mut upload = Upload::begin()?;
    while let Some(message) = stream.message().await? {
        let Some(Content::Piece(piece)) = message.content else {
            return Err(misplaced(
                "no piece",
                "pieces of the file in every message after the first",
                "第一条之后的消息须为文件内容",
            ));
        };
        upload.add(&piece)?;
    }
    let came = upload.bytes();
    if header.bytes != 0 && header.bytes != came {
        return Err(to_status(
            Violation::new(
                "header.bytes",
                came.to_string(),
                format!("{}, as the header says: the file was cut short", header.bytes),
                format!("{} 字节(header 所述):文件不完整", header.bytes),
            )
            .into(),
        ));
    }
    let (file, digest) = upload.finish()?;
    Ok((header, file, digest))
}
