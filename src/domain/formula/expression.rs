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

use crate::domain::error::Violation;
use crate::domain::statistics::{IndicatorCode, parse_decimal};
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
        Reader::read(field, text)
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Number(&'t str),
    Name(&'t str),
    Parameter(&'t str),
    Symbol(&'static str),
    End,
}

const SYMBOLS: [&str; 17] = [
    "<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ",", ":", "=",
];
const WORDS: [&str; 10] = [
    "if", "then", "else", "and", "or", "not", "min", "max", "share", "total",
];

/// Whether a word of the language, so that no indicator or parameter may bear it.
pub fn is_reserved(name: &str) -> bool {
    WORDS.contains(&name) || name == "tier"
}

struct Reader<'t> {
    field: &'t str,
    text: &'t str,
    at: usize,
    token: Token<'t>,
    token_start: usize,
    last_end: usize,
    depth: usize,
    nodes: Vec<Node>,
    spans: Vec<(usize, usize)>,
}

impl<'t> Reader<'t> {
    fn read(field: &'t str, text: &'t str) -> Result<Expression, Violation> {
        if text.len() > MAX_LENGTH {
            return Err(Violation::new(
                field,
                format!("{} bytes", text.len()),
                format!("an expression of at most {MAX_LENGTH} bytes"),
                format!("长度不超过 {MAX_LENGTH} 字节的表达式"),
            ));
        }
        let mut reader = Self {
            field,
            text,
            at: 0,
            token: Token::End,
            token_start: 0,
            last_end: 0,
            depth: 0,
            nodes: Vec::new(),
            spans: Vec::new(),
        };
        reader.advance()?;
        let root = reader.expression()?;
        if reader.token != Token::End {
            return Err(reader.unexpected("an operator or the end of the expression", "运算符或表达式结尾"));
        }
        reader.number(root, 0)?;
        Ok(Expression {
            text: text.to_owned(),
            nodes: reader.nodes,
            spans: reader.spans,
        })
    }

    fn advance(&mut self) -> Result<(), Violation> {
        self.last_end = self.at;
        let rest = self.text[self.at..].trim_start();
        self.token_start = self.text.len() - rest.len();
        let length = |accept: fn(u8) -> bool| rest.bytes().take_while(|byte| accept(*byte)).count();
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let (token, taken) = match rest.bytes().next() {
            None => (Token::End, 0),
            Some(b'0'..=b'9') => {
                let taken = length(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_');
                (Token::Number(&rest[..taken]), taken)
            }
            Some(b'$') => {
                let taken = 1 + rest.bytes().skip(1).take_while(|byte| word(*byte)).count();
                (Token::Parameter(&rest[1..taken]), taken)
            }
            Some(byte) if byte.is_ascii_alphabetic() => {
                let taken = length(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                (Token::Name(&rest[..taken]), taken)
            }
            Some(_) => match SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
                Some(symbol) => (Token::Symbol(symbol), symbol.len()),
                None => {
                    return Err(self.refused(
                        self.token_start,
                        "numbers, indicator names, $parameters, operators and parentheses, all in ASCII",
                        "数字、指标名、$参数、运算符和括号,均为半角字符",
                    ));
                }
            },
        };
        self.token = token;
        self.at = self.token_start + taken;
        Ok(())
    }

    fn refused(&self, at: usize, en: &str, zh: &str) -> Violation {
        let column = self.text[..at].chars().count() + 1;
        let found: String = self.text[at..].chars().take(24).collect();
        let found = if found.is_empty() {
            "the end".to_owned()
        } else {
            found
        };
        Violation::new(
            self.field,
            format!("{found} at column {column}"),
            format!("{en} at column {column}"),
            format!("第 {column} 列应为{zh}"),
        )
    }

    fn unexpected(&self, en: &str, zh: &str) -> Violation {
        self.refused(self.token_start, en, zh)
    }

    fn push(&mut self, node: Node, start: usize) -> NodeId {
        self.nodes.push(node);
        self.spans.push((start, self.last_end.max(start)));
        self.nodes.len() - 1
    }

    fn accept(&mut self, symbol: &str) -> Result<bool, Violation> {
        let found = matches!(self.token, Token::Symbol(s) if s == symbol)
            || matches!(self.token, Token::Name(s) if s == symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn require(&mut self, symbol: &str) -> Result<(), Violation> {
        if self.accept(symbol)? {
            Ok(())
        } else {
            Err(self.unexpected(&format!("\"{symbol}\""), &format!("“{symbol}”")))
        }
    }

    fn number(&self, node: NodeId, start: usize) -> Result<NodeId, Violation> {
        if self.nodes[node].is_condition() {
            return Err(self.refused(start, "a number, not a condition,", "数值而非条件"));
        }
        Ok(node)
    }

    fn condition(&self, node: NodeId, start: usize) -> Result<NodeId, Violation> {
        if !self.nodes[node].is_condition() {
            return Err(self.refused(start, "a condition, such as a > b,", "条件(如 a > b)"));
        }
        Ok(node)
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Violation>) -> Result<T, Violation> {
        if self.depth == MAX_DEPTH {
            return Err(self.unexpected(
                &format!("nesting no deeper than {MAX_DEPTH}"),
                &format!("不超过 {MAX_DEPTH} 层的嵌套"),
            ));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Result<NodeId, Violation> {
        let start = self.token_start;
        let mut left = self.conjunction()?;
        while matches!(self.token, Token::Name("or")) {
            let left_condition = self.condition(left, start)?;
            self.advance()?;
            let right_start = self.token_start;
            let right = self.conjunction()?;
            let right = self.condition(right, right_start)?;
            left = self.push(Node::Or(left_condition, right), start);
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<NodeId, Violation> {
        let start = self.token_start;
        let mut left = self.negation()?;
        while matches!(self.token, Token::Name("and")) {
            let left_condition = self.condition(left, start)?;
            self.advance()?;
            let right_start = self.token_start;
            let right = self.negation()?;
            let right = self.condition(right, right_start)?;
            left = self.push(Node::And(left_condition, right), start);
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<NodeId, Violation> {
        let start = self.token_start;
        if !self.accept("not")? {
            return self.comparison();
        }
        let inner_start = self.token_start;
        let inner = self.nested(Self::negation)?;
        let inner = self.condition(inner, inner_start)?;
        Ok(self.push(Node::Not(inner), start))
    }

    fn comparison(&mut self) -> Result<NodeId, Violation> {
        let start = self.token_start;
        let left = self.sum()?;
        let relation = match self.token {
            Token::Symbol("<") => Relation::Less,
            Token::Symbol("<=") => Relation::LessOrEqual,
            Token::Symbol(">") => Relation::Greater,
            Token::Symbol(">=") => Relation::GreaterOrEqual,
            Token::Symbol("==") => Relation::Equal,
            Token::Symbol("!=") => Relation::NotEqual,
            _ => return Ok(left),
        };
        let left = self.number(left, start)?;
        self.advance()?;
        let right_start = self.token_start;
        let right = self.sum()?;
        let right = self.number(right, right_start)?;
        Ok(self.push(Node::Compare(relation, left, right), start))
    }

    fn sum(&mut self) -> Result<NodeId, Violation> {
        self.chain(Self::product, |token| match token {
            Token::Symbol("+") => Some(Operation::Add),
            Token::Symbol("-") => Some(Operation::Subtract),
            _ => None,
        })
    }

    fn product(&mut self) -> Result<NodeId, Violation> {
        self.chain(Self::sign, |token| match token {
            Token::Symbol("*") => Some(Operation::Multiply),
            Token::Symbol("/") => Some(Operation::Divide),
            _ => None,
        })
    }

    /// Operands joined by operators of one rank, from left to right.
    fn chain(
        &mut self,
        operand: fn(&mut Self) -> Result<NodeId, Violation>,
        operation: fn(Token<'_>) -> Option<Operation>,
    ) -> Result<NodeId, Violation> {
        let start = self.token_start;
        let mut left = operand(self)?;
        while let Some(operation) = operation(self.token) {
            let left_number = self.number(left, start)?;
            self.advance()?;
            let right_start = self.token_start;
            let right = operand(self)?;
            let right = self.number(right, right_start)?;
            left = self.push(Node::Binary(operation, left_number, right), start);
        }
        Ok(left)
    }

    fn sign(&mut self) -> Result<NodeId, Violation> {
        let start = self.token_start;
        if !self.accept("-")? {
            return self.primary();
        }
        let zero = self.push(Node::Number(Decimal::ZERO), start);
        let inner_start = self.token_start;
        let inner = self.nested(Self::sign)?;
        let inner = self.number(inner, inner_start)?;
        Ok(self.push(Node::Binary(Operation::Subtract, zero, inner), start))
    }

    fn primary(&mut self) -> Result<NodeId, Violation> {
        let start = self.token_start;
        match self.token {
            Token::Number(text) => {
                let value = parse_decimal(self.field, text).map_err(|_| {
                    self.unexpected("a plain decimal of at most 28 digits", "至多 28 位数字的普通小数")
                })?;
                self.advance()?;
                Ok(self.push(Node::Number(value), start))
            }
            Token::Parameter(name) => {
                let name = IndicatorCode::parse(self.field, name)
                    .map_err(|_| self.unexpected("$ and the name of a parameter", "$ 加参数名"))?;
                self.advance()?;
                Ok(self.push(Node::Parameter(name.as_str().to_owned()), start))
            }
            Token::Symbol("(") => {
                self.advance()?;
                let inner = self.nested(Self::expression)?;
                self.require(")")?;
                Ok(inner)
            }
            Token::Name("if") => {
                self.advance()?;
                self.nested(|reader| reader.choice(start))
            }
            Token::Name("tier") => {
                self.advance()?;
                self.nested(|reader| reader.tier(start))
            }
            Token::Name(function @ ("min" | "max" | "share" | "total")) => {
                self.advance()?;
                self.nested(|reader| reader.call(function, start))
            }
            Token::Name(name) if !is_reserved(name) => {
                let code = IndicatorCode::parse(self.field, name)
                    .map_err(|_| self.unexpected("an indicator in lower case", "小写的指标代码"))?;
                self.advance()?;
                let years_back = if self.accept("[")? { self.years_back()? } else { 0 };
                Ok(self.push(Node::Indicator { code, years_back }, start))
            }
            _ => Err(self.unexpected(
                "a number, an indicator, a $parameter, a function or \"(\"",
                "数字、指标、$参数、函数或“(”",
            )),
        }
    }

    fn years_back(&mut self) -> Result<u8, Violation> {
        let refused = |reader: &Self| {
            reader.unexpected(
                &format!("a number of years back, [-1] to [-{MAX_YEARS_BACK}],"),
                &format!("往前的年数 [-1] 至 [-{MAX_YEARS_BACK}]"),
            )
        };
        if !self.accept("-")? {
            return Err(refused(self));
        }
        let Token::Number(text) = self.token else {
            return Err(refused(self));
        };
        let years: u8 = text
            .parse()
            .ok()
            .filter(|years| (1..=MAX_YEARS_BACK).contains(years))
            .ok_or_else(|| refused(self))?;
        self.advance()?;
        self.require("]")?;
        Ok(years)
    }

    fn argument(&mut self) -> Result<NodeId, Violation> {
        let start = self.token_start;
        let node = self.expression()?;
        self.number(node, start)
    }

    fn choice(&mut self, start: usize) -> Result<NodeId, Violation> {
        let condition_start = self.token_start;
        let condition = self.expression()?;
        let condition = self.condition(condition, condition_start)?;
        self.require("then")?;
        let then = self.argument()?;
        self.require("else")?;
        let otherwise = self.argument()?;
        Ok(self.push(
            Node::If {
                condition,
                then,
                otherwise,
            },
            start,
        ))
    }

    fn call(&mut self, function: &str, start: usize) -> Result<NodeId, Violation> {
        self.require("(")?;
        let mut result = self.argument()?;
        if matches!(function, "min" | "max") {
            let operation = if function == "min" {
                Operation::Minimum
            } else {
                Operation::Maximum
            };
            if !matches!(self.token, Token::Symbol(",")) {
                return Err(self.unexpected("\",\" and a second argument", "“,”和第二个参数"));
            }
            while self.accept(",")? {
                let next = self.argument()?;
                result = self.push(Node::Binary(operation, result, next), start);
            }
        }
        self.require(")")?;
        match function {
            "share" => result = self.push(Node::Share(result), start),
            "total" => result = self.push(Node::Total(result), start),
            _ => self.spans[result] = (start, self.last_end),
        }
        Ok(result)
    }

    /// Bands become nested choices: `if x < bound then value else ...`.
    fn tier(&mut self, start: usize) -> Result<NodeId, Violation> {
        self.require("(")?;
        let value = self.argument()?;
        let mut bands: Vec<(NodeId, NodeId)> = Vec::new();
        loop {
            self.require(",")?;
            if self.accept("else")? {
                break;
            }
            self.require("<")?;
            let bound_start = self.token_start;
            let bound = self.sum()?;
            let bound = self.number(bound, bound_start)?;
            if let (Some((previous, _)), Node::Number(this)) = (bands.last(), &self.nodes[bound])
                && let Node::Compare(_, _, previous_bound) = &self.nodes[*previous]
                && let Node::Number(last) = &self.nodes[*previous_bound]
                && last >= this
            {
                return Err(self.refused(
                    bound_start,
                    &format!("a bound above {last}"),
                    &format!("大于 {last} 的上限"),
                ));
            }
            self.require(":")?;
            let result = self.argument()?;
            let condition = self.push(Node::Compare(Relation::Less, value, bound), bound_start);
            bands.push((condition, result));
        }
        self.require(":")?;
        if bands.is_empty() {
            return Err(self.unexpected(
                "at least one band, such as <1000: 1.5, before else",
                "else 之前至少一档,如 <1000: 1.5",
            ));
        }
        let mut otherwise = self.argument()?;
        self.require(")")?;
        for (condition, then) in bands.into_iter().rev() {
            otherwise = self.push(
                Node::If {
                    condition,
                    then,
                    otherwise,
                },
                start,
            );
        }
        Ok(otherwise)
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
