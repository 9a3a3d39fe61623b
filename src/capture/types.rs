//! A type as one text, whatever its names hold: each part of it as its length in bytes, a colon, and itself.

use bytes::{BufMut, BytesMut};

use super::context::text;
use crate::Oid;
use crate::value::{Type, TypeField, TypeKind, Types};
use crate::wire::{DecodeError, DecodeErrorKind, Reader, Write as _};

/// The body of a block of types, behind its kind.
pub(super) fn write(types: &Types, out: &mut BytesMut) {
    for known in types.inserted().map(print) {
        out.put_length(known.len());
        out.put_slice(known.as_bytes());
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<Types, DecodeError> {
    let mut types = Types::new();
    while r.left() > 0 {
        let known = parse(text(r)?).ok_or_else(|| {
            let (field, expected) = ("type", "oid, schema, name and kind");
            r.fail(DecodeErrorKind::UnexpectedByte { field, expected, found: 0 })
        })?;
        types.insert(known);
    }
    Ok(types)
}

pub(super) fn print(known: &Type) -> String {
    let number = |oid: Oid| oid.to_string();
    let (word, parts) = match &known.kind {
        TypeKind::Base => ("base", vec![]),
        TypeKind::Pseudo => ("pseudo", vec![]),
        TypeKind::Array { element, delimiter } => ("array", vec![number(*element), delimiter.to_string()]),
        TypeKind::Vector { element } => ("vector", vec![number(*element)]),
        TypeKind::Range { subtype } => ("range", vec![number(*subtype)]),
        TypeKind::Multirange { range } => ("multirange", vec![number(*range)]),
        TypeKind::Domain { base } => ("domain", vec![number(*base)]),
        TypeKind::Enum { labels } => ("enum", labels.clone()),
        TypeKind::Composite { fields } => {
            let parts = fields.iter().flat_map(|field| [field.name.clone(), number(field.type_oid)]);
            ("composite", parts.collect())
        }
    };
    let oid = number(known.oid);
    let head = [oid.as_str(), &known.schema, &known.name, word];
    let parts = head.into_iter().chain(parts.iter().map(String::as_str));
    let mut text = String::new();
    for part in parts {
        text.push_str(&part.len().to_string());
        text.push(':');
        text.push_str(part);
    }
    text
}

/// None for anything that [`print`] doesn't print.
pub(super) fn parse(mut text: &str) -> Option<Type> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = text.split_once(':') {
        let (part, behind) = rest.split_at_checked(length.parse().ok()?)?;
        parts.push(part);
        text = behind;
    }
    let ([oid, schema, name, word, parts @ ..], "") = (parts.as_slice(), text) else { return None };
    let kind = parse_kind(word, parts)?;
    Some(Type { oid: number(oid)?, schema: owned(schema).into(), name: owned(name).into(), kind })
}

fn parse_kind(word: &str, parts: &[&str]) -> Option<TypeKind> {
    Some(match (word, parts) {
        ("base", []) => TypeKind::Base,
        ("pseudo", []) => TypeKind::Pseudo,
        ("array", [element, delimiter]) => {
            TypeKind::Array { element: number(element)?, delimiter: delimiter.parse().ok()? }
        }
        ("vector", [element]) => TypeKind::Vector { element: number(element)? },
        ("range", [subtype]) => TypeKind::Range { subtype: number(subtype)? },
        ("multirange", [range]) => TypeKind::Multirange { range: number(range)? },
        ("domain", [base]) => TypeKind::Domain { base: number(base)? },
        ("enum", labels) => TypeKind::Enum { labels: labels.iter().map(owned).collect() },
        ("composite", fields) => {
            let fields = fields.chunks(2).map(|field| match field {
                [name, type_oid] => Some(TypeField { name: owned(name), type_oid: number(type_oid)? }),
                _ => None,
            });
            TypeKind::Composite { fields: fields.collect::<Option<_>>()? }
        }
        _ => return None,
    })
}

fn number(digits: &str) -> Option<Oid> {
    digits.parse().ok().map(Oid::new)
}

fn owned(text: &&str) -> String {
    (*text).to_owned()
}
