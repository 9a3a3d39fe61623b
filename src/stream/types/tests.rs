//! When the types are read again, and that nothing suffers while they are.

use std::future::pending;

use tokio::net::UnixListener;
use tokio::sync::oneshot;

use super::super::tests::*;
use super::*;
use crate::event::{Change, Event};
use crate::pgoutput::Column;
use crate::pgoutput::tests::relation;
use crate::value::{Type, TypeField};
use crate::{Lsn, Row};

const MOOD: u32 = 16_400;

fn kinds(kinds: impl IntoIterator<Item = (u32, TypeKind)>) -> Types {
    let named = |(oid, kind)| Type { oid: Oid::new(oid), schema: "public".into(), name: "mood".into(), kind };
    kinds.into_iter().map(named).collect()
}

fn mood() -> Types {
    kinds([(MOOD, TypeKind::Enum { labels: vec!["x".into()] })])
}

/// The table of every test, with one column of this type.
fn table(type_oid: u32) -> Relation {
    let columns = relation(1).columns.into_iter();
    let columns = columns.map(|column| Column { type_oid: Oid::new(type_oid), ..column }).collect();
    Relation { columns, ..relation(1) }
}

fn announced(oid: u32, schema: &str, name: &str) -> pgoutput::Type {
    pgoutput::Type { id: Oid::new(oid), schema: schema.into(), name: name.into() }
}

#[test]
fn a_new_table_is_news_only_if_something_in_its_types_is_unknown() {
    let (watch, oid) = (TypeWatch::default(), Oid::new);
    let field = |name: &str, type_oid| TypeField { name: name.into(), type_oid: oid(type_oid) };
    let fields = vec![field("self", 16_404), field("array", 16_401)];
    let of_mood = kinds([
        (16_401, TypeKind::Array { element: oid(MOOD), delimiter: ',' }),
        (16_402, TypeKind::Domain { base: oid(16_401) }),
        (16_403, TypeKind::Range { subtype: oid(16_402) }),
        (16_404, TypeKind::Composite { fields }),
        (16_405, TypeKind::Multirange { range: oid(16_403) }),
    ]);
    let mut all = of_mood.clone();
    mood().inserted().for_each(|mood| drop(all.insert(mood.clone())));
    for type_oid in 16_400..=16_405 {
        assert!(watch.is_news(&table(type_oid), None, &of_mood), "{type_oid}");
        assert!(!watch.is_news(&table(type_oid), None, &all), "{type_oid}");
    }
    for of_the_server in [25, 71, 13_000, 16_383] {
        assert!(!watch.is_news(&table(of_the_server), None, &of_mood), "{of_the_server}");
    }
}

#[test]
fn a_table_that_changed_is_news_if_it_uses_a_type_of_users() {
    let mut watch = TypeWatch::default();
    let before = |type_oid| Relation { name: "before".into(), ..table(type_oid) };
    assert!(watch.is_news(&table(MOOD), Some(&before(MOOD)), &mood()));
    assert!(!watch.is_news(&table(MOOD), Some(&table(MOOD)), &mood()), "the same again");
    assert!(
        !watch.is_news(&table(MOOD), Some(&table(MOOD)), &Types::new()),
        "it will not be there now either"
    );
    assert!(!watch.is_news(&table(25), Some(&before(25)), &mood()));
    watch.outdated = true;
    assert!(watch.is_news(&table(MOOD), Some(&table(MOOD)), &mood()));
    assert!(!watch.is_news(&table(25), None, &mood()));
}

#[test]
fn a_type_by_another_name_is_news_once() {
    let mut types = mood();
    let base = Oid::new(MOOD);
    let kind = TypeKind::Domain { base };
    types.insert(Type { oid: Oid::new(16_401), schema: "other".into(), name: "domain".into(), kind });
    let outdated = |announcements: &[pgoutput::Type]| {
        let mut watch = TypeWatch::default();
        announcements
            .iter()
            .map(|announced| {
                watch.note_type(announced, &types);
                std::mem::take(&mut watch.outdated)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(outdated(&[announced(MOOD, "public", "mood"), announced(MOOD, "public", "mood")]), [false; 2]);
    assert_eq!(
        outdated(&[announced(16_401, "public", "mood")]),
        [false],
        "a domain has the name of its base"
    );
    assert_eq!(outdated(&[announced(MOOD, "public", "m"), announced(MOOD, "public", "m")]), [true, false]);
    assert_eq!(outdated(&[announced(MOOD, "p", "mood"), announced(MOOD, "q", "mood")]), [true, true]);
    assert_eq!(outdated(&[announced(16_402, "public", "mood")]), [true], "it is unknown");
}

/// A stream that reads types until it is given some.
async fn reading() -> (ReplicationStream, Walsender, oneshot::Sender<Result<Types, Error>>) {
    let (mut stream, server) = streaming(options()).await;
    let (sender, receiver) = oneshot::channel();
    stream.types.loading = Some(Box::pin(async { receiver.await.expect("they are given") }));
    (stream, server, sender)
}

fn transaction_of_mood(commit_lsn: u64) -> [Message; 4] {
    [begin(commit_lsn), Message::Relation(None, table(MOOD)), insert("x"), commit(commit_lsn)]
}

async fn next_row(stream: &mut ReplicationStream) -> Row {
    loop {
        if let Event::Change(Change::Insert { new }) = event(stream).await {
            return new;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn while_types_are_read_the_server_is_answered_and_nothing_is_lost() {
    let (mut stream, mut server, sender) = reading().await;
    server.send(transaction_of_mood(0x100)).await;
    for round in 0..6 {
        // The one and the other, each dropped before its end.
        server.say(&keepalive(0x100, true)).await;
        idle(&mut stream, round % 2 == 0, SECOND).await;
        let status = server.status_within(SECOND / 10).await;
        assert!(status.is_some_and(|status| status.flushed == Lsn::ZERO), "round {round}");
    }
    server.send(transaction_of_mood(0x200)).await;
    sender.send(Ok(mood())).unwrap();
    for _ in 0..2 {
        let row = next_row(&mut stream).await;
        assert_eq!(**row.types(), mood());
        assert!(Arc::ptr_eq(row.types(), stream.context().catalog.types()));
    }
    assert_eq!(committed(&mut stream).await.1.commit_lsn(), Lsn::new(0x200));
}

#[tokio::test(start_paused = true)]
async fn keep_alive_goes_on_reading_types() {
    let (mut stream, mut server, sender) = reading().await;
    server.send(transaction_of_mood(0x100)).await;
    sender.send(Ok(mood())).unwrap();
    idle(&mut stream, true, SECOND).await;
    assert!(stream.types.loading.is_none());
    assert_eq!(**next_row(&mut stream).await.types(), mood());
}

#[tokio::test(start_paused = true)]
async fn what_ends_the_stream_meanwhile_comes_behind_what_was_received() {
    let (mut stream, mut server, sender) = reading().await;
    server.send(transaction_of_mood(0x100)).await;
    server.hang_up().await;
    idle(&mut stream, false, MINUTE).await;
    sender.send(Ok(mood())).unwrap();
    assert_eq!(committed(&mut stream).await.0, 1);
    assert!(matches!(failure(&mut stream, false).await, Error::Closed { .. }));
}

#[tokio::test(start_paused = true)]
async fn what_is_read_ahead_meanwhile_is_bounded() {
    const CHANGES: usize = 4000;
    let (mut stream, server, sender) = reading().await;
    let (from_client, mut to_client) = tokio::io::split(server.peer.0);
    let sending = tokio::spawn(async move {
        let changes = (0..CHANGES).map(|nth| insert(&format!("{nth:01024}")));
        for message in [begin(0x100), announce()].into_iter().chain(changes).chain([commit(0x100)]) {
            tokio::io::AsyncWriteExt::write_all(&mut to_client, &data(&message)).await.unwrap();
        }
        to_client
    });
    idle(&mut stream, false, MINUTE).await;
    let bound = super::super::READ_AHEAD;
    assert!((bound - 2048..=bound).contains(&stream.held_bytes), "{}", stream.held_bytes);
    sender.send(Ok(mood())).unwrap();
    assert_eq!(committed(&mut stream).await.0, CHANGES);
    drop((sending.await.unwrap(), from_client));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_holds_the_rows_up_for_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
    let home: Config = format!("host={} user=u", folder.path().display()).parse().unwrap();
    let (mut stream, mut server) = streaming_from(home, options()).await;
    let start = tokio::time::Instant::now();
    server.send(transaction_of_mood(0x100)).await;
    server.say(&keepalive(0x100, true)).await;
    let accepting = tokio::spawn(async move {
        let _connection = listener.accept().await.unwrap();
        pending::<()>().await;
    });
    assert_eq!(**next_row(&mut stream).await.types(), Types::new(), "those that are known stay");
    assert_eq!(start.elapsed(), 10 * SECOND);
    assert!(server.status_within(SECOND).await.is_some());
    assert!(stream.types.outdated, "the next announcement is another occasion");
    accepting.abort();
}
