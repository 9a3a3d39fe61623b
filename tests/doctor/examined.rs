//! Two servers, and two fresh databases with names that are hard to quote.

use std::cell::Cell;
use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use walferry::Config;
use walferry::migrate::Migration;
use walferry::migrate::doctor::{Finding, Options, Report, Side};

use crate::cases::Case;
use crate::support::sql::{self, identifier, quoted};
use crate::support::{Cluster, Server, on_each_server};

/// What the cases write for short.
const NAMES: [(&str, &str); 6] = [
    ("$S", r#"a.b"c{x}"#),
    ("$N", r"N:ew {schema:i} '%_\"),
    ("$I", "i d"),
    ("$V", r"v'al\"),
    ("$P", r#"It's "a", b"#),
    ("$U", "t{y:l} Ünï 表 %_'\\\""),
];

/// Both databases begin with this.
const BASE: &str = "CREATE SCHEMA $S; CREATE TABLE $T ($I int PRIMARY KEY, $V text)";

/// The servers of both sides.
pub(crate) struct Pair {
    pub(crate) source: Cluster,
    pub(crate) target: Cluster,
}

/// A fresh database on either.
pub(crate) struct Databases<'a> {
    pair: &'a Pair,
    name: String,
    role: String,
}

/// The oldest server with the oldest, and the newest with the newest, at the same time.
pub(crate) fn on_each_pair(test: impl Fn(&Pair) + Sync) {
    on_each_server(|server| test(&Pair::start(server, server)));
}

/// Whatever the surroundings, it ends no session that waits: the doctor would say so.
pub(crate) fn patient(server: &Server, settings: &[(&str, &str)]) -> Cluster {
    server.start_with(&[&[("idle_session_timeout", "0")], settings].concat())
}

impl Pair {
    pub(crate) fn start(source: &Server, target: &Server) -> Self {
        let pair = Self { source: patient(source, &[]), target: patient(target, &[]) };
        for cluster in [&pair.source, &pair.target] {
            cluster.create_database("base");
            cluster.psql("base", &written(BASE, "base", ""));
        }
        pair
    }

    /// `clause` is how the target's database is made, if not like the source's.
    pub(crate) fn fresh(&self, name: &str, clause: &str) -> Databases<'_> {
        let databases =
            Databases { pair: self, name: format!(r#"{name} "'\{{d}}"#), role: format!(r#"r'o"l\e {name}"#) };
        let create = |cluster: &Cluster, clause: &str| {
            let clause = if clause.is_empty() {
                format!("TEMPLATE {}", sql::database("base"))
            } else {
                clause.to_owned()
            };
            cluster.psql("postgres", &format!("CREATE DATABASE {} {clause}", sql::database(&databases.name)));
        };
        create(&self.source, "");
        create(&self.target, clause);
        databases
    }

    /// Sets the case up, finds it, mends it by what the finding says, and finds it no more. The error says what went otherwise.
    pub(crate) fn tries(&self, case: &Case, number: usize) -> Result<(), String> {
        if self.source.major() < case.since {
            return Ok(());
        }
        let about =
            |trouble| format!("case {number}, {}, on {}: {trouble}", case.id, self.source.server().version);
        let databases = self.fresh(&number.to_string(), case.target_clause);
        let passed = self.passes(case, &databases).map_err(about);
        // A slot that is left would be in the way of the next case.
        databases.at_source("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
        passed
    }

    fn passes(&self, case: &Case, databases: &Databases<'_>) -> Result<(), String> {
        databases.at_source(case.source);
        databases.at_target(case.target);
        let mut session = self.source.session(&databases.name);
        session.run(&databases.written(if case.session.is_empty() { "SELECT 1" } else { case.session }));
        let migration = databases.migration(case.role);
        let options = Options::new().makes_schema(case.makes_schema);
        let look = || examine(&migration, &options);
        if self.source.major() > case.until {
            let found = of(&look(), case.id);
            return if found.is_empty() {
                Ok(())
            } else {
                Err(format!("found, and is right here: {found:?}"))
            };
        }
        let report = awaited(&look, |report| !of(report, case.id).is_empty());
        databases.judge(case, &report)?;
        self.mend(databases, case, &of(&report, case.id))?;
        drop(session);
        let report = awaited(&look, |report| of(report, case.id).is_empty());
        let [source, target] = [databases.at_source(case.same), databases.at_target(case.same)];
        if source != target {
            return Err(format!("mended to {target}, and not to {source}"));
        }
        databases.at_source(case.afterwards);
        if of(&report, case.id).is_empty() { Ok(()) } else { Err(format!("still there in:\n{report}")) }
    }

    fn mend(&self, databases: &Databases<'_>, case: &Case, found: &[Finding]) -> Result<(), String> {
        if let Some((side, sql)) = case.mend {
            databases.at(side, sql);
            let by_hand =
                |finding: &Finding| finding.mend.as_ref().is_none_or(|mend| mend.starts_with("-- "));
            return if found.iter().all(by_hand) { Ok(()) } else { Err(format!("SQL mends it: {found:?}")) };
        }
        found.iter().try_for_each(|finding| {
            let mend = finding.mend.as_deref().ok_or_else(|| format!("nothing mends {finding}"))?;
            let done = self.cluster(finding.side).try_psql(&databases.name, mend);
            done.map(drop).map_err(|error| format!("{error}\nof {mend}"))
        })
    }

    fn cluster(&self, side: Side) -> &Cluster {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }
}

impl Databases<'_> {
    pub(crate) fn at_source(&self, sql: &str) -> String {
        self.at(Side::Source, sql)
    }

    pub(crate) fn at_target(&self, sql: &str) -> String {
        self.at(Side::Target, sql)
    }

    /// `$D` is recreated from outside of it.
    fn at(&self, side: Side, sql: &str) -> String {
        let database = if sql.starts_with("DROP DATABASE") { "postgres" } else { &self.name };
        self.pair.cluster(side).psql(database, &self.written(sql))
    }

    /// As the superuser, or on one side as the case's role.
    pub(crate) fn migration(&self, role: Option<Side>) -> Migration {
        let role_on = |side| if role == Some(side) { self.role.as_str() } else { "postgres" };
        self.migration_as(role_on(Side::Source), role_on(Side::Target))
    }

    pub(crate) fn migration_as(&self, source: &str, target: &str) -> Migration {
        let [source, target] = [(&self.pair.source, source), (&self.pair.target, target)]
            .map(|(cluster, role)| config(cluster, &self.name, role));
        migration(source, target)
    }

    /// The other way round.
    pub(crate) fn turned(&self) -> Migration {
        let [source, target] =
            [&self.pair.target, &self.pair.source].map(|cluster| config(cluster, &self.name, "postgres"));
        migration(source, target)
    }

    /// Whether the report says what the case is about.
    fn judge(&self, case: &Case, report: &Report) -> Result<(), String> {
        let found = of(report, case.id);
        let subjects: Vec<_> =
            found.iter().map(|finding| finding.subject.clone().unwrap_or_default()).collect();
        if found.is_empty() {
            Err(format!("not found in:\n{report}"))
        } else if case.subject.is_some_and(|subject| subjects != [self.written(subject)]) {
            Err(format!("other subjects: {subjects:?}"))
        } else if found.iter().any(|finding| finding.reason.is_empty()) {
            Err(format!("without a reason: {report}"))
        } else if !case.allows_unchecked && !of(report, "unchecked").is_empty() {
            Err(format!("unchecked: {report}"))
        } else {
            Ok(())
        }
    }

    fn written(&self, sql: &str) -> String {
        written(sql, &self.name, &self.role)
    }
}

pub(crate) fn migration(source: Config, target: Config) -> Migration {
    let publication = NAMES.iter().find(|(short, _)| *short == "$P").unwrap().1;
    Migration::new(source, target, "slot".parse().unwrap(), publication)
}

pub(crate) fn config(cluster: &Cluster, database: &str, role: &str) -> Config {
    let role = role.replace('\\', r"\\").replace('\'', r"\'");
    cluster.conninfo(database).replace("user=postgres", &format!("user='{role}'")).parse().unwrap()
}

pub(crate) fn examine(migration: &Migration, options: &Options) -> Report {
    block_on(migration.examine(options)).unwrap_or_else(|error| panic!("{error}: {:?}", error.hint()))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) fn of(report: &Report, id: &str) -> Vec<Finding> {
    report.findings.iter().filter(|finding| finding.id == id).cloned().collect()
}

/// Settings and statistics take a moment: looks again until it is so, or for long enough.
fn awaited(look: &dyn Fn() -> Report, is_so: impl Fn(&Report) -> bool) -> Report {
    let deadline = Instant::now() + Duration::from_secs(30);
    let last = Cell::new(None);
    while Instant::now() < deadline {
        let report = look();
        if is_so(&report) {
            return report;
        }
        last.set(Some(report));
        thread::sleep(Duration::from_millis(50));
    }
    last.take().unwrap()
}

fn written(sql: &str, database: &str, role: &str) -> String {
    let table = ["$S", "$U"].map(|short| NAMES.iter().find(|(known, _)| *known == short).unwrap().1);
    let table = table.map(identifier).join(".");
    let sql = sql.replace("$LT", &quoted(&table)).replace("$T", &table);
    let sql = sql
        .replace("TEMPLATE base", &format!("TEMPLATE {}", sql::database("base")))
        .replace("$D", &sql::database(database))
        .replace("$R", &identifier(role));
    NAMES.iter().fold(sql, |sql, (short, name)| {
        sql.replace(short, &identifier(name)).replace(&short.replace('$', "$L"), &quoted(name))
    })
}
