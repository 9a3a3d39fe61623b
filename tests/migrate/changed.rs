//! Tables that are made, dropped, renamed or exchanged while they are carried over.

use crate::program::run;
use crate::steps::refused;
use crate::story::{command, reversed};
use crate::support::{newest, oldest};
use crate::world::{DATABASE, World};

fn followed() -> World {
    let world = World::new(&oldest(), &newest(), 200, true);
    run(&mut command(&world, &["run", "--stop-at-current"]));
    world
}

fn both(world: &World, sql: &str) {
    for cluster in [&world.source, &world.target] {
        cluster.psql(DATABASE, sql);
    }
}

const ROWS: &str = "SELECT count(*), sum(hashtextextended(r::text, 0)::numeric) FROM renamed r";

#[test]
fn the_stream_back_is_of_the_tables_that_there_are_at_the_cutover() {
    let world = followed();
    both(&world, "DROP TABLE keyless; ALTER TABLE bulk RENAME TO renamed");
    run(&mut command(&world, &["cutover", "--reverse"]));
    world
        .target
        .psql(DATABASE, "UPDATE renamed SET body = 'back' WHERE id = 1; DELETE FROM renamed WHERE id = 2");
    let back =
        ["run", "--slot", "walferry_reverse", "--publication", "walferry_reverse", "--stop-at-current"];
    run(&mut reversed(&world, &back));
    assert_eq!(world.source.psql(DATABASE, ROWS), world.target.psql(DATABASE, ROWS));
}

#[test]
fn up_to_now_includes_tables_that_have_joined_the_publication() {
    let world = followed();
    both(&world, "CREATE TABLE late (id int PRIMARY KEY); ALTER TABLE bulk RENAME TO renamed");
    world.source.psql(DATABASE, "INSERT INTO late VALUES (1), (2); DELETE FROM renamed WHERE id = 3");
    // Whose rows these are, nobody knows.
    refused(&world, &["run", "--stop-at-current"], "renamed");
    world.target.psql(DATABASE, "TRUNCATE renamed");
    run(&mut command(&world, &["run", "--stop-at-current"]));
    assert_eq!(world.target.psql(DATABASE, "SELECT count(*) FROM late"), "2");
    assert_eq!(world.source.psql(DATABASE, ROWS), world.target.psql(DATABASE, ROWS));
}

/// What takes a table's place has its name, and none of its rows; the target has those of the one before.
#[test]
fn a_table_that_takes_the_place_of_another_is_copied_anew() {
    let world = followed();
    world.source.psql(
        DATABASE,
        "CREATE TABLE other (LIKE bulk INCLUDING ALL); INSERT INTO other SELECT id, 'other' FROM bulk WHERE id > 10; \
         DROP TABLE bulk; ALTER TABLE other RENAME TO bulk; INSERT INTO bulk VALUES (1, 'behind')",
    );
    world
        .source
        .psql(DATABASE, "DROP TABLE parts_1; CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)");
    world.source.psql(DATABASE, "INSERT INTO parts SELECT id, 1, 'anew' FROM parts_0");
    // The first is on its way to the target, where rows of that key are.
    run(&mut command(&world, &["run", "--stop-at-current"]));
    world.assert_equal();
    world
        .source
        .psql(DATABASE, "DELETE FROM bulk WHERE id = 11; UPDATE parts SET body = 'later' WHERE part = 1");
    run(&mut command(&world, &["run", "--stop-at-current"]));
    world.assert_equal();
    run(&mut command(&world, &["cutover", "--reverse"]));
}

/// The doctor looks at how things are, and what is on its way still wants them as they were.
#[test]
fn a_column_that_is_renamed_while_changes_are_on_their_way_has_a_way_forward() {
    let world = followed();
    world.source.psql(DATABASE, "UPDATE bulk SET body = 'before' WHERE id = 1");
    world
        .source
        .psql(DATABASE, "ALTER TABLE bulk RENAME body TO content; ALTER TABLE bulk ADD more int DEFAULT 7");
    world.source.psql(DATABASE, "UPDATE bulk SET content = 'behind' WHERE id = 2");
    let rename = "ALTER TABLE \"public\".\"bulk\" RENAME COLUMN \"body\" TO \"content\"";
    let add = "ALTER TABLE \"public\".\"bulk\" ADD COLUMN more integer DEFAULT '7'; ALTER TABLE public.bulk ALTER COLUMN more SET DEFAULT 7";
    for advice in [rename, add] {
        refused(&world, &["run", "--stop-at-current"], advice);
    }
    assert_eq!(world.target.psql(DATABASE, "SELECT body FROM bulk WHERE id = 1"), "before");
    world.target.psql(DATABASE, &format!("{rename}; {add}"));
    run(&mut command(&world, &["run", "--stop-at-current"]));
    world.assert_equal();
}
