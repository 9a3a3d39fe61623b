//! The file for changes that can't be applied: a capture of them.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ApplyError, ApplyErrorKind};
use crate::capture::{CaptureError, Context, Reader, Record, Writer};
use crate::event::{Begin, Change, Commit, OldRow};
use crate::frame::{Frame, XLogData};
use crate::pgoutput::{self, Decoder, Delete, Insert, Message, OldTuple, Relation, Update};
use crate::session::Fingerprint;
use crate::value::Types;
use crate::{Lsn, Oid, RelationId, Row, Timestamp};

/// The file, opened when it is needed first.
#[derive(Debug)]
pub(super) struct Quarantine {
    path: PathBuf,
    open: Option<Open>,
}

impl Quarantine {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Cuts off what the target has not committed.
    pub(super) async fn go_on(&mut self, progress: Option<&Fingerprint>) -> Result<(), ApplyError> {
        self.open = None;
        if std::fs::metadata(&self.path).map_or(true, |file| file.len() == 0) {
            return Ok(());
        }
        // A target that has committed nothing has none of these.
        let Some(progress) = progress.cloned() else { return Err(self.of_another()) };
        let path = self.path.clone();
        let cut = blocking(move || Ok(cut(&path, &progress)?.is_some())).await;
        let is_ours = cut.map_err(|source| failed(&self.path, source))?;
        if is_ours { Ok(()) } else { Err(self.of_another()) }
    }

    /// What was written of a transaction that is taken back is cut off when the file is opened next.
    pub(super) fn rollback(&mut self) {
        self.open = None;
    }

    /// Writes a change.
    pub(super) async fn add(
        &mut self,
        begin: &Begin,
        change: &Change,
        progress: &Fingerprint,
    ) -> Result<(), ApplyError> {
        if self.open.is_none() {
            self.open(progress).await?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        open.add(begin, change).map_err(|source| failed(&self.path, source))
    }

    /// Ends the transaction whose changes were written, if any were, and waits for the disk.
    pub(super) async fn seal(&mut self, commit: &Commit) -> Result<(), ApplyError> {
        let Some(mut open) = self.open.take_if(|open| open.in_transaction) else { return Ok(()) };
        let commit = *commit;
        let sealed = blocking(move || {
            open.seal(commit)?;
            Ok(open)
        });
        self.open = Some(sealed.await.map_err(|source| failed(&self.path, source))?);
        Ok(())
    }

    async fn open(&mut self, progress: &Fingerprint) -> Result<(), ApplyError> {
        let (path, progress) = (self.path.clone(), progress.clone());
        let opened = blocking(move || Open::at(&path, &progress)).await;
        let opened = opened.map_err(|source| failed(&self.path, source))?;
        self.open = Some(opened.ok_or_else(|| self.of_another())?);
        Ok(())
    }

    fn of_another(&self) -> ApplyError {
        ApplyError::new(ApplyErrorKind::OtherQuarantine { path: self.path.clone() })
    }
}

fn failed(path: &Path, source: CaptureError) -> ApplyError {
    ApplyError::new(ApplyErrorKind::Quarantine { path: path.to_owned(), source })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CaptureError> + Send + 'static,
) -> Result<T, CaptureError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panicked| Err(io::Error::other(panicked).into()))
}

#[derive(Debug)]
struct Open {
    writer: Writer<File>,
    /// What was said of tables and types since the file was opened.
    relations: HashMap<RelationId, Arc<Relation>>,
    types: Arc<Types>,
    in_transaction: bool,
}

impl Open {
    /// Opens the file behind what the target has committed; none if it is one of another stream.
    fn at(path: &Path, progress: &Fingerprint) -> Result<Option<Self>, CaptureError> {
        let Some((file, committed)) = cut(path, progress)? else { return Ok(None) };
        let context = context(progress);
        let writer = match committed {
            Some(position) => Writer::resume(file, &context, position)?,
            None => Writer::new(file, &context)?,
        };
        Ok(Some(Self { writer, relations: HashMap::new(), types: Arc::default(), in_transaction: false }))
    }

    fn add(&mut self, begin: &Begin, change: &Change) -> Result<(), CaptureError> {
        if !std::mem::replace(&mut self.in_transaction, true) {
            let Begin { commit_lsn, commit_time, xid, ref origin, .. } = *begin;
            self.append(commit_lsn, &Message::Begin(pgoutput::Begin { commit_lsn, commit_time, xid }))?;
            if let Some(origin) = origin {
                self.append(commit_lsn, &Message::Origin(origin.clone()))?;
            }
        }
        let Some(row) = change.rows().last() else { return Ok(()) };
        self.announce(row)?;
        match message(change) {
            Some(message) => self.append(begin.commit_lsn, &message),
            None => Ok(()),
        }
    }

    fn announce(&mut self, row: &Row) -> Result<(), CaptureError> {
        if !Arc::ptr_eq(&self.types, row.types()) {
            self.types = Arc::clone(row.types());
            self.writer.append_types(&self.types)?;
        }
        let relation = row.relation();
        if self.relations.get(&relation.id).is_some_and(|known| known == relation) {
            return Ok(());
        }
        let oids = relation.columns.iter().map(|column| column.type_oid);
        for oid in oids.filter(|oid| *oid >= Oid::FIRST_UNPINNED) {
            // Of a domain, the wire has the name of what it is over.
            if let Some(base) = row.types().base(oid) {
                let (schema, name) = (base.schema.to_string(), base.name.to_string());
                self.append(Lsn::ZERO, &Message::Type(None, pgoutput::Type { id: oid, schema, name }))?;
            }
        }
        self.relations.insert(relation.id, Arc::clone(relation));
        self.append(Lsn::ZERO, &Message::Relation(None, relation.as_ref().clone()))
    }

    fn seal(&mut self, commit: Commit) -> Result<(), CaptureError> {
        let Commit { commit_lsn, end_lsn, commit_time, .. } = commit;
        self.append(end_lsn, &Message::Commit(pgoutput::Commit { commit_lsn, end_lsn, commit_time }))?;
        self.in_transaction = false;
        self.writer.flush()?;
        Ok(self.writer.out().sync_data()?)
    }

    fn append(&mut self, start: Lsn, message: &Message) -> Result<(), CaptureError> {
        let clock = Timestamp::now();
        let frame = XLogData { start, end: start, clock, payload: message.encode() };
        Ok(self.writer.append(clock, &frame.encode())?)
    }
}

/// Opens the file, and cuts off what the target has not committed. Says where its last transaction ends; nothing of a new
/// file. None of it all, if the file is one of another stream.
fn cut(path: &Path, progress: &Fingerprint) -> Result<Option<(File, Option<Lsn>)>, CaptureError> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    if file.metadata()?.len() == 0 {
        sync_folder(path)?;
        return Ok(Some((file, None)));
    }
    let Some((end, position)) = committed(&file, &context(progress), progress.resume_lsn)? else {
        return Ok(None);
    };
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    Ok(Some((file, Some(position))))
}

fn context(progress: &Fingerprint) -> Context {
    Context {
        system_id: progress.system_id.to_string(),
        timeline: progress.timeline,
        database: progress.database.clone(),
        slot: format!("{} quarantine", progress.slot),
        ..Context::default()
    }
}

/// Where the file ends with what was committed up to `lsn`, and the end of the last transaction there; none if the file is
/// one of another stream. A transaction ends with a block.
fn committed(file: &File, expected: &Context, lsn: Lsn) -> Result<Option<(u64, Lsn)>, CaptureError> {
    let mut reader = Reader::new(BufReader::new(file))?;
    let mut found = (reader.offset(), reader.seek(lsn)?);
    let mut decoder = Decoder::new();
    if found.1 > Lsn::ZERO {
        found.0 = reader.offset();
    }
    while let Some(record) = reader.next_record()? {
        match record {
            Record::Context(Context { system_id, database, slot, .. }) => {
                if (&system_id, &database, &slot) != (&expected.system_id, &expected.database, &expected.slot)
                {
                    return Ok(None);
                }
                decoder = Decoder::new();
            }
            Record::Frame { payload, .. } => {
                let Frame::XLogData(data) = Frame::decode(payload)? else { continue };
                if let Message::Commit(commit) = decoder.decode(data.payload)? {
                    if commit.end_lsn > lsn {
                        break;
                    }
                    found = (reader.offset(), commit.end_lsn);
                }
            }
            Record::Types(_) => {}
        }
    }
    Ok(Some(found))
}

/// A new file is durable when its name is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// The change as the server sent it.
fn message(change: &Change) -> Option<Message> {
    let relation_id = change.rows().last()?.relation().id;
    let tuple = |row: &Row| row.tuple().clone();
    let before = |old: &OldRow| match old {
        OldRow::Key(row) => OldTuple::Key(tuple(row)),
        OldRow::Full(row) => OldTuple::Full(tuple(row)),
    };
    Some(match change {
        Change::Insert { new } | Change::Snapshot { row: new } => {
            Message::Insert(Insert { xid: None, relation_id, new: tuple(new) })
        }
        Change::Update { old, new } => {
            let old = old.as_ref().map(before);
            Message::Update(Update { xid: None, relation_id, old, new: tuple(new) })
        }
        Change::Delete { old } => Message::Delete(Delete { xid: None, relation_id, old: before(old) }),
        Change::Truncate { .. } => return None,
    })
}

#[cfg(test)]
mod tests;
