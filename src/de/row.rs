//! A row as a struct, a map, or a tuple.

use serde::Deserialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::error::Error;
use super::value::Input;
use crate::RowError;
use crate::pgoutput::Column;
use crate::row::{Cell, Cells};

pub(super) fn deserialize<'de, T: Deserialize<'de>>(cells: Cells<'de>) -> Result<T, RowError> {
    let mut at = None;
    T::deserialize(Whole { cells, at: &mut at }).map_err(|error| locate(cells, at, error))
}

/// Says where it went wrong: in the column that was read last, if one was being read.
#[cold]
fn locate(cells: Cells<'_>, at: Option<&Column>, error: Error) -> RowError {
    match error {
        Error::Value(source) => RowError::value(cells.row(), at, source),
        other => RowError::shape(cells.row(), at, other.to_string()),
    }
}

struct Whole<'de, 'at> {
    cells: Cells<'de>,
    /// The column that is being read.
    at: &'at mut Option<&'de Column>,
}

impl<'de> Deserializer<'de> for Whole<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Columns { cells: self.cells.iter(), current: None, at: self.at })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Columns { cells: self.cells.iter(), current: None, at: self.at })
    }

    /// As many columns as asked for, no fewer and no more.
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        if len != self.cells.len() {
            return Err(Error::Shape(format!("expected {len} columns, the table has {}", self.cells.len())));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// A row is there.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf map struct enum identifier
        ignored_any
    }
}

struct Columns<'de, 'at, I> {
    cells: I,
    /// The column whose name was given last.
    current: Option<Cell<'de>>,
    at: &'at mut Option<&'de Column>,
}

impl<'de, I: Iterator<Item = Cell<'de>>> Columns<'de, '_, I> {
    #[inline]
    fn read<S: DeserializeSeed<'de>>(&mut self, seed: S, cell: &Cell<'de>) -> Result<S::Value, Error> {
        *self.at = Some(cell.column);
        let value = seed.deserialize(Input::cell(cell))?;
        *self.at = None;
        Ok(value)
    }
}

impl<'de, I: Iterator<Item = Cell<'de>>> MapAccess<'de> for Columns<'de, '_, I> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.current = self.cells.next();
        *self.at = self.current.as_ref().map(|cell| cell.column);
        let Some(cell) = &self.current else { return Ok(None) };
        let name = &cell.column.name;
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
            .map_err(|error: Error| error.about(name))
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        // Set by the key that was read before.
        let cell =
            self.current.take().ok_or_else(|| Error::Shape("expected a key before a value".to_owned()))?;
        self.read(seed, &cell)
    }
}

impl<'de, I: Iterator<Item = Cell<'de>>> SeqAccess<'de> for Columns<'de, '_, I> {
    type Error = Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(cell) = self.cells.next() else { return Ok(None) };
        self.read(seed, &cell).map(Some)
    }
}
