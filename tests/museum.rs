//! The museum of other systems' bugs, `src/guide/museum.md`: each room has a proof, and each proof is a test.
#![expect(clippy::expect_used, clippy::panic, reason = "a helper of a test fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const ROOMS: u32 = 31;

/// A test: the file, from the root, and the function.
type Test = (String, String);

/// Of each room, the tests that the page names.
fn proofs() -> BTreeMap<u32, Vec<Test>> {
    let mut proofs: BTreeMap<u32, Vec<Test>> = BTreeMap::new();
    let page = page();
    let (_, list) = page.split_once("# Proofs").expect("a list of proofs");
    for item in list.split("\n* ").skip(1) {
        let read = || {
            let (room, rest) = item.split_once(", `")?;
            let (file, names) = rest.split_once("`: ")?;
            Some((room.parse().ok()?, file, names.trim_end().strip_suffix('.')?))
        };
        let (room, file, names) = read().unwrap_or_else(|| panic!("a room, a file, and tests: {item}"));
        let names = names.split(';').map(|name| name.split_whitespace().collect::<Vec<_>>().join("_"));
        proofs.entry(room).or_default().extend(names.map(|name| (file.to_owned(), name)));
    }
    proofs
}

fn page() -> String {
    fs::read_to_string(Path::new(ROOT).join("src/guide/museum.md")).expect("the page")
}

/// All tests of this package.
fn tests() -> BTreeSet<Test> {
    let mut tests = BTreeSet::new();
    for folder in ["src", "tests"] {
        collect(Path::new(folder), &mut tests);
    }
    tests
}

fn collect(folder: &Path, tests: &mut BTreeSet<Test>) {
    for entry in fs::read_dir(Path::new(ROOT).join(folder)).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            collect(&path, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(entry.path()).expect("a source file");
            let file = path.to_str().expect("a plain name");
            tests.extend(functions(&text).map(|name| (file.to_owned(), name.to_owned())));
        }
    }
}

/// The functions behind `#[test]` or `#[tokio::test]`; comments and other attributes may stand in between.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            return name.filter(|_| std::mem::take(&mut is_test)).and_then(|name| name.split('(').next());
        }
        None
    })
}

/// The rooms whose number a test bears, and what it is called without it.
fn numbered(name: &str) -> Option<(std::ops::RangeInclusive<u32>, &str)> {
    let (first, name) = name.strip_prefix("museum_")?.split_once('_')?;
    let first = first.parse().ok()?;
    let range = name.strip_prefix("to_").and_then(|rest| rest.split_once('_'));
    Some(match range.and_then(|(last, name)| Some((last.parse().ok()?, name))) {
        Some((last, name)) => (first..=last, name),
        None => (first..=first, name),
    })
}

#[test]
fn every_room_has_a_row_and_a_proof() {
    let page = page();
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        let room: u32 = cells.next()?.parse().ok()?;
        assert!(cells.clone().count() == 2 && cells.all(|cell| cell.ends_with('.')), "{line}");
        Some(room)
    });
    let rooms: Vec<_> = (1..=ROOMS).collect();
    assert_eq!(rows.collect::<Vec<_>>(), rooms);
    assert_eq!(proofs().into_keys().collect::<Vec<_>>(), rooms);
}

#[test]
fn every_proof_is_a_test() {
    let mut known = BTreeSet::new();
    for (file, name) in tests() {
        if let Some((rooms, plain)) = numbered(&name) {
            known.extend(rooms.map(|room| (room, file.clone(), plain.to_owned())));
        } else {
            known.extend((1..=ROOMS).map(|room| (room, file.clone(), name.clone())));
        }
    }
    for (room, proofs) in proofs() {
        for (file, name) in proofs {
            let proof = (room, file, name);
            assert!(known.contains(&proof), "there is no such test: {proof:?}");
        }
    }
}

#[test]
fn every_test_with_the_number_of_a_room_is_a_proof() {
    let (proofs, mut found) = (proofs(), 0);
    for (file, name) in tests() {
        let Some((rooms, plain)) = numbered(&name) else { continue };
        for room in rooms {
            let named = proofs.get(&room).into_iter().flatten();
            let is_named = named.into_iter().any(|(at, proof)| (at, proof.as_str()) == (&file, plain));
            assert!(is_named, "src/guide/museum.md lacks a proof of room {room}: {file}, {name}");
            found += 1;
        }
    }
    assert!(found > 100, "tests were found: {found}");
}
