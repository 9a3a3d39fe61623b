//! The doctor: each check finds what it is for, and finds nothing any more once its own advice is followed.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod cases;
mod examined;
mod pooler;
mod servers;

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use walferry::migrate::doctor::Options;
use walferry::migrate::{Migration, doctor};

use cases::Case;
use examined::{Pair, examine, on_each_pair};
use support::{newest, oldest};

#[test]
fn every_check_has_a_database_that_fails_it() {
    let topics = [
        cases::servers(),
        cases::rights(),
        cases::publications(),
        cases::layouts(),
        cases::tables(),
        cases::columns(),
        cases::keys(),
        cases::fences(),
    ];
    let mut tried: BTreeSet<&str> = topics.iter().flatten().map(|case| case.id).collect();
    tried.extend(servers::TRIED);
    assert_eq!(tried, doctor::ids().collect());
}

fn each_is_gone_when_the_advice_is_followed(cases: &[Case]) {
    on_each_pair(|pair| {
        let failed: Vec<_> =
            cases.iter().enumerate().filter_map(|(number, case)| pair.tries(case, number).err()).collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    });
}

#[test]
fn what_is_wrong_with_a_server_is_found_and_mended() {
    each_is_gone_when_the_advice_is_followed(&cases::servers());
}

#[test]
fn museum_18_rights_that_are_missing_and_row_security_are_found_and_mended() {
    each_is_gone_when_the_advice_is_followed(&cases::rights());
}

#[test]
fn who_could_write_behind_the_fence_of_a_cutover_is_found_and_kept_from_it() {
    each_is_gone_when_the_advice_is_followed(&cases::fences());
}

#[test]
fn museum_20_what_a_publication_or_an_identity_would_lose_is_found_and_mended() {
    each_is_gone_when_the_advice_is_followed(&cases::publications());
}

#[test]
fn museum_31_a_partition_whose_rows_the_server_would_confuse_is_found() {
    each_is_gone_when_the_advice_is_followed(&cases::layouts());
}

#[test]
fn tables_that_are_not_carried_or_do_not_fit_are_found_and_mended() {
    each_is_gone_when_the_advice_is_followed(&cases::tables());
}

#[test]
fn columns_that_do_not_fit_are_found_and_mended() {
    each_is_gone_when_the_advice_is_followed(&cases::columns());
}

#[test]
fn keys_that_do_not_fit_are_found_and_mended() {
    each_is_gone_when_the_advice_is_followed(&cases::keys());
}

/// Neither a table of ours nor one that is fine is complained of.
#[test]
fn a_pair_in_order_is_told_its_size_and_that_a_publication_will_be_made() {
    on_each_pair(|pair| {
        let databases = pair.fresh("clean", "");
        let report = examine(&databases.migration(None), &Options::new());
        let found: Vec<_> = report.findings.iter().map(|finding| finding.id).collect();
        assert_eq!(found, ["disk-size", "publication-missing"], "{report}");
        assert!(!report.has_errors());

        databases.at_source("CREATE PUBLICATION $P FOR ALL TABLES; SELECT pg_create_logical_replication_slot('slot', 'pgoutput')");
        let report = examine(&databases.migration(None), &Options::new());
        let found: Vec<_> = report.findings.iter().map(|finding| finding.id).collect();
        assert_eq!(found, ["disk-size"], "{report}");
        databases.at_source("SELECT pg_drop_replication_slot('slot')");
    });
}

/// Whatever a schema has: where both sides have the same, there is nothing to mend.
#[test]
fn a_rich_pair_in_order_has_no_errors_and_no_warnings() {
    on_each_pair(|pair| {
        let databases = pair.fresh("rich", "");
        let rich = "
            CREATE TYPE $S.mood AS ENUM ('null', '', 'it''s'); CREATE DOMAIN $S.\"do main\" AS text NOT NULL;
            CREATE TYPE $S.pair AS (a int, b $S.mood[]);
            CREATE TABLE $S.kinds (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood $S.mood, list $S.mood[], d $S.\"do main\",
              pair $S.pair, n numeric(10, 2), v varchar(7) COLLATE \"C\", twice bigint GENERATED ALWAYS AS (id * 2) STORED, \"SELECT\" serial,
              gone int, UNIQUE (v) DEFERRABLE INITIALLY DEFERRED, CHECK (n > 0), EXCLUDE USING btree (n WITH =));
            ALTER TABLE $S.kinds DROP COLUMN gone;
            CREATE UNIQUE INDEX ON $S.kinds (lower(v), (n + 1)) WHERE mood IS NOT NULL; CREATE INDEX ON $S.kinds (d);
            CREATE TABLE $S.child (id int PRIMARY KEY, parent bigint REFERENCES $S.kinds, FOREIGN KEY (id) REFERENCES $S.child);
            CREATE TABLE $S.nameless (a json, b point) ; ALTER TABLE $S.nameless REPLICA IDENTITY FULL;
            CREATE TABLE $S.by_index (a int NOT NULL, b int NOT NULL, c text); CREATE UNIQUE INDEX chosen ON $S.by_index (b, a) INCLUDE (c);
            ALTER TABLE $S.by_index REPLICA IDENTITY USING INDEX chosen;
            CREATE TABLE $S.root (b text, a int PRIMARY KEY) PARTITION BY RANGE (a);
            CREATE TABLE $S.low PARTITION OF $S.root FOR VALUES FROM (0) TO (10) PARTITION BY LIST (a);
            CREATE TABLE $S.lowest PARTITION OF $S.low DEFAULT; CREATE TABLE $S.high (a int PRIMARY KEY, x int, b text);
            ALTER TABLE $S.high DROP COLUMN x; ALTER TABLE $S.root ATTACH PARTITION $S.high DEFAULT;
            CREATE TABLE $S.heir () INHERITS ($S.child); ALTER TABLE $S.heir ADD PRIMARY KEY (id);
            CREATE SEQUENCE $S.$N INCREMENT -5 CYCLE MINVALUE -100; CREATE VIEW $S.view AS SELECT 1; CREATE TABLE $S.nothing ();
            CREATE TRIGGER t BEFORE UPDATE ON $S.child FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
            CREATE RULE r AS ON DELETE TO $S.child WHERE false DO INSTEAD NOTHING";
        databases.at_source(rich);
        databases.at_target(rich);
        databases.at_source(
            "INSERT INTO $S.kinds (d) VALUES ('x'); INSERT INTO $S.root VALUES ('a', 1), ('b', 100)",
        );

        for publication in [
            "",
            "CREATE PUBLICATION $P FOR ALL TABLES",
            "ALTER PUBLICATION $P SET (publish_via_partition_root)",
        ] {
            databases.at_source(publication);
            let mut report = examine(&databases.migration(None), &Options::new());
            // Where the server itself is wrong.
            report.findings.retain(|finding| finding.id != "partition-layout" || pair.source.major() > 14);
            assert!(report.worst() <= Some(doctor::Severity::Note), "{publication}:\n{report}");
            let notes: BTreeSet<_> = report.findings.iter().map(|finding| finding.id).collect();
            assert!(notes.contains("identity-full"), "{report}");
        }
    });
}

/// With the least rights there is much to tell, and the doctor tells it.
#[test]
fn a_role_without_any_rights_is_examined_too() {
    on_each_pair(|pair| {
        let databases = pair.fresh("bare", "");
        pair.source.psql("postgres", "CREATE ROLE bare LOGIN");
        pair.target.psql("postgres", "CREATE ROLE bare LOGIN");
        databases.at_source(
            "ALTER TABLE $T ENABLE ROW LEVEL SECURITY; CREATE SEQUENCE $S.$N;
             REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public",
        );
        databases.at_target("INSERT INTO $T VALUES (1)");
        let report = examine(&databases.migration_as("bare", "bare"), &Options::new());
        let found: BTreeSet<_> = report.findings.iter().map(|finding| finding.id).collect();
        for id in [
            "replication-role",
            "replication-connection",
            "publication-right",
            "schema-right",
            "select-right",
            "sequence-right",
            "row-security",
            "hidden-activity",
            "create-right",
            "target-schema-right",
            "write-right",
            "replica-mode",
        ] {
            assert!(found.contains(id), "{id} isn't in:\n{report}");
        }
        let unchecked: BTreeSet<_> = report
            .findings
            .iter()
            .filter(|finding| finding.id == doctor::UNCHECKED)
            .map(|finding| finding.subject.clone())
            .collect();
        assert_eq!(unchecked, [Some("same-database".to_owned())].into(), "{report}");
        assert!(!format!("{report:?}").contains("secret"), "{report}");
    });
}

/// The transaction may only read, and nothing is left behind.
#[test]
fn nothing_is_changed() {
    on_each_pair(|pair| {
        let databases = pair.fresh("untouched", "");
        let state = "SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_replication_slots),
            (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_publication)";
        let before = (databases.at_source(state), databases.at_target(state));
        let _ = examine(&databases.migration(None), &Options::new());
        assert_eq!((databases.at_source(state), databases.at_target(state)), before);
    });
}

/// What this migration has brought itself is no obstacle; what another one has, is.
#[test]
fn rows_that_the_migration_has_brought_are_its_own() {
    on_each_pair(|pair| {
        let databases = pair.fresh("begun", "");
        databases.at_target(
            "INSERT INTO $T VALUES (1); CREATE SCHEMA walferry; CREATE TABLE walferry.progress (name text);
             INSERT INTO walferry.progress VALUES ('another');
             CREATE TABLE walferry.copy (name text, schema text, relation text); INSERT INTO walferry.copy VALUES
               ('another', $LS, $LU), ('slot', $LS, 'another'), ('slot', 'another', $LU)",
        );
        let has_rows = || {
            let report = examine(&databases.migration(None), &Options::new());
            report.findings.iter().any(|finding| finding.id == "target-rows")
        };
        assert!(has_rows());
        databases.at_target("INSERT INTO walferry.copy VALUES ('slot', $LS, $LU)");
        assert!(!has_rows());
        databases.at_target("DELETE FROM walferry.copy; INSERT INTO walferry.progress VALUES ('slot')");
        assert!(!has_rows());
    });
}

/// What is missing in the target is made by the migration then.
#[test]
fn a_schema_that_will_be_made_is_not_missed() {
    on_each_pair(|pair| {
        let databases = pair.fresh("to come", "TEMPLATE template0");
        databases.at_source("CREATE SEQUENCE $S.$N; CREATE EXTENSION IF NOT EXISTS plpgsql");
        let migration = databases.migration(None);
        let errors = |options: &Options| {
            let report = examine(&migration, options);
            report
                .findings
                .into_iter()
                .filter(|finding| finding.severity == doctor::Severity::Error)
                .map(|finding| finding.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(errors(&Options::new()), ["table-missing", "sequence-missing"]);
        assert_eq!(errors(&Options::new().makes_schema(true)), [""; 0]);
    });
}

#[test]
fn a_target_that_is_older_than_the_source_is_told() {
    let pair = Pair::start(&newest(), &oldest());
    let databases = pair.fresh("older", "");
    let found = |migration: Migration| {
        let report = examine(&migration, &Options::new());
        report.findings.iter().any(|finding| finding.id == "target-older")
    };
    assert_eq!(found(databases.migration(None)), newest().major > oldest().major);
    assert!(!found(databases.turned()));
}
