//! What happens to the program, its connections, and the servers.

use std::thread;
use std::time::Duration;

use crate::World;
use crate::keeper::Keeper;
use crate::support::{Cluster, Random};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The program gets SIGKILL.
    Program,
    /// The source ends the stream.
    Walsender,
    /// The target ends the session.
    Backend,
    SourceCrashes,
    SourceStops,
    TargetCrashes,
    TargetStops,
    BothCrash,
}

impl Fault {
    pub(crate) fn any(random: &mut Random) -> Self {
        const FAULTS: [Fault; 8] = [
            Fault::Program,
            Fault::Walsender,
            Fault::Backend,
            Fault::SourceCrashes,
            Fault::SourceStops,
            Fault::TargetCrashes,
            Fault::TargetStops,
            Fault::BothCrash,
        ];
        FAULTS[random.below(FAULTS.len())]
    }

    pub(crate) fn happen(self, world: &World, keeper: &Keeper<'_>, random: &mut Random) {
        let World { source, target, .. } = world;
        match self {
            Self::Program => keeper.kill(),
            Self::Walsender => terminate(source, "backend_type = 'walsender'"),
            Self::Backend => terminate(target, "application_name = 'walferry_chaos'"),
            Self::SourceCrashes => source.stop_immediately(),
            Self::SourceStops => source.stop_fast(),
            Self::TargetCrashes => target.stop_immediately(),
            Self::TargetStops => target.stop_fast(),
            Self::BothCrash => thread::scope(|scope| {
                scope.spawn(|| source.stop_immediately());
                target.stop_immediately();
            }),
        }
        let mut stopped: Vec<&Cluster> = match self {
            Self::Program | Self::Walsender | Self::Backend => return,
            Self::SourceCrashes | Self::SourceStops => vec![source],
            Self::TargetCrashes | Self::TargetStops => vec![target],
            Self::BothCrash => vec![source, target],
        };
        if random.one_in(4) {
            keeper.kill();
        }
        if random.one_in(2) {
            stopped.reverse();
        }
        for cluster in stopped {
            thread::sleep(Duration::from_millis(random.below(300) as u64));
            cluster.restart();
        }
    }
}

fn terminate(cluster: &Cluster, which: &str) {
    cluster
        .psql("postgres", &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which}"));
}
