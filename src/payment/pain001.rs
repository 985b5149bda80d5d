//! ISO 20022 `pain.001.001.09` (CustomerCreditTransferInitiationV09): the order to a bank to pay out.
//!
//! One message for a batch, one `PmtInf` for each payer's account. The same batch gives the same bytes.

use crate::domain::error::Error;
use crate::domain::money::Money;
use crate::domain::payment::{AccountNumber, BankCode, Batch, Block, Instruction, Totals};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use std::io::{self, Write};
use time::{OffsetDateTime, UtcOffset};

/// The namespace of the message.
pub const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";

/// The clearing system whose bank codes are used: `CNAPS` of ExternalClearingSystemIdentification1Code.
const CLEARING_SYSTEM: &str = "CNAPS";
const CURRENCY: &str = "CNY";
/// China's time, without summer time since 1992.
const CHINA_HOURS: i8 = 8;

/// Writes a batch.
pub fn write(batch: &Batch, to: impl Write) -> Result<(), Error> {
    let created_at = created_at(batch.created_at()).map_err(Error::internal)?;
    let mut out = Elements {
        writer: Writer::new_with_indent(to, b' ', 2),
    };
    message(batch, &created_at, &mut out).map_err(Error::internal)
}

fn message(batch: &Batch, created_at: &str, out: &mut Elements<impl Write>) -> io::Result<()> {
    let header = batch.header();
    out.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let document = BytesStart::new("Document").with_attributes([("xmlns", NAMESPACE)]);
    out.event(Event::Start(document))?;
    out.within("CstmrCdtTrfInitn", |out| {
        out.within("GrpHdr", |out| {
            out.leaf("MsgId", header.id.as_str())?;
            out.leaf("CreDtTm", created_at)?;
            totals(batch.totals(), out)?;
            out.within("InitgPty", |out| out.leaf("Nm", &header.initiator))
        })?;
        for (block, sums) in batch.blocks() {
            out.within("PmtInf", |out| payment_information(batch, block, sums, out))?;
        }
        Ok(())
    })?;
    out.event(Event::End(BytesEnd::new("Document")))?;
    out.writer.get_mut().write_all(b"\n")?;
    out.writer.get_mut().flush()
}

fn payment_information(
    batch: &Batch,
    block: &Block,
    sums: Totals,
    out: &mut Elements<impl Write>,
) -> io::Result<()> {
    let header = batch.header();
    out.leaf("PmtInfId", &header.id.block(block.payer))?;
    out.leaf("PmtMtd", "TRF")?;
    // An entry for each payment on the statement, so that its reference comes back.
    out.leaf("BtchBookg", "false")?;
    totals(sums, out)?;
    out.within("ReqdExctnDt", |out| {
        out.leaf("Dt", &header.requested_on.to_string())
    })?;
    out.within("Dbtr", |out| out.leaf("Nm", block.debtor.name()))?;
    out.within("DbtrAcct", |out| {
        account(block.debtor.account(), out)?;
        out.leaf("Ccy", CURRENCY)
    })?;
    out.within("DbtrAgt", |out| bank(block.debtor.bank_code(), None, out))?;
    // The payer bears the charges: the payee gets the whole amount.
    out.leaf("ChrgBr", "DEBT")?;
    for instruction in &block.instructions {
        out.within("CdtTrfTxInf", |out| transaction(instruction, out))?;
    }
    Ok(())
}

fn transaction(instruction: &Instruction, out: &mut Elements<impl Write>) -> io::Result<()> {
    let reference = instruction.reference.as_str();
    let creditor = &instruction.creditor;
    out.within("PmtId", |out| {
        out.leaf("InstrId", reference)?;
        out.leaf("EndToEndId", reference)
    })?;
    out.within("Amt", |out| amount(instruction.amount, out))?;
    out.within("CdtrAgt", |out| {
        bank(creditor.bank_code(), Some(creditor.bank_name()), out)
    })?;
    out.within("Cdtr", |out| out.leaf("Nm", creditor.name()))?;
    out.within("CdtrAcct", |out| account(creditor.account(), out))?;
    out.within("RmtInf", |out| {
        out.leaf("Ustrd", &remittance(instruction))?;
        out.within("Strd", |out| {
            out.within("CdtrRefInf", |out| {
                out.within("Tp", |out| {
                    out.within("CdOrPrtry", |out| out.leaf("Cd", "SCOR"))?;
                    out.leaf("Issr", "ISO")
                })?;
                out.leaf("Ref", reference)
            })
        })
    })
}

/// What the payee reads, with the reference; domestic transfers carry only this text.
pub(super) fn remittance(instruction: &Instruction) -> String {
    format!("{} {}", instruction.remittance, instruction.reference)
}

fn totals(totals: Totals, out: &mut Elements<impl Write>) -> io::Result<()> {
    out.leaf("NbOfTxs", &totals.count.to_string())?;
    out.leaf("CtrlSum", &totals.sum.to_string())
}

fn amount(amount: Money, out: &mut Elements<impl Write>) -> io::Result<()> {
    let start = BytesStart::new("InstdAmt").with_attributes([("Ccy", CURRENCY)]);
    out.text(start, "InstdAmt", &amount.to_string())
}

fn account(number: &AccountNumber, out: &mut Elements<impl Write>) -> io::Result<()> {
    out.within("Id", |out| {
        out.within("Othr", |out| out.leaf("Id", number.as_str()))
    })
}

fn bank(code: &BankCode, name: Option<&str>, out: &mut Elements<impl Write>) -> io::Result<()> {
    out.within("FinInstnId", |out| {
        out.within("ClrSysMmbId", |out| {
            out.within("ClrSysId", |out| out.leaf("Cd", CLEARING_SYSTEM))?;
            out.leaf("MmbId", code.as_str())
        })?;
        name.map_or(Ok(()), |name| out.leaf("Nm", name))
    })
}

/// A time as `ISODateTime`, to the second, in China's time.
fn created_at(time: OffsetDateTime) -> Result<String, time::error::ComponentRange> {
    let local = time.to_offset(UtcOffset::from_hms(CHINA_HOURS, 0, 0)?);
    let (hour, minute, second) = local.to_hms();
    Ok(format!(
        "{}T{hour:02}:{minute:02}:{second:02}+{CHINA_HOURS:02}:00",
        local.date()
    ))
}

/// Elements, one inside the other.
struct Elements<W> {
    writer: Writer<W>,
}

impl<W: Write> Elements<W> {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        self.writer.write_event(event)
    }

    fn within(&mut self, name: &str, content: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.event(Event::Start(BytesStart::new(name)))?;
        content(self)?;
        self.event(Event::End(BytesEnd::new(name)))
    }

    fn leaf(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.text(BytesStart::new(name), name, text)
    }

    fn text(&mut self, start: BytesStart<'_>, name: &str, text: &str) -> io::Result<()> {
        self.event(Event::Start(start))?;
        self.event(Event::Text(BytesText::new(text)))?;
        self.event(Event::End(BytesEnd::new(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::samples::{batch, batch_of};

    fn written(batch: &Batch) -> String {
        let mut bytes = Vec::new();
        write(batch, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn writes_what_was_agreed() {
        let xml = written(&batch());
        for part in [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09\">",
            "<MsgId>01975e0c7b6a7f21a6c1d0a5b3c4d5e6</MsgId>\n      <CreDtTm>2025-06-12T07:59:59+08:00</CreDtTm>\n      \
             <NbOfTxs>3</NbOfTxs>\n      <CtrlSum>15000.51</CtrlSum>",
            "<PmtInfId>01975e0c7b6a7f21a6c1d0a5b3c4d5e6-1</PmtInfId>",
            "<PmtInfId>01975e0c7b6a7f21a6c1d0a5b3c4d5e6-2</PmtInfId>",
            "<InstdAmt Ccy=\"CNY\">12000.50</InstdAmt>",
            "<EndToEndId>RF93101C1</EndToEndId>",
            "<Cd>CNAPS</Cd>",
            "<MmbId>104100000004</MmbId>",
            "<Ustrd>购房补贴 RF93101C1</Ustrd>",
        ] {
            assert!(xml.contains(part), "{part}\n{xml}");
        }
        assert_eq!(xml, written(&batch()));
    }

    #[test]
    fn escapes_what_xml_keeps_for_itself() {
        let xml = written(&batch_of("<张&三>]]>"));
        assert!(xml.contains("<Nm>&lt;张&amp;三&gt;]]&gt;</Nm>"), "{xml}");
    }
}
