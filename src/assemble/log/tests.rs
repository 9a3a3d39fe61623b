use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::pgoutput::tests::logical_message;
use crate::pgoutput::{LogicalMessage, Message};

fn message(content: Vec<u8>) -> Message {
    Message::Message(LogicalMessage { content: content.into(), ..logical_message(None) })
}

fn read(messages: &mut Messages) -> io::Result<Vec<Bytes>> {
    std::iter::from_fn(|| messages.next().transpose()).collect()
}

fn room_for_all(log: &Log) -> usize {
    log.chunks.iter().map(BytesMut::capacity).sum()
}

#[derive(Debug, Clone)]
enum Step {
    /// So many bytes, each of them this one.
    Append(usize, u8),
    Spill,
    /// To where one of the messages begins, or behind the last.
    Truncate(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![20 => 0..300_usize, 1 => 0..CHUNK + 2, 1 => CHUNK - 100..CHUNK];
    prop_oneof![
        12 => (size, any::<u8>()).prop_map(|(size, byte)| Step::Append(size, byte)),
        2 => Just(Step::Spill),
        3 => any::<prop::sample::Index>().prop_map(Step::Truncate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_appended_spilled_and_cut_off_reads_as_a_list_would(steps in vec(step(), 0..60)) {
        let (mut log, mut model, mut files) = (Log::default(), Vec::<(u64, Bytes)>::new(), 0);
        for step in steps {
            match step {
                Step::Append(size, byte) => {
                    let message = message(vec![byte; size]);
                    model.push((log.len(), message.encode()));
                    log.append(&message).unwrap();
                }
                Step::Spill => {
                    log.spill(&mut || { files += 1; tempfile::tempfile() }).unwrap();
                    prop_assert_eq!(log.memory(), 0);
                }
                Step::Truncate(index) => {
                    let keep = index.index(model.len() + 1);
                    log.truncate(model.get(keep).map_or(log.len(), |(position, _)| *position)).unwrap();
                    model.truncate(keep);
                }
            }
            let bytes: usize = model.iter().map(|(_, payload)| LENGTH + payload.len()).sum();
            prop_assert_eq!(log.len(), bytes as u64);
            prop_assert_eq!(log.memory(), room_for_all(&log));
            prop_assert!(log.memory() >= log.held);
            prop_assert!(log.chunks.iter().all(|chunk| !chunk.is_empty()), "whatever is empty is given back");
        }
        prop_assert!(files <= 1, "one file serves all: {}", files);
        let found = read(&mut log.into_messages().unwrap()).unwrap();
        prop_assert_eq!(found, model.into_iter().map(|(_, payload)| payload).collect::<Vec<_>>());
    }
}

#[test]
fn a_small_log_takes_little_and_a_large_one_grows_by_pieces() {
    let mut log = Log::default();
    assert_eq!(log.memory(), 0);
    log.append(&message(vec![0; 10])).unwrap();
    assert_eq!(log.memory(), FIRST_CHUNK);
    for number in 0..10_000 {
        log.append(&message(vec![0; number % 2000])).unwrap();
    }
    assert!(log.memory() < log.held * 102 / 100 + CHUNK, "{} for {}", log.memory(), log.held);
    assert!(log.chunks.iter().all(|chunk| chunk.capacity() <= CHUNK));
}

/// A log of two messages, all of it in a file; and another handle on that file.
fn spilled() -> (Log, File) {
    let (mut log, file) = (Log::default(), tempfile::tempfile().unwrap());
    log.append(&message(b"first".to_vec())).unwrap();
    log.append(&message(b"second".to_vec())).unwrap();
    log.spill(&mut || file.try_clone()).unwrap();
    (log, file)
}

#[test]
fn a_file_that_does_not_open_is_an_error() {
    let mut log = Log::default();
    log.append(&message(Vec::new())).unwrap();
    let denied = log.spill(&mut || Err(io::ErrorKind::PermissionDenied.into())).unwrap_err();
    assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn a_disk_that_is_full_is_an_error() {
    let mut log = Log::default();
    log.append(&message(Vec::new())).unwrap();
    let full = log.spill(&mut || File::options().write(true).open("/dev/full")).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_file_that_lost_its_end_is_an_error() {
    for lost in [1, 15] {
        let (log, file) = spilled();
        file.set_len(log.spilled - lost).unwrap();
        let cut = log.into_messages().unwrap().next().unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn a_length_that_leads_out_of_the_file_is_an_error() {
    for length in [u32::MAX, 1000] {
        let (log, mut file) = spilled();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(&length.to_be_bytes()).unwrap();
        let damaged = log.into_messages().unwrap().next().unwrap_err();
        assert_eq!(damaged.kind(), io::ErrorKind::InvalidData);
    }
}
