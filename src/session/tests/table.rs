//! The table of commands and answers, every cell: command × kind of answer × what was agreed on. In each, the answer
//! reaches the client as it is, the next command waits for its last packet, and no cut makes a difference.

use super::*;
use crate::wire::{Answer, Command};

/// A kind of answer: its name, and its payloads.
type Kind = (&'static str, Vec<Vec<u8>>);

const DEPRECATE_EOF: u64 = Capabilities::DEPRECATE_EOF.0;
const OPTIONAL: u64 = Capabilities::OPTIONAL_RESULTSET_METADATA.0;
const CACHE: u64 = Capabilities::CACHE_METADATA.0;
/// A client of MariaDB's own.
const MARIADB_FLAGS: u64 = CLIENT_FLAGS & !1;

/// What was agreed on, by name.
const AGREED: [(&str, u64); 6] = [
    ("nothing", CLIENT_FLAGS),
    ("DEPRECATE_EOF", CLIENT_FLAGS | DEPRECATE_EOF),
    ("OPTIONAL_RESULTSET_METADATA", CLIENT_FLAGS | OPTIONAL),
    ("OPTIONAL_RESULTSET_METADATA, DEPRECATE_EOF", CLIENT_FLAGS | OPTIONAL | DEPRECATE_EOF),
    ("CACHE_METADATA", MARIADB_FLAGS | CACHE),
    ("CACHE_METADATA, DEPRECATE_EOF", MARIADB_FLAGS | CACHE | DEPRECATE_EOF),
];

#[test]
fn every_answer_to_every_command_is_followed_to_its_end() {
    let mut cells = 0;
    for (agreed, flags) in AGREED {
        for (command, answer) in Command::ALL {
            for (kind, payloads) in kinds(answer, flags) {
                for sent in forms(command) {
                    check(&format!("{command:?} {sent:?} × {kind} × {agreed}"), flags, &sent, &payloads);
                    cells += 1;
                }
            }
        }
    }
    // None is lost by chance.
    assert_eq!(cells, 735);
}

/// The payloads of a command that come to the backend: text that goes on as it is, and text that is rewritten.
fn forms(command: Command) -> Vec<Vec<u8>> {
    let byte = command as u8;
    match command {
        // They end the connection, begin another phase, or are refused.
        Command::Quit
        | Command::ChangeUser
        | Command::BinlogDump
        | Command::BinlogDumpGtid
        | Command::Clone
        | Command::RegisterReplica
        | Command::SubscribeGroupReplication
        | Command::TableDump => vec![],
        Command::Query | Command::StmtPrepare => {
            [&b"SELECT 1"[..], b"people"].iter().map(|text| [&[byte], *text].concat()).collect()
        }
        _ => vec![[&[byte][..], b"\x01\0\0\0\x00\x01\0\0\0"].concat()],
    }
}

/// Every kind of answer that a server may give, without the first sequence id.
fn kinds(answer: Answer, flags: u64) -> Vec<Kind> {
    let failed = ("ERR", vec![err(1064, "syntax")]);
    match answer {
        Answer::Endless | Answer::Authentication => vec![],
        Answer::None => vec![("nothing", vec![])],
        Answer::Single => {
            let string = b"Uptime: 1".to_vec();
            vec![("OK", vec![ok(2)]), failed, ("EOF", vec![eof(2)]), ("a bare string", vec![string])]
        }
        // With DEPRECATE_EOF, what begins with 0xFE is a row only if it is longer than any packet.
        Answer::TextResult if has(flags, DEPRECATE_EOF) => results(flags, &TEXT_ROWS[1..]),
        Answer::TextResult => results(flags, TEXT_ROWS),
        Answer::BinaryResult => [results(flags, BINARY_ROWS), cursors(flags)].concat(),
        Answer::Rows => {
            let rows = |status: u16| with_end(flags, BINARY_ROWS, status);
            vec![("rows of a cursor", rows(0x42)), ("the last rows of a cursor", rows(0x82)), failed]
        }
        Answer::Fields => {
            let fields = vec![definition("", "a"), definition("", "b")];
            let end = |end: Vec<u8>| [fields.clone(), vec![end]].concat();
            let both = vec![("fields, EOF", end(eof(2))), failed];
            if has(flags, DEPRECATE_EOF) {
                [both, vec![("fields, OK", end(end_of_rows(flags, 2)))]].concat()
            } else {
                both
            }
        }
        Answer::Prepare => [prepares(flags), vec![failed]].concat(),
    }
}

const TEXT_ROWS: &[&[u8]] = &[b"\xfe\x01\0\0\0\0\0\0\0x", b"\x01a", b"\xfb", b"\x00\x00row", b""];
const BINARY_ROWS: &[&[u8]] = &[b"\x00\x00\x01a", b"\x00\x04"];

fn has(flags: u64, flag: u64) -> bool {
    flags & flag != 0
}

fn results(flags: u64, rows: &[&[u8]]) -> Vec<Kind> {
    let full = |status: u16| result_set(flags, 1, rows, status);
    let mut interrupted = full(2);
    *interrupted.last_mut().expect("an end") = err(1317, "interrupted");
    let mut reported = full(2);
    reported.insert(1, progress());
    let at = reported.len() - 1;
    reported.insert(at, progress());
    reported.insert(0, progress());
    let mut kinds = vec![
        ("OK", vec![ok(2)]),
        ("ERR", vec![err(1064, "syntax")]),
        ("a result set", full(2)),
        ("an empty result set", result_set(flags, 2, &[], 2)),
        ("ERR between rows", interrupted),
        ("progress reports, OK", vec![progress(), progress(), ok(2)]),
        ("progress reports within a result set", reported),
        ("a chain", [full(10), vec![ok(10)], result_set(flags, 2, &[], 2)].concat()),
        ("a chain that fails", [full(10), vec![err(1146, "no table")]].concat()),
    ];
    if Capabilities(flags).has_any(METADATA_BYTE) {
        kinds.push(("a result set without definitions", undefined(flags, rows, 2)));
        kinds.push(("a chain without definitions", [undefined(flags, &[], 10), undefined(flags, rows, 2)].concat()));
    }
    kinds
}

/// A result set whose definitions are left out.
fn undefined(flags: u64, rows: &[&[u8]], status: u16) -> Vec<Vec<u8>> {
    let mut payloads = vec![vec![1, 0]];
    if !has(flags, DEPRECATE_EOF) {
        payloads.push(eof(2));
    }
    payloads.extend(with_end(flags, rows, status));
    payloads
}

fn with_end(flags: u64, rows: &[&[u8]], status: u16) -> Vec<Vec<u8>> {
    let rows = rows.iter().map(|row| row.to_vec());
    rows.chain([end_of_rows(flags, status)]).collect()
}

/// A cursor's answer ends with its definitions, or with what tells that they are left out.
fn cursors(flags: u64) -> Vec<Kind> {
    let ended = |mut payloads: Vec<Vec<u8>>| {
        if !has(flags, DEPRECATE_EOF) {
            payloads.pop();
            *payloads.last_mut().expect("an EOF") = eof(0x42);
        }
        payloads
    };
    let mut kinds = vec![("a cursor", ended(result_set(flags, 1, &[], 0x42)))];
    if Capabilities(flags).has_any(METADATA_BYTE) {
        kinds.push(("a cursor without definitions", ended(undefined(flags, &[], 0x42))));
    }
    kinds
}

fn prepares(flags: u64) -> Vec<Kind> {
    let definitions = |count: usize, are_sent: bool| {
        let mut payloads = vec![definition("", "c"); if are_sent { count } else { 0 }];
        if count > 0 && !has(flags, DEPRECATE_EOF) {
            payloads.push(eof(2));
        }
        payloads
    };
    let prepared = |params: usize, columns: usize, are_sent: bool| {
        let counts = [u8::try_from(columns).expect("few"), 0, u8::try_from(params).expect("few"), 0];
        let byte: &[u8] = if has(flags, OPTIONAL) { &[u8::from(are_sent)] } else { &[] };
        let head = [b"\x00\x01\0\0\0", &counts[..], b"\0\0\0", byte].concat();
        [vec![head], definitions(params, are_sent), definitions(columns, are_sent)].concat()
    };
    let mut kinds = vec![
        ("prepared", prepared(0, 0, true)),
        ("prepared with parameters", prepared(2, 0, true)),
        ("prepared with columns", prepared(0, 2, true)),
        ("prepared with both", prepared(3, 1, true)),
    ];
    if has(flags, OPTIONAL) {
        kinds.push(("prepared with parameters, without definitions", prepared(2, 0, false)));
        kinds.push(("prepared with columns, without definitions", prepared(0, 2, false)));
        kinds.push(("prepared with both, without definitions", prepared(3, 1, false)));
    }
    kinds
}

/// Stage 1 of 2, half done.
fn progress() -> Vec<u8> {
    b"\xff\xff\xff\x01\x01\x02\x50\xc3\x00\x04copy".to_vec()
}

fn check(cell: &str, flags: u64, payload: &[u8], answer: &[Vec<u8>]) {
    let ping = packet(0, b"\x0e");
    let sent = packet(0, payload);
    let answer = packets(1, answer);
    for cut in 0..=answer.len() {
        let (mut session, mut out) = (v1_session(), Outputs::default());
        let first = [query("SELECT 1"), facts_answer(flags), Line::Backend(packet(1, &ok(2)))];
        for line in connected(flags, "shop__v1", first) {
            feed(&mut session, line, &mut out);
        }
        out = Outputs::default();
        feed(&mut session, Line::Client([&sent[..], &ping].concat()), &mut out);
        feed(&mut session, Line::Backend(answer[..cut].to_vec()), &mut out);
        if cut < answer.len() {
            assert_eq!(out.to_backend, sent, "{cell}, cut at {cut}: the answer is not over");
        }
        feed(&mut session, Line::Backend(answer[cut..].to_vec()), &mut out);
        assert_eq!(out.to_backend, [&sent[..], &ping].concat(), "{cell}, cut at {cut}: the answer is over");
        assert_eq!(out.to_client, answer, "{cell}, cut at {cut}");
        assert_eq!(session.end(), None, "{cell}, cut at {cut}");
    }
}

fn feed(session: &mut Session, line: Line, out: &mut Outputs) {
    match line {
        Line::Client(mut bytes) => session.client_bytes(&mut bytes, out),
        Line::Backend(mut bytes) => session.backend_bytes(&mut bytes, out),
    }
}
