//! How the balance of the books and the balance at the bank come together (银行存款余额调节表).
//!
//! What the bank has and the books have not changes the balance of the books; what the books have and the bank
//! has not changes the balance at the bank, and so does what the bank did wrongly. After that both must be the
//! same, to the fen. The two balances and the items are found independently of each other, so that the
//! comparison is a proof and not a definition.

use crate::domain::digest::DigestBuilder;
use crate::domain::error::Bilingual;
use crate::domain::money::Money;
use crate::domain::subsidy::format_date;
use serde::{Deserialize, Serialize};
use time::Date;

/// Which balance an item changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// That of the books.
    Book,
    /// That at the bank.
    Bank,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident, $side:ident, $code:literal, $en:literal, $zh:literal;)+) => {
        /// What an item is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ItemKind {
            $($(#[$doc])* $variant,)+
        }

        impl ItemKind {
            /// All of them, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code used in the API and in tables.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// Which balance it changes.
            pub const fn side(self) -> Side {
                match self { $(Self::$variant => Side::$side),+ }
            }

            /// The names that people read.
            pub fn title(self) -> Bilingual {
                match self { $(Self::$variant => Bilingual::new($en, $zh)),+ }
            }
        }
    };
}

kinds! {
    /// Money that came in at the bank, and nobody knows what it is.
    UnknownCredits, Book, "unknown_credits", "credits at the bank that are not in the books", "银行已收、账上未收:待查明";
    /// Money for a fund.
    Receipts, Book, "receipts", "money for the fund at the bank, not in the books", "银行已收、账上未收:收到资金";
    /// Interest.
    Interest, Book, "interest", "interest at the bank, not in the books", "银行已收、账上未收:利息";
    /// Explained otherwise.
    OtherLines, Book, "other_lines", "other lines at the bank that were explained", "银行已记、账上未记:其他已说明事项";
    /// Transfers between accounts of the bureau.
    Transfers, Book, "transfers", "transfers between own accounts, not in the books", "银行已记、账上未记:内部划转";
    /// Money that the bank gave back, and the books have not.
    ReturnsAtBank, Book, "returns_at_bank", "money given back at the bank, not in the books", "银行已收、账上未收:退款";
    /// Money that went out, and nobody knows why.
    UnknownDebits, Book, "unknown_debits", "debits at the bank that are not in the books", "银行已付、账上未付:待查明";
    /// Paid with another amount than ordered.
    DifferingDebits, Book, "differing_debits", "debits whose amount is not that of the payment", "银行已付、账上未付:金额不符";
    /// Paid twice.
    DuplicateDebits, Book, "duplicate_debits", "debits that the bank made twice", "银行已付、账上未付:重复支付";
    /// Fees.
    Fees, Book, "fees", "fees at the bank, not in the books", "银行已付、账上未付:手续费";
    /// Lines of payments that are in the books later.
    EarlyDebits, Book, "early_debits", "debits of payments that are in the books later", "银行已付、账上后付";
    /// Payments that the bank has not made.
    Outstanding, Bank, "outstanding", "payments in the books that the bank has not made", "账上已付、银行未付";
    /// Receipts that the bank has not.
    UncreditedReceipts, Bank, "uncredited_receipts", "receipts in the books that are not at the bank", "账上已收、银行未收:收到资金";
    /// Returns that the bank has not.
    UncreditedReturns, Bank, "uncredited_returns", "returns in the books that are not at the bank", "账上已收、银行未收:退款";
    /// What the bank did wrongly, turned round.
    BankErrors, Bank, "bank_errors", "errors of the bank, undone", "银行差错(冲回)";
}

/// Items of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What they are.
    pub kind: ItemKind,
    /// How many.
    pub count: u64,
    /// Their sum as it changes the balance.
    pub amount: Money,
}

/// Both balances of an account on a day, and what lies between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The day, `YYYY-MM-DD`.
    pub on: String,
    /// The last day that statements reach to, `YYYY-MM-DD`.
    pub stated_to: String,
    /// The balance before the first line of the first statement.
    pub opening: Money,
    /// The balance of the books.
    pub book: Money,
    /// The balance at the bank.
    pub bank: Money,
    /// What lies between, by kind; those without any are left out.
    pub items: Vec<Item>,
}

impl Balance {
    /// Balances on a day.
    pub fn new(
        on: Date,
        stated_to: Date,
        opening: Money,
        book: Money,
        bank: Money,
        items: Vec<Item>,
    ) -> Self {
        let mut items: Vec<Item> = items.into_iter().filter(|item| item.count > 0).collect();
        items.sort_by_key(|item| item.kind);
        items.dedup_by(|later, first| {
            let same = later.kind == first.kind;
            if same {
                first.count += later.count;
                first.amount = [first.amount, later.amount].into_iter().sum();
            }
            same
        });
        Self {
            on: format_date(on),
            stated_to: format_date(stated_to),
            opening,
            book,
            bank,
            items,
        }
    }

    /// The items of one side.
    pub fn side(&self, side: Side) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.kind.side() == side)
    }

    /// The balance of the books with its items.
    pub fn adjusted_book(&self) -> Money {
        self.adjusted(self.book, Side::Book)
    }

    /// The balance at the bank with its items.
    pub fn adjusted_bank(&self) -> Money {
        self.adjusted(self.bank, Side::Bank)
    }

    /// Books less bank, adjusted: nothing where they tie.
    pub fn difference(&self) -> Money {
        let fen = self
            .adjusted_book()
            .fen()
            .saturating_sub(self.adjusted_bank().fen());
        Money::from_fen(fen).unwrap_or(Money::MAX)
    }

    /// Whether both are the same.
    pub fn ties(&self) -> bool {
        self.adjusted_book() == self.adjusted_bank()
    }

    fn adjusted(&self, balance: Money, side: Side) -> Money {
        std::iter::once(balance)
            .chain(self.side(side).map(|item| item.amount))
            .sum()
    }

    /// Adds everything to a digest.
    pub(super) fn write(&self, digest: &mut DigestBuilder) {
        digest
            .field(&self.on)
            .field(&self.stated_to)
            .field(&self.opening.to_string())
            .field(&self.book.to_string())
            .field(&self.bank.to_string());
        for item in &self.items {
            digest
                .field(item.kind.code())
                .field(&item.count.to_string())
                .field(&item.amount.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn money(text: &str) -> Money {
        Money::parse("", text).unwrap()
    }

    fn item(kind: ItemKind, count: u64, amount: &str) -> Item {
        Item {
            kind,
            count,
            amount: money(amount),
        }
    }

    fn balance(book: &str, bank: &str, items: Vec<Item>) -> Balance {
        let (on, to) = (date!(2025 - 06 - 30), date!(2025 - 06 - 30));
        Balance::new(on, to, money("1000.00"), money(book), money(bank), items)
    }

    /// Opening 1,000.00. Books: 300.00 and 50.00 paid. Bank: 300.00 and 7.00 of a fee out, 1.20 of interest and 0.30
    /// by mistake in.
    #[test]
    fn both_sides_come_to_the_same() {
        let tied = balance(
            "650.00",
            "694.50",
            vec![
                item(ItemKind::Outstanding, 1, "-50.00"),
                item(ItemKind::Fees, 1, "-7.00"),
                item(ItemKind::Interest, 1, "1.20"),
                item(ItemKind::BankErrors, 1, "-0.30"),
                item(ItemKind::Transfers, 0, "0.00"),
            ],
        );
        assert_eq!(tied.adjusted_book(), money("644.20"));
        assert_eq!(tied.adjusted_bank(), money("644.20"));
        assert!(tied.ties());
        assert_eq!(tied.items.len(), 4, "kinds without items are left out");
        assert_eq!(
            tied.items[0].kind,
            ItemKind::Interest,
            "the order is that of the form"
        );
    }

    #[test]
    fn a_fen_is_seen() {
        let off = balance("650.00", "694.50", vec![item(ItemKind::Outstanding, 1, "-44.49")]);
        assert!(!off.ties());
        assert_eq!(off.difference(), money("-0.01"));
    }

    #[test]
    fn items_of_one_kind_are_one() {
        let fees = vec![item(ItemKind::Fees, 1, "-7.00"), item(ItemKind::Fees, 2, "-3.00")];
        let balance = balance("0.00", "-10.00", fees);
        assert_eq!(balance.items, [item(ItemKind::Fees, 3, "-10.00")]);
        assert!(balance.ties());
    }

    #[test]
    fn codes_are_those_of_the_names_and_each_is_there_once() {
        let mut codes: Vec<&str> = ItemKind::ALL.iter().map(|kind| kind.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ItemKind::ALL.len());
        for kind in ItemKind::ALL {
            let json = serde_json::to_value(kind).unwrap();
            assert_eq!(json, kind.code());
        }
    }
}
