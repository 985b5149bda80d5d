//! hledger, which knows nothing of this program, on the journals that it exports.

use super::{line, office, own};
use crate::bureau::{hledger, hledger_balances};
use crate::harness::{World, stories};
use std::collections::BTreeMap;

stories!(hledger_agrees_with_our_balances);

async fn hledger_agrees_with_our_balances(world: World) {
    let (server, mut maker, mut checker, _) = office(&world).await;
    maker.surrender("f", "10.00").await.unwrap();
    maker.contribute("f", "411081", "500.00").await.unwrap();
    maker
        .assign(
            "f",
            vec![
                line("411081", "deed-tax", "70.00"),
                own("411081", "deed-tax", "60.00"),
            ],
        )
        .await
        .unwrap();
    let wrong = maker.receive("f", "3.00").await.unwrap();
    checker.reverse("f", wrong.number).await.unwrap();
    // More entries than the export reads at once.
    let many = (0..1_200).map(|n| line("411082", &format!("p{n}"), "0.01"));
    maker.assign("f", many.collect()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f.journal");
    let journal = maker.journal("f").await;
    std::fs::write(&file, &journal).unwrap();
    let theirs = hledger_balances(&file);
    let ours: BTreeMap<String, String> = (maker.balances("f", 0).await.into_iter())
        .filter(|(_, amount)| amount != "0.00")
        .map(|(account, amount)| {
            let levels = account.split('/').filter(|level| *level != "-");
            (format!("f:{}", levels.collect::<Vec<_>>().join(":")), amount)
        })
        .collect();
    assert_eq!(theirs, ours);
    assert!(ours.len() > 1_200);
    // The same again, whatever came in between, up to where it ended.
    maker.receive("f", "1.00").await.unwrap();
    assert!(maker.journal("f").await.starts_with(&journal));
    // An amount that is not what was posted is noticed there, too.
    std::fs::write(
        &file,
        journal.replacen("100000000.00 CNY =", "100000000.01 CNY =", 2),
    )
    .unwrap();
    let (fine, _, said) = hledger(&file, &["check"]);
    assert!(!fine && said.contains("balance assertion"), "{said}");
    server.stop().await;
}
