//! What a peer can make a session hold.

use super::*;
use crate::wire::MAX_PACKET_LEN;

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
        out = Outputs::default();
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
                assert_eq!((end, held), (Some(End::TooLong), 0));
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
