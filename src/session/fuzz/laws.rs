//! What holds for a session whatever its peers say.

use std::{collections::HashSet, sync::Arc};

use super::{Line, play::Received};
use crate::{
    rewrite::{self, Facts, Plan},
    rules::Mapping,
    session::{Session, Side, State, connecting::MAX_RESPONSE_LEN},
    wire::{Command, ErrPacket, Extent, HEADER_LEN, Header},
};

/// What is known of a session before a line.
pub struct Before {
    is_relay: bool,
    is_versioned: bool,
    client: Vec<u8>,
    backend: Vec<u8>,
}

impl Before {
    pub fn of(session: &Session) -> Self {
        Self {
            is_relay: matches!(session.state, State::Relay(_)),
            is_versioned: matches!(session.state, State::Versioned(_)),
            client: session.client.rest().to_vec(),
            backend: session.backend.rest().to_vec(),
        }
    }
}

/// A packet that is there whole is dealt with, unless it must wait for the other peer.
pub fn nothing_stalls(session: &Session) {
    let has_packet = |bytes: &[u8]| Extent::find(bytes).is_some();
    let (client, backend) = (session.client.rest(), session.backend.rest());
    match &session.state {
        State::Ended(_) => assert!(client.is_empty() && backend.is_empty(), "a session that is over holds bytes"),
        State::AwaitGreeting(_) | State::Authentication(_) => {
            assert!(!has_packet(backend), "the backend's packet waits");
        }
        // What came before TLS does not count after it, and nothing more has come.
        State::AwaitResponse(_) => assert!(!has_packet(client), "the client's packet waits"),
        State::AwaitClientTls(_) | State::AwaitBackendTls(_) => unreachable!("TLS is there at once"),
        State::Followed(_) => unreachable!("no leg is compressed"),
        State::Relay(_) => assert!(!has_packet(client) && backend.is_empty(), "a relayed packet waits"),
        State::Versioned(versioned) => {
            // After an error the backend waits for the end of a file.
            assert!(!has_packet(backend) || versioned.takes_client_bytes(), "the backend's packet waits");
            assert!(!has_packet(client) || !versioned.takes_client_bytes(), "the client's packet waits");
        }
    }
}

/// No peer makes a session hold more than it sent, and before it is known no client more than a packet of its own.
pub fn nothing_grows(session: &Session, before: &Before, line: &Line) {
    let held = session.client.rest().len() + session.backend.rest().len();
    assert!(held <= before.client.len() + before.backend.len() + line.len(), "more is held than was sent");
    if session.is_authenticating() {
        assert!(
            session.client.rest().len() <= MAX_RESPONSE_LEN + line.len(),
            "a client that is not known fills memory"
        );
    }
}

/// What is only relayed is neither changed nor dropped.
pub fn bytes_are_kept(session: &Session, before: &Before, line: &Line, received: &Received, is_physical: bool) {
    let Line::Bytes(side, bytes) = line else { return };
    let is_relay = before.is_relay && matches!(session.state, State::Relay(_));
    let is_followed = is_physical && before.is_versioned && matches!(session.state, State::Versioned(_));
    match side {
        Side::Backend if is_relay || is_followed && before.client.is_empty() => {
            let sent = [&before.backend, bytes.as_slice()].concat();
            let received = [&received.client, session.backend.rest()].concat();
            assert_eq!(received, sent, "the backend's bytes");
        }
        Side::Client if is_relay && received.client.is_empty() => {
            let sent = [&before.client, bytes.as_slice()].concat();
            let received = [&received.backend, session.client.rest()].concat();
            assert_eq!(received, sent, "the client's bytes");
        }
        _ => {}
    }
}

/// Nothing that names a changed table reaches the backend of a mapped version, as far as that can be seen without
/// understanding SQL; and neither does a replica's command.
pub fn nothing_leaks(session: &Session, before: &Before, lines: &[Line], line: &Line, received: &Received) {
    let is_infile = |line: &Line| matches!(line, Line::Bytes(Side::Backend, bytes) if bytes.contains(&0xFB));
    let is_versioned = before.is_versioned && matches!(session.state, State::Versioned(_));
    if !is_versioned || lines.iter().any(is_infile) || is_infile(line) {
        return;
    }
    // With an expired password, statements pass to a backend that takes none of them.
    let is_expired = lines.iter().chain([line]).any(|line| {
        let Line::Bytes(Side::Backend, bytes) = line else { return false };
        bytes.windows(3).any(|window| matches!(window, b"\xff\x1c\x07" | b"\xff\x46\x07"))
    });
    for payload in payloads(&received.backend) {
        let command = payload.first().and_then(|byte| Command::from_byte(*byte));
        match command {
            Some(
                Command::BinlogDump
                | Command::BinlogDumpGtid
                | Command::Clone
                | Command::RegisterReplica
                | Command::SubscribeGroupReplication
                | Command::TableDump,
            ) => {
                panic!("{command:?} reaches the backend of a mapped version");
            }
            Some(Command::Query | Command::StmtPrepare) if !is_expired => {
                let text = &payload[1..];
                let leak = ["users", "orders"].iter().find(|table| names(text, table, None));
                assert!(leak.is_none_or(|table| is_physical_too(table)), "unmapped: {}", String::from_utf8_lossy(text));
            }
            _ => {}
        }
    }
}

/// [`rewrite::plan`], with its promise: what is forwarded names no changed table, and what is rewritten no table that the
/// backend has not.
pub fn plan(text: &[u8], chain: &[Arc<Mapping>], facts: &Facts) -> Plan {
    let plan = rewrite::plan(text, chain, facts);
    let (Some(first), Some(last)) = (chain.first(), chain.last()) else { return plan };
    let current = facts.database.as_deref().filter(|name| *name == first.database);
    for table in &first.tables {
        let leaks = match &plan {
            Plan::Forward => names(text, &table.name, current),
            Plan::Rewrite(rewrite) => {
                last.physical.table(&table.name).is_none() && names(&rewrite.text, &table.name, current)
            }
            Plan::Answer(_) | Plan::Refuse(_) => false,
        };
        assert!(!leaks, "{} is not mapped in {}", table.name, String::from_utf8_lossy(text));
    }
    if let Plan::Rewrite(rewrite) = &plan {
        let highest = rewrite.params.iter().max();
        assert!(highest.is_none_or(|highest| *highest < rewrite.client_params), "a placeholder of nobody");
    }
    plan
}

/// What Bifocal itself says to a client can be read.
pub fn errors_are_well_formed(lines: &[Line], received: &Received) {
    let mut sent = HashSet::new();
    for line in lines {
        let Line::Bytes(Side::Backend, bytes) = line else { continue };
        if !is_whole(bytes) {
            return;
        }
        sent.extend(payloads(bytes));
    }
    assert!(is_whole(&received.client), "the client gets a part of a packet");
    for (index, payload) in payloads(&received.client).enumerate() {
        if payload.first() != Some(&ErrPacket::HEADER) || sent.contains(payload) {
            continue;
        }
        let err = ErrPacket::decode(payload).expect("an ERR");
        assert_eq!(err.sqlstate.is_some(), index > 0, "SQLSTATE of {err:?}");
        let message = std::str::from_utf8(err.message).expect("UTF-8");
        let is_state = |state: [u8; 5]| state.iter().all(u8::is_ascii_alphanumeric);
        assert!(!message.starts_with("Bifocal") || err.sqlstate.is_none_or(is_state), "SQLSTATE of {message}");
    }
}

/// Whether bytes are packets.
fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(header) = Header::read(rest) {
        let Some(next) = rest.get(header.packet_len()..) else { return false };
        rest = next;
    }
    rest.is_empty()
}

/// The payloads of packets, none of which is continued.
fn payloads(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let header = Header::read(rest)?;
        let payload = rest.get(HEADER_LEN..header.packet_len())?;
        rest = &rest[header.packet_len()..];
        Some(payload)
    })
}

/// A table that keeps its name: its statements are rewritten, and name it still.
fn is_physical_too(table: &str) -> bool {
    table == "orders"
}

/// Whether a text of plain words, without a quote or a comment, names a table where nothing else can stand: after FROM
/// and JOIN outside of parentheses, after INSERT INTO, REPLACE INTO, and after an UPDATE at the beginning. A name
/// without its database counts only where `shop` is the current one.
fn names(text: &[u8], table: &str, current: Option<&str>) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\n' | b'\t');
    let start = text.iter().position(|byte| *byte > b' ').unwrap_or(text.len());
    let Some(text) = std::str::from_utf8(&text[start..]).ok().filter(|text| text.as_bytes().iter().all(is_plain))
    else {
        return false;
    };
    if text.contains(['\'', '"', '`', '#', '\\', '@', '{', ';']) || text.contains("--") || text.contains("/*") {
        return false;
    }
    let words = words(text);
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    let is = |index: usize, other: &str| word(index).eq_ignore_ascii_case(other);
    if ["WITH", "SHOW", "DESC", "DESCRIBE", "EXPLAIN", "ANALYZE"].iter().any(|first| is(0, first)) {
        return false;
    }
    let mut depth = 0_usize;
    (0..words.len()).any(|at| {
        depth = match word(at) {
            "(" => depth + 1,
            ")" => depth.saturating_sub(1),
            _ => depth,
        };
        let before = |other: &str| at > 0 && is(at - 1, other);
        // After a dot every word is a name.
        let begins = !before(".") && (is(at, "FROM") && !before("DISTINCT") || is(at, "JOIN"));
        let writes = is(at, "INTO") && at == 1 && (before("INSERT") || before("REPLACE"));
        if depth > 0 || !(begins || writes || (is(at, "UPDATE") && at == 0)) {
            return false;
        }
        let is_qualified = is(at + 1, "shop") && word(at + 2) == "." && is(at + 3, table);
        is_qualified || current.is_some() && is(at + 1, table) && word(at + 2) != "."
    })
}

/// Words and single other characters.
fn words(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let mut words = Vec::new();
    let mut rest = text.trim_ascii_start();
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len()).max(usize::from(!is_word(first)));
        let (word, next) = rest.split_at(end);
        words.push(word);
        rest = next.trim_ascii_start();
    }
    words
}
