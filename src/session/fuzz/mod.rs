//! Whole sessions with two peers that say anything: each script is played whole, then in pieces, and the laws of
//! [`laws`] must hold.

mod canned;
mod laws;
mod play;
mod script;

use std::sync::Arc;

use super::{Leg, Legs, Planner, RsaKey, RsaSource, Session, Side, Tls, VersionName};
use crate::{rules::Ruleset, wire::Capabilities};
use play::Play;
use script::{Line, Script};

/// What is made only once.
#[derive(Debug)]
pub struct Fixtures {
    /// Rules with a database `shop` of the versions v1, v2 and v3, of which the last is physical.
    pub rules: Arc<Ruleset>,
    /// The same rules, of a later generation.
    pub rules_again: Arc<Ruleset>,
    /// The key pair of Bifocal, and of the backend.
    pub key: Arc<RsaKey>,
}

/// How a session begins, as the first bytes of a script say.
#[derive(Debug, Clone)]
struct Setup {
    listener: Option<VersionName>,
    database: &'static [u8],
    plugin: &'static [u8],
    is_mariadb: bool,
    capabilities: Capabilities,
    legs: Legs,
    /// Which answer the session's own question gets at once; none: the script must answer it.
    facts: Option<u8>,
}

/// The connection phase, from a backend's first byte on, with every combination of legs.
///
/// # Panics
/// If the code is wrong.
pub fn fuzz_handshake(fixtures: &Fixtures, data: &[u8]) {
    let mut script = Script::new(data);
    let mut setup = Setup::read(&mut script);
    let [client, backend, bits] = [script.byte(), script.byte(), script.byte()];
    setup.legs.client = leg(client);
    setup.legs.backend = leg(backend);
    if bits & 1 == 0 {
        let key = fixtures.key.clone();
        setup.legs.rsa = RsaSource::new(move || Some(key.clone()));
    }
    let mut play = Play::new(fixtures, &setup);
    if bits & 2 == 0 {
        play.greet();
    }
    if bits & 4 == 0 {
        play.respond(bits & 8 != 0);
    }
    play.script(&mut script, usize::MAX, None);
    play.again_in_pieces();
}

/// Anything that a server may answer to one command, after up to three lines of whoever.
///
/// # Panics
/// If the code is wrong.
pub fn fuzz_response(fixtures: &Fixtures, data: &[u8]) {
    let mut script = Script::new(data);
    let setup = Setup::read(&mut script);
    let mut play = Play::new(fixtures, &setup);
    play.connect();
    let before = script.byte() & 3;
    play.script(&mut script, before.into(), None);
    play.script(&mut script, 1, Some(Side::Client));
    play.script(&mut script, usize::MAX, Some(Side::Backend));
    play.again_in_pieces();
}

/// Both directions interleaved, after a connection phase without surprises.
///
/// # Panics
/// If the code is wrong.
pub fn fuzz_session(fixtures: &Fixtures, data: &[u8]) {
    let mut script = Script::new(data);
    let setup = Setup::read(&mut script);
    let mut play = Play::new(fixtures, &setup);
    play.connect();
    play.script(&mut script, usize::MAX, None);
    play.again_in_pieces();
}

impl Setup {
    fn read(script: &mut Script<'_>) -> Self {
        const DATABASES: [&[u8]; 8] =
            [b"shop__v1", b"shop", b"shop__v2", b"shop__v3", b"shop__v1", b"", b"other", b"shop__v9"];
        const PLUGINS: [&[u8]; 4] =
            [b"mysql_native_password", b"caching_sha2_password", b"mysql_clear_password", b"sha256_password"];
        let [first, bits, facts] = [script.byte(), script.byte(), script.byte()];
        let version = |version: &str| VersionName { database: "shop".to_owned(), version: version.to_owned() };
        let listener = [None, None, Some(version("v1")), Some(version("v3"))][usize::from(first >> 3 & 3)].clone();
        let is_mariadb = bits & 1 != 0;
        let mut flags = BASIC | u64::from(!is_mariadb);
        for (bit, capability) in OPTIONAL.into_iter().enumerate() {
            flags |= if bits >> (bit + 1) & 1 != 0 { capability.0 } else { 0 };
        }
        if is_mariadb {
            flags |= EXTENDED;
        }
        Self {
            listener,
            database: DATABASES[usize::from(first & 7)],
            plugin: PLUGINS[usize::from(first >> 5 & 3)],
            is_mariadb,
            capabilities: Capabilities(flags),
            legs: Legs::default(),
            facts: (facts & 128 == 0).then_some(facts),
        }
    }

    fn session(&self, fixtures: &Fixtures) -> Session {
        Session::new(fixtures.rules.clone(), self.listener.clone())
            .with_legs(self.legs.clone())
            .with_planner(Planner { plan: laws::plan, ..Planner::default() })
    }

    /// What both legs agree on.
    fn agreed(&self) -> Capabilities {
        self.capabilities.without(Capabilities::MASKED)
    }

    /// Whether the version is mapped, and has a table `users` that the backend has not.
    fn is_v1(&self) -> bool {
        self.database == b"shop__v1" || !self.names_version() && self.listener_is("v1")
    }

    /// Whether commands are followed, and not planned.
    fn is_physical(&self) -> bool {
        self.database == b"shop__v3" || !self.names_version() && self.listener_is("v3")
    }

    fn names_version(&self) -> bool {
        self.database.starts_with(b"shop__")
    }

    fn listener_is(&self, version: &str) -> bool {
        self.listener.as_ref().is_some_and(|name| name.version == version)
    }
}

/// CONNECT_WITH_DB, PROTOCOL_41, SECURE_CONNECTION, MULTI_STATEMENTS, MULTI_RESULTS, PS_MULTI_RESULTS, PLUGIN_AUTH.
const BASIC: u64 = 1 << 3 | 1 << 9 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 19;

const OPTIONAL: [Capabilities; 7] = [
    Capabilities::DEPRECATE_EOF,
    Capabilities::SESSION_TRACK,
    Capabilities::OPTIONAL_RESULTSET_METADATA,
    Capabilities::QUERY_ATTRIBUTES,
    Capabilities::CONNECT_ATTRS,
    Capabilities::PROGRESS_OBSOLETE,
    Capabilities::MULTI_FACTOR_AUTHENTICATION,
];

/// MariaDB's own, without those that no server has any more.
const EXTENDED: u64 = Capabilities::PROGRESS.0
    | Capabilities::STMT_BULK_OPERATIONS.0
    | Capabilities::EXTENDED_METADATA.0
    | Capabilities::CACHE_METADATA.0;

fn leg(byte: u8) -> Leg {
    let tls = [Tls::Off, Tls::Prefer, Tls::Require][usize::from(byte & 3) % 3];
    let protection = if byte & 4 != 0 { super::Protection::Local } else { super::Protection::None };
    // Frames are cut anew with their stream, so what holds of bytes does not hold of them.
    Leg { tls, protection, is_trusted: byte & 8 != 0, compression: Capabilities::default() }
}
