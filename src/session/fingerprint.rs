//! Which history a position belongs to, and whether a slot can be gone on with from there.

use crate::Lsn;

/// Where a consumer stands, and in whose history: what a sink keeps beside its data, to go on from.
///
/// A position says nothing by itself: another server, a restored backup or a slot made anew has positions, too, and going on
/// there would leave out changes without a word. [`check`](Self::check) tells.
///
/// ```
/// use walferry::Lsn;
/// use walferry::session::{Fingerprint, SourceChanged, SourceState};
///
/// let kept = Fingerprint {
///     system_id: 7_345_678_901_234_567_890,
///     timeline: 1,
///     database: "shop".into(),
///     slot: "shop_changes".into(),
///     resume_lsn: Lsn::new(0x100),
/// };
/// let found = SourceState { wal_end: Lsn::new(0x900), confirmed_flush_lsn: Some(Lsn::new(0x500)), ..SourceState::of(&kept) };
/// assert!(matches!(kept.check(&found), Err(SourceChanged::SlotAhead { .. })));
/// ```
///
/// With the feature `serde` it is a map of its fields, `resume_lsn` as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "sinks store all of it, and make it again")]
pub struct Fingerprint {
    /// Unique for each `initdb`; the same on a primary and its standbys.
    pub system_id: u64,
    /// Grows with each promotion; 0 if it isn't known, as of a consumer that has begun with an old capture.
    pub timeline: u32,
    /// The database that the slot belongs to.
    pub database: String,
    /// The slot.
    pub slot: String,
    /// The end of the last transaction that is durable at the consumer, or a later position up to which there was
    /// nothing for it.
    pub resume_lsn: Lsn,
}

/// What a server says of itself before a stream begins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever drives a session by other means makes it")]
pub struct SourceState {
    /// Unique for each `initdb`.
    pub system_id: u64,
    /// The timeline that it is on.
    pub timeline: u32,
    /// How its timeline came to be: each earlier one, and where it was left. From the command `TIMELINE_HISTORY`.
    pub history: Vec<TimelineSwitch>,
    /// The database of the connection.
    pub database: String,
    /// The slot.
    pub slot: String,
    /// How far its WAL is on disk.
    pub wal_end: Lsn,
    /// Where the slot stands; `None` when that can't be known.
    pub confirmed_flush_lsn: Option<Lsn>,
}

/// The end of a timeline in the history of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever drives a session by other means makes it")]
pub struct TimelineSwitch {
    /// The timeline that was left.
    pub timeline: u32,
    /// Where: what was written behind it on that timeline is not in this history.
    pub end_lsn: Lsn,
}

impl TimelineSwitch {
    /// Reads a timeline history file: lines of a timeline, a position and a reason.
    ///
    /// Lines that are something else are left out, as the server does with comments.
    pub fn read_history(text: &str) -> Vec<Self> {
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            let timeline = words.next()?.parse().ok()?;
            Some(Self { timeline, end_lsn: words.next()?.parse().ok()? })
        };
        text.lines().filter_map(line).collect()
    }
}

impl SourceState {
    /// A server that is just where a consumer stands.
    pub fn of(kept: &Fingerprint) -> Self {
        Self {
            system_id: kept.system_id,
            timeline: kept.timeline,
            history: Vec::new(),
            database: kept.database.clone(),
            slot: kept.slot.clone(),
            wal_end: kept.resume_lsn,
            confirmed_flush_lsn: Some(kept.resume_lsn),
        }
    }

    /// What a consumer that begins here has to keep.
    pub fn fingerprint(&self, resume_lsn: Lsn) -> Fingerprint {
        Fingerprint {
            system_id: self.system_id,
            timeline: self.timeline,
            database: self.database.clone(),
            slot: self.slot.clone(),
            resume_lsn,
        }
    }
}

/// How a slot that can be gone on with stands to what is durable at the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// At the same position.
    Level,
    /// Behind it: the server has forgotten what was acknowledged last, as it may after a crash, or never heard of it. What
    /// comes again is left out.
    Rewound,
}

impl Fingerprint {
    const UNKNOWN_TIMELINE: u32 = 0;

    /// Whether the consumer can go on with this source, and nothing would be left out in between.
    ///
    /// # Errors
    ///
    /// What has happened to the source; see [`SourceChanged::hint`].
    pub fn check(&self, found: &SourceState) -> Result<Standing, SourceChanged> {
        if self.system_id != found.system_id {
            return Err(SourceChanged::OtherSystem { kept: self.system_id, found: found.system_id });
        }
        if self.database != found.database {
            let (kept, found) = (self.database.clone(), found.database.clone());
            return Err(SourceChanged::OtherDatabase { kept, found });
        }
        if self.slot != found.slot {
            let (kept, found) = (self.slot.clone(), found.slot.clone());
            return Err(SourceChanged::OtherSlot { kept, found });
        }
        self.check_timeline(found)?;
        let resume_lsn = self.resume_lsn;
        if found.wal_end < resume_lsn {
            return Err(SourceChanged::Restored { resume_lsn, wal_end: found.wal_end });
        }
        match found.confirmed_flush_lsn {
            Some(confirmed_flush_lsn) if confirmed_flush_lsn > resume_lsn => {
                Err(SourceChanged::SlotAhead { resume_lsn, confirmed_flush_lsn })
            }
            Some(confirmed) if confirmed < resume_lsn => Ok(Standing::Rewound),
            _ => Ok(Standing::Level),
        }
    }

    fn check_timeline(&self, found: &SourceState) -> Result<(), SourceChanged> {
        if self.timeline == found.timeline || self.timeline == Self::UNKNOWN_TIMELINE {
            return Ok(());
        }
        let left = found.history.iter().find(|switch| switch.timeline == self.timeline);
        match left {
            Some(left) if self.resume_lsn <= left.end_lsn => Ok(()),
            Some(left) => Err(SourceChanged::PromotedBehind {
                resume_lsn: self.resume_lsn,
                timeline: found.timeline,
                promoted_at: left.end_lsn,
            }),
            None => Err(SourceChanged::OtherTimeline { kept: self.timeline, found: found.timeline }),
        }
    }
}

/// The source is not the one that the consumer has followed up to now: going on would leave out changes, or mix
/// histories.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceChanged {
    /// Another cluster answers.
    #[error(
        "the source is another server: its system identifier is {found}, and the sink has followed {kept}"
    )]
    OtherSystem {
        /// The system identifier that the sink has kept.
        kept: u64,
        /// That of the server.
        found: u64,
    },
    /// The same cluster, another database.
    #[error("the source is another database: {found:?}, and the sink has followed {kept:?}")]
    OtherDatabase {
        /// The database that the sink has kept.
        kept: String,
        /// That of the connection.
        found: String,
    },
    /// Another slot.
    #[error("the slot is another one: {found:?}, and the sink has followed {kept:?}")]
    OtherSlot {
        /// The slot that the sink has kept.
        kept: String,
        /// The one that was asked for.
        found: String,
    },
    /// The server has never been on the timeline that was followed.
    #[error(
        "the source is on timeline {found}, whose history has no timeline {kept}, which the sink has followed: it was \
         restored from a backup, or is the old primary of a failover"
    )]
    OtherTimeline {
        /// The timeline that the sink has kept.
        kept: u32,
        /// That of the server.
        found: u32,
    },
    /// A standby was promoted that had not received everything which the sink has.
    #[error(
        "the source was promoted to timeline {timeline} at {promoted_at}, behind which the sink has changes up to \
         {resume_lsn}: they are lost on the source"
    )]
    PromotedBehind {
        /// Up to where the sink has everything.
        resume_lsn: Lsn,
        /// The timeline of the server.
        timeline: u32,
        /// Where that timeline began.
        promoted_at: Lsn,
    },
    /// The server has not written as much as the sink has received. One that was restored on the same timeline and has
    /// written more than it lost by then can't be told by this: start it as a standby and promote it, as backups are.
    #[error(
        "the source's WAL ends at {wal_end}, and the sink has changes up to {resume_lsn}: it was restored from a \
         backup or a copy of its disk"
    )]
    Restored {
        /// Up to where the sink has everything.
        resume_lsn: Lsn,
        /// Where the WAL of the server ends.
        wal_end: Lsn,
    },
    /// The slot begins behind what the sink has: what is between will never come.
    #[error(
        "the slot stands at {confirmed_flush_lsn}, and the sink has changes up to {resume_lsn} only: the slot was made \
         anew, or somebody else has acknowledged what is between, and that will not come again"
    )]
    SlotAhead {
        /// Up to where the sink has everything.
        resume_lsn: Lsn,
        /// Where the slot stands.
        confirmed_flush_lsn: Lsn,
    },
}

impl SourceChanged {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OtherSystem { .. } | Self::OtherDatabase { .. } => {
                "connect to the server and database that the sink belongs to, or copy everything anew into an empty sink"
            }
            Self::OtherSlot { .. } => {
                "give the slot that the sink belongs to, or copy everything anew into an empty sink"
            }
            Self::OtherTimeline { .. } => {
                "connect to the server that is the primary now, or copy everything anew into an empty sink"
            }
            Self::PromotedBehind { .. } | Self::Restored { .. } => {
                "the sink has what the source has lost: compare both, then copy everything anew into an empty sink"
            }
            Self::SlotAhead { .. } => {
                "copy everything anew into an empty sink; give each consumer a slot of its own"
            }
        }
    }
}

#[cfg(test)]
mod tests;
