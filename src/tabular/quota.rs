//! Quota to assign to programmes, from a sheet.

use super::Sheet;
use super::layout::QUOTA;
use crate::domain::error::{Faults, Violation};
use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::statistics::half_width;
use crate::domain::subsidy::ProgrammeCode;

/// One line: so much for a programme in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaRow {
    /// The region.
    pub region: RegionCode,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Whose money; the city's where the sheet does not say.
    pub payer: Payer,
    /// How much; above zero.
    pub amount: Money,
}

/// The quota of a sheet, line by line.
pub fn quota(sheet: &Sheet) -> Result<Vec<QuotaRow>, Vec<Violation>> {
    let found = QUOTA.find(sheet)?;
    let mut faults = Faults::default();
    let mut rows = Vec::with_capacity(sheet.rows.len());
    for (line, row) in &sheet.rows {
        let field = |name: &str| format!("line {line}, column {name}");
        let cell = |name: &str| half_width(found.cell(row, name)).trim().to_owned();
        let region = faults.keep(RegionCode::parse(&field("region"), &cell("region")));
        let programme = faults.keep(ProgrammeCode::parse(&field("programme"), &cell("programme")));
        let payer = faults.keep(payer(&field("payer"), &cell("payer")));
        let amount = faults.keep(amount(&field("amount"), &cell("amount")));
        if let (Some(region), Some(programme), Some(payer), Some(amount)) = (region, programme, payer, amount)
        {
            rows.push(QuotaRow {
                region,
                programme,
                payer,
                amount,
            });
        }
    }
    faults.finish()?;
    Ok(rows)
}

/// A code or the Chinese name; the city where nothing is given.
fn payer(field: &str, text: &str) -> Result<Payer, Violation> {
    let named = Payer::ALL.into_iter().find(|payer| payer.zh() == text);
    match named {
        Some(payer) => Ok(payer),
        None if text.is_empty() => Ok(Payer::City),
        None => Payer::parse(field, text),
    }
}

fn amount(field: &str, text: &str) -> Result<Money, Violation> {
    let amount = Money::parse(field, text)?;
    if amount > Money::ZERO {
        return Ok(amount);
    }
    Err(Violation::new(
        field,
        text,
        "an amount above zero",
        "大于零的金额",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tabular::read;

    #[test]
    fn reads_lines_in_either_language() {
        let text =
            "地区代码,项目,资金来源,金额\n411081,housing-purchase,,100.5\n４１１０８２,deed-tax,县级,7\n";
        let rows = quota(&read("q.csv", text.as_bytes()).unwrap()).unwrap();
        let shown: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {} {} {}", row.region, row.programme, row.payer, row.amount))
            .collect();
        assert_eq!(
            shown,
            [
                "411081 housing-purchase city 100.50",
                "411082 deed-tax county 7.00"
            ]
        );
    }

    #[test]
    fn names_every_faulty_cell() {
        let text = "region,programme,payer,amount\nx,Housing,state,0\n411081,deed-tax,city,1.001\n";
        let faults = quota(&read("q.csv", text.as_bytes()).unwrap()).unwrap_err();
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "line 2, column region",
                "line 2, column programme",
                "line 2, column payer",
                "line 2, column amount",
                "line 3, column amount"
            ]
        );
    }
}
