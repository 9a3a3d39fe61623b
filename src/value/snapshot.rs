//! `pg_snapshot`, and `txid_snapshot`, its older name.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::parts::put_length;
use super::scan::{Binary, Text};
use super::{ValueError, Wire};

const NAME: &str = "pg_snapshot";

/// Which transactions are visible: printed `xmin:xmax:xip,…` (`pg_snapshot_out` in the server's `xid8funcs.c`).
///
/// ```
/// use walferry::value::{Snapshot, Wire};
///
/// let snapshot = Snapshot::from_text("10:20:10,14,15")?;
/// assert_eq!((snapshot.xmin(), snapshot.xmax(), snapshot.in_progress()), (10, 20, &[10, 14, 15][..]));
/// assert_eq!(snapshot.to_string(), "10:20:10,14,15");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Snapshot {
    xmin: u64,
    xmax: u64,
    in_progress: Vec<u64>,
}

impl Snapshot {
    /// The rules of `parse_snapshot` and `pg_snapshot_recv`; `None` where they are broken.
    fn new(xmin: u64, xmax: u64, in_progress: Vec<u64>) -> Option<Self> {
        let is_id = |id: u64| id > 0 && i64::try_from(id).is_ok();
        // `pg_snapshot_recv` takes xmax itself, too.
        let within = in_progress.iter().all(|id| (xmin..=xmax).contains(id));
        let grows = in_progress.is_sorted_by(|a, b| a < b);
        (is_id(xmin) && is_id(xmax) && xmin <= xmax && within && grows).then_some(Self {
            xmin,
            xmax,
            in_progress,
        })
    }

    /// The lowest transaction that was in progress; all below had ended.
    pub fn xmin(&self) -> u64 {
        self.xmin
    }

    /// One above the highest transaction that had ended.
    pub fn xmax(&self) -> u64 {
        self.xmax
    }

    /// Those in progress, ascending.
    pub fn in_progress(&self) -> &[u64] {
        &self.in_progress
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        self.in_progress
            .iter()
            .enumerate()
            .try_for_each(|(number, id)| write!(f, "{}{id}", if number > 0 { "," } else { "" }))
    }
}

impl Wire<'_> for Snapshot {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next();
        let read = |(xmin, xmax, list): (&str, &str, &str)| {
            let ids = list.split(',').filter(|_| !list.is_empty()).map(number);
            Self::new(number(xmin)?, number(xmax)?, ids.collect::<Option<_>>()?)
        };
        part()
            .and_then(|xmin| Some((xmin, part()?, part()?)))
            .and_then(read)
            .ok_or_else(|| Text::new(NAME, text).fail("xmin:xmax:xip,… ascending"))
    }

    fn from_binary(bytes: &[u8]) -> Result<Self, ValueError> {
        let mut bytes = Binary::new(NAME, bytes);
        let count = bytes.i32("a number of transactions")?;
        let count = u32::try_from(count).map_err(|_| bytes.fail_behind(4, "a number of 0 or more"))?;
        let mut id = || bytes.array("a transaction").map(u64::from_be_bytes);
        let (xmin, xmax) = (id()?, id()?);
        // Grows with what is read: a claimed count alone takes no memory.
        let in_progress = (0..count).map(|_| id()).collect::<Result<_, _>>()?;
        bytes.finish()?;
        Self::new(xmin, xmax, in_progress)
            .ok_or_else(|| bytes.fail("transactions within xmin and xmax, ascending"))
    }

    fn write_binary(&self, out: &mut BytesMut) {
        put_length(out, self.in_progress.len());
        out.put_u64(self.xmin);
        out.put_u64(self.xmax);
        self.in_progress.iter().for_each(|&id| out.put_u64(id));
    }
}

/// As it is printed: no sign, no zero in front.
fn number(text: &str) -> Option<u64> {
    let is_printed = text.starts_with(|first: char| matches!(first, '1'..='9'));
    if is_printed { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Snapshot;
    use crate::value::Wire;
    use crate::value::checks::{keeps_bytes, keeps_text, takes_bytes, takes_text};

    #[test]
    fn keeps_what_a_server_gives() {
        for text in ["1:1:", "10:20:10", "10:20:10,14,19", "9223372036854775806:9223372036854775807:"] {
            keeps_text::<Snapshot>(text);
            let mut bytes = bytes::BytesMut::new();
            Snapshot::from_text(text).unwrap().write_binary(&mut bytes);
            keeps_bytes::<Snapshot>(&bytes);
        }
    }

    #[test]
    fn has_what_it_says() {
        let snapshot = Snapshot::from_text("10:20:10,14").unwrap();
        assert_eq!((snapshot.xmin(), snapshot.xmax(), snapshot.in_progress()), (10, 20, &[10, 14][..]));
    }

    #[test]
    fn refuses_what_no_server_gives() {
        for text in [
            "", "1:2", "0:1:", "2:1:", "1:5:6", "5:9:4", "1:5:3,2", "1:5:2,2", "1:5:2,", "+1:5:", "01:5:",
            "1:5:2:3",
        ] {
            assert!(Snapshot::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_a_negative_number_of_transactions() {
        let bytes = b"\x80\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01";
        assert!(Snapshot::from_binary(bytes).is_err());
    }

    proptest! {
        #[test]
        fn any_input_is_refused_or_kept(bytes: Vec<u8>, text in "[0-9:,]{0,12}") {
            takes_bytes::<Snapshot>(&bytes)?;
            takes_text::<Snapshot>(&text)?;
        }
    }
}
