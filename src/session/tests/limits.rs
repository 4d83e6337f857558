//! Limits, and what a client is told that runs into one; and what a backend says unasked.

use super::*;
use crate::wire::MAX_PACKET_LEN;

const MAX: usize = 1000;

fn limited() -> Session {
    v1_session().with_max_packet_len(MAX)
}

/// What both received after the connection phase.
fn limited_after(database: &str, rest: &[Line]) -> (Received, Option<End>) {
    let (before, _) = play(limited, &connected(CLIENT_FLAGS, database, []));
    let (mut received, end) = play(limited, &connected(CLIENT_FLAGS, database, rest.to_vec()));
    received.client.drain(..before.client.len());
    received.backend.drain(..before.backend.len());
    (received, end)
}

fn number(bytes: &[u8]) -> (u8, u16) {
    let packets = split(bytes);
    let [(seq, payload)] = packets.as_slice() else { panic!("not one packet: {packets:?}") };
    (*seq, ErrPacket::decode(payload).expect("an ERR").number)
}

#[test]
fn a_command_that_says_it_is_too_long_is_refused_at_once() {
    let long = packet(0, &vec![b'x'; MAX + 1]);
    for database in ["shop__v1", "shop"] {
        let (received, end) = limited_after(database, &[Line::Client(long[..5].to_vec())]);
        assert_eq!((number(&received.client), end), ((1, 1153), Some(End::TooLong)), "{database}");
        assert_eq!(received.backend, b"");
        let (received, end) = limited_after(database, &[Line::Client(packet(0, &vec![0x11; MAX + 1]))]);
        assert_eq!((number(&received.client), end), ((1, 1153), Some(End::TooLong)), "{database}");
        let longest = Line::Client(packet(0, &[&[3][..], &vec![b'x'; MAX - 1]].concat()));
        assert_eq!(limited_after(database, &[longest]).1, None);
    }
}

#[test]
fn a_payload_without_an_end_is_refused() {
    for database in ["shop__v1", "shop"] {
        let mut session = v1_session().with_max_packet_len(MAX_PACKET_LEN + 7);
        let mut out = Outputs::default();
        for line in connected(CLIENT_FLAGS, database, []) {
            match line {
                Line::Client(bytes) => session.client_bytes(&mut bytes.clone(), &mut out),
                Line::Backend(bytes) => session.backend_bytes(&mut bytes.clone(), &mut out),
            }
        }
        out.to_client.clear();
        let mut bytes = packet(0, &vec![3; MAX_PACKET_LEN]);
        bytes.truncate(MAX_PACKET_LEN + 4);
        session.client_bytes(&mut bytes, &mut out);
        assert_eq!(session.end(), None);
        session.client_bytes(&mut b"\x08\0\0\x01".to_vec(), &mut out);
        assert_eq!((number(&out.to_client), session.end()), ((2, 1153), Some(End::TooLong)), "{database}");
    }
}

#[test]
fn a_relayed_client_that_sends_ahead_is_closed() {
    let long = [packet(0, b"\x03SELECT 1"), packet(0, &vec![3; MAX + 1])].concat();
    let (received, end) = limited_after("shop", &[Line::Client(long)]);
    assert_eq!((received.client.as_slice(), end), (&b""[..], Some(End::TooLong)));
}

#[test]
fn an_endless_greeting_is_told() {
    let (received, end) = play(v1_session, &[Line::Backend(b"\xff\xff\xff\0\x0a".to_vec())]);
    let packets = split(&received.client);
    assert!(packets[0].0 == 0 && packets[0].1.starts_with(b"\xff\xeb\x07Malformed packet"), "{packets:?}");
    assert_eq!(end, Some(End::BackendBroke));
}

/// Line 27: who was not asked for a header has none.
#[test]
fn l27_a_header_that_is_not_due_is_a_bad_handshake() {
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 3306\r\n".to_vec();
    let (received, end) = play(v1_session, &[Line::Backend(packet(0, GREETING)), Line::Client(header)]);
    let (seq, payload) = split(&received.client).pop().expect("a packet");
    assert_eq!((seq, ErrPacket::decode(&payload).expect("an ERR").number), (1, 1043));
    assert_eq!((received.backend, end), (Vec::new(), Some(End::Refused)));
}

#[test]
fn a_dialog_without_an_end_is_told() {
    let mut script = connected(CLIENT_FLAGS, "shop", []);
    script.pop();
    script.push(Line::Backend(packet(2, &vec![1; 2 << 20])));
    let (received, end) = play_cut(v1_session(), &script, 64 * 1024);
    let (seq, payload) = split(&received.client).pop().expect("a packet");
    assert_eq!((seq, ErrPacket::decode(&payload).expect("an ERR").number), (2, 1153));
    assert_eq!(end, Some(End::TooLong));
}

/// A server says why it ends an idle connection: all of it, or nothing.
#[test]
fn last_words_come_whole() {
    let words = packet(0, &err(4031, "The client was disconnected by the server because of inactivity"));
    for len in 0..words.len() {
        let (received, _) = after_connecting(CLIENT_FLAGS, "shop__v1", &[Line::Backend(words[..len].to_vec())]);
        assert_eq!(received.client, b"");
    }
    let (received, end) = after_connecting(CLIENT_FLAGS, "shop__v1", &[Line::Backend(words.clone())]);
    assert_eq!((received.client, end), (words, None));
}

/// A command that has come whole waits, whatever came behind it.
#[test]
fn a_lost_backend_is_told_to_who_waits() {
    let ahead: [&[u8]; 3] = [b"", b"\x05\0\0\0\x03SEL", &packet(0, b"\x19\x01\0\0\0")];
    for behind in ahead {
        let mut session = v1_session();
        let mut out = Outputs::default();
        let asked = [&packet(0, b"\x03SELECT 1"), behind].concat();
        for line in connected(CLIENT_FLAGS, "shop__v1", [Line::Client(asked)]) {
            out.to_client.clear();
            match line {
                Line::Client(bytes) => session.client_bytes(&mut bytes.clone(), &mut out),
                Line::Backend(bytes) => session.backend_bytes(&mut bytes.clone(), &mut out),
            }
        }
        session.backend_closed(&mut out);
        assert_eq!(number(&out.to_client), (1, 1158), "{}", behind.escape_ascii());
    }
}

/// How much of one payload a session may wait for, and one more read.
const DIALOG: usize = (1 << 20) + PIECE;
const WHOLE: usize = (32 << 20) + PIECE;
const PIECE: usize = 64 * 1024;

/// Plays a script, and then lets one peer go on with a payload that does not end. The session must be over before it
/// holds more than `limit`.
fn check(script: &[Line], endless: fn(Vec<u8>) -> Line, first: u8, limit: usize) {
    let (mut session, mut out) = (v1_session(), Outputs::default());
    let mut say = |line: Line| {
        match line {
            Line::Client(mut bytes) => session.client_bytes(&mut bytes, &mut out),
            Line::Backend(mut bytes) => session.backend_bytes(&mut bytes, &mut out),
        }
        out.to_client.clear();
        out.to_backend.clear();
        (session.end(), session.client.rest().len() + session.backend.rest().len())
    };
    for line in script {
        assert_eq!(say(line.clone()).0, None);
    }
    let mut packet = vec![0xFF, 0xFF, 0xFF, 0, first];
    packet.resize(4 + MAX_PACKET_LEN, 1);
    for _ in 0..3 {
        for piece in packet.chunks(PIECE) {
            let (end, held) = say(endless(piece.to_vec()));
            assert!(held <= limit, "{held} bytes are held");
            if end.is_some() {
                assert_eq!(held, 0);
                return;
            }
        }
    }
    panic!("a payload without an end is waited for");
}

#[test]
fn a_payload_without_an_end_is_not_waited_for() {
    let connected = connected(CLIENT_FLAGS, "shop__v1", []);
    check(&[], Line::Backend, 10, DIALOG);
    check(&connected[..1], Line::Backend, 0xFF, DIALOG);
    check(&connected[..1], Line::Client, 1, DIALOG);
    check(&connected[..2], Line::Backend, 1, DIALOG);
    let asked = [&connected[..2], &[Line::Backend(packet(2, b"\xfeplugin\0salt\0"))]].concat();
    check(&asked, Line::Client, 1, DIALOG);
    check(&asked, Line::Backend, 1, DIALOG);
    let queried = [&connected[..], &[query("SELECT 1")]].concat();
    check(&queried, Line::Backend, 0xFF, WHOLE);
}

#[test]
fn a_row_without_an_end_is_not_held() {
    let mut script = connected(CLIENT_FLAGS, "shop__v1", [query("SELECT 1"), facts_answer(CLIENT_FLAGS)]);
    let mut answer = result_set(CLIENT_FLAGS, 1, &[], 2);
    answer.pop();
    script.push(Line::Backend(packets(1, answer)));
    let (mut session, mut out) = (v1_session(), Outputs::default());
    for line in script {
        match line {
            Line::Client(mut bytes) => session.client_bytes(&mut bytes, &mut out),
            Line::Backend(mut bytes) => session.backend_bytes(&mut bytes, &mut out),
        }
    }
    let mut piece = b"\xff\xff\xff\x04".to_vec();
    for _ in 0..4 {
        session.backend_bytes(&mut piece, &mut out);
        assert_eq!(session.end(), None);
        assert!(session.backend.rest().len() <= crate::wire::HEADER_LEN, "a row's bytes are held");
        piece = vec![1; PIECE];
    }
}
