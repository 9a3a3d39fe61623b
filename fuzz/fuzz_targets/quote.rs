//! Any text and bytes: what is quoted is read back as what it was, whatever the server's settings.

#![no_main]

use libfuzzer_sys::fuzz_target;
use walferry::quote;
use walferry_fuzz::unquote;

fuzz_target!(|input: &[u8]| {
    let quoted = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        out
    };
    let literal = quoted(&|out| quote::literal(out, input));
    let bytea = quoted(&|out| quote::bytea_literal(out, input));
    for standard in [true, false] {
        assert_eq!(unquote::literal(&literal, standard).as_deref(), Some(input));
        let value = unquote::literal(&bytea, standard).and_then(|text| unquote::bytea(&text));
        assert_eq!(value.as_deref(), Some(input));
    }
    // Text stays text: a script in UTF-8 must be UTF-8 whatever is in it.
    assert!(std::str::from_utf8(&literal).is_ok());
    let field = quoted(&|out| quote::copy_text(out, Some(input)));
    assert_eq!(unquote::copy_field(&field), Some(Some(input.to_vec())));
    assert_eq!(unquote::copy_field(&quoted(&|out| quote::copy_text(out, None))), Some(None));

    let Ok(text) = std::str::from_utf8(input) else { return };
    let identifier = quoted(&|out| quote::identifier(out, text));
    assert_eq!(unquote::identifier(&identifier), Some((input.to_vec(), &[][..])));
    assert_eq!(quote::replication_identifier(text).as_bytes(), identifier);
    assert_eq!(unquote::literal(quote::replication_literal(text).as_bytes(), true).as_deref(), Some(input));
    let names: Vec<_> = text.split('\0').collect();
    let list = unquote::literal(quote::publication_names(names.iter().copied()).as_bytes(), true);
    let expected: Vec<_> = names.iter().map(|name| name.as_bytes().to_vec()).collect();
    assert_eq!(list.and_then(|list| unquote::identifiers(&list)), Some(expected));
});
