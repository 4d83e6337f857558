//! What both peers say, as it was recorded before real servers, and what each of them must then hear.

use std::ops::Range;

use crate::{
    session::{End, Outputs, Session, Side, fixtures},
    wire::{Capabilities, Command, Extent, Greeting, HEADER_LEN, HandshakeResponse, Header, put_payload},
};

/// What passes in one connection.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub name: String,
    pub lines: Vec<Line>,
    /// A header of the PROXY protocol, before all else.
    pub header: Vec<u8>,
    /// The connection has a version that is mapped.
    pub is_mapped: bool,
    pub client_tls: bool,
    pub backend_tls: bool,
}

/// Who says what.
#[derive(Debug, Clone)]
pub(super) enum Line {
    Client(Vec<u8>),
    Backend(Vec<u8>),
    /// A leg gets TLS.
    Tls(Side),
}

/// What a peer does when it has heard so much.
#[derive(Debug, Clone)]
pub(super) struct Cue {
    pub after: usize,
    pub act: Act,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    Say(Vec<u8>),
    Tls,
}

/// A script as it goes without a fault.
#[derive(Debug)]
pub(super) struct Course {
    pub client: Vec<Cue>,
    pub backend: Vec<Cue>,
    pub to_client: Vec<u8>,
    pub to_backend: Vec<u8>,
    pub questions: Vec<Question>,
    /// The files that the client sends, in what the backend hears.
    pub files: Vec<Range<usize>>,
    /// So much the client hears until it has authenticated.
    pub authenticated_after: usize,
}

/// Something that the client waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    /// It is asked when the client has sent so much …
    pub sent: usize,
    /// … and its answer begins after so much.
    pub heard: usize,
}

const CAPTURES: [(&str, &str); 4] = [
    ("mariadb_mapped", include_str!("captures/mariadb_mapped.txt")),
    ("mariadb_relayed", include_str!("captures/mariadb_relayed.txt")),
    ("mysql_mapped", include_str!("captures/mysql_mapped.txt")),
    ("mysql_relayed", include_str!("captures/mysql_relayed.txt")),
];

/// Every script.
pub(super) fn all() -> Vec<Script> {
    let captures = CAPTURES.map(|(name, text)| capture(name, text));
    let mut scripts = Vec::new();
    for script in &captures {
        scripts.push(script.clone());
        scripts.push(with_large_packets(script));
    }
    // The other server's first plugin depends on what protects a leg.
    for script in &captures[..2] {
        let client = with_client_tls(script);
        scripts.push(with_backend_tls(&client));
        scripts.push(client);
        scripts.push(with_backend_tls(script));
    }
    for header in [b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 3306\r\n".as_slice(), b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let name = format!("{}, passed on", captures[0].name);
        scripts.push(Script { name, header: header.to_vec(), ..captures[0].clone() });
    }
    scripts
}

fn capture(name: &str, text: &str) -> Script {
    let byte = |hex: &str, at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16);
    let bytes = |hex: &str| (0..hex.len() / 2).map(|at| byte(hex, at)).collect::<Result<Vec<u8>, _>>();
    let lines = text.lines().filter_map(|line| match line.split_once(' ') {
        Some(("C", hex)) => bytes(hex).map(Line::Client).ok(),
        Some(("B", hex)) => bytes(hex).map(Line::Backend).ok(),
        _ => None,
    });
    Script {
        name: name.to_owned(),
        lines: lines.collect(),
        header: Vec::new(),
        is_mapped: name.ends_with("mapped"),
        client_tls: false,
        backend_tls: false,
    }
}

impl Script {
    fn deprecates_eof(&self) -> bool {
        let responses = self.lines.iter().filter(|line| matches!(line, Line::Client(bytes) if bytes.len() > 60));
        let flags = responses.map(|line| match line {
            Line::Client(bytes) => bytes[HEADER_LEN + 3],
            _ => 0,
        });
        flags.take(1).any(|flags| flags & 1 != 0)
    }
}

/// Where the command phase begins.
fn first_command(lines: &[Line]) -> usize {
    let is_command = |line: &Line| matches!(line, Line::Client(bytes) if bytes[HEADER_LEN - 1] == 0);
    lines.iter().position(is_command).unwrap_or(lines.len())
}

/// The same connection phase, then commands and rows that fill every buffer.
fn with_large_packets(script: &Script) -> Script {
    let at = first_command(&script.lines);
    let mut lines = script.lines[..at].to_vec();
    let command = [b"\x03INSERT INTO plain VALUES (1, '".as_slice(), &vec![b'x'; LARGE_LEN], b"')"].concat();
    let ok = packet(1, b"\0\x01\0\x02\0\0\0");
    for _ in 0..2 {
        lines.extend([Line::Client(packet(0, &command)), Line::Backend(ok.clone())]);
    }
    let rows = script.lines.iter().find_map(|line| match line {
        Line::Backend(bytes) if bytes.len() > 9000 => Some(bytes.clone()),
        _ => None,
    });
    for _ in 0..8 {
        lines.extend([Line::Client(packet(0, b"\x03SELECT 1")), Line::Backend(rows.clone().unwrap_or_default())]);
    }
    lines.push(Line::Client(packet(0, b"\x01")));
    Script { name: format!("{}, large packets", script.name), lines, ..script.clone() }
}

fn with_client_tls(script: &Script) -> Script {
    let mut script = script.clone();
    script.name = format!("{}, TLS with the client", script.name);
    let commands = first_command(&script.lines);
    for line in &mut script.lines[..commands] {
        let Line::Client(bytes) = line else { continue };
        let seq = bytes[HEADER_LEN - 1];
        if seq == 1 {
            bytes[HEADER_LEN + 1] |= SSL_BIT;
        }
        bytes[HEADER_LEN - 1] = seq + 1;
    }
    let Line::Client(response) = &script.lines[1] else { return script };
    let request = packet(1, &response[HEADER_LEN..HEADER_LEN + HandshakeResponse::SSL_REQUEST_LEN]);
    script.lines.splice(1..1, [Line::Client(request), Line::Tls(Side::Client)]);
    script.client_tls = true;
    script
}

fn with_backend_tls(script: &Script) -> Script {
    let mut script = script.clone();
    script.name = format!("{}, TLS with the backend", script.name);
    let commands = first_command(&script.lines);
    for line in &mut script.lines[1..commands] {
        if let Line::Backend(bytes) = line {
            bytes[HEADER_LEN - 1] += 1;
        }
    }
    if let Line::Backend(greeting) = &mut script.lines[0] {
        let payload = &mut greeting[HEADER_LEN..];
        if let Ok(read) = Greeting::decode(payload) {
            read.patch(payload, read.capabilities.with(Capabilities::SSL));
        }
    }
    // After the handshake response.
    let at = if script.client_tls { 4 } else { 2 };
    script.lines.insert(at, Line::Tls(Side::Backend));
    script.backend_tls = true;
    script
}

/// Plays a script without a fault.
pub(super) fn course(script: &Script, mut session: Session) -> Course {
    let mut course = Course {
        client: Vec::new(),
        backend: Vec::new(),
        to_client: Vec::new(),
        to_backend: Vec::new(),
        files: Vec::new(),
        questions: vec![Question { sent: script.header.len(), heard: 0 }],
        authenticated_after: 0,
    };
    if !script.header.is_empty() {
        course.client.push(Cue { after: 0, act: Act::Say(script.header.clone()) });
    }
    let commands = first_command(&script.lines);
    let mut sent = script.header.len();
    let (question, answer) = (fixtures::question(), fixtures::facts_answer(script.deprecates_eof()));
    for (index, line) in script.lines.iter().enumerate() {
        let mut out = Outputs::default();
        if index == commands {
            course.authenticated_after = course.to_client.len();
        }
        let (client, backend) = (course.to_client.len(), course.to_backend.len());
        match line {
            Line::Client(bytes) => {
                course.questions.extend(question_in(bytes, index < commands, sent, client));
                sent += bytes.len();
                course.client.push(Cue { after: client, act: Act::Say(bytes.clone()) });
                session.client_bytes(&mut bytes.clone(), &mut out);
            }
            Line::Backend(bytes) => {
                course.backend.push(Cue { after: backend, act: Act::Say(bytes.clone()) });
                session.backend_bytes(&mut bytes.clone(), &mut out);
            }
            Line::Tls(side) => {
                assert_eq!(session.awaits_tls(), Some(*side), "{}", script.name);
                match side {
                    Side::Client => course.client.push(Cue { after: client, act: Act::Tls }),
                    Side::Backend => course.backend.push(Cue { after: backend, act: Act::Tls }),
                }
                session.has_tls(&mut out);
            }
        }
        if index > commands && matches!(line, Line::Client(bytes) if bytes[HEADER_LEN - 1] != 0) {
            course.files.push(backend..backend + out.to_backend.len());
        }
        while out.to_backend.ends_with(&question) {
            course.to_backend.append(&mut out.to_backend);
            course.backend.push(Cue { after: course.to_backend.len(), act: Act::Say(answer.clone()) });
            session.backend_bytes(&mut answer.clone(), &mut out);
        }
        course.to_client.append(&mut out.to_client);
        course.to_backend.append(&mut out.to_backend);
    }
    // A connection without a version ends when the client closes it.
    assert_eq!(session.end(), script.is_mapped.then_some(End::Quit), "{}: the script fits", script.name);
    course
}

/// The first packet in `bytes` that is answered.
fn question_in(bytes: &[u8], is_authenticating: bool, sent: usize, heard: usize) -> Option<Question> {
    let mut at = 0;
    while let Some(extent) = Extent::find(&bytes[at..]) {
        let command = bytes.get(at + HEADER_LEN).copied().and_then(Command::from_byte);
        at += extent.wire_len;
        let unanswered = [Command::Quit, Command::StmtClose, Command::StmtSendLongData].map(Some);
        if is_authenticating || extent.first_seq == 0 && !unanswered.contains(&command) {
            return Some(Question { sent: sent + at, heard });
        }
    }
    None
}

/// Where packets begin, and where the last one ends.
pub(super) fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut boundaries = vec![0];
    let mut at = 0;
    while let Some(header) = Header::read(&bytes[at..]).filter(|header| at + header.packet_len() <= bytes.len()) {
        at += header.packet_len();
        boundaries.push(at);
    }
    boundaries
}

fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    put_payload(&mut packet, seq, payload);
    packet
}

/// `CLIENT_SSL`, in the second byte of the flags.
const SSL_BIT: u8 = 0x08;

/// More than what is read at once.
const LARGE_LEN: usize = 150_000;
