//! One client, its backend, and the session between them, in one task.
//!
//! A peer is read only when what it sent before has been written to the other, so a slow reader holds up its
//! writer instead of filling memory.

use std::{
    fmt, io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    sync::watch,
    time::{Instant, Sleep, sleep, timeout},
};

use super::{
    Phase, Shared,
    buffers::{Loan, READ_LEN},
    refuse,
    stream::{Socket, Stream},
    tls::Loaded,
};
use crate::{
    config::{BackendAddress, BackendTls, ClientTls, Config},
    rules::Ruleset,
    session::{End, Leg, Legs, OsUser, Outputs, Protection, Rest, ServerError, Session, Side, Tls, VersionName},
};

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The backend could not be reached.
    Dial(io::Error),
    /// The proxy is going down.
    Drained,
    /// The client could not be read or written.
    Client(io::Error),
    /// The client closed the connection.
    ClientClosed,
    /// The drain timeout was over.
    Cut,
    /// The session came to its end.
    Session(End),
    /// A peer took too long to read.
    Stuck(Side),
    /// The TLS handshake with the client failed.
    Tls(io::Error),
}

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
    phase: watch::Receiver<Phase>,
) -> Ending {
    let backend = match dial(&shared.config).await {
        Ok(backend) => backend,
        Err(error) => {
            let address = &shared.config.backend;
            tracing::warn!(%address, %error, "cannot connect to the backend");
            refuse(&client, 2003, &format!("Bifocal can't connect to the backend on '{address}' ({error})"));
            return Ending::Dial(error);
        }
    };
    if let Err(error) = client.prepare() {
        return Ending::Client(error);
    }
    let rules = shared.rules.load_full();
    let loaded = shared.loaded.load_full();
    let legs = legs(&shared.config, &loaded, &client, &backend);
    let session = Session::new(rules.clone(), listener).with_planner(shared.planner).with_legs(legs);
    let deadline = Some(Box::pin(sleep(shared.config.handshake_timeout)));
    let mut connection = Connection {
        client: Stream::Plain(client),
        backend: Stream::Plain(backend),
        session,
        rules,
        loaded,
        shared,
        loan: None,
        written: [0; 2],
        deadline,
        stuck: None,
        drain: None,
        backend_is_closed: false,
    };
    let ending = connection.run(phase).await;
    if matches!(ending, Ending::Session(end) if end != End::Quit) {
        linger(&mut connection.client).await;
    }
    ending
}

async fn dial(config: &Config) -> io::Result<Socket> {
    let connecting = async {
        match &config.backend {
            BackendAddress::Tcp { host, port } => TcpStream::connect((host.as_str(), *port)).await.map(Socket::Tcp),
            BackendAddress::Unix(path) => UnixStream::connect(path).await.map(Socket::Unix),
        }
    };
    let backend = timeout(config.connect_timeout, connecting).await.map_err(io::Error::from)??;
    backend.prepare()?;
    Ok(backend)
}

/// What protects the legs before any TLS.
fn legs(config: &Config, loaded: &Loaded, client: &Socket, backend: &Socket) -> Legs {
    let leg = |socket: &Socket, tls| {
        let is_loopback = socket.peer_ip().is_some_and(|ip| ip.to_canonical().is_loopback());
        let protection = if socket.is_local() { Protection::Local } else { Protection::None };
        Leg { tls, protection, is_trusted: config.trust_loopback && is_loopback }
    };
    let client_tls = match config.tls.mode {
        ClientTls::Off => Tls::Off,
        ClientTls::Prefer => Tls::Prefer,
        ClientTls::Require if client.is_local() => Tls::Prefer,
        ClientTls::Require => Tls::Require,
    };
    let backend_tls = match config.backend_tls.mode {
        BackendTls::Off => Tls::Off,
        // Nobody listens on a Unix socket.
        BackendTls::Prefer if backend.is_local() => Tls::Off,
        BackendTls::Prefer => Tls::Prefer,
        BackendTls::Require | BackendTls::Verify => Tls::Require,
    };
    let os_user = if backend.is_local() { loaded.process.stands_for(client.peer_uid()) } else { OsUser::Known };
    Legs { client: leg(client, client_tls), backend: leg(backend, backend_tls), rsa: loaded.rsa.clone(), os_user }
}

/// Lets the client read the last packet: closing a socket with unread input resets the connection.
async fn linger(client: &mut Stream) {
    _ = client.shutdown().await;
    let mut sink = Vec::with_capacity(1024);
    let drained = async {
        while matches!(client.read_buf(&mut sink).await, Ok(count) if count > 0) {
            sink.clear();
        }
    };
    _ = timeout(LINGER, drained).await;
}

/// One client, its backend and the session between them.
struct Connection {
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
    /// The backend cannot be read any more, or not be written.
    backend_is_closed: bool,
}

/// A connection that is to end when it is at rest.
struct Drain {
    tick: Pin<Box<Sleep>>,
    last_bytes: Instant,
}

impl Connection {
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
            match poll_read(&mut self.backend, cx, &mut loan.input) {
                Poll::Pending => {}
                Poll::Ready(Ok(count)) if count > 0 => {
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
            match poll_read(&mut self.client, cx, &mut loan.input) {
                Poll::Pending => {}
                Poll::Ready(Ok(0)) => return Err(Ending::ClientClosed),
                Poll::Ready(Ok(_)) => {
                    self.take_rules();
                    self.session.client_bytes(&mut loan.input, &mut loan.out);
                    has_read = true;
                }
                Poll::Ready(Err(error)) => return Err(Ending::Client(error)),
            }
        }
        Ok(has_read)
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
            (false, Some(_)) => self.deadline = None,
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
            return stuck.as_mut().poll(cx).map(|()| Err(Ending::Stuck(side)));
        }
        self.poll_drain(cx).map(Err)
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

fn no_backend_tls(error: &io::Error) -> ServerError {
    let message = format!("Bifocal's TLS handshake with the backend failed: {error}");
    ServerError { number: 2026, sqlstate: *b"HY000", message }
}

/// `ER_NET_READ_INTERRUPTED`
fn slow_handshake() -> ServerError {
    let message = "Got timeout reading communication packets: Bifocal's handshake timeout is over".to_owned();
    ServerError { number: 1159, sqlstate: *b"08S01", message }
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

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(error) => write!(f, "cannot connect to the backend: {error}"),
            Self::Cut => f.write_str("cut off by the drain timeout"),
            Self::Drained => f.write_str("drained"),
            Self::Client(error) => write!(f, "client: {error}"),
            Self::ClientClosed => f.write_str("client closed"),
            Self::Stuck(Side::Client) => f.write_str("the client does not read"),
            Self::Stuck(Side::Backend) => f.write_str("the backend does not read"),
            Self::Tls(error) => write!(f, "TLS with the client: {error}"),
            Self::Session(end) => f.write_str(end.as_str()),
        }
    }
}

/// How long a client may take to read the last packet.
const LINGER: Duration = Duration::from_secs(1);

/// How often a draining connection looks whether it is at rest.
const DRAIN_TICK: Duration = Duration::from_millis(50);

/// A connection without a version is at rest when nothing came for so long.
const QUIET: Duration = Duration::from_millis(250);
