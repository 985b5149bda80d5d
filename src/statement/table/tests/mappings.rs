//! Mappings: those that ship, and what is refused.

use super::*;

#[test]
fn the_shipped_mappings_are_right() {
    let codes: Vec<String> = shipped()
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
        .iter()
        .map(|mapping| mapping.code().to_owned())
        .collect();
    assert_eq!(codes, ["corporate-ebank", "treasury-centre", "agent-bank"]);
    for ((file, _), code) in super::super::super::SHIPPED.iter().zip(codes) {
        assert_eq!(*file, format!("{code}.toml"));
    }
}

#[test]
fn refuses_mappings_that_mean_nothing() {
    for (from, to, field) in [
        ("code = \"small\"", "code = \"Small\"", "code"),
        ("name_zh = \"小\"", "name_zh = \"\"", "name_zh"),
        ("source = \"none\"", "", "line 1"),
        ("source = \"none\"", "source = \" \"", "source"),
        ("dates =", "encoding = \"latin-1\"\ndates =", "encoding"),
        ("dates =", "delimiter = \":\"\ndates =", "delimiter"),
        ("dates =", "order = \"random\"\ndates =", "order"),
        ("dates =", "skip_rows = 101\ndates =", "skip_rows"),
        ("dates =", "header_within = 0\ndates =", "header_within"),
        ("dates =", "colour = 0\ndates =", "line 6"),
        ("[\"YYYY-MM-DD\"]", "[]", "dates"),
        ("[\"YYYY-MM-DD\"]", "[\"YYYY\"]", "dates[0]"),
        ("booked = [\"date\"]", "", "columns.booked"),
        ("booked = [\"date\"]", "booked = [\" \"]", "columns.booked"),
        ("amount = [\"amount\"]", "", "columns.amount"),
        (
            "amount = [\"amount\"]",
            "amount = [\"amount\"]\ndebit = [\"d\"]",
            "columns.debit",
        ),
        ("style = \"sign\"", "style = \"colour\"", "amounts.style"),
        ("outgoing = \"negative\"", "", "amounts.outgoing"),
        (
            "thousands = \"\"",
            "thousands = \".\"",
            "amounts.thousands, amounts.decimal",
        ),
        ("thousands = \"\"", "negative = \"ignore\"", "amounts.negative"),
        ("reversal_words = [\"yes\"]", "", "amounts.reversal_words"),
        ("balance = [\"balance\"]\n", "", ""),
    ] {
        assert!(SMALL.contains(from), "{from}");
        match Mapping::parse(&SMALL.replacen(from, to, 1)) {
            Ok(_) => assert_eq!(field, "", "{to}"),
            Err(faults) => assert_eq!(faults[0].field, field, "{to}: {faults:?}"),
        }
    }
    let words = SMALL.replace(
        "style = \"sign\"\noutgoing = \"negative\"",
        "style = \"words\"\ndebit_words = [\"a\"]\ncredit_words = [\"A\"]",
    );
    let words = words.replace("balance = [\"balance\"]", "direction = [\"way\"]");
    assert_eq!(
        Mapping::parse(&words).unwrap_err()[0].field,
        "amounts.credit_words"
    );
    let boundary = SMALL.replace("balance = [\"balance\"]", "") + "[rows]\nopening = [\"o\"]\n";
    assert_eq!(Mapping::parse(&boundary).unwrap_err()[0].field, "columns.balance");
}
