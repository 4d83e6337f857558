//! The command phase of a connection with a version.

use super::*;

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
fn a_file_that_was_sent_before_it_was_asked_for_does_not_wait() {
    let rest = [
        Line::Client([packet(0, b"\x03LOAD"), packets(2, ["rows", ""])].concat()),
        Line::Backend(packet(1, b"\xfbfile")),
    ];
    let (received, _) = v1(CLIENT_FLAGS, &rest);
    assert_eq!(received.backend, [packet(0, b"\x03LOAD"), packets(2, ["rows", ""])].concat());
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
    // Whose command crosses the backend's last words has them for its answer.
    let last_words = Line::Backend(packet(0, b"\xff\xbf\x0f#HY000Idle for too long"));
    for (rest, lost) in [
        (vec![], false),
        (vec![query("SELECT 1")], true),
        (vec![last_words.clone()], false),
        (vec![last_words, query("SELECT 1")], false),
    ] {
        let mut session = v1_session();
        let mut out = Outputs::default();
        let mut script = connected(CLIENT_FLAGS, "shop__v1", []);
        script.extend(rest);
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
    const MAX: usize = crate::wire::MAX_PACKET_LEN;
    // `people` is one longer than `users`, and `SHORT` makes the text one shorter.
    for (text, len, packets_of_client, expected) in [
        (&b"\x03users"[..], MAX - 1, 1, vec![(0, MAX), (1, 0)]),
        (b"\x03users", MAX, 2, vec![(0, MAX), (1, 1)]),
        (b"\x03SHORT", MAX, 2, vec![(0, MAX - 1)]),
        (b"\x03SHORT", MAX + 1, 2, vec![(0, MAX), (1, 0)]),
    ] {
        let mut text = text.to_vec();
        text.resize(len, b' ');
        let answer = packets(packets_of_client, result_set(CLIENT_FLAGS, 1, &[b"\x01a"], 2));
        let backend_seq = u8::try_from(expected.len()).expect("few");
        let from_backend = packets(backend_seq, result_set(CLIENT_FLAGS, 1, &[b"\x01a"], 2));
        let first = [query("SELECT 1"), facts_answer(CLIENT_FLAGS), Line::Backend(packet(1, &ok(2)))];
        let rest = [Line::Client(packet(0, &text)), Line::Backend(from_backend)];
        let (mut session, mut out) = (v1_session(), Outputs::default());
        let mut sent = Vec::new();
        for line in connected(CLIENT_FLAGS, "shop__v1", first.into_iter().chain(rest)) {
            out.to_client.clear();
            match line {
                Line::Client(mut bytes) => session.client_bytes(&mut bytes, &mut out),
                Line::Backend(mut bytes) => session.backend_bytes(&mut bytes, &mut out),
            }
            if !out.to_backend.is_empty() {
                sent = split(&std::mem::take(&mut out.to_backend));
            }
        }
        let sent: Vec<(u8, usize)> = sent.iter().map(|(seq, payload)| (*seq, payload.len())).collect();
        assert_eq!(sent, expected);
        let seqs = |bytes: &[u8]| split(bytes).iter().map(|(seq, _)| *seq).collect::<Vec<_>>();
        assert_eq!(seqs(&out.to_client), seqs(&answer), "as many as the client's own packets");
    }
}

#[test]
fn a_rewrite_that_the_backend_would_not_take_is_an_error() {
    // With its command's byte, the client's text is one below the limit, and the rewritten one is at it.
    let facts = facts_answer_of(CLIENT_FLAGS, MYSQL, "1024");
    let fits = |len: usize| query(&format!("users{}", " ".repeat(len - 6)));
    let rest = [fits(1022), facts, Line::Backend(packet(1, &ok(2))), fits(1023), query("SELECT 1")];
    let rest = [&rest[..], &[Line::Backend(packet(1, &ok(2)))]].concat();
    let (received, end) = after_connecting(CLIENT_FLAGS, "shop__v1", &rest);
    assert_eq!(end, None);
    let message = "Got a packet bigger than 'max_allowed_packet' bytes";
    let error = ErrPacket { number: 1153, sqlstate: Some(*b"08S01"), message: message.as_bytes() };
    let mut payload = Vec::new();
    error.encode(&mut payload);
    assert_eq!(received.client, [packet(1, &ok(2)), packet(1, &payload), packet(1, &ok(2))].concat());
    // What the backend would not take from the client itself ends the connection, as it would there.
    let rest = [&rest[..], &[query(&"x".repeat(1023))]].concat();
    let (received, end) = after_connecting(CLIENT_FLAGS, "shop__v1", &rest);
    assert_eq!(end, Some(End::TooLong));
    assert!(received.client.ends_with(&packet(1, &payload)));
}

#[test]
fn an_error_before_the_end_of_a_file_does_not_make_commands_of_it() {
    let rest = [
        query("LOAD"),
        Line::Backend(packet(1, b"\xfbfile")),
        Line::Client(packets(2, ["\x03SELECT users"])),
        Line::Backend(packet(2, &err(1317, "interrupted"))),
        Line::Client([packet(3, b"\x03SELECT users"), packet(4, b""), packet(0, b"\x0e")].concat()),
        Line::Backend(packet(1, &ok(2))),
    ];
    let (received, end) = v1(CLIENT_FLAGS, &rest);
    let file = packets(2, ["\x03SELECT users", "\x03SELECT users", ""]);
    assert_eq!(received.backend, [packet(0, b"\x03LOAD"), file, packet(0, b"\x0e")].concat());
    assert_eq!(end, None);
}

#[test]
fn query_attributes_stay_before_every_text() {
    const ATTRIBUTES: &[u8] = b"\x01\x01\x00\x01\xfe\x00\x01n\x02v1";
    let flags = CLIENT_FLAGS | Capabilities::QUERY_ATTRIBUTES.0;
    let asked = |text: &str| packet(0, &[b"\x03", ATTRIBUTES, text.as_bytes()].concat());
    let rest = [
        Line::Client(asked("users")),
        facts_answer(flags),
        Line::Backend(packet(1, &ok(2))),
        Line::Client(asked("SELECT 1")),
        Line::Backend(packet(1, &ok(2))),
        Line::Client(asked("USE shop__v1")),
        Line::Backend(packet(1, &ok(2))),
        Line::Client(packet(0, b"\x03\x00\x01REFUSE")),
        facts_answer(flags),
        Line::Client(packet(0, b"\x03users")),
    ];
    let (received, _) = after_connecting(flags, "shop__v1", &rest);
    let question = packet(0, &[b"\x03\x00\x01", facts::QUESTION].concat());
    let expected = [question.clone(), asked("people"), asked("SELECT 1"), asked("USE `shop`"), question];
    assert_eq!(split(&received.backend), split(&expected.concat()));
    let last = split(&received.client).pop().map(|(_, payload)| ErrPacket::decode(&payload).map(|err| err.number));
    assert_eq!(last, Some(Ok(1835)), "a text without the prefix is malformed");
}

#[test]
fn a_close_that_is_cut_short_is_an_error_only_on_mysql() {
    let malformed = packet(1, &err(1835, "Malformed communication packet."));
    for (version, answer) in [(MYSQL, Some(malformed)), (MARIADB, None)] {
        let facts = facts_answer_of(CLIENT_FLAGS, version, "1024");
        let commands = [packet(0, b"\x19\x01"), packet(0, b"\x18\x01\0\0\0\0"), packet(0, b"\x0e")];
        let mut rest = vec![Line::Client(commands.concat()), facts];
        rest.extend(answer.iter().flat_map(|answer| [answer, answer]).cloned().map(Line::Backend));
        rest.push(Line::Backend(packet(1, &ok(2))));
        let (received, end) = after_connecting(CLIENT_FLAGS, "shop__v1", &rest);
        assert_eq!(received.backend, [question(), commands.concat()].concat(), "{version}");
        let errors = answer.iter().flat_map(|answer| [&answer[..], answer]).collect::<Vec<_>>().concat();
        assert_eq!((received.client, end), ([errors, packet(1, &ok(2))].concat(), None), "{version}");
    }
}
