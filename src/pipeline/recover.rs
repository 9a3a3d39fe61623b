//! Beginning, and beginning again: after the source was lost, or the sink had to let go of what wasn't durable.

use std::future::{Future, poll_fn};

use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::intake::keep_alive;
use super::run::{Run, Trouble};
use super::source::Source;
use crate::error::Error;
use crate::session::{Fingerprint, SourceChanged};
use crate::sink::{ChangeSink, Progress};
use crate::{Lsn, trace};

impl<S: ChangeSink, R: Source, F: Future<Output = ()>> Run<S, R, F> {
    /// Asks the sink where it stands, if it keeps its progress, and goes on there.
    pub(super) async fn begin(&mut self) -> Result<(), Trouble> {
        let progress = self.intake.alive_beside(self.sink.progress()).await?.map_err(Trouble::of::<S>)?;
        let renewed = self.resume(progress)?;
        self.renew(renewed).await
    }

    /// Goes on where the sink stands. Gives what it has to keep instead, if that differs.
    fn resume(&mut self, progress: Progress) -> Result<Option<Fingerprint>, Trouble> {
        let kept = match progress {
            Progress::Untracked => return Ok(None),
            Progress::None => None,
            Progress::At(kept) => Some(kept),
        };
        self.keeps_progress = true;
        self.intake.shutdown.may_drop = true;
        self.has_progress |= kept.is_some();
        self.intake.source.resume(kept.as_ref()).map_err(Trouble::Source)
    }

    /// Lets the sink keep what it has to have before the first batch.
    async fn renew(&mut self, renewed: Option<Fingerprint>) -> Result<(), Trouble> {
        let Some(progress) = renewed.filter(|_| self.keeps_progress) else { return Ok(()) };
        let kept = self.sink.set_progress(&progress);
        self.intake.alive_beside(kept).await?.map_err(Trouble::of::<S>)?;
        self.has_progress = true;
        Ok(())
    }

    /// Tries to go on, as often as it takes: `false`, if the shutdown came while the source was away.
    pub(super) async fn recover(&mut self, mut trouble: Trouble) -> Result<bool, Error> {
        self.statistics.is_connected = false;
        self.publish();
        self.skipped_before = self.statistics.skipped;
        if self.connected.elapsed() > 2 * Backoff::LONGEST {
            self.backoff.reset();
        }
        let mut is_sink = false;
        loop {
            if let Trouble::Sink(..) = trouble {
                is_sink = true;
                self.flushing = None;
                self.intake.forget(self.half.is_durable);
            }
            if !self.may_recover(&trouble) {
                return Err(trouble.into_error());
            }
            trouble = match self.try_again(&trouble, is_sink).await {
                Some(Ok(())) => break,
                Some(Err(again)) => again,
                // What was gathered is durable, unless it is the sink that was waited for.
                None if matches!(trouble, Trouble::Sink(..)) => return Err(trouble.into_error()),
                None => return Ok(false),
            };
        }
        trace::info!("connected again");
        self.connected = Instant::now();
        self.statistics.is_connected = true;
        *(if is_sink { &mut self.statistics.sink_retries } else { &mut self.statistics.reconnects }) += 1;
        Ok(true)
    }

    fn may_recover(&self, trouble: &Trouble) -> bool {
        let is_possible = matches!(trouble, Trouble::Source(_)) || self.intake.source.can_reopen();
        self.reconnect && is_possible && trouble.passes()
    }

    /// Waits, and opens the source again; when the sink can say where it stands, if it has to be asked. Nothing, if the
    /// shutdown comes first.
    async fn try_again(&mut self, trouble: &Trouble, is_sink: bool) -> Option<Result<(), Trouble>> {
        let wait = self.backoff.after(trouble.error());
        if let Trouble::Source(_) = trouble {
            trace::warn!(error = %trouble.error().with_causes(), ?wait, "the source is lost; connecting again");
        } else {
            trace::warn!(error = %trouble.error().with_causes(), ?wait, "the sink failed; asking it again where it stands");
        }
        let (sink, intake) = (&mut self.sink, &mut self.intake);
        let again = async {
            let asked = async {
                sleep(wait).await;
                if is_sink { sink.progress().await.map(Some) } else { Ok(None) }
            };
            let asked = keep_alive(&mut intake.source, &mut intake.ended, asked).await;
            let progress = asked.map_err(Trouble::of::<S>)?;
            let begun = intake.source.reopen().await.map_err(Trouble::Source)?;
            Ok((progress, begun))
        };
        let opened = tokio::select! {
            biased;
            () = poll_fn(|cx| intake.shutdown.poll(cx)) => return None,
            opened = again => opened,
        };
        Some(match opened {
            Ok((progress, begun)) => self.begin_again(progress, begun).await,
            Err(trouble) => Err(trouble),
        })
    }

    async fn begin_again(&mut self, progress: Option<Progress>, begun: Fingerprint) -> Result<(), Trouble> {
        self.intake.ended = None;
        let renewed = match progress {
            None => Some(begun),
            Some(progress) => {
                self.reckon(&progress, begun.resume_lsn).await?;
                self.resume(progress)?
            }
        };
        if self.intake.transaction.needs_rollback() {
            self.write().await?;
            self.flush().await?;
        }
        self.renew(renewed).await
    }

    /// The sink has stood up again: what it has after all is counted, and what it hasn't comes again.
    async fn reckon(&mut self, progress: &Progress, durable: Lsn) -> Result<(), Trouble> {
        let kept = match progress {
            Progress::Untracked => Lsn::ZERO,
            Progress::None if !self.has_progress => Lsn::ZERO,
            progress => {
                let kept = if let Progress::At(kept) = progress { kept.resume_lsn } else { Lsn::ZERO };
                if kept < durable {
                    let changed = SourceChanged::SlotAhead { resume_lsn: kept, confirmed_flush_lsn: durable };
                    return Err(Trouble::Source(changed.into()));
                }
                kept
            }
        };
        // It will be acknowledged.
        self.intake.source.make_durable().await.map_err(Trouble::Source)?;
        self.ledger.flushed_up_to(kept, &mut self.statistics);
        Ok(())
    }
}
