//! Connections that are cut: behind each message, inside of one, again and again.

use walferry::Lsn;

use super::proxy::{Cut, Proxy};
use super::sink::Strict;
use super::story::{DATABASE, Story};
use super::support::{Server, is_long, newest, on_each_server, servers_to_try};
use super::{in_parallel, on_all_servers};

/// Every place on the oldest server and the newest one, a few on those between.
fn places(server: &Server, count: usize) -> Vec<usize> {
    let all = servers_to_try().iter().any(|tried| tried.major == server.major);
    let offset = usize::try_from(server.major).unwrap();
    (0..=count).filter(|place| all || (place + offset).is_multiple_of(10)).collect()
}

#[test]
fn a_connection_that_is_cut_behind_any_message_loses_nothing_and_repeats_nothing() {
    on_all_servers(|server| {
        let story = Story::on(server);
        assert!(story.passed.data > 60 && story.events.len() > 60, "{:?}", story.passed);
        in_parallel(places(server, story.passed.data), |place| {
            let plan = [Cut::Stream(place)];
            let sink = if place % 2 == 0 { Strict::default() } else { Strict::with_progress() };
            let statistics = story.assert_carried(&plan, &sink);
            assert_eq!(statistics.reconnects, 1, "{plan:?}");
            // What takes longer: each place on one of the two.
            if is_long() || place % 2 == usize::from(server.major == newest().major) {
                let output = story.assert_replayed(&plan);
                if place % 16 < 2 {
                    story.assert_applies(&format!("cut_{place}"), &output.stdout);
                }
            }
        });
    });
}

#[test]
fn a_connection_that_is_cut_inside_of_a_message_loses_nothing_and_repeats_nothing() {
    on_each_server(|server| {
        let story = Story::on(server);
        let step = if is_long() { 1 } else { 9 };
        let places = (0..story.passed.data).step_by(step);
        in_parallel(places.enumerate(), |(nth, place)| {
            // In its length, its head, its body; before its last byte.
            let plan = [Cut::Inside(place, [1, 4, 17, 31, usize::MAX][nth % 5])];
            assert_eq!(story.assert_carried(&plan, &Strict::default()).reconnects, 1, "{plan:?}");
        });
    });
}

#[test]
fn a_connection_that_is_cut_again_and_again_loses_nothing_and_repeats_nothing() {
    on_each_server(|server| {
        let story = Story::on(server);
        let (end, step) = (story.passed.data, if is_long() { 3 } else { 20 });
        in_parallel((0..end).step_by(step), |place| {
            // The second one further on, in the same transaction; then before it, and in the midst of it.
            let plan = [Cut::Stream(place), Cut::Stream(2), Cut::Stream(0), Cut::Inside(end / 3, 20)];
            let statistics = story.assert_carried(&plan, &Strict::with_progress());
            assert!(statistics.reconnects >= 3, "{statistics:?}");
            story.assert_replayed(&plan[..3]);
        });
    });
}

#[test]
fn a_connection_that_is_cut_before_it_streams_is_made_again() {
    on_each_server(|server| {
        let story = Story::on(server);
        let step = if is_long() { 1 } else { story.passed.beginning / 10 };
        in_parallel((1..=story.passed.beginning).step_by(step), |place| {
            let plan = [Cut::Stream(10), Cut::Beginning(place), Cut::Stream(30)];
            let statistics = story.assert_carried(&plan, &Strict::default());
            assert_eq!(statistics.reconnects, 2, "{plan:?}");
        });
    });
}

/// Else the server would not know what was acknowledged last, and would send it to the next run again.
#[test]
fn a_goodbye_that_is_cut_off_is_said_again() {
    on_all_servers(|server| {
        let story = Story::on(server);
        let (slot, proxy) = (story.slot(), Proxy::before(&story.cluster, &[Cut::Goodbye]));
        let (events, statistics) = story.carry(&proxy, &slot, &Strict::default());
        assert!(events == story.events && statistics.reconnects == 1, "{statistics:?}");
        let confirmed =
            format!("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{slot}'");
        let confirmed: Lsn = story.cluster.psql(DATABASE, &confirmed).parse().unwrap();
        assert!(confirmed >= statistics.acknowledged, "{confirmed} on {}: {statistics:?}", server.major);
        story.assert_replayed(&[Cut::Goodbye]);
    });
}
