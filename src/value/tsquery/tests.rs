use proptest::collection::vec;
use proptest::prelude::*;

use super::super::checks::{binary, keeps_bytes, keeps_text, takes_bytes};
use super::*;

#[test]
fn prints_and_writes_what_it_read() {
    for text in [
        "",
        "'a'",
        "!'a'",
        "!!'a'",
        "'a' & 'b' & 'c'",
        "'a' | 'b' & !'c'",
        "( 'a' | 'b' ) & 'c'",
        "!( 'a' | 'b' ) <-> ( 'c' <3> 'd' )",
        "( 'a' & 'b' ) <-> 'c'",
        "!( !'a' & 'b' )",
        "'a' <0> 'b' <16384> 'c'",
        r"'it''s\\x':*AD | 'b':ABCD | 'c':* | '':D",
    ] {
        keeps_text::<TsQuery<'_>>(text);
        let bytes = binary(&TsQuery::from_text(text).unwrap());
        keeps_bytes::<TsQuery<'_>>(&bytes);
        assert_eq!(TsQuery::from_binary(&bytes).unwrap().to_string(), text);
    }
}

#[test]
fn keeps_in_binary_what_text_cannot_say() {
    // 'a' & ( 'b' & 'c' ), as a server sends it.
    let sent = b"\0\0\0\x05\x02\x02\x02\x02\x01\0\0c\0\x01\0\0b\0\x01\0\0a\0";
    keeps_bytes::<TsQuery<'_>>(sent);
    assert_eq!(TsQuery::from_binary(sent).unwrap().to_string(), "'a' & 'b' & 'c'");
    // !a <3> b, as a server sends it.
    let sent = b"\0\0\0\x04\x02\x04\0\x03\x01\0\0b\0\x02\x01\x01\0\0a\0";
    assert_eq!(binary(&TsQuery::from_text("!'a' <3> 'b'").unwrap()), sent);
}

#[test]
fn refuses_what_tsqueryout_never_prints() {
    for text in [
        " ",
        "a",
        "'a",
        "'a' ",
        "'a'&'b'",
        "'a' & ",
        " & 'a'",
        "'a' 'b'",
        "( 'a'",
        "'a' )",
        "('a')",
        "!",
        "'a':",
        "'a':BA",
        "'a':A*",
        "'a' <1> 'b'",
        "'a' <-1> 'b'",
        "'a' <16385> 'b'",
        "'a' <> 'b'",
        "'a' ! 'b'",
    ] {
        TsQuery::from_text(text).expect_err(text);
    }
}

#[test]
fn is_its_operands_and_operators() {
    let query = TsQuery::from_text("'a' & !'b'").unwrap();
    let count = |is: fn(&QueryItem<'_>) -> bool| query.items().iter().filter(|item| is(item)).count();
    assert_eq!(count(|item| matches!(item, QueryItem::Operand { .. })), 2);
    assert_eq!(count(|item| matches!(item, QueryItem::Not)), 1);
    assert_eq!(count(|item| matches!(item, QueryItem::And)), 1);
}

#[test]
fn refuses_operators_without_their_operands() {
    let a = || QueryItem::Operand { lexeme: "a".into(), weights: 0, is_prefix: false };
    for items in [vec![QueryItem::Not], vec![QueryItem::And, a()], vec![a(), a()], vec![a(), QueryItem::Not]]
    {
        TsQuery::new(items).unwrap_err();
    }
    TsQuery::from_binary(b"\0\0\0\x01\x03a").expect_err("neither operand nor operator");
    TsQuery::from_binary(b"\0\0\0\x01\x01\x10\0a\0").expect_err("a fifth weight");
    TsQuery::from_binary(b"\0\0\0\x01\x01\0\x02a\0").expect_err("neither prefix nor not");
}

#[test]
fn deep_queries_take_no_stack() {
    let chain = vec!["'a'"; 100_000].join(" & ");
    keeps_text::<TsQuery<'_>>(&chain);
    keeps_text::<TsQuery<'_>>(&format!("{}'a'", "!".repeat(100_000)));
    let nested = format!("{}'c' <-> 'b'{}", "'a' <-> ( ".repeat(10_000), " )".repeat(10_000));
    keeps_text::<TsQuery<'_>>(&nested);
}

/// Any query, built as the binary form has it.
fn queries() -> impl Strategy<Value = Vec<QueryItem<'static>>> {
    let operand = (r"[a'\\ :]{0,3}", 0_u8..16, any::<bool>()).prop_map(|(lexeme, weights, is_prefix)| {
        vec![QueryItem::Operand { lexeme: lexeme.into(), weights, is_prefix }]
    });
    operand.prop_recursive(6, 40, 2, |inner| {
        let operator = prop_oneof![
            Just(QueryItem::And),
            Just(QueryItem::Or),
            (0_u16..=MAX_DISTANCE).prop_map(QueryItem::Phrase),
            Just(QueryItem::Phrase(1)),
        ];
        prop_oneof![
            inner.clone().prop_map(|operand| [vec![QueryItem::Not], operand].concat()),
            (operator, inner.clone(), inner).prop_map(|(operator, right, left)| [
                vec![operator],
                right,
                left
            ]
            .concat()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_what_it_prints_and_writes(items in queries()) {
        let query = TsQuery::new(items).unwrap();
        let bytes = binary(&query);
        prop_assert_eq!(&TsQuery::from_binary(&bytes).unwrap(), &query);
        let text = query.to_string();
        prop_assert_eq!(TsQuery::from_text(&text).unwrap().to_string(), text);
    }

    #[test]
    fn takes_anything(text in r"('a'|!|\( | \)| & | \| | <-> | <2> |[':*A-D ]){0,12}|\PC*", bytes in vec(0_u8..5, 0..40)) {
        if let Ok(query) = TsQuery::from_text(&text) {
            let printed = query.to_string();
            prop_assert_eq!(TsQuery::from_text(&printed).unwrap().to_string(), printed);
        }
        takes_bytes::<TsQuery<'_>>(&bytes)?;
    }
}
