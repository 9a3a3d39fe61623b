//! `tsvector`: lexemes and where they stand.

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};

use super::parts::{Text, put_length, write_quoted};
use super::scan::Binary;
use super::{ValueError, Wire};
use crate::wire::Write;

const NAME: &str = "tsvector";

/// A document that was made ready to be searched: `'cat':3B,7 'fat'` (the server's `tsvector.c`).
///
/// ```
/// use walferry::value::{TsVector, Weight, Wire};
///
/// let vector = TsVector::from_text("'cat':3B,7 'it''s'")?;
/// assert_eq!(vector.lexemes[1].word, "it's");
/// let cat = &vector.lexemes[0].positions;
/// assert_eq!((cat[0].number(), cat[0].weight(), cat[1].weight()), (3, Weight::B, Weight::D));
/// assert_eq!(vector.to_string(), "'cat':3B,7 'it''s'");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TsVector<'a> {
    /// The lexemes, in the server's order.
    pub lexemes: Vec<Lexeme<'a>>,
}

/// A word in its normal form, and where it stands in the document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lexeme<'a> {
    /// The word.
    pub word: Cow<'a, str>,
    /// Its positions; none if they were stripped.
    pub positions: Vec<Position>,
}

/// A place in a document: a number of 14 bits and a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position(u16);

/// How much a place in a document counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "complete by definition: two bits")]
pub enum Weight {
    /// The usual one, which isn't printed.
    D,
    /// More.
    C,
    /// Still more.
    B,
    /// The most.
    A,
}

impl Position {
    const WEIGHT_SHIFT: u16 = 14;
    /// The last position: what comes behind it in a document is given this one, too (`MAXENTRYPOS` in `ts_type.h`).
    pub const MAX: u16 = (1 << Self::WEIGHT_SHIFT) - 1;

    /// `None` if the number is above [`Position::MAX`].
    pub fn new(number: u16, weight: Weight) -> Option<Self> {
        (number <= Self::MAX).then_some(Self(((weight as u16) << Self::WEIGHT_SHIFT) | number))
    }

    /// Which word of the document it is, from 1.
    pub fn number(self) -> u16 {
        self.0 & Self::MAX
    }

    /// How much it counts.
    pub fn weight(self) -> Weight {
        match self.0 >> Self::WEIGHT_SHIFT {
            0 => Weight::D,
            1 => Weight::C,
            2 => Weight::B,
            _ => Weight::A,
        }
    }

    fn read(text: &mut Text<'_>) -> Result<Self, ValueError> {
        let start = text.clone();
        let number = text.integer("a position")?;
        let weights = [("A", Weight::A), ("B", Weight::B), ("C", Weight::C)];
        let weight = weights.into_iter().find_map(|(letter, weight)| text.eat(letter).then_some(weight));
        Self::new(number, weight.unwrap_or(Weight::D)).ok_or_else(|| start.fail("a position of 14 bits"))
    }
}

impl<'a> Lexeme<'a> {
    fn read(text: &mut Text<'a>) -> Result<Self, ValueError> {
        let word = text.quoted('\'', true)?;
        let mut positions = Vec::new();
        if text.eat(":") {
            positions.push(Position::read(text)?);
            while text.eat(",") {
                positions.push(Position::read(text)?);
            }
        }
        Ok(Self { word, positions })
    }

    fn read_binary(bytes: &mut Binary<'a>) -> Result<Self, ValueError> {
        let word = Cow::Borrowed(bytes.string("a lexeme and a zero byte")?);
        let count = bytes.u16("a number of positions")?;
        if usize::from(count) > bytes.left() / 2 {
            return Err(bytes.fail("positions"));
        }
        let positions = (0..count).map(|_| bytes.u16("a position").map(Position));
        Ok(Self { word, positions: positions.collect::<Result<_, _>>()? })
    }
}

impl<'a> Wire<'a> for TsVector<'a> {
    fn from_text(text: &'a str) -> Result<Self, ValueError> {
        let mut text = Text::new(NAME, text);
        let mut lexemes = Vec::new();
        while text.peek().is_some() {
            if !lexemes.is_empty() {
                text.expect(" ", "a blank")?;
            }
            lexemes.push(Lexeme::read(&mut text)?);
        }
        Ok(Self { lexemes })
    }

    fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut bytes = Binary::new(NAME, bytes);
        let count = bytes.count(3, "a number of lexemes")?;
        let lexemes = (0..count).map(|_| Lexeme::read_binary(&mut bytes)).collect::<Result<_, _>>()?;
        bytes.finish()?;
        Ok(Self { lexemes })
    }

    fn write_binary(&self, out: &mut BytesMut) {
        put_length(out, self.lexemes.len());
        for lexeme in &self.lexemes {
            out.put_string(&lexeme.word);
            // A lexeme has fewer than 256 of them.
            out.put_u16(u16::try_from(lexeme.positions.len()).unwrap_or(u16::MAX));
            lexeme.positions.iter().for_each(|position| out.put_u16(position.0));
        }
    }
}

impl fmt::Display for TsVector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, lexeme) in self.lexemes.iter().enumerate() {
            write!(f, "{}{lexeme}", if number > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Lexeme<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(f, &self.word, '\'', "''")?;
        for (number, position) in self.positions.iter().enumerate() {
            write!(f, "{}{position}", if number > 0 { "," } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight() {
            Weight::D => "",
            Weight::C => "C",
            Weight::B => "B",
            Weight::A => "A",
        };
        write!(f, "{}{weight}", self.number())
    }
}

#[cfg(test)]
mod tests;
