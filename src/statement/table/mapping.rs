//! What the columns of a bank's table mean: the mapping that a document becomes once it is checked.

use super::cells::{AmountFormat, DateFormat};
use super::document::{Amounts, Columns, Head, MappingDocument, Rows};
use crate::domain::error::{Faults, Violation};
use crate::domain::statistics::half_width_char;
use crate::tabular::stream::TextEncoding;

/// Most headings that a column may have, and most words of a list.
const MAX_WORDS: usize = 50;
/// Longest heading or word, in characters.
const MAX_WORD: usize = 60;
/// Most rows above the header.
const MAX_ABOVE: usize = 100;

/// What a column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Field {
    Booked,
    Valued,
    Amount,
    Debit,
    Credit,
    Direction,
    Balance,
    Reversal,
    BankReference,
    Reference,
    CounterpartyName,
    CounterpartyAccount,
    Text,
    Account,
    Currency,
}

impl Field {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Booked => "booked",
            Self::Valued => "valued",
            Self::Amount => "amount",
            Self::Debit => "debit",
            Self::Credit => "credit",
            Self::Direction => "direction",
            Self::Balance => "balance",
            Self::Reversal => "reversal",
            Self::BankReference => "bank_reference",
            Self::Reference => "reference",
            Self::CounterpartyName => "counterparty_name",
            Self::CounterpartyAccount => "counterparty_account",
            Self::Text => "text",
            Self::Account => "account",
            Self::Currency => "currency",
        }
    }

    /// Whether all columns with one of the headings are read, and not only the first heading that a file has.
    pub(super) const fn takes_several(self) -> bool {
        matches!(self, Self::Reference | Self::Text)
    }
}

/// How a row says which way the money went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Style {
    /// A column for each way.
    Columns,
    /// By the sign of the amount; whether a negative amount goes out.
    Sign {
        /// Whether what goes out is below zero.
        negative_goes_out: bool,
    },
    /// By words in a column of their own.
    Words { debit: Vec<String>, credit: Vec<String> },
}

/// A mapping that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    document: MappingDocument,
    pub(super) encoding: TextEncoding,
    /// `None` where it is told by the header.
    pub(super) delimiter: Option<u8>,
    pub(super) skip_rows: usize,
    pub(super) header_within: usize,
    pub(super) newest_first: bool,
    pub(super) dates: Vec<DateFormat>,
    /// The headings of each column, as they are compared.
    pub(super) columns: Vec<(Field, Vec<String>)>,
    pub(super) style: Style,
    pub(super) amounts: AmountFormat,
    /// Whether an amount below zero takes back an earlier movement of that way.
    pub(super) negative_reverses: bool,
    pub(super) reversal_words: Vec<String>,
    pub(super) rows: Rows,
    pub(super) head: Head,
}

impl Mapping {
    /// Reads a mapping.
    ///
    /// # Errors
    ///
    /// Every fault, by its key.
    pub fn parse(toml: &str) -> Result<Self, Vec<Violation>> {
        let document: MappingDocument = toml::from_str(toml).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| toml[..span.start].matches('\n').count() + 1);
            vec![Violation::new(
                format!("line {line}"),
                error.message(),
                "a mapping in TOML as docs/STATEMENTS.md describes it",
                "docs/STATEMENTS.md 所述格式的 TOML 映射",
            )]
        })?;
        Self::check(document)
    }

    /// Checks a mapping.
    ///
    /// # Errors
    ///
    /// Every fault, by its key.
    pub fn check(document: MappingDocument) -> Result<Self, Vec<Violation>> {
        let mut faults = Faults::default();
        check_code(&document.code, &mut faults);
        for (name, text) in [
            ("name_zh", &document.name_zh),
            ("name_en", &document.name_en),
            ("source", &document.source),
        ] {
            if text.trim().is_empty() {
                faults.add(|| Violation::new(name, "", "a text", "须填写"));
            }
        }
        let encodings = [
            ("auto", TextEncoding::Auto),
            ("utf-8", TextEncoding::Utf8),
            ("utf-16", TextEncoding::Utf16),
            ("gbk", TextEncoding::Gb18030),
            ("gb18030", TextEncoding::Gb18030),
        ];
        let encoding = one_of("encoding", &document.encoding, &encodings, &mut faults);
        let delimiters = [
            ("auto", None),
            (",", Some(b',')),
            (";", Some(b';')),
            ("\t", Some(b'\t')),
            ("|", Some(b'|')),
        ];
        let delimiter = one_of("delimiter", &document.delimiter, &delimiters, &mut faults);
        let orders = [("oldest_first", false), ("newest_first", true)];
        let newest_first = one_of("order", &document.order, &orders, &mut faults);
        for (name, rows) in [
            ("skip_rows", document.skip_rows),
            ("header_within", document.header_within),
        ] {
            if rows > MAX_ABOVE || (name == "header_within" && rows == 0) {
                faults.add(|| {
                    Violation::new(
                        name,
                        rows.to_string(),
                        format!("at most {MAX_ABOVE} rows"),
                        format!("至多 {MAX_ABOVE} 行"),
                    )
                });
            }
        }
        let dates: Vec<DateFormat> = document
            .dates
            .iter()
            .enumerate()
            .filter_map(|(at, format)| faults.keep(DateFormat::parse(&format!("dates[{at}]"), format)))
            .collect();
        if document.dates.is_empty() {
            faults.add(|| {
                Violation::new(
                    "dates",
                    "none",
                    "at least one form of dates, such as YYYY-MM-DD",
                    "至少一种日期格式,如 YYYY-MM-DD",
                )
            });
        }
        let columns = columns(&document.columns, &mut faults);
        let amounts = &document.amounts;
        let style = style(amounts, &columns, &mut faults);
        let separators = AmountFormat::new(&amounts.thousands, &amounts.decimal);
        let amount_format = faults.keep(separators);
        let negatives = [("refuse", false), ("reversal", true)];
        let negative_reverses = one_of("amounts.negative", &amounts.negative, &negatives, &mut faults);
        let rows = &document.rows;
        let head = &document.head;
        for (name, words) in [
            ("amounts.debit_words", &amounts.debit_words),
            ("amounts.credit_words", &amounts.credit_words),
            ("amounts.reversal_words", &amounts.reversal_words),
            ("rows.totals", &rows.totals),
            ("rows.ignored", &rows.ignored),
            ("rows.opening", &rows.opening),
            ("rows.closing", &rows.closing),
            ("head.account", &head.account),
            ("head.currency", &head.currency),
            ("head.identification", &head.identification),
            ("head.period", &head.period),
            ("head.from", &head.from),
            ("head.to", &head.to),
            ("head.opening", &head.opening),
            ("head.closing", &head.closing),
        ] {
            check_words(name, words, &mut faults);
        }
        let has = |field: Field| columns.iter().any(|(of, _)| *of == field);
        if !has(Field::Booked) {
            faults.add(|| {
                Violation::new(
                    "columns.booked",
                    "none",
                    "the headings of the day of booking",
                    "须给出记账日期列的表头",
                )
            });
        }
        if has(Field::Reversal) && amounts.reversal_words.is_empty() {
            faults.add(|| {
                Violation::new(
                    "amounts.reversal_words",
                    "none",
                    "the words that say in the reversal column that a row takes back another",
                    "冲正列中表示冲正的文字",
                )
            });
        }
        if (!rows.opening.is_empty() || !rows.closing.is_empty()) && !has(Field::Balance) {
            faults.add(|| {
                Violation::new(
                    "columns.balance",
                    "none",
                    "the headings of the balance, in which rows.opening and rows.closing have theirs",
                    "使用 rows.opening、rows.closing 时须给出余额列的表头",
                )
            });
        }
        let checked = (
            encoding,
            delimiter,
            newest_first,
            style,
            amount_format,
            negative_reverses,
        );
        let (
            Some(encoding),
            Some(delimiter),
            Some(newest_first),
            Some(style),
            Some(amounts),
            Some(negative_reverses),
        ) = checked
        else {
            faults.finish()?;
            return Err(Vec::new());
        };
        faults.finish()?;
        let canonical_rows = Rows {
            totals: all(&document.rows.totals),
            ignored: all(&document.rows.ignored),
            opening: all(&document.rows.opening),
            closing: all(&document.rows.closing),
        };
        let canonical_head = Head {
            account: all(&document.head.account),
            currency: all(&document.head.currency),
            identification: all(&document.head.identification),
            period: all(&document.head.period),
            from: all(&document.head.from),
            to: all(&document.head.to),
            opening: all(&document.head.opening),
            closing: all(&document.head.closing),
        };
        Ok(Self {
            encoding,
            delimiter,
            skip_rows: document.skip_rows,
            header_within: document.header_within,
            newest_first,
            dates,
            columns,
            style,
            amounts,
            negative_reverses,
            reversal_words: all(&document.amounts.reversal_words),
            rows: canonical_rows,
            head: canonical_head,
            document,
        })
    }

    /// The name by which it is chosen.
    pub fn code(&self) -> &str {
        &self.document.code
    }

    /// What it was checked from.
    pub fn document(&self) -> &MappingDocument {
        &self.document
    }

    /// The columns without which a row says nothing.
    pub(super) fn required(&self) -> Vec<Field> {
        let mut required = vec![Field::Booked];
        match self.style {
            Style::Columns => required.extend([Field::Debit, Field::Credit]),
            Style::Sign { .. } => required.push(Field::Amount),
            Style::Words { .. } => required.extend([Field::Amount, Field::Direction]),
        }
        required
    }
}

/// A heading or a word as it is compared: half width, without spaces, in small letters.
pub(super) fn canonical(text: &str) -> String {
    letters(text).collect()
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .map(half_width_char)
        .filter(|c| !c.is_whitespace() && !c.is_control() && *c != '\u{feff}')
        .flat_map(char::to_lowercase)
}

/// Whether a text is one of some words, as they are compared.
pub(super) fn is_one_of(text: &str, words: &[String]) -> bool {
    alike(text, words).any(|word| letters(text).eq(word.chars()))
}

/// Whether a text begins with one of some words.
pub(super) fn begins_with_one_of(text: &str, words: &[String]) -> bool {
    alike(text, words).any(|word| {
        let mut letters = letters(text);
        word.chars().all(|letter| letters.next() == Some(letter))
    })
}

/// The words that begin as a text does: mostly none.
fn alike<'w>(text: &str, words: &'w [String]) -> impl Iterator<Item = &'w String> {
    let first = match text.as_bytes().first() {
        Some(byte) if byte.is_ascii_graphic() => Some(char::from(byte.to_ascii_lowercase())),
        _ => letters(text).next(),
    };
    words.iter().filter(move |word| word.chars().next() == first)
}

fn all(words: &[String]) -> Vec<String> {
    words.iter().map(|word| canonical(word)).collect()
}

fn check_code(code: &str, faults: &mut Faults) {
    let fits = (1..=63).contains(&code.len())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !fits {
        faults.add(|| {
            Violation::new(
                "code",
                code,
                "1 to 63 of a-z, 0-9 and hyphens",
                "1 至 63 位小写字母、数字或连字符",
            )
        });
    }
}

fn check_words(name: &str, words: &[String], faults: &mut Faults) {
    let bad = words.len() > MAX_WORDS
        || words
            .iter()
            .any(|word| canonical(word).is_empty() || word.chars().count() > MAX_WORD);
    if bad {
        faults.add(|| {
            Violation::new(
                name,
                format!("{} words", words.len()),
                format!("at most {MAX_WORDS} words of 1 to {MAX_WORD} characters"),
                format!("至多 {MAX_WORDS} 个词,每个 1 至 {MAX_WORD} 个字符"),
            )
        });
    }
}

fn one_of<T: Copy>(name: &str, given: &str, known: &[(&str, T)], faults: &mut Faults) -> Option<T> {
    let found = known.iter().find(|(code, _)| *code == given);
    if found.is_none() {
        let codes: Vec<String> = known.iter().map(|(code, _)| format!("{code:?}")).collect();
        let codes = codes.join(", ");
        faults.add(|| {
            Violation::new(
                name,
                given,
                format!("one of {codes}"),
                format!("下列之一:{codes}"),
            )
        });
    }
    found.map(|(_, value)| *value)
}

fn columns(given: &Columns, faults: &mut Faults) -> Vec<(Field, Vec<String>)> {
    let all_fields = [
        (Field::Booked, &given.booked),
        (Field::Valued, &given.valued),
        (Field::Amount, &given.amount),
        (Field::Debit, &given.debit),
        (Field::Credit, &given.credit),
        (Field::Direction, &given.direction),
        (Field::Balance, &given.balance),
        (Field::Reversal, &given.reversal),
        (Field::BankReference, &given.bank_reference),
        (Field::Reference, &given.reference),
        (Field::CounterpartyName, &given.counterparty_name),
        (Field::CounterpartyAccount, &given.counterparty_account),
        (Field::Text, &given.text),
        (Field::Account, &given.account),
        (Field::Currency, &given.currency),
    ];
    for (field, headings) in all_fields {
        check_words(&format!("columns.{}", field.name()), headings, faults);
    }
    all_fields
        .into_iter()
        .filter(|(_, headings)| !headings.is_empty())
        .map(|(field, headings)| (field, all(headings)))
        .collect()
}

fn style(amounts: &Amounts, columns: &[(Field, Vec<String>)], faults: &mut Faults) -> Option<Style> {
    let mut need = |field: Field, wanted: bool| {
        let there = columns.iter().any(|(of, _)| *of == field);
        if there != wanted {
            let (found, en, zh) = if wanted {
                ("none", "headings, which this style needs", "该方式须给出表头")
            } else {
                (
                    "headings",
                    "none, which this style does not read",
                    "该方式不使用此列",
                )
            };
            faults.add(|| Violation::new(format!("columns.{}", field.name()), found, en, zh));
        }
    };
    match amounts.style.as_str() {
        "columns" => {
            need(Field::Debit, true);
            need(Field::Credit, true);
            need(Field::Amount, false);
            need(Field::Direction, false);
            Some(Style::Columns)
        }
        "sign" => {
            need(Field::Amount, true);
            for field in [Field::Debit, Field::Credit, Field::Direction] {
                need(field, false);
            }
            let ways = [("negative", true), ("positive", false)];
            let way = one_of("amounts.outgoing", &amounts.outgoing, &ways, faults);
            way.map(|negative_goes_out| Style::Sign { negative_goes_out })
        }
        "words" => {
            need(Field::Amount, true);
            need(Field::Direction, true);
            need(Field::Debit, false);
            need(Field::Credit, false);
            let (debit, credit) = (all(&amounts.debit_words), all(&amounts.credit_words));
            for (name, words) in [("amounts.debit_words", &debit), ("amounts.credit_words", &credit)] {
                if words.is_empty() {
                    faults.add(|| Violation::new(name, "none", "at least one word", "至少一个词"));
                }
            }
            if let Some(both) = debit.iter().find(|word| credit.contains(word)) {
                faults.add(|| {
                    Violation::new(
                        "amounts.credit_words",
                        both,
                        "a word for one way only",
                        "同一个词只能表示一个方向",
                    )
                });
            }
            Some(Style::Words { debit, credit })
        }
        other => {
            faults.add(|| {
                Violation::new(
                    "amounts.style",
                    other,
                    "one of columns, sign, words",
                    "下列之一:columns、sign、words",
                )
            });
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_they_are_compared() {
        let words = all(&["冲正".to_owned(), "REV".to_owned()]);
        for text in ["冲正", " 冲 正\u{feff}", "rev", "ＲＥＶ", "冲\t正", "R e V"] {
            assert!(
                words.contains(&canonical(text)) && is_one_of(text, &words),
                "{text:?}"
            );
        }
        for text in ["", "冲", "冲正1", "代发 购房补贴", "冲\u{200b}正", "reverse", "İ"] {
            assert!(
                !words.contains(&canonical(text)) && !is_one_of(text, &words),
                "{text:?}"
            );
        }
        assert!(!is_one_of("", &[]) && !is_one_of("rev", &[]));
        let totals = all(&["合计".to_owned(), "Total".to_owned()]);
        for text in ["合计", "合 计:3 笔", "TOTAL of 3", "Ｔｏｔａｌ", "total"] {
            assert!(begins_with_one_of(text, &totals), "{text:?}");
        }
        for text in ["", "合", "小计", "Tot", "3 total", "-"] {
            assert!(!begins_with_one_of(text, &totals), "{text:?}");
        }
    }
}
