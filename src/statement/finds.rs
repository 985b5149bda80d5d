//! What all readers gather of a line: our references, and the bank's texts in a form that can be kept.

use crate::domain::error::Violation;
use crate::domain::payment::{MAX_NAME, Reference};
use crate::domain::reconciliation::{Found, MAX_BANK_REFERENCE, MAX_TEXT, find_order, find_reference};

/// What is said of one movement.
#[derive(Clone, Default)]
pub(super) struct Said {
    /// References in fields that are there for them.
    exact: Found<Reference>,
    /// References somewhere in texts.
    loose: Found<Reference>,
    orders: Found<String>,
    text: String,
    /// Characters of it.
    length: usize,
}

impl Said {
    /// Looks into a field that is there for a reference.
    pub(super) fn exact(&mut self, text: &str) {
        self.exact = std::mem::take(&mut self.exact).and(find_reference(text));
        self.order(text);
    }

    /// Looks into a field that names an order.
    pub(super) fn order(&mut self, text: &str) {
        self.orders = std::mem::take(&mut self.orders).and(find_order(text));
    }

    /// Looks into a text and keeps it, up to the limit of a line.
    pub(super) fn text(&mut self, text: &str) {
        self.seek(text);
        self.keep(text);
    }

    /// Looks into a text that is not kept.
    pub(super) fn seek(&mut self, text: &str) {
        self.loose = std::mem::take(&mut self.loose).and(find_reference(text));
        self.order(text);
    }

    /// Keeps a text without looking into it.
    pub(super) fn keep(&mut self, text: &str) {
        let words = text
            .split(|c: char| c.is_control() || c == ' ')
            .filter(|word| !word.is_empty());
        for word in words {
            if self.length >= MAX_TEXT {
                return;
            }
            if self.length > 0 {
                self.text.push(' ');
                self.length += 1;
            }
            for character in word.chars().take(MAX_TEXT - self.length) {
                self.text.push(character);
                self.length += 1;
            }
        }
    }

    /// Everything of another that is said of the same movement.
    pub(super) fn join(&mut self, other: Self) {
        self.exact = std::mem::take(&mut self.exact).and(other.exact);
        self.loose = std::mem::take(&mut self.loose).and(other.loose);
        self.orders = std::mem::take(&mut self.orders).and(other.orders);
        self.keep(&other.text);
    }

    /// The one reference of ours: a field that is there for it comes before all texts.
    pub(super) fn reference(&self) -> Option<Reference> {
        let found = if self.exact.is_nothing() {
            &self.loose
        } else {
            &self.exact
        };
        found.clone().one()
    }

    /// The one order of ours.
    pub(super) fn order_id(&self) -> Option<String> {
        self.orders.clone().one()
    }

    /// The text to keep.
    pub(super) fn kept(self) -> String {
        self.text
    }
}

/// A bank's own number of a movement.
pub(super) fn bank_reference(field: impl Into<String>, text: &str) -> Result<String, Violation> {
    let text = text.trim();
    let length = text.chars().count();
    if length > MAX_BANK_REFERENCE || text.chars().any(char::is_control) {
        return Err(Violation::new(
            field,
            format!("{length} characters"),
            format!("at most {MAX_BANK_REFERENCE} characters, no control characters"),
            format!("至多 {MAX_BANK_REFERENCE} 个字符,不含控制字符"),
        ));
    }
    Ok(text.to_owned())
}

/// A name on one line, cut to what a name may have.
pub(super) fn name(text: &str) -> Option<String> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_control() || c == ' ')
        .filter(|word| !word.is_empty())
        .collect();
    let name: String = words.join(" ").chars().take(MAX_NAME).collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_for_references_comes_before_texts() {
        let mut said = Said::default();
        said.text("RF24123C1");
        assert_eq!(said.reference().unwrap().as_str(), "RF24123C1");
        said.exact("RF18539007547034");
        assert_eq!(said.reference().unwrap().as_str(), "RF24123C1");
        let other = Reference::of(crate::domain::payment::Origin {
            claim: 7,
            payer: crate::domain::payer::Payer::City,
            attempt: 1,
        });
        said.exact(other.as_ref().unwrap().as_str());
        assert_eq!(said.reference(), other.ok());
        said.exact("RF24123C1");
        assert_eq!(said.reference(), None);
    }

    #[test]
    fn keeps_texts_up_to_the_limit() {
        let mut said = Said::default();
        said.text(" 购房\n补贴 ");
        said.text("F1B12C");
        assert_eq!(said.order_id().as_deref(), Some("F1B12C"));
        assert_eq!(said.clone().kept(), "购房 补贴 F1B12C");
        said.text(&"长".repeat(2 * MAX_TEXT));
        said.text("RF24123C1");
        assert_eq!(said.reference().unwrap().as_str(), "RF24123C1");
        assert_eq!(said.kept().chars().count(), MAX_TEXT);
    }

    #[test]
    fn names_are_on_one_line() {
        assert_eq!(name(" 令狐\n试例 ").as_deref(), Some("令狐 试例"));
        assert_eq!(name(" \t"), None);
        assert_eq!(name(&"名".repeat(200)).unwrap().chars().count(), MAX_NAME);
        assert!(bank_reference("f", &"1".repeat(65)).is_err());
        assert!(bank_reference("f", "a\tb").is_err());
    }
}
