//! What users match on: committed transactions, in commit order.

mod schema;

use std::sync::Arc;

pub use self::schema::{ColumnChange, RelationChange, SchemaWatch};
use crate::pgoutput::{self, LogicalMessage, Origin, Relation};
use crate::row::{Cells, ColumnIndex};
use crate::value::FromValue;
use crate::{Lsn, Row, RowError, Timestamp, Xid};

/// One step of the stream.
///
/// A transaction is a [`Begin`](Self::Begin), its changes and transactional messages in the order in which they
/// were made, and a [`Commit`](Self::Commit), or a [`Prepare`](Self::Prepare) where the stream has the option
/// `two_phase`. Transactions come whole, one after the other, in the order in which they committed or were prepared.
/// Messages that are not transactional stand between transactions. So does whatever follows a transaction that was begun and
/// has no end, because the connection was lost in its midst: it comes again behind it, whole, or never.
///
/// A test of a sink makes them as a server does, of [messages](pgoutput::Message), by an
/// [`Assembler`](crate::assemble::Assembler):
///
/// ```
/// use walferry::assemble::Assembler;
/// use walferry::event::Event;
/// use walferry::pgoutput::{Begin, Column, Commit, Datum, Insert, Message, Relation, ReplicaIdentity, Tuple};
/// use walferry::{Lsn, Oid, RelationId, Timestamp, Xid};
///
/// let (commit_lsn, end_lsn, commit_time) = (Lsn::new(0x100), Lsn::new(0x130), Timestamp::from_micros(0));
/// let notes = Relation {
///     id: RelationId::new(16384),
///     schema: "public".into(),
///     name: "notes".into(),
///     replica_identity: ReplicaIdentity::Default,
///     columns: vec![Column { name: "body".into(), type_oid: Oid::new(25), type_modifier: -1, is_key: false }],
/// };
/// let row = Tuple::from_datums([Datum::Text(b"null")]);
/// let mut assembler = Assembler::new();
/// for message in [
///     Message::Begin(Begin { commit_lsn, commit_time, xid: Xid::new(7) }),
///     Message::Relation(None, notes.clone()),
///     Message::Insert(Insert { xid: None, relation_id: notes.id, new: row }),
///     Message::Commit(Commit { commit_lsn, end_lsn, commit_time }),
/// ] {
///     assembler.push(message)?;
/// }
/// let events: Vec<Event> = std::iter::from_fn(|| assembler.poll().transpose()).collect::<Result<_, _>>()?;
/// assert!(matches!(events.as_slice(), [Event::Begin(_), Event::Change(_), Event::Commit(_)]));
/// # Ok::<(), walferry::assemble::Violation>(())
/// ```
///
/// What was prepared ends later, between other transactions: in a [`CommitPrepared`](Self::CommitPrepared) or a
/// [`RollbackPrepared`](Self::RollbackPrepared). After a reconnect a transaction may come prepared a second time, and one
/// may end that was never seen here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A transaction begins.
    Begin(Begin),
    /// One change of the transaction.
    Change(Change),
    /// What someone passed to `pg_logical_emit_message`.
    Message(LogicalMessage),
    /// The transaction is complete: what to acknowledge, once it is durable.
    Commit(Commit),
    /// The transaction is complete, and prepared: what to acknowledge, once it is durable.
    Prepare(Prepare),
    /// What was prepared before is committed.
    CommitPrepared(CommitPrepared),
    /// What was prepared before is rolled back.
    RollbackPrepared(RollbackPrepared),
}

/// A transaction that committed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Begin {
    /// Where its commit record begins. With a count of the events behind it, the position of each of them.
    pub commit_lsn: Lsn,
    /// When it committed; under a replication origin, the origin's time, which need not grow.
    pub commit_time: Timestamp,
    /// Its id.
    pub xid: Xid,
    /// The server that it was replicated from, if it was.
    pub origin: Option<Origin>,
    /// The name under which it is prepared, if it ends in a Prepare. Then `commit_lsn` and `commit_time` are those of
    /// the preparation.
    pub gid: Option<String>,
}

/// The end of a transaction, and the only thing that can be acknowledged.
///
/// There is no way to make one but to receive it, from a stream or from where one was recorded, or, in a test, from an
/// [`Assembler`](crate::assemble::Assembler): see `ReplicationStream::acknowledge`, which counts it for no more than that stream
/// has handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_field_names,
    reason = "commit_lsn and commit_time are named as in Begin and on the wire"
)]
pub struct Commit {
    pub(crate) commit_lsn: Lsn,
    pub(crate) end_lsn: Lsn,
    pub(crate) commit_time: Timestamp,
    pub(crate) xid: Xid,
}

impl Commit {
    /// Where its commit record begins.
    pub fn commit_lsn(&self) -> Lsn {
        self.commit_lsn
    }

    /// The first byte behind its commit record. What was acknowledged up to here is not sent again.
    pub fn end_lsn(&self) -> Lsn {
        self.end_lsn
    }

    /// When it committed.
    pub fn commit_time(&self) -> Timestamp {
        self.commit_time
    }

    /// The transaction's id.
    pub fn xid(&self) -> Xid {
        self.xid
    }
}

macro_rules! prepared {
    ($(#[$doc:meta])* $name:ident of $message:ident, $end_lsn:ident, $time:ident) => {
        $(#[$doc])*
        ///
        /// There is no way to make one but to receive it.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pgoutput::$message);

        impl $name {
            pub(crate) fn new(message: pgoutput::$message) -> Self {
                Self(message)
            }

            /// The name that the transaction was prepared under: up to 199 bytes of any text.
            pub fn gid(&self) -> &str {
                &self.0.gid
            }

            /// The first byte behind its record. What was acknowledged up to here is not sent again.
            pub fn end_lsn(&self) -> Lsn {
                self.0.$end_lsn
            }

            /// When.
            pub fn time(&self) -> Timestamp {
                self.0.$time
            }

            /// The transaction's id.
            pub fn xid(&self) -> Xid {
                self.0.xid
            }

            /// All that the server says of it.
            pub fn message(&self) -> &pgoutput::$message {
                &self.0
            }
        }

        impl Acknowledge for $name {
            #[inline]
            fn position(&self) -> Option<Lsn> {
                Some(self.end_lsn())
            }
        }
    };
}

prepared! {
    /// A transaction was prepared: it is complete, and neither committed nor rolled back.
    Prepare of Prepare, end_lsn, prepare_time
}

prepared! {
    /// A prepared transaction was committed.
    CommitPrepared of CommitPrepared, end_lsn, commit_time
}

prepared! {
    /// A prepared transaction was rolled back; perhaps one that was never seen here.
    RollbackPrepared of RollbackPrepared, rollback_end_lsn, rollback_time
}

/// What can be acknowledged: the end of a transaction, as it was received, or a message outside of any.
pub trait Acknowledge: sealed::Sealed {
    /// Everything up to here is acknowledged with it. Nothing is with an event that ends nothing: one inside of a transaction,
    /// be it a message.
    ///
    /// Tells a sink where in a batch the last transaction ends that is complete:
    ///
    /// ```
    /// use walferry::Event;
    /// use walferry::event::Acknowledge;
    ///
    /// fn complete(events: &[Event]) -> &[Event] {
    ///     let end = events.iter().rposition(|event| event.position().is_some()).map_or(0, |last| last + 1);
    ///     &events[..end]
    /// }
    /// # assert!(complete(&[]).is_empty());
    /// ```
    fn position(&self) -> Option<Lsn>;
}

impl Acknowledge for Commit {
    #[inline]
    fn position(&self) -> Option<Lsn> {
        Some(self.end_lsn)
    }
}

impl Acknowledge for LogicalMessage {
    #[inline]
    fn position(&self) -> Option<Lsn> {
        (!self.transactional).then_some(self.lsn)
    }
}

impl Acknowledge for Event {
    #[inline]
    fn position(&self) -> Option<Lsn> {
        match self {
            Self::Commit(commit) => commit.position(),
            Self::Prepare(prepare) => prepare.position(),
            Self::CommitPrepared(commit) => commit.position(),
            Self::RollbackPrepared(rollback) => rollback.position(),
            Self::Message(message) => message.position(),
            Self::Begin(_) | Self::Change(_) => None,
        }
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else implements it")]
    pub trait Sealed {}
    impl Sealed for super::Commit {}
    impl Sealed for super::Prepare {}
    impl Sealed for super::CommitPrepared {}
    impl Sealed for super::RollbackPrepared {}
    impl Sealed for super::LogicalMessage {}
    impl Sealed for super::Event {}
}

/// A change of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A row that was there before the stream began.
    Snapshot {
        /// The row.
        row: Row,
    },
    /// A row was inserted.
    Insert {
        /// The row.
        new: Row,
    },
    /// A row was updated.
    Update {
        /// The row as it was: always under full replica identity, otherwise only when the key changed (or is stored
        /// out of line). None means that the key in `new` is also the old one.
        old: Option<OldRow>,
        /// The row as it is. Its [`Unchanged`](crate::pgoutput::Datum::Unchanged) columns keep what they hold.
        new: Row,
    },
    /// A row was deleted.
    Delete {
        /// The row as it was.
        old: OldRow,
    },
    /// Tables were emptied in one statement.
    Truncate {
        /// The tables, as they are from here on.
        relations: Vec<Arc<Relation>>,
        /// Whether the statement said CASCADE; the published tables that it reached are in the list.
        cascade: bool,
        /// Whether it said RESTART IDENTITY.
        restart_identity: bool,
    },
}

/// What is known of a row as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "complete by protocol definition")]
pub enum OldRow {
    /// The columns of the replica identity; all others are NULL here, whatever they were.
    Key(Row),
    /// The whole row.
    Full(Row),
}

impl OldRow {
    /// The row, whichever it is.
    pub fn row(&self) -> &Row {
        match self {
            Self::Key(row) | Self::Full(row) => row,
        }
    }

    /// The value of a column as a Rust type, as [`Row::read`] gives it. What isn't part of a key was not sent, and is
    /// never taken for NULL.
    ///
    /// # Errors
    ///
    /// As [`Row::read`]; a column that isn't part of a [`Key`](Self::Key), where `T` is no [`Field`](crate::Field).
    pub fn read<'a, T: FromValue<'a>>(&'a self, column: impl ColumnIndex) -> Result<T, RowError> {
        self.cells().read(column)
    }

    pub(crate) fn cells(&self) -> Cells<'_> {
        match self {
            Self::Key(row) => Cells::new(row).key_only(),
            Self::Full(row) => Cells::new(row),
        }
    }

    /// A copy whose values have memory of their own: see [`Tuple::detach`](crate::pgoutput::Tuple::detach).
    #[must_use = "the row that was given still keeps its read buffer"]
    pub fn detach(&self) -> Self {
        match self {
            Self::Key(row) => Self::Key(row.detach()),
            Self::Full(row) => Self::Full(row.detach()),
        }
    }
}

impl Event {
    /// Bytes that its values take, as they were received.
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Change(change) => change.rows().map(|row| row.tuple().byte_len()).sum(),
            Self::Message(message) => message.prefix.len() + message.content.len(),
            Self::Begin(_)
            | Self::Commit(_)
            | Self::Prepare(_)
            | Self::CommitPrepared(_)
            | Self::RollbackPrepared(_) => 0,
        }
    }
}

impl Change {
    /// The rows that the change carries: the old one, if there is, then the new one.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        let (old, new) = match self {
            Self::Snapshot { row } => (None, Some(row)),
            Self::Insert { new } => (None, Some(new)),
            Self::Update { old, new } => (old.as_ref(), Some(new)),
            Self::Delete { old } => (Some(old), None),
            Self::Truncate { .. } => (None, None),
        };
        old.map(OldRow::row).into_iter().chain(new)
    }

    /// The tables that the change concerns.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        let truncated = match self {
            Self::Truncate { relations, .. } => relations.as_slice(),
            _ => &[],
        };
        self.rows().last().map(Row::relation).into_iter().chain(truncated)
    }
}
