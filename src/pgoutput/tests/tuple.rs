//! A tuple is its values, wherever they stand.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use proptest::collection::vec;
use proptest::prelude::*;

use super::generate::sent;
use super::*;

/// NULL, unchanged, and few texts and bytes, so that two lists may be the same.
fn datum() -> impl Strategy<Value = Datum<'static>> {
    let bytes = || prop::sample::select(vec![&b""[..], b"1", b"null"]);
    prop_oneof![
        Just(Datum::Null),
        Just(Datum::Unchanged),
        bytes().prop_map(Datum::Text),
        bytes().prop_map(Datum::Binary),
    ]
}

/// The same tuple as it stands in a message that came.
fn received(tuple: Tuple) -> Tuple {
    let columns = tuple.len();
    let insert = Message::Insert(Insert { xid: None, relation_id: RELATION, new: tuple });
    let Ok(Message::Insert(insert)) = decoder(columns).decode(insert.encode()) else { panic!("an Insert") };
    insert.new
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_tuples_are_equal_if_their_values_are(one in vec(datum(), 0..3), other in vec(datum(), 0..3)) {
        let tuples = |datums: &Vec<_>| {
            let tuple = Tuple::from_datums(datums.clone());
            [tuple.clone(), tuple.detach(), received(tuple)]
        };
        for (one_tuple, other_tuple) in tuples(&one).iter().zip(tuples(&other).iter().rev()) {
            prop_assert_eq!(one_tuple == other_tuple, one == other);
        }
        let hasher = RandomState::new();
        let hashes = [&one, &other].map(|datums| tuples(datums).map(|tuple| hasher.hash_one(tuple)));
        prop_assert!(hashes.iter().all(|same| same.iter().all(|hash| *hash == same[0])));
        prop_assert_eq!(hashes[0][0] == hashes[1][0], one == other);
    }

    #[test]
    fn a_tuple_has_each_of_its_values_in_its_place(datums in vec(datum(), 0..5)) {
        let tuple = received(Tuple::from_datums(datums.clone()));
        prop_assert_eq!((tuple.len(), tuple.is_empty()), (datums.len(), datums.is_empty()));
        for behind in 0..datums.len() {
            prop_assert_eq!(tuple.get(behind), Some(datums[behind]));
            prop_assert_eq!(tuple.iter().skip(behind).len(), datums.len() - behind);
        }
        prop_assert_eq!(tuple.get(datums.len()), None);
    }

    #[test]
    fn a_change_or_message_takes_the_bytes_that_it_says_or_a_few_less(sent in sent()) {
        let counted = matches!(
            sent.message,
            Message::Insert(_) | Message::Update(_) | Message::Delete(_) | Message::Message(_)
        );
        let (said, taken) = (sent.message.byte_len(), sent.message.encode().len());
        prop_assert!(!counted || (taken..taken + 64).contains(&said), "{} for {}", said, taken);
    }
}

#[test]
fn what_is_shown_of_a_tuple_is_kinds_and_lengths() {
    let tuple =
        Tuple::from_datums([Datum::Null, Datum::Unchanged, Datum::Text(b"secret"), Datum::Binary(b"key")]);
    assert_eq!(format!("{tuple:?}"), "[Null, Unchanged, Text(6 bytes), Binary(3 bytes)]");
}

#[test]
fn a_delete_takes_what_its_old_row_takes() {
    let old = OldTuple::Full(Tuple::from_datums([Datum::Text(&[b'x'; 1000])]));
    let delete = Message::Delete(Delete { xid: None, relation_id: RELATION, old });
    assert!((1000..1100).contains(&delete.byte_len()), "{}", delete.byte_len());
}
