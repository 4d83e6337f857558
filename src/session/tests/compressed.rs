//! Compressed legs: what is in the frames is what it is without them, however they are cut.

use super::*;
use crate::{
    session::{Leg, Legs, Rest, Side},
    wire::{BackendLeg, ClientLeg, Compression},
};

const COMPRESSED: u64 = CLIENT_FLAGS | Capabilities::COMPRESS.0;

/// Sequence ids and payloads.
type Packets = Vec<(u8, Vec<u8>)>;

/// Both peers of a session, each with its codec.
struct Peers {
    session: Session,
    out: Outputs,
    client: BackendLeg,
    backend: Option<ClientLeg>,
    /// How long the pieces are in which the session gets its input.
    cut: usize,
    /// What the client has got, as packets.
    to_client: Vec<u8>,
    /// What the backend has got, as packets.
    to_backend: Vec<u8>,
}

impl Peers {
    /// After authentication.
    fn connected(database: &str, cut: usize, backend: Option<Compression>) -> Self {
        let leg = |compression| Leg { compression, ..Leg::default() };
        let asked = if backend.is_some() { Capabilities::COMPRESS } else { Capabilities::default() };
        let legs = Legs { client: leg(Capabilities::COMPRESS), backend: leg(asked), ..Legs::default() };
        let mut session = v1_session().with_legs(legs);
        let mut out = Outputs::default();
        for line in connected(COMPRESSED, database, []) {
            match line {
                Line::Client(mut bytes) => session.client_bytes(&mut bytes, &mut out),
                Line::Backend(mut bytes) => session.backend_bytes(&mut bytes, &mut out),
            }
        }
        let response = split(&out.to_backend).remove(0).1;
        let sent = HandshakeResponse::decode_capabilities(&response).expect("a response");
        assert_eq!(sent.has(Capabilities::COMPRESS), backend.is_some());
        Self {
            session,
            out: Outputs::default(),
            client: BackendLeg::new(Compression::Zlib),
            backend: backend.map(ClientLeg::new),
            cut,
            to_client: Vec::new(),
            to_backend: Vec::new(),
        }
    }

    fn client_says(&mut self, plain: &[u8]) {
        let mut frames = Vec::new();
        self.client.encode(plain, &mut frames);
        self.client_bytes(&frames);
    }

    fn client_bytes(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.cut) {
            self.session.client_bytes(&mut piece.to_vec(), &mut self.out);
            self.deliver();
        }
    }

    fn backend_says(&mut self, plain: &[u8]) {
        let mut bytes = plain.to_vec();
        if let Some(leg) = &mut self.backend {
            bytes.clear();
            leg.begin_answer();
            leg.encode(plain, &mut bytes);
        }
        for piece in bytes.chunks(self.cut) {
            self.session.backend_bytes(&mut piece.to_vec(), &mut self.out);
            self.deliver();
        }
    }

    /// Hands the outputs over, and lets the session go on with what it holds.
    fn deliver(&mut self) {
        loop {
            let Outputs { to_client, to_backend } = std::mem::take(&mut self.out);
            let taken = self.client.decode(&to_client, &mut self.to_client);
            assert_eq!(taken, Ok(to_client.len()));
            match &mut self.backend {
                None => self.to_backend.extend(to_backend),
                Some(leg) => assert_eq!(leg.decode(&to_backend, &mut self.to_backend), Ok(to_backend.len())),
            }
            if self.session.has_frames(Side::Backend) {
                self.session.backend_bytes(&mut Vec::new(), &mut self.out);
            } else if self.session.has_frames(Side::Client) {
                self.session.client_bytes(&mut Vec::new(), &mut self.out);
            } else {
                return;
            }
        }
    }

    fn got(&mut self) -> (Packets, Packets) {
        let got = (split(&self.to_client), split(&self.to_backend));
        (self.to_client, self.to_backend) = (Vec::new(), Vec::new());
        got
    }
}

fn every_way(check: impl Fn(Peers)) {
    for cut in [1, 3, usize::MAX] {
        for backend in [None, Some(Compression::Zlib)] {
            check(Peers::connected("", cut, backend));
        }
    }
}

#[test]
fn commands_sent_ahead_are_answered_in_order() {
    every_way(|mut peers| {
        let ping = packet(0, b"\x0e");
        peers.client_says(&[packet(0, b"\x03SELECT 1"), ping.clone(), packet(0, b"\x19abcd"), ping].concat());
        let rows = result_set(CLIENT_FLAGS, 1, &[b"\x011"], 2);
        assert_eq!(peers.got().1, [(0, b"\x03SELECT 1".to_vec())], "one at a time");
        assert_eq!(peers.session.rest(), Rest::Busy);
        peers.backend_says(&packets(1, &rows));
        let (client, backend) = peers.got();
        let ids: Vec<u8> = client.iter().map(|(seq, _)| *seq).collect();
        assert_eq!((ids, backend), (vec![1, 2, 3, 4, 5], vec![(0, vec![0x0e])]));
        peers.backend_says(&packet(1, OK));
        assert_eq!(peers.got(), (vec![(1, OK.to_vec())], vec![(0, b"\x19abcd".to_vec()), (0, vec![0x0e])]));
        if let Some(leg) = &mut peers.backend {
            // The backend has no answer to a close.
            leg.begin_answer();
        }
        peers.backend_says(&packet(1, OK));
        assert_eq!(peers.got().0, [(1, OK.to_vec())]);
        assert_eq!(peers.session.rest(), Rest::AtRest);
    });
}

#[test]
fn a_long_statement_is_not_held() {
    let mut peers = Peers::connected("", usize::MAX, None);
    let statement = packet(0, &[&b"\x03"[..], &vec![b'x'; 300_000]].concat());
    let mut frames = Vec::new();
    peers.client.encode(&statement, &mut frames);
    let len = frames.len();
    peers.client_bytes(&frames[..len - 1]);
    assert!(peers.to_backend.len() > 200_000, "{}", peers.to_backend.len());
    peers.client_bytes(&frames[len - 1..]);
    assert!(peers.to_backend == statement);
}

#[test]
fn a_version_is_followed_inside_frames() {
    for cut in [1, usize::MAX] {
        let mut peers = Peers::connected("shop__v1", cut, None);
        peers.client_says(&packet(0, b"\x03SELECT * FROM users"));
        assert_eq!(peers.got().1, [(0, [b"\x03", facts::QUESTION].concat())]);
        let Line::Backend(facts) = facts_answer(CLIENT_FLAGS) else { return };
        peers.backend_says(&facts);
        assert_eq!(peers.got(), (Vec::new(), vec![(0, b"\x03SELECT * FROM people".to_vec())]));
        peers.backend_says(&packet(1, &err(1146, "no people")));
        assert_eq!(peers.got().0, [(1, err(1146, "no users"))]);
        peers.client_says(&packet(0, b"\x03REFUSE"));
        let (client, backend) = peers.got();
        assert!(client.len() == 1 && client[0].0 == 1 && backend.is_empty(), "{client:?}");
    }
}

#[test]
fn replication_goes_both_ways_until_it_ends() {
    every_way(|mut peers| {
        let dump = b"\x12\x04\0\0\0\0\0\x01\0\0\0";
        peers.client_says(&packet(0, dump));
        let events = packets(1, [&[b"\0"[..].to_vec(), vec![b'e'; 3000]].concat()[..], b"\0event"]);
        peers.backend_says(&events);
        assert_eq!(peers.got(), (split(&events), vec![(0, dump.to_vec())]));
        let acknowledgement = b"\xef\x04\0\0\0\0\0\0\0log.1";
        peers.client_says(&packet(0, acknowledgement));
        assert_eq!(peers.got().1, [(0, acknowledgement.to_vec())]);
        assert_eq!(peers.session.rest(), Rest::Busy);
        let more = packets(3, [&b"\0another"[..], &eof(0)]);
        match &mut peers.backend {
            None => peers.backend_says(&more),
            Some(leg) => {
                leg.skip_answer();
                let mut frames = Vec::new();
                leg.encode(&more, &mut frames);
                peers.session.backend_bytes(&mut frames, &mut peers.out);
                peers.deliver();
            }
        }
        assert_eq!(peers.got().0, split(&more));
        peers.client_says(&packet(0, b"\x0e"));
        peers.backend_says(&packet(1, OK));
        assert_eq!(peers.got(), (vec![(1, OK.to_vec())], vec![(0, vec![0x0e])]));
    });
}

#[test]
fn a_change_of_user_changes_the_version() {
    every_way(|mut peers| {
        let change =
            |database: &str| [b"\x11root\0\0", database.as_bytes(), b"\0\x2d\0mysql_native_password\0\0"].concat();
        peers.client_says(&packet(0, &change("shop__v1")));
        assert_eq!(peers.got().1, [(0, change("shop"))]);
        peers.backend_says(&packet(1, b"\xfemysql_native_password\0salt\0"));
        peers.client_says(&packet(2, b""));
        let got = peers.got();
        assert_eq!((got.0.len(), &got.1[..]), (1, &[(2, Vec::new())][..]));
        match &mut peers.backend {
            None => peers.backend_says(&packet(3, OK)),
            Some(leg) => {
                let mut frames = Vec::new();
                leg.encode(&packet(3, OK), &mut frames);
                peers.session.backend_bytes(&mut frames, &mut peers.out);
                peers.deliver();
            }
        }
        assert_eq!(peers.got().0, [(3, OK.to_vec())]);
        peers.client_says(&packet(0, b"\x03SELECT 1"));
        assert_eq!(peers.got().1, [(0, [b"\x03", facts::QUESTION].concat())]);
    });
}

/// MySQL tells of the last result only before the OUT parameters.
#[test]
fn the_result_after_out_parameters_belongs_to_the_answer() {
    every_way(|mut peers| {
        peers.client_says(&packet(0, b"\x17\x01\0\0\0\0\x01\0\0\0"));
        let mut rows = result_set(CLIENT_FLAGS, 1, &[b"\0\0\x07"], 2);
        rows[2] = eof(0x1000 | 8);
        peers.backend_says(&packets(1, &rows));
        assert_eq!(peers.session.rest(), Rest::Busy);
        match &mut peers.backend {
            None => peers.backend_says(&packet(6, OK)),
            Some(leg) => {
                let mut frames = Vec::new();
                leg.begin_result();
                leg.encode(&packet(6, OK), &mut frames);
                peers.session.backend_bytes(&mut frames, &mut peers.out);
                peers.deliver();
            }
        }
        assert_eq!(peers.session.rest(), Rest::AtRest);
    });
}

#[test]
fn wrong_frames_of_the_client_are_told_after_what_came_before() {
    for (wrong, number) in [(&b"\x05\0\0\x07\0\0\0\x01\0\0\0\x0e"[..], 1156), (b"\x01\0\0\0\x09\0\0x", 1157)] {
        let mut peers = Peers::connected("", usize::MAX, None);
        let mut frames = Vec::new();
        peers.client.encode(&packet(0, b"\x0e"), &mut frames);
        frames.extend_from_slice(wrong);
        peers.client_bytes(&frames);
        assert_eq!((peers.got().0, peers.session.end()), (Vec::new(), None));
        peers.backend_says(&packet(1, OK));
        let (client, _) = peers.got();
        assert_eq!(client[0], (1, OK.to_vec()));
        assert_eq!(ErrPacket::decode(&client[1].1).map(|err| err.number), Ok(number));
        assert_eq!(peers.session.end(), Some(End::ClientBroke));
    }
}

#[test]
fn wrong_frames_of_the_backend_end_the_session() {
    let mut peers = Peers::connected("", usize::MAX, Some(Compression::Zlib));
    peers.client_says(&packet(0, b"\x0e"));
    peers.session.backend_bytes(&mut b"\x01\0\0\x01\x09\0\0x".to_vec(), &mut peers.out);
    peers.deliver();
    let (client, _) = peers.got();
    assert_eq!(ErrPacket::decode(&client[0].1).map(|err| err.number), Ok(2027));
    assert_eq!(peers.session.end(), Some(End::BackendBroke));
}

#[test]
fn what_a_client_sends_ahead_is_held_as_it_came() {
    let mut peers = Peers::connected("", usize::MAX, None);
    peers.client_says(&packet(0, b"\x0e"));
    let mut frames = Vec::new();
    peers.client.encode(&packet(0, &vec![b'x'; 8 << 20]), &mut frames);
    peers.client_bytes(&frames);
    assert!(!peers.session.has_frames(Side::Client), "one command at a time");
    peers.client_bytes(&vec![0; 1 << 16]);
    assert!(!peers.session.wants_client_bytes());
}
