//! The file follows the target.

use super::*;
use crate::event::Event;
use crate::pgoutput::{Datum, ReplicaIdentity, Tuple};
use crate::sink::postgres::tests::{INT4, begin, column, commit, relation, row};
use crate::value::{Type, TypeKind};

fn progress(resume_lsn: u32) -> Fingerprint {
    let (database, slot) = ("d".to_owned(), "s".to_owned());
    Fingerprint { system_id: 7, timeline: 3, database, slot, resume_lsn: Lsn::new(resume_lsn.into()) }
}

fn ends(number: u32) -> (Begin, Commit) {
    match (begin(number, None), commit(number)) {
        (Event::Begin(begin), Event::Commit(commit)) => (begin, commit),
        other => panic!("{other:?}"),
    }
}

fn inserted() -> Change {
    inserted_of(b"1")
}

fn inserted_of(text: &[u8]) -> Change {
    let relation = relation(ReplicaIdentity::Default, vec![column("id", INT4, true)]);
    Change::Insert { new: row(&relation, &[Datum::Text(text)]) }
}

/// A transaction whose only change is left out, where the target stands there.
async fn leave_out(quarantine: &mut Quarantine, number: u32, at: u32) {
    let (begin, commit) = ends(number);
    quarantine.add(&begin, &inserted(), &progress(at)).await.unwrap();
    quarantine.seal(&commit).await.unwrap();
}

/// What the file holds: a word for each record; with its position, of a commit.
fn read(path: &Path) -> Vec<String> {
    let mut reader = Reader::new(BufReader::new(File::open(path).unwrap())).unwrap();
    let (mut decoder, mut words) = (Decoder::new(), Vec::new());
    while let Some(record) = reader.next_record().unwrap() {
        words.push(match record {
            Record::Context(Context { system_id, timeline, database, slot, .. }) => {
                decoder = Decoder::new();
                format!("{system_id}/{timeline}/{database}/{slot}")
            }
            Record::Types(_) => "types".to_owned(),
            Record::Frame { payload, .. } => {
                let Frame::XLogData(data) = Frame::decode(payload).unwrap() else { panic!("no data") };
                match decoder.decode(data.payload).unwrap() {
                    Message::Commit(commit) => u64::from(commit.end_lsn).to_string(),
                    Message::Type(_, of) => of.name,
                    message => {
                        let shown = format!("{message:?}");
                        shown.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
                    }
                }
            }
        });
    }
    words
}

fn commits(path: &Path) -> Vec<u32> {
    read(path).iter().filter_map(|word| word.parse().ok()).collect()
}

#[tokio::test]
async fn what_the_target_has_not_committed_is_cut_off() {
    for at in [5, 10, 15, 20, 25, 30, 35] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q");
        let mut quarantine = Quarantine::new(path.clone());
        quarantine.go_on(None).await.unwrap();
        assert!(!path.exists(), "nothing was left out yet");
        for number in [10, 20, 30] {
            leave_out(&mut quarantine, number, 5).await;
        }
        let mut again = Quarantine::new(path.clone());
        again.go_on(Some(&progress(at))).await.unwrap();
        let expected: Vec<u32> = [10, 20, 30].into_iter().filter(|end| *end <= at).collect();
        assert_eq!(commits(&path), expected, "the target is at {at}");
        leave_out(&mut again, 50, at).await;
        assert_eq!(commits(&path), [&expected[..], &[50]].concat(), "the target is at {at}");
        // Once more, behind what was cut.
        Quarantine::new(path.clone()).go_on(Some(&progress(at))).await.unwrap();
        assert_eq!(commits(&path), expected, "the target is at {at}");
    }
}

/// The last transaction stands before the point from which the file is read.
#[tokio::test]
async fn what_is_before_a_resume_point_stays_when_nothing_is_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q");
    let mut quarantine = Quarantine::new(path.clone());
    let (begin, commit) = ends(10);
    quarantine.add(&begin, &inserted_of(&vec![b'1'; 2 << 20]), &progress(5)).await.unwrap();
    quarantine.seal(&commit).await.unwrap();
    let len = std::fs::metadata(&path).unwrap().len();
    let mut reader = Reader::new(File::open(&path).unwrap()).unwrap();
    assert_eq!(reader.seek(Lsn::new(10)).unwrap(), Lsn::new(10), "there is such a point");
    for at in [10, 15] {
        Quarantine::new(path.clone()).go_on(Some(&progress(at))).await.unwrap();
        assert_eq!(commits(&path), [10]);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), len);
    }
}

#[tokio::test]
async fn what_was_written_of_a_transaction_that_is_taken_back_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q");
    let mut quarantine = Quarantine::new(path.clone());
    leave_out(&mut quarantine, 10, 5).await;
    quarantine.add(&ends(20).0, &inserted(), &progress(10)).await.unwrap();
    quarantine.rollback();
    leave_out(&mut quarantine, 30, 10).await;
    assert_eq!(commits(&path), [10, 30]);
    assert_eq!(read(&path).iter().filter(|word| *word == "Insert").count(), 2);
}

#[tokio::test]
async fn a_file_of_another_stream_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q");
    leave_out(&mut Quarantine::new(path.clone()), 10, 5).await;
    let here = progress(20);
    let others = [
        None,
        Some(Fingerprint { system_id: 8, ..here.clone() }),
        Some(Fingerprint { database: "e".to_owned(), ..here.clone() }),
        Some(Fingerprint { slot: "t".to_owned(), ..here.clone() }),
    ];
    for other in others {
        let mut quarantine = Quarantine::new(path.clone());
        let error = quarantine.go_on(other.as_ref()).await.unwrap_err();
        assert!(matches!(error.kind(), ApplyErrorKind::OtherQuarantine { path: named } if *named == path));
        if let Some(other) = other {
            let error = quarantine.add(&ends(30).0, &inserted(), &other).await.unwrap_err();
            assert!(matches!(error.kind(), ApplyErrorKind::OtherQuarantine { .. }));
        }
    }
    // Another timeline is the same stream, behind a failover.
    Quarantine::new(path.clone()).go_on(Some(&Fingerprint { timeline: 4, ..here })).await.unwrap();
    assert_eq!(commits(&path), [10]);
}

#[tokio::test]
async fn the_file_says_once_what_its_rows_are_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q");
    let mut types = Types::new();
    let (oid, kind) = (Oid::new(16_500), TypeKind::Enum { labels: vec!["ok".to_owned()] });
    types.insert(Type { oid, schema: "public".into(), name: "mood".into(), kind });
    let types = Arc::new(types);
    let columns = vec![column("id", INT4, true), column("m", 16_500, false)];
    let relation = relation(ReplicaIdentity::Default, columns);
    let row = || {
        let tuple = Tuple::from_datums([Datum::Text(b"1"), Datum::Text(b"ok")]);
        Row::with_types(Arc::clone(&relation), Arc::clone(&types), tuple).unwrap()
    };
    let changes = [
        Change::Insert { new: row() },
        Change::Update { old: None, new: row() },
        Change::Truncate { relations: vec![Arc::clone(&relation)], cascade: false, restart_identity: false },
        Change::Delete { old: OldRow::Full(row()) },
    ];
    let mut quarantine = Quarantine::new(path.clone());
    for number in [10, 20] {
        let (begin, commit) = ends(number);
        for change in &changes {
            quarantine.add(&begin, change, &progress(5)).await.unwrap();
        }
        quarantine.seal(&commit).await.unwrap();
        quarantine.seal(&commit).await.unwrap();
    }
    let first =
        ["7/3/d/s quarantine", "Begin", "types", "mood", "Relation", "Insert", "Update", "Delete", "10"];
    let second = ["Begin", "Insert", "Update", "Delete", "20"];
    assert_eq!(read(&path), [&first[..], &second].concat());
}

#[test]
fn the_folder_of_the_file_is_that_which_is_made_durable() {
    assert!(sync_folder(Path::new("file")).is_ok(), "this one");
    assert!(sync_folder(Path::new("/nonexistent/file")).is_err());
}
