//! The command phase of a connection with a version.

use super::*;
use crate::wire::{Answer, Command};

const FLAGS: [u64; 2] = [CLIENT_FLAGS, CLIENT_FLAGS | Capabilities::DEPRECATE_EOF.0];

/// Plays lines after the facts are known.
fn v1(flags: u64, rest: &[Line]) -> (Received, Option<End>) {
    let first = [query("SELECT 1"), facts_answer(flags), Line::Backend(packet(1, &ok(2)))];
    let (before, _) = after_connecting(flags, "shop__v1", &first);
    let (mut received, end) = after_connecting(flags, "shop__v1", &[&first, rest].concat());
    received.client.drain(..before.client.len());
    received.backend.drain(..before.backend.len());
    (received, end)
}

#[test]
fn the_client_sees_nothing_of_the_sessions_question() {
    for flags in FLAGS {
        let rest = [query("SELECT 1"), facts_answer(flags), Line::Backend(packet(1, &ok(2)))];
        let (received, end) = after_connecting(flags, "shop__v1", &rest);
        assert_eq!(received.client, packet(1, &ok(2)));
        assert_eq!(received.backend, [question(), packet(0, b"\x03SELECT 1")].concat());
        assert_eq!(end, None);
    }
}

#[test]
fn the_question_comes_again_after_a_change_but_never_before_show_warnings() {
    let answer = || Line::Backend(packet(1, &ok(2)));
    let rest = [
        query("SET NAMES latin1"),
        answer(),
        query("SHOW WARNINGS"),
        answer(),
        query("SELECT 1"),
        facts_answer(CLIENT_FLAGS),
        answer(),
        query("SELECT 2"),
        answer(),
    ];
    let (received, _) = v1(CLIENT_FLAGS, &rest);
    let expected = [
        packet(0, b"\x03SET NAMES latin1"),
        packet(0, b"\x03SHOW WARNINGS"),
        question(),
        packet(0, b"\x03SELECT 1"),
        packet(0, b"\x03SELECT 2"),
    ];
    assert_eq!(received.backend, expected.concat());
    assert_eq!(received.client, packet(1, &ok(2)).repeat(4));
}

#[test]
fn an_error_to_the_question_answers_the_statement() {
    let refused = packet(1, &err(1317, "Query execution was interrupted"));
    let rest = [query("SELECT 1"), Line::Backend(refused.clone())];
    let (received, _) = after_connecting(CLIENT_FLAGS, "shop__v1", &rest);
    assert_eq!((received.client, received.backend), (refused, question()));
}

#[test]
fn a_rewritten_statement_has_its_columns_and_errors_in_the_versions_words() {
    for flags in FLAGS {
        let answer = packets(1, result_set(flags, 2, &[b"\x01a\x01b", b"\xfb\xfb"], 2));
        let failed = packet(1, &err(1062, "Duplicate entry for key 'people.x'"));
        let rest = [query("SELECT users"), Line::Backend(answer), query("users"), Line::Backend(failed)];
        let (received, _) = v1(flags, &rest);
        assert_eq!(received.backend, [packet(0, b"\x03SELECT people"), packet(0, b"\x03people")].concat());
        let mut payloads = result_set(flags, 2, &[b"\x01a\x01b", b"\xfb\xfb"], 2);
        payloads[1..3].fill(definition("users", "email"));
        let expected = [packets(1, payloads), packet(1, &err(1062, "Duplicate entry for key 'users.x'"))];
        assert_eq!(received.client, expected.concat());
    }
}

#[test]
fn what_is_refused_or_answered_never_reaches_the_backend() {
    let (received, _) = v1(CLIENT_FLAGS, &[query("REFUSE"), prepare("REFUSE"), query("ANSWER"), prepare("ANSWER")]);
    assert!(received.backend.is_empty());
    let numbers: Vec<(u8, u16)> = split(&received.client)
        .into_iter()
        .map(|(seq, payload)| (seq, ErrPacket::decode(&payload).expect("an ERR").number))
        .collect();
    assert_eq!(numbers, [(1, 1235), (1, 1235), (1, 1146), (1, 1146)]);
}

#[test]
fn commands_sent_ahead_are_answered_in_order() {
    let ahead = [packet(0, b"\x03SELECT 1"), packet(0, b"\x03REFUSE"), packet(0, b"\x0e"), packet(0, b"\x03users")];
    let rest = [
        Line::Client(ahead.concat()),
        Line::Backend(packets(1, result_set(CLIENT_FLAGS, 1, &[b"\x01a"], 2))),
        Line::Backend(packet(1, &ok(2))),
        Line::Backend(packet(1, &ok(3))),
    ];
    let (received, _) = v1(CLIENT_FLAGS, &rest);
    let refused = Refusal { code: "R107", reason: "no".to_owned() }.error();
    let expected = [
        packets(1, result_set(CLIENT_FLAGS, 1, &[b"\x01a"], 2)),
        packet(1, &err(1235, &refused.message)),
        packet(1, &ok(2)),
        packet(1, &ok(3)),
    ];
    assert_eq!(received.client, expected.concat());
    let sent: Vec<Vec<u8>> = split(&received.backend).into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(sent, [&b"\x03SELECT 1"[..], b"\x0e", b"\x03people"]);
}

/// Every answer that a server may give to a command, without the first sequence id.
fn answers(answer: Answer, flags: u64) -> Vec<Vec<Vec<u8>>> {
    let rows: &[&[u8]] = &[b"\x01a", b"\xfb", b"\x00\x00row", b""];
    let failed = vec![err(1064, "syntax")];
    let mut in_rows = result_set(flags, 1, rows, 2);
    *in_rows.last_mut().expect("an end") = err(1317, "interrupted");
    let chain =
        |first: u16| [result_set(flags, 1, rows, first), vec![ok(first)], result_set(flags, 2, &[], 2)].concat();
    let definitions = |count: usize| {
        let mut payloads = vec![definition("t", "c"); count];
        if count > 0 && flags & Capabilities::DEPRECATE_EOF.0 == 0 {
            payloads.push(eof(2));
        }
        payloads
    };
    let prepared = |params: usize, columns: usize| {
        let counts = [u8::try_from(columns).expect("few"), 0, u8::try_from(params).expect("few"), 0];
        let head = [b"\x00\x01\0\0\0", &counts[..], b"\0\0\0"].concat();
        [vec![head], definitions(params), definitions(columns)].concat()
    };
    let mut rows_alone: Vec<Vec<u8>> = rows.iter().map(|row| row.to_vec()).collect();
    rows_alone.push(end_of_rows(flags, 0x82));
    // A cursor's answer ends with its definitions.
    let mut cursor = result_set(flags, 1, &[], 0x42);
    if flags & Capabilities::DEPRECATE_EOF.0 == 0 {
        cursor.pop();
        *cursor.last_mut().expect("an EOF") = eof(0x42);
    }
    let results = vec![vec![ok(2)], failed.clone(), result_set(flags, 1, rows, 2), in_rows, chain(10)];
    match answer {
        Answer::None => vec![vec![]],
        Answer::Endless | Answer::Authentication => vec![],
        Answer::Single => vec![vec![ok(2)], failed, vec![eof(2)], vec![b"Uptime: 1".to_vec()]],
        Answer::TextResult => results,
        Answer::BinaryResult => [results, vec![cursor]].concat(),
        Answer::Rows => vec![rows_alone, failed],
        Answer::Fields => vec![vec![definition("t", "a"), definition("t", "b"), end_of_rows(flags, 2)], failed],
        Answer::Prepare => vec![prepared(0, 0), prepared(2, 0), prepared(0, 2), prepared(3, 1), failed],
    }
}

#[test]
fn every_answer_to_every_command_is_followed_to_its_end() {
    for flags in FLAGS {
        for (command, answer) in Command::ALL {
            for payloads in answers(answer, flags) {
                check_cell(flags, command, &payloads);
            }
        }
    }
}

/// The answer reaches the client as it is, and the next command is sent only after its last packet.
fn check_cell(flags: u64, command: Command, payloads: &[Vec<u8>]) {
    if matches!(command, Command::Quit | Command::StmtBulkExecute | Command::RegisterReplica) {
        return;
    }
    let sent = packet(0, &[&[command as u8][..], b"\x01\0\0\0\x00\x01\0\0\0"].concat());
    let ping = packet(0, b"\x0e");
    let answer = packets(1, payloads);
    let cut = answer.len().saturating_sub(1);
    let rest = [Line::Client([&sent[..], &ping].concat()), Line::Backend(answer[..cut].to_vec())];
    let (received, _) = v1(flags, &rest);
    if !payloads.is_empty() {
        assert_eq!(received.backend, sent, "{command:?}: the answer is not complete: {payloads:?}");
    }
    let rest = [&rest[..1], &[Line::Backend(answer.clone()), Line::Backend(packet(1, &ok(2)))]].concat();
    let (received, end) = v1(flags, &rest);
    assert_eq!(received.backend, [&sent[..], &ping].concat(), "{command:?}: {payloads:?}");
    assert_eq!(received.client, [answer, packet(1, &ok(2))].concat(), "{command:?}: {payloads:?}");
    assert_eq!(end, None);
}

#[test]
fn a_file_goes_to_the_backend_as_it_is() {
    let rest = [
        query("LOAD"),
        Line::Backend(packet(1, b"\xfbfile")),
        Line::Client([packets(2, ["rows", "\x11more"]), packet(4, b"")].concat()),
        Line::Backend(packet(5, &ok(2))),
        query("SELECT 1"),
    ];
    let (received, _) = v1(CLIENT_FLAGS, &rest);
    let expected = [packet(0, b"\x03LOAD"), packets(2, ["rows", "\x11more", ""]), packet(0, b"\x03SELECT 1")];
    assert_eq!(received.backend, expected.concat());
}

#[test]
fn the_own_versions_database_can_be_chosen_and_no_other() {
    let rest = [
        query("USE shop__v1"),
        Line::Backend(packet(1, &ok(2))),
        Line::Client(packet(0, b"\x02shop__v1")),
        Line::Backend(packet(1, &ok(2))),
        query("use `shop__v2`"),
        Line::Client(packet(0, b"\x02shop__v2")),
        Line::Client(packet(0, b"\x02shop__v9")),
    ];
    let (received, _) = v1(CLIENT_FLAGS, &rest);
    assert_eq!(received.backend, [packet(0, b"\x03USE `shop`"), packet(0, b"\x02shop")].concat());
    let errors: Vec<u16> = split(&received.client)[2..]
        .iter()
        .map(|(_, payload)| ErrPacket::decode(payload).expect("ERR").number)
        .collect();
    assert_eq!(errors, [1235, 1235, 1049]);
}

#[test]
fn another_database_is_chosen_without_a_question() {
    let rest = [query("USE test"), Line::Backend(packet(1, &ok(2)))];
    let (received, _) = after_connecting(CLIENT_FLAGS, "shop__v1", &rest);
    assert_eq!(received.backend, packet(0, b"\x03USE test"));
    assert_eq!(received.client, packet(1, &ok(2)));
}

#[test]
fn field_list_of_a_changed_table_and_replication_are_refused() {
    let commands = [&b"\x04users\0"[..], b"\x12\0\0\0\0", b"\x1e", b"\x20", b"\x21", b"\x15"];
    let rest: Vec<Line> = commands.iter().map(|payload| Line::Client(packet(0, payload))).collect();
    let (received, _) = v1(CLIENT_FLAGS, &rest);
    assert!(received.backend.is_empty());
    assert_eq!(split(&received.client).len(), commands.len());
}

#[test]
fn a_lost_backend_is_told_only_to_a_client_that_waits() {
    for (text, lost) in [(None, false), (Some("SELECT 1"), true)] {
        let mut session = v1_session();
        let mut out = Outputs::default();
        let mut script = connected(CLIENT_FLAGS, "shop__v1", []);
        script.extend(text.map(query));
        for line in script {
            match line {
                Line::Client(mut bytes) => session.client_bytes(&mut bytes, &mut out),
                Line::Backend(mut bytes) => session.backend_bytes(&mut bytes, &mut out),
            }
        }
        out.to_client.clear();
        session.backend_closed(&mut out);
        assert_eq!(session.end(), Some(End::BackendClosed));
        let told = split(&out.to_client).first().map(|(seq, payload)| (*seq, payload[0]));
        assert_eq!(told, lost.then_some((1, 0xFF)));
    }
}

#[test]
fn new_rules_wait_for_the_end_of_the_transaction() {
    let mut session = v1_session();
    let mut out = Outputs::default();
    let mut say = |session: &mut Session, line: Line| {
        out = Outputs::default();
        match line {
            Line::Client(mut bytes) => session.client_bytes(&mut bytes, &mut out),
            Line::Backend(mut bytes) => session.backend_bytes(&mut bytes, &mut out),
        }
        std::mem::take(&mut out)
    };
    for line in connected(CLIENT_FLAGS, "shop__v1", [query("BEGIN"), facts_answer(CLIENT_FLAGS)]) {
        say(&mut session, line);
    }
    say(&mut session, Line::Backend(packet(1, &ok(3))));
    session.set_rules(Arc::default());
    assert_eq!(say(&mut session, query("users")).to_backend, packet(0, b"\x03people"));
    say(&mut session, Line::Backend(packet(1, &ok(2))));
    let out = say(&mut session, query("users"));
    assert!(out.to_backend.is_empty());
    assert_eq!(ErrPacket::decode(&out.to_client[4..]).map(|err| err.number), Ok(1049));
}

#[test]
fn a_rewrite_that_crosses_the_packet_limit_is_renumbered() {
    // One byte below the limit, and `people` is one longer than `users`.
    let mut text = b"\x03users".to_vec();
    text.resize(crate::wire::MAX_PACKET_LEN - 1, b' ');
    let rest = [Line::Client(packet(0, &text)), Line::Backend(packets(2, result_set(CLIENT_FLAGS, 1, &[b"\x01a"], 2)))];
    let (mut session, mut out) = (v1_session(), Outputs::default());
    let mut received = Received::default();
    let first = [query("SELECT 1"), facts_answer(CLIENT_FLAGS), Line::Backend(packet(1, &ok(2)))];
    for line in connected(CLIENT_FLAGS, "shop__v1", first.into_iter().chain(rest)) {
        received = Received::default();
        match line {
            Line::Client(mut bytes) => session.client_bytes(&mut bytes, &mut out),
            Line::Backend(mut bytes) => session.backend_bytes(&mut bytes, &mut out),
        }
        received.client.append(&mut out.to_client);
        if out.to_backend.len() > crate::wire::MAX_PACKET_LEN {
            let sent = split(&out.to_backend);
            assert_eq!(
                sent.iter().map(|(seq, payload)| (*seq, payload.len())).collect::<Vec<_>>(),
                [(0, crate::wire::MAX_PACKET_LEN), (1, 0)]
            );
        }
        out.to_backend.clear();
    }
    let mut payloads = result_set(CLIENT_FLAGS, 1, &[b"\x01a"], 2);
    payloads[1] = definition("users", "email");
    assert_eq!(received.client, packets(1, payloads));
}
