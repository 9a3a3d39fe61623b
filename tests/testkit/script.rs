//! Reads a script for psql back, as far as the testkit's table needs it.

use walferry::event::{Change, OldRow};
use walferry::pgoutput::{Datum, Tuple};
use walferry::sink::testkit::{self, Transaction};
use walferry::{Lsn, Row};

/// NULL, or text.
type Text = Option<Vec<u8>>;

/// The transactions that it commits. One that it ends inside of is rolled back, and so is what a connection had begun.
pub(crate) fn transactions(sql: &[u8]) -> Vec<Transaction> {
    let (mut rest, mut committed, mut open) = (Script(sql), Vec::new(), Vec::new());
    while let Some(statement) = rest.statement() {
        match statement {
            Statement::Begin | Statement::Rollback => open.clear(),
            Statement::Change(change) => open.push(change),
            Statement::Commit(end_lsn) => {
                committed.push(Transaction { end_lsn: Some(end_lsn), changes: std::mem::take(&mut open) });
            }
            Statement::Other => {}
        }
    }
    committed
}

enum Statement {
    Begin,
    Change(Change),
    Commit(Lsn),
    Rollback,
    Other,
}

const TABLE: &str = r#""public"."testkit""#;
const ONE_ROW: &str = "; :walferry_one_row\n";
const ONLY: &str = ":walferry_only_16384";

struct Script<'a>(&'a [u8]);

impl Script<'_> {
    /// The next one; none if the rest is cut short.
    fn statement(&mut self) -> Option<Statement> {
        if self.take("BEGIN; ").is_some() {
            self.line()?;
            return Some(Statement::Begin);
        }
        if self.take("ROLLBACK; ").is_some() {
            self.line()?;
            return Some(Statement::Rollback);
        }
        if self.take("COMMIT; -- ").is_some() {
            return Some(Statement::Commit(self.line()?.parse().expect("a position")));
        }
        if self
            .take(&format!(
                "INSERT INTO {TABLE} (\"id\", \"body\", \"large\") OVERRIDING SYSTEM VALUE VALUES ("
            ))
            .is_some()
        {
            return self.insert().map(Statement::Change);
        }
        if self.take(&format!("UPDATE {ONLY} {TABLE} SET ")).is_some() {
            return self.update().map(Statement::Change);
        }
        if self.take(&format!("DELETE FROM {ONLY} {TABLE} WHERE \"id\" = ")).is_some() {
            let old = key(&self.value()?);
            self.take(ONE_ROW)?;
            return Some(Statement::Change(Change::Delete { old }));
        }
        if self.take(&format!("TRUNCATE {ONLY} {TABLE};\n")).is_some() {
            let relations = vec![testkit::table()];
            let change = Change::Truncate { relations, cascade: false, restart_identity: false };
            return Some(Statement::Change(change));
        }
        if self.take("SELECT CASE WHEN relkind ").is_some() {
            // What the table is, which the target tells.
            self.line()?;
            return Some(Statement::Other);
        }
        let other = self.line()?;
        assert!(!other.contains(TABLE), "a statement that is not known: {other}");
        Some(Statement::Other)
    }

    fn insert(&mut self) -> Option<Change> {
        let id = self.value()?;
        self.take(", ")?;
        let body = self.value()?;
        self.take(", ")?;
        let large = self.value()?;
        self.take(")")?;
        self.take(ONE_ROW)?;
        Some(Change::Insert { new: row([datum(&id), datum(&body), datum(&large)]) })
    }

    fn update(&mut self) -> Option<Change> {
        let mut set: [Option<Text>; 3] = [None, None, None];
        loop {
            let column = ["id", "body", "large"]
                .iter()
                .position(|name| self.take(&format!("\"{name}\" = ")).is_some())?;
            set[column] = Some(self.value()?);
            if self.take(", ").is_none() {
                break;
            }
        }
        self.take(" WHERE \"id\" = ")?;
        let id = self.value()?;
        self.take(ONE_ROW)?;
        let [new_id, body, large] = &set;
        let new = row([datum(new_id.as_ref().unwrap_or(&id)), sent(body.as_ref()), sent(large.as_ref())]);
        Some(Change::Update { old: new_id.is_some().then(|| key(&id)), new })
    }

    fn take(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text.as_bytes())?;
        Some(())
    }

    fn line(&mut self) -> Option<String> {
        let end = self.0.iter().position(|&byte| byte == b'\n')?;
        let line = String::from_utf8(self.0[..end].to_vec()).expect("UTF-8 outside of values");
        self.0 = &self.0[end + 1..];
        Some(line)
    }

    fn value(&mut self) -> Option<Text> {
        if self.take("NULL").is_some() {
            return Some(None);
        }
        let escapes = self.take("E").is_some();
        self.take("'")?;
        let mut value = Vec::new();
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value.push(match byte {
                b'\'' if self.take("'").is_some() => b'\'',
                b'\'' => return Some(Some(value)),
                b'\\' if escapes => self.escape()?,
                byte => byte,
            });
        }
    }

    fn escape(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(match byte {
            b'r' => b'\r',
            b'\\' => b'\\',
            b'x' => {
                let (digits, rest) = self.0.split_first_chunk::<2>()?;
                self.0 = rest;
                u8::from_str_radix(std::str::from_utf8(digits).expect("digits"), 16).expect("digits")
            }
            other => panic!("an escape that is not known: {other}"),
        })
    }
}

fn row(values: [Datum<'_>; 3]) -> Row {
    Row::new(testkit::table(), Tuple::from_datums(values)).expect("three columns")
}

fn key(id: &Text) -> OldRow {
    OldRow::Key(row([datum(id), Datum::Null, Datum::Null]))
}

fn datum(value: &Text) -> Datum<'_> {
    value.as_deref().map_or(Datum::Null, Datum::Text)
}

/// What a statement doesn't set, it leaves alone.
fn sent(value: Option<&Text>) -> Datum<'_> {
    value.map_or(Datum::Unchanged, datum)
}
