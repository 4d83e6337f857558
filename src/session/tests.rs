//! Whole sessions, with scripted peers; every script is also run cut at every byte.

use std::sync::Arc;

use super::{End, Outputs, Planner, Session, VersionName, facts, fixtures::ruleset};
use crate::{
    rewrite::{Facts, Plan, Refusal, ResultTable, Rewrite, ServerError},
    rules::Mapping,
    wire::{
        Capabilities, ColumnDefinition, EofPacket, ErrPacket, Execute, HandshakeResponse, Header, put_lenenc_bytes,
        put_payload,
    },
};

mod commands;
mod compressed;
mod connecting;
mod limits;
mod prepared;
mod table;

/// Who says what: one line of a script.
#[derive(Debug, Clone)]
enum Line {
    /// The client sends these bytes.
    Client(Vec<u8>),
    /// The backend sends these bytes.
    Backend(Vec<u8>),
}

/// What both peers received.
#[derive(Debug, Default, PartialEq, Eq)]
struct Received {
    client: Vec<u8>,
    backend: Vec<u8>,
}

/// Plays a script whole, then cut after every byte; both must give the same.
fn play(session: impl Fn() -> Session, script: &[Line]) -> (Received, Option<End>) {
    let whole = play_cut(session(), script, usize::MAX);
    for len in [1, 2, 3, 7] {
        assert_eq!(play_cut(session(), script, len), whole, "in pieces of {len}");
    }
    whole
}

fn play_cut(mut session: Session, script: &[Line], len: usize) -> (Received, Option<End>) {
    let mut received = Received::default();
    let mut out = Outputs::default();
    for line in script {
        let (bytes, is_client) = match line {
            Line::Client(bytes) => (bytes, true),
            Line::Backend(bytes) => (bytes, false),
        };
        for piece in bytes.chunks(len) {
            let mut input = piece.to_vec();
            if is_client {
                session.client_bytes(&mut input, &mut out);
            } else {
                session.backend_bytes(&mut input, &mut out);
            }
            assert!(input.is_empty());
            received.client.append(&mut out.to_client);
            received.backend.append(&mut out.to_backend);
        }
    }
    (received, session.end())
}

/// Packets of consecutive sequence ids, the first of them `seq`.
fn packets<P: AsRef<[u8]>>(seq: u8, payloads: impl IntoIterator<Item = P>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut seq = seq;
    for payload in payloads {
        seq = put_payload(&mut out, seq, payload.as_ref()).wrapping_add(1);
    }
    out
}

/// One packet.
fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
    packets(seq, [payload])
}

/// The packets in `bytes`, with their sequence ids.
fn split(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = bytes;
    let mut split = Vec::new();
    while let Some(header) = Header::read(rest) {
        split.push((header.seq, rest[4..header.packet_len()].to_vec()));
        rest = &rest[header.packet_len()..];
    }
    assert!(rest.is_empty(), "a packet is cut off");
    split
}

const GREETING: &[u8] = b"\x0a8.4.0\0\x0b\0\0\0dvH@I-CJ\0\xff\xff\xff\x02\0\xff\xff\
    \x15\0\0\0\0\0\0\x1d\0\0\0*4d|cZwk4^]:\0mysql_native_password\0";

/// The greeting of MySQL, or of MariaDB to a client that has its extended capabilities.
fn greeting(flags: u64) -> Vec<u8> {
    let mut greeting = GREETING.to_vec();
    if flags >> 32 != 0 {
        greeting[20] &= !1;
        greeting[34..38].fill(0xFF);
    }
    greeting
}

/// LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, CONNECT_ATTRS.
const CLIENT_FLAGS: u64 = 1 | 1 << 3 | 1 << 9 | 1 << 15 | 1 << 19 | 1 << 20;

const OK: &[u8] = b"\x00\x00\x00\x02\x00\x00\x00";

fn response(flags: u64, database: &str, attributes: &[(&str, &str)]) -> Vec<u8> {
    let (both, extended) = Capabilities(flags).halves();
    let mut payload = both.to_vec();
    payload.extend_from_slice(b"\0\0\0\x01\x2d");
    payload.extend_from_slice(&[0; 19]);
    payload.extend_from_slice(&extended);
    payload.extend_from_slice(b"root\0\x03abc");
    if flags & Capabilities::CONNECT_WITH_DB.0 != 0 {
        payload.extend_from_slice(database.as_bytes());
        payload.push(0);
    }
    payload.extend_from_slice(b"mysql_native_password\0");
    let mut pairs = Vec::new();
    for (name, value) in attributes {
        put_lenenc_bytes(&mut pairs, name.as_bytes());
        put_lenenc_bytes(&mut pairs, value.as_bytes());
    }
    put_lenenc_bytes(&mut payload, &pairs);
    payload
}

/// The connection phase of a client of `database`, and what follows.
fn connected(flags: u64, database: &str, rest: impl IntoIterator<Item = Line>) -> Vec<Line> {
    let mut script = vec![
        Line::Backend(packet(0, &greeting(flags))),
        Line::Client(packet(1, &response(flags, database, &[]))),
        Line::Backend(packet(2, OK)),
    ];
    script.extend(rest);
    script
}

/// What both received after the connection phase.
fn after_connecting(flags: u64, database: &str, rest: &[Line]) -> (Received, Option<End>) {
    let (connecting, end) = play(v1_session, &connected(flags, database, []));
    assert_eq!(end, None);
    let (mut received, end) = play(v1_session, &connected(flags, database, rest.to_vec()));
    received.client.drain(..connecting.client.len());
    received.backend.drain(..connecting.backend.len());
    (received, end)
}

fn v1_session() -> Session {
    Session::new(ruleset(), None).with_planner(Planner {
        plan: fake_plan,
        changes_facts: |text| text.starts_with(b"SET"),
        translate_error: fake_translation,
    })
}

/// `users` becomes `people`, `REFUSE` is refused, `ANSWER` is answered; `SWAP` turns two placeholders round and
/// uses the first one twice; `DROP` leaves the only one out; `ADD` has one more than the client; `SHORT` loses a byte.
fn fake_plan(text: &[u8], chain: &[Arc<Mapping>], facts: &Facts) -> Plan {
    assert_eq!(chain.len(), 1);
    assert_eq!(facts.database.as_deref(), Some("shop"));
    let text = String::from_utf8_lossy(text);
    let rewrite = |params: &[u16], client_params: u16| {
        Plan::Rewrite(Rewrite {
            text: text.replace("users", "people").into_bytes(),
            params: params.to_vec(),
            client_params,
            tables: vec![ResultTable { alias: "u".to_owned(), org_table: "users".to_owned() }],
        })
    };
    match text.split(' ').next() {
        Some("REFUSE") => Plan::Refuse(Refusal { code: "R107", reason: "no".to_owned() }),
        Some("ANSWER") => {
            let message = "Table 'shop.people' doesn't exist".to_owned();
            Plan::Answer(ServerError { number: 1146, sqlstate: *b"42S02", message })
        }
        Some("SWAP") => rewrite(&[1, 0, 1], 2),
        Some("DROP") => rewrite(&[], 1),
        Some("ADD") => rewrite(&[0, 0], 1),
        Some("SHORT") => {
            let text = text[..text.len() - 1].as_bytes().to_vec();
            Plan::Rewrite(Rewrite { text, params: Vec::new(), client_params: 0, tables: Vec::new() })
        }
        _ if text.contains("users") => rewrite(&[], 0),
        _ => Plan::Forward,
    }
}

fn fake_translation(mut error: ServerError, _: &[Arc<Mapping>], statement: &[u8]) -> ServerError {
    assert!(!statement.is_empty());
    error.message = error.message.replace("people", "users");
    error
}

fn query(text: &str) -> Line {
    Line::Client(packet(0, format!("\x03{text}").as_bytes()))
}

fn prepare(text: &str) -> Line {
    Line::Client(packet(0, format!("\x16{text}").as_bytes()))
}

/// The backend's answer to the session's own question.
fn facts_answer(flags: u64) -> Line {
    facts_answer_of(flags, MYSQL, "1073741824")
}

const MYSQL: &str = "8.4.0";
const MARIADB: &str = "10.11.11-MariaDB";

/// The same from a server of that version, which takes no payload of that length.
fn facts_answer_of(flags: u64, version: &str, payload_limit: &str) -> Line {
    let mut row = Vec::new();
    for value in ["STRICT_TRANS_TABLES", "utf8mb4", "utf8mb4", "73686F70", version, payload_limit] {
        put_lenenc_bytes(&mut row, value.as_bytes());
    }
    Line::Backend(packets(1, result_set(flags, 6, &[&row], 2)))
}

/// The payloads of a result set.
fn result_set(flags: u64, column_count: u8, rows: &[&[u8]], status: u16) -> Vec<Vec<u8>> {
    let mut payloads = vec![vec![column_count]];
    if Capabilities(flags).has_any(METADATA_BYTE) {
        payloads[0].push(1);
    }
    payloads.extend((0..column_count).map(|_| definition("people", "email")));
    if flags & Capabilities::DEPRECATE_EOF.0 == 0 {
        payloads.push(eof(2));
    }
    payloads.extend(rows.iter().map(|row| row.to_vec()));
    payloads.push(end_of_rows(flags, status));
    payloads
}

/// Those under which a byte after the number of columns says whether their definitions follow.
const METADATA_BYTE: Capabilities =
    Capabilities(Capabilities::OPTIONAL_RESULTSET_METADATA.0 | Capabilities::CACHE_METADATA.0);

/// A definition of a column of `table`, which the statement calls `u`, or of no table.
fn definition(table: &str, name: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    ColumnDefinition {
        table: if table.is_empty() { b"" } else { b"u" },
        org_table: table.as_bytes(),
        org_name: name.as_bytes(),
        ..ColumnDefinition::parameter(Capabilities::default())
    }
    .encode(&mut payload);
    payload
}

fn eof(status: u16) -> Vec<u8> {
    let mut payload = Vec::new();
    EofPacket { warning_count: 0, status: crate::wire::StatusFlags(status) }.encode(&mut payload);
    payload
}

fn ok(status: u16) -> Vec<u8> {
    let [a, b] = status.to_le_bytes();
    vec![0, 0, 0, a, b, 0, 0]
}

fn end_of_rows(flags: u64, status: u16) -> Vec<u8> {
    if flags & Capabilities::DEPRECATE_EOF.0 == 0 {
        return eof(status);
    }
    let mut payload = ok(status);
    payload[0] = 0xFE;
    payload
}

fn err(number: u16, message: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    ErrPacket { number, sqlstate: Some(*b"42000"), message: message.as_bytes() }.encode(&mut payload);
    payload
}

fn question() -> Vec<u8> {
    packet(0, &[b"\x03", facts::QUESTION].concat())
}
