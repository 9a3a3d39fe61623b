use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    out.to_vec()
}

#[test]
fn prints_what_it_read() {
    for text in [
        "empty",
        "[1,5)",
        "(1,5]",
        "(,5)",
        "[1,)",
        "(,)",
        r#"["",b]"#,
        r#"["a b","c,d")"#,
        r#"["""","\\")"#,
        r#"["(","]")"#,
        "[infinity,null)",
    ] {
        assert_eq!(Range::from_text(text).unwrap().to_string(), text);
        assert_eq!(
            Multirange::from_text(&format!("{{{text},{text}}}")).unwrap().to_string(),
            format!("{{{text},{text}}}")
        );
    }
    assert_eq!(Multirange::from_text("{}").unwrap().ranges, []);
}

#[test]
fn refuses_what_is_never_printed() {
    for text in [
        "",
        "Empty",
        "empty ",
        "[",
        "[1",
        "[1,",
        "[1,2",
        "[,2)",
        "(1,]",
        "[1,2,3)",
        "[1, 2)",
        "[1,2)x",
        r#"["a,b)"#,
    ] {
        Range::from_text(text).expect_err(text);
    }
    for text in ["", "{", "{,}", "{[1,2),}", "{[1,2)", "{[1,2)}x", "{[1,2) }"] {
        Multirange::from_text(text).expect_err(text);
    }
}

#[test]
fn writes_what_it_read() {
    let one = b"\0\0\0\x01a";
    let part = |flags: u8, bounds: usize| [&[flags], one.repeat(bounds).as_slice()].concat();
    for (flags, bounds) in
        [(1, 0), (0, 2), (2, 2), (4, 2), (6, 2), (8, 1), (12, 1), (16, 1), (18, 1), (24, 0)]
    {
        let bytes = part(flags, bounds);
        let range = Range::from_binary(&bytes).unwrap();
        assert_eq!(written(|out| range.write_binary(out)), bytes);
        let several =
            [b"\0\0\0\x01".as_slice(), &u32::try_from(bytes.len()).unwrap().to_be_bytes(), &bytes].concat();
        let multirange = Multirange::from_binary(&several).unwrap();
        assert_eq!(written(|out| multirange.write_binary(out)), several);
        for end in 0..several.len() {
            Multirange::from_binary(&several[..end]).expect_err("a prefix");
        }
    }
}

#[test]
fn refuses_flags_that_contradict_each_other() {
    let bounds = b"\0\0\0\x01a\0\0\0\x01b";
    let known = [0, 2, 4, 6];
    for flags in (0..=u8::MAX).filter(|flags| !known.contains(flags)) {
        let bytes = [[flags].as_slice(), bounds].concat();
        Range::from_binary(&bytes).expect_err("too many bounds, or flags that aren't");
    }
    Range::from_binary(b"\0\xff\xff\xff\xff\0\0\0\0").expect_err("a bound is not NULL");
    Range::from_binary(b"\x0a\0\0\0\0").expect_err("infinite and included");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_what_it_prints(lower in r#"[a"\\()\[\], ]{0,4}|\PC*"#, upper in r#"[a"\\()\[\], ]{0,4}|\PC*"#) {
        for range in [
            Range::Bounds(Bound::Included(Cow::from(&lower)), Bound::Excluded(Cow::from(&upper))),
            Range::Bounds(Bound::Unbounded, Bound::Included(Cow::from(&upper))),
            Range::Bounds(Bound::Excluded(Cow::from(&lower)), Bound::Unbounded),
        ] {
            let printed = range.to_string();
            prop_assert_eq!(&Range::from_text(&printed).unwrap(), &range);
        }
    }

    #[test]
    fn takes_anything(text in r#"[\[({][a,"\\()\[\]{}]{0,12}|\PC*"#, bytes in vec(prop_oneof![0_u8..3, any::<u8>()], 0..40)) {
        if let Ok(range) = Range::from_text(&text) {
            let printed = range.to_string();
            prop_assert_eq!(Range::from_text(&printed).unwrap(), range);
        }
        if let Ok(multirange) = Multirange::from_text(&text) {
            let printed = multirange.to_string();
            prop_assert_eq!(Multirange::from_text(&printed).unwrap(), multirange);
        }
        if let Ok(range) = Range::from_binary(&bytes) {
            prop_assert_eq!(written(|out| range.write_binary(out)), bytes.clone());
        }
        if let Ok(multirange) = Multirange::from_binary(&bytes) {
            prop_assert_eq!(written(|out| multirange.write_binary(out)), bytes);
        }
    }
}
