//! A socket in memory that cuts what passes, and breaks at a byte.

use std::{
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    sync::watch,
    time::{Sleep, sleep},
};

use super::random::Random;
use crate::proxy::Phase;

/// One end of a leg, Bifocal's.
#[derive(Debug)]
pub(in crate::proxy) struct Leg {
    /// None: the connection is reset, or closed both ways.
    inner: Option<DuplexStream>,
    cut: Cut,
    random: Random,
    fault: Option<Fault>,
    stalled: Option<Pin<Box<Sleep>>>,
    is_at_end: bool,
    refuses_writes: bool,
    is_shut: bool,
    meter: Arc<Mutex<Meter>>,
}

/// How many bytes pass at once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    /// As many as there are.
    Whole,
    /// As many, but each time only when asked twice.
    Hesitant,
    /// At most so many, mostly fewer.
    UpTo(usize),
}

/// What happens, and where.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub kind: Kind,
    pub direction: Direction,
    /// After so many bytes in that direction.
    pub at: usize,
}

/// What Bifocal does there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Read,
    Write,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// The peer's machine says that there is no such connection.
    Reset,
    /// The peer closes both ways.
    Close,
    /// The peer says nothing more, and goes on reading.
    HalfClose,
    /// Nothing passes in this direction for a time.
    Stall(Duration),
    /// Nothing is ever taken any more.
    Deaf,
    /// Not a fault: the proxy begins to drain here.
    Drain(watch::Sender<Phase>),
}

/// What passed so far.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Meter {
    pub read: usize,
    pub written: usize,
    /// What was read before Bifocal ended the connection.
    pub read_before_end: usize,
    /// The fault has happened.
    pub has_fired: bool,
}

impl Leg {
    pub(super) fn new(
        inner: DuplexStream,
        cut: Cut,
        fault: Option<Fault>,
        random: Random,
    ) -> (Self, Arc<Mutex<Meter>>) {
        let meter = Arc::new(Mutex::new(Meter::default()));
        let leg = Self {
            inner: Some(inner),
            cut,
            random,
            fault,
            stalled: None,
            is_at_end: false,
            refuses_writes: false,
            is_shut: false,
            meter: meter.clone(),
        };
        (leg, meter)
    }

    /// How many bytes may pass now, before the fault and by the cut; 0: the fault happens now.
    fn allowance(&mut self, direction: Direction) -> usize {
        let meter = meter(&self.meter);
        let passed = if direction == Direction::Read { meter.read } else { meter.written };
        let left = match &self.fault {
            Some(fault) if fault.direction == direction => fault.at.saturating_sub(passed),
            _ => usize::MAX,
        };
        match self.cut {
            Cut::UpTo(most) if left > 0 => left.min(1 + self.random.index(most)),
            _ => left,
        }
    }

    /// Waits, where the peer stalls or hesitates.
    fn poll_turn(&mut self, cx: &mut Context<'_>, direction: Direction) -> Poll<()> {
        if let Some(stalled) = &mut self.stalled
            && self.fault.as_ref().is_some_and(|fault| fault.direction == direction)
        {
            ready!(stalled.as_mut().poll(cx));
            (self.stalled, self.fault) = (None, None);
        }
        if matches!(self.cut, Cut::Hesitant) && self.random.below(2) == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn fire(&mut self) {
        let Some(fault) = &self.fault else { return };
        meter(&self.meter).has_fired = true;
        match fault.kind.clone() {
            Kind::Stall(time) => self.stalled = Some(Box::pin(sleep(time))),
            Kind::Deaf => {}
            Kind::Drain(phase) => {
                phase.send_replace(Phase::Draining);
                self.fault = None;
            }
            Kind::HalfClose => self.is_at_end = true,
            Kind::Reset | Kind::Close => {
                // Of what the peer said before it broke off, a write's failure takes nothing away.
                let is_reset = matches!(fault.kind, Kind::Reset) && fault.direction == Direction::Read;
                self.is_at_end = fault.direction == Direction::Read;
                self.refuses_writes = true;
                if is_reset {
                    self.inner = None;
                }
            }
        }
    }

    fn poll_inner_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        allowance: usize,
    ) -> Poll<io::Result<()>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())) };
        let mut part = buf.take(allowance);
        let polled = pin!(inner).poll_read(cx, &mut part);
        let count = part.filled().len();
        if polled.is_pending() && self.refuses_writes {
            // What is under way has come; the peer is gone.
            return Poll::Ready(Ok(()));
        }
        // `part` is a view of the same memory, so what it filled is initialized.
        let bytes = part.filled().to_vec();
        buf.put_slice(&bytes);
        let mut meter = meter(&self.meter);
        meter.read += count;
        if !self.is_shut {
            meter.read_before_end += count;
        }
        polled
    }
}

impl AsyncRead for Leg {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            ready!(this.poll_turn(cx, Direction::Read));
            if this.is_at_end && this.inner.is_some() {
                return Poll::Ready(Ok(()));
            }
            match this.allowance(Direction::Read) {
                0 => this.fire(),
                allowance => return this.poll_inner_read(cx, buf, allowance),
            }
            if this.inner.is_none() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
        }
    }
}

impl AsyncWrite for Leg {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            ready!(this.poll_turn(cx, Direction::Write));
            if this.inner.is_none() || this.refuses_writes {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let is_deaf = matches!(&this.fault, Some(Fault { kind: Kind::Deaf, .. }));
            match this.allowance(Direction::Write) {
                0 => {
                    this.fire();
                    if is_deaf {
                        return Poll::Pending;
                    }
                }
                allowance => {
                    let Some(inner) = &mut this.inner else { continue };
                    let polled = pin!(inner).poll_write(cx, &bytes[..bytes.len().min(allowance)]);
                    if let Poll::Ready(Ok(count)) = polled {
                        meter(&this.meter).written += count;
                    }
                    return polled;
                }
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.is_shut = true;
        match &mut this.inner {
            Some(inner) => pin!(inner).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// A meter's figures.
pub(super) fn meter(meter: &Mutex<Meter>) -> std::sync::MutexGuard<'_, Meter> {
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}
