//! Formulas.

use super::samples::{by, formula};
use super::{Fresh, on_both};
use crate::app::records::FormulaRevision;
use crate::domain::error::Error;
use crate::domain::formula::Document;

on_both!(keeps_every_revision, keeps_whole_documents);

async fn keeps_every_revision(database: Fresh) {
    let store = database.store().await;
    let tx = store.begin_write().await.unwrap();
    for revision in 1..=11 {
        tx.insert_formula(&formula("b", revision)).await.unwrap();
    }
    for id in ["a_1", "a1", "c"] {
        tx.insert_formula(&formula(id, 1)).await.unwrap();
    }
    tx.commit().await.unwrap();

    let tx = store.begin_read().await.unwrap();
    assert_eq!(tx.formula("b", None).await.unwrap(), Some(formula("b", 11)));
    assert_eq!(tx.formula("b", Some(2)).await.unwrap(), Some(formula("b", 2)));
    assert_eq!(tx.formula("b", Some(12)).await.unwrap(), None);
    assert_eq!(tx.formula("none", None).await.unwrap(), None);
    let third = formula("b", 3);
    assert_eq!(
        tx.formula_by_digest("b", &third.digest).await.unwrap(),
        Some(third.clone())
    );
    assert_eq!(tx.formula_by_digest("c", &third.digest).await.unwrap(), None);

    let newest = [
        formula("a1", 1),
        formula("a_1", 1),
        formula("b", 11),
        formula("c", 1),
    ];
    assert_eq!(tx.formulas(None, 100).await.unwrap(), newest);
    assert_eq!(tx.formulas(Some("a1"), 2).await.unwrap(), newest[1..3]);
    let revisions: Vec<FormulaRevision> = (5..=7).map(|revision| formula("b", revision)).collect();
    assert_eq!(tx.formula_revisions("b", 4, 3).await.unwrap(), revisions);
    drop(tx);

    let tx = store.begin_write().await.unwrap();
    let same_document = FormulaRevision {
        revision: 12,
        ..formula("b", 3)
    };
    let refused = tx.insert_formula(&same_document).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    drop(tx);
    let tx = store.begin_write().await.unwrap();
    let same_revision = FormulaRevision {
        revision: 11,
        ..formula("b", 20)
    };
    let refused = tx.insert_formula(&same_revision).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
}

async fn keeps_whole_documents(database: Fresh) {
    let store = database.store().await;
    let text = r#"
        id = "whole"
        title_zh = "“引号”、\\ 与 emoji 🏠"
        [legal_basis]
        document = "财预〔2022〕60号"
        illustrative = "weights"
        [[parameters]]
        name = "k"
        value = "0.1234567890123456789012345678"
        [[components]]
        id = "one"
        percent = 100
        score = "settled * $k"
        [[bounds]]
        kind = "floor"
        basis = "last_year"
        percent = "90"
        indicator = "allocation[-1]"
        regions = ["4110-DC"]
    "#;
    let document = Document::from_toml(text).unwrap();
    let written = FormulaRevision {
        revision: 1,
        digest: document.digest(),
        document,
        created: by("张三", -1),
    };
    let tx = store.begin_write().await.unwrap();
    tx.insert_formula(&written).await.unwrap();
    let read = tx.formula("whole", Some(1)).await.unwrap().unwrap();
    assert_eq!(read, written);
    assert_eq!(read.document.digest(), read.digest);
}
