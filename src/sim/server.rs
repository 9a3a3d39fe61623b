//! The simulated source: its log, its slot, and what happens to it.

use std::sync::Arc;
use std::time::Duration;

use super::decoding::Manner;
use super::dice::Dice;
use super::history::Action;
use super::judge::Changed;
use super::plan::{Happening, Incident, Plan, SourceChange};
use super::wal::Wal;
use super::world::{State, World};
use super::writer::Writer;
use crate::Lsn;

/// A server and its slot.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) system_id: u64,
    pub(crate) database: &'static str,
    pub(crate) wal: Wal,
    pub(crate) slot: Slot,
    pub(crate) phase: Phase,
    pub(crate) manner: Manner,
    /// Grows when all of its processes end.
    pub(crate) generation: u64,
    /// Grows when its walsenders are told to go.
    pub(crate) terminated: u64,
    writer: Writer,
    /// Whether nobody writes for now.
    is_frozen: bool,
    /// Whether everything of the history is written.
    pub(crate) is_written: bool,
    /// Whether everything has happened that was to happen.
    pub(crate) has_peace: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Up,
    /// It takes no new clients, and waits for the old ones.
    Stopping,
    Down,
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) exists: bool,
    pub(crate) is_invalidated: bool,
    pub(crate) is_made_anew: bool,
    /// Where it began.
    pub(crate) made_at: Lsn,
    pub(crate) confirmed: Lsn,
    /// What a crash leaves of that.
    persisted: Lsn,
    /// Which connection has it.
    pub(crate) active: Option<u64>,
}

impl Slot {
    fn new(at: Lsn) -> Self {
        Self {
            exists: true,
            is_invalidated: false,
            is_made_anew: false,
            made_at: at,
            confirmed: at,
            persisted: at,
            active: None,
        }
    }
}

impl Server {
    pub(crate) const SYSTEM_ID: u64 = 7_000_000_000_000_000_001;
    pub(crate) const DATABASE: &str = "shop";

    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            system_id: Self::SYSTEM_ID,
            database: Self::DATABASE,
            wal: Wal::new(plan.two_phase),
            slot: Slot::new(Wal::BEGINNING),
            phase: Phase::Up,
            manner: Manner {
                major: plan.major,
                streaming: plan.streaming,
                work_mem: plan.work_mem,
                two_phase: plan.two_phase,
            },
            generation: 0,
            terminated: 0,
            writer: Writer::new(Dice::part(plan.seed, 2)),
            is_frozen: false,
            is_written: false,
            has_peace: false,
        }
    }

    /// All processes are gone.
    fn fall(&mut self) {
        self.phase = Phase::Down;
        self.generation += 1;
        self.slot.active = None;
    }

    fn rise(&mut self) {
        // Whether a backup was restored can only be told as long as it hasn't written as much as was lost.
        if !self.is_frozen {
            self.writer.restart(&mut self.wal);
        }
        self.phase = Phase::Up;
    }

    pub(crate) fn beat(&mut self) {
        self.writer.beat(&mut self.wal);
    }

    /// It is not what it was. Gives whether writing stops for a while.
    fn change(&mut self, change: SourceChange) {
        match change {
            SourceChange::Promoted(records) | SourceChange::Restored(records) => {
                self.wal.forget(records);
                self.writer.forget_behind(self.wal.end);
                let slot = &mut self.slot;
                slot.confirmed = slot.persisted.min(self.wal.end);
                slot.persisted = slot.confirmed;
                if matches!(change, SourceChange::Promoted(_)) {
                    self.wal.promote();
                } else {
                    self.is_frozen = true;
                }
            }
            SourceChange::SlotDropped => self.slot.exists = false,
            SourceChange::SlotInvalidated => self.slot.is_invalidated = true,
            SourceChange::SlotMadeAnew => {
                self.slot =
                    Slot { is_made_anew: true, made_at: self.slot.made_at, ..Slot::new(self.wal.end) };
            }
            SourceChange::OtherSystem => self.system_id += 1,
            SourceChange::OtherDatabase => self.database = "Shop",
        }
    }
}

impl State {
    /// The source changes, if there is somebody who can tell.
    fn change_source(&mut self, plan: &Plan, change: SourceChange) {
        let can_tell = if plan.sink.is_exactly_once {
            self.disk.resume_lsn().is_some()
        } else {
            self.connections > 0 && self.server.slot.confirmed > self.server.slot.made_at
        };
        if can_tell {
            self.judge.changed = Some(Changed { before: self.server.wal.units.clone(), stored: None });
            self.server.change(change);
        }
    }

    /// Somebody asks who the server is.
    pub(crate) fn asked(&mut self) {
        let units = self.disk.units.len();
        if let Some(changed) = &mut self.judge.changed {
            changed.stored.get_or_insert(units);
        }
    }

    /// The client goes on with this source: from here on, no change of before is a reason to give up.
    pub(crate) fn goes_on(&mut self) {
        self.server.is_frozen = false;
        self.judge.changed.take_if(|changed| changed.stored.is_some());
    }
}

/// Writes the history, at its pace, while the server is up.
pub(crate) async fn write(world: Arc<World>) {
    for action in &world.plan.history.actions {
        if let Action::Pause(pause) = action {
            tokio::time::sleep(*pause).await;
            continue;
        }
        let is_up = |state: &mut State| state.server.phase == Phase::Up && !state.server.is_frozen;
        world.until(is_up).await;
        world.change(|state| {
            let server = &mut state.server;
            server.writer.act(*action, &mut server.wal);
            if *action == Action::Checkpoint {
                server.slot.persisted = server.slot.confirmed;
            }
        });
        let end = world.state().server.wal.end;
        world.note(|| format!("written {action:?}, up to {end}"));
    }
    world.change(|state| state.server.is_written = true);
}

/// Lets happen what was planned.
pub(crate) async fn befall(world: Arc<World>) {
    for Incident { at, what } in &world.plan.incidents {
        tokio::time::sleep(at.saturating_sub(world.elapsed())).await;
        world.note(|| format!("{what:?}"));
        match *what {
            Happening::Crash(down) => {
                world.change(|state| {
                    state.server.fall();
                    state.server.slot.confirmed = state.server.slot.persisted;
                });
                tokio::time::sleep(down).await;
                world.change(|state| state.server.rise());
            }
            Happening::Stop(down) => stop(&world, down).await,
            Happening::Terminate => world.change(|state| state.server.terminated += 1),
            Happening::Kill => world.change(|state| state.is_crashed = !state.is_closing),
            Happening::Restart => world.change(|state| state.is_shutdown = true),
            Happening::Change(change) => {
                world.change(|state| {
                    state.server.fall();
                    state.change_source(&world.plan, change);
                });
                tokio::time::sleep(Duration::from_secs(1)).await;
                world.change(|state| state.server.rise());
            }
        }
    }
    world.change(|state| state.server.has_peace = true);
}

/// A fast shutdown, which waits until its client has confirmed everything.
async fn stop(world: &World, down: Duration) {
    let stopping = |state: &mut State| state.server.phase = Phase::Stopping;
    world.change(stopping);
    world.until(|state| state.server.slot.active.is_none()).await;
    world.change(|state| {
        let Server { slot, manner, .. } = &mut state.server;
        // From 17 on the slot is written to disk then.
        if manner.major >= 17 {
            slot.persisted = slot.confirmed;
        }
        slot.confirmed = slot.persisted;
        state.server.fall();
    });
    tokio::time::sleep(down).await;
    world.change(|state| state.server.rise());
}
