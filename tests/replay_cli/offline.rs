//! Without a server: the bundled story, capture files, wrong usage.

use std::fs;

use super::*;

const STORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/story.walferry");

#[test]
fn without_arguments_the_story_is_told_as_sql() {
    let output = run(&mut replay());
    assert!(stdout(&output).contains(r#"INSERT INTO "public"."notes""#));
    let line = last_line(&output);
    let acknowledged = line.strip_prefix("replayed 6 transactions, 10 changes, acknowledged ").expect(&line);
    acknowledged.parse::<walferry::Lsn>().unwrap();
    let same = run(replay().args(["--from-capture", STORY, "--to", "sql", "--batch-rows", "1"]));
    assert_eq!((stdout(&same), last_line(&same)), (stdout(&output), line));
}

/// What the README promises.
#[test]
fn psql_applies_the_story() {
    let story = run(&mut replay()).stdout;
    for server in support::servers() {
        let cluster = server.start();
        cluster.psql("postgres", STORY_TABLES);
        cluster.play("postgres", &story).unwrap();
        assert_story(&cluster);
        assert_eq!(cluster.psql("postgres", "INSERT INTO drafts (body) VALUES ('x') RETURNING id"), "1");
    }
}

#[test]
fn json_keeps_null_the_text_null_and_unchanged_apart() {
    let output = stdout(&run(replay().args(["--to", "json"])));
    let events: Vec<serde_json::Value> =
        output.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    assert_eq!((of("begin").len(), of("commit").len(), of("relation").len()), (6, 6, 2));
    let inserts = of("insert");
    assert_eq!((&inserts[0]["new"]["body"], &inserts[1]["new"]["body"]), (&"null".into(), &().into()));
    assert_eq!(inserts[3]["new"]["body"], "", "empty is not NULL");
    assert_eq!(of("update")[0]["new"]["scan"], serde_json::json!({"unchanged": true}));
    assert_eq!(of("delete")[0]["old_key"], serde_json::json!({"id": "1"}));
    assert_eq!(of("truncate")[0]["restart_identity"], true);
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [
        &["--nosuch"][..],
        &["argument"],
        &["--to", "nosuch"],
        &["--slot", "s"],
        &["--source", "host=h", "--slot", "s"],
        &["--source", "host=h", "--publication", "p"],
        &["--source", "host=h", "--slot", "S", "--publication", "p"],
        &["--source", "nosuch=x", "--slot", "s", "--publication", "p"],
        &["--source", "host=h", "--slot", "s", "--publication", "p", "--from-capture", "f"],
        &["--source", "host=h", "--slot", "s", "--publication", "p", "--stop-at", "1/0", "--stop-at-current"],
        &["--source", "host=h", "--slot", "s", "--publication", "p", "--temporary"],
        &["--source", "host=h", "--slot", "s", "--publication", "p", "--streaming", "sometimes"],
        &["--stop-at-current"],
        &["--stop-at", "nosuch"],
        &["--capture", "f"],
        &["--only", "nodot"],
        &["--only", r#""a.b"#],
        &["--only", r#""a.b"c"#],
        &["--batch-rows", "many"],
        &["--log-format", "xml"],
    ] {
        let output = replay().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
    let help = run(replay().arg("--help"));
    for option in ["--stop-at-current", "--batch-bytes", "--memory-limit", "--except", "--log-format"] {
        assert!(stdout(&help).contains(option), "{option}");
    }
}

#[test]
fn a_failure_is_one_line_that_says_which_file() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other");
    fs::write(&other, "something else, long enough to be looked at").unwrap();
    let story = fs::read(STORY).unwrap();
    let damaged = folder.path().join("damaged");
    let mut bytes = story.clone();
    bytes[200] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    for (path, expected) in [
        ("/nosuch/file", "opening /nosuch/file: No such file"),
        (other.to_str().unwrap(), "not a capture file"),
        (damaged.to_str().unwrap(), "damaged"),
    ] {
        let told = failure(replay().args(["--from-capture", path]));
        assert!(told.contains(expected) && told.contains(path), "{told}");
    }
    let told = failure(replay().args(["--output", "/nosuch/file"]));
    assert!(told.contains("creating /nosuch/file: No such file"), "{told}");
}

#[test]
fn an_output_file_is_replaced_by_a_capture_and_by_nothing_less() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("story.sql");
    fs::write(&file, "before").unwrap();
    failure(replay().args(["--from-capture", "/nosuch/file", "--output"]).arg(&file));
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    let output = run(replay().arg("--output").arg(&file));
    assert!(output.stdout.is_empty());
    assert_eq!(fs::read(&file).unwrap(), run(&mut replay()).stdout);
}

#[test]
fn a_capture_can_be_replayed_in_part() {
    let json = stdout(&run(replay().args(["--to", "json"])));
    let commits: Vec<walferry::Lsn> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|event| event["event"] == "commit")
        .map(|event| event["commit_lsn"].as_str().unwrap().parse().unwrap())
        .collect();
    for (nth, &commit) in commits.iter().enumerate() {
        let commit = u64::from(commit);
        for (stop, transactions) in [(commit - 1, nth), (commit, nth + 1), (commit + 1, nth + 1)] {
            let stop = walferry::Lsn::new(stop).to_string();
            let told = last_line(&run(replay().args(["--stop-at", &stop])));
            assert!(told.starts_with(&format!("replayed {transactions} transactions, ")), "{stop}: {told}");
        }
    }
}

#[test]
fn what_is_left_out_is_told() {
    let only = run(replay().args(["--only", "public.drafts"]));
    let except = run(replay().args(["--except", "public.notes"]));
    for output in [&only, &except] {
        assert!(!stdout(output).contains("notes"));
        assert!(stderr(output).contains("left out 7 changes of other tables"), "{}", stderr(output));
        assert!(last_line(output).starts_with("replayed 6 transactions, 3 changes"), "{}", last_line(output));
    }
    assert_eq!(stdout(&only), stdout(&except));
}

#[test]
fn a_schema_with_a_dot_and_a_quote_in_its_name_can_be_named() {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/pg18/plain.walferry");
    let output = run(replay().args(["--from-capture", capture, "--only", r#""a.b""c".Ünï 表 %_'\"#]));
    let script = stdout(&output);
    let changes = script.lines().filter(|line| line.starts_with("INSERT") || line.starts_with("UPDATE"));
    assert!(changes.clone().count() > 20);
    assert!(changes.clone().all(|line| line.contains(r#""a.b""c"."Ünï 表 %_'\""#)), "{script}");
}

#[test]
fn the_capture_that_is_read_is_never_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let (capture, link) = (folder.path().join("capture"), folder.path().join("link"));
    fs::copy(STORY, &capture).unwrap();
    std::os::unix::fs::symlink(&capture, &link).unwrap();
    for output in [&capture, &link] {
        let told = failure(replay().arg("--from-capture").arg(&capture).arg("--output").arg(output));
        assert!(told.contains(output.to_str().unwrap()) && told.contains("is the capture"), "{told}");
        assert_eq!(fs::read(&capture).unwrap(), fs::read(STORY).unwrap());
    }
}

#[test]
fn a_capture_that_ends_early_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("capture");
    let story = fs::read(STORY).unwrap();
    let replayed = |bytes: &[u8]| {
        fs::write(&capture, bytes).unwrap();
        let output = run(replay().arg("--from-capture").arg(&capture));
        assert!(last_line(&output).starts_with("replayed "), "{}", stderr(&output));
        stderr(&output)
    };
    assert!(!replayed(&story).contains("warning"));
    let told = replayed(&story[..story.len() - 1]);
    assert!(told.contains("warning: the capture ends inside the block at byte "), "{told}");
}
