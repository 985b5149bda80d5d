//! What messages must not have.

use super::*;

const CAMT_8: &[u8] = include_bytes!("../../../tests/data/statements/camt053-08.xml");

/// Holds the first fault of each changed file against what it should be.
fn refuse_all(bytes: &[u8], changes: &[(&str, &str, &str)]) {
    let differing: Vec<String> = changes
        .iter()
        .map(|(from, to, wanted)| (first(&changed(bytes, from, to)), wanted, to))
        .filter(|(found, wanted, _)| found != *wanted)
        .map(|(found, wanted, to)| format!("{to}\n  found  {found}\n  wanted {wanted}"))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn refuses_xml_that_means_harm() {
    let laughs = changed(
        CAMT,
        "<Document",
        "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;\">]><Document",
    );
    assert_eq!(first(&laughs), "line 3: a document type (DOCTYPE)");
    let entity = changed(CAMT, "YLCZ-2025-117", "&lol;");
    assert!(first(&entity).contains("an entity"), "{}", first(&entity));
    let outside = changed(CAMT, "<Stmt>", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><Stmt>");
    assert!(first(&outside).contains("DOCTYPE"));
    let long = changed(CAMT, "退汇", &"退".repeat(40_000));
    assert_eq!(refused(&long)[0].found, "a longer piece");
    let deep = changed(CAMT, "<Ownr>", &"<Ownr>".repeat(40));
    assert_eq!(refused(&deep)[0].found, "deeper nesting");
    let tag = changed(CAMT, "<Ownr>", &format!("<Ownr x=\"{}\">", "x".repeat(5_000)));
    assert_eq!(refused(&tag)[0].found, "a longer tag");
}

#[test]
fn refuses_other_messages_and_versions() {
    for (from, to) in [
        ("camt.053.001.02", "camt.053.001.04"),
        ("camt.053.001.02", "camt.052.001.02"),
        ("camt.053.001.02", "pain.001.001.09"),
    ] {
        let faults = refused(&changed(CAMT, from, to));
        assert!(faults[0].found.contains(to), "{}", faults[0]);
        assert!(faults[0].allowed.en.contains("camt.053.001.08"), "{}", faults[0]);
    }
    // A statement in the namespace of a notification.
    let faults = refused(&changed(CAMT, "camt.053.001.02", "camt.054.001.02"));
    assert_eq!(faults[0].allowed.en, "Stmt in camt.053, Ntfctn in camt.054");
    let none = changed(
        CAMT,
        " xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.02\"",
        "",
    );
    assert_eq!(refused(&none)[0].found, "no namespace");
    let empty = format!(
        "<Document xmlns=\"{}\"><BkToCstmrStmt/></Document>",
        NAMESPACES[0]
    );
    assert_eq!(first(empty.as_bytes()), "file: a message without statement");
}

#[test]
fn refuses_elements_that_are_no_statement() {
    refuse_all(
        CAMT,
        &[
            (
                "<Amt Ccy=\"CNY\">7500.50</Amt>",
                "<Amt Ccy=\"CNY\">7500.500</Amt>",
                "line 53, Ntry/Amt: 7500.500",
            ),
            (
                "<Amt Ccy=\"CNY\">7500.50</Amt>",
                "<Amt Ccy=\"USD\">7500.50</Amt>",
                "line 53, Ntry/Amt Ccy: USD",
            ),
            (
                "<Amt Ccy=\"CNY\">7500.50</Amt>",
                "<Amt>7500.50</Amt>",
                "line 53, Ntry/Amt Ccy: (empty)",
            ),
            (
                "<Amt Ccy=\"CNY\">7500.50</Amt>",
                "<Amt Ccy=\"CNY\">-7500.50</Amt>",
                "line 53, Ntry/Amt: -7500.50",
            ),
            ("<Amt Ccy=\"CNY\">7500.50</Amt>", "", "line 52, Ntry: no Amt"),
            (
                "<CdtDbtInd>DBIT</CdtDbtInd>\n        <Sts>",
                "<CdtDbtInd>D</CdtDbtInd>\n        <Sts>",
                "line 54, Ntry/CdtDbtInd: D",
            ),
            ("<RvslInd>true", "<RvslInd>ja", "line 80, Ntry/RvslInd: ja"),
            ("<Sts>PDNG</Sts>", "", "line 101, Ntry/Sts: (empty)"),
            (
                "<BookgDt><Dt>2025-06-13</Dt></BookgDt>\n        <ValDt>",
                "<ValDt>",
                "line 52, Ntry: no BookgDt",
            ),
            (
                "<BookgDt><Dt>2025-06-13</Dt>",
                "<BookgDt><Dt>2025-06-31</Dt>",
                "line 56, Ntry/BookgDt/Dt: 2025-06-31",
            ),
            ("<Cd>CLBD</Cd>", "<Cd>CLAV</Cd>", "line 131, Stmt: no Bal CLBD"),
            (
                "100000.00</Amt>",
                "100000.01</Amt>",
                "line 34, Bal OPBD: PRCD 100000.01, OPBD 100000.00",
            ),
            (
                "<Cd>CLAV</Cd>",
                "<Cd>CLBD</Cd>",
                "line 46, Bal CLBD: CLBD again, or behind an entry",
            ),
            (
                "411024000000054321",
                "NL80SNSB0266365538",
                "line 18, Acct/Id/Othr/Id: characters that are no digits",
            ),
            ("<Ccy>CNY</Ccy>", "<Ccy>EUR</Ccy>", "line 19, Acct/Ccy: EUR"),
            (
                "<ElctrncSeqNb>117",
                "<ElctrncSeqNb>1 17",
                "line 11, ElctrncSeqNb: 1 17",
            ),
            (
                "SLYH202506130001",
                &"1".repeat(65),
                "line 58, Ntry/AcctSvcrRef: 65 characters",
            ),
            (
                "<TxDtls><Refs><EndToEndId>RF24123C1",
                "<TxDtls><AmtDtls><TxAmt><Amt Ccy=\"CNY\">1</Amt></TxAmt></AmtDtls><Refs><EndToEndId>RF24123C1",
                "line 127, Ntry/NtryDtls/TxDtls: transactions with and without amounts in one entry",
            ),
        ],
    );
    refuse_all(
        CAMT_8,
        &[
            (
                "<PgNb>1</PgNb><LastPgInd>true",
                "<PgNb>1</PgNb><LastPgInd>false",
                "line 8, GrpHdr/MsgPgntn/LastPgInd: false",
            ),
            (
                "<StmtPgntn><PgNb>1",
                "<StmtPgntn><PgNb>2",
                "line 12, StmtPgntn/PgNb: 2",
            ),
            (
                "<Amt Ccy=\"CNY\">10</Amt>",
                "<Amt Ccy=\"CNY\">11</Amt>",
                "line 32, Ntry: 311.00 in 3 transactions",
            ),
            (
                "<Amt Ccy=\"CNY\">10</Amt><CdtDbtInd>DBIT",
                "<Amt Ccy=\"CNY\">10</Amt><CdtDbtInd>CRDT",
                "line 63, Ntry/NtryDtls/TxDtls/CdtDbtInd: credit",
            ),
        ],
    );
}

#[test]
fn refuses_what_mt940_does_not_have() {
    refuse_all(
        MT940,
        &[
            (
                ":61:2506130613D7500,5",
                ":61:2506130613D7500,555",
                "line 6, :61: amount: 7500,555",
            ),
            (
                ":61:2506130613D7500,5",
                ":61:2506130613D7500.5",
                "line 6, :61: amount: 7500.5",
            ),
            (
                ":61:2506130613D7500,5",
                ":61:2506310613D7500,5",
                "line 6, :61: day: 250631",
            ),
            (
                ":61:2506130613D7500,5",
                ":61:2506131313D7500,5",
                "line 6, :61: day: 1313",
            ),
            (
                ":61:2506130613D7500,5",
                ":61:2506130613ED7500,5",
                "line 6, :61:: another mark",
            ),
            (
                ":60F:C250612CNY",
                ":60F:C250612EUR",
                "line 5, :60F: currency: EUR",
            ),
            (
                ":60F:C250612CNY100000,",
                ":60F:C250612CNY100000,01",
                "line 11, :62M:: 92499.50",
            ),
            (
                ":60M:C250613CNY92499,50",
                ":60M:C250613CNY92499,",
                "line 17, :60M:: 92499.00",
            ),
            (
                ":28C:117/2",
                ":28C:117/3",
                "line 17, :60M:: an intermediate balance",
            ),
            (
                ":28C:117/2",
                ":28C:118/2",
                "line 17, :60M:: an intermediate balance",
            ),
            (
                ":28C:117/1",
                ":28C:117/2",
                "line 5, :60F:: :60F: on a page that is not the first",
            ),
            (
                ":28C:117/1",
                ":28C:117",
                "line 11, :62M:: an intermediate balance without a page number in :28C:",
            ),
            (":60F:", ":60M:", "line 5, :60M:: an intermediate balance"),
            (":62M:", ":62F:", "line 17, :60M:: an intermediate balance"),
            (
                ":25:313491099996/411024000000054321",
                ":25:NL80SNSB0266365538",
                "line 3, :25:: characters that are no digits",
            ),
            (
                ":25:313491099996/411024000000054321\r\n",
                "",
                "line 4, :60F:: no :25: before it",
            ),
            (":20:YLCZ0613", ":20:", "line 2, :20:: 0 characters"),
            ("O940", "O942", "line 1, block 2: MT942"),
            (":64:", ":63:", "line 23, :63:: a field that MT940 does not have"),
            (":64:C", ":61:C", "line 23, :61:: a field out of place"),
            (
                "PAYMENT\r\n:86:SUBSIDY",
                "PAYMENT\r\n:86:A\r\n:86:SUBSIDY",
                "line 9, :86:: :86: that belongs to no line",
            ),
            (
                ":20:YLCZ0613",
                "garbage\r\n:20:YLCZ0613",
                "line 2: a line that belongs to no field",
            ),
            ("SUBSIDY", &"S".repeat(5000), "line 8: a longer piece"),
            (
                "SUBSIDY",
                &"令狐\r\n".repeat(5000),
                "line 8, :86:: a longer field",
            ),
        ],
    );
    assert_eq!(first(b":20:X\r\n:25:411000\r\n"), "line 2: the end of a message");
    assert_eq!(first(b"{1:F01X}{2:O9400}"), "file: no message");
}
