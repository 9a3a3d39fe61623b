use super::*;

fn framed(tag: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 4).unwrap();
    [&[tag][..], &length.to_be_bytes(), payload].concat()
}

fn decode(bytes: &[u8]) -> Result<Option<BackendMessage>, WireError> {
    Codec::new().decode(&mut BytesMut::from(bytes))
}

fn names(mut codec: Codec, bytes: &[u8], split: usize) -> Vec<&'static str> {
    let mut buffer = BytesMut::new();
    let mut names = Vec::new();
    for part in [&bytes[..split], &bytes[split..]] {
        buffer.extend_from_slice(part);
        while let Some(message) = codec.decode(&mut buffer).unwrap() {
            names.push(message.name());
        }
    }
    assert!(buffer.is_empty());
    names
}

#[test]
fn reads_the_same_messages_however_the_bytes_are_split() {
    let bytes = [
        framed(b'W', &[0, 0, 0]),
        framed(b'd', b"kpayload"),
        framed(b'N', b"SNOTICE\0\0"),
        framed(b'd', b""),
        framed(b'S', b"TimeZone\0UTC\0"),
        framed(b'c', b""),
        framed(b'v', &[0, 0, 0, 0, 0, 0, 0, 1, b'x', 0]),
        framed(b'Z', b"I"),
    ]
    .concat();
    let expected = [
        "CopyBothResponse",
        "CopyData",
        "NoticeResponse",
        "CopyData",
        "ParameterStatus",
        "CopyDone",
        "NegotiateProtocolVersion",
        "ReadyForQuery",
    ];
    for split in 0..=bytes.len() {
        assert_eq!(names(Codec::new(), &bytes, split), expected, "split at {split}");
    }
}

#[test]
fn lends_copy_data_from_the_read_buffer() {
    let mut buffer = BytesMut::from(&framed(b'd', b"payload")[..]);
    let there = buffer.as_ptr().wrapping_add(HEADER);
    let Ok(Some(BackendMessage::CopyData(payload))) = Codec::new().decode(&mut buffer) else { panic!() };
    assert_eq!(&payload[..], b"payload");
    assert_eq!(payload.as_ptr(), there);
}

#[test]
fn refuses_every_tag_without_a_meaning() {
    const KNOWN: &[u8] = b"123ACDEGHIKNRSTWZcdnstv";
    for tag in 0..=u8::MAX {
        let refused = decode(&framed(tag, b"")).is_err();
        if !KNOWN.contains(&tag) {
            assert!(refused, "{}", tag.escape_ascii());
        }
    }
}

#[test]
fn refuses_lengths_that_no_message_has() {
    for length in [-1, i32::MIN, 0, 1, 2, 3, i32::MAX, 64 * 1024 + 1] {
        for tag in [b'd', b'R', b'E', b'W', b'?'] {
            let bytes = [&[tag][..], &length.to_be_bytes()].concat();
            assert!(decode(&bytes).is_err(), "{length} for {}", tag.escape_ascii());
        }
    }
}

#[test]
fn allows_long_messages_only_after_authentication() {
    let length = 0x3FFF_FFFF_u32 + 4;
    let bytes = [&b"d"[..], &length.to_be_bytes()].concat();
    let mut codec = Codec::new();
    assert!(codec.decode(&mut BytesMut::from(&bytes[..])).is_err());
    codec.authenticated();
    let mut buffer = BytesMut::from(&bytes[..]);
    assert!(codec.decode(&mut buffer).unwrap().is_none());
    assert!(buffer.capacity() <= 2 * GULP, "allocated {} from a claim", buffer.capacity());
    let longer = [&b"d"[..], &(length + 1).to_be_bytes()].concat();
    assert!(codec.decode(&mut BytesMut::from(&longer[..])).is_err());
}

#[test]
fn refuses_a_copy_both_response_of_another_layout() {
    for payload in [&b""[..], &[0], &[0, 0], &[0, 0, 1], &[0, 0, 1, 0], &[0, 0, 0, 0]] {
        assert!(decode(&framed(b'W', payload)).is_err(), "{payload:?}");
    }
    assert!(decode(&framed(b'W', &[0, 0, 1, 0, 0])).unwrap().is_some());
}

#[test]
fn refuses_a_negotiation_that_miscounts() {
    for payload in [&[0; 4][..], &[0, 0, 0, 0, 0, 0, 0, 1], &[0, 0, 0, 0, 0, 0, 0, 1, b'x'], &[0; 9]] {
        assert!(decode(&framed(b'v', payload)).is_err(), "{payload:?}");
    }
}

#[test]
fn writes_what_the_server_reads() {
    let mut buffer = BytesMut::new();
    for message in [FrontendMessage::CopyData(b"r"), FrontendMessage::CopyDone, FrontendMessage::Terminate] {
        Codec::new().encode(message, &mut buffer).unwrap();
    }
    assert_eq!(&buffer[..], [framed(b'd', b"r"), framed(b'c', b""), framed(b'X', b"")].concat());
}

proptest::proptest! {
    #[test]
    fn survives_any_bytes_and_allocates_for_none_of_their_claims(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512),
        authenticated: bool,
    ) {
        let mut codec = Codec::new();
        if authenticated {
            codec.authenticated();
        }
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(message)) = codec.decode(&mut buffer) {
            let _ = message.name();
        }
        proptest::prop_assert!(buffer.capacity() <= 2 * GULP);
    }
}

#[test]
fn a_large_message_takes_its_memory_with_it() {
    let (large, small) = (framed(b'd', &vec![1; 3 * LARGE]), framed(b'd', b"small"));
    // Behind it: nothing, a part of a message, a message.
    for behind in [&[][..], &small[..2], &small] {
        let mut codec = Codec::new();
        codec.authenticated();
        let mut buffer = BytesMut::from(&[&large[..], behind].concat()[..]);
        let Ok(Some(BackendMessage::CopyData(payload))) = codec.decode(&mut buffer) else { panic!() };
        assert!(payload.is_unique() && buffer.capacity() < 2 * GULP);
        buffer.extend_from_slice(&small[behind.len() % small.len()..]);
        let Ok(Some(BackendMessage::CopyData(next))) = codec.decode(&mut buffer) else { panic!() };
        assert_eq!(&next[..], b"small");
    }
}

#[test]
fn a_buffer_that_grew_is_let_go_when_little_is_left_in_it() {
    // The large message stood between many: what is behind it is read from the same memory first.
    let mut codec = Codec::new();
    codec.authenticated();
    let small = framed(b'd', &vec![2; LARGE / 2]);
    let bytes = [framed(b'd', &vec![1; 3 * LARGE]), small.repeat(4), small[..10].to_vec()].concat();
    let mut buffer = BytesMut::from(&bytes[..]);
    let mut messages = 0;
    while codec.decode(&mut buffer).unwrap().is_some() {
        messages += 1;
    }
    assert_eq!((messages, &buffer[..]), (5, &small[..10]));
    assert!(buffer.capacity() < 2 * GULP);
}
