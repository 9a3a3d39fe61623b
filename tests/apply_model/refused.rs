//! What can't be right stops the sink, and leaves nothing of its transaction.

use walferry::{ChangeSink as _, Event};

use crate::pair::{Pair, Plan, everywhere};
use crate::sinks;

/// The transactions before it are there; of itself and of what is behind it, nothing is.
async fn stops(pair: &mut Pair, before: &str, wrong: &str, behind: &str) -> String {
    let mut events = pair.events(before).await;
    pair.apply(std::mem::take(&mut events))
        .await
        .unwrap_or_else(|error| panic!("{}: {error:?}", pair.whose()));
    let before = pair.has("SELECT * FROM t").await;
    let events = pair.events(&format!("{wrong}; {behind}")).await;
    let error = pair.apply(events).await.expect_err("a change that can't be right");
    assert_eq!(pair.has("SELECT * FROM t").await, before, "{}", pair.whose());
    let mut said = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        said.extend([": ".to_owned(), cause.to_string()]);
        source = cause.source();
    }
    assert!(!said.contains("secret"), "a value: {said}");
    said
}

const TABLES: &str = "CREATE TABLE t (id int PRIMARY KEY, a text)";
const BEFORE: &str = "INSERT INTO t SELECT i, 'secret' FROM generate_series(1, 5) i";

#[test]
fn museum_23_a_row_that_is_missing_stops_the_sink() {
    for wrong in [
        "UPDATE t SET a = 'secret!' WHERE id = 3",
        "DELETE FROM t WHERE id = 3",
        "UPDATE t SET id = 30 WHERE id = 3",
    ] {
        for more in ["", "UPDATE t SET a = 'x' WHERE id = 1; "] {
            let nth = wrong.len() + more.len();
            everywhere(
                &format!("missing_{nth}"),
                Plan { tables: TABLES, ..Plan::default() },
                async |mut pair: Pair| {
                    pair.change(BEFORE).await;
                    pair.target.batch_execute("DELETE FROM t WHERE id = 3").await.expect("it is there");
                    let said = stops(
                        &mut pair,
                        "INSERT INTO t VALUES (6, 'secret')",
                        &format!("BEGIN; {more}{wrong}; COMMIT"),
                        "INSERT INTO t VALUES (7, 'secret')",
                    )
                    .await;
                    assert!(said.contains("\"t\"") || said.contains("public.t"), "it says where: {said}");
                },
            );
        }
    }
}

#[test]
fn museum_23_a_row_that_is_there_twice_stops_the_sink() {
    let plan = Plan { on_source: TABLES, on_target: "CREATE TABLE t (id int, a text)", ..Plan::default() };
    for (nth, wrong) in
        ["UPDATE t SET a = 'x' WHERE id = 3", "DELETE FROM t WHERE id = 3"].into_iter().enumerate()
    {
        everywhere(&format!("twice_{nth}"), plan, async |mut pair: Pair| {
            pair.change(BEFORE).await;
            pair.target
                .batch_execute("INSERT INTO t VALUES (3, 'another')")
                .await
                .expect("nothing forbids it");
            stops(
                &mut pair,
                "INSERT INTO t VALUES (6, 'secret')",
                wrong,
                "INSERT INTO t VALUES (7, 'secret')",
            )
            .await;
        });
    }
}

#[test]
fn museum_23_a_key_that_is_taken_on_the_target_stops_the_sink() {
    everywhere("taken", Plan { tables: TABLES, ..Plan::default() }, async |mut pair: Pair| {
        pair.change(BEFORE).await;
        pair.target.batch_execute("INSERT INTO t VALUES (7, 'in the way')").await.expect("it is free");
        stops(
            &mut pair,
            "INSERT INTO t VALUES (6, 'secret')",
            "INSERT INTO t VALUES (7, 'secret')",
            "UPDATE t SET a = 'x'",
        )
        .await;
    });
}

/// In full identity a row counts only if all of its columns are the same.
#[test]
fn museum_23_a_row_that_is_another_stops_the_sink() {
    let tables = "CREATE TABLE t (id int, a json, n numeric)";
    for (nth, other) in ["a = NULL", "a = '{}'", "n = 1.00", "n = NULL", "id = NULL"].into_iter().enumerate()
    {
        let plan = Plan { tables, on_source: "ALTER TABLE t REPLICA IDENTITY FULL", ..Plan::default() };
        everywhere(&format!("another_{nth}"), plan, async |mut pair: Pair| {
            pair.change("INSERT INTO t VALUES (1, '{ }', 1.0)").await;
            pair.target.batch_execute(&format!("UPDATE t SET {other}")).await.expect("nothing forbids it");
            let wrong = if nth % 2 == 0 { "UPDATE t SET id = 2" } else { "DELETE FROM t" };
            stops(&mut pair, "INSERT INTO t VALUES (6, NULL, NULL)", wrong, "INSERT INTO t VALUES (7)").await;
        });
    }
}

/// What only a constraint that waits allows: the source's does, the target's doesn't.
#[test]
fn an_exchange_that_the_target_s_constraint_does_not_wait_for_stops_the_sink() {
    let plan = Plan {
        on_source: "CREATE TABLE t (id int PRIMARY KEY, place int UNIQUE DEFERRABLE)",
        on_target: "CREATE TABLE t (id int PRIMARY KEY, place int UNIQUE)",
        ..Plan::default()
    };
    everywhere("impatient", plan, async |mut pair: Pair| {
        let said = stops(
            &mut pair,
            "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
            "UPDATE t SET place = 3 - place WHERE id < 3",
            "INSERT INTO t VALUES (4, 4)",
        )
        .await;
        assert!(said.contains("t_place_key"), "it names the constraint: {said}");
    });
}

#[test]
fn museum_20_a_table_that_the_target_lacks_stops_the_sink() {
    let plan =
        Plan { tables: TABLES, on_source: "CREATE TABLE lacks (id int PRIMARY KEY)", ..Plan::default() };
    everywhere("lacks_table", plan, async |mut pair: Pair| {
        let said = stops(
            &mut pair,
            BEFORE,
            "BEGIN; UPDATE t SET a = 'x'; INSERT INTO lacks VALUES (1); COMMIT",
            "DELETE FROM t",
        )
        .await;
        assert!(said.contains("lacks"), "it names the table: {said}");
    });
}

#[test]
fn museum_19_a_column_that_the_target_lacks_stops_the_sink() {
    let plan = Plan { tables: TABLES, on_source: "ALTER TABLE t ADD only_here text", ..Plan::default() };
    everywhere("lacks_column", plan, async |mut pair: Pair| {
        let error =
            pair.try_change("INSERT INTO t VALUES (1, 'a', 'secret')").await.expect_err("a column too many");
        assert!(format!("{error}").contains("only_here"), "it names the column: {error}");
        assert!(pair.has("SELECT * FROM t").await.is_empty());
    });
}

/// What the stream loses with its connection leaves nothing, and comes again.
#[test]
fn a_transaction_that_is_cut_short_leaves_nothing() {
    everywhere("cut", Plan { tables: TABLES, ..Plan::default() }, async |mut pair: Pair| {
        pair.change(BEFORE).await;
        let events = pair.events("BEGIN; UPDATE t SET a = 'x'; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (9, 'nine'); DELETE FROM t; INSERT INTO t VALUES (1, 'one'); COMMIT").await;
        let whole = events.iter().position(|event| matches!(event, Event::Commit(_))).expect("it is whole");
        for end in 1..=whole {
            pair.apply(events[..end].to_vec()).await.expect("the beginning is right");
            assert_eq!(pair.has("SELECT * FROM t").await.len(), 5, "{}: {end}", pair.whose());
            pair.sink.rollback().await.expect("it can be forgotten");
        }
        pair.apply(events).await.expect("it is right");
        assert_eq!(pair.agree("SELECT * FROM t").await, ["(1,one)"]);
    });
}

/// Many rows come by COPY, which is refused as it begins: the error is that one, not what becomes of the connection.
#[test]
fn what_may_not_be_copied_into_is_refused_by_its_own_error() {
    everywhere("no_copy", Plan { tables: TABLES, ..Plan::default() }, async |mut pair: Pair| {
        let role = format!("limited_{}", pair.gathers);
        let grant = format!(
            "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role}; GRANT SELECT, UPDATE ON t TO {role}; CREATE SCHEMA walferry AUTHORIZATION {role}",
            crate::support::sql::database(&pair.names[1])
        );
        pair.target.batch_execute("DROP SCHEMA walferry CASCADE").await.expect("the other sink has made it");
        pair.target.batch_execute(&grant).await.expect("a role can be made");
        pair.sink =
            sinks::open_as(pair.cluster, &pair.names[1], pair.gathers, &pair.stream, "limited", &role).await;
        let error = pair.try_change("INSERT INTO t SELECT i, 'secret' FROM generate_series(1, 100) i").await;
        let error = error.expect_err("it isn't granted");
        assert!(error.to_string().contains("42501") && !error.is_retryable(), "{}: {error}", pair.whose());
    });
}
