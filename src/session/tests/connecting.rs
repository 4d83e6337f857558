//! The connection phase, and `COM_CHANGE_USER`.

use super::*;

fn number(received: &Received) -> Option<u16> {
    let (_, payload) = split(&received.client).pop()?;
    ErrPacket::decode(&payload).ok().filter(|_| payload[0] == 0xFF).map(|err| err.number)
}

#[test]
fn the_greeting_offers_only_what_bifocal_speaks() {
    let (received, end) = play(v1_session, &[Line::Backend(packet(0, GREETING))]);
    let greeting = crate::wire::Greeting::decode(&received.client[4..]).expect("a greeting");
    assert_eq!(greeting.capabilities, Capabilities(u32::MAX.into()).without(Capabilities::MASKED));
    assert_eq!((received.client.len(), end), (GREETING.len() + 4, None));
}

#[test]
fn a_backend_that_is_full_is_heard() {
    let full = packet(0, b"\xff\x10\x04Too many connections");
    let (received, end) = play(v1_session, &[Line::Backend(full.clone())]);
    assert_eq!((received.client, end), (full, Some(End::Refused)));
}

#[test]
fn a_versions_database_is_the_servers_own() {
    let (received, end) = play(v1_session, &connected(CLIENT_FLAGS, "shop__v1", []));
    let sent = split(&received.backend);
    let response = HandshakeResponse::decode(&sent[0].1).expect("a response");
    assert_eq!(response.database, Some(&b"shop"[..]));
    assert_eq!((sent[0].0, split(&received.client).len(), end), (1, 2, None));
}

#[test]
fn an_unknown_version_is_refused_before_anything_is_sent() {
    let script = &connected(CLIENT_FLAGS, "shop__v9", [])[..2];
    let (received, end) = play(v1_session, script);
    assert_eq!((number(&received), end), (Some(1049), Some(End::Refused)));
    assert!(received.backend.is_empty());
}

#[test]
fn an_attribute_names_a_version_too() {
    let script = [
        Line::Backend(packet(0, GREETING)),
        Line::Client(packet(1, &response(CLIENT_FLAGS, "shop", &[("bifocal_version", "v9")]))),
    ];
    let (received, end) = play(v1_session, &script);
    assert_eq!((number(&received), end), (Some(1049), Some(End::Refused)));
}

#[test]
fn tls_that_was_not_offered_is_refused() {
    let flags = CLIENT_FLAGS | Capabilities::SSL.0;
    let request = &response(flags, "", &[])[..HandshakeResponse::SSL_REQUEST_LEN];
    let script = [Line::Backend(packet(0, GREETING)), Line::Client(packet(1, request))];
    let (received, end) = play(v1_session, &script);
    assert_eq!((number(&received), end), (Some(1043), Some(End::Refused)));
    assert!(received.backend.is_empty());
}

#[test]
fn a_dialog_is_relayed_as_it_is() {
    let dialog = [
        Line::Backend(packet(2, b"\xfecaching_sha2_password\0salt\0")),
        Line::Client(packet(3, b"scramble")),
        Line::Backend(packet(4, b"\x01\x04")),
        Line::Client(packet(5, b"\x02")),
        Line::Backend(packet(6, b"\x01-----BEGIN PUBLIC KEY-----")),
        Line::Client(packet(7, b"encrypted")),
        Line::Backend(packet(8, OK)),
    ];
    let mut script = connected(CLIENT_FLAGS, "shop__v1", []);
    script.pop();
    let before = play(v1_session, &script).0;
    script.extend(dialog.clone());
    let (received, end) = play(v1_session, &script);
    let mut expected = before;
    for line in dialog {
        match line {
            Line::Client(bytes) => expected.backend.extend(bytes),
            Line::Backend(bytes) => expected.client.extend(bytes),
        }
    }
    assert_eq!((received, end), (expected, None));
}

#[test]
fn a_command_sent_before_the_dialog_is_over_does_not_pass_unplanned() {
    let mut script = connected(CLIENT_FLAGS, "shop__v1", []);
    script.insert(2, query("REFUSE me"));
    script.push(facts_answer(CLIENT_FLAGS));
    let (received, _) = play(v1_session, &script);
    assert_eq!(number(&received), Some(1235));
    assert!(!received.backend.windows(6).any(|window| window == b"REFUSE"));
}

#[test]
fn an_endless_dialog_ends() {
    let mut script = connected(CLIENT_FLAGS, "shop__v1", []);
    script.pop();
    let mut long = vec![1; 60_000];
    long[1] = 4;
    script.extend((0..20).map(|seq| Line::Backend(packet(seq, &long))));
    let (_, end) = play_cut(v1_session(), &script, usize::MAX);
    assert_eq!(end, Some(End::TooLong));
}

fn change_user(database: &str) -> Line {
    let payload = [b"\x11root\0\x00", database.as_bytes(), b"\0\x2d\0mysql_native_password\0"].concat();
    Line::Client(packet(0, &payload))
}

#[test]
fn another_user_may_bring_a_version() {
    let rest = [
        query("SELECT users"),
        Line::Backend(packet(1, &ok(2))),
        change_user("shop__v1"),
        Line::Backend(packet(1, b"\xfemysql_native_password\0salt\0")),
        Line::Client(packet(2, b"scramble")),
        Line::Backend(packet(3, OK)),
        query("SELECT users"),
        facts_answer(CLIENT_FLAGS),
        Line::Backend(packet(1, &ok(2))),
        change_user("shop"),
        Line::Backend(packet(1, OK)),
        query("SELECT users"),
    ];
    let (received, end) = after_connecting(CLIENT_FLAGS, "other", &rest);
    let texts: Vec<Vec<u8>> = split(&received.backend).into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(texts[0], b"\x03SELECT users");
    assert_eq!(texts[1], b"\x11root\0\x00shop\0\x2d\0mysql_native_password\0");
    assert_eq!(texts[4], b"\x03SELECT people");
    assert_eq!(texts[6], b"\x03SELECT users");
    assert_eq!((texts.len(), end), (7, None));
}

#[test]
fn a_refused_user_leaves_the_version_as_it_was() {
    let rest = [
        change_user("shop"),
        Line::Backend(packet(1, &err(1045, "Access denied"))),
        query("SELECT users"),
        facts_answer(CLIENT_FLAGS),
    ];
    let (received, end) = after_connecting(CLIENT_FLAGS, "shop__v1", &rest);
    assert_eq!(split(&received.backend).pop().expect("sent").1, b"\x03SELECT people");
    assert_eq!(end, None);
}

#[test]
fn a_listeners_version_is_the_last_match() {
    let listener = VersionName { database: "shop".to_owned(), version: "v1".to_owned() };
    let session = || {
        Session::new(ruleset(), Some(listener.clone())).with_planner(Planner { plan: fake_plan, ..Planner::default() })
    };
    let script = connected(CLIENT_FLAGS, "shop", [query("REFUSE me"), facts_answer(CLIENT_FLAGS)]);
    let (received, _) = play(session, &script);
    assert_eq!(number(&received), Some(1235));
}

#[test]
fn a_connection_without_a_version_is_relayed_byte_for_byte() {
    let rest = [
        query("REFUSE me"),
        Line::Backend(packet(1, b"\xfbfile")),
        // A file's contents may look like a command once the sequence id has wrapped.
        Line::Client(packet(0, b"\x11not a command")),
        Line::Client(packet(1, b"")),
        Line::Backend(packet(2, &ok(2))),
    ];
    let (received, end) = after_connecting(CLIENT_FLAGS, "other", &rest);
    let mut expected = Received::default();
    for line in rest {
        match line {
            Line::Client(bytes) => expected.backend.extend(bytes),
            Line::Backend(bytes) => expected.client.extend(bytes),
        }
    }
    assert_eq!((received, end), (expected, None));
}
