//! From text to tree: a recursive descent of fixed depth, one token ahead.

use super::{Expression, MAX_DEPTH, MAX_LENGTH, MAX_YEARS_BACK, Node, NodeId, Operation, Relation};
use crate::domain::error::Violation;
use crate::domain::statistics::{IndicatorCode, parse_decimal};
use rust_decimal::Decimal;

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

/// Reads an expression; the error names `field` and the column.
pub(super) fn read(field: &str, text: &str) -> Result<Expression, Violation> {
    Reader::read(field, text)
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
