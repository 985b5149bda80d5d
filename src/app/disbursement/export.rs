//! What goes to the bank: the payments of a released batch as files, one for each account that pays.
//!
//! A county's finance bureau sends its own file to its own bank, so there is one file for the city's
//! account and one for each county's. Everything in a file was fixed at the release, but the accounts that
//! pay, which are configured: as long as those stay, the bytes of each export are the same.

use super::release::open_payee;
use super::{App, BatchName, find, no_payment};
use crate::app::audit::Asking;
use crate::app::personal::Disclosure;
use crate::app::vault::Vault;
use crate::domain::access::Scope;
use crate::domain::claim::{Claim, ClaimId};
use crate::domain::disbursement::{Batch, BatchState, Payment};
use crate::domain::error::{Bilingual, Error};
use crate::domain::payer::Payer;
use crate::domain::payment::{
    Batch as Order, BatchId, Block, Creditor, Debtor, Debtors, Header, Instruction, Reference, Totals,
};
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeDocument;
use crate::payment::bank_table::{self, Encoding, Options};
use crate::payment::pain001;
use crate::store::Tx;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use time::Date;
use zeroize::Zeroizing;

/// Longest title of a programme in files, in characters: it is what the payee reads.
const MAX_TITLE: usize = 100;

/// What kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// ISO 20022 `pain.001.001.09`.
    Pain001,
    /// A table for an agent bank, comma-separated.
    Csv(Encoding),
    /// A table for an agent bank, as a workbook.
    Xlsx,
}

impl FileFormat {
    const fn extension(self) -> &'static str {
        match self {
            Self::Pain001 => "xml",
            Self::Csv(_) => "csv",
            Self::Xlsx => "xlsx",
        }
    }
}

/// A file for a bank. It holds names and account numbers.
pub struct BankFile {
    /// A name for it, such as `F1B12Q411024.xml`.
    pub name: String,
    /// Whose money.
    pub payer: Payer,
    /// The region whose own account pays; none where it is the payer's for all.
    pub region: Option<RegionCode>,
    /// How many payments, and their sum.
    pub totals: Totals,
    /// The content.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl App {
    /// The files of a released batch; only of one payer, or of one region's own account, where given. That they
    /// were asked for is recorded, before any of them is handed out.
    ///
    /// # Errors
    ///
    /// [`Error::State`] where the batch is not released, or an account that pays is not configured.
    pub async fn export_batch(
        &self,
        asking: &Asking,
        scope: &Scope,
        name: &BatchName,
        format: FileFormat,
        payer: Option<Payer>,
    ) -> Result<Vec<BankFile>, Error> {
        let vault = self.vault()?;
        let tx = self.store().begin_read().await?;
        let batch = find(&tx, scope, name).await?;
        check_released(&batch)?;
        let programme = programme_name(&tx, &batch).await?;
        let ordinal = ordinal(&tx, &batch).await?;
        let mut orders = orders(&tx, &self.debtors, &batch, ordinal).await?;
        orders.retain(|order| payer.is_none_or(|payer| order.payer == payer));
        let mut files = Vec::with_capacity(orders.len());
        for order in orders {
            let (payer, region) = (order.payer, order.region.cloned());
            let name = format!("{}.{}", order.id, format.extension());
            let content = content(&tx, vault, &batch, &programme, order).await?;
            let bytes = match format {
                FileFormat::Pain001 => {
                    let mut bytes = Vec::new();
                    pain001::write(&content, &mut bytes)?;
                    bytes
                }
                FileFormat::Csv(encoding) => table(&content, payer, bank_table::Format::Csv(encoding))?,
                FileFormat::Xlsx => table(&content, payer, bank_table::Format::Xlsx)?,
            };
            files.push(BankFile {
                name,
                payer,
                region,
                totals: content.totals(),
                bytes: Zeroizing::new(bytes),
            });
        }
        if files.is_empty() {
            let payer = payer.map_or("", Payer::code);
            return Err(Error::NotFound {
                kind: "payments",
                name: format!("{name} {payer}"),
            });
        }
        drop(tx);
        let payees = files.iter().map(|file| file.totals.count).sum();
        self.disclose(asking, Disclosure::BankFiles, name.to_string(), payees)
            .await?;
        Ok(files)
    }
}

fn table(content: &Order, payer: Payer, format: bank_table::Format) -> Result<Vec<u8>, Error> {
    bank_table::write(content, payer, Options { format, total: true })
}

/// The payments of a batch that one account makes.
pub(super) struct BankOrder<'a> {
    /// Its identification at the bank.
    pub(super) id: BatchId,
    /// Whose money.
    pub(super) payer: Payer,
    /// The region whose own account it is.
    region: Option<&'a RegionCode>,
    debtor: &'a Debtor,
    /// The payments.
    pub(super) payments: Vec<Payment>,
}

/// Divides the payments of a released batch among the accounts that make them.
pub(super) async fn orders<'a>(
    tx: &Tx,
    debtors: &'a Debtors,
    batch: &Batch,
    ordinal: u64,
) -> Result<Vec<BankOrder<'a>>, Error> {
    let payments = payments_of(tx, batch).await?;
    let regions = regions(tx, &payments).await?;
    let mut orders: BTreeMap<(Payer, Option<&RegionCode>), BankOrder<'a>> = BTreeMap::new();
    for payment in payments {
        let id = &payment.claim;
        let region = regions.get(id).ok_or_else(|| crate::app::desk::no_claim(id))?;
        let (own, debtor) = debtors.find(payment.payer, region)?;
        let key = (payment.payer, own);
        let order = match orders.entry(key) {
            Entry::Occupied(order) => order.into_mut(),
            Entry::Vacant(place) => place.insert(BankOrder {
                id: order_id(ordinal, batch.number, payment.payer, own)?,
                payer: payment.payer,
                region: own,
                debtor,
                payments: Vec::new(),
            }),
        };
        order.payments.push(payment);
    }
    Ok(orders.into_values().collect())
}

/// The identification of an order: the fund's ordinal, the batch, the payer, and the region whose own
/// account pays, such as `F1B12Q411024`. Unique in this database, for ever.
fn order_id(ordinal: u64, batch: u64, payer: Payer, region: Option<&RegionCode>) -> Result<BatchId, Error> {
    let letter = match payer {
        Payer::City => 'C',
        Payer::County => 'Q',
    };
    let region = region.map_or("", RegionCode::as_str);
    let text = format!("F{ordinal}B{batch}{letter}{region}");
    BatchId::parse("id", &text).map_err(|violation| Error::internal(violation.sentence_en()))
}

/// The fund's ordinal and the batch that an order's identification names; `None` for another's.
pub(in crate::app) fn parse_order_id(id: &str) -> Option<(u64, u64)> {
    let (ordinal, rest) = id.strip_prefix('F')?.split_once('B')?;
    let (batch, _) = rest.split_once(['C', 'Q'])?;
    Some((ordinal.parse().ok()?, batch.parse().ok()?))
}

/// The fund's ordinal.
pub(super) async fn ordinal(tx: &Tx, batch: &Batch) -> Result<u64, Error> {
    let heads = tx.fund_heads(std::slice::from_ref(&batch.fund)).await?;
    let head = heads.get(&batch.fund);
    head.map(|head| head.ordinal)
        .ok_or_else(|| crate::app::books::no_fund(&batch.fund))
}

async fn payments_of(tx: &Tx, batch: &Batch) -> Result<Vec<Payment>, Error> {
    tx.payments_of_batch(&batch.fund, batch.number, 0, u64::MAX).await
}

async fn regions(tx: &Tx, payments: &[Payment]) -> Result<HashMap<ClaimId, RegionCode>, Error> {
    let ids: BTreeSet<&ClaimId> = payments.iter().map(|payment| &payment.claim).collect();
    let claims: Vec<Claim> = tx.claims(&ids.into_iter().collect::<Vec<_>>()).await?;
    Ok(claims.into_iter().map(|claim| (claim.id, claim.region)).collect())
}

/// An order as files carry it, checked.
async fn content(
    tx: &Tx,
    vault: &Vault,
    batch: &Batch,
    programme: &str,
    order: BankOrder<'_>,
) -> Result<Order, Error> {
    let released = batch.released.as_ref();
    let header = Header {
        id: order.id,
        created_at: released.map_or(0, |released| released.at),
        requested_on: day(&batch.execution_date)?,
        initiator: order.debtor.name().to_owned(),
        fund: batch.fund.as_str().to_owned(),
        programme: programme.to_owned(),
    };
    let references: Vec<&str> = order
        .payments
        .iter()
        .map(|payment| payment.reference.as_str())
        .collect();
    let payees = tx.payees(&references).await?;
    let mut instructions = Vec::with_capacity(order.payments.len());
    for payment in &order.payments {
        let reference = payment.reference.as_str();
        let sealed = payees.get(reference).ok_or_else(|| no_payment(reference))?;
        if sealed.is_erased() {
            return Err(crate::app::claims::erased(&payment.claim.to_string()));
        }
        let payee = open_payee(vault, reference, sealed)?;
        let creditor = Creditor::parse(
            &format!("payments[{reference}].payee"),
            &payee.name,
            &payee.account,
            &payee.bank_name,
            &payee.bank_code,
        )?;
        instructions.push(Instruction {
            reference: Reference::parse("reference", reference)?,
            amount: payment.amount,
            creditor,
            remittance: programme.to_owned(),
        });
    }
    let block = Block {
        payer: order.payer,
        debtor: order.debtor.clone(),
        instructions,
    };
    Ok(Order::new(header, vec![block])?)
}

/// The programme's name in the revision that the first claim was assessed by: revisions stay as they are,
/// so that the name in the files does.
async fn programme_name(tx: &Tx, batch: &Batch) -> Result<String, Error> {
    let broken = || Error::internal(format!("{} has no programme", batch.resource_name()));
    let first = tx.payments_of_batch(&batch.fund, batch.number, 0, 1).await?;
    let first = first.first().ok_or_else(broken)?;
    let claim = tx.claims(&[&first.claim]).await?.pop().ok_or_else(broken)?;
    let policy = tx.policy(&claim.policy, Some(claim.policy_revision)).await?;
    let revision = policy.ok_or_else(broken)?.programme_revision;
    let programme = tx
        .rule::<ProgrammeDocument>(batch.programme.as_str(), Some(revision))
        .await?;
    let title = programme.ok_or_else(broken)?.document.title_zh;
    Ok(title.trim().chars().take(MAX_TITLE).collect())
}

fn check_released(batch: &Batch) -> Result<(), Error> {
    if matches!(batch.state, BatchState::Released | BatchState::Closed) {
        return Ok(());
    }
    let (name, state) = (batch.resource_name(), batch.state);
    Err(Error::State {
        reason: "BATCH_NOT_RELEASED",
        message: Bilingual::new(
            format!("{name} is {state}: only a batch that a second person has released goes to the bank"),
            format!("{name} 当前为“{}”,复核发出后才能导出", state.zh()),
        ),
        name,
    })
}

fn day(text: &str) -> Result<Date, Error> {
    let day = crate::domain::subsidy::parse_date("execution_date", text);
    day.map_err(|violation| Error::internal(format!("stored data: {}", violation.sentence_en())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orders_identification_names_fund_and_batch() {
        let region = RegionCode::parse("region", "4110-DC-QUITE-LONGER").unwrap();
        for (payer, region) in [(Payer::City, None), (Payer::County, Some(&region))] {
            let id = order_id(12, 3456, payer, region).unwrap();
            assert_eq!(parse_order_id(id.as_str()), Some((12, 3456)), "{id}");
        }
        for id in ["", "F1", "F1B2", "FxB2C", "B2F1C", "01975e0c7b6a"] {
            assert_eq!(parse_order_id(id), None, "{id}");
        }
    }
}
