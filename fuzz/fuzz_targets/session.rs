//! Whole sessions: any payloads, polls, acknowledgements and times. Positions stay in their order and never go back, and
//! nothing but an acknowledgement moves the durable one while something that was handed out is not durable.

#![no_main]

use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use walferry::event::{Acknowledge as _, Event};
use walferry::frame::{PrimaryKeepalive, XLogData};
use walferry::pgoutput::Message;
use walferry::session::{Positions, Session};
use walferry::{Lsn, Timestamp};
use walferry_fuzz::generate::{RELATIONS, message, plain_relation};

const CLOCK: Timestamp = Timestamp::from_micros(0);

fuzz_target!(|input: &[u8]| {
    // Input that ends is the end of the session.
    _ = run(&mut Unstructured::new(input));
});

struct Run {
    session: Session,
    now: Instant,
    handed_out: Option<Event>,
    acknowledged: Lsn,
    positions: Positions,
    in_block: bool,
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let now = Instant::now();
    let mut session = Session::new(now).memory_limit(4096);
    if u.arbitrary()? {
        session.resume_from(Lsn::new(u64::from(u.arbitrary::<u16>()?)));
    }
    if u.arbitrary()? {
        session.keep_idle();
    }
    if u.ratio(1, 4)? {
        session.stop_at(Lsn::new(u64::from(u.arbitrary::<u16>()?)));
    }
    let acknowledged = session.positions().durable;
    let positions = session.positions();
    let mut run = Run { session, now, handed_out: None, acknowledged, positions, in_block: false };
    for place in 0..RELATIONS.len() {
        run.receive(&Message::Relation(None, plain_relation(place)));
    }
    while !u.is_empty() {
        let moves = run.step(u)?;
        run.check(moves);
    }
    Ok(())
}

impl Run {
    /// Whether the step may move the durable position in any case.
    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<bool> {
        match u.int_in_range(0..=7)? {
            0 | 1 => {
                let message = message(u, self.in_block, false)?;
                self.receive(&message);
            }
            2 => {
                let wal_end = Lsn::new(u64::from(u.arbitrary::<u16>()?));
                let keepalive =
                    PrimaryKeepalive { wal_end, clock: CLOCK, reply_requested: u.arbitrary()? }.encode();
                self.session.heard(&keepalive, self.now);
                _ = self.session.receive(keepalive);
            }
            3 => {
                let bytes: Vec<u8> = u.arbitrary()?;
                self.session.heard(&bytes, self.now);
                _ = self.session.receive(bytes.into());
            }
            4 => {
                if let Ok(Some(event)) = self.session.poll() {
                    self.handed_out = Some(event);
                }
            }
            5 => {
                if let Some(event) = self.handed_out.take() {
                    self.acknowledged = self.acknowledged.max(event.position().unwrap_or(Lsn::ZERO));
                    self.session.acknowledge(&event);
                    return Ok(true);
                }
            }
            6 => {
                if let Some(lsn) = self.session.idle_lsn() {
                    assert!(self.acknowledged >= self.delivered_end());
                    self.session.idle_kept(lsn);
                }
            }
            _ => {
                self.now += Duration::from_secs(u.int_in_range(0..=40)?);
                if let Some(status) = self.session.status(self.now, CLOCK) {
                    let durable = self.session.positions().durable;
                    assert!(
                        status.flushed == durable && status.applied == durable && status.written >= durable
                    );
                    assert_eq!(self.session.positions().flushed, durable);
                }
                _ = self.session.timed_out(self.now);
                assert!(self.session.deadline() > self.now || self.session.timed_out(self.now).is_some());
            }
        }
        Ok(false)
    }

    fn receive(&mut self, message: &Message) {
        let data = XLogData { start: Lsn::ZERO, end: Lsn::ZERO, clock: CLOCK, payload: message.encode() };
        let (starts, stops) = (matches!(message, Message::StreamStart(_)), *message == Message::StreamStop);
        let accepted = self.session.receive(data.encode()).is_ok();
        self.in_block = if accepted && (starts || stops) { starts } else { self.in_block };
    }

    fn delivered_end(&self) -> Lsn {
        self.handed_out.as_ref().and_then(Event::position).unwrap_or(Lsn::ZERO)
    }

    fn check(&mut self, moves: bool) {
        let now = self.session.positions();
        let was = std::mem::replace(&mut self.positions, now);
        for positions in
            [(was.flushed, now.flushed), (was.durable, now.durable), (was.delivered, now.delivered)]
        {
            assert!(positions.0 <= positions.1, "moved back: {was:?} {now:?}");
        }
        let order = [now.flushed, now.durable, now.delivered, now.received, now.server_end];
        assert!(order.is_sorted(), "{now:?}");
        let pending = self.delivered_end() > self.acknowledged;
        assert!(moves || !pending || was.durable == now.durable, "nobody has acknowledged: {was:?} {now:?}");
    }
}
