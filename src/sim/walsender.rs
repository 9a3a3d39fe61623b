//! The server's end of one connection: answers questions, then streams.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::decoding::Decoding;
use super::dice::Dice;
use super::network::{Fate, Inbox, Outbox, Trouble, line, unsplit};
use super::plan::Bug;
use super::server::Phase;
use super::wal::{Record, time_at};
use super::world::{State, World};
use crate::Lsn;
use crate::frame::{PrimaryKeepalive, StandbyStatusUpdate, XLogData};
use crate::pgoutput::Message;

/// Serves one client until the end.
pub(crate) async fn serve(world: Arc<World>, pipe: DuplexStream, number: u64) {
    let fate = Fate::of(&world.plan, number);
    let generation = world.state().server.generation;
    let (mut inbox, mut outbox) = line(&world, pipe, &fate, number);
    let served = async {
        let trouble = match session(&world, &mut inbox, &mut outbox, number).await {
            Ok(()) => Trouble::Ended,
            Err(trouble) => trouble,
        };
        world.note(|| format!("connection {number} ends: {trouble:?}"));
        world.state().seen.insert(trouble.name());
        trouble
    };
    let died = world.until(|state| state.server.generation != generation);
    let trouble = tokio::select! {
        biased;
        () = died => Trouble::Ended,
        trouble = served => trouble,
    };
    let is_unnoticed = trouble == Trouble::Hole || trouble == Trouble::HungUp && fate.lingers;
    if trouble == Trouble::Hole {
        world.state().attic.push(unsplit(inbox, outbox));
    } else {
        drop((inbox, outbox));
    }
    if is_unnoticed {
        tokio::time::sleep(world.plan.wal_sender_timeout).await;
    }
    world.change(|state| {
        let slot = &mut state.server.slot;
        slot.active = slot.active.filter(|active| *active != number);
    });
}

/// Commands, and the stream between them.
async fn session(
    world: &Arc<World>,
    inbox: &mut Inbox,
    outbox: &mut Outbox,
    number: u64,
) -> Result<(), Trouble> {
    loop {
        let (tag, payload) = inbox.message().await?;
        if tag != b'Q' {
            return Ok(());
        }
        let query = String::from_utf8_lossy(&payload).into_owned();
        let query = query.trim_end_matches('\0');
        if query.starts_with("START_REPLICATION") {
            match world.change(|state| start(state, query, number)) {
                Ok(start_point) => {
                    outbox.send(&message(b'W', &[0; 3])).await?;
                    stream(world, inbox, outbox, start_point).await?;
                    world.change(|state| state.server.slot.active = None);
                }
                Err(refusal) => outbox.send(&[refusal, ready()].concat()).await?,
            }
        } else {
            let answer = answer(&mut world.state(), query, world.plan.wal_sender_timeout);
            outbox.send(&answer).await?;
        }
    }
}

fn answer(state: &mut State, query: &str, timeout: Duration) -> Vec<u8> {
    let server = &state.server;
    let wal_end = server.wal.end.to_string();
    let mut rows = Vec::new();
    if query == "IDENTIFY_SYSTEM" {
        let (system, timeline) = (server.system_id.to_string(), server.wal.timeline.to_string());
        rows = row(&[Some(&system), Some(&timeline), Some(&wal_end), Some(server.database)]);
        state.asked();
    } else if query.starts_with("TIMELINE_HISTORY") {
        let line = |switch: &crate::session::TimelineSwitch| {
            format!("{}\t{}\tno reason\n", switch.timeline, switch.end_lsn)
        };
        let history: String = server.wal.history.iter().map(line).collect();
        rows = row(&[Some("history"), Some(&history)]);
    } else if query.starts_with("SELECT plugin") && server.slot.exists {
        let confirmed = server.slot.confirmed.to_string();
        let status = if server.slot.is_invalidated { "lost" } else { "reserved" };
        let pid = server.slot.active.map(|active| (1000 + active).to_string());
        let database = Some(server.database);
        let (pid, confirmed) = (pid.as_deref(), Some(confirmed.as_str()));
        let flags = [Some("f"), Some("f"), Some("f"), None];
        let first = [Some("pgoutput"), database, pid, confirmed, confirmed, Some(status)];
        rows = row(&[&first[..], &flags[..]].concat());
    } else if query.starts_with("SELECT setting") {
        rows = row(&[Some(&timeout.as_millis().to_string())]);
    }
    [rows, ready()].concat()
}

/// Gives the slot to this connection, and the position from which on is sent.
fn start(state: &mut State, command: &str, number: u64) -> Result<Lsn, Vec<u8>> {
    let server = &mut state.server;
    let requested = command.split(' ').nth(4).and_then(|lsn| lsn.parse().ok()).unwrap_or(Lsn::ZERO);
    if server.phase != Phase::Up {
        return Err(error("57P03", "the database system is shutting down"));
    }
    if !server.slot.exists {
        return Err(error("42704", "replication slot \"s\" does not exist"));
    }
    if server.slot.active.is_some() {
        state.seen.insert("slot in use");
        return Err(error("55006", "replication slot \"s\" is active for PID 1"));
    }
    if server.slot.is_invalidated {
        return Err(error("55000", "can no longer access replication slot \"s\""));
    }
    server.slot.active = Some(number);
    let start_point = requested.max(server.slot.confirmed);
    Ok(start_point)
}

/// What the two halves of a stream know of each other.
struct Shared {
    last_heard: Instant,
    /// The client asks for an answer.
    is_asked: bool,
    /// It wants nothing more.
    is_done: bool,
    flushed: Lsn,
    /// Up to where everything was sent.
    sent: Lsn,
    /// The last position that a keepalive spoke of.
    said: Lsn,
}

struct Walsender<'a> {
    world: &'a Arc<World>,
    shared: Mutex<Shared>,
    wake: Notify,
}

async fn stream(
    world: &Arc<World>,
    inbox: &mut Inbox,
    outbox: &mut Outbox,
    start_point: Lsn,
) -> Result<(), Trouble> {
    let shared = Shared {
        last_heard: Instant::now(),
        is_asked: false,
        is_done: false,
        flushed: Lsn::ZERO,
        sent: start_point,
        said: Lsn::ZERO,
    };
    world.note(|| format!("streaming from {start_point}"));
    let sender = Walsender { world, shared: Mutex::new(shared), wake: Notify::new() };
    let ended = tokio::select! {
        biased;
        trouble = sender.listen(inbox) => Err(trouble),
        trouble = sender.watch() => Err(trouble),
        ended = sender.talk(outbox, start_point) => ended,
    };
    if ended.is_err() || !sender.shared().is_done {
        return ended.and(Err(Trouble::Ended));
    }
    let done =
        [message(b'c', &[]), message(b'C', b"COPY 0\0"), message(b'C', b"START_REPLICATION\0"), ready()];
    outbox.send(&done.concat()).await
}

impl Walsender<'_> {
    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in status updates, and holds each to the law.
    async fn listen(&self, inbox: &mut Inbox) -> Trouble {
        loop {
            let (tag, payload) = match inbox.message().await {
                Ok(message) => message,
                Err(trouble) => return trouble,
            };
            self.shared().last_heard = Instant::now();
            match tag {
                b'd' => match StandbyStatusUpdate::decode(&payload) {
                    Ok(status) => self.status(status),
                    Err(error) => self.world.state().judge.find(format!("a broken status update: {error}")),
                },
                b'c' => {
                    self.shared().is_done = true;
                    self.wake.notify_one();
                    // The rest is for the next command.
                    return std::future::pending().await;
                }
                _ => return Trouble::HungUp,
            }
            self.wake.notify_one();
        }
    }

    fn status(&self, mut status: StandbyStatusUpdate) {
        let mut shared = self.shared();
        if self.world.plan.bug == Some(Bug::ConfirmsKeepalives) {
            status.flushed = status.flushed.max(shared.said);
            (status.applied, status.written) = (status.flushed, status.written.max(status.flushed));
        }
        shared.is_asked |= status.reply_requested;
        shared.flushed = if status.flushed == Lsn::ZERO { status.written } else { status.flushed };
        self.world.note(|| format!("status: written {}, flushed {}", status.written, status.flushed));
        self.world.change(|state| {
            state.judge.status(&status, &state.server, &state.disk);
            if status.flushed != Lsn::ZERO {
                state.goes_on();
            }
            let slot = &mut state.server.slot;
            slot.confirmed = slot.confirmed.max(status.flushed);
        });
    }

    /// Gives up on a client that is silent for too long: one that lives never is.
    async fn watch(&self) -> Trouble {
        let timeout = self.world.plan.wal_sender_timeout;
        loop {
            let deadline = self.shared().last_heard + timeout;
            if Instant::now() >= deadline {
                self.world.state().judge.find("the client was silent for too long");
                return Trouble::Silence;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }

    async fn talk(&self, outbox: &mut Outbox, start_point: Lsn) -> Result<(), Trouble> {
        let (terminated, manner) = {
            let server = &self.world.state().server;
            (server.terminated, server.manner)
        };
        let mut decoding = Decoding::new(manner, start_point);
        let mut dice = Dice::part(self.world.plan.seed, u64::from(start_point));
        let mut next = 0;
        self.keepalive(outbox, start_point, false).await?;
        loop {
            while let Some((record, messages)) = self.decoded(&mut decoding, next) {
                next += 1;
                self.send(outbox, &record, messages, &mut dice).await?;
                if self.shared().is_done {
                    return Ok(());
                }
                if self.world.state().server.terminated != terminated {
                    return self.terminate(outbox).await;
                }
            }
            if self.shared().is_done {
                return Ok(());
            }
            if self.is_to_stop() {
                return outbox.send(&message(b'C', b"COPY 0\0")).await;
            }
            self.rest(outbox, next, terminated, &mut dice).await?;
            if self.world.state().server.terminated != terminated {
                return self.terminate(outbox).await;
            }
        }
    }

    fn decoded(&self, decoding: &mut Decoding, next: usize) -> Option<(Record, Vec<Message>)> {
        let state = self.world.state();
        let record = state.server.wal.records.get(next)?;
        let messages = decoding.decode(record, &state.server.wal);
        Some((record.clone(), messages))
    }

    async fn send(
        &self,
        outbox: &mut Outbox,
        record: &Record,
        messages: Vec<Message>,
        dice: &mut Dice,
    ) -> Result<(), Trouble> {
        let is_whole = matches!(messages.first(), Some(Message::Begin(_) | Message::BeginPrepare(_)));
        let mut left = messages.len();
        for content in messages {
            left -= 1;
            let start = if matches!(content, Message::Relation(..)) { Lsn::ZERO } else { record.start };
            outbox.send(&data(&content, start)).await?;
            if dice.one_in(25) {
                // Inside of a transaction, a server names the place where its last record begins. One that names the end
                // of that doesn't say that the client has the transaction.
                let is_further = is_whole && left > 0 && dice.one_in(2);
                let wal_end = if is_further { record.end } else { record.start };
                self.keepalive(outbox, wal_end, dice.one_in(2)).await?;
            }
        }
        let mut shared = self.shared();
        shared.sent = shared.sent.max(record.end);
        Ok(())
    }

    /// Everything was sent: waits for more, and says meanwhile how far it is.
    async fn rest(
        &self,
        outbox: &mut Outbox,
        next: usize,
        terminated: u64,
        dice: &mut Dice,
    ) -> Result<(), Trouble> {
        let (sent, is_asked, is_behind) = {
            let mut shared = self.shared();
            let is_asked = std::mem::take(&mut shared.is_asked);
            (shared.sent, is_asked, shared.flushed < shared.sent && shared.said < shared.sent)
        };
        if is_asked || is_behind {
            self.keepalive(outbox, sent, dice.one_in(6)).await?;
        }
        let is_stopping = self.world.state().server.phase == Phase::Stopping;
        let more = self.world.until(|state| {
            let server = &state.server;
            server.wal.records.len() > next
                || server.terminated != terminated
                || (server.phase == Phase::Stopping) != is_stopping
        });
        let ping = {
            let half = self.world.plan.wal_sender_timeout / 2;
            let at = self.shared().last_heard + half;
            if is_stopping {
                Instant::now() + Duration::from_secs(1)
            } else {
                at.max(Instant::now() + half / 4)
            }
        };
        tokio::select! {
            biased;
            () = more => Ok(()),
            () = self.wake.notified() => Ok(()),
            () = tokio::time::sleep_until(ping) => self.keepalive(outbox, sent, true).await,
        }
    }

    async fn keepalive(
        &self,
        outbox: &mut Outbox,
        wal_end: Lsn,
        reply_requested: bool,
    ) -> Result<(), Trouble> {
        let keepalive = PrimaryKeepalive { wal_end, clock: time_at(wal_end), reply_requested };
        outbox.send(&message(b'd', &keepalive.encode())).await?;
        let mut shared = self.shared();
        shared.said = shared.said.max(wal_end);
        Ok(())
    }

    /// Whether the server shuts down, and this client has everything.
    fn is_to_stop(&self) -> bool {
        let shared = self.shared();
        self.world.state().server.phase == Phase::Stopping && shared.flushed >= shared.sent
    }

    async fn terminate(&self, outbox: &mut Outbox) -> Result<(), Trouble> {
        outbox.send(&error("57P01", "terminating connection due to administrator command")).await?;
        Err(Trouble::Ended)
    }
}

fn data(content: &Message, start: Lsn) -> Vec<u8> {
    let data = XLogData { start, end: start, clock: time_at(start), payload: content.encode() };
    message(b'd', &data.encode())
}

fn message(tag: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    bytes.put_u8(tag);
    bytes.put_u32(u32::try_from(payload.len() + 4).unwrap_or(u32::MAX));
    bytes.put_slice(payload);
    Bytes::from(bytes).into()
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

fn row(columns: &[Option<&str>]) -> Vec<u8> {
    let mut payload = BytesMut::new();
    payload.put_u16(u16::try_from(columns.len()).unwrap_or(u16::MAX));
    for column in columns {
        match column {
            None => payload.put_i32(-1),
            Some(text) => {
                payload.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
                payload.put_slice(text.as_bytes());
            }
        }
    }
    message(b'D', &payload)
}

fn error(sqlstate: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0VFATAL\0C{sqlstate}\0M{text}\0\0").as_bytes())
}
