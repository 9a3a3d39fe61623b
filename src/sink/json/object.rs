//! One JSON object, member by member, each read only when its type is known.
//!
//! Nothing here depends on features of `serde_json` that another crate may turn on: members are kept as text
//! (`raw_value`), in a map of our own, and no number is read without its type.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::JsonErrorKind;
use crate::Timestamp;
use crate::pgoutput::Datum;

pub(super) type Result<T> = std::result::Result<T, JsonErrorKind>;

/// The members of an object that were not taken yet.
pub(super) struct Object<'a> {
    /// Where in the line it stands, ending with a point; nothing for the line itself.
    place: Cow<'static, str>,
    members: Members<'a>,
}

impl<'a> Object<'a> {
    /// The object that is a whole line.
    pub(super) fn line(line: &'a [u8]) -> Result<Self> {
        let not_an_object = |column| JsonErrorKind::NotAnObject { column };
        let text = std::str::from_utf8(line).map_err(|error| not_an_object(error.valid_up_to() + 1))?;
        let members = serde_json::from_str(text).map_err(|error| not_an_object(error.column()))?;
        Ok(Self { place: Cow::Borrowed(""), members })
    }

    /// The object that is an element of an array.
    pub(super) fn element(raw: &'a RawValue, place: String) -> Result<Self> {
        match serde_json::from_str(raw.get()) {
            Ok(members) => Ok(Self { place: place.into(), members }),
            Err(_) => Err(unexpected(place.trim_end_matches('.'), "an object")),
        }
    }

    /// The object that is a member; its place is the name with a point.
    pub(super) fn object(&mut self, place: &'static str) -> Result<Self> {
        self.optional_object(place)?.ok_or_else(|| self.missing(place.trim_end_matches('.')))
    }

    pub(super) fn optional_object(&mut self, place: &'static str) -> Result<Option<Self>> {
        let name = place.trim_end_matches('.');
        let Some(raw) = self.take(name)? else { return Ok(None) };
        let members = serde_json::from_str(raw.get()).map_err(|_| self.unexpected(name, "an object"))?;
        Ok(Some(Self { place: Cow::Borrowed(place), members }))
    }

    /// A member that has to be there.
    pub(super) fn member<T: Deserialize<'a>>(&mut self, name: &str, expected: &'static str) -> Result<T> {
        self.optional(name, expected)?.ok_or_else(|| self.missing(name))
    }

    /// A member that may be there.
    pub(super) fn optional<T: Deserialize<'a>>(
        &mut self,
        name: &str,
        expected: &'static str,
    ) -> Result<Option<T>> {
        let Some(raw) = self.take(name)? else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| self.unexpected(name, expected))
    }

    /// The value of a column, if it is there.
    pub(super) fn column(&mut self, name: &str) -> Result<Option<Value<'a>>> {
        let expected =
            "null, a string, or an object of one member: unchanged (true), binary or text (hexadecimal)";
        let Some(raw) = self.take(name)? else { return Ok(None) };
        Value::read(raw).map(Some).ok_or_else(|| self.unexpected(name, expected))
    }

    /// Whether no member is left.
    pub(super) fn is_empty(&self) -> bool {
        self.members.0.is_empty()
    }

    #[cold]
    pub(super) fn missing(&self, name: &str) -> JsonErrorKind {
        JsonErrorKind::Missing { member: self.path(name) }
    }

    #[cold]
    pub(super) fn unexpected(&self, name: &str, expected: &'static str) -> JsonErrorKind {
        unexpected(&self.path(name), expected)
    }

    fn take(&mut self, name: &str) -> Result<Option<&'a RawValue>> {
        match self.members.0.remove(name) {
            None => Ok(None),
            Some(Some(raw)) => Ok(Some(raw)),
            Some(None) => Err(JsonErrorKind::Duplicate { member: self.path(name) }),
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }
}

fn unexpected(member: &str, expected: &'static str) -> JsonErrorKind {
    JsonErrorKind::Unexpected { member: member.to_owned(), expected }
}

/// Members by name; none where a name is there more than once.
struct Members<'a>(HashMap<Cow<'a, str>, Option<&'a RawValue>>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Members<'de>, A::Error> {
                let mut members = HashMap::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    members.entry(name).and_modify(|known| *known = None).or_insert(Some(value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Map)
    }
}

/// A string, borrowed from the line unless something in it is escaped.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Bytes in hexadecimal.
pub(super) struct Hex(pub(super) Bytes);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        unhex(&text).map(|bytes| Self(bytes.into())).ok_or_else(|| D::Error::custom("not hexadecimal"))
    }
}

/// A time as the server prints it.
pub(super) struct Time(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// The value of a column.
pub(super) enum Value<'a> {
    Null,
    Unchanged,
    Text(Cow<'a, [u8]>),
    Binary(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    pub(super) fn datum(&self) -> Datum<'_> {
        match self {
            Self::Null => Datum::Null,
            Self::Unchanged => Datum::Unchanged,
            Self::Text(bytes) => Datum::Text(bytes),
            Self::Binary(bytes) => Datum::Binary(bytes),
        }
    }

    fn read(raw: &'a RawValue) -> Option<Self> {
        let value = match raw.get().as_bytes() {
            b"null" => Self::Null,
            [b'"', ..] => {
                let Text(text) = serde_json::from_str(raw.get()).ok()?;
                Self::Text(match text {
                    Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                    Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                })
            }
            _ => Self::read_object(raw)?,
        };
        // A tuple holds lengths in 31 bits, as the wire does.
        let fits = |bytes: &[u8]| i32::try_from(bytes.len()).is_ok();
        match &value {
            Self::Text(bytes) | Self::Binary(bytes) if !fits(bytes) => None,
            _ => Some(value),
        }
    }

    /// Exactly one member: a value that says more than this version knows is not to be guessed.
    fn read_object(raw: &'a RawValue) -> Option<Self> {
        let Members(members) = serde_json::from_str(raw.get()).ok()?;
        let mut members = members.into_iter();
        let (Some((name, Some(value))), None) = (members.next(), members.next()) else { return None };
        let bytes = || serde_json::from_str(value.get()).ok().and_then(|Text(text)| unhex(&text));
        match &*name {
            "unchanged" => (value.get() == "true").then_some(Self::Unchanged),
            "binary" => Some(Self::Binary(bytes()?.into())),
            "text" => Some(Self::Text(bytes()?.into())),
            _ => None,
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks() else { return None };
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}
