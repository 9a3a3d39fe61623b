//! Makes the captures in `tests/captures` from real servers, one of each major version that is installed.
//!
//! `cargo run --example record_captures` starts throwaway servers, runs the story and a workload on them, and records
//! what the replication stream sends. It replaces the files that are there.

#[path = "../tests/support/mod.rs"]
mod support;
#[path = "../tests/workload/mod.rs"]
mod workload;

use std::fs::{self, File};
use std::future::pending;
use std::path::{Path, PathBuf};

use walferry::capture::Writer;
use walferry::sink::Memory;
use walferry::{Config, Connection, Pipeline, StreamOptions};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures");

/// What the replay example tells when it is run without arguments.
const STORY: &str = r#"
CREATE TABLE notes (id int PRIMARY KEY, author text, body text, scan text);
ALTER TABLE notes ALTER scan SET STORAGE EXTERNAL;
CREATE TABLE drafts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
CREATE PUBLICATION story FOR TABLE notes, drafts;
SELECT pg_create_logical_replication_slot('story', 'pgoutput');

-- The word, and no value at all.
INSERT INTO notes VALUES (1, 'Ada', 'null'), (2, 'Grace', NULL);
-- Quotes of both kinds, a backslash, a line feed, an emoji.
INSERT INTO notes VALUES (3, 'O''Brien', E'She said "it''s C:\\temp"\nand left. 🚢');
-- A value large enough to be stored out of line ...
INSERT INTO notes VALUES (4, 'Zoë', '', repeat('scanned ', 260));
INSERT INTO drafts (body) VALUES ('one'), ('two');
-- ... which an UPDATE beside it leaves alone, and which is not sent again.
UPDATE notes SET body = 'signed' WHERE id = 4;
BEGIN;
UPDATE notes SET id = 30 WHERE id = 3;
DELETE FROM notes WHERE id = 1;
TRUNCATE drafts RESTART IDENTITY;
COMMIT;
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for server in support::servers() {
        let folder = PathBuf::from(FOLDER).join(format!("pg{}", server.major));
        fs::create_dir_all(&folder)?;
        let cluster = server.start_with(&[("logical_decoding_work_mem", "64kB")]);
        for (name, streaming) in workload::variants(server.major) {
            cluster.create_database(name);
            let script = |script: &str| cluster.psql_file(name, script.as_bytes());
            script(workload::TABLES)?;
            script(workload::PUBLISH)?;
            cluster.psql(name, "SELECT pg_create_logical_replication_slot(current_database(), 'pgoutput')");
            script(workload::CHANGES)?;
            let options = workload::PUBLICATIONS
                .iter()
                .fold(StreamOptions::new(name.parse()?).messages(true), |options, name| {
                    options.publication(*name)
                });
            let file = folder.join(format!("{name}.walferry"));
            runtime.block_on(record(&cluster.conninfo(name), options.streaming(streaming), &file))?;
        }
    }
    let cluster = support::newest().start();
    cluster.psql("postgres", STORY);
    let options = StreamOptions::new("story".parse()?).publication("story");
    let file = Path::new(FOLDER).join("story.walferry");
    runtime.block_on(record(&cluster.conninfo("postgres"), options, &file))
}

async fn record(
    conninfo: &str,
    options: StreamOptions,
    path: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let config: Config = conninfo.parse()?;
    let mut connection = Connection::connect(&config).await?;
    let end = connection.identify_system().await?.wal_flushed;
    let mut stream = connection.start_replication(options).await?;
    stream.stop_at(end);
    stream.record(Writer::new(File::create(path)?, stream.context())?);
    let summary = Pipeline::new(Memory::default()).run(stream, pending()).await?;
    println!("{}: {} transactions, {} changes", path.display(), summary.transactions, summary.changes);
    Ok(())
}
