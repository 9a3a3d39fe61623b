//! Accounts, and transfers between them: the sum of all balances never changes, and each balance is what the history
//! makes of it.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use crate::World;
use crate::support::{Cluster, Random, calmed};

pub(crate) const SOURCE: &str =
    "CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL, moves int NOT NULL, note text NOT NULL);
     CREATE TABLE history (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, debit int NOT NULL, credit int NOT NULL,
       amount bigint NOT NULL, note text NOT NULL);
     CREATE SEQUENCE new_account START 1000;
     CREATE PUBLICATION p FOR TABLE account, history";

/// Nothing keeps a transfer from standing there twice.
pub(crate) const TARGET: &str =
    "CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL, moves int NOT NULL, note text NOT NULL);
     CREATE TABLE history (id bigint NOT NULL, debit int NOT NULL, credit int NOT NULL, amount bigint NOT NULL,
       note text NOT NULL)";

/// Stands in every row, and nowhere else.
pub(crate) const MARK: &str = "kZ7vQx";

/// Those of the beginning, which stay open. Others are opened with nothing, and closed when they are empty.
const ACCOUNTS: i64 = 20;
const GIVEN: i64 = 1000;

pub(crate) fn opening() -> String {
    format!("INSERT INTO account SELECT i, {GIVEN}, 0, '{MARK}' FROM generate_series(1, {ACCOUNTS}) i")
}

/// What is wrong in one snapshot, or nothing.
pub(crate) fn invariant() -> String {
    let total = ACCOUNTS * GIVEN;
    format!(
        "WITH moved AS (SELECT id, sum(amount) AS amount, count(*) AS moves FROM
           (SELECT debit AS id, -amount AS amount FROM history UNION ALL SELECT credit, amount FROM history) m GROUP BY id),
         wrong AS (SELECT id, balance, amount, account.moves, moved.moves AS found FROM account FULL JOIN moved USING (id)
           WHERE coalesce(account.moves, moved.moves) <> coalesce(moved.moves, 0)
             OR coalesce(balance, 0) - coalesce(amount, 0) <> CASE WHEN id <= {ACCOUNTS} THEN {GIVEN} ELSE 0 END),
         held AS (SELECT coalesce(sum(balance), 0) AS sum FROM account)
         SELECT concat_ws('; ', (SELECT 'in all ' || sum FROM held WHERE sum <> {total} AND (sum <> 0 OR EXISTS (SELECT FROM history))),
           (SELECT string_agg(wrong::text, ' ') FROM wrong))"
    )
}

pub(crate) fn connect(runtime: &Runtime, cluster: &Cluster) -> Option<Client> {
    runtime.block_on(async {
        let connected =
            tokio_postgres::connect(&calmed(&cluster.conninfo("postgres")), tokio_postgres::NoTls).await;
        let (client, connection) = connected.ok()?;
        tokio::spawn(connection);
        Some(client)
    })
}

/// Works until the bank closes, and says how many transactions it has committed.
pub(crate) fn teller(world: &World, mut random: Random) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut client, mut done) = (None, 0);
    while !world.closed.load(Ordering::Relaxed) {
        let Some(connected) = client.as_ref() else {
            client = connect(&runtime, &world.source);
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        match runtime.block_on(transaction(connected, &mut random)) {
            Ok(committed) => done += u64::from(committed),
            Err(error) => {
                assert!(error.as_db_error().is_none_or(passes), "{error:?}");
                client = None;
            }
        }
        thread::sleep(Duration::from_millis(1 + random.below(8) as u64));
    }
    done
}

/// The server stops, or has lost a session.
fn passes(error: &tokio_postgres::error::DbError) -> bool {
    error.code().code().starts_with("57P")
}

/// One of them: whether it was committed.
async fn transaction(client: &Client, random: &mut Random) -> Result<bool, Error> {
    client.batch_execute("BEGIN").await?;
    let committed = match random.below(12) {
        0 => open(client, random).await?,
        1 => close(client, random).await?,
        2 => {
            let wrong = format!(
                "SAVEPOINT s; UPDATE account SET balance = balance + 1 WHERE id = 1 + {0} % {ACCOUNTS};
                 INSERT INTO history (debit, credit, amount, note) VALUES (1, 2, 3, '{MARK}'); ROLLBACK TO s",
                random.below(1000)
            );
            client.batch_execute(&wrong).await?;
            transfer(client, random).await?
        }
        3 => {
            transfer(client, random).await?;
            false
        }
        _ => transfer(client, random).await?,
    };
    client.batch_execute(if committed { "COMMIT" } else { "ROLLBACK" }).await?;
    Ok(committed)
}

/// Locks accounts, and says what they hold: those of these that are open.
async fn locked(client: &Client, ids: &str) -> Result<Vec<(i64, i64)>, Error> {
    let sql = format!("SELECT id, balance FROM account WHERE id IN ({ids}) ORDER BY id FOR UPDATE");
    let rows = client.simple_query(&sql).await?;
    Ok(rows
        .iter()
        .filter_map(|row| match row {
            SimpleQueryMessage::Row(row) => Some((number(row.get(0)), number(row.get(1)))),
            _ => None,
        })
        .collect())
}

fn number(text: Option<&str>) -> i64 {
    text.expect("no NULL").parse().expect("a number")
}

/// Two accounts, in any order.
async fn two(client: &Client, random: &mut Random, which: &str) -> Result<Option<[(i64, i64); 2]>, Error> {
    let ids = format!("SELECT id FROM (SELECT id FROM account {which} ORDER BY random() LIMIT 2) any_two");
    let mut found = locked(client, &ids).await?;
    if random.one_in(2) {
        found.reverse();
    }
    Ok(found.try_into().ok())
}

async fn transfer(client: &Client, random: &mut Random) -> Result<bool, Error> {
    let Some([(from, _), (to, _)]) = two(client, random, "").await? else { return Ok(false) };
    transfer_between(client, from, to, random.between(1, 50)).await?;
    Ok(true)
}

async fn transfer_between(client: &Client, from: i64, to: i64, amount: i64) -> Result<(), Error> {
    let statements = [
        format!("UPDATE account SET balance = balance - {amount}, moves = moves + 1 WHERE id = {from}"),
        format!("UPDATE account SET balance = balance + {amount}, moves = moves + 1 WHERE id = {to}"),
        format!(
            "INSERT INTO history (debit, credit, amount, note) VALUES ({from}, {to}, {amount}, '{MARK}')"
        ),
    ];
    for statement in statements {
        client.batch_execute(&statement).await?;
    }
    Ok(())
}

/// An account, with what comes from another.
async fn open(client: &Client, random: &mut Random) -> Result<bool, Error> {
    let opened = format!("INSERT INTO account VALUES (nextval('new_account'), 0, 0, '{MARK}')");
    client.batch_execute(&opened).await?;
    let from = random.between(1, ACCOUNTS);
    if locked(client, &from.to_string()).await?.is_empty() {
        return Ok(false);
    }
    let to = client.simple_query("SELECT currval('new_account')").await?;
    let to = to.iter().find_map(|row| match row {
        SimpleQueryMessage::Row(row) => Some(number(row.get(0))),
        _ => None,
    });
    transfer_between(client, from, to.expect("one row"), random.between(1, 50)).await?;
    Ok(true)
}

/// The account goes, and what it holds to another one.
async fn close(client: &Client, random: &mut Random) -> Result<bool, Error> {
    let Some([(gone, balance), (to, _)]) = two(client, random, "WHERE id >= 1000").await? else {
        return Ok(false);
    };
    if balance != 0 {
        transfer_between(client, gone, to, balance).await?;
    }
    client.batch_execute(&format!("DELETE FROM account WHERE id = {gone}")).await?;
    Ok(true)
}
