//! `tsquery`: what to search for.
//!
//! A query of ten thousand operands is as many levels deep, so nothing here recurses: text is read by way of a stack of
//! operators and printed by way of a stack of what is still to print.

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};

use super::parts::{Text, put_length, write_quoted};
use super::scan::Binary;
use super::{ValueError, Wire};
use crate::wire::Write;

const NAME: &str = "tsquery";
const OPERAND: u8 = 1;
const OPERATOR: u8 = 2;
const SHAPE: &str = "an operator before its operands";

/// `MAXENTRYPOS` in `ts_type.h`.
const MAX_DISTANCE: u16 = 1 << 14;

/// A search: `'fat' & !( 'rat' | 'cat':*AB )` (the server's `tsquery.c`).
///
/// Its items stand as the binary form has them: each operator before its operands, the right one of two first. The text
/// form doesn't tell `a & (b & c)` from `(a & b) & c`; what is read from it is the latter, as the server reads it.
///
/// ```
/// use walferry::value::{QueryItem, TsQuery, Wire};
///
/// let query = TsQuery::from_text("'fat' <2> 'cat':*A")?;
/// assert_eq!(query.items()[0], QueryItem::Phrase(2));
/// let right = QueryItem::Operand { lexeme: "cat".into(), weights: 0b1000, is_prefix: true };
/// assert_eq!(query.items()[1], right);
/// assert_eq!(query.to_string(), "'fat' <2> 'cat':*A");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TsQuery<'a> {
    items: Vec<QueryItem<'a>>,
}

/// An operand or operator of a [`TsQuery`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "complete by definition: ts_type.h has no others")]
pub enum QueryItem<'a> {
    /// A word to look for.
    Operand {
        /// Its normal form.
        lexeme: Cow<'a, str>,
        /// The weights it may have: bit 0 is D, bit 3 is A; none is any.
        weights: u8,
        /// Whether it is only the beginning of a word.
        is_prefix: bool,
    },
    /// `!`: what follows isn't there.
    Not,
    /// `&`: both are.
    And,
    /// `|`: one is.
    Or,
    /// `<->`, `<2>`: the right one is so far behind the left one, 1 being next to it.
    Phrase(u16),
}

impl QueryItem<'_> {
    fn operands(&self) -> usize {
        match self {
            Self::Operand { .. } => 0,
            Self::Not => 1,
            Self::And | Self::Or | Self::Phrase(_) => 2,
        }
    }

    /// `tsearch_op_priority`.
    fn priority(&self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Phrase(_) => 3,
            Self::Not | Self::Operand { .. } => 4,
        }
    }
}

impl<'a> TsQuery<'a> {
    /// A query of these items, in the order of the binary form; none is the empty query.
    ///
    /// # Errors
    ///
    /// Operators with more or fewer operands than they take.
    pub fn new(items: Vec<QueryItem<'a>>) -> Result<Self, ValueError> {
        let malformed = || ValueError::malformed(NAME, 0, SHAPE);
        let mut complete = 0_usize;
        for item in items.iter().rev() {
            complete = complete.checked_sub(item.operands()).ok_or_else(malformed)? + 1;
        }
        let expected = usize::from(!items.is_empty());
        if complete == expected { Ok(Self { items }) } else { Err(malformed()) }
    }

    /// Operators, each before its operands, the right one of two first.
    pub fn items(&self) -> &[QueryItem<'a>] {
        &self.items
    }

    /// How many items each operator and its operands take, itself included.
    fn spans(&self) -> Vec<usize> {
        let mut spans = vec![1; self.items.len()];
        for (index, item) in self.items.iter().enumerate().rev() {
            let mut span = 1;
            for _ in 0..item.operands() {
                span += spans.get(index + span).copied().unwrap_or_default();
            }
            spans.iter_mut().skip(index).take(1).for_each(|slot| *slot = span);
        }
        spans
    }
}

impl<'a> Wire<'a> for TsQuery<'a> {
    fn from_text(text: &'a str) -> Result<Self, ValueError> {
        let mut text = Text::new(NAME, text);
        if text.peek().is_none() {
            return Ok(Self::default());
        }
        let mut parser = Parser::default();
        loop {
            parser.operand(&mut text)?;
            if !parser.operator(&mut text)? {
                break;
            }
        }
        text.finish()?;
        parser.finish(&text)
    }

    fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut bytes = Binary::new(NAME, bytes);
        let count = bytes.count(2, "a number of items")?;
        let items = (0..count).map(|_| item(&mut bytes)).collect::<Result<_, _>>()?;
        bytes.finish()?;
        Self::new(items)
    }

    fn write_binary(&self, out: &mut BytesMut) {
        put_length(out, self.items.len());
        for item in &self.items {
            match item {
                QueryItem::Operand { lexeme, weights, is_prefix } => {
                    out.put_slice(&[OPERAND, *weights, (*is_prefix).into()]);
                    out.put_string(lexeme);
                }
                QueryItem::Not => out.put_slice(&[OPERATOR, 1]),
                QueryItem::And => out.put_slice(&[OPERATOR, 2]),
                QueryItem::Or => out.put_slice(&[OPERATOR, 3]),
                QueryItem::Phrase(distance) => {
                    out.put_slice(&[OPERATOR, 4]);
                    out.put_u16(*distance);
                }
            }
        }
    }
}

fn item<'a>(bytes: &mut Binary<'a>) -> Result<QueryItem<'a>, ValueError> {
    match bytes.u8("an item")? {
        OPERAND => operand(bytes),
        OPERATOR => operator(bytes),
        _ => Err(bytes.fail_behind(1, "an operand or operator")),
    }
}

fn operand<'a>(bytes: &mut Binary<'a>) -> Result<QueryItem<'a>, ValueError> {
    let weights = bytes.u8("weights")?;
    if weights > 0xf {
        return Err(bytes.fail_behind(1, "weights of four bits"));
    }
    let is_prefix = bytes.u8("0 or 1")?;
    if is_prefix > 1 {
        return Err(bytes.fail_behind(1, "0 or 1"));
    }
    let lexeme = bytes.string("a lexeme and a zero byte")?.into();
    Ok(QueryItem::Operand { lexeme, weights, is_prefix: is_prefix == 1 })
}

fn operator<'a>(bytes: &mut Binary<'a>) -> Result<QueryItem<'a>, ValueError> {
    match bytes.u8("an operator")? {
        1 => Ok(QueryItem::Not),
        2 => Ok(QueryItem::And),
        3 => Ok(QueryItem::Or),
        4 => match bytes.u16("a distance")? {
            distance @ 0..=MAX_DISTANCE => Ok(QueryItem::Phrase(distance)),
            _ => Err(bytes.fail_behind(2, "a distance up to 16384")),
        },
        _ => Err(bytes.fail_behind(1, "an operator from 1 to 4")),
    }
}

/// Reads infix text into items behind their operands, which are the binary form backwards.
#[derive(Default)]
struct Parser<'a> {
    output: Vec<QueryItem<'a>>,
    /// Operators whose right operand is being read; `None` is a parenthesis.
    pending: Vec<Option<QueryItem<'a>>>,
}

impl<'a> Parser<'a> {
    /// An operand with the negations and parentheses before it.
    fn operand(&mut self, text: &mut Text<'a>) -> Result<(), ValueError> {
        loop {
            if text.eat("!") {
                self.pending.push(Some(QueryItem::Not));
            } else if text.eat("( ") {
                self.pending.push(None);
            } else {
                break;
            }
        }
        let lexeme = text.quoted('\'', true)?;
        let (mut weights, mut is_prefix) = (0, false);
        if text.eat(":") {
            is_prefix = text.eat("*");
            for (letter, bit) in [("A", 8), ("B", 4), ("C", 2), ("D", 1)] {
                weights |= if text.eat(letter) { bit } else { 0 };
            }
            if weights == 0 && !is_prefix {
                return Err(text.fail("`*` or a weight"));
            }
        }
        self.output.push(QueryItem::Operand { lexeme, weights, is_prefix });
        Ok(())
    }

    /// The parentheses that close here, and an operator; whether there is one.
    fn operator(&mut self, text: &mut Text<'a>) -> Result<bool, ValueError> {
        while text.eat(" )") {
            self.release(0);
            if self.pending.pop().is_none() {
                return Err(text.fail("no parenthesis that wasn't opened"));
            }
        }
        if text.peek().is_none() {
            return Ok(false);
        }
        let operator = if text.eat(" & ") {
            QueryItem::And
        } else if text.eat(" | ") {
            QueryItem::Or
        } else {
            QueryItem::Phrase(distance(text)?)
        };
        self.release(operator.priority());
        self.pending.push(Some(operator));
        Ok(true)
    }

    /// Operators that bind as closely, since the last parenthesis, have their right operand now.
    fn release(&mut self, priority: u8) {
        let binds =
            |top: &mut Option<QueryItem<'_>>| top.as_ref().is_some_and(|top| top.priority() >= priority);
        while let Some(Some(operator)) = self.pending.pop_if(binds) {
            self.output.push(operator);
        }
    }

    fn finish(mut self, text: &Text<'_>) -> Result<TsQuery<'a>, ValueError> {
        self.release(0);
        if !self.pending.is_empty() {
            return Err(text.fail("a closing parenthesis"));
        }
        self.output.reverse();
        TsQuery::new(self.output)
    }
}

fn distance(text: &mut Text<'_>) -> Result<u16, ValueError> {
    if text.eat(" <-> ") {
        return Ok(1);
    }
    let start = text.clone();
    text.expect(" <", "an operator")?;
    let distance = text.integer("a distance")?;
    text.expect("> ", "`> `")?;
    if distance == 1 || distance > MAX_DISTANCE {
        return Err(start.fail("a distance up to 16384"));
    }
    Ok(distance)
}

/// What is still to print.
enum Step {
    Item { index: usize, parent: u8, is_right_of_phrase: bool },
    Text(&'static str),
    Distance(u16),
}

impl fmt::Display for TsQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spans = self.spans();
        let mut steps = vec![Step::Item { index: 0, parent: 0, is_right_of_phrase: false }];
        while let Some(step) = steps.pop() {
            match step {
                Step::Text(text) => f.write_str(text)?,
                Step::Distance(1) => f.write_str(" <-> ")?,
                Step::Distance(distance) => write!(f, " <{distance}> ")?,
                Step::Item { index, parent, is_right_of_phrase } => match self.items.get(index) {
                    None => {}
                    Some(QueryItem::Operand { lexeme, weights, is_prefix }) => {
                        write_operand(f, lexeme, *weights, *is_prefix)?;
                    }
                    Some(operator) => {
                        let right = spans.get(index + 1).copied().unwrap_or_default();
                        let is_phrase = matches!(operator, QueryItem::Phrase(_));
                        let needs_parentheses =
                            operator.priority() < parent || (is_phrase && is_right_of_phrase);
                        push_operator(&mut steps, operator, index, right, needs_parentheses);
                    }
                },
            }
        }
        Ok(())
    }
}

/// `infix` in `tsquery.c`, last step first.
fn push_operator(
    steps: &mut Vec<Step>,
    operator: &QueryItem<'_>,
    index: usize,
    right: usize,
    needs_parentheses: bool,
) {
    let parent = operator.priority();
    let item = |index, is_right_of_phrase| Step::Item { index, parent, is_right_of_phrase };
    let sign = match operator {
        QueryItem::And => Step::Text(" & "),
        QueryItem::Or => Step::Text(" | "),
        QueryItem::Phrase(distance) => Step::Distance(*distance),
        QueryItem::Not | QueryItem::Operand { .. } => Step::Text("!"),
    };
    if needs_parentheses {
        steps.push(Step::Text(" )"));
    }
    steps.push(item(index + 1, matches!(operator, QueryItem::Phrase(_))));
    steps.push(sign);
    if operator.operands() == 2 {
        steps.push(item(index + 1 + right, false));
    }
    if needs_parentheses {
        steps.push(Step::Text("( "));
    }
}

fn write_operand(f: &mut fmt::Formatter<'_>, lexeme: &str, weights: u8, is_prefix: bool) -> fmt::Result {
    write_quoted(f, lexeme, '\'', "''")?;
    if weights != 0 || is_prefix {
        f.write_str(":")?;
    }
    if is_prefix {
        f.write_str("*")?;
    }
    for (letter, bit) in [("A", 8), ("B", 4), ("C", 2), ("D", 1)] {
        f.write_str(if weights & bit == 0 { "" } else { letter })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
