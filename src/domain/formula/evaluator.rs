//! Expressions over the inputs, column by column.

use super::check::Formula;
use super::expression::{Expression, Node, NodeId, Operation};
use super::inputs::Inputs;
use crate::domain::error::{Faults, Violation};
use crate::domain::exact::Column;
use crate::domain::exact::column::ValueTooLarge;
use std::borrow::Cow;

/// Evaluates expressions over the inputs.
pub(super) struct Evaluator<'e> {
    pub(super) formula: &'e Formula,
    pub(super) inputs: &'e Inputs<'e>,
}

enum Value<'v> {
    Number(Cow<'v, Column>),
    Truth(Vec<Option<bool>>),
}

impl Evaluator<'_> {
    /// The value for each region; every region must have one, zero or more.
    pub(super) fn checked(
        &self,
        field: &str,
        expression: &Expression,
        report: &mut Faults,
    ) -> Option<Column> {
        let column = match self.value(expression) {
            Ok(column) => column.into_owned().spread(self.inputs.regions.len()),
            Err(too_large) => {
                report.add(|| too_large.violation(field));
                return None;
            }
        };
        if let Some(row) = column.undefined_row() {
            report.add(|| {
                Violation::new(
                    field,
                    format!(
                        "division by zero for {} in \"{}\"",
                        self.inputs.name(row),
                        expression.text()
                    ),
                    "a divisor other than zero in every region, or a condition that avoids it",
                    "各地区的除数均不为零,或用条件避开",
                )
            });
            return None;
        }
        if let Some(row) = column.negative_row() {
            report.add(|| {
                let value = column.fraction(row).to_decimal_text(6);
                Violation::new(
                    field,
                    format!(
                        "{value} for {} in \"{}\"",
                        self.inputs.name(row),
                        expression.text()
                    ),
                    "zero or more in every region",
                    "各地区均不小于零",
                )
            });
            return None;
        }
        Some(column)
    }

    fn value(&self, expression: &Expression) -> Result<Cow<'_, Column>, ValueTooLarge> {
        let rows = self.inputs.regions.len();
        let nodes = expression.nodes();
        let last_use = last_uses(nodes);
        let nothing = Column::Each(vec![None]);
        let mut values: Vec<Option<Value<'_>>> = Vec::with_capacity(nodes.len());
        for (id, node) in nodes.iter().enumerate() {
            // The reader has checked every operand's kind.
            let number = |node: NodeId| match &values[node] {
                Some(Value::Number(column)) => column.as_ref(),
                _ => &nothing,
            };
            let truth = |node: NodeId| match &values[node] {
                Some(Value::Truth(truth)) => truth.as_slice(),
                _ => &[None],
            };
            let owned = |column: Column| Value::Number(Cow::Owned(column));
            let value = match node {
                Node::Number(value) => owned(Column::constant(*value)),
                Node::Parameter(name) => owned(Column::constant(
                    self.formula.parameters.get(name).copied().unwrap_or_default(),
                )),
                Node::Indicator { code, years_back } => match self.inputs.column(code, *years_back) {
                    Some(column) => Value::Number(Cow::Borrowed(&column.values)),
                    None => owned(nothing.clone()),
                },
                Node::Binary(operation, a, b) => {
                    let (a, b) = (number(*a), number(*b));
                    owned(match operation {
                        Operation::Add => a.add(b),
                        Operation::Subtract => a.subtract(b),
                        Operation::Multiply => a.multiply(b),
                        Operation::Divide => a.divide(b),
                        Operation::Minimum => a.minimum(b),
                        Operation::Maximum => a.maximum(b),
                    }?)
                }
                Node::Share(a) => owned(number(*a).share(rows)?),
                Node::Total(a) => owned(number(*a).total(rows)?),
                Node::If {
                    condition,
                    then,
                    otherwise,
                } => owned(number(*then).select(number(*otherwise), truth(*condition))?),
                Node::Compare(relation, a, b) => {
                    let orders = number(*a).compare(number(*b));
                    Value::Truth(
                        orders
                            .into_iter()
                            .map(|order| order.map(|order| relation.holds(order)))
                            .collect(),
                    )
                }
                Node::And(a, b) => Value::Truth(both(truth(*a), truth(*b), |a, b| a && b)),
                Node::Or(a, b) => Value::Truth(both(truth(*a), truth(*b), |a, b| a || b)),
                Node::Not(a) => {
                    Value::Truth(truth(*a).iter().map(|truth| truth.map(|truth| !truth)).collect())
                }
            };
            values.push(Some(value));
            for operand in node.operands() {
                if last_use[operand] == id {
                    values[operand] = None;
                }
            }
        }
        match values.pop().flatten() {
            Some(Value::Number(column)) => Ok(column),
            _ => Ok(Cow::Owned(nothing)),
        }
    }
}

fn both(a: &[Option<bool>], b: &[Option<bool>], join: impl Fn(bool, bool) -> bool) -> Vec<Option<bool>> {
    let at = |items: &[Option<bool>], row: usize| if items.len() == 1 { items[0] } else { items[row] };
    (0..a.len().max(b.len()))
        .map(|row| Some(join(at(a, row)?, at(b, row)?)))
        .collect()
}

/// For each node, the last node that uses it, so that columns are freed as early as possible.
fn last_uses(nodes: &[Node]) -> Vec<NodeId> {
    let mut last = vec![NodeId::MAX; nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        for operand in node.operands() {
            last[operand] = id;
        }
    }
    last
}
