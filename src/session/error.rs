use crate::Lsn;
use crate::assemble::Violation;
use crate::pgoutput::DecodeError;

/// A stream that can't be followed any further. Begin again from the last acknowledged position.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The stream holds bytes that no server sends.
    #[error("the stream near {near}")]
    Decode {
        /// A position close by.
        near: Lsn,
        /// What is wrong with them.
        source: DecodeError,
    },
    /// The stream's messages are in an order in which no server sends them, or more than may be held.
    #[error("the stream near {near}")]
    Violation {
        /// A position close by.
        near: Lsn,
        /// What is wrong.
        source: Violation,
    },
    /// The stream was to begin at a position that lies inside a transaction's end: it belongs to another history.
    #[error(
        "the position {resume_lsn} where the stream begins lies inside the end of a transaction ({commit_lsn} to \
         {end_lsn}), not between two: it belongs to another server, or to another history of this one"
    )]
    NotABoundary {
        /// Where the stream was to begin.
        resume_lsn: Lsn,
        /// Where the record of the transaction's end begins.
        commit_lsn: Lsn,
        /// The first byte behind it.
        end_lsn: Lsn,
    },
}
