//! Connections whose legs break: recorded sessions are played over sockets in memory that cut what passes and break
//! at a byte, which a seed chooses; virtual time, so that a stall costs none.
//!
//! `BIFOCAL_FAULT_SEED` plays one seed again, `BIFOCAL_FAULT_RUNS` says how many are played.
//! `captures/` holds what clients (`C`) and servers (`B`) sent in whole sessions, through Bifocal before real
//! servers, in hexadecimal; `shop__v1` has a table `users` that is called `people` on the server.

mod judge;
pub(super) mod leg;
mod peer;
mod random;
mod script;

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    io::duplex,
    runtime::Runtime,
    sync::{Semaphore, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    Phase, Shared,
    buffers::Buffers,
    connection::{Connection, arrive},
    ending::Ending,
    stream::{Socket, Stream},
    tls::Loaded,
};
use crate::{
    config::{Config, Written},
    rewrite::{Facts, Plan, Rewrite},
    rules::Mapping,
    session::{Planner, Side, fixtures::ruleset},
};
use leg::{Cut, Direction, Fault, Kind, Leg, Meter, meter};
use random::Random;
use script::{Course, Script, course};

/// What a test has of a script.
struct Stage {
    script: Script,
    course: Course,
    shared: Arc<Shared>,
    /// What passes without a fault: of the client's leg, of the backend's.
    whole: [Meter; 2],
}

/// What a seed chooses.
#[derive(Debug)]
struct Choice {
    stage: usize,
    side: Side,
    fault: Option<Fault>,
    cuts: [Cut; 2],
    capacities: [usize; 2],
}

/// What has become of it.
#[derive(Debug)]
struct Outcome {
    ending: Ending,
    to_client: Vec<u8>,
    to_backend: Vec<u8>,
    meters: [Meter; 2],
    took: Duration,
}

#[test]
fn no_fault_leaves_a_leg_hanging_or_gives_half_a_packet() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let stages = stages(folder.path(), &runtime);
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let seeds = match number("BIFOCAL_FAULT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BIFOCAL_FAULT_RUNS").unwrap_or(RUNS),
    };
    let mut tally = judge::Tally::default();
    for seed in seeds {
        let _told = ToldOnPanic(seed);
        let mut random = Random::new(seed);
        let choice = choose(&stages, &mut random);
        let stage = &stages[choice.stage];
        let outcome = run(&runtime, stage, &choice, random).expect("both legs end");
        judge::judge(stage, &choice, &outcome, &mut tally);
    }
    println!("{tally}");
}

/// Names the seed of a failure.
struct ToldOnPanic(u64);

impl Drop for ToldOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to play it again: BIFOCAL_FAULT_SEED={}", self.0);
        }
    }
}

/// Every script, played once without a fault.
fn stages(folder: &Path, runtime: &Runtime) -> Vec<Stage> {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join("cert.pem"), certificate.cert.pem()).expect("written");
    std::fs::write(folder.join("key.pem"), certificate.signing_key.serialize_pem()).expect("written");
    let make = |script: Script| {
        let shared = shared(&script, folder);
        let _guard = runtime.enter();
        let (client, _) = leg(duplex(1).0, Cut::Whole, None, Random::new(0));
        let (backend, _) = leg(duplex(1).0, Cut::Whole, None, Random::new(0));
        let client = super::proxy_header::Client::plain(client);
        let course = course(&script, Connection::new(client, backend, shared.clone(), None).into_session());
        let mut stage = Stage { script, course, shared, whole: [Meter::default(); 2] };
        let choice =
            Choice { stage: 0, side: Side::Client, fault: None, cuts: [Cut::Whole; 2], capacities: [65_536; 2] };
        let outcome = run(runtime, &stage, &choice, Random::new(0)).expect("it comes to its end");
        judge::judge(&stage, &choice, &outcome, &mut judge::Tally::default());
        stage.whole = outcome.meters;
        stage
    };
    script::all().into_iter().map(make).collect()
}

fn shared(script: &Script, folder: &Path) -> Arc<Shared> {
    let written = Written {
        backend: Some("mysql://localhost".to_owned()),
        listen: vec!["127.0.0.1:0".to_owned()],
        handshake_timeout: Some(HANDSHAKE_TIMEOUT.as_secs_f64()),
        write_timeout: Some(WRITE_TIMEOUT.as_secs_f64()),
        tls: Some(if script.client_tls { "require" } else { "off" }.to_owned()),
        tls_certificate: Some(folder.join("cert.pem")),
        tls_key: Some(folder.join("key.pem")),
        backend_tls: Some(if script.backend_tls { "require" } else { "off" }.to_owned()),
        proxy_protocol_from: if script.header.is_empty() { vec![] } else { vec!["127.0.0.1".to_owned()] },
        ..Written::default()
    };
    let config = Config::resolve(written).expect("a configuration");
    let mut loaded = Loaded::from_config(&config).expect("files");
    if loaded.acceptor.is_none() {
        // For the backend's side of a leg.
        let with_tls = Config { tls: tls_of(folder), ..config.clone() };
        loaded.acceptor = Loaded::from_config(&with_tls).expect("files").acceptor;
    }
    Arc::new(Shared {
        config,
        rules: Arc::new(ArcSwap::new(ruleset())),
        loaded: Arc::new(ArcSwap::from_pointee(loaded)),
        buffers: Buffers::default(),
        permits: Arc::new(Semaphore::new(1)),
        planner: Planner { plan: users_are_people, ..Planner::default() },
        compression_noted: std::sync::Once::new(),
    })
}

fn tls_of(folder: &Path) -> crate::config::ClientLeg {
    let identity = crate::config::Identity { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    crate::config::ClientLeg { mode: crate::config::ClientTls::Prefer, identity: Some(identity), client_ca: None }
}

/// A plan with answers of the same shape as the recorded ones.
fn users_are_people(text: &[u8], _: &[Arc<Mapping>], _: &Facts) -> Plan {
    let text = String::from_utf8_lossy(text);
    if !text.contains("users") {
        return Plan::Forward;
    }
    let client_params = u16::try_from(text.matches('?').count()).unwrap_or(0);
    let params = (0..client_params).collect();
    let text = text.replace("users", "people").replace("mail", "email").into_bytes();
    Plan::Rewrite(Rewrite { text, params, client_params, tables: Vec::new() })
}

fn choose(stages: &[Stage], random: &mut Random) -> Choice {
    let stage = random.index(stages.len());
    let is_large = stages[stage].course.to_backend.len() > 100_000;
    let mut cut = || match random.below(8) {
        0 if !is_large => Cut::UpTo(1),
        1 | 2 => Cut::UpTo(if is_large { 5000 } else { 40 }),
        3 => Cut::Hesitant,
        _ => Cut::Whole,
    };
    let cuts = [cut(), cut()];
    let capacities = [0; 2].map(|_| [100, 4096, 65_536][random.index(3)]);
    let capacities = if is_large { capacities.map(|capacity| capacity.max(4096)) } else { capacities };
    let side = if random.below(2) == 0 { Side::Client } else { Side::Backend };
    let mut direction = if random.below(2) == 0 { Direction::Read } else { Direction::Write };
    let kind = match random.below(10) {
        0 => None,
        1 | 2 => Some(Kind::Reset),
        3 | 4 => Some(Kind::Close),
        5 => Some(Kind::HalfClose),
        6 | 7 => Some(Kind::Stall(STALLS[random.index(STALLS.len())])),
        8 => Some(Kind::Deaf),
        _ => Some(Kind::Drain(watch::Sender::new(Phase::Running))),
    };
    match kind {
        Some(Kind::HalfClose) => direction = Direction::Read,
        Some(Kind::Deaf) => direction = Direction::Write,
        _ => {}
    }
    let whole = stages[stage].whole[usize::from(side == Side::Backend)];
    let passed = if direction == Direction::Read { whole.read } else { whole.written };
    // The connection phase has as many places of its own as all that follows.
    let among = if random.below(3) == 0 { passed.min(CONNECTION_PHASE_LEN) } else { passed };
    let at = random.index(among + 1);
    Choice { stage, side, fault: kind.map(|kind| Fault { kind, direction, at }), cuts, capacities }
}

/// Plays it; none if it never ends.
fn run(runtime: &Runtime, stage: &Stage, choice: &Choice, mut random: Random) -> Option<Outcome> {
    let faults = match choice.side {
        Side::Client => [choice.fault.clone(), None],
        Side::Backend => [None, choice.fault.clone()],
    };
    let phase = match &choice.fault {
        Some(Fault { kind: Kind::Drain(phase), .. }) => phase.clone(),
        _ => watch::Sender::new(Phase::Running),
    };
    let heard = [(); 2].map(|()| Arc::new(Mutex::new(Vec::new())));
    runtime.block_on(async {
        let began = Instant::now();
        let [client_fault, backend_fault] = faults;
        let (near, client_end) = duplex(choice.capacities[0]);
        let (client, client_meter) = leg(near, choice.cuts[0], client_fault, random.fork());
        let (near, backend_end) = duplex(choice.capacities[1]);
        let (backend, backend_meter) = leg(near, choice.cuts[1], backend_fault, random.fork());
        let loaded = stage.shared.loaded.load_full();
        let far = |end| Stream::Plain(leg(end, Cut::Whole, None, Random::new(0)).0);
        let peers = async {
            tokio::join!(
                peer::play(
                    far(client_end),
                    Side::Client,
                    stage.course.client.clone(),
                    &loaded,
                    heard[0].clone(),
                    &stage.course.to_client
                ),
                peer::play(
                    far(backend_end),
                    Side::Backend,
                    stage.course.backend.clone(),
                    &loaded,
                    heard[1].clone(),
                    &stage.course.to_backend
                ),
            )
        };
        let (shared, receiver) = (stage.shared.clone(), phase.subscribe());
        let connection = async {
            let _permit = shared.permits.clone().try_acquire_owned().expect("the one before gave it back");
            let ending = match arrive(client, &shared).await {
                Err(ending) => ending,
                Ok(client) => Connection::new(client, backend, shared.clone(), None).serve(receiver).await,
            };
            (ending, began.elapsed())
        };
        let mut changes = phase.subscribe();
        let closing = async {
            _ = changes.wait_for(|phase| *phase == Phase::Draining).await;
            sleep(DRAIN_TIMEOUT).await;
            phase.send_replace(Phase::Closing);
            std::future::pending::<()>().await;
        };
        let played = async {
            tokio::select! {
                ((ending, took), _) = async { tokio::join!(connection, peers) } => Some((ending, took)),
                () = closing => None,
            }
        };
        let (ending, took) = Box::pin(timeout(HANGS_AFTER, played)).await.ok()??;
        let [to_client, to_backend] =
            heard.map(|heard| std::mem::take(&mut *heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner)));
        let meters = [*meter(&client_meter), *meter(&backend_meter)];
        Some(Outcome { ending, to_client, to_backend, meters, took })
    })
}

fn leg(inner: tokio::io::DuplexStream, cut: Cut, fault: Option<Fault>, random: Random) -> (Socket, Arc<Mutex<Meter>>) {
    let (leg, meter) = Leg::new(inner, cut, fault, random);
    (Socket::Faulty(leg), meter)
}

const RUNS: u64 = 2000;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Shorter than every timeout, longer than some, and longer than all.
const STALLS: [Duration; 4] =
    [Duration::from_millis(300), Duration::from_secs(4), Duration::from_secs(15), Duration::from_secs(90)];

/// Nothing takes so long, stalls and timeouts together.
const HANGS_AFTER: Duration = Duration::from_mins(10);

const CONNECTION_PHASE_LEN: usize = 700;
