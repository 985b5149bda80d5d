//! Statements of any size in a memory of one size: files that are made as they are read.

use crate::cli::office::Office;
use std::io::Write;
use std::process::Stdio;

/// How a file is made: what it begins with, a line, what it ends with.
struct Format {
    arguments: &'static [&'static str],
    head: fn(u64) -> String,
    line: fn(u64) -> String,
    tail: fn(u64) -> String,
}

const CAMT: Format = Format {
    arguments: &[],
    head: |lines| {
        let balance = |code: &str, yuan: u64| {
            format!(
                "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"CNY\">{yuan}.00</Amt>\
                 <CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2025-06-13</Dt></Dt></Bal>"
            )
        };
        format!(
            "<?xml version=\"1.0\"?><Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt>\
             <Stmt><Id>1</Id><Acct><Id><Othr><Id>411024000000054321</Id></Othr></Id></Acct>{}{}",
            balance("OPBD", lines),
            balance("CLBD", 0)
        )
    },
    line: |number| {
        format!(
            "<Ntry><Amt Ccy=\"CNY\">1.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>\
             <BookgDt><Dt>2025-06-13</Dt></BookgDt><AcctSvcrRef>B{number}</AcctSvcrRef><NtryDtls><TxDtls>\
             <Refs><EndToEndId>RF24123C1</EndToEndId></Refs><RltdPties><Cdtr><Pty><Nm>令狐试例</Nm></Pty></Cdtr></RltdPties>\
             </TxDtls></NtryDtls></Ntry>\n"
        )
    },
    tail: |_| "</Stmt></BkToCstmrStmt></Document>".to_owned(),
};

const MT940: Format = Format {
    arguments: &[],
    head: |lines| format!(":20:1\n:25:411024000000054321\n:28C:1/1\n:60F:C250613CNY{lines},\n"),
    line: |number| format!(":61:2506130613D1,NTRFRF24123C1//B{number}\n:86:HOUSING SUBSIDY\n"),
    tail: |_| ":62F:C250613CNY0,\n-\n".to_owned(),
};

const CSV: Format = Format {
    arguments: &["--mapping", "corporate-ebank"],
    head: |lines| {
        format!(
            "账号:411024000000054321,,,,,,\n期初余额,,,{lines}.00,,,\n记账日期,借方发生额,贷方发生额,余额,交易流水号,对方户名,附言\n"
        )
    },
    line: |number| format!("2025-06-13,1.00,,,B{number},令狐试例,RF24123C1\n"),
    tail: |_| "期末余额,,,0.00,,,\n".to_owned(),
};

/// Reads a file of so many lines; gives the most memory that it took, in KiB.
fn peak(format: &Format, lines: u64) -> u64 {
    let office = Office::new();
    let mut child = office
        .command()
        .args(["statement", "preview", "-"])
        .args(format.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = std::io::BufWriter::with_capacity(1 << 16, child.stdin.take().unwrap());
    input.write_all((format.head)(lines).as_bytes()).unwrap();
    for number in 1..=lines {
        input.write_all((format.line)(number).as_bytes()).unwrap();
    }
    input.flush().unwrap();
    // All but what lies in pipes has been read; the program waits for the rest.
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    input.write_all((format.tail)(lines).as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!((output.status.code(), &*err), (Some(0), ""));
    assert!(
        out.contains(&format!("  {lines} debits")) && out.contains("adds up"),
        "{out}"
    );
    assert!(out.contains(&format!("  {lines} with our reference")), "{out}");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_file() {
    const FEW: u64 = 2_000;
    const MANY: u64 = 200_000;
    for (name, format) in [("camt.053", &CAMT), ("MT940", &MT940), ("CSV", &CSV)] {
        let (few, many) = (peak(format, FEW), peak(format, MANY));
        println!("{name}: {few} KiB for {FEW} lines, {many} KiB for {MANY}");
        assert!(many < few + (8 << 10), "{name}: {few} KiB, then {many} KiB");
        assert!(many < 128 << 10, "{name}: {many} KiB");
    }
}
