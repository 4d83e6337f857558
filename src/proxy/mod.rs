//! The shell: sockets, timeouts, limits and draining around [`crate::session`].
//!
//! Started and stopped by ownership: [`Proxy::bind`], [`Proxy::run`], and when its shutdown future is done, new
//! connections are no longer accepted, those at rest are closed, and the others get their grace.

mod buffers;
mod compression;
mod connection;
mod dial;
mod ending;
mod listener;
mod process;
mod proxy_header;
mod stream;
mod tls;

#[cfg(test)]
mod faults;

use std::{
    io,
    sync::{Arc, Once},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{sleep, timeout},
};

use crate::{
    config::{Config, ListenAddress},
    rules::Ruleset,
    session::{Planner, VersionName},
    wire,
};
use buffers::Buffers;
use listener::Listener;
use stream::Socket;
pub use tls::Loaded;

/// Listeners that are bound, and what their connections need.
#[derive(Debug)]
pub struct Proxy {
    listeners: Vec<(Listener, Option<VersionName>)>,
    config: Config,
    rules: Arc<ArcSwap<Ruleset>>,
    loaded: Arc<ArcSwap<Loaded>>,
    planner: Planner,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    config: Config,
    rules: Arc<ArcSwap<Ruleset>>,
    loaded: Arc<ArcSwap<Loaded>>,
    buffers: Buffers,
    permits: Arc<Semaphore>,
    planner: Planner,
    /// Whether it was logged that the backend lacks what it is asked for.
    compression_noted: Once,
}

/// How far the proxy's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Connections end when they are at rest.
    Draining,
    /// Connections end.
    Closing,
}

impl Proxy {
    /// Binds every listener. The rules and what is loaded can be put in force anew while it runs.
    pub async fn bind(config: Config, rules: Arc<ArcSwap<Ruleset>>, loaded: Arc<ArcSwap<Loaded>>) -> io::Result<Self> {
        let mut listeners = Vec::with_capacity(config.listen.len());
        for listen in &config.listen {
            let listener = Listener::bind(&listen.address)
                .await
                .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}")))?;
            let version = listen.version.clone().map(|(database, version)| VersionName { database, version });
            listeners.push((listener, version));
        }
        Ok(Self { listeners, config, rules, loaded, planner: Planner::default() })
    }

    /// The same proxy with another planner.
    #[must_use]
    pub fn with_planner(mut self, planner: Planner) -> Self {
        self.planner = planner;
        self
    }

    /// The bound addresses and their versions, in the order of the configuration.
    pub fn addresses(&self) -> io::Result<Vec<(ListenAddress, Option<VersionName>)>> {
        self.listeners.iter().map(|(listener, version)| Ok((listener.address()?, version.clone()))).collect()
    }

    /// Serves until `shutdown` is done, then drains.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listeners, config, rules, loaded, planner } = self;
        let permits = Arc::new(Semaphore::new(config.max_connections));
        let (buffers, compression_noted) = (Buffers::default(), Once::new());
        let shared = Arc::new(Shared { config, rules, loaded, buffers, permits, planner, compression_noted });
        let (phase_sender, phase) = watch::channel(Phase::Running);
        // Every connection holds a sender: the channel closes when the last one has ended.
        let (alive, mut all_ended) = mpsc::channel::<()>(1);
        let accepting: Vec<_> = listeners
            .into_iter()
            .map(|(listener, version)| {
                let accept = accept(listener, version, shared.clone(), phase.clone(), alive.clone());
                tokio::spawn(accept)
            })
            .collect();
        drop(alive);
        shutdown.await;
        for task in accepting {
            task.abort();
        }
        phase_sender.send_replace(Phase::Draining);
        let open = shared.config.max_connections - shared.permits.available_permits();
        tracing::info!(connections = open, "draining");
        if timeout(shared.config.drain_timeout, all_ended.recv()).await.is_err() {
            phase_sender.send_replace(Phase::Closing);
            tracing::warn!("the drain timeout is over; closing what is left");
            _ = timeout(CLOSE_TIMEOUT, all_ended.recv()).await;
        }
    }
}

async fn accept(
    listener: Listener,
    version: Option<VersionName>,
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
    alive: mpsc::Sender<()>,
) {
    loop {
        let (client, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: accepting again at once would only spin.
                tracing::warn!(%error, "cannot accept");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = shared.permits.clone().try_acquire_owned() else {
            tracing::warn!(%peer, "too many connections");
            refuse(&client, 1040, "Too many connections");
            continue;
        };
        let connection = connection::serve(client, shared.clone(), version.clone(), phase.clone());
        let alive = alive.clone();
        tokio::spawn(async move {
            let ending = connection.await;
            tracing::debug!(%peer, %ending, "closed");
            drop((permit, alive));
        });
    }
}

/// Says no in place of the greeting. Such an ERR has no SQLSTATE: the client has not yet told that it speaks the
/// 4.1 protocol.
fn refuse(client: &Socket, number: u16, message: &str) {
    let mut payload = Vec::new();
    wire::ErrPacket { number, sqlstate: None, message: message.as_bytes() }.encode(&mut payload);
    let mut packet = Vec::new();
    wire::put_payload(&mut packet, 0, &payload);
    // The socket is new, so its buffer takes this; a client that has gone need not know.
    _ = client.try_write(&packet);
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Closing sockets takes no longer than this.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
