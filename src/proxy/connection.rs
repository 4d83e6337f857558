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
    net::TcpStream,
    sync::watch,
    time::{Instant, Sleep, sleep, timeout},
};

use super::{
    Phase, Shared,
    buffers::{Loan, READ_LEN},
    refuse,
};
use crate::{
    rules::Ruleset,
    session::{End, Rest, Session, VersionName},
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
    /// The client took too long to authenticate.
    SlowHandshake,
    /// The session came to its end.
    Session(End),
}

/// Serves one client to its end.
pub(super) async fn serve(
    mut client: TcpStream,
    shared: Arc<Shared>,
    listener: Option<VersionName>,
    phase: watch::Receiver<Phase>,
) -> Ending {
    let backend = match dial(&shared).await {
        Ok(backend) => backend,
        Err(error) => {
            let address = &shared.config.backend;
            tracing::warn!(%address, %error, "cannot connect to the backend");
            refuse(&client, 2003, &format!("Bifocal can't connect to the backend on '{address}' ({error})"));
            return Ending::Dial(error);
        }
    };
    // Without it a command could wait for the acknowledgement of the one before.
    if let Err(error) = client.set_nodelay(true) {
        return Ending::Client(error);
    }
    let rules = shared.rules.load_full();
    let session = Session::new(rules.clone(), listener).with_planner(shared.planner);
    let deadline = Some(Box::pin(sleep(shared.config.handshake_timeout)));
    let mut connection = Connection {
        client,
        backend,
        session,
        rules,
        shared,
        loan: None,
        written: [0; 2],
        deadline,
        drain: None,
        backend_is_closed: false,
    };
    let ending = connection.run(phase).await;
    client = connection.client;
    if matches!(ending, Ending::Session(End::Refused | End::BackendClosed | End::TooLong)) {
        linger(&mut client).await;
    }
    ending
}

async fn dial(shared: &Shared) -> io::Result<TcpStream> {
    let address = &shared.config.backend;
    let connecting = TcpStream::connect((address.host.as_str(), address.port));
    let backend = timeout(shared.config.connect_timeout, connecting).await.map_err(io::Error::from)??;
    backend.set_nodelay(true)?;
    Ok(backend)
}

/// Lets the client read the last packet: closing a socket with unread input resets the connection.
async fn linger(client: &mut TcpStream) {
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
    client: TcpStream,
    backend: TcpStream,
    session: Session,
    /// The rules that the session was told of last.
    rules: Arc<Ruleset>,
    shared: Arc<Shared>,
    /// Buffers, while there is something to write.
    loan: Option<Box<Loan>>,
    /// How much of each output is written: to the client, to the backend.
    written: [usize; 2],
    /// When the client must have authenticated.
    deadline: Option<Pin<Box<Sleep>>>,
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
        std::future::poll_fn(|cx| match self.poll(cx) {
            Poll::Ready(ending) => Poll::Ready(Some(ending)),
            Poll::Pending => reached.as_mut().poll(cx).map(|_| None),
        })
        .await
    }

    /// Moves bytes as long as there are some.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let mut loan = self.loan.take().unwrap_or_else(|| self.shared.buffers.lend());
        let polled = self.poll_with(cx, &mut loan);
        if loan.out.to_client.is_empty() && loan.out.to_backend.is_empty() {
            self.shared.buffers.give_back(loan);
        } else {
            self.loan = Some(loan);
        }
        polled
    }

    fn poll_with(&mut self, cx: &mut Context<'_>, loan: &mut Loan) -> Poll<Ending> {
        loop {
            if let Err(ending) = self.write(cx, loan) {
                return Poll::Ready(ending);
            }
            if let Some(end) = self.session.end() {
                return if loan.out.to_client.is_empty() && (self.backend_is_closed || loan.out.to_backend.is_empty()) {
                    Poll::Ready(Ending::Session(end))
                } else {
                    Poll::Pending
                };
            }
            match self.read(cx, loan) {
                Ok(true) => self.note_bytes(),
                Ok(false) => return self.poll_timers(cx),
                Err(ending) => return Poll::Ready(ending),
            }
        }
    }

    /// Writes what is there, as far as the peers take it.
    fn write(&mut self, cx: &mut Context<'_>, loan: &mut Loan) -> Result<(), Ending> {
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
        if self.deadline.is_some() && self.session.is_authenticated() {
            self.deadline = None;
        }
        if let Some(drain) = &mut self.drain {
            drain.last_bytes = Instant::now();
        }
    }

    fn poll_timers(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Ending::SlowHandshake);
        }
        while let Some(drain) = &mut self.drain {
            let is_over = match self.session.rest() {
                Rest::AtRest => true,
                Rest::Busy => false,
                Rest::Quiet => drain.last_bytes.elapsed() >= QUIET,
            };
            if is_over && self.loan.is_none() {
                return Poll::Ready(Ending::Drained);
            }
            ready!(drain.tick.as_mut().poll(cx));
            drain.tick.as_mut().reset(Instant::now() + DRAIN_TICK);
        }
        Poll::Pending
    }
}

fn poll_read(stream: &mut TcpStream, cx: &mut Context<'_>, input: &mut Vec<u8>) -> Poll<io::Result<usize>> {
    input.reserve(READ_LEN);
    // Unlike `try_read`, this knows from a short read that nothing is left, and spares a system call.
    pin!(stream.read_buf(input)).poll(cx)
}

/// Writes `output` from `written` on; when all is written, both are reset.
fn poll_write(
    stream: &mut TcpStream,
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
            Self::SlowHandshake => f.write_str("handshake timeout"),
            Self::ClientClosed => f.write_str("client closed"),
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
