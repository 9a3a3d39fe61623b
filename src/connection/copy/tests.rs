use proptest::prelude::*;
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::connection::connected;
use crate::connection::peer::{Peer, error, message};

const COUNT: &[u8] = b"COPY 2\0";

fn ready() -> Vec<u8> {
    message(b'Z', b"T")
}

/// What a server says before and behind a copy's data.
fn copy_out(data: &[u8]) -> Vec<u8> {
    let end = [message(b'c', b""), message(b'C', COUNT), ready()].concat();
    [message(b'H', &[0, 0, 0]), data.to_vec(), end].concat()
}

fn copy_in() -> Vec<u8> {
    message(b'G', &[0, 0, 0])
}

/// The target's end is said once all data has gone.
async fn splice(source: &[u8], target_end: &[u8]) -> (Result<Counts, Failure>, Peer) {
    let ((mut from, mut from_peer), (mut into, mut into_peer)) = (connected(), connected());
    from_peer.say(source).await;
    into_peer.say(&copy_in()).await;
    tokio::io::AsyncWriteExt::shutdown(&mut from_peer.0).await.unwrap();
    let copied = async {
        let mut splice = Splice::begin(&mut from, "out", &mut into, "in").await?;
        while splice.pass().await?.is_some() {}
        into_peer.say(target_end).await;
        splice.finish().await
    };
    let copied = copied.await;
    drop(into);
    (copied, into_peer)
}

#[tokio::test]
async fn what_comes_is_what_goes() {
    let data = [message(b'd', b"1\tnull\n"), message(b'N', b"SNOTICE\0\0"), message(b'd', b"2\t\\N\n")];
    let answer = [message(b'C', COUNT), ready()].concat();
    let (copied, mut peer) = splice(&copy_out(&data.concat()), &answer).await;
    assert_eq!(copied.unwrap(), Counts { sent: 2, taken: 2 });
    assert_eq!(peer.hear().await, (b'Q', b"in\0".to_vec()));
    assert_eq!(peer.hear().await, (b'd', b"1\tnull\n".to_vec()));
    assert_eq!(peer.hear().await, (b'd', b"2\t\\N\n".to_vec()));
    assert_eq!(peer.hear().await, (b'c', vec![]));
    assert!(peer.heard_all().await);
}

#[tokio::test]
async fn a_source_that_fails_is_never_taken_for_one_that_is_done() {
    let part = message(b'd', b"1\tnull\n");
    let said = [message(b'H', &[0, 0, 0]), part.clone(), error("57014", "cancelled")].concat();
    let lost = [message(b'H', &[0, 0, 0]), part.clone(), part[..8].to_vec()].concat();
    let refused = error("42P01", "no such table");
    for source in [said, lost, refused] {
        let (copied, mut peer) = splice(&source, &[]).await;
        assert!(matches!(copied, Err((Side::Source, _))), "{copied:?}");
        let mut heard = Vec::new();
        peer.0.read_to_end(&mut heard).await.unwrap();
        assert!(!heard.windows(5).any(|bytes| bytes == b"c\0\0\0\x04"), "no CopyDone: {heard:?}");
    }
}

#[tokio::test]
async fn a_target_that_objects_is_heard_and_its_words_hold_no_value() {
    let objection = error("22P02", "invalid input syntax for type integer: \"secret\"");
    let source = [message(b'H', &[0, 0, 0]), message(b'd', &vec![0; 3_000_000])].concat();
    let ((mut from, mut from_peer), (mut into, mut into_peer)) = (connected(), connected());
    into_peer.say(&[copy_in(), objection].concat()).await;
    // More than a pipe holds: the target reads nothing of it.
    let feed = tokio::spawn(async move {
        from_peer.say(&source).await;
        from_peer
    });
    let mut splice = Splice::begin(&mut from, "out", &mut into, "in").await.unwrap();
    let objected = loop {
        match splice.pass().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    let Err((Side::Target, error)) = objected else { panic!("{objected:?}") };
    assert_eq!(error.sqlstate(), Some("22P02"));
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(matches!(into.simple_query("SELECT 1").await, Err(Error::Unusable { .. })));
    feed.abort();
}

#[tokio::test(start_paused = true)]
async fn while_the_target_takes_nothing_the_source_is_read_ahead_to_a_bound() {
    const PIPE: usize = 1 << 20;
    let row = message(b'd', &[7; 995]);
    let rows = row.repeat(4 * PIPE / row.len());
    let ((mut from, mut from_peer), (mut into, mut into_peer)) = (connected(), connected());
    into_peer.say(&copy_in()).await;
    from_peer.say(&message(b'H', &[0, 0, 0])).await;
    let mut splice = Splice::begin(&mut from, "out", &mut into, "in").await.unwrap();
    let mut said = 0;
    let stuck = tokio::time::timeout(std::time::Duration::from_millis(200), async {
        let say = async {
            for some in rows.chunks(10_000) {
                from_peer.say(some).await;
                said += some.len();
            }
        };
        let pass = async { while splice.pass().await.unwrap().is_some() {} };
        tokio::join!(say, pass)
    });
    assert!(stuck.await.is_err());
    let ahead = said - 2 * PIPE;
    assert!((AHEAD - 10_000..AHEAD + 100_000).contains(&ahead), "{ahead}");
}

#[test]
fn refuses_a_length_that_no_server_sends() {
    for length in [0u32, 3, 0x4000_0004, u32::MAX] {
        let bytes = [&[COPY_DATA][..], &length.to_be_bytes(), b"data"].concat();
        assert!(Frames::default().run(&bytes).is_err(), "{length}");
    }
}

proptest! {
    /// Whatever the reads cut the bytes into, what passes is what was sent up to the first other message.
    #[test]
    fn however_it_is_cut_the_same_bytes_pass(
        rows in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        cuts in prop::collection::vec(1..50usize, 1..60),
    ) {
        let sent: Vec<u8> = rows.iter().flat_map(|row| message(b'd', row)).collect();
        let bytes = [sent.clone(), message(b'c', b"")].concat();
        let (mut frames, mut buffer, mut passed) = (Frames::default(), Vec::new(), Vec::new());
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            let (next, behind) = rest.split_at((*cut).min(rest.len()));
            rest = behind;
            buffer.extend_from_slice(next);
            let run = frames.run(&buffer).unwrap();
            passed.extend(buffer.drain(..run));
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(passed, sent);
        prop_assert!(frames.ends_before(&buffer));
        prop_assert_eq!(buffer, message(b'c', b""));
    }
}
