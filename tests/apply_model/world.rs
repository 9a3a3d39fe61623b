//! A source, two targets, and what runs between them.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream as _;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use walferry::stream::Streaming;
use walferry::{Batch, ChangeSink, Config, Connection, Event, ReplicationStream, SlotName, StreamOptions};

use crate::changes::{Changes, FUNCTIONS};
use crate::kinds::TYPES_OF_KEYS;
use crate::schema::{Conditions, Schema, Side};
use crate::support::{Cluster, Random, Server, calmed, sql};
use crate::types::PRELUDE;

/// So many seeds share a stream and its sinks.
const CHUNK: u64 = 8;
const PATIENCE: Duration = Duration::from_secs(60);

/// The databases of the target: changes gathered into statements of many rows, and each by itself.
pub(crate) const TARGETS: [&str; 2] = ["gathered", "in_order"];

/// What was done so far.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) tried: usize,
    pub(crate) worked: usize,
    pub(crate) transactions: usize,
    pub(crate) refused: usize,
    pub(crate) events: usize,
    pub(crate) compared: usize,
}

pub(crate) struct World<S, F> {
    pub(crate) source: Cluster,
    pub(crate) target: Cluster,
    client: Client,
    targets: [Client; 2],
    /// Whether the sink asks the target what its columns are.
    differing: bool,
    open: F,
    chunk: Option<Chunk<S>>,
    pub(crate) account: Account,
}

/// Seeds that share a stream.
struct Chunk<S> {
    number: u64,
    stream: ReplicationStream,
    sinks: [S; 2],
    schemas: Vec<Schema>,
}

pub(crate) async fn connect(cluster: &Cluster, database: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&calmed(&cluster.conninfo(database)), NoTls)
        .await
        .expect("the cluster is there");
    tokio::spawn(connection);
    client
}

/// The next event, in time.
pub(crate) async fn next(stream: &mut ReplicationStream) -> Event {
    let next = poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
    let next = tokio::time::timeout(PATIENCE, next).await.expect("an event in time");
    next.expect("an event, not the end").unwrap_or_else(|error| panic!("the stream: {error:?}"))
}

/// Everything up to now.
pub(crate) async fn drain(stream: &mut ReplicationStream, source: &Client) -> Vec<Event> {
    source
        .batch_execute("SELECT pg_logical_emit_message(true, 'the end', '')")
        .await
        .expect("a message can be written");
    let mut events = Vec::new();
    let mut is_last = false;
    loop {
        let event = next(stream).await;
        is_last |= matches!(&event, Event::Message(message) if message.prefix == "the end");
        let ends = matches!(event, Event::Commit(_));
        events.push(event);
        if ends && is_last {
            return events;
        }
    }
}

impl<S: ChangeSink, F: AsyncFn(&Cluster, &str, &ReplicationStream, u64) -> S> World<S, F> {
    pub(crate) async fn new(server: &Server, differing: bool, open: F) -> Self {
        let source =
            server.start_with(&[("logical_decoding_work_mem", "64kB"), ("max_locks_per_transaction", "256")]);
        let target = server.start_with(&[("max_locks_per_transaction", "256")]);
        let client = connect(&source, "postgres").await;
        client.batch_execute(PRELUDE).await.expect("the types can be made");
        client.batch_execute(TYPES_OF_KEYS).await.expect("the types can be made");
        client.batch_execute(FUNCTIONS).await.expect("the functions can be made");
        for via_root in [false, true] {
            let publication = |name: &str, more: &str| {
                format!(
                    "CREATE PUBLICATION {name}_{via_root} FOR ALL TABLES WITH (publish_via_partition_root = {via_root}{more});"
                )
            };
            let mut publish = publication("plain", "");
            if server.major >= 18 {
                publish += &publication("generated", ", publish_generated_columns = stored");
            }
            client.batch_execute(&publish).await.expect("publications can be made");
        }
        for database in TARGETS {
            target.create_database(database);
            target.psql(
                "postgres",
                &format!("ALTER DATABASE {} SET client_min_messages = error", sql::database(database)),
            );
        }
        let targets = [connect(&target, TARGETS[0]).await, connect(&target, TARGETS[1]).await];
        for target in &targets {
            target.batch_execute(PRELUDE).await.expect("the types can be made");
            target.batch_execute(TYPES_OF_KEYS).await.expect("the types can be made");
        }
        Self { source, target, client, targets, differing, open, chunk: None, account: Account::default() }
    }

    /// The law: whatever the source does, both targets are equal to it, at the end of every step.
    pub(crate) async fn equals(&mut self, seed: u64) {
        if self.chunk.as_ref().is_none_or(|chunk| chunk.number != seed / CHUNK) {
            self.close().await;
            self.begin(seed / CHUNK).await;
        }
        let mut random = Random::new(!seed);
        let most = [1, 4, 15, 60, 200][random.below(5)];
        let mut log = String::new();
        for step in 0..2 + random.below(3) {
            self.change(seed, step, &mut random, &mut log).await;
            let chunk = self.chunk.as_mut().expect("begun");
            let events = drain(&mut chunk.stream, &self.client).await;
            self.account.events += events.len();
            let whose = format!("seed {seed}, step {step}");
            for (sink, database) in chunk.sinks.iter_mut().zip(TARGETS) {
                if let Err(error) = apply(sink, &events, &mut random, most).await {
                    writeln!(log, "/* the target's log\n{} */", self.target.log())
                        .expect("a String takes all");
                    panic!("{whose}, {database}: {error:?}{}", kept(seed, &log, &events));
                }
            }
            let schema = &chunk.schemas[usize::try_from(seed % CHUNK).expect("small")];
            let expected = contents(&self.client, schema, Side::Source).await;
            for (target, database) in self.targets.iter().zip(TARGETS) {
                let found = contents(target, schema, Side::Target).await;
                self.account.compared += expected.len();
                let differing = expected.iter().zip(&found).position(|(expected, found)| expected != found);
                if let Some(nth) = differing {
                    let differs = differs(&self.client, target, schema, nth).await;
                    panic!("{whose}, {database}: {differs}{}", kept(seed, &log, &events));
                }
            }
        }
    }

    /// A few transactions.
    async fn change(&mut self, seed: u64, step: usize, random: &mut Random, log: &mut String) {
        let chunk = self.chunk.as_ref().expect("begun");
        let schema = &chunk.schemas[usize::try_from(seed % CHUNK).expect("small")];
        if step == 0 {
            write!(
                log,
                "-- source\n{}-- target\n{}",
                schema.definition(Side::Source),
                schema.definition(Side::Target)
            )
            .expect("a String takes all");
        }
        let file = self.source.data_folder().join("rows");
        let mut changes = Changes { random, schema, file: file.to_str().expect("a plain name") };
        let count = 1 + changes.random.below(5);
        for nth in 0..count {
            let script = if step == 0 && nth == 0 { changes.beginning() } else { changes.transaction() };
            writeln!(log, "-- step {step}\n{script}").expect("a String takes all");
            self.account.transactions += 1;
            match self.client.simple_query(&script).await {
                Ok(answers) => {
                    for answer in answers {
                        let SimpleQueryMessage::Row(row) = answer else { continue };
                        self.account.tried += usize::from(matches!(row.get(0), Some("t" | "f")));
                        self.account.worked += usize::from(row.get(0) == Some("t"));
                    }
                }
                // A constraint that waited for the end.
                Err(error) => {
                    let error = error.as_db_error().unwrap_or_else(|| panic!("seed {seed}: {error}"));
                    assert!(error.code().code().starts_with("23"), "seed {seed}: {error:?}\n{script}");
                    self.account.refused += 1;
                    self.client.batch_execute("ROLLBACK").await.expect("the session goes on");
                }
            }
        }
    }

    async fn begin(&mut self, number: u64) {
        let mut random = Random::new(number ^ 0x5EED);
        let major = self.source.major();
        let conditions = Conditions {
            major,
            binary: random.one_in(2),
            via_root: random.one_in(2),
            generated: major >= 18 && self.differing && random.one_in(2),
            differing: self.differing,
        };
        let schemas: Vec<_> = (number * CHUNK..(number + 1) * CHUNK)
            .map(|seed| Schema::new(&mut Random::new(seed), seed, conditions))
            .collect();
        let whose = |seed: usize, error: &tokio_postgres::Error, ddl: &str| -> ! {
            panic!("the schema {seed} of chunk {number}: {:?}\n{ddl}", error.as_db_error())
        };
        for (nth, schema) in schemas.iter().enumerate() {
            let ddl = schema.definition(Side::Source);
            self.client.batch_execute(&ddl).await.unwrap_or_else(|error| whose(nth, &error, &ddl));
            let ddl = schema.definition(Side::Target);
            for target in &self.targets {
                target.batch_execute(&ddl).await.unwrap_or_else(|error| whose(nth, &error, &ddl));
            }
        }
        let slot = format!("s{number}");
        let create = format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        self.client.batch_execute(&create).await.expect("a slot can be made");
        let streaming = [Streaming::Off, Streaming::On][random.below(2)];
        let stream = self.stream(&slot, conditions, streaming).await;
        let sinks = [
            (self.open)(&self.target, TARGETS[0], &stream, number).await,
            (self.open)(&self.target, TARGETS[1], &stream, number).await,
        ];
        self.chunk = Some(Chunk { number, stream, sinks, schemas });
    }

    async fn stream(&self, slot: &str, conditions: Conditions, streaming: Streaming) -> ReplicationStream {
        let mut config: Config = self.source.conninfo("postgres").parse().expect("the string is right");
        if conditions.major >= 16 && streaming == Streaming::On {
            // Every change, not the large transactions' alone.
            config = config.options("-c debug_logical_replication_streaming=immediate");
        }
        let name = if conditions.generated { "generated" } else { "plain" };
        let slot: SlotName = slot.parse().expect("a name");
        let options = StreamOptions::new(slot)
            .publication(format!("{name}_{}", conditions.via_root))
            .binary(conditions.binary)
            .streaming(streaming)
            .messages(true);
        let connection = Connection::connect(&config).await.expect("the source is there");
        connection.start_replication(options).await.expect("the stream begins")
    }

    /// Ends a chunk, and clears up.
    pub(crate) async fn close(&mut self) {
        let Some(chunk) = self.chunk.take() else { return };
        drop(chunk.sinks);
        chunk.stream.stop().await.expect("the stream ends").close().await;
        let drop_slot = format!("SELECT pg_drop_replication_slot('s{}')", chunk.number);
        self.client.batch_execute(&drop_slot).await.expect("the slot is free");
        for schema in &chunk.schemas {
            let drop = format!("DROP SCHEMA {} CASCADE", schema.name);
            for client in self.targets.iter().chain([&self.client]) {
                client.batch_execute(&drop).await.expect("the schema is there");
            }
        }
    }
}

/// Applies events, in batches that are cut anywhere, with a lost connection now and then.
pub(crate) async fn apply<S: ChangeSink>(
    sink: &mut S,
    events: &[Event],
    random: &mut Random,
    most: usize,
) -> Result<(), S::Error> {
    let (mut position, mut losses) = (0, 2);
    while position < events.len() {
        let end = events.len().min(position + 1 + random.below(most));
        let mut batch = Batch::default();
        batch.extend(events[position..end].iter().cloned());
        sink.write(batch).await?;
        if most > 1 || random.one_in(4) {
            sink.flush().await?;
        }
        position = end;
        let begun = events[..end].iter().rposition(|event| matches!(event, Event::Begin(_)));
        let ended = events[..end].iter().rposition(|event| matches!(event, Event::Commit(_)));
        if losses > 0 && begun > ended && random.one_in(12) {
            losses -= 1;
            sink.rollback().await?;
            position = begun.expect("more than nothing");
        }
    }
    sink.flush().await
}

/// A fingerprint of each table's rows, in an order that depends on nothing else.
async fn contents(client: &Client, schema: &Schema, side: Side) -> Vec<String> {
    let queries: Vec<_> = schema
        .contents(side)
        .into_iter()
        .enumerate()
        .map(|(nth, (_, rows))| {
            format!("SELECT {nth} AS nth, count(*), md5(string_agg(r, E'\\n' ORDER BY r COLLATE \"C\")) FROM ({rows}) AS rows")
        })
        .collect();
    let sql = format!("{} ORDER BY nth", queries.join(" UNION ALL "));
    let answer = client.simple_query(&sql).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    answer
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(format!("{:?} {:?}", row.get(1), row.get(2))),
            _ => None,
        })
        .collect()
}

async fn rows(client: &Client, schema: &Schema, side: Side, nth: usize) -> (String, Vec<String>) {
    let (table, rows) = schema.contents(side).swap_remove(nth);
    let sql = format!("SELECT r FROM ({rows}) AS rows ORDER BY r COLLATE \"C\"");
    let answer = client.simple_query(&sql).await.expect("the query works");
    let rows = answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    (table, rows.collect())
}

async fn differs(source: &Client, target: &Client, schema: &Schema, nth: usize) -> String {
    let (table, mut missing) = rows(source, schema, Side::Source, nth).await;
    let (_, mut extra) = rows(target, schema, Side::Target, nth).await;
    let (expected, found) = (missing.len(), extra.len());
    extra.retain(|row| match missing.iter().position(|expected| expected == row) {
        Some(position) => {
            missing.remove(position);
            false
        }
        None => true,
    });
    missing.truncate(5);
    extra.truncate(5);
    format!("{table} has {found} rows for {expected}: missing {missing:#?}, extra {extra:#?}")
}

/// Where to look at what led to a failure.
fn kept(seed: u64, log: &str, events: &[Event]) -> String {
    let path = std::env::temp_dir().join(format!("walferry-apply-{seed}.sql"));
    let text =
        events.iter().fold(format!("{log}\n/* events\n"), |text, event| text + &format!("{event:?}\n"));
    match std::fs::write(&path, text) {
        Ok(()) => format!("\nwhat was done: {}", path.display()),
        Err(_) => String::new(),
    }
}
