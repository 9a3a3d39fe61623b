use std::fmt::Debug;
use std::ops::Bound;

use super::*;
use crate::Oid;
use crate::value::{Dimension, Types};

/// Reads a value, once as its text and once as its bytes: they must be the same to the type.
#[track_caller]
fn read<T: for<'a> FromValue<'a> + PartialEq + Debug>(oid: u32, text: &str) -> Result<T, ValueError> {
    let types = Types::new();
    let value = |datum| Value::new(datum, Oid::new(oid), &types).expect("a value");
    let stored = value(Datum::Text(text.as_bytes()));
    let bytes = stored.to_binary().expect(text);
    let read = stored.read();
    assert_eq!(read, value(Datum::Binary(&bytes)).read(), "{text}");
    read
}

#[test]
fn a_wider_type_reads_what_a_narrower_one_holds() {
    assert_eq!((read(21, "-7"), read(23, "-7")), (Ok(-7_i32), Ok(-7_i32)));
    assert!(read::<i32>(20, "-7").is_err() && read::<i32>(25, "-7").is_err());
    assert_eq!([21, 23, 20].map(|oid| read(oid, "-7")), [Ok(-7_i64), Ok(-7_i64), Ok(-7_i64)]);
    assert!(read::<i64>(1700, "-7").is_err());
    assert_eq!([700, 701].map(|oid| read(oid, "-1.5")), [Ok(-1.5_f64), Ok(-1.5_f64)]);
    assert!(read::<f64>(1700, "-1.5").is_err());
    assert_eq!((read(16, "t"), read(16, "f")), (Ok(true), Ok(false)));
}

#[test]
fn text_and_bytes_are_lent_in_the_form_that_they_were_sent_in() {
    assert_eq!(read(25, "null"), Ok("null".to_owned()));
    assert_eq!(read(1700, "1.50"), Ok("1.50".to_owned()), "any type prints");
    assert_eq!(read(17, "\\x6e00"), Ok(vec![0x6e_u8, 0]));
    assert!(read::<Vec<u8>>(25, "n").is_err());
    let types = Types::new();
    let value = |datum, oid| Value::new(datum, Oid::new(oid), &types).expect("a value");
    assert_eq!(value(Datum::Binary(b"null"), 25).read(), Ok("null"));
    assert_eq!(value(Datum::Binary(b"null"), 25).read(), Ok(Text("null")));
    assert_eq!(value(Datum::Text(b"7"), 23).read(), Ok(Cow::Borrowed("7")));
    assert!(value(Datum::Binary(b"\0\0\0\x07"), 23).read::<&str>().is_err());
    assert_eq!(value(Datum::Binary(b"n\0"), 17).read(), Ok(&b"n\0"[..]));
    assert_eq!(value(Datum::Text(b"\\x6e00"), 17).read(), Ok(Cow::Borrowed(&b"n\0"[..])));
    assert!(value(Datum::Text(b"\\x6e00"), 17).read::<&[u8]>().is_err());
}

#[test]
fn a_name_of_an_object_is_a_number_in_binary_form_only() {
    assert_eq!(read(26, "16384"), Ok(Oid::new(16384)));
    let types = Types::new();
    let value = |datum, oid| Value::new(datum, Oid::new(oid), &types).expect("a value");
    assert_eq!(value(Datum::Binary(b"\0\0\x40\0"), 2205).read(), Ok(Oid::new(16384)));
    assert!(value(Datum::Text(b"16384"), 2205).read::<Oid>().is_err(), "a name");
    assert!(value(Datum::Binary(b"\0\0\0\x07"), 23).read::<Oid>().is_err());
}

#[test]
fn null_is_read_as_an_option_only() {
    assert_eq!((Option::<i32>::null(), i32::null()), (Some(None), None));
    assert_eq!(Option::<i32>::unchanged(), None);
    assert_eq!(read(23, "7"), Ok(Some(7)));
    assert_eq!(read(1007, "{1,NULL}"), Ok(vec![Some(1), None]));
    assert!(read::<Vec<i32>>(1007, "{1,NULL}").is_err());
}

#[test]
fn a_vec_is_an_array_of_one_dimension_from_1_on() {
    assert_eq!((read(1007, "{}"), read(1007, "{1,2}")), (Ok(Vec::<i32>::new()), Ok(vec![1, 2])));
    for text in ["[0:1]={1,2}", "{{1,2}}"] {
        assert!(read::<Vec<i32>>(1007, text).is_err(), "{text}");
    }
    assert_eq!(read(22, "1 2"), Ok(vec![1_i16, 2]), "a vector's first index is 0");
    assert!(read::<Vec<i32>>(23, "1").is_err());
    let types = Types::new();
    let array = Value::new(Datum::Text(b"[0:1]={1,2}"), Oid::new(1007), &types).expect("a value");
    let dimensions = array.read::<Array<'_>>().expect("an array").dimensions;
    assert_eq!(dimensions, [Dimension { size: 2, lower: 0 }]);
    assert!(
        Value::new(Datum::Text(b"1"), Oid::new(23), &types).expect("a value").read::<Array<'_>>().is_err()
    );
}

#[test]
fn ranges_hold_what_their_bounds_are_read_as() {
    let (one, five) = (Bound::Included(1), Bound::Excluded(5));
    assert_eq!(read(3904, "[1,5)"), Ok(Range::Bounds(one, five)));
    let ranges: Multirange<String> = read(4451, "{[1,3),[5,)}").expect("ranges");
    assert_eq!(ranges.to_string(), "{[1,3),[5,)}");
    assert!(read::<Range<i32>>(4451, "{}").is_err() && read::<Multirange<i32>>(3904, "empty").is_err());
}
