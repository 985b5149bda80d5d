//! Rows that cannot be read: they are told, and no other row is blamed for them.

use super::*;

/// All faults: where, and what was found.
fn all(bytes: &[u8], mapping: &Mapping) -> Vec<String> {
    let faults = match read(bytes, mapping) {
        Err(faults) => faults,
        Ok(read) => panic!("it was read as\n{read}"),
    };
    let said = faults
        .iter()
        .map(|fault| format!("{}: {}", fault.field, fault.found));
    said.collect()
}

#[test]
fn a_row_that_cannot_be_read_blames_no_other() {
    // Newest first, with a row of sums.
    let mapping = known("treasury-centre");
    for (row, column) in [(5, 3), (6, 3), (7, 3), (5, 4), (6, 4), (7, 4)] {
        let table = treasury(|sheet| {
            let result = if column == 3 { "10" } else { "-560" };
            sheet
                .write_formula(row, column, Formula::new("5+5").set_result(result))
                .unwrap();
        });
        let heading = if column == 3 { "金额(元)" } else { "余额" };
        let wanted = format!("line {}, column {heading}: a formula", row + 1);
        assert_eq!(all(&table, &mapping), [wanted]);
    }
    let day = treasury(|sheet| {
        sheet.write_string(6, 0, "昨天").unwrap();
    });
    assert_eq!(all(&day, &mapping), ["line 7, column 清算日期: another text"]);
    let beyond = treasury(|sheet| {
        sheet.write_string(6, 9, "x").unwrap();
    });
    assert_eq!(all(&beyond, &mapping), ["line 7: 10 cells"]);

    // Oldest first, each fault in the first row, in the middle, and in the last; the sums are right but for it.
    let mapping = small(|document| document.rows.totals = vec!["sum".to_owned()]);
    let rows = [
        "2025-06-01,-1.00,9.00,411000,",
        "2025-06-02,-2.00,7.00,411000,",
        "2025-06-03,-3.00,4.00,411000,",
        "2025-06-04,-4.00,0.00,411000,",
    ];
    let table = |at: usize, cell: usize, text: &str| {
        let mut rows = rows.map(str::to_owned);
        let mut cells: Vec<&str> = rows[at].split(',').collect();
        cells[cell] = text;
        rows[at] = cells.join(",");
        format!(
            "date,amount,balance,own,back\n{}\nsum,-10.00,,,,\n",
            rows.join("\n")
        )
    };
    for at in 0..rows.len() {
        for (cell, text, found) in [
            (0, "x", "column date: another text"),
            (1, "x", "column amount: "),
            (2, "x", "column balance: "),
            (4, "a,b", "6 cells"),
        ] {
            let said = all(table(at, cell, text).as_bytes(), &mapping);
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].starts_with(&format!("line {}", at + 2)), "{said:?}");
            assert!(said[0].contains(found), "{said:?}");
        }
    }
    // What is wrong beside it is told all the same.
    let both = table(1, 1, "x").replace(",0.00,", ",0.01,");
    let said = all(both.as_bytes(), &mapping);
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[1], "line 5, column balance: 0.01");
}
