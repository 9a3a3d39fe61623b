//! What does not pass by itself ends the run, with a word on what to do.

use super::outages::{ended, from, is_active, source};
use super::proxy::Proxy;
use super::support::{Cluster, Server};
use super::{PATIENCE, on_all_servers, wait_until};

/// What `replay` says at its end, in a line, when the source is changed while it is connected, or while it is not.
struct Case<'a> {
    cluster: &'a Cluster,
    slot: &'a str,
    arguments: &'a [&'a str],
}

impl Case<'_> {
    fn told(&self, change: impl FnOnce(&Cluster, &Proxy)) -> String {
        let proxy = Proxy::before(self.cluster, &[]);
        let child = from(&proxy, self.slot).args(self.arguments).spawn().unwrap();
        wait_until("a stream", || proxy.is_streaming());
        change(self.cluster, &proxy);
        let output = ended(child, PATIENCE);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        let last = told.lines().last().unwrap().to_owned();
        assert!(last.starts_with("replay: ") && last.contains("(hint: "), "{told}");
        assert!(!told.contains("s3cret") && !told.contains("\nreplayed"), "{told}");
        assert!(told.lines().count() < 20, "it has tried again and again: {told}");
        last
    }
}

/// While nobody gets through.
fn away(cluster: &Cluster, proxy: &Proxy, slot: &str, change: impl FnOnce()) {
    proxy.shut();
    wait_until("the slot is free", || !is_active(cluster, slot));
    change();
    proxy.open();
}

fn make_slot(cluster: &Cluster, slot: &str) {
    cluster.psql("postgres", &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
}

fn drop_slot(cluster: &Cluster, slot: &str) {
    cluster.psql("postgres", &format!("SELECT pg_drop_replication_slot('{slot}')"));
}

fn insert(cluster: &Cluster) {
    cluster.psql("postgres", "INSERT INTO t (body) VALUES ('x')");
}

#[test]
fn what_does_not_pass_by_itself_ends_the_run_with_a_hint() {
    on_all_servers(|server: &Server| {
        let cluster = &source(server, &[("max_slot_wal_keep_size", "1MB"), ("min_wal_size", "32MB")]);
        let case = |slot| Case { cluster, slot, arguments: &[] };

        let told = case("s").told(|cluster, proxy| {
            away(cluster, proxy, "s", || drop_slot(cluster, "s"));
        });
        assert!(told.contains("42704") && told.contains("\"s\" does not exist"), "{told}");

        make_slot(cluster, "again");
        let told = case("again").told(museum_10);
        assert!(told.contains("the slot was made anew") && told.contains("copy everything anew"), "{told}");

        let temporary = ["--create-slot", "--temporary"];
        let told = Case { cluster, slot: "brief", arguments: &temporary }
            .told(|cluster, proxy| away(cluster, proxy, "brief", || ()));
        assert!(told.contains("42704") && told.contains("temporary"), "{told}");
        let count = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'brief'";
        assert_eq!(cluster.psql("postgres", count), "0", "it is not made again");

        make_slot(cluster, "lost");
        let told = case("lost").told(|cluster, proxy| {
            away(cluster, proxy, "lost", || {
                let status = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'lost'";
                wait_until("the slot loses its log", || {
                    insert(cluster);
                    cluster.psql("postgres", "SELECT pg_switch_wal()");
                    cluster.psql("postgres", "CHECKPOINT");
                    cluster.psql("postgres", status) == "lost"
                });
            });
        });
        assert!(told.contains("55000") && told.contains("max_slot_wal_keep_size"), "{told}");

        make_slot(cluster, "published");
        let told = case("published").told(|cluster, _| {
            cluster.psql("postgres", "DROP PUBLICATION p");
            insert(cluster);
        });
        assert!(told.contains("publication") && told.contains("\"p\""), "{told}");
    });
}

/// A slot that is made anew begins where it is made, and what lies between was lost without a word: DBZ-5739, Materialize
/// #30744.
fn museum_10(cluster: &Cluster, proxy: &Proxy) {
    away(cluster, proxy, "again", || {
        drop_slot(cluster, "again");
        insert(cluster);
        make_slot(cluster, "again");
    });
}
