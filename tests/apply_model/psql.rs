//! Changes as a script, by psql.

use walferry::sink::sql::{Script, SqlError};
use walferry::{Batch, ChangeSink, ReplicationStream};

use crate::support::{Cluster, Session};

pub(crate) struct Psql {
    script: Script,
    session: Session,
}

impl Psql {
    pub(crate) fn open(target: &Cluster, database: &str, stream: &ReplicationStream) -> Self {
        Self { script: Script::new(stream.context().catalog.clone()), session: target.session(database) }
    }
}

impl ChangeSink for Psql {
    type Error = SqlError;

    async fn write(&mut self, batch: Batch) -> Result<(), SqlError> {
        let mut sql = Vec::new();
        for event in batch.events() {
            self.script.event(&mut sql, event)?;
        }
        self.session.run(&String::from_utf8_lossy(&sql));
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SqlError> {
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), SqlError> {
        let mut sql = Vec::new();
        self.script.rollback(&mut sql);
        self.session.run(&String::from_utf8_lossy(&sql));
        Ok(())
    }
}
