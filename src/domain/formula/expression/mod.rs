//! Score expressions: their syntax tree and how it is read from text.
//!
//! ```text
//! expression = or
//! or         = and { "or" and }
//! and        = not { "and" not }
//! not        = "not" not | comparison
//! comparison = sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]
//! sum        = product { ("+" | "-") product }
//! product    = sign { ("*" | "/") sign }
//! sign       = "-" sign | primary
//! primary    = number | "$" name | name [ "[" "-" digits "]" ] | "(" expression ")"
//!            | "min" "(" list ")" | "max" "(" list ")" | "share" "(" expression ")" | "total" "(" expression ")"
//!            | "if" expression "then" expression "else" expression
//!            | "tier" "(" expression { "," "<" sum ":" expression } "," "else" ":" expression ")"
//! ```
//!
//! A name is an indicator, `$name` a parameter, `name[-1]` the indicator a year before the base year.
//! The tree is a list of nodes in which operands stand before what uses them, so that nothing that
//! walks it needs recursion; reading recurses to a fixed depth only.

mod reader;

pub use reader::is_reserved;

use crate::domain::error::Violation;
use crate::domain::statistics::IndicatorCode;
use rust_decimal::Decimal;

/// Longest expression, in bytes.
pub const MAX_LENGTH: usize = 4_096;
/// Deepest nesting.
pub const MAX_DEPTH: usize = 64;
/// Farthest year back.
pub const MAX_YEARS_BACK: u8 = 50;

/// Position of a node in its expression.
pub type NodeId = usize;

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Relation {
    /// Whether two values in this order satisfy it.
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
        }
    }
}

/// An operation on two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `min`
    Minimum,
    /// `max`
    Maximum,
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A literal.
    Number(Decimal),
    /// `$name`
    Parameter(String),
    /// An indicator of the base year or of a year before.
    Indicator {
        /// Which.
        code: IndicatorCode,
        /// How many years before the base year.
        years_back: u8,
    },
    /// A number from two numbers.
    Binary(Operation, NodeId, NodeId),
    /// A number's share of its sum over all regions.
    Share(NodeId),
    /// A number's sum over all regions.
    Total(NodeId),
    /// A number chosen by a condition.
    If {
        /// The condition.
        condition: NodeId,
        /// The value where it holds.
        then: NodeId,
        /// The value where it does not.
        otherwise: NodeId,
    },
    /// A condition on two numbers.
    Compare(Relation, NodeId, NodeId),
    /// Both conditions.
    And(NodeId, NodeId),
    /// Either condition.
    Or(NodeId, NodeId),
    /// The opposite condition.
    Not(NodeId),
}

impl Node {
    /// Whether it is a condition rather than a number.
    pub fn is_condition(&self) -> bool {
        matches!(
            self,
            Self::Compare(..) | Self::And(..) | Self::Or(..) | Self::Not(_)
        )
    }

    /// The nodes it uses.
    pub fn operands(&self) -> impl Iterator<Item = NodeId> {
        let ids: [Option<NodeId>; 3] = match self {
            Self::Number(_) | Self::Parameter(_) | Self::Indicator { .. } => [None, None, None],
            Self::Share(a) | Self::Total(a) | Self::Not(a) => [Some(*a), None, None],
            Self::Binary(_, a, b) | Self::Compare(_, a, b) | Self::And(a, b) | Self::Or(a, b) => {
                [Some(*a), Some(*b), None]
            }
            Self::If {
                condition,
                then,
                otherwise,
            } => [Some(*condition), Some(*then), Some(*otherwise)],
        };
        ids.into_iter().flatten()
    }
}

/// An expression that gives a number for each region.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    text: String,
    nodes: Vec<Node>,
    spans: Vec<(usize, usize)>,
}

impl Expression {
    /// Reads an expression; the error names `field` and the column.
    pub fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        reader::read(field, text)
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The nodes, operands before what uses them; the last is the whole.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The text of one node.
    pub fn text_of(&self, node: NodeId) -> &str {
        let (start, end) = self.spans[node];
        &self.text[start..end]
    }

    /// The indicators used, with how many years back; without repeats, in order of appearance.
    pub fn indicators(&self) -> Vec<(&IndicatorCode, u8)> {
        let mut found = Vec::new();
        for node in &self.nodes {
            if let Node::Indicator { code, years_back } = node
                && !found.contains(&(code, *years_back))
            {
                found.push((code, *years_back));
            }
        }
        found
    }

    /// The text with each indicator and parameter replaced by what `value` says of its node.
    pub fn substituted(&self, mut value: impl FnMut(&Node) -> Option<String>) -> String {
        let mut replacements: Vec<((usize, usize), String)> = self
            .nodes
            .iter()
            .zip(&self.spans)
            .filter(|(node, _)| matches!(node, Node::Indicator { .. } | Node::Parameter(_)))
            .filter_map(|(node, span)| Some((*span, value(node)?)))
            .collect();
        replacements.sort();
        replacements.dedup();
        let mut result = String::with_capacity(self.text.len());
        let mut at = 0;
        for ((start, end), replacement) in replacements {
            if start < at {
                continue;
            }
            result.push_str(&self.text[at..start]);
            result.push_str(&replacement);
            at = end;
        }
        result.push_str(&self.text[at..]);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Expression::parse("score", text).unwrap_err().to_string()
    }

    #[test]
    fn reads_every_form() {
        for text in [
            "settled_new",
            "settled_new + 0.5 * settled_new[-1] - $base",
            "if a > 1 and not (b <= 2 or c == 3) then a else -b",
            "max(share(a), min(b, c, 2)) / total(b)",
            "tier(a, <1000: 1, <5000: 1.2, else: 1.5) * a",
            "((a))",
        ] {
            Expression::parse("score", text).unwrap();
        }
    }

    #[test]
    fn says_where_it_is_wrong() {
        assert!(error("a +").contains("column 4"), "{}", error("a +"));
        assert!(error("a ++ b").contains("column 4"));
        assert!(error("a > b").contains("not a condition"));
        assert!(error("if a then b else c").contains("a condition"));
        assert!(error("min(a)").contains("second argument"));
        assert!(error("tier(a, <5: 1, <5: 2, else: 3)").contains("above 5"));
        assert!(error("a[0]").contains("years back"));
        assert!(error("a[-51]").contains("years back"));
        assert!(error("1e5").contains("plain decimal"));
        assert!(error("а").contains("ASCII"));
        assert!(error("").contains("the end"));
    }

    #[test]
    fn survives_a_million_parentheses() {
        assert!(error(&"(".repeat(1_000_000)).contains("4096 bytes"));
        assert!(error(&"(".repeat(4_000)).contains("deeper than 64"));
        assert!(error(&"-".repeat(4_000)).contains("deeper than 64"));
        assert!(error(&"not ".repeat(1_000)).contains("deeper than 64"));
    }

    #[test]
    fn substitutes_values() {
        let expression = Expression::parse("score", "a + $w * a[-1]").unwrap();
        let text = expression.substituted(|node| match node {
            Node::Indicator { years_back, .. } => Some(format!("{}", 10 - years_back)),
            Node::Parameter(_) => Some("0.5".to_owned()),
            _ => None,
        });
        assert_eq!(text, "10 + 0.5 * 9");
    }
}
