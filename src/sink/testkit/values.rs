//! Values that are hard to carry.

use std::fmt::Write as _;

use super::history::{History, MARK};
use super::trial::{Call, Outcome, Trial};
use super::{Broken, Law, Report, Storage};

/// What some system somewhere takes for something else. Where one stands in a longer text, [`MARK`] does, too.
const HOSTILE: [&[u8]; 40] = [
    b"",
    b" ",
    b"null",
    b"NULL",
    b"Null",
    b"nil",
    b"undefined",
    b"default",
    b"unchanged",
    b"{\"unchanged\":true}",
    b"\\N",
    b"\\",
    b"\\\\",
    b"\\'",
    b"'",
    b"''",
    b"\"",
    b"$$",
    b"$1",
    b"%s%n",
    b"{}",
    b"[]",
    b"()",
    b"0",
    b"true",
    b"NaN",
    b"1e400",
    b"-0",
    b"0.10",
    b"12345678901234567890.10",
    b"\n",
    b"\r\n",
    b"\t",
    b"\x01\x1a\x1b\x7f",
    "\u{feff}".as_bytes(),
    "\u{2028}e\u{301}\u{1f600}\u{202e}".as_bytes(),
    b"--;/*",
    // Text of a database in SQL_ASCII.
    b"\xff\xfe",
    b"\xe9t\xe9",
    b"\xed\xa0\x80",
];

/// Larger than what is usually one packet, message, page or request.
const GIANT: usize = 8 << 20;

pub(super) async fn hostile<S: Storage>(mut new: impl FnMut() -> S) -> Result<Report, Broken> {
    let mut report = Report::default();
    for value in HOSTILE {
        // Alone, in the midst, and at both ends.
        let (around, inside) = ([MARK, value, MARK].concat(), [value, MARK, value].concat());
        for value in [value, &around, &inside] {
            report.add(deliver(Law::Values, &History::of_value(value), new()).await?);
        }
    }
    Ok(report)
}

pub(super) async fn giant<S: Storage>(mut new: impl FnMut() -> S) -> Result<Report, Broken> {
    // Its parts differ, and a character is cut wherever it is cut in two.
    let mut value = String::from_utf8_lossy(MARK).into_owned();
    let mut number = 0_u32;
    while value.len() < GIANT {
        _ = write!(value, "{number:x}\u{1f600}");
        number += 1;
    }
    deliver(Law::Size, &History::of_large_value(value.as_bytes()), new()).await
}

/// Writes a transaction after the other, in halves, until one is refused.
async fn deliver<S: Storage>(law: Law, history: &History, storage: S) -> Result<Report, Broken> {
    let mut trial = Trial::start(law, history, storage).await?;
    for step in 0..history.steps() {
        let (start, end) = (history.start_of(step), history.start_of(step + 1));
        for call in [Call::Write(start + 2), Call::Write(end), Call::Flush] {
            let Outcome::Failed(error) = trial.call(call, u64::MAX).await else { continue };
            trial.check_error(&*error)?;
            let mut trial = trial.crash().await?;
            trial.resume(0).await?;
            trial.report.refusals += 1;
            return Ok(trial.report);
        }
        trial.check_visible(step + 1..=step + 1).await?;
    }
    trial.finish().await
}
