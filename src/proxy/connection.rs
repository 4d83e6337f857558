//! One client, its backend, and the session between them, in one task.
//!
//! A peer is read only when what it sent before has been written to the other, so a slow reader holds up its
//! writer instead of filling memory.

use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::{Instant, Sleep, sleep, timeout},
};

use super::{
    Phase, Shared,
    buffers::{Loan, READ_LEN},
    compression,
    dial::{dial, legs},
    ending::{Ending, no_backend_tls, slow_handshake, stuck_backend},
    proxy_header::Client,
    refuse,
    stream::{Socket, Stream},
    tls::Loaded,
};
use crate::{
    rules::Ruleset,
    session::{End, NO_BACKEND, Outputs, Rest, Session, Side, VersionName},
};

/// What interrupts the moving of bytes.
enum Pause {
    Ended(Ending),
    /// A leg needs its TLS handshake.
    Tls(Side),
}

/// Serves one client to its end.
pub(super) async fn serve(
    client: Socket,
    shared: Arc<Shared>,
    listener: Option<VersionName>,
    mut phase: watch::Receiver<Phase>,
) -> Ending {
    let opened = tokio::select! {
        opened = open(client, &shared) => opened,
        _ = async { phase.wait_for(|phase| *phase != Phase::Running).await.is_ok() } => Err(Ending::Drained),
    };
    match opened {
        Ok((client, backend)) => Connection::new(client, backend, shared, listener).serve(phase).await,
        Err(ending) => ending,
    }
}

/// Learns who the client is, and connects to the backend.
async fn open(client: Socket, shared: &Shared) -> Result<(Client, Socket), Ending> {
    let client = arrive(client, shared).await?;
    match dial(&shared.config, &client).await {
        Ok(backend) => Ok((client, backend)),
        Err(error) => {
            let address = &shared.config.backend;
            tracing::warn!(%address, %error, "cannot connect to the backend");
            refuse(
                &client.socket,
                NO_BACKEND,
                &format!("Bifocal can't connect to the backend on '{address}' ({error})"),
            );
            Err(Ending::Dial(error))
        }
    }
}

/// Learns who the client is.
pub(super) async fn arrive(mut socket: Socket, shared: &Shared) -> Result<Client, Ending> {
    socket.prepare().map_err(Ending::Client)?;
    match timeout(shared.config.handshake_timeout, Client::arrive(&mut socket, &shared.config)).await {
        Ok(Ok(arrival)) => Ok(arrival.of(socket)),
        Ok(Err(error)) => {
            tracing::warn!(peer = ?socket.peer_ip(), %error, "the PROXY header is due here");
            Err(Ending::Header(error))
        }
        Err(_) => {
            refuse(&socket, 1159, "Got timeout reading communication packets: Bifocal expects a PROXY header here");
            Err(Ending::Header(io::ErrorKind::TimedOut.into()))
        }
    }
}

/// Lets the client read the last packet: closing a socket with unread input resets the connection.
async fn linger(client: &mut Stream) {
    let mut sink = Vec::with_capacity(1024);
    let drained = async {
        // Under TLS this writes, which a client that does not read can hold up.
        _ = client.shutdown().await;
        while matches!(client.read_buf(&mut sink).await, Ok(count) if count > 0) {
            sink.clear();
        }
    };
    _ = timeout(LINGER, drained).await;
}

/// One client, its backend and the session between them.
pub(super) struct Connection {
    client: Stream,
    backend: Stream,
    session: Session,
    /// The rules that the session was told of last.
    rules: Arc<Ruleset>,
    /// The certificates that this connection began with.
    loaded: Arc<Loaded>,
    shared: Arc<Shared>,
    /// Buffers, while there is something to write.
    loan: Option<Box<Loan>>,
    /// How much of each output is written: to the client, to the backend.
    written: [usize; 2],
    /// When the client must have authenticated.
    deadline: Option<Pin<Box<Sleep>>>,
    /// When a peer that does not read is given up.
    stuck: Option<Pin<Box<Sleep>>>,
    drain: Option<Drain>,
    /// What the client has sent before it was greeted.
    ahead: Vec<u8>,
    /// The backend cannot be read any more, or not be written.
    backend_is_closed: bool,
}

/// A connection that is to end when it is at rest.
struct Drain {
    tick: Pin<Box<Sleep>>,
    last_bytes: Instant,
}

impl Connection {
    /// A connection whose client is yet to be greeted.
    pub fn new(client: Client, backend: Socket, shared: Arc<Shared>, listener: Option<VersionName>) -> Self {
        let (rules, loaded) = (shared.rules.load_full(), shared.loaded.load_full());
        let session = Session::new(rules.clone(), listener)
            .with_planner(shared.planner)
            .with_legs(legs(&shared.config, &loaded, &client, &backend))
            .with_max_packet_len(shared.config.max_packet_len);
        Self {
            client: Stream::Plain(client.socket),
            backend: Stream::Plain(backend),
            session,
            rules,
            loaded,
            loan: None,
            written: [0; 2],
            deadline: Some(Box::pin(sleep(shared.config.handshake_timeout))),
            shared,
            stuck: None,
            drain: None,
            ahead: client.ahead,
            backend_is_closed: false,
        }
    }

    /// Its session alone.
    #[cfg(test)]
    pub fn into_session(self) -> Session {
        self.session
    }

    /// Moves bytes until the connection ends.
    pub async fn serve(mut self, phase: watch::Receiver<Phase>) -> Ending {
        if !self.ahead.is_empty() {
            let mut loan = self.shared.buffers.lend();
            self.session.client_bytes(&mut std::mem::take(&mut self.ahead), &mut loan.out);
            self.loan = Some(loan);
        }
        let ending = self.run(phase).await;
        if matches!(ending, Ending::Session(end) if end != End::Quit) {
            linger(&mut self.client).await;
        }
        ending
    }

    async fn run(&mut self, mut phase: watch::Receiver<Phase>) -> Ending {
        if let Some(ending) = self.until(&mut phase, |phase| phase != Phase::Running).await {
            return ending;
        }
        self.drain = Some(Drain { tick: Box::pin(sleep(DRAIN_TICK)), last_bytes: Instant::now() });
        self.until(&mut phase, |phase| phase == Phase::Closing).await.unwrap_or(Ending::Cut)
    }

    /// Moves bytes until the connection ends, or the proxy's phase is the one waited for.
    async fn until(&mut self, phase: &mut watch::Receiver<Phase>, is_it: fn(Phase) -> bool) -> Option<Ending> {
        let mut reached = pin!(async { phase.wait_for(|phase| is_it(*phase)).await.is_ok() });
        loop {
            let pause = std::future::poll_fn(|cx| match self.poll(cx) {
                Poll::Ready(pause) => Poll::Ready(Some(pause)),
                Poll::Pending => reached.as_mut().poll(cx).map(|_| None),
            })
            .await;
            match pause {
                None => return None,
                Some(Pause::Ended(ending)) => return Some(ending),
                Some(Pause::Tls(side)) => {
                    if let Err(ending) = self.secure(side).await {
                        return Some(ending);
                    }
                }
            }
        }
    }

    /// Puts TLS on a leg.
    async fn secure(&mut self, side: Side) -> Result<(), Ending> {
        let Some(deadline) = &mut self.deadline else { return Ok(()) };
        let first = self.session.take_plain_bytes(side);
        let handshake = async {
            match (side, &self.loaded.acceptor) {
                (Side::Client, Some(acceptor)) => {
                    handshake(&mut self.client, async |stream| stream.accept_tls(acceptor, first).await).await
                }
                (Side::Client, None) => Err(io::Error::other("TLS was not offered")),
                (Side::Backend, _) if !first.is_empty() => Err(io::Error::other("the backend spoke before TLS")),
                (Side::Backend, _) => {
                    let (connector, name) = (&self.loaded.connector, self.loaded.backend_name.clone());
                    handshake(&mut self.backend, async |stream| stream.connect_tls(connector, name).await).await
                }
            }
        };
        let done = tokio::select! {
            done = handshake => done,
            () = deadline.as_mut() => Err(io::ErrorKind::TimedOut.into()),
        };
        let mut loan = self.shared.buffers.lend();
        match (side, done) {
            (_, Ok(())) => self.session.has_tls(&mut loan.out),
            (Side::Client, Err(error)) => return Err(Ending::Tls(error)),
            (Side::Backend, Err(error)) => {
                tracing::warn!(%error, "no TLS with the backend");
                self.backend_is_closed = true;
                self.session.give_up(&no_backend_tls(&error), End::NoTls, &mut loan.out);
            }
        }
        self.loan = Some(loan);
        Ok(())
    }

    /// Moves bytes as long as there are some.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Pause> {
        let mut loan = self.loan.take().unwrap_or_else(|| self.shared.buffers.lend());
        let polled = self.poll_with(cx, &mut loan);
        if loan.out.to_client.is_empty() && loan.out.to_backend.is_empty() {
            self.shared.buffers.give_back(loan);
        } else {
            self.loan = Some(loan);
        }
        polled
    }

    fn poll_with(&mut self, cx: &mut Context<'_>, loan: &mut Loan) -> Poll<Pause> {
        loop {
            if let Err(ending) = self.write(cx, loan) {
                return Poll::Ready(Pause::Ended(ending));
            }
            let told = loan.out.to_client.is_empty();
            let is_written = told && (self.backend_is_closed || loan.out.to_backend.is_empty());
            if let Some(end) = self.session.end().filter(|_| is_written) {
                return Poll::Ready(Pause::Ended(Ending::Session(end)));
            }
            let awaits_tls = self.session.awaits_tls();
            if let Some(side) = awaits_tls.filter(|_| is_written) {
                return Poll::Ready(Pause::Tls(side));
            }
            if self.session.end().is_none() && awaits_tls.is_none() {
                match self.read(cx, loan) {
                    Ok(true) => {
                        self.note_bytes();
                        continue;
                    }
                    Ok(false) => {}
                    Err(ending) => return Poll::Ready(Pause::Ended(ending)),
                }
            }
            if let Err(ending) = ready!(self.poll_timers(cx, loan)) {
                return Poll::Ready(Pause::Ended(ending));
            }
        }
    }

    /// Writes what is there, as far as the peers take it.
    fn write(&mut self, cx: &mut Context<'_>, loan: &mut Loan) -> Result<(), Ending> {
        let before = self.written;
        let written = poll_write(&mut self.client, cx, &mut loan.out.to_client, &mut self.written[0]);
        if let Poll::Ready(Err(error)) = written {
            return Err(Ending::Client(error));
        }
        let written = poll_write(&mut self.backend, cx, &mut loan.out.to_backend, &mut self.written[1]);
        if let Poll::Ready(Err(_)) = written {
            // What the backend said before it closed the connection is still to be read.
            loan.out.to_backend.clear();
            self.written[1] = 0;
        }
        let is_written = loan.out.to_client.is_empty() && loan.out.to_backend.is_empty();
        if self.stuck.is_some() && (is_written || before != self.written) {
            self.stuck = None;
        }
        Ok(())
    }

    /// Reads what is there and has room on the other side; whether it was anything.
    fn read(&mut self, cx: &mut Context<'_>, loan: &mut Loan) -> Result<bool, Ending> {
        let mut has_read = false;
        if loan.out.to_client.is_empty() {
            match self.poll_read(Side::Backend, cx, &mut loan.input) {
                Poll::Pending => {}
                Poll::Ready(Ok(true)) => {
                    self.session.backend_bytes(&mut loan.input, &mut loan.out);
                    has_read = true;
                }
                Poll::Ready(_) => {
                    self.backend_is_closed = true;
                    self.session.backend_closed(&mut loan.out);
                    return Ok(true);
                }
            }
        }
        if loan.out.to_backend.is_empty() && self.session.wants_client_bytes() {
            match self.poll_read(Side::Client, cx, &mut loan.input) {
                Poll::Pending => {}
                Poll::Ready(Ok(false)) => return Err(Ending::ClientClosed),
                Poll::Ready(Ok(true)) => {
                    self.take_rules();
                    self.session.client_bytes(&mut loan.input, &mut loan.out);
                    has_read = true;
                }
                // Many clients close a connection with TLS without saying so inside.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Ending::ClientClosed);
                }
                Poll::Ready(Err(error)) => return Err(Ending::Client(error)),
            }
        }
        Ok(has_read)
    }

    /// Whether there is anything: more of what the session has, or of the peer's.
    fn poll_read(&mut self, side: Side, cx: &mut Context<'_>, input: &mut Vec<u8>) -> Poll<io::Result<bool>> {
        if self.session.has_frames(side) {
            return Poll::Ready(Ok(true));
        }
        let stream = match side {
            Side::Client => &mut self.client,
            Side::Backend => &mut self.backend,
        };
        poll_read(stream, cx, input).map_ok(|count| count > 0)
    }

    fn take_rules(&mut self) {
        let rules = self.shared.rules.load();
        if !Arc::ptr_eq(&rules, &self.rules) {
            self.rules = rules.clone();
            self.session.set_rules(self.rules.clone());
        }
    }

    fn note_bytes(&mut self) {
        match (self.session.is_authenticating(), &self.deadline) {
            (false, Some(_)) => {
                self.deadline = None;
                compression::note(self.session.backend_leg(), &self.shared);
            }
            // A change of user.
            (true, None) => self.deadline = Some(Box::pin(sleep(self.shared.config.handshake_timeout))),
            _ => {}
        }
        if let Some(drain) = &mut self.drain {
            drain.last_bytes = Instant::now();
        }
    }

    /// Ready if a timer has ended the connection, or the session, which then has something to say.
    fn poll_timers(&mut self, cx: &mut Context<'_>, loan: &mut Loan) -> Poll<Result<(), Ending>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            self.deadline = None;
            self.session.give_up(&slow_handshake(), End::SlowHandshake, &mut loan.out);
            return Poll::Ready(Ok(()));
        }
        let Loan { out: Outputs { to_client, to_backend }, .. } = loan;
        let waits_for = match (to_client.is_empty(), to_backend.is_empty()) {
            (false, _) => Some(Side::Client),
            (true, false) => Some(Side::Backend),
            (true, true) => None,
        };
        if let Some(side) = waits_for {
            let timeout = self.shared.config.write_timeout;
            let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(timeout)));
            ready!(stuck.as_mut().poll(cx));
            return Poll::Ready(self.give_up_on(side, &mut loan.out));
        }
        self.poll_drain(cx).map(Err)
    }

    /// A peer has not read what is there for it.
    fn give_up_on(&mut self, side: Side, out: &mut Outputs) -> Result<(), Ending> {
        self.stuck = None;
        if side == Side::Client || self.session.end().is_some() {
            return Err(Ending::Stuck(side));
        }
        self.backend_is_closed = true;
        self.session.give_up(&stuck_backend(), End::StuckBackend, out);
        Ok(())
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        while let Some(drain) = &mut self.drain {
            let is_over = match self.session.rest() {
                Rest::AtRest => true,
                Rest::Busy => false,
                Rest::Quiet => drain.last_bytes.elapsed() >= QUIET,
            };
            if is_over {
                return Poll::Ready(Ending::Drained);
            }
            ready!(drain.tick.as_mut().poll(cx));
            drain.tick.as_mut().reset(Instant::now() + DRAIN_TICK);
        }
        Poll::Pending
    }
}

/// Puts TLS on a stream.
async fn handshake(stream: &mut Stream, secured: impl AsyncFnOnce(Stream) -> io::Result<Stream>) -> io::Result<()> {
    let plain = std::mem::replace(stream, Stream::Gone);
    *stream = secured(plain).await?;
    Ok(())
}

fn poll_read(stream: &mut Stream, cx: &mut Context<'_>, input: &mut Vec<u8>) -> Poll<io::Result<usize>> {
    input.reserve(READ_LEN);
    // Unlike `try_read`, this knows from a short read that nothing is left, and spares a system call.
    pin!(stream.read_buf(input)).poll(cx)
}

/// Writes `output` from `written` on; when all is written, both are reset.
fn poll_write(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    output: &mut Vec<u8>,
    written: &mut usize,
) -> Poll<io::Result<()>> {
    while *written < output.len() {
        match ready!(Pin::new(&mut *stream).poll_write(cx, &output[*written..])) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => *written += count,
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    if !output.is_empty() {
        ready!(Pin::new(stream).poll_flush(cx))?;
    }
    output.clear();
    *written = 0;
    Poll::Ready(Ok(()))
}

/// How long a client may take to read the last packet.
const LINGER: Duration = Duration::from_secs(1);

/// How often a draining connection looks whether it is at rest.
const DRAIN_TICK: Duration = Duration::from_millis(50);

/// A connection without a version is at rest when nothing came for so long.
const QUIET: Duration = Duration::from_millis(250);
