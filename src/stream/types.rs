//! Keeps the types of the rows up with the source's catalogue.
//!
//! An announcement of a table that uses a type which is not known, or may have changed, is taken in; what follows it
//! waits until the types were read again, over an ordinary connection to the same server.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::ReplicationStream;
use crate::connection::{Config, Connection};
use crate::error::Error;
use crate::pgoutput::{self, Message, Relation};
use crate::value::{TypeKind, Types};
use crate::{Oid, trace};

/// Types below this came with the server, and stay.
const FIRST_OF_USERS: Oid = Oid::new(16_384);

/// How long the catalogue may take. The changes wait behind it.
const PATIENCE: Duration = Duration::from_secs(10);

type Load = Pin<Box<dyn Future<Output = Result<Types, Error>> + Send + Sync>>;

/// What the server announced of types, and the reading of them that goes on.
#[derive(Default)]
pub(super) struct TypeWatch {
    /// The last announcement of each type.
    announced: HashMap<Oid, pgoutput::Type>,
    /// A type was announced by another name than it is known by, or reading them has failed: the next table that uses
    /// any is reason to read them.
    outdated: bool,
    loading: Option<Load>,
}

impl TypeWatch {
    /// The same announcement again says nothing new: a stream that lags behind the catalogue will never agree with it.
    fn note_type(&mut self, announced: &pgoutput::Type, types: &Types) {
        if self.announced.get(&announced.id) == Some(announced) {
            return;
        }
        // Of a domain, the wire has the name of what it is over.
        let agrees = types
            .base(announced.id)
            .is_some_and(|known| known.name == announced.name && known.schema == announced.schema);
        self.outdated |= !agrees;
        self.announced.insert(announced.id, announced.clone());
    }

    /// Whether what is known of types may not do for this table, which was announced as `before` last.
    fn is_news(&self, relation: &Relation, before: Option<&Relation>, types: &Types) -> bool {
        let columns = relation.columns.iter().map(|column| column.type_oid);
        let mut of_users = columns.filter(|oid| *oid >= FIRST_OF_USERS).peekable();
        if of_users.peek().is_none() {
            return false;
        }
        self.outdated
            || match before {
                Some(before) => before != relation,
                None => !of_users.all(|oid| is_known(types, oid)),
            }
    }
}

/// Whether a type is known, and all that it is made of.
fn is_known(types: &Types, oid: Oid) -> bool {
    let (mut open, mut seen) = (vec![oid], HashSet::new());
    while let Some(oid) = open.pop() {
        if oid < FIRST_OF_USERS || !seen.insert(oid) {
            continue;
        }
        let Some(known) = types.get(oid) else { return false };
        match &known.kind {
            TypeKind::Array { element: part, .. }
            | TypeKind::Vector { element: part }
            | TypeKind::Range { subtype: part }
            | TypeKind::Multirange { range: part }
            | TypeKind::Domain { base: part } => open.push(*part),
            TypeKind::Composite { fields } => open.extend(fields.iter().map(|field| field.type_oid)),
            TypeKind::Base | TypeKind::Pseudo | TypeKind::Enum { .. } => {}
        }
    }
    true
}

async fn load(home: Arc<Config>) -> Result<Types, Error> {
    let load = async {
        let mut connection = Connection::connect_ordinary(&home).await?;
        let types = connection.load_types().await;
        connection.close().await;
        types
    };
    tokio::time::timeout(PATIENCE, load).await.unwrap_or_else(|_| {
        Err(Error::Timeout { during: "reading the types of the source".to_owned(), after: PATIENCE })
    })
}

impl ReplicationStream {
    /// Looks at a message before the assembler takes it in, and begins to read the types if it is reason to.
    pub(super) fn watch_types(&mut self, message: &Message) {
        let types = self.context.catalog.types();
        match message {
            Message::Type(_, announced) => self.types.note_type(announced, types),
            Message::Relation(_, relation)
                if self.types.is_news(relation, self.session.relation(relation.id), types) =>
            {
                trace::debug!(table = %relation.name, "reading the types of the source");
                self.types.loading = Some(Box::pin(load(Arc::clone(self.connection.home()))));
            }
            _ => {}
        }
    }

    /// Ready when no types are being read. What was read holds for the rows from here on.
    ///
    /// # Errors
    ///
    /// What writing the capture meets. That types can't be read ends nothing: those that are known stay, and the next
    /// reason to read them is taken.
    pub(super) fn poll_types(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(loading) = &mut self.types.loading else { return Poll::Ready(Ok(())) };
        let loaded = ready!(loading.as_mut().poll(cx));
        self.types.loading = None;
        self.types.outdated = loaded.is_err();
        Poll::Ready(match loaded {
            Ok(types) => self.learn(Arc::new(types)),
            Err(error) => {
                trace::warn!(%error, "the types of the source can't be read; those that are known stay");
                drop(error);
                Ok(())
            }
        })
    }

    fn learn(&mut self, types: Arc<Types>) -> Result<(), Error> {
        if let Some(recording) = &mut self.recording {
            recording.append_types(&types)?;
        }
        self.session.set_types(Arc::clone(&types));
        self.context.catalog.set_types(types);
        Ok(())
    }
}

impl fmt::Debug for TypeWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypeWatch")
            .field("announced", &self.announced.len())
            .field("outdated", &self.outdated)
            .field("loading", &self.loading.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests;
