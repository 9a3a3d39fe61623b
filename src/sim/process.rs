//! The process under test: a pipeline over the real stream, whose connections lead into the simulated world.

use std::future::{Future, ready};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::network::Fate;
use super::plan::Bug;
use super::server::Phase;
use super::storage::Storage;
use super::walsender;
use super::world::World;
use crate::connection::connected_over;
use crate::error::Error;
use crate::event::{Acknowledge as _, Event};
use crate::pipeline::{Monitor, Source, Statistics};
use crate::session::{Fingerprint, Positions};
use crate::{Connection, Lsn, Pipeline, ReplicationStream, StreamOptions};

/// One life of the process, from its start to its end.
pub(crate) async fn live(world: Arc<World>) -> Result<Statistics, Error> {
    let plan = &world.plan;
    {
        let mut state = world.state();
        state.disk.restart();
        state.judge.restart(plan.sink.is_exactly_once);
    }
    let connection = dial(&world).await?;
    let stream = connection.start_replication(options(&world)?).await?;
    let mut pipeline = Pipeline::new(Storage::new(&world))
        .batch_rows(plan.batch_rows)
        .batch_delay(plan.batch_delay)
        .jitter(plan.seed);
    if plan.heartbeat {
        pipeline = pipeline.heartbeat(Duration::from_secs(7));
    }
    let source = Tapped::new(&world, stream, pipeline.monitor());
    let shutdown = {
        let world = Arc::clone(&world);
        async move { world.until(|state| state.is_shutdown || state.is_closing).await }
    };
    world.state().is_running = true;
    Box::pin(pipeline.drive(source, shutdown)).await
}

fn options(world: &World) -> Result<StreamOptions, Error> {
    let plan = &world.plan;
    let slot = "s".parse().map_err(|_| Error::Misuse("a slot name"))?;
    Ok(StreamOptions::new(slot)
        .publication("p")
        .streaming(plan.streaming)
        .two_phase(plan.two_phase)
        .messages(true)
        .memory_limit(plan.memory_limit)
        .receive_timeout(plan.receive_timeout))
}

/// A new line to the server, if there is one.
async fn dial(world: &Arc<World>) -> Result<Connection, Error> {
    let (number, phase, major) = {
        let mut state = world.state();
        state.connections += 1;
        (state.connections - 1, state.server.phase, state.server.manner.major)
    };
    world.survive(|| format!("connection {number}")).await;
    if phase == Phase::Down || Fate::of(&world.plan, number).is_refused {
        let source = io::ErrorKind::ConnectionRefused.into();
        return Err(Error::Io { during: "connecting".to_owned(), source });
    }
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(walsender::serve(Arc::clone(world), theirs, number));
    Ok(connected_over(ours, &format!("{major}.1")))
}

/// The real stream, but for where its connections lead; and for a bug, if one is planned.
struct Tapped {
    world: Arc<World>,
    stream: ReplicationStream,
    monitor: Monitor,
    /// Where the last transaction that was seen commits, and whether this one is left out.
    last: Lsn,
    skip_up_to: Option<Lsn>,
    skipping: bool,
    is_reopened: bool,
}

impl Tapped {
    fn new(world: &Arc<World>, stream: ReplicationStream, monitor: Monitor) -> Self {
        let world = Arc::clone(world);
        Self {
            world,
            stream,
            monitor,
            last: Lsn::ZERO,
            skip_up_to: None,
            skipping: false,
            is_reopened: false,
        }
    }

    fn bug(&self, bug: Bug) -> bool {
        self.world.plan.bug == Some(bug)
    }

    /// What a client with a bug makes of an event.
    fn spoil(&mut self, event: Event) -> Option<Event> {
        if self.bug(Bug::AcknowledgesAtDelivery)
            && let Some(position) = event.position()
        {
            self.stream.acknowledge_up_to(position);
        }
        if let Event::Begin(begin) = &event {
            self.skipping = self.skip_up_to.is_some_and(|last| begin.commit_lsn <= last);
            self.last = self.last.max(begin.commit_lsn);
        }
        let is_left_out = self.skipping;
        if event.position().is_some() {
            self.skipping = false;
        }
        (!is_left_out).then_some(event)
    }
}

impl Source for Tapped {
    fn catch_up(&mut self, cx: &mut Context<'_>) {
        Source::catch_up(&mut self.stream, cx);
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        if self.bug(Bug::AcknowledgesWrites)
            && let Some(written) = self.world.state().disk.last_written
        {
            self.stream.acknowledge_up_to(written);
        }
        loop {
            let next = std::task::ready!(Source::poll_next(&mut self.stream, cx));
            let Some(Ok(event)) = next else { return Poll::Ready(next) };
            if let Some(event) = self.spoil(event) {
                return Poll::Ready(Some(Ok(event)));
            }
        }
    }

    fn keep_alive(&mut self) -> impl Future<Output = Error> + Send {
        Source::keep_alive(&mut self.stream)
    }

    fn resume(&mut self, kept: Option<&Fingerprint>) -> Result<Option<Fingerprint>, Error> {
        let Some(kept) = kept else { return Source::resume(&mut self.stream, None) };
        if self.bug(Bug::TrustsWhatItSaw) && self.is_reopened {
            return Ok(None);
        }
        let mut kept = kept.clone();
        if self.bug(Bug::TrustsARewoundSlot) {
            return Source::resume(&mut self.stream, None).map(|_| None);
        }
        if self.bug(Bug::KeepsNoIdlePosition) {
            return self.stream.resume(&kept).map(|_| None);
        }
        if self.bug(Bug::ResumesAtTheCommit) {
            kept.resume_lsn = self.world.state().disk.last_commit.unwrap_or(kept.resume_lsn);
        }
        if self.bug(Bug::SkipsAtTheResumePosition) {
            self.skip_up_to = Some(kept.resume_lsn);
        }
        Source::resume(&mut self.stream, Some(&kept))
    }

    fn idle(&self) -> Option<Fingerprint> {
        Source::idle(&self.stream)
    }

    fn idle_kept(&mut self, kept: &Fingerprint) {
        Source::idle_kept(&mut self.stream, kept);
    }

    async fn make_durable(&mut self) -> Result<(), Error> {
        Source::make_durable(&mut self.stream).await
    }

    fn acknowledge(&mut self, mut position: Lsn) {
        if self.bug(Bug::AcknowledgesMeanwhile) {
            position = self.stream.positions().delivered;
        }
        Source::acknowledge(&mut self.stream, position);
    }

    fn positions(&self) -> (Positions, u64) {
        self.world.state().judge.statistics(&self.monitor.statistics());
        Source::positions(&self.stream)
    }

    async fn reopen(&mut self) -> Result<Fingerprint, Error> {
        let world = Arc::clone(&self.world);
        let renewed = self.stream.reopen_with(async move { dial(&world).await }).await?;
        self.is_reopened = true;
        if self.bug(Bug::SkipsUpToTheLast) {
            self.skip_up_to = Some(self.last);
        }
        Ok(renewed)
    }

    /// A heartbeat takes no connection here.
    fn beat(&self) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        self.world.change(|state| {
            if state.server.phase == Phase::Up {
                state.server.beat();
            }
        });
        ready(Ok(()))
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Source::finish(&mut self.stream).await
    }
}
