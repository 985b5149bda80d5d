//! A batch for the tests of this module. No such persons and no such accounts.

use crate::domain::money::Money;
use crate::domain::payer::Payer;
use crate::domain::payment::{
    Batch, BatchId, Block, Creditor, Debtor, Header, Instruction, Origin, Reference,
};
use time::{Date, Month};

/// Two payments from the city and one from the county.
pub(super) fn batch() -> Batch {
    batch_of("张三")
}

/// The same, with the name of the first payee.
pub(super) fn batch_of(name: &str) -> Batch {
    let block = |payer, debtor, instructions| Block {
        payer,
        debtor,
        instructions,
    };
    let city = Debtor::parse("debtor", "许昌市财政局", "411000000000012345", "313491099996").unwrap();
    let county = Debtor::parse("debtor", "鄢陵县财政局", "411024000000054321", "102100099996").unwrap();
    Batch::new(
        Header {
            id: BatchId::parse("id", "01975e0c7b6a7f21a6c1d0a5b3c4d5e6").unwrap(),
            // 2025-06-11 23:59:59 UTC, the next day in China.
            created_at: 1_749_686_399_000_000,
            requested_on: Date::from_calendar_date(2025, Month::June, 13).unwrap(),
            initiator: "许昌市财政局".to_owned(),
            fund: "2025 年农业转移人口市民化奖补资金".to_owned(),
            programme: "购房补贴".to_owned(),
        },
        vec![
            block(
                Payer::City,
                city,
                vec![
                    pay(101, Payer::City, "12000.50", name, "6222021234567890123"),
                    Instruction {
                        creditor: creditor(
                            "O'Neill, \"A\"",
                            "6217000010001234567",
                            "中国银行",
                            "104100000004",
                        ),
                        ..pay(102, Payer::City, "0.01", "李四", "6217000010001234567")
                    },
                ],
            ),
            block(
                Payer::County,
                county,
                vec![pay(101, Payer::County, "3000.00", name, "6222021234567890123")],
            ),
        ],
    )
    .unwrap()
}

fn pay(claim: u64, payer: Payer, amount: &str, name: &str, account: &str) -> Instruction {
    let origin = Origin {
        claim,
        payer,
        attempt: 1,
    };
    Instruction {
        reference: Reference::of(origin).unwrap(),
        amount: Money::parse("amount", amount).unwrap(),
        creditor: creditor(name, account, "中原银行许昌分行", "313491099996"),
        remittance: "购房补贴".to_owned(),
    }
}

fn creditor(name: &str, account: &str, bank_name: &str, bank_code: &str) -> Creditor {
    Creditor::parse("creditor", name, account, bank_name, bank_code).unwrap()
}
