//! What the server is told to be durable: on every status update, whatever happened before it.

use proptest::prelude::*;

use super::*;

/// Acknowledged before durable, by an idle shortcut: Electric #4731, etl #564, #909, pgjdbc #2941, RisingWave #25071.
/// One tiny transaction, then silence.
#[tokio::test(start_paused = true)]
async fn museum_07_silence_acknowledges_nothing() {
    for keep_alive in [false, true] {
        let (mut stream, mut server) = streaming(options()).await;
        server.send(transaction(0x100)).await;
        let (_, commit) = committed(&mut stream).await;
        let script = async {
            for _ in 0..30 {
                server.say(&keepalive(0x900, true)).await;
                assert_eq!(server.status_within(SECOND).await.unwrap().flushed, Lsn::ZERO);
            }
        };
        tokio::join!(idle(&mut stream, keep_alive, 30 * SECOND), script);
        stream.acknowledge(&commit);
        tokio::join!(idle(&mut stream, false, SECOND), server.status_within(SECOND));
        assert_eq!(server.flushed, Lsn::new(0x900), "then nothing is in flight any more");
    }
}

/// The same, with the keepalive between the commit and its acknowledgement, and the next transaction behind it.
#[tokio::test(start_paused = true)]
async fn museum_07_a_keepalive_between_commit_and_acknowledgement_waits() {
    let (mut stream, mut server) = streaming(options()).await;
    server.send(transaction(0x100)).await;
    server.keepalive(0x200).await;
    server.send(transaction(0x300)).await;
    let (_, first) = committed(&mut stream).await;
    let (_, second) = committed(&mut stream).await;
    for (commit, flushed) in [(first, 0x108), (second, 0x308)] {
        stream.acknowledge(&commit);
        tokio::join!(idle(&mut stream, false, SECOND), server.status());
        assert_eq!((server.flushed, stream.positions().durable), (Lsn::new(flushed), Lsn::new(flushed)));
    }
}

/// A keepalive that was read ahead says nothing before what came ahead of it was handed out.
#[tokio::test(start_paused = true)]
async fn museum_07_what_is_read_ahead_is_in_flight() {
    let (mut stream, mut server) = streaming(options()).await;
    server.send(transaction(0x100)).await;
    server.say(&keepalive(0x900, true)).await;
    let ((), status) = tokio::join!(idle(&mut stream, true, SECOND), server.status());
    assert_eq!(status.flushed, Lsn::ZERO);
    assert_eq!(committed(&mut stream).await.0, 1);
    idle(&mut stream, false, 11 * SECOND).await;
    assert_eq!(server.status().await.flushed, Lsn::ZERO);
}

#[tokio::test(start_paused = true)]
async fn museum_07_a_message_outside_of_transactions_is_protected() {
    let (mut stream, mut server) = streaming(options().messages(true)).await;
    server.send([stand_alone(0x100)]).await;
    server.say(&keepalive(0x900, true)).await;
    let Event::Message(message) = event(&mut stream).await else { panic!("the message") };
    idle(&mut stream, false, SECOND).await;
    assert_eq!(server.status().await.flushed, Lsn::ZERO);
    stream.acknowledge(&message);
    tokio::join!(idle(&mut stream, false, SECOND), server.status());
    assert_eq!(server.flushed, Lsn::new(0x900));
}

#[tokio::test(start_paused = true)]
async fn a_message_inside_of_a_transaction_acknowledges_nothing() {
    let (mut stream, mut server) = streaming(options().messages(true)).await;
    server.send([begin(0x100)]).await;
    let Message::Message(message) = stand_alone(0x80) else { unreachable!() };
    server.send([Message::Message(LogicalMessage { transactional: true, ..message }), commit(0x100)]).await;
    event(&mut stream).await;
    let Event::Message(message) = event(&mut stream).await else { panic!("the message") };
    committed(&mut stream).await;
    stream.acknowledge(&message);
    assert_eq!(stream.positions().durable, Lsn::ZERO);
}

/// Acknowledged while it is nowhere durable, it would be committed later without its changes.
#[tokio::test(start_paused = true)]
async fn museum_07_a_prepared_transaction_is_in_flight_until_it_is_acknowledged() {
    let (mut stream, mut server) = streaming(options().two_phase(true)).await;
    let [begin, prepare, commit] = prepared(0x100, 0x200);
    server.send([begin, announce(), insert("x"), prepare]).await;
    let prepare = loop {
        if let Event::Prepare(prepare) = event(&mut stream).await {
            break prepare;
        }
    };
    server.say(&keepalive(0x180, true)).await;
    let ((), status) = tokio::join!(idle(&mut stream, false, SECOND), server.status_within(SECOND));
    assert_eq!(status.unwrap().flushed, Lsn::ZERO);
    stream.acknowledge(&prepare);
    assert_eq!(stream.positions().durable, Lsn::new(0x180), "its end, and what the server said behind it");

    server.send([commit]).await;
    let Event::CommitPrepared(commit) = event(&mut stream).await else { panic!("its commit") };
    server.say(&keepalive(0x900, true)).await;
    idle(&mut stream, false, SECOND).await;
    assert_eq!(stream.positions().durable, Lsn::new(0x180));
    stream.acknowledge(&commit);
    assert_eq!(stream.positions().durable, Lsn::new(0x900));
}

/// The flushed position moved backwards: dbz#1489, #1863.
#[tokio::test(start_paused = true)]
async fn museum_09_the_flushed_position_never_moves_back() {
    let (mut stream, mut server) = streaming(options()).await;
    for lsn in [0x100, 0x200] {
        server.send(transaction(lsn)).await;
    }
    let (_, first) = committed(&mut stream).await;
    let (_, second) = committed(&mut stream).await;
    stream.acknowledge(&second);
    stream.acknowledge(&first);
    // A server that was restored sends again what was acknowledged.
    server.keepalive(0x50).await;
    server.send(transaction(0x100)).await;
    let (_, again) = committed(&mut stream).await;
    stream.acknowledge(&again);
    server.say(&keepalive(0x60, true)).await;
    let ((), status) = tokio::join!(idle(&mut stream, false, SECOND), server.status_within(SECOND));
    assert_eq!(status.unwrap().flushed, Lsn::new(0x208));
    server.say(&keepalive(0x900, true)).await;
    let ((), status) = tokio::join!(idle(&mut stream, false, SECOND), server.status_within(SECOND));
    assert_eq!(status.unwrap().flushed, Lsn::new(0x900), "nor does an old acknowledgement undo a new one");
}

/// Never acknowledged, so that WAL fills the disk: etl #429, Electric #3986, #4011, airbyte #47547.
#[tokio::test(start_paused = true)]
async fn museum_11_an_idle_stream_follows_the_server() {
    let (mut stream, mut server) = streaming(options()).await;
    for lsn in [0x100, 0x200, 0x300] {
        server.keepalive(lsn).await;
        let ((), status) = tokio::join!(idle(&mut stream, false, SECOND), server.status());
        assert_eq!(status.flushed, Lsn::new(lsn));
    }
}

/// What the server sends, in order.
#[derive(Debug, Clone)]
enum Sent {
    Transaction { changes: usize, keepalive_inside: bool },
    Message,
    Keepalive { reply_requested: bool },
}

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// The server sends so many frames.
    Send(usize),
    /// The consumer takes so many events.
    Take(usize),
    /// The consumer is busy for so many seconds.
    Work(u64),
    /// The oldest so many are durable.
    Acknowledge(usize),
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        3 => (0..3_usize, any::<bool>())
            .prop_map(|(changes, keepalive_inside)| Sent::Transaction { changes, keepalive_inside }),
        1 => Just(Sent::Message),
        3 => any::<bool>().prop_map(|reply_requested| Sent::Keepalive { reply_requested }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..8_usize).prop_map(Step::Send),
        3 => (1..6_usize).prop_map(Step::Take),
        2 => (1..15_u64).prop_map(Step::Work),
        2 => (1..3_usize).prop_map(Step::Acknowledge),
    ]
}

/// One frame, and where a transaction or message is lost if the server starts behind it.
type Script = Vec<(Vec<u8>, Option<Lsn>)>;

fn script(sent: Vec<Sent>) -> (Script, u64) {
    let mut lsn = 0x100;
    let mut frames = Script::new();
    for sent in sent {
        lsn += 0x20;
        match sent {
            Sent::Transaction { changes, keepalive_inside } => {
                frames.push((data(&begin(lsn)), None));
                frames.push((data(&announce()), None));
                frames.extend((0..changes).map(|_| (data(&insert("x")), None)));
                if keepalive_inside {
                    frames.push((keepalive(lsn, true), None));
                }
                frames.push((data(&commit(lsn)), Some(Lsn::new(lsn))));
            }
            Sent::Message => frames.push((data(&stand_alone(lsn)), Some(Lsn::new(lsn - 1)))),
            Sent::Keepalive { reply_requested } => frames.push((keepalive(lsn, reply_requested), None)),
        }
    }
    lsn += 0x20;
    frames.push((keepalive(lsn, true), None));
    (frames, lsn)
}

/// The consumer's side of the model.
#[derive(Default)]
struct Consumer {
    /// Handed out, and not durable yet.
    pending: VecDeque<Event>,
    durable: usize,
}

impl Consumer {
    async fn take(&mut self, stream: &mut ReplicationStream) -> bool {
        let Ok(event) = timeout(Duration::from_millis(1), event(stream)).await else { return false };
        let complete = match &event {
            Event::Commit(_) => true,
            Event::Message(message) => !message.transactional,
            _ => false,
        };
        self.pending.extend(complete.then_some(event));
        true
    }

    fn acknowledge(&mut self, stream: &mut ReplicationStream, count: usize) {
        for event in self.pending.drain(..count.min(self.pending.len())) {
            self.durable += 1;
            match event {
                Event::Commit(commit) => stream.acknowledge(&commit),
                Event::Message(message) => stream.acknowledge(&message),
                _ => unreachable!(),
            }
        }
    }
}

/// What the server would skip after a reconnect must be durable: it skips what committed below the flushed position.
async fn hold(sent: Vec<Sent>, steps: Vec<Step>) {
    let (mut stream, mut server) = streaming(options().messages(true).receive_timeout(Duration::ZERO)).await;
    let (frames, end) = script(sent);
    let losses: Vec<Lsn> = frames.iter().filter_map(|(_, loss)| *loss).collect();
    let mut frames = frames.into_iter();
    let mut consumer = Consumer::default();
    let finish =
        [Step::Send(usize::MAX), Step::Take(usize::MAX), Step::Acknowledge(usize::MAX), Step::Work(1)];
    for step in steps.into_iter().chain(finish) {
        match step {
            Step::Send(count) => {
                for (frame, _) in frames.by_ref().take(count) {
                    server.say(&frame).await;
                }
            }
            Step::Take(count) => {
                let mut taken = 0;
                while taken < count && consumer.take(&mut stream).await {
                    taken += 1;
                }
            }
            Step::Work(seconds) => idle(&mut stream, true, Duration::from_secs(seconds)).await,
            Step::Acknowledge(count) => consumer.acknowledge(&mut stream, count),
        }
        server.status_within(Duration::from_millis(1)).await;
        let lost = losses.iter().skip(consumer.durable).find(|loss| **loss < server.flushed);
        assert_eq!(lost, None, "flushed {} before it was durable", server.flushed);
    }
    assert_eq!((consumer.durable, server.flushed), (losses.len(), Lsn::new(end)), "all is acknowledged");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two sources of truth for "up to date": the law, on every status update of any run.
    #[test]
    fn museum_07_no_status_says_more_than_is_durable(
        sent in prop::collection::vec(sent(), 1..20),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap().block_on(hold(sent, steps));
    }
}
