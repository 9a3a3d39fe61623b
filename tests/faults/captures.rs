//! What is recorded over several connections gives what one connection would have given.

use std::fs::File;

use walferry::capture::{Reader, Record};

use super::in_parallel;
use super::program::{last_line, replay, run};
use super::proxy::{Cut, Proxy};
use super::script::committed;
use super::story::Story;
use super::support::{is_long, on_each_server};

#[test]
fn a_capture_of_several_connections_gives_the_script_of_one() {
    on_each_server(|server| {
        let story = Story::on(server);
        let step = if is_long() { 1 } else { 13 };
        in_parallel((0..=story.passed.data).step_by(step), |place| {
            let plan = [Cut::Stream(place), Cut::Inside(place / 2, 40)];
            let plan = if place % 2 == 0 { &plan[..] } else { &plan[..1] };
            let proxy = Proxy::before(&story.cluster, plan);
            let folder = tempfile::tempdir().unwrap();
            let capture = folder.path().join("capture");
            let live = run(story.replay(&proxy).arg("--capture").arg(&capture));
            story.assert_told(plan, &live);

            let mut reader = Reader::new(File::open(&capture).unwrap()).unwrap();
            let records = std::iter::from_fn(|| reader.next_record().unwrap());
            let starts = records.filter(|record| matches!(record, Record::Context(_))).count();
            assert_eq!(starts, 1 + plan.len(), "{plan:?}");

            for rows in ["1", "10000"] {
                let replayed = run(replay().arg("--from-capture").arg(&capture).args(["--batch-rows", rows]));
                let script = String::from_utf8_lossy(&replayed.stdout);
                // In one batch, what was interrupted leaves no trace.
                let said = if rows == "1" { committed(&replayed.stdout) } else { script.into_owned() };
                assert!(said == story.script, "{plan:?}, {rows}: {said}");
                assert_eq!(last_line(&replayed), story.told, "{plan:?}");
            }
        });
    });
}
