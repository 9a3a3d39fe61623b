use std::io;

use crate::pgoutput::DecodeError;
use crate::{Lsn, RelationId, Xid};

/// Well-formed messages in an order in which no server sends them, or more of them than may be held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The message can't stand here.
    #[error("message '{}' can't stand {place}", message.escape_ascii())]
    Unexpected {
        /// Its tag.
        message: u8,
        /// Where it stood.
        place: &'static str,
    },
    /// The Commit belongs to another transaction than the Begin.
    #[error("the transaction that began commits at {begun}, but the Commit that follows is at {committed}")]
    OtherCommit {
        /// Where the Begin says the transaction commits.
        begun: Lsn,
        /// Where the Commit says so.
        committed: Lsn,
    },
    /// A change of a relation that was not announced.
    #[error("a change of relation {0}, which no Relation message announced")]
    UnknownRelation(RelationId),
    /// A row that doesn't fit its relation.
    #[error("a row of relation {relation_id} has {found} columns; the relation has {expected}")]
    ColumnCount {
        /// The relation.
        relation_id: RelationId,
        /// The relation's columns.
        expected: usize,
        /// The row's columns.
        found: usize,
    },
    /// A block or the commit of a transaction in progress whose first block was not sent on this connection.
    #[error("transaction {0} goes on, but its first block never came")]
    UnknownStream(Xid),
    /// The transactions in progress are larger than the limit.
    #[error(
        "transactions in progress hold {needed} bytes, more than the memory limit of {limit}: raise it, give the \
         assembler files to keep them in, or start the stream with streaming off, which leaves them with the server \
         until they commit"
    )]
    MemoryLimit {
        /// The limit.
        limit: usize,
        /// What they need.
        needed: usize,
    },
    /// A transaction in progress can't be kept in a file, or be read back.
    #[error(
        "a transaction in progress can't be kept in a file: {message}; see to room and rights in the folder of such \
         files, or choose another"
    )]
    Spill {
        /// What the system says.
        kind: io::ErrorKind,
        /// The same, in words.
        message: String,
    },
}

impl Violation {
    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    #[cold]
    pub(super) fn spill(source: io::Error) -> Self {
        Self::Spill { kind: source.kind(), message: source.to_string() }
    }

    /// What was read back is not what was written.
    #[cold]
    pub(super) fn damaged_spill(source: &DecodeError) -> Self {
        Self::Spill { kind: io::ErrorKind::InvalidData, message: source.to_string() }
    }
}
