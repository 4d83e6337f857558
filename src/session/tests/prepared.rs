//! Prepared statements whose placeholders a rewrite moves.

use super::*;

const FLAGS: [u64; 2] = [CLIENT_FLAGS, CLIENT_FLAGS | Capabilities::DEPRECATE_EOF.0];

fn definitions(flags: u64, names: &[&str]) -> Vec<Vec<u8>> {
    let mut payloads: Vec<Vec<u8>> = names.iter().map(|name| definition("", name)).collect();
    if !names.is_empty() && flags & Capabilities::DEPRECATE_EOF.0 == 0 {
        payloads.push(eof(2));
    }
    payloads
}

/// The answer to a prepare, of statement 7.
fn prepared(flags: u64, params: &[&str], columns: &[&str]) -> Vec<u8> {
    let count = |names: &[&str]| u8::try_from(names.len()).expect("few");
    let head = vec![0, 7, 0, 0, 0, count(columns), 0, count(params), 0, 0, 0, 0];
    packets(1, [vec![head], definitions(flags, params), definitions(flags, columns)].concat())
}

fn v1(flags: u64, prepare_text: &str, rest: &[Line]) -> Received {
    let first = [prepare(prepare_text), facts_answer_of(flags, MARIADB, "1073741824")];
    let (received, end) = after_connecting(flags, "shop__v1", &[&first, rest].concat());
    assert_eq!(end, None);
    received
}

#[test]
fn the_client_counts_its_own_parameters() {
    for flags in FLAGS {
        let answer = Line::Backend(prepared(flags, &["a", "b", "c"], &["x"]));
        let received = v1(flags, "SWAP users", &[answer]);
        assert_eq!(received.client, prepared(flags, &["b", "a"], &["x"]));
        assert_eq!(received.backend, [question(), packet(0, b"\x16SWAP people")].concat());

        let answer = Line::Backend(prepared(flags, &["a", "b"], &[]));
        assert_eq!(v1(flags, "ADD users", &[answer]).client, prepared(flags, &["a"], &[]));
    }
}

#[test]
fn a_parameter_that_the_backend_does_not_take_is_defined_all_the_same() {
    for flags in FLAGS {
        let received = v1(flags, "DROP users", &[Line::Backend(prepared(flags, &[], &["x"]))]);
        let mut parameter = Vec::new();
        ColumnDefinition::parameter(Capabilities::default()).encode(&mut parameter);
        let mut expected = split(&prepared(flags, &["a"], &["x"]));
        expected[1].1 = parameter;
        assert_eq!(split(&received.client), expected);
    }
}

#[test]
fn a_parameter_is_defined_with_extended_metadata_where_that_is_agreed_on() {
    let flags = CLIENT_FLAGS & !1 | Capabilities::EXTENDED_METADATA.0;
    let received = v1(flags, "DROP users", &[Line::Backend(prepared(flags, &[], &[]))]);
    let mut parameter = Vec::new();
    ColumnDefinition::parameter(Capabilities(flags)).encode(&mut parameter);
    assert_eq!(split(&received.client)[1].1, parameter);
    assert_eq!(parameter.len(), 0x18);
}

#[test]
fn counts_are_the_clients_where_definitions_are_left_out() {
    for eof_flag in [0, Capabilities::DEPRECATE_EOF.0] {
        let flags = CLIENT_FLAGS | Capabilities::OPTIONAL_RESULTSET_METADATA.0 | eof_flag;
        let answer = |params: u8, columns: u8| {
            let counted = [params, columns].into_iter().filter(|count| *count > 0 && eof_flag == 0);
            let eofs = counted.map(|_| eof(2));
            packets(1, [vec![0, 7, 0, 0, 0, columns, 0, params, 0, 0, 0, 0, 0]].into_iter().chain(eofs))
        };
        for (text, backend_params, client_params) in [("SWAP users", 3, 2), ("DROP users", 0, 1), ("ADD users", 2, 1)] {
            let received = v1(flags, text, &[Line::Backend(answer(backend_params, 1))]);
            assert_eq!(split(&received.client), split(&answer(client_params, 1)), "{text}");
        }
    }
}

#[test]
fn minus_one_is_no_statement_on_mysql() {
    let execute = packet(0, b"\x17\xff\xff\xff\xff\0\x01\0\0\0\x00\x01\x01\x00\x02\x00\x05\x06\x00");
    let rest = [
        prepare("SWAP users"),
        facts_answer(CLIENT_FLAGS),
        Line::Backend(prepared(CLIENT_FLAGS, &["a", "b", "c"], &[])),
        Line::Client(execute.clone()),
    ];
    let (received, _) = after_connecting(CLIENT_FLAGS, "shop__v1", &rest);
    assert!(received.backend.ends_with(&execute), "the server knows what to say");
}

#[test]
fn a_bulk_execute_follows_the_placeholders() {
    let flags = CLIENT_FLAGS & !1 | Capabilities::STMT_BULK_OPERATIONS.0;
    let rest = [
        Line::Backend(prepared(flags, &["a", "b", "c"], &[])),
        Line::Client(packet(0, b"\xfa\xff\xff\xff\xff\x80\0\x01\0\x02\0\0\x05\0\x06\0\x01\0\x07\0")),
        Line::Backend(packet(1, &ok(2))),
        Line::Client(packet(0, b"\xfa\x07\0\0\0\0\0\0\x05\x02")),
    ];
    let received = v1(flags, "SWAP users", &rest);
    let bulk = b"\xfa\x07\0\0\0\x80\0\x02\0\x01\0\x02\0\0\x06\0\0\x05\0\x06\0\0\x07\0\x01\0\x07\0";
    assert!(received.backend.ends_with(&packet(0, bulk)), "{:?}", split(&received.backend));
    let (_, refused) = split(&received.client).pop().expect("an answer");
    assert_eq!(ErrPacket::decode(&refused).map(|err| err.number), Ok(1235));
}

#[test]
fn values_follow_their_placeholders() {
    let types = b"\x01\x00\x02\x00";
    let execute = [&b"\x17\x07\0\0\0\0\x01\0\0\0\x00\x01"[..], types, b"\x05\x06\x00"].concat();
    let reset_command = packet(0, b"\x1a\x07\0\0\0");
    let rest = [
        Line::Backend(prepared(CLIENT_FLAGS, &["a", "b", "c"], &[])),
        Line::Client(packet(0, &execute)),
        Line::Backend(packet(1, &ok(2))),
        // Without types, by MariaDB's id of the last statement.
        Line::Client(packet(0, b"\x17\xff\xff\xff\xff\0\x01\0\0\0\x00\x00\x08\x09\x00")),
        Line::Backend(packet(1, &ok(2))),
        Line::Client([packet(0, b"\x18\x07\0\0\0\x01\0data"), reset_command.clone()].concat()),
        Line::Backend(packet(1, &ok(2))),
        Line::Client(packet(0, &execute)),
        Line::Backend(packet(1, &ok(2))),
    ];
    let received = v1(CLIENT_FLAGS, "SWAP users", &rest);
    let head = b"\x17\x07\0\0\0\0\x01\0\0\0\x00\x01\x02\x00\x01\x00\x02\x00";
    let first = packet(0, &[&head[..], b"\x06\x00\x05\x06\x00"].concat());
    let expected = [
        question(),
        packet(0, b"\x16SWAP people"),
        first.clone(),
        packet(0, &[&head[..], b"\x09\x00\x08\x09\x00"].concat()),
        packet(0, b"\x18\x07\0\0\0\x00\0data"),
        packet(0, b"\x18\x07\0\0\0\x02\0data"),
        reset_command,
        first,
    ];
    assert_eq!(split(&received.backend), split(&expected.concat()));
}

#[test]
fn there_is_no_last_statement_after_a_refused_prepare() {
    let rest = [
        Line::Backend(prepared(CLIENT_FLAGS, &["a", "b", "c"], &[])),
        prepare("REFUSE"),
        Line::Client(packet(0, b"\x17\xff\xff\xff\xff\0\x01\0\0\0")),
    ];
    let received = v1(CLIENT_FLAGS, "SWAP users", &rest);
    let (_, payload) = split(&received.client).pop().expect("an answer");
    assert_eq!(ErrPacket::decode(&payload).map(|err| err.number), Ok(1243));
    let executed = split(&received.backend)
        .iter()
        .any(|(_, payload)| Execute::decode_statement(payload).is_ok() && payload[0] == 0x17);
    assert!(!executed);
}

#[test]
fn a_closed_statement_is_forgotten() {
    let execute = packet(0, b"\x17\x07\0\0\0\0\x01\0\0\0\x00\x00\x08\x09\x00");
    let rest = [
        Line::Backend(prepared(CLIENT_FLAGS, &["a", "b", "c"], &[])),
        Line::Client([packet(0, b"\x19\x07\0\0\0"), execute.clone()].concat()),
    ];
    let received = v1(CLIENT_FLAGS, "SWAP users", &rest);
    assert!(received.backend.ends_with(&execute), "the server knows what to say");
}
