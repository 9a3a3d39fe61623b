//! The line between a client and the server: how its bytes are split, when they come, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};

use super::dice::Dice;
use super::plan::Plan;
use super::world::World;

/// What becomes of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Fate {
    /// The most bytes that go at once.
    chunk: usize,
    delay: Duration,
    /// After how many bytes to the client, or from it, the line ends.
    to_client: Option<(usize, Trouble)>,
    from_client: Option<(usize, Trouble)>,
    /// The server learns by its timeout alone that the client is gone.
    pub(crate) lingers: bool,
    /// There is no server at that address just now.
    pub(crate) is_refused: bool,
}

/// Why a line is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Both ends learn of it.
    Cut,
    /// Nothing comes or goes, and nobody is told.
    Hole,
    /// The other end hung up.
    HungUp,
    /// The client was silent for too long.
    Silence,
    /// The server ends it.
    Ended,
}

impl Trouble {
    /// In a word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Hole => "hole",
            Self::HungUp => "hung up",
            Self::Silence => "silence",
            Self::Ended => "ended",
        }
    }
}

impl Fate {
    pub(crate) fn of(plan: &Plan, connection: u64) -> Self {
        let mut dice = Dice::part(plan.seed, 1000 + connection);
        let chunk = dice.pick(&[1 << 16, 1 << 16, 1 << 16, 300, 40, 7]);
        let good = Self {
            chunk,
            delay: Duration::ZERO,
            to_client: None,
            from_client: None,
            lingers: false,
            is_refused: false,
        };
        if connection >= plan.unlucky {
            return good;
        }
        let trouble = |dice: &mut Dice| if dice.one_in(4) { Trouble::Hole } else { Trouble::Cut };
        Self {
            delay: if dice.one_in(2) { dice.millis(30) } else { Duration::ZERO },
            // The questions before the stream take some hundred bytes.
            to_client: dice.one_in(2).then(|| (dice.below(2500), trouble(&mut dice))),
            from_client: dice.one_in(3).then(|| (dice.below(2200), trouble(&mut dice))),
            lingers: dice.one_in(3),
            is_refused: dice.one_in(8),
            ..good
        }
    }
}

/// What goes to the client.
pub(crate) struct Outbox {
    world: Arc<World>,
    half: WriteHalf<DuplexStream>,
    fate: Fate,
    dice: Dice,
    sent: usize,
}

/// What comes from it.
pub(crate) struct Inbox {
    world: Arc<World>,
    half: ReadHalf<DuplexStream>,
    fate: Fate,
    received: usize,
    buffer: BytesMut,
}

/// Both ways of a line, as the server has them.
pub(crate) fn line(world: &Arc<World>, pipe: DuplexStream, fate: &Fate, number: u64) -> (Inbox, Outbox) {
    let (read, write) = tokio::io::split(pipe);
    let dice = Dice::part(world.plan.seed, 2000 + number);
    let outbox = Outbox { world: Arc::clone(world), half: write, fate: fate.clone(), dice, sent: 0 };
    let buffer = BytesMut::new();
    let inbox = Inbox { world: Arc::clone(world), half: read, fate: fate.clone(), received: 0, buffer };
    (inbox, outbox)
}

/// The line in one piece, to keep it open.
pub(crate) fn unsplit(inbox: Inbox, outbox: Outbox) -> DuplexStream {
    inbox.half.unsplit(outbox.half)
}

impl Outbox {
    pub(crate) async fn send(&mut self, mut bytes: &[u8]) -> Result<(), Trouble> {
        while !bytes.is_empty() {
            let mut len = 1 + self.dice.below(self.fate.chunk.min(bytes.len()));
            if self.fate.chunk >= 1 << 16 {
                len = bytes.len();
            }
            if let Some((after, trouble)) = self.fate.to_client {
                len = len.min(after.saturating_sub(self.sent));
                if len == 0 {
                    self.world.note(|| format!("the line fails to the client: {trouble:?}"));
                    return Err(trouble);
                }
            }
            if !self.fate.delay.is_zero() && self.dice.one_in(8) {
                tokio::time::sleep(self.fate.delay).await;
            }
            let (now, rest) = bytes.split_at(len);
            self.half.write_all(now).await.map_err(|_| Trouble::HungUp)?;
            self.sent += len;
            self.world.step(|| format!("{len} bytes to the client"));
            bytes = rest;
        }
        Ok(())
    }
}

impl Inbox {
    /// Tag and payload of the next message.
    pub(crate) async fn message(&mut self) -> Result<(u8, Bytes), Trouble> {
        loop {
            if let Some(message) = self.take() {
                return Ok(message);
            }
            if let Some((after, trouble)) = self.fate.from_client
                && self.received >= after
            {
                self.world.note(|| format!("the line fails from the client: {trouble:?}"));
                return Err(trouble);
            }
            let mut chunk = [0; 512];
            let most = self.fate.chunk.min(chunk.len());
            let most = self.fate.from_client.map_or(most, |(after, _)| most.min(after - self.received));
            let read = self.half.read(&mut chunk[..most]).await.map_err(|_| Trouble::HungUp)?;
            if read == 0 {
                return Err(Trouble::HungUp);
            }
            self.received += read;
            self.world.step(|| format!("{read} bytes from the client"));
            self.buffer.extend_from_slice(&chunk[..read]);
        }
    }

    fn take(&mut self) -> Option<(u8, Bytes)> {
        let length = self.buffer.get(1..5)?.try_into().ok().map(u32::from_be_bytes)?;
        let whole = 1 + usize::try_from(length).ok()?;
        if self.buffer.len() < whole {
            return None;
        }
        let mut message = self.buffer.split_to(whole).freeze();
        let tag = message.get_u8();
        message.advance(4);
        Some((tag, message))
    }
}
