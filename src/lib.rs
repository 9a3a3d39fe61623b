//! walferry carries PostgreSQL changes across **exactly as they were written**.
//!
//! It reads the logical replication stream of a PostgreSQL server (the `pgoutput` plugin, protocol 1 to 4) and hands
//! out committed transactions: to your code, to another PostgreSQL, to an SQL script, to JSON, or to a sink of your own. A value is never
//! re-rendered on the way. The text `null` is not NULL, a value that an UPDATE left alone is neither NULL nor absent,
//! and only what is durable is acknowledged.
//!
//! ```text
//!            no I/O, no clock, no async                            │        I/O: feature "net"
//!                                                                  │
//!  frame        pgoutput           assemble       value, row      │   connection ── START_REPLICATION ──┐
//! ┌───────┐    ┌──────────┐ Message ┌───────────┐ Event ┌───────┐  │                                     ▼
//! │ frames├───►│ decoder  ├────────►│ committed ├──────►│ rows  │──┼──► ReplicationStream: Stream<Item = Result<Event>>
//! └───────┘    └──────────┘         │ txns      │       └───────┘  │         │                   ▲
//!  XLogData,    19 messages,        └───────────┘        Datum     │         ▼ Batch             │ acknowledge(&Commit)
//!  Keepalive,   named as in          Begin, Change…,               │     ChangeSink ── flush ────┘
//!  StatusUpdate logicalproto.h       Message, Commit               │
//!                                                                  │                                  ▼
//!  session: payloads, now, acknowledged → events, status updates, the next deadline       server: confirmed_flush_lsn
//! ```
//!
//! # A program, step by step
//!
//! Everything left of the line works on bytes alone. Three messages, as a server sends them, become a row:
//!
//! ```
//! use walferry::assemble::Assembler;
//! use walferry::pgoutput::{Datum, Decoder};
//! use walferry::{Change, Event};
//!
//! let messages: [&'static [u8]; 3] = [
//!     b"B\0\0\0\0\0\0\x01\0\0\x03\x03\xd7\xfcm^\xe7\0\0\x04\x2b",
//!     b"R\0\0@\0public\0notes\0d\0\x02\x01id\0\0\0\0\x17\xff\xff\xff\xff\0body\0\0\0\0\x19\xff\xff\xff\xff",
//!     b"I\0\0@\0N\0\x02t\0\0\0\x011t\0\0\0\x04null",
//! ];
//! let (mut decoder, mut assembler) = (Decoder::new(), Assembler::new());
//! for message in messages {
//!     assembler.push(decoder.decode(message.into())?)?;
//! }
//!
//! assert!(matches!(assembler.poll()?, Some(Event::Begin(_))));
//! let Some(Event::Change(Change::Insert { new })) = assembler.poll()? else { unreachable!() };
//! assert_eq!(new.relation().name, "notes");
//! assert_eq!(new.get("body"), Some(Datum::Text(b"null")), "the text, not NULL");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Connection`] makes a slot and starts the stream of it, which yields the same events from a live server. An
//! [`Event::Commit`] is what you acknowledge, once everything up to it is durable where you keep it:
//!
//! ```no_run
//! # #[cfg(feature = "net")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use walferry::{Config, Connection, SlotName, SlotOptions, StreamOptions};
//!
//! let config: Config = "postgresql://walferry@db.example.org/shop?sslmode=verify-full".parse()?;
//! let mut connection = Connection::connect(&config).await?;
//! let slot: SlotName = "shop_changes".parse()?;
//! connection.create_slot(&slot, SlotOptions::new()).await?;
//! let stream = connection.start_replication(StreamOptions::new(slot).publication("shop")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Pipeline`] brings a stream into a sink: it batches, writes, flushes, and acknowledges what was flushed, keeps
//! the server from giving up on a sink that is slow, and connects again when the connection is lost:
//!
//! ```no_run
//! # #[cfg(feature = "net")]
//! # async fn example(stream: walferry::ReplicationStream) -> Result<(), walferry::Error> {
//! use walferry::Pipeline;
//! use walferry::sink::{Output, sql::SqlSink};
//!
//! let sink = SqlSink::new(Output::stdout(), stream.context().catalog.clone());
//! let statistics = Pipeline::new(sink).run(stream, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `postgres`, `sink::postgres` applies them to another server, each transaction exactly once:
//!
//! ```no_run
//! # #[cfg(feature = "postgres")]
//! # async fn example(stream: walferry::ReplicationStream) -> Result<(), Box<dyn std::error::Error>> {
//! use walferry::Pipeline;
//! use walferry::sink::postgres::PostgresSink;
//!
//! let sink = PostgresSink::new("postgresql://walferry@new.example.org/shop".parse()?, "shop_changes");
//! let statistics = Pipeline::new(sink).run(stream, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! And `migrate` composes all of it: one database into another, while people write to it, as [`guide`]'s page on migrations
//! tells:
//!
//! ```no_run
//! # #[cfg(feature = "postgres")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use walferry::migrate::{Cutover, Migration, Run};
//!
//! let (old, new) = ("postgresql://old.example.org/shop".parse()?, "postgresql://new.example.org/shop".parse()?);
//! let migration = Migration::new(old, new, "shop_move".parse()?, "shop");
//! Run::new(migration.clone()).jobs(2).run(std::future::pending()).await?;
//! // elsewhere, when the target is near:
//! Cutover::new(migration).run(|phase| println!("{phase}")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The [`value`] module reads values in their text and binary forms; each prints and encodes back to what it was read
//! from. [`Row::read`] reads a column as a Rust type, and with the feature `serde` `Row::deserialize` a row as a struct;
//! what types the row's columns may have, those of users among them, says [`Row::types`].
//!
//! A sink of your own implements [`ChangeSink`]: `write`, `flush` and `rollback`. What it may rely on, and what happens
//! when something breaks on the way, says [`guide::delivery`]; whether it keeps the laws, [`sink::testkit`]. A [`capture`]
//! records what a server sent, to be replayed without it. An [`event::SchemaWatch`] tells when a table of the source is
//! another one than before.
//!
//! What becomes of a value of each type on each of these ways says the table of [`guide::fidelity`]; which bugs of other
//! systems cannot happen here, and which tests show it, [`guide::museum`].
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `net` | yes | connections, the stream, sinks, the pipeline; on tokio |
//! | `tls` | yes | TLS for connections, by rustls |
//! | `serde` | yes | rows as Rust types: `de`; `Serialize` and `Deserialize` for the shared words and for values |
//! | `json` | no | JSON Lines: the sink, and the reader of what it wrote |
//! | `postgres` | no | another PostgreSQL as a target: the sink that applies each transaction to it exactly once, the copy, migrations |
//! | `tracing` | no | diagnostics through the `tracing` crate |
//! | `with-bigdecimal-0_4` | no | conversions between [`value`]s and the types of bigdecimal 0.4 |
//! | `with-bit-vec-0_8` | no | the same for bit-vec 0.8 |
//! | `with-chrono-0_4` | no | the same for chrono 0.4 |
//! | `with-geo-types-0_7` | no | the same for geo-types 0.7 |
//! | `with-ipnetwork-0_20` | no | the same for ipnetwork 0.20 |
//! | `with-jiff-0_2` | no | the same for jiff 0.2 |
//! | `with-rust_decimal-1` | no | the same for `rust_decimal` 1 |
//! | `with-time-0_3` | no | the same for time 0.3 |
//! | `with-uuid-1` | no | the same for uuid 1 |
//!
//! Without features, what is left of the line in the drawing builds on `bytes` and `thiserror` alone. A feature adds
//! API and never changes behaviour.
//!
//! # What is not supported
//!
//! * Output plugins other than `pgoutput`, and servers older than 14.
//! * As SQL: binary values whose text only their server knows, of an extension's types and of names of objects
//!   (`regclass`). The error says so; text carries them.

// Modules stand in the order in which data flows, and use only those above them: tests/architecture.rs holds this.

// Shared words.
mod lsn;
mod time;
mod xid;
mod wire;

// Bytes to frames to messages to committed transactions.
pub mod frame;
pub mod pgoutput;
pub mod value;
mod row;
pub mod event;
#[cfg(feature = "serde")]
pub mod de;
pub mod assemble;
pub mod session;
pub mod catalog;
pub mod capture;
pub mod quote;
pub mod copy;

// The socket.
#[cfg(feature = "net")]
mod trace;
#[cfg(feature = "net")]
mod error;
#[cfg(feature = "net")]
pub mod connection;
#[cfg(feature = "net")]
pub mod stream;

// What was there before.
#[cfg(feature = "postgres")]
pub mod snapshot;

// Where it goes.
#[cfg(feature = "net")]
pub mod sink;
#[cfg(feature = "net")]
pub mod pipeline;
#[cfg(test)]
#[cfg(feature = "net")]
mod sim;

// All of it together.
#[cfg(feature = "postgres")]
pub mod migrate;

// Pages.
pub mod guide;

pub use self::time::{ParseTimestampError, Timestamp};
#[cfg(feature = "net")]
pub use connection::{Config, Connection, SlotName, SlotOptions};
#[cfg(feature = "serde")]
pub use de::Typed;
#[cfg(feature = "net")]
pub use error::Error;
pub use event::{Change, Event, OldRow};
pub use lsn::{Lsn, ParseLsnError};
pub use pgoutput::{Column, Relation};
#[cfg(feature = "net")]
pub use pipeline::Pipeline;
pub use row::{ColumnIndex, Row, RowError, RowErrorKind};
#[cfg(feature = "net")]
pub use sink::{Batch, ChangeSink};
#[cfg(feature = "net")]
pub use stream::{ReplicationStream, StreamOptions};
pub use value::{Field, Value};
pub use xid::{Oid, RelationId, Xid};
